#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "pxr_seen.h"
#include "pxr_text.h"

/* How many places of the table one node may have. */
#define PROBES 8

bool pxr_store_see(const pxr_store_t *store, uint32_t workspace, pxr_seen_t what, pxr_time_t now)
{
    _Atomic(int64_t) *at = &store->segment->seen_at[workspace][what];

    if (now / PXR_SECOND == atomic_load_explicit(at, memory_order_relaxed) / PXR_SECOND) {
        return false;
    }
    atomic_store_explicit(at, now, memory_order_relaxed);
    return true;
}

pxr_time_t pxr_store_seen_at(const pxr_store_t *store, uint32_t workspace, pxr_seen_t what)
{
    return atomic_load_explicit(&store->segment->seen_at[workspace][what], memory_order_relaxed);
}

static uint64_t name_of(const pxr_store_t *store, uint32_t workspace, const char *node)
{
    char text[sizeof(workspace) + PXR_NODE_MAX];
    size_t len = strnlen(node, PXR_NODE_MAX);
    uint64_t hash;

    memcpy(text, &workspace, sizeof(workspace));
    memcpy(text + sizeof(workspace), node, len);
    hash = pxr_hash(&store->segment->key, text, sizeof(workspace) + len);
    return hash != 0 ? hash : 1;
}

static pxr_asker_slot_t *place(const pxr_store_t *store, uint64_t name, unsigned probe)
{
    return &store->segment->askers[(name + probe) % PXR_ASKERS_MAX];
}

/* The node's own place, else a free one, else that of who has been silent for longest. */
static pxr_asker_slot_t *place_for(const pxr_store_t *store, uint64_t name)
{
    pxr_asker_slot_t *best = place(store, name, 0);

    for (unsigned i = 0; i < PROBES; i++) {
        pxr_asker_slot_t *slot = place(store, name, i);
        if (atomic_load(&slot->name) == name) {
            return slot;
        }
        if (atomic_load(&slot->asked_at) < atomic_load(&best->asked_at)) {
            best = slot;
        }
    }
    return best;
}

void pxr_store_note_asker(const pxr_store_t *store, uint32_t workspace, const char *node,
                          pxr_time_t now)
{
    uint64_t name = name_of(store, workspace, node);
    pxr_asker_slot_t *slot = place_for(store, name);
    uint64_t before = atomic_load(&slot->name);

    if (before != name) {
        if (!atomic_compare_exchange_strong(&slot->name, &before, name)) {
            return;
        }
        slot->workspace = workspace;
        pxr_text_copy(slot->node, sizeof(slot->node), node, strlen(node));
    }
    atomic_store(&slot->asked_at, now);
}

static int compare_askers(const void *a, const void *b)
{
    pxr_time_t left = ((const pxr_asker_t *)a)->asked_at;
    pxr_time_t right = ((const pxr_asker_t *)b)->asked_at;

    return (left < right) - (left > right);
}

size_t pxr_store_askers(const pxr_store_t *store, uint32_t workspace, pxr_asker_t *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < PXR_ASKERS_MAX && count < max; i++) {
        const pxr_asker_slot_t *slot = &store->segment->askers[i];
        uint64_t name = atomic_load(&slot->name);
        pxr_asker_t *asker = &out[count];
        if (name == 0 || slot->workspace != workspace) {
            continue;
        }
        memcpy(asker->node, slot->node, sizeof(asker->node));
        asker->node[PXR_NODE_MAX] = '\0';
        asker->asked_at = atomic_load(&slot->asked_at);
        /* What another process is writing, or died while it wrote, is not what the name says. */
        if (name_of(store, workspace, asker->node) == name) {
            count++;
        }
    }
    qsort(out, count, sizeof(*out), compare_askers);
    return count;
}

void pxr_seen_forget(const pxr_store_t *store, uint32_t workspace)
{
    for (int what = 0; what < PXR_SEENS; what++) {
        atomic_store(&store->segment->seen_at[workspace][what], 0);
    }
    for (size_t i = 0; i < PXR_ASKERS_MAX; i++) {
        pxr_asker_slot_t *slot = &store->segment->askers[i];
        if (slot->workspace == workspace) {
            atomic_store(&slot->asked_at, 0);
            atomic_store(&slot->name, 0);
        }
    }
}
