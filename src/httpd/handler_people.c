#include "history.h"

#include <string.h>

/* DELETE api/v1/people/<user id or name>: takes one person out of the history. */

/* A name that a path cannot carry, because it contains slashes or dots only, may stand in the
 * query. NULL, or what is wrong. */
static const char *read_who(request_rec *r, const char *rest, pxr_removal_t *removal)
{
    pxr_query_field_t field = {.name = "name", .value = removal->who, .size = sizeof(removal->who)};
    size_t len = strlen(rest);

    if (len == 0) {
        pxr_read_arguments(r, &field, 1);
        len = field.len;
    } else if (len < sizeof(removal->who) && pxr_utf8_valid(rest, len)) {
        memcpy(removal->who, rest, len + 1);
    }
    if (removal->who[0] == '\0' || pxr_utf8_count(removal->who, len) > PXR_NAME_CHARS) {
        return "the user id or name must have 1 to 250 characters of UTF-8";
    }
    return NULL;
}

static int reply_later(request_rec *r, const char *what)
{
    return pxr_reply_json(r, HTTP_ACCEPTED, pxr_json_write_note(what));
}

static int reply_removed(request_rec *r, const pxr_removed_t *removed)
{
    if (!removed->known) {
        return pxr_reply_problem(r, HTTP_NOT_FOUND, "the history knows nobody of that id or name");
    }
    /* Whom it was about is what shall not be known any more. */
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "PXR1061: user '%s' takes a person out of the history%s",
                  r->user != NULL ? r->user : "", removed->done ? "" : ", which goes on");
    if (!removed->done) {
        return reply_later(r, "the history is long: the rest is done within minutes");
    }
    if (removed->running) {
        return reply_later(r, "meetings that are not over follow within ten minutes of their end");
    }
    return pxr_reply_empty(r, HTTP_NO_CONTENT);
}

int pxr_handle_people(request_rec *r, const pxr_call_t *call, const char *rest)
{
    pxr_removal_t removal = {.asked_at = pxr_time_now()};
    pxr_removed_t removed = {.known = false};
    char why[PXR_WHY_MAX + 1];
    const char *refusal;
    pxr_reading_t outcome;
    int reply;

    if (r->method_number != M_DELETE) {
        return pxr_reply_method(r, "DELETE");
    }
    refusal = read_who(r, rest, &removal);
    if (refusal != NULL) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, refusal);
    }
    if (!pxr_history_is_there(r, call, &reply)) {
        return reply;
    }
    pxr_text_copy(removal.workspace, sizeof(removal.workspace), call->workspace->site_url,
                  strlen(call->workspace->site_url));
    /* What stands in everybody's place is nobody. */
    if (strcmp(removal.who, PXR_NOBODY) == 0) {
        return reply_removed(r, &removed);
    }
    outcome = pxr_history_remove(&removal, &removed, why, sizeof(why));
    return outcome == PXR_READING_DONE ? reply_removed(r, &removed)
                                       : pxr_history_refuse(r, outcome, why);
}
