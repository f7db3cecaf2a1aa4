#include "join.h"

#include <apr_strings.h>

bool pxr_wants_json(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept != NULL && strstr(accept, "text/html") == NULL &&
           (strstr(accept, "application/json") != NULL ||
            strstr(accept, "application/problem+json") != NULL);
}

static int explain(request_rec *r, int status, const char *title, const char *text, pxr_time_t when)
{
    char moment[PXR_TIME_TEXT];

    if (!pxr_wants_json(r)) {
        return pxr_reply_page(r, status, title, text, when);
    }
    if (when != 0) {
        pxr_time_format(when, moment);
        text = apr_pstrcat(r->pool, title, ": it begins at ", moment, NULL);
    }
    return pxr_reply_problem(r, status, text);
}

static int unknown(request_rec *r)
{
    apr_table_setn(r->notes, PXR_NOTE_RESULT, "join_unknown");
    return explain(r, HTTP_NOT_FOUND, "There is no such meeting",
                   "This link leads to no meeting. Perhaps it was not copied completely.", 0);
}

static int unavailable(request_rec *r)
{
    return explain(r, HTTP_SERVICE_UNAVAILABLE, "Please try again",
                   "The meeting cannot be looked up at present.", 0);
}

/* Why nobody can join; the verdict is not PXR_ADMIT. */
static int refuse(request_rec *r, const pxr_found_t *found)
{
    apr_table_setn(r->notes, PXR_NOTE_RESULT, "join_refused");
    switch (found->verdict) {
    case PXR_NOT_YET:
        return explain(r, HTTP_FORBIDDEN, "The meeting has not begun yet",
                       "This page leads to it by itself when it begins.", found->not_before);
    case PXR_CLOSED:
        return explain(r, HTTP_GONE, "The meeting is closed", "Nobody else can join this meeting.",
                       0);
    default:
        return explain(r, HTTP_GONE, "The meeting has ended",
                       "This meeting is over. Its link cannot be used again.", 0);
    }
}

static void read_query(pxr_visit_t *visit)
{
    enum { NAME, KEY, GUEST, FIELDS };
    request_rec *r = visit->r;
    char name[4 * PXR_NAME_CHARS + 1];
    char guest[2];
    pxr_query_field_t fields[FIELDS] = {
        [NAME] = {.name = "name", .value = name, .size = sizeof(name)},
        [KEY] = {.name = "k", .value = visit->host_key, .size = sizeof(visit->host_key)},
        [GUEST] = {.name = "guest", .value = guest, .size = sizeof(guest)},
    };

    pxr_read_arguments(r, fields, FIELDS);
    pxr_text_line(visit->name, sizeof(visit->name), name, fields[NAME].len);
    visit->guest = fields[GUEST].present && !visit->info;
}

/* The part behind the join marker: a key, perhaps with /info behind it. */
static bool read_path(pxr_visit_t *visit)
{
    const char *rest = visit->call->rest;
    size_t len = rest != NULL ? strcspn(rest, "/") : 0;

    if (len == 0) {
        return false;
    }
    visit->key = apr_pstrmemdup(visit->r->pool, rest, len);
    visit->info = strcmp(rest + len, "/info") == 0;
    return visit->info || rest[len] == '\0';
}

static const char *detail(const pxr_visit_t *visit, pxr_detail_t which)
{
    const char *text = visit->view.details.text[which];

    return text != NULL ? text : "";
}

/* The personal link was sent to nobody but the creator. */
static bool has_host_key(const pxr_visit_t *visit)
{
    const char *key = visit->found.host_key;

    return key[0] != '\0' &&
           pxr_secret_equal(visit->host_key, strlen(visit->host_key), key, strlen(key));
}

static void become_creator(const pxr_visit_t *visit, pxr_identity_t *who)
{
    const char *name = detail(visit, PXR_CREATOR_NAME);

    if (name[0] == '\0') {
        name = detail(visit, PXR_CREATOR_USERNAME);
    }
    who->proof = PXR_PROOF_GOOD;
    who->creator = true;
    /* Longer ones are nobody's who could be invited. */
    apr_cpystrn(who->user_id, detail(visit, PXR_CREATOR_ID), sizeof(who->user_id));
    pxr_text_line(who->name, sizeof(who->name), name, strlen(name));
}

static bool is_creator(const pxr_visit_t *visit, const char *user_id)
{
    const char *creator = detail(visit, PXR_CREATOR_ID);

    return creator[0] != '\0' && strcmp(creator, user_id) == 0;
}

static void recognise(pxr_visit_t *visit, bool by_key, pxr_identity_t *who)
{
    memset(who, 0, sizeof(*who));
    if (by_key) {
        become_creator(visit, who);
    } else if (visit->credentials.token[0] != '\0') {
        pxr_identity_ask(visit->r, visit->call, &visit->credentials, who);
        who->creator = who->proof == PXR_PROOF_GOOD && is_creator(visit, who->user_id);
    }
}

/* Whether a guest would stand before a locked door because nobody has opened it yet. */
static bool waits_for_host(const pxr_visit_t *visit)
{
    return visit->call->workspace->answer.locked && visit->found.guest_pin[0] != '\0' &&
           !visit->found.live;
}

static bool navigates(request_rec *r)
{
    const char *mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode");
    const char *accept = apr_table_get(r->headers_in, "Accept");

    /* Browsers that do not send the mode are older than it, or do not trust the connection. */
    return r->method_number == M_GET && (mode == NULL || strcmp(mode, "navigate") == 0) &&
           accept != NULL && strstr(accept, "text/html") != NULL;
}

/* Whether a page of another site has this loaded inside or beside itself, by a browser that says
 * so. Nobody has decided to go to the meeting then, so the session that the browser sends along is
 * not looked at. */
static bool is_embedded(request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *dest = apr_table_get(r->headers_in, "Sec-Fetch-Dest");

    return site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 &&
           dest != NULL && strcmp(dest, "document") != 0;
}

static void put_discussion(const pxr_visit_t *visit, pxr_buf_t *out)
{
    const pxr_workspace_t *w = visit->call->workspace;

    /* Also for those who are not known: the chat asks them to log in, and shows them nothing that
     * they may not see. */
    if (w->persistent_chat && visit->view.details.len[PXR_DISCUSSION_ID] > 0 &&
        !pxr_link_discussion(out, w->site_url, detail(visit, PXR_DISCUSSION_TYPE),
                             detail(visit, PXR_DISCUSSION_NAME))) {
        out->len = 0;
        out->data[0] = '\0';
    }
}

/* Sends the visitor to the web app. */
static int lead(const pxr_visit_t *visit, const pxr_identity_t *who)
{
    const pxr_workspace_t *w = visit->call->workspace;
    request_rec *r = visit->r;
    bool known = who->proof == PXR_PROOF_GOOD;
    char discussion[PXR_ORIGIN_MAX + 8 * PXR_NAME_CHARS];
    char *url = apr_palloc(r->pool, HUGE_STRING_LEN);
    pxr_visitor_t visitor = {.pin = who->creator ? visit->found.host_pin : visit->found.guest_pin,
                             .name = known && who->name[0] != '\0' ? who->name : visit->name,
                             .discussion = discussion};
    pxr_buf_t buf;

    pxr_buf_init(&buf, discussion, sizeof(discussion));
    put_discussion(visit, &buf);
    pxr_buf_init(&buf, url, HUGE_STRING_LEN);
    pxr_link_personal(&buf, w->base_url, w->meeting_path, visit->found.id, &visitor);
    if (buf.overflow) {
        return unknown(r);
    }
    if (known && !r->header_only) {
        pxr_invite_to_chat(r, visit->call, &visit->found, who->user_id);
    }
    apr_table_setn(r->notes, PXR_NOTE_RESULT, who->creator ? "join_host" : "join_guest");
    pxr_store_count(visit->call->store, w->number, PXR_COUNT_JOINS, 1);
    if (visit->by_script) {
        return pxr_reply_json(r, HTTP_OK, pxr_json_write_visit(url, who->creator, known));
    }
    apr_table_setn(r->headers_out, "Location", url);
    return pxr_reply_empty(r, HTTP_SEE_OTHER);
}

static int retry_later(const pxr_visit_t *visit)
{
    return visit->by_script || pxr_wants_json(visit->r)
               ? pxr_reply_problem(visit->r, HTTP_SERVICE_UNAVAILABLE,
                                   "Rocket.Chat cannot be asked at present who you are")
               : pxr_join_retry_page(visit);
}

static int show_info(const pxr_visit_t *visit, const pxr_identity_t *who)
{
    switch (who->proof) {
    case PXR_PROOF_GOOD:
        return pxr_join_info(visit, who->creator);
    case PXR_PROOF_UNKNOWN:
        return retry_later(visit);
    default:
        return visit->by_script || pxr_wants_json(visit->r)
                   ? pxr_reply_problem(visit->r, HTTP_FORBIDDEN,
                                       "only who is known to Rocket.Chat may see this")
                   : pxr_join_stranger_page(visit);
    }
}

static int welcome(pxr_visit_t *visit, bool by_key)
{
    const pxr_workspace_t *w = visit->call->workspace;
    pxr_identity_t who;

    recognise(visit, by_key, &who);
    if (visit->info) {
        return show_info(visit, &who);
    }
    if (who.proof == PXR_PROOF_UNKNOWN && waits_for_host(visit) &&
        is_creator(visit, visit->credentials.user_id)) {
        return retry_later(visit);
    }
    if (who.proof == PXR_PROOF_NONE && !visit->guest && navigates(visit->r) &&
        pxr_identity_on_site(visit->r, w)) {
        return pxr_join_ask_page(visit);
    }
    return lead(visit, &who);
}

/* What the body says counts before the cookies: it was asked for, they come by themselves. False
 * where the request has been answered, with *reply. */
static bool read_post(pxr_visit_t *visit, int *reply)
{
    const pxr_workspace_t *w = visit->call->workspace;
    request_rec *r = visit->r;
    const char *why;
    int status = pxr_join_read_body(visit, &why);

    if (status != OK) {
        *reply = status == HTTP_BAD_REQUEST || status == HTTP_REQUEST_ENTITY_TOO_LARGE
                     ? pxr_reply_problem(r, status, why)
                     : status;
        return false;
    }
    if ((visit->posted || apr_table_get(r->headers_in, "Origin") != NULL) &&
        !pxr_identity_from_site(r, w)) {
        *reply = pxr_reply_problem(r, HTTP_FORBIDDEN, "the request was made by another site");
        return false;
    }
    return true;
}

static int visit_meeting(pxr_visit_t *visit)
{
    const pxr_call_t *call = visit->call;
    request_rec *r = visit->r;
    bool by_key;
    int reply;

    if (r->method_number == M_POST && !read_post(visit, &reply)) {
        return reply;
    }
    if (!visit->guest && !visit->posted && !is_embedded(r)) {
        pxr_identity_cookies(r, &visit->credentials);
    }
    by_key = !visit->guest && has_host_key(visit);
    /* Most visitors are strangers to meetings without a chat: nothing of theirs has to be read. */
    if ((by_key || visit->credentials.token[0] != '\0' || call->workspace->persistent_chat) &&
        pxr_store_read(call->store, call->workspace->number, visit->found.ref, &visit->view) !=
            PXR_OK) {
        return unavailable(r);
    }
    return welcome(visit, by_key);
}

int pxr_handle_join(request_rec *r, const pxr_call_t *call)
{
    pxr_visit_t visit = {.r = r, .call = call};
    int reply;

    /* PINs stand in the address that we lead to. */
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (r->method_number != M_GET && r->method_number != M_POST) {
        return pxr_reply_method(r, "GET, HEAD, POST");
    }
    if (!read_path(&visit) ||
        pxr_find(call, true, visit.key, strlen(visit.key), &visit.found, NULL, 0) != PXR_OK) {
        return unknown(r);
    }
    apr_table_setn(r->notes, PXR_NOTE_MEETING, apr_pstrdup(r->pool, visit.found.id));
    if (visit.found.verdict != PXR_ADMIT) {
        return refuse(r, &visit.found);
    }
    pxr_store_see(call->store, call->workspace->number, PXR_SEEN_JOIN, r->request_time);
    read_query(&visit);
    reply = visit_meeting(&visit);
    pxr_view_release(&visit.view);
    return reply;
}
