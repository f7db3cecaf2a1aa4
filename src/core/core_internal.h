#ifndef PXR_CORE_INTERNAL_H
#define PXR_CORE_INTERNAL_H

#include "pxr_policy.h"
#include "pxr_roster.h"
#include "pxr_status.h"

/* Appends `,"name":value` in the JSON type that Pexip expects for the option. */
void pxr_option_put(pxr_buf_t *out, const pxr_option_t *option);

/* Sorts the legs by their arrival, unites those that belong together, and numbers the people that
 * this makes, in the order of their arrival. Returns how many there are. Afterwards leg i belongs
 * to person number legs[i].person, or to PXR_NO_PERSON where nothing of its group is in the room;
 * the first leg of a person is the one that came first. */
size_t pxr_roster_group(pxr_roster_leg_t *legs, size_t count, uint32_t *index);

#define PXR_NO_PERSON SIZE_MAX

/* Takes name, protocol and role of one more leg of a person, who begins with "", "" and unknown. */
void pxr_roster_add(const pxr_roster_leg_t *leg, const char **name, const char **protocol,
                    pxr_role_t *role);

/* Decodes percent-encoding once, and '+' to a blank where `plus`. PXR_INVALID on a bad escape or a
 * NUL, PXR_TOO_LONG where the result and a NUL do not fit. */
pxr_status_t pxr_percent_decode(const char *from, size_t len, bool plus, char *out, size_t size,
                                size_t *out_len);

#endif
