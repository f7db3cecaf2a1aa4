#include "pxr_httpd.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

/* Survives graceful restarts, while the module itself is unloaded and loaded again: so it holds no
 * pointer into the module. */
typedef struct {
    pxr_memory_t memory;
    apr_time_t started_at;
    char state_dir[APR_PATH_MAX];
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

/* Like the sizes, the directory is settled when the server starts. */
static void compare_state_dir(server_rec *s, const retained_t *retained)
{
    const char *dir = pxr_global.state_dir != NULL ? pxr_global.state_dir : "";

    if (strcmp(dir, retained->state_dir) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     PXR_D_STATE_DIR " stays at '%s' until httpd is stopped and started: this "
                                     "change needs a full restart",
                     retained->state_dir[0] != '\0' ? retained->state_dir : "its default");
    }
}

static int start(server_rec *s, apr_pool_t *ptemp, retained_t *retained)
{
    if (pxr_global.state_dir != NULL) {
        if (!make_state_dir(s, pxr_global.state_dir)) {
            return 0;
        }
        apr_cpystrn(retained->state_dir, pxr_global.state_dir, sizeof(retained->state_dir));
    }
    retained->started_at = apr_time_now();
    return pxr_memory_open(s, ptemp, &retained->memory, &store);
}

static int go_on(server_rec *s, apr_pool_t *ptemp, retained_t *retained)
{
    compare_state_dir(s, retained);
    return pxr_memory_reopen(s, ptemp, &retained->memory, &store);
}

typedef struct {
    const char **origins;
    size_t count;
} origins_t;

/* In the helper. */
static int enter_origins(void *data)
{
    const origins_t *origins = data;
    uint32_t numbers[PXR_WORKSPACES_MAX];

    return (int)pxr_store_workspaces(&store, origins->origins, origins->count, numbers);
}

static int enter_workspaces(server_rec *s, apr_pool_t *ptemp)
{
    pxr_workspace_t **all = (pxr_workspace_t **)(void *)pxr_workspaces->elts;
    origins_t origins = {.count = (size_t)pxr_workspaces->nelts};
    pxr_status_t status;

    origins.origins = apr_palloc(ptemp, origins.count * sizeof(*origins.origins));
    for (size_t i = 0; i < origins.count; i++) {
        origins.origins[i] = all[i]->site_url;
    }
    status = pxr_run_as_user(s, enter_origins, &origins);
    for (size_t i = 0; i < origins.count && status == PXR_OK; i++) {
        status = pxr_store_workspace_number(&store, origins.origins[i], &all[i]->number);
    }
    if (status != PXR_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "the workspaces cannot be entered: %s",
                     status == PXR_FULL   ? "too many others still have meetings"
                     : status == PXR_BUSY ? "the working set is locked"
                                          : "the working set is damaged");
        return 0;
    }
    return 1;
}

/* At a reload a failure would end the whole server, Rocket.Chat's proxy included. */
static int is_reload(void)
{
    int generation = 0;

    return ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS && generation > 0;
}

int pxr_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    retained_t *retained;
    int ready;

    (void)pconf;
    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (pxr_workspaces->nelts == 0) {
        return OK;
    }
    retained = ap_retained_data_get(PXR_RETAINED_KEY);
    if (retained == NULL) {
        retained = ap_retained_data_create(PXR_RETAINED_KEY, sizeof(*retained));
    }
    ready =
        (retained->memory.base == NULL ? start(s, ptemp, retained) : go_on(s, ptemp, retained)) &&
        enter_workspaces(s, ptemp);
    started_at = retained->started_at;
    store_is_open = retained->memory.base != NULL;
    return ready || is_reload() ? OK : !OK;
}

void pxr_child_init(apr_pool_t *pchild, server_rec *s)
{
    pxr_json_init();
    if (store_is_open) {
        pxr_leader_start(pchild, s);
    }
}
