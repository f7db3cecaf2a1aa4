#ifndef PXR_JSON_H
#define PXR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pxr_details.h"
#include "pxr_event.h"
#include "pxr_history.h"
#include "pxr_outside.h"
#include "pxr_status.h"
#include "pxr_store.h"
#include "pxr_tell.h"
#include "pxr_text.h"
#include "pxr_time.h"

/*
 * Text to our own types and back. Nothing outside src/json knows the JSON library. Any thread.
 */

/* Called once per process before threads exist: seeds the library's hash function. */
void pxr_json_init(void);

/* Takes one event; returns false to stop. */
typedef bool (*pxr_event_sink_t)(void *context, const pxr_event_t *event);

/* Reads the body of one POST of an event sink: a single event, or a bulk of them whose members are
 * judged one by one. `body` is changed: bytes that no JSON may contain (bad UTF-8, NUL escapes,
 * lone surrogates, numbers beyond all range) are replaced, so that the rest of their event
 * survives. Returns the number of events that could not be understood. */
size_t pxr_json_read_events(char *body, size_t len, pxr_event_sink_t sink, void *context);

/* A parsed request of the meetings API. Its texts live as long as it does. */
typedef struct pxr_json_doc pxr_json_doc_t;

/* Parses a JSON object; pxr_json_free() releases it. On failure returns NULL and says in `why` what
 * is wrong, naming the member that holds the offending place. */
pxr_json_doc_t *pxr_json_parse(const char *body, size_t len, pxr_buf_t *why);

/* Replaces in place what the parser or a reader would refuse although it harms nobody: bad UTF-8,
 * NUL escapes, lone surrogates, numbers beyond all range. */
void pxr_json_mend(char *body, size_t len);

/* Releases a document and its texts. NULL is fine. */
void pxr_json_free(pxr_json_doc_t *doc);

/* POST api/v1/meetings, interface section 5. */
typedef struct {
    const char *id; /* NULL: absent */
    pxr_details_t details;
    pxr_time_t not_before;
    pxr_time_t not_after;
    bool call; /* the room is told by a call of Rocket.Chat's own, not by a message of ours */
} pxr_create_request_t;

/* Like all readers that have a `why`: PXR_OK, or PXR_INVALID with a sentence that names the member.
 * `now` decides what is past. */
pxr_status_t pxr_json_read_create(const pxr_json_doc_t *doc, pxr_time_t now,
                                  pxr_create_request_t *out, pxr_buf_t *why);

/* POST api/v1/meetings/<id>/links. */
typedef struct {
    const char *user_id; /* NULL: absent */
    const char *name;    /* display name, else username; NULL: absent */
    bool has_role;
    bool host;
    bool mute_microphone;
    bool mute_camera;
} pxr_link_request_t;

pxr_status_t pxr_json_read_link(const pxr_json_doc_t *doc, pxr_link_request_t *out, pxr_buf_t *why);

/* Whether this is a JSON object and nothing else. */
bool pxr_json_is_object(const char *text, size_t len);

/* What a join page says of a session of Rocket.Chat: userId and authToken. PXR_INVALID where they
 * are not there, PXR_TOO_LONG. */
pxr_status_t pxr_json_read_session(const char *body, size_t len, char *user_id, size_t user_id_size,
                                   char *token, size_t token_size);

/* Who asks for join information; *user_id is NULL where nobody is named. */
pxr_status_t pxr_json_read_info(const pxr_json_doc_t *doc, const char **user_id, pxr_buf_t *why);

/* POST api/v1/deliveries/<meeting id>. */
typedef enum {
    PXR_DELIVERY_RETRY,
    PXR_DELIVERY_DROP,
} pxr_delivery_action_t;

pxr_status_t pxr_json_read_action(const pxr_json_doc_t *doc, pxr_delivery_action_t *out,
                                  pxr_buf_t *why);

/* The functions below that write return text that the caller releases with pxr_json_text_free(), or
 * NULL where memory ran out. NULL is fine here, too. */
void pxr_json_text_free(char *text);

/* One meeting as it reads. `join_url` is the prefix before the key. */
char *pxr_json_write_meeting(const pxr_view_t *view, const char *join_url);

/* A page of a list, built one by one. pxr_json_list_new() returns NULL where memory ran out. */
typedef struct pxr_json_list pxr_json_list_t;
pxr_json_list_t *pxr_json_list_new(void);
void pxr_json_list_add(pxr_json_list_t *list, const pxr_view_t *view, const char *join_url);
/* Ends and releases the list; `next` is NULL on the last page. */
char *pxr_json_list_end(pxr_json_list_t *list, const char *next);

/* A page of the history, built in the same way; without PINs and join links. */
typedef struct pxr_json_history pxr_json_history_t;
pxr_json_history_t *pxr_json_history_new(void);
void pxr_json_history_add(pxr_json_history_t *page, const pxr_past_t *past);
char *pxr_json_history_end(pxr_json_history_t *page, const char *next);

/* A personal link, and whose role it gives. */
char *pxr_json_write_link(const char *url, bool host);

/* Where a visitor of a join page is led to, and whether he was recognised. */
char *pxr_json_write_visit(const char *url, bool host, bool recognised);

/* What a visitor may know about the ways in; NULL and "" are left out. */
typedef struct {
    const char *title;
    const char *address;
    const char *alias;
    const char *numeric_alias;
    const char *guest_pin;
    const char *host_pin;
    const char *join_url;
} pxr_info_t;

char *pxr_json_write_info(const pxr_info_t *info);

/* Something that Rocket.Chat, or the companion app, is to be told. */
typedef struct {
    const char *meeting;
    const char *kind;   /* message, direct, discussion, callback */
    const char *state;  /* waiting, failed, dropped, done */
    const char *reason; /* "" or NULL: none */
    int http_status;    /* of the last attempt; 0: none */
    pxr_time_t changed_at;
} pxr_delivery_line_t;

/* A list of them, built one by one. */
typedef struct pxr_json_deliveries pxr_json_deliveries_t;
pxr_json_deliveries_t *pxr_json_deliveries_new(void);
void pxr_json_deliveries_add(pxr_json_deliveries_t *list, const pxr_delivery_line_t *line);
/* Ends and releases the list. */
char *pxr_json_deliveries_end(pxr_json_deliveries_t *list);

/* An error in the form of RFC 9457. */
char *pxr_json_write_problem(int status, const char *title, const char *detail);

/* What there is to say of a request that is carried out later: {"detail"}. */
char *pxr_json_write_note(const char *detail);

/* How it goes with the database. */
typedef struct {
    const char *driver;
    const char *state; /* "ok", "none" or what is wrong */
    bool good;
    const char *error; /* "" for none */
    pxr_time_t since;
    pxr_time_t last_commit_at; /* 0: none yet */
    uint32_t unwritten;        /* changed records */
    uint32_t not_loaded;
    uint32_t refused;
    uint64_t lost; /* records that were given up for want of room before they were written */
    int64_t revision;
    bool shared;
    uint32_t machines; /* that share it and are alive, this one included; 0: not known yet */
    int64_t clock_ahead;
} pxr_database_page_t;

/* How it goes with the servers that are asked while somebody waits. */
typedef struct {
    const char *url;
    pxr_target_t target;
} pxr_outside_server_t;

typedef struct {
    uint32_t workers; /* so many may wait for others at once */
    pxr_outside_server_t sessions;
    const pxr_outside_server_t *fallbacks;
    size_t fallback_count;
} pxr_outside_page_t;

/* How Rocket.Chat is told. */
typedef struct {
    bool posts;    /* we have credentials, and a database that remembers */
    bool delivers; /* this machine is the one that does it */
    bool paused;   /* our credentials were refused */
    pxr_chat_health_t health;
    size_t waiting, failed; /* meetings */
} pxr_chat_page_t;

/* status?json. */
typedef struct {
    const char *version;
    const char *server;
    const char *site_url;
    const char *base_url;
    const char *join_url;
    bool leader;
    pxr_time_t now;
    pxr_time_t started_at;
    pxr_store_health_t health;
    pxr_workspace_numbers_t numbers;
    uint64_t counters[PXR_COUNTERS];
    const pxr_node_t *nodes;
    size_t node_count;
    const pxr_database_page_t *database;
    const pxr_outside_page_t *outside;
    const pxr_chat_page_t *chat;
    const char *event_log; /* off, on, failed */
} pxr_status_page_t;

char *pxr_json_write_status(const pxr_status_page_t *page);

/* A line of the event log: an event, where it came from, and what became of it. */
typedef struct {
    pxr_time_t received;
    const char *workspace; /* its site URL */
    const char *user;
    const pxr_event_t *event;
    const char *effect;
} pxr_log_entry_t;

/* Writes a JSON object and a newline, which is the only one whatever the texts contain. Where that
 * does not fit into `size` bytes the name is cut and `cut` says so. Returns the length without a
 * NUL; 0 where it does not fit even so, or memory ran out. */
size_t pxr_json_write_log_line(const pxr_log_entry_t *entry, char *out, size_t size);

#endif
