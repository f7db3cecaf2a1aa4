#include <errno.h>
#include <time.h>

#include "waiting.h"

/* Who waits for a place looks for it again so often. */
#define LOOK_EVERY (PXR_SECOND / 100)

static bool take(pthread_mutex_t *place)
{
    int error = pthread_mutex_trylock(place);

    if (error == EOWNERDEAD) {
        /* It guards nothing but its own number. */
        error = pthread_mutex_consistent(place);
    }
    return error == 0;
}

int pxr_store_reader_enter(const pxr_store_t *store, int64_t wait)
{
    const struct timespec pause = {.tv_nsec = (long)(LOOK_EVERY * 1000)};
    int64_t until = pxr_time_steady() + wait;

    for (;;) {
        for (int i = 0; i < PXR_READERS; i++) {
            if (take(&store->segment->readers[i])) {
                return i;
            }
        }
        if (pxr_time_steady() >= until) {
            return -1;
        }
        nanosleep(&pause, NULL);
    }
}

void pxr_store_reader_leave(const pxr_store_t *store, int place)
{
    pthread_mutex_unlock(&store->segment->readers[place]);
}
