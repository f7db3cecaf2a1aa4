#ifndef PXR_CORE_INTERNAL_H
#define PXR_CORE_INTERNAL_H

#include "pxr_policy.h"

/* Appends `,"name":value` in the JSON type that Pexip expects for the option. */
void pxr_option_put(pxr_buf_t *out, const pxr_option_t *option);

#endif
