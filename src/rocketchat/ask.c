#include "rest_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Requests that somebody waits for. Each borrows a multi from a small stock, where it finds
 * connections, names and TLS sessions of earlier ones. */

#define STOCK_MAX 8
#define CONNECTIONS_EACH 4
/* Who leaves the process waits for nobody longer than this. */
#define SLICE (PXR_SECOND / 10)
/* What nobody has needed for so long goes. */
#define IDLE_MAX (60 * PXR_SECOND)

static struct {
    pthread_mutex_t lock;
    /* The last one was used last. */
    struct {
        pxr_rest_multi_t *multi;
        int64_t used_at;
    } idle[STOCK_MAX];
    size_t count;
} stock = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_bool leaving;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode library;

static void init_library(void)
{
    library = curl_global_init(CURL_GLOBAL_DEFAULT);
}

pxr_status_t pxr_rest_init(void)
{
    pthread_once(&once, init_library);
    return library == CURLE_OK ? PXR_OK : PXR_BROKEN;
}

void pxr_rest_child_exit(void)
{
    atomic_store(&leaving, true);
}

static pxr_rest_multi_t *take(void)
{
    pxr_rest_multi_t *multi = NULL;

    pthread_mutex_lock(&stock.lock);
    if (stock.count > 0) {
        multi = stock.idle[--stock.count].multi;
    }
    pthread_mutex_unlock(&stock.lock);
    return multi != NULL ? multi : pxr_rest_multi_open(CONNECTIONS_EACH, CONNECTIONS_EACH);
}

/* Keeps what may be needed again; what is left over is closed without the lock. */
static void give(pxr_rest_multi_t *multi)
{
    int64_t now = pxr_time_steady();
    pxr_rest_multi_t *old = NULL;

    pthread_mutex_lock(&stock.lock);
    if (stock.count == STOCK_MAX || (stock.count > 0 && stock.idle[0].used_at < now - IDLE_MAX)) {
        old = stock.idle[0].multi;
        stock.count--;
        memmove(stock.idle, stock.idle + 1, stock.count * sizeof(stock.idle[0]));
    }
    stock.idle[stock.count].multi = multi;
    stock.idle[stock.count].used_at = now;
    stock.count++;
    pthread_mutex_unlock(&stock.lock);
    pxr_rest_multi_close(old);
}

typedef struct {
    pxr_rest_result_t *result;
    bool done;
} waiter_t;

static void keep_result(void *context, pxr_rest_result_t *result)
{
    waiter_t *waiter = context;

    *waiter->result = *result;
    result->body = NULL;
    waiter->done = true;
}

static void not_asked(pxr_rest_result_t *result, const char *why)
{
    memset(result, 0, sizeof(*result));
    result->outcome = PXR_REST_NOT_SENT;
    result->retry_after = -1;
    result->reset_after = -1;
    result->remaining = -1;
    pxr_text_copy(result->why, sizeof(result->why), why, strlen(why));
}

void pxr_rest_ask(const pxr_rest_request_t *request, pxr_rest_result_t *result)
{
    waiter_t waiter = {.result = result};
    pxr_rest_multi_t *multi;

    if (atomic_load(&leaving)) {
        not_asked(result, "this process ends");
        return;
    }
    multi = take();
    if (multi == NULL || !pxr_rest_multi_start(multi, request, keep_result, &waiter)) {
        not_asked(result, "there is no memory for the request");
        pxr_rest_multi_close(multi);
        return;
    }
    while (!waiter.done) {
        pxr_rest_multi_run(multi, SLICE);
        if (!waiter.done && atomic_load(&leaving)) {
            pxr_rest_multi_cancel(multi);
        }
    }
    give(multi);
}
