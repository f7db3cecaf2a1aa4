#ifndef PXR_CHECK_H
#define PXR_CHECK_H

#include "pxr_httpd.h"

/* What the files of the check share: whether the settings fit together (check.c), whether they do
 * what they are there for (check_use.c), and whether the machine has what they need
 * (check_machine.c). */

/* Warns of what would not work as it was meant. Needs complete workspaces and the tree of
 * directives; touches nothing. Only while configtest runs. */
void pxr_check_use(apr_pool_t *p, server_rec *main);
/* The part of it that is about files, directories and modules; needs a workspace. */
void pxr_check_machine(apr_pool_t *p, const server_rec *main);

/* One such warning, about a directive. `place` is where it stands; NULL: where it stands last. */
void pxr_check_warn(apr_pool_t *p, const server_rec *main, const char *name, const char *why,
                    const char *place);

/* Why the user that httpd runs as cannot read a file, or write into a directory; NULL where nothing
 * is known to be in his way. */
const char *pxr_check_why_closed(apr_pool_t *p, const char *path, bool to_write);

/* File and line of the directive where it stands last; "its default" where it stands nowhere. Only
 * while the configuration is read. */
const char *pxr_directive_place(apr_pool_t *p, const char *name);

/* claim.c: what SetHandler may name. */
bool pxr_is_handler(const char *name);
const char *pxr_handler_names(apr_pool_t *p);
bool pxr_handler_is_protected(const char *name);

#endif
