#include "helpers.h"

#include "pxr_rocketchat.h"

/* What is made of the answers of Rocket.Chat's REST API. */

#define NOW (INT64_C(1795341600) * PXR_SECOND) /* 2026-11-22T10:00:00Z */

/* An answer as the transport gives it. */
static pxr_rest_result_t answered(int status, const char *type, const char *body)
{
    pxr_rest_result_t result = {.outcome = PXR_REST_ANSWERED,
                                .status = status,
                                .retry_after = -1,
                                .reset_after = -1,
                                .remaining = -1};

    snprintf(result.content_type, sizeof(result.content_type), "%s", type);
    result.body_len = strlen(body);
    result.body = exact_copy(body, result.body_len + 1);
    return result;
}

static pxr_rc_answer_t judged(pxr_rc_call_t call, int status, const char *type, const char *body)
{
    pxr_rest_result_t result = answered(status, type, body);
    pxr_rc_answer_t answer;

    pxr_rc_judge(call, &result, &answer);
    free(result.body);
    assert_int_equal(answer.status, status);
    assert_true((answer.doc != NULL) == (answer.verdict == PXR_RC_OK));
    assert_true((answer.reason[0] == '\0') == (answer.verdict == PXR_RC_OK));
    return answer;
}

static void check_verdict(pxr_rc_call_t call, int status, const char *body,
                          pxr_rc_verdict_t verdict)
{
    pxr_rc_answer_t answer = judged(call, status, "application/json", body);

    CHECK(answer.verdict == verdict, "call %d, %d %s: %d", call, status, body, answer.verdict);
    pxr_rc_answer_clear(&answer);
}

#define FAILED(rest) "{\"success\":false," rest "}"

static void the_table_of_errors(void **state)
{
    static const struct {
        pxr_rc_call_t call;
        int status;
        const char *body;
        pxr_rc_verdict_t verdict;
    } cases[] = {
        /* Not logged in, before and after 8.0. */
        {PXR_RC_SEND, 401,
         FAILED("\"error\":\"You must be logged in to do this.\",\"status\":\"error\","
                "\"message\":\"You must be logged in to do this.\""),
         PXR_RC_FORBIDDEN},
        {PXR_RC_ME, 401, FAILED("\"error\":\"You must be logged in to do this.\""),
         PXR_RC_FORBIDDEN},
        {PXR_RC_ME, 401, "{\"status\":\"error\",\"message\":\"You must be logged in\"}",
         PXR_RC_FORBIDDEN},
        /* A permission is missing. */
        {PXR_RC_INVITE_PRIVATE, 403, FAILED("\"error\":\"unauthorized\""), PXR_RC_REFUSED},
        {PXR_RC_DISCUSS, 403,
         FAILED("\"error\":\"User does not have the permissions required for this action "
                "[error-unauthorized]\""),
         PXR_RC_REFUSED},
        {PXR_RC_SEND, 403, FAILED("\"error\":\"forbidden\""), PXR_RC_REFUSED},
        {PXR_RC_ME, 403, FAILED("\"error\":\"forbidden\""), PXR_RC_FORBIDDEN},
        {PXR_RC_ME, 403, FAILED("\"error\":\"whatever\""), PXR_RC_FORBIDDEN},
        /* The token is not fit for this. */
        {PXR_RC_DISCUSS, 400,
         FAILED("\"error\":\"TOTP Required [totp-required]\",\"errorType\":\"totp-required\","
                "\"details\":{\"method\":\"totp\"}"),
         PXR_RC_FORBIDDEN},
        {PXR_RC_SEND, 400,
         FAILED("\"error\":\"Invalid user [error-invalid-user]\","
                "\"errorType\":\"error-invalid-user\""),
         PXR_RC_FORBIDDEN},
        {PXR_RC_DIRECT, 400, FAILED("\"errorType\":\"error-invalid-user\",\"error\":\"x\""),
         PXR_RC_REFUSED},
        /* The room is closed to us: with a name, with the name as the text, as a sentence. */
        {PXR_RC_SEND, 400, FAILED("\"error\":\"error-not-allowed\""), PXR_RC_REFUSED},
        {PXR_RC_SEND, 400, FAILED("\"error\":\"error-invalid-room\""), PXR_RC_REFUSED},
        {PXR_RC_SEND, 400, FAILED("\"error\":\"You_have_been_muted\""), PXR_RC_REFUSED},
        {PXR_RC_SEND, 400,
         FAILED("\"error\":\"You can't send messages because the room is readonly.\""),
         PXR_RC_REFUSED},
        {PXR_RC_DISCUSS, 400, FAILED("\"error\":\"The room is archived [error-room-archived]\""),
         PXR_RC_REFUSED},
        {PXR_RC_SEND, 400,
         FAILED("\"error\":\"must have required property 'roomId' [invalid-params]\","
                "\"errorType\":\"invalid-params\""),
         PXR_RC_REFUSED},
        {PXR_RC_DISCUSSIONS, 400, FAILED("\"error\":\"not-allowed\",\"errorType\":\"Not Allowed\""),
         PXR_RC_REFUSED},
        {PXR_RC_DISCUSS, 400,
         FAILED("\"error\":\"You are not allowed to create a discussion "
                "[error-action-not-allowed]\",\"errorType\":\"error-action-not-allowed\""),
         PXR_RC_REFUSED},
        /* What is not there. */
        {PXR_RC_MESSAGE, 400, "{\"success\":false}", PXR_RC_MISSING},
        {PXR_RC_MESSAGE, 404, FAILED("\"error\":\"Resource not found\""), PXR_RC_MISSING},
        {PXR_RC_UPDATE, 400, FAILED("\"error\":\"No message found with the id of \\\"x\\\".\""),
         PXR_RC_MISSING},
        {PXR_RC_ROOM, 400,
         FAILED("\"error\":\"The required \\\"roomId\\\" does not match any channel "
                "[error-room-not-found]\",\"errorType\":\"error-room-not-found\""),
         PXR_RC_MISSING},
        {PXR_RC_INVITE_PRIVATE, 400, FAILED("\"errorType\":\"error-room-not-found\""),
         PXR_RC_REFUSED},
        {PXR_RC_UPDATE, 404, FAILED("\"error\":\"Resource not found\""), PXR_RC_GARBLED},
        {PXR_RC_UPDATE, 404, FAILED("\"error\":\"No message found with the id of \\\"x\\\".\""),
         PXR_RC_MISSING},
        {PXR_RC_SEND, 404, FAILED("\"error\":\"Resource not found\""), PXR_RC_GARBLED},
        /* Editing. */
        {PXR_RC_UPDATE, 400,
         FAILED("\"error\":\"Message editing not allowed [error-action-not-allowed]\","
                "\"errorType\":\"error-action-not-allowed\""),
         PXR_RC_UNEDITABLE},
        {PXR_RC_UPDATE, 400,
         FAILED("\"error\":\"Message editing is blocked [error-message-editing-blocked]\""),
         PXR_RC_UNEDITABLE},
        {PXR_RC_UPDATE, 400, FAILED("\"error\":\"error-not-allowed\""), PXR_RC_REFUSED},
        /* An accident, perhaps after the deed. */
        {PXR_RC_SEND, 400,
         FAILED("\"error\":\"Cannot read properties of undefined (reading 'u')\""), PXR_RC_UNKNOWN},
        {PXR_RC_UPDATE, 400,
         FAILED("\"error\":\"Cannot read properties of undefined (reading 'u')\""), PXR_RC_REFUSED},
        {PXR_RC_SEND, 500, FAILED("\"error\":\"Internal server error\""), PXR_RC_UNKNOWN},
        {PXR_RC_DISCUSS, 502, "", PXR_RC_UNKNOWN},
        {PXR_RC_UPDATE, 500, FAILED("\"error\":\"Internal server error\""), PXR_RC_LATER},
        {PXR_RC_ROOM, 504, "", PXR_RC_LATER},
        {PXR_RC_SEND, 503, FAILED("\"error\":\"Service Unavailable\""), PXR_RC_LATER},
        {PXR_RC_SEND, 429, "", PXR_RC_LATER},
        {PXR_RC_SEND, 400, FAILED("\"errorType\":\"too-many-requests\",\"error\":\"x y\""),
         PXR_RC_LATER},
        {PXR_RC_SEND, 400, FAILED("\"error\":\"Error, too many requests. Please slow down.\""),
         PXR_RC_LATER},
        {PXR_RC_SEND, 400, FAILED("\"error\":\"restricted-workspace\""), PXR_RC_FORBIDDEN},
        /* Whoever this is. */
        {PXR_RC_SEND, 200, "{\"success\":false}", PXR_RC_GARBLED},
        {PXR_RC_SEND, 400, "{\"success\":false}", PXR_RC_GARBLED},
        {PXR_RC_SEND, 200, FAILED("\"error\":\"error-not-allowed\""), PXR_RC_REFUSED},
        {PXR_RC_ROOM, 200, "{}", PXR_RC_GARBLED},
        {PXR_RC_ROOM, 200, "[1]", PXR_RC_GARBLED},
        {PXR_RC_ROOM, 200, "", PXR_RC_GARBLED},
        {PXR_RC_ROOM, 200, "{\"success\":\"true\"}", PXR_RC_GARBLED},
        {PXR_RC_ROOM, 302, "", PXR_RC_GARBLED},
        {PXR_RC_SEND, 302, "", PXR_RC_GARBLED},
        {PXR_RC_SEND, 405, "", PXR_RC_GARBLED},
        /* Sent, but the answer is in pieces, or has no message. */
        {PXR_RC_SEND, 200, "{\"success\":true,\"mess", PXR_RC_UNKNOWN},
        {PXR_RC_SEND, 200, "{\"success\":true}", PXR_RC_UNKNOWN},
        {PXR_RC_SEND, 200, "{\"success\":true,\"message\":null}", PXR_RC_UNKNOWN},
        {PXR_RC_UPDATE, 200, "{\"success\":true}", PXR_RC_OK},
        {PXR_RC_INVITE_PRIVATE, 200, "{\"success\":true}", PXR_RC_OK},
        /* Nonsense in the right places. */
        {PXR_RC_ROOM, 400, FAILED("\"error\":{\"a\":1},\"errorType\":[]"), PXR_RC_GARBLED},
        {PXR_RC_ROOM, 400, FAILED("\"error\":\"]\",\"details\":\"x\""), PXR_RC_REFUSED},
        {PXR_RC_ROOM, 400, FAILED("\"error\":\"[]\",\"details\":[]"), PXR_RC_REFUSED},
        {PXR_RC_ROOM, 400, FAILED("\"error\":\"[\""), PXR_RC_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        check_verdict(cases[i].call, cases[i].status, cases[i].body, cases[i].verdict);
    }
}

static void only_json_is_parsed(void **state)
{
    static const char page[] = "<!DOCTYPE html><p>{\"success\":true}";
    static const struct {
        int status;
        const char *type;
        pxr_rc_verdict_t verdict;
    } cases[] = {
        {200, "text/html", PXR_RC_GARBLED},         {200, "", PXR_RC_GARBLED},
        {200, "application/jsonp", PXR_RC_GARBLED}, {400, "text/html", PXR_RC_GARBLED},
        {404, "text/html", PXR_RC_GARBLED},         {413, "text/html", PXR_RC_GARBLED},
        {401, "text/html", PXR_RC_FORBIDDEN},       {403, "text/html", PXR_RC_FORBIDDEN},
        {429, "text/html", PXR_RC_LATER},           {503, "text/html", PXR_RC_LATER},
        {502, "text/html", PXR_RC_UNKNOWN},         {408, "text/html", PXR_RC_LATER},
    };
    pxr_rc_answer_t answer;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        answer = judged(PXR_RC_SEND, cases[i].status, cases[i].type, page);
        CHECK(answer.verdict == cases[i].verdict, "%d %s: %d", cases[i].status, cases[i].type,
              answer.verdict);
        assert_null(strchr(answer.reason, '<'));
    }
    /* Even where it would be JSON. */
    answer = judged(PXR_RC_ROOM, 200, "text/plain", "{\"success\":true}");
    assert_int_equal(answer.verdict, PXR_RC_GARBLED);
    answer = judged(PXR_RC_ROOM, 200, "application/hal+json", "{\"success\":true}");
    assert_int_equal(answer.verdict, PXR_RC_OK);
    pxr_rc_answer_clear(&answer);
}

static void names_and_reasons_are_told(void **state)
{
    pxr_rc_answer_t answer =
        judged(PXR_RC_SEND, 400, "application/json",
               FAILED("\"error\":\"Not\\nallowed [error-not-allowed]\",\"errorType\":\"error-x\""));
    char body[4096];
    char longest[3000];

    (void)state;
    assert_string_equal(answer.key, "error-x");
    assert_string_equal(answer.reason, "HTTP 400: Not allowed [error-not-allowed]");
    answer = judged(PXR_RC_SEND, 400, "application/json",
                    FAILED("\"error\":\"Not allowed [error-not-allowed]\""));
    assert_string_equal(answer.key, "error-not-allowed");
    answer = judged(PXR_RC_SEND, 302, "text/html", "");
    assert_non_null(strstr(answer.reason, "redirect"));
    answer = judged(PXR_RC_SEND, 200, "text/html", "x");
    assert_non_null(strstr(answer.reason, "no answer of Rocket.Chat"));
    /* Too long for its place: no name, and a reason that ends at a code point. */
    memset(longest, 0, sizeof(longest));
    for (size_t i = 0; i + 2 < sizeof(longest); i += 2) {
        memcpy(longest + i, "\xc3\xb8", 2);
    }
    snprintf(body, sizeof(body), FAILED("\"error\":\"%s\""), longest);
    answer = judged(PXR_RC_ROOM, 400, "application/json", body);
    assert_int_equal(answer.verdict, PXR_RC_REFUSED);
    assert_string_equal(answer.key, "");
    assert_true(pxr_utf8_valid(answer.reason, strlen(answer.reason)));
}

static int64_t wait_of(int status, int64_t retry, int64_t reset, int64_t remaining,
                       const char *body)
{
    pxr_rest_result_t result = answered(status, "application/json", body);
    pxr_rc_answer_t answer;

    result.retry_after = retry;
    result.reset_after = reset;
    result.remaining = remaining;
    pxr_rc_judge(PXR_RC_ROOM, &result, &answer);
    free(result.body);
    pxr_rc_answer_clear(&answer);
    return answer.wait;
}

static void waits_come_from_headers_then_from_the_body(void **state)
{
    static const char slow[] =
        FAILED("\"error\":\"Error, too many requests. Please slow down. You must wait 17 seconds "
               "before trying this endpoint again. [error-too-many-requests]\"");
    static const char good[] = "{\"success\":true}";

    (void)state;
    assert_int_equal(wait_of(429, 5 * PXR_SECOND, 9 * PXR_SECOND, 0, slow), 5 * PXR_SECOND);
    assert_int_equal(wait_of(429, -1, 9 * PXR_SECOND, 0, slow), 9 * PXR_SECOND);
    assert_int_equal(wait_of(429, -1, 9 * PXR_SECOND, -1, slow), 9 * PXR_SECOND);
    assert_int_equal(wait_of(429, -1, -1, -1, slow), 17 * PXR_SECOND);
    assert_int_equal(wait_of(503, 5 * PXR_SECOND, -1, -1, ""), 5 * PXR_SECOND);
    assert_int_equal(wait_of(503, -1, -1, -1, ""), 0);
    assert_int_equal(
        wait_of(400, -1, -1, -1,
                FAILED("\"errorType\":\"too-many-requests\",\"details\":{\"timeToReset\":2500}")),
        5 * PXR_SECOND / 2);
    assert_int_equal(wait_of(429, -1, -1, -1, FAILED("\"details\":{\"seconds\":4.5}")),
                     9 * PXR_SECOND / 2);
    assert_int_equal(wait_of(429, -1, -1, -1, FAILED("\"details\":{\"seconds\":9e99}")),
                     PXR_REST_WAIT_MAX);
    assert_int_equal(wait_of(429, -1, -1, -1, FAILED("\"details\":{\"seconds\":-1}")), 0);
    assert_int_equal(wait_of(429, -1, -1, -1,
                             FAILED("\"error\":\"You must wait "
                                    "999999999999999999999999999999999 seconds\"")),
                     PXR_REST_WAIT_MAX);
    assert_int_equal(wait_of(429, -1, -1, -1, FAILED("\"error\":\"You must wait \"")), 0);
    /* What was allowed, but the last of its kind for now. */
    assert_int_equal(wait_of(200, -1, 9 * PXR_SECOND, 0, good), 9 * PXR_SECOND);
    assert_int_equal(wait_of(200, -1, 9 * PXR_SECOND, 3, good), 0);
}

static void without_an_answer_it_depends_on_what_was_asked(void **state)
{
    pxr_rest_result_t result = {.why = "no complete answer in time", .retry_after = -1};
    pxr_rc_answer_t answer;

    (void)state;
    for (int call = PXR_RC_SEND; call <= PXR_RC_ME; call++) {
        bool once = call == PXR_RC_SEND || call == PXR_RC_DISCUSS;
        result.outcome = PXR_REST_UNKNOWN;
        pxr_rc_judge((pxr_rc_call_t)call, &result, &answer);
        assert_int_equal(answer.verdict, once ? PXR_RC_UNKNOWN : PXR_RC_LATER);
        assert_string_equal(answer.reason, result.why);
        result.outcome = PXR_REST_NOT_SENT;
        pxr_rc_judge((pxr_rc_call_t)call, &result, &answer);
        assert_int_equal(answer.verdict, PXR_RC_LATER);
        assert_null(answer.doc);
    }
}

/* An answer that must be taken as OK. */
static pxr_rc_answer_t good(pxr_rc_call_t call, const char *body)
{
    pxr_rc_answer_t answer = judged(call, 200, "application/json", body);

    CHECK(answer.verdict == PXR_RC_OK, "%s: %s", body, answer.reason);
    return answer;
}

static void answers_are_read(void **state)
{
    pxr_rc_answer_t answer;
    pxr_rc_message_t message;
    pxr_rc_room_t room;
    pxr_rc_user_t user;
    const char *id;
    size_t count;

    (void)state;
    answer = good(PXR_RC_SEND, "{\"message\":{\"_id\":\"M1\",\"rid\":\"R1\",\"msg\":\"\",\"tmid\":"
                               "\"T1\",\"u\":{\"_id\":\"U1\",\"username\":\"bot\"},\"md\":[]},"
                               "\"success\":true}");
    assert_true(pxr_rc_read_message(answer.doc, &message));
    assert_string_equal(message.id, "M1");
    assert_string_equal(message.room_id, "R1");
    assert_string_equal(message.text, "");
    assert_string_equal(message.thread_id, "T1");
    assert_string_equal(message.user_id, "U1");
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_ROOM, "{\"room\":{\"_id\":\"R1\",\"t\":\"d\",\"usernames\":[\"a\"]},"
                               "\"success\":true}");
    assert_true(pxr_rc_read_room(answer.doc, &room));
    assert_string_equal(room.id, "R1");
    assert_string_equal(room.type, "d");
    assert_true(room.name == NULL && room.full_name == NULL && room.parent_id == NULL);
    assert_true(room.owner_id == NULL && room.created_at == 0);
    assert_false(pxr_rc_read_discussion(answer.doc, &room));
    assert_false(pxr_rc_read_message(answer.doc, &message));
    assert_false(pxr_rc_count_discussions(answer.doc, &count));
    assert_false(pxr_rc_read_discussions(answer.doc, 0, &room));
    assert_false(pxr_rc_read_me(answer.doc, &user));
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_DISCUSS,
                  "{\"discussion\":{\"rid\":\"D1\",\"_id\":\"D1\",\"t\":\"p\",\"name\":\"x7\","
                  "\"fname\":\"Chat\",\"prid\":\"R1\"},\"success\":true}");
    assert_true(pxr_rc_read_discussion(answer.doc, &room));
    assert_string_equal(room.full_name, "Chat");
    assert_string_equal(room.parent_id, "R1");
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_DISCUSSIONS,
                  "{\"discussions\":[{\"_id\":\"D1\",\"t\":\"c\",\"name\":\"x\",\"fname\":\"A\","
                  "\"prid\":\"R1\",\"ts\":\"2026-11-22T10:00:00.000Z\",\"u\":{\"_id\":\"U1\"}},"
                  "{\"_id\":7,\"t\":\"c\"},7,{\"_id\":\"D3\",\"t\":\"c\","
                  "\"ts\":{\"$date\":1795341600000}}],\"count\":3,\"total\":3,\"success\":true}");
    assert_true(pxr_rc_count_discussions(answer.doc, &count));
    assert_int_equal(count, 4);
    assert_true(pxr_rc_read_discussions(answer.doc, 0, &room));
    assert_string_equal(room.owner_id, "U1");
    assert_true(room.created_at == NOW);
    assert_false(pxr_rc_read_discussions(answer.doc, 1, &room));
    assert_false(pxr_rc_read_discussions(answer.doc, 2, &room));
    assert_true(pxr_rc_read_discussions(answer.doc, 3, &room));
    assert_true(room.created_at == NOW);
    assert_false(pxr_rc_read_discussions(answer.doc, 4, &room));
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_ME, "{\"_id\":\"U1\",\"username\":\"nina\",\"name\":\"Nina\","
                             "\"active\":true,\"success\":true}");
    assert_true(pxr_rc_read_me(answer.doc, &user));
    assert_string_equal(user.username, "nina");
    assert_string_equal(user.name, "Nina");
    assert_true(user.active);
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_ME, "{\"_id\":\"U1\",\"username\":\"nina\",\"active\":false,"
                             "\"success\":true}");
    assert_true(pxr_rc_read_me(answer.doc, &user));
    assert_false(user.active);
    assert_null(user.name);
    pxr_rc_answer_clear(&answer);

    answer = good(PXR_RC_DIRECT, "{\"room\":{\"t\":\"d\",\"rid\":\"R9\",\"_id\":\"R9\"},"
                                 "\"success\":true}");
    assert_true(pxr_rc_read_direct(answer.doc, &id));
    assert_string_equal(id, "R9");
    pxr_rc_answer_clear(&answer);
}

/* Whatever people have typed into the room. */
static void odd_texts_do_not_spoil_an_answer(void **state)
{
    pxr_rc_answer_t answer =
        good(PXR_RC_ROOM, "{\"room\":{\"_id\":\"R1\",\"t\":\"c\",\"name\":\"general\","
                          "\"lastMessage\":{\"msg\":\"\\ud83d \\u0000 \xff\",\"x\":"
                          "99999999999999999999999}},\"success\":true}");
    pxr_rc_room_t room;

    (void)state;
    assert_true(pxr_rc_read_room(answer.doc, &room));
    assert_string_equal(room.name, "general");
    pxr_rc_answer_clear(&answer);
}

static void wrong_members_are_garbled(void **state)
{
    static const char *const wrong[] = {"7", "true", "[]", "{}", "1.5"};
    static const char *const members[] = {"_id", "t", "name", "fname", "prid", "u", "ts"};
    char longest[300];
    char body[1024];
    pxr_rc_room_t room;

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        for (size_t j = 0; j < COUNT(wrong); j++) {
            const char *value =
                strcmp(members[i], "u") == 0 && wrong[j][0] == '{' ? "{\"_id\":7}"
                : strcmp(members[i], "ts") == 0 && wrong[j][0] != '{' && wrong[j][0] != '['
                    ? "-1"
                    : wrong[j];
            snprintf(body, sizeof(body),
                     "{\"room\":{\"_id\":\"R1\",\"t\":\"c\",\"%s\":%s},\"success\":true}",
                     members[i], value);
            pxr_rc_answer_t answer = good(PXR_RC_ROOM, body);
            CHECK(!pxr_rc_read_room(answer.doc, &room), "%s", body);
            pxr_rc_answer_clear(&answer);
        }
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (int len = 64; len <= 65; len++) {
        snprintf(body, sizeof(body), "{\"room\":{\"_id\":\"%.*s\",\"t\":\"c\"},\"success\":true}",
                 len, longest);
        pxr_rc_answer_t answer = good(PXR_RC_ROOM, body);
        assert_int_equal(pxr_rc_read_room(answer.doc, &room), len == 64);
        pxr_rc_answer_clear(&answer);
    }
}

/* Whoever has made them so must not be taken for a server that fails. */
static void long_and_missing_names_do_not_spoil_an_answer(void **state)
{
    char longest[252];
    char body[1024];
    pxr_rc_answer_t answer;
    pxr_rc_user_t user;
    pxr_rc_room_t room;

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (int len = 250; len <= 251; len++) {
        snprintf(body, sizeof(body),
                 "{\"room\":{\"_id\":\"R\",\"t\":\"p\",\"name\":\"%.*s\",\"fname\":\"%.*s\"},"
                 "\"success\":true}",
                 len, longest, len, longest);
        answer = good(PXR_RC_ROOM, body);
        assert_true(pxr_rc_read_room(answer.doc, &room));
        assert_int_equal(room.name != NULL, len == 250);
        assert_int_equal(room.full_name != NULL, len == 250);
        pxr_rc_answer_clear(&answer);
    }
    snprintf(body, sizeof(body), "{\"_id\":\"U\",\"name\":\"%s\",\"success\":true}", longest);
    answer = good(PXR_RC_ME, body);
    assert_true(pxr_rc_read_me(answer.doc, &user));
    assert_string_equal(user.name, longest);
    assert_null(user.username);
    pxr_rc_answer_clear(&answer);
}

static void depth_has_a_limit(void **state)
{
    for (int depth = 60; depth <= 80; depth += 20) {
        char body[256] = "{\"success\":true,\"x\":";
        pxr_rc_answer_t answer;
        (void)state;
        memset(body + strlen(body), '[', (size_t)depth);
        memset(body + strlen(body), ']', (size_t)depth);
        strcat(body, "}");
        answer = judged(PXR_RC_ROOM, 200, "application/json", body);
        assert_int_equal(answer.verdict, depth == 60 ? PXR_RC_OK : PXR_RC_GARBLED);
        pxr_rc_answer_clear(&answer);
    }
}

static void answers_of_the_largest_size_are_judged(void **state)
{
    static const char head[] = "{\"success\":true,\"discussions\":[";
    static const char entry[] = "{\"_id\":\"D\",\"t\":\"c\"},";
    size_t entries = (PXR_REST_ANSWER_MAX - sizeof(head) - 2) / (sizeof(entry) - 1);
    char *body = malloc(PXR_REST_ANSWER_MAX + 1);
    char *at = body + sprintf(body, "%s", head);
    pxr_rc_answer_t answer;
    pxr_rc_room_t room;
    size_t count;

    (void)state;
    for (size_t i = 0; i < entries; i++) {
        at += sprintf(at, "%s", entry);
    }
    memcpy(at - 1, "]}", 3);
    answer = good(PXR_RC_DISCUSSIONS, body);
    assert_true(pxr_rc_count_discussions(answer.doc, &count));
    assert_int_equal(count, entries);
    assert_true(pxr_rc_read_discussions(answer.doc, count - 1, &room));
    pxr_rc_answer_clear(&answer);

    /* Nothing but brackets, and one text without an end. */
    body[PXR_REST_ANSWER_MAX] = '\0';
    memset(body, '[', PXR_REST_ANSWER_MAX);
    answer = judged(PXR_RC_DISCUSSIONS, 200, "application/json", body);
    assert_int_equal(answer.verdict, PXR_RC_GARBLED);
    memset(body, 'x', PXR_REST_ANSWER_MAX);
    memcpy(body, "{\"error\":\"", 10);
    answer = judged(PXR_RC_ROOM, 400, "application/json", body);
    assert_int_equal(answer.verdict, PXR_RC_GARBLED);
    memcpy(body + PXR_REST_ANSWER_MAX - 2, "\"}", 2);
    answer = judged(PXR_RC_ROOM, 400, "application/json", body);
    assert_int_equal(answer.verdict, PXR_RC_REFUSED);
    assert_string_equal(answer.key, "");
    assert_int_equal(strlen(answer.reason), PXR_WHY_MAX);
    free(body);
}

#define LEAST "\"token\":\"s3\",\"channel_id\":\"R1\",\"message_id\":\"M1\",\"user_id\":\"U1\""

/* Bytes that mean something in JSON are more likely. */
static void mutate(char *text, size_t len, uint64_t *seed)
{
    static const char bytes[] = "{}[]\",:\\0-e1 \xff\x01tfn";

    for (uint32_t i = dice(seed, 6); i > 0; i--) {
        size_t at = dice(seed, (uint32_t)len);
        switch (dice(seed, 3)) {
        case 0:
            text[at] = bytes[dice(seed, sizeof(bytes) - 1)];
            break;
        case 1:
            text[at] = (char)dice(seed, 256);
            break;
        default:
            memmove(text + at, text + dice(seed, (uint32_t)at + 1), len - at);
            break;
        }
    }
}

static void read_all(const pxr_json_doc_t *doc)
{
    pxr_rc_message_t message;
    pxr_rc_room_t room;
    pxr_rc_user_t user;
    pxr_webhook_t hook;
    const char *id;
    size_t count;
    BUFFER(why, 512);

    if (pxr_rc_read_message(doc, &message)) {
        assert_true(strlen(message.id) > 0 && message.text != NULL);
    }
    if (pxr_rc_read_room(doc, &room) || pxr_rc_read_discussion(doc, &room)) {
        assert_true(strlen(room.id) > 0 && strlen(room.type) > 0);
    }
    if (pxr_rc_count_discussions(doc, &count)) {
        for (size_t i = 0; i < count; i++) {
            pxr_rc_read_discussions(doc, i, &room);
        }
    }
    if (pxr_rc_read_me(doc, &user)) {
        assert_true(strlen(user.id) > 0);
    }
    pxr_rc_read_direct(doc, &id);
    if (pxr_rc_read_webhook(doc, &hook, &why) == PXR_OK) {
        assert_true(strlen(hook.token) > 0 && strlen(hook.user_id) > 0 && hook.text != NULL);
    } else {
        assert_true(why.len > 0);
    }
}

static void damaged_answers_do_no_harm(void **state)
{
    static const char *const samples[] = {
        "{\"success\":true,\"message\":{\"_id\":\"M1\",\"rid\":\"R1\",\"msg\":\"\\u00e5\","
        "\"u\":{\"_id\":\"U1\"}},\"room\":{\"rid\":\"R\",\"_id\":\"R1\",\"t\":\"c\",\"name\":\"n\","
        "\"ts\":{\"$date\":1795341600000}},\"_id\":\"U\",\"username\":\"n\"}",
        "{\"success\":true,\"discussions\":[{\"_id\":\"D1\",\"t\":\"c\",\"prid\":\"R1\",\"ts\":"
        "\"2026-11-22T10:00:00.000Z\",\"u\":{\"_id\":\"U1\"}},{\"_id\":\"D2\",\"t\":\"p\"}]}",
        "{\"success\":false,\"error\":\"Please wait. You must wait 17 seconds [error-x]\","
        "\"errorType\":\"error-x\",\"details\":{\"seconds\":17,\"timeToReset\":1700}}",
        "{\"success\":true," LEAST ",\"bot\":{\"i\":\"x\"},\"timestamp\":1795341600000,"
        "\"text\":\"!pexip\",\"isEdited\":true}",
    };
    uint64_t seed = 20261122;
    int understood = 0;

    (void)state;
    for (int i = 0; i < 40000; i++) {
        const char *sample = samples[i % (int)COUNT(samples)];
        pxr_rest_result_t result =
            answered(dice(&seed, 2) == 0 ? 200 : 400, "application/json", sample);
        pxr_rc_answer_t answer;
        mutate(result.body, result.body_len, &seed);
        result.body_len -= dice(&seed, 8) == 0 ? dice(&seed, (uint32_t)result.body_len) : 0;
        result.body[result.body_len] = '\0';
        pxr_rc_judge((pxr_rc_call_t)dice(&seed, PXR_RC_ME + 1), &result, &answer);
        assert_true((answer.reason[0] == '\0') == (answer.verdict == PXR_RC_OK));
        assert_true(answer.wait >= 0 && answer.wait <= PXR_REST_WAIT_MAX);
        if (answer.doc != NULL) {
            read_all(answer.doc);
            understood++;
        }
        pxr_rc_answer_clear(&answer);
        free(result.body);
    }
    /* Neither all of them broken nor all of them untouched. */
    assert_in_range(understood, 1000, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_errors),
        cmocka_unit_test(only_json_is_parsed),
        cmocka_unit_test(names_and_reasons_are_told),
        cmocka_unit_test(waits_come_from_headers_then_from_the_body),
        cmocka_unit_test(without_an_answer_it_depends_on_what_was_asked),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(odd_texts_do_not_spoil_an_answer),
        cmocka_unit_test(wrong_members_are_garbled),
        cmocka_unit_test(long_and_missing_names_do_not_spoil_an_answer),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(answers_of_the_largest_size_are_judged),
        cmocka_unit_test(damaged_answers_do_no_harm),
    };

    return RUN(tests);
}
