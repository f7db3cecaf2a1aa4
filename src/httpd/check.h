#ifndef PXR_CHECK_H
#define PXR_CHECK_H

#include "pxr_httpd.h"

/* What the files of the check share: whether the settings fit together (check.c), and whether they
 * do what they are there for (check_use.c). */

/* Warns of what would not work as it was meant. Needs complete workspaces and the tree of
 * directives; touches nothing. Only while configtest runs. */
void pxr_check_use(apr_pool_t *p, server_rec *main);

/* File and line of the directive where it stands last; "its default" where it stands nowhere. Only
 * while the configuration is read. */
const char *pxr_directive_place(apr_pool_t *p, const char *name);

/* claim.c: what SetHandler may name. */
bool pxr_is_handler(const char *name);
const char *pxr_handler_names(apr_pool_t *p);
bool pxr_handler_is_protected(const char *name);

#endif
