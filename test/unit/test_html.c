#include "helpers.h"

#include "pxr_html.h"
#include "pxr_text.h"

/* What a page was told to say, in memory that ends where the text does. */
typedef struct {
    char *text;
    size_t len;
    size_t pieces;
} page_t;

static void take(void *context, const char *text, size_t len)
{
    page_t *page = context;

    assert_true(len > 0);
    page->text = realloc(page->text, page->len + len + 1);
    assert_non_null(page->text);
    memcpy(page->text + page->len, text, len);
    page->len += len;
    page->text[page->len] = '\0';
    page->pieces++;
}

static page_t page;
static const pxr_html_t html = {.put = take, .context = &page};

static const char *written(void)
{
    return page.text != NULL ? page.text : "";
}

static int begin(void **state)
{
    (void)state;
    memset(&page, 0, sizeof(page));
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(page.text);
    return 0;
}

static void shows(const char *text, const char *expected)
{
    char *copy = exact_copy(text, strlen(text) + 1);

    free(page.text);
    memset(&page, 0, sizeof(page));
    pxr_html_put(&html, "%s", copy);
    free(copy);
    CHECK(strcmp(written(), expected) == 0, "%s: %s", text, written());
}

static void markup_stands_as_it_is(void **state)
{
    (void)state;
    pxr_html_put(&html, "<p class=\"a\">100%% &amp; %s</p>", "<b>");
    assert_string_equal(written(), "<p class=\"a\">100% &amp; &lt;b&gt;</p>");
}

static void numbers_and_texts_take_their_places(void **state)
{
    const char *volatile nothing = NULL;

    (void)state;
    pxr_html_put(&html, "%u/%ju/%s/%s|", 0u, UINTMAX_MAX, "", nothing);
    pxr_html_put(&html, "%s%u%s", "a", UINT32_MAX, "b");
    assert_string_equal(written(), "0/18446744073709551615//|a4294967295b");
}

static void what_means_something_is_escaped(void **state)
{
    (void)state;
    shows("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
    shows("\" onclick='x' &amp;", "&quot; onclick=&#39;x&#39; &amp;amp;");
    shows("%s %n %", "%s %n %");
    shows("Zo\xC3\xAB \xE2\x82\xAC \xF0\x9F\x98\x80", "Zo\xC3\xAB \xE2\x82\xAC \xF0\x9F\x98\x80");
    shows("a\tb\nc\r\nd", "a b c  d");
}

static void what_deceives_or_cannot_be_seen_is_replaced(void **state)
{
    static const char *const texts[] = {
        "\x01",
        "\x1B",
        "\x7F",
        "\xC2\x80",
        "\xC2\x9F",
        "\xC2\xAD", /* controls */
        "\xD8\x9C",
        "\xE2\x80\x8E",
        "\xE2\x80\xAE",
        "\xE2\x81\xA6",
        "\xE2\x81\xA9", /* direction */
        "\xE2\x80\x8B",
        "\xE2\x80\xA8",
        "\xE2\x80\xA9",
        "\xEF\xBB\xBF", /* unseen */
        "\xEF\xBF\xBE",
        "\xEF\xBF\xBF",
        "\xEF\xB7\x90",
        "\xF0\x9F\xBF\xBF",
        "\xF4\x8F\xBF\xBE",
        "\xF3\xA0\x80\x81", /* a tag */
        "\xFF",
        "\x80", /* bytes that are no text */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        shows(texts[i], "\xEF\xBF\xBD");
    }
    shows("a\xC3(b", "a\xEF\xBF\xBD(b");
    shows("a\xE2\x80", "a\xEF\xBF\xBD\xEF\xBF\xBD");
    shows("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    shows("\xEF\xBF\xBD", "\xEF\xBF\xBD");
    shows("\xE2\x80\x8D", "\xE2\x80\x8D"); /* joins emoji */
}

static void every_text_comes_out_as_harmless_utf8(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[24];
        size_t len = dice(&random, sizeof(text));
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(1 + dice(&random, 255));
        }
        text[len] = '\0';
        free(page.text);
        memset(&page, 0, sizeof(page));
        pxr_html_put(&html, "%s", text);
        CHECK(pxr_utf8_valid(written(), page.len), "round %u", round);
        CHECK(strpbrk(written(), "<>\"'") == NULL, "round %u: %s", round, written());
    }
}

static void cut(const char *text, size_t most, const char *expected)
{
    free(page.text);
    memset(&page, 0, sizeof(page));
    pxr_html_put_cut(&html, text, most);
    CHECK(strcmp(written(), expected) == 0, "%s, %zu: %s", text, most, written());
}

static void long_texts_are_cut_between_code_points(void **state)
{
    (void)state;
    cut("abc", 3, "abc");
    cut("abcd", 3, "ab\xE2\x80\xA6");
    cut("\xC3\xA4\xC3\xB6\xC3\xBC!", 3, "\xC3\xA4\xC3\xB6\xE2\x80\xA6");
    cut("<<<<", 3, "&lt;&lt;\xE2\x80\xA6");
    cut("\xFF\xFF\xFF\xFF", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xE2\x80\xA6");
    cut("abc", 1, "\xE2\x80\xA6");
    cut("abc", 0, "");
    cut("", 3, "");
    cut(NULL, 3, "");
}

static void an_enormous_text_is_written_piece_by_piece(void **state)
{
    size_t len = 1024 * 1024;
    char *text = malloc(len + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    text[len / 2] = '<';
    pxr_html_put(&html, "%s", text);
    free(text);
    assert_int_equal(page.len, len + 3);
    assert_int_equal(page.pieces, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(markup_stands_as_it_is, begin, end),
        cmocka_unit_test_setup_teardown(numbers_and_texts_take_their_places, begin, end),
        cmocka_unit_test_setup_teardown(what_means_something_is_escaped, begin, end),
        cmocka_unit_test_setup_teardown(what_deceives_or_cannot_be_seen_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(every_text_comes_out_as_harmless_utf8, begin, end),
        cmocka_unit_test_setup_teardown(long_texts_are_cut_between_code_points, begin, end),
        cmocka_unit_test_setup_teardown(an_enormous_text_is_written_piece_by_piece, begin, end),
    };

    return RUN(tests);
}
