#ifndef PXR_TEST_HELPERS_H
#define PXR_TEST_HELPERS_H

/* cmocka wants these before its own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* A pxr_buf_t called `name` with `size` bytes behind it. */
#define BUFFER(name, size) \
    char name##_text[size]; \
    pxr_buf_t name; \
    pxr_buf_init(&name, name##_text, sizeof(name##_text))

/* Fails with the case that is at fault: loops over tables need more than a line number. */
#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            print_error(__VA_ARGS__); \
            print_error("\n"); \
            fail_msg("%s", #condition); \
        } \
    } while (0)

/* A copy of exactly `len` bytes: the sanitizer sees the first byte that is read too far. */
static inline char *exact_copy(const void *data, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

/* The same numbers in every run (xorshift64*), so that a failure can be repeated. */
static inline uint32_t dice(uint64_t *state, uint32_t sides)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % sides;
}

#endif
