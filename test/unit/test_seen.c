#include "helpers.h"

#include <sys/wait.h>
#include <unistd.h>

#include "pxr_seen.h"
#include "one_world.h"

/* What a workspace was seen to be used for. */

static void the_last_time_is_kept_by_the_second(void **state)
{
    (void)state;
    assert_true(pxr_store_seen_at(&w.store, w.workspace, PXR_SEEN_POLICY) == 0);
    assert_true(pxr_store_see(&w.store, w.workspace, PXR_SEEN_POLICY, T0));
    assert_false(pxr_store_see(&w.store, w.workspace, PXR_SEEN_POLICY, T0 + PXR_SECOND - 1));
    assert_true(pxr_store_seen_at(&w.store, w.workspace, PXR_SEEN_POLICY) == T0);
    assert_true(pxr_store_see(&w.store, w.workspace, PXR_SEEN_POLICY, T0 + PXR_SECOND));
    assert_true(pxr_store_seen_at(&w.store, w.workspace, PXR_SEEN_POLICY) == T0 + PXR_SECOND);
    assert_true(pxr_store_seen_at(&w.store, w.workspace, PXR_SEEN_JOIN) == 0);
    assert_true(pxr_store_seen_at(&w.store, w.workspace + 1, PXR_SEEN_POLICY) == 0);
}

static void a_clock_that_was_set_back_is_followed(void **state)
{
    (void)state;
    pxr_store_see(&w.store, w.workspace, PXR_SEEN_EVENTS, T0);
    assert_true(pxr_store_see(&w.store, w.workspace, PXR_SEEN_EVENTS, T0 - 3600 * PXR_SECOND));
}

static void silence_begins_a_minute_after_somebody_was_let_in(void **state)
{
    (void)state;
    assert_false(pxr_seen_is_silent(0, 0, T0));
    assert_false(pxr_seen_is_silent(0, T0, T0 + 3600 * PXR_SECOND));
    assert_false(pxr_seen_is_silent(T0, 0, T0 + PXR_EVENTS_LATE));
    assert_true(pxr_seen_is_silent(T0, 0, T0 + PXR_EVENTS_LATE + 1));
    assert_true(pxr_seen_is_silent(T0, T0 - 1, T0 + PXR_EVENTS_LATE + 1));
    assert_false(pxr_seen_is_silent(T0, T0, T0 + 3600 * PXR_SECOND));
    assert_false(pxr_seen_is_silent(T0, T0 + PXR_SECOND, T0 + 3600 * PXR_SECOND));
}

static void nodes_are_listed_by_workspace_and_time(void **state)
{
    pxr_asker_t askers[4];

    (void)state;
    pxr_store_note_asker(&w.store, w.workspace, "10.0.0.1", T0);
    pxr_store_note_asker(&w.store, w.workspace, "2001:db8::1", T0 + 5);
    pxr_store_note_asker(&w.store, w.workspace + 1, "10.0.0.1", T0 + 9);
    pxr_store_note_asker(&w.store, w.workspace, "10.0.0.1", T0 + 7);
    assert_int_equal(pxr_store_askers(&w.store, w.workspace, askers, 4), 2);
    assert_string_equal(askers[0].node, "10.0.0.1");
    assert_true(askers[0].asked_at == T0 + 7);
    assert_string_equal(askers[1].node, "2001:db8::1");
    assert_int_equal(pxr_store_askers(&w.store, w.workspace + 1, askers, 4), 1);
    assert_true(askers[0].asked_at == T0 + 9);
    assert_int_equal(pxr_store_askers(&w.store, w.workspace + 2, askers, 4), 0);
}

static void the_longest_silent_give_way(void **state)
{
    static pxr_asker_t askers[PXR_ASKERS_MAX];
    pxr_time_t now = T0;
    char node[32];
    size_t count;

    (void)state;
    for (unsigned i = 0; i < 20 * PXR_ASKERS_MAX; i++) {
        snprintf(node, sizeof(node), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        pxr_store_note_asker(&w.store, w.workspace, node, now++);
    }
    count = pxr_store_askers(&w.store, w.workspace, askers, PXR_ASKERS_MAX);
    assert_true(count > PXR_ASKERS_MAX * 9 / 10);
    assert_string_equal(askers[0].node, node);
    for (size_t i = 1; i < count; i++) {
        assert_true(askers[i - 1].asked_at >= askers[i].asked_at);
    }
    assert_int_equal(pxr_store_askers(&w.store, w.workspace, askers, 3), 3);
}

/* Processes that push each other out of the table all the time: whatever is shown is a node that
 * one of them has named. */
static void what_is_shown_was_said(void **state)
{
    static pxr_asker_t askers[PXR_ASKERS_MAX];
    pid_t children[3];

    (void)state;
    for (size_t child = 0; child < COUNT(children); child++) {
        children[child] = fork();
        assert_true(children[child] >= 0);
        if (children[child] == 0) {
            for (unsigned i = 0; i < 200000; i++) {
                char node[32];
                snprintf(node, sizeof(node), "10.%zu.%zu.%u", child, child, i * 7 % 4096);
                pxr_store_note_asker(&w.store, w.workspace, node, T0 + i);
            }
            _exit(0);
        }
    }
    for (unsigned round = 0; round < 300; round++) {
        size_t count = pxr_store_askers(&w.store, w.workspace, askers, PXR_ASKERS_MAX);
        for (size_t i = 0; i < count; i++) {
            unsigned a, b, c;
            char rest;
            CHECK(sscanf(askers[i].node, "10.%u.%u.%u%c", &a, &b, &c, &rest) == 3 && a == b &&
                      a < COUNT(children) && c < 4096,
                  "%s", askers[i].node);
        }
    }
    for (size_t child = 0; child < COUNT(children); child++) {
        int status;
        assert_int_equal(waitpid(children[child], &status, 0), children[child]);
        assert_int_equal(status, 0);
    }
}

static void the_next_workspace_of_a_number_begins_anew(void **state)
{
    static char origins[PXR_WORKSPACES_MAX + 1][32];
    static const char *names[PXR_WORKSPACES_MAX + 1];
    static uint32_t numbers[PXR_WORKSPACES_MAX + 1];
    pxr_asker_t askers[2];

    (void)state;
    for (size_t i = 0; i <= PXR_WORKSPACES_MAX; i++) {
        snprintf(origins[i], sizeof(origins[i]), "https://%zu.example.com", i);
        names[i] = origins[i];
    }
    assert_int_equal(pxr_store_workspaces(&w.store, names, PXR_WORKSPACES_MAX - 1, numbers),
                     PXR_OK);
    for (size_t i = 0; i < PXR_WORKSPACES_MAX; i++) {
        pxr_store_see(&w.store, (uint32_t)i, PXR_SEEN_JOIN, T0);
        pxr_store_note_asker(&w.store, (uint32_t)i, "10.0.0.1", T0);
    }
    assert_int_equal(pxr_store_workspaces(&w.store, names + 1, PXR_WORKSPACES_MAX, numbers),
                     PXR_OK);
    for (size_t i = 0; i < PXR_WORKSPACES_MAX; i++) {
        bool old = numbers[i] != w.workspace && i + 1 < PXR_WORKSPACES_MAX - 1;
        pxr_time_t seen = pxr_store_seen_at(&w.store, numbers[i], PXR_SEEN_JOIN);
        size_t count = pxr_store_askers(&w.store, numbers[i], askers, COUNT(askers));
        CHECK(seen == (old ? T0 : 0) && count == (old ? 1u : 0u), "%zu: %zu", i, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_time_is_kept_by_the_second, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_clock_that_was_set_back_is_followed, open_world,
                                        close_world),
        cmocka_unit_test(silence_begins_a_minute_after_somebody_was_let_in),
        cmocka_unit_test_setup_teardown(nodes_are_listed_by_workspace_and_time, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(the_longest_silent_give_way, open_world, close_world),
        cmocka_unit_test_setup_teardown(what_is_shown_was_said, open_world, close_world),
        cmocka_unit_test_setup_teardown(the_next_workspace_of_a_number_begins_anew, open_world,
                                        close_world),
    };

    return RUN(tests);
}
