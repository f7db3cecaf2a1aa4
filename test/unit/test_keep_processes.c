#include <pthread.h>

#include "keep_helpers.h"
#include "processes.h"

/* The keeper and those who wait for it, in several processes that may be killed at any moment. */

#define MEETINGS 6000
#define WRITERS 4
#define KILLS 200

/* What the processes tell each other besides the store, and the database. */
typedef struct {
    _Atomic(uint32_t) next;
    _Atomic(uint8_t) created[MEETINGS];   /* acknowledged */
    _Atomic(uint8_t) connected[MEETINGS]; /* its participant was */
    _Atomic(uint8_t) stored[MEETINGS];    /* committed */
} ledger_t;

typedef void (*work_t)(const world_t *w, ledger_t *ledger);

static pid_t start(work_t work, const world_t *w, ledger_t *ledger)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        work(w, ledger);
        _exit(0);
    }
    return pid;
}

static void name_of(uint32_t i, char *id)
{
    snprintf(id, 32, "meeting%08u", i);
}

static void create_and_join(const world_t *w, ledger_t *ledger)
{
    for (;;) {
        /* When all are made they are wanted again, to keep the lock busy. */
        uint32_t i = atomic_fetch_add(&ledger->next, 1) % MEETINGS;
        pxr_event_t event;
        unsigned changed = 0;
        bool created;
        pxr_ref_t ref;
        char id[32];
        name_of(i, id);
        if (make_meeting(w, id, NULL, T0 + i, &ref, &created) != PXR_OK ||
            pxr_store_await(&w->store, ref, i % 3 == 0 ? 300 : PXR_CREATE_WAIT) != PXR_OK) {
            continue;
        }
        atomic_store(&ledger->created[i], 1);
        event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", id, id, 0, T0 + i);
        if (pxr_store_event(&w->store, w->workspace, "node", &event, true, T0 + i, &changed) ==
            PXR_OK) {
            atomic_store(&ledger->connected[i], 1);
        }
    }
}

static void keep_meeting(const pxr_store_t *store, ledger_t *ledger, pxr_change_t *change,
                         pxr_meeting_copy_t *copy)
{
    unsigned i = 0;

    if (pxr_store_copy_meeting(store, change, copy) != PXR_OK ||
        sscanf(copy->record.id, "meeting%u", &i) != 1) {
        return;
    }
    switch (copy->standing) {
    case PXR_STANDING_PENDING:
        if (pxr_store_sending(store, change, copy) != PXR_OK) {
            return;
        }
        atomic_store(&ledger->stored[i], 1);
        if (pxr_store_settle(store, change, copy, PXR_OK) != PXR_OK) {
            return;
        }
        break;
    case PXR_STANDING_WITHDRAWN:
        atomic_store(&ledger->stored[i], 0);
        pxr_store_forget(store, change, copy);
        return;
    default:
        break;
    }
    pxr_store_saved(store, change);
}

static size_t keep_round(const pxr_store_t *store, ledger_t *ledger, pxr_meeting_copy_t *copy)
{
    pxr_change_t changes[64];
    pxr_share_record_t share;
    pxr_leg_record_t leg;
    size_t count = 0;

    pxr_store_round_begins(store);
    for (int table = 0; table < PXR_TABLES; table++) {
        uint32_t cursor = 0;
        size_t found = pxr_store_changes(store, (pxr_table_t)table, &cursor, changes, 64);
        for (size_t i = 0; i < found; i++) {
            if (table == PXR_TABLE_MEETINGS) {
                keep_meeting(store, ledger, &changes[i], copy);
            } else if (table == PXR_TABLE_SHARES
                           ? pxr_store_copy_share(store, &changes[i], &share) == PXR_OK
                           : pxr_store_copy_leg(store, &changes[i], &leg) == PXR_OK) {
                pxr_store_saved(store, &changes[i]);
            }
        }
        count += found;
    }
    pxr_store_round_ends(store, true);
    return count;
}

static void keep(const world_t *w, ledger_t *ledger)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    uint32_t heard = 0;

    for (;;) {
        keep_round(&w->store, ledger, copy);
        pxr_store_listen(&w->store, &heard, PXR_SECOND / 20);
    }
}

/* Some who do `work` and a keeper, of whom one is killed and replaced again and again, then all.
 * Afterwards the keeper writes what is left. */
static void work_and_kill(const world_t *w, work_t work, ledger_t *ledger, unsigned seed)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pid_t pids[WRITERS + 1];

    for (size_t i = 0; i <= WRITERS; i++) {
        pids[i] = start(i == WRITERS ? keep : work, w, ledger);
    }
    for (int kills = 0; kills < KILLS; kills++) {
        size_t victim = (size_t)rand_r(&seed) % (WRITERS + 1);
        pause_for(200 + rand_r(&seed) % 3000);
        end(pids[victim]);
        pids[victim] = start(victim == WRITERS ? keep : work, w, ledger);
    }
    for (size_t i = 0; i <= WRITERS; i++) {
        end(pids[i]);
    }
    assert_sound(w);
    while (keep_round(&w->store, ledger, copy) > 0) {
    }
    assert_sound(w);
    free(copy);
}

static void no_acknowledged_creation_is_lost_when_processes_are_killed(void **state)
{
    ledger_t *ledger = share_memory(sizeof(*ledger));
    pxr_store_health_t health;
    uint32_t made = 0;
    machine_t m;

    (void)state;
    machine_open(&m, 1, MEETINGS + 1, MEETINGS + 1, PXR_KEEP_ALONE);
    work_and_kill(&m.w, create_and_join, ledger, 42);
    assert_int_equal(pxr_store_unsaved(&m.w.store), 0);
    pxr_store_health(&m.w.store, &health);
    assert_int_equal(health.resets, 0);
    for (uint32_t i = 0; i < MEETINGS; i++) {
        char id[32];
        name_of(i, id);
        made += ledger->created[i];
        assert_true(ledger->stored[i] >= ledger->created[i]);
        CHECK(is_found(&m.w, id) == ledger->stored[i], "%s: stored %d", id, ledger->stored[i]);
        if (ledger->connected[i]) {
            assert_present(&m.w, id, 1);
        }
    }
    print_message("%u meetings, %lu repairs\n", made, (unsigned long)health.repairs);
    assert_true(made > 100);
    munmap(ledger, sizeof(*ledger));
    machine_close(&m);
}

#define ROOMS 5

static void room_of(uint32_t i, char *room)
{
    snprintf(room, 16, "room%u", i % ROOMS);
}

/* Calls in rooms that have one meeting each, which are closed now and then. */
static void call_and_close(const world_t *w, ledger_t *ledger)
{
    for (;;) {
        uint32_t i = atomic_fetch_add(&ledger->next, 1) % MEETINGS;
        pxr_task_t task = {.version = 1, .state = PXR_TASK_WAITING};
        pxr_status_t status;
        pxr_found_t found;
        bool created;
        pxr_ref_t ref;
        char id[32];
        char room[16];
        name_of(i, id);
        room_of(i, room);
        status = call_in_room(w, room, room, id, T0 + i, &ref, &created);
        if (status == PXR_OK) {
            status = pxr_store_await(&w->store, ref, i % 3 == 0 ? 300 : (int64_t)PXR_CREATE_WAIT);
        }
        if (status == PXR_OK) {
            atomic_store(&ledger->created[i], 1);
            pxr_store_note_task(&w->store, w->workspace, ref, (pxr_task_kind_t)(i % PXR_TASKS),
                                &task, 0);
            pxr_store_invite(&w->store, w->workspace, ref, id);
        }
        if ((status == PXR_FULL || i % 7 == 0) &&
            pxr_store_find(&w->store, w->workspace, false, room, strlen(room), T0 + i, &found, NULL,
                           0) == PXR_OK) {
            pxr_store_close(&w->store, w->workspace, found.ref, T0 + i);
        }
    }
}

static size_t joinable_in(const world_t *w, const char *room)
{
    static pxr_time_t created[MEETINGS];
    static pxr_ref_t refs[MEETINGS];
    pxr_list_query_t query = {.states = {[PXR_MEETING_OPEN] = true, [PXR_MEETING_LIVE] = true},
                              .room_id = room,
                              .limit = MEETINGS};
    bool more;
    size_t count = pxr_store_list(&w->store, w->workspace, &query, refs, created, &more);
    size_t joinable = 0;

    for (size_t i = 0; i < count; i++) {
        pxr_view_t view = view_of(w, refs[i]);
        joinable += !view.life.closed;
        pxr_view_release(&view);
    }
    return joinable;
}

static void no_call_of_a_room_is_lost_when_processes_are_killed(void **state)
{
    ledger_t *ledger = share_memory(sizeof(*ledger));
    pxr_store_health_t health;
    uint32_t made = 0;
    pxr_tell_t who;
    machine_t m;
    char text[PXR_USER_ID_MAX + 1];

    (void)state;
    machine_open(&m, 1, MEETINGS + 1, MEETINGS + 1, PXR_KEEP_ALONE);
    work_and_kill(&m.w, call_and_close, ledger, 43);
    pxr_store_health(&m.w.store, &health);
    assert_int_equal(health.resets, 0);
    for (uint32_t i = 0; i < MEETINGS; i++) {
        name_of(i, text);
        made += ledger->created[i];
        CHECK(!ledger->created[i] || is_found(&m.w, text), "%s leads nowhere", text);
    }
    for (uint32_t i = 0; i < ROOMS; i++) {
        room_of(i, text);
        CHECK(joinable_in(&m.w, text) == (is_found(&m.w, text) ? 1 : 0), "%s has %zu meetings",
              text, joinable_in(&m.w, text));
    }
    while (pxr_store_next_invite(&m.w.store, &who, text)) {
        assert_true(strncmp(text, "meeting", 7) == 0);
    }
    print_message("%u calls, %lu repairs\n", made, (unsigned long)health.repairs);
    assert_true(made > 100);
    munmap(ledger, sizeof(*ledger));
    machine_close(&m);
}

static void set_in_touch(const world_t *w, pxr_keeper_state_t state)
{
    pxr_keep_health_t health = {.state = state, .synced_at = pxr_time_now()};

    pxr_store_keep_tell(&w->store, &health);
}

/* Somebody who waits for what others have written. */
typedef struct {
    const world_t *w;
    _Atomic(int) answer; /* -1: none yet */
    pthread_t thread;
} asker_t;

static void *ask(void *context)
{
    asker_t *asker = context;

    atomic_store(&asker->answer, pxr_store_await_others(&asker->w->store, 10 * PXR_SECOND));
    return NULL;
}

static void start_asking(asker_t *asker, const world_t *w)
{
    asker->w = w;
    atomic_store(&asker->answer, -1);
    assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
    pause_for(30000);
}

static void do_round(const world_t *w, bool pulled)
{
    pxr_store_round_begins(&w->store);
    pxr_store_round_ends(&w->store, pulled);
}

static void a_round_counts_for_those_who_asked_before_it_began(void **state)
{
    asker_t asker;
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    assert_false(pxr_store_await_others(&m.w.store, PXR_SECOND));
    set_in_touch(&m.w, PXR_KEEPER_HANGING);
    assert_false(pxr_store_await_others(&m.w.store, PXR_SECOND));
    set_in_touch(&m.w, PXR_KEEPER_OK);
    pxr_store_round_begins(&m.w.store);
    start_asking(&asker, &m.w);
    pxr_store_round_ends(&m.w.store, true);
    pause_for(30000);
    assert_int_equal(atomic_load(&asker.answer), -1);
    do_round(&m.w, true);
    pthread_join(asker.thread, NULL);
    assert_int_equal(atomic_load(&asker.answer), 1);
    /* One that could not read everything, because another machine was writing: the next one can. */
    start_asking(&asker, &m.w);
    do_round(&m.w, false);
    pause_for(30000);
    assert_int_equal(atomic_load(&asker.answer), -1);
    do_round(&m.w, true);
    pthread_join(asker.thread, NULL);
    assert_int_equal(atomic_load(&asker.answer), 1);
    /* One that failed for good. */
    start_asking(&asker, &m.w);
    pxr_store_round_begins(&m.w.store);
    set_in_touch(&m.w, PXR_KEEPER_UNREACHABLE);
    pxr_store_round_ends(&m.w.store, false);
    pthread_join(asker.thread, NULL);
    assert_int_equal(atomic_load(&asker.answer), 0);
    set_in_touch(&m.w, PXR_KEEPER_OK);
    assert_false(pxr_store_await_others(&m.w.store, 1000));
    pxr_store_keep(&m.w.store, PXR_KEEP_ALONE);
    assert_false(pxr_store_await_others(&m.w.store, PXR_SECOND));
    machine_close(&m);
}

static void *ask_briefly(void *context)
{
    asker_t *asker = context;

    atomic_store(&asker->answer, pxr_store_await_others(&asker->w->store, PXR_MISS_WAIT));
    return NULL;
}

/* Its keeper has to connect anew, and what the others made meanwhile is not here yet. */
static void who_asks_a_machine_that_stood_still_waits_longer(void **state)
{
    asker_t asker = {.answer = -1};
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    asker.w = &m.w;
    set_in_touch(&m.w, PXR_KEEPER_OK);
    pxr_store_round_begins(&m.w.store);
    pxr_store_stood_still(&m.w.store);
    atomic_store(&m.w.store.segment->ticked_at, pxr_time_now());
    assert_int_equal(pthread_create(&asker.thread, NULL, ask_briefly, &asker), 0);
    pause_for(2 * PXR_MISS_WAIT);
    assert_int_equal(atomic_load(&asker.answer), -1);
    /* The first round fails, because its connection was closed meanwhile. */
    set_in_touch(&m.w, PXR_KEEPER_UNREACHABLE);
    pxr_store_round_ends(&m.w.store, false);
    pause_for(30000);
    assert_int_equal(atomic_load(&asker.answer), -1);
    set_in_touch(&m.w, PXR_KEEPER_OK);
    do_round(&m.w, true);
    pthread_join(asker.thread, NULL);
    assert_int_equal(atomic_load(&asker.answer), 1);
    machine_close(&m);
}

static void ring_soon(const world_t *w, ledger_t *ledger)
{
    (void)ledger;
    pause_for(50000);
    pxr_store_ring(&w->store);
}

static void listen_for_long(const world_t *w, ledger_t *ledger)
{
    uint32_t heard = atomic_load(&w->store.segment->bell);

    (void)ledger;
    pxr_store_listen(&w->store, &heard, 3600 * PXR_SECOND);
}

/* Who dies while he waits or works takes nobody with him. */
static void the_bell_is_heard_by_other_processes(void **state)
{
    int64_t began = pxr_time_steady();
    uint32_t heard = 0;
    asker_t asker;
    machine_t m;
    pid_t pids[2];

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_SHARED);
    pids[0] = start(listen_for_long, &m.w, NULL);
    pids[1] = start(listen_for_long, &m.w, NULL);
    pause_for(30000);
    end(pids[0]);
    pids[0] = start(ring_soon, &m.w, NULL);
    pxr_store_listen(&m.w.store, &heard, 60 * PXR_SECOND);
    assert_int_equal(heard, 1);
    reap(pids[0]);
    reap(pids[1]);
    /* What was rung for before is not missed. */
    pxr_store_ring(&m.w.store);
    pxr_store_listen(&m.w.store, &heard, 60 * PXR_SECOND);
    assert_int_equal(heard, 2);
    /* A keeper that died in its round: the next one's counts. */
    set_in_touch(&m.w, PXR_KEEPER_OK);
    pxr_store_round_begins(&m.w.store);
    start_asking(&asker, &m.w);
    do_round(&m.w, true);
    pthread_join(asker.thread, NULL);
    assert_int_equal(atomic_load(&asker.answer), 1);
    assert_true(pxr_time_steady() - began < 10 * PXR_SECOND);
    machine_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_creation_is_lost_when_processes_are_killed),
        cmocka_unit_test(no_call_of_a_room_is_lost_when_processes_are_killed),
        cmocka_unit_test(a_round_counts_for_those_who_asked_before_it_began),
        cmocka_unit_test(who_asks_a_machine_that_stood_still_waits_longer),
        cmocka_unit_test(the_bell_is_heard_by_other_processes),
    };

    return RUN(tests);
}
