#ifndef PXR_TOLD_H
#define PXR_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_limits.h"
#include "pxr_time.h"

/*
 * What Rocket.Chat is to be told of a meeting, and what it has been told: desired state, not a
 * queue (architecture section 5). Plain data and pure functions; any thread.
 */

typedef enum {
    PXR_TASK_MESSAGE,    /* the meeting's message in its room */
    PXR_TASK_DIRECT,     /* the creator's personal link, by direct message */
    PXR_TASK_DISCUSSION, /* the chat beside the meeting */
    PXR_TASK_CALLBACK,   /* the companion app learns that the call is over */
    PXR_TASKS,
} pxr_task_kind_t;

typedef enum {
    PXR_TASK_NONE,    /* nobody wants it */
    PXR_TASK_WAITING, /* nothing has arrived yet; also: as far as we know */
    PXR_TASK_POSTED,  /* the message is there, and follows the meeting */
    PXR_TASK_FIXED,   /* the message is there but cannot be edited: one reply will tell the end */
    PXR_TASK_DONE,
    PXR_TASK_FAILED,  /* will not succeed by itself */
    PXR_TASK_DROPPED, /* nobody has any use for it now, or an administrator does not want it */
    PXR_TASK_STATES,
} pxr_task_state_t;

/* Why it is not done. */
typedef enum {
    PXR_REASON_NONE,
    PXR_REASON_UNREACHABLE, /* no connection, or no answer in time */
    PXR_REASON_BUSY,        /* too many requests, or an error of the server */
    PXR_REASON_CREDENTIALS, /* our user id and token are not accepted */
    PXR_REASON_ROOM,        /* the room is closed to us: not a member, archived, unknown */
    PXR_REASON_REFUSED,     /* the request itself is not accepted */
    PXR_REASON_GARBLED,     /* an answer that cannot be understood */
    PXR_REASON_UNSUPPORTED, /* this kind of room has no such thing */
    PXR_REASONS,
} pxr_task_reason_t;

/* `version` counts the changes: of two machines' knowledge the higher one is the later. */
typedef struct {
    uint32_t version;
    uint8_t state;  /* pxr_task_state_t */
    uint8_t reason; /* pxr_task_reason_t */
    uint16_t http;  /* status of the last answer, 0: none */
    uint64_t sent;  /* hash of the text that the room has, 0: none */
    pxr_time_t changed_at;
} pxr_task_t;

typedef struct {
    pxr_task_t task[PXR_TASKS];
} pxr_told_t;

/* The later of both in each task. True where anything was taken from `other`. */
bool pxr_told_merge(pxr_told_t *told, const pxr_told_t *other);

/* Notes a change of one task. False, and nothing is done, where it is the same already. */
bool pxr_task_set(pxr_task_t *task, pxr_task_state_t state, pxr_task_reason_t reason, int http,
                  pxr_time_t now);

/* The state as people should see it: what waits for an administrator to put our credentials right
 * has failed, although it is tried again by itself. */
pxr_task_state_t pxr_task_shown(const pxr_task_t *task);

/* Whether somebody has to do something about it, now or later; `ended`: the meeting has. */
bool pxr_task_is_open(const pxr_told_t *told, pxr_task_kind_t kind, bool ended);

/* An administrator's wish about a task that has failed or waits. False where there is none. */
bool pxr_task_retry(pxr_task_t *task, pxr_time_t now);
bool pxr_task_drop(pxr_task_t *task, pxr_time_t now);

/* As one line of text, and back; what cannot be read is taken for nothing. */
#define PXR_TOLD_TEXT 320
void pxr_told_format(const pxr_told_t *told, char out[PXR_TOLD_TEXT]);
void pxr_told_parse(const char *text, pxr_told_t *out);

/* Words for people and programs: "message", "waiting", "credentials". */
const char *pxr_task_kind_name(pxr_task_kind_t kind);
const char *pxr_task_state_name(pxr_task_state_t state);
const char *pxr_task_reason_name(pxr_task_reason_t reason);

/* How long to wait before the next try after `failures` of them, the last one just now. `age` is
 * that of the meeting: while it is young, people are waiting. `random` spreads. */
int64_t pxr_task_pause(uint32_t failures, int64_t age, uint32_t random);

#endif
