#include "check.h"

#include <apr_strings.h>
#include <unistd.h>
#include <unixd.h>

apr_array_header_t *pxr_workspaces;

/* A workspace while its virtual hosts are put together. */
typedef struct {
    pxr_server_conf_t settings;
    pxr_workspace_t workspace;
    int failed;
} draft_t;

typedef struct {
    apr_pool_t *pool;
    server_rec *server;
    apr_array_header_t *drafts; /* draft_t * */
    draft_t *draft;             /* the one that is looked at, NULL: none */
    int failed;
} check_t;

static void fail(check_t *c, const char *directive, const char *why, const char *place)
{
    ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, c->server, "PXR1001: %s: %s (%s)",
                 directive, why, place != NULL ? place : pxr_directive_place(c->pool, directive));
    c->failed = 1;
    if (c->draft != NULL) {
        c->draft->failed = 1;
    }
}

int pxr_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    memset(&pxr_global, 0, sizeof(pxr_global));
    pxr_global.sizes.meetings = PXR_MEETINGS_DEFAULT;
    pxr_global.sizes.participants = PXR_PARTICIPANTS_DEFAULT;
    pxr_workspaces = apr_array_make(pconf, 2, sizeof(pxr_workspace_t *));
    return OK;
}

/* The setting that is there although the section cannot be a workspace, PXR_SETTINGS for an
 * option, -1 where nothing is set. */
static int first_set(const pxr_server_conf_t *conf)
{
    for (int i = 0; i < PXR_SETTINGS; i++) {
        if (conf->text[i] != NULL) {
            return i;
        }
    }
    return conf->options != NULL ? PXR_SETTINGS : -1;
}

static int is_complete(const pxr_server_conf_t *conf)
{
    return conf->text[PXR_SET_BASE_URL] != NULL && conf->text[PXR_SET_SITE_URL] != NULL;
}

/* Settings of the main server may be there for its virtual hosts only. */
static int serves_virtual_hosts(const server_rec *s)
{
    for (const server_rec *v = s->next; v != NULL; v = v->next) {
        if (is_complete(ap_get_module_config(v->module_config, &pexip_rc_module))) {
            return !s->is_virtual;
        }
    }
    return 0;
}

static void require_both(check_t *c, const pxr_server_conf_t *conf)
{
    int set = first_set(conf);
    const char *name = set < PXR_SETTINGS ? pxr_setting_name((pxr_setting_t)set) : PXR_D_OPTION;
    const char *place = set < PXR_SETTINGS ? conf->place[set] : conf->options_place;
    const char *why = apr_psprintf(c->pool, "is required where %s is set", name);

    if (conf->text[PXR_SET_BASE_URL] == NULL) {
        fail(c, PXR_D_BASE_URL, why, place);
    }
    if (conf->text[PXR_SET_SITE_URL] == NULL) {
        fail(c, PXR_D_SITE_URL, why, place);
    }
}

static void contradict(check_t *c, const char *name, const char *site, const char *a,
                       const char *a_place, const char *b, const char *b_place)
{
    fail(c, name,
         apr_psprintf(c->pool,
                      "'%s' contradicts '%s' (%s) for the same workspace %s, must be the "
                      "same in all its virtual hosts",
                      b, a, a_place, site),
         b_place);
}

static const pxr_option_t *options_of(const pxr_server_conf_t *conf)
{
    return conf->options != NULL ? (const pxr_option_t *)(const void *)conf->options->elts : NULL;
}

static int option_count(const pxr_server_conf_t *conf)
{
    return conf->options != NULL ? conf->options->nelts : 0;
}

static void unite_options(check_t *c, draft_t *draft, const pxr_server_conf_t *conf)
{
    for (int i = 0; i < option_count(conf); i++) {
        const pxr_option_t *option = &options_of(conf)[i];
        int known = 0;
        for (int j = 0; j < option_count(&draft->settings); j++) {
            const pxr_option_t *other = &options_of(&draft->settings)[j];
            if (strcmp(other->name, option->name) != 0) {
                continue;
            }
            known = 1;
            if (strcmp(other->value, option->value) != 0) {
                contradict(c, PXR_D_OPTION, draft->settings.text[PXR_SET_SITE_URL],
                           apr_pstrcat(c->pool, other->name, " ", other->value, NULL),
                           draft->settings.options_place,
                           apr_pstrcat(c->pool, option->name, " ", option->value, NULL),
                           conf->options_place);
            }
        }
        if (!known) {
            if (draft->settings.options == NULL) {
                draft->settings.options = apr_array_make(c->pool, 4, sizeof(pxr_option_t));
            }
            *(pxr_option_t *)apr_array_push(draft->settings.options) = *option;
            draft->settings.options_place = conf->options_place;
        }
    }
}

/* Texts from a browser or a word processor have quotation marks that httpd takes for letters. A
 * name for people may have them. */
static void check_quotes(check_t *c, const pxr_server_conf_t *conf)
{
    for (int i = 0; i < PXR_SETTINGS; i++) {
        const char *text = i != PXR_SET_DISCUSSION && conf->text[i] != NULL ? conf->text[i] : "";
        if (strncmp(text, "\xE2\x80\x9C", 3) == 0 || strncmp(text, "\xE2\x80\x9E", 3) == 0) {
            fail(c, pxr_setting_name((pxr_setting_t)i),
                 apr_psprintf(c->pool,
                              "'%s' begins with a quotation mark that is a letter for httpd, use "
                              "the one of ASCII",
                              text),
                 conf->place[i]);
        }
    }
}

/* What one virtual host leaves unsaid another may say. */
static void unite(check_t *c, draft_t *draft, const pxr_server_conf_t *conf)
{
    for (int i = 0; i < PXR_SETTINGS; i++) {
        if (conf->text[i] == NULL || i == PXR_SET_SITE_URL) {
            continue;
        }
        if (draft->settings.text[i] == NULL) {
            draft->settings.text[i] = conf->text[i];
            draft->settings.place[i] = conf->place[i];
        } else if (strcmp(draft->settings.text[i], conf->text[i]) != 0) {
            contradict(c, pxr_setting_name((pxr_setting_t)i),
                       draft->settings.text[PXR_SET_SITE_URL], draft->settings.text[i],
                       draft->settings.place[i], conf->text[i], conf->place[i]);
        }
    }
    unite_options(c, draft, conf);
}

static draft_t *draft_for(check_t *c, const pxr_server_conf_t *conf)
{
    pxr_workspace_t probe;
    draft_t *draft;

    pxr_workspace_defaults(&probe);
    pxr_setting_read(c->pool, PXR_SET_SITE_URL, conf->text[PXR_SET_SITE_URL], &probe);
    for (int i = 0; i < c->drafts->nelts; i++) {
        draft = ((draft_t **)(void *)c->drafts->elts)[i];
        if (strcmp(draft->workspace.site_url, probe.site_url) == 0) {
            return draft;
        }
    }
    draft = apr_pcalloc(c->pool, sizeof(*draft));
    draft->workspace = probe;
    draft->settings.text[PXR_SET_SITE_URL] = conf->text[PXR_SET_SITE_URL];
    draft->settings.place[PXR_SET_SITE_URL] = conf->place[PXR_SET_SITE_URL];
    APR_ARRAY_PUSH(c->drafts, draft_t *) = draft;
    return draft;
}

static void warn_open(check_t *c, const char *directive, const char *path)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, c->server,
                 "PXR1002: %s: '%s' can be read or changed by others, chmod 600 it", directive,
                 path);
}

/* Tells what is wrong with a file of secrets; false where it cannot be used. */
static bool is_accepted(check_t *c, const draft_t *draft, pxr_setting_t setting, const char *path,
                        const char *why, int too_open)
{
    if (why != NULL) {
        fail(c, pxr_setting_name(setting), apr_psprintf(c->pool, "'%s' %s", path, why),
             draft->settings.place[setting]);
    } else if (too_open) {
        warn_open(c, pxr_setting_name(setting), path);
    }
    return why == NULL;
}

static const char *why_marked(const char *line)
{
    return strncmp(line, "\xEF\xBB\xBF", 3) == 0
               ? "begins with a byte order mark, which belongs to no user and no secret: write it "
                 "without one"
               : NULL;
}

/* Reads user and secret of somebody, or what else stands on two lines. */
static void read_pair(check_t *c, draft_t *draft, pxr_setting_t setting, const char *path,
                      const char **user, const char **secret)
{
    const char *lines[2];
    int too_open = 0;
    const char *why = pxr_read_lines(c->pool, path, lines, 2, &too_open);

    if (why == NULL) {
        why = why_marked(lines[0]);
    }
    if (why == NULL && (strchr(lines[0], ':') != NULL || strlen(lines[0]) > PXR_USER_MAX ||
                        strlen(lines[1]) > PXR_SECRET_MAX)) {
        why = "must name a user of at most 100 bytes without ':' and a secret of at most 511 bytes";
    }
    if (is_accepted(c, draft, setting, path, why, too_open)) {
        *user = lines[0];
        *secret = lines[1];
    }
}

static void warn_short(check_t *c, const char *directive, const char *path, const char *secret)
{
    if (strlen(secret) < 16) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, c->server,
            "PXR1003: %s: the secret in '%s' is shorter than 16 characters and can be guessed",
            directive, path);
    }
}

static void read_credentials(check_t *c, draft_t *draft)
{
    pxr_workspace_t *w = &draft->workspace;

    read_pair(c, draft, PXR_SET_CREDENTIALS, w->credentials_file, &w->user, &w->secret);
    if (w->secret != NULL) {
        warn_short(c, PXR_D_CREDENTIALS, w->credentials_file, w->secret);
    }
}

/* A token or secret that stands alone on its line. */
static void read_secret(check_t *c, draft_t *draft, pxr_setting_t setting, const char *path,
                        const char **secret)
{
    int too_open = 0;
    const char *line = NULL;
    const char *why = pxr_read_lines(c->pool, path, &line, 1, &too_open);

    if (why == NULL) {
        why = why_marked(line);
    }
    if (why == NULL && strlen(line) > PXR_SECRET_MAX) {
        why = "must have at most 511 bytes";
    }
    if (is_accepted(c, draft, setting, path, why, too_open)) {
        *secret = line;
        warn_short(c, pxr_setting_name(setting), path, line);
    }
}

static void read_fallbacks(check_t *c, draft_t *draft)
{
    pxr_workspace_t *w = &draft->workspace;
    pxr_fallback_t *all = apr_pmemdup(c->pool, w->fallbacks, w->fallback_count * sizeof(*all));

    for (size_t i = 0; i < w->fallback_count; i++) {
        if (all[i].credentials_file != NULL) {
            read_pair(c, draft, PXR_SET_FALLBACK, all[i].credentials_file, &all[i].user,
                      &all[i].secret);
        }
    }
    w->fallbacks = all;
}

/* What concerns Rocket.Chat. */
static void finish_chat(check_t *c, draft_t *draft)
{
    pxr_workspace_t *w = &draft->workspace;

    if (w->rest_url == NULL) {
        w->rest_url = w->site_url;
    }
    if (w->rest_credentials_file != NULL) {
        read_pair(c, draft, PXR_SET_REST_CREDENTIALS, w->rest_credentials_file, &w->rest_user,
                  &w->rest_token);
    }
    if (w->webhook_token_file != NULL) {
        read_secret(c, draft, PXR_SET_WEBHOOK_TOKEN, w->webhook_token_file, &w->webhook_token);
    }
    if (w->callback_secret_file != NULL) {
        read_secret(c, draft, PXR_SET_CALLBACK, w->callback_secret_file, &w->callback_secret);
    }
    if (w->fallback_count > 0) {
        read_fallbacks(c, draft);
    }
    if (w->room_alias && w->concurrent_calls) {
        fail(c, PXR_D_ROOM_ALIAS,
             "'On' needs " PXR_D_CONCURRENT " Off, because a name can lead to one meeting only",
             draft->settings.place[PXR_SET_ROOM_ALIAS]);
    }
    if (w->persistent_chat && w->rest_credentials_file == NULL) {
        ap_log_error(
            APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, c->server,
            "PXR1004: %s: without %s no chat can be made, only one that the creator of a meeting "
            "names is shown beside the call",
            PXR_D_CHAT, PXR_D_REST_CREDENTIALS);
    }
    if (w->scheduled_room != NULL && w->rest_credentials_file == NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING | APLOG_STARTUP, 0, c->server,
                     "PXR1005: %s: without %s no chat can be made below '%s'", PXR_D_SCHEDULED,
                     PXR_D_REST_CREDENTIALS, w->scheduled_room);
    }
}

static const char *take_pin(const char *line, char *out, pxr_buf_t *why)
{
    if (strcmp(line, "-") == 0) {
        return NULL;
    }
    if (pxr_pin_check(line, why) != PXR_OK) {
        return why->data;
    }
    memcpy(out, line, strlen(line) + 1);
    return NULL;
}

static void read_pins(check_t *c, draft_t *draft)
{
    pxr_workspace_t *w = &draft->workspace;
    const char *lines[2];
    int too_open = 0;
    char sentence[128];
    pxr_buf_t buf;
    const char *why = pxr_read_lines(c->pool, w->pins_file, lines, 2, &too_open);

    pxr_buf_init(&buf, sentence, sizeof(sentence));
    if (why == NULL) {
        why = take_pin(lines[0], w->host_pin, &buf);
    }
    if (why == NULL) {
        why = take_pin(lines[1], w->guest_pin, &buf);
    }
    if (why == NULL && w->host_pin[0] != '\0' && w->guest_pin[0] != '\0' &&
        pxr_pins_check(w->host_pin, w->guest_pin, &buf) != PXR_OK) {
        why = sentence;
    }
    if (why != NULL) {
        fail(c, PXR_D_PINS, apr_psprintf(c->pool, "'%s' cannot be used: %s", w->pins_file, why),
             draft->settings.place[PXR_SET_PINS]);
        return;
    }
    if (too_open) {
        warn_open(c, PXR_D_PINS, w->pins_file);
    }
}

/* What follows from the settings together. */
static void finish(check_t *c, draft_t *draft)
{
    pxr_workspace_t *w = &draft->workspace;
    const char *tag;
    char sentence[256];
    pxr_buf_t why;

    memcpy(w->place, draft->settings.place, sizeof(w->place));
    for (int i = 0; i < PXR_SETTINGS; i++) {
        if (draft->settings.text[i] != NULL) {
            pxr_setting_read(c->pool, (pxr_setting_t)i, draft->settings.text[i], w);
        }
    }
    if (w->join_url == NULL) {
        w->join_url = apr_pstrcat(c->pool, w->site_url, "/pexip", NULL);
    }
    w->join_prefix = apr_pstrcat(c->pool, w->join_url, "/join/", NULL);
    if (w->meeting_path == NULL) {
        w->meeting_path = apr_pstrcat(c->pool, "/", w->branding != NULL ? w->branding : "webapp",
                                      "/conference?conference={alias}", NULL);
    }
    w->answer.options = options_of(&draft->settings);
    w->answer.option_count = (size_t)option_count(&draft->settings);
    tag = pxr_option_value(&w->answer, "service_tag");
    if (tag != NULL) {
        w->answer.service_tag = tag;
    }
    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (pxr_answer_check(&w->answer, &why) != PXR_OK) {
        fail(c, PXR_D_OPTION, sentence, draft->settings.options_place);
    }
    if (w->credentials_file != NULL) {
        read_credentials(c, draft);
    }
    if (w->pins == PXR_PINS_FILE) {
        read_pins(c, draft);
    }
    finish_chat(c, draft);
}

/* A failure would end a running httpd, the proxy of Rocket.Chat included: so what is wrong is left
 * out there, and the others go on. */
static void leave_out(check_t *c, server_rec *s)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                 "PXR1059: the configuration is read again with mistakes, see above: what they "
                 "concern is left out until they are corrected and httpd is reloaded");
    for (server_rec *v = s; v != NULL; v = v->next) {
        pxr_server_conf_t *conf = ap_get_module_config(v->module_config, &pexip_rc_module);
        for (int i = 0; i < c->drafts->nelts; i++) {
            draft_t *draft = APR_ARRAY_IDX(c->drafts, i, draft_t *);
            if (draft->failed && conf->workspace == &draft->workspace) {
                conf->workspace = NULL;
            }
        }
    }
}

static void finish_all(check_t *c)
{
    for (int i = 0; i < c->drafts->nelts; i++) {
        c->draft = APR_ARRAY_IDX(c->drafts, i, draft_t *);
        if (i >= PXR_WORKSPACES_MAX) {
            fail(c, PXR_D_SITE_URL,
                 apr_psprintf(c->pool, "'%s' is one workspace too many, at most %d are possible",
                              c->draft->workspace.site_url, PXR_WORKSPACES_MAX),
                 c->draft->settings.place[PXR_SET_SITE_URL]);
        }
        if (!c->draft->failed) {
            finish(c, c->draft);
        }
        if (!c->draft->failed) {
            APR_ARRAY_PUSH(pxr_workspaces, pxr_workspace_t *) = &c->draft->workspace;
        }
    }
    c->draft = NULL;
}

/* Whoever else can write there can put another database into place. A running server goes on with
 * what it has. */
static const char *why_shared(const apr_finfo_t *info)
{
    if (pxr_is_reload()) {
        return NULL;
    }
    if (info->user != ap_unixd_config.user_id && info->user != geteuid() && info->user != 0) {
        return "belongs to neither httpd's run user nor root";
    }
    /* One like /tmp. Any other is closed to others at the start. */
    return (info->protection & APR_FPROT_WSTICKY) != 0 ? "is a directory for everybody" : NULL;
}

static void check_state_dir(check_t *c, const char *dir)
{
    const char *parent = ap_make_dirstr_parent(c->pool, dir);
    const char *why = NULL;
    apr_finfo_t info;

    if (apr_stat(&info, dir,
                 APR_FINFO_TYPE | APR_FINFO_LINK | APR_FINFO_USER | APR_FINFO_UPROT |
                     APR_FINFO_GPROT | APR_FINFO_WPROT,
                 c->pool) == APR_SUCCESS) {
        why = info.filetype == APR_DIR ? why_shared(&info) : "is no directory";
    } else if (apr_stat(&info, parent, APR_FINFO_TYPE, c->pool) != APR_SUCCESS ||
               info.filetype != APR_DIR) {
        why = "cannot be made, because the directory above it does not exist";
    } else if (access(parent, W_OK | X_OK) != 0) {
        why = "cannot be made, because the directory above it cannot be written to";
    }
    if (why != NULL) {
        fail(c, PXR_D_STATE_DIR, apr_psprintf(c->pool, "'%s' %s", dir, why), NULL);
    }
}

static void check_database(check_t *c)
{
    pxr_db_settings_t settings = pxr_database_wanted(c->pool);
    const char *why = NULL;

    if (pxr_state_dir_is_needed(&settings)) {
        check_state_dir(c, pxr_state_dir());
    }
    if (strcmp(settings.driver, PXR_DB_NONE) != 0) {
        why = pxr_db_check(c->pool, &settings);
    }
    if (why != NULL) {
        fail(c, PXR_D_DATABASE, why, NULL);
    }
}

/* What would keep httpd from starting later. */
static void check_global(check_t *c)
{
    /* A running server has its memory, and keeps it at a reload. */
    const char *why =
        ap_retained_data_get(PXR_RETAINED_KEY) == NULL ? pxr_memory_check(c->pool) : NULL;

    if (why != NULL) {
        fail(c, PXR_D_MEETINGS, why, NULL);
    }
    why = pxr_event_log_check(c->pool);
    if (why != NULL) {
        fail(c, PXR_D_EVENT_LOG, apr_psprintf(c->pool, "'%s' %s", pxr_global.event_log, why), NULL);
    }
    check_database(c);
}

int pxr_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    check_t c = {.pool = pconf, .server = s};

    (void)plog;
    c.drafts = apr_array_make(pconf, 2, sizeof(draft_t *));
    for (server_rec *v = s; v != NULL; v = v->next) {
        pxr_server_conf_t *conf = ap_get_module_config(v->module_config, &pexip_rc_module);
        if (conf->workspace != NULL || first_set(conf) < 0) {
            /* A virtual host without a directive of ours shares the main server's record. */
            continue;
        }
        if (is_complete(conf)) {
            c.draft = draft_for(&c, conf);
            unite(&c, c.draft, conf);
            check_quotes(&c, conf);
            conf->workspace = &c.draft->workspace;
            c.draft = NULL;
        } else if (!serves_virtual_hosts(v)) {
            require_both(&c, conf);
        }
    }
    if (c.drafts->nelts > 0) {
        check_global(&c);
    }
    finish_all(&c);
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST && !c.failed) {
        pxr_check_use(ptemp, s);
    }
    if (c.failed && pxr_is_reload()) {
        leave_out(&c, s);
        return OK;
    }
    return c.failed ? !OK : OK;
}
