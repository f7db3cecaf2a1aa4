#include "layout.h"

#include <string.h>

/* Lock-free readers and the words that another process writes must need no hidden mutex. */
_Static_assert(__atomic_always_lock_free(sizeof(uint32_t), 0), "words must be lock-free");
_Static_assert(__atomic_always_lock_free(sizeof(int64_t), 0), "times must be lock-free");
_Static_assert(sizeof(pxr_block_t) == 256, "a block is a quarter of a KiB");
/* Elsewhere it is only slower. */
_Static_assert(_Alignof(int64_t) < 8 || sizeof(pxr_slot_t) % 64 == 0,
               "slots begin with a cache line, as their table does");
_Static_assert(sizeof(pxr_stamp_t) == sizeof(uint64_t), "a stamp can be read at once");
_Static_assert(sizeof(pxr_root_t) % 4 == 0, "the log copies words");
_Static_assert(sizeof(pxr_leg_name_t) % 4 == 0, "the log copies words");
_Static_assert(PXR_NAME_CHARS <= UINT8_MAX, "the length of a name is one byte");
_Static_assert(PXR_NAME_CHARS - PXR_LEG_NAME_SHORT <= PXR_BLOCK_DATA, "a rest is one block");

/* Blocks per meeting: answer and service tag of a typical meeting take three, its details one. A
 * site whose titles are long needs more, and is told that the table is full. */
#define BLOCKS_PER_SLOT 5
#define NAMES_PER_SLOT 4
#define SHARES_PER_SLOT 2

typedef struct {
    uint32_t slots, names, blocks, legs, shares, name_buckets, leg_buckets;
    uint64_t due_at, tell_at, slot_stamps_at, share_stamps_at, leg_stamps_at, name_buckets_at,
        slots_at, names_at, blocks_at, leg_buckets_at, legs_at, shares_at, publishers_at, bytes;
} geometry_t;

static uint32_t power_of_two(uint64_t least)
{
    uint32_t size = 64;

    while (size < least) {
        size *= 2;
    }
    return size;
}

static uint64_t place(uint64_t *at, uint64_t count, uint64_t size)
{
    uint64_t here = *at;

    *at += (count * size + 63) & ~UINT64_C(63);
    return here;
}

/* Sizes are bounded by PXR_MEETINGS_MOST and PXR_PARTICIPANTS_MOST, so 64 bits cannot overflow. */
static bool measure(const pxr_store_sizes_t *sizes, geometry_t *g)
{
    uint64_t at = (sizeof(pxr_segment_t) + 63) & ~UINT64_C(63);

    if (sizes->meetings < 1 || sizes->meetings > PXR_MEETINGS_MOST || sizes->participants < 1 ||
        sizes->participants > PXR_PARTICIPANTS_MOST) {
        return false;
    }
    g->slots = sizes->meetings + sizes->meetings / 8 + PXR_SPARE_SLOTS;
    g->names = g->slots * NAMES_PER_SLOT;
    g->legs = sizes->participants;
    g->blocks = g->slots * BLOCKS_PER_SLOT + pxr_long_names(g->legs);
    g->shares = g->slots * SHARES_PER_SLOT;
    g->name_buckets = power_of_two((uint64_t)g->slots * 3);
    g->leg_buckets = power_of_two((uint64_t)g->legs * 2);
    g->due_at = place(&at, g->slots, sizeof(int64_t));
    g->tell_at = place(&at, g->slots, sizeof(int64_t));
    g->slot_stamps_at = place(&at, g->slots, sizeof(pxr_stamp_t));
    g->share_stamps_at = place(&at, g->shares, sizeof(pxr_stamp_t));
    g->leg_stamps_at = place(&at, g->legs, sizeof(pxr_stamp_t));
    g->name_buckets_at = place(&at, g->name_buckets, sizeof(uint32_t));
    g->slots_at = place(&at, g->slots, sizeof(pxr_slot_t));
    g->names_at = place(&at, g->names, sizeof(pxr_name_t));
    g->blocks_at = place(&at, g->blocks, sizeof(pxr_block_t));
    g->leg_buckets_at = place(&at, g->leg_buckets, sizeof(uint32_t));
    g->legs_at = place(&at, g->legs, sizeof(pxr_leg_slot_t));
    g->shares_at = place(&at, g->shares, sizeof(pxr_share_slot_t));
    g->publishers_at = place(&at, PXR_PUBLISHERS_MAX, sizeof(pxr_publisher_slot_t));
    g->bytes = at;
    return true;
}

uint64_t pxr_store_bytes(const pxr_store_sizes_t *sizes)
{
    geometry_t g;

    return measure(sizes, &g) ? g.bytes : 0;
}

static void clear_slots(const pxr_store_t *store, pxr_root_t *root)
{
    uint32_t count = store->segment->slots;

    for (uint32_t i = 1; i <= count; i++) {
        pxr_slot_t *slot = pxr_slot(store, i);
        uint32_t generation = slot->generation + 1;
        /* Nothing of what was there before may be written any more. */
        pxr_slot_stamp(store, i)->saved = pxr_slot_stamp(store, i)->version;
        memset(slot, 0, sizeof(*slot));
        slot->generation = generation;
        slot->next = i < count ? i + 1 : 0;
        pxr_due(store)[i - 1] = PXR_TIME_NEVER;
        pxr_tell(store)[i - 1] = PXR_TIME_NEVER;
    }
    root->free_slots = 1;
    root->slots_free = count;
}

/* Fills a table with zeroes and makes one free list of it. */
#define CLEAR_TABLE(store, root, count, accessor, link, list, number) \
    do { \
        for (uint32_t i = 1; i <= (count); i++) { \
            memset(accessor(store, i), 0, sizeof(*accessor(store, i))); \
            accessor(store, i)->link = i < (count) ? i + 1 : 0; \
        } \
        (root)->list = 1; \
        (root)->number = (count); \
    } while (0)

void pxr_layout_clear(const pxr_store_t *store)
{
    pxr_segment_t *s = store->segment;
    pxr_root_t root;

    memset(&root, 0, sizeof(root));
    memset(pxr_name_buckets(store), 0, (size_t)s->name_buckets * sizeof(uint32_t));
    memset(pxr_leg_buckets(store), 0, (size_t)s->leg_buckets * sizeof(uint32_t));
    memset(s->publisher_buckets, 0, sizeof(s->publisher_buckets));
    clear_slots(store, &root);
    CLEAR_TABLE(store, &root, s->names, pxr_name, sibling, free_names, names_free);
    CLEAR_TABLE(store, &root, s->blocks, pxr_block, next, free_blocks, blocks_free);
    CLEAR_TABLE(store, &root, s->legs, pxr_leg_slot, next, free_legs, legs_free);
    CLEAR_TABLE(store, &root, s->shares, pxr_share_slot, next, free_shares, shares_free);
    CLEAR_TABLE(store, &root, s->publishers, pxr_publisher_slot, next, free_publishers,
                publishers_free);
    for (uint32_t i = 1; i <= s->shares; i++) {
        pxr_share_stamp(store, i)->saved = pxr_share_stamp(store, i)->version;
    }
    for (uint32_t i = 1; i <= s->legs; i++) {
        pxr_leg_stamp(store, i)->saved = pxr_leg_stamp(store, i)->version;
    }
    s->invite_first = 0;
    s->invite_count = 0;
    memset(s->invites, 0, sizeof(s->invites));
    /* The keeper fills it again. */
    s->mark = (pxr_keep_mark_t){.emptied = s->mark.emptied + 1};
    s->root = root;
}

static bool make_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    bool made;

    if (pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    made = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
           pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
           pthread_mutex_init(mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return made;
}

static bool make_mutexes(pthread_mutex_t *mutexes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!make_mutex(&mutexes[i])) {
            return false;
        }
    }
    return true;
}

/* As long as this memory lives it is one of the machines that share a database. */
static void name_machine(pxr_segment_t *s, const pxr_hash_key_t *key)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t name = pxr_hash(key, "machine", 7);

    for (int i = 0; i < PXR_MACHINE_LEN; i++) {
        s->machine[i] = digits[name >> (4 * i) & 15];
    }
}

pxr_status_t pxr_store_format(pxr_store_t *store, void *memory, const pxr_store_sizes_t *sizes,
                              const pxr_hash_key_t *key)
{
    pxr_segment_t *s = memory;
    geometry_t g;

    if (!measure(sizes, &g)) {
        return PXR_INVALID;
    }
    /* The tables from the names on are filled anew below, all that matters of them. */
    memset(memory, 0, g.names_at);
    store->segment = s;
    store->base = memory;
    s->layout = PXR_LAYOUT;
    s->bytes = g.bytes;
    s->sizes = *sizes;
    s->key = *key;
    name_machine(s, key);
    s->slots = g.slots;
    s->names = g.names;
    s->blocks = g.blocks;
    s->legs = g.legs;
    s->shares = g.shares;
    s->publishers = PXR_PUBLISHERS_MAX;
    s->name_buckets = g.name_buckets;
    s->leg_buckets = g.leg_buckets;
    s->due_at = g.due_at;
    s->tell_at = g.tell_at;
    s->slot_stamps_at = g.slot_stamps_at;
    s->share_stamps_at = g.share_stamps_at;
    s->leg_stamps_at = g.leg_stamps_at;
    s->name_buckets_at = g.name_buckets_at;
    s->slots_at = g.slots_at;
    s->names_at = g.names_at;
    s->blocks_at = g.blocks_at;
    s->leg_buckets_at = g.leg_buckets_at;
    s->legs_at = g.legs_at;
    s->shares_at = g.shares_at;
    s->publishers_at = g.publishers_at;
    pxr_layout_clear(store);
    if (!make_mutex(&s->lock) || !make_mutex(&s->leader)) {
        return PXR_BROKEN;
    }
    if (!make_mutexes(s->readers, PXR_READERS) || !make_mutexes(s->outside, PXR_OUTSIDE_PLACES)) {
        return PXR_BROKEN;
    }
    __atomic_store_n(&s->magic, PXR_MAGIC, __ATOMIC_RELEASE);
    return PXR_OK;
}

pxr_status_t pxr_store_open(pxr_store_t *store, void *memory, uint64_t bytes)
{
    pxr_segment_t *s = memory;
    geometry_t g;

    if (bytes < sizeof(*s) || s->magic != PXR_MAGIC || s->layout != PXR_LAYOUT ||
        !measure(&s->sizes, &g) || s->bytes != g.bytes || s->bytes > bytes || s->slots != g.slots ||
        s->names != g.names || s->blocks != g.blocks || s->legs != g.legs ||
        s->shares != g.shares || s->publishers != PXR_PUBLISHERS_MAX ||
        s->name_buckets != g.name_buckets || s->leg_buckets != g.leg_buckets ||
        s->due_at != g.due_at || s->tell_at != g.tell_at || s->slot_stamps_at != g.slot_stamps_at ||
        s->share_stamps_at != g.share_stamps_at || s->leg_stamps_at != g.leg_stamps_at ||
        s->name_buckets_at != g.name_buckets_at || s->slots_at != g.slots_at ||
        s->names_at != g.names_at || s->blocks_at != g.blocks_at ||
        s->leg_buckets_at != g.leg_buckets_at || s->legs_at != g.legs_at ||
        s->shares_at != g.shares_at || s->publishers_at != g.publishers_at) {
        return PXR_BROKEN;
    }
    store->segment = s;
    store->base = memory;
    return PXR_OK;
}

pxr_store_sizes_t pxr_store_sizes(const pxr_store_t *store)
{
    return store->segment->sizes;
}
