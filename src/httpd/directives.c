#include "pxr_httpd.h"

#include <apr_strings.h>

pxr_global_conf_t pxr_global;

static const char *const names[PXR_SETTINGS] = {
    [PXR_SET_BASE_URL] = PXR_D_BASE_URL,
    [PXR_SET_SITE_URL] = PXR_D_SITE_URL,
    [PXR_SET_CREDENTIALS] = PXR_D_CREDENTIALS,
    [PXR_SET_JOIN_URL] = PXR_D_JOIN_URL,
    [PXR_SET_BRANDING] = PXR_D_BRANDING,
    [PXR_SET_MEETING_PATH] = PXR_D_MEETING_PATH,
    [PXR_SET_THEME] = PXR_D_THEME,
    [PXR_SET_LAYOUT] = PXR_D_LAYOUT,
    [PXR_SET_LOCKED] = PXR_D_LOCKED,
    [PXR_SET_PINS] = PXR_D_PINS,
    [PXR_SET_NUMBER] = PXR_D_NUMBER,
    [PXR_SET_SIP_DOMAIN] = PXR_D_SIP_DOMAIN,
    [PXR_SET_UNKNOWN] = PXR_D_UNKNOWN,
    [PXR_SET_GRACE] = PXR_D_GRACE,
    [PXR_SET_LIFETIME] = PXR_D_LIFETIME,
    [PXR_SET_HISTORY] = PXR_D_HISTORY,
    [PXR_SET_EVENT_BODY] = PXR_D_EVENT_BODY,
    [PXR_SET_REST_URL] = PXR_D_REST_URL,
    [PXR_SET_REST_CREDENTIALS] = PXR_D_REST_CREDENTIALS,
    [PXR_SET_WEBHOOK_TOKEN] = PXR_D_WEBHOOK_TOKEN,
    [PXR_SET_CONCURRENT] = PXR_D_CONCURRENT,
    [PXR_SET_ROOM_ALIAS] = PXR_D_ROOM_ALIAS,
    [PXR_SET_FALLBACK] = PXR_D_FALLBACK,
    [PXR_SET_CALLBACK] = PXR_D_CALLBACK,
    [PXR_SET_CHAT] = PXR_D_CHAT,
    [PXR_SET_DISCUSSION] = PXR_D_DISCUSSION,
    [PXR_SET_SCHEDULED] = PXR_D_SCHEDULED,
    [PXR_SET_MEDIA_LOCATION] = PXR_D_MEDIA_LOCATION,
};

const char *pxr_setting_name(pxr_setting_t setting)
{
    return names[setting];
}

static const char *place_of(cmd_parms *cmd)
{
    return apr_psprintf(cmd->pool, "%s:%u", cmd->directive->filename,
                        (unsigned)cmd->directive->line_num);
}

static const char *complain(cmd_parms *cmd, const char *value, const char *why)
{
    return apr_psprintf(cmd->pool, "%s: '%s' %s", cmd->cmd->name, value, why);
}

static const char *no_value(cmd_parms *cmd)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": needs a value", NULL);
}

/* A variable that httpd does not know stays in the text as it is. */
static const char *refuse_variable(cmd_parms *cmd, const char *value)
{
    return strstr(value, "${") != NULL ? complain(cmd, value, "contains an undefined variable")
                                       : NULL;
}

static const char *join(apr_pool_t *p, int argc, char *const argv[])
{
    const char *text = "";

    for (int i = 0; i < argc; i++) {
        text = apr_pstrcat(p, text, i > 0 ? " " : "", argv[i], NULL);
    }
    return text;
}

/* Settings are compared as texts between virtual hosts, so equal ones must be equal texts. `read`
 * is what the text was read into. */
static const char *in_normal_form(pxr_setting_t setting, const char *text,
                                  const pxr_workspace_t *read)
{
    switch (setting) {
    case PXR_SET_BASE_URL:
        return read->base_url;
    case PXR_SET_SITE_URL:
        return read->site_url;
    case PXR_SET_JOIN_URL:
        return read->join_url;
    case PXR_SET_REST_URL:
        return read->rest_url;
    case PXR_SET_LOCKED:
    case PXR_SET_CONCURRENT:
    case PXR_SET_ROOM_ALIAS:
    case PXR_SET_CHAT:
        return strcasecmp(text, "on") == 0 ? "On" : "Off";
    default:
        return text;
    }
}

static const char *set_text(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    pxr_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &pexip_rc_module);
    pxr_setting_t setting = (pxr_setting_t)(apr_uintptr_t)cmd->info;
    pxr_workspace_t scratch;
    const char *text = join(cmd->pool, argc, argv);
    const char *why = argc > 0 ? refuse_variable(cmd, text) : no_value(cmd);

    (void)dir;
    if (why != NULL) {
        return why;
    }
    pxr_workspace_defaults(&scratch);
    why = pxr_setting_read(cmd->pool, setting, text, &scratch);
    if (why != NULL) {
        return complain(cmd, text, why);
    }
    conf->text[setting] = in_normal_form(setting, text, &scratch);
    conf->place[setting] = place_of(cmd);
    return NULL;
}

/* Why a value cannot be one of the whole server, NULL where it can. */
static const char *refuse_global(cmd_parms *cmd, const char *value)
{
    const char *why = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    return why != NULL ? why : refuse_variable(cmd, value);
}

/* Of settings that are a list each directive is a line, and they keep their order. A section that
 * names one forgets those of the server around it. Messages show what was `given`. */
static const char *add_line(cmd_parms *cmd, pxr_setting_t setting, const char *line,
                            const char *given)
{
    pxr_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &pexip_rc_module);
    const char *before = conf->text[setting];
    const char *all = before != NULL ? apr_pstrcat(cmd->pool, before, "\n", line, NULL) : line;
    pxr_workspace_t scratch;
    const char *why = refuse_variable(cmd, given);

    if (why != NULL) {
        return why;
    }
    pxr_workspace_defaults(&scratch);
    why = pxr_setting_read(cmd->temp_pool, setting, all, &scratch);
    if (why != NULL) {
        return complain(cmd, given, why);
    }
    conf->text[setting] = all;
    conf->place[setting] = place_of(cmd);
    return NULL;
}

static const char *set_fallback(cmd_parms *cmd, void *dir, const char *url, const char *file)
{
    const char *line = file != NULL ? apr_pstrcat(cmd->pool, url, " ", file, NULL) : url;

    (void)dir;
    return add_line(cmd, PXR_SET_FALLBACK, line, line);
}

/* The word as ap_getword_conf() will find it in a text. */
static const char *quote(apr_pool_t *p, const char *word)
{
    char *quoted = apr_palloc(p, 2 * strlen(word) + 3);
    char *at = quoted;

    if (word[0] != '\0' && strpbrk(word, " \t\"'\\") == NULL) {
        return word;
    }
    *at++ = '"';
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\') {
            *at++ = '\\';
        }
        *at++ = *word;
    }
    *at++ = '"';
    *at = '\0';
    return quoted;
}

static const char *set_media_location(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    const char *line = "";

    (void)dir;
    for (int i = 0; i < argc; i++) {
        line = apr_pstrcat(cmd->pool, line, i > 0 ? " " : "", quote(cmd->pool, argv[i]), NULL);
    }
    return argc > 0 ? add_line(cmd, PXR_SET_MEDIA_LOCATION, line, join(cmd->pool, argc, argv))
                    : no_value(cmd);
}

static void put_option(apr_array_header_t *options, const char *name, const char *value)
{
    pxr_option_t *list = (pxr_option_t *)(void *)options->elts;

    for (int i = 0; i < options->nelts; i++) {
        if (strcmp(list[i].name, name) == 0) {
            list[i].value = value;
            return;
        }
    }
    *(pxr_option_t *)apr_array_push(options) = (pxr_option_t){.name = name, .value = value};
}

static const char *set_option(cmd_parms *cmd, void *dir, const char *name, const char *value)
{
    pxr_server_conf_t *conf = ap_get_module_config(cmd->server->module_config, &pexip_rc_module);
    const char *given = apr_psprintf(cmd->pool, "%s %s", name, value);
    const char *why = refuse_variable(cmd, given);
    char sentence[256];
    pxr_buf_t buf;

    (void)dir;
    if (why != NULL) {
        return why;
    }
    pxr_buf_init(&buf, sentence, sizeof(sentence));
    if (pxr_option_check(name, value, &buf) != PXR_OK) {
        return complain(cmd, given, apr_pstrdup(cmd->pool, sentence));
    }
    if (conf->options == NULL) {
        conf->options = apr_array_make(cmd->pool, 4, sizeof(pxr_option_t));
    }
    put_option(conf->options, name, value);
    if (conf->options->nelts > PXR_OPTIONS_MAX) {
        return complain(cmd, given, "is one option too many");
    }
    conf->options_place = place_of(cmd);
    return NULL;
}

static const char *set_anonymous(cmd_parms *cmd, void *dir, int flag)
{
    pxr_dir_conf_t *conf = dir;
    const char *why = ap_check_cmd_context(cmd, NOT_IN_HTACCESS);

    if (why == NULL && cmd->path == NULL) {
        return apr_psprintf(cmd->pool,
                            "%s: belongs into a <Location> section that is guarded by "
                            "Require",
                            cmd->cmd->name);
    }
    conf->allow_anonymous = flag;
    return why;
}

static const char *set_state_dir(cmd_parms *cmd, void *dir, const char *value)
{
    const char *why = refuse_global(cmd, value);
    size_t len = strlen(value);

    (void)dir;
    if (why != NULL) {
        return why;
    }
    while (len > 1 && value[len - 1] == '/') {
        len--;
    }
    pxr_global.state_dir =
        ap_server_root_relative(cmd->pool, apr_pstrmemdup(cmd->pool, value, len));
    return pxr_global.state_dir != NULL ? NULL
                                        : complain(cmd, value, "is a path that cannot be used");
}

static const char *set_database(cmd_parms *cmd, void *dir, const char *driver, const char *params)
{
    const char *why = refuse_global(cmd, driver);
    bool none = strcasecmp(driver, PXR_DB_NONE) == 0;

    (void)dir;
    if (why == NULL && params != NULL) {
        why = refuse_variable(cmd, params);
    }
    if (why != NULL) {
        return why;
    }
    /* The parameters may hold a password, so no message shows them. */
    if (driver[0] == '\0' || strlen(driver) > PXR_DRIVER_MAX ||
        (params != NULL && strlen(params) > PXR_PARAMS_MAX) || (none && params != NULL)) {
        return complain(cmd, driver, "must be none, or a driver and its parameters");
    }
    pxr_global.database = none ? PXR_DB_NONE : driver;
    pxr_global.database_params = params;
    return NULL;
}

/* Named like httpd's own logs. */
static const char *set_event_log(cmd_parms *cmd, void *dir, const char *value)
{
    const char *why = refuse_global(cmd, value);
    size_t mark = strspn(value, "|$");

    (void)dir;
    if (why != NULL) {
        return why;
    }
    if (value[0] == '\0' || (value[0] == '|' && value[mark + strspn(value + mark, " ")] == '\0')) {
        return complain(cmd, value, "must be none, a path, or | and a program");
    }
    if (strcasecmp(value, "none") == 0) {
        pxr_global.event_log = NULL;
        return NULL;
    }
    pxr_global.event_log = value[0] == '|' ? value : ap_server_root_relative(cmd->pool, value);
    return pxr_global.event_log != NULL ? NULL
                                        : complain(cmd, value, "is a path that cannot be used");
}

static const char *set_size(cmd_parms *cmd, void *dir, const char *value)
{
    bool meetings = cmd->info != NULL;
    apr_int64_t most = meetings ? PXR_MEETINGS_MOST : PXR_PARTICIPANTS_MOST;
    const char *why = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_int64_t number;

    (void)dir;
    if (why != NULL) {
        return why;
    }
    if (!pxr_read_count(value, 1, most, &number)) {
        return complain(
            cmd, value,
            apr_psprintf(cmd->pool, "must be a whole number from 1 to %" APR_INT64_T_FMT, most));
    }
    if (meetings) {
        pxr_global.sizes.meetings = (uint32_t)number;
    } else {
        pxr_global.sizes.participants = (uint32_t)number;
    }
    return NULL;
}

void *pxr_create_server_conf(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(pxr_server_conf_t));
}

void *pxr_merge_server_conf(apr_pool_t *p, void *base_conf, void *add_conf)
{
    const pxr_server_conf_t *base = base_conf;
    const pxr_server_conf_t *add = add_conf;
    pxr_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    for (int i = 0; i < PXR_SETTINGS; i++) {
        const pxr_server_conf_t *from = add->text[i] != NULL ? add : base;
        conf->text[i] = from->text[i];
        conf->place[i] = from->place[i];
    }
    conf->options_place = add->options_place != NULL ? add->options_place : base->options_place;
    if (base->options == NULL || add->options == NULL) {
        conf->options = add->options != NULL ? add->options : base->options;
        return conf;
    }
    conf->options = apr_array_copy(p, base->options);
    for (int i = 0; i < add->options->nelts; i++) {
        const pxr_option_t *option = &((const pxr_option_t *)(void *)add->options->elts)[i];
        put_option(conf->options, option->name, option->value);
    }
    return conf;
}

void *pxr_create_dir_conf(apr_pool_t *p, char *dir)
{
    pxr_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)dir;
    conf->allow_anonymous = -1;
    return conf;
}

void *pxr_merge_dir_conf(apr_pool_t *p, void *base_conf, void *add_conf)
{
    const pxr_dir_conf_t *base = base_conf;
    const pxr_dir_conf_t *add = add_conf;
    pxr_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->allow_anonymous =
        add->allow_anonymous != -1 ? add->allow_anonymous : base->allow_anonymous;
    return conf;
}

#define TEXT(name, setting, help) \
    AP_INIT_TAKE_ARGV(name, set_text, (void *)(apr_uintptr_t)(setting), RSRC_CONF, name " " help)

const command_rec pxr_directives[] = {
    TEXT(PXR_D_BASE_URL, PXR_SET_BASE_URL, "https://fqdn: the Conferencing Nodes' address"),
    TEXT(PXR_D_SITE_URL, PXR_SET_SITE_URL, "https://fqdn: the workspace as browsers see it"),
    TEXT(PXR_D_CREDENTIALS, PXR_SET_CREDENTIALS, "path: user and secret of the nodes"),
    TEXT(PXR_D_JOIN_URL, PXR_SET_JOIN_URL, "URL: where the join handler is reached"),
    TEXT(PXR_D_BRANDING, PXR_SET_BRANDING, "name: Web App path identifier"),
    TEXT(PXR_D_MEETING_PATH, PXR_SET_MEETING_PATH, "/path?conference={alias}"),
    TEXT(PXR_D_THEME, PXR_SET_THEME, "name|none"),
    TEXT(PXR_D_LAYOUT, PXR_SET_LAYOUT, "name of one of Pexip's layouts"),
    TEXT(PXR_D_LOCKED, PXR_SET_LOCKED, "On|Off"),
    AP_INIT_TAKE2(PXR_D_OPTION, set_option, NULL, RSRC_CONF,
                  PXR_D_OPTION " name value: another field of the policy answer"),
    TEXT(PXR_D_PINS, PXR_SET_PINS, "random [4-20]|file path|none"),
    TEXT(PXR_D_NUMBER, PXR_SET_NUMBER, "none|prefix digits"),
    TEXT(PXR_D_SIP_DOMAIN, PXR_SET_SIP_DOMAIN, "name ...: where numeric aliases answer"),
    TEXT(PXR_D_UNKNOWN, PXR_SET_UNKNOWN, "continue|reject regex"),
    TEXT(PXR_D_GRACE, PXR_SET_GRACE, "time [time]"),
    TEXT(PXR_D_LIFETIME, PXR_SET_LIFETIME, "time"),
    TEXT(PXR_D_HISTORY, PXR_SET_HISTORY, "time|forever"),
    TEXT(PXR_D_EVENT_BODY, PXR_SET_EVENT_BODY, "bytes"),
    TEXT(PXR_D_REST_URL, PXR_SET_REST_URL, "URL: where Rocket.Chat's REST API is reached"),
    TEXT(PXR_D_REST_CREDENTIALS, PXR_SET_REST_CREDENTIALS, "path: user id and token"),
    TEXT(PXR_D_WEBHOOK_TOKEN, PXR_SET_WEBHOOK_TOKEN, "path: token of the outgoing webhook"),
    TEXT(PXR_D_CONCURRENT, PXR_SET_CONCURRENT, "On|Off"),
    TEXT(PXR_D_ROOM_ALIAS, PXR_SET_ROOM_ALIAS, "On|Off"),
    AP_INIT_TAKE12(PXR_D_FALLBACK, set_fallback, NULL, RSRC_CONF,
                   PXR_D_FALLBACK " URL [path]: asked about what is not ours"),
    TEXT(PXR_D_CALLBACK, PXR_SET_CALLBACK, "URL path: the companion app's, and its secret"),
    TEXT(PXR_D_CHAT, PXR_SET_CHAT, "On|Off"),
    TEXT(PXR_D_DISCUSSION, PXR_SET_DISCUSSION, "format"),
    TEXT(PXR_D_SCHEDULED, PXR_SET_SCHEDULED, "room-id: chats of scheduled meetings are below it"),
    AP_INIT_TAKE_ARGV(PXR_D_MEDIA_LOCATION, set_media_location, NULL, RSRC_CONF,
                      PXR_D_MEDIA_LOCATION " name [overflow ...] [expr=...]"),
    AP_INIT_FLAG(PXR_D_ANONYMOUS, set_anonymous, NULL, ACCESS_CONF,
                 PXR_D_ANONYMOUS " On|Off: the section is protected without a user name"),
    AP_INIT_TAKE1(PXR_D_STATE_DIR, set_state_dir, NULL, RSRC_CONF, PXR_D_STATE_DIR " path"),
    AP_INIT_TAKE12(PXR_D_DATABASE, set_database, NULL, RSRC_CONF,
                   PXR_D_DATABASE " driver [parameters]|none"),
    AP_INIT_TAKE1(PXR_D_EVENT_LOG, set_event_log, NULL, RSRC_CONF,
                  PXR_D_EVENT_LOG " path|\"|program\"|none"),
    AP_INIT_TAKE1(PXR_D_MEETINGS, set_size, (void *)1, RSRC_CONF, PXR_D_MEETINGS " number"),
    AP_INIT_TAKE1(PXR_D_PARTICIPANTS, set_size, NULL, RSRC_CONF, PXR_D_PARTICIPANTS " number"),
    {.name = NULL},
};
