#ifndef PXR_METRICS_H
#define PXR_METRICS_H

#include "pxr_event.h"
#include "pxr_outside.h"
#include "pxr_store.h"

/*
 * Figures for monitoring, over all processes, beside the counters and the health of pxr_store.h.
 * Unless a comment says otherwise: any thread, no lock, nothing blocks.
 */

/* How long something took, in classes that are not cumulated: up to each bound, and beyond the
 * last one. */
#define PXR_LATENCY_BOUNDS 12

typedef struct {
    uint64_t count[PXR_LATENCY_BOUNDS + 1];
    uint64_t sum; /* microseconds */
} pxr_latency_t;

/* Upper bound of a class in microseconds; `which` is below PXR_LATENCY_BOUNDS. */
int64_t pxr_latency_bound(unsigned which);

/* Notes that a policy request was answered after `took` microseconds. */
void pxr_store_note_latency(const pxr_store_t *store, uint32_t workspace, int64_t took);
/* One that is noted meanwhile may be in the sum and not yet in its class. */
void pxr_store_latency(const pxr_store_t *store, uint32_t workspace, pxr_latency_t *out);

/* Events that were understood, by their kind. */
void pxr_store_count_events(const pxr_store_t *store, uint32_t workspace, pxr_event_kind_t kind,
                            uint64_t by);
uint64_t pxr_store_event_count(const pxr_store_t *store, uint32_t workspace, pxr_event_kind_t kind);

/* Places that are taken at the moment. */
uint32_t pxr_store_places_taken(const pxr_store_t *store, pxr_place_kind_t kind);

/* What is to be told to others and cannot be finished at once. */
typedef struct {
    uint32_t waiting[PXR_TASKS];
    uint32_t failed[PXR_TASKS];
    pxr_time_t oldest; /* since when one waits without any news of it, 0: none does */
} pxr_backlog_t;

void pxr_store_backlog(const pxr_store_t *store, uint32_t workspace, pxr_backlog_t *out);

/* Nodes that host a meeting of the workspace and of which no event has come since `since`; 64 at
 * most. Takes the lock, though never for long; 0 where it cannot be had. */
uint32_t pxr_store_silent_nodes(const pxr_store_t *store, uint32_t workspace, pxr_time_t since);

#endif
