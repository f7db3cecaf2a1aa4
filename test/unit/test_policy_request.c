#include "helpers.h"

#include "pxr_policy.h"

#define ID "Zk7pQ2mXw9Rt4LbCa2Yq"
#define UUID "6d1c1c1e-6f0b-4c3e-9b57-0f2a4a1f7d10"

static pxr_policy_request_t request;

static const pxr_policy_request_t *read_query(const char *query)
{
    size_t len = strlen(query);
    char *copy = exact_copy(query, len);

    memset(&request, 'x', sizeof(request));
    pxr_policy_request_read(copy, len, &request);
    free(copy);
    assert_int_equal(strlen(request.alias), request.alias_len);
    return &request;
}

static void a_dial_in_names_its_alias_and_joins(void **state)
{
    (void)state;
    read_query("call_direction=dial_in&protocol=sip&trigger=invite&registered=True&call_tag="
               "&local_alias=sip%3A48120077%40meet.chat.example&breakout_uuid=");
    assert_string_equal(request.alias, "sip:48120077@meet.chat.example");
    assert_string_equal(request.breakout, "");
    assert_true(request.joins);
    read_query("CALL_DIRECTION=x&call_direction=DIAL_IN&local_alias=" ID);
    assert_true(request.joins);
}

static void requests_that_are_no_joins_are_told_apart(void **state)
{
    static const struct {
        const char *query;
        bool joins;
    } cases[] = {
        {"call_direction=dial_in&trigger=web", true},
        {"call_direction=dial_in&trigger=invite", true},
        {"call_direction=dial_in&trigger=setup", true},
        {"call_direction=dial_in&trigger=unspecified", true},
        {"call_direction=dial_in&trigger=", true},
        {"call_direction=dial_in", true},
        {"call_direction=dial_in&trigger=options", false},
        {"call_direction=dial_in&trigger=OPTIONS", false},
        {"call_direction=dial_in&trigger=subscribe", false},
        {"call_direction=dial_in&trigger=lrq", false},
        {"call_direction=dial_in&trigger=irq", false},
        {"call_direction=dial_in&trigger=arq", false},
        {"call_direction=dial_in&trigger=web_avatar_fetch", false},
        {"call_direction=non_dial&trigger=options", false},
        {"call_direction=non_dial", false},
        {"call_direction=dial_out&service_name=" ID, false},
        {"trigger=web", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char query[200];
        snprintf(query, sizeof(query), "%s&local_alias=" ID, cases[i].query);
        CHECK(read_query(query)->joins == cases[i].joins, "%s", query);
        CHECK(strcmp(request.alias, ID) == 0, "%s", query);
    }
}

static void a_dial_out_is_meant_by_its_service(void **state)
{
    (void)state;
    read_query("call_direction=dial_out&local_alias=caller&service_name=" ID);
    assert_string_equal(request.alias, ID);
    assert_string_equal(request.breakout, "");
    read_query("call_direction=dial_out&local_alias=caller&unique_service_name=" ID);
    assert_string_equal(request.alias, ID);
    read_query("call_direction=dial_out&local_alias=caller&service_name=" ID "_breakout_" UUID);
    assert_string_equal(request.alias, ID);
    assert_string_equal(request.breakout, UUID);
}

static void a_dial_in_is_not_meant_by_its_service(void **state)
{
    (void)state;
    read_query("call_direction=dial_in&local_alias=dialled1&service_name=" ID);
    assert_string_equal(request.alias, "dialled1");
}

static void a_breakout_is_meant_by_its_uuid_and_the_main_name(void **state)
{
    (void)state;
    read_query("call_direction=dial_in&local_alias=48120077&breakout_uuid=" UUID "&service_name=" ID
               "_breakout_" UUID);
    assert_string_equal(request.alias, ID);
    assert_string_equal(request.breakout, UUID);
    assert_true(request.joins);
    /* Where no service is named the dialled alias is the main room's. */
    read_query("call_direction=dial_in&local_alias=48120077&breakout_uuid=" UUID);
    assert_string_equal(request.alias, "48120077");
    assert_string_equal(request.breakout, UUID);
    /* The parameter is looked at first. */
    read_query("local_alias=x&breakout_uuid=" UUID "&service_name=" ID "_breakout_other");
    assert_string_equal(request.breakout, UUID);
}

static void a_participant_is_meant_by_the_service_he_is_in(void **state)
{
    static const struct {
        const char *query;
        const char *alias;
    } cases[] = {
        {"local_alias=dialled1&service_name=" ID, ID},
        {"local_alias=dialled1&unique_service_name=" ID, ID},
        {"local_alias=dialled1&service_name=&unique_service_name=" ID, ID},
        {"local_alias=dialled1&service_name=%zz&unique_service_name=" ID, ID},
        {"service_name=" ID "&unique_service_name=" ID "_x1", ID},
        {"service_name=" ID "_breakout_" UUID, ID},
        {"breakout_uuid=" UUID "&local_alias=dialled1&service_name=" ID "_breakout_" UUID, ID},
        {"call_direction=dial_out&local_alias=caller&service_name=" ID, ID},
        {"local_alias=dialled1", "dialled1"},
        {"local_alias=dialled1&service_name=&unique_service_name=", "dialled1"},
        {"local_alias=dialled1&service_name=_breakout_" UUID, "dialled1"},
        {"local_alias=" ID "&previous_service_name=" ID "&service_name=Another+room",
         "Another room"},
        {"service_name=" ID "_breakout_a%22b", ""},
        {"participant_uuid=" UUID, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memset(&request, 'x', sizeof(request));
        pxr_participant_request_read(cases[i].query, strlen(cases[i].query), &request);
        CHECK(strcmp(request.alias, cases[i].alias) == 0, "%s: %s", cases[i].query, request.alias);
        CHECK(strlen(request.alias) == request.alias_len, "%s", cases[i].query);
    }
    pxr_participant_request_read("call_direction=dial_in&trigger=web", 34, &request);
    assert_true(request.joins);
}

static void what_cannot_be_understood_is_nobodys(void **state)
{
    static const char *const cases[] = {
        "",
        "&&&",
        "local_alias",
        "local_alias=",
        "call_direction=dial_in",
        "local_alias=%",
        "local_alias=abc%00def",
        "local_alias=%ff",
        "local_alias=abcdefgh&breakout_uuid=%zz",
        "local_alias=abcdefgh&breakout_uuid=a%2fb",
        "local_alias=abcdefgh&breakout_uuid=%22",
        "local_alias=abcdefgh&breakout_uuid=0123456789012345678901234567890123456789012345678901234"
        "5678901234",
        "call_direction=dial_out&service_name=" ID "_breakout_a%22b",
        "call_direction=dial_out&local_alias=abcdefgh&service_name=%zz",
        "call_direction=dial_out&local_alias=abcdefgh&service_name=&unique_service_name=%ff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK(read_query(cases[i])->alias_len == 0, "%s", cases[i]);
    }
}

static void a_service_whose_name_is_longer_than_ours_is_not_the_dialled_one(void **state)
{
    char query[512];

    (void)state;
    snprintf(query, sizeof(query), "call_direction=dial_out&local_alias=" ID "&service_name=%0250d",
             7);
    assert_int_equal(read_query(query)->alias_len, 0);
    pxr_participant_request_read(query, strlen(query), &request);
    assert_int_equal(request.alias_len, 0);
}

static void a_breakout_uuid_too_long_is_nobodys_wherever_it_stands(void **state)
{
    (void)state;
    /* Cut to its width it would be taken for another room. */
    read_query("call_direction=dial_out&service_name=" ID "_breakout_"
               "01234567890123456789012345678901234567890123456789012345678901234");
    assert_int_equal(request.alias_len, 0);
}

static void long_aliases_are_nobodys_and_short_enough_ones_are_kept(void **state)
{
    char query[PXR_DIALLED_MAX + 64] = "local_alias=";
    size_t prefix = strlen(query);

    (void)state;
    memset(query + prefix, 'a', PXR_DIALLED_MAX);
    query[prefix + PXR_DIALLED_MAX] = '\0';
    assert_int_equal(read_query(query)->alias_len, PXR_DIALLED_MAX);
    query[prefix + PXR_DIALLED_MAX] = 'a';
    query[prefix + PXR_DIALLED_MAX + 1] = '\0';
    assert_int_equal(read_query(query)->alias_len, 0);
}

static void no_query_is_nobodys(void **state)
{
    (void)state;
    memset(&request, 'x', sizeof(request));
    pxr_policy_request_read(NULL, 0, &request);
    assert_int_equal(request.alias_len, 0);
    assert_string_equal(request.breakout, "");
    assert_false(request.joins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_in_names_its_alias_and_joins),
        cmocka_unit_test(requests_that_are_no_joins_are_told_apart),
        cmocka_unit_test(a_dial_out_is_meant_by_its_service),
        cmocka_unit_test(a_dial_in_is_not_meant_by_its_service),
        cmocka_unit_test(a_breakout_is_meant_by_its_uuid_and_the_main_name),
        cmocka_unit_test(a_participant_is_meant_by_the_service_he_is_in),
        cmocka_unit_test(what_cannot_be_understood_is_nobodys),
        cmocka_unit_test(a_service_whose_name_is_longer_than_ours_is_not_the_dialled_one),
        cmocka_unit_test(a_breakout_uuid_too_long_is_nobodys_wherever_it_stands),
        cmocka_unit_test(long_aliases_are_nobodys_and_short_enough_ones_are_kept),
        cmocka_unit_test(no_query_is_nobodys),
    };

    return RUN(tests);
}
