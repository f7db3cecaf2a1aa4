#include "helpers.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/store/legs.h"
#include "pxr_keep.h"
#include "store_helpers.h"

#define NODE "10.0.0.1"
#define MEETING "Weekly42"
#define LETTERS 26
#define WRITERS 3
#define KILLS 60
#define LEGS 4

/* One text for each letter, so that a mixture of two can be told from both. */
static size_t letter_len(int letter)
{
    static const size_t lens[] = {1, 126, 127, 128, 129, 200, 249, 250};

    return lens[letter % (int)COUNT(lens)];
}

static const char *letter_name(int letter)
{
    static char name[PXR_NAME_CHARS + 1];

    memset(name, 'a' + letter, letter_len(letter));
    name[letter_len(letter)] = '\0';
    return name;
}

static void say_name(const world_t *w, pxr_event_kind_t kind, const char *uuid, const char *name)
{
    pxr_event_t event = leg_event(kind, NODE, MEETING, uuid, 0, 0);

    snprintf(event.name, sizeof(event.name), "%s", name);
    deliver(w, &event, T0);
}

static uint32_t link_of(const world_t *w, pxr_ref_t ref, const char *uuid)
{
    uint32_t link = pxr_leg_find_in(&w->store, ref.slot, uuid);

    assert_int_not_equal(link, 0);
    return link;
}

/* By who asks for the people, and by who keeps them. */
static void assert_name(const world_t *w, pxr_ref_t ref, const char *uuid, const char *name)
{
    pxr_change_t change = {.table = PXR_TABLE_LEGS, .link = link_of(w, ref, uuid)};
    pxr_view_t view = view_of(w, ref);
    pxr_leg_record_t record;
    size_t i = 0;

    while (i < view.people_count && strcmp(view.people[i].id, uuid) != 0) {
        i++;
    }
    assert_true(i < view.people_count);
    assert_string_equal(view.people[i].name, name);
    pxr_view_release(&view);
    assert_int_equal(pxr_store_copy_leg(&w->store, &change, &record), PXR_OK);
    assert_string_equal(record.name, name);
}

static void a_call_leg_takes_half_a_kib(void **state)
{
    pxr_store_sizes_t few = {.meetings = 10000, .participants = 50000};
    pxr_store_sizes_t many = {.meetings = 10000, .participants = 100000};

    (void)state;
    assert_in_range((pxr_store_bytes(&many) - pxr_store_bytes(&few)) / 50000, 1, 512);
}

static void names_of_any_length_come_and_go(void **state)
{
    world_t w;
    pxr_ref_t ref;
    uint32_t blocks;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, MEETING, T0);
    blocks = w.store.segment->root.blocks_free;
    say_name(&w, PXR_EVENT_CONNECTED, "anna", "");
    assert_name(&w, ref, "anna", "");
    for (int from = 0; from < 8; from++) {
        for (int to = 0; to < 8; to++) {
            say_name(&w, PXR_EVENT_UPDATED, "anna", letter_name(from));
            say_name(&w, PXR_EVENT_UPDATED, "anna", letter_name(to + 8));
            assert_name(&w, ref, "anna", letter_name(to + 8));
            assert_sound(&w);
            assert_int_equal(w.store.segment->root.blocks_free,
                             blocks - (letter_len(to) > PXR_LEG_NAME_SHORT));
        }
    }
    world_close(&w);
}

static void a_name_stays_where_it_is_not_spoken_of(void **state)
{
    const char *name = letter_name(7);
    pxr_event_t event;
    world_t w;
    pxr_ref_t ref, other;
    char left[PXR_NAME_CHARS + 1];

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, MEETING, T0);
    say_name(&w, PXR_EVENT_CONNECTED, "anna", name);
    event = conference_event(PXR_EVENT_QUALITY, NODE, "", 0, T0);
    snprintf(event.uuid, sizeof(event.uuid), "anna");
    event.quality = PXR_QUALITY_BAD;
    assert_int_equal(deliver(&w, &event, T0), PXR_CHANGED_LEG);
    say_name(&w, PXR_EVENT_UPDATED, "anna", "");
    assert_name(&w, ref, "anna", name);
    /* It goes on to another meeting, and what is known of it there begins anew. */
    other = new_meeting(&w, "Another1", T0);
    event = leg_event(PXR_EVENT_CONNECTED, NODE, "Another1", "anna", 0, 0);
    deliver(&w, &event, T0);
    pxr_leg_copy_name(&w.store, link_of(&w, ref, "anna"), left);
    assert_string_equal(left, name);
    assert_name(&w, other, "anna", "");
    assert_sound(&w);
    world_close(&w);
}

static void the_database_gives_and_takes_long_names(void **state)
{
    const char *name = letter_name(15);
    world_t here, there;
    pxr_change_t change = {.table = PXR_TABLE_LEGS};
    pxr_leg_record_t record;
    pxr_ref_t ref;

    (void)state;
    world_open(&here, 10, 10);
    world_open(&there, 10, 10);
    ref = new_meeting(&here, MEETING, T0);
    say_name(&here, PXR_EVENT_CONNECTED, "anna", name);
    change.link = link_of(&here, ref, "anna");
    assert_int_equal(pxr_store_copy_leg(&here.store, &change, &record), PXR_OK);
    ref = new_meeting(&there, MEETING, T0);
    assert_int_equal(pxr_store_merge_leg(&there.store, &record, T0), PXR_OK);
    assert_name(&there, ref, "anna", name);
    assert_sound(&there);
    world_close(&here);
    world_close(&there);
}

static void a_leg_that_is_forgotten_returns_its_block(void **state)
{
    world_t w;
    pxr_tick_t tick;
    uint32_t blocks;

    (void)state;
    world_open(&w, 10, 10);
    new_meeting(&w, MEETING, T0);
    blocks = w.store.segment->root.blocks_free;
    say_name(&w, PXR_EVENT_CONNECTED, "anna", letter_name(7));
    say_name(&w, PXR_EVENT_DISCONNECTED, "anna", "");
    assert_int_equal(w.store.segment->root.blocks_free, blocks - 1);
    assert_int_equal(pxr_store_tick(&w.store, T0 + PXR_LEFT_KEEP + 2, &tick), PXR_OK);
    assert_int_equal(w.store.segment->root.blocks_free, blocks);
    assert_int_equal(w.store.segment->root.legs_free, 10);
    assert_sound(&w);
    world_close(&w);
}

/* 250 bytes, none of which can be cut off alone. */
static const char *two_byte_name(const char *sign)
{
    static char name[PXR_NAME_CHARS + 1];

    for (size_t i = 0; i < PXR_NAME_CHARS / 2; i++) {
        memcpy(name + 2 * i, sign, 2);
    }
    return name;
}

/* How many of the legs have their whole name; the others have its first half. */
static uint32_t count_whole(const world_t *w, pxr_ref_t ref, const char *sign)
{
    const char *name = two_byte_name(sign);
    pxr_view_t view = view_of(w, ref);
    uint32_t whole = 0;

    for (size_t i = 0; i < view.people_count; i++) {
        if (strcmp(view.people[i].name, name) == 0) {
            whole++;
        } else {
            assert_int_equal(strlen(view.people[i].name), PXR_LEG_NAME_SHORT - 1);
            assert_memory_equal(view.people[i].name, name, PXR_LEG_NAME_SHORT - 1);
        }
    }
    pxr_view_release(&view);
    return whole;
}

static void long_names_have_their_part_of_the_table_and_no_more(void **state)
{
    enum { MANY = 64 };
    uint32_t most = pxr_long_names(MANY);
    world_t w;
    pxr_ref_t ref, others;
    uint32_t blocks;
    bool created;
    char text[32];

    (void)state;
    assert_true(most < MANY);
    world_open(&w, 10, MANY);
    ref = new_meeting(&w, MEETING, T0);
    blocks = w.store.segment->root.blocks_free;
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "leg%d", i);
        say_name(&w, PXR_EVENT_CONNECTED, text, two_byte_name("\u00e9"));
    }
    assert_int_equal(count_whole(&w, ref, "\u00e9"), most);
    assert_int_equal(w.store.segment->root.blocks_free, blocks - most);
    assert_sound(&w);
    /* Who has a block may go on using it; who gives it back gives it to whoever says his name. */
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "leg%d", i);
        say_name(&w, PXR_EVENT_UPDATED, text, two_byte_name("\u00f6"));
    }
    assert_int_equal(count_whole(&w, ref, "\u00f6"), most);
    assert_name(&w, ref, "leg0", two_byte_name("\u00f6"));
    say_name(&w, PXR_EVENT_UPDATED, "leg0", "Anna");
    say_name(&w, PXR_EVENT_UPDATED, "leg63", two_byte_name("\u00f6"));
    assert_name(&w, ref, "leg63", two_byte_name("\u00f6"));
    assert_sound(&w);
    for (int i = 0; i < 9; i++) {
        snprintf(text, sizeof(text), "meeting%d", i);
        assert_int_equal(make_meeting(&w, text, NULL, T0, &others, &created), PXR_OK);
    }
    world_close(&w);
}

/* Meetings with ever shorter titles, until no block is left for another one. */
static void fill_blocks(const world_t *w)
{
    static char title[4 * PXR_TITLE_CHARS];
    int number = 0;

    memset(title, 't', sizeof(title));
    for (size_t len = sizeof(title); len > 0; len /= 2) {
        pxr_status_t status;
        do {
            char key[PXR_KEY_MAX + 1], id[32];
            pxr_new_meeting_t m;
            pxr_ref_t ref;
            bool created;
            snprintf(id, sizeof(id), "meeting%d", number++);
            m = plain_meeting(id, key, "GENERAL", T0);
            m.details.text[PXR_TITLE] = title;
            m.details.len[PXR_TITLE] = len;
            status = pxr_store_create(&w->store, w->workspace, &m, &ref, &created);
        } while (status == PXR_OK);
        assert_int_equal(status, PXR_FULL);
    }
}

static void without_a_block_a_name_is_cut_at_a_code_point(void **state)
{
    world_t w;
    pxr_ref_t ref;
    uint32_t left;
    char uuid[32];

    (void)state;
    world_open(&w, 100, 8);
    ref = new_meeting(&w, MEETING, T0);
    for (int i = 0; i < 8; i++) {
        snprintf(uuid, sizeof(uuid), "leg%d", i);
        say_name(&w, PXR_EVENT_CONNECTED, uuid, "Anna");
    }
    fill_blocks(&w);
    left = w.store.segment->root.blocks_free;
    assert_true(left < 8);
    for (int i = 0; i < 8; i++) {
        snprintf(uuid, sizeof(uuid), "leg%d", i);
        say_name(&w, PXR_EVENT_UPDATED, uuid, two_byte_name("\u00e9"));
    }
    assert_int_equal(count_whole(&w, ref, "\u00e9"), left);
    assert_sound(&w);
    world_close(&w);
}

static void assert_damage_is_found(const world_t *w, const char *what)
{
    char why[128];

    assert_int_equal(pxr_store_check(&w->store, why, sizeof(why)), PXR_BROKEN);
    CHECK(strstr(why, what) != NULL, "\"%s\" instead of \"%s\"", why, what);
}

static void the_check_finds_damaged_names(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pxr_leg_name_t *anna, *bert;
    pxr_leg_name_t good;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, MEETING, T0);
    say_name(&w, PXR_EVENT_CONNECTED, "anna", letter_name(7));
    say_name(&w, PXR_EVENT_CONNECTED, "bert", letter_name(15));
    anna = &pxr_leg_slot(&w.store, link_of(&w, ref, "anna"))->name;
    bert = &pxr_leg_slot(&w.store, link_of(&w, ref, "bert"))->name;
    good = *anna;
    anna->rest = bert->rest;
    assert_damage_is_found(&w, "block of a leg's name");
    anna->rest = w.store.segment->blocks + 1;
    assert_damage_is_found(&w, "block of a leg's name");
    anna->rest = w.store.segment->root.free_blocks;
    assert_damage_is_found(&w, "block of a leg's name");
    anna->rest = 0;
    assert_damage_is_found(&w, "wrong length");
    *anna = good;
    anna->len = PXR_LEG_NAME_SHORT;
    assert_damage_is_found(&w, "wrong length");
    anna->len = PXR_NAME_CHARS + 1;
    assert_damage_is_found(&w, "wrong length");
    *anna = good;
    w.store.segment->root.long_names++;
    assert_damage_is_found(&w, "count of long names");
    w.store.segment->root.long_names--;
    assert_sound(&w);
    world_close(&w);
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
}

/* Dies after the whole change was collected, before or after the log was marked. */
static void die_renaming(const world_t *w, uint32_t link, const char *name, bool marked)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        pxr_segment_t *segment = w->store.segment;
        pxr_tx_t tx;
        pxr_lock(&w->store);
        pxr_tx_begin(&tx, &w->store);
        pxr_leg_put_name(&tx, link, name);
        pxr_tx_put(&tx, &segment->root, &tx.root, sizeof(tx.root));
        segment->log.committed = marked;
        kill(getpid(), SIGKILL);
    }
    reap(pid);
}

static void a_death_inside_leaves_one_name_or_the_other(void **state)
{
    world_t w;
    pxr_store_health_t health;
    pxr_ref_t ref;
    uint32_t link;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, MEETING, T0);
    say_name(&w, PXR_EVENT_CONNECTED, "anna", "Anna");
    link = link_of(&w, ref, "anna");
    for (int from = 0; from < 8; from++) {
        for (int to = 8; to < 16; to++) {
            say_name(&w, PXR_EVENT_UPDATED, "anna", letter_name(from));
            die_renaming(&w, link, letter_name(to), false);
            assert_name(&w, ref, "anna", letter_name(from));
            assert_sound(&w);
            die_renaming(&w, link, letter_name(to), true);
            assert_name(&w, ref, "anna", letter_name(to));
            assert_sound(&w);
        }
    }
    pxr_store_health(&w.store, &health);
    assert_int_equal(health.repairs, 2 * 8 * 8);
    assert_int_equal(health.resets, 0);
    world_close(&w);
}

static pid_t start_writer(const world_t *w, uint64_t seed)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        /* Should nobody be left to end it. */
        alarm(60);
    }
    while (pid == 0) {
        pxr_event_t event;
        unsigned changed = 0;
        char uuid[32];
        snprintf(uuid, sizeof(uuid), "leg%u", dice(&seed, LEGS));
        event = leg_event(PXR_EVENT_CONNECTED, NODE, MEETING, uuid, 0, 0);
        strcpy(event.name, letter_name((int)dice(&seed, LETTERS)));
        pxr_store_event(&w->store, w->workspace, "node", &event, false, T0, &changed);
    }
    return pid;
}

static void names_are_whole_when_processes_are_killed(void **state)
{
    world_t w;
    pxr_ref_t ref;
    pid_t writers[WRITERS];
    pxr_store_health_t health;
    uint64_t seed = 7;
    pxr_view_t view;

    (void)state;
    world_open(&w, 10, 10);
    ref = new_meeting(&w, MEETING, T0);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = start_writer(&w, seed++);
    }
    for (int count = 0; count < KILLS; count++) {
        struct timespec moment = {.tv_nsec = 200000 + dice(&seed, 3000000)};
        size_t victim = dice(&seed, WRITERS);
        nanosleep(&moment, NULL);
        kill(writers[victim], SIGKILL);
        reap(writers[victim]);
        writers[victim] = start_writer(&w, seed);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        kill(writers[i], SIGKILL);
        reap(writers[i]);
    }
    assert_sound(&w);
    pxr_store_health(&w.store, &health);
    assert_int_equal(health.resets, 0);
    view = view_of(&w, ref);
    assert_int_equal(view.people_count, LEGS);
    for (size_t i = 0; i < view.people_count; i++) {
        assert_string_equal(view.people[i].name, letter_name(view.people[i].name[0] - 'a'));
    }
    pxr_view_release(&view);
    print_message("%lu repairs\n", (unsigned long)health.repairs);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_leg_takes_half_a_kib),
        cmocka_unit_test(names_of_any_length_come_and_go),
        cmocka_unit_test(a_name_stays_where_it_is_not_spoken_of),
        cmocka_unit_test(the_database_gives_and_takes_long_names),
        cmocka_unit_test(a_leg_that_is_forgotten_returns_its_block),
        cmocka_unit_test(long_names_have_their_part_of_the_table_and_no_more),
        cmocka_unit_test(without_a_block_a_name_is_cut_at_a_code_point),
        cmocka_unit_test(the_check_finds_damaged_names),
        cmocka_unit_test(a_death_inside_leaves_one_name_or_the_other),
        cmocka_unit_test(names_are_whole_when_processes_are_killed),
    };

    return RUN(tests);
}
