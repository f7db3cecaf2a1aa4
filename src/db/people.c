#include "db_internal.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SHARE(column) PXR_FIELD(pxr_share_record_t, #column, share.column)
#define SHARE_ORDER(column) PXR_FIELD(pxr_share_record_t, "order_" #column, share.order.column)
#define LEG(column) PXR_FIELD(pxr_leg_record_t, #column, leg.column)
#define LEG_ORDER(column) PXR_FIELD(pxr_leg_record_t, "order_" #column, leg.order.column)
#define LEG_SAID(column, what) \
    PXR_FIELD(pxr_leg_record_t, "said_" #column, leg.said_at[PXR_SAID_##what])
#define LEG_RELATED(i) PXR_FIELD(pxr_leg_record_t, "related" #i, leg.related[i])

static const pxr_field_t share_keys[] = {PXR_FIELD(pxr_share_record_t, "workspace", workspace),
                                         PXR_FIELD(pxr_share_record_t, "meeting", meeting),
                                         SHARE(node), SHARE(scope)};
static const pxr_field_t share_fields[] = {SHARE(open),      SHARE(era),        SHARE(start_time),
                                           SHARE(end_time),  SHARE(last_at),    SHARE_ORDER(source),
                                           SHARE_ORDER(seq), SHARE_ORDER(time), SHARE_ORDER(run)};

static const pxr_field_t leg_keys[] = {PXR_FIELD(pxr_leg_record_t, "workspace", workspace),
                                       PXR_FIELD(pxr_leg_record_t, "meeting", meeting), LEG(uuid)};
static const pxr_field_t leg_fields[] = {
    PXR_FIELD(pxr_leg_record_t, "node", node),
    PXR_FIELD(pxr_leg_record_t, "scope", scope),
    PXR_FIELD(pxr_leg_record_t, "name", name),
    LEG(protocol),
    LEG(closed),
    LEG(present),
    LEG(service),
    LEG(role),
    LEG(has_media),
    LEG(is_streaming),
    LEG(quality),
    LEG(worst_quality),
    LEG(conversation),
    LEG_RELATED(0),
    LEG_RELATED(1),
    LEG_RELATED(2),
    LEG_RELATED(3),
    LEG(connected_at),
    LEG(left_at),
    LEG(heard_at),
    LEG(quality_at),
    LEG_ORDER(source),
    LEG_ORDER(seq),
    LEG_ORDER(time),
    LEG_ORDER(run),
    LEG(joined_seq),
    LEG(joined_run),
    LEG_SAID(name, NAME),
    LEG_SAID(protocol, PROTOCOL),
    LEG_SAID(service, SERVICE),
    LEG_SAID(role, ROLE),
    LEG_SAID(media, MEDIA),
    LEG_SAID(streaming, STREAMING),
};
_Static_assert(PXR_SAID == 6, "each has a column");
_Static_assert(PXR_RELATED_MAX == 4, "related legs have a column each");

static bool visit_share(const pxr_db_visitor_t *visitor, void *record, bool over)
{
    (void)over;
    return visitor->share(visitor->context, record);
}

static bool visit_leg(const pxr_db_visitor_t *visitor, void *record, bool over)
{
    pxr_leg_record_t *leg = record;

    leg->leg.attached = !over;
    return visitor->leg(visitor->context, leg);
}

const pxr_table_t pxr_db_shares = {share_keys, COUNT(share_keys), share_fields, COUNT(share_fields),
                                   visit_share};
const pxr_table_t pxr_db_legs = {leg_keys, COUNT(leg_keys), leg_fields, COUNT(leg_fields),
                                 visit_leg};

static const pxr_statement_t put_share = {
    &pxr_db_shares, "INSERT INTO hosting (@columns, rev, over, @keys)"
                    " VALUES (@values, %lld, %lld, @keyvalues)"
                    " ON CONFLICT (@keys) DO UPDATE SET @updates, rev = excluded.rev,"
                    " over = excluded.over"};
static const pxr_statement_t put_leg = {
    &pxr_db_legs, "INSERT INTO participant (@columns, rev, over, @keys)"
                  " VALUES (@values, %lld, %lld, @keyvalues)"
                  " ON CONFLICT (@keys) DO UPDATE SET @updates, rev = excluded.rev,"
                  " over = excluded.over"};
static const pxr_statement_t end_shares = {
    NULL, "UPDATE hosting SET over = 1 WHERE workspace = %s AND meeting = %s AND over = 0"};
static const pxr_statement_t end_legs = {
    NULL, "UPDATE participant SET left_at = %lld, rev = %lld, over = 1"
          " WHERE workspace = %s AND meeting = %s AND over = 0"};
static const pxr_statement_t close_share = {
    NULL, "UPDATE participant SET left_at = %lld, rev = %lld, over = 1"
          " WHERE workspace = %s AND meeting = %s AND over = 0"
          " AND node = %s AND scope = %lld AND order_time <= %lld"};

/* The first moment that is known, since 0 would mean that it has not come. */
static pxr_time_t known_moment(pxr_time_t a, pxr_time_t b, pxr_time_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

pxr_db_status_t pxr_db_end_people(pxr_db_t *db, const char *workspace, const char *id,
                                  pxr_time_t ended_at)
{
    pxr_args_t shares = {.count = 0};
    pxr_args_t legs = {.count = 0};
    pxr_db_status_t status;

    pxr_db_arg_text(&shares, workspace);
    pxr_db_arg_text(&shares, id);
    status = pxr_db_run(db, &end_shares, &shares, NULL);
    if (status != PXR_DB_OK) {
        return status;
    }
    pxr_db_arg_number(&legs, known_moment(ended_at, db->clock, 1));
    pxr_db_arg_number(&legs, db->revision);
    pxr_db_arg_text(&legs, workspace);
    pxr_db_arg_text(&legs, id);
    return pxr_db_run(db, &end_legs, &legs, NULL);
}

static pxr_db_status_t put_row(pxr_db_t *db, const pxr_statement_t *statement, const void *record,
                               bool over)
{
    const pxr_table_t *table = statement->table;
    pxr_args_t args = {.count = 0};

    apr_pool_clear(db->scratch);
    pxr_db_arg_fields(&args, db->scratch, table->fields, table->field_count, record);
    pxr_db_arg_number(&args, db->revision);
    pxr_db_arg_number(&args, over);
    pxr_db_arg_fields(&args, db->scratch, table->keys, table->key_count, record);
    return pxr_db_run(db, statement, &args, NULL);
}

static pxr_db_status_t close_legs(pxr_db_t *db, const pxr_share_record_t *record)
{
    const pxr_share_t *share = &record->share;
    pxr_args_t args = {.count = 0};

    pxr_db_arg_number(&args, known_moment(share->end_time, share->order.time, db->clock));
    pxr_db_arg_number(&args, db->revision);
    pxr_db_arg_text(&args, record->workspace);
    pxr_db_arg_text(&args, record->meeting);
    pxr_db_arg_text(&args, share->node);
    pxr_db_arg_number(&args, (int64_t)share->scope);
    pxr_db_arg_number(&args, share->order.time);
    return pxr_db_run(db, &close_share, &args, NULL);
}

pxr_db_status_t pxr_db_put_share(pxr_db_t *db, const pxr_share_record_t *record)
{
    pxr_db_status_t status = pxr_db_inside(db);
    pxr_time_t ended_at;

    if (status == PXR_DB_OK) {
        status = pxr_db_meeting_end(db, record->workspace, record->meeting, &ended_at);
    }
    if (status == PXR_DB_OK) {
        status = put_row(db, &put_share, record, ended_at != 0);
    }
    return status == PXR_DB_OK && !record->share.open ? close_legs(db, record) : status;
}

pxr_db_status_t pxr_db_put_leg(pxr_db_t *db, const pxr_leg_record_t *record)
{
    pxr_leg_record_t kept = *record;
    pxr_db_status_t status = pxr_db_inside(db);
    pxr_time_t ended_at = 0;

    if (status == PXR_DB_OK && kept.leg.attached) {
        status = pxr_db_meeting_end(db, kept.workspace, kept.meeting, &ended_at);
        kept.leg.left_at = ended_at == 0 ? 0 : known_moment(kept.leg.left_at, ended_at, 0);
    } else if (kept.leg.left_at == 0) {
        kept.leg.left_at = known_moment(kept.leg.heard_at, kept.leg.order.time, db->clock);
    }
    return status == PXR_DB_OK ? put_row(db, &put_leg, &kept, kept.leg.left_at != 0) : status;
}
