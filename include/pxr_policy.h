#ifndef PXR_POLICY_H
#define PXR_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"
#include "pxr_status.h"
#include "pxr_text.h"

/*
 * Service configuration, participant properties and media location of the Pexip external policy
 * API: what a request asks for and what is answered. The wire format is that of Pexip's pages
 * "Requests and responses when using the Pexip Infinity external policy API". All functions may be
 * called from any thread.
 */

/* PexipRCServiceOption name value, both checked. */
typedef struct {
    const char *name;
    const char *value;
} pxr_option_t;

/* What the administrator chose; valid as long as the configuration. */
typedef struct {
    const char *theme;       /* NULL: Infinity's default theme */
    const char *view;        /* one of the ten safe layouts */
    const char *service_tag; /* never empty */
    bool locked;
    const pxr_option_t *options;
    size_t option_count;
} pxr_answer_settings_t;

/* What belongs to one meeting. Without PINs (both "") nobody is a guest and nothing is locked. */
typedef struct {
    const char *name; /* the meeting id */
    const char *title;
    size_t title_len; /* 0: `Rocket.Chat` is shown */
    const char *host_pin;
    const char *guest_pin;
} pxr_answer_meeting_t;

/* Checks one option against the fields that Pexip knows for a conference. PXR_OK, or PXR_INVALID
 * with a sentence in `why`. `breakout_rooms` and `direct_media` exclude each other: see below. */
pxr_status_t pxr_option_check(const char *name, const char *value, pxr_buf_t *why);

/* Checks what only several options together can break, and that the longest answer fits. */
pxr_status_t pxr_answer_check(const pxr_answer_settings_t *settings, pxr_buf_t *why);

/* The value of an option, NULL where it is not set. */
const char *pxr_option_value(const pxr_answer_settings_t *settings, const char *name);

/* Whether the settings turn the boolean option on. */
bool pxr_option_is_true(const pxr_answer_settings_t *settings, const char *name);

/* Whether `view` is one of the layouts that every source confirms. */
bool pxr_layout_known(const char *view);

/* The layouts as one text, for messages. */
const char *pxr_layout_names(void);

/* Checks a PIN pair by the rules of the policy reference 3.4: different, same length, digits with
 * an optional '#' at the end of both. `why` gets a sentence that does not show the PINs. */
pxr_status_t pxr_pins_check(const char *host, const char *guest, pxr_buf_t *why);

/* Checks a single PIN. */
pxr_status_t pxr_pin_check(const char *pin, pxr_buf_t *why);

/* Renders the complete answer. Refuses with PXR_INVALID or PXR_TOO_LONG what a Conferencing Node
 * would throw away as a whole; `out` must not be used then. */
pxr_status_t pxr_answer_render(const pxr_answer_settings_t *settings,
                               const pxr_answer_meeting_t *meeting, pxr_buf_t *out);

/* Renders the answer for one breakout room of the meeting `name`. */
pxr_status_t pxr_answer_render_breakout(const char *name, const char *service_tag, const char *uuid,
                                        pxr_buf_t *out);

/* The answer that refuses a call; `reason` is for the administrator's log on the node. */
void pxr_answer_render_reject(const char *reason, pxr_buf_t *out);

/* The answer that leaves Infinity its own behaviour; goes with HTTP status 404. */
extern const char pxr_answer_not_ours[];

/* Participant properties: somebody comes in as he is, or is turned away because it is over. */
extern const char pxr_answer_as_is[];
extern const char pxr_answer_over[];

/* Media location: the first name is the location, the others take what does not fit there. PXR_OK,
 * or PXR_TOO_LONG; `out` must not be used then. */
pxr_status_t pxr_answer_render_location(const char *const *names, size_t count, pxr_buf_t *out);

/* What a request asks for. */
typedef struct {
    char alias[PXR_DIALLED_MAX + 1]; /* as dialled, or the name of the service that is meant */
    size_t alias_len;                /* 0: nothing usable was sent */
    char breakout[PXR_UUID_MAX + 1]; /* "" where no breakout room is meant */
    bool joins;                      /* dial_in and no probe: somebody is on the way */
} pxr_policy_request_t;

/* Reads a service configuration request. Never fails: what cannot be understood has alias_len 0 and
 * is nobody's. */
void pxr_policy_request_read(const char *query, size_t len, pxr_policy_request_t *out);

/* The same for a request about one participant. His service is known by then, and counts: after a
 * transfer what he dialled may be another meeting's. */
void pxr_participant_request_read(const char *query, size_t len, pxr_policy_request_t *out);

#endif
