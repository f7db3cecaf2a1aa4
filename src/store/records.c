#include <string.h>

#include "legs.h"
#include "names.h"

/* Copies of records as the database keeps them. */

static void copy_origin(const pxr_store_t *store, uint32_t workspace, char *out)
{
    memcpy(out, store->segment->origins[workspace], PXR_ORIGIN_MAX + 1);
}

/* Marks records that went with their share or era: nobody wrote to them, but they are not what the
 * database has any more. No log is needed: done twice it is done once. */
static void mark_changed(pxr_stamp_t *stamp)
{
    __atomic_store_n(&stamp->version, stamp->version + 1, __ATOMIC_RELEASE);
}

static void sweep_meeting(const pxr_store_t *store, pxr_slot_t *slot)
{
    if (slot->swept == slot->life.era || !pxr_is_kept(store)) {
        return;
    }
    for (uint32_t link = slot->shares; link != 0; link = pxr_share_slot(store, link)->next) {
        mark_changed(pxr_share_stamp(store, link));
    }
    for (uint32_t link = slot->legs; link != 0; link = pxr_leg_slot(store, link)->next) {
        mark_changed(pxr_leg_stamp(store, link));
    }
    __atomic_store_n(&slot->swept, slot->life.era, __ATOMIC_RELEASE);
}

static void sweep_share(const pxr_store_t *store, uint32_t share_link, const pxr_slot_t *slot)
{
    pxr_share_slot_t *share = pxr_share_slot(store, share_link);

    if (share->swept == share->share.epoch) {
        return;
    }
    for (uint32_t link = slot->legs; link != 0; link = pxr_leg_slot(store, link)->next) {
        const pxr_leg_slot_t *leg = pxr_leg_slot(store, link);
        if (leg->share == share_link && leg->leg.attached && leg->leg.epoch != share->share.epoch) {
            mark_changed(pxr_leg_stamp(store, link));
        }
    }
    __atomic_store_n(&share->swept, share->share.epoch, __ATOMIC_RELEASE);
}

static pxr_status_t copy_meeting(const pxr_store_t *store, pxr_slot_t *slot,
                                 pxr_meeting_copy_t *out)
{
    pxr_meeting_record_t *r = &out->record;

    memset(r, 0, sizeof(*r));
    copy_origin(store, slot->workspace, r->workspace);
    memcpy(r->id, slot->id, sizeof(r->id));
    memcpy(r->join_key, slot->join_key, sizeof(r->join_key));
    memcpy(r->host_key, slot->host_key, sizeof(r->host_key));
    memcpy(r->host_pin, slot->host_pin, sizeof(r->host_pin));
    memcpy(r->guest_pin, slot->guest_pin, sizeof(r->guest_pin));
    memcpy(r->number, slot->number, sizeof(r->number));
    r->breakouts = slot->breakouts != 0;
    r->single = slot->single != 0;
    if (r->single && slot->room != 0) {
        pxr_room_key(slot->room, r->room_key);
    }
    pxr_slot_calls(store, slot, r->calls, r->called);
    pxr_told_format(&slot->told, r->told);
    r->life = slot->life;
    r->life.shares = 0;
    r->life.present = 0;
    r->life.empty_since = 0;
    r->life.unhosted_since = 0;
    r->last_join = atomic_load(&slot->last_join);
    slot->join_copied = r->last_join;
    r->answer = out->texts;
    r->answer_len = slot->answer_len;
    r->tag = out->texts + slot->answer_len;
    r->tag_len = slot->tag_len;
    out->generation = slot->generation;
    if (r->answer_len + r->tag_len > sizeof(out->texts) ||
        !pxr_chain_read(store, slot->answer, r->answer_len + r->tag_len, out->texts) ||
        !pxr_chain_read(store, slot->details, slot->details_len, out->packed)) {
        return PXR_BROKEN;
    }
    return pxr_details_unpack(out->packed, slot->details_len, &r->details);
}

pxr_status_t pxr_store_copy_meeting(const pxr_store_t *store, pxr_change_t *change,
                                    pxr_meeting_copy_t *out)
{
    pxr_slot_t *slot = pxr_slot(store, change->link);
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    change->version = pxr_slot_stamp(store, change->link)->version;
    switch (slot->state) {
    case SLOT_TAKEN:
        out->standing = PXR_STANDING_KNOWN;
        sweep_meeting(store, slot);
        break;
    case SLOT_PENDING:
        out->standing = PXR_STANDING_PENDING;
        out->waiting_since = slot->queued_at;
        if (slot->single && !pxr_slot_room_is_vacant(store, change->link)) {
            status = PXR_BUSY;
        }
        break;
    case SLOT_WITHDRAWN:
        out->standing = PXR_STANDING_WITHDRAWN;
        break;
    case SLOT_PROVISIONAL:
        status = PXR_BUSY;
        break;
    default:
        status = PXR_MISSING;
        pxr_store_saved(store, change);
    }
    if (status == PXR_OK) {
        status = copy_meeting(store, slot, out);
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_copy_ending(const pxr_store_t *store, const pxr_ending_t *ending,
                                   pxr_meeting_copy_t *out)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    if (pxr_store_ending_holds(store, ending)) {
        status = copy_meeting(store, pxr_slot(store, ending->ref.slot), out);
        out->standing = PXR_STANDING_KNOWN;
        out->record.life = ending->after;
    } else {
        status = PXR_MISSING;
    }
    pxr_unlock(store);
    return status;
}

/* Whether something of this meeting can be written; its slot's state decides. */
static pxr_status_t may_write(const pxr_store_t *store, const pxr_change_t *change, bool taken,
                              uint32_t slot_link)
{
    uint32_t state = taken ? pxr_slot(store, slot_link)->state : (uint32_t)SLOT_FREE;

    switch (state) {
    case SLOT_TAKEN:
        return PXR_OK;
    case SLOT_PENDING:
    case SLOT_WITHDRAWN:
    case SLOT_PROVISIONAL:
        return PXR_BUSY;
    default:
        pxr_store_saved(store, change);
        return PXR_MISSING;
    }
}

pxr_status_t pxr_store_copy_share(const pxr_store_t *store, pxr_change_t *change,
                                  pxr_share_record_t *out)
{
    const pxr_share_slot_t *share = pxr_share_slot(store, change->link);
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    change->version = pxr_share_stamp(store, change->link)->version;
    status = may_write(store, change, share->taken != 0, share->slot);
    if (status == PXR_OK) {
        const pxr_slot_t *slot = pxr_slot(store, share->slot);
        copy_origin(store, slot->workspace, out->workspace);
        memcpy(out->meeting, slot->id, sizeof(out->meeting));
        out->share = share->share;
        out->share.open = share->share.open && share->share.era == slot->life.era &&
                          slot->life.state != PXR_MEETING_ENDED;
        sweep_share(store, change->link, slot);
    }
    pxr_unlock(store);
    return status;
}

/* When a leg left of which no farewell is known. */
static pxr_time_t left_at(const pxr_store_t *store, const pxr_leg_slot_t *leg,
                          const pxr_slot_t *slot)
{
    const pxr_share_t *share = leg->share != 0 ? &pxr_share_slot(store, leg->share)->share : NULL;

    if (share != NULL && !share->open && share->end_time > leg->leg.connected_at) {
        return share->end_time;
    }
    if (slot->life.state == PXR_MEETING_ENDED && slot->life.ended_at > leg->leg.connected_at) {
        return slot->life.ended_at;
    }
    return leg->leg.heard_at;
}

pxr_status_t pxr_store_copy_leg(const pxr_store_t *store, pxr_change_t *change,
                                pxr_leg_record_t *out)
{
    const pxr_leg_slot_t *leg = pxr_leg_slot(store, change->link);
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    change->version = pxr_leg_stamp(store, change->link)->version;
    status = may_write(store, change, leg->taken != 0, leg->slot);
    if (status == PXR_OK) {
        const pxr_slot_t *slot = pxr_slot(store, leg->slot);
        memset(out, 0, sizeof(*out));
        copy_origin(store, slot->workspace, out->workspace);
        memcpy(out->meeting, slot->id, sizeof(out->meeting));
        out->leg = leg->leg;
        pxr_leg_copy_name(store, change->link, out->name);
        if (leg->share != 0) {
            const pxr_share_t *share = &pxr_share_slot(store, leg->share)->share;
            memcpy(out->node, share->node, sizeof(out->node));
            out->scope = share->scope;
        }
        out->leg.attached = !pxr_leg_is_over(store, leg);
        if (!out->leg.attached && out->leg.left_at == 0) {
            out->leg.left_at = left_at(store, leg, slot);
        }
    }
    pxr_unlock(store);
    return status;
}
