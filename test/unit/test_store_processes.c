#include <sched.h>

#include "../../src/store/tx.h"
#include "processes.h"
#include "store_helpers.h"

#define MEETINGS 4000
#define WRITERS 4
#define KILLS 200

/* What the processes tell each other besides the store. */
typedef struct {
    _Atomic(uint32_t) next; /* number of the next meeting to be made */
    _Atomic(uint32_t) stop;
    _Atomic(uint32_t) rounds;
    _Atomic(uint32_t) torn;               /* answers that were not what was stored */
    _Atomic(uint8_t) created[MEETINGS];   /* acknowledged */
    _Atomic(uint8_t) connected[MEETINGS]; /* its participant was acknowledged */
    _Atomic(uint8_t) left[MEETINGS];
} ledger_t;

static void name_of(uint32_t i, char *id)
{
    snprintf(id, 32, "meeting%08u", i);
}

/* One meeting from creation to the departure of its participant, each step acknowledged. */
static void work(const world_t *w, ledger_t *ledger, uint32_t i)
{
    pxr_time_t now = T0 + i;
    pxr_event_t event;
    unsigned changed = 0;
    bool created;
    pxr_ref_t ref;
    char id[32];

    name_of(i, id);
    if (make_meeting(w, id, NULL, now, &ref, &created) != PXR_OK) {
        return;
    }
    atomic_store(&ledger->created[i], 1);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", id, id, 0, now);
    event.time = 0;
    if (pxr_store_event(&w->store, w->workspace, "node", &event, false, now, &changed) != PXR_OK) {
        return;
    }
    atomic_store(&ledger->connected[i], 1);
    if (i % 2 == 0) {
        event.kind = PXR_EVENT_DISCONNECTED;
        if (pxr_store_event(&w->store, w->workspace, "node", &event, false, now + 1, &changed) ==
            PXR_OK) {
            atomic_store(&ledger->left[i], 1);
        }
    }
}

static void writer(const world_t *w, ledger_t *ledger)
{
    while (!atomic_load(&ledger->stop)) {
        uint32_t i = atomic_fetch_add(&ledger->next, 1);
        if (i >= MEETINGS) {
            /* Nothing left to make: keep the lock busy. */
            work(w, ledger, i % MEETINGS);
            atomic_store(&ledger->next, MEETINGS);
        } else {
            work(w, ledger, i);
        }
        atomic_fetch_add(&ledger->rounds, 1);
    }
    _exit(0);
}

/* Reads without lock what the others write. */
static void reader(const world_t *w, ledger_t *ledger)
{
    pxr_found_t found;
    char answer[256];
    char id[32];

    for (uint32_t i = 0; !atomic_load(&ledger->stop); i = (i + 1) % MEETINGS) {
        bool acknowledged = atomic_load(&ledger->created[i]);
        name_of(i, id);
        if (pxr_store_find(&w->store, w->workspace, false, id, strlen(id), T0, &found, answer,
                           sizeof(answer)) == PXR_OK) {
            if (strcmp(found.id, id) != 0 || strcmp(found.host_pin, "111111") != 0 ||
                strncmp(answer, "{\"status\"", 9) != 0) {
                atomic_fetch_add(&ledger->torn, 1);
            }
        } else if (acknowledged) {
            atomic_fetch_add(&ledger->torn, 1);
        }
    }
    _exit(0);
}

static pid_t start(void (*run)(const world_t *, ledger_t *), const world_t *w, ledger_t *ledger)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        run(w, ledger);
    }
    return pid;
}

static void nothing_acknowledged_is_lost_when_processes_are_killed(void **state)
{
    world_t w;
    ledger_t *ledger = share_memory(sizeof(*ledger));
    pid_t writers[WRITERS];
    pid_t readers[2];
    pxr_store_health_t health;
    unsigned seed = 42;

    (void)state;
    world_open(&w, MEETINGS + 1, MEETINGS + 1);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = start(writer, &w, ledger);
    }
    for (size_t i = 0; i < 2; i++) {
        readers[i] = start(reader, &w, ledger);
    }
    for (int kill_count = 0; kill_count < KILLS; kill_count++) {
        size_t victim = (size_t)rand_r(&seed) % WRITERS;
        pause_for(200 + rand_r(&seed) % 3000);
        end(writers[victim]);
        writers[victim] = start(writer, &w, ledger);
    }
    /* All of them at once, as when the machine runs out of memory. */
    for (size_t i = 0; i < WRITERS; i++) {
        end(writers[i]);
    }
    atomic_store(&ledger->stop, 1);
    reap(readers[0]);
    reap(readers[1]);

    assert_sound(&w);
    assert_int_equal(atomic_load(&ledger->torn), 0);
    pxr_store_health(&w.store, &health);
    assert_int_equal(health.resets, 0);
    uint32_t made = 0;
    for (uint32_t i = 0; i < MEETINGS; i++) {
        pxr_found_t found;
        pxr_view_t view;
        char id[32];
        if (!ledger->created[i]) {
            continue;
        }
        made++;
        name_of(i, id);
        assert_int_equal(
            pxr_store_find(&w.store, w.workspace, false, id, strlen(id), T0, &found, NULL, 0),
            PXR_OK);
        view = view_of(&w, found.ref);
        if (ledger->left[i]) {
            assert_int_equal(view.people_count, 0);
        } else if (ledger->connected[i] && i % 2 == 1) {
            assert_int_equal(view.people_count, 1);
        }
        pxr_view_release(&view);
    }
    print_message("%u meetings, %lu repairs\n", made, (unsigned long)health.repairs);
    assert_true(made > 100);
    munmap(ledger, sizeof(*ledger));
    world_close(&w);
}

/* Dies with the lock held, after the log was written but before or after it was marked. */
static void die_inside(const world_t *w, bool committed)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        pxr_tx_t tx;
        pxr_time_t moment = 4711;
        pxr_lock(&w->store);
        pxr_tx_begin(&tx, &w->store);
        pxr_tx_put(&tx, &w->store.segment->root.last_created, &moment, sizeof(moment));
        w->store.segment->log.committed = committed;
        kill(getpid(), SIGKILL);
    }
    reap(pid);
}

static void a_marked_log_is_carried_out_and_an_unmarked_one_forgotten(void **state)
{
    world_t w;
    pxr_store_health_t health;

    (void)state;
    world_open(&w, 10, 10);
    die_inside(&w, false);
    assert_sound(&w);
    assert_int_equal(w.store.segment->root.last_created, 0);
    die_inside(&w, true);
    assert_sound(&w);
    assert_int_equal(w.store.segment->root.last_created, 4711);
    pxr_store_health(&w.store, &health);
    assert_int_equal(health.repairs, 2);
    assert_int_equal(health.resets, 0);
    world_close(&w);
}

static void damage_found_after_a_death_empties_the_working_set(void **state)
{
    world_t w;
    pxr_store_health_t health;
    pxr_found_t found;

    (void)state;
    world_open(&w, 10, 10);
    new_meeting(&w, "Weekly42", T0);
    w.store.segment->root.active = 7;
    die_inside(&w, false);
    assert_sound(&w);
    pxr_store_health(&w.store, &health);
    assert_int_equal(health.resets, 1);
    assert_int_equal(
        pxr_store_find(&w.store, w.workspace, false, "Weekly42", 8, T0, &found, NULL, 0),
        PXR_MISSING);
    new_meeting(&w, "Weekly42", T0);
    assert_sound(&w);
    world_close(&w);
}

/* Whoever can write to the memory must not make another process write elsewhere. */
static void a_log_that_leads_out_of_the_memory_is_not_carried_out(void **state)
{
    static const struct {
        uint64_t at, len;
    } entries[] = {{UINT64_C(0x4141414141410000), 8},
                   {0, UINT64_MAX - 7},
                   {2, 4},
                   {0, 6},
                   {UINT64_MAX - 3, 8},
                   {0, PXR_LOG_BYTES}};

    (void)state;
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        world_t w;
        pxr_store_health_t health;
        pid_t pid;
        world_open(&w, 10, 10);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            pxr_log_t *log = &w.store.segment->log;
            pxr_lock(&w.store);
            memcpy(log->entries, &entries[i], sizeof(entries[i]));
            log->used = sizeof(entries[i]) + 8;
            log->committed = 1;
            kill(getpid(), SIGKILL);
        }
        reap(pid);
        assert_sound(&w);
        pxr_store_health(&w.store, &health);
        assert_int_equal(health.resets, 1);
        world_close(&w);
    }
}

static void a_stopped_holder_is_not_waited_for_forever(void **state)
{
    world_t w;
    pxr_ref_t ref;
    bool created;
    pxr_found_t found;
    struct timespec before;
    struct timespec after;
    int ready[2];
    char byte = 0;
    pid_t pid;

    (void)state;
    world_open(&w, 10, 10);
    new_meeting(&w, "Weekly42", T0);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        pxr_lock(&w.store);
        if (write(ready[1], &byte, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(make_meeting(&w, "another1", NULL, T0, &ref, &created), PXR_BUSY);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range(after.tv_sec - before.tv_sec, 1, 4);
    /* Who only asks does not even notice. */
    assert_int_equal(
        pxr_store_find(&w.store, w.workspace, false, "Weekly42", 8, T0, &found, NULL, 0), PXR_OK);
    end(pid);
    assert_int_equal(make_meeting(&w, "another1", NULL, T0, &ref, &created), PXR_OK);
    close(ready[0]);
    close(ready[1]);
    world_close(&w);
}

static void leadership_passes_on_when_the_leader_is_killed(void **state)
{
    world_t w;
    int ready[2];
    char byte = 0;
    pid_t pid;

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!pxr_store_lead(&w.store, PXR_SECOND) || write(ready[1], &byte, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_false(pxr_store_lead(&w.store, PXR_SECOND / 10));
    end(pid);
    assert_true(pxr_store_lead(&w.store, PXR_SECOND));
    pxr_store_resign(&w.store);
    assert_true(pxr_store_lead(&w.store, PXR_SECOND / 10));
    pxr_store_resign(&w.store);
    close(ready[0]);
    close(ready[1]);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_when_processes_are_killed),
        cmocka_unit_test(a_marked_log_is_carried_out_and_an_unmarked_one_forgotten),
        cmocka_unit_test(damage_found_after_a_death_empties_the_working_set),
        cmocka_unit_test(a_log_that_leads_out_of_the_memory_is_not_carried_out),
        cmocka_unit_test(a_stopped_holder_is_not_waited_for_forever),
        cmocka_unit_test(leadership_passes_on_when_the_leader_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
