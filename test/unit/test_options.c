#include "helpers.h"

#include "pxr_policy.h"

#define MOST_TEXTS 6

/* One line of the field table of the policy reference 3.4: the first NULL ends a list. */
typedef struct {
    const char *name;
    const char *good[MOST_TEXTS];
    const char *bad[MOST_TEXTS];
} field_t;

#define BOOL \
    {"true", "false"}, \
    { \
        "True", "1", "yes", "", "true ", NULL \
    }
#define DEFAULT_YES_NO \
    {"default", "yes", "no"}, \
    { \
        "true", "Yes", "", "yes no", "null", NULL \
    }
#define TEXT_250 \
    {"x", "two words", "caf\xc3\xa9"}, \
    { \
        "", "a\nb", "\xff", "a\x7f", "\x1b[1m", NULL \
    }
#define RATE \
    {"128000", "8192000", "1000000"}, \
    { \
        "127999", "8192001", "0", "1e6", "-128000", "128000.0" \
    }

static const field_t fields[] = {
    {"service_tag", TEXT_250},
    {"guests_can_present", BOOL},
    {"call_type", {"video", "video-only", "audio"}, {"", "Video", "video-", "none", "video audio"}},
    {"enable_overlay_text", BOOL},
    {"enable_active_speaker_indication", BOOL},
    {"enable_chat", DEFAULT_YES_NO},
    {"participant_limit",
     {"0", "50", "1000000"},
     {"", "-1", "1000001", "5.0", "fifty", "18446744073709551617"}},
    {"max_callrate_in", RATE},
    {"max_callrate_out", RATE},
    {"max_pixels_per_second", {"sd", "hd", "fullhd"}, {"", "full", "HD", "4k", "sd hd"}},
    {"crypto_mode", {"besteffort", "on", "off"}, {"", "On", "true", "best_effort"}},
    {"prefer_ipv6", DEFAULT_YES_NO},
    {"bypass_proxy", BOOL},
    {"host_identity_provider_group", TEXT_250},
    {"guest_identity_provider_group", TEXT_250},
    {"non_idp_participants", {"disallow_all", "allow_if_trusted"}, {"", "allow", "true"}},
    {"primary_owner_email_address", {"nina@example.com"}, {"", "a\nb", "\xff"}},
    {"mute_all_guests", BOOL},
    {"breakout_rooms", BOOL},
    {"direct_media", {"best_effort", "always", "never"}, {"", "besteffort", "true", "on"}},
    {"direct_media_notification_duration", {"0", "30"}, {"", "31", "-1", "5s"}},
    {"denoise_enabled", BOOL},
    {"softmute_enabled", BOOL},
    {"live_captions_enabled", DEFAULT_YES_NO},
    {"live_captions_language", TEXT_250},
    {"source_language", TEXT_250},
    {"pinning_config", TEXT_250},
    {"guests_can_see_guests", {"no_hosts", "always", "never"}, {"", "no-hosts", "true"}},
};

static void every_field_takes_its_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        for (size_t j = 0; j < MOST_TEXTS && fields[i].good[j] != NULL; j++) {
            BUFFER(why, 256);
            CHECK(pxr_option_check(fields[i].name, fields[i].good[j], &why) == PXR_OK, "%s %s: %s",
                  fields[i].name, fields[i].good[j], why.data);
            CHECK(why.len == 0, "%s", fields[i].name);
        }
    }
}

static void every_field_refuses_other_values_and_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        for (size_t j = 0; j < MOST_TEXTS && fields[i].bad[j] != NULL; j++) {
            BUFFER(why, 256);
            CHECK(pxr_option_check(fields[i].name, fields[i].bad[j], &why) == PXR_INVALID,
                  "%s '%s' was taken", fields[i].name, fields[i].bad[j]);
            CHECK(why.len > 0 && !why.overflow, "%s '%s'", fields[i].name, fields[i].bad[j]);
        }
    }
}

static void texts_have_the_width_that_pexip_takes(void **state)
{
    static const struct {
        const char *name;
        size_t most;
    } cases[] = {
        {"pinning_config", 250}, {"service_tag", 250}, {"primary_owner_email_address", 100}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[252];
        BUFFER(why, 256);
        memset(text, 'x', sizeof(text));
        text[cases[i].most] = '\0';
        CHECK(pxr_option_check(cases[i].name, text, &why) == PXR_OK, "%s", cases[i].name);
        text[cases[i].most] = 'x';
        text[cases[i].most + 1] = '\0';
        CHECK(pxr_option_check(cases[i].name, text, &why) == PXR_INVALID, "%s", cases[i].name);
    }
}

static void fields_with_a_directive_of_their_own_are_refused(void **state)
{
    static const char *const names[] = {"view",
                                        "ivr_theme_name",
                                        "locked",
                                        "pin",
                                        "guest_pin",
                                        "allow_guests",
                                        "name",
                                        "service_type",
                                        "description",
                                        "local_display_name",
                                        "automatic_participants"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        BUFFER(why, 256);
        CHECK(pxr_option_check(names[i], "true", &why) == PXR_INVALID, "%s", names[i]);
        CHECK(why.len > 0, "%s", names[i]);
    }
}

static void what_is_no_field_of_a_conference_is_refused(void **state)
{
    static const char *const names[] = {"",         "Enable_chat",   "enable_chat ",   "host_view",
                                        "call_tag", "local_alias",   "classification", "ivr_theme",
                                        "breakout", "breakout_uuid", "breakout_uuids", "end_time",
                                        "x\"y"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        BUFFER(why, 256);
        CHECK(pxr_option_check(names[i], "true", &why) == PXR_INVALID, "%s", names[i]);
        CHECK(why.len > 0, "%s", names[i]);
    }
}

static void the_verdict_does_not_need_room_for_the_sentence(void **state)
{
    BUFFER(why, 1);
    BUFFER(other, 1);

    (void)state;
    assert_int_equal(pxr_option_check("enable_chat", "yes", &why), PXR_OK);
    assert_int_equal(pxr_option_check("enable_chat", "maybe", &other), PXR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_takes_its_values),
        cmocka_unit_test(every_field_refuses_other_values_and_says_why),
        cmocka_unit_test(texts_have_the_width_that_pexip_takes),
        cmocka_unit_test(fields_with_a_directive_of_their_own_are_refused),
        cmocka_unit_test(what_is_no_field_of_a_conference_is_refused),
        cmocka_unit_test(the_verdict_does_not_need_room_for_the_sentence),
    };

    return RUN(tests);
}
