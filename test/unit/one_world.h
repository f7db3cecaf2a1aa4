#ifndef PXR_TEST_ONE_WORLD_H
#define PXR_TEST_ONE_WORLD_H

#include "store_helpers.h"

/* A small store for each case: cmocka_unit_test_setup_teardown(case, open_world, close_world). */

static world_t w;

static int open_world(void **state)
{
    (void)state;
    world_open(&w, 10, 10);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    assert_sound(&w);
    world_close(&w);
    return 0;
}

#endif
