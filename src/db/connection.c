#include "db_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "pxr_text.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

/* A connection that has read one large page must not hold its memory for ever. */
#define KEPT_MEMORY ((apr_size_t)4 * 1024 * 1024)

bool pxr_db_is_shared(const pxr_db_settings_t *settings)
{
    const pxr_engine_t *engine = pxr_db_engine(settings->driver);

    return engine != NULL && engine->shared;
}

const char *pxr_db_check(apr_pool_t *p, const pxr_db_settings_t *settings)
{
    const pxr_engine_t *engine = pxr_db_engine(settings->driver);
    const apr_dbd_driver_t *driver;

    if (engine == NULL) {
        return apr_psprintf(p, "\"%s\" is no driver; there are sqlite3 and pgsql",
                            settings->driver);
    }
    if (apr_dbd_init(p) != APR_SUCCESS ||
        apr_dbd_get_driver(p, engine->driver, &driver) != APR_SUCCESS) {
        return apr_psprintf(p, "APR's driver %s cannot be loaded (Debian: libaprutil1-dbd-%s)",
                            engine->driver, engine->driver);
    }
    return engine->check(p, settings);
}

const char *pxr_db_why(const pxr_db_t *db)
{
    return db != NULL ? db->why : "out of memory";
}

pxr_db_status_t pxr_db_fail(pxr_db_t *db, pxr_db_status_t status, const char *why)
{
    db->failed = true;
    pxr_text_line(db->why, sizeof(db->why), why, strlen(why));
    return status;
}

/* What an engine adds in further lines may quote rows, which hold PINs. */
pxr_db_status_t pxr_db_judge(pxr_db_t *db, int code)
{
    const char *message = apr_dbd_error(db->driver, db->handle, code);
    char line[PXR_DB_WHY_MAX];
    pxr_db_status_t status;

    message = message != NULL && *message != '\0' ? message : "no reason is given";
    status = db->engine->judge(db, message);
    snprintf(line, sizeof(line), "%.*s%s%s", (int)strcspn(message, "\n"), message,
             db->engine->shared ? "" : " in ", db->engine->shared ? "" : db->settings.params);
    return pxr_db_fail(db, status, line);
}

pxr_db_status_t pxr_db_usable(pxr_db_t *db)
{
    if (atomic_load(&db->released)) {
        return pxr_db_fail(db, PXR_DB_FAILED, "the connection has been given up");
    }
    return db->handle != NULL ? PXR_DB_OK : PXR_DB_FAILED;
}

pxr_db_status_t pxr_db_inside(pxr_db_t *db)
{
    if (!db->inside) {
        return pxr_db_fail(db, PXR_DB_FAILED, "there is no transaction");
    }
    /* The reason of the first failure is kept. */
    return db->failed ? PXR_DB_FAILED : PXR_DB_OK;
}

/* When the thread is ended while it connects: AddressSanitizer has to be told that frames go. */
static void forget_frames(void *data)
{
    (void)data;
#ifdef __SANITIZE_ADDRESS__
    __asan_handle_no_return();
#endif
}

/* Opening a network connection can hang in ways that no descriptor tells of, so whoever releases
 * may end the thread here and nowhere else. */
static pxr_db_status_t connect_releasable(pxr_db_t *db, const char *params, const char **error)
{
    apr_status_t rv;
    apr_dbd_t *handle = NULL;
    int state;

    pthread_mutex_lock(&db->guard);
    if (atomic_load(&db->released)) {
        pthread_mutex_unlock(&db->guard);
        return pxr_db_usable(db);
    }
    db->connecting = db->engine->shared;
    db->thread = pthread_self();
    pthread_mutex_unlock(&db->guard);

    pthread_cleanup_push(forget_frames, NULL);
    if (db->engine->shared) {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    }
    rv = apr_dbd_open_ex(db->driver, db->pool, params, &handle, error);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_cleanup_pop(0);

    pthread_mutex_lock(&db->guard);
    db->connecting = false;
    db->handle = rv == APR_SUCCESS ? handle : NULL;
    pthread_mutex_unlock(&db->guard);
    return db->handle != NULL ? PXR_DB_OK : PXR_DB_FAILED;
}

static pxr_db_status_t connect_to_engine(pxr_db_t *db)
{
    const char *params = db->settings.params;
    const char *error = NULL;
    pxr_db_status_t status = db->engine->prepare(db, &params);

    if (status != PXR_DB_OK) {
        return status;
    }
    if (apr_dbd_get_driver(db->pool, db->engine->driver, &db->driver) != APR_SUCCESS) {
        return pxr_db_fail(db, PXR_DB_FAILED, "APR's driver is not loaded");
    }
    status = connect_releasable(db, params, &error);
    if (status != PXR_DB_OK) {
        char line[PXR_DB_WHY_MAX];
        snprintf(line, sizeof(line), "%s%s%s", error != NULL ? error : "no connection",
                 db->engine->shared ? "" : " in ", db->engine->shared ? "" : db->settings.params);
        if (!atomic_load(&db->released)) {
            pxr_db_fail(db, status, line);
            db->engine->mask(db, db->why);
        }
        return status;
    }
    status = db->engine->connected(db);
    for (const char *const *sql = db->engine->set_up[db->role]; status == PXR_DB_OK && *sql != NULL;
         sql++) {
        status = pxr_db_simple(db, *sql, NULL, 0);
    }
    return status;
}

static pxr_db_t *allocate(const pxr_db_settings_t *settings, pxr_db_role_t role)
{
    pxr_db_t *db = calloc(1, sizeof(*db));
    apr_allocator_t *allocator;

    if (db == NULL) {
        return NULL;
    }
    db->settings = *settings;
    db->engine = pxr_db_engine(settings->driver);
    db->role = role;
    db->socket = -1;
    pthread_mutex_init(&db->guard, NULL);
    /* An allocator of its own, because the pool changes threads with the connection. */
    if (apr_allocator_create(&allocator) == APR_SUCCESS) {
        if (apr_pool_create_unmanaged_ex(&db->pool, NULL, allocator) == APR_SUCCESS) {
            apr_allocator_owner_set(allocator, db->pool);
            apr_allocator_max_free_set(allocator, KEPT_MEMORY);
            apr_pool_create(&db->scratch, db->pool);
        } else {
            apr_allocator_destroy(allocator);
            db->pool = NULL;
        }
    }
    if (db->scratch == NULL) {
        pxr_db_close(db);
        return NULL;
    }
    return db;
}

pxr_db_status_t pxr_db_open(pxr_db_t **db, const pxr_db_settings_t *settings, pxr_db_role_t role)
{
    pxr_db_t *fresh = allocate(settings, role);
    pxr_db_status_t status;
    int state;

    /* Another thread may be waiting for it, to release it. */
    __atomic_store_n(db, fresh, __ATOMIC_RELEASE);
    if (fresh == NULL) {
        return PXR_DB_FAILED;
    }
    if (fresh->engine == NULL) {
        return pxr_db_fail(fresh, PXR_DB_FAILED, "no such driver");
    }
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    status = connect_to_engine(fresh);
    if (status == PXR_DB_OK) {
        status = pxr_db_schema(fresh);
    }
    /* Whoever released it just now may have asked for the thread's end a moment too late. */
    if (!atomic_load(&fresh->released)) {
        pthread_setcancelstate(state, &state);
    }
    return status;
}

void pxr_db_close(pxr_db_t *db)
{
    if (db == NULL) {
        return;
    }
    pxr_db_rollback(db);
    if (db->handle != NULL) {
        /* Shutting down can hang as well, hence our descriptor goes after it. A handle of SQLite
         * must not be interrupted once it is gone. */
        apr_dbd_t *handle = db->handle;
        pthread_mutex_lock(&db->guard);
        db->handle = NULL;
        pthread_mutex_unlock(&db->guard);
        apr_dbd_close(db->driver, handle);
    }
    pthread_mutex_lock(&db->guard);
    if (db->socket >= 0) {
        close(db->socket);
        db->socket = -1;
    }
    pthread_mutex_unlock(&db->guard);
    if (db->pool != NULL) {
        apr_pool_destroy(db->pool);
    }
    pthread_mutex_destroy(&db->guard);
    free(db);
}

void pxr_db_release(pxr_db_t *db)
{
    if (db == NULL) {
        return;
    }
    pthread_mutex_lock(&db->guard);
    atomic_store(&db->released, true);
    if (db->connecting) {
        pthread_cancel(db->thread);
        db->connecting = false; /* never twice: the thread may be gone by then */
    } else if (db->engine != NULL) {
        db->engine->release(db);
    }
    pthread_mutex_unlock(&db->guard);
}

pxr_db_status_t pxr_db_set_aside(const pxr_db_settings_t *settings, char *name, size_t size)
{
    const pxr_engine_t *engine = pxr_db_engine(settings->driver);

    return engine != NULL ? engine->set_aside(settings, name, size) : PXR_DB_MISSING;
}

bool pxr_db_is_current(const pxr_db_t *db)
{
    return db->engine->is_current(db);
}
