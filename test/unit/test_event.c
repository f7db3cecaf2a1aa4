#include "stage.h"

static void kinds_are_known_by_all_their_names(void **state)
{
    (void)state;
    assert_int_equal(pxr_event_kind("eventsink_started"), PXR_EVENT_SINK_STARTED);
    assert_int_equal(pxr_event_kind("eventsink_updated"), PXR_EVENT_SINK_UPDATED);
    assert_int_equal(pxr_event_kind("eventsink_stopped"), PXR_EVENT_SINK_STOPPED);
    assert_int_equal(pxr_event_kind("eventsink_ended"), PXR_EVENT_SINK_STOPPED);
    assert_int_equal(pxr_event_kind("participant_media_stream_window"), PXR_EVENT_QUALITY);
    assert_int_equal(pxr_event_kind("participant_something_new"), PXR_EVENT_UNKNOWN);
    assert_int_equal(pxr_event_kind("eventsink_bulk"), PXR_EVENT_UNKNOWN);
    assert_int_equal(pxr_event_kind(""), PXR_EVENT_UNKNOWN);
    for (int kind = PXR_EVENT_SINK_STARTED; kind < PXR_EVENT_KINDS; kind++) {
        assert_int_equal(pxr_event_kind(pxr_event_kind_name((pxr_event_kind_t)kind)), kind);
    }
    assert_string_equal(pxr_event_kind_name(PXR_EVENT_UNKNOWN), "unknown");
}

static void words_are_compared_without_case_and_may_be_new(void **state)
{
    (void)state;
    assert_int_equal(pxr_event_service("Lecture"), PXR_SERVICE_ROOM);
    assert_int_equal(pxr_event_service("gateway"), PXR_SERVICE_ROOM);
    assert_int_equal(pxr_event_service("waiting_room"), PXR_SERVICE_JOINING);
    assert_int_equal(pxr_event_service("two_stage_dialing"), PXR_SERVICE_JOINING);
    assert_int_equal(pxr_event_service("ivr"), PXR_SERVICE_JOINING);
    assert_int_equal(pxr_event_service("connecting"), PXR_SERVICE_JOINING);
    assert_int_equal(pxr_event_service("test_call"), PXR_SERVICE_OTHER);
    assert_int_equal(pxr_event_service("media_playback"), PXR_SERVICE_OTHER);
    assert_int_equal(pxr_event_service("hologram"), PXR_SERVICE_UNSAID);
    assert_int_equal(pxr_event_role("CHAIR"), PXR_ROLE_HOST);
    assert_int_equal(pxr_event_role("guest"), PXR_ROLE_GUEST);
    assert_int_equal(pxr_event_role("unknown"), PXR_ROLE_UNKNOWN);
    assert_int_equal(pxr_event_quality("1_good"), PXR_QUALITY_GOOD);
    assert_int_equal(pxr_event_quality("4_Terrible"), PXR_QUALITY_TERRIBLE);
    assert_int_equal(pxr_event_quality("0_unknown"), PXR_QUALITY_UNKNOWN);
    assert_string_equal(pxr_quality_name(pxr_event_quality("3_bad")), "bad");
    assert_string_equal(pxr_role_name(pxr_event_role("chair")), "host");
}

static void breakouts_carry_the_name_of_their_meeting(void **state)
{
    const char *breakout;

    (void)state;
    assert_int_equal(pxr_event_meeting_name("Meeting1", &breakout), 8);
    assert_null(breakout);
    assert_int_equal(pxr_event_meeting_name("Meeting1_breakout_6d1c", &breakout), 8);
    assert_string_equal(breakout, "6d1c");
    assert_int_equal(pxr_event_meeting_name("_breakout_", &breakout), 0);
    assert_string_equal(breakout, "");
    assert_int_equal(pxr_event_meeting_name("", &breakout), 0);
    assert_null(breakout);
}

/* The run that a publisher first heard at 1001 s is in: its lowest bits name the machine. */
#define BEGUN (AT(1001) & ~PXR_RUN_MACHINE)

static void order_within_a_run_is_by_number(void **state)
{
    pxr_order_t a = {.source = 1, .seq = 5, .time = 100, .run = 7};
    pxr_order_t b = {.source = 1, .seq = 6, .time = 90, .run = 7};

    (void)state;
    assert_int_equal(pxr_order_compare(&a, &b), -1);
    assert_int_equal(pxr_order_compare(&b, &a), 1);
    assert_int_equal(pxr_order_compare(&a, &a), 0);
}

static void order_between_machines_is_by_the_nodes_clock(void **state)
{
    pxr_order_t here = {.source = 1, .seq = 5, .time = 100, .run = 7 * 1024 + 1};
    pxr_order_t there = {.source = 1, .seq = 6, .time = 101, .run = 6 * 1024 + 2};

    (void)state;
    assert_int_equal(pxr_order_compare(&here, &there), -1);
    assert_int_equal(pxr_order_compare(&there, &here), 1);
    there.time = 100;
    assert_int_equal(pxr_order_compare(&here, &there), -1);
    there.seq = 5;
    assert_int_equal(pxr_order_compare(&here, &there), 0);
}

static void order_between_runs_is_by_run(void **state)
{
    pxr_order_t old = {.source = 1, .seq = 500, .time = 100, .run = 7 * 1024};
    pxr_order_t new = {.source = 1, .seq = 1, .time = 90, .run = 8 * 1024};

    (void)state;
    assert_int_equal(pxr_order_compare(&old, &new), -1);
    assert_int_equal(pxr_order_compare(&new, &old), 1);
}

static void order_between_sources_is_by_time(void **state)
{
    pxr_order_t a = {.source = 1, .seq = 500, .time = 100, .run = 9};
    pxr_order_t b = {.source = 2, .seq = 1, .time = 101, .run = 7};

    (void)state;
    assert_int_equal(pxr_order_compare(&a, &b), -1);
    assert_int_equal(pxr_order_compare(&b, &a), 1);
    b.time = 100;
    assert_int_equal(pxr_order_compare(&a, &b), 0);
    b.time = 0;
    assert_int_equal(pxr_order_compare(&a, &b), 0);
}

static void order_without_numbers_is_by_time(void **state)
{
    pxr_order_t a = {.source = 1, .seq = 0, .time = 100, .run = 7};
    pxr_order_t b = {.source = 1, .seq = 3, .time = 101, .run = 7};

    (void)state;
    assert_int_equal(pxr_order_compare(&a, &b), -1);
    b.time = 0;
    assert_int_equal(pxr_order_compare(&a, &b), 0);
}

static pxr_publisher_t publisher;

static pxr_order_t hear(pxr_event_kind_t kind, uint64_t seq, double seconds)
{
    pxr_event_t event = event_of(kind, "10.0.0.1", seq, seconds);

    return pxr_publisher_hear(&publisher, &event, AT(1000 + seconds));
}

/* A publisher that was heard with the numbers 1 to 5 at the seconds 1 to 5. */
static pxr_time_t begin_publisher(void)
{
    memset(&publisher, 0, sizeof(publisher));
    publisher.source = 42;
    for (unsigned seq = 1; seq <= 5; seq++) {
        hear(seq == 1 ? PXR_EVENT_SINK_STARTED : PXR_EVENT_UPDATED, seq, seq);
    }
    return publisher.run;
}

static void the_version_of_the_last_event_that_said_one_is_kept(void **state)
{
    pxr_event_t event = event_of(PXR_EVENT_UPDATED, "10.0.0.1", 6, 6);

    (void)state;
    begin_publisher();
    assert_int_equal(publisher.version, 0);
    event.version = 1;
    pxr_publisher_hear(&publisher, &event, AT(1006));
    hear(PXR_EVENT_UPDATED, 7, 7);
    assert_int_equal(publisher.version, 1);
}

static void a_publisher_is_followed_from_its_first_event(void **state)
{
    pxr_order_t order;

    (void)state;
    memset(&publisher, 0, sizeof(publisher));
    publisher.source = 42;
    order = hear(PXR_EVENT_CONNECTED, 688, 1);
    assert_true(order.source == 42 && order.seq == 688 && order.time == AT(1));
    assert_true(order.run == BEGUN && publisher.run == BEGUN);
    /* What came before we were there is not missing. */
    assert_int_equal(publisher.missing, 0);
    assert_int_equal(publisher.events, 1);
    assert_true(publisher.last_at == AT(1001));
}

static void numbers_without_gaps_leave_nothing_to_report(void **state)
{
    pxr_time_t run = begin_publisher();

    (void)state;
    assert_int_equal(publisher.events, 5);
    assert_int_equal(publisher.duplicates, 0);
    assert_int_equal(publisher.missing, 0);
    assert_int_equal(publisher.highest, 5);
    assert_true(run == BEGUN);
}

static void repeated_events_are_counted_and_begin_no_run(void **state)
{
    pxr_time_t run = begin_publisher();

    (void)state;
    hear(PXR_EVENT_UPDATED, 5, 5);
    hear(PXR_EVENT_UPDATED, 3, 3);
    hear(PXR_EVENT_SINK_STARTED, 1, 1);
    assert_int_equal(publisher.duplicates, 3);
    assert_int_equal(publisher.missing, 0);
    assert_true(publisher.run == run);
}

static void passed_over_numbers_are_missing_until_they_come(void **state)
{
    pxr_time_t run = begin_publisher();

    (void)state;
    hear(PXR_EVENT_UPDATED, 10, 10);
    assert_int_equal(publisher.missing, 4);
    hear(PXR_EVENT_UPDATED, 8, 8);
    hear(PXR_EVENT_UPDATED, 6, 6);
    assert_int_equal(publisher.missing, 2);
    assert_int_equal(publisher.duplicates, 0);
    hear(PXR_EVENT_UPDATED, 8, 8);
    assert_int_equal(publisher.missing, 2);
    assert_int_equal(publisher.duplicates, 1);
    assert_true(publisher.run == run && publisher.highest == 10);
}

static void a_gap_wider_than_the_window_is_counted(void **state)
{
    (void)state;
    begin_publisher();
    hear(PXR_EVENT_UPDATED, 1005, 20);
    assert_int_equal(publisher.missing, 999);
    assert_int_equal(publisher.highest, 1005);
    /* Far behind the window nothing is known, so nothing is claimed. */
    hear(PXR_EVENT_UPDATED, 500, 12);
    assert_int_equal(publisher.missing, 999);
    assert_int_equal(publisher.duplicates, 0);
    hear(PXR_EVENT_UPDATED, 1005 - 63, 19);
    assert_int_equal(publisher.missing, 998);
}

static void the_largest_number_harms_nothing(void **state)
{
    pxr_order_t order;

    (void)state;
    begin_publisher();
    order = hear(PXR_EVENT_UPDATED, UINT64_MAX, 20);
    assert_true(order.seq == UINT64_MAX && publisher.highest == UINT64_MAX);
    hear(PXR_EVENT_UPDATED, UINT64_MAX, 20);
    assert_int_equal(publisher.duplicates, 1);
}

static void a_started_sink_begins_a_run(void **state)
{
    pxr_time_t run = begin_publisher();
    pxr_order_t last = hear(PXR_EVENT_UPDATED, 6, 6);
    pxr_order_t first = hear(PXR_EVENT_SINK_STARTED, 1, 100);

    (void)state;
    assert_true(first.run > run);
    assert_int_equal(pxr_order_compare(&last, &first), -1);
    assert_int_equal(publisher.highest, 1);
    assert_int_equal(publisher.missing, 0);
    hear(PXR_EVENT_UPDATED, 2, 101);
    assert_true(publisher.run == first.run);
}

static void a_started_sink_begins_a_run_though_its_clock_was_put_back(void **state)
{
    pxr_time_t run = begin_publisher();
    pxr_order_t last = hear(PXR_EVENT_UPDATED, 6, 500);
    pxr_order_t first = hear(PXR_EVENT_SINK_STARTED, 1, 200);
    pxr_order_t next = hear(PXR_EVENT_CONNECTED, 2, 201);

    (void)state;
    assert_true(last.run == run && first.run > run && next.run == first.run);
    assert_int_equal(pxr_order_compare(&last, &next), -1);
    /* Said once more, neither the start of this run nor that of the one before begins another. */
    hear(PXR_EVENT_SINK_STARTED, 1, 200);
    hear(PXR_EVENT_SINK_STARTED, 1, 1);
    assert_true(publisher.run == first.run);
}

static void a_lower_number_with_a_newer_time_begins_a_run(void **state)
{
    pxr_time_t run = begin_publisher();
    pxr_order_t order = hear(PXR_EVENT_CONNECTED, 2, 100);

    (void)state;
    assert_true(order.run > run);
    assert_int_equal(publisher.highest, 2);
}

static void the_same_number_with_a_newer_time_is_no_duplicate(void **state)
{
    (void)state;
    begin_publisher();
    hear(PXR_EVENT_CONFERENCE_ENDED, 5, 1000);
    assert_int_equal(publisher.duplicates, 0);
}

static void runs_go_up_although_our_clock_does_not(void **state)
{
    pxr_event_t event = event_of(PXR_EVENT_SINK_STARTED, "10.0.0.1", 1, 100);
    pxr_time_t run = begin_publisher();
    pxr_order_t order = pxr_publisher_hear(&publisher, &event, run - 5 * PXR_SECOND);

    (void)state;
    assert_true(order.run > run);
}

static void late_events_of_the_run_are_older(void **state)
{
    pxr_order_t last, late;

    (void)state;
    begin_publisher();
    last = hear(PXR_EVENT_UPDATED, 8, 8);
    late = hear(PXR_EVENT_UPDATED, 7, 7);
    assert_int_equal(pxr_order_compare(&late, &last), -1);
    assert_true(late.run == last.run);
}

static void stragglers_of_the_former_run_are_older_than_the_new_one(void **state)
{
    pxr_order_t started, first, straggler, second;

    (void)state;
    begin_publisher();
    started = hear(PXR_EVENT_SINK_STARTED, 1, 100);
    first = hear(PXR_EVENT_CONFERENCE_ENDED, 2, 101);
    /* Two connections of one node overtook each other: higher number, older time. */
    straggler = hear(PXR_EVENT_UPDATED, 6, 6);
    assert_int_equal(pxr_order_compare(&straggler, &started), -1);
    assert_int_equal(pxr_order_compare(&straggler, &first), -1);
    second = hear(PXR_EVENT_CONNECTED, 3, 102);
    assert_int_equal(pxr_order_compare(&straggler, &second), -1);
    assert_int_equal(pxr_order_compare(&first, &second), -1);
    assert_true(second.run == started.run);
}

/* However far the new run has come, so that their numbers fit into it. */
static void stragglers_need_no_high_number(void **state)
{
    pxr_order_t first, straggler;

    (void)state;
    begin_publisher();
    first = hear(PXR_EVENT_SINK_STARTED, 1, 100);
    hear(PXR_EVENT_UPDATED, 9, 109);
    straggler = hear(PXR_EVENT_CONFERENCE_ENDED, 8, 8);
    assert_int_equal(pxr_order_compare(&straggler, &first), -1);
    assert_int_equal(publisher.missing, 7);
}

static void events_without_number_or_time_begin_no_run(void **state)
{
    pxr_time_t run = begin_publisher();
    pxr_event_t event = event_of(PXR_EVENT_UPDATED, "10.0.0.1", 0, 100);
    pxr_order_t order = pxr_publisher_hear(&publisher, &event, AT(2000));

    (void)state;
    assert_true(order.seq == 0 && order.run == run);
    event.seq = 3;
    event.time = 0;
    order = pxr_publisher_hear(&publisher, &event, AT(2001));
    assert_true(order.run == run && order.time == 0);
    assert_int_equal(publisher.events, 7);
    assert_true(publisher.last_at == AT(2001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_known_by_all_their_names),
        cmocka_unit_test(words_are_compared_without_case_and_may_be_new),
        cmocka_unit_test(breakouts_carry_the_name_of_their_meeting),
        cmocka_unit_test(order_within_a_run_is_by_number),
        cmocka_unit_test(order_between_runs_is_by_run),
        cmocka_unit_test(order_between_machines_is_by_the_nodes_clock),
        cmocka_unit_test(order_between_sources_is_by_time),
        cmocka_unit_test(order_without_numbers_is_by_time),
        cmocka_unit_test(a_publisher_is_followed_from_its_first_event),
        cmocka_unit_test(the_version_of_the_last_event_that_said_one_is_kept),
        cmocka_unit_test(numbers_without_gaps_leave_nothing_to_report),
        cmocka_unit_test(repeated_events_are_counted_and_begin_no_run),
        cmocka_unit_test(passed_over_numbers_are_missing_until_they_come),
        cmocka_unit_test(a_gap_wider_than_the_window_is_counted),
        cmocka_unit_test(the_largest_number_harms_nothing),
        cmocka_unit_test(a_started_sink_begins_a_run),
        cmocka_unit_test(a_started_sink_begins_a_run_though_its_clock_was_put_back),
        cmocka_unit_test(a_lower_number_with_a_newer_time_begins_a_run),
        cmocka_unit_test(the_same_number_with_a_newer_time_is_no_duplicate),
        cmocka_unit_test(runs_go_up_although_our_clock_does_not),
        cmocka_unit_test(late_events_of_the_run_are_older),
        cmocka_unit_test(stragglers_of_the_former_run_are_older_than_the_new_one),
        cmocka_unit_test(stragglers_need_no_high_number),
        cmocka_unit_test(events_without_number_or_time_begin_no_run),
    };

    return RUN(tests);
}
