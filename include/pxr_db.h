#ifndef PXR_DB_H
#define PXR_DB_H

#include "pxr_record.h"

/* Of APR; the header itself is for those only who know it. */
typedef struct apr_pool_t apr_pool_t;

/*
 * Meetings, nodes' hostings, call legs and history in an SQL database, over apr_dbd. Which engine
 * it is, only src/db knows.
 *
 * A connection belongs to one thread; any call on it may block for as long as the engine likes,
 * because apr_dbd has no deadlines. pxr_db_release() from another thread ends such a call.
 */

typedef struct pxr_db pxr_db_t;

typedef enum {
    PXR_DB_OK,
    PXR_DB_MISSING, /* no such row */
    PXR_DB_EXISTS,  /* the name is taken by a meeting of this id, or by another one */
    PXR_DB_INVALID, /* the number is taken */
    PXR_DB_REFUSED, /* the engine does not take this record, others it may */
    PXR_DB_BUSY,    /* somebody else is writing, and has been for a while: try again */
    PXR_DB_FAILED,  /* cannot be reached, lost, full, read-only: close, and open again later */
    PXR_DB_DAMAGED, /* it is no database: pxr_db_set_aside() may help */
    PXR_DB_NEWER,   /* the schema is of a later version of the module */
} pxr_db_status_t;

/* Texts live as long as the connections opened with them. */
typedef struct {
    const char *driver;  /* of apr_dbd: "sqlite3" or "pgsql" */
    const char *params;  /* what that driver takes; for sqlite3 the path of the file */
    const char *machine; /* who writes: [0-9a-f]{16}, differs from machine to machine */
} pxr_db_settings_t;

/* The driver that means that there is no database; none of the functions below is for it. */
#define PXR_DB_NONE "none"

/* Fills in what is NULL: the default driver, and where it keeps its file. */
void pxr_db_complete(apr_pool_t *p, pxr_db_settings_t *settings, const char *directory);

/* NULL, or a sentence that tells why the driver cannot be used. To be called once at start, before
 * threads; loads the driver and opens nothing. `p` must live as long as the process's
 * configuration. */
const char *pxr_db_check(apr_pool_t *p, const pxr_db_settings_t *settings);

/* Whether several machines can share such a database. */
bool pxr_db_is_shared(const pxr_db_settings_t *settings);

typedef enum {
    PXR_DB_KEEPER, /* makes or upgrades the schema, reads and writes */
    PXR_DB_READER, /* history only; never waits for a writer */
    PXR_DB_CLERK,  /* enters wishes for the keeper, and looks what has become of them */
} pxr_db_role_t;

/* Connects. *db is set whatever comes of it, so that pxr_db_why() can tell; it must be closed.
 * Allocates from a pool of its own. */
pxr_db_status_t pxr_db_open(pxr_db_t **db, const pxr_db_settings_t *settings, pxr_db_role_t role);

/* Rolls back what is not committed, disconnects and releases everything. NULL is fine. */
void pxr_db_close(pxr_db_t *db);

/* What the last failure was about, one line, without secrets. Never NULL; valid until the next call
 * on this connection. */
const char *pxr_db_why(const pxr_db_t *db);

/* Ends a call that hangs, with PXR_DB_FAILED, as soon as that is possible; the connection is of no
 * use afterwards. The only function that may be called from another thread; `db` may still be
 * inside pxr_db_open() if the caller was given the pointer early (*db is set before anything
 * blocks). That call may not return then: its thread is ended by cancellation, which leaks what
 * the connection had. Hence only for a process that is about to exit. */
void pxr_db_release(pxr_db_t *db);

/* Moves a damaged database out of the way, so that the next pxr_db_open() begins a new one. `name`
 * receives where it went. PXR_DB_MISSING where this engine has nothing that could be moved. */
pxr_db_status_t pxr_db_set_aside(const pxr_db_settings_t *settings, char *name, size_t size);

/* Whether the database behind an open connection is still the one that its settings name: a file
 * may have been replaced. */
bool pxr_db_is_current(const pxr_db_t *db);

typedef struct {
    int64_t revision;              /* of the last committed transaction; inside one, its own */
    char epoch[PXR_EPOCH_MAX + 1]; /* differs after the database was replaced or restored */
    pxr_time_t clock;              /* the database's */
    int64_t own_revision; /* what this machine committed last, as the database remembers; 0:
                             nothing */
} pxr_db_head_t;

/* Reads the head. Outside a transaction. */
pxr_db_status_t pxr_db_look(pxr_db_t *db, pxr_db_head_t *head);

/* Begins a transaction that writes: only one of all machines is inside one, and it sees everything
 * that was committed before. After any failure inside: pxr_db_rollback(). */
pxr_db_status_t pxr_db_begin(pxr_db_t *db, pxr_db_head_t *head);
/* Ends it. After a failure nothing of it is there, unless the connection was lost meanwhile: then
 * nobody knows. */
pxr_db_status_t pxr_db_commit(pxr_db_t *db);
/* Gives it up, if there is one. pxr_db_why() still tells what went wrong before. */
void pxr_db_rollback(pxr_db_t *db);

/* Inside a transaction: gives the database another epoch. */
pxr_db_status_t pxr_db_set_epoch(pxr_db_t *db, const char *epoch);

/* What is read is handed to these; records and their texts are the caller's until it returns.
 * Returning false ends the reading with PXR_DB_FAILED. */
typedef struct {
    bool (*meeting)(void *context, const pxr_meeting_record_t *record);
    bool (*share)(void *context, const pxr_share_record_t *record);
    bool (*leg)(void *context, const pxr_leg_record_t *record);
    void *context;
} pxr_db_visitor_t;

/* Everything that was committed after `revision`: meetings, then shares, then legs. */
pxr_db_status_t pxr_db_pull(pxr_db_t *db, int64_t revision, const pxr_db_visitor_t *visitor);

/* Everything that a new working set needs: meetings that have not ended, their shares and the legs
 * that are in them; then meetings that ended after `ended_since`, newest first, until the visitor
 * returns false, which is no failure here. */
pxr_db_status_t pxr_db_restore(pxr_db_t *db, pxr_time_t ended_since,
                               const pxr_db_visitor_t *visitor);

/* One meeting. PXR_DB_MISSING. */
pxr_db_status_t pxr_db_read_meeting(pxr_db_t *db, const char *workspace, const char *id,
                                    const pxr_db_visitor_t *visitor);

/* Inside a transaction. PXR_DB_EXISTS: a meeting of this id is there already, or the one that the
 * room may have (`existing` is its id), or the id is what people dial for another one (*is_number);
 * PXR_DB_INVALID: the number is taken. Both change nothing. */
pxr_db_status_t pxr_db_create(pxr_db_t *db, const pxr_meeting_record_t *record, bool *is_number,
                              char existing[PXR_MEETING_ID_MAX + 1]);

/* Inside a transaction: writes what is known now over what is there, or enters it anew. A meeting
 * that has ended takes its shares and legs with it: legs that are in it leave at its end. A share
 * that is not open takes the legs that came before its end. PXR_DB_EXISTS, and
 * nothing is changed, where a meeting that has ended would go on again. */
pxr_db_status_t pxr_db_put_meeting(pxr_db_t *db, const pxr_meeting_record_t *record);
pxr_db_status_t pxr_db_put_share(pxr_db_t *db, const pxr_share_record_t *record);
pxr_db_status_t pxr_db_put_leg(pxr_db_t *db, const pxr_leg_record_t *record);

/* Inside a transaction: a creation was given up after it may have been written. Nothing happens
 * where it was not. */
pxr_db_status_t pxr_db_withdraw(pxr_db_t *db, const pxr_meeting_record_t *record);

/* Inside a transaction: notes that all that this machine had seen before the transaction began is
 * written (`complete`), or only that it is at work. */
pxr_db_status_t pxr_db_sign(pxr_db_t *db, bool complete);

/* How many other machines that gave a sign after `alive_since` have not written everything they saw
 * before `since`, both by the database's clock; and how many there are alive. */
pxr_db_status_t pxr_db_others(pxr_db_t *db, pxr_time_t since, pxr_time_t alive_since,
                              uint32_t *behind, uint32_t *alive);

/* Inside a transaction: takes or keeps the lease on telling Rocket.Chat, which one machine has at a
 * time, for `length` microseconds, where no other machine has it. */
pxr_db_status_t pxr_db_lease(pxr_db_t *db, int64_t length, bool *mine);

/* Inside a transaction: lets go of numbers that have been kept back long enough and of machines
 * that have not been heard of for a day. `now` is the database's clock. */
pxr_db_status_t pxr_db_tidy(pxr_db_t *db, pxr_time_t now);

/* History: meetings of a workspace that have ended, last ended first. */
typedef struct {
    const char *workspace;
    const char *room_id;    /* NULL: any */
    pxr_time_t from;        /* ended at this or later; 0: from the beginning */
    pxr_time_t to;          /* ended before this; 0: no bound */
    pxr_time_t after_ended; /* go on behind this meeting; 0: from the newest on */
    const char *after_id;
    size_t limit;
} pxr_db_history_t;

/* All legs that were ever in a meeting, in the order of their arrival. */
pxr_db_status_t pxr_db_read_legs(pxr_db_t *db, const char *workspace, const char *meeting,
                                 const pxr_db_visitor_t *visitor);

/* Hands at most query->limit meetings to the visitor, each followed by its legs in the order of
 * their arrival (and by no shares). *more tells whether there are others. */
pxr_db_status_t pxr_db_history(pxr_db_t *db, const pxr_db_history_t *query,
                               const pxr_db_visitor_t *visitor, bool *more);

/* Inside a transaction: deletes meetings of the workspace that ended before `before`, the oldest
 * first, with everything that belongs to them. About a thousand rows at most; *rows tells how many
 * it were, 0 where nothing is left. */
pxr_db_status_t pxr_db_expire(pxr_db_t *db, const char *workspace, pxr_time_t before, size_t *rows);

/*
 * One person is taken out of the history: where a creator's id, username or name, or the name of a
 * participant, is exactly this text, PXR_NOBODY takes its place. Meetings count that were created
 * before it was asked; those that have not ended follow when they have.
 *
 * The wish is a row, so that it outlives whoever asked. The keepers look for one day, the first
 * time at once, and each brings what it means to its own memory.
 */
typedef struct {
    char workspace[PXR_ORIGIN_MAX + 1];
    char who[4 * PXR_NAME_CHARS + 1];
    pxr_time_t asked_at;
} pxr_removal_t;

/* What stands where a name or id was. */
#define PXR_NOBODY "removed"

/* A clerk enters the wish. PXR_DB_MISSING, and nothing is entered, where the database knows nobody
 * of that name. */
pxr_db_status_t pxr_db_ask_removal(pxr_db_t *db, const pxr_removal_t *removal);

/* Whether meetings that have ended are done with, and whether others name the person. */
pxr_db_status_t pxr_db_removal_state(pxr_db_t *db, const pxr_removal_t *removal, bool *done,
                                     bool *running);

/* A wish for which it is time to look. PXR_DB_MISSING where there is none. */
pxr_db_status_t pxr_db_next_removal(pxr_db_t *db, pxr_time_t now, pxr_removal_t *removal);

/* Inside a transaction: does some of the work. About a thousand rows at most; what is left stands
 * next again. */
pxr_db_status_t pxr_db_remove_some(pxr_db_t *db, const pxr_removal_t *removal);

/* The first ten wishes that have been worked on since *revision, which goes on to the last of them.
 * `visit` returning false ends it with PXR_DB_FAILED. */
pxr_db_status_t pxr_db_removals(pxr_db_t *db, int64_t *revision,
                                bool (*visit)(void *context, const pxr_removal_t *removal),
                                void *context);

#endif
