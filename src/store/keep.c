#include <string.h>

#include "legs.h"
#include "names.h"

/* What the keeper remembers and tells, and the list of what it has to write. */

void pxr_store_keep(const pxr_store_t *store, pxr_keep_t how)
{
    __atomic_store_n(&store->segment->kept, (uint32_t)how, __ATOMIC_RELEASE);
    if (how == PXR_KEEP_NOTHING) {
        /* A database that comes back later knows nothing of what happens from now on. */
        memset(&store->segment->mark, 0, sizeof(store->segment->mark));
    }
}

pxr_keep_t pxr_store_kept(const pxr_store_t *store)
{
    return (pxr_keep_t)pxr_word(&store->segment->kept);
}

const char *pxr_store_machine(const pxr_store_t *store)
{
    return store->segment->machine;
}

bool pxr_store_is_dismissed(const pxr_store_t *store, pxr_ref_t ref)
{
    const pxr_slot_t *slot = pxr_slot(store, ref.slot);
    const uint32_t *at = (const uint32_t *)(const void *)&slot->life.dismissed_at;

    return pxr_word(&slot->generation) == ref.generation && pxr_word(&slot->state) == SLOT_TAKEN &&
           pxr_word(&slot->life.state) != PXR_MEETING_ENDED &&
           (pxr_word(at) | pxr_word(at + 1)) != 0;
}

void pxr_store_keep_state(const pxr_store_t *store, pxr_keep_state_t *state)
{
    const pxr_keep_mark_t *mark = &store->segment->mark;

    state->revision = mark->revision;
    state->own_revision = mark->own_revision;
    memcpy(state->epoch, mark->epoch, sizeof(state->epoch));
    state->epoch[PXR_EPOCH_MAX] = '\0';
    state->complete = mark->complete != 0;
    state->emptied = mark->emptied;
}

pxr_status_t pxr_store_keep_note(const pxr_store_t *store, const pxr_keep_state_t *state)
{
    pxr_keep_mark_t mark = {.revision = state->revision,
                            .own_revision = state->own_revision,
                            .complete = state->complete,
                            .emptied = state->emptied};
    pxr_status_t status = pxr_lock(store);
    pxr_tx_t tx;

    if (status != PXR_OK) {
        return status;
    }
    memcpy(mark.epoch, state->epoch, sizeof(mark.epoch));
    /* What was read before it was emptied is not here any more. */
    if (store->segment->mark.emptied == state->emptied) {
        pxr_tx_begin(&tx, store);
        pxr_tx_put(&tx, &store->segment->mark, &mark, sizeof(mark));
        status = pxr_tx_commit(&tx);
    }
    pxr_unlock(store);
    return status;
}

/* Written by one thread and read for pages only, so a reader in between may see half of each. */
void pxr_store_keep_tell(const pxr_store_t *store, const pxr_keep_health_t *health)
{
    store->segment->keep_health = *health;
}

void pxr_store_keep_health(const pxr_store_t *store, pxr_keep_health_t *out)
{
    *out = store->segment->keep_health;
    out->why[PXR_WHY_MAX] = '\0';
}

typedef struct {
    pxr_stamp_t *stamps;
    uint32_t count;
} stamps_t;

static stamps_t stamps_of(const pxr_store_t *store, pxr_table_t table)
{
    const pxr_segment_t *s = store->segment;

    switch (table) {
    case PXR_TABLE_MEETINGS:
        return (stamps_t){pxr_slot_stamp(store, 1), s->slots};
    case PXR_TABLE_SHARES:
        return (stamps_t){pxr_share_stamp(store, 1), s->shares};
    default:
        return (stamps_t){pxr_leg_stamp(store, 1), s->legs};
    }
}

static bool is_slot_known(const pxr_store_t *store, uint32_t link)
{
    uint32_t state =
        link != 0 && link <= store->segment->slots ? pxr_word(&pxr_slot(store, link)->state) : 0;

    return state != SLOT_PROVISIONAL && state != SLOT_PENDING && state != SLOT_WITHDRAWN;
}

/* What belongs to a meeting that is none yet cannot be written before it is one. */
static bool is_writable(const pxr_store_t *store, pxr_table_t table, uint32_t link)
{
    switch (table) {
    case PXR_TABLE_MEETINGS:
        return pxr_word(&pxr_slot(store, link)->state) != SLOT_PROVISIONAL;
    case PXR_TABLE_SHARES:
        return is_slot_known(store, pxr_word(&pxr_share_slot(store, link)->slot));
    default:
        return is_slot_known(store, pxr_word(&pxr_leg_slot(store, link)->slot));
    }
}

static bool is_changed(const pxr_store_t *store, pxr_table_t table, uint32_t link,
                       const pxr_stamp_t *stamp)
{
    return pxr_word(&stamp->version) != pxr_word(&stamp->saved) && is_writable(store, table, link);
}

/* Somebody asked for a meeting that is about to end: the other machines must hear of it. */
static bool is_wanted(const pxr_store_t *store, uint32_t link)
{
    pxr_slot_t *slot = pxr_slot(store, link);

    return __atomic_load_n(&pxr_due(store)[link - 1], __ATOMIC_RELAXED) != PXR_TIME_NEVER &&
           pxr_word(&slot->state) == SLOT_TAKEN &&
           pxr_word(&slot->life.state) == PXR_MEETING_LIVE &&
           atomic_load_explicit(&slot->last_join, memory_order_relaxed) > slot->join_saved;
}

/* Both words at once: nearly all records are as they were, and all are looked at in each round. */
static bool may_differ(const pxr_stamp_t *stamp)
{
    uint64_t both = __atomic_load_n((const uint64_t *)(const void *)stamp, __ATOMIC_RELAXED);

    return (uint32_t)both != (uint32_t)(both >> 32);
}

size_t pxr_store_changes(const pxr_store_t *store, pxr_table_t table, uint32_t *cursor,
                         pxr_change_t *out, size_t max)
{
    stamps_t all = stamps_of(store, table);
    bool wanted = store->segment->kept == PXR_KEEP_SHARED && table == PXR_TABLE_MEETINGS;
    uint32_t link = *cursor;
    size_t count = 0;

    for (uint32_t i = 0; i < all.count && count < max; i++) {
        const pxr_stamp_t *stamp;
        link = link < all.count ? link + 1 : 1;
        stamp = &all.stamps[link - 1];
        if ((may_differ(stamp) && is_changed(store, table, link, stamp)) ||
            (wanted && is_wanted(store, link))) {
            out[count++] = (pxr_change_t){.table = table, .link = link};
        }
    }
    *cursor = link;
    return count;
}

uint32_t pxr_store_unsaved(const pxr_store_t *store)
{
    uint32_t count = 0;

    for (int table = 0; table < PXR_TABLES && pxr_is_kept(store); table++) {
        stamps_t all = stamps_of(store, (pxr_table_t)table);
        for (uint32_t i = 0; i < all.count; i++) {
            count += is_changed(store, (pxr_table_t)table, i + 1, &all.stamps[i]);
        }
    }
    return count;
}

void pxr_store_saved(const pxr_store_t *store, const pxr_change_t *change)
{
    stamps_t all = stamps_of(store, change->table);

    __atomic_store_n(&all.stamps[change->link - 1].saved, change->version, __ATOMIC_RELEASE);
    if (change->table == PXR_TABLE_MEETINGS) {
        pxr_slot_t *slot = pxr_slot(store, change->link);
        slot->join_saved = slot->join_copied;
    }
}

static bool is_in_use(const pxr_store_t *store, pxr_table_t table, uint32_t link)
{
    switch (table) {
    case PXR_TABLE_MEETINGS:
        return pxr_slot(store, link)->state != SLOT_FREE;
    case PXR_TABLE_SHARES:
        return pxr_share_slot(store, link)->taken != 0;
    default:
        return pxr_leg_slot(store, link)->taken != 0;
    }
}

pxr_status_t pxr_store_unsave(const pxr_store_t *store)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    for (int table = 0; table < PXR_TABLES; table++) {
        stamps_t all = stamps_of(store, (pxr_table_t)table);
        for (uint32_t i = 0; i < all.count; i++) {
            if (is_in_use(store, (pxr_table_t)table, i + 1)) {
                __atomic_store_n(&all.stamps[i].saved, all.stamps[i].version - 1, __ATOMIC_RELEASE);
            }
        }
    }
    pxr_unlock(store);
    return PXR_OK;
}

/* What the meeting would be if it ended now; false where it would not. */
static bool would_end(const pxr_slot_t *slot, pxr_time_t last_join, pxr_time_t now,
                      pxr_meeting_t *after)
{
    *after = slot->life;
    return slot->state == SLOT_TAKEN && slot->life.state != PXR_MEETING_ENDED &&
           pxr_meeting_tick(after, last_join, now) && after->state == PXR_MEETING_ENDED;
}

size_t pxr_store_endings(const pxr_store_t *store, pxr_time_t now, pxr_ending_t *out, size_t max)
{
    const int64_t *due = pxr_due(store);
    size_t count = 0;

    for (uint32_t i = 0; i < store->segment->slots && count < max; i++) {
        pxr_slot_t *slot = pxr_slot(store, i + 1);
        pxr_ending_t *ending = &out[count];
        if (__atomic_load_n(&due[i], __ATOMIC_RELAXED) > now || pxr_lock(store) != PXR_OK) {
            continue;
        }
        ending->ref = (pxr_ref_t){.slot = i + 1, .generation = slot->generation};
        ending->version = pxr_slot_stamp(store, i + 1)->version;
        ending->last_join = atomic_load(&slot->last_join);
        ending->due = pxr_meeting_due(&slot->life, ending->last_join);
        count += would_end(slot, ending->last_join, now, &ending->after);
        pxr_unlock(store);
    }
    return count;
}

bool pxr_store_ending_holds(const pxr_store_t *store, const pxr_ending_t *ending)
{
    pxr_slot_t *slot = pxr_slot(store, ending->ref.slot);

    return pxr_word(&slot->generation) == ending->ref.generation &&
           pxr_word(&slot->state) == SLOT_TAKEN &&
           pxr_word(&pxr_slot_stamp(store, ending->ref.slot)->version) == ending->version &&
           atomic_load(&slot->last_join) == ending->last_join;
}

pxr_status_t pxr_store_end(const pxr_store_t *store, const pxr_ending_t *ending, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, ending->ref.slot);
    pxr_stamp_t *stamp = pxr_slot_stamp(store, ending->ref.slot);
    pxr_status_t status = pxr_lock(store);
    pxr_tx_t tx;

    if (status != PXR_OK) {
        return status;
    }
    if (slot->generation == ending->ref.generation && slot->state == SLOT_TAKEN &&
        slot->life.state != PXR_MEETING_ENDED) {
        bool same = stamp->version == ending->version;
        pxr_tx_begin(&tx, store);
        pxr_slot_put_life(&tx, ending->ref.slot, &ending->after, now);
        status = pxr_tx_commit(&tx);
        if (same) {
            __atomic_store_n(&stamp->saved, stamp->version, __ATOMIC_RELEASE);
        }
    }
    pxr_unlock(store);
    return status;
}
