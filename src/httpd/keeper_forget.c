#include "keeper.h"

/* What the keeper takes out of the history, piece by piece. */

#define HEAR_EVERY PXR_SECOND
#define EXPIRE_EVERY (60 * PXR_SECOND)
/* A machine that has just begun may still have a wrong clock. */
#define EXPIRE_FIRST (10 * PXR_SECOND)

/* People. */

static bool follow(void *context, const pxr_removal_t *removal)
{
    pxr_keeper_t *k = context;
    pxr_status_t status = pxr_store_erase_person(pxr_store(), removal->workspace, removal->who,
                                                 PXR_NOBODY, removal->asked_at);

    if (status != PXR_OK && status != PXR_BUSY) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, k->server,
            "PXR1062: a person who was taken out of the history stays in memory for up to a day, "
            "because there is no room to write");
    }
    return status != PXR_BUSY;
}

static pxr_db_status_t put_removal(pxr_keeper_t *k, const pxr_db_head_t *head)
{
    /* Another machine may have finished it meanwhile. */
    pxr_db_status_t status = pxr_db_next_removal(k->db, head->clock, &k->removal);

    return status == PXR_DB_OK ? pxr_db_remove_some(k->db, &k->removal) : status;
}

/* Old meetings. */

static const pxr_workspace_t *expiring(const pxr_keeper_t *k)
{
    return APR_ARRAY_IDX(pxr_workspaces, k->expiring, pxr_workspace_t *);
}

/* The earlier of two clocks: if one of them is wrong, nothing should be lost for it. */
static pxr_db_status_t put_expiry(pxr_keeper_t *k, const pxr_db_head_t *head)
{
    pxr_time_t now = pxr_time_now();
    pxr_time_t before = (head->clock < now ? head->clock : now) - expiring(k)->history_keep;
    size_t rows = 0;
    pxr_db_status_t status = pxr_db_expire(k->db, expiring(k)->site_url, before, &rows);

    k->expired_all = status == PXR_DB_OK && rows == 0;
    return k->expired_all ? PXR_DB_MISSING : status;
}

static pxr_db_status_t expire(pxr_keeper_t *k, pxr_time_t now)
{
    pxr_db_status_t status = PXR_DB_OK;
    bool again;

    k->expired_all = expiring(k)->history_keep == 0;
    if (!k->expired_all) {
        status = pxr_keeper_transact(k, put_expiry, &again);
    }
    if (status == PXR_DB_OK && k->expired_all) {
        k->expiring = (k->expiring + 1) % pxr_workspaces->nelts;
        k->expire_at = k->expiring == 0 ? now + EXPIRE_EVERY : k->expire_at;
    }
    return status;
}

pxr_db_status_t pxr_keeper_forget(pxr_keeper_t *k)
{
    pxr_time_t now = pxr_time_now();
    pxr_db_status_t status = PXR_DB_OK;
    bool again;

    if (k->expire_at == 0) {
        k->expire_at = now + EXPIRE_FIRST;
    }
    if (k->heard_at + HEAR_EVERY < now || k->heard_at > now) {
        status = pxr_db_next_removal(k->db, now + k->ahead, &k->removal);
        if (status == PXR_DB_OK) {
            return pxr_keeper_transact(k, put_removal, &again);
        }
        if (status == PXR_DB_MISSING) {
            k->heard_at = now;
            status = pxr_db_removals(k->db, &k->heard_revision, follow, k);
        }
    }
    return status == PXR_DB_OK && k->expire_at < now && !k->clock_jumped ? expire(k, now) : status;
}
