#include "stage.h"

#include <string.h>

#include "legs.h"
#include "names.h"
#include "pxr_text.h"

static uint32_t find_share(const pxr_store_t *store, const pxr_slot_t *slot, const char *node,
                           uint64_t scope)
{
    uint32_t link = slot->shares;

    while (link != 0) {
        const pxr_share_t *share = &pxr_share_slot(store, link)->share;
        if (share->scope == scope && strcmp(share->node, node) == 0) {
            break;
        }
        link = pxr_share_slot(store, link)->next;
    }
    return link;
}

void pxr_stage_share(const pxr_store_t *store, pxr_stage_t *stage, const char *node, uint64_t scope)
{
    stage->share = find_share(store, pxr_slot(store, stage->slot), node, scope);
    if (stage->share != 0) {
        stage->scene.share = pxr_share_slot(store, stage->share)->share;
        return;
    }
    stage->scene.share.scope = scope;
    pxr_text_copy(stage->scene.share.node, sizeof(stage->scene.share.node), node, strlen(node));
}

void pxr_stage_leg(const pxr_store_t *store, pxr_stage_t *stage, const char *uuid, bool anew)
{
    pxr_scene_t *scene = &stage->scene;
    uint32_t home;

    if (stage->leg == 0 || anew) {
        pxr_text_copy(scene->leg.uuid, sizeof(scene->leg.uuid), uuid, strlen(uuid));
        return;
    }
    scene->leg = pxr_leg_slot(store, stage->leg)->leg;
    pxr_leg_copy_name(store, stage->leg, scene->leg_name);
    home = pxr_leg_slot(store, stage->leg)->share;
    if (home != 0 && home != stage->share) {
        scene->has_former = true;
        scene->former = pxr_share_slot(store, home)->share;
        stage->former = home;
    }
}

static uint32_t new_share(pxr_tx_t *tx, uint32_t slot_link)
{
    pxr_slot_t *slot = pxr_slot(tx->store, slot_link);
    uint32_t link = tx->root.free_shares;
    pxr_share_slot_t *share = pxr_share_slot(tx->store, link);

    tx->root.free_shares = share->next;
    tx->root.shares_free--;
    share->swept = 0;
    pxr_tx_put_word(tx, &share->taken, 1);
    pxr_tx_put_word(tx, &share->slot, slot_link);
    pxr_tx_put_word(tx, &share->next, 0);
    pxr_tx_put_word(tx,
                    slot->share_tail != 0 ? &pxr_share_slot(tx->store, slot->share_tail)->next
                                          : &slot->shares,
                    link);
    pxr_tx_put_word(tx, &slot->share_tail, link);
    pxr_tx_put_word(tx, &slot->share_count, slot->share_count + 1);
    return link;
}

pxr_status_t pxr_stage_put(pxr_tx_t *tx, pxr_stage_t *stage, unsigned changed, bool home,
                           pxr_time_t now)
{
    const pxr_store_t *store = tx->store;
    const pxr_scene_t *scene = &stage->scene;

    if ((changed & PXR_CHANGED_SHARE) && stage->share == 0) {
        if (tx->root.free_shares == 0) {
            return PXR_FULL;
        }
        stage->share = new_share(tx, stage->slot);
    }
    if ((changed & PXR_CHANGED_LEG) && stage->leg == 0) {
        stage->leg = pxr_leg_new(tx, stage->slot, scene->leg.uuid);
        if (stage->leg == 0) {
            return PXR_FULL;
        }
    }
    if ((changed & PXR_CHANGED_LEG) && home && scene->leg.closed && stage->share == 0 &&
        scene->share.node[0] != '\0' && tx->root.free_shares != 0) {
        /* Nobody knows more of it than that somebody left it. */
        stage->share = new_share(tx, stage->slot);
        changed |= PXR_CHANGED_SHARE;
    }
    if (changed & PXR_CHANGED_SHARE) {
        pxr_tx_put(tx, &pxr_share_slot(store, stage->share)->share, &scene->share,
                   sizeof(scene->share));
        pxr_tx_touch(tx, pxr_share_stamp(store, stage->share));
    }
    if (changed & PXR_CHANGED_FORMER) {
        pxr_tx_put(tx, &pxr_share_slot(store, stage->former)->share, &scene->former,
                   sizeof(scene->former));
        pxr_tx_touch(tx, pxr_share_stamp(store, stage->former));
    }
    if (changed & PXR_CHANGED_LEG) {
        /* Who has left is remembered where that was said. */
        uint32_t share = home && stage->share != 0
                             ? stage->share
                             : pxr_tx_word(tx, &pxr_leg_slot(store, stage->leg)->share);
        pxr_leg_put(tx, stage->leg, share, &scene->leg);
        pxr_leg_put_name(tx, stage->leg, scene->leg_name);
    }
    if (changed & PXR_CHANGED_MEETING) {
        pxr_slot_put_life(tx, stage->slot, &scene->meeting, now);
    }
    return PXR_OK;
}
