#include "pxr_history.h"

#include "core_internal.h"

/* Legs come in the order of their arrival, so whoever arrives goes on where the person was last or
 * begins anew. */
static void add_interval(pxr_attendee_t *person, const pxr_leg_t *leg)
{
    pxr_time_t from = leg->connected_at;
    pxr_time_t to = leg->left_at > from ? leg->left_at : from;

    if (from == 0) {
        return;
    }
    if (person->connected_at == 0) {
        person->connected_at = from;
        person->left_at = from;
    }
    if (from - person->left_at < PXR_ABSENCE) {
        from = person->left_at;
    }
    if (to > person->left_at) {
        person->present += to - from;
        person->left_at = to;
    }
}

static void add_leg(pxr_attendee_t *person, const pxr_roster_leg_t *leg)
{
    pxr_roster_add(leg, &person->name, &person->protocol, &person->role);
    if ((pxr_quality_t)leg->leg.worst_quality > person->quality) {
        person->quality = (pxr_quality_t)leg->leg.worst_quality;
    }
    if (pxr_leg_in_room(&leg->leg)) {
        add_interval(person, &leg->leg);
    }
}

size_t pxr_attendance(pxr_roster_leg_t *legs, size_t count, uint32_t *index, pxr_attendee_t *people,
                      size_t max)
{
    size_t persons = pxr_roster_group(legs, count, index);
    size_t begun = 0;

    for (size_t i = 0; i < count; i++) {
        size_t person = legs[i].person;
        if (person == PXR_NO_PERSON || person >= max) {
            continue;
        }
        if (person == begun) {
            people[begun++] = (pxr_attendee_t){.id = legs[i].leg.uuid, .name = "", .protocol = ""};
        }
        add_leg(&people[person], &legs[i]);
    }
    return persons;
}

int64_t pxr_past_duration(const pxr_past_t *past)
{
    return past->started_at != 0 && past->ended_at > past->started_at
               ? past->ended_at - past->started_at
               : 0;
}

int64_t pxr_seconds(int64_t duration)
{
    return (duration + PXR_SECOND / 2) / PXR_SECOND;
}
