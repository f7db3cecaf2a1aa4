#include "json_internal.h"

json_t *pxr_json_text(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

json_t *pxr_json_time(pxr_time_t when)
{
    char text[PXR_TIME_TEXT];

    if (when == 0) {
        return json_null();
    }
    pxr_time_format(when, text);
    return json_string(text);
}

json_t *pxr_json_person(const char *id, const char *name, pxr_role_t role, const char *protocol,
                        pxr_time_t connected_at)
{
    json_t *json = json_object();

    json_object_set_new(json, "id", json_string(id));
    json_object_set_new(json, "name", json_string(name));
    json_object_set_new(json, "role", json_string(pxr_role_name(role)));
    json_object_set_new(json, "protocol", pxr_json_text(protocol));
    json_object_set_new(json, "connected_at", pxr_json_time(connected_at));
    return json;
}

/* An object of texts, or null where its id is absent. */
static json_t *named(const pxr_details_t *details, pxr_detail_t id, const char *const *keys,
                     size_t count)
{
    json_t *object;

    if (details->len[id] == 0) {
        return json_null();
    }
    object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(object, keys[i], pxr_json_text(details->text[(size_t)id + i]));
    }
    return object;
}

void pxr_json_set_details(json_t *json, const pxr_details_t *details)
{
    static const char *const room_keys[] = {"id", "name", "type"};
    static const char *const creator_keys[] = {"id", "username", "name"};

    json_object_set_new(json, "room", named(details, PXR_ROOM_ID, room_keys, 3));
    json_object_set_new(json, "creator", named(details, PXR_CREATOR_ID, creator_keys, 3));
    json_object_set_new(json, "discussion", named(details, PXR_DISCUSSION_ID, room_keys, 3));
}
