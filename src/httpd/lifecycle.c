#include "pxr_httpd.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <unistd.h>

/* Survives graceful restarts, while the module itself is unloaded and loaded again: so it holds no
 * pointer into the module. */
typedef struct {
    pxr_memory_t memory;
    apr_time_t started_at;
    char state_dir[APR_PATH_MAX];
    char driver[PXR_DRIVER_MAX + 1];
    char params[PXR_PARAMS_MAX + 1];
} retained_t;

static pxr_store_t store;
static bool store_is_open;
static pxr_time_t started_at;
static pxr_db_settings_t database;
static bool leaving;
static pid_t opener; /* the process that has read the configuration */

const pxr_store_t *pxr_store(void)
{
    return store_is_open ? &store : NULL;
}

pxr_time_t pxr_started_at(void)
{
    return started_at;
}

pxr_db_settings_t pxr_database_wanted(apr_pool_t *p)
{
    pxr_db_settings_t wanted = {.driver = pxr_global.database,
                                .params = pxr_global.database_params};

    pxr_db_complete(p, &wanted, pxr_state_dir());
    return wanted;
}

const pxr_db_settings_t *pxr_database(void)
{
    return &database;
}

/* Like the sizes, these are settled when the server starts. */
static void compare_settings(server_rec *s, apr_pool_t *p, const retained_t *retained)
{
    pxr_db_settings_t wanted = pxr_database_wanted(p);

    if (strcmp(pxr_state_dir(), retained->state_dir) != 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "PXR1015: " PXR_D_STATE_DIR
                     " stays at '%s' until httpd is stopped and started: this "
                     "change needs a full restart",
                     retained->state_dir);
    } else if (strcmp(wanted.driver, retained->driver) != 0 ||
               strcmp(wanted.params, retained->params) != 0) {
        /* What the parameters are may be a secret. */
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "PXR1016: " PXR_D_DATABASE
                     " stays what it was (%s) until httpd is stopped and started: "
                     "this change needs a full restart",
                     retained->driver);
    }
}

/* Whether and how changes are kept. At a reload children of the former generation may still be at
 * work on a memory of their own: then the two are like two machines. */
static void set_keep(server_rec *s, bool reload)
{
    if (strcmp(database.driver, PXR_DB_NONE) == 0) {
        pxr_store_keep(&store, PXR_KEEP_NOTHING);
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "PXR1017: " PXR_D_DATABASE
                     " none: meetings outlive restarts of httpd, but not of the "
                     "machine; there is no history, and nothing is posted to "
                     "Rocket.Chat");
        return;
    }
    pxr_store_keep(&store,
                   reload || pxr_db_is_shared(&database) ? PXR_KEEP_SHARED : PXR_KEEP_ALONE);
}

static void settle_settings(apr_pool_t *p, retained_t *retained)
{
    pxr_db_settings_t wanted = pxr_database_wanted(p);

    /* Their lengths were checked with the configuration. */
    apr_cpystrn(retained->state_dir, pxr_state_dir(), sizeof(retained->state_dir));
    apr_cpystrn(retained->driver, wanted.driver, sizeof(retained->driver));
    apr_cpystrn(retained->params, wanted.params, sizeof(retained->params));
    retained->started_at = apr_time_now();
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

static bool enter_workspaces(server_rec *s, apr_pool_t *ptemp)
{
    origins_t origins = {.count = (size_t)pxr_workspaces->nelts};
    pxr_status_t status;

    origins.origins = apr_palloc(ptemp, origins.count * sizeof(*origins.origins));
    for (size_t i = 0; i < origins.count; i++) {
        origins.origins[i] = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *)->site_url;
    }
    status = pxr_run_as_user(s, enter_origins, &origins);
    for (size_t i = 0; i < origins.count && status == PXR_OK; i++) {
        pxr_workspace_t *w = APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *);
        status = pxr_store_workspace_number(&store, w->site_url, &w->number);
    }
    if (status != PXR_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "PXR1018: the workspaces cannot be entered: %s",
                     status == PXR_FULL   ? "too many others still have meetings"
                     : status == PXR_BUSY ? "the working set is locked"
                                          : "the working set is damaged");
    }
    return status == PXR_OK;
}

/* The check of the configuration has prepared the driver that is wanted now, which need not be the
 * one that goes on. */
static void prepare_driver(server_rec *s, apr_pool_t *pconf)
{
    const char *why =
        strcmp(database.driver, PXR_DB_NONE) != 0 ? pxr_db_check(pconf, &database) : NULL;

    if (why != NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "PXR1063: " PXR_D_DATABASE ": %s", why);
    }
}

static bool make_ready(server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp, retained_t *retained)
{
    bool first = retained->memory.base == NULL;
    void *before = retained->memory.base;

    if (first) {
        settle_settings(ptemp, retained);
    } else {
        compare_settings(s, ptemp, retained);
    }
    database.driver = retained->driver;
    database.params = retained->params;
    prepare_driver(s, pconf);
    if (first && pxr_state_dir_is_needed(&database) &&
        !pxr_state_dir_make(s, retained->state_dir)) {
        return false;
    }
    if (!(first ? pxr_memory_open(s, ptemp, &retained->memory, &store)
                : pxr_memory_reopen(s, ptemp, &retained->memory, &store)) ||
        !enter_workspaces(s, ptemp)) {
        return false;
    }
    store_is_open = true;
    if (retained->memory.base == before) {
        return true;
    }
    set_keep(s, pxr_is_reload());
    if (pxr_store_kept(&store) != PXR_KEEP_NOTHING) {
        pxr_keeper_fill_at_start(s);
    }
    return true;
}

/* At a reload a failure would end the whole server, Rocket.Chat's proxy included. */
bool pxr_is_reload(void)
{
    int generation = 0;

    return ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS && generation > 0;
}

int pxr_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    retained_t *retained;
    bool ready;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (pxr_workspaces->nelts == 0) {
        return OK;
    }
    if (!pxr_event_log_open(s, pconf) && !pxr_is_reload()) {
        return !OK;
    }
    opener = getpid();
    retained = ap_retained_data_get(PXR_RETAINED_KEY);
    if (retained == NULL) {
        retained = ap_retained_data_create(PXR_RETAINED_KEY, sizeof(*retained));
    }
    ready = make_ready(s, pconf, ptemp, retained);
    started_at = retained->started_at;
    store_is_open = retained->memory.base != NULL;
    return ready || pxr_is_reload() ? OK : !OK;
}

/* With the descriptor a child that somebody has taken over could cut the memory under its parent,
 * which may be root. Where one process is all there is, its lock stays. */
static void drop_descriptor(void)
{
    const retained_t *retained = ap_retained_data_get(PXR_RETAINED_KEY);

    if (retained != NULL && retained->memory.base != NULL && getpid() != opener) {
        close(retained->memory.fd);
    }
}

void pxr_child_init(apr_pool_t *pchild, server_rec *s)
{
    drop_descriptor();
    pxr_json_init();
    pxr_event_log_child_init();
    pxr_outside_child_init();
    if (store_is_open) {
        pxr_history_start(pchild);
        pxr_leader_start(pchild, s);
    }
}

bool pxr_is_leaving(void)
{
    return __atomic_load_n(&leaving, __ATOMIC_RELAXED);
}

void pxr_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    pxr_leader_yield();
    pxr_history_stopping(graceful);
    if (!graceful && store_is_open) {
        /* Who waits, for the database or for others, would hold up the stop of the whole server. */
        __atomic_store_n(&leaving, true, __ATOMIC_RELAXED);
        pxr_store_stop_waiting(&store);
        pxr_rest_child_exit();
    }
}
