#include "pxr_text.h"

#include <string.h>

void pxr_buf_init(pxr_buf_t *buf, char *data, size_t size)
{
    buf->data = data;
    buf->size = size;
    buf->len = 0;
    buf->overflow = false;
    buf->data[0] = '\0';
}

void pxr_buf_put(pxr_buf_t *buf, const char *text, size_t len)
{
    if (buf->overflow || len >= buf->size - buf->len) {
        buf->overflow = true;
        return;
    }
    memcpy(buf->data + buf->len, text, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void pxr_buf_puts(pxr_buf_t *buf, const char *text)
{
    pxr_buf_put(buf, text, strlen(text));
}

void pxr_buf_put_int(pxr_buf_t *buf, int64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    pxr_buf_put(buf, digits + at, sizeof(digits) - at);
}

void pxr_buf_put_json(pxr_buf_t *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = 0;

    pxr_buf_put(buf, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        pxr_buf_put(buf, text + start, i - start);
        start = i + 1;
        if (c == '"' || c == '\\') {
            char escaped[2] = {'\\', (char)c};
            pxr_buf_put(buf, escaped, 2);
        } else {
            char escaped[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            pxr_buf_put(buf, escaped, 6);
        }
    }
    pxr_buf_put(buf, text + start, len - start);
    pxr_buf_put(buf, "\"", 1);
}

void pxr_buf_put_percent(pxr_buf_t *buf, const char *text, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (pxr_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            pxr_buf_put(buf, &c, 1);
        } else {
            unsigned char byte = (unsigned char)c;
            char escaped[3] = {'%', hex[byte >> 4], hex[byte & 15]};
            pxr_buf_put(buf, escaped, 3);
        }
    }
}

size_t pxr_utf8_sequence(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t need;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;

    if (len == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        need = 2;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        need = 3;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        need = 4;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (len < need || s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) {
            return 0;
        }
    }
    return need;
}

uint32_t pxr_utf8_code_point(const char *text, size_t len)
{
    static const unsigned char masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t value = (unsigned char)text[0] & masks[len];

    for (size_t i = 1; i < len; i++) {
        value = value << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return value;
}

bool pxr_utf8_valid(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        size_t step = pxr_utf8_sequence(text + i, len - i);
        if (step == 0) {
            return false;
        }
        i += step;
    }
    return true;
}

bool pxr_text_plain(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len == 0 || len > max || !pxr_utf8_valid(text, len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) {
            return false;
        }
    }
    return true;
}

size_t pxr_utf8_count(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) {
            count++;
        }
    }
    return count;
}

size_t pxr_utf8_cut(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80) {
        max--;
    }
    return max;
}

/* U+0000 to U+001F, U+007F to U+009F, and the two line separators that break one line as well. */
static bool is_control(const char *text, size_t step)
{
    const unsigned char *s = (const unsigned char *)text;

    if (step == 1) {
        return s[0] < 0x20 || s[0] == 0x7F;
    }
    if (step == 2) {
        return s[0] == 0xC2 && s[1] < 0xA0;
    }
    return step == 3 && s[0] == 0xE2 && s[1] == 0x80 && (s[2] == 0xA8 || s[2] == 0xA9);
}

size_t pxr_text_line(char *out, size_t size, const char *text, size_t len)
{
    size_t used = 0;
    bool blank = false;
    size_t i = 0;

    while (i < len) {
        const char *from = text + i;
        size_t step = pxr_utf8_sequence(from, len - i);
        size_t take = step;

        i += step == 0 ? 1 : step;
        if (step != 0 && (*from == ' ' || is_control(from, step))) {
            blank = used != 0;
            continue;
        }
        if (step == 0) {
            from = "\xEF\xBF\xBD";
            take = 3;
        }
        if (used + take + (blank ? 1 : 0) >= size) {
            break;
        }
        if (blank) {
            out[used++] = ' ';
            blank = false;
        }
        memcpy(out + used, from, take);
        used += take;
    }
    out[used] = '\0';
    return used;
}

size_t pxr_text_copy(char *out, size_t size, const char *text, size_t len)
{
    size_t used = pxr_utf8_cut(text, len, size - 1);

    memcpy(out, text, used);
    out[used] = '\0';
    return used;
}

bool pxr_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool pxr_is_alnum(char c)
{
    return pxr_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

char pxr_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int pxr_hex_value(char c)
{
    if (pxr_is_digit(c)) {
        return c - '0';
    }
    c = pxr_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pxr_equal_nocase(const char *a, size_t alen, const char *b, size_t blen)
{
    if (alen != blen) {
        return false;
    }
    for (size_t i = 0; i < alen; i++) {
        if (pxr_lower(a[i]) != pxr_lower(b[i])) {
            return false;
        }
    }
    return true;
}

_Static_assert((PXR_SECRET_MAX + 1) % sizeof(uint64_t) == 0, "secrets are compared in words");

bool pxr_secret_equal(const char *a, size_t alen, const char *b, size_t blen)
{
    /* Both are brought to one length first, so that not even the length of the secret shows. */
    uint64_t left[(PXR_SECRET_MAX + 1) / sizeof(uint64_t)] = {0};
    uint64_t right[(PXR_SECRET_MAX + 1) / sizeof(uint64_t)] = {0};
    uint64_t difference = 0;

    if (alen > PXR_SECRET_MAX || blen > PXR_SECRET_MAX) {
        return false;
    }
    memcpy(left, a, alen);
    memcpy(right, b, blen);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        difference |= left[i] ^ right[i];
        /* The compiler may know nothing of it, or it could stop at the first difference. */
        __asm__("" : "+r"(difference));
    }
    return difference == 0 && alen == blen;
}
