#include "helpers.h"

#include "pxr_schedule.h"

#define SITE "https://rc.pexample.com"
#define BASE "https://px.pexample.com"
#define JOIN SITE "/pexip"
#define GO "https://go.rocket.chat/conference?"
#define LONGEST (PXR_ORIGIN_MAX - 1)

/* The vectors of the web app reference 1.5. */
static const struct {
    pxr_schedule_t where;
    const char *alias, *go, *path, *call_url;
} vectors[] = {
    {{SITE, BASE, "mybrandingpath", JOIN},
     "7071234567",
     GO "host=rc.pexample.com&path=conference%2F7071234567%3FcallUrl%3Dhttps%253A%252F%252F"
        "px.pexample.com%252Fmybrandingpath%252Fconference%253Fconference%253D7071234567"
        "%26callProvider%3DPexip",
     "conference/7071234567?callUrl=https%3A%2F%2Fpx.pexample.com%2Fmybrandingpath%2Fconference"
     "%3Fconference%3D7071234567&callProvider=Pexip",
     BASE "/mybrandingpath/conference?conference=7071234567"},
    {{SITE, BASE, NULL, JOIN},
     "7071234567",
     GO "host=rc.pexample.com&path=conference%2F7071234567%3FcallUrl%3Dhttps%253A%252F%252F"
        "px.pexample.com%252Fconference%253Fconference%253D7071234567%26callProvider%3DPexip",
     "conference/7071234567?callUrl=https%3A%2F%2Fpx.pexample.com%2Fconference"
     "%3Fconference%3D7071234567&callProvider=Pexip",
     BASE "/conference?conference=7071234567"},
    {{"https://chat.example.org", "https://meet.example.net", "rocket-chat_1", JOIN},
     "555001",
     GO "host=chat.example.org&path=conference%2F555001%3FcallUrl%3Dhttps%253A%252F%252F"
        "meet.example.net%252Frocket-chat_1%252Fconference%253Fconference%253D555001"
        "%26callProvider%3DPexip",
     "conference/555001?callUrl=https%3A%2F%2Fmeet.example.net%2Frocket-chat_1%2Fconference"
     "%3Fconference%3D555001&callProvider=Pexip",
     "https://meet.example.net/rocket-chat_1/conference?conference=555001"},
    {{SITE, BASE, "rc", JOIN},
     "meet.alice@pexample.com",
     GO "host=rc.pexample.com&path=conference%2Fmeet.alice%2540pexample.com%3FcallUrl%3Dhttps"
        "%253A%252F%252Fpx.pexample.com%252Frc%252Fconference%253Fconference%253Dmeet.alice%252540"
        "pexample.com%26callProvider%3DPexip",
     "conference/meet.alice%40pexample.com?callUrl=https%3A%2F%2Fpx.pexample.com%2Frc%2Fconference"
     "%3Fconference%3Dmeet.alice%2540pexample.com&callProvider=Pexip",
     BASE "/rc/conference?conference=meet.alice%40pexample.com"},
    {{SITE, BASE, "rc", JOIN},
     "Sales Team+1",
     GO "host=rc.pexample.com&path=conference%2FSales%2520Team%252B1%3FcallUrl%3Dhttps%253A%252F"
        "%252Fpx.pexample.com%252Frc%252Fconference%253Fconference%253DSales%252520Team%25252B1"
        "%26callProvider%3DPexip",
     "conference/Sales%20Team%2B1?callUrl=https%3A%2F%2Fpx.pexample.com%2Frc%2Fconference"
     "%3Fconference%3DSales%2520Team%252B1&callProvider=Pexip",
     BASE "/rc/conference?conference=Sales%20Team%2B1"},
    {{SITE, BASE, "rc", JOIN},
     "a/b?c=d&e#f%20g",
     GO "host=rc.pexample.com&path=conference%2Fa%252Fb%253Fc%253Dd%2526e%2523f%252520g%3FcallUrl"
        "%3Dhttps%253A%252F%252Fpx.pexample.com%252Frc%252Fconference%253Fconference%253Da%25252F"
        "b%25253Fc%25253Dd%252526e%252523f%25252520g%26callProvider%3DPexip",
     "conference/a%2Fb%3Fc%3Dd%26e%23f%2520g?callUrl=https%3A%2F%2Fpx.pexample.com%2Frc"
     "%2Fconference%3Fconference%3Da%252Fb%253Fc%253Dd%2526e%2523f%252520g&callProvider=Pexip",
     BASE "/rc/conference?conference=a%2Fb%3Fc%3Dd%26e%23f%2520g"},
    {{SITE ":8443", BASE ":8443", NULL, JOIN},
     "m\xc3\xb6te.\xc3\xa5sa",
     GO "host=rc.pexample.com%3A8443&path=conference%2Fm%25C3%25B6te.%25C3%25A5sa%3FcallUrl%3D"
        "https%253A%252F%252Fpx.pexample.com%253A8443%252Fconference%253Fconference%253Dm%2525C3"
        "%2525B6te.%2525C3%2525A5sa%26callProvider%3DPexip",
     "conference/m%C3%B6te.%C3%A5sa?callUrl=https%3A%2F%2Fpx.pexample.com%3A8443%2Fconference"
     "%3Fconference%3Dm%25C3%25B6te.%25C3%25A5sa&callProvider=Pexip",
     BASE ":8443/conference?conference=m%C3%B6te.%C3%A5sa"},
    {{SITE, BASE, "rc", JOIN},
     "~keep-_.",
     GO "host=rc.pexample.com&path=conference%2F~keep-_.%3FcallUrl%3Dhttps%253A%252F%252F"
        "px.pexample.com%252Frc%252Fconference%253Fconference%253D~keep-_.%26callProvider%3DPexip",
     "conference/~keep-_.?callUrl=https%3A%2F%2Fpx.pexample.com%2Frc%2Fconference"
     "%3Fconference%3D~keep-_.&callProvider=Pexip",
     BASE "/rc/conference?conference=~keep-_."},
    {{"https://[2001:db8::1]:8443", "https://[2001:db8::2]", NULL, JOIN},
     "1",
     GO "host=%5B2001%3Adb8%3A%3A1%5D%3A8443&path=conference%2F1%3FcallUrl%3Dhttps%253A%252F%252F"
        "%255B2001%253Adb8%253A%253A2%255D%252Fconference%253Fconference%253D1"
        "%26callProvider%3DPexip",
     "conference/1?callUrl=https%3A%2F%2F%5B2001%3Adb8%3A%3A2%5D%2Fconference"
     "%3Fconference%3D1&callProvider=Pexip",
     "https://[2001:db8::2]/conference?conference=1"},
};

static char *link_of(const pxr_schedule_t *where, pxr_schedule_link_t link, const char *alias,
                     char *text)
{
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, PXR_SCHEDULED_LINK_SIZE);
    pxr_schedule_put_link(&buf, where, link, alias);
    assert_false(buf.overflow);
    return text;
}

/* Takes the value of a parameter out of a URL and decodes it once, like a client. */
static void take(const char *url, const char *name, char *out)
{
    const char *at = strstr(url, name);

    assert_non_null(at);
    for (at += strlen(name); *at != '\0' && *at != '&'; at++) {
        char hex[3] = {at[0] == '%' ? at[1] : '0', at[0] == '%' ? at[2] : '0', '\0'};
        *out++ = at[0] == '%' ? (char)strtoul(hex, NULL, 16) : *at;
        at += at[0] == '%' ? 2 : 0;
    }
    *out = '\0';
}

static void vectors_are_met_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char url[PXR_SCHEDULED_LINK_SIZE];
        char wanted[PXR_SCHEDULED_LINK_SIZE];
        const pxr_schedule_t *where = &vectors[i].where;
        assert_string_equal(link_of(where, PXR_SCHEDULE_GO, vectors[i].alias, url), vectors[i].go);
        snprintf(wanted, sizeof(wanted), "%s/%s", where->site_url, vectors[i].path);
        assert_string_equal(link_of(where, PXR_SCHEDULE_WEB, vectors[i].alias, url), wanted);
        snprintf(wanted, sizeof(wanted), "rocketchat://%s", vectors[i].go + strlen(GO) - 11);
        assert_string_equal(link_of(where, PXR_SCHEDULE_DESKTOP, vectors[i].alias, url), wanted);
    }
}

static void what_clients_decode_is_what_was_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char url[PXR_SCHEDULED_LINK_SIZE];
        char path[PXR_SCHEDULED_LINK_SIZE];
        char call_url[PXR_SCHEDULED_LINK_SIZE];
        char alias[PXR_SCHEDULED_LINK_SIZE];
        link_of(&vectors[i].where, PXR_SCHEDULE_GO, vectors[i].alias, url);
        take(url, "&path=", path);
        assert_string_equal(path, vectors[i].path);
        take(path, "?callUrl=", call_url);
        assert_string_equal(call_url, vectors[i].call_url);
        take(call_url, "?conference=", alias);
        assert_string_equal(alias, vectors[i].alias);
    }
}

static void the_other_links_are_encoded_once(void **state)
{
    const pxr_schedule_t branded = {SITE, BASE, "rc", "https://calls.example.com/~a&b"};
    const pxr_schedule_t plain = {SITE, BASE, NULL, JOIN};
    char url[PXR_SCHEDULED_LINK_SIZE];

    (void)state;
    assert_string_equal(link_of(&branded, PXR_SCHEDULE_WEBAPP, "a/b c", url),
                        BASE "/rc/m/a%2Fb%20c");
    assert_string_equal(link_of(&plain, PXR_SCHEDULE_WEBAPP, "7071", url), BASE "/webapp/m/7071");
    assert_string_equal(link_of(&branded, PXR_SCHEDULE_SHORT, "a/b c", url),
                        "https://calls.example.com/~a&b/go/a%2Fb%20c");
    assert_string_equal(link_of(&plain, PXR_SCHEDULE_SHORT, "7071", url), JOIN "/go/7071");
}

static void put_random_host(pxr_buf_t *out, uint64_t *seed)
{
    uint32_t kind = dice(seed, 3);

    pxr_buf_puts(out, kind == 0 ? "https://[2001:db8::" : "https://h_-");
    pxr_buf_put_int(out, dice(seed, 10000));
    pxr_buf_puts(out, kind == 0 ? "]" : kind == 1 ? ".example" : "");
    if (dice(seed, 2) == 0) {
        pxr_buf_puts(out, ":");
        pxr_buf_put_int(out, 1 + dice(seed, 65535));
    }
}

static void put_random_alias(pxr_buf_t *out, uint64_t *seed)
{
    static const char *const pieces[] = {"%",  "%25", "&",        "=",    "?",
                                         "#",  "/",   "+",        " ",    "\"",
                                         "<",  "'",   ";",        "@",    ":",
                                         "\\", "~",   "\xc3\xa5", "%%41", "{{",
                                         ".",  "x",   "7%",       ",",    "\xf0\x9f\x98\x80"};

    pxr_buf_puts(out, "7");
    for (uint32_t n = dice(seed, 50); n > 0; n--) {
        pxr_buf_puts(out, pieces[dice(seed, COUNT(pieces))]);
    }
}

static void whatever_is_put_in_is_decoded_again(void **state)
{
    static const char *const slugs[] = {NULL, "A", "-", "_9z"};
    uint64_t seed = 4711;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        BUFFER(site, PXR_ORIGIN_MAX);
        BUFFER(base, PXR_ORIGIN_MAX);
        BUFFER(alias, PXR_SCHEDULED_ALIAS_MAX + 1);
        BUFFER(call_url, PXR_SCHEDULED_LINK_SIZE);
        pxr_schedule_t where = {site.data, base.data, slugs[dice(&seed, COUNT(slugs))], JOIN};
        char url[PXR_SCHEDULED_LINK_SIZE];
        char path[PXR_SCHEDULED_LINK_SIZE];
        char again[PXR_SCHEDULED_LINK_SIZE];
        put_random_host(&site, &seed);
        put_random_host(&base, &seed);
        put_random_alias(&alias, &seed);
        assert_true(pxr_schedule_alias_valid(alias.data, alias.len));
        link_of(&where, PXR_SCHEDULE_GO, alias.data, url);
        assert_int_equal(strspn(url, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~%:/?=&"),
                         strlen(url));
        take(url, "?host=", again);
        assert_string_equal(again, site.data + strlen("https://"));
        take(url, "&path=", path);
        assert_memory_equal(path, "conference/", 11);
        take(path, "&callProvider=", again);
        assert_string_equal(again, "Pexip");
        take(path, "?callUrl=", again);
        pxr_buf_puts(&call_url, base.data);
        pxr_buf_puts(&call_url, where.branding != NULL ? "/" : "");
        pxr_buf_puts(&call_url, where.branding != NULL ? where.branding : "");
        pxr_buf_puts(&call_url, "/conference?conference=");
        assert_memory_equal(again, call_url.data, call_url.len);
        take(again, "?conference=", again);
        assert_string_equal(again, alias.data);
    }
}

static void an_alias_that_no_link_can_carry_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {{"", 0},
               {".", 1},
               {"..", 2},
               {"a\0b", 3},
               {"\0", 1},
               {"a\r\n", 3},
               {"\x1f", 1},
               {"\x7f", 1},
               {"\xff", 1},
               {"\xc3", 1},
               {"\xc0\xaf", 2},
               {"\xed\xa0\x80", 3},
               {"\xe2\x82", 2},
               {"a\xfe"
                "b",
                3}};
    static const char *const good[] = {"...", ".a", "a.", "..a", "~", " ", "/", "%00", "\xc3\xa5"};
    char text[PXR_SCHEDULED_ALIAS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *copy = exact_copy(bad[i].text, bad[i].len);
        CHECK(!pxr_schedule_alias_valid(copy, bad[i].len), "case %zu", i);
        free(copy);
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        CHECK(pxr_schedule_alias_valid(good[i], strlen(good[i])), "%s", good[i]);
    }
    memset(text, 'x', sizeof(text));
    assert_true(pxr_schedule_alias_valid(text, PXR_SCHEDULED_ALIAS_MAX));
    assert_false(pxr_schedule_alias_valid(text, PXR_SCHEDULED_ALIAS_MAX + 1));
}

/* Origins and a join URL as long as a configuration may have them. */
static pxr_schedule_t longest(char *origin, char *branding, char *join)
{
    memset(origin, 'o', LONGEST);
    memcpy(origin, "https://", 8);
    memcpy(origin + LONGEST - 6, ":65535", 7);
    memset(branding, 'b', 100);
    branding[100] = '\0';
    memset(join, '&', LONGEST + 512);
    memcpy(join, origin, LONGEST);
    join[LONGEST] = '/';
    join[LONGEST + 512] = '\0';
    return (pxr_schedule_t){origin, origin, branding, join};
}

static void the_longest_of_everything_fits(void **state)
{
    char origin[LONGEST + 1];
    char branding[101];
    char join[LONGEST + 513];
    const pxr_schedule_t where = longest(origin, branding, join);
    char alias[PXR_SCHEDULED_ALIAS_MAX + 1];
    char url[PXR_SCHEDULED_LINK_SIZE];

    (void)state;
    memset(alias, '%', sizeof(alias) - 1);
    alias[sizeof(alias) - 1] = '\0';
    for (int link = 0; link < PXR_SCHEDULE_LINKS; link++) {
        link_of(&where, (pxr_schedule_link_t)link, alias, url);
    }
    for (int i = 0; i < 6; i++) {
        static const pxr_schedule_link_t links[] = {PXR_SCHEDULE_GO, PXR_SCHEDULE_WEB,
                                                    PXR_SCHEDULE_SHORT};
        BUFFER(html, PXR_TEMPLATE_MAX + 1);
        pxr_schedule_put_template(&html, &where, i < 3, links[i % 3]);
        assert_false(html.overflow);
    }
}

static void a_template_is_pure_ascii_and_has_its_variables_in_place(void **state)
{
    const pxr_schedule_t where = {SITE, BASE, "mybrandingpath", "https://x.example/~a&b"};
    BUFFER(html, PXR_TEMPLATE_MAX + 1);

    (void)state;
    pxr_schedule_put_template(&html, &where, false, PXR_SCHEDULE_GO);
    assert_non_null(strstr(
        html.data,
        "href=\"" GO "host=rc.pexample.com&amp;path=conference%2F{{numeric_alias}}%3FcallUrl%3D"
        "https%253A%252F%252Fpx.pexample.com%252Fmybrandingpath%252Fconference%253Fconference"
        "%253D{{numeric_alias}}%26callProvider%3DPexip\""));
    assert_non_null(strstr(html.data, "href=\"" BASE "/mybrandingpath/m/{{numeric_alias}}\""));
    assert_non_null(strstr(html.data, "\n<p>{{alias_uuid}}</p>\n"));
    pxr_buf_init(&html, html.data, html.size);
    pxr_schedule_put_template(&html, &where, true, PXR_SCHEDULE_SHORT);
    assert_non_null(strstr(html.data, "href=\"https://x.example/~a&amp;b/go/{{numeric_alias}}\""));
    assert_null(strstr(html.data, "alias_uuid"));
    assert_null(strstr(html.data, "go.rocket.chat"));
    for (const char *c = html.data; *c != '\0'; c++) {
        assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_met_byte_by_byte),
        cmocka_unit_test(what_clients_decode_is_what_was_meant),
        cmocka_unit_test(the_other_links_are_encoded_once),
        cmocka_unit_test(whatever_is_put_in_is_decoded_again),
        cmocka_unit_test(an_alias_that_no_link_can_carry_is_refused),
        cmocka_unit_test(the_longest_of_everything_fits),
        cmocka_unit_test(a_template_is_pure_ascii_and_has_its_variables_in_place),
    };
    return RUN(tests);
}
