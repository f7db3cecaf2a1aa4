#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_alias.h"
#include "pxr_chat.h"
#include "pxr_query.h"

/* Room for the answer and the service tag behind it. */
typedef char answer_t[PXR_ANSWER_MAX + PXR_PEXIP_TEXT_MAX + 1];

static int send_json(request_rec *r, int status, const char *text, size_t len)
{
    return pxr_reply(r, status, "application/json", text, len);
}

static int not_ours(request_rec *r, const pxr_call_t *call)
{
    pxr_count_result(r, call, PXR_COUNT_POLICY_UNKNOWN);
    return send_json(r, HTTP_NOT_FOUND, pxr_answer_not_ours, strlen(pxr_answer_not_ours));
}

static int reject(request_rec *r, const pxr_call_t *call, const char *reason)
{
    char text[256];
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, sizeof(text));
    pxr_answer_render_reject(reason, &buf);
    pxr_count_result(r, call, PXR_COUNT_POLICY_REJECT);
    return send_json(r, HTTP_OK, buf.data, buf.len);
}

static int admit(request_rec *r, const pxr_call_t *call, const char *text, size_t len)
{
    pxr_count_result(r, call, PXR_COUNT_POLICY_CONTINUE);
    return send_json(r, HTTP_OK, text, len);
}

/* What is not ours may be another policy server's. */
static int ask_others(request_rec *r, const pxr_call_t *call)
{
    int reply;

    return pxr_fallback_answer(r, call, &reply) ? reply : not_ours(r, call);
}

/* An alias that is nobody's: the administrator may want calls to it refused at once. */
static int unknown(request_rec *r, const pxr_call_t *call, const pxr_policy_request_t *request,
                   const pxr_alias_t *alias)
{
    const ap_regex_t *pattern = call->workspace->reject;

    if (pattern != NULL && pxr_store_knows_all(call->store, r->request_time) &&
        request->alias_len > 0 &&
        (ap_regexec(pattern, request->alias, 0, NULL, 0) == 0 ||
         (alias != NULL && ap_regexec(pattern, alias->user, 0, NULL, 0) == 0))) {
        return reject(r, call, "no such meeting");
    }
    return ask_others(r, call);
}

static const char *reason_of(pxr_verdict_t verdict)
{
    switch (verdict) {
    case PXR_NOT_YET:
        return "the meeting has not begun yet";
    case PXR_CLOSED:
        return "the meeting is closed";
    default:
        return "the meeting has ended";
    }
}

static int breakout(request_rec *r, const pxr_call_t *call, const pxr_found_t *found,
                    const char *uuid, char *answer)
{
    char text[2048];
    char *tag = answer + found->answer_len;
    pxr_buf_t buf;

    tag[found->tag_len] = '\0';
    pxr_buf_init(&buf, text, sizeof(text));
    if (pxr_answer_render_breakout(found->id, tag, uuid, &buf) != PXR_OK) {
        return not_ours(r, call);
    }
    return admit(r, call, buf.data, buf.len);
}

/* Somebody is coming, which holds the end of a meeting that is empty; but that may be on its way to
 * the database already, or be decided by another machine: then who comes now is too late. */
static bool note_join(const pxr_call_t *call, const pxr_found_t *found, const pxr_alias_t *alias,
                      pxr_time_t now)
{
    pxr_found_t after;

    pxr_store_note_join(call->store, found->ref, now);
    pxr_store_see(call->store, call->workspace->number, PXR_SEEN_ADMITTED, now);
    if (!found->draining || !pxr_store_await_round(call->store, PXR_END_WAIT)) {
        return true;
    }
    return pxr_store_find(call->store, call->workspace->number, false, alias->user, alias->user_len,
                          pxr_time_now(), &after, NULL, 0) != PXR_OK ||
           after.verdict != PXR_ENDED;
}

/* The meeting that is meant; a number is one only where it may be dialled, and what nobody can dial
 * is not found. */
static bool find_meeting(request_rec *r, const pxr_call_t *call, const pxr_alias_t *alias,
                         pxr_found_t *found, char *answer, size_t size)
{
    const pxr_workspace_t *w = call->workspace;

    if (pxr_find(call, false, alias->user, alias->user_len, found, answer, size) != PXR_OK ||
        pxr_chat_is_record(found->id) ||
        (found->matched == PXR_NAME_NUMBER &&
         !pxr_alias_domain_allowed(alias, w->sip_domains, w->sip_domain_count))) {
        return false;
    }
    apr_table_setn(r->notes, PXR_NOTE_MEETING, apr_pstrdup(r->pool, found->id));
    return true;
}

static int service_configuration(request_rec *r, const pxr_call_t *call)
{
    pxr_policy_request_t request;
    pxr_alias_t alias;
    pxr_found_t found;
    answer_t answer;
    bool in_breakout;

    pxr_policy_request_read(r->args, r->args != NULL ? strlen(r->args) : 0, &request);
    in_breakout = request.breakout[0] != '\0';
    if (!pxr_alias_parse(request.alias, request.alias_len, &alias)) {
        return unknown(r, call, &request, NULL);
    }
    if (!find_meeting(r, call, &alias, &found, answer, sizeof(answer) - 1)) {
        return unknown(r, call, &request, &alias);
    }
    if (found.verdict == PXR_ENDED || (found.verdict != PXR_ADMIT && !in_breakout)) {
        return reject(r, call, reason_of(found.verdict));
    }
    if (in_breakout && (!found.breakouts || !found.live)) {
        return not_ours(r, call);
    }
    if (request.joins && !note_join(call, &found, &alias, r->request_time)) {
        return reject(r, call, reason_of(PXR_ENDED));
    }
    return in_breakout ? breakout(r, call, &found, request.breakout, answer)
                       : admit(r, call, answer, found.answer_len);
}

/* Whoever was let in while the meeting could be joined may come in, whatever it is now: only its
 * end turns him away. */
static int participant_properties(request_rec *r, const pxr_call_t *call,
                                  const pxr_policy_request_t *request, const pxr_alias_t *alias,
                                  const pxr_found_t *found)
{
    if (found->verdict == PXR_ENDED ||
        (request->joins && !note_join(call, found, alias, r->request_time))) {
        pxr_count_result(r, call, PXR_COUNT_POLICY_REJECT);
        return send_json(r, HTTP_OK, pxr_answer_over, strlen(pxr_answer_over));
    }
    return admit(r, call, pxr_answer_as_is, strlen(pxr_answer_as_is));
}

static int media_location(request_rec *r, const pxr_call_t *call)
{
    const pxr_media_location_t *location = pxr_media_location_for(r, call->workspace);

    return location != NULL ? admit(r, call, location->answer, location->answer_len)
                            : not_ours(r, call);
}

static bool is_about(const pxr_call_t *call, const char *what)
{
    size_t len = strlen(what);

    return call->rest != NULL && strncmp(call->rest, what, len) == 0 &&
           (call->rest[len] == '\0' || strcmp(call->rest + len, "/") == 0);
}

/* What has to do with a participant, or somebody else's: of our meetings nobody else is asked. */
static int other_request(request_rec *r, const pxr_call_t *call)
{
    bool properties = is_about(call, "participant/properties");
    bool location = is_about(call, "participant/location") && call->workspace->location_count > 0;
    pxr_policy_request_t request;
    pxr_alias_t alias;
    pxr_found_t found;

    if (!properties && !location && call->workspace->fallback_count == 0) {
        return not_ours(r, call);
    }
    pxr_participant_request_read(r->args, r->args != NULL ? strlen(r->args) : 0, &request);
    if (!pxr_alias_parse(request.alias, request.alias_len, &alias) ||
        !find_meeting(r, call, &alias, &found, NULL, 0)) {
        return ask_others(r, call);
    }
    if (properties) {
        return participant_properties(r, call, &request, &alias, &found);
    }
    return location ? media_location(r, call) : not_ours(r, call);
}

/* Remembers who asks, for people. A proxy may stand between, so what the node says of itself counts
 * before its address. */
static void note_asker(request_rec *r, const pxr_call_t *call)
{
    char node[PXR_NODE_MAX + 1];
    pxr_query_field_t field = {.name = "node_ip", .value = node, .size = sizeof(node)};
    uint32_t workspace = call->workspace->number;

    if (!pxr_store_see(call->store, workspace, PXR_SEEN_POLICY, r->request_time)) {
        return;
    }
    pxr_query_read(r->args, r->args != NULL ? strlen(r->args) : 0, &field, 1);
    if (field.len == 0 || node[strspn(node, "0123456789abcdefABCDEF.:")] != '\0') {
        pxr_text_copy(node, sizeof(node), r->useragent_ip, strlen(r->useragent_ip));
    }
    pxr_store_note_asker(call->store, workspace, node, r->request_time);
}

int pxr_handle_policy(request_rec *r, const pxr_call_t *call)
{
    int reply;

    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    note_asker(r, call);
    reply = is_about(call, "service/configuration") ? service_configuration(r, call)
                                                    : other_request(r, call);
    pxr_store_note_latency(call->store, call->workspace->number, pxr_time_now() - r->request_time);
    return reply;
}
