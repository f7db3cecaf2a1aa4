#include "../unit/store_helpers.h"
#include "fuzz.h"

#include "pxr_json.h"
#include "pxr_keep.h"
#include "pxr_text.h"

/*
 * What event sinks post: a body, through the parser into a working set. Whatever it says, memory
 * stays sound, and what is told of it can be logged as one line.
 */

static world_t world;
static char *fresh; /* the memory before the first event */

static void prepare(void)
{
    pxr_ref_t ref;
    bool created;

    setenv("CMOCKA_TEST_ABORT", "1", 1);
    world_open(&world, 4, 8);
    make_meeting(&world, "rc-7Qd2mX9vKpL4sT8hZ", "7071234567", T0, &ref, &created); /* samples */
    make_meeting(&world, "Meeting1", NULL, T0, &ref, &created);
    /* As if the database had these two and might have others. */
    pxr_store_keep(&world.store, PXR_KEEP_ALONE);
    fresh = malloc(world.bytes);
    REQUIRE(fresh != NULL);
    memcpy(fresh, world.memory, world.bytes);
}

static void check_texts(const pxr_event_t *event)
{
    const char *const texts[] = {event->node, event->conference, event->tag,       event->uuid,
                                 event->name, event->protocol,   event->related[0]};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        REQUIRE(pxr_utf8_valid(texts[i], strlen(texts[i])));
    }
    REQUIRE(strlen(event->name) <= PXR_NAME_CHARS);
    REQUIRE(event->kind < PXR_EVENT_KINDS);
}

static void check_line(const pxr_event_t *event)
{
    static char line[PXR_LOG_LINE_MAX];
    const pxr_log_entry_t entry = {.received = T0,
                                   .workspace = "https://chat.example.com",
                                   .user = "node",
                                   .event = event,
                                   .effect = "none"};
    size_t len = pxr_json_write_log_line(&entry, line, sizeof(line));

    REQUIRE(len > 0 && line[len - 1] == '\n');
    REQUIRE(memchr(line, '\n', len - 1) == NULL);
    REQUIRE(pxr_json_is_object(line, len - 1));
}

static bool take(void *context, const pxr_event_t *event)
{
    size_t *count = context;
    pxr_time_t now = T0 + (pxr_time_t)*count * PXR_SECOND;
    bool ours = strcmp(event->tag, "rc/room/GENERAL") == 0;
    unsigned changed = 0;
    pxr_status_t status;

    check_texts(event);
    check_line(event);
    status = pxr_store_event(&world.store, world.workspace, "node", event, ours, now, &changed);
    REQUIRE(status == PXR_OK || status == PXR_MISSING || status == PXR_FULL ||
            (status == PXR_INVALID && pxr_event_is_about_leg(event->kind) && event->uuid[0] == 0));
    REQUIRE(status == PXR_OK || changed == 0);
    return ++*count < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    size_t len;
    size_t count = 0;
    char *body = input_rest(&in, &len);
    pxr_tick_t tick;

    if (fresh == NULL) {
        prepare();
    }
    memcpy(world.memory, fresh, world.bytes);
    pxr_json_read_events(body, len, take, &count);
    free(body);
    assert_sound(&world);
    REQUIRE(pxr_store_tick(&world.store, T0 + 24 * 3600 * PXR_SECOND, &tick) == PXR_OK);
    assert_sound(&world);
    return 0;
}
