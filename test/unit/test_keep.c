#include <pthread.h>

#include "keep_helpers.h"
#include "processes.h"

/* Creations that wait for the database, and what is to be written there. */

#define ORIGIN "https://chat.example.com"

/* Somebody who waits for a creation. */
typedef struct {
    const world_t *w;
    pxr_ref_t ref;
    int64_t wait;
    pxr_status_t status;
    int64_t took;
    pthread_t thread;
} waiter_t;

static void *wait_for(void *context)
{
    waiter_t *waiter = context;
    int64_t began = pxr_time_steady();

    waiter->status = pxr_store_await(&waiter->w->store, waiter->ref, waiter->wait);
    waiter->took = pxr_time_steady() - began;
    return NULL;
}

static void start(waiter_t *waiter, const world_t *w, pxr_ref_t ref, int64_t wait)
{
    *waiter = (waiter_t){.w = w, .ref = ref, .wait = wait};
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for, waiter), 0);
    pause_for(20000);
}

static pxr_status_t outcome(waiter_t *waiter)
{
    pthread_join(waiter->thread, NULL);
    assert_true(waiter->took < 2 * PXR_SECOND);
    return waiter->status;
}

static pxr_ref_t begin(const world_t *w, const char *id, const char *number)
{
    pxr_ref_t ref;
    bool created;

    assert_int_equal(make_meeting(w, id, number, T0, &ref, &created), PXR_OK);
    assert_true(created);
    assert_sound(w);
    return ref;
}

/* The only changed meeting, copied. */
static pxr_change_t only_change(const world_t *w, pxr_meeting_copy_t *copy)
{
    pxr_change_t changes[64];
    pxr_change_t found = {0};
    uint32_t cursor = 0;
    size_t count = pxr_store_changes(&w->store, PXR_TABLE_MEETINGS, &cursor, changes, 64);
    size_t copied = 0;

    for (size_t i = 0; i < count; i++) {
        if (pxr_store_copy_meeting(&w->store, &changes[i], copy) == PXR_OK) {
            found = changes[i];
            copied++;
        }
    }
    assert_int_equal(copied, 1);
    assert_int_equal(pxr_store_copy_meeting(&w->store, &found, copy), PXR_OK);
    return found;
}

static void settle(const world_t *w, const pxr_change_t *change, const pxr_meeting_copy_t *copy,
                   pxr_status_t status)
{
    pxr_store_round_begins(&w->store);
    assert_int_equal(pxr_store_settle(&w->store, change, copy, status), PXR_OK);
    pxr_store_saved(&w->store, change);
    pxr_store_round_ends(&w->store, true);
    assert_sound(w);
}

static void a_creation_is_nothing_before_the_database_has_it(void **state)
{
    pxr_list_query_t query = {.states = {[PXR_MEETING_OPEN] = true}, .limit = 4};
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_workspace_numbers_t numbers;
    pxr_time_t created[4];
    pxr_ref_t refs[4];
    pxr_change_t change;
    waiter_t waiter;
    machine_t m;
    pxr_view_t view;
    pxr_ref_t ref;
    bool more;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    ref = begin(&m.w, "Weekly42", "480017");
    assert_false(is_found(&m.w, "Weekly42"));
    assert_false(is_found(&m.w, "480017"));
    assert_int_equal(pxr_store_list(&m.w.store, m.w.workspace, &query, refs, created, &more), 0);
    assert_int_equal(pxr_store_read(&m.w.store, m.w.workspace, ref, &view), PXR_MISSING);
    pxr_view_release(&view);
    assert_int_equal(pxr_store_close(&m.w.store, m.w.workspace, ref, T0), PXR_MISSING);
    pxr_store_numbers(&m.w.store, m.w.workspace, &numbers);
    assert_int_equal(numbers.open, 0);
    start(&waiter, &m.w, ref, 10 * PXR_SECOND);
    change = only_change(&m.w, copy);
    assert_int_equal(copy->standing, PXR_STANDING_PENDING);
    assert_string_equal(copy->record.number, "480017");
    assert_string_equal(copy->record.workspace, ORIGIN);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    settle(&m.w, &change, copy, PXR_OK);
    assert_int_equal(outcome(&waiter), PXR_OK);
    assert_true(is_found(&m.w, "Weekly42"));
    assert_true(is_found(&m.w, "480017"));
    assert_changes(&m.w, 0, 0, 0);
    machine_close(&m);
    free(copy);
}

static void without_a_keeper_it_is_given_up_and_can_be_made_again(void **state)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change;
    pxr_ref_t again;
    machine_t m;
    pxr_ref_t ref;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    ref = begin(&m.w, "Weekly42", "480017");
    change = only_change(&m.w, copy);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 1000), PXR_BUSY);
    assert_sound(&m.w);
    /* The keeper comes too late. */
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_MISSING);
    assert_int_equal(pxr_store_settle(&m.w.store, &change, copy, PXR_OK), PXR_MISSING);
    assert_false(is_found(&m.w, "Weekly42"));
    again = begin(&m.w, "Weekly42", "480017");
    assert_int_not_equal(again.slot, ref.slot);
    change = only_change(&m.w, copy);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    settle(&m.w, &change, copy, PXR_OK);
    assert_int_equal(pxr_store_await(&m.w.store, again, 0), PXR_OK);
    machine_close(&m);
    free(copy);
}

static void what_may_have_been_written_is_taken_back_or_revived(void **state)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change;
    pxr_ref_t again;
    bool created;
    machine_t m;
    pxr_ref_t ref;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    ref = begin(&m.w, "Weekly42", "480017");
    change = only_change(&m.w, copy);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 1000), PXR_BUSY);
    assert_int_equal(pxr_store_settle(&m.w.store, &change, copy, PXR_OK), PXR_MISSING);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_BUSY);
    assert_false(is_found(&m.w, "Weekly42"));
    change = only_change(&m.w, copy);
    assert_int_equal(copy->standing, PXR_STANDING_WITHDRAWN);
    assert_sound(&m.w);
    /* Wanted again: the same meeting. */
    assert_int_equal(make_meeting(&m.w, "Weekly42", "480018", T0, &again, &created), PXR_OK);
    assert_true(created);
    assert_int_equal(again.slot, ref.slot);
    assert_int_equal(pxr_store_forget(&m.w.store, &change, copy), PXR_OK);
    change = only_change(&m.w, copy);
    assert_int_equal(copy->standing, PXR_STANDING_PENDING);
    assert_string_equal(copy->record.number, "480017");
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 1000), PXR_BUSY);
    change = only_change(&m.w, copy);
    assert_int_equal(copy->standing, PXR_STANDING_WITHDRAWN);
    assert_int_equal(pxr_store_forget(&m.w.store, &change, copy), PXR_OK);
    pxr_store_saved(&m.w.store, &change);
    assert_sound(&m.w);
    begin(&m.w, "Monthly1", "480017");
    begin(&m.w, "Weekly42", NULL);
    machine_close(&m);
    free(copy);
}

static void the_databases_refusal_reaches_everybody_who_waits(void **state)
{
    static const pxr_status_t refusals[] = {PXR_EXISTS, PXR_INVALID, PXR_TAKEN, PXR_BROKEN};
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change;
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    for (size_t i = 0; i < COUNT(refusals); i++) {
        waiter_t first;
        waiter_t second;
        pxr_ref_t same;
        bool created;
        pxr_ref_t ref = begin(&m.w, "Weekly42", "480017");
        assert_int_equal(make_meeting(&m.w, "Weekly42", "480017", T0, &same, &created), PXR_OK);
        assert_false(created);
        start(&first, &m.w, ref, 10 * PXR_SECOND);
        start(&second, &m.w, same, 10 * PXR_SECOND);
        change = only_change(&m.w, copy);
        assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
        settle(&m.w, &change, copy, refusals[i]);
        assert_int_equal(outcome(&first), refusals[i]);
        assert_int_equal(outcome(&second), refusals[i]);
        assert_false(is_found(&m.w, "Weekly42"));
    }
    machine_close(&m);
    free(copy);
}

static void another_machines_meeting_of_this_id_takes_its_place(void **state)
{
    db_t *db = db_open();
    waiter_t waiter;
    machine_t a, b;
    pxr_meeting_record_t own;
    pxr_ref_t ref;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    machine_open(&b, 2, 10, 10, PXR_KEEP_SHARED);
    make_known(db, &a, "Weekly42", "480017", T0);
    snprintf(db_find(db, "Weekly42")->record.join_key, PXR_KEY_MAX, "another");
    ref = begin(&b.w, "Weekly42", "480018");
    start(&waiter, &b.w, ref, 10 * PXR_SECOND);
    sync_machine(db, &b, T0);
    assert_int_equal(outcome(&waiter), PXR_EXISTS);
    assert_sound(&b.w);
    assert_true(is_found(&b.w, "480017"));
    assert_false(is_found(&b.w, "480018"));
    /* Its own, of which nobody had heard that it was written. */
    ref = begin(&b.w, "Monthly1", NULL);
    own = db_find(db, "Weekly42")->record;
    snprintf(own.id, sizeof(own.id), "Monthly1");
    snprintf(own.join_key, sizeof(own.join_key), "keyMonthly1");
    own.number[0] = '\0';
    assert_int_equal(pxr_store_merge_meeting(&b.w.store, &own, T0), PXR_OK);
    assert_int_equal(pxr_store_await(&b.w.store, ref, 0), PXR_OK);
    assert_sound(&b.w);
    /* Somebody else has its number, or is called as its number says: it cannot come into being. */
    ref = begin(&b.w, "Daily123", "48001900");
    snprintf(own.id, sizeof(own.id), "Yearly12");
    snprintf(own.join_key, sizeof(own.join_key), "keyYearly12");
    snprintf(own.number, sizeof(own.number), "48001900");
    assert_int_equal(pxr_store_merge_meeting(&b.w.store, &own, T0), PXR_OK);
    assert_int_equal(pxr_store_await(&b.w.store, ref, 0), PXR_INVALID);
    assert_true(is_found(&b.w, "48001900"));
    ref = begin(&b.w, "Daily123", "48002000");
    snprintf(own.id, sizeof(own.id), "48002000");
    snprintf(own.join_key, sizeof(own.join_key), "key48002000");
    own.number[0] = '\0';
    assert_int_equal(pxr_store_merge_meeting(&b.w.store, &own, T0), PXR_OK);
    assert_int_equal(pxr_store_await(&b.w.store, ref, 0), PXR_INVALID);
    assert_true(is_found(&b.w, "48002000"));
    assert_sound(&b.w);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

static void those_that_wait_fill_the_table_too(void **state)
{
    machine_t m;
    pxr_ref_t ref;
    bool created;

    (void)state;
    machine_open(&m, 1, 2, 10, PXR_KEEP_ALONE);
    ref = begin(&m.w, "meeting1", NULL);
    begin(&m.w, "meeting2", NULL);
    assert_int_equal(make_meeting(&m.w, "meeting3", NULL, T0, &ref, &created), PXR_FULL);
    ref.slot = 1;
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_BROKEN);
    assert_sound(&m.w);
    machine_close(&m);
}

/* Delivers an event and says what is to be written then. */
static void tell(machine_t *m, pxr_event_t event, pxr_time_t now)
{
    assert_int_equal(deliver_ours(&m->w, &event, now), PXR_OK);
    assert_sound(&m->w);
}

#define N1 "10.0.0.1"
#define N2 "10.0.0.2"

static void every_change_is_written_and_only_what_changed(void **state)
{
    db_t *db = db_open();
    pxr_event_t event;
    pxr_change_t change;
    uint32_t cursor = 0;
    pxr_leg_record_t leg;
    machine_t m;
    pxr_ref_t ref;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    ref = make_known(db, &m, "Weekly42", NULL, T0);
    make_known(db, &m, "Monthly1", NULL, T0);
    assert_changes(&m.w, 0, 0, 0);
    tell(&m, conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 1, T0), T0);
    assert_changes(&m.w, 1, 1, 0);
    sync_machine(db, &m, T0);
    tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 2, T0 + 1), T0 + 1);
    tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u2", 3, T0 + 2), T0 + 2);
    assert_changes(&m.w, 1, 1, 2);
    sync_machine(db, &m, T0);
    assert_changes(&m.w, 0, 0, 0);
    event = leg_event(PXR_EVENT_QUALITY, N1, "", "u1", 4, T0 + 3);
    event.quality = PXR_QUALITY_BAD;
    tell(&m, event, T0 + 3);
    assert_changes(&m.w, 0, 0, 1);
    /* Changed again while it is being written. */
    assert_int_equal(pxr_store_changes(&m.w.store, PXR_TABLE_LEGS, &cursor, &change, 1), 1);
    assert_int_equal(pxr_store_copy_leg(&m.w.store, &change, &leg), PXR_OK);
    assert_int_equal(leg.leg.quality, PXR_QUALITY_BAD);
    tell(&m, event, T0 + 4);
    pxr_store_saved(&m.w.store, &change);
    assert_changes(&m.w, 0, 0, 1);
    sync_machine(db, &m, T0);
    /* A leg that goes on to another meeting. */
    tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, "Monthly1", "u2", 5, T0 + 5), T0 + 5);
    assert_changes(&m.w, 2, 2, 2);
    sync_machine(db, &m, T0);
    assert_int_equal(pxr_store_close(&m.w.store, m.w.workspace, ref, T0 + 6), PXR_OK);
    assert_changes(&m.w, 1, 0, 0);
    sync_machine(db, &m, T0);
    /* A farewell of the share: its legs are found when it is written. */
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, N1, "Weekly42", 6, T0 + 7);
    tell(&m, event, T0 + 7);
    assert_changes(&m.w, 1, 1, 0);
    db_push(db, &m, T0);
    assert_changes(&m.w, 0, 0, 0);
    for (size_t i = 0; i < db->leg_count; i++) {
        const pxr_leg_record_t *r = &db->legs[i].record;
        assert_int_equal(r->leg.attached, strcmp(r->meeting, "Monthly1") == 0);
        assert_true(r->leg.attached || r->leg.left_at > T0);
        assert_string_equal(r->node, N1);
    }
    /* The node's publisher starts anew: nothing of that is kept. */
    tell(&m, conference_event(PXR_EVENT_SINK_STARTED, N1, "", 1, T0 + 8), T0 + 8);
    assert_changes(&m.w, 0, 0, 0);
    assert_int_equal(pxr_store_unsave(&m.w.store), PXR_OK);
    assert_changes(&m.w, 2, 2, 3);
    sync_machine(db, &m, T0);
    assert_changes(&m.w, 0, 0, 0);
    machine_close(&m);
    db_close(db);
}

static void a_join_request_is_told_to_the_others_once(void **state)
{
    db_t *db = db_open();
    machine_t m;
    pxr_ref_t ref;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    ref = make_known(db, &m, "Weekly42", NULL, T0);
    tell(&m, conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 1, T0), T0);
    sync_machine(db, &m, T0);
    pxr_store_note_join(&m.w.store, ref, T0 + 1);
    assert_int_equal(count_changes(&m.w, PXR_TABLE_MEETINGS), 1);
    db_push(db, &m, T0);
    assert_int_equal(db_find(db, "Weekly42")->record.last_join, T0 + 1);
    assert_int_equal(count_changes(&m.w, PXR_TABLE_MEETINGS), 0);
    machine_close(&m);
    db_close(db);
}

static void a_window_that_opens_again_changes_all(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_tick_t tick;
    pxr_time_t now = T0 + 100 * PXR_SECOND;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    machine_open(&b, 2, 10, 10, PXR_KEEP_SHARED);
    make_known(db, &a, "Weekly42", NULL, T0);
    db_find(db, "Weekly42")->record.life.not_after = T0 + 7200 * PXR_SECOND;
    pxr_slot(&a.w.store, find_meeting(&a.w, "Weekly42").slot)->life.not_after =
        T0 + 7200 * PXR_SECOND;
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0 + 1), T0 + 1);
    tell(&a, leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u1", 2, T0 + 2), T0 + 2);
    sync_machine(db, &a, T0 + 2);
    sync_machine(db, &b, T0 + 2);
    assert_int_equal(pxr_store_tick(&a.w.store, now, &tick), PXR_OK);
    assert_int_equal(tick.reopened, 1);
    assert_int_equal(tick.ended, 0);
    assert_sound(&a.w);
    /* Meanwhile somebody has come to the other machine, and stays. */
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u2", 3, now), now);
    sync_machine(db, &a, now);
    assert_int_equal(db->shares[0].record.share.open, 0);
    sync_machine(db, &b, now);
    assert_sound(&b.w);
    assert_present(&b.w, "Weekly42", 1);
    sync_machine(db, &a, now);
    assert_sound(&a.w);
    assert_present(&a.w, "Weekly42", 1);
    assert_int_equal(db_find(db, "Weekly42")->record.life.era, 1);
    assert_int_equal(db_find(db, "Weekly42")->record.life.state, PXR_MEETING_LIVE);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

static void without_a_database_nothing_is_to_be_written(void **state)
{
    machine_t m;
    pxr_ref_t ref;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_NOTHING);
    ref = begin(&m.w, "Weekly42", NULL);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_OK);
    assert_true(is_found(&m.w, "Weekly42"));
    tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0), T0);
    assert_changes(&m.w, 0, 0, 0);
    assert_true(pxr_store_knows_all(&m.w.store, T0));
    assert_false(pxr_store_await_others(&m.w.store, 1000));
    machine_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_creation_is_nothing_before_the_database_has_it),
        cmocka_unit_test(without_a_keeper_it_is_given_up_and_can_be_made_again),
        cmocka_unit_test(what_may_have_been_written_is_taken_back_or_revived),
        cmocka_unit_test(the_databases_refusal_reaches_everybody_who_waits),
        cmocka_unit_test(another_machines_meeting_of_this_id_takes_its_place),
        cmocka_unit_test(those_that_wait_fill_the_table_too),
        cmocka_unit_test(every_change_is_written_and_only_what_changed),
        cmocka_unit_test(a_join_request_is_told_to_the_others_once),
        cmocka_unit_test(a_window_that_opens_again_changes_all),
        cmocka_unit_test(without_a_database_nothing_is_to_be_written),
    };

    return RUN(tests);
}
