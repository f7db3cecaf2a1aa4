#ifndef PXR_STATUS_H
#define PXR_STATUS_H

/* What can come of a call into core, json or store. The glue turns it into an HTTP status. */
typedef enum {
    PXR_OK = 0,
    PXR_MISSING,  /* no such meeting, participant or alias */
    PXR_EXISTS,   /* there is a meeting of this id */
    PXR_TAKEN,    /* the id is the number of another meeting */
    PXR_INVALID,  /* the input breaks a rule; a text says which */
    PXR_TOO_LONG, /* the input or the result exceeds its width */
    PXR_FULL,     /* a table of the working set is full */
    PXR_BUSY,     /* the lock could not be had, or the database did not answer, in time */
    PXR_BROKEN,   /* memory or the segment cannot be used */
} pxr_status_t;

#endif
