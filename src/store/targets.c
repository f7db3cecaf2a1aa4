#include <string.h>

#include "layout.h"
#include "pxr_text.h"

/* How many places of the table one address may have. */
#define PROBES 8
#define TELL_EVERY (60 * PXR_SECOND)

static uint64_t name_of(const pxr_store_t *store, const char *name)
{
    uint64_t hash = pxr_hash(&store->segment->key, name, strlen(name));

    return hash != 0 ? hash : 1;
}

static pxr_target_slot_t *place(const pxr_store_t *store, uint64_t name, unsigned probe)
{
    return &store->segment->targets[(name + probe) % PXR_TARGETS_MAX];
}

static pxr_target_slot_t *find(const pxr_store_t *store, uint64_t name)
{
    for (unsigned i = 0; i < PROBES; i++) {
        if (atomic_load(&place(store, name, i)->name) == name) {
            return place(store, name, i);
        }
    }
    return NULL;
}

static void clear(pxr_target_slot_t *slot)
{
    atomic_store(&slot->failures, 0);
    atomic_store(&slot->open_until, 0);
    atomic_store(&slot->told_at, 0);
    atomic_store(&slot->asked, 0);
    atomic_store(&slot->failed, 0);
    atomic_store(&slot->spared, 0);
    atomic_store(&slot->answered_at, 0);
    atomic_store(&slot->failed_at, 0);
}

/* Addresses of former configurations give way. Whoever still tells of one then tells of another,
 * which costs that one a pause at worst. */
static pxr_target_slot_t *enter(const pxr_store_t *store, uint64_t name)
{
    pxr_target_slot_t *slot = find(store, name);
    uint64_t before;

    if (slot != NULL) {
        return slot;
    }
    slot = place(store, name, 0);
    for (unsigned i = 0; i < PROBES; i++) {
        pxr_target_slot_t *other = place(store, name, i);
        if (atomic_load(&other->name) == 0) {
            slot = other;
            break;
        }
        if (atomic_load(&other->used_at) < atomic_load(&slot->used_at)) {
            slot = other;
        }
    }
    before = atomic_load(&slot->name);
    if (before != name && atomic_compare_exchange_strong(&slot->name, &before, name)) {
        clear(slot);
    }
    return slot;
}

bool pxr_store_target_try(const pxr_store_t *store, const char *name)
{
    pxr_target_slot_t *slot = enter(store, name_of(store, name));
    int64_t now = pxr_time_steady();
    int64_t until = atomic_load(&slot->open_until);

    atomic_store(&slot->used_at, now);
    /* Who tries keeps the others off until it is known what came of it, or for as long as a pause
     * lasts, should he die. */
    if (atomic_load(&slot->failures) >= PXR_BREAKER_FAILURES &&
        (now < until ||
         !atomic_compare_exchange_strong(&slot->open_until, &until, now + PXR_BREAKER_OPEN))) {
        atomic_fetch_add(&slot->spared, 1);
        return false;
    }
    atomic_fetch_add(&slot->asked, 1);
    return true;
}

void pxr_store_target_tell(const pxr_store_t *store, const char *name, const char *why)
{
    pxr_target_slot_t *slot = enter(store, name_of(store, name));
    uint32_t before = atomic_load(&slot->failures);

    if (why == NULL) {
        atomic_store(&slot->answered_at, pxr_time_now());
        if (before != 0) {
            atomic_store(&slot->failures, 0);
        }
        return;
    }
    atomic_fetch_add(&slot->failed, 1);
    atomic_store(&slot->failed_at, pxr_time_now());
    strncpy(slot->why, why, sizeof(slot->why) - 1);
    /* The pause is there before the failure counts, so that nobody slips between them. */
    if (before + 1 >= PXR_BREAKER_FAILURES) {
        atomic_store(&slot->open_until, pxr_time_steady() + PXR_BREAKER_OPEN);
    }
    if (before < UINT32_MAX) {
        atomic_fetch_add(&slot->failures, 1);
    }
}

void pxr_store_target_state(const pxr_store_t *store, const char *name, pxr_target_t *out)
{
    pxr_target_slot_t *slot = find(store, name_of(store, name));

    memset(out, 0, sizeof(*out));
    if (slot == NULL) {
        return;
    }
    out->failures = atomic_load(&slot->failures);
    out->open =
        out->failures >= PXR_BREAKER_FAILURES && pxr_time_steady() < atomic_load(&slot->open_until);
    out->asked = atomic_load(&slot->asked);
    out->failed = atomic_load(&slot->failed);
    out->spared = atomic_load(&slot->spared);
    out->answered_at = atomic_load(&slot->answered_at);
    out->failed_at = atomic_load(&slot->failed_at);
    if (out->failed != 0) {
        pxr_text_line(out->why, sizeof(out->why), slot->why, strnlen(slot->why, PXR_WHY_MAX));
    }
}

bool pxr_store_target_may_tell(const pxr_store_t *store, const char *name)
{
    pxr_target_slot_t *slot = enter(store, name_of(store, name));
    int64_t now = pxr_time_steady();
    int64_t last = atomic_load(&slot->told_at);

    return (last == 0 || now - last >= TELL_EVERY) &&
           atomic_compare_exchange_strong(&slot->told_at, &last, now);
}
