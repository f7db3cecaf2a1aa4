#include "pxr_httpd.h"

#include <apr_strings.h>

#include <stdlib.h>

#define FIRST_SIZE 16384

/* Grows outside the request's pool: a pool would keep every size it ever had. */
typedef struct {
    char *data;
    apr_size_t size;
    apr_size_t len;
} memory_t;

static apr_status_t release(void *data)
{
    free(((memory_t *)data)->data);
    return APR_SUCCESS;
}

static bool make_room(memory_t *memory, apr_size_t more)
{
    apr_size_t size = memory->size != 0 ? memory->size : FIRST_SIZE;
    char *data;

    while (size - memory->len < more + 1) {
        size *= 2;
    }
    if (size == memory->size) {
        return true;
    }
    data = realloc(memory->data, size);
    if (data == NULL) {
        return false;
    }
    memory->data = data;
    memory->size = size;
    return true;
}

/* Takes what is in the brigade. *end is set at the end of the body. */
static int take(memory_t *memory, apr_bucket_brigade *bb, apr_size_t max, bool *end)
{
    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;
        apr_status_t rv;

        if (APR_BUCKET_IS_EOS(b)) {
            *end = true;
            return OK;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
        if (len > max - memory->len) {
            return HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
        if (!make_room(memory, len)) {
            return HTTP_SERVICE_UNAVAILABLE;
        }
        memcpy(memory->data + memory->len, data, len);
        memory->len += len;
    }
    return OK;
}

int pxr_read_body(request_rec *r, apr_size_t max, char **body, apr_size_t *len)
{
    memory_t *memory = apr_pcalloc(r->pool, sizeof(*memory));
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    const char *announced = apr_table_get(r->headers_in, "Content-Length");
    bool end = false;

    /* What is announced as too large is not read at all. */
    if (announced != NULL && apr_atoi64(announced) > (apr_int64_t)max) {
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    apr_pool_cleanup_register(r->pool, memory, release, apr_pool_cleanup_null);
    if (!make_room(memory, 0)) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    while (!end) {
        apr_status_t rv =
            ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ, 65536);
        int status = rv == APR_SUCCESS ? take(memory, bb, max, &end)
                                       : ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        apr_brigade_cleanup(bb);
        if (status != OK) {
            return status;
        }
    }
    memory->data[memory->len] = '\0';
    *body = memory->data;
    *len = memory->len;
    return OK;
}

pxr_json_doc_t *pxr_read_json(request_rec *r, bool mend, int *reply)
{
    char sentence[320];
    pxr_json_doc_t *doc;
    char *body;
    apr_size_t len;
    pxr_buf_t why;
    int status = pxr_read_body(r, PXR_API_BODY_MAX, &body, &len);

    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        *reply = pxr_reply_problem(r, status, "the body must have at most 65536 bytes");
        return NULL;
    }
    if (status != OK) {
        *reply = status;
        return NULL;
    }
    if (mend) {
        pxr_json_mend(body, len);
    }
    pxr_buf_init(&why, sentence, sizeof(sentence));
    doc = pxr_json_parse(body, len, &why);
    if (doc == NULL) {
        *reply = pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
    }
    return doc;
}
