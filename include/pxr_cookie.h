#ifndef PXR_COOKIE_H
#define PXR_COOKIE_H

#include <stddef.h>

#include "pxr_status.h"

/* Reads one cookie of a Cookie header (NULL where there is none) into `out` of `size` bytes,
 * NUL-terminated also after a failure. Names are compared exactly, the first one counts, whatever
 * it is; the value is percent-decoded once, quotation marks around it go. PXR_MISSING where there
 * is no such cookie, PXR_INVALID for a bad escape, a control character or invalid UTF-8,
 * PXR_TOO_LONG where it does not fit. Any thread. */
pxr_status_t pxr_cookie_read(const char *header, const char *name, char *out, size_t size);

#endif
