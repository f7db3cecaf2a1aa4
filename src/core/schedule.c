#include "pxr_schedule.h"

#include <string.h>

/* Stands for an alias in a template. Infinity puts digits in its place, which no encoding changes,
 * so it is written as it is at every depth. */
static const char variable[] = "{{numeric_alias}}";

static const char *const names[PXR_SCHEDULE_LINKS] = {
    [PXR_SCHEDULE_GO] = "go",           [PXR_SCHEDULE_WEB] = "web",
    [PXR_SCHEDULE_DESKTOP] = "desktop", [PXR_SCHEDULE_WEBAPP] = "webapp",
    [PXR_SCHEDULE_SHORT] = "short",
};

const char *pxr_schedule_link_name(pxr_schedule_link_t link)
{
    return names[link];
}

bool pxr_schedule_alias_valid(const char *alias, size_t len)
{
    if (len == 0 || len > PXR_SCHEDULED_ALIAS_MAX || (len == 1 && alias[0] == '.') ||
        (len == 2 && memcmp(alias, "..", 2) == 0)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)alias[i] < 0x20 || alias[i] == 0x7F) {
            return false;
        }
    }
    return pxr_utf8_valid(alias, len);
}

/* Percent-encodes `text` so many times over. */
static void put_encoded(pxr_buf_t *out, const char *text, int times)
{
    if (times == 0 || text == variable) {
        pxr_buf_puts(out, text);
        return;
    }
    for (; *text != '\0'; text++) {
        char byte[4];
        pxr_buf_t once;
        pxr_buf_init(&once, byte, sizeof(byte));
        pxr_buf_put_percent(&once, text, 1);
        if (once.len == 1) {
            pxr_buf_puts(out, byte);
            continue;
        }
        pxr_buf_puts(out, "%");
        for (int i = 1; i < times; i++) {
            pxr_buf_puts(out, "25");
        }
        pxr_buf_puts(out, byte + 1);
    }
}

/* The meeting as Rocket.Chat opens it. The finished URL is encoded `times` over; what stands inside
 * of it once or twice more. */
static void put_call_url(pxr_buf_t *out, const pxr_schedule_t *where, const char *alias, int times)
{
    put_encoded(out, where->base_url, times);
    if (where->branding != NULL) {
        put_encoded(out, "/", times);
        put_encoded(out, where->branding, times);
    }
    put_encoded(out, "/conference?conference=", times);
    put_encoded(out, alias, times + 1);
}

/* The route of Rocket.Chat's web client. Without a slash before it: the desktop client looks for
 * exactly this. */
static void put_route(pxr_buf_t *out, const pxr_schedule_t *where, const char *alias, int times)
{
    put_encoded(out, "conference/", times);
    put_encoded(out, alias, times + 1);
    put_encoded(out, "?callUrl=", times);
    put_call_url(out, where, alias, times + 1);
    put_encoded(out, "&callProvider=Pexip", times);
}

static void put_deep_link(pxr_buf_t *out, const char *scheme, const pxr_schedule_t *where,
                          const char *alias)
{
    pxr_buf_puts(out, scheme);
    pxr_buf_puts(out, "conference?host=");
    put_encoded(out, strstr(where->site_url, "://") + 3, 1);
    pxr_buf_puts(out, "&path=");
    put_route(out, where, alias, 1);
}

void pxr_schedule_put_link(pxr_buf_t *out, const pxr_schedule_t *where, pxr_schedule_link_t link,
                           const char *alias)
{
    switch (link) {
    case PXR_SCHEDULE_GO:
        put_deep_link(out, "https://go.rocket.chat/", where, alias);
        break;
    case PXR_SCHEDULE_WEB:
        pxr_buf_puts(out, where->site_url);
        pxr_buf_puts(out, "/");
        put_route(out, where, alias, 0);
        break;
    case PXR_SCHEDULE_DESKTOP:
        put_deep_link(out, "rocketchat://", where, alias);
        break;
    case PXR_SCHEDULE_WEBAPP:
        pxr_buf_puts(out, where->base_url);
        pxr_buf_puts(out, "/");
        pxr_buf_puts(out, where->branding != NULL ? where->branding : "webapp");
        pxr_buf_puts(out, "/m/");
        put_encoded(out, alias, 1);
        break;
    default:
        pxr_buf_puts(out, where->join_url);
        pxr_buf_puts(out, "/go/");
        put_encoded(out, alias, 1);
    }
}

/* A row with a link in it. URLs of ours have nothing but '&' that HTML would take for its own. */
static void put_link_row(pxr_buf_t *out, const char *name, const char *url, const char *text)
{
    pxr_buf_puts(out, "<tr><td>");
    pxr_buf_puts(out, name);
    pxr_buf_puts(out, "</td><td><a href=\"");
    for (; *url != '\0'; url++) {
        if (*url == '&') {
            pxr_buf_puts(out, "&amp;");
        } else {
            pxr_buf_put(out, url, 1);
        }
    }
    pxr_buf_puts(out, "\">");
    pxr_buf_puts(out, text);
    pxr_buf_puts(out, "</a></td></tr>\n");
}

static void put_link_rows(pxr_buf_t *out, const pxr_schedule_t *where, pxr_schedule_link_t link)
{
    char url[PXR_SCHEDULED_LINK_SIZE];
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, sizeof(url));
    pxr_schedule_put_link(&buf, where, link, variable);
    put_link_row(out, "Rocket.Chat", url, "Join in Rocket.Chat");
    pxr_buf_init(&buf, url, sizeof(url));
    pxr_schedule_put_link(&buf, where, PXR_SCHEDULE_WEBAPP, variable);
    put_link_row(out, "Browser", url, "Join in the Pexip web app");
}

/* Without a number there is no link for Rocket.Chat, because other aliases would have to be
 * encoded. The link that is left is the one of Infinity's own template. */
static void put_nameless_row(pxr_buf_t *out, const pxr_schedule_t *where)
{
    char url[PXR_SCHEDULED_LINK_SIZE];
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, sizeof(url));
    pxr_buf_puts(&buf, where->base_url);
    pxr_buf_puts(&buf, "/webapp/#/?conference={{alias}}");
    put_link_row(out, "Browser", url, "Join in the Pexip web app");
}

/*
 * No filters, not even for escaping: which of them Infinity permits is not known, and its own
 * templates have none. An undefined variable is never touched, whatever Infinity makes of one.
 */

static void put_single_use(pxr_buf_t *out, const pxr_schedule_t *where, pxr_schedule_link_t link)
{
    pxr_buf_puts(out, "<p>Join the meeting:</p>\n<table cellpadding=\"4\">\n");
    put_link_rows(out, where, link);
    /* By the last line the scheduler knows its own mail. */
    pxr_buf_puts(out, "<tr><td>Room system</td><td>{{alias}}</td></tr>\n"
                      "<tr><td>Number</td><td>{{numeric_alias}}</td></tr>\n"
                      "</table>\n"
                      "<p>{{alias_uuid}}</p>\n");
}

static void put_personal(pxr_buf_t *out, const pxr_schedule_t *where, pxr_schedule_link_t link)
{
    pxr_buf_puts(out, "{% if domain_aliases %}{% set alias = domain_aliases[0] %}"
                      "{% elif other_aliases %}{% set alias = other_aliases[0] %}"
                      "{% elif numeric_aliases %}{% set alias = numeric_aliases[0] %}"
                      "{% else %}{% set alias = '' %}{% endif %}"
                      "<p>Join the meeting:</p>\n<table cellpadding=\"4\">\n"
                      "{% if numeric_aliases %}{% set numeric_alias = numeric_aliases[0] %}");
    put_link_rows(out, where, link);
    pxr_buf_puts(out, "{% elif alias %}");
    put_nameless_row(out, where);
    pxr_buf_puts(out,
                 "{% endif %}"
                 "{% if alias %}<tr><td>Room system</td><td>{{alias}}</td></tr>\n{% endif %}"
                 "{% if numeric_aliases %}<tr><td>Number</td><td>{{numeric_alias}}</td></tr>\n"
                 "{% endif %}"
                 "{% if allow_guests and guest_pin %}<tr><td>PIN</td><td>{{guest_pin}}</td></tr>\n"
                 "{% elif pin and not allow_guests %}<tr><td>PIN</td><td>{{pin}}</td></tr>\n"
                 "{% endif %}"
                 "</table>\n");
}

void pxr_schedule_put_template(pxr_buf_t *out, const pxr_schedule_t *where, bool personal,
                               pxr_schedule_link_t link)
{
    if (personal) {
        put_personal(out, where, link);
    } else {
        put_single_use(out, where, link);
    }
}
