/* How much memory the module asks for, as a function that `make bench` can call. */

#include "pxr_store.h"

__attribute__((visibility("default"))) uint64_t pxr_bench_segment_bytes(uint32_t meetings, uint32_t participants);

uint64_t pxr_bench_segment_bytes(uint32_t meetings, uint32_t participants)
{
    const pxr_store_sizes_t sizes = {.meetings = meetings, .participants = participants};

    return pxr_store_bytes(&sizes);
}
