#ifndef PXR_HTTPD_H
#define PXR_HTTPD_H

/* What the files of the glue share. Everything here knows httpd; nothing outside does. */

#include <httpd.h>
#include <ap_expr.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

/* Whoever has a libcurl that is new enough has such an httpd. */
#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 122)
#error "mod_pexip_rc needs Apache httpd 2.4.55 or newer"
#endif

#include "pxr_db.h"
#include "pxr_json.h"
#include "pxr_keep.h"
#include "pxr_link.h"
#include "pxr_metrics.h"
#include "pxr_outside.h"
#include "pxr_policy.h"
#include "pxr_query.h"
#include "pxr_rest.h"
#include "pxr_schedule.h"
#include "pxr_seen.h"
#include "pxr_store.h"
#include "pxr_tell.h"

extern __attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA pexip_rc_module;
/* The file with the module record has this already. */
#ifndef PXR_MODULE_RECORD
APLOG_USE_MODULE(pexip_rc);
#endif

#define PXR_VERSION "0.1.0"

/* Directive names, once, for the table and for messages. */
#define PXR_D_BASE_URL "PexipRCBaseURL"
#define PXR_D_SITE_URL "PexipRCSiteURL"
#define PXR_D_CREDENTIALS "PexipRCAPICredentialsFile"
#define PXR_D_JOIN_URL "PexipRCJoinURL"
#define PXR_D_BRANDING "PexipRCBrandingPath"
#define PXR_D_MEETING_PATH "PexipRCMeetingPath"
#define PXR_D_THEME "PexipRCTheme"
#define PXR_D_LAYOUT "PexipRCLayout"
#define PXR_D_LOCKED "PexipRCLocked"
#define PXR_D_OPTION "PexipRCServiceOption"
#define PXR_D_PINS "PexipRCPins"
#define PXR_D_NUMBER "PexipRCNumericAlias"
#define PXR_D_SIP_DOMAIN "PexipRCSIPDomain"
#define PXR_D_UNKNOWN "PexipRCUnknownAlias"
#define PXR_D_GRACE "PexipRCEndGrace"
#define PXR_D_LIFETIME "PexipRCMeetingLifetime"
#define PXR_D_HISTORY "PexipRCHistoryKeep"
#define PXR_D_EVENT_BODY "PexipRCMaxEventBody"
#define PXR_D_REST_URL "PexipRCRestURL"
#define PXR_D_REST_CREDENTIALS "PexipRCRestCredentialsFile"
#define PXR_D_WEBHOOK_TOKEN "PexipRCWebhookTokenFile"
#define PXR_D_CONCURRENT "PexipRCConcurrentCalls"
#define PXR_D_ROOM_ALIAS "PexipRCRoomAlias"
#define PXR_D_FALLBACK "PexipRCPolicyFallback"
#define PXR_D_CALLBACK "PexipRCAppCallback"
#define PXR_D_CHAT "PexipRCPersistentChat"
#define PXR_D_DISCUSSION "PexipRCDiscussionName"
#define PXR_D_SCHEDULED "PexipRCScheduledRoom"
#define PXR_D_MEDIA_LOCATION "PexipRCMediaLocation"
#define PXR_D_ANONYMOUS "PexipRCAllowAnonymous"
#define PXR_D_STATE_DIR "PexipRCStateDirectory"
#define PXR_D_EVENT_LOG "PexipRCEventLog"
#define PXR_D_DATABASE "PexipRCDatabase"
#define PXR_D_MEETINGS "PexipRCMaxMeetings"
#define PXR_D_PARTICIPANTS "PexipRCMaxParticipants"

/* Settings of a workspace that are one text each. */
typedef enum {
    PXR_SET_BASE_URL,
    PXR_SET_SITE_URL,
    PXR_SET_CREDENTIALS,
    PXR_SET_JOIN_URL,
    PXR_SET_BRANDING,
    PXR_SET_MEETING_PATH,
    PXR_SET_THEME,
    PXR_SET_LAYOUT,
    PXR_SET_LOCKED,
    PXR_SET_PINS,
    PXR_SET_NUMBER,
    PXR_SET_SIP_DOMAIN,
    PXR_SET_UNKNOWN,
    PXR_SET_GRACE,
    PXR_SET_LIFETIME,
    PXR_SET_HISTORY,
    PXR_SET_EVENT_BODY,
    PXR_SET_REST_URL,
    PXR_SET_REST_CREDENTIALS,
    PXR_SET_WEBHOOK_TOKEN,
    PXR_SET_CONCURRENT,
    PXR_SET_ROOM_ALIAS,
    PXR_SET_FALLBACK, /* a line for each server */
    PXR_SET_CALLBACK,
    PXR_SET_CHAT,
    PXR_SET_DISCUSSION,
    PXR_SET_SCHEDULED,
    PXR_SET_MEDIA_LOCATION, /* a line for each entry */
    PXR_SETTINGS,
} pxr_setting_t;

typedef enum { PXR_PINS_RANDOM, PXR_PINS_FILE, PXR_PINS_NONE } pxr_pins_mode_t;

/* Another policy server that is asked about what is not ours. */
typedef struct {
    const char *url;
    const char *credentials_file; /* NULL: none */
    const char *user;
    const char *secret;
} pxr_fallback_t;

/* Where media are handled, under a condition. */
typedef struct {
    const ap_expr_info_t *condition; /* NULL: always */
    const char *answer;              /* to the Conferencing Node */
    size_t answer_len;
} pxr_media_location_t;

/* A workspace ready for use: settings of all its virtual hosts, parsed, defaults filled in.
 * Immutable once the server runs. */
typedef struct {
    const char *site_url; /* also its identity */
    const char *base_url;
    const char *join_url;    /* PexipRCJoinURL */
    const char *join_prefix; /* up to the key: PexipRCJoinURL + "/join/" */
    const char *branding;
    const char *meeting_path;
    const char *credentials_file;
    const char *user; /* NULL without credentials */
    const char *secret;
    pxr_answer_settings_t answer;
    pxr_pins_mode_t pins;
    size_t pin_length;
    const char *pins_file;
    char host_pin[PXR_PIN_MAX + 1]; /* of the file, "" means random */
    char guest_pin[PXR_PIN_MAX + 1];
    const char *number_prefix; /* NULL: no numeric aliases */
    size_t number_digits;
    const char *const *sip_domains;
    size_t sip_domain_count;
    ap_regex_t *reject; /* unknown aliases to reject, NULL: none */
    int64_t grace;
    int64_t silence;
    int64_t lifetime;
    int64_t history_keep; /* after the end, 0: for ever */
    apr_size_t event_body_max;
    const char *rest_url; /* where Rocket.Chat's REST API is reached */
    const char *rest_credentials_file;
    const char *rest_user; /* NULL: nothing is posted */
    const char *rest_token;
    const char *webhook_token_file;
    const char *webhook_token; /* NULL: the webhook is not set up */
    bool concurrent_calls;     /* off: one meeting for each room */
    bool room_alias;           /* the name of the room leads to its meeting, too */
    const pxr_fallback_t *fallbacks;
    size_t fallback_count;
    const char *callback_url; /* the companion app's, NULL: none */
    const char *callback_secret_file;
    const char *callback_secret;
    bool persistent_chat;
    const char *discussion_name;
    const char *scheduled_room; /* id of the room of chats for what is not ours, NULL: none */
    const pxr_media_location_t *locations; /* the first one that applies counts */
    size_t location_count;
    const char *place[PXR_SETTINGS]; /* file and line, for messages; NULL: not set */
    uint32_t number;                 /* in the store; set at start */
} pxr_workspace_t;

#define PXR_WORKSPACE_UNKNOWN UINT32_MAX

/* What one server section says. NULL: nothing. */
typedef struct {
    const char *text[PXR_SETTINGS];
    const char *place[PXR_SETTINGS]; /* file and line, for messages */
    apr_array_header_t *options;     /* pxr_option_t */
    const char *options_place;
    pxr_workspace_t *workspace; /* by check_config */
} pxr_server_conf_t;

typedef struct {
    int allow_anonymous; /* -1: unset */
} pxr_dir_conf_t;

/* Global settings; reset before each reading of the configuration. */
typedef struct {
    const char *state_dir;       /* NULL: default */
    const char *database;        /* driver of apr_dbd, NULL: default, "none" */
    const char *database_params; /* NULL: default */
    const char *event_log;       /* absolute path, or "|" and a program; NULL: none */
    pxr_store_sizes_t sizes;
} pxr_global_conf_t;

extern pxr_global_conf_t pxr_global;
/* pxr_workspace_t *; filled by check_config. */
extern apr_array_header_t *pxr_workspaces;

/* directives.c: what httpd reads the configuration with. */
extern const command_rec pxr_directives[];
void *pxr_create_server_conf(apr_pool_t *p, server_rec *s);
void *pxr_merge_server_conf(apr_pool_t *p, void *base, void *add);
void *pxr_create_dir_conf(apr_pool_t *p, char *dir);
void *pxr_merge_dir_conf(apr_pool_t *p, void *base, void *add);
/* The name of the directive. */
const char *pxr_setting_name(pxr_setting_t setting);

/* settings.c: reads the text of one setting into a workspace. NULL, or a sentence in which the
 * name of the directive and the value are still to come. */
const char *pxr_setting_read(apr_pool_t *p, pxr_setting_t setting, const char *text,
                             pxr_workspace_t *out);
/* Empties a workspace and sets what holds where no directive says otherwise. */
void pxr_workspace_defaults(pxr_workspace_t *w);

/* check.c: hooks. The first forgets the configuration before; the second unites the virtual hosts
 * of each workspace into pxr_workspaces and refuses what cannot work. */
int pxr_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);
int pxr_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* secrets.c: reads a file of `count` lines, one or two, at start-up. NULL or a sentence. */
const char *pxr_read_lines(apr_pool_t *p, const char *path, const char **lines, int count,
                           int *too_open);

/* helper.c: does work in a process of its own that has become the run user, and waits for it, at
 * most two minutes. Start-up only. What `work` returns (a pxr_status_t), PXR_BROKEN where it died.
 */
pxr_status_t pxr_run_as_user(server_rec *s, int (*work)(void *data), void *data);

/* segment.c: the memory behind the store. Start-up only. */
typedef struct {
    int fd; /* holds the lock that keeps a second server off */
    void *base;
    apr_uint64_t bytes;
} pxr_memory_t;

/* Goes on with what a former server left, or begins anew, and opens the store. False, with a line
 * in the log, where the server must not start. */
bool pxr_memory_open(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store);

/* Under which it is kept while a server is restarted. */
#define PXR_RETAINED_KEY "mod_pexip_rc 3"

/* Whether pxr_memory_open() could have the memory, as far as that can be known without touching
 * anything. NULL or a sentence. Any process. */
const char *pxr_memory_check(apr_pool_t *p);

/* The same after a graceful restart, when the memory is there already. */
bool pxr_memory_reopen(server_rec *s, apr_pool_t *p, pxr_memory_t *memory, pxr_store_t *store);

/* lifecycle.c: hooks. The first prepares memory and database; the others begin and end what a child
 * does besides requests. */
int pxr_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void pxr_child_init(apr_pool_t *pchild, server_rec *s);
void pxr_child_stopping(apr_pool_t *pchild, int graceful);
/* Whether this process is stopped, and not gracefully: nobody should be waited for. Any thread. */
bool pxr_is_leaving(void);
/* The database that was configured when the server started; driver "none" for none. */
const pxr_db_settings_t *pxr_database(void);
/* What the configuration asks for, with the defaults. */
pxr_db_settings_t pxr_database_wanted(apr_pool_t *p);
/* The working set, NULL where no workspace is configured. */
const pxr_store_t *pxr_store(void);
/* When httpd was started; reloads do not count. */
pxr_time_t pxr_started_at(void);
/* Whether a configuration is read while httpd runs: a failure would end it. Any process. */
bool pxr_is_reload(void);

/* state_dir.c: the directory that is configured. */
const char *pxr_state_dir(void);
/* Whether such a database, or the administrator, wants it to be there. */
bool pxr_state_dir_is_needed(const pxr_db_settings_t *settings);
/* Makes it for the run user, or closes to others what is there. Start-up only; false, with a line
 * in the log, where it cannot be had. */
bool pxr_state_dir_make(server_rec *s, const char *path);

/* pool.c: a pool with an allocator of its own, for a thread of ours. Prefork's pools know no other
 * thread: nothing of theirs is locked. NULL where there is no memory; the caller destroys it. Any
 * thread. */
apr_pool_t *pxr_own_pool(void);

/* leader.c: a thread in each child, of which one leads: it does what time alone demands, and has
 * the keeper and the messenger beside it. It is joined when `pchild` goes. */
void pxr_leader_start(apr_pool_t *pchild, server_rec *s);
/* Lets a process of a newer generation lead, if there is one. */
void pxr_leader_yield(void);

/* keeper.c: the thread that keeps the database, in the process that leads. */
void pxr_keeper_start(apr_pool_t *pool, server_rec *s);
/* Whether there is something to write, and a database that can be expected to take it at once. */
bool pxr_keeper_has_hope(void);
/* Lets it write what is left and waits for its end, which a database that hangs does not put
 * off. */
void pxr_keeper_stop(void);
/* At start: makes or upgrades the database and fills the working set from it, as far as that is
 * possible: what cannot be done now is done later, because httpd has other things to do as well. */
void pxr_keeper_fill_at_start(server_rec *s);
/* How the database does, judged from outside: the keeper itself cannot tell that it hangs. Any
 * process. */
pxr_keeper_state_t pxr_keeper_state(const pxr_keep_health_t *health, pxr_time_t now);

/* messenger.c: the thread that tells Rocket.Chat, in the process that leads. */
void pxr_messenger_start(apr_pool_t *pool, server_rec *s);
/* Waits for its end, which comes within milliseconds, whatever Rocket.Chat does. */
void pxr_messenger_stop(void);

/* claim.c: hooks. They claim the URLs of our handlers, spare the search for a file, and lead a
 * request to its handler. */
int pxr_translate_name(request_rec *r);
int pxr_map_to_storage(request_rec *r);
int pxr_handle(request_rec *r);
/* Whether the URL of this request is one of the policy handler's. */
bool pxr_is_policy_request(const request_rec *r);

/* media_location.c */

/* Reads the lines of PexipRCMediaLocation and compiles their conditions. NULL or a sentence. */
const char *pxr_media_locations_read(apr_pool_t *p, const char *text, pxr_workspace_t *out);
/* The first entry whose condition is true for this request, NULL for none. Any thread. */
const pxr_media_location_t *pxr_media_location_for(request_rec *r, const pxr_workspace_t *w);
/* Makes %{pxr:...} known to httpd's expressions: parameters of the policy request in which they are
 * evaluated, "" in any other. */
int pxr_expr_lookup(ap_expr_lookup_parms *parms);

/* provider.c: AuthBasicProvider pexip-rc. */
void pxr_register_provider(apr_pool_t *p);

/* status_hook.c: numbers for mod_status, where that is loaded. */
void pxr_register_status_hook(void);

/* What a request handler works with. */
typedef struct {
    const pxr_workspace_t *workspace;
    const pxr_store_t *store;
    const char *rest; /* of the path, behind the handler's marker */
} pxr_call_t;

/* pxr_store_find(), which asks the other machines if a name that could be one of ours is not known
 * here (claim.c). */
pxr_status_t pxr_find(const pxr_call_t *call, bool join, const char *name, size_t len,
                      pxr_found_t *found, char *answer, size_t answer_size);

/* The word of a log format that tells what came of a request: %{pxr-result}n. */
#define PXR_NOTE_RESULT "pxr-result"
/* And the id of the meeting of ours that it was about. */
#define PXR_NOTE_MEETING "pxr-meeting"

/* Counts what came of a request, and notes the counter's name as its result (claim.c). */
void pxr_count_result(request_rec *r, const pxr_call_t *call, pxr_counter_t counter);

/* creation.c: a meeting that somebody wants. */
typedef struct {
    const char *id; /* NULL: one of ours is drawn */
    bool casual;    /* nobody will ask for it once there is the meeting of the room */
    pxr_details_t details;
    pxr_time_t not_before, not_after; /* 0: none */
    bool call;     /* whoever made it may have a call of his own, which ends with it */
    bool shown;    /* Rocket.Chat shows it by itself, so nothing is posted */
    bool answered; /* the room is told otherwise */
} pxr_wish_t;

/* Creates it, or finds the one that has this id or this room. The statuses of pxr_store_create()
 * and pxr_store_await(); a refusal is counted and logged. */
pxr_status_t pxr_create_meeting(request_rec *r, const pxr_call_t *call, const pxr_wish_t *wish,
                                pxr_ref_t *ref, bool *created);

/* Makes, or finds, the record with this id (pxr_chat_record_id()) that wants a chat for the foreign
 * conference `alias`. Statuses as above. */
pxr_status_t pxr_create_chat_record(request_rec *r, const pxr_call_t *call, const char *id,
                                    const char *alias, pxr_ref_t *ref);

/* Closes it: nobody else can join. One in which nobody is has ended when this returns, unless the
 * database is away; two seconds at most. */
pxr_status_t pxr_close_meeting(const pxr_call_t *call, pxr_ref_t ref);

/* Has a user of Rocket.Chat added to the chat beside the meeting, where there are chats, soon. What
 * does not come of it is logged. */
void pxr_invite_to_chat(request_rec *r, const pxr_call_t *call, const pxr_found_t *found,
                        const char *user_id);

/* The handlers, handler_*.c. Each answers the request and returns what httpd wants of a handler. */
int pxr_handle_policy(request_rec *r, const pxr_call_t *call);
int pxr_handle_events(request_rec *r, const pxr_call_t *call);
int pxr_handle_api(request_rec *r, const pxr_call_t *call);
/* handler_deliveries.c, below the API; `rest` is what follows there. */
int pxr_handle_deliveries(request_rec *r, const pxr_call_t *call, const char *rest);
/* Applies the wish to each task of a meeting that it can be about. *applied tells whether there was
 * any; PXR_EXISTS where one has just been tried. */
pxr_status_t pxr_deliveries_apply(const pxr_call_t *call, pxr_ref_t ref,
                                  pxr_delivery_action_t action, bool *applied);
int pxr_handle_metrics(request_rec *r, const pxr_call_t *call);
int pxr_handle_webhook(request_rec *r, const pxr_call_t *call);
/* handler_history.c, below the API. */
int pxr_handle_history(request_rec *r, const pxr_call_t *call);
/* handler_people.c, below the API; `rest` is what follows there. */
int pxr_handle_people(request_rec *r, const pxr_call_t *call, const char *rest);
/* handler_scheduling.c, below the API; `rest` is what follows there. */
int pxr_handle_scheduling(request_rec *r, const pxr_call_t *call, const char *rest);
/* Where the links of this workspace lead. */
pxr_schedule_t pxr_schedule_of(const pxr_workspace_t *w);
int pxr_handle_go(request_rec *r, const pxr_call_t *call);
int pxr_handle_join(request_rec *r, const pxr_call_t *call);
int pxr_handle_status(request_rec *r, const pxr_call_t *call);
int pxr_handle_chat(request_rec *r, const pxr_call_t *call);

/* fallback.c: asks the other policy servers about what is not ours. False where none of them has an
 * answer that a node can use, or the request comes from one of us: then nothing was answered. */
bool pxr_fallback_answer(request_rec *r, const pxr_call_t *call, int *reply);

/* handler_api.c: the meeting of this id, or that a further call of this id leads to. */
bool pxr_find_meeting(const pxr_call_t *call, const char *id, size_t len, pxr_found_t *found);

/* info.c: the ways into a meeting; `host` may know the host PIN. Texts live as long as the view and
 * the pool. */
void pxr_fill_info(apr_pool_t *p, const pxr_workspace_t *w, const pxr_view_t *view, bool host,
                   pxr_info_t *info);

/* arguments.c */

/* pxr_query_read() of the query string. */
void pxr_read_arguments(request_rec *r, pxr_query_field_t *fields, size_t count);
/* Whether the query string has this parameter, whatever its value. */
bool pxr_has_argument(request_rec *r, const char *name);
/* A whole number in these bounds, of at most 18 digits and nothing else. */
bool pxr_read_count(const char *text, apr_int64_t low, apr_int64_t high, apr_int64_t *out);
/* A list of words with commas between: sets named[i] for each name(i) that stands in it, with i
 * from `first` up to but without `end`. False where there is another word. */
bool pxr_read_words(const char *text, const char *(*name)(int), int first, int end, bool *named);
/* Whether the path ends with the handler's marker, slashes aside. */
bool pxr_ends_at_marker(const pxr_call_t *call);

/* history_thread.c: threads that read the history end with their process, however the database
 * hangs. */
void pxr_history_start(apr_pool_t *pchild);
void pxr_history_stopping(int graceful);

/* origin.c: a browser that holds somebody's password must not be driven by another site. Whether an
 * Origin header names the page's own server: the workspace, or the one that is being asked. */
bool pxr_origin_is_own(request_rec *r, const pxr_workspace_t *w, const char *origin);
/* Whether a browser says that it asks on behalf of another site; programs say nothing. */
bool pxr_origin_is_foreign(request_rec *r, const pxr_workspace_t *w);

/* body.c: reads the whole request body. OK, or an HTTP status: 413 beyond `max` bytes. *body
 * belongs to the request and has a NUL behind it. */
int pxr_read_body(request_rec *r, apr_size_t max, char **body, apr_size_t *len);
/* Reads and parses a body of the API, with `mend` after pxr_json_mend(); the caller frees it with
 * pxr_json_free(). NULL where the request has been answered, with *reply. */
pxr_json_doc_t *pxr_read_json(request_rec *r, bool mend, int *reply);

/* outside.c: other servers that are asked while somebody waits for the answer. */
/* Makes this process able to ask, and finds out how many may. */
void pxr_outside_child_init(void);
/* How many requests of all processes may do that at once. */
uint32_t pxr_outside_share(void);
/* Requests of anybody at all get half of the places, so that they cannot take them from the nodes
 * and from Rocket.Chat. */
typedef enum { PXR_FOR_STRANGERS, PXR_FOR_KNOWN } pxr_outside_for_t;
/* A place among them, -1 where all are taken: then the answer is the one that needs nobody. */
int pxr_outside_enter(const pxr_call_t *call, pxr_outside_for_t whom);
void pxr_outside_leave(const pxr_call_t *call, int place); /* `place` is not -1 */
/* What a server is called in pxr_outside.h, by what it is asked for. */
typedef enum { PXR_OUTSIDE_SESSION, PXR_OUTSIDE_POLICY } pxr_outside_t;
const char *pxr_outside_name(apr_pool_t *p, pxr_outside_t what, const char *url);
/* What came of it, for those who come after and, once a minute, for the log; `why` is NULL for a
 * success. */
void pxr_outside_tell(request_rec *r, const pxr_call_t *call, pxr_outside_t what, const char *url,
                      const pxr_rest_result_t *result, const char *why);
/* How all of them do, for people. */
void pxr_outside_fill(apr_pool_t *p, const pxr_call_t *call, pxr_outside_page_t *page);

/* event_log.c: what PexipRCEventLog names. */

/* Whether it could be opened. NULL or a sentence; touches nothing. */
const char *pxr_event_log_check(apr_pool_t *p);
/* Opens it before children exist, for as long as this configuration lasts. False, with a line in
 * the log, where that fails. */
bool pxr_event_log_open(server_rec *s, apr_pool_t *pconf);
/* Closes what only the parent process may have open. */
void pxr_event_log_child_init(void);
/* "off", "on" or "failed". */
const char *pxr_event_log_state(void);
/* Any thread. Never waits for a program that does not read: then the line is lost and counted. */
void pxr_event_log_write(request_rec *r, const pxr_call_t *call, const pxr_log_entry_t *entry);

/* reply.c: each answers the request completely and returns what the handler returns. */
int pxr_reply(request_rec *r, int status, const char *type, const char *text, apr_size_t len);
/* Releases `text`, which src/json has made; NULL, where memory ran out, is answered with 503. */
int pxr_reply_json(request_rec *r, int status, char *text);
/* An error in the form of RFC 9457, with a sentence about what is wrong. */
int pxr_reply_problem(request_rec *r, int status, const char *detail);
/* `allowed` is a list such as "GET, HEAD". */
int pxr_reply_method(request_rec *r, const char *allowed);
int pxr_reply_empty(request_rec *r, int status);
/* The problem that a store status stands for. */
int pxr_reply_status(request_rec *r, pxr_status_t status);

/* pages.c: pages for people. */

/* A random word for style and script of one page; NULL where the system has none. */
const char *pxr_page_nonce(request_rec *r);
/* `body` and `head` are HTML, `head` may be "". `connects` lets its script ask us. */
int pxr_reply_html(request_rec *r, int status, const char *nonce, const char *title,
                   const char *head, const char *body, bool connects);
/* `title` and `text` are plain text. `when` is 0 or a moment that is waited for: it is shown in the
 * visitor's time zone, and the page loads itself anew then. */
int pxr_reply_page(request_rec *r, int status, const char *title, const char *text,
                   pxr_time_t when);

#endif
