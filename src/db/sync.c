#include "db_internal.h"

#include <string.h>

#include "pxr_text.h"

#define FORGET_MACHINES (24 * 3600 * PXR_SECOND)

static const pxr_statement_t look = {
    NULL, "SELECT n, epoch, @clock, @clock,"
          " COALESCE((SELECT m.revision FROM machine m WHERE m.id = %s), 0)"
          " FROM revision WHERE id = 1"};
/* Taking the next number locks the only row until the transaction ends, so the order of numbers is
 * the order of commits. */
static const pxr_statement_t advance = {NULL, "UPDATE revision SET n = n + 1 WHERE id = 1"
                                              " RETURNING n, epoch, @clock, @began"};
static const pxr_statement_t own = {NULL, "SELECT revision FROM machine WHERE id = %s"};
static const pxr_statement_t note = {
    NULL, "INSERT INTO machine (id, revision, touched_at) VALUES (%s, %lld, %lld)"
          " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision,"
          " touched_at = excluded.touched_at"};
static const pxr_statement_t set_epoch = {NULL, "UPDATE revision SET epoch = %s WHERE id = 1"};
static const pxr_statement_t sign = {NULL, "UPDATE machine SET seen_at = %lld WHERE id = %s"};
static const pxr_statement_t sign_complete = {
    NULL, "UPDATE machine SET seen_at = %lld, complete_at = %lld WHERE id = %s"};
static const pxr_statement_t others = {
    NULL, "SELECT COALESCE(SUM(CASE WHEN complete_at < %lld THEN 1 ELSE 0 END), 0), COUNT(*)"
          " FROM machine WHERE seen_at > %lld AND id <> %s"};
static const pxr_statement_t lease = {
    NULL, "UPDATE lease SET machine = %s, until = %lld WHERE id = 'rocketchat'"
          " AND (machine = %s OR until < %lld)"};
static const pxr_statement_t tidy_aliases = {NULL,
                                             "DELETE FROM alias WHERE until <> 0 AND until < %lld"};
static const pxr_statement_t tidy_machines = {NULL, "DELETE FROM machine WHERE touched_at < %lld"};

/* Columns n, epoch, clock, beginning. The clock is ours where the engine has none of its own. */
static void take_head(pxr_db_t *db, apr_dbd_row_t *row, pxr_time_t called, pxr_db_head_t *head)
{
    const char *epoch = pxr_db_text(db, row, 1);

    head->revision = pxr_db_number(db, row, 0);
    pxr_text_copy(head->epoch, sizeof(head->epoch), epoch, strlen(epoch));
    head->clock = db->engine->clock != NULL ? pxr_db_number(db, row, 2) : pxr_time_now();
    db->began = db->engine->clock != NULL ? pxr_db_number(db, row, 3) : called;
}

/* The row that every database has. */
static pxr_db_status_t find_head(pxr_db_t *db, const pxr_statement_t *statement,
                                 const pxr_args_t *args, apr_dbd_row_t **row)
{
    pxr_db_status_t status = pxr_db_first(db, db->scratch, statement, args, row);

    return status == PXR_DB_MISSING
               ? pxr_db_fail(db, PXR_DB_FAILED, "the table \"revision\" is empty")
               : status;
}

pxr_db_status_t pxr_db_look(pxr_db_t *db, pxr_db_head_t *head)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_text(&args, db->settings.machine);
    status = find_head(db, &look, &args, &row);
    if (status == PXR_DB_OK) {
        take_head(db, row, 0, head);
        head->own_revision = pxr_db_number(db, row, 4);
    }
    return status;
}

/* Not in the statement that advances: that one may have waited for the lock, and would still see
 * what was there before. */
static pxr_db_status_t find_own(pxr_db_t *db, int64_t *revision)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    pxr_db_arg_text(&args, db->settings.machine);
    status = pxr_db_first(db, db->scratch, &own, &args, &row);
    *revision = status == PXR_DB_OK ? pxr_db_number(db, row, 0) : 0;
    return status == PXR_DB_MISSING ? PXR_DB_OK : status;
}

static pxr_db_status_t lock_and_advance(pxr_db_t *db, pxr_time_t called, pxr_db_head_t *head)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status = find_head(db, &advance, &args, &row);

    if (status != PXR_DB_OK) {
        return status;
    }
    take_head(db, row, called, head);
    db->revision = head->revision;
    db->clock = head->clock;
    status = find_own(db, &head->own_revision);
    if (status != PXR_DB_OK) {
        return status;
    }
    pxr_db_arg_text(&args, db->settings.machine);
    pxr_db_arg_number(&args, db->revision);
    pxr_db_arg_number(&args, db->clock);
    return pxr_db_run(db, &note, &args, NULL);
}

pxr_db_status_t pxr_db_begin(pxr_db_t *db, pxr_db_head_t *head)
{
    pxr_time_t called = pxr_time_now();
    pxr_db_status_t status;

    if (db->inside || db->role != PXR_DB_KEEPER) {
        return pxr_db_fail(db, PXR_DB_FAILED,
                           db->inside ? "there is a transaction already" : "readers do not write");
    }
    status = pxr_db_simple(db, db->engine->begin, NULL, 0);
    if (status != PXR_DB_OK) {
        return status;
    }
    db->inside = true;
    db->failed = false;
    status = lock_and_advance(db, called, head);
    if (status != PXR_DB_OK) {
        pxr_db_rollback(db);
    }
    return status;
}

pxr_db_status_t pxr_db_commit(pxr_db_t *db)
{
    /* PostgreSQL takes a COMMIT of a transaction that has failed, and rolls it back. */
    pxr_db_status_t status = pxr_db_inside(db);

    if (status == PXR_DB_OK) {
        status = pxr_db_simple(db, "COMMIT", NULL, 0);
    }
    if (status == PXR_DB_OK) {
        db->inside = false;
    } else {
        pxr_db_rollback(db);
    }
    return status;
}

void pxr_db_rollback(pxr_db_t *db)
{
    char why[PXR_DB_WHY_MAX];

    if (!db->inside) {
        return;
    }
    db->inside = false;
    /* SQLite may have rolled back by itself; the reason to tell is the first one. */
    memcpy(why, db->why, sizeof(why));
    pxr_db_simple(db, "ROLLBACK", NULL, 0);
    memcpy(db->why, why, sizeof(why));
}

pxr_db_status_t pxr_db_set_epoch(pxr_db_t *db, const char *epoch)
{
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status = pxr_db_inside(db);

    pxr_db_arg_text(&args, epoch);
    return status == PXR_DB_OK ? pxr_db_run(db, &set_epoch, &args, NULL) : status;
}

pxr_db_status_t pxr_db_sign(pxr_db_t *db, bool complete)
{
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status = pxr_db_inside(db);

    pxr_db_arg_number(&args, db->clock);
    if (complete) {
        pxr_db_arg_number(&args, db->began);
    }
    pxr_db_arg_text(&args, db->settings.machine);
    return status == PXR_DB_OK ? pxr_db_run(db, complete ? &sign_complete : &sign, &args, NULL)
                               : status;
}

pxr_db_status_t pxr_db_others(pxr_db_t *db, pxr_time_t since, pxr_time_t alive_since,
                              uint32_t *behind, uint32_t *alive)
{
    pxr_args_t args = {.count = 0};
    apr_dbd_row_t *row;
    pxr_db_status_t status;

    apr_pool_clear(db->scratch);
    pxr_db_arg_number(&args, since);
    pxr_db_arg_number(&args, alive_since);
    pxr_db_arg_text(&args, db->settings.machine);
    status = pxr_db_first(db, db->scratch, &others, &args, &row);
    *behind = 0;
    *alive = 0;
    if (status == PXR_DB_OK) {
        *behind = (uint32_t)pxr_db_number(db, row, 0);
        *alive = (uint32_t)pxr_db_number(db, row, 1);
    }
    return status;
}

pxr_db_status_t pxr_db_lease(pxr_db_t *db, int64_t length, bool *mine)
{
    pxr_args_t args = {.count = 0};
    pxr_db_status_t status = pxr_db_inside(db);
    int rows = 0;

    pxr_db_arg_text(&args, db->settings.machine);
    pxr_db_arg_number(&args, db->clock + length);
    pxr_db_arg_text(&args, db->settings.machine);
    pxr_db_arg_number(&args, db->clock);
    if (status == PXR_DB_OK) {
        status = pxr_db_run(db, &lease, &args, &rows);
    }
    *mine = status == PXR_DB_OK && rows > 0;
    return status;
}

pxr_db_status_t pxr_db_tidy(pxr_db_t *db, pxr_time_t now)
{
    pxr_args_t aliases = {.count = 0};
    pxr_args_t machines = {.count = 0};
    pxr_db_status_t status = pxr_db_inside(db);

    pxr_db_arg_number(&aliases, now);
    pxr_db_arg_number(&machines, now - FORGET_MACHINES);
    if (status == PXR_DB_OK) {
        status = pxr_db_run(db, &tidy_aliases, &aliases, NULL);
    }
    return status == PXR_DB_OK ? pxr_db_run(db, &tidy_machines, &machines, NULL) : status;
}
