#include "history.h"

#include <apr_strings.h>

#include "pxr_alias.h"

/* GET api/v1/history: meetings that have ended, with who was in them. */

#define TIME_SIZE 64
#define AFTER_SIZE (24 + PXR_MEETING_ID_MAX)

enum { FROM, TO, ROOM, LIMIT, AFTER, FIELDS };

typedef struct {
    pxr_query_field_t fields[FIELDS];
    char from[TIME_SIZE];
    char to[TIME_SIZE];
    char room[4 * PXR_ID_CHARS + 1];
    char limit[20];
    char after[AFTER_SIZE];
    pxr_db_history_t db;
} question_t;

/* An offset's plus sign that was not encoded has become a blank. */
static bool read_time(const pxr_query_field_t *field, pxr_time_t *out)
{
    if (field->bad) {
        return false;
    }
    if (field->len > 6 && field->value[field->len - 6] == ' ') {
        field->value[field->len - 6] = '+';
    }
    return field->len == 0 || pxr_time_parse(field->value, field->len, out);
}

/* When the last meeting of the page before ended, and its id. */
static bool read_after(const pxr_query_field_t *field, pxr_db_history_t *db)
{
    char *dot = strchr(field->value, '.');
    apr_int64_t ended;

    if (field->bad) {
        return false;
    }
    if (field->len == 0) {
        return true;
    }
    if (dot == NULL || !pxr_meeting_id_valid(dot + 1, strlen(dot + 1))) {
        return false;
    }
    *dot = '\0';
    if (!pxr_read_count(field->value, 1, APR_INT64_MAX, &ended)) {
        return false;
    }
    db->after_ended = ended;
    db->after_id = dot + 1;
    return true;
}

/* NULL, or what is wrong. */
static const char *read_question(request_rec *r, const pxr_workspace_t *w, question_t *q)
{
    apr_int64_t limit = PXR_LIST_LIMIT_DEFAULT;

    memset(q, 0, sizeof(*q));
    q->fields[FROM] = (pxr_query_field_t){.name = "from", .value = q->from, .size = TIME_SIZE};
    q->fields[TO] = (pxr_query_field_t){.name = "to", .value = q->to, .size = TIME_SIZE};
    q->fields[ROOM] =
        (pxr_query_field_t){.name = "room", .value = q->room, .size = sizeof(q->room)};
    q->fields[LIMIT] =
        (pxr_query_field_t){.name = "limit", .value = q->limit, .size = sizeof(q->limit)};
    q->fields[AFTER] =
        (pxr_query_field_t){.name = "after", .value = q->after, .size = sizeof(q->after)};
    pxr_read_arguments(r, q->fields, FIELDS);
    if (!read_time(&q->fields[FROM], &q->db.from)) {
        return "from must be a time such as 2026-11-22T10:00:00Z";
    }
    if (!read_time(&q->fields[TO], &q->db.to)) {
        return "to must be a time such as 2026-11-22T10:00:00Z";
    }
    if (q->fields[ROOM].bad) {
        return "room must be the id of a room";
    }
    if (q->fields[LIMIT].present && !pxr_read_count(q->limit, 1, PXR_LIST_LIMIT_MAX, &limit)) {
        return "limit must be a whole number from 1 to 1000";
    }
    if (!read_after(&q->fields[AFTER], &q->db)) {
        return "after must be the value of next of the page before";
    }
    q->db.workspace = w->site_url;
    q->db.room_id = q->fields[ROOM].len > 0 ? q->room : NULL;
    q->db.limit = (size_t)limit;
    return NULL;
}

/* What leads to the page behind this one; NULL where there is none. */
static const char *next_of(request_rec *r, const pxr_page_t *page)
{
    if (!page->more || page->last == NULL) {
        return NULL;
    }
    return apr_psprintf(r->pool, "%" APR_INT64_T_FMT ".%s", (apr_int64_t)page->last->past.ended_at,
                        page->last->id);
}

static int reply_json(request_rec *r, const pxr_page_t *page, const char *next)
{
    pxr_json_history_t *json = pxr_json_history_new();

    for (const pxr_entry_t *entry = page->first; json != NULL && entry != NULL;
         entry = entry->next) {
        pxr_json_history_add(json, &entry->past);
    }
    return pxr_reply_json(r, HTTP_OK, json != NULL ? pxr_json_history_end(json, next) : NULL);
}

/* The same question about the next page. */
static void link_next(request_rec *r, const question_t *q, const char *next)
{
    char query[4096];
    pxr_buf_t buf;

    pxr_buf_init(&buf, query, sizeof(query));
    for (int i = FROM; i < AFTER; i++) {
        if (q->fields[i].len > 0) {
            pxr_buf_puts(&buf, q->fields[i].name);
            pxr_buf_puts(&buf, "=");
            pxr_buf_put_percent(&buf, q->fields[i].value, q->fields[i].len);
            pxr_buf_puts(&buf, "&");
        }
    }
    pxr_buf_puts(&buf, "after=");
    pxr_buf_puts(&buf, next);
    apr_table_setn(
        r->headers_out, "Link",
        apr_pstrcat(
            r->pool, "<",
            ap_construct_url(
                r->pool, apr_pstrcat(r->pool, ap_escape_uri(r->pool, r->uri), "?", query, NULL), r),
            ">; rel=\"next\"", NULL));
}

static void write_out(void *context, const char *text, size_t len)
{
    ap_rwrite(text, (int)len, context);
}

static int reply_csv(request_rec *r, const question_t *q, const pxr_page_t *page, const char *next)
{
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Content-Disposition", "attachment; filename=\"history.csv\"");
    if (next != NULL) {
        link_next(r, q, next);
    }
    ap_set_content_type(r, "text/csv; charset=utf-8");
    pxr_csv_header(write_out, r);
    for (const pxr_entry_t *entry = page->first; entry != NULL; entry = entry->next) {
        pxr_csv_meeting(&entry->past, write_out, r);
    }
    return OK;
}

static bool wants_csv(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");
    const char *csv = accept != NULL ? ap_strcasestr(accept, "text/csv") : NULL;
    const char *json = accept != NULL ? ap_strcasestr(accept, "application/json") : NULL;

    return csv != NULL && (json == NULL || csv < json);
}

int pxr_history_refuse(request_rec *r, pxr_reading_t reading, const char *why)
{
    switch (reading) {
    case PXR_READING_BUSY:
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "others are reading the history, try again in a moment");
    case PXR_READING_STOPPED:
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "the server is being restarted, try again in a moment");
    case PXR_READING_LATE:
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "PXR1034: the database did not answer in time when it was asked for the history");
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "the database did not answer in time");
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "PXR1035: the database cannot be used to read the history: %s", why);
        return pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE,
                                 "the history cannot be read at present");
    }
}

/* What need not be tried. The keeper has told the log. */
static const char *why_not(const pxr_call_t *call)
{
    pxr_keep_health_t health;

    pxr_store_keep_health(call->store, &health);
    switch (pxr_keeper_state(&health, pxr_time_now())) {
    case PXR_KEEPER_UNREACHABLE:
        return "the database cannot be reached at present";
    case PXR_KEEPER_HANGING:
        return "the database does not answer at present";
    case PXR_KEEPER_NEWER:
        return "the database belongs to a later version of the module";
    default:
        return NULL;
    }
}

bool pxr_history_is_there(request_rec *r, const pxr_call_t *call, int *reply)
{
    const char *why;

    if (pxr_store_kept(call->store) == PXR_KEEP_NOTHING) {
        *reply = pxr_reply_problem(
            r, HTTP_NOT_FOUND, "no history is kept without a database (" PXR_D_DATABASE " none)");
        return false;
    }
    why = why_not(call);
    if (why != NULL) {
        *reply = pxr_reply_problem(r, HTTP_SERVICE_UNAVAILABLE, why);
    }
    return why == NULL;
}

static int reply_history(request_rec *r, const pxr_call_t *call, const question_t *q)
{
    char why[PXR_WHY_MAX + 1];
    pxr_reading_t reading;
    pxr_page_t page;
    const char *next;
    int reply;

    if (!pxr_history_is_there(r, call, &reply)) {
        return reply;
    }
    reading = pxr_history_read(&q->db, &page, why, sizeof(why));
    if (reading != PXR_READING_DONE) {
        return pxr_history_refuse(r, reading, why);
    }
    next = next_of(r, &page);
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    reply = wants_csv(r) ? reply_csv(r, q, &page, next) : reply_json(r, &page, next);
    pxr_page_free(&page);
    return reply;
}

int pxr_handle_history(request_rec *r, const pxr_call_t *call)
{
    question_t question;
    const char *why;

    if (r->method_number != M_GET) {
        return pxr_reply_method(r, "GET, HEAD");
    }
    why = read_question(r, call->workspace, &question);
    if (why != NULL) {
        return pxr_reply_problem(r, HTTP_BAD_REQUEST, why);
    }
    return reply_history(r, call, &question);
}
