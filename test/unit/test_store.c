#include "store_helpers.h"

/* As little as a meeting can be made of. */
static const pxr_new_meeting_t bare = {.id = "Weekly42",
                                       .join_key = "another",
                                       .host_pin = "",
                                       .guest_pin = "",
                                       .answer = "x",
                                       .answer_len = 1,
                                       .service_tag = "t"};

static pxr_status_t find(const world_t *w, const char *alias, pxr_found_t *found)
{
    return pxr_store_find(&w->store, w->workspace, false, alias, strlen(alias), T0, found, NULL, 0);
}

static void finds_a_meeting_by_id_number_and_join_key(void **state)
{
    world_t w;
    pxr_ref_t ref;
    bool created;
    pxr_found_t found;
    char answer[256];

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(make_meeting(&w, "Weekly42", "480017", T0, &ref, &created), PXR_OK);
    assert_int_equal(find(&w, "Weekly42", &found), PXR_OK);
    assert_int_equal(found.matched, PXR_NAME_ID);
    assert_int_equal(find(&w, "480017", &found), PXR_OK);
    assert_int_equal(found.matched, PXR_NAME_NUMBER);
    assert_string_equal(found.id, "Weekly42");
    assert_int_equal(find(&w, "keyWeekly42", &found), PXR_MISSING);
    assert_int_equal(pxr_store_find(&w.store, w.workspace, true, "keyWeekly42", 11, T0, &found,
                                    answer, sizeof(answer)),
                     PXR_OK);
    assert_int_equal(found.verdict, PXR_ADMIT);
    assert_memory_equal(answer + found.answer_len, "rocket.chat", 11);
    assert_int_equal(
        pxr_store_find(&w.store, w.workspace, true, "keyweekly42", 11, T0, &found, NULL, 0),
        PXR_MISSING);
    assert_sound(&w);
    world_close(&w);
}

static void prefers_the_exact_spelling_and_refuses_an_ambiguous_one(void **state)
{
    world_t w;
    pxr_found_t found;

    (void)state;
    world_open(&w, 10, 10);
    new_meeting(&w, "AbCdEfGh", T0);
    assert_int_equal(find(&w, "abcdefgh", &found), PXR_OK);
    assert_string_equal(found.id, "AbCdEfGh");
    new_meeting(&w, "ABCDEFGH", T0);
    assert_int_equal(find(&w, "abcdefgh", &found), PXR_MISSING);
    assert_int_equal(find(&w, "ABCDEFGH", &found), PXR_OK);
    assert_string_equal(found.id, "ABCDEFGH");
    world_close(&w);
}

static void keeps_workspaces_apart(void **state)
{
    world_t w;
    const char *origin = "https://other.example.com";
    uint32_t other;
    pxr_ref_t ref;
    pxr_found_t found;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    assert_int_equal(pxr_store_workspaces(&w.store, &origin, 1, &other), PXR_OK);
    assert_int_not_equal(other, w.workspace);
    assert_int_equal(pxr_store_find(&w.store, other, false, "Weekly42", 8, T0, &found, NULL, 0),
                     PXR_MISSING);
    assert_int_equal(pxr_store_read(&w.store, other, ref, &view), PXR_MISSING);
    pxr_view_release(&view);
    assert_int_equal(pxr_store_close(&w.store, other, ref, T0), PXR_MISSING);
    world_close(&w);
}

static void returns_the_known_meeting_and_fills_in_its_title_once(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_ref_t again;
    bool created;
    pxr_view_t view;
    pxr_new_meeting_t m = bare;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    m.details.text[PXR_TITLE] = "First";
    m.details.len[PXR_TITLE] = 5;
    pxr_meeting_init(&m.life, T0, 0, 0, PXR_SECOND, PXR_SECOND, PXR_SECOND);
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &again, &created), PXR_OK);
    assert_false(created);
    assert_int_equal(again.slot, ref.slot);
    m.details.text[PXR_TITLE] = "Later";
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &again, &created), PXR_OK);
    view = view_of(&w, ref);
    assert_string_equal(view.details.text[PXR_TITLE], "First");
    assert_string_equal(view.host_pin, "111111");
    pxr_view_release(&view);
    assert_sound(&w);
    world_close(&w);
}

static void refuses_an_id_that_is_anothers_number_and_a_number_that_is_taken(void **state)
{
    world_t w;
    pxr_ref_t ref;
    bool created;

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(make_meeting(&w, "Weekly42", "48001700", T0, &ref, &created), PXR_OK);
    assert_int_equal(make_meeting(&w, "48001700", NULL, T0, &ref, &created), PXR_TAKEN);
    assert_int_equal(make_meeting(&w, "Monthly1", "48001700", T0, &ref, &created), PXR_INVALID);
    assert_sound(&w);
    world_close(&w);
}

static void a_full_table_refuses_and_harms_nobody(void **state)
{
    world_t w;
    pxr_ref_t ref;
    bool created;
    pxr_found_t found;
    char id[32];

    (void)state;
    world_open(&w, 3, 10);
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof(id), "meeting%d", i);
        new_meeting(&w, id, T0);
    }
    assert_int_equal(make_meeting(&w, "meeting3", NULL, T0, &ref, &created), PXR_FULL);
    assert_int_equal(find(&w, "meeting0", &found), PXR_OK);
    assert_int_equal(pxr_store_close(&w.store, w.workspace, found.ref, T0), PXR_OK);
    assert_int_equal(make_meeting(&w, "meeting3", NULL, T0, &ref, &created), PXR_OK);
    assert_sound(&w);
    world_close(&w);
}

static void texts_of_greatest_length_are_kept_whole(void **state)
{
    static char title[4 * PXR_TITLE_CHARS];
    world_t w;
    pxr_ref_t ref;
    bool created;
    pxr_view_t view;
    pxr_new_meeting_t m = bare;

    (void)state;
    memset(title, 'x', sizeof(title));
    world_open(&w, 10, 10);
    m.details.text[PXR_TITLE] = title;
    m.details.len[PXR_TITLE] = sizeof(title);
    pxr_meeting_init(&m.life, T0, 0, 0, PXR_SECOND, PXR_SECOND, PXR_SECOND);
    assert_int_equal(pxr_store_create(&w.store, w.workspace, &m, &ref, &created), PXR_OK);
    view = view_of(&w, ref);
    assert_int_equal(view.details.len[PXR_TITLE], sizeof(title));
    assert_memory_equal(view.details.text[PXR_TITLE], title, sizeof(title));
    pxr_view_release(&view);
    assert_sound(&w);
    world_close(&w);
}

static void lists_newest_first_in_pages(void **state)
{
    world_t w;
    pxr_ref_t refs[10];
    pxr_time_t created[10];
    pxr_list_query_t query = {.states = {[PXR_MEETING_OPEN] = true}, .limit = 4};
    bool more;
    size_t seen = 0;
    char id[32];

    (void)state;
    world_open(&w, 20, 10);
    for (int i = 0; i < 10; i++) {
        /* All at one moment: they must be told apart all the same. */
        snprintf(id, sizeof(id), "meeting%d", i);
        new_meeting(&w, id, T0);
    }
    do {
        size_t count = pxr_store_list(&w.store, w.workspace, &query, refs, created, &more);
        for (size_t i = 0; i < count; i++) {
            pxr_view_t view = view_of(&w, refs[i]);
            snprintf(id, sizeof(id), "meeting%d", 9 - (int)(seen + i));
            assert_string_equal(view.id, id);
            pxr_view_release(&view);
        }
        seen += count;
        query.before = created[count - 1];
    } while (more);
    assert_int_equal(seen, 10);
    query.before = 0;
    query.room_id = "elsewhere";
    assert_int_equal(pxr_store_list(&w.store, w.workspace, &query, refs, created, &more), 0);
    query.room_id = "GENERAL";
    assert_int_equal(pxr_store_list(&w.store, w.workspace, &query, refs, created, &more), 4);
    world_close(&w);
}

/* Two nodes; the meeting ends after the second one has ended it and the grace has passed. */
static void a_meeting_ends_with_its_last_node(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_tick_t tick;
    pxr_found_t found;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, "10.0.0.1", "Weekly42", 1, T0);
    deliver(&w, &event, T0);
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, "10.0.0.2", "Weekly42", 1, T0);
    deliver(&w, &event, T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.2", "Weekly42", "u1", 2, T0);
    deliver(&w, &event, T0);
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", "Weekly42", 2, T0 + 1);
    deliver(&w, &event, T0 + 1);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 3600 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 0);
    view = view_of(&w, ref);
    assert_int_equal(view.people_count, 1);
    assert_int_equal(view.node_count, 2);
    pxr_view_release(&view);
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.2", "Weekly42", 3, T0 + 2);
    deliver(&w, &event, T0 + 2);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 9 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 0);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 11 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 1);
    assert_int_equal(find(&w, "Weekly42", &found), PXR_OK);
    assert_int_equal(found.verdict, PXR_ENDED);
    view = view_of(&w, ref);
    assert_int_equal(view.people_count, 0);
    assert_false(view.life.inferred);
    pxr_view_release(&view);
    assert_sound(&w);
    world_close(&w);
}

static void quality_is_joined_by_related_uuids(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    event.has_related = true;
    snprintf(event.related[0], sizeof(event.related[0]), "media-leg");
    deliver(&w, &event, T0);
    event = leg_event(PXR_EVENT_QUALITY, "10.0.0.1", "", "media-leg", 2, T0 + 1);
    event.quality = PXR_QUALITY_BAD;
    deliver(&w, &event, T0 + 1);
    view = view_of(&w, ref);
    assert_int_equal(view.people_count, 1);
    assert_int_equal(view.people[0].quality, PXR_QUALITY_BAD);
    pxr_view_release(&view);
    /* The related uuids change: the old one leads nowhere any more. */
    event = leg_event(PXR_EVENT_UPDATED, "10.0.0.1", "Weekly42", "u1", 3, T0 + 2);
    event.has_related = true;
    deliver(&w, &event, T0 + 2);
    event = leg_event(PXR_EVENT_QUALITY, "10.0.0.1", "", "media-leg", 4, T0 + 3);
    unsigned changed = 0;
    assert_int_equal(
        pxr_store_event(&w.store, w.workspace, "node", &event, false, T0 + 3, &changed),
        PXR_MISSING);
    assert_sound(&w);
    world_close(&w);
}

static void a_full_table_of_legs_ends_no_meeting(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_tick_t tick;
    unsigned changed = 0;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 1);
    ref = new_meeting(&w, "Weekly42", T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u2", 2, T0);
    assert_int_equal(pxr_store_event(&w.store, w.workspace, "node", &event, false, T0, &changed),
                     PXR_FULL);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u1", 3, T0 + 1);
    deliver(&w, &event, T0 + 1);
    /* u2 may still be there. */
    assert_int_equal(pxr_store_tick(&w.store, T0 + 600 * PXR_SECOND, &tick), PXR_OK);
    view = view_of(&w, ref);
    assert_int_equal(view.life.state, PXR_MEETING_LIVE);
    pxr_view_release(&view);
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", "Weekly42", 4,
                             T0 + 600 * PXR_SECOND);
    deliver(&w, &event, T0 + 600 * PXR_SECOND);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 620 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 1);
    assert_sound(&w);
    world_close(&w);
}

/* A transfer: the old meeting's farewell, or late news of it, must not reach the new one. */
static void a_leg_that_went_to_another_meeting_is_not_taken_from_it(void **state)
{
    world_t w;
    pxr_ref_t first;
    pxr_ref_t second;
    pxr_event_t event;
    pxr_view_t view;
    unsigned changed = 0;

    (void)state;
    world_open(&w, 10, 10);
    first = new_meeting(&w, "MeetingA", T0);
    second = new_meeting(&w, "MeetingB", T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "MeetingA", "u1", 1, T0 + 1);
    deliver(&w, &event, T0 + 1);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "MeetingB", "u1", 3, T0 + 3);
    deliver(&w, &event, T0 + 3);
    view = view_of(&w, first);
    assert_int_equal(view.people_count, 0);
    pxr_view_release(&view);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "MeetingA", "u1", 4, T0 + 4);
    assert_int_equal(
        pxr_store_event(&w.store, w.workspace, "node", &event, false, T0 + 4, &changed),
        PXR_MISSING);
    event = leg_event(PXR_EVENT_UPDATED, "10.0.0.1", "MeetingA", "u1", 2, T0 + 2);
    assert_int_equal(
        pxr_store_event(&w.store, w.workspace, "node", &event, false, T0 + 5, &changed),
        PXR_MISSING);
    view = view_of(&w, second);
    assert_int_equal(view.people_count, 1);
    assert_int_equal(view.life.present, 1);
    pxr_view_release(&view);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "MeetingB", "u1", 5, T0 + 6);
    deliver(&w, &event, T0 + 6);
    view = view_of(&w, second);
    assert_int_equal(view.life.present, 0);
    pxr_view_release(&view);
    assert_sound(&w);
    world_close(&w);
}

static void assert_people(const world_t *w, pxr_ref_t ref, size_t people)
{
    pxr_view_t view = view_of(w, ref);

    assert_int_equal(view.people_count, people);
    assert_int_equal(view.life.present, people);
    pxr_view_release(&view);
}

/* Into a breakout room and back, with one uuid, by farewell and new connection in either order. */
static void a_leg_that_moves_between_rooms_of_a_meeting_goes_on_counting(void **state)
{
    static const char room[] = "Weekly42_breakout_6d1c1c1e";
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0 + 1);
    deliver(&w, &event, T0 + 1);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u1", 2, T0 + 2);
    deliver(&w, &event, T0 + 2);
    assert_people(&w, ref, 0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", room, "u1", 3, T0 + 3);
    deliver(&w, &event, T0 + 3);
    assert_people(&w, ref, 1);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 4, T0 + 4);
    deliver(&w, &event, T0 + 4);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", room, "u1", 5, T0 + 5);
    deliver(&w, &event, T0 + 5);
    assert_people(&w, ref, 1);
    /* The end of the breakout room takes nobody who has left it. */
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", room, 6, T0 + 6);
    deliver(&w, &event, T0 + 6);
    assert_people(&w, ref, 1);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u1", 7, T0 + 7);
    deliver(&w, &event, T0 + 7);
    assert_people(&w, ref, 0);
    /* A late connection from before the farewell is no return, and an old farewell that is said
     * again after a return is none. */
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 4, T0 + 4);
    deliver(&w, &event, T0 + 8);
    assert_people(&w, ref, 0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 9, T0 + 9);
    deliver(&w, &event, T0 + 9);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u1", 7, T0 + 7);
    deliver(&w, &event, T0 + 10);
    assert_people(&w, ref, 1);
    assert_sound(&w);
    world_close(&w);
}

/* Not every sender numbers its events. */
static void events_that_all_have_the_same_number_and_time_are_told_apart_by_what_they_say(
    void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_tick_t tick;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    event = conference_event(PXR_EVENT_CONFERENCE_STARTED, "10.0.0.1", "Weekly42", 1, T0);
    deliver(&w, &event, T0);
    event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    event.has_media = PXR_NO;
    deliver(&w, &event, T0);
    assert_people(&w, ref, 0);
    event = leg_event(PXR_EVENT_UPDATED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    assert_people(&w, ref, 1);
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    assert_people(&w, ref, 0);
    event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", "Weekly42", 1, T0);
    deliver(&w, &event, T0);
    assert_int_equal(pxr_store_tick(&w.store, T0 + 11 * PXR_SECOND, &tick), PXR_OK);
    assert_int_equal(tick.ended, 1);
    assert_sound(&w);
    world_close(&w);
}

/* Numbers are kept back for a day, but not at the price of refusing meetings. */
static void numbers_kept_back_do_not_fill_the_table(void **state)
{
    world_t w;
    pxr_time_t now = T0;
    pxr_tick_t tick;
    char id[32];
    char number[16];

    (void)state;
    world_open(&w, 20, 64);
    for (int i = 0; i < 5000; i++) {
        pxr_ref_t ref;
        bool created;
        snprintf(id, sizeof(id), "meeting%08d", i);
        snprintf(number, sizeof(number), "48%06d", i);
        assert_int_equal(make_meeting(&w, id, number, now, &ref, &created), PXR_OK);
        assert_int_equal(pxr_store_close(&w.store, w.workspace, ref, now), PXR_OK);
        now += 10 * PXR_SECOND;
        assert_int_equal(pxr_store_tick(&w.store, now, &tick), PXR_OK);
    }
    assert_sound(&w);
    world_close(&w);
}

static void a_workspace_of_which_nothing_is_left_gives_way(void **state)
{
    world_t w;
    const char *origins[PXR_WORKSPACES_MAX];
    char texts[PXR_WORKSPACES_MAX][64];
    uint32_t numbers[PXR_WORKSPACES_MAX];

    (void)state;
    world_open(&w, 10, 10);
    new_meeting(&w, "Weekly42", T0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PXR_WORKSPACES_MAX - 1; i++) {
            snprintf(texts[i], sizeof(texts[i]), "https://chat%d-%d.example.com", round, i);
            origins[i] = texts[i];
        }
        assert_int_equal(pxr_store_workspaces(&w.store, origins, PXR_WORKSPACES_MAX - 1, numbers),
                         PXR_OK);
        for (int i = 0; i < PXR_WORKSPACES_MAX - 1; i++) {
            /* The one that still has a meeting keeps its place. */
            assert_int_not_equal(numbers[i], w.workspace);
            for (int j = 0; j < i; j++) {
                assert_int_not_equal(numbers[i], numbers[j]);
            }
        }
    }
    snprintf(texts[PXR_WORKSPACES_MAX - 1], sizeof(texts[0]), "https://one-too-many.example.com");
    origins[PXR_WORKSPACES_MAX - 1] = texts[PXR_WORKSPACES_MAX - 1];
    assert_int_equal(pxr_store_workspaces(&w.store, origins, PXR_WORKSPACES_MAX, numbers),
                     PXR_FULL);
    assert_sound(&w);
    world_close(&w);
}

static void more_publishers_than_places_still_count(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_event_t event;
    pxr_view_t view;
    char node[32];

    (void)state;
    world_open(&w, 2000, 10);
    ref = new_meeting(&w, "Weekly42", T0);
    for (int i = 0; i < PXR_PUBLISHERS_MAX + 100; i++) {
        snprintf(node, sizeof(node), "10.0.%d.%d", i / 256, i % 256);
        event = conference_event(PXR_EVENT_CONFERENCE_STARTED, node, "Weekly42", 1, T0 + i);
        deliver(&w, &event, T0 + i);
    }
    view = view_of(&w, ref);
    assert_int_equal(view.node_count, PXR_PUBLISHERS_MAX + 100);
    assert_int_equal(view.life.shares, PXR_PUBLISHERS_MAX + 100);
    pxr_view_release(&view);
    assert_sound(&w);
    world_close(&w);
}

/* Years of use in a moment: every slot is used several times over, and nothing gets lost. */
static void slots_are_used_again_after_they_have_rested(void **state)
{
    world_t w;
    pxr_time_t now = T0;
    pxr_tick_t tick;
    pxr_found_t found;
    pxr_ref_t first = {0, 0};
    char id[32];
    char number[16];

    (void)state;
    world_open(&w, 8, 64);
    for (int i = 0; i < 3000; i++) {
        pxr_ref_t ref;
        bool created;
        pxr_event_t event;
        snprintf(id, sizeof(id), "meeting%08d", i);
        snprintf(number, sizeof(number), "48%06d", i);
        assert_int_equal(make_meeting(&w, id, i % 3 == 0 ? number : NULL, now, &ref, &created),
                         PXR_OK);
        first = i == 0 ? ref : first;
        event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", id, id, (uint64_t)i * 3 + 1, now);
        deliver(&w, &event, now);
        event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", id, (uint64_t)i * 3 + 2,
                                 now + 1);
        deliver(&w, &event, now + 1);
        now += 12 * PXR_SECOND;
        assert_int_equal(pxr_store_tick(&w.store, now, &tick), PXR_OK);
        assert_int_equal(tick.ended, 1);
        if (i % 500 == 0) {
            assert_sound(&w);
        }
    }
    assert_sound(&w);
    assert_int_equal(find(&w, "meeting00000000", &found), PXR_MISSING);
    /* A reference to a slot that is another meeting's now leads nowhere. */
    pxr_view_t view;
    assert_int_equal(pxr_store_read(&w.store, w.workspace, first, &view), PXR_MISSING);
    pxr_view_release(&view);
    /* The number of the last meeting is kept back, the first one's is free again. */
    pxr_ref_t ref;
    bool created;
    assert_int_equal(make_meeting(&w, "somebody", "48002997", now, &ref, &created), PXR_INVALID);
    now += 2 * PXR_NUMBER_HOLD;
    for (int i = 0; i < 400; i++) {
        assert_int_equal(pxr_store_tick(&w.store, now += 61 * PXR_SECOND, &tick), PXR_OK);
    }
    assert_int_equal(make_meeting(&w, "somebody", "48002997", now, &ref, &created), PXR_OK);
    assert_sound(&w);
    world_close(&w);
}

static void memory_of_another_layout_is_not_opened(void **state)
{
    world_t w;
    pxr_store_t other;
    uint64_t *word;

    (void)state;
    world_open(&w, 10, 10);
    assert_int_equal(pxr_store_open(&other, w.memory, w.bytes), PXR_OK);
    assert_int_equal(pxr_store_open(&other, w.memory, w.bytes - 1), PXR_BROKEN);
    word = w.memory;
    for (size_t i = 0; i < 4; i++) {
        uint64_t kept = word[i];
        word[i] ^= 1;
        assert_int_equal(pxr_store_open(&other, w.memory, w.bytes), PXR_BROKEN);
        word[i] = kept;
    }
    world_close(&w);
}

static void the_check_notices_damage(void **state)
{
    world_t w;
    char why[128];
    pxr_ref_t ref;
    size_t found = 0;

    (void)state;
    world_open(&w, 4, 8);
    ref = new_meeting(&w, "Weekly42", T0);
    (void)ref;
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u1", 1, T0);
    deliver(&w, &event, T0);
    /* Not every word is a link, but a fair share of those that are not zero is. */
    uint32_t *words = w.memory;
    size_t tried = 0;
    for (size_t i = 4096; i < w.bytes / 4; i += 7) {
        uint32_t kept = words[i];
        if (kept == 0 || kept > 100000) {
            continue;
        }
        tried++;
        words[i] = kept + 1;
        found += pxr_store_check(&w.store, why, sizeof(why)) == PXR_BROKEN;
        words[i] = kept;
    }
    assert_true(tried > 100);
    assert_true(found > tried / 4);
    assert_sound(&w);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_meeting_by_id_number_and_join_key),
        cmocka_unit_test(prefers_the_exact_spelling_and_refuses_an_ambiguous_one),
        cmocka_unit_test(keeps_workspaces_apart),
        cmocka_unit_test(returns_the_known_meeting_and_fills_in_its_title_once),
        cmocka_unit_test(refuses_an_id_that_is_anothers_number_and_a_number_that_is_taken),
        cmocka_unit_test(a_full_table_refuses_and_harms_nobody),
        cmocka_unit_test(texts_of_greatest_length_are_kept_whole),
        cmocka_unit_test(lists_newest_first_in_pages),
        cmocka_unit_test(a_meeting_ends_with_its_last_node),
        cmocka_unit_test(quality_is_joined_by_related_uuids),
        cmocka_unit_test(a_full_table_of_legs_ends_no_meeting),
        cmocka_unit_test(a_leg_that_went_to_another_meeting_is_not_taken_from_it),
        cmocka_unit_test(a_leg_that_moves_between_rooms_of_a_meeting_goes_on_counting),
        cmocka_unit_test(
            events_that_all_have_the_same_number_and_time_are_told_apart_by_what_they_say),
        cmocka_unit_test(numbers_kept_back_do_not_fill_the_table),
        cmocka_unit_test(a_workspace_of_which_nothing_is_left_gives_way),
        cmocka_unit_test(more_publishers_than_places_still_count),
        cmocka_unit_test(slots_are_used_again_after_they_have_rested),
        cmocka_unit_test(memory_of_another_layout_is_not_opened),
        cmocka_unit_test(the_check_notices_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
