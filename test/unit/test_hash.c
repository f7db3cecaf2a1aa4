#include "helpers.h"

#include "pxr_hash.h"

/* Key and input of the vectors in the SipHash paper: 00 01 02 ... */
static const pxr_hash_key_t key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void matches_the_reference_vectors(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},
        {1, UINT64_C(0x74f839c593dc67fd)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    unsigned char input[15];

    (void)state;
    for (size_t i = 0; i < sizeof(input); i++) {
        input[i] = (unsigned char)i;
    }
    for (size_t i = 0; i < COUNT(vectors); i++) {
        CHECK(pxr_hash(&key, input, vectors[i].len) == vectors[i].hash, "length %zu",
              vectors[i].len);
    }
}

static void reads_any_alignment_and_not_a_byte_more(void **state)
{
    char text[80];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; len <= 64; len++) {
        uint64_t expected = pxr_hash(&key, text, len);
        char *copy = exact_copy(text, len);
        assert_true(pxr_hash(&key, copy, len) == expected);
        free(copy);
        for (size_t shift = 1; shift < 8; shift++) {
            assert_true(pxr_hash(&key, text + shift, len) == expected);
        }
    }
}

static void depends_on_both_halves_of_the_key_and_on_the_length(void **state)
{
    static const char zeros[256] = {0};
    pxr_hash_key_t other = key;
    uint64_t hash = pxr_hash(&key, "abc", 3);

    (void)state;
    other.k0 ^= 1;
    assert_true(pxr_hash(&other, "abc", 3) != hash);
    other = key;
    other.k1 ^= UINT64_C(1) << 63;
    assert_true(pxr_hash(&other, "abc", 3) != hash);
    for (size_t len = 1; len < sizeof(zeros); len++) {
        assert_true(pxr_hash(&key, zeros, len) != pxr_hash(&key, zeros, len - 1));
    }
}

static void every_bit_of_the_input_counts(void **state)
{
    unsigned char input[24] = {0};
    uint64_t hash = pxr_hash(&key, input, sizeof(input));

    (void)state;
    for (size_t bit = 0; bit < sizeof(input) * 8; bit++) {
        input[bit / 8] = (unsigned char)(1u << (bit % 8));
        assert_true(pxr_hash(&key, input, sizeof(input)) != hash);
        input[bit / 8] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_reference_vectors),
        cmocka_unit_test(reads_any_alignment_and_not_a_byte_more),
        cmocka_unit_test(depends_on_both_halves_of_the_key_and_on_the_length),
        cmocka_unit_test(every_bit_of_the_input_counts),
    };

    return RUN(tests);
}
