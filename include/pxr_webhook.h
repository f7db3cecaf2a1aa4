#ifndef PXR_WEBHOOK_H
#define PXR_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_chat.h"
#include "pxr_limits.h"
#include "pxr_text.h"
#include "pxr_time.h"

/*
 * What a message means that Rocket.Chat's outgoing webhook brings, and what is answered (interface
 * section 8). Pure functions, any thread. Texts keep the promises of pxr_chat.h.
 */

typedef enum {
    PXR_WEBHOOK_NOT_OURS,
    PXR_WEBHOOK_START,
    PXR_WEBHOOK_END,
    PXR_WEBHOOK_STATUS,
    PXR_WEBHOOK_HELP,
} pxr_webhook_command_t;

typedef struct {
    pxr_webhook_command_t command;
    const char *word; /* the command word as it was typed, borrowed from the text */
    size_t word_len;
    size_t title_len;
    char title[PXR_TITLE_CHARS * 4 + 1]; /* of START: one line, trimmed, cut; "" for none */
} pxr_webhook_request_t;

/* Reads `<word> [title]`, `<word> end`, `<word> status`, `<word> help`. The text begins, after
 * blanks, with exactly `trigger`, and that is followed by its end, a blank, a colon or a comma.
 * Without a trigger (NULL or blank) the first word counts as one where it begins with '!' or '/'.
 * A command stands alone, in any case of letters; with more behind it, it is a title. Any bytes
 * are taken. The request is large: not for a small stack. */
void pxr_webhook_read(pxr_webhook_request_t *request, const char *text, size_t len,
                      const char *trigger);

/* True for an edit of a message that was sent more than five minutes ago or nobody knows when:
 * nobody wants a meeting because he corrects what he wrote yesterday. */
bool pxr_webhook_is_stale(bool edited, pxr_time_t sent, pxr_time_t now);

/* Writes the id of the meeting that a message starts: PXR_MEETING_ID_OWN characters of
 * [A-Za-z0-9], always the same for the same secret, workspace and message, so that a webhook that
 * is sent twice, to whichever machine, starts one meeting. A client may choose the id of its
 * message; it cannot choose the meeting's by that, because the message id only goes into two
 * SipHashes whose keys follow from `secret`, the webhook's token, and the workspace. */
void pxr_webhook_meeting_id(const char *secret, const char *site_url, const char *message_id,
                            size_t len, char out[PXR_MEETING_ID_OWN + 1]);

/* How to use the webhook, for the command word as it was typed. */
void pxr_webhook_put_help(pxr_buf_t *out, const char *word, size_t len);

/* The room's meetings, as many as fit into one message; of the others it tells the number. */
void pxr_webhook_put_status(pxr_buf_t *out, const pxr_chat_t *meetings, size_t count,
                            pxr_time_t now);

/* After `end`. Where people are still in it the meeting only takes no more of them. */
void pxr_webhook_put_ended(pxr_buf_t *out, const char *title, bool people_stay);

/* What could not be done, told to the person. */
typedef enum {
    PXR_WEBHOOK_FULL,           /* no room for another meeting */
    PXR_WEBHOOK_DATABASE,       /* it does not answer */
    PXR_WEBHOOK_BROKEN,         /* anything that only the administrator can mend */
    PXR_WEBHOOK_NOTHING_TO_END, /* the caller has no meeting in this room */
    PXR_WEBHOOK_PROBLEMS,
} pxr_webhook_problem_t;

void pxr_webhook_put_problem(pxr_buf_t *out, pxr_webhook_problem_t problem);

#endif
