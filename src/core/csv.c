#include <string.h>

#include "pxr_history.h"
#include "pxr_text.h"

/*
 * Names and titles come from people who may mean harm, and tables are opened with spreadsheets: a
 * cell that begins with =, +, - or @ is a formula there. One that uses semicolons as separators
 * does not see our quotation marks, so cells begin behind a semicolon, a tab and a line break too.
 */

static bool is_between(const unsigned char *s, unsigned char low, unsigned char high)
{
    return *s >= low && *s <= high;
}

/* What shows nothing, or nothing but space, and quotation marks, which spreadsheets take off. */
static bool is_blank(const unsigned char *s, size_t step)
{
    switch (step) {
    case 0: /* no UTF-8 */
        return true;
    case 1:
        return *s <= ' ' || *s == 0x7F || *s == '"';
    case 2: /* U+0080 to U+00A0, the soft hyphen */
        return s[0] == 0xC2 && (is_between(s + 1, 0x80, 0xA0) || s[1] == 0xAD);
    case 3: /* U+2000 to U+200F, U+2028 to U+202F, U+205F to U+206F, U+3000, U+FEFF */
        return (s[0] == 0xE2 && s[1] == 0x80 &&
                (is_between(s + 2, 0x80, 0x8F) || is_between(s + 2, 0xA8, 0xAF))) ||
               (s[0] == 0xE2 && s[1] == 0x81 && is_between(s + 2, 0x9F, 0xAF)) ||
               memcmp(s, "\xE3\x80\x80", 3) == 0 || memcmp(s, "\xEF\xBB\xBF", 3) == 0;
    default:
        return false;
    }
}

/* Also of full width, as some input methods write them and some spreadsheets read them. */
static bool is_sign(const unsigned char *s, size_t step)
{
    return (step == 1 && strchr("=+-@", *s) != NULL) ||
           (step == 3 && s[0] == 0xEF && s[1] == 0xBC &&
            (s[2] == 0x9D || s[2] == 0x8B || s[2] == 0x8D || s[2] == 0xA0));
}

static size_t step_at(const char *text, size_t len, size_t i, bool *blank, bool *sign)
{
    const unsigned char *s = (const unsigned char *)text + i;
    size_t step = pxr_utf8_sequence(text + i, len - i);

    *blank = is_blank(s, step);
    *sign = is_sign(s, step);
    return step > 0 ? step : 1;
}

static bool is_formula(const char *text, size_t len)
{
    bool blank = true;
    bool sign = false;

    for (size_t i = 0; i < len && blank;) {
        i += step_at(text, len, i, &blank, &sign);
    }
    return sign;
}

static bool needs_quotes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (strchr("\",;\t\r\n", text[i]) != NULL) {
            return true;
        }
    }
    return len > 0 && (text[0] == ' ' || text[len - 1] == ' ');
}

static bool is_separator(char c)
{
    return c == ';' || c == '\t' || c == '\r' || c == '\n';
}

/* Also behind quotation marks; a semicolon alone does no harm. */
static bool is_separated(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] == '"') {
        i++;
    }
    return i < len && is_separator(text[i]) && text[i] != ';';
}

static void put_content(const char *text, size_t len, pxr_csv_sink_t sink, void *context)
{
    size_t start = 0;
    bool fresh = false; /* a spreadsheet may take what comes for the beginning of a cell */
    bool blank;
    bool sign;
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        step = step_at(text, len, i, &blank, &sign);
        if (text[i] == '"') {
            sink(context, text + start, i + 1 - start);
            start = i; /* once more */
        } else if (fresh && sign) {
            sink(context, text + start, i - start);
            sink(context, "'", 1);
            start = i;
        }
        fresh = is_separator(text[i]) || (fresh && blank);
    }
    sink(context, text + start, len - start);
}

void pxr_csv_cell(const char *text, size_t len, pxr_csv_sink_t sink, void *context)
{
    bool quoted = needs_quotes(text, len);

    if (quoted) {
        sink(context, "\"", 1);
    }
    if (is_separated(text, len) || is_formula(text, len)) {
        sink(context, "'", 1);
    }
    put_content(text, len, sink, context);
    if (quoted) {
        sink(context, "\"", 1);
    }
}

typedef struct {
    pxr_csv_sink_t sink;
    void *context;
    bool inside; /* a line */
} table_t;

static void put_text(table_t *table, const char *text)
{
    if (table->inside) {
        table->sink(table->context, ",", 1);
    }
    table->inside = true;
    if (text != NULL) {
        pxr_csv_cell(text, strlen(text), table->sink, table->context);
    }
}

static void put_time(table_t *table, pxr_time_t when)
{
    char text[PXR_TIME_TEXT] = "";

    if (when != 0) {
        pxr_time_format(when, text);
    }
    put_text(table, text);
}

static void put_seconds(table_t *table, int64_t duration)
{
    char text[24];
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_put_int(&buf, pxr_seconds(duration));
    put_text(table, text);
}

static void end_line(table_t *table)
{
    table->sink(table->context, "\r\n", 2);
    table->inside = false;
}

void pxr_csv_header(pxr_csv_sink_t sink, void *context)
{
    static const char *const columns[] = {
        "meeting_id",       "title",      "room_id",
        "room_name",        "creator_id", "creator_username",
        "started_at",       "ended_at",   "meeting_duration_seconds",
        "participant_name", "role",       "protocol",
        "connected_at",     "left_at",    "duration_seconds",
        "worst_quality"};
    table_t table = {.sink = sink, .context = context};

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        put_text(&table, columns[i]);
    }
    end_line(&table);
}

static void put_meeting(table_t *table, const pxr_past_t *past)
{
    const char *const *text = past->details.text;

    put_text(table, past->id);
    put_text(table, text[PXR_TITLE]);
    put_text(table, text[PXR_ROOM_ID]);
    put_text(table, text[PXR_ROOM_NAME]);
    put_text(table, text[PXR_CREATOR_ID]);
    put_text(table, text[PXR_CREATOR_USERNAME]);
    put_time(table, past->started_at);
    put_time(table, past->ended_at);
    put_seconds(table, pxr_past_duration(past));
}

static void put_person(table_t *table, const pxr_attendee_t *person)
{
    put_text(table, person->name);
    put_text(table, pxr_role_name(person->role));
    put_text(table, person->protocol);
    put_time(table, person->connected_at);
    put_time(table, person->left_at);
    put_seconds(table, person->present);
    put_text(table, pxr_quality_name(person->quality));
}

#define PERSON_COLUMNS 7

void pxr_csv_meeting(const pxr_past_t *past, pxr_csv_sink_t sink, void *context)
{
    table_t table = {.sink = sink, .context = context};

    for (size_t i = 0; i < past->people_count; i++) {
        put_meeting(&table, past);
        put_person(&table, &past->people[i]);
        end_line(&table);
    }
    if (past->people_count == 0) {
        put_meeting(&table, past);
        for (int i = 0; i < PERSON_COLUMNS; i++) {
            put_text(&table, NULL);
        }
        end_line(&table);
    }
}
