#include "metrics.h"
#include "status.h"

#include <apr_strings.h>

/* Nodes that have samples of their own, those heard of last; the others are only counted. */
#define NODES_SHOWN 64
/* A node that hosts a meeting speaks of it now and then, if only because somebody mutes himself. */
#define NODE_SILENCE (3600 * PXR_SECOND)

static const char *const seen_names[PXR_SEENS] = {
    [PXR_SEEN_POLICY] = "policy",     [PXR_SEEN_ADMITTED] = "admitted",
    [PXR_SEEN_EVENTS] = "events",     [PXR_SEEN_WEBHOOK] = "webhook",
    [PXR_SEEN_CREATION] = "creation", [PXR_SEEN_JOIN] = "join",
    [PXR_SEEN_CALLBACK] = "callback", [PXR_SEEN_CHAT] = "chat",
};

/* Counters that are one family, told apart by a label. */
typedef struct {
    pxr_counter_t counter;
    const char *value;
} labelled_t;

static void put_counters(pxr_metrics_t *m, const pxr_status_page_t *page, const char *label,
                         const labelled_t *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pxr_metrics_put(m, label, all[i].value, page->counters[all[i].counter]);
    }
}

static void put_policy(pxr_metrics_t *m, const pxr_call_t *call, const pxr_status_page_t *page)
{
    static const labelled_t results[] = {{PXR_COUNT_POLICY_CONTINUE, "continue"},
                                         {PXR_COUNT_POLICY_REJECT, "reject"},
                                         {PXR_COUNT_POLICY_UNKNOWN, "unknown"},
                                         {PXR_COUNT_POLICY_FALLBACK, "fallback"}};
    pxr_latency_t latency;

    pxr_metrics_family(m, PXR_COUNTER, "policy_answers_total",
                       "Answers to policy requests: continue and reject are about meetings of "
                       "ours, fallback came from another policy server.");
    put_counters(m, page, "result", results, sizeof(results) / sizeof(results[0]));
    pxr_store_latency(call->store, call->workspace->number, &latency);
    pxr_metrics_family(m, PXR_HISTOGRAM, "policy_duration_seconds",
                       "From the arrival of a policy request, authentication included, until its "
                       "answer was made.");
    pxr_metrics_put_latency(m, &latency);
}

static void put_events(pxr_metrics_t *m, const pxr_call_t *call, const pxr_status_page_t *page)
{
    static const labelled_t reasons[] = {{PXR_COUNT_EVENTS_FOREIGN, "foreign"},
                                         {PXR_COUNT_EVENTS_UNUSABLE, "unusable"},
                                         {PXR_COUNT_EVENTS_DROPPED, "dropped"}};
    uint32_t workspace = call->workspace->number;
    pxr_time_t admitted = pxr_store_seen_at(call->store, workspace, PXR_SEEN_ADMITTED);
    pxr_time_t event = pxr_store_seen_at(call->store, workspace, PXR_SEEN_EVENTS);
    bool overdue = pxr_seen_is_silent(admitted, event, page->now);

    pxr_metrics_family(m, PXR_COUNTER, "events_total", "Events that were understood, by kind.");
    for (int kind = 0; kind < PXR_EVENT_KINDS; kind++) {
        pxr_metrics_put(m, "kind", pxr_event_kind_name((pxr_event_kind_t)kind),
                        pxr_store_event_count(call->store, workspace, (pxr_event_kind_t)kind));
    }
    pxr_metrics_family(m, PXR_COUNTER, "events_not_taken_total",
                       "Events about none of our meetings (foreign), that could not be understood "
                       "(unusable), or for which the table was full (dropped).");
    put_counters(m, page, "reason", reasons, sizeof(reasons) / sizeof(reasons[0]));
    pxr_metrics_one(m, PXR_GAUGE, "events_overdue",
                    "1 while no event has come for a minute since a node let somebody in.",
                    overdue);
    pxr_metrics_one(m, PXR_COUNTER, "event_log_lost_total",
                    "Lines of the event log that could not be written.",
                    page->counters[PXR_COUNT_EVENT_LOG_LOST]);
}

static void put_seen(pxr_metrics_t *m, const pxr_call_t *call)
{
    pxr_metrics_family(m, PXR_GAUGE, "last_seen_timestamp_seconds",
                       "When a part was last seen working, 0: never.");
    for (int what = 0; what < PXR_SEENS; what++) {
        pxr_metrics_put_time(
            m, "part", seen_names[what],
            pxr_store_seen_at(call->store, call->workspace->number, (pxr_seen_t)what));
    }
}

static int compare_nodes(const void *a, const void *b)
{
    const pxr_node_t *left = a;
    const pxr_node_t *right = b;

    return strcmp(left->node, right->node);
}

static int compare_times(const void *a, const void *b)
{
    pxr_time_t left = ((const pxr_node_t *)a)->publisher.last_at;
    pxr_time_t right = ((const pxr_node_t *)b)->publisher.last_at;

    return (left < right) - (left > right);
}

/* Nodes by their address, whichever account they use. What does not look like one could be
 * anything. */
static size_t distinct_nodes(pxr_node_t *nodes, size_t count)
{
    size_t kept = 0;

    qsort(nodes, count, sizeof(*nodes), compare_nodes);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].node[strspn(nodes[i].node, "0123456789abcdefABCDEF.:")] != '\0') {
            continue;
        }
        if (kept == 0 || strcmp(nodes[kept - 1].node, nodes[i].node) != 0) {
            nodes[kept++] = nodes[i];
            continue;
        }
        nodes[kept - 1].publisher.missing += nodes[i].publisher.missing;
        if (nodes[kept - 1].publisher.last_at < nodes[i].publisher.last_at) {
            nodes[kept - 1].publisher.last_at = nodes[i].publisher.last_at;
        }
    }
    qsort(nodes, kept, sizeof(*nodes), compare_times);
    return kept;
}

static void put_nodes(pxr_metrics_t *m, const pxr_call_t *call, pxr_time_t now)
{
    pxr_node_t *nodes = apr_palloc(m->pool, PXR_PUBLISHERS_MAX * sizeof(*nodes));
    uint32_t workspace = call->workspace->number;
    size_t found = pxr_store_nodes(call->store, workspace, nodes, PXR_PUBLISHERS_MAX);
    size_t count = distinct_nodes(nodes, found < PXR_PUBLISHERS_MAX ? found : PXR_PUBLISHERS_MAX);
    size_t shown = count < NODES_SHOWN ? count : NODES_SHOWN;

    pxr_metrics_one(m, PXR_GAUGE, "nodes", "Conferencing Nodes that have sent events.", count);
    pxr_metrics_one(m, PXR_GAUGE, "nodes_silent",
                    "Of those, nodes that host a meeting and have sent nothing for an hour.",
                    pxr_store_silent_nodes(call->store, workspace, now - NODE_SILENCE));
    pxr_metrics_family(m, PXR_GAUGE, "node_last_event_timestamp_seconds",
                       "When a node's last event came.");
    for (size_t i = 0; i < shown; i++) {
        pxr_metrics_put_time(m, "node", nodes[i].node, nodes[i].publisher.last_at);
    }
    pxr_metrics_family(m, PXR_GAUGE, "node_events_missing",
                       "Events of a node that did not arrive since its event sink started.");
    for (size_t i = 0; i < shown; i++) {
        pxr_metrics_put(m, "node", nodes[i].node, nodes[i].publisher.missing);
    }
}

static void put_meetings(pxr_metrics_t *m, const pxr_status_page_t *page)
{
    static const labelled_t reasons[] = {{PXR_COUNT_REFUSED_FULL, "full"},
                                         {PXR_COUNT_REFUSED_DATABASE, "database"}};

    pxr_metrics_family(m, PXR_GAUGE, "meetings",
                       "Meetings in memory: open and empty, live, or ended lately.");
    pxr_metrics_put(m, "state", "open", page->numbers.open);
    pxr_metrics_put(m, "state", "live", page->numbers.live);
    pxr_metrics_put(m, "state", "ended", page->numbers.ended);
    pxr_metrics_one(m, PXR_GAUGE, "participants", "People who are in live meetings.",
                    page->numbers.present);
    pxr_metrics_one(m, PXR_COUNTER, "meetings_created_total", "Meetings that were created.",
                    page->counters[PXR_COUNT_CREATED]);
    pxr_metrics_family(m, PXR_COUNTER, "meetings_refused_total",
                       "Meetings that could not be created.");
    put_counters(m, page, "reason", reasons, sizeof(reasons) / sizeof(reasons[0]));
    pxr_metrics_one(m, PXR_COUNTER, "joins_total",
                    "Visitors that a join link has led to their meeting.",
                    page->counters[PXR_COUNT_JOINS]);
}

static void put_deliveries(pxr_metrics_t *m, const pxr_call_t *call, pxr_time_t now)
{
    pxr_backlog_t backlog;

    pxr_store_backlog(call->store, call->workspace->number, &backlog);
    pxr_metrics_family(m, PXR_GAUGE, "deliveries",
                       "What is to be told to Rocket.Chat and waits or has failed.");
    for (int i = 0; i < PXR_TASKS; i++) {
        const char *kind = pxr_task_kind_name((pxr_task_kind_t)i);
        pxr_metrics_put2(m, "kind", kind, "state", "waiting", backlog.waiting[i]);
        pxr_metrics_put2(m, "kind", kind, "state", "failed", backlog.failed[i]);
    }
    pxr_metrics_one_time(m, "delivery_oldest_age_seconds",
                         "How long one of those that wait has waited without any change, 0: none "
                         "waits.",
                         backlog.oldest != 0 && backlog.oldest < now ? now - backlog.oldest : 0);
}

static void put_rocketchat(pxr_metrics_t *m, const pxr_chat_page_t *chat)
{
    pxr_metrics_one(m, PXR_GAUGE, "rocketchat_configured", "1 where messages are posted at all.",
                    chat->posts);
    pxr_metrics_one(m, PXR_GAUGE, "rocketchat_paused",
                    "1 while Rocket.Chat does not accept our user and token.", chat->paused);
    pxr_metrics_one(m, PXR_GAUGE, "rocketchat_failing",
                    "1 while Rocket.Chat has done nothing since it last failed.",
                    chat->health.failing != 0);
    pxr_metrics_one_time(m, "rocketchat_last_success_timestamp_seconds",
                         "When Rocket.Chat last did what it was asked, 0: never.",
                         chat->health.ok_at);
}

/* One number of each server that is asked while somebody waits. */
static void put_servers(pxr_metrics_t *m, const pxr_outside_page_t *outside,
                        uint64_t (*number)(const pxr_target_t *target))
{
    pxr_metrics_put(m, "server", "rocketchat", number(&outside->sessions.target));
    for (size_t i = 0; i < outside->fallback_count; i++) {
        pxr_metrics_put(m, "server", apr_psprintf(m->pool, "fallback_%" APR_SIZE_T_FMT, i + 1),
                        number(&outside->fallbacks[i].target));
    }
}

static uint64_t asked(const pxr_target_t *target)
{
    return target->asked;
}

static uint64_t failed(const pxr_target_t *target)
{
    return target->failed;
}

static uint64_t spared(const pxr_target_t *target)
{
    return target->spared;
}

static void put_outside(pxr_metrics_t *m, const pxr_status_page_t *page)
{
    pxr_metrics_family(m, PXR_COUNTER, "outside_requests_total",
                       "Requests to other servers while somebody waited, by server: Rocket.Chat's "
                       "sessions, and other policy servers in their order.");
    put_servers(m, page->outside, asked);
    pxr_metrics_family(m, PXR_COUNTER, "outside_failures_total", "Of those, requests that failed.");
    put_servers(m, page->outside, failed);
    pxr_metrics_family(m, PXR_COUNTER, "outside_spared_total",
                       "Requests that were not made, because the server had failed too often.");
    put_servers(m, page->outside, spared);
    pxr_metrics_one(m, PXR_COUNTER, "outside_crowded_total",
                    "Requests that were not made, because too many workers waited already.",
                    page->counters[PXR_COUNT_OUTSIDE_CROWDED]);
}

static void put_workers(pxr_metrics_t *m, const pxr_call_t *call, const pxr_outside_page_t *outside)
{
    pxr_metrics_family(m, PXR_GAUGE, "waiting_workers",
                       "Workers that wait for other servers, and threads that read the history.");
    pxr_metrics_put(m, "for", "outside", pxr_store_places_taken(call->store, PXR_PLACE_OUTSIDE));
    pxr_metrics_put(m, "for", "history", pxr_store_places_taken(call->store, PXR_PLACE_HISTORY));
    pxr_metrics_family(m, PXR_GAUGE, "waiting_workers_limit", "How many of them there may be.");
    pxr_metrics_put(m, "for", "outside", outside->workers);
    pxr_metrics_put(m, "for", "history", pxr_store_places(PXR_PLACE_HISTORY));
}

static void put_memory(pxr_metrics_t *m, const pxr_store_health_t *health)
{
    const struct {
        const char *name;
        const pxr_fill_t *fill;
    } tables[] = {
        {"meetings", &health->meetings}, {"meeting_records", &health->slots},
        {"names", &health->names},       {"text_blocks", &health->blocks},
        {"call_legs", &health->legs},    {"node_shares", &health->shares},
        {"nodes", &health->publishers},
    };
    const size_t count = sizeof(tables) / sizeof(tables[0]);

    pxr_metrics_family(m, PXR_GAUGE, "table_used", "Records in use of a table in memory.");
    for (size_t i = 0; i < count; i++) {
        pxr_metrics_put(m, "table", tables[i].name, tables[i].fill->used);
    }
    pxr_metrics_family(m, PXR_GAUGE, "table_size", "Records that the table has.");
    for (size_t i = 0; i < count; i++) {
        pxr_metrics_put(m, "table", tables[i].name, tables[i].fill->size);
    }
    pxr_metrics_one(m, PXR_COUNTER, "memory_repairs_total",
                    "Processes that died while they changed the memory; nothing was lost.",
                    health->repairs);
    pxr_metrics_one(m, PXR_COUNTER, "memory_resets_total",
                    "Times the memory had to be emptied and filled from the database.",
                    health->resets);
    pxr_metrics_one(m, PXR_COUNTER, "memory_lost_records_total",
                    "Records that were given up before the database had them.", health->lost);
    pxr_metrics_one_time(m, "background_timestamp_seconds",
                         "When the work in the background was last done.", health->ticked_at);
}

/* What has been changed longer ago than this is in the database. */
static int64_t lag_of(const pxr_call_t *call, const pxr_database_page_t *database, pxr_time_t now)
{
    pxr_keep_health_t health;
    pxr_time_t since;

    pxr_store_keep_health(call->store, &health);
    since = health.written_at != 0 ? health.written_at : health.since;
    return database->unwritten > 0 && since < now ? now - since : 0;
}

static void put_database(pxr_metrics_t *m, const pxr_call_t *call, const pxr_status_page_t *page)
{
    const pxr_database_page_t *database = page->database;

    pxr_metrics_one(m, PXR_GAUGE, "database_ok",
                    "1 while the database does its work, or none is wanted.", database->good);
    pxr_metrics_one_time(m, "database_lag_seconds",
                         "How old what is not yet written may be, 0: everything is written.",
                         lag_of(call, database, page->now));
    pxr_metrics_one(m, PXR_GAUGE, "database_unwritten_records",
                    "Changed records that are in memory only.", database->unwritten);
    pxr_metrics_one_time(m, "database_last_commit_timestamp_seconds",
                         "When the database was last written, 0: not yet.",
                         database->last_commit_at);
    pxr_metrics_one(m, PXR_GAUGE, "database_refused_records",
                    "Records that the database does not take.", database->refused);
    pxr_metrics_one(m, PXR_GAUGE, "database_not_loaded_meetings",
                    "Meetings of the database for which there is no room in memory.",
                    database->not_loaded);
    pxr_metrics_one_time(m, "database_clock_ahead_seconds",
                         "The database's clock before this machine's.", database->clock_ahead);
    pxr_metrics_one(m, PXR_GAUGE, "machines",
                    "Machines that share the database and are alive, 0: not known.",
                    database->machines);
    pxr_metrics_one(m, PXR_GAUGE, "delivers",
                    "1 where this machine is the one that tells Rocket.Chat.",
                    page->chat->delivers);
}

static void put_server(pxr_metrics_t *m, const pxr_call_t *call, const pxr_status_page_t *page)
{
    pxr_metrics_family(m, PXR_GAUGE, "build_info", "Version of the module; always 1.");
    pxr_metrics_put(m, "version", PXR_VERSION, 1);
    pxr_metrics_one_time(m, "start_time_seconds", "When httpd was started.", page->started_at);
    put_workers(m, call, page->outside);
    put_memory(m, &page->health);
    put_database(m, call, page);
}

static void put_workspace(pxr_metrics_t *m, const pxr_call_t *call, const pxr_status_page_t *page)
{
    m->workspace = pxr_metrics_escape(m->pool, call->workspace->site_url);
    put_policy(m, call, page);
    put_events(m, call, page);
    put_seen(m, call);
    put_nodes(m, call, page->now);
    put_meetings(m, page);
    put_deliveries(m, call, page->now);
    put_rocketchat(m, page->chat);
    put_outside(m, page);
}

int pxr_handle_metrics(request_rec *r, const pxr_call_t *call)
{
    pxr_metrics_t m = {.pool = r->pool};
    pxr_status_page_t page;
    apr_size_t len;
    char *text;

    if (!pxr_ends_at_marker(call)) {
        return HTTP_NOT_FOUND;
    }
    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    pxr_status_fill(r, call, &page);
    m.text = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    put_server(&m, call, &page);
    put_workspace(&m, call, &page);
    if (apr_brigade_pflatten(m.text, &text, &len, r->pool) != APR_SUCCESS) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_reply(r, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, len);
}
