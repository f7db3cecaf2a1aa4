#include "store_helpers.h"

#include "../../src/store/layout.h"
#include "helpers.h"

/* Rooms that have one meeting only, and what else leads to that one. */

#define NODE "10.0.0.1"

static pxr_status_t find(const world_t *w, const char *alias, pxr_time_t now, pxr_found_t *found)
{
    return pxr_store_find(&w->store, w->workspace, false, alias, strlen(alias), now, found, NULL,
                          0);
}

static void assert_leads(const world_t *w, const char *alias, const char *id, pxr_name_kind_t kind,
                         pxr_time_t now)
{
    pxr_found_t found;

    CHECK(find(w, alias, now, &found) == PXR_OK, "%s is not found", alias);
    assert_string_equal(found.id, id);
    assert_int_equal(found.matched, kind);
}

static void assert_nowhere(const world_t *w, const char *alias, pxr_time_t now)
{
    pxr_found_t found;

    CHECK(find(w, alias, now, &found) == PXR_MISSING, "%s leads to %s", alias, found.id);
}

static pxr_verdict_t verdict(const world_t *w, const char *alias, pxr_time_t now)
{
    pxr_found_t found;

    CHECK(find(w, alias, now, &found) == PXR_OK, "%s is not found", alias);
    return found.verdict;
}

/* A call that begins a meeting of its own. */
static pxr_ref_t first_call(const world_t *w, const char *room, const char *name, const char *id,
                            pxr_time_t now)
{
    pxr_ref_t ref;
    bool created = false;

    assert_int_equal(call_in_room(w, room, name, id, now, &ref, &created), PXR_OK);
    CHECK(created, "%s found %s's meeting", id, room);
    assert_sound(w);
    return ref;
}

/* One that finds the room's. */
static void next_call(const world_t *w, const char *room, const char *id, pxr_time_t now,
                      pxr_ref_t expected)
{
    pxr_ref_t ref;
    bool created = true;

    assert_int_equal(call_in_room(w, room, NULL, id, now, &ref, &created), PXR_OK);
    CHECK(!created, "%s has begun a second meeting in %s", id, room);
    assert_int_equal(ref.slot, expected.slot);
    assert_int_equal(ref.generation, expected.generation);
    assert_sound(w);
}

static void close_it(const world_t *w, pxr_ref_t ref, pxr_time_t now)
{
    assert_int_equal(pxr_store_close(&w->store, w->workspace, ref, now), PXR_OK);
    assert_sound(w);
}

static size_t count_calls(const char *calls)
{
    size_t count = 0;

    while (*calls != '\0') {
        count++;
        calls += strcspn(calls, " ");
        calls += *calls == ' ';
    }
    return count;
}

static void the_second_call_finds_the_first_ones_meeting(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t own;
    bool created;
    pxr_view_t view;
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", "Lobby", "FirstCall1", T0);
    next_call(&w, "general", "SecondCall", T0 + 1, ref);
    next_call(&w, "general", "ThirdCall1", T0 + 2, ref);
    assert_leads(&w, "FirstCall1", "FirstCall1", PXR_NAME_ID, T0);
    assert_leads(&w, "SecondCall", "FirstCall1", PXR_NAME_CALL, T0);
    assert_leads(&w, "secondcall", "FirstCall1", PXR_NAME_CALL, T0);
    assert_leads(&w, "THIRDCALL1", "FirstCall1", PXR_NAME_CALL, T0);
    assert_leads(&w, "lobby", "FirstCall1", PXR_NAME_CALLED, T0);
    /* Asked again it is the same, also by the first one's id. */
    next_call(&w, "general", "SecondCall", T0 + 3, ref);
    next_call(&w, "general", "FirstCall1", T0 + 3, ref);
    view = view_of(&w, ref);
    assert_string_equal(view.calls, "ThirdCall1 SecondCall");
    assert_string_equal(view.called, "Lobby");
    assert_string_equal(view.host_key, "proves the creator");
    pxr_view_release(&view);
    /* An id that nobody gave leads nowhere, since nobody knows it. */
    m = plain_meeting("DrawnByUs1", key, "general", T0);
    m.single = true;
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &own, &created), PXR_OK);
    assert_false(created);
    assert_int_equal(own.slot, ref.slot);
    assert_nowhere(&w, "DrawnByUs1", T0);
    /* A meeting that does not ask for the room's is another one, and does not become the room's. */
    m = plain_meeting("OnItsOwn1", key, "general", T0);
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &own, &created), PXR_OK);
    assert_true(created);
    next_call(&w, "general", "FourthCall", T0 + 3, ref);
    /* The key of the room is no name that could be dialled. */
    {
        char room[PXR_ROOM_KEY_LEN + 1];
        snprintf(room, sizeof(room), "%016llx", (unsigned long long)pxr_hash_text("general"));
        assert_nowhere(&w, room, T0);
    }
    assert_sound(&w);
    world_close(&w);
}

static void rooms_and_workspaces_are_kept_apart(void **state)
{
    world_t w;
    world_t other;
    const char *origin = "https://other.example.com";
    pxr_ref_t ref;
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m;
    pxr_ref_t own;
    bool created;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", "Lobby", "FirstCall1", T0);
    other = w;
    assert_int_equal(pxr_store_workspaces(&w.store, &origin, 1, &other.workspace), PXR_OK);
    first_call(&other, "general", "Lobby", "FirstCall1", T0);
    first_call(&w, "GENERAL", "lobby2", "OtherRoom1", T0);
    next_call(&w, "general", "SecondCall", T0, ref);
    assert_nowhere(&other, "SecondCall", T0);
    /* Where no room is known there is none that could have a meeting. */
    for (int i = 0; i < 2; i++) {
        char id[32];
        snprintf(id, sizeof(id), "NoRoom%03d", i);
        m = plain_meeting(id, key, "", T0);
        m.single = true;
        m.given = true;
        assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &own, &created), PXR_OK);
        assert_true(created);
    }
    assert_sound(&w);
    world_close(&w);
}

static void there_is_a_bound_on_further_calls(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t again;
    bool created;
    pxr_view_t view;
    char id[PXR_MEETING_ID_MAX + 16];
    uint32_t names;

    (void)state;
    world_open(&w, 50, 10);
    ref = first_call(&w, "general", "Lobby", "FirstCall1", T0);
    for (int i = 0; i < PXR_CALLS_MAX; i++) {
        /* The longest that there are, so that the list must hold them all. */
        snprintf(id, sizeof(id), "%062d%02d", 0, i);
        next_call(&w, "general", id, T0, ref);
    }
    names = w.store.segment->root.names_free;
    assert_int_equal(call_in_room(&w, "general", NULL, "OneTooMany", T0, &again, &created),
                     PXR_TOO_LONG);
    assert_nowhere(&w, "OneTooMany", T0);
    assert_int_equal(w.store.segment->root.names_free, names);
    assert_sound(&w);
    /* Those that are known still lead there. */
    next_call(&w, "general", id, T0, ref);
    view = view_of(&w, ref);
    assert_int_equal(count_calls(view.calls), PXR_CALLS_MAX);
    assert_int_equal(strlen(view.calls), PXR_CALLS_TEXT - 1);
    pxr_view_release(&view);
    for (int i = 0; i < PXR_CALLS_MAX; i++) {
        snprintf(id, sizeof(id), "%062d%02d", 0, i);
        assert_leads(&w, id, "FirstCall1", PXR_NAME_CALL, T0);
    }
    close_it(&w, ref, T0);
    first_call(&w, "general", "Lobby", "OneTooMany", T0 + 1);
    world_close(&w);
}

static void closing_frees_the_room_and_its_name_at_once(void **state)
{
    world_t w;
    pxr_ref_t first;
    pxr_ref_t second;
    pxr_event_t event;
    pxr_view_t view;
    pxr_tick_t tick;
    pxr_time_t later = T0 + PXR_ENDED_KEEP + 100 * PXR_SECOND;

    (void)state;
    world_open(&w, 10, 10);
    first = first_call(&w, "general", "Lobby", "FirstCall1", T0);
    next_call(&w, "general", "SecondCall", T0, first);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "FirstCall1", "u1", 1, T0);
    deliver(&w, &event, T0);
    /* Somebody is in it, so it goes on, but nobody else can come. */
    close_it(&w, first, T0 + 1);
    assert_nowhere(&w, "Lobby", T0 + 1);
    assert_int_equal(verdict(&w, "SecondCall", T0 + 1), PXR_CLOSED);
    second = first_call(&w, "general", "Lobby", "ThirdCall1", T0 + 2);
    assert_leads(&w, "Lobby", "ThirdCall1", PXR_NAME_CALLED, T0 + 2);
    next_call(&w, "general", "FourthCall", T0 + 2, second);
    assert_leads(&w, "SecondCall", "FirstCall1", PXR_NAME_CALL, T0 + 2);
    view = view_of(&w, first);
    assert_string_equal(view.called, "Lobby");
    assert_string_equal(view.calls, "SecondCall");
    pxr_view_release(&view);
    /* Its end must not take the room from the new one. */
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, NODE, "FirstCall1", 2, T0 + 3);
    deliver(&w, &event, T0 + 3);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 30 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 1);
    assert_sound(&w);
    assert_int_equal(verdict(&w, "SecondCall", T0 + 30 * PXR_SECOND), PXR_ENDED);
    next_call(&w, "general", "FifthCall1", T0 + 30 * PXR_SECOND, second);
    /* One that nobody is in ends at once. */
    close_it(&w, second, T0 + 40 * PXR_SECOND);
    assert_int_equal(verdict(&w, "FourthCall", T0 + 40 * PXR_SECOND), PXR_ENDED);
    first_call(&w, "general", "Lobby", "SixthCall1", T0 + 40 * PXR_SECOND);
    /* A call whose meeting is over is that meeting for as long as that is known. */
    {
        pxr_ref_t ref;
        bool created = true;
        assert_int_equal(call_in_room(&w, "general", "Lobby", "SecondCall", T0 + 41 * PXR_SECOND,
                                      &ref, &created),
                         PXR_OK);
        assert_false(created);
        assert_int_equal(ref.slot, first.slot);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pxr_store_tick(&w.store, later += 2 * PXR_REST, &tick), PXR_OK);
        assert_sound(&w);
    }
    assert_nowhere(&w, "SecondCall", later);
    assert_nowhere(&w, "FirstCall1", later);
    first_call(&w, "elsewhere", NULL, "SecondCall", later);
    world_close(&w);
}

static void a_meeting_that_ends_by_itself_frees_the_room(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_tick_t tick;
    pxr_time_t now = T0;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", "Lobby", "FirstCall1", now);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "FirstCall1", "u1", 1, now);
    deliver(&w, &event, now);
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, NODE, "FirstCall1", 2, now += PXR_SECOND);
    deliver(&w, &event, now);
    /* Within the grace somebody may still come back. */
    next_call(&w, "general", "SecondCall", now, ref);
    assert_int_equal(pxr_store_tick(&w.store, now += 11 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 1);
    assert_sound(&w);
    assert_nowhere(&w, "Lobby", now);
    first_call(&w, "general", "Lobby", "ThirdCall1", now);
    world_close(&w);
}

/* Its time was over before anybody has ended it. */
static void an_expired_meeting_is_not_given_to_anybody(void **state)
{
    world_t w;
    pxr_time_t now = T0 + 3600 * PXR_SECOND;
    pxr_event_t event;
    pxr_ref_t ref;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", "Lobby", "FirstCall1", T0);
    next_call(&w, "general", "SecondCall", now - 1, ref);
    assert_int_equal(verdict(&w, "SecondCall", now), PXR_ENDED);
    first_call(&w, "general", "Lobby", "ThirdCall1", now);
    assert_leads(&w, "Lobby", "ThirdCall1", PXR_NAME_CALLED, now);
    assert_int_equal(verdict(&w, "SecondCall", now), PXR_ENDED);
    /* One in which there is somebody goes on, however long. */
    ref = first_call(&w, "other", NULL, "LongCall1", T0);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "LongCall1", "u1", 1, T0);
    deliver(&w, &event, T0);
    next_call(&w, "other", "LongCall2", now + 1, ref);
    world_close(&w);
}

/* Adds a meeting with a number. */
static void with_number(const world_t *w, const char *id, const char *number)
{
    pxr_ref_t ref;
    bool created;

    assert_int_equal(make_meeting(w, id, number, T0, &ref, &created), PXR_OK);
    assert_true(created);
}

static void what_is_named_already_is_not_taken_away(void **state)
{
    world_t w;
    pxr_ref_t ref;
    bool created;
    pxr_ref_t got;
    pxr_view_t view;
    char too_long[PXR_ALIAS_MAX + 2];

    (void)state;
    world_open(&w, 40, 10);
    with_number(&w, "Numbered1", "48001700");
    /* The room is called as a meeting, a number or another room's call is. */
    first_call(&w, "room1", "Numbered1", "RoomCall1", T0);
    assert_leads(&w, "Numbered1", "Numbered1", PXR_NAME_ID, T0);
    ref = first_call(&w, "room2", "48001700", "RoomCall2", T0);
    assert_leads(&w, "48001700", "Numbered1", PXR_NAME_NUMBER, T0);
    next_call(&w, "room2", "FurtherCall", T0, ref);
    first_call(&w, "room3", "FurtherCall", "RoomCall3", T0);
    assert_leads(&w, "FurtherCall", "RoomCall2", PXR_NAME_CALL, T0);
    /* Two rooms of one name: the first has it. */
    first_call(&w, "room4", "Same", "RoomCall4", T0);
    first_call(&w, "room5", "Same", "RoomCall5", T0);
    assert_leads(&w, "Same", "RoomCall4", PXR_NAME_CALLED, T0);
    /* Called as its own meeting. */
    ref = first_call(&w, "room6", "RoomCall6", "RoomCall6", T0);
    assert_leads(&w, "RoomCall6", "RoomCall6", PXR_NAME_ID, T0);
    view = view_of(&w, ref);
    assert_string_equal(view.called, "");
    pxr_view_release(&view);
    /* No alias is so long. */
    memset(too_long, 'x', PXR_ALIAS_MAX + 1);
    too_long[PXR_ALIAS_MAX + 1] = '\0';
    ref = first_call(&w, "room7", too_long, "RoomCall7", T0);
    next_call(&w, "room7", "FurtherCall7", T0, ref);
    /* An id is somebody's number, or a room's name. */
    assert_int_equal(call_in_room(&w, "room8", NULL, "48001700", T0, &got, &created), PXR_TAKEN);
    first_call(&w, "room9", "CalledSo9", "RoomCall9", T0);
    assert_int_equal(call_in_room(&w, "room8", NULL, "CalledSo9", T0, &got, &created), PXR_TAKEN);
    assert_int_equal(call_in_room(&w, "room9", NULL, "CalledSo9", T0, &got, &created), PXR_TAKEN);
    assert_int_equal(make_meeting(&w, "NewOne123", "CalledSo9", T0, &got, &created), PXR_INVALID);
    assert_sound(&w);
    /* An id that leads to another room's meeting is that one's. */
    assert_int_equal(call_in_room(&w, "room1", NULL, "FurtherCall", T0, &got, &created), PXR_OK);
    assert_false(created);
    view = view_of(&w, got);
    assert_string_equal(view.id, "RoomCall2");
    pxr_view_release(&view);
    /* A number drawn for a meeting whose room is called the same. */
    {
        char key[PXR_KEY_MAX + 1];
        char numbers[2][PXR_ALIAS_MAX + 1] = {"48001700", "48001800"};
        pxr_new_meeting_t m = plain_meeting("RoomCall10", key, "room10", T0);
        m.single = true;
        m.called = true;
        m.details.text[PXR_ROOM_NAME] = "48001800";
        m.details.len[PXR_ROOM_NAME] = 8;
        m.numbers = (const char(*)[PXR_ALIAS_MAX + 1]) numbers;
        m.number_count = 2;
        assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &ref, &created), PXR_OK);
        assert_true(created);
        assert_leads(&w, "48001800", "RoomCall10", PXR_NAME_NUMBER, T0);
    }
    assert_sound(&w);
    world_close(&w);
}

/* Case is forgiven where only one meeting can be meant, however many names that has. */
static void spelling_is_forgiven_within_one_meeting(void **state)
{
    world_t w;
    pxr_ref_t ref;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", "abcdEFGH", "AbCdEfGh", T0);
    next_call(&w, "general", "ABCDEFGH", T0, ref);
    assert_leads(&w, "ABCDEFGH", "AbCdEfGh", PXR_NAME_CALL, T0);
    {
        pxr_found_t found;
        assert_int_equal(find(&w, "abcdefgh", T0, &found), PXR_OK);
        assert_string_equal(found.id, "AbCdEfGh");
    }
    ref = first_call(&w, "other", NULL, "OtherCall", T0);
    next_call(&w, "other", "aBCDEFGH", T0, ref);
    assert_nowhere(&w, "abcdefgh", T0);
    assert_leads(&w, "aBCDEFGH", "OtherCall", PXR_NAME_CALL, T0);
    world_close(&w);
}

static void nothing_is_half_done_when_names_are_used_up(void **state)
{
    world_t w;
    pxr_ref_t refs[64];
    pxr_ref_t ref;
    pxr_status_t status = PXR_OK;
    bool created;
    char id[32];
    char room[16];
    size_t rooms = 0;

    (void)state;
    world_open(&w, 60, 10);
    /* As many calls as there is room for. */
    while (status == PXR_OK && rooms < 60) {
        snprintf(room, sizeof(room), "room%zu", rooms);
        snprintf(id, sizeof(id), "Meeting%03zu", rooms);
        status = call_in_room(&w, room, room, id, T0, &refs[rooms], &created);
        for (int i = 0; status == PXR_OK && i < PXR_CALLS_MAX; i++) {
            snprintf(id, sizeof(id), "Call%03zu%03d", rooms, i);
            status = call_in_room(&w, room, NULL, id, T0, &ref, &created);
            assert_true(status != PXR_OK || !created);
        }
        rooms += status == PXR_OK;
    }
    assert_int_equal(status, PXR_FULL);
    assert_true(rooms > 2);
    assert_sound(&w);
    /* Neither a call nor a meeting fits any more, and nothing of what was tried remains. */
    while (call_in_room(&w, "room0", NULL, id, T0, &ref, &created) == PXR_OK) {
        fail_msg("%s was given a name that was not free", id);
    }
    while (w.store.segment->root.names_free > 0) {
        pxr_new_meeting_t m;
        char key[PXR_KEY_MAX + 1];
        uint32_t before = w.store.segment->root.names_free;
        snprintf(id, sizeof(id), "Filler%04u", before);
        m = plain_meeting(id, key, "elsewhere", T0);
        m.single = true;
        m.called = true;
        m.details.text[PXR_ROOM_NAME] = "Elsewhere";
        m.details.len[PXR_ROOM_NAME] = 9;
        status = pxr_store_create(&w.store, w.workspace, &m, &ref, &created);
        if (status == PXR_FULL) {
            assert_int_equal(w.store.segment->root.names_free, before);
            assert_nowhere(&w, id, T0);
            break;
        }
        assert_int_equal(status, PXR_OK);
    }
    assert_sound(&w);
    /* What ends makes room. */
    close_it(&w, refs[0], T0);
    {
        pxr_tick_t tick;
        pxr_time_t now = T0;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pxr_store_tick(&w.store, now += 2 * PXR_REST, &tick), PXR_OK);
            assert_sound(&w);
        }
        first_call(&w, "room0", "room0", "NewCall01", now);
    }
    world_close(&w);
}

/* Slots, names and rooms are used again and again. */
static void rooms_are_used_for_years(void **state)
{
    static const char *const rooms[] = {"general", "support", "sales"};
    world_t w;
    pxr_time_t now = T0;
    pxr_ref_t refs[COUNT(rooms)] = {{0, 0}, {0, 0}, {0, 0}};
    bool has[COUNT(rooms)] = {false, false, false};
    uint64_t seed = 5;
    pxr_tick_t tick;
    char id[32];

    (void)state;
    world_open(&w, 8, 64);
    for (int i = 0; i < 6000; i++) {
        size_t r = dice(&seed, COUNT(rooms));
        pxr_ref_t ref;
        bool created;
        pxr_status_t status;
        now += PXR_SECOND + (pxr_time_t)dice(&seed, 20) * PXR_SECOND;
        snprintf(id, sizeof(id), "Meeting%08d", i);
        if (has[r] && dice(&seed, 3) == 0) {
            assert_int_equal(pxr_store_close(&w.store, w.workspace, refs[r], now), PXR_OK);
            has[r] = false;
        } else {
            status = call_in_room(&w, rooms[r], rooms[r], id, now, &ref, &created);
            if (status == PXR_FULL) {
                assert_true(has[r]);
                continue;
            }
            assert_int_equal(status, PXR_OK);
            CHECK(created || (has[r] && ref.slot == refs[r].slot), "%s in %s", id, rooms[r]);
            /* It may have expired meanwhile. */
            if (created) {
                refs[r] = ref;
                has[r] = true;
            }
            {
                pxr_found_t named;
                assert_int_equal(find(&w, rooms[r], now, &named), PXR_OK);
                assert_int_equal(named.ref.slot, ref.slot);
                assert_int_equal(named.verdict, PXR_ADMIT);
                assert_int_equal(find(&w, id, now, &named), PXR_OK);
                assert_int_equal(named.ref.slot, ref.slot);
            }
        }
        assert_int_equal(pxr_store_tick(&w.store, now, &tick), PXR_OK);
        if (i % 50 == 0) {
            assert_sound(&w);
        }
    }
    assert_sound(&w);
    assert_true(w.store.segment->root.names_free > 0);
    world_close(&w);
}

/* What anybody types into a room must not use up what the app's calls need. */
static void casual_calls_leave_room_for_others(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t again;
    bool created;
    pxr_view_t view;
    char id[32];
    char key[PXR_KEY_MAX + 1];

    (void)state;
    world_open(&w, 50, 10);
    ref = first_call(&w, "general", NULL, "FirstCall1", T0);
    for (int i = 0; i < 2 * PXR_CALLS_MAX; i++) {
        pxr_new_meeting_t m;
        snprintf(id, sizeof(id), "Typed%04d", i);
        m = plain_meeting(id, key, "general", T0);
        m.single = true;
        m.given = true;
        m.casual = true;
        assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &again, &created), PXR_OK);
        assert_false(created);
        assert_int_equal(again.slot, ref.slot);
    }
    assert_leads(&w, "Typed0000", "FirstCall1", PXR_NAME_CALL, T0);
    assert_nowhere(&w, id, T0);
    for (int i = 0; i < PXR_CALLS_MAX - PXR_CALLS_CASUAL; i++) {
        snprintf(id, sizeof(id), "ByTheApp%04d", i);
        next_call(&w, "general", id, T0, ref);
        assert_leads(&w, id, "FirstCall1", PXR_NAME_CALL, T0);
    }
    view = view_of(&w, ref);
    assert_int_equal(count_calls(view.calls), PXR_CALLS_MAX);
    pxr_view_release(&view);
    world_close(&w);
}

/* Whose call it is does not matter: that it is over has to be told of each. */
static void the_end_is_told_of_a_call_that_came_later(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t again;
    bool created;
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m;
    pxr_told_t told;

    (void)state;
    world_open(&w, 10, 10);
    ref = first_call(&w, "general", NULL, "FirstCall1", T0);
    m = plain_meeting("ByTheApp01", key, "general", T0);
    m.single = true;
    m.given = true;
    for (int i = 0; i < PXR_TASKS; i++) {
        pxr_task_set(&m.told.task[i], PXR_TASK_WAITING, PXR_REASON_NONE, 0, T0);
    }
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &again, &created), PXR_OK);
    assert_false(created);
    assert_int_equal(again.slot, ref.slot);
    assert_int_equal(pxr_store_told(&w.store, w.workspace, ref, &told), PXR_OK);
    assert_int_equal(told.task[PXR_TASK_CALLBACK].state, PXR_TASK_WAITING);
    /* The room has its message, and the personal link is the first one's. */
    assert_int_equal(told.task[PXR_TASK_MESSAGE].state, PXR_TASK_NONE);
    assert_int_equal(told.task[PXR_TASK_DIRECT].state, PXR_TASK_NONE);
    assert_sound(&w);
    world_close(&w);
}

/* Anybody may name a room as he likes. */
static void a_rooms_name_takes_nobodys_calls(void **state)
{
    static const char *const names[] = {"a/b",       "room/0123456789abcdef",
                                        "general@x", "sip:lobby",
                                        "+4989123",  "lobby;x",
                                        " lobby",    "lobby ",
                                        "a?b"};
    world_t w;
    pxr_ref_t ref;
    pxr_view_t view;
    char id[32];
    char room[32];

    (void)state;
    world_open(&w, 50, 10);
    ref = first_call(&w, "general", NULL, "MeetingOfNina", T0);
    next_call(&w, "general", "CallOfBoris", T0, ref);
    first_call(&w, "evil", "meetingofnina", "EvilCall01", T0);
    first_call(&w, "evil2", "CALLOFBORIS", "EvilCall02", T0);
    assert_leads(&w, "meetingofnina", "MeetingOfNina", PXR_NAME_ID, T0);
    assert_leads(&w, "CALLOFBORIS", "MeetingOfNina", PXR_NAME_CALL, T0);
    /* Names of rooms among each other may differ in case only. */
    first_call(&w, "lobby", "Lobby", "LobbyCall1", T0);
    first_call(&w, "lobby2", "LOBBY", "LobbyCall2", T0);
    assert_leads(&w, "LOBBY", "LobbyCall2", PXR_NAME_CALLED, T0);
    /* What no node can ask for is no alias. */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(id, sizeof(id), "Undialable%zu", i);
        snprintf(room, sizeof(room), "undialable%zu", i);
        view = view_of(&w, first_call(&w, room, names[i], id, T0));
        CHECK(view.called[0] == '\0', "%s leads somewhere", names[i]);
        pxr_view_release(&view);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_call_finds_the_first_ones_meeting),
        cmocka_unit_test(rooms_and_workspaces_are_kept_apart),
        cmocka_unit_test(there_is_a_bound_on_further_calls),
        cmocka_unit_test(closing_frees_the_room_and_its_name_at_once),
        cmocka_unit_test(a_meeting_that_ends_by_itself_frees_the_room),
        cmocka_unit_test(an_expired_meeting_is_not_given_to_anybody),
        cmocka_unit_test(what_is_named_already_is_not_taken_away),
        cmocka_unit_test(spelling_is_forgiven_within_one_meeting),
        cmocka_unit_test(nothing_is_half_done_when_names_are_used_up),
        cmocka_unit_test(rooms_are_used_for_years),
        cmocka_unit_test(casual_calls_leave_room_for_others),
        cmocka_unit_test(the_end_is_told_of_a_call_that_came_later),
        cmocka_unit_test(a_rooms_name_takes_nobodys_calls),
    };

    return RUN(tests);
}
