#ifndef PXR_KEEP_H
#define PXR_KEEP_H

#include "pxr_record.h"
#include "pxr_store.h"

/*
 * The working set as the keeper sees it: the one thread of all processes of a machine that brings
 * what has changed to a database, and what others have changed from there. Requests only ring for
 * it and wait.
 *
 * Unless a comment says otherwise only the keeper calls these. Like those of pxr_store.h they take
 * the lock for memory work only.
 */

typedef enum {
    PXR_KEEP_NOTHING, /* there is no database */
    PXR_KEEP_ALONE,   /* only this machine uses it */
    PXR_KEEP_SHARED,  /* others may */
} pxr_keep_t;

/* Says how the working set is kept. Start-up only, before other processes are there. */
void pxr_store_keep(const pxr_store_t *store, pxr_keep_t how);
/* Any thread. */
pxr_keep_t pxr_store_kept(const pxr_store_t *store);

/* The name of this machine among those that share a database. Any thread. */
const char *pxr_store_machine(const pxr_store_t *store);

/* Ringing and waiting. Any thread. */

/* Lets the keeper look at once instead of at its next round. */
void pxr_store_ring(const pxr_store_t *store);

/* Waits for the outcome of a creation that pxr_store_create() left pending; nothing else has to be
 * waited for and is PXR_OK at once. PXR_BUSY after `wait` microseconds: then it was given up, and
 * will not come into being. PXR_EXISTS: another machine has made a meeting of this id, which is
 * here now: try again. PXR_MISSING: it was another machine's, which has taken it back: try again.
 * PXR_INVALID: its number is taken. PXR_TAKEN: its id is a number. PXR_BROKEN: the database does
 * not take it. */
pxr_status_t pxr_store_await(const pxr_store_t *store, pxr_ref_t ref, int64_t wait);

/* Waits until everything that other machines had written when this was called is here. False where
 * that is of no use (nobody shares the database, or it is not to be had) or takes longer. */
bool pxr_store_await_others(const pxr_store_t *store, int64_t wait);

/* Waits for a round of the keeper that begins after this: then what was known here when it was
 * called is written, and what others or the keeper itself were about to decide is decided. False
 * where the database is not to be had, or it takes longer; on a machine that has just stood still
 * two seconds are waited for it. */
bool pxr_store_await_round(const pxr_store_t *store, int64_t wait);

/* This process is about to exit: whoever waits in it is told that it took too long. */
void pxr_store_stop_waiting(const pxr_store_t *store);

/* Whether a meeting was closed while nobody was in it, and has not ended yet. Any thread. */
bool pxr_store_is_dismissed(const pxr_store_t *store, pxr_ref_t ref);

/* Whether it is known at present which meetings there are. */
bool pxr_store_knows_all(const pxr_store_t *store, pxr_time_t now);

/* The keeper's rounds. */

/* Waits for the bell, at most `wait` microseconds. *heard is what was heard of it so far. */
void pxr_store_listen(const pxr_store_t *store, uint32_t *heard, int64_t wait);

/* Whoever has begun to wait by now is answered by what this round brings. */
void pxr_store_round_begins(const pxr_store_t *store);
/* `pulled`: all that there was has been read. Wakes who waits. */
void pxr_store_round_ends(const pxr_store_t *store, bool pulled);

/* Leader only: this machine stood still for a while, so that what takes long need not hang. */
void pxr_store_stood_still(const pxr_store_t *store);

/* Wakes who waits for a creation. */
void pxr_store_wake(const pxr_store_t *store);

/* What the keeper has to know of the database after it or its process has died. */
typedef struct {
    int64_t revision;
    int64_t own_revision;
    char epoch[PXR_EPOCH_MAX + 1];
    bool complete;    /* every meeting of the database is in the working set */
    uint32_t emptied; /* how often it had to be filled anew; set by the store */
} pxr_keep_state_t;

/* Copies what was noted last. No lock. */
void pxr_store_keep_state(const pxr_store_t *store, pxr_keep_state_t *state);
/* Notes it, in one piece. */
pxr_status_t pxr_store_keep_note(const pxr_store_t *store, const pxr_keep_state_t *state);

/* What has changed. */
typedef enum { PXR_TABLE_MEETINGS, PXR_TABLE_SHARES, PXR_TABLE_LEGS, PXR_TABLES } pxr_table_t;

typedef struct {
    pxr_table_t table;
    uint32_t link;
    uint32_t version;
} pxr_change_t;

/* Writes at most `max` records of a table that the database does not know as they are, and returns
 * how many. Looks once around the table, from *cursor on, which is any number to begin with. No
 * lock. */
size_t pxr_store_changes(const pxr_store_t *store, pxr_table_t table, uint32_t *cursor,
                         pxr_change_t *out, size_t max);

/* How many there are in all tables. Any thread, no lock. */
uint32_t pxr_store_unsaved(const pxr_store_t *store);

typedef enum {
    PXR_STANDING_KNOWN,
    PXR_STANDING_PENDING,   /* somebody waits for it */
    PXR_STANDING_WITHDRAWN, /* nobody waits any more, but it may have been written */
} pxr_standing_t;

typedef struct {
    pxr_meeting_record_t record;
    pxr_standing_t standing;
    uint32_t generation;
    pxr_time_t waiting_since;                            /* of a pending one */
    char texts[PXR_ANSWER_MAX + PXR_PEXIP_TEXT_MAX + 1]; /* what the record borrows */
    char packed[PXR_DETAILS_MAX];
} pxr_meeting_copy_t;

/* Copy one changed record and set change->version to what was copied. PXR_MISSING where there is
 * nothing to be written: then it counts as saved; PXR_BUSY where it cannot be written yet. */
pxr_status_t pxr_store_copy_meeting(const pxr_store_t *store, pxr_change_t *change,
                                    pxr_meeting_copy_t *out);
pxr_status_t pxr_store_copy_share(const pxr_store_t *store, pxr_change_t *change,
                                  pxr_share_record_t *out);
pxr_status_t pxr_store_copy_leg(const pxr_store_t *store, pxr_change_t *change,
                                pxr_leg_record_t *out);

/* The database has what was copied. No lock. */
void pxr_store_saved(const pxr_store_t *store, const pxr_change_t *change);

/* The database has lost what it had: everything is to be written again. */
pxr_status_t pxr_store_unsave(const pxr_store_t *store);

/* Creations. A copy that stands pending is about to be written: PXR_MISSING where it has been
 * given up meanwhile. */
pxr_status_t pxr_store_sending(const pxr_store_t *store, const pxr_change_t *change,
                               const pxr_meeting_copy_t *copy);

/* One for which nobody can be waiting any more, because his process has ended, is withdrawn. */
pxr_status_t pxr_store_abandon(const pxr_store_t *store, const pxr_change_t *change,
                               const pxr_meeting_copy_t *copy);

/* To be called after memory of a former server was opened: whoever waited there has gone, so what
 * is still pending is withdrawn. */
pxr_status_t pxr_store_give_up_pending(const pxr_store_t *store);

/* What became of it: PXR_OK, or what pxr_store_await() tells the one who waits. */
pxr_status_t pxr_store_settle(const pxr_store_t *store, const pxr_change_t *change,
                              const pxr_meeting_copy_t *copy, pxr_status_t outcome);

/* A withdrawn one is out of the database. */
pxr_status_t pxr_store_forget(const pxr_store_t *store, const pxr_change_t *change,
                              const pxr_meeting_copy_t *copy);

/* Endings. */
typedef struct {
    pxr_ref_t ref;
    uint32_t version;
    pxr_time_t last_join;
    pxr_time_t due;      /* since when it might have ended */
    pxr_meeting_t after; /* what it will be */
} pxr_ending_t;

/* Finds meetings whose end time has come. Returns how many were written. */
size_t pxr_store_endings(const pxr_store_t *store, pxr_time_t now, pxr_ending_t *out, size_t max);

/* Copies a meeting as it will be after its end. PXR_MISSING where the ending does not hold any
 * more. */
pxr_status_t pxr_store_copy_ending(const pxr_store_t *store, const pxr_ending_t *ending,
                                   pxr_meeting_copy_t *out);

/* Whether nothing has come between. */
bool pxr_store_ending_holds(const pxr_store_t *store, const pxr_ending_t *ending);

/* The database has it: it is over, whatever happened since. */
pxr_status_t pxr_store_end(const pxr_store_t *store, const pxr_ending_t *ending, pxr_time_t now);

/* Takes in what the database has. What is older than what is known here changes nothing.
 * PXR_MISSING where it concerns a workspace or meeting that is not here, PXR_FULL where there is no
 * room. `now` is our clock. */
pxr_status_t pxr_store_merge_meeting(const pxr_store_t *store, const pxr_meeting_record_t *record,
                                     pxr_time_t now);
pxr_status_t pxr_store_merge_share(const pxr_store_t *store, const pxr_share_record_t *record,
                                   pxr_time_t now);
pxr_status_t pxr_store_merge_leg(const pxr_store_t *store, const pxr_leg_record_t *record,
                                 pxr_time_t now);

/* The database has put `nobody` in the place of a person's id and names wherever they are exactly
 * `who`, in meetings of this workspace that were created by `asked_at` and have ended: so it is
 * done here, too. PXR_OK also where there is no such workspace. */
pxr_status_t pxr_store_erase_person(const pxr_store_t *store, const char *workspace,
                                    const char *who, const char *nobody, pxr_time_t asked_at);

/* Forgets meetings that only events speak of, and did so before `before`: the database was asked
 * since and does not know them. */
pxr_status_t pxr_store_drop_provisional(const pxr_store_t *store, pxr_time_t before);

/* How it goes, for people; any thread reads. */
typedef enum {
    PXR_KEEPER_NONE,
    PXR_KEEPER_STARTING,
    PXR_KEEPER_OK,
    PXR_KEEPER_UNREACHABLE,
    PXR_KEEPER_HANGING,
    PXR_KEEPER_NEWER,
} pxr_keeper_state_t;

typedef struct {
    pxr_keeper_state_t state;
    pxr_time_t since;
    pxr_time_t synced_at;  /* last round that succeeded */
    pxr_time_t written_at; /* last round that left nothing to be written, 0: none yet */
    pxr_time_t commit_at;  /* last commit */
    pxr_time_t busy_since; /* the call that is under way; 0: none */
    int64_t revision;
    int64_t clock_ahead; /* the database's clock before ours; 0 where they agree well enough */
    uint32_t machines;   /* alive, this one included */
    uint32_t not_loaded; /* meetings of the database for which there was no room */
    uint32_t refused;    /* records that the database would not take */
    char why[PXR_WHY_MAX + 1];
} pxr_keep_health_t;

void pxr_store_keep_tell(const pxr_store_t *store, const pxr_keep_health_t *health);
/* Any thread. What was told last. */
void pxr_store_keep_health(const pxr_store_t *store, pxr_keep_health_t *out);

#endif
