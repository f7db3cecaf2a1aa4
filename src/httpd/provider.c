#include "pxr_httpd.h"

#include <ap_provider.h>
#include <mod_auth.h>

/* Grants the one user of PexipRCAPICredentialsFile. A random secret needs no slow hash, so this
 * costs two comparisons where a password file costs a hash on each request. */
static authn_status check_password(request_rec *r, const char *user, const char *password)
{
    const pxr_server_conf_t *conf =
        ap_get_module_config(r->server->module_config, &pexip_rc_module);
    const pxr_workspace_t *w = conf->workspace;
    bool right_user;
    bool right_secret;

    if (w == NULL || w->user == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PXR1024: AuthBasicProvider pexip-rc has nothing to compare with: "
                      "set " PXR_D_CREDENTIALS " in this virtual host");
        return AUTH_GENERAL_ERROR;
    }
    right_user = pxr_secret_equal(user, strlen(user), w->user, strlen(w->user));
    right_secret = pxr_secret_equal(password, strlen(password), w->secret, strlen(w->secret));
    if (right_user && right_secret) {
        return AUTH_GRANTED;
    }
    return right_user ? AUTH_DENIED : AUTH_USER_NOT_FOUND;
}

static const authn_provider provider = {.check_password = check_password};

void pxr_register_provider(apr_pool_t *p)
{
    ap_register_auth_provider(p, AUTHN_PROVIDER_GROUP, "pexip-rc", AUTHN_PROVIDER_VERSION,
                              &provider, AP_AUTH_INTERNAL_PER_CONF);
}
