#include "fuzz.h"

#include "pxr_rocketchat.h"
#include "pxr_webhook.h"

/*
 * Bodies of the meetings API, of the webhook and of the join page: every reader over the same text.
 * Whoever is refused is told why in one sentence.
 */

#define NOW (INT64_C(1795341600) * PXR_SECOND)

static char sentence[512];

static void check_status(pxr_status_t status, const pxr_buf_t *why)
{
    REQUIRE(status == PXR_OK || status == PXR_INVALID || status == PXR_TOO_LONG);
    if (status != PXR_OK) {
        REQUIRE(why->len > 0 && !why->overflow);
        REQUIRE(pxr_utf8_valid(why->data, why->len));
    }
}

static void check_details(const pxr_details_t *details)
{
    static char packed[PXR_DETAILS_MAX];
    size_t size = pxr_details_pack(details, packed, sizeof(packed));
    pxr_details_t again;

    REQUIRE(size > 0);
    REQUIRE(pxr_details_unpack(packed, size, &again) == PXR_OK);
    for (int i = 0; i < PXR_DETAILS; i++) {
        REQUIRE(again.len[i] == details->len[i]);
        REQUIRE(again.len[i] == 0 || memcmp(again.text[i], details->text[i], again.len[i]) == 0);
    }
}

static void check_create(const pxr_json_doc_t *doc)
{
    pxr_create_request_t request;
    pxr_buf_t why;
    pxr_status_t status;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    status = pxr_json_read_create(doc, NOW, &request, &why);
    check_status(status, &why);
    if (status == PXR_OK) {
        REQUIRE(request.id == NULL || strlen(request.id) <= PXR_MEETING_ID_MAX);
        REQUIRE(request.not_after == 0 || request.not_after > NOW);
        check_details(&request.details);
    }
}

static void check_small_ones(const pxr_json_doc_t *doc)
{
    pxr_link_request_t link;
    pxr_delivery_action_t action;
    const char *user_id;
    pxr_buf_t why;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    check_status(pxr_json_read_link(doc, &link, &why), &why);
    pxr_buf_init(&why, sentence, sizeof(sentence));
    check_status(pxr_json_read_info(doc, &user_id, &why), &why);
    pxr_buf_init(&why, sentence, sizeof(sentence));
    check_status(pxr_json_read_action(doc, &action, &why), &why);
}

static void check_command(const pxr_webhook_t *webhook)
{
    static pxr_webhook_request_t request;
    char id[PXR_MEETING_ID_OWN + 1];

    pxr_webhook_read(&request, webhook->text, strlen(webhook->text), webhook->trigger_word);
    REQUIRE(strlen(request.title) == request.title_len);
    REQUIRE(pxr_utf8_count(request.title, request.title_len) <= PXR_TITLE_CHARS);
    REQUIRE(request.command == PXR_WEBHOOK_START || request.title_len == 0);
    if (webhook->message_id != NULL) {
        pxr_webhook_meeting_id("secret", "https://chat.example.com", webhook->message_id,
                               strlen(webhook->message_id), id);
        REQUIRE(strlen(id) == PXR_MEETING_ID_OWN);
    }
}

static void check_webhook(const pxr_json_doc_t *doc)
{
    pxr_webhook_t webhook;
    pxr_buf_t why;
    pxr_status_t status;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    status = pxr_rc_read_webhook(doc, &webhook, &why);
    check_status(status, &why);
    if (status == PXR_OK) {
        REQUIRE(webhook.token != NULL && webhook.text != NULL && webhook.room_id != NULL);
        check_command(&webhook);
    }
}

static void check_session(const char *body, size_t len)
{
    char user_id[PXR_USER_ID_MAX + 1];
    char token[PXR_TOKEN_MAX + 1];

    if (pxr_json_read_session(body, len, user_id, sizeof(user_id), token, sizeof(token)) ==
        PXR_OK) {
        REQUIRE(user_id[0] != '\0' && memchr(user_id, 0, sizeof(user_id)) != NULL);
        REQUIRE(token[0] != '\0' && memchr(token, 0, sizeof(token)) != NULL);
    }
}

static void check_body(const char *body, size_t len)
{
    pxr_buf_t why;
    pxr_json_doc_t *doc;

    pxr_buf_init(&why, sentence, sizeof(sentence));
    doc = pxr_json_parse(body, len, &why);
    if (doc == NULL) {
        check_status(PXR_INVALID, &why);
    } else {
        REQUIRE(pxr_json_is_object(body, len));
        check_create(doc);
        check_small_ones(doc);
        check_webhook(doc);
    }
    pxr_json_free(doc);
    check_session(body, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    size_t len;
    char *body = input_rest(&in, &len);

    check_body(body, len);
    pxr_json_mend(body, len);
    check_body(body, len);
    free(body);
    return 0;
}
