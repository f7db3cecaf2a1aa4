#include "fuzz.h"

#include "pxr_cookie.h"
#include "pxr_text.h"

/* The cookies of a visitor: the name that is looked for, a NUL, the header. */

static void check_value(const char *header, const char *name, size_t size)
{
    char *value = malloc(size);
    pxr_status_t status;

    REQUIRE(value != NULL);
    status = pxr_cookie_read(header, name, value, size);
    REQUIRE(memchr(value, 0, size) != NULL);
    REQUIRE(status == PXR_OK || status == PXR_MISSING || status == PXR_INVALID ||
            status == PXR_TOO_LONG);
    if (status == PXR_OK) {
        REQUIRE(pxr_utf8_valid(value, strlen(value)));
        for (const char *c = value; *c != '\0'; c++) {
            REQUIRE((unsigned char)*c >= ' ');
        }
    }
    free(value);
}

/* One that we set is read as it was, whatever else the browser sends behind it. */
static void check_own(const char *others, const char *text)
{
    static char header[8192];
    char value[256];
    pxr_buf_t out;

    if (strlen(text) >= sizeof(value) || !pxr_utf8_valid(text, strlen(text)) ||
        strlen(others) > 4096) {
        return;
    }
    for (const char *c = text; *c != '\0'; c++) {
        /* The controls of C1 begin with C2, as harmless characters do. */
        if ((unsigned char)*c < ' ' || *c == 0x7F || (unsigned char)*c == 0xC2) {
            return;
        }
    }
    pxr_buf_init(&out, header, sizeof(header));
    pxr_buf_puts(&out, "rc_uid=");
    pxr_buf_put_percent(&out, text, strlen(text));
    pxr_buf_puts(&out, "; ");
    pxr_buf_puts(&out, others);
    REQUIRE(!out.overflow);
    REQUIRE(pxr_cookie_read(header, "rc_uid", value, sizeof(value)) == PXR_OK);
    REQUIRE(strcmp(value, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    char *name = input_text(&in);
    char *header = input_text(&in);

    check_value(header, name, 256);
    check_value(header, "rc_token", 1);
    check_value(header, "rc_token", 8);
    check_own(header, name);
    free(header);
    free(name);
    return 0;
}
