#include "helpers.h"

#include <stdlib.h>

#include "pxr_roster.h"

#define MOST 600

static pxr_roster_leg_t legs[MOST];
static size_t count;
static pxr_person_t people[MOST];

static uint64_t key_of(const char *uuid)
{
    uint64_t key = UINT64_C(14695981039346656037);

    for (; *uuid != '\0'; uuid++) {
        key = (key ^ (unsigned char)*uuid) * UINT64_C(1099511628211);
    }
    return key;
}

/* A leg with media that joined at `seconds`. */
static pxr_leg_t *add(const char *uuid, const char *name, int seconds)
{
    pxr_roster_leg_t *leg = &legs[count++];

    memset(leg, 0, sizeof(*leg));
    strcpy(leg->leg.uuid, uuid);
    strcpy(leg->name, name);
    strcpy(leg->leg.protocol, "WebRTC");
    leg->leg.service = PXR_SERVICE_ROOM;
    leg->leg.has_media = PXR_YES;
    leg->leg.connected_at = seconds;
    leg->key = key_of(uuid);
    return &leg->leg;
}

static pxr_leg_t *add_control(const char *uuid, const char *name, int seconds)
{
    pxr_leg_t *leg = add(uuid, name, seconds);

    strcpy(leg->protocol, "API");
    leg->has_media = PXR_NO;
    return leg;
}

static size_t group(size_t max)
{
    size_t entries = pxr_roster_index_size(count);
    uint32_t *index = malloc(entries * sizeof(*index));
    size_t persons;

    assert_non_null(index);
    memset(index, 0x5A, entries * sizeof(*index));
    memset(people, 0, sizeof(people));
    persons = pxr_roster_people(legs, count, index, people, max);
    free(index);
    return persons;
}

static int clear(void **state)
{
    (void)state;
    count = 0;
    return 0;
}

static void nobody_is_nobody(void **state)
{
    uint32_t *none = malloc(pxr_roster_index_size(0) * sizeof(*none));

    (void)state;
    assert_non_null(none);
    assert_int_equal(group(MOST), 0);
    /* Of a meeting to which nobody has ever come there are no legs at all. */
    assert_int_equal(pxr_roster_people(NULL, 0, none, NULL, 0), 0);
    free(none);
}

static void people_come_in_the_order_of_their_arrival(void **state)
{
    (void)state;
    add("c", "Chris", 30);
    add("a", "Anna", 10);
    add("b2", "Bea", 20);
    add("b1", "Boris", 20);
    assert_int_equal(group(MOST), 4);
    assert_string_equal(people[0].name, "Anna");
    assert_string_equal(people[1].name, "Boris"); /* the uuid decides between equals */
    assert_string_equal(people[2].name, "Bea");
    assert_string_equal(people[3].name, "Chris");
    assert_string_equal(people[0].id, "a");
    assert_true(people[3].connected_at == 30);
    assert_string_equal(people[3].protocol, "WebRTC");
}

static void legs_of_one_conversation_are_one_person(void **state)
{
    (void)state;
    add_control("u1", "Anna (joining)", 1)->conversation = key_of("c1");
    add("u2", "Anna", 2)->conversation = key_of("c1");
    add("u3", "Boris", 3)->conversation = key_of("c2");
    assert_int_equal(group(MOST), 2);
    assert_string_equal(people[0].id, "u1");
    assert_string_equal(people[0].name, "Anna"); /* of the leg in the room */
    assert_string_equal(people[0].protocol, "WebRTC");
    assert_true(people[0].connected_at == 1);
}

static void a_conversation_may_be_named_after_a_leg(void **state)
{
    (void)state;
    add_control("u1", "Anna", 1);
    add("u2", "Anna", 2)->conversation = key_of("u1");
    assert_int_equal(group(MOST), 1);
}

static void related_legs_are_one_person_in_either_direction_and_over_others(void **state)
{
    (void)state;
    add("u1", "Anna", 1);
    add("u2", "Anna", 2)->related[0] = key_of("u1");
    add("u3", "Anna", 3)->related[PXR_RELATED_MAX - 1] = key_of("u2");
    add("w1", "Boris", 4)->related[0] = key_of("w2");
    add("w2", "Boris", 5);
    /* Two legs that only know a third one, which is not here. */
    add("x1", "Chris", 6)->related[1] = key_of("gone");
    add("x2", "Chris", 7)->related[0] = key_of("gone");
    assert_int_equal(group(MOST), 3);
    assert_string_equal(people[0].id, "u1");
    assert_string_equal(people[1].id, "w1");
    assert_string_equal(people[2].id, "x1");
}

static void a_late_leg_unites_two_groups(void **state)
{
    (void)state;
    add("a", "Anna", 1);
    add("b", "Boris", 2);
    add("c", "Anna", 3);
    legs[2].leg.related[0] = key_of("b");
    legs[2].leg.related[1] = key_of("a");
    assert_int_equal(group(MOST), 1);
    assert_string_equal(people[0].id, "a");
}

static void unsaid_keys_unite_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char uuid[16];
        snprintf(uuid, sizeof(uuid), "u%d", i);
        add(uuid, "same name", i);
    }
    assert_int_equal(group(MOST), 5);
}

static void who_is_not_in_the_room_is_no_person(void **state)
{
    (void)state;
    add_control("bot", "Bot", 1);
    add("waiting", "Waiting", 2)->service = PXR_SERVICE_JOINING;
    add("recorder", "Recorder", 3)->is_streaming = PXR_YES;
    add("u1", "Anna", 4);
    assert_int_equal(group(MOST), 1);
    assert_string_equal(people[0].name, "Anna");
}

static void one_leg_in_the_room_makes_the_group_a_person(void **state)
{
    (void)state;
    add_control("u1", "Anna", 1)->conversation = 7;
    add_control("u2", "Anna", 2)->conversation = 7;
    add("u3", "", 3)->conversation = 7;
    assert_int_equal(group(MOST), 1);
    assert_string_equal(people[0].name, "Anna"); /* what is unsaid replaces nothing */
    assert_string_equal(people[0].protocol, "WebRTC");
}

static void the_protocol_of_a_leg_with_media_is_not_lost_to_an_unsaid_one(void **state)
{
    (void)state;
    add("u1", "Anna", 1)->conversation = 7;
    add("u2", "Anna", 2)->conversation = 7;
    legs[1].leg.protocol[0] = '\0';
    assert_int_equal(group(MOST), 1);
    assert_string_equal(people[0].protocol, "WebRTC");
}

static void role_is_the_highest_and_quality_the_worst_of_the_legs(void **state)
{
    pxr_leg_t *leg;

    (void)state;
    leg = add("u1", "Anna", 1);
    leg->conversation = 7;
    leg->role = PXR_ROLE_HOST;
    leg->quality = PXR_QUALITY_GOOD;
    leg->worst_quality = PXR_QUALITY_TERRIBLE;
    leg = add("u2", "Anna", 2);
    leg->conversation = 7;
    leg->role = PXR_ROLE_GUEST;
    leg->quality = PXR_QUALITY_BAD;
    add("u3", "Boris", 3)->role = PXR_ROLE_UNKNOWN;
    assert_int_equal(group(MOST), 2);
    assert_int_equal(people[0].role, PXR_ROLE_HOST);
    assert_int_equal(people[0].quality, PXR_QUALITY_BAD);
    assert_int_equal(people[1].role, PXR_ROLE_UNKNOWN);
    assert_int_equal(people[1].quality, PXR_QUALITY_UNKNOWN);
}

static void all_are_counted_and_no_more_written_than_wanted(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char uuid[16];
        snprintf(uuid, sizeof(uuid), "u%d", i);
        add(uuid, uuid, i);
    }
    assert_int_equal(group(3), 10);
    assert_string_equal(people[2].name, "u2");
    assert_null(people[3].id);
    assert_int_equal(group(0), 10);
    assert_null(people[0].id);
}

static void keys_that_collide_in_the_index_are_told_apart(void **state)
{
    (void)state;
    /* The same low bits in all keys. */
    for (uint64_t i = 0; i < 300; i++) {
        char uuid[16];
        snprintf(uuid, sizeof(uuid), "u%03d", (int)i);
        add(uuid, uuid, (int)i);
        legs[i].key = (i + 1) << 40 | 0xFFFFF;
        legs[i].leg.conversation = (i / 2 + 1) << 20 | 0xFFFFF | UINT64_C(1) << 63;
    }
    assert_int_equal(group(MOST), 150);
    assert_string_equal(people[149].id, "u298");
}

static void every_leg_with_all_its_keys_has_room_in_the_index(void **state)
{
    (void)state;
    for (int i = 0; i < MOST; i++) {
        char uuid[16];
        pxr_leg_t *leg;
        snprintf(uuid, sizeof(uuid), "u%d", i);
        leg = add(uuid, uuid, i);
        leg->conversation = UINT64_C(1) << 32 | (unsigned)i;
        for (unsigned r = 0; r < PXR_RELATED_MAX; r++) {
            leg->related[r] = UINT64_C(2) << 32 | ((unsigned)i * PXR_RELATED_MAX + r);
        }
    }
    assert_true(pxr_roster_index_size(MOST) > MOST * (2 + PXR_RELATED_MAX));
    assert_int_equal(group(MOST), MOST);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_nobody),
        TEST(people_come_in_the_order_of_their_arrival),
        TEST(legs_of_one_conversation_are_one_person),
        TEST(a_conversation_may_be_named_after_a_leg),
        TEST(related_legs_are_one_person_in_either_direction_and_over_others),
        TEST(a_late_leg_unites_two_groups),
        TEST(unsaid_keys_unite_nobody),
        TEST(who_is_not_in_the_room_is_no_person),
        TEST(one_leg_in_the_room_makes_the_group_a_person),
        TEST(the_protocol_of_a_leg_with_media_is_not_lost_to_an_unsaid_one),
        TEST(role_is_the_highest_and_quality_the_worst_of_the_legs),
        TEST(all_are_counted_and_no_more_written_than_wanted),
        TEST(keys_that_collide_in_the_index_are_told_apart),
        TEST(every_leg_with_all_its_keys_has_room_in_the_index),
    };

    return RUN(tests);
}
