#ifndef PXR_REST_RESULT_H
#define PXR_REST_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_limits.h"

/*
 * What came of a request to another server: plain data that the transport fills and src/json
 * judges.
 */

typedef enum {
    PXR_REST_ANSWERED, /* a whole answer, whatever its status */
    PXR_REST_NOT_SENT, /* the server has surely not seen the request */
    PXR_REST_UNKNOWN,  /* it may have seen and obeyed it, but there is no whole answer */
} pxr_rest_outcome_t;

/* Waits are microseconds from the moment of the answer by the server's own clock, at most
 * PXR_REST_WAIT_MAX; -1 where the server said nothing. */
typedef struct {
    pxr_rest_outcome_t outcome;
    int status;                                  /* 0: no status line came */
    char content_type[PXR_CONTENT_TYPE_MAX + 1]; /* in lower case, without parameters */
    char *body; /* NUL-terminated; NULL unless the answer is whole and has a body */
    size_t body_len;
    bool too_large;            /* more came than was wanted, so the answer is not whole */
    int64_t retry_after;       /* Retry-After, given in seconds or as a date */
    int64_t reset_after;       /* X-RateLimit-Reset */
    int64_t remaining;         /* X-RateLimit-Remaining; -1: not said */
    char why[PXR_WHY_MAX + 1]; /* one line for logs, without secrets; "" where it was answered */
} pxr_rest_result_t;

#endif
