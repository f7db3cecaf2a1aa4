#include "keep_helpers.h"

/* What two machines know of one thing, put together field by field: what is older never overwrites
 * what is newer, whichever of them is heard first. */

#define N1 "10.0.0.1"
#define ID "Weekly42"
#define AT(seconds) (T0 + (seconds)*PXR_SECOND)

static machine_t m;
static db_t *db;

static int set_up(void **state)
{
    (void)state;
    db = db_open();
    machine_open(&m, 1, 10, 20, PXR_KEEP_SHARED);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&m);
    db_close(db);
    return 0;
}

static void tell(pxr_event_t event)
{
    assert_int_equal(deliver_ours(&m.w, &event, event.time), PXR_OK);
    assert_sound(&m.w);
}

static void tell_leg(pxr_event_kind_t kind, const char *uuid, uint64_t seq, pxr_time_t now)
{
    tell(leg_event(kind, N1, ID, uuid, seq, now));
}

/* What another machine has written since. */
static pxr_meeting_record_t *row(void)
{
    return &db_find(db, ID)->record;
}

static void merge(pxr_time_t now)
{
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, row(), now), PXR_OK);
    assert_sound(&m.w);
}

static pxr_meeting_t life(void)
{
    pxr_view_t view = view_of(&m.w, find_meeting(&m.w, ID));
    pxr_meeting_t copy = view.life;

    pxr_view_release(&view);
    return copy;
}

static pxr_time_t last_join(void)
{
    pxr_change_t change = {.table = PXR_TABLE_MEETINGS, .link = find_meeting(&m.w, ID).slot};
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_time_t last;

    assert_non_null(copy);
    assert_int_equal(pxr_store_copy_meeting(&m.w.store, &change, copy), PXR_OK);
    last = copy->record.last_join;
    free(copy);
    return last;
}

static void make_live(void)
{
    make_known(db, &m, ID, "480017", AT(0));
    tell_leg(PXR_EVENT_CONNECTED, "u1", 1, AT(10));
    sync_machine(db, &m, AT(11));
}

static void assert_times(pxr_time_t started, pxr_time_t last_end, pxr_time_t crowded,
                         pxr_time_t join)
{
    pxr_meeting_t now = life();

    assert_int_equal(now.started_at, started);
    assert_int_equal(now.last_end, last_end);
    assert_int_equal(now.crowded_until, crowded);
    assert_int_equal(last_join(), join);
    assert_true(now.closed);
    assert_int_equal(now.present, 1);
}

static void the_first_beginning_and_the_last_of_all_else_count(void **state)
{
    pxr_meeting_record_t *in;

    (void)state;
    make_live();
    in = row();
    in->life.started_at = AT(5);
    in->life.last_end = AT(50);
    in->life.crowded_until = AT(70);
    in->life.closed = 1;
    in->last_join = AT(30);
    merge(AT(100));
    assert_times(AT(5), AT(50), AT(70), AT(30));
    /* What came from there is not written back. */
    assert_changes(&m.w, 0, 0, 0);
    in->life.started_at = AT(6);
    in->life.last_end = AT(49);
    in->life.crowded_until = AT(69);
    in->life.closed = 0;
    in->last_join = AT(29);
    merge(AT(101));
    assert_times(AT(5), AT(50), AT(70), AT(30));
    assert_changes(&m.w, 0, 0, 0);
}

static void an_end_is_final_with_all_that_was_said_of_it(void **state)
{
    pxr_meeting_record_t *in;
    pxr_meeting_t after;

    (void)state;
    make_live();
    in = row();
    in->life.state = PXR_MEETING_ENDED;
    in->life.ended_at = AT(90);
    in->life.inferred = 1;
    in->life.visitors = 4;
    merge(AT(100));
    after = life();
    assert_int_equal(after.state, PXR_MEETING_ENDED);
    assert_int_equal(after.ended_at, AT(90));
    assert_true(after.inferred);
    assert_int_equal(after.visitors, 4);
    assert_int_equal(after.present, 0);
    assert_int_equal(after.shares, 0);
    in->life.state = PXR_MEETING_LIVE;
    in->life.ended_at = 0;
    merge(AT(101));
    assert_int_equal(life().state, PXR_MEETING_ENDED);
}

/* What was live before it was opened again is no sign of life. */
static void only_who_is_in_the_same_era_makes_it_live(void **state)
{
    pxr_meeting_record_t *in;

    (void)state;
    make_known(db, &m, ID, NULL, AT(0));
    in = row();
    in->life.era = 2;
    merge(AT(1));
    in->life.era = 1;
    in->life.state = PXR_MEETING_LIVE;
    merge(AT(2));
    assert_int_equal(life().state, PXR_MEETING_OPEN);
    assert_int_equal(life().era, 2);
    in->life.era = 2;
    merge(AT(3));
    assert_int_equal(life().state, PXR_MEETING_LIVE);
    assert_int_equal(life().empty_since, AT(3));
}

static void an_empty_one_is_opened_again_with_the_others(void **state)
{
    pxr_meeting_record_t *in;
    pxr_meeting_t after;

    (void)state;
    make_live();
    tell_leg(PXR_EVENT_DISCONNECTED, "u1", 2, AT(20));
    sync_machine(db, &m, AT(21));
    assert_int_equal(life().state, PXR_MEETING_LIVE);
    in = row();
    in->life.era = 1;
    in->life.state = PXR_MEETING_OPEN;
    merge(AT(30));
    after = life();
    assert_int_equal(after.state, PXR_MEETING_OPEN);
    assert_int_equal(after.era, 1);
    assert_int_equal(after.shares, 0);
    assert_int_equal(after.empty_since, 0);
    tell_leg(PXR_EVENT_CONNECTED, "u2", 3, AT(40));
    assert_int_equal(life().shares, 1);
    assert_int_equal(life().present, 1);
}

/* Its people are not here yet; should they never come, it ends nevertheless. */
static void one_that_is_live_elsewhere_drains_from_when_it_is_heard_of(void **state)
{
    machine_t other;
    pxr_ending_t ending;

    (void)state;
    make_live();
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    assert_int_equal(pxr_store_merge_meeting(&other.w.store, row(), AT(100)), PXR_OK);
    assert_sound(&other.w);
    assert_int_equal(pxr_store_endings(&other.w.store, AT(100), &ending, 1), 0);
    assert_int_equal(pxr_store_endings(&other.w.store, AT(160), &ending, 1), 1);
    machine_close(&other);
}

/* The other machine has asked the database to remember it; nobody has to do that again. */
static void who_asked_another_machine_holds_it_here(void **state)
{
    pxr_ending_t ending;

    (void)state;
    make_live();
    tell_leg(PXR_EVENT_DISCONNECTED, "u1", 2, AT(20));
    sync_machine(db, &m, AT(21));
    row()->last_join = AT(70);
    merge(AT(75));
    assert_changes(&m.w, 0, 0, 0);
    assert_int_equal(pxr_store_endings(&m.w.store, AT(70) + PXR_HOLD - 1, &ending, 1), 0);
    assert_int_equal(pxr_store_endings(&m.w.store, AT(70) + PXR_HOLD, &ending, 1), 1);
}

/* Events came before the meeting did, which has been opened again since by what others know. */
static void what_events_said_before_is_kept_in_the_new_era(void **state)
{
    machine_t other;
    pxr_meeting_t after;

    (void)state;
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    make_known(db, &other, ID, NULL, AT(0));
    tell_leg(PXR_EVENT_CONNECTED, "u1", 1, AT(10));
    tell_leg(PXR_EVENT_CONNECTED, "u2", 2, AT(11));
    tell_leg(PXR_EVENT_DISCONNECTED, "u2", 3, AT(20));
    row()->life.era = 3;
    merge(AT(30));
    after = life();
    assert_int_equal(after.era, 3);
    assert_int_equal(after.state, PXR_MEETING_LIVE);
    assert_int_equal(after.started_at, AT(10));
    assert_int_equal(after.last_end, AT(20));
    assert_int_equal(after.present, 1);
    assert_int_equal(after.shares, 1);
    tell_leg(PXR_EVENT_DISCONNECTED, "u1", 4, AT(40));
    tell(conference_event(PXR_EVENT_CONFERENCE_ENDED, N1, ID, 5, AT(41)));
    assert_int_equal(life().shares, 0);
    machine_close(&other);
}

/* The keeper has sent it, and whoever wanted it has not heard in time that it was written. */
static pxr_meeting_copy_t *give_up(const char *number)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change;
    uint32_t cursor = 0;
    pxr_ref_t ref;
    bool created;

    assert_non_null(copy);
    assert_int_equal(make_meeting(&m.w, ID, number, AT(0), &ref, &created), PXR_OK);
    assert_int_equal(pxr_store_changes(&m.w.store, PXR_TABLE_MEETINGS, &cursor, &change, 1), 1);
    assert_int_equal(pxr_store_copy_meeting(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 1), PXR_BUSY);
    return copy;
}

static void what_was_given_up_comes_to_life_where_others_have_used_it(void **state)
{
    (void)state;
    for (int use = 0; use < 4; use++) {
        pxr_meeting_copy_t *copy;
        set_up(NULL);
        copy = give_up(NULL);
        copy->record.last_join = use == 1 ? AT(5) : 0;
        copy->record.life.state = use == 2 ? PXR_MEETING_LIVE : PXR_MEETING_OPEN;
        copy->record.life.closed = use == 3;
        assert_int_equal(pxr_store_merge_meeting(&m.w.store, &copy->record, AT(10)), PXR_OK);
        assert_sound(&m.w);
        assert_int_equal(is_found(&m.w, ID), use != 0);
        free(copy);
        tear_down(NULL);
    }
}

/* What the database says of the first attempt is not about the second. */
static void what_was_given_up_can_be_made_again(void **state)
{
    pxr_meeting_copy_t *copy = give_up(NULL);
    pxr_ref_t again;
    bool created;

    (void)state;
    assert_int_equal(make_meeting(&m.w, ID, NULL, AT(5), &again, &created), PXR_OK);
    assert_true(created);
    copy->record.withdrawn = true;
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &copy->record, AT(6)), PXR_OK);
    sync_machine(db, &m, AT(7));
    assert_sound(&m.w);
    assert_int_equal(pxr_store_await(&m.w.store, again, 0), PXR_OK);
    assert_true(is_found(&m.w, ID));
    free(copy);
}

static void what_was_given_up_holds_no_number(void **state)
{
    pxr_meeting_copy_t *copy = give_up("480017");
    machine_t other;
    pxr_view_t view;

    (void)state;
    machine_open(&other, 2, 10, 20, PXR_KEEP_SHARED);
    make_known(db, &other, "Monthly1", "480017", AT(5));
    sync_machine(db, &m, AT(6));
    assert_sound(&m.w);
    view = view_of(&m.w, find_meeting(&m.w, "480017"));
    assert_string_equal(view.id, "Monthly1");
    pxr_view_release(&view);
    machine_close(&other);
    free(copy);
}

static void what_another_machine_has_given_up_is_forgotten_here(void **state)
{
    pxr_meeting_record_t in;

    (void)state;
    make_live();
    in = *row();
    in.withdrawn = true;
    /* Another one of this id. */
    snprintf(in.join_key, sizeof(in.join_key), "another");
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &in, AT(20)), PXR_OK);
    assert_true(is_found(&m.w, ID));
    snprintf(in.join_key, sizeof(in.join_key), "%s", row()->join_key);
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &in, AT(20)), PXR_OK);
    assert_sound(&m.w);
    assert_false(is_found(&m.w, ID));
}

static void one_that_has_ended_keeps_its_id(void **state)
{
    pxr_meeting_record_t in;
    pxr_view_t view;

    (void)state;
    make_live();
    row()->life.state = PXR_MEETING_ENDED;
    row()->life.ended_at = AT(20);
    merge(AT(21));
    in = *row();
    in.life.state = PXR_MEETING_OPEN;
    in.life.ended_at = 0;
    snprintf(in.join_key, sizeof(in.join_key), "another");
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &in, AT(22)), PXR_EXISTS);
    assert_sound(&m.w);
    view = view_of(&m.w, find_meeting(&m.w, ID));
    assert_string_equal(view.join_key, row()->join_key);
    assert_int_equal(view.life.state, PXR_MEETING_ENDED);
    pxr_view_release(&view);
}

static pxr_status_t try(const pxr_meeting_record_t *in)
{
    return pxr_store_merge_meeting(&m.w.store, in, AT(100));
}

/* A row that was changed by hand. */
static void what_cannot_be_is_refused(void **state)
{
    pxr_meeting_record_t in;

    (void)state;
    make_live();
    in = *row();
    in.life.state = 0;
    assert_int_equal(try(&in), PXR_INVALID);
    in.life.state = PXR_MEETING_ENDED + 1;
    assert_int_equal(try(&in), PXR_INVALID);
    in.life.state = PXR_MEETING_ENDED;
    in.life.ended_at = 0;
    assert_int_equal(try(&in), PXR_INVALID);
    in = *row();
    in.answer_len = PXR_ANSWER_MAX + 1;
    assert_int_equal(try(&in), PXR_INVALID);
    in = *row();
    in.tag_len = PXR_PEXIP_TEXT_MAX + 1;
    assert_int_equal(try(&in), PXR_INVALID);
    assert_int_equal(life().state, PXR_MEETING_LIVE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_first_beginning_and_the_last_of_all_else_count),
        CASE(an_end_is_final_with_all_that_was_said_of_it),
        CASE(only_who_is_in_the_same_era_makes_it_live),
        CASE(an_empty_one_is_opened_again_with_the_others),
        CASE(one_that_is_live_elsewhere_drains_from_when_it_is_heard_of),
        CASE(who_asked_another_machine_holds_it_here),
        CASE(what_events_said_before_is_kept_in_the_new_era),
        cmocka_unit_test(what_was_given_up_comes_to_life_where_others_have_used_it),
        CASE(what_was_given_up_can_be_made_again),
        CASE(what_was_given_up_holds_no_number),
        CASE(what_another_machine_has_given_up_is_forgotten_here),
        CASE(one_that_has_ended_keeps_its_id),
        CASE(what_cannot_be_is_refused),
    };

    return RUN(tests);
}
