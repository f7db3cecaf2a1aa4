#include "../unit/two_machines.h"
#include "fuzz.h"

/*
 * Two machines that share a database against one that has heard everything: a byte for what may
 * happen, then what decides wherever there is a choice.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    uint8_t what = input_byte(&in);
    const kind_t kind = {.two = what & 1,
                         .rooms = what & 2,
                         .vanish = what & 4,
                         .linger = what & 8,
                         .outage = what & 16};
    static const uint8_t none[1];

    setenv("CMOCKA_TEST_ABORT", "1", 1);
    play(&kind, 0, in.left > 0 ? in.at : none, in.left, false);
    return 0;
}
