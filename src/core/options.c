#include <string.h>

#include "core_internal.h"

typedef enum { KIND_BOOL, KIND_INTEGER, KIND_WORD, KIND_TEXT, KIND_DIRECTIVE } kind_t;

typedef struct {
    const char *name;
    kind_t kind;
    const char *words; /* KIND_WORD: legal values; KIND_DIRECTIVE: who sets it instead */
    long low, high;    /* KIND_INTEGER: range; KIND_TEXT: high is the width in bytes */
} option_def_t;

/* The result fields of a `conference` (policy reference 3.4). */
static const option_def_t defs[] = {
    {"service_tag", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"guests_can_present", KIND_BOOL, NULL, 0, 0},
    {"call_type", KIND_WORD, "video video-only audio", 0, 0},
    {"enable_overlay_text", KIND_BOOL, NULL, 0, 0},
    {"enable_active_speaker_indication", KIND_BOOL, NULL, 0, 0},
    {"enable_chat", KIND_WORD, "default yes no", 0, 0},
    {"participant_limit", KIND_INTEGER, NULL, 0, 1000000},
    {"max_callrate_in", KIND_INTEGER, NULL, 128000, 8192000},
    {"max_callrate_out", KIND_INTEGER, NULL, 128000, 8192000},
    {"max_pixels_per_second", KIND_WORD, "sd hd fullhd", 0, 0},
    {"crypto_mode", KIND_WORD, "besteffort on off", 0, 0},
    {"prefer_ipv6", KIND_WORD, "default yes no", 0, 0},
    {"bypass_proxy", KIND_BOOL, NULL, 0, 0},
    {"host_identity_provider_group", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"guest_identity_provider_group", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"non_idp_participants", KIND_WORD, "disallow_all allow_if_trusted", 0, 0},
    {"primary_owner_email_address", KIND_TEXT, NULL, 0, 100},
    {"mute_all_guests", KIND_BOOL, NULL, 0, 0},
    {"breakout_rooms", KIND_BOOL, NULL, 0, 0},
    {"direct_media", KIND_WORD, "best_effort always never", 0, 0},
    {"direct_media_notification_duration", KIND_INTEGER, NULL, 0, 30},
    {"denoise_enabled", KIND_BOOL, NULL, 0, 0},
    {"softmute_enabled", KIND_BOOL, NULL, 0, 0},
    {"live_captions_enabled", KIND_WORD, "default yes no", 0, 0},
    {"live_captions_language", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"source_language", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"pinning_config", KIND_TEXT, NULL, 0, PXR_PEXIP_TEXT_MAX},
    {"guests_can_see_guests", KIND_WORD, "no_hosts always never", 0, 0},
    {"view", KIND_DIRECTIVE, "is set by PexipRCLayout", 0, 0},
    {"ivr_theme_name", KIND_DIRECTIVE, "is set by PexipRCTheme", 0, 0},
    {"locked", KIND_DIRECTIVE, "is set by PexipRCLocked", 0, 0},
    {"pin", KIND_DIRECTIVE, "is set by PexipRCPins", 0, 0},
    {"guest_pin", KIND_DIRECTIVE, "is set by PexipRCPins", 0, 0},
    {"allow_guests", KIND_DIRECTIVE, "is set by PexipRCPins", 0, 0},
    {"name", KIND_DIRECTIVE, "is always the meeting id", 0, 0},
    {"service_type", KIND_DIRECTIVE, "is always conference", 0, 0},
    {"description", KIND_DIRECTIVE, "is always the meeting's title", 0, 0},
    {"local_display_name", KIND_DIRECTIVE, "is always the meeting's title", 0, 0},
    {"automatic_participants", KIND_DIRECTIVE, "is a list and cannot be set here", 0, 0},
};

static const char layouts[] =
    "one_main_zero_pips, one_main_seven_pips, one_main_twentyone_pips, two_mains_twentyone_pips, "
    "four_mains_zero_pips, nine_mains_zero_pips, sixteen_mains_zero_pips, "
    "twentyfive_mains_zero_pips, five_mains_seven_pips, one_main_thirtythree_pips";

static const option_def_t *find_def(const char *name)
{
    for (size_t i = 0; i < sizeof(defs) / sizeof(defs[0]); i++) {
        if (strcmp(defs[i].name, name) == 0) {
            return &defs[i];
        }
    }
    return NULL;
}

/* Words have blanks between them, perhaps with commas. */
static bool is_word_of(const char *words, const char *value)
{
    static const char between[] = " ,";
    size_t len = strlen(value);

    while (len > 0 && *words != '\0') {
        size_t word = strcspn(words, between);
        if (word == len && memcmp(words, value, len) == 0) {
            return true;
        }
        words += word;
        words += strspn(words, between);
    }
    return false;
}

static bool read_integer(const char *value, long low, long high)
{
    long number = 0;
    size_t len = strlen(value);

    if (len == 0 || len > 9) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_digit(value[i])) {
            return false;
        }
        number = number * 10 + (value[i] - '0');
    }
    return number >= low && number <= high;
}

pxr_status_t pxr_option_check(const char *name, const char *value, pxr_buf_t *why)
{
    const option_def_t *def = find_def(name);
    bool good = false;

    if (def == NULL) {
        pxr_buf_puts(why, "is not a result field that Pexip knows for a conference");
        return PXR_INVALID;
    }
    switch (def->kind) {
    case KIND_BOOL:
        good = strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
        pxr_buf_puts(why, "must be true or false");
        break;
    case KIND_INTEGER:
        good = read_integer(value, def->low, def->high);
        pxr_buf_puts(why, "must be a whole number from ");
        pxr_buf_put_int(why, def->low);
        pxr_buf_puts(why, " to ");
        pxr_buf_put_int(why, def->high);
        break;
    case KIND_WORD:
        good = is_word_of(def->words, value);
        pxr_buf_puts(why, "must be one of: ");
        pxr_buf_puts(why, def->words);
        break;
    case KIND_TEXT:
        good = pxr_text_plain(value, (size_t)def->high);
        pxr_buf_puts(why, "must be a text of 1 to ");
        pxr_buf_put_int(why, def->high);
        pxr_buf_puts(why, " bytes of UTF-8 without control characters");
        break;
    case KIND_DIRECTIVE:
        pxr_buf_puts(why, def->words);
        break;
    }
    if (good) {
        pxr_buf_init(why, why->data, why->size);
    }
    return good ? PXR_OK : PXR_INVALID;
}

const char *pxr_option_value(const pxr_answer_settings_t *settings, const char *name)
{
    for (size_t i = 0; i < settings->option_count; i++) {
        if (strcmp(settings->options[i].name, name) == 0) {
            return settings->options[i].value;
        }
    }
    return NULL;
}

bool pxr_option_is_true(const pxr_answer_settings_t *settings, const char *name)
{
    const char *value = pxr_option_value(settings, name);

    return value != NULL && strcmp(value, "true") == 0;
}

bool pxr_layout_known(const char *view)
{
    return is_word_of(layouts, view);
}

const char *pxr_layout_names(void)
{
    return layouts;
}

void pxr_option_put(pxr_buf_t *out, const pxr_option_t *option)
{
    const option_def_t *def = find_def(option->name);

    pxr_buf_puts(out, ",");
    pxr_buf_put_json(out, option->name, strlen(option->name));
    pxr_buf_puts(out, ":");
    if (def != NULL && (def->kind == KIND_BOOL || def->kind == KIND_INTEGER)) {
        pxr_buf_puts(out, option->value);
    } else {
        pxr_buf_put_json(out, option->value, strlen(option->value));
    }
}

pxr_status_t pxr_answer_check(const pxr_answer_settings_t *settings, pxr_buf_t *why)
{
    const char *direct = pxr_option_value(settings, "direct_media");
    char longest_title[PXR_PEXIP_TEXT_MAX];
    char longest_name[PXR_MEETING_ID_MAX + 1];
    char text[PXR_ANSWER_MAX];
    pxr_buf_t out;
    pxr_answer_meeting_t longest = {.name = longest_name,
                                    .title = longest_title,
                                    .title_len = sizeof(longest_title),
                                    .host_pin = "0000000000000000000#",
                                    .guest_pin = "0000000000000000001#"};

    if (direct != NULL && strcmp(direct, "never") != 0 &&
        pxr_option_is_true(settings, "breakout_rooms")) {
        pxr_buf_puts(why,
                     "breakout_rooms true and direct_media other than never exclude each other");
        return PXR_INVALID;
    }
    /* A quotation mark takes two bytes in JSON; the control characters that would take six never
     * reach an answer. */
    memset(longest_title, '"', sizeof(longest_title));
    memset(longest_name, 'x', sizeof(longest_name) - 1);
    longest_name[sizeof(longest_name) - 1] = '\0';
    pxr_buf_init(&out, text, sizeof(text));
    if (pxr_answer_render(settings, &longest, &out) != PXR_OK) {
        pxr_buf_puts(why, "the options together make the policy answer longer than ");
        pxr_buf_put_int(why, PXR_ANSWER_MAX - 1);
        pxr_buf_puts(why, " bytes");
        return PXR_TOO_LONG;
    }
    return PXR_OK;
}
