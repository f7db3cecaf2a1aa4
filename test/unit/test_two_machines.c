#include "two_machines.h"

static void play_many(const kind_t *kind, uint64_t first)
{
    const char *one = getenv("PXR_SEED");
    const char *runs = getenv("PXR_RUNS");

    if (one != NULL) {
        play(kind, strtoull(one, NULL, 10), NULL, 0, true);
        return;
    }
    for (uint64_t i = 0; i < (runs != NULL ? strtoull(runs, NULL, 10) : 400); i++) {
        play(kind, first + i, NULL, 0, false);
    }
}

static void two_machines_know_what_one_would(void **state)
{
    static const kind_t kind = {.two = false};

    (void)state;
    play_many(&kind, 1);
}

static void so_do_they_with_late_events(void **state)
{
    static const kind_t kind = {.rooms = true, .linger = true};

    (void)state;
    play_many(&kind, 100001);
}

static void so_do_they_when_people_change_meetings(void **state)
{
    static const kind_t kind = {.two = true};

    (void)state;
    play_many(&kind, 200001);
}

static void nobody_is_forgotten_when_nodes_vanish(void **state)
{
    static const kind_t kind = {.two = true, .rooms = true, .vanish = true, .linger = true};

    (void)state;
    play_many(&kind, 300001);
}

/* What happened while the database was not to be had is put together in whatever order. */
static void nobody_is_forgotten_over_an_outage(void **state)
{
    static const kind_t kind = {.rooms = true, .vanish = true, .linger = true, .outage = true};

    (void)state;
    play_many(&kind, 400001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_machines_know_what_one_would),
        cmocka_unit_test(so_do_they_with_late_events),
        cmocka_unit_test(so_do_they_when_people_change_meetings),
        cmocka_unit_test(nobody_is_forgotten_when_nodes_vanish),
        cmocka_unit_test(nobody_is_forgotten_over_an_outage),
    };
    const char *filter = getenv("PXR_TEST");

    if (filter != NULL) {
        cmocka_set_test_filter(filter);
    }
    return RUN(tests);
}
