#include "pxr_details.h"

#include <string.h>

size_t pxr_details_pack(const pxr_details_t *details, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < PXR_DETAILS; i++) {
        size_t len = details->text[i] != NULL ? details->len[i] : 0;
        if (len > 0xFFFF || size - used < len + 3) {
            return 0;
        }
        out[used++] = (char)(unsigned char)(len & 0xFF);
        out[used++] = (char)(unsigned char)(len >> 8);
        if (len > 0) {
            memcpy(out + used, details->text[i], len);
        }
        used += len;
        out[used++] = '\0';
    }
    return used;
}

pxr_status_t pxr_details_unpack(const char *packed, size_t size, pxr_details_t *out)
{
    size_t at = 0;

    for (size_t i = 0; i < PXR_DETAILS; i++) {
        size_t len;
        if (size - at < 3) {
            return PXR_BROKEN;
        }
        len = (size_t)(unsigned char)packed[at] | (size_t)(unsigned char)packed[at + 1] << 8;
        at += 2;
        if (size - at < len + 1 || packed[at + len] != '\0') {
            return PXR_BROKEN;
        }
        out->text[i] = packed + at;
        out->len[i] = len;
        at += len + 1;
    }
    return PXR_OK;
}

bool pxr_details_fill(pxr_details_t *details, const pxr_details_t *more)
{
    bool filled = false;

    if (details->len[PXR_TITLE] == 0 && more->len[PXR_TITLE] != 0) {
        details->text[PXR_TITLE] = more->text[PXR_TITLE];
        details->len[PXR_TITLE] = more->len[PXR_TITLE];
        filled = true;
    }
    if (details->len[PXR_DISCUSSION_ID] == 0 && more->len[PXR_DISCUSSION_ID] != 0) {
        for (size_t i = PXR_DISCUSSION_ID; i <= PXR_DISCUSSION_TYPE; i++) {
            details->text[i] = more->text[i];
            details->len[i] = more->len[i];
        }
        filled = true;
    }
    return filled;
}
