#include "pxr_told.h"

#include <stdio.h>
#include <string.h>

#define PAUSE_FIRST PXR_SECOND
#define PAUSE_YOUNG (15 * PXR_SECOND)
#define PAUSE_MOST (300 * PXR_SECOND)
#define YOUNG (60 * PXR_SECOND)
/* No task changes so often: a higher version was not written by us. */
#define VERSION_MOST INT32_MAX

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Which one is to be kept. Two machines may change a task at the same moment, and both must come to
 * the same. */
static int compare_tasks(const pxr_task_t *a, const pxr_task_t *b)
{
    const int orders[] = {
        compare(a->version, b->version), compare(a->changed_at, b->changed_at),
        compare(a->state, b->state),     compare(a->reason, b->reason),
        compare(a->http, b->http),       (a->sent > b->sent) - (a->sent < b->sent)};
    int order = 0;

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]) && order == 0; i++) {
        order = orders[i];
    }
    return order;
}

bool pxr_told_merge(pxr_told_t *told, const pxr_told_t *other)
{
    bool taken = false;

    for (int i = 0; i < PXR_TASKS; i++) {
        if (compare_tasks(&other->task[i], &told->task[i]) > 0) {
            told->task[i] = other->task[i];
            taken = true;
        }
    }
    return taken;
}

bool pxr_task_set(pxr_task_t *task, pxr_task_state_t state, pxr_task_reason_t reason, int http,
                  pxr_time_t now)
{
    if (task->state == state && task->reason == reason && task->http == http) {
        return false;
    }
    task->version++;
    task->state = (uint8_t)state;
    task->reason = (uint8_t)reason;
    task->http = (uint16_t)http;
    task->changed_at = now;
    return true;
}

pxr_task_state_t pxr_task_shown(const pxr_task_t *task)
{
    bool blocked = task->reason == PXR_REASON_CREDENTIALS &&
                   (task->state == PXR_TASK_WAITING || task->state == PXR_TASK_POSTED ||
                    task->state == PXR_TASK_FIXED);

    return blocked ? PXR_TASK_FAILED : (pxr_task_state_t)task->state;
}

bool pxr_task_is_open(const pxr_told_t *told, pxr_task_kind_t kind, bool ended)
{
    switch (told->task[kind].state) {
    case PXR_TASK_WAITING:
        return kind != PXR_TASK_CALLBACK || ended;
    case PXR_TASK_POSTED:
        return true;
    case PXR_TASK_FIXED:
        return ended;
    default:
        return false;
    }
}

bool pxr_task_retry(pxr_task_t *task, pxr_time_t now)
{
    if (task->state == PXR_TASK_NONE || task->state == PXR_TASK_DONE) {
        return false;
    }
    /* A message that is there goes on from where it was. */
    if (task->state != PXR_TASK_FIXED) {
        task->state = task->sent != 0 ? PXR_TASK_POSTED : PXR_TASK_WAITING;
    }
    task->version++;
    task->reason = PXR_REASON_NONE;
    task->http = 0;
    task->changed_at = now;
    return true;
}

bool pxr_task_drop(pxr_task_t *task, pxr_time_t now)
{
    if (task->state == PXR_TASK_NONE || task->state == PXR_TASK_DONE) {
        return false;
    }
    return pxr_task_set(task, PXR_TASK_DROPPED, (pxr_task_reason_t)task->reason, task->http, now);
}

void pxr_told_format(const pxr_told_t *told, char out[PXR_TOLD_TEXT])
{
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < PXR_TASKS; i++) {
        const pxr_task_t *t = &told->task[i];
        if (t->version != 0) {
            len += (size_t)snprintf(out + len, PXR_TOLD_TEXT - len, "%s%d:%u,%u,%u,%u,%016llx,%lld",
                                    len > 0 ? " " : "", i, t->version, t->state, t->reason, t->http,
                                    (unsigned long long)t->sent, (long long)t->changed_at);
        }
    }
}

static bool parse_task(const char *text, pxr_told_t *out, int *used)
{
    unsigned kind, version, state, reason, http;
    unsigned long long sent;
    long long changed_at;

    if (sscanf(text, "%1u:%10u,%2u,%2u,%5u,%16llx,%20lld%n", &kind, &version, &state, &reason,
               &http, &sent, &changed_at, used) != 7 ||
        kind >= PXR_TASKS || state >= PXR_TASK_STATES || reason >= PXR_REASONS ||
        http > UINT16_MAX || version == 0 || version > VERSION_MOST) {
        return false;
    }
    out->task[kind] = (pxr_task_t){.version = version,
                                   .state = (uint8_t)state,
                                   .reason = (uint8_t)reason,
                                   .http = (uint16_t)http,
                                   .sent = sent,
                                   .changed_at = changed_at};
    return true;
}

void pxr_told_parse(const char *text, pxr_told_t *out)
{
    int used = 0;

    memset(out, 0, sizeof(*out));
    for (int i = 0; i < PXR_TASKS && *text != '\0' && parse_task(text, out, &used); i++) {
        text += used;
        text += *text == ' ';
    }
}

const char *pxr_task_kind_name(pxr_task_kind_t kind)
{
    static const char *const names[PXR_TASKS] = {"message", "direct", "discussion", "callback"};

    return names[kind];
}

const char *pxr_task_state_name(pxr_task_state_t state)
{
    static const char *const names[PXR_TASK_STATES] = {"none", "waiting", "posted", "fixed",
                                                       "done", "failed",  "dropped"};

    return names[state];
}

const char *pxr_task_reason_name(pxr_task_reason_t reason)
{
    static const char *const names[PXR_REASONS] = {"",     "unreachable", "busy",    "credentials",
                                                   "room", "refused",     "garbled", "unsupported"};

    return names[reason];
}

int64_t pxr_task_pause(uint32_t failures, int64_t age, uint32_t random)
{
    int64_t most = age < YOUNG ? PAUSE_YOUNG : PAUSE_MOST;
    int64_t pause = PAUSE_FIRST;

    for (uint32_t i = 1; i < failures && pause < most; i++) {
        pause *= 2;
    }
    pause = pause < most ? pause : most;
    /* Up to a quarter less, so that many meetings do not come at the same moment. */
    return pause - pause / 4 * (int64_t)(random % 1000) / 1000;
}
