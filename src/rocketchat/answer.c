#include "rest_internal.h"

#include <stdlib.h>
#include <string.h>

#include "pxr_text.h"

void pxr_transfer_begin(pxr_transfer_t *transfer)
{
    transfer->result.content_type[0] = '\0';
    transfer->result.retry_after = -1;
    transfer->result.reset_after = -1;
    transfer->result.remaining = -1;
    transfer->server_time = 0;
    transfer->retry_at = 0;
    transfer->reset_at = 0;
}

/* A header's value without blanks around it, NULL where the line is another header. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
    size_t at = strlen(name);

    if (len <= at || line[at] != ':' || !pxr_equal_nocase(line, at, name, at)) {
        return NULL;
    }
    at++;
    while (at < len && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    while (len > at && (unsigned char)line[len - 1] <= ' ') {
        len--;
    }
    *value_len = len - at;
    return line + at;
}

/* Digits only; what has more than 18 of them is no number that anybody means. */
static bool read_number(const char *text, size_t len, int64_t *out)
{
    int64_t value = 0;

    if (len == 0 || len > 18) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_digit(text[i])) {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

/* A date of HTTP; 0 where it is none, or beyond all that our times can tell. */
static pxr_time_t read_date(const char *text, size_t len)
{
    char copy[64];
    time_t seconds;

    pxr_text_line(copy, sizeof(copy), text, len);
    seconds = curl_getdate(copy, NULL);
    return seconds > 0 && seconds <= INT64_MAX / PXR_SECOND ? (pxr_time_t)seconds * PXR_SECOND : 0;
}

static int64_t wait_of(int64_t wait)
{
    if (wait < 0) {
        return 0;
    }
    return wait < PXR_REST_WAIT_MAX ? wait : PXR_REST_WAIT_MAX;
}

static void take_content_type(pxr_rest_result_t *result, const char *value, size_t len)
{
    const char *end = memchr(value, ';', len);

    pxr_text_line(result->content_type, sizeof(result->content_type), value,
                  end != NULL ? (size_t)(end - value) : len);
    for (char *at = result->content_type; *at != '\0'; at++) {
        *at = pxr_lower(*at);
    }
}

static void take_retry_after(pxr_transfer_t *transfer, const char *value, size_t len)
{
    int64_t seconds;

    if (read_number(value, len, &seconds)) {
        transfer->result.retry_after =
            seconds < PXR_REST_WAIT_MAX / PXR_SECOND ? seconds * PXR_SECOND : PXR_REST_WAIT_MAX;
    } else {
        transfer->retry_at = read_date(value, len);
    }
}

static void take_line(pxr_transfer_t *transfer, const char *line, size_t len)
{
    pxr_rest_result_t *result = &transfer->result;
    const char *value;
    size_t value_len;
    int64_t number;

    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        /* What was said with an interim answer is void. */
        pxr_transfer_begin(transfer);
    } else if ((value = value_of(line, len, "content-type", &value_len)) != NULL) {
        take_content_type(result, value, value_len);
    } else if ((value = value_of(line, len, "retry-after", &value_len)) != NULL) {
        take_retry_after(transfer, value, value_len);
    } else if ((value = value_of(line, len, "date", &value_len)) != NULL) {
        transfer->server_time = read_date(value, value_len);
    } else if ((value = value_of(line, len, "x-ratelimit-remaining", &value_len)) != NULL) {
        if (read_number(value, value_len, &number)) {
            result->remaining = number;
        }
    } else if ((value = value_of(line, len, "x-ratelimit-reset", &value_len)) != NULL) {
        if (read_number(value, value_len, &number) && number < INT64_MAX / 1000) {
            transfer->reset_at = number * 1000;
        }
    }
}

size_t pxr_transfer_take_header(char *line, size_t size, size_t count, void *transfer)
{
    pxr_transfer_t *t = transfer;
    size_t len = size * count;

    t->header_bytes += len;
    if (t->header_bytes > PXR_REST_HEADERS_MAX) {
        t->fault = "the answer's headers are too large";
        return 0;
    }
    take_line(t, line, len);
    return len;
}

/* Makes room for `len` bytes and a NUL. */
static bool grow(pxr_transfer_t *transfer, size_t len)
{
    size_t wanted = transfer->result.body_len + len + 1;
    char *larger;

    if (wanted <= transfer->body_size) {
        return true;
    }
    if (wanted < transfer->body_size * 2) {
        wanted = transfer->body_size * 2;
    }
    larger = realloc(transfer->result.body, wanted);
    if (larger == NULL) {
        return false;
    }
    transfer->result.body = larger;
    transfer->body_size = wanted;
    return true;
}

size_t pxr_transfer_take_body(char *data, size_t size, size_t count, void *transfer)
{
    pxr_transfer_t *t = transfer;
    size_t len = size * count;

    if (len > t->answer_max - t->result.body_len) {
        t->fault = "the answer is too large";
        t->result.too_large = true;
        return 0;
    }
    if (!grow(t, len)) {
        t->fault = "there is no memory for the answer";
        return 0;
    }
    memcpy(t->result.body + t->result.body_len, data, len);
    t->result.body_len += len;
    t->result.body[t->result.body_len] = '\0';
    return len;
}

/* The library's own buffer tells most, but after the request has gone it may quote the answer. */
static void explain(pxr_transfer_t *transfer, CURLcode code, const char *why)
{
    pxr_rest_result_t *result = &transfer->result;

    if (why == NULL) {
        why = transfer->fault != NULL                         ? transfer->fault
              : !transfer->sent && transfer->error[0] != '\0' ? transfer->error
                                                              : curl_easy_strerror(code);
    }
    pxr_text_line(result->why, sizeof(result->why), why, strlen(why));
}

void pxr_transfer_end(pxr_transfer_t *transfer, CURLcode code, const char *why)
{
    pxr_rest_result_t *result = &transfer->result;
    pxr_time_t now = transfer->server_time != 0 ? transfer->server_time : pxr_time_now();
    long status = 0;

    if (transfer->easy != NULL) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    result->status = (int)status;
    if (transfer->retry_at != 0) {
        result->retry_after = wait_of(transfer->retry_at - now);
    }
    if (transfer->reset_at != 0) {
        result->reset_after = wait_of(transfer->reset_at - now);
    }
    if (code == CURLE_OK && why == NULL) {
        result->outcome = PXR_REST_ANSWERED;
        return;
    }
    result->outcome = transfer->sent ? PXR_REST_UNKNOWN : PXR_REST_NOT_SENT;
    pxr_rest_result_clear(result);
    explain(transfer, code, why);
}

void pxr_rest_result_clear(pxr_rest_result_t *result)
{
    free(result->body);
    result->body = NULL;
    result->body_len = 0;
}
