/*
 * mod_pexip_rc joins Rocket.Chat and Pexip Infinity. This file is the map: the module record and
 * everything that httpd calls.
 *
 *   configuration   src/httpd/directives.c, settings.c, check*.c, secrets.c
 *   processes       src/httpd/lifecycle.c, segment.c, state_dir.c, helper.c, leader.c, pool.c
 *   database        src/httpd/keeper.c, keeper_round.c, keeper_read.c, keeper_forget.c
 *   Rocket.Chat     src/httpd/messenger.c, messenger_steps.c, messenger_answers.c
 *   requests        src/httpd/claim.c leads each to its handler_*.c, which read them with
 *                   arguments.c and body.c and answer with reply.c and pages.c
 *   meetings        src/httpd/creation.c, whoever wants one
 *   who joins       src/httpd/handler_join.c, join_body.c, join_pages.c, identity.c
 *   others asked    src/httpd/outside.c, fallback.c
 *   media location  src/httpd/media_location.c
 *   history         src/httpd/handler_history.c, handler_people.c, history_thread.c, history_page.c
 *   audit trail     src/httpd/event_log.c
 *   administrators  src/httpd/handler_status.c, status_*.c, setup_page.c, sections.c
 *   monitoring      src/httpd/handler_metrics.c, metrics_text.c, status_hook.c
 *   credentials     src/httpd/provider.c
 */

#define PXR_MODULE_RECORD
#include "src/httpd/pxr_httpd.h"

#include <mpm_common.h>

static void register_hooks(apr_pool_t *p)
{
    pxr_register_provider(p);
    pxr_register_status_hook();
    ap_hook_pre_config(pxr_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(pxr_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(pxr_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(pxr_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(pxr_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_expr_lookup(pxr_expr_lookup, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_rewrite and mod_proxy, which would take every URL of a proxied workspace. */
    ap_hook_translate_name(pxr_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(pxr_map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(pxr_handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(pexip_rc) = {
    STANDARD20_MODULE_STUFF, pxr_create_dir_conf, /* create a record for a directory section */
    pxr_merge_dir_conf,                           /* merge two of them */
    pxr_create_server_conf,                       /* create a record for a server */
    pxr_merge_server_conf, /* merge the main server's into a virtual host's */
    pxr_directives,        /* configuration directives */
    register_hooks,        /* hooks */
    AP_MODULE_FLAG_NONE,
};
