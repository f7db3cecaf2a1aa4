#include <string.h>

#include "json_internal.h"

/* What goes into a line beside the name is far shorter than a line in sum. */
#define TEXT_MAX 320

static const char *const service_names[] = {
    [PXR_SERVICE_ROOM] = "room",
    [PXR_SERVICE_JOINING] = "joining",
    [PXR_SERVICE_OTHER] = "other",
};

/* Somebody will look at the log with a terminal, and jansson escapes but the first 32 of the
 * control characters. */
static void set_text(json_t *json, const char *key, const char *text)
{
    char line[TEXT_MAX + 1];

    if (text != NULL && pxr_text_line(line, sizeof(line), text, strlen(text)) > 0) {
        json_object_set_new(json, key, json_string(line));
    }
}

static void set_time(json_t *json, const char *key, pxr_time_t when)
{
    char text[PXR_TIME_TEXT];

    if (when != 0) {
        pxr_time_format(when, text);
        json_object_set_new(json, key, json_string(text));
    }
}

static void set_answer(json_t *json, const char *key, pxr_answer3_t answer)
{
    if (answer != PXR_UNSAID) {
        json_object_set_new(json, key, json_boolean(answer == PXR_YES));
    }
}

static void set_conference(json_t *json, const char *conference)
{
    const char *breakout;
    size_t len = pxr_event_meeting_name(conference, &breakout);
    char meeting[PXR_CONFERENCE_MAX + 1];

    pxr_text_copy(meeting, sizeof(meeting), conference, len);
    set_text(json, "meeting", meeting);
    set_text(json, "breakout_uuid", breakout);
}

static json_t *line_of(const pxr_log_entry_t *entry)
{
    const pxr_event_t *event = entry->event;
    json_t *json = json_object();

    set_time(json, "received", entry->received);
    set_text(json, "workspace", entry->workspace);
    set_text(json, "user", entry->user);
    set_text(json, "node", event->node);
    if (event->seq != 0) {
        json_object_set_new(json, "seq", json_integer((json_int_t)event->seq));
    }
    set_time(json, "time", event->time);
    set_text(json, "event", pxr_event_kind_name(event->kind));
    set_conference(json, event->conference);
    set_text(json, "uuid", event->uuid);
    set_text(json, "conversation_id", event->conversation);
    set_text(json, "display_name", event->name);
    set_text(json, "protocol", event->protocol);
    if (event->has_role) {
        set_text(json, "role", pxr_role_name(event->role));
    }
    if (event->service != PXR_SERVICE_UNSAID) {
        set_text(json, "service", service_names[event->service]);
    }
    set_answer(json, "has_media", event->has_media);
    set_answer(json, "is_streaming", event->is_streaming);
    if (event->quality != PXR_QUALITY_UNKNOWN) {
        set_text(json, "quality", pxr_quality_name(event->quality));
    }
    set_time(json, "start_time", event->start_time);
    set_time(json, "end_time", event->end_time);
    set_time(json, "connect_time", event->connect_time);
    set_text(json, "effect", entry->effect);
    return json;
}

/* Makes a line shorter by at least `excess` bytes, if its name has as many: each byte of a text
 * needs one byte in the line or more. */
static void cut_name(json_t *json, size_t excess)
{
    static const char key[] = "display_name";
    const json_t *name = json_object_get(json, key);
    const char *text = json_string_value(name);
    size_t len = json_string_length(name);
    size_t keep;

    json_object_set_new(json, "cut", json_true());
    excess += sizeof(",\"cut\":true") - 1;
    keep = len > excess ? pxr_utf8_cut(text, len, len - excess) : 0;
    if (keep > 0) {
        json_object_set_new(json, key, json_stringn(text, keep));
    } else {
        json_object_del(json, key);
    }
}

size_t pxr_json_write_log_line(const pxr_log_entry_t *entry, char *out, size_t size)
{
    json_t *json = line_of(entry);
    size_t len = json_dumpb(json, out, size, JSON_COMPACT);

    /* One byte is for the newline. */
    if (len >= size) {
        cut_name(json, len + 1 - size);
        len = json_dumpb(json, out, size, JSON_COMPACT);
    }
    json_decref(json);
    if (len == 0 || len >= size) {
        return 0;
    }
    out[len] = '\n';
    return len + 1;
}
