#include "pxr_foreign.h"

#include <string.h>

#include "pxr_text.h"
#include "tx.h"

/* Places that one alias may have. */
#define WAYS 8

/* A reader that comes across a writer looks again. */
#define LOOKS 4

typedef struct {
    uint64_t key[2]; /* of workspace and alias */
    uint64_t host;   /* of workspace, conference and node */
    uint64_t conference;
    int64_t until;       /* by the steady clock; 0: it has ended on this node */
    pxr_time_t ended_at; /* by the node's clock: what it says of earlier moments is late */
    char alias[PXR_FOREIGN_ALIAS_MAX + 1];
    uint64_t checksum;
} entry_t;

_Static_assert(sizeof(entry_t) == sizeof(pxr_foreign_slot_t), "an entry is copied word by word");
_Static_assert(offsetof(entry_t, checksum) == 8 * (PXR_FOREIGN_WORDS - 1), "it comes last");

/* A text of a workspace. The origin as well, because a number may become another workspace's. */
static uint64_t hash_of(const pxr_store_t *store, const pxr_hash_key_t *key, uint32_t workspace,
                        const char *text)
{
    const char *origin = workspace < PXR_WORKSPACES_MAX ? store->segment->origins[workspace] : "";
    char all[PXR_ORIGIN_MAX + PXR_FOREIGN_ALIAS_MAX + PXR_NODE_MAX + 64];
    pxr_buf_t buf;

    pxr_buf_init(&buf, all, sizeof(all));
    pxr_buf_puts(&buf, origin);
    pxr_buf_puts(&buf, "\n");
    pxr_buf_puts(&buf, text);
    return pxr_hash(key, buf.data, buf.len);
}

/* 128 bits, so that no two aliases are taken for each other. */
static void make_key(const pxr_store_t *store, uint32_t workspace, const char *alias,
                     uint64_t key[2])
{
    const pxr_hash_key_t *first = &store->segment->key;
    const pxr_hash_key_t second = {~first->k1, first->k0};

    key[0] = hash_of(store, first, workspace, alias);
    key[1] = hash_of(store, &second, workspace, alias);
}

static uint64_t host_of(const pxr_store_t *store, uint32_t workspace, const pxr_event_t *event)
{
    char text[PXR_NODE_MAX + 32];
    pxr_buf_t buf;

    pxr_buf_init(&buf, text, sizeof(text));
    pxr_buf_puts(&buf, event->node);
    pxr_buf_puts(&buf, "\n");
    pxr_buf_put_int(&buf, (int64_t)event->conference_hash);
    return hash_of(store, &store->segment->key, workspace, text);
}

static uint64_t checksum_of(const pxr_store_t *store, const entry_t *entry)
{
    return pxr_hash(&store->segment->key, entry, offsetof(entry_t, checksum));
}

static bool load(const pxr_store_t *store, uint64_t place, entry_t *entry)
{
    pxr_foreign_slot_t *slot = &store->segment->foreign[place];
    uint64_t words[PXR_FOREIGN_WORDS];

    for (size_t i = 0; i < PXR_FOREIGN_WORDS; i++) {
        words[i] = atomic_load_explicit(&(*slot)[i], memory_order_relaxed);
    }
    memcpy(entry, words, sizeof(*entry));
    /* Without it half an entry, of a writer that died or is not done, would be believed. */
    return entry->checksum == checksum_of(store, entry);
}

/* That word alone, for those who look at all places. */
static uint64_t load_host(const pxr_store_t *store, uint64_t place)
{
    return atomic_load_explicit(&store->segment->foreign[place][offsetof(entry_t, host) / 8],
                                memory_order_relaxed);
}

static void save(const pxr_store_t *store, uint64_t place, entry_t *entry)
{
    pxr_foreign_slot_t *slot = &store->segment->foreign[place];
    uint64_t words[PXR_FOREIGN_WORDS];

    entry->checksum = checksum_of(store, entry);
    memcpy(words, entry, sizeof(words));
    for (size_t i = 0; i < PXR_FOREIGN_WORDS; i++) {
        atomic_store_explicit(&(*slot)[i], words[i], memory_order_relaxed);
    }
}

static bool has_key(const entry_t *entry, const uint64_t key[2])
{
    return entry->key[0] == key[0] && entry->key[1] == key[1];
}

static uint64_t place_of(const uint64_t key[2], unsigned way)
{
    return (key[0] + way) % PXR_FOREIGN_PLACES;
}

/* Writes what was dialled in one form: everything, or with `bare` the user alone. False where it is
 * too long, or without a domain there is only one form. */
static bool put_alias(const pxr_alias_t *alias, bool bare, char out[PXR_FOREIGN_ALIAS_MAX + 1])
{
    bool local = alias->domain[0] == '\0' || alias->domain_is_address;
    pxr_buf_t buf;

    pxr_buf_init(&buf, out, PXR_FOREIGN_ALIAS_MAX + 1);
    for (size_t i = 0; i < alias->user_len; i++) {
        char c = pxr_lower(alias->user[i]);
        pxr_buf_put(&buf, &c, 1);
    }
    if (!local && !bare) {
        pxr_buf_puts(&buf, "@");
        pxr_buf_puts(&buf, alias->domain);
    }
    return !buf.overflow && !(local && bare);
}

/* Enters one form of an alias. Lock. */
static void enter(const pxr_store_t *store, uint32_t workspace, const char *form,
                  const pxr_event_t *event, const entry_t *news)
{
    entry_t entry = *news;
    int64_t earliest = PXR_TIME_NEVER;
    uint64_t place = 0;

    make_key(store, workspace, form, entry.key);
    for (unsigned i = 0; i < WAYS; i++) {
        uint64_t at = place_of(entry.key, i);
        entry_t other;
        bool good = load(store, at, &other);
        if (good && has_key(&other, entry.key) && other.host == entry.host) {
            if (event->time != 0 && event->time <= other.ended_at) {
                return;
            }
            entry.ended_at = other.ended_at;
            place = at;
            break;
        }
        if ((good ? other.until : INT64_MIN) < earliest) {
            earliest = good ? other.until : INT64_MIN;
            place = at;
        }
    }
    save(store, place, &entry);
}

/* Somebody is in it. */
static pxr_status_t note_leg(const pxr_store_t *store, uint32_t workspace, const pxr_event_t *event,
                             int64_t now)
{
    entry_t entry = {.host = host_of(store, workspace, event),
                     .conference = event->conference_hash,
                     .until = now + PXR_FOREIGN_KEEP};
    char bare[PXR_FOREIGN_ALIAS_MAX + 1];
    pxr_alias_t alias;
    pxr_status_t status;

    if (!pxr_alias_parse(event->dialled, strlen(event->dialled), &alias) ||
        !pxr_utf8_valid(alias.user, alias.user_len) || !put_alias(&alias, false, entry.alias)) {
        return PXR_OK;
    }
    status = pxr_lock(store);
    if (status == PXR_OK) {
        enter(store, workspace, entry.alias, event, &entry);
        if (put_alias(&alias, true, bare)) {
            enter(store, workspace, bare, event, &entry);
        }
        pxr_unlock(store);
    }
    return status;
}

static pxr_status_t note_end(const pxr_store_t *store, uint32_t workspace, const pxr_event_t *event)
{
    uint64_t host = host_of(store, workspace, event);
    pxr_status_t status = pxr_lock(store);

    for (uint64_t at = 0; at < PXR_FOREIGN_PLACES && status == PXR_OK; at++) {
        entry_t entry;
        if (load_host(store, at) == host && load(store, at, &entry)) {
            entry.until = 0;
            entry.ended_at = pxr_time_later(entry.ended_at, event->time);
            save(store, at, &entry);
        }
    }
    if (status == PXR_OK) {
        pxr_unlock(store);
    }
    return status;
}

pxr_status_t pxr_store_foreign_note(const pxr_store_t *store, uint32_t workspace,
                                    const pxr_event_t *event, int64_t now)
{
    if (event->conference_hash == 0) {
        return PXR_OK;
    }
    if (event->kind == PXR_EVENT_CONFERENCE_ENDED) {
        return note_end(store, workspace, event);
    }
    if ((event->kind == PXR_EVENT_CONNECTED || event->kind == PXR_EVENT_UPDATED) &&
        event->service == PXR_SERVICE_ROOM && !event->gateway && event->is_streaming != PXR_YES) {
        return note_leg(store, workspace, event, now);
    }
    return PXR_OK;
}

typedef enum { NOWHERE, TO_ONE, TO_SEVERAL } leads_t;

static leads_t find_form(const pxr_store_t *store, uint32_t workspace, const char *form,
                         int64_t now, pxr_foreign_t *out)
{
    leads_t leads = NOWHERE;
    uint64_t key[2];

    make_key(store, workspace, form, key);
    for (unsigned i = 0; i < WAYS && leads != TO_SEVERAL; i++) {
        entry_t entry;
        bool good = load(store, place_of(key, i), &entry);
        for (int looks = 1; looks < LOOKS && !good && has_key(&entry, key); looks++) {
            good = load(store, place_of(key, i), &entry);
        }
        if (!good || !has_key(&entry, key) || entry.until <= now) {
            continue;
        }
        if (leads == TO_ONE && entry.conference != out->conference) {
            leads = TO_SEVERAL;
        } else if (leads == NOWHERE) {
            leads = TO_ONE;
            out->conference = entry.conference;
            memcpy(out->alias, entry.alias, sizeof(out->alias));
        }
    }
    return leads;
}

bool pxr_store_foreign_find(const pxr_store_t *store, uint32_t workspace, const pxr_alias_t *alias,
                            int64_t now, pxr_foreign_t *out)
{
    char form[PXR_FOREIGN_ALIAS_MAX + 1];
    leads_t leads = NOWHERE;

    if (put_alias(alias, false, form)) {
        leads = find_form(store, workspace, form, now, out);
    }
    if (leads == NOWHERE && put_alias(alias, true, form)) {
        leads = find_form(store, workspace, form, now, out);
    }
    return leads == TO_ONE;
}
