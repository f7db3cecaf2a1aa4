#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pxr_outside.h"
#include "one_world.h"

/* Places of those who read the history or wait for other servers, over processes. */

static int enter(int64_t wait)
{
    return pxr_store_place_enter(&w.store, PXR_PLACE_HISTORY, PXR_READERS, wait);
}

static void leave(int place)
{
    pxr_store_place_leave(&w.store, PXR_PLACE_HISTORY, place);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A process that holds a place until it is killed; returns when it has it. */
static pid_t hold(bool wait_for_it)
{
    int pipes[2];
    char word = 0;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        word = enter(5 * PXR_SECOND) >= 0 ? 'y' : 'n';
        if (write(pipes[1], &word, 1) == 1) {
            pause();
        }
        _exit(0);
    }
    close(pipes[1]);
    if (wait_for_it) {
        assert_int_equal(read(pipes[0], &word, 1), 1);
        assert_int_equal(word, 'y');
    }
    close(pipes[0]);
    return pid;
}

static void kill_it(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void there_are_as_many_places_as_promised_over_all_processes(void **state)
{
    pid_t other = hold(true);
    double began;

    (void)state;
    int place = enter(0);
    assert_true(place >= 0);
    assert_int_equal(PXR_READERS, 2);
    assert_int_equal(enter(0), -1);
    began = seconds();
    assert_int_equal(enter(PXR_SECOND / 5), -1);
    assert_true(seconds() - began > 0.15);
    leave(place);
    assert_true(enter(0) >= 0);
    leave(place);
    kill_it(other);
}

static void the_death_of_a_process_gives_its_place_back_any_number_of_times(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        pid_t one = hold(true);
        pid_t two = hold(true);
        assert_int_equal(enter(0), -1);
        kill_it(one);
        int place = enter(PXR_SECOND);
        assert_true(place >= 0);
        leave(place);
        kill_it(two);
    }
}

static void *enter_and_go(void *data)
{
    *(int *)data = enter(PXR_SECOND);
    return NULL;
}

static void the_end_of_a_thread_gives_its_place_back(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        int place = -1;
        assert_int_equal(pthread_create(&thread, NULL, enter_and_go, &place), 0);
        pthread_join(thread, NULL);
        assert_true(place >= 0);
    }
}

static void who_waits_gets_the_place_that_becomes_free(void **state)
{
    int one = enter(0);
    int two = enter(0);
    pid_t waiting = hold(false);

    (void)state;
    assert_true(one >= 0 && two >= 0 && one != two);
    usleep(50000);
    leave(one);
    usleep(200000);
    assert_int_equal(enter(0), -1);
    kill_it(waiting);
    assert_true(enter(PXR_SECOND) >= 0);
    leave(one);
    leave(two);
}

static void kinds_do_not_take_each_others_places(void **state)
{
    int one = enter(0);
    int two = enter(0);
    int other = pxr_store_place_enter(&w.store, PXR_PLACE_OUTSIDE, 1, 0);

    (void)state;
    assert_true(one >= 0 && two >= 0 && other >= 0);
    assert_int_equal(pxr_store_place_enter(&w.store, PXR_PLACE_OUTSIDE, 1, 0), -1);
    pxr_store_place_leave(&w.store, PXR_PLACE_OUTSIDE, other);
    assert_int_equal(enter(0), -1);
    leave(one);
    leave(two);
}

static void no_more_get_in_than_are_allowed_nor_than_there_are_places(void **state)
{
    static const uint32_t allowed[] = {1, 3, 8, PXR_OUTSIDE_PLACES, PXR_OUTSIDE_PLACES + 100};

    (void)state;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        int places[PXR_OUTSIDE_PLACES + 1];
        uint32_t count = 0;
        while (count <= PXR_OUTSIDE_PLACES &&
               (places[count] =
                    pxr_store_place_enter(&w.store, PXR_PLACE_OUTSIDE, allowed[i], 0)) >= 0) {
            count++;
        }
        assert_int_equal(count, allowed[i] < PXR_OUTSIDE_PLACES ? allowed[i] : PXR_OUTSIDE_PLACES);
        while (count > 0) {
            pxr_store_place_leave(&w.store, PXR_PLACE_OUTSIDE, places[--count]);
        }
    }
    assert_int_equal(pxr_store_places(PXR_PLACE_OUTSIDE), PXR_OUTSIDE_PLACES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_are_as_many_places_as_promised_over_all_processes),
        TEST(the_death_of_a_process_gives_its_place_back_any_number_of_times),
        TEST(the_end_of_a_thread_gives_its_place_back),
        TEST(who_waits_gets_the_place_that_becomes_free),
        TEST(kinds_do_not_take_each_others_places),
        TEST(no_more_get_in_than_are_allowed_nor_than_there_are_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
