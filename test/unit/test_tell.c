#include <pthread.h>

#include "keep_helpers.h"
#include "processes.h"

/* The working set as the messenger sees it: what is due, what was told, and who waits for it. */

#define NODE "10.0.0.1"

/* A meeting in a room, of which the messenger is to tell something where `wanted`. */
static pxr_ref_t make_in(const world_t *w, const char *id, const char *room, bool wanted)
{
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m = plain_meeting(id, key, room, T0);
    pxr_ref_t ref;
    bool created = false;

    if (wanted) {
        pxr_task_set(&m.told.task[PXR_TASK_MESSAGE], PXR_TASK_WAITING, PXR_REASON_NONE, 0, T0);
    }
    assert_int_equal(pxr_store_create(&w->store, w->workspace, &m, &ref, &created), PXR_OK);
    assert_true(created);
    assert_sound(w);
    return ref;
}

static pxr_task_t task_of(const world_t *w, pxr_ref_t ref, pxr_task_kind_t kind)
{
    pxr_told_t told;

    assert_int_equal(pxr_store_told(&w->store, w->workspace, ref, &told), PXR_OK);
    return told.task[kind];
}

static void note(const world_t *w, pxr_ref_t ref, pxr_task_kind_t kind, pxr_task_state_t state,
                 pxr_task_reason_t reason, pxr_time_t now)
{
    pxr_task_t task = task_of(w, ref, kind);
    uint32_t was = task.version;

    assert_true(pxr_task_set(&task, state, reason, 0, now));
    assert_int_equal(pxr_store_note_task(&w->store, w->workspace, ref, kind, &task, was), PXR_OK);
}

/* How many are due, each looked at and put off for ever. */
static size_t due_now(const world_t *w, pxr_time_t now)
{
    pxr_tell_t due[64];
    uint32_t cursor = 0;

    return pxr_store_tell_due(&w->store, now, &cursor, due, 64);
}

static void a_meeting_is_due_once_until_it_changes(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_tell_t due[4];
    uint32_t cursor = 4711;
    pxr_event_t event;
    pxr_details_t more = {0};

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(due_now(&w, T0), 0);
    make_in(&w, "Nothing1", "general", false);
    assert_int_equal(due_now(&w, T0), 0);
    ref = make_in(&w, "Weekly42", "general", true);
    assert_int_equal(pxr_store_tell_due(&w.store, T0, &cursor, due, 4), 1);
    assert_int_equal(due[0].ref.slot, ref.slot);
    assert_int_equal(due[0].ref.generation, ref.generation);
    assert_int_equal(due[0].workspace, w.workspace);
    assert_int_equal(due_now(&w, INT64_MAX - 1), 0);
    /* At its time, and not before. */
    pxr_store_tell_later(&w.store, ref, T0 + 100);
    assert_int_equal(due_now(&w, T0 + 99), 0);
    assert_int_equal(due_now(&w, T0 + 100), 1);
    pxr_store_tell_later(&w.store, ref, PXR_TIME_NEVER);
    assert_int_equal(due_now(&w, INT64_MAX - 1), 0);
    /* Whatever changes of it. */
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    assert_int_equal(due_now(&w, T0), 1);
    note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_POSTED, PXR_REASON_NONE, T0);
    assert_int_equal(due_now(&w, T0), 1);
    more.text[PXR_TITLE] = "Weekly";
    more.len[PXR_TITLE] = 6;
    assert_int_equal(pxr_store_add_discussion(&w.store, w.workspace, ref, &more), PXR_OK);
    assert_int_equal(due_now(&w, T0), 1);
    assert_int_equal(pxr_store_close(&w.store, w.workspace, ref, T0), PXR_OK);
    assert_int_equal(due_now(&w, T0), 1);
    /* What comes before its time is earlier than that. */
    pxr_store_tell_later(&w.store, ref, T0 + 1000);
    event = leg_event(PXR_EVENT_DISCONNECTED, NODE, "Weekly42", "u1", 2, T0 + 1);
    deliver(&w, &event, T0 + 1);
    assert_int_equal(due_now(&w, T0 + 1), 1);
    /* Of one of which nothing is wanted nothing is due, whatever happens. */
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "Nothing1", "u2", 3, T0);
    deliver(&w, &event, T0);
    assert_int_equal(due_now(&w, T0), 0);
    world_close(&w);
}

/* Between looking and putting it off something happens: it is looked at again at once. */
static void what_happens_while_it_is_looked_at_is_not_missed(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    assert_int_equal(due_now(&w, T0), 1);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    pxr_store_tell_later(&w.store, ref, T0 + 3600 * PXR_SECOND);
    assert_int_equal(due_now(&w, T0), 1);
    pxr_store_tell_later(&w.store, ref, T0 + 3600 * PXR_SECOND);
    assert_int_equal(due_now(&w, T0), 0);
    world_close(&w);
}

#define MANY 30

static void goes_around_the_table_in_portions(void **state)
{
    world_t w;
    pxr_tell_t due[7];
    uint32_t cursor = 0;
    unsigned seen[MANY] = {0};
    size_t total = 0;
    size_t count;
    char id[32];

    (void)state;
    world_open(&w, MANY, 10);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "Meeting%03d", i);
        make_in(&w, id, "general", true);
    }
    do {
        count = pxr_store_tell_due(&w.store, T0, &cursor, due, 7);
        for (size_t i = 0; i < count; i++) {
            seen[due[i].ref.slot - 1]++;
        }
        total += count;
    } while (count > 0);
    assert_int_equal(total, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
    }
    /* One that is always due keeps nobody else from his turn. */
    pxr_store_tell_all(&w.store);
    cursor = 0;
    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < MANY; i++) {
        count = pxr_store_tell_due(&w.store, T0, &cursor, due, 1);
        assert_int_equal(count, 1);
        seen[due[0].ref.slot - 1]++;
        pxr_store_tell_later(&w.store, due[0].ref, 1);
    }
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
    }
    world_close(&w);
}

static void a_new_messenger_looks_at_all_that_are_meetings(void **state)
{
    machine_t m;
    pxr_tell_t due[8];
    uint32_t cursor = 0;
    db_t *db = db_open();
    pxr_ref_t ref;
    pxr_tick_t tick;
    pxr_event_t event;
    pxr_time_t now = T0;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    ref = make_in(&m.w, "Weekly42", "general", true);
    make_in(&m.w, "Nothing1", "general", false);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "Unknown12", "u1", 1, T0);
    assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_OK);
    /* It waits for the database, so there is nothing to tell yet. */
    assert_int_equal(due_now(&m.w, T0), 0);
    pxr_store_tell_all(&m.w.store);
    assert_int_equal(due_now(&m.w, T0), 0);
    sync_machine(db, &m, T0);
    assert_int_equal(due_now(&m.w, T0), 1);
    assert_int_equal(due_now(&m.w, T0), 0);
    pxr_store_tell_all(&m.w.store);
    assert_int_equal(pxr_store_tell_due(&m.w.store, T0, &cursor, due, 8), 1);
    assert_int_equal(due[0].ref.slot, ref.slot);
    /* Also when it has ended, but not when it has gone. */
    pxr_store_keep(&m.w.store, PXR_KEEP_NOTHING);
    assert_int_equal(pxr_store_close(&m.w.store, m.w.workspace, ref, now), PXR_OK);
    assert_int_equal(due_now(&m.w, now), 1);
    now += PXR_ENDED_KEEP + PXR_SECOND;
    assert_int_equal(pxr_store_tick(&m.w.store, now, &tick), PXR_OK);
    pxr_store_tell_all(&m.w.store);
    assert_int_equal(due_now(&m.w, now), 0);
    assert_sound(&m.w);
    machine_close(&m);
    db_close(db);
}

/* Somebody who changes a meeting again and again. */
typedef struct {
    const world_t *w;
    pxr_ref_t ref;
    _Atomic(bool) done;
    _Atomic(uint32_t) looks; /* of the other one, in between */
    uint32_t last;
    pthread_t thread;
} changer_t;

#define CHANGES 20000

static void *change(void *context)
{
    changer_t *c = context;

    for (uint32_t i = 0; i < CHANGES || atomic_load(&c->looks) < 100; i++) {
        pxr_told_t told;
        pxr_task_t task;
        if (pxr_store_told(&c->w->store, c->w->workspace, c->ref, &told) != PXR_OK) {
            break;
        }
        task = told.task[PXR_TASK_MESSAGE];
        task.version++;
        task.http = (uint16_t)(i % 500);
        if (pxr_store_note_task(&c->w->store, c->w->workspace, c->ref, PXR_TASK_MESSAGE, &task,
                                task.version - 1) != PXR_OK) {
            break;
        }
        c->last = task.version;
    }
    atomic_store(&c->done, true);
    return NULL;
}

static void no_change_is_slept_through(void **state)
{
    world_t w;
    changer_t c = {.w = &w};
    uint32_t seen = 0;
    bool done;

    (void)state;
    world_open(&w, 10, 10);
    c.ref = make_in(&w, "Weekly42", "general", true);
    assert_int_equal(pthread_create(&c.thread, NULL, change, &c), 0);
    do {
        pxr_tell_t due[4];
        uint32_t cursor = 0;
        size_t count;
        done = atomic_load(&c.done);
        count = pxr_store_tell_due(&w.store, T0, &cursor, due, 4);
        for (size_t i = 0; i < count; i++) {
            uint32_t version = task_of(&w, due[i].ref, PXR_TASK_MESSAGE).version;
            assert_true(version >= seen);
            seen = version;
            atomic_fetch_add(&c.looks, 1);
            pxr_store_tell_later(&w.store, due[i].ref, T0 + 3600 * PXR_SECOND);
        }
    } while (!done);
    pthread_join(c.thread, NULL);
    assert_true(c.last > CHANGES);
    assert_int_equal(seen, c.last);
    assert_sound(&w);
    world_close(&w);
}

static void a_note_that_comes_too_late_changes_nothing(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t nobody = {0, 0};
    pxr_task_t task;
    pxr_told_t told;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    task = task_of(&w, ref, PXR_TASK_MESSAGE);
    assert_int_equal(task.version, 1);
    assert_true(pxr_task_set(&task, PXR_TASK_POSTED, PXR_REASON_NONE, 200, T0 + 1));
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace, ref, PXR_TASK_MESSAGE, &task, 1),
                     PXR_OK);
    assert_true(pxr_task_set(&task, PXR_TASK_FAILED, PXR_REASON_ROOM, 400, T0 + 2));
    assert_int_equal(due_now(&w, T0), 1);
    /* By what it looked like before. */
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace, ref, PXR_TASK_MESSAGE, &task, 1),
                     PXR_EXISTS);
    assert_int_equal(task_of(&w, ref, PXR_TASK_MESSAGE).state, PXR_TASK_POSTED);
    assert_int_equal(due_now(&w, T0), 0);
    /* Other kinds have versions of their own. */
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace, ref, PXR_TASK_DIRECT, &task, 0),
                     PXR_OK);
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace, nobody, PXR_TASK_DIRECT, &task, 0),
                     PXR_MISSING);
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace + 1, ref, PXR_TASK_DIRECT, &task, 3),
                     PXR_MISSING);
    assert_int_equal(pxr_store_told(&w.store, w.workspace + 1, ref, &told), PXR_MISSING);
    ref.generation++;
    assert_int_equal(pxr_store_note_task(&w.store, w.workspace, ref, PXR_TASK_DIRECT, &task, 3),
                     PXR_MISSING);
    assert_sound(&w);
    world_close(&w);
}

/* Somebody who waits for a task. */
typedef struct {
    const world_t *w;
    pxr_ref_t ref;
    int64_t wait;
    pxr_status_t status;
    pxr_task_t task;
    int64_t ended;
    pthread_t thread;
} waiter_t;

static void *wait_for(void *context)
{
    waiter_t *waiter = context;

    waiter->status = pxr_store_await_task(&waiter->w->store, waiter->w->workspace, waiter->ref,
                                          PXR_TASK_MESSAGE, waiter->wait, &waiter->task);
    waiter->ended = pxr_time_steady();
    return NULL;
}

static void start(waiter_t *waiter, const world_t *w, pxr_ref_t ref, int64_t wait)
{
    *waiter = (waiter_t){.w = w, .ref = ref, .wait = wait};
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for, waiter), 0);
}

/* How long after `since` it stopped waiting. */
static int64_t delay(waiter_t *waiter, int64_t since)
{
    pthread_join(waiter->thread, NULL);
    return waiter->ended - since;
}

static void who_waits_hears_at_once(void **state)
{
    world_t w;
    waiter_t waiter;
    pxr_ref_t ref;
    pxr_ref_t other;
    int64_t fastest = INT64_MAX;
    int64_t began;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    other = make_in(&w, "Monthly1", "general", true);
    for (int i = 0; i < 5; i++) {
        pxr_task_t task;
        start(&waiter, &w, ref, 10 * PXR_SECOND);
        pause_for(20000);
        /* News of others, and what is no answer yet, do not end it. */
        note(&w, other, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_BUSY, T0);
        note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_BUSY, T0);
        pause_for(3000);
        began = pxr_time_steady();
        note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_POSTED, PXR_REASON_NONE, T0);
        began = delay(&waiter, began);
        fastest = began < fastest ? began : fastest;
        assert_int_equal(waiter.status, PXR_OK);
        assert_int_equal(waiter.task.state, PXR_TASK_POSTED);
        task = waiter.task;
        task.version++;
        task.state = PXR_TASK_WAITING;
        assert_int_equal(pxr_store_note_task(&w.store, w.workspace, ref, PXR_TASK_MESSAGE, &task,
                                             task.version - 1),
                         PXR_OK);
        note(&w, other, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_NONE, T0);
    }
    /* By being woken, not by looking now and then. */
    assert_true(fastest < PXR_SECOND / 50);
    /* What is no secret any more is not waited for. */
    note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_FAILED, PXR_REASON_ROOM, T0);
    began = pxr_time_steady();
    start(&waiter, &w, ref, 10 * PXR_SECOND);
    assert_true(delay(&waiter, began) < PXR_SECOND);
    assert_int_equal(waiter.task.reason, PXR_REASON_ROOM);
    /* Nor one that nobody wants. */
    assert_int_equal(pxr_store_await_task(&w.store, w.workspace, ref, PXR_TASK_CALLBACK,
                                          10 * PXR_SECOND, &waiter.task),
                     PXR_OK);
    assert_int_equal(waiter.task.state, PXR_TASK_NONE);
    ref.generation++;
    assert_int_equal(pxr_store_await_task(&w.store, w.workspace, ref, PXR_TASK_MESSAGE,
                                          10 * PXR_SECOND, &waiter.task),
                     PXR_MISSING);
    world_close(&w);
}

static void nobody_waits_for_ever(void **state)
{
    world_t w;
    waiter_t waiter;
    pxr_ref_t ref;
    int64_t began;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    began = pxr_time_steady();
    start(&waiter, &w, ref, PXR_SECOND / 5);
    began = delay(&waiter, began);
    assert_true(began >= PXR_SECOND / 5 && began < 2 * PXR_SECOND);
    assert_int_equal(waiter.status, PXR_OK);
    assert_int_equal(waiter.task.state, PXR_TASK_WAITING);
    began = pxr_time_steady();
    start(&waiter, &w, ref, 0);
    assert_true(delay(&waiter, began) < PXR_SECOND);
    assert_int_equal(waiter.task.state, PXR_TASK_WAITING);
    world_close(&w);
}

/* In a process of its own, because it is about to exit from then on. */
static void a_process_that_exits_lets_them_go(void **state)
{
    world_t w;
    pxr_ref_t ref;
    int status;
    pid_t pid;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        waiter_t waiter = {.w = &w, .ref = ref, .wait = 60 * PXR_SECOND};
        int64_t began;
        if (pthread_create(&waiter.thread, NULL, wait_for, &waiter) != 0) {
            _exit(1);
        }
        pause_for(30000);
        began = pxr_time_steady();
        pxr_store_stop_waiting(&w.store);
        _exit(delay(&waiter, began) < PXR_SECOND && waiter.status == PXR_OK ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    world_close(&w);
}

static void finds_meetings_by_the_state_of_their_tasks(void **state)
{
    world_t w;
    pxr_ref_t refs[4];
    pxr_ref_t found[8];
    bool wanted[PXR_TASK_STATES] = {false};
    uint32_t other;
    const char *origin = "https://other.example.com";
    char id[32];

    (void)state;
    world_open(&w, 10, 10);
    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof(id), "Meeting%03d", i);
        refs[i] = make_in(&w, id, "general", i > 0);
    }
    note(&w, refs[2], PXR_TASK_DIRECT, PXR_TASK_FAILED, PXR_REASON_REFUSED, T0);
    note(&w, refs[3], PXR_TASK_MESSAGE, PXR_TASK_DROPPED, PXR_REASON_NONE, T0);
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 8), 0);
    wanted[PXR_TASK_FAILED] = true;
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 8), 1);
    assert_int_equal(found[0].slot, refs[2].slot);
    assert_int_equal(found[0].generation, refs[2].generation);
    wanted[PXR_TASK_WAITING] = true;
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 8), 2);
    wanted[PXR_TASK_DROPPED] = true;
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 8), 3);
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 2), 2);
    assert_int_equal(pxr_store_tasks(&w.store, w.workspace, wanted, found, 0), 0);
    assert_int_equal(pxr_store_workspaces(&w.store, &origin, 1, &other), PXR_OK);
    assert_int_equal(pxr_store_tasks(&w.store, other, wanted, found, 8), 0);
    world_close(&w);
}

static void knows_rooms_that_are_closed_to_us(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_time_t at = T0 + 1000;

    (void)state;
    world_open(&w, 10, 10);
    make_in(&w, "Innocent1", "closed", true);
    ref = make_in(&w, "Weekly42", "closed", true);
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "closed", 0));
    note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_BUSY, at);
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "closed", 0));
    /* That a creator cannot be written to says nothing of the room. */
    note(&w, ref, PXR_TASK_DIRECT, PXR_TASK_FAILED, PXR_REASON_ROOM, at);
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "closed", 0));
    note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_FAILED, PXR_REASON_ROOM, at);
    assert_true(pxr_store_room_is_closed(&w.store, w.workspace, "closed", at - 1));
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "closed", at));
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "Closed", 0));
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "", 0));
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace + 1, "closed", 0));
    /* Also after the meeting, and until it worked. */
    assert_int_equal(pxr_store_close(&w.store, w.workspace, ref, at), PXR_OK);
    assert_true(pxr_store_room_is_closed(&w.store, w.workspace, "closed", at - 1));
    note(&w, ref, PXR_TASK_MESSAGE, PXR_TASK_DONE, PXR_REASON_NONE, at + 1);
    assert_false(pxr_store_room_is_closed(&w.store, w.workspace, "closed", 0));
    world_close(&w);
}

static void invitations_come_in_their_order_and_once(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t other;
    pxr_ref_t nobody = {1, 99};
    pxr_tell_t who;
    char user[PXR_USER_ID_MAX + 1];
    char longest[PXR_USER_ID_MAX + 2];

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    other = make_in(&w, "Monthly1", "general", true);
    assert_false(pxr_store_next_invite(&w.store, &who, user));
    memset(longest, 'u', sizeof(longest));
    longest[PXR_USER_ID_MAX + 1] = '\0';
    assert_int_equal(pxr_store_invite(&w.store, w.workspace, ref, longest), PXR_INVALID);
    longest[PXR_USER_ID_MAX] = '\0';
    assert_int_equal(pxr_store_invite(&w.store, w.workspace, ref, ""), PXR_INVALID);
    assert_int_equal(pxr_store_invite(&w.store, w.workspace, nobody, "nina"), PXR_MISSING);
    assert_int_equal(pxr_store_invite(&w.store, w.workspace + 1, ref, "nina"), PXR_MISSING);
    /* Around the ring, several times. */
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < PXR_INVITES; i++) {
            snprintf(user, sizeof(user), "user%d", i);
            assert_int_equal(pxr_store_invite(&w.store, w.workspace, i % 2 == 0 ? ref : other,
                                              i == 7 ? longest : user),
                             PXR_OK);
        }
        /* Who is asked for already has his place; of another meeting he is somebody else. */
        assert_int_equal(pxr_store_invite(&w.store, w.workspace, ref, "user0"), PXR_OK);
        assert_int_equal(pxr_store_invite(&w.store, w.workspace, other, "user0"), PXR_FULL);
        assert_sound(&w);
        for (int i = 0; i < PXR_INVITES - round * 31; i++) {
            char expected[PXR_USER_ID_MAX + 1];
            snprintf(expected, sizeof(expected), "user%d", i);
            assert_true(pxr_store_next_invite(&w.store, &who, user));
            assert_string_equal(user, i == 7 ? longest : expected);
            assert_int_equal(who.ref.slot, i % 2 == 0 ? ref.slot : other.slot);
            assert_int_equal(who.ref.generation, ref.generation);
            assert_int_equal(who.workspace, w.workspace);
        }
        while (pxr_store_next_invite(&w.store, &who, user)) {
        }
        assert_int_equal(pxr_store_invite(&w.store, w.workspace, ref, "one more"), PXR_OK);
        assert_true(pxr_store_next_invite(&w.store, &who, user));
    }
    world_close(&w);
}

static void an_invitation_to_a_meeting_that_is_gone_leads_nowhere(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_tell_t who;
    char user[PXR_USER_ID_MAX + 1];
    pxr_tick_t tick;
    pxr_time_t now = T0 + PXR_ENDED_KEEP + PXR_SECOND;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 10);
    ref = make_in(&w, "Weekly42", "general", true);
    assert_int_equal(pxr_store_invite(&w.store, w.workspace, ref, "nina"), PXR_OK);
    assert_int_equal(pxr_store_close(&w.store, w.workspace, ref, T0), PXR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pxr_store_tick(&w.store, now += 2 * PXR_REST, &tick), PXR_OK);
    }
    assert_int_equal(make_in(&w, "Another12", "general", true).slot, ref.slot);
    assert_true(pxr_store_next_invite(&w.store, &who, user));
    assert_string_equal(user, "nina");
    assert_int_equal(pxr_store_read(&w.store, who.workspace, who.ref, &view), PXR_MISSING);
    pxr_view_release(&view);
    world_close(&w);
}

static void says_how_the_rest_api_is_doing(void **state)
{
    world_t w;
    const char *origin = "https://other.example.com";
    uint32_t other;
    pxr_chat_health_t health = {.ok_at = T0, .failed_at = T0 + 1, .http = 401, .failing = 1};
    pxr_chat_health_t read;

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(pxr_store_workspaces(&w.store, &origin, 1, &other), PXR_OK);
    /* A text that was not ended does not lead out of its place. */
    memset(health.why, 'x', sizeof(health.why));
    pxr_store_note_chat(&w.store, w.workspace, &health);
    pxr_store_chat(&w.store, w.workspace, &read);
    assert_int_equal(read.ok_at, T0);
    assert_int_equal(read.failed_at, T0 + 1);
    assert_int_equal(read.http, 401);
    assert_int_equal(read.failing, 1);
    assert_int_equal(strlen(read.why), PXR_WHY_MAX);
    pxr_store_chat(&w.store, other, &read);
    assert_int_equal(read.ok_at, 0);
    assert_string_equal(read.why, "");
    world_close(&w);
}

static void delivers_only_while_the_lease_lasts(void **state)
{
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    assert_false(pxr_store_delivers(&m.w.store));
    pxr_store_deliver(&m.w.store, pxr_time_steady() + PXR_SECOND / 20);
    assert_true(pxr_store_delivers(&m.w.store));
    pause_for(60000);
    assert_false(pxr_store_delivers(&m.w.store));
    pxr_store_deliver(&m.w.store, INT64_MAX);
    assert_true(pxr_store_delivers(&m.w.store));
    /* Without a database nobody would know after a restart what was told. */
    pxr_store_keep(&m.w.store, PXR_KEEP_NOTHING);
    assert_false(pxr_store_delivers(&m.w.store));
    machine_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meeting_is_due_once_until_it_changes),
        cmocka_unit_test(what_happens_while_it_is_looked_at_is_not_missed),
        cmocka_unit_test(goes_around_the_table_in_portions),
        cmocka_unit_test(a_new_messenger_looks_at_all_that_are_meetings),
        cmocka_unit_test(no_change_is_slept_through),
        cmocka_unit_test(a_note_that_comes_too_late_changes_nothing),
        cmocka_unit_test(who_waits_hears_at_once),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(a_process_that_exits_lets_them_go),
        cmocka_unit_test(finds_meetings_by_the_state_of_their_tasks),
        cmocka_unit_test(knows_rooms_that_are_closed_to_us),
        cmocka_unit_test(invitations_come_in_their_order_and_once),
        cmocka_unit_test(an_invitation_to_a_meeting_that_is_gone_leads_nowhere),
        cmocka_unit_test(says_how_the_rest_api_is_doing),
        cmocka_unit_test(delivers_only_while_the_lease_lasts),
    };

    return RUN(tests);
}
