#include "pxr_httpd.h"

#include <apr_strings.h>

#include "messenger.h"
#include "pxr_webhook.h"

/* Rocket.Chat's outgoing webhook: what somebody writes in a room. What goes wrong is told to that
 * person, because nobody else reads the answer. */

/* How long a message of ours is waited for, before the answer says nothing about it. */
#define DELIVERY_WAIT (2 * PXR_SECOND)
#define LISTED 200

typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    const pxr_webhook_t *said;
    const pxr_webhook_request_t *wanted;
} hook_t;

/* Nothing is posted. */
static int silence(request_rec *r)
{
    return pxr_reply(r, HTTP_OK, "application/json", "{}", 2);
}

static int say(const hook_t *h, const pxr_rc_post_t *post)
{
    pxr_rc_post_t in_thread = *post;

    in_thread.thread_id = h->said->thread_id;
    return pxr_reply_json(h->r, HTTP_OK, pxr_rc_write_webhook(&in_thread));
}

static char *text_memory(const hook_t *h, pxr_buf_t *buf)
{
    char *memory = apr_palloc(h->r->pool, PXR_CHAT_TEXT_SIZE);

    pxr_buf_init(buf, memory, PXR_CHAT_TEXT_SIZE);
    return memory;
}

static int complain(const hook_t *h, pxr_webhook_problem_t problem)
{
    pxr_buf_t buf;
    pxr_rc_post_t post = {.text = text_memory(h, &buf)};

    pxr_webhook_put_problem(&buf, problem);
    return say(h, &post);
}

static pxr_webhook_problem_t problem_of(const pxr_call_t *call, pxr_status_t status)
{
    switch (status) {
    case PXR_FULL:
    case PXR_INVALID:
        return PXR_WEBHOOK_FULL;
    case PXR_BUSY:
        return pxr_store_kept(call->store) != PXR_KEEP_NOTHING ? PXR_WEBHOOK_DATABASE
                                                               : PXR_WEBHOOK_BROKEN;
    default:
        return PXR_WEBHOOK_BROKEN;
    }
}

static const char *join_url(const hook_t *h, const pxr_view_t *view)
{
    return apr_pstrcat(h->r->pool, h->call->workspace->join_prefix, view->join_key, NULL);
}

/* The answer is the message. */
static int say_meeting(const hook_t *h, const pxr_view_t *view)
{
    const char **names = apr_palloc(h->r->pool, (view->people_count + 1) * sizeof(*names));
    const char *url = join_url(h, view);
    pxr_chat_t chat = pxr_messenger_chat(h->call->workspace, view, url, 0, names);
    pxr_buf_t buf;
    pxr_rc_post_t post = {.text = text_memory(h, &buf), .button_text = "Join", .button_url = url};

    pxr_chat_put_answer(&buf, &chat);
    return say(h, &post);
}

/* Whether the room will hear of the meeting, or has, by a message of our own. */
static bool is_delivered(const hook_t *h, pxr_ref_t ref)
{
    const pxr_call_t *call = h->call;
    int place = pxr_outside_enter(call, PXR_FOR_KNOWN);
    pxr_task_t task;
    pxr_status_t status;

    /* Where many wait already the answer does not: the message comes all the same. */
    status = pxr_store_await_task(call->store, call->workspace->number, ref, PXR_TASK_MESSAGE,
                                  place >= 0 ? DELIVERY_WAIT : 0, &task);
    if (place >= 0) {
        pxr_outside_leave(call, place);
    }
    return status == PXR_OK && task.state != PXR_TASK_NONE && task.state != PXR_TASK_FAILED &&
           task.state != PXR_TASK_DROPPED;
}

static int after_creation(const hook_t *h, const char *id, pxr_ref_t ref, bool created)
{
    const pxr_call_t *call = h->call;
    pxr_view_t view;
    int reply;

    if (created && is_delivered(h, ref)) {
        return silence(h->r);
    }
    if (pxr_store_read(call->store, call->workspace->number, ref, &view) != PXR_OK) {
        reply = complain(h, PXR_WEBHOOK_BROKEN);
    } else if (!created && strcmp(view.id, id) == 0) {
        /* The same message again, at the same moment. */
        reply = silence(h->r);
    } else {
        reply = say_meeting(h, &view);
    }
    pxr_view_release(&view);
    return reply;
}

static void put_detail(pxr_wish_t *wish, pxr_detail_t which, const char *text)
{
    wish->details.text[which] = text;
    wish->details.len[which] = text != NULL ? strlen(text) : 0;
}

static int start(const hook_t *h)
{
    const pxr_call_t *call = h->call;
    const pxr_workspace_t *w = call->workspace;
    char id[PXR_MEETING_ID_OWN + 1];
    pxr_wish_t wish = {.id = id, .casual = true};
    pxr_found_t found;
    pxr_status_t status;
    pxr_ref_t ref;
    bool created;

    pxr_webhook_meeting_id(w->webhook_token, w->site_url, h->said->message_id,
                           strlen(h->said->message_id), id);
    if (pxr_find(call, false, id, strlen(id), &found, NULL, 0) == PXR_OK) {
        return silence(h->r);
    }
    put_detail(&wish, PXR_TITLE, h->wanted->title);
    put_detail(&wish, PXR_ROOM_ID, h->said->room_id);
    put_detail(&wish, PXR_ROOM_NAME, h->said->room_name);
    put_detail(&wish, PXR_CREATOR_ID, h->said->user_id);
    put_detail(&wish, PXR_CREATOR_USERNAME, h->said->username);
    put_detail(&wish, PXR_THREAD_ID, h->said->thread_id);
    wish.answered = pxr_store_room_is_closed(call->store, w->number, h->said->room_id,
                                             pxr_time_now() - PXR_ROOM_CLOSED);
    status = pxr_create_meeting(h->r, call, &wish, &ref, &created);
    return status == PXR_OK ? after_creation(h, id, ref, created)
                            : complain(h, problem_of(call, status));
}

/* Meetings of this room that have not ended, newest first. */
static size_t meetings_here(const hook_t *h, pxr_ref_t *refs)
{
    pxr_list_query_t query = {.room_id = h->said->room_id, .limit = LISTED};
    pxr_time_t *created = apr_palloc(h->r->pool, LISTED * sizeof(*created));
    bool more;

    query.states[PXR_MEETING_OPEN] = true;
    query.states[PXR_MEETING_LIVE] = true;
    return pxr_store_list(h->call->store, h->call->workspace->number, &query, refs, created, &more);
}

static bool is_callers(const hook_t *h, const pxr_view_t *view)
{
    return !view->life.closed && view->details.len[PXR_CREATOR_ID] > 0 &&
           strcmp(view->details.text[PXR_CREATOR_ID], h->said->user_id) == 0;
}

static int end_meeting(const hook_t *h, pxr_ref_t ref, const pxr_view_t *view)
{
    const pxr_call_t *call = h->call;
    bool people_stay = view->life.present > 0;
    pxr_status_t status = pxr_close_meeting(call, ref);
    pxr_buf_t buf;
    pxr_rc_post_t post = {.text = text_memory(h, &buf)};

    if (status != PXR_OK) {
        return complain(h, problem_of(call, status));
    }
    pxr_webhook_put_ended(&buf, view->details.text[PXR_TITLE], people_stay);
    return say(h, &post);
}

static int end(const hook_t *h)
{
    pxr_ref_t *refs = apr_palloc(h->r->pool, LISTED * sizeof(*refs));
    size_t count = meetings_here(h, refs);

    for (size_t i = 0; i < count; i++) {
        pxr_view_t view;
        pxr_status_t status =
            pxr_store_read(h->call->store, h->call->workspace->number, refs[i], &view);
        int reply = DECLINED;
        if (status == PXR_OK && is_callers(h, &view)) {
            reply = end_meeting(h, refs[i], &view);
        }
        pxr_view_release(&view);
        if (status != PXR_OK && status != PXR_MISSING) {
            return complain(h, problem_of(h->call, status));
        }
        if (reply != DECLINED) {
            return reply;
        }
    }
    return complain(h, PXR_WEBHOOK_NOTHING_TO_END);
}

static apr_status_t release_view(void *view)
{
    pxr_view_release(view);
    return APR_SUCCESS;
}

static int tell_status(const hook_t *h)
{
    apr_pool_t *p = h->r->pool;
    pxr_ref_t *refs = apr_palloc(p, LISTED * sizeof(*refs));
    size_t count = meetings_here(h, refs);
    pxr_chat_t *chats = apr_palloc(p, (count + 1) * sizeof(*chats));
    size_t known = 0;
    pxr_buf_t buf;
    pxr_rc_post_t post = {.text = text_memory(h, &buf)};

    for (size_t i = 0; i < count; i++) {
        pxr_view_t *view = apr_palloc(p, sizeof(*view));
        pxr_status_t status =
            pxr_store_read(h->call->store, h->call->workspace->number, refs[i], view);
        apr_pool_cleanup_register(p, view, release_view, apr_pool_cleanup_null);
        if (status == PXR_OK) {
            const char **names = apr_palloc(p, (view->people_count + 1) * sizeof(*names));
            chats[known++] =
                pxr_messenger_chat(h->call->workspace, view, join_url(h, view), 0, names);
        } else if (status != PXR_MISSING) {
            return complain(h, problem_of(h->call, status));
        }
    }
    pxr_webhook_put_status(&buf, chats, known, pxr_time_now());
    return say(h, &post);
}

static int help(const hook_t *h)
{
    pxr_buf_t buf;
    pxr_rc_post_t post = {.text = text_memory(h, &buf)};

    pxr_webhook_put_help(&buf, h->wanted->word, h->wanted->word_len);
    return say(h, &post);
}

/* What nobody who needs an answer has said. */
static bool is_ignored(const pxr_workspace_t *w, const pxr_webhook_t *said)
{
    return said->bot || (w->rest_user != NULL && strcmp(said->user_id, w->rest_user) == 0) ||
           pxr_webhook_is_stale(said->edited, said->timestamp, pxr_time_now());
}

static int obey(request_rec *r, const pxr_call_t *call, const pxr_webhook_t *said)
{
    pxr_webhook_request_t *wanted = apr_palloc(r->pool, sizeof(*wanted));
    hook_t h = {.r = r, .call = call, .said = said, .wanted = wanted};

    if (is_ignored(call->workspace, said)) {
        return silence(r);
    }
    pxr_webhook_read(wanted, said->text, strlen(said->text), said->trigger_word);
    switch (wanted->command) {
    case PXR_WEBHOOK_START:
        return start(&h);
    case PXR_WEBHOOK_END:
        return end(&h);
    case PXR_WEBHOOK_STATUS:
        return tell_status(&h);
    case PXR_WEBHOOK_HELP:
        return help(&h);
    default:
        return silence(r);
    }
}

static bool is_authentic(const pxr_workspace_t *w, const pxr_webhook_t *said)
{
    return said->token != NULL && pxr_secret_equal(said->token, strlen(said->token),
                                                   w->webhook_token, strlen(w->webhook_token));
}

static int refuse_token(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Token realm=\"webhook\"");
    return pxr_reply_problem(r, HTTP_UNAUTHORIZED, "token is not the one of this webhook");
}

static int read_and_obey(request_rec *r, const pxr_call_t *call, const pxr_json_doc_t *doc)
{
    char sentence[320];
    pxr_webhook_t said;
    pxr_buf_t why;
    pxr_status_t status;

    memset(&said, 0, sizeof(said));
    pxr_buf_init(&why, sentence, sizeof(sentence));
    status = pxr_rc_read_webhook(doc, &said, &why);
    if (!is_authentic(call->workspace, &said)) {
        return refuse_token(r);
    }
    pxr_store_see(call->store, call->workspace->number, PXR_SEEN_WEBHOOK, pxr_time_now());
    return status == PXR_OK ? obey(r, call, &said)
                            : pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
}

int pxr_handle_webhook(request_rec *r, const pxr_call_t *call)
{
    pxr_json_doc_t *doc;
    int reply;

    if (r->method_number != M_POST) {
        return pxr_reply_method(r, "POST");
    }
    if (!pxr_ends_at_marker(call)) {
        return pxr_reply_problem(r, HTTP_NOT_FOUND, "there is nothing at this address");
    }
    if (call->workspace->webhook_token == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PXR1036: pexip-rc-webhook believes nobody here: set " PXR_D_WEBHOOK_TOKEN
                      " to a file with the token of the outgoing webhook");
        return pxr_reply_problem(r, HTTP_INTERNAL_SERVER_ERROR, "the webhook is not set up here");
    }
    doc = pxr_read_json(r, true, &reply);
    if (doc == NULL) {
        return reply;
    }
    reply = read_and_obey(r, call, doc);
    pxr_json_free(doc);
    return reply;
}
