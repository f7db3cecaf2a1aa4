/* A person who is taken out of the history is taken out of memory. */

#include "keep_helpers.h"

#include "../../src/store/legs.h"

#define ORIGIN "https://chat.example.com"
/* Each of many meetings is created a little after the one before. */
#define ASKED (T0 + PXR_SECOND)
#define WHO "\xD0\x9D\xD0\xB8\xD0\xBD\xD0\xB0 <b>O'Hara</b>"

static pxr_ref_t created_by(const world_t *w, const char *id, const char *user, const char *name)
{
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m = plain_meeting(id, key, "GENERAL", T0);
    pxr_ref_t ref = {0, 0};
    bool created = false;

    m.details.text[PXR_TITLE] = WHO;
    m.details.len[PXR_TITLE] = strlen(WHO);
    m.details.text[PXR_CREATOR_ID] = user;
    m.details.len[PXR_CREATOR_ID] = strlen(user);
    m.details.text[PXR_CREATOR_NAME] = name;
    m.details.len[PXR_CREATOR_NAME] = strlen(name);
    assert_int_equal(pxr_store_create(&w->store, w->workspace, &m, &ref, &created), PXR_OK);
    return ref;
}

static void visit(const world_t *w, const char *id, const char *uuid, const char *name, bool stays)
{
    pxr_event_t event = leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", id, uuid, 0, T0 + 1);

    snprintf(event.name, sizeof(event.name), "%s", name);
    deliver(w, &event, T0 + 1);
    if (!stays) {
        event.kind = PXR_EVENT_DISCONNECTED;
        event.time = T0 + 2;
        deliver(w, &event, T0 + 2);
    }
}

static void end(const world_t *w, const char *id, pxr_ref_t ref)
{
    pxr_event_t event = conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", id, 0, T0 + 3);

    deliver(w, &event, T0 + 3);
    assert_int_equal(pxr_store_close(&w->store, w->workspace, ref, T0 + 3), PXR_OK);
}

static void assert_creator(const world_t *w, pxr_ref_t ref, const char *id, const char *name)
{
    pxr_view_t view = view_of(w, ref);

    assert_string_equal(view.details.text[PXR_CREATOR_ID], id);
    assert_string_equal(view.details.text[PXR_CREATOR_NAME], name);
    /* What people have written stays theirs. */
    assert_string_equal(view.details.text[PXR_TITLE], WHO);
    pxr_view_release(&view);
}

static void assert_leg(const world_t *w, const char *uuid, const char *name)
{
    char found[PXR_NAME_CHARS + 1];
    uint32_t link = pxr_leg_find(&w->store, w->workspace, uuid, false);

    assert_int_not_equal(link, 0);
    pxr_leg_copy_name(&w->store, link, found);
    assert_string_equal(found, name);
}

static void erase(const world_t *w, const char *workspace, const char *who, pxr_time_t asked_at)
{
    assert_int_equal(pxr_store_erase_person(&w->store, workspace, who, "removed", asked_at),
                     PXR_OK);
    assert_sound(w);
}

static void takes_a_person_out_of_what_has_ended(void **state)
{
    world_t w;
    pxr_ref_t by_id, by_name, other, live;

    (void)state;
    world_open(&w, 300, 100);
    /* More slots than are looked at in one go. */
    for (int i = 0; i < 150; i++) {
        char id[PXR_MEETING_ID_MAX + 1];
        snprintf(id, sizeof(id), "Between%04d", i);
        new_meeting(&w, id, T0);
    }
    by_id = created_by(&w, "ById0001", WHO, "Anna");
    by_name = created_by(&w, "ByName01", "anna", WHO);
    other = created_by(&w, "Other001", "anna", WHO " II");
    live = created_by(&w, "Live0001", WHO, WHO);
    visit(&w, "ById0001", "leg-anna", "Anna", false);
    visit(&w, "ByName01", "leg-who", WHO, false);
    visit(&w, "Live0001", "leg-live", WHO, true);
    end(&w, "ById0001", by_id);
    end(&w, "ByName01", by_name);
    end(&w, "Other001", other);

    /* Nothing of that is about them. */
    erase(&w, "https://other.example.com", WHO, ASKED);
    erase(&w, ORIGIN, WHO, T0 - 1);
    erase(&w, ORIGIN, "%", ASKED);
    erase(&w, ORIGIN, "Ann", ASKED);
    assert_creator(&w, by_id, WHO, "Anna");
    assert_leg(&w, "leg-who", WHO);

    for (int twice = 0; twice < 2; twice++) {
        erase(&w, ORIGIN, WHO, ASKED);
        assert_creator(&w, by_id, "removed", "removed");
        assert_creator(&w, by_name, "removed", "removed");
        assert_creator(&w, other, "anna", WHO " II");
        assert_creator(&w, live, WHO, WHO);
        assert_leg(&w, "leg-anna", "Anna");
        assert_leg(&w, "leg-who", "removed");
        assert_leg(&w, "leg-live", WHO);
    }
    world_close(&w);
}

/* A participant's name is cut where a creator's is not. */
static void knows_the_longest_name(void **state)
{
    char longest[4 * PXR_NAME_CHARS + 1] = "";
    char shown[PXR_NAME_CHARS + 1];
    world_t w;
    pxr_ref_t ref;

    (void)state;
    for (size_t i = 0; i < PXR_NAME_CHARS; i++) {
        memcpy(longest + 4 * i, "\xF0\x9F\x98\x80", 5);
    }
    snprintf(shown, sizeof(shown), "%.248s", longest);
    world_open(&w, 10, 10);
    ref = created_by(&w, "Longest1", "anna", longest);
    visit(&w, "Longest1", "leg-long", shown, false);
    end(&w, "Longest1", ref);
    assert_leg(&w, "leg-long", shown);
    erase(&w, ORIGIN, longest, ASKED);
    assert_creator(&w, ref, "removed", "removed");
    assert_leg(&w, "leg-long", "removed");
    world_close(&w);
}

/* The database has done so before: there is nothing to be written. */
static void writes_nothing_of_it_to_the_database(void **state)
{
    machine_t m;
    pxr_meeting_record_t record = {.life = {.state = PXR_MEETING_ENDED, .ended_at = T0 + 5}};
    pxr_found_t found;

    (void)state;
    machine_open(&m, 1, 10, 10, PXR_KEEP_ALONE);
    snprintf(record.workspace, sizeof(record.workspace), "%s", ORIGIN);
    snprintf(record.id, sizeof(record.id), "Ended001");
    snprintf(record.join_key, sizeof(record.join_key), "keyEnded001");
    record.answer = "{}";
    record.answer_len = 2;
    record.tag = "tag";
    record.tag_len = 3;
    record.life.created_at = T0;
    record.details.text[PXR_TITLE] = WHO;
    record.details.len[PXR_TITLE] = strlen(WHO);
    record.details.text[PXR_CREATOR_ID] = WHO;
    record.details.len[PXR_CREATOR_ID] = strlen(WHO);
    assert_int_equal(pxr_store_merge_meeting(&m.w.store, &record, T0 + 6), PXR_OK);
    assert_int_equal(pxr_store_unsaved(&m.w.store), 0);
    assert_int_equal(
        pxr_store_find(&m.w.store, m.w.workspace, false, record.id, 8, T0 + 6, &found, NULL, 0),
        PXR_OK);
    erase(&m.w, ORIGIN, WHO, ASKED);
    assert_creator(&m.w, found.ref, "removed", "removed");
    assert_int_equal(pxr_store_unsaved(&m.w.store), 0);
    machine_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_person_out_of_what_has_ended),
        cmocka_unit_test(knows_the_longest_name),
        cmocka_unit_test(writes_nothing_of_it_to_the_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
