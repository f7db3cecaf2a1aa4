#include "keeper.h"

#include <stdlib.h>

#include "pxr_hash.h"
#include "pxr_random.h"
#include "pxr_roster.h"

/* What the keeper reads: rows that others have written, and whether it is still the database that
 * it was. */

/* Clocks that differ by more are put right, and told of. */
#define CLOCK_DIFFERENCE (2 * PXR_SECOND)

/* The database's rows are handed to the working set. */

static bool is_taken_in(pxr_keeper_t *k, pxr_status_t status)
{
    k->health.not_loaded += status == PXR_FULL || status == PXR_BROKEN || status == PXR_INVALID;
    /* What does not fit, makes no sense or does not belong here is left out; only a store that
     * cannot be locked ends the reading. */
    return status != PXR_BUSY;
}

static bool take_meeting(void *context, const pxr_meeting_record_t *record)
{
    return is_taken_in(context, pxr_store_merge_meeting(pxr_store(), record, pxr_time_now()));
}

static bool take_share(void *context, const pxr_share_record_t *record)
{
    return is_taken_in(context, pxr_store_merge_share(pxr_store(), record, pxr_time_now()));
}

static bool take_leg(void *context, const pxr_leg_record_t *record)
{
    return is_taken_in(context, pxr_store_merge_leg(pxr_store(), record, pxr_time_now()));
}

/* Filling a new working set: ended meetings are taken while there is room for them. */
static bool take_restored_meeting(void *context, const pxr_meeting_record_t *record)
{
    pxr_keeper_t *k = context;
    pxr_status_t status = pxr_store_merge_meeting(pxr_store(), record, pxr_time_now());

    if (status == PXR_FULL && record->life.state == PXR_MEETING_ENDED) {
        return false;
    }
    return is_taken_in(k, status);
}

pxr_db_visitor_t pxr_keeper_visitor(pxr_keeper_t *k)
{
    return (pxr_db_visitor_t){take_meeting, take_share, take_leg, k};
}

pxr_db_status_t pxr_keeper_note(pxr_keeper_t *k)
{
    return pxr_store_keep_note(pxr_store(), &k->state) == PXR_OK ? PXR_DB_OK : PXR_DB_FAILED;
}

pxr_db_status_t pxr_keeper_pull(pxr_keeper_t *k, int64_t up_to)
{
    pxr_db_visitor_t all = pxr_keeper_visitor(k);
    pxr_db_status_t status = pxr_db_pull(k->db, k->state.revision, &all);

    if (status == PXR_DB_OK) {
        k->state.revision = up_to;
        status = pxr_keeper_note(k);
    }
    return status;
}

static pxr_db_status_t fill_from(pxr_keeper_t *k, const pxr_db_head_t *head)
{
    pxr_db_visitor_t all = pxr_keeper_visitor(k);
    pxr_time_t now = pxr_time_now();
    pxr_store_health_t before;
    pxr_store_health_t after;
    pxr_db_status_t status;

    all.meeting = take_restored_meeting;
    k->health.not_loaded = 0;
    pxr_store_health(pxr_store(), &before);
    status = pxr_db_restore(k->db, now - PXR_ENDED_KEEP, &all);
    if (status != PXR_DB_OK) {
        return status;
    }
    k->state.revision = head->revision;
    k->state.own_revision = head->own_revision;
    k->state.complete = true;
    memcpy(k->state.epoch, head->epoch, sizeof(k->state.epoch));
    pxr_store_health(pxr_store(), &after);
    if (after.slots.used != before.slots.used) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, k->server,
                     "PXR1049: %u meetings filled in from the database, %u of them open or live",
                     after.slots.used - before.slots.used,
                     after.meetings.used - before.meetings.used);
    }
    if (k->health.not_loaded > 0) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, 0, k->server,
            "PXR1050: there was no room for %u records of the database: raise " PXR_D_MEETINGS
            " and " PXR_D_PARTICIPANTS,
            k->health.not_loaded);
    }
    /* Nobody listened while it was away, so what drains begins anew. */
    return pxr_store_resume(pxr_store(), now) == PXR_OK ? pxr_keeper_note(k) : PXR_DB_FAILED;
}

/* The database does not remember what it knew before: everything that is known here goes there
 * again, and everything that is there comes here. */
static pxr_db_status_t start_over(pxr_keeper_t *k)
{
    k->state.revision = 0;
    k->state.own_revision = 0;
    k->state.complete = false;
    if (pxr_store_unsave(pxr_store()) != PXR_OK) {
        return PXR_DB_FAILED;
    }
    return pxr_keeper_note(k);
}

/* An older state of the same database: the other machines must notice, too. */
static pxr_db_status_t rename_epoch(pxr_keeper_t *k, pxr_db_head_t *head)
{
    char epoch[PXR_EPOCH_MAX + 1];
    pxr_db_status_t status;

    if (!pxr_random_key(epoch, PXR_EPOCH_MAX)) {
        return PXR_DB_FAILED;
    }
    status = pxr_db_begin(k->db, head);
    if (status == PXR_DB_OK) {
        status = pxr_db_set_epoch(k->db, epoch);
    }
    if (status == PXR_DB_OK) {
        status = pxr_db_commit(k->db);
    }
    if (status != PXR_DB_OK) {
        pxr_db_rollback(k->db);
    }
    return status == PXR_DB_OK ? pxr_db_look(k->db, head) : status;
}

static pxr_db_status_t compare_epoch(pxr_keeper_t *k, pxr_db_head_t *head)
{
    bool first = k->state.epoch[0] == '\0';
    bool other = strcmp(k->state.epoch, head->epoch) != 0;
    /* A row that is missing may have been tidied away while this machine stood still. */
    bool older =
        !other && (head->revision < k->state.revision ||
                   (head->own_revision != 0 && head->own_revision < k->state.own_revision));
    pxr_db_status_t status = PXR_DB_OK;

    if (!other && !older) {
        return PXR_DB_OK;
    }
    if (!first) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, k->server,
                     "PXR1051: the database is %s: all that is known here is written to it again",
                     other ? "another one than before" : "in an older state than before");
    }
    if (older) {
        status = rename_epoch(k, head);
    }
    return status == PXR_DB_OK ? start_over(k) : status;
}

static void compare_clocks(pxr_keeper_t *k, int64_t ahead)
{
    bool was_wrong = k->health.clock_ahead != 0;

    k->ahead = ahead;
    k->health.clock_ahead = ahead > CLOCK_DIFFERENCE || ahead < -CLOCK_DIFFERENCE ? ahead : 0;
    if (k->health.clock_ahead != 0 && !was_wrong) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, k->server,
            "PXR1052: the database's clock differs from this machine's by %" APR_INT64_T_FMT
            " s: set them by NTP",
            (apr_int64_t)(ahead / PXR_SECOND));
    }
}

/* What is read comes first, so that everything is known before it is written over. */
pxr_db_status_t pxr_keeper_read(pxr_keeper_t *k)
{
    pxr_db_head_t head = {.clock = 0};
    int64_t asked = pxr_time_steady();
    pxr_db_status_t status = pxr_db_look(k->db, &head);
    int64_t ahead = head.clock - pxr_time_now();
    /* Else this machine, or the database, stood still meanwhile, and nothing is known. */
    bool measured = pxr_time_steady() - asked < CLOCK_DIFFERENCE / 2;

    if (status == PXR_DB_OK) {
        status = compare_epoch(k, &head);
    }
    if (status != PXR_DB_OK) {
        return status;
    }
    if (measured) {
        compare_clocks(k, ahead);
    }
    k->health.revision = head.revision;
    if (!k->state.complete) {
        return fill_from(k, &head);
    }
    return head.revision > k->state.revision ? pxr_keeper_pull(k, head.revision) : PXR_DB_OK;
}

typedef struct {
    pxr_roster_leg_t *legs;
    size_t count;
    size_t room;
} crowd_t;

static bool add_to_crowd(void *context, const pxr_leg_record_t *record)
{
    crowd_t *crowd = context;

    if (crowd->count == crowd->room) {
        size_t room = crowd->room > 0 ? crowd->room * 2 : 64;
        pxr_roster_leg_t *grown = realloc(crowd->legs, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        crowd->legs = grown;
        crowd->room = room;
    }
    crowd->legs[crowd->count++] =
        (pxr_roster_leg_t){.leg = record->leg, .key = pxr_hash_text(record->leg.uuid)};
    return true;
}

pxr_db_status_t pxr_keeper_count_visitors(pxr_keeper_t *k, const pxr_meeting_record_t *meeting,
                                          uint32_t *visitors)
{
    crowd_t crowd = {.legs = NULL};
    pxr_db_visitor_t visitor = {.leg = add_to_crowd, .context = &crowd};
    pxr_db_status_t status = pxr_db_read_legs(k->db, meeting->workspace, meeting->id, &visitor);
    uint32_t *index = malloc(pxr_roster_index_size(crowd.count) * sizeof(*index));

    if (index == NULL) {
        status = PXR_DB_FAILED;
    }
    if (status == PXR_DB_OK) {
        *visitors = 1 + (uint32_t)pxr_roster_people(crowd.legs, crowd.count, index, NULL, 0);
    }
    free(index);
    free(crowd.legs);
    return status;
}

pxr_db_status_t pxr_keeper_fill(pxr_keeper_t *k)
{
    pxr_store_keep_state(pxr_store(), &k->state);
    return pxr_keeper_read(k);
}
