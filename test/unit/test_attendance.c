#include "helpers.h"

#include "pxr_hash.h"
#include "pxr_history.h"

#define MOST 400

static pxr_roster_leg_t legs[MOST];
static size_t count;
static pxr_attendee_t people[MOST];

/* A leg with media, there from one second to another. */
static pxr_leg_t *add(const char *uuid, const char *name, int from, int to)
{
    pxr_roster_leg_t *leg = &legs[count++];

    memset(leg, 0, sizeof(*leg));
    strcpy(leg->leg.uuid, uuid);
    strcpy(leg->name, name);
    strcpy(leg->leg.protocol, "WebRTC");
    leg->leg.service = PXR_SERVICE_ROOM;
    leg->leg.has_media = PXR_YES;
    leg->leg.connected_at = from * PXR_SECOND;
    leg->leg.left_at = to * PXR_SECOND;
    leg->key = pxr_hash_text(uuid);
    return &leg->leg;
}

static pxr_leg_t *add_of(const char *uuid, uint64_t conversation, int from, int to)
{
    pxr_leg_t *leg = add(uuid, "Anna", from, to);

    leg->conversation = conversation;
    return leg;
}

static pxr_leg_t *add_control(const char *uuid, uint64_t conversation, int from, int to)
{
    pxr_leg_t *leg = add_of(uuid, conversation, from, to);

    strcpy(leg->protocol, "API");
    leg->has_media = PXR_NO;
    return leg;
}

static size_t attend(void)
{
    size_t entries = pxr_roster_index_size(count);
    uint32_t *index = malloc(entries * sizeof(*index));
    size_t persons;

    assert_non_null(index);
    memset(index, 0x5A, entries * sizeof(*index));
    memset(people, 0x5A, sizeof(people));
    persons = pxr_attendance(legs, count, index, people, MOST);
    free(index);
    return persons;
}

static void was_there(size_t i, int from, int to, int present)
{
    CHECK(people[i].connected_at == from * PXR_SECOND && people[i].left_at == to * PXR_SECOND &&
              people[i].present == present * PXR_SECOND,
          "person %zu: from %lld to %lld, present %lld", i,
          (long long)(people[i].connected_at / PXR_SECOND),
          (long long)(people[i].left_at / PXR_SECOND), (long long)(people[i].present / PXR_SECOND));
}

static int clear(void **state)
{
    (void)state;
    count = 0;
    return 0;
}

static void nobody_came(void **state)
{
    (void)state;
    assert_int_equal(attend(), 0);
}

static void a_leg_is_a_person_with_all_that_is_known(void **state)
{
    pxr_leg_t *leg;

    (void)state;
    leg = add("u1", "Anna", 100, 160);
    leg->role = PXR_ROLE_HOST;
    leg->quality = PXR_QUALITY_GOOD;
    leg->worst_quality = PXR_QUALITY_BAD;
    add("u2", "Boris", 90, 95);
    assert_int_equal(attend(), 2);
    assert_string_equal(people[0].name, "Boris");
    was_there(0, 90, 95, 5);
    assert_string_equal(people[1].id, "u1");
    assert_string_equal(people[1].protocol, "WebRTC");
    assert_int_equal(people[1].role, PXR_ROLE_HOST);
    assert_int_equal(people[1].quality, PXR_QUALITY_BAD);
    was_there(1, 100, 160, 60);
}

static void legs_that_overlap_count_once(void **state)
{
    (void)state;
    add_of("u1", 7, 100, 200);
    add_of("u2", 7, 150, 250);
    add_of("u3", 7, 160, 170);
    assert_int_equal(attend(), 1);
    was_there(0, 100, 250, 150);
}

static void a_short_absence_is_none_and_a_long_one_is_taken_off(void **state)
{
    (void)state;
    add_of("u1", 7, 100, 200);
    add_of("u2", 7, 209, 300); /* handed over */
    add_of("u3", 7, 310, 400); /* away */
    assert_int_equal(attend(), 1);
    was_there(0, 100, 400, 290);
}

static void the_order_in_which_legs_are_handed_in_does_not_matter(void **state)
{
    uint64_t seed = 20261122;

    (void)state;
    for (int round = 0; round < 50; round++) {
        count = 0;
        add_of("u1", 7, 100, 200);
        add_of("u2", 7, 209, 300);
        add_of("u3", 7, 310, 400);
        add_of("u4", 7, 120, 130);
        add_control("u5", 7, 50, 500);
        for (size_t i = count - 1; i > 0; i--) {
            size_t other = dice(&seed, (uint32_t)i + 1);
            pxr_roster_leg_t swap = legs[i];
            legs[i] = legs[other];
            legs[other] = swap;
        }
        assert_int_equal(attend(), 1);
        assert_string_equal(people[0].id, "u5");
        was_there(0, 100, 400, 290);
    }
}

static void who_comes_again_with_another_conversation_is_told_again(void **state)
{
    (void)state;
    add_of("u1", 7, 100, 200);
    add_of("u2", 8, 202, 300);
    assert_int_equal(attend(), 2);
    was_there(0, 100, 200, 100);
    was_there(1, 202, 300, 98);
}

static void a_control_connection_is_no_person_and_no_presence(void **state)
{
    (void)state;
    add_control("a1", 7, 10, 900);
    add_of("u1", 7, 100, 160);
    add_control("a2", 8, 10, 900);
    assert_int_equal(attend(), 1);
    assert_string_equal(people[0].id, "a1"); /* as in the roster */
    assert_string_equal(people[0].protocol, "WebRTC");
    was_there(0, 100, 160, 60);
}

static void who_never_came_in_is_no_person(void **state)
{
    (void)state;
    add("u1", "Waiting", 1, 50)->service = PXR_SERVICE_JOINING;
    add("u2", "Test", 1, 50)->service = PXR_SERVICE_OTHER;
    add("u3", "Recorder", 1, 50)->is_streaming = PXR_YES;
    assert_int_equal(attend(), 0);
}

static void clocks_that_disagree_make_no_negative_time(void **state)
{
    (void)state;
    add("u1", "Anna", 100, 90);
    add("u2", "Boris", 100, 0);
    add("u3", "Carla", 0, 90);
    add_of("u4", 7, 100, 50);
    add_of("u5", 7, 103, 104);
    assert_int_equal(attend(), 4);
    assert_string_equal(people[0].name, "Carla");
    was_there(0, 0, 0, 0);
    was_there(1, 100, 100, 0);
    was_there(2, 100, 100, 0);
    was_there(3, 100, 104, 4);
}

static void seconds_are_rounded_and_a_meeting_without_anybody_has_none(void **state)
{
    pxr_past_t past = {.started_at = 10 * PXR_SECOND, .ended_at = 12 * PXR_SECOND};

    (void)state;
    assert_int_equal(pxr_past_duration(&past), 2 * PXR_SECOND);
    past.ended_at = 9 * PXR_SECOND;
    assert_int_equal(pxr_past_duration(&past), 0);
    past = (pxr_past_t){.ended_at = 9 * PXR_SECOND};
    assert_int_equal(pxr_past_duration(&past), 0);
    assert_int_equal(pxr_seconds(0), 0);
    assert_int_equal(pxr_seconds(1499999), 1);
    assert_int_equal(pxr_seconds(1500000), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_came),
        TEST(a_leg_is_a_person_with_all_that_is_known),
        TEST(legs_that_overlap_count_once),
        TEST(a_short_absence_is_none_and_a_long_one_is_taken_off),
        TEST(the_order_in_which_legs_are_handed_in_does_not_matter),
        TEST(who_comes_again_with_another_conversation_is_told_again),
        TEST(a_control_connection_is_no_person_and_no_presence),
        TEST(who_never_came_in_is_no_person),
        TEST(clocks_that_disagree_make_no_negative_time),
        TEST(seconds_are_rounded_and_a_meeting_without_anybody_has_none),
    };

    return RUN(tests);
}
