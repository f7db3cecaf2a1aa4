#ifndef PXR_QUERY_H
#define PXR_QUERY_H

#include <stdbool.h>
#include <stddef.h>

/* One parameter that the caller wants from a query string (application/x-www-form-urlencoded). */
typedef struct {
    const char *name;
    char *value;  /* memory of the caller, NUL-terminated after the call */
    size_t size;  /* of `value`, with the NUL */
    size_t len;   /* out */
    bool present; /* out: the name occurred */
    bool bad;     /* out: bad escape, NUL, invalid UTF-8 or too long; the value is then empty */
} pxr_query_field_t;

/* Reads all wanted fields in one pass: '+' and %20 are blanks, names are decoded too, of repeated
 * parameters the first counts, unknown ones are passed over. `query` may be NULL where len is 0.
 * Any thread. */
void pxr_query_read(const char *query, size_t len, pxr_query_field_t *fields, size_t count);

#endif
