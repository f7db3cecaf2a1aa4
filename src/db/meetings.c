#include "db_internal.h"

#include <stdio.h>
#include <string.h>

#include "pxr_alias.h"
#include "pxr_text.h"

#define FIELD(column, member) PXR_FIELD(pxr_meeting_record_t, #column, member)
#define LIFE(column) PXR_FIELD(pxr_meeting_record_t, #column, life.column)
#define BORROWED(column, member, len) PXR_FIELD_WITH_LEN(pxr_meeting_record_t, #column, member, len)
#define DETAIL(column, which) \
    PXR_FIELD_WITH_LEN(pxr_meeting_record_t, #column, details.text[which], details.len[which])

#define ALIAS_ID 1
#define ALIAS_NUMBER 2
#define ALIAS_ROOM 3     /* a room that has this meeting only; until nobody can join it any more */
#define ALIAS_CALLED 4   /* the name of that room */
#define ALIAS_CALL 5     /* a further call in that room */
#define ROW_WITHDRAWN 11 /* what find_names makes of a meeting's own row; 10 where it is not */

static const pxr_field_t keys[] = {FIELD(workspace, workspace), FIELD(id, id)};
static const pxr_field_t fields[] = {
    FIELD(join_key, join_key),
    FIELD(host_key, host_key),
    FIELD(host_pin, host_pin),
    FIELD(guest_pin, guest_pin),
    FIELD(number, number),
    FIELD(breakouts, breakouts),
    FIELD(withdrawn, withdrawn),
    FIELD(single, single),
    FIELD(room_key, room_key),
    FIELD(called, called),
    FIELD(calls, calls),
    FIELD(told, told),
    LIFE(created_at),
    LIFE(not_before),
    LIFE(not_after),
    LIFE(expires_at),
    LIFE(grace),
    LIFE(silence),
    LIFE(started_at),
    LIFE(ended_at),
    LIFE(last_end),
    LIFE(crowded_until),
    LIFE(state),
    LIFE(era),
    LIFE(closed),
    LIFE(inferred),
    LIFE(visitors),
    FIELD(last_join, last_join),
    BORROWED(answer, answer, answer_len),
    BORROWED(tag, tag, tag_len),
    DETAIL(title, PXR_TITLE),
    DETAIL(room_id, PXR_ROOM_ID),
    DETAIL(room_name, PXR_ROOM_NAME),
    DETAIL(room_type, PXR_ROOM_TYPE),
    DETAIL(creator_id, PXR_CREATOR_ID),
    DETAIL(creator_username, PXR_CREATOR_USERNAME),
    DETAIL(creator_name, PXR_CREATOR_NAME),
    DETAIL(discussion_id, PXR_DISCUSSION_ID),
    DETAIL(discussion_name, PXR_DISCUSSION_NAME),
    DETAIL(discussion_type, PXR_DISCUSSION_TYPE),
    DETAIL(thread_id, PXR_THREAD_ID),
};

static bool visit(const pxr_db_visitor_t *visitor, void *record, bool over)
{
    (void)over;
    return visitor->meeting(visitor->context, record);
}

const pxr_table_t pxr_db_meetings = {keys, sizeof(keys) / sizeof(keys[0]), fields,
                                     sizeof(fields) / sizeof(fields[0]), visit};

static const pxr_statement_t read_one = {&pxr_db_meetings,
                                         "SELECT rev, over, @keys, @columns FROM meeting"
                                         " WHERE @match AND withdrawn = 0"};
static const pxr_statement_t change = {&pxr_db_meetings,
                                       "UPDATE meeting SET @sets, rev = %lld, over = %lld"
                                       " WHERE @match AND (over = 0 OR %lld = 1)"};
static const pxr_statement_t enter = {&pxr_db_meetings,
                                      "INSERT INTO meeting (@columns, rev, over, @keys)"
                                      " VALUES (@values, %lld, %lld, @keyvalues)"};
static const pxr_statement_t find_end = {&pxr_db_meetings, "SELECT ended_at FROM meeting"
                                                           " WHERE @match AND over = 1"};
static const pxr_statement_t forget = {&pxr_db_meetings,
                                       "DELETE FROM meeting WHERE @match AND withdrawn = 1"};
static const pxr_statement_t forget_shares = {
    NULL, "DELETE FROM hosting WHERE workspace = %s AND meeting = %s"};
static const pxr_statement_t forget_legs = {
    NULL, "DELETE FROM participant WHERE workspace = %s AND meeting = %s"};
static const pxr_statement_t withdraw = {
    &pxr_db_meetings, "UPDATE meeting SET withdrawn = 1, over = 1, state = %lld, rev = %lld,"
                      " ended_at = CASE WHEN ended_at = 0 THEN %lld ELSE ended_at END"
                      " WHERE @match AND join_key = %s"};
static const pxr_statement_t find_names = {
    NULL, "SELECT alias, kind, meeting FROM alias WHERE workspace = %s AND alias IN (%s, %s, %s)"
          " UNION ALL SELECT id, 10 + withdrawn, id FROM meeting WHERE workspace = %s AND id = %s"};
static const pxr_statement_t add_alias = {
    NULL, "INSERT INTO alias (kind, until, workspace, meeting, alias)"
          " VALUES (%lld, %lld, %s, %s, %s) ON CONFLICT (workspace, alias) DO NOTHING"};
static const pxr_statement_t hold_number = {NULL,
                                            "UPDATE alias SET until = %lld WHERE kind = 2"
                                            " AND workspace = %s AND meeting = %s AND alias = %s"};
static const pxr_statement_t release_room = {
    NULL, "DELETE FROM alias WHERE workspace = %s AND meeting = %s AND kind IN (3, 4)"};
static const pxr_statement_t drop_aliases = {
    NULL, "DELETE FROM alias WHERE workspace = %s AND meeting = %s"};

static pxr_db_status_t run_about(pxr_db_t *db, const pxr_statement_t *statement,
                                 const char *workspace, const char *id, int *rows)
{
    pxr_args_t args = {.count = 0};

    pxr_db_arg_text(&args, workspace);
    pxr_db_arg_text(&args, id);
    return pxr_db_run(db, statement, &args, rows);
}

pxr_db_status_t pxr_db_meeting_end(pxr_db_t *db, const char *workspace, const char *id,
                                   pxr_time_t *ended_at)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    apr_pool_t *pool;
    pxr_db_status_t status;

    *ended_at = 0;
    apr_pool_create(&pool, db->pool);
    pxr_db_arg_text(&args, workspace);
    pxr_db_arg_text(&args, id);
    status = pxr_db_first(db, pool, &find_end, &args, &row);
    if (status == PXR_DB_OK) {
        *ended_at = pxr_db_number(db, row, 0);
    }
    apr_pool_destroy(pool);
    return status == PXR_DB_MISSING ? PXR_DB_OK : status;
}

pxr_db_status_t pxr_db_read_meeting(pxr_db_t *db, const char *workspace, const char *id,
                                    const pxr_db_visitor_t *visitor)
{
    pxr_meeting_record_t record;
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status;
    int64_t mark;
    size_t rows;
    bool ended;

    memset(&record, 0, sizeof(record));
    pxr_db_arg_text(&args, workspace);
    pxr_db_arg_text(&args, id);
    status = pxr_db_page(db, &read_one, &args, visitor, &record, &mark, &rows, &ended);
    if (status == PXR_DB_OK && ended) {
        status = pxr_db_fail(db, PXR_DB_FAILED, "the record was not taken");
    }
    return status == PXR_DB_OK && rows == 0 ? PXR_DB_MISSING : status;
}

static pxr_db_status_t put_alias(pxr_db_t *db, const pxr_meeting_record_t *record, int64_t kind,
                                 const char *alias)
{
    pxr_args_t args = {.count = 0};

    pxr_db_arg_number(&args, kind);
    pxr_db_arg_number(&args, 0);
    pxr_db_arg_text(&args, record->workspace);
    pxr_db_arg_text(&args, record->id);
    pxr_db_arg_text(&args, alias);
    return pxr_db_run(db, &add_alias, &args, NULL);
}

/* A room in the table of aliases, where nothing that can be dialled looks like it. */
typedef char room_alias_t[PXR_ROOM_KEY_LEN + sizeof("room/")];

static void name_room(const pxr_meeting_record_t *record, room_alias_t out)
{
    snprintf(out, sizeof(room_alias_t), "room/%s", record->room_key);
}

static bool is_joinable(const pxr_meeting_record_t *record)
{
    return !record->life.closed && record->life.state != PXR_MEETING_ENDED;
}

/* A room leads to its meeting while somebody can join that. */
static pxr_db_status_t put_room(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    room_alias_t room;
    pxr_db_status_t status = PXR_DB_OK;

    if (!is_joinable(record)) {
        return run_about(db, &release_room, record->workspace, record->id, NULL);
    }
    if (record->room_key[0] != '\0') {
        name_room(record, room);
        status = put_alias(db, record, ALIAS_ROOM, room);
    }
    if (status == PXR_DB_OK && record->called[0] != '\0') {
        status = put_alias(db, record, ALIAS_CALLED, record->called);
    }
    return status;
}

static pxr_db_status_t put_calls(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    char id[PXR_MEETING_ID_MAX + 1];
    const char *at = record->calls;
    pxr_db_status_t status = PXR_DB_OK;

    while (status == PXR_DB_OK && pxr_meeting_id_next(&at, id)) {
        status = put_alias(db, record, ALIAS_CALL, id);
    }
    return status;
}

static pxr_db_status_t put_aliases(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    pxr_db_status_t status = PXR_DB_OK;

    if (record->withdrawn) {
        return PXR_DB_OK;
    }
    status = put_alias(db, record, ALIAS_ID, record->id);
    if (status == PXR_DB_OK && record->number[0] != '\0') {
        status = put_alias(db, record, ALIAS_NUMBER, record->number);
    }
    if (status == PXR_DB_OK && record->single) {
        status = put_room(db, record);
    }
    return status == PXR_DB_OK ? put_calls(db, record) : status;
}

static pxr_db_status_t put_row(pxr_db_t *db, const pxr_statement_t *statement,
                               const pxr_meeting_record_t *record, int *rows)
{
    bool over = record->life.state == PXR_MEETING_ENDED || record->withdrawn;
    pxr_args_t args = {.count = 0};

    pxr_db_arg_fields(&args, db->scratch, fields, pxr_db_meetings.field_count, record);
    pxr_db_arg_number(&args, db->revision);
    pxr_db_arg_number(&args, over);
    pxr_db_arg_fields(&args, db->scratch, keys, pxr_db_meetings.key_count, record);
    if (statement == &change) {
        pxr_db_arg_number(&args, over);
    }
    return pxr_db_run(db, statement, &args, rows);
}

/* EXISTS and INVALID as pxr_db_create(). */
static pxr_db_status_t check_names(pxr_db_t *db, const pxr_meeting_record_t *record,
                                   bool *is_number, char *existing, bool *withdrawn)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    apr_pool_t *pool;
    pxr_db_status_t status;
    room_alias_t room;
    bool id_taken = false;
    bool number_taken = strcmp(record->id, record->number) == 0;

    apr_pool_create(&pool, db->pool);
    name_room(record, room);
    pxr_db_arg_text(&args, record->workspace);
    pxr_db_arg_text(&args, record->id);
    pxr_db_arg_text(&args, record->number[0] != '\0' ? record->number : record->id);
    pxr_db_arg_text(&args, record->single ? room : record->id);
    pxr_db_arg_text(&args, record->workspace);
    pxr_db_arg_text(&args, record->id);
    status = pxr_db_select(db, pool, &find_names, &args, &results);
    while (status == PXR_DB_OK && pxr_db_next(db, pool, results, &row)) {
        int64_t kind = pxr_db_number(db, row, 1);
        const char *meeting = pxr_db_text(db, row, 2);
        bool same = strcmp(pxr_db_text(db, row, 0), record->id) == 0;
        if (kind == ROW_WITHDRAWN) {
            *withdrawn = true;
        } else if (same || kind == ALIAS_ROOM) {
            id_taken = true;
            *is_number = *is_number || kind == ALIAS_NUMBER || kind == ALIAS_CALLED;
            /* What has this id comes before what the room has. */
            if (same || existing[0] == '\0') {
                pxr_text_copy(existing, PXR_MEETING_ID_MAX + 1, meeting, strlen(meeting));
            }
        } else {
            number_taken = true;
        }
    }
    apr_pool_destroy(pool);
    if (status != PXR_DB_OK) {
        return status;
    }
    return id_taken ? PXR_DB_EXISTS : number_taken ? PXR_DB_INVALID : PXR_DB_OK;
}

/* A creation that was withdrawn leaves a row for the other machines; its id may be used again. */
static pxr_db_status_t forget_withdrawn(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    const pxr_statement_t *all[] = {&forget, &drop_aliases, &forget_shares, &forget_legs};
    pxr_db_status_t status = PXR_DB_OK;

    for (size_t i = 0; status == PXR_DB_OK && i < sizeof(all) / sizeof(all[0]); i++) {
        status = run_about(db, all[i], record->workspace, record->id, NULL);
    }
    return status;
}

pxr_db_status_t pxr_db_create(pxr_db_t *db, const pxr_meeting_record_t *record, bool *is_number,
                              char existing[PXR_MEETING_ID_MAX + 1])
{
    pxr_db_status_t status = pxr_db_inside(db);
    bool withdrawn = false;

    *is_number = false;
    existing[0] = '\0';
    if (status == PXR_DB_OK) {
        apr_pool_clear(db->scratch);
        status = check_names(db, record, is_number, existing, &withdrawn);
    }
    if (status == PXR_DB_OK && withdrawn) {
        status = forget_withdrawn(db, record);
    }
    if (status == PXR_DB_OK) {
        status = put_row(db, &enter, record, NULL);
    }
    return status == PXR_DB_OK ? put_aliases(db, record) : status;
}

/* What the end of a meeting brings with it. */
static pxr_db_status_t put_end(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    pxr_time_t ended_at = record->life.ended_at;
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status = pxr_db_end_people(db, record->workspace, record->id, ended_at);

    if (status != PXR_DB_OK || record->number[0] == '\0') {
        return status;
    }
    pxr_db_arg_number(&args, ended_at + PXR_NUMBER_HOLD);
    pxr_db_arg_text(&args, record->workspace);
    pxr_db_arg_text(&args, record->id);
    pxr_db_arg_text(&args, record->number);
    return pxr_db_run(db, &hold_number, &args, NULL);
}

/* What has ended stays ended, whoever still believes that it goes on. */
static bool is_over(pxr_db_t *db, const pxr_meeting_record_t *record, pxr_db_status_t *status)
{
    pxr_time_t ended_at = 0;

    *status = pxr_db_meeting_end(db, record->workspace, record->id, &ended_at);
    return *status != PXR_DB_OK || ended_at != 0;
}

pxr_db_status_t pxr_db_put_meeting(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    pxr_db_status_t status = pxr_db_inside(db);
    int rows = 0;

    apr_pool_clear(db->scratch);
    if (status == PXR_DB_OK) {
        status = put_row(db, &change, record, &rows);
    }
    /* A database that was restored from a backup need not know it. */
    if (status == PXR_DB_OK && rows == 0 && is_over(db, record, &status)) {
        return status == PXR_DB_OK ? PXR_DB_EXISTS : status;
    }
    if (status == PXR_DB_OK && rows == 0) {
        status = put_row(db, &enter, record, NULL);
        if (status == PXR_DB_OK) {
            status = put_aliases(db, record);
        }
    }
    if (status == PXR_DB_OK && rows > 0 && record->single) {
        status = put_room(db, record);
    }
    if (status == PXR_DB_OK && rows > 0 && record->calls[0] != '\0') {
        status = put_calls(db, record);
    }
    if (status == PXR_DB_OK && record->life.state == PXR_MEETING_ENDED) {
        status = put_end(db, record);
    }
    return status;
}

pxr_db_status_t pxr_db_withdraw(pxr_db_t *db, const pxr_meeting_record_t *record)
{
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status = pxr_db_inside(db);
    int rows = 0;

    if (status != PXR_DB_OK) {
        return status;
    }
    apr_pool_clear(db->scratch);
    pxr_db_arg_number(&args, PXR_MEETING_ENDED);
    pxr_db_arg_number(&args, db->revision);
    pxr_db_arg_number(&args, db->clock);
    pxr_db_arg_fields(&args, db->scratch, keys, pxr_db_meetings.key_count, record);
    pxr_db_arg_text(&args, record->join_key);
    status = pxr_db_run(db, &withdraw, &args, &rows);
    if (status != PXR_DB_OK || rows == 0) {
        return status;
    }
    status = run_about(db, &drop_aliases, record->workspace, record->id, NULL);
    return status == PXR_DB_OK ? pxr_db_end_people(db, record->workspace, record->id, db->clock)
                               : status;
}
