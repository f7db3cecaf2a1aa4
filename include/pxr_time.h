#ifndef PXR_TIME_H
#define PXR_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970-01-01T00:00:00Z; 0 means unset. */
typedef int64_t pxr_time_t;

#define PXR_TIME_NEVER INT64_MAX
/* Bytes that take a text such as "2026-11-22T10:00:00.000Z" with its NUL. */
#define PXR_TIME_TEXT 32

/* Reads a date-time of RFC 3339 with any offset; fractions beyond microseconds are dropped. False
 * where it is not one or names no real moment of the years 1970 to 9999. Any thread. */
bool pxr_time_parse(const char *text, size_t len, pxr_time_t *out);

/* Writes RFC 3339 in UTC with milliseconds. `out` has PXR_TIME_TEXT bytes. Any thread. */
void pxr_time_format(pxr_time_t when, char *out);

/* Turns a Unix time with fractions into microseconds; 0 for what is no usable time. Any thread. */
pxr_time_t pxr_time_from_seconds(double seconds);

/* Reads a duration such as `90`, `500ms`, `10s`, `5m`, `5min`, `24h`, `90d`; a bare number is
 * seconds. False where it is not one or longer than a hundred years. Any thread. */
bool pxr_duration_parse(const char *text, int64_t *out);

/* The wall clock. Any thread. */
pxr_time_t pxr_time_now(void);

/* Microseconds of a clock that nobody sets, the same for all processes. Any thread. */
int64_t pxr_time_steady(void);

static inline pxr_time_t pxr_time_later(pxr_time_t a, pxr_time_t b)
{
    return a > b ? a : b;
}

static inline pxr_time_t pxr_time_earlier(pxr_time_t a, pxr_time_t b)
{
    return a < b ? a : b;
}

/* The earlier of two that may be unset. */
static inline pxr_time_t pxr_time_first(pxr_time_t a, pxr_time_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

#endif
