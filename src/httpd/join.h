#ifndef PXR_JOIN_H
#define PXR_JOIN_H

#include "pxr_httpd.h"

/* Who opens a join link. */

typedef enum {
    PXR_PROOF_NONE,
    PXR_PROOF_GOOD,
    PXR_PROOF_UNKNOWN, /* Rocket.Chat would have had to be asked, and could not be */
} pxr_proof_t;

typedef struct {
    pxr_proof_t proof;
    bool creator;                      /* of the meeting */
    char user_id[PXR_USER_ID_MAX + 1]; /* of a good one */
    char name[PXR_PEXIP_TEXT_MAX + 1];
} pxr_identity_t;

/* A session as a browser presents it; "" where it has none. */
typedef struct {
    char user_id[PXR_USER_ID_MAX + 1];
    char token[PXR_TOKEN_MAX + 1];
} pxr_credentials_t;

/* One visit, as far as it is known. */
typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    pxr_found_t found;
    pxr_view_t view;
    const char *key; /* of the join link */
    bool info;       /* other ways in are asked for */
    bool guest;      /* wants to be nothing else */
    bool by_script;  /* the page of ours asks, and takes JSON */
    bool posted;     /* credentials came in the body */
    pxr_credentials_t credentials;
    char host_key[PXR_KEY_MAX + 1];    /* the personal link's */
    char name[PXR_PEXIP_TEXT_MAX + 1]; /* that the link proposes: anybody may have written it */
} pxr_visit_t;

/* identity.c */

/* The session cookies of the web client. */
void pxr_identity_cookies(request_rec *r, pxr_credentials_t *out);
/* Whether they can be somebody's at all, and put into a header. */
bool pxr_identity_usable(const pxr_credentials_t *credentials);
/* Asks Rocket.Chat whose session this is, unless it was asked a moment ago. */
void pxr_identity_ask(request_rec *r, const pxr_call_t *call, const pxr_credentials_t *credentials,
                      pxr_identity_t *out);
/* Whether join links lead to the origin of the web client, and this request came there. */
bool pxr_identity_on_site(request_rec *r, const pxr_workspace_t *w);
/* Whether a script of that origin has made the request, as far as a browser tells. */
bool pxr_identity_from_site(request_rec *r, const pxr_workspace_t *w);

/* join_body.c: what a POST brings. OK, or the status to answer with, *why then says what is
 * wrong. */
int pxr_join_read_body(pxr_visit_t *visit, const char **why);

/* join_pages.c: each answers the request. */

/* Looks into the web client's storage who the visitor is, and leads on. */
int pxr_join_ask_page(const pxr_visit_t *visit);
/* Says that Rocket.Chat cannot be asked, and tries again. */
int pxr_join_retry_page(const pxr_visit_t *visit);
/* The other ways in; the host PIN only for a `host`. */
int pxr_join_info(const pxr_visit_t *visit, bool host);
/* The same question by somebody who is not known. */
int pxr_join_stranger_page(const pxr_visit_t *visit);

/* handler_join.c: whether a program asks, which prefers JSON to a page. */
bool pxr_wants_json(request_rec *r);

#endif
