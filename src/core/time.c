#include "pxr_time.h"

#include <stdio.h>
#include <time.h>

#include "pxr_limits.h"
#include "pxr_text.h"

#define LAST_SECOND INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define HUNDRED_YEARS (INT64_C(36525) * 86400 * PXR_SECOND)

/* Days since 1970-01-01 of a proleptic Gregorian date; years count from March, so that the leap
 * day is the last one. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* Reads exactly `digits` decimal digits at *at. */
static bool read_number(const char *text, size_t len, size_t *at, size_t digits, int64_t *out)
{
    int64_t value = 0;

    if (len - *at < digits) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        char c = text[*at + i];
        if (!pxr_is_digit(c)) {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *at += digits;
    *out = value;
    return true;
}

static bool read_char(const char *text, size_t len, size_t *at, char upper, char lower)
{
    if (*at >= len || (text[*at] != upper && text[*at] != lower)) {
        return false;
    }
    (*at)++;
    return true;
}

static bool read_offset(const char *text, size_t len, size_t *at, int64_t *seconds)
{
    int64_t hours;
    int64_t minutes;
    int sign;

    *seconds = 0;
    if (read_char(text, len, at, 'Z', 'z')) {
        return true;
    }
    sign = *at < len && text[*at] == '-' ? -1 : 1;
    if (!read_char(text, len, at, '+', '-') || !read_number(text, len, at, 2, &hours) ||
        !read_char(text, len, at, ':', ':') || !read_number(text, len, at, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool pxr_time_parse(const char *text, size_t len, pxr_time_t *out)
{
    int64_t year, month, day, hour, minute, second, offset, total;
    int64_t micro = 0;
    size_t at = 0;

    if (!read_number(text, len, &at, 4, &year) || !read_char(text, len, &at, '-', '-') ||
        !read_number(text, len, &at, 2, &month) || !read_char(text, len, &at, '-', '-') ||
        !read_number(text, len, &at, 2, &day) || !read_char(text, len, &at, 'T', 't') ||
        !read_number(text, len, &at, 2, &hour) || !read_char(text, len, &at, ':', ':') ||
        !read_number(text, len, &at, 2, &minute) || !read_char(text, len, &at, ':', ':') ||
        !read_number(text, len, &at, 2, &second)) {
        return false;
    }
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    if (at < len && text[at] == '.') {
        int64_t unit = PXR_SECOND / 10;
        size_t first = ++at;
        while (at < len && pxr_is_digit(text[at])) {
            micro += unit * (text[at] - '0');
            unit /= 10;
            at++;
        }
        if (at == first) {
            return false;
        }
    }
    if (!read_offset(text, len, &at, &offset) || at != len) {
        return false;
    }
    total = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    /* Leap seconds are the last of a day of UTC. */
    if (total <= 0 || total > LAST_SECOND || (second == 60 && total % 86400 != 0)) {
        return false;
    }
    *out = total * PXR_SECOND + micro;
    return true;
}

void pxr_time_format(pxr_time_t when, char *out)
{
    time_t seconds = (time_t)(when / PXR_SECOND);
    int millis = (int)(when % PXR_SECOND / 1000);
    struct tm parts;

    if (when < 0 || when / PXR_SECOND > LAST_SECOND || gmtime_r(&seconds, &parts) == NULL) {
        snprintf(out, PXR_TIME_TEXT, "1970-01-01T00:00:00.000Z");
        return;
    }
    /* The modulo tells the compiler what the calendar guarantees: that the text fits. */
    snprintf(out, PXR_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
             (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
             (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100, (unsigned)millis % 1000);
}

pxr_time_t pxr_time_from_seconds(double seconds)
{
    /* Written so that NaN fails too. */
    if (!(seconds > 0 && seconds <= (double)LAST_SECOND)) {
        return 0;
    }
    return (pxr_time_t)(seconds * (double)PXR_SECOND + 0.5);
}

bool pxr_duration_parse(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t unit;
    } units[] = {
        {"", PXR_SECOND},         {"s", PXR_SECOND},         {"ms", PXR_SECOND / 1000},
        {"m", 60 * PXR_SECOND},   {"mi", 60 * PXR_SECOND},   {"min", 60 * PXR_SECOND},
        {"h", 3600 * PXR_SECOND}, {"d", 86400 * PXR_SECOND},
    };
    int64_t value = 0;
    const char *at = text;

    while (pxr_is_digit(*at)) {
        value = value * 10 + (*at++ - '0');
        if (value > HUNDRED_YEARS) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t len = 0;
        while (units[i].name[len] != '\0' && units[i].name[len] == at[len]) {
            len++;
        }
        if (units[i].name[len] == '\0' && at[len] == '\0') {
            if (value > HUNDRED_YEARS / units[i].unit) {
                return false;
            }
            *out = value * units[i].unit;
            return true;
        }
    }
    return false;
}

pxr_time_t pxr_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (pxr_time_t)now.tv_sec * PXR_SECOND + now.tv_nsec / 1000;
}

int64_t pxr_time_steady(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * PXR_SECOND + now.tv_nsec / 1000;
}
