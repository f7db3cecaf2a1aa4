#ifndef PXR_KEEPER_H
#define PXR_KEEPER_H

#include "pxr_db.h"
#include "pxr_httpd.h"
#include "pxr_keep.h"

/* What the keeper's files share: the thread (keeper.c), what it does in one round (keeper_round.c),
 * what of that is reading (keeper_read.c), and what is taken out of the history (keeper_forget.c).
 * All of it is done by that one thread. */

/* At most so many records of one table go into one transaction. */
#define PXR_KEEPER_BATCH 400
#define PXR_KEEPER_ENDINGS 100

/* Something that was put into the transaction that is under way. */
typedef struct {
    pxr_change_t change;
    uint32_t generation;
    pxr_standing_t standing;
} pxr_written_t;

typedef struct {
    server_rec *server;
    pxr_db_settings_t settings;
    bool shared;
    pxr_db_t *db; /* see pxr_keeper_stop() */
    bool connected;
    pxr_keep_state_t state;
    pxr_keep_health_t health;
    pxr_time_t signed_at; /* when the other machines heard of us */
    pxr_time_t tidied_at;
    int64_t ahead;  /* the database's clock before ours */
    int64_t clocks; /* our wall clock before the steady one, in the last round */
    bool clock_jumped;
    uint32_t cursors[PXR_TABLES];
    bool has_lease;           /* it makes this machine the one that delivers */
    bool more;                /* there was more to write than one transaction takes */
    pxr_time_t blocked_since; /* somebody else holds the database; 0: nobody */
    pxr_written_t written[PXR_TABLES * PXR_KEEPER_BATCH];
    size_t written_count;
    pxr_time_t heard_at;    /* when wishes to be forgotten were looked for */
    int64_t heard_revision; /* up to which this machine's memory has followed them */
    pxr_removal_t removal;  /* the one that is worked on */
    pxr_time_t expire_at;   /* when old meetings are looked for */
    int expiring;           /* the workspace whose meetings they are */
    bool expired_all;       /* it has no others */
    pxr_ending_t endings[PXR_KEEPER_ENDINGS];
    size_t ending_count;
    pxr_change_t changes[PXR_KEEPER_BATCH];
    pxr_meeting_copy_t copy;
} pxr_keeper_t;

/* keeper_read.c: everything that is new in the database, and whether it is another one. */
pxr_db_status_t pxr_keeper_read(pxr_keeper_t *keeper);
/* Inside or outside a transaction: what others have written since keeper->state.revision, which
 * becomes `up_to`, the newest revision that there is. */
pxr_db_status_t pxr_keeper_pull(pxr_keeper_t *keeper, int64_t up_to);
/* Lets keeper->state outlive the keeper. PXR_DB_FAILED where the store cannot be locked. */
pxr_db_status_t pxr_keeper_note(pxr_keeper_t *keeper);
/* Counts the people who were in a meeting, as life.visitors has it. */
pxr_db_status_t pxr_keeper_count_visitors(pxr_keeper_t *keeper, const pxr_meeting_record_t *meeting,
                                          uint32_t *visitors);
/* Hands rows to the working set. */
pxr_db_visitor_t pxr_keeper_visitor(pxr_keeper_t *keeper);

/* One transaction, in which everything that was committed before has been read. `put` returns
 * PXR_DB_MISSING where there is nothing to write. *again: it has to be begun anew. */
typedef pxr_db_status_t (*pxr_keeper_put_t)(pxr_keeper_t *keeper, const pxr_db_head_t *head);
pxr_db_status_t pxr_keeper_transact(pxr_keeper_t *keeper, pxr_keeper_put_t put, bool *again);

/* keeper_forget.c: a small piece of taking old meetings, and people who ask for it, out of the
 * history. For moments in which nothing else is to be written. */
pxr_db_status_t pxr_keeper_forget(pxr_keeper_t *keeper);

/* Brings working set and database together once. */
pxr_db_status_t pxr_keeper_round(pxr_keeper_t *keeper);

/* Fills the working set from the database where that has not been done. */
pxr_db_status_t pxr_keeper_fill(pxr_keeper_t *keeper);

#endif
