#include "messenger.h"

#include <apr_strings.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* The thread that tells Rocket.Chat of meetings: one in the process that leads, none elsewhere. */

/* Who waits for a message waits for this, too. */
#define ROUND_EVERY (PXR_SECOND / 20)
#define REQUEST_TIME (10 * PXR_SECOND)
#define BATCH 64
/* A workspace that has not answered at all lately must not take the places of the others. */
#define PLACES_UNANSWERED 2
/* A workspace that is not configured any more may be so again after a reload. */
#define NOT_NOW (60 * PXR_SECOND)

static pxr_messenger_t *messenger;
static apr_thread_t *thread;
static bool stopping;

static bool is_stopping(void)
{
    return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

pxr_site_t *pxr_messenger_site(pxr_messenger_t *m, uint32_t workspace)
{
    return workspace < PXR_WORKSPACES_MAX && m->sites[workspace].workspace != NULL
               ? &m->sites[workspace]
               : NULL;
}

static pxr_job_t *job_of(pxr_messenger_t *m, const pxr_tell_t *who)
{
    pxr_job_t **place = &m->jobs[who->ref.slot];

    if (*place == NULL) {
        *place = calloc(1, sizeof(**place));
    } else if (!(*place)->busy && (*place)->who.ref.generation != who->ref.generation) {
        memset(*place, 0, sizeof(**place));
    }
    if (*place != NULL && !(*place)->busy) {
        (*place)->who = *who;
    }
    return *place;
}

static void forget(pxr_messenger_t *m, pxr_job_t *job)
{
    m->jobs[job->who.ref.slot] = NULL;
    free(job);
}

static size_t places_of(const pxr_site_t *site)
{
    return site->health.failing && site->health.http == 0 ? PLACES_UNANSWERED : PXR_MESSENGER_HOST;
}

/* One meeting whose time has come. */
static void look_at(pxr_messenger_t *m, const pxr_tell_t *who, pxr_time_t now)
{
    pxr_site_t *site = pxr_messenger_site(m, who->workspace);
    pxr_job_t *job = job_of(m, who);
    pxr_time_t again = now + ROUND_EVERY;

    if (site == NULL || job == NULL) {
        pxr_store_tell_later(pxr_store(), who->ref, now + NOT_NOW);
        return;
    }
    if (job->busy) {
        return; /* it is looked at when the answer is there */
    }
    if (m->under_way < PXR_MESSENGER_TOTAL && site->under_way < places_of(site)) {
        again = pxr_messenger_look(m, job, now);
    }
    if (!job->busy) {
        pxr_store_tell_later(pxr_store(), who->ref, again);
        if (again == PXR_TIME_NEVER) {
            forget(m, job);
        }
    }
}

/* True where there may be others whose time has come. */
static bool look_around(pxr_messenger_t *m)
{
    pxr_tell_t due[BATCH];
    pxr_time_t now = pxr_time_now();
    size_t count = pxr_store_tell_due(pxr_store(), now, &m->cursor, due, BATCH);

    for (size_t i = 0; i < count; i++) {
        look_at(m, &due[i], now);
    }
    return count == BATCH;
}

/* From now on this machine is the one that delivers. What waits already may have been sent by
 * whoever delivered before. */
static void begin(pxr_messenger_t *m)
{
    pxr_tell_t due[BATCH];
    size_t count;

    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, m->server, "this process tells Rocket.Chat");
    pxr_store_tell_all(pxr_store());
    do {
        count = pxr_store_tell_due(pxr_store(), 0, &m->cursor, due, BATCH);
        for (size_t i = 0; i < count; i++) {
            pxr_job_t *job = job_of(m, &due[i]);
            for (int kind = 0; job != NULL && kind < PXR_TASKS; kind++) {
                job->unsure[kind] = true;
            }
            pxr_store_tell_later(pxr_store(), due[i].ref, 1);
        }
    } while (count == BATCH && !is_stopping());
}

static void take_invitations(pxr_messenger_t *m)
{
    char user[PXR_USER_ID_MAX + 1];
    bool more = true;
    pxr_tell_t who;

    /* Those of a workspace that hangs must not keep the others from being told of anything. */
    while (more && m->inviting < PXR_MESSENGER_HOST && m->under_way < PXR_MESSENGER_TOTAL &&
           pxr_store_next_invite(pxr_store(), &who, user)) {
        more = pxr_messenger_invite(m, &who, user);
    }
}

static void work(pxr_messenger_t *m)
{
    int64_t until = pxr_store_delivers_until(pxr_store());
    int64_t now = pxr_time_steady();
    bool more = false;

    if (until > now) {
        if (m->delivers_until <= now) {
            /* For the first time; or it stood still, and others may have delivered meanwhile. */
            begin(m);
        }
        more = look_around(m);
    }
    m->delivers_until = until;
    take_invitations(m);
    pxr_rest_multi_run(m->multi, more ? 0 : ROUND_EVERY);
}

static void *APR_THREAD_FUNC run(apr_thread_t *self, void *data)
{
    pxr_messenger_t *m = data;
    sigset_t all;

    (void)self;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_stopping()) {
        work(m);
    }
    return NULL;
}

static void release(pxr_messenger_t *m)
{
    if (m == NULL) {
        return;
    }
    pxr_rest_multi_close(m->multi);
    for (uint32_t i = 0; m->jobs != NULL && i <= m->slots; i++) {
        free(m->jobs[i]);
    }
    free(m->jobs);
    free(m->sites);
    free(m);
}

/* Whether anything could ever be told. */
static bool is_needed(void)
{
    bool needed = false;

    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        const pxr_workspace_t *w = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *);
        needed = needed || w->rest_user != NULL || w->callback_url != NULL;
    }
    return needed && pxr_store_kept(pxr_store()) != PXR_KEEP_NOTHING;
}

static pxr_messenger_t *make(server_rec *s)
{
    pxr_messenger_t *m = calloc(1, sizeof(*m));
    pxr_store_health_t health;

    if (m == NULL) {
        return NULL;
    }
    pxr_store_health(pxr_store(), &health);
    m->server = s;
    m->slots = health.slots.size;
    m->jobs = calloc((size_t)m->slots + 1, sizeof(*m->jobs));
    m->sites = calloc(PXR_WORKSPACES_MAX, sizeof(*m->sites));
    m->multi = pxr_rest_init() == PXR_OK
                   ? pxr_rest_multi_open(PXR_MESSENGER_HOST, PXR_MESSENGER_TOTAL)
                   : NULL;
    if (m->jobs == NULL || m->sites == NULL || m->multi == NULL) {
        release(m);
        return NULL;
    }
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        const pxr_workspace_t *w = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *);
        if (w->number < PXR_WORKSPACES_MAX) {
            pxr_site_t *site = &m->sites[w->number];
            site->workspace = w;
            pxr_store_chat(pxr_store(), w->number, &site->health);
        }
    }
    return m;
}

void pxr_messenger_start(apr_pool_t *pool, server_rec *s)
{
    apr_status_t rv = APR_ENOMEM;

    if (!is_needed()) {
        return;
    }
    stopping = false;
    messenger = make(s);
    if (messenger != NULL) {
        rv = ap_thread_create(&thread, NULL, run, messenger, pool);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "PXR1054: Rocket.Chat cannot be told of anything");
        release(messenger);
        messenger = NULL;
    }
}

void pxr_messenger_stop(void)
{
    apr_status_t result;

    if (messenger == NULL) {
        return;
    }
    __atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
    pxr_rest_multi_wake(messenger->multi);
    apr_thread_join(&result, thread);
    release(messenger);
    messenger = NULL;
}

static void done(void *context, pxr_rest_result_t *result)
{
    pxr_errand_t *errand = context;
    pxr_messenger_t *m = errand->messenger;
    pxr_job_t *job = errand->job;

    m->under_way--;
    m->inviting -= job == NULL;
    if (job != NULL) {
        errand->site->under_way--;
    }
    if (!is_stopping()) {
        pxr_messenger_answer(errand, result);
    }
    if (job != NULL) {
        job->busy = false;
        /* Whatever came of it, and whatever has happened meanwhile. */
        pxr_store_tell_later(pxr_store(), job->who.ref, 1);
    }
    free(errand);
}

/* What only the machine that delivers may do must not leave it afterwards; a callback or an
 * invitation does no harm. */
static int64_t request_time(const pxr_errand_t *errand)
{
    int64_t left = pxr_store_delivers_until(pxr_store()) - pxr_time_steady();
    bool bound = errand->step != PXR_STEP_CALLBACK && errand->step != PXR_STEP_INVITE;

    return bound && left < REQUEST_TIME ? left : REQUEST_TIME;
}

static bool is_post(const pxr_errand_t *errand)
{
    if (errand->step == PXR_STEP_CALLBACK) {
        return true;
    }
    switch (errand->call) {
    case PXR_RC_MESSAGE:
    case PXR_RC_ROOM:
    case PXR_RC_DISCUSSIONS:
    case PXR_RC_ME:
        return false;
    default:
        return true;
    }
}

/* Bytes of an answer. */
static size_t answer_max(const pxr_errand_t *errand)
{
    switch (errand->call) {
    case PXR_RC_ROOM:
    case PXR_RC_DISCUSSIONS:
    case PXR_RC_INVITE_PRIVATE:
    case PXR_RC_INVITE_PUBLIC:
        return PXR_REST_ROOMS_MAX;
    default:
        return PXR_REST_ANSWER_MAX;
    }
}

/* Where the app's address ends and its path begins. */
static const char *split_callback(const char *url, char *origin, size_t size)
{
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

    pxr_text_copy(origin, size, url, path != NULL ? (size_t)(path - url) : strlen(url));
    return path != NULL ? path : "/";
}

void pxr_messenger_send(pxr_messenger_t *m, const pxr_errand_t *errand, const char *path,
                        char *body)
{
    const pxr_workspace_t *w = errand->site->workspace;
    bool callback = errand->step == PXR_STEP_CALLBACK;
    char origin[PXR_ORIGIN_MAX + 1];
    const char *callback_path =
        callback ? split_callback(w->callback_url, origin, sizeof(origin)) : NULL;
    pxr_rest_header_t secret = {.name = "X-Pexip-RC-Secret", .value = w->callback_secret};
    pxr_rest_request_t request = {.method = is_post(errand) ? PXR_REST_POST : PXR_REST_GET,
                                  .base_url = callback ? origin : w->rest_url,
                                  .path = callback ? callback_path : path,
                                  .user_id = callback ? NULL : w->rest_user,
                                  .token = callback ? NULL : w->rest_token,
                                  .headers = &secret,
                                  .header_count = callback ? 1 : 0,
                                  .body = body,
                                  .body_len = body != NULL ? strlen(body) : 0,
                                  .deadline = request_time(errand),
                                  .answer_max = answer_max(errand)};
    pxr_errand_t *copy = body != NULL || !is_post(errand) ? malloc(sizeof(*copy)) : NULL;

    if (copy != NULL) {
        *copy = *errand;
        /* Before it may end, which can happen at once. */
        m->under_way++;
        m->inviting += errand->job == NULL;
        if (errand->job != NULL) {
            errand->site->under_way++;
            errand->job->busy = true;
        }
        if (!pxr_rest_multi_start(m->multi, &request, done, copy)) {
            m->under_way--;
            m->inviting -= errand->job == NULL;
            if (errand->job != NULL) {
                errand->site->under_way--;
                errand->job->busy = false;
            }
            free(copy);
            copy = NULL;
        }
    }
    if (copy == NULL && errand->job != NULL) {
        /* No memory at present. */
        errand->job->next_at[errand->kind] = pxr_time_now() + PXR_SECOND;
    }
    pxr_json_text_free(body);
}
