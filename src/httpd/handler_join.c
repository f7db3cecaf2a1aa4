#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_query.h"

static bool wants_json(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept != NULL && strstr(accept, "text/html") == NULL &&
           (strstr(accept, "application/json") != NULL ||
            strstr(accept, "application/problem+json") != NULL);
}

static int explain(request_rec *r, int status, const char *title, const char *text, pxr_time_t when)
{
    return wants_json(r) ? pxr_reply_problem(r, status, text)
                         : pxr_reply_page(r, status, title, text, when);
}

static int unknown(request_rec *r)
{
    return explain(r, HTTP_NOT_FOUND, "There is no such meeting",
                   "This link leads to no meeting. Perhaps it was not copied completely.", 0);
}

/* The display name that the link proposes: anybody may have written it. */
static size_t proposed_name(request_rec *r, char *name, size_t size)
{
    char value[4 * PXR_NAME_CHARS + 1];
    pxr_query_field_t field = {.name = "name", .value = value, .size = sizeof(value)};

    pxr_query_read(r->args, r->args != NULL ? strlen(r->args) : 0, &field, 1);
    return pxr_text_line(name, size, value, field.len);
}

static int redirect(request_rec *r, const pxr_workspace_t *w, const pxr_found_t *found)
{
    char name[PXR_PEXIP_TEXT_MAX + 1];
    char *url = apr_palloc(r->pool, HUGE_STRING_LEN);
    pxr_visitor_t visitor = {.pin = found->guest_pin, .name = name};
    pxr_buf_t buf;

    proposed_name(r, name, sizeof(name));
    pxr_buf_init(&buf, url, HUGE_STRING_LEN);
    pxr_link_personal(&buf, w->base_url, w->meeting_path, found->id, &visitor);
    if (buf.overflow) {
        return unknown(r);
    }
    apr_table_setn(r->headers_out, "Location", url);
    return pxr_reply_empty(r, HTTP_SEE_OTHER);
}

int pxr_handle_join(request_rec *r, const pxr_call_t *call)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_found_t found;

    /* PINs stand in the address that we lead to. */
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (r->method_number != M_GET && r->method_number != M_POST) {
        return pxr_reply_method(r, "GET, HEAD, POST");
    }
    if (call->rest == NULL ||
        pxr_find(call, true, call->rest, strlen(call->rest), &found, NULL, 0) != PXR_OK) {
        return unknown(r);
    }
    switch (found.verdict) {
    case PXR_ADMIT:
        pxr_store_count(call->store, w->number, PXR_COUNT_JOINS, 1);
        return redirect(r, w, &found);
    case PXR_NOT_YET:
        return explain(r, HTTP_FORBIDDEN, "The meeting has not begun yet",
                       "Please open this link again when it begins.", found.not_before);
    case PXR_CLOSED:
        return explain(r, HTTP_GONE, "The meeting is closed", "Nobody else can join this meeting.",
                       0);
    case PXR_ENDED:
        break;
    }
    return explain(r, HTTP_GONE, "The meeting has ended",
                   "This meeting is over. Its link cannot be used again.", 0);
}
