/* As much as the stories need: copies of the stage are what this test spends its time on. */
#define STAGE_SHARES 4
#define STAGE_LEGS 4

#include "end_model.h"
#include "stage.h"

#include "pxr_text.h"

/*
 * The property of the architecture, section 4, over all orders: each story is told in every way in
 * which the words of two nodes can be mixed, with any few of them lost or late by any number of
 * places, with pauses and visitors' requests anywhere, and with every word heard so far repeated
 * in every state. States that were met before are not explored again.
 *
 * PXR_BOUND=3 loses or delays one word more in each story and pauses once more, which takes
 * minutes. The story "unheard" is not told so: where a node's new run begins with three words that
 * are late, those are taken for words of its old run, and that it hosts the meeting is believed
 * with the next word only. A node says one thing after the other, so it would have to go wrong
 * three times.
 */

typedef struct {
    unsigned deviations; /* words that may be lost or late */
    unsigned pauses;
    unsigned asks; /* policy requests of people who want to join */
    bool most;     /* PXR_BOUND does not add to these */
} bounds_t;

typedef struct {
    stage_t stage;
    told_t told;
    uint32_t held; /* words that were not delivered in their turn: late, or lost in the end */
    size_t next[2];
    bounds_t left;
    pxr_time_t now;
    pxr_time_t asked_at;
    pxr_time_t sure_at;   /* when somebody was surely there last */
    pxr_time_t gone_at;   /* since when nobody can be there, 0 while somebody may */
    pxr_time_t hosted_at; /* the same of nodes that host it */
    pxr_time_t unhosted_at;
    pxr_time_t live_at;
} world_t;

/* States that were met, by their hash: an open table that is made large enough at once. */
typedef struct {
    uint64_t *keys;
    size_t size, count;
} seen_t;

/* What was done so far, to be shown by whatever fails. */
static char steps[STORY_EVENTS * 3][8];
static size_t depth;
static seen_t seen;

static const char *trail(const story_t *story)
{
    static char text[1024];
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_puts(&buf, story->name);
    pxr_buf_puts(&buf, ":");
    for (size_t i = 0; i < depth; i++) {
        pxr_buf_puts(&buf, " ");
        pxr_buf_puts(&buf, steps[i]);
    }
    return buf.data;
}

#define HOLDS(w, condition, ...) \
    do { \
        if (!(condition)) { \
            print_error("%s\n", trail((w)->told.story)); \
            print_error(__VA_ARGS__); \
            fail_msg(" (%s)", #condition); \
        } \
    } while (0)

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t word;

    for (size_t i = 0; i < len; i += sizeof(word)) {
        word = 0;
        memcpy(&word, bytes + i, len - i < sizeof(word) ? len - i : sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

/* Everything that decides about what comes. When something was heard last decides after hours. */
static uint64_t hash_stage(const stage_t *stage)
{
    uint64_t hash = mix(1, &stage->meeting, sizeof(stage->meeting));

    for (size_t i = 0; i < stage->share_count; i++) {
        pxr_share_t share = stage->shares[i];
        share.last_at = 0;
        hash = mix(hash, &share, sizeof(share));
    }
    for (size_t i = 0; i < stage->leg_count; i++) {
        pxr_leg_t leg = stage->legs[i];
        leg.heard_at = 0;
        hash = mix(hash, &leg, sizeof(leg));
        hash = mix(hash, &stage->homes[i], sizeof(stage->homes[i]));
    }
    for (size_t i = 0; i < stage->publisher_count; i++) {
        pxr_publisher_t publisher = stage->publishers[i];
        publisher.last_at = 0;
        publisher.events = publisher.duplicates = publisher.missing = 0;
        hash = mix(hash, &publisher, sizeof(publisher));
    }
    return hash;
}

static uint64_t hash_world(const world_t *w, uint64_t hash)
{
    const pxr_time_t times[] = {w->now,       w->asked_at,    w->sure_at, w->gone_at,
                                w->hosted_at, w->unhosted_at, w->live_at};
    const uint32_t words[] = {w->told.delivered, w->told.forgotten, w->told.late, w->told.in_order,
                              w->held};

    hash = mix(hash, times, sizeof(times));
    hash = mix(hash, words, sizeof(words));
    hash = mix(hash, &w->left, sizeof(w->left));
    return hash | 1;
}

static void grow(void)
{
    seen_t old = seen;

    seen.size = old.size > 0 ? old.size * 4 : 1 << 16;
    seen.keys = calloc(seen.size, sizeof(*seen.keys));
    assert_non_null(seen.keys);
    for (size_t i = 0; i < old.size; i++) {
        size_t at = old.keys[i] >> 20 & (seen.size - 1);
        while (old.keys[i] != 0 && seen.keys[at] != 0) {
            at = (at + 1) & (seen.size - 1);
        }
        if (old.keys[i] != 0) {
            seen.keys[at] = old.keys[i];
        }
    }
    free(old.keys);
}

static void forget_all(void)
{
    free(seen.keys);
    memset(&seen, 0, sizeof(seen));
}

static bool is_new(uint64_t key)
{
    size_t at;

    if (seen.count * 2 >= seen.size) {
        grow();
    }
    at = key >> 20 & (seen.size - 1);
    while (seen.keys[at] != 0 && seen.keys[at] != key) {
        at = (at + 1) & (seen.size - 1);
    }
    if (seen.keys[at] == key) {
        return false;
    }
    seen.keys[at] = key;
    seen.count++;
    return true;
}

/* Who is counted, and what hosts, against what was said. */
static void check_counts(const world_t *w)
{
    const pxr_meeting_t *m = &w->stage.meeting;

    stage_check(&w->stage);
    for (size_t who = 0; who < PEOPLE; who++) {
        bool counted = stage_counts(&w->stage, people[who]);
        HOLDS(w, counted || !is_surely_there(&w->told, who), "%s is not counted", people[who]);
        HOLDS(w, !counted || may_be_there(&w->told, who), "%s is counted", people[who]);
    }
    for (size_t place = 0; place < 2 * ROOMS; place++) {
        size_t node = place / ROOMS, room = place % ROOMS;
        size_t i = stage_share(&w->stage, nodes[node], room > 0 ? stage_hash("b1") : 0);
        bool open =
            i < w->stage.share_count && w->stage.shares[i].open && w->stage.shares[i].era == m->era;
        HOLDS(w, open || !is_hosted(&w->told, node, room, false), "%s %s is not hosted",
              nodes[node], rooms[room]);
        HOLDS(w, !open || is_hosted(&w->told, node, room, true), "%s %s is hosted", nodes[node],
              rooms[room]);
    }
}

/* The moments between which a live meeting has to end if nothing more is heard. */
static pxr_time_t earliest_end(const world_t *w)
{
    pxr_time_t empty = pxr_time_later(w->sure_at, w->live_at);
    pxr_time_t end = empty + PXR_SILENCE_DEFAULT;

    if (is_anybody(&w->told, is_surely_there)) {
        return PXR_TIME_NEVER;
    }
    if (!is_hosted_anywhere(&w->told, false)) {
        end = pxr_time_earlier(end, pxr_time_later(w->hosted_at, w->live_at) + PXR_GRACE_DEFAULT);
    }
    if (w->asked_at != 0 && w->gone_at != 0 &&
        w->asked_at >= pxr_time_later(w->gone_at, w->live_at)) {
        end = pxr_time_later(end, pxr_time_earlier(w->asked_at + PXR_HOLD, empty + PXR_HOLD_MOST));
    }
    return end;
}

static pxr_time_t latest_end(const world_t *w)
{
    pxr_time_t empty = pxr_time_later(w->gone_at, w->live_at);
    pxr_time_t end = empty + PXR_SILENCE_DEFAULT;

    if (w->gone_at == 0) {
        return PXR_TIME_NEVER;
    }
    if (w->unhosted_at != 0) {
        end = pxr_time_earlier(end, pxr_time_later(w->unhosted_at, w->live_at) + PXR_GRACE_DEFAULT);
    }
    if (w->asked_at != 0) {
        end = pxr_time_later(end, pxr_time_earlier(w->asked_at + PXR_HOLD, empty + PXR_HOLD_MOST));
    }
    return end;
}

static void check_end(const world_t *w)
{
    pxr_meeting_t m = w->stage.meeting;
    pxr_time_t due = pxr_meeting_due(&m, w->asked_at);

    if (m.state != PXR_MEETING_LIVE) {
        HOLDS(w, !is_anybody(&w->told, is_surely_there), "not live over somebody's head");
        HOLDS(w, w->told.forgotten != 0 || !has_been_hosted(&w->told),
              "not live although it was hosted");
        return;
    }
    HOLDS(w, due >= earliest_end(w), "ends %.6f s too early",
          (double)(earliest_end(w) - due) / (double)PXR_SECOND);
    HOLDS(w, due <= latest_end(w), "ends %.6f s too late",
          (double)(due - latest_end(w)) / (double)PXR_SECOND);
    if (due != PXR_TIME_NEVER) {
        HOLDS(w, !pxr_meeting_tick(&m, w->asked_at, due - 1), "ends before it is due");
        HOLDS(w, pxr_meeting_tick(&m, w->asked_at, due), "does not end when it is due");
    }
}

/* All that was heard is heard once more. True where that has changed the stage. */
static bool hear_again(const world_t *w, uint64_t hash)
{
    const story_t *story = w->told.story;
    stage_t again = w->stage;

    for (size_t i = 0; i < story->count; i++) {
        if (is_delivered(&w->told, i)) {
            stage_hear(&again, &story->words[i].event, w->now);
        }
    }
    return hash_stage(&again) != hash;
}

/* Nothing will be heard any more. */
static void check_finish(const world_t *w)
{
    stage_t stage = w->stage;

    if (w->held == 0) {
        HOLDS(w, stage.meeting.present == 0 && stage.meeting.shares == 0, "somebody is left");
    }
    if (w->held == 0 && w->told.forgotten == 0) {
        pxr_meeting_tick(&stage.meeting, 0, pxr_meeting_due(&stage.meeting, w->asked_at));
        HOLDS(w, stage.meeting.started_at == MOMENT(1), "wrong beginning");
        HOLDS(w, stage.meeting.state == PXR_MEETING_OPEN || !stage.meeting.inferred, "inferred");
        return;
    }
    /* Whose farewell was lost is taken for gone at last. */
    stage_tick(&stage, w->now + PXR_LEG_SILENCE + 1);
    stage_tick(&stage, w->now + PXR_LEG_SILENCE + 1 + PXR_SILENCE_DEFAULT);
    HOLDS(w, stage.meeting.state != PXR_MEETING_LIVE, "lives for ever");
    stage_tick(&stage, w->now + PXR_LEG_SILENCE + PXR_LIFETIME_DEFAULT);
    HOLDS(w, stage.meeting.state == PXR_MEETING_ENDED, "is open for ever");
}

static void note_times(world_t *w)
{

    if (is_anybody(&w->told, is_surely_there)) {
        w->sure_at = w->now;
    }
    if (is_anybody(&w->told, may_be_there)) {
        w->gone_at = 0;
    } else if (w->gone_at == 0) {
        w->gone_at = w->now;
    }
    if (is_hosted_anywhere(&w->told, false)) {
        w->hosted_at = w->now;
    }
    if (is_hosted_anywhere(&w->told, true)) {
        w->unhosted_at = 0;
    } else if (w->unhosted_at == 0) {
        w->unhosted_at = w->now;
    }
    if (w->stage.meeting.state != PXR_MEETING_LIVE) {
        w->live_at = 0;
    } else if (w->live_at == 0) {
        w->live_at = w->now;
    }
}

static void explore(const world_t *w);

static void take_step(const char *what, size_t number)
{
    snprintf(steps[depth++], sizeof(steps[0]), "%s%zu", what, number);
}

static void explore_step(world_t *w, const char *what, size_t number)
{
    take_step(what, number);
    note_times(w);
    explore(w);
    depth--;
}

static void deliver(const world_t *before, size_t i)
{
    world_t w = *before;

    w.told.delivered |= 1u << i;
    if (w.held >> i & 1) {
        w.held &= ~(1u << i);
        w.told.late |= w.told.story->is_tangled ? 1u << i : 0;
    } else {
        w.next[w.told.story->words[i].node]++;
    }
    stage_hear(&w.stage, &w.told.story->words[i].event, w.now);
    explore_step(&w, "", i);
}

static void hold(const world_t *before, size_t i)
{
    world_t w = *before;

    w.held |= 1u << i;
    w.left.deviations--;
    w.told.in_order = false;
    w.next[w.told.story->words[i].node]++;
    explore_step(&w, "-", i);
}

/* Whether not all of a person was heard in its order. */
static bool is_tangled(const world_t *w, size_t who)
{
    const story_t *story = w->told.story;
    bool tangled = false;

    for (size_t i = 0; i < story->count; i++) {
        tangled = tangled || (((w->told.late | w->held) >> i & 1) && story->words[i].who == who);
    }
    return story->is_tangled && tangled;
}

/* A repeated word changes nothing, with two exceptions. What was not heeded because a word before
 * it was missing may be heeded now, as if it had come late itself. And that a node hosts it,
 * said again since the meeting was opened again, is believed: it is live without anybody once more.
 */
static void repeat(const world_t *before, size_t i)
{
    const word_t *word = &before->told.story->words[i];
    world_t w = *before;

    stage_hear(&w.stage, &word->event, w.now);
    if (hash_stage(&w.stage) == hash_stage(&before->stage)) {
        return;
    }
    take_step("=", i);
    HOLDS(&w, word->who != NOBODY ? is_tangled(&w, word->who) : w.told.forgotten >> i & 1,
          "a repeated word changes something");
    w.told.forgotten &= ~(1u << i);
    note_times(&w);
    check_counts(&w);
    check_end(&w);
    depth--;
    if (w.left.deviations > 0) {
        w.left.deviations--;
        explore_step(&w, "=", i);
    }
}

static void let_pass(const world_t *before, pxr_time_t time)
{
    world_t w = *before;
    uint32_t era = w.stage.meeting.era;

    w.left.pauses--;
    w.now += time;
    pxr_meeting_tick(&w.stage.meeting, w.asked_at, w.now);
    if (w.stage.meeting.era != era) {
        w.told.forgotten = w.told.delivered;
    }
    explore_step(&w, "+", (size_t)(time / PXR_SECOND));
}

static void ask(const world_t *before)
{
    world_t w = *before;

    w.left.asks--;
    w.asked_at = w.now;
    explore_step(&w, "?", 0);
}

static void explore(const world_t *w)
{
    const story_t *story = w->told.story;
    const size_t ends[2] = {story->split, story->count};
    uint64_t hash = hash_stage(&w->stage);

    if (!is_new(hash_world(w, hash)) || w->stage.meeting.state == PXR_MEETING_ENDED) {
        return;
    }
    check_counts(w);
    check_end(w);
    for (size_t node = 0; node < 2; node++) {
        if (w->next[node] < ends[node]) {
            deliver(w, w->next[node]);
            if (w->left.deviations > 0) {
                hold(w, w->next[node]);
            }
        }
    }
    for (size_t i = 0; i < story->count; i++) {
        if (w->held >> i & 1) {
            deliver(w, i);
        }
    }
    for (size_t i = 0, differs = hear_again(w, hash); i < story->count && differs; i++) {
        if (is_delivered(&w->told, i)) {
            repeat(w, i);
        }
    }
    if (w->left.pauses > 0) {
        /* As long as it takes where no node hosts it, and where nobody is in it. */
        let_pass(w, PXR_GRACE_DEFAULT + PXR_SECOND);
        let_pass(w, PXR_SILENCE_DEFAULT + PXR_SECOND);
    }
    if (w->left.asks > 0) {
        ask(w);
    }
    if (w->next[0] == ends[0] && w->next[1] == ends[1]) {
        check_finish(w);
    }
}

static void tell(const story_t *story, pxr_time_t not_after, bounds_t bounds)
{
    const char *bound = getenv("PXR_BOUND");
    world_t w;

    if (bound != NULL && !bounds.most && bounds.deviations < strtoul(bound, NULL, 10)) {
        bounds.deviations++;
        bounds.pauses++;
    }
    memset(&w, 0, sizeof(w));
    w.told.story = story;
    w.told.in_order = true;
    w.next[1] = story->split;
    w.left = bounds;
    w.now = MOMENT(100);
    stage_begin(&w.stage, w.now, not_after);
    forget_all();
    depth = 0;
    note_times(&w);
    explore(&w);
    print_message("%s: %zu states, %u of %zu words lost or late, %u pauses, %u requests\n",
                  story->name, seen.count, bounds.deviations, story->count, bounds.pauses,
                  bounds.asks);
    forget_all();
}

/* Three people on two nodes, one of whom moves. */
static void write_move(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "move";
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    s->words[s->count - 1].event.service = PXR_SERVICE_JOINING;
    s->words[s->count - 1].event.has_media = PXR_NO;
    say(s, 0, PXR_EVENT_UPDATED, ANNA, 0, 5);
    say(s, 0, PXR_EVENT_CONNECTED, CHRIS, 0, 6);
    say(s, 0, PXR_EVENT_DISCONNECTED, CHRIS, 0, 20);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 40);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(s);
    say(s, 1, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 8);
    say(s, 1, PXR_EVENT_CONNECTED, BORIS, 0, 9);
    say(s, 1, PXR_EVENT_UPDATED, CHRIS, 0, 23);
    say(s, 1, PXR_EVENT_DISCONNECTED, BORIS, 0, 50);
    say(s, 1, PXR_EVENT_DISCONNECTED, CHRIS, 0, 52);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 53);
}

/* Anna goes to a breakout room and comes back, Chris goes there unheard. */
static void write_breakout(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "breakout";
    s->is_tangled = true;
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    say(s, 0, PXR_EVENT_CONNECTED, CHRIS, 0, 3);
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 1, 10);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 1, 11);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 12);
    say(s, 0, PXR_EVENT_UPDATED, CHRIS, 1, 13);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 1, 20);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 21);
    say(s, 0, PXR_EVENT_DISCONNECTED, CHRIS, 1, 22);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 1, 23);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 40);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(s);
    say(s, 1, PXR_EVENT_CONNECTED, BORIS, 0, 9);
    say(s, 1, PXR_EVENT_DISCONNECTED, BORIS, 0, 30);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 31);
}

/* Node A dies while Anna is there, and hosts it again; Chris comes back on node B. */
static void write_restart(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "restart";
    say(s, 0, PXR_EVENT_SINK_STARTED, NOBODY, 0, 0);
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    say(s, 0, PXR_EVENT_CONNECTED, CHRIS, 0, 3);
    say(s, 0, PXR_EVENT_SINK_STARTED, NOBODY, 0, 20);
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 21);
    say(s, 0, PXR_EVENT_CONNECTED, BORIS, 0, 22);
    say(s, 0, PXR_EVENT_UPDATED, BORIS, 0, 23);
    say(s, 0, PXR_EVENT_DISCONNECTED, BORIS, 0, 40);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(s);
    say(s, 1, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 24);
    say(s, 1, PXR_EVENT_CONNECTED, CHRIS, 0, 25);
    say(s, 1, PXR_EVENT_DISCONNECTED, CHRIS, 0, 45);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 46);
}

/* Node A has ended it, is restarted, and hosts it again with the same numbers and people. */
static void write_again(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "again";
    s->is_tangled = true;
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 8);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 9);
    say(s, 0, PXR_EVENT_SINK_STARTED, NOBODY, 0, 20);
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 21);
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 22);
    say(s, 0, PXR_EVENT_UPDATED, ANNA, 0, 23);
    say(s, 0, PXR_EVENT_UPDATED, ANNA, 0, 24);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 40);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(s);
    say(s, 1, PXR_EVENT_CONNECTED, CHRIS, 0, 25);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 45);
}

/* Nobody heard node A begin to host it; it is restarted, and hosts it again without Anna. */
static void write_unheard(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "unheard";
    s->is_tangled = true;
    say(s, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    say(s, 0, PXR_EVENT_DISCONNECTED, ANNA, 0, 8);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 9);
    say(s, 0, PXR_EVENT_SINK_STARTED, NOBODY, 0, 20);
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 21);
    say(s, 0, PXR_EVENT_CONNECTED, BORIS, 0, 22);
    say(s, 0, PXR_EVENT_DISCONNECTED, BORIS, 0, 40);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(s);
    say(s, 1, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 1, PXR_EVENT_CONNECTED, CHRIS, 0, 25);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 45);
}

/* Few words, each of which may come in any place or never. Boris is said to have changed after he
 * has left node A, and comes to node B within what clocks may differ by. */
static void write_few(story_t *s)
{
    memset(s, 0, sizeof(*s));
    s->name = "few";
    s->is_tangled = true;
    say(s, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(s, 0, PXR_EVENT_CONNECTED, BORIS, 0, 2);
    say(s, 0, PXR_EVENT_DISCONNECTED, BORIS, 0, 29);
    say(s, 0, PXR_EVENT_UPDATED, BORIS, 0, 31);
    say(s, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 32);
    next_node(s);
    say(s, 1, PXR_EVENT_UPDATED, BORIS, 0, 30);
    say(s, 1, PXR_EVENT_DISCONNECTED, BORIS, 0, 35);
    say(s, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 36);
}

static void people_on_two_nodes(void **state)
{
    story_t story;

    (void)state;
    write_move(&story);
    tell(&story, 0, (bounds_t){.deviations = 2, .pauses = 1});
    tell(&story, 0, (bounds_t){.deviations = 1, .pauses = 1, .asks = 1});
}

static void a_meeting_with_a_window(void **state)
{
    story_t story;

    (void)state;
    write_move(&story);
    tell(&story, MOMENT(200), (bounds_t){.deviations = 1, .pauses = 2});
}

static void a_breakout_room(void **state)
{
    story_t story;

    (void)state;
    write_breakout(&story);
    tell(&story, 0, (bounds_t){.deviations = 2});
}

static void a_node_that_dies(void **state)
{
    story_t story;

    (void)state;
    write_restart(&story);
    tell(&story, 0, (bounds_t){.deviations = 2});
}

static void a_node_that_hosts_it_twice(void **state)
{
    story_t story;

    (void)state;
    write_again(&story);
    tell(&story, 0, (bounds_t){.deviations = 2});
}

static void a_node_whose_beginning_was_not_heard(void **state)
{
    story_t story;

    (void)state;
    write_unheard(&story);
    tell(&story, 0, (bounds_t){.deviations = 2, .most = true});
}

static void few_words_in_any_order(void **state)
{
    story_t story;

    (void)state;
    write_few(&story);
    tell(&story, 0, (bounds_t){.deviations = 8});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_on_two_nodes),
        cmocka_unit_test(a_meeting_with_a_window),
        cmocka_unit_test(a_breakout_room),
        cmocka_unit_test(a_node_that_dies),
        cmocka_unit_test(a_node_that_hosts_it_twice),
        cmocka_unit_test(a_node_whose_beginning_was_not_heard),
        cmocka_unit_test(few_words_in_any_order),
    };
    const char *filter = getenv("PXR_TEST");

    if (filter != NULL) {
        cmocka_set_test_filter(filter);
    }
    return RUN(tests);
}
