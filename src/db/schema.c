#include "db_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "pxr_random.h"

/*
 * Texts are never NULL: '' is absent, as 0 is for numbers. `rev` is the number of the transaction
 * that wrote a row last. `over` is 1 where a new working set has no use for a row, and the indexes
 * on the others keep that small part apart from a long history.
 */
static const char *const version_1[] = {
    "CREATE TABLE revision (id BIGINT PRIMARY KEY, n @int, epoch @text, version @int)",
    "CREATE TABLE machine (id @text, revision @int, touched_at @int, seen_at @int,"
    " complete_at @int, PRIMARY KEY (id))",
    "CREATE TABLE alias (workspace @text, alias @text, kind @int, meeting @text, until @int,"
    " PRIMARY KEY (workspace, alias))",
    "CREATE INDEX alias_meeting ON alias (workspace, meeting)",
    "CREATE INDEX alias_until ON alias (until) WHERE until <> 0",
    "CREATE TABLE meeting (workspace @text, id @text, rev @int, over @int, withdrawn @int,"
    " join_key @text, host_pin @text, guest_pin @text, number @text, breakouts @int,"
    " created_at @int, not_before @int, not_after @int, expires_at @int, grace @int, silence @int,"
    " started_at @int, ended_at @int, last_end @int, crowded_until @int, state @int, era @int,"
    " closed @int, inferred @int, last_join @int, answer @text, tag @text, title @text,"
    " room_id @text, room_name @text, room_type @text, creator_id @text, creator_username @text,"
    " creator_name @text, discussion_id @text, discussion_name @text, discussion_type @text,"
    " PRIMARY KEY (workspace, id))",
    "CREATE INDEX meeting_rev ON meeting (rev, workspace, id)",
    "CREATE INDEX meeting_alive ON meeting (created_at, workspace, id) WHERE over = 0",
    "CREATE INDEX meeting_ended ON meeting (ended_at, workspace, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE INDEX meeting_history ON meeting (workspace, ended_at, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE INDEX meeting_room ON meeting (workspace, room_id, ended_at, id)"
    " WHERE over = 1 AND withdrawn = 0",
    "CREATE TABLE hosting (workspace @text, meeting @text, node @text, scope @int, rev @int,"
    " over @int, open @int, era @int, start_time @int, end_time @int, last_at @int,"
    " order_source @int, order_seq @int, order_time @int, order_run @int,"
    " PRIMARY KEY (workspace, meeting, node, scope))",
    "CREATE INDEX hosting_rev ON hosting (rev, workspace, meeting, node, scope)",
    "CREATE INDEX hosting_alive ON hosting (start_time, workspace, meeting, node, scope)"
    " WHERE over = 0",
    "CREATE TABLE participant (workspace @text, meeting @text, uuid @text, rev @int, over @int,"
    " node @text, scope @int, name @text, protocol @text, closed @int, present @int,"
    " service @int, role @int, has_media @int, is_streaming @int, quality @int,"
    " worst_quality @int, conversation @int, related0 @int, related1 @int, related2 @int,"
    " related3 @int, connected_at @int, left_at @int, heard_at @int, quality_at @int,"
    " order_source @int, order_seq @int, order_time @int, order_run @int, joined_seq @int,"
    " joined_run @int, said_name @int, said_protocol @int, said_service @int, said_role @int,"
    " said_media @int, said_streaming @int, PRIMARY KEY (workspace, meeting, uuid))",
    "CREATE INDEX participant_rev ON participant (rev, workspace, meeting, uuid)",
    "CREATE INDEX participant_alive ON participant (connected_at, workspace, meeting, uuid)"
    " WHERE over = 0",
    NULL};

/* What Rocket.Chat is told, rooms that have one meeting only, and links that prove the creator. */
static const char *const version_2[] = {
    "ALTER TABLE meeting ADD COLUMN host_key @text",
    "ALTER TABLE meeting ADD COLUMN single @int",
    "ALTER TABLE meeting ADD COLUMN room_key @text",
    "ALTER TABLE meeting ADD COLUMN called @text",
    "ALTER TABLE meeting ADD COLUMN calls @text",
    "ALTER TABLE meeting ADD COLUMN told @text",
    "ALTER TABLE meeting ADD COLUMN thread_id @text",
    "ALTER TABLE meeting ADD COLUMN visitors @int",
    "CREATE TABLE lease (id @text, machine @text, until @int, PRIMARY KEY (id))",
    "INSERT INTO lease (id, machine, until) VALUES ('rocketchat', '', 0)",
    NULL};

/* People can be found and taken out of the history. */
static const char *const version_3[] = {
    "CREATE TABLE removal (workspace @text, who @text, rev @int, asked_at @int, again_at @int,"
    " done @int, PRIMARY KEY (workspace, who))",
    "CREATE INDEX meeting_creator_id ON meeting (workspace, creator_id)",
    "CREATE INDEX meeting_creator_username ON meeting (workspace, creator_username)",
    "CREATE INDEX meeting_creator_name ON meeting (workspace, creator_name)",
    "CREATE INDEX meeting_withdrawn ON meeting (workspace, ended_at) WHERE withdrawn = 1",
    "CREATE INDEX participant_name ON participant (workspace, name)",
    NULL};

/* Step i leads from version i to version i + 1. Later steps may only add. */
static const char *const *const steps[] = {version_1, version_2, version_3};

#define VERSION ((int64_t)(sizeof(steps) / sizeof(steps[0])))

/* 0: there is none. */
static pxr_db_status_t read_version(pxr_db_t *db, int64_t *version)
{
    char text[32];
    pxr_db_status_t status = pxr_db_simple(db, db->engine->has_schema, text, sizeof(text));

    *version = 0;
    if (status == PXR_DB_OK && strtoll(text, NULL, 10) != 0) {
        status = pxr_db_simple(db, "SELECT version FROM revision WHERE id = 1", text, sizeof(text));
        *version = strtoll(text, NULL, 10);
        if (status == PXR_DB_OK && *version <= 0) {
            status = pxr_db_fail(db, PXR_DB_FAILED, "the table \"revision\" is not ours");
        }
    }
    if (status == PXR_DB_OK && *version > VERSION) {
        status = pxr_db_fail(db, PXR_DB_NEWER,
                             "the database was written by a newer version of the module");
    }
    return status;
}

static pxr_db_status_t enter_version(pxr_db_t *db, bool fresh)
{
    char epoch[PXR_EPOCH_MAX + 1];
    char sql[160];

    if (!fresh) {
        snprintf(sql, sizeof(sql), "UPDATE revision SET version = %d WHERE id = 1", (int)VERSION);
    } else if (pxr_random_key(epoch, PXR_EPOCH_MAX)) {
        snprintf(sql, sizeof(sql),
                 "INSERT INTO revision (id, n, epoch, version) VALUES (1, 0, '%s', %d)", epoch,
                 (int)VERSION);
    } else {
        return pxr_db_fail(db, PXR_DB_FAILED, "no random numbers");
    }
    return pxr_db_simple(db, sql, NULL, 0);
}

/* Of several machines one finds the version old, the others find it done when they have waited. */
static pxr_db_status_t upgrade(pxr_db_t *db)
{
    int64_t version = 0;
    pxr_db_status_t status = PXR_DB_OK;
    apr_pool_t *pool;

    if (db->engine->lock_schema != NULL) {
        status = pxr_db_simple(db, db->engine->lock_schema, NULL, 0);
    }
    if (status == PXR_DB_OK) {
        status = read_version(db, &version);
    }
    if (status != PXR_DB_OK || version == VERSION) {
        return status;
    }
    apr_pool_create(&pool, db->pool);
    for (int64_t i = version; status == PXR_DB_OK && i < VERSION; i++) {
        for (const char *const *sql = steps[i]; status == PXR_DB_OK && *sql != NULL; sql++) {
            status = pxr_db_simple(db, pxr_db_spell(db, pool, *sql), NULL, 0);
        }
    }
    apr_pool_destroy(pool);
    return status == PXR_DB_OK ? enter_version(db, version == 0) : status;
}

pxr_db_status_t pxr_db_schema(pxr_db_t *db)
{
    int64_t version;
    pxr_db_status_t status = read_version(db, &version);

    if (status != PXR_DB_OK || version == VERSION) {
        return status;
    }
    if (db->role != PXR_DB_KEEPER) {
        return pxr_db_fail(db, PXR_DB_FAILED, "the database has no schema of this version yet");
    }
    status = pxr_db_simple(db, db->engine->begin, NULL, 0);
    if (status == PXR_DB_OK) {
        db->inside = true;
        db->failed = false;
        status = upgrade(db);
        if (status == PXR_DB_OK) {
            status = pxr_db_commit(db);
        }
        pxr_db_rollback(db);
    }
    return status;
}
