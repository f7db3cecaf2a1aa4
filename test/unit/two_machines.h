#ifndef PXR_TEST_TWO_MACHINES_H
#define PXR_TEST_TWO_MACHINES_H

#include "keep_helpers.h"

/*
 * Two machines that share a database, each of which hears a part of what the nodes say, against one
 * that hears everything in its order.
 */

#define NODES 3
#define ROOMS 2 /* the main room and one breakout room */
#define PEOPLE 5
#define MEETINGS 2
#define WAITING 4

static const char *const ids[MEETINGS] = {"MeetingA", "MeetingB"};

/* What really happens. */
typedef struct {
    bool in;
    size_t meeting, node, room;
    pxr_time_t moved_at;
} person_t;

typedef struct {
    uint64_t seq;
    bool hosts[MEETINGS][ROOMS];
    pxr_time_t start_time[MEETINGS][ROOMS];
} node_t;

/* What may happen. */
typedef struct {
    bool two;    /* meetings */
    bool rooms;  /* breakout rooms */
    bool vanish; /* nodes crash, or forget farewells */
    bool linger; /* events come late */
    bool outage; /* the database is seldom to be had */
} kind_t;

/* An event that is on its way to a machine. */
typedef struct {
    pxr_event_t event;
    machine_t *to;
} late_t;

typedef struct {
    uint64_t seed;
    uint64_t dice;
    const uint8_t *choices; /* what decides instead of the dice; NULL: the dice do */
    size_t choices_left;
    pxr_time_t now;
    person_t people[PEOPLE];
    node_t nodes[NODES];
    db_t *db;
    machine_t a, b, c;
    size_t late_count;
    late_t late[WAITING];
    pxr_time_t synced_at;
    kind_t kind;
    bool crashed; /* a node did: nobody will ever say that its people are gone */
    bool trace;
} world3_t;

static inline uint32_t choose(world3_t *s, uint32_t sides)
{
    if (s->choices == NULL) {
        return dice(&s->dice, sides);
    }
    if (s->choices_left < 2) {
        return 0;
    }
    s->choices_left -= 2;
    s->choices += 2;
    return (uint32_t)(s->choices[-2] << 8 | s->choices[-1]) % sides;
}

static inline void say(const world3_t *s, const char *who, const pxr_event_t *e)
{
    if (s->trace) {
        print_message("%8.3f %s: %s %s %s %s seq %u at %.3f\n",
                      (double)(s->now - T0) / (double)PXR_SECOND, who, pxr_event_kind_name(e->kind),
                      e->node, e->conference, e->uuid, (unsigned)e->seq,
                      (double)(e->time - T0) / (double)PXR_SECOND);
    }
}

static inline void hear(world3_t *s, machine_t *m, const pxr_event_t *event)
{
    pxr_status_t status = deliver_ours(&m->w, event, s->now);

    say(s, m == &s->a ? "A" : m == &s->b ? "B" : "C", event);
    assert_true(status == PXR_OK || status == PXR_MISSING);
}

static inline void deliver_late(world3_t *s)
{
    late_t *late = &s->late[--s->late_count];

    hear(s, late->to, &late->event);
}

static inline void sync_one(world3_t *s, machine_t *m)
{
    if (s->trace) {
        print_message("%8.3f sync %s\n", (double)(s->now - T0) / (double)PXR_SECOND,
                      m == &s->a ? "A" : "B");
    }
    sync_machine(s->db, m, s->now);
}

/* Keepers do their rounds several times a second, unless the database is not to be had. */
static inline void pass(world3_t *s, pxr_time_t time)
{
    s->now += time;
    if (!s->kind.outage && s->now > s->synced_at + PXR_SECOND / 2) {
        machine_t *first = choose(s, 2) == 0 ? &s->a : &s->b;
        sync_one(s, first);
        sync_one(s, first == &s->a ? &s->b : &s->a);
        s->synced_at = s->now;
    }
}

/* The node says it: to one of the machines, sometimes to both because it did not hear the answer.
 */
static inline void tell(world3_t *s, size_t node, pxr_event_t *event)
{
    machine_t *to = choose(s, 2) == 0 ? &s->a : &s->b;

    event->seq = ++s->nodes[node].seq;
    event->time = s->now;
    snprintf(event->node, sizeof(event->node), "10.0.0.%zu", node + 1);
    hear(s, &s->c, event);
    if (s->kind.linger && s->late_count < WAITING && choose(s, 8) == 0) {
        s->late[s->late_count++] = (late_t){.event = *event, .to = to};
    } else {
        hear(s, to, event);
    }
    if (choose(s, 12) == 0) {
        hear(s, to == &s->a ? &s->b : &s->a, event);
    }
    if (s->late_count > 0 && choose(s, 3) == 0) {
        deliver_late(s);
    }
    if (choose(s, 5) == 0) {
        sync_one(s, choose(s, 2) == 0 ? &s->a : &s->b);
    }
    pass(s, choose(s, 3) == 0 ? 0 : (pxr_time_t)choose(s, 1500) * 1000);
}

static inline pxr_event_t about(pxr_event_kind_t kind, size_t meeting, size_t room)
{
    pxr_event_t event = conference_event(kind, "", ids[meeting], 0, 0);

    if (room > 0) {
        snprintf(event.conference, sizeof(event.conference), "%s_breakout_%zu", ids[meeting], room);
    }
    return event;
}

static inline void tell_start(world3_t *s, size_t node, size_t meeting, size_t room)
{
    pxr_event_t event = about(PXR_EVENT_CONFERENCE_STARTED, meeting, room);

    s->nodes[node].hosts[meeting][room] = true;
    s->nodes[node].start_time[meeting][room] = event.start_time = s->now;
    tell(s, node, &event);
}

static inline void tell_leg(world3_t *s, size_t p, pxr_event_kind_t kind)
{
    const person_t *person = &s->people[p];
    pxr_event_t event = about(kind, person->meeting, person->room);

    snprintf(event.uuid, sizeof(event.uuid), "person%zu", p);
    snprintf(event.conversation, sizeof(event.conversation), "person%zu", p);
    snprintf(event.protocol, sizeof(event.protocol), "WebRTC");
    event.service = PXR_SERVICE_ROOM;
    event.has_media = PXR_YES;
    event.end_time = kind == PXR_EVENT_DISCONNECTED ? s->now : 0;
    tell(s, person->node, &event);
}

static inline void join(world3_t *s, size_t p, size_t meeting, size_t node, size_t room)
{
    person_t *person = &s->people[p];

    if (!s->nodes[node].hosts[meeting][room]) {
        tell_start(s, node, meeting, room);
    }
    person->in = true;
    person->meeting = meeting;
    person->node = node;
    person->room = room;
    tell_leg(s, p, PXR_EVENT_CONNECTED);
    person->moved_at = s->now;
}

static inline void leave(world3_t *s, size_t p)
{
    tell_leg(s, p, PXR_EVENT_DISCONNECTED);
    s->people[p].in = false;
    s->people[p].moved_at = s->now;
}

/* To another node, room or meeting; the farewell comes before or after the new connection. Clocks
 * of nodes are not the same, so what happens on two of them is seconds apart. */
static inline void move(world3_t *s, size_t p)
{
    person_t *person = &s->people[p];
    person_t before = *person;
    size_t node = choose(s, NODES);
    size_t room = s->kind.rooms ? choose(s, ROOMS) : 0;
    pxr_time_t pause = node != person->node ? 3 * PXR_SECOND : 0;

    if (node == person->node && room == person->room) {
        return;
    }
    if (choose(s, 2) == 0 || node != person->node) {
        pass(s, pause);
        leave(s, p);
        pass(s, pause + 1);
        join(s, p, person->meeting, node, room);
    } else {
        join(s, p, person->meeting, node, room);
        pass(s, 1);
        before.in = true;
        s->people[p] = before;
        tell_leg(s, p, PXR_EVENT_DISCONNECTED);
        person->node = node;
        person->room = room;
    }
}

static inline void end_hosting(world3_t *s, size_t node, size_t meeting, size_t room,
                               bool farewells)
{
    pxr_event_t event = about(PXR_EVENT_CONFERENCE_ENDED, meeting, room);

    for (size_t p = 0; p < PEOPLE; p++) {
        person_t *person = &s->people[p];
        if (!person->in || person->node != node || person->meeting != meeting ||
            person->room != room) {
            continue;
        }
        if (farewells) {
            leave(s, p);
        }
        person->in = false;
        person->moved_at = s->now;
    }
    event.start_time = s->nodes[node].start_time[meeting][room];
    event.end_time = s->now;
    s->nodes[node].hosts[meeting][room] = false;
    tell(s, node, &event);
}

/* A node crashes: nobody says goodbye, and its publisher numbers from one again. */
static inline void crash(world3_t *s, size_t node)
{
    pxr_event_t event = conference_event(PXR_EVENT_SINK_STARTED, "", "", 0, 0);

    while (s->late_count > 0) {
        deliver_late(s);
    }
    pass(s, 5 * PXR_SECOND);
    for (size_t p = 0; p < PEOPLE; p++) {
        if (s->people[p].in && s->people[p].node == node) {
            s->people[p].in = false;
            s->people[p].moved_at = s->now;
        }
    }
    s->crashed = true;
    memset(s->nodes[node].hosts, 0, sizeof(s->nodes[node].hosts));
    s->nodes[node].seq = 0;
    tell(s, node, &event);
}

static inline void step(world3_t *s)
{
    size_t p = choose(s, PEOPLE);
    person_t *person = &s->people[p];
    size_t meeting = s->kind.two ? choose(s, MEETINGS) : 0;
    uint32_t what = choose(s, 20);

    if (!person->in && what < 12) {
        size_t node = choose(s, NODES);
        if (s->now < person->moved_at + 3 * PXR_SECOND) {
            pass(s, person->moved_at + 3 * PXR_SECOND - s->now);
        }
        join(s, p, meeting, node, s->kind.rooms && choose(s, 4) == 0);
    } else if (person->in && what < 5) {
        tell_leg(s, p, PXR_EVENT_UPDATED);
    } else if (person->in && what < 9) {
        leave(s, p);
    } else if (person->in && what < 14) {
        move(s, p);
    } else if (what < 17) {
        size_t node = choose(s, NODES);
        size_t room = s->kind.rooms ? choose(s, ROOMS) : 0;
        if (s->nodes[node].hosts[meeting][room]) {
            end_hosting(s, node, meeting, room, !s->kind.vanish || choose(s, 2) == 0);
        }
    } else if (what == 17 && s->kind.vanish && choose(s, 3) == 0) {
        crash(s, choose(s, NODES));
    } else {
        pass(s, (pxr_time_t)choose(s, 4) * PXR_SECOND);
    }
}

static inline void finish(world3_t *s)
{
    for (size_t node = 0; node < NODES; node++) {
        for (size_t meeting = 0; meeting < MEETINGS; meeting++) {
            for (size_t room = 0; room < ROOMS; room++) {
                if (s->nodes[node].hosts[meeting][room]) {
                    end_hosting(s, node, meeting, room, true);
                }
            }
        }
    }
}

static inline void settle(world3_t *s)
{
    while (s->late_count > 0) {
        deliver_late(s);
    }
    for (int round = 0; round < 2; round++) {
        sync_one(s, &s->a);
        sync_one(s, &s->b);
    }
}

static inline bool counts(const pxr_view_t *view, size_t p)
{
    char id[16];

    snprintf(id, sizeof(id), "person%zu", p);
    for (size_t i = 0; i < view->people_count; i++) {
        if (strcmp(view->people[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

static inline size_t open_nodes(const pxr_view_t *view)
{
    size_t count = 0;

    for (size_t i = 0; i < view->node_count; i++) {
        count += view->nodes[i].open;
    }
    return count;
}

#define AGREE(field) \
    CHECK(a.life.field == b.life.field || s->kind.outage, "seed %lu %s: " #field " %ld, %ld", \
          (unsigned long)s->seed, ids[i], (long)a.life.field, (long)b.life.field)

static inline void compare(world3_t *s, bool complete)
{
    bool exact = !s->kind.rooms && !s->kind.vanish && !s->kind.linger && !s->kind.outage;

    for (size_t i = 0; i < MEETINGS; i++) {
        pxr_view_t a = view_of(&s->a.w, find_meeting(&s->a.w, ids[i]));
        pxr_view_t b = view_of(&s->b.w, find_meeting(&s->b.w, ids[i]));
        pxr_view_t c = view_of(&s->c.w, find_meeting(&s->c.w, ids[i]));
        for (size_t p = 0; p < PEOPLE; p++) {
            bool at_a = counts(&a, p), at_b = counts(&b, p), at_c = counts(&c, p);
            CHECK((at_a == at_b || s->kind.outage) && at_a >= at_c && at_b >= at_c &&
                      (at_a == at_c || !exact),
                  "seed %lu %s: person%zu at A %d, B %d, C %d, really %d", (unsigned long)s->seed,
                  ids[i], p, at_a, at_b, at_c, s->people[p].in && s->people[p].meeting == i);
        }
        AGREE(state);
        AGREE(closed);
        AGREE(started_at);
        AGREE(last_end);
        AGREE(present);
        AGREE(shares);
        AGREE(era);
        CHECK(a.life.started_at == c.life.started_at, "seed %lu", (unsigned long)s->seed);
        CHECK((open_nodes(&a) == open_nodes(&b) || s->kind.outage) &&
                  open_nodes(&a) >= open_nodes(&c) && open_nodes(&b) >= open_nodes(&c),
              "seed %lu %s: open at A %zu, B %zu, C %zu", (unsigned long)s->seed, ids[i],
              open_nodes(&a), open_nodes(&b), open_nodes(&c));
        CHECK(!exact || open_nodes(&a) == open_nodes(&c), "seed %lu %s: open at A %zu, C %zu",
              (unsigned long)s->seed, ids[i], open_nodes(&a), open_nodes(&c));
        /* Who moves has left for one machine when he has not for another, but the last farewell is
         * everybody's. */
        CHECK(!exact || !complete || s->kind.two || a.life.last_end == c.life.last_end,
              "seed %lu %s: last end at A %ld, C %ld", (unsigned long)s->seed, ids[i],
              (long)a.life.last_end, (long)c.life.last_end);
        CHECK(!complete || (a.life.present == 0 && a.life.shares == 0), "seed %lu: ghosts",
              (unsigned long)s->seed);
        pxr_view_release(&a);
        pxr_view_release(&b);
        pxr_view_release(&c);
    }
    assert_sound(&s->a.w);
    assert_sound(&s->b.w);
    assert_sound(&s->c.w);
}

/* `choices` are borrowed; NULL: the seed decides. */
static inline void play(const kind_t *kind, uint64_t seed, const uint8_t *choices, size_t len,
                        bool trace)
{
    world3_t *s = calloc(1, sizeof(*s));
    bool complete;
    size_t steps;

    s->seed = seed;
    s->dice = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    s->choices = choices;
    s->choices_left = len;
    s->now = T0;
    s->kind = *kind;
    s->trace = trace;
    s->db = db_open();
    machine_open(&s->a, 11, 10, 64, PXR_KEEP_SHARED);
    machine_open(&s->b, 12, 10, 64, PXR_KEEP_SHARED);
    machine_open(&s->c, 13, 10, 64, PXR_KEEP_NOTHING);
    for (size_t i = 0; i < MEETINGS; i++) {
        make_known(s->db, i == 0 ? &s->a : &s->b, ids[i], NULL, T0 + (pxr_time_t)i);
        new_meeting(&s->c.w, ids[i], T0 + (pxr_time_t)i);
    }
    s->now += PXR_SECOND;
    steps = 5 + choose(s, 40);
    for (size_t i = 0; i < steps; i++) {
        step(s);
    }
    complete = choose(s, 2) == 0;
    if (complete) {
        finish(s);
    }
    settle(s);
    compare(s, complete && !s->crashed);
    machine_close(&s->a);
    machine_close(&s->b);
    machine_close(&s->c);
    db_close(s->db);
    free(s);
}

#endif
