#include "join.h"

/* An id, a token and a name, percent-encoded. */
#define BODY_MAX (8 * 1024)

static bool is_type(request_rec *r, const char *wanted)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    size_t len = strlen(wanted);

    return type != NULL && strncasecmp(type, wanted, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static bool read_form(pxr_visit_t *visit, const char *body, size_t len)
{
    enum { USER, TOKEN, NAME, FIELDS };
    pxr_credentials_t *credentials = &visit->credentials;
    char name[4 * PXR_NAME_CHARS + 1];
    pxr_query_field_t fields[FIELDS] = {
        [USER] = {.name = "userId",
                  .value = credentials->user_id,
                  .size = sizeof(credentials->user_id)},
        [TOKEN] = {.name = "authToken",
                   .value = credentials->token,
                   .size = sizeof(credentials->token)},
        [NAME] = {.name = "name", .value = name, .size = sizeof(name)},
    };

    pxr_query_read(body, len, fields, FIELDS);
    if (fields[NAME].len > 0) {
        pxr_text_line(visit->name, sizeof(visit->name), name, fields[NAME].len);
    }
    visit->posted = fields[USER].present || fields[TOKEN].present;
    return !fields[USER].bad && !fields[TOKEN].bad && !fields[NAME].bad;
}

/* Both or neither, and such as a workspace gives out. */
static bool is_complete(const pxr_visit_t *visit)
{
    return !visit->posted || pxr_identity_usable(&visit->credentials);
}

int pxr_join_read_body(pxr_visit_t *visit, const char **why)
{
    request_rec *r = visit->r;
    pxr_credentials_t *credentials = &visit->credentials;
    char *body;
    apr_size_t len;
    bool good;
    int status = pxr_read_body(r, BODY_MAX, &body, &len);

    *why = "the body cannot be read";
    if (status == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        *why = "the body must have at most 8192 bytes";
    }
    if (status != OK) {
        return status;
    }
    if (len == 0) {
        return OK;
    }
    if (is_type(r, "application/json")) {
        visit->by_script = true;
        visit->posted = true;
        *why = "the body must be an object with the texts userId and authToken";
        good = pxr_json_read_session(body, len, credentials->user_id, sizeof(credentials->user_id),
                                     credentials->token, sizeof(credentials->token)) == PXR_OK;
    } else if (is_type(r, "application/x-www-form-urlencoded")) {
        *why = "the form must have userId and authToken, or neither of them";
        good = read_form(visit, body, len);
    } else {
        *why = "the body must be JSON or a form";
        good = false;
    }
    return good && is_complete(visit) ? OK : HTTP_BAD_REQUEST;
}
