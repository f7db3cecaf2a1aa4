#ifndef PXR_JSON_INTERNAL_H
#define PXR_JSON_INTERNAL_H

#include <jansson.h>

#include "pxr_json.h"

/* json_dumpb() */
#if JANSSON_VERSION_HEX < 0x020A00
#error "mod_pexip_rc needs jansson 2.10 or newer"
#endif

struct pxr_json_doc {
    json_t *root;
};

/* Where a value ends: the first byte behind the value that begins at `at`, or `len` where it is not
 * closed. Sets *depth to its nesting. Strings are respected, brackets are only counted. */
size_t pxr_scan_value(const char *text, size_t len, size_t at, size_t *depth);

/* The first byte at or behind `at` that is no white space of JSON. */
size_t pxr_scan_blank(const char *text, size_t len, size_t at);

/* Whether the text's value is nested deeper than `most`: the parser would follow it to a depth of
 * 2048, with the stack of the thread. */
bool pxr_scan_is_deep(const char *text, size_t len, size_t most);

/* The first byte behind the string that begins with the quotation mark at `at`. */
size_t pxr_scan_string(const char *text, size_t len, size_t at);

/* Writes the path of the innermost member that holds byte `at`, such as `room.id`. */
void pxr_member_at(const char *text, size_t len, size_t at, pxr_buf_t *out);

/* members.c: what several answers have. NULL and "" are null, like 0 for times. */
json_t *pxr_json_text(const char *text);
json_t *pxr_json_time(pxr_time_t when);
/* What a person in a meeting and one in its history have in common. */
json_t *pxr_json_person(const char *id, const char *name, pxr_role_t role, const char *protocol,
                        pxr_time_t connected_at);
/* room, creator and discussion. */
void pxr_json_set_details(json_t *json, const pxr_details_t *details);

/* requests.c: a sentence about a member, such as `room.id`; the result is PXR_INVALID. */
pxr_status_t pxr_json_refuse(pxr_buf_t *why, const char *member, const char *reason);

/* Reads a text of at most `most` characters of `object`, which may be NULL. null counts as absent,
 * and *text is NULL then. */
pxr_status_t pxr_json_read_text(const json_t *object, const char *member, size_t most,
                                const char **text, size_t *len, pxr_buf_t *why);
/* Reads true or false; `otherwise` where it is absent or null. */
pxr_status_t pxr_json_read_flag(const json_t *root, const char *member, bool otherwise, bool *out,
                                pxr_buf_t *why);

/* answers.c: the text of `json`, whose reference it takes. NULL gives NULL. */
char *pxr_json_dump(json_t *json);

/* webhook.c: a moment as a text of RFC 3339, as {"$date": milliseconds} or as milliseconds; 0 where
 * it is absent. False where it is none of them. */
bool pxr_json_moment(const json_t *value, pxr_time_t *out);

#endif
