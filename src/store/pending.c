#include <string.h>

#include "legs.h"
#include "names.h"
#include "waiting.h"

/* Slots that are no meetings yet: creations that wait for the database, and meetings that only
 * events speak of. */

/* Of all slots, this part may be provisional: whoever has the nodes' password may invent names. */
#define PROVISIONAL_PART 8

pxr_status_t pxr_slot_provisional(const pxr_store_t *store, uint32_t workspace, const char *id,
                                  size_t len, pxr_time_t now, uint32_t *link)
{
    const pxr_segment_t *s = store->segment;
    uint32_t names = 0;
    pxr_slot_t *slot;
    pxr_tx_t tx;

    if (s->kept == PXR_KEEP_NOTHING || (s->kept == PXR_KEEP_ALONE && s->mark.complete) ||
        len < PXR_MEETING_ID_MIN || len > PXR_MEETING_ID_MAX ||
        pxr_name_find(store, workspace, PXR_SPACE_DIAL, id, len) != 0) {
        return PXR_MISSING;
    }
    pxr_tx_begin(&tx, store);
    if (tx.root.slots_free == 0 || tx.root.names_free == 0 ||
        tx.root.provisional >= s->slots / PROVISIONAL_PART) {
        return PXR_FULL;
    }
    *link = tx.root.free_slots;
    slot = pxr_slot(store, *link);
    tx.root.free_slots = slot->next;
    tx.root.slots_free--;
    tx.root.provisional++;
    /* Not reachable yet; `next` is still the free list's. */
    memset((char *)slot + sizeof(slot->state) + sizeof(slot->generation), 0,
           offsetof(pxr_slot_t, next) - sizeof(slot->state) - sizeof(slot->generation));
    memset((char *)slot + offsetof(pxr_slot_t, names), 0,
           sizeof(*slot) - offsetof(pxr_slot_t, names));
    slot->workspace = workspace;
    slot->queued_at = now;
    memcpy(slot->id, id, len);
    pxr_meeting_init(&slot->life, now, 0, 0, PXR_LIFETIME_DEFAULT, PXR_GRACE_DEFAULT,
                     PXR_SILENCE_DEFAULT);
    pxr_name_add(&tx, &names, *link, PXR_NAME_ID, slot->id);
    slot->names = names;
    pxr_tx_put_word(&tx, &slot->next, 0);
    pxr_tx_put_word(&tx, &slot->state, SLOT_PROVISIONAL);
    pxr_tx_touch(&tx, pxr_slot_stamp(store, *link));
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_slot_dissolve(const pxr_store_t *store, uint32_t link, pxr_status_t outcome,
                               pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_meeting_t life = slot->life;
    int64_t never = PXR_TIME_NEVER;
    pxr_tx_t tx;

    if (life.state == PXR_MEETING_ENDED) {
        return PXR_OK; /* it leaves by itself */
    }
    life.state = PXR_MEETING_ENDED;
    pxr_tx_begin(&tx, store);
    tx.root.provisional -= slot->state == SLOT_PROVISIONAL;
    tx.root.active -= slot->state != SLOT_PROVISIONAL;
    pxr_tx_put_word(&tx, &slot->outcome, (uint32_t)outcome);
    pxr_tx_put_word(&tx, &slot->state, SLOT_LEAVING);
    pxr_tx_put(&tx, &slot->life, &life, sizeof(life));
    pxr_tx_put(&tx, &slot->queued_at, &now, sizeof(now));
    pxr_tx_put(&tx, &pxr_due(store)[link - 1], &never, sizeof(never));
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    pxr_slot_unname(&tx, slot, false, now);
    pxr_queue_push(&tx, &tx.root.leaving, link, &slot->next,
                   tx.root.leaving.tail != 0 ? &pxr_slot(store, tx.root.leaving.tail)->next : NULL);
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_slot_publish(const pxr_store_t *store, uint32_t link)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    int64_t due = pxr_meeting_due(&slot->life, 0);
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    pxr_tx_put(&tx, &pxr_due(store)[link - 1], &due, sizeof(due));
    pxr_tx_put_word(&tx, &slot->state, SLOT_TAKEN);
    pxr_slot_tell(&tx, link);
    return pxr_tx_commit(&tx);
}

/* Nobody waits for it any more. What was not written yet goes at once. */
static pxr_status_t withdraw_locked(const pxr_store_t *store, uint32_t link)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_tx_t tx;

    if (!slot->sent) {
        return pxr_slot_dissolve(store, link, PXR_BUSY, pxr_time_now());
    }
    pxr_tx_begin(&tx, store);
    pxr_tx_put_word(&tx, &slot->state, SLOT_WITHDRAWN);
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    return pxr_tx_commit(&tx);
}

/* Who waits has waited long enough. */
static pxr_status_t withdraw(const pxr_store_t *store, pxr_ref_t ref)
{
    const pxr_slot_t *slot = pxr_slot(store, ref.slot);
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    if (slot->generation == ref.generation && slot->state == SLOT_PENDING) {
        status = withdraw_locked(store, ref.slot);
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_give_up_pending(const pxr_store_t *store)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    for (uint32_t link = 1; link <= store->segment->slots && status == PXR_OK; link++) {
        if (pxr_slot(store, link)->state == SLOT_PENDING) {
            status = withdraw_locked(store, link);
        }
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_await(const pxr_store_t *store, pxr_ref_t ref, int64_t wait)
{
    const pxr_slot_t *slot = pxr_slot(store, ref.slot);
    int64_t until = pxr_time_steady() + wait;

    for (;;) {
        uint32_t done = atomic_load(&store->segment->rounds_done);
        int64_t left = until - pxr_time_steady();
        uint32_t state = pxr_word(&slot->state);
        pxr_status_t status;

        if (pxr_word(&slot->generation) != ref.generation) {
            return PXR_BROKEN;
        }
        if (state == SLOT_TAKEN) {
            return PXR_OK;
        }
        if (state == SLOT_WITHDRAWN) {
            return PXR_BUSY;
        }
        if (state != SLOT_PENDING) {
            status = (pxr_status_t)pxr_word(&slot->outcome);
            return status != PXR_OK ? status : PXR_BROKEN;
        }
        if (left > 0 && !pxr_waiting_is_over()) {
            pxr_word_wait(&store->segment->rounds_done, done, left);
            continue;
        }
        status = withdraw(store, ref);
        if (status != PXR_OK) {
            return status;
        }
    }
}

/* With the lock; 0 where the slot is another one meanwhile. */
static uint32_t same_slot(const pxr_store_t *store, const pxr_change_t *change,
                          const pxr_meeting_copy_t *copy, pxr_slot_state_t state)
{
    const pxr_slot_t *slot = pxr_slot(store, change->link);

    return slot->generation == copy->generation && slot->state == state ? change->link : 0;
}

pxr_status_t pxr_store_sending(const pxr_store_t *store, const pxr_change_t *change,
                               const pxr_meeting_copy_t *copy)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    if (same_slot(store, change, copy, SLOT_PENDING) == 0) {
        status = PXR_MISSING;
    } else {
        __atomic_store_n(&pxr_slot(store, change->link)->sent, 1, __ATOMIC_RELEASE);
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_abandon(const pxr_store_t *store, const pxr_change_t *change,
                               const pxr_meeting_copy_t *copy)
{
    return withdraw(store, (pxr_ref_t){.slot = change->link, .generation = copy->generation});
}

pxr_status_t pxr_store_settle(const pxr_store_t *store, const pxr_change_t *change,
                              const pxr_meeting_copy_t *copy, pxr_status_t outcome)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;

    if (status != PXR_OK) {
        return status;
    }
    link = same_slot(store, change, copy, SLOT_PENDING);
    if (link == 0) {
        /* Withdrawn at the last moment: what was written has to be taken back. */
        status = PXR_MISSING;
    } else if (outcome == PXR_OK) {
        status = pxr_slot_publish(store, link);
    } else {
        status = pxr_slot_dissolve(store, link, outcome, pxr_time_now());
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_forget(const pxr_store_t *store, const pxr_change_t *change,
                              const pxr_meeting_copy_t *copy)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;

    if (status != PXR_OK) {
        return status;
    }
    link = same_slot(store, change, copy, SLOT_WITHDRAWN);
    if (link != 0) {
        status = pxr_slot_dissolve(store, link, PXR_BUSY, pxr_time_now());
    } else {
        /* Somebody wants it again meanwhile: it has to be written anew. */
        link = same_slot(store, change, copy, SLOT_PENDING);
        if (link != 0) {
            __atomic_store_n(&pxr_slot(store, link)->sent, 0, __ATOMIC_RELEASE);
        }
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_drop_provisional(const pxr_store_t *store, pxr_time_t before)
{
    pxr_status_t status = PXR_OK;

    if (pxr_word(&store->segment->root.provisional) == 0) {
        return PXR_OK;
    }
    status = pxr_lock(store);
    if (status != PXR_OK) {
        return status;
    }
    for (uint32_t link = 1; link <= store->segment->slots && status == PXR_OK; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (slot->state == SLOT_PROVISIONAL && slot->queued_at < before) {
            status = pxr_slot_dissolve(store, link, PXR_MISSING, pxr_time_now());
        }
    }
    pxr_unlock(store);
    return status;
}
