#ifndef PXR_REST_INTERNAL_H
#define PXR_REST_INTERNAL_H

#include <curl/curl.h>

#include "pxr_rest.h"
#include "pxr_text.h"
#include "pxr_time.h"

/* CURLOPT_QUICK_EXIT */
#if LIBCURL_VERSION_NUM < 0x075700
#error "mod_pexip_rc needs libcurl 7.87 or newer"
#endif

#define PXR_REST_URL_MAX 2048

/* One request on its way. Belongs to the thread of its multi. */
typedef struct pxr_transfer {
    struct pxr_transfer *next;
    pxr_rest_done_t done;
    void *context;
    int64_t deadline; /* of pxr_time_steady() */
    char origin[PXR_ORIGIN_MAX + 1];

    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    bool sent; /* the connection stands, so bytes may have gone */

    size_t answer_max;
    size_t header_bytes;
    size_t body_size;
    const char *fault;      /* why a callback has stopped the library; NULL: it has not */
    pxr_time_t server_time; /* 0: it did not say */
    pxr_time_t retry_at;    /* by the server's clock; 0: it did not say */
    pxr_time_t reset_at;
    pxr_rest_result_t result;
} pxr_transfer_t;

/* request.c: writes the base URL in its normal form. False where the request breaks a rule, with
 * one sentence without secrets. */
bool pxr_request_check(const pxr_rest_request_t *request, pxr_buf_t *base_url, pxr_buf_t *why);

/* Tells the handle what to do, and notes the origin. The request has been checked. False where
 * memory ran out. */
bool pxr_request_prepare(pxr_transfer_t *transfer, const pxr_rest_request_t *request,
                         const char *base_url);

/* answer.c: nothing is known yet. */
void pxr_transfer_begin(pxr_transfer_t *transfer);

/* The library's callbacks, whose last argument is the transfer. */
size_t pxr_transfer_take_header(char *line, size_t size, size_t count, void *transfer);
size_t pxr_transfer_take_body(char *data, size_t size, size_t count, void *transfer);

/* Fills the result; `why` overrules what the library says, unless it is NULL. */
void pxr_transfer_end(pxr_transfer_t *transfer, CURLcode code, const char *why);

#endif
