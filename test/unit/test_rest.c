#include "rest_server.h"

/* One request at a time, whatever its server does. */

static void check_answered(const pxr_rest_result_t *result, int status)
{
    CHECK(result->outcome == PXR_REST_ANSWERED, "outcome %d: %s", result->outcome, result->why);
    assert_string_equal(result->why, "");
    assert_int_equal(result->status, status);
}

static void an_answer_comes_whole(void **state)
{
    pxr_rest_request_t request = get("/json");
    pxr_rest_result_t result;

    (void)state;
    ask(&request, &result);
    check_answered(&result, 200);
    assert_string_equal(result.content_type, "application/json");
    assert_string_equal(result.body, PLAIN_JSON);
    assert_int_equal(result.body_len, strlen(PLAIN_JSON));
    assert_true(result.retry_after == -1 && result.reset_after == -1 && result.remaining == -1);
    pxr_rest_result_clear(&result);
    assert_null(result.body);
}

static void check_line(const char *request, const char *line)
{
    const char *at = strstr(request, line);

    CHECK(at != NULL, "no '%s' in\n%s", line, request);
    CHECK((at == request || at[-1] == '\n') && strncmp(at + strlen(line), "\r\n", 2) == 0,
          "'%s' is no line of\n%s", line, request);
}

static void everything_of_a_request_is_sent(void **state)
{
    const pxr_rest_header_t headers[] = {{"X-Real-IP", "192.0.2.7"}, {"X-Empty", ""}};
    pxr_rest_request_t request = post("/echo?x=%2F%7B", "{\"a\":\"\xc3\xb8\"}");
    char url[128];
    char host[64];
    pxr_rest_result_t result;

    (void)state;
    snprintf(url, sizeof(url), "%s/base/", server->url);
    snprintf(host, sizeof(host), "Host: 127.0.0.1:%d", server->port);
    request.base_url = url;
    request.user_id = "bot1";
    request.token = "abc-DEF_123";
    request.basic_user = "nodes";
    request.basic_secret = "open:sesame";
    request.headers = headers;
    request.header_count = COUNT(headers);
    ask(&request, &result);
    check_answered(&result, 200);
    assert_string_equal(result.content_type, "text/plain");
    check_line(result.body, "POST /base/echo?x=%2F%7B HTTP/1.1");
    check_line(result.body, host);
    check_line(result.body, "User-Agent: mod_pexip_rc");
    check_line(result.body, "Accept: application/json");
    check_line(result.body, "Content-Type: application/json");
    check_line(result.body, "Content-Length: 10");
    check_line(result.body, "X-User-Id: bot1");
    check_line(result.body, "X-Auth-Token: abc-DEF_123");
    check_line(result.body, "X-Real-IP: 192.0.2.7");
    check_line(result.body, "X-Empty:");
    check_line(result.body, "Authorization: Basic bm9kZXM6b3BlbjpzZXNhbWU=");
    assert_string_equal(strstr(result.body, "\r\n\r\n"), "\r\n\r\n{\"a\":\"\xc3\xb8\"}");
    assert_null(strstr(result.body, "Expect"));
    assert_null(strstr(result.body, "Accept-Encoding"));
    pxr_rest_result_clear(&result);

    request = get("/echo");
    ask(&request, &result);
    check_line(result.body, "GET /echo HTTP/1.1");
    assert_null(strstr(result.body, "Content-Type"));
    assert_null(strstr(result.body, "Authorization"));
    assert_null(strstr(result.body, "X-User-Id"));
    pxr_rest_result_clear(&result);

    request = post("/echo", "");
    request.body = NULL;
    ask(&request, &result);
    check_line(result.body, "POST /echo HTTP/1.1");
    check_line(result.body, "Content-Length: 0");
    pxr_rest_result_clear(&result);
}

static void a_path_is_sent_as_it_is(void **state)
{
    static const char *const paths[] = {"/base/a/../b/./c", "/base//x%2e%2E/%zz?q={1}[2]|\\^`\"<>",
                                        "/base/\xc3\xb8?\xff&x=a+b;c=,", "/base/?@:!$&'()*~"};
    char line[128];

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        pxr_rest_request_t request = get(paths[i]);
        pxr_rest_result_t result;
        ask(&request, &result);
        check_answered(&result, 200);
        snprintf(line, sizeof(line), "GET %s HTTP/1.1", paths[i]);
        check_line(result.body, line);
        pxr_rest_result_clear(&result);
    }
}

static void what_could_smuggle_is_never_sent(void **state)
{
    static const char *const values[] = {"a\r\nX-Evil: 1", "a\nb", "a\rb", "\t", "\x7f", "a\x01"};
    int connected = atomic_load(&server->connected);
    int requests = atomic_load(&server->requests);

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        pxr_rest_header_t header = {"X-A", values[i]};
        pxr_rest_header_t name = {values[i], "a"};
        for (int place = 0; place < 7; place++) {
            pxr_rest_request_t request = get("/json");
            pxr_rest_result_t result;
            char path[64];
            snprintf(path, sizeof(path), "/%s", values[i]);
            request.user_id = place == 0 ? values[i] : place == 1 ? "u" : NULL;
            request.token = place == 0 ? "t" : place == 1 ? values[i] : NULL;
            request.basic_user = place == 2 ? values[i] : place == 3 ? "u" : NULL;
            request.basic_secret = place == 2 ? "s" : place == 3 ? values[i] : NULL;
            request.headers = place == 4 ? &header : place == 5 ? &name : NULL;
            request.header_count = place == 4 || place == 5;
            request.path = place == 6 ? path : request.path;
            ask(&request, &result);
            CHECK(result.outcome == PXR_REST_NOT_SENT && result.why[0] != '\0',
                  "value %zu at place %d was sent", i, place);
            assert_null(strstr(result.why, "Evil"));
            assert_null(strpbrk(result.why, "\r\n"));
        }
    }
    assert_int_equal(atomic_load(&server->connected), connected);
    assert_int_equal(atomic_load(&server->requests), requests);
}

static void check_unfit(pxr_rest_request_t request, const char *why)
{
    pxr_rest_result_t result;

    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    CHECK(strstr(result.why, why) != NULL, "'%s' instead of '%s'", result.why, why);
}

static void unfit_requests_are_told_apart(void **state)
{
    static const char *const urls[] = {"http://192.0.2.1",      "ftp://127.0.0.1",
                                       "http://user@127.0.0.1", "https://",
                                       "file:///etc/passwd",    "https://a/?q"};
    const pxr_rest_header_t nameless = {"X A", "1"};
    pxr_rest_request_t request;
    char *endless = malloc(20000);
    int requests = atomic_load(&server->requests);

    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        request = get("/json");
        request.base_url = urls[i];
        check_unfit(request, "the URL ");
    }
    request = get("/json");
    request.base_url = NULL;
    check_unfit(request, "the URL is missing");
    check_unfit(get("json"), "slash");
    check_unfit(get(NULL), "slash");
    check_unfit(get("/a b"), "encoded");
    check_unfit(get("/a#b"), "encoded");
    memset(endless, 'a', 19999);
    endless[0] = '/';
    endless[19999] = '\0';
    check_unfit(get(endless), "too long");
    request = get("/json");
    request.user_id = "u";
    request.token = endless;
    check_unfit(request, "the token is too long");
    request.token = NULL;
    check_unfit(request, "the token has no value");
    request = get("/json");
    request.basic_user = "a:b";
    request.basic_secret = "c";
    check_unfit(request, "colon");
    request = get("/json");
    request.headers = &nameless;
    request.header_count = 1;
    check_unfit(request, "name");
    request = post("/json", "{}");
    request.method = PXR_REST_GET;
    check_unfit(request, "body");
    request = get("/json");
    request.deadline = 0;
    check_unfit(request, "time");
    assert_int_equal(atomic_load(&server->requests), requests);
    free(endless);
}

static void what_was_surely_not_sent_is_known(void **state)
{
    pxr_rest_request_t request = post("/json", "{}");
    char url[64];
    int port;
    int fd = listen_somewhere(1, &port);
    pxr_rest_result_t result;

    (void)state;
    close(fd);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    request.base_url = url;
    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    assert_non_null(strstr(result.why, "127.0.0.1"));
    assert_int_equal(result.status, 0);

    request.base_url = "https://nowhere.invalid";
    assert_true(ask(&request, &result) < request.deadline + SLACK);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    assert_string_not_equal(result.why, "");

    /* No TLS there. */
    snprintf(url, sizeof(url), "https://127.0.0.1:%d", server->port);
    request.base_url = url;
    request.deadline = 300 * MILLI;
    assert_true(ask(&request, &result) < request.deadline + SLACK);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
}

/* A socket whose queue is full lets nobody in and refuses nobody. */
static void connecting_has_a_deadline_of_its_own(void **state)
{
    int port;
    int fd = listen_somewhere(0, &port);
    int fillers[4];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pxr_rest_request_t request = get("/json");
    pxr_rest_result_t result;
    char url[64];
    int64_t took;

    (void)state;
    for (size_t i = 0; i < COUNT(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    request.base_url = url;
    request.connect_time = 150 * MILLI;
    took = ask(&request, &result);
    CHECK(result.outcome == PXR_REST_NOT_SENT, "%s", result.why);
    assert_in_range(took, 140 * MILLI, 150 * MILLI + SLACK);
    request.connect_time = 0;
    request.deadline = 150 * MILLI;
    took = ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_NOT_SENT);
    assert_string_equal(result.why, "no connection in time");
    assert_in_range(took, 150 * MILLI, 150 * MILLI + SLACK);
    for (size_t i = 0; i < COUNT(fillers); i++) {
        close(fillers[i]);
    }
    close(fd);
}

static void what_may_have_been_done_is_unknown_by_the_deadline(void **state)
{
    static const char *const paths[] = {"/hang",      "/hang-in-body", "/slow-head", "/reset",
                                        "/slow-body", "/close",        "/no-http",   "/truncated"};

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        pxr_rest_request_t request = post(paths[i], "{}");
        pxr_rest_result_t result;
        request.deadline = 150 * MILLI;
        int64_t took = ask(&request, &result);
        CHECK(result.outcome == PXR_REST_UNKNOWN, "%s: outcome %d", paths[i], result.outcome);
        CHECK(result.why[0] != '\0' && result.body == NULL && result.body_len == 0, "%s", paths[i]);
        CHECK(took < request.deadline + SLACK, "%s took %d ms", paths[i], (int)(took / MILLI));
    }
}

static void what_is_too_large_is_not_taken(void **state)
{
    static const char *const endless[] = {"/endless-body", "/endless-head", "/endless-interim"};
    pxr_rest_request_t request;
    pxr_rest_result_t result;

    (void)state;
    for (size_t i = 0; i < COUNT(endless); i++) {
        request = get(endless[i]);
        assert_true(ask(&request, &result) < 3 * PXR_SECOND);
        CHECK(result.outcome == PXR_REST_UNKNOWN, "%s: %d", endless[i], result.outcome);
        CHECK(strstr(result.why, "too large") != NULL, "%s: %s", endless[i], result.why);
        assert_null(result.body);
    }
    request = get("/long?262144");
    ask(&request, &result);
    check_answered(&result, 200);
    assert_false(result.too_large);
    assert_int_equal(result.body_len, PXR_REST_ANSWER_MAX);
    assert_int_equal(strlen(result.body), PXR_REST_ANSWER_MAX);
    pxr_rest_result_clear(&result);
    request = get("/long?262145");
    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_UNKNOWN);
    assert_true(result.too_large);
    assert_int_equal(result.status, 200);
    request = get("/json");
    request.answer_max = strlen(PLAIN_JSON);
    ask(&request, &result);
    check_answered(&result, 200);
    pxr_rest_result_clear(&result);
    request.answer_max--;
    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_UNKNOWN);
}

static void all_forms_of_answers_are_understood(void **state)
{
    static const char *const paths[] = {"/chunked", "/old", "/interim", "/json"};
    pxr_rest_request_t request;
    pxr_rest_result_t result;

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        request = get(paths[i]);
        ask(&request, &result);
        CHECK(result.outcome == PXR_REST_ANSWERED && result.body != NULL &&
                  strcmp(result.body, PLAIN_JSON) == 0,
              "%s: %s", paths[i], result.why);
        assert_int_equal(result.status, 200);
        /* That of an interim answer does not count. */
        assert_true(result.retry_after == -1);
        pxr_rest_result_clear(&result);
    }
    request = get("/html");
    ask(&request, &result);
    check_answered(&result, 503);
    assert_string_equal(result.content_type, "text/html");
    pxr_rest_result_clear(&result);
}

static void redirects_are_answers(void **state)
{
    pxr_rest_request_t request = get("/redirect");
    pxr_rest_result_t result;
    int requests = atomic_load(&server->requests);

    (void)state;
    request.user_id = "u";
    request.token = "t";
    ask(&request, &result);
    check_answered(&result, 302);
    assert_int_equal(atomic_load(&server->requests), requests + 1);
    pxr_rest_result_clear(&result);
}

#define DATE "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n" /* 1795341600 */

static void waits_are_read_by_the_servers_clock(void **state)
{
    static const struct {
        const char *headers;
        int64_t retry, reset, remaining;
    } cases[] = {
        {"Retry-After: 7\r\n", 7 * PXR_SECOND, -1, -1},
        {"retry-after:0\r\n", 0, -1, -1},
        {"Retry-After: 99999999\r\n", PXR_REST_WAIT_MAX, -1, -1},
        {"Retry-After: 9999999999999999999999\r\n", -1, -1, -1},
        {"Retry-After: -3\r\n", -1, -1, -1},
        {"Retry-After: soon\r\n", -1, -1, -1},
        {"Retry-After:\r\n", -1, -1, -1},
        {DATE "Retry-After: Sun, 22 Nov 2026 10:01:30 GMT\r\n", 90 * PXR_SECOND, -1, -1},
        {"Retry-After: Sun, 22 Nov 2026 10:01:30 GMT\r\n" DATE, 90 * PXR_SECOND, -1, -1},
        {DATE "Retry-After: Sun, 22 Nov 2026 09:59:00 GMT\r\n", 0, -1, -1},
        {DATE "Retry-After: Sun, 22 Nov 341600000 10:00:00 GMT\r\n", -1, -1, -1},
        {DATE "Retry-After: Tue, 24 Nov 2026 10:00:00 GMT\r\n", PXR_REST_WAIT_MAX, -1, -1},
        {DATE "X-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 0\r\n"
              "X-RateLimit-Reset: 1795341612500\r\n",
         -1, 12500 * MILLI, 0},
        {DATE "x-ratelimit-remaining: 9\r\nx-ratelimit-reset: 1795341500000\r\n", -1, 0, 9},
        {DATE "X-RateLimit-Remaining: many\r\nX-RateLimit-Reset: 1e9\r\n", -1, -1, -1},
        {DATE "X-RateLimit-Reset: 999999999999999999\r\n", -1, -1, -1},
        {"X-Retry-After: 7\r\nRetry-After-X: 7\r\nRetry-After\r\n", -1, -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_rest_request_t request = post("/headers", cases[i].headers);
        pxr_rest_result_t result;
        ask(&request, &result);
        /* The library refuses a header without a colon. */
        if (strstr(cases[i].headers, "Retry-After\r\n") != NULL) {
            assert_int_equal(result.outcome, PXR_REST_UNKNOWN);
            continue;
        }
        check_answered(&result, 429);
        CHECK(result.retry_after == cases[i].retry && result.reset_after == cases[i].reset &&
                  result.remaining == cases[i].remaining,
              "%s: %lld %lld %lld", cases[i].headers, (long long)result.retry_after,
              (long long)result.reset_after, (long long)result.remaining);
        pxr_rest_result_clear(&result);
    }
}

static void connections_are_kept_but_a_post_has_its_own(void **state)
{
    pxr_rest_request_t request = get("/json");
    pxr_rest_result_t result;
    int connected;

    (void)state;
    ask(&request, &result);
    pxr_rest_result_clear(&result);
    connected = atomic_load(&server->connected);
    for (int i = 0; i < 5; i++) {
        ask(&request, &result);
        check_answered(&result, 200);
        pxr_rest_result_clear(&result);
    }
    assert_int_equal(atomic_load(&server->connected), connected);
    request = post("/json", "{}");
    ask(&request, &result);
    check_answered(&result, 200);
    pxr_rest_result_clear(&result);
    assert_int_equal(atomic_load(&server->connected), connected + 1);
}

/* The library repeats what failed on a kept connection, a POST as well. */
static void a_post_is_never_sent_twice(void **state)
{
    pxr_rest_request_t request = get("/close-kept?first");
    pxr_rest_result_t result;
    int requests;

    (void)state;
    ask(&request, &result);
    check_answered(&result, 200);
    pxr_rest_result_clear(&result);
    requests = atomic_load(&server->requests);
    request = post("/close-kept?second", "{}");
    ask(&request, &result);
    assert_int_equal(result.outcome, PXR_REST_UNKNOWN);
    assert_int_equal(atomic_load(&server->requests), requests + 1);
}

static void *ask_many(void *argument)
{
    int *good = argument;

    for (int i = 0; i < 20; i++) {
        pxr_rest_request_t request = i % 4 == 3 ? post("/echo", "{}") : get("/json");
        pxr_rest_result_t result;
        pxr_rest_ask(&request, &result);
        *good += result.outcome == PXR_REST_ANSWERED && result.status == 200;
        pxr_rest_result_clear(&result);
    }
    return NULL;
}

static void threads_ask_at_the_same_time(void **state)
{
    pthread_t threads[12];
    int good[COUNT(threads)] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &good[i]), 0);
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(good[i], 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole),
        cmocka_unit_test(everything_of_a_request_is_sent),
        cmocka_unit_test(a_path_is_sent_as_it_is),
        cmocka_unit_test(what_could_smuggle_is_never_sent),
        cmocka_unit_test(unfit_requests_are_told_apart),
        cmocka_unit_test(what_was_surely_not_sent_is_known),
        cmocka_unit_test(connecting_has_a_deadline_of_its_own),
        cmocka_unit_test(what_may_have_been_done_is_unknown_by_the_deadline),
        cmocka_unit_test(what_is_too_large_is_not_taken),
        cmocka_unit_test(all_forms_of_answers_are_understood),
        cmocka_unit_test(redirects_are_answers),
        cmocka_unit_test(waits_are_read_by_the_servers_clock),
        cmocka_unit_test(connections_are_kept_but_a_post_has_its_own),
        cmocka_unit_test(a_post_is_never_sent_twice),
        cmocka_unit_test(threads_ask_at_the_same_time),
    };

    return RUN_WITH_SERVER(tests);
}
