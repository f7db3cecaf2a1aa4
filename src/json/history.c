#include <stdlib.h>
#include <string.h>

#include "json_internal.h"

/* Pages of the history may be long, so each meeting becomes text at once: as objects of the library
 * they would take many times as much memory. */
struct pxr_json_history {
    char *text;
    size_t len;
    size_t size;
    size_t meetings;
    bool failed;
};

static int append(const char *text, size_t len, void *context)
{
    pxr_json_history_t *page = context;

    if (len >= page->size - page->len) {
        size_t size = (page->size + len) * 2;
        char *grown = realloc(page->text, size);
        if (grown == NULL) {
            page->failed = true;
            return -1;
        }
        page->text = grown;
        page->size = size;
    }
    memcpy(page->text + page->len, text, len);
    page->len += len;
    page->text[page->len] = '\0';
    return 0;
}

static void append_text(pxr_json_history_t *page, const char *text)
{
    append(text, strlen(text), page);
}

/* Takes the reference. */
static void append_json(pxr_json_history_t *page, json_t *json)
{
    if (json == NULL ||
        json_dump_callback(json, append, page, JSON_COMPACT | JSON_ENCODE_ANY) != 0) {
        page->failed = true;
    }
    json_decref(json);
}

pxr_json_history_t *pxr_json_history_new(void)
{
    pxr_json_history_t *page = calloc(1, sizeof(*page));

    if (page != NULL) {
        append_text(page, "{\"meetings\":[");
    }
    return page;
}

static json_t *seconds(int64_t duration)
{
    return json_integer((json_int_t)pxr_seconds(duration));
}

static json_t *people(const pxr_past_t *past)
{
    json_t *list = json_array();

    for (size_t i = 0; i < past->people_count; i++) {
        const pxr_attendee_t *person = &past->people[i];
        json_t *entry = pxr_json_person(person->id, person->name, person->role, person->protocol,
                                        person->connected_at);
        json_object_set_new(entry, "left_at", pxr_json_time(person->left_at));
        json_object_set_new(entry, "duration_seconds", seconds(person->present));
        json_object_set_new(entry, "quality", json_string(pxr_quality_name(person->quality)));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *meeting(const pxr_past_t *past)
{
    json_t *json = json_object();

    json_object_set_new(json, "id", json_string(past->id));
    json_object_set_new(json, "title", pxr_json_text(past->details.text[PXR_TITLE]));
    json_object_set_new(json, "state", json_string(pxr_meeting_state_name(PXR_MEETING_ENDED)));
    json_object_set_new(json, "inferred", json_boolean(past->inferred));
    json_object_set_new(json, "numeric_alias", pxr_json_text(past->number));
    pxr_json_set_details(json, &past->details);
    json_object_set_new(json, "created_at", pxr_json_time(past->created_at));
    json_object_set_new(json, "not_before", pxr_json_time(past->not_before));
    json_object_set_new(json, "not_after", pxr_json_time(past->not_after));
    json_object_set_new(json, "started_at", pxr_json_time(past->started_at));
    json_object_set_new(json, "ended_at", pxr_json_time(past->ended_at));
    json_object_set_new(json, "duration_seconds", seconds(pxr_past_duration(past)));
    json_object_set_new(json, "participant_count", json_integer((json_int_t)past->people_count));
    json_object_set_new(json, "participants", people(past));
    return json;
}

void pxr_json_history_add(pxr_json_history_t *page, const pxr_past_t *past)
{
    if (page->meetings++ > 0) {
        append_text(page, ",");
    }
    append_json(page, meeting(past));
}

char *pxr_json_history_end(pxr_json_history_t *page, const char *next)
{
    char *text;

    append_text(page, "],\"next\":");
    append_json(page, pxr_json_text(next));
    append_text(page, "}");
    text = page->text;
    if (page->failed) {
        free(text);
        text = NULL;
    }
    free(page);
    return text;
}
