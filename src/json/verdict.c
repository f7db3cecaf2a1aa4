#include <stdlib.h>
#include <string.h>

#include "json_internal.h"
#include "pxr_rocketchat.h"

/* Rocket.Chat's answers have messages in them, and their texts as trees. */
#define DEPTH_MAX 64

static const struct {
    const char *method;
    const char *parameter; /* NULL: none */
    const char *rest;      /* of the query */
} calls[] = {
    [PXR_RC_SEND] = {"chat.sendMessage", NULL, ""},
    [PXR_RC_UPDATE] = {"chat.update", NULL, ""},
    [PXR_RC_MESSAGE] = {"chat.getMessage", "msgId", ""},
    [PXR_RC_ROOM] = {"rooms.info", "roomId", ""},
    /* The newest first, sort={"ts":-1}: a page has fifty, and by name ours would come last. */
    [PXR_RC_DISCUSSIONS] = {"rooms.getDiscussions", "roomId", "&sort=%7B%22ts%22%3A-1%7D"},
    [PXR_RC_DISCUSS] = {"rooms.createDiscussion", NULL, ""},
    [PXR_RC_INVITE_PRIVATE] = {"groups.invite", NULL, ""},
    [PXR_RC_INVITE_PUBLIC] = {"channels.invite", NULL, ""},
    [PXR_RC_DIRECT] = {"im.create", NULL, ""},
    [PXR_RC_ME] = {"me", NULL, ""},
};

void pxr_rc_put_path(pxr_buf_t *out, pxr_rc_call_t call, const char *id)
{
    pxr_buf_puts(out, "/api/v1/");
    pxr_buf_puts(out, calls[call].method);
    if (calls[call].parameter != NULL) {
        pxr_buf_puts(out, "?");
        pxr_buf_puts(out, calls[call].parameter);
        pxr_buf_puts(out, "=");
        pxr_buf_put_percent(out, id, strlen(id));
        pxr_buf_puts(out, calls[call].rest);
    }
}

#define BIT(call) (1U << (call))
#define ALL (BIT(PXR_RC_ME + 1) - 1)
/* To do these twice is not the same as to do them once. */
#define ONCE (BIT(PXR_RC_SEND) | BIT(PXR_RC_DISCUSS))
#define OF_A_ROOM (BIT(PXR_RC_ROOM) | BIT(PXR_RC_DISCUSSIONS))
#define OF_A_MESSAGE (BIT(PXR_RC_MESSAGE) | BIT(PXR_RC_UPDATE))

static bool is_one_of(pxr_rc_call_t call, unsigned bits)
{
    return (BIT(call) & bits) != 0;
}

/* What the names of errors mean, where it is not what every other name means: that this room or
 * message is closed to us (error-not-allowed, error-invalid-room, error-room-archived,
 * room_is_blocked, You_have_been_muted, error-message-size-exceeded, invalid-params, ...). */
static const struct {
    const char *key;
    unsigned calls;
    pxr_rc_verdict_t verdict;
} rules[] = {
    /* The token was made without "ignore two factor authentication". */
    {"totp-required", ALL, PXR_RC_FORBIDDEN},
    {"totp-invalid", ALL, PXR_RC_FORBIDDEN},
    /* The account that speaks for us is gone or has no username. Elsewhere it is about the other
       one. */
    {"error-invalid-user", BIT(PXR_RC_SEND) | BIT(PXR_RC_ME) | OF_A_MESSAGE | OF_A_ROOM,
     PXR_RC_FORBIDDEN},
    /* The whole workspace is read only, because it has not seen its vendor for too long. */
    {"restricted-workspace", ALL, PXR_RC_FORBIDDEN},
    /* A permission is missing. Ours, where we ask who we are; elsewhere that for this room. Up
     * to 7.x the first two, from 8.0 on the others. */
    {"unauthorized", BIT(PXR_RC_ME), PXR_RC_FORBIDDEN},
    {"error-unauthorized", BIT(PXR_RC_ME), PXR_RC_FORBIDDEN},
    {"forbidden", BIT(PXR_RC_ME), PXR_RC_FORBIDDEN},
    {"error-forbidden", BIT(PXR_RC_ME), PXR_RC_FORBIDDEN},
    /* Methods behind a route have limits of their own, which are told with 400. */
    {"too-many-requests", ALL, PXR_RC_LATER},
    {"error-too-many-requests", ALL, PXR_RC_LATER},
    /* Editing is off, or not for the likes of us. The same name refuses a discussion. */
    {"error-action-not-allowed", BIT(PXR_RC_UPDATE), PXR_RC_UNEDITABLE},
    /* The time limit for editing. */
    {"error-message-editing-blocked", BIT(PXR_RC_UPDATE), PXR_RC_UNEDITABLE},
    /* Somebody, or an app, has made something else of the message. */
    {"error-invalid-update-key", BIT(PXR_RC_UPDATE), PXR_RC_UNEDITABLE},
    {"error-message-not-found", OF_A_MESSAGE, PXR_RC_MISSING},
    {"error-room-not-found", OF_A_ROOM, PXR_RC_MISSING},
    {"error-invalid-room", OF_A_ROOM, PXR_RC_MISSING},
};

/* The same for errors that have no name: how their texts begin. */
static const struct {
    const char *text;
    unsigned calls;
    pxr_rc_verdict_t verdict;
} sentences[] = {
    {"No message found", OF_A_MESSAGE, PXR_RC_MISSING},
    {"You can't send messages", ALL, PXR_RC_REFUSED},
    {"Error, too many requests", ALL, PXR_RC_LATER},
};

/* What an error says of itself. */
typedef struct {
    const char *text; /* "": nothing */
    char key[PXR_RC_KEY_MAX + 1];
    int64_t wait; /* 0: it does not say */
} fault_t;

static const char *text_at(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));

    return text != NULL ? text : "";
}

static void set_key(fault_t *fault, const char *text, size_t len)
{
    if (len <= PXR_RC_KEY_MAX) {
        pxr_text_line(fault->key, sizeof(fault->key), text, len);
    }
}

/* The name of the error: `errorType`, else in brackets behind the text, else a text of one word. */
static void read_key(const json_t *root, fault_t *fault)
{
    const char *type = text_at(root, "errorType");
    const char *from = strrchr(fault->text, '[');
    const char *to = strrchr(fault->text, ']');

    if (type[0] != '\0') {
        set_key(fault, type, strlen(type));
    } else if (from != NULL && to != NULL && to[1] == '\0') {
        set_key(fault, from + 1, (size_t)(to - from) - 1);
    } else if (strchr(fault->text, ' ') == NULL) {
        set_key(fault, fault->text, strlen(fault->text));
    }
}

static int64_t limit(double microseconds)
{
    if (!(microseconds > 0)) {
        return 0;
    }
    return microseconds < (double)PXR_REST_WAIT_MAX ? (int64_t)microseconds : PXR_REST_WAIT_MAX;
}

/* "... You must wait 17 seconds before ..." */
static int64_t wait_in_text(const char *text)
{
    static const char words[] = "must wait ";
    const char *at = strstr(text, words);
    double seconds = 0;

    if (at == NULL) {
        return 0;
    }
    for (at += sizeof(words) - 1; pxr_is_digit(*at); at++) {
        seconds = seconds * 10 + (*at - '0');
    }
    return limit(seconds * (double)PXR_SECOND);
}

static void read_fault(const json_t *root, fault_t *fault)
{
    const json_t *details = json_object_get(root, "details");
    double seconds = json_number_value(json_object_get(details, "seconds"));
    double milliseconds = json_number_value(json_object_get(details, "timeToReset"));

    memset(fault, 0, sizeof(*fault));
    fault->text = text_at(root, "error");
    if (fault->text[0] == '\0') {
        fault->text = text_at(root, "message");
    }
    read_key(root, fault);
    fault->wait = limit(seconds * (double)PXR_SECOND);
    if (fault->wait == 0) {
        fault->wait = limit(milliseconds * 1000);
    }
    if (fault->wait == 0) {
        fault->wait = wait_in_text(fault->text);
    }
}

static bool is_json_type(const char *type)
{
    size_t len = strlen(type);

    return strcmp(type, "application/json") == 0 ||
           (len > 5 && strcmp(type + len - 5, "+json") == 0);
}

/* NULL where it is no object. What people have typed may contain what no parser takes. */
static json_t *parse(const pxr_rest_result_t *result)
{
    json_t *root;
    char *copy;

    if (!is_json_type(result->content_type) || result->body == NULL) {
        return NULL;
    }
    if (pxr_scan_is_deep(result->body, result->body_len, DEPTH_MAX) ||
        (copy = malloc(result->body_len + 1)) == NULL) {
        return NULL;
    }
    memcpy(copy, result->body, result->body_len);
    pxr_json_mend(copy, result->body_len);
    root = json_loadb(copy, result->body_len, 0, NULL);
    free(copy);
    if (root != NULL && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* By its name, by its text, else `otherwise`. */
static pxr_rc_verdict_t look_up(pxr_rc_call_t call, const fault_t *fault,
                                pxr_rc_verdict_t otherwise)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (is_one_of(call, rules[i].calls) && strcmp(fault->key, rules[i].key) == 0) {
            return rules[i].verdict;
        }
    }
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
        if (is_one_of(call, sentences[i].calls) &&
            strncmp(fault->text, sentences[i].text, strlen(sentences[i].text)) == 0) {
            return sentences[i].verdict;
        }
    }
    return otherwise;
}

/* An error without a name is one that Rocket.Chat did not expect either, and may have come after
 * the deed: to a message whose id it has already it says that something is undefined. */
static pxr_rc_verdict_t judge_fault(pxr_rc_call_t call, const fault_t *fault)
{
    pxr_rc_verdict_t otherwise = PXR_RC_REFUSED;

    if (fault->text[0] == '\0' && fault->key[0] == '\0') {
        /* chat.getMessage has no word for what is not there. */
        return call == PXR_RC_MESSAGE ? PXR_RC_MISSING : PXR_RC_GARBLED;
    }
    if (fault->key[0] == '\0' && is_one_of(call, ONCE)) {
        otherwise = PXR_RC_UNKNOWN;
    }
    return look_up(call, fault, otherwise);
}

static pxr_rc_verdict_t judge_client_error(pxr_rc_call_t call, int status, const json_t *root,
                                           const fault_t *fault)
{
    if (root == NULL) {
        /* Something in front of Rocket.Chat keeps us out; or there is no Rocket.Chat. */
        return status == 403 ? PXR_RC_FORBIDDEN : PXR_RC_GARBLED;
    }
    if (status == 403) {
        return look_up(call, fault, call == PXR_RC_ME ? PXR_RC_FORBIDDEN : PXR_RC_REFUSED);
    }
    if (status == 404) {
        /* An unknown route is told of in the same way. Where the message to be edited is not there
         * the text says so. */
        return look_up(call, fault,
                       is_one_of(call, OF_A_ROOM | BIT(PXR_RC_MESSAGE)) ? PXR_RC_MISSING
                                                                        : PXR_RC_GARBLED);
    }
    return judge_fault(call, fault);
}

static pxr_rc_verdict_t judge_success(pxr_rc_call_t call, const pxr_rest_result_t *result,
                                      const json_t *root, const fault_t *fault)
{
    const json_t *success = json_object_get(root, "success");

    if (root == NULL) {
        return is_one_of(call, ONCE) && is_json_type(result->content_type) ? PXR_RC_UNKNOWN
                                                                           : PXR_RC_GARBLED;
    }
    if (json_is_false(success)) {
        return judge_fault(call, fault);
    }
    if (!json_is_true(success)) {
        return PXR_RC_GARBLED;
    }
    /* So it answers where the message was there already, or an app has kept it from being sent. */
    if (call == PXR_RC_SEND && !json_is_object(json_object_get(root, "message"))) {
        return PXR_RC_UNKNOWN;
    }
    return PXR_RC_OK;
}

/* The status first, then the name of the error, then its text. */
static pxr_rc_verdict_t judge(pxr_rc_call_t call, const pxr_rest_result_t *result,
                              const json_t *root, const fault_t *fault)
{
    int status = result->status;

    if (status == 401) {
        return PXR_RC_FORBIDDEN;
    }
    if (status == 429 || status == 408 || status == 503) {
        return PXR_RC_LATER;
    }
    if (status >= 500) {
        /* A proxy that lost Rocket.Chat in the middle, or an accident in there. */
        return is_one_of(call, ONCE) ? PXR_RC_UNKNOWN : PXR_RC_LATER;
    }
    if (status >= 400) {
        return judge_client_error(call, status, root, fault);
    }
    if (status >= 200 && status < 300) {
        return judge_success(call, result, root, fault);
    }
    return PXR_RC_GARBLED;
}

static void explain(pxr_rc_answer_t *answer, const pxr_rest_result_t *result, const json_t *root,
                    const fault_t *fault)
{
    char line[512];
    pxr_buf_t buf;

    pxr_buf_init(&buf, line, sizeof(line));
    pxr_buf_puts(&buf, "HTTP ");
    pxr_buf_put_int(&buf, result->status);
    if (fault->text[0] != '\0') {
        char text[PXR_WHY_MAX + 1];
        pxr_text_line(text, sizeof(text), fault->text, strlen(fault->text));
        pxr_buf_puts(&buf, ": ");
        pxr_buf_puts(&buf, text);
    } else if (result->status >= 300 && result->status < 400) {
        pxr_buf_puts(&buf, ": a redirect, which is not followed");
    } else if (root == NULL) {
        pxr_buf_puts(&buf, ": no answer of Rocket.Chat's API");
    } else {
        pxr_buf_puts(&buf, " without a reason");
    }
    pxr_text_line(answer->reason, sizeof(answer->reason), line, buf.len);
}

static int64_t told_wait(const pxr_rest_result_t *result)
{
    if (result->retry_after >= 0) {
        return result->retry_after;
    }
    return result->reset_after > 0 && (result->status == 429 || result->remaining == 0)
               ? result->reset_after
               : 0;
}

static bool keep(pxr_rc_answer_t *answer, json_t *root)
{
    answer->doc = malloc(sizeof(*answer->doc));
    if (answer->doc == NULL) {
        return false;
    }
    answer->doc->root = json_incref(root);
    return true;
}

void pxr_rc_judge(pxr_rc_call_t call, const pxr_rest_result_t *result, pxr_rc_answer_t *answer)
{
    fault_t fault;
    json_t *root;

    memset(answer, 0, sizeof(*answer));
    answer->status = result->status;
    answer->wait = told_wait(result);
    if (result->outcome != PXR_REST_ANSWERED) {
        answer->verdict = result->outcome == PXR_REST_UNKNOWN && is_one_of(call, ONCE)
                              ? PXR_RC_UNKNOWN
                              : PXR_RC_LATER;
        pxr_text_line(answer->reason, sizeof(answer->reason), result->why, strlen(result->why));
        return;
    }
    root = parse(result);
    read_fault(root, &fault);
    answer->verdict = judge(call, result, root, &fault);
    if (answer->verdict == PXR_RC_OK && !keep(answer, root)) {
        answer->verdict = is_one_of(call, ONCE) ? PXR_RC_UNKNOWN : PXR_RC_LATER;
    }
    if (answer->verdict != PXR_RC_OK) {
        memcpy(answer->key, fault.key, sizeof(answer->key));
        explain(answer, result, root, &fault);
        if (answer->wait == 0) {
            answer->wait = fault.wait;
        }
    }
    json_decref(root);
}

void pxr_rc_answer_clear(pxr_rc_answer_t *answer)
{
    pxr_json_free(answer->doc);
    answer->doc = NULL;
}
