#ifndef PXR_RECORD_H
#define PXR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_details.h"
#include "pxr_event.h"
#include "pxr_limits.h"
#include "pxr_meeting.h"
#include "pxr_told.h"

/*
 * What the working set and the database tell each other. Hashes inside (sources, conversations,
 * related legs, scopes) are made with pxr_hash_text() and mean the same on every machine.
 */

/* A meeting. `life.shares`, `life.present`, `life.empty_since` and `life.unhosted_since` are each
 * machine's own business: they are not kept, and 0 in what comes from the database. */
typedef struct {
    char workspace[PXR_ORIGIN_MAX + 1]; /* origin of PexipRCSiteURL */
    char id[PXR_MEETING_ID_MAX + 1];
    char join_key[PXR_KEY_MAX + 1];
    char host_key[PXR_KEY_MAX + 1];
    char host_pin[PXR_PIN_MAX + 1];
    char guest_pin[PXR_PIN_MAX + 1];
    char number[PXR_ALIAS_MAX + 1]; /* numeric alias, "" for none */
    bool breakouts;
    bool withdrawn; /* its creation was given up after it may have been written */
    bool single;    /* its room has one meeting only */
    char room_key[PXR_ROOM_KEY_LEN + 1]; /* by which that room is known, where it is so */
    char called[PXR_ALIAS_MAX + 1];      /* and its name, where that leads here */
    char calls[PXR_CALLS_TEXT + 1];      /* further ids that lead here, a blank between */
    char told[PXR_TOLD_TEXT];            /* pxr_told_t as text */
    pxr_meeting_t life;
    pxr_time_t last_join; /* last policy request of somebody who wants to join */
    const char *answer;   /* frozen policy answer; borrowed, like the texts below */
    size_t answer_len;
    const char *tag; /* service tag */
    size_t tag_len;
    pxr_details_t details;
} pxr_meeting_record_t;

/* A node's hosting of a meeting, or of one breakout room of it. `share.present`, `share.epoch` and
 * `share.known` are not kept. */
typedef struct {
    char workspace[PXR_ORIGIN_MAX + 1];
    char meeting[PXR_MEETING_ID_MAX + 1];
    pxr_share_t share;
} pxr_share_record_t;

/* A call leg. `leg.epoch` and `leg.known` are not kept. `leg.attached` says whether it counts in
 * the share that `node` and `scope` name; `leg.left_at` is set where it does not. */
typedef struct {
    char workspace[PXR_ORIGIN_MAX + 1];
    char meeting[PXR_MEETING_ID_MAX + 1];
    char node[PXR_NODE_MAX + 1];
    uint64_t scope;
    char name[PXR_NAME_CHARS + 1];
    pxr_leg_t leg;
} pxr_leg_record_t;

#endif
