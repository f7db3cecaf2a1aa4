#include "check.h"

#include <apr_strings.h>
#include <errno.h>
#include <http_config.h>
#include <http_main.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <unixd.h>

/* Warnings of configtest about what stands beside the configuration: files, directories and
 * modules. */

/* By the mode alone: a group that has a right may be one of the user's. */
static bool is_closed(const struct stat *info, bool to_write)
{
    mode_t rights = to_write ? S_IWGRP | S_IWOTH : S_IRGRP | S_IROTH;

    return geteuid() == 0 && info->st_uid != ap_unixd_config.user_id &&
           (info->st_mode & rights) == 0;
}

const char *pxr_check_why_closed(apr_pool_t *p, const char *path, bool to_write)
{
    struct stat info;
    char reason[120];

    if (stat(path, &info) != 0) {
        return apr_psprintf(p, "cannot be used by %s, the user httpd runs as: %s",
                            ap_unixd_config.user_name, apr_strerror(errno, reason, sizeof(reason)));
    }
    return is_closed(&info, to_write)
               ? apr_psprintf(p, "cannot be %s by %s, the user httpd runs as",
                              to_write ? "written to" : "read", ap_unixd_config.user_name)
               : NULL;
}

static void judge_files(apr_pool_t *p, const server_rec *main, const pxr_workspace_t *w)
{
    const struct {
        pxr_setting_t setting;
        const char *path;
    } files[] = {{PXR_SET_CREDENTIALS, w->credentials_file},
                 {PXR_SET_REST_CREDENTIALS, w->rest_credentials_file},
                 {PXR_SET_WEBHOOK_TOKEN, w->webhook_token_file},
                 {PXR_SET_CALLBACK, w->callback_secret_file},
                 {PXR_SET_PINS, w->pins_file}};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (size_t k = 0; k < i; k++) {
            if (files[i].path != NULL && files[k].path != NULL &&
                strcmp(files[i].path, files[k].path) == 0) {
                pxr_check_warn(
                    p, main, pxr_setting_name(files[i].setting),
                    apr_psprintf(p,
                                 "'%s' is the file of %s as well: what proves one thing must not "
                                 "prove another, make a file for each",
                                 files[i].path, pxr_setting_name(files[k].setting)),
                    w->place[files[i].setting]);
            }
        }
    }
}

static bool has_blank_ends(const char *text)
{
    return text != NULL && text[0] != '\0' && (text[0] == ' ' || text[strlen(text) - 1] == ' ');
}

/* An editor leaves them, and nobody sees them. */
static void judge_blanks(apr_pool_t *p, const server_rec *main, const pxr_workspace_t *w)
{
    const struct {
        pxr_setting_t setting;
        const char *path;
        const char *values[2];
    } files[] = {
        {PXR_SET_CREDENTIALS, w->credentials_file, {w->user, w->secret}},
        {PXR_SET_REST_CREDENTIALS, w->rest_credentials_file, {w->rest_user, w->rest_token}},
        {PXR_SET_WEBHOOK_TOKEN, w->webhook_token_file, {w->webhook_token, NULL}},
        {PXR_SET_CALLBACK, w->callback_secret_file, {w->callback_secret, NULL}}};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (has_blank_ends(files[i].values[0]) || has_blank_ends(files[i].values[1])) {
            pxr_check_warn(p, main, pxr_setting_name(files[i].setting),
                           apr_psprintf(p,
                                        "'%s' has a line with a blank at its begin or end, which "
                                        "counts: remove it unless it is meant",
                                        files[i].path),
                           w->place[files[i].setting]);
        }
    }
}

/* Of SQLite: it writes other files beside the one that is named. */
static void judge_database(apr_pool_t *p, const server_rec *main)
{
    pxr_db_settings_t settings = pxr_database_wanted(p);
    const char *dir;
    const char *why;

    if (strcmp(settings.driver, "sqlite3") != 0) {
        return;
    }
    dir = ap_make_dirstr_parent(p, settings.params);
    if (strcmp(dir, apr_pstrcat(p, pxr_state_dir(), "/", NULL)) == 0) {
        return; /* made when httpd starts */
    }
    why = pxr_check_why_closed(p, dir, true);
    if (why != NULL) {
        pxr_check_warn(p, main, PXR_D_DATABASE,
                       apr_psprintf(p,
                                    "the directory of '%s' %s: make it, and chown it to that "
                                    "user",
                                    settings.params, why),
                       NULL);
    }
}

#define TMPFS 0x01021994

static bool goes_with_a_stop(const char *dir)
{
    struct statfs info;

    return strncmp(dir, "/tmp/", 5) == 0 || strncmp(dir, "/var/tmp/", 9) == 0 ||
           strncmp(dir, "/run/", 5) == 0 || strncmp(dir, "/var/run/", 9) == 0 ||
           (statfs(dir, &info) == 0 && info.f_type == TMPFS);
}

static void judge_state(apr_pool_t *p, const server_rec *main)
{
    pxr_db_settings_t settings = pxr_database_wanted(p);
    const char *dir = pxr_state_dir();
    struct stat info;

    if (!pxr_state_dir_is_needed(&settings)) {
        return;
    }
    if (goes_with_a_stop(dir)) {
        pxr_check_warn(
            p, main, PXR_D_STATE_DIR,
            apr_psprintf(p,
                         "'%s' does not outlive a restart of the machine, or of httpd where "
                         "systemd gives it a /tmp of its own: choose one such as "
                         "/var/lib/pexip-rc",
                         dir),
            NULL);
    }
    if (geteuid() == 0 && stat(dir, &info) == 0 && info.st_uid != ap_unixd_config.user_id) {
        pxr_check_warn(p, main, PXR_D_STATE_DIR,
                       apr_psprintf(p,
                                    "'%s' does not belong to %s, the user httpd runs as: chown it",
                                    dir, ap_unixd_config.user_name),
                       NULL);
    }
}

void pxr_check_machine(apr_pool_t *p, const server_rec *main)
{
    const pxr_workspace_t *first = APR_ARRAY_IDX(pxr_workspaces, 0, pxr_workspace_t *);

    if (ap_find_linked_module("mod_reqtimeout.c") == NULL) {
        pxr_check_warn(p, main, PXR_D_SITE_URL,
                       "without mod_reqtimeout anybody can hold workers by requests of which the "
                       "rest never comes: load it, on Debian by a2enmod reqtimeout",
                       first->place[PXR_SET_SITE_URL]);
    }
    for (int i = 0; i < pxr_workspaces->nelts; i++) {
        judge_files(p, main, APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *));
        judge_blanks(p, main, APR_ARRAY_IDX(pxr_workspaces, i, pxr_workspace_t *));
    }
    judge_database(p, main);
    judge_state(p, main);
}
