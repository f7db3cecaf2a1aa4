#include "rest_internal.h"

#include <stdlib.h>
#include <string.h>

#include "pxr_link.h"
#include "pxr_text.h"

#define PATH_LEN_MAX 16384
#define HEADER_LEN_MAX 8192
/* Servers close a connection that nobody uses after some seconds; older ones are not worth a try.
 */
#define IDLE_SECONDS_MAX 60L

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* A token of RFC 9110. */
static bool is_header_name(const char *name)
{
    if (*name == '\0') {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!pxr_is_alnum(*name) && strchr("!#$%&'*+-.^_`|~", *name) == NULL) {
            return false;
        }
    }
    return true;
}

static bool check_path(const char *path, pxr_buf_t *why)
{
    const char *at;

    if (path == NULL || path[0] != '/') {
        pxr_buf_puts(why, "the path must begin with a slash");
        return false;
    }
    for (at = path; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '#') {
            pxr_buf_puts(why, "the path has a character that must be encoded");
            return false;
        }
    }
    if (at - path > PATH_LEN_MAX) {
        pxr_buf_puts(why, "the path is too long");
        return false;
    }
    return true;
}

/* `name` tells which of them is wrong; values may be secrets. */
static bool check_value(const char *name, const char *value, pxr_buf_t *why)
{
    if (value == NULL || has_control(value) || strlen(value) > HEADER_LEN_MAX) {
        pxr_buf_puts(why, name);
        pxr_buf_puts(why, value == NULL        ? " has no value"
                          : has_control(value) ? " has a control character"
                                               : " is too long");
        return false;
    }
    return true;
}

static bool check_credentials(const pxr_rest_request_t *request, pxr_buf_t *why)
{
    if ((request->user_id != NULL || request->token != NULL) &&
        (!check_value("the user id", request->user_id, why) ||
         !check_value("the token", request->token, why))) {
        return false;
    }
    if ((request->basic_user != NULL || request->basic_secret != NULL) &&
        (!check_value("the user", request->basic_user, why) ||
         !check_value("the secret", request->basic_secret, why))) {
        return false;
    }
    if (request->basic_user != NULL && strchr(request->basic_user, ':') != NULL) {
        pxr_buf_puts(why, "the user must not contain a colon");
        return false;
    }
    return true;
}

bool pxr_request_check(const pxr_rest_request_t *request, pxr_buf_t *base_url, pxr_buf_t *why)
{
    const char *reason = "is missing";

    if (request->base_url == NULL ||
        pxr_link_check_url(request->base_url, false, true, base_url, &reason) != PXR_OK) {
        pxr_buf_puts(why, "the URL ");
        pxr_buf_puts(why, reason);
        return false;
    }
    if (!check_path(request->path, why) || !check_credentials(request, why)) {
        return false;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const pxr_rest_header_t *header = &request->headers[i];
        if (header->name == NULL || !is_header_name(header->name)) {
            pxr_buf_puts(why, "a header has no proper name");
            return false;
        }
        if (!check_value(header->name, header->value, why)) {
            return false;
        }
    }
    if (request->body != NULL && request->method != PXR_REST_POST) {
        pxr_buf_puts(why, "only a POST has a body");
        return false;
    }
    if (request->deadline <= 0) {
        pxr_buf_puts(why, "there is no time left");
        return false;
    }
    return true;
}

static bool add_line(pxr_transfer_t *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);

    if (longer == NULL) {
        return false;
    }
    transfer->headers = longer;
    return true;
}

static bool add_header(pxr_transfer_t *transfer, const char *name, const char *value)
{
    char line[HEADER_LEN_MAX + 512];
    pxr_buf_t buf;

    pxr_buf_init(&buf, line, sizeof(line));
    pxr_buf_puts(&buf, name);
    /* The library's way to write a header without a value; a colon would take the header away. */
    pxr_buf_puts(&buf, value[0] != '\0' ? ": " : ";");
    pxr_buf_puts(&buf, value);
    return !buf.overflow && add_line(transfer, line);
}

static bool set_headers(pxr_transfer_t *transfer, const pxr_rest_request_t *request)
{
    if (!add_header(transfer, "Accept", "application/json") ||
        (request->body != NULL && !add_header(transfer, "Content-Type", "application/json")) ||
        /* No pause before the body to ask whether it is welcome. */
        !add_line(transfer, "Expect:")) {
        return false;
    }
    if (request->user_id != NULL && (!add_header(transfer, "X-User-Id", request->user_id) ||
                                     !add_header(transfer, "X-Auth-Token", request->token))) {
        return false;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        if (!add_header(transfer, request->headers[i].name, request->headers[i].value)) {
            return false;
        }
    }
    return curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK;
}

/* Origin and target apart, because the library would mend the path of a URL in its own way. */
static bool set_url(pxr_transfer_t *transfer, const char *base_url, const char *path)
{
    const char *host = strstr(base_url, "://") + 3;
    size_t origin = (size_t)(host - base_url) + strcspn(host, "/");
    size_t size = strlen(base_url) + strlen(path) + 1;
    char *target = malloc(size);
    pxr_buf_t buf;
    bool done;

    if (target == NULL) {
        return false;
    }
    pxr_buf_init(&buf, target, size);
    pxr_buf_puts(&buf, base_url + origin);
    pxr_buf_puts(&buf, path);
    pxr_text_copy(transfer->origin, sizeof(transfer->origin), base_url, origin);
    done = curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->origin) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK;
    free(target);
    return done;
}

static bool set_body(CURL *easy, const pxr_rest_request_t *request)
{
    if (request->method == PXR_REST_GET) {
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)(request->body != NULL ? request->body_len : 0)) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
                            request->body != NULL ? request->body : "") == CURLE_OK &&
           /* On a kept connection the library would repeat the request if that had been closed. */
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
}

static bool set_tls(CURL *easy, const pxr_rest_request_t *request)
{
    bool own = request->ca_file != NULL || request->ca_path != NULL;

    return curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           /* Both, because the one that is not set would stay the system's. */
           (!own || (curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK &&
                     curl_easy_setopt(easy, CURLOPT_CAPATH, request->ca_path) == CURLE_OK));
}

static bool set_authentication(CURL *easy, const pxr_rest_request_t *request)
{
    return request->basic_user == NULL ||
           (curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_USERNAME, request->basic_user) == CURLE_OK &&
            curl_easy_setopt(easy, CURLOPT_PASSWORD, request->basic_secret) == CURLE_OK);
}

static bool set_limits(CURL *easy, const pxr_rest_request_t *request, const char *base_url)
{
    int64_t connect = request->connect_time > 0 ? request->connect_time : PXR_REST_CONNECT_WAIT;
    bool plain = strncmp(base_url, "http:", 5) == 0;

    return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "mod_pexip_rc") == CURLE_OK &&
           /* Rounded up: 0 would mean the library's own five minutes. */
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)((connect + 999) / 1000)) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_SECONDS_MAX) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           /* A name server that hangs must not hold up whoever gives up waiting. */
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
}

static int connection_stands(void *transfer, char *peer, char *local, int peer_port, int local_port)
{
    pxr_transfer_t *t = transfer;

    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    if (t->deadline <= pxr_time_steady()) {
        /* This process stood still: what it was about to say may be wrong by now. */
        t->fault = "no connection in time";
        return CURL_PREREQFUNC_ABORT;
    }
    t->sent = true;
    return CURL_PREREQFUNC_OK;
}

static bool set_callbacks(pxr_transfer_t *transfer)
{
    CURL *easy = transfer->easy;

    return curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, connection_stands) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, pxr_transfer_take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pxr_transfer_take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

bool pxr_request_prepare(pxr_transfer_t *transfer, const pxr_rest_request_t *request,
                         const char *base_url)
{
    transfer->answer_max = request->answer_max > 0 ? request->answer_max : PXR_REST_ANSWER_MAX;
    return set_url(transfer, base_url, request->path) && set_body(transfer->easy, request) &&
           set_tls(transfer->easy, request) && set_authentication(transfer->easy, request) &&
           set_limits(transfer->easy, request, base_url) && set_callbacks(transfer) &&
           set_headers(transfer, request);
}
