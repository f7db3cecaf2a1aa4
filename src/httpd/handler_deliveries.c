#include "pxr_httpd.h"

#include <apr_strings.h>

/* What Rocket.Chat could not be told, for administrators: interface section 5. */

#define LISTED 1000

static const char *state_name(int state)
{
    return pxr_task_state_name((pxr_task_state_t)state);
}

static void add_lines(pxr_json_deliveries_t *list, const pxr_view_t *view,
                      const bool states[PXR_TASK_STATES])
{
    for (int kind = 0; kind < PXR_TASKS; kind++) {
        const pxr_task_t *task = &view->told.task[kind];
        pxr_delivery_line_t line = {.meeting = view->id,
                                    .kind = pxr_task_kind_name((pxr_task_kind_t)kind),
                                    .state = pxr_task_state_name(pxr_task_shown(task)),
                                    .reason = pxr_task_reason_name((pxr_task_reason_t)task->reason),
                                    .http_status = task->http,
                                    .changed_at = task->changed_at};
        if (states[pxr_task_shown(task)]) {
            pxr_json_deliveries_add(list, &line);
        }
    }
}

static int list_deliveries(request_rec *r, const pxr_call_t *call)
{
    char text[80];
    pxr_query_field_t field = {.name = "state", .value = text, .size = sizeof(text)};
    bool states[PXR_TASK_STATES] = {false};
    pxr_ref_t *refs = apr_palloc(r->pool, LISTED * sizeof(*refs));
    pxr_json_deliveries_t *list;
    size_t count;

    pxr_read_arguments(r, &field, 1);
    if (field.bad || !pxr_read_words(text, state_name, PXR_TASK_WAITING, PXR_TASK_STATES, states)) {
        return pxr_reply_problem(
            r, HTTP_BAD_REQUEST,
            "state must be a list of waiting, posted, fixed, done, failed, dropped");
    }
    if (field.len == 0) {
        states[PXR_TASK_WAITING] = true;
        states[PXR_TASK_FAILED] = true;
    }
    list = pxr_json_deliveries_new();
    if (list == NULL) {
        return pxr_reply_status(r, PXR_BROKEN);
    }
    count = pxr_store_tasks(call->store, call->workspace->number, states, refs, LISTED);
    for (size_t i = 0; i < count; i++) {
        pxr_view_t view;
        pxr_status_t status = pxr_store_read(call->store, call->workspace->number, refs[i], &view);
        if (status == PXR_OK) {
            add_lines(list, &view, states);
        }
        pxr_view_release(&view);
        if (status != PXR_OK && status != PXR_MISSING) {
            pxr_json_text_free(pxr_json_deliveries_end(list));
            return pxr_reply_status(r, status);
        }
    }
    return pxr_reply_json(r, HTTP_OK, pxr_json_deliveries_end(list));
}

pxr_status_t pxr_deliveries_apply(const pxr_call_t *call, pxr_ref_t ref,
                                  pxr_delivery_action_t action, bool *applied)
{
    uint32_t workspace = call->workspace->number;
    pxr_time_t now = pxr_time_now();
    pxr_told_t told;
    pxr_status_t status = pxr_store_told(call->store, workspace, ref, &told);

    *applied = false;
    for (int kind = 0; kind < PXR_TASKS && status == PXR_OK; kind++) {
        pxr_task_t task = told.task[kind];
        bool wanted =
            action == PXR_DELIVERY_RETRY
                ? pxr_task_shown(&task) == PXR_TASK_FAILED && pxr_task_retry(&task, now)
                : (pxr_task_shown(&task) == PXR_TASK_FAILED || task.state == PXR_TASK_WAITING) &&
                      pxr_task_drop(&task, now);
        if (wanted) {
            status = pxr_store_note_task(call->store, workspace, ref, (pxr_task_kind_t)kind, &task,
                                         told.task[kind].version);
            *applied = true;
        }
    }
    return status;
}

static int act(request_rec *r, const pxr_call_t *call, const char *id)
{
    char sentence[320];
    pxr_delivery_action_t action;
    pxr_found_t found;
    pxr_status_t status;
    pxr_buf_t why;
    bool applied;
    int reply;
    pxr_json_doc_t *doc = pxr_read_json(r, false, &reply);

    if (doc == NULL) {
        return reply;
    }
    pxr_buf_init(&why, sentence, sizeof(sentence));
    status = pxr_json_read_action(doc, &action, &why);
    pxr_json_free(doc);
    if (status != PXR_OK) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, sentence);
    }
    if (!pxr_find_meeting(call, id, strlen(id), &found)) {
        return pxr_reply_status(r, PXR_MISSING);
    }
    status = pxr_deliveries_apply(call, found.ref, action, &applied);
    if (status == PXR_EXISTS) {
        return pxr_reply_problem(r, HTTP_CONFLICT, "it has just been tried: look again");
    }
    if (status != PXR_OK) {
        return pxr_reply_status(r, status);
    }
    return applied ? pxr_reply_empty(r, HTTP_NO_CONTENT)
                   : pxr_reply_problem(r, HTTP_CONFLICT,
                                       action == PXR_DELIVERY_RETRY
                                           ? "nothing about this meeting has failed"
                                           : "nothing about this meeting waits or has failed");
}

int pxr_handle_deliveries(request_rec *r, const pxr_call_t *call, const char *rest)
{
    if (rest[0] == '\0') {
        return r->method_number == M_GET ? list_deliveries(r, call)
                                         : pxr_reply_method(r, "GET, HEAD");
    }
    return r->method_number == M_POST ? act(r, call, rest) : pxr_reply_method(r, "POST");
}
