#ifndef PXR_TEXT_H
#define PXR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Text with a bound. All functions may be called from any thread; none allocates.
 */

/* Collects text in memory of the caller. After an overflow nothing more is added, `overflow` is
 * set and the content must not be used. The text is NUL-terminated at all times. */
typedef struct {
    char *data;
    size_t size;
    size_t len;
    bool overflow;
} pxr_buf_t;

/* `size` counts the final NUL and must be at least 1. */
void pxr_buf_init(pxr_buf_t *buf, char *data, size_t size);
void pxr_buf_put(pxr_buf_t *buf, const char *text, size_t len);
void pxr_buf_puts(pxr_buf_t *buf, const char *text);
void pxr_buf_put_int(pxr_buf_t *buf, int64_t value);

/* A JSON string with its quotation marks (RFC 8259). `text` must be valid UTF-8. */
void pxr_buf_put_json(pxr_buf_t *buf, const char *text, size_t len);

/* Percent-encodes every byte but the unreserved ones of RFC 3986, hex digits in upper case. */
void pxr_buf_put_percent(pxr_buf_t *buf, const char *text, size_t len);

/* True where all of `text` is well-formed UTF-8: no overlong form, no surrogate. */
bool pxr_utf8_valid(const char *text, size_t len);

/* True where `text` is UTF-8 of 1 to `max` bytes without control characters. */
bool pxr_text_plain(const char *text, size_t max);

/* Length in bytes of the well-formed sequence at `text`, 0 where there is none. */
size_t pxr_utf8_sequence(const char *text, size_t len);

/* The code point of a sequence whose length is the one that pxr_utf8_sequence() has told. */
uint32_t pxr_utf8_code_point(const char *text, size_t len);

/* Number of code points of valid UTF-8. */
size_t pxr_utf8_count(const char *text, size_t len);

/* The largest length <= max at which valid UTF-8 can be cut without dividing a code point. */
size_t pxr_utf8_cut(const char *text, size_t len, size_t max);

/* Copies `text` as one line: control characters and runs of blanks become one space, invalid
 * bytes U+FFFD, blanks at both ends go, and the rest is cut at a code point to fit into
 * `size` - 1 bytes. Returns the length written; `out` is NUL-terminated. */
size_t pxr_text_line(char *out, size_t size, const char *text, size_t len);

/* Copies and cuts at a code point; returns the length written. */
size_t pxr_text_copy(char *out, size_t size, const char *text, size_t len);

/* ASCII only and without locale, unlike <ctype.h>. */
bool pxr_is_digit(char c);
bool pxr_is_alnum(char c);
char pxr_lower(char c);
/* 0 to 15 by the letters of either case, -1 where it is no hexadecimal digit. */
int pxr_hex_value(char c);
bool pxr_equal_nocase(const char *a, size_t alen, const char *b, size_t blen);

/* Compares two secrets in time that depends on neither, up to PXR_SECRET_MAX bytes each. Longer
 * ones are never equal. */
#define PXR_SECRET_MAX 511
bool pxr_secret_equal(const char *a, size_t alen, const char *b, size_t blen);

#endif
