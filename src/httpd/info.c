#include "pxr_httpd.h"

#include <apr_strings.h>

/* What stands between the scheme and the port of a URL. */
static const char *host_of(apr_pool_t *p, const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

    return apr_pstrmemdup(p, host, len);
}

void pxr_fill_info(apr_pool_t *p, const pxr_workspace_t *w, const pxr_view_t *view, bool host,
                   pxr_info_t *info)
{
    const char *dialled = view->number[0] != '\0' ? view->number : view->id;

    *info = (pxr_info_t){
        .title = view->details.text[PXR_TITLE],
        .address = apr_pstrcat(p, dialled, "@", host_of(p, w->base_url), NULL),
        .alias = view->id,
        .numeric_alias = view->number,
        .guest_pin = view->guest_pin,
        .host_pin = host ? view->host_pin : NULL,
    };
}
