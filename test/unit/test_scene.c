#include "stage.h"

#define A "10.0.0.1"
#define B "10.0.0.2"

static stage_t stage;

static void begin(void)
{
    stage_begin(&stage, AT(0), 0);
}

/* Delivers at once: our clock is the node's. */
static unsigned play(pxr_event_t event)
{
    unsigned changed = stage_hear(&stage, &event, event.time);

    stage_check(&stage);
    return changed;
}

static unsigned play_leg(pxr_event_kind_t kind, const char *node, uint64_t seq, double seconds,
                         const char *uuid)
{
    return play(leg_event(kind, node, seq, seconds, uuid));
}

static unsigned play_conference(pxr_event_kind_t kind, const char *node, uint64_t seq,
                                double seconds, double start)
{
    pxr_event_t event = event_of(kind, node, seq, seconds);

    event.start_time = AT(start);
    event.end_time = kind == PXR_EVENT_CONFERENCE_ENDED ? event.time : 0;
    return play(event);
}

static void a_started_node_makes_the_meeting_live(void **state)
{
    (void)state;
    begin();
    assert_int_equal(play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 5, 4),
                     PXR_CHANGED_MEETING | PXR_CHANGED_SHARE);
    assert_int_equal(stage.meeting.state, PXR_MEETING_LIVE);
    assert_int_equal(stage.meeting.shares, 1);
    assert_true(stage.meeting.started_at == AT(4));
}

static void the_meeting_ends_with_its_last_node_only(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 5, 5);
    play_conference(PXR_EVENT_CONFERENCE_STARTED, B, 1, 6, 6);
    play_leg(PXR_EVENT_CONNECTED, B, 2, 7, "u1");
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 2, 10, 5);
    assert_false(stage_tick(&stage, AT(10000)));
    play_conference(PXR_EVENT_CONFERENCE_ENDED, B, 3, 10001, 6);
    assert_false(stage_counts(&stage, "u1"));
    assert_true(stage_tick(&stage, AT(10011)));
    assert_int_equal(stage.meeting.state, PXR_MEETING_ENDED);
    assert_true(stage.meeting.started_at == AT(5) && stage.meeting.ended_at == AT(10001));
    assert_false(stage.meeting.inferred);
}

static void a_leg_alone_makes_the_meeting_live(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_UPDATED, A, 9, 5, "u1");
    assert_int_equal(stage.meeting.state, PXR_MEETING_LIVE);
    assert_int_equal(stage.meeting.shares, 1);
    assert_int_equal(stage.meeting.present, 1);
}

static void a_farewell_alone_never_makes_it_live(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_DISCONNECTED, A, 9, 5, "u1");
    assert_int_equal(stage.meeting.state, PXR_MEETING_OPEN);
    /* The connect that it overtook is no news any more. */
    assert_int_equal(play_leg(PXR_EVENT_CONNECTED, A, 8, 4, "u1"), 0);
    assert_int_equal(stage.meeting.state, PXR_MEETING_OPEN);
}

static void an_end_whose_beginning_was_lost_ends_it(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 9, 50, 5);
    assert_int_equal(stage.meeting.state, PXR_MEETING_LIVE);
    assert_true(stage_tick(&stage, AT(60)));
    assert_int_equal(stage.meeting.state, PXR_MEETING_ENDED);
    assert_true(stage.meeting.started_at == AT(5) && stage.meeting.ended_at == AT(50));
}

static void people_are_counted_from_joining_to_farewell(void **state)
{
    pxr_event_t event;

    (void)state;
    begin();
    event = leg_event(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    event.service = PXR_SERVICE_JOINING;
    event.has_media = PXR_NO;
    strcpy(event.protocol, "API");
    play(event);
    assert_true(stage_counts(&stage, "u1"));
    assert_false(pxr_leg_in_room(&stage.legs[0]));
    play_leg(PXR_EVENT_UPDATED, A, 2, 2, "u1");
    assert_true(pxr_leg_in_room(&stage.legs[0]));
    assert_int_equal(stage.meeting.present, 1);
    play_leg(PXR_EVENT_DISCONNECTED, A, 3, 30, "u1");
    assert_int_equal(stage.meeting.present, 0);
    assert_true(stage.legs[0].left_at == AT(30));
    assert_true(stage_tick(&stage, AT(90)));
    assert_true(stage.meeting.inferred);
}

static void what_is_no_person_is_no_evidence(void **state)
{
    static const struct {
        const char *protocol;
        pxr_service_t service;
        pxr_answer3_t media, streaming;
        bool in_room, present;
    } cases[] = {
        {"WebRTC", PXR_SERVICE_ROOM, PXR_YES, PXR_NO, true, true},
        {"WebRTC", PXR_SERVICE_ROOM, PXR_UNSAID, PXR_UNSAID, true, true},
        {"", PXR_SERVICE_UNSAID, PXR_UNSAID, PXR_UNSAID, true, true},
        {"SIP", PXR_SERVICE_JOINING, PXR_NO, PXR_NO, false, true},
        {"api", PXR_SERVICE_JOINING, PXR_NO, PXR_NO, false, true},
        {"WebRTC", PXR_SERVICE_ROOM, PXR_NO, PXR_NO, false, false},
        {"RTMP", PXR_SERVICE_ROOM, PXR_YES, PXR_YES, false, false},
        {"RTMP", PXR_SERVICE_JOINING, PXR_YES, PXR_YES, false, false},
        {"API", PXR_SERVICE_ROOM, PXR_YES, PXR_NO, false, false},
        {"BACKPLANE", PXR_SERVICE_ROOM, PXR_YES, PXR_NO, false, false},
        {"SIP", PXR_SERVICE_OTHER, PXR_YES, PXR_NO, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_leg_t leg = {.service = (uint8_t)cases[i].service,
                         .has_media = (uint8_t)cases[i].media,
                         .is_streaming = (uint8_t)cases[i].streaming};
        strcpy(leg.protocol, cases[i].protocol);
        CHECK(pxr_leg_in_room(&leg) == cases[i].in_room, "case %zu", i);
        CHECK(pxr_leg_present(&leg) == cases[i].present, "case %zu", i);
    }
}

static void updates_merge_what_they_say(void **state)
{
    pxr_event_t event;

    (void)state;
    begin();
    event = leg_event(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    strcpy(event.name, "Nina");
    event.has_role = true;
    event.role = PXR_ROLE_HOST;
    strcpy(event.conversation, "c1");
    event.connect_time = AT(0.5);
    play(event);
    event = event_of(PXR_EVENT_UPDATED, A, 2, 2);
    strcpy(event.uuid, "u1");
    play(event);
    assert_string_equal(stage.names[0], "Nina");
    assert_string_equal(stage.legs[0].protocol, "WebRTC");
    assert_int_equal(stage.legs[0].role, PXR_ROLE_HOST);
    assert_int_equal(stage.legs[0].has_media, PXR_YES);
    assert_true(stage.legs[0].conversation == stage_hash("c1"));
    assert_true(stage.legs[0].connected_at == AT(0.5));
    event.seq = 3;
    event.has_role = true;
    event.role = PXR_ROLE_GUEST;
    strcpy(event.name, "Nina B");
    play(event);
    assert_string_equal(stage.names[0], "Nina B");
    assert_int_equal(stage.legs[0].role, PXR_ROLE_GUEST);
}

static void repeated_events_change_nothing_but_when_it_was_heard(void **state)
{
    pxr_event_t script[6];
    stage_t before;

    (void)state;
    begin();
    script[0] = event_of(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1);
    script[1] = leg_event(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    script[2] = leg_event(PXR_EVENT_CONNECTED, A, 3, 3, "u2");
    script[3] = leg_event(PXR_EVENT_DISCONNECTED, A, 4, 4, "u2");
    script[4] = event_of(PXR_EVENT_CONFERENCE_UPDATED, A, 5, 5);
    script[5] = event_of(PXR_EVENT_CONFERENCE_ENDED, A, 6, 6);
    for (size_t i = 0; i < COUNT(script); i++) {
        play(script[i]);
        before = stage;
        for (size_t j = 0; j <= i; j++) {
            stage_hear(&stage, &script[j], AT(100));
            stage_check(&stage);
            assert_int_equal(stage.meeting.present, before.meeting.present);
            assert_int_equal(stage.meeting.shares, before.meeting.shares);
            assert_true(stage.meeting.empty_since == before.meeting.empty_since);
            assert_true(stage.meeting.unhosted_since == before.meeting.unhosted_since);
        }
        before.shares[0].last_at = stage.shares[0].last_at;
        for (size_t leg = 0; leg < stage.leg_count; leg++) {
            before.legs[leg].heard_at = stage.legs[leg].heard_at;
        }
        assert_memory_equal(stage.legs, before.legs, sizeof(stage.legs));
        assert_memory_equal(stage.shares, before.shares, sizeof(stage.shares));
        assert_memory_equal(&stage.meeting, &before.meeting, sizeof(stage.meeting));
    }
}

static void a_repeated_connect_is_no_evidence_for_a_later_hosting(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 3, 3, 1);
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 4, 6, 6);
    assert_false(stage_counts(&stage, "u1"));
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    assert_false(stage_counts(&stage, "u1"));
}

static void late_events_of_a_leg_are_ignored(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    play_leg(PXR_EVENT_DISCONNECTED, A, 9, 9, "u1");
    assert_int_equal(play_leg(PXR_EVENT_UPDATED, A, 5, 5, "u1"), 0);
    assert_int_equal(play_leg(PXR_EVENT_UPDATED, A, 10, 10, "u1"), 0);
    assert_int_equal(stage.meeting.present, 0);
}

static void a_late_farewell_still_counts(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    play_leg(PXR_EVENT_UPDATED, A, 9, 9, "u1");
    play_leg(PXR_EVENT_DISCONNECTED, A, 8, 8, "u1");
    assert_int_equal(stage.meeting.present, 0);
}

static void events_from_before_the_end_of_a_node_do_not_revive_it(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 9, 9, 1);
    assert_int_equal(play_leg(PXR_EVENT_CONNECTED, A, 5, 5, "u1"), 0);
    assert_int_equal(play_conference(PXR_EVENT_CONFERENCE_UPDATED, A, 6, 6, 1), 0);
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    assert_int_equal(stage.meeting.shares, 0);
    assert_true(stage.meeting.started_at == AT(1));
    assert_true(stage_tick(&stage, AT(19)));
}

static void a_node_may_host_it_again(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 2, 9, 1);
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 3, 12, 12);
    assert_int_equal(stage.meeting.shares, 1);
    assert_true(stage.meeting.unhosted_since == 0);
    /* The end of the former hosting, heard once more, does not end this one. */
    assert_int_equal(play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 2, 9, 1), 0);
    assert_int_equal(stage.meeting.shares, 1);
}

static void who_came_before_the_end_is_not_in_the_next_hosting(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 4, 9, 1);
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 5, 12, 12);
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    assert_int_equal(stage.meeting.present, 0);
    /* The same where its beginning is known by somebody who came only. */
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 6, 20, 12);
    play_leg(PXR_EVENT_CONNECTED, A, 9, 30, "u2");
    play_leg(PXR_EVENT_UPDATED, A, 3, 3, "u1");
    assert_int_equal(stage.meeting.present, 1);
}

static void a_crashed_node_loses_its_people_when_it_starts_anew(void **state)
{
    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    play(event_of(PXR_EVENT_SINK_STARTED, A, 1, 50));
    assert_true(stage_counts(&stage, "u1")); /* perhaps only the sink was restarted */
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 2, 51, 51);
    assert_false(stage_counts(&stage, "u1"));
    assert_int_equal(stage.meeting.shares, 1);
    play_leg(PXR_EVENT_CONNECTED, A, 3, 52, "u2");
    assert_int_equal(stage.meeting.present, 1);
}

static void a_crashed_node_loses_its_people_also_when_its_clock_is_put_back(void **state)
{
    pxr_event_t words[] = {
        event_of(PXR_EVENT_SINK_STARTED, A, 1, 1),
        event_of(PXR_EVENT_CONFERENCE_STARTED, A, 2, 500),
        leg_event(PXR_EVENT_CONNECTED, A, 3, 501, "u1"),
        event_of(PXR_EVENT_SINK_STARTED, A, 1, 200),
        event_of(PXR_EVENT_CONFERENCE_STARTED, A, 2, 201),
        leg_event(PXR_EVENT_CONNECTED, A, 3, 202, "u2"),
        leg_event(PXR_EVENT_CONNECTED, A, 3, 202, "u2"), /* repeated */
    };
    pxr_event_t end = event_of(PXR_EVENT_CONFERENCE_ENDED, A, 4, 203);

    (void)state;
    begin();
    for (unsigned i = 0; i < COUNT(words); i++) {
        words[i].start_time = words[i].kind == PXR_EVENT_CONFERENCE_STARTED ? words[i].time : 0;
        stage_hear(&stage, &words[i], AT(500 + i));
        stage_check(&stage);
    }
    assert_false(stage_counts(&stage, "u1"));
    assert_true(stage_counts(&stage, "u2"));
    assert_int_equal(stage.meeting.shares, 1);
    stage_hear(&stage, &end, AT(510));
    assert_int_equal(stage.meeting.shares, 0);
}

static void a_leg_that_moves_is_counted_once(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u2");
    play_leg(PXR_EVENT_UPDATED, B, 1, 10, "u1");
    assert_int_equal(stage.meeting.present, 2);
    assert_int_equal(stage.shares[0].present, 1);
    assert_int_equal(stage.shares[1].present, 1);
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 3, 11, 1);
    assert_true(stage_counts(&stage, "u1"));
    assert_int_equal(stage.meeting.present, 1);
}

static void the_old_nodes_farewell_does_not_take_a_moved_leg_away(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    play_leg(PXR_EVENT_UPDATED, B, 1, 10, "u1");
    assert_int_equal(play_leg(PXR_EVENT_DISCONNECTED, A, 2, 7, "u1"), 0);
    assert_true(stage_counts(&stage, "u1"));
    /* Within the tolerance of two clocks the farewell wins. */
    play_leg(PXR_EVENT_DISCONNECTED, A, 3, 8.5, "u1");
    assert_int_equal(stage.meeting.present, 0);
}

static void a_leg_that_left_one_node_may_come_back_on_another(void **state)
{
    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    play_leg(PXR_EVENT_DISCONNECTED, A, 2, 7, "u1");
    assert_int_equal(play_leg(PXR_EVENT_UPDATED, B, 1, 8, "u1"), 0);
    play_leg(PXR_EVENT_UPDATED, B, 2, 10, "u1");
    assert_true(stage_counts(&stage, "u1"));
    assert_int_equal(stage.legs[0].closed, 0);
    assert_true(stage.legs[0].left_at == 0);
}

static void a_leg_goes_to_a_breakout_room_and_back(void **state)
{
    pxr_event_t event;

    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    event = leg_event(PXR_EVENT_UPDATED, A, 2, 10, "u1");
    strcpy(event.conference, "Meeting1_breakout_b1");
    play(event);
    assert_int_equal(stage.share_count, 2);
    assert_int_equal(stage.meeting.present, 1);
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 3, 11, 1);
    assert_true(stage_counts(&stage, "u1"));
    play_leg(PXR_EVENT_UPDATED, A, 4, 20, "u1");
    assert_int_equal(stage.meeting.present, 1);
    assert_int_equal(stage.meeting.shares, 2);
}

static void an_arrival_before_two_farewells_is_no_return(void **state)
{
    pxr_event_t farewell = leg_event(PXR_EVENT_DISCONNECTED, A, 9, 20, "u1");

    (void)state;
    begin();
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_leg(PXR_EVENT_DISCONNECTED, A, 4, 10, "u1");
    strcpy(farewell.conference, "Meeting1_breakout_b1");
    play(farewell);
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    assert_false(stage_counts(&stage, "u1"));
    /* Between the two it may have come back before the room was told of. */
    play_leg(PXR_EVENT_CONNECTED, A, 8, 19, "u1");
    assert_true(stage_counts(&stage, "u1"));
}

static void a_window_forgets_the_shares_of_the_former_era(void **state)
{
    (void)state;
    stage_begin(&stage, AT(0), AT(5000));
    play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1, 1);
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    play_leg(PXR_EVENT_DISCONNECTED, A, 3, 3, "u1");
    assert_true(stage_tick(&stage, AT(63)));
    stage_check(&stage);
    assert_int_equal(stage.meeting.state, PXR_MEETING_OPEN);
    /* Its end is heard at last: it opens nothing. */
    play_conference(PXR_EVENT_CONFERENCE_ENDED, A, 4, 100, 1);
    assert_int_equal(stage.meeting.state, PXR_MEETING_OPEN);
    play_leg(PXR_EVENT_CONNECTED, A, 5, 200, "u2");
    assert_int_equal(stage.meeting.state, PXR_MEETING_LIVE);
    assert_int_equal(stage.meeting.present, 1);
    assert_true(stage.meeting.started_at == AT(1));
}

static void an_ended_meeting_stays_ended(void **state)
{
    (void)state;
    begin();
    pxr_meeting_close(&stage.meeting, AT(1));
    assert_int_equal(play_conference(PXR_EVENT_CONFERENCE_STARTED, A, 1, 2, 2), 0);
    assert_int_equal(play_leg(PXR_EVENT_CONNECTED, A, 2, 3, "u1"), 0);
    assert_int_equal(stage.meeting.state, PXR_MEETING_ENDED);
}

static void quality_belongs_to_known_legs_and_keeps_its_worst(void **state)
{
    pxr_event_t event = event_of(PXR_EVENT_QUALITY, A, 5, 5);

    (void)state;
    begin();
    strcpy(event.uuid, "u1");
    event.quality = PXR_QUALITY_BAD;
    assert_int_equal(play(event), 0);
    play_leg(PXR_EVENT_CONNECTED, A, 1, 1, "u1");
    assert_int_equal(play(event), PXR_CHANGED_LEG);
    event.quality = PXR_QUALITY_OK;
    event.time = AT(4);
    play(event); /* late: tells nothing about the present */
    assert_int_equal(stage.legs[0].quality, PXR_QUALITY_BAD);
    event.time = AT(9);
    play(event);
    assert_int_equal(stage.legs[0].quality, PXR_QUALITY_OK);
    assert_int_equal(stage.legs[0].worst_quality, PXR_QUALITY_BAD);
    assert_int_equal(stage.meeting.present, 1);
}

static void a_leg_of_long_silence_is_lost(void **state)
{
    pxr_time_t heard = AT(2);

    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    assert_false(pxr_leg_lost(&stage.legs[0], 0, heard + PXR_LEG_SILENCE));
    assert_true(pxr_leg_lost(&stage.legs[0], 0, heard + PXR_LEG_SILENCE + 1));
    stage_tick(&stage, heard + PXR_LEG_SILENCE + 1);
    stage_check(&stage);
    assert_int_equal(stage.meeting.present, 0);
    assert_false(pxr_leg_lost(&stage.legs[0], 0, heard + 2 * PXR_LEG_SILENCE));
    assert_true(stage_tick(&stage, heard + PXR_LEG_SILENCE + 1 + PXR_SILENCE_DEFAULT));
}

static void a_leg_its_restarted_node_never_mentions_is_lost_sooner(void **state)
{
    pxr_time_t run = AT(100);

    (void)state;
    begin();
    play_leg(PXR_EVENT_CONNECTED, A, 2, 2, "u1");
    assert_false(pxr_leg_lost(&stage.legs[0], run, run + PXR_LEG_SILENCE_RESTARTED));
    assert_true(pxr_leg_lost(&stage.legs[0], run, run + PXR_LEG_SILENCE_RESTARTED + 1));
    stage.legs[0].heard_at = run; /* a quality event of the new run */
    assert_false(pxr_leg_lost(&stage.legs[0], run, run + PXR_LEG_SILENCE_RESTARTED + 1));
}

static void started_at_is_the_earliest_and_never_in_the_future(void **state)
{
    pxr_event_t event = event_of(PXR_EVENT_CONFERENCE_STARTED, A, 1, 100);

    (void)state;
    begin();
    event.start_time = AT(9000);
    play(event);
    assert_true(stage.meeting.started_at == AT(100));
    play_conference(PXR_EVENT_CONFERENCE_STARTED, B, 1, 101, 50);
    assert_true(stage.meeting.started_at == AT(50));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_started_node_makes_the_meeting_live),
        cmocka_unit_test(the_meeting_ends_with_its_last_node_only),
        cmocka_unit_test(a_leg_alone_makes_the_meeting_live),
        cmocka_unit_test(a_farewell_alone_never_makes_it_live),
        cmocka_unit_test(an_end_whose_beginning_was_lost_ends_it),
        cmocka_unit_test(people_are_counted_from_joining_to_farewell),
        cmocka_unit_test(what_is_no_person_is_no_evidence),
        cmocka_unit_test(updates_merge_what_they_say),
        cmocka_unit_test(repeated_events_change_nothing_but_when_it_was_heard),
        cmocka_unit_test(a_repeated_connect_is_no_evidence_for_a_later_hosting),
        cmocka_unit_test(late_events_of_a_leg_are_ignored),
        cmocka_unit_test(a_late_farewell_still_counts),
        cmocka_unit_test(events_from_before_the_end_of_a_node_do_not_revive_it),
        cmocka_unit_test(a_node_may_host_it_again),
        cmocka_unit_test(who_came_before_the_end_is_not_in_the_next_hosting),
        cmocka_unit_test(a_crashed_node_loses_its_people_when_it_starts_anew),
        cmocka_unit_test(a_crashed_node_loses_its_people_also_when_its_clock_is_put_back),
        cmocka_unit_test(a_leg_that_moves_is_counted_once),
        cmocka_unit_test(the_old_nodes_farewell_does_not_take_a_moved_leg_away),
        cmocka_unit_test(a_leg_that_left_one_node_may_come_back_on_another),
        cmocka_unit_test(a_leg_goes_to_a_breakout_room_and_back),
        cmocka_unit_test(an_arrival_before_two_farewells_is_no_return),
        cmocka_unit_test(a_window_forgets_the_shares_of_the_former_era),
        cmocka_unit_test(an_ended_meeting_stays_ended),
        cmocka_unit_test(quality_belongs_to_known_legs_and_keeps_its_worst),
        cmocka_unit_test(a_leg_of_long_silence_is_lost),
        cmocka_unit_test(a_leg_its_restarted_node_never_mentions_is_lost_sooner),
        cmocka_unit_test(started_at_is_the_earliest_and_never_in_the_future),
    };

    return RUN(tests);
}
