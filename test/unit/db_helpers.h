#ifndef PXR_TEST_DB_HELPERS_H
#define PXR_TEST_DB_HELPERS_H

#include "helpers.h"

#include <time.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "pxr_db.h"
#include "pxr_text.h"

/* A database for each case: SQLite in a directory of its own and, where PXR_TEST_PGSQL holds a
 * connection string, PostgreSQL in a schema of its own. */

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

static inline bool shared(void)
{
    return strcmp(driver, "pgsql") == 0;
}

/* One statement behind the module's back; returns the first column of the first row. */
static inline const char *raw_on(const char *params, const char *sql)
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

static inline const char *raw(const world_t *w, const char *sql)
{
    return raw_on(w->params, sql);
}

static inline void remove_files(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
}

static inline pxr_db_t *open_as(const pxr_db_settings_t *settings, pxr_db_role_t role)
{
    pxr_db_t *db;

    CHECK(pxr_db_open(&db, settings, role) == PXR_DB_OK, "%s", pxr_db_why(db));
    return db;
}

static inline void world_settle(world_t *w)
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

static inline void world_open(world_t *w)
{
    world_settle(w);
    w->db = open_as(&w->settings, PXR_DB_KEEPER);
}

static inline void world_close(world_t *w)
{
    pxr_db_close(w->db);
    if (shared()) {
        raw_on(getenv("PXR_TEST_PGSQL"), CLEAN);
    } else {
        remove_files();
    }
}

#define OK(db, call) CHECK((call) == PXR_DB_OK, "%s", pxr_db_why(db))

static inline int64_t begin(pxr_db_t *db)
{
    pxr_db_head_t head;

    OK(db, pxr_db_begin(db, &head));
    return head.revision;
}

static inline void commit(pxr_db_t *db)
{
    OK(db, pxr_db_commit(db));
}

static inline pxr_db_head_t look(pxr_db_t *db)
{
    pxr_db_head_t head;

    OK(db, pxr_db_look(db, &head));
    return head;
}

static inline void set_detail(pxr_meeting_record_t *r, pxr_detail_t which, const char *text)
{
    r->details.text[which] = text;
    r->details.len[which] = strlen(text);
}

static inline pxr_meeting_record_t meeting(const char *id)
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

static inline pxr_meeting_record_t ended(const char *id, pxr_time_t at)
{
    pxr_meeting_record_t r = meeting(id);

    r.life.state = PXR_MEETING_ENDED;
    r.life.ended_at = at;
    return r;
}

static inline pxr_share_record_t share(const char *id, const char *node)
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

static inline pxr_leg_record_t leg(const char *id, const char *uuid)
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

static inline void note(seen_t *seen, char kind)
{
    size_t len = strlen(seen->order);

    if (len + 1 < sizeof(seen->order)) {
        seen->order[len] = kind;
    }
}

static inline bool see_meeting(void *context, const pxr_meeting_record_t *record)
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

static inline bool see_share(void *context, const pxr_share_record_t *record)
{
    seen_t *seen = context;

    note(seen, 's');
    seen->shares = realloc(seen->shares, (seen->share_count + 1) * sizeof(*seen->shares));
    seen->shares[seen->share_count++] = *record;
    return true;
}

static inline bool see_leg(void *context, const pxr_leg_record_t *record)
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

static inline pxr_db_visitor_t into(seen_t *seen)
{
    return (pxr_db_visitor_t){see_meeting, see_share, see_leg, seen};
}

static inline void seen_free(seen_t *seen)
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

static inline void pull(pxr_db_t *db, int64_t revision, seen_t *seen)
{
    pxr_db_visitor_t visitor = into(seen);

    OK(db, pxr_db_pull(db, revision, &visitor));
}

static inline pxr_db_status_t try_create(world_t *w, const char *id, const char *number,
                                         bool *is_number)
{
    pxr_meeting_record_t r = meeting(id);
    pxr_db_status_t status;

    snprintf(r.number, sizeof(r.number), "%s", number);
    begin(w->db);
    status = pxr_db_create(w->db, &r, is_number, existing);
    commit(w->db);
    return status;
}

/* A meeting that its room has alone, with further calls. */
static inline pxr_meeting_record_t in_room(const char *id, const char *called, const char *calls)
{
    pxr_meeting_record_t r = meeting(id);

    r.single = true;
    snprintf(r.room_key, sizeof(r.room_key), "00112233445566ff");
    snprintf(r.called, sizeof(r.called), "%s", called);
    snprintf(r.calls, sizeof(r.calls), "%s", calls);
    return r;
}

static inline pxr_db_status_t create_on(pxr_db_t *db, const pxr_meeting_record_t *r,
                                        bool *is_number)
{
    pxr_db_status_t status;

    begin(db);
    status = pxr_db_create(db, r, is_number, existing);
    commit(db);
    return status;
}

static inline void put_on(pxr_db_t *db, const pxr_meeting_record_t *r)
{
    begin(db);
    OK(db, pxr_db_put_meeting(db, r));
    commit(db);
}

typedef struct {
    const pxr_db_settings_t *settings;
    pxr_db_t *db;
    pxr_db_head_t head;
    pxr_db_status_t status;
    bool exists;
    unsigned waits;
} rival_t;

static inline void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static inline void postgresql_was_not_tested(void **state)
{
    (void)state;
    print_message("SKIPPED: PXR_TEST_PGSQL is not set, PostgreSQL was not tested\n");
    skip();
}

/* Runs the cases on one engine; returns how many failed. */
static inline int run_on(const char *engine, const struct CMUnitTest *tests, size_t count)
{
    const struct CMUnitTest not_tested[] = {cmocka_unit_test(postgresql_was_not_tested)};

    if (process_pool == NULL) {
        assert_int_equal(apr_initialize(), APR_SUCCESS);
        atexit(apr_terminate);
        apr_pool_create(&process_pool, NULL);
    }
    driver = engine;
    return shared() && getenv("PXR_TEST_PGSQL") == NULL
               ? _cmocka_run_group_tests(engine, not_tested, 1, NULL, NULL)
               : _cmocka_run_group_tests(engine, tests, count, NULL, NULL);
}

#define RUN_ON(engine, tests) run_on(engine, tests, COUNT(tests))
#define RUN_ON_BOTH(tests) (RUN_ON("sqlite3", tests) + RUN_ON("pgsql", tests))

#endif
