#include "check.h"

#include "pxr_alias.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_ssl.h>

/* What may be set by SetHandler, and how its URLs are read. */
typedef struct {
    const char *name;
    const char *marker; /* part of the path behind which the handler looks */
    bool last;          /* take its last place in the path, else the first */
    bool protected;     /* refuses to work where nobody had to prove who he is */
    int (*handle)(request_rec *r, const pxr_call_t *call);
} endpoint_t;

static const endpoint_t endpoints[] = {
    {"pexip-rc-policy", "/policy/v1/", false, true, pxr_handle_policy},
    {"pexip-rc-events", "/events", true, true, pxr_handle_events},
    {"pexip-rc-api", "/api/v1/", false, true, pxr_handle_api},
    {"pexip-rc-join", "/join/", true, false, pxr_handle_join},
    {"pexip-rc-go", "/go/", true, false, pxr_handle_go},
    {"pexip-rc-webhook", "/webhook", true, false, pxr_handle_webhook},
    {"pexip-rc-chat", "/chat", true, false, pxr_handle_chat},
    {"pexip-rc-status", "/status", true, true, pxr_handle_status},
    {"pexip-rc-metrics", "/metrics", true, true, pxr_handle_metrics},
};

static const endpoint_t *endpoint_named(const char *name)
{
    if (name == NULL || strncmp(name, "pexip-rc-", 9) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        if (strcmp(endpoints[i].name, name) == 0) {
            return &endpoints[i];
        }
    }
    return NULL;
}

bool pxr_is_handler(const char *name)
{
    return endpoint_named(name) != NULL;
}

const char *pxr_handler_names(apr_pool_t *p)
{
    const char *names = "";

    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        names = apr_pstrcat(p, names, i > 0 ? ", " : "", endpoints[i].name, NULL);
    }
    return names;
}

bool pxr_handler_is_protected(const char *name)
{
    const endpoint_t *endpoint = endpoint_named(name);

    return endpoint != NULL && endpoint->protected;
}

/* The handler that the sections around this URL set. Newer releases keep SetHandler as an
 * expression, older ones as a text. */
static const char *handler_of(request_rec *r)
{
    const core_dir_config *conf = ap_get_core_module_config(r->per_dir_config);
    const char *error = NULL;

    if (conf->expr_handler != NULL) {
        const char *name = ap_expr_str_exec(r, conf->expr_handler, &error);
        return error == NULL ? name : NULL;
    }
    return conf->handler;
}

int pxr_translate_name(request_rec *r)
{
    const endpoint_t *endpoint;

    if (r->proxyreq != PROXYREQ_NONE || r->uri == NULL || r->uri[0] != '/') {
        return DECLINED;
    }
    endpoint = endpoint_named(handler_of(r));
    if (endpoint == NULL) {
        return DECLINED;
    }
    ap_set_module_config(r->request_config, &pexip_rc_module, (void *)endpoint);
    r->filename = apr_pstrdup(r->pool, r->uri);
    return OK;
}

bool pxr_is_policy_request(const request_rec *r)
{
    const endpoint_t *endpoint = ap_get_module_config(r->request_config, &pexip_rc_module);

    return endpoint != NULL && endpoint->handle == pxr_handle_policy;
}

/* Claimed URLs are no files, so nobody needs to look for one. */
int pxr_map_to_storage(request_rec *r)
{
    return ap_get_module_config(r->request_config, &pexip_rc_module) != NULL ? OK : DECLINED;
}

/* Where `marker` ends at `path`, any '/' in it standing for one or more; NULL if it is not there.
 */
static const char *match(const char *path, const char *marker)
{
    for (; *marker != '\0'; marker++) {
        if (*path != *marker) {
            return NULL;
        }
        path++;
        if (*marker == '/') {
            while (*path == '/') {
                path++;
            }
        }
    }
    return path;
}

static const char *rest_of(const char *path, const endpoint_t *endpoint)
{
    const char *found = NULL;

    for (const char *at = path; *at != '\0'; at++) {
        const char *end = *at == '/' ? match(at, endpoint->marker) : NULL;
        if (end != NULL) {
            found = end;
            if (!endpoint->last) {
                break;
            }
        }
    }
    return found;
}

static bool is_protected(request_rec *r)
{
    const pxr_dir_conf_t *conf = ap_get_module_config(r->per_dir_config, &pexip_rc_module);

    /* Where an ErrorDocument of the same section leads here, httpd takes over the name that was
     * just refused. */
    bool refused = r->prev != NULL && r->prev->status == HTTP_UNAUTHORIZED;

    if ((r->user != NULL && !refused) || conf->allow_anonymous == 1) {
        return true;
    }
    if (ap_ssl_conn_is_ssl(r->connection)) {
        const char *verified =
            ap_ssl_var_lookup(r->pool, r->server, r->connection, r, "SSL_CLIENT_VERIFY");
        return verified != NULL && strcmp(verified, "SUCCESS") == 0;
    }
    return false;
}

/* What strangers dial is not worth asking for. */
static bool could_be_ours(const pxr_workspace_t *w, bool join, const char *name, size_t len)
{
    if (join) {
        return len == PXR_JOIN_KEY_LEN;
    }
    if (pxr_meeting_id_valid(name, len)) {
        return true;
    }
    return w->number_prefix != NULL && len == strlen(w->number_prefix) + w->number_digits &&
           strncmp(name, w->number_prefix, strlen(w->number_prefix)) == 0;
}

pxr_status_t pxr_find(const pxr_call_t *call, bool join, const char *name, size_t len,
                      pxr_found_t *found, char *answer, size_t answer_size)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_status_t status = pxr_store_find(call->store, w->number, join, name, len, pxr_time_now(),
                                         found, answer, answer_size);

    if (status == PXR_MISSING && could_be_ours(w, join, name, len) &&
        pxr_store_await_others(call->store, PXR_MISS_WAIT)) {
        status = pxr_store_find(call->store, w->number, join, name, len, pxr_time_now(), found,
                                answer, answer_size);
    }
    return status;
}

void pxr_count_result(request_rec *r, const pxr_call_t *call, pxr_counter_t counter)
{
    pxr_store_count(call->store, call->workspace->number, counter, 1);
    apr_table_setn(r->notes, PXR_NOTE_RESULT, pxr_counter_name(counter));
}

int pxr_handle(request_rec *r)
{
    const endpoint_t *endpoint = endpoint_named(r->handler);
    const pxr_server_conf_t *conf =
        ap_get_module_config(r->server->module_config, &pexip_rc_module);
    pxr_call_t call;

    if (endpoint == NULL) {
        return DECLINED;
    }
    if (endpoint->protected && !is_protected(r)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "PXR1021: %s answers nobody here, because nobody has to prove who he is: add AuthType "
            "Basic and Require valid-user, or client certificates, or guard the section "
            "by Require ip and add " PXR_D_ANONYMOUS " On",
            endpoint->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    call.workspace = conf->workspace;
    call.store = pxr_store();
    call.rest = rest_of(r->uri, endpoint);
    if (call.workspace != NULL &&
        (call.store == NULL || call.workspace->number == PXR_WORKSPACE_UNKNOWN)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "PXR1022: %s has no working set: see what the log said when httpd was started or "
            "reloaded",
            endpoint->name);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (call.workspace == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PXR1023: %s belongs to no workspace here: set " PXR_D_SITE_URL
                      " and " PXR_D_BASE_URL " in this virtual host",
                      endpoint->name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    /* A part of an answer means nothing. */
    apr_table_unset(r->headers_in, "Range");
    return endpoint->handle(r, &call);
}
