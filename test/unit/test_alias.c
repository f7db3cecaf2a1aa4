#include "helpers.h"

#include "pxr_alias.h"

#define ID "Zk7pQ2mXw9Rt4LbCa"

static bool parse(const char *text, size_t len, pxr_alias_t *out)
{
    char *copy = exact_copy(text, len);
    bool read;

    memset(out, 'x', sizeof(*out));
    read = pxr_alias_parse(copy, len, out);
    free(copy);
    return read;
}

static void all_forms_of_one_meeting_lead_to_its_key(void **state)
{
    static const struct {
        const char *text, *user, *domain;
        bool address;
    } cases[] = {
        {ID, ID, "", false},
        {ID "@chat.example", ID, "chat.example", false},
        {ID "@CHAT.Example:5061", ID, "chat.example", false},
        {"sip:" ID "@chat.example", ID, "chat.example", false},
        {"SIP:" ID "@chat.example", ID, "chat.example", false},
        {"sips:" ID "@chat.example", ID, "chat.example", false},
        {"h323:" ID, ID, "", false},
        {"H323:" ID "@10.0.0.1:1720", ID, "10.0.0.1", true},
        {"pexip:" ID, ID, "", false},
        {"sip:" ID "@chat.example;transport=tls", ID, "chat.example", false},
        {"sip:" ID "@chat.example;transport=tls;lr?x=y", ID, "chat.example", false},
        {ID "?name=Nina", ID, "", false},
        {ID ";x@y", ID, "", false},
        {"  " ID "  ", ID, "", false},
        {"48120077", "48120077", "", false},
        {"+48120077", "48120077", "", false},
        {"sip:+48120077@meet.chat.example", "48120077", "meet.chat.example", false},
        {"tel:+48120077", "48120077", "", false},
        {"48120077@203.0.113.9", "48120077", "203.0.113.9", true},
        {"48120077@[2001:DB8::1]:5060", "48120077", "2001:db8::1", true},
        {"48120077@[2001:db8::1]", "48120077", "2001:db8::1", true},
        {"48120077@2001:db8::1", "48120077", "2001:db8::1", true},
        {"a@b@chat.example", "a@b", "chat.example", false}, /* the last @ counts */
        {"%41bcdefgh", "%41bcdefgh", "", false},            /* decoded once already */
        {"+abc", "+abc", "", false},
        {"+", "+", "", false},
        {"xmpp:abcdefgh", "xmpp:abcdefgh", "", false}, /* no scheme of Pexip's */
        {"sip:sip:abcdefgh", "sip:abcdefgh", "", false},
        {"caf\xc3\xa9", "caf\xc3\xa9", "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_alias_t alias;
        CHECK(parse(cases[i].text, strlen(cases[i].text), &alias), "%s", cases[i].text);
        CHECK(strcmp(alias.user, cases[i].user) == 0, "%s: %s", cases[i].text, alias.user);
        CHECK(alias.user_len == strlen(cases[i].user), "%s", cases[i].text);
        CHECK(strcmp(alias.domain, cases[i].domain) == 0, "%s: %s", cases[i].text, alias.domain);
        CHECK(alias.domain_is_address == cases[i].address, "%s", cases[i].text);
    }
}

static void what_cannot_be_a_key_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "    ",
        "sip:",
        "SIPS:",
        "@",
        "@chat.example",
        "sip:@chat.example",
        ";x",
        "?x",
        "sip:;transport=tls",
        "abcdefgh@",
        "abcdefgh@;x",
        "abcdefgh@:5060",
        "abcdefgh@[::1",
        "abcdefgh@[]",
        "abc\tdefgh",
        "abcdefgh\r\n",
        "\x01",
        "abcdefgh\x7f",
        "abcdefgh@ho\x1bst",
        "sip:abc\ndefgh@chat.example",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_alias_t alias;
        CHECK(!parse(cases[i], strlen(cases[i]), &alias), "'%s' was taken", cases[i]);
    }
}

static void control_characters_are_refused_in_parameters_too(void **state)
{
    pxr_alias_t alias;

    (void)state;
    assert_false(parse("abcdefgh;x=\n", 12, &alias));
    assert_false(parse("abcdefgh?\x01", 10, &alias));
}

static void a_nul_inside_is_refused(void **state)
{
    pxr_alias_t alias;

    (void)state;
    assert_false(parse("abcdefgh\0", 9, &alias));
    assert_false(parse("abcd\0efgh", 9, &alias));
    assert_false(parse("abcdefgh@a\0b", 12, &alias));
}

static void widths_are_kept(void **state)
{
    char text[PXR_DIALLED_MAX + 2];
    pxr_alias_t alias;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(parse(text, PXR_ALIAS_MAX, &alias));
    assert_int_equal(strlen(alias.user), PXR_ALIAS_MAX);
    assert_false(parse(text, PXR_ALIAS_MAX + 1, &alias));

    text[8] = '@';
    assert_true(parse(text, 9 + PXR_DOMAIN_MAX, &alias));
    assert_int_equal(strlen(alias.domain), PXR_DOMAIN_MAX);
    assert_false(parse(text, 9 + PXR_DOMAIN_MAX + 1, &alias));

    /* A parameter may be long, but what is dialled has its limit. */
    text[8] = ';';
    assert_true(parse(text, PXR_DIALLED_MAX, &alias));
    assert_false(parse(text, PXR_DIALLED_MAX + 1, &alias));
    memset(text, ' ', sizeof(text));
    assert_false(parse(text, PXR_DIALLED_MAX, &alias));
}

static void random_bytes_never_break_it(void **state)
{
    static const char alphabet[] = "sip:@[];?.+0a1 \n\0\xc3\xff";
    uint64_t seed = 3;
    unsigned taken = 0;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        char text[24];
        size_t len = dice(&seed, sizeof(text));
        pxr_alias_t alias;
        for (size_t i = 0; i < len; i++) {
            text[i] = alphabet[dice(&seed, sizeof(alphabet) - 1)];
        }
        if (parse(text, len, &alias)) {
            taken++;
            assert_int_equal(strlen(alias.user), alias.user_len);
            assert_in_range(alias.user_len, 1, PXR_ALIAS_MAX);
            assert_null(strpbrk(alias.user, ";?\n"));
            assert_null(strchr(alias.domain, '@'));
        }
    }
    assert_true(taken > 100);
}

static void numbers_are_answered_at_their_domains_only(void **state)
{
    static const char *const domains[] = {"meet.chat.example", "Vc.Example"};
    static const struct {
        const char *text;
        bool allowed;
    } cases[] = {
        {"48120077", true},
        {"48120077@meet.chat.example", true},
        {"48120077@MEET.chat.EXAMPLE:5061", true},
        {"48120077@vc.example", true},
        {"48120077@203.0.113.9", true},
        {"48120077@[2001:db8::1]", true},
        {"48120077@chat.example", false},
        {"48120077@evil.meet.chat.example", false},
        {"48120077@meet.chat.example.evil", false},
        {"48120077@203.0.113", false},
        {"48120077@203.0.113.999", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_alias_t alias;
        assert_true(parse(cases[i].text, strlen(cases[i].text), &alias));
        CHECK(pxr_alias_domain_allowed(&alias, domains, COUNT(domains)) == cases[i].allowed, "%s",
              cases[i].text);
        CHECK(pxr_alias_domain_allowed(&alias, NULL, 0), "%s", cases[i].text);
    }
}

static void meeting_ids_are_8_to_64_letters_and_digits(void **state)
{
    char id[66];

    (void)state;
    memset(id, 'Z', sizeof(id));
    for (size_t len = 0; len < sizeof(id); len++) {
        assert_int_equal(pxr_meeting_id_valid(id, len), len >= 8 && len <= 64);
    }
    assert_true(pxr_meeting_id_valid("09azAZ77", 8));
    for (int c = 0; c < 256; c++) {
        id[9] = (char)(unsigned char)c;
        assert_int_equal(pxr_meeting_id_valid(id, 20), (c >= '0' && c <= '9') ||
                                                           (c >= 'a' && c <= 'z') ||
                                                           (c >= 'A' && c <= 'Z'));
    }
}

static void ids_of_a_list_are_found_and_rubbish_is_left_out(void **state)
{
    static const char *const lists[] = {
        "abcdefg1 abcdefg2",
        "  abcdefg1   abcdefg2  ",
        "short abcdefg1 abc/defg abcdefg2 x",
        "abcdefg1 "
        "abcdefgh01234567890123456789012345678901234567890123456789012345678 abcdefg2",
    };
    static const char *const empty[] = {"", " ", "short", "abc/defgh  \xff"};
    char id[PXR_MEETING_ID_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        const char *at = lists[i];
        assert_true(pxr_meeting_id_next(&at, id));
        assert_string_equal(id, "abcdefg1");
        assert_true(pxr_meeting_id_next(&at, id));
        assert_string_equal(id, "abcdefg2");
        assert_false(pxr_meeting_id_next(&at, id));
        assert_false(pxr_meeting_id_next(&at, id));
        assert_ptr_equal(at, lists[i] + strlen(lists[i]));
    }
    for (size_t i = 0; i < COUNT(empty); i++) {
        const char *at = empty[i];
        assert_false(pxr_meeting_id_next(&at, id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_of_one_meeting_lead_to_its_key),
        cmocka_unit_test(what_cannot_be_a_key_is_refused),
        cmocka_unit_test(control_characters_are_refused_in_parameters_too),
        cmocka_unit_test(a_nul_inside_is_refused),
        cmocka_unit_test(widths_are_kept),
        cmocka_unit_test(random_bytes_never_break_it),
        cmocka_unit_test(numbers_are_answered_at_their_domains_only),
        cmocka_unit_test(meeting_ids_are_8_to_64_letters_and_digits),
        cmocka_unit_test(ids_of_a_list_are_found_and_rubbish_is_left_out),
    };

    return RUN(tests);
}
