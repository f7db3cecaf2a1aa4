#include "helpers.h"

#include "pxr_query.h"

/* Reads one parameter `v` with a value of at most 15 bytes. */
static pxr_query_field_t read_v(const char *query, char value[16])
{
    pxr_query_field_t field = {.name = "v", .value = value, .size = 16};
    size_t len = strlen(query);
    char *copy = exact_copy(query, len);

    memset(value, 'x', 16);
    pxr_query_read(copy, len, &field, 1);
    free(copy);
    return field;
}

static void decodes_values(void **state)
{
    static const struct {
        const char *query, *value;
    } cases[] = {
        {"v=abc", "abc"},
        {"a=1&v=abc&b=2", "abc"},
        {"v=a+b", "a b"},
        {"v=a%20b", "a b"},
        {"v=%2B%2b", "++"},
        {"v=%25%34%31", "%41"}, /* once, not twice */
        {"v=a=b=c", "a=b=c"},
        {"v=%C3%98", "\xc3\x98"},
        {"v=\xc3\x98", "\xc3\x98"},
        {"%76=abc", "abc"}, /* names are decoded too */
        {"v=", ""},
        {"v", ""},
        {"&&v=abc&", "abc"},
        {"=x&v=abc", "abc"},
        {"v=123456789012345", "123456789012345"},
        {"v=a;b", "a;b"},
        {"%zz=1&v=abc", "abc"}, /* a name nobody can mean */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[16];
        pxr_query_field_t field = read_v(cases[i].query, value);
        CHECK(field.present && !field.bad, "%s", cases[i].query);
        CHECK(strcmp(value, cases[i].value) == 0, "%s: %s", cases[i].query, value);
        CHECK(field.len == strlen(value), "%s", cases[i].query);
    }
}

static void marks_bad_values_and_empties_them(void **state)
{
    static const char *const cases[] = {
        "v=%",    "v=%4",  "v=%4g",       "v=%g4",    "v=a%00b",
        "v=%ff",  "v=%C3", "v=%ed%a0%80", "v=%c0%80", "v=1234567890123456",
        "v=%%41", "v=%-1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[16];
        pxr_query_field_t field = read_v(cases[i], value);
        CHECK(field.present && field.bad, "%s", cases[i]);
        CHECK(field.len == 0 && value[0] == '\0', "%s", cases[i]);
    }
}

static void an_escape_never_reaches_over_the_next_parameter(void **state)
{
    char value[16];
    char other[16];
    pxr_query_field_t fields[] = {{.name = "v", .value = value, .size = sizeof(value)},
                                  {.name = "w", .value = other, .size = sizeof(other)}};

    (void)state;
    pxr_query_read("v=%4&w=1", 8, fields, 2);
    assert_true(fields[0].bad);
    assert_string_equal(other, "1");
}

static void of_repeated_parameters_the_first_counts(void **state)
{
    char value[16];
    pxr_query_field_t field = read_v("v=first&v=second", value);

    (void)state;
    assert_string_equal(value, "first");
    field = read_v("v=&v=second", value);
    assert_string_equal(value, "");
    field = read_v("v=%zz&v=second", value);
    assert_true(field.bad);
    assert_string_equal(value, "");
}

static void absent_parameters_are_empty_and_not_present(void **state)
{
    static const char *const cases[] = {"", "&", "=", "w=1", "V=1", "vv=1", "=v", "v%00=1", "+v=1"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[16];
        pxr_query_field_t field = read_v(cases[i], value);
        CHECK(!field.present && !field.bad && field.len == 0 && value[0] == '\0', "%s", cases[i]);
    }
}

static void no_query_at_all_is_allowed(void **state)
{
    char value[4] = "xxx";
    pxr_query_field_t field = {
        .name = "v", .value = value, .size = sizeof(value), .len = 9, .present = true, .bad = true};

    (void)state;
    pxr_query_read(NULL, 0, &field, 1);
    assert_false(field.present);
    assert_false(field.bad);
    assert_int_equal(field.len, 0);
    assert_string_equal(value, "");
}

static void a_name_too_long_to_be_ours_is_passed_over(void **state)
{
    char query[5000];
    char value[16];
    pxr_query_field_t field;

    (void)state;
    memset(query, 'v', sizeof(query));
    memcpy(query + 4000, "=1&v=abc", 9);
    field = read_v(query, value);
    assert_true(field.present);
    assert_string_equal(value, "abc");
}

static void reads_several_fields_in_any_order(void **state)
{
    static const char query[] =
        "trigger=web&local_alias=sip%3Ax%40y&call_tag=&call_direction=dial_in";
    char alias[32], direction[16], tag[8];
    pxr_query_field_t fields[] = {
        {.name = "local_alias", .value = alias, .size = sizeof(alias)},
        {.name = "call_direction", .value = direction, .size = sizeof(direction)},
        {.name = "call_tag", .value = tag, .size = sizeof(tag)},
    };

    (void)state;
    pxr_query_read(query, sizeof(query) - 1, fields, COUNT(fields));
    assert_string_equal(alias, "sip:x@y");
    assert_string_equal(direction, "dial_in");
    assert_true(fields[2].present);
    assert_string_equal(tag, "");
}

static void random_bytes_never_break_it(void **state)
{
    static const char alphabet[] = "v=&%+;1fF\xc3\xff\0ab";
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = dice(&seed, 24);
        char *query = malloc(len > 0 ? len : 1);
        char value[8];
        pxr_query_field_t field = {.name = "v", .value = value, .size = sizeof(value)};
        for (size_t i = 0; i < len; i++) {
            query[i] = alphabet[dice(&seed, sizeof(alphabet) - 1)];
        }
        pxr_query_read(query, len, &field, 1);
        assert_int_equal(strlen(value), field.len);
        assert_true(!field.bad || field.len == 0);
        assert_true(field.present || field.len == 0);
        free(query);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_values),
        cmocka_unit_test(marks_bad_values_and_empties_them),
        cmocka_unit_test(an_escape_never_reaches_over_the_next_parameter),
        cmocka_unit_test(of_repeated_parameters_the_first_counts),
        cmocka_unit_test(absent_parameters_are_empty_and_not_present),
        cmocka_unit_test(no_query_at_all_is_allowed),
        cmocka_unit_test(a_name_too_long_to_be_ours_is_passed_over),
        cmocka_unit_test(reads_several_fields_in_any_order),
        cmocka_unit_test(random_bytes_never_break_it),
    };

    return RUN(tests);
}
