#include <string.h>

#include "pxr_chat.h"
#include "pxr_hash.h"
#include "pxr_webhook.h"

/* What a hash is made for; different ones have nothing to do with each other. */
enum { FOR_MEETING = 100, FOR_MESSAGE = 200, FOR_RECORD = 300 };

/* A character that no meeting id has comes with it. */
static const char record_prefix[] = "chat-";

/* So many characters of [A-Za-z0-9] a hash of 64 bits can choose. */
#define HALF 10

/* The key is the hash of `text` by a key that is the hash of `secret`. */
static void derive(pxr_hash_key_t *out, uint64_t purpose, const char *secret, const char *text)
{
    const pxr_hash_key_t first = {purpose, 1};
    const pxr_hash_key_t second = {purpose, 2};
    const pxr_hash_key_t inner = {pxr_hash(&first, secret, strlen(secret)),
                                  pxr_hash(&second, secret, strlen(secret))};
    const pxr_hash_key_t other = {inner.k0 ^ purpose, ~inner.k1};

    out->k0 = pxr_hash(&inner, text, strlen(text));
    out->k1 = pxr_hash(&other, text, strlen(text));
}

static void put_characters(char *out, size_t len, uint64_t hash)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[hash % 62];
        hash /= 62;
    }
}

/* At most 20 characters and a NUL, from two hashes whose keys differ. */
static void put_id(char *out, size_t len, const pxr_hash_key_t *key, const void *data, size_t size)
{
    const pxr_hash_key_t other = {~key->k0, key->k1};

    put_characters(out, HALF, pxr_hash(key, data, size));
    put_characters(out + HALF, len - HALF, pxr_hash(&other, data, size));
    out[len] = '\0';
}

void pxr_webhook_meeting_id(const char *secret, const char *site_url, const char *message_id,
                            size_t len, char out[PXR_MEETING_ID_OWN + 1])
{
    pxr_hash_key_t key;

    derive(&key, FOR_MEETING, secret, site_url);
    put_id(out, PXR_MEETING_ID_OWN, &key, message_id, len);
}

void pxr_chat_message_id(const char *secret, const char *meeting_id, pxr_chat_purpose_t purpose,
                         char out[PXR_CHAT_ID_LEN + 1])
{
    pxr_hash_key_t key;

    derive(&key, FOR_MESSAGE + (uint64_t)purpose, secret, meeting_id);
    put_id(out, PXR_CHAT_ID_LEN, &key, "", 0);
}

void pxr_chat_record_id(const char *secret, const char *room_id, uint64_t conference,
                        pxr_time_t now, char out[PXR_CHAT_RECORD_ID_LEN + 1])
{
    const int64_t day = now / (24 * 3600 * PXR_SECOND);
    const uint64_t data[] = {conference, (uint64_t)day};
    size_t prefix = sizeof(record_prefix) - 1;
    pxr_hash_key_t key;

    derive(&key, FOR_RECORD, secret, room_id);
    memcpy(out, record_prefix, prefix);
    put_id(out + prefix, PXR_CHAT_RECORD_ID_LEN - prefix, &key, data, sizeof(data));
}

bool pxr_chat_is_record(const char *id)
{
    return strncmp(id, record_prefix, sizeof(record_prefix) - 1) == 0;
}
