#include "status.h"

#include <apr_strings.h>

#define NODES_SHOWN 256
/* More meetings than these are not worth a number. */
#define COUNTED 10000
/* A leader that has not worked for so long does not work. */
#define LEADER_SILENCE (5 * PXR_SECOND)

static const char *const states[] = {
    [PXR_KEEPER_NONE] = "none",       [PXR_KEEPER_STARTING] = "starting",
    [PXR_KEEPER_OK] = "ok",           [PXR_KEEPER_UNREACHABLE] = "unreachable",
    [PXR_KEEPER_HANGING] = "hanging", [PXR_KEEPER_NEWER] = "newer",
};

static void fill_database(apr_pool_t *pool, const pxr_call_t *call, pxr_time_t now,
                          pxr_database_page_t *page)
{
    pxr_keep_health_t *health = apr_palloc(pool, sizeof(*health));
    pxr_store_health_t store;
    pxr_keeper_state_t state = PXR_KEEPER_NONE;

    pxr_store_keep_health(call->store, health);
    pxr_store_health(call->store, &store);
    page->driver = pxr_database()->driver;
    if (pxr_store_kept(call->store) != PXR_KEEP_NOTHING) {
        state = pxr_keeper_state(health, now);
        page->error = health->busy_since != 0 && state == PXR_KEEPER_HANGING ? "it does not answer"
                                                                             : health->why;
        page->since = state == health->state ? health->since : health->busy_since;
        page->last_commit_at = health->commit_at;
        page->unwritten = pxr_store_unsaved(call->store);
        page->not_loaded = health->not_loaded;
        page->refused = health->refused;
        page->revision = health->revision;
        page->clock_ahead = health->clock_ahead;
        page->shared = pxr_store_kept(call->store) == PXR_KEEP_SHARED;
        page->machines = health->machines;
    } else {
        page->error = "";
    }
    page->lost = store.lost;
    page->state = states[state];
    page->good = state == PXR_KEEPER_OK || state == PXR_KEEPER_NONE;
}

static size_t count_meetings(request_rec *r, const pxr_call_t *call, pxr_task_state_t state)
{
    bool wanted[PXR_TASK_STATES] = {false};
    pxr_ref_t *refs = apr_palloc(r->pool, COUNTED * sizeof(*refs));

    wanted[state] = true;
    return pxr_store_tasks(call->store, call->workspace->number, wanted, refs, COUNTED);
}

static void fill_chat(request_rec *r, const pxr_call_t *call, pxr_time_t now, pxr_chat_page_t *page)
{
    page->posts =
        call->workspace->rest_user != NULL && pxr_store_kept(call->store) != PXR_KEEP_NOTHING;
    page->delivers = pxr_store_delivers(call->store);
    pxr_store_chat(call->store, call->workspace->number, &page->health);
    page->paused = page->health.paused_until > now;
    page->waiting = count_meetings(r, call, PXR_TASK_WAITING);
    page->failed = count_meetings(r, call, PXR_TASK_FAILED);
}

void pxr_status_fill(request_rec *r, const pxr_call_t *call, pxr_status_page_t *page)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_node_t *nodes = apr_palloc(r->pool, NODES_SHOWN * sizeof(*nodes));
    pxr_database_page_t *database = apr_pcalloc(r->pool, sizeof(*database));
    pxr_chat_page_t *chat = apr_pcalloc(r->pool, sizeof(*chat));
    pxr_outside_page_t *outside = apr_pcalloc(r->pool, sizeof(*outside));
    size_t count = pxr_store_nodes(call->store, w->number, nodes, NODES_SHOWN);

    memset(page, 0, sizeof(*page));
    page->version = PXR_VERSION;
    page->server = ap_get_server_banner();
    page->site_url = w->site_url;
    page->base_url = w->base_url;
    page->join_url = w->join_url;
    page->now = pxr_time_now();
    page->started_at = pxr_started_at();
    pxr_store_health(call->store, &page->health);
    fill_database(r->pool, call, page->now, database);
    page->database = database;
    fill_chat(r, call, page->now, chat);
    page->chat = chat;
    pxr_outside_fill(r->pool, call, outside);
    page->outside = outside;
    page->leader = page->health.ticked_at + LEADER_SILENCE > page->now;
    pxr_store_numbers(call->store, w->number, &page->numbers);
    for (int i = 0; i < PXR_COUNTERS; i++) {
        page->counters[i] = pxr_store_counter(call->store, w->number, (pxr_counter_t)i);
    }
    page->nodes = nodes;
    page->node_count = count < NODES_SHOWN ? count : NODES_SHOWN;
    page->event_log = pxr_event_log_state();
}

static int show_status(request_rec *r, const pxr_call_t *call)
{
    pxr_status_page_t page;

    if (!pxr_has_argument(r, "json")) {
        return pxr_status_page(r, call);
    }
    pxr_status_fill(r, call, &page);
    return pxr_reply_json(r, HTTP_OK, pxr_json_write_status(&page));
}

int pxr_handle_status(request_rec *r, const pxr_call_t *call)
{
    const char *rest = call->rest != NULL ? call->rest + strspn(call->rest, "/") : NULL;
    bool setup;

    if (rest == NULL || (rest[0] != '\0' && (rest == call->rest || strcmp(rest, "setup") != 0))) {
        return HTTP_NOT_FOUND;
    }
    setup = rest[0] != '\0';
    if (r->method_number == M_POST && !setup) {
        return pxr_status_act(r, call);
    }
    if (r->method_number != M_GET) {
        return pxr_reply_method(r, setup ? "GET, HEAD" : "GET, HEAD, POST");
    }
    return setup ? pxr_setup_page(r, call) : show_status(r, call);
}
