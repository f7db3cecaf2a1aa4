#include "pxr_discussion.h"

#include <string.h>

#include "chat_internal.h"

/* What Rocket.Chat would not show in the name of a room. */
static bool is_unseen(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F;
}

static pxr_status_t check_conversions(const char *format, const char **why)
{
    bool named = false;
    bool titled = false;

    for (const char *c = format; *c != '\0'; c++) {
        if (is_unseen(*c)) {
            *why = "must not contain control characters";
            return PXR_INVALID;
        }
        if (*c != '%') {
            named = named || *c != ' ';
            continue;
        }
        c++;
        if (*c == '\0' || strchr("YmdHMSt%", *c) == NULL) {
            *why =
                "may contain %Y, %m, %d, %H, %M, %S, %t for the title, and %% for a percent sign";
            return PXR_INVALID;
        }
        if (*c == 't' && titled) {
            *why = "may contain %t only once";
            return PXR_INVALID;
        }
        titled = titled || *c == 't';
        named = named || *c != 't';
    }
    if (!named) {
        *why = "must contain something besides %t, because many meetings have no title";
        return PXR_INVALID;
    }
    return PXR_OK;
}

pxr_status_t pxr_discussion_check_name(const char *format, const char **why)
{
    size_t len = strlen(format);

    if (len > PXR_DISCUSSION_FORMAT_MAX) {
        *why = "must not have more than 200 bytes";
        return PXR_TOO_LONG;
    }
    if (!pxr_utf8_valid(format, len)) {
        *why = "must be UTF-8";
        return PXR_INVALID;
    }
    return check_conversions(format, why);
}

static void put_conversion(pxr_buf_t *out, char conversion, const char *moment, const char *title)
{
    /* Where each part begins in 2026-11-22T10:00:00. */
    static const struct {
        char conversion;
        unsigned char at, len;
    } parts[] = {{'Y', 0, 4}, {'m', 5, 2}, {'d', 8, 2}, {'H', 11, 2}, {'M', 14, 2}, {'S', 17, 2}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].conversion == conversion) {
            pxr_buf_put(out, moment + parts[i].at, parts[i].len);
            return;
        }
    }
    if (conversion == '%') {
        pxr_buf_put(out, "%", 1);
    } else if (pxr_chat_shows(title)) {
        pxr_chat_put_text(out, title, PXR_DISCUSSION_TITLE_UNITS);
    } else {
        pxr_buf_puts(out, "Meeting");
    }
}

void pxr_discussion_put_name(pxr_buf_t *out, const char *format, const char *title, pxr_time_t when)
{
    char moment[PXR_TIME_TEXT];

    pxr_time_format(when, moment);
    for (const char *c = format; *c != '\0'; c++) {
        if (*c == '%' && c[1] != '\0') {
            c++;
            put_conversion(out, *c, moment, title);
        } else {
            pxr_buf_put(out, c, 1);
        }
    }
}
