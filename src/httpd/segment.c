#include "pxr_httpd.h"

#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "pxr_random.h"

/*
 * The memory behind the store: one file in Linux' file system for shared memory, of a name that
 * follows from httpd's run-time directory. It outlives the server, so that a start after a stop or
 * a crash finds the meetings that are running. APR's named segments are not used: they do not tell
 * who owns an object, and there anybody may put one under a name that can be guessed.
 *
 *   head (one page) | store
 *
 * The parent process, which may be root, maps it but never follows what stands in it: children that
 * run as somebody else can write there. What has to be followed is done in helper.c's process.
 */

#define HEAD_BYTES 4096
#define SHARED_MEMORY "/dev/shm"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
/* Somebody may be busy with the same name at the same moment. */
#define TRIES 5

typedef struct {
    char boot_id[64];
} head_t;

/* What came of one try. */
typedef enum { READY, NOTHING_THERE, AGAIN, REFUSED } outcome_t;

/* Equal until the machine is started again. */
static void read_boot_id(char *out, size_t size)
{
    int fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, out, size - 1) : 0;

    out[len > 0 ? len : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

/* The run-time directory is what two servers of one machine cannot share. */
static const char *path_of_memory(apr_pool_t *p)
{
    const pxr_hash_key_t key = {0, 0};
    const char *dir = ap_runtime_dir_relative(p, "pexip-rc");

    return apr_psprintf(p, SHARED_MEMORY "/pexip-rc-%" APR_UINT64_T_HEX_FMT,
                        (apr_uint64_t)pxr_hash(&key, dir, strlen(dir)));
}

static bool is_ours(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_uid == geteuid() && (info->st_mode & 077) == 0;
}

/* Whether the name still leads to the opened file. */
static bool is_at(const char *path, const struct stat *opened)
{
    struct stat named;

    return lstat(path, &named) == 0 && named.st_ino == opened->st_ino &&
           named.st_dev == opened->st_dev;
}

/* Goes with this process, and is not inherited: orphaned children of a killed server do not keep
 * the next one from starting. It goes, too, when this process closes any other descriptor of the
 * file, so there must never be one. */
static bool take_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &lock) == 0;
}

static void complain(server_rec *s, int error, const char *path, const char *what)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(error), s,
                 "PXR1006: shared memory '%s' %s", path, what);
}

static bool map(pxr_memory_t *memory, apr_uint64_t bytes)
{
    void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);

    memory->base = base != MAP_FAILED ? base : NULL;
    memory->bytes = bytes;
    return memory->base != NULL;
}

static void let_go(pxr_memory_t *memory)
{
    if (memory->base != NULL) {
        munmap(memory->base, (size_t)memory->bytes);
    }
    memory->base = NULL;
    close(memory->fd);
}

static bool open_store(const pxr_memory_t *memory, pxr_store_t *store)
{
    return pxr_store_open(store, (char *)memory->base + HEAD_BYTES, memory->bytes - HEAD_BYTES) ==
           PXR_OK;
}

/* In the helper: follows every link, and restarts the grace of what was about to end. */
static int examine(void *data)
{
    const pxr_store_t *store = data;
    char why[128];
    pxr_status_t status = pxr_store_check(store, why, sizeof(why));

    /* No memory for the check (PXR_FULL) is no finding. */
    if (status == PXR_BROKEN || status == PXR_BUSY) {
        return (int)status;
    }
    status = pxr_store_give_up_pending(store);
    return (int)(status == PXR_OK ? pxr_store_resume(store, pxr_time_now()) : status);
}

/* Where a new one is filled from the database nothing is lost. */
static int level_of_replacement(void)
{
    return strcmp(pxr_database()->driver, PXR_DB_NONE) == 0 ? APLOG_WARNING : APLOG_NOTICE;
}

/* NULL where a former server's memory may be gone on with, else why not. *level is how bad that
 * is. */
static const char *why_unfit(server_rec *s, pxr_memory_t *memory, const struct stat *info,
                             pxr_store_t *store, int *level)
{
    const head_t *head;
    char boot_id[sizeof(head->boot_id)];
    pxr_store_sizes_t sizes;
    pxr_store_health_t health;

    *level = APLOG_WARNING;
    if (info->st_size < HEAD_BYTES || !map(memory, (apr_uint64_t)info->st_size)) {
        return "it is not complete";
    }
    head = memory->base;
    read_boot_id(boot_id, sizeof(boot_id));
    if (strncmp(head->boot_id, boot_id, sizeof(boot_id)) != 0) {
        return "it is from before the machine was started";
    }
    if (!open_store(memory, store)) {
        return "it is of another version";
    }
    sizes = pxr_store_sizes(store);
    if (sizes.meetings != pxr_global.sizes.meetings ||
        sizes.participants != pxr_global.sizes.participants) {
        pxr_store_health(store, &health);
        *level = health.meetings.used == 0 ? APLOG_NOTICE : level_of_replacement();
        return PXR_D_MEETINGS " or " PXR_D_PARTICIPANTS " has changed";
    }
    switch (pxr_run_as_user(s, examine, store)) {
    case PXR_OK:
        return NULL;
    case PXR_BUSY:
        return "it is locked by a process that does not go on";
    default:
        return "it is damaged";
    }
}

/* Something that this server cannot have made is in the way. */
static outcome_t set_aside(server_rec *s, apr_pool_t *p, const char *path)
{
    char key[9];
    const char *aside;

    if (!pxr_random_key(key, sizeof(key) - 1)) {
        return REFUSED;
    }
    aside = apr_pstrcat(p, path, ".foreign-", key, NULL);
    if (rename(path, aside) != 0) {
        complain(s, errno, path, "belongs to somebody else and cannot be moved out of the way");
        return errno == ENOENT ? AGAIN : REFUSED;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 "PXR1007: shared memory '%s' belongs to somebody else and was moved to '%s'", path,
                 aside);
    return AGAIN;
}

static outcome_t take_over(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    const char *path = path_of_memory(p);
    const char *why;
    struct stat info;
    int level;

    if (lstat(path, &info) != 0) {
        return NOTHING_THERE;
    }
    if (!is_ours(&info)) {
        return set_aside(s, p, path);
    }
    memory->base = NULL;
    memory->fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (memory->fd < 0) {
        return AGAIN;
    }
    if (fstat(memory->fd, &info) != 0 || !is_ours(&info)) {
        close(memory->fd);
        return AGAIN;
    }
    if (!take_lock(memory->fd)) {
        complain(s, 0, path,
                 "is used by another httpd, because it has the same DefaultRuntimeDir: give one of "
                 "them another");
        close(memory->fd);
        return REFUSED;
    }
    if (!is_at(path, &info)) {
        close(memory->fd);
        return AGAIN;
    }
    why = why_unfit(s, memory, &info, store, &level);
    if (why == NULL) {
        return READY;
    }
    ap_log_error(
        APLOG_MARK, level, 0, s,
        "PXR1008: shared memory '%s' of a former server is replaced: %s; what the database has not "
        "got of its "
        "meetings is lost",
        path, why);
    unlink(path);
    let_go(memory);
    return NOTHING_THERE;
}

/* Fills a file that was just made. */
static bool lay_out(server_rec *s, const char *path, pxr_memory_t *memory, pxr_store_t *store)
{
    apr_uint64_t bytes = HEAD_BYTES + pxr_store_bytes(&pxr_global.sizes);
    pxr_hash_key_t key;
    /* Asks for every page now: later, lack of room would end in SIGBUS. */
    int error = posix_fallocate(memory->fd, 0, (off_t)bytes);

    if (error != 0) {
        complain(s, error, path,
                 "cannot be made as large as " PXR_D_MEETINGS " and " PXR_D_PARTICIPANTS
                 " ask for");
        return false;
    }
    if (!map(memory, bytes)) {
        complain(s, errno, path, "cannot be mapped");
        return false;
    }
    if (!pxr_random_bytes(&key, sizeof(key)) ||
        pxr_store_format(store, (char *)memory->base + HEAD_BYTES, &pxr_global.sizes, &key) !=
            PXR_OK) {
        complain(s, 0, path, "cannot be prepared");
        return false;
    }
    read_boot_id(((head_t *)memory->base)->boot_id, sizeof(((head_t *)memory->base)->boot_id));
    return true;
}

static outcome_t create(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    const char *path = path_of_memory(p);

    memory->base = NULL;
    memory->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (memory->fd < 0) {
        if (errno == EEXIST) {
            return AGAIN;
        }
        complain(s, errno, path, "cannot be created");
        return REFUSED;
    }
    if (!take_lock(memory->fd)) {
        complain(s, errno, path, "is used by another httpd that is starting at this moment");
        close(memory->fd);
        return REFUSED;
    }
    if (!lay_out(s, path, memory, store)) {
        unlink(path);
        let_go(memory);
        return REFUSED;
    }
    return READY;
}

static void tell(server_rec *s, const pxr_memory_t *memory, const pxr_store_t *store,
                 const char *what)
{
    pxr_store_sizes_t sizes = pxr_store_sizes(store);
    pxr_store_health_t health;

    pxr_store_health(store, &health);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                 "PXR1009: mod_pexip_rc " PXR_VERSION ": working set of %" APR_UINT64_T_FMT
                 " MiB for %u meetings and %u participants %s, %u of them open or live",
                 memory->bytes >> 20, sizes.meetings, sizes.participants, what,
                 health.meetings.used);
}

bool pxr_memory_open(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    for (int i = 0; i < TRIES; i++) {
        const char *what = "taken over from a former server";
        outcome_t outcome = take_over(s, p, memory, store);
        if (outcome == NOTHING_THERE) {
            what = "created";
            outcome = create(s, p, memory, store);
        }
        if (outcome == READY) {
            tell(s, memory, store, what);
            return true;
        }
        if (outcome == REFUSED) {
            break;
        }
    }
    memory->base = NULL;
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "PXR1010: mod_pexip_rc has no working set");
    return false;
}

bool pxr_memory_reopen(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    pxr_store_sizes_t sizes;

    if (!open_store(memory, store)) {
        /* Children of the former generation go on with the old one, so it stays mapped. */
        ap_log_error(
            APLOG_MARK, level_of_replacement(), 0, s,
            "PXR1011: the working set of the former module has another layout: a new one is begun");
        unlink(path_of_memory(p));
        close(memory->fd);
        return pxr_memory_open(s, p, memory, store);
    }
    sizes = pxr_store_sizes(store);
    if (sizes.meetings != pxr_global.sizes.meetings ||
        sizes.participants != pxr_global.sizes.participants) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "PXR1012: " PXR_D_MEETINGS " and " PXR_D_PARTICIPANTS
                     " stay at %u and %u until httpd is stopped and started: this "
                     "change needs a full restart",
                     sizes.meetings, sizes.participants);
    }
    return true;
}

const char *pxr_memory_check(apr_pool_t *p)
{
    apr_uint64_t bytes = HEAD_BYTES + pxr_store_bytes(&pxr_global.sizes);
    const char *path = path_of_memory(p);
    apr_uint64_t space = 0;
    struct statvfs info;
    struct stat present;

    /* Only looked at, never opened: closing it would release the lock of the running server. */
    if (lstat(path, &present) == 0) {
        if (is_ours(&present)) {
            space = (apr_uint64_t)present.st_blocks * 512;
        } else if (geteuid() != 0) {
            return apr_psprintf(p, "cannot be had, because '%s' belongs to somebody else", path);
        }
    }
    if (statvfs(SHARED_MEMORY, &info) != 0) {
        return NULL;
    }
    space += (apr_uint64_t)info.f_bavail * info.f_frsize;
    return space >= bytes ? NULL
                          : apr_psprintf(p,
                                         "%u and " PXR_D_PARTICIPANTS " %u need %" APR_UINT64_T_FMT
                                         " MiB of shared memory but " SHARED_MEMORY
                                         " has %" APR_UINT64_T_FMT " MiB free",
                                         pxr_global.sizes.meetings, pxr_global.sizes.participants,
                                         (bytes >> 20) + 1, space >> 20);
}
