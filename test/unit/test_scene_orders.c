#include "stage.h"

#include "pxr_text.h"

/*
 * The property of the architecture, section 4: in no order of delivery, with events lost, late and
 * repeated, does the meeting end over the head of a person of whom we were told, and it always ends
 * once all evidence of people is gone. What "we were told" means is said here a second time, as a
 * statement about the set of delivered events and not about the order of their delivery.
 */

#define A "10.0.0.1"
#define B "10.0.0.2"
#define A_EVENTS 8
#define EVENTS 15

static pxr_event_t script[EVENTS]; /* first those of A, then those of B, each in its order */
static bool delivered[EVENTS];
static stage_t stage;
static pxr_time_t now;

/* What was done so far, to be shown by whatever fails: events by their place in the script, pauses
 * as +seconds. */
static char trace[2048];
static pxr_buf_t story;

static void write_script(void)
{
    pxr_event_t *e = script;

    *e++ = event_of(PXR_EVENT_CONFERENCE_STARTED, A, 1, 1);
    *e = leg_event(PXR_EVENT_CONNECTED, A, 2, 2, "anna");
    e->service = PXR_SERVICE_JOINING;
    e->has_media = PXR_NO;
    e++;
    *e++ = leg_event(PXR_EVENT_UPDATED, A, 3, 5, "anna");
    *e++ = leg_event(PXR_EVENT_CONNECTED, A, 4, 6, "chris");
    *e++ = event_of(PXR_EVENT_CONFERENCE_UPDATED, A, 5, 7);
    *e++ = leg_event(PXR_EVENT_DISCONNECTED, A, 6, 20, "chris"); /* moved to B */
    *e++ = leg_event(PXR_EVENT_DISCONNECTED, A, 7, 40, "anna");
    *e++ = event_of(PXR_EVENT_CONFERENCE_ENDED, A, 8, 41);

    *e++ = event_of(PXR_EVENT_CONFERENCE_STARTED, B, 1, 8);
    *e++ = leg_event(PXR_EVENT_CONNECTED, B, 2, 9, "boris");
    *e++ = leg_event(PXR_EVENT_UPDATED, B, 3, 23, "chris");
    *e++ = leg_event(PXR_EVENT_UPDATED, B, 4, 30, "boris");
    *e++ = leg_event(PXR_EVENT_DISCONNECTED, B, 5, 50, "boris");
    *e++ = leg_event(PXR_EVENT_DISCONNECTED, B, 6, 52, "chris");
    *e++ = event_of(PXR_EVENT_CONFERENCE_ENDED, B, 7, 53);
    assert_ptr_equal(e, script + EVENTS);
    for (size_t i = 0; i < EVENTS; i++) {
        script[i].start_time = script[i].uuid[0] != '\0' ? 0 : AT(i < A_EVENTS ? 1 : 8);
        script[i].end_time = script[i].kind == PXR_EVENT_CONFERENCE_ENDED ? script[i].time : 0;
    }
}

static bool is_sign(const pxr_event_t *event)
{
    return event->kind == PXR_EVENT_CONNECTED || event->kind == PXR_EVENT_UPDATED;
}

/* Whether a delivered event says that the sign of life is over. */
static bool is_refuted(const pxr_event_t *sign)
{
    for (size_t i = 0; i < EVENTS; i++) {
        const pxr_event_t *e = &script[i];
        bool same_node = strcmp(e->node, sign->node) == 0;
        if (!delivered[i]) {
            continue;
        }
        if (e->kind == PXR_EVENT_CONFERENCE_ENDED && same_node && e->seq > sign->seq) {
            return true;
        }
        if (e->kind == PXR_EVENT_DISCONNECTED && strcmp(e->uuid, sign->uuid) == 0 &&
            (same_node || sign->time <= e->time + PXR_CLOCK_TOLERANCE)) {
            return true;
        }
    }
    return false;
}

/* The newest delivered sign of life of a person, NULL where there is none. */
static const pxr_event_t *newest_sign(const char *uuid)
{
    const pxr_event_t *newest = NULL;

    for (size_t i = 0; i < EVENTS; i++) {
        if (delivered[i] && is_sign(&script[i]) && strcmp(script[i].uuid, uuid) == 0 &&
            (newest == NULL || script[i].time > newest->time)) {
            newest = &script[i];
        }
    }
    return newest;
}

static bool is_surely_there(const char *uuid)
{
    const pxr_event_t *sign = newest_sign(uuid);

    return sign != NULL && !is_refuted(sign);
}

static bool is_anybody_surely_there(void)
{
    return is_surely_there("anna") || is_surely_there("boris") || is_surely_there("chris");
}

/* Any sign of life that nothing refutes, be it the newest of its person or not. */
static bool is_any_evidence_left(void)
{
    for (size_t i = 0; i < EVENTS; i++) {
        if (delivered[i] && is_sign(&script[i]) && !is_refuted(&script[i])) {
            return true;
        }
    }
    return false;
}

static void begin(unsigned run, pxr_time_t not_after)
{
    now = AT(100);
    pxr_buf_init(&story, trace, sizeof(trace));
    pxr_buf_puts(&story, "run ");
    pxr_buf_put_int(&story, run);
    pxr_buf_puts(&story, ":");
    memset(delivered, 0, sizeof(delivered));
    stage_begin(&stage, now, not_after);
}

/* Lets time pass in steps of seconds. It must not take anybody's meeting away. */
static void wait_seconds(int64_t seconds)
{
    if (seconds > 0) {
        pxr_buf_puts(&story, " +");
        pxr_buf_put_int(&story, seconds);
    }
    while (seconds > 0 && stage.meeting.state != PXR_MEETING_ENDED) {
        bool there = is_anybody_surely_there();
        int64_t step = seconds < 7 ? seconds : 7;
        pxr_time_t due;
        now += step * PXR_SECOND;
        seconds -= step;
        due = pxr_meeting_due(&stage.meeting, 0);
        if (stage_tick(&stage, now)) {
            CHECK(!there, "%s: ended over somebody's head", story.data);
            CHECK(due <= now, "%s: ended before its time", story.data);
        }
        stage_check(&stage);
    }
}

static void deliver(size_t i)
{
    static const char *const people[] = {"anna", "boris", "chris"};

    if (stage.meeting.state == PXR_MEETING_ENDED) {
        return;
    }
    pxr_buf_puts(&story, " ");
    pxr_buf_put_int(&story, (int64_t)i);
    stage_hear(&stage, &script[i], now);
    delivered[i] = true;
    stage_check(&stage);
    for (size_t p = 0; p < COUNT(people); p++) {
        CHECK(!is_surely_there(people[p]) || stage_counts(&stage, people[p]),
              "%s: %s is not counted", story.data, people[p]);
    }
    CHECK(!is_anybody_surely_there() || stage.meeting.state == PXR_MEETING_LIVE, "%s", story.data);
}

/* All has been delivered that ever will be. */
static void check_that_it_ends(void)
{
    if (!is_any_evidence_left()) {
        wait_seconds(PXR_SILENCE_DEFAULT / PXR_SECOND + 1);
        /* An open meeting of which only farewells were heard waits for its lifetime. */
        CHECK(stage.meeting.state != PXR_MEETING_LIVE, "%s: lives on without evidence", story.data);
    }
    if (stage.meeting.state != PXR_MEETING_ENDED) {
        now += PXR_LEG_SILENCE + 1;
        stage_tick(&stage, now);
        now += PXR_LIFETIME_DEFAULT;
        stage_tick(&stage, now);
        now += PXR_LIFETIME_DEFAULT;
        stage_tick(&stage, now);
    }
    CHECK(stage.meeting.state == PXR_MEETING_ENDED, "%s: never ends", story.data);
}

static void every_interleaving_of_two_nodes_is_right(void **state)
{
    unsigned runs = 0;

    (void)state;
    write_script();
    /* A bit for each place in the order: 1 takes the next event of A. */
    for (unsigned order = 0; order < 1u << EVENTS; order++) {
        size_t a = 0, b = A_EVENTS;
        if (__builtin_popcount(order) != A_EVENTS) {
            continue;
        }
        runs++;
        begin(order, 0);
        for (size_t i = 0; i < EVENTS; i++) {
            deliver(order >> i & 1 ? a++ : b++);
            wait_seconds((int64_t)(i % 3));
        }
        /* Nothing was lost, so both nodes said goodbye, and the grace is enough. */
        CHECK(stage.meeting.shares == 0 && stage.meeting.present == 0, "%s", story.data);
        wait_seconds(PXR_GRACE_DEFAULT / PXR_SECOND);
        CHECK(stage.meeting.state == PXR_MEETING_ENDED && !stage.meeting.inferred, "%s",
              story.data);
        CHECK(stage.meeting.started_at == AT(1), "%s", story.data);
        CHECK(stage.meeting.ended_at == AT(53), "%s", story.data);
    }
    assert_int_equal(runs, 6435);
}

/* An order of delivery with losses, repetitions and latecomers. Returns its length. */
static size_t shuffle(uint64_t *seed, size_t *order, size_t most)
{
    uint32_t loss = dice(seed, 40);
    uint32_t haste = dice(seed, 3) == 0 ? EVENTS : 4;
    size_t a = 0, b = A_EVENTS, count = 0;

    while (a < A_EVENTS || b < EVENTS) {
        bool take_a = b == EVENTS || (a < A_EVENTS && dice(seed, 2) == 0);
        size_t event = take_a ? a++ : b++;
        if (dice(seed, 100) >= loss) {
            order[count++] = event;
        }
    }
    for (size_t i = 0, copies = dice(seed, 6); i < copies && count > 0 && count < most; i++) {
        order[count] = order[dice(seed, (uint32_t)count)];
        count++;
    }
    for (size_t i = 0, moves = dice(seed, 12); i < moves && count > 1; i++) {
        size_t from = dice(seed, (uint32_t)count);
        size_t by = dice(seed, haste);
        size_t to = from + by < count ? from + by : count - 1;
        size_t event = order[from];
        memmove(&order[from], &order[from + 1], (to - from) * sizeof(*order));
        order[to] = event;
    }
    return count;
}

static void play_at_random(uint64_t first_seed, unsigned runs, bool window)
{
    static const uint32_t pauses[] = {0, 0, 0, 1, 3, 11, 61};
    unsigned early = 0, complete = 0;

    write_script();
    for (unsigned run = 0; run < runs; run++) {
        uint64_t seed = first_seed + run * UINT64_C(0x9E3779B97F4A7C15);
        size_t order[EVENTS + 8];
        size_t count = shuffle(&seed, order, COUNT(order));
        uint32_t patience = 1 + dice(&seed, COUNT(pauses));

        begin(run, window ? AT(100 + dice(&seed, 600)) : 0);
        for (size_t i = 0; i < count; i++) {
            deliver(order[i]);
            wait_seconds(pauses[dice(&seed, patience)]);
        }
        complete += stage.meeting.state == PXR_MEETING_LIVE;
        early += stage.meeting.state == PXR_MEETING_ENDED;
        check_that_it_ends();
    }
    /* Both kinds must have been met, else the pauses prove nothing. */
    assert_true(early > runs / 100 && complete > runs / 10);
}

static void no_random_order_ends_it_over_a_head_or_never(void **state)
{
    (void)state;
    play_at_random(20261122, 20000, false);
}

static void no_random_order_does_so_with_a_window(void **state)
{
    (void)state;
    play_at_random(1122, 10000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_interleaving_of_two_nodes_is_right),
        cmocka_unit_test(no_random_order_ends_it_over_a_head_or_never),
        cmocka_unit_test(no_random_order_does_so_with_a_window),
    };

    return RUN(tests);
}
