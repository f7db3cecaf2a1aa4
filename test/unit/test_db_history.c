#include "db_helpers.h"

/* The history: read in pages, and what is taken out of it. */

static size_t history(pxr_db_t *db, pxr_db_history_t query, seen_t *seen, bool *more)
{
    pxr_db_visitor_t visitor = into(seen);

    query.workspace = query.workspace != NULL ? query.workspace : ORIGIN;
    seen_free(seen);
    OK(db, pxr_db_history(db, &query, &visitor, more));
    return seen->meeting_count;
}

static void pages_through_history(void **state)
{
    world_t w;
    seen_t seen = {0};
    pxr_db_t *reader;
    pxr_meeting_record_t m = meeting("StillOpen");
    pxr_leg_record_t l;
    size_t total = 0;
    char id[PXR_MEETING_ID_MAX + 1] = "";
    pxr_time_t at = 0;
    bool more;

    (void)state;
    world_open(&w);
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof(id), "Ended%04d", i);
        m = ended(id, T0 + i / 2); /* two of each moment */
        set_detail(&m, PXR_ROOM_ID, i % 10 == 0 ? "special" : "GENERAL");
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        for (int k = 0; k < (i == 7 ? 1100 : 2); k++) {
            char uuid[32];
            snprintf(uuid, sizeof(uuid), "leg%04d", k);
            l = leg(id, uuid);
            l.leg.connected_at = T0 - k / 3;
            OK(w.db, pxr_db_put_leg(w.db, &l));
        }
    }
    commit(w.db);
    /* A reader does not wait for who writes. */
    begin(w.db);
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    reader = open_as(&w.settings, PXR_DB_READER);
    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 3}, &seen, &more), 3);
    assert_true(more);
    assert_string_equal(seen.order, "mllmllmll");
    assert_string_equal(seen.meetings[0].id, "Ended0249");
    assert_string_equal(seen.meetings[2].id, "Ended0247");
    assert_true(seen.legs[0].leg.left_at != 0);
    commit(w.db);

    id[0] = '\0';
    more = true;
    while (more) {
        pxr_db_history_t query = {.limit = 110, .after_ended = at, .after_id = id};
        size_t got = history(reader, query, &seen, &more);
        assert_true(got > 0);
        total += got;
        at = seen.meetings[got - 1].life.ended_at;
        snprintf(id, sizeof(id), "%s", seen.meetings[got - 1].id);
    }
    assert_int_equal(total, 250);
    assert_string_equal(id, "Ended0000");

    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 250}, &seen, &more), 250);
    assert_false(more);
    assert_int_equal(history(reader, (pxr_db_history_t){.limit = 249}, &seen, &more), 249);
    assert_true(more);
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 99, .room_id = "special"}, &seen, &more), 25);
    assert_int_equal(history(reader,
                             (pxr_db_history_t){.limit = 99, .from = T0 + 10, .to = T0 + 12}, &seen,
                             &more),
                     4);
    assert_string_equal(seen.meetings[0].id, "Ended0023");
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 9, .workspace = "x"}, &seen, &more), 0);
    assert_int_equal(
        history(reader, (pxr_db_history_t){.limit = 1, .from = T0 + 3, .to = T0 + 4}, &seen, &more),
        1);
    assert_int_equal(seen.leg_count, 1100);
    for (size_t i = 1; i < seen.leg_count; i++) {
        assert_true(seen.legs[i - 1].leg.connected_at <= seen.legs[i].leg.connected_at);
    }
    seen_free(&seen);
    seen.refuse_leg = 2;
    pxr_db_visitor_t visitor = into(&seen);
    pxr_db_history_t query = {.workspace = ORIGIN, .limit = 5};
    assert_int_equal(pxr_db_history(reader, &query, &visitor, &more), PXR_DB_FAILED);
    seen_free(&seen);
    pxr_db_close(reader);
    world_close(&w);
}

static void a_reader_cannot_write(void **state)
{
    world_t w;
    pxr_db_t *reader;
    pxr_db_head_t head;

    (void)state;
    world_open(&w);
    reader = open_as(&w.settings, PXR_DB_READER);
    if (pxr_db_begin(reader, &head) == PXR_DB_OK) {
        fail_msg("a reader began to write");
    }
    assert_int_equal(look(w.db).revision, 0);
    pxr_db_close(reader);
    world_close(&w);
}

static size_t expire_on(pxr_db_t *db, const char *workspace, pxr_time_t before)
{
    size_t rows = 0;

    begin(db);
    OK(db, pxr_db_expire(db, workspace, before, &rows));
    commit(db);
    return rows;
}

static void old_meetings_go_with_all_that_belongs_to_them(void **state)
{
    world_t w;
    pxr_meeting_record_t m;
    pxr_share_record_t s;
    pxr_leg_record_t l;
    size_t rows;
    size_t total = 0;

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < 30; i++) {
        char id[PXR_MEETING_ID_MAX + 1];
        snprintf(id, sizeof(id), "Ended%04d", i);
        m = ended(id, T0 + i);
        snprintf(m.number, sizeof(m.number), "77%04d", i);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
        s = share(id, "10.0.0.1");
        OK(w.db, pxr_db_put_share(w.db, &s));
        for (int k = 0; k < (i == 3 ? 1100 : 2); k++) {
            char uuid[32];
            snprintf(uuid, sizeof(uuid), "leg%04d", k);
            l = leg(id, uuid);
            OK(w.db, pxr_db_put_leg(w.db, &l));
        }
    }
    m = meeting("StillOpen");
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    m = ended("Elsewhere", T0);
    snprintf(m.workspace, sizeof(m.workspace), "https://other.example.com");
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    m = ended("Withdrawn", T0);
    m.withdrawn = true;
    OK(w.db, pxr_db_put_meeting(w.db, &m));
    commit(w.db);

    assert_int_equal(expire_on(w.db, ORIGIN, T0), 0);
    assert_int_equal(expire_on(w.db, "https://nobody.example.com", T0 + 100), 0);
    /* Piece by piece: nobody waits for 1100 rows at once. */
    do {
        rows = expire_on(w.db, ORIGIN, T0 + 25);
        CHECK(rows <= 1000, "%zu rows at once", rows);
        total += rows;
    } while (rows > 0);
    assert_int_equal(total, 24 * 2 + 1100 + 25 * 4 + 1);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting"), "7");
    assert_string_equal(raw(&w, "SELECT MIN(id) FROM meeting WHERE over = 1"), "Elsewhere");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM hosting"), "5");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM participant"), "10");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM alias WHERE meeting LIKE 'Ended%'"), "10");
    world_close(&w);
}

static pxr_meeting_record_t created_by(const char *id, const char *user, const char *username,
                                       const char *name, pxr_time_t at)
{
    pxr_meeting_record_t r = at != 0 ? ended(id, at) : meeting(id);

    set_detail(&r, PXR_TITLE, "Nina's weekly");
    set_detail(&r, PXR_CREATOR_ID, user);
    set_detail(&r, PXR_CREATOR_USERNAME, username);
    set_detail(&r, PXR_CREATOR_NAME, name);
    return r;
}

static pxr_removal_t removal_of(const char *who)
{
    pxr_removal_t removal = {.asked_at = T0 + 1};

    snprintf(removal.workspace, sizeof(removal.workspace), "%s", ORIGIN);
    snprintf(removal.who, sizeof(removal.who), "%s", who);
    return removal;
}

/* As the keeper does; returns how many transactions it took. */
static int carry_out(pxr_db_t *db)
{
    pxr_removal_t removal;
    int count = 0;

    while (pxr_db_next_removal(db, 1, &removal) == PXR_DB_OK) {
        begin(db);
        OK(db, pxr_db_remove_some(db, &removal));
        commit(db);
        count++;
    }
    return count;
}

static void put_people(pxr_db_t *db, const char *name, int most)
{
    const pxr_meeting_record_t all[] = {
        created_by("ById0001", name, "x", "y", T0 + 1), created_by("ByUser01", "x", name, "y", T0),
        created_by("ByName01", "x", "y", name, T0), created_by("Other001", "a", "b", "c", T0),
        created_by("Running1", name, "b", "c", 0)};

    begin(db);
    for (size_t i = 0; i < COUNT(all); i++) {
        OK(db, pxr_db_put_meeting(db, &all[i]));
        for (int k = 0; k < (i == 3 ? most : 2); k++) {
            pxr_leg_record_t l = leg(all[i].id, "");
            snprintf(l.leg.uuid, sizeof(l.leg.uuid), "leg%04d", k);
            pxr_text_copy(l.name, sizeof(l.name), k != 1 ? name : "Anna",
                          strlen(k != 1 ? name : "Anna"));
            OK(db, pxr_db_put_leg(db, &l));
        }
    }
    commit(db);
}

static bool see_removal(void *context, const pxr_removal_t *removal)
{
    pxr_removal_t *seen = context;

    *seen = *removal;
    return true;
}

static void takes_a_person_out(const char *name, int most)
{
    world_t w;
    pxr_removal_t removal = removal_of(name);
    pxr_removal_t heard;
    int64_t revision = 0;
    bool done, running;
    pxr_db_t *clerk;

    world_open(&w);
    put_people(w.db, name, most);
    clerk = open_as(&w.settings, PXR_DB_CLERK);
    for (size_t i = 0; i < 4; i++) {
        const char *const nobody[] = {"Nobody", "", "%", "a_b%"};
        pxr_removal_t other = removal_of(nobody[i]);
        assert_int_equal(pxr_db_ask_removal(clerk, &other), PXR_DB_MISSING);
    }
    OK(clerk, pxr_db_ask_removal(clerk, &removal));
    OK(clerk, pxr_db_removal_state(clerk, &removal, &done, &running));
    assert_false(done);
    /* A crash of whoever asked changes nothing. */
    pxr_db_close(clerk);
    assert_int_equal(carry_out(w.db), most > 500 ? 4 : 2);
    OK(w.db, pxr_db_removal_state(w.db, &removal, &done, &running));
    assert_true(done && running);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'removed'"
                                " AND creator_username = 'removed' AND creator_name = 'removed'"
                                " AND title = 'Nina''s weekly'"),
                        "3");
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'a'"), "1");
    assert_int_equal(atoi(raw(&w, "SELECT COUNT(*) FROM participant WHERE name = 'removed'")),
                     most + 2);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM participant WHERE name = 'Anna'"), "5");
    OK(w.db, pxr_db_removals(w.db, &revision, see_removal, &heard));
    assert_string_equal(heard.who, name);
    assert_true(revision == look(w.db).revision);
    memset(&heard, 0, sizeof(heard));
    OK(w.db, pxr_db_removals(w.db, &revision, see_removal, &heard));
    assert_string_equal(heard.who, "");

    /* The running one follows, and somebody who still had the old rows is put right. */
    begin(w.db);
    pxr_meeting_record_t over = created_by("Running1", name, "b", "c", T0 + 2);
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    over = created_by("ById0001", name, "x", "y", T0 + 1);
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    /* One that is made later is another matter. */
    over = created_by("Later001", name, "x", "y", T0 + 9);
    over.life.created_at = T0 + 2;
    OK(w.db, pxr_db_put_meeting(w.db, &over));
    commit(w.db);
    assert_int_equal(carry_out(w.db), 0);
    raw(&w, "UPDATE removal SET again_at = 1");
    assert_int_equal(carry_out(w.db), 2);
    OK(w.db, pxr_db_removal_state(w.db, &removal, &done, &running));
    assert_true(done);
    assert_false(running);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM meeting WHERE creator_id = 'removed'"), "4");
    /* After a day nobody looks any more, and the name is nowhere. */
    raw(&w, "UPDATE removal SET asked_at = 1, again_at = 1");
    assert_int_equal(carry_out(w.db), 1);
    assert_string_equal(raw(&w, "SELECT COUNT(*) FROM removal"), "0");
    world_close(&w);
}

static void takes_people_out_of_the_history(void **state)
{
    static const char *const names[] = {"Nina",
                                        "u-nina.7",
                                        "O'Hara; DROP TABLE meeting;--",
                                        "<b>%_\\\"</b>",
                                        "\xD0\x9D\xD0\xB8\xD0\xBD\xD0\xB0 \xE5\xBC\xA0",
                                        "%s %d @keys"};
    char longest[4 * PXR_NAME_CHARS + 1] = "";

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        takes_a_person_out(names[i], i == 0 ? 1200 : 20);
    }
    for (size_t i = 0; i < PXR_NAME_CHARS; i++) {
        strcat(longest, "\xF0\x9F\x98\x80");
    }
    takes_a_person_out(longest, 20);
}

static void only_a_clerk_or_the_keeper_enters_wishes(void **state)
{
    world_t w;
    pxr_removal_t removal = removal_of("Nina");
    pxr_db_head_t head;
    pxr_db_t *db;

    (void)state;
    world_open(&w);
    put_people(w.db, "Nina", 2);
    db = open_as(&w.settings, PXR_DB_READER);
    assert_int_not_equal(pxr_db_ask_removal(db, &removal), PXR_DB_OK);
    pxr_db_close(db);
    db = open_as(&w.settings, PXR_DB_CLERK);
    assert_int_equal(pxr_db_begin(db, &head), PXR_DB_FAILED);
    pxr_db_close(db);
    assert_int_equal(pxr_db_next_removal(w.db, T0, &removal), PXR_DB_MISSING);
    assert_int_equal(pxr_db_remove_some(w.db, &removal), PXR_DB_FAILED);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_through_history),
        cmocka_unit_test(a_reader_cannot_write),
        cmocka_unit_test(old_meetings_go_with_all_that_belongs_to_them),
        cmocka_unit_test(takes_people_out_of_the_history),
        cmocka_unit_test(only_a_clerk_or_the_keeper_enters_wishes),
    };

    return RUN_ON_BOTH(tests);
}
