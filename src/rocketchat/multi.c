#include "rest_internal.h"

#include <stdlib.h>
#include <string.h>

/* Handles are worth keeping, connections belong to the multi. */
#define SPARE_MAX 16
/* More than anybody means, and no reason for an overflow. */
#define DEADLINE_MAX (3600 * PXR_SECOND)

typedef struct {
    pxr_transfer_t *first;
    pxr_transfer_t *last;
    size_t count;
} queue_t;

/* The library has limits too, but there a server that hangs, while more is waiting for it than it
 * may have connections, holds up what is waiting for the others. */
struct pxr_rest_multi {
    CURLM *curl;
    size_t per_host;
    size_t total;
    queue_t waiting; /* for its turn */
    queue_t active;
    queue_t ended; /* `done` has not been called yet */
    CURL *spare[SPARE_MAX];
    size_t spare_count;
    bool cancelling;
};

static void append(queue_t *queue, pxr_transfer_t *transfer)
{
    transfer->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = transfer;
    } else {
        queue->first = transfer;
    }
    queue->last = transfer;
    queue->count++;
}

static void take_out(queue_t *queue, pxr_transfer_t *transfer)
{
    pxr_transfer_t *before = NULL;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in this queue */
    for (pxr_transfer_t *at = queue->first; at != transfer; at = at->next) {
        before = at;
    }
    if (before != NULL) {
        before->next = transfer->next;
    } else {
        queue->first = transfer->next;
    }
    if (queue->last == transfer) {
        queue->last = before;
    }
    queue->count--;
}

pxr_rest_multi_t *pxr_rest_multi_open(size_t per_host, size_t total)
{
    pxr_rest_multi_t *multi = calloc(1, sizeof(*multi));

    if (multi == NULL) {
        return NULL;
    }
    multi->per_host = per_host;
    multi->total = total;
    multi->curl = curl_multi_init();
    if (multi->curl == NULL ||
        curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)total) != CURLM_OK ||
        curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK) {
        curl_multi_cleanup(multi->curl);
        free(multi);
        return NULL;
    }
    return multi;
}

static CURL *take_handle(pxr_rest_multi_t *multi)
{
    return multi->spare_count > 0 ? multi->spare[--multi->spare_count] : curl_easy_init();
}

/* After an error nobody knows what state a handle is in. */
static void give_handle(pxr_rest_multi_t *multi, CURL *easy, bool good)
{
    if (good && multi->spare_count < SPARE_MAX) {
        curl_easy_reset(easy);
        multi->spare[multi->spare_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

/* `why` overrules what the library says, unless it is NULL. */
static void end(pxr_rest_multi_t *multi, queue_t *from, pxr_transfer_t *transfer, CURLcode code,
                const char *why)
{
    take_out(from, transfer);
    pxr_transfer_end(transfer, code, why);
    if (from == &multi->active) {
        curl_multi_remove_handle(multi->curl, transfer->easy);
    }
    give_handle(multi, transfer->easy, transfer->result.outcome == PXR_REST_ANSWERED);
    curl_slist_free_all(transfer->headers);
    append(&multi->ended, transfer);
}

static size_t active_at(const pxr_rest_multi_t *multi, const char *origin)
{
    size_t count = 0;

    for (const pxr_transfer_t *at = multi->active.first; at != NULL; at = at->next) {
        count += strcmp(at->origin, origin) == 0;
    }
    return count;
}

/* Whose turn it is begins. */
static void launch(pxr_rest_multi_t *multi)
{
    pxr_transfer_t *next;

    for (pxr_transfer_t *at = multi->waiting.first;
         at != NULL && multi->active.count < multi->total; at = next) {
        CURLMcode code;
        next = at->next;
        if (active_at(multi, at->origin) >= multi->per_host) {
            continue;
        }
        code = curl_multi_add_handle(multi->curl, at->easy);
        if (code != CURLM_OK) {
            end(multi, &multi->waiting, at, CURLE_FAILED_INIT, curl_multi_strerror(code));
            continue;
        }
        take_out(&multi->waiting, at);
        append(&multi->active, at);
    }
}

static bool prepare(pxr_rest_multi_t *multi, pxr_transfer_t *transfer,
                    const pxr_rest_request_t *request, const char *base_url)
{
    transfer->easy = take_handle(multi);
    if (transfer->easy != NULL && pxr_request_prepare(transfer, request, base_url)) {
        return true;
    }
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    return false;
}

bool pxr_rest_multi_start(pxr_rest_multi_t *multi, const pxr_rest_request_t *request,
                          pxr_rest_done_t done, void *context)
{
    pxr_transfer_t *transfer;
    char url[PXR_REST_URL_MAX];
    char why[PXR_WHY_MAX + 1];
    pxr_buf_t base_url;
    pxr_buf_t reason;

    if (multi->cancelling || (transfer = calloc(1, sizeof(*transfer))) == NULL) {
        return false;
    }
    pxr_buf_init(&base_url, url, sizeof(url));
    pxr_buf_init(&reason, why, sizeof(why));
    pxr_transfer_begin(transfer);
    transfer->done = done;
    transfer->context = context;
    if (!pxr_request_check(request, &base_url, &reason)) {
        pxr_transfer_end(transfer, CURLE_OK, reason.overflow ? "the request is unfit" : why);
        append(&multi->ended, transfer);
        return true;
    }
    transfer->deadline =
        pxr_time_steady() + (request->deadline < DEADLINE_MAX ? request->deadline : DEADLINE_MAX);
    if (!prepare(multi, transfer, request, url)) {
        free(transfer);
        return false;
    }
    append(&multi->waiting, transfer);
    return true;
}

static void collect(pxr_rest_multi_t *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left)) != NULL) {
        char *transfer = NULL;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK &&
            transfer != NULL) {
            end(multi, &multi->active, (pxr_transfer_t *)(void *)transfer, code, NULL);
        }
    }
}

static void end_all(pxr_rest_multi_t *multi, queue_t *queue, const char *why)
{
    while (queue->first != NULL) {
        end(multi, queue, queue->first, CURLE_ABORTED_BY_CALLBACK, why);
    }
}

static void end_late(pxr_rest_multi_t *multi, queue_t *queue)
{
    int64_t now = pxr_time_steady();
    pxr_transfer_t *next;

    for (pxr_transfer_t *at = queue->first; at != NULL; at = next) {
        next = at->next;
        if (at->deadline <= now) {
            end(multi, queue, at, CURLE_OPERATION_TIMEDOUT,
                at->sent ? "no complete answer in time" : "no connection in time");
        }
    }
}

/* An error of the library as a whole concerns all that it has in hand. */
static void check(pxr_rest_multi_t *multi, CURLMcode code)
{
    if (code != CURLM_OK) {
        end_all(multi, &multi->active, curl_multi_strerror(code));
    }
}

static void perform(pxr_rest_multi_t *multi)
{
    int running;
    CURLMcode code;

    launch(multi);
    code = curl_multi_perform(multi->curl, &running);
    collect(multi);
    check(multi, code);
    end_late(multi, &multi->active);
    end_late(multi, &multi->waiting);
}

static void tell(pxr_transfer_t *transfer)
{
    transfer->done(transfer->context, &transfer->result);
    pxr_rest_result_clear(&transfer->result);
    free(transfer);
}

/* Those that end while it tells are for the next time, or a caller that starts one unfit request
 * after the other would never come back. */
static bool deliver(pxr_rest_multi_t *multi)
{
    pxr_transfer_t *at = multi->ended.first;
    bool any = at != NULL;

    memset(&multi->ended, 0, sizeof(multi->ended));
    while (at != NULL) {
        pxr_transfer_t *next = at->next;
        tell(at);
        at = next;
    }
    return any;
}

static int64_t until_deadline(const queue_t *queue, int64_t now, int64_t wait)
{
    for (const pxr_transfer_t *at = queue->first; at != NULL; at = at->next) {
        wait = at->deadline - now < wait ? at->deadline - now : wait;
    }
    return wait;
}

/* In milliseconds, rounded up so that the deadline has passed afterwards. */
static int poll_time(const pxr_rest_multi_t *multi, int64_t wait)
{
    int64_t now = pxr_time_steady();

    wait = until_deadline(&multi->active, now, wait < DEADLINE_MAX ? wait : DEADLINE_MAX);
    wait = until_deadline(&multi->waiting, now, wait);
    return wait > 0 ? (int)((wait + 999) / 1000) : 0;
}

size_t pxr_rest_multi_run(pxr_rest_multi_t *multi, int64_t wait)
{
    perform(multi);
    if (!deliver(multi) && wait > 0) {
        check(multi, curl_multi_poll(multi->curl, NULL, 0, poll_time(multi, wait), NULL));
        perform(multi);
        deliver(multi);
    }
    return multi->waiting.count + multi->active.count + multi->ended.count;
}

void pxr_rest_multi_wake(pxr_rest_multi_t *multi)
{
    curl_multi_wakeup(multi->curl);
}

void pxr_rest_multi_cancel(pxr_rest_multi_t *multi)
{
    multi->cancelling = true;
    end_all(multi, &multi->active, "cancelled");
    end_all(multi, &multi->waiting, "cancelled");
    deliver(multi);
    multi->cancelling = false;
}

void pxr_rest_multi_close(pxr_rest_multi_t *multi)
{
    if (multi == NULL) {
        return;
    }
    pxr_rest_multi_cancel(multi);
    while (multi->spare_count > 0) {
        curl_easy_cleanup(multi->spare[--multi->spare_count]);
    }
    curl_multi_cleanup(multi->curl);
    free(multi);
}
