#include "pxr_roster.h"

#include <stdlib.h>
#include <string.h>

/* Groups are trees over leg numbers; the root of a tree is the leg that came first. */
static size_t root_of(pxr_roster_leg_t *legs, size_t i)
{
    while (legs[i].group != i) {
        legs[i].group = legs[legs[i].group].group;
        i = legs[i].group;
    }
    return i;
}

static void unite(pxr_roster_leg_t *legs, size_t a, size_t b)
{
    a = root_of(legs, a);
    b = root_of(legs, b);
    if (a < b) {
        legs[b].group = a;
    } else {
        legs[a].group = b;
    }
}

size_t pxr_roster_index_size(size_t count)
{
    size_t size = 16;

    while (size < count * 2 * (2 + PXR_RELATED_MAX)) {
        size *= 2;
    }
    return size;
}

/* What an index entry stands for: leg number and which of its keys. */
enum { KEY_UUID, KEY_CONVERSATION, KEY_RELATED, KEYS = KEY_RELATED + PXR_RELATED_MAX };

static uint64_t key_of(const pxr_roster_leg_t *leg, size_t which)
{
    if (which == KEY_UUID) {
        return leg->key;
    }
    return which == KEY_CONVERSATION ? leg->leg.conversation
                                     : leg->leg.related[which - KEY_RELATED];
}

/* Unites the leg with whoever shares this key. uuid, conversation and related uuids are one space:
 * a conversation is named after one of its uuids. */
static void enter(pxr_roster_leg_t *legs, size_t i, size_t which, uint32_t *index, size_t size)
{
    uint64_t key = key_of(&legs[i], which);
    size_t at = (size_t)key & (size - 1);

    if (key == 0) {
        return;
    }
    while (index[at] != 0) {
        uint32_t entry = index[at] - 1;
        if (key_of(&legs[entry / KEYS], entry % KEYS) == key) {
            unite(legs, entry / KEYS, i);
            return;
        }
        at = (at + 1) & (size - 1);
    }
    index[at] = (uint32_t)(i * KEYS + which + 1);
}

static int by_arrival(const void *a, const void *b)
{
    const pxr_leg_t *left = &((const pxr_roster_leg_t *)a)->leg;
    const pxr_leg_t *right = &((const pxr_roster_leg_t *)b)->leg;

    if (left->connected_at != right->connected_at) {
        return left->connected_at < right->connected_at ? -1 : 1;
    }
    return strcmp(left->uuid, right->uuid);
}

static void add_leg(pxr_person_t *person, const pxr_leg_t *leg)
{
    bool in_room = pxr_leg_in_room(leg);

    if (leg->name[0] != '\0' && (person->name[0] == '\0' || in_room)) {
        person->name = leg->name;
    }
    if (leg->protocol[0] != '\0' && (person->protocol[0] == '\0' || in_room)) {
        person->protocol = leg->protocol;
    }
    if ((pxr_role_t)leg->role > person->role) {
        person->role = (pxr_role_t)leg->role;
    }
    if ((pxr_quality_t)leg->quality > person->quality) {
        person->quality = (pxr_quality_t)leg->quality;
    }
}

size_t pxr_roster_people(pxr_roster_leg_t *legs, size_t count, uint32_t *index,
                         pxr_person_t *people, size_t max)
{
    size_t size = pxr_roster_index_size(count);
    size_t persons = 0;

    qsort(legs, count, sizeof(*legs), by_arrival);
    memset(index, 0, size * sizeof(*index));
    for (size_t i = 0; i < count; i++) {
        legs[i].group = i;
        legs[i].in_room = false;
        for (size_t which = 0; which < KEYS; which++) {
            enter(legs, i, which, index, size);
        }
    }
    /* A group is a person where one of its legs is in the room: the others may be its control
     * connection, or a watcher of breakout rooms. */
    for (size_t i = 0; i < count; i++) {
        if (pxr_leg_in_room(&legs[i].leg)) {
            legs[root_of(legs, i)].in_room = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t root = root_of(legs, i);
        if (!legs[root].in_room) {
            continue;
        }
        if (root == i) {
            legs[i].person = persons++;
            if (legs[i].person < max) {
                people[legs[i].person] = (pxr_person_t){.id = legs[i].leg.uuid,
                                                        .name = "",
                                                        .protocol = "",
                                                        .connected_at = legs[i].leg.connected_at};
            }
        }
        if (legs[root].person < max) {
            add_leg(&people[legs[root].person], &legs[i].leg);
        }
    }
    return persons;
}
