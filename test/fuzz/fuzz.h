#ifndef PXR_TEST_FUZZ_H
#define PXR_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What the fuzz targets share. Each target is one function, which libFuzzer calls with what it
 * makes up (`make check`), and replay.c with the files of the corpus (`make test`).
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A finding: the input is kept, and whoever reads the report sees which promise was broken. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* What is left of an input. Where nothing is left, bytes are 0 and texts are empty. */
typedef struct {
    const uint8_t *at;
    size_t left;
} input_t;

static inline uint8_t input_byte(input_t *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

static inline uint32_t input_number(input_t *in, int bytes)
{
    uint32_t number = 0;

    for (int i = 0; i < bytes; i++) {
        number = number << 8 | input_byte(in);
    }
    return number;
}

/* The bytes up to the next NUL as a text of its own, so that the sanitizer sees the first byte that
 * is read too far. To be released with free(). */
static inline char *input_text(input_t *in)
{
    const uint8_t *end = in->left > 0 ? memchr(in->at, 0, in->left) : NULL;
    size_t len = end != NULL ? (size_t)(end - in->at) : in->left;
    char *text = malloc(len + 1);

    REQUIRE(text != NULL);
    if (len > 0) {
        memcpy(text, in->at, len);
    }
    text[len] = '\0';
    in->at = end != NULL ? end + 1 : in->at + len;
    in->left -= len + (end != NULL);
    return text;
}

/* All that is left, without a NUL behind it. */
static inline char *input_rest(input_t *in, size_t *len)
{
    char *rest = malloc(in->left > 0 ? in->left : 1);

    REQUIRE(rest != NULL);
    if (in->left > 0) {
        memcpy(rest, in->at, in->left);
    }
    *len = in->left;
    in->left = 0;
    return rest;
}

#endif
