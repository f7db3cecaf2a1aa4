#include <string.h>

#include "names.h"
#include "pxr_alias.h"

/* Rooms that have one meeting only, and what else leads to that one. */

void pxr_room_key(uint64_t room, char out[PXR_ROOM_KEY_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < PXR_ROOM_KEY_LEN; i++) {
        out[i] = digits[room >> (60 - 4 * i) & 15];
    }
    out[PXR_ROOM_KEY_LEN] = '\0';
}

bool pxr_room_is_dialable(const char *name)
{
    pxr_alias_t alias;

    /* In the database's table of aliases a slash tells rooms from what can be dialled. */
    return strchr(name, '/') == NULL && pxr_alias_parse(name, strlen(name), &alias) &&
           strcmp(alias.user, name) == 0;
}

static uint32_t count_calls(const char *list)
{
    char id[PXR_MEETING_ID_MAX + 1];
    uint32_t count = 0;

    while (list != NULL && count < PXR_CALLS_MAX && pxr_meeting_id_next(&list, id)) {
        count++;
    }
    return count;
}

uint32_t pxr_room_names(const pxr_arrival_t *in)
{
    return count_calls(in->calls) + (in->room != NULL ? 1 : 0) + (in->called != NULL ? 1 : 0);
}

static bool is_free(const pxr_store_t *store, uint32_t workspace, pxr_space_t space,
                    const char *text)
{
    return pxr_name_find(store, workspace, space, text, strlen(text)) == 0;
}

/* Whether it is one of the names that are being added, from `link` on: the index does not lead to
 * those yet. */
static bool is_added(const pxr_tx_t *tx, uint32_t link, pxr_space_t space, const char *text)
{
    while (link != 0) {
        const pxr_name_t *name = pxr_name(tx->store, link);
        if (pxr_name_space(name->kind) == space && strcmp(name->text, text) == 0) {
            return true;
        }
        link = pxr_tx_word(tx, &name->sibling);
    }
    return false;
}

static void add_name(pxr_tx_t *tx, uint32_t *siblings, uint32_t link, pxr_name_kind_t kind,
                     const char *text)
{
    pxr_space_t space = pxr_name_space(kind);

    if (is_free(tx->store, pxr_slot(tx->store, link)->workspace, space, text) &&
        !is_added(tx, *siblings, space, text)) {
        pxr_name_add(tx, siblings, link, kind, text);
    }
}

void pxr_slot_name_room(pxr_tx_t *tx, uint32_t *siblings, uint32_t link, const pxr_arrival_t *in)
{
    char id[PXR_MEETING_ID_MAX + 1];
    const char *calls = in->calls;
    uint32_t count = count_calls(calls);

    if (in->room != NULL) {
        add_name(tx, siblings, link, PXR_NAME_ROOM, in->room);
    }
    /* Anybody may name a room after another one's meeting, whose devices may write it in small
     * letters. */
    if (in->called != NULL &&
        !pxr_name_is_dialled(tx->store, pxr_slot(tx->store, link)->workspace, in->called)) {
        add_name(tx, siblings, link, PXR_NAME_CALLED, in->called);
    }
    for (uint32_t i = 0; i < count; i++) {
        pxr_meeting_id_next(&calls, id);
        add_name(tx, siblings, link, PXR_NAME_CALL, id);
    }
}

void pxr_slot_release_room(pxr_tx_t *tx, pxr_slot_t *slot)
{
    for (uint32_t link = pxr_tx_word(tx, &slot->names); link != 0;
         link = pxr_tx_word(tx, &pxr_name(tx->store, link)->sibling)) {
        const pxr_name_t *name = pxr_name(tx->store, link);
        if (name->kind == PXR_NAME_ROOM || name->kind == PXR_NAME_CALLED) {
            pxr_name_unlink(tx, link);
        }
    }
}

pxr_status_t pxr_room_make_way(const pxr_store_t *store, uint32_t workspace, const char *room,
                               uint32_t own)
{
    uint32_t name = pxr_name_find(store, workspace, PXR_SPACE_ROOM, room, strlen(room));
    uint32_t link = name != 0 ? pxr_name(store, name)->slot : 0;
    pxr_tx_t tx;

    if (link == 0 || link == own) {
        return PXR_OK;
    }
    pxr_tx_begin(&tx, store);
    pxr_slot_release_room(&tx, pxr_slot(store, link));
    return pxr_tx_commit(&tx);
}

/* One whose id is a meeting's by now is none any more. */
static bool is_call(const pxr_name_t *name)
{
    return name->kind == PXR_NAME_CALL && name->state == NAME_LINKED;
}

void pxr_slot_calls(const pxr_store_t *store, const pxr_slot_t *slot, char *calls, char *called)
{
    size_t used = 0;

    calls[0] = '\0';
    called[0] = '\0';
    for (uint32_t link = slot->names; link != 0; link = pxr_name(store, link)->sibling) {
        const pxr_name_t *name = pxr_name(store, link);
        if (name->kind == PXR_NAME_CALLED) {
            memcpy(called, name->text, (size_t)name->len + 1);
        } else if (is_call(name) && used + name->len + 1 < PXR_CALLS_TEXT) {
            if (used > 0) {
                calls[used++] = ' ';
            }
            memcpy(calls + used, name->text, (size_t)name->len + 1);
            used += name->len;
        }
    }
}

static uint32_t calls_of(const pxr_store_t *store, const pxr_slot_t *slot)
{
    uint32_t count = 0;

    for (uint32_t link = slot->names; link != 0; link = pxr_name(store, link)->sibling) {
        count += pxr_name(store, link)->kind == PXR_NAME_CALL;
    }
    return count;
}

/* `wishes` is what whoever calls wants, NULL for nothing: his own call ends with the meeting,
 * whoever has begun that. */
static pxr_status_t add_call(const pxr_store_t *store, uint32_t link, const char *id,
                             const pxr_told_t *wishes, bool quiet)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    pxr_task_t *callback = &slot->told.task[PXR_TASK_CALLBACK];
    uint32_t names = slot->names;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    tx.quiet = tx.quiet || quiet;
    if (tx.root.names_free == 0 || calls_of(store, slot) >= PXR_CALLS_MAX) {
        return PXR_FULL;
    }
    pxr_name_add(&tx, &names, link, PXR_NAME_CALL, id);
    pxr_tx_put_word(&tx, &slot->names, names);
    if (wishes != NULL && callback->state == PXR_TASK_NONE) {
        pxr_tx_put(&tx, callback, &wishes->task[PXR_TASK_CALLBACK], sizeof(*callback));
    }
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    pxr_slot_tell(&tx, link);
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_slot_merge_calls(const pxr_store_t *store, uint32_t link, const char *calls)
{
    char id[PXR_MEETING_ID_MAX + 1];
    pxr_status_t status = PXR_OK;

    while (status == PXR_OK && pxr_meeting_id_next(&calls, id)) {
        if (is_free(store, pxr_slot(store, link)->workspace, PXR_SPACE_DIAL, id)) {
            status = add_call(store, link, id, NULL, true);
        }
    }
    /* There is room for no more of them; of the meeting itself everything is known. */
    return status == PXR_FULL ? PXR_OK : status;
}

bool pxr_call_make_way(const pxr_store_t *store, uint32_t workspace, const char *id, uint32_t own,
                       pxr_time_t now)
{
    uint32_t link = pxr_name_find(store, workspace, PXR_SPACE_DIAL, id, strlen(id));
    uint32_t slot = link != 0 ? pxr_name(store, link)->slot : 0;
    uint32_t state = slot != 0 ? pxr_slot(store, slot)->state : (uint32_t)SLOT_FREE;
    pxr_tx_t tx;

    if (slot == 0 || slot == own) {
        return false;
    }
    if (pxr_name(store, link)->kind == PXR_NAME_CALL) {
        pxr_tx_begin(&tx, store);
        pxr_name_unlink(&tx, link);
        return pxr_tx_commit(&tx) == PXR_OK;
    }
    if (pxr_name(store, link)->kind == PXR_NAME_ID &&
        (state == SLOT_PENDING || state == SLOT_WITHDRAWN || state == SLOT_PROVISIONAL)) {
        pxr_slot_dissolve(store, slot, PXR_EXISTS, now);
    }
    return false;
}

bool pxr_calls_make_way(const pxr_store_t *store, uint32_t workspace, const char *calls,
                        uint32_t own, pxr_time_t now)
{
    char id[PXR_MEETING_ID_MAX + 1];
    bool was_call = false;

    while (pxr_meeting_id_next(&calls, id)) {
        was_call = pxr_call_make_way(store, workspace, id, own, now) || was_call;
    }
    return was_call;
}

/* The id of a call that is to lead to a meeting that is there already. What is typed into a room
 * must leave room for the calls of the app, whose ids are asked for. */
static pxr_status_t take_call(const pxr_store_t *store, uint32_t link, const pxr_new_meeting_t *in,
                              pxr_time_t now)
{
    uint32_t most = in->casual ? PXR_CALLS_CASUAL : PXR_CALLS_MAX;
    pxr_status_t status = PXR_TOO_LONG;

    if (calls_of(store, pxr_slot(store, link)) < most) {
        status = add_call(store, link, in->id, &in->told, false);
    }
    return status != PXR_OK && in->casual ? pxr_slot_want(store, link, now) : status;
}

/* Its time is over, and the room is to have another one, although nobody has ended it yet. */
static bool is_expired(const pxr_slot_t *slot, pxr_time_t now)
{
    return slot->state == SLOT_TAKEN && pxr_meeting_verdict(&slot->life, now) == PXR_ENDED;
}

pxr_status_t pxr_slot_of_room(const pxr_store_t *store, uint32_t workspace, const pxr_arrival_t *in,
                              pxr_ref_t *ref)
{
    pxr_time_t now = in->meeting->life.created_at;
    uint32_t name = in->room != NULL ? pxr_name_find(store, workspace, PXR_SPACE_ROOM, in->room,
                                                     strlen(in->room))
                                     : 0;
    uint32_t link = name != 0 ? pxr_name(store, name)->slot : 0;
    pxr_status_t status;

    if (link == 0) {
        return PXR_MISSING;
    }
    if (is_expired(pxr_slot(store, link), now)) {
        status = pxr_slot_close(store, link, now);
        return status == PXR_OK ? PXR_MISSING : status;
    }
    ref->slot = link;
    ref->generation = pxr_name(store, name)->generation;
    if (pxr_slot(store, link)->state == SLOT_WITHDRAWN) {
        /* Nobody knows yet whether it is one; the keeper is about to take it back. */
        return PXR_BUSY;
    }
    status = pxr_slot_want(store, link, now);
    return status == PXR_OK && in->meeting->given ? take_call(store, link, in->meeting, now)
                                                  : status;
}

bool pxr_slot_room_is_vacant(const pxr_store_t *store, uint32_t link)
{
    const pxr_slot_t *slot = pxr_slot(store, link);

    for (uint32_t at = 1; at <= store->segment->slots; at++) {
        const pxr_stamp_t *stamp = pxr_slot_stamp(store, at);
        const pxr_slot_t *other = pxr_slot(store, at);
        if (stamp->version != stamp->saved && at != link && other->single &&
            other->room == slot->room && other->workspace == slot->workspace &&
            other->state == SLOT_TAKEN && other->vacated != 0 &&
            (int32_t)(stamp->saved - other->vacated) < 0) {
            return false;
        }
    }
    return true;
}
