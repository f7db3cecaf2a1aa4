#include "status.h"

#include <apr_strings.h>

#define ALMOST_FULL 90

#define SEE_LOG "The error log of httpd says more."

static pxr_part_t policy(apr_pool_t *p, const pxr_call_t *call, const pxr_status_page_t *page)
{
    const uint64_t *counters = page->counters;
    pxr_part_t part = {.key = "policy", .name = "Conferencing Nodes ask what a meeting is"};

    part.since = pxr_store_seen_at(call->store, call->workspace->number, PXR_SEEN_POLICY);
    part.when = "Asked last";
    if (part.since == 0) {
        part.level = PXR_LEVEL_UNKNOWN;
        part.word = "not yet";
        part.what = "No node has asked since the memory of this server was made.";
        part.cure = "On Infinity, give the policy profile to the system locations that take the "
                    "calls. Nodes must reach this server by HTTPS and trust its certificate.";
    } else {
        part.level = PXR_LEVEL_GOOD;
        part.word = "works";
        part.what = apr_psprintf(p,
                                 "Answers: %" APR_UINT64_T_FMT " let in, %" APR_UINT64_T_FMT
                                 " turned away, %" APR_UINT64_T_FMT " not about our meetings.",
                                 (apr_uint64_t)counters[PXR_COUNT_POLICY_CONTINUE],
                                 (apr_uint64_t)counters[PXR_COUNT_POLICY_REJECT],
                                 (apr_uint64_t)(counters[PXR_COUNT_POLICY_UNKNOWN] +
                                                counters[PXR_COUNT_POLICY_FALLBACK]));
    }
    return part;
}

static bool is_old_version(const pxr_status_page_t *page)
{
    for (size_t i = 0; i < page->node_count; i++) {
        if (page->nodes[i].publisher.version == 1) {
            return true;
        }
    }
    return false;
}

static pxr_part_t events(const pxr_call_t *call, const pxr_status_page_t *page)
{
    uint32_t workspace = call->workspace->number;
    pxr_time_t admitted = pxr_store_seen_at(call->store, workspace, PXR_SEEN_ADMITTED);
    pxr_part_t part = {.key = "events", .name = "Conferencing Nodes tell what happens"};

    part.since = pxr_store_seen_at(call->store, workspace, PXR_SEEN_EVENTS);
    part.when = "Last event";
    if (page->database->shared && (part.since == 0 || part.since < admitted)) {
        part.level = PXR_LEVEL_UNKNOWN;
        part.word = "not here";
        part.what = "Events of late have not come to this machine; they may come to another one.";
    } else if (pxr_seen_is_silent(admitted, part.since, page->now)) {
        part.level = PXR_LEVEL_BAD;
        part.word = "silent";
        part.effect = "Calls can be joined, but it is not seen who is in them.";
        part.what = "A node was told to let somebody into a meeting, and no event has come since "
                    "then. A request that was made by hand counts as well, until the next event.";
        part.cure = "On Infinity, give the event sink to every location whose nodes host these "
                    "calls, overflow locations included. A location that only proxies is silent.";
    } else if (part.since == 0) {
        part.level = PXR_LEVEL_UNKNOWN;
        part.word = "not yet";
        part.what = "No event has come since the memory of this server was made.";
        part.cure = "On Infinity, give the event sink to the system locations.";
    } else if (is_old_version(page)) {
        part.level = PXR_LEVEL_CARE;
        part.word = "old version";
        part.what = "An event sink sends version 1.";
        part.cure = "On Infinity, set the version of the event sink to 2.";
    } else {
        part.level = PXR_LEVEL_GOOD;
        part.word = "works";
    }
    return part;
}

static pxr_part_t leader(const pxr_status_page_t *page)
{
    pxr_part_t part = {.key = "leader",
                       .name = "Work in the background",
                       .level = PXR_LEVEL_GOOD,
                       .word = "works"};

    if (!page->leader) {
        part.level = PXR_LEVEL_BAD;
        part.word = "stands still";
        part.effect = "Meetings do not end, and nothing is written or told to Rocket.Chat.";
        part.what = "No process of httpd has done this work lately.";
        part.cure = "Reload httpd. " SEE_LOG;
        part.when = "Was done last";
        part.since = page->health.ticked_at;
    }
    return part;
}

/* Nothing new may begin, because it could be lost. */
static void database_fails(const pxr_database_page_t *page, pxr_part_t *part)
{
    bool newer = strcmp(page->state, "newer") == 0;

    part->level = PXR_LEVEL_BAD;
    part->word = strcmp(page->state, "starting") == 0  ? "starting"
                 : strcmp(page->state, "hanging") == 0 ? "does not answer"
                 : newer                               ? "too new"
                                                       : "cannot be used";
    part->effect = "New calls cannot be started, and no call ends. Running calls go on.";
    part->cure = newer ? "Install the version of the module that made these tables, or a newer one."
                 : strcmp(page->driver, "sqlite3") == 0
                     ? "Look at owner, mode and free space of " PXR_D_STATE_DIR ". " SEE_LOG
                     : "Look at the database server and its own log. " SEE_LOG;
    part->when = "Since";
    part->since = page->since;
    part->error = page->error;
}

static pxr_part_t database(apr_pool_t *p, const pxr_status_page_t *all)
{
    const pxr_database_page_t *page = all->database;
    pxr_part_t part = {
        .key = "database", .name = "Database", .level = PXR_LEVEL_GOOD, .word = "works"};

    if (strcmp(page->state, "none") == 0) {
        part.level = PXR_LEVEL_OFF;
        part.word = "none";
        part.what = "Meetings are lost when the machine restarts, there is no history, and nothing "
                    "is posted to Rocket.Chat.";
    } else if (!page->good) {
        database_fails(page, &part);
    } else if (page->refused + page->not_loaded > 0 || page->lost > 0) {
        part.level = PXR_LEVEL_CARE;
        part.word = "not everything";
        part.what = apr_psprintf(p,
                                 "%u records were refused, %u meetings found no room in memory, "
                                 "%" APR_UINT64_T_FMT " records were given up.",
                                 page->refused, page->not_loaded, (apr_uint64_t)page->lost);
        part.cure = "Raise " PXR_D_MEETINGS " if memory is full. " SEE_LOG;
    } else if (page->clock_ahead != 0) {
        part.level = PXR_LEVEL_CARE;
        part.word = "other time";
        part.what = "Its clock differs from the clock of this machine.";
        part.cure = "Set both by NTP.";
    } else {
        part.when = "Last written";
        part.since = page->last_commit_at;
    }
    return part;
}

static void messages_fail(apr_pool_t *p, const pxr_chat_page_t *page, pxr_part_t *part)
{
    part->level = PXR_LEVEL_CARE;
    part->when = "Since";
    part->since = page->health.failed_at;
    part->error = page->health.why;
    if (page->paused) {
        part->word = "refused";
        part->what = "Rocket.Chat does not accept our user and token.";
        part->cure = "Make a new token as the user that posts, and put it into the file "
                     "of " PXR_D_REST_CREDENTIALS "; then reload httpd.";
    } else if (page->health.failing != 0) {
        part->word = "fails";
        part->what = "Rocket.Chat does not do what it is asked; it is asked again until it does.";
        part->cure =
            "Look whether Rocket.Chat runs, and whether this server reaches it at " PXR_D_REST_URL
            ".";
    } else {
        part->word = "not everything";
        part->what = apr_psprintf(
            p, "Meetings of which something could not be told: %" APR_SIZE_T_FMT ".", page->failed);
        part->cure = "See the list below: put right what it names, then try again or give up.";
        part->when = NULL;
        part->error = NULL;
    }
}

static pxr_part_t messages(apr_pool_t *p, const pxr_status_page_t *all)
{
    const pxr_chat_page_t *page = all->chat;
    pxr_part_t part = {.key = "messages", .name = "Messages to Rocket.Chat"};

    if (!page->posts) {
        part.level = PXR_LEVEL_OFF;
        part.word = "not set up";
        part.what =
            "Rooms hear of calls only by the answer of the webhook or by the companion app.";
    } else if (page->paused || page->health.failing != 0 || page->failed > 0) {
        messages_fail(p, page, &part);
    } else if (page->health.ok_at == 0) {
        part.level = PXR_LEVEL_UNKNOWN;
        part.word = "not yet";
        part.what = "Nothing has been posted yet.";
    } else {
        part.level = PXR_LEVEL_GOOD;
        part.word = "works";
        part.when = "Worked last";
        part.since = page->health.ok_at;
    }
    return part;
}

static pxr_part_t server_part(const pxr_outside_server_t *server, const char *cure)
{
    const pxr_target_t *target = &server->target;
    pxr_part_t part = {.server = server->url, .level = PXR_LEVEL_GOOD, .word = "works"};

    if (target->asked == 0) {
        part.level = PXR_LEVEL_UNKNOWN;
        part.word = "not asked yet";
    } else if (target->failures > 0) {
        part.level = PXR_LEVEL_CARE;
        part.word = target->open ? "rests" : "fails";
        part.error = target->why;
        part.cure = cure;
        part.when = "Failed last";
        part.since = target->failed_at;
    } else {
        part.when = "Answered last";
        part.since = target->answered_at;
    }
    return part;
}

static pxr_part_t sessions(const pxr_status_page_t *page)
{
    pxr_part_t part = server_part(&page->outside->sessions,
                                  "Look whether Rocket.Chat runs, and whether this server reaches "
                                  "it at " PXR_D_REST_URL ".");

    part.key = "sessions";
    part.name = "Who joins is recognised";
    if (part.level == PXR_LEVEL_CARE) {
        part.what = "Rocket.Chat does not tell who somebody is, so people join as guests.";
    }
    return part;
}

static bool is_almost(const pxr_fill_t *fill)
{
    return (uint64_t)fill->used * 100 >= (uint64_t)fill->size * ALMOST_FULL;
}

static pxr_part_t memory(apr_pool_t *p, const pxr_status_page_t *page)
{
    const pxr_store_health_t *health = &page->health;
    pxr_part_t part = {
        .key = "memory", .name = "Room for meetings", .level = PXR_LEVEL_GOOD, .word = "enough"};

    part.what =
        apr_psprintf(p, "%u of %u open meetings, %u of %u call legs.", health->meetings.used,
                     health->meetings.size, health->legs.used, health->legs.size);
    if (health->meetings.used >= health->meetings.size ||
        health->blocks.used >= health->blocks.size) {
        part.level = PXR_LEVEL_BAD;
        part.word = "full";
        part.effect = "New calls cannot be started until others end. Running calls go on.";
    } else if (is_almost(&health->meetings) || is_almost(&health->legs) ||
               is_almost(&health->blocks)) {
        part.level = PXR_LEVEL_CARE;
        part.word = "almost full";
    }
    if (part.level != PXR_LEVEL_GOOD) {
        part.cure = "Raise " PXR_D_MEETINGS " or " PXR_D_PARTICIPANTS " and restart httpd.";
    }
    return part;
}

static pxr_part_t event_log(const pxr_status_page_t *page)
{
    bool off = strcmp(page->event_log, "off") == 0;
    uint64_t lost = page->counters[PXR_COUNT_EVENT_LOG_LOST];
    pxr_part_t part = {.key = "event-log",
                       .name = "Event log",
                       .level = off ? PXR_LEVEL_OFF : PXR_LEVEL_GOOD,
                       .word = off ? "not set up" : "works"};

    if (strcmp(page->event_log, "failed") == 0 || lost > 0) {
        part.level = PXR_LEVEL_CARE;
        part.word = "not everything";
        part.what = lost > 0 ? "Lines could not be written."
                             : "It could not be opened when httpd was reloaded.";
        part.cure = "Look at the file or program that " PXR_D_EVENT_LOG " names. " SEE_LOG;
    }
    return part;
}

size_t pxr_status_parts(apr_pool_t *p, const pxr_call_t *call, const pxr_status_page_t *page,
                        pxr_part_t parts[PXR_PARTS_MAX])
{
    size_t count = 0;

    parts[count++] = policy(p, call, page);
    parts[count++] = events(call, page);
    parts[count++] = leader(page);
    parts[count++] = database(p, page);
    parts[count++] = memory(p, page);
    parts[count++] = messages(p, page);
    parts[count++] = sessions(page);
    for (size_t i = 0; i < page->outside->fallback_count; i++) {
        pxr_part_t part = server_part(&page->outside->fallbacks[i],
                                      "Look whether this server runs and answers. What is not ours "
                                      "is left to Infinity meanwhile.");
        part.key = apr_psprintf(p, "fallback-%" APR_SIZE_T_FMT, i + 1);
        part.name = "Other policy server";
        parts[count++] = part;
    }
    parts[count++] = event_log(page);
    return count;
}
