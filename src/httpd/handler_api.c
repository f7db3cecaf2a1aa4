#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_alias.h"
#include "pxr_random.h"

/* The address of what is `id` below the one that is asked. */
static const char *address_below(request_rec *r, const char *id)
{
    size_t len = strlen(r->uri);
    const char *path;

    while (len > 1 && r->uri[len - 1] == '/') {
        len--;
    }
    path = ap_escape_uri(r->pool, apr_pstrmemdup(r->pool, r->uri, len));
    return ap_construct_url(r->pool, apr_pstrcat(r->pool, path, "/", id, NULL), r);
}

static int reply_view(request_rec *r, const pxr_call_t *call, pxr_ref_t ref, int status)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_view_t view;
    pxr_status_t result = pxr_store_read(call->store, w->number, ref, &view);
    int reply;

    if (result != PXR_OK) {
        pxr_view_release(&view);
        return pxr_reply_status(r, result);
    }
    if (status == HTTP_CREATED) {
        apr_table_setn(r->headers_out, "Location", address_below(r, view.id));
    }
    reply = pxr_reply_json(r, status, pxr_json_write_meeting(&view, w->join_prefix));
    pxr_view_release(&view);
    return reply;
}

static int refuse_creation(request_rec *r, const pxr_call_t *call, pxr_status_t status)
{
    switch (status) {
    case PXR_TAKEN:
        return pxr_reply_problem(r, HTTP_CONFLICT,
                                 "id is another meeting's number or the name of its room");
    case PXR_TOO_LONG:
        return pxr_reply_problem(r, HTTP_CONFLICT,
                                 "the meeting of this room has as many calls as it can have");
    case PXR_INVALID:
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE, "no numeric alias is free");
    case PXR_BUSY:
        if (pxr_store_kept(call->store) != PXR_KEEP_NOTHING) {
            return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE, "the database does not answer");
        }
        break;
    default:
        break;
    }
    return pxr_reply_status(r, status);
}

static int create_meeting(request_rec *r, const pxr_call_t *call, const pxr_create_request_t *in)
{
    pxr_wish_t wish = {.id = in->id,
                       .details = in->details,
                       .not_before = in->not_before,
                       .not_after = in->not_after,
                       .call = true,
                       .shown = in->call};
    bool created;
    pxr_ref_t ref;
    pxr_status_t status = pxr_create_meeting(r, call, &wish, &ref, &created);

    if (status != PXR_OK) {
        return refuse_creation(r, call, status);
    }
    pxr_store_see(call->store, call->workspace->number, PXR_SEEN_CREATION, r->request_time);
    return reply_view(r, call, ref, created ? HTTP_CREATED : HTTP_OK);
}

static int post_meeting(request_rec *r, const pxr_call_t *call)
{
    char sentence[320];
    pxr_create_request_t in;
    pxr_buf_t why;
    int reply;
    pxr_json_doc_t *doc = pxr_read_json(r, false, &reply);

    if (doc == NULL) {
        return reply;
    }
    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (pxr_json_read_create(doc, pxr_time_now(), &in, &why) != PXR_OK) {
        reply = pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
    } else {
        reply = create_meeting(r, call, &in);
    }
    pxr_json_free(doc);
    return reply;
}

static const char *state_name(int state)
{
    return pxr_meeting_state_name((uint32_t)state);
}

/* NULL, or what is wrong. `room` stays in use by the query. */
static const char *read_list_query(request_rec *r, pxr_list_query_t *query, char *room,
                                   size_t room_size)
{
    enum { STATE, ROOM, LIMIT, AFTER, FIELDS };
    char state[64];
    char limit[20];
    char after[24];
    apr_int64_t number;
    pxr_query_field_t fields[FIELDS] = {
        [STATE] = {.name = "state", .value = state, .size = sizeof(state)},
        [ROOM] = {.name = "room", .value = room, .size = room_size},
        [LIMIT] = {.name = "limit", .value = limit, .size = sizeof(limit)},
        [AFTER] = {.name = "after", .value = after, .size = sizeof(after)},
    };

    memset(query, 0, sizeof(*query));
    query->limit = PXR_LIST_LIMIT_DEFAULT;
    pxr_read_arguments(r, fields, FIELDS);
    if (fields[STATE].bad || !pxr_read_words(state, state_name, PXR_MEETING_OPEN,
                                             PXR_MEETING_ENDED + 1, query->states)) {
        return "state must be a list of open, live, ended";
    }
    if (fields[STATE].len == 0) {
        for (int i = PXR_MEETING_OPEN; i <= PXR_MEETING_ENDED; i++) {
            query->states[i] = true;
        }
    }
    if (fields[ROOM].bad) {
        return "room must be the id of a room";
    }
    query->room_id = fields[ROOM].len > 0 ? room : NULL;
    if (fields[LIMIT].present) {
        if (!pxr_read_count(limit, 1, PXR_LIST_LIMIT_MAX, &number)) {
            return "limit must be a whole number from 1 to 1000";
        }
        query->limit = (size_t)number;
    }
    if (fields[AFTER].present && fields[AFTER].len > 0) {
        if (!pxr_read_count(after, 1, APR_INT64_MAX, &number)) {
            return "after must be the value of next of the page before";
        }
        query->before = number;
    }
    return fields[AFTER].bad ? "after must be the value of next of the page before" : NULL;
}

static int list_meetings(request_rec *r, const pxr_call_t *call)
{
    const pxr_workspace_t *w = call->workspace;
    char room[4 * PXR_ID_CHARS + 1];
    char next[24];
    pxr_list_query_t query;
    pxr_json_list_t *list;
    pxr_ref_t *refs;
    pxr_time_t *created;
    size_t count;
    bool more;
    const char *why = read_list_query(r, &query, room, sizeof(room));

    if (why != NULL) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, why);
    }
    refs = apr_palloc(r->pool, query.limit * sizeof(*refs));
    created = apr_palloc(r->pool, query.limit * sizeof(*created));
    list = pxr_json_list_new();
    if (list == NULL) {
        return pxr_reply_status(r, PXR_BROKEN);
    }
    count = pxr_store_list(call->store, w->number, &query, refs, created, &more);
    for (size_t i = 0; i < count; i++) {
        pxr_view_t view;
        pxr_status_t status = pxr_store_read(call->store, w->number, refs[i], &view);
        if (status == PXR_OK) {
            pxr_json_list_add(list, &view, w->join_prefix);
        }
        pxr_view_release(&view);
        /* One that went meanwhile is left out; if the store cannot be read, so is the answer. */
        if (status != PXR_OK && status != PXR_MISSING) {
            pxr_json_text_free(pxr_json_list_end(list, NULL));
            return pxr_reply_status(r, status);
        }
    }
    if (more && count > 0) {
        apr_snprintf(next, sizeof(next), "%" APR_INT64_T_FMT, (apr_int64_t)created[count - 1]);
    }
    return pxr_reply_json(r, HTTP_OK, pxr_json_list_end(list, more && count > 0 ? next : NULL));
}

static bool is_creator(const pxr_view_t *view, const char *user_id)
{
    return user_id != NULL && user_id[0] != '\0' && view->details.len[PXR_CREATOR_ID] > 0 &&
           strcmp(user_id, view->details.text[PXR_CREATOR_ID]) == 0;
}

/* NULL where the meeting has no chat beside it. */
static const char *discussion_of(request_rec *r, const pxr_workspace_t *w, const pxr_view_t *view)
{
    char *url = apr_palloc(r->pool, HUGE_STRING_LEN);
    pxr_buf_t buf;

    pxr_buf_init(&buf, url, HUGE_STRING_LEN);
    return w->persistent_chat && view->details.len[PXR_DISCUSSION_ID] > 0 &&
                   pxr_link_discussion(&buf, w->site_url, view->details.text[PXR_DISCUSSION_TYPE],
                                       view->details.text[PXR_DISCUSSION_NAME])
               ? url
               : NULL;
}

static int post_link(request_rec *r, const pxr_call_t *call, const pxr_found_t *found)
{
    const pxr_workspace_t *w = call->workspace;
    char *url = apr_palloc(r->pool, HUGE_STRING_LEN);
    char sentence[320];
    pxr_link_request_t in;
    pxr_visitor_t visitor;
    pxr_buf_t buf;
    pxr_view_t view;
    pxr_status_t status;
    bool host;
    int reply;
    pxr_json_doc_t *doc = pxr_read_json(r, false, &reply);

    if (doc == NULL) {
        return reply;
    }
    pxr_buf_init(&buf, sentence, sizeof(sentence));
    if (pxr_json_read_link(doc, &in, &buf) != PXR_OK) {
        pxr_json_free(doc);
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
    }
    if (found->verdict == PXR_ENDED || found->verdict == PXR_CLOSED) {
        pxr_json_free(doc);
        return pxr_reply_problem(r, HTTP_GONE, "nobody can join this meeting any more");
    }
    status = pxr_store_read(call->store, w->number, found->ref, &view);
    if (status != PXR_OK) {
        pxr_view_release(&view);
        pxr_json_free(doc);
        return pxr_reply_status(r, status);
    }
    host = in.has_role ? in.host : is_creator(&view, in.user_id);
    visitor = (pxr_visitor_t){.pin = host ? view.host_pin : view.guest_pin,
                              .name = in.name,
                              .discussion = discussion_of(r, w, &view),
                              .mute_microphone = in.mute_microphone,
                              .mute_camera = in.mute_camera};
    pxr_buf_init(&buf, url, HUGE_STRING_LEN);
    pxr_link_personal(&buf, w->base_url, w->meeting_path, view.id, &visitor);
    if (!buf.overflow && in.user_id != NULL && in.user_id[0] != '\0') {
        /* The companion app tells who Rocket.Chat itself has recognised. */
        pxr_invite_to_chat(r, call, found, in.user_id);
    }
    reply = buf.overflow ? pxr_reply_problem(r, HTTP_BAD_REQUEST, "user.name is too long")
                         : pxr_reply_json(r, HTTP_OK, pxr_json_write_link(url, host));
    pxr_view_release(&view);
    pxr_json_free(doc);
    return reply;
}

static int delete_meeting(request_rec *r, const pxr_call_t *call, const pxr_found_t *found)
{
    pxr_status_t status = pxr_close_meeting(call, found->ref);

    return status == PXR_OK ? pxr_reply_empty(r, HTTP_NO_CONTENT) : pxr_reply_status(r, status);
}

/* Ids are exact here: only what people dial is forgiven its case. */
bool pxr_find_meeting(const pxr_call_t *call, const char *id, size_t len, pxr_found_t *found)
{
    return pxr_find(call, false, id, len, found, NULL, 0) == PXR_OK &&
           (found->matched == PXR_NAME_CALL ||
            (strlen(found->id) == len && memcmp(found->id, id, len) == 0));
}

/* What one user may know about the ways in. */
static int post_info(request_rec *r, const pxr_call_t *call, const pxr_found_t *found)
{
    const pxr_workspace_t *w = call->workspace;
    char sentence[320];
    const char *user = NULL;
    pxr_info_t info;
    pxr_buf_t why;
    pxr_view_t view;
    pxr_status_t status;
    int reply;
    pxr_json_doc_t *doc = pxr_read_json(r, false, &reply);

    if (doc == NULL) {
        return reply;
    }
    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (pxr_json_read_info(doc, &user, &why) != PXR_OK) {
        pxr_json_free(doc);
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
    }
    status = pxr_store_read(call->store, w->number, found->ref, &view);
    if (status == PXR_OK) {
        pxr_fill_info(r->pool, w, &view, is_creator(&view, user), &info);
        info.join_url = apr_pstrcat(r->pool, w->join_prefix, view.join_key, NULL);
        reply = pxr_reply_json(r, HTTP_OK, pxr_json_write_info(&info));
    } else {
        reply = pxr_reply_status(r, status);
    }
    pxr_view_release(&view);
    pxr_json_free(doc);
    return reply;
}

static int one_meeting(request_rec *r, const pxr_call_t *call, const char *path)
{
    size_t len = strcspn(path, "/");
    const char *rest = path + len;
    bool links = strcmp(rest, "/links") == 0;
    bool info = strcmp(rest, "/info") == 0;
    pxr_found_t found;

    if ((rest[0] != '\0' && !links && !info) || !pxr_find_meeting(call, path, len, &found)) {
        return pxr_reply_status(r, PXR_MISSING);
    }
    if ((links || info) && r->method_number != M_POST) {
        return pxr_reply_method(r, "POST");
    }
    if (links || info) {
        return links ? post_link(r, call, &found) : post_info(r, call, &found);
    }
    if (r->method_number == M_GET) {
        return reply_view(r, call, found.ref, HTTP_OK);
    }
    if (r->method_number == M_DELETE) {
        return delete_meeting(r, call, &found);
    }
    return pxr_reply_method(r, "GET, HEAD, DELETE");
}

static int meetings(request_rec *r, const pxr_call_t *call, const char *rest)
{
    if (rest[0] != '\0') {
        return one_meeting(r, call, rest);
    }
    if (r->method_number == M_GET) {
        return list_meetings(r, call);
    }
    return r->method_number == M_POST ? post_meeting(r, call)
                                      : pxr_reply_method(r, "GET, HEAD, POST");
}

/* What follows `name` and its slashes; NULL where the path is about something else. */
static const char *below(const char *path, const char *name)
{
    size_t len = strlen(name);

    if (path == NULL || strncmp(path, name, len) != 0 || (path[len] != '\0' && path[len] != '/')) {
        return NULL;
    }
    return path + len + strspn(path + len, "/");
}

int pxr_handle_api(request_rec *r, const pxr_call_t *call)
{
    const char *history = below(call->rest, "history");
    const char *deliveries = below(call->rest, "deliveries");
    const char *people = below(call->rest, "people");
    const char *scheduling = below(call->rest, "scheduling");
    const char *rest = below(call->rest, "meetings");

    if (r->method_number != M_GET && pxr_origin_is_foreign(r, call->workspace)) {
        return pxr_reply_problem(r, HTTP_FORBIDDEN, "the request was made by another site");
    }
    if (history != NULL && history[0] == '\0') {
        return pxr_handle_history(r, call);
    }
    if (deliveries != NULL) {
        return pxr_handle_deliveries(r, call, deliveries);
    }
    if (people != NULL) {
        return pxr_handle_people(r, call, people);
    }
    if (scheduling != NULL) {
        return pxr_handle_scheduling(r, call, scheduling);
    }
    return rest != NULL ? meetings(r, call, rest)
                        : pxr_reply_problem(r, HTTP_NOT_FOUND, "there is nothing at this address");
}
