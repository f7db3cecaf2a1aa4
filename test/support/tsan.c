#include <errno.h>
#include <pthread.h>
#include <time.h>

/*
 * ThreadSanitizer of gcc 12 does not know pthread_mutex_clocklock(), and takes a mutex that was
 * locked by it for an unlocked one. The linker puts this in its place, which uses what is known: of
 * the others only this one tells the sanitizer of a mutex whose owner has died.
 */

int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until);

int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
                                   const struct timespec *until)
{
    static const struct timespec pause = {.tv_nsec = 100000};

    for (;;) {
        struct timespec now;
        int error = pthread_mutex_trylock(mutex);
        if (error != EBUSY) {
            return error;
        }
        clock_gettime(clock, &now);
        if (now.tv_sec > until->tv_sec ||
            (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec)) {
            return ETIMEDOUT;
        }
        nanosleep(&pause, NULL);
    }
}
