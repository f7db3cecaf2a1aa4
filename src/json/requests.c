#include <stdlib.h>
#include <string.h>

#include "json_internal.h"
#include "pxr_alias.h"

/* Deeper than any request of ours. */
#define DEPTH_MAX 32

/* A window that begins later than this is a slip of the keyboard. */
#define WINDOW_MOST (10 * 366 * (int64_t)86400 * PXR_SECOND)

/* Says where the parser stumbled, by the name of the member. */
static void explain(const char *body, size_t len, const json_error_t *error, pxr_buf_t *why)
{
    size_t at = error->position > 0 ? (size_t)error->position - 1 : 0;
    char member[160];
    char text[JSON_ERROR_TEXT_LENGTH + 1];
    pxr_buf_t path;

    pxr_buf_init(&path, member, sizeof(member));
    pxr_member_at(body, len, at < len ? at : len, &path);
    pxr_text_line(text, sizeof(text), error->text, strlen(error->text));
    pxr_buf_puts(why, path.len > 0 ? member : "the body");
    pxr_buf_puts(why, ": no valid JSON: ");
    pxr_buf_puts(why, text);
}

pxr_json_doc_t *pxr_json_parse(const char *body, size_t len, pxr_buf_t *why)
{
    json_error_t error;
    pxr_json_doc_t *doc;
    json_t *root;

    if (pxr_scan_is_deep(body, len, DEPTH_MAX)) {
        pxr_buf_puts(why, "the body is nested too deeply");
        return NULL;
    }
    root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        explain(body, len, &error, why);
        return NULL;
    }
    if (!json_is_object(root)) {
        pxr_buf_puts(why, "the body must be a JSON object");
        json_decref(root);
        return NULL;
    }
    doc = malloc(sizeof(*doc));
    if (doc == NULL) {
        pxr_buf_puts(why, "no memory");
        json_decref(root);
        return NULL;
    }
    doc->root = root;
    return doc;
}

void pxr_json_free(pxr_json_doc_t *doc)
{
    if (doc != NULL) {
        json_decref(doc->root);
        free(doc);
    }
}

pxr_status_t pxr_json_refuse(pxr_buf_t *why, const char *member, const char *reason)
{
    pxr_buf_puts(why, member);
    pxr_buf_puts(why, " ");
    pxr_buf_puts(why, reason);
    return PXR_INVALID;
}

static pxr_status_t refuse_length(pxr_buf_t *why, const char *member, size_t most)
{
    pxr_buf_puts(why, member);
    pxr_buf_puts(why, " must have at most ");
    pxr_buf_put_int(why, (int64_t)most);
    pxr_buf_puts(why, " characters");
    return PXR_INVALID;
}

/* The last part of a path such as `room.id`. */
static const char *key_of(const char *member)
{
    const char *dot = strrchr(member, '.');

    return dot != NULL ? dot + 1 : member;
}

pxr_status_t pxr_json_read_text(const json_t *object, const char *member, size_t most,
                                const char **text, size_t *len, pxr_buf_t *why)
{
    const json_t *value = json_object_get(object, key_of(member));

    *text = NULL;
    *len = 0;
    if (value == NULL || json_is_null(value)) {
        return PXR_OK;
    }
    if (!json_is_string(value)) {
        return pxr_json_refuse(why, member, "must be a string");
    }
    *text = json_string_value(value);
    *len = json_string_length(value);
    if (memchr(*text, '\0', *len) != NULL) {
        return pxr_json_refuse(why, member, "must not contain U+0000");
    }
    if (pxr_utf8_count(*text, *len) > most) {
        return refuse_length(why, member, most);
    }
    return PXR_OK;
}

/* What a detail is called in the API. */
static const struct {
    pxr_detail_t detail;
    const char *object; /* NULL: of the meeting itself */
    const char *member;
    size_t most;
} texts[] = {
    {PXR_TITLE, NULL, "title", PXR_TITLE_CHARS},
    {PXR_ROOM_ID, "room", "room.id", PXR_ID_CHARS},
    {PXR_ROOM_NAME, "room", "room.name", PXR_NAME_CHARS},
    {PXR_ROOM_TYPE, "room", "room.type", 1},
    {PXR_CREATOR_ID, "creator", "creator.id", PXR_ID_CHARS},
    {PXR_CREATOR_USERNAME, "creator", "creator.username", PXR_NAME_CHARS},
    {PXR_CREATOR_NAME, "creator", "creator.name", PXR_NAME_CHARS},
    {PXR_DISCUSSION_ID, "discussion", "discussion.id", PXR_ID_CHARS},
    {PXR_DISCUSSION_NAME, "discussion", "discussion.name", PXR_NAME_CHARS},
    {PXR_DISCUSSION_TYPE, "discussion", "discussion.type", 1},
};

/* Finds an object; NULL where it is absent or null. */
static pxr_status_t read_object(const json_t *root, const char *member, const json_t **object,
                                pxr_buf_t *why)
{
    const json_t *value = json_object_get(root, member);

    *object = json_is_object(value) ? value : NULL;
    return value == NULL || json_is_null(value) || json_is_object(value)
               ? PXR_OK
               : pxr_json_refuse(why, member, "must be an object");
}

static pxr_status_t check_type(const char *member, const char *type, const char *legal,
                               pxr_buf_t *why)
{
    if (type == NULL || (strlen(type) == 1 && strchr(legal, type[0]) != NULL)) {
        return PXR_OK;
    }
    return pxr_json_refuse(why, member,
                           legal[2] == '\0' ? "must be c or p" : "must be c, p, d or l");
}

static pxr_status_t read_detail(const json_t *root, size_t which, pxr_details_t *details,
                                pxr_buf_t *why)
{
    const char *member = texts[which].member;
    const json_t *object =
        texts[which].object != NULL ? json_object_get(root, texts[which].object) : root;
    pxr_detail_t detail = texts[which].detail;
    bool is_type = texts[which].most == 1;
    /* A long type is a wrong type. */
    pxr_status_t status = pxr_json_read_text(object, member, is_type ? SIZE_MAX : texts[which].most,
                                             &details->text[detail], &details->len[detail], why);

    return status == PXR_OK && is_type
               ? check_type(member, details->text[detail],
                            detail == PXR_DISCUSSION_TYPE ? "cp" : "cpdl", why)
               : status;
}

static pxr_status_t read_details(const json_t *root, pxr_details_t *details, pxr_buf_t *why)
{
    const json_t *room;
    const json_t *creator;
    const json_t *discussion;

    if (read_object(root, "room", &room, why) != PXR_OK ||
        read_object(root, "creator", &creator, why) != PXR_OK ||
        read_object(root, "discussion", &discussion, why) != PXR_OK) {
        return PXR_INVALID;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (read_detail(root, i, details, why) != PXR_OK) {
            return PXR_INVALID;
        }
    }
    if (details->len[PXR_ROOM_ID] == 0) {
        return pxr_json_refuse(why, "room.id", "is required");
    }
    if (details->len[PXR_CREATOR_ID] == 0) {
        return pxr_json_refuse(why, "creator.id", "is required");
    }
    if (discussion != NULL && details->len[PXR_DISCUSSION_ID] == 0) {
        return pxr_json_refuse(why, "discussion.id", "is required where there is a discussion");
    }
    return PXR_OK;
}

static pxr_status_t read_moment(const json_t *root, const char *member, pxr_time_t *out,
                                pxr_buf_t *why)
{
    const json_t *value = json_object_get(root, member);

    *out = 0;
    if (value == NULL || json_is_null(value)) {
        return PXR_OK;
    }
    if (!json_is_string(value)) {
        return pxr_json_refuse(why, member, "must be a string");
    }
    if (!pxr_time_parse(json_string_value(value), json_string_length(value), out)) {
        return pxr_json_refuse(why, member,
                               "must be a time of RFC 3339 such as 2026-11-22T10:00:00Z");
    }
    return PXR_OK;
}

pxr_status_t pxr_json_read_create(const pxr_json_doc_t *doc, pxr_time_t now,
                                  pxr_create_request_t *out, pxr_buf_t *why)
{
    size_t id_len;

    memset(out, 0, sizeof(*out));
    if (pxr_json_read_flag(doc->root, "call", false, &out->call, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (pxr_json_read_text(doc->root, "id", PXR_MEETING_ID_MAX, &out->id, &id_len, why) != PXR_OK ||
        read_details(doc->root, &out->details, why) != PXR_OK ||
        read_moment(doc->root, "not_before", &out->not_before, why) != PXR_OK ||
        read_moment(doc->root, "not_after", &out->not_after, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (out->id != NULL && !pxr_meeting_id_valid(out->id, id_len)) {
        return pxr_json_refuse(why, "id", "must consist of 8 to 64 characters A-Z, a-z, 0-9");
    }
    if (out->not_after != 0 && out->not_after <= out->not_before) {
        return pxr_json_refuse(why, "not_after", "must be later than not_before");
    }
    if (out->not_after != 0 && out->not_after <= now) {
        return pxr_json_refuse(why, "not_after", "must not be past");
    }
    if (out->not_before > now + WINDOW_MOST) {
        return pxr_json_refuse(why, "not_before", "must be within the next ten years");
    }
    return PXR_OK;
}

pxr_status_t pxr_json_read_flag(const json_t *root, const char *member, bool otherwise, bool *out,
                                pxr_buf_t *why)
{
    const json_t *value = json_object_get(root, member);

    *out = otherwise;
    if (value == NULL || json_is_null(value)) {
        return PXR_OK;
    }
    if (!json_is_boolean(value)) {
        return pxr_json_refuse(why, member, "must be true or false");
    }
    *out = json_is_true(value);
    return PXR_OK;
}

pxr_status_t pxr_json_read_link(const pxr_json_doc_t *doc, pxr_link_request_t *out, pxr_buf_t *why)
{
    const json_t *user;
    const char *role;
    const char *username;
    size_t len;
    bool microphone;
    bool camera;

    memset(out, 0, sizeof(*out));
    if (read_object(doc->root, "user", &user, why) != PXR_OK ||
        pxr_json_read_text(user, "user.id", PXR_ID_CHARS, &out->user_id, &len, why) != PXR_OK ||
        pxr_json_read_text(user, "user.username", PXR_NAME_CHARS, &username, &len, why) != PXR_OK ||
        pxr_json_read_text(user, "user.name", PXR_NAME_CHARS, &out->name, &len, why) != PXR_OK ||
        pxr_json_read_text(doc->root, "role", SIZE_MAX, &role, &len, why) != PXR_OK ||
        pxr_json_read_flag(doc->root, "microphone", true, &microphone, why) != PXR_OK ||
        pxr_json_read_flag(doc->root, "camera", true, &camera, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (role != NULL && strcmp(role, "host") != 0 && strcmp(role, "guest") != 0) {
        return pxr_json_refuse(why, "role", "must be host or guest");
    }
    if (out->name == NULL || out->name[0] == '\0') {
        out->name = username;
    }
    out->has_role = role != NULL;
    out->host = role != NULL && strcmp(role, "host") == 0;
    out->mute_microphone = !microphone;
    out->mute_camera = !camera;
    return PXR_OK;
}

pxr_status_t pxr_json_read_info(const pxr_json_doc_t *doc, const char **user_id, pxr_buf_t *why)
{
    const json_t *user;
    size_t len;

    *user_id = NULL;
    if (read_object(doc->root, "user", &user, why) != PXR_OK) {
        return PXR_INVALID;
    }
    return pxr_json_read_text(user, "user.id", PXR_ID_CHARS, user_id, &len, why);
}

pxr_status_t pxr_json_read_action(const pxr_json_doc_t *doc, pxr_delivery_action_t *out,
                                  pxr_buf_t *why)
{
    const char *action;
    size_t len;

    if (pxr_json_read_text(doc->root, "action", SIZE_MAX, &action, &len, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (action != NULL && strcmp(action, "retry") == 0) {
        *out = PXR_DELIVERY_RETRY;
    } else if (action != NULL && strcmp(action, "drop") == 0) {
        *out = PXR_DELIVERY_DROP;
    } else {
        return pxr_json_refuse(why, "action", "must be retry or drop");
    }
    return PXR_OK;
}
