#include "db_internal.h"

#include <errno.h>
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

/* For an error that the driver has just returned. What an engine adds in further lines may quote
 * rows, which hold PINs. */
static pxr_db_status_t judge(pxr_db_t *db, int code)
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

/* Whether there is any use in asking the engine. */
static pxr_db_status_t usable(pxr_db_t *db)
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
        return usable(db);
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

void pxr_db_arg_text(pxr_args_t *args, const char *text)
{
    args->values[args->count++] = text;
}

void pxr_db_arg_number(pxr_args_t *args, int64_t number)
{
    args->numbers[args->count] = number;
    args->values[args->count] = &args->numbers[args->count];
    args->count++;
}

/* Borrowed texts need not end with a NUL, and a NUL inside would cut them. */
static void put_borrowed(pxr_args_t *args, apr_pool_t *pool, const char *text, size_t len)
{
    if (text == NULL || len == 0) {
        text = "";
    } else {
        args->unfit = args->unfit || memchr(text, '\0', len) != NULL;
        text = apr_pstrmemdup(pool, text, len);
    }
    pxr_db_arg_text(args, text);
}

void pxr_db_arg_fields(pxr_args_t *args, apr_pool_t *pool, const pxr_field_t *fields, size_t count,
                       const void *record)
{
    for (const pxr_field_t *field = fields; field < fields + count; field++) {
        const char *at = (const char *)record + field->offset;
        switch (field->kind) {
        case PXR_FIELD_TEXT:
            pxr_db_arg_text(args, at);
            break;
        case PXR_FIELD_REF:
            put_borrowed(args, pool, *(const char *const *)(const void *)at,
                         *(const size_t *)(const void *)((const char *)record + field->size));
            break;
        case PXR_FIELD_I64:
        case PXR_FIELD_U64:
            pxr_db_arg_number(args, *(const int64_t *)(const void *)at);
            break;
        case PXR_FIELD_U32:
            pxr_db_arg_number(args, *(const uint32_t *)(const void *)at);
            break;
        case PXR_FIELD_U8:
            pxr_db_arg_number(args, *(const uint8_t *)(const void *)at);
            break;
        case PXR_FIELD_BOOL:
            pxr_db_arg_number(args, *(const bool *)(const void *)at);
            break;
        }
    }
}

pxr_db_status_t pxr_db_simple(pxr_db_t *db, const char *sql, char *value, size_t size)
{
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    pxr_db_status_t status = usable(db);
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    apr_pool_clear(db->scratch);
    /* A SELECT even for statements without rows: what gives rows differs (PRAGMA, SET). */
    code = apr_dbd_select(db->driver, db->scratch, db->handle, &results, sql, 1);
    if (code != 0) {
        return judge(db, code);
    }
    if (value != NULL) {
        *value = '\0';
        if (pxr_db_next(db, db->scratch, results, &row)) {
            const char *text = pxr_db_text(db, row, 0);
            pxr_text_copy(value, size, text, strlen(text));
        }
    }
    return PXR_DB_OK;
}

static const char *parameter(const pxr_field_t *field)
{
    return field->kind <= PXR_FIELD_REF ? "%s" : "%lld";
}

/* Writes a list; in `form` $ stands for the column and ? for the parameter. */
static void put_list(pxr_buf_t *out, const pxr_field_t *fields, size_t count, const char *form,
                     const char *between)
{
    for (size_t i = 0; i < count; i++) {
        pxr_buf_puts(out, i > 0 ? between : "");
        for (const char *c = form; *c != '\0'; c++) {
            if (*c == '$') {
                pxr_buf_puts(out, fields[i].column);
            } else if (*c == '?') {
                pxr_buf_puts(out, parameter(&fields[i]));
            } else {
                pxr_buf_put(out, c, 1);
            }
        }
    }
}

static bool put_engine_word(pxr_buf_t *out, const pxr_engine_t *engine, const char *word)
{
    if (strcmp(word, "clock") == 0) {
        pxr_buf_puts(out, engine->clock != NULL ? engine->clock : "0");
    } else if (strcmp(word, "began") == 0) {
        pxr_buf_puts(out, engine->began != NULL ? engine->began : "0");
    } else if (strcmp(word, "text") == 0) {
        pxr_buf_puts(out, engine->text);
        pxr_buf_puts(out, " NOT NULL DEFAULT ''");
    } else if (strcmp(word, "int") == 0) {
        pxr_buf_puts(out, "BIGINT NOT NULL DEFAULT 0");
    } else {
        return false;
    }
    return true;
}

static void put_table_word(pxr_buf_t *out, const pxr_table_t *table, const char *word)
{
    static const struct {
        const char *word;
        bool key;
        const char *form;
        const char *between;
    } lists[] = {{"keys", true, "$", ", "},     {"keyvalues", true, "?", ", "},
                 {"columns", false, "$", ", "}, {"match", true, "$ = ?", " AND "},
                 {"values", false, "?", ", "},  {"updates", false, "$ = excluded.$", ", "},
                 {"sets", false, "$ = ?", ", "}};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(word, lists[i].word) == 0) {
            put_list(out, lists[i].key ? table->keys : table->fields,
                     lists[i].key ? table->key_count : table->field_count, lists[i].form,
                     lists[i].between);
            return;
        }
    }
}

static const char *spell(pxr_db_t *db, apr_pool_t *pool, const pxr_table_t *table, const char *sql)
{
    char text[PXR_DB_SQL_MAX];
    pxr_buf_t out;

    pxr_buf_init(&out, text, sizeof(text));
    while (*sql != '\0') {
        size_t plain = strcspn(sql, "@");
        char word[16];
        size_t len = 0;
        pxr_buf_put(&out, sql, plain);
        sql += plain;
        if (*sql == '\0') {
            break;
        }
        sql++;
        while (*sql >= 'a' && *sql <= 'z' && len < sizeof(word) - 1) {
            word[len++] = *sql++;
        }
        word[len] = '\0';
        if (!put_engine_word(&out, db->engine, word) && table != NULL) {
            put_table_word(&out, table, word);
        }
    }
    return apr_pstrdup(pool, text);
}

const char *pxr_db_spell(pxr_db_t *db, apr_pool_t *pool, const char *sql)
{
    return spell(db, pool, NULL, sql);
}

/* Prepares at the first use: no connection needs all statements. */
static pxr_db_status_t find_prepared(pxr_db_t *db, const pxr_statement_t *statement,
                                     apr_dbd_prepared_t **prepared)
{
    pxr_db_status_t status = usable(db);
    char label[16];
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    for (size_t i = 0; i < db->known_count; i++) {
        if (db->known[i].statement == statement) {
            *prepared = db->known[i].prepared;
            return PXR_DB_OK;
        }
    }
    if (db->known_count == PXR_DB_STATEMENTS) {
        return pxr_db_fail(db, PXR_DB_FAILED, "too many statements");
    }
    snprintf(label, sizeof(label), "pxr%zu", db->known_count);
    *prepared = NULL;
    code = apr_dbd_prepare(db->driver, db->pool, db->handle,
                           spell(db, db->pool, statement->table, statement->sql), label, prepared);
    if (code != 0) {
        return judge(db, code);
    }
    db->known[db->known_count].statement = statement;
    db->known[db->known_count].prepared = *prepared;
    db->known_count++;
    return PXR_DB_OK;
}

/* The drivers' interface is not const. */
static const void **loose(const pxr_args_t *args)
{
    return (const void **)(uintptr_t)args->values;
}

pxr_db_status_t pxr_db_run(pxr_db_t *db, const pxr_statement_t *statement, const pxr_args_t *args,
                           int *rows)
{
    apr_dbd_prepared_t *prepared;
    pxr_db_status_t status = find_prepared(db, statement, &prepared);
    apr_pool_t *pool;
    int changed = 0;
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    if (args->unfit) {
        return pxr_db_fail(db, PXR_DB_REFUSED, "a text contains a NUL");
    }
    /* Not the scratch pool itself, which holds the caller's copies of texts. */
    apr_pool_create(&pool, db->scratch);
    code = apr_dbd_pbquery(db->driver, pool, db->handle, &changed, prepared, loose(args));
    if (code != 0) {
        status = judge(db, code);
    } else if (rows != NULL) {
        *rows = changed;
    }
    apr_pool_destroy(pool);
    return status;
}

pxr_db_status_t pxr_db_select(pxr_db_t *db, apr_pool_t *pool, const pxr_statement_t *statement,
                              const pxr_args_t *args, apr_dbd_results_t **results)
{
    apr_dbd_prepared_t *prepared;
    pxr_db_status_t status = find_prepared(db, statement, &prepared);
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    *results = NULL;
    code = apr_dbd_pbselect(db->driver, pool, db->handle, results, prepared, 1, loose(args));
    return code == 0 ? PXR_DB_OK : judge(db, code);
}

bool pxr_db_next(pxr_db_t *db, apr_pool_t *pool, apr_dbd_results_t *results, apr_dbd_row_t **row)
{
    return apr_dbd_get_row(db->driver, pool, results, row, -1) == 0;
}

const char *pxr_db_text(pxr_db_t *db, apr_dbd_row_t *row, int column)
{
    const char *text = apr_dbd_get_entry(db->driver, row, column);

    return text != NULL ? text : "";
}

int64_t pxr_db_number(pxr_db_t *db, apr_dbd_row_t *row, int column)
{
    return strtoll(pxr_db_text(db, row, column), NULL, 10);
}
