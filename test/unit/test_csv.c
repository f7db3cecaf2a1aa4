#include "helpers.h"

#include <time.h>

#include "pxr_history.h"
#include "pxr_text.h"

static char table[64 * 1024];
static size_t table_len;

static void collect(void *context, const char *text, size_t len)
{
    (void)context;
    assert_true(table_len + len < sizeof(table));
    memcpy(table + table_len, text, len);
    table_len += len;
    table[table_len] = '\0';
}

static int clear(void **state)
{
    (void)state;
    table_len = 0;
    table[0] = '\0';
    return 0;
}

static void is_written(const char *text, const char *wanted)
{
    char *copy = exact_copy(text, strlen(text));

    clear(NULL);
    pxr_csv_cell(copy, strlen(text), collect, NULL);
    free(copy);
    CHECK(strcmp(table, wanted) == 0, "'%s' became '%s' instead of '%s'", text, table, wanted);
}

static void harmless_texts_stay_what_they_are(void **state)
{
    static const char *const texts[] = {"",
                                        "Anna",
                                        "Nina \xC3\x98sterg\xC3\xA5rd",
                                        "a=b",
                                        "1+1",
                                        "mail@example.com",
                                        "it's",
                                        "10-12",
                                        "\xF0\x9F\x8E\x89",
                                        "\xE6\x97\xA5\xE6\x9C\xAC",
                                        "'quoted'",
                                        "a  b"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        is_written(texts[i], texts[i]);
    }
}

static void separators_and_quotation_marks_are_quoted(void **state)
{
    (void)state;
    is_written("a,b", "\"a,b\"");
    is_written("a;b", "\"a;b\"");
    is_written("say \"hi\"", "\"say \"\"hi\"\"\"");
    is_written("\"", "\"\"\"\"");
    is_written("two\r\nlines", "\"two\r\nlines\"");
    is_written(" edge", "\" edge\"");
    is_written("edge ", "\"edge \"");
}

static void formulas_get_an_apostrophe(void **state)
{
    (void)state;
    is_written("=1+1", "'=1+1");
    is_written("+49 30", "'+49 30");
    is_written("-1", "'-1");
    is_written("@SUM(A1)", "'@SUM(A1)");
    is_written("=\"x\",1", "\"'=\"\"x\"\",1\"");
    is_written("\tx", "\"'\tx\"");
    is_written("\rx", "\"'\rx\"");
    is_written("\nx", "\"'\nx\"");
    is_written("\"\tx", "\"'\"\"\tx\"");
}

static void blanks_before_a_formula_do_not_hide_it(void **state)
{
    static const char *const blanks[] = {" ",
                                         "\"",
                                         "\"\" \"",
                                         "   ",
                                         "\x01",
                                         "\x7F",
                                         "\xC2\xA0",
                                         "\xC2\xAD",
                                         "\xE2\x80\x8B",
                                         "\xE2\x80\xAE",
                                         "\xE2\x81\xA0",
                                         "\xE3\x80\x80",
                                         "\xEF\xBB\xBF",
                                         "\xFF",
                                         " \xC2\xA0 "};

    (void)state;
    for (size_t i = 0; i < COUNT(blanks); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s=1", blanks[i]);
        clear(NULL);
        pxr_csv_cell(text, strlen(text), collect, NULL);
        CHECK(table[table[0] == '"'] == '\'', "'%s' became '%s'", text, table);
        snprintf(text, sizeof(text), "%sx=1", blanks[i]);
        clear(NULL);
        pxr_csv_cell(text, strlen(text), collect, NULL);
        CHECK(strchr(table, '\'') == NULL, "'%s' became '%s'", text, table);
    }
}

static void signs_of_full_width_count(void **state)
{
    (void)state;
    is_written("\xEF\xBC\x9D"
               "1",
               "'\xEF\xBC\x9D"
               "1");
    is_written("\xEF\xBC\x8B"
               "1",
               "'\xEF\xBC\x8B"
               "1");
    is_written("\xEF\xBC\x8D"
               "1",
               "'\xEF\xBC\x8D"
               "1");
    is_written("\xEF\xBC\xA0"
               "A1",
               "'\xEF\xBC\xA0"
               "A1");
    is_written("\xEF\xBC\xA1", "\xEF\xBC\xA1"); /* a letter */
}

static void what_other_separators_would_make_a_cell_is_defused_too(void **state)
{
    (void)state;
    is_written("x;=1", "\"x;'=1\"");
    is_written("x; =1", "\"x; '=1\"");
    is_written("\";=1", "\"\"\";'=1\"");
    is_written("x\n=1;@y", "\"x\n'=1;'@y\"");
    is_written("x;\"=1", "\"x;\"\"'=1\"");
    is_written("x;\" \"=1;", "\"x;\"\" \"\"'=1;\"");
    is_written("x;\"y=1", "\"x;\"\"y=1\"");
    is_written("x;y=1", "\"x;y=1\"");
    is_written("x,=1", "\"x,=1\""); /* our own separator is quoted */
}

static void long_texts_of_blanks_take_no_long_time(void **state)
{
    size_t len = 20000;
    char *text = malloc(len);
    clock_t began = clock();

    (void)state;
    assert_non_null(text);
    memset(text, '\t', len);
    text[len - 1] = '=';
    for (int i = 0; i < 20; i++) {
        clear(NULL);
        pxr_csv_cell(text, len, collect, NULL);
    }
    free(text);
    assert_true(clock() - began < CLOCKS_PER_SEC);
    assert_int_equal(table_len, len + 4);
}

static pxr_past_t meeting(void)
{
    pxr_past_t past = {.id = "Meeting0001",
                       .number = "771234",
                       .started_at = INT64_C(1795341600000000),
                       .ended_at = INT64_C(1795341661600000)};

    past.details.text[PXR_TITLE] = "Weekly, \"planning\"";
    past.details.text[PXR_ROOM_ID] = "R1";
    past.details.text[PXR_CREATOR_ID] = "U1";
    past.details.text[PXR_CREATOR_USERNAME] = "=nina";
    return past;
}

#define HEADER \
    "meeting_id,title,room_id,room_name,creator_id,creator_username,started_at,ended_at," \
    "meeting_duration_seconds,participant_name,role,protocol,connected_at,left_at," \
    "duration_seconds,worst_quality\r\n"
#define MEETING \
    "Meeting0001,\"Weekly, \"\"planning\"\"\",R1,,U1,'=nina,2026-11-22T10:00:00.000Z," \
    "2026-11-22T10:01:01.600Z,62,"

static void a_meeting_has_a_line_for_each_person(void **state)
{
    pxr_attendee_t people[] = {{.id = "u1",
                                .name = "Anna",
                                .protocol = "WebRTC",
                                .role = PXR_ROLE_HOST,
                                .quality = PXR_QUALITY_TERRIBLE,
                                .connected_at = INT64_C(1795341600000000),
                                .left_at = INT64_C(1795341601000000),
                                .present = PXR_SECOND},
                               {.id = "u2", .name = "", .protocol = ""}};
    pxr_past_t past = meeting();

    (void)state;
    past.people = people;
    past.people_count = 2;
    pxr_csv_header(collect, NULL);
    pxr_csv_meeting(&past, collect, NULL);
    assert_string_equal(table, HEADER MEETING
                        "Anna,host,WebRTC,2026-11-22T10:00:00.000Z,2026-11-22T10:00:01.000Z,1,"
                        "terrible\r\n" MEETING ",unknown,,,,0,unknown\r\n");
}

static void a_meeting_without_anybody_has_one_line(void **state)
{
    pxr_past_t past = meeting();

    (void)state;
    past.started_at = 0;
    pxr_csv_meeting(&past, collect, NULL);
    assert_string_equal(table, "Meeting0001,\"Weekly, \"\"planning\"\"\",R1,,U1,'=nina,,"
                               "2026-11-22T10:01:01.600Z,0,,,,,,,\r\n");
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(harmless_texts_stay_what_they_are),
        TEST(separators_and_quotation_marks_are_quoted),
        TEST(formulas_get_an_apostrophe),
        TEST(blanks_before_a_formula_do_not_hide_it),
        TEST(signs_of_full_width_count),
        TEST(what_other_separators_would_make_a_cell_is_defused_too),
        TEST(long_texts_of_blanks_take_no_long_time),
        TEST(a_meeting_has_a_line_for_each_person),
        TEST(a_meeting_without_anybody_has_one_line),
    };

    return RUN(tests);
}
