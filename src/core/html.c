#include "pxr_html.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "pxr_text.h"

#define REPLACEMENT "\xEF\xBF\xBD"
#define ELLIPSIS "\xE2\x80\xA6"

typedef struct {
    uint32_t from, to;
} range_t;

/* Nothing that a person should be shown: they are not seen, or move what is around them. */
static const range_t unwanted[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},       {0x61C, 0x61C},   {0x180E, 0x180E},
    {0x200B, 0x200B}, {0x200E, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F}, {0xFDD0, 0xFDEF},
    {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF},
};

static bool is_unwanted(uint32_t code)
{
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
        if (code >= unwanted[i].from && code <= unwanted[i].to) {
            return true;
        }
    }
    return (code & 0xFFFE) == 0xFFFE;
}

/* What stands for a code point, NULL for itself. */
static const char *substitute(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
    case '\r':
        return " ";
    default:
        return is_unwanted(code) ? REPLACEMENT : NULL;
    }
}

static void put(const pxr_html_t *html, const char *text, size_t len)
{
    if (len > 0) {
        html->put(html->context, text, len);
    }
}

/* At most `most` code points of the text. */
static void put_text(const pxr_html_t *html, const char *text, size_t len, size_t most)
{
    size_t start = 0;
    size_t i = 0;

    for (size_t count = 0; i < len && count < most; count++) {
        size_t step = pxr_utf8_sequence(text + i, len - i);
        const char *instead =
            step == 0 ? REPLACEMENT : substitute(pxr_utf8_code_point(text + i, step));
        if (instead != NULL) {
            put(html, text + start, i - start);
            put(html, instead, strlen(instead));
            start = i + (step == 0 ? 1 : step);
        }
        i += step == 0 ? 1 : step;
    }
    put(html, text + start, i - start);
}

void pxr_html_put_cut(const pxr_html_t *html, const char *text, size_t most)
{
    size_t count = 0;
    size_t len;

    text = text != NULL ? text : "";
    len = strlen(text);
    for (size_t i = 0; i < len && count <= most; count++) {
        size_t step = pxr_utf8_sequence(text + i, len - i);
        i += step == 0 ? 1 : step;
    }
    if (count <= most) {
        put_text(html, text, len, most);
    } else if (most > 0) {
        put_text(html, text, len, most - 1);
        put(html, ELLIPSIS, strlen(ELLIPSIS));
    }
}

static void put_number(const pxr_html_t *html, uintmax_t value)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(html, digits + at, sizeof(digits) - at);
}

void pxr_html_put(const pxr_html_t *html, const char *markup, ...)
{
    va_list arguments;
    const char *text;

    va_start(arguments, markup);
    while (*markup != '\0') {
        size_t len = strcspn(markup, "%");
        put(html, markup, len);
        markup += len;
        if (markup[0] == '\0') {
            break;
        }
        switch (markup[1]) {
        case 's':
            text = va_arg(arguments, const char *);
            text = text != NULL ? text : "";
            put_text(html, text, strlen(text), SIZE_MAX);
            break;
        case 'u':
            put_number(html, va_arg(arguments, unsigned));
            break;
        case 'j':
            put_number(html, va_arg(arguments, uintmax_t));
            markup++;
            break;
        default:
            put(html, "%", 1);
        }
        markup += markup[1] != '\0' ? 2 : 1;
    }
    va_end(arguments);
}
