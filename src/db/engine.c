#include "db_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "pxr_text.h"

/*
 * The engines' own libraries are there once APR has loaded its drivers. Their functions are looked
 * up instead of linked, so that the module needs neither. Set by pxr_db_check(), constant then.
 */
static struct {
    int (*errcode)(void *);
    void (*interrupt)(void *);
    int (*version)(void);
} sqlite;

/* As in libpq-fe.h, whose layout is part of libpq's ABI. */
typedef struct {
    const char *keyword, *envvar, *compiled, *val, *label, *dispchar;
    int dispsize;
} option_t;

static struct {
    int (*socket)(const void *);
    int (*set_verbosity)(void *, int);
    void *(*set_notices)(void *, void (*)(void *, const char *), void *);
    option_t *(*parse)(const char *, char **);
    void (*free_options)(option_t *);
    void (*free_memory)(void *);
} pq;

#define PQ_ERRORS_VERBOSE 2 /* the only one that tells the code beside the text */

/* POSIX lets a pointer to an object hold a function, C does not. */
static bool look_up(void *library, const char *name, void *function)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    if (found == NULL && library != NULL) {
        found = dlsym(library, name);
    }
    memcpy(function, &found, sizeof(found));
    return found != NULL;
}

/* SQLite */

#define SQLITE_CLASS 0xff
#define SQLITE_BUSY 5
#define SQLITE_LOCKED 6
#define SQLITE_CORRUPT 11
#define SQLITE_TOOBIG 18
#define SQLITE_CONSTRAINT 19
#define SQLITE_MISMATCH 20
#define SQLITE_NOTADB 26
#define SQLITE_RETURNING 3035000 /* the youngest thing that our statements use */

static const char *sqlite_check(apr_pool_t *p, const pxr_db_settings_t *settings)
{
    void *library = dlopen("libsqlite3.so.0", RTLD_LAZY | RTLD_NOLOAD);

    if (!look_up(library, "sqlite3_extended_errcode", &sqlite.errcode) ||
        !look_up(library, "sqlite3_interrupt", &sqlite.interrupt) ||
        !look_up(library, "sqlite3_libversion_number", &sqlite.version)) {
        return "libsqlite3 cannot be found";
    }
    if (sqlite.version() < SQLITE_RETURNING) {
        return "SQLite is older than 3.35";
    }
    if (settings->params == NULL || *settings->params == '\0') {
        return "the path of the file is missing";
    }
    return settings->params[0] == '/'
               ? NULL
               : apr_psprintf(p, "the path '%s' of the file must be absolute", settings->params);
}

static pxr_db_status_t sqlite_fail(pxr_db_t *db, const char *what)
{
    char why[PXR_DB_WHY_MAX];
    char reason[128];

    snprintf(why, sizeof(why), "%s %s: %s", what, db->settings.params,
             strerror_r(errno, reason, sizeof(reason)));
    return pxr_db_fail(db, PXR_DB_FAILED, why);
}

/* Makes the file, because SQLite's would be readable by others. A file that exists is not opened:
 * closing it again would take away the locks of this process's other connections. */
static pxr_db_status_t sqlite_prepare(pxr_db_t *db, const char **params)
{
    struct stat info;
    int fd;

    *params = db->settings.params;
    if (db->role != PXR_DB_KEEPER) {
        return stat(*params, &info) == 0 ? PXR_DB_OK : sqlite_fail(db, "cannot open");
    }
    fd = open(*params, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        close(fd);
    } else if (errno != EEXIST) {
        return sqlite_fail(db, "cannot make");
    }
    return PXR_DB_OK;
}

static void sqlite_mask(const pxr_db_t *db, char *why)
{
    (void)db;
    (void)why;
}

static pxr_db_status_t sqlite_connected(pxr_db_t *db)
{
    struct stat info;

    if (sqlite.errcode == NULL) {
        return pxr_db_fail(db, PXR_DB_FAILED, "the driver was not checked");
    }
    if (stat(db->settings.params, &info) != 0) {
        return sqlite_fail(db, "cannot open");
    }
    db->device = info.st_dev;
    db->inode = info.st_ino;
    return PXR_DB_OK;
}

/* The driver's own code is vague: it uses the interface of SQLite 2. */
static pxr_db_status_t sqlite_judge(const pxr_db_t *db, const char *message)
{
    (void)message;
    switch (sqlite.errcode(apr_dbd_native_handle(db->driver, db->handle)) & SQLITE_CLASS) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return PXR_DB_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PXR_DB_BUSY;
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return PXR_DB_REFUSED;
    default:
        return PXR_DB_FAILED;
    }
}

static void sqlite_release(pxr_db_t *db)
{
    if (db->handle != NULL) {
        sqlite.interrupt(apr_dbd_native_handle(db->driver, db->handle));
    }
}

static bool sqlite_is_current(const pxr_db_t *db)
{
    struct stat info;

    return stat(db->settings.params, &info) == 0 && info.st_dev == db->device &&
           info.st_ino == db->inode;
}

/* What belongs to the file goes with it: SQLite would take it for a new file's. */
static pxr_db_status_t sqlite_set_aside(const pxr_db_settings_t *settings, char *name, size_t size)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char from[4096], to[4096], date[32], base[4096];
    time_t now = time(NULL);
    struct tm parts;
    struct stat info;

    strftime(date, sizeof(date), "%Y%m%d%H%M%S", gmtime_r(&now, &parts));
    snprintf(base, sizeof(base), "%s.damaged-%s", settings->params, date);
    for (int i = 2; lstat(base, &info) == 0 && i < 1000; i++) {
        snprintf(base, sizeof(base), "%s.damaged-%s-%d", settings->params, date, i);
    }
    pxr_text_copy(name, size, base, strlen(base));
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        int from_len = snprintf(from, sizeof(from), "%s%s", settings->params, suffixes[i]);
        int to_len = snprintf(to, sizeof(to), "%s%s", base, suffixes[i]);
        if (from_len >= (int)sizeof(from) || to_len >= (int)sizeof(to)) {
            return PXR_DB_FAILED;
        }
        if (rename(from, to) != 0 && (i == 0 || errno != ENOENT)) {
            return errno == ENOENT ? PXR_DB_MISSING : PXR_DB_FAILED;
        }
    }
    return PXR_DB_OK;
}

/* The driver itself tries sixteen times with pauses of 0.1 s between, and nothing can end that: so
 * the keeper, for which the end of a process waits, waits in small portions. */
#define SQLITE_KEEPER_WAIT "PRAGMA busy_timeout = 20"
#define SQLITE_READER_WAIT "PRAGMA busy_timeout = 200"

static const char *const sqlite_keeper[] = {
    SQLITE_KEEPER_WAIT,           "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16000", NULL};
static const char *const sqlite_clerk[] = {SQLITE_READER_WAIT, NULL};
static const char *const sqlite_reader[] = {SQLITE_READER_WAIT, "PRAGMA query_only = 1", NULL};

/* PostgreSQL */

static const char *pgsql_check(apr_pool_t *p, const pxr_db_settings_t *settings)
{
    void *library = dlopen("libpq.so.5", RTLD_LAZY | RTLD_NOLOAD);
    option_t *options;
    char *error = NULL;

    (void)p;
    if (!look_up(library, "PQsocket", &pq.socket) ||
        !look_up(library, "PQsetErrorVerbosity", &pq.set_verbosity) ||
        !look_up(library, "PQsetNoticeProcessor", &pq.set_notices) ||
        !look_up(library, "PQconninfoParse", &pq.parse) ||
        !look_up(library, "PQconninfoFree", &pq.free_options) ||
        !look_up(library, "PQfreemem", &pq.free_memory)) {
        return "libpq cannot be found";
    }
    /* Not libpq's words: they may quote a piece of the password. */
    options = pq.parse(settings->params != NULL ? settings->params : "", &error);
    if (error != NULL) {
        pq.free_memory(error);
    }
    if (options == NULL) {
        return "this is no connection string of PostgreSQL";
    }
    pq.free_options(options);
    return NULL;
}

/* Without these a machine that is gone would be noticed after many minutes. */
static const char *const pgsql_defaults[][2] = {
    {"connect_timeout", "2"},  {"tcp_user_timeout", "10000"},
    {"keepalives_idle", "10"}, {"keepalives_interval", "3"},
    {"keepalives_count", "3"}, {"fallback_application_name", "mod_pexip_rc"}};

static bool is_given(const option_t *options, const char *keyword)
{
    for (const option_t *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option->val != NULL;
        }
    }
    return true; /* an option that this libpq does not know */
}

static pxr_db_status_t pgsql_prepare(pxr_db_t *db, const char **params)
{
    const char *text = db->settings.params;
    bool uri = strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
    const char *between = !uri ? " " : strchr(text, '?') != NULL ? "&" : "?";
    option_t *options;

    if (pq.parse == NULL) {
        return pxr_db_fail(db, PXR_DB_FAILED, "the driver was not checked");
    }
    options = pq.parse(text, NULL);
    if (options == NULL) {
        return pxr_db_fail(db, PXR_DB_FAILED, "this is no connection string of PostgreSQL");
    }
    for (size_t i = 0; i < sizeof(pgsql_defaults) / sizeof(pgsql_defaults[0]); i++) {
        if (!is_given(options, pgsql_defaults[i][0])) {
            text = apr_pstrcat(db->pool, text, between, pgsql_defaults[i][0], "=",
                               pgsql_defaults[i][1], NULL);
            between = uri ? "&" : " ";
        }
    }
    pq.free_options(options);
    *params = text;
    return PXR_DB_OK;
}

/* libpq does not quote passwords when it cannot connect; the server's words are its own. */
static void pgsql_mask(const pxr_db_t *db, char *why)
{
    option_t *options = pq.parse(db->settings.params, NULL);

    for (option_t *option = options; option != NULL && option->keyword != NULL; option++) {
        bool secret = option->dispchar != NULL && *option->dispchar == '*';
        char *at;
        while (secret && option->val != NULL && *option->val != '\0' &&
               (at = strstr(why, option->val)) != NULL) {
            memset(at, ' ', strlen(option->val));
        }
    }
    if (options != NULL) {
        pq.free_options(options);
    }
}

/* libpq prints what a server says beside the point to the error log otherwise. */
static void be_silent(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static pxr_db_status_t pgsql_connected(pxr_db_t *db)
{
    void *connection = apr_dbd_native_handle(db->driver, db->handle);
    char encoding[32];
    pxr_db_status_t status;

    pq.set_verbosity(connection, PQ_ERRORS_VERBOSE);
    pq.set_notices(connection, be_silent, NULL);
    pthread_mutex_lock(&db->guard);
    /* A descriptor of our own: libpq closes its own whenever it likes, and its number would be
     * somebody else's then. */
    db->socket = fcntl(pq.socket(connection), F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&db->guard);
    if (db->socket < 0) {
        return pxr_db_fail(db, PXR_DB_FAILED, "no descriptor is left");
    }
    status = pxr_db_simple(db, "SHOW server_encoding", encoding, sizeof(encoding));
    if (status == PXR_DB_OK && strcmp(encoding, "UTF8") != 0 &&
        strcmp(encoding, "SQL_ASCII") != 0) {
        char why[128];
        snprintf(why, sizeof(why), "the database's encoding is %s and must be UTF8", encoding);
        status = pxr_db_fail(db, PXR_DB_FAILED, why);
    }
    return status;
}

/* "ERROR:  22021: invalid byte sequence ..."; the first word is in the server's language. */
static pxr_db_status_t pgsql_judge(const pxr_db_t *db, const char *message)
{
    static const char upper[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *code = strchr(message, ':');

    (void)db;
    if (code == NULL) {
        return PXR_DB_FAILED;
    }
    code++;
    code += strspn(code, " ");
    if (strspn(code, upper) != 5 || code[5] != ':') {
        return PXR_DB_FAILED;
    }
    if (strncmp(code, "55P03", 5) == 0) {
        return PXR_DB_BUSY;
    }
    /* Data exception, integrity constraint, limit of the engine (such as an index's). */
    return strncmp(code, "22", 2) == 0 || strncmp(code, "23", 2) == 0 || strncmp(code, "54", 2) == 0
               ? PXR_DB_REFUSED
               : PXR_DB_FAILED;
}

static void pgsql_release(pxr_db_t *db)
{
    if (db->socket >= 0) {
        shutdown(db->socket, SHUT_RDWR);
    }
}

static bool pgsql_is_current(const pxr_db_t *db)
{
    (void)db;
    return true;
}

static pxr_db_status_t pgsql_set_aside(const pxr_db_settings_t *settings, char *name, size_t size)
{
    (void)settings;
    pxr_text_copy(name, size, "", 0);
    return PXR_DB_MISSING;
}

/* A machine that is stopped inside a transaction holds up all others until the server has thrown it
 * out. They wait for it in small portions, so that they can read in between. */
#define PGSQL_COMMON \
    "SET client_encoding TO 'UTF8'", "SET client_min_messages TO warning", \
        "SET statement_timeout TO '10s'", "SET lock_timeout TO '50ms'", \
        "SET idle_in_transaction_session_timeout TO '3s'"

static const char *const pgsql_keeper[] = {PGSQL_COMMON, NULL};
static const char *const pgsql_reader[] = {PGSQL_COMMON, "SET default_transaction_read_only TO on",
                                           NULL};

static const pxr_engine_t engines[] = {
    {.driver = "sqlite3",
     .shared = false,
     .text = "TEXT",
     .clock = NULL,
     .began = NULL,
     .begin = "BEGIN IMMEDIATE",
     .begin_reading = "BEGIN",
     .lock_schema = NULL,
     .has_schema = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'revision'",
     .set_up = {sqlite_keeper, sqlite_reader, sqlite_clerk},
     .check = sqlite_check,
     .prepare = sqlite_prepare,
     .mask = sqlite_mask,
     .connected = sqlite_connected,
     .judge = sqlite_judge,
     .release = sqlite_release,
     .is_current = sqlite_is_current,
     .set_aside = sqlite_set_aside},
    {.driver = "pgsql",
     .shared = true,
     .text = "TEXT COLLATE \"C\"",
     .clock = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
     .began = "CAST(EXTRACT(EPOCH FROM now()) * 1000000 AS BIGINT)",
     .begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
     .begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
     .lock_schema = "SELECT pg_advisory_xact_lock(5785258226541)"
                    " FROM set_config('lock_timeout', '10s', true) AS wait,"
                    " set_config('statement_timeout', '0', true) AS work",
     .has_schema = "SELECT CASE WHEN to_regclass('revision') IS NULL THEN 0 ELSE 1 END",
     .set_up = {pgsql_keeper, pgsql_reader, pgsql_keeper},
     .check = pgsql_check,
     .prepare = pgsql_prepare,
     .mask = pgsql_mask,
     .connected = pgsql_connected,
     .judge = pgsql_judge,
     .release = pgsql_release,
     .is_current = pgsql_is_current,
     .set_aside = pgsql_set_aside},
};

const pxr_engine_t *pxr_db_engine(const char *driver)
{
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        if (driver != NULL && strcmp(driver, engines[i].driver) == 0) {
            return &engines[i];
        }
    }
    return NULL;
}
