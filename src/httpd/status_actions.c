#include "status.h"

#include <apr_strings.h>

#include "pxr_alias.h"

/* An action and the id of a meeting. */
#define BODY_MAX 1024

/* What the address of the page says after a form, and what the page says then. */
static const struct {
    const char *word;
    const char *sentence;
} outcomes[] = {
    {"retry", "It is tried again now."},
    {"drop", "It is given up."},
    {"nothing", "There was nothing left to be done about this meeting."},
    {"again", "It was just being tried. Look again, and repeat it if it is still there."},
    {"away", "The memory could not be reached. Try again in a moment."},
};

const char *pxr_status_outcome(request_rec *r)
{
    char word[16];
    pxr_query_field_t field = {.name = "did", .value = word, .size = sizeof(word)};

    pxr_read_arguments(r, &field, 1);
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (strcmp(outcomes[i].word, word) == 0) {
            return outcomes[i].sentence;
        }
    }
    return NULL;
}

/* A browser that holds an administrator's password must not be driven by another site. Because the
 * page sends no referrer, browsers call its origin null; newer ones say where it came from
 * besides. */
static bool is_from_page(request_rec *r, const pxr_workspace_t *w)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (origin != NULL && strcmp(origin, "null") != 0 && !pxr_origin_is_own(r, w, origin)) {
        return false;
    }
    if (site != NULL) {
        return strcmp(site, "same-origin") == 0;
    }
    return origin != NULL && strcmp(origin, "null") != 0;
}

/* A page without a form, because the one with it may be what was abused. */
static int refuse(request_rec *r, int status, const char *why)
{
    return pxr_reply_page(r, status, "Nothing was changed", why, 0);
}

static const char *apply(const pxr_call_t *call, const char *id, pxr_delivery_action_t action)
{
    pxr_found_t found;
    bool applied = false;
    pxr_status_t status = PXR_MISSING;

    if (pxr_find_meeting(call, id, strlen(id), &found)) {
        status = pxr_deliveries_apply(call, found.ref, action, &applied);
    }
    switch (status) {
    case PXR_OK:
        return !applied ? "nothing" : action == PXR_DELIVERY_RETRY ? "retry" : "drop";
    case PXR_MISSING:
        return "nothing";
    case PXR_EXISTS:
        return "again";
    default:
        return "away";
    }
}

/* Back to the page by GET, so that loading it again repeats nothing. */
static int lead_back(request_rec *r, const pxr_call_t *call, const char *word)
{
    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, pxr_web_base(r, call), "?did=", word, NULL));
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    return pxr_reply_empty(r, HTTP_SEE_OTHER);
}

int pxr_status_act(request_rec *r, const pxr_call_t *call)
{
    enum { ACTION, MEETING, FIELDS };
    char action[8];
    char meeting[PXR_MEETING_ID_MAX + 1];
    pxr_query_field_t fields[FIELDS] = {
        [ACTION] = {.name = "action", .value = action, .size = sizeof(action)},
        [MEETING] = {.name = "meeting", .value = meeting, .size = sizeof(meeting)},
    };
    char *body;
    apr_size_t len;
    bool retry;
    int status;

    if (!is_from_page(r, call->workspace)) {
        return refuse(r, HTTP_FORBIDDEN, "The request was not made by the status page.");
    }
    status = pxr_read_body(r, BODY_MAX, &body, &len);
    if (status != OK) {
        return status;
    }
    pxr_query_read(body, len, fields, FIELDS);
    retry = strcmp(action, "retry") == 0;
    if ((!retry && strcmp(action, "drop") != 0) ||
        !pxr_meeting_id_valid(meeting, strlen(meeting))) {
        return refuse(r, HTTP_BAD_REQUEST, "The form must name a meeting, and retry or drop.");
    }
    return lead_back(r, call, apply(call, meeting, retry ? PXR_DELIVERY_RETRY : PXR_DELIVERY_DROP));
}
