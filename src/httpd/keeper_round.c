#include "keeper.h"

/* How often the other machines hear of one that has nothing to say. */
#define SIGN_EVERY (PXR_SECOND / 2)
#define TIDY_EVERY (60 * PXR_SECOND)
/* So many transactions of one round; what is left waits for the next. */
#define TRANSACTIONS 20
/* A creation that waits for longer has lost the one who wanted it. */
#define ABANDONED (PXR_CREATE_WAIT + PXR_SECOND)

/* Writing. */

static void remember(pxr_keeper_t *k, const pxr_change_t *change)
{
    k->written[k->written_count++] = (pxr_written_t){
        .change = *change, .generation = k->copy.generation, .standing = k->copy.standing};
}

/* One record that the database will never take must not keep all others from it. */
static void give_up(pxr_keeper_t *k, const pxr_change_t *change, pxr_standing_t standing)
{
    k->health.refused++;
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, k->server,
                 "PXR1053: the database does not take a record: %s", pxr_db_why(k->db));
    if (standing == PXR_STANDING_PENDING) {
        pxr_store_settle(pxr_store(), change, &k->copy, PXR_BROKEN);
    } else if (standing == PXR_STANDING_WITHDRAWN) {
        pxr_store_forget(pxr_store(), change, &k->copy);
    } else {
        pxr_store_saved(pxr_store(), change);
    }
}

/* What came of writing a record. */
static void conclude(pxr_keeper_t *k, const pxr_change_t *change, pxr_standing_t standing,
                     pxr_db_status_t status)
{
    if (status == PXR_DB_OK) {
        remember(k, change);
    } else if (status == PXR_DB_REFUSED) {
        give_up(k, change, standing);
    }
}

/* There is a meeting of this id, but it ended so long ago that it was not here; or another machine
 * has just made one in this room, which has one meeting only. */
static pxr_db_status_t fetch_existing(pxr_keeper_t *k, const pxr_change_t *change, const char *id)
{
    pxr_db_visitor_t all = pxr_keeper_visitor(k);
    pxr_db_status_t status = pxr_db_read_meeting(k->db, k->copy.record.workspace, id, &all);

    if (status == PXR_DB_OK || status == PXR_DB_MISSING) {
        /* Where it did not take the place of the pending one there is no room for it. */
        pxr_store_settle(pxr_store(), change, &k->copy, PXR_FULL);
        status = PXR_DB_OK;
    }
    return status;
}

static pxr_db_status_t create(pxr_keeper_t *k, const pxr_change_t *change)
{
    char existing[PXR_MEETING_ID_MAX + 1];
    bool is_number = false;
    pxr_db_status_t status;

    if (pxr_store_sending(pxr_store(), change, &k->copy) != PXR_OK) {
        return PXR_DB_OK;
    }
    status = pxr_db_create(k->db, &k->copy.record, &is_number, existing);
    switch (status) {
    case PXR_DB_OK:
        remember(k, change);
        return PXR_DB_OK;
    case PXR_DB_EXISTS:
        if (is_number) {
            pxr_store_settle(pxr_store(), change, &k->copy, PXR_TAKEN);
            return PXR_DB_OK;
        }
        return fetch_existing(k, change, existing);
    case PXR_DB_INVALID:
        pxr_store_settle(pxr_store(), change, &k->copy, PXR_INVALID);
        return PXR_DB_OK;
    default:
        return status;
    }
}

/* It has ended for all others, while this machine was away. */
static pxr_db_status_t learn_end(pxr_keeper_t *k, const pxr_change_t *change)
{
    pxr_db_visitor_t all = pxr_keeper_visitor(k);
    pxr_db_status_t status =
        pxr_db_read_meeting(k->db, k->copy.record.workspace, k->copy.record.id, &all);

    if (status == PXR_DB_MISSING) {
        /* Withdrawn, so nobody was ever told of it. */
        pxr_store_saved(pxr_store(), change);
        status = PXR_DB_OK;
    }
    return status;
}

static pxr_db_status_t put_pending(pxr_keeper_t *k, const pxr_change_t *change)
{
    pxr_db_status_t status;

    if (k->copy.waiting_since + ABANDONED < pxr_time_now()) {
        /* Taken back in the next round. */
        pxr_store_abandon(pxr_store(), change, &k->copy);
        return PXR_DB_OK;
    }
    status = create(k, change);
    if (status == PXR_DB_REFUSED) {
        give_up(k, change, PXR_STANDING_PENDING);
    }
    return status;
}

static pxr_db_status_t put_withdrawn(pxr_keeper_t *k, const pxr_change_t *change)
{
    pxr_db_status_t status = pxr_db_withdraw(k->db, &k->copy.record);

    conclude(k, change, PXR_STANDING_WITHDRAWN, status);
    return status;
}

static pxr_db_status_t put_known(pxr_keeper_t *k, const pxr_change_t *change)
{
    pxr_db_status_t status = pxr_db_put_meeting(k->db, &k->copy.record);

    if (status == PXR_DB_EXISTS) {
        return learn_end(k, change);
    }
    conclude(k, change, PXR_STANDING_KNOWN, status);
    return status;
}

static pxr_db_status_t put_meeting(pxr_keeper_t *k, pxr_change_t *change)
{
    pxr_status_t copied = pxr_store_copy_meeting(pxr_store(), change, &k->copy);

    if (copied == PXR_BROKEN) {
        give_up(k, change, PXR_STANDING_KNOWN);
    }
    if (copied != PXR_OK) {
        return PXR_DB_OK;
    }
    switch (k->copy.standing) {
    case PXR_STANDING_PENDING:
        return put_pending(k, change);
    case PXR_STANDING_WITHDRAWN:
        return put_withdrawn(k, change);
    default:
        return put_known(k, change);
    }
}

static pxr_db_status_t put_share(pxr_keeper_t *k, pxr_change_t *change)
{
    pxr_share_record_t record;
    pxr_db_status_t status;

    if (pxr_store_copy_share(pxr_store(), change, &record) != PXR_OK) {
        return PXR_DB_OK;
    }
    status = pxr_db_put_share(k->db, &record);
    conclude(k, change, PXR_STANDING_KNOWN, status);
    return status;
}

static pxr_db_status_t put_leg(pxr_keeper_t *k, pxr_change_t *change)
{
    pxr_leg_record_t record;
    pxr_db_status_t status;

    if (pxr_store_copy_leg(pxr_store(), change, &record) != PXR_OK) {
        return PXR_DB_OK;
    }
    status = pxr_db_put_leg(k->db, &record);
    conclude(k, change, PXR_STANDING_KNOWN, status);
    return status;
}

static pxr_db_status_t put_table(pxr_keeper_t *k, pxr_table_t table)
{
    size_t count =
        pxr_store_changes(pxr_store(), table, &k->cursors[table], k->changes, PXR_KEEPER_BATCH);
    pxr_db_status_t status = PXR_DB_OK;

    k->copy.standing = PXR_STANDING_KNOWN;
    k->more = k->more || count == PXR_KEEPER_BATCH;
    for (size_t i = 0; i < count && status == PXR_DB_OK; i++) {
        status = table == PXR_TABLE_MEETINGS ? put_meeting(k, &k->changes[i])
                 : table == PXR_TABLE_SHARES ? put_share(k, &k->changes[i])
                                             : put_leg(k, &k->changes[i]);
    }
    return status;
}

/* Whether no other machine may have seen somebody coming whom we do not know of. */
static pxr_db_status_t may_end(pxr_keeper_t *k, const pxr_db_head_t *head, pxr_time_t since,
                               bool *may)
{
    uint32_t behind = 0;
    uint32_t alive = 0;
    pxr_db_status_t status =
        pxr_db_others(k->db, since + k->ahead, head->clock - PXR_MACHINE_SILENCE, &behind, &alive);

    k->health.machines = alive + 1;
    *may = status == PXR_DB_OK && behind == 0;
    return status;
}

/* Its message tells how many people were there. All of them are in the database, although none
 * need be in memory: they may have left before this machine was started, or come and gone while
 * another one did not hear from us. */
static pxr_db_status_t put_ending(pxr_keeper_t *k, pxr_ending_t *ending)
{
    pxr_db_status_t status = PXR_DB_OK;
    pxr_told_t told;

    pxr_told_parse(k->copy.record.told, &told);
    if (told.task[PXR_TASK_MESSAGE].state != PXR_TASK_NONE) {
        status = pxr_keeper_count_visitors(k, &k->copy.record, &ending->after.visitors);
        k->copy.record.life.visitors = ending->after.visitors;
    }
    return status == PXR_DB_OK ? pxr_db_put_meeting(k->db, &k->copy.record) : status;
}

static pxr_db_status_t put_endings(pxr_keeper_t *k, const pxr_db_head_t *head)
{
    size_t found = pxr_store_endings(pxr_store(), pxr_time_now(), k->endings, PXR_KEEPER_ENDINGS);
    pxr_db_status_t status = PXR_DB_OK;
    bool may = true;

    for (size_t i = 0; i < found && status == PXR_DB_OK; i++) {
        if (k->shared) {
            status = may_end(k, head, k->endings[i].due, &may);
        }
        if (may && status == PXR_DB_OK &&
            pxr_store_copy_ending(pxr_store(), &k->endings[i], &k->copy) == PXR_OK) {
            status = put_ending(k, &k->endings[i]);
            k->endings[k->ending_count++] = k->endings[i];
        }
    }
    if (status == PXR_DB_OK && k->ending_count == 0) {
        return PXR_DB_MISSING;
    }
    /* Nothing that this module writes is refused; somebody has changed the tables. */
    return status == PXR_DB_REFUSED ? PXR_DB_FAILED : status;
}

static bool endings_hold(const pxr_keeper_t *k)
{
    for (size_t i = 0; i < k->ending_count; i++) {
        if (!pxr_store_ending_holds(pxr_store(), &k->endings[i])) {
            return false;
        }
    }
    return true;
}

/* The database has it: now it is so. */
static void settle(pxr_keeper_t *k)
{
    pxr_time_t now = pxr_time_now();

    for (size_t i = 0; i < k->ending_count; i++) {
        pxr_store_end(pxr_store(), &k->endings[i], now);
    }
    for (size_t i = 0; i < k->written_count; i++) {
        const pxr_written_t *w = &k->written[i];
        k->copy.generation = w->generation;
        if (w->change.table == PXR_TABLE_MEETINGS && w->standing == PXR_STANDING_PENDING) {
            if (pxr_store_settle(pxr_store(), &w->change, &k->copy, PXR_OK) != PXR_OK) {
                continue;
            }
        } else if (w->change.table == PXR_TABLE_MEETINGS && w->standing == PXR_STANDING_WITHDRAWN) {
            pxr_store_forget(pxr_store(), &w->change, &k->copy);
            continue;
        }
        pxr_store_saved(pxr_store(), &w->change);
    }
}

static pxr_db_status_t put_changes(pxr_keeper_t *k, const pxr_db_head_t *head)
{
    pxr_time_t now = pxr_time_now();
    pxr_db_status_t status = PXR_DB_OK;
    bool may;

    k->more = false;
    for (int table = 0; table < PXR_TABLES && status == PXR_DB_OK; table++) {
        status = put_table(k, (pxr_table_t)table);
    }
    if (status == PXR_DB_OK) {
        status = pxr_db_sign(k->db, !k->more);
        k->signed_at = now;
    }
    if (status == PXR_DB_OK && k->shared) {
        /* Tells who else is there. */
        status = may_end(k, head, 0, &may);
    }
    if (status == PXR_DB_OK && k->shared) {
        status = pxr_db_lease(k->db, PXR_LEASE, &k->has_lease);
    }
    if (status == PXR_DB_OK && k->tidied_at + TIDY_EVERY < now) {
        status = pxr_db_tidy(k->db, head->clock);
        k->tidied_at = now;
    }
    return status;
}

/* `began` is by the steady clock: when the transaction was asked for. */
static pxr_db_status_t after_commit(pxr_keeper_t *k, const pxr_db_head_t *head, int64_t began)
{
    pxr_db_status_t status;

    k->health.commit_at = pxr_time_now();
    k->health.revision = head->revision;
    k->state.revision = head->revision;
    k->state.own_revision = head->revision;
    /* Whoever is answered by what is settled may look at the status next. */
    pxr_store_keep_tell(pxr_store(), &k->health);
    settle(k);
    if (k->has_lease) {
        pxr_store_deliver(pxr_store(), began + PXR_LEASE - PXR_LEASE_MARGIN);
    }
    status = pxr_keeper_note(k);
    pxr_store_wake(pxr_store());
    return status;
}

pxr_db_status_t pxr_keeper_transact(pxr_keeper_t *k, pxr_keeper_put_t put, bool *again)
{
    pxr_db_head_t head;
    int64_t began = pxr_time_steady();
    pxr_db_status_t status = pxr_db_begin(k->db, &head);
    bool same = status == PXR_DB_OK && strcmp(head.epoch, k->state.epoch) == 0;

    *again = false;
    k->has_lease = false;
    k->written_count = 0;
    k->ending_count = 0;
    if (same && head.revision > k->state.revision + 1) {
        status = pxr_keeper_pull(k, head.revision - 1);
    }
    if (same && status == PXR_DB_OK) {
        status = put(k, &head);
    }
    /* Somebody came while it was written that nobody is there. */
    *again = same && (status == PXR_DB_REFUSED || !endings_hold(k));
    if (status != PXR_DB_OK || !same || *again) {
        pxr_db_rollback(k->db);
        return status == PXR_DB_REFUSED || status == PXR_DB_MISSING ? PXR_DB_OK : status;
    }
    status = pxr_db_commit(k->db);
    return status == PXR_DB_OK ? after_commit(k, &head, began) : status;
}

static bool has_changes(pxr_keeper_t *k)
{
    pxr_change_t change;

    if (k->shared && k->signed_at + SIGN_EVERY < pxr_time_now()) {
        return true;
    }
    for (int table = 0; table < PXR_TABLES; table++) {
        uint32_t cursor = k->cursors[table];
        if (pxr_store_changes(pxr_store(), (pxr_table_t)table, &cursor, &change, 1) > 0) {
            return true;
        }
    }
    return false;
}

static bool has_endings(pxr_keeper_t *k)
{
    pxr_ending_t ending;

    return !k->clock_jumped && pxr_store_endings(pxr_store(), pxr_time_now(), &ending, 1) > 0;
}

/* What has changed first, so that everybody who was seen is written before a meeting ends; ends in
 * a transaction of their own, which is short, because who wants to join waits for it. */
static pxr_db_status_t write_all(pxr_keeper_t *k)
{
    pxr_db_status_t status = PXR_DB_OK;
    bool again = true;

    k->more = false;
    for (int i = 0; i < TRANSACTIONS && again && status == PXR_DB_OK && has_changes(k); i++) {
        status = pxr_keeper_transact(k, put_changes, &again);
        again = again || k->more;
    }
    if (status == PXR_DB_OK && !k->more && has_endings(k)) {
        status = pxr_keeper_transact(k, put_endings, &again);
    }
    return status == PXR_DB_OK && !k->more ? pxr_keeper_forget(k) : status;
}

static void note_clocks(pxr_keeper_t *k, pxr_time_t now)
{
    int64_t clocks = now - pxr_time_steady();
    int64_t jump = k->clocks != 0 ? clocks - k->clocks : 0;

    k->clocks = clocks;
    k->clock_jumped = jump > PXR_CLOCK_JUMP || jump < -PXR_CLOCK_JUMP;
}

/* Everything that was written by others up to `began` is here; and, if `all`, what was known here
 * is there. */
static pxr_db_status_t note_success(pxr_keeper_t *k, pxr_time_t began, bool all)
{
    k->health.synced_at = pxr_time_now();
    if (all) {
        k->health.written_at = began;
    }
    return pxr_store_drop_provisional(pxr_store(), began - PXR_PROVISIONAL_KEEP) == PXR_OK
               ? PXR_DB_OK
               : PXR_DB_FAILED;
}

pxr_db_status_t pxr_keeper_round(pxr_keeper_t *k)
{
    pxr_time_t began = pxr_time_now();
    pxr_db_status_t status;
    bool read;

    note_clocks(k, began);
    pxr_store_keep_state(pxr_store(), &k->state);
    status = pxr_keeper_read(k);
    read = status == PXR_DB_OK;
    if (read && !k->shared) {
        /* There is nobody else. */
        pxr_store_deliver(pxr_store(), INT64_MAX);
    }
    if (read) {
        status = write_all(k);
    }
    if (status == PXR_DB_BUSY) {
        k->blocked_since = k->blocked_since != 0 ? k->blocked_since : began;
    } else {
        k->blocked_since = 0;
    }
    /* Another machine that stands still in the middle of its transaction keeps nobody from
     * reading. */
    return read && (status == PXR_DB_OK || status == PXR_DB_BUSY)
               ? note_success(k, began, status == PXR_DB_OK && !k->more)
               : status;
}
