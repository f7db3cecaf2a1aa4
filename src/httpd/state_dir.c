#include "pxr_httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

/* PexipRCStateDirectory: where the database is, if it is a file. */

#define STATE_DIR "/var/lib/pexip-rc"

const char *pxr_state_dir(void)
{
    return pxr_global.state_dir != NULL ? pxr_global.state_dir : STATE_DIR;
}

bool pxr_state_dir_is_needed(const pxr_db_settings_t *settings)
{
    const char *dir = pxr_state_dir();
    size_t len = strlen(dir);

    return pxr_global.state_dir != NULL ||
           (strncmp(settings->params, dir, len) == 0 && settings->params[len] == '/');
}

/* What was just made, and nothing that has taken its place since. */
static bool give_to_user(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    bool given = fd >= 0 && fstat(fd, &info) == 0 && info.st_uid == geteuid() &&
                 fchown(fd, ap_unixd_config.user_id, ap_unixd_config.group_id) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return given;
}

/* One that was there before: whoever else can write there can put another database into place. */
static void close_to_others(server_rec *s, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;

    if (fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        fchmod(fd, info.st_mode & S_IRWXU) == 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "PXR1064: " PXR_D_STATE_DIR ": '%s' could be changed by others, its mode is "
                     "%03o now",
                     path, (unsigned)(info.st_mode & S_IRWXU));
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Made for the run user, who is the only one to use it. */
bool pxr_state_dir_make(server_rec *s, const char *path)
{
    struct stat info;
    const char *why = NULL;

    if (mkdir(path, 0700) == 0) {
        if (geteuid() == 0 && !give_to_user(path)) {
            why = "cannot be given to the run user";
        }
    } else if (errno != EEXIST) {
        why = "cannot be made";
    } else if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        errno = 0;
        why = "is no directory";
    } else {
        close_to_others(s, path);
    }
    if (why != NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(errno), s,
                     "PXR1014: " PXR_D_STATE_DIR ": '%s' %s", path, why);
    }
    return why == NULL;
}
