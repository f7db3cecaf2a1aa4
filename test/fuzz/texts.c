#include "fuzz.h"

#include "pxr_chat.h"
#include "pxr_history.h"
#include "pxr_link.h"
#include "pxr_text.h"
#include "pxr_webhook.h"

/*
 * What rooms are told: a byte for the kind of meeting, then title, creator and the name of a
 * participant, each ended by a NUL. No name may do anything there but be read.
 */

#define BREAK "\xE2\x80\x8B" /* U+200B, which takes the meaning from what stands before it */
#define NOW (INT64_C(1795341600) * PXR_SECOND)

static char text[PXR_CHAT_TEXT_SIZE];

static void check_text(const pxr_buf_t *out)
{
    REQUIRE(!out->overflow);
    REQUIRE(pxr_utf8_valid(out->data, out->len));
    REQUIRE(pxr_chat_units(out->data, out->len) <= PXR_CHAT_UNITS_MAX);
    REQUIRE(out->len == 0 || strncmp(out->data, BREAK, 3) == 0);
    for (size_t i = 0; i < out->len; i++) {
        REQUIRE((out->data[i] != '@' && out->data[i] != '#') ||
                strncmp(out->data + i + 1, BREAK, 3) == 0);
    }
}

static void check_plain(const char *name, size_t units)
{
    pxr_buf_t out;

    pxr_buf_init(&out, text, sizeof(text));
    pxr_chat_put_plain(&out, name, strlen(name), units);
    REQUIRE(!out.overflow && pxr_utf8_valid(out.data, out.len));
    REQUIRE(pxr_chat_units(out.data, out.len) <= units);
    REQUIRE(strpbrk(out.data, "\r\n\t*_~`$\\|<>[]") == NULL);
    for (size_t i = 0; i < out.len; i++) {
        REQUIRE((out.data[i] != '@' && out.data[i] != '#') ||
                strncmp(out.data + i + 1, BREAK, 3) == 0 || out.data[i + 1] == '\xE2');
    }
}

static void check_messages(const pxr_chat_t *chat)
{
    pxr_chat_t many[20];
    pxr_buf_t out;

    pxr_buf_init(&out, text, sizeof(text));
    pxr_chat_put_message(&out, chat);
    check_text(&out);
    pxr_buf_init(&out, text, sizeof(text));
    pxr_chat_put_answer(&out, chat);
    check_text(&out);
    pxr_buf_init(&out, text, sizeof(text));
    pxr_chat_put_personal(&out, chat, "https://chat.example.com/pexip/join/k?h=h");
    check_text(&out);
    for (size_t i = 0; i < 20; i++) {
        many[i] = *chat;
    }
    pxr_buf_init(&out, text, sizeof(text));
    pxr_webhook_put_status(&out, many, 20, NOW);
    check_text(&out);
    pxr_buf_init(&out, text, sizeof(text));
    pxr_webhook_put_ended(&out, chat->title, true);
    check_text(&out);
    pxr_buf_init(&out, text, sizeof(text));
    pxr_webhook_put_help(&out, chat->title, strlen(chat->title));
    REQUIRE(!out.overflow && pxr_utf8_valid(out.data, out.len));
}

/* A cell of a table: whoever reads it by the rules has one cell, and no spreadsheet a formula,
 * whatever it takes for a separator. */
static bool quoted, ended, formula, begun, fresh;

static void take_char(char c)
{
    bool separates = strchr(";\t\r\n", c) != NULL;

    if (c == '"') {
        quoted = !quoted;
        return;
    }
    formula = formula || (!begun && strchr("\t\r", c) != NULL);
    formula = formula || (fresh && strchr("=+-@", c) != NULL);
    ended = ended || (!quoted && strchr(",\r\n", c) != NULL);
    fresh = separates || (fresh && c == ' ');
    begun = true;
}

static void take_cell(void *context, const char *part, size_t len)
{
    (void)context;
    for (size_t i = 0; i < len; i++) {
        take_char(part[i]);
    }
}

static void check_cell(const char *name)
{
    quoted = ended = formula = begun = false;
    fresh = true;
    pxr_csv_cell(name, strlen(name), take_cell, NULL);
    REQUIRE(!quoted && !ended && !formula);
}

static void check_discussion_link(const char *name)
{
    char url[2048];
    pxr_buf_t out;

    pxr_buf_init(&out, url, sizeof(url));
    if (strlen(name) < 1024 && pxr_link_discussion(&out, "https://chat.example.com", "p", name)) {
        REQUIRE(!out.overflow && strpbrk(url, "%?#& \"<>") == strchr(url, '?'));
    } else {
        REQUIRE(out.len == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    uint8_t kind = input_byte(&in);
    char *title = input_text(&in);
    char *creator = input_text(&in);
    char *name = input_text(&in);
    const char *const names[] = {name, title, creator, name};
    const pxr_chat_t chat = {.id = "AbCdEfGh1234567890zz",
                             .site_url = "https://chat.example.com",
                             .join_url = "https://chat.example.com/pexip/join/k",
                             .title = title,
                             .creator = creator,
                             .state = (pxr_meeting_state_t)(kind % 3 + PXR_MEETING_OPEN),
                             .inferred = kind & 4,
                             .by_name = kind & 8,
                             .started_at = kind & 16 ? NOW - 3600 * PXR_SECOND : 0,
                             .ended_at = NOW,
                             .people = kind,
                             .names = names,
                             .names_count = kind & 32 ? 4 : 0};

    check_messages(&chat);
    check_plain(title, PXR_CHAT_NAME_UNITS);
    check_plain(name, kind);
    check_cell(title);
    check_discussion_link(name);
    free(name);
    free(creator);
    free(title);
    return 0;
}
