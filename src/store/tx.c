#include "tx.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One change in the log; its data follows, filled up to eight bytes. */
typedef struct {
    uint64_t at;
    uint64_t len;
} entry_t;

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

void pxr_tx_begin(pxr_tx_t *tx, const pxr_store_t *store)
{
    tx->store = store;
    tx->root = store->segment->root;
    tx->overflow = false;
    tx->quiet = !pxr_is_kept(store);
    store->segment->log.used = 0;
}

void pxr_tx_put(pxr_tx_t *tx, void *to, const void *from, size_t len)
{
    pxr_log_t *log = &tx->store->segment->log;
    entry_t entry = {.at = (uint64_t)((char *)to - tx->store->base), .len = len};

    if (sizeof(entry) + padded(len) > PXR_LOG_BYTES - log->used) {
        tx->overflow = true;
        return;
    }
    memcpy(log->entries + log->used, &entry, sizeof(entry));
    memcpy(log->entries + log->used + sizeof(entry), from, len);
    log->used += (uint32_t)(sizeof(entry) + padded(len));
}

void pxr_tx_put_word(pxr_tx_t *tx, uint32_t *to, uint32_t value)
{
    pxr_tx_put(tx, to, &value, sizeof(value));
}

uint32_t pxr_tx_word(const pxr_tx_t *tx, const uint32_t *word)
{
    const pxr_log_t *log = &tx->store->segment->log;
    uint64_t at = (uint64_t)((const char *)word - tx->store->base);
    uint32_t value = *word;

    for (uint32_t i = 0; i < log->used;) {
        entry_t entry;
        memcpy(&entry, log->entries + i, sizeof(entry));
        if (at >= entry.at && at < entry.at + entry.len) {
            memcpy(&value, log->entries + i + sizeof(entry) + (at - entry.at), sizeof(value));
        }
        i += (uint32_t)(sizeof(entry) + padded(entry.len));
    }
    return value;
}

void pxr_tx_touch(pxr_tx_t *tx, pxr_stamp_t *stamp)
{
    if (!tx->quiet) {
        pxr_tx_put_word(tx, &stamp->version, pxr_tx_word(tx, &stamp->version) + 1);
    }
}

/* Whether the log can be carried out at all. What it holds may be damaged like anything else. */
static bool log_is_sound(const pxr_store_t *store)
{
    const pxr_log_t *log = &store->segment->log;
    uint32_t i = 0;

    if (log->used > PXR_LOG_BYTES) {
        return false;
    }
    while (i < log->used) {
        entry_t entry;
        if (log->used - i < sizeof(entry)) {
            return false;
        }
        memcpy(&entry, log->entries + i, sizeof(entry));
        i += (uint32_t)sizeof(entry);
        if (entry.len > log->used - i || entry.len % sizeof(uint32_t) != 0 ||
            entry.at % sizeof(uint32_t) != 0 || entry.at > store->segment->bytes ||
            entry.len > store->segment->bytes - entry.at || padded(entry.len) > log->used - i) {
            return false;
        }
        i += (uint32_t)padded(entry.len);
    }
    return true;
}

/* Word by word, because readers without lock look at some of them; each word is published after
 * the ones before it, so what a link leads to is there before the link. */
static void carry_out(const pxr_store_t *store)
{
    pxr_log_t *log = &store->segment->log;

    for (uint32_t i = 0; i < log->used;) {
        entry_t entry;
        memcpy(&entry, log->entries + i, sizeof(entry));
        for (uint64_t done = 0; done < entry.len; done += sizeof(uint32_t)) {
            uint32_t word;
            memcpy(&word, log->entries + i + sizeof(entry) + done, sizeof(word));
            __atomic_store_n((uint32_t *)(void *)(store->base + entry.at + done), word,
                             __ATOMIC_RELEASE);
        }
        i += (uint32_t)(sizeof(entry) + padded(entry.len));
    }
}

pxr_status_t pxr_tx_commit(pxr_tx_t *tx)
{
    pxr_segment_t *segment = tx->store->segment;

    if (memcmp(&tx->root, &segment->root, sizeof(tx->root)) != 0) {
        pxr_tx_put(tx, &segment->root, &tx->root, sizeof(tx->root));
    }
    if (tx->overflow) {
        segment->log.used = 0;
        return PXR_BROKEN;
    }
    __atomic_store_n(&segment->log.committed, 1, __ATOMIC_RELEASE);
    carry_out(tx->store);
    __atomic_store_n(&segment->log.committed, 0, __ATOMIC_RELEASE);
    segment->log.used = 0;
    return PXR_OK;
}

static void recover(const pxr_store_t *store)
{
    pxr_segment_t *segment = store->segment;
    char why[128];
    uint64_t resets = segment->root.resets;
    bool damaged = segment->log.committed && !log_is_sound(store);

    if (segment->log.committed && !damaged) {
        carry_out(store);
    }
    segment->log.committed = 0;
    segment->log.used = 0;
    segment->root.repairs++;
    pthread_mutex_consistent(&segment->lock);
    /* The log has made everything whole. The check is for what no log can help against. */
    if (damaged || pxr_check_locked(store, why, sizeof(why)) == PXR_BROKEN) {
        uint64_t repairs = segment->root.repairs;
        pxr_layout_clear(store);
        segment->root.repairs = repairs;
        segment->root.resets = resets + 1;
    }
}

static struct timespec deadline(int64_t wait)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(wait / PXR_SECOND);
    at.tv_nsec += (long)(wait % PXR_SECOND) * 1000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Some MPMs end their process in a signal handler, and wait there for threads that need the lock:
 * so none may come to a thread that holds it. */
static _Thread_local sigset_t signals;

static void hold_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &signals);
}

static void release_signals(void)
{
    pthread_sigmask(SIG_SETMASK, &signals, NULL);
}

static pxr_status_t take_lock(const pxr_store_t *store)
{
    int error = pthread_mutex_trylock(&store->segment->lock);

    if (error == EBUSY) {
        struct timespec at = deadline(PXR_LOCK_WAIT);
        error = pthread_mutex_clocklock(&store->segment->lock, CLOCK_MONOTONIC, &at);
    }
    switch (error) {
    case 0:
        return PXR_OK;
    case EOWNERDEAD:
        recover(store);
        return PXR_OK;
    case ETIMEDOUT:
        return PXR_BUSY;
    default:
        return PXR_BROKEN;
    }
}

pxr_status_t pxr_lock(const pxr_store_t *store)
{
    pxr_status_t status;

    hold_signals();
    status = take_lock(store);
    if (status != PXR_OK) {
        release_signals();
    }
    return status;
}

void pxr_unlock(const pxr_store_t *store)
{
    pthread_mutex_unlock(&store->segment->lock);
    release_signals();
}

bool pxr_store_lead(const pxr_store_t *store, int64_t wait)
{
    struct timespec at = deadline(wait);
    int error = pthread_mutex_clocklock(&store->segment->leader, CLOCK_MONOTONIC, &at);

    if (error == EOWNERDEAD) {
        /* It guards no data: each step of the leader's work is a transaction of its own. */
        pthread_mutex_consistent(&store->segment->leader);
        error = 0;
    }
    if (error != 0) {
        return false;
    }
    atomic_store(&store->segment->leader_pid, (int32_t)getpid());
    return true;
}

void pxr_store_resign(const pxr_store_t *store)
{
    atomic_store(&store->segment->leader_pid, 0);
    pthread_mutex_unlock(&store->segment->leader);
}

void pxr_queue_push(pxr_tx_t *tx, pxr_queue_t *queue, uint32_t link, uint32_t *own_next,
                    uint32_t *tail_next)
{
    pxr_tx_put_word(tx, own_next, 0);
    if (queue->tail != 0) {
        pxr_tx_put_word(tx, tail_next, link);
    } else {
        queue->head = link;
    }
    queue->tail = link;
}

uint32_t pxr_chain_new(pxr_tx_t *tx, const char *text, size_t len)
{
    uint32_t count = pxr_blocks_for(len);
    uint32_t first = tx->root.free_blocks;
    uint32_t link = first;

    if (count == 0 || count > tx->root.blocks_free) {
        return 0;
    }
    /* The front of the free list is a chain already. */
    for (uint32_t i = 0; i < count; i++) {
        pxr_block_t *block = pxr_block(tx->store, link);
        size_t part = len < PXR_BLOCK_DATA ? len : PXR_BLOCK_DATA;
        memcpy(block->data, text, part);
        text += part;
        len -= part;
        link = pxr_tx_word(tx, &block->next);
    }
    tx->root.free_blocks = link;
    tx->root.blocks_free -= count;
    return first;
}

void pxr_chain_free(pxr_tx_t *tx, uint32_t first, size_t len)
{
    uint32_t count = pxr_blocks_for(len);
    uint32_t last = first;

    if (count == 0) {
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        last = pxr_block(tx->store, last)->next;
    }
    pxr_tx_put_word(tx, &pxr_block(tx->store, last)->next, tx->root.free_blocks);
    tx->root.free_blocks = first;
    tx->root.blocks_free += count;
}

/* Mostly the next block of a chain is the next of the table: what stands in a block need not have
 * come from memory to fetch it. The one behind the table's last belongs to the segment, too. */
static void fetch_neighbour(const pxr_block_t *block)
{
    for (size_t line = 0; line < sizeof(*block); line += 64) {
        __builtin_prefetch((const char *)(block + 1) + line);
    }
}

bool pxr_chain_read(const pxr_store_t *store, uint32_t first, size_t len, char *out)
{
    uint32_t link = first;

    while (len > 0) {
        size_t part = len < PXR_BLOCK_DATA ? len : PXR_BLOCK_DATA;
        const pxr_block_t *block;
        if (link == 0 || link > store->segment->blocks) {
            return false;
        }
        block = pxr_block(store, link);
        if (len > part) {
            fetch_neighbour(block);
        }
        memcpy(out, block->data, part);
        out += part;
        len -= part;
        link = pxr_word(&block->next);
    }
    return true;
}
