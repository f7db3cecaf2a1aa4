#include "helpers.h"

#include "pxr_told.h"

/* What Rocket.Chat has been told: put together, changed, written down and read again. */

#define NOW ((pxr_time_t)1800000000 * PXR_SECOND)

static pxr_task_t any_task(uint64_t *seed)
{
    return (pxr_task_t){.version = dice(seed, 4),
                        .state = (uint8_t)dice(seed, PXR_TASK_STATES),
                        .reason = (uint8_t)dice(seed, PXR_REASONS),
                        .http = (uint16_t)dice(seed, 2),
                        .sent = dice(seed, 2),
                        .changed_at = NOW + dice(seed, 2)};
}

static pxr_told_t any_told(uint64_t *seed)
{
    pxr_told_t told;

    memset(&told, 0, sizeof(told));
    for (int i = 0; i < PXR_TASKS; i++) {
        told.task[i] = any_task(seed);
    }
    return told;
}

static bool is_same_task(const pxr_task_t *a, const pxr_task_t *b)
{
    return a->version == b->version && a->state == b->state && a->reason == b->reason &&
           a->http == b->http && a->sent == b->sent && a->changed_at == b->changed_at;
}

static bool is_same(const pxr_told_t *a, const pxr_told_t *b)
{
    for (int i = 0; i < PXR_TASKS; i++) {
        if (!is_same_task(&a->task[i], &b->task[i])) {
            return false;
        }
    }
    return true;
}

static pxr_told_t merged(pxr_told_t a, const pxr_told_t *b)
{
    pxr_told_merge(&a, b);
    return a;
}

/* In whatever order machines hear of each other, they come to know the same. */
static void merging_has_one_result(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int run = 0; run < 20000; run++) {
        pxr_told_t a = any_told(&seed);
        pxr_told_t b = any_told(&seed);
        pxr_told_t c = any_told(&seed);
        pxr_told_t ab = merged(a, &b);
        pxr_told_t ba = merged(b, &a);
        pxr_told_t bc = merged(b, &c);
        pxr_told_t left = merged(ab, &c);
        pxr_told_t right = merged(a, &bc);
        CHECK(is_same(&ab, &ba), "run %d: the order matters", run);
        CHECK(is_same(&left, &right), "run %d: the grouping matters", run);
        assert_false(pxr_told_merge(&ab, &a));
        assert_false(pxr_told_merge(&ab, &b));
        assert_false(pxr_told_merge(&ab, &ab));
        for (int i = 0; i < PXR_TASKS; i++) {
            assert_true(ab.task[i].version >= a.task[i].version &&
                        ab.task[i].version >= b.task[i].version);
            assert_true(is_same_task(&ab.task[i], &a.task[i]) ||
                        is_same_task(&ab.task[i], &b.task[i]));
        }
    }
}

static void the_later_version_is_taken_and_said_to_be(void **state)
{
    pxr_told_t told;
    pxr_told_t other;

    (void)state;
    memset(&told, 0, sizeof(told));
    memset(&other, 0, sizeof(other));
    told.task[PXR_TASK_DIRECT] = (pxr_task_t){.version = 5, .state = PXR_TASK_DONE};
    other.task[PXR_TASK_DIRECT] =
        (pxr_task_t){.version = 4, .state = PXR_TASK_FAILED, .changed_at = NOW};
    assert_false(pxr_told_merge(&told, &other));
    assert_int_equal(told.task[PXR_TASK_DIRECT].state, PXR_TASK_DONE);
    other.task[PXR_TASK_CALLBACK] = (pxr_task_t){.version = 1, .state = PXR_TASK_WAITING};
    assert_true(pxr_told_merge(&told, &other));
    assert_int_equal(told.task[PXR_TASK_DIRECT].state, PXR_TASK_DONE);
    assert_int_equal(told.task[PXR_TASK_CALLBACK].state, PXR_TASK_WAITING);
}

static void a_change_counts_and_none_does_not(void **state)
{
    pxr_task_t task = {0};

    (void)state;
    assert_true(pxr_task_set(&task, PXR_TASK_WAITING, PXR_REASON_NONE, 0, NOW));
    assert_int_equal(task.version, 1);
    assert_int_equal(task.changed_at, NOW);
    assert_false(pxr_task_set(&task, PXR_TASK_WAITING, PXR_REASON_NONE, 0, NOW + 1));
    assert_int_equal(task.version, 1);
    assert_int_equal(task.changed_at, NOW);
    assert_true(pxr_task_set(&task, PXR_TASK_WAITING, PXR_REASON_BUSY, 0, NOW + 2));
    assert_true(pxr_task_set(&task, PXR_TASK_WAITING, PXR_REASON_BUSY, 503, NOW + 3));
    assert_true(pxr_task_set(&task, PXR_TASK_FAILED, PXR_REASON_BUSY, 503, NOW + 4));
    assert_int_equal(task.version, 4);
    assert_int_equal(task.state, PXR_TASK_FAILED);
    assert_int_equal(task.reason, PXR_REASON_BUSY);
    assert_int_equal(task.http, 503);
    assert_int_equal(task.changed_at, NOW + 4);
}

/* What an administrator may wish in each state. */
static void retries_and_drops_where_that_makes_sense(void **state)
{
    static const struct {
        bool retry, drop;
    } may[PXR_TASK_STATES] = {
        [PXR_TASK_NONE] = {false, false},   [PXR_TASK_WAITING] = {true, true},
        [PXR_TASK_POSTED] = {true, true},   [PXR_TASK_FIXED] = {true, true},
        [PXR_TASK_DONE] = {false, false},   [PXR_TASK_FAILED] = {true, true},
        [PXR_TASK_DROPPED] = {true, false},
    };

    (void)state;
    for (int i = 0; i < PXR_TASK_STATES; i++) {
        for (uint64_t sent = 0; sent < 2; sent++) {
            pxr_task_t before = {.version = 3,
                                 .state = (uint8_t)i,
                                 .reason = PXR_REASON_ROOM,
                                 .http = 400,
                                 .sent = sent,
                                 .changed_at = NOW};
            pxr_task_t task = before;
            CHECK(pxr_task_retry(&task, NOW + 1) == may[i].retry, "state %d", i);
            if (may[i].retry) {
                assert_int_equal(task.state, i == PXR_TASK_FIXED ? PXR_TASK_FIXED
                                             : sent != 0         ? PXR_TASK_POSTED
                                                                 : PXR_TASK_WAITING);
                assert_int_equal(task.version, 4);
                assert_int_equal(task.reason, PXR_REASON_NONE);
                assert_int_equal(task.http, 0);
                assert_int_equal(task.sent, sent);
                assert_int_equal(task.changed_at, NOW + 1);
            } else {
                assert_true(is_same_task(&task, &before));
            }
            task = before;
            CHECK(pxr_task_drop(&task, NOW + 1) == may[i].drop, "state %d", i);
            if (may[i].drop) {
                assert_int_equal(task.state, PXR_TASK_DROPPED);
                assert_int_equal(task.version, 4);
                assert_int_equal(task.reason, PXR_REASON_ROOM);
                assert_int_equal(task.sent, sent);
            } else {
                assert_true(is_same_task(&task, &before));
            }
        }
    }
}

static void knows_what_is_still_to_be_done(void **state)
{
    (void)state;
    for (int kind = 0; kind < PXR_TASKS; kind++) {
        for (int is = 0; is < PXR_TASK_STATES; is++) {
            for (int ended = 0; ended < 2; ended++) {
                pxr_told_t told;
                bool open = is == PXR_TASK_POSTED ||
                            (is == PXR_TASK_WAITING && (kind != PXR_TASK_CALLBACK || ended)) ||
                            (is == PXR_TASK_FIXED && ended);
                memset(&told, 0, sizeof(told));
                told.task[kind].state = (uint8_t)is;
                CHECK(pxr_task_is_open(&told, (pxr_task_kind_t)kind, ended != 0) == open,
                      "%s %s, ended %d", pxr_task_kind_name((pxr_task_kind_t)kind),
                      pxr_task_state_name((pxr_task_state_t)is), ended);
                /* That of another kind says nothing. */
                assert_false(
                    pxr_task_is_open(&told, (pxr_task_kind_t)((kind + 1) % PXR_TASKS), ended != 0));
            }
        }
    }
}

static pxr_told_t extreme(void)
{
    pxr_told_t told;

    memset(&told, 0, sizeof(told));
    for (int i = 0; i < PXR_TASKS; i++) {
        told.task[i] = (pxr_task_t){.version = INT32_MAX,
                                    .state = PXR_TASK_STATES - 1,
                                    .reason = PXR_REASONS - 1,
                                    .http = UINT16_MAX,
                                    .sent = UINT64_MAX,
                                    .changed_at = i % 2 == 0 ? INT64_MIN : INT64_MAX};
    }
    return told;
}

static void reads_what_it_has_written(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (int run = 0; run < 5000; run++) {
        pxr_told_t told = run == 0 ? extreme() : any_told(&seed);
        char text[PXR_TOLD_TEXT];
        pxr_told_t back;
        /* A task that was never wanted is not written. */
        for (int i = 0; i < PXR_TASKS; i++) {
            if (told.task[i].version == 0) {
                memset(&told.task[i], 0, sizeof(told.task[i]));
            }
        }
        pxr_told_format(&told, text);
        CHECK(strlen(text) < PXR_TOLD_TEXT - 32, "%s", text);
        pxr_told_parse(text, &back);
        CHECK(is_same(&told, &back), "%s", text);
    }
}

/* A row may hold anything: what is no task is none, and what came before it stays. */
static void takes_nonsense_for_nothing(void **state)
{
    static const char good[] = "0:2,2,0,200,00000000000000ff,1800000000000000";
    static const char *const rest[] = {
        "",
        "4:1,1,0,0,0000000000000000,1",
        "9:1,1,0,0,0000000000000000,1",
        "1:0,1,0,0,0000000000000000,1",
        "1:4294967295,1,0,0,0000000000000000,1",
        "1:2147483648,1,0,0,0000000000000000,1",
        "1:-1,1,0,0,0000000000000000,1",
        "1:99999999999999999999,1,0,0,0000000000000000,1",
        "1:1,7,0,0,0000000000000000,1",
        "1:1,-1,0,0,0000000000000000,1",
        "1:1,1,8,0,0000000000000000,1",
        "1:1,1,-1,0,0000000000000000,1",
        "1:1,1,0,65536,0000000000000000,1",
        "1:1,1,0,-1,0000000000000000,1",
        "1:1,1,0,0,zzzz,1",
        "1:1,1,0,0,0000000000000000,",
        "1:1,1,0,0,0000000000000000",
        "1:1,1,0",
        "1:",
        "1",
        "-1:1,1,0,0,0000000000000000,1",
        "{\"message\": \"posted\"}",
        "%s%n%1000000d",
        "\xff\xfe",
        ",,,,,,",
        "::::",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rest); i++) {
        char text[PXR_TOLD_TEXT];
        char *exact;
        pxr_told_t told;
        snprintf(text, sizeof(text), "%s %s", good, rest[i]);
        exact = exact_copy(text, strlen(text) + 1);
        pxr_told_parse(exact, &told);
        free(exact);
        CHECK(told.task[0].version == 2 && told.task[0].state == PXR_TASK_POSTED &&
                  told.task[0].http == 200 && told.task[0].sent == 255,
              "%s", text);
        for (int k = 1; k < PXR_TASKS; k++) {
            CHECK(told.task[k].version == 0 && told.task[k].state == PXR_TASK_NONE, "%s", text);
        }
        pxr_told_parse(rest[i], &told);
        for (int k = 0; k < PXR_TASKS; k++) {
            CHECK(told.task[k].version == 0, "%s", rest[i]);
        }
    }
}

/* However it was cut or garbled: nothing that is out of range, and no more tasks than there are. */
static void what_is_garbled_is_never_out_of_range(void **state)
{
    uint64_t seed = 13;
    pxr_told_t most = extreme();
    char whole[PXR_TOLD_TEXT];

    (void)state;
    for (int run = 0; run < 20000; run++) {
        pxr_told_t told = run % 2 == 0 ? most : any_told(&seed);
        size_t len;
        char *text;
        pxr_told_format(&told, whole);
        len = dice(&seed, (uint32_t)strlen(whole) + 1);
        whole[len] = '\0';
        for (uint32_t i = dice(&seed, 4); i > 0 && len > 0; i--) {
            whole[dice(&seed, (uint32_t)len)] = "0123456789abcdef:,- x"[dice(&seed, 21)];
        }
        text = exact_copy(whole, len + 1);
        pxr_told_parse(text, &told);
        for (int i = 0; i < PXR_TASKS; i++) {
            const pxr_task_t *task = &told.task[i];
            CHECK(task->state < PXR_TASK_STATES && task->reason < PXR_REASONS &&
                      task->version <= INT32_MAX &&
                      (task->version > 0 || task->state == PXR_TASK_NONE),
                  "%s", text);
            assert_non_null(pxr_task_state_name((pxr_task_state_t)task->state));
            assert_non_null(pxr_task_reason_name((pxr_task_reason_t)task->reason));
        }
        free(text);
    }
}

static void everything_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < PXR_TASKS; i++) {
        assert_true(strlen(pxr_task_kind_name((pxr_task_kind_t)i)) > 0);
    }
    for (int i = 0; i < PXR_TASK_STATES; i++) {
        assert_true(strlen(pxr_task_state_name((pxr_task_state_t)i)) > 0);
    }
    assert_string_equal(pxr_task_reason_name(PXR_REASON_NONE), "");
    for (int i = 1; i < PXR_REASONS; i++) {
        assert_true(strlen(pxr_task_reason_name((pxr_task_reason_t)i)) > 0);
    }
    assert_string_equal(pxr_task_kind_name(PXR_TASK_CALLBACK), "callback");
    assert_string_equal(pxr_task_state_name(PXR_TASK_DROPPED), "dropped");
    assert_string_equal(pxr_task_reason_name(PXR_REASON_UNSUPPORTED), "unsupported");
}

static void waits_longer_each_time_but_not_too_long(void **state)
{
    static const int64_t ages[] = {-PXR_SECOND, 0, 59 * PXR_SECOND, 60 * PXR_SECOND,
                                   3600 * PXR_SECOND};

    (void)state;
    for (size_t a = 0; a < COUNT(ages); a++) {
        int64_t most = (ages[a] < 60 * PXR_SECOND ? 15 : 300) * PXR_SECOND;
        int64_t whole_before = 0;
        for (uint32_t failures = 0; failures < 70; failures++) {
            int64_t whole = pxr_task_pause(failures, ages[a], 0);
            int64_t expected = failures <= 1   ? PXR_SECOND
                               : failures < 20 ? PXR_SECOND << (failures - 1)
                                               : most;
            assert_int_equal(whole, expected < most ? expected : most);
            assert_true(whole >= whole_before);
            whole_before = whole;
            for (uint32_t random = 0; random < 3000; random += 37) {
                int64_t pause = pxr_task_pause(failures, ages[a], random);
                assert_true(pause <= whole && pause >= whole / 4 * 3);
            }
            assert_true(pxr_task_pause(failures, ages[a], UINT32_MAX) >= whole / 4 * 3);
        }
        /* It does spread. */
        assert_true(pxr_task_pause(9, ages[a], 999) < whole_before);
        assert_int_equal(pxr_task_pause(UINT32_MAX, ages[a], 0), most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_has_one_result),
        cmocka_unit_test(the_later_version_is_taken_and_said_to_be),
        cmocka_unit_test(a_change_counts_and_none_does_not),
        cmocka_unit_test(retries_and_drops_where_that_makes_sense),
        cmocka_unit_test(knows_what_is_still_to_be_done),
        cmocka_unit_test(reads_what_it_has_written),
        cmocka_unit_test(takes_nonsense_for_nothing),
        cmocka_unit_test(what_is_garbled_is_never_out_of_range),
        cmocka_unit_test(everything_has_a_name),
        cmocka_unit_test(waits_longer_each_time_but_not_too_long),
    };

    return RUN(tests);
}
