#include "pxr_httpd.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

/* A line goes out by one write, which nothing divides where it fits into a pipe's unit. */
_Static_assert(PXR_LOG_LINE_MAX <= PIPE_BUF, "a line must be atomic in a pipe");

/* What a program may lag behind, a few thousand lines: a bulk comes all at once. Most that the
 * kernel grants without privilege. */
#define PIPE_BYTES (1024 * 1024)

/* Shared by the processes of one generation: how often a full disk has left a line unfinished at
 * the end of the file, and the last time for which a newline was written behind it. */
typedef struct {
    atomic_uint torn;
    atomic_uint mended;
} tears_t;

/* Set before children exist; afterwards nobody changes it. */
static struct {
    int fd; /* -1: nothing is logged */
    pid_t opener;
    piped_log *program; /* NULL: a file */
    tears_t *tears;
} event_log = {.fd = -1};

static apr_status_t forget(void *unused)
{
    (void)unused;
    if (event_log.program == NULL) {
        close(event_log.fd);
    }
    event_log.fd = -1;
    return APR_SUCCESS;
}

/* A former server may have met a full disk as well. */
static unsigned ends_torn(int log)
{
    char path[32];
    struct stat info;
    char last = '\n';
    int fd;

    if (fstat(log, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
        return 0;
    }
    /* The same file, whatever has got its name since. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", log);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        if (pread(fd, &last, 1, info.st_size - 1) != 1) {
            last = '\n';
        }
        close(fd);
    }
    return last != '\n';
}

/* Whether the run user could put something else into this directory; in a directory above that is
 * sticky, like /tmp, only what is his own. */
static bool is_run_users(const struct stat *dir, bool above)
{
    bool open = (dir->st_mode & S_IWOTH) != 0 ||
                ((dir->st_mode & S_IWGRP) != 0 && dir->st_gid == ap_unixd_config.group_id);

    return dir->st_uid == ap_unixd_config.user_id ||
           (open && !(above && (dir->st_mode & S_ISVTX) != 0));
}

/* Whether httpd's children could change where the path leads. */
static bool can_be_diverted(apr_pool_t *p, const char *target)
{
    const char *dir;
    struct stat info;

    if (geteuid() != 0 || ap_unixd_config.user_id == 0) {
        return false;
    }
    for (const char *at = target; at[0] == '/' && at[1] != '\0'; at = dir) {
        dir = ap_make_dirstr_parent(p, at);
        dir = apr_pstrmemdup(p, dir, strlen(dir) > 1 ? strlen(dir) - 1 : 1);
        if (stat(dir, &info) == 0 && is_run_users(&info, at != target)) {
            return true;
        }
    }
    return false;
}

/* The directory that the path ends in, without following a link on the way to it. */
static int open_directory(const char *path)
{
    const char *end = strrchr(path, '/');
    char name[NAME_MAX + 1];
    int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (path++; at >= 0 && path < end; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");
        int next = -1;
        if (len < sizeof(name)) {
            memcpy(name, path, len);
            name[len] = '\0';
            next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        } else {
            errno = ENAMETOOLONG;
        }
        close(at);
        at = next;
        path += len;
    }
    return at;
}

/* Not blocking, for a path that is a FIFO: neither here without a reader nor later. */
#define FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Where the run user can say where the path leads, root must not be led to another one's file. */
static int open_guarded(const char *path)
{
    int dir = open_directory(path);
    int fd = dir >= 0 ? openat(dir, strrchr(path, '/') + 1, FLAGS | O_NOFOLLOW, 0640) : -1;
    int error = errno;
    struct stat info;

    if (dir >= 0) {
        close(dir);
    }
    if (fd >= 0 && (fstat(fd, &info) != 0 || info.st_nlink > 1)) {
        close(fd);
        fd = -1;
        error = EMLINK;
    }
    errno = error;
    return fd;
}

static apr_status_t open_file(apr_pool_t *pconf, const char *path)
{
    apr_shm_t *shm;
    apr_status_t rv = apr_shm_create(&shm, sizeof(tears_t), NULL, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    event_log.tears = apr_shm_baseaddr_get(shm);
    event_log.fd = can_be_diverted(pconf, path) ? open_guarded(path) : open(path, FLAGS, 0640);
    if (event_log.fd < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    atomic_init(&event_log.tears->torn, ends_torn(event_log.fd));
    atomic_init(&event_log.tears->mended, 0);
    return APR_SUCCESS;
}

/* Splits "|", "||" or "|$" from the program, as httpd does for its own logs. */
static const char *program_of(const char *target, apr_cmdtype_e *type)
{
    *type = target[1] == '$' ? APR_SHELLCMD_ENV : APR_PROGRAM_ENV;
    return target + (target[1] == '$' || target[1] == '|' ? 2 : 1);
}

/* httpd starts the program again when it dies; what is in the pipe waits for it. Our end alone must
 * not block: the ends of a pipe are two open files, so the program does not notice. */
static apr_status_t open_program(apr_pool_t *pconf, const char *target)
{
    apr_cmdtype_e type;
    const char *program = program_of(target, &type);
    apr_os_file_t fd;
    int flags;

    event_log.program = ap_open_piped_log_ex(pconf, program, type);
    if (event_log.program == NULL) {
        return APR_EGENERAL;
    }
    if (apr_os_file_get(&fd, ap_piped_log_write_fd(event_log.program)) != APR_SUCCESS ||
        (flags = fcntl(fd, F_GETFL)) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        apr_status_t rv = APR_FROM_OS_ERROR(errno);
        ap_close_piped_log(event_log.program);
        return rv;
    }
    /* Without that much it works as well. */
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
    event_log.fd = fd;
    return APR_SUCCESS;
}

bool pxr_event_log_open(server_rec *s, apr_pool_t *pconf)
{
    const char *target = pxr_global.event_log;
    apr_status_t rv;

    event_log.fd = -1;
    event_log.opener = getpid();
    event_log.program = NULL;
    event_log.tears = NULL;
    if (target == NULL) {
        return true;
    }
    rv = target[0] == '|' ? open_program(pconf, target) : open_file(pconf, target);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "PXR1019: " PXR_D_EVENT_LOG ": '%s' cannot be %s, events are not logged",
                     target, target[0] == '|' ? "started" : "opened");
        return false;
    }
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
    return true;
}

void pxr_event_log_child_init(void)
{
    /* httpd keeps the program's end open too. Were it open here, a program that a graceful restart
     * has ended would leave us a pipe that takes lines which nobody will ever read. */
    if (event_log.program != NULL && getpid() != event_log.opener) {
        apr_file_close(ap_piped_log_read_fd(event_log.program));
    }
}

const char *pxr_event_log_state(void)
{
    return pxr_global.event_log == NULL ? "off" : event_log.fd >= 0 ? "on" : "failed";
}

static const char *check_program(apr_pool_t *p, const char *target)
{
    apr_cmdtype_e type;
    const char *program = program_of(target, &type);
    char **words;

    /* A shell finds its programs by itself. */
    if (type != APR_PROGRAM_ENV || apr_tokenize_to_argv(program, &words, p) != APR_SUCCESS ||
        words[0] == NULL || words[0][0] != '/' || access(words[0], X_OK) == 0) {
        return NULL;
    }
    return "names a program that cannot be executed";
}

const char *pxr_event_log_check(apr_pool_t *p)
{
    const char *target = pxr_global.event_log;
    const char *parent;
    struct stat info;

    /* At a reload it is too late to refuse: httpd would end. */
    if (target == NULL || pxr_is_reload()) {
        return NULL;
    }
    if (target[0] == '|') {
        return check_program(p, target);
    }
    if (stat(target, &info) == 0) {
        return S_ISDIR(info.st_mode)       ? "is a directory"
               : access(target, W_OK) != 0 ? "cannot be written to"
                                           : NULL;
    }
    parent = ap_make_dirstr_parent(p, target);
    if (stat(parent, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return "is in a directory that does not exist";
    }
    return access(parent, W_OK | X_OK) != 0 ? "is in a directory that cannot be written to" : NULL;
}

/* Writes a line; text[0] is a newline to be written before it where the file ends in the middle of
 * another one. 0 or an error. */
static int put(const char *text, size_t len)
{
    tears_t *tears = event_log.tears;
    unsigned torn = tears != NULL ? atomic_load(&tears->torn) : 0;
    size_t skip = tears == NULL || torn == atomic_load(&tears->mended) ? 1 : 0;
    ssize_t written;

    do {
        written = write(event_log.fd, text + skip, len - skip);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return errno;
    }
    if (tears != NULL && written > 0) {
        if (text[skip + (size_t)written - 1] == '\n') {
            atomic_store(&tears->mended, torn);
        } else {
            atomic_fetch_add(&tears->torn, 1);
        }
    }
    return (size_t)written == len - skip ? 0 : ENOSPC;
}

static void lose(request_rec *r, const pxr_call_t *call, pxr_time_t now, int error)
{
    pxr_store_count(call->store, call->workspace->number, PXR_COUNT_EVENT_LOG_LOST, 1);
    if (event_log.fd >= 0 && pxr_store_may_tell(call->store, PXR_TOPIC_EVENT_LOG, now)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, APR_FROM_OS_ERROR(error), r,
                      "PXR1020: " PXR_D_EVENT_LOG ": lines are lost, because %s",
                      error == EAGAIN  ? "its program does not read them"
                      : error == EPIPE ? "its program is gone"
                                       : "they cannot be written");
    }
}

void pxr_event_log_write(request_rec *r, const pxr_call_t *call, const pxr_log_entry_t *entry)
{
    char text[1 + PXR_LOG_LINE_MAX];
    size_t len = 0;
    int error = ENOMEM;

    if (pxr_global.event_log == NULL) {
        return;
    }
    text[0] = '\n';
    if (event_log.fd >= 0) {
        len = pxr_json_write_log_line(entry, text + 1, sizeof(text) - 1);
    }
    if (len > 0) {
        error = put(text, len + 1);
    }
    if (error != 0) {
        lose(r, call, entry->received, error);
    }
}
