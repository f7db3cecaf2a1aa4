#ifndef PXR_STORE_STAGE_H
#define PXR_STORE_STAGE_H

#include "tx.h"

/* What one event is about: its scene, and the links of the records that it was loaded from. With
 * the lock held. */
typedef struct {
    pxr_scene_t scene;
    uint32_t slot;
    uint32_t share;
    uint32_t former;
    uint32_t leg;
} pxr_stage_t;

/* Which part of the meeting on the stage a node hosts: its share, known or not yet. */
void pxr_stage_share(const pxr_store_t *store, pxr_stage_t *stage, const char *node,
                     uint64_t scope);

/* The leg stage->leg, or a new one of this uuid where that is 0 or `anew`. */
void pxr_stage_leg(const pxr_store_t *store, pxr_stage_t *stage, const char *uuid, bool anew);

/* Writes back what changed (PXR_CHANGED_...). `home` is whether the leg may have another share than
 * before. PXR_FULL where a table has no room. */
pxr_status_t pxr_stage_put(pxr_tx_t *tx, pxr_stage_t *stage, unsigned changed, bool home,
                           pxr_time_t now);

#endif
