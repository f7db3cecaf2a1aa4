#include "keeper.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* The thread that keeps the database: one in the process that leads, none elsewhere. */

#define ROUND_EVERY (PXR_SECOND / 5)
/* A database that cannot be had is asked again so often. */
#define RETRY_EVERY PXR_SECOND
/* One that somebody else is writing to is free again soon. */
#define RETRY_BLOCKED (PXR_SECOND / 100)
/* A call that lasts longer is one that hangs. */
#define PATIENCE (2 * PXR_SECOND)
/* What a process that ends may take to write the rest. */
#define FAREWELL PXR_SECOND
#define FAREWELL_STEP (PXR_SECOND / 20)
#define OPEN_TRIES 40

static pxr_keeper_t *keeper;
static apr_thread_t *thread;
static bool stopping;
static bool finished;
static bool released; /* it had to be, so it hangs */
/* Whoever ends a call that hangs must find the connection still there. */
static pthread_mutex_t connection = PTHREAD_MUTEX_INITIALIZER;

static bool is_stopping(void)
{
    return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

/* Tells of what the state has become, once. */
static void become(pxr_keeper_t *k, pxr_keeper_state_t state, const char *reason)
{
    char why[sizeof(k->health.why)];
    pxr_time_t now = pxr_time_now();
    bool same = k->health.state == state;

    pxr_text_line(why, sizeof(why), reason, strlen(reason));

    if (state != PXR_KEEPER_OK && (!same || strcmp(k->health.why, why) != 0)) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, k->server,
            "PXR1043: the database cannot be used: %s; running meetings go on, none can be "
            "created or ended",
            why);
    } else if (state == PXR_KEEPER_OK && !same && k->health.state != PXR_KEEPER_STARTING) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, k->server,
                     "PXR1044: the database can be used again after %" APR_INT64_T_FMT " s",
                     (apr_int64_t)((now - k->health.since) / PXR_SECOND));
    }
    if (!same) {
        k->health.since = now;
    }
    k->health.state = state;
    memcpy(k->health.why, why, sizeof(why));
}

static void tell(pxr_keeper_t *k, bool busy)
{
    k->health.busy_since = busy ? pxr_time_now() : 0;
    pxr_store_keep_tell(pxr_store(), &k->health);
}

static void hang_up(pxr_keeper_t *k)
{
    pxr_db_t *db;

    pthread_mutex_lock(&connection);
    db = k->db;
    __atomic_store_n(&k->db, NULL, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&connection);
    k->connected = false;
    if (db != NULL) {
        pxr_db_close(db);
    }
}

static void set_aside(pxr_keeper_t *k)
{
    char name[APR_PATH_MAX];

    if (pxr_db_set_aside(&k->settings, name, sizeof(name)) == PXR_DB_OK) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, k->server,
            "PXR1045: the database is damaged (%s): it was moved to '%s', a new one is begun and "
            "filled with what is known",
            k->health.why, name);
        /* The next one is no surprise. */
        pxr_store_keep_state(pxr_store(), &k->state);
        k->state.epoch[0] = '\0';
        pxr_store_keep_note(pxr_store(), &k->state);
    }
}

static void fail(pxr_keeper_t *k, pxr_db_status_t status)
{
    become(k, status == PXR_DB_NEWER ? PXR_KEEPER_NEWER : PXR_KEEPER_UNREACHABLE,
           k->db != NULL ? pxr_db_why(k->db) : "it cannot be opened");
    hang_up(k);
    if (status == PXR_DB_DAMAGED) {
        set_aside(k);
    }
}

static pxr_db_status_t reach(pxr_keeper_t *k)
{
    pxr_db_status_t status = PXR_DB_OK;

    if (k->connected && !pxr_db_is_current(k->db)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, k->server,
                     "PXR1046: the file of the database was replaced");
        hang_up(k);
    }
    if (!k->connected) {
        status = pxr_db_open(&k->db, &k->settings, PXR_DB_KEEPER);
        k->connected = status == PXR_DB_OK;
        if (status == PXR_DB_BUSY) {
            hang_up(k);
            k->blocked_since = k->blocked_since != 0 ? k->blocked_since : pxr_time_now();
        }
    }
    return status;
}

static pxr_db_status_t try(pxr_keeper_t *k)
{
    pxr_db_status_t status = reach(k);

    return status == PXR_DB_OK ? pxr_keeper_round(k) : status;
}

static pxr_db_status_t work(pxr_keeper_t *k)
{
    bool had_connection = k->connected;
    pxr_db_status_t status;

    tell(k, true);
    pxr_store_round_begins(pxr_store());
    status = try(k);
    if (status == PXR_DB_FAILED && had_connection && !is_stopping()) {
        /* Perhaps only this connection was lost: to a server that was restarted, or that has thrown
         * out a machine which stood still. */
        hang_up(k);
        k->blocked_since = 0;
        status = try(k);
    }
    if (k->blocked_since != 0 && k->blocked_since + PATIENCE < pxr_time_now()) {
        become(k, PXR_KEEPER_HANGING, "somebody else is in the middle of a change to it");
    } else if (status == PXR_DB_OK) {
        become(k, PXR_KEEPER_OK, "");
    } else if (!is_stopping() && status != PXR_DB_BUSY) {
        fail(k, status);
    }
    tell(k, false);
    pxr_store_round_ends(pxr_store(), status == PXR_DB_OK);
    return status;
}

/* What is left is written before the process ends. */
static void say_farewell(pxr_keeper_t *k)
{
    pxr_time_t until = pxr_time_now() + FAREWELL;
    pxr_db_status_t status = PXR_DB_OK;

    /* To connect again may take too long. */
    while (status == PXR_DB_OK && k->connected && pxr_store_unsaved(pxr_store()) > 0 &&
           pxr_time_now() < until) {
        status = work(k);
    }
}

static void *APR_THREAD_FUNC run(apr_thread_t *self, void *data)
{
    pxr_keeper_t *k = data;
    uint32_t heard = 0;
    int64_t wait = 0;
    sigset_t all;

    (void)self;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    /* Also for one that is to write the last of it and go. */
    work(k);
    while (!is_stopping()) {
        if (wait > ROUND_EVERY) {
            /* Whoever rings cannot make it come back sooner. */
            apr_sleep(FAREWELL_STEP);
            wait -= FAREWELL_STEP;
            continue;
        }
        pxr_store_listen(pxr_store(), &heard, wait);
        if (!is_stopping()) {
            pxr_db_status_t status = work(k);
            wait = k->blocked_since != 0 ? RETRY_BLOCKED
                   : status != PXR_DB_OK ? RETRY_EVERY
                                         : ROUND_EVERY;
        }
    }
    say_farewell(k);
    hang_up(k);
    __atomic_store_n(&finished, true, __ATOMIC_RELEASE);
    return NULL;
}

static pxr_keeper_t *make(server_rec *s)
{
    pxr_keeper_t *k = calloc(1, sizeof(*k));

    if (k != NULL) {
        k->server = s;
        k->settings = *pxr_database();
        k->settings.machine = pxr_store_machine(pxr_store());
        k->shared = pxr_store_kept(pxr_store()) == PXR_KEEP_SHARED;
        pxr_store_keep_health(pxr_store(), &k->health);
        if (k->health.state == PXR_KEEPER_NONE) {
            k->health.state = PXR_KEEPER_STARTING;
            k->health.since = pxr_time_now();
        }
        k->health.busy_since = 0;
    }
    return k;
}

void pxr_keeper_start(apr_pool_t *pool, server_rec *s)
{
    apr_status_t rv = APR_ENOMEM;

    if (pxr_store_kept(pxr_store()) == PXR_KEEP_NOTHING) {
        return;
    }
    keeper = make(s);
    stopping = false;
    finished = false;
    if (keeper != NULL) {
        rv = ap_thread_create(&thread, NULL, run, keeper, pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "PXR1047: the database cannot be kept: no thread");
        free(keeper);
        keeper = NULL;
    }
}

/* False where there is no connection. */
static bool release(void)
{
    pxr_db_t *db;

    pthread_mutex_lock(&connection);
    db = __atomic_load_n(&keeper->db, __ATOMIC_ACQUIRE);
    if (db != NULL) {
        pxr_db_release(db);
        released = true;
    }
    pthread_mutex_unlock(&connection);
    return db != NULL;
}

bool pxr_keeper_has_hope(void)
{
    pxr_keep_health_t health;

    if (released || pxr_store_unsaved(pxr_store()) == 0) {
        return false;
    }
    pxr_store_keep_health(pxr_store(), &health);
    return pxr_keeper_state(&health, pxr_time_now()) == PXR_KEEPER_OK;
}

void pxr_keeper_stop(void)
{
    apr_status_t result;
    int64_t waited = 0;

    if (keeper == NULL) {
        return;
    }
    __atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
    pxr_store_ring(pxr_store());
    while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE)) {
        if (waited >= FAREWELL && release()) {
            break;
        }
        apr_sleep(FAREWELL_STEP / 5);
        waited += FAREWELL_STEP / 5;
    }
    apr_thread_join(&result, thread);
    free(keeper);
    keeper = NULL;
}

/* In the helper. */
static int fill(void *data)
{
    pxr_keeper_t *k = make(data);
    pxr_db_status_t status;

    if (k == NULL) {
        return PXR_BROKEN;
    }
    status = reach(k);
    for (int i = 0; i < OPEN_TRIES && status == PXR_DB_BUSY; i++) {
        /* Children of the former generation write to it. */
        apr_sleep(FAREWELL_STEP);
        status = reach(k);
    }
    if (status == PXR_DB_DAMAGED) {
        fail(k, status);
        status = reach(k);
    }
    if (status == PXR_DB_OK) {
        status = pxr_keeper_fill(k);
    }
    if (status == PXR_DB_OK) {
        become(k, PXR_KEEPER_OK, "");
        k->health.synced_at = pxr_time_now();
    } else {
        fail(k, status);
    }
    hang_up(k);
    tell(k, false);
    free(k);
    return status == PXR_DB_OK ? PXR_OK : PXR_MISSING;
}

void pxr_keeper_fill_at_start(server_rec *s)
{
    if (pxr_run_as_user(s, fill, s) == PXR_BROKEN) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, s,
            "PXR1048: the database did not answer in time; what it holds is filled in later");
    }
}

pxr_keeper_state_t pxr_keeper_state(const pxr_keep_health_t *health, pxr_time_t now)
{
    return health->busy_since != 0 && health->busy_since + PATIENCE < now &&
                   health->state != PXR_KEEPER_NEWER
               ? PXR_KEEPER_HANGING
               : health->state;
}
