#include "fuzz.h"

#include "pxr_limits.h"
#include "pxr_schedule.h"
#include "pxr_text.h"

/*
 * Links into scheduled meetings: branding path or "", a NUL, the alias. Whoever follows a link, as
 * often as it is encoded, must arrive at the alias as it was.
 */

static const char digits[] = "0123456789ABCDEF";

static void decode(char *text)
{
    char *out = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '%') {
            const char *high = strchr(digits, at[1]);
            const char *low = high != NULL && at[1] != '\0' ? strchr(digits, at[2]) : NULL;
            REQUIRE(low != NULL && at[2] != '\0');
            *out++ = (char)((high - digits) * 16 + (low - digits));
            at += 2;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
}

/* Takes `prefix`, which must be there, off the front. */
static char *after(char *text, const char *prefix)
{
    REQUIRE(strncmp(text, prefix, strlen(prefix)) == 0);
    return text + strlen(prefix);
}

/* Ends the text at the first of these characters and returns what is behind it. */
static char *cut_at(char *text, char c)
{
    char *end = strchr(text, c);

    REQUIRE(end != NULL);
    *end = '\0';
    return end + 1;
}

static void check_call_url(char *url, const pxr_schedule_t *where, const char *alias)
{
    char *rest = after(after(url, where->base_url), "/");

    if (where->branding != NULL) {
        rest = after(after(rest, where->branding), "/");
    }
    rest = after(rest, "conference?conference=");
    decode(rest);
    REQUIRE(strcmp(rest, alias) == 0);
}

/* conference/<alias>?callUrl=<url>&callProvider=Pexip */
static void check_path(char *path, const pxr_schedule_t *where, const char *alias)
{
    char *name = after(path, "conference/");
    char *query = cut_at(name, '?');
    char *url = after(query, "callUrl=");

    after(cut_at(url, '&'), "callProvider=Pexip");
    decode(name);
    REQUIRE(strcmp(name, alias) == 0);
    decode(url);
    check_call_url(url, where, alias);
}

static void check_go(char *url, const pxr_schedule_t *where, const char *alias)
{
    char *host = after(url, "https://go.rocket.chat/conference?host=");
    char *path = after(cut_at(host, '&'), "path=");

    decode(host);
    REQUIRE(strcmp(host, strstr(where->site_url, "//") + 2) == 0);
    decode(path);
    check_path(path, where, alias);
}

static void check_last(char *text, const char *alias)
{
    decode(text);
    REQUIRE(strcmp(text, alias) == 0);
}

static void check_links(const pxr_schedule_t *where, const char *alias)
{
    static char text[PXR_SCHEDULED_LINK_SIZE];

    for (int link = 0; link < PXR_SCHEDULE_LINKS; link++) {
        pxr_buf_t out;
        char *rest;
        pxr_buf_init(&out, text, sizeof(text));
        pxr_schedule_put_link(&out, where, (pxr_schedule_link_t)link, alias);
        REQUIRE(!out.overflow);
        for (const char *c = text; *c != '\0'; c++) {
            REQUIRE(*c > ' ' && *c < 0x7F);
        }
        switch ((pxr_schedule_link_t)link) {
        case PXR_SCHEDULE_GO:
            check_go(text, where, alias);
            break;
        case PXR_SCHEDULE_WEB:
            check_path(after(after(text, where->site_url), "/"), where, alias);
            break;
        case PXR_SCHEDULE_DESKTOP:
            rest = strstr(text, "conference%2F");
            REQUIRE(rest != NULL);
            decode(rest);
            check_path(rest, where, alias);
            break;
        case PXR_SCHEDULE_WEBAPP:
            rest = after(after(text, where->base_url), "/");
            rest = after(rest, where->branding != NULL ? where->branding : "webapp");
            check_last(after(rest, "/m/"), alias);
            break;
        default:
            check_last(after(after(text, where->join_url), "/go/"), alias);
        }
    }
}

static bool is_branding(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 100 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
               strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    char *branding = input_text(&in);
    char *alias = input_text(&in);
    pxr_schedule_t where = {.site_url = "https://chat.example.com:8443",
                            .base_url = "https://[2001:db8::2]",
                            .branding = is_branding(branding) ? branding : NULL,
                            .join_url = "https://chat.example.com:8443/pexip"};

    if (pxr_schedule_alias_valid(alias, strlen(alias))) {
        REQUIRE(pxr_utf8_valid(alias, strlen(alias)));
        check_links(&where, alias);
    }
    free(alias);
    free(branding);
    return 0;
}
