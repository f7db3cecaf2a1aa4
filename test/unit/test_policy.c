#include "helpers.h"

#include <jansson.h>

#include "pxr_policy.h"

#define ID "Zk7pQ2mXw9Rt4LbCa2Yq"

static const pxr_answer_settings_t plain = {.view = "one_main_seven_pips",
                                            .service_tag = "rocket.chat"};

static const pxr_answer_meeting_t meeting = {
    .name = ID, .title = "Weekly", .title_len = 6, .host_pin = "123456", .guest_pin = "654321"};

/* The result of a rendered answer, owned by the caller; fails where the envelope is wrong. */
static json_t *result_of(const pxr_answer_settings_t *settings, const pxr_answer_meeting_t *of)
{
    BUFFER(out, PXR_ANSWER_MAX);
    json_t *json;
    json_t *result;

    assert_int_equal(pxr_answer_render(settings, of, &out), PXR_OK);
    json = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "status")), "success");
    assert_string_equal(json_string_value(json_object_get(json, "action")), "continue");
    assert_int_equal(json_object_size(json), 3);
    result = json_incref(json_object_get(json, "result"));
    assert_true(json_is_object(result));
    json_decref(json);
    return result;
}

static void check_text(const json_t *result, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(result, name));

    CHECK(text != NULL && strcmp(text, expected) == 0, "%s: %s", name, text);
}

static void answer_has_every_field_the_interface_promises(void **state)
{
    BUFFER(out, PXR_ANSWER_MAX);
    pxr_answer_settings_t settings = plain;

    (void)state;
    settings.theme = "rocket.chat";
    settings.locked = true;
    assert_int_equal(pxr_answer_render(&settings, &meeting, &out), PXR_OK);
    assert_string_equal(
        out.data,
        "{\"status\":\"success\",\"action\":\"continue\",\"result\":{\"service_type\":"
        "\"conference\","
        "\"name\":\"" ID "\",\"service_tag\":\"rocket.chat\",\"description\":\"Weekly\","
        "\"pin\":\"123456\",\"allow_guests\":true,\"guest_pin\":\"654321\",\"locked\":true,"
        "\"ivr_theme_name\":\"rocket.chat\",\"call_type\":\"video\",\"view\":\"one_main_seven_"
        "pips\","
        "\"local_display_name\":\"Weekly\",\"enable_overlay_text\":true}}");
}

static void answer_is_right_for_all_combinations_of_settings(void **state)
{
    static const char *const views[] = {"one_main_zero_pips",      "one_main_seven_pips",
                                        "one_main_twentyone_pips", "two_mains_twentyone_pips",
                                        "four_mains_zero_pips",    "nine_mains_zero_pips",
                                        "sixteen_mains_zero_pips", "twentyfive_mains_zero_pips",
                                        "five_mains_seven_pips",   "one_main_thirtythree_pips"};

    (void)state;
    for (unsigned i = 0; i < 16 * COUNT(views); i++) {
        bool pins = i & 1, locked = i & 2, theme = i & 4, title = i & 8;
        pxr_answer_settings_t settings = {.theme = theme ? "Our Theme" : NULL,
                                          .view = views[i / 16],
                                          .service_tag = "tag",
                                          .locked = locked};
        pxr_answer_meeting_t of = {.name = ID,
                                   .title = title ? "T" : NULL,
                                   .title_len = title,
                                   .host_pin = pins ? "1111" : "",
                                   .guest_pin = pins ? "2222" : ""};
        json_t *result = result_of(&settings, &of);

        check_text(result, "service_type", "conference");
        check_text(result, "name", ID);
        check_text(result, "view", views[i / 16]);
        check_text(result, "description", title ? "T" : "Rocket.Chat");
        check_text(result, "local_display_name", title ? "T" : "Rocket.Chat");
        assert_int_equal(json_is_true(json_object_get(result, "allow_guests")), pins);
        assert_int_equal(json_is_true(json_object_get(result, "locked")), pins && locked);
        assert_true(json_is_boolean(json_object_get(result, "locked")));
        /* PINs must be strings and must be absent, not empty, where there are none. */
        assert_int_equal(json_object_get(result, "pin") != NULL, pins);
        assert_int_equal(json_object_get(result, "guest_pin") != NULL, pins);
        if (pins) {
            check_text(result, "pin", "1111");
            check_text(result, "guest_pin", "2222");
        }
        assert_int_equal(json_object_get(result, "ivr_theme_name") != NULL, theme);
        json_decref(result);
    }
}

static void answer_shows_hostile_titles_as_one_short_line(void **state)
{
    char emoji[5000];
    char text[PXR_PEXIP_TEXT_MAX + 2];
    pxr_answer_meeting_t of = meeting;
    json_t *result;
    const char *shown;

    (void)state;
    of.title = "a\"b\\c\n\x01</script>\xff";
    of.title_len = strlen(of.title);
    result = result_of(&plain, &of);
    check_text(result, "description", "a\"b\\c </script>\xef\xbf\xbd");
    json_decref(result);

    of.title = " \n\t ";
    of.title_len = 4;
    result = result_of(&plain, &of);
    check_text(result, "description", "Rocket.Chat");
    json_decref(result);

    for (size_t i = 0; i < sizeof(emoji); i += 4) {
        memcpy(emoji + i, "\xf0\x9f\x98\x80", 4);
    }
    of.title = emoji;
    of.title_len = sizeof(emoji);
    result = result_of(&plain, &of);
    shown = json_string_value(json_object_get(result, "local_display_name"));
    assert_int_equal(strlen(shown), 248); /* 250 would divide a code point */
    json_decref(result);

    memset(text, '"', sizeof(text));
    of.title = text;
    of.title_len = sizeof(text);
    result = result_of(&plain, &of);
    assert_int_equal(strlen(json_string_value(json_object_get(result, "description"))),
                     PXR_PEXIP_TEXT_MAX);
    json_decref(result);
}

static void options_replace_defaults_and_have_their_json_type(void **state)
{
    static const pxr_option_t options[] = {
        {"enable_overlay_text", "false"}, {"call_type", "audio"},
        {"participant_limit", "50"},      {"enable_chat", "no"},
        {"breakout_rooms", "true"},       {"service_tag", "x"},
        {"pinning_config", "a \"b\""},
    };
    pxr_answer_settings_t settings = plain;
    json_t *result;

    (void)state;
    settings.options = options;
    settings.option_count = COUNT(options);
    settings.service_tag = "x";
    result = result_of(&settings, &meeting);
    assert_true(json_is_false(json_object_get(result, "enable_overlay_text")));
    check_text(result, "call_type", "audio");
    assert_int_equal(json_integer_value(json_object_get(result, "participant_limit")), 50);
    check_text(result, "enable_chat", "no");
    assert_true(json_is_true(json_object_get(result, "breakout_rooms")));
    check_text(result, "service_tag", "x");
    check_text(result, "pinning_config", "a \"b\"");
    json_decref(result);
}

static void answers_a_node_would_throw_away_are_refused(void **state)
{
    char long_text[PXR_PEXIP_TEXT_MAX + 2];
    struct {
        pxr_answer_settings_t settings;
        pxr_answer_meeting_t of;
    } cases[16];
    size_t count = 0;

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        cases[i].settings = plain;
        cases[i].of = meeting;
    }
    cases[count++].settings.view = "one_main_one_pip";
    cases[count++].settings.view = "";
    cases[count++].settings.service_tag = "";
    cases[count++].settings.service_tag = long_text;
    cases[count++].settings.theme = "";
    cases[count++].settings.theme = long_text;
    cases[count++].of.name = "";
    cases[count++].of.name = "short";
    cases[count++].of.name = "not-a-meeting-id";
    cases[count++].of.host_pin = "123";
    cases[count++].of.host_pin = "";
    cases[count++].of.guest_pin = "";
    cases[count++].of.guest_pin = "123456";
    cases[count++].of.guest_pin = "65432";
    cases[count++].of.guest_pin = "65432#";
    cases[count++].of.guest_pin = "65432a";
    for (size_t i = 0; i < count; i++) {
        BUFFER(out, PXR_ANSWER_MAX);
        CHECK(pxr_answer_render(&cases[i].settings, &cases[i].of, &out) == PXR_INVALID, "case %zu",
              i);
    }
}

static void an_answer_that_does_not_fit_is_too_long(void **state)
{
    BUFFER(whole, PXR_ANSWER_MAX);

    (void)state;
    assert_int_equal(pxr_answer_render(&plain, &meeting, &whole), PXR_OK);
    for (size_t size = 1; size <= whole.len + 1; size++) {
        char *memory = malloc(size);
        pxr_buf_t out;
        pxr_buf_init(&out, memory, size);
        assert_int_equal(pxr_answer_render(&plain, &meeting, &out),
                         size == whole.len + 1 ? PXR_OK : PXR_TOO_LONG);
        free(memory);
    }
}

static void settings_are_checked_as_a_whole(void **state)
{
    static const pxr_option_t clash[] = {{"breakout_rooms", "true"}, {"direct_media", "always"}};
    static const pxr_option_t peace[] = {{"breakout_rooms", "true"}, {"direct_media", "never"}};
    static const pxr_option_t other[] = {{"breakout_rooms", "false"},
                                         {"direct_media", "best_effort"}};
    pxr_answer_settings_t settings = plain;
    BUFFER(why, 256);

    (void)state;
    settings.option_count = 2;
    settings.options = peace;
    assert_int_equal(pxr_answer_check(&settings, &why), PXR_OK);
    assert_true(pxr_option_is_true(&settings, "breakout_rooms"));
    assert_false(pxr_option_is_true(&settings, "direct_media"));
    assert_false(pxr_option_is_true(&settings, "mute_all_guests"));
    settings.options = other;
    assert_int_equal(pxr_answer_check(&settings, &why), PXR_OK);
    assert_false(pxr_option_is_true(&settings, "breakout_rooms"));
    assert_int_equal(why.len, 0);
    settings.options = clash;
    assert_int_equal(pxr_answer_check(&settings, &why), PXR_INVALID);
    assert_non_null(strstr(why.data, "direct_media"));
}

static void settings_whose_longest_answer_does_not_fit_are_refused(void **state)
{
    char text[PXR_PEXIP_TEXT_MAX + 1];
    pxr_option_t options[PXR_OPTIONS_MAX];
    pxr_answer_settings_t settings = plain;
    BUFFER(why, 256);

    (void)state;
    memset(text, '"', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < COUNT(options); i++) {
        options[i] = (pxr_option_t){"pinning_config", text};
    }
    settings.options = options;
    settings.option_count = 4;
    assert_int_equal(pxr_answer_check(&settings, &why), PXR_OK);
    settings.option_count = COUNT(options);
    assert_int_equal(pxr_answer_check(&settings, &why), PXR_TOO_LONG);
    assert_true(why.len > 0);
}

static void single_pins_are_checked(void **state)
{
    static const struct {
        const char *pin;
        pxr_status_t status;
    } cases[] = {
        {"1234", PXR_OK},
        {"0000", PXR_OK},
        {"123#", PXR_OK},
        {"12345678901234567890", PXR_OK},
        {"1234567890123456789#", PXR_OK},
        {"", PXR_INVALID},
        {"#", PXR_INVALID},
        {"123", PXR_INVALID},
        {"12#", PXR_INVALID},
        {"####", PXR_INVALID},
        {"12#4", PXR_INVALID},
        {"123##", PXR_INVALID},
        {"12 4", PXR_INVALID},
        {"12a4", PXR_INVALID},
        {"-1234", PXR_INVALID},
        {"1234*", PXR_INVALID},
        {"123456789012345678901", PXR_INVALID},
        {"12345678901234567890#", PXR_INVALID},
        {"\xd9\xa1\xd9\xa2", PXR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(why, 160);
        CHECK(pxr_pin_check(cases[i].pin, &why) == cases[i].status, "%s", cases[i].pin);
        CHECK((why.len > 0) == (cases[i].status != PXR_OK), "%s", cases[i].pin);
    }
}

static void pin_pairs_are_checked_and_never_shown(void **state)
{
    static const struct {
        const char *host, *guest;
        pxr_status_t status;
    } cases[] = {
        {"7391", "7392", PXR_OK},       {"739#", "738#", PXR_OK},
        {"7391", "7391", PXR_INVALID},  {"739#", "739#", PXR_INVALID},
        {"7391", "73911", PXR_INVALID}, {"7391", "739#", PXR_INVALID},
        {"739#", "7391", PXR_INVALID},  {"7391#", "73924#", PXR_INVALID},
        {"7391", "", PXR_INVALID},      {"", "7391", PXR_INVALID},
        {"739", "738", PXR_INVALID},    {"739x", "7391", PXR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(why, 160);
        CHECK(pxr_pins_check(cases[i].host, cases[i].guest, &why) == cases[i].status, "%s %s",
              cases[i].host, cases[i].guest);
        CHECK(strstr(why.data, "739") == NULL, "%s", why.data);
        CHECK((why.len > 0) == (cases[i].status != PXR_OK), "%s", cases[i].host);
    }
}

static void only_the_ten_safe_layouts_are_known(void **state)
{
    static const char *const unknown[] = {
        "one_main_one_pip",     "one_main_nine_around", "teams", "", "One_main_seven_pips",
        "one_main_seven_pips ", "two_mains_zero_pips"};
    char names[1024];
    unsigned count = 0;

    (void)state;
    snprintf(names, sizeof(names), "%s", pxr_layout_names());
    for (char *name = strtok(names, ", "); name != NULL; name = strtok(NULL, ", ")) {
        CHECK(pxr_layout_known(name), "%s", name);
        count++;
    }
    assert_int_equal(count, 10);
    for (size_t i = 0; i < COUNT(unknown); i++) {
        CHECK(!pxr_layout_known(unknown[i]), "%s", unknown[i]);
    }
}

static void breakout_answer_describes_the_room(void **state)
{
    BUFFER(out, PXR_ANSWER_MAX);
    BUFFER(small, 100);

    (void)state;
    assert_int_equal(
        pxr_answer_render_breakout(ID, "rocket.chat", "6d1c1c1e-6f0b-4c3e-9b57-0f2a4a1f7d10", &out),
        PXR_OK);
    assert_string_equal(
        out.data, "{\"status\":\"success\",\"action\":\"continue\",\"result\":{"
                  "\"service_type\":\"conference\",\"name\":\"" ID "\","
                  "\"service_tag\":\"rocket.chat\",\"breakout\":true,\"breakout_rooms\":false,"
                  "\"breakout_uuid\":\"6d1c1c1e-6f0b-4c3e-9b57-0f2a4a1f7d10\","
                  "\"breakout_name\":\"Breakout 6d1c1c1e\",\"end_action\":\"transfer\","
                  "\"end_time\":0}}");
    assert_int_equal(pxr_answer_render_breakout(ID, "t", "6d1c", &small), PXR_TOO_LONG);
}

static void a_location_has_a_list_of_those_that_take_over(void **state)
{
    static const char *const names[] = {"Frank\"furt", "\xc3\x84land 1", "\\x"};
    static const struct {
        size_t count;
        const char *answer;
    } cases[] = {
        {1, "{\"status\":\"success\",\"result\":{\"location\":\"Frank\\\"furt\"}}"},
        {2, "{\"status\":\"success\",\"result\":{\"location\":\"Frank\\\"furt\","
            "\"overflow_locations\":[\"\xc3\x84land 1\"]}}"},
        {3, "{\"status\":\"success\",\"result\":{\"location\":\"Frank\\\"furt\","
            "\"overflow_locations\":[\"\xc3\x84land 1\",\"\\\\x\"]}}"},
    };
    BUFFER(small, 60);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, 256);
        assert_int_equal(pxr_answer_render_location(names, cases[i].count, &out), PXR_OK);
        assert_string_equal(out.data, cases[i].answer);
    }
    assert_int_equal(pxr_answer_render_location(names, 3, &small), PXR_TOO_LONG);
}

static void the_longest_location_fits(void **state)
{
    const char *names[1 + PXR_OVERFLOWS_MAX];
    char name[PXR_PEXIP_TEXT_MAX + 1];
    BUFFER(out, PXR_ANSWER_MAX);

    (void)state;
    memset(name, '"', PXR_PEXIP_TEXT_MAX);
    name[PXR_PEXIP_TEXT_MAX] = '\0';
    for (size_t i = 0; i < COUNT(names); i++) {
        names[i] = name;
    }
    assert_int_equal(pxr_answer_render_location(names, COUNT(names), &out), PXR_OK);
}

static void who_comes_too_late_is_told_so_and_nothing_else(void **state)
{
    (void)state;
    assert_string_equal(pxr_answer_as_is,
                        "{\"status\":\"success\",\"action\":\"continue\",\"result\":{}}");
    assert_string_equal(pxr_answer_over,
                        "{\"status\":\"success\",\"action\":\"reject\","
                        "\"result\":{\"reject_reason\":\"This meeting has ended.\"}}");
}

static void refusal_has_no_result(void **state)
{
    BUFFER(out, 256);

    (void)state;
    pxr_answer_render_reject("it \"ended\"", &out);
    assert_string_equal(out.data, "{\"status\":\"success\",\"action\":\"reject\","
                                  "\"reason\":\"it \\\"ended\\\"\"}");
    assert_string_equal(pxr_answer_not_ours,
                        "{\"status\":\"fail\",\"action\":\"continue\",\"result\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_has_every_field_the_interface_promises),
        cmocka_unit_test(answer_is_right_for_all_combinations_of_settings),
        cmocka_unit_test(answer_shows_hostile_titles_as_one_short_line),
        cmocka_unit_test(options_replace_defaults_and_have_their_json_type),
        cmocka_unit_test(answers_a_node_would_throw_away_are_refused),
        cmocka_unit_test(an_answer_that_does_not_fit_is_too_long),
        cmocka_unit_test(settings_are_checked_as_a_whole),
        cmocka_unit_test(settings_whose_longest_answer_does_not_fit_are_refused),
        cmocka_unit_test(single_pins_are_checked),
        cmocka_unit_test(pin_pairs_are_checked_and_never_shown),
        cmocka_unit_test(only_the_ten_safe_layouts_are_known),
        cmocka_unit_test(breakout_answer_describes_the_room),
        cmocka_unit_test(a_location_has_a_list_of_those_that_take_over),
        cmocka_unit_test(the_longest_location_fits),
        cmocka_unit_test(who_comes_too_late_is_told_so_and_nothing_else),
        cmocka_unit_test(refusal_has_no_result),
    };

    return RUN(tests);
}
