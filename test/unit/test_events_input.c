#include "helpers.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "pxr_json.h"

/* Tests run in the project's root; PXR_SAMPLES leads elsewhere. */
#define SAMPLES "test/contract/samples/events"

/* The sanitizers slow everything down; what is bounded here is the growth, not the speed. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWED 10
#else
#define SLOWED 1
#endif

static pxr_event_t last;
static size_t taken;

static bool sink(void *context, const pxr_event_t *event)
{
    (void)context;
    last = *event;
    taken++;
    return true;
}

static char *load(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *body;
    long size;

    CHECK(file != NULL, "cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    assert_true(size > 0);
    body = malloc((size_t)size);
    *len = fread(body, 1, (size_t)size, file);
    assert_int_equal(*len, size);
    fclose(file);
    return body;
}

static size_t read_copy(const char *body, size_t len)
{
    char *copy = exact_copy(body, len);
    size_t failures;

    taken = 0;
    memset(&last, 0, sizeof(last));
    failures = pxr_json_read_events(copy, len, sink, NULL);
    free(copy);
    return failures;
}

/* The kind that a sample's file name promises. */
static pxr_event_kind_t promised_kind(const char *file)
{
    char name[128];

    while (*file >= '0' && *file <= '9') {
        file++; /* number in the walk-through */
    }
    file += *file == '_';
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(file, "."), file);
    return strncmp(file, "eventsink_bulk", 14) == 0 ? PXR_EVENT_UPDATED : pxr_event_kind(name);
}

static const char *samples(void)
{
    const char *path = getenv("PXR_SAMPLES");

    return path != NULL ? path : SAMPLES;
}

/* Calls `check` for each sample below the folder and returns how many there are. */
static unsigned for_each_sample(const char *folder,
                                void (*check)(const char *file, const char *body, size_t len))
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    CHECK(dir != NULL, "cannot open %s", folder);
    while ((entry = readdir(dir)) != NULL) {
        char path[4096];
        struct stat info;
        size_t len = strlen(entry->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            count += for_each_sample(path, check);
        } else if (len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0) {
            char *body = load(path, &len);
            check(entry->d_name, body, len);
            free(body);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static void check_sample(const char *file, const char *body, size_t len)
{
    bool bulk = strncmp(file, "eventsink_bulk", 14) == 0;

    CHECK(read_copy(body, len) == 0, "%s", file);
    CHECK(taken == (bulk ? 2 : 1), "%s: %zu events", file, taken);
    CHECK(last.kind == promised_kind(file), "%s: %s", file, pxr_event_kind_name(last.kind));
    CHECK((last.node[0] != '\0') == (strstr(file, "no_envelope") == NULL), "%s", file);
    CHECK((last.time != 0) == (strstr(file, "no_envelope") == NULL), "%s", file);
    if (last.kind == PXR_EVENT_CONFERENCE_STARTED || last.kind == PXR_EVENT_CONFERENCE_ENDED) {
        CHECK(last.conference[0] != '\0', "%s", file);
    }
}

static void check_truncations(const char *file, const char *body, size_t len)
{
    for (size_t cut = 0; cut < len; cut++) {
        read_copy(body, cut);
        CHECK(taken <= 2, "%s cut at %zu", file, cut);
    }
}

static void every_sample_is_understood(void **state)
{
    (void)state;
    assert_int_equal(for_each_sample(samples(), check_sample), 35);
}

static void every_sample_may_be_cut_at_every_byte(void **state)
{
    (void)state;
    assert_int_equal(for_each_sample(samples(), check_truncations), 35);
}

static void read_sample(const char *file)
{
    char path[4096];
    size_t len;
    char *body;

    snprintf(path, sizeof(path), "%s/%s", samples(), file);
    body = load(path, &len);
    assert_int_equal(read_copy(body, len), 0);
    free(body);
}

static void odd_samples_are_read_as_they_are_meant(void **state)
{
    (void)state;
    read_sample("participant_connected.v1.h323_connecting.json");
    assert_int_equal(last.service, PXR_SERVICE_JOINING);
    assert_true(last.connect_time == 0 && last.has_media == PXR_YES);
    assert_string_equal(last.protocol, "H323");
    read_sample("participant_connected.v1.webrtc.json");
    assert_int_equal(last.kind, PXR_EVENT_CONNECTED); /* although it has a disconnect_reason */
    assert_int_equal(last.has_media, PXR_NO);
    read_sample("participant_disconnected.v2.json");
    assert_string_equal(last.conference, "Alice's VMR");
    assert_string_equal(last.related[0], "0b8eb723-cf9d-4540-b12d-0f28149a7560");
    assert_true(last.end_time == INT64_C(1606392917976151));
    assert_true(last.time == INT64_C(1606392917976155));
    read_sample("participant_disconnected.v1.unknown_envelope_field_no_seq.json");
    assert_true(last.seq == 0 && last.time != 0);
    read_sample("participant_media_stream_window.v2.json");
    assert_int_equal(last.quality, PXR_QUALITY_BAD);
    assert_string_equal(last.uuid, "c0548ea2-6ba5-4726-a022-019c0cad75b6");
    read_sample("participant_media_streams_destroyed.v2.json");
    assert_int_equal(last.kind, PXR_EVENT_STREAMS);
    read_sample("constructed_unknown_event_and_fields.json");
    assert_int_equal(last.kind, PXR_EVENT_UNKNOWN);
    assert_true(last.seq == UINT64_C(4294967297));
    read_sample("eventsink_bulk.v2.json");
    assert_int_equal(last.seq, 2184);
    assert_string_equal(last.node, "10.44.34.14");
}

static double seconds_to_read(char *body, size_t len)
{
    struct timespec from, to;

    taken = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    pxr_json_read_events(body, len, sink, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void hostile_bodies_cost_no_more_than_a_few_honest_ones(void **state)
{
    /* Repeated to the limit of a body. */
    static const struct {
        const char *begin, *unit;
    } bodies[] = {
        {"[", ",{"},
        {"[", "{"},
        {"", "["},
        {"[", "[],"},
        {"[", ",{\"a\":["},
        {"[", "{\"a\":[{},"},
        {"[", "{\"event\":\"x\"},"},
        {"[", "{\"event\":\"x\"}"},
        {"[", "{}},"},
        {"[", "\"a\" "},
        {"[", "\"\\"},
        {"[", "}"},
        {"[", ",,,,,{"},
        {"{\"data\":[", "{\"a\":\"\\ud800\\ud800\\u0000"},
        {"{", "\"a\":1,"},
        {"{\"event\":\"x\",\"a\":", "{\"a\":"},
        {"[{\"event\":\"x\",\"a\":", "1e"},
        {"[{\"event\":\"x\",\"a\":", "9"},
        {"[{\"a\":1.", "9"},
        {"[{\"event\":\"", "\xff"},
        {"[", "-,{"},
    };
    size_t len = PXR_EVENT_BODY_DEFAULT;
    char *body = malloc(len);

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        size_t unit = strlen(bodies[i].unit);
        size_t begin = strlen(bodies[i].begin);
        double seconds;
        memcpy(body, bodies[i].begin, begin);
        for (size_t at = begin; at < len; at++) {
            body[at] = bodies[i].unit[(at - begin) % unit];
        }
        seconds = seconds_to_read(body, len);
        CHECK(seconds < 2.0 * SLOWED, "%s%s...: %.2f s", bodies[i].begin, bodies[i].unit, seconds);
    }
    free(body);
}

static void broken_events_of_the_largest_size_cost_no_more_either(void **state)
{
    size_t len = PXR_EVENT_BODY_DEFAULT;
    size_t size = PXR_EVENT_MAX - 16;
    char *body = malloc(len);
    double seconds;

    (void)state;
    /* Each is parsed to its last byte, fails there, and holds others that do the same. */
    memset(body, ' ', len);
    body[0] = '[';
    for (size_t at = 1; at + size < len; at += size) {
        for (size_t i = 0; i + 8 < size; i += 8) {
            memcpy(body + at + i, i % 1024 == 0 ? ",{\"a\":1," : "\"b\":123,", 8);
        }
        memcpy(body + at + size - 8, "\"c\":x}  ", 8);
    }
    seconds = seconds_to_read(body, len);
    CHECK(seconds < 2.0 * SLOWED, "%.2f s", seconds);
    free(body);
}

static void a_large_honest_backlog_is_read_completely(void **state)
{
    static const char event[] =
        "{\"node\":\"10.0.0.1\",\"seq\":7,\"version\":2,\"time\":1764590999.2,"
        "\"event\":\"participant_updated\",\"data\":{\"uuid\":\"u1\","
        "\"conference\":\"m1\",\"display_name\":\"{[\\\"\"}}";
    size_t len = PXR_EVENT_BODY_DEFAULT;
    char *body = malloc(len);
    size_t at = (size_t)snprintf(body, len, "{\"event\":\"eventsink_bulk\",\"data\":[");
    size_t count = 0;
    double seconds;

    (void)state;
    while (at + sizeof(event) + 8 < len) {
        at += (size_t)snprintf(body + at, len - at, "%s%s", count > 0 ? "," : "", event);
        count++;
    }
    at += (size_t)snprintf(body + at, len - at, "]}");
    seconds = seconds_to_read(body, at);
    assert_int_equal(taken, count);
    CHECK(seconds < 2.0 * SLOWED, "%.2f s", seconds);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_understood),
        cmocka_unit_test(every_sample_may_be_cut_at_every_byte),
        cmocka_unit_test(odd_samples_are_read_as_they_are_meant),
        cmocka_unit_test(hostile_bodies_cost_no_more_than_a_few_honest_ones),
        cmocka_unit_test(broken_events_of_the_largest_size_cost_no_more_either),
        cmocka_unit_test(a_large_honest_backlog_is_read_completely),
    };

    pxr_json_init();
    return RUN(tests);
}
