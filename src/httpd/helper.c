#include "pxr_httpd.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unixd.h>

/* Far longer than any check takes; memory that was damaged on purpose might lead in circles. */
#define SECONDS 120

static void become_user(void)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(ap_unixd_config.group_id) != 0 ||
                           setuid(ap_unixd_config.user_id) != 0)) {
        _exit(PXR_BROKEN);
    }
}

pxr_status_t pxr_run_as_user(server_rec *s, int (*work)(void *data), void *data)
{
    pid_t pid = fork();
    int status = 0;

    if (pid < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(errno), s,
                     "PXR1013: no process can be started");
        return PXR_BROKEN;
    }
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(SECONDS);
        become_user();
        _exit(work(data));
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return PXR_BROKEN;
        }
    }
    return WIFEXITED(status) ? (pxr_status_t)WEXITSTATUS(status) : PXR_BROKEN;
}
