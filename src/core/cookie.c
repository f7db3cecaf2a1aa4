#include "pxr_cookie.h"

#include <string.h>

#include "core_internal.h"
#include "pxr_text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* U+0000 to U+001F and U+007F to U+009F, in valid UTF-8. */
static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7F || (c == 0xC2 && (unsigned char)text[i + 1] < 0xA0)) {
            return true;
        }
    }
    return false;
}

static pxr_status_t read_value(const char *from, size_t len, char *out, size_t size)
{
    size_t used;
    pxr_status_t status;

    if (len > 0 && (from[0] == '"' || from[len - 1] == '"')) {
        if (len < 2 || from[0] != from[len - 1]) {
            return PXR_INVALID;
        }
        from++;
        len -= 2;
    }
    status = pxr_percent_decode(from, len, false, out, size, &used);
    if (status == PXR_OK && (!pxr_utf8_valid(out, used) || has_control(out, used))) {
        status = PXR_INVALID;
    }
    if (status != PXR_OK) {
        out[0] = '\0';
    }
    return status;
}

pxr_status_t pxr_cookie_read(const char *header, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);

    out[0] = '\0';
    while (header != NULL && *header != '\0') {
        size_t len;
        while (is_blank(*header)) {
            header++;
        }
        len = strcspn(header, ";");
        if (len > name_len && header[name_len] == '=' && strncmp(header, name, name_len) == 0) {
            const char *value = header + name_len + 1;
            const char *end = header + len;
            while (value < end && is_blank(*value)) {
                value++;
            }
            while (end > value && is_blank(end[-1])) {
                end--;
            }
            return read_value(value, (size_t)(end - value), out, size);
        }
        header += len;
        header += *header == ';' ? 1 : 0;
    }
    return PXR_MISSING;
}
