#include "pxr_alias.h"

#include <arpa/inet.h>
#include <string.h>

#include "pxr_text.h"

/* Schemes in which a Conferencing Node may hand on an alias (policy reference 10.1). */
static const char *const schemes[] = {
    "sip:", "sips:", "h323:", "h323s:", "tel:", "mssip:", "teams:", "rtmp:", "pexip:"};

static void skip_scheme(const char **text, size_t *len)
{
    if (memchr(*text, ':', *len) == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t size = strlen(schemes[i]);
        if (*len >= size && pxr_equal_nocase(*text, size, schemes[i], size)) {
            *text += size;
            *len -= size;
            return;
        }
    }
}

static bool all_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_digit(text[i])) {
            return false;
        }
    }
    return len > 0;
}

static const char *last_at(const char *text, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        if (text[i - 1] == '@') {
            return text + i - 1;
        }
    }
    return NULL;
}

/* `host`, `host:5060`, `10.0.0.1:1720`, `[2001:db8::1]:5060`, `2001:db8::1`. */
static bool read_domain(pxr_alias_t *out, const char *text, size_t len)
{
    unsigned char address[16];
    const char *colon = memchr(text, ':', len);

    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);
        if (end == NULL) {
            return false;
        }
        text++;
        len = (size_t)(end - text);
    } else if (colon != NULL && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL) {
        len = (size_t)(colon - text);
    }
    if (len == 0 || len > PXR_DOMAIN_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        out->domain[i] = pxr_lower(text[i]);
    }
    out->domain[len] = '\0';
    out->domain_is_address = inet_pton(AF_INET, out->domain, address) == 1 ||
                             inet_pton(AF_INET6, out->domain, address) == 1;
    return true;
}

bool pxr_alias_parse(const char *text, size_t len, pxr_alias_t *out)
{
    const char *at;

    out->domain[0] = '\0';
    out->domain_is_address = false;
    if (len > PXR_DIALLED_MAX) {
        return false;
    }
    while (len > 0 && text[0] == ' ') {
        text++;
        len--;
    }
    while (len > 0 && text[len - 1] == ' ') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ';' || text[i] == '?') {
            len = i;
        }
    }
    skip_scheme(&text, &len);
    at = last_at(text, len);
    if (at != NULL) {
        size_t user_len = (size_t)(at - text);
        if (!read_domain(out, at + 1, len - user_len - 1)) {
            return false;
        }
        len = user_len;
    }
    /* A number may be dialled with a '+'; nothing of ours begins with one. */
    if (len > 1 && text[0] == '+' && all_digits(text + 1, len - 1)) {
        text++;
        len--;
    }
    if (len == 0 || len > PXR_ALIAS_MAX) {
        return false;
    }
    memcpy(out->user, text, len);
    out->user[len] = '\0';
    out->user_len = len;
    return true;
}

bool pxr_alias_domain_allowed(const pxr_alias_t *alias, const char *const *domains, size_t count)
{
    size_t len = strlen(alias->domain);

    if (count == 0 || len == 0 || alias->domain_is_address) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (pxr_equal_nocase(alias->domain, len, domains[i], strlen(domains[i]))) {
            return true;
        }
    }
    return false;
}

bool pxr_meeting_id_valid(const char *id, size_t len)
{
    if (len < PXR_MEETING_ID_MIN || len > PXR_MEETING_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_alnum(id[i])) {
            return false;
        }
    }
    return true;
}

bool pxr_meeting_id_next(const char **list, char id[PXR_MEETING_ID_MAX + 1])
{
    size_t len;

    do {
        const char *at = *list + strspn(*list, " ");
        len = strcspn(at, " ");
        *list = at + len;
        if (pxr_meeting_id_valid(at, len)) {
            memcpy(id, at, len);
            id[len] = '\0';
            return true;
        }
    } while (len > 0);
    return false;
}
