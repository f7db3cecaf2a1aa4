#include <stdlib.h>
#include <string.h>

#include "core_internal.h"

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

void pxr_roster_add(const pxr_roster_leg_t *leg, const char **name, const char **protocol,
                    pxr_role_t *role)
{
    bool in_room = pxr_leg_in_room(&leg->leg);

    if (leg->name[0] != '\0' && ((*name)[0] == '\0' || in_room)) {
        *name = leg->name;
    }
    if (leg->leg.protocol[0] != '\0' && ((*protocol)[0] == '\0' || in_room)) {
        *protocol = leg->leg.protocol;
    }
    if ((pxr_role_t)leg->leg.role > *role) {
        *role = (pxr_role_t)leg->leg.role;
    }
}

static void add_leg(pxr_person_t *person, const pxr_roster_leg_t *leg)
{
    pxr_roster_add(leg, &person->name, &person->protocol, &person->role);
    if ((pxr_quality_t)leg->leg.quality > person->quality) {
        person->quality = (pxr_quality_t)leg->leg.quality;
    }
}

/* A group is a person where one of its legs is in the room: the others may be its control
 * connection, or a watcher of breakout rooms. */
static size_t number_people(pxr_roster_leg_t *legs, size_t count)
{
    size_t people = 0;

    for (size_t i = 0; i < count; i++) {
        if (pxr_leg_in_room(&legs[i].leg)) {
            legs[root_of(legs, i)].in_room = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        size_t root = root_of(legs, i);
        if (root != i) {
            legs[i].person = legs[root].person;
        } else {
            legs[i].person = legs[i].in_room ? people++ : PXR_NO_PERSON;
        }
    }
    return people;
}

size_t pxr_roster_group(pxr_roster_leg_t *legs, size_t count, uint32_t *index)
{
    size_t size = pxr_roster_index_size(count);

    if (count > 0) {
        qsort(legs, count, sizeof(*legs), by_arrival);
    }
    memset(index, 0, size * sizeof(*index));
    for (size_t i = 0; i < count; i++) {
        legs[i].group = i;
        legs[i].in_room = false;
        for (size_t which = 0; which < KEYS; which++) {
            enter(legs, i, which, index, size);
        }
    }
    return number_people(legs, count);
}

size_t pxr_roster_people(pxr_roster_leg_t *legs, size_t count, uint32_t *index,
                         pxr_person_t *people, size_t max)
{
    size_t persons = pxr_roster_group(legs, count, index);
    size_t begun = 0;

    for (size_t i = 0; i < count; i++) {
        size_t person = legs[i].person;
        if (person == PXR_NO_PERSON || person >= max) {
            continue;
        }
        if (person == begun) {
            people[begun++] = (pxr_person_t){.id = legs[i].leg.uuid,
                                             .name = "",
                                             .protocol = "",
                                             .connected_at = legs[i].leg.connected_at};
        }
        add_leg(&people[person], &legs[i]);
    }
    return persons;
}
