#include <string.h>

#include "legs.h"
#include "names.h"
#include "pxr_text.h"

/* How many legs an event may look at to find room for one more; the rest is the leader's work. */
#define LEGS_PER_EVENT 256

static uint64_t source_of(const pxr_store_t *store, uint32_t workspace, const char *user,
                          const char *node)
{
    char text[64 + PXR_NODE_MAX];
    pxr_buf_t buf;

    /* Names of users may be long, such as those of certificates. */
    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_put_int(&buf, workspace);
    pxr_buf_puts(&buf, "\n");
    pxr_buf_put_int(&buf, (int64_t)pxr_text_hash(store, user));
    pxr_buf_puts(&buf, "\n");
    pxr_buf_puts(&buf, node);
    return pxr_text_hash(store, text);
}

static uint32_t *publisher_bucket(const pxr_store_t *store, uint64_t source)
{
    return &store->segment->publisher_buckets[source & (PXR_PUBLISHER_BUCKETS - 1)];
}

uint32_t pxr_publisher_find(const pxr_store_t *store, uint64_t source)
{
    uint32_t link = *publisher_bucket(store, source);

    while (link != 0 && pxr_publisher_slot(store, link)->publisher.source != source) {
        link = pxr_publisher_slot(store, link)->next;
    }
    return link;
}

/* Its numbering is lost, not its shares and legs: those name it by its hash. */
static void forget_publisher(const pxr_store_t *store, uint32_t link)
{
    pxr_publisher_slot_t *slot = pxr_publisher_slot(store, link);
    uint32_t *from = publisher_bucket(store, slot->publisher.source);
    pxr_tx_t tx;

    while (*from != link && *from != 0) {
        from = &pxr_publisher_slot(store, *from)->next;
    }
    if (*from == link) {
        uint64_t nobody = 0;
        pxr_tx_begin(&tx, store);
        pxr_tx_put_word(&tx, from, slot->next);
        pxr_tx_put_word(&tx, &slot->next, tx.root.free_publishers);
        pxr_tx_put(&tx, &slot->publisher.source, &nobody, sizeof(nobody));
        tx.root.free_publishers = link;
        tx.root.publishers_free++;
        pxr_tx_commit(&tx);
    }
}

/* Makes room by forgetting the publisher that was silent for longest. */
static void forget_oldest(const pxr_store_t *store)
{
    uint32_t oldest = 1;

    for (uint32_t i = 2; i <= store->segment->publishers; i++) {
        if (pxr_publisher_slot(store, i)->publisher.last_at <
            pxr_publisher_slot(store, oldest)->publisher.last_at) {
            oldest = i;
        }
    }
    forget_publisher(store, oldest);
}

void pxr_publishers_forget(const pxr_store_t *store, uint32_t workspace)
{
    for (uint32_t i = 1; i <= store->segment->publishers; i++) {
        const pxr_publisher_slot_t *slot = pxr_publisher_slot(store, i);
        if (slot->publisher.source != 0 && slot->workspace == workspace) {
            forget_publisher(store, i);
        }
    }
}

static uint32_t new_publisher(pxr_tx_t *tx, uint32_t workspace, const char *user, const char *node,
                              uint64_t source)
{
    uint32_t link = tx->root.free_publishers;
    pxr_publisher_slot_t *slot = pxr_publisher_slot(tx->store, link);
    uint32_t *bucket = publisher_bucket(tx->store, source);

    tx->root.free_publishers = slot->next;
    tx->root.publishers_free--;
    slot->workspace = workspace;
    pxr_text_copy(slot->node, sizeof(slot->node), node, strlen(node));
    pxr_text_copy(slot->user, sizeof(slot->user), user, strlen(user));
    pxr_tx_put_word(tx, &slot->next, *bucket);
    pxr_tx_put_word(tx, bucket, link);
    return link;
}

/* The publisher that delivers an event, and the event's place in its numbering. */
typedef struct {
    uint32_t link; /* 0: heard of for the first time */
    pxr_publisher_t publisher;
    pxr_order_t order;
} speaker_t;

static speaker_t hear(const pxr_store_t *store, uint32_t workspace, const char *user,
                      const pxr_event_t *event, pxr_time_t now)
{
    speaker_t speaker = {.publisher = {.source = source_of(store, workspace, user, event->node)}};

    speaker.link = pxr_publisher_find(store, speaker.publisher.source);
    if (speaker.link != 0) {
        speaker.publisher = pxr_publisher_slot(store, speaker.link)->publisher;
    } else if (store->segment->root.free_publishers == 0) {
        forget_oldest(store);
    }
    speaker.order = pxr_publisher_hear(&speaker.publisher, event, now);
    return speaker;
}

static void put_speaker(pxr_tx_t *tx, speaker_t *speaker, uint32_t workspace, const char *user,
                        const pxr_event_t *event)
{
    if (speaker->link == 0) {
        speaker->link = new_publisher(tx, workspace, user, event->node, speaker->publisher.source);
    }
    pxr_tx_put(tx, &pxr_publisher_slot(tx->store, speaker->link)->publisher, &speaker->publisher,
               sizeof(speaker->publisher));
}

/* What one event is about: links of the records that its scene was loaded from. */
typedef struct {
    pxr_scene_t scene;
    uint32_t slot;
    uint32_t share;
    uint32_t former;
    uint32_t leg;
} stage_t;

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

static void load_share(const pxr_store_t *store, const pxr_event_t *event, stage_t *stage)
{
    const char *breakout;
    uint64_t scope;

    pxr_event_meeting_name(event->conference, &breakout);
    scope = breakout != NULL ? pxr_text_hash(store, breakout) : 0;
    stage->share = find_share(store, pxr_slot(store, stage->slot), event->node, scope);
    if (stage->share != 0) {
        stage->scene.share = pxr_share_slot(store, stage->share)->share;
        return;
    }
    stage->scene.share.scope = scope;
    pxr_text_copy(stage->scene.share.node, sizeof(stage->scene.share.node), event->node,
                  strlen(event->node));
}

static void load_leg(const pxr_store_t *store, const pxr_event_t *event, stage_t *stage)
{
    pxr_scene_t *scene = &stage->scene;
    uint32_t home;

    scene->conversation = pxr_text_hash(store, event->conversation);
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        scene->related[i] = pxr_text_hash(store, event->related[i]);
    }
    if (stage->leg == 0) {
        pxr_text_copy(scene->leg.uuid, sizeof(scene->leg.uuid), event->uuid, strlen(event->uuid));
        return;
    }
    scene->leg = pxr_leg_slot(store, stage->leg)->leg;
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

/* Writes back what the event changed. */
static pxr_status_t store_stage(pxr_tx_t *tx, const pxr_event_t *event, stage_t *stage,
                                unsigned changed, pxr_time_t now)
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
        stage->leg = pxr_leg_new(tx, stage->slot, event->uuid);
        if (stage->leg == 0) {
            return PXR_FULL;
        }
    }
    if (changed & PXR_CHANGED_SHARE) {
        pxr_tx_put(tx, &pxr_share_slot(store, stage->share)->share, &scene->share,
                   sizeof(scene->share));
    }
    if (changed & PXR_CHANGED_FORMER) {
        pxr_tx_put(tx, &pxr_share_slot(store, stage->former)->share, &scene->former,
                   sizeof(scene->former));
    }
    if (changed & PXR_CHANGED_LEG) {
        bool quality = pxr_event_is_about_quality(event->kind);
        uint32_t home = quality               ? pxr_leg_slot(store, stage->leg)->share
                        : scene->leg.attached ? stage->share
                                              : 0;
        pxr_leg_put(tx, stage->leg, home, &scene->leg);
    }
    if (changed & PXR_CHANGED_MEETING) {
        pxr_slot_put_life(tx, stage->slot, &scene->meeting, now);
    }
    return PXR_OK;
}

/* A leg for which there is no record must not end the meeting over the head of its person: for as
 * long as a leg may be silent the meeting's counts prove nothing. */
static void note_crowd(const pxr_store_t *store, uint32_t slot_link, pxr_time_t now)
{
    pxr_slot_t *slot = pxr_slot(store, slot_link);
    pxr_meeting_t life = slot->life;
    pxr_tx_t tx;

    if (life.state != PXR_MEETING_ENDED) {
        life.crowded_until = now + PXR_LEG_SILENCE;
        pxr_tx_begin(&tx, store);
        pxr_slot_put_life(&tx, slot_link, &life, now);
        pxr_tx_commit(&tx);
    }
}

/* The leg is known in another meeting. A sign of life here means that it went on without a
 * farewell; everything else is late news from a place that it has left. */
static pxr_status_t move_leg(const pxr_store_t *store, const pxr_event_t *event,
                             const pxr_order_t *order, pxr_time_t now, stage_t *stage)
{
    if (event->kind == PXR_EVENT_DISCONNECTED ||
        pxr_slot(store, stage->slot)->life.state == PXR_MEETING_ENDED ||
        pxr_order_compare(order, &pxr_leg_slot(store, stage->leg)->leg.order) < 0) {
        return PXR_MISSING;
    }
    pxr_leg_leave(store, stage->leg, true, now);
    stage->leg = 0;
    return PXR_OK;
}

/* Finds the meeting, and the leg where the event is about one. */
static pxr_status_t find_stage(const pxr_store_t *store, uint32_t workspace,
                               const pxr_event_t *event, const pxr_order_t *order, pxr_time_t now,
                               stage_t *stage)
{
    const char *breakout;
    pxr_status_t status = PXR_OK;

    if (event->kind == PXR_EVENT_UNKNOWN) {
        return PXR_MISSING;
    }
    if (pxr_event_is_about_quality(event->kind)) {
        stage->leg = pxr_leg_find(store, workspace, event->uuid, true);
        if (stage->leg == 0) {
            return PXR_MISSING;
        }
        stage->slot = pxr_leg_slot(store, stage->leg)->slot;
        stage->scene.leg = pxr_leg_slot(store, stage->leg)->leg;
        return PXR_OK;
    }
    stage->slot = pxr_slot_by_id(store, workspace, event->conference,
                                 pxr_event_meeting_name(event->conference, &breakout));
    if (stage->slot == 0) {
        return PXR_MISSING;
    }
    load_share(store, event, stage);
    if (pxr_event_is_about_leg(event->kind)) {
        if (event->uuid[0] == '\0') {
            return PXR_INVALID;
        }
        stage->leg = pxr_leg_find(store, workspace, event->uuid, false);
        if (stage->leg != 0 && pxr_leg_slot(store, stage->leg)->slot != stage->slot) {
            status = move_leg(store, event, order, now, stage);
        }
        if (status == PXR_OK) {
            load_leg(store, event, stage);
        }
    }
    stage->scene.meeting = pxr_slot(store, stage->slot)->life;
    return status;
}

static pxr_status_t apply_locked(const pxr_store_t *store, uint32_t workspace, const char *user,
                                 const pxr_event_t *event, pxr_time_t now, unsigned *changed)
{
    speaker_t speaker = hear(store, workspace, user, event, now);
    pxr_status_t status = PXR_OK;
    pxr_status_t stored;
    unsigned change = 0;
    stage_t stage;
    pxr_tx_t tx;

    memset(&stage, 0, sizeof(stage));
    if (!pxr_event_is_about_sink(event->kind)) {
        status = find_stage(store, workspace, event, &speaker.order, now, &stage);
        if (status == PXR_OK) {
            change = pxr_event_apply(&stage.scene, event, &speaker.order, now);
        }
    }
    if ((change & PXR_CHANGED_LEG) && stage.leg == 0 && store->segment->root.free_legs == 0) {
        pxr_legs_reclaim(store, LEGS_PER_EVENT, now);
    }
    pxr_tx_begin(&tx, store);
    put_speaker(&tx, &speaker, workspace, user, event);
    stored = change != 0 ? store_stage(&tx, event, &stage, change, now) : PXR_OK;
    if (stored == PXR_FULL) {
        if (event->kind != PXR_EVENT_DISCONNECTED) {
            note_crowd(store, stage.slot, now);
        }
        return PXR_FULL;
    }
    if (pxr_tx_commit(&tx) != PXR_OK) {
        return PXR_BROKEN;
    }
    *changed |= change;
    return status;
}

pxr_status_t pxr_store_event(const pxr_store_t *store, uint32_t workspace, const char *user,
                             const pxr_event_t *event, pxr_time_t now, unsigned *changed)
{
    pxr_status_t status = pxr_lock(store);

    if (status == PXR_OK) {
        status = apply_locked(store, workspace, user, event, now, changed);
        pxr_unlock(store);
    }
    return status;
}

size_t pxr_store_nodes(const pxr_store_t *store, uint32_t workspace, pxr_node_t *nodes, size_t max)
{
    size_t count = 0;

    if (pxr_lock(store) != PXR_OK) {
        return 0;
    }
    for (uint32_t i = 1; i <= store->segment->publishers; i++) {
        const pxr_publisher_slot_t *slot = pxr_publisher_slot(store, i);
        if (slot->publisher.source == 0 || slot->workspace != workspace) {
            continue;
        }
        if (count < max) {
            memcpy(nodes[count].node, slot->node, sizeof(slot->node));
            memcpy(nodes[count].user, slot->user, sizeof(slot->user));
            nodes[count].publisher = slot->publisher;
        }
        count++;
    }
    pxr_unlock(store);
    return count;
}
