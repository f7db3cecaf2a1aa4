#include "pxr_httpd.h"

#include <apr_strings.h>

/* What a request says in its address: its query string, and words and numbers in that. */

void pxr_read_arguments(request_rec *r, pxr_query_field_t *fields, size_t count)
{
    pxr_query_read(r->args, r->args != NULL ? strlen(r->args) : 0, fields, count);
}

bool pxr_has_argument(request_rec *r, const char *name)
{
    char value[2];
    pxr_query_field_t field = {.name = name, .value = value, .size = sizeof(value)};

    pxr_read_arguments(r, &field, 1);
    return field.present;
}

bool pxr_read_count(const char *text, apr_int64_t low, apr_int64_t high, apr_int64_t *out)
{
    size_t len = strlen(text);

    /* As many digits as surely are no overflow. */
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len) {
        return false;
    }
    *out = apr_atoi64(text);
    return *out >= low && *out <= high;
}

/* The number of the word, `end` where it is none of them. */
static int look_up(const char *word, size_t len, const char *(*name)(int), int first, int end)
{
    for (int i = first; i < end; i++) {
        if (strlen(name(i)) == len && strncmp(name(i), word, len) == 0) {
            return i;
        }
    }
    return end;
}

bool pxr_read_words(const char *text, const char *(*name)(int), int first, int end, bool *named)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        int i = look_up(text, len, name, first, end);
        if (i == end) {
            return false;
        }
        named[i] = true;
        text += len + (text[len] == ',');
    }
    return true;
}

bool pxr_ends_at_marker(const pxr_call_t *call)
{
    return call->rest != NULL && call->rest[strspn(call->rest, "/")] == '\0';
}
