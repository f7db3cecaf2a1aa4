#include "helpers.h"

#include "pxr_link.h"

#define PATH "/webapp/conference?conference={alias}"

static void personal_url_encodes_every_value_once(void **state)
{
    const pxr_visitor_t visitor = {.pin = "1234#",
                                   .name = "Nina \xc3\x98sterg\xc3\xa5rd & +1%",
                                   .mute_microphone = true,
                                   .mute_camera = true};
    BUFFER(out, 512);

    (void)state;
    pxr_link_personal(&out, "https://px.example", PATH, "a+b@c", &visitor);
    assert_string_equal(out.data,
                        "https://px.example/webapp/conference?conference=a%2Bb%40c&pin=1234%23"
                        "&name=Nina%20%C3%98sterg%C3%A5rd%20%26%20%2B1%25"
                        "&muteMicrophone=true&muteCamera=true");
}

static void personal_url_leaves_out_what_is_absent(void **state)
{
    static const struct {
        pxr_visitor_t visitor;
        const char *tail;
    } cases[] = {
        {{0}, ""},
        {{.pin = "", .name = "", .discussion = ""}, ""},
        {{.pin = "4711"}, "&pin=4711"},
        {{.name = "Bo"}, "&name=Bo"},
        {{.discussion = "x"}, "&rid=x"},
        {{.mute_microphone = true}, "&muteMicrophone=true"},
        {{.mute_camera = true}, "&muteCamera=true"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, 256);
        pxr_link_personal(&out, "https://px.example", PATH, "id", &cases[i].visitor);
        assert_string_equal(strchr(out.data, '=') + 3, cases[i].tail);
    }
}

static void personal_url_fills_every_placeholder_and_keeps_other_parameters(void **state)
{
    const pxr_visitor_t visitor = {0};
    BUFFER(out, 256);

    (void)state;
    pxr_link_personal(&out, "https://px.example", "/m?c={alias}&join=1&x={alias}{", "a b",
                      &visitor);
    assert_string_equal(out.data, "https://px.example/m?c=a%20b&join=1&x=a%20b{");
}

static void personal_url_takes_nothing_from_the_alias_for_a_placeholder(void **state)
{
    const pxr_visitor_t visitor = {.name = "{alias}"};
    BUFFER(out, 256);

    (void)state;
    pxr_link_personal(&out, "https://px.example", "/m?c={alias}", "{alias}", &visitor);
    assert_string_equal(out.data, "https://px.example/m?c=%7Balias%7D&name=%7Balias%7D");
}

static void personal_url_has_the_discussion_before_the_pin(void **state)
{
    /* The vector of the web app reference 1.3, and what comes behind it. */
    pxr_visitor_t visitor = {0};
    BUFFER(discussion, 128);
    BUFFER(out, 512);

    (void)state;
    assert_true(pxr_link_discussion(&discussion, "https://rc.pexample.com", "p", "abc"));
    visitor.discussion = discussion.data;
    pxr_link_personal(&out, "https://px.pexample.com", PATH, "CALLID", &visitor);
    assert_string_equal(out.data,
                        "https://px.pexample.com/webapp/conference?conference=CALLID"
                        "&rid=https%3A%2F%2Frc.pexample.com%2Fgroup%2Fabc%3Flayout%3Dembedded");
    pxr_buf_init(&out, out.data, out.size);
    visitor.pin = "1234";
    visitor.name = "Bo";
    pxr_link_personal(&out, "https://px.pexample.com", PATH, "CALLID", &visitor);
    assert_non_null(strstr(out.data, "CALLID&rid=https%3A"));
    assert_non_null(strstr(out.data, "embedded&pin=1234&name=Bo"));
}

static void discussions_are_channels_or_groups(void **state)
{
    static const struct {
        const char *site, *type, *name, *url;
    } cases[] = {
        {"https://rc.example", "c", "Ab1-._~",
         "https://rc.example/channel/Ab1-._~?layout=embedded"},
        {"https://rc.example:8443", "p", "x", "https://rc.example:8443/group/x?layout=embedded"},
        {"https://[2001:db8::1]", "p", "x", "https://[2001:db8::1]/group/x?layout=embedded"},
        {"https://rc.example", "d", "x", NULL},
        {"https://rc.example", "l", "x", NULL},
        {"https://rc.example", "", "x", NULL},
        {"https://rc.example", "cp", "x", NULL},
        {"https://rc.example", "c", "", NULL},
        {"https://rc.example", "c", ".", NULL},
        {"https://rc.example", "c", "..", NULL},
        {"https://rc.example", "c", "a%41", NULL},
        {"https://rc.example", "c", "a b", NULL},
        {"https://rc.example", "c", "a/b", NULL},
        {"https://rc.example", "c", "a?b", NULL},
        {"https://rc.example", "c", "a#b", NULL},
        {"https://rc.example", "c", "a&b", NULL},
        {"https://rc.example", "c", "\xc3\xa4", NULL},
        {"https://rc.example/a%20b", "c", "x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, 128);
        bool built = pxr_link_discussion(&out, cases[i].site, cases[i].type, cases[i].name);
        CHECK(built == (cases[i].url != NULL), "%s %s", cases[i].type, cases[i].name);
        assert_string_equal(out.data, built ? cases[i].url : "");
    }
}

static void personal_url_that_does_not_fit_is_an_overflow(void **state)
{
    const pxr_visitor_t visitor = {.pin = "123456", .name = "Nina"};
    BUFFER(out, 64);

    (void)state;
    pxr_link_personal(&out, "https://px.example", PATH, "abcdefgh", &visitor);
    assert_true(out.overflow);
}

static void urls_are_brought_to_one_spelling(void **state)
{
    static const struct {
        const char *text, *out;
        bool http, path;
    } cases[] = {
        {"https://chat.example.com", "https://chat.example.com", false, false},
        {"HTTPS://Chat.Example.COM/", "https://chat.example.com", false, false},
        {"https://chat.example.com:443", "https://chat.example.com", false, false},
        {"https://chat.example.com:8443/", "https://chat.example.com:8443", false, false},
        {"http://chat.example.com:80", "http://chat.example.com", true, false},
        {"http://chat.example.com:443", "http://chat.example.com:443", true, false},
        {"http://localhost:3000", "http://localhost:3000", false, false},
        {"http://127.0.0.1:3000/", "http://127.0.0.1:3000", false, false},
        {"http://[::1]:3000", "http://[::1]:3000", false, false},
        {"https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443", false, false},
        {"https://chat.example.com/Pexip/", "https://chat.example.com/Pexip", false, true},
        {"https://chat.example.com/a/b-c_d.e~f%20", "https://chat.example.com/a/b-c_d.e~f%20",
         false, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(cases[i].text, cases[i].http, cases[i].path, &out, &why) == PXR_OK,
              "%s: %s", cases[i].text, why);
        assert_string_equal(out.data, cases[i].out);
    }
}

static void urls_that_are_no_origin_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "https",
        "https:/",
        "https://",
        "https:///x",
        "chat.example.com",
        "//chat.example.com",
        "ftp://chat.example.com",
        "https://nina@chat.example.com",
        "https://nina:pw@chat.example.com",
        "https://chat.example.com?x",
        "https://chat.example.com/?x=y",
        "https://chat.example.com#x",
        "https://chat.example.com/#x",
        "https://chat.example.com/path",
        "https://chat example.com",
        "https://chat.example.com:",
        "https://chat.example.com:0",
        "https://chat.example.com:65536",
        "https://chat.example.com:44x",
        "https://chat.example.com:999999999999999999999",
        "https://chat.example.com:-1",
        "https://[::1",
        "https://[]",
        "https://:443",
        "https://chat.example.com\n",
        "https://chat.example.com\\x",
        "https://ch\xc3\xa4t.example.com",
        " https://chat.example.com",
        "http://chat.example.com",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(cases[i], false, false, &out, &why) == PXR_INVALID,
              "'%s' was taken", cases[i]);
        CHECK(why != NULL && why[strlen(why) - 1] != '.', "'%s'", cases[i]);
    }
}

static void paths_take_no_query_fragment_or_odd_characters(void **state)
{
    static const char *const cases[] = {"https://a.example/p?x", "https://a.example/p#x",
                                        "https://a.example/p q", "https://a.example/p\"",
                                        "https://a.example/p\n", "https://a.example/\xc3\xa4",
                                        "https://a.example/<p>"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(cases[i], true, true, &out, &why) == PXR_INVALID, "'%s' was taken",
              cases[i]);
    }
}

static void only_real_loopback_hosts_go_without_tls(void **state)
{
    static const char *const cases[] = {"http://127.evil.example", "http://127.0.0.1.evil.example",
                                        "http://localhost.evil.example", "http://[::11]",
                                        "http://128.0.0.1"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(cases[i], false, false, &out, &why) == PXR_INVALID,
              "%s was taken for the loopback interface", cases[i]);
    }
}

static void hosts_that_end_in_a_number_are_ipv4_addresses(void **state)
{
    static const char *const addresses[] = {"https://1.2.3.255", "https://10.0.0.1:8443/pexip",
                                            "https://0.0.0.0", "https://192.168.1.1/"};
    static const char *const names[] = {"https://1.2.3.com",     "https://1.2.3.4x",
                                        "https://1.2.3.0xg",     "https://1.2.3.4-",
                                        "https://256.example",   "https://1.2.3.256.example.",
                                        "https://0x.example.com"};
    static const char *const neither[] = {"https://1.2.3.256",
                                          "https://1.2.3",
                                          "https://1.2.3.4.5",
                                          "https://1",
                                          "https://1.2.3.4.",
                                          "https://01.2.3.4",
                                          "https://a.example.1",
                                          "https://example.com.0x",
                                          "https://0x7f000001",
                                          "https://1.2.3.0X1F",
                                          "https://1..4",
                                          "https://2130706433:8443/x",
                                          "https://999999999999999",
                                          "https://a.1.",
                                          "https://1.2.3.0000000000004"};

    (void)state;
    for (size_t i = 0; i < COUNT(addresses) + COUNT(names); i++) {
        const char *text = i < COUNT(addresses) ? addresses[i] : names[i - COUNT(addresses)];
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(text, false, true, &out, &why) == PXR_OK, "%s: %s", text, why);
    }
    for (size_t i = 0; i < COUNT(neither); i++) {
        const char *why = NULL;
        BUFFER(out, 128);
        CHECK(pxr_link_check_url(neither[i], true, true, &out, &why) == PXR_INVALID,
              "'%s' was taken", neither[i]);
    }
}

static void urls_beyond_the_width_are_too_long(void **state)
{
    char host[300];
    const char *why = NULL;
    BUFFER(out, 32);
    BUFFER(large, 512);

    (void)state;
    assert_int_equal(
        pxr_link_check_url("https://a-rather-long-name.example.com", false, false, &out, &why),
        PXR_TOO_LONG);
    assert_non_null(why);
    snprintf(host, sizeof(host), "https://%0253dx", 0);
    assert_int_equal(pxr_link_check_url(host, false, false, &large, &why), PXR_INVALID);
    snprintf(host, sizeof(host), "https://%0252dx", 0);
    assert_int_equal(pxr_link_check_url(host, false, false, &large, &why), PXR_OK);
}

static void meeting_paths_are_checked(void **state)
{
    static const struct {
        const char *path;
        pxr_status_t status;
    } cases[] = {
        {PATH, PXR_OK},
        {"/sales/conference?join=1&conference={alias}&x=y", PXR_OK},
        {"/webapp3/#/?conference={alias}", PXR_INVALID},
        {"/webapp/conference?conference=", PXR_INVALID},
        {"/webapp/m/{alias}", PXR_INVALID},
        {"webapp?c={alias}", PXR_INVALID},
        {"//evil.example/?c={alias}", PXR_INVALID},
        {"https://evil.example/?c={alias}", PXR_INVALID},
        {"/a b?c={alias}", PXR_INVALID},
        {"/a\t?c={alias}", PXR_INVALID},
        {"/a\"?c={alias}", PXR_INVALID},
        {"/\\evil.example?c={alias}", PXR_INVALID},
        {"/\xc3\xa4?c={alias}", PXR_INVALID},
        {"/?c={Alias}", PXR_INVALID},
        {"", PXR_INVALID},
        {"/", PXR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = NULL;
        CHECK(pxr_link_check_meeting_path(cases[i].path, &why) == cases[i].status, "%s",
              cases[i].path);
        CHECK((why != NULL) == (cases[i].status != PXR_OK), "%s", cases[i].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(personal_url_encodes_every_value_once),
        cmocka_unit_test(personal_url_leaves_out_what_is_absent),
        cmocka_unit_test(personal_url_fills_every_placeholder_and_keeps_other_parameters),
        cmocka_unit_test(personal_url_takes_nothing_from_the_alias_for_a_placeholder),
        cmocka_unit_test(personal_url_has_the_discussion_before_the_pin),
        cmocka_unit_test(discussions_are_channels_or_groups),
        cmocka_unit_test(personal_url_that_does_not_fit_is_an_overflow),
        cmocka_unit_test(urls_are_brought_to_one_spelling),
        cmocka_unit_test(urls_that_are_no_origin_are_refused),
        cmocka_unit_test(paths_take_no_query_fragment_or_odd_characters),
        cmocka_unit_test(only_real_loopback_hosts_go_without_tls),
        cmocka_unit_test(hosts_that_end_in_a_number_are_ipv4_addresses),
        cmocka_unit_test(urls_beyond_the_width_are_too_long),
        cmocka_unit_test(meeting_paths_are_checked),
    };

    return RUN(tests);
}
