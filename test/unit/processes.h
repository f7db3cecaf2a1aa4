#ifndef PXR_TEST_PROCESSES_H
#define PXR_TEST_PROCESSES_H

#include "helpers.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Processes that are started, killed and waited for. */

static inline void pause_for(long microseconds)
{
    struct timespec time = {.tv_sec = microseconds / 1000000,
                            .tv_nsec = microseconds % 1000000 * 1000};

    nanosleep(&time, NULL);
}

/* Zeroed memory that processes share. Released by munmap(). */
static inline void *share_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    return memory;
}

/* Waits for a process, which must have succeeded or been killed. */
static inline void reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    assert_true((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

static inline void end(pid_t pid)
{
    kill(pid, SIGKILL);
    reap(pid);
}

#endif
