#ifndef PXR_DISCUSSION_H
#define PXR_DISCUSSION_H

#include "pxr_limits.h"
#include "pxr_status.h"
#include "pxr_text.h"
#include "pxr_time.h"

/* Checks PexipRCDiscussionName: at most PXR_DISCUSSION_FORMAT_MAX bytes of UTF-8 with %Y, %m, %d,
 * %H, %M, %S, %% and once %t (the title), and something besides blanks and %t, so that not all
 * untitled meetings' chats have one name. On failure `why` is one sentence without full stop. Any
 * thread. */
pxr_status_t pxr_discussion_check_name(const char *format, const char **why);

/* Appends the name by a format that was checked, `when` in UTC. The title (NULL or "" for none,
 * which is written `Meeting`) cannot mention or format and is cut to PXR_DISCUSSION_TITLE_UNITS;
 * PXR_DISCUSSION_NAME_SIZE bytes take every name. Any thread. */
void pxr_discussion_put_name(pxr_buf_t *out, const char *format, const char *title,
                             pxr_time_t when);

#endif
