#include <stdlib.h>
#include <string.h>

#include "names.h"

_Static_assert(PXR_DETAILS_MAX >=
                   4 * PXR_TITLE_CHARS + 3 * 4 * PXR_NAME_CHARS + 4 * 4 * PXR_ID_CHARS + 64,
               "the longest texts of the API must fit");

/* Fills in what an existing meeting lacks. */
static pxr_status_t fill_details(const pxr_store_t *store, uint32_t link, const pxr_details_t *more)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_details_t details;
    pxr_status_t status = PXR_BROKEN;
    char old[PXR_DETAILS_MAX];
    char packed[PXR_DETAILS_MAX];
    pxr_tx_t tx;

    if (pxr_chain_read(store, slot->details, slot->details_len, old)) {
        status = pxr_details_unpack(old, slot->details_len, &details);
    }
    if (status == PXR_OK && pxr_details_fill(&details, more)) {
        size_t len = pxr_details_pack(&details, packed, sizeof(packed));
        uint32_t chain;
        pxr_tx_begin(&tx, store);
        chain = pxr_chain_new(&tx, packed, len);
        if (chain == 0) {
            status = PXR_FULL;
        } else {
            pxr_chain_free(&tx, slot->details, slot->details_len);
            pxr_tx_put_word(&tx, &slot->details, chain);
            pxr_tx_put_word(&tx, &slot->details_len, (uint32_t)len);
            status = pxr_tx_commit(&tx);
        }
    }
    return status;
}

/* The first candidate that nothing in the workspace is named after, or NULL. */
static const char *free_number(const pxr_store_t *store, uint32_t workspace,
                               const pxr_new_meeting_t *in)
{
    for (size_t i = 0; i < in->number_count; i++) {
        if (strcmp(in->numbers[i], in->id) != 0 &&
            pxr_name_find(store, workspace, false, in->numbers[i], strlen(in->numbers[i])) == 0) {
            return in->numbers[i];
        }
    }
    return NULL;
}

static pxr_status_t take_slot(const pxr_store_t *store, uint32_t workspace,
                              const pxr_new_meeting_t *in, const char *number, const char *texts,
                              const char *packed, size_t packed_len, pxr_ref_t *ref)
{
    size_t tag_len = strlen(in->service_tag);
    uint32_t wanted = pxr_blocks_for(in->answer_len + tag_len) + pxr_blocks_for(packed_len);
    uint32_t names = 0;
    uint32_t link;
    pxr_slot_t *slot;
    pxr_slot_t fresh;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    if (tx.root.active >= store->segment->sizes.meetings || tx.root.slots_free == 0 ||
        tx.root.names_free < 3 || tx.root.blocks_free < wanted) {
        return PXR_FULL;
    }
    link = tx.root.free_slots;
    slot = pxr_slot(store, link);

    memset(&fresh, 0, sizeof(fresh));
    fresh.generation = slot->generation;
    fresh.workspace = workspace;
    fresh.breakouts = in->breakouts;
    fresh.answer_len = (uint32_t)in->answer_len;
    fresh.tag_len = (uint32_t)tag_len;
    fresh.details_len = (uint32_t)packed_len;
    fresh.room =
        in->details.len[PXR_ROOM_ID] > 0 ? pxr_text_hash(store, in->details.text[PXR_ROOM_ID]) : 0;
    memcpy(fresh.id, in->id, strlen(in->id) + 1);
    memcpy(fresh.join_key, in->join_key, strlen(in->join_key) + 1);
    memcpy(fresh.host_pin, in->host_pin, strlen(in->host_pin) + 1);
    memcpy(fresh.guest_pin, in->guest_pin, strlen(in->guest_pin) + 1);
    if (number != NULL) {
        memcpy(fresh.number, number, strlen(number) + 1);
    }
    fresh.life = in->life;
    /* Lists page by the moment of creation, so no two meetings may share one. */
    if (fresh.life.created_at <= tx.root.last_created) {
        fresh.life.created_at = tx.root.last_created + 1;
    }
    tx.root.last_created = fresh.life.created_at;

    tx.root.free_slots = slot->next;
    tx.root.slots_free--;
    tx.root.active++;
    fresh.answer = pxr_chain_new(&tx, texts, in->answer_len + tag_len);
    fresh.details = pxr_chain_new(&tx, packed, packed_len);
    /* The slot is not reachable and its link to the next free one is kept, so that a death before
     * the commit leaves the free list whole. */
    fresh.next = slot->next;
    memcpy(slot, &fresh, sizeof(fresh));
    pxr_name_add(&tx, &names, link, PXR_NAME_ID, in->id);
    pxr_name_add(&tx, &names, link, PXR_NAME_JOIN, in->join_key);
    if (number != NULL) {
        pxr_name_add(&tx, &names, link, PXR_NAME_NUMBER, number);
    }
    slot->names = names;
    pxr_tx_put_word(&tx, &slot->next, 0);
    pxr_tx_put_word(&tx, &slot->state, SLOT_TAKEN);
    pxr_tx_put(&tx, &pxr_due(store)[link - 1], &fresh.life.expires_at, sizeof(int64_t));
    ref->slot = link;
    ref->generation = fresh.generation;
    return pxr_tx_commit(&tx);
}

static pxr_status_t create_locked(const pxr_store_t *store, uint32_t workspace,
                                  const pxr_new_meeting_t *in, const char *texts,
                                  const char *packed, size_t packed_len, pxr_ref_t *ref,
                                  bool *created)
{
    size_t id_len = strlen(in->id);
    uint32_t known = pxr_name_find(store, workspace, false, in->id, id_len);
    const char *number = NULL;

    *created = false;
    if (known != 0) {
        const pxr_name_t *name = pxr_name(store, known);
        if (name->kind != PXR_NAME_ID) {
            return PXR_EXISTS;
        }
        ref->slot = name->slot;
        ref->generation = name->generation;
        return fill_details(store, name->slot, &in->details);
    }
    if (in->number_count > 0 && (number = free_number(store, workspace, in)) == NULL) {
        return PXR_INVALID;
    }
    *created = true;
    return take_slot(store, workspace, in, number, texts, packed, packed_len, ref);
}

pxr_status_t pxr_store_create(const pxr_store_t *store, uint32_t workspace,
                              const pxr_new_meeting_t *in, pxr_ref_t *ref, bool *created)
{
    size_t tag_len = strlen(in->service_tag);
    char *memory = malloc(PXR_DETAILS_MAX + in->answer_len + tag_len);
    char *texts = memory + PXR_DETAILS_MAX;
    pxr_status_t status = PXR_BROKEN;
    size_t packed_len;

    if (memory == NULL) {
        return PXR_BROKEN;
    }
    memcpy(texts, in->answer, in->answer_len);
    memcpy(texts + in->answer_len, in->service_tag, tag_len);
    packed_len = pxr_details_pack(&in->details, memory, PXR_DETAILS_MAX);
    if (packed_len == 0) {
        status = PXR_TOO_LONG;
    } else {
        status = pxr_lock(store);
        if (status == PXR_OK) {
            status = create_locked(store, workspace, in, texts, memory, packed_len, ref, created);
            pxr_unlock(store);
        }
    }
    free(memory);
    return status;
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
    if (link == 0) {
        status = PXR_MISSING;
    } else {
        pxr_slot_t *slot = pxr_slot(store, link);
        pxr_meeting_t life = slot->life;
        pxr_tx_t tx;
        if (pxr_meeting_close(&life, now)) {
            pxr_tx_begin(&tx, store);
            pxr_slot_put_life(&tx, link, &life, now);
            status = pxr_tx_commit(&tx);
        }
    }
    pxr_unlock(store);
    return status;
}

void pxr_slot_put_life(pxr_tx_t *tx, uint32_t link, const pxr_meeting_t *life, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(tx->store, link);
    int64_t due = pxr_meeting_due(life, 0);

    pxr_tx_put(tx, &slot->life, life, sizeof(*life));
    if (life->state == PXR_MEETING_ENDED && slot->life.state != PXR_MEETING_ENDED) {
        pxr_queue_t *queue = &tx->root.ended;
        due = PXR_TIME_NEVER;
        tx->root.active--;
        pxr_tx_put(tx, &slot->queued_at, &now, sizeof(now));
        pxr_queue_push(tx, queue, link, &slot->next,
                       queue->tail != 0 ? &pxr_slot(tx->store, queue->tail)->next : NULL);
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
        pxr_share_t *copy = &view->nodes[view->node_count++];
        *copy = share->share;
        copy->open = share->share.open && share->share.era == slot->life.era &&
                     slot->life.state != PXR_MEETING_ENDED;
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
    uint64_t room = query->room_id != NULL ? pxr_text_hash(store, query->room_id) : 0;
    size_t count = 0;

    *more = false;
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        pxr_ref_t ref = {.slot = link, .generation = pxr_word(&slot->generation)};
        uint32_t state;
        pxr_time_t at;

        if (pxr_word(&slot->state) != SLOT_TAKEN || slot->workspace != workspace) {
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
