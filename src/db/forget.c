#include "db_internal.h"

#include <string.h>

#include "pxr_text.h"

/* What is taken out of the history: meetings that are old, and people who ask for it. */

/* Rows of one transaction, so that nobody waits long for it. The statements repeat it. */
#define AT_ONCE 500
#define MEETINGS_AT_ONCE 20
/* How long, and how often, a wish is looked at. Other machines, and memory that was away, bring
 * back nothing that old. */
#define REMOVAL_KEEP (24 * 3600 * PXR_SECOND)
#define LOOK_EVERY (600 * PXR_SECOND)

/* Old meetings. */

#define EXPIRED(withdrawn) \
    "SELECT id FROM meeting WHERE over = 1 AND withdrawn = " withdrawn \
    " AND workspace = %s AND ended_at < %lld ORDER BY ended_at LIMIT 20"
static const pxr_statement_t expired = {NULL, EXPIRED("0")};
static const pxr_statement_t expired_withdrawn = {NULL, EXPIRED("1")};
static const pxr_statement_t drop_legs = {
    NULL, "DELETE FROM participant WHERE (workspace, meeting, uuid) IN"
          " (SELECT workspace, meeting, uuid FROM participant"
          " WHERE workspace = %s AND meeting = %s LIMIT 500)"};
static const pxr_statement_t drop_shares = {
    NULL, "DELETE FROM hosting WHERE workspace = %s AND meeting = %s"};
static const pxr_statement_t drop_aliases = {
    NULL, "DELETE FROM alias WHERE workspace = %s AND meeting = %s"};
static const pxr_statement_t drop_meeting = {
    NULL, "DELETE FROM meeting WHERE workspace = %s AND id = %s AND over = 1"};

/* A meeting with more legs than fit goes with the last of them. */
static pxr_db_status_t drop(pxr_db_t *db, const char *workspace, const char *id, size_t *rows)
{
    const pxr_statement_t *rest[] = {&drop_shares, &drop_aliases, &drop_meeting};
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status;
    int changed = 0;

    pxr_db_arg_text(&args, workspace);
    pxr_db_arg_text(&args, id);
    status = pxr_db_run(db, &drop_legs, &args, &changed);
    *rows += (size_t)changed;
    if (changed >= AT_ONCE) {
        return status;
    }
    for (size_t i = 0; status == PXR_DB_OK && i < sizeof(rest) / sizeof(rest[0]); i++) {
        status = pxr_db_run(db, rest[i], &args, &changed);
        *rows += (size_t)changed;
    }
    return status;
}

static pxr_db_status_t expire(pxr_db_t *db, const pxr_statement_t *statement, const char *workspace,
                              pxr_time_t before, size_t *rows)
{
    char ids[MEETINGS_AT_ONCE][PXR_MEETING_ID_MAX + 1];
    size_t count = 0;
    pxr_args_t args = {.count = 0};
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_text(&args, workspace);
    pxr_db_arg_number(&args, before);
    status = pxr_db_select(db, db->scratch, statement, &args, &results);
    while (status == PXR_DB_OK && pxr_db_next(db, db->scratch, results, &row)) {
        const char *id = pxr_db_text(db, row, 0);
        if (count < MEETINGS_AT_ONCE) {
            pxr_text_copy(ids[count++], sizeof(ids[0]), id, strlen(id));
        }
    }
    for (size_t i = 0; status == PXR_DB_OK && i < count && *rows < AT_ONCE; i++) {
        status = drop(db, workspace, ids[i], rows);
    }
    return status;
}

pxr_db_status_t pxr_db_expire(pxr_db_t *db, const char *workspace, pxr_time_t before, size_t *rows)
{
    pxr_db_status_t status = pxr_db_inside(db);

    *rows = 0;
    if (status == PXR_DB_OK) {
        status = expire(db, &expired, workspace, before, rows);
    }
    return status == PXR_DB_OK && *rows < AT_ONCE
               ? expire(db, &expired_withdrawn, workspace, before, rows)
               : status;
}

/* People. Parameters of the two conditions: workspace and name for each index, then what is common
 * to both. */

#define CREATED_BY(column) "SELECT id FROM meeting WHERE workspace = %s AND " column " = %s"
#define CREATED \
    "m.id IN (" CREATED_BY("creator_id") " UNION " CREATED_BY( \
        "creator_username") " UNION " CREATED_BY("creator_name") ")"
#define MEETINGS_OF \
    "SELECT m.id FROM meeting m WHERE " CREATED " AND m.workspace = %s AND m.over = %lld" \
    " AND m.created_at <= %lld LIMIT 100"
#define LEGS_OF \
    "SELECT p.meeting, p.uuid FROM participant p JOIN meeting m" \
    " ON m.workspace = p.workspace AND m.id = p.meeting" \
    " WHERE p.workspace = %s AND p.name = %s AND m.over = %lld AND m.created_at <= %lld LIMIT 500"

static const pxr_statement_t meetings_of = {NULL, MEETINGS_OF};
static const pxr_statement_t legs_of = {NULL, LEGS_OF};
static const pxr_statement_t rename_creator = {
    NULL, "UPDATE meeting SET creator_id = '" PXR_NOBODY "', creator_username = '" PXR_NOBODY
          "', creator_name = '" PXR_NOBODY "', rev = %lld WHERE workspace = %s AND id IN"
          " (SELECT id FROM (" MEETINGS_OF ") AS found)"};
static const pxr_statement_t rename_legs = {NULL, "UPDATE participant SET name = '" PXR_NOBODY
                                                  "', rev = %lld WHERE workspace = %s"
                                                  " AND (meeting, uuid) IN (" LEGS_OF ")"};
static const pxr_statement_t enter = {
    NULL, "INSERT INTO removal (again_at, asked_at, workspace, who) VALUES (1, %lld, %s, %s)"
          " ON CONFLICT (workspace, who) DO UPDATE SET again_at = 1, done = 0,"
          " asked_at = excluded.asked_at"};
static const pxr_statement_t next = {
    NULL, "SELECT workspace, who, asked_at FROM removal WHERE again_at <= %lld"
          " ORDER BY again_at, asked_at LIMIT 1"};
static const pxr_statement_t is_done = {
    NULL, "SELECT done FROM removal WHERE workspace = %s AND who = %s"};
static const pxr_statement_t note_look = {NULL,
                                          "UPDATE removal SET again_at = %lld, rev = %lld, done = 1"
                                          " WHERE workspace = %s AND who = %s"};
static const pxr_statement_t finish = {NULL,
                                       "DELETE FROM removal WHERE workspace = %s AND who = %s"};
static const pxr_statement_t worked_on = {
    NULL,
    "SELECT workspace, who, asked_at, rev FROM removal WHERE rev > %lld ORDER BY rev LIMIT 10"};

static void put_creator(pxr_args_t *args, const pxr_removal_t *r, bool over)
{
    for (int i = 0; i < 3; i++) {
        pxr_db_arg_text(args, r->workspace);
        pxr_db_arg_text(args, r->who);
    }
    pxr_db_arg_text(args, r->workspace);
    pxr_db_arg_number(args, over);
    pxr_db_arg_number(args, r->asked_at);
}

/* `shown` has room for a participant's name, which is shorter than others. */
static void put_participant(pxr_args_t *args, const pxr_removal_t *r, bool over, char *shown)
{
    pxr_text_copy(shown, PXR_NAME_CHARS + 1, r->who, strlen(r->who));
    pxr_db_arg_text(args, r->workspace);
    pxr_db_arg_text(args, shown);
    pxr_db_arg_number(args, over);
    pxr_db_arg_number(args, r->asked_at);
}

static pxr_db_status_t has_rows(pxr_db_t *db, const pxr_statement_t *statement,
                                const pxr_args_t *args, bool *has)
{
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    status = pxr_db_first(db, db->scratch, statement, args, &row);
    *has = status == PXR_DB_OK;
    return status == PXR_DB_MISSING ? PXR_DB_OK : status;
}

static pxr_db_status_t is_named(pxr_db_t *db, const pxr_removal_t *removal, bool over, bool *named)
{
    char shown[PXR_NAME_CHARS + 1];
    pxr_args_t creator = {.count = 0};
    pxr_args_t participant = {.count = 0};
    pxr_db_status_t status;

    put_creator(&creator, removal, over);
    put_participant(&participant, removal, over, shown);
    status = has_rows(db, &meetings_of, &creator, named);
    return status == PXR_DB_OK && !*named ? has_rows(db, &legs_of, &participant, named) : status;
}

pxr_db_status_t pxr_db_ask_removal(pxr_db_t *db, const pxr_removal_t *removal)
{
    pxr_args_t args = {.count = 0};
    bool named = false;
    pxr_db_status_t status = is_named(db, removal, true, &named);

    if (status == PXR_DB_OK && !named) {
        status = is_named(db, removal, false, &named);
    }
    if (status != PXR_DB_OK || !named) {
        return status == PXR_DB_OK ? PXR_DB_MISSING : status;
    }
    pxr_db_arg_number(&args, removal->asked_at);
    pxr_db_arg_text(&args, removal->workspace);
    pxr_db_arg_text(&args, removal->who);
    return pxr_db_run(db, &enter, &args, NULL);
}

pxr_db_status_t pxr_db_removal_state(pxr_db_t *db, const pxr_removal_t *removal, bool *done,
                                     bool *running)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_text(&args, removal->workspace);
    pxr_db_arg_text(&args, removal->who);
    status = pxr_db_first(db, db->scratch, &is_done, &args, &row);
    /* A row that has gone was finished. */
    *done = status == PXR_DB_MISSING || (status == PXR_DB_OK && pxr_db_number(db, row, 0) != 0);
    *running = false;
    return *done ? is_named(db, removal, false, running) : status;
}

static void take(pxr_db_t *db, apr_dbd_row_t *row, pxr_removal_t *removal)
{
    const char *workspace = pxr_db_text(db, row, 0);
    const char *who = pxr_db_text(db, row, 1);

    pxr_text_copy(removal->workspace, sizeof(removal->workspace), workspace, strlen(workspace));
    pxr_text_copy(removal->who, sizeof(removal->who), who, strlen(who));
    removal->asked_at = pxr_db_number(db, row, 2);
}

pxr_db_status_t pxr_db_next_removal(pxr_db_t *db, pxr_time_t now, pxr_removal_t *removal)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_number(&args, now);
    status = pxr_db_first(db, db->scratch, &next, &args, &row);
    if (status == PXR_DB_OK) {
        take(db, row, removal);
    }
    return status;
}

/* Nothing is left in meetings that have ended. */
static pxr_db_status_t end_look(pxr_db_t *db, const pxr_removal_t *removal)
{
    pxr_args_t noted = {.count = 0};
    pxr_args_t finished = {.count = 0};
    bool running = true;
    pxr_db_status_t status = PXR_DB_OK;

    if (removal->asked_at + REMOVAL_KEEP < db->clock) {
        status = is_named(db, removal, false, &running);
    }
    if (status == PXR_DB_OK && !running) {
        pxr_db_arg_text(&finished, removal->workspace);
        pxr_db_arg_text(&finished, removal->who);
        return pxr_db_run(db, &finish, &finished, NULL);
    }
    pxr_db_arg_number(&noted, db->clock + LOOK_EVERY);
    pxr_db_arg_number(&noted, db->revision);
    pxr_db_arg_text(&noted, removal->workspace);
    pxr_db_arg_text(&noted, removal->who);
    return status == PXR_DB_OK ? pxr_db_run(db, &note_look, &noted, NULL) : status;
}

pxr_db_status_t pxr_db_remove_some(pxr_db_t *db, const pxr_removal_t *removal)
{
    char shown[PXR_NAME_CHARS + 1];
    pxr_args_t creator = {.count = 0};
    pxr_args_t participant = {.count = 0};
    int meetings = 0;
    int legs = 0;
    pxr_db_status_t status = pxr_db_inside(db);

    apr_pool_clear(db->scratch);
    pxr_db_arg_number(&creator, db->revision);
    pxr_db_arg_text(&creator, removal->workspace);
    put_creator(&creator, removal, true);
    pxr_db_arg_number(&participant, db->revision);
    pxr_db_arg_text(&participant, removal->workspace);
    put_participant(&participant, removal, true, shown);
    if (status == PXR_DB_OK) {
        status = pxr_db_run(db, &rename_creator, &creator, &meetings);
    }
    if (status == PXR_DB_OK) {
        status = pxr_db_run(db, &rename_legs, &participant, &legs);
    }
    return status == PXR_DB_OK && meetings + legs == 0 ? end_look(db, removal) : status;
}

pxr_db_status_t pxr_db_removals(pxr_db_t *db, int64_t *revision,
                                bool (*visit)(void *context, const pxr_removal_t *removal),
                                void *context)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    pxr_removal_t removal;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_number(&args, *revision);
    status = pxr_db_select(db, db->scratch, &worked_on, &args, &results);
    while (status == PXR_DB_OK && pxr_db_next(db, db->scratch, results, &row)) {
        take(db, row, &removal);
        *revision = pxr_db_number(db, row, 3);
        if (!visit(context, &removal)) {
            status = pxr_db_fail(db, PXR_DB_FAILED, "a removal was not taken");
        }
    }
    return status;
}
