#include "db_helpers.h"

#include <pthread.h>

/* Several machines on one database: transactions, signs of life, epochs and the lease. */

static void knows_other_machines_and_what_they_have_written(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_head_t head;
    uint32_t behind, alive;
    pxr_time_t since;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    head = look(other);
    OK(w.db, pxr_db_others(w.db, head.clock, 0, &behind, &alive));
    assert_int_equal(alive, 0);
    begin(other);
    OK(other, pxr_db_sign(other, false));
    commit(other);
    OK(w.db, pxr_db_others(w.db, head.clock, head.clock - PXR_SECOND, &behind, &alive));
    assert_int_equal(alive, 1);
    assert_int_equal(behind, 1);
    since = look(other).clock;
    begin(other);
    OK(other, pxr_db_sign(other, true));
    commit(other);
    OK(w.db, pxr_db_others(w.db, since, since - PXR_SECOND, &behind, &alive));
    assert_int_equal(alive, 1);
    assert_int_equal(behind, 0);
    OK(w.db, pxr_db_others(w.db, look(w.db).clock + 1, since - PXR_SECOND, &behind, &alive));
    assert_int_equal(behind, 1);
    /* A machine waits neither for itself nor for the dead. */
    OK(other, pxr_db_others(other, look(other).clock, 0, &behind, &alive));
    assert_int_equal(alive, 0);
    OK(w.db, pxr_db_others(w.db, since, look(w.db).clock + 1, &behind, &alive));
    assert_int_equal(alive, 0);
    assert_true(look(other).own_revision > 0);
    begin(w.db);
    OK(w.db, pxr_db_tidy(w.db, look(other).clock + 25 * 3600 * PXR_SECOND));
    commit(w.db);
    assert_int_equal(look(other).own_revision, 0);
    pxr_db_close(other);
    world_close(&w);
}

static void remembers_epoch_and_own_revision(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_head_t head;
    char first[PXR_EPOCH_MAX + 1];

    (void)state;
    world_open(&w);
    head = look(w.db);
    assert_int_equal(head.revision, 0);
    assert_int_equal(head.own_revision, 0);
    assert_int_equal(strlen(head.epoch), PXR_EPOCH_MAX);
    assert_true(llabs(head.clock - pxr_time_now()) < 60 * PXR_SECOND);
    memcpy(first, head.epoch, sizeof(first));
    OK(w.db, pxr_db_begin(w.db, &head));
    assert_int_equal(head.revision, 1);
    assert_int_equal(head.own_revision, 0);
    commit(w.db);
    begin(w.db);
    pxr_db_rollback(w.db);
    pxr_db_rollback(w.db);
    other = open_as(&w.other, PXR_DB_KEEPER);
    OK(other, pxr_db_begin(other, &head));
    assert_int_equal(head.revision, 2);
    assert_int_equal(head.own_revision, 0);
    assert_string_equal(head.epoch, first);
    OK(other, pxr_db_set_epoch(other, "AAAAAAAAAAAAAAAAAAAA"));
    commit(other);
    head = look(w.db);
    assert_int_equal(head.revision, 2);
    assert_int_equal(head.own_revision, 1);
    assert_string_equal(head.epoch, "AAAAAAAAAAAAAAAAAAAA");
    pxr_db_close(other);
    world_close(&w);
}

static void refused_data_costs_only_its_transaction(void **state)
{
    world_t w;
    bool is_number;
    pxr_meeting_record_t bad = meeting("Meeting1"), good = meeting("Meeting2");
    pxr_db_status_t status;

    (void)state;
    world_open(&w);
    set_detail(&bad, PXR_TITLE, "bad \xFF\xFE utf-8");
    begin(w.db);
    status = pxr_db_put_meeting(w.db, &bad);
    if (shared()) {
        assert_int_equal(status, PXR_DB_REFUSED);
        assert_non_null(strstr(pxr_db_why(w.db), "22021"));
        assert_int_equal(pxr_db_put_meeting(w.db, &good), PXR_DB_FAILED);
        assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    } else {
        assert_int_equal(status, PXR_DB_OK);
        commit(w.db);
    }
    bad = meeting("Meeting3");
    bad.tag = "a\0b";
    begin(w.db);
    assert_int_equal(pxr_db_create(w.db, &bad, &is_number, existing), PXR_DB_REFUSED);
    pxr_db_rollback(w.db);
    assert_int_equal(try_create(&w, "Meeting2", "", &is_number), PXR_DB_OK);

    raw(&w, "CREATE UNIQUE INDEX made_by_hand ON meeting (join_key)");
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    bad = meeting("Meeting4");
    snprintf(bad.join_key, sizeof(bad.join_key), "keyMeeting2");
    begin(w.db);
    assert_int_equal(pxr_db_put_meeting(w.db, &bad), PXR_DB_REFUSED);
    assert_null(strstr(pxr_db_why(w.db), "keyMeeting2"));
    pxr_db_rollback(w.db);
    assert_int_equal(try_create(&w, "Meeting5", "", &is_number), PXR_DB_OK);
    world_close(&w);
}

static void nothing_is_written_outside_a_transaction(void **state)
{
    world_t w;
    pxr_meeting_record_t m = meeting("Meeting1");
    bool is_number;

    (void)state;
    world_open(&w);
    assert_int_equal(pxr_db_put_meeting(w.db, &m), PXR_DB_FAILED);
    assert_int_equal(pxr_db_create(w.db, &m, &is_number, existing), PXR_DB_FAILED);
    assert_int_equal(pxr_db_sign(w.db, true), PXR_DB_FAILED);
    assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    begin(w.db);
    OK(w.db, pxr_db_create(w.db, &m, &is_number, existing));
    pxr_db_rollback(w.db);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "0");
    assert_string_equal(raw(&w, "SELECT n FROM revision"), "0");
    world_close(&w);
}

static void *begin_and_look_for_it(void *context)
{
    rival_t *rival = context;
    pxr_meeting_record_t m = meeting("Meeting1");
    bool is_number;

    /* It waits in small portions. */
    do {
        rival->status = pxr_db_begin(rival->db, &rival->head);
        rival->waits += rival->status == PXR_DB_BUSY;
    } while (rival->status == PXR_DB_BUSY);
    if (rival->status == PXR_DB_OK) {
        rival->exists = pxr_db_create(rival->db, &m, &is_number, existing) == PXR_DB_EXISTS;
        rival->status = pxr_db_commit(rival->db);
    }
    return NULL;
}

static void only_one_writes_and_sees_all_before(void **state)
{
    world_t w;
    pxr_meeting_record_t m = meeting("Meeting1");
    rival_t rival = {0};
    pthread_t thread;
    int64_t mine;
    bool is_number;

    (void)state;
    world_open(&w);
    rival.db = open_as(&w.other, PXR_DB_KEEPER);
    mine = begin(w.db);
    assert_int_equal(pthread_create(&thread, NULL, begin_and_look_for_it, &rival), 0);
    sleep_ms(200);
    OK(w.db, pxr_db_create(w.db, &m, &is_number, existing));
    commit(w.db);
    assert_int_equal(pthread_join(thread, NULL), 0);
    CHECK(rival.status == PXR_DB_OK, "%s", pxr_db_why(rival.db));
    assert_true(strcmp(driver, "pgsql") != 0 || rival.waits > 0);
    assert_int_equal(rival.head.revision, mine + 1);
    assert_true(rival.exists);
    for (int i = 0; i < 50; i++) {
        pxr_db_t *db = i % 2 ? w.db : rival.db;
        assert_int_equal(begin(db), mine + 2 + i);
        commit(db);
    }
    pxr_db_close(rival.db);
    world_close(&w);
}

static bool lease_on(pxr_db_t *db, int64_t length)
{
    bool mine = false;

    begin(db);
    OK(db, pxr_db_lease(db, length, &mine));
    commit(db);
    return mine;
}

static void one_machine_has_the_lease(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_db_t *again;
    bool mine = true;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    assert_int_equal(pxr_db_lease(w.db, PXR_SECOND, &mine), PXR_DB_FAILED);
    assert_false(mine);
    /* What is rolled back was not taken. */
    begin(w.db);
    OK(w.db, pxr_db_lease(w.db, 60 * PXR_SECOND, &mine));
    assert_true(mine);
    pxr_db_rollback(w.db);
    assert_true(lease_on(other, 3 * PXR_SECOND / 2));
    assert_false(lease_on(w.db, 60 * PXR_SECOND));
    /* It keeps its own for as long as it goes on saying so, also by another connection. */
    sleep_ms(900);
    assert_true(lease_on(other, 3 * PXR_SECOND / 2));
    sleep_ms(900);
    assert_false(lease_on(w.db, 60 * PXR_SECOND));
    again = open_as(&w.other, PXR_DB_KEEPER);
    assert_true(lease_on(again, PXR_SECOND / 5));
    pxr_db_close(again);
    /* When it has run out, who comes first has it. */
    sleep_ms(300);
    assert_true(lease_on(w.db, 60 * PXR_SECOND));
    assert_false(lease_on(other, 60 * PXR_SECOND));
    assert_true(lease_on(w.db, PXR_SECOND / 10));
    sleep_ms(200);
    /* Also its former owner, who was the last one. */
    assert_true(lease_on(w.db, PXR_SECOND / 10));
    sleep_ms(200);
    assert_true(lease_on(other, PXR_SECOND));
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM lease"), "1");
    pxr_db_close(other);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_other_machines_and_what_they_have_written),
        cmocka_unit_test(remembers_epoch_and_own_revision),
        cmocka_unit_test(refused_data_costs_only_its_transaction),
        cmocka_unit_test(nothing_is_written_outside_a_transaction),
        cmocka_unit_test(only_one_writes_and_sees_all_before),
        cmocka_unit_test(one_machine_has_the_lease),
    };

    return RUN_ON_BOTH(tests);
}
