#ifndef PXR_ROSTER_H
#define PXR_ROSTER_H

#include <stddef.h>

#include "pxr_event.h"

/* One person in the room: all legs that belong together (event reference 4.6). */
typedef struct {
    const char *id; /* uuid of the leg that came first; borrowed from the legs */
    const char *name;
    const char *protocol; /* of a leg with media */
    pxr_role_t role;
    pxr_quality_t quality; /* the worst that any of the legs has now */
    pxr_time_t connected_at;
} pxr_person_t;

/* A leg as the roster needs it. `key` is the hash of its uuid by the key that also made
 * leg.conversation and leg.related. */
typedef struct {
    pxr_leg_t leg;
    char name[PXR_NAME_CHARS + 1];
    uint64_t key;
    size_t group; /* from here on: scratch space of the roster */
    size_t person;
    bool in_room;
} pxr_roster_leg_t;

/* Groups the legs that are counted at present into people, in the order of their arrival, and
 * writes at most `max` of them. Returns how many people there are. `index` is scratch space of
 * pxr_roster_index_size(count) entries. Any thread. */
size_t pxr_roster_people(pxr_roster_leg_t *legs, size_t count, uint32_t *index,
                         pxr_person_t *people, size_t max);

size_t pxr_roster_index_size(size_t count);

#endif
