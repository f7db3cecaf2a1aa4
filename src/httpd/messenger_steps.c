#include "messenger.h"

#include <apr_strings.h>
#include <stdlib.h>

#include "pxr_alias.h"

/* What is to be done about one meeting. */

#define EDIT_EVERY (10 * PXR_SECOND)
/* The companion app may name the chat of its call a moment after it has made the meeting. */
#define WAIT_FOR_APP (5 * PXR_SECOND)
/* For so long the first message of a meeting does not wait for what the server says. */
#define IMPATIENT (60 * PXR_SECOND)
#define WAIT_AT_MOST (15 * PXR_SECOND)

/* A meeting as it is now. */
typedef struct {
    pxr_messenger_t *m;
    pxr_site_t *site;
    pxr_job_t *job;
    pxr_view_t view;
    pxr_time_t now;
    bool ended;
    char join_url[PXR_ORIGIN_MAX + 512 + PXR_KEY_MAX + 16];
} pxr_case_t;

/* One thing that could be done. */
typedef struct {
    pxr_step_t step;
    pxr_time_t at; /* not before; PXR_TIME_NEVER with PXR_STEP_NONE: only when something changes */
} plan_t;

static const char *detail(const pxr_case_t *c, pxr_detail_t which)
{
    return c->view.details.len[which] > 0 ? c->view.details.text[which] : "";
}

static pxr_task_t *task_of(pxr_case_t *c, pxr_task_kind_t kind)
{
    return &c->view.told.task[kind];
}

pxr_chat_t pxr_messenger_chat(const pxr_workspace_t *w, const pxr_view_t *view,
                              const char *join_url, size_t visitors, const char **names)
{
    const pxr_details_t *details = &view->details;
    bool ended = view->life.state == PXR_MEETING_ENDED;
    pxr_chat_t chat = {.id = view->id,
                       .site_url = w->site_url,
                       .join_url = join_url,
                       .title = details->text[PXR_TITLE],
                       .creator = details->len[PXR_CREATOR_NAME] > 0
                                      ? details->text[PXR_CREATOR_NAME]
                                      : details->text[PXR_CREATOR_USERNAME],
                       .state = (pxr_meeting_state_t)view->life.state,
                       .closed = view->life.closed != 0,
                       .inferred = view->life.inferred != 0,
                       .by_name = true,
                       .started_at = view->life.started_at,
                       .ended_at = view->life.ended_at,
                       .people = ended ? visitors : view->people_count,
                       .names = names,
                       .names_count = ended ? 0 : view->people_count};

    for (size_t i = 0; i < chat.names_count; i++) {
        names[i] = view->people[i].name;
    }
    return chat;
}

/* Renders the message as the room should see it, and returns its hash, 0 where it cannot be. */
static uint64_t render(pxr_case_t *c)
{
    const pxr_workspace_t *w = c->site->workspace;
    const char **names = malloc((c->view.people_count + 1) * sizeof(*names));
    size_t visitors = c->view.life.visitors > 0 ? c->view.life.visitors - 1 : 0;
    pxr_chat_t chat;
    pxr_buf_t buf;

    if (names == NULL) {
        return 0;
    }
    chat = pxr_messenger_chat(w, &c->view, c->join_url, visitors, names);
    pxr_buf_init(&buf, c->m->text, sizeof(c->m->text));
    pxr_chat_put_message(&buf, &chat);
    free(names);
    return buf.overflow ? 0 : pxr_hash_text(buf.data);
}

/* When the server takes the next request of this kind. */
static pxr_time_t route_opens(const pxr_case_t *c, pxr_rc_call_t call, bool urgent)
{
    const pxr_route_t *route = &c->site->routes[call];
    pxr_time_t opens = pxr_time_later(route->blocked_until, c->site->paused_until);
    pxr_time_t latest = WAIT_AT_MOST + pxr_time_later(c->job->asked_at, c->view.life.created_at);

    return urgent && c->site->paused_until <= c->now &&
                   c->view.life.created_at + IMPATIENT > c->now && opens > latest
               ? latest
               : opens;
}

static plan_t at_once(pxr_step_t step)
{
    return (plan_t){.step = step, .at = 0};
}

static plan_t nothing(pxr_time_t until)
{
    return (plan_t){.step = PXR_STEP_NONE, .at = until};
}

static plan_t plan_message(pxr_case_t *c, uint64_t wanted)
{
    const pxr_task_t *task = task_of(c, PXR_TASK_MESSAGE);
    bool unsure = c->job->unsure[PXR_TASK_MESSAGE];
    const pxr_route_t *route = &c->site->routes[PXR_RC_UPDATE];

    switch (task->state) {
    case PXR_TASK_WAITING:
        return at_once(unsure ? PXR_STEP_LOOK_MESSAGE : PXR_STEP_MESSAGE);
    case PXR_TASK_FIXED:
        return c->ended ? at_once(unsure ? PXR_STEP_LOOK_REPLY : PXR_STEP_REPLY)
                        : nothing(PXR_TIME_NEVER);
    case PXR_TASK_POSTED:
        if (wanted == task->sent) {
            return c->ended ? at_once(PXR_STEP_SETTLE)
                            : nothing(c->view.life.state == PXR_MEETING_LIVE ? c->now + EDIT_EVERY
                                                                             : PXR_TIME_NEVER);
        }
        if (c->ended) {
            return at_once(PXR_STEP_EDIT);
        }
        return (plan_t){.step = PXR_STEP_EDIT,
                        .at = pxr_time_later(task->changed_at + EDIT_EVERY, route->reserved_until)};
    default:
        return nothing(PXR_TIME_NEVER);
    }
}

static plan_t plan_direct(pxr_case_t *c)
{
    if (c->ended || c->view.life.closed || c->view.host_key[0] == '\0') {
        return at_once(PXR_STEP_DROP);
    }
    if (c->job->direct_room[0] == '\0') {
        return at_once(PXR_STEP_OPEN_DIRECT);
    }
    return at_once(c->job->unsure[PXR_TASK_DIRECT] ? PXR_STEP_LOOK_DIRECT : PXR_STEP_DIRECT);
}

static plan_t plan_discussion(pxr_case_t *c)
{
    bool record = pxr_chat_is_record(c->view.id);
    bool shown = task_of(c, PXR_TASK_MESSAGE)->state == PXR_TASK_NONE && !record;

    if (c->view.details.len[PXR_DISCUSSION_ID] > 0) {
        return at_once(PXR_STEP_SETTLE);
    }
    if (c->ended) {
        return at_once(PXR_STEP_DROP);
    }
    if (shown && c->view.life.created_at + WAIT_FOR_APP > c->now) {
        return nothing(c->view.life.created_at + WAIT_FOR_APP);
    }
    if (!c->job->parent_known) {
        return at_once(PXR_STEP_ROOM);
    }
    /* A conference that comes every week keeps its chat. */
    return at_once(c->job->unsure[PXR_TASK_DISCUSSION] || (record && !c->job->searched)
                       ? PXR_STEP_LOOK_DISCUSSION
                       : PXR_STEP_DISCUSSION);
}

/* The id of a call that the app knows: the meeting's own first, then the further ones. */
static bool nth_call(const pxr_view_t *view, size_t n, char out[PXR_MEETING_ID_MAX + 1])
{
    const char *at = view->calls;

    if (n == 0) {
        memcpy(out, view->id, sizeof(view->id));
        return true;
    }
    while (n > 0 && pxr_meeting_id_next(&at, out)) {
        n--;
    }
    return n == 0;
}

static plan_t plan_callback(pxr_case_t *c)
{
    char id[PXR_MEETING_ID_MAX + 1];

    return at_once(nth_call(&c->view, c->job->calls_told, id) ? PXR_STEP_CALLBACK
                                                              : PXR_STEP_SETTLE);
}

static plan_t plan_for(pxr_case_t *c, pxr_task_kind_t kind, uint64_t wanted)
{
    switch (kind) {
    case PXR_TASK_MESSAGE:
        return plan_message(c, wanted);
    case PXR_TASK_DIRECT:
        return plan_direct(c);
    case PXR_TASK_DISCUSSION:
        return plan_discussion(c);
    default:
        return plan_callback(c);
    }
}

static pxr_rc_call_t call_of(pxr_step_t step)
{
    switch (step) {
    case PXR_STEP_EDIT:
        return PXR_RC_UPDATE;
    case PXR_STEP_LOOK_MESSAGE:
    case PXR_STEP_LOOK_REPLY:
    case PXR_STEP_LOOK_DIRECT:
        return PXR_RC_MESSAGE;
    case PXR_STEP_OPEN_DIRECT:
        return PXR_RC_DIRECT;
    case PXR_STEP_ROOM:
        return PXR_RC_ROOM;
    case PXR_STEP_LOOK_DISCUSSION:
        return PXR_RC_DISCUSSIONS;
    case PXR_STEP_DISCUSSION:
        return PXR_RC_DISCUSS;
    default:
        return PXR_RC_SEND;
    }
}

static void message_id(const pxr_case_t *c, pxr_chat_purpose_t purpose,
                       char out[PXR_CHAT_ID_LEN + 1])
{
    /* The key is as secret as the personal link is, and every machine knows it. */
    pxr_chat_message_id(c->view.host_key, c->view.id, purpose, out);
}

static char *write_message(const pxr_case_t *c)
{
    char id[PXR_CHAT_ID_LEN + 1];
    pxr_rc_post_t post = {.text = c->m->text, .thread_id = detail(c, PXR_THREAD_ID)};

    if (!c->ended && !c->view.life.closed) {
        post.button_text = "Join";
        post.button_url = c->join_url;
    }
    message_id(c, PXR_CHAT_ROOM, id);
    return pxr_rc_write_send(id, detail(c, PXR_ROOM_ID), &post);
}

static char *write_reply(const pxr_case_t *c)
{
    char id[PXR_CHAT_ID_LEN + 1];
    char first[PXR_CHAT_ID_LEN + 1];
    const char *thread = detail(c, PXR_THREAD_ID);
    pxr_rc_post_t post = {.text = c->m->text};

    message_id(c, PXR_CHAT_REPLY, id);
    message_id(c, PXR_CHAT_ROOM, first);
    post.thread_id = thread[0] != '\0' ? thread : first;
    return pxr_rc_write_send(id, detail(c, PXR_ROOM_ID), &post);
}

static char *write_direct(const pxr_case_t *c)
{
    char id[PXR_CHAT_ID_LEN + 1];
    char *text = malloc(PXR_CHAT_TEXT_SIZE);
    char url[sizeof(c->join_url) + PXR_KEY_MAX + 8];
    char *body = NULL;
    pxr_chat_t chat;
    pxr_buf_t buf;

    if (text != NULL) {
        pxr_rc_post_t post = {.text = text};
        const char *names[1];
        pxr_view_t alone = c->view;
        alone.people_count = 0;
        chat = pxr_messenger_chat(c->site->workspace, &alone, c->join_url, 0, names);
        apr_snprintf(url, sizeof(url), "%s?k=%s", c->join_url, c->view.host_key);
        pxr_buf_init(&buf, text, PXR_CHAT_TEXT_SIZE);
        pxr_chat_put_personal(&buf, &chat, url);
        message_id(c, PXR_CHAT_DIRECT, id);
        body = buf.overflow ? NULL : pxr_rc_write_send(id, c->job->direct_room, &post);
        free(text);
    }
    return body;
}

/* Numbers, most of all, must be found by who types them, so nothing is put between their digits or
 * before them where they can only be read as what they are. */
static bool is_harmless(const char *alias)
{
    while (pxr_is_alnum(*alias)) {
        alias++;
    }
    return *alias == '\0';
}

void pxr_messenger_put_chat_name(pxr_buf_t *out, const pxr_workspace_t *w, const pxr_view_t *view)
{
    const char *title = view->details.text[PXR_TITLE];

    if (!pxr_chat_is_record(view->id)) {
        pxr_discussion_put_name(out, w->discussion_name, title, view->life.created_at);
        return;
    }
    pxr_buf_puts(out, "Meeting ");
    if (is_harmless(title)) {
        pxr_buf_puts(out, title);
    } else {
        pxr_chat_put_plain(out, title, strlen(title), PXR_DISCUSSION_TITLE_UNITS);
    }
}

static char *write_discussion(const pxr_case_t *c)
{
    char name[PXR_DISCUSSION_NAME_SIZE];
    const char *creator = detail(c, PXR_CREATOR_USERNAME);
    pxr_buf_t buf;

    pxr_buf_init(&buf, name, sizeof(name));
    pxr_messenger_put_chat_name(&buf, c->site->workspace, &c->view);
    return pxr_rc_write_discuss(c->job->parent, buf.data, &creator, creator[0] != '\0' ? 1 : 0);
}

static void put_path(const pxr_case_t *c, pxr_errand_t *errand, pxr_buf_t *path)
{
    char id[PXR_CHAT_ID_LEN + 1] = "";
    const char *about = id;

    switch (errand->step) {
    case PXR_STEP_LOOK_MESSAGE:
        message_id(c, PXR_CHAT_ROOM, id);
        break;
    case PXR_STEP_LOOK_REPLY:
        message_id(c, PXR_CHAT_REPLY, id);
        break;
    case PXR_STEP_LOOK_DIRECT:
        message_id(c, PXR_CHAT_DIRECT, id);
        break;
    case PXR_STEP_ROOM:
        about = c->job->parent[0] != '\0' ? c->job->parent : detail(c, PXR_ROOM_ID);
        break;
    default:
        about = c->job->parent;
    }
    pxr_rc_put_path(path, errand->call, about);
    if (errand->step == PXR_STEP_LOOK_DISCUSSION && pxr_chat_is_record(c->view.id)) {
        pxr_buf_puts(path, "&count=");
        pxr_buf_put_int(path, PXR_MESSENGER_PAGE);
        pxr_buf_puts(path, "&offset=");
        pxr_buf_put_int(path, (int64_t)c->job->page * PXR_MESSENGER_PAGE);
    }
}

static char *write_body(pxr_case_t *c, pxr_errand_t *errand)
{
    char id[PXR_MEETING_ID_MAX + 1];
    char first[PXR_CHAT_ID_LEN + 1];

    switch (errand->step) {
    case PXR_STEP_MESSAGE:
        return write_message(c);
    case PXR_STEP_EDIT:
        message_id(c, PXR_CHAT_ROOM, first);
        return pxr_rc_write_update(detail(c, PXR_ROOM_ID), first, c->m->text);
    case PXR_STEP_REPLY:
        return write_reply(c);
    case PXR_STEP_OPEN_DIRECT:
        return pxr_rc_write_direct(detail(c, PXR_CREATOR_USERNAME));
    case PXR_STEP_DIRECT:
        return write_direct(c);
    case PXR_STEP_DISCUSSION:
        return write_discussion(c);
    case PXR_STEP_CALLBACK:
        return nth_call(&c->view, c->job->calls_told, id) ? pxr_rc_write_callback(id) : NULL;
    default:
        return NULL;
    }
}

static void carry_out(pxr_case_t *c, pxr_task_kind_t kind, pxr_step_t step, uint64_t wanted)
{
    char path[1024];
    pxr_buf_t buf;
    pxr_errand_t errand = {.messenger = c->m,
                           .job = c->job,
                           .site = c->site,
                           .step = step,
                           .kind = kind,
                           .call = call_of(step),
                           .sent = wanted};

    pxr_buf_init(&buf, path, sizeof(path));
    if (step != PXR_STEP_CALLBACK) {
        put_path(c, &errand, &buf);
    }
    pxr_messenger_send(c->m, &errand, path, write_body(c, &errand));
}

static void settle(pxr_case_t *c, pxr_task_kind_t kind, pxr_step_t step)
{
    pxr_task_t task = *task_of(c, kind);
    uint32_t was = task.version;

    pxr_task_set(&task, step == PXR_STEP_DROP ? PXR_TASK_DROPPED : PXR_TASK_DONE, PXR_REASON_NONE,
                 task.http, c->now);
    pxr_store_note_task(pxr_store(), c->site->workspace->number, c->job->who.ref, kind, &task, was);
}

/* An administrator wants it to be tried again: a failure has left its reason otherwise. */
static void heed_wish(pxr_case_t *c, pxr_task_kind_t kind)
{
    pxr_job_t *job = c->job;
    const pxr_task_t *task = task_of(c, kind);

    if (job->failures[kind] > 0 && task->reason == PXR_REASON_NONE &&
        task->changed_at > job->failed_at[kind]) {
        job->failures[kind] = 0;
        job->next_at[kind] = 0;
    }
}

/* While our credentials are refused nothing is asked for; but an administrator who wants something
 * to be tried again has put them right. */
static void heed_pause(pxr_case_t *c, pxr_task_kind_t kind)
{
    pxr_task_t task = *task_of(c, kind);
    bool fresh = task.version == 1;

    if (c->site->paused_until <= c->now || task.reason != PXR_REASON_NONE) {
        return;
    }
    if (!fresh && task.changed_at > c->site->paused_at) {
        c->site->paused_until = 0;
    } else if (fresh) {
        pxr_task_set(&task, (pxr_task_state_t)task.state, PXR_REASON_CREDENTIALS,
                     c->site->health.http, task.changed_at);
        if (pxr_store_note_task(pxr_store(), c->site->workspace->number, c->job->who.ref, kind,
                                &task, 1) == PXR_OK) {
            *task_of(c, kind) = task;
        }
    }
}

/* Does it if its time has come; else returns when that will be. */
static pxr_time_t follow(pxr_case_t *c, pxr_task_kind_t kind, uint64_t wanted)
{
    plan_t plan = plan_for(c, kind, wanted);
    pxr_time_t at = plan.at;
    bool urgent = plan.step == PXR_STEP_MESSAGE || plan.step == PXR_STEP_LOOK_MESSAGE;

    if (plan.step == PXR_STEP_NONE) {
        return at;
    }
    if (plan.step == PXR_STEP_SETTLE || plan.step == PXR_STEP_DROP) {
        settle(c, kind, plan.step);
        return 1;
    }
    heed_wish(c, kind);
    at = pxr_time_later(at, c->job->next_at[kind]);
    if (plan.step != PXR_STEP_CALLBACK) {
        heed_pause(c, kind);
    }
    if (plan.step != PXR_STEP_CALLBACK) {
        at = pxr_time_later(at, route_opens(c, call_of(plan.step), urgent));
    }
    if (at <= c->now) {
        c->job->asked_at = urgent ? c->now : c->job->asked_at;
        carry_out(c, kind, plan.step, wanted);
    }
    return at;
}

/* Whether this workspace's configuration allows what was once wanted. */
static bool is_possible(const pxr_workspace_t *w, pxr_task_kind_t kind)
{
    return kind == PXR_TASK_CALLBACK ? w->callback_url != NULL : w->rest_user != NULL;
}

/* In this order: what people wait for comes first. */
static const pxr_task_kind_t order[PXR_TASKS] = {PXR_TASK_MESSAGE, PXR_TASK_DISCUSSION,
                                                 PXR_TASK_DIRECT, PXR_TASK_CALLBACK};

static pxr_time_t look(pxr_case_t *c)
{
    pxr_time_t again = PXR_TIME_NEVER;
    uint64_t wanted = 0;

    c->ended = c->view.life.state == PXR_MEETING_ENDED;
    apr_snprintf(c->join_url, sizeof(c->join_url), "%s%s", c->site->workspace->join_prefix,
                 c->view.join_key);
    if (pxr_task_is_open(&c->view.told, PXR_TASK_MESSAGE, c->ended)) {
        wanted = render(c);
        if (wanted == 0) {
            return c->now + PXR_SECOND;
        }
    }
    for (int i = 0; i < PXR_TASKS && !c->job->busy; i++) {
        pxr_time_t at;
        if (!pxr_task_is_open(&c->view.told, order[i], c->ended) ||
            !is_possible(c->site->workspace, order[i])) {
            continue;
        }
        at = follow(c, order[i], wanted);
        again = at < again ? at : again;
    }
    return again;
}

pxr_time_t pxr_messenger_look(pxr_messenger_t *m, pxr_job_t *job, pxr_time_t now)
{
    pxr_case_t c = {.m = m, .job = job, .now = now};
    pxr_time_t again = now + PXR_SECOND;
    pxr_status_t status;

    c.site = pxr_messenger_site(m, job->who.workspace);
    status = pxr_store_read(pxr_store(), job->who.workspace, job->who.ref, &c.view);
    if (status == PXR_OK) {
        again = look(&c);
    } else if (status == PXR_MISSING) {
        again = PXR_TIME_NEVER;
    }
    pxr_view_release(&c.view);
    return again;
}

/* An invitation does not wait for the server: whoever joins again is asked for again. */
static bool is_closed(const pxr_site_t *site, pxr_rc_call_t call)
{
    pxr_time_t now = pxr_time_now();

    return site->paused_until > now || site->routes[call].blocked_until > now;
}

/* Whether the chat will be there in a moment. One that takes longer must not fill the queue, which
 * all workspaces share. */
static bool expects_chat(const pxr_view_t *view)
{
    return view->told.task[PXR_TASK_DISCUSSION].state == PXR_TASK_WAITING &&
           view->life.state != PXR_MEETING_ENDED &&
           view->life.created_at + IMPATIENT > pxr_time_now();
}

static void invite(pxr_messenger_t *m, pxr_site_t *site, const pxr_view_t *view, const char *user)
{
    pxr_errand_t errand = {.messenger = m, .site = site, .step = PXR_STEP_INVITE};
    char path[256];
    pxr_buf_t buf;

    errand.call = strcmp(view->details.text[PXR_DISCUSSION_TYPE], "c") == 0 ? PXR_RC_INVITE_PUBLIC
                                                                            : PXR_RC_INVITE_PRIVATE;
    pxr_buf_init(&buf, path, sizeof(path));
    pxr_rc_put_path(&buf, errand.call, NULL);
    if (is_closed(site, errand.call)) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, m->server,
                     "somebody is not added to the chat of meeting %s: Rocket.Chat takes nobody at "
                     "present",
                     view->id);
    } else {
        pxr_messenger_send(m, &errand, path,
                           pxr_rc_write_invite(view->details.text[PXR_DISCUSSION_ID], user));
    }
}

bool pxr_messenger_invite(pxr_messenger_t *m, const pxr_tell_t *who, const char *user)
{
    pxr_site_t *site = pxr_messenger_site(m, who->workspace);
    bool waits = false;
    pxr_view_t view;

    if (site == NULL || site->workspace->rest_user == NULL) {
        return true;
    }
    if (pxr_store_read(pxr_store(), who->workspace, who->ref, &view) == PXR_OK) {
        if (view.details.len[PXR_DISCUSSION_ID] > 0) {
            invite(m, site, &view, user);
        } else {
            waits = expects_chat(&view) &&
                    pxr_store_invite(pxr_store(), who->workspace, who->ref, user) == PXR_OK;
        }
    }
    pxr_view_release(&view);
    return !waits;
}
