#ifndef PXR_MESSENGER_H
#define PXR_MESSENGER_H

#include "pxr_chat.h"
#include "pxr_discussion.h"
#include "pxr_httpd.h"
#include "pxr_rest.h"
#include "pxr_rocketchat.h"
#include "pxr_tell.h"

/*
 * What the messenger's files share: the thread (messenger.c), what it asks Rocket.Chat for next
 * (messenger_steps.c), and what it makes of the answers (messenger_answers.c). One thread, in the
 * process that leads, so nothing here needs a lock.
 */

/* Requests to one workspace, and to all of them, at a time. */
#define PXR_MESSENGER_HOST 8
#define PXR_MESSENGER_TOTAL 32
/* A discussion below a discussion below a discussion. */
#define PXR_MESSENGER_DEPTH 5
/* Discussions below the room of scheduled meetings, newest first: a chat that is not among the
 * first 2000 is begun anew. */
#define PXR_MESSENGER_PAGE 50
#define PXR_MESSENGER_PAGES 40

typedef struct pxr_messenger pxr_messenger_t;

/* One thing that Rocket.Chat, or the companion app, is asked for. */
typedef enum {
    PXR_STEP_NONE,
    PXR_STEP_SETTLE,       /* nothing: the task is done */
    PXR_STEP_DROP,         /* nothing: nobody has any use for it now */
    PXR_STEP_LOOK_MESSAGE, /* is it there? */
    PXR_STEP_MESSAGE,
    PXR_STEP_EDIT,
    PXR_STEP_LOOK_REPLY,
    PXR_STEP_REPLY,
    PXR_STEP_OPEN_DIRECT, /* the room of a direct message */
    PXR_STEP_LOOK_DIRECT,
    PXR_STEP_DIRECT,
    PXR_STEP_ROOM, /* what kind of room is it, and below which one? */
    PXR_STEP_LOOK_DISCUSSION,
    PXR_STEP_DISCUSSION,
    PXR_STEP_CALLBACK,
    PXR_STEP_INVITE,
} pxr_step_t;

/* What is remembered of a meeting while something is to be done about it. All of it may be
 * forgotten at any time: then it is looked for in Rocket.Chat before it is sent. */
typedef struct {
    pxr_tell_t who;
    bool busy;              /* a request is under way */
    bool unsure[PXR_TASKS]; /* it may have been sent already: look first */
    uint32_t failures[PXR_TASKS];
    pxr_time_t failed_at[PXR_TASKS];
    pxr_time_t next_at[PXR_TASKS];
    pxr_time_t asked_at; /* when the first message was last tried */
    char direct_room[4 * PXR_ID_CHARS + 1];
    char parent[4 * PXR_ID_CHARS + 1]; /* of the discussion; "": not known yet */
    uint32_t depth;
    bool parent_known;
    bool searched; /* the chat that a foreign conference had before is not there */
    uint32_t page; /* of the discussions that are looked through for it */
    size_t calls_told;
} pxr_job_t;

/* A kind of request that the server counts. */
typedef struct {
    pxr_time_t blocked_until;
    pxr_time_t reserved_until; /* what is left until then is for what cannot wait */
} pxr_route_t;

#define PXR_ROUTES (PXR_RC_ME + 1)

typedef struct {
    const pxr_workspace_t *workspace;
    size_t under_way;
    pxr_time_t paused_at; /* our credentials were refused */
    pxr_time_t paused_until;
    pxr_route_t routes[PXR_ROUTES];
    pxr_chat_health_t health;
    pxr_time_t told_at; /* when the log was told that it fails */
    bool told;          /* and has not been told otherwise since */
} pxr_site_t;

struct pxr_messenger {
    server_rec *server;
    pxr_rest_multi_t *multi;
    pxr_site_t *sites; /* by the number of the workspace */
    pxr_job_t **jobs;  /* by slot */
    uint32_t slots;
    uint32_t cursor;
    size_t under_way;
    size_t inviting;        /* of these, invitations */
    int64_t delivers_until; /* by the steady clock, as it was when last looked at */
    char text[PXR_CHAT_TEXT_SIZE];
};

/* A request that is under way. */
typedef struct {
    pxr_messenger_t *messenger;
    pxr_job_t *job; /* NULL for an invitation */
    pxr_site_t *site;
    pxr_step_t step;
    pxr_task_kind_t kind;
    pxr_rc_call_t call;
    uint64_t sent; /* hash of the text */
} pxr_errand_t;

/* messenger.c */

pxr_site_t *pxr_messenger_site(pxr_messenger_t *m, uint32_t workspace);

/* Starts a request; `errand` is copied, `body` released. What comes of it is told to
 * pxr_messenger_answer(). */
void pxr_messenger_send(pxr_messenger_t *m, const pxr_errand_t *errand, const char *path,
                        char *body);

/* messenger_steps.c */

/* Does what can be done about a meeting now: at most one request. Returns when to look again. */
pxr_time_t pxr_messenger_look(pxr_messenger_t *m, pxr_job_t *job, pxr_time_t now);

/* Adds one person to the chat beside a meeting. False where the chat is still being made: then he
 * waits again, behind all others. Where there is none, whoever joins again is asked for again. */
bool pxr_messenger_invite(pxr_messenger_t *m, const pxr_tell_t *who, const char *user);

/* How the room sees the meeting. `names` has room for view->people_count; all of it lives as long
 * as the view and `join_url`. */
pxr_chat_t pxr_messenger_chat(const pxr_workspace_t *w, const pxr_view_t *view,
                              const char *join_url, size_t visitors, const char **names);

/* How the chat beside it is called, in PXR_DISCUSSION_NAME_SIZE bytes. */
void pxr_messenger_put_chat_name(pxr_buf_t *out, const pxr_workspace_t *w, const pxr_view_t *view);

/* messenger_answers.c */

void pxr_messenger_answer(pxr_errand_t *errand, pxr_rest_result_t *result);

#endif
