#include "names.h"

#include <string.h>
#include <time.h>

#include "pxr_text.h"

/* The 32 bits that the index uses. */
static uint32_t hash_name(const pxr_store_t *store, uint32_t workspace, pxr_space_t space,
                          const char *text, size_t len)
{
    char key[PXR_ALIAS_MAX + 8];
    size_t used = 0;

    memcpy(key, &workspace, sizeof(workspace));
    used += sizeof(workspace);
    key[used++] = (char)space;
    for (size_t i = 0; i < len && used < sizeof(key); i++) {
        key[used++] = space == PXR_SPACE_DIAL ? pxr_lower(text[i]) : text[i];
    }
    return (uint32_t)pxr_hash(&store->segment->key, key, used);
}

static uint32_t *bucket_of(const pxr_store_t *store, uint32_t hash)
{
    return &pxr_name_buckets(store)[hash & (store->segment->name_buckets - 1)];
}

static bool is_name(const pxr_store_t *store, uint32_t link)
{
    return link != 0 && link <= store->segment->names;
}

pxr_space_t pxr_name_space(uint32_t kind)
{
    return kind == PXR_NAME_JOIN   ? PXR_SPACE_JOIN
           : kind == PXR_NAME_ROOM ? PXR_SPACE_ROOM
                                   : PXR_SPACE_DIAL;
}

static bool is_of(const pxr_name_t *name, uint32_t hash, uint32_t workspace, pxr_space_t space,
                  size_t len)
{
    return name->hash == hash && name->workspace == workspace && name->len == len &&
           pxr_name_space(name->kind) == space;
}

uint32_t pxr_name_find(const pxr_store_t *store, uint32_t workspace, pxr_space_t space,
                       const char *text, size_t len)
{
    uint32_t hash = hash_name(store, workspace, space, text, len);
    uint32_t link = pxr_word(bucket_of(store, hash));

    for (uint32_t steps = 0; is_name(store, link) && steps < store->segment->names; steps++) {
        const pxr_name_t *name = pxr_name(store, link);
        if (is_of(name, hash, workspace, space, len) && memcmp(name->text, text, len) == 0) {
            return link;
        }
        link = pxr_word(&name->next);
    }
    return 0;
}

/* As pxr_name_find(), but takes a name that differs in case where it is the only meeting so
 * named. */
static uint32_t find_nearest(const pxr_store_t *store, uint32_t workspace, const char *text,
                             size_t len)
{
    uint32_t hash = hash_name(store, workspace, PXR_SPACE_DIAL, text, len);
    uint32_t link = pxr_word(bucket_of(store, hash));
    uint32_t nearest = 0;
    bool ambiguous = false;

    for (uint32_t steps = 0; is_name(store, link) && steps < store->segment->names; steps++) {
        const pxr_name_t *name = pxr_name(store, link);
        if (is_of(name, hash, workspace, PXR_SPACE_DIAL, len)) {
            if (memcmp(name->text, text, len) == 0) {
                return link;
            }
            if (pxr_equal_nocase(name->text, len, text, len)) {
                ambiguous =
                    ambiguous || (nearest != 0 && pxr_name(store, nearest)->slot != name->slot);
                nearest = link;
            }
        }
        link = pxr_word(&name->next);
    }
    return ambiguous ? 0 : nearest;
}

bool pxr_name_is_dialled(const pxr_store_t *store, uint32_t workspace, const char *text)
{
    size_t len = strlen(text);
    uint32_t hash = hash_name(store, workspace, PXR_SPACE_DIAL, text, len);

    for (uint32_t link = *bucket_of(store, hash); link != 0; link = pxr_name(store, link)->next) {
        const pxr_name_t *name = pxr_name(store, link);
        if (is_of(name, hash, workspace, PXR_SPACE_DIAL, len) && name->kind != PXR_NAME_CALLED &&
            pxr_equal_nocase(name->text, len, text, len)) {
            return true;
        }
    }
    return false;
}

/* Copies what a reader needs; false where the record is another one meanwhile. */
static bool copy_meeting(const pxr_store_t *store, uint32_t link, pxr_time_t now, pxr_found_t *out,
                         char *answer, size_t answer_size)
{
    const pxr_name_t *name = pxr_name(store, link);
    uint32_t slot_link = pxr_word(&name->slot);
    const pxr_slot_t *slot;
    pxr_meeting_t life = {0};

    if (slot_link == 0 || slot_link > store->segment->slots) {
        return false;
    }
    slot = pxr_slot(store, slot_link);
    out->ref.slot = slot_link;
    out->ref.generation = name->generation;
    out->matched = (pxr_name_kind_t)name->kind;
    if (pxr_word(&slot->generation) != out->ref.generation ||
        pxr_word(&slot->state) != SLOT_TAKEN) {
        return false;
    }
    life.not_before = slot->life.not_before;
    life.expires_at = slot->life.expires_at;
    life.state = pxr_word(&slot->life.state);
    life.closed = __atomic_load_n(&slot->life.closed, __ATOMIC_ACQUIRE);
    out->verdict = pxr_meeting_verdict(&life, now);
    out->live = life.state == PXR_MEETING_LIVE;
    out->draining = out->live && __atomic_load_n(&pxr_due(store)[slot_link - 1],
                                                 __ATOMIC_RELAXED) != PXR_TIME_NEVER;
    out->breakouts = slot->breakouts != 0;
    out->not_before = life.not_before;
    memcpy(out->id, slot->id, sizeof(out->id));
    memcpy(out->host_pin, slot->host_pin, sizeof(out->host_pin));
    memcpy(out->guest_pin, slot->guest_pin, sizeof(out->guest_pin));
    memcpy(out->host_key, slot->host_key, sizeof(out->host_key));
    out->answer_len = slot->answer_len;
    out->tag_len = slot->tag_len;
    if (answer != NULL &&
        (out->answer_len + out->tag_len > answer_size ||
         !pxr_chain_read(store, slot->answer, out->answer_len + out->tag_len, answer))) {
        return false;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&slot->generation, __ATOMIC_RELAXED) == out->ref.generation;
}

static int64_t steady_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * PXR_SECOND + now.tv_nsec / 1000;
}

pxr_status_t pxr_store_find(const pxr_store_t *store, uint32_t workspace, bool join,
                            const char *text, size_t len, pxr_time_t now, pxr_found_t *out,
                            char *answer, size_t answer_size)
{
    int64_t began = steady_clock();

    if (len == 0 || len > PXR_ALIAS_MAX) {
        return PXR_MISSING;
    }
    for (;;) {
        uint32_t link = join ? pxr_name_find(store, workspace, PXR_SPACE_JOIN, text, len)
                             : find_nearest(store, workspace, text, len);
        bool found = link != 0 && copy_meeting(store, link, now, out, answer, answer_size);
        int64_t ended = steady_clock();
        /* A process that was stopped in the middle may have walked over records that were used
         * again meanwhile, so what it saw says nothing. */
        if (ended - began < PXR_READ_STALL) {
            return found ? PXR_OK : PXR_MISSING;
        }
        began = ended;
    }
}

void pxr_store_note_join(const pxr_store_t *store, pxr_ref_t ref, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, ref.slot);

    if (pxr_word(&slot->generation) == ref.generation) {
        atomic_store_explicit(&slot->last_join, now, memory_order_relaxed);
    }
}

void pxr_name_add(pxr_tx_t *tx, uint32_t *siblings, uint32_t slot, pxr_name_kind_t kind,
                  const char *text)
{
    const pxr_store_t *store = tx->store;
    uint32_t link = tx->root.free_names;
    pxr_name_t *name = pxr_name(store, link);
    uint32_t workspace = pxr_slot(store, slot)->workspace;
    size_t len = strlen(text);
    uint32_t *bucket;

    /* The sibling link is the free list's until the commit, so it goes through the log. */
    tx->root.free_names = pxr_tx_word(tx, &name->sibling);
    tx->root.names_free--;
    name->generation = pxr_slot(store, slot)->generation;
    name->hash = hash_name(store, workspace, pxr_name_space(kind), text, len);
    name->workspace = workspace;
    name->kind = (uint16_t)kind;
    name->len = (uint16_t)len;
    name->until = 0;
    memcpy(name->text, text, len + 1);
    bucket = bucket_of(store, name->hash);
    pxr_tx_put_word(tx, &name->slot, slot);
    pxr_tx_put_word(tx, &name->state, NAME_LINKED);
    pxr_tx_put_word(tx, &name->sibling, *siblings);
    pxr_tx_put_word(tx, &name->next, pxr_tx_word(tx, bucket));
    pxr_tx_put_word(tx, bucket, link);
    *siblings = link;
}

void pxr_name_unlink(pxr_tx_t *tx, uint32_t link)
{
    pxr_name_t *name = pxr_name(tx->store, link);
    uint32_t *from = bucket_of(tx->store, name->hash);
    uint32_t at;

    while ((at = pxr_tx_word(tx, from)) != link && at != 0) {
        from = &pxr_name(tx->store, at)->next;
    }
    if (at == link) {
        pxr_tx_put_word(tx, from, pxr_tx_word(tx, &name->next));
    }
    pxr_tx_put_word(tx, &name->state, NAME_UNLINKED);
}

void pxr_name_free(pxr_tx_t *tx, uint32_t link)
{
    pxr_name_t *name = pxr_name(tx->store, link);

    pxr_tx_put_word(tx, &name->state, NAME_FREE);
    pxr_tx_put_word(tx, &name->slot, 0);
    pxr_tx_put_word(tx, &name->sibling, tx->root.free_names);
    tx->root.free_names = link;
    tx->root.names_free++;
}

uint32_t pxr_slot_by_id(const pxr_store_t *store, uint32_t workspace, const char *id, size_t len)
{
    uint32_t link = len > 0 && len <= PXR_ALIAS_MAX
                        ? pxr_name_find(store, workspace, PXR_SPACE_DIAL, id, len)
                        : 0;

    if (link == 0 || pxr_name(store, link)->kind != PXR_NAME_ID) {
        return 0;
    }
    return pxr_name(store, link)->slot;
}

uint32_t pxr_slot_by_ref(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref)
{
    const pxr_slot_t *slot;

    if (ref.slot == 0 || ref.slot > store->segment->slots) {
        return 0;
    }
    slot = pxr_slot(store, ref.slot);
    return slot->generation == ref.generation && slot->state == SLOT_TAKEN &&
                   slot->workspace == workspace
               ? ref.slot
               : 0;
}
