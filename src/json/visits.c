#include <string.h>

#include "json_internal.h"

/* Nobody sends more levels. */
#define DEPTH_MAX 64

/* `flags`: of jansson, besides that no member may be there twice. */
static json_t *load(const char *text, size_t len, size_t flags)
{
    return pxr_scan_is_deep(text, len, DEPTH_MAX)
               ? NULL
               : json_loadb(text, len, flags | JSON_REJECT_DUPLICATES, NULL);
}

bool pxr_json_is_object(const char *text, size_t len)
{
    json_t *json = load(text, len, JSON_ALLOW_NUL);
    bool is_object = json_is_object(json);

    json_decref(json);
    return is_object;
}

static pxr_status_t copy_text(const json_t *object, const char *key, char *out, size_t size)
{
    const json_t *value = json_object_get(object, key);
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len == 0) {
        return PXR_INVALID;
    }
    if (len >= size) {
        return PXR_TOO_LONG;
    }
    memcpy(out, json_string_value(value), len + 1);
    return PXR_OK;
}

pxr_status_t pxr_json_read_session(const char *body, size_t len, char *user_id, size_t user_id_size,
                                   char *token, size_t token_size)
{
    json_t *json = load(body, len, 0);
    pxr_status_t status = copy_text(json, "userId", user_id, user_id_size);

    if (status == PXR_OK) {
        status = copy_text(json, "authToken", token, token_size);
    }
    json_decref(json);
    return status;
}

char *pxr_json_write_visit(const char *url, bool host, bool recognised)
{
    return pxr_json_dump(json_pack("{s:s, s:s, s:b}", "url", url, "role", host ? "host" : "guest",
                                   "recognised", recognised));
}
