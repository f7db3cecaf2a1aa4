#include "db_helpers.h"

#include <pthread.h>

/* Names in the database: which meeting an id, a number, a room or a further call leads to. */

static void refuses_names_that_are_taken(void **state)
{
    world_t w;
    bool is_number;
    pxr_meeting_record_t elsewhere = meeting("Meeting1");

    (void)state;
    world_open(&w);
    assert_int_equal(try_create(&w, "Meeting1", "480017", &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_int_equal(try_create(&w, "Meeting1", "480099", &is_number), PXR_DB_EXISTS);
    assert_int_equal(try_create(&w, "480017", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "Meeting2", "Meeting1", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "77777777", "77777777", &is_number), PXR_DB_INVALID);
    /* Nothing of what was refused is there. */
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "1");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias"), "2");
    /* By bytes, and each workspace by itself. */
    assert_int_equal(try_create(&w, "MEETING1", "", &is_number), PXR_DB_OK);
    snprintf(elsewhere.workspace, sizeof(elsewhere.workspace), "https://other.example.com");
    begin(w.db);
    OK(w.db, pxr_db_create(w.db, &elsewhere, &is_number, existing));
    commit(w.db);
    world_close(&w);
}

/* To which meeting a name leads; "" for none. */
static const char *leads_to(const world_t *w, const char *alias)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "SELECT meeting FROM alias WHERE workspace = '" ORIGIN "' AND alias = '%s'", alias);
    return raw(w, sql);
}

static void a_room_has_one_meeting_until_nobody_can_join_it(void **state)
{
    world_t w;
    pxr_db_t *other;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall ThirdCall1");
    pxr_meeting_record_t second = in_room("FourthCall", "Lobby123", "");
    pxr_meeting_record_t elsewhere = in_room("FifthCall1", "Lobby123", "");
    bool is_number;

    (void)state;
    world_open(&w);
    other = open_as(&w.other, PXR_DB_KEEPER);
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    assert_string_equal(leads_to(&w, "ThirdCall1"), "FirstCall1");
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "FirstCall1");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "1");
    /* Each workspace has rooms of its own; a meeting that does not ask for the room is no rival. */
    snprintf(elsewhere.workspace, sizeof(elsewhere.workspace), "https://other.example.com");
    assert_int_equal(create_on(other, &elsewhere, &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "AtWill123", "", &is_number), PXR_DB_OK);
    /* Live it still is the room's; closed it is not, although it goes on. */
    first.life.state = PXR_MEETING_LIVE;
    put_on(w.db, &first);
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_EXISTS);
    first.life.closed = 1;
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    assert_int_equal(create_on(other, &second, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    assert_string_equal(leads_to(&w, "Lobby123"), "FourthCall");
    /* Whatever is written of the old one takes nothing from the new one. */
    put_on(w.db, &first);
    first.life.state = PXR_MEETING_ENDED;
    first.life.ended_at = T0 + 1;
    put_on(w.db, &first);
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    put_on(other, &second);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FourthCall");
    /* An end frees it as well. */
    second.life.state = PXR_MEETING_ENDED;
    second.life.ended_at = T0 + 2;
    put_on(other, &second);
    snprintf(second.id, sizeof(second.id), "SixthCall1");
    snprintf(second.join_key, sizeof(second.join_key), "keySixthCall1");
    second.life.state = PXR_MEETING_OPEN;
    second.life.ended_at = 0;
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_OK);
    pxr_db_close(other);
    world_close(&w);
}

static void further_calls_are_names_like_others(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t other = meeting("Neighbour1");
    pxr_meeting_record_t rival = in_room("SecondCall", "", "");
    pxr_meeting_record_t old = ended("OldMeeting", T0);
    bool is_number;

    (void)state;
    world_open(&w);
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    /* The id of a call leads to its meeting; a name of a room is no id. */
    assert_int_equal(try_create(&w, "SecondCall", "", &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "FirstCall1");
    assert_int_equal(try_create(&w, "Lobby123", "", &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    assert_int_equal(try_create(&w, "Meeting1", "SecondCall", &is_number), PXR_DB_INVALID);
    assert_int_equal(try_create(&w, "Meeting1", "Lobby123", &is_number), PXR_DB_INVALID);
    /* One that comes later, and comes again. */
    snprintf(first.calls, sizeof(first.calls), "ThirdCall1 SecondCall");
    put_on(w.db, &first);
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "ThirdCall1"), "FirstCall1");
    /* What is somebody's stays his. */
    snprintf(other.number, sizeof(other.number), "48001700");
    assert_int_equal(create_on(w.db, &other, &is_number), PXR_DB_OK);
    snprintf(first.calls, sizeof(first.calls), "ThirdCall1 48001700 Neighbour1");
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "48001700"), "Neighbour1");
    assert_string_equal(leads_to(&w, "Neighbour1"), "Neighbour1");
    snprintf(rival.room_key, sizeof(rival.room_key), "ffffffffffffffff");
    snprintf(rival.id, sizeof(rival.id), "OtherRoom1");
    snprintf(rival.called, sizeof(rival.called), "Lobby123");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    /* Who asks for an id wants that meeting, whichever one the room has. */
    put_on(w.db, &old);
    rival = in_room("OldMeeting", "", "");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_EXISTS);
    assert_false(is_number);
    assert_string_equal(existing, "OldMeeting");
    rival = in_room("48001700", "", "");
    assert_int_equal(create_on(w.db, &rival, &is_number), PXR_DB_EXISTS);
    assert_true(is_number);
    world_close(&w);
}

static void a_withdrawn_creation_leaves_the_room_with_its_calls(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t second = in_room("SecondCall", "Lobby123", "ThirdCall1");
    pxr_meeting_record_t another = first;
    bool is_number;

    (void)state;
    world_open(&w);
    snprintf(first.number, sizeof(first.number), "48001700");
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_OK);
    /* Another one's of the same id withdraws nothing. */
    snprintf(another.join_key, sizeof(another.join_key), "another");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &another));
    commit(w.db);
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_EXISTS);
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &first));
    commit(w.db);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias"), "0");
    assert_int_equal(create_on(w.db, &second, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "SecondCall"), "SecondCall");
    /* Its id may be used again, in another room as well. */
    snprintf(another.room_key, sizeof(another.room_key), "ffffffffffffffff");
    another.calls[0] = '\0';
    assert_int_equal(create_on(w.db, &another, &is_number), PXR_DB_OK);
    assert_string_equal(leads_to(&w, "room/ffffffffffffffff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "SecondCall"), "SecondCall");
    world_close(&w);
}

/* A database that was restored from a backup knows neither it nor its room. */
static void what_is_written_anew_brings_its_room_along(void **state)
{
    world_t w;
    pxr_meeting_record_t first = in_room("FirstCall1", "Lobby123", "SecondCall");
    pxr_meeting_record_t closed = in_room("ClosedOne1", "Lobby123", "OldCall12");
    bool is_number;

    (void)state;
    world_open(&w);
    closed.life.closed = 1;
    put_on(w.db, &closed);
    assert_string_equal(leads_to(&w, "Lobby123"), "");
    put_on(w.db, &first);
    assert_string_equal(leads_to(&w, "room/00112233445566ff"), "FirstCall1");
    assert_string_equal(leads_to(&w, "Lobby123"), "FirstCall1");
    assert_string_equal(leads_to(&w, "SecondCall"), "FirstCall1");
    assert_string_equal(leads_to(&w, "OldCall12"), "ClosedOne1");
    first = in_room("RivalCall1", "", "");
    assert_int_equal(create_on(w.db, &first, &is_number), PXR_DB_EXISTS);
    world_close(&w);
}

static void withdraws_only_its_own_creation(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    pxr_db_history_t all = {.workspace = ORIGIN, .limit = 10};
    pxr_meeting_record_t r = meeting("Meeting1");
    int64_t revision;
    bool is_number, more;

    (void)state;
    world_open(&w);
    snprintf(r.number, sizeof(r.number), "480017");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    OK(w.db, pxr_db_create(w.db, &r, &is_number, existing));
    commit(w.db);
    snprintf(r.join_key, sizeof(r.join_key), "another");
    begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    commit(w.db);
    assert_int_equal(try_create(&w, "Meeting1", "", &is_number), PXR_DB_EXISTS);

    r = meeting("Meeting1");
    revision = begin(w.db);
    OK(w.db, pxr_db_withdraw(w.db, &r));
    commit(w.db);
    pull(w.db, revision - 1, &seen);
    assert_int_equal(seen.meeting_count, 1);
    assert_true(seen.meetings[0].withdrawn);
    assert_int_equal(seen.meetings[0].life.state, PXR_MEETING_ENDED);
    assert_true(seen.meetings[0].life.ended_at != 0);
    seen_free(&seen);
    OK(w.db, pxr_db_restore(w.db, 0, &visitor));
    OK(w.db, pxr_db_history(w.db, &all, &visitor, &more));
    assert_int_equal(seen.meeting_count, 0);
    assert_int_equal(pxr_db_read_meeting(w.db, ORIGIN, "Meeting1", &visitor), PXR_DB_MISSING);

    /* Id and number are free again. */
    assert_int_equal(try_create(&w, "Meeting2", "480017", &is_number), PXR_DB_OK);
    assert_int_equal(try_create(&w, "Meeting1", "480018", &is_number), PXR_DB_OK);
    OK(w.db, pxr_db_read_meeting(w.db, ORIGIN, "Meeting1", &visitor));
    assert_false(seen.meetings[0].withdrawn);
    seen_free(&seen);
    world_close(&w);
}

/* Somebody who makes a meeting in a room on a connection of his own. */
typedef struct {
    pxr_db_t *db;
    pxr_meeting_record_t record;
    pxr_db_status_t status;
    char winner[PXR_MEETING_ID_MAX + 1];
    pthread_t thread;
} caller_t;

static void *call_in(void *context)
{
    caller_t *caller = context;
    pxr_db_head_t head;
    bool is_number;

    do {
        caller->status = pxr_db_begin(caller->db, &head);
    } while (caller->status == PXR_DB_BUSY);
    if (caller->status == PXR_DB_OK) {
        pxr_db_status_t created =
            pxr_db_create(caller->db, &caller->record, &is_number, caller->winner);
        caller->status = pxr_db_commit(caller->db) == PXR_DB_OK ? created : PXR_DB_FAILED;
    }
    return NULL;
}

static void of_two_who_call_at_the_same_time_one_has_the_room(void **state)
{
    world_t w;
    caller_t callers[2];

    (void)state;
    world_open(&w);
    memset(callers, 0, sizeof(callers));
    callers[0].db = w.db;
    callers[1].db = open_as(&w.other, PXR_DB_KEEPER);
    for (int i = 0; i < 20; i++) {
        char id[40];
        int winner;
        for (int k = 0; k < 2; k++) {
            snprintf(id, sizeof(id), "Call%03dBy%d", i, k);
            callers[k].record = in_room(id, "", "");
            snprintf(callers[k].record.room_key, sizeof(callers[k].record.room_key), "%016d", i);
            assert_int_equal(pthread_create(&callers[k].thread, NULL, call_in, &callers[k]), 0);
        }
        pthread_join(callers[0].thread, NULL);
        pthread_join(callers[1].thread, NULL);
        winner = callers[0].status == PXR_DB_OK ? 0 : 1;
        CHECK(callers[winner].status == PXR_DB_OK, "%s", pxr_db_why(callers[winner].db));
        assert_int_equal(callers[1 - winner].status, PXR_DB_EXISTS);
        assert_string_equal(callers[1 - winner].winner, callers[winner].record.id);
    }
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "20");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias WHERE kind = 3"), "20");
    pxr_db_close(callers[1].db);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_names_that_are_taken),
        cmocka_unit_test(withdraws_only_its_own_creation),
        cmocka_unit_test(a_room_has_one_meeting_until_nobody_can_join_it),
        cmocka_unit_test(further_calls_are_names_like_others),
        cmocka_unit_test(a_withdrawn_creation_leaves_the_room_with_its_calls),
        cmocka_unit_test(what_is_written_anew_brings_its_room_along),
        cmocka_unit_test(of_two_who_call_at_the_same_time_one_has_the_room),
    };

    return RUN_ON_BOTH(tests);
}
