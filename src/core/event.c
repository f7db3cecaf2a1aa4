#include "pxr_event.h"

#include <string.h>

#include "pxr_text.h"

typedef struct {
    const char *name;
    int value;
} word_t;

static const word_t kinds[] = {
    {"eventsink_started", PXR_EVENT_SINK_STARTED},
    {"eventsink_updated", PXR_EVENT_SINK_UPDATED},
    {"eventsink_stopped", PXR_EVENT_SINK_STOPPED},
    {"eventsink_ended", PXR_EVENT_SINK_STOPPED},
    {"conference_started", PXR_EVENT_CONFERENCE_STARTED},
    {"conference_updated", PXR_EVENT_CONFERENCE_UPDATED},
    {"conference_ended", PXR_EVENT_CONFERENCE_ENDED},
    {"participant_connected", PXR_EVENT_CONNECTED},
    {"participant_updated", PXR_EVENT_UPDATED},
    {"participant_disconnected", PXR_EVENT_DISCONNECTED},
    {"participant_media_stream_window", PXR_EVENT_QUALITY},
    {"participant_media_streams_destroyed", PXR_EVENT_STREAMS},
};

static const word_t services[] = {
    {"conference", PXR_SERVICE_ROOM},      {"lecture", PXR_SERVICE_ROOM},
    {"gateway", PXR_SERVICE_ROOM},         {"connecting", PXR_SERVICE_JOINING},
    {"ivr", PXR_SERVICE_JOINING},          {"two_stage_dialing", PXR_SERVICE_JOINING},
    {"waiting_room", PXR_SERVICE_JOINING}, {"test_call", PXR_SERVICE_OTHER},
    {"media_playback", PXR_SERVICE_OTHER},
};

static const word_t roles[] = {
    {"chair", PXR_ROLE_HOST}, {"host", PXR_ROLE_HOST}, {"guest", PXR_ROLE_GUEST}};

static const word_t qualities[] = {{"1_good", PXR_QUALITY_GOOD},
                                   {"2_ok", PXR_QUALITY_OK},
                                   {"3_bad", PXR_QUALITY_BAD},
                                   {"4_terrible", PXR_QUALITY_TERRIBLE}};

static int look_up(const word_t *words, size_t count, const char *name, int otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (pxr_equal_nocase(words[i].name, strlen(words[i].name), name, strlen(name))) {
            return words[i].value;
        }
    }
    return otherwise;
}

#define LOOK_UP(words, name, otherwise) \
    look_up(words, sizeof(words) / sizeof((words)[0]), name, otherwise)

pxr_event_kind_t pxr_event_kind(const char *name)
{
    return (pxr_event_kind_t)LOOK_UP(kinds, name, PXR_EVENT_UNKNOWN);
}

const char *pxr_event_kind_name(pxr_event_kind_t kind)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].value == (int)kind) {
            return kinds[i].name;
        }
    }
    return "unknown";
}

pxr_service_t pxr_event_service(const char *name)
{
    return (pxr_service_t)LOOK_UP(services, name, PXR_SERVICE_UNSAID);
}

pxr_role_t pxr_event_role(const char *name)
{
    return (pxr_role_t)LOOK_UP(roles, name, PXR_ROLE_UNKNOWN);
}

pxr_quality_t pxr_event_quality(const char *name)
{
    return (pxr_quality_t)LOOK_UP(qualities, name, PXR_QUALITY_UNKNOWN);
}

const char *pxr_quality_name(pxr_quality_t quality)
{
    static const char *const names[] = {"unknown", "good", "ok", "bad", "terrible"};

    return names[(size_t)quality < sizeof(names) / sizeof(names[0]) ? quality : 0];
}

const char *pxr_role_name(pxr_role_t role)
{
    static const char *const names[] = {"unknown", "guest", "host"};

    return names[(size_t)role < sizeof(names) / sizeof(names[0]) ? role : 0];
}

bool pxr_event_is_about_leg(pxr_event_kind_t kind)
{
    return kind == PXR_EVENT_CONNECTED || kind == PXR_EVENT_UPDATED ||
           kind == PXR_EVENT_DISCONNECTED;
}

bool pxr_event_is_about_quality(pxr_event_kind_t kind)
{
    return kind == PXR_EVENT_QUALITY || kind == PXR_EVENT_STREAMS;
}

bool pxr_event_is_about_sink(pxr_event_kind_t kind)
{
    return kind == PXR_EVENT_SINK_STARTED || kind == PXR_EVENT_SINK_UPDATED ||
           kind == PXR_EVENT_SINK_STOPPED;
}

size_t pxr_event_meeting_name(const char *conference, const char **breakout)
{
    const char *mark = strstr(conference, PXR_BREAKOUT_MARK);

    *breakout = mark != NULL ? mark + sizeof(PXR_BREAKOUT_MARK) - 1 : NULL;
    return mark != NULL ? (size_t)(mark - conference) : strlen(conference);
}

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

int pxr_order_compare(const pxr_order_t *a, const pxr_order_t *b)
{
    bool numbered = a->source == b->source && a->seq != 0 && b->seq != 0;
    bool timed = a->time != 0 && b->time != 0;

    if (a->source == b->source && a->run != b->run && pxr_run_is_comparable(a->run, b->run)) {
        return compare(a->run, b->run);
    }
    if (numbered && a->run == b->run && a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }
    if (timed && a->time != b->time) {
        return compare(a->time, b->time);
    }
    /* Two machines that share a node's events know its numbers, not its runs. */
    return numbered && timed && a->seq != b->seq ? (a->seq < b->seq ? -1 : 1) : 0;
}

bool pxr_run_is_comparable(pxr_time_t a, pxr_time_t b)
{
    return ((a ^ b) & PXR_RUN_MACHINE) == 0;
}

static pxr_time_t new_run(const pxr_publisher_t *p, pxr_time_t now)
{
    /* Runs are told apart by their beginning, so it must go up even if our clock does not. */
    pxr_time_t floor = now > p->run ? now : p->run;
    pxr_time_t run = (floor & ~PXR_RUN_MACHINE) | p->machine;

    return run > p->run ? run : run + PXR_RUN_MACHINE + 1;
}

/* A run begins where the publisher says so, or where numbers go back while its clock goes on
 * (event reference 1.7). */
static bool begins_run(const pxr_publisher_t *p, const pxr_event_t *event)
{
    if (p->run == 0) {
        return true;
    }
    /* The clock of a node that was restarted may be behind what it was, but not so far behind that
     * it could be the start of the run before. */
    if (event->kind == PXR_EVENT_SINK_STARTED &&
        (event->time > (p->began != 0 ? p->began : p->time) ||
         (event->time == 0 && event->seq <= 1))) {
        return true;
    }
    if (event->seq == 0 || p->highest == 0 || event->seq > p->highest) {
        return false;
    }
    return event->time > p->time;
}

/* An event of the run before, with the numbers of that run. Where such a run is known even a number
 * that fits into the present one makes it no event of this one. */
static bool is_straggler(const pxr_publisher_t *p, const pxr_event_t *event)
{
    return (event->seq > p->highest || p->former != 0) && event->time != 0 && p->began != 0 &&
           event->time + PXR_CLOCK_TOLERANCE < p->began;
}

static void number(pxr_publisher_t *p, const pxr_event_t *event)
{
    if (event->seq > p->highest) {
        uint64_t step = event->seq - p->highest;
        if (p->highest != 0) {
            p->missing += step - 1;
        }
        p->window = step < 64 ? p->window << step | 1 : 1;
        p->highest = event->seq;
        p->time = event->time != 0 ? event->time : p->time;
        return;
    }
    if (p->highest - event->seq < 64) {
        uint64_t bit = UINT64_C(1) << (p->highest - event->seq);
        if (p->window & bit) {
            p->duplicates++;
        } else {
            p->window |= bit;
            p->missing -= p->missing > 0;
        }
    }
}

pxr_order_t pxr_publisher_hear(pxr_publisher_t *p, const pxr_event_t *event, pxr_time_t now)
{
    pxr_order_t order = {.source = p->source, .seq = event->seq, .time = event->time};

    p->events++;
    p->last_at = now;
    if (event->version != 0) {
        p->version = event->version;
    }
    if (begins_run(p, event)) {
        p->former = p->run;
        p->run = new_run(p, now);
        p->highest = 0;
        p->window = 0;
        p->missing = 0;
        p->time = event->time;
        p->began = event->time;
    }
    if (is_straggler(p, event)) {
        order.run = p->former;
        return order;
    }
    order.run = p->run;
    if (event->seq != 0) {
        number(p, event);
    }
    return order;
}
