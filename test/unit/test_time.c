#include "helpers.h"

#include <math.h>

#include "pxr_limits.h"
#include "pxr_time.h"

static bool parse(const char *text, pxr_time_t *out)
{
    size_t len = strlen(text);
    char *copy = exact_copy(text, len);
    bool read = pxr_time_parse(copy, len, out);

    free(copy);
    return read;
}

static void reads_date_times_of_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        pxr_time_t micros;
    } cases[] = {
        {"1970-01-01T00:00:01Z", INT64_C(1000000)},
        {"2026-11-22T10:00:00Z", INT64_C(1795341600000000)},
        {"2026-11-22t10:00:00z", INT64_C(1795341600000000)},
        {"2026-11-22T12:00:00+02:00", INT64_C(1795341600000000)},
        {"2026-11-22T04:30:00-05:30", INT64_C(1795341600000000)},
        {"2026-11-22T10:00:00-00:00", INT64_C(1795341600000000)},
        {"2026-11-23T09:59:00+23:59", INT64_C(1795341600000000)},
        {"2026-11-22T10:00:00.5Z", INT64_C(1795341600500000)},
        {"2026-11-22T10:00:00.000001Z", INT64_C(1795341600000001)},
        {"2026-11-22T10:00:00.1234567890123456789Z", INT64_C(1795341600123456)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
        {"2024-02-29T23:59:59Z", INT64_C(1709251199000000)},
        {"2024-12-31T00:00:00Z", INT64_C(1735603200000000)},
        {"2100-03-01T00:00:00Z", INT64_C(4107542400000000)},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2017-01-01T01:59:60+02:00", INT64_C(1483228800000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_time_t out = -1;
        CHECK(parse(cases[i].text, &out), "%s", cases[i].text);
        CHECK(out == cases[i].micros, "%s: %lld", cases[i].text, (long long)out);
    }
}

static void refuses_nonsense(void **state)
{
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00:00 Z",
        "2026-11-22T10:00:00Z ",
        " 2026-11-22T10:00:00Z",
        "2026-11-22T10:00:00Zx",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:00+2",
        "2026-11-22T10:00:00+0200",
        "2026-11-22T10:00:00+02",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+02:60",
        "2026-11-22T10:00:00*02:00",
        "2026-00-22T10:00:00Z",
        "2026-13-22T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-12-32T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2024-02-30T10:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:00:61Z",
        "2026-1-22T10:00:00Z",
        "+026-11-22T10:00:00Z",
        "-026-11-22T10:00:00Z",
        "2O26-11-22T10:00:00Z",
        "12026-11-22T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:59:59+01:00", /* in UTC 1969 */
        "9999-12-31T23:59:59-00:01", /* in UTC the year 10000 */
        "1795341600",
        "tomorrow",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_time_t out;
        CHECK(!parse(cases[i], &out), "'%s' was taken", cases[i]);
    }
}

static void a_second_60_exists_only_before_midnight_utc(void **state)
{
    pxr_time_t out;

    (void)state;
    assert_false(parse("2026-11-22T10:00:60Z", &out));
    assert_false(parse("2016-12-31T23:59:60+01:00", &out));
}

static void refuses_every_truncation(void **state)
{
    static const char text[] = "2026-11-22T10:00:00.250+02:00";
    pxr_time_t out;

    (void)state;
    assert_true(parse(text, &out));
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *copy = exact_copy(text, len);
        CHECK(!pxr_time_parse(copy, len, &out), "length %zu", len);
        free(copy);
    }
}

static void a_nul_inside_ends_nothing(void **state)
{
    pxr_time_t out;

    (void)state;
    assert_false(pxr_time_parse("2026-11-22T10:00:00Z\0", 21, &out));
}

static void writes_utc_with_milliseconds(void **state)
{
    static const struct {
        pxr_time_t micros;
        const char *text;
    } cases[] = {
        {INT64_C(1795341600000000), "2026-11-22T10:00:00.000Z"},
        {INT64_C(1795341600123999), "2026-11-22T10:00:00.123Z"},
        {INT64_C(1), "1970-01-01T00:00:00.000Z"},
        {INT64_C(951782399999999), "2000-02-28T23:59:59.999Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z"},
    };
    char text[PXR_TIME_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pxr_time_format(cases[i].micros, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void writes_something_readable_for_impossible_moments(void **state)
{
    static const pxr_time_t moments[] = {-1, INT64_MIN, PXR_TIME_NEVER,
                                         INT64_C(253402300800000000)};
    char text[PXR_TIME_TEXT];

    (void)state;
    for (size_t i = 0; i < COUNT(moments); i++) {
        pxr_time_format(moments[i], text);
        assert_int_equal(strlen(text), 24);
    }
}

static void what_is_written_can_be_read_again(void **state)
{
    uint64_t seed = 7;

    (void)state;
    /* Every day of four centuries: all leap years there are. */
    for (int64_t day = 1; day < 146097; day++) {
        pxr_time_t when =
            (day * 86400 + dice(&seed, 86400)) * PXR_SECOND + (pxr_time_t)dice(&seed, 1000) * 1000;
        pxr_time_t again = 0;
        char text[PXR_TIME_TEXT];
        pxr_time_format(when, text);
        CHECK(pxr_time_parse(text, strlen(text), &again) && again == when, "%s", text);
    }
}

static void unix_seconds_are_rounded_to_microseconds(void **state)
{
    (void)state;
    assert_true(pxr_time_from_seconds(1559897886.582629) == INT64_C(1559897886582629));
    assert_true(pxr_time_from_seconds(1) == PXR_SECOND);
    assert_true(pxr_time_from_seconds(0) == 0);
    assert_true(pxr_time_from_seconds(-1) == 0);
    assert_true(pxr_time_from_seconds((double)NAN) == 0);
    assert_true(pxr_time_from_seconds((double)INFINITY) == 0);
    assert_true(pxr_time_from_seconds(-(double)INFINITY) == 0);
    assert_true(pxr_time_from_seconds(1e300) == 0);
    assert_true(pxr_time_from_seconds(253402300800.0) == 0);
}

static void reads_durations_in_every_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t micros;
    } cases[] = {
        {"0", 0},
        {"90", 90 * PXR_SECOND},
        {"500ms", PXR_SECOND / 2},
        {"10s", 10 * PXR_SECOND},
        {"5m", 300 * PXR_SECOND},
        {"5min", 300 * PXR_SECOND},
        {"24h", 86400 * PXR_SECOND},
        {"90d", 90 * 86400 * PXR_SECOND},
        {"007s", 7 * PXR_SECOND},
        {"36525d", INT64_C(36525) * 86400 * PXR_SECOND},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t out = -1;
        CHECK(pxr_duration_parse(cases[i].text, &out), "%s", cases[i].text);
        CHECK(out == cases[i].micros, "%s", cases[i].text);
    }
}

static void refuses_what_is_no_duration(void **state)
{
    static const char *const cases[] = {
        "",
        "s",
        "-1",
        "+1",
        "1.5s",
        " 1",
        "1 ",
        "1 s",
        "1S",
        "1w",
        "1y",
        "1h30m",
        "1mins",
        "0x10",
        "1us",
        "1sm",
        "36526d",
        "3155760001",
        "99999999999999999999",
        "1d\n",
        "99999999999999999999999999999999999999999999999999d",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t out;
        CHECK(!pxr_duration_parse(cases[i], &out), "'%s' was taken", cases[i]);
    }
}

static void the_clock_is_the_wall_clock(void **state)
{
    pxr_time_t first = pxr_time_now();

    (void)state;
    assert_in_range(first, INT64_C(1577836800000000), INT64_C(253402300799000000));
    assert_true(pxr_time_now() - first < 3600 * PXR_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_date_times_of_rfc_3339),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(a_second_60_exists_only_before_midnight_utc),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(a_nul_inside_ends_nothing),
        cmocka_unit_test(writes_utc_with_milliseconds),
        cmocka_unit_test(writes_something_readable_for_impossible_moments),
        cmocka_unit_test(what_is_written_can_be_read_again),
        cmocka_unit_test(unix_seconds_are_rounded_to_microseconds),
        cmocka_unit_test(reads_durations_in_every_unit),
        cmocka_unit_test(refuses_what_is_no_duration),
        cmocka_unit_test(the_clock_is_the_wall_clock),
    };

    return RUN(tests);
}
