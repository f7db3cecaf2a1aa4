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
 * The memory behind the store: one POSIX shared memory object of a name that follows from httpd's
 * run-time directory. It outlives the server, so that a start after a stop or a crash finds the
 * meetings that are running. APR's named segments are not used: they do not tell who owns an
 * object, and anybody may have put one under a name that can be guessed.
 *
 *   head (one page) | store
 */

#define HEAD_BYTES 4096
/* Where Linux keeps shared memory objects. */
#define SEGMENT_FILE_SYSTEM "/dev/shm"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

typedef struct {
    char boot_id[64];
} head_t;

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
static const char *name_of_object(apr_pool_t *p)
{
    const pxr_hash_key_t key = {0, 0};
    const char *dir = ap_runtime_dir_relative(p, "pexip-rc");

    return apr_psprintf(p, "/pexip-rc-%" APR_UINT64_T_HEX_FMT,
                        (apr_uint64_t)pxr_hash(&key, dir, strlen(dir)));
}

/* Released when this process ends, and not inherited: orphaned children of a killed server do not
 * keep the next one from starting. */
static int take_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_SETLK, &lock) == 0;
}

static void fail(server_rec *s, int error, const char *what)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(error), s, "shared memory %s", what);
}

static int map(server_rec *s, pxr_memory_t *memory, apr_uint64_t bytes)
{
    void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);

    if (base == MAP_FAILED) {
        fail(s, errno, "cannot be mapped");
        return 0;
    }
    memory->base = base;
    memory->bytes = bytes;
    return 1;
}

static void unmap(pxr_memory_t *memory)
{
    if (memory->base != NULL) {
        munmap(memory->base, (size_t)memory->bytes);
    }
    memory->base = NULL;
}

/* NULL where the object may be gone on with, else why not. */
static const char *why_unfit(server_rec *s, apr_pool_t *p, pxr_memory_t *memory,
                             const struct stat *info, pxr_store_t *store)
{
    const head_t *head;
    char boot_id[sizeof(head->boot_id)];
    char why[128];
    pxr_store_sizes_t sizes;

    if (info->st_size < HEAD_BYTES || !map(s, memory, (apr_uint64_t)info->st_size)) {
        return "it is not complete";
    }
    head = memory->base;
    read_boot_id(boot_id, sizeof(boot_id));
    if (strncmp(head->boot_id, boot_id, sizeof(boot_id)) != 0) {
        return "it is from before the machine was started";
    }
    if (pxr_store_open(store, (char *)memory->base + HEAD_BYTES, memory->bytes - HEAD_BYTES) !=
        PXR_OK) {
        return "it is of another version";
    }
    sizes = pxr_store_sizes(store);
    if (sizes.meetings != pxr_global.sizes.meetings ||
        sizes.participants != pxr_global.sizes.participants) {
        return PXR_D_MEETINGS " or " PXR_D_PARTICIPANTS " has changed";
    }
    if (pxr_store_check(store, why, sizeof(why)) == PXR_BROKEN) {
        return apr_pstrcat(p, "it is damaged: ", why, NULL);
    }
    return pxr_store_resume(store, pxr_time_now()) == PXR_OK
               ? NULL
               : "a process that does not go on has locked it";
}

/* Opens what a former server left. 1: it goes on; 0: there is nothing of use any more; -1: the
 * server must not start. */
static int adopt(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    const char *name = name_of_object(p);
    const char *why;
    struct stat info;

    memory->fd = shm_open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
    if (memory->fd < 0) {
        return 0;
    }
    if (fstat(memory->fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 077) != 0) {
        why = "it belongs to somebody else";
    } else if (!take_lock(memory->fd)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "another httpd uses shared memory %s, because it has the same "
                     "DefaultRuntimeDir: give one of them another",
                     name);
        close(memory->fd);
        return -1;
    } else {
        why = why_unfit(s, p, memory, &info, store);
    }
    if (why == NULL) {
        return 1;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 "shared memory %s of a former server is replaced and its meetings are forgotten: "
                 "%s",
                 name, why);
    unmap(memory);
    close(memory->fd);
    shm_unlink(name);
    return 0;
}

static int create(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    apr_uint64_t bytes = HEAD_BYTES + pxr_store_bytes(&pxr_global.sizes);
    const char *name = name_of_object(p);
    pxr_hash_key_t key;
    int error;

    memory->fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (memory->fd < 0) {
        fail(s, errno, apr_pstrcat(p, name, " cannot be created", NULL));
        return 0;
    }
    /* Asks for every page now: later, lack of room would end in SIGBUS. */
    error = posix_fallocate(memory->fd, 0, (off_t)bytes);
    if (error != 0) {
        fail(s, error,
             apr_psprintf(p,
                          "of %" APR_UINT64_T_FMT
                          " MiB cannot be had: enlarge /dev/shm, or lower " PXR_D_MEETINGS
                          " and " PXR_D_PARTICIPANTS,
                          (bytes >> 20) + 1));
    } else if (!take_lock(memory->fd)) {
        fail(s, errno, "cannot be locked");
    } else if (map(s, memory, bytes)) {
        if (pxr_random_bytes(&key, sizeof(key)) &&
            pxr_store_format(store, (char *)memory->base + HEAD_BYTES, &pxr_global.sizes, &key) ==
                PXR_OK) {
            head_t *head = memory->base;
            read_boot_id(head->boot_id, sizeof(head->boot_id));
            return 1;
        }
        fail(s, 0, "cannot be prepared");
        unmap(memory);
    }
    close(memory->fd);
    shm_unlink(name);
    return 0;
}

static void tell(server_rec *s, const pxr_memory_t *memory, const pxr_store_t *store, int adopted)
{
    pxr_store_sizes_t sizes = pxr_store_sizes(store);
    pxr_store_health_t health;

    pxr_store_health(store, &health);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                 "mod_pexip_rc " PXR_VERSION ": working set of %" APR_UINT64_T_FMT
                 " MiB for %u meetings and %u participants %s, %u of them open or live",
                 (apr_uint64_t)memory->bytes >> 20, sizes.meetings, sizes.participants,
                 adopted ? "taken over from a former server" : "created", health.meetings.used);
}

int pxr_memory_open(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    int adopted = adopt(s, p, memory, store);

    if (adopted < 0 || (adopted == 0 && !create(s, p, memory, store))) {
        memory->base = NULL;
        return 0;
    }
    tell(s, memory, store, adopted);
    return 1;
}

int pxr_memory_reopen(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store)
{
    pxr_store_sizes_t sizes;

    if (pxr_store_open(store, (char *)memory->base + HEAD_BYTES, memory->bytes - HEAD_BYTES) !=
        PXR_OK) {
        /* Children of the former generation go on with the old one, so it stays mapped. */
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "the working set of the former module has another layout: a new one is begun, "
                     "and running meetings are forgotten");
        shm_unlink(name_of_object(p));
        close(memory->fd);
        if (!create(s, p, memory, store)) {
            memory->base = NULL;
            return 0;
        }
        tell(s, memory, store, 0);
        return 1;
    }
    sizes = pxr_store_sizes(store);
    if (sizes.meetings != pxr_global.sizes.meetings ||
        sizes.participants != pxr_global.sizes.participants) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     PXR_D_MEETINGS
                     " and " PXR_D_PARTICIPANTS
                     " stay at %u and %u until httpd is stopped and started: this change needs a "
                     "full restart",
                     sizes.meetings, sizes.participants);
    }
    return 1;
}

const char *pxr_memory_check(apr_pool_t *p)
{
    apr_uint64_t bytes = HEAD_BYTES + pxr_store_bytes(&pxr_global.sizes);
    int fd = shm_open(name_of_object(p), O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    struct statvfs info;
    apr_uint64_t space;

    if (fd >= 0 || errno == EACCES) {
        /* A server has it already. */
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    if (statvfs(SEGMENT_FILE_SYSTEM, &info) != 0) {
        return NULL;
    }
    space = (apr_uint64_t)info.f_bavail * info.f_frsize;
    return space >= bytes ? NULL
                          : apr_psprintf(p,
                                         "%u and " PXR_D_PARTICIPANTS " %u need %" APR_UINT64_T_FMT
                                         " MiB of shared memory but " SEGMENT_FILE_SYSTEM
                                         " has %" APR_UINT64_T_FMT " MiB free",
                                         pxr_global.sizes.meetings, pxr_global.sizes.participants,
                                         (bytes >> 20) + 1, space >> 20);
}
