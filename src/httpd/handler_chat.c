#include "pxr_httpd.h"

#include "pxr_alias.h"
#include "pxr_chat.h"
#include "pxr_foreign.h"

/* Tells the plugin of the web app where the chat of a meeting is, while somebody is in that
 * meeting. Anybody may ask, so the answer is the same for what does not exist, what is over or has
 * not begun, and what has no chat; and nothing is made for an alias unless a node says that it is
 * in use. */

#define URL_SIZE (2 * PXR_ORIGIN_MAX + 8 * PXR_NAME_CHARS)

typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    pxr_alias_t alias;
    int64_t until; /* by the steady clock */
    char url[URL_SIZE];
} ask_t;

typedef enum { CHAT_UNKNOWN, CHAT_COMING, CHAT_THERE } chat_t;

/* What the plugin's page, on the address of the Conferencing Nodes, sends; or, where httpd stands
 * in front of those, one of its own. Programs other than browsers send neither header. */
static bool may_ask(request_rec *r, const pxr_workspace_t *w)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *fetch = apr_table_get(r->headers_in, "Sec-Fetch-Site");

    if (origin != NULL) {
        return strcmp(origin, w->base_url) == 0;
    }
    return fetch == NULL || strcmp(fetch, "same-origin") == 0 || strcmp(fetch, "none") == 0;
}

static void allow_origin(request_rec *r, const pxr_workspace_t *w)
{
    if (apr_table_get(r->headers_in, "Origin") != NULL) {
        apr_table_setn(r->headers_out, "Access-Control-Allow-Origin", w->base_url);
        apr_table_setn(r->headers_out, "Access-Control-Expose-Headers", "Retry-After");
    }
}

static int answer_preflight(request_rec *r)
{
    apr_table_setn(r->headers_out, "Access-Control-Allow-Methods", "GET");
    apr_table_setn(r->headers_out, "Access-Control-Max-Age", "600");
    return pxr_reply_empty(r, HTTP_NO_CONTENT);
}

static int answer(request_rec *r, chat_t chat, const char *url)
{
    char text[URL_SIZE + 16];
    int status = HTTP_NOT_FOUND;
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_puts(&buf, "{");
    if (chat == CHAT_THERE) {
        status = HTTP_OK;
        pxr_buf_puts(&buf, "\"url\":");
        pxr_buf_put_json(&buf, url, strlen(url));
    } else if (chat == CHAT_COMING) {
        status = HTTP_SERVICE_UNAVAILABLE;
        apr_table_setn(r->headers_out, "Retry-After", "2");
    }
    pxr_buf_puts(&buf, "}");
    return pxr_reply(r, status, "application/json", buf.data, buf.len);
}

/* Whether everybody has gone from a meeting that takes nobody in any more. */
static bool is_deserted(const pxr_view_t *view)
{
    return view->life.closed && view->life.present == 0 && !pxr_chat_is_record(view->id);
}

/* What is known of the chat now, and the task of making it. */
static chat_t read_chat(ask_t *ask, pxr_ref_t ref, pxr_task_t *task)
{
    const pxr_workspace_t *w = ask->call->workspace;
    pxr_view_t view;
    pxr_status_t status = pxr_store_read(ask->call->store, w->number, ref, &view);
    chat_t chat = status == PXR_OK || status == PXR_MISSING ? CHAT_UNKNOWN : CHAT_COMING;
    pxr_buf_t buf;

    memset(task, 0, sizeof(*task));
    if (status == PXR_OK && !is_deserted(&view)) {
        *task = view.told.task[PXR_TASK_DISCUSSION];
        pxr_buf_init(&buf, ask->url, sizeof(ask->url));
        if (view.details.len[PXR_DISCUSSION_ID] == 0) {
            chat = task->state == PXR_TASK_WAITING ? CHAT_COMING : CHAT_UNKNOWN;
        } else if (pxr_link_discussion(&buf, w->site_url, view.details.text[PXR_DISCUSSION_TYPE],
                                       view.details.text[PXR_DISCUSSION_NAME])) {
            chat = CHAT_THERE;
        }
    }
    pxr_view_release(&view);
    return chat;
}

/* Waits for a chat that has just been asked for; not for one with which something is wrong, and not
 * where too many wait for others already. */
static chat_t await_chat(ask_t *ask, pxr_ref_t ref)
{
    const pxr_call_t *call = ask->call;
    pxr_task_t task;
    chat_t chat = read_chat(ask, ref, &task);
    int place;

    if (chat != CHAT_COMING || task.state != PXR_TASK_WAITING || task.reason != PXR_REASON_NONE) {
        return chat;
    }
    place = pxr_outside_enter(call, PXR_FOR_STRANGERS);
    if (place >= 0) {
        pxr_store_await_task(call->store, call->workspace->number, ref, PXR_TASK_DISCUSSION,
                             ask->until - pxr_time_steady(), &task);
        pxr_outside_leave(call, place);
        chat = read_chat(ask, ref, &task);
    }
    return chat;
}

/* The record of today. */
static pxr_status_t find_record(const ask_t *ask, const pxr_foreign_t *conference, pxr_ref_t *ref)
{
    const pxr_call_t *call = ask->call;
    const pxr_workspace_t *w = call->workspace;
    pxr_time_t now = pxr_time_now();
    char id[PXR_CHAT_RECORD_ID_LEN + 1];
    pxr_status_t status = PXR_BUSY;
    pxr_found_t found;
    int place;

    pxr_chat_record_id(w->rest_token, w->scheduled_room, conference->conference, now, id);
    if (pxr_store_find(call->store, w->number, false, id, strlen(id), now, &found, NULL, 0) ==
        PXR_OK) {
        *ref = found.ref;
        return PXR_OK;
    }
    place = pxr_outside_enter(call, PXR_FOR_STRANGERS);
    if (place >= 0) {
        status = pxr_create_chat_record(ask->r, call, id, conference->alias, ref);
        pxr_outside_leave(call, place);
    }
    return status;
}

/* What Rocket.Chat has refused may have been put right since. */
static void want_again(const ask_t *ask, pxr_ref_t ref)
{
    const pxr_call_t *call = ask->call;
    uint32_t number = call->workspace->number;
    pxr_time_t now = pxr_time_now();
    pxr_told_t told;
    pxr_task_t task;

    if (pxr_store_told(call->store, number, ref, &told) != PXR_OK) {
        return;
    }
    task = told.task[PXR_TASK_DISCUSSION];
    if (task.state == PXR_TASK_FAILED && task.changed_at + PXR_CHAT_RETRY < now &&
        pxr_task_retry(&task, now)) {
        /* If somebody else was quicker, his word is as good. */
        (void)pxr_store_note_task(call->store, number, ref, PXR_TASK_DISCUSSION, &task,
                                  told.task[PXR_TASK_DISCUSSION].version);
    }
}

/* A conference that is none of our meetings. */
static chat_t look_abroad(ask_t *ask)
{
    const pxr_call_t *call = ask->call;
    const pxr_workspace_t *w = call->workspace;
    pxr_foreign_t conference;
    pxr_ref_t ref;

    if (w->scheduled_room == NULL || w->rest_user == NULL ||
        pxr_store_kept(call->store) == PXR_KEEP_NOTHING ||
        !pxr_store_foreign_find(call->store, w->number, &ask->alias, pxr_time_steady(),
                                &conference)) {
        return CHAT_UNKNOWN;
    }
    if (find_record(ask, &conference, &ref) != PXR_OK) {
        return CHAT_COMING;
    }
    want_again(ask, ref);
    return await_chat(ask, ref);
}

static chat_t look(ask_t *ask)
{
    const pxr_call_t *call = ask->call;
    const pxr_workspace_t *w = call->workspace;
    pxr_found_t found;

    if (pxr_store_find(call->store, w->number, false, ask->alias.user, ask->alias.user_len,
                       pxr_time_now(), &found, NULL, 0) != PXR_OK ||
        pxr_chat_is_record(found.id) ||
        (found.matched == PXR_NAME_NUMBER &&
         !pxr_alias_domain_allowed(&ask->alias, w->sip_domains, w->sip_domain_count))) {
        return look_abroad(ask);
    }
    return found.live && w->persistent_chat ? await_chat(ask, found.ref) : CHAT_UNKNOWN;
}

/* Another machine may know more; whatever is asked for, so that the time it takes tells nothing. */
static bool await_others(const ask_t *ask)
{
    const pxr_call_t *call = ask->call;
    bool heard = false;
    int place;

    if (pxr_store_kept(call->store) != PXR_KEEP_SHARED) {
        return false;
    }
    place = pxr_outside_enter(call, PXR_FOR_STRANGERS);
    if (place >= 0) {
        heard = pxr_store_await_others(call->store, PXR_MISS_WAIT);
        pxr_outside_leave(call, place);
    }
    return heard;
}

static bool read_alias(request_rec *r, pxr_alias_t *out)
{
    char text[PXR_DIALLED_MAX + 1];
    pxr_query_field_t field = {.name = "alias", .value = text, .size = sizeof(text)};

    pxr_read_arguments(r, &field, 1);
    return pxr_alias_parse(field.value, field.len, out);
}

int pxr_handle_chat(request_rec *r, const pxr_call_t *call)
{
    ask_t ask = {.r = r, .call = call, .until = pxr_time_steady() + PXR_CHAT_WAIT};
    chat_t chat = CHAT_UNKNOWN;

    apr_table_mergen(r->headers_out, "Vary", "Origin");
    if (!may_ask(r, call->workspace)) {
        return pxr_reply_problem(r, HTTP_FORBIDDEN, "the request was made by another site");
    }
    allow_origin(r, call->workspace);
    if (!pxr_ends_at_marker(call)) {
        return answer(r, CHAT_UNKNOWN, NULL);
    }
    if (r->method_number == M_OPTIONS) {
        return answer_preflight(r);
    }
    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD, OPTIONS");
    }
    if (read_alias(r, &ask.alias)) {
        chat = look(&ask);
        if (chat == CHAT_UNKNOWN && await_others(&ask)) {
            chat = look(&ask);
        }
    }
    if (chat == CHAT_THERE) {
        pxr_store_see(call->store, call->workspace->number, PXR_SEEN_CHAT, r->request_time);
    }
    return answer(r, chat, ask.url);
}
