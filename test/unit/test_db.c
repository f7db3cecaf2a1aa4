/* Every case runs against SQLite in a directory of its own and, where PXR_TEST_PGSQL holds a
 * connection string, against PostgreSQL in a schema of its own. */

#include "helpers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "pxr_db.h"
#include "pxr_text.h"

#define T0 ((pxr_time_t)1800000000 * PXR_SECOND)
#define ORIGIN "https://chat.example.com"
#define CLEAN "DROP SCHEMA IF EXISTS pxr_test CASCADE"

/* The last meeting that was in the way of a creation. */
static _Thread_local char existing[PXR_MEETING_ID_MAX + 1];

static apr_pool_t *process_pool;
static const char *driver;
static char directory[64];

typedef struct {
    pxr_db_settings_t settings, other;
    char params[512];
    pxr_db_t *db;
} world_t;

static bool shared(void)
{
    return strcmp(driver, "pgsql") == 0;
}

/* One statement behind the module's back; returns the first column of the first row. */
static const char *raw_on(const char *params, const char *sql)
{
    static char value[512];
    const apr_dbd_driver_t *found;
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    apr_dbd_t *handle;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    assert_int_equal(apr_dbd_get_driver(pool, driver, &found), APR_SUCCESS);
    assert_int_equal(apr_dbd_open(found, pool, params, &handle), APR_SUCCESS);
    CHECK(apr_dbd_select(found, pool, handle, &results, sql, 1) == 0, "%s: %s", sql,
          apr_dbd_error(found, handle, 0));
    value[0] = '\0';
    if (apr_dbd_get_row(found, pool, results, &row, -1) == 0) {
        const char *text = apr_dbd_get_entry(found, row, 0);
        snprintf(value, sizeof(value), "%s", text != NULL ? text : "");
    }
    apr_dbd_close(found, handle);
    apr_pool_destroy(pool);
    return value;
}

static const char *raw(const world_t *w, const char *sql)
{
    return raw_on(w->params, sql);
}

static void remove_files(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
}

static pxr_db_t *open_as(const pxr_db_settings_t *settings, pxr_db_role_t role)
{
    pxr_db_t *db;

    CHECK(pxr_db_open(&db, settings, role) == PXR_DB_OK, "%s", pxr_db_why(db));
    return db;
}

static void world_settle(world_t *w)
{
    memset(w, 0, sizeof(*w));
    if (shared()) {
        const char *given = getenv("PXR_TEST_PGSQL");
        raw_on(given, CLEAN);
        raw_on(given, "CREATE SCHEMA pxr_test");
        snprintf(w->params, sizeof(w->params), "%s options=-csearch_path=pxr_test", given);
    } else {
        snprintf(directory, sizeof(directory), "/tmp/pxr-test-db-XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(w->params, sizeof(w->params), "%s/meetings.db", directory);
    }
    w->settings = (pxr_db_settings_t){driver, w->params, "00000000000000aa"};
    w->other = (pxr_db_settings_t){driver, w->params, "00000000000000bb"};
    assert_null(pxr_db_check(process_pool, &w->settings));
}

static void world_open(world_t *w)
{
    world_settle(w);
    w->db = open_as(&w->settings, PXR_DB_KEEPER);
}

static void world_close(world_t *w)
{
    pxr_db_close(w->db);
    if (shared()) {
        raw_on(getenv("PXR_TEST_PGSQL"), CLEAN);
    } else {
        remove_files();
    }
}

#define OK(db, call) CHECK((call) == PXR_DB_OK, "%s", pxr_db_why(db))

static int64_t begin(pxr_db_t *db)
{
    pxr_db_head_t head;

    OK(db, pxr_db_begin(db, &head));
    return head.revision;
}

static void commit(pxr_db_t *db)
{
    OK(db, pxr_db_commit(db));
}

static pxr_db_head_t look(pxr_db_t *db)
{
    pxr_db_head_t head;

    OK(db, pxr_db_look(db, &head));
    return head;
}

static void set_detail(pxr_meeting_record_t *r, pxr_detail_t which, const char *text)
{
    r->details.text[which] = text;
    r->details.len[which] = strlen(text);
}

static pxr_meeting_record_t meeting(const char *id)
{
    pxr_meeting_record_t r;

    memset(&r, 0, sizeof(r));
    snprintf(r.workspace, sizeof(r.workspace), "%s", ORIGIN);
    snprintf(r.id, sizeof(r.id), "%s", id);
    snprintf(r.join_key, sizeof(r.join_key), "key%.28s", id);
    pxr_meeting_init(&r.life, T0, 0, 0, 3600 * PXR_SECOND, 10 * PXR_SECOND, 60 * PXR_SECOND);
    r.answer = "{}";
    r.answer_len = 2;
    r.tag = "tag";
    r.tag_len = 3;
    set_detail(&r, PXR_ROOM_ID, "GENERAL");
    return r;
}

static pxr_meeting_record_t ended(const char *id, pxr_time_t at)
{
    pxr_meeting_record_t r = meeting(id);

    r.life.state = PXR_MEETING_ENDED;
    r.life.ended_at = at;
    return r;
}

static pxr_share_record_t share(const char *id, const char *node)
{
    pxr_share_record_t r;

    memset(&r, 0, sizeof(r));
    snprintf(r.workspace, sizeof(r.workspace), "%s", ORIGIN);
    snprintf(r.meeting, sizeof(r.meeting), "%s", id);
    snprintf(r.share.node, sizeof(r.share.node), "%s", node);
    r.share.open = 1;
    r.share.start_time = T0;
    r.share.order.time = T0;
    return r;
}

static pxr_leg_record_t leg(const char *id, const char *uuid)
{
    pxr_leg_record_t r;

    memset(&r, 0, sizeof(r));
    snprintf(r.workspace, sizeof(r.workspace), "%s", ORIGIN);
    snprintf(r.meeting, sizeof(r.meeting), "%s", id);
    snprintf(r.node, sizeof(r.node), "10.0.0.1");
    snprintf(r.leg.uuid, sizeof(r.leg.uuid), "%s", uuid);
    r.leg.attached = 1;
    r.leg.connected_at = T0;
    r.leg.heard_at = T0 + 5;
    r.leg.order.time = T0;
    return r;
}

/* Everything that a reading handed out, texts included. */
typedef struct {
    pxr_meeting_record_t *meetings;
    pxr_share_record_t *shares;
    pxr_leg_record_t *legs;
    size_t meeting_count, share_count, leg_count;
    size_t limit; /* of meetings; 0: none */
    size_t refuse_leg;
    char order[64]; /* m, s and l as they came */
} seen_t;

static void note(seen_t *seen, char kind)
{
    size_t len = strlen(seen->order);

    if (len + 1 < sizeof(seen->order)) {
        seen->order[len] = kind;
    }
}

static bool see_meeting(void *context, const pxr_meeting_record_t *record)
{
    seen_t *seen = context;
    pxr_meeting_record_t *kept;

    if (seen->limit != 0 && seen->meeting_count == seen->limit) {
        return false;
    }
    note(seen, 'm');
    if ((seen->meeting_count & (seen->meeting_count - 1)) == 0) {
        /* They are large, and the server does not wait for long. */
        size_t room = seen->meeting_count == 0 ? 1 : seen->meeting_count * 2;
        seen->meetings = realloc(seen->meetings, room * sizeof(*seen->meetings));
    }
    kept = &seen->meetings[seen->meeting_count++];
    *kept = *record;
    kept->answer = strdup(record->answer);
    kept->tag = strdup(record->tag);
    for (size_t i = 0; i < PXR_DETAILS; i++) {
        kept->details.text[i] = strdup(record->details.text[i]);
    }
    return true;
}

static bool see_share(void *context, const pxr_share_record_t *record)
{
    seen_t *seen = context;

    note(seen, 's');
    seen->shares = realloc(seen->shares, (seen->share_count + 1) * sizeof(*seen->shares));
    seen->shares[seen->share_count++] = *record;
    return true;
}

static bool see_leg(void *context, const pxr_leg_record_t *record)
{
    seen_t *seen = context;

    if (seen->refuse_leg != 0 && seen->leg_count + 1 == seen->refuse_leg) {
        return false;
    }
    note(seen, 'l');
    seen->legs = realloc(seen->legs, (seen->leg_count + 1) * sizeof(*seen->legs));
    seen->legs[seen->leg_count++] = *record;
    return true;
}

static pxr_db_visitor_t into(seen_t *seen)
{
    return (pxr_db_visitor_t){see_meeting, see_share, see_leg, seen};
}

static void seen_free(seen_t *seen)
{
    for (size_t i = 0; i < seen->meeting_count; i++) {
        free((char *)(uintptr_t)seen->meetings[i].answer);
        free((char *)(uintptr_t)seen->meetings[i].tag);
        for (size_t k = 0; k < PXR_DETAILS; k++) {
            free((char *)(uintptr_t)seen->meetings[i].details.text[k]);
        }
    }
    free(seen->meetings);
    free(seen->shares);
    free(seen->legs);
    memset(seen, 0, sizeof(*seen));
}

static void pull(pxr_db_t *db, int64_t revision, seen_t *seen)
{
    pxr_db_visitor_t visitor = into(seen);

    OK(db, pxr_db_pull(db, revision, &visitor));
}

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

static pxr_db_status_t try_create(world_t *w, const char *id, const char *number, bool *is_number)
{
    pxr_meeting_record_t r = meeting(id);
    pxr_db_status_t status;

    snprintf(r.number, sizeof(r.number), "%s", number);
    begin(w->db);
    status = pxr_db_create(w->db, &r, is_number, existing);
    commit(w->db);
    return status;
}

static void refuses_names_that_are_taken(void **state)
{
    world_t w;
    bool is_number;
    pxr_meeting_record_t elsewhere = meeting("Meeting1");

    (void)state;
    world_open(&w);
    assert_int_equal(try_create(&w, "Meeting1", "480017", &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_int_equal(try_create(&w, "Meeting1", "480099", &is_number), PXR_DB_EXISTS);
    assert_int_equal(try_create(&w, "480017", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "Meeting2", "Meeting1", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "77777777", "77777777", &is_number), PXR_DB_INVALID);
    /* Nothing of what was refused is there. */
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "1");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias"), "2");
    /* By bytes, and each workspace by itself. */
    assert_int_equal(try_create(&w, "MEETING1", "", &is_number), PXR_DB_OK);
    snprintf(elsewhere.workspace, sizeof(elsewhere.workspace), "https://other.example.com");
    begin(w.db);
    OK(w.db, pxr_db_create(w.db, &elsewhere, &is_number, existing));
    commit(w.db);
    world_close(&w);
}

/* A meeting that its room has alone, with further calls. */
static pxr_meeting_record_t in_room(const char *id, const char *called, const char *calls)
{
    pxr_meeting_record_t r = meeting(id);

    r.single = true;
    snprintf(r.room_key, sizeof(r.room_key), "00112233445566ff");
    snprintf(r.called, sizeof(r.called), "%s", called);
    snprintf(r.calls, sizeof(r.calls), "%s", calls);
    return r;
}

static pxr_db_status_t create_on(pxr_db_t *db, const pxr_meeting_record_t *r, bool *is_number)
{
    pxr_db_status_t status;

    begin(db);
    status = pxr_db_create(db, r, is_number, existing);
    commit(db);
    return status;
}

static void put_on(pxr_db_t *db, const pxr_meeting_record_t *r)
{
    begin(db);
    OK(db, pxr_db_put_meeting(db, r));
    commit(db);
}

/* To which meeting a name leads; "" for none. */
static const char *leads_to(const world_t *w, const char *alias)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "SELECT meeting FROM alias WHERE workspace = '" ORIGIN "' AND alias = '%s'", alias);
    return raw(w, sql);
}

static void a_room_has_one_meeting_until_nobody_can_join_it(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall ThirdCall1");
    pxr_meeting_record_t second = in_room("FourthCall", "Lobby123", "");
    pxr_meeting_record_t elsewhere = in_room("FifthCall1", "Lobby123", "");
    bool is_number;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    assert_string_equal(leads_to(&w, "ThirdCall1"), "FirstCall1");
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "FirstCall1");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "1");
    /* Each workspace has rooms of its own; a meeting that does not ask for the room is no rival. */
    snprintf(elsewhere.workspace, sizeof(elsewhere.workspace), "https://other.example.com");
    assert_int_equal(create_on(other, &elsewhere, &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "AtWill123", "", &is_number), PXR_DB_OK);
    /* Live it still is the room's; closed it is not, although it goes on. */
    first.life.state = PXR_MEETING_LIVE;
    put_on(w.db, &first);
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_EXISTS);
    first.life.closed = 1;
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    assert_string_equal(leads_to(&w, "Lobby123"), "FourthCall");
    /* Whatever is written of the old one takes nothing from the new one. */
    put_on(w.db, &first);
    first.life.state = PXR_MEETING_ENDED;
    first.life.ended_at = T0 + 1;
    put_on(w.db, &first);
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    put_on(other, &second);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    /* An end frees it as well. */
    second.life.state = PXR_MEETING_ENDED;
    second.life.ended_at = T0 + 2;
    put_on(other, &second);
    snprintf(second.id, sizeof(second.id), "SixthCall1");
    snprintf(second.join_key, sizeof(second.join_key), "keySixthCall1");
    second.life.state = PXR_MEETING_OPEN;
    second.life.ended_at = 0;
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_OK);
    pxr_db_close(other);
    world_close(&w);
}

static void further_calls_are_names_like_others(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t other = meeting("Neighbour1");
    pxr_meeting_record_t rival = in_room("SecondCall", "", "");
    pxr_meeting_record_t old = ended("OldMeeting", T0);
    bool is_number;

    (void)state;
    world_open(&w);
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    /* The id of a call leads to its meeting; a name of a room is no id. */
    assert_int_equal(try_create(&w, "SecondCall", "", &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "FirstCall1");
    assert_int_equal(try_create(&w, "Lobby123", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    assert_int_equal(try_create(&w, "Meeting1", "SecondCall", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "Meeting1", "Lobby123", &is_number), PXR_DB_INVALID);
    /* One that comes later, and comes again. */
    snprintf(first.calls, sizeof(first.calls), "ThirdCall1 SecondCall");
    put_on(w.db, &first);
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "ThirdCall1"), "FirstCall1");
    /* What is somebody's stays his. */
    snprintf(other.number, sizeof(other.number), "48001700");
    assert_int_equal(create_on(w.db, &other, &is_number), PXR_DB_OK);
    snprintf(first.calls, sizeof(first.calls), "ThirdCall1 48001700 Neighbour1");
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "48001700"), "Neighbour1");
    assert_string_equal(leads_to(&w, "Neighbour1"), "Neighbour1");
    snprintf(rival.room_key, sizeof(rival.room_key), "ffffffffffffffff");
    snprintf(rival.id, sizeof(rival.id), "OtherRoom1");
    snprintf(rival.called, sizeof(rival.called), "Lobby123");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    /* Who asks for an id wants that meeting, whichever one the room has. */
    put_on(w.db, &old);
    rival = in_room("OldMeeting", "", "");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "OldMeeting");
    rival = in_room("48001700", "", "");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    world_close(&w);
}

static void a_withdrawn_creation_leaves_the_room_with_its_calls(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t second = in_room("SecondCall", "Lobby123", "ThirdCall1");
    pxr_meeting_record_t another = first;
    bool is_number;

    (void)state;
    world_open(&w);
    snprintf(first.number, sizeof(first.number), "48001700");
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    /* Another one's of the same id withdraws nothing. */
    snprintf(another.join_key, sizeof(another.join_key), "another");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &another));
    commit(w.db);
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_EXISTS);
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &first));
    commit(w.db);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias"), "0");
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "SecondCall"), "SecondCall");
    /* Its id may be used again, in another room as well. */
    snprintf(another.room_key, sizeof(another.room_key), "ffffffffffffffff");
    another.calls[0] = '\0';
    assert_int_equal(create_on(w.db, &another, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/ffffffffffffffff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "SecondCall"), "SecondCall");
    world_close(&w);
}

/* A database that was restored from a backup knows neither it nor its room. */
static void what_is_written_anew_brings_its_room_along(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t closed = in_room("ClosedOne1", "Lobby123", "OldCall12");
    bool is_number;

    (void)state;
    world_open(&w);
    closed.life.closed = 1;
    put_on(w.db, &closed);
    assert_string_equal(leads_to(&w, "Lobby123"), "");
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    assert_string_equal(leads_to(&w, "OldCall12"), "ClosedOne1");
    first = in_room("RivalCall1", "", "");
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_EXISTS);
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

static void withdraws_only_its_own_creation(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    pxr_db_history_t all = {.workspace = ORIGIN, .limit = 10};
    pxr_meeting_record_t r = meeting("Meeting1");
    int64_t revision;
    bool is_number, more;

    (void)state;
    world_open(&w);
    snprintf(r.number, sizeof(r.number), "480017");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    OK(w.db, pxr_db_create(w.db, &r, &is_number, existing));
    commit(w.db);
    snprintf(r.join_key, sizeof(r.join_key), "another");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    commit(w.db);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);

    r = meeting("Meeting1");
    revision = begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    commit(w.db);
    pull(w.db, revision - 1, &seen);
    assert_int_equal(seen.meeting_count, 1);
    assert_true(seen.meetings[0].withdrawn);
    assert_int_equal(seen.meetings[0].life.state, PXR_MEETING_ENDED);
    assert_true(seen.meetings[0].life.ended_at != 0);
    seen_free(&seen);
    OK(w.db, pxr_db_restore(w.db, 0, &visitor));
    OK(w.db, pxr_db_history(w.db, &all, &visitor, &more));
    assert_int_equal(seen.meeting_count, 0);
    assert_int_equal(pxr_db_read_meeting(w.db, ORIGIN, "Meeting1", &visitor), PXR_DB_MISSING);

    /* Id and number are free again. */
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "Meeting1", "480018", &is_number), PXR_DB_OK);
    OK(w.db, pxr_db_read_meeting(w.db, ORIGIN, "Meeting1", &visitor));
    assert_false(seen.meetings[0].withdrawn);
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

static void knows_other_machines_and_what_they_have_written(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_head_t head;
    uint32_t behind, alive;
    pxr_time_t since;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    head = look(other);
    OK(w.db, pxr_db_others(w.db, head.clock, 0, &behind, &alive));
    assert_int_equal(alive, 0);
    begin(other);
    OK(other, pxr_db_sign(other, false));
    commit(other);
    OK(w.db, pxr_db_others(w.db, head.clock, head.clock - PXR_SECOND, &behind, &alive));
    assert_int_equal(alive, 1);
    assert_int_equal(behind, 1);
    since = look(other).clock;
    begin(other);
    OK(other, pxr_db_sign(other, true));
    commit(other);
    OK(w.db, pxr_db_others(w.db, since, since - PXR_SECOND, &behind, &alive));
    assert_int_equal(alive, 1);
    assert_int_equal(behind, 0);
    OK(w.db, pxr_db_others(w.db, look(w.db).clock + 1, since - PXR_SECOND, &behind, &alive));
    assert_int_equal(behind, 1);
    /* A machine waits neither for itself nor for the dead. */
    OK(other, pxr_db_others(other, look(other).clock, 0, &behind, &alive));
    assert_int_equal(alive, 0);
    OK(w.db, pxr_db_others(w.db, since, look(w.db).clock + 1, &behind, &alive));
    assert_int_equal(alive, 0);
    assert_true(look(other).own_revision > 0);
    begin(w.db);
    OK(w.db, pxr_db_tidy(w.db, look(other).clock + 25 * 3600 * PXR_SECOND));
    commit(w.db);
    assert_int_equal(look(other).own_revision, 0);
    pxr_db_close(other);
    world_close(&w);
}

static void remembers_epoch_and_own_revision(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_head_t head;
    char first[PXR_EPOCH_MAX + 1];

    (void)state;
    world_open(&w);
    head = look(w.db);
    assert_int_equal(head.revision, 0);
    assert_int_equal(head.own_revision, 0);
    assert_int_equal(strlen(head.epoch), PXR_EPOCH_MAX);
    assert_true(llabs(head.clock - pxr_time_now()) < 60 * PXR_SECOND);
    memcpy(first, head.epoch, sizeof(first));
    OK(w.db, pxr_db_begin(w.db, &head));
    assert_int_equal(head.revision, 1);
    assert_int_equal(head.own_revision, 0);
    commit(w.db);
    begin(w.db);
    pxr_db_rollback(w.db);
    pxr_db_rollback(w.db);
    other = open_as(&w.other, PXR_DB_KEEPER);
    OK(other, pxr_db_begin(other, &head));
    assert_int_equal(head.revision, 2);
    assert_int_equal(head.own_revision, 0);
    assert_string_equal(head.epoch, first);
    OK(other, pxr_db_set_epoch(other, "AAAAAAAAAAAAAAAAAAAA"));
    commit(other);
    head = look(w.db);
    assert_int_equal(head.revision, 2);
    assert_int_equal(head.own_revision, 1);
    assert_string_equal(head.epoch, "AAAAAAAAAAAAAAAAAAAA");
    pxr_db_close(other);
    world_close(&w);
}

static void refuses_a_newer_schema_and_none(void **state)
{
    world_t w;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    assert_int_equal(pxr_db_open(&db, &w.settings, PXR_DB_READER), PXR_DB_FAILED);
    pxr_db_close(db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    raw(&w, "UPDATE revision SET version = version + 1");
    for (int role = PXR_DB_KEEPER; role <= PXR_DB_READER; role++) {
        assert_int_equal(pxr_db_open(&db, &w.settings, (pxr_db_role_t)role), PXR_DB_NEWER);
        assert_non_null(strstr(pxr_db_why(db), "newer version"));
        pxr_db_close(db);
    }
    world_close(&w);
}

/* The tables as the first version made them, with rows that it wrote. */
static const char *const first_version[] = {
    "CREATE TABLE revision (id BIGINT PRIMARY KEY, n @int, epoch @text, version @int)",
    "CREATE TABLE machine (id @text, revision @int, touched_at @int, seen_at @int,"
    " complete_at @int, PRIMARY KEY (id))",
    "CREATE TABLE alias (workspace @text, alias @text, kind @int, meeting @text, until @int,"
    " PRIMARY KEY (workspace, alias))",
    "CREATE INDEX alias_meeting ON alias (workspace, meeting)",
    "CREATE INDEX alias_until ON alias (until) WHERE until <> 0",
    "CREATE TABLE meeting (workspace @text, id @text, rev @int, over @int, withdrawn @int,"
    " join_key @text, host_pin @text, guest_pin @text, number @text, breakouts @int,"
    " created_at @int, not_before @int, not_after @int, expires_at @int, grace @int, silence @int,"
    " started_at @int, ended_at @int, last_end @int, crowded_until @int, state @int, era @int,"
    " closed @int, inferred @int, last_join @int, answer @text, tag @text, title @text,"
    " room_id @text, room_name @text, room_type @text, creator_id @text, creator_username @text,"
    " creator_name @text, discussion_id @text, discussion_name @text, discussion_type @text,"
    " PRIMARY KEY (workspace, id))",
    "CREATE INDEX meeting_rev ON meeting (rev, workspace, id)",
    "CREATE INDEX meeting_alive ON meeting (created_at, workspace, id) WHERE over = 0",
    "CREATE INDEX meeting_ended ON meeting (ended_at, workspace, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE INDEX meeting_history ON meeting (workspace, ended_at, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE INDEX meeting_room ON meeting (workspace, room_id, ended_at, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE TABLE hosting (workspace @text, meeting @text, node @text, scope @int, rev @int,"
    " over @int, open @int, era @int, start_time @int, end_time @int, last_at @int,"
    " order_source @int, order_seq @int, order_time @int, order_run @int,"
    " PRIMARY KEY (workspace, meeting, node, scope))",
    "CREATE INDEX hosting_rev ON hosting (rev, workspace, meeting, node, scope)",
    "CREATE INDEX hosting_alive ON hosting (start_time, workspace, meeting, node, scope)"
    " WHERE over = 0",
    "CREATE TABLE participant (workspace @text, meeting @text, uuid @text, rev @int, over @int,"
    " node @text, scope @int, name @text, protocol @text, closed @int, present @int,"
    " service @int, role @int, has_media @int, is_streaming @int, quality @int,"
    " worst_quality @int, conversation @int, related0 @int, related1 @int, related2 @int,"
    " related3 @int, connected_at @int, left_at @int, heard_at @int, quality_at @int,"
    " order_source @int, order_seq @int, order_time @int, order_run @int, joined_seq @int,"
    " joined_run @int, said_name @int, said_protocol @int, said_service @int, said_role @int,"
    " said_media @int, said_streaming @int, PRIMARY KEY (workspace, meeting, uuid))",
    "CREATE INDEX participant_rev ON participant (rev, workspace, meeting, uuid)",
    "CREATE INDEX participant_alive ON participant (connected_at, workspace, meeting, uuid)"
    " WHERE over = 0",
    "INSERT INTO revision (id, n, epoch, version) VALUES (1, 41, 'AbCdEfGhIjKlMnOpQrSt', 1)",
    "INSERT INTO machine VALUES ('00000000000000aa', 40, 1, 2, 3)",
    "INSERT INTO alias VALUES ('" ORIGIN "', 'OldOpen1', 1, 'OldOpen1', 0)",
    "INSERT INTO alias VALUES ('" ORIGIN "', '480017', 2, 'OldOpen1', 0)",
    "INSERT INTO alias VALUES ('" ORIGIN "', 'OldEnded', 1, 'OldEnded', 0)",
    "INSERT INTO meeting VALUES ('" ORIGIN "', 'OldOpen1', 40, 0, 0, 'keyOldOpen1', '1234', '5678',"
    " '480017', 1, 11, 12, 13, 14, 15, 16, 17, 0, 19, 20, 2, 3, 0, 0, 21, '{\"a\": 1}', 'tag',"
    " 'Title', 'GENERAL', 'general', 'c', 'u1', 'nina', 'Nina', 'd1', 'talk', 'p')",
    "INSERT INTO meeting VALUES ('" ORIGIN "', 'OldEnded', 39, 1, 0, 'keyOldEnded', '', '', '', 0,"
    " 1, 0, 0, 99, 15, 16, 17, 18, 19, 0, 3, 0, 1, 1, 0, '{}', 'tag', '', '', '', '', '', '', '',"
    " '', '', '')",
    "INSERT INTO meeting VALUES ('" ORIGIN "', 'OldGone1', 38, 1, 1, 'keyOldGone1', '', '', '', 0,"
    " 1, 0, 0, 99, 15, 16, 0, 18, 0, 0, 3, 0, 0, 0, 0, '{}', 'tag', '', '', '', '', '', '', '',"
    " '', '', '')",
    "INSERT INTO hosting (workspace, meeting, node, scope, rev, open, start_time) VALUES"
    " ('" ORIGIN "', 'OldOpen1', '10.0.0.1', -1, 40, 1, 17)",
    "INSERT INTO participant (workspace, meeting, uuid, rev, node, scope, name, connected_at)"
    " VALUES ('" ORIGIN "', 'OldOpen1', 'u1', 41, '10.0.0.1', -1, 'Nina', 17)",
    "INSERT INTO participant (workspace, meeting, uuid, rev, over, name, connected_at, left_at)"
    " VALUES ('" ORIGIN "', 'OldEnded', 'u2', 39, 1, 'Otto', 17, 18)",
};

static void make_first_version(const world_t *w)
{
    static const char *const words[][2] = {{"@int", "BIGINT NOT NULL DEFAULT 0"}, {"@text", NULL}};
    const char *text =
        shared() ? "TEXT COLLATE \"C\" NOT NULL DEFAULT ''" : "TEXT NOT NULL DEFAULT ''";
    char sql[8192];

    for (size_t i = 0; i < COUNT(first_version); i++) {
        const char *at = first_version[i];
        size_t len = 0;
        while (*at != '\0') {
            size_t k = 0;
            while (k < COUNT(words) && strncmp(at, words[k][0], strlen(words[k][0])) != 0) {
                k++;
            }
            if (k == COUNT(words)) {
                sql[len++] = *at++;
                continue;
            }
            len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s",
                                    words[k][1] != NULL ? words[k][1] : text);
            at += strlen(words[k][0]);
        }
        sql[len] = '\0';
        raw(w, sql);
    }
}

/* One of those that were written before, as it is read now. */
static void assert_old_meeting(const pxr_meeting_record_t *r)
{
    assert_string_equal(r->id, "OldOpen1");
    assert_string_equal(r->join_key, "keyOldOpen1");
    assert_string_equal(r->host_pin, "1234");
    assert_string_equal(r->guest_pin, "5678");
    assert_string_equal(r->number, "480017");
    assert_true(r->breakouts);
    assert_false(r->withdrawn);
    assert_int_equal(r->life.created_at, 11);
    assert_int_equal(r->life.not_before, 12);
    assert_int_equal(r->life.not_after, 13);
    assert_int_equal(r->life.expires_at, 14);
    assert_int_equal(r->life.grace, 15);
    assert_int_equal(r->life.silence, 16);
    assert_int_equal(r->life.started_at, 17);
    assert_int_equal(r->life.ended_at, 0);
    assert_int_equal(r->life.last_end, 19);
    assert_int_equal(r->life.crowded_until, 20);
    assert_int_equal(r->life.state, PXR_MEETING_LIVE);
    assert_int_equal(r->life.era, 3);
    assert_int_equal(r->last_join, 21);
    assert_int_equal(r->answer_len, 8);
    assert_memory_equal(r->answer, "{\"a\": 1}", 8);
    assert_memory_equal(r->tag, "tag", 3);
    assert_int_equal(r->details.len[PXR_TITLE], 5);
    assert_memory_equal(r->details.text[PXR_TITLE], "Title", 5);
    assert_memory_equal(r->details.text[PXR_DISCUSSION_TYPE], "p", 1);
    /* What it could not say. */
    assert_false(r->single);
    assert_string_equal(r->host_key, "");
    assert_string_equal(r->room_key, "");
    assert_string_equal(r->called, "");
    assert_string_equal(r->calls, "");
    assert_string_equal(r->told, "");
    assert_int_equal(r->details.len[PXR_THREAD_ID], 0);
}

static void upgrades_the_first_version_and_keeps_its_rows(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    pxr_db_history_t all = {.workspace = ORIGIN, .limit = 10};
    pxr_meeting_record_t r;
    pxr_db_t *db;
    bool is_number, more, mine;

    (void)state;
    world_settle(&w);
    make_first_version(&w);
    /* Who only reads waits for who may write. */
    assert_int_equal(pxr_db_open(&db, &w.settings, PXR_DB_READER), PXR_DB_FAILED);
    pxr_db_close(db);
    assert_string_equal(raw(&w, "SELECT version FROM revision"), "1");
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_string_equal(raw(&w, "SELECT version FROM revision"), "3");
    assert_int_equal(look(w.db).revision, 41);
    assert_int_equal(look(w.db).own_revision, 40);
    assert_string_equal(look(w.db).epoch, "AbCdEfGhIjKlMnOpQrSt");
    pull(w.db, 0, &seen);
    assert_string_equal(seen.order, "mmmsll");
    assert_true(seen.meetings[0].withdrawn);
    assert_string_equal(seen.meetings[1].id, "OldEnded");
    assert_int_equal(seen.meetings[1].life.ended_at, 18);
    assert_old_meeting(&seen.meetings[2]);
    assert_string_equal(seen.shares[0].share.node, "10.0.0.1");
    assert_true(seen.shares[0].share.scope == UINT64_MAX);
    assert_string_equal(seen.legs[1].name, "Nina");
    /* Written again and filled in, like one of its own. */
    r = seen.meetings[2];
    snprintf(r.told, sizeof(r.told), "0:1,1,0,0,0000000000000000,1");
    set_detail(&r, PXR_THREAD_ID, "thread");
    put_on(w.db, &r);
    seen_free(&seen);
    OK(w.db, pxr_db_restore(w.db, 0, &visitor));
    assert_string_equal(seen.order, "mslm");
    assert_string_equal(seen.meetings[0].told, "0:1,1,0,0,0000000000000000,1");
    assert_memory_equal(seen.meetings[0].details.text[PXR_THREAD_ID], "thread", 6);
    seen_free(&seen);
    OK(w.db, pxr_db_history(w.db, &all, &visitor, &more));
    assert_string_equal(seen.order, "ml");
    seen_free(&seen);
    assert_int_equal(try_create(&w, "OldOpen1", "", &is_number), PXR_DB_EXISTS);
    assert_int_equal(try_create(&w, "480017", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    r = in_room("NewCall01", "Lobby123", "NewCall02");
    assert_int_equal(create_on(w.db, &r, &is_number), PXR_DB_OK);
    begin(w.db);
    OK(w.db, pxr_db_lease(w.db, PXR_SECOND, &mine));
    commit(w.db);
    assert_true(mine);
    /* Once is enough. */
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    db = open_as(&w.settings, PXR_DB_READER);
    OK(db, pxr_db_read_meeting(db, ORIGIN, "OldOpen1", &visitor));
    seen_free(&seen);
    pxr_db_close(db);
    world_close(&w);
}

/* Somebody who opens the database at the same time as others. */
typedef struct {
    const pxr_db_settings_t *settings;
    pxr_db_t *db;
    pxr_db_status_t status;
    pthread_t thread;
} opener_t;

static void *open_and_keep(void *context)
{
    opener_t *opener = context;

    /* As the keeper does. SQLite notices only late that the tables are others now. */
    for (int i = 0; i < 50 && opener->status != PXR_DB_OK; i++) {
        if (opener->db != NULL) {
            pxr_db_close(opener->db);
        }
        opener->status = pxr_db_open(&opener->db, opener->settings, PXR_DB_KEEPER);
    }
    return NULL;
}

/* Of several machines one does it. */
static void two_that_upgrade_at_the_same_time_both_succeed(void **state)
{
    world_t w;
    opener_t openers[4];

    (void)state;
    world_settle(&w);
    make_first_version(&w);
    memset(openers, 0, sizeof(openers));
    for (size_t i = 0; i < COUNT(openers); i++) {
        openers[i].status = PXR_DB_BUSY;
    }
    for (size_t i = 0; i < COUNT(openers); i++) {
        openers[i].settings = i % 2 == 0 ? &w.settings : &w.other;
        assert_int_equal(pthread_create(&openers[i].thread, NULL, open_and_keep, &openers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(openers); i++) {
        pthread_join(openers[i].thread, NULL);
        CHECK(openers[i].status == PXR_DB_OK, "%s", pxr_db_why(openers[i].db));
    }
    assert_string_equal(raw(&w, "SELECT version FROM revision"), "3");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM lease"), "1");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "3");
    for (size_t i = 1; i < COUNT(openers); i++) {
        pxr_db_close(openers[i].db);
    }
    w.db = openers[0].db;
    world_close(&w);
}

/* Somebody has made the last column by hand. */
static void an_upgrade_that_fails_has_changed_nothing(void **state)
{
    world_t w;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    make_first_version(&w);
    raw(&w, "ALTER TABLE meeting ADD COLUMN thread_id TEXT");
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(pxr_db_open(&db, &w.settings, PXR_DB_KEEPER), PXR_DB_OK);
        assert_non_null(strstr(pxr_db_why(db), "thread_id"));
        pxr_db_close(db);
        assert_string_equal(raw(&w, "SELECT version FROM revision"), "1");
    }
    raw(&w, "ALTER TABLE meeting DROP COLUMN thread_id");
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_string_equal(raw(&w, "SELECT version FROM revision"), "3");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE host_key = ''"), "3");
    world_close(&w);
}

static void opens_again_what_it_has_made(void **state)
{
    world_t w;
    char epoch[PXR_EPOCH_MAX + 1];
    struct stat info;

    (void)state;
    world_open(&w);
    snprintf(epoch, sizeof(epoch), "%s", look(w.db).epoch);
    assert_true(pxr_db_is_current(w.db));
    assert_int_equal(pxr_db_is_shared(&w.settings), shared());
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_string_equal(look(w.db).epoch, epoch);
    if (!shared()) {
        assert_int_equal(stat(w.params, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
        assert_int_equal(unlink(w.params), 0);
        assert_false(pxr_db_is_current(w.db));
    }
    world_close(&w);
}

static void refused_data_costs_only_its_transaction(void **state)
{
    world_t w;
    bool is_number;
    pxr_meeting_record_t bad = meeting("Meeting1"), good = meeting("Meeting2");
    pxr_db_status_t status;

    (void)state;
    world_open(&w);
    set_detail(&bad, PXR_TITLE, "bad \xFF\xFE utf-8");
    begin(w.db);
    status = pxr_db_put_meeting(w.db, &bad);
    if (shared()) {
        assert_int_equal(status, PXR_DB_REFUSED);
        assert_non_null(strstr(pxr_db_why(w.db), "22021"));
        assert_int_equal(pxr_db_put_meeting(w.db, &good), PXR_DB_FAILED);
        assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    } else {
        assert_int_equal(status, PXR_DB_OK);
        commit(w.db);
    }
    bad = meeting("Meeting3");
    bad.tag = "a\0b";
    begin(w.db);
    assert_int_equal(pxr_db_create(w.db, &bad, &is_number, existing), PXR_DB_REFUSED);
    pxr_db_rollback(w.db);
    assert_int_equal(try_create(&w, "Meeting2", "", &is_number), PXR_DB_OK);

    raw(&w, "CREATE UNIQUE INDEX made_by_hand ON meeting (join_key)");
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    bad = meeting("Meeting4");
    snprintf(bad.join_key, sizeof(bad.join_key), "keyMeeting2");
    begin(w.db);
    assert_int_equal(pxr_db_put_meeting(w.db, &bad), PXR_DB_REFUSED);
    assert_null(strstr(pxr_db_why(w.db), "keyMeeting2"));
    pxr_db_rollback(w.db);
    assert_int_equal(try_create(&w, "Meeting5", "", &is_number), PXR_DB_OK);
    world_close(&w);
}

static void nothing_is_written_outside_a_transaction(void **state)
{
    world_t w;
    pxr_meeting_record_t m = meeting("Meeting1");
    bool is_number;

    (void)state;
    world_open(&w);
    assert_int_equal(pxr_db_put_meeting(w.db, &m), PXR_DB_FAILED);
    assert_int_equal(pxr_db_create(w.db, &m, &is_number, existing), PXR_DB_FAILED);
    assert_int_equal(pxr_db_sign(w.db, true), PXR_DB_FAILED);
    assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    begin(w.db);
    OK(w.db, pxr_db_create(w.db, &m, &is_number, existing));
    pxr_db_rollback(w.db);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "0");
    assert_string_equal(raw(&w, "SELECT n FROM revision"), "0");
    world_close(&w);
}

static size_t history(pxr_db_t *db, pxr_db_history_t query, seen_t *seen, bool *more)
{
    pxr_db_visitor_t visitor = into(seen);

    query.workspace = query.workspace != NULL ? query.workspace : ORIGIN;
    seen_free(seen);
    OK(db, pxr_db_history(db, &query, &visitor, more));
    return seen->meeting_count;
}

static void pages_through_history(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_t *reader;
    pxr_meeting_record_t m = meeting("StillOpen");
    pxr_leg_record_t l;
    size_t total = 0;
    char id[PXR_MEETING_ID_MAX + 1] = "";
    pxr_time_t at = 0;
    bool more;

    (void)state;
    world_open(&w);
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof(id), "Ended%04d", i);
        m = ended(id, T0 + i / 2); /* two of each moment */
        set_detail(&m, PXR_ROOM_ID, i % 10 == 0 ? "special" : "GENERAL");
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        for (int k = 0; k < (i == 7 ? 1100 : 2); k++) {
            char uuid[32];
            snprintf(uuid, sizeof(uuid), "leg%04d", k);
            l = leg(id, uuid);
            l.leg.connected_at = T0 - k / 3;
            OK(w.db, pxr_db_put_leg(w.db, &l));
        }
    }
    commit(w.db);
    /* A reader does not wait for who writes. */
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    reader = open_as(&w.settings, PXR_DB_READER);
    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 3}, &seen, &more), 3);
    assert_true(more);
    assert_string_equal(seen.order, "mllmllmll");
    assert_string_equal(seen.meetings[0].id, "Ended0249");
    assert_string_equal(seen.meetings[2].id, "Ended0247");
    assert_true(seen.legs[0].leg.left_at != 0);
    commit(w.db);

    id[0] = '\0';
    more = true;
    while (more) {
        pxr_db_history_t query = {.limit = 110, .after_ended = at, .after_id = id};
        size_t got = history(reader, query, &seen, &more);
        assert_true(got > 0);
        total += got;
        at = seen.meetings[got - 1].life.ended_at;
        snprintf(id, sizeof(id), "%s", seen.meetings[got - 1].id);
    }
    assert_int_equal(total, 250);
    assert_string_equal(id, "Ended0000");

    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 250}, &seen, &more), 250);
    assert_false(more);
    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 249}, &seen, &more), 249);
    assert_true(more);
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 99, .room_id = "special"}, &seen, &more), 25);
    assert_int_equal(history(reader,
                             (pxr_db_history_t){.limit = 99, .from = T0 + 10, .to = T0 + 12}, &seen,
                             &more),
                     4);
    assert_string_equal(seen.meetings[0].id, "Ended0023");
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 9, .workspace = "x"}, &seen, &more), 0);
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 1, .from = T0 + 3, .to = T0 + 4}, &seen, &more),
        1);
    assert_int_equal(seen.leg_count, 1100);
    for (size_t i = 1; i < seen.leg_count; i++) {
        assert_true(seen.legs[i - 1].leg.connected_at <= seen.legs[i].leg.connected_at);
    }
    seen_free(&seen);
    seen.refuse_leg = 2;
    pxr_db_visitor_t visitor = into(&seen);
    pxr_db_history_t query = {.workspace = ORIGIN, .limit = 5};
    assert_int_equal(pxr_db_history(reader, &query, &visitor, &more), PXR_DB_FAILED);
    seen_free(&seen);
    pxr_db_close(reader);
    world_close(&w);
}

static void a_reader_cannot_write(void **state)
{
    world_t w;
    pxr_db_t *reader;
    pxr_db_head_t head;

    (void)state;
    world_open(&w);
    reader = open_as(&w.settings, PXR_DB_READER);
    if (pxr_db_begin(reader, &head) == PXR_DB_OK) {
        fail_msg("a reader began to write");
    }
    assert_int_equal(look(w.db).revision, 0);
    pxr_db_close(reader);
    world_close(&w);
}

typedef struct {
    const pxr_db_settings_t *settings;
    pxr_db_t *db;
    pxr_db_head_t head;
    pxr_db_status_t status;
    bool exists;
    unsigned waits;
} rival_t;

static void *begin_and_look_for_it(void *context)
{
    rival_t *rival = context;
    pxr_meeting_record_t m = meeting("Meeting1");
    bool is_number;

    /* It waits in small portions. */
    do {
        rival->status = pxr_db_begin(rival->db, &rival->head);
        rival->waits += rival->status == PXR_DB_BUSY;
    } while (rival->status == PXR_DB_BUSY);
    if (rival->status == PXR_DB_OK) {
        rival->exists = pxr_db_create(rival->db, &m, &is_number, existing) == PXR_DB_EXISTS;
        rival->status = pxr_db_commit(rival->db);
    }
    return NULL;
}

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static void only_one_writes_and_sees_all_before(void **state)
{
    world_t w;
    pxr_meeting_record_t m = meeting("Meeting1");
    rival_t rival = {0};
    pthread_t thread;
    int64_t mine;
    bool is_number;

    (void)state;
    world_open(&w);
    rival.db = open_as(&w.other, PXR_DB_KEEPER);
    mine = begin(w.db);
    assert_int_equal(pthread_create(&thread, NULL, begin_and_look_for_it, &rival), 0);
    sleep_ms(200);
    OK(w.db, pxr_db_create(w.db, &m, &is_number, existing));
    commit(w.db);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK(rival.status == PXR_DB_OK, "%s", pxr_db_why(rival.db));
    assert_true(strcmp(driver, "pgsql") != 0 || rival.waits > 0);
    assert_int_equal(rival.head.revision, mine + 1);
    assert_true(rival.exists);
    for (int i = 0; i < 50; i++) {
        pxr_db_t *db = i % 2 ? w.db : rival.db;
        assert_int_equal(begin(db), mine + 2 + i);
        commit(db);
    }
    pxr_db_close(rival.db);
    world_close(&w);
}

/* Somebody who makes a meeting in a room on a connection of his own. */
typedef struct {
    pxr_db_t *db;
    pxr_meeting_record_t record;
    pxr_db_status_t status;
    char winner[PXR_MEETING_ID_MAX + 1];
    pthread_t thread;
} caller_t;

static void *call_in(void *context)
{
    caller_t *caller = context;
    pxr_db_head_t head;
    bool is_number;

    do {
        caller->status = pxr_db_begin(caller->db, &head);
    } while (caller->status == PXR_DB_BUSY);
    if (caller->status == PXR_DB_OK) {
        pxr_db_status_t created =
            pxr_db_create(caller->db, &caller->record, &is_number, caller->winner);
        caller->status = pxr_db_commit(caller->db) == PXR_DB_OK ? created : PXR_DB_FAILED;
    }
    return NULL;
}

static void of_two_who_call_at_the_same_time_one_has_the_room(void **state)
{
    world_t w;
    caller_t callers[2];

    (void)state;
    world_open(&w);
    memset(callers, 0, sizeof(callers));
    callers[0].db = w.db;
    callers[1].db = open_as(&w.other, PXR_DB_KEEPER);
    for (int i = 0; i < 20; i++) {
        char id[40];
        int winner;
        for (int k = 0; k < 2; k++) {
            snprintf(id, sizeof(id), "Call%03dBy%d", i, k);
            callers[k].record = in_room(id, "", "");
            snprintf(callers[k].record.room_key, sizeof(callers[k].record.room_key), "%016d", i);
            assert_int_equal(pthread_create(&callers[k].thread, NULL, call_in, &callers[k]), 0);
        }
        pthread_join(callers[0].thread, NULL);
        pthread_join(callers[1].thread, NULL);
        winner = callers[0].status == PXR_DB_OK ? 0 : 1;
        CHECK(callers[winner].status == PXR_DB_OK, "%s", pxr_db_why(callers[winner].db));
        assert_int_equal(callers[1 - winner].status, PXR_DB_EXISTS);
        assert_string_equal(callers[1 - winner].winner, callers[winner].record.id);
    }
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "20");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias WHERE kind = 3"), "20");
    pxr_db_close(callers[1].db);
    world_close(&w);
}

static bool lease_on(pxr_db_t *db, int64_t length)
{
    bool mine = false;

    begin(db);
    OK(db, pxr_db_lease(db, length, &mine));
    commit(db);
    return mine;
}

static void one_machine_has_the_lease(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_t *again;
    bool mine = true;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    assert_int_equal(pxr_db_lease(w.db, PXR_SECOND, &mine), PXR_DB_FAILED);
    assert_false(mine);
    /* What is rolled back was not taken. */
    begin(w.db);
    OK(w.db, pxr_db_lease(w.db, 60 * PXR_SECOND, &mine));
    assert_true(mine);
    pxr_db_rollback(w.db);
    assert_true(lease_on(other, 3 * PXR_SECOND / 2));
    assert_false(lease_on(w.db, 60 * PXR_SECOND));
    /* It keeps its own for as long as it goes on saying so, also by another connection. */
    sleep_ms(900);
    assert_true(lease_on(other, 3 * PXR_SECOND / 2));
    sleep_ms(900);
    assert_false(lease_on(w.db, 60 * PXR_SECOND));
    again = open_as(&w.other, PXR_DB_KEEPER);
    assert_true(lease_on(again, PXR_SECOND / 5));
    pxr_db_close(again);
    /* When it has run out, who comes first has it. */
    sleep_ms(300);
    assert_true(lease_on(w.db, 60 * PXR_SECOND));
    assert_false(lease_on(other, 60 * PXR_SECOND));
    assert_true(lease_on(w.db, PXR_SECOND / 10));
    sleep_ms(200);
    /* Also its former owner, who was the last one. */
    assert_true(lease_on(w.db, PXR_SECOND / 10));
    sleep_ms(200);
    assert_true(lease_on(other, PXR_SECOND));
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM lease"), "1");
    pxr_db_close(other);
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

/* SQLite alone */

static void sets_a_damaged_file_aside(void **state)
{
    world_t w;
    char name[600], path[600];
    FILE *file;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    assert_int_equal(pxr_db_set_aside(&w.settings, name, sizeof(name)), PXR_DB_MISSING);
    file = fopen(w.params, "w");
    for (int i = 0; i < 1000; i++) {
        fputs("This is no database. ", file);
    }
    fclose(file);
    snprintf(path, sizeof(path), "%s-wal", w.params);
    file = fopen(path, "w");
    fputs("x", file);
    fclose(file);
    assert_int_equal(pxr_db_open(&db, &w.settings, PXR_DB_KEEPER), PXR_DB_DAMAGED);
    assert_non_null(strstr(pxr_db_why(db), w.params));
    pxr_db_close(db);
    assert_int_equal(pxr_db_set_aside(&w.settings, name, sizeof(name)), PXR_DB_OK);
    assert_int_equal(strncmp(name, w.params, strlen(w.params)), 0);
    assert_non_null(strstr(name, ".damaged-2"));
    assert_int_equal(access(name, F_OK), 0);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    world_close(&w);
}

static void notices_damage_while_at_work(void **state)
{
    world_t w;
    pxr_meeting_record_t m;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    char id[24];
    FILE *file;
    pxr_db_t *db;

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "Meet%04d", i);
        m = meeting(id);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
    }
    commit(w.db);
    pxr_db_close(w.db);
    file = fopen(w.params, "r+");
    fseek(file, 0, SEEK_END);
    for (long at = 24 * 4096, end = ftell(file); at < end; at += 4096) {
        fseek(file, at, SEEK_SET);
        fwrite("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 1, 8, file);
    }
    fclose(file);
    w.db = NULL;
    db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_int_equal(pxr_db_pull(db, 0, &visitor), PXR_DB_DAMAGED);
    pxr_db_close(db);
    seen_free(&seen);
    world_close(&w);
}

static void a_directory_that_cannot_be_written_fails(void **state)
{
    world_t w;
    int status;
    pid_t pid;

    (void)state;
    world_open(&w);
    assert_int_equal(chmod(directory, 0555), 0);
    assert_int_equal(chmod(w.params, 0444), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        pxr_db_t *db;
        char path[128];
        pxr_db_settings_t absent = w.settings;
        pxr_db_status_t there, not_there;
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(9);
        }
        there = pxr_db_open(&db, &w.settings, PXR_DB_KEEPER);
        snprintf(path, sizeof(path), "%s/other.db", directory);
        absent.params = path;
        not_there = pxr_db_open(&db, &absent, PXR_DB_KEEPER);
        _exit(there == PXR_DB_FAILED && not_there == PXR_DB_FAILED &&
                      strstr(pxr_db_why(db), "Permission denied") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(directory, 0700), 0);
    world_close(&w);
}

static void a_full_disk_fails_and_loses_nothing(void **state)
{
    static char answer[PXR_ANSWER_MAX];
    world_t w;
    char path[160];
    pxr_db_settings_t settings;
    pxr_db_status_t status = PXR_DB_OK;
    pxr_db_head_t head;
    int committed = 0;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    if (geteuid() != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=768k") != 0) {
        remove_files();
        print_message("SKIPPED: no file system of our own can be mounted\n");
        skip();
    }
    memset(answer, 'a', sizeof(answer));
    snprintf(path, sizeof(path), "%s/meetings.db", directory);
    settings = w.settings;
    settings.params = path;
    db = open_as(&settings, PXR_DB_KEEPER);
    for (int i = 0; i < 500 && status == PXR_DB_OK; i++) {
        pxr_meeting_record_t m;
        char id[24];
        snprintf(id, sizeof(id), "Full%04d", i);
        m = meeting(id);
        m.answer = answer;
        m.answer_len = sizeof(answer);
        status = pxr_db_begin(db, &head);
        if (status == PXR_DB_OK) {
            status = pxr_db_put_meeting(db, &m);
            status = status == PXR_DB_OK ? pxr_db_commit(db) : status;
        }
        if (status == PXR_DB_OK) {
            committed++;
        } else {
            pxr_db_rollback(db);
        }
    }
    assert_int_equal(status, PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "full"));
    assert_true(committed > 5);
    pxr_db_close(db);
    assert_int_equal(atoi(raw_on(path, "SELECT COUNT(*) FROM meeting")), committed);
    assert_int_equal(umount(directory), 0);
    remove_files();
}

/* PostgreSQL alone */

static void *begin_only(void *context)
{
    rival_t *rival = context;

    do {
        rival->status = pxr_db_begin(rival->db, &rival->head);
    } while (rival->status == PXR_DB_BUSY);
    return NULL;
}

static void releases_a_call_that_hangs(void **state)
{
    world_t w;
    rival_t rival = {0};
    pthread_t thread;
    pxr_time_t before;

    (void)state;
    world_open(&w);
    rival.db = open_as(&w.other, PXR_DB_KEEPER);
    begin(w.db);
    assert_int_equal(pthread_create(&thread, NULL, begin_only, &rival), 0);
    sleep_ms(200);
    before = pxr_time_now();
    pxr_db_release(rival.db);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(pxr_time_now() - before < PXR_SECOND);
    assert_int_equal(rival.status, PXR_DB_FAILED);
    assert_int_equal(pxr_db_look(rival.db, &rival.head), PXR_DB_FAILED);
    pxr_db_close(rival.db);
    commit(w.db);
    world_close(&w);
}

static void *open_only(void *context)
{
    rival_t *rival = context;

    rival->status = pxr_db_open(&rival->db, rival->settings, PXR_DB_KEEPER);
    return NULL;
}

/* A port where nobody says anything. */
static int silent_listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* 0 where the thread was ended. */
static int release_while_connecting(int port)
{
    char params[128];
    pxr_db_settings_t settings = {"pgsql", params, "00000000000000aa"};
    rival_t rival = {.settings = &settings};
    pthread_t thread;
    void *result = NULL;

    snprintf(params, sizeof(params), "host=127.0.0.1 port=%d connect_timeout=60", port);
    if (pthread_create(&thread, NULL, open_only, &rival) != 0) {
        return 2;
    }
    sleep_ms(300);
    pxr_db_release(__atomic_load_n(&rival.db, __ATOMIC_ACQUIRE));
    pxr_db_release(rival.db);
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED) {
        return 3;
    }
    pxr_db_close(rival.db);
    return 0;
}

static void releases_a_connection_that_never_comes(void **state)
{
    int port, status, fd = silent_listener(&port);
    pid_t pid;

    (void)state;
    fflush(NULL);
    /* In a process of its own, as such a connection is never freed. */
    pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(release_while_connecting(port));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
}

static void tells_no_secrets(void **state)
{
    pxr_db_settings_t settings = {"pgsql", NULL, "00000000000000aa"};
    pxr_db_t *db;
    const char *why;

    (void)state;
    settings.params = "host=127.0.0.1 port=1 user=pxr password=SeCrEt";
    assert_null(pxr_db_check(process_pool, &settings));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "127.0.0.1"));
    assert_null(strchr(pxr_db_why(db), '\n'));
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
    settings.params = "host=127.0.0.1 port=1 user=pxr password=two SeCrEt";
    why = pxr_db_check(process_pool, &settings);
    assert_non_null(why);
    assert_null(strstr(why, "SeCrEt"));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
    settings.params = "postgresql://pxr:SeCrEt@127.0.0.1:1/pxr";
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "refused"));
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
}

static void a_lost_connection_fails_and_another_works(void **state)
{
    world_t w;
    pxr_db_head_t head;
    char sql[160];

    (void)state;
    world_open(&w);
    begin(w.db);
    snprintf(sql, sizeof(sql),
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
             " AND application_name = 'mod_pexip_rc'");
    assert_string_equal(raw(&w, sql), "t");
    assert_int_equal(pxr_db_sign(w.db, true), PXR_DB_FAILED);
    assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    assert_int_equal(pxr_db_look(w.db, &head), PXR_DB_FAILED);
    assert_int_equal(pxr_db_begin(w.db, &head), PXR_DB_FAILED);
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_int_equal(look(w.db).revision, 0);
    world_close(&w);
}

static void fills_in_where_the_default_keeps_its_file(void **state)
{
    pxr_db_settings_t nothing = {0};
    pxr_db_settings_t given = {.driver = "sqlite3", .params = "/x/y.db"};
    pxr_db_settings_t none = {.driver = PXR_DB_NONE};

    (void)state;
    pxr_db_complete(process_pool, &nothing, "/var/lib/pexip-rc");
    assert_string_equal(nothing.driver, "sqlite3");
    assert_string_equal(nothing.params, "/var/lib/pexip-rc/pexip-rc.sqlite3");
    pxr_db_complete(process_pool, &given, "/var/lib/pexip-rc");
    assert_string_equal(given.params, "/x/y.db");
    pxr_db_complete(process_pool, &none, "/var/lib/pexip-rc");
    assert_string_equal(none.driver, PXR_DB_NONE);
    assert_string_equal(none.params, "");
}

static void unknown_drivers_are_refused(void **state)
{
    pxr_db_settings_t settings = {"oracle", "x", "00000000000000aa"};
    pxr_db_t *db;
    char name[8];

    (void)state;
    assert_non_null(strstr(pxr_db_check(process_pool, &settings), "oracle"));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    pxr_db_close(db);
    assert_false(pxr_db_is_shared(&settings));
    assert_int_equal(pxr_db_set_aside(&settings, name, sizeof(name)), PXR_DB_MISSING);
}

static size_t expire_on(pxr_db_t *db, const char *workspace, pxr_time_t before)
{
    size_t rows = 0;

    begin(db);
    OK(db, pxr_db_expire(db, workspace, before, &rows));
    commit(db);
    return rows;
}

static void old_meetings_go_with_all_that_belongs_to_them(void **state)
{
    world_t w;
    pxr_meeting_record_t m;
    pxr_share_record_t s;
    pxr_leg_record_t l;
    size_t rows;
    size_t total = 0;

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < 30; i++) {
        char id[PXR_MEETING_ID_MAX + 1];
        snprintf(id, sizeof(id), "Ended%04d", i);
        m = ended(id, T0 + i);
        snprintf(m.number, sizeof(m.number), "77%04d", i);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        s = share(id, "10.0.0.1");
        OK(w.db, pxr_db_put_share(w.db, &s));
        for (int k = 0; k < (i == 3 ? 1100 : 2); k++) {
            char uuid[32];
            snprintf(uuid, sizeof(uuid), "leg%04d", k);
            l = leg(id, uuid);
            OK(w.db, pxr_db_put_leg(w.db, &l));
        }
    }
    m = meeting("StillOpen");
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    m = ended("Elsewhere", T0);
    snprintf(m.workspace, sizeof(m.workspace), "https://other.example.com");
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    m = ended("Withdrawn", T0);
    m.withdrawn = true;
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    commit(w.db);

    assert_int_equal(expire_on(w.db, ORIGIN, T0), 0);
    assert_int_equal(expire_on(w.db, "https://nobody.example.com", T0 + 100), 0);
    /* Piece by piece: nobody waits for 1100 rows at once. */
    do {
        rows = expire_on(w.db, ORIGIN, T0 + 25);
        CHECK(rows <= 1000, "%zu rows at once", rows);
        total += rows;
    } while (rows > 0);
    assert_int_equal(total, 24 * 2 + 1100 + 25 * 4 + 1);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "7");
    assert_string_equal(raw(&w, "SELECT MIN(id) FROM meeting WHERE over = 1"), "Elsewhere");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM hosting"), "5");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM participant"), "10");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias WHERE meeting LIKE 'Ended%'"), "10");
    world_close(&w);
}

static pxr_meeting_record_t created_by(const char *id, const char *user, const char *username,
                                       const char *name, pxr_time_t at)
{
    pxr_meeting_record_t r = at != 0 ? ended(id, at) : meeting(id);

    set_detail(&r, PXR_TITLE, "Nina's weekly");
    set_detail(&r, PXR_CREATOR_ID, user);
    set_detail(&r, PXR_CREATOR_USERNAME, username);
    set_detail(&r, PXR_CREATOR_NAME, name);
    return r;
}

static pxr_removal_t removal_of(const char *who)
{
    pxr_removal_t removal = {.asked_at = T0 + 1};

    snprintf(removal.workspace, sizeof(removal.workspace), "%s", ORIGIN);
    snprintf(removal.who, sizeof(removal.who), "%s", who);
    return removal;
}

/* As the keeper does; returns how many transactions it took. */
static int carry_out(pxr_db_t *db)
{
    pxr_removal_t removal;
    int count = 0;

    while (pxr_db_next_removal(db, 1, &removal) == PXR_DB_OK) {
        begin(db);
        OK(db, pxr_db_remove_some(db, &removal));
        commit(db);
        count++;
    }
    return count;
}

static void put_people(pxr_db_t *db, const char *name, int most)
{
    const pxr_meeting_record_t all[] = {
        created_by("ById0001", name, "x", "y", T0 + 1), created_by("ByUser01", "x", name, "y", T0),
        created_by("ByName01", "x", "y", name, T0), created_by("Other001", "a", "b", "c", T0),
        created_by("Running1", name, "b", "c", 0)};

    begin(db);
    for (size_t i = 0; i < COUNT(all); i++) {
        OK(db, pxr_db_put_meeting(db, &all[i]));
        for (int k = 0; k < (i == 3 ? most : 2); k++) {
            pxr_leg_record_t l = leg(all[i].id, "");
            snprintf(l.leg.uuid, sizeof(l.leg.uuid), "leg%04d", k);
            pxr_text_copy(l.name, sizeof(l.name), k != 1 ? name : "Anna",
                          strlen(k != 1 ? name : "Anna"));
            OK(db, pxr_db_put_leg(db, &l));
        }
    }
    commit(db);
}

static bool see_removal(void *context, const pxr_removal_t *removal)
{
    pxr_removal_t *seen = context;

    *seen = *removal;
    return true;
}

static void takes_a_person_out(const char *name, int most)
{
    world_t w;
    pxr_removal_t removal = removal_of(name);
    pxr_removal_t heard;
    int64_t revision = 0;
    bool done, running;
    pxr_db_t *clerk;

    world_open(&w);
    put_people(w.db, name, most);
    clerk = open_as(&w.settings, PXR_DB_CLERK);
    for (size_t i = 0; i < 4; i++) {
        const char *const nobody[] = {"Nobody", "", "%", "a_b%"};
        pxr_removal_t other = removal_of(nobody[i]);
        assert_int_equal(pxr_db_ask_removal(clerk, &other), PXR_DB_MISSING);
    }
    OK(clerk, pxr_db_ask_removal(clerk, &removal));
    OK(clerk, pxr_db_removal_state(clerk, &removal, &done, &running));
    assert_false(done);
    /* A crash of whoever asked changes nothing. */
    pxr_db_close(clerk);
    assert_int_equal(carry_out(w.db), most > 500 ? 4 : 2);
    OK(w.db, pxr_db_removal_state(w.db, &removal, &done, &running));
    assert_true(done && running);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'removed'"
                                " AND creator_username = 'removed' AND creator_name = 'removed'"
                                " AND title = 'Nina''s weekly'"),
                        "3");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'a'"), "1");
    assert_int_equal(atoi(raw(&w, "SELECT COUNT(*) FROM participant WHERE name = 'removed'")),
                     most + 2);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM participant WHERE name = 'Anna'"), "5");
    OK(w.db, pxr_db_removals(w.db, &revision, see_removal, &heard));
    assert_string_equal(heard.who, name);
    assert_true(revision == look(w.db).revision);
    memset(&heard, 0, sizeof(heard));
    OK(w.db, pxr_db_removals(w.db, &revision, see_removal, &heard));
    assert_string_equal(heard.who, "");

    /* The running one follows, and somebody who still had the old rows is put right. */
    begin(w.db);
    pxr_meeting_record_t over = created_by("Running1", name, "b", "c", T0 + 2);
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    over = created_by("ById0001", name, "x", "y", T0 + 1);
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    /* One that is made later is another matter. */
    over = created_by("Later001", name, "x", "y", T0 + 9);
    over.life.created_at = T0 + 2;
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    commit(w.db);
    assert_int_equal(carry_out(w.db), 0);
    raw(&w, "UPDATE removal SET again_at = 1");
    assert_int_equal(carry_out(w.db), 2);
    OK(w.db, pxr_db_removal_state(w.db, &removal, &done, &running));
    assert_true(done);
    assert_false(running);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'removed'"), "4");
    /* After a day nobody looks any more, and the name is nowhere. */
    raw(&w, "UPDATE removal SET asked_at = 1, again_at = 1");
    assert_int_equal(carry_out(w.db), 1);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM removal"), "0");
    world_close(&w);
}

static void takes_people_out_of_the_history(void **state)
{
    static const char *const names[] = {"Nina",
                                        "u-nina.7",
                                        "O'Hara; DROP TABLE meeting;--",
                                        "<b>%_\\\"</b>",
                                        "\xD0\x9D\xD0\xB8\xD0\xBD\xD0\xB0 \xE5\xBC\xA0",
                                        "%s %d @keys"};
    char longest[4 * PXR_NAME_CHARS + 1] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        takes_a_person_out(names[i], i == 0 ? 1200 : 20);
    }
    for (size_t i = 0; i < PXR_NAME_CHARS; i++) {
        strcat(longest, "\xF0\x9F\x98\x80");
    }
    takes_a_person_out(longest, 20);
}

static void only_a_clerk_or_the_keeper_enters_wishes(void **state)
{
    world_t w;
    pxr_removal_t removal = removal_of("Nina");
    pxr_db_head_t head;
    pxr_db_t *db;

    (void)state;
    world_open(&w);
    put_people(w.db, "Nina", 2);
    db = open_as(&w.settings, PXR_DB_READER);
    assert_int_not_equal(pxr_db_ask_removal(db, &removal), PXR_DB_OK);
    pxr_db_close(db);
    db = open_as(&w.settings, PXR_DB_CLERK);
    assert_int_equal(pxr_db_begin(db, &head), PXR_DB_FAILED);
    pxr_db_close(db);
    assert_int_equal(pxr_db_next_removal(w.db, T0, &removal), PXR_DB_MISSING);
    assert_int_equal(pxr_db_remove_some(w.db, &removal), PXR_DB_FAILED);
    world_close(&w);
}

static void postgresql_was_not_tested(void **state)
{
    (void)state;
    print_message("SKIPPED: PXR_TEST_PGSQL is not set, PostgreSQL was not tested\n");
    skip();
}

#define SHARED_CASES \
    cmocka_unit_test(keeps_every_field_of_a_meeting), \
        cmocka_unit_test(keeps_every_field_of_shares_and_legs), \
        cmocka_unit_test(a_leg_that_left_has_a_moment_for_it), \
        cmocka_unit_test(refuses_names_that_are_taken), cmocka_unit_test(reads_one_meeting), \
        cmocka_unit_test(withdraws_only_its_own_creation), \
        cmocka_unit_test(pulls_everything_after_a_revision_once), \
        cmocka_unit_test(restores_what_a_new_working_set_needs), \
        cmocka_unit_test(an_end_takes_shares_legs_and_number_with_it), \
        cmocka_unit_test(a_closed_share_takes_the_legs_that_came_before), \
        cmocka_unit_test(knows_other_machines_and_what_they_have_written), \
        cmocka_unit_test(remembers_epoch_and_own_revision), \
        cmocka_unit_test(refuses_a_newer_schema_and_none), \
        cmocka_unit_test(opens_again_what_it_has_made), \
        cmocka_unit_test(refused_data_costs_only_its_transaction), \
        cmocka_unit_test(nothing_is_written_outside_a_transaction), \
        cmocka_unit_test(pages_through_history), cmocka_unit_test(a_reader_cannot_write), \
        cmocka_unit_test(only_one_writes_and_sees_all_before), \
        cmocka_unit_test(enters_a_meeting_that_a_restored_database_has_lost), \
        cmocka_unit_test(a_room_has_one_meeting_until_nobody_can_join_it), \
        cmocka_unit_test(further_calls_are_names_like_others), \
        cmocka_unit_test(a_withdrawn_creation_leaves_the_room_with_its_calls), \
        cmocka_unit_test(what_is_written_anew_brings_its_room_along), \
        cmocka_unit_test(of_two_who_call_at_the_same_time_one_has_the_room), \
        cmocka_unit_test(one_machine_has_the_lease), \
        cmocka_unit_test(old_meetings_go_with_all_that_belongs_to_them), \
        cmocka_unit_test(takes_people_out_of_the_history), \
        cmocka_unit_test(only_a_clerk_or_the_keeper_enters_wishes), \
        cmocka_unit_test(upgrades_the_first_version_and_keeps_its_rows), \
        cmocka_unit_test(two_that_upgrade_at_the_same_time_both_succeed), \
        cmocka_unit_test(an_upgrade_that_fails_has_changed_nothing)

int main(void)
{
    const struct CMUnitTest sqlite[] = {
        SHARED_CASES,
        cmocka_unit_test(sets_a_damaged_file_aside),
        cmocka_unit_test(notices_damage_while_at_work),
        cmocka_unit_test(a_directory_that_cannot_be_written_fails),
        cmocka_unit_test(a_full_disk_fails_and_loses_nothing),
        cmocka_unit_test(unknown_drivers_are_refused),
        cmocka_unit_test(fills_in_where_the_default_keeps_its_file),
    };
    const struct CMUnitTest pgsql[] = {
        SHARED_CASES,
        cmocka_unit_test(releases_a_call_that_hangs),
        cmocka_unit_test(releases_a_connection_that_never_comes),
        cmocka_unit_test(tells_no_secrets),
        cmocka_unit_test(a_lost_connection_fails_and_another_works),
    };
    const struct CMUnitTest no_pgsql[] = {cmocka_unit_test(postgresql_was_not_tested)};
    int failed;

    apr_initialize();
    apr_pool_create(&process_pool, NULL);
    driver = "sqlite3";
    failed = cmocka_run_group_tests_name("sqlite3", sqlite, NULL, NULL);
    driver = "pgsql";
    if (getenv("PXR_TEST_PGSQL") != NULL) {
        failed += cmocka_run_group_tests_name("pgsql", pgsql, NULL, NULL);
    } else {
        failed += cmocka_run_group_tests_name("pgsql", no_pgsql, NULL, NULL);
    }
    apr_terminate();
    return failed;
}
