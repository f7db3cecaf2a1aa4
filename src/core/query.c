#include "pxr_query.h"

#include <string.h>

#include "core_internal.h"
#include "pxr_text.h"

/* Longest name worth decoding; all that we ask for are shorter. */
#define NAME_MAX_LEN 63

static int hex_value(char c)
{
    if (pxr_is_digit(c)) {
        return c - '0';
    }
    c = pxr_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

pxr_status_t pxr_percent_decode(const char *from, size_t len, bool plus, char *out, size_t size,
                                size_t *out_len)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = len - i >= 3 ? hex_value(from[i + 1]) : -1;
            int low = len - i >= 3 ? hex_value(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return PXR_INVALID;
            }
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0') {
            return PXR_INVALID;
        }
        if (used + 1 >= size) {
            return PXR_TOO_LONG;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    *out_len = used;
    return PXR_OK;
}

static bool decode(const char *from, size_t len, char *out, size_t size, size_t *out_len)
{
    return pxr_percent_decode(from, len, true, out, size, out_len) == PXR_OK;
}

static void read_value(pxr_query_field_t *field, const char *from, size_t len)
{
    field->present = true;
    if (!decode(from, len, field->value, field->size, &field->len) ||
        !pxr_utf8_valid(field->value, field->len)) {
        field->bad = true;
        field->len = 0;
        field->value[0] = '\0';
    }
}

void pxr_query_read(const char *query, size_t len, pxr_query_field_t *fields, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        fields[i].len = 0;
        fields[i].present = false;
        fields[i].bad = false;
        fields[i].value[0] = '\0';
    }
    while (at < len) {
        const char *start = query + at;
        const char *amp = memchr(start, '&', len - at);
        size_t whole = amp != NULL ? (size_t)(amp - start) : len - at;
        const char *equals = memchr(start, '=', whole);
        size_t name_len = equals != NULL ? (size_t)(equals - start) : whole;
        char name[NAME_MAX_LEN + 1];
        size_t decoded = 0;

        at += whole + 1;
        if (!decode(start, name_len, name, sizeof(name), &decoded)) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!fields[i].present && strcmp(fields[i].name, name) == 0) {
                const char *value = equals != NULL ? equals + 1 : start + whole;
                read_value(&fields[i], value, (size_t)(start + whole - value));
                break;
            }
        }
    }
}
