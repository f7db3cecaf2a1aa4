#include "pxr_httpd.h"

#include <apr_strings.h>

#define NODES_SHOWN 256
/* A leader that has not worked for so long does not work. */
#define LEADER_SILENCE (5 * PXR_SECOND)

static void fill_page(request_rec *r, const pxr_call_t *call, pxr_status_page_t *page)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_node_t *nodes = apr_palloc(r->pool, NODES_SHOWN * sizeof(*nodes));
    size_t count = pxr_store_nodes(call->store, w->number, nodes, NODES_SHOWN);

    page->version = PXR_VERSION;
    page->server = ap_get_server_banner();
    page->site_url = w->site_url;
    page->base_url = w->base_url;
    page->join_url = w->join_url;
    page->now = pxr_time_now();
    page->started_at = pxr_started_at();
    pxr_store_health(call->store, &page->health);
    page->leader = page->health.ticked_at + LEADER_SILENCE > page->now;
    pxr_store_numbers(call->store, w->number, &page->numbers);
    for (int i = 0; i < PXR_COUNTERS; i++) {
        page->counters[i] = pxr_store_counter(call->store, w->number, (pxr_counter_t)i);
    }
    page->nodes = nodes;
    page->node_count = count < NODES_SHOWN ? count : NODES_SHOWN;
}

int pxr_handle_status(request_rec *r, const pxr_call_t *call)
{
    pxr_status_page_t page;

    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    if (call->rest == NULL || call->rest[strspn(call->rest, "/")] != '\0') {
        return HTTP_NOT_FOUND;
    }
    memset(&page, 0, sizeof(page));
    fill_page(r, call, &page);
    return pxr_reply_json(r, HTTP_OK, pxr_json_write_status(&page));
}
