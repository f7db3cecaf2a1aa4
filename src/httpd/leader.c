#include "pxr_httpd.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

/* How long a waiting thread sleeps before it looks whether its process is about to exit. */
#define WAIT (PXR_SECOND / 2)
#define ROUND (PXR_SECOND / 10)
/* A round that comes so late means that the whole machine stood still. */
#define STANDSTILL PXR_SECOND

/* One thread in each child. The one that leads does for all processes what time alone demands. */
typedef struct {
    apr_thread_t *thread;
    apr_pool_t *pool; /* of this thread and of those that it starts */
    server_rec *server;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
    bool yield; /* the process is about to go; others should lead */
} leader_t;

static leader_t *this_leader;

static bool is_stopped(leader_t *leader)
{
    bool stop;

    pthread_mutex_lock(&leader->mutex);
    stop = leader->stop;
    pthread_mutex_unlock(&leader->mutex);
    return stop;
}

/* Sleeps for one round, or until the process exits. */
static void rest(leader_t *leader)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ROUND * 1000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&leader->mutex);
    if (!leader->stop) {
        pthread_cond_clockwait(&leader->wake, &leader->mutex, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock(&leader->mutex);
}

static int64_t clock_difference(pxr_time_t now)
{
    return now - pxr_time_steady();
}

/* What a leader remembers from one round to the next. */
typedef struct {
    int64_t clocks;
    int64_t round_at; /* by the steady clock */
    bool failing;
} memory_t;

static void report_repairs(leader_t *leader)
{
    uint64_t repairs;
    uint64_t resets;

    pxr_store_news(pxr_store(), &repairs, &resets);
    if (resets > 0) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, leader->server,
            "PXR1038: the working set was damaged beyond repair and had to be emptied: what the "
            "database has not got of its meetings is lost");
    } else if (repairs > 0) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, leader->server,
            "PXR1039: a process died while it changed the working set: its change was completed or "
            "undone, nothing is lost");
    }
}

/* Ends what has to end by time alone. */
static void tick(leader_t *leader, memory_t *memory, pxr_time_t now)
{
    pxr_tick_t done;
    pxr_status_t status = pxr_store_tick(pxr_store(), now, &done);

    if (status != PXR_OK) {
        if (!memory->failing) {
            ap_log_error(
                APLOG_MARK, APLOG_ERR, 0, leader->server,
                "PXR1041: the working set is locked by a process that does not go on; meetings do "
                "not end until it does");
        }
    } else if (done.ended + done.reopened + done.lost_legs > 0) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, leader->server,
                     "%u meetings ended, %u open again, %u lost participants", done.ended,
                     done.reopened, done.lost_legs);
    }
    memory->failing = status != PXR_OK;
}

static void do_round(leader_t *leader, memory_t *memory)
{
    pxr_time_t now = pxr_time_now();
    int64_t clocks = clock_difference(now);
    int64_t jump = clocks - memory->clocks;

    memory->clocks = clocks;
    if (memory->round_at != 0 && memory->round_at + STANDSTILL < pxr_time_steady()) {
        pxr_store_stood_still(pxr_store());
    }
    memory->round_at = pxr_time_steady();
    if (jump > PXR_CLOCK_JUMP || jump < -PXR_CLOCK_JUMP) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, leader->server,
                     "PXR1040: the clock was set by %" APR_INT64_T_FMT
                     " s, no meeting is ended in this round",
                     (apr_int64_t)(jump / PXR_SECOND));
        return;
    }
    tick(leader, memory, now);
    report_repairs(leader);
}

static bool is_yielding(leader_t *leader)
{
    bool yield;

    pthread_mutex_lock(&leader->mutex);
    yield = leader->yield;
    pthread_mutex_unlock(&leader->mutex);
    return yield;
}

/* Until the process exits, or is about to exit and somebody else can lead. */
static void lead(leader_t *leader, bool yields)
{
    memory_t memory = {.clocks = clock_difference(pxr_time_now())};

    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, leader->server, "this process leads");
    pxr_keeper_start(leader->pool, leader->server);
    pxr_messenger_start(leader->pool, leader->server);
    while (!is_stopped(leader) && !(yields && is_yielding(leader))) {
        do_round(leader, &memory);
        rest(leader);
    }
    /* What it has just been told is written by the keeper. */
    pxr_messenger_stop();
    pxr_keeper_stop();
    pxr_store_resign(pxr_store());
}

/* A process that is about to go leads only where nobody else wants to: its memory may be one that a
 * newer module has left behind, but requests in it are still worked off. */
static bool lead_if_nobody_does(leader_t *leader)
{
    rest(leader);
    return !is_stopped(leader) && pxr_store_lead(pxr_store(), 0);
}

/* The last one to go writes what came in after the leader had gone, unless that has written it
 * after all, or has found out meanwhile that the database hangs. */
static void write_the_rest(leader_t *leader)
{
    if (pxr_keeper_has_hope()) {
        pxr_keeper_start(leader->pool, leader->server);
        pxr_keeper_stop();
    }
    pxr_store_resign(pxr_store());
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    leader_t *leader = data;
    sigset_t all;

    (void)thread;
    /* Signals belong to the threads of the MPM. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_stopped(leader)) {
        bool yields = !is_yielding(leader);
        if (yields ? pxr_store_lead(pxr_store(), WAIT) : lead_if_nobody_does(leader)) {
            lead(leader, yields);
        }
    }
    if (pxr_keeper_has_hope() && pxr_store_lead(pxr_store(), 0)) {
        write_the_rest(leader);
    }
    return NULL;
}

void pxr_leader_yield(void)
{
    if (this_leader != NULL) {
        pthread_mutex_lock(&this_leader->mutex);
        this_leader->yield = true;
        pthread_cond_signal(&this_leader->wake);
        pthread_mutex_unlock(&this_leader->mutex);
    }
}

/* Before the pools of the process go: the thread must not outlive what it uses. */
static apr_status_t join(void *data)
{
    leader_t *leader = data;
    apr_status_t result;
    apr_status_t status;

    pthread_mutex_lock(&leader->mutex);
    leader->stop = true;
    pthread_cond_signal(&leader->wake);
    pthread_mutex_unlock(&leader->mutex);
    status = apr_thread_join(&result, leader->thread);
    apr_pool_destroy(leader->pool);
    return status;
}

void pxr_leader_start(apr_pool_t *pchild, server_rec *s)
{
    leader_t *leader = apr_pcalloc(pchild, sizeof(*leader));
    apr_status_t rv = APR_ENOMEM;

    leader->server = s;
    leader->pool = pxr_own_pool();
    pthread_mutex_init(&leader->mutex, NULL);
    pthread_cond_init(&leader->wake, NULL);
    if (leader->pool != NULL) {
        rv = ap_thread_create(&leader->thread, NULL, run, leader, leader->pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, rv, s,
            "PXR1042: a thread cannot be started in this process; another process has to end "
            "meetings");
        if (leader->pool != NULL) {
            apr_pool_destroy(leader->pool);
        }
        return;
    }
    this_leader = leader;
    apr_pool_pre_cleanup_register(pchild, leader, join);
}
