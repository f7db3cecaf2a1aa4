#include "pxr_httpd.h"

#include <apr_strings.h>

/*
 * The short link of a scheduled meeting. It leads to addresses of the configuration only, and
 * whether there is such a meeting is for Infinity to know. Where a section for /conference sets
 * this handler on the nodes' address, it answers the address that a link without branding path ends
 * at (web app reference 1.1).
 */

#define VARIES "User-Agent, Sec-CH-UA-Mobile"

/* A path as the client wrote it: once decoded, a slash of an alias is like any other. */
static const char *raw_path(request_rec *r)
{
    const char *path = r->unparsed_uri;

    if (path[0] != '/') {
        const char *host = strstr(path, "://");
        path = host != NULL ? strchr(host + 3, '/') : NULL;
    }
    return path != NULL ? apr_pstrmemdup(r->pool, path, strcspn(path, "?#")) : "";
}

/* Whether what stands before `end` and the slashes there is the segment `name`. */
static bool follows(const char *path, const char *end, const char *name)
{
    size_t len = strlen(name);

    while (end > path && end[-1] == '/') {
        end--;
    }
    return (size_t)(end - path) > len && *(end - len - 1) == '/' &&
           strncmp(end - len, name, len) == 0;
}

/* NULL where nothing can be called so. */
static const char *checked(const char *alias)
{
    return pxr_schedule_alias_valid(alias, strlen(alias)) ? alias : NULL;
}

static const char *alias_of_path(request_rec *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *alias;

    if (slash == NULL || !follows(path, slash, "go")) {
        return NULL;
    }
    alias = apr_pstrdup(r->pool, slash + 1);
    return ap_unescape_url_keep2f(alias, 1) == OK ? checked(alias) : NULL;
}

static const char *alias_of_query(request_rec *r)
{
    char *alias = apr_palloc(r->pool, PXR_SCHEDULED_ALIAS_MAX + 1);
    pxr_query_field_t field = {
        .name = "conference", .value = alias, .size = PXR_SCHEDULED_ALIAS_MAX + 1};

    pxr_read_arguments(r, &field, 1);
    return field.bad ? NULL : checked(alias);
}

static bool is_phone(request_rec *r)
{
    static const char *const phones[] = {"Android", "iPhone", "iPad"};
    const char *mobile = apr_table_get(r->headers_in, "Sec-CH-UA-Mobile");
    const char *agent = apr_table_get(r->headers_in, "User-Agent");

    if (mobile != NULL && strcmp(mobile, "?1") == 0) {
        return true;
    }
    for (size_t i = 0; agent != NULL && i < sizeof(phones) / sizeof(phones[0]); i++) {
        if (strstr(agent, phones[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* What else the query says, which the web app reads. It stays as it is: clients of Rocket.Chat
 * append names without encoding them. */
static const char *other_parameters(request_rec *r)
{
    const size_t size = (r->args != NULL ? strlen(r->args) : 0) + 2;
    pxr_buf_t rest;

    pxr_buf_init(&rest, apr_palloc(r->pool, size), size);
    for (const char *at = r->args; at != NULL && *at != '\0';) {
        size_t len = strcspn(at, "&");
        if (len > 0 && strncmp(at, "conference=", 11) != 0) {
            pxr_buf_puts(&rest, rest.len == 0 ? "?" : "&");
            pxr_buf_put(&rest, at, len);
        }
        at += len + (at[len] == '&');
    }
    return rest.data;
}

static int lead(request_rec *r, const pxr_call_t *call, pxr_schedule_link_t link, const char *alias,
                const char *rest)
{
    const pxr_schedule_t where = pxr_schedule_of(call->workspace);
    char *url = apr_palloc(r->pool, PXR_SCHEDULED_LINK_SIZE);
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, PXR_SCHEDULED_LINK_SIZE);
    pxr_schedule_put_link(&buf, &where, link, alias);
    apr_table_setn(r->headers_out, "Location", apr_pstrcat(r->pool, url, rest, NULL));
    return pxr_reply_empty(r, HTTP_MOVED_TEMPORARILY);
}

/* Rocket.Chat's client for phones cannot be relied on to open such links. */
static pxr_schedule_link_t best_link(request_rec *r)
{
    if (pxr_has_argument(r, "web")) {
        return PXR_SCHEDULE_WEBAPP;
    }
    if (pxr_has_argument(r, "app")) {
        return PXR_SCHEDULE_GO;
    }
    apr_table_mergen(r->headers_out, "Vary", VARIES);
    return is_phone(r) ? PXR_SCHEDULE_WEBAPP : PXR_SCHEDULE_GO;
}

int pxr_handle_go(request_rec *r, const pxr_call_t *call)
{
    const char *path = raw_path(r);
    const char *alias;

    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    alias = alias_of_path(r, path);
    if (alias != NULL) {
        return lead(r, call, best_link(r), alias, "");
    }
    alias = follows(path, path + strlen(path), "conference") ? alias_of_query(r) : NULL;
    return alias != NULL
               ? lead(r, call, PXR_SCHEDULE_WEBAPP, alias, other_parameters(r))
               : pxr_reply_page(r, HTTP_NOT_FOUND, "There is no such meeting",
                                "This link leads to no meeting. Perhaps it was not copied "
                                "completely.",
                                0);
}
