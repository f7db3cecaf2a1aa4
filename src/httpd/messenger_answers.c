#include "messenger.h"

#include <stdlib.h>

#include "pxr_random.h"

/* What is made of Rocket.Chat's answers. */

/* Our credentials may be put right at any time. */
#define PAUSE (15 * PXR_SECOND)
/* A server that fails now and then is not worth a line each time. */
#define TELL_EVERY (60 * PXR_SECOND)
/* A refusal that does not say why may be an answer to something that has arrived before. */
#define REFUSALS 4
/* So many requests of a kind are left for what cannot wait, such as the ends of other meetings. */
#define RESERVED 3
/* Rocket.Chat counts requests for so long unless it says or is told otherwise. */
#define COUNTED_FOR (60 * PXR_SECOND)

typedef struct {
    pxr_messenger_t *m;
    pxr_errand_t *errand;
    pxr_job_t *job;
    pxr_site_t *site;
    pxr_time_t now;
    pxr_rc_answer_t answer;
    pxr_told_t told;
} news_t;

/* How this workspace is doing, for people. */
static void note_health(news_t *n, bool good)
{
    pxr_chat_health_t *health = &n->site->health;
    health->http = n->answer.status;
    health->paused_until = n->site->paused_until;
    if (good) {
        health->ok_at = n->now;
        health->failing = 0;
        health->why[0] = '\0';
        if (n->site->told) {
            n->site->told = false;
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, n->m->server,
                         "PXR1055: Rocket.Chat at %s works again", n->site->workspace->rest_url);
        }
    } else {
        health->failed_at = n->now;
        health->failing = 1;
        pxr_text_copy(health->why, sizeof(health->why), n->answer.reason, strlen(n->answer.reason));
        if (!n->site->told && n->site->told_at + TELL_EVERY < n->now) {
            n->site->told = true;
            n->site->told_at = n->now;
            ap_log_error(
                APLOG_MARK, APLOG_WARNING, 0, n->m->server,
                "PXR1056: Rocket.Chat at %s does not do what it is asked: %s; it is asked again "
                "until it does",
                n->site->workspace->rest_url, n->answer.reason);
        }
    }
    pxr_store_note_chat(pxr_store(), n->site->workspace->number, health);
}

static void put(news_t *n, pxr_task_kind_t kind, const pxr_task_t *task)
{
    pxr_status_t status =
        pxr_store_note_task(pxr_store(), n->site->workspace->number, n->job->who.ref, kind, task,
                            n->told.task[kind].version);

    if (status == PXR_OK) {
        n->told.task[kind] = *task;
    } else if (status == PXR_BUSY || status == PXR_BROKEN) {
        /* Whether it was sent is found out by looking. */
        n->job->unsure[kind] = true;
    }
}

static void become(news_t *n, pxr_task_state_t state, pxr_task_reason_t reason)
{
    pxr_task_t task = n->told.task[n->errand->kind];

    if (pxr_task_set(&task, state, reason, n->answer.status, n->now)) {
        put(n, n->errand->kind, &task);
    }
}

/* The room has the text of this errand. */
static void note_sent(news_t *n, pxr_task_state_t state, uint64_t sent)
{
    pxr_task_t task = n->told.task[n->errand->kind];

    task.version++;
    task.state = (uint8_t)state;
    task.reason = PXR_REASON_NONE;
    task.http = (uint16_t)n->answer.status;
    task.sent = sent;
    task.changed_at = n->now;
    n->job->failures[n->errand->kind] = 0;
    n->job->unsure[n->errand->kind] = false;
    put(n, n->errand->kind, &task);
}

static void done(news_t *n)
{
    n->job->unsure[n->errand->kind] = false;
    become(n, PXR_TASK_DONE, PXR_REASON_NONE);
}

static void give_up(news_t *n, pxr_task_reason_t reason)
{
    if (n->told.task[n->errand->kind].state != PXR_TASK_FAILED) {
        pxr_view_t view;
        pxr_status_t status =
            pxr_store_read(pxr_store(), n->site->workspace->number, n->job->who.ref, &view);
        /* That a room is closed to us anybody can bring about. */
        ap_log_error(
            APLOG_MARK, reason == PXR_REASON_ROOM ? APLOG_NOTICE : APLOG_ERR, 0, n->m->server,
            "PXR1057: meeting %s: its %s is refused by Rocket.Chat (%s) and is not tried again; "
            "see api/v1/deliveries",
            status == PXR_OK ? view.id : "?", pxr_task_kind_name(n->errand->kind),
            n->answer.reason);
        pxr_view_release(&view);
    }
    become(n, PXR_TASK_FAILED, reason);
}

/* It will be tried again; what is known of the reason is shown meanwhile. */
static void try_again(news_t *n, pxr_task_reason_t reason)
{
    pxr_task_kind_t kind = n->errand->kind;
    uint32_t failures = ++n->job->failures[kind];
    pxr_task_t task = n->told.task[kind];
    uint32_t random = 0;
    char digits[4];

    n->job->failed_at[kind] = n->now;
    if (pxr_random_digits(digits, 3)) {
        random = (uint32_t)atoi(digits);
    }
    /* An edit counts from when the message was asked for; people wait for the first one. */
    n->job->next_at[kind] = n->now + pxr_task_pause(failures, n->now - task.changed_at, random);
    if (task.reason != reason || task.http != n->answer.status) {
        task.version++;
        task.reason = (uint8_t)reason;
        task.http = (uint16_t)n->answer.status;
        put(n, kind, &task);
    }
}

/* Whether a refusal is about the room, and not about what was said. */
static bool is_about_room(const pxr_rc_answer_t *answer)
{
    return answer->verdict == PXR_RC_MISSING || strstr(answer->key, "invalid-params") == NULL;
}

/* What is the same for all steps: true where the step has nothing more to say. */
static bool is_settled(news_t *n)
{
    const pxr_rc_answer_t *answer = &n->answer;
    bool sends = n->errand->call == PXR_RC_SEND || n->errand->call == PXR_RC_DISCUSS;

    switch (answer->verdict) {
    case PXR_RC_LATER:
        try_again(n, answer->status == 0 ? PXR_REASON_UNREACHABLE : PXR_REASON_BUSY);
        return true;
    case PXR_RC_UNKNOWN:
        n->job->unsure[n->errand->kind] = true;
        if (answer->status >= 400 && answer->status < 500 &&
            n->job->failures[n->errand->kind] >= REFUSALS) {
            /* It was looked for each time, and is not there. */
            give_up(n, PXR_REASON_REFUSED);
            return true;
        }
        try_again(n, answer->status == 0 ? PXR_REASON_UNREACHABLE : PXR_REASON_BUSY);
        return true;
    case PXR_RC_GARBLED:
        n->job->unsure[n->errand->kind] = n->job->unsure[n->errand->kind] || sends;
        try_again(n, PXR_REASON_GARBLED);
        return true;
    case PXR_RC_FORBIDDEN:
        n->site->paused_at = n->now;
        n->site->paused_until = n->now + PAUSE;
        try_again(n, PXR_REASON_CREDENTIALS);
        return true;
    default:
        return false;
    }
}

static void after_message(news_t *n)
{
    if (n->answer.verdict == PXR_RC_OK) {
        note_sent(n, PXR_TASK_POSTED, n->errand->sent);
    } else {
        give_up(n, is_about_room(&n->answer) ? PXR_REASON_ROOM : PXR_REASON_REFUSED);
    }
}

static void after_look_message(news_t *n)
{
    pxr_rc_message_t message;

    if (n->answer.verdict == PXR_RC_OK && pxr_rc_read_message(n->answer.doc, &message)) {
        note_sent(n, PXR_TASK_POSTED, pxr_hash_text(message.text));
    } else if (n->answer.verdict == PXR_RC_OK) {
        try_again(n, PXR_REASON_GARBLED);
    } else {
        /* Not there, or in a room that we may not see: then posting tells. */
        n->job->unsure[PXR_TASK_MESSAGE] = false;
    }
}

static void after_edit(news_t *n)
{
    switch (n->answer.verdict) {
    case PXR_RC_OK:
        note_sent(n, PXR_TASK_POSTED, n->errand->sent);
        break;
    case PXR_RC_UNEDITABLE:
        become(n, PXR_TASK_FIXED, PXR_REASON_NONE);
        break;
    case PXR_RC_MISSING:
        /* Somebody has deleted it, and nobody could put that right. */
        become(n, PXR_TASK_DROPPED, PXR_REASON_ROOM);
        break;
    default:
        give_up(n, is_about_room(&n->answer) ? PXR_REASON_ROOM : PXR_REASON_REFUSED);
    }
}

static void after_look_reply(news_t *n)
{
    if (n->answer.verdict == PXR_RC_OK) {
        done(n);
    } else {
        n->job->unsure[PXR_TASK_MESSAGE] = false;
    }
}

static void after_last_word(news_t *n)
{
    if (n->answer.verdict == PXR_RC_OK) {
        done(n);
    } else {
        give_up(n, is_about_room(&n->answer) ? PXR_REASON_ROOM : PXR_REASON_REFUSED);
    }
}

static void after_open_direct(news_t *n)
{
    const char *room;

    if (n->answer.verdict == PXR_RC_OK && pxr_rc_read_direct(n->answer.doc, &room)) {
        pxr_text_copy(n->job->direct_room, sizeof(n->job->direct_room), room, strlen(room));
    } else if (n->answer.verdict == PXR_RC_OK) {
        try_again(n, PXR_REASON_GARBLED);
    } else {
        give_up(n, PXR_REASON_REFUSED);
    }
}

static void after_look_direct(news_t *n)
{
    if (n->answer.verdict == PXR_RC_OK) {
        done(n);
    } else {
        n->job->unsure[PXR_TASK_DIRECT] = false;
    }
}

/* A visitor's room, for one, has no discussions: nothing has failed, and nothing could be put
 * right, unless an administrator has chosen the room. */
static void refuse_kind(news_t *n, const pxr_rc_room_t *room)
{
    const char *chosen = n->site->workspace->scheduled_room;

    if (chosen != NULL && strcmp(room->id, chosen) == 0) {
        give_up(n, PXR_REASON_UNSUPPORTED);
    } else {
        become(n, PXR_TASK_DROPPED, PXR_REASON_UNSUPPORTED);
    }
}

/* Discussions hang below rooms that are none themselves. */
static void after_room(news_t *n)
{
    pxr_job_t *job = n->job;
    pxr_rc_room_t room;

    if (n->answer.verdict != PXR_RC_OK) {
        give_up(n, PXR_REASON_ROOM);
    } else if (!pxr_rc_read_room(n->answer.doc, &room)) {
        try_again(n, PXR_REASON_GARBLED);
    } else if (strcmp(room.type, "c") != 0 && strcmp(room.type, "p") != 0 &&
               strcmp(room.type, "d") != 0) {
        refuse_kind(n, &room);
    } else if (room.parent_id != NULL && room.parent_id[0] != '\0' &&
               job->depth < PXR_MESSENGER_DEPTH) {
        pxr_text_copy(job->parent, sizeof(job->parent), room.parent_id, strlen(room.parent_id));
        job->depth++;
    } else {
        pxr_text_copy(job->parent, sizeof(job->parent), room.id, strlen(room.id));
        job->parent_known = true;
    }
}

static void take_discussion(news_t *n, const pxr_rc_room_t *room)
{
    pxr_details_t details;
    pxr_status_t status;

    memset(&details, 0, sizeof(details));
    details.text[PXR_DISCUSSION_ID] = room->id;
    details.text[PXR_DISCUSSION_NAME] = room->name != NULL ? room->name : "";
    details.text[PXR_DISCUSSION_TYPE] = strcmp(room->type, "c") == 0 ? "c" : "p";
    for (int i = PXR_DISCUSSION_ID; i <= PXR_DISCUSSION_TYPE; i++) {
        details.len[i] = strlen(details.text[i]);
    }
    status = pxr_store_add_discussion(pxr_store(), n->site->workspace->number, n->job->who.ref,
                                      &details);
    if (status == PXR_OK) {
        done(n);
    } else {
        n->job->unsure[PXR_TASK_DISCUSSION] = true;
        try_again(n, PXR_REASON_BUSY);
    }
}

static void after_discussion(news_t *n)
{
    pxr_rc_room_t room;

    if (n->answer.verdict != PXR_RC_OK) {
        give_up(n, is_about_room(&n->answer) ? PXR_REASON_ROOM : PXR_REASON_REFUSED);
    } else if (pxr_rc_read_discussion(n->answer.doc, &room)) {
        take_discussion(n, &room);
    } else {
        n->job->unsure[PXR_TASK_DISCUSSION] = true;
        try_again(n, PXR_REASON_GARBLED);
    }
}

/* Two meetings that begin within a minute have chats of the same name. */
static bool is_taken(const news_t *n, const pxr_view_t *view, const char *id)
{
    const char *room = view->details.text[PXR_ROOM_ID];
    pxr_list_query_t query = {.states = {false, true, true, true}, .room_id = room, .limit = 100};
    pxr_ref_t refs[100];
    pxr_time_t created[100];
    bool taken = false;
    bool more;
    size_t count =
        pxr_store_list(pxr_store(), n->site->workspace->number, &query, refs, created, &more);

    for (size_t i = 0; i < count && !taken; i++) {
        pxr_view_t other;
        taken =
            pxr_store_read(pxr_store(), n->site->workspace->number, refs[i], &other) == PXR_OK &&
            other.details.len[PXR_DISCUSSION_ID] > 0 &&
            strcmp(other.details.text[PXR_DISCUSSION_ID], id) == 0;
        pxr_view_release(&other);
    }
    return taken;
}

/* Whether a discussion that was found is the one that was made for this meeting. */
static bool is_ours(const news_t *n, const pxr_view_t *view, const pxr_rc_room_t *room)
{
    const pxr_workspace_t *w = n->site->workspace;
    char name[PXR_DISCUSSION_NAME_SIZE];
    pxr_buf_t buf;

    pxr_buf_init(&buf, name, sizeof(name));
    pxr_messenger_put_chat_name(&buf, w, view);
    return room->full_name != NULL && strcmp(room->full_name, name) == 0 &&
           (room->owner_id == NULL || strcmp(room->owner_id, w->rest_user) == 0) &&
           (pxr_chat_is_record(view->id) || !is_taken(n, view, room->id));
}

static void after_look_discussion(news_t *n)
{
    pxr_rc_room_t room;
    pxr_view_t view;
    size_t count = 0;
    bool found = false;

    memset(&view, 0, sizeof(view));
    if (n->answer.verdict != PXR_RC_OK) {
        give_up(n, PXR_REASON_ROOM);
        return;
    }
    if (!pxr_rc_count_discussions(n->answer.doc, &count) ||
        pxr_store_read(pxr_store(), n->site->workspace->number, n->job->who.ref, &view) != PXR_OK) {
        try_again(n, PXR_REASON_GARBLED);
        pxr_view_release(&view);
        return;
    }
    for (size_t i = 0; i < count && !found; i++) {
        found = pxr_rc_read_discussions(n->answer.doc, i, &room) && is_ours(n, &view, &room);
    }
    if (found) {
        take_discussion(n, &room);
    } else if (pxr_chat_is_record(view.id) && count >= PXR_MESSENGER_PAGE &&
               n->job->page + 1 < PXR_MESSENGER_PAGES) {
        n->job->page++;
    } else {
        n->job->page = 0;
        n->job->searched = true;
        n->job->unsure[PXR_TASK_DISCUSSION] = false;
    }
    pxr_view_release(&view);
}

/* The companion app is no REST API: its answer is its status. */
static void after_callback(news_t *n, const pxr_rest_result_t *result)
{
    /* Rocket.Chat's own 404, where the app is disabled, is no JSON. */
    bool unknown =
        result->status == HTTP_NOT_FOUND && strcmp(result->content_type, "application/json") == 0;
    bool heard = result->outcome == PXR_REST_ANSWERED &&
                 ((result->status >= 200 && result->status < 300) || unknown);

    n->answer.status = result->status;
    if (!heard) {
        if (n->told.task[PXR_TASK_CALLBACK].reason == PXR_REASON_NONE) {
            ap_log_error(
                APLOG_MARK, APLOG_WARNING, 0, n->m->server,
                "PXR1058: the companion app did not take the end of a call (HTTP status %d%s%s); "
                "it is told again until it does",
                result->status, result->why[0] != '\0' ? ", " : "", result->why);
        }
        try_again(n, result->status == 0                              ? PXR_REASON_UNREACHABLE
                     : result->status == 401 || result->status == 403 ? PXR_REASON_CREDENTIALS
                                                                      : PXR_REASON_BUSY);
        return;
    }
    pxr_store_see(pxr_store(), n->site->workspace->number, PXR_SEEN_CALLBACK, n->now);
    /* The next look finds the next call, or that there is none. */
    n->job->calls_told++;
    n->job->failures[PXR_TASK_CALLBACK] = 0;
    n->job->next_at[PXR_TASK_CALLBACK] = 0;
}

static void after_invite(news_t *n)
{
    if (n->answer.verdict != PXR_RC_OK) {
        /* He is asked for again when he joins again; the chat can be joined without us, too. */
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, n->m->server,
                     "somebody could not be added to the chat of a meeting: %s", n->answer.reason);
    }
}

static void after_step(news_t *n)
{
    switch (n->errand->step) {
    case PXR_STEP_LOOK_MESSAGE:
        after_look_message(n);
        break;
    case PXR_STEP_MESSAGE:
        after_message(n);
        break;
    case PXR_STEP_EDIT:
        after_edit(n);
        break;
    case PXR_STEP_LOOK_REPLY:
        after_look_reply(n);
        break;
    case PXR_STEP_REPLY:
    case PXR_STEP_DIRECT:
        after_last_word(n);
        break;
    case PXR_STEP_OPEN_DIRECT:
        after_open_direct(n);
        break;
    case PXR_STEP_LOOK_DIRECT:
        after_look_direct(n);
        break;
    case PXR_STEP_ROOM:
        after_room(n);
        break;
    case PXR_STEP_LOOK_DISCUSSION:
        after_look_discussion(n);
        break;
    case PXR_STEP_DISCUSSION:
        after_discussion(n);
        break;
    default:
        break;
    }
}

static void after_any_step(news_t *n)
{
    bool settled = is_settled(n);

    note_health(n, !settled);
    if (!settled) {
        after_step(n);
    }
}

/* What was answered, and how often the server may be asked. */
static void hear(news_t *n, const pxr_rest_result_t *result)
{
    pxr_route_t *route = &n->site->routes[n->errand->call];
    int64_t reset = result->reset_after >= 0 ? result->reset_after : COUNTED_FOR;
    bool scarce = result->remaining >= 0 && result->remaining < RESERVED;

    pxr_rc_judge(n->errand->call, result, &n->answer);
    route->reserved_until = scarce ? n->now + reset : 0;
    route->blocked_until = n->answer.wait > 0 ? n->now + n->answer.wait : 0;
}

void pxr_messenger_answer(pxr_errand_t *errand, pxr_rest_result_t *result)
{
    news_t n = {.m = errand->messenger,
                .errand = errand,
                .job = errand->job,
                .site = errand->site,
                .now = pxr_time_now()};

    if (n.job == NULL) {
        hear(&n, result);
        after_invite(&n);
    } else if (pxr_store_told(pxr_store(), n.site->workspace->number, n.job->who.ref, &n.told) !=
               PXR_OK) {
        /* It is gone, or the memory cannot be written: then it is looked for the next time. */
        n.job->unsure[errand->kind] = true;
    } else if (errand->step == PXR_STEP_CALLBACK) {
        after_callback(&n, result);
    } else {
        hear(&n, result);
        after_any_step(&n);
    }
    pxr_rc_answer_clear(&n.answer);
}
