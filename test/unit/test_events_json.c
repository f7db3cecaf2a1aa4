#include "helpers.h"

#include "pxr_hash.h"
#include "pxr_json.h"

#define MOST 64

static pxr_event_t events[MOST];
static size_t taken;
static size_t wanted; /* the sink says stop after so many */

static bool sink(void *context, const pxr_event_t *event)
{
    assert_ptr_equal(context, events);
    if (taken < MOST) {
        events[taken] = *event;
    }
    taken++;
    return taken < wanted;
}

/* Reads a body and returns the number of failures. */
static size_t read_bytes(const char *body, size_t len)
{
    char *copy = exact_copy(body, len);
    size_t failures;

    taken = 0;
    wanted = SIZE_MAX;
    memset(events, 0, sizeof(events));
    failures = pxr_json_read_events(copy, len, sink, events);
    free(copy);
    return failures;
}

static size_t read_body(const char *body)
{
    return read_bytes(body, strlen(body));
}

#define LEG(members) \
    "{\"node\":\"10.0.0.1\",\"seq\":7,\"version\":2,\"time\":1764590999.25,\"event\":" \
    "\"participant_connected\",\"data\":{\"uuid\":\"u1\",\"conference\":\"m1\"" members "}}"
#define SINK(seq) \
    "{\"event\":\"eventsink_updated\",\"node\":\"n\",\"seq\":" #seq ",\"time\":1.5,\"data\":{}}"

static void a_leg_event_is_read_completely(void **state)
{
    (void)state;
    assert_int_equal(
        read_body(LEG(",\"conversation_id\":\"c1\",\"related_uuids\":[\"r1\",\"r2\"],"
                      "\"display_name\":\" Nina\\n\\u00d8 \",\"protocol\":\"WebRTC x\",\"role\":"
                      "\"chair\",\"service_type\":\"conference\",\"has_media\":true,"
                      "\"is_streaming\":false,\"connect_time\":1764590998")),
        0);
    assert_int_equal(taken, 1);
    assert_int_equal(events[0].kind, PXR_EVENT_CONNECTED);
    assert_string_equal(events[0].node, "10.0.0.1");
    assert_int_equal(events[0].seq, 7);
    assert_int_equal(events[0].version, 2);
    assert_true(events[0].time == INT64_C(1764590999250000));
    assert_string_equal(events[0].conference, "m1");
    assert_string_equal(events[0].uuid, "u1");
    assert_string_equal(events[0].conversation, "c1");
    assert_true(events[0].has_related);
    assert_string_equal(events[0].related[0], "r1");
    assert_string_equal(events[0].related[1], "r2");
    assert_string_equal(events[0].related[2], "");
    assert_string_equal(events[0].name, "Nina \xc3\x98");
    assert_string_equal(events[0].protocol, "WebRTC");
    assert_true(events[0].has_role && events[0].role == PXR_ROLE_HOST);
    assert_int_equal(events[0].service, PXR_SERVICE_ROOM);
    assert_int_equal(events[0].has_media, PXR_YES);
    assert_int_equal(events[0].is_streaming, PXR_NO);
    assert_true(events[0].connect_time == INT64_C(1764590998000000));
}

/* By what somebody came in, and where he is, also where names are too long to be ours. */
static void the_way_in_is_read(void **state)
{
    char body[1200];

    (void)state;
    read_body(LEG(",\"destination_alias\":\"sip:7071@x\",\"service_type\":\"gateway\","
                  "\"call_direction\":\"in\""));
    assert_string_equal(events[0].dialled, "sip:7071@x");
    assert_true(events[0].gateway);
    assert_true(events[0].conference_hash == pxr_hash_text("m1"));
    read_body(LEG(",\"destination_alias\":\"7071\",\"service_type\":\"conference\""));
    assert_string_equal(events[0].dialled, "7071");
    assert_false(events[0].gateway);
    read_body(LEG(",\"destination_alias\":\"7071\",\"call_direction\":\"out\""));
    assert_string_equal(events[0].dialled, "");
    read_body(LEG(",\"destination_alias\":[7071],\"call_direction\":5"));
    assert_string_equal(events[0].dialled, "");
    snprintf(body, sizeof(body), LEG(",\"destination_alias\":\"%0300d\""), 7);
    read_body(body);
    assert_string_equal(events[0].dialled, "");
    snprintf(body, sizeof(body), "{\"event\":\"conference_ended\",\"data\":{\"name\":\"%0240d\"}}",
             7);
    read_body(body);
    assert_string_equal(events[0].conference, "");
    snprintf(body, sizeof(body), "%0240d", 7);
    assert_true(events[0].conference_hash == pxr_hash_text(body));
    read_body("{\"event\":\"conference_ended\",\"data\":{\"name\":\"m1_breakout_2\"}}");
    assert_true(events[0].conference_hash == 0);
    read_body("{\"event\":\"conference_ended\",\"data\":{\"name\":7}}");
    assert_true(events[0].conference_hash == 0);
}

static void what_is_unsaid_or_nonsense_is_empty(void **state)
{
    static const char *const bodies[] = {
        LEG(""),
        LEG(",\"conversation_id\":5,\"related_uuids\":\"r\",\"display_name\":null,\"protocol\":[],"
            "\"role\":1,\"service_type\":null,\"has_media\":\"yes\",\"is_streaming\":0,"
            "\"connect_time\":null"),
        LEG(",\"connect_time\":-5,\"service_type\":\"hologram\",\"display_name\":\"\\n\""),
        LEG(",\"connect_time\":1e15"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(read_body(bodies[i]), 0);
        assert_int_equal(taken, 1);
        assert_string_equal(events[0].uuid, "u1");
        assert_string_equal(events[0].conversation, "");
        assert_string_equal(events[0].name, "");
        assert_string_equal(events[0].protocol, "");
        assert_false(events[0].has_related || events[0].has_role);
        assert_int_equal(events[0].service, PXR_SERVICE_UNSAID);
        assert_int_equal(events[0].has_media, PXR_UNSAID);
        assert_int_equal(events[0].is_streaming, PXR_UNSAID);
        assert_true(events[0].connect_time == 0);
    }
}

static void members_that_are_never_closed_cost_no_later_one(void **state)
{
    char body[4096];
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"event\":\"eventsink_bulk\",\"data\":[");

    (void)state;
    for (int i = 0; i < 20; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len, "{\"event\":[{\"a\":[,");
    }
    snprintf(body + len, sizeof(body) - len, "{\"event\":\"eventsink_updated\"}]}");
    assert_true(read_body(body) >= 20);
    assert_int_equal(taken, 1);
}

static void an_envelope_may_lack_everything_but_its_name(void **state)
{
    static const char *const bodies[] = {
        "{\"event\":\"conference_ended\"}",
        "{\"event\":\"conference_ended\",\"data\":null,\"seq\":null,\"time\":null,\"node\":null}",
        "{\"event\":\"conference_ended\",\"data\":5,\"seq\":-1,\"time\":\"x\",\"node\":{}}",
        "{\"event\":\"conference_ended\",\"seq\":\"7\",\"time\":true}",
        "  {\"event\":\"CONFERENCE_ENDED\"}  ",
        "\xef\xbb\xbf{\"event\":\"conference_ended\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        CHECK(read_body(bodies[i]) == 0 && taken == 1, "%s", bodies[i]);
        assert_int_equal(events[0].kind, PXR_EVENT_CONFERENCE_ENDED);
        assert_true(events[0].seq == 0 && events[0].time == 0);
        assert_string_equal(events[0].node, "");
        assert_string_equal(events[0].conference, "");
    }
}

static void texts_too_long_to_be_ours_are_nothing_and_names_are_cut(void **state)
{
    char body[8192];

    (void)state;
    snprintf(body, sizeof(body),
             "{\"event\":\"participant_updated\",\"data\":{\"uuid\":\"%065d\",\"conference\":"
             "\"%0193d\",\"conversation_id\":\"%065d\",\"related_uuids\":[\"%065d\",\"r\",5,null,"
             "\"e\",\"f\"],\"display_name\":\"%01000d\",\"protocol\":\"%0100d\"}}",
             1, 1, 1, 1, 1, 1);
    assert_int_equal(read_body(body), 0);
    assert_string_equal(events[0].uuid, "");
    assert_string_equal(events[0].conference, "");
    assert_string_equal(events[0].conversation, "");
    assert_string_equal(events[0].related[0], "");
    assert_string_equal(events[0].related[1], "r");
    assert_int_equal(strlen(events[0].name), PXR_NAME_CHARS);
    assert_int_equal(strlen(events[0].protocol), PXR_PROTOCOL_MAX);
    snprintf(body, sizeof(body),
             "{\"event\":\"conference_started\",\"data\":{\"name\":\"%0192d\",\"start_time\":"
             "\"2026-11-22T10:00:00Z\"}}",
             1);
    assert_int_equal(read_body(body), 0);
    assert_int_equal(strlen(events[0].conference), PXR_CONFERENCE_MAX);
    assert_true(events[0].start_time == INT64_C(1795341600) * PXR_SECOND);
}

static void all_events_of_a_bulk_are_read_in_order(void **state)
{
    (void)state;
    assert_int_equal(read_body("{\"event\":\"eventsink_bulk\",\"node\":\"127.0.0.1\",\"seq\":0,"
                               "\"data\":[" SINK(1) "," SINK(2) " ,\n" SINK(3) "]}"),
                     0);
    assert_int_equal(taken, 3);
    assert_true(events[0].seq == 1 && events[1].seq == 2 && events[2].seq == 3);
    assert_string_equal(events[0].node, "n");
    assert_int_equal(read_body("[" SINK(1) "," SINK(2) "]"), 0);
    assert_int_equal(taken, 2);
    assert_int_equal(read_body("{\"data\" : [ ] , \"event\":\"eventsink_bulk\"}"), 0);
    assert_int_equal(taken, 0);
    assert_int_equal(read_body("{\"x\":{\"data\":[1]},\"y\":\"data\",\"data\":[" SINK(9) "]}"), 0);
    assert_int_equal(taken, 1);
}

static void an_empty_array_as_data_makes_no_bulk_of_an_event(void **state)
{
    (void)state;
    /* The vendor's page calls the type of `data` an array (event reference 2.1). */
    assert_int_equal(read_body("{\"node\":\"n\",\"seq\":1,\"time\":1.5,\"event\":"
                               "\"eventsink_started\",\"data\":[]}"),
                     0);
    assert_int_equal(taken, 1);
    assert_int_equal(events[0].kind, PXR_EVENT_SINK_STARTED);
}

static void rubbish_in_a_bulk_costs_only_itself(void **state)
{
    static const char *const rubbish[] = {
        "5",
        "null",
        "\"text\"",
        "[]",
        "[1,[2]]",
        "{}",
        "{\"event\":5}",
        "nonsense",
        "{\"a\":nan}",
        "{\"event\":\"x\",\"data\":{\"a\":1}",
        "{\"event\":\"x\",\"data\":}",
        "{\"event\":\"x\"]",
        "{\"a\":1}}",
        "{\"event\" \"x\"}",
        "{'event':'x'}",
        "{\"a\":01}",
        "}",
        "{\"a\":[1,2}",
        "{\"event\":\"x\",,}",
        "\x01",
        "\xff\xfe",
        "{\"a\":\xff}",
        "{event:x}",
        "{\"a\":--1}",
        "{",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rubbish); i++) {
        char body[512];
        snprintf(body, sizeof(body), "{\"event\":\"eventsink_bulk\",\"data\":[%s,%s,%s]}", SINK(1),
                 rubbish[i], SINK(2));
        CHECK(read_body(body) >= 1, "%s", rubbish[i]);
        CHECK(taken == 2 && events[0].seq == 1 && events[1].seq == 2, "%s: %zu events", rubbish[i],
              taken);
    }
}

static void bytes_no_json_may_contain_do_not_cost_their_event(void **state)
{
    static const char *const names[] = {
        "a\xff"
        "b",
        "a\xc3",
        "\xed\xa0\x80",
        "\xc0\x80",
        "a\\u0000b",
        "\\ud800",
        "\\udc00x",
        "\\ud83d\\n",
        "\\ud800\\ud800",
        "\\uDBFF\\u0041",
        "a\x01"
        "b",
        "a\nb",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char body[512];
        snprintf(body, sizeof(body), LEG(",\"display_name\":\"%s\",\"has_media\":true"), names[i]);
        CHECK(read_body(body) == 0 && taken == 1, "name %zu", i);
        CHECK(events[0].has_media == PXR_YES && strcmp(events[0].uuid, "u1") == 0, "name %zu", i);
        CHECK(pxr_utf8_valid(events[0].name, strlen(events[0].name)), "name %zu", i);
        CHECK(events[0].name[0] != '\0', "name %zu", i);
    }
    assert_int_equal(read_body(LEG(",\"display_name\":\"\\uD83D\\uDE00 \\\"q\\\\ \\u00e9\"")), 0);
    assert_string_equal(events[0].name, "\xf0\x9f\x98\x80 \"q\\ \xc3\xa9");
}

static void numbers_beyond_all_range_are_unsaid_and_cost_nothing_else(void **state)
{
    static const char *const numbers[] = {
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "1e999",
        "-1e999",
        "1E+400",
        "-99999999999999999999",
        "1e00000000000000000000999",
    };
    char digits[512];
    char body[1024];

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        snprintf(body, sizeof(body), LEG(",\"x\":%s,\"connect_time\":%s"), numbers[i], numbers[i]);
        CHECK(read_body(body) == 0 && taken == 1, "%s", numbers[i]);
        CHECK(events[0].connect_time == 0 && events[0].seq == 7, "%s", numbers[i]);
    }
    memset(digits, '9', 400);
    digits[400] = '\0';
    snprintf(body, sizeof(body), LEG(",\"connect_time\":%s"), digits);
    assert_int_equal(read_body(body), 0);
    assert_int_equal(taken, 1);
    assert_int_equal(read_body("{\"event\":\"x\",\"seq\":4294967297}"), 0);
    assert_true(events[0].seq == UINT64_C(4294967297));
    assert_int_equal(read_body("{\"event\":\"x\",\"seq\":99999999999999999999}"), 0);
    assert_true(events[0].seq == 0);
}

static void a_number_with_a_point_may_be_beyond_all_range_too(void **state)
{
    char body[1024];
    char digits[512];

    (void)state;
    memset(digits, '9', 400);
    strcpy(digits + 400, ".5");
    snprintf(body, sizeof(body), LEG(",\"connect_time\":%s"), digits);
    assert_int_equal(read_body(body), 0);
    assert_int_equal(taken, 1);
    strcpy(digits + 250, ".0e99");
    snprintf(body, sizeof(body), LEG(",\"connect_time\":%s"), digits);
    assert_int_equal(read_body(body), 0);
    assert_int_equal(taken, 1);
}

static void numbers_in_texts_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(read_body(LEG(",\"display_name\":\"1e999 99999999999999999999\"")), 0);
    assert_string_equal(events[0].name, "1e999 99999999999999999999");
}

static void repeated_members_cost_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_body("[" LEG(",\"uuid\":\"u1\",\"x\":1,\"x\":2") "," SINK(2) "]"), 0);
    assert_int_equal(taken, 2);
}

static void bodies_without_any_event_fail_once(void **state)
{
    static const char *const bodies[] = {"",
                                         " ",
                                         "x",
                                         "5",
                                         "\"{}\"",
                                         "null",
                                         "{",
                                         "}",
                                         "{}",
                                         "{\"event\":null}",
                                         "{\"event\":\"x\"",
                                         "{\"event\"",
                                         "{\"event\":\"x\"\"data\":{}}",
                                         "\xff",
                                         "\xef\xbb\xbf"};

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        CHECK(read_body(bodies[i]) == 1 && taken == 0, "%s", bodies[i]);
    }
    assert_int_equal(read_bytes("\0", 1), 1);
}

static void the_sink_can_stop_it(void **state)
{
    char body[] = "[" SINK(1) "," SINK(2) "," SINK(3) "]";

    (void)state;
    taken = 0;
    wanted = 2;
    assert_int_equal(pxr_json_read_events(body, strlen(body), sink, events), 0);
    assert_int_equal(taken, 2);
}

/* A body of two events, one with an array nested `depth` times, objects around it included. */
static size_t read_deep(size_t depth)
{
    static char body[8192];
    size_t len = (size_t)snprintf(body, sizeof(body), "[{\"event\":\"x\",\"data\":{\"a\":");

    memset(body + len, '[', depth - 2);
    memset(body + len + depth - 2, ']', depth - 2);
    len += 2 * (depth - 2);
    len += (size_t)snprintf(body + len, sizeof(body) - len, "}},%s]", SINK(2));
    return read_bytes(body, len);
}

static void depth_has_a_limit_that_costs_only_its_event(void **state)
{
    (void)state;
    assert_int_equal(read_deep(PXR_EVENT_DEPTH_MAX), 0);
    assert_int_equal(taken, 2);
    assert_true(read_deep(PXR_EVENT_DEPTH_MAX + 1) >= 1);
    assert_int_equal(taken, 1);
    assert_true(read_deep(3000) >= 1);
    assert_true(taken == 1 && events[0].seq == 2);
}

static void an_event_too_large_costs_only_itself(void **state)
{
    size_t size = PXR_EVENT_MAX + 1024;
    char *body = malloc(size);
    size_t len = (size_t)snprintf(body, size, "[{\"event\":\"x\",\"a\":\"");

    (void)state;
    memset(body + len, 'x', PXR_EVENT_MAX);
    len += PXR_EVENT_MAX;
    len += (size_t)snprintf(body + len, size - len, "\"},%s]", SINK(2));
    assert_int_equal(read_bytes(body, len), 1);
    assert_int_equal(taken, 1);
    assert_int_equal(events[0].seq, 2);
    free(body);
}

static void no_truncation_breaks_it(void **state)
{
    static const char body[] = "{\"event\":\"eventsink_bulk\",\"seq\":0,\"data\":[" SINK(1) "," LEG(
        ",\"display_name\":\"\\ud83d\\ude00\\u0000 "
        "\xc3\xb8\\\\\\\"\",\"x\":-1.5e+10") "," SINK(3) "],\"time\":1e5}";
    size_t before = 0;

    (void)state;
    for (size_t len = 0; len < sizeof(body); len++) {
        read_bytes(body, len < sizeof(body) - 1 ? len : sizeof(body) - 1);
        CHECK(taken >= before && taken <= 3, "length %zu: %zu events", len, taken);
        before = taken;
    }
    assert_int_equal(before, 3);
}

static void changed_bytes_never_break_it(void **state)
{
    static const char body[] = "{\"event\":\"eventsink_bulk\",\"data\":[" SINK(1) "," LEG(
        ",\"display_name\":\"\\ud83d\\ude00\\u0000 \xc3\xb8\"") "," SINK(3) "]}";
    static const char bytes[] = "\"\\{}[],:0u-e\xff\xc3\0 n";
    uint64_t seed = 17;
    unsigned complete = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char copy[sizeof(body)];
        memcpy(copy, body, sizeof(body));
        for (uint32_t i = 0, changes = 1 + dice(&seed, 3); i < changes; i++) {
            copy[dice(&seed, sizeof(body) - 1)] = bytes[dice(&seed, sizeof(bytes) - 1)];
        }
        read_bytes(copy, sizeof(body) - 1);
        assert_true(taken <= 4);
        complete += taken == 3;
    }
    assert_true(complete > 1000 && complete < 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leg_event_is_read_completely),
        cmocka_unit_test(the_way_in_is_read),
        cmocka_unit_test(what_is_unsaid_or_nonsense_is_empty),
        cmocka_unit_test(members_that_are_never_closed_cost_no_later_one),
        cmocka_unit_test(an_envelope_may_lack_everything_but_its_name),
        cmocka_unit_test(texts_too_long_to_be_ours_are_nothing_and_names_are_cut),
        cmocka_unit_test(all_events_of_a_bulk_are_read_in_order),
        cmocka_unit_test(an_empty_array_as_data_makes_no_bulk_of_an_event),
        cmocka_unit_test(rubbish_in_a_bulk_costs_only_itself),
        cmocka_unit_test(bytes_no_json_may_contain_do_not_cost_their_event),
        cmocka_unit_test(numbers_beyond_all_range_are_unsaid_and_cost_nothing_else),
        cmocka_unit_test(a_number_with_a_point_may_be_beyond_all_range_too),
        cmocka_unit_test(numbers_in_texts_are_left_alone),
        cmocka_unit_test(repeated_members_cost_nothing),
        cmocka_unit_test(bodies_without_any_event_fail_once),
        cmocka_unit_test(the_sink_can_stop_it),
        cmocka_unit_test(depth_has_a_limit_that_costs_only_its_event),
        cmocka_unit_test(an_event_too_large_costs_only_itself),
        cmocka_unit_test(no_truncation_breaks_it),
        cmocka_unit_test(changed_bytes_never_break_it),
    };

    pxr_json_init();
    return RUN(tests);
}
