#include <string.h>

#include "legs.h"
#include "names.h"
#include "stage.h"
#include "pxr_text.h"

/* How many legs an event may look at to find room for one more; the rest is the leader's work. */
#define LEGS_PER_EVENT 256

/* The same on every machine. */
static uint64_t source_of(const pxr_store_t *store, uint32_t workspace, const char *user,
                          const char *node)
{
    char text[64 + PXR_NODE_MAX];
    pxr_buf_t buf;

    /* Names of users may be long, such as those of certificates. */
    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_put_int(&buf, (int64_t)pxr_hash_text(store->segment->origins[workspace]));
    pxr_buf_puts(&buf, "\n");
    pxr_buf_put_int(&buf, (int64_t)pxr_hash_text(user));
    pxr_buf_puts(&buf, "\n");
    pxr_buf_puts(&buf, node);
    return pxr_hash_text(text);
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

/* Few bits are enough to tell the machines that share a database apart. Should two be taken for
 * one, then events of one node that reach both at the same time may be put in a wrong order. */
static uint32_t machine_number(const pxr_store_t *store)
{
    return (uint32_t)(pxr_hash_text(store->segment->machine) & PXR_RUN_MACHINE);
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
    speaker_t speaker = {.publisher = {.source = source_of(store, workspace, user, event->node),
                                       .machine = machine_number(store)}};

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

void pxr_slot_note_crowd(const pxr_store_t *store, uint32_t slot_link, pxr_time_t now)
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
static pxr_status_t leave_other(const pxr_store_t *store, uint32_t link, const pxr_event_t *event,
                                const pxr_order_t *order, const pxr_slot_t *slot, pxr_time_t now)
{
    const pxr_leg_t *leg = &pxr_leg_slot(store, link)->leg;

    if (event->kind == PXR_EVENT_DISCONNECTED || slot->life.state == PXR_MEETING_ENDED ||
        pxr_order_compare(order, &leg->order) < 0) {
        return PXR_MISSING;
    }
    return leg->attached ? pxr_leg_leave(store, link, event->time != 0 ? event->time : now, now)
                         : PXR_OK;
}

static pxr_status_t find_leg(const pxr_store_t *store, uint32_t workspace, const pxr_event_t *event,
                             const pxr_order_t *order, pxr_time_t now, pxr_stage_t *stage)
{
    pxr_slot_t *slot = pxr_slot(store, stage->slot);
    uint32_t known = pxr_leg_find(store, workspace, event->uuid, false);
    bool elsewhere = known != 0 && pxr_leg_slot(store, known)->slot != stage->slot;
    pxr_status_t status = PXR_OK;

    stage->leg = pxr_leg_find_in(store, stage->slot, event->uuid);
    /* What was here before and is elsewhere now has only left a trace here. A farewell of what is
     * nowhere may come before its arrival is heard of. */
    elsewhere = elsewhere && (pxr_leg_slot(store, known)->leg.attached ||
                              (stage->leg == 0 && event->kind != PXR_EVENT_DISCONNECTED));
    if (elsewhere) {
        status = leave_other(store, known, event, order, slot, now);
    }
    pxr_stage_leg(store, stage, event->uuid, elsewhere);
    stage->scene.conversation = pxr_hash_text(event->conversation);
    for (size_t i = 0; i < PXR_RELATED_MAX; i++) {
        stage->scene.related[i] = pxr_hash_text(event->related[i]);
    }
    return status;
}

static pxr_status_t find_quality(const pxr_store_t *store, uint32_t workspace,
                                 const pxr_event_t *event, pxr_stage_t *stage)
{
    stage->leg = pxr_leg_find(store, workspace, event->uuid, true);
    if (stage->leg == 0) {
        return PXR_MISSING;
    }
    stage->slot = pxr_leg_slot(store, stage->leg)->slot;
    stage->scene.leg = pxr_leg_slot(store, stage->leg)->leg;
    pxr_leg_copy_name(store, stage->leg, stage->scene.leg_name);
    return PXR_OK;
}

/* Finds the meeting, and the leg where the event is about one. */
static pxr_status_t find_stage(const pxr_store_t *store, uint32_t workspace,
                               const pxr_event_t *event, bool ours, const pxr_order_t *order,
                               pxr_time_t now, pxr_stage_t *stage)
{
    const char *breakout;
    size_t len;
    pxr_status_t status = PXR_OK;

    if (event->kind == PXR_EVENT_UNKNOWN) {
        return PXR_MISSING;
    }
    if (pxr_event_is_about_quality(event->kind)) {
        return find_quality(store, workspace, event, stage);
    }
    if (pxr_event_is_about_leg(event->kind) && event->uuid[0] == '\0') {
        return PXR_INVALID;
    }
    len = pxr_event_meeting_name(event->conference, &breakout);
    stage->slot = pxr_slot_by_id(store, workspace, event->conference, len);
    if (stage->slot == 0 && ours) {
        status = pxr_slot_provisional(store, workspace, event->conference, len, now, &stage->slot);
    } else if (stage->slot == 0) {
        status = PXR_MISSING;
    }
    if (status != PXR_OK) {
        return status;
    }
    pxr_stage_share(store, stage, event->node, breakout != NULL ? pxr_hash_text(breakout) : 0);
    if (pxr_event_is_about_leg(event->kind)) {
        status = find_leg(store, workspace, event, order, now, stage);
    }
    stage->scene.meeting = pxr_slot(store, stage->slot)->life;
    return status;
}

static pxr_status_t apply_locked(const pxr_store_t *store, uint32_t workspace, const char *user,
                                 const pxr_event_t *event, bool ours, pxr_time_t now,
                                 unsigned *changed)
{
    speaker_t speaker = hear(store, workspace, user, event, now);
    pxr_status_t status = PXR_OK;
    pxr_status_t stored;
    unsigned change = 0;
    pxr_stage_t stage;
    pxr_tx_t tx;

    memset(&stage, 0, sizeof(stage));
    if (!pxr_event_is_about_sink(event->kind)) {
        status = find_stage(store, workspace, event, ours, &speaker.order, now, &stage);
        if (status == PXR_OK) {
            change = pxr_event_apply(&stage.scene, event, &speaker.order, now);
        }
    }
    if ((change & PXR_CHANGED_LEG) && stage.leg == 0 && store->segment->root.free_legs == 0) {
        pxr_legs_reclaim(store, LEGS_PER_EVENT, now);
    }
    pxr_tx_begin(&tx, store);
    put_speaker(&tx, &speaker, workspace, user, event);
    stored = change != 0
                 ? pxr_stage_put(&tx, &stage, change, !pxr_event_is_about_quality(event->kind), now)
                 : PXR_OK;
    if (stored == PXR_FULL) {
        if (event->kind != PXR_EVENT_DISCONNECTED) {
            pxr_slot_note_crowd(store, stage.slot, now);
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
                             const pxr_event_t *event, bool ours, pxr_time_t now, unsigned *changed)
{
    pxr_status_t status = pxr_lock(store);

    if (status == PXR_OK) {
        status = apply_locked(store, workspace, user, event, ours, now, changed);
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
