#include "helpers.h"

#include "pxr_details.h"

static void set(pxr_details_t *details, pxr_detail_t which, const char *text)
{
    details->text[which] = text;
    details->len[which] = strlen(text);
}

static pxr_details_t example(void)
{
    pxr_details_t details = {0};

    set(&details, PXR_TITLE, "Weekly \xc3\xb8");
    set(&details, PXR_ROOM_ID, "GENERAL");
    set(&details, PXR_ROOM_NAME, "general");
    set(&details, PXR_ROOM_TYPE, "c");
    set(&details, PXR_CREATOR_ID, "u1");
    return details;
}

static void packing_and_unpacking_gives_the_same_texts(void **state)
{
    pxr_details_t details = example();
    pxr_details_t again;
    char packed[128];
    size_t size = pxr_details_pack(&details, packed, sizeof(packed));

    (void)state;
    assert_true(size > 0 && size <= sizeof(packed));
    assert_int_equal(pxr_details_unpack(packed, size, &again), PXR_OK);
    for (size_t i = 0; i < PXR_DETAILS; i++) {
        const char *text = details.text[i] != NULL ? details.text[i] : "";
        assert_string_equal(again.text[i], text);
        assert_int_equal(again.len[i], strlen(text));
    }
}

static void packing_needs_exactly_its_size(void **state)
{
    pxr_details_t details = example();
    char large[128];
    size_t needed = pxr_details_pack(&details, large, sizeof(large));

    (void)state;
    for (size_t size = 0; size <= needed; size++) {
        char *out = malloc(size > 0 ? size : 1);
        assert_int_equal(pxr_details_pack(&details, out, size), size == needed ? needed : 0);
        free(out);
    }
}

static void the_longest_texts_fit_and_longer_ones_are_refused(void **state)
{
    char *text = malloc(0x10001);
    char *packed = malloc(0x20000);
    pxr_details_t details = {0};
    pxr_details_t again;
    size_t size;

    (void)state;
    memset(text, 't', 0x10001);
    details.text[PXR_TITLE] = text;
    details.len[PXR_TITLE] = 0xFFFF;
    size = pxr_details_pack(&details, packed, 0x20000);
    assert_true(size > 0xFFFF);
    assert_int_equal(pxr_details_unpack(packed, size, &again), PXR_OK);
    assert_int_equal(again.len[PXR_TITLE], 0xFFFF);
    details.len[PXR_TITLE] = 0x10000;
    assert_int_equal(pxr_details_pack(&details, packed, 0x20000), 0);
    free(packed);
    free(text);
}

static void an_absent_text_has_no_length_whatever_is_claimed(void **state)
{
    pxr_details_t details = {0};
    pxr_details_t again;
    char packed[64];
    size_t size;

    (void)state;
    details.len[PXR_TITLE] = 17;
    size = pxr_details_pack(&details, packed, sizeof(packed));
    assert_int_equal(pxr_details_unpack(packed, size, &again), PXR_OK);
    assert_int_equal(again.len[PXR_TITLE], 0);
}

static void every_truncation_is_broken(void **state)
{
    pxr_details_t details = example();
    pxr_details_t again;
    char packed[128];
    size_t size = pxr_details_pack(&details, packed, sizeof(packed));

    (void)state;
    for (size_t len = 0; len < size; len++) {
        char *cut = exact_copy(packed, len);
        CHECK(pxr_details_unpack(cut, len, &again) == PXR_BROKEN, "length %zu", len);
        free(cut);
    }
}

static void changed_bytes_are_never_read_beyond_the_end(void **state)
{
    pxr_details_t details = example();
    char packed[128];
    size_t size = pxr_details_pack(&details, packed, sizeof(packed));
    unsigned broken = 0;
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char *copy = exact_copy(packed, size);
        pxr_details_t again;
        copy[dice(&seed, (uint32_t)size)] = (char)(unsigned char)dice(&seed, 256);
        if (pxr_details_unpack(copy, size, &again) == PXR_OK) {
            for (size_t i = 0; i < PXR_DETAILS; i++) {
                assert_true(again.text[i][again.len[i]] == '\0');
            }
        } else {
            broken++;
        }
        free(copy);
    }
    assert_true(broken > 0);
}

static void filling_takes_what_is_absent(void **state)
{
    pxr_details_t details = example();
    pxr_details_t more = {0};

    (void)state;
    set(&more, PXR_DISCUSSION_ID, "d1");
    set(&more, PXR_DISCUSSION_NAME, "chat");
    set(&more, PXR_DISCUSSION_TYPE, "p");
    assert_true(pxr_details_fill(&details, &more));
    assert_string_equal(details.text[PXR_DISCUSSION_ID], "d1");
    assert_string_equal(details.text[PXR_DISCUSSION_NAME], "chat");
    assert_int_equal(details.len[PXR_DISCUSSION_NAME], 4);
    assert_string_equal(details.text[PXR_DISCUSSION_TYPE], "p");
    assert_false(pxr_details_fill(&details, &more));

    details.len[PXR_TITLE] = 0;
    set(&more, PXR_TITLE, "New");
    assert_true(pxr_details_fill(&details, &more));
    assert_string_equal(details.text[PXR_TITLE], "New");
}

static void filling_never_replaces_what_is_there(void **state)
{
    pxr_details_t details = example();
    pxr_details_t more = {0};

    (void)state;
    set(&details, PXR_DISCUSSION_ID, "d1");
    set(&more, PXR_TITLE, "Other");
    set(&more, PXR_ROOM_ID, "OTHER");
    set(&more, PXR_CREATOR_NAME, "Somebody");
    set(&more, PXR_DISCUSSION_ID, "d2");
    set(&more, PXR_DISCUSSION_NAME, "other chat");
    assert_false(pxr_details_fill(&details, &more));
    assert_string_equal(details.text[PXR_TITLE], "Weekly \xc3\xb8");
    assert_string_equal(details.text[PXR_ROOM_ID], "GENERAL");
    assert_null(details.text[PXR_CREATOR_NAME]);
    assert_string_equal(details.text[PXR_DISCUSSION_ID], "d1");
    /* A discussion is taken as a whole or not at all. */
    assert_null(details.text[PXR_DISCUSSION_NAME]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_and_unpacking_gives_the_same_texts),
        cmocka_unit_test(packing_needs_exactly_its_size),
        cmocka_unit_test(the_longest_texts_fit_and_longer_ones_are_refused),
        cmocka_unit_test(an_absent_text_has_no_length_whatever_is_claimed),
        cmocka_unit_test(every_truncation_is_broken),
        cmocka_unit_test(changed_bytes_are_never_read_beyond_the_end),
        cmocka_unit_test(filling_takes_what_is_absent),
        cmocka_unit_test(filling_never_replaces_what_is_there),
    };

    return RUN(tests);
}
