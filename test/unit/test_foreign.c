#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/store/layout.h"
#include "pxr_chat.h"
#include "pxr_foreign.h"
#include "one_world.h"

/* Conferences that are none of our meetings, and the records that keep their chats. */

#define NOW (1000 * PXR_SECOND)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static pxr_event_t leg_of(const char *node, const char *conference, const char *dialled,
                          pxr_time_t time)
{
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, node, "", "u1", 1, time);

    event.conference_hash = pxr_hash_text(conference);
    snprintf(event.dialled, sizeof(event.dialled), "%s", dialled);
    return event;
}

static void hear(const pxr_event_t *event, int64_t now)
{
    assert_int_equal(pxr_store_foreign_note(&w.store, w.workspace, event, now), PXR_OK);
}

static void enter(const char *node, const char *conference, const char *dialled, int64_t now)
{
    pxr_event_t event = leg_of(node, conference, dialled, T0);

    hear(&event, now);
}

static void end(const char *node, const char *conference, pxr_time_t time)
{
    pxr_event_t event = conference_event(PXR_EVENT_CONFERENCE_ENDED, node, "", 2, time);

    event.conference_hash = pxr_hash_text(conference);
    hear(&event, NOW);
}

static bool find_in(uint32_t workspace, const char *text, int64_t now, pxr_foreign_t *out)
{
    pxr_alias_t alias;

    return pxr_alias_parse(text, strlen(text), &alias) &&
           pxr_store_foreign_find(&w.store, workspace, &alias, now, out);
}

/* The conference that an alias leads to, "" for none. */
static void assert_leads_to(const char *text, const char *conference)
{
    pxr_foreign_t found = {0};
    bool leads = find_in(w.workspace, text, NOW, &found);

    if (leads != (conference[0] != '\0') ||
        (leads && found.conference != pxr_hash_text(conference))) {
        fail_msg("%s does not lead to '%s'", text, conference);
    }
}

static void what_was_dialled_leads_to_the_conference(void **state)
{
    pxr_foreign_t found;

    (void)state;
    assert_leads_to("7071", "");
    enter("n1", "A", "sip:Anna@Example.com;transport=tls", NOW);
    enter("n1", "B", "7071", NOW);
    assert_leads_to("ANNA@example.COM", "A");
    assert_leads_to("anna", "A");
    assert_leads_to("anna@10.0.0.1:1720", "A");
    assert_leads_to("anna@other.example", "A");
    assert_leads_to("sip:7071@meet.example.com", "B");
    assert_leads_to("+7071", "B");
    assert_leads_to("707", "");
    assert_true(find_in(w.workspace, "anna", NOW, &found));
    assert_string_equal(found.alias, "anna@example.com");
    assert_false(find_in(w.workspace + 1, "anna", NOW, &found));
}

static void of_the_same_user_at_two_domains_each_has_his_own(void **state)
{
    (void)state;
    enter("n1", "A", "anna@a.example", NOW);
    enter("n1", "B", "anna@b.example", NOW);
    assert_leads_to("anna@a.example", "A");
    assert_leads_to("anna@b.example", "B");
    assert_leads_to("anna", "");
    assert_leads_to("anna@c.example", "");
}

static void an_end_is_that_of_one_node(void **state)
{
    (void)state;
    enter("n1", "A", "7071", NOW);
    enter("n2", "A", "7071", NOW);
    enter("n1", "B", "7072", NOW);
    end("n1", "A", T0 + 1);
    assert_leads_to("7071", "A");
    end("n2", "A", T0 + 1);
    assert_leads_to("7071", "");
    assert_leads_to("7072", "B");
}

static void what_is_late_does_not_bring_it_back(void **state)
{
    pxr_event_t event = leg_of("n1", "A", "anna@a.example", T0);

    (void)state;
    hear(&event, NOW);
    end("n1", "A", T0 + 10);
    event.kind = PXR_EVENT_UPDATED;
    event.time = T0 + 9;
    hear(&event, NOW);
    assert_leads_to("anna@a.example", "");
    assert_leads_to("anna", "");
    event.time = T0 + 11;
    hear(&event, NOW);
    assert_leads_to("anna@a.example", "A");
    assert_leads_to("anna", "A");
}

static void who_is_not_in_it_by_this_alias_leaves_no_trace(void **state)
{
    pxr_event_t events[8];

    (void)state;
    for (size_t i = 0; i < COUNT(events); i++) {
        events[i] = leg_of("n1", "A", "7071", T0);
    }
    events[0].kind = PXR_EVENT_DISCONNECTED;
    events[1].service = PXR_SERVICE_JOINING;
    events[2].service = PXR_SERVICE_UNSAID;
    events[3].gateway = true;
    events[4].is_streaming = PXR_YES;
    events[5].conference_hash = 0;
    events[6].dialled[0] = '\0';
    snprintf(events[7].dialled, sizeof(events[7].dialled), "7071\xff");
    for (size_t i = 0; i < COUNT(events); i++) {
        hear(&events[i], NOW);
        assert_leads_to("7071", "");
        assert_leads_to("7071\xff", "");
    }
}

static void it_is_forgotten_after_an_hour_of_silence(void **state)
{
    pxr_foreign_t found;

    (void)state;
    enter("n1", "A", "7071", NOW);
    assert_true(find_in(w.workspace, "7071", NOW + PXR_FOREIGN_KEEP - 1, &found));
    assert_false(find_in(w.workspace, "7071", NOW + PXR_FOREIGN_KEEP, &found));
    enter("n1", "A", "7071", NOW + PXR_FOREIGN_KEEP);
    assert_true(find_in(w.workspace, "7071", NOW + PXR_FOREIGN_KEEP, &found));
}

/* The longest alias that is kept, and one that is a byte too long. */
static void long_aliases_are_whole_or_not_there(void **state)
{
    char text[PXR_FOREIGN_ALIAS_MAX + 2];
    pxr_foreign_t found;

    (void)state;
    for (int longer = 0; longer <= 1; longer++) {
        size_t len = PXR_FOREIGN_ALIAS_MAX + (size_t)longer;
        memset(text, 'a' + longer, len);
        text[40] = '@';
        text[len] = '\0';
        enter("n1", "A", text, NOW);
        assert_int_equal(find_in(w.workspace, text, NOW, &found), longer == 0);
        if (longer == 0) {
            assert_string_equal(found.alias, text);
        }
    }
}

static void more_than_there_is_room_for_do_no_harm(void **state)
{
    char text[32];
    uint32_t known = 0;

    (void)state;
    for (int i = 0; i < 4 * PXR_FOREIGN_PLACES; i++) {
        snprintf(text, sizeof(text), "%d", i);
        enter("n1", text, text, NOW + i);
        assert_leads_to(text, text);
    }
    for (int i = 0; i < 4 * PXR_FOREIGN_PLACES; i++) {
        pxr_foreign_t found;
        snprintf(text, sizeof(text), "%d", i);
        if (find_in(w.workspace, text, NOW, &found)) {
            assert_string_equal(found.alias, text);
            known++;
        }
    }
    assert_true(known > PXR_FOREIGN_PLACES / 2 && known <= PXR_FOREIGN_PLACES);
}

static void half_an_entry_is_none(void **state)
{
    (void)state;
    enter("n1", "A", "7071", NOW);
    for (size_t place = 0; place < PXR_FOREIGN_PLACES; place++) {
        for (size_t i = 0; i < PXR_FOREIGN_WORDS; i++) {
            _Atomic(uint64_t) *word = &w.store.segment->foreign[place][i];
            uint64_t whole = atomic_load(word);
            if (atomic_load(&w.store.segment->foreign[place][0]) == 0) {
                break;
            }
            atomic_store(word, ~whole);
            assert_leads_to("7071", "");
            atomic_store(word, whole);
            assert_leads_to("7071", "A");
        }
    }
}

static void scribble(uint32_t seed)
{
    for (uint32_t i = seed;; i++) {
        char text[32];
        pxr_event_t event;
        snprintf(text, sizeof(text), "%u@a.example", i % 50);
        event = leg_of("n1", text, text, T0 + i);
        pxr_store_foreign_note(&w.store, w.workspace, &event, NOW);
        event.kind = PXR_EVENT_CONFERENCE_ENDED;
        if (i % 7 == 0) {
            pxr_store_foreign_note(&w.store, w.workspace, &event, NOW);
        }
    }
}

/* What is found is always what was written for that alias, whoever dies where. */
static void writers_may_be_killed_anywhere(void **state)
{
    uint32_t found = 0;

    (void)state;
    for (int kills = 0; kills < 60; kills++) {
        const struct timespec moment = {.tv_nsec = 1000000 + kills * 37000};
        pid_t pids[2];
        for (size_t i = 0; i < COUNT(pids); i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                scribble((uint32_t)kills * 1000 + (uint32_t)i);
            }
        }
        nanosleep(&moment, NULL);
        for (int i = 0; i < 500; i++) {
            char text[32];
            pxr_foreign_t out;
            snprintf(text, sizeof(text), "%d@a.example", i % 50);
            if (find_in(w.workspace, text, NOW, &out)) {
                assert_string_equal(out.alias, text);
                assert_true(out.conference == pxr_hash_text(text));
                found++;
            }
        }
        for (size_t i = 0; i < COUNT(pids); i++) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
    }
    assert_true(found > 0);
    enter("n1", "A", "7071", NOW);
    assert_leads_to("7071", "A");
}

static void a_record_has_the_same_id_everywhere_for_a_day(void **state)
{
    const pxr_time_t day = 24 * 3600 * PXR_SECOND;
    const pxr_time_t midnight = T0 / day * day;
    char id[PXR_CHAT_RECORD_ID_LEN + 1];
    char other[5][PXR_CHAT_RECORD_ID_LEN + 1];

    (void)state;
    pxr_chat_record_id("secret", "room", 5, midnight, id);
    assert_true(pxr_chat_is_record(id));
    assert_int_equal(strlen(id), PXR_CHAT_RECORD_ID_LEN);
    assert_false(pxr_meeting_id_valid(id, strlen(id)));
    assert_false(pxr_chat_is_record("chat5678"));
    pxr_chat_record_id("secret", "room", 5, midnight + day - 1, other[0]);
    assert_string_equal(id, other[0]);
    pxr_chat_record_id("secret", "room", 5, midnight + day, other[0]);
    pxr_chat_record_id("secret", "room", 5, midnight - 1, other[1]);
    pxr_chat_record_id("secret", "room", 6, midnight, other[2]);
    pxr_chat_record_id("secret", "moor", 5, midnight, other[3]);
    pxr_chat_record_id("secreT", "room", 5, midnight, other[4]);
    for (size_t i = 0; i < COUNT(other); i++) {
        assert_string_not_equal(id, other[i]);
    }
}

/* In no list and no number; found by its id alone. */
static void a_record_is_no_meeting(void **state)
{
    pxr_list_query_t query = {.states = {true, true, true, true}, .room_id = "GENERAL", .limit = 5};
    char id[PXR_CHAT_RECORD_ID_LEN + 1];
    pxr_workspace_numbers_t numbers;
    pxr_time_t created_at[5];
    pxr_ref_t refs[5];
    pxr_ref_t again;
    pxr_found_t found;
    pxr_ref_t ref;
    bool created;
    bool more;

    (void)state;
    pxr_chat_record_id("secret", "GENERAL", 5, T0, id);
    ref = new_meeting(&w, id, T0);
    new_meeting(&w, "meeting1", T0);
    assert_int_equal(pxr_store_list(&w.store, w.workspace, &query, refs, created_at, &more), 1);
    assert_int_not_equal(refs[0].slot, ref.slot);
    pxr_store_numbers(&w.store, w.workspace, &numbers);
    assert_int_equal(numbers.open, 1);
    assert_int_equal(make_meeting(&w, id, NULL, T0 + 1, &again, &created), PXR_OK);
    assert_false(created);
    assert_int_equal(again.slot, ref.slot);
    assert_int_equal(
        pxr_store_find(&w.store, w.workspace, false, id, strlen(id), T0, &found, NULL, 0), PXR_OK);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_dialled_leads_to_the_conference),
        CASE(of_the_same_user_at_two_domains_each_has_his_own),
        CASE(an_end_is_that_of_one_node),
        CASE(what_is_late_does_not_bring_it_back),
        CASE(who_is_not_in_it_by_this_alias_leaves_no_trace),
        CASE(it_is_forgotten_after_an_hour_of_silence),
        CASE(long_aliases_are_whole_or_not_there),
        CASE(more_than_there_is_room_for_do_no_harm),
        CASE(half_an_entry_is_none),
        CASE(writers_may_be_killed_anywhere),
        cmocka_unit_test(a_record_has_the_same_id_everywhere_for_a_day),
        CASE(a_record_is_no_meeting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
