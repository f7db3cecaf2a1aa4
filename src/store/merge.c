#include <stdlib.h>
#include <string.h>

#include "legs.h"
#include "names.h"
#include "stage.h"
#include "pxr_text.h"

/* Takes in meetings that the database has; shares and legs are merge_people.c's. */

/* What every machine knows of a meeting, put together. */
static void merge_life(pxr_meeting_t *life, const pxr_meeting_t *other, pxr_time_t now)
{
    life->started_at = pxr_time_first(life->started_at, other->started_at);
    life->last_end = pxr_time_later(life->last_end, other->last_end);
    life->crowded_until = pxr_time_later(life->crowded_until, other->crowded_until);
    life->closed = life->closed || other->closed;
    if (other->state == PXR_MEETING_ENDED) {
        life->state = PXR_MEETING_ENDED;
        life->ended_at = other->ended_at;
        life->inferred = other->inferred;
        life->visitors = other->visitors;
        life->shares = 0;
        life->present = 0;
        life->empty_since = 0;
        life->unhosted_since = 0;
    } else if (life->state == PXR_MEETING_OPEN && other->state == PXR_MEETING_LIVE &&
               other->era == life->era) {
        pxr_meeting_account(life, 0, 0, now);
    }
}

/* So many shares of one meeting can go on to another era at once. */
#define ERA_SHARES 280

/* Another machine has seen it empty and opened it again. Who is there by our own knowledge stays:
 * then it is live in the new era as well. */
static void adopt_era(pxr_tx_t *tx, uint32_t link, pxr_meeting_t *life, uint32_t era)
{
    const pxr_store_t *store = tx->store;
    bool alive = life->state == PXR_MEETING_LIVE && life->present > 0;

    if (alive && pxr_slot(store, link)->share_count > ERA_SHARES) {
        return; /* it stays in its own: the log has no room for more */
    }
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
    pxr_slot_merge_told(&tx, link, in->told);
    pxr_slot_put_life(&tx, link, &life, now);
    status = pxr_tx_commit(&tx);
    raise_last_join(slot, in->last_join);
    if (status == PXR_OK && in->calls[0] != '\0') {
        status = pxr_slot_merge_calls(store, link, in->calls);
    }
    return status == PXR_OK ? pxr_slot_fill_details(store, link, &in->details, true) : status;
}

/* The room that is to have this meeting only. Its key is made anew, so that a row that was changed
 * by hand takes no other room. */
static void take_room(const pxr_meeting_record_t *in, pxr_arrival_t *arrival, char *room)
{
    uint64_t hash = pxr_room_of(&in->details);

    if (in->single && hash != 0 && !in->life.closed && in->life.state != PXR_MEETING_ENDED) {
        pxr_room_key(hash, room);
        arrival->room = room;
        arrival->called = pxr_room_is_dialable(in->called) ? in->called : NULL;
    }
}

/* The record as something that can be entered; `tag`, `packed` and `room` receive what it needs. */
static bool make_arrival(const pxr_meeting_record_t *in, pxr_new_meeting_t *meeting,
                         pxr_arrival_t *arrival, char *tag, char *packed, char *room)
{
    memcpy(tag, in->tag, in->tag_len);
    tag[in->tag_len] = '\0';
    *meeting = (pxr_new_meeting_t){.id = in->id,
                                   .join_key = in->join_key,
                                   .host_key = in->host_key,
                                   .host_pin = in->host_pin,
                                   .guest_pin = in->guest_pin,
                                   .answer = in->answer,
                                   .answer_len = in->answer_len,
                                   .service_tag = tag,
                                   .breakouts = in->breakouts,
                                   .single = in->single,
                                   .life = in->life,
                                   .details = in->details};
    pxr_told_parse(in->told, &meeting->told);
    arrival->meeting = meeting;
    arrival->number = in->number[0] != '\0' ? in->number : NULL;
    arrival->calls = in->calls;
    take_room(in, arrival, room);
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

/* What events have said of a meeting before it was known. */
static void take_said(pxr_meeting_t *life, const pxr_meeting_t *said)
{
    life->state = said->state;
    life->started_at = said->started_at;
    life->last_end = said->last_end;
    life->crowded_until = said->crowded_until;
    life->empty_since = said->empty_since;
    life->unhosted_since = said->unhosted_since;
    life->shares = said->shares;
    life->present = said->present;
    life->era = said->era;
    life->ended_at = 0;
}

/* Events came before it: what they said is kept. */
static pxr_status_t complete(const pxr_store_t *store, uint32_t link,
                             const pxr_meeting_record_t *in, pxr_arrival_t *arrival, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    uint32_t names = slot->names;
    pxr_meeting_t life = in->life;
    pxr_status_t status;
    const char *texts = arrival->texts;
    size_t texts_len = in->answer_len + in->tag_len;
    uint64_t room = pxr_room_of(&in->details);
    pxr_tx_t tx;

    /* Those are added one by one: together with all its shares they would not fit into one log. */
    arrival->calls = NULL;
    pxr_tx_begin(&tx, store);
    if (tx.root.active >= store->segment->sizes.meetings ||
        tx.root.names_free < 2 + pxr_room_names(arrival) ||
        tx.root.blocks_free < pxr_blocks_for(texts_len) + pxr_blocks_for(arrival->packed_len)) {
        return PXR_FULL;
    }
    /* Nobody looks at these before the state says that it is a meeting. */
    memcpy(slot->join_key, in->join_key, sizeof(slot->join_key));
    memcpy(slot->host_key, in->host_key, sizeof(slot->host_key));
    slot->breakouts = in->breakouts;
    slot->single = in->single;
    slot->told = arrival->meeting->told;
    memcpy(slot->number, in->number, sizeof(slot->number));
    memcpy(slot->host_pin, in->host_pin, sizeof(slot->host_pin));
    memcpy(slot->guest_pin, in->guest_pin, sizeof(slot->guest_pin));
    pxr_tx_put(&tx, &slot->room, &room, sizeof(room));
    pxr_tx_put_word(&tx, &slot->answer, pxr_chain_new(&tx, texts, texts_len));
    pxr_tx_put_word(&tx, &slot->answer_len, (uint32_t)in->answer_len);
    pxr_tx_put_word(&tx, &slot->tag_len, (uint32_t)in->tag_len);
    pxr_tx_put_word(&tx, &slot->details, pxr_chain_new(&tx, arrival->packed, arrival->packed_len));
    pxr_tx_put_word(&tx, &slot->details_len, (uint32_t)arrival->packed_len);
    pxr_name_add(&tx, &names, link, PXR_NAME_JOIN, in->join_key);
    if (arrival->number != NULL && !arrival->unlisted) {
        pxr_name_add(&tx, &names, link, PXR_NAME_NUMBER, arrival->number);
    }
    pxr_slot_name_room(&tx, &names, link, arrival);
    pxr_tx_put_word(&tx, &slot->names, names);
    take_said(&life, &slot->life);
    if (in->life.era > life.era) {
        adopt_era(&tx, link, &life, in->life.era);
    }
    merge_life(&life, &in->life, now);
    tx.root.provisional--;
    tx.root.active++;
    pxr_slot_put_life(&tx, link, &life, now);
    pxr_tx_put_word(&tx, &slot->state, SLOT_TAKEN);
    /* Once more, because who looks without lock passes over what is no meeting yet. */
    pxr_slot_tell(&tx, link);
    raise_last_join(slot, in->last_join);
    status = pxr_tx_commit(&tx);
    return status == PXR_OK ? pxr_slot_merge_calls(store, link, in->calls) : status;
}

/* Whether another machine has told somebody of our creation: then it cannot be withdrawn any more.
 */
static bool is_used(const pxr_meeting_record_t *in)
{
    return in->last_join != 0 || in->life.state != PXR_MEETING_OPEN || in->life.closed;
}

static pxr_status_t adopt_own(const pxr_store_t *store, uint32_t link,
                              const pxr_meeting_record_t *in, pxr_time_t now)
{
    pxr_status_t status = pxr_slot_publish(store, link);

    return status == PXR_OK ? merge_known(store, link, in, now) : status;
}

static bool is_named(const pxr_store_t *store, uint32_t workspace, const char *text)
{
    return pxr_name_find(store, workspace, PXR_SPACE_DIAL, text, strlen(text)) != 0;
}

/* The database lets go of a number a little earlier than we do: until then it is not dialled here.
 */
static bool is_unlisted(const pxr_store_t *store, uint32_t workspace,
                        const pxr_meeting_record_t *in)
{
    return strcmp(in->number, in->id) == 0 || is_named(store, workspace, in->number);
}

/* A creation that waits for the database cannot have a name that somebody has there; it is told
 * `outcome`. Its own id is looked at elsewhere. */
static void make_way(const pxr_store_t *store, uint32_t workspace, pxr_space_t space,
                     const char *text, pxr_status_t outcome, pxr_time_t now)
{
    uint32_t name = pxr_name_find(store, workspace, space, text, strlen(text));
    uint32_t link =
        name != 0 && pxr_name(store, name)->kind != PXR_NAME_ID ? pxr_name(store, name)->slot : 0;
    uint32_t state = link != 0 ? pxr_slot(store, link)->state : (uint32_t)SLOT_FREE;

    if (state == SLOT_PENDING || state == SLOT_WITHDRAWN) {
        /* Whose call has that name finds the meeting when he tries again. */
        bool is_call = pxr_name(store, name)->kind == PXR_NAME_CALL;
        pxr_slot_dissolve(store, link, is_call ? PXR_EXISTS : outcome, now);
    }
}

/* Names that are not written yet give way to what the database has. True where a call has: whoever
 * asked for it is told of this meeting the next time. */
static bool clear_names(const pxr_store_t *store, uint32_t workspace,
                        const pxr_meeting_record_t *in, const pxr_arrival_t *arrival, uint32_t link,
                        pxr_time_t now)
{
    bool was_call;

    if (link == 0 || strcmp(pxr_slot(store, link)->join_key, in->join_key) != 0) {
        make_way(store, workspace, PXR_SPACE_DIAL, in->id, PXR_INVALID, now);
        make_way(store, workspace, PXR_SPACE_DIAL, in->number, PXR_INVALID, now);
        if (arrival->room != NULL) {
            make_way(store, workspace, PXR_SPACE_ROOM, arrival->room, PXR_EXISTS, now);
            pxr_room_make_way(store, workspace, arrival->room, link);
        }
    }
    was_call = pxr_calls_make_way(store, workspace, in->calls, link, now);
    return pxr_call_make_way(store, workspace, in->id, link, now) || was_call;
}

/* The maker of ours has given it up, and somebody has made another one of this id since. Who may be
 * in it is not known until it is heard of again. */
static pxr_status_t replace(const pxr_store_t *store, uint32_t workspace, uint32_t link,
                            const pxr_meeting_record_t *in, pxr_arrival_t *arrival, pxr_time_t now)
{
    bool live = pxr_slot(store, link)->life.state == PXR_MEETING_LIVE;
    pxr_status_t status = pxr_slot_dissolve(store, link, PXR_MISSING, now);

    if (status == PXR_OK) {
        arrival->unlisted = is_unlisted(store, workspace, in);
        status = enter_new(store, workspace, in, arrival, now);
    }
    if (status == PXR_OK && live) {
        pxr_slot_note_crowd(store, pxr_slot_by_id(store, workspace, in->id, strlen(in->id)), now);
    }
    return status;
}

static pxr_status_t take_in(const pxr_store_t *store, uint32_t workspace, uint32_t link,
                            const pxr_meeting_record_t *in, pxr_arrival_t *arrival, pxr_time_t now)
{
    uint32_t state = link != 0 ? pxr_slot(store, link)->state : (uint32_t)SLOT_FREE;
    bool same = link != 0 && strcmp(pxr_slot(store, link)->join_key, in->join_key) == 0;

    switch (state) {
    case SLOT_TAKEN:
        return same || pxr_slot(store, link)->life.state == PXR_MEETING_ENDED
                   ? merge_known(store, link, in, now)
                   : replace(store, workspace, link, in, arrival, now);
    case SLOT_PROVISIONAL:
        arrival->unlisted = is_unlisted(store, workspace, in);
        return complete(store, link, in, arrival, now);
    case SLOT_PENDING:
    case SLOT_WITHDRAWN:
        if (same) {
            /* Our own: it was written although nobody heard that it was. */
            return state == SLOT_PENDING || is_used(in) ? adopt_own(store, link, in, now) : PXR_OK;
        }
        pxr_slot_dissolve(store, link, PXR_EXISTS, now);
        break;
    default:
        break;
    }
    arrival->unlisted = is_unlisted(store, workspace, in);
    return is_named(store, workspace, in->id) ? PXR_TAKEN
                                              : enter_new(store, workspace, in, arrival, now);
}

static pxr_status_t merge_locked(const pxr_store_t *store, uint32_t workspace,
                                 const pxr_meeting_record_t *in, pxr_arrival_t *arrival,
                                 pxr_time_t now)
{
    uint32_t link = pxr_slot_by_id(store, workspace, in->id, strlen(in->id));
    bool was_call;
    pxr_status_t status;

    if (in->withdrawn) {
        /* Its maker gave it up, and nobody was told of it. Our own goes its own way. */
        return link != 0 && pxr_slot(store, link)->state == SLOT_TAKEN &&
                       strcmp(pxr_slot(store, link)->join_key, in->join_key) == 0
                   ? pxr_slot_dissolve(store, link, PXR_MISSING, now)
                   : PXR_OK;
    }
    was_call = clear_names(store, workspace, in, arrival, link, now);
    link = pxr_slot_by_id(store, workspace, in->id, strlen(in->id));
    status = take_in(store, workspace, link, in, arrival, now);
    link = pxr_slot_by_id(store, workspace, in->id, strlen(in->id));
    return status == PXR_OK && was_call && link != 0 ? pxr_slot_want(store, link, now) : status;
}

/* A row that nobody here has written could say anything. */
static bool is_sane(const pxr_meeting_record_t *record)
{
    return record->answer_len <= PXR_ANSWER_MAX && record->tag_len <= PXR_PEXIP_TEXT_MAX &&
           record->life.state >= PXR_MEETING_OPEN && record->life.state <= PXR_MEETING_ENDED &&
           (record->life.state != PXR_MEETING_ENDED || record->life.ended_at != 0);
}

pxr_status_t pxr_store_merge_meeting(const pxr_store_t *store, const pxr_meeting_record_t *record,
                                     pxr_time_t now)
{
    size_t texts_len = record->answer_len + record->tag_len;
    char *memory = malloc(PXR_DETAILS_MAX + texts_len + record->tag_len + 1);
    char *texts;
    char room[PXR_ROOM_KEY_LEN + 1];
    pxr_new_meeting_t meeting;
    pxr_arrival_t arrival = {0};
    uint32_t workspace;
    pxr_status_t status = pxr_store_workspace_number(store, record->workspace, &workspace);

    if (memory == NULL) {
        return PXR_BROKEN;
    }
    texts = memory + PXR_DETAILS_MAX;
    arrival.texts = texts;
    if (status == PXR_OK && !is_sane(record)) {
        status = PXR_INVALID;
    }
    if (status == PXR_OK) {
        memcpy(texts, record->answer, record->answer_len);
        memcpy(texts + record->answer_len, record->tag, record->tag_len);
        status = make_arrival(record, &meeting, &arrival, texts + texts_len, memory, room)
                     ? PXR_OK
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
