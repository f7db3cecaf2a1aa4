#include <string.h>

#include "names.h"
#include "pxr_text.h"
#include "waiting.h"

/* What Rocket.Chat is to be told, and what it has been told, of each meeting. */

static bool wants_anything(const pxr_told_t *told)
{
    for (int i = 0; i < PXR_TASKS; i++) {
        if (told->task[i].state != PXR_TASK_NONE) {
            return true;
        }
    }
    return false;
}

void pxr_slot_tell(pxr_tx_t *tx, uint32_t link)
{
    const int64_t now = 0;

    if (wants_anything(&pxr_slot(tx->store, link)->told)) {
        pxr_tx_put(tx, &pxr_tell(tx->store)[link - 1], &now, sizeof(now));
    }
}

void pxr_slot_merge_told(pxr_tx_t *tx, uint32_t link, const char *text)
{
    pxr_slot_t *slot = pxr_slot(tx->store, link);
    pxr_told_t told = slot->told;
    pxr_told_t other;

    pxr_told_parse(text, &other);
    if (pxr_told_merge(&told, &other)) {
        const int64_t at_once = 0;
        pxr_tx_put(tx, &slot->told, &told, sizeof(told));
        pxr_tx_put(tx, &pxr_tell(tx->store)[link - 1], &at_once, sizeof(at_once));
    }
}

void pxr_store_deliver(const pxr_store_t *store, int64_t until)
{
    atomic_store(&store->segment->deliver_until, until);
}

int64_t pxr_store_delivers_until(const pxr_store_t *store)
{
    return pxr_is_kept(store) ? atomic_load(&store->segment->deliver_until) : 0;
}

bool pxr_store_delivers(const pxr_store_t *store)
{
    return pxr_store_delivers_until(store) > pxr_time_steady();
}

void pxr_store_tell_all(const pxr_store_t *store)
{
    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        if (pxr_word(&slot->state) == SLOT_TAKEN && wants_anything(&slot->told)) {
            __atomic_store_n(&pxr_tell(store)[link - 1], 0, __ATOMIC_RELEASE);
        }
    }
}

size_t pxr_store_tell_due(const pxr_store_t *store, pxr_time_t now, uint32_t *cursor,
                          pxr_tell_t *out, size_t max)
{
    uint32_t slots = store->segment->slots;
    int64_t *tell = pxr_tell(store);
    size_t count = 0;

    for (uint32_t i = 0; i < slots && count < max; i++) {
        uint32_t link = *cursor % slots + 1;
        const pxr_slot_t *slot = pxr_slot(store, link);
        *cursor = link;
        if (__atomic_load_n(&tell[link - 1], __ATOMIC_ACQUIRE) > now) {
            continue;
        }
        /* Before anything is read: what changes from now on makes it due again. */
        __atomic_store_n(&tell[link - 1], PXR_TIME_NEVER, __ATOMIC_SEQ_CST);
        out[count] = (pxr_tell_t){
            .ref = {.slot = link, .generation = pxr_word(&slot->generation)},
            .workspace = slot->workspace,
        };
        count += pxr_word(&slot->state) == SLOT_TAKEN;
    }
    return count;
}

void pxr_store_tell_later(const pxr_store_t *store, pxr_ref_t ref, pxr_time_t at)
{
    int64_t never = PXR_TIME_NEVER;

    /* The slot may be another meeting's meanwhile, which is looked at once for nothing then. */
    __atomic_compare_exchange_n(&pxr_tell(store)[ref.slot - 1], &never, at, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
}

pxr_status_t pxr_store_told(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                            pxr_told_t *told)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;

    if (status != PXR_OK) {
        return status;
    }
    link = pxr_slot_by_ref(store, workspace, ref);
    if (link == 0) {
        status = PXR_MISSING;
    } else {
        *told = pxr_slot(store, link)->told;
    }
    pxr_unlock(store);
    return status;
}

pxr_status_t pxr_store_note_task(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                 pxr_task_kind_t kind, const pxr_task_t *task, uint32_t was)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;
    pxr_tx_t tx;

    if (status != PXR_OK) {
        return status;
    }
    link = pxr_slot_by_ref(store, workspace, ref);
    if (link == 0) {
        status = PXR_MISSING;
    } else if (pxr_slot(store, link)->told.task[kind].version != was) {
        status = PXR_EXISTS;
    } else {
        pxr_tx_begin(&tx, store);
        pxr_tx_put(&tx, &pxr_slot(store, link)->told.task[kind], task, sizeof(*task));
        pxr_tx_touch(&tx, pxr_slot_stamp(store, link));
        pxr_slot_tell(&tx, link);
        status = pxr_tx_commit(&tx);
    }
    pxr_unlock(store);
    if (status == PXR_OK) {
        atomic_fetch_add(&store->segment->tells, 1);
        pxr_word_wake(&store->segment->tells);
        pxr_store_ring(store);
    }
    return status;
}

pxr_status_t pxr_store_await_task(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                  pxr_task_kind_t kind, int64_t wait, pxr_task_t *task)
{
    /* What another machine was told comes with a round of the keeper, which wakes nobody here. */
    const int64_t look_every = PXR_SECOND / 20;
    int64_t until = pxr_time_steady() + wait;

    for (;;) {
        uint32_t seen = atomic_load(&store->segment->tells);
        int64_t left = until - pxr_time_steady();
        pxr_told_t told;
        pxr_status_t status = pxr_store_told(store, workspace, ref, &told);
        if (status != PXR_OK) {
            return status;
        }
        *task = told.task[kind];
        if (task->state != PXR_TASK_WAITING || left <= 0 || pxr_waiting_is_over()) {
            return PXR_OK;
        }
        pxr_word_wait(&store->segment->tells, seen, left < look_every ? left : look_every);
    }
}

size_t pxr_store_tasks(const pxr_store_t *store, uint32_t workspace,
                       const bool states[PXR_TASK_STATES], pxr_ref_t *out, size_t max)
{
    size_t count = 0;

    for (uint32_t link = 1; link <= store->segment->slots && count < max; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        bool wanted = false;
        if (pxr_word(&slot->state) != SLOT_TAKEN || slot->workspace != workspace) {
            continue;
        }
        for (int i = 0; i < PXR_TASKS; i++) {
            pxr_task_t task = slot->told.task[i];
            wanted = wanted || (task.state < PXR_TASK_STATES && states[pxr_task_shown(&task)]);
        }
        out[count] = (pxr_ref_t){.slot = link, .generation = pxr_word(&slot->generation)};
        count += wanted;
    }
    return count;
}

bool pxr_store_room_is_closed(const pxr_store_t *store, uint32_t workspace, const char *room_id,
                              pxr_time_t since)
{
    uint64_t room = pxr_hash_text(room_id);

    for (uint32_t link = 1; link <= store->segment->slots; link++) {
        const pxr_slot_t *slot = pxr_slot(store, link);
        const pxr_task_t *task = &slot->told.task[PXR_TASK_MESSAGE];
        if (pxr_word(&slot->state) == SLOT_TAKEN && slot->workspace == workspace &&
            slot->room == room &&
            __atomic_load_n(&task->reason, __ATOMIC_RELAXED) == PXR_REASON_ROOM &&
            /* What was there and cannot be edited may have been deleted by somebody. */
            __atomic_load_n(&task->sent, __ATOMIC_RELAXED) == 0 &&
            __atomic_load_n(&task->changed_at, __ATOMIC_RELAXED) > since) {
            return true;
        }
    }
    return false;
}

static bool is_invited(const pxr_segment_t *s, pxr_ref_t ref, const char *user)
{
    for (uint32_t i = 0; i < s->invite_count; i++) {
        const pxr_invite_slot_t *in = &s->invites[(s->invite_first + i) % PXR_INVITES];
        if (in->slot == ref.slot && in->generation == ref.generation &&
            strcmp(in->user, user) == 0) {
            return true;
        }
    }
    return false;
}

pxr_status_t pxr_store_invite(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                              const char *user)
{
    pxr_segment_t *s = store->segment;
    pxr_invite_slot_t in = {.slot = ref.slot, .generation = ref.generation};
    pxr_status_t status;
    pxr_tx_t tx;

    if (user[0] == '\0' || strlen(user) > PXR_USER_ID_MAX) {
        return PXR_INVALID;
    }
    memcpy(in.user, user, strlen(user) + 1);
    status = pxr_lock(store);
    if (status != PXR_OK) {
        return status;
    }
    if (pxr_slot_by_ref(store, workspace, ref) == 0) {
        status = PXR_MISSING;
    } else if (!is_invited(s, ref, user)) {
        if (s->invite_count == PXR_INVITES) {
            status = PXR_FULL;
        } else {
            pxr_tx_begin(&tx, store);
            pxr_tx_put(&tx, &s->invites[(s->invite_first + s->invite_count) % PXR_INVITES], &in,
                       sizeof(in));
            pxr_tx_put_word(&tx, &s->invite_count, s->invite_count + 1);
            status = pxr_tx_commit(&tx);
        }
    }
    pxr_unlock(store);
    return status;
}

bool pxr_store_next_invite(const pxr_store_t *store, pxr_tell_t *who, char *user)
{
    pxr_segment_t *s = store->segment;
    bool found = false;
    pxr_tx_t tx;

    if (pxr_word(&s->invite_count) == 0 || pxr_lock(store) != PXR_OK) {
        return false;
    }
    if (s->invite_count > 0) {
        const pxr_invite_slot_t *in = &s->invites[s->invite_first];
        who->ref = (pxr_ref_t){.slot = in->slot, .generation = in->generation};
        who->workspace = pxr_slot(store, in->slot)->workspace;
        memcpy(user, in->user, PXR_USER_ID_MAX + 1);
        pxr_tx_begin(&tx, store);
        pxr_tx_put_word(&tx, &s->invite_first, (s->invite_first + 1) % PXR_INVITES);
        pxr_tx_put_word(&tx, &s->invite_count, s->invite_count - 1);
        found = pxr_tx_commit(&tx) == PXR_OK;
    }
    pxr_unlock(store);
    return found;
}

void pxr_store_note_chat(const pxr_store_t *store, uint32_t workspace,
                         const pxr_chat_health_t *health)
{
    store->segment->chats[workspace] = *health;
}

void pxr_store_chat(const pxr_store_t *store, uint32_t workspace, pxr_chat_health_t *out)
{
    *out = store->segment->chats[workspace];
    out->why[PXR_WHY_MAX] = '\0';
}

pxr_status_t pxr_store_add_discussion(const pxr_store_t *store, uint32_t workspace, pxr_ref_t ref,
                                      const pxr_details_t *details)
{
    pxr_status_t status = pxr_lock(store);
    uint32_t link;

    if (status != PXR_OK) {
        return status;
    }
    link = pxr_slot_by_ref(store, workspace, ref);
    status = link != 0 ? pxr_slot_fill_details(store, link, details, false) : PXR_MISSING;
    pxr_unlock(store);
    return status;
}
