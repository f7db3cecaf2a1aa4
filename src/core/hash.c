#include "pxr_hash.h"

#include <string.h>

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t load(const unsigned char *p, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    mix(v);
    v[0] ^= word;
}

uint64_t pxr_hash(const pxr_hash_key_t *key, const void *data, size_t len)
{
    uint64_t v[4] = {
        UINT64_C(0x736f6d6570736575) ^ key->k0,
        UINT64_C(0x646f72616e646f6d) ^ key->k1,
        UINT64_C(0x6c7967656e657261) ^ key->k0,
        UINT64_C(0x7465646279746573) ^ key->k1,
    };
    const unsigned char *p = data;
    size_t rest = len;

    while (rest >= 8) {
        absorb(v, load(p, 8));
        p += 8;
        rest -= 8;
    }
    absorb(v, load(p, rest) | ((uint64_t)(len & 0xFF) << 56));
    v[2] ^= 0xFF;
    for (int i = 0; i < 4; i++) {
        mix(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t pxr_hash_text(const char *text)
{
    const pxr_hash_key_t everywhere = {0, 0};
    size_t len = strlen(text);
    uint64_t hash = len > 0 ? pxr_hash(&everywhere, text, len) : 0;

    return len > 0 && hash == 0 ? 1 : hash;
}
