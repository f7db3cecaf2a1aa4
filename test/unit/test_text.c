#include "helpers.h"

#include "pxr_text.h"

static void buffer_collects_and_stays_terminated(void **state)
{
    BUFFER(buf, 8);

    (void)state;
    assert_string_equal(buf.data, "");
    pxr_buf_puts(&buf, "abc");
    pxr_buf_put(&buf, "defgh", 2);
    assert_string_equal(buf.data, "abcde");
    assert_int_equal(buf.len, 5);
    pxr_buf_puts(&buf, "fg");
    assert_string_equal(buf.data, "abcdefg");
    assert_false(buf.overflow);
}

static void buffer_adds_nothing_after_an_overflow(void **state)
{
    BUFFER(buf, 4);

    (void)state;
    pxr_buf_puts(&buf, "ab");
    pxr_buf_puts(&buf, "cd");
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "ab");
    pxr_buf_puts(&buf, "e");
    assert_string_equal(buf.data, "ab");
    assert_int_equal(buf.len, 2);
}

static void smallest_buffer_takes_the_empty_text_only(void **state)
{
    BUFFER(buf, 1);

    (void)state;
    pxr_buf_puts(&buf, "");
    assert_false(buf.overflow);
    pxr_buf_puts(&buf, "a");
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "");
}

static void buffer_writes_every_integer(void **state)
{
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-1, "-1"},
        {10, "10"},
        {8192000, "8192000"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(buf, 32);
        pxr_buf_put_int(&buf, cases[i].value);
        assert_string_equal(buf.data, cases[i].text);
    }
}

static void json_string_escapes_what_json_demands_and_no_more(void **state)
{
    static const char input[] = "a\"b\\c/\n\x01\x1f\x7f\xc3\xb8\0z";
    BUFFER(buf, 128);

    (void)state;
    pxr_buf_put_json(&buf, input, sizeof(input) - 1);
    assert_string_equal(buf.data, "\"a\\\"b\\\\c/\\u000a\\u0001\\u001f\x7f\xc3\xb8\\u0000z\"");
}

static void json_string_that_does_not_fit_is_an_overflow(void **state)
{
    (void)state;
    /* "\u0001" with quotation marks has 8 bytes, so 9 are needed. */
    for (size_t size = 1; size <= 9; size++) {
        char *memory = exact_copy("xxxxxxxxx", size);
        pxr_buf_t buf;
        pxr_buf_init(&buf, memory, size);
        pxr_buf_put_json(&buf, "\x01", 1);
        assert_int_equal(buf.overflow, size < 9);
        free(memory);
    }
}

static void percent_encodes_all_but_the_unreserved(void **state)
{
    BUFFER(buf, 1024);

    (void)state;
    pxr_buf_put_percent(&buf, "AZaz09-._~", 10);
    assert_string_equal(buf.data, "AZaz09-._~");
    pxr_buf_put_percent(&buf, " +&#@/?%\xc3\x98\n", 11);
    assert_string_equal(buf.data, "AZaz09-._~%20%2B%26%23%40%2F%3F%25%C3%98%0A");
    for (int c = 0; c < 256; c++) {
        char byte = (char)(unsigned char)c;
        bool unreserved = pxr_is_alnum(byte) || (c != 0 && strchr("-._~", c) != NULL);
        BUFFER(one, 8);
        pxr_buf_put_percent(&one, &byte, 1);
        assert_int_equal(one.len, unreserved ? 1 : 3);
    }
}

static void utf8_takes_well_formed_sequences_only(void **state)
{
    static const struct {
        const char *text;
        size_t step;
    } cases[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0}, /* continuation alone */
        {"\xbf", 0},
        {"\xc0\x80", 0}, /* overlong NUL */
        {"\xc1\xbf", 0}, /* overlong */
        {"\xc2", 0},     /* cut */
        {"\xc2\x41", 0},
        {"\xe0\x9f\xbf", 0}, /* overlong */
        {"\xed\xa0\x80", 0}, /* high surrogate */
        {"\xed\xbf\xbf", 0}, /* low surrogate */
        {"\xe1\x80", 0},     /* cut */
        {"\xe1\x80\x41", 0},
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xf0\x90\x80", 0}, /* cut */
        {"\xff", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        char *copy = exact_copy(cases[i].text, len);
        CHECK(pxr_utf8_sequence(copy, len) == cases[i].step, "case %zu", i);
        CHECK(pxr_utf8_valid(copy, len) == (cases[i].step != 0), "case %zu", i);
        free(copy);
    }
    assert_int_equal(pxr_utf8_sequence("", 0), 0);
    assert_true(pxr_utf8_valid("", 0));
    assert_true(pxr_utf8_valid("a\0b", 3));
    assert_false(pxr_utf8_valid("ab\xc3", 3));
}

static void utf8_counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(pxr_utf8_count("", 0), 0);
    assert_int_equal(pxr_utf8_count("a\xc3\xb8\xe2\x82\xac\xf0\x9f\x98\x80z", 11), 5);
}

static void utf8_is_never_cut_inside_a_code_point(void **state)
{
    static const char text[] = "a\xc3\xb8\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)state;
    for (size_t max = 0; max < COUNT(cuts); max++) {
        CHECK(pxr_utf8_cut(text, 11, max) == cuts[max], "max %zu", max);
    }
}

static void line_is_one_line(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"   ", ""},
        {"\t\r\n", ""},
        {"  weekly   call  ", "weekly call"},
        {"a\nb", "a b"},
        {"a \r\n\t b", "a b"},
        {"a\x7f"
         "b",
         "a b"},
        {"a\xc2\x85"
         "b",
         "a b"}, /* U+0085 next line */
        {"a\xc2\x9b"
         "b",
         "a b"}, /* U+009B begins terminal sequences */
        {"a\xe2\x80\xa8"
         "b",
         "a b"}, /* U+2028 line separator */
        {"a\xe2\x80\xa9"
         "b",
         "a b"},
        {"a\xc2\xa0"
         "b",
         "a\xc2\xa0"
         "b"},
        {"\xff"
         "a",
         "\xef\xbf\xbd"
         "a"},
        {"a\xed\xa0\x80", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
        {"Caf\xc3\xa9 \xf0\x9f\x98\x80", "Caf\xc3\xa9 \xf0\x9f\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].in);
        char *in = exact_copy(cases[i].in, len);
        char out[64];
        size_t used = pxr_text_line(out, sizeof(out), in, len);
        CHECK(strcmp(out, cases[i].out) == 0, "case %zu: %s", i, out);
        CHECK(used == strlen(cases[i].out), "case %zu", i);
        free(in);
    }
}

static void line_takes_a_nul_inside_for_a_control_character(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(pxr_text_line(out, sizeof(out), "a\0b", 3), 3);
    assert_string_equal(out, "a b");
}

static void line_is_cut_at_a_code_point_and_never_ends_in_a_blank(void **state)
{
    static const char text[] = "ab \xe2\x82\xac \xf0\x9f\x98\x80";

    (void)state;
    for (size_t size = 1; size <= sizeof(text) + 2; size++) {
        char *out = malloc(size);
        size_t used = pxr_text_line(out, size, text, sizeof(text) - 1);
        CHECK(used < size && out[used] == '\0' && strlen(out) == used, "size %zu", size);
        CHECK(pxr_utf8_valid(out, used), "size %zu", size);
        CHECK(used == 0 || out[used - 1] != ' ', "size %zu", size);
        free(out);
    }
}

static void copy_cuts_at_a_code_point(void **state)
{
    char out[4];

    (void)state;
    assert_int_equal(pxr_text_copy(out, sizeof(out), "ab\xc3\xb8", 4), 2);
    assert_string_equal(out, "ab");
    assert_int_equal(pxr_text_copy(out, sizeof(out), "abcd", 3), 3);
    assert_string_equal(out, "abc");
}

static void character_classes_are_ascii_only(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)(unsigned char)c;
        bool digit = c >= '0' && c <= '9';
        bool upper = c >= 'A' && c <= 'Z';
        bool lower = c >= 'a' && c <= 'z';
        assert_int_equal(pxr_is_digit(byte), digit);
        assert_int_equal(pxr_is_alnum(byte), digit || upper || lower);
        assert_int_equal((unsigned char)pxr_lower(byte), upper ? c + 32 : c);
    }
}

static void case_is_ignored_for_ascii_only(void **state)
{
    (void)state;
    assert_true(pxr_equal_nocase("SiP:", 4, "sIp:", 4));
    assert_true(pxr_equal_nocase("", 0, "x", 0));
    assert_false(pxr_equal_nocase("sip", 3, "sip:", 4));
    assert_false(pxr_equal_nocase("\xc3\x98", 2, "\xc3\xb8", 2));
    assert_false(pxr_equal_nocase("@", 1, "`", 1));
}

static void secrets_are_equal_only_when_they_are(void **state)
{
    char a[PXR_SECRET_MAX + 2];
    char b[PXR_SECRET_MAX + 2];

    (void)state;
    memset(a, 's', sizeof(a));
    memset(b, 's', sizeof(b));
    assert_true(pxr_secret_equal("", 0, "", 0));
    assert_true(pxr_secret_equal("secret", 6, "secret", 6));
    assert_false(pxr_secret_equal("secret", 6, "Secret", 6));
    assert_false(pxr_secret_equal("secret", 6, "secre", 5));
    assert_false(pxr_secret_equal("", 0, "secret", 6));
    assert_true(pxr_secret_equal(a, PXR_SECRET_MAX, b, PXR_SECRET_MAX));
    b[PXR_SECRET_MAX - 1] = 't';
    assert_false(pxr_secret_equal(a, PXR_SECRET_MAX, b, PXR_SECRET_MAX));
}

static void secrets_that_differ_in_a_final_nul_are_not_equal(void **state)
{
    (void)state;
    assert_false(pxr_secret_equal("secret", 6, "secret\0", 7));
    assert_false(pxr_secret_equal("", 0, "\0", 1));
}

static void secrets_beyond_the_width_are_never_equal(void **state)
{
    char a[PXR_SECRET_MAX + 1];

    (void)state;
    memset(a, 's', sizeof(a));
    assert_false(pxr_secret_equal(a, sizeof(a), a, sizeof(a)));
    assert_false(pxr_secret_equal(a, sizeof(a), a, PXR_SECRET_MAX));
}

static void plain_text_is_short_and_without_controls(void **state)
{
    static const struct {
        const char *text;
        bool plain;
    } cases[] = {
        {"a", true},
        {"abcd", true},
        {"abcde", false},
        {"", false},
        {" \"\\", true},
        {"\xc3\xa4\xc3\xa4", true},
        {"\xc3\xa4\xc3\xa4.", false},
        {"\xc3", false},
        {"\xff", false},
        {"a\tb", false},
        {"a\n", false},
        {"\x1f", false},
        {"\x7f", false},
        {"\xed\xa0\x80", false},
        {"\xc2\x80", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK(pxr_text_plain(cases[i].text, 4) == cases[i].plain, "%zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_collects_and_stays_terminated),
        cmocka_unit_test(buffer_adds_nothing_after_an_overflow),
        cmocka_unit_test(smallest_buffer_takes_the_empty_text_only),
        cmocka_unit_test(buffer_writes_every_integer),
        cmocka_unit_test(json_string_escapes_what_json_demands_and_no_more),
        cmocka_unit_test(json_string_that_does_not_fit_is_an_overflow),
        cmocka_unit_test(percent_encodes_all_but_the_unreserved),
        cmocka_unit_test(utf8_takes_well_formed_sequences_only),
        cmocka_unit_test(utf8_counts_code_points),
        cmocka_unit_test(utf8_is_never_cut_inside_a_code_point),
        cmocka_unit_test(line_is_one_line),
        cmocka_unit_test(line_takes_a_nul_inside_for_a_control_character),
        cmocka_unit_test(line_is_cut_at_a_code_point_and_never_ends_in_a_blank),
        cmocka_unit_test(copy_cuts_at_a_code_point),
        cmocka_unit_test(character_classes_are_ascii_only),
        cmocka_unit_test(case_is_ignored_for_ascii_only),
        cmocka_unit_test(secrets_are_equal_only_when_they_are),
        cmocka_unit_test(secrets_that_differ_in_a_final_nul_are_not_equal),
        cmocka_unit_test(secrets_beyond_the_width_are_never_equal),
        cmocka_unit_test(plain_text_is_short_and_without_controls),
    };

    return RUN(tests);
}
