#include "join.h"

#include <apr_strings.h>

#include "pxr_cookie.h"
#include "pxr_rocketchat.h"

/* Ids and tokens of Rocket.Chat are letters and digits; others may make more of them, but nothing
 * that would have to be quoted in a header. */
static bool is_plain(const char *text)
{
    const char *c = text;

    while (*c > 0x20 && *c < 0x7f) {
        c++;
    }
    return *c == '\0' && c != text;
}

bool pxr_identity_usable(const pxr_credentials_t *credentials)
{
    return is_plain(credentials->user_id) && is_plain(credentials->token);
}

void pxr_identity_cookies(request_rec *r, pxr_credentials_t *out)
{
    const char *header = apr_table_get(r->headers_in, "Cookie");

    if (pxr_cookie_read(header, "rc_uid", out->user_id, sizeof(out->user_id)) != PXR_OK ||
        pxr_cookie_read(header, "rc_token", out->token, sizeof(out->token)) != PXR_OK ||
        !pxr_identity_usable(out)) {
        out->user_id[0] = '\0';
        out->token[0] = '\0';
    }
}

static void ask_me(request_rec *r, const pxr_call_t *call, const pxr_credentials_t *credentials,
                   pxr_rest_result_t *result)
{
    const pxr_workspace_t *w = call->workspace;
    char path[64];
    pxr_buf_t buf;
    /* Rocket.Chat counts requests by the visitor's address, and ours would have to do for all. */
    const pxr_rest_header_t headers[] = {
        {"X-Real-IP", r->useragent_ip},
        {"X-Forwarded-For", r->useragent_ip},
    };
    const pxr_rest_request_t request = {
        .method = PXR_REST_GET,
        .base_url = w->rest_url,
        .path = path,
        .user_id = credentials->user_id,
        .token = credentials->token,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .deadline = PXR_SESSION_WAIT,
        .connect_time = PXR_SESSION_WAIT,
    };

    pxr_buf_init(&buf, path, sizeof(path));
    pxr_rc_put_path(&buf, PXR_RC_ME, NULL);
    pxr_rest_ask(&request, result);
}

/* Fills in what the answer says. False where it says nothing, then *why says what went wrong, NULL
 * where that is about this visitor only. */
static bool read_answer(apr_pool_t *p, const pxr_rest_result_t *result, const char *user_id,
                        pxr_session_t *session, const char **why)
{
    pxr_rc_answer_t answer;
    pxr_rc_user_t user;
    bool told = true;

    memset(session, 0, sizeof(*session));
    *why = NULL;
    pxr_rc_judge(PXR_RC_ME, result, &answer);
    if (answer.verdict == PXR_RC_OK && pxr_rc_read_me(answer.doc, &user)) {
        const char *name = user.name != NULL && user.name[0] != '\0' ? user.name : user.username;
        session->good = user.active && strcmp(user.id, user_id) == 0;
        if (name != NULL) {
            pxr_text_line(session->name, sizeof(session->name), name, strlen(name));
        }
    } else if (answer.verdict != PXR_RC_FORBIDDEN) {
        told = false;
        if (answer.status != HTTP_TOO_MANY_REQUESTS) {
            *why = answer.reason[0] != '\0' ? apr_pstrdup(p, answer.reason)
                                            : "it does not say whose session it is";
        }
    }
    pxr_rc_answer_clear(&answer);
    return told;
}

static bool ask_outside(request_rec *r, const pxr_call_t *call,
                        const pxr_credentials_t *credentials, pxr_session_t *session)
{
    const pxr_workspace_t *w = call->workspace;
    const char *name = pxr_outside_name(r->pool, PXR_OUTSIDE_SESSION, w->rest_url);
    int place = pxr_outside_enter(call, PXR_FOR_STRANGERS);
    pxr_rest_result_t result;
    const char *why;
    bool told;

    if (place < 0) {
        return false;
    }
    if (!pxr_store_target_try(call->store, name)) {
        pxr_outside_leave(call, place);
        return false;
    }
    ask_me(r, call, credentials, &result);
    pxr_outside_leave(call, place);
    told = read_answer(r->pool, &result, credentials->user_id, session, &why);
    pxr_rest_result_clear(&result);
    pxr_outside_tell(r, call, PXR_OUTSIDE_SESSION, w->rest_url, &result, why);
    return told;
}

void pxr_identity_ask(request_rec *r, const pxr_call_t *call, const pxr_credentials_t *credentials,
                      pxr_identity_t *out)
{
    uint32_t number = call->workspace->number;
    pxr_session_t session;

    if (!pxr_store_session_find(call->store, number, credentials->user_id, credentials->token,
                                &session)) {
        if (!ask_outside(r, call, credentials, &session)) {
            out->proof = PXR_PROOF_UNKNOWN;
            return;
        }
        pxr_store_session_note(call->store, number, credentials->user_id, credentials->token,
                               &session);
    }
    if (session.good) {
        out->proof = PXR_PROOF_GOOD;
        apr_cpystrn(out->user_id, credentials->user_id, sizeof(out->user_id));
        apr_cpystrn(out->name, session.name, sizeof(out->name));
    }
}

/* Whether a Host header names the host of this URL; its scheme's own port may be left out. */
static bool is_host_of(const char *host, const char *url)
{
    const char *wanted = strstr(url, "://") + 3;
    const char *usual = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
    size_t len = strlen(wanted);

    return strncasecmp(host, wanted, len) == 0 &&
           (host[len] == '\0' || strcmp(host + len, usual) == 0);
}

bool pxr_identity_on_site(request_rec *r, const pxr_workspace_t *w)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    size_t len = strlen(w->site_url);

    return host != NULL && is_host_of(host, w->site_url) &&
           strncmp(w->join_url, w->site_url, len) == 0 &&
           (w->join_url[len] == '\0' || w->join_url[len] == '/');
}

bool pxr_identity_from_site(request_rec *r, const pxr_workspace_t *w)
{
    const char *fetch = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    return origin != NULL && strcmp(origin, w->site_url) == 0 &&
           (fetch == NULL || strcmp(fetch, "same-origin") == 0);
}
