#ifndef PXR_DETAILS_H
#define PXR_DETAILS_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"
#include "pxr_status.h"

/* The texts of a meeting that no hot path needs. NULL or "" is absent. */
typedef enum {
    PXR_TITLE,
    PXR_ROOM_ID,
    PXR_ROOM_NAME,
    PXR_ROOM_TYPE,
    PXR_CREATOR_ID,
    PXR_CREATOR_USERNAME,
    PXR_CREATOR_NAME,
    PXR_DISCUSSION_ID,
    PXR_DISCUSSION_NAME,
    PXR_DISCUSSION_TYPE,
    PXR_THREAD_ID, /* where in the room it was asked for */
    PXR_DETAILS,
} pxr_detail_t;

typedef struct {
    const char *text[PXR_DETAILS];
    size_t len[PXR_DETAILS];
} pxr_details_t;

/* Writes the details as one run of bytes, each text with its length before it (two bytes, low one
 * first) and a NUL behind it. Returns the size, or 0 where it does not fit. Any thread. */
size_t pxr_details_pack(const pxr_details_t *details, char *out, size_t size);

/* Lets `out` point into packed bytes, which must outlive it. PXR_BROKEN where they are not packed
 * details. Any thread. */
pxr_status_t pxr_details_unpack(const char *packed, size_t size, pxr_details_t *out);

/* Takes the title and the discussion from `more` where `details` has none. True where anything was
 * taken. Any thread. */
bool pxr_details_fill(pxr_details_t *details, const pxr_details_t *more);

#endif
