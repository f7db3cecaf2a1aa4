#include "pxr_httpd.h"

/* Links and joining instructions for meetings that are scheduled on Infinity: interface section 5.
 */

pxr_schedule_t pxr_schedule_of(const pxr_workspace_t *w)
{
    return (pxr_schedule_t){.site_url = w->site_url,
                            .base_url = w->base_url,
                            .branding = w->branding,
                            .join_url = w->join_url};
}

static int get_links(request_rec *r, const pxr_call_t *call)
{
    const pxr_schedule_t where = pxr_schedule_of(call->workspace);
    char alias[PXR_SCHEDULED_ALIAS_MAX + 1];
    char url[PXR_SCHEDULED_LINK_SIZE];
    pxr_query_field_t field = {.name = "alias", .value = alias, .size = sizeof(alias)};
    const size_t size = PXR_SCHEDULE_LINKS * (sizeof(url) + 16);
    pxr_buf_t json;

    pxr_read_arguments(r, &field, 1);
    if (field.bad || !pxr_schedule_alias_valid(alias, field.len)) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST,
                                 "alias must have 1 to 250 bytes of UTF-8 without control "
                                 "characters, and must not be . or ..");
    }
    pxr_buf_init(&json, apr_palloc(r->pool, size), size);
    for (int i = 0; i < PXR_SCHEDULE_LINKS; i++) {
        pxr_schedule_link_t link = (pxr_schedule_link_t)i;
        pxr_buf_t buf;
        pxr_buf_init(&buf, url, sizeof(url));
        pxr_schedule_put_link(&buf, &where, link, alias);
        pxr_buf_puts(&json, i == 0 ? "{\"" : ", \"");
        pxr_buf_puts(&json, pxr_schedule_link_name(link));
        pxr_buf_puts(&json, "\": ");
        pxr_buf_put_json(&json, buf.data, buf.len);
    }
    pxr_buf_puts(&json, "}");
    return pxr_reply(r, HTTP_OK, "application/json", json.data, json.len);
}

static bool read_link(const char *text, pxr_schedule_link_t *out)
{
    static const pxr_schedule_link_t offered[] = {PXR_SCHEDULE_GO, PXR_SCHEDULE_WEB,
                                                  PXR_SCHEDULE_SHORT};

    for (size_t i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
        if (strcmp(text, pxr_schedule_link_name(offered[i])) == 0) {
            *out = offered[i];
            return true;
        }
    }
    return false;
}

static int get_template(request_rec *r, const pxr_call_t *call)
{
    enum { KIND, LINK, FIELDS };
    const pxr_schedule_t where = pxr_schedule_of(call->workspace);
    char kind[16];
    char name[16];
    pxr_query_field_t fields[FIELDS] = {
        [KIND] = {.name = "kind", .value = kind, .size = sizeof(kind)},
        [LINK] = {.name = "link", .value = name, .size = sizeof(name)},
    };
    pxr_schedule_link_t link;
    pxr_buf_t html;
    bool personal;

    pxr_read_arguments(r, fields, FIELDS);
    personal = strcmp(kind, "personal") == 0;
    if (!personal && strcmp(kind, "single-use") != 0) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, "kind must be single-use or personal");
    }
    if (!read_link(name, &link)) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, "link must be go, web or short");
    }
    pxr_buf_init(&html, apr_palloc(r->pool, PXR_TEMPLATE_MAX + 1), PXR_TEMPLATE_MAX + 1);
    pxr_schedule_put_template(&html, &where, personal, link);
    return pxr_reply(r, HTTP_OK, "text/html; charset=utf-8", html.data, html.len);
}

int pxr_handle_scheduling(request_rec *r, const pxr_call_t *call, const char *rest)
{
    bool links = strcmp(rest, "links") == 0;

    if (!links && strcmp(rest, "template") != 0) {
        return pxr_reply_problem(r, HTTP_NOT_FOUND, "there is nothing at this address");
    }
    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    return links ? get_links(r, call) : get_template(r, call);
}
