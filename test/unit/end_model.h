#ifndef PXR_TEST_END_MODEL_H
#define PXR_TEST_END_MODEL_H

#include "helpers.h"

#include "pxr_event.h"

/*
 * What two nodes have to tell of a meeting, and what may be concluded from a part of it. Everything
 * here is about the set of events that were delivered and their order on their node, never about
 * the order of delivery: that is what makes it a second opinion on src/core/scene.c.
 */

#define NODE_A "10.0.0.1"
#define NODE_B "10.0.0.2"
#define BEGINNING (INT64_C(1795341600) * PXR_SECOND)
#define MOMENT(seconds) (BEGINNING + (pxr_time_t)(seconds)*PXR_SECOND)
#define STORY_EVENTS 24
#define PEOPLE 3
#define ROOMS 2 /* the main room and a breakout room */

enum { ANNA, BORIS, CHRIS, NOBODY };

static const char *const people[PEOPLE] = {"anna", "boris", "chris"};
static const char *const nodes[2] = {NODE_A, NODE_B};
static const char *const rooms[ROOMS] = {"Meeting1", "Meeting1_breakout_b1"};

typedef struct {
    pxr_event_t event;
    size_t node, room, who;
} word_t;

typedef struct {
    const char *name;
    size_t count;
    bool has_rooms; /* somebody goes to a breakout room */
    size_t split;   /* so many words are node A's, the others node B's, each in their order */
    word_t words[STORY_EVENTS];
    pxr_time_t hosting[2][ROOMS]; /* when the node's present hosting began, while it is written */
    uint64_t seq[2];
} story_t;

/* What was heard of a story. */
typedef struct {
    const story_t *story;
    uint32_t delivered; /* a bit for each word */
    uint32_t forgotten; /* those of them from before the meeting was opened again */
    uint32_t late;      /* those of them that came after newer ones of their node */
    bool in_order;      /* nothing was lost or late */
} told_t;

static inline void say(story_t *story, size_t node, pxr_event_kind_t kind, size_t who, size_t room,
                       int seconds)
{
    word_t *word = &story->words[story->count++];
    pxr_event_t *event = &word->event;

    story->has_rooms = story->has_rooms || room > 0;

    assert_true(story->count <= STORY_EVENTS);
    *word = (word_t){.node = node, .room = room, .who = who};
    story->seq[node] = kind == PXR_EVENT_SINK_STARTED ? 1 : story->seq[node] + 1;
    event->kind = kind;
    event->seq = story->seq[node];
    event->time = MOMENT(seconds);
    strcpy(event->node, nodes[node]);
    if (kind == PXR_EVENT_SINK_STARTED) {
        return;
    }
    strcpy(event->conference, rooms[room]);
    if (who != NOBODY) {
        strcpy(event->uuid, people[who]);
        strcpy(event->protocol, "WebRTC");
        event->service = PXR_SERVICE_ROOM;
        event->has_media = PXR_YES;
        event->is_streaming = PXR_NO;
        return;
    }
    if (kind == PXR_EVENT_CONFERENCE_STARTED) {
        story->hosting[node][room] = event->time;
    }
    event->start_time = story->hosting[node][room];
    event->end_time = kind == PXR_EVENT_CONFERENCE_ENDED ? event->time : 0;
}

/* Everything of node A has to be said before anything of node B. */
static inline void next_node(story_t *story)
{
    story->split = story->count;
}

static inline bool is_delivered(const told_t *told, size_t i)
{
    return told->delivered >> i & 1;
}

static inline bool is_late(const told_t *told, size_t i)
{
    return told->late >> i & 1;
}

static inline bool is_sign(const word_t *word)
{
    return word->event.kind == PXR_EVENT_CONNECTED || word->event.kind == PXR_EVENT_UPDATED;
}

static inline bool is_same_place(const word_t *a, const word_t *b)
{
    return a->node == b->node && a->room == b->room;
}

/* Whether the leg has connected on its node after word `farewell` and not after word `sign`. A mere
 * update is no return. */
static inline bool has_returned(const told_t *told, size_t farewell, size_t sign)
{
    const word_t *words = told->story->words;

    for (size_t i = farewell + 1; i <= sign; i++) {
        if (is_delivered(told, i) && words[i].event.kind == PXR_EVENT_CONNECTED &&
            words[i].who == words[sign].who) {
            return true;
        }
    }
    return false;
}

/* A late sign of life from another room than the one that the leg is known to be in. It is not told
 * from one that was said before the leg came back: farewells from that room are not kept for it,
 * and the signs from before it are not forgotten for it. Such a leg may count until both rooms are
 * over. */
static inline bool is_doubtful(const told_t *told, size_t sign)
{
    const word_t *words = told->story->words;

    for (size_t i = 0; i < sign && is_late(told, sign); i++) {
        if (is_delivered(told, i) && is_sign(&words[i]) && words[i].who == words[sign].who &&
            words[i].node == words[sign].node && words[i].room != words[sign].room) {
            return true;
        }
    }
    return false;
}

/* Whether a farewell takes back a sign of life. `doubt`: also where it cannot be known. */
static inline bool farewell_refutes(const told_t *told, size_t farewell, size_t sign, bool doubt)
{
    const word_t *f = &told->story->words[farewell];
    const word_t *s = &told->story->words[sign];

    if (f->who != s->who) {
        return false;
    }
    if (f->node != s->node) {
        return s->event.time <= f->event.time + PXR_CLOCK_TOLERANCE;
    }
    if (f->room != s->room) {
        /* It may have gone on to that room unheard. */
        return doubt && farewell > sign;
    }
    if (farewell > sign) {
        return doubt ||
               !(is_doubtful(told, sign) || (is_late(told, sign) && is_late(told, farewell)));
    }
    return doubt && !has_returned(told, farewell, sign);
}

static inline bool is_refuted(const told_t *told, size_t sign, bool doubt)
{
    const word_t *words = told->story->words;

    for (size_t i = 0; i < told->story->count; i++) {
        pxr_event_kind_t kind = words[i].event.kind;
        if (!is_delivered(told, i)) {
            continue;
        }
        if (is_same_place(&words[i], &words[sign]) && i > sign &&
            (kind == PXR_EVENT_CONFERENCE_ENDED ||
             (kind == PXR_EVENT_CONFERENCE_STARTED && (doubt || told->in_order)))) {
            return true;
        }
        if (kind == PXR_EVENT_DISCONNECTED && farewell_refutes(told, i, sign, doubt)) {
            return true;
        }
    }
    return false;
}

/* The newest delivered sign of life of a person before word `end` and on one node, or (2) on both;
 * story->count where there is none. */
static inline size_t newest_sign(const told_t *told, size_t who, size_t node, size_t end)
{
    const word_t *words = told->story->words;
    size_t newest = told->story->count;

    for (size_t i = 0; i < end; i++) {
        if (is_delivered(told, i) && is_sign(&words[i]) && words[i].who == who &&
            (node == 2 || words[i].node == node) &&
            (newest == told->story->count || words[i].event.time > words[newest].event.time)) {
            newest = i;
        }
    }
    return newest;
}

/* There is evidence of a person that nothing contradicts. */
static inline bool is_surely_there(const told_t *told, size_t who)
{
    size_t none = told->story->count;
    size_t sign = newest_sign(told, who, 2, none);

    return sign < none && !is_refuted(told, sign, true);
}

/* There is any evidence left. */
static inline bool may_be_there(const told_t *told, size_t who)
{
    size_t none = told->story->count;

    for (size_t node = 0; node < 2; node++) {
        size_t sign = newest_sign(told, who, node, none);
        while (sign < none && is_refuted(told, sign, false) && is_doubtful(told, sign)) {
            sign = newest_sign(told, who, node, sign);
        }
        if (sign < none && !is_refuted(told, sign, false)) {
            return true;
        }
    }
    return false;
}

static inline bool is_anybody(const told_t *told, bool (*there)(const told_t *, size_t))
{
    return there(told, ANNA) || there(told, BORIS) || there(told, CHRIS);
}

/* Whether a node hosts a room. `doubt`: also where only people said so, of whom nobody may have
 * listened because they had left. */
static inline bool is_hosted(const told_t *told, size_t node, size_t room, bool doubt)
{
    const word_t *words = told->story->words;
    bool hosted = false;

    for (size_t i = 0; i < told->story->count; i++) {
        const word_t *word = &words[i];
        if (!is_delivered(told, i) || word->node != node || word->room != room) {
            continue;
        }
        if (word->event.kind == PXR_EVENT_CONFERENCE_ENDED ||
            (!doubt && told->forgotten >> i & 1)) {
            hosted = false;
        } else if (word->event.kind == PXR_EVENT_CONFERENCE_STARTED ||
                   word->event.kind == PXR_EVENT_CONFERENCE_UPDATED || (doubt && is_sign(word))) {
            hosted = true;
        }
    }
    return hosted;
}

static inline bool is_hosted_anywhere(const told_t *told, bool doubt)
{
    return is_hosted(told, 0, 0, doubt) || is_hosted(told, 0, 1, doubt) ||
           is_hosted(told, 1, 0, doubt) || is_hosted(told, 1, 1, doubt);
}

#endif
