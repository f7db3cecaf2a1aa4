#include "pxr_webhook.h"

#include <string.h>

#include "chat_internal.h"

/* Length of the blank at `text`, 0 where there is none. Keyboards write U+00A0 and U+3000 too. */
static size_t blank_length(const char *text, size_t len)
{
    if (len >= 1 && (unsigned char)text[0] <= ' ') {
        return 1;
    }
    if (len >= 2 && memcmp(text, "\xC2\xA0", 2) == 0) {
        return 2;
    }
    return len >= 3 && memcmp(text, "\xE3\x80\x80", 3) == 0 ? 3 : 0;
}

static size_t skip_blanks(const char *text, size_t len)
{
    size_t at = 0;
    size_t step;

    while ((step = blank_length(text + at, len - at)) > 0) {
        at += step;
    }
    return at;
}

/* The length without the blanks at the end. */
static size_t trimmed_length(const char *text, size_t len)
{
    size_t end = 0;
    size_t at = 0;

    while (at < len) {
        size_t step = blank_length(text + at, len - at);
        at += step > 0 ? step : 1;
        end = step > 0 ? end : at;
    }
    return end;
}

static bool is_boundary(const char *text, size_t len)
{
    return len == 0 || text[0] == ':' || text[0] == ',' || blank_length(text, len) > 0;
}

/* Length of the command word at `text`, 0 where it is not for us. */
static size_t word_length(const char *text, size_t len, const char *trigger)
{
    size_t from = trigger != NULL ? skip_blanks(trigger, strlen(trigger)) : 0;
    size_t want = trigger != NULL ? trimmed_length(trigger + from, strlen(trigger + from)) : 0;
    size_t word = 0;

    if (want > 0) {
        bool ours = len >= want && memcmp(text, trigger + from, want) == 0 &&
                    is_boundary(text + want, len - want);
        return ours ? want : 0;
    }
    if (len == 0 || (text[0] != '!' && text[0] != '/')) {
        return 0;
    }
    while (!is_boundary(text + word, len - word)) {
        word++;
    }
    return word > 1 ? word : 0;
}

static void read_rest(pxr_webhook_request_t *request, const char *text, size_t len)
{
    static const struct {
        const char *name;
        pxr_webhook_command_t command;
    } commands[] = {
        {"end", PXR_WEBHOOK_END},
        {"status", PXR_WEBHOOK_STATUS},
        {"help", PXR_WEBHOOK_HELP},
    };
    size_t cut = 0;
    size_t count = 0;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (pxr_equal_nocase(text, len, commands[i].name, strlen(commands[i].name))) {
            request->command = commands[i].command;
            return;
        }
    }
    request->command = PXR_WEBHOOK_START;
    request->title_len = pxr_text_line(request->title, sizeof(request->title), text, len);
    while (cut < request->title_len && count < PXR_TITLE_CHARS) {
        cut += pxr_utf8_sequence(request->title + cut, request->title_len - cut);
        count++;
    }
    request->title_len = trimmed_length(request->title, cut);
    request->title[request->title_len] = '\0';
}

void pxr_webhook_read(pxr_webhook_request_t *request, const char *text, size_t len,
                      const char *trigger)
{
    size_t at = skip_blanks(text, len);

    request->command = PXR_WEBHOOK_NOT_OURS;
    request->word = text + at;
    request->word_len = word_length(text + at, len - at, trigger);
    request->title_len = 0;
    request->title[0] = '\0';
    if (request->word_len == 0) {
        return;
    }
    at += request->word_len;
    if (at < len && (text[at] == ':' || text[at] == ',')) {
        at++;
    }
    at += skip_blanks(text + at, len - at);
    read_rest(request, text + at, trimmed_length(text + at, len - at));
}

bool pxr_webhook_is_stale(bool edited, pxr_time_t sent, pxr_time_t now)
{
    return edited && (sent == 0 || now - sent > PXR_WEBHOOK_EDIT_AGE);
}

void pxr_webhook_put_help(pxr_buf_t *out, const char *word, size_t len)
{
    static const struct {
        const char *command, *meaning;
    } lines[] = {
        {"", " starts a video meeting for this room\n"},
        {" Weekly", " starts one with a title\n"},
        {" end", " ends the newest meeting that you started here\n"},
        {" status", " lists this room's meetings\n"},
        {" help", " shows this text"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        pxr_chat_begin_line(out);
        pxr_buf_puts(out, u8"\u2022 ");
        pxr_chat_put_code(out, word, len, lines[i].command);
        pxr_buf_puts(out, lines[i].meaning);
    }
}

/* The time of day, with the date where that is not today. */
static void put_moment(pxr_buf_t *out, pxr_time_t when, pxr_time_t now)
{
    char text[PXR_TIME_TEXT];
    char today[PXR_TIME_TEXT];

    pxr_time_format(when, text);
    pxr_time_format(now, today);
    if (memcmp(text, today, 10) != 0) {
        pxr_buf_put(out, text, 10);
        pxr_buf_puts(out, " ");
    }
    pxr_buf_put(out, text + 11, 5);
    pxr_buf_puts(out, " UTC");
}

static void put_state(pxr_buf_t *out, const pxr_chat_t *chat, pxr_time_t now)
{
    pxr_buf_puts(out, ", ");
    pxr_buf_puts(out, pxr_meeting_state_name(chat->state));
    if (chat->state != PXR_MEETING_LIVE) {
        return;
    }
    if (chat->started_at != 0) {
        pxr_buf_puts(out, " since ");
        put_moment(out, chat->started_at, now);
    }
    pxr_buf_puts(out, ", ");
    pxr_chat_put_count(out, chat->people, " person", " people");
}

static void put_item(pxr_buf_t *out, const pxr_chat_t *chat, pxr_time_t now)
{
    pxr_buf_puts(out, "\n");
    pxr_chat_begin_line(out);
    pxr_buf_puts(out, u8"\u2022 ");
    if (pxr_chat_shows(chat->title)) {
        pxr_chat_put_text(out, chat->title, PXR_CHAT_TITLE_UNITS);
    } else {
        pxr_buf_puts(out, "Meeting without a title");
    }
    if (chat->by_name && pxr_chat_shows(chat->creator)) {
        pxr_buf_puts(out, ", started by ");
        pxr_chat_put_text(out, chat->creator, PXR_CHAT_NAME_UNITS);
    }
    put_state(out, chat, now);
    if (chat->closed) {
        pxr_buf_puts(out, ", nobody else can join");
    } else if (chat->state != PXR_MEETING_ENDED) {
        pxr_buf_puts(out, ", ");
        pxr_chat_put_labelled_link(out, "join", chat, chat->join_url);
    }
}

/* Room for "and 12345 more" at the end. */
#define MORE_UNITS 40

void pxr_webhook_put_status(pxr_buf_t *out, const pxr_chat_t *meetings, size_t count,
                            pxr_time_t now)
{
    size_t start = out->len;
    size_t shown = 0;

    pxr_chat_begin_line(out);
    pxr_buf_puts(out, count == 0 ? "There is no meeting in this room" : "Meetings in this room:");
    for (; shown < count; shown++) {
        pxr_buf_t before = *out;
        put_item(out, &meetings[shown], now);
        if (out->overflow ||
            pxr_chat_units(out->data + start, out->len - start) > PXR_CHAT_UNITS_MAX - MORE_UNITS) {
            pxr_chat_take_back(out, &before);
            break;
        }
    }
    if (shown < count) {
        pxr_buf_puts(out, "\n");
        pxr_chat_begin_line(out);
        pxr_buf_puts(out, "and ");
        pxr_buf_put_int(out, (int64_t)(count - shown));
        pxr_buf_puts(out, " more");
    }
}

void pxr_webhook_put_ended(pxr_buf_t *out, const char *title, bool people_stay)
{
    pxr_chat_begin_line(out);
    pxr_buf_puts(out, "The meeting ");
    if (pxr_chat_shows(title)) {
        pxr_chat_put_text(out, title, PXR_CHAT_TITLE_UNITS);
        pxr_buf_puts(out, " ");
    }
    pxr_buf_puts(out, people_stay ? "takes nobody in any more and ends when the last one has left"
                                  : "has ended");
}

void pxr_webhook_put_problem(pxr_buf_t *out, pxr_webhook_problem_t problem)
{
    static const char *const texts[PXR_WEBHOOK_PROBLEMS] = {
        [PXR_WEBHOOK_FULL] =
            "There are too many meetings at the moment. Please try again when some have ended",
        [PXR_WEBHOOK_DATABASE] =
            "No meeting can be started or ended at the moment, because the meetings' database "
            "does not answer. Please try again in a minute",
        [PXR_WEBHOOK_BROKEN] =
            "Something is wrong with the meeting server. Please tell your administrator, who "
            "finds the reason in its error log",
        [PXR_WEBHOOK_NOTHING_TO_END] =
            "You have no meeting in this room that could be ended. Only the one who started a "
            "meeting can end it",
    };

    pxr_chat_begin_line(out);
    pxr_buf_puts(out, texts[problem]);
}
