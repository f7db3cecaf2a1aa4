#include "helpers.h"

#include "pxr_discussion.h"

#define Z u8"\u200B"

static const pxr_time_t when = INT64_C(1795341909) * PXR_SECOND; /* 2026-11-22T10:05:09Z */

static void usual_formats_are_taken(void **state)
{
    static const char *const formats[] = {
        "Conference Call Chat History - %Y-%m-%d %H:%M",
        "%Y%m%d",
        "%t x",
        "%%",
        "%t%%",
        "Chat",
        u8"\u4F1A\u8B70 %H:%M:%S",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++) {
        const char *why = NULL;
        CHECK(pxr_discussion_check_name(formats[i], &why) == PXR_OK, "%s: %s", formats[i], why);
    }
}

static void unusable_formats_are_refused_with_a_reason(void **state)
{
    static const char *const formats[] = {"",        " ",    "%t",    " %t ",  "%",
                                          "a%",      "%y",   "%a x",  "%-d",   "%E x",
                                          "%t a %t", "a\nb", "a\x7F", "a\xFF", "%\xC3\xA4"};

    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++) {
        const char *why = NULL;
        CHECK(pxr_discussion_check_name(formats[i], &why) == PXR_INVALID, "'%s' was taken",
              formats[i]);
        CHECK(why != NULL && why[strlen(why) - 1] != '.', "'%s'", formats[i]);
    }
}

static void format_has_at_most_two_hundred_bytes(void **state)
{
    char format[PXR_DISCUSSION_FORMAT_MAX + 2];
    const char *why = NULL;

    (void)state;
    memset(format, 'x', sizeof(format));
    format[PXR_DISCUSSION_FORMAT_MAX] = '\0';
    assert_int_equal(pxr_discussion_check_name(format, &why), PXR_OK);
    format[PXR_DISCUSSION_FORMAT_MAX] = 'x';
    format[PXR_DISCUSSION_FORMAT_MAX + 1] = '\0';
    assert_int_equal(pxr_discussion_check_name(format, &why), PXR_TOO_LONG);
    assert_non_null(why);
}

static void name_is_rendered_in_utc(void **state)
{
    static const struct {
        const char *format, *title, *name;
    } cases[] = {
        {"Conference Call Chat History - %Y-%m-%d %H:%M", NULL,
         "Conference Call Chat History - 2026-11-22 10:05"},
        {"%Y%m%d%H%M%S", NULL, "20261122100509"},
        {"100%% %t!", "Weekly", "100% " Z "Weekly!"},
        {"%t - %Y", NULL, "Meeting - 2026"},
        {"%t - %Y", "", "Meeting - 2026"},
        {"%t - %Y", " \xFF", "Meeting - 2026"},
        {"%t", "@all %Y *b*", Z "@" Z u8"all %Y \u2217b\u2217"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, PXR_DISCUSSION_NAME_SIZE);
        pxr_discussion_put_name(&out, cases[i].format, cases[i].title, when);
        CHECK(strcmp(out.data, cases[i].name) == 0, "%s: '%s'", cases[i].format, out.data);
    }
}

static void longest_name_fits(void **state)
{
    char format[PXR_DISCUSSION_FORMAT_MAX + 1] = "%t";
    char title[3 * 1000 + 1];
    const char *why = NULL;
    BUFFER(out, PXR_DISCUSSION_NAME_SIZE);

    (void)state;
    while (strlen(format) < PXR_DISCUSSION_FORMAT_MAX) {
        strcat(format, "%Y");
    }
    for (size_t i = 0; i < 1000; i++) {
        memcpy(title + 3 * i, u8"\u20AC", 3);
    }
    title[3000] = '\0';
    assert_int_equal(pxr_discussion_check_name(format, &why), PXR_OK);
    pxr_discussion_put_name(&out, format, title, when);
    assert_false(out.overflow);
    assert_non_null(strstr(out.data, u8"\u20AC\u2026"
                                     "2026"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_formats_are_taken),
        cmocka_unit_test(unusable_formats_are_refused_with_a_reason),
        cmocka_unit_test(format_has_at_most_two_hundred_bytes),
        cmocka_unit_test(name_is_rendered_in_utc),
        cmocka_unit_test(longest_name_fits),
    };

    return RUN(tests);
}
