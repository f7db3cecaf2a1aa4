#include "helpers.h"

#include "pxr_json.h"

#define NOW (INT64_C(1795341600) * PXR_SECOND) /* 2026-11-22T10:00:00Z */
#define LEAST "\"room\":{\"id\":\"R\"},\"creator\":{\"id\":\"U\"}"

static char sentence[512];

/* Parses and reads; fills `sentence`. The document stays valid where the result is PXR_OK. */
static pxr_status_t read_create(const char *body, pxr_json_doc_t **doc, pxr_create_request_t *out)
{
    size_t len = strlen(body);
    char *copy = exact_copy(body, len);
    pxr_buf_t why;
    pxr_status_t status = PXR_INVALID;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    *doc = pxr_json_parse(copy, len, &why);
    free(copy);
    if (*doc != NULL) {
        status = pxr_json_read_create(*doc, NOW, out, &why);
        if (status != PXR_OK) {
            pxr_json_free(*doc);
            *doc = NULL;
        }
    }
    return status;
}

static void refused(const char *body, const char *member)
{
    pxr_create_request_t request;
    pxr_json_doc_t *doc;

    CHECK(read_create(body, &doc, &request) == PXR_INVALID, "%s was taken", body);
    CHECK(strncmp(sentence, member, strlen(member)) == 0 &&
              strchr(" :", sentence[strlen(member)]) != NULL,
          "%s: '%s' does not name %s", body, sentence, member);
}

static void accepted(const char *body)
{
    pxr_create_request_t request;
    pxr_json_doc_t *doc;

    CHECK(read_create(body, &doc, &request) == PXR_OK, "%s: %s", body, sentence);
    CHECK(sentence[0] == '\0', "%s", sentence);
    pxr_json_free(doc);
}

static void check_detail(const pxr_create_request_t *request, pxr_detail_t which, const char *text)
{
    assert_non_null(request->details.text[which]);
    assert_string_equal(request->details.text[which], text);
    assert_int_equal(request->details.len[which], strlen(text));
}

static void a_whole_request_is_read(void **state)
{
    pxr_create_request_t request;
    pxr_json_doc_t *doc;

    (void)state;
    assert_int_equal(
        read_create(
            "{\"id\":\"abcDEF123456\",\"title\":\"Weekly \\u00f8\",\"room\":{\"id\":"
            "\"GENERAL\",\"name\":\"general\",\"type\":\"c\"},\"creator\":{\"id\":\"u1\","
            "\"username\":\"nina\",\"name\":\"Nina\"},\"discussion\":{\"id\":\"d1\","
            "\"name\":\"chat\",\"type\":\"p\"},\"not_before\":\"2026-11-22T11:00:00+01:00\","
            "\"not_after\":\"2026-11-22T12:00:00Z\",\"unknown\":[1,{\"a\":null}]}",
            &doc, &request),
        PXR_OK);
    assert_string_equal(request.id, "abcDEF123456");
    check_detail(&request, PXR_TITLE, "Weekly \xc3\xb8");
    check_detail(&request, PXR_ROOM_ID, "GENERAL");
    check_detail(&request, PXR_ROOM_NAME, "general");
    check_detail(&request, PXR_ROOM_TYPE, "c");
    check_detail(&request, PXR_CREATOR_ID, "u1");
    check_detail(&request, PXR_CREATOR_USERNAME, "nina");
    check_detail(&request, PXR_CREATOR_NAME, "Nina");
    check_detail(&request, PXR_DISCUSSION_ID, "d1");
    check_detail(&request, PXR_DISCUSSION_NAME, "chat");
    check_detail(&request, PXR_DISCUSSION_TYPE, "p");
    assert_true(request.not_before == NOW);
    assert_true(request.not_after == NOW + 7200 * PXR_SECOND);
    pxr_json_free(doc);
}

static void room_and_creator_are_enough_and_null_is_absent(void **state)
{
    pxr_create_request_t request;
    pxr_json_doc_t *doc;

    (void)state;
    assert_int_equal(read_create("{" LEAST ",\"id\":null,\"title\":null,\"discussion\":null,"
                                 "\"not_before\":null,\"not_after\":null}",
                                 &doc, &request),
                     PXR_OK);
    assert_null(request.id);
    assert_null(request.details.text[PXR_TITLE]);
    assert_null(request.details.text[PXR_DISCUSSION_ID]);
    assert_true(request.not_before == 0 && request.not_after == 0);
    pxr_json_free(doc);
    accepted("{\"room\":{\"id\":\"R\",\"name\":null,\"type\":null},\"creator\":{\"id\":\"U\"}}");
}

static void what_is_required_is_named_when_missing(void **state)
{
    (void)state;
    refused("{}", "room.id");
    refused("{\"creator\":{\"id\":\"U\"}}", "room.id");
    refused("{\"room\":null,\"creator\":{\"id\":\"U\"}}", "room.id");
    refused("{\"room\":{\"id\":\"\"},\"creator\":{\"id\":\"U\"}}", "room.id");
    refused("{\"room\":{\"id\":\"R\"}}", "creator.id");
    refused("{\"room\":{\"id\":\"R\"},\"creator\":{\"username\":\"nina\"}}", "creator.id");
    refused("{" LEAST ",\"discussion\":{}}", "discussion.id");
    refused("{" LEAST ",\"discussion\":{\"name\":\"x\"}}", "discussion.id");
}

static void wrong_types_are_named(void **state)
{
    static const char *const texts[] = {"id", "title", "not_before", "not_after"};
    static const char *const parts[] = {"room.name",    "room.type",       "creator.username",
                                        "creator.name", "discussion.name", "discussion.type"};
    static const char *const objects[] = {"room", "creator", "discussion"};
    static const char *const no_texts[] = {"5", "true", "[]", "{}", "1.5"};
    static const char *const no_objects[] = {"5", "true", "[]", "\"x\""};
    char body[256];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t j = 0; j < COUNT(no_texts); j++) {
            snprintf(body, sizeof(body), "{" LEAST ",\"%s\":%s}", texts[i], no_texts[j]);
            refused(body, texts[i]);
        }
    }
    for (size_t i = 0; i < COUNT(parts); i++) {
        const char *dot = strchr(parts[i], '.');
        for (size_t j = 0; j < COUNT(no_texts); j++) {
            /* The object in question replaces the one of LEAST. */
            snprintf(body, sizeof(body), "{%s%s\"%.*s\":{\"id\":\"X\",\"%s\":%s}}",
                     parts[i][0] == 'r' ? "" : "\"room\":{\"id\":\"R\"},",
                     parts[i][0] == 'c' ? "" : "\"creator\":{\"id\":\"U\"},", (int)(dot - parts[i]),
                     parts[i], dot + 1, no_texts[j]);
            refused(body, parts[i]);
        }
    }
    for (size_t i = 0; i < COUNT(objects); i++) {
        for (size_t j = 0; j < COUNT(no_objects); j++) {
            snprintf(body, sizeof(body), "{%s%s\"%s\":%s}",
                     i == 0 ? "" : "\"room\":{\"id\":\"R\"},",
                     i == 1 ? "" : "\"creator\":{\"id\":\"U\"},", objects[i], no_objects[j]);
            refused(body, objects[i]);
        }
    }
}

/* A body in which the member `path` has `count` times `unit`. */
static char *body_with(const char *path, const char *unit, size_t times)
{
    size_t size = strlen(unit) * times + 256;
    char *body = malloc(size);
    char *text = malloc(size);
    const char *dot = strchr(path, '.');

    assert_non_null(body);
    assert_non_null(text);
    text[0] = '\0';
    for (size_t i = 0, len = strlen(unit); i < times; i++) {
        memcpy(text + i * len, unit, len + 1);
    }
    if (dot == NULL) {
        snprintf(body, size, "{" LEAST ",\"%s\":\"%s\"}", path, text);
    } else {
        bool id = strcmp(dot, ".id") == 0;
        snprintf(body, size, "{%s%s\"%.*s\":{%s\"%s\":\"%s\"}}",
                 path[0] == 'r' ? "" : "\"room\":{\"id\":\"R\"},",
                 path[0] == 'c' ? "" : "\"creator\":{\"id\":\"U\"},", (int)(dot - path), path,
                 id ? "" : "\"id\":\"X\",", dot + 1, text);
    }
    free(text);
    return body;
}

static void texts_have_their_limits_in_characters(void **state)
{
    static const struct {
        const char *member;
        size_t most;
    } cases[] = {
        {"title", 5000},       {"room.id", 64},           {"room.name", 250},
        {"creator.id", 64},    {"creator.username", 250}, {"creator.name", 250},
        {"discussion.id", 64}, {"discussion.name", 250},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *body = body_with(cases[i].member, "\xf0\x9f\x98\x80", cases[i].most);
        accepted(body);
        free(body);
        body = body_with(cases[i].member, "\xf0\x9f\x98\x80", cases[i].most + 1);
        refused(body, cases[i].member);
        free(body);
    }
}

static void meeting_ids_are_checked(void **state)
{
    static const char *const bad[] = {"",           "short",          "with-dash1",
                                      "with blank", "abcdefg\\u00e9", "abcdefgh\\u0000",
                                      "abcdefgh\\n"};
    char *body;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        body = body_with("id", bad[i], 1);
        refused(body, "id");
        free(body);
    }
    body = body_with("id", "a", 64);
    accepted(body);
    free(body);
    body = body_with("id", "a", 65);
    refused(body, "id");
    free(body);
}

static void room_types_are_known(void **state)
{
    static const char *const types[] = {"c", "p", "d", "l", "", "x", "cp", "C", "cpdl", " "};

    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        char *body = body_with("room.type", types[i], 1);
        i < 4 ? accepted(body) : refused(body, "room.type");
        free(body);
        body = body_with("discussion.type", types[i], 1);
        i < 2 ? accepted(body) : refused(body, "discussion.type");
        free(body);
    }
}

static void nul_characters_are_refused_everywhere(void **state)
{
    static const char *const members[] = {"id",
                                          "title",
                                          "room.id",
                                          "room.name",
                                          "room.type",
                                          "creator.id",
                                          "creator.username",
                                          "creator.name",
                                          "discussion.id",
                                          "discussion.name",
                                          "discussion.type"};

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        char *body = body_with(members[i], "a\\u0000b", 1);
        refused(body, members[i]);
        free(body);
    }
}

static void impossible_times_are_named(void **state)
{
    (void)state;
    refused("{" LEAST ",\"not_before\":\"tomorrow\"}", "not_before");
    refused("{" LEAST ",\"not_before\":\"2026-02-30T10:00:00Z\"}", "not_before");
    refused("{" LEAST ",\"not_before\":\"\"}", "not_before");
    refused("{" LEAST ",\"not_after\":\"2026-11-22T12:00:00\"}", "not_after");
    refused("{" LEAST ",\"not_after\":\"2026-11-22T10:00:00Z\"}", "not_after"); /* is now */
    refused("{" LEAST ",\"not_after\":\"2020-01-01T00:00:00Z\"}", "not_after");
    refused("{" LEAST ",\"not_before\":\"2026-11-22T12:00:00Z\","
            "\"not_after\":\"2026-11-22T12:00:00Z\"}",
            "not_after");
    refused("{" LEAST ",\"not_before\":\"2026-11-22T13:00:00Z\","
            "\"not_after\":\"2026-11-22T12:00:00Z\"}",
            "not_after");
    refused("{" LEAST ",\"not_before\":\"2099-01-01T00:00:00Z\"}", "not_before");
    accepted("{" LEAST ",\"not_before\":\"2020-01-01T00:00:00Z\"}");
    accepted("{" LEAST ",\"not_after\":\"2026-11-22T10:00:00.000001Z\"}");
}

static void broken_json_is_located(void **state)
{
    (void)state;
    refused("", "the body");
    refused("   ", "the body");
    refused("nonsense", "the body");
    refused("[]", "the body");
    refused("\"text\"", "the body");
    refused("{\"room\":{\"id\":tru}}", "room.id");
    refused("{\"room\":{\"id\":\"R\",\"name\":0x1}}", "room.name");
    refused("{\"title\":\"abc", "title");
    refused("{" LEAST ",\"title\":\"\xff\"}", "title");
    refused("{" LEAST ",\"title\":\"\\ud800\"}", "title");
    refused("{" LEAST ",\"title\":\"a\nb\"}", "title");
    refused("{\"room\":{\"id\":\"R\"},\"creator\":{\"id\":\"U\",\"name\":\"\\x\"}}",
            "creator.name");
    refused("{" LEAST ",\"not_after\":2026-11-22}", "not_after");
    refused("{" LEAST ",\"id\":\"abcdefgh\",\"id\":\"abcdefgi\"}", "id");
    refused("{" LEAST ",\"title\":1e999}", "title");
}

static void deep_bodies_are_refused(void **state)
{
    char body[2200] = "{\"title\":";

    (void)state;
    memset(body + 9, '[', 2000);
    refused(body, "the body");
    strcpy(body, "{" LEAST ",\"x\":");
    for (int i = 0; i < 20; i++) {
        strcat(body, "[");
    }
    for (int i = 0; i < 20; i++) {
        strcat(body, "]");
    }
    strcat(body, "}");
    accepted(body);
}

static void no_truncation_is_taken_or_breaks_it(void **state)
{
    static const char body[] = "{\"id\":\"abcdefgh\",\"title\":\"\\u00f8\\\\\xc3\xb8\"," LEAST "}";

    (void)state;
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        char cut[sizeof(body)];
        pxr_create_request_t request;
        pxr_json_doc_t *doc;
        memcpy(cut, body, len);
        cut[len] = '\0';
        CHECK(read_create(cut, &doc, &request) == PXR_INVALID, "length %zu", len);
        CHECK(sentence[0] != '\0', "length %zu", len);
    }
}

static pxr_status_t read_link(const char *body, pxr_json_doc_t **doc, pxr_link_request_t *out)
{
    pxr_buf_t why;
    pxr_status_t status;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    *doc = pxr_json_parse(body, strlen(body), &why);
    CHECK(*doc != NULL, "%s: %s", body, sentence);
    status = pxr_json_read_link(*doc, out, &why);
    if (status != PXR_OK) {
        pxr_json_free(*doc);
    }
    return status;
}

static void a_link_request_is_read(void **state)
{
    pxr_link_request_t link;
    pxr_json_doc_t *doc;

    (void)state;
    assert_int_equal(read_link("{\"user\":{\"id\":\"u1\",\"username\":\"nina\",\"name\":\"Nina\"},"
                               "\"role\":\"host\",\"microphone\":false,\"camera\":true}",
                               &doc, &link),
                     PXR_OK);
    assert_string_equal(link.user_id, "u1");
    assert_string_equal(link.name, "Nina");
    assert_true(link.has_role && link.host && link.mute_microphone && !link.mute_camera);
    pxr_json_free(doc);

    assert_int_equal(read_link("{\"user\":{\"username\":\"nina\",\"name\":\"\"},\"role\":\"guest\","
                               "\"camera\":false}",
                               &doc, &link),
                     PXR_OK);
    assert_null(link.user_id);
    assert_string_equal(link.name, "nina");
    assert_true(link.has_role && !link.host && !link.mute_microphone && link.mute_camera);
    pxr_json_free(doc);

    assert_int_equal(read_link("{\"user\":null,\"role\":null,\"microphone\":null}", &doc, &link),
                     PXR_OK);
    assert_null(link.user_id);
    assert_null(link.name);
    assert_false(link.has_role || link.host || link.mute_microphone || link.mute_camera);
    pxr_json_free(doc);
}

static void errors_of_a_link_request_name_their_member(void **state)
{
    static const struct {
        const char *body, *member;
    } cases[] = {
        {"{\"user\":\"u1\"}", "user "},
        {"{\"user\":[]}", "user "},
        {"{\"user\":{\"id\":5}}", "user.id "},
        {"{\"user\":{\"username\":5}}", "user.username "},
        {"{\"user\":{\"name\":{}}}", "user.name "},
        {"{\"user\":{\"name\":\"a\\u0000\"}}", "user.name "},
        {"{\"role\":\"chair\"}", "role "},
        {"{\"role\":\"\"}", "role "},
        {"{\"role\":\"HOST\"}", "role "},
        {"{\"role\":true}", "role "},
        {"{\"microphone\":\"false\"}", "microphone "},
        {"{\"microphone\":0}", "microphone "},
        {"{\"camera\":1}", "camera "},
        {"{\"user\":{\"id\":\"01234567890123456789012345678901234567890123456789012345678901234\"}"
         "}",
         "user.id "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_link_request_t link;
        pxr_json_doc_t *doc;
        CHECK(read_link(cases[i].body, &doc, &link) == PXR_INVALID, "%s", cases[i].body);
        CHECK(strncmp(sentence, cases[i].member, strlen(cases[i].member)) == 0, "%s: %s",
              cases[i].body, sentence);
    }
}

static void a_call_is_wanted_or_not(void **state)
{
    pxr_create_request_t request;
    pxr_json_doc_t *doc;

    (void)state;
    assert_int_equal(read_create("{" LEAST "}", &doc, &request), PXR_OK);
    assert_false(request.call);
    pxr_json_free(doc);
    assert_int_equal(read_create("{" LEAST ",\"call\":true}", &doc, &request), PXR_OK);
    assert_true(request.call);
    pxr_json_free(doc);
    accepted("{" LEAST ",\"call\":null}");
    refused("{" LEAST ",\"call\":\"true\"}", "call");
    refused("{" LEAST ",\"call\":1}", "call");
}

/* NULL where `body` is no JSON. */
static pxr_json_doc_t *parse(const char *body)
{
    pxr_buf_t why;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    return pxr_json_parse(body, strlen(body), &why);
}

static void who_asks_for_the_ways_in_is_read(void **state)
{
    static const struct {
        const char *body;
        const char *id;      /* NULL: absent */
        const char *refused; /* NULL: it is taken */
    } cases[] = {
        {"{\"user\":{\"id\":\"u1\"}}", "u1", NULL},
        {"{}", NULL, NULL},
        {"{\"user\":null}", NULL, NULL},
        {"{\"user\":{}}", NULL, NULL},
        {"{\"user\":\"u1\"}", NULL, "user "},
        {"{\"user\":{\"id\":7}}", NULL, "user.id "},
        {"{\"user\":{\"id\":\"a\\u0000\"}}", NULL, "user.id "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_json_doc_t *doc = parse(cases[i].body);
        const char *id;
        pxr_buf_t why;
        pxr_status_t status;
        pxr_buf_init(&why, sentence, sizeof(sentence));
        status = pxr_json_read_info(doc, &id, &why);
        if (cases[i].refused != NULL) {
            CHECK(status == PXR_INVALID &&
                      strncmp(sentence, cases[i].refused, strlen(cases[i].refused)) == 0,
                  "%s: %s", cases[i].body, sentence);
        } else {
            assert_int_equal(status, PXR_OK);
            assert_true((id == NULL) == (cases[i].id == NULL));
            assert_true(id == NULL || strcmp(id, cases[i].id) == 0);
        }
        pxr_json_free(doc);
    }
}

static void deliveries_are_retried_or_dropped(void **state)
{
    static const char *const wrong[] = {"{}", "{\"action\":null}", "{\"action\":\"Retry\"}",
                                        "{\"action\":true}", "{\"action\":\"\"}"};
    pxr_delivery_action_t action;
    pxr_buf_t why;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong) + 2; i++) {
        pxr_json_doc_t *doc = parse(i == COUNT(wrong)  ? "{\"action\":\"retry\"}"
                                    : i > COUNT(wrong) ? "{\"action\":\"drop\"}"
                                                       : wrong[i]);
        pxr_buf_init(&why, sentence, sizeof(sentence));
        pxr_status_t status = pxr_json_read_action(doc, &action, &why);
        if (i < COUNT(wrong)) {
            CHECK(status == PXR_INVALID && strncmp(sentence, "action ", 7) == 0, "%s: %s", wrong[i],
                  sentence);
        } else {
            assert_int_equal(status, PXR_OK);
            assert_int_equal(action, i == COUNT(wrong) ? PXR_DELIVERY_RETRY : PXR_DELIVERY_DROP);
        }
        pxr_json_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_request_is_read),
        cmocka_unit_test(room_and_creator_are_enough_and_null_is_absent),
        cmocka_unit_test(what_is_required_is_named_when_missing),
        cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(texts_have_their_limits_in_characters),
        cmocka_unit_test(meeting_ids_are_checked),
        cmocka_unit_test(room_types_are_known),
        cmocka_unit_test(nul_characters_are_refused_everywhere),
        cmocka_unit_test(impossible_times_are_named),
        cmocka_unit_test(broken_json_is_located),
        cmocka_unit_test(deep_bodies_are_refused),
        cmocka_unit_test(no_truncation_is_taken_or_breaks_it),
        cmocka_unit_test(a_link_request_is_read),
        cmocka_unit_test(errors_of_a_link_request_name_their_member),
        cmocka_unit_test(a_call_is_wanted_or_not),
        cmocka_unit_test(who_asks_for_the_ways_in_is_read),
        cmocka_unit_test(deliveries_are_retried_or_dropped),
    };

    pxr_json_init();
    return RUN(tests);
}
