#include "db_internal.h"

#include <string.h>

#include "pxr_text.h"

/* Rows of meetings are much wider than others. */
#define MEETINGS_AT_ONCE ((size_t)100)

static const pxr_statement_t pull_meetings = {
    &pxr_db_meetings, "SELECT rev, over, @keys, @columns FROM meeting"
                      " WHERE (rev, @keys) > (%lld, @keyvalues) ORDER BY rev, @keys LIMIT 500"};
static const pxr_statement_t pull_shares = {
    &pxr_db_shares, "SELECT rev, over, @keys, @columns FROM hosting"
                    " WHERE (rev, @keys) > (%lld, @keyvalues) ORDER BY rev, @keys LIMIT 500"};
static const pxr_statement_t pull_legs = {
    &pxr_db_legs, "SELECT rev, over, @keys, @columns FROM participant"
                  " WHERE (rev, @keys) > (%lld, @keyvalues) ORDER BY rev, @keys LIMIT 500"};

/* In the order in which rows were entered, by a moment that does not change: rows that are read
 * together lie together. */
#define ALIVE(table, moment) \
    "SELECT " moment ", over, @keys, @columns FROM " table " WHERE over = 0" \
    " AND (" moment ", @keys) > (%lld, @keyvalues) ORDER BY " moment ", @keys LIMIT 500"
static const pxr_statement_t alive_meetings = {&pxr_db_meetings, ALIVE("meeting", "created_at")};
static const pxr_statement_t alive_shares = {&pxr_db_shares, ALIVE("hosting", "start_time")};
static const pxr_statement_t alive_legs = {&pxr_db_legs, ALIVE("participant", "connected_at")};
static const pxr_statement_t ended_meetings = {
    &pxr_db_meetings, "SELECT ended_at, over, @keys, @columns FROM meeting"
                      " WHERE over = 1 AND withdrawn = 0 AND ended_at > %lld"
                      " AND (ended_at, workspace, id) < (%lld, @keyvalues)"
                      " ORDER BY ended_at DESC, workspace DESC, id DESC LIMIT 500"};

/* What keeps the chat of a conference that is none of our meetings (pxr_chat.h) is no meeting. */
#define HISTORY(room) \
    "SELECT ended_at, over, @keys, @columns FROM meeting" \
    " WHERE over = 1 AND withdrawn = 0 AND workspace = %s" room " AND ended_at >= %lld" \
    " AND substr(id, 1, 5) <> 'chat-'" \
    " AND (ended_at, id) < (%lld, %s) ORDER BY ended_at DESC, id DESC LIMIT %lld"
static const pxr_statement_t history = {&pxr_db_meetings, HISTORY("")};
static const pxr_statement_t room_history = {&pxr_db_meetings, HISTORY(" AND room_id = %s")};
static const pxr_statement_t legs_of_meeting = {
    &pxr_db_legs, "SELECT connected_at, over, @keys, @columns FROM participant"
                  " WHERE workspace = %s AND meeting = %s AND (connected_at, uuid) > (%lld, %s)"
                  " ORDER BY connected_at, uuid LIMIT 500"};

typedef union {
    pxr_meeting_record_t meeting;
    pxr_share_record_t share;
    pxr_leg_record_t leg;
} any_record_t;

/* Goes on page by page behind (mark, keys of the last record), from (mark, nothing). `bound`, if
 * not NULL, is the first parameter. */
static pxr_db_status_t walk(pxr_db_t *db, const pxr_statement_t *statement, const int64_t *bound,
                            int64_t mark, const pxr_db_visitor_t *visitor, bool *ended)
{
    const pxr_table_t *table = statement->table;
    pxr_db_status_t status;
    any_record_t record;
    size_t rows;

    memset(&record, 0, sizeof(record));
    do {
        pxr_args_t args = {.count = 0};
        if (bound != NULL) {
            pxr_db_arg_number(&args, *bound);
        }
        pxr_db_arg_number(&args, mark);
        pxr_db_arg_fields(&args, NULL, table->keys, table->key_count, &record);
        status = pxr_db_page(db, statement, &args, visitor, &record, &mark, &rows, ended);
    } while (status == PXR_DB_OK && !*ended && rows == PXR_DB_PAGE);
    return status;
}

static pxr_db_status_t walk_all(pxr_db_t *db, const pxr_statement_t *const statements[3],
                                int64_t mark, const pxr_db_visitor_t *visitor)
{
    pxr_db_status_t status = PXR_DB_OK;
    bool ended;

    for (size_t i = 0; status == PXR_DB_OK && i < 3; i++) {
        status = walk(db, statements[i], NULL, mark, visitor, &ended);
        if (status == PXR_DB_OK && ended) {
            status = pxr_db_fail(db, PXR_DB_FAILED, "a record was not taken");
        }
    }
    return status;
}

pxr_db_status_t pxr_db_pull(pxr_db_t *db, int64_t revision, const pxr_db_visitor_t *visitor)
{
    static const pxr_statement_t *const statements[] = {&pull_meetings, &pull_shares, &pull_legs};
    pxr_db_status_t status;
    bool mine;

    if (revision == INT64_MAX) {
        return PXR_DB_OK;
    }
    status = pxr_db_snapshot(db, &mine);
    if (status != PXR_DB_OK) {
        return status;
    }
    /* No row has empty keys, so this is before the first one of the next revision. */
    status = walk_all(db, statements, revision + 1, visitor);
    return pxr_db_snapshot_end(db, mine, status);
}

pxr_db_status_t pxr_db_restore(pxr_db_t *db, pxr_time_t ended_since,
                               const pxr_db_visitor_t *visitor)
{
    static const pxr_statement_t *const statements[] = {&alive_meetings, &alive_shares,
                                                        &alive_legs};
    pxr_db_status_t status;
    bool enough;
    bool mine;

    status = pxr_db_snapshot(db, &mine);
    if (status != PXR_DB_OK) {
        return status;
    }
    status = walk_all(db, statements, INT64_MIN, visitor);
    if (status == PXR_DB_OK) {
        status = walk(db, &ended_meetings, &ended_since, INT64_MAX, visitor, &enough);
    }
    return pxr_db_snapshot_end(db, mine, status);
}

/* What goes on while meetings of the history are handed out. */
typedef struct {
    pxr_db_t *db;
    const pxr_db_visitor_t *visitor;
    pxr_db_status_t status;
    size_t left;
    bool more;
} reading_t;

pxr_db_status_t pxr_db_read_legs(pxr_db_t *db, const char *workspace, const char *meeting,
                                 const pxr_db_visitor_t *visitor)
{
    pxr_leg_record_t record;
    pxr_db_status_t status;
    int64_t mark = INT64_MIN;
    size_t rows;
    bool ended;

    memset(&record, 0, sizeof(record));
    do {
        pxr_args_t args = {.count = 0};
        pxr_db_arg_text(&args, workspace);
        pxr_db_arg_text(&args, meeting);
        pxr_db_arg_number(&args, mark);
        pxr_db_arg_text(&args, record.leg.uuid);
        status = pxr_db_page(db, &legs_of_meeting, &args, visitor, &record, &mark, &rows, &ended);
        if (status == PXR_DB_OK && ended) {
            status = pxr_db_fail(db, PXR_DB_FAILED, "a record was not taken");
        }
    } while (status == PXR_DB_OK && rows == PXR_DB_PAGE);
    return status;
}

static bool take_meeting(void *context, const pxr_meeting_record_t *record)
{
    reading_t *reading = context;

    if (reading->left == 0) {
        reading->more = true;
        return false;
    }
    reading->left--;
    if (!reading->visitor->meeting(reading->visitor->context, record)) {
        reading->status = pxr_db_fail(reading->db, PXR_DB_FAILED, "a record was not taken");
        return false;
    }
    reading->status =
        pxr_db_read_legs(reading->db, record->workspace, record->id, reading->visitor);
    return reading->status == PXR_DB_OK;
}

static pxr_db_status_t read_history(pxr_db_t *db, const pxr_db_history_t *query, reading_t *reading)
{
    const pxr_db_visitor_t meetings = {.meeting = take_meeting, .context = reading};
    /* Both bounds are "before": the nearer one holds. */
    bool go_on = query->after_ended != 0 && (query->to == 0 || query->after_ended < query->to);
    int64_t mark = go_on ? query->after_ended : query->to != 0 ? query->to : INT64_MAX;
    pxr_meeting_record_t record;
    pxr_db_status_t status;
    size_t asked;
    size_t rows;
    bool ended;

    memset(&record, 0, sizeof(record));
    if (go_on && query->after_id != NULL) {
        pxr_text_copy(record.id, sizeof(record.id), query->after_id, strlen(query->after_id));
    }
    do {
        pxr_args_t args = {.count = 0};
        /* One more than is wanted, to know whether there are others. */
        asked = reading->left < MEETINGS_AT_ONCE ? reading->left + 1 : MEETINGS_AT_ONCE;
        pxr_db_arg_text(&args, query->workspace);
        if (query->room_id != NULL) {
            pxr_db_arg_text(&args, query->room_id);
        }
        pxr_db_arg_number(&args, query->from);
        pxr_db_arg_number(&args, mark);
        pxr_db_arg_text(&args, record.id);
        pxr_db_arg_number(&args, (int64_t)asked);
        status = pxr_db_page(db, query->room_id != NULL ? &room_history : &history, &args,
                             &meetings, &record, &mark, &rows, &ended);
        if (status == PXR_DB_OK) {
            status = reading->status;
        }
    } while (status == PXR_DB_OK && !ended && rows == asked);
    return status;
}

pxr_db_status_t pxr_db_history(pxr_db_t *db, const pxr_db_history_t *query,
                               const pxr_db_visitor_t *visitor, bool *more)
{
    reading_t reading = {
        .db = db, .visitor = visitor, .status = PXR_DB_OK, .left = query->limit, .more = false};
    pxr_db_status_t status;
    bool mine;

    *more = false;
    status = pxr_db_snapshot(db, &mine);
    if (status != PXR_DB_OK) {
        return status;
    }
    status = pxr_db_snapshot_end(db, mine, read_history(db, query, &reading));
    *more = reading.more;
    return status;
}
