#ifndef PXR_TELL_H
#define PXR_TELL_H

#include "pxr_store.h"

/*
 * The working set as the messenger sees it: the one thread of all processes of a machine that tells
 * Rocket.Chat of meetings. Requests only note what they want to be told, and may wait for it.
 *
 * Unless a comment says otherwise only the messenger calls these. They take the lock for memory
 * work only.
 */

/* Which meeting. */
typedef struct {
    pxr_ref_t ref;
    uint32_t workspace;
} pxr_tell_t;

/* The keeper says until when (by the steady clock) this machine is the one that delivers. */
void pxr_store_deliver(const pxr_store_t *store, int64_t until);
/* Until when that is; 0 where there is no database. Any thread. */
int64_t pxr_store_delivers_until(const pxr_store_t *store);
/* Whether it is so now. Any thread. */
bool pxr_store_delivers(const pxr_store_t *store);

/* Lets every meeting of which something is wanted be due: to be called when a messenger begins. */
void pxr_store_tell_all(const pxr_store_t *store);

/* Meetings that somebody has to look at, each only once until it changes or its time comes; goes
 * around the table from *cursor on. Returns how many were written. No lock. */
size_t pxr_store_tell_due(const pxr_store_t *store, pxr_time_t now, uint32_t *cursor,
                          pxr_tell_t *out, size_t max);

/* It is to be looked at again at `at`, or earlier if it changes. No lock. */
void pxr_store_tell_later(const pxr_store_t *store, pxr_ref_t ref, pxr_time_t at);

/* What was told so far. Any thread. PXR_MISSING. */
pxr_status_t pxr_store_told(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                            pxr_told_t *told);

/* Replaces one task that had the version `was`. PXR_EXISTS, and nothing is done, where it has
 * another one meanwhile; PXR_MISSING. Any thread. */
pxr_status_t pxr_store_note_task(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                 pxr_task_kind_t kind, const pxr_task_t *task, uint32_t was);

/* Waits at most `wait` microseconds until a task does not wait any more, and copies it. Any
 * thread. */
pxr_status_t pxr_store_await_task(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                  pxr_task_kind_t kind, int64_t wait, pxr_task_t *task);

/* Meetings with a task in one of these states, at most `max`. Any thread, no lock. */
size_t pxr_store_tasks(const pxr_store_t *store, uint32_t workspace,
                       const bool states[PXR_TASK_STATES], pxr_ref_t *out, size_t max);

/* Whether a message was refused in this room after `since`, because it is closed to us. Any thread,
 * no lock. */
bool pxr_store_room_is_closed(const pxr_store_t *store, uint32_t workspace, const char *room_id,
                              pxr_time_t since);

/* Somebody who was recognised is to be added to the chat beside the meeting; asked twice is asked
 * once. PXR_FULL where too many wait, PXR_MISSING, PXR_INVALID. Any thread. */
pxr_status_t pxr_store_invite(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                              const char *user);

/* Takes the next one; `user` has room for PXR_USER_ID_MAX + 1 bytes. */
bool pxr_store_next_invite(const pxr_store_t *store, pxr_tell_t *who, char *user);

/* How Rocket.Chat's REST API is doing, for people: written by one thread without lock, so a reader
 * in between may see half of it. */
typedef struct {
    pxr_time_t ok_at;        /* it last did what it was asked */
    pxr_time_t failed_at;    /* it last did not */
    pxr_time_t paused_until; /* our credentials were refused */
    int32_t http;
    uint32_t failing; /* nothing has worked since `failed_at` */
    char why[PXR_WHY_MAX + 1];
} pxr_chat_health_t;

void pxr_store_note_chat(const pxr_store_t *store, uint32_t workspace,
                         const pxr_chat_health_t *health);
/* Any thread. */
void pxr_store_chat(const pxr_store_t *store, uint32_t workspace, pxr_chat_health_t *out);

/* Fills in the discussion of a meeting that has none. PXR_MISSING, PXR_FULL. */
pxr_status_t pxr_store_add_discussion(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                      const pxr_details_t *details);

#endif
