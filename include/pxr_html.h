#ifndef PXR_HTML_H
#define PXR_HTML_H

#include <stddef.h>

/*
 * Pages for people. Markup is ours and is written as it stands; whatever stands for a conversion is
 * somebody else's text and becomes harmless. Pure functions; any thread.
 */

/* Where a page goes. `put` gets pieces of it, in order and without a NUL. */
typedef struct {
    void (*put)(void *context, const char *text, size_t len);
    void *context;
} pxr_html_t;

/* Writes markup with %s (a text, NULL is ""), %u (unsigned), %ju (uintmax_t) and %%. A text is safe
 * between tags and inside of quoted attributes: what means something in HTML is escaped; bytes that
 * are no UTF-8, control characters and those that turn the direction of writing or cannot be seen
 * become U+FFFD, ends of lines blanks. */
void pxr_html_put(const pxr_html_t *html, const char *markup, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes a text as %s does, but at most `most` code points of it, an ellipsis included. */
void pxr_html_put_cut(const pxr_html_t *html, const char *text, size_t most);

#endif
