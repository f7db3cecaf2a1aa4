#include <stdlib.h>
#include <string.h>

#include "json_internal.h"
#include "pxr_alias.h"

static json_t *flag(bool value)
{
    return json_boolean(value);
}

static json_t *people(const pxr_view_t *view)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->people_count; i++) {
        const pxr_person_t *person = &view->people[i];
        json_t *entry = json_object();
        json_object_set_new(entry, "id", json_string(person->id));
        json_object_set_new(entry, "name", json_string(person->name));
        json_object_set_new(entry, "role", json_string(pxr_role_name(person->role)));
        json_object_set_new(entry, "protocol", pxr_json_text(person->protocol));
        json_object_set_new(entry, "connected_at", pxr_json_time(person->connected_at));
        json_object_set_new(entry, "quality", json_string(pxr_quality_name(person->quality)));
        json_array_append_new(list, entry);
    }
    return list;
}

/* One line for each node, also where it hosts breakout rooms: it has left when all have ended. */
static json_t *nodes(const pxr_view_t *view)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->node_count; i++) {
        const pxr_share_t *share = &view->nodes[i];
        pxr_time_t last = share->last_at;
        bool ended = !share->open;
        bool first = true;
        json_t *entry;
        for (size_t j = 0; j < view->node_count; j++) {
            if (j != i && strcmp(view->nodes[j].node, share->node) == 0) {
                first = first && j > i;
                ended = ended && !view->nodes[j].open;
                last = view->nodes[j].last_at > last ? view->nodes[j].last_at : last;
            }
        }
        if (!first) {
            continue;
        }
        entry = json_object();
        json_object_set_new(entry, "address", pxr_json_text(share->node));
        json_object_set_new(entry, "last_event_at", pxr_json_time(last));
        json_object_set_new(entry, "ended", flag(ended));
        json_array_append_new(list, entry);
    }
    return list;
}

/* What else can be dialled: ids of further calls, and the name of the room. */
static json_t *aliases(const pxr_view_t *view)
{
    json_t *list = json_array();
    const char *at = view->calls;
    char id[PXR_MEETING_ID_MAX + 1];

    while (pxr_meeting_id_next(&at, id)) {
        json_array_append_new(list, json_string(id));
    }
    if (view->called[0] != '\0') {
        json_array_append_new(list, json_string(view->called));
    }
    return list;
}

static json_t *meeting(const pxr_view_t *view, const char *join_url, bool whole)
{
    const pxr_meeting_t *life = &view->life;
    json_t *json = json_object();
    char url[PXR_KEY_MAX + 2048];
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, sizeof(url));
    pxr_buf_puts(&buf, join_url);
    pxr_buf_puts(&buf, view->join_key);
    json_object_set_new(json, "id", json_string(view->id));
    json_object_set_new(json, "title", pxr_json_text(view->details.text[PXR_TITLE]));
    json_object_set_new(json, "state", json_string(pxr_meeting_state_name(life->state)));
    json_object_set_new(json, "closed", flag(life->closed));
    json_object_set_new(json, "inferred", flag(life->inferred));
    json_object_set_new(json, "numeric_alias", pxr_json_text(view->number));
    json_object_set_new(json, "aliases", aliases(view));
    pxr_json_set_details(json, &view->details);
    if (whole) {
        json_t *pins = json_object();
        json_object_set_new(pins, "host", pxr_json_text(view->host_pin));
        json_object_set_new(pins, "guest", pxr_json_text(view->guest_pin));
        json_object_set_new(json, "pins", pins);
    }
    json_object_set_new(json, "join_url", json_string(url));
    json_object_set_new(json, "created_at", pxr_json_time(life->created_at));
    json_object_set_new(json, "not_before", pxr_json_time(life->not_before));
    json_object_set_new(json, "not_after", pxr_json_time(life->not_after));
    json_object_set_new(json, "started_at", pxr_json_time(life->started_at));
    json_object_set_new(json, "ended_at", pxr_json_time(life->ended_at));
    json_object_set_new(json, "expires_at", pxr_json_time(life->expires_at));
    json_object_set_new(json, "participant_count", json_integer((json_int_t)view->people_count));
    if (whole) {
        json_object_set_new(json, "participants", people(view));
    }
    json_object_set_new(json, "nodes", nodes(view));
    return json;
}

char *pxr_json_dump(json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

void pxr_json_text_free(char *text)
{
    free(text);
}

char *pxr_json_write_meeting(const pxr_view_t *view, const char *join_url)
{
    return pxr_json_dump(meeting(view, join_url, true));
}

struct pxr_json_list {
    json_t *meetings;
};

pxr_json_list_t *pxr_json_list_new(void)
{
    pxr_json_list_t *list = malloc(sizeof(*list));

    if (list != NULL) {
        list->meetings = json_array();
    }
    return list;
}

void pxr_json_list_add(pxr_json_list_t *list, const pxr_view_t *view, const char *join_url)
{
    json_array_append_new(list->meetings, meeting(view, join_url, false));
}

char *pxr_json_list_end(pxr_json_list_t *list, const char *next)
{
    json_t *json = json_object();

    json_object_set_new(json, "meetings", list->meetings);
    json_object_set_new(json, "next", pxr_json_text(next));
    free(list);
    return pxr_json_dump(json);
}

char *pxr_json_write_link(const char *url, bool host)
{
    return pxr_json_dump(json_pack("{s:s, s:s}", "url", url, "role", host ? "host" : "guest"));
}

char *pxr_json_write_info(const pxr_info_t *info)
{
    const struct {
        const char *key;
        const char *text;
    } members[] = {
        {"title", info->title},         {"address", info->address},
        {"alias", info->alias},         {"numeric_alias", info->numeric_alias},
        {"guest_pin", info->guest_pin}, {"host_pin", info->host_pin},
        {"join_url", info->join_url},
    };
    json_t *json = json_object();

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].text != NULL && members[i].text[0] != '\0') {
            json_object_set_new(json, members[i].key, json_string(members[i].text));
        }
    }
    return pxr_json_dump(json);
}

struct pxr_json_deliveries {
    json_t *lines;
};

pxr_json_deliveries_t *pxr_json_deliveries_new(void)
{
    pxr_json_deliveries_t *list = malloc(sizeof(*list));

    if (list != NULL) {
        list->lines = json_array();
    }
    return list;
}

void pxr_json_deliveries_add(pxr_json_deliveries_t *list, const pxr_delivery_line_t *line)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "meeting", json_string(line->meeting));
    json_object_set_new(entry, "kind", json_string(line->kind));
    json_object_set_new(entry, "state", json_string(line->state));
    json_object_set_new(entry, "reason", pxr_json_text(line->reason));
    json_object_set_new(entry, "http_status",
                        line->http_status != 0 ? json_integer(line->http_status) : json_null());
    json_object_set_new(entry, "changed_at", pxr_json_time(line->changed_at));
    json_array_append_new(list->lines, entry);
}

char *pxr_json_deliveries_end(pxr_json_deliveries_t *list)
{
    json_t *json = json_object();

    json_object_set_new(json, "deliveries", list->lines);
    free(list);
    return pxr_json_dump(json);
}

char *pxr_json_write_problem(int status, const char *title, const char *detail)
{
    return pxr_json_dump(json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title,
                                   "status", status, "detail", detail));
}

char *pxr_json_write_note(const char *detail)
{
    return pxr_json_dump(json_pack("{s:s}", "detail", detail));
}

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

char *pxr_json_write_status(const pxr_status_page_t *page)
{
    json_t *json = json_object();
    json_t *meetings = json_object();
    json_t *tables = json_object();
    json_t *counters = json_object();
    json_t *list = json_array();

    /* `ok` means: calls can be started and joined, and meetings end. */
    json_object_set_new(json, "status",
                        json_string(!page->leader || !page->database->good ? "degraded"
                                    : page->health.meetings.used >= page->health.meetings.size
                                        ? "full"
                                        : "ok"));
    json_object_set_new(json, "version", json_string(page->version));
    json_object_set_new(json, "server", json_string(page->server));
    json_object_set_new(json, "now", pxr_json_time(page->now));
    json_object_set_new(json, "running_since", pxr_json_time(page->started_at));
    json_object_set_new(json, "site_url", json_string(page->site_url));
    json_object_set_new(json, "base_url", json_string(page->base_url));
    json_object_set_new(json, "join_url", json_string(page->join_url));
    json_object_set_new(meetings, "open", json_integer(page->numbers.open));
    json_object_set_new(meetings, "live", json_integer(page->numbers.live));
    json_object_set_new(meetings, "ended", json_integer(page->numbers.ended));
    json_object_set_new(meetings, "present", json_integer(page->numbers.present));
    json_object_set_new(json, "meetings", meetings);
    json_object_set_new(json, "database", database_status(page->database));
    json_object_set_new(json, "outside", outside_status(page->outside));
    json_object_set_new(json, "rocketchat", chat_status(page->chat));
    for (size_t i = 0; i < page->node_count; i++) {
        json_array_append_new(list, node_status(&page->nodes[i]));
    }
    json_object_set_new(json, "nodes", list);
    for (int i = 0; i < PXR_COUNTERS; i++) {
        json_object_set_new(counters, pxr_counter_name((pxr_counter_t)i),
                            json_integer((json_int_t)page->counters[i]));
    }
    json_object_set_new(json, "counters", counters);
    json_object_set_new(json, "event_log", json_string(page->event_log));
    set_fill(tables, "meetings", &page->health.meetings);
    set_fill(tables, "slots", &page->health.slots);
    set_fill(tables, "names", &page->health.names);
    set_fill(tables, "blocks", &page->health.blocks);
    set_fill(tables, "participants", &page->health.legs);
    set_fill(tables, "shares", &page->health.shares);
    set_fill(tables, "publishers", &page->health.publishers);
    json_object_set_new(json, "tables", tables);
    json_object_set_new(json, "repairs", json_integer((json_int_t)page->health.repairs));
    json_object_set_new(json, "resets", json_integer((json_int_t)page->health.resets));
    return pxr_json_dump(json);
}
