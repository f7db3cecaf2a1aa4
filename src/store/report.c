#include <string.h>

#include "layout.h"
#include "pxr_chat.h"

static const char *const counter_names[PXR_COUNTERS] = {
    [PXR_COUNT_POLICY_CONTINUE] = "policy_continue",
    [PXR_COUNT_POLICY_REJECT] = "policy_reject",
    [PXR_COUNT_POLICY_UNKNOWN] = "policy_unknown",
    [PXR_COUNT_EVENTS] = "events",
    [PXR_COUNT_EVENTS_FOREIGN] = "events_foreign",
    [PXR_COUNT_EVENTS_UNUSABLE] = "events_unusable",
    [PXR_COUNT_EVENTS_DROPPED] = "events_dropped",
    [PXR_COUNT_CREATED] = "meetings_created",
    [PXR_COUNT_REFUSED_FULL] = "meetings_refused",
    [PXR_COUNT_REFUSED_DATABASE] = "meetings_refused_by_database",
    [PXR_COUNT_JOINS] = "joins",
    [PXR_COUNT_EVENT_LOG_LOST] = "event_log_lost",
    [PXR_COUNT_POLICY_FALLBACK] = "policy_fallback",
    [PXR_COUNT_OUTSIDE_CROWDED] = "outside_crowded",
};

const char *pxr_counter_name(pxr_counter_t counter)
{
    return counter_names[counter];
}

void pxr_store_count(const pxr_store_t *store, uint32_t workspace, pxr_counter_t counter,
                     uint64_t by)
{
    atomic_fetch_add_explicit(&store->segment->counters[workspace][counter], by,
                              memory_order_relaxed);
}

uint64_t pxr_store_counter(const pxr_store_t *store, uint32_t workspace, pxr_counter_t counter)
{
    return atomic_load_explicit(&store->segment->counters[workspace][counter],
                                memory_order_relaxed);
}

/* Figures for people: read without the lock, so that a status page works when nothing else does.
 * They may be a change apart from each other. */
static pxr_fill_t fill(uint32_t size, const uint32_t *free)
{
    pxr_fill_t out = {.size = size, .used = size - pxr_word(free)};

    return out;
}

void pxr_store_health(const pxr_store_t *store, pxr_store_health_t *out)
{
    const pxr_segment_t *s = store->segment;

    out->meetings.size = s->sizes.meetings;
    out->meetings.used = pxr_word(&s->root.active);
    out->slots = fill(s->slots, &s->root.slots_free);
    out->names = fill(s->names, &s->root.names_free);
    out->blocks = fill(s->blocks, &s->root.blocks_free);
    out->legs = fill(s->legs, &s->root.legs_free);
    out->shares = fill(s->shares, &s->root.shares_free);
    out->publishers = fill(s->publishers, &s->root.publishers_free);
    out->repairs = __atomic_load_n(&s->root.repairs, __ATOMIC_RELAXED);
    out->resets = __atomic_load_n(&s->root.resets, __ATOMIC_RELAXED);
    out->lost = __atomic_load_n(&s->root.lost, __ATOMIC_RELAXED);
    out->leader_pid = atomic_load(&s->leader_pid);
    out->ticked_at = atomic_load(&s->ticked_at);
}

bool pxr_store_may_tell(const pxr_store_t *store, pxr_topic_t topic, pxr_time_t now)
{
    int64_t last = atomic_load(&store->segment->told_at[topic]);

    return now - last >= 60 * PXR_SECOND &&
           atomic_compare_exchange_strong(&store->segment->told_at[topic], &last, now);
}

void pxr_store_news(const pxr_store_t *store, uint64_t *repairs, uint64_t *resets)
{
    pxr_segment_t *s = store->segment;
    uint64_t now_repairs = __atomic_load_n(&s->root.repairs, __ATOMIC_RELAXED);
    uint64_t now_resets = __atomic_load_n(&s->root.resets, __ATOMIC_RELAXED);

    *repairs = now_repairs - s->told_repairs;
    *resets = now_resets - s->told_resets;
    s->told_repairs = now_repairs;
    s->told_resets = now_resets;
}

void pxr_store_numbers(const pxr_store_t *store, uint32_t workspace, pxr_workspace_numbers_t *out)
{
    memset(out, 0, sizeof(*out));
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (pxr_word(&slot->state) != SLOT_TAKEN || slot->workspace != workspace ||
            pxr_chat_is_record(slot->id)) {
            continue;
        }
        switch (pxr_word(&slot->life.state)) {
        case PXR_MEETING_OPEN:
            out->open++;
            break;
        case PXR_MEETING_LIVE:
            out->live++;
            out->present += pxr_word(&slot->life.present);
            break;
        default:
            out->ended++;
        }
    }
}
