#include "helpers.h"

#include "pxr_chat.h"

#define Z u8"\u200B"
#define ELLIPSIS u8"\u2026"
#define ENOUGH 1000

static const char *plain(const char *text, size_t len, size_t units)
{
    static char out[PXR_CHAT_TEXT_SIZE];
    char *exact = exact_copy(text, len);
    pxr_buf_t buf;

    pxr_buf_init(&buf, out, sizeof(out));
    pxr_chat_put_plain(&buf, exact, len, units);
    assert_false(buf.overflow);
    free(exact);
    return out;
}

static void what_would_format_mention_or_link_is_disarmed(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"Weekly", Z "Weekly"},
        {"@all", Z "@" Z "all"},
        {"hi @here", Z "hi @" Z "here"},
        {"#general", Z "#" Z "general"},
        {"*b* _i_ ~s~", Z u8"\u2217b\u2217 \u02CDi\u02CD \u223Cs\u223C"},
        {"`c` $k$", Z u8"\u02CBc\u02CB \uFF04k\uFF04"},
        {"\\*", Z u8"\u2216\u2217"},
        {"||s||", Z u8"\u2223\u2223s\u2223\u2223"},
        {"<b>", Z u8"\u2039b\u203A"},
        {":smile:", Z u8"\u2236smile\u2236"},
        {"8)", Z "8" Z ")" Z},
        {"[a](b)", Z u8"\uFF3Ba\uFF3D(b" Z ")" Z},
        {"https://a.example/x", Z u8"https\u2236//a\u2024example/x"},
        {"a.b. c.", Z u8"a\u2024b. c."},
        {u8"a\u3002b", Z u8"a\u3002" Z "b"},
        {"+4912345", Z "+" Z "4912345"},
        {"a=D;P", Z "a=" Z "D;" Z "P"},
        {"> q", Z u8"\u203A q"},
        {"- i", Z "-" Z " i"},
        {"1. i", Z "1. i"},
        {"10:30 (Room 5), 50% & \"more\"!?", Z u8"10\u223630 (Room 5" Z ")" Z ", 50% & \"more\"!?"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *out = plain(cases[i].in, strlen(cases[i].in), ENOUGH);
        CHECK(strcmp(out, cases[i].out) == 0, "%s became %s", cases[i].in, out);
    }
}

static void lines_controls_bad_bytes_and_turned_directions_go(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {" \t\r\n", ""},
        {" a \n\n b ", Z "a b"},
        {u8"a\u2028b\u2029c", Z "a b c"},
        {"a\xC2\x85"
         "b\x7F"
         "c",
         Z "a b c"},
        {u8"\u202Ea\u202Cb\u2066c\u2069d\u200Fe\u061Cf\uFEFFg\u200Bh", Z "abcdefgh"},
        {u8"\u202E\u2066", ""},
        {"a\xFF"
         "b\xC3",
         Z "ab"},
        {"\xED\xA0\x80"
         "a",
         Z "a"},
        {u8"\u202E- a", Z "-" Z " a"},
        {u8"na\u00EFve \U0001F600", Z u8"na\u00EFve \U0001F600"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *out = plain(cases[i].in, strlen(cases[i].in), ENOUGH);
        CHECK(strcmp(out, cases[i].out) == 0, "case %zu became %s", i, out);
    }
    assert_string_equal(plain("a\0b", 3, ENOUGH), Z "a b");
}

static void cut_texts_end_with_an_ellipsis(void **state)
{
    static const struct {
        const char *in, *out;
        size_t units;
    } cases[] = {
        {"abc", Z "abc", 4},
        {"abc", Z "a" ELLIPSIS, 3},
        {"abc", ELLIPSIS, 2},
        {"abc", ELLIPSIS, 1},
        {"abc", "", 0},
        {"ab  c", Z "ab c", 5},
        {"ab  c", Z "ab" ELLIPSIS, 4},
        {"a@b", Z "a" ELLIPSIS, 4},
        {"a@b", Z "a@" Z "b", 5},
        {u8"a\U0001F600", Z u8"a\U0001F600", 4},
        {u8"a\U0001F600", Z "a" ELLIPSIS, 3},
        {"abc \n", Z "abc", 4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *out = plain(cases[i].in, strlen(cases[i].in), cases[i].units);
        CHECK(strcmp(out, cases[i].out) == 0, "%s in %zu became %s", cases[i].in, cases[i].units,
              out);
    }
}

static void units_are_counted_as_javascript_does(void **state)
{
    static const char text[] = u8"a\u00E9\u20AC\U0001F600";

    (void)state;
    assert_int_equal(pxr_chat_units("", 0), 0);
    assert_int_equal(pxr_chat_units(text, sizeof(text) - 1), 5);
}

/* Pieces that come together in hostile titles. */
static const char *const pieces[] = {
    "*",        "_",    "~",        "`",        "$",        "\\",       "<",        ">",
    ":",        "|",    "#",        "+",        "-",        ";",        "=",        "@",
    "[",        "]",    "(",        ")",        "!",        ".",        " ",        "\n",
    "\t",       "\r",   "all",      "x",        "8",        "http://",  "com",      u8"\u00E9",
    u8"\u65E5", "\xFF", "\xC3",     "\xE2\x80", u8"\u202E", u8"\u200B", u8"\uFEFF", u8"\U0001F600",
    "",         "\x7F", u8"\u3002", u8"\u2028"};

static size_t hostile(uint64_t *seed, char *out, size_t most)
{
    size_t used = 0;

    for (uint32_t count = dice(seed, 40); count > 0; count--) {
        const char *piece = pieces[dice(seed, COUNT(pieces))];
        size_t len = strlen(piece);
        if (used + len + 1 >= most) {
            break;
        }
        memcpy(out + used, piece, len);
        used += len;
        if (dice(seed, 50) == 0) {
            out[used++] = (char)dice(seed, 256);
        }
    }
    return used;
}

/* None of these ever stands in a disarmed text, whatever is around. */
static const char *forbidden(const char *text)
{
    static const char *const never[] = {u8"\u202E", u8"\uFEFF", u8"\u2028", "  ", Z Z Z};
    static const char apart[] = "#+-;=@)";

    if (text[strcspn(text, "*_~`$\\<>[]:|\r\n\t\x7F")] != '\0') {
        return "a character that formats";
    }
    for (size_t i = 0; i < COUNT(never); i++) {
        if (strstr(text, never[i]) != NULL) {
            return never[i];
        }
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(apart, *c) != NULL && strncmp(c + 1, Z, 3) != 0) {
            return "a sign that touches its neighbour";
        }
        if (*c == '.' && c[1] != '\0' && c[1] != ' ') {
            return "a full stop in a word";
        }
    }
    return NULL;
}

static void no_text_whatsoever_keeps_what_is_dangerous(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        char in[400];
        size_t len = hostile(&seed, in, sizeof(in));
        size_t units = dice(&seed, 4) == 0 ? dice(&seed, 40) : ENOUGH;
        const char *out = plain(in, len, units);
        size_t used = strlen(out);
        CHECK(pxr_utf8_valid(out, used), "round %d: bad UTF-8", round);
        CHECK(pxr_chat_units(out, used) <= units, "round %d: too long", round);
        CHECK(used == 0 || strncmp(out, Z, 3) == 0 || strcmp(out, ELLIPSIS) == 0,
              "round %d: begins with what may begin a list", round);
        CHECK(used == 0 || out[used - 1] != ' ', "round %d: ends in a blank", round);
        if (units == ENOUGH) {
            CHECK(forbidden(out) == NULL, "round %d: %s in %s", round, forbidden(out), out);
        }
    }
}

static void a_cut_never_divides_a_sign_from_what_keeps_it_apart(void **state)
{
    static const char text[] = "@all *b* [x](y) 8) a.b";

    (void)state;
    for (size_t units = 0; units < 60; units++) {
        char out[512];
        size_t len;
        strcpy(out, plain(text, sizeof(text) - 1, units));
        len = strlen(out);
        if (len >= 3 && strcmp(out + len - 3, ELLIPSIS) == 0) {
            out[len - 3] = '\0';
        }
        CHECK(forbidden(out) == NULL, "%zu units: %s", units, out);
    }
}

static void enormous_texts_are_cut_as_well(void **state)
{
    size_t len = 3000000;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, '@', len);
    assert_true(pxr_chat_units(plain(text, len, 80), strlen(plain(text, len, 80))) >= 78);
    memset(text, 0xFF, len);
    assert_string_equal(plain(text, len, 80), "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_would_format_mention_or_link_is_disarmed),
        cmocka_unit_test(lines_controls_bad_bytes_and_turned_directions_go),
        cmocka_unit_test(cut_texts_end_with_an_ellipsis),
        cmocka_unit_test(units_are_counted_as_javascript_does),
        cmocka_unit_test(no_text_whatsoever_keeps_what_is_dangerous),
        cmocka_unit_test(a_cut_never_divides_a_sign_from_what_keeps_it_apart),
        cmocka_unit_test(enormous_texts_are_cut_as_well),
    };

    return RUN(tests);
}
