#include "helpers.h"

#include "pxr_meeting.h"

#define NOW (INT64_C(1795341600) * PXR_SECOND)
#define GRACE (10 * PXR_SECOND)
#define SILENCE (60 * PXR_SECOND)
#define LIFETIME (3600 * PXR_SECOND)

static pxr_meeting_t new_meeting(pxr_time_t not_before, pxr_time_t not_after)
{
    pxr_meeting_t m;

    memset(&m, 0xA5, sizeof(m));
    pxr_meeting_init(&m, NOW, not_before, not_after, LIFETIME, GRACE, SILENCE);
    return m;
}

/* A meeting that `shares` nodes host and `present` people are in since NOW. */
static pxr_meeting_t live_meeting(int shares, int present, pxr_time_t not_after)
{
    pxr_meeting_t m = new_meeting(0, not_after);

    pxr_meeting_account(&m, shares, present, NOW);
    return m;
}

static void begins_open(void **state)
{
    pxr_meeting_t m = new_meeting(0, 0);

    (void)state;
    assert_int_equal(m.state, PXR_MEETING_OPEN);
    assert_true(m.created_at == NOW && m.expires_at == NOW + LIFETIME);
    assert_true(m.started_at == 0 && m.ended_at == 0 && m.shares == 0 && m.present == 0);
    assert_false(m.closed || m.inferred || m.crowded_until != 0);
    assert_string_equal(pxr_meeting_state_name(m.state), "open");
    assert_string_equal(pxr_meeting_state_name(PXR_MEETING_LIVE), "live");
    assert_string_equal(pxr_meeting_state_name(PXR_MEETING_ENDED), "ended");
}

static void lifetime_counts_from_creation_or_the_beginning_of_the_window(void **state)
{
    (void)state;
    assert_true(new_meeting(NOW - 5, 0).expires_at == NOW + LIFETIME);
    assert_true(new_meeting(NOW + 5 * GRACE, 0).expires_at == NOW + 5 * GRACE + LIFETIME);
    assert_true(new_meeting(0, NOW + 7).expires_at == NOW + 7);
}

static void an_open_meeting_ends_when_it_expires(void **state)
{
    pxr_meeting_t m = new_meeting(0, 0);

    (void)state;
    assert_true(pxr_meeting_due(&m, 0) == m.expires_at);
    assert_int_equal(pxr_meeting_verdict(&m, m.expires_at - 1), PXR_ADMIT);
    assert_int_equal(pxr_meeting_verdict(&m, m.expires_at), PXR_ENDED);
    assert_false(pxr_meeting_tick(&m, 0, m.expires_at - 1));
    assert_int_equal(m.state, PXR_MEETING_OPEN);
    assert_true(pxr_meeting_tick(&m, 0, NOW + LIFETIME));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
    assert_true(m.ended_at == NOW + LIFETIME && m.started_at == 0);
    assert_false(m.inferred);
}

static void nobody_joins_before_the_window(void **state)
{
    pxr_meeting_t m = new_meeting(NOW + 100, NOW + 200);

    (void)state;
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 99), PXR_NOT_YET);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 100), PXR_ADMIT);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 199), PXR_ADMIT);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 200), PXR_ENDED);
}

static void a_live_meeting_never_ends_by_time_alone(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    assert_int_equal(m.state, PXR_MEETING_LIVE);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    assert_false(pxr_meeting_tick(&m, 0, NOW + 100 * LIFETIME));
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 100 * LIFETIME), PXR_ADMIT);
}

static void a_meeting_live_beyond_its_window_admits_until_it_is_empty(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, NOW + 5);

    (void)state;
    assert_int_equal(pxr_meeting_verdict(&m, NOW + LIFETIME), PXR_ADMIT);
    assert_false(pxr_meeting_tick(&m, 0, NOW + LIFETIME));
    pxr_meeting_account(&m, -1, -1, NOW + LIFETIME);
    assert_true(pxr_meeting_tick(&m, 0, NOW + LIFETIME + GRACE));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
}

static void it_ends_the_grace_after_the_last_node(void **state)
{
    pxr_meeting_t m = live_meeting(2, 1, 0);

    (void)state;
    pxr_meeting_account(&m, -1, 0, NOW + 1);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    pxr_meeting_account(&m, -1, -1, NOW + 2);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 2 + GRACE);
    assert_false(pxr_meeting_tick(&m, 0, NOW + 1 + GRACE));
    assert_true(pxr_meeting_tick(&m, 0, NOW + 2 + GRACE));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
    assert_false(m.inferred);
    assert_true(m.shares == 0 && m.present == 0);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    assert_false(pxr_meeting_tick(&m, 0, PXR_TIME_NEVER - 1));
}

static void it_ends_the_silence_after_the_last_person_whatever_nodes_say(void **state)
{
    pxr_meeting_t m = live_meeting(1, 2, 0);

    (void)state;
    pxr_meeting_account(&m, 0, -1, NOW + 1);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    pxr_meeting_account(&m, 0, -1, NOW + 2);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 2 + SILENCE);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 2 + SILENCE));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
    assert_true(m.inferred);
}

static void a_meeting_nobody_ever_came_to_ends_after_the_silence(void **state)
{
    pxr_meeting_t m = live_meeting(1, 0, 0);

    (void)state;
    assert_true(pxr_meeting_due(&m, 0) == NOW + SILENCE);
}

static void whoever_comes_while_it_drains_stops_that(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    pxr_meeting_account(&m, -1, -1, NOW + 1);
    pxr_meeting_account(&m, 1, 1, NOW + 2);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    /* The clock of the second draining begins anew. */
    pxr_meeting_account(&m, 0, -1, NOW + 50);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 50 + SILENCE);
    pxr_meeting_account(&m, -1, 0, NOW + 52);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 52 + GRACE);
}

static void accounting_nothing_does_not_restart_the_draining(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    pxr_meeting_account(&m, -1, -1, NOW + 1);
    pxr_meeting_account(&m, 0, 0, NOW + 9);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 1 + GRACE);
}

static void a_join_request_after_the_last_person_holds_the_end(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);
    pxr_time_t left = NOW + 1;

    (void)state;
    pxr_meeting_account(&m, -1, -1, left);
    /* Before the last one left: of no interest. */
    assert_true(pxr_meeting_due(&m, left - 1) == left + GRACE);
    assert_true(pxr_meeting_due(&m, left + 5) == left + 5 + PXR_HOLD);
    assert_false(pxr_meeting_tick(&m, left + 5, left + GRACE));
    assert_false(pxr_meeting_tick(&m, left + 5, left + 4 + PXR_HOLD));
    assert_true(pxr_meeting_tick(&m, left + 5, left + 5 + PXR_HOLD));
}

static void holding_has_an_end_itself(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);
    pxr_time_t left = NOW + 1;
    pxr_time_t now = left;

    (void)state;
    pxr_meeting_account(&m, -1, -1, left);
    /* Somebody asks every second and never comes in. */
    while (!pxr_meeting_tick(&m, now, now)) {
        now += PXR_SECOND;
        assert_true(now < left + LIFETIME);
    }
    assert_true(now >= left + PXR_HOLD_MOST && now <= left + PXR_HOLD_MOST + PXR_SECOND);
}

static void a_hold_never_brings_the_end_forward(void **state)
{
    pxr_meeting_t m;

    (void)state;
    pxr_meeting_init(&m, NOW, 0, 0, LIFETIME, 600 * PXR_SECOND, 900 * PXR_SECOND);
    pxr_meeting_account(&m, 1, 1, NOW);
    pxr_meeting_account(&m, 0, -1, NOW + 1);
    assert_true(pxr_meeting_due(&m, NOW + 2) == NOW + 1 + 900 * PXR_SECOND);
    pxr_meeting_account(&m, -1, 0, NOW + 2);
    assert_true(pxr_meeting_due(&m, NOW + 3) == NOW + 2 + 600 * PXR_SECOND);
}

static void a_crowded_meeting_is_not_empty_because_its_counts_say_so(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    m.crowded_until = NOW + PXR_LEG_SILENCE;
    pxr_meeting_account(&m, 0, -1, NOW + 1);
    /* Nor is it for ever: a leg that nobody mentions is taken for gone. */
    assert_true(pxr_meeting_due(&m, 0) == NOW + PXR_LEG_SILENCE);
    assert_false(pxr_meeting_tick(&m, 0, NOW + PXR_LEG_SILENCE - 1));
    /* That no node hosts it proves something all the same. */
    pxr_meeting_account(&m, -1, 0, NOW + 2);
    assert_true(pxr_meeting_due(&m, 0) == NOW + 2 + GRACE);
}

static void a_meeting_with_a_window_returns_to_open(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, NOW + LIFETIME);

    (void)state;
    m.started_at = NOW;
    m.crowded_until = NOW + PXR_LEG_SILENCE;
    pxr_meeting_account(&m, -1, -1, NOW + 1);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 1 + GRACE));
    assert_int_equal(m.state, PXR_MEETING_OPEN);
    assert_true(m.era == 1 && m.shares == 0 && m.present == 0 && m.crowded_until == 0);
    assert_true(m.ended_at == 0 && m.started_at == NOW);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 2 * GRACE), PXR_ADMIT);
    assert_true(pxr_meeting_due(&m, 0) == NOW + LIFETIME);

    pxr_meeting_account(&m, 1, 1, NOW + 3 * GRACE);
    assert_int_equal(m.state, PXR_MEETING_LIVE);
    assert_true(pxr_meeting_due(&m, 0) == PXR_TIME_NEVER);
    pxr_meeting_account(&m, -1, -1, NOW + 4 * GRACE);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 5 * GRACE));
    assert_int_equal(m.era, 2);
    assert_true(pxr_meeting_tick(&m, 0, NOW + LIFETIME));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
}

static void a_node_that_never_said_goodbye_is_forgotten_when_it_reopens(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, NOW + LIFETIME);

    (void)state;
    pxr_meeting_account(&m, 0, -1, NOW + 1);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 1 + SILENCE));
    assert_int_equal(m.state, PXR_MEETING_OPEN);
    assert_int_equal(m.shares, 0);
}

static void closing_an_open_meeting_ends_it(void **state)
{
    pxr_meeting_t m = new_meeting(0, 0);

    (void)state;
    assert_true(pxr_meeting_close(&m, NOW + 5));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
    assert_true(m.closed && m.ended_at == NOW + 5);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 6), PXR_ENDED);
    assert_false(pxr_meeting_close(&m, NOW + 7));
}

static void closing_an_empty_live_meeting_ends_it(void **state)
{
    pxr_meeting_t m = live_meeting(1, 0, NOW + LIFETIME);

    (void)state;
    assert_true(pxr_meeting_close(&m, NOW + 5));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
}

static void closing_a_meeting_with_people_only_keeps_others_out(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, NOW + LIFETIME);

    (void)state;
    assert_true(pxr_meeting_close(&m, NOW + 5));
    assert_int_equal(m.state, PXR_MEETING_LIVE);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 6), PXR_CLOSED);
    assert_false(pxr_meeting_close(&m, NOW + 7));
    /* It ends by the rule, in spite of its window, and nobody's attempt to join holds it. */
    pxr_meeting_account(&m, -1, -1, NOW + 8);
    assert_true(pxr_meeting_due(&m, NOW + 9) == NOW + 8 + GRACE);
    assert_true(pxr_meeting_tick(&m, NOW + 9, NOW + 8 + GRACE));
    assert_int_equal(m.state, PXR_MEETING_ENDED);
}

static void closing_a_crowded_meeting_does_not_end_it_at_once(void **state)
{
    pxr_meeting_t m = live_meeting(1, 0, 0);

    (void)state;
    m.crowded_until = NOW + PXR_LEG_SILENCE;
    assert_true(pxr_meeting_close(&m, NOW + 5));
    assert_int_equal(m.state, PXR_MEETING_LIVE);
    assert_int_equal(pxr_meeting_verdict(&m, NOW + 6), PXR_CLOSED);
}

static void the_end_is_when_the_nodes_say_it_was(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    m.started_at = NOW;
    m.last_end = NOW + 30 * PXR_SECOND;
    pxr_meeting_account(&m, -1, -1, NOW + 31 * PXR_SECOND);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 31 * PXR_SECOND + GRACE));
    assert_true(m.ended_at == NOW + 30 * PXR_SECOND);
}

static void the_end_is_neither_in_the_future_nor_before_the_beginning(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    m.started_at = NOW;
    m.last_end = NOW + LIFETIME;
    pxr_meeting_account(&m, -1, -1, NOW + 1);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 1 + GRACE));
    assert_true(m.ended_at == NOW + 1 + GRACE);

    m = live_meeting(1, 1, 0);
    m.started_at = NOW;
    m.last_end = NOW - LIFETIME;
    pxr_meeting_account(&m, -1, -1, NOW + 1);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 1 + GRACE));
    assert_true(m.ended_at == NOW);
}

static void without_word_of_the_nodes_it_ended_when_it_became_empty(void **state)
{
    pxr_meeting_t m = live_meeting(1, 1, 0);

    (void)state;
    pxr_meeting_account(&m, 0, -1, NOW + 1);
    assert_true(pxr_meeting_tick(&m, 0, NOW + 1 + SILENCE));
    assert_true(m.ended_at == NOW + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_open),
        cmocka_unit_test(lifetime_counts_from_creation_or_the_beginning_of_the_window),
        cmocka_unit_test(an_open_meeting_ends_when_it_expires),
        cmocka_unit_test(nobody_joins_before_the_window),
        cmocka_unit_test(a_live_meeting_never_ends_by_time_alone),
        cmocka_unit_test(a_meeting_live_beyond_its_window_admits_until_it_is_empty),
        cmocka_unit_test(it_ends_the_grace_after_the_last_node),
        cmocka_unit_test(it_ends_the_silence_after_the_last_person_whatever_nodes_say),
        cmocka_unit_test(a_meeting_nobody_ever_came_to_ends_after_the_silence),
        cmocka_unit_test(whoever_comes_while_it_drains_stops_that),
        cmocka_unit_test(accounting_nothing_does_not_restart_the_draining),
        cmocka_unit_test(a_join_request_after_the_last_person_holds_the_end),
        cmocka_unit_test(holding_has_an_end_itself),
        cmocka_unit_test(a_hold_never_brings_the_end_forward),
        cmocka_unit_test(a_crowded_meeting_is_not_empty_because_its_counts_say_so),
        cmocka_unit_test(a_meeting_with_a_window_returns_to_open),
        cmocka_unit_test(a_node_that_never_said_goodbye_is_forgotten_when_it_reopens),
        cmocka_unit_test(closing_an_open_meeting_ends_it),
        cmocka_unit_test(closing_an_empty_live_meeting_ends_it),
        cmocka_unit_test(closing_a_meeting_with_people_only_keeps_others_out),
        cmocka_unit_test(closing_a_crowded_meeting_does_not_end_it_at_once),
        cmocka_unit_test(the_end_is_when_the_nodes_say_it_was),
        cmocka_unit_test(the_end_is_neither_in_the_future_nor_before_the_beginning),
        cmocka_unit_test(without_word_of_the_nodes_it_ended_when_it_became_empty),
    };

    return RUN(tests);
}
