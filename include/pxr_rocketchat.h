#ifndef PXR_ROCKETCHAT_H
#define PXR_ROCKETCHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_json.h"
#include "pxr_rest_result.h"
#include "pxr_text.h"
#include "pxr_time.h"

/*
 * The bodies and answers of Rocket.Chat's REST API and of its outgoing webhook. Bodies have only
 * members that Rocket.Chat 6, 7 and 8 all take. Any thread.
 */

typedef enum {
    PXR_RC_SEND,           /* POST chat.sendMessage */
    PXR_RC_UPDATE,         /* POST chat.update */
    PXR_RC_MESSAGE,        /* GET chat.getMessage of a message id */
    PXR_RC_ROOM,           /* GET rooms.info of a room id */
    PXR_RC_DISCUSSIONS,    /* GET rooms.getDiscussions of a room id */
    PXR_RC_DISCUSS,        /* POST rooms.createDiscussion */
    PXR_RC_INVITE_PRIVATE, /* POST groups.invite */
    PXR_RC_INVITE_PUBLIC,  /* POST channels.invite */
    PXR_RC_DIRECT,         /* POST im.create */
    PXR_RC_ME,             /* GET me */
} pxr_rc_call_t;

/* Appends the path, with `id` in its query where the call is about one; else it is ignored. */
void pxr_rc_put_path(pxr_buf_t *out, pxr_rc_call_t call, const char *id);

/* A message in the making. NULL and "" are left out. */
typedef struct {
    const char *text;
    const char *thread_id;
    const char *title; /* above the button */
    const char *button_text;
    const char *button_url; /* both or no button */
} pxr_rc_post_t;

/* The functions below return text that the caller releases with pxr_json_text_free(), or NULL where
 * memory ran out or a text is no UTF-8. */

/* `message_id` is our own, so that a second attempt cannot make a second message. */
char *pxr_rc_write_send(const char *message_id, const char *room_id, const pxr_rc_post_t *post);
char *pxr_rc_write_update(const char *room_id, const char *message_id, const char *text);
char *pxr_rc_write_discuss(const char *parent_id, const char *name, const char *const *usernames,
                           size_t username_count);
char *pxr_rc_write_invite(const char *room_id, const char *user_id);
char *pxr_rc_write_direct(const char *username);

/* What the webhook answers; NULL is {}, which posts nothing. */
char *pxr_rc_write_webhook(const pxr_rc_post_t *post);

/* What the companion app's `ended` endpoint is told. */
char *pxr_rc_write_callback(const char *call_id);

typedef enum {
    PXR_RC_OK,
    /* Not done, or of a kind that does no harm when it is done twice: again after `wait`. */
    PXR_RC_LATER,
    /* PXR_RC_SEND and PXR_RC_DISCUSS only: may be done, so look before it is repeated. What answers
     * like this each time was refused in a way that nobody foresaw: give up after some rounds. */
    PXR_RC_UNKNOWN,
    /* Our credentials, or the whole workspace: nothing else will work either. */
    PXR_RC_FORBIDDEN,
    /* This room, or message, is closed to us for good: no member, unknown, archived, read only. */
    PXR_RC_REFUSED,
    /* PXR_RC_MESSAGE, PXR_RC_UPDATE, PXR_RC_ROOM, PXR_RC_DISCUSSIONS only: there is no such message
     * or room. */
    PXR_RC_MISSING,
    /* PXR_RC_UPDATE only: the message cannot be changed, or not any more. */
    PXR_RC_UNEDITABLE,
    /* Whoever answered, it was not Rocket.Chat's API. */
    PXR_RC_GARBLED,
} pxr_rc_verdict_t;

typedef struct {
    pxr_rc_verdict_t verdict;
    /* Microseconds until the server wants the next request of this kind, at most
     * PXR_REST_WAIT_MAX; 0: it did not say. With PXR_RC_OK too, where that was the last one it
     * takes for now. */
    int64_t wait;
    int status;                   /* HTTP's; 0: none */
    char key[PXR_RC_KEY_MAX + 1]; /* Rocket.Chat's name of the error; "": none */
    char reason[PXR_WHY_MAX + 1]; /* one line for people; "" with PXR_RC_OK */
    pxr_json_doc_t *doc;          /* what came with PXR_RC_OK; else NULL */
} pxr_rc_answer_t;

/* Never fails. Release with pxr_rc_answer_clear(). */
void pxr_rc_judge(pxr_rc_call_t call, const pxr_rest_result_t *result, pxr_rc_answer_t *answer);
void pxr_rc_answer_clear(pxr_rc_answer_t *answer);

/* Readers of `doc`. False where it is not what it should be: a member that is needed is absent, or
 * one has a wrong type or, being an id, more than PXR_ID_CHARS characters. Texts live as long as
 * the document; those that may be absent are NULL then. */

typedef struct {
    const char *id;
    const char *room_id;
    const char *text;      /* may be "" */
    const char *thread_id; /* may be absent */
    const char *user_id;   /* of its author; may be absent */
} pxr_rc_message_t;

/* Of PXR_RC_SEND, PXR_RC_UPDATE and PXR_RC_MESSAGE. */
bool pxr_rc_read_message(const pxr_json_doc_t *doc, pxr_rc_message_t *out);

typedef struct {
    const char *id;
    const char *type;      /* "c", "p", "d", "l" or what there may be else */
    const char *name;      /* absent in direct messages, and where it is longer than any of ours */
    const char *full_name; /* `fname`: how a discussion is shown; may be absent like that */
    const char *parent_id; /* `prid`: it is a discussion; may be absent */
    const char *owner_id;  /* u._id; may be absent */
    pxr_time_t created_at; /* `ts`; 0: absent */
} pxr_rc_room_t;

/* Of PXR_RC_ROOM. */
bool pxr_rc_read_room(const pxr_json_doc_t *doc, pxr_rc_room_t *out);
/* Of PXR_RC_DISCUSS. */
bool pxr_rc_read_discussion(const pxr_json_doc_t *doc, pxr_rc_room_t *out);

/* Of PXR_RC_DISCUSSIONS: how many there are, and one of them. An entry that cannot be read does not
 * spoil the others. */
bool pxr_rc_count_discussions(const pxr_json_doc_t *doc, size_t *count);
bool pxr_rc_read_discussions(const pxr_json_doc_t *doc, size_t index, pxr_rc_room_t *out);

typedef struct {
    const char *id;
    const char *username; /* may be absent: some have not chosen one yet */
    const char *name;     /* may be absent; of any length */
    bool active;
} pxr_rc_user_t;

/* Of PXR_RC_ME. */
bool pxr_rc_read_me(const pxr_json_doc_t *doc, pxr_rc_user_t *out);

/* Of PXR_RC_DIRECT: the id of the room. */
bool pxr_rc_read_direct(const pxr_json_doc_t *doc, const char **room_id);

/* What an outgoing webhook sends. Texts live as long as the document; absent ones are NULL. */
typedef struct {
    const char *token;
    const char *trigger_word;
    const char *room_id;
    const char *room_name; /* absent in direct messages */
    const char *message_id;
    pxr_time_t timestamp; /* 0: absent */
    const char *user_id;
    const char *username;
    const char *text; /* never NULL */
    const char *site_url;
    const char *alias;
    const char *thread_id;
    bool bot;
    bool edited;
} pxr_webhook_t;

/* `doc` comes from pxr_json_parse(). PXR_INVALID with a sentence that names the member; `token` is
 * set even then, where it could be read, because it decides who is told. */
pxr_status_t pxr_rc_read_webhook(const pxr_json_doc_t *doc, pxr_webhook_t *out, pxr_buf_t *why);

#endif
