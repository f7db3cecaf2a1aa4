#include "../unit/store_helpers.h"
#include "fuzz.h"

/*
 * The same events in two orders: that in which they happened, and any other, some of them twice.
 * What they say together is the same (see check()).
 *
 * The input is a story of NODES nodes, a byte for each step, a zero, and then the order of
 * delivery: each byte takes one of the events that are left.
 */

#define MEETING "Meeting1"
#define NODES 3
#define PLACES 4 /* people who are in it at the same time */
#define EVENTS 40
/* What happens at two nodes is further apart than their clocks may differ. */
#define STEP (3 * PXR_SECOND)

typedef struct {
    pxr_event_t events[EVENTS];
    size_t count;
    uint64_t seq[NODES];
    bool hosts[NODES];
    struct {
        bool in;
        unsigned node;
        unsigned call;    /* which of this place's calls */
        bool left[NODES]; /* which nodes it has left */
    } places[PLACES];
    bool hosted[NODES];
    /* Somebody went from node to node, or a node hosted it a second time: then some orders leave
     * open whether somebody has gone, and he stays. */
    bool doubtful;
} story_t;

static world_t in_order, in_any;
static char *fresh;

static pxr_time_t moment(const story_t *s)
{
    return T0 + (pxr_time_t)s->count * STEP;
}

static void happen(story_t *s, unsigned node, pxr_event_t event)
{
    event.seq = ++s->seq[node];
    event.time = moment(s);
    snprintf(event.node, sizeof(event.node), "10.0.0.%u", node + 1);
    s->events[s->count++] = event;
}

static void happen_to(story_t *s, unsigned place, pxr_event_kind_t kind)
{
    char uuid[16];

    snprintf(uuid, sizeof(uuid), "p%u-%u", place, s->places[place].call);
    happen(s, s->places[place].node, leg_event(kind, "", MEETING, uuid, 0, 0));
    if (kind == PXR_EVENT_DISCONNECTED) {
        s->events[s->count - 1].end_time = s->events[s->count - 1].time;
    }
}

static void host(story_t *s, unsigned node)
{
    pxr_event_t event = conference_event(PXR_EVENT_CONFERENCE_STARTED, "", MEETING, 0, 0);

    if (!s->hosts[node]) {
        event.start_time = moment(s);
        s->doubtful = s->doubtful || s->hosted[node];
        s->hosts[node] = s->hosted[node] = true;
        happen(s, node, event);
    }
}

static void hang_up(story_t *s, unsigned place)
{
    s->places[place].in = false;
    s->places[place].call++;
    memset(s->places[place].left, 0, sizeof(s->places[place].left));
}

static void leave(story_t *s, unsigned place)
{
    happen_to(s, place, PXR_EVENT_DISCONNECTED);
    hang_up(s, place);
}

/* The new node knows the call before the old one lets it go. A node's farewell to a call is its
 * last word about it, so no call comes back to a node. */
static void move(story_t *s, unsigned place, unsigned to)
{
    unsigned from = s->places[place].node;

    if (from == to || s->places[place].left[to]) {
        return;
    }
    s->doubtful = true;
    s->places[place].left[from] = true;
    host(s, to);
    s->places[place].node = to;
    happen_to(s, place, PXR_EVENT_UPDATED);
    s->places[place].node = from;
    happen_to(s, place, PXR_EVENT_DISCONNECTED);
    s->places[place].node = to;
    happen_to(s, place, PXR_EVENT_UPDATED);
}

static void stop_hosting(story_t *s, unsigned node)
{
    pxr_event_t event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "", MEETING, 0, 0);

    if (!s->hosts[node]) {
        return;
    }
    event.end_time = moment(s);
    s->hosts[node] = false;
    happen(s, node, event);
    for (unsigned p = 0; p < PLACES; p++) {
        if (s->places[p].in && s->places[p].node == node) {
            hang_up(s, p);
        }
    }
}

static void step(story_t *s, uint8_t what)
{
    unsigned place = what % PLACES;
    unsigned node = what / PLACES % NODES;

    if (what >= 0xE0) {
        stop_hosting(s, node);
    } else if (!s->places[place].in) {
        host(s, node);
        s->places[place].in = true;
        s->places[place].node = node;
        happen_to(s, place, PXR_EVENT_CONNECTED);
    } else if (what >= 0xA0) {
        leave(s, place);
    } else if (what >= 0x80) {
        move(s, place, node);
    } else {
        happen_to(s, place, PXR_EVENT_UPDATED);
    }
}

static void prepare(void)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    world_open(&in_order, 1, 64);
    world_open(&in_any, 1, 64);
    new_meeting(&in_order, MEETING, T0);
    fresh = malloc(in_order.bytes);
    REQUIRE(fresh != NULL);
    memcpy(fresh, in_order.memory, in_order.bytes);
}

/* PXR_TRACE=1 shows what was delivered. */
static void show(const world_t *w, const pxr_event_t *e)
{
    if (getenv("PXR_TRACE") != NULL) {
        fprintf(stderr, "%s: %s %s seq %u at %d %s\n", w == &in_order ? "in order" : "in any",
                pxr_event_kind_name(e->kind), e->node, (unsigned)e->seq,
                (int)((e->time - T0) / PXR_SECOND), e->uuid);
    }
}

static void hear(const world_t *w, const pxr_event_t *event, pxr_time_t now)
{
    show(w, event);
    deliver(w, event, now);
}

/* Takes the events in the order that the input tells, the rest in their own. */
static void deliver_in_any_order(const story_t *s, input_t *in, pxr_time_t now)
{
    size_t left[EVENTS];
    size_t count = s->count;

    for (size_t i = 0; i < count; i++) {
        left[i] = i;
    }
    while (count > 0) {
        uint8_t pick = input_byte(in);
        size_t i = pick % count;
        hear(&in_any, &s->events[left[i]], now++);
        if (pick < 0xE0) { /* else it comes again */
            memmove(&left[i], &left[i + 1], (--count - i) * sizeof(left[0]));
        }
    }
}

static pxr_view_t view(const world_t *w)
{
    pxr_found_t found;

    REQUIRE(pxr_store_find(&w->store, w->workspace, false, MEETING, strlen(MEETING), T0, &found,
                           NULL, 0) == PXR_OK);
    return view_of(w, found.ref);
}

static bool is_in(const pxr_view_t *view, const char *id)
{
    for (size_t i = 0; i < view->people_count; i++) {
        if (strcmp(view->people[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t open_nodes(const pxr_view_t *view)
{
    uint32_t count = 0;

    for (size_t i = 0; i < view->node_count; i++) {
        count += view->nodes[i].open;
    }
    return count;
}

/* Nobody is missing who would be there, whatever the order; but where there is doubt there is
 * nobody else either. When all have left nobody is there. */
static void check(const story_t *s)
{
    pxr_view_t a = view(&in_order);
    pxr_view_t b = view(&in_any);
    bool over = true;

    assert_sound(&in_order);
    assert_sound(&in_any);
    for (size_t i = 0; i < a.people_count; i++) {
        if (!is_in(&b, a.people[i].id)) {
            fprintf(stderr, "%s is missing\n", a.people[i].id);
        }
        REQUIRE(is_in(&b, a.people[i].id));
    }
    REQUIRE(s->doubtful || a.people_count == b.people_count);
    REQUIRE(s->doubtful || open_nodes(&a) == open_nodes(&b));
    REQUIRE(open_nodes(&a) <= open_nodes(&b));
    for (unsigned node = 0; node < NODES; node++) {
        over = over && !s->hosts[node];
    }
    REQUIRE(!over || (b.people_count == 0 && b.life.shares == 0 && b.life.present == 0));
    REQUIRE(a.life.started_at == b.life.started_at);
    REQUIRE(a.life.state == b.life.state);
    REQUIRE(!over || a.life.last_end == b.life.last_end);
    pxr_view_release(&a);
    pxr_view_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    story_t story = {.count = 0};
    uint8_t what;

    if (fresh == NULL) {
        prepare();
    }
    memcpy(in_order.memory, fresh, in_order.bytes);
    memcpy(in_any.memory, fresh, in_any.bytes);
    /* A step is four events at most. */
    while (story.count + 4 <= EVENTS && (what = input_byte(&in)) != 0) {
        step(&story, what);
    }
    for (size_t i = 0; i < story.count; i++) {
        hear(&in_order, &story.events[i], T0 + 1000 * PXR_SECOND + (pxr_time_t)i);
    }
    deliver_in_any_order(&story, &in, T0 + 1000 * PXR_SECOND);
    check(&story);
    return 0;
}
