#ifndef PXR_TEST_KEEP_HELPERS_H
#define PXR_TEST_KEEP_HELPERS_H

#include "store_helpers.h"

#include "../../src/store/layout.h"
#include "helpers.h"

/*
 * A database in memory, as far as the keeper's promises go (include/pxr_db.h): one transaction at a
 * time, every row with the revision that wrote it last, and the keeper's round over it.
 */

#define DB_MEETINGS 128
#define DB_SHARES 512
#define DB_LEGS 512

typedef struct {
    int64_t revision;
    pxr_meeting_record_t record;
    char *texts; /* answer and tag */
    char *packed;
} row_t;

typedef struct {
    int64_t revision;
    size_t meeting_count, share_count, leg_count;
    row_t meetings[DB_MEETINGS];
    struct {
        int64_t revision;
        pxr_share_record_t record;
    } shares[DB_SHARES];
    struct {
        int64_t revision;
        pxr_leg_record_t record;
    } legs[DB_LEGS];
} db_t;

/* One machine and what its keeper remembers. */
typedef struct {
    world_t w;
    int64_t revision;
    uint32_t cursor; /* where it begins to look for changed meetings */
    bool deaf;       /* what it commits is committed, but it does not hear so */
} machine_t;

static inline db_t *db_open(void)
{
    db_t *db = calloc(1, sizeof(*db));

    assert_non_null(db);
    return db;
}

static inline void db_close(db_t *db)
{
    for (size_t i = 0; i < db->meeting_count; i++) {
        free(db->meetings[i].texts);
        free(db->meetings[i].packed);
    }
    free(db);
}

/* Differs from world_open() in the key, which makes the machine's name. */
static inline void machine_open(machine_t *m, uint64_t key, uint32_t meetings,
                                uint32_t participants, pxr_keep_t how)
{
    pxr_store_sizes_t sizes = {.meetings = meetings, .participants = participants};
    pxr_hash_key_t secret = {.k0 = key, .k1 = 2};
    const char *origin = "https://chat.example.com";
    world_t *w = &m->w;

    m->revision = 0;
    m->cursor = 0;
    m->deaf = false;
    w->bytes = pxr_store_bytes(&sizes);
    w->memory = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w->memory != MAP_FAILED);
    assert_int_equal(pxr_store_format(&w->store, w->memory, &sizes, &secret), PXR_OK);
    pxr_store_keep(&w->store, how);
    assert_int_equal(pxr_store_workspaces(&w->store, &origin, 1, &w->workspace), PXR_OK);
}

static inline void machine_close(machine_t *m)
{
    world_close(&m->w);
}

static inline row_t *db_find(db_t *db, const char *id)
{
    for (size_t i = 0; i < db->meeting_count; i++) {
        if (strcmp(db->meetings[i].record.id, id) == 0) {
            return &db->meetings[i];
        }
    }
    return NULL;
}

static inline void db_put_meeting(db_t *db, const pxr_meeting_record_t *in)
{
    row_t *row = db_find(db, in->id);
    size_t len = in->answer_len + in->tag_len;

    if (row == NULL) {
        assert_true(db->meeting_count < DB_MEETINGS);
        row = &db->meetings[db->meeting_count++];
    }
    free(row->texts);
    free(row->packed);
    row->revision = db->revision;
    row->record = *in;
    row->texts = malloc(len + 1);
    memcpy(row->texts, in->answer, in->answer_len);
    memcpy(row->texts + in->answer_len, in->tag, in->tag_len);
    row->packed = malloc(PXR_DETAILS_MAX);
    len = pxr_details_pack(&in->details, row->packed, PXR_DETAILS_MAX);
    assert_int_equal(pxr_details_unpack(row->packed, len, &row->record.details), PXR_OK);
    row->record.answer = row->texts;
    row->record.tag = row->texts + in->answer_len;
    for (size_t i = 0; i < db->leg_count && in->life.state == PXR_MEETING_ENDED; i++) {
        pxr_leg_record_t *leg = &db->legs[i].record;
        if (strcmp(leg->meeting, in->id) == 0 && leg->leg.attached) {
            leg->leg.attached = 0;
            leg->leg.left_at = in->life.ended_at;
        }
    }
}

static inline void db_put_share(db_t *db, const pxr_share_record_t *in)
{
    size_t i = 0;

    while (i < db->share_count && (strcmp(db->shares[i].record.meeting, in->meeting) != 0 ||
                                   strcmp(db->shares[i].record.share.node, in->share.node) != 0 ||
                                   db->shares[i].record.share.scope != in->share.scope)) {
        i++;
    }
    assert_true(i < DB_SHARES);
    db->share_count += i == db->share_count;
    db->shares[i].revision = db->revision;
    db->shares[i].record = *in;
    /* What is not kept must not be relied on. */
    db->shares[i].record.share.present = 77;
    db->shares[i].record.share.epoch = 77;
    db->shares[i].record.share.known = 0;
    for (i = 0; i < db->leg_count && !in->share.open; i++) {
        pxr_leg_record_t *leg = &db->legs[i].record;
        if (strcmp(leg->meeting, in->meeting) == 0 && strcmp(leg->node, in->share.node) == 0 &&
            leg->scope == in->share.scope && leg->leg.attached &&
            leg->leg.connected_at <= in->share.end_time) {
            leg->leg.attached = 0;
            leg->leg.left_at = in->share.end_time;
        }
    }
}

static inline void db_put_leg(db_t *db, const pxr_leg_record_t *in)
{
    size_t i = 0;

    while (i < db->leg_count && (strcmp(db->legs[i].record.meeting, in->meeting) != 0 ||
                                 strcmp(db->legs[i].record.leg.uuid, in->leg.uuid) != 0)) {
        i++;
    }
    assert_true(i < DB_LEGS);
    db->leg_count += i == db->leg_count;
    db->legs[i].revision = db->revision;
    db->legs[i].record = *in;
    db->legs[i].record.leg.epoch = 77;
    db->legs[i].record.leg.known = 0;
}

/* Everything after the machine's revision. A share or leg of a meeting that is not there may be
 * met. */
static inline void db_pull(db_t *db, machine_t *m, pxr_time_t now)
{
    const pxr_store_t *store = &m->w.store;

    for (size_t i = 0; i < db->meeting_count; i++) {
        if (db->meetings[i].revision > m->revision) {
            pxr_status_t status = pxr_store_merge_meeting(store, &db->meetings[i].record, now);
            /* Where people are in one of this id that was taken back and made anew. */
            assert_true(status == PXR_OK || status == PXR_EXISTS);
        }
    }
    for (size_t i = 0; i < db->share_count; i++) {
        if (db->shares[i].revision > m->revision) {
            assert_int_equal(pxr_store_merge_share(store, &db->shares[i].record, now), PXR_OK);
        }
    }
    for (size_t i = 0; i < db->leg_count; i++) {
        if (db->legs[i].revision > m->revision) {
            pxr_status_t status = pxr_store_merge_leg(store, &db->legs[i].record, now);
            assert_true(status == PXR_OK || status == PXR_MISSING);
        }
    }
    m->revision = db->revision;
}

static inline bool db_leads_to(const pxr_meeting_record_t *r, const char *id)
{
    size_t len = strlen(id);
    const char *at = r->calls;

    while (*at != '\0') {
        size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, id, n) == 0) {
            return true;
        }
        at += n + (at[n] == ' ');
    }
    return strcmp(r->id, id) == 0;
}

/* The meeting that has this id, or that a room with one meeting has. */
static inline row_t *db_rival(db_t *db, const pxr_meeting_record_t *in)
{
    row_t *rival = NULL;

    for (size_t i = 0; i < db->meeting_count; i++) {
        const pxr_meeting_record_t *r = &db->meetings[i].record;
        if (r->withdrawn || strcmp(r->join_key, in->join_key) == 0) {
            continue;
        }
        if (db_leads_to(r, in->id)) {
            return &db->meetings[i];
        }
        if (in->single && r->single && strcmp(r->room_key, in->room_key) == 0 && !r->life.closed &&
            r->life.state != PXR_MEETING_ENDED) {
            rival = &db->meetings[i];
        }
    }
    return rival;
}

static inline void push_pending(db_t *db, machine_t *m, pxr_change_t *change,
                                pxr_meeting_copy_t *copy, pxr_time_t now)
{
    const pxr_store_t *store = &m->w.store;
    row_t *rival = db_rival(db, &copy->record);
    pxr_status_t status;

    if (rival == NULL) {
        db_put_meeting(db, &copy->record);
        if (m->deaf) {
            return;
        }
        assert_int_equal(pxr_store_settle(store, change, copy, PXR_OK), PXR_OK);
        return;
    }
    /* What was read has taken its place. */
    assert_int_equal(pxr_store_merge_meeting(store, &rival->record, now), PXR_OK);
    status = pxr_store_settle(store, change, copy, PXR_FULL);
    CHECK(status == PXR_MISSING, "%s was refused for %s although there was room", copy->record.id,
          rival->record.id);
}

static inline void push_meeting(db_t *db, machine_t *m, pxr_change_t *change, pxr_time_t now)
{
    const pxr_store_t *store = &m->w.store;
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_status_t status = pxr_store_copy_meeting(store, change, copy);
    const row_t *row = status == PXR_OK ? db_find(db, copy->record.id) : NULL;

    assert_true(status == PXR_OK || status == PXR_MISSING || status == PXR_BUSY);
    if (status == PXR_OK && copy->standing == PXR_STANDING_KNOWN) {
        db_put_meeting(db, &copy->record);
        pxr_store_saved(store, change);
    } else if (status == PXR_OK && copy->standing == PXR_STANDING_PENDING &&
               pxr_store_sending(store, change, copy) == PXR_OK) {
        push_pending(db, m, change, copy, now);
        if (!m->deaf) {
            pxr_store_saved(store, change);
        }
    } else if (status == PXR_OK && copy->standing == PXR_STANDING_WITHDRAWN) {
        copy->record.withdrawn = true;
        if (row != NULL && strcmp(row->record.join_key, copy->record.join_key) == 0) {
            db_put_meeting(db, &copy->record);
        }
        assert_int_equal(pxr_store_forget(store, change, copy), PXR_OK);
        pxr_store_saved(store, change);
    }
    free(copy);
}

/* Writes what has changed. Shares and legs that it marks as changed itself come after it. */
static inline void db_push(db_t *db, machine_t *m, pxr_time_t now)
{
    const pxr_store_t *store = &m->w.store;

    db->revision++;
    for (int table = 0; table < PXR_TABLES; table++) {
        pxr_change_t changes[1024];
        uint32_t cursor = table == PXR_TABLE_MEETINGS ? m->cursor : 0;
        size_t count = pxr_store_changes(store, (pxr_table_t)table, &cursor, changes, 1024);
        for (size_t i = 0; i < count; i++) {
            pxr_share_record_t share;
            pxr_leg_record_t leg;
            if (table == PXR_TABLE_MEETINGS) {
                push_meeting(db, m, &changes[i], now);
            } else if (table == PXR_TABLE_SHARES &&
                       pxr_store_copy_share(store, &changes[i], &share) == PXR_OK) {
                db_put_share(db, &share);
                pxr_store_saved(store, &changes[i]);
            } else if (table == PXR_TABLE_LEGS &&
                       pxr_store_copy_leg(store, &changes[i], &leg) == PXR_OK) {
                db_put_leg(db, &leg);
                pxr_store_saved(store, &changes[i]);
            }
        }
    }
}

/* The keeper's round. */
static inline void sync_machine(db_t *db, machine_t *m, pxr_time_t now)
{
    pxr_store_round_begins(&m->w.store);
    db_pull(db, m, now);
    db_push(db, m, now);
    m->revision = m->deaf ? m->revision : db->revision;
    pxr_store_round_ends(&m->w.store, true);
}

static inline pxr_ref_t find_meeting(const world_t *w, const char *id)
{
    pxr_found_t found;

    assert_int_equal(
        pxr_store_find(&w->store, w->workspace, false, id, strlen(id), T0, &found, NULL, 0),
        PXR_OK);
    return found.ref;
}

static inline bool is_found(const world_t *w, const char *alias)
{
    pxr_found_t found;

    return pxr_store_find(&w->store, w->workspace, false, alias, strlen(alias), T0, &found, NULL,
                          0) == PXR_OK;
}

/* Creates and publishes a meeting. */
static inline pxr_ref_t make_known(db_t *db, machine_t *m, const char *id, const char *number,
                                   pxr_time_t now)
{
    pxr_ref_t ref;
    bool created;

    assert_int_equal(make_meeting(&m->w, id, number, now, &ref, &created), PXR_OK);
    assert_true(created);
    sync_machine(db, m, now);
    assert_int_equal(pxr_store_await(&m->w.store, ref, 0), PXR_OK);
    return ref;
}

/* Delivers an event that may be about a meeting of ours. */
static inline pxr_status_t deliver_ours(const world_t *w, const pxr_event_t *event, pxr_time_t now)
{
    unsigned changed = 0;

    return pxr_store_event(&w->store, w->workspace, "node", event, true, now, &changed);
}

static inline size_t count_changes(const world_t *w, pxr_table_t table)
{
    pxr_change_t changes[1024];
    uint32_t cursor = 0;

    return pxr_store_changes(&w->store, table, &cursor, changes, 1024);
}

static inline void assert_changes(const world_t *w, size_t meetings, size_t shares, size_t legs)
{
    assert_int_equal(count_changes(w, PXR_TABLE_MEETINGS), meetings);
    assert_int_equal(count_changes(w, PXR_TABLE_SHARES), shares);
    assert_int_equal(count_changes(w, PXR_TABLE_LEGS), legs);
    assert_int_equal(pxr_store_unsaved(&w->store), meetings + shares + legs);
}

static inline void assert_present(const world_t *w, const char *id, size_t people)
{
    pxr_view_t view = view_of(w, find_meeting(w, id));

    assert_int_equal(view.people_count, people);
    assert_int_equal(view.life.present, people);
    pxr_view_release(&view);
}

#endif
