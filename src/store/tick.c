#include "legs.h"
#include "names.h"

/* Work of one round that is bounded, so that no round holds the others up. */
#define LEGS_PER_ROUND 512
#define STEPS_PER_ROUND 256
/* A whole pass over the legs takes this many rounds. */
#define ROUNDS_PER_PASS 600

static pxr_status_t tick_meeting(const pxr_store_t *store, uint32_t link, pxr_time_t now,
                                 pxr_tick_t *tick)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_meeting_t life = slot->life;
    pxr_time_t last_join = atomic_load_explicit(&slot->last_join, memory_order_relaxed);
    int64_t due;
    pxr_tx_t tx;

    if (slot->state != SLOT_TAKEN) {
        return PXR_OK;
    }
    pxr_tx_begin(&tx, store);
    if (pxr_meeting_tick(&life, last_join, now)) {
        if (life.state == PXR_MEETING_ENDED && pxr_is_kept(store)) {
            /* The keeper ends it, so that all machines agree; until then it goes on. */
            return PXR_OK;
        }
        pxr_slot_put_life(&tx, link, &life, now);
        tick->ended += life.state == PXR_MEETING_ENDED;
        tick->reopened += life.state == PXR_MEETING_OPEN;
        return pxr_tx_commit(&tx);
    }
    /* Somebody is on the way: it is not due before this. */
    due = pxr_meeting_due(&life, last_join);
    pxr_tx_put(&tx, &pxr_due(store)[link - 1], &due, sizeof(due));
    return pxr_tx_commit(&tx);
}

/* The scan needs no lock: what it misses by a hair it finds in the next round. */
static pxr_status_t tick_meetings(const pxr_store_t *store, pxr_time_t now, pxr_tick_t *tick)
{
    const int64_t *due = pxr_due(store);

    for (uint32_t i = 0; i < store->segment->slots; i++) {
        pxr_status_t status;
        if (__atomic_load_n(&due[i], __ATOMIC_RELAXED) > now) {
            continue;
        }
        status = pxr_lock(store);
        if (status != PXR_OK) {
            return status;
        }
        if (pxr_due(store)[i] <= now) {
            status = tick_meeting(store, i + 1, now, tick);
        }
        pxr_unlock(store);
        if (status != PXR_OK) {
            return status;
        }
    }
    return PXR_OK;
}

/* The run that the leg's publisher is in, 0 where it is not remembered. */
static pxr_time_t run_of(const pxr_store_t *store, const pxr_leg_t *leg)
{
    uint32_t link = pxr_publisher_find(store, leg->order.source);

    return link != 0 ? pxr_publisher_slot(store, link)->publisher.run : 0;
}

/* Whether nothing more is to be expected of a leg that left. */
static bool is_forgettable(const pxr_leg_slot_t *leg, bool scarce, pxr_time_t now)
{
    return leg->leg.heard_at + (scarce ? PXR_LEFT_KEEP_SHORT : PXR_LEFT_KEEP) < now;
}

static pxr_status_t tick_legs(const pxr_store_t *store, pxr_time_t now, pxr_tick_t *tick)
{
    pxr_segment_t *s = store->segment;
    uint32_t round = s->legs / ROUNDS_PER_PASS + 1;
    pxr_status_t status = pxr_lock(store);
    bool scarce;

    if (status != PXR_OK) {
        return status;
    }
    scarce = s->root.legs_free < s->legs / 8;
    round = round < LEGS_PER_ROUND ? LEGS_PER_ROUND : round;
    for (uint32_t i = 0; i < round && i < s->legs; i++) {
        uint32_t cursor = s->root.leg_cursor % s->legs + 1;
        pxr_leg_slot_t *leg = pxr_leg_slot(store, cursor);
        s->root.leg_cursor = cursor;
        if (!leg->taken) {
            continue;
        }
        if (pxr_leg_is_over(store, leg)) {
            if (is_forgettable(leg, scarce, now) &&
                pxr_is_saved(store, pxr_leg_stamp(store, cursor))) {
                pxr_tx_t tx;
                pxr_tx_begin(&tx, store);
                pxr_leg_free(&tx, cursor);
                pxr_tx_commit(&tx);
            }
        } else if (pxr_leg_lost(&leg->leg, run_of(store, &leg->leg), now)) {
            pxr_leg_leave(store, cursor, 0, now);
            tick->lost_legs++;
        }
    }
    pxr_unlock(store);
    return PXR_OK;
}

static uint32_t pop(pxr_queue_t *queue, uint32_t next)
{
    uint32_t link = queue->head;

    queue->head = next;
    if (next == 0) {
        queue->tail = 0;
    }
    return link;
}

static pxr_name_t *tail_name(const pxr_store_t *store, const pxr_queue_t *queue)
{
    return queue->tail != 0 ? pxr_name(store, queue->tail) : NULL;
}

void pxr_slot_unname(pxr_tx_t *tx, pxr_slot_t *slot, bool hold, pxr_time_t now)
{
    const pxr_store_t *store = tx->store;
    uint32_t left = 0;
    uint32_t link = slot->names;

    while (link != 0) {
        pxr_name_t *name = pxr_name(store, link);
        uint32_t next = name->sibling;
        pxr_time_t until = slot->queued_at + PXR_NUMBER_HOLD;
        if (hold && name->kind == PXR_NAME_NUMBER && until > now) {
            pxr_name_t *tail = tail_name(store, &tx->root.held);
            pxr_tx_put(tx, &name->until, &until, sizeof(until));
            pxr_tx_put_word(tx, &name->slot, 0);
            pxr_queue_push(tx, &tx->root.held, link, &name->sibling,
                           tail != NULL ? &tail->sibling : NULL);
        } else {
            pxr_name_unlink(tx, link);
            pxr_tx_put_word(tx, &name->sibling, left);
            left = link;
        }
        link = next;
    }
    pxr_tx_put_word(tx, &slot->names, left);
}

static void free_first_share(pxr_tx_t *tx, pxr_slot_t *slot)
{
    uint32_t link = slot->shares;
    pxr_share_slot_t *share = pxr_share_slot(tx->store, link);
    pxr_share_t empty = {.epoch = share->share.epoch};

    pxr_tx_put_word(tx, &slot->shares, share->next);
    pxr_tx_put_word(tx, &slot->share_count, slot->share_count - 1);
    if (share->next == 0) {
        pxr_tx_put_word(tx, &slot->share_tail, 0);
    }
    pxr_tx_put(tx, &share->share, &empty, sizeof(empty));
    pxr_tx_put_word(tx, &share->taken, 0);
    pxr_tx_put_word(tx, &share->next, tx->root.free_shares);
    tx->root.free_shares = link;
    tx->root.shares_free++;
}

/* Does one step of taking apart the first of a queue. It stays at the head until the last step, so
 * that another leader can go on. */
static void leave_step(const pxr_store_t *store, bool ended, pxr_time_t now)
{
    const pxr_root_t *root = &store->segment->root;
    uint32_t link = ended ? root->ended.head : root->leaving.head;
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    if (slot->state == SLOT_TAKEN) {
        pxr_tx_put_word(&tx, &slot->state, SLOT_LEAVING);
        pxr_slot_unname(&tx, slot, true, now);
    } else if (slot->legs != 0) {
        pxr_leg_free(&tx, slot->legs);
    } else if (slot->shares != 0) {
        free_first_share(&tx, slot);
    } else {
        pop(ended ? &tx.root.ended : &tx.root.leaving, slot->next);
        pxr_tx_put_word(&tx, &slot->state, SLOT_RESTING);
        pxr_tx_put(&tx, &slot->queued_at, &now, sizeof(now));
        pxr_queue_push(&tx, &tx.root.resting, link, &slot->next,
                       tx.root.resting.tail != 0 ? &pxr_slot(store, tx.root.resting.tail)->next
                                                 : NULL);
    }
    pxr_tx_commit(&tx);
}

/* Whether the database has everything about a meeting. */
static bool is_saved(const pxr_store_t *store, uint32_t slot_link)
{
    const pxr_slot_t *slot = pxr_slot(store, slot_link);
    bool saved = pxr_is_saved(store, pxr_slot_stamp(store, slot_link));

    for (uint32_t link = slot->shares; link != 0 && saved;
         link = pxr_share_slot(store, link)->next) {
        saved = pxr_is_saved(store, pxr_share_stamp(store, link));
    }
    for (uint32_t link = slot->legs; link != 0 && saved; link = pxr_leg_slot(store, link)->next) {
        saved = pxr_is_saved(store, pxr_leg_stamp(store, link));
    }
    return saved;
}

static bool leave_wanted(const pxr_store_t *store, pxr_time_t now)
{
    const pxr_root_t *root = &store->segment->root;
    const pxr_slot_t *slot;

    if (root->ended.head == 0) {
        return false;
    }
    slot = pxr_slot(store, root->ended.head);
    if (slot->state != SLOT_LEAVING && pxr_is_kept(store) && !is_saved(store, root->ended.head)) {
        return false;
    }
    return slot->state == SLOT_LEAVING || slot->queued_at + PXR_ENDED_KEEP < now ||
           root->slots_free < PXR_FREE_SLOTS_WANTED ||
           root->blocks_free < store->segment->blocks / 16 ||
           root->names_free < store->segment->names / 16;
}

/* What has rested is free again. */
static bool free_slot(const pxr_store_t *store, pxr_time_t now)
{
    uint32_t link = store->segment->root.resting.head;
    pxr_slot_t *slot;
    pxr_tx_t tx;

    if (link == 0 || pxr_slot(store, link)->queued_at + PXR_REST > now) {
        return false;
    }
    slot = pxr_slot(store, link);
    pxr_tx_begin(&tx, store);
    pop(&tx.root.resting, slot->next);
    for (uint32_t name = slot->names; name != 0;) {
        uint32_t next = pxr_name(store, name)->sibling;
        pxr_name_free(&tx, name);
        name = next;
    }
    pxr_chain_free(&tx, slot->answer, (size_t)slot->answer_len + slot->tag_len);
    pxr_chain_free(&tx, slot->details, slot->details_len);
    pxr_tx_put_word(&tx, &slot->names, 0);
    pxr_tx_put_word(&tx, &slot->generation, slot->generation + 1);
    pxr_tx_put_word(&tx, &slot->state, SLOT_FREE);
    pxr_tx_put_word(&tx, &slot->next, tx.root.free_slots);
    tx.root.free_slots = link;
    tx.root.slots_free++;
    return pxr_tx_commit(&tx) == PXR_OK;
}

/* Numbers are kept back for a day, or for as long as there is room for it. */
static bool release_number(const pxr_store_t *store, pxr_time_t now)
{
    uint32_t link = store->segment->root.held.head;
    bool scarce = store->segment->root.names_free < store->segment->names / 8;
    pxr_time_t until = now + PXR_REST;
    pxr_name_t *name;
    pxr_name_t *tail;
    pxr_tx_t tx;

    if (link == 0 || (pxr_name(store, link)->until > now && !scarce)) {
        return false;
    }
    name = pxr_name(store, link);
    pxr_tx_begin(&tx, store);
    pop(&tx.root.held, name->sibling);
    pxr_name_unlink(&tx, link);
    pxr_tx_put(&tx, &name->until, &until, sizeof(until));
    tail = tail_name(store, &tx.root.resting_names);
    pxr_queue_push(&tx, &tx.root.resting_names, link, &name->sibling,
                   tail != NULL ? &tail->sibling : NULL);
    return pxr_tx_commit(&tx) == PXR_OK;
}

static bool free_number(const pxr_store_t *store, pxr_time_t now)
{
    uint32_t link = store->segment->root.resting_names.head;
    pxr_tx_t tx;

    if (link == 0 || pxr_name(store, link)->until > now) {
        return false;
    }
    pxr_tx_begin(&tx, store);
    pop(&tx.root.resting_names, pxr_name(store, link)->sibling);
    pxr_name_free(&tx, link);
    return pxr_tx_commit(&tx) == PXR_OK;
}

static pxr_status_t tidy(const pxr_store_t *store, pxr_time_t now)
{
    pxr_status_t status = pxr_lock(store);
    bool busy = true;

    if (status != PXR_OK) {
        return status;
    }
    for (int steps = 0; busy && steps < STEPS_PER_ROUND; steps++) {
        bool leaving = store->segment->root.leaving.head != 0;
        busy = leaving || leave_wanted(store, now);
        if (busy) {
            leave_step(store, !leaving, now);
        }
        busy = free_slot(store, now) || busy;
        busy = release_number(store, now) || busy;
        busy = free_number(store, now) || busy;
    }
    pxr_unlock(store);
    return PXR_OK;
}

pxr_status_t pxr_store_tick(const pxr_store_t *store, pxr_time_t now, pxr_tick_t *tick)
{
    pxr_status_t status;

    *tick = (pxr_tick_t){0};
    status = tick_meetings(store, now, tick);
    if (status == PXR_OK) {
        status = tick_legs(store, now, tick);
    }
    if (status == PXR_OK) {
        status = tidy(store, now);
    }
    if (status == PXR_OK) {
        atomic_store(&store->segment->ticked_at, now);
    }
    return status;
}

static void restart_grace(const pxr_store_t *store, uint32_t link, pxr_time_t now)
{
    pxr_meeting_t life = pxr_slot(store, link)->life;
    pxr_tx_t tx;

    if (life.unhosted_since != 0) {
        life.unhosted_since = now;
    }
    if (life.empty_since != 0) {
        life.empty_since = now;
    }
    pxr_tx_begin(&tx, store);
    pxr_slot_put_life(&tx, link, &life, now);
    pxr_tx_commit(&tx);
}

pxr_status_t pxr_store_resume(const pxr_store_t *store, pxr_time_t now)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (slot->state == SLOT_TAKEN && slot->life.state == PXR_MEETING_LIVE) {
            restart_grace(store, link, now);
        }
    }
    pxr_unlock(store);
    return PXR_OK;
}
