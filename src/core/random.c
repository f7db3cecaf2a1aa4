#include "pxr_random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "pxr_text.h"

bool pxr_random_bytes(void *out, size_t len)
{
    unsigned char *p = out;

    while (len > 0) {
        ssize_t got = getrandom(p, len, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        p += got;
        len -= (size_t)got;
    }
    return true;
}

/* Bytes at or above the largest multiple of the alphabet are thrown away: a remainder alone would
 * prefer the first characters. */
static bool random_text(char *out, size_t len, const char *alphabet, unsigned count)
{
    unsigned char pool[64];
    unsigned limit = 256 - 256 % count;
    size_t used = 0;

    while (used < len) {
        if (!pxr_random_bytes(pool, sizeof(pool))) {
            return false;
        }
        for (size_t i = 0; i < sizeof(pool) && used < len; i++) {
            if (pool[i] < limit) {
                out[used++] = alphabet[pool[i] % count];
            }
        }
    }
    out[len] = '\0';
    return true;
}

bool pxr_random_key(char *out, size_t len)
{
    return random_text(out, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                       62);
}

bool pxr_random_digits(char *out, size_t len)
{
    return random_text(out, len, "0123456789", 10);
}

bool pxr_random_pin_beside(char *out, const char *other)
{
    size_t len = strlen(other);
    size_t digits = len > 0 && other[len - 1] == '#' ? len - 1 : len;

    do {
        if (!pxr_random_digits(out, digits)) {
            return false;
        }
    } while (memcmp(out, other, digits) == 0);
    if (digits < len) {
        out[digits] = '#';
        out[len] = '\0';
    }
    return true;
}

bool pxr_random_pins(char *host, char *guest, size_t len)
{
    return pxr_random_digits(host, len) && pxr_random_pin_beside(guest, host);
}
