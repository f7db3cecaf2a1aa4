#ifndef PXR_LINK_H
#define PXR_LINK_H

#include <stdbool.h>

#include "pxr_status.h"
#include "pxr_text.h"

/* Who opens the Pexip web app and how. NULL and empty texts are left out. */
typedef struct {
    const char *discussion; /* URL of the chat beside the meeting, from pxr_link_discussion() */
    const char *pin;
    const char *name;
    bool mute_microphone;
    bool mute_camera;
} pxr_visitor_t;

/* Appends the personal web app URL: `base_url`, then `meeting_path` with {alias} replaced by
 * `alias`, then rid, pin, name and muting, every value percent-encoded once (web app reference
 * 1.3). Any thread. */
void pxr_link_personal(pxr_buf_t *out, const char *base_url, const char *meeting_path,
                       const char *alias, const pxr_visitor_t *visitor);

/* Appends the URL of a room as Rocket.Chat embeds it: `type` is "c" or "p", `name` the internal
 * one. False, and nothing appended, for other types and for a name or site that has any character
 * that would have to be percent-encoded: the stock plugin decodes rid twice (Rocket.Chat reference
 * 5.4). Any thread. */
bool pxr_link_discussion(pxr_buf_t *out, const char *site_url, const char *type, const char *name);

/* Checks a URL from a directive: absolute, https (or http on the loopback interface, or anywhere
 * where `allow_http`), a host, which is an IPv4 address in four numbers where its last label is a
 * number, no user information, no query or fragment. On success writes it without trailing slash
 * to `out`; without `allow_path` only an origin is taken. Else
 * PXR_INVALID or PXR_TOO_LONG, and `why` is one sentence without full stop. Any thread. */
pxr_status_t pxr_link_check_url(const char *text, bool allow_http, bool allow_path, pxr_buf_t *out,
                                const char **why);

/* Checks PexipRCMeetingPath: starts with '/', has `?` and {alias}, no blanks, no fragment.
 * PXR_OK, or PXR_INVALID and `why` as above. Any thread. */
pxr_status_t pxr_link_check_meeting_path(const char *path, const char **why);

#endif
