#include "rest_server.h"

/* Many requests at a time, and the end of all. */

/* Returns how long it took until nothing was under way. */
static int64_t run_out(tally_t *tally)
{
    int64_t began = pxr_time_steady();

    while (pxr_rest_multi_run(tally->multi, PXR_SECOND) > 0) {
        assert_true(pxr_time_steady() - began < 10 * PXR_SECOND);
    }
    return pxr_time_steady() - began;
}

static void many_are_under_way_but_not_too_many(void **state)
{
    tally_t tally = {.multi = pxr_rest_multi_open(4, 8)};
    int requests = atomic_load(&server->requests);

    (void)state;
    atomic_store(&server->busiest, 0);
    for (int i = 0; i < 50; i++) {
        start(&tally, i % 2 == 0 ? get("/wait?10") : post("/wait?10", "{}"));
    }
    run_out(&tally);
    assert_int_equal(tally.told, 50);
    assert_int_equal(tally.answered, 50);
    assert_int_equal(atomic_load(&server->requests), requests + 50);
    assert_in_range(atomic_load(&server->busiest), 2, 4);
    pxr_rest_multi_close(tally.multi);
}

static void one_server_that_hangs_does_not_stop_the_others(void **state)
{
    tally_t stuck = {.multi = pxr_rest_multi_open(2, 8)};
    tally_t good = {.multi = stuck.multi};
    server_t *other = server_start();
    pxr_rest_request_t request = get("/hang");
    int64_t began = pxr_time_steady();

    (void)state;
    request.base_url = other->url;
    request.deadline = 1000 * MILLI;
    for (int i = 0; i < 6; i++) {
        start(&stuck, request);
    }
    for (int i = 0; i < 6; i++) {
        start(&good, get("/json"));
    }
    while (good.told < 6 && pxr_time_steady() - began < 5 * PXR_SECOND) {
        pxr_rest_multi_run(good.multi, 50 * MILLI);
    }
    assert_int_equal(good.answered, 6);
    assert_int_equal(stuck.told, 0);
    run_out(&stuck);
    assert_true(pxr_time_steady() - began < request.deadline + SLACK);
    /* Those that never had a connection were surely not sent. */
    assert_int_equal(stuck.told, 6);
    assert_int_equal(stuck.unknown, 2);
    assert_int_equal(stuck.not_sent, 4);
    assert_int_equal(atomic_load(&other->requests), 2);

    /* The places are free again. */
    request = get("/json");
    request.base_url = other->url;
    start(&good, request);
    run_out(&good);
    assert_int_equal(good.answered, 7);
    pxr_rest_multi_close(stuck.multi);
    server_stop(other);
}

static void each_request_has_its_own_deadline(void **state)
{
    tally_t tally = {.multi = pxr_rest_multi_open(8, 8)};
    pxr_rest_request_t request = get("/hang");

    (void)state;
    for (int i = 1; i <= 3; i++) {
        request.deadline = 100 * i * MILLI;
        start(&tally, request);
    }
    for (int i = 1; i <= 3; i++) {
        int64_t began = pxr_time_steady();
        while (tally.told < i) {
            pxr_rest_multi_run(tally.multi, 5 * PXR_SECOND);
        }
        assert_true(pxr_time_steady() - began < 100 * MILLI + SLACK);
        assert_string_equal(tally.last_why, "no complete answer in time");
    }
    assert_int_equal(tally.unknown, 3);
    pxr_rest_multi_close(tally.multi);
}

static void *wake_soon(void *argument)
{
    usleep(100000);
    pxr_rest_multi_wake(argument);
    return NULL;
}

static void a_wait_can_be_ended_from_elsewhere(void **state)
{
    tally_t tally = {.multi = pxr_rest_multi_open(2, 2)};

    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        pthread_t thread;
        int64_t began = pxr_time_steady();
        assert_int_equal(pthread_create(&thread, NULL, wake_soon, tally.multi), 0);
        pxr_rest_multi_run(tally.multi, 5 * PXR_SECOND);
        assert_in_range(pxr_time_steady() - began, 50 * MILLI, 100 * MILLI + SLACK);
        pthread_join(thread, NULL);
        start(&tally, get("/hang"));
        pxr_rest_multi_run(tally.multi, 0);
    }
    /* What was woken before it waits does not wait. */
    pxr_rest_multi_wake(tally.multi);
    int64_t began = pxr_time_steady();
    pxr_rest_multi_run(tally.multi, 5 * PXR_SECOND);
    assert_true(pxr_time_steady() - began < SLACK);
    pxr_rest_multi_close(tally.multi);
    assert_int_equal(tally.told, 2);
}

static void cancelling_takes_no_time(void **state)
{
    static const char *const paths[] = {"/hang", "/hang-in-body", "/slow-head", "/slow-body"};
    tally_t tally = {.multi = pxr_rest_multi_open(8, 8)};
    int64_t began;

    (void)state;
    for (int round = 0; round < 2; round++) {
        tally.told = tally.unknown = tally.not_sent = 0;
        for (int i = 0; i < 12; i++) {
            start(&tally, get(paths[i % 4]));
        }
        began = pxr_time_steady();
        while (pxr_time_steady() - began < 50 * MILLI) {
            pxr_rest_multi_run(tally.multi, 10 * MILLI);
        }
        assert_int_equal(tally.told, 0);
        began = pxr_time_steady();
        if (round == 0) {
            pxr_rest_multi_cancel(tally.multi);
        } else {
            pxr_rest_multi_close(tally.multi);
        }
        assert_true(pxr_time_steady() - began < 250 * MILLI);
        assert_int_equal(tally.told, 12);
        assert_int_equal(tally.unknown, 8);
        assert_int_equal(tally.not_sent, 4);
        assert_string_equal(tally.last_why, "cancelled");
        if (round == 0) {
            start(&tally, get("/json"));
            run_out(&tally);
            assert_int_equal(tally.answered, 1);
        }
    }
    pxr_rest_multi_close(NULL);
}

static void callbacks_may_go_on_asking(void **state)
{
    tally_t tally = {.multi = pxr_rest_multi_open(2, 2), .more = 10};

    (void)state;
    start(&tally, get("unfit"));
    assert_int_equal(tally.told, 0);
    run_out(&tally);
    assert_int_equal(tally.told, 11);
    assert_int_equal(tally.answered, 5);
    assert_int_equal(tally.not_sent, 6);
    pxr_rest_multi_close(tally.multi);
}

static void take_body(void *context, pxr_rest_result_t *result)
{
    *(char **)context = result->body;
    result->body = NULL;
}

static void a_callback_may_take_the_body(void **state)
{
    pxr_rest_multi_t *multi = pxr_rest_multi_open(2, 2);
    pxr_rest_request_t request;
    char path[] = "/json";
    char *body = NULL;

    (void)state;
    request = get(path);
    assert_true(pxr_rest_multi_start(multi, &request, take_body, &body));
    /* What it needed was copied. */
    memset(path, 'X', sizeof(path) - 1);
    while (pxr_rest_multi_run(multi, PXR_SECOND) > 0) {
    }
    assert_string_equal(body, PLAIN_JSON);
    free(body);
    pxr_rest_multi_close(multi);
}

static void *ask_what_hangs(void *argument)
{
    pxr_rest_request_t request = get("/hang");

    pxr_rest_ask(&request, argument);
    return NULL;
}

/* The last one, because it is for ever. */
static void who_leaves_waits_for_nobody(void **state)
{
    pxr_rest_result_t result = {.outcome = PXR_REST_ANSWERED};
    pxr_rest_request_t request = get("/json");
    pthread_t thread;
    int64_t began;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask_what_hangs, &result), 0);
    usleep(100000);
    began = pxr_time_steady();
    pxr_rest_child_exit();
    pthread_join(thread, NULL);
    assert_true(pxr_time_steady() - began < 100 * MILLI + SLACK);
    assert_int_equal(result.outcome, PXR_REST_UNKNOWN);
    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    assert_string_equal(result.why, "this process ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_are_under_way_but_not_too_many),
        cmocka_unit_test(one_server_that_hangs_does_not_stop_the_others),
        cmocka_unit_test(each_request_has_its_own_deadline),
        cmocka_unit_test(a_wait_can_be_ended_from_elsewhere),
        cmocka_unit_test(cancelling_takes_no_time),
        cmocka_unit_test(callbacks_may_go_on_asking),
        cmocka_unit_test(a_callback_may_take_the_body),
        cmocka_unit_test(who_leaves_waits_for_nobody),
    };

    return RUN_WITH_SERVER(tests);
}
