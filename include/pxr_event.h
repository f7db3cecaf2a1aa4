#ifndef PXR_EVENT_H
#define PXR_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_limits.h"
#include "pxr_meeting.h"
#include "pxr_time.h"

/*
 * What an event of a Conferencing Node means. The wire format is Pexip's "event sink API",
 * versions 1 and 2. All functions are pure and may be called from any thread.
 */

typedef enum {
    PXR_EVENT_UNKNOWN,
    PXR_EVENT_SINK_STARTED,
    PXR_EVENT_SINK_UPDATED,
    PXR_EVENT_SINK_STOPPED, /* eventsink_stopped and eventsink_ended */
    PXR_EVENT_CONFERENCE_STARTED,
    PXR_EVENT_CONFERENCE_UPDATED,
    PXR_EVENT_CONFERENCE_ENDED,
    PXR_EVENT_CONNECTED,
    PXR_EVENT_UPDATED,
    PXR_EVENT_DISCONNECTED,
    PXR_EVENT_QUALITY, /* participant_media_stream_window */
    PXR_EVENT_STREAMS, /* participant_media_streams_destroyed */
    PXR_EVENT_KINDS,
} pxr_event_kind_t;

/* What an event says of something that is so or is not. */
typedef enum { PXR_UNSAID, PXR_NO, PXR_YES } pxr_answer3_t;

typedef enum {
    PXR_SERVICE_UNSAID,
    PXR_SERVICE_ROOM,    /* conference, lecture, gateway */
    PXR_SERVICE_JOINING, /* connecting, ivr, two_stage_dialing, waiting_room */
    PXR_SERVICE_OTHER,   /* test_call, media_playback */
} pxr_service_t;

typedef enum { PXR_ROLE_UNKNOWN, PXR_ROLE_GUEST, PXR_ROLE_HOST } pxr_role_t;

typedef enum {
    PXR_QUALITY_UNKNOWN,
    PXR_QUALITY_GOOD,
    PXR_QUALITY_OK,
    PXR_QUALITY_BAD,
    PXR_QUALITY_TERRIBLE,
} pxr_quality_t;

/* One event. Texts are "" and numbers 0 where the event did not say or said nonsense. */
typedef struct {
    pxr_event_kind_t kind;
    char node[PXR_NODE_MAX + 1];
    uint8_t version; /* of the event sink API; 0: unsaid */
    uint64_t seq;
    pxr_time_t time;
    char conference[PXR_CONFERENCE_MAX + 1]; /* name of the service */
    char tag[PXR_PEXIP_TEXT_MAX + 1];        /* of the service */
    pxr_time_t start_time;
    pxr_time_t end_time;
    char uuid[PXR_UUID_MAX + 1];
    char conversation[PXR_UUID_MAX + 1];
    char related[PXR_RELATED_MAX][PXR_UUID_MAX + 1];
    bool has_related;
    char name[PXR_NAME_CHARS + 1]; /* cut at a code point */
    char protocol[PXR_PROTOCOL_MAX + 1];
    pxr_service_t service;
    bool has_role;
    pxr_role_t role;
    pxr_answer3_t has_media;
    pxr_answer3_t is_streaming;
    pxr_time_t connect_time;
    /* What was dialled by somebody who came in; "" where the conference has called him. */
    char dialled[PXR_PEXIP_TEXT_MAX + 1];
    bool gateway; /* a call to somewhere else, not into a room */
    /* Hash of the conference's whole name, which may be longer than any of ours; 0 where there is
     * none, or it is a breakout room. */
    uint64_t conference_hash;
    pxr_quality_t quality;
} pxr_event_t;

/* Pexip's words and ours for them. A word that is not known is the first of its kind. */
pxr_event_kind_t pxr_event_kind(const char *name);
const char *pxr_event_kind_name(pxr_event_kind_t kind);
pxr_service_t pxr_event_service(const char *name);
pxr_role_t pxr_event_role(const char *name);
pxr_quality_t pxr_event_quality(const char *name);
const char *pxr_quality_name(pxr_quality_t quality);
const char *pxr_role_name(pxr_role_t role);

/* Whether the event speaks of a leg (call) of a conference. */
bool pxr_event_is_about_leg(pxr_event_kind_t kind);

/* Whether it speaks of the media of a leg and names no conference. */
bool pxr_event_is_about_quality(pxr_event_kind_t kind);

/* Whether it only tells that a publisher begins, changes or stops. */
bool pxr_event_is_about_sink(pxr_event_kind_t kind);

/* Splits `<meeting>_breakout_<uuid>`: returns the length of the meeting's name and sets `breakout`
 * to the uuid inside `conference`, or to NULL. */
size_t pxr_event_meeting_name(const char *conference, const char **breakout);

/* A run of a publisher is named by our clock when it was first heard of; the lowest bits name the
 * machine that heard it. Runs of one machine are in order, those of several are not. */
#define PXR_RUN_MACHINE ((pxr_time_t)1023)

/* Where an event stands in the order of its publisher (one API user and node). */
typedef struct {
    uint64_t source; /* hash of API user and node; never 0 */
    uint64_t seq;    /* 0: unknown */
    pxr_time_t time; /* of the node; 0: unknown */
    pxr_time_t run;  /* the publisher's run that it belongs to */
} pxr_order_t;

/* Whether two runs of a publisher were heard by the same machine, so that they have an order. */
bool pxr_run_is_comparable(pxr_time_t a, pxr_time_t b);

/* -1: `a` is older than `b`; 1: newer; 0: the same or nothing is known. */
int pxr_order_compare(const pxr_order_t *a, const pxr_order_t *b);

/* One publisher, and what its numbering tells. */
typedef struct {
    uint64_t source;
    uint64_t highest;   /* seq of the present run */
    uint64_t window;    /* bit i: highest - i was seen */
    pxr_time_t time;    /* of the event with the highest seq */
    pxr_time_t run;     /* the present one */
    pxr_time_t began;   /* the node's clock at the same event, 0: unknown */
    pxr_time_t former;  /* `run` of the run before */
    pxr_time_t last_at; /* our clock at the last event */
    uint32_t machine;   /* which listens: 0 to PXR_RUN_MACHINE */
    uint32_t version;   /* of its events, 0: unsaid */
    uint64_t events;
    uint64_t duplicates;
    uint64_t missing; /* numbers passed over in this run */
} pxr_publisher_t;

/* Enters an event and returns its place in the order. `now` is our clock. */
pxr_order_t pxr_publisher_hear(pxr_publisher_t *publisher, const pxr_event_t *event,
                               pxr_time_t now);

/* The part of a meeting that one node hosts, or one breakout room of it on one node. */
typedef struct {
    char node[PXR_NODE_MAX + 1];
    uint8_t open;
    uint8_t known;  /* 0: just made for this event */
    uint32_t era;   /* of the meeting when it was opened */
    uint32_t epoch; /* legs that joined in an earlier epoch are no longer in it */
    uint32_t present;
    uint64_t scope; /* hash of the breakout's uuid, 0 for the main room */
    pxr_time_t start_time;
    pxr_time_t end_time; /* while it is open: of the hosting before */
    pxr_time_t last_at;  /* our clock */
    pxr_order_t order;   /* of the newest event */
} pxr_share_t;

/* What an event may say of a leg, or leave as it was said before; of each it is kept when. */
typedef enum {
    PXR_SAID_NAME,
    PXR_SAID_PROTOCOL,
    PXR_SAID_SERVICE,
    PXR_SAID_ROLE,
    PXR_SAID_MEDIA,
    PXR_SAID_STREAMING,
    PXR_SAID,
} pxr_said_t;

/* One call leg. A person may have several (event reference 0.1, rule 6). Its name is kept beside
 * it: that is nearly always far shorter than it may be. */
typedef struct {
    char uuid[PXR_UUID_MAX + 1];
    char protocol[PXR_PROTOCOL_MAX + 1];
    uint8_t known;    /* 0: just made for this event */
    uint8_t closed;   /* its disconnect was seen; final */
    uint8_t attached; /* counted in the share below, if that is still in the same epoch */
    uint8_t present;  /* as what it was counted there */
    uint8_t service, role, has_media, is_streaming, quality;
    uint8_t worst_quality;
    uint32_t epoch;        /* of its share */
    uint64_t conversation; /* hash, 0: none */
    uint64_t related[PXR_RELATED_MAX];
    pxr_time_t connected_at;      /* by the node's clock */
    pxr_time_t left_at;           /* by the node's clock */
    pxr_time_t heard_at;          /* our clock */
    pxr_time_t quality_at;        /* by the node's clock */
    pxr_order_t order;            /* of the newest event */
    uint64_t joined_seq;          /* of the event that brought it here, and */
    pxr_time_t joined_run;        /* the run of that number */
    pxr_time_t said_at[PXR_SAID]; /* by the node's clock: when each was said last */
} pxr_leg_t;

/* Everything one event can touch. For an event about the conference as a whole `leg` is unused; for
 * quality only `leg` is used. */
typedef struct {
    pxr_meeting_t meeting;
    pxr_share_t share;  /* of the speaking node, in the room it speaks of */
    pxr_share_t former; /* where the leg is counted, if that is another one */
    pxr_leg_t leg;
    char leg_name[PXR_NAME_CHARS + 1]; /* "": unknown */
    bool has_former;
    uint64_t conversation; /* hashes of the event's texts: core has no key */
    uint64_t related[PXR_RELATED_MAX];
} pxr_scene_t;

/* What of a scene has changed, or-ed together. */
#define PXR_CHANGED_MEETING 1u
#define PXR_CHANGED_SHARE 2u
#define PXR_CHANGED_FORMER 4u
#define PXR_CHANGED_LEG 8u

/* Applies one event and returns what it changed. Applying it again, or after a newer one of the
 * same entity, changes nothing but `heard_at` and `last_at`; one that was passed over when it came
 * may count when it comes once more. */
unsigned pxr_event_apply(pxr_scene_t *scene, const pxr_event_t *event, const pxr_order_t *order,
                         pxr_time_t now);

/* Whether `leg` is counted in `share` now. */
bool pxr_leg_is_in(const pxr_leg_t *leg, const pxr_share_t *share);

/* In the room, by event reference 4.6: a leg that a person sees and hears with. */
bool pxr_leg_in_room(const pxr_leg_t *leg);

/* Evidence of a person: in the room, or on the way into it. */
bool pxr_leg_present(const pxr_leg_t *leg);

/* Whether nothing has been heard of the leg for so long that it is taken for gone. `run` is the
 * present run of its publisher, 0 where unknown. */
bool pxr_leg_lost(const pxr_leg_t *leg, pxr_time_t run, pxr_time_t now);

/* Takes a lost leg out of its share. Returns what changed. */
unsigned pxr_leg_drop(pxr_scene_t *scene, pxr_time_t now);

#endif
