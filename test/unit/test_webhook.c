#include "helpers.h"

#include "pxr_webhook.h"

#define Z u8"\u200B"
#define NBSP "\xC2\xA0"
#define WIDE "\xE3\x80\x80"

static pxr_webhook_request_t request;

static void read_text(const char *text, size_t len, const char *trigger)
{
    char *exact = exact_copy(text, len);

    pxr_webhook_read(&request, exact, len, trigger);
    if (request.word_len > 0) {
        assert_true(request.word >= exact && request.word + request.word_len <= exact + len);
    }
    request.word = NULL; /* only valid as long as the text */
    free(exact);
}

typedef struct {
    const char *text, *trigger;
    pxr_webhook_command_t command;
    const char *title;
} reading_t;

static void check_readings(const reading_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        read_text(cases[i].text, strlen(cases[i].text), cases[i].trigger);
        CHECK(request.command == cases[i].command, "'%s' with '%s': %d", cases[i].text,
              cases[i].trigger, (int)request.command);
        CHECK(strcmp(request.title, cases[i].title) == 0, "'%s': '%s'", cases[i].text,
              request.title);
        assert_int_equal(request.title_len, strlen(request.title));
    }
}

static void trigger_word_starts_a_meeting_with_or_without_title(void **state)
{
    static const reading_t cases[] = {
        {"!pexip", "!pexip", PXR_WEBHOOK_START, ""},
        {"!pexip ", "!pexip", PXR_WEBHOOK_START, ""},
        {"!pexip Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip   Weekly \n call ", "!pexip", PXR_WEBHOOK_START, "Weekly call"},
        {"!pexip: Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip:Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip, Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip:", "!pexip", PXR_WEBHOOK_START, ""},
        {"!pexip\nWeekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip\tWeekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip" NBSP "Weekly" NBSP, "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip" WIDE WIDE "Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {" \n" NBSP "!pexip Weekly", "!pexip", PXR_WEBHOOK_START, "Weekly"},
        {"/pexip Weekly", "/pexip", PXR_WEBHOOK_START, "Weekly"},
        {"call me Weekly", "call me", PXR_WEBHOOK_START, "Weekly"},
        {"call me", "  call me ", PXR_WEBHOOK_START, ""},
        {u8"\u4F1A\u8B70 Weekly", u8"\u4F1A\u8B70", PXR_WEBHOOK_START, "Weekly"},
        {u8"\U0001F4DE Weekly", u8"\U0001F4DE", PXR_WEBHOOK_START, "Weekly"},
        {"!pexip @all *b*", "!pexip", PXR_WEBHOOK_START, "@all *b*"},
        {"!pexip a\xFFz", "!pexip", PXR_WEBHOOK_START, u8"a\uFFFDz"},
    };

    (void)state;
    check_readings(cases, COUNT(cases));
}

static void other_words_are_not_ours(void **state)
{
    static const reading_t cases[] = {
        {"", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"   ", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"!pexi", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"!pexipfoo", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"!pexip-foo", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"!pexip.", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {u8"!pexip\u00E9", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"!Pexip Weekly", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"say !pexip", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"> !pexip", "!pexip", PXR_WEBHOOK_NOT_OURS, ""},
        {"call  me", "call me", PXR_WEBHOOK_NOT_OURS, ""},
        {u8"\u4F1A\u8B70\u5BA4", u8"\u4F1A\u8B70", PXR_WEBHOOK_NOT_OURS, ""},
    };

    (void)state;
    check_readings(cases, COUNT(cases));
}

static void commands_count_only_when_they_stand_alone(void **state)
{
    static const reading_t cases[] = {
        {"!pexip end", "!pexip", PXR_WEBHOOK_END, ""},
        {"!pexip  END \n", "!pexip", PXR_WEBHOOK_END, ""},
        {"!pexip: end", "!pexip", PXR_WEBHOOK_END, ""},
        {"!pexip\nStatus", "!pexip", PXR_WEBHOOK_STATUS, ""},
        {"!pexip" NBSP "hElP" NBSP, "!pexip", PXR_WEBHOOK_HELP, ""},
        {"!pexip end of year review", "!pexip", PXR_WEBHOOK_START, "end of year review"},
        {"!pexip end.", "!pexip", PXR_WEBHOOK_START, "end."},
        {"!pexip help me", "!pexip", PXR_WEBHOOK_START, "help me"},
        {"!pexip status\nmeeting", "!pexip", PXR_WEBHOOK_START, "status meeting"},
        {"!pexip ends", "!pexip", PXR_WEBHOOK_START, "ends"},
        {"!pexip en", "!pexip", PXR_WEBHOOK_START, "en"},
    };

    (void)state;
    check_readings(cases, COUNT(cases));
}

static void without_a_trigger_word_the_first_one_must_look_like_a_command(void **state)
{
    static const reading_t cases[] = {
        {"!pexip Weekly", NULL, PXR_WEBHOOK_START, "Weekly"},
        {"/call: Weekly", "", PXR_WEBHOOK_START, "Weekly"},
        {" !x", "  ", PXR_WEBHOOK_START, ""},
        {"!x end", NULL, PXR_WEBHOOK_END, ""},
        {"pexip Weekly", NULL, PXR_WEBHOOK_NOT_OURS, ""},
        {"end", NULL, PXR_WEBHOOK_NOT_OURS, ""},
        {"!", NULL, PXR_WEBHOOK_NOT_OURS, ""},
        {"! Weekly", NULL, PXR_WEBHOOK_NOT_OURS, ""},
        {"/: x", NULL, PXR_WEBHOOK_NOT_OURS, ""},
        {"", NULL, PXR_WEBHOOK_NOT_OURS, ""},
    };

    (void)state;
    check_readings(cases, COUNT(cases));
}

static void word_is_told_as_it_was_typed(void **state)
{
    static const char text[] = "  /Call: x";

    (void)state;
    pxr_webhook_read(&request, text, sizeof(text) - 1, NULL);
    assert_int_equal(request.word_len, 5);
    assert_memory_equal(request.word, "/Call", 5);
}

static void a_nul_inside_is_a_blank(void **state)
{
    (void)state;
    read_text("!pexip\0a\0b", 10, "!pexip");
    assert_int_equal(request.command, PXR_WEBHOOK_START);
    assert_string_equal(request.title, "a b");
}

static void titles_are_cut_to_their_characters(void **state)
{
    size_t size = 7 + (PXR_TITLE_CHARS + 100) * 4;
    char *text = malloc(size);

    (void)state;
    assert_non_null(text);
    memcpy(text, "!pexip ", 7);
    for (size_t i = 7; i < size; i += 4) {
        memcpy(text + i, u8"\U0001F600", 4);
    }
    read_text(text, size, "!pexip");
    assert_int_equal(request.title_len, PXR_TITLE_CHARS * 4);
    assert_int_equal(pxr_utf8_count(request.title, request.title_len), PXR_TITLE_CHARS);
    memset(text + 7, 'x', size - 7);
    read_text(text, size, "!pexip");
    assert_int_equal(request.title_len, PXR_TITLE_CHARS);
    memset(text + 7 + PXR_TITLE_CHARS - 3, ' ', 3);
    read_text(text, size, "!pexip");
    assert_true(request.title[request.title_len - 1] != ' ');
    free(text);
}

static void no_text_whatsoever_breaks_the_rules_of_titles(void **state)
{
    static const char *const pieces[] = {"!pexip",   "/",    " ",    "\n",   NBSP,     WIDE,
                                         ":",        ",",    "end",  "help", "x",      "\xFF",
                                         "\xE3\x80", "\xC2", "\x7F", "!",    "STATUS", u8"\u2028"};
    static const char *const triggers[] = {"!pexip", NULL, "", " ", "/", "\xFF", "x", "end"};
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        char text[256];
        size_t len = 0;
        const char *trigger = triggers[dice(&seed, COUNT(triggers))];
        for (uint32_t n = dice(&seed, 12); n > 0; n--) {
            const char *piece = pieces[dice(&seed, COUNT(pieces))];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
            if (dice(&seed, 30) == 0) {
                text[len++] = (char)dice(&seed, 256);
            }
        }
        read_text(text, len, trigger);
        CHECK((request.command == PXR_WEBHOOK_NOT_OURS) == (request.word_len == 0), "%d", round);
        CHECK(request.command == PXR_WEBHOOK_START || request.title_len == 0, "%d", round);
        CHECK(strlen(request.title) == request.title_len, "%d", round);
        CHECK(pxr_utf8_valid(request.title, request.title_len), "%d", round);
        CHECK(request.title[strcspn(request.title, "\n\r\t\x7F")] == '\0', "%d", round);
        CHECK(request.title[0] != ' ' && strstr(request.title, "  ") == NULL, "%d", round);
        CHECK(request.title_len == 0 || request.title[request.title_len - 1] != ' ', "%d", round);
    }
}

static void only_old_edits_are_stale(void **state)
{
    const pxr_time_t now = 1000000 * PXR_SECOND;

    (void)state;
    assert_false(pxr_webhook_is_stale(false, 0, now));
    assert_false(pxr_webhook_is_stale(false, 1, now));
    assert_false(pxr_webhook_is_stale(true, now, now));
    assert_false(pxr_webhook_is_stale(true, now - PXR_WEBHOOK_EDIT_AGE, now));
    assert_true(pxr_webhook_is_stale(true, now - PXR_WEBHOOK_EDIT_AGE - 1, now));
    assert_false(pxr_webhook_is_stale(true, now + 10 * PXR_SECOND, now));
    assert_true(pxr_webhook_is_stale(true, 0, now));
}

static bool is_meeting_id(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    return len == PXR_MEETING_ID_OWN && id[len] == '\0';
}

static void one_message_of_one_workspace_is_one_meeting(void **state)
{
    char first[PXR_MEETING_ID_OWN + 1];
    char other[PXR_MEETING_ID_OWN + 1];

    (void)state;
    pxr_webhook_meeting_id("token", "https://rc.example", "Qk3vS7XyZaBcDeFgH", 17, first);
    /* Must never change: it is how a repeated message is known. */
    assert_string_equal(first, "3InaLboaXaByroIATOhV");
    pxr_webhook_meeting_id("token", "https://rc.example", "Qk3vS7XyZaBcDeFgH", 17, other);
    assert_string_equal(first, other);
    pxr_webhook_meeting_id("token", "https://rc.example", "Qk3vS7XyZaBcDeFgI", 17, other);
    assert_string_not_equal(first, other);
    pxr_webhook_meeting_id("token", "https://rd.example", "Qk3vS7XyZaBcDeFgH", 17, other);
    assert_string_not_equal(first, other);
    pxr_webhook_meeting_id("tokem", "https://rc.example", "Qk3vS7XyZaBcDeFgH", 17, other);
    assert_string_not_equal(first, other);
    /* What belongs to the workspace cannot be moved into the message. */
    pxr_webhook_meeting_id("token", "https://rc.exampleQ", "k3vS7XyZaBcDeFgH", 16, other);
    assert_string_not_equal(first, other);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void meeting_ids_do_not_repeat_and_use_every_character(void **state)
{
    enum { MANY = 20000 };
    static char ids[MANY][PXR_MEETING_ID_OWN + 1];
    bool seen[PXR_MEETING_ID_OWN][128] = {{false}};

    (void)state;
    for (int i = 0; i < MANY; i++) {
        char message[16];
        int len = snprintf(message, sizeof(message), "%d", i);
        pxr_webhook_meeting_id("", "https://rc.example", message, (size_t)len, ids[i]);
        assert_true(is_meeting_id(ids[i]));
        for (int j = 0; j < PXR_MEETING_ID_OWN; j++) {
            seen[j][(int)ids[i][j]] = true;
        }
    }
    for (int j = 0; j < PXR_MEETING_ID_OWN; j++) {
        int count = 0;
        for (int c = 0; c < 128; c++) {
            count += seen[j][c];
        }
        assert_int_equal(count, 62);
    }
    qsort(ids, MANY, sizeof(ids[0]), compare_ids);
    for (int i = 1; i < MANY; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
}

static void help_shows_the_word_as_code_and_cannot_trigger(void **state)
{
    static const char *const words[] = {"!pexip", "/pexip", "call me", "-",        "*",
                                        "`",      "I",      "1.",      u8"\u2022", u8"\u4F1A\u8B70",
                                        "@bot"};

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        const char *line;
        BUFFER(out, PXR_CHAT_TEXT_SIZE);
        pxr_webhook_put_help(&out, words[i], strlen(words[i]));
        assert_false(out.overflow);
        for (line = out.data; line != NULL; line = strchr(line, '\n')) {
            line += *line == '\n';
            CHECK(strncmp(line, words[i], strlen(words[i])) != 0, "%s: %s", words[i], line);
        }
    }
    {
        BUFFER(out, PXR_CHAT_TEXT_SIZE);
        pxr_webhook_put_help(&out, "!pexip", 6);
        assert_non_null(strstr(out.data, "`!pexip`"));
        assert_non_null(strstr(out.data, "`!pexip Weekly`"));
        assert_non_null(strstr(out.data, "`!pexip end`"));
        assert_non_null(strstr(out.data, "`!pexip status`"));
        assert_non_null(strstr(out.data, "`!pexip help`"));
    }
}

static void help_lets_no_word_out_of_its_code(void **state)
{
    static const struct {
        const char *word, *code;
    } cases[] = {
        {"a`b", u8"`a\u02CBb`"},       {"a\nb", "`a b`"},
        {u8"a\u202Eb\xFF", "`ab`"},    {"@bot", "`@bot`"},
        {"!x>@all", "`!x>@" Z "all`"}, {"!x #general", "`!x #" Z "general`"},
    };
    char word[1000];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, PXR_CHAT_TEXT_SIZE);
        pxr_webhook_put_help(&out, cases[i].word, strlen(cases[i].word));
        CHECK(strstr(out.data, cases[i].code) != NULL, "%s: %s", cases[i].word, out.data);
    }
    {
        BUFFER(out, PXR_CHAT_TEXT_SIZE);
        memset(word, 'x', sizeof(word));
        pxr_webhook_put_help(&out, word, sizeof(word));
        assert_true(pxr_chat_units(out.data, out.len) < 800);
    }
}

static const pxr_time_t noon = INT64_C(1795348800) * PXR_SECOND; /* 2026-11-22T12:00:00Z */

static void status_lists_the_rooms_meetings(void **state)
{
    const pxr_chat_t meetings[] = {
        {.id = "idofthefirst",
         .site_url = "https://rc.example",
         .join_url = "https://rc.example/pexip/join/k",
         .title = "Weekly @all",
         .creator = "Nina",
         .by_name = true,
         .state = PXR_MEETING_LIVE,
         .started_at = noon - 90 * 60 * PXR_SECOND,
         .people = 3},
        {.id = "idofthesecond",
         .site_url = "https://rc.example",
         .join_url = "https://rc.example/pexip/join/l",
         .state = PXR_MEETING_OPEN},
        {.id = "idofthethird",
         .site_url = "https://rc.example",
         .join_url = "https://rc.example/pexip/join/m",
         .title = "Night shift",
         .state = PXR_MEETING_LIVE,
         .started_at = noon - 24 * 3600 * PXR_SECOND,
         .people = 1},
        {.id = "idofthefourth",
         .site_url = "https://rc.example",
         .join_url = "https://rc.example/pexip/join/n",
         .state = PXR_MEETING_LIVE,
         .closed = true,
         .people = 2},
    };
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    pxr_webhook_put_status(&out, meetings, COUNT(meetings), noon);
    assert_string_equal(
        out.data, Z
        "Meetings in this room:\n" Z u8"\u2022 " Z "Weekly @" Z "all, started by " Z
        "Nina, live since 10:30 UTC, 3 people, "
        "[join](https://rc.example/conference/idofthefirst?callUrl="
        "https%3A%2F%2Frc.example%2Fpexip%2Fjoin%2Fk%3Fx%3D1&callProvider=Pexip)"
        "\n" Z u8"\u2022 Meeting without a title, open, "
        "[join](https://rc.example/conference/idofthesecond?callUrl="
        "https%3A%2F%2Frc.example%2Fpexip%2Fjoin%2Fl%3Fx%3D1&callProvider=Pexip)\n" Z u8"\u2022 " Z
        "Night shift, live since 2026-11-21 12:00 UTC, 1 person, "
        "[join](https://rc.example/conference/idofthethird?callUrl="
        "https%3A%2F%2Frc.example%2Fpexip%2Fjoin%2Fm%3Fx%3D1&callProvider=Pexip)"
        "\n" Z u8"\u2022 Meeting without a title, live, 2 people, nobody else can join");
    pxr_buf_init(&out, out.data, out.size);
    pxr_webhook_put_status(&out, NULL, 0, noon);
    assert_string_equal(out.data, Z "There is no meeting in this room");
}

static void long_status_tells_how_many_more_there_are(void **state)
{
    enum { MANY = 300 };
    static pxr_chat_t meetings[MANY];
    char title[600];
    size_t shown = 0;
    int more = 0;
    const char *tail;
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    memset(title, '@', sizeof(title) - 1);
    title[sizeof(title) - 1] = '\0';
    for (size_t i = 0; i < MANY; i++) {
        meetings[i] = (pxr_chat_t){.id = "someid",
                                   .site_url = "https://rc.example",
                                   .join_url = "https://rc.example/k",
                                   .title = title,
                                   .state = PXR_MEETING_OPEN};
    }
    pxr_webhook_put_status(&out, meetings, MANY, noon);
    assert_false(out.overflow);
    assert_true(pxr_chat_units(out.data, out.len) <= PXR_CHAT_UNITS_MAX);
    for (const char *at = out.data; (at = strstr(at, "[join]")) != NULL; at++) {
        shown++;
    }
    tail = strrchr(out.data, '\n');
    assert_int_equal(sscanf(tail + 1, Z "and %d more", &more), 1);
    assert_true(shown > 5);
    assert_int_equal(shown + (size_t)more, MANY);
}

static void end_says_what_has_come_of_it(void **state)
{
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    pxr_webhook_put_ended(&out, "Weekly", false);
    assert_string_equal(out.data, Z "The meeting " Z "Weekly has ended");
    pxr_buf_init(&out, out.data, out.size);
    pxr_webhook_put_ended(&out, NULL, true);
    assert_string_equal(out.data, Z
                        "The meeting takes nobody in any more and ends when the last one has left");
}

static void every_problem_has_a_text_of_its_own(void **state)
{
    char texts[PXR_WEBHOOK_PROBLEMS][300];

    (void)state;
    for (int i = 0; i < PXR_WEBHOOK_PROBLEMS; i++) {
        pxr_buf_t out;
        pxr_buf_init(&out, texts[i], sizeof(texts[i]));
        pxr_webhook_put_problem(&out, (pxr_webhook_problem_t)i);
        assert_false(out.overflow);
        assert_memory_equal(texts[i], Z, 3);
        assert_true(out.len > 30);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(texts[i], texts[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trigger_word_starts_a_meeting_with_or_without_title),
        cmocka_unit_test(other_words_are_not_ours),
        cmocka_unit_test(commands_count_only_when_they_stand_alone),
        cmocka_unit_test(without_a_trigger_word_the_first_one_must_look_like_a_command),
        cmocka_unit_test(word_is_told_as_it_was_typed),
        cmocka_unit_test(a_nul_inside_is_a_blank),
        cmocka_unit_test(titles_are_cut_to_their_characters),
        cmocka_unit_test(no_text_whatsoever_breaks_the_rules_of_titles),
        cmocka_unit_test(only_old_edits_are_stale),
        cmocka_unit_test(one_message_of_one_workspace_is_one_meeting),
        cmocka_unit_test(meeting_ids_do_not_repeat_and_use_every_character),
        cmocka_unit_test(help_shows_the_word_as_code_and_cannot_trigger),
        cmocka_unit_test(help_lets_no_word_out_of_its_code),
        cmocka_unit_test(status_lists_the_rooms_meetings),
        cmocka_unit_test(long_status_tells_how_many_more_there_are),
        cmocka_unit_test(end_says_what_has_come_of_it),
        cmocka_unit_test(every_problem_has_a_text_of_its_own),
    };

    return RUN(tests);
}
