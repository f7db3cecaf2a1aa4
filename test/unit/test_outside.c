#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/store/layout.h"
#include "pxr_outside.h"
#include "one_world.h"

/* What processes know together about the servers that they ask. */

/* Lets the pauses of all servers be over. */
static void let_time_pass(void)
{
    for (int i = 0; i < PXR_TARGETS_MAX; i++) {
        if (atomic_load(&w.store.segment->targets[i].open_until) != 0) {
            atomic_store(&w.store.segment->targets[i].open_until, pxr_time_steady() - 1);
        }
    }
}

static pxr_target_t state_of(const char *name)
{
    pxr_target_t target;

    pxr_store_target_state(&w.store, name, &target);
    return target;
}

static void let_fail(const char *name, int times)
{
    for (int i = 0; i < times; i++) {
        assert_true(pxr_store_target_try(&w.store, name));
        pxr_store_target_tell(&w.store, name, "it hangs");
    }
}

static void three_failures_in_a_row_open_the_breaker(void **state)
{
    (void)state;
    assert_int_equal(state_of("a").asked, 0);
    let_fail("a", 2);
    assert_true(pxr_store_target_try(&w.store, "a"));
    pxr_store_target_tell(&w.store, "a", NULL);
    let_fail("a", 3);
    assert_false(pxr_store_target_try(&w.store, "a"));
    assert_true(pxr_store_target_try(&w.store, "b"));
    assert_true(state_of("a").open);
    assert_false(state_of("b").open);
    assert_int_equal(state_of("a").asked, 6);
    assert_int_equal(state_of("a").failed, 5);
    assert_int_equal(state_of("a").spared, 1);
    assert_string_equal(state_of("a").why, "it hangs");
    assert_true(state_of("a").failed_at != 0 && state_of("a").answered_at != 0);
}

static void after_the_pause_one_request_tries(void **state)
{
    (void)state;
    let_fail("a", 3);
    let_time_pass();
    assert_true(pxr_store_target_try(&w.store, "a"));
    assert_false(pxr_store_target_try(&w.store, "a"));
    pxr_store_target_tell(&w.store, "a", "still");
    assert_false(pxr_store_target_try(&w.store, "a"));
    let_time_pass();
    assert_true(pxr_store_target_try(&w.store, "a"));
    pxr_store_target_tell(&w.store, "a", NULL);
    for (int i = 0; i < 5; i++) {
        assert_true(pxr_store_target_try(&w.store, "a"));
    }
    assert_false(state_of("a").open);
}

/* The pause of the one who tries is no longer than any other. */
static void a_process_that_dies_while_it_tries_locks_nobody_out(void **state)
{
    pid_t pid;
    int status;

    (void)state;
    let_fail("a", 3);
    let_time_pass();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(pxr_store_target_try(&w.store, "a") ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_false(pxr_store_target_try(&w.store, "a"));
    let_time_pass();
    assert_true(pxr_store_target_try(&w.store, "a"));
}

static void more_servers_than_places_do_no_harm(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 4 * PXR_TARGETS_MAX; i++) {
        snprintf(name, sizeof(name), "https://%d.example", i);
        assert_true(pxr_store_target_try(&w.store, name));
        pxr_store_target_tell(&w.store, name, NULL);
    }
    let_fail("https://last.example", 3);
    assert_false(pxr_store_target_try(&w.store, "https://last.example"));
}

static void a_line_for_each_server_once_a_minute(void **state)
{
    (void)state;
    assert_true(pxr_store_target_may_tell(&w.store, "a"));
    assert_false(pxr_store_target_may_tell(&w.store, "a"));
    assert_true(pxr_store_target_may_tell(&w.store, "b"));
}

static pxr_session_t session_named(const char *name)
{
    pxr_session_t session = {.good = true};

    snprintf(session.name, sizeof(session.name), "%s", name);
    return session;
}

static void what_was_said_of_a_session_is_known_for_a_while(void **state)
{
    pxr_session_t nina = session_named("Nina \xc3\x98");
    pxr_session_t nobody = {.good = false};
    pxr_session_t found;

    (void)state;
    assert_false(pxr_store_session_find(&w.store, 0, "nina", "t1", &found));
    pxr_store_session_note(&w.store, 0, "nina", "t1", &nina);
    pxr_store_session_note(&w.store, 0, "nina", "t2", &nobody);
    assert_true(pxr_store_session_find(&w.store, 0, "nina", "t1", &found));
    assert_true(found.good);
    assert_string_equal(found.name, nina.name);
    assert_true(pxr_store_session_find(&w.store, 0, "nina", "t2", &found));
    assert_false(found.good);
}

static void a_session_is_of_its_user_token_and_workspace_only(void **state)
{
    pxr_session_t nina = session_named("Nina");
    pxr_session_t found;

    (void)state;
    pxr_store_session_note(&w.store, 1, "nina", "token", &nina);
    assert_false(pxr_store_session_find(&w.store, 2, "nina", "token", &found));
    assert_false(pxr_store_session_find(&w.store, 1, "nin", "atoken", &found));
    assert_false(pxr_store_session_find(&w.store, 1, "ninat", "oken", &found));
    assert_false(pxr_store_session_find(&w.store, 1, "nina", "tokeN", &found));
    assert_false(pxr_store_session_find(&w.store, 1, "nina", "", &found));
    assert_true(pxr_store_session_find(&w.store, 1, "nina", "token", &found));
}

/* Where workspaces come and go, a number may become another one's. */
static void a_session_does_not_outlive_its_workspace(void **state)
{
    pxr_session_t nina = session_named("Nina");
    pxr_session_t found;

    (void)state;
    pxr_store_session_note(&w.store, w.workspace, "nina", "token", &nina);
    assert_true(pxr_store_session_find(&w.store, w.workspace, "nina", "token", &found));
    strcpy(w.store.segment->origins[w.workspace], "https://other.example.com");
    assert_false(pxr_store_session_find(&w.store, w.workspace, "nina", "token", &found));
}

static pxr_session_slot_t *slot_in_use(void)
{
    for (int i = 0; i < PXR_SESSIONS_MAX; i++) {
        for (size_t j = 0; j < PXR_SESSION_WORDS; j++) {
            if (w.store.segment->sessions[i][j] != 0) {
                return &w.store.segment->sessions[i];
            }
        }
    }
    return NULL;
}

static void half_an_entry_is_not_believed(void **state)
{
    pxr_session_t nina = session_named("Nina");
    pxr_session_t found;

    (void)state;
    for (size_t word = 0; word < PXR_SESSION_WORDS; word++) {
        pxr_session_slot_t *slot;
        uint64_t before;
        pxr_store_session_note(&w.store, 0, "nina", "token", &nina);
        slot = slot_in_use();
        assert_non_null(slot);
        before = (*slot)[word];
        (*slot)[word] = before ^ UINT64_C(0x100000001);
        assert_false(pxr_store_session_find(&w.store, 0, "nina", "token", &found));
        (*slot)[word] = before;
        assert_true(pxr_store_session_find(&w.store, 0, "nina", "token", &found));
    }
}

static void neither_token_nor_user_is_in_the_memory(void **state)
{
    static const char token[] = "a-token-that-would-be-found";
    static const char user[] = "a-user-that-would-be-found";
    pxr_session_t nina = session_named("Nina");
    uint64_t bytes = w.store.segment->bytes;

    (void)state;
    pxr_store_session_note(&w.store, 0, user, token, &nina);
    for (size_t len = 8; len < sizeof(token); len += 6) {
        assert_null(memmem(w.store.base, bytes, token, len));
        assert_null(memmem(w.store.base, bytes, user, len));
    }
}

static void what_is_too_long_is_not_kept(void **state)
{
    char text[PXR_TOKEN_MAX + 2];
    pxr_session_t nina = session_named("Nina");
    pxr_session_t found;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pxr_store_session_note(&w.store, 0, "nina", text, &nina);
    assert_false(pxr_store_session_find(&w.store, 0, "nina", text, &found));
    text[PXR_TOKEN_MAX] = '\0';
    pxr_store_session_note(&w.store, 0, "nina", text, &nina);
    assert_true(pxr_store_session_find(&w.store, 0, "nina", text, &found));
}

static void many_sessions_leave_room_for_the_last(void **state)
{
    pxr_session_t someone = session_named("Someone");
    pxr_session_t found;
    char user[32];

    (void)state;
    for (int i = 0; i < 4 * PXR_SESSIONS_MAX; i++) {
        snprintf(user, sizeof(user), "u%d", i);
        pxr_store_session_note(&w.store, 0, user, "token", &someone);
        assert_true(pxr_store_session_find(&w.store, 0, user, "token", &found));
    }
}

/* Killed at any moment, also in the middle of an entry. */
static void writers_that_are_killed_leave_nothing_wrong(void **state)
{
    pxr_session_t good = session_named("Nina");
    pxr_session_t bad = {.good = false};
    pxr_session_t found;

    (void)state;
    strcpy(bad.name, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (;;) {
                pxr_store_session_note(&w.store, 0, "nina", "token", &good);
                pxr_store_session_note(&w.store, 0, "nina", "token", &bad);
            }
        }
        usleep(1000 + 137 * (unsigned)i);
        for (int j = 0; j < 2000; j++) {
            if (pxr_store_session_find(&w.store, 0, "nina", "token", &found)) {
                assert_string_equal(found.name, found.good ? good.name : bad.name);
            }
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (pxr_store_session_find(&w.store, 0, "nina", "token", &found)) {
            assert_string_equal(found.name, found.good ? good.name : bad.name);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_failures_in_a_row_open_the_breaker),
        TEST(after_the_pause_one_request_tries),
        TEST(a_process_that_dies_while_it_tries_locks_nobody_out),
        TEST(more_servers_than_places_do_no_harm),
        TEST(a_line_for_each_server_once_a_minute),
        TEST(what_was_said_of_a_session_is_known_for_a_while),
        TEST(a_session_is_of_its_user_token_and_workspace_only),
        TEST(a_session_does_not_outlive_its_workspace),
        TEST(half_an_entry_is_not_believed),
        TEST(neither_token_nor_user_is_in_the_memory),
        TEST(what_is_too_long_is_not_kept),
        TEST(many_sessions_leave_room_for_the_last),
        TEST(writers_that_are_killed_leave_nothing_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
