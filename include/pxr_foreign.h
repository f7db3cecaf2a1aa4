#ifndef PXR_FOREIGN_H
#define PXR_FOREIGN_H

#include "pxr_alias.h"
#include "pxr_event.h"
#include "pxr_store.h"

/*
 * Conferences that are none of our meetings, as far as somebody is in them: by what was dialled to
 * get in, so that they may have a chat, too. A table of PXR_FOREIGN_PLACES, in which what was heard
 * of longest ago gives way. Any thread.
 */

/* Notes what an event says of such a conference: that somebody is in it who has dialled something,
 * or that it has ended on a node. Everything else is passed over, and takes no lock. `now` is by
 * the steady clock. PXR_BUSY: it was not noted. */
pxr_status_t pxr_store_foreign_note(const pxr_store_t *store, uint32_t workspace,
                                    const pxr_event_t *event, int64_t now);

/* Where an alias leads to. */
typedef struct {
    uint64_t conference;                   /* conference_hash of its events */
    char alias[PXR_FOREIGN_ALIAS_MAX + 1]; /* that was dialled: user or user@domain, lower case */
} pxr_foreign_t;

/* The conference that this alias leads to. A domain that is an address says nothing; where nobody
 * dialled the alias with its domain, what was dialled without one or with another is meant. False
 * where there is none, or where it leads to several. No lock. */
bool pxr_store_foreign_find(const pxr_store_t *store, uint32_t workspace, const pxr_alias_t *alias,
                            int64_t now, pxr_foreign_t *out);

#endif
