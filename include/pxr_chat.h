#ifndef PXR_CHAT_H
#define PXR_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"
#include "pxr_meeting.h"
#include "pxr_text.h"

/*
 * What Rocket.Chat's rooms are told about a meeting, as its Markdown. Pure functions, any thread.
 * A text is never longer than PXR_CHAT_UNITS_MAX as Rocket.Chat counts (UTF-16 code units), so a
 * buffer of PXR_CHAT_TEXT_SIZE bytes takes every one; a smaller buffer may overflow. Every line
 * begins with an invisible character, so that no text of ours can trigger a webhook, whatever its
 * trigger word is.
 */

/* A meeting as its room sees it. All texts are borrowed. */
typedef struct {
    const char *id;
    const char *site_url; /* without trailing slash */
    const char *join_url;
    const char *title;   /* NULL or "": none */
    const char *creator; /* display name; NULL or "": unknown */
    pxr_meeting_state_t state;
    bool closed;           /* nobody else can join */
    bool inferred;         /* ended although some node never said so: times are about right */
    bool by_name;          /* false: people are counted and nobody is named */
    pxr_time_t started_at; /* 0: never */
    pxr_time_t ended_at;
    size_t people;            /* live: in it now; ended: who ever was in it */
    const char *const *names; /* live: some of them, in an order that is the caller's */
    size_t names_count;
} pxr_chat_t;

/* The meeting's message in the room. The same input gives the same text. While people can
 * join it has the link of pxr_chat_put_link(); where the meeting is ended, the word `ended`. */
void pxr_chat_put_message(pxr_buf_t *out, const pxr_chat_t *chat);

/* The same as that message for an open meeting, whatever state it is in: the webhook's answer
 * where we cannot post and edit ourselves. */
void pxr_chat_put_answer(pxr_buf_t *out, const pxr_chat_t *chat);

/* The direct message to the creator with his personal link, which is a secret of his. */
void pxr_chat_put_personal(pxr_buf_t *out, const pxr_chat_t *chat, const char *personal_url);

/* The bare address that opens a call window in the desktop client and a tab on the web (Rocket.Chat
 * reference 2.5). `url` gets a parameter where it has none, because the client appends `&name=`. */
void pxr_chat_put_link(pxr_buf_t *out, const char *site_url, const char *id, const char *url);

/* Appends `text` as one line that Rocket.Chat shows as it is: it mentions nobody, formats nothing,
 * links nowhere, and cannot turn the direction of what stands beside it. Cut with an ellipsis to
 * at most `units` UTF-16 code units. Any bytes are taken. */
void pxr_chat_put_plain(pxr_buf_t *out, const char *text, size_t len, size_t units);

/* Appends a duration for people: `less than a minute`, `42 min`, `1 h 5 min`, `2 h`. */
void pxr_chat_put_duration(pxr_buf_t *out, int64_t duration);

/* UTF-16 code units of valid UTF-8. */
size_t pxr_chat_units(const char *text, size_t len);

/* Messages of ours have ids that follow from the meeting, so that a second attempt to post one is
 * known as such. */
typedef enum {
    PXR_CHAT_ROOM = 1, /* the meeting's message */
    PXR_CHAT_REPLY,    /* the last word in its thread, where it cannot be edited */
    PXR_CHAT_DIRECT,   /* the personal link */
} pxr_chat_purpose_t;

/* Writes PXR_CHAT_ID_LEN characters of [A-Za-z0-9] and a NUL: always the same for the same secret,
 * meeting and purpose. The meeting id can be read in the room; without the secret (which may be
 * empty) nobody can say in advance which id a message will have, and take it before us. */
void pxr_chat_message_id(const char *secret, const char *meeting_id, pxr_chat_purpose_t purpose,
                         char out[PXR_CHAT_ID_LEN + 1]);

/* The chat of a conference that is none of our meetings is kept by a record that is a meeting only
 * to the store, the database and the messenger: nobody can dial it, and no list shows it. Its id
 * follows from what all machines know: `secret`, the room below which the chat is, the hash of the
 * conference's name, and the day of `now` (UTC). No meeting has an id of this kind. */
void pxr_chat_record_id(const char *secret, const char *room_id, uint64_t conference,
                        pxr_time_t now, char out[PXR_CHAT_RECORD_ID_LEN + 1]);
/* Whether an id is such a record's. */
bool pxr_chat_is_record(const char *id);

#endif
