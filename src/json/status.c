#include "json_internal.h"

/* How it goes, for programs that watch: status?json. */

static void set_fill(json_t *json, const char *name, const pxr_fill_t *fill)
{
    json_object_set_new(
        json, name,
        json_pack("{s:I, s:I}", "used", (json_int_t)fill->used, "size", (json_int_t)fill->size));
}

static json_t *node_status(const pxr_node_t *node)
{
    const pxr_publisher_t *p = &node->publisher;
    json_t *json = json_object();

    json_object_set_new(json, "address", pxr_json_text(node->node));
    json_object_set_new(json, "user", pxr_json_text(node->user));
    json_object_set_new(json, "last_event_at", pxr_json_time(p->last_at));
    json_object_set_new(json, "running_since", pxr_json_time(p->run));
    json_object_set_new(json, "events", json_integer((json_int_t)p->events));
    json_object_set_new(json, "duplicates", json_integer((json_int_t)p->duplicates));
    json_object_set_new(json, "missing", json_integer((json_int_t)p->missing));
    return json;
}

static json_t *all_nodes(const pxr_status_page_t *page)
{
    json_t *list = json_array();

    for (size_t i = 0; i < page->node_count; i++) {
        json_array_append_new(list, node_status(&page->nodes[i]));
    }
    return list;
}

static json_t *meetings_status(const pxr_workspace_numbers_t *numbers)
{
    json_t *json = json_object();

    json_object_set_new(json, "open", json_integer(numbers->open));
    json_object_set_new(json, "live", json_integer(numbers->live));
    json_object_set_new(json, "ended", json_integer(numbers->ended));
    json_object_set_new(json, "present", json_integer(numbers->present));
    return json;
}

static json_t *all_counters(const uint64_t counters[PXR_COUNTERS])
{
    json_t *json = json_object();

    for (int i = 0; i < PXR_COUNTERS; i++) {
        json_object_set_new(json, pxr_counter_name((pxr_counter_t)i),
                            json_integer((json_int_t)counters[i]));
    }
    return json;
}

static json_t *all_tables(const pxr_store_health_t *health)
{
    json_t *json = json_object();

    set_fill(json, "meetings", &health->meetings);
    set_fill(json, "slots", &health->slots);
    set_fill(json, "names", &health->names);
    set_fill(json, "blocks", &health->blocks);
    set_fill(json, "participants", &health->legs);
    set_fill(json, "shares", &health->shares);
    set_fill(json, "publishers", &health->publishers);
    return json;
}

static json_t *database_status(const pxr_database_page_t *page)
{
    json_t *json = json_object();

    json_object_set_new(json, "driver", json_string(page->driver));
    json_object_set_new(json, "state", json_string(page->state));
    json_object_set_new(json, "since", pxr_json_time(page->since));
    if (page->error[0] != '\0') {
        json_object_set_new(json, "error", json_string(page->error));
    }
    json_object_set_new(json, "last_commit_at", pxr_json_time(page->last_commit_at));
    json_object_set_new(json, "unwritten", json_integer(page->unwritten));
    json_object_set_new(json, "not_loaded", json_integer(page->not_loaded));
    json_object_set_new(json, "refused", json_integer(page->refused));
    json_object_set_new(json, "lost", json_integer((json_int_t)page->lost));
    json_object_set_new(json, "revision", json_integer(page->revision));
    if (page->shared) {
        json_object_set_new(json, "machines", json_integer(page->machines));
        json_object_set_new(json, "clock_ahead_seconds",
                            json_integer(page->clock_ahead / PXR_SECOND));
    }
    return json;
}

static json_t *server_status(const pxr_outside_server_t *server)
{
    const pxr_target_t *target = &server->target;
    json_t *json = json_object();

    json_object_set_new(json, "url", json_string(server->url));
    json_object_set_new(json, "state",
                        json_string(target->open            ? "resting"
                                    : target->failures != 0 ? "failing"
                                    : target->asked == 0    ? "not asked yet"
                                                            : "ok"));
    json_object_set_new(json, "asked", json_integer((json_int_t)target->asked));
    json_object_set_new(json, "failed", json_integer((json_int_t)target->failed));
    json_object_set_new(json, "spared", json_integer((json_int_t)target->spared));
    json_object_set_new(json, "answered_at", pxr_json_time(target->answered_at));
    json_object_set_new(json, "failed_at", pxr_json_time(target->failed_at));
    if (target->why[0] != '\0') {
        json_object_set_new(json, "error", json_string(target->why));
    }
    return json;
}

static json_t *chat_status(const pxr_chat_page_t *page)
{
    const pxr_chat_health_t *health = &page->health;
    json_t *json = json_object();

    json_object_set_new(json, "state",
                        json_string(!page->posts           ? "none"
                                    : page->paused         ? "paused"
                                    : health->failing != 0 ? "failing"
                                    : health->ok_at == 0   ? "not asked yet"
                                                           : "ok"));
    json_object_set_new(json, "delivers_here", json_boolean(page->delivers));
    json_object_set_new(json, "ok_at", pxr_json_time(health->ok_at));
    json_object_set_new(json, "failed_at", pxr_json_time(health->failed_at));
    if (page->paused) {
        json_object_set_new(json, "paused_until", pxr_json_time(health->paused_until));
    }
    if (health->failing != 0) {
        json_object_set_new(json, "error", json_string(health->why));
        json_object_set_new(json, "http_status", json_integer(health->http));
    }
    json_object_set_new(json, "waiting", json_integer((json_int_t)page->waiting));
    json_object_set_new(json, "failed", json_integer((json_int_t)page->failed));
    return json;
}

static json_t *outside_status(const pxr_outside_page_t *page)
{
    json_t *json = json_object();
    json_t *list = json_array();

    json_object_set_new(json, "workers", json_integer(page->workers));
    json_object_set_new(json, "sessions", server_status(&page->sessions));
    for (size_t i = 0; i < page->fallback_count; i++) {
        json_array_append_new(list, server_status(&page->fallbacks[i]));
    }
    json_object_set_new(json, "fallbacks", list);
    return json;
}

/* `ok` means: calls can be started and joined, and meetings end. */
static const char *overall(const pxr_status_page_t *page)
{
    if (!page->leader || !page->database->good) {
        return "degraded";
    }
    return page->health.meetings.used >= page->health.meetings.size ? "full" : "ok";
}

char *pxr_json_write_status(const pxr_status_page_t *page)
{
    json_t *json = json_object();

    json_object_set_new(json, "status", json_string(overall(page)));
    json_object_set_new(json, "version", json_string(page->version));
    json_object_set_new(json, "server", json_string(page->server));
    json_object_set_new(json, "now", pxr_json_time(page->now));
    json_object_set_new(json, "running_since", pxr_json_time(page->started_at));
    json_object_set_new(json, "site_url", json_string(page->site_url));
    json_object_set_new(json, "base_url", json_string(page->base_url));
    json_object_set_new(json, "join_url", json_string(page->join_url));
    json_object_set_new(json, "meetings", meetings_status(&page->numbers));
    json_object_set_new(json, "database", database_status(page->database));
    json_object_set_new(json, "outside", outside_status(page->outside));
    json_object_set_new(json, "rocketchat", chat_status(page->chat));
    json_object_set_new(json, "nodes", all_nodes(page));
    json_object_set_new(json, "counters", all_counters(page->counters));
    json_object_set_new(json, "event_log", json_string(page->event_log));
    json_object_set_new(json, "tables", all_tables(&page->health));
    json_object_set_new(json, "repairs", json_integer((json_int_t)page->health.repairs));
    json_object_set_new(json, "resets", json_integer((json_int_t)page->health.resets));
    return pxr_json_dump(json);
}
