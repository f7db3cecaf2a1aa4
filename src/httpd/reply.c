#include "pxr_httpd.h"

#include <apr_strings.h>

int pxr_reply(request_rec *r, int status, const char *type, const char *text, apr_size_t len)
{
    r->status = status;
    /* Bodies are short, and a filter that compresses them costs more than it saves. */
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    /* Titles and names are in it, which must not be taken for a page. */
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)len);
    if (len > 0) {
        ap_rwrite(text, (int)len, r);
    }
    return OK;
}

int pxr_reply_json(request_rec *r, int status, char *text)
{
    int result;

    if (text == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PXR1025: an answer could not be built: no memory");
        return HTTP_SERVICE_UNAVAILABLE;
    }
    result = pxr_reply(r, status, "application/json", text, strlen(text));
    pxr_json_text_free(text);
    return result;
}

int pxr_reply_empty(request_rec *r, int status)
{
    r->status = status;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (status != HTTP_NO_CONTENT) {
        ap_set_content_length(r, 0);
    }
    return OK;
}

static const char *title_of(int status)
{
    switch (status) {
    case HTTP_BAD_REQUEST:
        return "Bad Request";
    case HTTP_INTERNAL_SERVER_ERROR:
        return "Internal Server Error";
    case HTTP_UNAUTHORIZED:
        return "Unauthorized";
    case HTTP_FORBIDDEN:
        return "Forbidden";
    case HTTP_NOT_FOUND:
        return "Not Found";
    case HTTP_METHOD_NOT_ALLOWED:
        return "Method Not Allowed";
    case HTTP_CONFLICT:
        return "Conflict";
    case HTTP_GONE:
        return "Gone";
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large";
    default:
        return "Service Unavailable";
    }
}

int pxr_reply_problem(request_rec *r, int status, const char *detail)
{
    char *text = pxr_json_write_problem(status, title_of(status), detail);
    int result = HTTP_SERVICE_UNAVAILABLE;

    if (status == HTTP_SERVICE_UNAVAILABLE) {
        apr_table_setn(r->headers_out, "Retry-After", "5");
    }
    if (text != NULL) {
        result = pxr_reply(r, status, "application/problem+json", text, strlen(text));
        pxr_json_text_free(text);
    }
    return result;
}

int pxr_reply_method(request_rec *r, const char *allowed)
{
    apr_table_setn(r->headers_out, "Allow", allowed);
    return pxr_reply_problem(r, HTTP_METHOD_NOT_ALLOWED,
                             apr_pstrcat(r->pool, "only ", allowed, " can be used here", NULL));
}

int pxr_reply_status(request_rec *r, pxr_status_t status)
{
    switch (status) {
    case PXR_MISSING:
        return pxr_reply_problem(r, HTTP_NOT_FOUND, "there is no such meeting");
    case PXR_FULL:
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "there is no room for another meeting");
    default:
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "the meetings cannot be reached at present");
    }
}
