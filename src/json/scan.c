#include <string.h>

#include "json_internal.h"

size_t pxr_scan_blank(const char *text, size_t len, size_t at)
{
    while (at < len &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) {
        at++;
    }
    return at;
}

size_t pxr_scan_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len; at++) {
        if (text[at] == '\\') {
            at++;
        } else if (text[at] == '"') {
            return at + 1;
        }
    }
    return len;
}

size_t pxr_scan_value(const char *text, size_t len, size_t at, size_t *depth)
{
    size_t open = 0;

    *depth = 0;
    while (at < len) {
        char c = text[at];
        if (c == '"') {
            at = pxr_scan_string(text, len, at);
        } else {
            if (c == '{' || c == '[') {
                open++;
                *depth = open > *depth ? open : *depth;
            } else if (c == '}' || c == ']') {
                if (open == 0) {
                    return at;
                }
                open--;
            } else if (c == ',' && open == 0) {
                return at;
            }
            at++;
        }
        if (open == 0 && (text[at - 1] == '}' || text[at - 1] == ']' || text[at - 1] == '"')) {
            return at;
        }
    }
    return len;
}

bool pxr_scan_is_deep(const char *text, size_t len, size_t most)
{
    size_t depth;

    pxr_scan_value(text, len, pxr_scan_blank(text, len, 0), &depth);
    return depth > most;
}

/* The code unit of a \uXXXX at `at`, -1 where there is none. */
static int read_unit(const char *text, size_t len, size_t at)
{
    int unit = 0;

    if (at > len || len - at < 6 || text[at] != '\\' || text[at + 1] != 'u') {
        return -1;
    }
    for (size_t i = 2; i < 6; i++) {
        int digit = pxr_hex_value(text[at + i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

/* Mends the escape at `at` and returns where it ends. */
static size_t mend_escape(char *text, size_t len, size_t at)
{
    int unit = read_unit(text, len, at);

    if (unit < 0) {
        return at + 2;
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int low = read_unit(text, len, at + 6);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            return at + 12;
        }
    }
    if (unit == 0 || (unit >= 0xD800 && unit <= 0xDFFF)) {
        memcpy(text + at + 2, "fffd", 4);
    }
    return at + 6;
}

static size_t mend_string(char *text, size_t len, size_t at)
{
    at++;
    while (at < len && text[at] != '"') {
        if (text[at] == '\\') {
            at = mend_escape(text, len, at);
            continue;
        }
        size_t step = pxr_utf8_sequence(text + at, len - at);
        if (step == 0) {
            text[at] = '?';
            step = 1;
        } else if (step == 1 && (unsigned char)text[at] < 0x20) {
            text[at] = ' ';
        }
        at += step;
    }
    return at < len ? at + 1 : len;
}

static bool is_number_char(char c)
{
    return pxr_is_digit(c) || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

/* A number that no sender means, such as one of a hundred digits, becomes 0: unsaid. */
static size_t mend_number(char *text, size_t len, size_t at)
{
    size_t end = at;
    size_t whole = 0;
    size_t exponent = 0;
    enum { WHOLE, FRACTION, EXPONENT } part = WHOLE;

    while (end < len && is_number_char(text[end])) {
        if (text[end] == 'e' || text[end] == 'E') {
            part = EXPONENT;
        } else if (text[end] == '.' && part == WHOLE) {
            part = FRACTION;
        } else if (pxr_is_digit(text[end])) {
            whole += part == WHOLE;
            exponent += part == EXPONENT;
        }
        end++;
    }
    if (whole > 18 || exponent > 2) {
        text[at] = '0';
        memset(text + at + 1, ' ', end - at - 1);
    }
    return end;
}

void pxr_json_mend(char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        if (text[at] == '"') {
            at = mend_string(text, len, at);
        } else if (pxr_is_digit(text[at]) || text[at] == '-') {
            at = mend_number(text, len, at);
        } else {
            at++;
        }
    }
}

void pxr_member_at(const char *text, size_t len, size_t at, pxr_buf_t *out)
{
    /* Deeper members than ours are named by their outermost two. */
    struct {
        size_t from, len;
    } names[2] = {{0, 0}, {0, 0}};
    size_t depth = 0;
    size_t i = 0;

    while (i < len && i <= at) {
        if (text[i] == '"') {
            size_t end = pxr_scan_string(text, len, i);
            size_t colon = pxr_scan_blank(text, len, end);
            if (colon < len && text[colon] == ':' && depth >= 1 && depth <= 2) {
                names[depth - 1].from = i + 1;
                names[depth - 1].len = end - i - 2;
            }
            i = end;
            continue;
        }
        if (text[i] == '{' || text[i] == '[') {
            depth++;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
        if (depth < 2) {
            names[1].len = 0;
        }
        i++;
    }
    for (size_t n = 0; n < 2 && names[n].len > 0; n++) {
        char name[65];
        if (n > 0) {
            pxr_buf_puts(out, ".");
        }
        pxr_text_line(name, sizeof(name), text + names[n].from, names[n].len);
        pxr_buf_puts(out, name);
    }
}
