#include <string.h>

#include "legs.h"

static bool is_listed(const char *origin, const char *const *origins, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(origins[i], origin) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_meetings(const pxr_store_t *store, uint32_t workspace)
{
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (slot->state != SLOT_FREE && slot->workspace == workspace) {
            return true;
        }
    }
    return false;
}

/* The number of a workspace that is no longer configured and of which nothing is left. */
static uint32_t abandoned(const pxr_store_t *store, const char *const *origins, size_t count)
{
    uint32_t i = 0;

    while (i < PXR_WORKSPACES_MAX &&
           (is_listed(store->segment->origins[i], origins, count) || has_meetings(store, i))) {
        i++;
    }
    return i;
}

static pxr_status_t number_of(const pxr_store_t *store, const char *origin,
                              const char *const *origins, size_t count, uint32_t *number)
{
    pxr_segment_t *s = store->segment;
    uint32_t i = 0;

    while (i < s->workspaces && strcmp(s->origins[i], origin) != 0) {
        i++;
    }
    *number = i;
    if (i < s->workspaces) {
        return PXR_OK;
    }
    if (strlen(origin) > PXR_ORIGIN_MAX) {
        return PXR_TOO_LONG;
    }
    if (i == PXR_WORKSPACES_MAX) {
        i = abandoned(store, origins, count);
        if (i == PXR_WORKSPACES_MAX) {
            return PXR_FULL;
        }
        pxr_publishers_forget(store, i);
        pxr_seen_forget(store, i);
        pxr_metrics_forget(store, i);
        for (int counter = 0; counter < PXR_COUNTERS; counter++) {
            atomic_store(&s->counters[i][counter], 0);
        }
        *number = i;
    }
    memcpy(s->origins[i], origin, strlen(origin) + 1);
    /* Its meetings in the database were of no concern before. */
    s->mark.complete = 0;
    s->mark.emptied++;
    if (i == s->workspaces) {
        __atomic_store_n(&s->workspaces, i + 1, __ATOMIC_RELEASE);
    }
    return PXR_OK;
}

pxr_status_t pxr_store_workspaces(const pxr_store_t *store, const char *const *origins,
                                  size_t count, uint32_t *numbers)
{
    pxr_status_t status = pxr_lock(store);

    if (status != PXR_OK) {
        return status;
    }
    for (size_t i = 0; i < count && status == PXR_OK; i++) {
        status = number_of(store, origins[i], origins, count, &numbers[i]);
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_workspace_number(const pxr_store_t *store, const char *origin,
                                        uint32_t *number)
{
    uint32_t count = pxr_word(&store->segment->workspaces);

    for (uint32_t i = 0; i < count && i < PXR_WORKSPACES_MAX; i++) {
        if (strncmp(store->segment->origins[i], origin, PXR_ORIGIN_MAX + 1) == 0) {
            *number = i;
            return PXR_OK;
        }
    }
    return PXR_MISSING;
}
