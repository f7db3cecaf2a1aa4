#include "fuzz.h"

#include "pxr_rocketchat.h"

#include "../../src/rocketchat/rest_internal.h"

/*
 * What Rocket.Chat answers, or whoever stands in its place: a byte for the call, two for the
 * status, one for how the request ended, then headers and body as on the wire.
 */

/* The header lines one by one, as libcurl hands them on; what is left is the body. */
static void take_headers(pxr_transfer_t *transfer, input_t *in)
{
    while (in->left > 0) {
        const uint8_t *end = memchr(in->at, '\n', in->left);
        size_t len = end != NULL ? (size_t)(end - in->at) + 1 : in->left;
        char *line = malloc(len);
        REQUIRE(line != NULL);
        memcpy(line, in->at, len);
        pxr_transfer_take_header(line, 1, len, transfer);
        free(line);
        in->at += len;
        in->left -= len;
        if (len <= 2) {
            return;
        }
    }
}

static void take_body(pxr_transfer_t *transfer, input_t *in)
{
    size_t len;
    char *body = input_rest(in, &len);

    for (size_t done = 0; done < len;) {
        size_t part = len - done < 100 ? len - done : 100;
        size_t taken = pxr_transfer_take_body(body + done, 1, part, transfer);
        REQUIRE(taken == part || transfer->fault != NULL);
        REQUIRE(transfer->result.body_len <= transfer->answer_max);
        if (taken != part) {
            break;
        }
        done += part;
    }
    free(body);
}

static void read_all(const pxr_json_doc_t *doc)
{
    pxr_rc_message_t message;
    pxr_rc_room_t room;
    pxr_rc_user_t user;
    const char *room_id;
    size_t count = 0;

    if (pxr_rc_read_message(doc, &message)) {
        REQUIRE(message.id != NULL && message.room_id != NULL && message.text != NULL);
    }
    if (pxr_rc_read_room(doc, &room) || pxr_rc_read_discussion(doc, &room)) {
        REQUIRE(room.id != NULL && room.type != NULL);
    }
    if (pxr_rc_count_discussions(doc, &count)) {
        for (size_t i = 0; i < count && i < 10; i++) {
            pxr_rc_read_discussions(doc, i, &room);
        }
    }
    if (pxr_rc_read_me(doc, &user)) {
        REQUIRE(user.id != NULL);
    }
    if (pxr_rc_read_direct(doc, &room_id)) {
        REQUIRE(room_id != NULL);
    }
}

static void check_answer(pxr_rc_call_t call, const pxr_rest_result_t *result)
{
    pxr_rc_answer_t answer;

    pxr_rc_judge(call, result, &answer);
    REQUIRE(answer.wait >= 0 && answer.wait <= PXR_REST_WAIT_MAX);
    REQUIRE(pxr_utf8_valid(answer.reason, strlen(answer.reason)));
    REQUIRE(strpbrk(answer.reason, "\r\n") == NULL);
    REQUIRE((answer.doc != NULL) == (answer.verdict == PXR_RC_OK));
    REQUIRE((answer.reason[0] == '\0') == (answer.verdict == PXR_RC_OK));
    if (answer.doc != NULL) {
        REQUIRE(result->outcome == PXR_REST_ANSWERED && result->status / 100 == 2);
        read_all(answer.doc);
    }
    pxr_rc_answer_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    pxr_transfer_t transfer = {.answer_max = 16 * 1024};
    pxr_rc_call_t call = (pxr_rc_call_t)(input_byte(&in) % (PXR_RC_ME + 1));
    int status = (int)(input_number(&in, 2) % 1000);
    uint8_t end = input_byte(&in);

    transfer.sent = end & 1;
    pxr_transfer_begin(&transfer);
    take_headers(&transfer, &in);
    take_body(&transfer, &in);
    pxr_transfer_end(&transfer, end & 2 || transfer.fault != NULL ? CURLE_RECV_ERROR : CURLE_OK,
                     NULL);
    REQUIRE(transfer.result.retry_after >= -1 && transfer.result.retry_after <= PXR_REST_WAIT_MAX);
    REQUIRE(transfer.result.reset_after >= -1 && transfer.result.reset_after <= PXR_REST_WAIT_MAX);
    transfer.result.status = status;
    check_answer(call, &transfer.result);
    pxr_rest_result_clear(&transfer.result);
    return 0;
}
