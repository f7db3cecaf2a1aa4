#include "helpers.h"

#include "pxr_cookie.h"
#include "pxr_text.h"

static pxr_status_t read_cookie(const char *header, const char *name, char *out, size_t size)
{
    char *exact = exact_copy(header, strlen(header) + 1);
    char *value = malloc(size);
    pxr_status_t status;

    assert_non_null(value);
    status = pxr_cookie_read(exact, name, value, size);
    assert_non_null(memchr(value, '\0', size));
    assert_true(status == PXR_OK || value[0] == '\0');
    memcpy(out, value, size);
    free(value);
    free(exact);
    return status;
}

static void cookie_is_found_by_its_exact_name(void **state)
{
    static const struct {
        const char *header;
        pxr_status_t status;
        const char *value;
    } cases[] = {
        {"rc_uid=abc", PXR_OK, "abc"},
        {"rc_uid=abc; rc_token=def", PXR_OK, "abc"},
        {"rc_token=def; rc_uid=abc", PXR_OK, "abc"},
        {"rc_token=def;rc_uid=abc;x=y", PXR_OK, "abc"},
        {" \t rc_uid= abc \t;", PXR_OK, "abc"},
        {"rc_uid=", PXR_OK, ""},
        {"rc_uid=a=b", PXR_OK, "a=b"},
        {"rc_uid=\"abc\"", PXR_OK, "abc"},
        {"rc_uid=\"\"", PXR_OK, ""},
        {"rc_uid=\"a b\"; x=\"", PXR_OK, "a b"},
        {"rc_uid=first; rc_uid=second", PXR_OK, "first"},
        {"", PXR_MISSING, ""},
        {";;; ;", PXR_MISSING, ""},
        {"rc_uid", PXR_MISSING, ""},
        {"rc_uid; rc_uid=late", PXR_OK, "late"},
        {"RC_UID=abc", PXR_MISSING, ""},
        {"rc_uid2=abc", PXR_MISSING, ""},
        {"xrc_uid=abc", PXR_MISSING, ""},
        {"rc_uid =abc", PXR_MISSING, ""},
        {"x=rc_uid=abc", PXR_MISSING, ""},
        {"x=\"; rc_uid=abc", PXR_OK, "abc"},
        {"x=\"a, rc_uid=abc\"", PXR_MISSING, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        pxr_status_t status = read_cookie(cases[i].header, "rc_uid", out, sizeof(out));
        CHECK(status == cases[i].status, "'%s': status %d", cases[i].header, (int)status);
        CHECK(strcmp(out, cases[i].value) == 0, "'%s': '%s'", cases[i].header, out);
    }
}

static void no_header_has_no_cookie(void **state)
{
    char out[4] = "xyz";

    (void)state;
    assert_int_equal(pxr_cookie_read(NULL, "rc_uid", out, sizeof(out)), PXR_MISSING);
    assert_string_equal(out, "");
}

static void value_is_decoded_exactly_once(void **state)
{
    static const struct {
        const char *header, *value;
    } cases[] = {
        {"t=a%2Bb", "a+b"},
        {"t=a+b", "a+b"},
        {"t=a%252Bb", "a%2Bb"},
        {"t=%C3%A4%e2%82%AC", u8"\u00E4\u20AC"},
        {"t=%22a%22", "\"a\""},
        {"t=%3B%20", "; "},
        {"t=\"%41\"", "A"},
        {"t="
         u8"\u00E4",
         u8"\u00E4"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[32];
        CHECK(read_cookie(cases[i].header, "t", out, sizeof(out)) == PXR_OK, "%s", cases[i].header);
        CHECK(strcmp(out, cases[i].value) == 0, "'%s': '%s'", cases[i].header, out);
    }
}

static void bad_values_are_refused_also_where_a_good_one_follows(void **state)
{
    static const char *const values[] = {
        "%",      "%4",    "%zz",  "a%2",   "%00",    "a%00b",  "%0A",       "%0d%0a", "%7F",
        "%1b[0m", "\x01",  "a\tb", "\xFF",  "%FF",    "%C3",    "%ED%A0%80", "%C0%80", "%C2%85",
        "\"abc",  "abc\"", "\"",   "\"%\"", "%C2%9B", "%E2%82", "%-1",       "% 1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        char header[64];
        char out[32];
        snprintf(header, sizeof(header), "t=%s; t=good", values[i]);
        CHECK(read_cookie(header, "t", out, sizeof(out)) == PXR_INVALID, "'%s' was taken",
              values[i]);
    }
}

static void value_that_does_not_fit_is_too_long(void **state)
{
    char *header = malloc(1000003);
    char out[8];

    (void)state;
    assert_int_equal(read_cookie("t=1234567", "t", out, 8), PXR_OK);
    assert_string_equal(out, "1234567");
    assert_int_equal(read_cookie("t=12345678", "t", out, 8), PXR_TOO_LONG);
    assert_int_equal(read_cookie("t=%31%32%33%34%35%36%37", "t", out, 8), PXR_OK);
    assert_int_equal(read_cookie("t=x", "t", out, 1), PXR_TOO_LONG);
    assert_int_equal(read_cookie("t=", "t", out, 1), PXR_OK);
    assert_non_null(header);
    memset(header, 'x', 1000002);
    memcpy(header, "t=", 2);
    header[1000002] = '\0';
    assert_int_equal(read_cookie(header, "t", out, 8), PXR_TOO_LONG);
    assert_int_equal(read_cookie(header, "u", out, 8), PXR_MISSING);
    memset(header, ';', 1000002);
    assert_int_equal(read_cookie(header, "t", out, 8), PXR_MISSING);
    free(header);
}

static void no_header_whatsoever_gives_a_bad_value(void **state)
{
    static const char *const pieces[] = {"t",  "=",  ";",    " ",    "\"",   "%",
                                         "4",  "1",  "C3",   "A4",   "%00",  "%41",
                                         "tt", "\t", "\xC3", "\xA4", "\x01", "\xFF"};
    uint64_t seed = 3;
    int taken = 0;

    (void)state;
    for (int round = 0; round < 50000; round++) {
        char header[128] = "";
        char out[8];
        size_t size = 1 + dice(&seed, sizeof(out));
        strcpy(header, dice(&seed, 2) == 0 ? "t=" : "");
        for (uint32_t n = dice(&seed, 14); n > 0; n--) {
            strcat(header, pieces[dice(&seed, COUNT(pieces))]);
        }
        if (read_cookie(header, "t", out, size) == PXR_OK) {
            taken++;
            CHECK(pxr_utf8_valid(out, strlen(out)), "'%s'", header);
            CHECK(strpbrk(out, "\x01\t\n\x7F") == NULL, "'%s'", header);
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookie_is_found_by_its_exact_name),
        cmocka_unit_test(no_header_has_no_cookie),
        cmocka_unit_test(value_is_decoded_exactly_once),
        cmocka_unit_test(bad_values_are_refused_also_where_a_good_one_follows),
        cmocka_unit_test(value_that_does_not_fit_is_too_long),
        cmocka_unit_test(no_header_whatsoever_gives_a_bad_value),
    };

    return RUN(tests);
}
