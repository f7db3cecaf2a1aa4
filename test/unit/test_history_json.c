#include "helpers.h"

#include <jansson.h>

#include "pxr_json.h"

#define NOON INT64_C(1795341600000000) /* 2026-11-22T10:00:00Z */

static pxr_past_t meeting(void)
{
    pxr_past_t past = {.id = "Meeting0001",
                       .number = "",
                       .created_at = NOON - PXR_SECOND,
                       .started_at = NOON,
                       .ended_at = NOON + 90 * PXR_SECOND};

    past.details.text[PXR_TITLE] = "\"Hostile\" \xE2\x80\xA8 \x01</script>";
    past.details.text[PXR_ROOM_ID] = "R1";
    past.details.len[PXR_ROOM_ID] = 2;
    past.details.text[PXR_CREATOR_ID] = "U1";
    past.details.len[PXR_CREATOR_ID] = 2;
    past.details.text[PXR_CREATOR_USERNAME] = "nina";
    return past;
}

/* The page, parsed. */
static json_t *page(const pxr_past_t *meetings, size_t count, const char *next)
{
    pxr_json_history_t *list = pxr_json_history_new();
    char *text;
    json_t *json;

    assert_non_null(list);
    for (size_t i = 0; i < count; i++) {
        pxr_json_history_add(list, &meetings[i]);
    }
    text = pxr_json_history_end(list, next);
    assert_non_null(text);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json != NULL, "no JSON: %s", text);
    pxr_json_text_free(text);
    return json;
}

static void an_empty_page_is_a_page(void **state)
{
    json_t *json = page(NULL, 0, NULL);

    (void)state;
    assert_int_equal(json_array_size(json_object_get(json, "meetings")), 0);
    assert_true(json_is_null(json_object_get(json, "next")));
    json_decref(json);
}

static const json_t *member(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    CHECK(value != NULL, "%s is missing", name);
    return value;
}

static void is_text(const json_t *json, const char *name, const char *wanted)
{
    const json_t *value = member(json, name);

    if (wanted == NULL) {
        CHECK(json_is_null(value), "%s is not null", name);
    } else {
        CHECK(json_is_string(value) && strcmp(json_string_value(value), wanted) == 0,
              "%s is not '%s'", name, wanted);
    }
}

static void a_meeting_reads_as_in_the_list(void **state)
{
    pxr_attendee_t person = {.id = "u1",
                             .name = "Anna \"A\"",
                             .protocol = "",
                             .role = PXR_ROLE_HOST,
                             .quality = PXR_QUALITY_BAD,
                             .connected_at = NOON,
                             .left_at = NOON + 60 * PXR_SECOND,
                             .present = 50 * PXR_SECOND};
    pxr_past_t past = meeting();
    json_t *json;
    const json_t *one;
    const json_t *anna;

    (void)state;
    past.people = &person;
    past.people_count = 1;
    json = page(&past, 1, "123.abc");
    is_text(json, "next", "123.abc");
    one = json_array_get(json_object_get(json, "meetings"), 0);
    is_text(one, "id", "Meeting0001");
    is_text(one, "title", past.details.text[PXR_TITLE]);
    is_text(one, "state", "ended");
    assert_true(json_is_false(member(one, "inferred")));
    is_text(one, "numeric_alias", NULL);
    is_text(member(one, "room"), "id", "R1");
    is_text(member(one, "room"), "name", NULL);
    is_text(member(one, "creator"), "username", "nina");
    assert_true(json_is_null(member(one, "discussion")));
    is_text(one, "created_at", "2026-11-22T09:59:59.000Z");
    is_text(one, "not_before", NULL);
    is_text(one, "not_after", NULL);
    is_text(one, "started_at", "2026-11-22T10:00:00.000Z");
    is_text(one, "ended_at", "2026-11-22T10:01:30.000Z");
    assert_int_equal(json_integer_value(member(one, "duration_seconds")), 90);
    assert_int_equal(json_integer_value(member(one, "participant_count")), 1);
    anna = json_array_get(member(one, "participants"), 0);
    is_text(anna, "id", "u1");
    is_text(anna, "name", "Anna \"A\"");
    is_text(anna, "role", "host");
    is_text(anna, "protocol", NULL);
    is_text(anna, "connected_at", "2026-11-22T10:00:00.000Z");
    is_text(anna, "left_at", "2026-11-22T10:01:00.000Z");
    assert_int_equal(json_integer_value(member(anna, "duration_seconds")), 50);
    is_text(anna, "quality", "bad");
    assert_null(json_object_get(one, "pins"));
    assert_null(json_object_get(one, "join_url"));
    json_decref(json);
}

static void a_meeting_that_nobody_joined_has_nobody(void **state)
{
    pxr_past_t past = meeting();
    json_t *json;
    const json_t *one;

    (void)state;
    past.started_at = 0;
    json = page(&past, 1, NULL);
    one = json_array_get(json_object_get(json, "meetings"), 0);
    is_text(one, "started_at", NULL);
    assert_int_equal(json_integer_value(member(one, "duration_seconds")), 0);
    assert_int_equal(json_array_size(member(one, "participants")), 0);
    json_decref(json);
}

static void a_long_page_keeps_its_order(void **state)
{
    enum { MANY = 1000 };
    static pxr_past_t meetings[MANY];
    static char ids[MANY][24];
    json_t *json;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(ids[i], sizeof(ids[i]), "Meeting%04d", i);
        meetings[i] = meeting();
        meetings[i].id = ids[i];
    }
    json = page(meetings, MANY, NULL);
    for (size_t i = 0; i < MANY; i++) {
        is_text(json_array_get(json_object_get(json, "meetings"), i), "id", ids[i]);
    }
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_page_is_a_page),
        cmocka_unit_test(a_meeting_reads_as_in_the_list),
        cmocka_unit_test(a_meeting_that_nobody_joined_has_nobody),
        cmocka_unit_test(a_long_page_keeps_its_order),
    };

    return RUN(tests);
}
