#include "history.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/*
 * A database may hang in any call, and a request must not: so each reading has a thread, and the
 * request only waits for it. Whoever of the two goes last clears up: a thread whose request has
 * given up stays in the list until the next request, or the end of the process, joins it.
 */

/* Threads of one process, those included that nobody waits for any more. */
#define MOST 16
/* Who waits looks so often whether the process is about to end. */
#define LOOK_EVERY (PXR_SECOND / 10)
/* A page that takes longer ends with what it has. */
#define PAGE_TIME (PXR_HISTORY_WAIT / 2)
/* Who waits for the keeper looks so often whether it has finished. */
#define REMOVAL_STEP (PXR_SECOND / 20)
/* What requests may take when their process is about to end. */
#define GRACEFUL_WAIT (3 * PXR_SECOND / 2)
#define EXIT_WAIT PXR_SECOND
#define EXIT_STEP (PXR_SECOND / 100)
/* Connecting has its own deadline. A thread that gets over neither is ended the hard way, which
 * costs what the connection had allocated. */
#define HOPELESS (60 * PXR_SECOND)

static const char no_memory[] = "out of memory";

typedef struct job job_t;
struct job {
    job_t *next;
    apr_pool_t *pool;
    apr_thread_t *thread;
    sem_t news;
    const pxr_store_t *store;
    pxr_db_settings_t settings;
    pxr_db_history_t query;
    bool removes; /* a person, instead of reading */
    pxr_removal_t removal;
    char workspace[PXR_ORIGIN_MAX + 1];
    char room[4 * PXR_ID_CHARS + 1];
    char after[PXR_MEETING_ID_MAX + 1];

    /* The thread's until it has finished. */
    int place;
    pxr_reading_t outcome;
    pxr_collector_t collector;
    pxr_removed_t removed;
    char why[PXR_WHY_MAX + 1];

    pxr_db_t *db; /* set by the thread; taken away under the mutex */

    /* Protected by the mutex. */
    bool connected;
    bool given_up;
    bool finished; /* the last thing that the thread does */
    int64_t given_up_at;
};

static struct {
    pthread_mutex_t mutex;
    job_t *first;
    size_t count;
    bool stopping;
    int64_t until; /* while stopping: when requests must be done */
} jobs = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Without signals: prefork ends a process from a handler, which comes here as well. */
static void lock(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, before);
    pthread_mutex_lock(&jobs.mutex);
}

static void unlock(const sigset_t *before)
{
    pthread_mutex_unlock(&jobs.mutex);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Under the mutex. */
static void give_up(job_t *job, bool release)
{
    pxr_db_t *db = __atomic_load_n(&job->db, __ATOMIC_ACQUIRE);

    if (!job->given_up) {
        job->given_up = true;
        job->given_up_at = pxr_time_steady();
    }
    if (release && db != NULL) {
        pxr_db_release(db);
    }
}

/* The thread. */

static bool is_given_up(job_t *job)
{
    sigset_t before;
    bool given_up;

    lock(&before);
    given_up = job->given_up;
    unlock(&before);
    return given_up;
}

static bool take_place(job_t *job)
{
    int64_t until = pxr_time_steady() + PXR_READER_WAIT;

    do {
        job->place = pxr_store_place_enter(job->store, PXR_PLACE_HISTORY, PXR_READERS, LOOK_EVERY);
    } while (job->place < 0 && pxr_time_steady() < until && !is_given_up(job));
    return job->place >= 0;
}

static void leave_place(job_t *job)
{
    if (job->place >= 0) {
        pxr_store_place_leave(job->store, PXR_PLACE_HISTORY, job->place);
    }
    job->place = -1;
}

static pxr_db_status_t open_database(job_t *job, pxr_db_role_t role)
{
    pxr_db_status_t status = pxr_db_open(&job->db, &job->settings, role);
    sigset_t before;

    lock(&before);
    job->connected = status == PXR_DB_OK;
    unlock(&before);
    return status;
}

static pxr_reading_t fail(job_t *job)
{
    const char *why = pxr_db_why(job->db);

    pxr_text_copy(job->why, sizeof(job->why), why, strlen(why));
    return PXR_READING_FAILED;
}

static pxr_reading_t read_page(job_t *job)
{
    pxr_collector_t *collector = &job->collector;
    pxr_db_visitor_t visitor = pxr_collector_visitor(collector);
    bool more = false;
    pxr_db_status_t status;

    collector->until = pxr_time_steady() + PAGE_TIME;
    status = open_database(job, PXR_DB_READER);
    if (status == PXR_DB_OK && !is_given_up(job)) {
        status = pxr_db_history(job->db, &job->query, &visitor, &more);
    }
    if (collector->no_memory ||
        ((status == PXR_DB_OK || collector->cut) && !pxr_collector_end(collector, more))) {
        apr_cpystrn(job->why, no_memory, sizeof(job->why));
        return PXR_READING_FAILED;
    }
    return status != PXR_DB_OK && !collector->cut ? fail(job) : PXR_READING_DONE;
}

/* The keeper does the work; whoever waits for it keeps nobody from reading. */
static pxr_reading_t remove_person(job_t *job)
{
    int64_t until = pxr_time_steady() + PXR_REMOVAL_WAIT;
    pxr_db_status_t status = open_database(job, PXR_DB_CLERK);

    if (status == PXR_DB_OK) {
        status = pxr_db_ask_removal(job->db, &job->removal);
    }
    if (status == PXR_DB_MISSING) {
        return PXR_READING_DONE;
    }
    leave_place(job);
    job->removed.known = status == PXR_DB_OK;
    while (status == PXR_DB_OK && !job->removed.done && pxr_time_steady() < until &&
           !is_given_up(job)) {
        apr_sleep(REMOVAL_STEP);
        status =
            pxr_db_removal_state(job->db, &job->removal, &job->removed.done, &job->removed.running);
    }
    return status == PXR_DB_OK ? PXR_READING_DONE : fail(job);
}

static pxr_reading_t work(job_t *job)
{
    if (!take_place(job)) {
        return PXR_READING_BUSY;
    }
    if (is_given_up(job)) {
        return PXR_READING_STOPPED;
    }
    return job->removes ? remove_person(job) : read_page(job);
}

static void disconnect(job_t *job)
{
    pxr_db_t *db = job->db;
    sigset_t before;

    if (db == NULL) {
        return;
    }
    if (job->outcome != PXR_READING_DONE) {
        /* It must not hang on to say goodbye. */
        pxr_db_release(db);
    }
    lock(&before);
    __atomic_store_n(&job->db, NULL, __ATOMIC_RELEASE);
    unlock(&before);
    pxr_db_close(db);
}

/* Also where the thread is ended while it connects. */
static void finish(void *data)
{
    job_t *job = data;
    sigset_t before;

    disconnect(job);
    leave_place(job);
    pxr_collector_free(&job->collector);
    lock(&before);
    if (job->given_up || job->outcome != PXR_READING_DONE) {
        pxr_page_free(&job->collector.page);
    }
    job->finished = true;
    sem_post(&job->news);
    unlock(&before);
}

/* Signals are blocked since lock() of the thread that made this one. */
static void *APR_THREAD_FUNC run(apr_thread_t *self, void *data)
{
    job_t *job = data;

    (void)self;
    pthread_cleanup_push(finish, job);
    job->outcome = work(job);
    pthread_cleanup_pop(1);
    return NULL;
}

/* The request. */

static void destroy(job_t *job)
{
    apr_status_t result;

    if (job->thread != NULL) {
        apr_thread_join(&result, job->thread);
    }
    sem_destroy(&job->news);
    if (job->pool != NULL) {
        apr_pool_destroy(job->pool);
    }
    free(job);
}

static job_t *make(void)
{
    job_t *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    sem_init(&job->news, 0, 0);
    job->place = -1;
    job->outcome = PXR_READING_STOPPED;
    job->store = pxr_store();
    job->settings = *pxr_database();
    job->settings.machine = pxr_store_machine(job->store);
    job->pool = pxr_own_pool();
    return job;
}

static void take_query(job_t *job, const pxr_db_history_t *query)
{
    job->query = *query;
    pxr_text_copy(job->workspace, sizeof(job->workspace), query->workspace,
                  strlen(query->workspace));
    job->query.workspace = job->workspace;
    if (query->room_id != NULL) {
        pxr_text_copy(job->room, sizeof(job->room), query->room_id, strlen(query->room_id));
        job->query.room_id = job->room;
    }
    if (query->after_id != NULL) {
        pxr_text_copy(job->after, sizeof(job->after), query->after_id, strlen(query->after_id));
        job->query.after_id = job->after;
    }
}

/* Under the mutex: takes out of the list whoever has finished and is not waited for. */
static void clear_up(void)
{
    job_t **at = &jobs.first;

    while (*at != NULL) {
        job_t *job = *at;
        if (job->given_up && job->finished) {
            *at = job->next;
            jobs.count--;
            destroy(job);
            continue;
        }
        if (job->given_up && job->given_up_at + HOPELESS < pxr_time_steady()) {
            give_up(job, true);
        }
        at = &job->next;
    }
}

static void take_out(job_t *job)
{
    job_t **at = &jobs.first;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    jobs.count--;
}

static pxr_reading_t begin(job_t *job)
{
    pxr_reading_t outcome = PXR_READING_DONE;
    sigset_t before;

    lock(&before);
    clear_up();
    if (jobs.stopping) {
        outcome = PXR_READING_STOPPED;
    } else if (jobs.count >= MOST) {
        outcome = PXR_READING_BUSY;
    } else if (job->pool == NULL ||
               ap_thread_create(&job->thread, NULL, run, job, job->pool) != APR_SUCCESS) {
        apr_cpystrn(job->why, "no thread can be started", sizeof(job->why));
        job->thread = NULL;
        outcome = PXR_READING_FAILED;
    } else {
        job->next = jobs.first;
        jobs.first = job;
        jobs.count++;
    }
    unlock(&before);
    return outcome;
}

/* Whether there is nothing to be waited for. */
static bool is_over(job_t *job, int64_t latest)
{
    sigset_t before;
    bool over;

    lock(&before);
    over = job->finished || job->given_up || pxr_time_steady() >= latest ||
           (jobs.stopping && pxr_time_steady() >= jobs.until);
    unlock(&before);
    return over;
}

/* Prefork, and httpd before 2.4.49, tell in no other way that a process shall come to its end. */
static void look_for_stop(void)
{
    int state = 0;

    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING &&
        !__atomic_load_n(&jobs.stopping, __ATOMIC_RELAXED)) {
        pxr_history_stopping(1);
    }
}

/* No mutex is held while it waits, so that a signal may end the process here. */
static void wait_for(job_t *job)
{
    int64_t latest = pxr_time_steady() + PXR_HISTORY_WAIT;

    while (!is_over(job, latest)) {
        int64_t until = pxr_time_steady() + LOOK_EVERY;
        struct timespec at = {.tv_sec = (time_t)(until / PXR_SECOND),
                              .tv_nsec = (long)(until % PXR_SECOND) * 1000};
        sem_clockwait(&job->news, CLOCK_MONOTONIC, &at);
        look_for_stop();
    }
}

/* What became of it. *mine: the request clears up. */
static pxr_reading_t look(job_t *job, bool *mine)
{
    pxr_reading_t outcome;
    sigset_t before;

    lock(&before);
    *mine = job->finished && !job->given_up;
    if (*mine) {
        outcome = job->outcome;
        take_out(job);
    } else {
        outcome = jobs.stopping ? PXR_READING_STOPPED : PXR_READING_LATE;
        give_up(job, job->connected);
    }
    unlock(&before);
    return outcome;
}

/* Lets the thread work and waits for it. *job becomes NULL where the thread still has it. */
static pxr_reading_t carry_out(job_t **job, char *why, size_t why_size)
{
    pxr_reading_t outcome;
    bool mine = true;

    if (*job == NULL) {
        apr_cpystrn(why, no_memory, why_size);
        return PXR_READING_FAILED;
    }
    outcome = begin(*job);
    if (outcome == PXR_READING_DONE) {
        wait_for(*job);
        outcome = look(*job, &mine);
    }
    if (!mine) {
        why[0] = '\0';
        *job = NULL;
        return outcome;
    }
    pxr_text_copy(why, why_size, (*job)->why, strlen((*job)->why));
    return outcome;
}

pxr_reading_t pxr_history_read(const pxr_db_history_t *query, pxr_page_t *page, char *why,
                               size_t why_size)
{
    job_t *job = make();
    pxr_reading_t outcome;

    if (job != NULL) {
        take_query(job, query);
    }
    outcome = carry_out(&job, why, why_size);
    if (job != NULL) {
        *page = job->collector.page;
        destroy(job);
    }
    return outcome;
}

pxr_reading_t pxr_history_remove(const pxr_removal_t *removal, pxr_removed_t *removed, char *why,
                                 size_t why_size)
{
    job_t *job = make();
    pxr_reading_t outcome;

    if (job != NULL) {
        job->removes = true;
        job->removal = *removal;
    }
    outcome = carry_out(&job, why, why_size);
    if (job != NULL) {
        *removed = job->removed;
        destroy(job);
    }
    return outcome;
}

/* The end of the process. */

void pxr_history_stopping(int graceful)
{
    sigset_t before;

    lock(&before);
    __atomic_store_n(&jobs.stopping, true, __ATOMIC_RELAXED);
    jobs.until = pxr_time_steady() + (graceful ? GRACEFUL_WAIT : 0);
    for (job_t *job = jobs.first; job != NULL; job = job->next) {
        if (!graceful) {
            give_up(job, true);
        }
        sem_post(&job->news);
    }
    unlock(&before);
}

/* How many threads are still at work. */
static size_t release_all(void)
{
    size_t left = 0;
    sigset_t before;

    lock(&before);
    __atomic_store_n(&jobs.stopping, true, __ATOMIC_RELAXED);
    for (job_t *job = jobs.first; job != NULL; job = job->next) {
        if (!job->finished) {
            give_up(job, true);
            left++;
        }
    }
    unlock(&before);
    return left;
}

/* Before the pools of the process go. A request of this very thread may have been interrupted, so
 * nothing is freed. */
static apr_status_t stop(void *unused)
{
    int64_t until = pxr_time_steady() + EXIT_WAIT;
    sigset_t before;

    (void)unused;
    while (release_all() > 0 && pxr_time_steady() < until) {
        apr_sleep(EXIT_STEP);
    }
    lock(&before);
    for (job_t *job = jobs.first; job != NULL; job = job->next) {
        apr_status_t result;
        if (job->finished) {
            apr_thread_join(&result, job->thread);
        }
    }
    unlock(&before);
    return APR_SUCCESS;
}

void pxr_history_start(apr_pool_t *pchild)
{
    apr_pool_pre_cleanup_register(pchild, NULL, stop);
}
