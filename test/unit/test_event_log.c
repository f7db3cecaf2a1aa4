#include "helpers.h"

#include <jansson.h>

#include "pxr_json.h"

#define NOON INT64_C(1795341600250000)

static pxr_event_t event;
static pxr_log_entry_t entry;

static int begin(void **state)
{
    (void)state;
    memset(&event, 0, sizeof(event));
    event.kind = PXR_EVENT_CONNECTED;
    event.time = NOON;
    entry = (pxr_log_entry_t){.received = NOON + PXR_SECOND,
                              .workspace = "https://chat.example.com",
                              .user = "pexip",
                              .event = &event,
                              .effect = "taken"};
    return 0;
}

static void set(char *field, const char *text)
{
    strcpy(field, text);
}

/* A long text out of copies of a short one. */
static void fill(char *field, size_t size, const char *piece)
{
    field[0] = '\0';
    while (strlen(field) + strlen(piece) < size) {
        strcat(field, piece);
    }
}

/* The line in memory of exactly `size` bytes, parsed; NULL where none was written. */
static json_t *line(size_t size)
{
    char *out = malloc(size);
    size_t len;
    json_t *json = NULL;

    assert_non_null(out);
    len = pxr_json_write_log_line(&entry, out, size);
    assert_true(len <= size);
    if (len > 0) {
        assert_ptr_equal(memchr(out, '\n', len), out + len - 1);
        json = json_loadb(out, len, JSON_REJECT_DUPLICATES, NULL);
        assert_true(json_is_object(json));
    }
    free(out);
    return json;
}

static void check_text(const json_t *json, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(json, key));

    CHECK(wanted == NULL ? text == NULL : text != NULL && strcmp(text, wanted) == 0,
          "%s is %s instead of %s", key, text != NULL ? text : "absent",
          wanted != NULL ? wanted : "absent");
}

static void a_line_says_what_was_understood(void **state)
{
    char out[PXR_LOG_LINE_MAX];
    size_t len;

    (void)state;
    set(event.node, "10.0.0.1");
    event.seq = 7;
    set(event.conference, "abcdefgh_breakout_b1");
    set(event.uuid, "u1");
    set(event.conversation, "c1");
    set(event.name, "Nina \"N\" \xc3\x98");
    set(event.protocol, "WebRTC");
    event.has_role = true;
    event.role = PXR_ROLE_HOST;
    event.service = PXR_SERVICE_ROOM;
    event.has_media = PXR_YES;
    event.is_streaming = PXR_NO;
    event.quality = PXR_QUALITY_BAD;
    event.start_time = NOON - 3 * PXR_SECOND;
    event.end_time = NOON - 2 * PXR_SECOND;
    event.connect_time = NOON - PXR_SECOND;
    len = pxr_json_write_log_line(&entry, out, sizeof(out));
    assert_true(len > 0 && len < sizeof(out));
    out[len] = '\0';
    assert_string_equal(
        out,
        "{\"received\":\"2026-11-22T10:00:01.250Z\",\"workspace\":\"https://chat.example.com\","
        "\"user\":\"pexip\",\"node\":\"10.0.0.1\",\"seq\":7,"
        "\"time\":\"2026-11-22T10:00:00.250Z\",\"event\":\"participant_connected\","
        "\"meeting\":\"abcdefgh\",\"breakout_uuid\":\"b1\",\"uuid\":\"u1\","
        "\"conversation_id\":\"c1\",\"display_name\":\"Nina \\\"N\\\" \xc3\x98\","
        "\"protocol\":\"WebRTC\",\"role\":\"host\",\"service\":\"room\",\"has_media\":true,"
        "\"is_streaming\":false,\"quality\":\"bad\","
        "\"start_time\":\"2026-11-22T09:59:57.250Z\",\"end_time\":\"2026-11-22T09:59:58.250Z\","
        "\"connect_time\":\"2026-11-22T09:59:59.250Z\",\"effect\":\"taken\"}\n");
}

static void what_is_unsaid_is_left_out(void **state)
{
    char out[PXR_LOG_LINE_MAX];
    size_t len;

    (void)state;
    event.kind = PXR_EVENT_SINK_STARTED;
    event.time = 0;
    entry.user = "";
    len = pxr_json_write_log_line(&entry, out, sizeof(out));
    out[len] = '\0';
    assert_string_equal(
        out,
        "{\"received\":\"2026-11-22T10:00:01.250Z\",\"workspace\":\"https://chat.example.com\","
        "\"event\":\"eventsink_started\",\"effect\":\"taken\"}\n");
}

static void every_kind_service_and_quality_has_a_word(void **state)
{
    (void)state;
    for (int kind = PXR_EVENT_UNKNOWN; kind < PXR_EVENT_KINDS; kind++) {
        for (int service = PXR_SERVICE_UNSAID; service <= PXR_SERVICE_OTHER; service++) {
            json_t *json;
            event.kind = (pxr_event_kind_t)kind;
            event.service = (pxr_service_t)service;
            event.quality = (pxr_quality_t)(service + 1);
            json = line(PXR_LOG_LINE_MAX);
            check_text(json, "event", pxr_event_kind_name(event.kind));
            assert_true((json_object_get(json, "service") != NULL) == (service != 0));
            assert_non_null(json_object_get(json, "quality"));
            json_decref(json);
        }
    }
}

static void no_text_ends_the_line_or_steers_a_terminal(void **state)
{
    static const char *const hostile[] = {"\n",
                                          "\r\n{\"event\":\"x\"}\n",
                                          "\x1b[2J",
                                          "\x7f",
                                          "\xc2\x9b"
                                          "31m",
                                          "\xe2\x80\xa8",
                                          "\xff\xfe",
                                          "\xed\xa0\x80",
                                          "\"},{\"",
                                          "\\",
                                          "\\u0000",
                                          "\t"};

    (void)state;
    for (size_t i = 0; i < COUNT(hostile); i++) {
        char text[64];
        char out[PXR_LOG_LINE_MAX];
        size_t len;
        snprintf(text, sizeof(text), "a%sb", hostile[i]);
        set(event.uuid, text);
        set(event.name, text);
        set(event.node, text);
        set(event.conversation, text);
        snprintf(event.conference, sizeof(event.conference), "abcdefgh_breakout_%s", text);
        entry.user = text;
        json_decref(line(PXR_LOG_LINE_MAX));
        len = pxr_json_write_log_line(&entry, out, sizeof(out));
        CHECK(len > 0, "case %d", (int)i);
        for (size_t at = 0; at + 1 < len; at++) {
            CHECK((unsigned char)out[at] >= 0x20 && out[at] != 0x7f, "case %d", (int)i);
            CHECK(memcmp(out + at, "\xc2\x9b", 2) != 0, "case %d", (int)i);
        }
    }
}

static void the_longest_event_of_all_fits_uncut(void **state)
{
    static const char *const pieces[] = {"\"", "\\", "\xf0\x9f\x8e\x89", "\xff", "\x01x", "x"};
    char user[PXR_USER_MAX + 1];
    char site[PXR_ORIGIN_MAX + 1];

    (void)state;
    event.seq = INT64_MAX;
    event.has_role = true;
    event.service = PXR_SERVICE_JOINING;
    event.has_media = event.is_streaming = PXR_YES;
    event.quality = PXR_QUALITY_TERRIBLE;
    event.start_time = event.end_time = event.connect_time = NOON;
    event.kind = PXR_EVENT_STREAMS;
    entry.effect = "nothing new";
    entry.user = user;
    entry.workspace = site;
    fill(site, sizeof(site), "s");
    for (size_t i = 0; i < COUNT(pieces); i++) {
        json_t *json;
        fill(event.node, sizeof(event.node), pieces[i]);
        fill(event.uuid, sizeof(event.uuid), pieces[i]);
        fill(event.conversation, sizeof(event.conversation), pieces[i]);
        fill(event.name, sizeof(event.name), pieces[i]);
        fill(event.protocol, sizeof(event.protocol), pieces[i]);
        fill(event.conference, sizeof(event.conference), pieces[i]);
        fill(user, sizeof(user), pieces[i]);
        json = line(PXR_LOG_LINE_MAX);
        CHECK(json != NULL && json_object_get(json, "cut") == NULL, "case %d", (int)i);
        json_decref(json);
    }
}

static void a_line_that_would_be_too_long_loses_its_name(void **state)
{
    static const char *const pieces[] = {"x", "\"", "\xc3\x98", "\xe6\x97\xa5", "\xf0\x9f\x8e\x89"};

    (void)state;
    for (size_t i = 0; i < COUNT(pieces); i++) {
        char whole[PXR_LOG_LINE_MAX];
        size_t longest;
        size_t least = 0;
        fill(event.name, sizeof(event.name), pieces[i]);
        longest = pxr_json_write_log_line(&entry, whole, sizeof(whole));
        for (size_t size = longest + 2; size > 0; size--) {
            json_t *json = line(size);
            const char *name = json_string_value(json_object_get(json, "display_name"));
            if (json == NULL) {
                least = size;
                break;
            }
            check_text(json, "effect", "taken");
            CHECK((json_object_get(json, "cut") != NULL) == (size < longest), "case %d", (int)i);
            if (name != NULL) {
                size_t len = strlen(name);
                assert_true(strncmp(event.name, name, len) == 0);
                assert_true(len % strlen(pieces[i]) == 0);
                assert_true(size >= longest || len < strlen(event.name));
            }
            json_decref(json);
        }
        /* Without its name it needs as much as any, and less is not enough. */
        assert_true(least > 0 && least < longest - 200);
        for (size_t size = 1; size <= least; size++) {
            assert_null(line(size));
        }
    }
}

static void without_a_name_nothing_can_be_cut(void **state)
{
    char whole[PXR_LOG_LINE_MAX];
    size_t longest = pxr_json_write_log_line(&entry, whole, sizeof(whole));

    (void)state;
    json_decref(line(longest));
    assert_null(line(longest - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_says_what_was_understood, begin),
        cmocka_unit_test_setup(what_is_unsaid_is_left_out, begin),
        cmocka_unit_test_setup(every_kind_service_and_quality_has_a_word, begin),
        cmocka_unit_test_setup(no_text_ends_the_line_or_steers_a_terminal, begin),
        cmocka_unit_test_setup(the_longest_event_of_all_fits_uncut, begin),
        cmocka_unit_test_setup(a_line_that_would_be_too_long_loses_its_name, begin),
        cmocka_unit_test_setup(without_a_name_nothing_can_be_cut, begin),
    };

    return RUN(tests);
}
