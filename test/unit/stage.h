#ifndef PXR_TEST_STAGE_H
#define PXR_TEST_STAGE_H

#include "helpers.h"

#include "pxr_event.h"

/*
 * The least store in which events of one meeting can be played: what src/store does around
 * pxr_event_apply(), without tables, locks and limits.
 */

#ifndef STAGE_SHARES
#define STAGE_SHARES 8
#define STAGE_LEGS 16
#endif
#define T0 (INT64_C(1795341600) * PXR_SECOND)
#define AT(seconds) (T0 + (pxr_time_t)((seconds) * (double)PXR_SECOND))

typedef struct {
    pxr_meeting_t meeting;
    size_t share_count;
    pxr_share_t shares[STAGE_SHARES];
    size_t leg_count;
    pxr_leg_t legs[STAGE_LEGS];
    char names[STAGE_LEGS][PXR_NAME_CHARS + 1];
    size_t homes[STAGE_LEGS]; /* share in which the newest of the leg was said */
    size_t publisher_count;
    char nodes[4][PXR_NODE_MAX + 1];
    pxr_publisher_t publishers[4];
} stage_t;

static inline uint64_t stage_hash(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (const char *c = text; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    return text[0] != '\0' ? hash | 1 : 0;
}

static inline void stage_begin(stage_t *stage, pxr_time_t now, pxr_time_t not_after)
{
    memset(stage, 0, sizeof(*stage));
    pxr_meeting_init(&stage->meeting, now, 0, not_after, PXR_LIFETIME_DEFAULT, PXR_GRACE_DEFAULT,
                     PXR_SILENCE_DEFAULT);
}

static inline pxr_publisher_t *stage_publisher(stage_t *stage, const char *node)
{
    size_t i = 0;

    while (i < stage->publisher_count && strcmp(stage->nodes[i], node) != 0) {
        i++;
    }
    if (i == stage->publisher_count) {
        assert_true(i < COUNT(stage->publishers));
        stage->publisher_count++;
        strcpy(stage->nodes[i], node);
        stage->publishers[i].source = stage_hash(node);
    }
    return &stage->publishers[i];
}

static inline size_t stage_share(const stage_t *stage, const char *node, uint64_t scope)
{
    size_t i = 0;

    while (i < stage->share_count &&
           (strcmp(stage->shares[i].node, node) != 0 || stage->shares[i].scope != scope)) {
        i++;
    }
    return i;
}

static inline size_t stage_leg(const stage_t *stage, const char *uuid)
{
    size_t i = 0;

    while (i < stage->leg_count && strcmp(stage->legs[i].uuid, uuid) != 0) {
        i++;
    }
    return i;
}

/* Applies the event in its place of the order and returns what it changed. */
static inline unsigned stage_apply(stage_t *stage, const pxr_event_t *event,
                                   const pxr_order_t *order, pxr_time_t now)
{
    const char *breakout;
    pxr_scene_t scene = {.meeting = stage->meeting};
    bool about_leg = pxr_event_is_about_leg(event->kind) || event->kind == PXR_EVENT_QUALITY;
    size_t share, leg;
    unsigned changed;

    pxr_event_meeting_name(event->conference, &breakout);
    scene.share.scope = breakout != NULL ? stage_hash(breakout) : 0;
    share = stage_share(stage, event->node, scene.share.scope);
    leg = stage_leg(stage, event->uuid);
    assert_true(share < STAGE_SHARES && leg < STAGE_LEGS);
    if (share < stage->share_count) {
        scene.share = stage->shares[share];
    } else {
        strcpy(scene.share.node, event->node);
    }
    strcpy(scene.leg.uuid, event->uuid);
    if (about_leg && leg < stage->leg_count) {
        scene.leg = stage->legs[leg];
        strcpy(scene.leg_name, stage->names[leg]);
        scene.has_former = stage->homes[leg] != share;
        scene.former = stage->shares[stage->homes[leg]];
    }
    scene.conversation = stage_hash(event->conversation);
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        scene.related[i] = stage_hash(event->related[i]);
    }
    changed = pxr_event_apply(&scene, event, order, now);
    if (changed & PXR_CHANGED_FORMER) {
        stage->shares[stage->homes[leg]] = scene.former;
    }
    /* Who has left is remembered where that was said, known or not. */
    if ((changed & PXR_CHANGED_SHARE) ||
        ((changed & PXR_CHANGED_LEG) && pxr_event_is_about_leg(event->kind))) {
        stage->shares[share] = scene.share;
        stage->share_count += share == stage->share_count;
    }
    if (changed & PXR_CHANGED_LEG) {
        stage->legs[leg] = scene.leg;
        strcpy(stage->names[leg], scene.leg_name);
        stage->leg_count += leg == stage->leg_count;
        stage->homes[leg] = pxr_event_is_about_leg(event->kind) ? share : stage->homes[leg];
    }
    if (changed & PXR_CHANGED_MEETING) {
        stage->meeting = scene.meeting;
    }
    return changed;
}

static inline unsigned stage_hear(stage_t *stage, const pxr_event_t *event, pxr_time_t now)
{
    pxr_order_t order = pxr_publisher_hear(stage_publisher(stage, event->node), event, now);

    return pxr_event_is_about_sink(event->kind) ? 0 : stage_apply(stage, event, &order, now);
}

/* What the background thread does: lost legs, then time. Returns what pxr_meeting_tick() says. */
static inline bool stage_tick(stage_t *stage, pxr_time_t now)
{
    for (size_t i = 0; i < stage->leg_count; i++) {
        pxr_time_t run = 0;
        for (size_t p = 0; p < stage->publisher_count; p++) {
            if (stage->publishers[p].source == stage->legs[i].order.source) {
                run = stage->publishers[p].run;
            }
        }
        if (pxr_leg_lost(&stage->legs[i], run, now)) {
            pxr_scene_t scene = {.meeting = stage->meeting,
                                 .leg = stage->legs[i],
                                 .share = stage->shares[stage->homes[i]]};
            pxr_leg_drop(&scene, now);
            stage->meeting = scene.meeting;
            stage->legs[i] = scene.leg;
            stage->shares[stage->homes[i]] = scene.share;
        }
    }
    return pxr_meeting_tick(&stage->meeting, 0, now);
}

static inline bool stage_counts(const stage_t *stage, const char *uuid)
{
    size_t leg = stage_leg(stage, uuid);

    return leg < stage->leg_count && stage->legs[leg].present &&
           pxr_leg_is_in(&stage->legs[leg], &stage->shares[stage->homes[leg]]);
}

/* Counts go wrong silently, so they are counted anew after every step. */
static inline void stage_check(const stage_t *stage)
{
    uint32_t shares = 0, present = 0;

    for (size_t i = 0; i < stage->share_count; i++) {
        const pxr_share_t *share = &stage->shares[i];
        uint32_t legs = 0;
        for (size_t j = 0; j < stage->leg_count; j++) {
            legs += stage->homes[j] == i && pxr_leg_is_in(&stage->legs[j], share) &&
                    stage->legs[j].present;
        }
        assert_int_equal(share->present, legs);
        if (share->open && share->era == stage->meeting.era &&
            stage->meeting.state == PXR_MEETING_LIVE) {
            shares++;
            present += legs;
        }
    }
    if (stage->meeting.state == PXR_MEETING_LIVE) {
        assert_int_equal(stage->meeting.shares, shares);
        assert_int_equal(stage->meeting.present, present);
        assert_int_equal(stage->meeting.empty_since == 0, present > 0);
        assert_int_equal(stage->meeting.unhosted_since == 0, shares > 0);
    } else {
        assert_int_equal(stage->meeting.shares, 0);
        assert_int_equal(stage->meeting.present, 0);
    }
}

static inline pxr_event_t event_of(pxr_event_kind_t kind, const char *node, uint64_t seq,
                                   double seconds)
{
    pxr_event_t event = {.kind = kind, .seq = seq, .time = AT(seconds), .conference = "Meeting1"};

    strcpy(event.node, node);
    return event;
}

/* A person in the room, unless the caller changes the event. */
static inline pxr_event_t leg_event(pxr_event_kind_t kind, const char *node, uint64_t seq,
                                    double seconds, const char *uuid)
{
    pxr_event_t event = event_of(kind, node, seq, seconds);

    strcpy(event.uuid, uuid);
    strcpy(event.protocol, "WebRTC");
    event.service = PXR_SERVICE_ROOM;
    event.has_media = PXR_YES;
    event.is_streaming = PXR_NO;
    return event;
}

#endif
