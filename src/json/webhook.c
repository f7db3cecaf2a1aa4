#include <string.h>

#include "json_internal.h"
#include "pxr_rocketchat.h"

/* The last millisecond of the year 9999. */
#define LAST_MILLISECOND INT64_C(253402300799999)

bool pxr_json_moment(const json_t *value, pxr_time_t *out)
{
    double milliseconds;

    *out = 0;
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (json_is_string(value)) {
        return pxr_time_parse(json_string_value(value), json_string_length(value), out);
    }
    if (json_is_object(value)) {
        value = json_object_get(value, "$date");
    }
    milliseconds = json_number_value(value);
    if (!json_is_number(value) || !(milliseconds > 0 && milliseconds <= (double)LAST_MILLISECOND)) {
        return false;
    }
    *out = (pxr_time_t)milliseconds * 1000;
    return true;
}

/* What a member is called, and where it goes. */
typedef struct {
    const char *member;
    size_t most;
    bool required;
    const char **text;
} text_t;

static pxr_status_t read_texts(const json_t *root, const text_t *texts, size_t count,
                               pxr_buf_t *why)
{
    for (size_t i = 0; i < count; i++) {
        size_t len;
        if (pxr_json_read_text(root, texts[i].member, texts[i].most, texts[i].text, &len, why) !=
            PXR_OK) {
            return PXR_INVALID;
        }
        if (texts[i].required && len == 0) {
            return pxr_json_refuse(why, texts[i].member, "is required");
        }
    }
    return PXR_OK;
}

/* Rocket.Chat says false, true, or who it is: {"i": "<integration>"}. */
static pxr_status_t read_bot(const json_t *root, bool *out, pxr_buf_t *why)
{
    if (json_is_object(json_object_get(root, "bot"))) {
        *out = true;
        return PXR_OK;
    }
    return pxr_json_read_flag(root, "bot", false, out, why);
}

pxr_status_t pxr_rc_read_webhook(const pxr_json_doc_t *doc, pxr_webhook_t *out, pxr_buf_t *why)
{
    const text_t texts[] = {
        /* First, whatever else is wrong. */
        {"token", SIZE_MAX, true, &out->token},
        {"channel_id", PXR_ID_CHARS, true, &out->room_id},
        {"message_id", PXR_ID_CHARS, true, &out->message_id},
        {"user_id", PXR_ID_CHARS, true, &out->user_id},
        {"user_name", PXR_NAME_CHARS, false, &out->username},
        {"channel_name", PXR_NAME_CHARS, false, &out->room_name},
        {"trigger_word", PXR_NAME_CHARS, false, &out->trigger_word},
        {"text", SIZE_MAX, false, &out->text},
        {"siteUrl", PXR_TITLE_CHARS, false, &out->site_url},
        {"alias", PXR_NAME_CHARS, false, &out->alias},
        {"tmid", PXR_ID_CHARS, false, &out->thread_id},
    };

    memset(out, 0, sizeof(*out));
    if (read_texts(doc->root, texts, sizeof(texts) / sizeof(texts[0]), why) != PXR_OK ||
        read_bot(doc->root, &out->bot, why) != PXR_OK ||
        pxr_json_read_flag(doc->root, "isEdited", false, &out->edited, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (!pxr_json_moment(json_object_get(doc->root, "timestamp"), &out->timestamp)) {
        return pxr_json_refuse(why, "timestamp", "must be a time");
    }
    if (out->text == NULL) {
        /* A file without a word. */
        out->text = "";
    }
    if (out->thread_id != NULL && out->thread_id[0] == '\0') {
        out->thread_id = NULL;
    }
    return PXR_OK;
}
