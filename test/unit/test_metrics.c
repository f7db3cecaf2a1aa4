#include "helpers.h"

#include <sys/wait.h>
#include <unistd.h>

#include "one_world.h"
#include "pxr_metrics.h"
#include "pxr_tell.h"

/* Figures for monitoring, over processes. */

#define HOUR (3600 * PXR_SECOND)

static pxr_latency_t latency(uint32_t workspace)
{
    pxr_latency_t out;

    pxr_store_latency(&w.store, workspace, &out);
    return out;
}

static void a_bound_belongs_to_its_class(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PXR_LATENCY_BOUNDS; i++) {
        assert_true(i == 0 || pxr_latency_bound(i) > pxr_latency_bound(i - 1));
        pxr_store_note_latency(&w.store, w.workspace, pxr_latency_bound(i));
        assert_true(latency(w.workspace).count[i] == (i == 0 ? 1 : 2));
        pxr_store_note_latency(&w.store, w.workspace, pxr_latency_bound(i) + 1);
        assert_true(latency(w.workspace).count[i + 1] == 1);
    }
    assert_true(latency(w.workspace + 1).count[0] == 0);
}

static void a_clock_that_was_set_does_not_spoil_the_sum(void **state)
{
    pxr_latency_t out;

    (void)state;
    pxr_store_note_latency(&w.store, w.workspace, -HOUR);
    pxr_store_note_latency(&w.store, w.workspace, INT64_MIN);
    out = latency(w.workspace);
    assert_true(out.count[0] == 2 && out.sum == 0);
    pxr_store_note_latency(&w.store, w.workspace, INT64_MAX);
    out = latency(w.workspace);
    assert_true(out.count[PXR_LATENCY_BOUNDS] == 1);
    assert_true(out.sum == 60 * PXR_SECOND);
}

static void all_processes_count_together(void **state)
{
    enum { PROCESSES = 4, TIMES = 20000 };
    pxr_latency_t out;

    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (int n = 0; n < TIMES; n++) {
                pxr_store_note_latency(&w.store, w.workspace, 600);
                pxr_store_count_events(&w.store, w.workspace, PXR_EVENT_UPDATED, 2);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_true(wait(&status) > 0 && status == 0);
    }
    out = latency(w.workspace);
    assert_true(out.count[1] == PROCESSES * TIMES);
    assert_true(out.sum == (uint64_t)PROCESSES * TIMES * 600);
    assert_true(pxr_store_event_count(&w.store, w.workspace, PXR_EVENT_UPDATED) ==
                2 * PROCESSES * TIMES);
    assert_true(pxr_store_event_count(&w.store, w.workspace, PXR_EVENT_CONNECTED) == 0);
    assert_true(pxr_store_event_count(&w.store, w.workspace + 1, PXR_EVENT_UPDATED) == 0);
}

static void a_workspace_that_gives_way_leaves_no_figures(void **state)
{
    enum { ALL = PXR_WORKSPACES_MAX + 1 };
    static char names[ALL][64];
    const char *origin;
    uint32_t number = 0;

    (void)state;
    pxr_store_note_latency(&w.store, w.workspace, 1);
    pxr_store_count_events(&w.store, w.workspace, PXR_EVENT_CONNECTED, 1);
    for (int i = 0; i < ALL && (i == 0 || number != w.workspace); i++) {
        snprintf(names[i], sizeof(names[i]), "https://x%d.example.com", i);
        origin = names[i];
        assert_int_equal(pxr_store_workspaces(&w.store, &origin, 1, &number), PXR_OK);
    }
    assert_int_equal(number, w.workspace);
    assert_true(latency(number).count[0] == 0 && latency(number).sum == 0);
    assert_true(pxr_store_event_count(&w.store, number, PXR_EVENT_CONNECTED) == 0);
}

static uint32_t taken(void)
{
    return pxr_store_places_taken(&w.store, PXR_PLACE_OUTSIDE);
}

static int enter(void)
{
    return pxr_store_place_enter(&w.store, PXR_PLACE_OUTSIDE, 8, 0);
}

static void places_are_counted_until_they_are_left(void **state)
{
    int first, second;

    (void)state;
    assert_int_equal(taken(), 0);
    first = enter();
    second = enter();
    assert_int_equal(taken(), 2);
    assert_int_equal(pxr_store_places_taken(&w.store, PXR_PLACE_HISTORY), 0);
    pxr_store_place_leave(&w.store, PXR_PLACE_OUTSIDE, first);
    assert_int_equal(taken(), 1);
    pxr_store_place_leave(&w.store, PXR_PLACE_OUTSIDE, second);
    assert_int_equal(taken(), 0);
}

static void the_place_of_a_dead_process_is_not_counted(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(enter() >= 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(taken(), 0);
    assert_true(enter() >= 0);
    assert_int_equal(taken(), 1);
}

static void note(pxr_ref_t ref, pxr_task_kind_t kind, pxr_task_state_t task_state,
                 pxr_task_reason_t reason, pxr_time_t now)
{
    pxr_told_t told;
    pxr_task_t task;

    assert_int_equal(pxr_store_told(&w.store, w.workspace, ref, &told), PXR_OK);
    task = told.task[kind];
    assert_true(pxr_task_set(&task, task_state, reason, 0, now));
    assert_int_equal(
        pxr_store_note_task(&w.store, w.workspace, ref, kind, &task, told.task[kind].version),
        PXR_OK);
}

static pxr_backlog_t backlog(uint32_t workspace)
{
    pxr_backlog_t out;

    pxr_store_backlog(&w.store, workspace, &out);
    return out;
}

static void what_waits_or_failed_is_counted_by_its_kind(void **state)
{
    pxr_ref_t one = new_meeting(&w, "Weekly42", T0);
    pxr_ref_t two = new_meeting(&w, "Weekly43", T0);

    (void)state;
    assert_true(backlog(w.workspace).oldest == 0);
    note(one, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_NONE, T0 + 5);
    note(one, PXR_TASK_DIRECT, PXR_TASK_FAILED, PXR_REASON_REFUSED, T0);
    note(two, PXR_TASK_MESSAGE, PXR_TASK_WAITING, PXR_REASON_BUSY, T0 + 3);
    assert_int_equal(backlog(w.workspace).waiting[PXR_TASK_MESSAGE], 2);
    assert_int_equal(backlog(w.workspace).failed[PXR_TASK_DIRECT], 1);
    assert_true(backlog(w.workspace).oldest == T0 + 3);
    assert_int_equal(backlog(w.workspace + 1).waiting[PXR_TASK_MESSAGE], 0);

    note(two, PXR_TASK_MESSAGE, PXR_TASK_POSTED, PXR_REASON_NONE, T0 + 9);
    assert_int_equal(backlog(w.workspace).waiting[PXR_TASK_MESSAGE], 1);
    assert_true(backlog(w.workspace).oldest == T0 + 5);
    /* Somebody has to do something about it. */
    note(two, PXR_TASK_MESSAGE, PXR_TASK_POSTED, PXR_REASON_CREDENTIALS, T0 + 10);
    assert_int_equal(backlog(w.workspace).failed[PXR_TASK_MESSAGE], 1);
}

static void an_end_waits_only_after_it_has_come(void **state)
{
    pxr_ref_t ref = new_meeting(&w, "Weekly42", T0);

    (void)state;
    note(ref, PXR_TASK_CALLBACK, PXR_TASK_WAITING, PXR_REASON_NONE, T0);
    assert_int_equal(backlog(w.workspace).waiting[PXR_TASK_CALLBACK], 0);
    assert_true(backlog(w.workspace).oldest == 0);
    assert_int_equal(pxr_store_close(&w.store, w.workspace, ref, T0 + HOUR), PXR_OK);
    assert_int_equal(backlog(w.workspace).waiting[PXR_TASK_CALLBACK], 1);
    assert_true(backlog(w.workspace).oldest == T0 + HOUR);
}

static void starts(const char *node, const char *meeting, uint64_t seq, pxr_time_t now)
{
    pxr_event_t event = conference_event(PXR_EVENT_CONFERENCE_STARTED, node, meeting, seq, now);

    deliver(&w, &event, now);
}

static void a_node_is_silent_if_it_hosts_and_says_nothing(void **state)
{
    pxr_event_t event;

    (void)state;
    new_meeting(&w, "Weekly42", T0);
    new_meeting(&w, "Weekly43", T0);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0 + HOUR), 0);
    starts("10.0.0.1", "Weekly42", 1, T0);
    starts("10.0.0.2", "Weekly42", 1, T0);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0), 0);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0 + 1), 2);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace + 1, T0 + 1), 0);

    /* What it says of another meeting shows that it is heard. */
    starts("10.0.0.1", "Weekly43", 2, T0 + HOUR);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0 + HOUR), 1);
    /* Who hosts nothing has nothing to say. */
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.2", "Weekly42", 3, T0 + 1);
    deliver(&w, &event, T0 + 1);
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0 + HOUR), 0);
}

static void so_many_silent_nodes_are_told_apart(void **state)
{
    char node[32];

    (void)state;
    new_meeting(&w, "Weekly42", T0);
    for (int i = 0; i < 100; i++) {
        snprintf(node, sizeof(node), "10.0.0.%d", i);
        starts(node, "Weekly42", 1, T0);
    }
    assert_int_equal(pxr_store_silent_nodes(&w.store, w.workspace, T0 + 1), 64);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
    const struct CMUnitTest tests[] = {
        EACH(a_bound_belongs_to_its_class),
        EACH(a_clock_that_was_set_does_not_spoil_the_sum),
        EACH(all_processes_count_together),
        EACH(a_workspace_that_gives_way_leaves_no_figures),
        EACH(places_are_counted_until_they_are_left),
        EACH(the_place_of_a_dead_process_is_not_counted),
        EACH(what_waits_or_failed_is_counted_by_its_kind),
        EACH(an_end_waits_only_after_it_has_come),
        EACH(a_node_is_silent_if_it_hosts_and_says_nothing),
        EACH(so_many_silent_nodes_are_told_apart),
    };

    return RUN(tests);
}
