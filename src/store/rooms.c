#include <string.h>

#include "names.h"

/* Rooms that have one meeting only, and what else leads to that one. */

void pxr_room_key(uint64_t room, char out[PXR_ROOM_KEY_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < PXR_ROOM_KEY_LEN; i++) {
        out[i] = digits[room >> (60 - 4 * i) & 15];
    }
    out[PXR_ROOM_KEY_LEN] = '\0';
}

/* The next id of a list; NULL at its end. */
static const char *next_call(const char **list, char id[PXR_MEETING_ID_MAX + 1])
{
    size_t len;

    *list += strspn(*list, " ");
    len = strcspn(*list, " ");
    if (len == 0 || len > PXR_MEETING_ID_MAX) {
        return NULL;
    }
    memcpy(id, *list, len);
    id[len] = '\0';
    *list += len;
    return id;
}

static uint32_t count_calls(const char *list)
{
    char id[PXR_MEETING_ID_MAX + 1];
    uint32_t count = 0;

    while (list != NULL && next_call(&list, id) != NULL) {
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

void pxr_slot_name_room(pxr_tx_t *tx, uint32_t *siblings, uint32_t link, const pxr_arrival_t *in)
{
    uint32_t workspace = pxr_slot(tx->store, link)->workspace;
    char id[PXR_MEETING_ID_MAX + 1];
    const char *calls = in->calls;

    if (in->room != NULL && is_free(tx->store, workspace, PXR_SPACE_ROOM, in->room)) {
        pxr_name_add(tx, siblings, link, PXR_NAME_ROOM, in->room);
    }
    if (in->called != NULL && strcmp(in->called, in->meeting->id) != 0 &&
        is_free(tx->store, workspace, PXR_SPACE_DIAL, in->called)) {
        pxr_name_add(tx, siblings, link, PXR_NAME_CALLED, in->called);
    }
    while (calls != NULL && next_call(&calls, id) != NULL) {
        if (is_free(tx->store, workspace, PXR_SPACE_DIAL, id)) {
            pxr_name_add(tx, siblings, link, PXR_NAME_CALL, id);
        }
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

void pxr_slot_calls(const pxr_store_t *store, const pxr_slot_t *slot, char *calls, char *called)
{
    size_t used = 0;

    calls[0] = '\0';
    called[0] = '\0';
    for (uint32_t link = slot->names; link != 0; link = pxr_name(store, link)->sibling) {
        const pxr_name_t *name = pxr_name(store, link);
        if (name->kind == PXR_NAME_CALLED) {
            memcpy(called, name->text, (size_t)name->len + 1);
        } else if (name->kind == PXR_NAME_CALL && used + name->len + 1 < PXR_CALLS_TEXT) {
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

static pxr_status_t add_call(const pxr_store_t *store, uint32_t link, const char *id, bool quiet)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    uint32_t names = slot->names;
    pxr_tx_t tx;

    pxr_tx_begin(&tx, store);
    tx.quiet = tx.quiet || quiet;
    if (tx.root.names_free == 0 || calls_of(store, slot) >= PXR_CALLS_MAX) {
        return PXR_FULL;
    }
    pxr_name_add(&tx, &names, link, PXR_NAME_CALL, id);
    pxr_tx_put_word(&tx, &slot->names, names);
    pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
    pxr_slot_tell(&tx, link);
    return pxr_tx_commit(&tx);
}

pxr_status_t pxr_slot_merge_calls(const pxr_store_t *store, uint32_t link, const char *calls)
{
    char id[PXR_MEETING_ID_MAX + 1];
    pxr_status_t status = PXR_OK;

    while (status == PXR_OK && next_call(&calls, id) != NULL) {
        if (is_free(store, pxr_slot(store, link)->workspace, PXR_SPACE_DIAL, id)) {
            status = add_call(store, link, id, true);
        }
    }
    return status;
}

pxr_status_t pxr_slot_of_room(const pxr_store_t *store, uint32_t workspace, const pxr_arrival_t *in,
                              pxr_ref_t *ref)
{
    uint32_t name = in->room != NULL ? pxr_name_find(store, workspace, PXR_SPACE_ROOM, in->room,
                                                     strlen(in->room))
                                     : 0;
    uint32_t link = name != 0 ? pxr_name(store, name)->slot : 0;

    if (link == 0) {
        return PXR_MISSING;
    }
    ref->slot = link;
    ref->generation = pxr_name(store, name)->generation;
    if (pxr_slot(store, link)->state == SLOT_WITHDRAWN) {
        /* Nobody knows yet whether it is one; the keeper is about to take it back. */
        return PXR_BUSY;
    }
    return in->meeting->given ? add_call(store, link, in->meeting->id, false) : PXR_OK;
}
