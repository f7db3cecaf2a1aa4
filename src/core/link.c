#include "pxr_link.h"

#include <arpa/inet.h>
#include <string.h>

static const char placeholder[] = "{alias}";

static void put_parameter(pxr_buf_t *out, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        pxr_buf_puts(out, "&");
        pxr_buf_puts(out, name);
        pxr_buf_puts(out, "=");
        pxr_buf_put_percent(out, value, strlen(value));
    }
}

void pxr_link_personal(pxr_buf_t *out, const char *base_url, const char *meeting_path,
                       const char *alias, const pxr_visitor_t *visitor)
{
    const char *at = meeting_path;
    const char *next;

    pxr_buf_puts(out, base_url);
    while ((next = strstr(at, placeholder)) != NULL) {
        pxr_buf_put(out, at, (size_t)(next - at));
        pxr_buf_put_percent(out, alias, strlen(alias));
        at = next + sizeof(placeholder) - 1;
    }
    pxr_buf_puts(out, at);
    put_parameter(out, "rid", visitor->discussion);
    put_parameter(out, "pin", visitor->pin);
    put_parameter(out, "name", visitor->name);
    put_parameter(out, "muteMicrophone", visitor->mute_microphone ? "true" : NULL);
    put_parameter(out, "muteCamera", visitor->mute_camera ? "true" : NULL);
}

/* What needs no percent-encoding, so that decoding it any number of times changes nothing. */
static bool is_unreserved(const char *text, const char *also)
{
    for (; *text != '\0'; text++) {
        if (!pxr_is_alnum(*text) && strchr("-._~", *text) == NULL && strchr(also, *text) == NULL) {
            return false;
        }
    }
    return true;
}

bool pxr_link_discussion(pxr_buf_t *out, const char *site_url, const char *type, const char *name)
{
    bool private_room = strcmp(type, "p") == 0;

    /* Clients remove the segments . and .. from a path. */
    if ((!private_room && strcmp(type, "c") != 0) || name[0] == '\0' || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || !is_unreserved(name, "") || !is_unreserved(site_url, ":/[]")) {
        return false;
    }
    pxr_buf_puts(out, site_url);
    pxr_buf_puts(out, private_room ? "/group/" : "/channel/");
    pxr_buf_puts(out, name);
    pxr_buf_puts(out, "?layout=embedded");
    return true;
}

static bool is_host_char(char c)
{
    return pxr_is_alnum(c) || c == '-' || c == '.' || c == '_';
}

static bool is_path_char(char c)
{
    return pxr_is_alnum(c) || strchr("/-._~!$&'()*+,;=:@%", c) != NULL;
}

static bool read_ipv4(const char *host, size_t len, unsigned char address[4])
{
    char text[16];

    if (len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, address) == 1;
}

static bool is_loopback(const char *host, size_t len)
{
    unsigned char address[4];

    return pxr_equal_nocase(host, len, "localhost", 9) ||
           (len == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (read_ipv4(host, len, address) && address[0] == 127);
}

/* Browsers take a host for an IPv4 address, or for an error, by its last label alone (WHATWG URL,
 * "ends in a number"), whatever a resolver would make of it. */
static bool ends_in_number(const char *host, size_t len)
{
    size_t end = len > 0 && host[len - 1] == '.' ? len - 1 : len;
    size_t begin = end;
    size_t digits = 0;

    while (begin > 0 && host[begin - 1] != '.') {
        begin--;
        digits += pxr_is_digit(host[begin]);
    }
    if (end - begin >= 2 && host[begin] == '0' && pxr_lower(host[begin + 1]) == 'x') {
        return strspn(host + begin + 2, "0123456789abcdefABCDEF") >= end - begin - 2;
    }
    return end > begin && digits == end - begin;
}

/* Length of the host at `text`, brackets of an IPv6 address included; 0 where there is none. */
static size_t host_length(const char *text)
{
    unsigned char address[16];
    char inner[64];
    bool named = false;
    size_t len = 0;

    if (text[0] == '[') {
        len = strcspn(text, "]");
        if (text[len] != ']' || len >= sizeof(inner)) {
            return 0;
        }
        memcpy(inner, text + 1, len - 1);
        inner[len - 1] = '\0';
        return inet_pton(AF_INET6, inner, address) == 1 ? len + 1 : 0;
    }
    for (; is_host_char(text[len]); len++) {
        named = named || pxr_is_alnum(text[len]);
    }
    return named && (!ends_in_number(text, len) || read_ipv4(text, len, address)) ? len : 0;
}

/* Appends `:port` where there is one that differs from the scheme's own. */
static bool read_port(const char **text, unsigned usual, pxr_buf_t *out)
{
    const char *at = *text;
    unsigned port = 0;
    size_t digits = 0;

    if (*at != ':') {
        return true;
    }
    at++;
    while (pxr_is_digit(at[digits]) && digits < 6) {
        port = port * 10 + (unsigned)(at[digits] - '0');
        digits++;
    }
    if (digits == 0 || port == 0 || port > 65535) {
        return false;
    }
    if (port != usual) {
        pxr_buf_puts(out, ":");
        pxr_buf_put_int(out, port);
    }
    *text = at + digits;
    return true;
}

pxr_status_t pxr_link_check_url(const char *text, bool allow_http, bool allow_path, pxr_buf_t *out,
                                const char **why)
{
    const char *host;
    size_t host_len;
    size_t path_len;
    bool https = pxr_equal_nocase(text, strlen(text) < 8 ? 0 : 8, "https://", 8);
    bool http = pxr_equal_nocase(text, strlen(text) < 7 ? 0 : 7, "http://", 7);

    if (!https && !http) {
        *why = "must be an absolute https URL such as https://chat.example.com";
        return PXR_INVALID;
    }
    host = text + (https ? 8 : 7);
    host_len = host_length(host);
    if (host_len == 0 || host_len > 253) {
        *why = "has no usable host name or address";
        return PXR_INVALID;
    }
    if (host[strcspn(host, "/?#@")] == '@') {
        *why = "must not contain a user or a password";
        return PXR_INVALID;
    }
    if (http && !allow_http && !is_loopback(host, host_len)) {
        *why = "must begin with https:// unless its host is the loopback interface";
        return PXR_INVALID;
    }
    pxr_buf_puts(out, https ? "https://" : "http://");
    for (size_t i = 0; i < host_len; i++) {
        char c = pxr_lower(host[i]);
        pxr_buf_put(out, &c, 1);
    }
    text = host + host_len;
    if (!read_port(&text, https ? 443 : 80, out)) {
        *why = "has a port that is not a number from 1 to 65535";
        return PXR_INVALID;
    }
    path_len = strlen(text);
    while (path_len > 0 && text[path_len - 1] == '/') {
        path_len--;
    }
    if (path_len > 0 && (text[0] != '/' || !allow_path)) {
        *why = "may consist of scheme, host and port only";
        return PXR_INVALID;
    }
    for (size_t i = 0; i < path_len; i++) {
        if (!is_path_char(text[i])) {
            *why =
                "has a character in its path that is not allowed there, or a query or a fragment";
            return PXR_INVALID;
        }
    }
    pxr_buf_put(out, text, path_len);
    if (out->overflow) {
        *why = "is too long";
        return PXR_TOO_LONG;
    }
    return PXR_OK;
}

pxr_status_t pxr_link_check_meeting_path(const char *path, const char **why)
{
    const char *alias = strstr(path, placeholder);
    const char *question = strchr(path, '?');

    if (path[0] != '/' || path[1] == '/') {
        *why = "must begin with one '/'";
    } else if (alias == NULL) {
        *why = "must contain {alias}";
    } else if (question == NULL) {
        /* Rocket.Chat's clients append &name= without looking (web app reference 0, 4). */
        *why = "must contain '?', because parameters are appended with '&'";
    } else if (strchr(path, '#') != NULL) {
        *why = "must not contain a fragment";
    } else {
        for (const char *c = path; *c != '\0'; c++) {
            if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7F || strchr("\"<>\\^`|", *c)) {
                *why = "may contain only characters that are allowed in a URL";
                return PXR_INVALID;
            }
        }
        return PXR_OK;
    }
    return PXR_INVALID;
}
