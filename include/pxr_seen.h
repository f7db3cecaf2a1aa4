#ifndef PXR_SEEN_H
#define PXR_SEEN_H

#include "pxr_store.h"

/*
 * What a workspace was seen to be used for, so that people are told which parts of their set-up
 * work. Nobody locks: two that write at once may leave the earlier time, or mix an address, which
 * then is not shown. Any thread.
 */

typedef enum {
    PXR_SEEN_POLICY,   /* a node asked */
    PXR_SEEN_ADMITTED, /* and let somebody into a meeting of ours */
    PXR_SEEN_EVENTS,
    PXR_SEEN_WEBHOOK,  /* with the right token */
    PXR_SEEN_CREATION, /* of a meeting by the API */
    PXR_SEEN_JOIN,     /* a link that leads to a meeting */
    PXR_SEEN_CALLBACK, /* the companion app took one */
    PXR_SEEN_CHAT,     /* the plugin asked for a chat, and there was one */
    PXR_SEENS,
} pxr_seen_t;

/* Notes that it happened now. Cheap enough for every request: writes nothing where it was noted
 * within the same second, and returns true otherwise. */
bool pxr_store_see(const pxr_store_t *store, uint32_t workspace, pxr_seen_t what, pxr_time_t now);
/* When it was noted last, 0: never. */
pxr_time_t pxr_store_seen_at(const pxr_store_t *store, uint32_t workspace, pxr_seen_t what);

/* Whether events should have come since a node let somebody in: nodes send them within seconds, and
 * repeat what was not taken. */
static inline bool pxr_seen_is_silent(pxr_time_t admitted_at, pxr_time_t event_at, pxr_time_t now)
{
    return admitted_at > event_at && now - admitted_at > PXR_EVENTS_LATE;
}

/* A node that asks for policy, by the address that it gives itself or comes from. */
typedef struct {
    char node[PXR_NODE_MAX + 1];
    pxr_time_t asked_at;
} pxr_asker_t;

/* Notes it; for one request of a second is enough. Those that have been silent for longest give
 * way. */
void pxr_store_note_asker(const pxr_store_t *store, uint32_t workspace, const char *node,
                          pxr_time_t now);
/* Copies at most `max` of the workspace, the last one that asked first; returns how many. */
size_t pxr_store_askers(const pxr_store_t *store, uint32_t workspace, pxr_asker_t *out, size_t max);

#endif
