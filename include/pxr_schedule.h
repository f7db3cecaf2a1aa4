#ifndef PXR_SCHEDULE_H
#define PXR_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"
#include "pxr_text.h"

/*
 * Links into meetings that were scheduled on Infinity, and the joining instructions that carry them
 * (web app reference 1.5, 1.6 and 2). Infinity alone knows whether an alias is one. No function
 * allocates; each may be called from any thread.
 */

/* Where a workspace is, all of it checked when it was configured: origins without trailing slash,
 * and a branding path of [A-Za-z0-9_-]. */
typedef struct {
    const char *site_url;
    const char *base_url;
    const char *branding; /* NULL: the nodes' default */
    const char *join_url; /* the short link is below it */
} pxr_schedule_t;

typedef enum {
    PXR_SCHEDULE_GO,      /* go.rocket.chat, which hands it to the installed client */
    PXR_SCHEDULE_WEB,     /* the workspace's own route to which that leads, for a browser */
    PXR_SCHEDULE_DESKTOP, /* what go.rocket.chat tells the installed client */
    PXR_SCHEDULE_WEBAPP,  /* Pexip's web app, without Rocket.Chat */
    PXR_SCHEDULE_SHORT,   /* the handler pexip-rc-go; a slash in the alias needs
                             AllowEncodedSlashes there */
    PXR_SCHEDULE_LINKS,
} pxr_schedule_link_t;

/* "go", "web", "desktop", "webapp", "short". */
const char *pxr_schedule_link_name(pxr_schedule_link_t link);

/* Whether links can carry it: 1 to PXR_SCHEDULED_ALIAS_MAX bytes of UTF-8 without control
 * characters, and not . or .., which parsers of URLs remove even where they are encoded. */
bool pxr_schedule_alias_valid(const char *alias, size_t len);

/* Appends one link, at most PXR_SCHEDULED_LINK_SIZE - 1 bytes of ASCII. `alias` must be valid. */
void pxr_schedule_put_link(pxr_buf_t *out, const pxr_schedule_t *where, pxr_schedule_link_t link,
                           const char *alias);

/* Appends the joining instructions for Secure Scheduler for Exchange: HTML with Infinity's template
 * variables in it, at most PXR_TEMPLATE_MAX bytes. `personal` is about personal VMRs, which have
 * lists of aliases and PINs; `link` is what opens Rocket.Chat. */
void pxr_schedule_put_template(pxr_buf_t *out, const pxr_schedule_t *where, bool personal,
                               pxr_schedule_link_t link);

#endif
