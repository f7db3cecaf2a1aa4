#include <stdlib.h>
#include <string.h>

#include "json_internal.h"
#include "pxr_rocketchat.h"

static const char *some(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Buttons are an attachment, because that needs no app. *good is false where they are wanted but
 * cannot be made. */
static json_t *attachments(const pxr_rc_post_t *post, bool *good)
{
    json_t *json;

    *good = true;
    if (some(post->button_text) == NULL || some(post->button_url) == NULL) {
        return NULL;
    }
    json = json_pack("[{s:s*, s:s, s:[{s:s, s:s, s:s}]}]", "title", some(post->title),
                     "button_alignment", "horizontal", "actions", "type", "button", "text",
                     post->button_text, "url", post->button_url);
    *good = json != NULL;
    return json;
}

static const char *text_of(const pxr_rc_post_t *post)
{
    return post->text != NULL ? post->text : "";
}

char *pxr_rc_write_send(const char *message_id, const char *room_id, const pxr_rc_post_t *post)
{
    bool good;
    json_t *buttons = attachments(post, &good);

    if (!good) {
        return NULL;
    }
    return pxr_json_dump(json_pack("{s:{s:s, s:s, s:s, s:s*, s:o*}, s:[]}", "message", "_id",
                                   message_id, "rid", room_id, "msg", text_of(post), "tmid",
                                   some(post->thread_id), "attachments", buttons, "previewUrls"));
}

char *pxr_rc_write_update(const char *room_id, const char *message_id, const char *text)
{
    return pxr_json_dump(json_pack("{s:s, s:s, s:s, s:[]}", "roomId", room_id, "msgId", message_id,
                                   "text", text, "previewUrls"));
}

char *pxr_rc_write_discuss(const char *parent_id, const char *name, const char *const *usernames,
                           size_t username_count)
{
    json_t *json = json_pack("{s:s, s:s, s:b}", "prid", parent_id, "t_name", name, "encrypted", 0);
    json_t *users;

    if (username_count == 0 || json == NULL) {
        return pxr_json_dump(json);
    }
    users = json_array();
    for (size_t i = 0; i < username_count; i++) {
        if (json_array_append_new(users, json_string(usernames[i])) != 0) {
            json_decref(users);
            json_decref(json);
            return NULL;
        }
    }
    if (json_object_set_new(json, "users", users) != 0) {
        json_decref(json);
        return NULL;
    }
    return pxr_json_dump(json);
}

char *pxr_rc_write_invite(const char *room_id, const char *user_id)
{
    return pxr_json_dump(json_pack("{s:s, s:s}", "roomId", room_id, "userId", user_id));
}

char *pxr_rc_write_direct(const char *username)
{
    return pxr_json_dump(json_pack("{s:s}", "username", username));
}

char *pxr_rc_write_webhook(const pxr_rc_post_t *post)
{
    bool good;
    json_t *buttons;

    if (post == NULL) {
        return pxr_json_dump(json_object());
    }
    buttons = attachments(post, &good);
    if (!good) {
        return NULL;
    }
    return pxr_json_dump(json_pack("{s:s, s:s*, s:o*}", "text", text_of(post), "tmid",
                                   some(post->thread_id), "attachments", buttons));
}

char *pxr_rc_write_callback(const char *call_id)
{
    return pxr_json_dump(json_pack("{s:s}", "callId", call_id));
}

/* Reads a text of at most `most` characters; null is absent. */
static bool may_have(const json_t *object, const char *key, size_t most, const char **out)
{
    const json_t *value = json_object_get(object, key);

    *out = NULL;
    if (value == NULL || json_is_null(value)) {
        return true;
    }
    if (!json_is_string(value) ||
        memchr(json_string_value(value), '\0', json_string_length(value)) != NULL ||
        pxr_utf8_count(json_string_value(value), json_string_length(value)) > most) {
        return false;
    }
    *out = json_string_value(value);
    return true;
}

/* The same for a name that nothing depends on: people may have made it longer than any of ours. */
static bool may_be_called(const json_t *object, const char *key, const char **out)
{
    if (!may_have(object, key, SIZE_MAX, out)) {
        return false;
    }
    if (*out != NULL && pxr_utf8_count(*out, strlen(*out)) > PXR_NAME_CHARS) {
        *out = NULL;
    }
    return true;
}

static bool must_have(const json_t *object, const char *key, size_t most, const char **out)
{
    return may_have(object, key, most, out) && *out != NULL && (*out)[0] != '\0';
}

/* u._id, where there is an author. */
static bool read_author(const json_t *object, const char **out)
{
    const json_t *author = json_object_get(object, "u");

    *out = NULL;
    return author == NULL || json_is_null(author) ||
           (json_is_object(author) && may_have(author, "_id", PXR_ID_CHARS, out));
}

bool pxr_rc_read_message(const pxr_json_doc_t *doc, pxr_rc_message_t *out)
{
    const json_t *message = json_object_get(doc->root, "message");

    memset(out, 0, sizeof(*out));
    return must_have(message, "_id", PXR_ID_CHARS, &out->id) &&
           must_have(message, "rid", PXR_ID_CHARS, &out->room_id) &&
           may_have(message, "msg", SIZE_MAX, &out->text) && out->text != NULL &&
           may_have(message, "tmid", PXR_ID_CHARS, &out->thread_id) &&
           read_author(message, &out->user_id);
}

static bool read_room(const json_t *room, pxr_rc_room_t *out)
{
    memset(out, 0, sizeof(*out));
    return must_have(room, "_id", PXR_ID_CHARS, &out->id) &&
           must_have(room, "t", PXR_ID_CHARS, &out->type) &&
           may_be_called(room, "name", &out->name) &&
           may_be_called(room, "fname", &out->full_name) &&
           may_have(room, "prid", PXR_ID_CHARS, &out->parent_id) &&
           read_author(room, &out->owner_id) &&
           pxr_json_moment(json_object_get(room, "ts"), &out->created_at);
}

bool pxr_rc_read_room(const pxr_json_doc_t *doc, pxr_rc_room_t *out)
{
    return read_room(json_object_get(doc->root, "room"), out);
}

bool pxr_rc_read_discussion(const pxr_json_doc_t *doc, pxr_rc_room_t *out)
{
    return read_room(json_object_get(doc->root, "discussion"), out);
}

bool pxr_rc_count_discussions(const pxr_json_doc_t *doc, size_t *count)
{
    const json_t *list = json_object_get(doc->root, "discussions");

    *count = json_array_size(list);
    return json_is_array(list);
}

bool pxr_rc_read_discussions(const pxr_json_doc_t *doc, size_t index, pxr_rc_room_t *out)
{
    return read_room(json_array_get(json_object_get(doc->root, "discussions"), index), out);
}

bool pxr_rc_read_me(const pxr_json_doc_t *doc, pxr_rc_user_t *out)
{
    const json_t *active = json_object_get(doc->root, "active");

    memset(out, 0, sizeof(*out));
    /* Who is not active has no session either, so saying nothing is no contradiction. */
    out->active = active == NULL || json_is_true(active);
    return must_have(doc->root, "_id", PXR_ID_CHARS, &out->id) &&
           may_have(doc->root, "username", SIZE_MAX, &out->username) &&
           may_have(doc->root, "name", SIZE_MAX, &out->name) &&
           (active == NULL || json_is_boolean(active));
}

bool pxr_rc_read_direct(const pxr_json_doc_t *doc, const char **room_id)
{
    const json_t *room = json_object_get(doc->root, "room");

    /* Older versions call it rid, newer ones both. */
    return must_have(room, "rid", PXR_ID_CHARS, room_id) ||
           must_have(room, "_id", PXR_ID_CHARS, room_id);
}
