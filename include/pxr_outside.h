#ifndef PXR_OUTSIDE_H
#define PXR_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_limits.h"
#include "pxr_status.h"
#include "pxr_store.h"
#include "pxr_time.h"

/*
 * What all processes know together about work that keeps somebody waiting for others: how much of
 * it is done at a time, whom it is of no use to ask, and what was answered a moment ago. Any
 * thread. The death of a process harms nothing.
 */

/* Work of which only so much may be done at a time. */
typedef enum {
    PXR_PLACE_HISTORY, /* reading the history */
    PXR_PLACE_OUTSIDE, /* a request that asks another server */
    PXR_PLACES,
} pxr_place_kind_t;

/* Places that there are of each kind. */
uint32_t pxr_store_places(pxr_place_kind_t kind);

/* Takes the last free one of the first `most` places, so that who may have fewer than others finds
 * them free for longest. Waits for it at most `wait` microseconds; -1 where none became free. The
 * place belongs to the thread; its death gives it back. */
int pxr_store_place_enter(const pxr_store_t *store, pxr_place_kind_t kind, uint32_t most,
                          int64_t wait);
void pxr_store_place_leave(const pxr_store_t *store, pxr_place_kind_t kind, int place);

/* A server that is asked, and whether that is of any use: after PXR_BREAKER_FAILURES failures in a
 * row nobody asks it for PXR_BREAKER_OPEN, then one request tries. `name` is its address. No lock,
 * nothing blocks. */

/* Whether it may be asked now; if so, what came of it must be told. */
bool pxr_store_target_try(const pxr_store_t *store, const char *name);

/* `why` is NULL for a success, else what went wrong, for people and without secrets. */
void pxr_store_target_tell(const pxr_store_t *store, const char *name, const char *why);

typedef struct {
    bool open;              /* it is not asked at present */
    uint32_t failures;      /* in a row */
    uint64_t asked;         /* how often it was */
    uint64_t failed;        /* how many of these got no answer that can be used */
    uint64_t spared;        /* how often it was not asked, because it would have been of no use */
    pxr_time_t answered_at; /* 0: never */
    pxr_time_t failed_at;   /* 0: never */
    char why[PXR_WHY_MAX + 1];
} pxr_target_t;

/* How it goes with a server, for people. All zero where nobody has asked it yet. */
void pxr_store_target_state(const pxr_store_t *store, const char *name, pxr_target_t *out);

/* True at most once a minute for each server, over all processes: for a line in the log. */
bool pxr_store_target_may_tell(const pxr_store_t *store, const char *name);

/* What Rocket.Chat said of somebody's session, for PXR_SESSION_KEEP. Neither the token nor anything
 * from which it could be told is kept. */
typedef struct {
    bool good;                         /* it is a session of an active user */
    char name[PXR_PEXIP_TEXT_MAX + 1]; /* to be shown */
} pxr_session_t;

/* What is remembered of this user's session with this token; false where nothing is (any more). */
bool pxr_store_session_find(const pxr_store_t *store, uint32_t workspace, const char *user_id,
                            const char *token, pxr_session_t *out);
/* Remembers it, perhaps in the place of another one. */
void pxr_store_session_note(const pxr_store_t *store, uint32_t workspace, const char *user_id,
                            const char *token, const pxr_session_t *session);

#endif
