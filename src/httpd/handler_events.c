#include "pxr_httpd.h"

#include "pxr_alias.h"
#include "pxr_foreign.h"

static const char taken[] = "{\"success\":true}";

/* While one request is worked off. */
typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    const char *user;
    pxr_time_t now;
    uint64_t events;
    uint64_t foreign;
    uint64_t unusable;
    uint64_t dropped;
    uint64_t kinds[PXR_EVENT_KINDS];
    bool locked;
} delivery_t;

/* Foreign events are nobody's business, and one that is answered with 503 will come again. */
static void log_event(const delivery_t *d, const pxr_event_t *event, pxr_status_t status,
                      unsigned changed)
{
    pxr_log_entry_t entry = {.received = d->now,
                             .workspace = d->call->workspace->site_url,
                             .user = d->user,
                             .event = event,
                             .effect = "nothing new"};

    if (status == PXR_FULL) {
        entry.effect = "dropped";
    } else if (changed != 0 || pxr_event_is_about_sink(event->kind)) {
        entry.effect = "taken";
    }
    if (status == PXR_OK || status == PXR_FULL) {
        pxr_event_log_write(d->r, d->call, &entry);
    }
}

/* A meeting that another machine has just made may not be known here yet. */
static bool may_be_ours(const pxr_workspace_t *w, const pxr_event_t *event)
{
    const char *breakout;
    size_t len = pxr_event_meeting_name(event->conference, &breakout);

    return pxr_meeting_id_valid(event->conference, len) &&
           strcmp(event->tag, w->answer.service_tag) == 0;
}

/* Somebody may ask for the chat of a conference that is none of our meetings. */
static pxr_status_t note_foreign(const delivery_t *d, const pxr_event_t *event)
{
    const pxr_workspace_t *w = d->call->workspace;
    pxr_status_t status = PXR_OK;

    if (w->scheduled_room != NULL && !may_be_ours(w, event)) {
        status = pxr_store_foreign_note(d->call->store, w->number, event, pxr_time_steady());
    }
    return status == PXR_OK ? PXR_MISSING : status;
}

static bool take_event(void *context, const pxr_event_t *event)
{
    delivery_t *d = context;
    unsigned changed = 0;
    pxr_status_t status =
        pxr_store_event(d->call->store, d->call->workspace->number, d->user, event,
                        may_be_ours(d->call->workspace, event), d->now, &changed);

    if (status == PXR_MISSING) {
        status = note_foreign(d, event);
    }
    d->events++;
    d->kinds[event->kind]++;
    switch (status) {
    case PXR_OK:
        break;
    case PXR_MISSING:
        d->foreign++;
        break;
    case PXR_INVALID:
        d->unusable++;
        break;
    case PXR_FULL:
        d->dropped++;
        break;
    default:
        d->locked = true;
        return false;
    }
    log_event(d, event, status, changed);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, d->r,
                  "%s of node %s, seq %" APR_UINT64_T_FMT ": %s%s",
                  pxr_event_kind_name(event->kind), event->node, (apr_uint64_t)event->seq,
                  status == PXR_MISSING ? "not of our meetings"
                  : status == PXR_OK    ? "taken"
                                        : "cannot be used",
                  status == PXR_OK && changed == 0 ? ", changes nothing" : "");
    return true;
}

/* The worst of what was delivered, else whether anything of it was about us. */
static const char *result_of(const delivery_t *d)
{
    return d->locked                 ? "events_postponed"
           : d->dropped > 0          ? "events_dropped"
           : d->unusable > 0         ? "events_unusable"
           : d->foreign == d->events ? "events_foreign"
                                     : "events_taken";
}

static void count(const delivery_t *d)
{
    const pxr_store_t *store = d->call->store;
    uint32_t workspace = d->call->workspace->number;

    if (d->events > 0) {
        pxr_store_see(store, workspace, PXR_SEEN_EVENTS, d->now);
    }
    pxr_store_count(store, workspace, PXR_COUNT_EVENTS, d->events);
    for (int kind = 0; kind < PXR_EVENT_KINDS; kind++) {
        if (d->kinds[kind] > 0) {
            pxr_store_count_events(store, workspace, (pxr_event_kind_t)kind, d->kinds[kind]);
        }
    }
    pxr_store_count(store, workspace, PXR_COUNT_EVENTS_FOREIGN, d->foreign);
    pxr_store_count(store, workspace, PXR_COUNT_EVENTS_UNUSABLE, d->unusable);
    if (d->dropped > 0) {
        pxr_store_count(store, workspace, PXR_COUNT_EVENTS_DROPPED, d->dropped);
        if (pxr_store_may_tell(store, PXR_TOPIC_DROPPED, d->now)) {
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, d->r,
                          "PXR1032: the table of participants is full, events are dropped: "
                          "raise " PXR_D_PARTICIPANTS);
        }
    }
}

static int take_body(request_rec *r, const pxr_call_t *call)
{
    delivery_t d = {.r = r, .call = call, .user = r->user != NULL ? r->user : ""};
    char *body;
    apr_size_t len;
    int status = pxr_read_body(r, call->workspace->event_body_max, &body, &len);
    size_t failures;

    if (status != OK) {
        return status;
    }
    /* The body may have taken its time. */
    d.now = pxr_time_now();
    failures = pxr_json_read_events(body, len, take_event, &d);
    d.unusable += failures;
    count(&d);
    apr_table_setn(r->notes, PXR_NOTE_RESULT, result_of(&d));
    if (failures > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "%" APR_SIZE_T_FMT " events in a body of %" APR_SIZE_T_FMT
                      " bytes could not be understood",
                      failures, len);
    }
    if (d.locked) {
        /* The node keeps the event and sends it again. */
        if (pxr_store_may_tell(call->store, PXR_TOPIC_LOCKED, d.now)) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          "PXR1033: the working set is locked by a process that does not go on");
        }
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE, "try again");
    }
    return pxr_reply(r, HTTP_OK, "application/json", taken, sizeof(taken) - 1);
}

int pxr_handle_events(request_rec *r, const pxr_call_t *call)
{
    if (!pxr_ends_at_marker(call)) {
        return HTTP_NOT_FOUND;
    }
    if (r->method_number == M_POST) {
        /* Who has looked at this URL with a browser has left the nodes' secret in it. */
        return pxr_origin_is_foreign(r, call->workspace)
                   ? pxr_reply_problem(r, HTTP_FORBIDDEN, "the request was made by another site")
                   : take_body(r, call);
    }
    /* Administrators look at the URL with a browser to see whether it is there. */
    if (r->method_number == M_GET) {
        return pxr_reply(r, HTTP_OK, "application/json", taken, sizeof(taken) - 1);
    }
    return pxr_reply_method(r, "GET, HEAD, POST");
}
