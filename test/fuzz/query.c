#include "fuzz.h"

#include "pxr_alias.h"
#include "pxr_limits.h"
#include "pxr_policy.h"
#include "pxr_query.h"
#include "pxr_text.h"

/* What a Conferencing Node asks, from the query string to the name of a meeting. */

static void check_alias(const char *text, size_t len)
{
    pxr_alias_t alias;

    if (!pxr_alias_parse(text, len, &alias)) {
        return;
    }
    REQUIRE(alias.user_len > 0 && alias.user_len <= PXR_ALIAS_MAX);
    REQUIRE(strlen(alias.user) == alias.user_len);
    for (const char *c = alias.user; *c != '\0'; c++) {
        REQUIRE((unsigned char)*c >= ' ' && *c != 0x7F);
    }
    REQUIRE(strlen(alias.domain) <= PXR_DOMAIN_MAX);
    for (const char *c = alias.domain; *c != '\0'; c++) {
        REQUIRE(*c == pxr_lower(*c));
    }
    if (pxr_meeting_id_valid(alias.user, alias.user_len)) {
        pxr_alias_t bare;
        REQUIRE(pxr_alias_parse(alias.user, alias.user_len, &bare));
        REQUIRE(strcmp(bare.user, alias.user) == 0 && bare.domain[0] == '\0');
    }
    pxr_alias_domain_allowed(&alias, (const char *const[]){"vc.example.com"}, 1);
}

static void check_request(const char *query, size_t len)
{
    pxr_policy_request_t request;

    pxr_policy_request_read(query, len, &request);
    REQUIRE(request.alias_len <= PXR_DIALLED_MAX);
    REQUIRE(strlen(request.alias) == request.alias_len);
    REQUIRE(pxr_utf8_valid(request.alias, request.alias_len));
    REQUIRE(strlen(request.breakout) <= PXR_UUID_MAX);
    check_alias(request.alias, request.alias_len);
}

/* What is encoded is read as it was. */
static void check_round_trip(const char *text, size_t len)
{
    static char query[3 * PXR_DIALLED_MAX + 64];
    char value[PXR_DIALLED_MAX + 1];
    pxr_query_field_t field = {.name = "local_alias", .value = value, .size = sizeof(value)};
    pxr_buf_t out;

    if (len > PXR_DIALLED_MAX) {
        return;
    }
    pxr_buf_init(&out, query, sizeof(query));
    pxr_buf_puts(&out, "x=1&local_alias=");
    pxr_buf_put_percent(&out, text, len);
    pxr_buf_puts(&out, "&local_alias=second");
    REQUIRE(!out.overflow);
    pxr_query_read(query, out.len, &field, 1);
    REQUIRE(field.present);
    if (pxr_utf8_valid(text, len) && memchr(text, 0, len) == NULL) {
        REQUIRE(!field.bad && field.len == len && memcmp(value, text, len) == 0);
    } else {
        REQUIRE(field.bad && field.len == 0 && value[0] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    size_t len;
    char *query = input_rest(&in, &len);

    check_request(query, len);
    check_alias(query, len);
    check_round_trip(query, len);
    free(query);
    return 0;
}
