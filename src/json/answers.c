#include <stdlib.h>
#include <string.h>

#include "json_internal.h"
#include "pxr_alias.h"

static json_t *people(const pxr_view_t *view)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->people_count; i++) {
        const pxr_person_t *person = &view->people[i];
        json_t *entry = pxr_json_person(person->id, person->name, person->role, person->protocol,
                                        person->connected_at);
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
        json_object_set_new(entry, "ended", json_boolean(ended));
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
    json_object_set_new(json, "closed", json_boolean(life->closed));
    json_object_set_new(json, "inferred", json_boolean(life->inferred));
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
