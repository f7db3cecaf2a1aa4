#ifndef PXR_STORE_TX_H
#define PXR_STORE_TX_H

#include "layout.h"

/*
 * Changes of reachable records. A transaction collects them in the log, marks the log as committed
 * and then carries it out. A process that dies before the mark has done nothing; one that dies
 * after it has done everything, because whoever takes the lock next carries the log out again.
 *
 * Records that nothing leads to may be written directly: nobody looks at them until a transaction
 * links them.
 */

typedef struct {
    const pxr_store_t *store;
    pxr_root_t root; /* a copy, written back by the commit */
    bool overflow;
    bool quiet; /* what changes comes from the database, or never goes there */
} pxr_tx_t;

/* Takes the lock; finishes what a dead holder left. PXR_OK, PXR_BUSY or PXR_BROKEN. */
pxr_status_t pxr_lock(const pxr_store_t *store);
void pxr_unlock(const pxr_store_t *store);

/* With the lock held. */
void pxr_tx_begin(pxr_tx_t *tx, const pxr_store_t *store);

/* `to` and `len` are multiples of four. */
void pxr_tx_put(pxr_tx_t *tx, void *to, const void *from, size_t len);
void pxr_tx_put_word(pxr_tx_t *tx, uint32_t *to, uint32_t value);

/* Reads a word as it will be after the commit. */
uint32_t pxr_tx_word(const pxr_tx_t *tx, const uint32_t *word);

/* Notes that a record is not what the database has. */
void pxr_tx_touch(pxr_tx_t *tx, pxr_stamp_t *stamp);

/* Whether it is. No lock. */
static inline bool pxr_is_saved(const pxr_store_t *store, const pxr_stamp_t *stamp)
{
    return !pxr_is_kept(store) || pxr_word(&stamp->version) == pxr_word(&stamp->saved);
}

/* PXR_BROKEN, and nothing is changed, where the log was too small: a programming error that a test
 * would show. */
pxr_status_t pxr_tx_commit(pxr_tx_t *tx);

/* The whole of pxr_store_check() but for the lock. */
pxr_status_t pxr_check_locked(const pxr_store_t *store, char *why, size_t why_size);

/* Queues over the `next` (slots) or `sibling` (names) link of their records. */
void pxr_queue_push(pxr_tx_t *tx, pxr_queue_t *queue, uint32_t link, uint32_t *own_next,
                    uint32_t *tail_next);

/* Takes a chain for `len` bytes off the free list and fills it at once: it is not reachable yet.
 * 0 where there are not enough blocks or `len` is 0. */
uint32_t pxr_chain_new(pxr_tx_t *tx, const char *text, size_t len);

/* Returns a chain to the free list. */
void pxr_chain_free(pxr_tx_t *tx, uint32_t first, size_t len);

#endif
