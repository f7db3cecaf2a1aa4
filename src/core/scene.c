#include <string.h>

#include "pxr_event.h"
#include "pxr_text.h"

static bool is_api(const pxr_leg_t *leg)
{
    return pxr_equal_nocase(leg->protocol, strlen(leg->protocol), "API", 3) ||
           pxr_equal_nocase(leg->protocol, strlen(leg->protocol), "BACKPLANE", 9);
}

bool pxr_leg_in_room(const pxr_leg_t *leg)
{
    if (leg->is_streaming == PXR_YES || is_api(leg)) {
        return false;
    }
    /* What was never said counts in favour of a person: ending a meeting too late is a nuisance,
     * ending it over somebody's head is a failure. */
    return (leg->service == PXR_SERVICE_ROOM || leg->service == PXR_SERVICE_UNSAID) &&
           leg->has_media != PXR_NO;
}

bool pxr_leg_present(const pxr_leg_t *leg)
{
    return pxr_leg_in_room(leg) ||
           (leg->service == PXR_SERVICE_JOINING && leg->is_streaming != PXR_YES);
}

bool pxr_leg_is_in(const pxr_leg_t *leg, const pxr_share_t *share)
{
    return leg->attached && share->open && leg->epoch == share->epoch;
}

static bool is_hosting(const pxr_scene_t *scene, const pxr_share_t *share)
{
    return share->open && share->era == scene->meeting.era;
}

/* Forgets the legs of a share at once, without visiting them. */
static int32_t empty_share(pxr_share_t *share)
{
    int32_t gone = (int32_t)share->present;

    share->epoch++;
    share->present = 0;
    return -gone;
}

/* Returns by how many the shares of the meeting grow. A share of an earlier era was forgotten by
 * the meeting, its legs with it. */
static int32_t open_share(pxr_scene_t *scene, pxr_share_t *share)
{
    if (is_hosting(scene, share)) {
        return 0;
    }
    empty_share(share);
    share->open = 1;
    share->era = scene->meeting.era;
    return 1;
}

static void note_start(pxr_scene_t *scene, pxr_time_t at, pxr_time_t now)
{
    pxr_meeting_t *m = &scene->meeting;

    at = at == 0 || at > now ? now : at;
    if (m->started_at == 0 || at < m->started_at) {
        m->started_at = at;
    }
}

static void note_end(pxr_scene_t *scene, pxr_time_t at)
{
    if (at > scene->meeting.last_end) {
        scene->meeting.last_end = at;
    }
}

static pxr_time_t first_known(pxr_time_t a, pxr_time_t b, pxr_time_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

/* Notes that the node spoke about its hosting. A farewell of a leg is no such word: the end of the
 * conference may have been said before it and come after it. */
static unsigned touch_share(pxr_scene_t *scene, const pxr_order_t *order, pxr_time_t now)
{
    scene->share.known = 1;
    scene->share.last_at = now;
    if (pxr_order_compare(order, &scene->share.order) >= 0) {
        scene->share.order = *order;
    }
    return PXR_CHANGED_SHARE;
}

/* An event from before the end of the node's share, or before the present one began, says nothing
 * about the present. */
static bool is_from_before(const pxr_scene_t *scene, const pxr_order_t *order)
{
    const pxr_share_t *share = &scene->share;
    pxr_time_t began = pxr_time_later(share->start_time, share->end_time);

    return share->known && pxr_order_compare(order, &share->order) < 0 &&
           (!share->open || (order->time != 0 && order->time + PXR_CLOCK_TOLERANCE < began));
}

static bool is_of_former_run(const pxr_order_t *order, const pxr_order_t *newest)
{
    return pxr_run_is_comparable(order->run, newest->run) && order->run < newest->run;
}

/* Whether a hosting that began has nothing to do with the one that is known: the node was restarted
 * in between, which may have put its clock back. Where nobody has said when the known one began,
 * its newest word is older than what people say while the other begins. */
static bool is_new_hosting(const pxr_share_t *share, const pxr_event_t *event,
                           const pxr_order_t *order)
{
    if (share->start_time == 0) {
        return share->order.time != 0 &&
               share->order.time + PXR_CLOCK_TOLERANCE < event->start_time;
    }
    return event->start_time > share->start_time ||
           (event->start_time != 0 && event->start_time != share->start_time &&
            order->source == share->order.source && is_of_former_run(&share->order, order));
}

static unsigned conference_started(pxr_scene_t *scene, const pxr_event_t *event,
                                   const pxr_order_t *order, pxr_time_t now)
{
    pxr_share_t *share = &scene->share;
    bool stale = share->known && pxr_order_compare(order, &share->order) < 0;
    int32_t people = 0;
    int32_t shares;

    /* A late start still tells when it began. */
    note_start(scene, first_known(event->start_time, event->time, now), now);
    if (stale) {
        return PXR_CHANGED_MEETING;
    }
    if (!share->open && share->known && event->start_time != 0 && share->end_time != 0 &&
        event->start_time + PXR_CLOCK_TOLERANCE < share->end_time) {
        return PXR_CHANGED_MEETING;
    }
    /* The node hosts it anew without having ended its old share. */
    if (is_hosting(scene, share) && is_new_hosting(share, event, order)) {
        people = empty_share(share);
    }
    shares = open_share(scene, share);
    share->start_time = event->start_time;
    touch_share(scene, order, now);
    pxr_meeting_account(&scene->meeting, shares, people, now);
    return PXR_CHANGED_MEETING | PXR_CHANGED_SHARE;
}

static unsigned conference_updated(pxr_scene_t *scene, const pxr_event_t *event,
                                   const pxr_order_t *order, pxr_time_t now)
{
    if (is_from_before(scene, order)) {
        return 0;
    }
    note_start(scene, first_known(event->start_time, event->time, now), now);
    pxr_meeting_account(&scene->meeting, open_share(scene, &scene->share), 0, now);
    return PXR_CHANGED_MEETING | touch_share(scene, order, now);
}

static unsigned conference_ended(pxr_scene_t *scene, const pxr_event_t *event,
                                 const pxr_order_t *order, pxr_time_t now)
{
    pxr_share_t *share = &scene->share;
    pxr_time_t end_time = first_known(event->end_time, event->time, now);
    bool hosting = is_hosting(scene, share);

    if (share->known && pxr_order_compare(order, &share->order) < 0) {
        return 0;
    }
    note_start(scene, first_known(event->start_time, share->start_time, end_time), now);
    note_end(scene, end_time);
    /* The end of a share whose beginning was lost is the end of a hosting too. The end of one that
     * the meeting has already given up is not. */
    if (hosting || !share->known) {
        int32_t people = hosting ? empty_share(share) : 0;
        pxr_meeting_account(&scene->meeting, hosting ? -1 : 0, people, now);
    }
    share->open = 0;
    share->end_time = end_time;
    touch_share(scene, order, now);
    return PXR_CHANGED_MEETING | PXR_CHANGED_SHARE;
}

static void merge_leg(pxr_scene_t *scene, const pxr_event_t *event)
{
    pxr_leg_t *leg = &scene->leg;

    if (event->name[0] != '\0') {
        memcpy(scene->leg_name, event->name, sizeof(scene->leg_name));
        leg->said_at[PXR_SAID_NAME] = event->time;
    }
    if (event->protocol[0] != '\0') {
        memcpy(leg->protocol, event->protocol, sizeof(leg->protocol));
        leg->said_at[PXR_SAID_PROTOCOL] = event->time;
    }
    if (event->service != PXR_SERVICE_UNSAID) {
        leg->service = (uint8_t)event->service;
        leg->said_at[PXR_SAID_SERVICE] = event->time;
    }
    if (event->has_role) {
        leg->role = (uint8_t)event->role;
        leg->said_at[PXR_SAID_ROLE] = event->time;
    }
    if (event->has_media != PXR_UNSAID) {
        leg->has_media = (uint8_t)event->has_media;
        leg->said_at[PXR_SAID_MEDIA] = event->time;
    }
    if (event->is_streaming != PXR_UNSAID) {
        leg->is_streaming = (uint8_t)event->is_streaming;
        leg->said_at[PXR_SAID_STREAMING] = event->time;
    }
    if (scene->conversation != 0) {
        leg->conversation = scene->conversation;
    }
    if (event->has_related) {
        memcpy(leg->related, scene->related, sizeof(leg->related));
    }
    if (event->connect_time != 0) {
        leg->connected_at = event->connect_time;
    }
}

/* The share in which the leg is counted at present, or NULL. */
static pxr_share_t *home_of(pxr_scene_t *scene)
{
    pxr_share_t *home = scene->has_former ? &scene->former : &scene->share;

    return pxr_leg_is_in(&scene->leg, home) && is_hosting(scene, home) ? home : NULL;
}

/* Takes the leg out of where it is counted and returns the change of the meeting's count. */
static int32_t detach(pxr_scene_t *scene, unsigned *changed)
{
    pxr_share_t *home = home_of(scene);
    int32_t before = 0;

    if (home != NULL) {
        before = scene->leg.present;
        home->present -= (uint32_t)before;
        *changed |= home == &scene->former ? PXR_CHANGED_FORMER : PXR_CHANGED_SHARE;
    }
    scene->leg.attached = 0;
    scene->leg.present = 0;
    return -before;
}

/* The very event that was the newest about this leg. */
static bool is_repeat(const pxr_leg_t *leg, const pxr_order_t *order)
{
    /* Its run does not matter: a repeat may reach another machine than the event did. */
    return leg->known && order->source == leg->order.source && order->seq != 0 &&
           order->seq == leg->order.seq && order->time != 0 && order->time == leg->order.time;
}

/* Whether something newer was said before. Nodes' clocks differ, so a farewell wins over another
 * node's sign of life that is barely younger. */
static bool is_overtaken(const pxr_leg_t *leg, const pxr_order_t *order, bool farewell)
{
    if (!leg->known) {
        return false;
    }
    if (farewell && order->source == leg->order.source &&
        pxr_run_is_comparable(order->run, leg->joined_run)) {
        /* Late is no reason to disbelieve it, but that it is older than the leg's arrival is, or
         * that the leg was seen after its node was restarted. */
        return order->run < leg->joined_run || is_of_former_run(order, &leg->order) ||
               (order->run == leg->joined_run && order->seq != 0 && order->seq < leg->joined_seq);
    }
    if (farewell && order->source == leg->order.source && order->seq != 0 &&
        order->seq < leg->joined_seq && order->time != 0 && order->time <= leg->order.time) {
        /* The same, though two machines have heard of it. */
        return true;
    }
    if (farewell) {
        return order->time != 0 && leg->order.time != 0 &&
               order->time + PXR_CLOCK_TOLERANCE < leg->order.time;
    }
    return pxr_order_compare(order, &leg->order) < 0;
}

/* It has gone on to another room of the meeting, so a farewell from this one is not its last. */
static bool is_elsewhere(pxr_scene_t *scene)
{
    return home_of(scene) == &scene->former && scene->former.scope != scene->share.scope;
}

static void note_farewell(pxr_leg_t *leg, const pxr_order_t *order)
{
    if (order->source != leg->order.source) {
        /* When it came to this node is not known. */
        leg->joined_seq = 0;
        leg->joined_run = 0;
    } else if (leg->closed) {
        /* From another room: it came there after the farewell from the one before. */
        leg->joined_seq = leg->order.seq;
        leg->joined_run = leg->order.run;
    }
    leg->order = *order;
}

static unsigned leg_disconnected(pxr_scene_t *scene, const pxr_event_t *event,
                                 const pxr_order_t *order, pxr_time_t now)
{
    pxr_leg_t *leg = &scene->leg;
    unsigned changed = PXR_CHANGED_LEG | PXR_CHANGED_MEETING;
    int32_t people;

    if (is_overtaken(leg, order, true) || is_elsewhere(scene)) {
        return 0;
    }
    if (leg->closed) {
        /* Another node's farewell: whatever was said before it is no return. */
        if (pxr_order_compare(order, &leg->order) <= 0) {
            return 0;
        }
        note_farewell(leg, order);
        leg->left_at = first_known(event->end_time, event->time, now);
        note_end(scene, leg->left_at);
        return PXR_CHANGED_LEG | PXR_CHANGED_MEETING;
    }
    people = detach(scene, &changed);
    merge_leg(scene, event);
    leg->known = 1;
    leg->left_at = first_known(event->end_time, event->time, now);
    leg->heard_at = now;
    note_farewell(leg, order);
    leg->closed = 1;
    note_end(scene, leg->left_at);
    if (scene->share.known) {
        scene->share.last_at = now;
        changed |= PXR_CHANGED_SHARE;
    }
    /* A farewell alone never makes a meeting live. */
    if (people != 0) {
        pxr_meeting_account(&scene->meeting, 0, people, now);
    }
    return changed;
}

/* A leg that moves between nodes, or between the main room and a breakout room, may be said
 * farewell in the old place before it is seen in the new one. */
static bool is_back(const pxr_scene_t *scene, const pxr_event_t *event, const pxr_order_t *order)
{
    const pxr_leg_t *leg = &scene->leg;

    if (order->source == leg->order.source) {
        if (event->kind == PXR_EVENT_CONNECTED && scene->has_former &&
            scene->former.scope != scene->share.scope && order->seq > leg->joined_seq &&
            (order->run >= leg->joined_run ||
             !pxr_run_is_comparable(order->run, leg->joined_run))) {
            /* It came here while it was in the room that it has left. */
            return true;
        }
        return event->kind == PXR_EVENT_CONNECTED && pxr_order_compare(order, &leg->order) > 0 &&
               (order->time == 0 || order->time > leg->order.time);
    }
    return leg->order.time != 0 && order->time > leg->order.time + PXR_CLOCK_TOLERANCE;
}

static unsigned leg_seen(pxr_scene_t *scene, const pxr_event_t *event, const pxr_order_t *order,
                         pxr_time_t now)
{
    pxr_leg_t *leg = &scene->leg;
    unsigned changed = PXR_CHANGED_LEG | PXR_CHANGED_SHARE | PXR_CHANGED_MEETING;
    int32_t people;
    int32_t shares;

    if ((leg->closed ? !is_back(scene, event, order) : is_overtaken(leg, order, false)) ||
        is_from_before(scene, order)) {
        return 0;
    }
    /* Said again about a leg that went with its share, it is no evidence of a return. */
    if (is_repeat(leg, order) && home_of(scene) == NULL) {
        return 0;
    }
    if (!leg->known || leg->closed || event->kind == PXR_EVENT_CONNECTED ||
        order->source != leg->order.source) {
        leg->joined_seq = order->seq;
        leg->joined_run = order->run;
    }
    people = detach(scene, &changed);
    merge_leg(scene, event);
    leg->closed = 0;
    leg->left_at = 0;
    shares = open_share(scene, &scene->share);
    if (leg->connected_at == 0) {
        leg->connected_at = first_known(event->connect_time, event->time, now);
    }
    leg->known = 1;
    leg->attached = 1;
    leg->epoch = scene->share.epoch;
    leg->present = pxr_leg_present(leg);
    leg->heard_at = now;
    leg->order = *order;
    scene->share.present += leg->present;
    people += leg->present;
    note_start(scene, first_known(event->time, now, 0), now);
    touch_share(scene, order, now);
    pxr_meeting_account(&scene->meeting, shares, people, now);
    return changed;
}

static unsigned leg_quality(pxr_scene_t *scene, const pxr_event_t *event, pxr_time_t now)
{
    pxr_leg_t *leg = &scene->leg;

    leg->heard_at = now;
    if (event->quality != PXR_QUALITY_UNKNOWN && event->time >= leg->quality_at) {
        leg->quality = (uint8_t)event->quality;
        leg->quality_at = event->time;
        if (leg->quality > leg->worst_quality) {
            leg->worst_quality = leg->quality;
        }
    }
    return PXR_CHANGED_LEG;
}

unsigned pxr_event_apply(pxr_scene_t *scene, const pxr_event_t *event, const pxr_order_t *order,
                         pxr_time_t now)
{
    if (pxr_event_is_about_quality(event->kind)) {
        return scene->leg.known ? leg_quality(scene, event, now) : 0;
    }
    if (scene->meeting.state == PXR_MEETING_ENDED) {
        return 0;
    }
    switch (event->kind) {
    case PXR_EVENT_CONFERENCE_STARTED:
        return conference_started(scene, event, order, now);
    case PXR_EVENT_CONFERENCE_UPDATED:
        return conference_updated(scene, event, order, now);
    case PXR_EVENT_CONFERENCE_ENDED:
        return conference_ended(scene, event, order, now);
    case PXR_EVENT_CONNECTED:
    case PXR_EVENT_UPDATED:
        return leg_seen(scene, event, order, now);
    case PXR_EVENT_DISCONNECTED:
        return leg_disconnected(scene, event, order, now);
    default:
        return 0;
    }
}

bool pxr_leg_lost(const pxr_leg_t *leg, pxr_time_t run, pxr_time_t now)
{
    if (!leg->attached) {
        return false;
    }
    if (leg->heard_at + PXR_LEG_SILENCE < now) {
        return true;
    }
    return run > leg->order.run && run + PXR_LEG_SILENCE_RESTARTED < now && leg->heard_at < run;
}

unsigned pxr_leg_drop(pxr_scene_t *scene, pxr_time_t now)
{
    unsigned changed = PXR_CHANGED_LEG;
    int32_t people = detach(scene, &changed);

    if (people != 0 && scene->meeting.state == PXR_MEETING_LIVE) {
        pxr_meeting_account(&scene->meeting, 0, people, now);
        changed |= PXR_CHANGED_MEETING;
    }
    return changed;
}
