#include "../unit/store_helpers.h"
#include "fuzz.h"

#include "../../src/store/layout.h"

/*
 * Memory of a former server that something has written into. Whatever it was, looking and checking
 * do not crash, read beyond the memory or go round for ever; and what passes the check can be gone
 * on with. The mutexes are left out: what they hold is the C library's, and cannot be checked.
 *
 * A byte tells whether a process has died inside the lock; then words that are written, each as
 * place (1 byte), record (1), word in it (2) and value (4).
 */

static pxr_store_t store;
static uint32_t workspace;
static uint64_t bytes;
static char *memory;
static char *sound;

/* The lock holds all signals back, and with them the reports of crashes and hangs that this is
 * about. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    (void)how;
    (void)set;
    (void)old;
    return 0;
}

static void tell(const pxr_event_t *event)
{
    unsigned changed;

    pxr_store_event(&store, workspace, "node", event, true, event->time, &changed);
}

static pxr_event_t with_relative(pxr_event_t event, const char *uuid)
{
    event.has_related = true;
    snprintf(event.related[0], sizeof(event.related[0]), "%s", uuid);
    return event;
}

/* Something of everything: meetings in each state, people, hosts, publishers, numbers that are kept
 * back and records that rest. */
static void furnish(void)
{
    const world_t w = {.store = store, .workspace = workspace};
    pxr_ref_t ref, over;
    pxr_event_t event;
    pxr_tick_t tick;
    bool created;

    make_meeting(&w, "Monthly1", "480016", T0, &over, &created);
    make_meeting(&w, "Weekly42", "480017", T0, &ref, &created);
    make_meeting(&w, "Daily007", NULL, T0, &ref, &created);
    call_in_room(&w, "room1", "general", "CallOne1", T0, &ref, &created);
    call_in_room(&w, "room1", "general", "CallTwo2", T0, &ref, &created);
    for (unsigned i = 0; i < 6; i++) {
        char uuid[8];
        snprintf(uuid, sizeof(uuid), "u%u", i);
        event = leg_event(PXR_EVENT_CONNECTED, i % 2 == 0 ? "10.0.0.1" : "10.0.0.2",
                          i < 4 ? "Weekly42" : "Daily007_breakout_1", uuid, i + 1, T0 + i);
        event = with_relative(event, "u0");
        /* Some names are so long that they take a block. */
        snprintf(event.name, sizeof(event.name), "%*u", i % 2 == 0 ? 100 : 5, i);
        tell(&event);
    }
    event = leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.1", "Weekly42", "u2", 9, T0 + 9);
    tell(&event);
    REQUIRE(pxr_store_close(&store, workspace, over, T0) == PXR_OK);
    REQUIRE(pxr_store_tick(&store, T0 + 2, &tick) == PXR_OK);
    REQUIRE(pxr_store_tick(&store, T0 + PXR_ENDED_KEEP + 3, &tick) == PXR_OK);
    make_meeting(&w, "Yearly01", "480018", T0 + PXR_ENDED_KEEP, &over, &created);
    REQUIRE(pxr_store_close(&store, workspace, over, T0 + PXR_ENDED_KEEP) == PXR_OK);
    make_meeting(&w, "Someday1", NULL, T0 + PXR_ENDED_KEEP, &ref, &created);
    pxr_store_keep(&store, PXR_KEEP_ALONE);
    make_meeting(&w, "Pending1", NULL, T0 + PXR_ENDED_KEEP, &ref, &created);
}

static void prepare(void)
{
    const pxr_store_sizes_t sizes = {.meetings = 8, .participants = 16};
    const pxr_hash_key_t key = {.k0 = 1, .k1 = 2};
    const char *origin = "https://chat.example.com";

    bytes = pxr_store_bytes(&sizes);
    memory = aligned_alloc(64, bytes);
    sound = malloc(bytes);
    REQUIRE(memory != NULL && sound != NULL);
    REQUIRE(pxr_store_format(&store, memory, &sizes, &key) == PXR_OK);
    REQUIRE(pxr_store_workspaces(&store, &origin, 1, &workspace) == PXR_OK);
    furnish();
    memcpy(sound, memory, bytes);
}

typedef struct {
    uint64_t at, size; /* of the first record */
    uint32_t count;
} place_t;

static place_t place_of(uint8_t which)
{
    const pxr_segment_t *s = (const pxr_segment_t *)(const void *)sound;
    const place_t places[] = {
        {0, offsetof(pxr_segment_t, lock), 1},
        {offsetof(pxr_segment_t, root), sizeof(pxr_root_t), 1},
        {offsetof(pxr_segment_t, log), sizeof(pxr_log_t), 1},
        {offsetof(pxr_segment_t, leader_pid), sizeof(*s) - offsetof(pxr_segment_t, leader_pid), 1},
        {offsetof(pxr_segment_t, publisher_buckets), sizeof(s->publisher_buckets), 1},
        {s->due_at, s->name_buckets_at - s->due_at, 1},
        {s->name_buckets_at, sizeof(uint32_t), s->name_buckets},
        {s->leg_buckets_at, sizeof(uint32_t), s->leg_buckets},
        {s->slots_at, sizeof(pxr_slot_t), s->slots},
        {s->names_at, sizeof(pxr_name_t), s->names},
        {s->blocks_at, sizeof(pxr_block_t), s->blocks},
        {s->legs_at, sizeof(pxr_leg_slot_t), s->legs},
        {s->shares_at, sizeof(pxr_share_slot_t), s->shares},
        {s->publishers_at, sizeof(pxr_publisher_slot_t), s->publishers},
    };

    return places[which % (sizeof(places) / sizeof(places[0]))];
}

static void write_word(input_t *in)
{
    place_t place = place_of(input_byte(in));
    uint32_t record = input_byte(in) % place.count;
    uint32_t words = (uint32_t)(place.size / sizeof(uint32_t));
    uint32_t word = input_number(in, 2) % words;
    uint32_t value = input_number(in, 4);

    memcpy(memory + place.at + record * place.size + word * sizeof(value), &value, sizeof(value));
}

static void *die(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&store.segment->lock);
    return NULL;
}

static void let_a_holder_die(void)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, die, NULL) == 0);
    pthread_join(thread, NULL);
}

/* What requests do without the lock. */
static void look_up(void)
{
    static const char *const names[] = {"Weekly42", "weekly42", "480016", "general",
                                        "CallTwo2", "Monthly1", "nobody"};
    char answer[PXR_ANSWER_MAX + PXR_PEXIP_TEXT_MAX];
    pxr_found_t found;
    uint32_t number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int join = 0; join < 2; join++) {
            if (pxr_store_find(&store, workspace, join, names[i], strlen(names[i]), T0, &found,
                               answer, sizeof(answer)) == PXR_OK) {
                REQUIRE(found.answer_len + found.tag_len <= sizeof(answer));
                pxr_store_note_join(&store, found.ref, T0);
            }
        }
    }
    pxr_store_workspace_number(&store, "https://chat.example.com", &number);
}

static void read_meetings(void)
{
    pxr_list_query_t query = {.states = {true, true, true, true}, .limit = 16};
    pxr_ref_t refs[16];
    pxr_time_t created[16];
    bool more;
    size_t count = pxr_store_list(&store, workspace, &query, refs, created, &more);

    for (size_t i = 0; i < count; i++) {
        pxr_view_t view;
        pxr_store_read(&store, workspace, refs[i], &view);
        pxr_view_release(&view);
    }
}

static void read_changes(void)
{
    static pxr_meeting_copy_t meeting;
    pxr_share_record_t share;
    pxr_leg_record_t leg;
    pxr_change_t changes[32];

    for (int table = 0; table < PXR_TABLES; table++) {
        uint32_t cursor = 0;
        size_t count = pxr_store_changes(&store, (pxr_table_t)table, &cursor, changes, 32);
        for (size_t i = 0; i < count; i++) {
            if (table == PXR_TABLE_MEETINGS) {
                pxr_store_copy_meeting(&store, &changes[i], &meeting);
            } else if (table == PXR_TABLE_SHARES) {
                pxr_store_copy_share(&store, &changes[i], &share);
            } else {
                pxr_store_copy_leg(&store, &changes[i], &leg);
            }
        }
    }
}

/* What a server does with memory that it has taken over. */
static void go_on(void)
{
    const char *origins[] = {"https://chat.example.com", "https://other.example.com"};
    pxr_event_t events[] = {
        leg_event(PXR_EVENT_CONNECTED, "10.0.0.1", "Weekly42", "u9", 20, T0 + 20),
        leg_event(PXR_EVENT_DISCONNECTED, "10.0.0.2", "Weekly42", "u1", 21, T0 + 21),
        leg_event(PXR_EVENT_UPDATED, "10.0.0.3", "Daily007", "u4", 1, T0 + 22),
        conference_event(PXR_EVENT_CONFERENCE_ENDED, "10.0.0.1", "Weekly42", 23, T0 + 23),
    };
    const world_t w = {.store = store, .workspace = workspace};
    pxr_store_health_t health;
    pxr_workspace_numbers_t numbers;
    pxr_node_t nodes[8];
    uint32_t places[2];
    pxr_ref_t ref;
    pxr_tick_t tick;
    bool created;

    pxr_store_give_up_pending(&store);
    pxr_store_resume(&store, T0 + 30);
    pxr_store_workspaces(&store, origins, 2, places);
    look_up();
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        tell(&events[i]);
    }
    make_meeting(&w, "Another1", "480019", T0, &ref, &created);
    call_in_room(&w, "room1", "general", "CallSix6", T0, &ref, &created);
    read_meetings();
    read_changes();
    pxr_store_health(&store, &health);
    pxr_store_numbers(&store, workspace, &numbers);
    pxr_store_nodes(&store, workspace, nodes, 8);
    for (int day = 1; day < 4; day++) {
        pxr_store_tick(&store, T0 + day * 25 * 3600 * PXR_SECOND, &tick);
    }
}

static void adopt(bool death)
{
    char why[128];
    pxr_status_t status;

    if (pxr_store_open(&store, memory, bytes) != PXR_OK) {
        return;
    }
    look_up();
    if (death) {
        let_a_holder_die();
    }
    status = pxr_store_check(&store, why, sizeof(why));
    REQUIRE(status == PXR_OK || (status == PXR_BROKEN && why[0] != '\0'));
    /* Whoever takes the lock from a dead process empties what is damaged, but for the head. */
    REQUIRE(status == PXR_OK || !death || strncmp(why, "head ", 5) == 0);
    if (status == PXR_OK) {
        go_on();
        status = pxr_store_check(&store, why, sizeof(why));
        if (status != PXR_OK) {
            fprintf(stderr, "afterwards: %s\n", why);
        }
        REQUIRE(status == PXR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    bool death;

    if (memory == NULL) {
        prepare();
    }
    memcpy(memory, sound, bytes);
    death = input_byte(&in) & 1;
    while (in.left >= 8) {
        write_word(&in);
    }
    adopt(death);
    return 0;
}
