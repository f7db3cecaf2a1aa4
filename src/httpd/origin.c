#include "pxr_httpd.h"

/* Who ends TLS in front of us makes the scheme look worse than it is, never better. */
bool pxr_origin_is_own(request_rec *r, const pxr_workspace_t *w, const char *origin)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    bool secure = strncmp(origin, "https://", 8) == 0;

    if (strcmp(origin, w->site_url) == 0) {
        return true;
    }
    if (host == NULL || (!secure && (strncmp(origin, "http://", 7) != 0 ||
                                     strcmp(ap_http_scheme(r), "https") == 0))) {
        return false;
    }
    return strcasecmp(origin + (secure ? 8 : 7), host) == 0;
}

bool pxr_origin_is_foreign(request_rec *r, const pxr_workspace_t *w)
{
    const char *fetch = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (fetch != NULL) {
        return strcmp(fetch, "same-origin") != 0 && strcmp(fetch, "none") != 0;
    }
    return origin != NULL && !pxr_origin_is_own(r, w, origin);
}
