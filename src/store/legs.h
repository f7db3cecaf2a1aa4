#ifndef PXR_STORE_LEGS_H
#define PXR_STORE_LEGS_H

#include "tx.h"

/* The publisher with this hash, 0 where it is not remembered (src/store/events.c). Lock. */
uint32_t pxr_publisher_find(const pxr_store_t *store, uint64_t source);

/* Forgets the numbering of all publishers of a workspace (src/store/events.c). Lock. */
void pxr_publishers_forget(const pxr_store_t *store, uint32_t workspace);

/* Call legs: their index by uuid, and their lists by meeting. With the lock held. */

/* The leg with this uuid in the workspace, or one that names it as related; 0 where there is none.
 * One that has gone on to another meeting has several records; the one that is present comes
 * first. */
uint32_t pxr_leg_find(const pxr_store_t *store, uint32_t workspace, const char *uuid, bool related);

/* The one of this meeting, 0 where there is none. */
uint32_t pxr_leg_find_in(const pxr_store_t *store, uint32_t slot, const char *uuid);

/* Takes a free leg and enters it for the meeting; 0 where none is free. */
uint32_t pxr_leg_new(pxr_tx_t *tx, uint32_t slot, const char *uuid);

/* Writes the leg back and brings the index up to date with its related uuids. */
void pxr_leg_put(pxr_tx_t *tx, uint32_t link, uint32_t share, const pxr_leg_t *leg);

/* What the leg is called, NUL-terminated; "" where that is not known. */
void pxr_leg_copy_name(const pxr_store_t *store, uint32_t link, char out[PXR_NAME_CHARS + 1]);

/* Writes a name of at most PXR_NAME_CHARS bytes if it is another one. Where it is long and there is
 * no block for it, as much as the slot has room for, cut at a code point. */
void pxr_leg_put_name(pxr_tx_t *tx, uint32_t link, const char *name);

/* Takes the leg out of index and meeting and puts it on the free list. It must not be counted in
 * any share. */
void pxr_leg_free(pxr_tx_t *tx, uint32_t link);

/* Loads what pxr_leg_drop() needs and carries it out. With `left_at` the leg is closed as well. */
pxr_status_t pxr_leg_leave(const pxr_store_t *store, uint32_t link, pxr_time_t left_at,
                           pxr_time_t now);

/* Frees legs that left at least PXR_LEFT_KEEP_SHORT ago, looking at no more than `most` of them,
 * twice where that brings none. Returns how many. */
uint32_t pxr_legs_reclaim(const pxr_store_t *store, uint32_t most, pxr_time_t now);

/* Whether the index has every key of every leg once, and nothing else. Follows nothing beyond the
 * tables, whatever they hold. */
bool pxr_leg_index_is_sound(const pxr_store_t *store);

/* Whether the leg counts for nothing any more, and since when that is known. */
bool pxr_leg_is_over(const pxr_store_t *store, const pxr_leg_slot_t *leg);

#endif
