#include <string.h>

#include "legs.h"
#include "names.h"
#include "pxr_keep.h"
#include "pxr_text.h"

/* Takes a person out of meetings that have ended. Nothing of it is written to the database, which
 * has done so before. */

/* Slots that are looked at before the lock is given to others. */
#define SLOTS_AT_ONCE 64

typedef struct {
    uint32_t workspace;
    const char *who;
    const char *nobody;
    pxr_time_t asked_at;
    char shown[PXR_NAME_CHARS + 1]; /* names of participants are shorter than others */
} person_t;

static bool is_text(const pxr_details_t *details, pxr_detail_t which, const char *text)
{
    return details->len[which] == strlen(text) &&
           memcmp(details->text[which], text, details->len[which]) == 0;
}

static pxr_status_t erase_creator(const pxr_store_t *store, uint32_t link, const person_t *person)
{
    pxr_slot_t *slot = pxr_slot(store, link);
    char packed[PXR_DETAILS_MAX];
    pxr_details_t details;
    pxr_status_t status;
    bool found = false;
    pxr_tx_t tx;

    if (!pxr_chain_read(store, slot->details, slot->details_len, packed) ||
        pxr_details_unpack(packed, slot->details_len, &details) != PXR_OK) {
        return PXR_BROKEN;
    }
    for (pxr_detail_t i = PXR_CREATOR_ID; i <= PXR_CREATOR_NAME; i++) {
        found = found || is_text(&details, i, person->who);
    }
    if (!found) {
        return PXR_OK;
    }
    for (pxr_detail_t i = PXR_CREATOR_ID; i <= PXR_CREATOR_NAME; i++) {
        details.text[i] = person->nobody;
        details.len[i] = strlen(person->nobody);
    }
    pxr_tx_begin(&tx, store);
    tx.quiet = true;
    status = pxr_slot_put_details(&tx, link, &details);
    return status == PXR_OK ? pxr_tx_commit(&tx) : status;
}

static pxr_status_t erase_leg(const pxr_store_t *store, uint32_t link, const person_t *person)
{
    char name[PXR_NAME_CHARS + 1];
    pxr_tx_t tx;

    pxr_leg_copy_name(store, link, name);
    if (strcmp(name, person->shown) != 0) {
        return PXR_OK;
    }
    pxr_tx_begin(&tx, store);
    tx.quiet = true;
    pxr_leg_put_name(&tx, link, person->nobody);
    return pxr_tx_commit(&tx);
}

static pxr_status_t erase_in(const pxr_store_t *store, uint32_t link, const person_t *person)
{
    const pxr_slot_t *slot = pxr_slot(store, link);
    pxr_status_t status;

    if (slot->state != SLOT_TAKEN || slot->workspace != person->workspace ||
        slot->life.state != PXR_MEETING_ENDED || slot->life.created_at > person->asked_at) {
        return PXR_OK;
    }
    status = erase_creator(store, link, person);
    for (uint32_t leg = slot->legs; status == PXR_OK && leg != 0;
         leg = pxr_leg_slot(store, leg)->next) {
        status = erase_leg(store, leg, person);
    }
    return status;
}

pxr_status_t pxr_store_erase_person(const pxr_store_t *store, const char *workspace,
                                    const char *who, const char *nobody, pxr_time_t asked_at)
{
    uint32_t slots = store->segment->slots;
    person_t person = {.who = who, .nobody = nobody, .asked_at = asked_at};
    pxr_status_t status = PXR_OK;

    if (pxr_store_workspace_number(store, workspace, &person.workspace) != PXR_OK) {
        return PXR_OK;
    }
    pxr_text_copy(person.shown, sizeof(person.shown), who, strlen(who));
    for (uint32_t from = 1; status == PXR_OK && from <= slots; from += SLOTS_AT_ONCE) {
        status = pxr_lock(store);
        if (status != PXR_OK) {
            return status;
        }
        for (uint32_t link = from; status == PXR_OK && link <= slots && link < from + SLOTS_AT_ONCE;
             link++) {
            status = erase_in(store, link, &person);
        }
        pxr_unlock(store);
    }
    return status;
}
