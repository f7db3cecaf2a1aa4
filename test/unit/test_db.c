#include "db_helpers.h"

/* What the database keeps: every field, and what a new or an older working set reads of it. */

static void assert_same_meeting(const pxr_meeting_record_t *a, const pxr_meeting_record_t *b)
{
    assert_memory_equal(a, b, offsetof(pxr_meeting_record_t, life));
    assert_memory_equal(&a->life, &b->life, sizeof(a->life));
    assert_int_equal(a->last_join, b->last_join);
    assert_int_equal(a->answer_len, b->answer_len);
    assert_memory_equal(a->answer, b->answer, a->answer_len);
    assert_int_equal(a->tag_len, b->tag_len);
    assert_memory_equal(a->tag, b->tag, a->tag_len);
    for (size_t i = 0; i < PXR_DETAILS; i++) {
        assert_int_equal(a->details.len[i], b->details.len[i]);
        if (a->details.len[i] > 0) {
            assert_memory_equal(a->details.text[i], b->details.text[i], a->details.len[i]);
        }
    }
}

static const char odd[] =
    "'\"\\ %s %% $1 ? @keys {} \t\r\n\x7f \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80;--";

static void keeps_every_field_of_a_meeting(void **state)
{
    static char title[4 * PXR_TITLE_CHARS + 1];
    static char answer[PXR_ANSWER_MAX];
    world_t w;
    seen_t seen = {0};
    pxr_meeting_record_t r = meeting("Extreme1");
    bool is_number;

    (void)state;
    world_open(&w);
    for (size_t i = 0; i < PXR_TITLE_CHARS; i++) {
        memcpy(title + 4 * i, "\xF0\x9F\x98\x80", 4);
    }
    for (size_t i = 0; i < sizeof(answer); i++) {
        answer[i] = (char)(1 + i % 127);
    }
    memset(r.workspace, 'w', PXR_ORIGIN_MAX);
    memset(r.id, 'I', PXR_MEETING_ID_MAX);
    memset(r.join_key, 'k', PXR_KEY_MAX);
    memset(r.host_pin, '1', PXR_PIN_MAX);
    memset(r.guest_pin, '2', PXR_PIN_MAX);
    memset(r.number, '3', PXR_ALIAS_MAX);
    memset(r.host_key, 'h', PXR_KEY_MAX);
    memset(r.room_key, '4', PXR_ROOM_KEY_LEN);
    memset(r.called, '5', PXR_ALIAS_MAX);
    for (size_t i = 0; i < PXR_CALLS_MAX; i++) {
        snprintf(r.calls + i * (PXR_MEETING_ID_MAX + 1), PXR_MEETING_ID_MAX + 2, "%064zu ", i);
    }
    r.calls[PXR_CALLS_TEXT - 1] = '\0';
    memset(r.told, 't', PXR_TOLD_TEXT - 1);
    r.single = true;
    r.breakouts = true;
    r.life = (pxr_meeting_t){.created_at = INT64_MIN,
                             .not_before = INT64_MAX,
                             .not_after = -1,
                             .expires_at = 1,
                             .grace = INT64_MAX,
                             .silence = INT64_MIN,
                             .started_at = 2,
                             .ended_at = 3,
                             .last_end = 4,
                             .crowded_until = PXR_TIME_NEVER,
                             .state = PXR_MEETING_LIVE,
                             .era = UINT32_MAX,
                             .closed = UINT8_MAX,
                             .inferred = 1};
    r.last_join = INT64_MAX;
    r.answer = exact_copy(answer, sizeof(answer));
    r.answer_len = sizeof(answer);
    r.tag = odd;
    r.tag_len = sizeof(odd) - 1;
    set_detail(&r, PXR_TITLE, title);
    for (size_t i = PXR_ROOM_ID; i < PXR_DETAILS; i++) {
        set_detail(&r, (pxr_detail_t)i, i % 2 ? odd : "x");
    }
    begin(w.db);
    OK(w.db, pxr_db_create(w.db, &r, &is_number, existing));
    commit(w.db);
    pull(w.db, 0, &seen);
    assert_int_equal(seen.meeting_count, 1);
    assert_same_meeting(&r, &seen.meetings[0]);
    seen_free(&seen);

    /* The same by the other way of writing, with what is absent. */
    free((char *)(uintptr_t)r.answer);
    r.answer = "";
    r.answer_len = 0;
    r.tag = NULL;
    r.tag_len = 0;
    memset(&r.details, 0, sizeof(r.details));
    r.life.created_at = 0;
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &r));
    commit(w.db);
    pull(w.db, 1, &seen);
    assert_int_equal(seen.meeting_count, 1);
    assert_same_meeting(&r, &seen.meetings[0]);
    seen_free(&seen);
    world_close(&w);
}

static pxr_order_t extreme_order(void)
{
    return (pxr_order_t){
        .source = UINT64_MAX, .seq = (uint64_t)INT64_MAX + 1, .time = INT64_MIN, .run = INT64_MAX};
}

static void keeps_every_field_of_shares_and_legs(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_share_record_t s = share("Extreme1", odd);
    pxr_leg_record_t l = leg("Extreme1", odd);

    (void)state;
    world_open(&w);
    s.share.scope = UINT64_MAX;
    s.share.era = UINT32_MAX;
    s.share.end_time = INT64_MAX;
    s.share.last_at = INT64_MIN;
    s.share.order = extreme_order();
    snprintf(l.node, sizeof(l.node), "%s", odd);
    l.scope = (uint64_t)1 << 63;
    snprintf(l.name, sizeof(l.name), "%s", odd);
    memset(l.leg.protocol, 'p', PXR_PROTOCOL_MAX);
    l.leg.closed = l.leg.present = l.leg.service = l.leg.role = l.leg.has_media = UINT8_MAX;
    l.leg.is_streaming = 1;
    l.leg.quality = 2;
    l.leg.worst_quality = 255;
    l.leg.conversation = UINT64_MAX;
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        l.leg.related[i] = UINT64_MAX - i;
    }
    l.leg.connected_at = INT64_MIN;
    l.leg.heard_at = INT64_MAX;
    l.leg.quality_at = -1;
    l.leg.order = extreme_order();
    l.leg.joined_seq = UINT64_MAX;
    l.leg.joined_run = INT64_MIN;
    for (int i = 0; i < PXR_SAID; i++) {
        l.leg.said_at[i] = INT64_MAX - i;
    }
    for (int round = 0; round < 2; round++) {
        int64_t revision = begin(w.db);
        OK(w.db, pxr_db_put_share(w.db, &s));
        OK(w.db, pxr_db_put_leg(w.db, &l));
        commit(w.db);
        pull(w.db, revision - 1, &seen);
        assert_string_equal(seen.order, "sl");
        assert_memory_equal(&seen.shares[0], &s, sizeof(s));
        assert_memory_equal(&seen.legs[0], &l, sizeof(l));
        seen_free(&seen);
        /* The second time over what is there, and gone. */
        l.leg.attached = 0;
        l.leg.left_at = INT64_MAX;
        s.share.end_time = 0;
    }
    world_close(&w);
}

static void a_leg_that_left_has_a_moment_for_it(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_leg_record_t l = leg("Meeting1", "gone");

    (void)state;
    world_open(&w);
    l.leg.attached = 0;
    begin(w.db);
    OK(w.db, pxr_db_put_leg(w.db, &l));
    commit(w.db);
    pull(w.db, 0, &seen);
    assert_int_equal(seen.legs[0].leg.left_at, T0 + 5);
    seen_free(&seen);
    world_close(&w);
}

static void reads_one_meeting(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    bool is_number;

    (void)state;
    world_open(&w);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_OK);
    OK(w.db, pxr_db_read_meeting(w.db, ORIGIN, "Meeting1", &visitor));
    assert_string_equal(seen.order, "m");
    assert_string_equal(seen.meetings[0].id, "Meeting1");
    assert_int_equal(pxr_db_read_meeting(w.db, ORIGIN, "meeting1", &visitor), PXR_DB_MISSING);
    assert_int_equal(pxr_db_read_meeting(w.db, "x", "Meeting1", &visitor), PXR_DB_MISSING);
    seen_free(&seen);
    world_close(&w);
}

#define MANY 1700

static void pulls_everything_after_a_revision_once(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    char id[24];
    int64_t revision;

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < MANY; i++) {
        pxr_meeting_record_t m;
        pxr_share_record_t s;
        pxr_leg_record_t l;
        snprintf(id, sizeof(id), "Many%05d", (i * 7919) % MANY);
        m = meeting(id);
        s = share(id, "10.0.0.1");
        s.share.scope = i % 2 ? UINT64_MAX : 1;
        l = leg(id, id);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        OK(w.db, pxr_db_put_share(w.db, &s));
        OK(w.db, pxr_db_put_leg(w.db, &l));
    }
    commit(w.db);
    pull(w.db, 0, &seen);
    assert_int_equal(seen.meeting_count, MANY);
    assert_int_equal(seen.share_count, MANY);
    assert_int_equal(seen.leg_count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "Many%05d", i);
        assert_string_equal(seen.meetings[i].id, id);
        assert_string_equal(seen.shares[i].meeting, id);
        assert_string_equal(seen.legs[i].leg.uuid, id);
    }
    seen_free(&seen);
    seen.refuse_leg = 600;
    assert_int_equal(pxr_db_pull(w.db, 0, &visitor), PXR_DB_FAILED);
    seen_free(&seen);

    /* What is written again comes again, and nothing else. */
    revision = look(w.db).revision;
    begin(w.db);
    pxr_leg_record_t again = leg("Many00003", "Many00003");
    OK(w.db, pxr_db_put_leg(w.db, &again));
    commit(w.db);
    pull(w.db, revision, &seen);
    assert_string_equal(seen.order, "l");
    seen_free(&seen);
    pull(w.db, revision + 1, &seen);
    pull(w.db, INT64_MAX, &seen);
    assert_string_equal(seen.order, "");
    /* Also by who is inside a transaction. */
    begin(w.db);
    pull(w.db, revision, &seen);
    commit(w.db);
    assert_string_equal(seen.order, "l");
    seen_free(&seen);
    world_close(&w);
}

static void restores_what_a_new_working_set_needs(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    pxr_meeting_record_t m;
    pxr_share_record_t s;
    pxr_leg_record_t l;
    char id[24];

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof(id), "Ended%03d", i);
        m = ended(id, T0 + i);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        s = share(id, "10.0.0.1");
        OK(w.db, pxr_db_put_share(w.db, &s));
        l = leg(id, id);
        OK(w.db, pxr_db_put_leg(w.db, &l));
    }
    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof(id), "Open%04d", i);
        m = meeting(id);
        m.life.state = i % 2 ? PXR_MEETING_LIVE : PXR_MEETING_OPEN;
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        s = share(id, "10.0.0.1");
        OK(w.db, pxr_db_put_share(w.db, &s));
        l = leg(id, "in");
        OK(w.db, pxr_db_put_leg(w.db, &l));
        l = leg(id, "out");
        l.leg.attached = 0;
        l.leg.left_at = T0;
        OK(w.db, pxr_db_put_leg(w.db, &l));
    }
    commit(w.db);
    OK(w.db, pxr_db_restore(w.db, T0 + 1, &visitor));
    assert_int_equal(seen.meeting_count, 600 + 3);
    assert_int_equal(seen.share_count, 600);
    assert_int_equal(seen.leg_count, 600);
    assert_string_equal(seen.meetings[599].id, "Open0599");
    assert_string_equal(seen.meetings[600].id, "Ended004");
    assert_string_equal(seen.meetings[602].id, "Ended002");
    for (size_t i = 0; i < 600; i++) {
        assert_string_equal(seen.legs[i].leg.uuid, "in");
    }
    seen_free(&seen);
    seen.limit = 601;
    OK(w.db, pxr_db_restore(w.db, 0, &visitor));
    assert_int_equal(seen.meeting_count, 601);
    seen_free(&seen);
    seen.limit = 10;
    assert_int_equal(pxr_db_restore(w.db, 0, &visitor), PXR_DB_FAILED);
    seen_free(&seen);
    /* The snapshot of the reading that failed is over. */
    begin(w.db);
    commit(w.db);
    world_close(&w);
}

static void an_end_takes_shares_legs_and_number_with_it(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_meeting_record_t m = meeting("Meeting1");
    pxr_share_record_t s = share("Meeting1", "10.0.0.1");
    pxr_leg_record_t in = leg("Meeting1", "in"), out = leg("Meeting1", "out");
    pxr_leg_record_t late = leg("Meeting1", "zlate");
    int64_t revision;
    char until[32];
    bool is_number;

    (void)state;
    world_open(&w);
    out.leg.attached = 0;
    out.leg.left_at = T0 + 1;
    begin(w.db);
    snprintf(m.number, sizeof(m.number), "480017");
    OK(w.db, pxr_db_create(w.db, &m, &is_number, existing));
    OK(w.db, pxr_db_put_share(w.db, &s));
    OK(w.db, pxr_db_put_leg(w.db, &in));
    OK(w.db, pxr_db_put_leg(w.db, &out));
    commit(w.db);
    assert_string_equal(raw(&w, "SELECT until FROM alias WHERE kind = 2"), "0");
    m.life.state = PXR_MEETING_ENDED;
    m.life.ended_at = T0 + 100;
    revision = begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    OK(w.db, pxr_db_put_leg(w.db, &late));
    commit(w.db);
    pull(w.db, revision - 1, &seen);
    assert_string_equal(seen.order, "mll");
    assert_string_equal(seen.legs[0].leg.uuid, "in");
    assert_int_equal(seen.legs[0].leg.left_at, T0 + 100);
    assert_int_equal(seen.legs[0].leg.attached, 0);
    assert_int_equal(seen.legs[1].leg.left_at, T0 + 100);
    assert_string_equal(raw(&w, "SELECT SUM(over) FROM hosting"), "1");
    snprintf(until, sizeof(until), "%lld", (long long)(T0 + 100 + PXR_NUMBER_HOLD));
    assert_string_equal(raw(&w, "SELECT until FROM alias WHERE kind = 2"), until);
    seen_free(&seen);

    /* The number is kept back, then let go; the id never is. */
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_INVALID);
    begin(w.db);
    OK(w.db, pxr_db_tidy(w.db, T0 + 100 + PXR_NUMBER_HOLD));
    commit(w.db);
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_INVALID);
    begin(w.db);
    OK(w.db, pxr_db_tidy(w.db, T0 + 101 + PXR_NUMBER_HOLD));
    commit(w.db);
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);
    world_close(&w);
}

static void a_closed_share_takes_the_legs_that_came_before(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_share_record_t s = share("Meeting1", "10.0.0.1");
    pxr_leg_record_t here = leg("Meeting1", "a-here"), later = leg("Meeting1", "b-later");
    pxr_leg_record_t other_node = leg("Meeting1", "c-node"), breakout = leg("Meeting1", "d-scope");
    int64_t revision;

    (void)state;
    world_open(&w);
    later.leg.order.time = T0 + 20;
    snprintf(other_node.node, sizeof(other_node.node), "10.0.0.2");
    breakout.scope = UINT64_MAX;
    begin(w.db);
    OK(w.db, pxr_db_put_leg(w.db, &here));
    OK(w.db, pxr_db_put_leg(w.db, &later));
    OK(w.db, pxr_db_put_leg(w.db, &other_node));
    OK(w.db, pxr_db_put_leg(w.db, &breakout));
    commit(w.db);
    s.share.open = 0;
    s.share.order.time = T0 + 10;
    revision = begin(w.db);
    OK(w.db, pxr_db_put_share(w.db, &s));
    commit(w.db);
    pull(w.db, revision - 1, &seen);
    assert_string_equal(seen.order, "sl");
    assert_string_equal(seen.legs[0].leg.uuid, "a-here");
    assert_int_equal(seen.legs[0].leg.left_at, T0 + 10);
    seen_free(&seen);
    s.share.scope = UINT64_MAX;
    s.share.end_time = T0 + 7;
    revision = begin(w.db);
    OK(w.db, pxr_db_put_share(w.db, &s));
    commit(w.db);
    pull(w.db, revision - 1, &seen);
    assert_string_equal(seen.legs[0].leg.uuid, "d-scope");
    assert_int_equal(seen.legs[0].leg.left_at, T0 + 7);
    seen_free(&seen);
    world_close(&w);
}

static void enters_a_meeting_that_a_restored_database_has_lost(void **state)
{
    world_t w;
    pxr_meeting_record_t m = meeting("Meeting1");
    bool is_number;

    (void)state;
    world_open(&w);
    snprintf(m.number, sizeof(m.number), "480017");
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    commit(w.db);
    assert_int_equal(try_create(&w, "480017", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_field_of_a_meeting),
        cmocka_unit_test(keeps_every_field_of_shares_and_legs),
        cmocka_unit_test(a_leg_that_left_has_a_moment_for_it),
        cmocka_unit_test(pulls_everything_after_a_revision_once),
        cmocka_unit_test(restores_what_a_new_working_set_needs),
        cmocka_unit_test(reads_one_meeting),
        cmocka_unit_test(an_end_takes_shares_legs_and_number_with_it),
        cmocka_unit_test(a_closed_share_takes_the_legs_that_came_before),
        cmocka_unit_test(enters_a_meeting_that_a_restored_database_has_lost),
    };

    return RUN_ON_BOTH(tests);
}
