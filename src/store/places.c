#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "pxr_metrics.h"
#include "pxr_outside.h"
#include "waiting.h"

/* Who waits for a place looks for it again so often. */
#define LOOK_EVERY (PXR_SECOND / 100)

static const uint32_t sizes[PXR_PLACES] = {
    [PXR_PLACE_HISTORY] = PXR_READERS,
    [PXR_PLACE_OUTSIDE] = PXR_OUTSIDE_PLACES,
};

uint32_t pxr_store_places(pxr_place_kind_t kind)
{
    return sizes[kind];
}

static pthread_mutex_t *places_of(const pxr_store_t *store, pxr_place_kind_t kind)
{
    return kind == PXR_PLACE_HISTORY ? store->segment->readers : store->segment->outside;
}

static _Atomic(int32_t) *holders_of(const pxr_store_t *store, pxr_place_kind_t kind)
{
    return kind == PXR_PLACE_HISTORY ? store->segment->reader_pids : store->segment->outside_pids;
}

static bool take(pthread_mutex_t *place)
{
    int error = pthread_mutex_trylock(place);

    if (error == EOWNERDEAD) {
        /* It guards nothing but its own number. */
        error = pthread_mutex_consistent(place);
    }
    return error == 0;
}

int pxr_store_place_enter(const pxr_store_t *store, pxr_place_kind_t kind, uint32_t most,
                          int64_t wait)
{
    const struct timespec pause = {.tv_nsec = (long)(LOOK_EVERY * 1000)};
    uint32_t count = most < sizes[kind] ? most : sizes[kind];
    int64_t until = pxr_time_steady() + wait;

    for (;;) {
        for (uint32_t i = count; i > 0; i--) {
            if (take(&places_of(store, kind)[i - 1])) {
                atomic_store(&holders_of(store, kind)[i - 1], getpid());
                return (int)(i - 1);
            }
        }
        if (pxr_time_steady() >= until) {
            return -1;
        }
        nanosleep(&pause, NULL);
    }
}

void pxr_store_place_leave(const pxr_store_t *store, pxr_place_kind_t kind, int place)
{
    atomic_store(&holders_of(store, kind)[place], 0);
    pthread_mutex_unlock(&places_of(store, kind)[place]);
}

uint32_t pxr_store_places_taken(const pxr_store_t *store, pxr_place_kind_t kind)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < sizes[kind]; i++) {
        pid_t pid = atomic_load(&holders_of(store, kind)[i]);
        /* Its death gives a place back without a word. */
        taken += pid != 0 && (kill(pid, 0) == 0 || errno != ESRCH);
    }
    return taken;
}
