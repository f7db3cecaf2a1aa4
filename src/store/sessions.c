#include <string.h>

#include "layout.h"
#include "pxr_text.h"

/* Places that one session may have. */
#define WAYS 4

/* 128 bits, so that no two sessions are taken for each other, whatever their texts are. */
typedef struct {
    uint64_t first;
    uint64_t second;
} session_key_t;

typedef struct {
    uint64_t key[2];
    int64_t until; /* by the steady clock */
    uint64_t good;
    char name[8 * (PXR_SESSION_WORDS - 5)];
    uint64_t checksum;
} entry_t;

_Static_assert(sizeof(entry_t) == sizeof(pxr_session_slot_t), "an entry is copied word by word");
_Static_assert(offsetof(entry_t, checksum) == 8 * (PXR_SESSION_WORDS - 1), "it comes last");

static bool key_of(const pxr_store_t *store, uint32_t workspace, const char *user_id,
                   const char *token, session_key_t *out)
{
    /* The origin as well, because a number may become another workspace's. */
    const char *origin = workspace < PXR_WORKSPACES_MAX ? store->segment->origins[workspace] : "";
    char text[sizeof(workspace) + PXR_ORIGIN_MAX + PXR_USER_ID_MAX + PXR_TOKEN_MAX + 3];
    const pxr_hash_key_t *key = &store->segment->key;
    pxr_hash_key_t other = {~key->k1, ~key->k0};
    size_t id_len = strlen(user_id);
    size_t token_len = strlen(token);
    size_t origin_len = strnlen(origin, PXR_ORIGIN_MAX);
    size_t len = sizeof(workspace);

    if (id_len > PXR_USER_ID_MAX || token_len > PXR_TOKEN_MAX) {
        return false;
    }
    memcpy(text, &workspace, sizeof(workspace));
    memcpy(text + len, origin, origin_len);
    len += origin_len;
    text[len++] = '\0';
    memcpy(text + len, user_id, id_len + 1);
    len += id_len + 1;
    memcpy(text + len, token, token_len + 1);
    len += token_len + 1;
    out->first = pxr_hash(key, text, len);
    out->second = pxr_hash(&other, text, len);
    return true;
}

static pxr_session_slot_t *place(const pxr_store_t *store, const session_key_t *key, unsigned way)
{
    return &store->segment->sessions[(key->first + way) % PXR_SESSIONS_MAX];
}

static uint64_t checksum_of(const pxr_store_t *store, const entry_t *entry)
{
    return pxr_hash(&store->segment->key, entry, offsetof(entry_t, checksum));
}

static void load(pxr_session_slot_t *slot, entry_t *entry)
{
    uint64_t words[PXR_SESSION_WORDS];

    for (size_t i = 0; i < PXR_SESSION_WORDS; i++) {
        words[i] = atomic_load_explicit(&(*slot)[i], memory_order_relaxed);
    }
    memcpy(entry, words, sizeof(*entry));
}

static void save(pxr_session_slot_t *slot, const entry_t *entry)
{
    uint64_t words[PXR_SESSION_WORDS];

    memcpy(words, entry, sizeof(words));
    for (size_t i = 0; i < PXR_SESSION_WORDS; i++) {
        atomic_store_explicit(&(*slot)[i], words[i], memory_order_relaxed);
    }
}

static bool is_about(const entry_t *entry, const session_key_t *key)
{
    return entry->key[0] == key->first && entry->key[1] == key->second;
}

bool pxr_store_session_find(const pxr_store_t *store, uint32_t workspace, const char *user_id,
                            const char *token, pxr_session_t *out)
{
    int64_t now = pxr_time_steady();
    session_key_t key;

    if (!key_of(store, workspace, user_id, token, &key)) {
        return false;
    }
    for (unsigned i = 0; i < WAYS; i++) {
        entry_t entry;
        load(place(store, &key, i), &entry);
        /* Without the checksum half an entry of a writer that died, or of two at once, would be
         * believed. */
        if (is_about(&entry, &key) && now < entry.until && entry.until <= now + PXR_SESSION_KEEP &&
            entry.checksum == checksum_of(store, &entry)) {
            out->good = entry.good != 0;
            memcpy(out->name, entry.name, sizeof(out->name));
            out->name[sizeof(out->name) - 1] = '\0';
            return true;
        }
    }
    return false;
}

void pxr_store_session_note(const pxr_store_t *store, uint32_t workspace, const char *user_id,
                            const char *token, const pxr_session_t *session)
{
    entry_t entry = {.until = pxr_time_steady() + PXR_SESSION_KEEP, .good = session->good};
    pxr_session_slot_t *slot = NULL;
    int64_t earliest = PXR_TIME_NEVER;
    session_key_t key;

    if (!key_of(store, workspace, user_id, token, &key)) {
        return;
    }
    /* What will be forgotten first makes room. */
    for (unsigned i = 0; i < WAYS; i++) {
        entry_t other;
        load(place(store, &key, i), &other);
        if (is_about(&other, &key)) {
            slot = place(store, &key, i);
            break;
        }
        if (other.until < earliest) {
            earliest = other.until;
            slot = place(store, &key, i);
        }
    }
    entry.key[0] = key.first;
    entry.key[1] = key.second;
    pxr_text_copy(entry.name, sizeof(entry.name), session->name, strlen(session->name));
    entry.checksum = checksum_of(store, &entry);
    if (slot != NULL) {
        save(slot, &entry);
    }
}
