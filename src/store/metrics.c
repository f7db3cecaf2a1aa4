#include "pxr_metrics.h"

#include <string.h>

#include "layout.h"
#include "tx.h"

/* What took longer counts as this in the sum. */
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
#define NODES_MOST 64
/* So many shares are looked at before others get the lock. */
#define SHARES_AT_ONCE 4096

typedef struct {
    uint32_t workspace;
    pxr_time_t since;
    uint32_t count;
    char nodes[NODES_MOST][PXR_NODE_MAX + 1];
} silence_t;

static uint32_t place_of(const silence_t *silence, const char *node)
{
    uint32_t i = 0;

    while (i < silence->count && strcmp(silence->nodes[i], node) != 0) {
        i++;
    }
    return i;
}

static void add_node(silence_t *silence, const char *node)
{
    if (place_of(silence, node) == silence->count && silence->count < NODES_MOST) {
        memcpy(silence->nodes[silence->count++], node, PXR_NODE_MAX + 1);
    }
}

static void strike_out(silence_t *silence, const char *node)
{
    uint32_t i = place_of(silence, node);

    if (i < silence->count) {
        silence->count--;
        memmove(silence->nodes[i], silence->nodes[silence->count], PXR_NODE_MAX + 1);
    }
}

/* Of a node that hosts a meeting and has not spoken of it. */
static bool is_stale(const pxr_slot_t *slot, const pxr_share_t *share, pxr_time_t since)
{
    return share->open && share->last_at < since && slot->life.state == PXR_MEETING_LIVE &&
           slot->life.era == share->era;
}

static void look_at_share(const pxr_store_t *store, const pxr_share_slot_t *share, bool adding,
                          silence_t *silence)
{
    const pxr_slot_t *slot;

    if (!share->taken) {
        return;
    }
    slot = pxr_slot(store, share->slot);
    if (slot->workspace != silence->workspace) {
        return;
    }
    if (adding && is_stale(slot, &share->share, silence->since)) {
        add_node(silence, share->share.node);
    } else if (!adding && share->share.last_at >= silence->since) {
        strike_out(silence, share->share.node);
    }
}

/* Adds nodes that are silent about a meeting, or strikes out those that have spoken of another one,
 * perhaps to another machine. */
static bool look_at_shares(const pxr_store_t *store, bool adding, silence_t *silence)
{
    uint32_t link = 1;

    while (link <= store->segment->shares) {
        if (pxr_lock(store) != PXR_OK) {
            return false;
        }
        for (int i = 0; i < SHARES_AT_ONCE && link <= store->segment->shares; i++, link++) {
            look_at_share(store, pxr_share_slot(store, link), adding, silence);
        }
        pxr_unlock(store);
    }
    return true;
}

/* Strikes out those that have spoken of anything. */
static bool look_at_publishers(const pxr_store_t *store, silence_t *silence)
{
    if (pxr_lock(store) != PXR_OK) {
        return false;
    }
    for (uint32_t link = 1; link <= store->segment->publishers; link++) {
        const pxr_publisher_slot_t *slot = pxr_publisher_slot(store, link);
        if (slot->publisher.source != 0 && slot->workspace == silence->workspace &&
            slot->publisher.last_at >= silence->since) {
            strike_out(silence, slot->node);
        }
    }
    pxr_unlock(store);
    return true;
}

uint32_t pxr_store_silent_nodes(const pxr_store_t *store, uint32_t workspace, pxr_time_t since)
{
    silence_t silence = {.workspace = workspace, .since = since};

    return look_at_shares(store, true, &silence) && look_at_shares(store, false, &silence) &&
                   look_at_publishers(store, &silence)
               ? silence.count
               : 0;
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
