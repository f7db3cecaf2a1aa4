#include "keep_helpers.h"

/* News that two machines share between them, one half each. */

#define N1 "10.0.0.1"

static void tell(machine_t *m, pxr_event_t event, pxr_time_t now)
{
    assert_int_equal(deliver_ours(&m->w, &event, now), PXR_OK);
    assert_sound(&m->w);
}

/* Both machines know the meeting, and what `a` hears is not told to `b` before sync_both(). */
static void open_both(db_t *db, machine_t *a, machine_t *b)
{
    machine_open(a, 1, 10, 20, PXR_KEEP_SHARED);
    machine_open(b, 2, 10, 20, PXR_KEEP_SHARED);
    make_known(db, a, "Weekly42", NULL, T0);
    sync_machine(db, b, T0);
}

static void sync_both(db_t *db, machine_t *a, machine_t *b, size_t people)
{
    for (int i = 0; i < 2; i++) {
        sync_machine(db, a, T0 + 100 * PXR_SECOND);
        sync_machine(db, b, T0 + 100 * PXR_SECOND);
    }
    assert_sound(&a->w);
    assert_sound(&b->w);
    assert_present(&a->w, "Weekly42", people);
    assert_present(&b->w, "Weekly42", people);
}

#define AT(seconds) (T0 + (seconds)*PXR_SECOND)

/* The node was restarted: who had come before is gone, who came after is not, whoever hears it. */
static void a_new_hosting_takes_those_of_the_old_one_only(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_event_t event;

    (void)state;
    open_both(db, &a, &b);
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 1, AT(1));
    event.start_time = AT(1);
    tell(&b, event, AT(1));
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "old", 2, AT(2)), AT(2));
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 3, AT(15));
    event.start_time = AT(15);
    tell(&a, event, AT(15));
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "new", 4, AT(20)), AT(20));
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "newer", 5, AT(21)), AT(21));
    sync_both(db, &a, &b, 2);
    /* The end of a hosting, and a next one. */
    tell(&a, conference_event(PXR_EVENT_CONFERENCE_ENDED, N1, "Weekly42", 6, AT(30)), AT(30));
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "last", 7, AT(31)), AT(31));
    sync_both(db, &a, &b, 1);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

/* The same where the restart has put the node's clock back. One machine hears of it by the other
 * only, and who came last. */
static void a_new_hosting_counts_although_its_clock_was_put_back(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_event_t event;

    (void)state;
    open_both(db, &a, &b);
    tell(&b, conference_event(PXR_EVENT_SINK_STARTED, N1, "", 1, AT(40)), AT(40));
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 2, AT(50));
    event.start_time = AT(50);
    tell(&b, event, AT(50));
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "other", 3, AT(59)), AT(59));
    sync_both(db, &a, &b, 1);
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "old", 4, AT(60)), AT(60));
    sync_both(db, &a, &b, 2);
    tell(&b, conference_event(PXR_EVENT_SINK_STARTED, N1, "", 1, AT(41)), AT(71));
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 2, AT(42));
    event.start_time = AT(42);
    tell(&b, event, AT(72));
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "new", 3, AT(43)), AT(73));
    assert_present(&b.w, "Weekly42", 1);
    sync_both(db, &a, &b, 1);
    /* Where this is heard, the former beginning was known. */
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "newer", 4, AT(55)), AT(85));
    sync_both(db, &a, &b, 2);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

/* A farewell from before the return of a leg, told to another machine than the return. */
static void an_old_farewell_takes_nobody_who_is_back(void **state)
{
    static const char room[] = "Weekly42_breakout_1";
    db_t *db = db_open();
    machine_t a, b;
    pxr_event_t farewell;

    (void)state;
    open_both(db, &a, &b);
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, AT(1)), AT(1));
    farewell = leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u1", 2, AT(2));
    tell(&a, farewell, AT(2));
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 3, AT(3)), AT(3));
    sync_both(db, &a, &b, 1);
    tell(&b, farewell, AT(4));
    sync_both(db, &a, &b, 1);
    /* Into another room and out of the meeting, half of which each has heard. */
    tell(&a, leg_event(PXR_EVENT_UPDATED, N1, "Weekly42", "u1", 4, AT(5)), AT(5));
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, room, "u1", 5, AT(6)), AT(6));
    tell(&b, leg_event(PXR_EVENT_DISCONNECTED, N1, room, "u1", 6, AT(7)), AT(7));
    sync_both(db, &b, &a, 0);
    /* The same, heard by one machine in the wrong order. */
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u2", 20, AT(8)), AT(8));
    tell(&a, leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u2", 22, AT(9)), AT(9));
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, room, "u2", 21, AT(9)), AT(9));
    assert_present(&a.w, "Weekly42", 1);
    tell(&a, leg_event(PXR_EVENT_DISCONNECTED, N1, room, "u2", 23, AT(9)), AT(9));
    sync_both(db, &a, &b, 0);
    /* In another room for one machine, and gone from the first for the other. */
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 24, AT(10)), AT(10));
    sync_both(db, &a, &b, 1);
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, room, "u1", 25, AT(11)), AT(11));
    tell(&b, leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u1", 26, AT(11)), AT(11));
    sync_both(db, &b, &a, 1);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_hosting_takes_those_of_the_old_one_only),
        cmocka_unit_test(a_new_hosting_counts_although_its_clock_was_put_back),
        cmocka_unit_test(an_old_farewell_takes_nobody_who_is_back),
    };

    return RUN(tests);
}
