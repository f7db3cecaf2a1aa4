#include <string.h>

#include "chat_internal.h"

/*
 * Texts of people inside Rocket.Chat's Markdown. Its parser knows the backslash before five
 * characters only, and some versions show it; an invisible character alone stops mentions, but not
 * bold, code or, in some versions, links. So what formats, links or makes an emoji becomes a
 * character that looks like it, and what only matters together with its neighbour is kept apart
 * from it by U+200B, which is no blank to the parser and no part of a user name. Nothing depends on
 * what is around, so nothing can be put together from several texts. test/contract asks the parser
 * of several releases.
 */

#define APART u8"\u200B"

static const char *const instead[128] = {
    ['*'] = u8"\u2217", ['_'] = u8"\u02CD",      ['~'] = u8"\u223C", ['`'] = u8"\u02CB",
    ['$'] = u8"\uFF04", ['\\'] = u8"\u2216",     ['<'] = u8"\u2039", ['>'] = u8"\u203A",
    ['['] = u8"\uFF3B", /* it would begin the label of the next link, however far that is */
    [']'] = u8"\uFF3D", [':'] = u8"\u2236",      ['|'] = u8"\u2223", ['#'] = "#" APART,
    ['+'] = "+" APART,  ['-'] = "-" APART,       [';'] = ";" APART,  ['='] = "=" APART,
    ['@'] = "@" APART,  [')'] = APART ")" APART, /* 8) */
};

static bool is_blank(uint32_t c)
{
    return c <= 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029;
}

/* What turns the direction, and what shows nothing and has no meaning inside a word. */
static bool is_dropped(uint32_t c)
{
    return c == 0x061C || c == 0x200B || c == 0x200E || c == 0x200F ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF;
}

/* The dots that a host name may be written with. */
static bool is_wide_dot(uint32_t c)
{
    return c == 0x3002 || c == 0xFF0E || c == 0xFF61;
}

/* Writes what stands for one character; `rest` is what follows it. */
static void put_character(pxr_buf_t *piece, const char *text, size_t step, size_t rest)
{
    uint32_t c = pxr_utf8_code_point(text, step);

    if (is_dropped(c)) {
        return;
    }
    if (c == '.' && rest > 0 && (unsigned char)text[1] > ' ') {
        pxr_buf_puts(piece, u8"\u2024"); /* a full stop in the middle is a host name's */
    } else if (c < 128 && instead[c] != NULL) {
        pxr_buf_puts(piece, instead[c]);
    } else {
        pxr_buf_put(piece, text, step);
        if (is_wide_dot(c)) {
            pxr_buf_puts(piece, APART);
        }
    }
}

/* Writes the beginning of the text that has at most `units`, to nowhere where `out` is NULL, and
 * counts its units. False where the text goes on. */
static bool put_within(pxr_buf_t *out, const char *text, size_t len, size_t units, size_t *used)
{
    bool blank = false;
    size_t step;

    *used = 0;
    for (size_t i = 0; i < len; i += step) {
        char bytes[16];
        size_t before;
        pxr_buf_t piece;

        pxr_buf_init(&piece, bytes, sizeof(bytes));
        step = pxr_utf8_sequence(text + i, len - i);
        if (step == 0) {
            step = 1;
            continue;
        }
        if (is_blank(pxr_utf8_code_point(text + i, step))) {
            blank = *used > 0;
            continue;
        }
        if (blank) {
            pxr_buf_puts(&piece, " ");
        } else if (*used == 0) {
            pxr_buf_puts(&piece, APART); /* no list, heading or quotation begins here */
        }
        before = piece.len;
        put_character(&piece, text + i, step, len - i - step);
        if (piece.len == before) {
            continue;
        }
        blank = false;
        *used += pxr_chat_units(bytes, piece.len);
        if (*used > units) {
            return false;
        }
        if (out != NULL) {
            pxr_buf_put(out, bytes, piece.len);
        }
    }
    return true;
}

void pxr_chat_put_plain(pxr_buf_t *out, const char *text, size_t len, size_t units)
{
    size_t used;

    if (put_within(NULL, text, len, units, &used)) {
        put_within(out, text, len, units, &used);
    } else if (units > 0) {
        put_within(out, text, len, units - 1, &used);
        pxr_buf_puts(out, u8"\u2026");
    }
}

void pxr_chat_put_code(pxr_buf_t *out, const char *text, size_t len, const char *rest)
{
    size_t units = 0;
    size_t step;

    pxr_buf_puts(out, "`");
    for (size_t i = 0; i < len; i += step) {
        uint32_t c;

        step = pxr_utf8_sequence(text + i, len - i);
        c = step > 0 ? pxr_utf8_code_point(text + i, step) : 0x200B;
        step = step > 0 ? step : 1;
        if (is_dropped(c)) {
            continue;
        }
        units += pxr_chat_units(text + i, step);
        if (units > PXR_CHAT_WORD_UNITS) {
            break;
        }
        if (is_blank(c)) {
            pxr_buf_puts(out, " ");
        } else if (c == '`') {
            pxr_buf_puts(out, instead['`']);
        } else if (i > 0 && (c == '@' || c == '#')) {
            pxr_buf_puts(out, instead[c]);
        } else {
            pxr_buf_put(out, text + i, step);
        }
    }
    pxr_buf_puts(out, rest);
    pxr_buf_puts(out, "`");
}

size_t pxr_chat_units(const char *text, size_t len)
{
    size_t units = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        units += (c & 0xC0) != 0x80;
        units += c >= 0xF0;
    }
    return units;
}
