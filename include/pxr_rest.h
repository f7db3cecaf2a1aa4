#ifndef PXR_REST_H
#define PXR_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_rest_result.h"
#include "pxr_status.h"

/*
 * Requests to other servers over HTTP. Nothing outside src/rocketchat knows the library that
 * carries them. Environment variables do not matter (no proxy), redirects are not followed,
 * certificates are always verified, TLS is 1.2 or later.
 *
 * A POST is never repeated behind the caller's back: it gets a connection of its own, because the
 * library sends a request again when a kept connection turns out to be closed.
 */

typedef enum {
    PXR_REST_GET,
    PXR_REST_POST,
} pxr_rest_method_t;

typedef struct {
    const char *name;
    const char *value;
} pxr_rest_header_t;

/* All texts are borrowed for the length of the call that takes the request; NULL means none. */
typedef struct {
    pxr_rest_method_t method;
    const char *base_url; /* https, or http on the loopback interface; no slash at its end */
    const char *path;     /* begins with a slash, has its query, is encoded; sent as it is */
    const char *user_id;  /* X-User-Id and X-Auth-Token: both or neither */
    const char *token;
    const char *basic_user; /* Basic authentication: both or neither */
    const char *basic_secret;
    const pxr_rest_header_t *headers; /* further ones */
    size_t header_count;
    const char *body; /* JSON; only with POST */
    size_t body_len;
    const char *ca_file; /* trusted certificates instead of the system's; PEM */
    const char *ca_path;
    int64_t deadline;     /* microseconds from now for everything, at least 1 */
    int64_t connect_time; /* of these for name, connection and TLS; 0: PXR_REST_CONNECT_WAIT */
    size_t answer_max;    /* bytes of body; 0: PXR_REST_ANSWER_MAX */
} pxr_rest_request_t;

/* Once in each process that makes requests, after the fork that made it. PXR_BROKEN where the
 * library does not work. Any thread, any number of times. */
pxr_status_t pxr_rest_init(void);

/* This process goes: requests under way in pxr_rest_ask() end within a tenth of a second, and all
 * that follow are PXR_REST_NOT_SENT. Takes no lock and no memory, so it may be called from a signal
 * handler. Threads that make requests must be joined before exit() all the same. */
void pxr_rest_child_exit(void);

/* Makes one request and waits for its result, for request->deadline at most. The connection is kept
 * for later GET requests of any thread. Any thread. */
void pxr_rest_ask(const pxr_rest_request_t *request, pxr_rest_result_t *result);

/* Releases the body. Any thread. */
void pxr_rest_result_clear(pxr_rest_result_t *result);

/* Many requests at a time, for one thread. */
typedef struct pxr_rest_multi pxr_rest_multi_t;

/* Told once for each request that was started, from within pxr_rest_multi_run(), _cancel() or
 * _close(). The result is released afterwards, unless its body was taken out (and set to NULL, to
 * be released with free()). May start further requests, but not run, cancel or close. */
typedef void (*pxr_rest_done_t)(void *context, pxr_rest_result_t *result);

/* At most `per_host` connections to one server and `total` altogether; what is beyond waits, its
 * deadline running. NULL where memory ran out. */
pxr_rest_multi_t *pxr_rest_multi_open(size_t per_host, size_t total);

/* Copies what it needs. What is wrong with the request is told by `done` like any other end. False,
 * and `done` is not called, only where memory ran out. */
bool pxr_rest_multi_start(pxr_rest_multi_t *multi, const pxr_rest_request_t *request,
                          pxr_rest_done_t done, void *context);

/* Does what can be done, tells of what has ended, and where nothing has, waits for up to `wait`
 * microseconds for something to happen. Returns how many requests are under way. */
size_t pxr_rest_multi_run(pxr_rest_multi_t *multi, int64_t wait);

/* Ends the wait in pxr_rest_multi_run(), or the next one. Any thread, while `multi` is open. */
void pxr_rest_multi_wake(pxr_rest_multi_t *multi);

/* Ends all requests at once, however their servers behave: PXR_REST_NOT_SENT or PXR_REST_UNKNOWN.
 */
void pxr_rest_multi_cancel(pxr_rest_multi_t *multi);

/* Cancels and releases. NULL is fine. */
void pxr_rest_multi_close(pxr_rest_multi_t *multi);

#endif
