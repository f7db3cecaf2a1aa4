#include <stdlib.h>
#include <string.h>

#include "legs.h"
#include "names.h"
#include "stage.h"
#include "pxr_text.h"

/* Takes in what the database has. A share or leg that comes from there is an event like any other:
 * the newest that was heard of it, with everything that was said before. */

static pxr_time_t earliest(pxr_time_t a, pxr_time_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static pxr_time_t latest(pxr_time_t a, pxr_time_t b)
{
    return a > b ? a : b;
}

/* What every machine knows of a meeting, put together. */
static void merge_life(pxr_meeting_t *life, const pxr_meeting_t *other, pxr_time_t now)
{
    life->started_at = earliest(life->started_at, other->started_at);
    life->last_end = latest(life->last_end, other->last_end);
    life->crowded_until = latest(life->crowded_until, other->crowded_until);
    life->closed = life->closed || other->closed;
    if (other->state == PXR_MEETING_ENDED) {
        life->state = PXR_MEETING_ENDED;
        life->ended_at = other->ended_at;
        life->inferred = other->inferred;
        life->shares = 0;
        life->present = 0;
        life->empty_since = 0;
        life->unhosted_since = 0;
    } else if (life->state == PXR_MEETING_OPEN && other->state == PXR_MEETING_LIVE &&
               other->era == life->era) {
        pxr_meeting_account(life, 0, 0, now);
    }
}

/* Another machine has seen it empty and opened it again. Who is there by our own knowledge stays:
 * then it is live in the new era as well. */
static void adopt_era(pxr_tx_t *tx, uint32_t link, pxr_meeting_t *life, uint32_t era)
{
    const pxr_store_t *store = tx->store;
    bool alive = life->state == PXR_MEETING_LIVE && life->present > 0;

    for (uint32_t at = pxr_slot(store, link)->shares; at != 0 && alive;
         at = pxr_share_slot(store, at)->next) {
        pxr_share_slot_t *share = pxr_share_slot(store, at);
        if (share->share.open && share->share.era == life->era) {
            pxr_tx_put_word(tx, &share->share.era, era);
        }
    }
    /* With the meeting the database is told of all its shares. */
    if (alive) {
        pxr_tx_touch(tx, pxr_slot_stamp(store, link));
    }
    life->era = era;
    if (!alive && life->state == PXR_MEETING_LIVE) {
        life->state = PXR_MEETING_OPEN;
        life->crowded_until = 0;
        life->shares = 0;
        life->present = 0;
        life->empty_since = 0;
        life->unhosted_since = 0;
    }
}

static void raise_last_join(pxr_slot_t *slot, pxr_time_t last_join)
{
    int64_t known = atomic_load(&slot->last_join);

    while (known < last_join &&
           !atomic_compare_exchange_weak(&slot->last_join, &known, last_join)) {
    }
    if (slot->join_saved < last_join) {
        slot->join_saved = last_join;
    }
}

static pxr_status_t merge_known(const pxr_store_t *store, uint32_t link,
                                const pxr_meeting_record_t *in, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_meeting_t life = slot->life;
    pxr_status_t status;
    pxr_tx_t tx;

    if (strcmp(slot->join_key, in->join_key) != 0) {
        return PXR_EXISTS;
    }
    pxr_tx_begin(&tx, store);
    if (in->life.era > life.era) {
        adopt_era(&tx, link, &life, in->life.era);
    }
    tx.quiet = true;
    merge_life(&life, &in->life, now);
    pxr_slot_put_life(&tx, link, &life, now);
    status = pxr_tx_commit(&tx);
    raise_last_join(slot, in->last_join);
    return status == PXR_OK ? pxr_slot_fill_details(store, link, &in->details, true) : status;
}

/* The record as something that can be entered; texts[] receives answer and service tag. */
static bool make_arrival(const pxr_meeting_record_t *in, pxr_new_meeting_t *meeting,
                         pxr_arrival_t *arrival, char *tag, char *packed)
{
    memcpy(tag, in->tag, in->tag_len);
    tag[in->tag_len] = '\0';
    *meeting = (pxr_new_meeting_t){.id = in->id,
                                   .join_key = in->join_key,
                                   .host_pin = in->host_pin,
                                   .guest_pin = in->guest_pin,
                                   .answer = in->answer,
                                   .answer_len = in->answer_len,
                                   .service_tag = tag,
                                   .breakouts = in->breakouts,
                                   .life = in->life,
                                   .details = in->details};
    arrival->meeting = meeting;
    arrival->number = in->number[0] != '\0' ? in->number : NULL;
    arrival->packed = packed;
    arrival->packed_len = pxr_details_pack(&in->details, packed, PXR_DETAILS_MAX);
    arrival->state = SLOT_TAKEN;
    arrival->from_database = true;
    return arrival->packed_len > 0;
}

static pxr_status_t enter_new(const pxr_store_t *store, uint32_t workspace,
                              const pxr_meeting_record_t *in, const pxr_arrival_t *arrival,
                              pxr_time_t now)
{
    bool live = in->life.state == PXR_MEETING_LIVE;
    pxr_status_t status;
    uint32_t link = 0;

    status = pxr_slot_take(store, workspace, arrival, &link);
    if (status == PXR_OK) {
        raise_last_join(pxr_slot(store, link), in->last_join);
    }
    if (status == PXR_OK && live) {
        /* Its shares and legs come after it; without any it drains from now on. */
        pxr_meeting_t life = pxr_slot(store, link)->life;
        pxr_tx_t tx;
        pxr_tx_begin(&tx, store);
        tx.quiet = true;
        pxr_meeting_account(&life, 0, 0, now);
        pxr_slot_put_life(&tx, link, &life, now);
        status = pxr_tx_commit(&tx);
    }
    return status;
}

/* Events came before it: what they said is kept. */
static pxr_status_t complete(const pxr_store_t *store, uint32_t link,
                             const pxr_meeting_record_t *in, const pxr_arrival_t *arrival,
                             pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    uint32_t names = slot->names;
    pxr_meeting_t life = in->life;
    const char *texts = arrival->texts;
    size_t texts_len = in->answer_len + in->tag_len;
    uint64_t room =
        in->details.len[PXR_ROOM_ID] > 0 ? pxr_hash_text(in->details.text[PXR_ROOM_ID]) : 0;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    if (tx.root.active >= store->segment->sizes.meetings || tx.root.names_free < 2 ||
        tx.root.blocks_free < pxr_blocks_for(texts_len) + pxr_blocks_for(arrival->packed_len)) {
        return PXR_FULL;
    }
    /* Nobody looks at these before the state says that it is a meeting. */
    memcpy(slot->join_key, in->join_key, sizeof(slot->join_key));
    memcpy(slot->number, in->number, sizeof(slot->number));
    memcpy(slot->host_pin, in->host_pin, sizeof(slot->host_pin));
    memcpy(slot->guest_pin, in->guest_pin, sizeof(slot->guest_pin));
    pxr_tx_put(&tx, &slot->room, &room, sizeof(room));
    pxr_tx_put_word(&tx, &slot->breakouts, in->breakouts);
    pxr_tx_put_word(&tx, &slot->answer, pxr_chain_new(&tx, texts, texts_len));
    pxr_tx_put_word(&tx, &slot->answer_len, (uint32_t)in->answer_len);
    pxr_tx_put_word(&tx, &slot->tag_len, (uint32_t)in->tag_len);
    pxr_tx_put_word(&tx, &slot->details, pxr_chain_new(&tx, arrival->packed, arrival->packed_len));
    pxr_tx_put_word(&tx, &slot->details_len, (uint32_t)arrival->packed_len);
    pxr_name_add(&tx, &names, link, PXR_NAME_JOIN, in->join_key);
    if (arrival->number != NULL && !arrival->unlisted) {
        pxr_name_add(&tx, &names, link, PXR_NAME_NUMBER, arrival->number);
    }
    pxr_tx_put_word(&tx, &slot->names, names);
    life.state = slot->life.state;
    life.started_at = slot->life.started_at;
    life.last_end = slot->life.last_end;
    life.crowded_until = slot->life.crowded_until;
    life.empty_since = slot->life.empty_since;
    life.unhosted_since = slot->life.unhosted_since;
    life.shares = slot->life.shares;
    life.present = slot->life.present;
    life.era = slot->life.era;
    life.ended_at = 0;
    if (in->life.era > life.era) {
        adopt_era(&tx, link, &life, in->life.era);
    }
    merge_life(&life, &in->life, now);
    tx.root.provisional--;
    tx.root.active++;
    pxr_slot_put_life(&tx, link, &life, now);
    pxr_tx_put_word(&tx, &slot->state, SLOT_TAKEN);
    return pxr_tx_commit(&tx);
}

static bool is_named(const pxr_store_t *store, uint32_t workspace, const char *text)
{
    return pxr_name_find(store, workspace, false, text, strlen(text)) != 0;
}

/* A creation that waits for the database cannot have a name that somebody has there. */
static void make_way(const pxr_store_t *store, uint32_t workspace, const char *text, pxr_time_t now)
{
    uint32_t name = pxr_name_find(store, workspace, false, text, strlen(text));
    uint32_t link = name != 0 && pxr_name(store, name)->kind == PXR_NAME_NUMBER
                        ? pxr_name(store, name)->slot
                        : 0;
    uint32_t state = link != 0 ? pxr_slot(store, link)->state : (uint32_t)SLOT_FREE;

    if (state == SLOT_PENDING || state == SLOT_WITHDRAWN) {
        pxr_slot_dissolve(store, link, PXR_INVALID, now);
    }
}

static pxr_status_t merge_locked(const pxr_store_t *store, uint32_t workspace,
                                 const pxr_meeting_record_t *in, pxr_arrival_t *arrival,
                                 pxr_time_t now)
{
    uint32_t link = pxr_slot_by_id(store, workspace, in->id, strlen(in->id));
    uint32_t state = link != 0 ? pxr_slot(store, link)->state : (uint32_t)SLOT_FREE;
    bool same = link != 0 && strcmp(pxr_slot(store, link)->join_key, in->join_key) == 0;

    if (in->withdrawn) {
        /* Its maker gave it up, and nobody was told of it. Our own goes its own way. */
        return link != 0 && same && state == SLOT_TAKEN
                   ? pxr_slot_dissolve(store, link, PXR_MISSING, now)
                   : PXR_OK;
    }
    if (!same) {
        make_way(store, workspace, in->id, now);
        make_way(store, workspace, in->number, now);
    }
    /* The database lets go of a number a little earlier than we do: until then it is not dialled
     * here. */
    arrival->unlisted = is_named(store, workspace, in->number);
    switch (state) {
    case SLOT_TAKEN:
        return merge_known(store, link, in, now);
    case SLOT_PROVISIONAL:
        return complete(store, link, in, arrival, now);
    case SLOT_PENDING:
    case SLOT_WITHDRAWN:
        if (same) {
            /* Our own: it was written although nobody heard that it was. */
            return state == SLOT_PENDING ? pxr_slot_publish(store, link) : PXR_OK;
        }
        pxr_slot_dissolve(store, link, PXR_EXISTS, now);
        arrival->unlisted = is_named(store, workspace, in->number);
        break;
    default:
        break;
    }
    return is_named(store, workspace, in->id) ? PXR_TAKEN
                                              : enter_new(store, workspace, in, arrival, now);
}

pxr_status_t pxr_store_merge_meeting(const pxr_store_t *store, const pxr_meeting_record_t *record,
                                     pxr_time_t now)
{
    size_t texts_len = record->answer_len + record->tag_len;
    char *memory = malloc(PXR_DETAILS_MAX + texts_len + record->tag_len + 1);
    char *texts;
    pxr_new_meeting_t meeting;
    pxr_arrival_t arrival = {0};
    uint32_t workspace;
    pxr_status_t status = pxr_store_workspace_number(store, record->workspace, &workspace);

    if (memory == NULL) {
        return PXR_BROKEN;
    }
    texts = memory + PXR_DETAILS_MAX;
    arrival.texts = texts;
    if (status == PXR_OK) {
        memcpy(texts, record->answer, record->answer_len);
        memcpy(texts + record->answer_len, record->tag, record->tag_len);
        status = make_arrival(record, &meeting, &arrival, texts + texts_len, memory) ? PXR_OK
                                                                                     : PXR_INVALID;
    }
    if (status == PXR_OK) {
        status = pxr_lock(store);
    }
    if (status == PXR_OK) {
        status = merge_locked(store, workspace, record, &arrival, now);
        pxr_unlock(store);
    }
    free(memory);
    return status;
}

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
    return share->start_time != 0 && in->start_time > share->start_time && leg->order.time != 0 &&
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

static unsigned merge_share(pxr_stage_t *stage, const pxr_share_t *in, pxr_time_t now)
{
    pxr_share_t *share = &stage->scene.share;
    pxr_time_t known_last = share->last_at;
    pxr_time_t known_start = share->start_time;
    pxr_event_t event;
    unsigned changed = PXR_CHANGED_SHARE;

    memset(&event, 0, sizeof(event));
    event.kind = in->open ? PXR_EVENT_CONFERENCE_STARTED : PXR_EVENT_CONFERENCE_ENDED;
    event.start_time = latest(in->start_time, share->start_time);
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
    share->last_at = latest(known_last, in->last_at);
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

static void make_leg_event(const pxr_leg_t *leg, pxr_event_t *event)
{
    memset(event, 0, sizeof(*event));
    event->kind = leg->attached ? PXR_EVENT_CONNECTED : PXR_EVENT_DISCONNECTED;
    memcpy(event->uuid, leg->uuid, sizeof(event->uuid));
    memcpy(event->name, leg->name, sizeof(event->name));
    memcpy(event->protocol, leg->protocol, sizeof(event->protocol));
    event->time = leg->order.time;
    event->seq = leg->order.seq;
    event->end_time = leg->left_at;
    event->service = (pxr_service_t)leg->service;
    event->role = (pxr_role_t)leg->role;
    event->has_role = leg->role != PXR_ROLE_UNKNOWN;
    event->has_media = (pxr_answer3_t)leg->has_media;
    event->is_streaming = (pxr_answer3_t)leg->is_streaming;
    event->connect_time = leg->connected_at;
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        event->has_related = event->has_related || leg->related[i] != 0;
    }
}

/* What counts whichever of the two is newer. */
static unsigned merge_leg_history(pxr_leg_t *leg, const pxr_leg_t *in, pxr_time_t heard_at)
{
    pxr_leg_t before = *leg;

    leg->heard_at = latest(heard_at, in->heard_at);
    leg->connected_at = earliest(leg->connected_at, in->connected_at);
    if (in->quality_at > leg->quality_at) {
        leg->quality = in->quality;
        leg->quality_at = in->quality_at;
    }
    if (in->worst_quality > leg->worst_quality) {
        leg->worst_quality = in->worst_quality;
    }
    if (leg->name[0] == '\0') {
        memcpy(leg->name, in->name, sizeof(leg->name));
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

pxr_status_t pxr_store_merge_leg(const pxr_store_t *store, const pxr_leg_record_t *record,
                                 pxr_time_t now)
{
    const pxr_leg_t *in = &record->leg;
    pxr_event_t event;
    pxr_stage_t stage;
    pxr_time_t heard_at;
    pxr_time_t last_at;
    bool came;
    bool moved;
    bool older;
    unsigned changed = 0;
    pxr_status_t status = enter(store, record->workspace, record->meeting, &stage);

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
        older = stage.leg != 0 && pxr_is_saved(store, pxr_leg_stamp(store, stage.leg));
        if (older) {
            forget_leg(&stage.scene.leg, in);
        }
        if (in->attached || in->closed) {
            make_leg_event(in, &event);
            changed = pxr_event_apply(&stage.scene, &event, &in->order, now);
        } else if (older && stage.scene.leg.attached) {
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
