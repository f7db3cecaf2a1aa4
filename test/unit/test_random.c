#include "helpers.h"

#include "pxr_policy.h"
#include "pxr_random.h"

static void bytes_fill_all_and_nothing_else(void **state)
{
    unsigned char seen[64] = {0};

    (void)state;
    for (int round = 0; round < 64; round++) {
        unsigned char bytes[66];
        memset(bytes, 0, sizeof(bytes));
        assert_true(pxr_random_bytes(bytes + 1, 64));
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[65], 0);
        for (size_t i = 0; i < 64; i++) {
            seen[i] |= bytes[i + 1];
        }
    }
    /* That a bit stays 0 in 64 draws has a chance of 2^-55 over all of them. */
    for (size_t i = 0; i < sizeof(seen); i++) {
        assert_int_equal(seen[i], 0xFF);
    }
    assert_true(pxr_random_bytes(NULL, 0));
}

/* Draws `total` characters and checks that each of the alphabet comes about equally often. */
static void check_distribution(bool (*draw)(char *, size_t), const char *alphabet, unsigned total)
{
    unsigned counts[256] = {0};
    size_t letters = strlen(alphabet);
    unsigned expected = total / (unsigned)letters;
    char text[1001];

    for (unsigned done = 0; done < total; done += 1000) {
        assert_true(draw(text, 1000));
        assert_int_equal(strlen(text), 1000);
        for (size_t i = 0; i < 1000; i++) {
            counts[(unsigned char)text[i]]++;
        }
    }
    for (size_t i = 0; i < letters; i++) {
        unsigned count = counts[(unsigned char)alphabet[i]];
        /* Ten per cent are more than six standard deviations of either draw below. A remainder
         * without rejection would favour characters by twenty per cent. */
        CHECK(count > expected - expected / 10 && count < expected + expected / 10, "%c: %u of %u",
              alphabet[i], count, expected);
        counts[(unsigned char)alphabet[i]] = 0;
    }
    for (size_t i = 0; i < COUNT(counts); i++) {
        assert_int_equal(counts[i], 0);
    }
}

static void keys_use_all_letters_and_digits_equally(void **state)
{
    (void)state;
    check_distribution(pxr_random_key,
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 620000);
}

static void digits_come_equally_often(void **state)
{
    (void)state;
    check_distribution(pxr_random_digits, "0123456789", 200000);
}

static void keys_do_not_repeat(void **state)
{
    char keys[200][PXR_JOIN_KEY_LEN + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_true(pxr_random_key(keys[i], PXR_JOIN_KEY_LEN));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(keys[i], keys[j]);
        }
    }
}

static void pins_of_every_length_keep_the_rules(void **state)
{
    (void)state;
    for (size_t len = PXR_PIN_MIN; len <= PXR_PIN_MAX; len++) {
        for (int round = 0; round < 200; round++) {
            char host[PXR_PIN_MAX + 1];
            char guest[PXR_PIN_MAX + 1];
            BUFFER(why, 160);
            assert_true(pxr_random_pins(host, guest, len));
            assert_int_equal(strlen(host), len);
            CHECK(pxr_pins_check(host, guest, &why) == PXR_OK, "%s", why.data);
        }
    }
}

static void pins_may_begin_with_a_zero(void **state)
{
    unsigned zeros = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char host[PXR_PIN_MAX + 1];
        char guest[PXR_PIN_MAX + 1];
        assert_true(pxr_random_pins(host, guest, PXR_PIN_MIN));
        zeros += host[0] == '0';
    }
    assert_in_range(zeros, 100, 320);
}

static void a_pin_beside_another_has_its_form(void **state)
{
    static const char *const others[] = {"0000", "1234#", "12345678901234567890",
                                         "1234567890123456789#", "123#"};

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        for (int round = 0; round < 500; round++) {
            char pin[PXR_PIN_MAX + 1];
            BUFFER(why, 160);
            assert_true(pxr_random_pin_beside(pin, others[i]));
            CHECK(pxr_pins_check(pin, others[i], &why) == PXR_OK, "%s: %s", others[i], why.data);
            CHECK(pxr_pins_check(others[i], pin, &why) == PXR_OK, "%s: %s", others[i], why.data);
        }
    }
}

static void a_pin_beside_another_differs_although_few_are_left(void **state)
{
    (void)state;
    /* One digit before the '#': one draw in ten hits the other PIN and must be drawn again. */
    for (int round = 0; round < 500; round++) {
        char pin[PXR_PIN_MAX + 1];
        assert_true(pxr_random_pin_beside(pin, "7#"));
        assert_int_equal(strlen(pin), 2);
        assert_true(pin[0] != '7' && pin[1] == '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_fill_all_and_nothing_else),
        cmocka_unit_test(keys_use_all_letters_and_digits_equally),
        cmocka_unit_test(digits_come_equally_often),
        cmocka_unit_test(keys_do_not_repeat),
        cmocka_unit_test(pins_of_every_length_keep_the_rules),
        cmocka_unit_test(pins_may_begin_with_a_zero),
        cmocka_unit_test(a_pin_beside_another_has_its_form),
        cmocka_unit_test(a_pin_beside_another_differs_although_few_are_left),
    };

    return RUN(tests);
}
