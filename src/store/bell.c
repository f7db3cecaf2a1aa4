#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "waiting.h"

/* Words that processes wait on. A condition variable of pthread would not outlive the death of a
 * process in the middle of it; a futex knows nobody but the kernel. */

_Static_assert(sizeof(_Atomic(uint32_t)) == sizeof(uint32_t), "a futex is a plain word");

void pxr_word_wait(_Atomic(uint32_t) *word, uint32_t seen, int64_t wait)
{
    struct timespec time = {.tv_sec = (time_t)(wait / PXR_SECOND),
                            .tv_nsec = (long)(wait % PXR_SECOND) * 1000};

    if (wait > 0) {
        syscall(SYS_futex, word, FUTEX_WAIT, seen, &time, NULL, 0);
    }
}

void pxr_word_wake(_Atomic(uint32_t) *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Both numbers count on for ever; a difference tells their order also when they wrap. */
static bool has_reached(uint32_t now, uint32_t wanted)
{
    return (int32_t)(now - wanted) >= 0;
}

void pxr_store_ring(const pxr_store_t *store)
{
    atomic_fetch_add(&store->segment->bell, 1);
    pxr_word_wake(&store->segment->bell);
}

void pxr_store_listen(const pxr_store_t *store, uint32_t *heard, int64_t wait)
{
    pxr_word_wait(&store->segment->bell, *heard, wait);
    *heard = atomic_load(&store->segment->bell);
}

void pxr_store_wake(const pxr_store_t *store)
{
    pxr_word_wake(&store->segment->rounds_done);
}

void pxr_store_round_begins(const pxr_store_t *store)
{
    atomic_fetch_add(&store->segment->rounds_begun, 1);
    atomic_store(&store->segment->round_began, pxr_time_steady());
}

void pxr_store_stood_still(const pxr_store_t *store)
{
    pxr_segment_t *s = store->segment;
    int64_t began = atomic_load(&s->round_began);

    atomic_store(&s->stood_still_at, pxr_time_steady());
    if (began != 0) {
        atomic_compare_exchange_strong(&s->round_began, &began, pxr_time_steady());
    }
}

void pxr_store_round_ends(const pxr_store_t *store, bool pulled)
{
    pxr_segment_t *s = store->segment;
    uint32_t round = atomic_load(&s->rounds_begun);

    if (pulled) {
        atomic_store(&s->pulls_done, round);
    }
    atomic_store(&s->rounds_done, round);
    atomic_store(&s->round_began, 0);
    pxr_word_wake(&s->rounds_done);
}

/* Of this process, which is about to exit. */
static _Atomic(bool) waiting_is_over;

void pxr_store_stop_waiting(const pxr_store_t *store)
{
    atomic_store(&waiting_is_over, true);
    pxr_word_wake(&store->segment->rounds_done);
}

bool pxr_waiting_is_over(void)
{
    return atomic_load(&waiting_is_over);
}

/* After so long without a round nothing is known of the database. */
#define IN_TOUCH (2 * PXR_SECOND)
/* A round that lasts longer is an unusual one. */
#define SLOW PXR_MISS_WAIT
/* After a machine has stood still it does not know what the others have made meanwhile, and its
 * first rounds take longer: the database has closed its connections. */
#define CATCHING_UP (5 * PXR_SECOND)
#define CATCH_UP_WAIT (2 * PXR_SECOND)

/* Whether the keeper has been able to ask the database lately. */
static bool is_in_touch(const pxr_store_t *store, pxr_time_t now)
{
    pxr_keep_health_t health;

    pxr_store_keep_health(store, &health);
    return health.state == PXR_KEEPER_OK && health.synced_at + IN_TOUCH > now;
}

static bool is_catching_up(const pxr_store_t *store)
{
    int64_t at = atomic_load(&store->segment->stood_still_at);

    return at != 0 && at + CATCHING_UP > pxr_time_steady();
}

/* The database takes its time: perhaps it hangs, and nobody should wait to find out. But where
 * nothing has moved on this machine, it was the machine that stood still. */
static bool is_slow(const pxr_store_t *store, pxr_time_t now)
{
    int64_t began = atomic_load(&store->segment->round_began);

    return began != 0 && began + SLOW < pxr_time_steady() && !is_catching_up(store) &&
           atomic_load(&store->segment->ticked_at) + PXR_SECOND > now;
}

/* What the first rounds after a standstill say of the database need not be so: they may fail, or
 * seem to have been kept waiting for as long as the machine stood still. */
static bool is_answering(const pxr_store_t *store)
{
    pxr_keep_health_t health;

    pxr_store_keep_health(store, &health);
    return health.state == PXR_KEEPER_OK || is_catching_up(store);
}

bool pxr_store_await_others(const pxr_store_t *store, int64_t wait)
{
    return store->segment->kept == PXR_KEEP_SHARED && pxr_store_await_round(store, wait);
}

bool pxr_store_await_round(const pxr_store_t *store, int64_t wait)
{
    pxr_segment_t *s = store->segment;
    int64_t began = pxr_time_steady();
    /* A round that is under way may have looked before this was called. */
    uint32_t wanted = atomic_load(&s->rounds_begun) + 1;

    if (!pxr_is_kept(store) || !is_answering(store) || is_slow(store, pxr_time_now())) {
        return false;
    }
    pxr_store_ring(store);
    for (;;) {
        uint32_t done = atomic_load(&s->rounds_done);
        int64_t now = pxr_time_steady();
        int64_t most = is_catching_up(store) && wait < CATCH_UP_WAIT ? CATCH_UP_WAIT : wait;
        int64_t left = began + most - now;
        if (left < -PXR_SECOND) {
            /* This machine stood still, and the keeper with it. */
            began = now;
            left = most;
        }
        if (has_reached(atomic_load(&s->pulls_done), wanted)) {
            return true;
        }
        /* A round that came to nothing because another machine is writing is made again at once. */
        if (left <= 0 || !is_answering(store) || pxr_waiting_is_over()) {
            return false;
        }
        pxr_word_wait(&s->rounds_done, done, left);
    }
}

bool pxr_store_knows_all(const pxr_store_t *store, pxr_time_t now)
{
    const pxr_segment_t *s = store->segment;

    return s->kept == PXR_KEEP_NOTHING ||
           (__atomic_load_n(&s->mark.complete, __ATOMIC_ACQUIRE) && is_in_touch(store, now));
}
