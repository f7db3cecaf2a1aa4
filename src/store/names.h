#ifndef PXR_STORE_NAMES_H
#define PXR_STORE_NAMES_H

#include "tx.h"

/* The index from ids, numbers and join keys to meetings, and the meetings themselves. */

/* Writes the life cycle back; a meeting that has ended goes into the queue of the ended. */
void pxr_slot_put_life(pxr_tx_t *tx, uint32_t link, const pxr_meeting_t *life, pxr_time_t now);

/* Finds a name by its exact spelling. With or without the lock; 0 where there is none. */
uint32_t pxr_name_find(const pxr_store_t *store, uint32_t workspace, bool join, const char *text,
                       size_t len);

/* Takes a free name record, fills it and links it into the index and before `*siblings`. The
 * caller has made sure that one is free. */
void pxr_name_add(pxr_tx_t *tx, uint32_t *siblings, uint32_t slot, pxr_name_kind_t kind,
                  const char *text);

/* Takes a name out of its bucket. It keeps its `next`, for readers that are passing through. */
void pxr_name_unlink(pxr_tx_t *tx, uint32_t link);

/* Puts an unlinked name that has rested back on the free list. */
void pxr_name_free(pxr_tx_t *tx, uint32_t link);

/* The meeting of this workspace with exactly this id, 0 where there is none. Lock. */
uint32_t pxr_slot_by_id(const pxr_store_t *store, uint32_t workspace, const char *id, size_t len);

/* The meeting that a reference names, 0 where it is gone or another workspace's. Lock. */
uint32_t pxr_slot_by_ref(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref);

#endif
