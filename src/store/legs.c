#include "legs.h"

#include "names.h"
#include "pxr_text.h"

#include <string.h>

/* Keys are the same everywhere, so the index adds this memory's secret. */
static uint32_t *bucket_of(const pxr_store_t *store, uint64_t key)
{
    uint32_t hash = (uint32_t)pxr_hash(&store->segment->key, &key, sizeof(key));

    return &pxr_leg_buckets(store)[hash & (store->segment->leg_buckets - 1)];
}

/* An index entry is a leg and which of its keys. */
static uint32_t entry_of(uint32_t link, uint32_t which)
{
    return (link - 1) * PXR_LEG_KEYS + which + 1;
}

static uint32_t leg_of(uint32_t entry)
{
    return (entry - 1) / PXR_LEG_KEYS + 1;
}

static uint32_t which_of(uint32_t entry)
{
    return (entry - 1) % PXR_LEG_KEYS;
}

static uint64_t key_of(const pxr_leg_slot_t *leg, uint32_t which)
{
    return which == 0 ? leg->key : leg->leg.related[which - 1];
}

/* Looks for a leg of this uuid that `wanted` accepts; *other receives one that it does not, or one
 * that names the uuid as related. */
typedef bool (*wanted_t)(const pxr_leg_slot_t *leg, uint32_t slot);

static bool is_attached(const pxr_leg_slot_t *leg, uint32_t slot)
{
    (void)slot;
    return leg->leg.attached;
}

static bool is_of_slot(const pxr_leg_slot_t *leg, uint32_t slot)
{
    return leg->slot == slot;
}

static uint32_t find(const pxr_store_t *store, uint32_t workspace, const char *uuid,
                     wanted_t wanted, uint32_t slot, uint32_t *other, uint32_t *relative)
{
    uint64_t key = pxr_hash_text(uuid);
    uint32_t entry = *bucket_of(store, key);
    uint32_t entries = store->segment->legs * PXR_LEG_KEYS;

    /* Bounded, because the check looks here too and the chain may be what is damaged. */
    for (uint32_t steps = 0; entry != 0 && entry <= entries && steps < entries; steps++) {
        uint32_t link = leg_of(entry);
        const pxr_leg_slot_t *leg = pxr_leg_slot(store, link);
        if (key_of(leg, which_of(entry)) == key && leg->slot != 0 &&
            leg->slot <= store->segment->slots &&
            pxr_slot(store, leg->slot)->workspace == workspace) {
            if (which_of(entry) != 0) {
                *relative = link;
            } else if (strcmp(leg->leg.uuid, uuid) == 0) {
                if (wanted(leg, slot)) {
                    return link;
                }
                *other = *other == 0 ? link : *other;
            }
        }
        entry = leg->next_with_key[which_of(entry)];
    }
    return 0;
}

uint32_t pxr_leg_find(const pxr_store_t *store, uint32_t workspace, const char *uuid, bool related)
{
    uint32_t other = 0;
    uint32_t relative = 0;
    uint32_t link = find(store, workspace, uuid, is_attached, 0, &other, &relative);

    if (link == 0) {
        link = other;
    }
    return link != 0 || !related ? link : relative;
}

uint32_t pxr_leg_find_in(const pxr_store_t *store, uint32_t slot, const char *uuid)
{
    uint32_t other = 0;
    uint32_t relative = 0;

    return find(store, pxr_slot(store, slot)->workspace, uuid, is_of_slot, slot, &other, &relative);
}

static void link_key(pxr_tx_t *tx, uint32_t link, uint32_t which, uint64_t key)
{
    pxr_leg_slot_t *leg = pxr_leg_slot(tx->store, link);
    uint32_t *bucket = bucket_of(tx->store, key);

    pxr_tx_put_word(tx, &leg->next_with_key[which], pxr_tx_word(tx, bucket));
    pxr_tx_put_word(tx, bucket, entry_of(link, which));
    pxr_tx_put_word(tx, &leg->linked, pxr_tx_word(tx, &leg->linked) | 1u << which);
}

static void unlink_key(pxr_tx_t *tx, uint32_t link, uint32_t which)
{
    pxr_leg_slot_t *leg = pxr_leg_slot(tx->store, link);
    uint32_t *from = bucket_of(tx->store, key_of(leg, which));
    uint32_t entry = entry_of(link, which);
    uint32_t at;

    while ((at = pxr_tx_word(tx, from)) != entry && at != 0) {
        from = &pxr_leg_slot(tx->store, leg_of(at))->next_with_key[which_of(at)];
    }
    if (at == entry) {
        pxr_tx_put_word(tx, from, pxr_tx_word(tx, &leg->next_with_key[which]));
    }
    pxr_tx_put_word(tx, &leg->linked, pxr_tx_word(tx, &leg->linked) & ~(1u << which));
}

uint32_t pxr_leg_new(pxr_tx_t *tx, uint32_t slot_link, const char *uuid)
{
    pxr_slot_t *slot = pxr_slot(tx->store, slot_link);
    uint32_t link = tx->root.free_legs;
    pxr_leg_slot_t *leg;
    uint32_t head;

    if (link == 0) {
        return 0;
    }
    leg = pxr_leg_slot(tx->store, link);
    tx->root.free_legs = leg->next;
    tx->root.legs_free--;
    /* Not reachable yet; `next` is still the free list's. */
    leg->key = pxr_hash_text(uuid);
    memset(&leg->leg, 0, sizeof(leg->leg));
    memset(&leg->name, 0, sizeof(leg->name));
    head = pxr_tx_word(tx, &slot->legs);
    pxr_tx_put_word(tx, &leg->taken, 1);
    pxr_tx_put_word(tx, &leg->slot, slot_link);
    pxr_tx_put_word(tx, &leg->share, 0);
    pxr_tx_put_word(tx, &leg->prev, 0);
    pxr_tx_put_word(tx, &leg->next, head);
    if (head != 0) {
        pxr_tx_put_word(tx, &pxr_leg_slot(tx->store, head)->prev, link);
    }
    pxr_tx_put_word(tx, &slot->legs, link);
    pxr_tx_put_word(tx, &slot->leg_count, pxr_tx_word(tx, &slot->leg_count) + 1);
    link_key(tx, link, 0, leg->key);
    return link;
}

void pxr_leg_put(pxr_tx_t *tx, uint32_t link, uint32_t share, const pxr_leg_t *leg)
{
    pxr_leg_slot_t *slot = pxr_leg_slot(tx->store, link);

    for (uint32_t which = 1; which < PXR_LEG_KEYS; which++) {
        uint64_t key = leg->related[which - 1];
        if (key_of(slot, which) == key) {
            continue;
        }
        if (pxr_tx_word(tx, &slot->linked) & 1u << which) {
            unlink_key(tx, link, which);
        }
        if (key != 0) {
            link_key(tx, link, which, key);
        }
    }
    pxr_tx_put(tx, &slot->leg, leg, sizeof(*leg));
    pxr_tx_put_word(tx, &slot->share, share);
    pxr_tx_touch(tx, pxr_leg_stamp(tx->store, link));
}

void pxr_leg_copy_name(const pxr_store_t *store, uint32_t link, char out[PXR_NAME_CHARS + 1])
{
    const pxr_leg_name_t *name = &pxr_leg_slot(store, link)->name;
    size_t len = name->len <= PXR_NAME_CHARS ? name->len : 0;
    size_t here = len < sizeof(name->text) ? len : sizeof(name->text);

    memcpy(out, name->text, here);
    if (len > here && !pxr_chain_read(store, name->rest, len - here, out + here)) {
        len = 0;
    }
    out[len] = '\0';
}

static void free_rest(pxr_tx_t *tx, const pxr_leg_name_t *name)
{
    if (name->rest != 0) {
        pxr_chain_free(tx, name->rest, name->len - sizeof(name->text));
        tx->root.long_names--;
    }
}

/* Returns the block, 0 where there is none. One that is in use already is written by the log. */
static uint32_t put_rest(pxr_tx_t *tx, uint32_t link, const char *rest)
{
    char data[PXR_BLOCK_DATA] = "";

    if (link == 0 && tx->root.long_names < pxr_long_names(tx->store->segment->legs)) {
        link = pxr_chain_new(tx, rest, strlen(rest));
        tx->root.long_names += link != 0;
    } else if (link != 0) {
        memcpy(data, rest, strlen(rest));
        pxr_tx_put(tx, pxr_block(tx->store, link)->data, data, sizeof(data));
    }
    return link;
}

void pxr_leg_put_name(pxr_tx_t *tx, uint32_t link, const char *name)
{
    pxr_leg_name_t *known = &pxr_leg_slot(tx->store, link)->name;
    pxr_leg_name_t next = {.rest = 0};
    char before[PXR_NAME_CHARS + 1];
    size_t len = strlen(name);

    pxr_leg_copy_name(tx->store, link, before);
    if (strcmp(before, name) == 0) {
        return;
    }
    if (len > sizeof(next.text)) {
        next.rest = put_rest(tx, known->rest, name + sizeof(next.text));
        len = next.rest != 0 ? len : pxr_utf8_cut(name, len, sizeof(next.text));
    } else {
        free_rest(tx, known);
    }
    next.len = (uint8_t)len;
    memcpy(next.text, name, len < sizeof(next.text) ? len : sizeof(next.text));
    pxr_tx_put(tx, known, &next, sizeof(next));
}

void pxr_leg_free(pxr_tx_t *tx, uint32_t link)
{
    pxr_leg_slot_t *leg = pxr_leg_slot(tx->store, link);
    pxr_slot_t *slot = pxr_slot(tx->store, leg->slot);

    for (uint32_t which = 0; which < PXR_LEG_KEYS; which++) {
        if (leg->linked & 1u << which) {
            unlink_key(tx, link, which);
        }
    }
    if (leg->prev != 0) {
        pxr_tx_put_word(tx, &pxr_leg_slot(tx->store, leg->prev)->next, leg->next);
    } else {
        pxr_tx_put_word(tx, &slot->legs, leg->next);
    }
    if (leg->next != 0) {
        pxr_tx_put_word(tx, &pxr_leg_slot(tx->store, leg->next)->prev, leg->prev);
    }
    pxr_tx_put_word(tx, &slot->leg_count, slot->leg_count - 1);
    free_rest(tx, &leg->name);
    pxr_tx_put_word(tx, &leg->taken, 0);
    pxr_tx_put_word(tx, &leg->slot, 0);
    pxr_tx_put_word(tx, &leg->next, tx->root.free_legs);
    tx->root.free_legs = link;
    tx->root.legs_free++;
}

static bool is_in_bucket(const pxr_store_t *store, uint32_t entry, uint32_t bucket)
{
    const pxr_leg_slot_t *leg;

    if (entry > store->segment->legs * PXR_LEG_KEYS) {
        return false;
    }
    leg = pxr_leg_slot(store, leg_of(entry));
    return leg->taken && (leg->linked >> which_of(entry) & 1) != 0 &&
           bucket_of(store, key_of(leg, which_of(entry))) == &pxr_leg_buckets(store)[bucket];
}

/* An entry that is met twice is on a chain that goes in a circle, and then there are too many. */
bool pxr_leg_index_is_sound(const pxr_store_t *store)
{
    const pxr_segment_t *s = store->segment;
    uint64_t keys = 0;
    uint64_t met = 0;

    for (uint32_t link = 1; link <= s->legs; link++) {
        keys += (uint64_t)__builtin_popcount(pxr_leg_slot(store, link)->linked);
    }
    for (uint32_t i = 0; i < s->leg_buckets; i++) {
        for (uint32_t entry = pxr_leg_buckets(store)[i]; entry != 0;) {
            if (!is_in_bucket(store, entry, i) || ++met > keys) {
                return false;
            }
            entry = pxr_leg_slot(store, leg_of(entry))->next_with_key[which_of(entry)];
        }
    }
    return met == keys;
}

bool pxr_leg_is_over(const pxr_store_t *store, const pxr_leg_slot_t *leg)
{
    const pxr_slot_t *slot = pxr_slot(store, leg->slot);
    const pxr_share_t *share;

    if (leg->leg.closed || leg->share == 0 || slot->life.state == PXR_MEETING_ENDED) {
        return true;
    }
    share = &pxr_share_slot(store, leg->share)->share;
    return share->era != slot->life.era || !pxr_leg_is_in(&leg->leg, share);
}

pxr_status_t pxr_leg_leave(const pxr_store_t *store, uint32_t link, pxr_time_t left_at,
                           pxr_time_t now)
{
    pxr_leg_slot_t *leg = pxr_leg_slot(store, link);
    pxr_slot_t *slot = pxr_slot(store, leg->slot);
    uint32_t share = leg->share;
    pxr_scene_t scene;
    unsigned changed;
    pxr_tx_t tx;

    memset(&scene, 0, sizeof(scene));
    scene.meeting = slot->life;
    scene.leg = leg->leg;
    if (share != 0) {
        scene.share = pxr_share_slot(store, share)->share;
    }
    changed = pxr_leg_drop(&scene, now);
    if (left_at != 0) {
        scene.leg.closed = 1;
        scene.leg.left_at = left_at;
        if (left_at > scene.meeting.last_end && scene.meeting.state != PXR_MEETING_ENDED) {
            scene.meeting.last_end = left_at;
            changed |= PXR_CHANGED_MEETING;
        }
    }
    pxr_tx_begin(&tx, store);
    if (changed & PXR_CHANGED_SHARE) {
        pxr_tx_put(&tx, &pxr_share_slot(store, share)->share, &scene.share, sizeof(scene.share));
        pxr_tx_touch(&tx, pxr_share_stamp(store, share));
    }
    if (changed & PXR_CHANGED_MEETING) {
        pxr_slot_put_life(&tx, leg->slot, &scene.meeting, now);
    }
    pxr_leg_put(&tx, link, share, &scene.leg);
    return pxr_tx_commit(&tx);
}

/* Looks at one leg and frees it if it left long enough ago. */
static bool reclaim(const pxr_store_t *store, uint32_t link, bool unsaved, pxr_time_t now)
{
    const pxr_leg_slot_t *leg = pxr_leg_slot(store, link);
    bool saved = pxr_is_saved(store, pxr_leg_stamp(store, link));
    pxr_tx_t tx;

    if (!leg->taken || !pxr_leg_is_over(store, leg) ||
        leg->leg.heard_at + PXR_LEFT_KEEP_SHORT >= now || !(saved || unsaved)) {
        return false;
    }
    pxr_tx_begin(&tx, store);
    tx.root.leg_cursor = link;
    tx.root.lost += !saved;
    pxr_leg_free(&tx, link);
    return pxr_tx_commit(&tx) == PXR_OK;
}

uint32_t pxr_legs_reclaim(const pxr_store_t *store, uint32_t most, pxr_time_t now)
{
    pxr_segment_t *s = store->segment;
    uint32_t freed = 0;

    /* What the database has not seen is given up only where people who are here would have no
     * place otherwise. */
    for (int unsaved = 0; unsaved <= 1 && freed == 0; unsaved++) {
        uint32_t cursor = s->root.leg_cursor;
        for (uint32_t i = 0; i < most && i < s->legs; i++) {
            cursor = cursor % s->legs + 1;
            freed += reclaim(store, cursor, unsaved != 0, now);
        }
    }
    return freed;
}
