#include "keep_helpers.h"

#include "end_model.h"
#include "pxr_text.h"

/*
 * The property of the architecture, section 4, where two machines share a database: every way of
 * dividing what two nodes say between them, with a round of a keeper or an attempt to end the
 * meeting anywhere, and with a word lost, late or said to both. What both know together must be
 * right on each of them after their rounds, and the end must be the same.
 *
 * PXR_BOUND=3 does all of that in every order of the nodes' words; it takes minutes.
 */

#define MEETING "Meeting1"

/* What happens besides the words; a round before the word of that place in the order. */
typedef struct {
    enum { NO_ROUND, ROUND, ATTEMPT } round;
    size_t round_at;
    size_t round_by;
    enum { NO_FAULT, LOST, LATE, DOUBLE } fault;
    size_t fault_of;
} plan_t;

typedef struct {
    machine_t machine[2];
    unsigned char *memory[2];
    db_t *db;
} pair_t;

/* Both know the meeting. A case begins with a copy of that. */
static pair_t first, pair;
static story_t story;
static size_t order[STORY_EVENTS];
static size_t cases;

/* What is happening, to be shown by whatever fails. */
static const plan_t *plan;
static uint32_t division;
static pxr_time_t now;
static told_t told;

static const char *describe(void)
{
    static const char *const faults[] = {"", "lost", "late", "double"};
    static char text[256];
    int len = 0;

    for (size_t i = 0; i < story.count; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%zu%c ", order[i],
                        division >> order[i] & 1 ? 'b' : 'a');
    }
    snprintf(text + len, sizeof(text) - (size_t)len, "round %d at %zu by %c, %zu %s", plan->round,
             plan->round_at, plan->round_by == 0 ? 'a' : 'b', plan->fault_of, faults[plan->fault]);
    return text;
}

#define HOLDS(condition, ...) \
    do { \
        if (!(condition)) { \
            print_error("%s: ", describe()); \
            print_error(__VA_ARGS__); \
            fail_msg(" (%s)", #condition); \
        } \
    } while (0)

static void open_pair(void)
{
    memset(&pair, 0, sizeof(pair));
    first.db = db_open();
    pair.db = db_open();
    for (size_t i = 0; i < 2; i++) {
        machine_open(&pair.machine[i], 11 + i, 1, 4, PXR_KEEP_SHARED);
    }
    make_known(first.db, &pair.machine[0], MEETING, NULL, MOMENT(0));
    sync_machine(first.db, &pair.machine[1], MOMENT(0));
    for (size_t i = 0; i < 2; i++) {
        first.machine[i] = pair.machine[i];
        first.memory[i] = malloc(pair.machine[i].w.bytes);
        assert_non_null(first.memory[i]);
        memcpy(first.memory[i], pair.machine[i].w.memory, pair.machine[i].w.bytes);
    }
}

static void close_pair(void)
{
    for (size_t i = 0; i < 2; i++) {
        machine_close(&pair.machine[i]);
        free(first.memory[i]);
    }
    db_close(pair.db);
    db_close(first.db);
}

static void begin(void)
{
    for (size_t i = 0; i < 2; i++) {
        pair.machine[i] = first.machine[i];
        memcpy(pair.machine[i].w.memory, first.memory[i], pair.machine[i].w.bytes);
    }
    pair.db->share_count = 0;
    pair.db->leg_count = 0;
    pair.db->revision = first.db->meetings[0].revision;
    db_put_meeting(pair.db, &first.db->meetings[0].record);
    pair.db->revision = first.db->revision;
    told = (told_t){.story = &story};
    now = MOMENT(100);
    cases++;
}

static pxr_view_t view(size_t machine)
{
    const world_t *w = &pair.machine[machine].w;

    return view_of(w, find_meeting(w, MEETING));
}

static bool is_counted(const pxr_view_t *v, size_t who)
{
    for (size_t i = 0; i < v->people_count; i++) {
        if (strcmp(v->people[i].id, people[who]) == 0) {
            return true;
        }
    }
    return false;
}

static void sync_both(size_t by)
{
    sync_machine(pair.db, &pair.machine[1 - by], now);
    sync_machine(pair.db, &pair.machine[by], now);
}

/* As the keeper does: everybody has written what he knew when the meeting became due, and whoever
 * ends it has read that. */
static void attempt(size_t by)
{
    machine_t *m = &pair.machine[by];
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_ending_t ending;

    assert_non_null(copy);
    sync_both(by);
    if (pxr_store_endings(&m->w.store, now, &ending, 1) == 1) {
        HOLDS(!is_anybody(&told, is_surely_there), "ended over somebody's head");
        assert_int_equal(pxr_store_copy_ending(&m->w.store, &ending, copy), PXR_OK);
        pair.db->revision++;
        db_put_meeting(pair.db, &copy->record);
        assert_int_equal(pxr_store_end(&m->w.store, &ending, now), PXR_OK);
        m->revision = pair.db->revision;
    }
    free(copy);
}

static void hear(size_t word, size_t machine)
{
    assert_int_equal(deliver_ours(&pair.machine[machine].w, &story.words[word].event, now), PXR_OK);
    told.delivered |= 1u << word;
}

static void do_round(size_t at)
{
    if (plan->round == NO_ROUND || plan->round_at != at) {
        return;
    }
    if (plan->round == ROUND) {
        sync_machine(pair.db, &pair.machine[plan->round_by], now);
        return;
    }
    now += PXR_GRACE_DEFAULT + 1;
    attempt(plan->round_by);
}

static void tell(void)
{
    for (size_t i = 0; i < story.count; i++) {
        size_t machine = division >> order[i] & 1;
        do_round(i);
        if (plan->fault != NO_FAULT && plan->fault_of == order[i]) {
            if (plan->fault == DOUBLE) {
                hear(order[i], machine);
                hear(order[i], 1 - machine);
            }
        } else {
            hear(order[i], machine);
        }
    }
    if (plan->fault == LATE) {
        hear(plan->fault_of, division >> plan->fault_of & 1);
    }
}

#define AGREE(field) \
    HOLDS(a.life.field == b.life.field, #field " is %ld and %ld", (long)a.life.field, \
          (long)b.life.field)

static void check_agreement(void)
{
    pxr_view_t a = view(0), b = view(1);
    bool ended = a.life.state == PXR_MEETING_ENDED;

    AGREE(state);
    AGREE(started_at);
    AGREE(ended_at);
    AGREE(last_end);
    AGREE(present);
    AGREE(shares);
    HOLDS(!ended || !is_anybody(&told, is_surely_there), "ended over somebody's head");
    for (size_t who = 0; who < PEOPLE && !ended; who++) {
        bool counted = is_counted(&a, who);
        HOLDS(counted == is_counted(&b, who), "%s is counted by one", people[who]);
        HOLDS(counted || !is_surely_there(&told, who), "%s is not counted", people[who]);
        HOLDS(!counted || may_be_there(&told, who), "%s is counted", people[who]);
    }
    pxr_view_release(&a);
    pxr_view_release(&b);
}

/* Nothing will be heard any more. */
static void check_end(size_t by)
{
    bool evidence = is_anybody(&told, may_be_there);
    pxr_view_t v;

    now += PXR_SILENCE_DEFAULT;
    attempt(by);
    sync_both(by);
    check_agreement();
    v = view(by);
    HOLDS(evidence || v.life.state == PXR_MEETING_ENDED, "lives on without evidence");
    HOLDS(plan->fault == LOST || plan->round == ATTEMPT || v.life.ended_at == MOMENT(51),
          "ended at %ld", (long)(v.life.ended_at - MOMENT(0)));
    pxr_view_release(&v);
}

static void play(const plan_t *what, uint32_t how)
{
    plan = what;
    division = how;
    begin();
    tell();
    sync_both(how >> 1 & 1);
    sync_both(how >> 1 & 1);
    check_agreement();
    check_end(how >> 2 & 1);
}

/* The first word goes to machine a: the machines are alike. */
static void play_divisions(plan_t what)
{
    for (uint32_t how = 0; how < 1u << story.count; how += 2) {
        play(&what, how);
    }
}

static void play_rounds(void)
{
    for (size_t at = 1; at < story.count; at++) {
        for (size_t by = 0; by < 2; by++) {
            play_divisions((plan_t){.round = ROUND, .round_at = at, .round_by = by});
            play_divisions((plan_t){.round = ATTEMPT, .round_at = at, .round_by = by});
        }
    }
}

static void play_faults(void)
{
    for (size_t word = 0; word < story.count; word++) {
        play_divisions((plan_t){.fault = LOST, .fault_of = word});
        play_divisions((plan_t){.fault = LATE, .fault_of = word});
        play_divisions((plan_t){.fault = DOUBLE, .fault_of = word});
    }
}

/* Three people on two nodes, one of whom moves; two go with their nodes. */
static void write_story(void)
{
    memset(&story, 0, sizeof(story));
    say(&story, 0, PXR_EVENT_CONFERENCE_STARTED, NOBODY, 0, 1);
    say(&story, 0, PXR_EVENT_CONNECTED, ANNA, 0, 2);
    say(&story, 0, PXR_EVENT_CONNECTED, CHRIS, 0, 3);
    say(&story, 0, PXR_EVENT_DISCONNECTED, CHRIS, 0, 20);
    say(&story, 0, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 41);
    next_node(&story);
    say(&story, 1, PXR_EVENT_CONNECTED, BORIS, 0, 9);
    say(&story, 1, PXR_EVENT_UPDATED, CHRIS, 0, 23);
    say(&story, 1, PXR_EVENT_DISCONNECTED, CHRIS, 0, 50);
    say(&story, 1, PXR_EVENT_CONFERENCE_ENDED, NOBODY, 0, 51);
}

static int by_time(const void *a, const void *b)
{
    const pxr_event_t *left = &story.words[*(const size_t *)a].event;
    const pxr_event_t *right = &story.words[*(const size_t *)b].event;

    return left->time < right->time ? -1 : left->time > right->time;
}

static void order_by_time(void)
{
    for (size_t i = 0; i < story.count; i++) {
        order[i] = i;
    }
    qsort(order, story.count, sizeof(*order), by_time);
}

/* A bit for each place: 1 takes the next word of node A. False where that is no order. */
static bool order_by_bits(uint32_t bits)
{
    size_t next[2] = {story.split, 0};

    if (__builtin_popcount(bits) != (int)story.split) {
        return false;
    }
    for (size_t i = 0; i < story.count; i++) {
        order[i] = next[bits >> i & 1]++;
    }
    return true;
}

static int set_up(void **state)
{
    (void)state;
    write_story();
    open_pair();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    print_message("%zu cases\n", cases);
    close_pair();
    return 0;
}

static void a_divided_meeting_ends_as_an_undivided_one(void **state)
{
    const uint32_t a_first = (1u << story.split) - 1;
    const uint32_t b_first = a_first << (story.count - story.split);

    (void)state;
    order_by_time();
    play_divisions((plan_t){.round = NO_ROUND});
    assert_true(order_by_bits(a_first));
    play_divisions((plan_t){.round = NO_ROUND});
    assert_true(order_by_bits(b_first));
    play_divisions((plan_t){.round = NO_ROUND});
}

static void so_it_does_with_rounds_in_between(void **state)
{
    (void)state;
    order_by_time();
    play_rounds();
}

static void so_it_does_with_a_word_lost_or_late_or_doubled(void **state)
{
    (void)state;
    order_by_time();
    play_faults();
}

static void so_it_does_in_every_order(void **state)
{
    const char *bound = getenv("PXR_BOUND");

    (void)state;
    for (uint32_t bits = 0; bits < 1u << story.count && bound != NULL; bits++) {
        if (order_by_bits(bits)) {
            play_divisions((plan_t){.round = NO_ROUND});
            play_rounds();
            play_faults();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_divided_meeting_ends_as_an_undivided_one),
        cmocka_unit_test(so_it_does_with_rounds_in_between),
        cmocka_unit_test(so_it_does_with_a_word_lost_or_late_or_doubled),
        cmocka_unit_test(so_it_does_in_every_order),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
