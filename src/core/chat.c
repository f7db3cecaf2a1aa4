#include "pxr_chat.h"

#include <string.h>

#include "chat_internal.h"

#define MINUTE (60 * PXR_SECOND)

/* A trigger word is at the very beginning of a message, so nothing that begins so has one. */
void pxr_chat_begin_line(pxr_buf_t *out)
{
    pxr_buf_puts(out, u8"\u200B");
}

void pxr_chat_take_back(pxr_buf_t *out, const pxr_buf_t *before)
{
    *out = *before;
    out->data[out->len] = '\0';
}

bool pxr_chat_shows(const char *text)
{
    char bytes[32];
    pxr_buf_t buf;

    if (text == NULL) {
        return false;
    }
    pxr_buf_init(&buf, bytes, sizeof(bytes));
    pxr_chat_put_plain(&buf, text, strlen(text), 1);
    return buf.len > 0;
}

void pxr_chat_put_text(pxr_buf_t *out, const char *text, size_t units)
{
    pxr_chat_put_plain(out, text, strlen(text), units);
}

void pxr_chat_put_count(pxr_buf_t *out, size_t count, const char *one, const char *many)
{
    pxr_buf_put_int(out, (int64_t)count);
    pxr_buf_puts(out, count == 1 ? one : many);
}

void pxr_chat_put_link(pxr_buf_t *out, const char *site_url, const char *id, const char *url)
{
    pxr_buf_puts(out, site_url);
    pxr_buf_puts(out, "/conference/");
    pxr_buf_put_percent(out, id, strlen(id));
    pxr_buf_puts(out, "?callUrl=");
    pxr_buf_put_percent(out, url, strlen(url));
    if (strchr(url, '?') == NULL) {
        pxr_buf_put_percent(out, "?x=1", 4);
    }
    pxr_buf_puts(out, "&callProvider=Pexip");
}

void pxr_chat_put_labelled_link(pxr_buf_t *out, const char *label, const pxr_chat_t *chat,
                                const char *url)
{
    pxr_buf_puts(out, "[");
    pxr_buf_puts(out, label);
    pxr_buf_puts(out, "](");
    pxr_chat_put_link(out, chat->site_url, chat->id, url);
    pxr_buf_puts(out, ")");
}

void pxr_chat_put_duration(pxr_buf_t *out, int64_t duration)
{
    int64_t minutes = duration / MINUTE;

    if (minutes < 1) {
        pxr_buf_puts(out, "less than a minute");
        return;
    }
    if (minutes >= 60) {
        pxr_buf_put_int(out, minutes / 60);
        pxr_buf_puts(out, " h");
    }
    if (minutes % 60 != 0) {
        pxr_buf_puts(out, minutes >= 60 ? " " : "");
        pxr_buf_put_int(out, minutes % 60);
        pxr_buf_puts(out, " min");
    }
}

static void put_started(pxr_buf_t *out, const pxr_chat_t *chat, size_t title_units)
{
    pxr_chat_begin_line(out);
    if (chat->by_name && pxr_chat_shows(chat->creator)) {
        pxr_chat_put_text(out, chat->creator, PXR_CHAT_NAME_UNITS);
        pxr_buf_puts(out, " started a meeting");
    } else {
        pxr_buf_puts(out, "A meeting was started");
    }
    if (pxr_chat_shows(chat->title)) {
        pxr_buf_puts(out, ": ");
        pxr_chat_put_text(out, chat->title, title_units);
    }
    pxr_buf_puts(out, "\n");
}

/* Returns how many were named. */
static size_t put_names(pxr_buf_t *out, const pxr_chat_t *chat, size_t most)
{
    size_t named = 0;

    for (size_t i = 0; i < chat->names_count && named < most; i++) {
        if (pxr_chat_shows(chat->names[i])) {
            pxr_buf_puts(out, named > 0 ? ", " : "");
            pxr_chat_put_text(out, chat->names[i], PXR_CHAT_NAME_UNITS);
            named++;
        }
    }
    return named;
}

static void put_who_is_there(pxr_buf_t *out, const pxr_chat_t *chat)
{
    size_t named = 0;
    pxr_buf_t before;

    pxr_chat_begin_line(out);
    if (chat->people == 0) {
        pxr_buf_puts(out, "Nobody is in it at the moment\n");
        return;
    }
    before = *out;
    pxr_buf_puts(out, "In it: ");
    if (chat->by_name) {
        size_t most = chat->people < PXR_CHAT_NAMES_MAX ? chat->people : PXR_CHAT_NAMES_MAX;
        named = put_names(out, chat, most);
    }
    if (named == 0) {
        pxr_chat_take_back(out, &before);
        pxr_chat_put_count(out, chat->people, " person is in it", " people are in it");
    } else if (named < chat->people) {
        pxr_buf_puts(out, " and ");
        pxr_chat_put_count(out, chat->people - named, " other", " others");
    }
    pxr_buf_puts(out, "\n");
}

static void put_ended(pxr_buf_t *out, const pxr_chat_t *chat, size_t title_units)
{
    bool titled = pxr_chat_shows(chat->title);
    bool by_name = chat->by_name && pxr_chat_shows(chat->creator);

    pxr_chat_begin_line(out);
    if (chat->people == 0) {
        pxr_buf_puts(out, "Meeting ended, nobody joined");
    } else {
        pxr_buf_puts(out, "Meeting ended: ");
        if (chat->started_at != 0 && chat->ended_at != 0) {
            pxr_buf_puts(out, chat->inferred ? "about " : "");
            pxr_chat_put_duration(out, chat->ended_at - chat->started_at);
            pxr_buf_puts(out, ", ");
        }
        pxr_chat_put_count(out, chat->people, " person", " people");
    }
    if (!titled && !by_name) {
        return;
    }
    pxr_buf_puts(out, "\n");
    pxr_chat_begin_line(out);
    if (titled) {
        pxr_chat_put_text(out, chat->title, title_units);
    }
    if (by_name) {
        pxr_buf_puts(out, titled ? ", started by " : "Started by ");
        pxr_chat_put_text(out, chat->creator, PXR_CHAT_NAME_UNITS);
    }
}

static void put_message(pxr_buf_t *out, const pxr_chat_t *chat, size_t title_units)
{
    if (chat->state == PXR_MEETING_ENDED) {
        put_ended(out, chat, title_units);
        return;
    }
    put_started(out, chat, title_units);
    if (chat->state == PXR_MEETING_LIVE) {
        put_who_is_there(out, chat);
    }
    pxr_chat_begin_line(out);
    if (chat->closed) {
        pxr_buf_puts(out, "Nobody else can join");
    } else {
        pxr_chat_put_labelled_link(out, "Join the meeting", chat, chat->join_url);
    }
}

void pxr_chat_put_message(pxr_buf_t *out, const pxr_chat_t *chat)
{
    pxr_buf_t before = *out;
    size_t rest;

    /* Once without the title, to see how much of it there is room for. */
    put_message(out, chat, 0);
    rest = pxr_chat_units(out->data + before.len, out->len - before.len);
    pxr_chat_take_back(out, &before);
    put_message(out, chat, rest < PXR_CHAT_UNITS_MAX ? PXR_CHAT_UNITS_MAX - rest : 0);
}

void pxr_chat_put_answer(pxr_buf_t *out, const pxr_chat_t *chat)
{
    pxr_chat_t open = *chat;

    open.state = PXR_MEETING_OPEN;
    open.closed = false;
    pxr_chat_put_message(out, &open);
}

void pxr_chat_put_personal(pxr_buf_t *out, const pxr_chat_t *chat, const char *personal_url)
{
    pxr_chat_begin_line(out);
    pxr_buf_puts(out, "You started a meeting");
    if (pxr_chat_shows(chat->title)) {
        pxr_buf_puts(out, ": ");
        pxr_chat_put_text(out, chat->title, PXR_CHAT_TITLE_UNITS);
    }
    pxr_buf_puts(out, "\n");
    pxr_chat_begin_line(out);
    /* As it is, because phones know nothing of the other kind of link. */
    pxr_buf_puts(out, "[Join as host](");
    pxr_buf_puts(out, personal_url);
    pxr_buf_puts(out, "), or in ");
    pxr_chat_put_labelled_link(out, "a window of the desktop client", chat, personal_url);
    pxr_buf_puts(out, "\n");
    pxr_chat_begin_line(out);
    pxr_buf_puts(out, "Whoever opens this link is the host, so please keep it to yourself");
}
