#include <string.h>

#include "legs.h"
#include "names.h"
#include "stage.h"

/* Takes in shares and legs that the database has. What comes from there is an event like any other:
 * the newest that was heard of it, with everything that was said before. */

/* Finds the meeting that a share or leg is part of. With the lock on success. */
static pxr_status_t enter(const pxr_store_t *store, const char *origin, const char *meeting,
                          pxr_stage_t *stage)
{
    uint32_t workspace;
    pxr_status_t status = pxr_store_workspace_number(store, origin, &workspace);

    memset(stage, 0, sizeof(*stage));
    if (status == PXR_OK) {
        status = pxr_lock(store);
    }
    if (status != PXR_OK) {
        return status;
    }
    stage->slot = pxr_slot_by_id(store, workspace, meeting, strlen(meeting));
    if (stage->slot == 0 || pxr_slot(store, stage->slot)->state != SLOT_TAKEN) {
        pxr_unlock(store);
        return PXR_MISSING;
    }
    stage->scene.meeting = pxr_slot(store, stage->slot)->life;
    return PXR_OK;
}

static pxr_status_t put_quietly(const pxr_store_t *store, pxr_stage_t *stage, unsigned changed,
                                bool home, pxr_time_t now)
{
    pxr_status_t status;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    tx.quiet = true;
    status = pxr_stage_put(&tx, stage, changed, home, now);
    return status == PXR_OK ? pxr_tx_commit(&tx) : status;
}

/* What the node's word says of a leg in a share of which something newer is known here, too. */
static bool is_gone(const pxr_leg_t *leg, const pxr_share_t *share, const pxr_share_t *in)
{
    if (leg->order.source != in->order.source) {
        return false;
    }
    if (!in->open) {
        return in->end_time != 0 && pxr_order_compare(&leg->order, &in->order) < 0;
    }
    return in->start_time > share->start_time && leg->order.time != 0 &&
           leg->order.time + PXR_CLOCK_TOLERANCE < in->start_time;
}

/* The end of a share, or its new beginning after a node's restart, is the end of those who came
 * before it, and not of those who came after it and were heard of here only. */
static void drop_gone(const pxr_store_t *store, pxr_stage_t *stage, const pxr_share_t *in,
                      pxr_time_t now)
{
    const pxr_slot_t *slot = pxr_slot(store, stage->slot);
    uint32_t next;

    for (uint32_t link = stage->share != 0 ? slot->legs : 0; link != 0; link = next) {
        const pxr_leg_slot_t *leg = pxr_leg_slot(store, link);
        next = leg->next;
        if (leg->share == stage->share && pxr_leg_is_in(&leg->leg, &stage->scene.share) &&
            is_gone(&leg->leg, &stage->scene.share, in)) {
            pxr_leg_leave(store, link, 0, now);
            stage->scene.share = pxr_share_slot(store, stage->share)->share;
        }
    }
    stage->scene.meeting = slot->life;
}

/* When the hosting began that two machines tell of: the later beginning is the newer one's, unless
 * one has heard the node's publisher begin again, which may have put its clock back. */
static pxr_time_t beginning_of(const pxr_share_t *in, const pxr_share_t *share)
{
    bool anew = in->start_time != 0 && in->order.source == share->order.source &&
                pxr_run_is_comparable(in->order.run, share->order.run) &&
                in->order.run > share->order.run;

    return anew ? in->start_time : pxr_time_later(in->start_time, share->start_time);
}

static unsigned merge_share(pxr_stage_t *stage, const pxr_share_t *in, pxr_time_t now)
{
    pxr_share_t *share = &stage->scene.share;
    pxr_time_t known_last = share->last_at;
    pxr_time_t known_start = share->start_time;
    pxr_event_t event;
    unsigned changed = PXR_CHANGED_SHARE;

    memset(&event, 0, sizeof(event));
    event.kind = in->open ? PXR_EVENT_CONFERENCE_STARTED : PXR_EVENT_CONFERENCE_ENDED;
    event.start_time = beginning_of(in, share);
    event.end_time = in->end_time;
    event.time = in->order.time;
    event.seq = in->order.seq;
    if (in->open && share->open) {
        share->start_time = event.start_time;
    } else if (in->open && pxr_order_compare(&in->order, &share->order) > 0) {
        /* It was opened again by somebody who came: when it began is not known. */
        event.start_time = in->start_time > share->end_time ? in->start_time : 0;
    }
    if (stage->share == 0 && !in->open) {
        /* That it was there is worth knowing, and changes nothing. */
        *share = *in;
        share->known = in->order.source != 0;
        share->epoch = 0;
        share->present = 0;
    } else {
        changed = pxr_event_apply(&stage->scene, &event, &in->order, now);
        if (stage->share != 0 && (in->last_at > known_last || share->start_time != known_start)) {
            changed |= PXR_CHANGED_SHARE;
        }
    }
    share->last_at = pxr_time_later(known_last, in->last_at);
    return changed;
}

pxr_status_t pxr_store_merge_share(const pxr_store_t *store, const pxr_share_record_t *record,
                                   pxr_time_t now)
{
    const pxr_share_t *in = &record->share;
    pxr_stage_t stage;
    pxr_status_t status = enter(store, record->workspace, record->meeting, &stage);

    if (status != PXR_OK) {
        return status;
    }
    pxr_stage_share(store, &stage, in->node, in->scope);
    /* Of one that only farewells spoke of there is nothing more to know. What is over since the
     * meeting was opened again is over. */
    if (stage.share != 0 && in->order.source == 0) {
        status = PXR_OK;
    } else if (!in->open || in->era >= stage.scene.meeting.era) {
        unsigned changed;
        if (in->open || pxr_order_compare(&in->order, &stage.scene.share.order) < 0) {
            drop_gone(store, &stage, in, now);
        }
        changed = merge_share(&stage, in, now);
        status = put_quietly(store, &stage, changed, false, now);
    }
    pxr_unlock(store);
    return status;
}

/* Whether the record knows something newer of it than is known here. Where nothing here is newer
 * than what the database had, it always does. */
static bool is_news(const pxr_leg_t *leg, const pxr_leg_t *in, bool supersedes, pxr_said_t what)
{
    return supersedes || !leg->known || in->said_at[what] > leg->said_at[what];
}

/* The record as an event that says what is new. */
static void make_leg_event(const pxr_leg_t *leg, const pxr_leg_record_t *record, bool supersedes,
                           pxr_event_t *event)
{
    const pxr_leg_t *in = &record->leg;

    memset(event, 0, sizeof(*event));
    event->kind = in->attached ? PXR_EVENT_CONNECTED : PXR_EVENT_DISCONNECTED;
    event->time = in->order.time;
    event->seq = in->order.seq;
    event->end_time = in->left_at;
    event->connect_time = in->connected_at;
    memcpy(event->uuid, in->uuid, sizeof(event->uuid));
    if (is_news(leg, in, supersedes, PXR_SAID_NAME)) {
        memcpy(event->name, record->name, sizeof(event->name));
    }
    if (is_news(leg, in, supersedes, PXR_SAID_PROTOCOL)) {
        memcpy(event->protocol, in->protocol, sizeof(event->protocol));
    }
    if (is_news(leg, in, supersedes, PXR_SAID_SERVICE)) {
        event->service = (pxr_service_t)in->service;
    }
    if (is_news(leg, in, supersedes, PXR_SAID_ROLE)) {
        event->role = (pxr_role_t)in->role;
        event->has_role = in->said_at[PXR_SAID_ROLE] != 0;
    }
    if (is_news(leg, in, supersedes, PXR_SAID_MEDIA)) {
        event->has_media = (pxr_answer3_t)in->has_media;
    }
    if (is_news(leg, in, supersedes, PXR_SAID_STREAMING)) {
        event->is_streaming = (pxr_answer3_t)in->is_streaming;
    }
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        event->has_related = event->has_related || in->related[i] != 0;
    }
}

/* Another machine heard more of it before the newest that was heard here: that is still news, and
 * changes nothing about where it is. */
static bool is_older_news(const pxr_leg_t *leg, const pxr_leg_t *in)
{
    bool news = false;

    for (int what = 0; what < PXR_SAID; what++) {
        news = news || in->said_at[what] > leg->said_at[what];
    }
    return news && leg->known && leg->attached && in->attached &&
           pxr_order_compare(&in->order, &leg->order) < 0;
}

/* Applies the record. Returns what it changed. */
static unsigned merge_leg(pxr_stage_t *stage, const pxr_leg_record_t *record, bool supersedes,
                          pxr_time_t now)
{
    const pxr_leg_t *in = &record->leg;
    pxr_leg_t before = stage->scene.leg;
    pxr_order_t order = in->order;
    pxr_event_t event;
    unsigned changed;

    make_leg_event(&before, record, supersedes, &event);
    if (is_older_news(&before, in)) {
        order = before.order;
        event.kind = PXR_EVENT_UPDATED;
        event.time = order.time;
        event.seq = order.seq;
    }
    changed = pxr_event_apply(&stage->scene, &event, &order, now);
    for (int what = 0; what < PXR_SAID && (changed & PXR_CHANGED_LEG); what++) {
        stage->scene.leg.said_at[what] = is_news(&before, in, supersedes, (pxr_said_t)what)
                                             ? in->said_at[what]
                                             : before.said_at[what];
    }
    return changed;
}

/* What counts whichever of the two is newer. */
static unsigned merge_leg_history(pxr_leg_t *leg, const pxr_leg_t *in, pxr_time_t heard_at)
{
    pxr_leg_t before = *leg;

    leg->heard_at = pxr_time_later(heard_at, in->heard_at);
    leg->connected_at = pxr_time_first(leg->connected_at, in->connected_at);
    if (in->quality_at > leg->quality_at) {
        leg->quality = in->quality;
        leg->quality_at = in->quality_at;
    }
    if (in->worst_quality > leg->worst_quality) {
        leg->worst_quality = in->worst_quality;
    }
    return memcmp(&before, leg, sizeof(before)) != 0 ? PXR_CHANGED_LEG : 0;
}

/* It was in another meeting by what is known here. True where it has come from there. */
static pxr_status_t leave_other(const pxr_store_t *store, const pxr_leg_record_t *in,
                                uint32_t workspace, pxr_stage_t *stage, pxr_time_t now, bool *came)
{
    uint32_t known = pxr_leg_find(store, workspace, in->leg.uuid, false);
    const pxr_leg_t *leg = known != 0 ? &pxr_leg_slot(store, known)->leg : NULL;

    *came = false;
    if (leg == NULL || !in->leg.attached || !leg->attached ||
        pxr_leg_slot(store, known)->slot == stage->slot) {
        return PXR_OK;
    }
    if (pxr_order_compare(&in->leg.order, &leg->order) < 0) {
        return PXR_MISSING;
    }
    *came = true;
    return pxr_leg_leave(store, known, in->leg.order.time, now);
}

/* Who has left a room that he came to from where he is by what is known here has left that place,
 * too; a farewell from another room is otherwise no last one. */
static void stage_home(const pxr_store_t *store, const pxr_leg_record_t *in, pxr_stage_t *stage)
{
    const pxr_leg_slot_t *known = stage->leg != 0 ? pxr_leg_slot(store, stage->leg) : NULL;
    const pxr_leg_t *leg = known != NULL ? &known->leg : NULL;

    bool later = leg != NULL && in->leg.closed && in->leg.order.source == leg->order.source &&
                 in->leg.joined_seq > leg->order.seq && in->leg.order.time >= leg->order.time;

    if (leg != NULL && known->share != 0 && !in->leg.attached && leg->attached &&
        (later || pxr_is_saved(store, pxr_leg_stamp(store, stage->leg)))) {
        const pxr_share_t *home = &pxr_share_slot(store, known->share)->share;
        pxr_stage_share(store, stage, home->node, home->scope);
    } else {
        pxr_stage_share(store, stage, in->node, in->scope);
    }
}

/* The database had all that is known of the leg here when another machine, which had read that,
 * wrote this: nothing has to be weighed. What is known of the share still counts. */
static void forget_leg(pxr_leg_t *leg, const pxr_leg_t *in)
{
    if (in->attached ? leg->closed : in->closed && leg->attached) {
        leg->known = 0;
        leg->closed = 0;
    }
}

static bool is_sane(const pxr_leg_t *leg)
{
    return leg->service <= PXR_SERVICE_OTHER && leg->role <= PXR_ROLE_HOST &&
           leg->has_media <= PXR_YES && leg->is_streaming <= PXR_YES &&
           leg->quality <= PXR_QUALITY_TERRIBLE && leg->worst_quality <= PXR_QUALITY_TERRIBLE;
}

pxr_status_t pxr_store_merge_leg(const pxr_store_t *store, const pxr_leg_record_t *record,
                                 pxr_time_t now)
{
    const pxr_leg_t *in = &record->leg;
    pxr_stage_t stage;
    pxr_time_t heard_at;
    pxr_time_t last_at;
    bool came;
    bool moved;
    bool supersedes;
    unsigned changed = 0;
    pxr_status_t status =
        is_sane(in) ? enter(store, record->workspace, record->meeting, &stage) : PXR_INVALID;

    if (status != PXR_OK) {
        return status;
    }
    stage.leg = pxr_leg_find_in(store, stage.slot, in->uuid);
    status = leave_other(store, record, pxr_slot(store, stage.slot)->workspace, &stage, now, &came);
    if (status == PXR_OK) {
        /* Leaving may have changed this meeting's shares, but not which there are. */
        stage.scene.meeting = pxr_slot(store, stage.slot)->life;
        stage_home(store, record, &stage);
        pxr_stage_leg(store, &stage, in->uuid, came);
        stage.scene.conversation = in->conversation;
        memcpy(stage.scene.related, in->related, sizeof(stage.scene.related));
        heard_at = stage.scene.leg.heard_at;
        last_at = stage.scene.share.last_at;
        supersedes = stage.leg != 0 && pxr_is_saved(store, pxr_leg_stamp(store, stage.leg));
        if (supersedes) {
            forget_leg(&stage.scene.leg, in);
        }
        if (in->attached || in->closed) {
            changed = merge_leg(&stage, record, supersedes, now);
        } else if (supersedes && stage.scene.leg.attached) {
            changed = pxr_leg_drop(&stage.scene, now);
        }
        moved = (changed & PXR_CHANGED_LEG) != 0;
        if (moved && (stage.scene.leg.attached != 0) == (in->attached != 0) &&
            (in->attached || in->joined_seq != 0)) {
            stage.scene.leg.joined_seq = in->joined_seq;
            stage.scene.leg.joined_run = in->joined_run;
        }
        if (moved || stage.leg != 0) {
            changed |= merge_leg_history(&stage.scene.leg, in, heard_at);
        }
        if ((changed & PXR_CHANGED_LEG) && stage.leg == 0 && store->segment->root.free_legs == 0) {
            pxr_legs_reclaim(store, 256, now);
        }
        /* Nobody has heard the node just now. */
        stage.scene.share.last_at = stage.share != 0 ? last_at : in->heard_at;
        status = changed != 0 ? put_quietly(store, &stage, changed, moved, now) : PXR_OK;
        if (status == PXR_FULL && in->attached) {
            pxr_slot_note_crowd(store, stage.slot, now);
        }
    }
    pxr_unlock(store);
    return status;
}
