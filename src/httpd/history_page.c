#include "history.h"

#include <stdlib.h>

#include "pxr_hash.h"

/* What the database hands out becomes a page, one meeting after the other: its legs are kept only
 * until its people are known. Everything is malloc'd, because it changes threads. */

static bool lacks_memory(pxr_collector_t *c)
{
    c->no_memory = true;
    return false;
}

static char *keep(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*at, text, size);

    *at += size;
    return kept;
}

/* Copies people and their texts, which are the legs', into one piece of memory. */
static pxr_attendee_t *copy_people(const pxr_attendee_t *people, size_t count)
{
    size_t size = count * sizeof(*people);
    pxr_attendee_t *copy;
    char *at;

    for (size_t i = 0; i < count; i++) {
        size += strlen(people[i].id) + strlen(people[i].name) + strlen(people[i].protocol) + 3;
    }
    copy = malloc(size);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, people, count * sizeof(*people));
    at = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i].id = keep(&at, people[i].id);
        copy[i].name = keep(&at, people[i].name);
        copy[i].protocol = keep(&at, people[i].protocol);
    }
    return copy;
}

/* The last meeting has got all its legs. */
static bool end_meeting(pxr_collector_t *c)
{
    pxr_entry_t *entry = c->page.last;
    pxr_attendee_t *people;
    uint32_t *index;
    size_t count;

    if (c->leg_count == 0) {
        return true;
    }
    people = malloc(c->leg_count * sizeof(*people));
    index = malloc(pxr_roster_index_size(c->leg_count) * sizeof(*index));
    if (people != NULL && index != NULL) {
        count = pxr_attendance(c->legs, c->leg_count, index, people, c->leg_count);
        entry->people = count > 0 ? copy_people(people, count) : NULL;
        entry->past.people = entry->people;
        entry->past.people_count = count;
        c->no_memory = count > 0 && entry->people == NULL;
    } else {
        c->no_memory = true;
    }
    free(people);
    free(index);
    c->leg_count = 0;
    return !c->no_memory;
}

static pxr_entry_t *make_entry(pxr_collector_t *c, const pxr_meeting_record_t *record)
{
    size_t packed = pxr_details_pack(&record->details, c->packed, sizeof(c->packed));
    pxr_entry_t *entry = calloc(1, sizeof(*entry) + packed);

    if (entry == NULL) {
        return NULL;
    }
    memcpy(entry->id, record->id, sizeof(entry->id));
    memcpy(entry->number, record->number, sizeof(entry->number));
    memcpy(entry->packed, c->packed, packed);
    entry->past = (pxr_past_t){.id = entry->id,
                               .number = entry->number,
                               .inferred = record->life.inferred != 0,
                               .created_at = record->life.created_at,
                               .not_before = record->life.not_before,
                               .not_after = record->life.not_after,
                               .started_at = record->life.started_at,
                               .ended_at = record->life.ended_at};
    if (pxr_details_unpack(entry->packed, packed, &entry->past.details) != PXR_OK) {
        memset(&entry->past.details, 0, sizeof(entry->past.details));
    }
    return entry;
}

static bool take_meeting(void *context, const pxr_meeting_record_t *record)
{
    pxr_collector_t *c = context;
    pxr_entry_t *entry;

    if (!end_meeting(c)) {
        return false;
    }
    /* A page that is long, or takes long, ends here; the first meeting is always taken. */
    if (c->page.first != NULL &&
        (c->total > PXR_HISTORY_LEGS_MAX || pxr_time_steady() > c->until)) {
        c->cut = true;
        return false;
    }
    entry = make_entry(c, record);
    if (entry == NULL) {
        return lacks_memory(c);
    }
    if (c->page.last != NULL) {
        c->page.last->next = entry;
    } else {
        c->page.first = entry;
    }
    c->page.last = entry;
    return true;
}

static bool take_leg(void *context, const pxr_leg_record_t *record)
{
    pxr_collector_t *c = context;
    pxr_roster_leg_t *leg;

    if (c->leg_count == c->leg_room) {
        size_t room = c->leg_room > 0 ? c->leg_room * 2 : 64;
        pxr_roster_leg_t *grown = realloc(c->legs, room * sizeof(*grown));
        if (grown == NULL) {
            return lacks_memory(c);
        }
        c->legs = grown;
        c->leg_room = room;
    }
    leg = &c->legs[c->leg_count++];
    c->total++;
    memset(leg, 0, sizeof(*leg));
    leg->leg = record->leg;
    memcpy(leg->name, record->name, sizeof(leg->name));
    leg->key = pxr_hash_text(record->leg.uuid);
    if (leg->leg.left_at == 0) {
        leg->leg.left_at = c->page.last->past.ended_at;
    }
    return true;
}

pxr_db_visitor_t pxr_collector_visitor(pxr_collector_t *collector)
{
    return (pxr_db_visitor_t){.meeting = take_meeting, .leg = take_leg, .context = collector};
}

bool pxr_collector_end(pxr_collector_t *collector, bool more)
{
    collector->page.more = more || collector->cut;
    return !collector->no_memory && end_meeting(collector);
}

void pxr_collector_free(pxr_collector_t *collector)
{
    free(collector->legs);
    collector->legs = NULL;
}

void pxr_page_free(pxr_page_t *page)
{
    pxr_entry_t *entry = page->first;

    while (entry != NULL) {
        pxr_entry_t *next = entry->next;
        free(entry->people);
        free(entry);
        entry = next;
    }
    memset(page, 0, sizeof(*page));
}
