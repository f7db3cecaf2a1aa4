#include <string.h>

#include "json_internal.h"
#include "pxr_hash.h"

void pxr_json_init(void)
{
    json_object_seed(0);
}

/* Copies a text that is one of ours or nothing: what does not fit is not ours. */
static void copy_exact(char *out, size_t size, const json_t *value)
{
    size_t len = json_string_length(value);

    out[0] = '\0';
    if (json_is_string(value) && len < size) {
        memcpy(out, json_string_value(value), len + 1);
    }
}

static void copy_line(char *out, size_t size, const json_t *value)
{
    out[0] = '\0';
    if (json_is_string(value)) {
        pxr_text_line(out, size, json_string_value(value), json_string_length(value));
    }
}

/* Times are numbers; one field note has seen RFC 3339 (event reference 7). */
static pxr_time_t read_time(const json_t *value)
{
    pxr_time_t time;

    if (json_is_number(value)) {
        return pxr_time_from_seconds(json_number_value(value));
    }
    if (json_is_string(value) &&
        pxr_time_parse(json_string_value(value), json_string_length(value), &time)) {
        return time;
    }
    return 0;
}

static pxr_answer3_t read_bool(const json_t *value)
{
    if (json_is_boolean(value)) {
        return json_is_true(value) ? PXR_YES : PXR_NO;
    }
    return PXR_UNSAID;
}

/* The protocol may be followed by a space and more text. */
static void read_protocol(char *out, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);

    out[0] = '\0';
    if (text != NULL) {
        pxr_text_line(out, size, text, strcspn(text, " "));
    }
}

/* One note calls the directions inbound and outbound (event reference 3.3). */
static bool is_outbound(const json_t *direction)
{
    return json_is_string(direction) && strncmp(json_string_value(direction), "out", 3) == 0;
}

static uint64_t hash_of_conference(const json_t *name)
{
    const char *text = json_string_value(name);

    return text != NULL && strstr(text, PXR_BREAKOUT_MARK) == NULL ? pxr_hash_text(text) : 0;
}

static void read_leg(const json_t *data, pxr_event_t *event)
{
    const json_t *service = json_object_get(data, "service_type");
    const json_t *role = json_object_get(data, "role");
    const json_t *related = json_object_get(data, "related_uuids");

    if (!json_is_string(service)) {
        service = json_object_get(data, "current_service_type");
    }
    if (json_is_string(service)) {
        event->service = pxr_event_service(json_string_value(service));
        event->gateway = strcmp(json_string_value(service), "gateway") == 0;
    }
    if (!is_outbound(json_object_get(data, "call_direction"))) {
        copy_exact(event->dialled, sizeof(event->dialled),
                   json_object_get(data, "destination_alias"));
    }
    if (json_is_string(role)) {
        event->has_role = true;
        event->role = pxr_event_role(json_string_value(role));
    }
    if (json_is_array(related)) {
        event->has_related = true;
        for (size_t i = 0; i < json_array_size(related) && i < PXR_RELATED_MAX; i++) {
            copy_exact(event->related[i], sizeof(event->related[i]), json_array_get(related, i));
        }
    }
    copy_exact(event->conversation, sizeof(event->conversation),
               json_object_get(data, "conversation_id"));
    copy_line(event->name, sizeof(event->name), json_object_get(data, "display_name"));
    read_protocol(event->protocol, sizeof(event->protocol), json_object_get(data, "protocol"));
    event->has_media = read_bool(json_object_get(data, "has_media"));
    event->is_streaming = read_bool(json_object_get(data, "is_streaming"));
    event->connect_time = read_time(json_object_get(data, "connect_time"));
}

static bool read_event(const json_t *json, pxr_event_t *event)
{
    const json_t *name = json_object_get(json, "event");
    const json_t *seq = json_object_get(json, "seq");
    json_int_t version = json_integer_value(json_object_get(json, "version"));
    const json_t *data = json_object_get(json, "data");
    const json_t *quality;
    const json_t *conference;

    if (!json_is_string(name)) {
        return false;
    }
    memset(event, 0, sizeof(*event));
    event->kind = pxr_event_kind(json_string_value(name));
    copy_line(event->node, sizeof(event->node), json_object_get(json, "node"));
    if (json_is_integer(seq) && json_integer_value(seq) > 0) {
        event->seq = (uint64_t)json_integer_value(seq);
    }
    if (version > 0 && version <= UINT8_MAX) {
        event->version = (uint8_t)version;
    }
    event->time = read_time(json_object_get(json, "time"));
    conference = json_object_get(data, pxr_event_is_about_leg(event->kind) ? "conference" : "name");
    copy_exact(event->conference, sizeof(event->conference), conference);
    event->conference_hash = hash_of_conference(conference);
    copy_exact(event->tag, sizeof(event->tag),
               json_object_get(data, pxr_event_is_about_leg(event->kind) ? "service_tag" : "tag"));
    copy_exact(event->uuid, sizeof(event->uuid), json_object_get(data, "uuid"));
    event->start_time = read_time(json_object_get(data, "start_time"));
    event->end_time = read_time(json_object_get(data, "end_time"));
    quality = json_object_get(data, "call_quality_now");
    if (json_is_string(quality)) {
        event->quality = pxr_event_quality(json_string_value(quality));
    }
    if (pxr_event_is_about_leg(event->kind)) {
        read_leg(data, event);
    }
    return true;
}

typedef struct {
    pxr_event_sink_t sink;
    void *context;
    size_t failures;
    bool stopped;
} reader_t;

static void hand_on(reader_t *reader, const json_t *json)
{
    pxr_event_t event;

    if (!read_event(json, &event)) {
        reader->failures++;
    } else if (!reader->sink(reader->context, &event)) {
        reader->stopped = true;
    }
}

/* Reads the one event that stands at [from, to). False where there is none. */
static bool read_span(reader_t *reader, const char *text, size_t from, size_t to)
{
    json_t *json = to - from <= PXR_EVENT_MAX ? json_loadb(text + from, to - from, 0, NULL) : NULL;
    bool read = json_is_object(json);

    if (read) {
        hand_on(reader, json);
    }
    json_decref(json);
    return read;
}

/* Where the next event may begin after one that is broken beyond understanding. */
static size_t resume(const char *text, size_t len, size_t at)
{
    for (; at < len; at++) {
        size_t next;
        if (text[at] != ',') {
            continue;
        }
        next = pxr_scan_blank(text, len, at + 1);
        if (next < len && text[next] == '{') {
            return next;
        }
    }
    return len;
}

#define EFFORT_LEAST ((size_t)64 * PXR_EVENT_MAX)

static void read_members(reader_t *reader, const char *text, size_t len, size_t at)
{
    /* A body made to be slow to read costs no more than a few readings of an honest one. */
    size_t effort = 4 * len > EFFORT_LEAST ? 4 * len : EFFORT_LEAST;

    at = pxr_scan_blank(text, len, at);
    while (at < len && text[at] != ']' && !reader->stopped) {
        size_t depth;
        /* A member that is not closed within the size of any event is not looked at further. */
        size_t limit = len - at > PXR_EVENT_MAX + 1 ? at + PXR_EVENT_MAX + 1 : len;
        size_t end = pxr_scan_value(text, limit, at, &depth);
        bool read = depth <= PXR_EVENT_DEPTH_MAX && read_span(reader, text, at, end);

        if (read || text[at] != '{') {
            reader->failures += !read;
            at = pxr_scan_blank(text, len, end);
        } else {
            /* Where its brackets do not match nobody knows where it ends, so the next one may
             * begin anywhere behind its first byte. */
            reader->failures++;
            effort -= end - at < effort ? end - at : effort;
            at = effort > 0 ? resume(text, len, at) : len;
            continue;
        }
        if (at < len && text[at] == ',') {
            at = pxr_scan_blank(text, len, at + 1);
        } else if (at < len && text[at] != ']') {
            at = resume(text, len, at);
        }
    }
}

/* What the object at the beginning of a body says of itself. */
typedef struct {
    size_t data;  /* where the member `data` begins if it is an array, else 0 */
    bool is_bulk; /* it does not name another event */
} envelope_t;

static bool is_key(const char *text, size_t from, size_t to, const char *key)
{
    size_t len = strlen(key);

    return to - from == len + 2 && memcmp(text + from + 1, key, len) == 0;
}

static envelope_t read_envelope(const char *text, size_t len, size_t at)
{
    envelope_t envelope = {.is_bulk = true};
    size_t depth;

    at = pxr_scan_blank(text, len, at + 1);
    while (at < len && text[at] == '"') {
        size_t key = at;
        size_t key_end = pxr_scan_string(text, len, at);

        at = pxr_scan_blank(text, len, key_end);
        if (at >= len || text[at] != ':') {
            break;
        }
        at = pxr_scan_blank(text, len, at + 1);
        if (is_key(text, key, key_end, "data") && at < len && text[at] == '[') {
            envelope.data = at;
        } else if (is_key(text, key, key_end, "event") && at < len && text[at] == '"') {
            envelope.is_bulk = is_key(text, at, pxr_scan_string(text, len, at), "eventsink_bulk");
        }
        at = pxr_scan_blank(text, len, pxr_scan_value(text, len, at, &depth));
        if (at < len && text[at] == ',') {
            at = pxr_scan_blank(text, len, at + 1);
        }
    }
    return envelope;
}

size_t pxr_json_read_events(char *body, size_t len, pxr_event_sink_t sink, void *context)
{
    reader_t reader = {.sink = sink, .context = context};
    envelope_t envelope;
    size_t at;
    size_t end;
    size_t depth;

    pxr_json_mend(body, len);
    at = len >= 3 && memcmp(body, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    at = pxr_scan_blank(body, len, at);
    if (at < len && body[at] == '[') {
        read_members(&reader, body, len, at + 1);
        return reader.failures;
    }
    if (at >= len || body[at] != '{') {
        return 1;
    }
    envelope = read_envelope(body, len, at);
    if (envelope.data != 0 && envelope.is_bulk) {
        read_members(&reader, body, len, envelope.data + 1);
        return reader.failures;
    }
    end = pxr_scan_value(body, len, at, &depth);
    if (depth > PXR_EVENT_DEPTH_MAX || !read_span(&reader, body, at, end)) {
        reader.failures++;
    }
    return reader.failures;
}
