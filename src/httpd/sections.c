#include "status.h"

#include <ap_expr.h>
#include <apr_strings.h>
#include <http_main.h>

/* The handler that a section sets. Newer releases keep SetHandler as an expression. */
static const char *handler_of(request_rec *r, const core_dir_config *section)
{
    const char *error = NULL;
    const char *name;

    if (section->expr_handler == NULL) {
        return section->handler;
    }
    name = ap_expr_str_exec(r, section->expr_handler, &error);
    return error == NULL ? name : NULL;
}

/* The path in front of `marker`, or of the first name in it; the whole one where neither is
 * there. */
static const char *path_before(apr_pool_t *p, const char *path, const char *marker)
{
    size_t len = strlen(path);
    size_t head = 1 + strcspn(marker + 1, "/");
    const char *found = strstr(path, marker);

    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    if (found != NULL && (found[strlen(marker)] == '\0' || found[strlen(marker)] == '/')) {
        return apr_pstrmemdup(p, path, (size_t)(found - path));
    }
    if (len >= head && strncmp(path + len - head, marker, head) == 0) {
        len -= head;
    }
    return apr_pstrmemdup(p, path, len);
}

static bool is_known(const apr_array_header_t *found, const char *prefix)
{
    for (int i = 0; i < found->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(found, i, pxr_section_t).prefix, prefix) == 0) {
            return true;
        }
    }
    return false;
}

static void look_in_host(request_rec *r, const server_rec *host, const char *handler,
                         const char *marker, apr_array_header_t *found)
{
    const core_server_config *conf = ap_get_core_module_config(host->module_config);

    for (int i = 0; conf->sec_url != NULL && i < conf->sec_url->nelts; i++) {
        const core_dir_config *section =
            ap_get_core_module_config(APR_ARRAY_IDX(conf->sec_url, i, ap_conf_vector_t *));
        const char *name = section != NULL ? handler_of(r, section) : NULL;
        const char *prefix;
        /* A pattern is no address that could be shown. */
        if (name == NULL || strcmp(name, handler) != 0 || section->d == NULL ||
            section->r != NULL || section->d_is_fnmatch) {
            continue;
        }
        prefix = path_before(r->pool, section->d, marker);
        if (!is_known(found, prefix)) {
            APR_ARRAY_PUSH(found, pxr_section_t) = (pxr_section_t){.prefix = prefix, .host = host};
        }
    }
}

apr_array_header_t *pxr_sections(request_rec *r, const pxr_workspace_t *w, const char *handler,
                                 const char *marker)
{
    apr_array_header_t *found = apr_array_make(r->pool, 2, sizeof(pxr_section_t));

    look_in_host(r, r->server, handler, marker, found);
    for (const server_rec *host = ap_server_conf; host != NULL; host = host->next) {
        const pxr_server_conf_t *conf = ap_get_module_config(host->module_config, &pexip_rc_module);
        if (conf->workspace == w && host != r->server) {
            look_in_host(r, host, handler, marker, found);
        }
    }
    return found;
}
