#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "legs.h"
#include "names.h"

/* How often each record was met on a list; every one must be met exactly once. */
typedef struct {
    const pxr_store_t *store;
    unsigned char *slots, *names, *blocks, *legs, *shares, *publishers;
    uint32_t long_names;
    char *why;
    size_t why_size;
    bool broken;
} check_t;

static void complain(check_t *c, const char *what, uint32_t link)
{
    if (!c->broken) {
        snprintf(c->why, c->why_size, "%s (record %u)", what, link);
    }
    c->broken = true;
}

/* Notes that the record was met; false where it cannot be or was met before. */
static bool meet(check_t *c, unsigned char *seen, uint32_t size, uint32_t link, const char *what)
{
    if (link == 0 || link > size || seen[link - 1]++ != 0) {
        complain(c, what, link);
        return false;
    }
    return true;
}

#define IS_TEXT(field) (memchr((field), 0, sizeof(field)) != NULL)

/* What has no list, but is followed or read as text all the same. */
static void check_head(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;
    bool sound = s->workspaces <= PXR_WORKSPACES_MAX && s->invite_first < PXR_INVITES &&
                 s->invite_count <= PXR_INVITES && IS_TEXT(s->machine) && IS_TEXT(s->mark.epoch);

    for (uint32_t i = 0; i < PXR_WORKSPACES_MAX; i++) {
        sound = sound && IS_TEXT(s->origins[i]);
    }
    for (uint32_t i = 0; i < PXR_INVITES; i++) {
        sound = sound && IS_TEXT(s->invites[i].user);
    }
    if (!sound) {
        complain(c, "head is wrong", 0);
    }
}

static void check_chain(check_t *c, uint32_t link, size_t len, const char *what)
{
    for (uint32_t i = 0; i < pxr_blocks_for(len); i++) {
        if (!meet(c, c->blocks, c->store->segment->blocks, link, what)) {
            return;
        }
        link = pxr_block(c->store, link)->next;
    }
}

static void check_free_slots(check_t *c)
{
    const pxr_root_t *root = &c->store->segment->root;
    uint32_t count = 0;

    for (uint32_t link = root->free_slots; link != 0; count++) {
        if (!meet(c, c->slots, c->store->segment->slots, link, "free slot met twice")) {
            return;
        }
        if (pxr_slot(c->store, link)->state != SLOT_FREE) {
            complain(c, "slot on the free list is not free", link);
        }
        link = pxr_slot(c->store, link)->next;
    }
    if (count != root->slots_free) {
        complain(c, "count of free slots is wrong", count);
    }
}

#define CHECK_FREE(c, seen, size, head, number, accessor, link_field, what) \
    do { \
        uint32_t count_ = 0; \
        for (uint32_t link_ = (head); link_ != 0; count_++) { \
            if (!meet(c, (c)->seen, size, link_, what)) { \
                break; \
            } \
            link_ = accessor((c)->store, link_)->link_field; \
        } \
        if (count_ != (number) && !(c)->broken) { \
            complain(c, what ": count is wrong", count_); \
        } \
    } while (0)

static void check_free_lists(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;
    const pxr_root_t *root = &s->root;

    check_free_slots(c);
    CHECK_FREE(c, names, s->names, root->free_names, root->names_free, pxr_name, sibling,
               "free name");
    CHECK_FREE(c, blocks, s->blocks, root->free_blocks, root->blocks_free, pxr_block, next,
               "free block");
    CHECK_FREE(c, legs, s->legs, root->free_legs, root->legs_free, pxr_leg_slot, next, "free leg");
    CHECK_FREE(c, shares, s->shares, root->free_shares, root->shares_free, pxr_share_slot, next,
               "free share");
    CHECK_FREE(c, publishers, s->publishers, root->free_publishers, root->publishers_free,
               pxr_publisher_slot, next, "free publisher");
}

static void check_name(check_t *c, uint32_t link, bool linked)
{
    const pxr_name_t *name = pxr_name(c->store, link);
    uint32_t found;

    if (name->len > PXR_ALIAS_MAX || !IS_TEXT(name->text)) {
        complain(c, "name is longer than any", link);
        return;
    }
    found =
        pxr_name_find(c->store, name->workspace, pxr_name_space(name->kind), name->text, name->len);
    if (linked != (found == link) || name->state != (linked ? NAME_LINKED : NAME_UNLINKED)) {
        complain(c, "name is not where the index should lead", link);
    }
}

static bool is_named(const pxr_slot_t *slot)
{
    return slot->state == SLOT_TAKEN || slot->state == SLOT_PENDING ||
           slot->state == SLOT_WITHDRAWN || slot->state == SLOT_PROVISIONAL;
}

/* Where nobody can join any more the room may have another meeting. Before that is heard here the
 * room may have given way already, as a call may have to a meeting of its id. */
static bool is_released(const pxr_slot_t *slot, const pxr_name_t *name)
{
    bool of_room = name->kind == PXR_NAME_ROOM || name->kind == PXR_NAME_CALLED;
    bool over = slot->life.closed || slot->life.state == PXR_MEETING_ENDED;

    return (of_room && over) ||
           ((of_room || name->kind == PXR_NAME_CALL) && name->state == NAME_UNLINKED);
}

static void check_names_of(check_t *c, uint32_t slot_link, const pxr_slot_t *slot)
{
    bool named = is_named(slot);

    for (uint32_t link = slot->names; link != 0;) {
        const pxr_name_t *name;
        if (!meet(c, c->names, c->store->segment->names, link, "name met twice")) {
            return;
        }
        name = pxr_name(c->store, link);
        if (named && (name->slot != slot_link || name->generation != slot->generation)) {
            complain(c, "name leads to another meeting", link);
        }
        check_name(c, link, named && !is_released(slot, name));
        link = name->sibling;
    }
}

static void check_shares_of(check_t *c, uint32_t slot_link, const pxr_slot_t *slot)
{
    uint32_t count = 0;
    uint32_t open = 0;
    uint32_t present = 0;
    uint32_t last = 0;

    for (uint32_t link = slot->shares; link != 0; count++) {
        const pxr_share_slot_t *share;
        if (!meet(c, c->shares, c->store->segment->shares, link, "share met twice")) {
            return;
        }
        share = pxr_share_slot(c->store, link);
        if (!share->taken || share->slot != slot_link || !IS_TEXT(share->share.node)) {
            complain(c, "share belongs to another meeting", link);
        }
        if (share->share.open && share->share.era == slot->life.era) {
            open++;
            present += share->share.present;
        }
        last = link;
        link = share->next;
    }
    if (count != slot->share_count || last != slot->share_tail) {
        complain(c, "list of shares is wrong", slot_link);
    }
    if (slot->life.state != PXR_MEETING_ENDED &&
        (open != slot->life.shares || present != slot->life.present)) {
        complain(c, "counts of a meeting differ from its shares", slot_link);
    }
}

/* Whether the leg's share is one of its meeting. */
static bool has_sound_share(const check_t *c, const pxr_leg_slot_t *leg)
{
    return leg->share == 0 || (leg->share <= c->store->segment->shares &&
                               pxr_share_slot(c->store, leg->share)->slot == leg->slot);
}

static void check_leg_name(check_t *c, uint32_t link, const pxr_leg_name_t *name)
{
    bool is_long = name->len > sizeof(name->text);

    if (name->len > PXR_NAME_CHARS || is_long != (name->rest != 0)) {
        complain(c, "name of a leg has a wrong length", link);
    } else if (is_long) {
        check_chain(c, name->rest, name->len - sizeof(name->text), "block of a leg's name");
        c->long_names++;
    }
}

static void check_legs_of(check_t *c, uint32_t slot_link, const pxr_slot_t *slot)
{
    uint32_t count = 0;
    uint32_t present = 0;
    uint32_t previous = 0;

    for (uint32_t link = slot->legs; link != 0; count++) {
        const pxr_leg_slot_t *leg;
        if (!meet(c, c->legs, c->store->segment->legs, link, "leg met twice")) {
            return;
        }
        leg = pxr_leg_slot(c->store, link);
        if (!leg->taken || leg->slot != slot_link || leg->prev != previous ||
            !has_sound_share(c, leg) || !IS_TEXT(leg->leg.uuid) || !IS_TEXT(leg->leg.protocol)) {
            complain(c, "leg is on a wrong list", link);
            return;
        }
        if (pxr_leg_find(c->store, slot->workspace, leg->leg.uuid, false) == 0) {
            complain(c, "leg is not in the index", link);
        }
        check_leg_name(c, link, &leg->name);
        present += pxr_leg_is_over(c->store, leg) ? 0 : leg->leg.present;
        previous = link;
        link = leg->next;
    }
    if (count != slot->leg_count) {
        complain(c, "count of legs is wrong", slot_link);
    }
    if (slot->life.state != PXR_MEETING_ENDED && present != slot->life.present) {
        complain(c, "people of a meeting differ from its legs", slot_link);
    }
}

static void check_texts_of(check_t *c, uint32_t link, const pxr_slot_t *slot)
{
    if (slot->workspace >= PXR_WORKSPACES_MAX || slot->answer_len > PXR_ANSWER_MAX ||
        slot->tag_len > PXR_PEXIP_TEXT_MAX || slot->details_len > PXR_DETAILS_MAX ||
        !IS_TEXT(slot->id) || !IS_TEXT(slot->join_key) || !IS_TEXT(slot->host_key) ||
        !IS_TEXT(slot->number) || !IS_TEXT(slot->host_pin) || !IS_TEXT(slot->guest_pin)) {
        complain(c, "meeting has a text that is none", link);
    }
}

static void check_slots(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;
    uint32_t active = 0;
    uint32_t provisional = 0;

    for (uint32_t link = 1; link <= s->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(c->store, link);
        if (slot->state == SLOT_FREE) {
            continue;
        }
        check_texts_of(c, link, slot);
        if (is_named(slot) && slot->life.state != PXR_MEETING_ENDED) {
            active += slot->state != SLOT_PROVISIONAL;
            provisional += slot->state == SLOT_PROVISIONAL;
            meet(c, c->slots, s->slots, link, "running meeting is on a queue");
        }
        check_chain(c, slot->answer, (size_t)slot->answer_len + slot->tag_len,
                    "block of an answer");
        check_chain(c, slot->details, slot->details_len, "block of details");
        check_names_of(c, link, slot);
        check_shares_of(c, link, slot);
        check_legs_of(c, link, slot);
    }
    if (active != s->root.active || provisional != s->root.provisional) {
        complain(c, "count of running meetings is wrong", active);
    }
    if (c->long_names != s->root.long_names) {
        complain(c, "count of long names is wrong", c->long_names);
    }
}

static void check_slot_queue(check_t *c, const pxr_queue_t *queue, bool resting)
{
    uint32_t last = 0;

    for (uint32_t link = queue->head; link != 0;
         last = link, link = pxr_slot(c->store, link)->next) {
        const pxr_slot_t *slot;
        if (!meet(c, c->slots, c->store->segment->slots, link, "queued slot met twice")) {
            return;
        }
        slot = pxr_slot(c->store, link);
        if ((slot->state == SLOT_RESTING) != resting ||
            (slot->state != SLOT_TAKEN && slot->state != SLOT_LEAVING && !resting) ||
            slot->life.state != PXR_MEETING_ENDED) {
            complain(c, "slot is in a wrong queue", link);
        }
    }
    if (last != queue->tail) {
        complain(c, "tail of a queue is wrong", last);
    }
}

static void check_name_queue(check_t *c, const pxr_queue_t *queue, bool linked)
{
    uint32_t last = 0;

    for (uint32_t link = queue->head; link != 0;) {
        if (!meet(c, c->names, c->store->segment->names, link, "queued name met twice")) {
            return;
        }
        check_name(c, link, linked);
        last = link;
        link = pxr_name(c->store, link)->sibling;
    }
    if (last != queue->tail) {
        complain(c, "tail of a queue of names is wrong", last);
    }
}

static void check_publishers(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;

    for (uint32_t i = 0; i < PXR_PUBLISHER_BUCKETS; i++) {
        for (uint32_t link = s->publisher_buckets[i]; link != 0;) {
            const pxr_publisher_slot_t *publisher;
            if (!meet(c, c->publishers, s->publishers, link, "publisher met twice")) {
                return;
            }
            publisher = pxr_publisher_slot(c->store, link);
            if (publisher->workspace >= PXR_WORKSPACES_MAX || !IS_TEXT(publisher->node) ||
                !IS_TEXT(publisher->user)) {
                complain(c, "publisher has a text that is none", link);
            }
            link = publisher->next;
        }
    }
}

/* A name that is met twice is on a chain that goes in a circle, and then there are too many. */
static void check_name_index(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;
    uint32_t linked = 0;
    uint32_t met = 0;

    for (uint32_t link = 1; link <= s->names; link++) {
        linked += pxr_name(c->store, link)->state == NAME_LINKED;
    }
    for (uint32_t i = 0; i < s->name_buckets; i++) {
        for (uint32_t link = pxr_name_buckets(c->store)[i]; link != 0;) {
            const pxr_name_t *name;
            if (link > s->names || ++met > linked) {
                complain(c, "index leads in a circle or to nowhere", link);
                return;
            }
            name = pxr_name(c->store, link);
            if (name->state != NAME_LINKED || (name->hash & (s->name_buckets - 1)) != i) {
                complain(c, "index leads to a name that is not in it", link);
            }
            link = name->next;
        }
    }
    if (met != linked) {
        complain(c, "index does not lead to all names", met);
    }
}

/* What is on no list of a meeting or queue is on a free list, and must look so: some work goes over
 * whole tables. */
static void check_free_records(check_t *c)
{
    const pxr_segment_t *s = c->store->segment;
    uint32_t names = 0;
    uint32_t legs = 0;
    uint32_t shares = 0;
    uint32_t publishers = 0;

    for (uint32_t link = 1; link <= s->names; link++) {
        names += pxr_name(c->store, link)->state == NAME_FREE;
    }
    for (uint32_t link = 1; link <= s->legs; link++) {
        legs += !pxr_leg_slot(c->store, link)->taken;
    }
    for (uint32_t link = 1; link <= s->shares; link++) {
        shares += !pxr_share_slot(c->store, link)->taken;
    }
    for (uint32_t link = 1; link <= s->publishers; link++) {
        publishers += pxr_publisher_slot(c->store, link)->publisher.source == 0;
    }
    if (names != s->root.names_free || legs != s->root.legs_free || shares != s->root.shares_free ||
        publishers != s->root.publishers_free) {
        complain(c, "records are in use that no list has", 0);
    }
}

static void check_all_met(check_t *c, const unsigned char *seen, uint32_t size, const char *what)
{
    for (uint32_t i = 0; i < size; i++) {
        if (seen[i] != 1) {
            complain(c, what, i + 1);
            return;
        }
    }
}

pxr_status_t pxr_check_locked(const pxr_store_t *store, char *why, size_t why_size)
{
    const pxr_segment_t *s = store->segment;
    size_t total = (size_t)s->slots + s->names + s->blocks + s->legs + s->shares + s->publishers;
    unsigned char *seen = calloc(total, 1);
    check_t c = {.store = store, .why = why, .why_size = why_size};

    why[0] = '\0';
    if (seen == NULL) {
        snprintf(why, why_size, "no memory for the check");
        return PXR_FULL;
    }
    c.slots = seen;
    c.names = c.slots + s->slots;
    c.blocks = c.names + s->names;
    c.legs = c.blocks + s->blocks;
    c.shares = c.legs + s->legs;
    c.publishers = c.shares + s->shares;

    check_head(&c);
    check_free_lists(&c);
    check_slot_queue(&c, &s->root.ended, false);
    check_slot_queue(&c, &s->root.leaving, false);
    check_slot_queue(&c, &s->root.resting, true);
    check_name_queue(&c, &s->root.held, true);
    check_name_queue(&c, &s->root.resting_names, false);
    if (!c.broken) {
        check_slots(&c);
        check_publishers(&c);
    }
    if (!c.broken) {
        check_name_index(&c);
        check_free_records(&c);
        if (!pxr_leg_index_is_sound(store)) {
            complain(&c, "index of legs is wrong", 0);
        }
    }
    if (!c.broken) {
        check_all_met(&c, c.slots, s->slots, "slot is on no list");
        check_all_met(&c, c.names, s->names, "name is on no list");
        check_all_met(&c, c.blocks, s->blocks, "block is on no list");
        check_all_met(&c, c.legs, s->legs, "leg is on no list");
        check_all_met(&c, c.shares, s->shares, "share is on no list");
        check_all_met(&c, c.publishers, s->publishers, "publisher is on no list");
    }
    free(seen);
    return c.broken ? PXR_BROKEN : PXR_OK;
}

pxr_status_t pxr_store_check(const pxr_store_t *store, char *why, size_t why_size)
{
    pxr_status_t status = pxr_lock(store);

    why[0] = '\0';
    if (status == PXR_OK) {
        status = pxr_check_locked(store, why, why_size);
        pxr_unlock(store);
    }
    return status;
}
