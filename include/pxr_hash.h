#ifndef PXR_HASH_H
#define PXR_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t k0, k1;
} pxr_hash_key_t;

/* SipHash-2-4. Keys of tables come from outside, so they are hashed with a secret. Any thread. */
uint64_t pxr_hash(const pxr_hash_key_t *key, const void *data, size_t len);

/* The hash of a text that is the same in every process and on every machine; 0 for the empty text
 * and for no other. A table that is indexed by it needs a secret of its own. Any thread. */
uint64_t pxr_hash_text(const char *text);

#endif
