#ifndef PXR_CHAT_INTERNAL_H
#define PXR_CHAT_INTERNAL_H

#include "pxr_chat.h"

/* Parts of texts for rooms, shared by the messages and the webhook's answers. */

/* Every line of ours begins with this: no trigger word can follow. */
void pxr_chat_begin_line(pxr_buf_t *out);

/* Forgets what was added since `before` was copied from `out`, an overflow included. */
void pxr_chat_take_back(pxr_buf_t *out, const pxr_buf_t *before);

/* Whether pxr_chat_put_plain() would write anything for the text, which may be NULL. */
bool pxr_chat_shows(const char *text);

/* pxr_chat_put_plain() of a text with a final NUL. */
void pxr_chat_put_text(pxr_buf_t *out, const char *text, size_t units);
/* A number, followed by the words for one or for several. */
void pxr_chat_put_count(pxr_buf_t *out, size_t count, const char *one, const char *many);

/* A Markdown link to pxr_chat_put_link() for `url`. */
void pxr_chat_put_labelled_link(pxr_buf_t *out, const char *label, const pxr_chat_t *chat,
                                const char *url);

/* Appends `text`, cut to PXR_CHAT_WORD_UNITS, and `rest` as code that can be copied and typed:
 * nothing is changed but what ends the code or mentions somebody even there. */
void pxr_chat_put_code(pxr_buf_t *out, const char *text, size_t len, const char *rest);

#endif
