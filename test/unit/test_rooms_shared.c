#include "keep_helpers.h"

/* Rooms that have one meeting only, where a database keeps it and other machines may make it. */

#define NODE "10.0.0.1"

static void open_two(machine_t *a, machine_t *b)
{
    machine_open(a, 1, 20, 20, PXR_KEEP_SHARED);
    machine_open(b, 2, 20, 20, PXR_KEEP_SHARED);
}

static void close_two(db_t *db, machine_t *a, machine_t *b)
{
    assert_sound(&a->w);
    assert_sound(&b->w);
    machine_close(a);
    machine_close(b);
    db_close(db);
}

static void call_from(const machine_t *m, const char *id, pxr_time_t now, pxr_ref_t *ref,
                      bool *created)
{
    assert_int_equal(call_in_room(&m->w, "general", "Lobby", id, now, ref, created), PXR_OK);
    assert_sound(&m->w);
}

/* One that begins the room's meeting, and is kept. */
static pxr_ref_t begin_in_room(db_t *db, machine_t *m, const char *id, pxr_time_t now)
{
    pxr_ref_t ref;
    bool created = false;

    call_from(m, id, now, &ref, &created);
    assert_true(created);
    sync_machine(db, m, now);
    assert_int_equal(pxr_store_await(&m->w.store, ref, 0), PXR_OK);
    return ref;
}

/* One that finds it. */
static void join_room(const machine_t *m, const char *id, pxr_time_t now)
{
    pxr_ref_t ref;
    bool created = true;

    call_from(m, id, now, &ref, &created);
    CHECK(!created, "%s began a second meeting", id);
}

static pxr_status_t find(const machine_t *m, const char *alias, pxr_time_t now, pxr_found_t *found)
{
    return pxr_store_find(&m->w.store, m->w.workspace, false, alias, strlen(alias), now, found,
                          NULL, 0);
}

static void assert_leads(const machine_t *m, const char *alias, const char *id)
{
    pxr_found_t found;

    CHECK(find(m, alias, T0, &found) == PXR_OK, "%s is not found", alias);
    assert_string_equal(found.id, id);
}

static bool lists(const char *calls, const char *id)
{
    pxr_meeting_record_t r;

    memset(&r, 0, sizeof(r));
    snprintf(r.calls, sizeof(r.calls), "%s", calls);
    return db_leads_to(&r, id);
}

static pxr_meeting_record_t *row(db_t *db, const char *id)
{
    row_t *found = db_find(db, id);

    assert_non_null(found);
    return &found->record;
}

static void a_meeting_that_waits_is_the_rooms_already(void **state)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change = {.table = PXR_TABLE_MEETINGS};
    db_t *db = db_open();
    machine_t m;
    pxr_ref_t first;
    pxr_ref_t second;
    bool created;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    call_from(&m, "FirstCall1", T0, &first, &created);
    assert_true(created);
    call_from(&m, "SecondCall", T0, &second, &created);
    assert_false(created);
    assert_int_equal(second.slot, first.slot);
    assert_false(is_found(&m.w, "Lobby"));
    assert_false(is_found(&m.w, "SecondCall"));
    /* One that comes while it is being written is written in the next round. */
    change.link = first.slot;
    assert_int_equal(pxr_store_copy_meeting(&m.w.store, &change, copy), PXR_OK);
    assert_string_equal(copy->record.calls, "SecondCall");
    assert_string_equal(copy->record.called, "Lobby");
    assert_true(copy->record.single);
    assert_int_equal(strlen(copy->record.room_key), PXR_ROOM_KEY_LEN);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    call_from(&m, "ThirdCall1", T0, &second, &created);
    assert_false(created);
    db_put_meeting(db, &copy->record);
    assert_int_equal(pxr_store_settle(&m.w.store, &change, copy, PXR_OK), PXR_OK);
    pxr_store_saved(&m.w.store, &change);
    assert_int_equal(pxr_store_await(&m.w.store, second, 0), PXR_OK);
    assert_leads(&m, "ThirdCall1", "FirstCall1");
    assert_leads(&m, "Lobby", "FirstCall1");
    assert_int_equal(count_changes(&m.w, PXR_TABLE_MEETINGS), 1);
    sync_machine(db, &m, T0);
    assert_true(lists(row(db, "FirstCall1")->calls, "ThirdCall1"));
    assert_int_equal(count_changes(&m.w, PXR_TABLE_MEETINGS), 0);
    free(copy);
    machine_close(&m);
    db_close(db);
}

static void what_is_given_up_leaves_the_room_when_it_is_taken_back(void **state)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change = {.table = PXR_TABLE_MEETINGS};
    db_t *db = db_open();
    machine_t m;
    pxr_ref_t ref;
    pxr_ref_t other;
    bool created;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    /* Not written yet: it goes with all its names. */
    call_from(&m, "FirstCall1", T0, &ref, &created);
    call_from(&m, "SecondCall", T0, &other, &created);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_BUSY);
    assert_sound(&m.w);
    call_from(&m, "SecondCall", T0, &ref, &created);
    assert_true(created);
    /* It may have been written: until that is known the room is nobody's. */
    change.link = ref.slot;
    assert_int_equal(pxr_store_copy_meeting(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    db_put_meeting(db, &copy->record);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_BUSY);
    assert_int_equal(call_in_room(&m.w, "general", NULL, "ThirdCall1", T0, &other, &created),
                     PXR_BUSY);
    assert_sound(&m.w);
    sync_machine(db, &m, T0);
    assert_true(row(db, "SecondCall")->withdrawn);
    begin_in_room(db, &m, "ThirdCall1", T0);
    assert_leads(&m, "Lobby", "ThirdCall1");
    /* Wanted again by a further call of it, it is that meeting. */
    assert_int_equal(
        pxr_store_close(&m.w.store, m.w.workspace, find_meeting(&m.w, "ThirdCall1"), T0), PXR_OK);
    sync_machine(db, &m, T0);
    call_from(&m, "FourthCall", T0, &ref, &created);
    call_from(&m, "FifthCall1", T0, &other, &created);
    change.link = ref.slot;
    assert_int_equal(pxr_store_copy_meeting(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_sending(&m.w.store, &change, copy), PXR_OK);
    assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_BUSY);
    call_from(&m, "FifthCall1", T0, &other, &created);
    assert_true(created);
    assert_int_equal(other.slot, ref.slot);
    sync_machine(db, &m, T0);
    assert_int_equal(pxr_store_await(&m.w.store, other, 0), PXR_OK);
    assert_leads(&m, "FifthCall1", "FourthCall");
    assert_sound(&m.w);
    free(copy);
    machine_close(&m);
    db_close(db);
}

/* The database must not hear of the new one before it knows that the old one is over. */
static void a_room_can_be_closed_and_used_within_one_round(void **state)
{
    (void)state;
    for (uint32_t cursor = 0; cursor < 3; cursor++) {
        db_t *db = db_open();
        pxr_event_t event;
        machine_t m;
        pxr_ref_t ref;
        bool created;
        machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
        ref = begin_in_room(db, &m, "FirstCall1", T0);
        event = leg_event(PXR_EVENT_CONNECTED, NODE, "FirstCall1", "u1", 1, T0);
        assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_OK);
        sync_machine(db, &m, T0);
        m.cursor = cursor;
        assert_int_equal(pxr_store_close(&m.w.store, m.w.workspace, ref, T0 + 1), PXR_OK);
        call_from(&m, "SecondCall", T0 + 2, &ref, &created);
        assert_true(created);
        for (int i = 0; i < 3; i++) {
            /* Those who are still in the old one go on being heard of. */
            event = leg_event(PXR_EVENT_UPDATED, NODE, "FirstCall1", "u1", (uint64_t)i + 2, T0 + i);
            assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_OK);
            sync_machine(db, &m, T0 + 2);
        }
        assert_int_equal(pxr_store_await(&m.w.store, ref, 0), PXR_OK);
        assert_leads(&m, "Lobby", "SecondCall");
        assert_sound(&m.w);
        machine_close(&m);
        db_close(db);
    }
}

static void two_machines_make_one_meeting(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_ref_t first;
    pxr_ref_t second;
    bool created;
    pxr_view_t view;

    (void)state;
    open_two(&a, &b);
    call_from(&a, "FromMachineA", T0, &first, &created);
    assert_true(created);
    call_from(&b, "FromMachineB", T0, &second, &created);
    assert_true(created);
    call_from(&b, "AlsoFromB12", T0, &second, &created);
    assert_false(created);
    sync_machine(db, &a, T0);
    assert_int_equal(pxr_store_await(&a.w.store, first, 0), PXR_OK);
    sync_machine(db, &b, T0);
    /* Both who waited there try again, and get the winner. */
    assert_int_equal(pxr_store_await(&b.w.store, second, 0), PXR_EXISTS);
    join_room(&b, "FromMachineB", T0);
    join_room(&b, "AlsoFromB12", T0);
    join_room(&a, "AlsoFromA12", T0);
    sync_machine(db, &b, T0);
    sync_machine(db, &a, T0);
    sync_machine(db, &b, T0);
    for (int i = 0; i < 2; i++) {
        const machine_t *m = i == 0 ? &a : &b;
        assert_leads(m, "FromMachineA", "FromMachineA");
        assert_leads(m, "FromMachineB", "FromMachineA");
        assert_leads(m, "AlsoFromB12", "FromMachineA");
        assert_leads(m, "AlsoFromA12", "FromMachineA");
        assert_leads(m, "lobby", "FromMachineA");
        view = view_of(&m->w, find_meeting(&m->w, "FromMachineA"));
        assert_true(lists(view.calls, "FromMachineB") && lists(view.calls, "AlsoFromB12") &&
                    lists(view.calls, "AlsoFromA12"));
        pxr_view_release(&view);
        assert_changes(&m->w, 0, 0, 0);
    }
    assert_true(lists(row(db, "FromMachineA")->calls, "FromMachineB"));
    assert_true(lists(row(db, "FromMachineA")->calls, "AlsoFromB12"));
    assert_true(lists(row(db, "FromMachineA")->calls, "AlsoFromA12"));
    assert_null(db_find(db, "FromMachineB"));
    close_two(db, &a, &b);
}

/* Each has heard of other calls, at the very bound of what is kept. */
static void more_calls_than_are_kept_cost_nothing_else(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    char id[32];
    pxr_details_t more = {0};
    pxr_view_t view;

    (void)state;
    open_two(&a, &b);
    begin_in_room(db, &a, "FirstCall1", T0);
    sync_machine(db, &b, T0);
    for (int i = 0; i < PXR_CALLS_MAX - 1; i++) {
        snprintf(id, sizeof(id), "FromMachineA%02d", i);
        join_room(&a, id, T0);
    }
    join_room(&b, "FromMachineB1", T0);
    join_room(&b, "FromMachineB2", T0);
    more.text[PXR_DISCUSSION_ID] = "talk";
    more.len[PXR_DISCUSSION_ID] = 4;
    assert_int_equal(pxr_store_add_discussion(&a.w.store, a.w.workspace,
                                              find_meeting(&a.w, "FirstCall1"), &more),
                     PXR_OK);
    sync_machine(db, &a, T0);
    /* This must succeed although not every call finds a place. */
    sync_machine(db, &b, T0);
    sync_machine(db, &a, T0);
    sync_machine(db, &b, T0);
    assert_leads(&b, "FromMachineB1", "FirstCall1");
    assert_leads(&b, "FromMachineB2", "FirstCall1");
    assert_leads(&a, "FromMachineA00", "FirstCall1");
    view = view_of(&b.w, find_meeting(&b.w, "FirstCall1"));
    assert_int_equal(view.details.len[PXR_DISCUSSION_ID], 4);
    pxr_view_release(&view);
    close_two(db, &a, &b);
}

static void an_end_on_one_machine_frees_the_room_on_the_other(void **state)
{
    db_t *db = db_open();
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_time_t now = T0 + PXR_SECOND;
    pxr_ending_t ending;
    machine_t a, b;
    pxr_ref_t ref;

    (void)state;
    open_two(&a, &b);
    ref = begin_in_room(db, &a, "FirstCall1", T0);
    sync_machine(db, &b, T0);
    join_room(&b, "SecondCall", T0);
    sync_machine(db, &b, T0);
    assert_int_equal(pxr_store_close(&a.w.store, a.w.workspace, ref, now), PXR_OK);
    sync_machine(db, &a, now);
    /* Closed: the other one knows after its next round. */
    sync_machine(db, &b, now);
    assert_false(is_found(&b.w, "Lobby"));
    assert_leads(&b, "SecondCall", "FirstCall1");
    begin_in_room(db, &b, "ThirdCall1", now);
    sync_machine(db, &a, now);
    assert_leads(&a, "Lobby", "ThirdCall1");
    join_room(&a, "FourthCall", now);
    sync_machine(db, &a, now);
    /* Ended by the keeper. */
    assert_int_equal(pxr_store_endings(&a.w.store, now, &ending, 1), 1);
    assert_int_equal(pxr_store_copy_ending(&a.w.store, &ending, copy), PXR_OK);
    db->revision++;
    db_put_meeting(db, &copy->record);
    assert_int_equal(pxr_store_end(&a.w.store, &ending, now), PXR_OK);
    sync_machine(db, &a, now);
    sync_machine(db, &b, now);
    assert_int_equal(row(db, "FirstCall1")->life.state, PXR_MEETING_ENDED);
    join_room(&b, "FifthCall1", now);
    join_room(&a, "SixthCall1", now);
    assert_leads(&a, "Lobby", "ThirdCall1");
    free(copy);
    close_two(db, &a, &b);
}

/* Nobody here waits for it any more, but another machine has told somebody that it is there. */
static void what_others_use_is_not_taken_back(void **state)
{
    for (int told = 0; told < 2; told++) {
        db_t *db = db_open();
        machine_t a, b;
        pxr_ref_t ref;
        bool created;

        (void)state;
        open_two(&a, &b);
        call_from(&a, "FirstCall1", T0, &ref, &created);
        a.deaf = true;
        sync_machine(db, &a, T0);
        a.deaf = false;
        assert_int_equal(pxr_store_await(&a.w.store, ref, 0), PXR_BUSY);
        sync_machine(db, &b, T0);
        if (told) {
            join_room(&b, "SecondCall", T0);
            sync_machine(db, &b, T0);
        }
        sync_machine(db, &a, T0);
        sync_machine(db, &b, T0);
        assert_int_equal(row(db, "FirstCall1")->withdrawn, !told);
        assert_int_equal(is_found(&a.w, "FirstCall1"), told);
        assert_int_equal(is_found(&b.w, "FirstCall1"), told);
        assert_int_equal(is_found(&a.w, "SecondCall"), told);
        close_two(db, &a, &b);
    }
}

/* The same id was sent to both, in a room whose meeting was closed on one of them meanwhile. */
static void a_call_of_anothers_meeting_takes_the_place_of_a_creation(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_ref_t ref;
    bool created;

    (void)state;
    open_two(&a, &b);
    ref = begin_in_room(db, &a, "FirstCall1", T0);
    sync_machine(db, &b, T0);
    assert_int_equal(pxr_store_close(&a.w.store, a.w.workspace, ref, T0), PXR_OK);
    join_room(&b, "SecondCall", T0);
    sync_machine(db, &b, T0);
    call_from(&a, "SecondCall", T0, &ref, &created);
    assert_true(created);
    sync_machine(db, &a, T0);
    assert_int_equal(pxr_store_await(&a.w.store, ref, 0), PXR_EXISTS);
    assert_leads(&a, "SecondCall", "FirstCall1");
    call_from(&a, "SecondCall", T0, &ref, &created);
    assert_false(created);
    close_two(db, &a, &b);
}

static void set_task(const machine_t *m, const char *id, pxr_task_kind_t kind,
                     pxr_task_state_t state, pxr_time_t now)
{
    pxr_ref_t ref = find_meeting(&m->w, id);
    pxr_told_t told;
    pxr_task_t task;

    assert_int_equal(pxr_store_told(&m->w.store, m->w.workspace, ref, &told), PXR_OK);
    task = told.task[kind];
    assert_true(pxr_task_set(&task, state, PXR_REASON_NONE, 200, now));
    task.sent = 4711;
    assert_int_equal(
        pxr_store_note_task(&m->w.store, m->w.workspace, ref, kind, &task, told.task[kind].version),
        PXR_OK);
    assert_sound(&m->w);
}

static pxr_task_t task_of(const machine_t *m, const char *id, pxr_task_kind_t kind)
{
    pxr_told_t told;

    assert_int_equal(pxr_store_told(&m->w.store, m->w.workspace, find_meeting(&m->w, id), &told),
                     PXR_OK);
    return told.task[kind];
}

static void make_with_tasks(db_t *db, machine_t *m, const char *id)
{
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t in = plain_meeting(id, key, "general", T0);
    pxr_ref_t ref;
    bool created;

    for (int i = 0; i < PXR_TASKS; i++) {
        pxr_task_set(&in.told.task[i], PXR_TASK_WAITING, PXR_REASON_NONE, 0, T0);
    }
    assert_int_equal(pxr_store_create(&m->w.store, m->w.workspace, &in, &ref, &created), PXR_OK);
    sync_machine(db, m, T0);
}

static void what_one_machine_was_told_the_other_knows_after_a_round(void **state)
{
    db_t *db = db_open();
    machine_t a, b, c;
    pxr_tell_t due[8];
    uint32_t cursor = 0;
    pxr_task_t at_a, at_b;

    (void)state;
    open_two(&a, &b);
    make_with_tasks(db, &a, "Weekly42");
    sync_machine(db, &b, T0);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_DIRECT).state, PXR_TASK_WAITING);
    assert_int_equal(pxr_store_tell_due(&b.w.store, T0, &cursor, due, 8), 1);
    assert_int_equal(pxr_store_tell_due(&b.w.store, T0, &cursor, due, 8), 0);
    set_task(&a, "Weekly42", PXR_TASK_MESSAGE, PXR_TASK_POSTED, T0 + 1);
    sync_machine(db, &a, T0 + 1);
    assert_changes(&a.w, 0, 0, 0);
    sync_machine(db, &b, T0 + 1);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_MESSAGE).state, PXR_TASK_POSTED);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_MESSAGE).sent, 4711);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_MESSAGE).http, 200);
    /* It is to be looked at, but not to be written again. */
    assert_int_equal(pxr_store_tell_due(&b.w.store, T0, &cursor, due, 8), 1);
    assert_changes(&b.w, 0, 0, 0);
    /* Both change it at the same time: another task each, then the same one. */
    set_task(&a, "Weekly42", PXR_TASK_DIRECT, PXR_TASK_DONE, T0 + 2);
    set_task(&b, "Weekly42", PXR_TASK_CALLBACK, PXR_TASK_DROPPED, T0 + 2);
    set_task(&a, "Weekly42", PXR_TASK_DISCUSSION, PXR_TASK_FAILED, T0 + 3);
    set_task(&b, "Weekly42", PXR_TASK_DISCUSSION, PXR_TASK_DROPPED, T0 + 2);
    for (int i = 0; i < 2; i++) {
        sync_machine(db, &a, T0 + 3);
        sync_machine(db, &b, T0 + 3);
    }
    for (int kind = 0; kind < PXR_TASKS; kind++) {
        at_a = task_of(&a, "Weekly42", (pxr_task_kind_t)kind);
        at_b = task_of(&b, "Weekly42", (pxr_task_kind_t)kind);
        CHECK(at_a.state == at_b.state && at_a.version == at_b.version, "%s differs",
              pxr_task_kind_name((pxr_task_kind_t)kind));
    }
    assert_int_equal(task_of(&a, "Weekly42", PXR_TASK_DIRECT).state, PXR_TASK_DONE);
    assert_int_equal(task_of(&a, "Weekly42", PXR_TASK_CALLBACK).state, PXR_TASK_DROPPED);
    assert_int_equal(task_of(&a, "Weekly42", PXR_TASK_DISCUSSION).state, PXR_TASK_FAILED);
    assert_changes(&a.w, 0, 0, 0);
    assert_changes(&b.w, 0, 0, 0);
    /* The database has come to the same. */
    machine_open(&c, 3, 20, 20, PXR_KEEP_SHARED);
    sync_machine(db, &c, T0 + 4);
    for (int kind = 0; kind < PXR_TASKS; kind++) {
        at_a = task_of(&a, "Weekly42", (pxr_task_kind_t)kind);
        at_b = task_of(&c, "Weekly42", (pxr_task_kind_t)kind);
        assert_int_equal(at_a.state, at_b.state);
        assert_int_equal(at_a.version, at_b.version);
        assert_int_equal(at_a.changed_at, at_b.changed_at);
    }
    machine_close(&c);
    close_two(db, &a, &b);
}

static void a_new_working_set_knows_rooms_calls_and_what_was_told(void **state)
{
    db_t *db = db_open();
    pxr_event_t event;
    machine_t a, b;
    pxr_ref_t ref;
    pxr_view_t old;
    pxr_view_t new;
    bool created;

    (void)state;
    open_two(&a, &b);
    begin_in_room(db, &a, "ClosedCall1", T0);
    join_room(&a, "ClosedCall2", T0);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "ClosedCall1", "u1", 1, T0);
    assert_int_equal(deliver_ours(&a.w, &event, T0), PXR_OK);
    assert_int_equal(
        pxr_store_close(&a.w.store, a.w.workspace, find_meeting(&a.w, "ClosedCall1"), T0), PXR_OK);
    sync_machine(db, &a, T0);
    begin_in_room(db, &a, "OpenCall1", T0);
    join_room(&a, "OpenCall2", T0);
    join_room(&a, "OpenCall3", T0);
    make_with_tasks(db, &a, "Weekly42");
    set_task(&a, "Weekly42", PXR_TASK_DIRECT, PXR_TASK_DONE, T0 + 1);
    sync_machine(db, &a, T0);
    sync_machine(db, &b, T0);
    assert_leads(&b, "ClosedCall2", "ClosedCall1");
    assert_leads(&b, "OpenCall2", "OpenCall1");
    assert_leads(&b, "opencall3", "OpenCall1");
    assert_leads(&b, "Lobby", "OpenCall1");
    old = view_of(&a.w, find_meeting(&a.w, "OpenCall1"));
    new = view_of(&b.w, find_meeting(&b.w, "OpenCall1"));
    assert_string_equal(old.host_key, new.host_key);
    assert_string_equal(new.called, "Lobby");
    assert_int_equal(strlen(old.calls), strlen(new.calls));
    pxr_view_release(&old);
    pxr_view_release(&new);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_DIRECT).state, PXR_TASK_DONE);
    assert_int_equal(task_of(&b, "Weekly42", PXR_TASK_MESSAGE).state, PXR_TASK_WAITING);
    /* The room goes on having the same meeting. */
    call_from(&b, "OpenCall4", T0 + 1, &ref, &created);
    assert_false(created);
    assert_int_equal(ref.slot, find_meeting(&b.w, "OpenCall1").slot);
    assert_changes(&b.w, 1, 0, 0);
    close_two(db, &a, &b);
}

/* Events were here first, and what the row says is longer than one could wish. */
static void a_meeting_that_events_spoke_of_gets_its_room_and_calls(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    char text[64];
    pxr_tell_t due[8];
    uint32_t cursor = 0;
    pxr_event_t event;

    (void)state;
    machine_open(&a, 1, 20, 300, PXR_KEEP_SHARED);
    machine_open(&b, 2, 1000, 300, PXR_KEEP_SHARED);
    begin_in_room(db, &a, "FirstCall1", T0);
    for (int i = 0; i < PXR_CALLS_MAX; i++) {
        snprintf(text, sizeof(text), "FurtherCall%02d", i);
        join_room(&a, text, T0);
    }
    set_task(&a, "FirstCall1", PXR_TASK_MESSAGE, PXR_TASK_POSTED, T0);
    sync_machine(db, &a, T0);
    row(db, "FirstCall1")->life.era = 1;
    for (unsigned i = 0; i < 280; i++) {
        char room[64];
        snprintf(room, sizeof(room), "FirstCall1_breakout_%u", i);
        snprintf(text, sizeof(text), "u%u", i);
        event = leg_event(PXR_EVENT_CONNECTED, NODE, room, text, i + 1, T0 + i);
        assert_int_equal(deliver_ours(&b.w, &event, T0 + i), PXR_OK);
    }
    assert_int_equal(pxr_store_tell_due(&b.w.store, T0, &cursor, due, 8), 0);
    sync_machine(db, &b, T0 + 999);
    assert_sound(&b.w);
    assert_present(&b.w, "FirstCall1", 280);
    assert_leads(&b, "Lobby", "FirstCall1");
    for (int i = 0; i < PXR_CALLS_MAX; i++) {
        snprintf(text, sizeof(text), "FurtherCall%02d", i);
        assert_leads(&b, text, "FirstCall1");
    }
    assert_int_equal(pxr_store_tell_due(&b.w.store, T0, &cursor, due, 8), 1);
    close_two(db, &a, &b);
}

/* Somebody has written to the tables by hand. */
static void nonsense_in_a_row_does_no_harm(void **state)
{
    static const char *const calls[] = {
        "FirstCall1",
        "FirstCall1 FirstCall1",
        "Twice1234 Twice1234 Twice1234",
        "480017 x y z 480017",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
        "    ",
        "%s%n %d",
        "Neighbour1",
        "Lobby123",
        "48001700",
        "\xff\xfe\x01 ' OR 1=1 --",
    };
    static const char *const keys[] = {"", "x", "0000000000000000", "zzzzzzzzzzzzzzzz"};

    (void)state;
    for (size_t i = 0; i < COUNT(calls) * COUNT(keys) * 2; i++) {
        db_t *db = db_open();
        machine_t a, b;
        pxr_event_t event;
        pxr_meeting_record_t *r;
        open_two(&a, &b);
        make_known(db, &a, "Neighbour1", "48001700", T0);
        begin_in_room(db, &a, "FirstCall1", T0);
        r = row(db, "FirstCall1");
        if (i % 2 != 0) {
            sync_machine(db, &b, T0); /* it is known already */
        }
        snprintf(r->calls, sizeof(r->calls), "%s", calls[i / 2 % COUNT(calls)]);
        snprintf(r->room_key, sizeof(r->room_key), "%s", keys[i / 2 / COUNT(calls)]);
        snprintf(r->told, sizeof(r->told), "%s", i % 3 == 0 ? "0:1,1,0,0,zz 9:9" : "\xff%s%n");
        snprintf(r->called, sizeof(r->called), "%s", i % 5 == 0 ? "48001700" : "Lobby123");
        db_find(db, "FirstCall1")->revision = ++db->revision;
        sync_machine(db, &b, T0);
        assert_sound(&b.w);
        assert_leads(&b, "FirstCall1", "FirstCall1");
        assert_leads(&b, "Neighbour1", "Neighbour1");
        assert_leads(&b, "48001700", "Neighbour1");
        assert_int_equal(task_of(&b, "FirstCall1", PXR_TASK_DIRECT).version, 0);
        /* Events reach it, and the room is still the room. */
        event = leg_event(PXR_EVENT_CONNECTED, NODE, "FirstCall1", "u1", 1, T0);
        assert_int_equal(deliver_ours(&b.w, &event, T0), PXR_OK);
        assert_present(&b.w, "FirstCall1", 1);
        join_room(&b, "AnyCall123", T0);
        sync_machine(db, &b, T0);
        assert_sound(&b.w);
        close_two(db, &a, &b);
    }
}

/* As many as fit into the column, and a number that is the id. */
static void rows_that_were_made_to_overflow_are_taken_as_far_as_they_go(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_meeting_record_t *r;
    pxr_view_t view;

    (void)state;
    open_two(&a, &b);
    begin_in_room(db, &a, "FirstCall1", T0);
    r = row(db, "FirstCall1");
    for (size_t i = 0; i + 10 < sizeof(r->calls); i += 9) {
        snprintf(r->calls + i, 10, "%08u ", (unsigned)(i % 100000000));
    }
    snprintf(r->number, sizeof(r->number), "FirstCall1");
    sync_machine(db, &b, T0);
    assert_sound(&b.w);
    assert_leads(&b, "FirstCall1", "FirstCall1");
    assert_leads(&b, "00000009", "FirstCall1");
    view = view_of(&b.w, find_meeting(&b.w, "FirstCall1"));
    assert_int_equal(strlen(view.calls), PXR_CALLS_MAX * 9 - 1);
    pxr_view_release(&view);
    close_two(db, &a, &b);
}

/* The story: calls in three rooms on two machines, of which nobody may be lost. */

#define ROOMS 3
#define CALLS 80

typedef enum { CALL_NONE, CALL_WAITS, CALL_WRITTEN_NEXT, CALL_ACKNOWLEDGED } call_state_t;

/* Somebody who asked for a meeting, as httpd/creation.c does. */
typedef struct {
    char id[32];
    size_t room;
    machine_t *at;
    pxr_ref_t ref;
    call_state_t state;
    uint32_t round; /* of its machine */
    bool acknowledged;
} call_t;

typedef struct {
    uint64_t seed, dice;
    pxr_time_t now;
    db_t *db;
    machine_t m[2];
    uint32_t rounds[2];
    uint64_t seq;
    call_t calls[CALLS];
    size_t count;
    bool trace;
} story_t;

static const char *const room_ids[ROOMS] = {"general", "support", "sales"};
static const char *const room_names[ROOMS] = {"General", "Support", "Sales"};

#define SAY(s, ...) \
    do { \
        if ((s)->trace) { \
            print_message(__VA_ARGS__); \
        } \
    } while (0)

static size_t machine_of(const story_t *s, const machine_t *m)
{
    return m == &s->m[0] ? 0 : 1;
}

static void ask(story_t *s, call_t *call)
{
    bool created = false;
    pxr_status_t status = call_in_room(&call->at->w, room_ids[call->room], room_names[call->room],
                                       call->id, s->now, &call->ref, &created);

    SAY(s, "%s asked at %zu in %s: %d%s\n", call->id, machine_of(s, call->at), room_ids[call->room],
        (int)status, created ? ", created" : "");
    /* MISSING: events came here first. */
    CHECK(status == PXR_OK || status == PXR_BUSY || status == PXR_FULL || status == PXR_MISSING,
          "seed %lu: %s got %d", (unsigned long)s->seed, call->id, (int)status);
    call->state = status == PXR_OK ? CALL_WAITS : CALL_NONE;
    call->round = s->rounds[machine_of(s, call->at)];
}

/* What has become of it; who is impatient gives it up where that is not known yet. */
static void look(story_t *s, call_t *call, bool impatient)
{
    const pxr_slot_t *slot = pxr_slot(&call->at->w.store, call->ref.slot);
    uint32_t round = s->rounds[machine_of(s, call->at)];
    pxr_view_t view;
    pxr_status_t status;

    if (call->state == CALL_WAITS &&
        (impatient || slot->generation != call->ref.generation || slot->state != SLOT_PENDING)) {
        status = pxr_store_await(&call->at->w.store, call->ref, 0);
        SAY(s, "%s awaited: %d\n", call->id, (int)status);
        if (status == PXR_OK) {
            call->state = CALL_WRITTEN_NEXT;
            call->round = round;
        } else if (status == PXR_EXISTS || status == PXR_MISSING) {
            /* Another machine's is known now, or was taken back by it. */
            ask(s, call);
        } else {
            CHECK(status == PXR_BUSY, "seed %lu: %s came to %d", (unsigned long)s->seed, call->id,
                  (int)status);
            call->state = CALL_NONE;
        }
    } else if (call->state == CALL_WRITTEN_NEXT && round > call->round) {
        bool there =
            pxr_store_read(&call->at->w.store, call->at->w.workspace, call->ref, &view) == PXR_OK;
        pxr_view_release(&view);
        SAY(s, "%s acknowledged: %d\n", call->id, there);
        call->state = there ? CALL_ACKNOWLEDGED : CALL_NONE;
        call->acknowledged = call->acknowledged || there;
    }
}

static void look_at_all(story_t *s, const machine_t *m)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->calls[i].at == m) {
            look(s, &s->calls[i], false);
        }
    }
}

static void sync_one(story_t *s, machine_t *m)
{
    SAY(s, "round of %zu%s\n", machine_of(s, m), m->deaf ? ", deaf" : "");
    m->cursor = dice(&s->dice, 1000);
    sync_machine(s->db, m, s->now);
    s->rounds[machine_of(s, m)] += !m->deaf;
    look_at_all(s, m);
}

/* The meeting that the room has by this machine's knowledge. */
static bool room_of(const story_t *s, const machine_t *m, size_t room, pxr_found_t *found)
{
    return find(m, room_names[room], s->now, found) == PXR_OK;
}

static void new_call(story_t *s)
{
    call_t *call = &s->calls[s->count];

    if (s->count == CALLS) {
        return;
    }
    snprintf(call->id, sizeof(call->id), "Call%06zu", s->count);
    call->room = dice(&s->dice, ROOMS);
    call->at = &s->m[dice(&s->dice, 2)];
    s->count++;
    ask(s, call);
}

/* Somebody did not hear the answer, and asks any machine. */
static void call_again(story_t *s)
{
    call_t *call = s->count > 0 ? &s->calls[dice(&s->dice, (uint32_t)s->count)] : NULL;

    if (call != NULL && (call->state == CALL_NONE || call->state == CALL_ACKNOWLEDGED)) {
        call->at = &s->m[dice(&s->dice, 2)];
        ask(s, call);
    }
}

static void hear(story_t *s, pxr_event_kind_t kind, bool both)
{
    pxr_found_t found;
    pxr_event_t event;
    machine_t *m = &s->m[dice(&s->dice, 2)];

    if (!room_of(s, m, dice(&s->dice, ROOMS), &found)) {
        return;
    }
    event = leg_event(kind, NODE, found.id, found.id, ++s->seq, s->now);
    if (!pxr_event_is_about_leg(kind)) {
        event.uuid[0] = '\0';
    }
    SAY(s, "%s: %s\n", found.id, pxr_event_kind_name(kind));
    deliver_ours(&m->w, &event, s->now);
    if (both) {
        deliver_ours(&s->m[m == &s->m[0]].w, &event, s->now);
    }
}

static void close_one(story_t *s)
{
    pxr_found_t found;
    machine_t *m = &s->m[dice(&s->dice, 2)];

    if (room_of(s, m, dice(&s->dice, ROOMS), &found)) {
        SAY(s, "%s closed at %zu\n", found.id, machine_of(s, m));
        assert_int_equal(pxr_store_close(&m->w.store, m->w.workspace, found.ref, s->now), PXR_OK);
    }
}

/* As the keeper does: everything that was committed has been read, and everybody has written. */
static void end_due(story_t *s)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    machine_t *m = &s->m[dice(&s->dice, 2)];
    pxr_ending_t endings[8];
    size_t count;

    sync_one(s, &s->m[m == &s->m[0]]);
    sync_one(s, m);
    count = pxr_store_endings(&m->w.store, s->now, endings, 8);
    s->db->revision++;
    for (size_t i = 0; i < count; i++) {
        if (pxr_store_copy_ending(&m->w.store, &endings[i], copy) == PXR_OK) {
            SAY(s, "%s ended\n", copy->record.id);
            db_put_meeting(s->db, &copy->record);
            assert_int_equal(pxr_store_end(&m->w.store, &endings[i], s->now), PXR_OK);
        }
    }
    m->revision = s->db->revision;
    free(copy);
}

static void step(story_t *s)
{
    pxr_tick_t tick;

    switch (dice(&s->dice, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        new_call(s);
        break;
    case 4:
    case 5:
        call_again(s);
        break;
    case 6:
    case 7:
        close_one(s);
        break;
    case 8:
        hear(s, PXR_EVENT_CONNECTED, dice(&s->dice, 2) == 0);
        break;
    case 9:
        hear(s, PXR_EVENT_CONFERENCE_ENDED, dice(&s->dice, 2) == 0);
        break;
    case 10:
        end_due(s);
        break;
    case 11:
        if (s->count > 0) {
            look(s, &s->calls[dice(&s->dice, (uint32_t)s->count)], true);
        }
        break;
    case 12:
        /* Nobody waits for longer than some seconds. */
        for (size_t i = 0; i < s->count; i++) {
            look(s, &s->calls[i], true);
        }
        s->now += (pxr_time_t)dice(&s->dice, 40) * PXR_SECOND;
        s->now += dice(&s->dice, 12) == 0 ? 3600 * PXR_SECOND : 0;
        assert_int_equal(pxr_store_tick(&s->m[0].w.store, s->now, &tick), PXR_OK);
        assert_int_equal(pxr_store_tick(&s->m[1].w.store, s->now, &tick), PXR_OK);
        break;
    case 13:
        s->m[dice(&s->dice, 2)].deaf = dice(&s->dice, 2) == 0;
        break;
    default:
        sync_one(s, &s->m[dice(&s->dice, 2)]);
    }
    s->now++;
}

static void settle(story_t *s)
{
    s->m[0].deaf = false;
    s->m[1].deaf = false;
    for (int i = 0; i < 6; i++) {
        sync_one(s, &s->m[0]);
        sync_one(s, &s->m[1]);
    }
    for (size_t i = 0; i < s->count; i++) {
        CHECK(s->calls[i].state == CALL_NONE || s->calls[i].state == CALL_ACKNOWLEDGED,
              "seed %lu: %s waits for ever", (unsigned long)s->seed, s->calls[i].id);
    }
}

/* Ids of what can be joined in this room, by whatever name it is known. */
static size_t joinable_at(const story_t *s, const machine_t *m, size_t room, char *id)
{
    pxr_list_query_t query = {.states = {[PXR_MEETING_OPEN] = true, [PXR_MEETING_LIVE] = true},
                              .room_id = room_ids[room],
                              .limit = 32};
    pxr_time_t created[32];
    pxr_ref_t refs[32];
    bool more;
    size_t count = pxr_store_list(&m->w.store, m->w.workspace, &query, refs, created, &more);
    size_t joinable = 0;

    for (size_t i = 0; i < count; i++) {
        pxr_view_t view = view_of(&m->w, refs[i]);
        if (pxr_meeting_verdict(&view.life, s->now) == PXR_ADMIT) {
            joinable++;
            snprintf(id, PXR_MEETING_ID_MAX + 1, "%s", view.id);
        }
        pxr_view_release(&view);
    }
    return joinable;
}

static size_t joinable_in_rows(const story_t *s, size_t room, char *id)
{
    size_t joinable = 0;

    for (size_t i = 0; i < s->db->meeting_count; i++) {
        const pxr_meeting_record_t *r = &s->db->meetings[i].record;
        if (!r->withdrawn && pxr_meeting_verdict(&r->life, s->now) == PXR_ADMIT &&
            r->details.len[PXR_ROOM_ID] == strlen(room_ids[room]) &&
            memcmp(r->details.text[PXR_ROOM_ID], room_ids[room], strlen(room_ids[room])) == 0) {
            joinable++;
            snprintf(id, PXR_MEETING_ID_MAX + 1, "%s", r->id);
        }
    }
    return joinable;
}

static void check_room(const story_t *s, const machine_t *m, size_t room)
{
    char here[PXR_MEETING_ID_MAX + 1] = "";
    char there[PXR_MEETING_ID_MAX + 1] = "";
    pxr_found_t found;
    size_t count = joinable_at(s, m, room, here);
    size_t rows = joinable_in_rows(s, room, there);

    CHECK(count <= 1 && rows == count && strcmp(here, there) == 0,
          "seed %lu: %s has %zu meetings (%s), %zu in the database (%s)", (unsigned long)s->seed,
          room_ids[room], count, here, rows, there);
    if (count == 1) {
        CHECK(room_of(s, m, room, &found) && strcmp(found.id, here) == 0,
              "seed %lu: the name of %s does not lead to %s", (unsigned long)s->seed,
              room_ids[room], here);
    } else {
        CHECK(!room_of(s, m, room, &found) || found.verdict == PXR_ENDED,
              "seed %lu: the name of %s leads to %s", (unsigned long)s->seed, room_ids[room],
              found.id);
    }
}

static void check_calls(const story_t *s, const machine_t *m)
{
    for (size_t i = 0; i < s->count; i++) {
        const call_t *call = &s->calls[i];
        pxr_found_t found;
        pxr_found_t other;
        pxr_view_t view;
        if (!call->acknowledged) {
            continue;
        }
        CHECK(find(m, call->id, s->now, &found) == PXR_OK, "seed %lu: %s leads nowhere at %zu",
              (unsigned long)s->seed, call->id, machine_of(s, m));
        assert_int_equal(find(&s->m[0], call->id, s->now, &other), PXR_OK);
        CHECK(strcmp(found.id, other.id) == 0, "seed %lu: %s leads to %s and %s",
              (unsigned long)s->seed, call->id, found.id, other.id);
        view = view_of(&m->w, found.ref);
        assert_memory_equal(view.details.text[PXR_ROOM_ID], room_ids[call->room],
                            strlen(room_ids[call->room]));
        pxr_view_release(&view);
    }
}

static void check_all(const story_t *s)
{
    machine_t fresh;

    machine_open(&fresh, 99, 40, 100, PXR_KEEP_SHARED);
    sync_machine(s->db, &fresh, s->now);
    for (int i = 0; i < 3; i++) {
        const machine_t *m = i < 2 ? &s->m[i] : &fresh;
        assert_sound(&m->w);
        for (size_t room = 0; room < ROOMS; room++) {
            check_room(s, m, room);
        }
        check_calls(s, m);
    }
    machine_close(&fresh);
}

static void play(uint64_t seed, bool trace)
{
    story_t *s = calloc(1, sizeof(*s));
    size_t steps;

    s->seed = seed;
    s->dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    s->now = T0;
    s->trace = trace;
    s->db = db_open();
    machine_open(&s->m[0], 11, 40, 100, PXR_KEEP_SHARED);
    machine_open(&s->m[1], 12, 40, 100, PXR_KEEP_SHARED);
    for (int part = 0; part < 3; part++) {
        steps = 5 + dice(&s->dice, 60);
        for (size_t i = 0; i < steps; i++) {
            step(s);
        }
        settle(s);
        check_all(s);
    }
    machine_close(&s->m[0]);
    machine_close(&s->m[1]);
    db_close(s->db);
    free(s);
}

static void each_room_has_one_meeting_whatever_happens(void **state)
{
    const char *one = getenv("PXR_SEED");
    const char *runs = getenv("PXR_RUNS");

    (void)state;
    if (one != NULL) {
        play(strtoull(one, NULL, 10), true);
        return;
    }
    for (uint64_t i = 1; i <= (runs != NULL ? strtoull(runs, NULL, 10) : 300); i++) {
        play(i, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meeting_that_waits_is_the_rooms_already),
        cmocka_unit_test(what_is_given_up_leaves_the_room_when_it_is_taken_back),
        cmocka_unit_test(a_room_can_be_closed_and_used_within_one_round),
        cmocka_unit_test(two_machines_make_one_meeting),
        cmocka_unit_test(more_calls_than_are_kept_cost_nothing_else),
        cmocka_unit_test(an_end_on_one_machine_frees_the_room_on_the_other),
        cmocka_unit_test(what_others_use_is_not_taken_back),
        cmocka_unit_test(a_call_of_anothers_meeting_takes_the_place_of_a_creation),
        cmocka_unit_test(what_one_machine_was_told_the_other_knows_after_a_round),
        cmocka_unit_test(a_new_working_set_knows_rooms_calls_and_what_was_told),
        cmocka_unit_test(a_meeting_that_events_spoke_of_gets_its_room_and_calls),
        cmocka_unit_test(nonsense_in_a_row_does_no_harm),
        cmocka_unit_test(rows_that_were_made_to_overflow_are_taken_as_far_as_they_go),
        cmocka_unit_test(each_room_has_one_meeting_whatever_happens),
    };
    const char *filter = getenv("PXR_TEST");

    if (filter != NULL) {
        cmocka_set_test_filter(filter);
    }
    return RUN(tests);
}
