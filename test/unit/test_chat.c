#include "helpers.h"

#include "pxr_chat.h"

#define Z u8"\u200B"
#define SITE "https://rc.example"
#define LINK \
    "(https://rc.example/conference/AbCdEfGh1234567890zz" \
    "?callUrl=https%3A%2F%2Frc.example%2Fpexip%2Fjoin%2Fkey%3Fx%3D1&callProvider=Pexip)"
#define MINUTE (60 * PXR_SECOND)

static const pxr_chat_t weekly = {
    .id = "AbCdEfGh1234567890zz",
    .site_url = SITE,
    .join_url = SITE "/pexip/join/key",
    .title = "Weekly",
    .creator = "Nina",
    .state = PXR_MEETING_OPEN,
    .by_name = true,
};

/* Without the invisible characters, so that what people read can be compared. */
static const char *visible(const char *text)
{
    static char out[PXR_CHAT_TEXT_SIZE];
    size_t used = 0;

    while (*text != '\0') {
        if (strncmp(text, Z, 3) == 0) {
            text += 3;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = '\0';
    return out;
}

static const char *message(const pxr_chat_t *chat)
{
    static char text[PXR_CHAT_TEXT_SIZE];
    pxr_buf_t out;

    pxr_buf_init(&out, text, sizeof(text));
    pxr_chat_put_message(&out, chat);
    assert_false(out.overflow);
    assert_true(pxr_utf8_valid(text, out.len));
    return text;
}

static void open_message_says_who_started_what_and_has_the_link(void **state)
{
    (void)state;
    assert_string_equal(visible(message(&weekly)),
                        "Nina started a meeting: Weekly\n[Join the meeting]" LINK);
}

static void absent_title_and_creator_leave_no_gap(void **state)
{
    static const char *const absent[] = {NULL, "", "  \t", u8"\u202E\u2066", "\xFF"};
    pxr_chat_t chat = weekly;

    (void)state;
    for (size_t i = 0; i < COUNT(absent); i++) {
        chat.title = absent[i];
        chat.creator = "Nina";
        assert_string_equal(visible(message(&chat)),
                            "Nina started a meeting\n[Join the meeting]" LINK);
        chat.creator = absent[i];
        assert_string_equal(visible(message(&chat)),
                            "A meeting was started\n[Join the meeting]" LINK);
    }
}

static void nobody_is_named_where_people_are_only_counted(void **state)
{
    static const char *const names[] = {"Bo", "Eva"};
    pxr_chat_t chat = weekly;

    (void)state;
    chat.by_name = false;
    chat.state = PXR_MEETING_LIVE;
    chat.people = 2;
    chat.names = names;
    chat.names_count = COUNT(names);
    assert_string_equal(
        visible(message(&chat)),
        "A meeting was started: Weekly\n2 people are in it\n[Join the meeting]" LINK);
    chat.state = PXR_MEETING_ENDED;
    assert_string_equal(visible(message(&chat)), "Meeting ended: 2 people\nWeekly");
}

static void link_has_a_question_mark_because_clients_append_to_it(void **state)
{
    BUFFER(out, 512);

    (void)state;
    pxr_chat_put_link(&out, "https://rc.pexample.com", "123456",
                      "https://join.pexample.com/rcbrand/conference?conference=123456");
    assert_string_equal(out.data, "https://rc.pexample.com/conference/"
                                  "123456?callUrl=https%3A%2F%2Fjoin.pexample.com%2Frcbrand%"
                                  "2Fconference%3Fconference%3D123456&callProvider=Pexip");
    pxr_buf_init(&out, out.data, out.size);
    pxr_chat_put_link(&out, "https://rc.example", "a", "https://rc.example/m/1");
    assert_string_equal(out.data, "https://rc.example/conference/"
                                  "a?callUrl=https%3A%2F%2Frc.example%2Fm%2F1%3Fx%3D1"
                                  "&callProvider=Pexip");
}

static const char *line_of_people(size_t people, const char *const *names, size_t count)
{
    static char line[4096];
    pxr_chat_t chat = weekly;
    const char *text;
    const char *from;

    chat.state = PXR_MEETING_LIVE;
    chat.people = people;
    chat.names = names;
    chat.names_count = count;
    text = visible(message(&chat));
    from = strchr(text, '\n') + 1;
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(from, "\n"), from);
    return line;
}

static void live_message_says_who_is_there(void **state)
{
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"};
    static const char *const unnamed[] = {"", NULL, "Bo", u8"\u202E"};

    (void)state;
    assert_string_equal(line_of_people(0, NULL, 0), "Nobody is in it at the moment");
    assert_string_equal(line_of_people(1, NULL, 0), "1 person is in it");
    assert_string_equal(line_of_people(7, NULL, 0), "7 people are in it");
    assert_string_equal(line_of_people(1, names, 1), "In it: A");
    assert_string_equal(line_of_people(3, names, 3), "In it: A, B, C");
    assert_string_equal(line_of_people(4, names, 3), "In it: A, B, C and 1 other");
    assert_string_equal(line_of_people(10, names, 10), "In it: A, B, C, D, E, F, G, H, I, J");
    assert_string_equal(line_of_people(13, names, 12),
                        "In it: A, B, C, D, E, F, G, H, I, J and 3 others");
    assert_string_equal(line_of_people(4, unnamed, 4), "In it: Bo and 3 others");
    assert_string_equal(line_of_people(2, unnamed, 2), "2 people are in it");
    /* Names that are more than the people are not believed. */
    assert_string_equal(line_of_people(2, names, 12), "In it: A, B");
}

static void closed_message_has_no_link(void **state)
{
    pxr_chat_t chat = weekly;

    (void)state;
    chat.state = PXR_MEETING_LIVE;
    chat.closed = true;
    chat.people = 2;
    assert_string_equal(visible(message(&chat)),
                        "Nina started a meeting: Weekly\n2 people are in it\nNobody else can join");
    chat.state = PXR_MEETING_ENDED;
    assert_null(strstr(message(&chat), "can join"));
}

static void the_same_people_give_the_same_text(void **state)
{
    static const char *const names[] = {"Nina", "Bo"};
    pxr_chat_t chat = weekly;
    char first[PXR_CHAT_TEXT_SIZE];

    (void)state;
    chat.state = PXR_MEETING_LIVE;
    chat.people = 2;
    chat.names = names;
    chat.names_count = 2;
    chat.started_at = 1;
    strcpy(first, message(&chat));
    chat.started_at = 2;
    chat.ended_at = 3;
    assert_string_equal(message(&chat), first);
}

static void ended_message_has_duration_and_people_and_no_link(void **state)
{
    pxr_chat_t chat = weekly;

    (void)state;
    chat.state = PXR_MEETING_ENDED;
    chat.started_at = 1000 * PXR_SECOND;
    chat.ended_at = chat.started_at + 42 * MINUTE + 59 * PXR_SECOND;
    chat.people = 5;
    assert_string_equal(visible(message(&chat)),
                        "Meeting ended: 42 min, 5 people\nWeekly, started by Nina");
    chat.inferred = true;
    chat.people = 1;
    assert_string_equal(visible(message(&chat)),
                        "Meeting ended: about 42 min, 1 person\nWeekly, started by Nina");
    chat.title = NULL;
    assert_string_equal(visible(message(&chat)),
                        "Meeting ended: about 42 min, 1 person\nStarted by Nina");
    chat.creator = NULL;
    chat.started_at = 0;
    assert_string_equal(visible(message(&chat)), "Meeting ended: 1 person");
    chat.people = 0;
    assert_string_equal(visible(message(&chat)), "Meeting ended, nobody joined");
}

static void durations_are_written_for_people(void **state)
{
    static const struct {
        int64_t duration;
        const char *text;
    } cases[] = {
        {INT64_MIN, "less than a minute"},
        {-MINUTE, "less than a minute"},
        {0, "less than a minute"},
        {MINUTE - 1, "less than a minute"},
        {MINUTE, "1 min"},
        {42 * MINUTE, "42 min"},
        {60 * MINUTE - 1, "59 min"},
        {60 * MINUTE, "1 h"},
        {65 * MINUTE, "1 h 5 min"},
        {120 * MINUTE, "2 h"},
        {(26 * 60 + 3) * MINUTE, "26 h 3 min"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        BUFFER(out, 64);
        pxr_chat_put_duration(&out, cases[i].duration);
        CHECK(strcmp(out.data, cases[i].text) == 0, "%s is not %s", out.data, cases[i].text);
    }
}

static void answer_is_the_open_message(void **state)
{
    pxr_chat_t chat = weekly;
    char open[PXR_CHAT_TEXT_SIZE];
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    strcpy(open, message(&chat));
    chat.state = PXR_MEETING_LIVE;
    chat.people = 3;
    pxr_chat_put_answer(&out, &chat);
    assert_string_equal(out.data, open);
}

static void personal_message_has_the_personal_link(void **state)
{
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    pxr_chat_put_personal(&out, &weekly, SITE "/pexip/join/key?k=s.e-c_r~t");
    assert_string_equal(
        visible(out.data),
        "You started a meeting: Weekly\n"
        "[Join as host](https://rc.example/pexip/join/key?k=s.e-c_r~t), or in "
        "[a window of the desktop client]"
        "(https://rc.example/conference/AbCdEfGh1234567890zz?callUrl="
        "https%3A%2F%2Frc.example%2Fpexip%2Fjoin%2Fkey%3Fk%3Ds.e-c_r~t&callProvider=Pexip)\n"
        "Whoever opens this link is the host, so please keep it to yourself");
}

static char *filled(size_t count, const char *unit)
{
    size_t len = strlen(unit);
    char *text = malloc(count * len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * len, unit, len);
    }
    text[count * len] = '\0';
    return text;
}

static void longest_texts_fit_into_one_message_with_everything_but_the_title(void **state)
{
    static const char *const units[] = {"a",  ")",   "*", "\n", u8"\u20AC", u8"\U0001F600",
                                        ". ", "\xFF"};
    static const pxr_meeting_state_t states[] = {PXR_MEETING_OPEN, PXR_MEETING_LIVE,
                                                 PXR_MEETING_ENDED};

    (void)state;
    for (size_t i = 0; i < COUNT(units); i++) {
        char *title = filled(PXR_TITLE_CHARS, units[i]);
        char *name = filled(PXR_NAME_CHARS, units[i]);
        const char *names[12];
        pxr_chat_t chat = weekly;
        for (size_t j = 0; j < COUNT(names); j++) {
            names[j] = name;
        }
        chat.title = title;
        chat.creator = name;
        chat.names = names;
        chat.names_count = COUNT(names);
        chat.people = 1000;
        for (size_t j = 0; j < COUNT(states); j++) {
            const char *text;
            size_t count;
            chat.state = states[j];
            text = message(&chat);
            count = pxr_chat_units(text, strlen(text));
            CHECK(count <= PXR_CHAT_UNITS_MAX, "%zu units of '%s'", count, units[i]);
            CHECK(strlen(title) == 0 || units[i][0] == '\n' || units[i][0] == '\xFF' ||
                      count > PXR_CHAT_UNITS_MAX - 4,
                  "only %zu units of '%s'", count, units[i]);
            CHECK((strstr(text, LINK) != NULL) == (states[j] != PXR_MEETING_ENDED), "link");
        }
        free(title);
        free(name);
    }
}

static void title_is_cut_with_an_ellipsis(void **state)
{
    char *title = filled(PXR_TITLE_CHARS, u8"\U0001F600");
    pxr_chat_t chat = weekly;

    (void)state;
    chat.title = title;
    assert_non_null(strstr(message(&chat), u8"\U0001F600\u2026\n"));
    free(title);
}

static void message_that_does_not_fit_is_an_overflow(void **state)
{
    size_t len = strlen(message(&weekly));

    (void)state;
    for (size_t size = 1; size <= len; size++) {
        char *text = malloc(size);
        pxr_buf_t out;
        pxr_buf_init(&out, text, size);
        pxr_chat_put_message(&out, &weekly);
        assert_true(out.overflow);
        assert_true(out.len < size);
        free(text);
    }
}

static void message_is_appended(void **state)
{
    BUFFER(out, PXR_CHAT_TEXT_SIZE);

    (void)state;
    pxr_buf_puts(&out, "before ");
    pxr_chat_put_message(&out, &weekly);
    assert_int_equal(strncmp(out.data, "before " Z "\xE2\x80\x8BNina", 7 + 3 + 3 + 4), 0);
}

static void every_line_begins_with_what_no_trigger_word_begins_with(void **state)
{
    static const char *const names[] = {"!pexip"};
    pxr_chat_t chat = weekly;

    (void)state;
    chat.title = "!pexip\n!pexip";
    chat.creator = "!pexip";
    chat.names = names;
    chat.names_count = 1;
    chat.people = 1;
    for (pxr_meeting_state_t s = PXR_MEETING_OPEN; s <= PXR_MEETING_ENDED; s++) {
        const char *line;
        chat.state = s;
        for (line = message(&chat); line != NULL; line = strchr(line, '\n')) {
            line += *line == '\n';
            assert_memory_equal(line, Z, 3);
        }
    }
}

static bool is_message_id(const char *id)
{
    size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    return len == PXR_CHAT_ID_LEN && id[len] == '\0';
}

static void message_ids_follow_from_secret_meeting_and_purpose(void **state)
{
    static const char *const secrets[] = {"", "a", "b"};
    static const char *const meetings[] = {"AbCdEfGh1234567890zz", "AbCdEfGh1234567890zy"};
    char ids[18][PXR_CHAT_ID_LEN + 1];
    char again[PXR_CHAT_ID_LEN + 1];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        for (size_t j = 0; j < COUNT(meetings); j++) {
            for (pxr_chat_purpose_t p = PXR_CHAT_ROOM; p <= PXR_CHAT_DIRECT; p++) {
                pxr_chat_message_id(secrets[i], meetings[j], p, ids[count]);
                pxr_chat_message_id(secrets[i], meetings[j], p, again);
                assert_string_equal(ids[count], again);
                assert_true(is_message_id(ids[count]));
                for (size_t k = 0; k < count; k++) {
                    assert_string_not_equal(ids[k], ids[count]);
                }
                count++;
            }
        }
    }
}

static void message_ids_never_change_because_messages_are_found_by_them(void **state)
{
    char id[PXR_CHAT_ID_LEN + 1];

    (void)state;
    pxr_chat_message_id("secret", "AbCdEfGh1234567890zz", PXR_CHAT_ROOM, id);
    assert_string_equal(id, "PObbK40Snt3gZzIPg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_message_says_who_started_what_and_has_the_link),
        cmocka_unit_test(absent_title_and_creator_leave_no_gap),
        cmocka_unit_test(nobody_is_named_where_people_are_only_counted),
        cmocka_unit_test(link_has_a_question_mark_because_clients_append_to_it),
        cmocka_unit_test(live_message_says_who_is_there),
        cmocka_unit_test(closed_message_has_no_link),
        cmocka_unit_test(the_same_people_give_the_same_text),
        cmocka_unit_test(ended_message_has_duration_and_people_and_no_link),
        cmocka_unit_test(durations_are_written_for_people),
        cmocka_unit_test(answer_is_the_open_message),
        cmocka_unit_test(personal_message_has_the_personal_link),
        cmocka_unit_test(longest_texts_fit_into_one_message_with_everything_but_the_title),
        cmocka_unit_test(title_is_cut_with_an_ellipsis),
        cmocka_unit_test(message_that_does_not_fit_is_an_overflow),
        cmocka_unit_test(message_is_appended),
        cmocka_unit_test(every_line_begins_with_what_no_trigger_word_begins_with),
        cmocka_unit_test(message_ids_follow_from_secret_meeting_and_purpose),
        cmocka_unit_test(message_ids_never_change_because_messages_are_found_by_them),
    };

    return RUN(tests);
}
