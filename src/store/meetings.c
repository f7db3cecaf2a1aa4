#include <stdlib.h>
#include <string.h>

#include "legs.h"
#include "names.h"
#include "pxr_chat.h"

_Static_assert(PXR_DETAILS_MAX >=
                   4 * PXR_TITLE_CHARS + 3 * 4 * PXR_NAME_CHARS + 4 * 4 * PXR_ID_CHARS + 64,
               "the longest texts of the API must fit");

pxr_status_t pxr_slot_put_details(pxr_tx_t *tx, uint32_t link, const pxr_details_t *details)
{
    pxr_slot_t *slot = pxr_slot(tx->store, link);
    char packed[PXR_DETAILS_MAX];
    size_t len = pxr_details_pack(details, packed, sizeof(packed));
    uint32_t chain = pxr_chain_new(tx, packed, len);

    if (chain == 0) {
        return PXR_FULL;
    }
    pxr_chain_free(tx, slot->details, slot->details_len);
    pxr_tx_put_word(tx, &slot->details, chain);
    pxr_tx_put_word(tx, &slot->details_len, (uint32_t)len);
    pxr_tx_touch(tx, pxr_slot_stamp(tx->store, link));
    return PXR_OK;
}

pxr_status_t pxr_slot_fill_details(const pxr_store_t *store, uint32_t link,
                                   const pxr_details_t *more, bool from_database)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_details_t details;
    pxr_status_t status = PXR_BROKEN;
    char old[PXR_DETAILS_MAX];
    pxr_tx_t tx;

    if (pxr_chain_read(store, slot->details, slot->details_len, old)) {
        status = pxr_details_unpack(old, slot->details_len, &details);
    }
    if (status == PXR_OK && pxr_details_fill(&details, more)) {
        pxr_tx_begin(&tx, store);
        tx.quiet = tx.quiet || from_database;
        status = pxr_slot_put_details(&tx, link, &details);
        if (status == PXR_OK) {
            pxr_slot_tell(&tx, link);
            status = pxr_tx_commit(&tx);
        }
    }
    return status;
}

uint64_t pxr_room_of(const pxr_details_t *details)
{
    return details->len[PXR_ROOM_ID] > 0 ? pxr_hash_text(details->text[PXR_ROOM_ID]) : 0;
}

/* The first candidate that nothing in the workspace is named after, or NULL. */
static const char *free_number(const pxr_store_t *store, uint32_t workspace,
                               const pxr_new_meeting_t *in)
{
    for (size_t i = 0; i < in->number_count; i++) {
        if (strcmp(in->numbers[i], in->id) != 0 &&
            pxr_name_find(store, workspace, PXR_SPACE_DIAL, in->numbers[i],
                          strlen(in->numbers[i])) == 0) {
            return in->numbers[i];
        }
    }
    return NULL;
}

/* Begins to fill a slot that is not reachable. The link to the next free one is kept, so that a
 * death before the commit leaves the free list whole. */
static void fill_slot(pxr_tx_t *tx, uint32_t workspace, const pxr_arrival_t *in, pxr_slot_t *slot)
{
    const pxr_new_meeting_t *m = in->meeting;
    size_t tag_len = strlen(m->service_tag);
    pxr_slot_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.generation = slot->generation;
    fresh.workspace = workspace;
    fresh.breakouts = m->breakouts;
    fresh.answer_len = (uint32_t)m->answer_len;
    fresh.tag_len = (uint32_t)tag_len;
    fresh.details_len = (uint32_t)in->packed_len;
    fresh.room = pxr_room_of(&m->details);
    fresh.single = m->single;
    fresh.told = m->told;
    memcpy(fresh.id, m->id, strlen(m->id) + 1);
    memcpy(fresh.join_key, m->join_key, strlen(m->join_key) + 1);
    if (m->host_key != NULL) {
        memcpy(fresh.host_key, m->host_key, strlen(m->host_key) + 1);
    }
    memcpy(fresh.host_pin, m->host_pin, strlen(m->host_pin) + 1);
    memcpy(fresh.guest_pin, m->guest_pin, strlen(m->guest_pin) + 1);
    if (in->number != NULL) {
        memcpy(fresh.number, in->number, strlen(in->number) + 1);
    }
    fresh.life = m->life;
    fresh.queued_at = m->life.created_at;
    fresh.swept = m->life.era;
    fresh.answer = pxr_chain_new(tx, in->texts, m->answer_len + tag_len);
    fresh.details = pxr_chain_new(tx, in->packed, in->packed_len);
    fresh.next = slot->next;
    memcpy(slot, &fresh, sizeof(fresh));
}

/* Lists page by the moment of creation, so no two meetings of this machine may share one. */
static void number_creation(pxr_tx_t *tx, const pxr_arrival_t *in, pxr_slot_t *slot)
{
    if (!in->from_database && slot->life.created_at <= tx->root.last_created) {
        slot->life.created_at = tx->root.last_created + 1;
    }
    if (slot->life.created_at > tx->root.last_created) {
        tx->root.last_created = slot->life.created_at;
    }
}

/* Puts a slot into the queue of the ended, by the moment of its end. */
static void queue_ended(pxr_tx_t *tx, uint32_t link, pxr_time_t ended_at)
{
    pxr_queue_t *queue = &tx->root.ended;
    pxr_slot_t *slot = pxr_slot(tx->store, link);
    bool first = queue->head != 0 && pxr_slot(tx->store, queue->head)->state == SLOT_TAKEN &&
                 pxr_slot(tx->store, queue->head)->queued_at > ended_at;

    pxr_tx_put(tx, &slot->queued_at, &ended_at, sizeof(ended_at));
    if (first) {
        /* Filled from the database, last ended first. */
        pxr_tx_put_word(tx, &slot->next, queue->head);
        queue->head = link;
    } else {
        pxr_queue_push(tx, queue, link, &slot->next,
                       queue->tail != 0 ? &pxr_slot(tx->store, queue->tail)->next : NULL);
    }
}

/* Where the slot goes: among the running meetings or to the ended ones. */
static void place_slot(pxr_tx_t *tx, const pxr_arrival_t *in, uint32_t link, pxr_slot_t *slot)
{
    bool ended = slot->life.state == PXR_MEETING_ENDED;
    int64_t due =
        in->state == SLOT_TAKEN ? pxr_meeting_due(&slot->life, 0) : (int64_t)PXR_TIME_NEVER;

    if (ended) {
        queue_ended(tx, link, slot->life.ended_at);
    } else {
        tx->root.active++;
        pxr_tx_put_word(tx, &slot->next, 0);
    }
    pxr_tx_put(tx, &pxr_due(tx->store)[link - 1], &due, sizeof(due));
    pxr_tx_put_word(tx, &slot->state, in->state);
    pxr_slot_tell(tx, link);
}

pxr_status_t pxr_slot_take(const pxr_store_t *store, uint32_t workspace, const pxr_arrival_t *in,
                           uint32_t *link)
{
    const pxr_new_meeting_t *m = in->meeting;
    uint32_t wanted =
        pxr_blocks_for(m->answer_len + strlen(m->service_tag)) + pxr_blocks_for(in->packed_len);
    bool ended = m->life.state == PXR_MEETING_ENDED;
    pxr_stamp_t *stamp;
    uint32_t names = 0;
    pxr_slot_t *slot;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    if ((!ended && tx.root.active >= store->segment->sizes.meetings) || tx.root.slots_free == 0 ||
        tx.root.names_free < 3 + pxr_room_names(in) || tx.root.blocks_free < wanted) {
        return PXR_FULL;
    }
    *link = tx.root.free_slots;
    slot = pxr_slot(store, *link);
    stamp = pxr_slot_stamp(store, *link);
    tx.root.free_slots = slot->next;
    tx.root.slots_free--;
    fill_slot(&tx, workspace, in, slot);
    number_creation(&tx, in, slot);
    pxr_name_add(&tx, &names, *link, PXR_NAME_ID, m->id);
    pxr_name_add(&tx, &names, *link, PXR_NAME_JOIN, m->join_key);
    if (in->number != NULL && !in->unlisted) {
        pxr_name_add(&tx, &names, *link, PXR_NAME_NUMBER, in->number);
    }
    pxr_slot_name_room(&tx, &names, *link, in);
    slot->names = names;
    place_slot(&tx, in, *link, slot);
    if (in->from_database) {
        __atomic_store_n(&stamp->saved, stamp->version, __ATOMIC_RELAXED);
    } else {
        pxr_tx_touch(&tx, stamp);
    }
    return pxr_tx_commit(&tx);
}

/* A creation was given up because the database did not answer, and now it is wanted again. */
static pxr_status_t revive(const pxr_store_t *store, uint32_t link)
{
    pxr_time_t now = pxr_time_now();
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    pxr_tx_put_word(&tx, &pxr_slot(store, link)->state, SLOT_PENDING);
    pxr_tx_put(&tx, &pxr_slot(store, link)->queued_at, &now, sizeof(now));
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_slot_want(const pxr_store_t *store, uint32_t link, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_tx_t tx;

    if (store->segment->kept != PXR_KEEP_SHARED || slot->state != SLOT_TAKEN ||
        slot->life.state != PXR_MEETING_OPEN || atomic_load(&slot->last_join) != 0) {
        return PXR_OK;
    }
    atomic_store(&slot->last_join, now);
    pxr_tx_begin(&tx, store);
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    return pxr_tx_commit(&tx);
}

static pxr_status_t find_existing(const pxr_store_t *store, uint32_t known,
                                  const pxr_new_meeting_t *in, pxr_ref_t *ref, bool *created)
{
    const pxr_name_t *name = pxr_name(store, known);
    pxr_status_t status;

    if (name->kind != PXR_NAME_ID && name->kind != PXR_NAME_CALL) {
        return PXR_TAKEN;
    }
    ref->slot = name->slot;
    ref->generation = name->generation;
    switch (pxr_slot(store, name->slot)->state) {
    case SLOT_PENDING:
        return PXR_OK;
    case SLOT_WITHDRAWN:
        *created = true;
        return revive(store, name->slot);
    case SLOT_PROVISIONAL:
        if (in->asked) {
            /* Nobody has made it, so it is made now. */
            pxr_slot_dissolve(store, name->slot, PXR_MISSING, pxr_time_now());
            return PXR_BUSY;
        }
        return PXR_MISSING;
    default:
        status = pxr_slot_want(store, name->slot, in->life.created_at);
        return status == PXR_OK ? pxr_slot_fill_details(store, name->slot, &in->details, false)
                                : status;
    }
}

static pxr_status_t create_locked(const pxr_store_t *store, uint32_t workspace, pxr_arrival_t *in,
                                  pxr_ref_t *ref, bool *created)
{
    const char *id = in->meeting->id;
    uint32_t known = pxr_name_find(store, workspace, PXR_SPACE_DIAL, id, strlen(id));
    uint32_t link = 0;
    pxr_status_t status;

    *created = false;
    if (known != 0) {
        status = find_existing(store, known, in->meeting, ref, created);
        if (status != PXR_BUSY) {
            return status;
        }
    }
    status = pxr_slot_of_room(store, workspace, in, ref);
    if (status != PXR_MISSING) {
        return status;
    }
    if (in->meeting->number_count > 0 &&
        (in->number = free_number(store, workspace, in->meeting)) == NULL) {
        return PXR_INVALID;
    }
    *created = true;
    status = pxr_slot_take(store, workspace, in, &link);
    ref->slot = link;
    ref->generation = link != 0 ? pxr_slot(store, link)->generation : 0;
    return status;
}

pxr_status_t pxr_store_create(const pxr_store_t *store, uint32_t workspace,
                              const pxr_new_meeting_t *in, pxr_ref_t *ref, bool *created)
{
    size_t tag_len = strlen(in->service_tag);
    char room[PXR_ROOM_KEY_LEN + 1];
    char *memory = malloc(PXR_DETAILS_MAX + in->answer_len + tag_len);
    char *texts = memory + PXR_DETAILS_MAX;
    pxr_arrival_t arrival = {.meeting = in,
                             .texts = texts,
                             .packed = memory,
                             .state = pxr_is_kept(store) ? SLOT_PENDING : SLOT_TAKEN};
    pxr_status_t status = PXR_BROKEN;

    if (memory == NULL) {
        return PXR_BROKEN;
    }
    memcpy(texts, in->answer, in->answer_len);
    memcpy(texts + in->answer_len, in->service_tag, tag_len);
    if (in->single && pxr_room_of(&in->details) != 0) {
        pxr_room_key(pxr_room_of(&in->details), room);
        arrival.room = room;
        arrival.called = in->called && in->details.len[PXR_ROOM_NAME] > 0 &&
                                 pxr_room_is_dialable(in->details.text[PXR_ROOM_NAME])
                             ? in->details.text[PXR_ROOM_NAME]
                             : NULL;
    }
    arrival.packed_len = pxr_details_pack(&in->details, memory, PXR_DETAILS_MAX);
    if (arrival.packed_len == 0) {
        status = PXR_TOO_LONG;
    } else {
        status = pxr_lock(store);
        if (status == PXR_OK) {
            status = create_locked(store, workspace, &arrival, ref, created);
            pxr_unlock(store);
        }
    }
    free(memory);
    if (status == PXR_OK && pxr_is_kept(store)) {
        pxr_store_ring(store);
    }
    return status;
}

pxr_status_t pxr_slot_close(const pxr_store_t *store, uint32_t link, pxr_time_t now)
{
    pxr_meeting_t life = pxr_slot(store, link)->life;
    pxr_tx_t tx;

    if (pxr_is_kept(store) ? !pxr_meeting_dismiss(&life, now) : !pxr_meeting_close(&life, now)) {
        return PXR_OK;
    }
    pxr_tx_begin(&tx, store);
    pxr_slot_put_life(&tx, link, &life, now);
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_store_close(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                             pxr_time_t now)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;

    if (status != PXR_OK) {
        return status;
    }
    link = pxr_slot_by_ref(store, workspace, ref);
    status = link != 0 ? pxr_slot_close(store, link, now) : PXR_MISSING;
    pxr_unlock(store);
    if (status == PXR_OK && pxr_is_kept(store)) {
        pxr_store_ring(store);
    }
    return status;
}

/* What comes from the database is known there, but an ending that was found before it came does
 * not hold any more. */
static void touch_life(pxr_tx_t *tx, uint32_t link, const pxr_meeting_t *life)
{
    pxr_stamp_t *stamp = pxr_slot_stamp(tx->store, link);

    if (!tx->quiet) {
        pxr_tx_touch(tx, stamp);
    } else if (pxr_is_kept(tx->store) &&
               memcmp(life, &pxr_slot(tx->store, link)->life, sizeof(*life)) != 0) {
        uint32_t version = pxr_tx_word(tx, &stamp->version);
        if (version == pxr_tx_word(tx, &stamp->saved)) {
            pxr_tx_put_word(tx, &stamp->saved, version + 1);
        }
        pxr_tx_put_word(tx, &stamp->version, version + 1);
    }
}

static bool is_over(const pxr_meeting_t *life)
{
    return life->closed || life->state == PXR_MEETING_ENDED;
}

void pxr_slot_put_life(pxr_tx_t *tx, uint32_t link, const pxr_meeting_t *life, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(tx->store, link);
    int64_t due = pxr_meeting_due(life, 0);

    touch_life(tx, link, life);
    if (slot->single && is_over(life) && !is_over(&slot->life)) {
        pxr_slot_release_room(tx, slot);
        pxr_tx_put_word(tx, &slot->vacated,
                        pxr_tx_word(tx, &pxr_slot_stamp(tx->store, link)->version));
    }
    pxr_slot_tell(tx, link);
    pxr_tx_put(tx, &slot->life, life, sizeof(*life));
    if (life->state == PXR_MEETING_ENDED && slot->life.state != PXR_MEETING_ENDED) {
        due = PXR_TIME_NEVER;
        tx->root.active--;
        queue_ended(tx, link, now);
    }
    pxr_tx_put(tx, &pxr_due(tx->store)[link - 1], &due, sizeof(due));
}

/* Copies the legs that are counted at present. */
static size_t copy_legs(const pxr_store_t *store, const pxr_slot_t *slot, pxr_roster_leg_t *legs,
                        size_t max)
{
    size_t count = 0;

    for (uint32_t at = slot->legs; at != 0 && count < max;) {
        const pxr_leg_slot_t *leg = pxr_leg_slot(store, at);
        const pxr_share_t *share =
            leg->share != 0 ? &pxr_share_slot(store, leg->share)->share : NULL;
        if (share != NULL && share->era == slot->life.era && pxr_leg_is_in(&leg->leg, share)) {
            legs[count].leg = leg->leg;
            pxr_leg_copy_name(store, at, legs[count].name);
            legs[count].key = leg->key;
            count++;
        }
        at = leg->next;
    }
    return count;
}

static void copy_nodes(const pxr_store_t *store, const pxr_slot_t *slot, pxr_view_t *view,
                       size_t max)
{
    for (uint32_t at = slot->shares; at != 0 && view->node_count < max;) {
        const pxr_share_slot_t *share = pxr_share_slot(store, at);
        pxr_share_t *copy = &view->nodes[view->node_count];
        *copy = share->share;
        copy->open = share->share.open && share->share.era == slot->life.era &&
                     slot->life.state != PXR_MEETING_ENDED;
        view->node_count += share->share.known;
        at = share->next;
    }
}

/* How much room a view of the meeting needs; read without lock, so only a guess. */
typedef struct {
    size_t legs;
    size_t nodes;
} room_t;

static bool view_memory(pxr_view_t *view, const room_t *room)
{
    view->packed = malloc(PXR_DETAILS_MAX);
    view->legs = malloc(room->legs * sizeof(*view->legs));
    view->nodes = malloc(room->nodes * sizeof(*view->nodes));
    return view->packed != NULL && view->legs != NULL && view->nodes != NULL;
}

/* *legs is set to the number of legs that were copied. */
static pxr_status_t read_locked(const pxr_store_t *store, uint32_t link, pxr_view_t *view,
                                const room_t *room, size_t *legs)
{
    const pxr_slot_t *slot = pxr_slot(store, link);

    view->life = slot->life;
    memcpy(view->id, slot->id, sizeof(view->id));
    memcpy(view->join_key, slot->join_key, sizeof(view->join_key));
    memcpy(view->host_key, slot->host_key, sizeof(view->host_key));
    pxr_slot_calls(store, slot, view->calls, view->called);
    view->told = slot->told;
    memcpy(view->host_pin, slot->host_pin, sizeof(view->host_pin));
    memcpy(view->guest_pin, slot->guest_pin, sizeof(view->guest_pin));
    memcpy(view->number, slot->number, sizeof(view->number));
    if (!pxr_chain_read(store, slot->details, slot->details_len, view->packed)) {
        return PXR_BROKEN;
    }
    *legs =
        slot->life.state == PXR_MEETING_ENDED ? 0 : copy_legs(store, slot, view->legs, room->legs);
    copy_nodes(store, slot, view, room->nodes);
    return pxr_details_unpack(view->packed, slot->details_len, &view->details);
}

static pxr_status_t find_people(pxr_view_t *view, size_t legs)
{
    uint32_t *index = malloc(pxr_roster_index_size(legs) * sizeof(*index));

    view->people = malloc((legs + 1) * sizeof(*view->people));
    if (index == NULL || view->people == NULL) {
        free(index);
        return PXR_BROKEN;
    }
    view->people_count = pxr_roster_people(view->legs, legs, index, view->people, legs + 1);
    free(index);
    return PXR_OK;
}

pxr_status_t pxr_store_read(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                            pxr_view_t *view)
{
    memset(view, 0, sizeof(*view));
    for (;;) {
        pxr_status_t status;
        uint32_t link;
        size_t legs = 0;
        room_t room = {.legs = 16, .nodes = 16};
        bool enough = true;

        /* Memory is asked for outside the lock. If the meeting grows beyond the guess meanwhile,
         * once more. */
        if (ref.slot != 0 && ref.slot <= store->segment->slots) {
            room.legs += pxr_word(&pxr_slot(store, ref.slot)->leg_count) * (size_t)2;
            room.nodes += pxr_word(&pxr_slot(store, ref.slot)->share_count) * (size_t)2;
        }
        if (!view_memory(view, &room)) {
            return PXR_BROKEN;
        }
        status = pxr_lock(store);
        if (status != PXR_OK) {
            return status;
        }
        link = pxr_slot_by_ref(store, workspace, ref);
        if (link == 0) {
            status = PXR_MISSING;
        } else {
            const pxr_slot_t *slot = pxr_slot(store, link);
            enough = slot->leg_count <= room.legs && slot->share_count <= room.nodes;
            status = enough ? read_locked(store, link, view, &room, &legs) : PXR_OK;
        }
        pxr_unlock(store);
        if (enough) {
            return status == PXR_OK ? find_people(view, legs) : status;
        }
        pxr_view_release(view);
    }
}

void pxr_view_release(pxr_view_t *view)
{
    free(view->packed);
    free(view->legs);
    free(view->nodes);
    free(view->people);
    memset(view, 0, sizeof(*view));
}

/* Keeps refs sorted, newest first. */
static void insert(pxr_ref_t *refs, pxr_time_t *created, size_t count, pxr_ref_t ref, pxr_time_t at)
{
    size_t place = count;

    while (place > 0 && created[place - 1] < at) {
        created[place] = created[place - 1];
        refs[place] = refs[place - 1];
        place--;
    }
    created[place] = at;
    refs[place] = ref;
}

size_t pxr_store_list(const pxr_store_t *store, uint32_t workspace, const pxr_list_query_t *query,
                      pxr_ref_t *refs, pxr_time_t *created, bool *more)
{
    uint64_t room = query->room_id != NULL ? pxr_hash_text(query->room_id) : 0;
    size_t count = 0;

    *more = false;
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        pxr_ref_t ref = {.slot = link, .generation = pxr_word(&slot->generation)};
        uint32_t state;
        pxr_time_t at;

        if (pxr_word(&slot->state) != SLOT_TAKEN || slot->workspace != workspace ||
            pxr_chat_is_record(slot->id)) {
            continue;
        }
        state = pxr_word(&slot->life.state);
        at = slot->life.created_at;
        if (state > PXR_MEETING_ENDED || !query->states[state] ||
            (query->room_id != NULL && slot->room != room) ||
            (query->before != 0 && at >= query->before)) {
            continue;
        }
        if (count == query->limit) {
            *more = true;
            if (count == 0 || at < created[count - 1]) {
                continue;
            }
            count--;
        }
        insert(refs, created, count, ref, at);
        count++;
    }
    return count;
}
