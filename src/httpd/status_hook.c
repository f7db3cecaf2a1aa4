#include "pxr_httpd.h"

#include <apr_optional_hooks.h>
#include <mod_status.h>

/* The section of mod_status: numbers of all workspaces together, and no name of anything. */
typedef struct {
    pxr_workspace_numbers_t meetings;
    uint64_t counters[PXR_COUNTERS];
    uint64_t waiting, failed;
} sums_t;

typedef struct {
    const char *key; /* of the form for machines */
    const char *name;
    uint64_t value;
} row_t;

static void add_workspace(const pxr_store_t *store, uint32_t workspace, sums_t *sums)
{
    pxr_workspace_numbers_t numbers;
    pxr_backlog_t backlog;

    pxr_store_numbers(store, workspace, &numbers);
    sums->meetings.open += numbers.open;
    sums->meetings.live += numbers.live;
    sums->meetings.present += numbers.present;
    for (int i = 0; i < PXR_COUNTERS; i++) {
        sums->counters[i] += pxr_store_counter(store, workspace, (pxr_counter_t)i);
    }
    pxr_store_backlog(store, workspace, &backlog);
    for (int i = 0; i < PXR_TASKS; i++) {
        sums->waiting += backlog.waiting[i];
        sums->failed += backlog.failed[i];
    }
}

static void add_up(const pxr_store_t *store, sums_t *sums)
{
    memset(sums, 0, sizeof(*sums));
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        const pxr_workspace_t *w = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *);
        if (w->number != PXR_WORKSPACE_UNKNOWN) {
            add_workspace(store, w->number, sums);
        }
    }
}

static void put_for_machines(request_rec *r, const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ap_rprintf(r, "PexipRC%s: %" APR_UINT64_T_FMT "\n", rows[i].key,
                   (apr_uint64_t)rows[i].value);
    }
}

static void put_for_people(request_rec *r, const row_t *rows, size_t count)
{
    ap_rputs("<hr />\n<h2>mod_pexip_rc</h2>\n<table border=\"0\">\n", r);
    for (size_t i = 0; i < count; i++) {
        ap_rprintf(r, "<tr><td>%s</td><td align=\"right\">%" APR_UINT64_T_FMT "</td></tr>\n",
                   rows[i].name, (apr_uint64_t)rows[i].value);
    }
    ap_rputs("</table>\n", r);
}

static int put_section(request_rec *r, int flags)
{
    const pxr_store_t *store = pxr_store();
    pxr_store_health_t health;
    sums_t sums;

    if (store == NULL) {
        return DECLINED;
    }
    add_up(store, &sums);
    pxr_store_health(store, &health);
    const row_t rows[] = {
        {"MeetingsLive", "Live meetings", sums.meetings.live},
        {"MeetingsOpen", "Open meetings, nobody in", sums.meetings.open},
        {"Participants", "People in meetings", sums.meetings.present},
        {"MeetingsCreated", "Meetings created", sums.counters[PXR_COUNT_CREATED]},
        {"PolicyContinue", "Policy answers: let in", sums.counters[PXR_COUNT_POLICY_CONTINUE]},
        {"PolicyReject", "Policy answers: turned away", sums.counters[PXR_COUNT_POLICY_REJECT]},
        {"PolicyOther", "Policy answers: not about our meetings",
         sums.counters[PXR_COUNT_POLICY_UNKNOWN] + sums.counters[PXR_COUNT_POLICY_FALLBACK]},
        {"Events", "Events", sums.counters[PXR_COUNT_EVENTS]},
        {"Joins", "Join links followed", sums.counters[PXR_COUNT_JOINS]},
        {"DeliveriesWaiting", "Deliveries waiting", sums.waiting},
        {"DeliveriesFailed", "Deliveries failed", sums.failed},
        {"Unwritten", "Changes not written yet", pxr_store_unsaved(store)},
        {"MeetingsUsed", "Room for meetings: used", health.meetings.used},
        {"MeetingsSize", "Room for meetings: all", health.meetings.size},
        {"LegsUsed", "Room for call legs: used", health.legs.used},
        {"LegsSize", "Room for call legs: all", health.legs.size},
        {"WorkersWaiting", "Workers that wait for other servers",
         pxr_store_places_taken(store, PXR_PLACE_OUTSIDE)},
        {"WorkersWaitingMax", "How many may", pxr_outside_share()},
        {"Repairs", "Repairs of the memory", health.repairs},
    };
    if ((flags & AP_STATUS_SHORT) != 0) {
        put_for_machines(r, rows, sizeof(rows) / sizeof(rows[0]));
    } else {
        put_for_people(r, rows, sizeof(rows) / sizeof(rows[0]));
    }
    return OK;
}

void pxr_register_status_hook(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, put_section, NULL, NULL, APR_HOOK_MIDDLE);
}
