#ifndef PXR_ALIAS_H
#define PXR_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

#include "pxr_limits.h"

/* What remains of a dialled alias once scheme, parameters, host and a number's '+' are taken off
 * (policy reference 10.1). */
typedef struct {
    char user[PXR_ALIAS_MAX + 1];
    size_t user_len;
    char domain[PXR_DOMAIN_MAX + 1]; /* lower case, without port; "" where there was none */
    bool domain_is_address;          /* an IPv4 or IPv6 address */
} pxr_alias_t;

/* Normalises `text`, which has been percent-decoded once already. False where no key of ours can
 * be meant: empty, too long, control characters. Any thread. */
bool pxr_alias_parse(const char *text, size_t len, pxr_alias_t *out);

/* Whether a numeric alias may be answered at the domain it was dialled at: bare, at an IP address,
 * at one of `domains` (count 0: at any). Any thread. */
bool pxr_alias_domain_allowed(const pxr_alias_t *alias, const char *const *domains, size_t count);

/* True where `id` is [A-Za-z0-9]{8,64}. Any thread. */
bool pxr_meeting_id_valid(const char *id, size_t len);

/* The next id of a list with blanks between; `id` and true, or false at the end of it. Moves `list`
 * on. What cannot be an id is left out: a list may come from a database that somebody has changed.
 * Any thread. */
bool pxr_meeting_id_next(const char **list, char id[PXR_MEETING_ID_MAX + 1]);

#endif
