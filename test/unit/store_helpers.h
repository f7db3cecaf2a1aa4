#ifndef PXR_TEST_STORE_HELPERS_H
#define PXR_TEST_STORE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "pxr_store.h"

/* A moment far from both ends of the calendar. */
#define T0 ((pxr_time_t)1800000000 * PXR_SECOND)

/* A store in memory that child processes share, as httpd's is. */
typedef struct {
    pxr_store_t store;
    void *memory;
    uint64_t bytes;
    uint32_t workspace;
} world_t;

static inline void world_open(world_t *w, uint32_t meetings, uint32_t participants)
{
    pxr_store_sizes_t sizes = {.meetings = meetings, .participants = participants};
    pxr_hash_key_t key = {.k0 = 1, .k1 = 2};
    const char *origin = "https://chat.example.com";

    w->bytes = pxr_store_bytes(&sizes);
    w->memory = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(w->memory != MAP_FAILED);
    assert_int_equal(pxr_store_format(&w->store, w->memory, &sizes, &key), PXR_OK);
    assert_int_equal(pxr_store_workspaces(&w->store, &origin, 1, &w->workspace), PXR_OK);
}

static inline void world_close(world_t *w)
{
    munmap(w->memory, w->bytes);
}

static inline void assert_sound(const world_t *w)
{
    char why[128];

    if (pxr_store_check(&w->store, why, sizeof(why)) != PXR_OK) {
        fail_msg("%s", why);
    }
}

/* A meeting with everything it needs; the join key is made from the id. Strings are borrowed. */
static inline pxr_new_meeting_t plain_meeting(const char *id, char key[PXR_KEY_MAX + 1],
                                              const char *room, pxr_time_t now)
{
    static const char answer[] = "{\"status\":\"success\",\"action\":\"continue\",\"result\":{}}";
    pxr_new_meeting_t m = {.id = id,
                           .join_key = key,
                           .host_pin = "111111",
                           .guest_pin = "222222",
                           .answer = answer,
                           .answer_len = sizeof(answer) - 1,
                           .service_tag = "rocket.chat"};

    snprintf(key, PXR_KEY_MAX + 1, "key%.28s", id);
    m.details.text[PXR_ROOM_ID] = room;
    m.details.len[PXR_ROOM_ID] = strlen(room);
    m.details.text[PXR_CREATOR_ID] = "nina";
    m.details.len[PXR_CREATOR_ID] = 4;
    pxr_meeting_init(&m.life, now, 0, 0, 3600 * PXR_SECOND, 10 * PXR_SECOND, 60 * PXR_SECOND);
    return m;
}

static inline pxr_status_t make_meeting(const world_t *w, const char *id, const char *number,
                                        pxr_time_t now, pxr_ref_t *ref, bool *created)
{
    char key[PXR_KEY_MAX + 1];
    char numbers[1][PXR_ALIAS_MAX + 1];
    pxr_new_meeting_t m = plain_meeting(id, key, "GENERAL", now);

    if (number != NULL) {
        snprintf(numbers[0], sizeof(numbers[0]), "%s", number);
        m.numbers = (const char(*)[PXR_ALIAS_MAX + 1]) numbers;
        m.number_count = 1;
    }
    return pxr_store_create(&w->store, w->workspace, &m, ref, created);
}

/* A call in a room that has one meeting only, by the id that somebody has given it; `name` is the
 * room's, which leads there too, or NULL. */
static inline pxr_status_t call_in_room(const world_t *w, const char *room, const char *name,
                                        const char *id, pxr_time_t now, pxr_ref_t *ref,
                                        bool *created)
{
    char key[PXR_KEY_MAX + 1];
    pxr_new_meeting_t m = plain_meeting(id, key, room, now);

    /* Another one each time, as drawn ones are. */
    snprintf(key, sizeof(key), "key%.12s:%lld", id, (long long)(now - T0));
    m.host_key = "proves the creator";
    m.single = true;
    m.given = true;
    m.called = name != NULL;
    m.details.text[PXR_ROOM_NAME] = name;
    m.details.len[PXR_ROOM_NAME] = name != NULL ? strlen(name) : 0;
    return pxr_store_create(&w->store, w->workspace, &m, ref, created);
}

static inline pxr_ref_t new_meeting(const world_t *w, const char *id, pxr_time_t now)
{
    pxr_ref_t ref = {0, 0};
    bool created = false;

    assert_int_equal(make_meeting(w, id, NULL, now, &ref, &created), PXR_OK);
    assert_true(created);
    return ref;
}

static inline pxr_event_t conference_event(pxr_event_kind_t kind, const char *node,
                                           const char *conference, uint64_t seq, pxr_time_t now)
{
    pxr_event_t event;

    memset(&event, 0, sizeof(event));
    event.kind = kind;
    event.seq = seq;
    event.time = now;
    snprintf(event.node, sizeof(event.node), "%s", node);
    snprintf(event.conference, sizeof(event.conference), "%s", conference);
    return event;
}

static inline pxr_event_t leg_event(pxr_event_kind_t kind, const char *node, const char *conference,
                                    const char *uuid, uint64_t seq, pxr_time_t now)
{
    pxr_event_t event = conference_event(kind, node, conference, seq, now);

    snprintf(event.uuid, sizeof(event.uuid), "%s", uuid);
    snprintf(event.conversation, sizeof(event.conversation), "%s", uuid);
    snprintf(event.protocol, sizeof(event.protocol), "WebRTC");
    event.service = PXR_SERVICE_ROOM;
    event.has_media = PXR_YES;
    return event;
}

/* Delivers an event and returns what it changed; the store must take it. */
static inline unsigned deliver(const world_t *w, const pxr_event_t *event, pxr_time_t now)
{
    unsigned changed = 0;

    assert_int_equal(pxr_store_event(&w->store, w->workspace, "node", event, false, now, &changed),
                     PXR_OK);
    return changed;
}

static inline pxr_view_t view_of(const world_t *w, pxr_ref_t ref)
{
    pxr_view_t view;

    assert_int_equal(pxr_store_read(&w->store, w->workspace, ref, &view), PXR_OK);
    return view;
}

#endif
