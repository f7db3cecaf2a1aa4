#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pxr_json.h"

/* What visitors of a join page send and get, and what counts as a policy answer. */

static pxr_status_t read_session(const char *body, char *user, char *token)
{
    return pxr_json_read_session(body, strlen(body), user, 9, token, 17);
}

static void a_session_is_two_texts(void **state)
{
    char user[9];
    char token[17];

    (void)state;
    assert_int_equal(
        read_session(" {\"authToken\":\"t\\u002b/=\", \"x\":[1], \"userId\":\"nina\"}\n", user,
                     token),
        PXR_OK);
    assert_string_equal(user, "nina");
    assert_string_equal(token, "t+/=");
    assert_int_equal(
        read_session("{\"userId\":\"12345678\",\"authToken\":\"1234567890123456\"}", user, token),
        PXR_OK);
}

static void anything_else_is_no_session(void **state)
{
    static const struct {
        const char *body;
        pxr_status_t status;
    } cases[] = {
        {"", PXR_INVALID},
        {"{", PXR_INVALID},
        {"[]", PXR_INVALID},
        {"null", PXR_INVALID},
        {"{}", PXR_INVALID},
        {"{\"userId\":\"u\"}", PXR_INVALID},
        {"{\"authToken\":\"t\"}", PXR_INVALID},
        {"{\"userId\":\"\",\"authToken\":\"t\"}", PXR_INVALID},
        {"{\"userId\":\"u\",\"authToken\":null}", PXR_INVALID},
        {"{\"userId\":1,\"authToken\":\"t\"}", PXR_INVALID},
        {"{\"userId\":\"u\\u0000\",\"authToken\":\"t\"}", PXR_INVALID},
        {"{\"userId\":\"u\",\"userId\":\"v\",\"authToken\":\"t\"}", PXR_INVALID},
        {"{\"userId\":\"u\",\"authToken\":\"t\"} x", PXR_INVALID},
        {"{\"userId\":\"123456789\",\"authToken\":\"t\"}", PXR_TOO_LONG},
        {"{\"userId\":\"u\",\"authToken\":\"12345678901234567\"}", PXR_TOO_LONG},
    };
    char user[9];
    char token[17];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_session(cases[i].body, user, token), cases[i].status);
    }
}

static void only_an_object_is_an_answer(void **state)
{
    static const char *const good[] = {"{}", " {\"a\":[{},1.5,\"\xc3\xa9\"]}\r\n",
                                       "{\"a\":\"b\\u0000\"}"};
    static const char *const bad[] = {
        "",    "[]",         "[{}]",  "null",           "\"{}\"",          "{", "{}{}", "<html>",
        "{}x", "{\"a\":1,}", "{a:1}", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}"};
    char deep[5000];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(pxr_json_is_object(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(pxr_json_is_object(bad[i], strlen(bad[i])));
    }
    memset(deep, '[', sizeof(deep));
    memcpy(deep, "{\"a\":", 5);
    assert_false(pxr_json_is_object(deep, sizeof(deep)));
}

static void a_visit_is_told_where_to_go(void **state)
{
    char *text = pxr_json_write_visit("https://x/\"?a=1&b=2", true, true);

    (void)state;
    assert_string_equal(
        text, "{\"url\":\"https://x/\\\"?a=1&b=2\",\"role\":\"host\",\"recognised\":true}");
    pxr_json_text_free(text);
    text = pxr_json_write_visit("u", false, false);
    assert_string_equal(text, "{\"url\":\"u\",\"role\":\"guest\",\"recognised\":false}");
    pxr_json_text_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_two_texts),
        cmocka_unit_test(anything_else_is_no_session),
        cmocka_unit_test(only_an_object_is_an_answer),
        cmocka_unit_test(a_visit_is_told_where_to_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
