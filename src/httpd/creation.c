#include "pxr_httpd.h"

#include <apr_strings.h>

#include "pxr_chat.h"
#include "pxr_random.h"
#include "pxr_tell.h"

/* How meetings come into being, and how they are ended, whoever wants it. */

/* Rounds of PXR_NUMBER_CANDIDATES draws before the numbers count as used up. */
#define ROUNDS 8

typedef const char number_t[PXR_ALIAS_MAX + 1];

static bool make_pins(const pxr_workspace_t *w, char *host, char *guest)
{
    host[0] = '\0';
    guest[0] = '\0';
    if (w->pins == PXR_PINS_NONE) {
        return true;
    }
    memcpy(host, w->host_pin, sizeof(w->host_pin));
    memcpy(guest, w->guest_pin, sizeof(w->guest_pin));
    if (host[0] == '\0' && guest[0] == '\0') {
        return pxr_random_pins(host, guest, w->pin_length);
    }
    if (host[0] == '\0') {
        return pxr_random_pin_beside(host, guest);
    }
    return guest[0] != '\0' || pxr_random_pin_beside(guest, host);
}

static bool draw_numbers(const pxr_workspace_t *w, char (*numbers)[PXR_ALIAS_MAX + 1])
{
    size_t prefix = strlen(w->number_prefix);

    for (int i = 0; i < PXR_NUMBER_CANDIDATES; i++) {
        memcpy(numbers[i], w->number_prefix, prefix);
        if (!pxr_random_digits(numbers[i] + prefix, w->number_digits)) {
            return false;
        }
    }
    return true;
}

/* Enters the meeting once, and waits until the database has it too. */
static pxr_status_t try_to_enter(const pxr_call_t *call, const pxr_new_meeting_t *meeting,
                                 int64_t until, pxr_ref_t *ref, bool *created)
{
    pxr_status_t status =
        pxr_store_create(call->store, call->workspace->number, meeting, ref, created);

    return status == PXR_OK ? pxr_store_await(call->store, *ref, until - pxr_time_steady())
                            : status;
}

/* Enters the meeting, drawing numbers for it until one is free on all machines. */
static pxr_status_t enter(const pxr_call_t *call, const pxr_new_meeting_t *wanted, pxr_ref_t *ref,
                          bool *created)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_new_meeting_t meeting = *wanted;
    char numbers[PXR_NUMBER_CANDIDATES][PXR_ALIAS_MAX + 1];
    int64_t until = pxr_time_steady() + PXR_CREATE_WAIT;
    pxr_status_t status = PXR_INVALID;
    bool numbered = w->number_prefix != NULL && !pxr_chat_is_record(meeting.id);

    meeting.asked = false;
    for (int round = 0; round < ROUNDS; round++) {
        if (numbered && !draw_numbers(w, numbers)) {
            return PXR_BROKEN;
        }
        meeting.numbers = (number_t *)numbers;
        meeting.number_count = numbered ? PXR_NUMBER_CANDIDATES : 0;
        status = try_to_enter(call, &meeting, until, ref, created);
        if (status == PXR_MISSING) {
            /* Events speak of it: perhaps another machine has just made it. */
            meeting.asked = pxr_store_await_round(call->store, until - pxr_time_steady());
            status = meeting.asked ? PXR_MISSING : PXR_BUSY;
        }
        /* Another number, or the meeting of this id that is known now. */
        if (status != PXR_INVALID && status != PXR_EXISTS && status != PXR_MISSING) {
            break;
        }
    }
    if (status == PXR_OK && meeting.single && meeting.given && !*created &&
        pxr_store_kept(call->store) != PXR_KEEP_NOTHING &&
        !pxr_store_await_round(call->store, until - pxr_time_steady())) {
        /* Whether the id leads there after a restart is not known yet. */
        return PXR_BUSY;
    }
    return status;
}

static void log_full(request_rec *r, const pxr_call_t *call)
{
    pxr_store_health_t health;

    pxr_store_health(call->store, &health);
    ap_log_rerror(
        APLOG_MARK, APLOG_ERR, 0, r,
        "PXR1027: a meeting was refused because the working set is full (%u of %u meetings, %u of "
        "%u blocks of text, %u of %u names): raise " PXR_D_MEETINGS,
        health.meetings.used, health.meetings.size, health.blocks.used, health.blocks.size,
        health.names.used, health.names.size);
}

/* Counts and logs a creation that came to nothing. */
static void note_refusal(request_rec *r, const pxr_call_t *call, pxr_status_t status)
{
    bool full = status == PXR_FULL || status == PXR_INVALID;

    if (full || (status == PXR_BUSY && pxr_store_kept(call->store) != PXR_KEEP_NOTHING)) {
        pxr_store_count(call->store, call->workspace->number,
                        full ? PXR_COUNT_REFUSED_FULL : PXR_COUNT_REFUSED_DATABASE, 1);
    }
    if (!full || !pxr_store_may_tell(call->store, PXR_TOPIC_FULL, r->request_time)) {
        return;
    }
    if (status == PXR_FULL) {
        log_full(r, call);
    } else {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "PXR1028: a meeting was refused because no numeric alias is free: give " PXR_D_NUMBER
            " more digits");
    }
}

static void want(pxr_told_t *told, pxr_task_kind_t kind, pxr_time_t now)
{
    pxr_task_set(&told->task[kind], PXR_TASK_WAITING, PXR_REASON_NONE, 0, now);
}

/* What Rocket.Chat is to be told of it. */
static void note_wishes(const pxr_call_t *call, const pxr_wish_t *wish, pxr_time_t now,
                        pxr_told_t *told)
{
    const pxr_workspace_t *w = call->workspace;
    const pxr_details_t *details = &wish->details;
    /* Without a database nobody could know after a restart what has been told. */
    bool kept = pxr_store_kept(call->store) != PXR_KEEP_NOTHING;
    bool posts = kept && w->rest_user != NULL && details->len[PXR_ROOM_ID] > 0;

    if (posts && !wish->shown && !wish->answered) {
        want(told, PXR_TASK_MESSAGE, now);
    }
    if (posts && !wish->shown && details->len[PXR_CREATOR_USERNAME] > 0) {
        want(told, PXR_TASK_DIRECT, now);
    }
    if (posts && w->persistent_chat && details->len[PXR_DISCUSSION_ID] == 0) {
        want(told, PXR_TASK_DISCUSSION, now);
    }
    if (kept && w->callback_url != NULL && wish->call) {
        want(told, PXR_TASK_CALLBACK, now);
    }
}

/* What the nodes will be answered, for the whole life of the meeting. */
static bool render_answer(request_rec *r, const pxr_workspace_t *w, pxr_new_meeting_t *meeting,
                          char *answer, size_t size)
{
    pxr_answer_meeting_t shown = {
        .name = meeting->id,
        .title = meeting->details.text[PXR_TITLE] != NULL ? meeting->details.text[PXR_TITLE] : "",
        .title_len = meeting->details.len[PXR_TITLE],
        .host_pin = meeting->host_pin,
        .guest_pin = meeting->guest_pin};
    pxr_buf_t buf;

    pxr_buf_init(&buf, answer, size);
    if (pxr_answer_render(&w->answer, &shown, &buf) != PXR_OK) {
        /* The configuration was checked for this, so it cannot happen; if it does, no node gets to
         * see the answer. */
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            "PXR1029: a meeting was refused because no valid policy answer can be made of it");
        return false;
    }
    meeting->answer = answer;
    meeting->answer_len = buf.len;
    return true;
}

pxr_status_t pxr_create_meeting(request_rec *r, const pxr_call_t *call, const pxr_wish_t *wish,
                                pxr_ref_t *ref, bool *created)
{
    const pxr_workspace_t *w = call->workspace;
    char id[PXR_MEETING_ID_OWN + 1];
    char key[PXR_JOIN_KEY_LEN + 1];
    char host_key[PXR_JOIN_KEY_LEN + 1];
    char host[PXR_PIN_MAX + 1];
    char guest[PXR_PIN_MAX + 1];
    char answer[PXR_ANSWER_MAX];
    pxr_new_meeting_t meeting = {
        .join_key = key, .host_key = host_key, .host_pin = host, .guest_pin = guest};
    pxr_time_t now = pxr_time_now();
    pxr_status_t status;

    *created = false;
    if (!pxr_random_key(id, sizeof(id) - 1) || !pxr_random_key(key, sizeof(key) - 1) ||
        !pxr_random_key(host_key, sizeof(host_key) - 1) || !make_pins(w, host, guest)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "PXR1030: the system's random source fails");
        return PXR_BROKEN;
    }
    meeting.id = wish->id != NULL ? wish->id : id;
    meeting.given = wish->id != NULL;
    meeting.casual = wish->casual;
    meeting.details = wish->details;
    if (!render_answer(r, w, &meeting, answer, sizeof(answer))) {
        return PXR_BROKEN;
    }
    meeting.service_tag = w->answer.service_tag;
    meeting.breakouts = pxr_option_is_true(&w->answer, "breakout_rooms");
    meeting.single = !w->concurrent_calls && wish->details.len[PXR_ROOM_ID] > 0;
    meeting.called = w->room_alias;
    pxr_meeting_init(&meeting.life, now, wish->not_before, wish->not_after, w->lifetime, w->grace,
                     w->silence);
    note_wishes(call, wish, now, &meeting.told);
    status = enter(call, &meeting, ref, created);
    if (status != PXR_OK) {
        note_refusal(r, call, status);
    } else if (*created) {
        pxr_store_count(call->store, w->number, PXR_COUNT_CREATED, 1);
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "meeting %s created", meeting.id);
    }
    return status;
}

pxr_status_t pxr_create_chat_record(request_rec *r, const pxr_call_t *call, const char *id,
                                    const char *alias, pxr_ref_t *ref)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_time_t now = pxr_time_now();
    /* By this the database tells who has made it; nobody joins. */
    char key[PXR_JOIN_KEY_LEN + 1];
    pxr_new_meeting_t record = {.id = id,
                                .join_key = key,
                                .host_pin = "",
                                .guest_pin = "",
                                .answer = "",
                                .service_tag = ""};
    pxr_status_t status;
    bool created;

    if (!pxr_random_key(key, sizeof(key) - 1)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "PXR1031: the system's random source fails");
        return PXR_BROKEN;
    }
    record.details.text[PXR_TITLE] = alias;
    record.details.len[PXR_TITLE] = strlen(alias);
    record.details.text[PXR_ROOM_ID] = w->scheduled_room;
    record.details.len[PXR_ROOM_ID] = strlen(w->scheduled_room);
    pxr_meeting_init(&record.life, now, 0, 0, PXR_CHAT_RECORD_LIFE, w->grace, w->silence);
    want(&record.told, PXR_TASK_DISCUSSION, now);
    status = enter(call, &record, ref, &created);
    if (status != PXR_OK) {
        note_refusal(r, call, status);
    }
    return status;
}

/* Whether the database may have an answer soon, if not at once. */
static bool has_database(const pxr_call_t *call)
{
    pxr_keep_health_t health;
    pxr_keeper_state_t state;

    pxr_store_keep_health(call->store, &health);
    state = pxr_keeper_state(&health, pxr_time_now());
    return state == PXR_KEEPER_OK || state == PXR_KEEPER_STARTING;
}

/* Whoever ends a meeting in which nobody is may expect that it has ended, also where the database
 * takes its time. While it is away the meeting is only closed. */
static void await_end(const pxr_call_t *call, pxr_ref_t ref)
{
    int64_t until = pxr_time_steady() + PXR_CREATE_WAIT;

    while (pxr_store_is_dismissed(call->store, ref) && pxr_time_steady() < until &&
           has_database(call) && !pxr_is_leaving()) {
        pxr_store_await_round(call->store, until - pxr_time_steady());
        /* Other machines may have to be waited for, or somebody who writes to the database. */
        apr_sleep(PXR_SECOND / 50);
    }
}

pxr_status_t pxr_close_meeting(const pxr_call_t *call, pxr_ref_t ref)
{
    pxr_status_t status =
        pxr_store_close(call->store, call->workspace->number, ref, pxr_time_now());

    if (status == PXR_OK) {
        await_end(call, ref);
    }
    return status;
}

static const char *why_not_invited(pxr_status_t status)
{
    switch (status) {
    case PXR_FULL:
        return "too many wait for that already";
    case PXR_INVALID:
        return "Rocket.Chat has no ids as long as his";
    default:
        return "the working set does not take it";
    }
}

void pxr_invite_to_chat(request_rec *r, const pxr_call_t *call, const pxr_found_t *found,
                        const char *user_id)
{
    const pxr_workspace_t *w = call->workspace;
    pxr_status_t status;

    if (!w->persistent_chat || w->rest_user == NULL) {
        return;
    }
    status = pxr_store_invite(call->store, w->number, found->ref, user_id);
    if (status != PXR_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "somebody is not added to the chat beside meeting %s: %s", found->id,
                      why_not_invited(status));
    }
}
