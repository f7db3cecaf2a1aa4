#include "fuzz.h"

#include "pxr_discussion.h"
#include "pxr_json.h"
#include "pxr_link.h"
#include "pxr_policy.h"
#include "pxr_text.h"

/*
 * Values of directives: a name, a value and another value, each ended by a NUL. What is accepted
 * must do what it is for; what is refused has its reason.
 */

static char sentence[2048];

static void check_why(const char *why)
{
    REQUIRE(why != NULL && why[0] != '\0' && why[strlen(why) - 1] != '.');
}

static void check_url(const char *text, bool allow_http, bool allow_path)
{
    char first_text[1024], second_text[1024];
    pxr_buf_t first, second;
    const char *why = NULL;

    pxr_buf_init(&first, first_text, sizeof(first_text));
    pxr_buf_init(&second, second_text, sizeof(second_text));
    if (pxr_link_check_url(text, allow_http, allow_path, &first, &why) != PXR_OK) {
        check_why(why);
        return;
    }
    REQUIRE(!first.overflow && first.len > 0 && first_text[first.len - 1] != '/');
    REQUIRE(strncmp(first_text, "https://", 8) == 0 || strncmp(first_text, "http://", 7) == 0);
    REQUIRE(strpbrk(first_text, "?# \"<>\r\n\t") == NULL);
    REQUIRE(strcspn(strstr(first_text, "//") + 2, "/@") ==
            strcspn(strstr(first_text, "//") + 2, "/"));
    /* Its normal form is one. */
    REQUIRE(pxr_link_check_url(first_text, allow_http, allow_path, &second, &why) == PXR_OK);
    REQUIRE(strcmp(first_text, second_text) == 0);
}

static void check_meeting_path(const char *path)
{
    static char url[8192];
    const pxr_visitor_t visitor = {.pin = "123456", .name = "\xc3\x85sa & Bo?#"};
    const char *why = NULL;
    pxr_buf_t out;

    if (pxr_link_check_meeting_path(path, &why) != PXR_OK) {
        check_why(why);
        return;
    }
    REQUIRE(path[0] == '/' && strstr(path, "{alias}") != NULL);
    if (strlen(path) > 1024) {
        return;
    }
    pxr_buf_init(&out, url, sizeof(url));
    pxr_link_personal(&out, "https://px.example.com", path, "Meeting1", &visitor);
    REQUIRE(!out.overflow);
    REQUIRE(strstr(url, "Meeting1") != NULL);
    REQUIRE(strpbrk(url, " \"\r\n\t#") == NULL);
    REQUIRE(strstr(url, "pin=123456") != NULL);
}

static void check_discussion(const char *format, const char *title)
{
    char name[PXR_DISCUSSION_NAME_SIZE];
    const char *why = NULL;
    pxr_buf_t out;

    if (pxr_discussion_check_name(format, &why) != PXR_OK) {
        check_why(why);
        return;
    }
    pxr_buf_init(&out, name, sizeof(name));
    pxr_discussion_put_name(&out, format, title, INT64_C(1795341600) * PXR_SECOND);
    REQUIRE(!out.overflow && out.len > 0);
    REQUIRE(pxr_utf8_valid(name, out.len));
}

/* An answer with this option must be one that a node takes: a JSON object of bounded size. */
static void check_option(const char *name, const char *value, const char *title)
{
    static char answer[PXR_ANSWER_MAX];
    const pxr_option_t option = {name, value};
    const pxr_answer_settings_t settings = {.view = "one_main_seven_pips",
                                            .service_tag = "rocket.chat",
                                            .options = &option,
                                            .option_count = 1};
    const pxr_answer_meeting_t meeting = {.name = "Meeting1",
                                          .title = title,
                                          .title_len = strlen(title),
                                          .host_pin = "111111",
                                          .guest_pin = "222222"};
    pxr_buf_t why, out;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (pxr_option_check(name, value, &why) != PXR_OK) {
        REQUIRE(why.len > 0 && !why.overflow);
        return;
    }
    if (pxr_answer_check(&settings, &why) != PXR_OK || !pxr_utf8_valid(title, strlen(title))) {
        return;
    }
    pxr_buf_init(&out, answer, sizeof(answer));
    REQUIRE(pxr_answer_render(&settings, &meeting, &out) == PXR_OK);
    REQUIRE(!out.overflow && pxr_json_is_object(out.data, out.len));
}

static void check_pins(const char *host, const char *guest)
{
    pxr_buf_t why;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (pxr_pins_check(host, guest, &why) == PXR_OK) {
        REQUIRE(strcmp(host, guest) != 0 && strlen(host) == strlen(guest));
        REQUIRE(pxr_pin_check(host, &why) == PXR_OK && pxr_pin_check(guest, &why) == PXR_OK);
    } else {
        REQUIRE(why.len > 0);
        REQUIRE(strlen(host) < PXR_PIN_MIN || strspn(host, "0123456789#") < strlen(host) ||
                strstr(sentence, host) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    char *name = input_text(&in);
    char *value = input_text(&in);
    char *other = input_text(&in);

    for (int how = 0; how < 4; how++) {
        check_url(name, how & 1, how & 2);
    }
    check_meeting_path(name);
    check_discussion(name, value);
    check_option(name, value, other);
    check_pins(name, value);
    REQUIRE(!pxr_layout_known(name) || strstr(pxr_layout_names(), name) != NULL);
    free(other);
    free(value);
    free(name);
    return 0;
}
