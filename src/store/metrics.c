#include "pxr_metrics.h"

#include <string.h>

#include "layout.h"
#include "tx.h"

#define LATENCY_MOST (60 * PXR_SECOND)

static const int64_t bounds[PXR_LATENCY_BOUNDS] = {500,   1000,   2500,   5000,   10000,   25000,
                                                   50000, 100000, 250000, 500000, 1000000, 2000000};

int64_t pxr_latency_bound(unsigned which)
{
    return bounds[which];
}

static void add(_Atomic(uint64_t) *to, uint64_t by)
{
    atomic_fetch_add_explicit(to, by, memory_order_relaxed);
}

static uint64_t value_of(const _Atomic(uint64_t) *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

void pxr_store_note_latency(const pxr_store_t *store, uint32_t workspace, int64_t took)
{
    pxr_latency_words_t *words = &store->segment->latencies[workspace];
    unsigned which = 0;

    /* A clock that was set meanwhile must not spoil the sum. */
    took = took < 0 ? 0 : took > LATENCY_MOST ? LATENCY_MOST : took;
    while (which < PXR_LATENCY_BOUNDS && took > bounds[which]) {
        which++;
    }
    add(&words->count[which], 1);
    add(&words->sum, (uint64_t)took);
}

void pxr_store_latency(const pxr_store_t *store, uint32_t workspace, pxr_latency_t *out)
{
    const pxr_latency_words_t *words = &store->segment->latencies[workspace];

    for (int i = 0; i <= PXR_LATENCY_BOUNDS; i++) {
        out->count[i] = value_of(&words->count[i]);
    }
    out->sum = value_of(&words->sum);
}

void pxr_store_count_events(const pxr_store_t *store, uint32_t workspace, pxr_event_kind_t kind,
                            uint64_t by)
{
    add(&store->segment->event_kinds[workspace][kind], by);
}

uint64_t pxr_store_event_count(const pxr_store_t *store, uint32_t workspace, pxr_event_kind_t kind)
{
    return value_of(&store->segment->event_kinds[workspace][kind]);
}

static void count_task(const pxr_slot_t *slot, pxr_task_kind_t kind, pxr_backlog_t *out)
{
    pxr_told_t told = slot->told;
    bool ended = pxr_word(&slot->life.state) == PXR_MEETING_ENDED;
    pxr_time_t since = told.task[kind].changed_at;

    if (pxr_task_shown(&told.task[kind]) == PXR_TASK_FAILED) {
        out->failed[kind]++;
    } else if (told.task[kind].state == PXR_TASK_WAITING && pxr_task_is_open(&told, kind, ended)) {
        out->waiting[kind]++;
        /* Of an end that nobody could be told before it came. */
        since =
            kind == PXR_TASK_CALLBACK && since < slot->life.ended_at ? slot->life.ended_at : since;
        out->oldest = out->oldest == 0 || since < out->oldest ? since : out->oldest;
    }
}

void pxr_store_backlog(const pxr_store_t *store, uint32_t workspace, pxr_backlog_t *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (pxr_word(&slot->state) != SLOT_TAKEN || slot->workspace != workspace) {
            continue;
        }
        for (int kind = 0; kind < PXR_TASKS; kind++) {
            count_task(slot, (pxr_task_kind_t)kind, out);
        }
    }
}

/* More nodes than these are not told apart. */
#define CANDIDATES 64

/* Here, under any of its accounts, or on another machine, of another meeting. */
static bool is_heard(const pxr_store_t *store, uint32_t workspace, const char *node,
                     pxr_time_t since)
{
    for (uint32_t link = 1; link <= store->segment->shares; link++) {
        const pxr_share_slot_t *slot = pxr_share_slot(store, link);
        if (slot->taken && slot->share.last_at >= since && strcmp(slot->share.node, node) == 0 &&
            pxr_slot(store, slot->slot)->workspace == workspace) {
            return true;
        }
    }
    for (uint32_t link = 1; link <= store->segment->publishers; link++) {
        const pxr_publisher_slot_t *slot = pxr_publisher_slot(store, link);
        if (slot->publisher.source != 0 && slot->workspace == workspace &&
            slot->publisher.last_at >= since && strcmp(slot->node, node) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a node hosts a meeting by this, and has not spoken of it. */
static bool is_stale(const pxr_store_t *store, uint32_t workspace, const pxr_share_slot_t *share,
                     pxr_time_t since)
{
    const pxr_slot_t *slot;

    if (!share->taken || !share->share.open || share->share.last_at >= since) {
        return false;
    }
    slot = pxr_slot(store, share->slot);
    return slot->workspace == workspace && slot->life.state == PXR_MEETING_LIVE &&
           slot->life.era == share->share.era;
}

static bool is_listed(const char *const *list, uint32_t count, const char *node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i], node) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t pxr_store_silent_nodes(const pxr_store_t *store, uint32_t workspace, pxr_time_t since)
{
    const char *list[CANDIDATES];
    uint32_t count = 0;
    uint32_t silent = 0;

    if (pxr_lock(store) != PXR_OK) {
        return 0;
    }
    for (uint32_t link = 1; link <= store->segment->shares && count < CANDIDATES; link++) {
        const pxr_share_slot_t *share = pxr_share_slot(store, link);
        const char *node = share->share.node;
        if (is_stale(store, workspace, share, since) && !is_listed(list, count, node)) {
            list[count++] = node;
            silent += !is_heard(store, workspace, node, since);
        }
    }
    pxr_unlock(store);
    return silent;
}

void pxr_metrics_forget(const pxr_store_t *store, uint32_t workspace)
{
    pxr_latency_words_t *words = &store->segment->latencies[workspace];

    for (int i = 0; i <= PXR_LATENCY_BOUNDS; i++) {
        atomic_store(&words->count[i], 0);
    }
    atomic_store(&words->sum, 0);
    for (int kind = 0; kind < PXR_EVENT_KINDS; kind++) {
        atomic_store(&store->segment->event_kinds[workspace][kind], 0);
    }
}
