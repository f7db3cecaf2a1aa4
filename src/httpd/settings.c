#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_discussion.h"
#include "pxr_time.h"

static const char *read_url(apr_pool_t *p, const char *text, bool allow_path, const char **out)
{
    char *url = apr_palloc(p, PXR_ORIGIN_MAX + 512);
    const char *why;
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, allow_path ? PXR_ORIGIN_MAX + 512 : PXR_ORIGIN_MAX);
    if (pxr_link_check_url(text, false, allow_path, &buf, &why) != PXR_OK) {
        return why;
    }
    *out = url;
    return NULL;
}

/* Path identifiers of Web App branding: web app reference 1.1. */
static const char *read_branding(const char *text, pxr_workspace_t *out)
{
    size_t len = strlen(text);
    size_t i;

    for (i = 0; i < len; i++) {
        if (!pxr_is_alnum(text[i]) && text[i] != '-' && text[i] != '_') {
            break;
        }
    }
    if (len == 0 || len > 100 || i < len) {
        return "must have 1 to 100 characters A-Z, a-z, 0-9, '-', '_'";
    }
    out->branding = text;
    return NULL;
}

static const char *read_theme(const char *text, pxr_workspace_t *out)
{
    if (strcasecmp(text, "none") == 0) {
        out->answer.theme = NULL;
        return NULL;
    }
    if (!pxr_text_plain(text, PXR_PEXIP_TEXT_MAX)) {
        return "must be none or the name of a theme, 1 to 250 bytes of UTF-8 without control "
               "characters";
    }
    out->answer.theme = text;
    return NULL;
}

static const char *read_layout(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    if (!pxr_layout_known(text)) {
        return apr_pstrcat(p, "must be one of: ", pxr_layout_names(), NULL);
    }
    out->answer.view = text;
    return NULL;
}

/* Splits at the first blank. */
static const char *split(apr_pool_t *p, const char *text, const char **rest)
{
    const char *blank = strchr(text, ' ');

    *rest = blank != NULL ? blank + 1 : "";
    return blank != NULL ? apr_pstrmemdup(p, text, (apr_size_t)(blank - text)) : text;
}

static const char *read_pins(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    static const char usage[] =
        "must be none, random with an optional length from 4 to 20, or file "
        "and a path";
    const char *rest;
    const char *mode = split(p, text, &rest);
    apr_int64_t length = PXR_PIN_DEFAULT;

    if (strcasecmp(mode, "none") == 0 && rest[0] == '\0') {
        out->pins = PXR_PINS_NONE;
    } else if (strcasecmp(mode, "random") == 0) {
        if (rest[0] != '\0' && !pxr_read_count(rest, PXR_PIN_MIN, PXR_PIN_MAX, &length)) {
            return usage;
        }
        out->pins = PXR_PINS_RANDOM;
        out->pin_length = (size_t)length;
    } else if (strcasecmp(mode, "file") == 0 && rest[0] != '\0') {
        out->pins = PXR_PINS_FILE;
        out->pins_file = ap_server_root_relative(p, rest);
        return out->pins_file != NULL ? NULL : "has a path that cannot be used";
    } else {
        return usage;
    }
    return NULL;
}

static const char *read_numeric_alias(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    const char *rest;
    const char *prefix = split(p, text, &rest);
    apr_int64_t digits;
    size_t len = strlen(prefix);

    if (strcasecmp(prefix, "none") == 0 && rest[0] == '\0') {
        out->number_prefix = NULL;
        return NULL;
    }
    if (len == 0 || len > PXR_NUMBER_PREFIX_MAX || strspn(prefix, "0123456789") != len ||
        !pxr_read_count(rest, PXR_NUMBER_DIGITS_MIN, PXR_NUMBER_DIGITS_MAX, &digits)) {
        return "must be none, or a prefix of 1 to 16 digits and the number of random digits behind "
               "it, from 4 to 15";
    }
    out->number_prefix = prefix;
    out->number_digits = (size_t)digits;
    return NULL;
}

static const char *read_sip_domains(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    apr_array_header_t *domains = apr_array_make(p, 4, sizeof(const char *));
    char *state;
    char *copy = apr_pstrdup(p, text);
    char *domain;

    for (domain = apr_strtok(copy, " ", &state); domain != NULL;
         domain = apr_strtok(NULL, " ", &state)) {
        size_t len = strlen(domain);
        if (len > PXR_DOMAIN_MAX ||
            strspn(domain, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") !=
                len) {
            return "must be domain names without port, separated by blanks";
        }
        APR_ARRAY_PUSH(domains, const char *) = domain;
    }
    out->sip_domains = (const char *const *)(void *)domains->elts;
    out->sip_domain_count = (size_t)domains->nelts;
    return NULL;
}

static const char *read_unknown(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    const char *pattern;
    const char *mode = split(p, text, &pattern);

    if (strcasecmp(mode, "continue") == 0 && pattern[0] == '\0') {
        out->reject = NULL;
        return NULL;
    }
    if (strcasecmp(mode, "reject") != 0 || pattern[0] == '\0') {
        return "must be continue, or reject and a regular expression";
    }
    out->reject = ap_pregcomp(p, pattern, AP_REG_EXTENDED | AP_REG_NOSUB);
    return out->reject != NULL ? NULL : "has a regular expression that cannot be compiled";
}

static bool read_duration(const char *text, int64_t low, int64_t high, int64_t *out)
{
    return pxr_duration_parse(text, out) && *out >= low && *out <= high;
}

static const char *read_grace(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    const int64_t low = PXR_SECOND / 10;
    const int64_t high = 3600 * PXR_SECOND;
    const char *silence;
    const char *grace = split(p, text, &silence);

    if (!read_duration(grace, low, high, &out->grace) ||
        (silence[0] != '\0' && !read_duration(silence, low, high, &out->silence))) {
        return "must be one or two times from 100ms to 1h, such as 10s 60s";
    }
    return NULL;
}

static const char *read_lifetime(const char *text, pxr_workspace_t *out)
{
    return read_duration(text, PXR_SECOND, 366 * 86400 * PXR_SECOND, &out->lifetime)
               ? NULL
               : "must be a time from 1s to 366d, such as 24h";
}

/* At least as long as memory still has a meeting that has ended. */
static const char *read_history(const char *text, pxr_workspace_t *out)
{
    if (strcasecmp(text, "forever") == 0) {
        out->history_keep = 0;
        return NULL;
    }
    return read_duration(text, PXR_ENDED_KEEP, (int64_t)36500 * 86400 * PXR_SECOND,
                         &out->history_keep)
               ? NULL
               : "must be forever, or a time from 1d to 36500d, such as 90d";
}

static const char *read_event_body(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    apr_int64_t number;

    if (!pxr_read_count(text, PXR_EVENT_BODY_LEAST, PXR_EVENT_BODY_MOST, &number)) {
        return apr_psprintf(p, "must be a number of bytes from %d to %d", PXR_EVENT_BODY_LEAST,
                            PXR_EVENT_BODY_MOST);
    }
    out->event_body_max = (apr_size_t)number;
    return NULL;
}

static const char *read_meeting_path(const char *text, pxr_workspace_t *out)
{
    const char *why = NULL;

    out->meeting_path = text;
    return pxr_link_check_meeting_path(text, &why) == PXR_OK ? NULL : why;
}

static const char *read_discussion_name(const char *text, pxr_workspace_t *out)
{
    const char *why = NULL;

    out->discussion_name = text;
    return pxr_discussion_check_name(text, &why) == PXR_OK ? NULL : why;
}

static const char *read_flag(const char *text, bool *out)
{
    *out = strcasecmp(text, "on") == 0;
    return *out || strcasecmp(text, "off") == 0 ? NULL : "must be On or Off";
}

static const char *read_path(apr_pool_t *p, const char *text, const char **out)
{
    *out = ap_server_root_relative(p, text);
    return *out != NULL ? NULL : "is a path that cannot be used";
}

static const char *read_callback(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    const char *file;
    const char *url = split(p, text, &file);

    if (file[0] == '\0') {
        return "must be the address of the companion app's endpoint and the path of its secret";
    }
    url = read_url(p, url, true, &out->callback_url);
    return url != NULL ? url : read_path(p, file, &out->callback_secret_file);
}

static const char *read_fallbacks(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    pxr_fallback_t *all = apr_pcalloc(p, PXR_FALLBACKS_MAX * sizeof(*all));
    char *state;
    char *copy = apr_pstrdup(p, text);
    size_t count = 0;

    for (char *line = apr_strtok(copy, "\n", &state); line != NULL;
         line = apr_strtok(NULL, "\n", &state)) {
        const char *file;
        const char *url = split(p, line, &file);
        const char *why;
        if (count == PXR_FALLBACKS_MAX) {
            return "is one server too many";
        }
        why = read_url(p, url, true, &all[count].url);
        if (why == NULL && file[0] != '\0') {
            why = read_path(p, file, &all[count].credentials_file);
        }
        if (why != NULL) {
            return why;
        }
        count++;
    }
    out->fallbacks = all;
    out->fallback_count = count;
    return NULL;
}

static const char *read_room_id(const char *text, pxr_workspace_t *out)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_alnum(text[i]) && strchr("-_.", text[i]) == NULL) {
            len = 0;
        }
    }
    if (len == 0 || len > PXR_ID_CHARS) {
        return "must be the id of a room (not its name), 1 to 64 characters A-Z, a-z, 0-9, '-', "
               "'_', '.'";
    }
    out->scheduled_room = text;
    return NULL;
}

const char *pxr_setting_read(apr_pool_t *p, pxr_setting_t setting, const char *text,
                             pxr_workspace_t *out)
{
    switch (setting) {
    case PXR_SET_BASE_URL:
        return read_url(p, text, false, &out->base_url);
    case PXR_SET_SITE_URL:
        return read_url(p, text, false, &out->site_url);
    case PXR_SET_JOIN_URL:
        return read_url(p, text, true, &out->join_url);
    case PXR_SET_CREDENTIALS:
        return read_path(p, text, &out->credentials_file);
    case PXR_SET_BRANDING:
        return read_branding(text, out);
    case PXR_SET_MEETING_PATH:
        return read_meeting_path(text, out);
    case PXR_SET_THEME:
        return read_theme(text, out);
    case PXR_SET_LAYOUT:
        return read_layout(p, text, out);
    case PXR_SET_LOCKED:
        return read_flag(text, &out->answer.locked);
    case PXR_SET_PINS:
        return read_pins(p, text, out);
    case PXR_SET_NUMBER:
        return read_numeric_alias(p, text, out);
    case PXR_SET_SIP_DOMAIN:
        return read_sip_domains(p, text, out);
    case PXR_SET_UNKNOWN:
        return read_unknown(p, text, out);
    case PXR_SET_GRACE:
        return read_grace(p, text, out);
    case PXR_SET_LIFETIME:
        return read_lifetime(text, out);
    case PXR_SET_HISTORY:
        return read_history(text, out);
    case PXR_SET_EVENT_BODY:
        return read_event_body(p, text, out);
    case PXR_SET_REST_URL:
        return read_url(p, text, true, &out->rest_url);
    case PXR_SET_REST_CREDENTIALS:
        return read_path(p, text, &out->rest_credentials_file);
    case PXR_SET_WEBHOOK_TOKEN:
        return read_path(p, text, &out->webhook_token_file);
    case PXR_SET_CONCURRENT:
        return read_flag(text, &out->concurrent_calls);
    case PXR_SET_ROOM_ALIAS:
        return read_flag(text, &out->room_alias);
    case PXR_SET_FALLBACK:
        return read_fallbacks(p, text, out);
    case PXR_SET_CALLBACK:
        return read_callback(p, text, out);
    case PXR_SET_CHAT:
        return read_flag(text, &out->persistent_chat);
    case PXR_SET_DISCUSSION:
        return read_discussion_name(text, out);
    case PXR_SET_SCHEDULED:
        return read_room_id(text, out);
    case PXR_SET_MEDIA_LOCATION:
        return pxr_media_locations_read(p, text, out);
    case PXR_SETTINGS:
        break;
    }
    return "is not known";
}

void pxr_workspace_defaults(pxr_workspace_t *w)
{
    memset(w, 0, sizeof(*w));
    w->answer.theme = "rocket.chat";
    w->answer.view = "one_main_seven_pips";
    w->answer.service_tag = "rocket.chat";
    w->answer.locked = true;
    w->pins = PXR_PINS_RANDOM;
    w->pin_length = PXR_PIN_DEFAULT;
    w->grace = PXR_GRACE_DEFAULT;
    w->silence = PXR_SILENCE_DEFAULT;
    w->lifetime = PXR_LIFETIME_DEFAULT;
    w->history_keep = PXR_HISTORY_DEFAULT;
    w->event_body_max = PXR_EVENT_BODY_DEFAULT;
    w->concurrent_calls = true;
    w->discussion_name = "Conference Call Chat History - %Y-%m-%d %H:%M";
    w->number = PXR_WORKSPACE_UNKNOWN;
}
