#include "pxr_httpd.h"

#include <ap_mpm.h>
#include <apr_strings.h>

/* Of this process; the configuration is the same in all of a generation. */
static uint32_t share = 1;

static const struct {
    const char *directive;
    const char *prefix; /* one server may be asked for both */
    const char *sentence;
} kinds[] = {
    [PXR_OUTSIDE_SESSION] = {PXR_D_REST_URL, "session ",
                             "Rocket.Chat does not tell who somebody is"},
    [PXR_OUTSIDE_POLICY] = {PXR_D_FALLBACK, "policy ", "it has no answer that can be used"},
};

void pxr_outside_child_init(void)
{
    int processes = 1;
    int threads = 1;
    uint32_t places = pxr_store_places(PXR_PLACE_OUTSIDE);

    /* Where it does not work every request ends at once with a sentence about it. */
    (void)pxr_rest_init();
    if (ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes) != APR_SUCCESS || processes < 1) {
        processes = 1;
    }
    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS || threads < 1) {
        threads = 1;
    }
    share = (uint32_t)processes * (uint32_t)threads / PXR_OUTSIDE_SHARE;
    share = share < 1 ? 1 : share > places ? places : share;
}

uint32_t pxr_outside_share(void)
{
    return share;
}

int pxr_outside_enter(const pxr_call_t *call, pxr_outside_for_t whom)
{
    uint32_t most = whom == PXR_FOR_STRANGERS ? (share + 1) / 2 : share;
    int place = pxr_store_place_enter(call->store, PXR_PLACE_OUTSIDE, most, 0);

    if (place < 0) {
        pxr_store_count(call->store, call->workspace->number, PXR_COUNT_OUTSIDE_CROWDED, 1);
    }
    return place;
}

void pxr_outside_leave(const pxr_call_t *call, int place)
{
    pxr_store_place_leave(call->store, PXR_PLACE_OUTSIDE, place);
}

const char *pxr_outside_name(apr_pool_t *p, pxr_outside_t what, const char *url)
{
    return apr_pstrcat(p, kinds[what].prefix, url, NULL);
}

/* What strangers dial, send as cookies, or keep in their profiles must not make a server rest that
 * does not take it, or tells too much of it. */
static bool is_about_request(pxr_outside_t what, const pxr_rest_result_t *result)
{
    bool much = what == PXR_OUTSIDE_SESSION && result->too_large;
    int status = result->outcome == PXR_REST_ANSWERED ? result->status : 0;

    return much || status == HTTP_BAD_REQUEST || status == HTTP_REQUEST_ENTITY_TOO_LARGE ||
           status == HTTP_REQUEST_URI_TOO_LARGE || status == HTTP_UNPROCESSABLE_ENTITY ||
           status == HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
}

void pxr_outside_tell(request_rec *r, const pxr_call_t *call, pxr_outside_t what, const char *url,
                      const pxr_rest_result_t *result, const char *why)
{
    const char *name = pxr_outside_name(r->pool, what, url);

    pxr_store_target_tell(call->store, name, is_about_request(what, result) ? NULL : why);
    if (why != NULL && pxr_store_target_may_tell(call->store, name)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "PXR1037: %s: %s: %s: %s",
                      kinds[what].directive, url, kinds[what].sentence, why);
    }
}

static void fill_server(apr_pool_t *p, const pxr_call_t *call, pxr_outside_t what, const char *url,
                        pxr_outside_server_t *out)
{
    out->url = url;
    pxr_store_target_state(call->store, pxr_outside_name(p, what, url), &out->target);
}

void pxr_outside_fill(apr_pool_t *p, const pxr_call_t *call, pxr_outside_page_t *page)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_outside_server_t *all = apr_pcalloc(p, PXR_FALLBACKS_MAX * sizeof(*all));

    page->workers = share;
    fill_server(p, call, PXR_OUTSIDE_SESSION, w->rest_url, &page->sessions);
    for (size_t i = 0; i < w->fallback_count; i++) {
        fill_server(p, call, PXR_OUTSIDE_POLICY, w->fallbacks[i].url, &all[i]);
    }
    page->fallbacks = all;
    page->fallback_count = w->fallback_count;
}
