#include "pxr_httpd.h"

#include <apr_strings.h>
#include <pthread.h>
#include <stdlib.h>

/* Sent along, so that two of us that name each other do not ask for ever. */
#define LOOP_HEADER "X-Pexip-RC-Fallback"

/* What a process remembers: short answers only, so that it is never much. */
#define KEPT 32
#define KEPT_BODY_MAX (16 * 1024)

typedef struct {
    char *key; /* of malloc, like the body */
    char *body;
    size_t len;
    int status; /* 404: nobody knows it */
    char type[PXR_CONTENT_TYPE_MAX + 1];
    int64_t until; /* by the steady clock */
} kept_t;

static kept_t kept[KEPT];
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    request_rec *r;
    const pxr_call_t *call;
    const char *path; /* from /policy/v1/ on, with the query, as it was sent */
    bool avatar;
} question_t;

/* The segments . and .., which other servers would follow to another place. */
static bool is_dots(const char *segment, size_t len)
{
    size_t dots = 0;

    while (len > 0) {
        size_t step = segment[0] == '.' ? 1 : 3;
        if (step == 3 && (len < 3 || strncasecmp(segment, "%2e", 3) != 0)) {
            return false;
        }
        segment += step;
        len -= step;
        dots++;
    }
    return dots == 1 || dots == 2;
}

static bool has_dots(const char *path, size_t len)
{
    size_t begin = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i == len || path[i] == '/') {
            if (is_dots(path + begin, i - begin)) {
                return true;
            }
            begin = i + 1;
        }
    }
    return false;
}

/* The path behind the marker as it was sent: what was decoded on the way here cannot be encoded
 * again to the same bytes. NULL where that is not possible. */
static const char *path_of(request_rec *r)
{
    static const char marker[] = "/policy/v1/";
    const char *raw = r->unparsed_uri;
    size_t len = strcspn(raw, "?");
    const char *found = strstr(raw, marker);

    if (found == NULL || (size_t)(found - raw) + sizeof(marker) - 1 > len || has_dots(raw, len)) {
        return NULL;
    }
    return found;
}

/* The servers are part of the key because a reload may change them while a process goes on. */
static const char *key_of(const question_t *q)
{
    const pxr_workspace_t *w = q->call->workspace;
    const char *key = w->site_url;

    for (size_t i = 0; i < w->fallback_count; i++) {
        key = apr_pstrcat(q->r->pool, key, " ", w->fallbacks[i].url, NULL);
    }
    return apr_pstrcat(q->r->pool, key, " ", q->path, NULL);
}

static bool recall(request_rec *r, const char *key, kept_t *out)
{
    int64_t now = pxr_time_steady();
    bool found = false;

    pthread_mutex_lock(&kept_lock);
    for (int i = 0; i < KEPT && !found; i++) {
        if (kept[i].key != NULL && now < kept[i].until && strcmp(kept[i].key, key) == 0) {
            *out = kept[i];
            out->body = apr_pmemdup(r->pool, kept[i].body, kept[i].len);
            found = true;
        }
    }
    pthread_mutex_unlock(&kept_lock);
    return found;
}

static kept_t *oldest(void)
{
    kept_t *found = &kept[0];

    for (int i = 1; i < KEPT; i++) {
        if (kept[i].until < found->until) {
            found = &kept[i];
        }
    }
    return found;
}

static void remember(const char *key, int status, const char *type, const char *body, size_t len)
{
    kept_t entry = {.len = len, .status = status, .until = pxr_time_steady() + PXR_FALLBACK_KEEP};
    kept_t *slot;
    kept_t before;

    if (len > KEPT_BODY_MAX) {
        return;
    }
    entry.key = strdup(key);
    entry.body = malloc(len + 1);
    if (entry.key == NULL || entry.body == NULL) {
        free(entry.key);
        free(entry.body);
        return;
    }
    memcpy(entry.body, body, len);
    apr_cpystrn(entry.type, type, sizeof(entry.type));
    pthread_mutex_lock(&kept_lock);
    slot = oldest();
    before = *slot;
    *slot = entry;
    pthread_mutex_unlock(&kept_lock);
    free(before.key);
    free(before.body);
}

typedef enum {
    ANSWER_USABLE,
    ANSWER_UNKNOWN, /* the server does not know it either */
    ANSWER_FAILED,
} judgement_t;

static judgement_t judge(const question_t *q, const pxr_rest_result_t *result, const char **why)
{
    const char *type = result->content_type;

    *why = NULL;
    if (result->outcome != PXR_REST_ANSWERED) {
        *why = result->why;
        return ANSWER_FAILED;
    }
    if (result->status == HTTP_NOT_FOUND) {
        return ANSWER_UNKNOWN;
    }
    if (result->status < 200 || result->status > 299) {
        *why = apr_psprintf(q->r->pool, "HTTP status %d", result->status);
        return ANSWER_FAILED;
    }
    if (result->body != NULL && q->avatar && strncmp(type, "image/", 6) == 0) {
        return ANSWER_USABLE;
    }
    if (result->body != NULL && pxr_json_is_object(result->body, result->body_len)) {
        return ANSWER_USABLE;
    }
    *why = "it is no policy answer";
    return ANSWER_FAILED;
}

static void ask(const question_t *q, const pxr_fallback_t *server, int64_t wait,
                pxr_rest_result_t *result)
{
    static const pxr_rest_header_t loop = {LOOP_HEADER, "1"};
    const pxr_rest_request_t request = {
        .method = PXR_REST_GET,
        .base_url = server->url,
        .path = q->path,
        .basic_user = server->user,
        .basic_secret = server->secret,
        .headers = &loop,
        .header_count = 1,
        .deadline = wait,
        .connect_time = wait,
        .answer_max = PXR_FALLBACK_ANSWER_MAX,
    };

    pxr_rest_ask(&request, result);
}

static int pass_on(const question_t *q, int status, const char *type, const char *body, size_t len)
{
    pxr_count_result(q->r, q->call, PXR_COUNT_POLICY_FALLBACK);
    return pxr_reply(q->r, status, type[0] != '\0' ? type : "application/json", body, len);
}

/* Asks one server; true where it has the answer. */
static bool ask_one(const question_t *q, const pxr_fallback_t *server, const char *key,
                    int64_t wait, bool *unknown, int *reply)
{
    request_rec *r = q->r;
    pxr_rest_result_t result;
    const char *why;
    judgement_t judgement;

    ask(q, server, wait, &result);
    judgement = judge(q, &result, &why);
    pxr_outside_tell(r, q->call, PXR_OUTSIDE_POLICY, server->url, &result, why);
    *unknown = *unknown && judgement == ANSWER_UNKNOWN;
    if (judgement == ANSWER_USABLE) {
        const char *type = apr_pstrdup(r->pool, result.content_type);
        remember(key, result.status, type, result.body, result.body_len);
        *reply = pass_on(q, result.status, type, result.body, result.body_len);
    }
    pxr_rest_result_clear(&result);
    return judgement == ANSWER_USABLE;
}

/* One after another. A server that hangs must not cost the others their turn, so the time that is
 * left is divided among those that are. */
static bool ask_all(const question_t *q, const char *key, int *reply)
{
    const pxr_workspace_t *w = q->call->workspace;
    int64_t until = pxr_time_steady() + PXR_FALLBACK_WAIT;
    bool unknown = true;

    for (size_t i = 0; i < w->fallback_count; i++) {
        const pxr_fallback_t *server = &w->fallbacks[i];
        int64_t wait = (until - pxr_time_steady()) / (int64_t)(w->fallback_count - i);
        if (wait <= 0 ||
            !pxr_store_target_try(q->call->store,
                                  pxr_outside_name(q->r->pool, PXR_OUTSIDE_POLICY, server->url))) {
            unknown = false;
            continue;
        }
        if (ask_one(q, server, key, wait, &unknown, reply)) {
            return true;
        }
    }
    if (unknown) {
        remember(key, HTTP_NOT_FOUND, "", "", 0);
    }
    return false;
}

bool pxr_fallback_answer(request_rec *r, const pxr_call_t *call, int *reply)
{
    question_t q = {.r = r, .call = call};
    const char *key;
    kept_t known;
    bool answered;
    int place;

    if (call->workspace->fallback_count == 0 || apr_table_get(r->headers_in, LOOP_HEADER) != NULL) {
        return false;
    }
    q.path = call->rest != NULL ? path_of(r) : NULL;
    if (q.path == NULL) {
        return false;
    }
    q.avatar = strncmp(call->rest, "participant/avatar/", 19) == 0;
    key = key_of(&q);
    if (recall(r, key, &known)) {
        if (known.status != HTTP_NOT_FOUND) {
            *reply =
                pass_on(&q, known.status, apr_pstrdup(r->pool, known.type), known.body, known.len);
        }
        return known.status != HTTP_NOT_FOUND;
    }
    place = pxr_outside_enter(call, PXR_FOR_KNOWN);
    if (place < 0) {
        return false;
    }
    answered = ask_all(&q, key, reply);
    pxr_outside_leave(call, place);
    return answered;
}
