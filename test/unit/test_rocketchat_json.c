#include "helpers.h"

#include "pxr_rocketchat.h"

/* What Rocket.Chat is sent, and what it sends by itself. */

#define NOW (INT64_C(1795341600) * PXR_SECOND) /* 2026-11-22T10:00:00Z */

static char sentence[512];

static void check_text(char *text, const char *wanted)
{
    assert_non_null(text);
    assert_string_equal(text, wanted);
    pxr_json_text_free(text);
}

static void bodies_have_what_all_versions_take(void **state)
{
    const pxr_rc_post_t plain = {.text = "A \"call\"\n\xc3\xb8"};
    const pxr_rc_post_t whole = {.text = "x",
                                 .thread_id = "T1",
                                 .title = "Weekly",
                                 .button_text = "Join",
                                 .button_url = "https://a/b?c=d"};
    const pxr_rc_post_t half = {.text = NULL, .thread_id = "", .button_text = "Join"};
    const pxr_rc_post_t button = {.text = "x", .button_text = "Join", .button_url = "https://a"};
    const char *const users[] = {"nina", "per"};

    (void)state;
    check_text(pxr_rc_write_send("M1", "R1", &plain),
               "{\"message\":{\"_id\":\"M1\",\"rid\":\"R1\",\"msg\":\"A \\\"call\\\"\\n\xc3\xb8\"},"
               "\"previewUrls\":[]}");
    check_text(
        pxr_rc_write_send("M1", "R1", &whole),
        "{\"message\":{\"_id\":\"M1\",\"rid\":\"R1\",\"msg\":\"x\",\"tmid\":\"T1\","
        "\"attachments\":[{\"title\":\"Weekly\",\"button_alignment\":\"horizontal\","
        "\"actions\":[{\"type\":\"button\",\"text\":\"Join\",\"url\":\"https://a/b?c=d\"}]}]},"
        "\"previewUrls\":[]}");
    check_text(pxr_rc_write_send("M1", "R1", &half),
               "{\"message\":{\"_id\":\"M1\",\"rid\":\"R1\",\"msg\":\"\"},\"previewUrls\":[]}");
    check_text(pxr_rc_write_update("R1", "M1", "ended"),
               "{\"roomId\":\"R1\",\"msgId\":\"M1\",\"text\":\"ended\",\"previewUrls\":[]}");
    check_text(pxr_rc_write_discuss("R1", "Chat", NULL, 0),
               "{\"prid\":\"R1\",\"t_name\":\"Chat\",\"encrypted\":false}");
    check_text(pxr_rc_write_discuss("R1", "Chat", users, 2),
               "{\"prid\":\"R1\",\"t_name\":\"Chat\",\"encrypted\":false,"
               "\"users\":[\"nina\",\"per\"]}");
    check_text(pxr_rc_write_invite("R1", "U1"), "{\"roomId\":\"R1\",\"userId\":\"U1\"}");
    check_text(pxr_rc_write_direct("nina"), "{\"username\":\"nina\"}");
    check_text(pxr_rc_write_callback("c1"), "{\"callId\":\"c1\"}");
    check_text(pxr_rc_write_webhook(NULL), "{}");
    check_text(pxr_rc_write_webhook(&plain), "{\"text\":\"A \\\"call\\\"\\n\xc3\xb8\"}");
    check_text(pxr_rc_write_webhook(&button),
               "{\"text\":\"x\",\"attachments\":[{\"button_alignment\":\"horizontal\","
               "\"actions\":[{\"type\":\"button\",\"text\":\"Join\",\"url\":\"https://a\"}]}]}");
}

/* A body without a member would mean something else. */
static void what_is_no_utf8_makes_no_body(void **state)
{
    static const char bad[] = "\xff\xfe";
    const char *const users[] = {"nina", bad};
    pxr_rc_post_t post = {.text = "x", .button_text = "Join", .button_url = "https://a"};

    (void)state;
    assert_null(pxr_rc_write_send(bad, "R", &post));
    assert_null(pxr_rc_write_send("M", bad, &post));
    post.text = bad;
    assert_null(pxr_rc_write_send("M", "R", &post));
    assert_null(pxr_rc_write_webhook(&post));
    post.text = "x";
    post.thread_id = bad;
    assert_null(pxr_rc_write_send("M", "R", &post));
    assert_null(pxr_rc_write_webhook(&post));
    post.thread_id = NULL;
    post.title = bad;
    assert_null(pxr_rc_write_send("M", "R", &post));
    post.title = NULL;
    post.button_url = bad;
    assert_null(pxr_rc_write_send("M", "R", &post));
    assert_null(pxr_rc_write_webhook(&post));
    assert_null(pxr_rc_write_update("R", "M", bad));
    assert_null(pxr_rc_write_discuss("R", bad, NULL, 0));
    assert_null(pxr_rc_write_discuss("R", "N", users, 2));
    assert_null(pxr_rc_write_invite("R", bad));
    assert_null(pxr_rc_write_direct(bad));
    assert_null(pxr_rc_write_callback(bad));
}

static void paths_encode_their_ids(void **state)
{
    static const struct {
        pxr_rc_call_t call;
        const char *path;
    } cases[] = {
        {PXR_RC_SEND, "/api/v1/chat.sendMessage"},
        {PXR_RC_UPDATE, "/api/v1/chat.update"},
        {PXR_RC_MESSAGE, "/api/v1/chat.getMessage?msgId=a%26b%20%C3%B8"},
        {PXR_RC_ROOM, "/api/v1/rooms.info?roomId=a%26b%20%C3%B8"},
        {PXR_RC_DISCUSSIONS,
         "/api/v1/rooms.getDiscussions?roomId=a%26b%20%C3%B8&sort=%7B%22ts%22%3A-1%7D"},
        {PXR_RC_DISCUSS, "/api/v1/rooms.createDiscussion"},
        {PXR_RC_INVITE_PRIVATE, "/api/v1/groups.invite"},
        {PXR_RC_INVITE_PUBLIC, "/api/v1/channels.invite"},
        {PXR_RC_DIRECT, "/api/v1/im.create"},
        {PXR_RC_ME, "/api/v1/me"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(path, 200);
        pxr_rc_put_path(&path, cases[i].call, "a&b \xc3\xb8");
        assert_string_equal(path.data, cases[i].path);
    }
}

/* Reads a webhook's body; the texts are gone afterwards, but the result and `sentence` are kept. */
static pxr_status_t hear(const char *body, pxr_webhook_t *out, pxr_json_doc_t **doc)
{
    char *copy = exact_copy(body, strlen(body));
    pxr_status_t status = PXR_INVALID;
    pxr_buf_t why;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    *doc = pxr_json_parse(copy, strlen(body), &why);
    free(copy);
    if (*doc != NULL) {
        status = pxr_rc_read_webhook(*doc, out, &why);
    }
    return status;
}

#define LEAST "\"token\":\"s3\",\"channel_id\":\"R1\",\"message_id\":\"M1\",\"user_id\":\"U1\""

static void a_webhook_is_read(void **state)
{
    pxr_webhook_t hook;
    pxr_json_doc_t *doc;

    (void)state;
    assert_int_equal(
        hear("{\"token\":\"s3cret\",\"bot\":false,\"trigger_word\":\"!pexip\",\"channel_id\":"
             "\"R1\",\"channel_name\":\"general\",\"message_id\":\"M1\",\"timestamp\":"
             "\"2026-11-22T10:00:00.000Z\",\"user_id\":\"U1\",\"user_name\":\"nina\",\"text\":"
             "\"!pexip Weekly\",\"siteUrl\":\"https://chat.example.com\",\"alias\":\"Nina\","
             "\"isEdited\":true,\"tmid\":\"T1\",\"more\":{}}",
             &hook, &doc),
        PXR_OK);
    assert_string_equal(hook.token, "s3cret");
    assert_string_equal(hook.trigger_word, "!pexip");
    assert_string_equal(hook.room_id, "R1");
    assert_string_equal(hook.room_name, "general");
    assert_string_equal(hook.message_id, "M1");
    assert_string_equal(hook.user_id, "U1");
    assert_string_equal(hook.username, "nina");
    assert_string_equal(hook.text, "!pexip Weekly");
    assert_string_equal(hook.site_url, "https://chat.example.com");
    assert_string_equal(hook.alias, "Nina");
    assert_string_equal(hook.thread_id, "T1");
    assert_true(hook.timestamp == NOW);
    assert_true(hook.edited);
    assert_false(hook.bot);
    pxr_json_free(doc);

    assert_int_equal(hear("{" LEAST ",\"channel_name\":null,\"tmid\":\"\"}", &hook, &doc), PXR_OK);
    assert_null(hook.room_name);
    assert_null(hook.username);
    assert_null(hook.thread_id);
    assert_string_equal(hook.text, "");
    assert_true(hook.timestamp == 0 && !hook.bot && !hook.edited);
    pxr_json_free(doc);
}

static void bots_and_times_come_in_several_forms(void **state)
{
    static const struct {
        const char *member;
        bool bot;
        pxr_time_t timestamp;
    } cases[] = {
        {"\"bot\":true", true, 0},
        {"\"bot\":{\"i\":\"abc\"}", true, 0},
        {"\"bot\":{}", true, 0},
        {"\"bot\":null", false, 0},
        {"\"timestamp\":\"2026-11-22T11:00:00+01:00\"", false, NOW},
        {"\"timestamp\":{\"$date\":1795341600000}", false, NOW},
        {"\"timestamp\":1795341600000", false, NOW},
        {"\"timestamp\":1795341600000.0", false, NOW},
        {"\"timestamp\":null", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char body[512];
        pxr_webhook_t hook;
        pxr_json_doc_t *doc;
        snprintf(body, sizeof(body), "{" LEAST ",%s}", cases[i].member);
        CHECK(hear(body, &hook, &doc) == PXR_OK, "%s: %s", body, sentence);
        CHECK(hook.bot == cases[i].bot && hook.timestamp == cases[i].timestamp, "%s", body);
        pxr_json_free(doc);
    }
}

static void what_is_wrong_with_a_webhook_is_named(void **state)
{
    static const char *const texts[] = {"token",        "channel_id",   "message_id", "user_id",
                                        "user_name",    "channel_name", "text",       "siteUrl",
                                        "trigger_word", "alias",        "tmid"};
    static const char *const bad[] = {"\"bot\":\"yes\"",       "\"bot\":1",
                                      "\"isEdited\":\"true\"", "\"timestamp\":\"yesterday\"",
                                      "\"timestamp\":true",    "\"timestamp\":{\"$date\":\"x\"}",
                                      "\"timestamp\":-5",      "\"timestamp\":1e300"};
    char body[1024];
    pxr_webhook_t hook;
    pxr_json_doc_t *doc;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t j = 0; j < 2; j++) {
            /* Members of LEAST are left out where they are the ones in question. */
            const char *key[] = {"token", "channel_id", "message_id", "user_id"};
            int len = snprintf(body, sizeof(body), "{\"%s\":%s", texts[i], j == 0 ? "[]" : "7");
            for (size_t k = 0; k < COUNT(key); k++) {
                if (strcmp(key[k], texts[i]) != 0) {
                    len +=
                        snprintf(body + len, sizeof(body) - (size_t)len, ",\"%s\":\"x\"", key[k]);
                }
            }
            snprintf(body + len, sizeof(body) - (size_t)len, "}");
            assert_int_equal(hear(body, &hook, &doc), PXR_INVALID);
            CHECK(strncmp(sentence, texts[i], strlen(texts[i])) == 0, "%s: %s", body, sentence);
            CHECK(strcmp(texts[i], "token") == 0 || strcmp(hook.token, "x") == 0,
                  "%s: the token is not told", body);
            pxr_json_free(doc);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(body, sizeof(body), "{" LEAST ",%s}", bad[i]);
        CHECK(hear(body, &hook, &doc) == PXR_INVALID, "%s", body);
        CHECK(strncmp(sentence, bad[i] + 1, 3) == 0, "%s: %s", body, sentence);
        pxr_json_free(doc);
    }
    assert_int_equal(hear("{}", &hook, &doc), PXR_INVALID);
    assert_string_equal(sentence, "token is required");
    pxr_json_free(doc);
    assert_int_equal(hear("{\"token\":\"s\",\"channel_id\":\"\"}", &hook, &doc), PXR_INVALID);
    assert_string_equal(sentence, "channel_id is required");
    assert_string_equal(hook.token, "s");
    pxr_json_free(doc);
}

static void other_ways_in_are_written(void **state)
{
    const pxr_info_t whole = {"Weekly \xc3\xb8", "sip:1@a", "abc", "801", "1234", "9876",
                              "https://a"};
    const pxr_info_t some = {.title = "", .alias = "abc"};

    (void)state;
    check_text(pxr_json_write_info(&whole),
               "{\"title\":\"Weekly \xc3\xb8\",\"address\":\"sip:1@a\",\"alias\":\"abc\","
               "\"numeric_alias\":\"801\",\"guest_pin\":\"1234\",\"host_pin\":\"9876\","
               "\"join_url\":\"https://a\"}");
    check_text(pxr_json_write_info(&some), "{\"alias\":\"abc\"}");
}

static void deliveries_are_listed(void **state)
{
    const pxr_delivery_line_t failed = {.meeting = "abc",
                                        .kind = "message",
                                        .state = "failed",
                                        .reason = "HTTP 400: no",
                                        .http_status = 400,
                                        .changed_at = NOW + PXR_SECOND};
    const pxr_delivery_line_t waiting = {
        .meeting = "def", .kind = "callback", .state = "waiting", .changed_at = NOW};
    pxr_json_deliveries_t *list = pxr_json_deliveries_new();

    (void)state;
    pxr_json_deliveries_add(list, &failed);
    pxr_json_deliveries_add(list, &waiting);
    check_text(pxr_json_deliveries_end(list),
               "{\"deliveries\":[{\"meeting\":\"abc\",\"kind\":\"message\",\"state\":\"failed\","
               "\"reason\":\"HTTP 400: no\",\"http_status\":400,"
               "\"changed_at\":\"2026-11-22T10:00:01.000Z\"},"
               "{\"meeting\":\"def\",\"kind\":\"callback\",\"state\":\"waiting\",\"reason\":null,"
               "\"http_status\":null,"
               "\"changed_at\":\"2026-11-22T10:00:00.000Z\"}]}");
    check_text(pxr_json_deliveries_end(pxr_json_deliveries_new()), "{\"deliveries\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_have_what_all_versions_take),
        cmocka_unit_test(what_is_no_utf8_makes_no_body),
        cmocka_unit_test(paths_encode_their_ids),
        cmocka_unit_test(a_webhook_is_read),
        cmocka_unit_test(bots_and_times_come_in_several_forms),
        cmocka_unit_test(what_is_wrong_with_a_webhook_is_named),
        cmocka_unit_test(other_ways_in_are_written),
        cmocka_unit_test(deliveries_are_listed),
    };

    return RUN(tests);
}
