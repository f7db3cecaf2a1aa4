#ifndef PXR_STORE_LAYOUT_H
#define PXR_STORE_LAYOUT_H

#include <pthread.h>
#include <stdatomic.h>

#include "pxr_keep.h"
#include "pxr_metrics.h"
#include "pxr_outside.h"
#include "pxr_seen.h"
#include "pxr_store.h"
#include "pxr_tell.h"

/*
 * The memory, in this order, each table at an offset that is kept in the segment's head:
 *
 *   segment | due | tell | stamps of meetings, shares and legs | name buckets | meetings | names |
 * blocks | leg buckets | legs | shares | publishers
 *
 * Everything refers to everything by number. In links the number is one higher, so that 0 means
 * none and zeroed memory is empty. No pointer is stored.
 *
 * Protection: fields marked "frozen" are written while the record is not reachable and never
 * change until it has been freed and has rested; "word" fields are read without lock and therefore
 * written as whole words; all others need the lock. Records that are reachable are changed through
 * the redo log only (tx.h).
 */

#define PXR_MAGIC UINT64_C(0x5058523153544f52)
#define PXR_LAYOUT 7

#define PXR_BLOCK_DATA 252
#define PXR_LOG_BYTES 8192
#define PXR_PUBLISHER_BUCKETS 2048
#define PXR_LEG_KEYS (1 + PXR_RELATED_MAX)
#define PXR_LEG_NAME_SHORT 127

/* Physical records for the sizes that the administrator chose: ended meetings stay for a while, and
 * freed ones rest. */
#define PXR_SPARE_SLOTS 256
#define PXR_FREE_SLOTS_WANTED 128

/* Only a taken slot is a meeting for those who read without lock. */
typedef enum {
    SLOT_FREE,
    SLOT_TAKEN,
    SLOT_LEAVING,
    SLOT_RESTING,
    SLOT_PENDING,     /* waits for the database to take it */
    SLOT_WITHDRAWN,   /* nobody waits any more, but the database may have taken it */
    SLOT_PROVISIONAL, /* events came before the meeting was known here: only its id is */
} pxr_slot_state_t;

/* What an answer needs beside its text stands in front, in as few cache lines as can be. */
typedef struct {
    uint32_t state;      /* word: pxr_slot_state_t */
    uint32_t generation; /* word: counts how often the slot was freed */
    uint32_t workspace;  /* frozen */
    uint8_t breakouts;   /* frozen */
    uint8_t single;      /* frozen: its room has one meeting only */
    uint8_t sent;        /* a pending one: it may have been written */
    uint8_t reserved;
    uint32_t answer;                 /* frozen: first block of answer and service tag */
    uint32_t answer_len;             /* frozen */
    uint32_t tag_len;                /* frozen */
    uint32_t details;                /* first block */
    _Atomic(int64_t) last_join;      /* by pxr_store_note_join() */
    pxr_meeting_t life;              /* times of creation frozen; state and flags words */
    char id[PXR_MEETING_ID_MAX + 1]; /* frozen */
    char host_pin[PXR_PIN_MAX + 1];  /* frozen */
    char guest_pin[PXR_PIN_MAX + 1]; /* frozen */
    char host_key[PXR_KEY_MAX + 1];  /* frozen */
    char join_key[PXR_KEY_MAX + 1];  /* frozen */
    char number[PXR_ALIAS_MAX + 1];  /* frozen */
    uint32_t next;                   /* on the free list, in the ended or in the resting queue */
    uint32_t names;                  /* frozen: list of its names by `sibling` */
    uint32_t details_len;
    uint32_t legs;
    uint32_t leg_count;
    uint32_t shares;
    uint32_t share_tail;
    uint32_t share_count;
    uint32_t outcome; /* word: pxr_status_t that the one who waits is told */
    uint32_t swept;   /* the era up to which legs that are over have been marked as changed */
    uint32_t vacated; /* the version since which its room may have another one */
    uint64_t room;    /* frozen: hash of the room id */
    pxr_told_t told;
    pxr_time_t queued_at;
    int64_t join_saved;  /* keeper only: what of last_join the database knows */
    int64_t join_copied; /* keeper only: and will know when it has the copy */
} pxr_slot_t;

typedef enum { NAME_FREE, NAME_LINKED, NAME_UNLINKED } pxr_name_state_t;

/* Names of different spaces have nothing to do with each other. */
typedef enum {
    PXR_SPACE_DIAL, /* what a node may ask for; its case is forgiven */
    PXR_SPACE_JOIN,
    PXR_SPACE_ROOM,
} pxr_space_t;

/* What a search reads stands in front. */
typedef struct {
    uint32_t next;                /* word: in its bucket */
    uint32_t slot;                /* word: of its meeting, 0 for a number that is kept back */
    uint32_t generation;          /* frozen */
    uint32_t hash;                /* frozen */
    uint32_t workspace;           /* frozen */
    uint16_t kind;                /* frozen */
    uint16_t len;                 /* frozen */
    char text[PXR_ALIAS_MAX + 1]; /* frozen */
    uint32_t sibling;             /* of the same meeting; free list, held or resting queue */
    uint32_t state;               /* pxr_name_state_t */
    pxr_time_t until;             /* kept back, or resting, until then */
} pxr_name_t;

typedef struct {
    uint32_t next; /* word: in its chain, or on the free list */
    char data[PXR_BLOCK_DATA];
} pxr_block_t;

/* What a leg is called. */
typedef struct {
    uint32_t rest; /* block of what `text` has no room for, 0: none */
    uint8_t len;   /* of both */
    char text[PXR_LEG_NAME_SHORT];
} pxr_leg_name_t;

typedef struct {
    uint32_t taken;
    uint32_t slot;
    uint32_t next; /* of the same meeting; free list */
    uint32_t prev;
    uint32_t share;  /* where it is counted if leg.attached, or was when it left */
    uint32_t linked; /* bit i: key i is in the index */
    uint64_t key;    /* hash of the uuid */
    uint32_t next_with_key[PXR_LEG_KEYS];
    pxr_leg_name_t name;
    pxr_leg_t leg;
} pxr_leg_slot_t;

typedef struct {
    uint32_t taken;
    uint32_t slot;
    uint32_t next;  /* of the same meeting; free list */
    uint32_t swept; /* the epoch up to which its former legs have been marked as changed */
    pxr_share_t share;
} pxr_share_slot_t;

typedef struct {
    uint32_t next; /* in its bucket; free list */
    uint32_t workspace;
    char node[PXR_NODE_MAX + 1];
    char user[PXR_USER_MAX + 1];
    pxr_publisher_t publisher; /* source 0: free */
} pxr_publisher_slot_t;

/* Somebody who is to be added to the chat beside a meeting. */
typedef struct {
    uint32_t slot;
    uint32_t generation;
    char user[PXR_USER_ID_MAX + 4];
} pxr_invite_slot_t;

typedef struct {
    uint32_t head;
    uint32_t tail;
} pxr_queue_t;

/* One for each record that the database keeps: what was changed differs. Versions only ever go up,
 * also when the record becomes another one. */
typedef struct {
    uint32_t version;
    uint32_t saved; /* keeper only, outside the log: an older value does no harm */
} pxr_stamp_t;

/* Everything about the tables that changes, in one piece so that a transaction can copy it. */
typedef struct {
    uint32_t free_slots, free_names, free_blocks, free_legs, free_shares, free_publishers;
    uint32_t slots_free, names_free, blocks_free, legs_free, shares_free, publishers_free;
    uint32_t active; /* open and live meetings, and those that wait for the database */
    uint32_t provisional;
    uint32_t leg_cursor;
    uint32_t long_names; /* legs that have a block for theirs */
    pxr_queue_t ended;   /* slots, longest ended first */
    pxr_queue_t leaving; /* slots that go at once */
    pxr_queue_t resting; /* slots */
    pxr_queue_t held;    /* numbers that are kept back */
    pxr_queue_t resting_names;
    pxr_time_t last_created;
    uint64_t repairs;
    uint64_t resets;
    uint64_t lost; /* records that had to be given up before the database took them */
} pxr_root_t;

typedef struct {
    uint32_t committed;
    uint32_t used;
    char entries[PXR_LOG_BYTES];
} pxr_log_t;

/* What the keeper of the database has to remember beyond its own life. */
typedef struct {
    int64_t revision;     /* everything up to this one is merged */
    int64_t own_revision; /* the last one that this machine wrote */
    char epoch[PXR_EPOCH_MAX + 1];
    uint8_t complete; /* all meetings of the database are here */
    uint8_t reserved[2];
    uint32_t emptied; /* counts how often they were not any more */
    uint32_t reserved_word;
} pxr_keep_mark_t;

/* A server that requests ask (targets.c). Words, which nobody locks. */
typedef struct {
    _Atomic(uint64_t) name; /* hash of its address; 0: free */
    _Atomic(uint32_t) failures;
    _Atomic(int64_t) open_until; /* by the steady clock */
    _Atomic(int64_t) used_at;    /* by the steady clock */
    _Atomic(int64_t) told_at;    /* by the steady clock */
    _Atomic(uint64_t) asked;
    _Atomic(uint64_t) failed;
    _Atomic(uint64_t) spared;
    _Atomic(int64_t) answered_at;
    _Atomic(int64_t) failed_at;
    char why[PXR_WHY_MAX + 1]; /* for people: two that write at once may mix it */
} pxr_target_slot_t;

/* A node that asks for policy (seen.c). Words, which nobody locks. */
typedef struct {
    _Atomic(uint64_t) name; /* hash of workspace and address; 0: free */
    _Atomic(int64_t) asked_at;
    uint32_t workspace;
    char node[PXR_NODE_MAX + 1];
} pxr_asker_slot_t;

/* What was said of a session (sessions.c): the last word is a checksum of the others, because
 * nobody locks and a writer may die. */
#define PXR_SESSION_WORDS (5 + (PXR_PEXIP_TEXT_MAX + 1 + 7) / 8)
typedef _Atomic(uint64_t) pxr_session_slot_t[PXR_SESSION_WORDS];

/* A way into a conference that is not ours (foreign.c). Written with the lock and read without, so
 * the last word is a checksum of the others here, too. */
#define PXR_FOREIGN_WORDS (6 + (PXR_FOREIGN_ALIAS_MAX + 1) / 8 + 1)
typedef _Atomic(uint64_t) pxr_foreign_slot_t[PXR_FOREIGN_WORDS];

/* How long answers took (metrics.c). Words, which nobody locks. */
typedef struct {
    _Alignas(64) _Atomic(uint64_t) count[PXR_LATENCY_BOUNDS + 1];
    _Atomic(uint64_t) sum;
} pxr_latency_words_t;

struct pxr_segment {
    uint64_t magic;
    uint32_t layout;
    uint32_t kept; /* pxr_keep_t; set at start */
    uint64_t bytes;
    pxr_store_sizes_t sizes;
    pxr_hash_key_t key;
    uint32_t slots, names, blocks, legs, shares, publishers;
    uint32_t name_buckets, leg_buckets; /* powers of two */
    uint64_t due_at, tell_at, slot_stamps_at, share_stamps_at, leg_stamps_at, name_buckets_at,
        slots_at, names_at, blocks_at, leg_buckets_at, legs_at, shares_at, publishers_at;
    char machine[PXR_MACHINE_LEN + 1];

    _Alignas(64) pthread_mutex_t lock;
    pthread_mutex_t leader;
    pthread_mutex_t readers[PXR_READERS];
    pthread_mutex_t outside[PXR_OUTSIDE_PLACES];
    _Atomic(int32_t) leader_pid;
    _Atomic(int64_t) ticked_at;
    _Atomic(int64_t) told_at[PXR_TOPICS];
    uint64_t told_repairs, told_resets; /* leader only */

    /* Futexes (bell.c). */
    _Atomic(uint32_t) bell;         /* somebody wants the keeper to look */
    _Atomic(uint32_t) rounds_begun; /* by the keeper */
    _Atomic(uint32_t) rounds_done;
    _Atomic(uint32_t) pulls_done;    /* the last round that read all there was */
    _Atomic(int64_t) round_began;    /* by the steady clock, 0: none is under way */
    _Atomic(int64_t) stood_still_at; /* by the steady clock, 0: never */
    _Atomic(uint32_t) tells;         /* something was told */
    uint32_t reserved;
    _Atomic(int64_t) deliver_until; /* by the steady clock: this machine delivers */
    pxr_keep_mark_t mark;
    pxr_keep_health_t keep_health; /* keeper only, read by anybody: for people */

    pxr_root_t root;
    pxr_log_t log;
    pxr_chat_health_t chats[PXR_WORKSPACES_MAX];
    uint32_t invite_first, invite_count;
    pxr_invite_slot_t invites[PXR_INVITES];
    uint32_t publisher_buckets[PXR_PUBLISHER_BUCKETS];
    pxr_target_slot_t targets[PXR_TARGETS_MAX];
    pxr_session_slot_t sessions[PXR_SESSIONS_MAX];
    pxr_foreign_slot_t foreign[PXR_FOREIGN_PLACES];
    pxr_asker_slot_t askers[PXR_ASKERS_MAX];
    uint32_t workspaces;
    char origins[PXR_WORKSPACES_MAX][PXR_ORIGIN_MAX + 1];
    _Alignas(64) _Atomic(uint64_t) counters[PXR_WORKSPACES_MAX][(PXR_COUNTERS + 7) / 8 * 8];
    pxr_latency_words_t latencies[PXR_WORKSPACES_MAX];
    _Atomic(uint64_t) event_kinds[PXR_WORKSPACES_MAX][PXR_EVENT_KINDS];
    /* Which process has the place, for those who count; 0: none. */
    _Atomic(int32_t) reader_pids[PXR_READERS];
    _Atomic(int32_t) outside_pids[PXR_OUTSIDE_PLACES];
    _Alignas(64) _Atomic(int64_t) seen_at[PXR_WORKSPACES_MAX][(PXR_SEENS + 7) / 8 * 8];
};

static inline int64_t *pxr_due(const pxr_store_t *s)
{
    return (int64_t *)(void *)(s->base + s->segment->due_at);
}

/* When somebody has to look what is to be told of a meeting (tell.c). */
static inline int64_t *pxr_tell(const pxr_store_t *s)
{
    return (int64_t *)(void *)(s->base + s->segment->tell_at);
}

static inline pxr_stamp_t *pxr_slot_stamp(const pxr_store_t *s, uint32_t link)
{
    return (pxr_stamp_t *)(void *)(s->base + s->segment->slot_stamps_at) + (link - 1);
}

static inline pxr_stamp_t *pxr_share_stamp(const pxr_store_t *s, uint32_t link)
{
    return (pxr_stamp_t *)(void *)(s->base + s->segment->share_stamps_at) + (link - 1);
}

static inline pxr_stamp_t *pxr_leg_stamp(const pxr_store_t *s, uint32_t link)
{
    return (pxr_stamp_t *)(void *)(s->base + s->segment->leg_stamps_at) + (link - 1);
}

static inline uint32_t *pxr_name_buckets(const pxr_store_t *s)
{
    return (uint32_t *)(void *)(s->base + s->segment->name_buckets_at);
}

static inline uint32_t *pxr_leg_buckets(const pxr_store_t *s)
{
    return (uint32_t *)(void *)(s->base + s->segment->leg_buckets_at);
}

/* By link: a number that is one higher than the place. */
static inline pxr_slot_t *pxr_slot(const pxr_store_t *s, uint32_t link)
{
    return (pxr_slot_t *)(void *)(s->base + s->segment->slots_at) + (link - 1);
}

static inline pxr_name_t *pxr_name(const pxr_store_t *s, uint32_t link)
{
    return (pxr_name_t *)(void *)(s->base + s->segment->names_at) + (link - 1);
}

static inline pxr_block_t *pxr_block(const pxr_store_t *s, uint32_t link)
{
    return (pxr_block_t *)(void *)(s->base + s->segment->blocks_at) + (link - 1);
}

static inline pxr_leg_slot_t *pxr_leg_slot(const pxr_store_t *s, uint32_t link)
{
    return (pxr_leg_slot_t *)(void *)(s->base + s->segment->legs_at) + (link - 1);
}

static inline pxr_share_slot_t *pxr_share_slot(const pxr_store_t *s, uint32_t link)
{
    return (pxr_share_slot_t *)(void *)(s->base + s->segment->shares_at) + (link - 1);
}

static inline pxr_publisher_slot_t *pxr_publisher_slot(const pxr_store_t *s, uint32_t link)
{
    return (pxr_publisher_slot_t *)(void *)(s->base + s->segment->publishers_at) + (link - 1);
}

/* Words that are read without the lock. */
static inline uint32_t pxr_word(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* Empties all tables; the head and the mutexes stay. With the lock, or before anybody else can see
 * the memory. */
void pxr_layout_clear(const pxr_store_t *store);

/* Blocks that a text of `len` bytes takes. */
static inline uint32_t pxr_blocks_for(size_t len)
{
    return (uint32_t)((len + PXR_BLOCK_DATA - 1) / PXR_BLOCK_DATA);
}

/* How many legs may have a block for their name. There are as many in addition to those of the
 * meetings, so that nobody keeps a meeting from being created by what he calls himself. */
static inline uint32_t pxr_long_names(uint32_t legs)
{
    return legs / 16 + 16;
}

/* Nothing has been seen of a workspace yet (seen.c). */
void pxr_seen_forget(const pxr_store_t *store, uint32_t workspace);

/* Its figures begin anew (metrics.c). */
void pxr_metrics_forget(const pxr_store_t *store, uint32_t workspace);

/* Copies a chain of blocks without lock; false where the chain cannot be followed any more. */
bool pxr_chain_read(const pxr_store_t *store, uint32_t first, size_t len, char *out);

/* Whether changes are to be written to a database. */
static inline bool pxr_is_kept(const pxr_store_t *store)
{
    return store->segment->kept != PXR_KEEP_NOTHING;
}

#endif
