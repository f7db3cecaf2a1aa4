#include "pxr_query.h"

#include <string.h>

#include "core_internal.h"
#include "pxr_text.h"

/* The byte that the text at *from means; *from is put behind it. NUL where none can be meant. */
static char next_byte(const char **from, const char *end, bool plus)
{
    char c = *(*from)++;
    int high;
    int low;

    if (c == '+' && plus) {
        return ' ';
    }
    if (c != '%') {
        return c;
    }
    high = end - *from >= 2 ? pxr_hex_value((*from)[0]) : -1;
    low = end - *from >= 2 ? pxr_hex_value((*from)[1]) : -1;
    if (high < 0 || low < 0) {
        return '\0';
    }
    *from += 2;
    return (char)(unsigned char)(high * 16 + low);
}

pxr_status_t pxr_percent_decode(const char *from, size_t len, bool plus, char *out, size_t size,
                                size_t *out_len)
{
    const char *end = from + len;
    size_t used = 0;

    while (from < end) {
        char c = next_byte(&from, end, plus);
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

/* Where the value of a parameter begins, NULL where it has another name. */
static const char *value_of(const char *from, const char *end, const char *name)
{
    /* Tells nearly all others. */
    if (from == end || (*from != *name && *from != '%')) {
        return NULL;
    }
    while (from < end && *from != '=') {
        if (*name == '\0' || next_byte(&from, end, true) != *name++) {
            return NULL;
        }
    }
    if (*name != '\0') {
        return NULL;
    }
    return from < end ? from + 1 : end;
}

static void read_value(pxr_query_field_t *field, const char *from, size_t len)
{
    field->present = true;
    if (pxr_percent_decode(from, len, true, field->value, field->size, &field->len) != PXR_OK ||
        !pxr_utf8_valid(field->value, field->len)) {
        field->bad = true;
        field->len = 0;
        field->value[0] = '\0';
    }
}

void pxr_query_read(const char *query, size_t len, pxr_query_field_t *fields, size_t count)
{
    const char *start = query;
    const char *end = len > 0 ? query + len : query;

    for (size_t i = 0; i < count; i++) {
        fields[i].len = 0;
        fields[i].present = false;
        fields[i].bad = false;
        fields[i].value[0] = '\0';
    }
    while (start < end) {
        const char *amp = memchr(start, '&', (size_t)(end - start));
        const char *stop = amp != NULL ? amp : end;
        for (size_t i = 0; i < count; i++) {
            const char *value = fields[i].present ? NULL : value_of(start, stop, fields[i].name);
            if (value != NULL) {
                read_value(&fields[i], value, (size_t)(stop - value));
                break;
            }
        }
        start = amp != NULL ? amp + 1 : end;
    }
}
