#include "pxr_httpd.h"

#include <ap_mpm.h>
#include <apr_file_io.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <unixd.h>

#include "pxr_random.h"

/* Under which the working set is kept between restarts. */
#define RETAINED_KEY "mod_pexip_rc"
#define SEGMENT_NAME "pexip_rc.shm"
/* Where APR puts named segments on Linux. */
#define SEGMENT_FILE_SYSTEM "/dev/shm"

/* Survives graceful restarts, while the module itself is unloaded and loaded again: so it holds no
 * pointer into the module. */
typedef struct {
    apr_shm_t *shm;
    void *memory;
    apr_uint64_t bytes;
    pid_t creator;
    apr_time_t started_at;
} retained_t;

static pxr_store_t store;
static bool store_is_open;
static pxr_time_t started_at;

const pxr_store_t *pxr_store(void)
{
    return store_is_open ? &store : NULL;
}

pxr_time_t pxr_started_at(void)
{
    return started_at;
}

static const char *segment_path(apr_pool_t *p)
{
    return ap_runtime_dir_relative(p, SEGMENT_NAME);
}

/* Pages beyond the file system's size would end in SIGBUS, so it is asked first. */
static int has_space(server_rec *s, apr_uint64_t bytes)
{
    struct statvfs info;

    if (statvfs(SEGMENT_FILE_SYSTEM, &info) != 0) {
        return 1;
    }
    if ((apr_uint64_t)info.f_bavail * info.f_frsize < bytes) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "shared memory needs %" APR_UINT64_T_FMT " MiB but " SEGMENT_FILE_SYSTEM
                     " has %" APR_UINT64_T_FMT " MiB free: enlarge it, or lower " PXR_D_MEETINGS
                     " and " PXR_D_PARTICIPANTS,
                     (bytes >> 20) + 1, ((apr_uint64_t)info.f_bavail * info.f_frsize) >> 20);
        return 0;
    }
    return 1;
}

static int create_segment(server_rec *s, apr_pool_t *ptemp, retained_t *retained)
{
    /* 64 bytes more, to align it: APR's own header comes first. */
    apr_uint64_t bytes = pxr_store_bytes(&pxr_global.sizes) + 64;
    const char *path = segment_path(ptemp);
    apr_pool_t *pool;
    apr_status_t rv;
    mode_t mask;

    if (!has_space(s, bytes)) {
        return 0;
    }
    /* Not in a pool of httpd: their cleanups run in every child that exits, and would remove the
     * segment's name. */
    rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (rv == APR_SUCCESS) {
        mask = umask(077);
        apr_shm_remove(path, pool); /* of a server that was killed */
        rv = apr_shm_create(&retained->shm, (apr_size_t)bytes, path, pool);
        umask(mask);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "shared memory of %" APR_UINT64_T_FMT " MiB cannot be created as '%s'",
                     (bytes >> 20) + 1, path);
        retained->shm = NULL;
        return 0;
    }
    retained->memory =
        (void *)(((apr_uintptr_t)apr_shm_baseaddr_get(retained->shm) + 63) & ~(apr_uintptr_t)63);
    retained->bytes = bytes - 64;
    retained->creator = getpid();
    retained->started_at = apr_time_now();
    return 1;
}

static int format_segment(server_rec *s, retained_t *retained)
{
    pxr_hash_key_t key;

    if (!pxr_random_bytes(&key, sizeof(key)) ||
        pxr_store_format(&store, retained->memory, &pxr_global.sizes, &key) != PXR_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "shared memory cannot be prepared");
        return 0;
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                 "mod_pexip_rc " PXR_VERSION ": working set of %" APR_UINT64_T_FMT
                 " MiB created for %u meetings and %u participants; meetings are kept in memory "
                 "only",
                 retained->bytes >> 20, pxr_global.sizes.meetings, pxr_global.sizes.participants);
    return 1;
}

static int open_segment(server_rec *s, apr_pool_t *ptemp, retained_t *retained)
{
    pxr_store_sizes_t sizes;

    if (retained->shm != NULL) {
        if (pxr_store_open(&store, retained->memory, retained->bytes) == PXR_OK) {
            sizes = pxr_store_sizes(&store);
            if (sizes.meetings != pxr_global.sizes.meetings ||
                sizes.participants != pxr_global.sizes.participants) {
                ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                             PXR_D_MEETINGS " and " PXR_D_PARTICIPANTS
                                            " stay at %u and %u until httpd is stopped and started",
                             sizes.meetings, sizes.participants);
            }
            return 1;
        }
        /* Children of the former generation still use it, so it is left to them. */
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "the working set of the former module has another layout: a new one is begun, "
                     "and running meetings are forgotten");
    }
    return create_segment(s, ptemp, retained) && format_segment(s, retained);
}

/* Removes the segment's name when the server stops. Runs before the module is unloaded, also in
 * exiting children and at restarts, where it must do nothing. */
static apr_status_t remove_segment(void *data)
{
    retained_t *retained = data;

    if (getpid() == retained->creator && ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING &&
        retained->shm != NULL) {
        apr_shm_destroy(retained->shm);
        retained->shm = NULL;
    }
    return APR_SUCCESS;
}

/* Made for the run user, who is the only one to use it. */
static int make_state_dir(server_rec *s, const char *path)
{
    struct stat info;
    const char *why = NULL;

    if (mkdir(path, 0700) == 0) {
        if (geteuid() == 0 &&
            lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) != 0) {
            why = "cannot be given to the run user";
        }
    } else if (errno != EEXIST) {
        why = "cannot be made";
    } else if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        errno = 0;
        why = "is no directory";
    }
    if (why != NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, APR_FROM_OS_ERROR(errno), s,
                     PXR_D_STATE_DIR ": '%s' %s", path, why);
    }
    return why == NULL;
}

int pxr_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    retained_t *retained;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (pxr_workspaces->nelts == 0) {
        return OK;
    }
    retained = ap_retained_data_get(RETAINED_KEY);
    if (retained == NULL) {
        retained = ap_retained_data_create(RETAINED_KEY, sizeof(*retained));
    }
    /* Like the sizes, the directory is settled when the server starts. */
    if ((retained->shm == NULL && pxr_global.state_dir != NULL &&
         !make_state_dir(s, pxr_global.state_dir)) ||
        !open_segment(s, ptemp, retained)) {
        return !OK;
    }
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        pxr_workspace_t *w = ((pxr_workspace_t **)(void *)pxr_workspaces->elts)[i];
        if (pxr_store_workspace(&store, w->site_url, &w->number) != PXR_OK) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                         "the workspace %s cannot be entered: %d different ones since the server "
                         "was started are too many",
                         w->site_url, PXR_WORKSPACES_MAX);
            return !OK;
        }
    }
    started_at = retained->started_at;
    store_is_open = true;
    apr_pool_cleanup_register(pconf, retained, remove_segment, apr_pool_cleanup_null);
    return OK;
}

void pxr_child_init(apr_pool_t *pchild, server_rec *s)
{
    pxr_json_init();
    if (store_is_open) {
        pxr_leader_start(pchild, s);
    }
}
