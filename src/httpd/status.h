#ifndef PXR_STATUS_PAGES_H
#define PXR_STATUS_PAGES_H

#include "pxr_httpd.h"
#include "pxr_html.h"

/* The pages for administrators: how it goes, and how it is set up. */

/* One answer while it is written. */
typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    const char *base; /* path of the status page, percent-encoded */
    const char *nonce;
    pxr_time_t now;
    apr_bucket_brigade *text;
    pxr_html_t html;
} pxr_web_t;

typedef enum { PXR_WEB_STATUS, PXR_WEB_SETUP } pxr_web_page_t;

/* status_frame.c */

/* The path of the status page of the section that this request came to. */
const char *pxr_web_base(request_rec *r, const pxr_call_t *call);
/* Everything up to the content. False where the system has no random words. */
bool pxr_web_begin(pxr_web_t *web, request_rec *r, const pxr_call_t *call, pxr_web_page_t page);
/* Everything behind it; answers the request. */
int pxr_web_end(pxr_web_t *web);
/* A moment, and how long ago that is. */
void pxr_web_put_time(const pxr_web_t *web, pxr_time_t when);

/* status_parts.c: how each part of the whole does. */
typedef enum {
    PXR_LEVEL_OFF,     /* not set up */
    PXR_LEVEL_UNKNOWN, /* not seen at work yet */
    PXR_LEVEL_GOOD,
    PXR_LEVEL_CARE, /* somebody should look after it */
    PXR_LEVEL_BAD,  /* calls suffer */
} pxr_level_t;

/* All texts but `error` and `server` are ours. */
typedef struct {
    const char *key; /* unique on a page, made for ids */
    const char *name;
    const char *server; /* NULL, or which one of several */
    pxr_level_t level;
    const char *word;   /* the level, said for this part */
    const char *effect; /* of a bad one: what does not work, a whole sentence */
    const char *what;   /* NULL: nothing more is to be said */
    const char *error;  /* NULL or "": none */
    const char *cure;   /* NULL: none is needed */
    const char *when;   /* what happened at `since` */
    pxr_time_t since;   /* 0: never */
} pxr_part_t;

#define PXR_PARTS_MAX (9 + PXR_FALLBACKS_MAX)

/* Returns how many there are, in the order in which a call needs them. */
size_t pxr_status_parts(apr_pool_t *p, const pxr_call_t *call, const pxr_status_page_t *page,
                        pxr_part_t parts[PXR_PARTS_MAX]);

/* sections.c: a <Location> of this workspace that sets a handler of ours. */
typedef struct {
    const char *prefix;     /* of its URLs, in front of what the handler looks at */
    const server_rec *host; /* where it stands */
} pxr_section_t;

/* All of them (pxr_section_t), with different prefixes, those of this request's virtual host first.
 * `marker` is what the handler looks for in a path, such as "/policy/v1". Sections with patterns
 * are left out. */
apr_array_header_t *pxr_sections(request_rec *r, const pxr_workspace_t *w, const char *handler,
                                 const char *marker);

/* handler_status.c: what is known. */
void pxr_status_fill(request_rec *r, const pxr_call_t *call, pxr_status_page_t *page);

/* status_page.c, setup_page.c: each answers the request. */
int pxr_status_page(request_rec *r, const pxr_call_t *call);
int pxr_setup_page(request_rec *r, const pxr_call_t *call);

/* status_actions.c: a form of the page. Answers the request. */
int pxr_status_act(request_rec *r, const pxr_call_t *call);
/* What the address of the page says was done; NULL where it says nothing. */
const char *pxr_status_outcome(request_rec *r);

#endif
