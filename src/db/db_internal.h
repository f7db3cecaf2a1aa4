#ifndef PXR_DB_INTERNAL_H
#define PXR_DB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <apr_dbd.h>

#include "pxr_db.h"

/* Rows of one SELECT: apr_dbd holds a whole result in memory. */
#define PXR_DB_PAGE 500
#define PXR_DB_STATEMENTS 80
#define PXR_DB_ARGS 64
#define PXR_DB_SQL_MAX 8192
#define PXR_DB_WHY_MAX 512

/* How a member of a record becomes a column. */
typedef enum {
    PXR_FIELD_TEXT, /* char[] */
    PXR_FIELD_REF,  /* const char * with a length beside it */
    PXR_FIELD_I64,
    PXR_FIELD_U64, /* the same bits as a signed number */
    PXR_FIELD_U32,
    PXR_FIELD_U8,
    PXR_FIELD_BOOL,
} pxr_field_kind_t;

typedef struct {
    const char *column;
    pxr_field_kind_t kind;
    size_t offset;
    size_t size; /* PXR_FIELD_TEXT: of the array; PXR_FIELD_REF: where the length is */
} pxr_field_t;

#define PXR_FIELD(type, column, member) \
    { \
        column, \
            _Generic((((type *)0)->member), char * \
                     : PXR_FIELD_TEXT, int64_t \
                     : PXR_FIELD_I64, uint64_t \
                     : PXR_FIELD_U64, uint32_t \
                     : PXR_FIELD_U32, uint8_t \
                     : PXR_FIELD_U8, bool \
                     : PXR_FIELD_BOOL), \
            offsetof(type, member), sizeof(((type *)0)->member) \
    }
#define PXR_FIELD_WITH_LEN(type, column, member, len) \
    { \
        column, PXR_FIELD_REF, offsetof(type, member), offsetof(type, len) \
    }

/* One list of columns makes every statement about a table and both directions of its records. */
typedef struct {
    const pxr_field_t *keys;
    size_t key_count;
    const pxr_field_t *fields;
    size_t field_count;
    /* `over`: the meeting has ended, or the leg has left. False ends the reading. */
    bool (*visit)(const pxr_db_visitor_t *visitor, void *record, bool over);
} pxr_table_t;

extern const pxr_table_t pxr_db_meetings;
extern const pxr_table_t pxr_db_shares;
extern const pxr_table_t pxr_db_legs;

/*
 * SQL with words that are filled in when a connection first needs the statement:
 *   @clock @began @text @int       the engine's spelling
 *   @keys @keyvalues @match        key columns, their parameters, and both as a condition
 *   @columns @values               the other columns and their parameters
 *   @sets @updates                 col = parameter, col = excluded.col
 * The address of a statement is its identity.
 */
typedef struct {
    const pxr_table_t *table;
    const char *sql;
} pxr_statement_t;

typedef struct {
    const void *values[PXR_DB_ARGS];
    apr_int64_t numbers[PXR_DB_ARGS];
    size_t count;
    bool unfit; /* a text that no engine could keep */
} pxr_args_t;

/* What differs between the engines, and nothing else does. */
typedef struct {
    const char *driver;
    bool shared;
    const char *file;  /* name of the file where the settings name none; NULL: there is no file */
    const char *text;  /* type of a text column, compared by bytes */
    const char *clock; /* in microseconds; NULL: it has none, ours is used */
    const char *began; /* clock at the beginning of the transaction */
    const char *begin; /* to write */
    const char *begin_reading; /* a snapshot */
    const char *lock_schema;   /* inside a transaction, if `begin` alone does not exclude others */
    const char *has_schema;    /* selects 1 or 0 */
    const char *const *set_up[3]; /* by pxr_db_role_t, each ends with NULL */

    const char *(*check)(apr_pool_t *p, const pxr_db_settings_t *settings);
    /* Before anything is opened. Sets what apr_dbd_open() shall be given. */
    pxr_db_status_t (*prepare)(pxr_db_t *db, const char **params);
    /* Takes what could be a secret out of a message about a failed connection. */
    void (*mask)(const pxr_db_t *db, char *why);
    /* Notes what release and is_current need. */
    pxr_db_status_t (*connected)(pxr_db_t *db);
    /* What the last error of the connection means, given its text. */
    pxr_db_status_t (*judge)(const pxr_db_t *db, const char *message);
    void (*release)(pxr_db_t *db); /* called with `guard` held and a handle */
    bool (*is_current)(const pxr_db_t *db);
    pxr_db_status_t (*set_aside)(const pxr_db_settings_t *settings, char *name, size_t size);
} pxr_engine_t;

struct pxr_db {
    pxr_db_settings_t settings;
    const pxr_engine_t *engine;
    pxr_db_role_t role;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* cleared at the beginning of each call that uses it */
    const apr_dbd_driver_t *driver;
    apr_dbd_t *handle;
    struct {
        const pxr_statement_t *statement;
        apr_dbd_prepared_t *prepared;
    } known[PXR_DB_STATEMENTS];
    size_t known_count;
    char why[PXR_DB_WHY_MAX];

    /* The transaction. */
    bool inside;
    bool failed;
    int64_t revision;
    pxr_time_t clock;
    pxr_time_t began;

    /* Of the file behind it. */
    dev_t device;
    ino_t inode;

    /* For the thread that releases. */
    atomic_bool released;
    pthread_mutex_t guard; /* protects what follows, and `handle` while it comes and goes */
    int socket;            /* our own descriptor of the connection, -1: none */
    bool connecting;
    pthread_t thread; /* while connecting */
};

/* engine.c. NULL where there is none of this name. */
const pxr_engine_t *pxr_db_engine(const char *driver);

/* connection.c */

/* Notes why, as one line, and returns `status`. A transaction cannot go on after it. */
pxr_db_status_t pxr_db_fail(pxr_db_t *db, pxr_db_status_t status, const char *why);

/* Notes what an error of the driver, which has just returned `code`, means. */
pxr_db_status_t pxr_db_judge(pxr_db_t *db, int code);

/* Whether there is any use in asking the engine. */
pxr_db_status_t pxr_db_usable(pxr_db_t *db);

/* PXR_DB_FAILED outside a transaction that is still of use. */
pxr_db_status_t pxr_db_inside(pxr_db_t *db);

/* statement.c */

/* One statement as it stands. `value`, if not NULL, receives the first column of the first row. */
pxr_db_status_t pxr_db_simple(pxr_db_t *db, const char *sql, char *value, size_t size);

/* Fills in @text and @int only. */
const char *pxr_db_spell(pxr_db_t *db, apr_pool_t *pool, const char *sql);

/* The next parameter, or several: members of a record that are columns. Texts are borrowed, but for
 * those without a final NUL, which are copied into `pool`. */
void pxr_db_arg_text(pxr_args_t *args, const char *text);
void pxr_db_arg_number(pxr_args_t *args, int64_t number);
void pxr_db_arg_fields(pxr_args_t *args, apr_pool_t *pool, const pxr_field_t *fields, size_t count,
                       const void *record);

/* A statement without rows. `rows`, if not NULL, receives how many it changed. */
pxr_db_status_t pxr_db_run(pxr_db_t *db, const pxr_statement_t *statement, const pxr_args_t *args,
                           int *rows);

/* A statement with rows, which live as long as `pool`. */
pxr_db_status_t pxr_db_select(pxr_db_t *db, apr_pool_t *pool, const pxr_statement_t *statement,
                              const pxr_args_t *args, apr_dbd_results_t **results);
/* The first row of such a statement, and *row; PXR_DB_MISSING where there is none. */
pxr_db_status_t pxr_db_first(pxr_db_t *db, apr_pool_t *pool, const pxr_statement_t *statement,
                             const pxr_args_t *args, apr_dbd_row_t **row);
/* False after the last row. */
bool pxr_db_next(pxr_db_t *db, apr_pool_t *pool, apr_dbd_results_t *results, apr_dbd_row_t **row);
/* A column of a row; "" and 0 for NULL. The text lives as long as the rows. */
const char *pxr_db_text(pxr_db_t *db, apr_dbd_row_t *row, int column);
int64_t pxr_db_number(pxr_db_t *db, apr_dbd_row_t *row, int column);

/* read.c */

/* One page of records, handed to the visitor. Columns of the statement: a number, `over`, keys,
 * other columns. The last record and its number remain in `record` and `mark`. */
pxr_db_status_t pxr_db_page(pxr_db_t *db, const pxr_statement_t *statement, const pxr_args_t *args,
                            const pxr_db_visitor_t *visitor, void *record, int64_t *mark,
                            size_t *rows, bool *ended);

/* A snapshot around several SELECTs, unless a transaction is there already. */
pxr_db_status_t pxr_db_snapshot(pxr_db_t *db, bool *mine);
pxr_db_status_t pxr_db_snapshot_end(pxr_db_t *db, bool mine, pxr_db_status_t status);

/* schema.c: looks whether the tables are of this version; the keeper's connection makes or upgrades
 * them. */
pxr_db_status_t pxr_db_schema(pxr_db_t *db);

/* meetings.c: when the meeting ended; 0 where it has not or is not known. */
pxr_db_status_t pxr_db_meeting_end(pxr_db_t *db, const char *workspace, const char *id,
                                   pxr_time_t *ended_at);

/* people.c: legs that are in the meeting leave, its shares are over. */
pxr_db_status_t pxr_db_end_people(pxr_db_t *db, const char *workspace, const char *id,
                                  pxr_time_t ended_at);

#endif
