#ifndef PXR_REST_SERVER_H
#define PXR_REST_SERVER_H

/* A server that behaves as badly as the path of a request tells it to. One thread for each
 * connection, on a free port of 127.0.0.1. Then what asks it. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helpers.h"
#include "pxr_rest.h"
#include "pxr_text.h"
#include "pxr_time.h"

#define CONNECTIONS_MAX 512
#define REQUEST_MAX 16384

typedef struct server {
    int listener;
    int port;
    char url[64];
    pthread_t acceptor;
    pthread_t threads[CONNECTIONS_MAX];
    struct connection {
        struct server *server;
        int fd;
    } connections[CONNECTIONS_MAX];
    atomic_bool stop;
    atomic_int connected; /* ever */
    atomic_int requests;  /* ever */
    atomic_int busy;
    atomic_int busiest;
} server_t;

/* True where `fd` has something to say or has been closed; false where the server stops, or `wait`
 * milliseconds have passed. */
static inline bool wait_for_peer(const server_t *server, int fd, int wait)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    for (int waited = 0; waited < wait && !atomic_load(&server->stop); waited += 10) {
        if (poll(&poller, 1, 10) > 0) {
            return true;
        }
    }
    return false;
}

/* False where the peer has gone. */
static inline bool say(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Reads one request with its body. False where there is none. */
static inline bool read_request(const server_t *server, int fd, char *request)
{
    size_t len = 0;
    size_t wanted = 0;

    while (wanted == 0 || len < wanted) {
        ssize_t got;
        if (len == REQUEST_MAX - 1 || !wait_for_peer(server, fd, 60000)) {
            return false;
        }
        got = recv(fd, request + len, REQUEST_MAX - 1 - len, 0);
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        request[len] = '\0';
        char *head_end = strstr(request, "\r\n\r\n");
        if (wanted == 0 && head_end != NULL) {
            const char *length = strstr(request, "Content-Length: ");
            wanted = (size_t)(head_end + 4 - request);
            if (length != NULL && length < head_end) {
                wanted += (size_t)strtoul(length + 16, NULL, 10);
            }
        }
    }
    return true;
}

static inline bool answer(int fd, const char *status, const char *headers, const char *body)
{
    char head[1024];

    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
             strlen(body));
    return say(fd, head) && say(fd, body);
}

#define JSON_TYPE "Content-Type: application/json; charset=utf-8\r\n"
#define PLAIN_JSON "{\"success\":true}"

static inline bool chatter(const server_t *server, int fd, const char *piece, int pause)
{
    while (!wait_for_peer(server, fd, pause) && !atomic_load(&server->stop)) {
        if (!say(fd, piece)) {
            return false;
        }
    }
    return false;
}

static inline bool flood(const server_t *server, int fd, const char *piece)
{
    while (!atomic_load(&server->stop) && say(fd, piece)) {
    }
    return false;
}

static inline bool reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    return false;
}

static inline bool long_answer(int fd, size_t len)
{
    char *body = malloc(len + 1);
    bool kept;

    memset(body, 'x', len);
    body[len] = '\0';
    kept = answer(fd, "200 OK", JSON_TYPE, body);
    free(body);
    return kept;
}

/* Returns whether the connection goes on. */
static inline bool obey(const server_t *server, int fd, const char *request)
{
    const char *path = strchr(request, ' ') + 1;
    size_t len = strcspn(path, " ?");
    char head[512];

#define ASKED(text) (len == strlen(text) && memcmp(path, text, len) == 0)
    if (ASKED("/echo") || strncmp(path, "/base/", 6) == 0) {
        return answer(fd, "200 OK", "Content-Type: Text/PLAIN;x=y\r\n", request);
    }
    if (ASKED("/hang")) {
        wait_for_peer(server, fd, 60000);
        return false;
    }
    if (ASKED("/hang-in-body")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"success\"");
        wait_for_peer(server, fd, 60000);
        return false;
    }
    if (ASKED("/slow-head")) {
        return say(fd, "HTTP/1.1 200 OK\r\n") && chatter(server, fd, "X: y\r\n", 20);
    }
    if (ASKED("/slow-body")) {
        return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n") &&
               chatter(server, fd, " ", 20);
    }
    if (ASKED("/reset")) {
        return reset(fd);
    }
    if (ASKED("/close")) {
        return false;
    }
    if (ASKED("/close-kept")) {
        /* Only the first request of a connection is answered. */
        if (strstr(request, "first") != NULL) {
            return answer(fd, "200 OK", JSON_TYPE, PLAIN_JSON);
        }
        return false;
    }
    if (ASKED("/truncated")) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"success\"");
        return false;
    }
    if (ASKED("/no-http")) {
        say(fd, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        return false;
    }
    if (ASKED("/old")) {
        say(fd, "HTTP/1.0 200 OK\r\n" JSON_TYPE "\r\n" PLAIN_JSON);
        return false;
    }
    if (ASKED("/endless-head")) {
        return say(fd, "HTTP/1.1 200 OK\r\n") && flood(server, fd, "X-Y: zzzzzzzzzzzzzzzzzzzz\r\n");
    }
    if (ASKED("/endless-interim")) {
        return flood(server, fd, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n");
    }
    if (ASKED("/endless-body")) {
        return say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") &&
               flood(server, fd, "10\r\n0123456789abcdef\r\n");
    }
    if (ASKED("/long")) {
        return long_answer(fd, (size_t)strtoul(path + len + 1, NULL, 10));
    }
    if (ASKED("/chunked")) {
        return say(fd, "HTTP/1.1 200 OK\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n"
                       "3\r\n{\"s\r\n") &&
               say(fd, "d\r\nuccess\":true}\r\n0\r\nHTTP/X: y\r\nX-T: y\r\n\r\n");
    }
    if (ASKED("/interim")) {
        return say(fd, "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n") &&
               answer(fd, "200 OK", JSON_TYPE, PLAIN_JSON);
    }
    if (ASKED("/redirect")) {
        snprintf(head, sizeof(head), "Location: %s/echo\r\n", server->url);
        return answer(fd, "302 Found", head, "");
    }
    if (ASKED("/html")) {
        return answer(fd, "503 Service Unavailable", "content-type:\ttext/html\r\n",
                      "<!DOCTYPE html><title>Maintenance</title>");
    }
    if (ASKED("/headers")) {
        /* The header lines to answer with are the body of the request. */
        return answer(fd, "429 Too Many Requests", strstr(request, "\r\n\r\n") + 4, "{}");
    }
    if (ASKED("/wait")) {
        usleep((useconds_t)strtoul(path + len + 1, NULL, 10) * 1000);
    }
#undef ASKED
    return answer(fd, "200 OK", JSON_TYPE, PLAIN_JSON);
}

static inline void *serve(void *argument)
{
    struct connection *connection = argument;
    server_t *server = connection->server;
    char *request = malloc(REQUEST_MAX);
    bool kept = true;

    while (kept && read_request(server, connection->fd, request)) {
        int busy = atomic_fetch_add(&server->busy, 1) + 1;
        int busiest = atomic_load(&server->busiest);
        while (busy > busiest && !atomic_compare_exchange_weak(&server->busiest, &busiest, busy)) {
        }
        atomic_fetch_add(&server->requests, 1);
        kept = obey(server, connection->fd, request);
        atomic_fetch_sub(&server->busy, 1);
    }
    free(request);
    close(connection->fd);
    return NULL;
}

static inline void *accept_all(void *argument)
{
    server_t *server = argument;

    while (!atomic_load(&server->stop)) {
        int number = atomic_load(&server->connected);
        struct connection *connection = &server->connections[number];
        if (number == CONNECTIONS_MAX || !wait_for_peer(server, server->listener, 60000)) {
            continue;
        }
        connection->server = server;
        connection->fd = accept(server->listener, NULL, NULL);
        if (connection->fd >= 0 &&
            pthread_create(&server->threads[number], NULL, serve, connection) == 0) {
            atomic_fetch_add(&server->connected, 1);
        }
    }
    return NULL;
}

/* A socket that listens on a free port, which is written to *port. */
static inline int listen_somewhere(int backlog, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline server_t *server_start(void)
{
    server_t *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    server->listener = listen_somewhere(128, &server->port);
    snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d", server->port);
    assert_int_equal(pthread_create(&server->acceptor, NULL, accept_all, server), 0);
    return server;
}

static inline void server_stop(server_t *server)
{
    atomic_store(&server->stop, true);
    pthread_join(server->acceptor, NULL);
    for (int i = 0; i < atomic_load(&server->connected); i++) {
        pthread_join(server->threads[i], NULL);
    }
    close(server->listener);
    free(server);
}

/* Asking it. */

#define MILLI (PXR_SECOND / 1000)
/* What an instrumented program on a busy machine may need beyond a deadline. */
#define SLACK (700 * MILLI)

static server_t *server;

static inline int start_server(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    /* Nobody listens there: whoever asks a proxy fails. */
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    server = server_start();
    return pxr_rest_init() == PXR_OK ? 0 : -1;
}

static inline int stop_server(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

static inline pxr_rest_request_t get(const char *path)
{
    pxr_rest_request_t request = {
        .method = PXR_REST_GET, .base_url = server->url, .path = path, .deadline = 5 * PXR_SECOND};

    return request;
}

static inline pxr_rest_request_t post(const char *path, const char *body)
{
    pxr_rest_request_t request = get(path);

    request.method = PXR_REST_POST;
    request.body = body;
    request.body_len = strlen(body);
    return request;
}

/* Asks and returns how long it took. */
static inline int64_t ask(const pxr_rest_request_t *request, pxr_rest_result_t *result)
{
    int64_t began = pxr_time_steady();

    pxr_rest_ask(request, result);
    return pxr_time_steady() - began;
}

/* What callbacks have told. */
typedef struct {
    pxr_rest_multi_t *multi;
    int told;
    int answered;
    int not_sent;
    int unknown;
    int more; /* further requests to start */
    char last_why[PXR_WHY_MAX + 1];
} tally_t;

static inline void count(void *context, pxr_rest_result_t *result)
{
    tally_t *tally = context;

    tally->told++;
    tally->answered += result->outcome == PXR_REST_ANSWERED;
    tally->not_sent += result->outcome == PXR_REST_NOT_SENT;
    tally->unknown += result->outcome == PXR_REST_UNKNOWN;
    pxr_text_copy(tally->last_why, sizeof(tally->last_why), result->why, strlen(result->why));
    if (tally->more > 0) {
        pxr_rest_request_t request = get(tally->more % 2 == 0 ? "/json" : "unfit");
        tally->more--;
        assert_true(pxr_rest_multi_start(tally->multi, &request, count, tally));
    }
}

static inline void start(tally_t *tally, pxr_rest_request_t request)
{
    assert_true(pxr_rest_multi_start(tally->multi, &request, count, tally));
}

#define RUN_WITH_SERVER(tests) cmocka_run_group_tests(tests, start_server, stop_server)

#endif
