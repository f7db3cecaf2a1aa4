#include "db_helpers.h"

#include <pthread.h>
#include <sys/stat.h>

/* The tables: made, found again, and upgraded from the first version. */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_newer_schema_and_none),
        cmocka_unit_test(opens_again_what_it_has_made),
        cmocka_unit_test(upgrades_the_first_version_and_keeps_its_rows),
        cmocka_unit_test(two_that_upgrade_at_the_same_time_both_succeed),
        cmocka_unit_test(an_upgrade_that_fails_has_changed_nothing),
    };

    return RUN_ON_BOTH(tests);
}
