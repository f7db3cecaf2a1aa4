#ifndef PXR_MEETING_H
#define PXR_MEETING_H

#include <stdbool.h>
#include <stdint.h>

#include "pxr_limits.h"
#include "pxr_time.h"

/*
 * The life cycle of a meeting: pure functions over a plain record (architecture section 4). Any
 * thread; the caller protects the record. All moments are of our own clock unless a comment says
 * that they are a node's.
 */

typedef enum {
    PXR_MEETING_OPEN = 1,
    PXR_MEETING_LIVE = 2,
    PXR_MEETING_ENDED = 3,
} pxr_meeting_state_t;

typedef struct {
    /* Fixed when the meeting is created. */
    pxr_time_t created_at;
    pxr_time_t not_before; /* 0: at once */
    pxr_time_t not_after;  /* 0: single use, no window */
    pxr_time_t expires_at; /* while open: when it ends by itself */
    int64_t grace;         /* after no node hosts it any more */
    int64_t silence;       /* after nobody is in it, whatever the nodes say */

    /* Changing. */
    pxr_time_t started_at;     /* earliest, by the nodes' clocks; 0: never */
    pxr_time_t ended_at;       /* 0 unless ended */
    pxr_time_t last_end;       /* latest end or departure, by the nodes' clocks */
    pxr_time_t empty_since;    /* 0 while somebody is present or it is not live */
    pxr_time_t crowded_until;  /* until then a leg may be there for which there was no record */
    pxr_time_t unhosted_since; /* 0 while some node hosts it or it is not live */
    pxr_time_t dismissed_at;   /* closed while nobody was in it: it ends without any grace */
    uint32_t shares;           /* nodes (and breakout rooms on nodes) that host it now */
    uint32_t present;          /* legs that are evidence of a person */
    uint32_t state;            /* pxr_meeting_state_t */
    uint32_t era;              /* counts returns to open; shares of an earlier era are over */
    uint8_t closed;            /* no new joins */
    uint8_t inferred;          /* ended although some node never said so */
    uint8_t reserved[2];
    uint32_t visitors; /* one more than the people who were in it; 0: not counted yet */
} pxr_meeting_t;

/* What a node or a visitor is told. */
typedef enum {
    PXR_ADMIT,
    PXR_NOT_YET,
    PXR_CLOSED,
    PXR_ENDED,
} pxr_verdict_t;

/* Begins a meeting. `lifetime` counts from creation or from `not_before`, whichever is later. */
void pxr_meeting_init(pxr_meeting_t *m, pxr_time_t now, pxr_time_t not_before, pxr_time_t not_after,
                      int64_t lifetime, int64_t grace, int64_t silence);

/* Whether somebody may join at `now`. */
pxr_verdict_t pxr_meeting_verdict(const pxr_meeting_t *m, pxr_time_t now);

/* Takes up a change of the counts: becomes live, begins or stops to drain. Must not be called for
 * an ended meeting. */
void pxr_meeting_account(pxr_meeting_t *m, int32_t shares, int32_t present, pxr_time_t now);

/* When pxr_meeting_tick() has to be called next; PXR_TIME_NEVER where only an event can change
 * anything. `last_join` is the last policy request of somebody who wants to join, 0 for none. */
pxr_time_t pxr_meeting_due(const pxr_meeting_t *m, pxr_time_t last_join);

/* Does what time alone does: ends the meeting, or returns one with a window to `open`. True where
 * the record changed. */
bool pxr_meeting_tick(pxr_meeting_t *m, pxr_time_t last_join, pxr_time_t now);

/* Closes: no new joins, ended at once when nobody is in it. True where the record changed. */
bool pxr_meeting_close(pxr_meeting_t *m, pxr_time_t now);

/* The same, but where nobody is in it pxr_meeting_tick() is to end it: others may know better. */
bool pxr_meeting_dismiss(pxr_meeting_t *m, pxr_time_t now);

/* "open", "live" or "ended". */
const char *pxr_meeting_state_name(uint32_t state);

#endif
