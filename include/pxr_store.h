#ifndef PXR_STORE_H
#define PXR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_details.h"
#include "pxr_event.h"
#include "pxr_hash.h"
#include "pxr_meeting.h"
#include "pxr_roster.h"
#include "pxr_status.h"
#include "pxr_told.h"

/*
 * The working set: all meetings that matter now, in one piece of memory that several processes
 * share. It is driven by rules of core and knows neither httpd nor a wire format.
 *
 * Unless a comment says otherwise a function may be called from any thread of any process that has
 * opened the memory; it takes the lock for memory work only, waits for it at most PXR_LOCK_WAIT and
 * then returns PXR_BUSY. A process that dies inside the lock harms nothing: every change is written
 * to a redo log first, and whoever locks next finishes or forgets it (src/store/tx.c).
 */

typedef struct pxr_segment pxr_segment_t;

/* A process's view of the memory. Plain data: may be copied, is inherited by fork. */
typedef struct {
    pxr_segment_t *segment;
    char *base;
} pxr_store_t;

typedef struct {
    uint32_t meetings;     /* PexipRCMaxMeetings: open and live ones */
    uint32_t participants; /* PexipRCMaxParticipants: call legs */
} pxr_store_sizes_t;

/* Bytes needed, 0 where the sizes are out of range. */
uint64_t pxr_store_bytes(const pxr_store_sizes_t *sizes);

/* Lays out fresh memory of pxr_store_bytes() bytes, aligned to 64, and opens it. Touches every
 * page. Start-up only. `key` is random. */
pxr_status_t pxr_store_format(pxr_store_t *store, void *memory, const pxr_store_sizes_t *sizes,
                              const pxr_hash_key_t *key);

/* Opens memory that has been formatted before. PXR_BROKEN where it is not ours, of another layout,
 * or `bytes` does not fit. */
pxr_status_t pxr_store_open(pxr_store_t *store, void *memory, uint64_t bytes);

/* The number of a workspace that was entered. No lock: what stands in the memory is looked at, not
 * followed. PXR_MISSING. */
pxr_status_t pxr_store_workspace_number(const pxr_store_t *store, const char *origin,
                                        uint32_t *number);

/* To be called after memory of a former server was opened: nobody listened meanwhile, so what was
 * about to end waits its whole grace again. */
pxr_status_t pxr_store_resume(const pxr_store_t *store, pxr_time_t now);

pxr_store_sizes_t pxr_store_sizes(const pxr_store_t *store);

/* Finds or enters all configured workspaces by their origins and sets their numbers. Where more
 * have come and gone than there is room for, those of which no meeting is left give way; PXR_FULL
 * where that does not help. Start-up only, though other processes may be at work. */
pxr_status_t pxr_store_workspaces(const pxr_store_t *store, const char *const *origins,
                                  size_t count, uint32_t *numbers);

/* Which meeting; stays valid for ever, but may come to name nothing. */
typedef struct {
    uint32_t slot;
    uint32_t generation;
} pxr_ref_t;

typedef enum {
    PXR_NAME_ID = 1,     /* meeting id */
    PXR_NAME_NUMBER = 2, /* numeric alias */
    PXR_NAME_JOIN = 3,   /* random part of the join link */
    PXR_NAME_ROOM = 4,   /* hash of the room that has this meeting only; nobody can dial it */
    PXR_NAME_CALLED = 5, /* name of that room */
    PXR_NAME_CALL = 6,   /* id of a further call in that room */
} pxr_name_kind_t;

/* What a reader without lock finds out about a meeting. */
typedef struct {
    pxr_ref_t ref;
    pxr_name_kind_t matched;
    pxr_verdict_t verdict;
    bool live;
    bool draining; /* it may end soon, because nobody is in it */
    bool breakouts;
    char id[PXR_MEETING_ID_MAX + 1];
    char host_pin[PXR_PIN_MAX + 1];
    char guest_pin[PXR_PIN_MAX + 1];
    char host_key[PXR_KEY_MAX + 1]; /* proves who knows it to be the creator, "" for none */
    pxr_time_t not_before;
    size_t answer_len;
    size_t tag_len;
} pxr_found_t;

/* Looks up what was dialled (id or number; the exact spelling first, else the only one that differs
 * in case) or, with `join`, the key of a join link. Takes no lock, never blocks. `answer` receives
 * the frozen policy answer, directly followed by the service tag (lengths in `out`), and may be
 * NULL. PXR_MISSING or PXR_OK. */
pxr_status_t pxr_store_find(const pxr_store_t *store, uint32_t workspace, bool join,
                            const char *text, size_t len, pxr_time_t now, pxr_found_t *out,
                            char *answer, size_t answer_size);

/* Notes that somebody is about to join. No lock. */
void pxr_store_note_join(const pxr_store_t *store, pxr_ref_t ref, pxr_time_t now);

/* A meeting to be created; everything is copied. */
typedef struct {
    const char *id;
    const char *join_key;
    const char *host_key;             /* NULL or "" for none */
    const char *host_pin, *guest_pin; /* "" for none */
    const char (*numbers)[PXR_ALIAS_MAX + 1];
    size_t number_count; /* candidates for the numeric alias, 0: none is wanted */
    const char *answer;
    size_t answer_len;
    const char *service_tag;
    bool breakouts;
    bool asked; /* the database was asked, and does not know this id */
    /* Its room has one meeting only: while there is one that can be joined, that is the answer, and
     * `id` leads to it too if it was `given`; where nobody will ask for it, it is `casual` and
     * leads there only while there is room to spare. `called`: so does the name of the room, unless
     * somebody who forgives its case would take it for something else's. */
    bool single;
    bool given;
    bool casual;
    bool called;
    pxr_meeting_t life; /* from pxr_meeting_init() */
    pxr_details_t details;
    pxr_told_t told; /* tasks that are wanted */
} pxr_new_meeting_t;

/* Creates the meeting, or finds the one that has this id and fills in its absent title and
 * discussion. *created tells which. With a database it does not come into being before
 * pxr_store_await() (pxr_keep.h). PXR_TAKEN: the id is the number of another meeting; PXR_INVALID:
 * all candidates for the number are taken; PXR_FULL; PXR_TOO_LONG: so many calls lead to the
 * meeting of the room that there is no room for another; PXR_MISSING: events speak of a meeting of
 * this id that is not known here yet, so the others have to be asked first. */
pxr_status_t pxr_store_create(const pxr_store_t *store, uint32_t workspace,
                              const pxr_new_meeting_t *meeting, pxr_ref_t *ref, bool *created);

/* A consistent copy of a meeting. `people` and `nodes` belong to the view. */
typedef struct {
    pxr_meeting_t life;
    char id[PXR_MEETING_ID_MAX + 1];
    char join_key[PXR_KEY_MAX + 1];
    char host_key[PXR_KEY_MAX + 1];
    char host_pin[PXR_PIN_MAX + 1];
    char guest_pin[PXR_PIN_MAX + 1];
    char number[PXR_ALIAS_MAX + 1]; /* "" for none */
    char calls[PXR_CALLS_TEXT + 1]; /* further ids that lead here, a blank between */
    char called[PXR_ALIAS_MAX + 1]; /* name of the room, where that leads here; "" for none */
    pxr_told_t told;
    pxr_details_t details; /* points into `packed` */
    size_t people_count;
    pxr_person_t *people;
    size_t node_count;
    pxr_share_t *nodes; /* in the order in which they were first heard of */
    char *packed;       /* from here on: memory of the view */
    pxr_roster_leg_t *legs;
} pxr_view_t;

/* Copies one meeting. The view must be released, also after a failure. */
pxr_status_t pxr_store_read(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                            pxr_view_t *view);
void pxr_view_release(pxr_view_t *view);

/* What a list shows. */
typedef struct {
    bool states[PXR_MEETING_ENDED + 1];
    const char *room_id; /* NULL: any */
    pxr_time_t before;   /* 0: from the newest on; else created before this */
    size_t limit;
} pxr_list_query_t;

/* Writes references of matching meetings, newest first; `refs` and `created` have query->limit
 * places. Returns how many; *more tells whether there are others. No lock: the meetings may have
 * changed when they are read. */
size_t pxr_store_list(const pxr_store_t *store, uint32_t workspace, const pxr_list_query_t *query,
                      pxr_ref_t *refs, pxr_time_t *created, bool *more);

/* Closes a meeting: interface section 5, DELETE. With a database it is the keeper that ends one in
 * which nobody is. */
pxr_status_t pxr_store_close(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                             pxr_time_t now);

/* Applies one event that `user` delivered for a workspace. What it changed is or-ed into *changed
 * (PXR_CHANGED_...); an event about none of our meetings changes nothing and is PXR_MISSING. `ours`
 * tells that it carries our service tag and our kind of name: then its meeting may be one that the
 * database knows and this memory does not yet, and it is remembered. PXR_INVALID for one about a
 * leg that does not say which; PXR_FULL where a table has no room for what it tells. */
pxr_status_t pxr_store_event(const pxr_store_t *store, uint32_t workspace, const char *user,
                             const pxr_event_t *event, bool ours, pxr_time_t now,
                             unsigned *changed);

/* What time alone does; to be called several times a second by one thread of all processes. */
typedef struct {
    uint32_t ended;
    uint32_t reopened;
    uint32_t lost_legs;
} pxr_tick_t;

pxr_status_t pxr_store_tick(const pxr_store_t *store, pxr_time_t now, pxr_tick_t *tick);

/* Waits until this thread is the only one of all processes that returned true and has not resigned;
 * false after `wait` microseconds. A leader's death passes leadership on. */
bool pxr_store_lead(const pxr_store_t *store, int64_t wait);
void pxr_store_resign(const pxr_store_t *store);

/* How many deaths inside the lock were repaired, and how often the working set had to be emptied,
 * since the leader asked last. Leader only. */
void pxr_store_news(const pxr_store_t *store, uint64_t *repairs, uint64_t *resets);

/* Counters that all processes add to; no lock. */
typedef enum {
    PXR_COUNT_POLICY_CONTINUE,
    PXR_COUNT_POLICY_REJECT,
    PXR_COUNT_POLICY_UNKNOWN,
    PXR_COUNT_EVENTS,
    PXR_COUNT_EVENTS_FOREIGN,  /* about none of our meetings */
    PXR_COUNT_EVENTS_UNUSABLE, /* could not be understood */
    PXR_COUNT_EVENTS_DROPPED,  /* a table was full */
    PXR_COUNT_CREATED,
    PXR_COUNT_REFUSED_FULL,
    PXR_COUNT_REFUSED_DATABASE,
    PXR_COUNT_JOINS,
    PXR_COUNT_EVENT_LOG_LOST,  /* lines that could not be written */
    PXR_COUNT_POLICY_FALLBACK, /* answered by another policy server */
    PXR_COUNT_OUTSIDE_CROWDED, /* nobody was asked, because too many were waiting already */
    PXR_COUNTERS,
} pxr_counter_t;

void pxr_store_count(const pxr_store_t *store, uint32_t workspace, pxr_counter_t counter,
                     uint64_t by);
uint64_t pxr_store_counter(const pxr_store_t *store, uint32_t workspace, pxr_counter_t counter);
const char *pxr_counter_name(pxr_counter_t counter);

/* True at most once a minute for each topic, over all processes: for lines in a log. No lock. */
typedef enum {
    PXR_TOPIC_FULL,
    PXR_TOPIC_DROPPED,
    PXR_TOPIC_LOCKED,
    PXR_TOPIC_EVENT_LOG,
    PXR_TOPICS,
} pxr_topic_t;

bool pxr_store_may_tell(const pxr_store_t *store, pxr_topic_t topic, pxr_time_t now);

/* How full the tables are. */
typedef struct {
    uint32_t used;
    uint32_t size;
} pxr_fill_t;

typedef struct {
    pxr_fill_t meetings; /* open and live; size is PexipRCMaxMeetings */
    pxr_fill_t slots, names, blocks, legs, shares, publishers;
    uint64_t repairs;   /* times a process died inside the lock */
    uint64_t resets;    /* times the working set had to be emptied */
    uint64_t lost;      /* records given up before the database took them */
    int32_t leader_pid; /* 0: none */
    pxr_time_t ticked_at;
} pxr_store_health_t;

void pxr_store_health(const pxr_store_t *store, pxr_store_health_t *out);

/* Numbers of one workspace. */
typedef struct {
    uint32_t open, live, ended;
    uint32_t present; /* legs that are evidence of people */
} pxr_workspace_numbers_t;

void pxr_store_numbers(const pxr_store_t *store, uint32_t workspace, pxr_workspace_numbers_t *out);

/* One Conferencing Node as this workspace heard it. */
typedef struct {
    char node[PXR_NODE_MAX + 1];
    char user[PXR_USER_MAX + 1];
    pxr_publisher_t publisher;
} pxr_node_t;

/* Copies at most `max` nodes of the workspace, returns how many there are. 0 where the lock cannot
 * be had. */
size_t pxr_store_nodes(const pxr_store_t *store, uint32_t workspace, pxr_node_t *nodes, size_t max);

/* Proves that every slot of every table is on exactly one list, that all counts agree and that the
 * index leads where it should. PXR_BROKEN and a sentence in `why` otherwise; PXR_FULL where there
 * is no memory to find out. Takes the lock for as
 * long as that needs: for tests and after a repair. */
pxr_status_t pxr_store_check(const pxr_store_t *store, char *why, size_t why_size);

#endif
