#include "keep_helpers.h"

/* What the database has and the working set does not, and the end of a meeting. */

#define N1 "10.0.0.1"
#define N2 "10.0.0.2"
#define STORY_MEETINGS 4
#define STORY_PEOPLE 6

static const char *const ids[STORY_MEETINGS] = {"MeetingA", "MeetingB", "MeetingC", "MeetingD"};

/* Says something at random; numbers and times of both nodes go up. */
static void story(const world_t *w, const world_t *other, uint64_t *seed, uint64_t *seq,
                  pxr_time_t *now, size_t steps)
{
    static const pxr_event_kind_t kinds[] = {PXR_EVENT_CONFERENCE_STARTED,
                                             PXR_EVENT_CONFERENCE_UPDATED,
                                             PXR_EVENT_CONFERENCE_ENDED,
                                             PXR_EVENT_CONNECTED,
                                             PXR_EVENT_CONNECTED,
                                             PXR_EVENT_UPDATED,
                                             PXR_EVENT_UPDATED,
                                             PXR_EVENT_DISCONNECTED,
                                             PXR_EVENT_QUALITY};

    for (size_t i = 0; i < steps; i++) {
        pxr_event_kind_t kind = kinds[dice(seed, COUNT(kinds))];
        size_t node = dice(seed, 2);
        uint32_t person = dice(seed, STORY_PEOPLE);
        char uuid[16];
        pxr_event_t event;
        snprintf(uuid, sizeof(uuid), "u%u", person);
        *now += (pxr_time_t)dice(seed, 4000) * 1000 + 1;
        event = leg_event(kind, node == 0 ? N1 : N2, ids[person % STORY_MEETINGS], uuid,
                          ++seq[node], *now);
        if (dice(seed, 4) == 0) {
            strcat(event.conference, "_breakout_x");
        }
        event.has_related = true;
        snprintf(event.related[0], sizeof(event.related[0]), "media%u", person);
        snprintf(event.name, sizeof(event.name), "Person %u", person);
        event.quality = (pxr_quality_t)dice(seed, 5);
        event.start_time = kind < PXR_EVENT_CONNECTED ? T0 : 0;
        if (!pxr_event_is_about_leg(kind)) {
            event.uuid[0] = '\0';
        }
        if (kind == PXR_EVENT_QUALITY) {
            snprintf(event.uuid, sizeof(event.uuid), "media%u", person);
            event.conference[0] = '\0';
        }
        deliver_ours(w, &event, *now);
        if (other != NULL) {
            deliver_ours(other, &event, *now);
        }
    }
}

static void assert_same_view(const world_t *a, const world_t *b, const char *id, uint64_t seed)
{
    pxr_view_t x = view_of(a, find_meeting(a, id));
    pxr_view_t y = view_of(b, find_meeting(b, id));

    assert_string_equal(x.join_key, y.join_key);
    assert_string_equal(x.host_pin, y.host_pin);
    assert_string_equal(x.guest_pin, y.guest_pin);
    assert_string_equal(x.number, y.number);
    for (int i = 0; i < PXR_DETAILS; i++) {
        assert_int_equal(x.details.len[i], y.details.len[i]);
        assert_memory_equal(x.details.text[i], y.details.text[i], x.details.len[i]);
    }
    CHECK(x.life.state == y.life.state && x.life.closed == y.life.closed &&
              x.life.started_at == y.life.started_at && x.life.last_end == y.life.last_end &&
              x.life.ended_at == y.life.ended_at && x.life.inferred == y.life.inferred &&
              x.life.era == y.life.era && x.life.not_after == y.life.not_after &&
              x.life.created_at == y.life.created_at && x.life.expires_at == y.life.expires_at,
          "seed %lu: %s", (unsigned long)seed, id);
    CHECK(x.life.present == y.life.present && x.life.shares == y.life.shares,
          "seed %lu: %s has %u, %u present in %u, %u", (unsigned long)seed, id, x.life.present,
          y.life.present, x.life.shares, y.life.shares);
    assert_int_equal(x.people_count, y.people_count);
    for (size_t i = 0; i < x.people_count; i++) {
        assert_string_equal(x.people[i].id, y.people[i].id);
        assert_string_equal(x.people[i].name, y.people[i].name);
        assert_int_equal(x.people[i].quality, y.people[i].quality);
        assert_int_equal(x.people[i].connected_at, y.people[i].connected_at);
    }
    assert_int_equal(x.node_count, y.node_count);
    for (size_t i = 0; i < x.node_count; i++) {
        size_t k = 0;
        while (k < y.node_count && (strcmp(x.nodes[i].node, y.nodes[k].node) != 0 ||
                                    x.nodes[i].scope != y.nodes[k].scope)) {
            k++;
        }
        assert_true(k < y.node_count);
        assert_int_equal(x.nodes[i].open, y.nodes[k].open);
        CHECK(x.nodes[i].last_at == y.nodes[k].last_at, "seed %lu: %s last at %ld, %ld",
              (unsigned long)seed, id, (long)(x.nodes[i].last_at - T0),
              (long)(y.nodes[k].last_at - T0));
    }
    pxr_view_release(&x);
    pxr_view_release(&y);
}

static void assert_same_answer(const world_t *a, const world_t *b, const char *id)
{
    pxr_found_t x, y;
    char one[256], two[256];

    assert_int_equal(
        pxr_store_find(&a->store, a->workspace, false, id, strlen(id), T0, &x, one, sizeof(one)),
        PXR_OK);
    assert_int_equal(
        pxr_store_find(&b->store, b->workspace, false, id, strlen(id), T0, &y, two, sizeof(two)),
        PXR_OK);
    assert_int_equal(x.answer_len, y.answer_len);
    assert_int_equal(x.tag_len, y.tag_len);
    assert_int_equal(x.verdict, y.verdict);
    assert_memory_equal(one, two, x.answer_len + x.tag_len);
}

/* Filled from what another one wrote, a working set is the same and goes on the same way. */
static void a_new_working_set_is_what_the_old_one_was(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 300; run++) {
        db_t *db = db_open();
        uint64_t seed = run * UINT64_C(0x9E3779B97F4A7C15);
        uint64_t seq[2] = {0, 0};
        pxr_time_t now = T0;
        machine_t a, b;
        machine_open(&a, 1, 10, 64, PXR_KEEP_ALONE);
        machine_open(&b, 2, 10, 64, PXR_KEEP_ALONE);
        for (size_t i = 0; i < STORY_MEETINGS; i++) {
            char number[16];
            snprintf(number, sizeof(number), "48000%zu", i);
            make_known(db, &a, ids[i], number, T0);
        }
        story(&a.w, NULL, &seed, seq, &now, 10 + dice(&seed, 60));
        if (dice(&seed, 2) == 0) {
            pxr_store_close(&a.w.store, a.w.workspace, find_meeting(&a.w, ids[0]), now);
        }
        sync_machine(db, &a, now);
        assert_changes(&a.w, 0, 0, 0);
        sync_machine(db, &b, now + 5);
        assert_sound(&b.w);
        assert_changes(&b.w, 0, 0, 0);
        for (size_t i = 0; i < STORY_MEETINGS; i++) {
            assert_same_view(&a.w, &b.w, ids[i], run);
            assert_same_answer(&a.w, &b.w, ids[i]);
        }
        story(&a.w, &b.w, &seed, seq, &now, 40);
        for (size_t i = 0; i < STORY_MEETINGS; i++) {
            pxr_view_t x = view_of(&a.w, find_meeting(&a.w, ids[i]));
            pxr_view_t y = view_of(&b.w, find_meeting(&b.w, ids[i]));
            CHECK(x.life.state == y.life.state && x.life.present == y.life.present &&
                      x.life.shares == y.life.shares,
                  "run %lu: %s goes on with %u, %u people in %u, %u", (unsigned long)run, ids[i],
                  x.life.present, y.life.present, x.life.shares, y.life.shares);
            pxr_view_release(&x);
            pxr_view_release(&y);
        }
        assert_sound(&a.w);
        assert_sound(&b.w);
        machine_close(&a);
        machine_close(&b);
        db_close(db);
    }
}

static void tell(machine_t *m, pxr_event_t event, pxr_time_t now)
{
    assert_int_equal(deliver_ours(&m->w, &event, now), PXR_OK);
    assert_sound(&m->w);
}

static void what_is_said_before_the_meeting_is_known_is_kept(void **state)
{
    db_t *db = db_open();
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    pxr_change_t change;
    uint32_t cursor = 0;
    pxr_event_t event;
    machine_t a, b;
    pxr_ref_t ref;
    bool created;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    machine_open(&b, 2, 10, 10, PXR_KEEP_SHARED);
    make_known(db, &a, "Weekly42", "480017", T0);
    tell(&b, conference_event(PXR_EVENT_CONFERENCE_STARTED, N1, "Weekly42", 1, T0 + 1), T0 + 1);
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 2, T0 + 2), T0 + 2);
    event = leg_event(PXR_EVENT_QUALITY, N1, "", "u1", 3, T0 + 3);
    event.quality = PXR_QUALITY_BAD;
    tell(&b, event, T0 + 3);
    assert_false(is_found(&b.w, "Weekly42"));
    assert_int_equal(make_meeting(&b.w, "Weekly42", NULL, T0, &ref, &created), PXR_MISSING);
    /* Nothing of it can be written, so nothing asks to be. */
    for (int table = 0; table < PXR_TABLES; table++) {
        assert_int_equal(pxr_store_changes(&b.w.store, (pxr_table_t)table, &cursor, &change, 1), 0);
    }
    assert_int_equal(pxr_store_unsaved(&b.w.store), 0);
    sync_machine(db, &b, T0 + 3);
    assert_sound(&b.w);
    assert_present(&b.w, "Weekly42", 1);
    assert_true(is_found(&b.w, "480017"));
    assert_changes(&b.w, 0, 0, 0);
    sync_machine(db, &a, T0 + 4);
    assert_present(&a.w, "Weekly42", 1);
    assert_same_view(&a.w, &b.w, "Weekly42", 0);
    free(copy);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

static void what_nobody_knows_is_forgotten(void **state)
{
    pxr_keep_state_t mark;
    pxr_tick_t tick;
    machine_t m;
    size_t taken = 0;

    (void)state;
    machine_open(&m, 1, 10, 600, PXR_KEEP_SHARED);
    pxr_store_keep_state(&m.w.store, &mark);
    mark.complete = true;
    assert_int_equal(pxr_store_keep_note(&m.w.store, &mark), PXR_OK);
    for (unsigned i = 0; i < 100; i++) {
        pxr_status_t status;
        pxr_event_t event;
        char id[32];
        snprintf(id, sizeof(id), "unknown%04u", i);
        event = leg_event(PXR_EVENT_CONNECTED, N1, id, id, i + 1, T0 + i);
        status = deliver_ours(&m.w, &event, T0 + i);
        taken += status == PXR_OK;
        assert_true(status == PXR_OK || status == PXR_FULL);
    }
    assert_int_equal(taken, m.w.store.segment->slots / 8);
    assert_sound(&m.w);
    assert_int_equal(pxr_store_drop_provisional(&m.w.store, T0 + 10), PXR_OK);
    assert_sound(&m.w);
    assert_int_equal(m.w.store.segment->root.provisional, taken - 10);
    assert_int_equal(pxr_store_drop_provisional(&m.w.store, T0 + 1000), PXR_OK);
    assert_int_equal(m.w.store.segment->root.provisional, 0);
    assert_int_equal(pxr_store_tick(&m.w.store, T0 + 2000, &tick), PXR_OK);
    assert_int_equal(pxr_store_tick(&m.w.store, T0 + 3000, &tick), PXR_OK);
    assert_sound(&m.w);
    assert_int_equal(m.w.store.segment->root.legs_free, m.w.store.segment->legs);
    machine_close(&m);
}

static void only_what_may_be_a_meeting_is_provisional(void **state)
{
    pxr_keep_state_t mark;
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0);
    db_t *db = db_open();
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    make_known(db, &m, "Monthly1", "48001700", T0);
    assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_OK);
    assert_int_equal(pxr_store_drop_provisional(&m.w.store, T0 + 1), PXR_OK);
    /* What is somebody's number, or no name at all. */
    snprintf(event.conference, sizeof(event.conference), "48001700");
    assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_MISSING);
    event.conference[0] = '\0';
    assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_MISSING);
    assert_true(is_found(&m.w, "48001700"));
    /* All are known. */
    pxr_store_keep_state(&m.w.store, &mark);
    mark.complete = true;
    assert_int_equal(pxr_store_keep_note(&m.w.store, &mark), PXR_OK);
    snprintf(event.conference, sizeof(event.conference), "Weekly42");
    assert_int_equal(deliver_ours(&m.w, &event, T0), PXR_MISSING);
    assert_sound(&m.w);
    machine_close(&m);
    db_close(db);
}

/* A meeting that drains on both machines. */
static pxr_time_t drain(db_t *db, machine_t *a, machine_t *b)
{
    make_known(db, a, "Weekly42", "480017", T0);
    tell(a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0 + 1), T0 + 1);
    tell(a, leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u1", 2, T0 + 2), T0 + 2);
    tell(a, conference_event(PXR_EVENT_CONFERENCE_ENDED, N1, "Weekly42", 3, T0 + 3), T0 + 3);
    sync_machine(db, a, T0 + 4);
    sync_machine(db, b, T0 + 4);
    return T0 + 60 * PXR_SECOND;
}

static void the_keeper_ends_meetings_and_nobody_else(void **state)
{
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    db_t *db = db_open();
    pxr_ending_t endings[4];
    pxr_tick_t tick;
    machine_t a, b;
    pxr_time_t now;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    machine_open(&b, 2, 10, 10, PXR_KEEP_SHARED);
    now = drain(db, &a, &b);
    assert_int_equal(pxr_store_endings(&a.w.store, T0 + 5, endings, 4), 0);
    assert_int_equal(pxr_store_tick(&a.w.store, now, &tick), PXR_OK);
    assert_int_equal(tick.ended, 0);
    assert_int_equal(pxr_store_endings(&a.w.store, now, endings, 4), 1);
    assert_true(pxr_store_ending_holds(&a.w.store, &endings[0]));
    pxr_store_note_join(&a.w.store, endings[0].ref, now);
    assert_false(pxr_store_ending_holds(&a.w.store, &endings[0]));
    assert_int_equal(pxr_store_copy_ending(&a.w.store, &endings[0], copy), PXR_MISSING);
    assert_int_equal(pxr_store_endings(&a.w.store, now, endings, 4), 0);
    now += PXR_HOLD + 1;
    sync_machine(db, &a, now);
    assert_int_equal(pxr_store_endings(&a.w.store, now, endings, 4), 1);
    /* Somebody is heard of by another machine. */
    tell(&b, leg_event(PXR_EVENT_CONNECTED, N2, "Weekly42", "u2", 1, now), now);
    sync_machine(db, &b, now);
    db_pull(db, &a, now);
    assert_false(pxr_store_ending_holds(&a.w.store, &endings[0]));
    assert_int_equal(pxr_store_endings(&a.w.store, now, endings, 4), 0);
    tell(&a, leg_event(PXR_EVENT_DISCONNECTED, N2, "Weekly42", "u2", 2, now + 1), now + 1);
    tell(&a, conference_event(PXR_EVENT_CONFERENCE_ENDED, N2, "Weekly42", 3, now + 2), now + 2);
    sync_machine(db, &a, now);
    now += PXR_HOLD_MOST;
    assert_int_equal(pxr_store_endings(&a.w.store, now, endings, 4), 1);
    assert_int_equal(pxr_store_copy_ending(&a.w.store, &endings[0], copy), PXR_OK);
    db->revision++;
    db_put_meeting(db, &copy->record);
    /* Too late. */
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N2, "Weekly42", "u3", 4, now), now);
    assert_false(pxr_store_ending_holds(&a.w.store, &endings[0]));
    assert_int_equal(pxr_store_end(&a.w.store, &endings[0], now), PXR_OK);
    assert_sound(&a.w);
    sync_machine(db, &a, now);
    sync_machine(db, &b, now);
    assert_sound(&b.w);
    assert_same_view(&a.w, &b.w, "Weekly42", 0);
    assert_present(&b.w, "Weekly42", 0);
    assert_int_equal(db_find(db, "Weekly42")->record.life.state, PXR_MEETING_ENDED);
    assert_int_equal(db_find(db, "Weekly42")->record.life.ended_at, copy->record.life.ended_at);
    assert_changes(&a.w, 0, 0, 0);
    free(copy);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

/* What the keeper makes of a meeting that was closed while nobody was in it. */
static void end_meeting(machine_t *m, pxr_ref_t ref, pxr_time_t now)
{
    pxr_ending_t ending;

    assert_int_equal(pxr_store_close(&m->w.store, m->w.workspace, ref, now), PXR_OK);
    assert_true(pxr_store_is_dismissed(&m->w.store, ref));
    assert_int_equal(pxr_store_endings(&m->w.store, now, &ending, 1), 1);
    assert_int_equal(pxr_store_end(&m->w.store, &ending, now), PXR_OK);
    assert_false(pxr_store_is_dismissed(&m->w.store, ref));
}

/* Whose slot is given to somebody else while something is still to be written? */
static void nothing_leaves_before_the_database_has_it(void **state)
{
    db_t *db = db_open();
    machine_t m;
    pxr_tick_t tick;
    pxr_time_t now = T0;

    (void)state;
    machine_open(&m, 1, 10, 8, PXR_KEEP_ALONE);
    make_known(db, &m, "Weekly42", NULL, now);
    end_meeting(&m, find_meeting(&m.w, "Weekly42"), now);
    assert_int_equal(pxr_store_unsave(&m.w.store), PXR_OK);
    now += 3 * PXR_ENDED_KEEP;
    assert_int_equal(pxr_store_tick(&m.w.store, now, &tick), PXR_OK);
    assert_true(is_found(&m.w, "Weekly42"));
    sync_machine(db, &m, now);
    assert_int_equal(pxr_store_tick(&m.w.store, now, &tick), PXR_OK);
    assert_false(is_found(&m.w, "Weekly42"));
    assert_sound(&m.w);

    make_known(db, &m, "Monthly1", NULL, now);
    for (unsigned i = 0; i < 16; i++) {
        char uuid[16];
        snprintf(uuid, sizeof(uuid), "u%u", i);
        if (i == 8) {
            /* Those that are written go for the first four, then those that are not. */
            assert_int_equal(m.w.store.segment->root.legs_free, 0);
        }
        tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, "Monthly1", uuid, 2 * i + 1, now), now);
        tell(&m, leg_event(PXR_EVENT_DISCONNECTED, N1, "Monthly1", uuid, 2 * i + 2, now), now);
        if (i == 3) {
            sync_machine(db, &m, now);
        }
        if (i == 11) {
            assert_int_equal(m.w.store.segment->root.lost, 0);
        }
        now += 2 * PXR_LEFT_KEEP_SHORT;
    }
    assert_true(m.w.store.segment->root.lost > 0);
    assert_sound(&m.w);
    machine_close(&m);
    db_close(db);
}

static void people_for_whom_there_is_no_room_hold_the_meeting(void **state)
{
    db_t *db = db_open();
    machine_t a, b;
    pxr_ending_t ending;
    pxr_view_t view;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    machine_open(&b, 2, 10, 1, PXR_KEEP_SHARED);
    make_known(db, &a, "Weekly42", NULL, T0);
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0 + 1), T0 + 1);
    tell(&a, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u2", 2, T0 + 2), T0 + 2);
    sync_machine(db, &a, T0 + 2);
    for (size_t i = 0; i < db->leg_count; i++) {
        if (i == 0) {
            assert_int_equal(pxr_store_merge_meeting(&b.w.store, &db->meetings[0].record, T0 + 3),
                             PXR_OK);
            assert_int_equal(pxr_store_merge_share(&b.w.store, &db->shares[0].record, T0 + 3),
                             PXR_OK);
        }
        assert_int_equal(pxr_store_merge_leg(&b.w.store, &db->legs[i].record, T0 + 3),
                         i == 0 ? PXR_OK : PXR_FULL);
    }
    assert_sound(&b.w);
    tell(&b,
         leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", db->legs[0].record.leg.uuid, 3, T0 + 4),
         T0 + 4);
    assert_int_equal(pxr_store_endings(&b.w.store, T0 + 3600 * PXR_SECOND, &ending, 1), 0);
    view = view_of(&b.w, find_meeting(&b.w, "Weekly42"));
    assert_int_equal(view.life.state, PXR_MEETING_LIVE);
    pxr_view_release(&view);
    machine_close(&a);
    machine_close(&b);
    db_close(db);
}

/* Its maker took it back and made it anew, and only the latter is heard of here. */
static void a_meeting_that_was_made_anew_takes_the_place_of_the_former(void **state)
{
    (void)state;
    for (int live = 0; live < 2; live++) {
        db_t *db = db_open();
        pxr_meeting_record_t *record;
        pxr_ending_t ending;
        pxr_view_t view;
        machine_t a, b;
        machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
        machine_open(&b, 2, 10, 10, PXR_KEEP_SHARED);
        make_known(db, &a, "Weekly42", "480017", T0);
        sync_machine(db, &b, T0);
        if (live) {
            tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u1", 1, T0), T0);
        }
        record = &db_find(db, "Weekly42")->record;
        snprintf(record->join_key, sizeof(record->join_key), "another");
        snprintf(record->host_pin, sizeof(record->host_pin), "999999");
        snprintf(record->number, sizeof(record->number), "480018");
        db_find(db, "Weekly42")->revision = ++db->revision;
        sync_machine(db, &b, T0 + 1);
        assert_sound(&b.w);
        assert_true(is_found(&b.w, "480018"));
        assert_false(is_found(&b.w, "480017"));
        view = view_of(&b.w, find_meeting(&b.w, "Weekly42"));
        assert_string_equal(view.join_key, "another");
        assert_string_equal(view.host_pin, "999999");
        pxr_view_release(&view);
        assert_string_equal(db_find(db, "Weekly42")->record.join_key, "another");
        /* Whoever is in it unheard of does not find it ended because others come and go. */
        tell(&b, leg_event(PXR_EVENT_CONNECTED, N1, "Weekly42", "u2", 2, T0 + 2), T0 + 2);
        assert_present(&b.w, "Weekly42", 1);
        tell(&b, leg_event(PXR_EVENT_DISCONNECTED, N1, "Weekly42", "u2", 3, T0 + 3), T0 + 3);
        assert_int_equal(pxr_store_endings(&b.w.store, T0 + 3600 * PXR_SECOND, &ending, 1),
                         live ? 0 : 1);
        machine_close(&a);
        machine_close(&b);
        db_close(db);
    }
}

/* A number that the database has let go of, and this memory not yet. */
static void a_number_that_is_still_held_is_not_lost(void **state)
{
    db_t *db = db_open();
    pxr_meeting_record_t *record;
    pxr_change_t change = {.table = PXR_TABLE_MEETINGS};
    pxr_meeting_copy_t *copy = malloc(sizeof(*copy));
    machine_t a;
    pxr_tick_t tick;
    pxr_ref_t ref;

    (void)state;
    machine_open(&a, 1, 10, 10, PXR_KEEP_SHARED);
    ref = make_known(db, &a, "Weekly42", "480017", T0);
    end_meeting(&a, ref, T0);
    assert_int_equal(pxr_store_unsave(&a.w.store), PXR_OK);
    sync_machine(db, &a, T0);
    a.w.store.segment->root.slots_free -= 200; /* so that it leaves early */
    assert_int_equal(pxr_store_tick(&a.w.store, T0 + 1, &tick), PXR_OK);
    a.w.store.segment->root.slots_free += 200;
    assert_false(is_found(&a.w, "Weekly42"));
    record = &db_find(db, "Weekly42")->record;
    snprintf(record->id, sizeof(record->id), "Monthly1");
    snprintf(record->join_key, sizeof(record->join_key), "keyMonthly1");
    record->life.state = PXR_MEETING_OPEN;
    record->life.ended_at = 0;
    record->life.closed = 0;
    assert_int_equal(pxr_store_merge_meeting(&a.w.store, record, T0 + 2), PXR_OK);
    assert_sound(&a.w);
    assert_false(is_found(&a.w, "480017"));
    change.link = find_meeting(&a.w, "Monthly1").slot;
    assert_int_equal(pxr_store_copy_meeting(&a.w.store, &change, copy), PXR_OK);
    assert_string_equal(copy->record.number, "480017");
    free(copy);
    machine_close(&a);
    db_close(db);
}

/* More shares than fit into one log, should each be told of singly. */
static void a_meeting_with_many_rooms_goes_into_a_new_era(void **state)
{
    db_t *db = db_open();
    pxr_meeting_record_t *record;
    machine_t m;

    (void)state;
    machine_open(&m, 1, 10, 300, PXR_KEEP_SHARED);
    make_known(db, &m, "Weekly42", NULL, T0);
    for (unsigned i = 0; i < 250; i++) {
        char room[64];
        char uuid[16];
        snprintf(room, sizeof(room), "Weekly42_breakout_%u", i);
        snprintf(uuid, sizeof(uuid), "u%u", i);
        tell(&m, leg_event(PXR_EVENT_CONNECTED, N1, room, uuid, i + 1, T0 + i), T0 + i);
    }
    sync_machine(db, &m, T0 + 999);
    record = &db_find(db, "Weekly42")->record;
    record->life.era = 1;
    record->life.state = PXR_MEETING_OPEN;
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, record, T0 + 1000), PXR_OK);
    assert_sound(&m.w);
    assert_present(&m.w, "Weekly42", 250);
    /* The database is told that it is live. */
    db_push(db, &m, T0);
    assert_int_equal(record->life.state, PXR_MEETING_LIVE);
    assert_int_equal(db->share_count, 250);
    for (size_t i = 0; i < db->share_count; i++) {
        assert_int_equal(db->shares[i].record.share.open, 1);
        assert_int_equal(db->shares[i].record.share.era, 1);
    }
    machine_close(&m);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_working_set_is_what_the_old_one_was),
        cmocka_unit_test(what_is_said_before_the_meeting_is_known_is_kept),
        cmocka_unit_test(what_nobody_knows_is_forgotten),
        cmocka_unit_test(only_what_may_be_a_meeting_is_provisional),
        cmocka_unit_test(the_keeper_ends_meetings_and_nobody_else),
        cmocka_unit_test(nothing_leaves_before_the_database_has_it),
        cmocka_unit_test(people_for_whom_there_is_no_room_hold_the_meeting),
        cmocka_unit_test(a_meeting_that_was_made_anew_takes_the_place_of_the_former),
        cmocka_unit_test(a_number_that_is_still_held_is_not_lost),
        cmocka_unit_test(a_meeting_with_many_rooms_goes_into_a_new_era),
    };

    return RUN(tests);
}
