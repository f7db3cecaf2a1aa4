#ifndef PXR_STORE_WAITING_H
#define PXR_STORE_WAITING_H

#include "layout.h"

/* Waits while the word is `seen`, at most `wait` microseconds; may return earlier for no reason. */
void pxr_word_wait(_Atomic(uint32_t) *word, uint32_t seen, int64_t wait);

/* Wakes all that wait on it. */
void pxr_word_wake(_Atomic(uint32_t) *word);

/* Whether requests of this process should stop to wait. */
bool pxr_waiting_is_over(void);

#endif
