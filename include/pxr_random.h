#ifndef PXR_RANDOM_H
#define PXR_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"

/* Random texts from the system's source. Any thread. All return false, and nothing usable, where
 * the source fails; the caller must then refuse the work. */

/* Fills `len` bytes. */
bool pxr_random_bytes(void *out, size_t len);

/* `len` characters of [A-Za-z0-9], each equally likely, and a NUL. */
bool pxr_random_key(char *out, size_t len);

/* `len` decimal digits, each equally likely, and a NUL. */
bool pxr_random_digits(char *out, size_t len);

/* A Host PIN and a different Guest PIN of `len` digits. Both buffers have PXR_PIN_MAX + 1 bytes. */
bool pxr_random_pins(char *host, char *guest, size_t len);

/* A PIN of the same form as `other` (length and final '#') that differs from it. */
bool pxr_random_pin_beside(char *out, const char *other);

#endif
