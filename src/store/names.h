#ifndef PXR_STORE_NAMES_H
#define PXR_STORE_NAMES_H

#include "tx.h"

/* The index from ids, numbers and join keys to meetings, and the meetings themselves. */

/* Writes the life cycle back; a meeting that has ended goes into the queue of the ended. */
void pxr_slot_put_life(pxr_tx_t *tx, uint32_t link, const pxr_meeting_t *life, pxr_time_t now);

/* Nobody can join it from now on; with a database the keeper ends it where nobody is in it.
 * (src/store/meetings.c) */
pxr_status_t pxr_slot_close(const pxr_store_t *store, uint32_t link, pxr_time_t now);

/* Somebody is told of this meeting. Another machine that made it may be about to take it back,
 * because nobody waits for it there any more: it will read that it is wanted here.
 * (src/store/meetings.c) */
pxr_status_t pxr_slot_want(const pxr_store_t *store, uint32_t link, pxr_time_t now);

/* A meeting that is to take a free slot. */
typedef struct {
    const pxr_new_meeting_t *meeting;
    const char *number; /* NULL: none */
    bool unlisted;      /* its number is kept back for another one */
    const char *room;   /* key of the room that has this meeting only; NULL: none */
    const char *called; /* name of that room, where it leads here; NULL: none */
    const char *calls;  /* further ids that lead here, a blank between; NULL: none */
    const char *texts;  /* answer and service tag */
    const char *packed; /* details */
    size_t packed_len;
    pxr_slot_state_t state;
    bool from_database; /* nothing of it has to be written there */
} pxr_arrival_t;

/* Enters it; PXR_FULL. Sets the link of its slot. */
pxr_status_t pxr_slot_take(const pxr_store_t *store, uint32_t workspace,
                           const pxr_arrival_t *arrival, uint32_t *link);

/* Begins a meeting that only events speak of so far (src/store/pending.c). PXR_MISSING where that
 * cannot be because all meetings are known, PXR_FULL. */
pxr_status_t pxr_slot_provisional(const pxr_store_t *store, uint32_t workspace, const char *id,
                                  size_t len, pxr_time_t now, uint32_t *link);

/* Takes something that is no meeting (any more) out of the index and lets it go; whoever waits for
 * it is told `outcome`. (src/store/pending.c) */
pxr_status_t pxr_slot_dissolve(const pxr_store_t *store, uint32_t link, pxr_status_t outcome,
                               pxr_time_t now);

/* A pending slot becomes a meeting. (src/store/pending.c) */
pxr_status_t pxr_slot_publish(const pxr_store_t *store, uint32_t link);

/* A leg for which there is no record must not end the meeting over the head of its person: for as
 * long as a leg may be silent the meeting's counts prove nothing. (src/store/events.c) */
void pxr_slot_note_crowd(const pxr_store_t *store, uint32_t link, pxr_time_t now);

/* Takes the names of a slot out of the index; with `hold` its number is kept back.
 * (src/store/tick.c) */
void pxr_slot_unname(pxr_tx_t *tx, pxr_slot_t *slot, bool hold, pxr_time_t now);

/* Names for a room that has one meeting only, and for further calls in it, before `*siblings`.
 * What something else is named already is left out. (src/store/rooms.c) */
void pxr_slot_name_room(pxr_tx_t *tx, uint32_t *siblings, uint32_t slot,
                        const pxr_arrival_t *arrival);

/* How many records that may take. */
uint32_t pxr_room_names(const pxr_arrival_t *arrival);

/* Nobody can join any more: the room may have another meeting. */
void pxr_slot_release_room(pxr_tx_t *tx, pxr_slot_t *slot);

/* The database knows another meeting of this room: the former one is over, although that has not
 * been heard here yet, unless it is `own`. Lock. */
pxr_status_t pxr_room_make_way(const pxr_store_t *store, uint32_t workspace, const char *room,
                               uint32_t own);

/* Where the room has a meeting already: that one, to which the id of the arrival leads as well
 * where it was given. PXR_MISSING where it has none. Lock. */
pxr_status_t pxr_slot_of_room(const pxr_store_t *store, uint32_t workspace,
                              const pxr_arrival_t *arrival, pxr_ref_t *ref);

/* Whether the database knows that the room's former meeting is over. Before that it would take a
 * new one for a second one. Lock. */
bool pxr_slot_room_is_vacant(const pxr_store_t *store, uint32_t slot);

/* The database says where these calls lead, or that there is a meeting of this id: what was taken
 * in here and is not written yet gives way, but for what belongs to `own`. True where that was a
 * call. Lock. */
bool pxr_calls_make_way(const pxr_store_t *store, uint32_t workspace, const char *calls,
                        uint32_t own, pxr_time_t now);
bool pxr_call_make_way(const pxr_store_t *store, uint32_t workspace, const char *id, uint32_t own,
                       pxr_time_t now);

/* Whether a node can ask for a room by its name as it is. */
bool pxr_room_is_dialable(const char *name);

/* Takes in further calls that another machine has heard of, as far as there is room. Lock. */
pxr_status_t pxr_slot_merge_calls(const pxr_store_t *store, uint32_t slot, const char *calls);

/* Writes what the names of a slot say: further calls, and the name of the room. Lock. */
void pxr_slot_calls(const pxr_store_t *store, const pxr_slot_t *slot, char *calls, char *called);

/* The hash of a meeting's room, 0 for none. (src/store/meetings.c) */
uint64_t pxr_room_of(const pxr_details_t *details);

/* The key of a room, from the hash of its id. */
void pxr_room_key(uint64_t room, char out[PXR_ROOM_KEY_LEN + 1]);

/* Somebody has to look what is to be told of this meeting. (src/store/tell.c) */
void pxr_slot_tell(pxr_tx_t *tx, uint32_t link);

/* Takes in what another machine knows to have been told. (src/store/tell.c) */
void pxr_slot_merge_told(pxr_tx_t *tx, uint32_t link, const char *told);

/* Puts other details in the place of a meeting's. PXR_FULL. (src/store/meetings.c) */
pxr_status_t pxr_slot_put_details(pxr_tx_t *tx, uint32_t link, const pxr_details_t *details);

/* Fills in what a meeting lacks of title and discussion. (src/store/meetings.c) */
pxr_status_t pxr_slot_fill_details(const pxr_store_t *store, uint32_t link,
                                   const pxr_details_t *more, bool from_database);

/* Finds a name by its exact spelling. With or without the lock; 0 where there is none. */
uint32_t pxr_name_find(const pxr_store_t *store, uint32_t workspace, pxr_space_t space,
                       const char *text, size_t len);

/* Whether something but a room is dialled by this name, give or take its case. Lock. */
bool pxr_name_is_dialled(const pxr_store_t *store, uint32_t workspace, const char *text);

/* To which space names of a kind (pxr_name_kind_t) belong. */
pxr_space_t pxr_name_space(uint32_t kind);

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
