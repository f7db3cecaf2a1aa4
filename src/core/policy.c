#include "pxr_policy.h"

#include <string.h>

#include "core_internal.h"
#include "pxr_alias.h"
#include "pxr_event.h"
#include "pxr_query.h"

const char pxr_answer_not_ours[] = "{\"status\":\"fail\",\"action\":\"continue\",\"result\":{}}";
const char pxr_answer_as_is[] = "{\"status\":\"success\",\"action\":\"continue\",\"result\":{}}";
const char pxr_answer_over[] = "{\"status\":\"success\",\"action\":\"reject\",\"result\":{"
                               "\"reject_reason\":\"This meeting has ended.\"}}";

/* Triggers that ask without anybody joining (policy reference 10.2). One source spells lrq "irq".
 */
static const char *const probes[] = {"options", "subscribe", "lrq",
                                     "irq",     "arq",       "web_avatar_fetch"};

pxr_status_t pxr_pin_check(const char *pin, pxr_buf_t *why)
{
    size_t len = strlen(pin);
    size_t digits = len > 0 && pin[len - 1] == '#' ? len - 1 : len;

    for (size_t i = 0; i < digits; i++) {
        if (!pxr_is_digit(pin[i])) {
            pxr_buf_puts(why, "a PIN consists of digits 0-9, with an optional # at its end");
            return PXR_INVALID;
        }
    }
    if (len < PXR_PIN_MIN || len > PXR_PIN_MAX) {
        pxr_buf_puts(why, "a PIN has 4 to 20 characters, a final # included");
        return PXR_INVALID;
    }
    return PXR_OK;
}

pxr_status_t pxr_pins_check(const char *host, const char *guest, pxr_buf_t *why)
{
    size_t len = strlen(host);

    if (pxr_pin_check(host, why) != PXR_OK || pxr_pin_check(guest, why) != PXR_OK) {
        return PXR_INVALID;
    }
    if (strlen(guest) != len) {
        pxr_buf_puts(why, "the host PIN and the guest PIN must have the same length");
        return PXR_INVALID;
    }
    if ((host[len - 1] == '#') != (guest[len - 1] == '#')) {
        pxr_buf_puts(why, "either both PINs end in # or none does");
        return PXR_INVALID;
    }
    if (strcmp(host, guest) == 0) {
        pxr_buf_puts(why, "the host PIN and the guest PIN must differ");
        return PXR_INVALID;
    }
    return PXR_OK;
}

static void put_text(pxr_buf_t *out, const char *name, const char *value)
{
    pxr_buf_puts(out, ",");
    pxr_buf_put_json(out, name, strlen(name));
    pxr_buf_puts(out, ":");
    pxr_buf_put_json(out, value, strlen(value));
}

static void put_bool(pxr_buf_t *out, const char *name, bool value)
{
    pxr_buf_puts(out, ",");
    pxr_buf_put_json(out, name, strlen(name));
    pxr_buf_puts(out, value ? ":true" : ":false");
}

pxr_status_t pxr_answer_render(const pxr_answer_settings_t *settings,
                               const pxr_answer_meeting_t *meeting, pxr_buf_t *out)
{
    char title[PXR_PEXIP_TEXT_MAX + 1];
    char sentence[128];
    pxr_buf_t why;
    bool pins = meeting->host_pin[0] != '\0';

    pxr_buf_init(&why, sentence, sizeof(sentence));
    if (!pxr_layout_known(settings->view) || settings->service_tag[0] == '\0' ||
        strlen(settings->service_tag) > PXR_PEXIP_TEXT_MAX ||
        (settings->theme != NULL &&
         (settings->theme[0] == '\0' || strlen(settings->theme) > PXR_PEXIP_TEXT_MAX)) ||
        !pxr_meeting_id_valid(meeting->name, strlen(meeting->name)) ||
        (pins ? pxr_pins_check(meeting->host_pin, meeting->guest_pin, &why) != PXR_OK
              : meeting->guest_pin[0] != '\0')) {
        return PXR_INVALID;
    }
    if (pxr_text_line(title, sizeof(title), meeting->title, meeting->title_len) == 0) {
        strcpy(title, "Rocket.Chat");
    }
    pxr_buf_puts(out, "{\"status\":\"success\",\"action\":\"continue\",\"result\":{"
                      "\"service_type\":\"conference\"");
    put_text(out, "name", meeting->name);
    put_text(out, "service_tag", settings->service_tag);
    put_text(out, "description", title);
    if (pins) {
        put_text(out, "pin", meeting->host_pin);
    }
    put_bool(out, "allow_guests", pins);
    if (pins) {
        put_text(out, "guest_pin", meeting->guest_pin);
    }
    put_bool(out, "locked", pins && settings->locked);
    if (settings->theme != NULL) {
        put_text(out, "ivr_theme_name", settings->theme);
    }
    if (pxr_option_value(settings, "call_type") == NULL) {
        put_text(out, "call_type", "video");
    }
    put_text(out, "view", settings->view);
    put_text(out, "local_display_name", title);
    if (pxr_option_value(settings, "enable_overlay_text") == NULL) {
        put_bool(out, "enable_overlay_text", true);
    }
    for (size_t i = 0; i < settings->option_count; i++) {
        if (strcmp(settings->options[i].name, "service_tag") != 0) {
            pxr_option_put(out, &settings->options[i]);
        }
    }
    pxr_buf_puts(out, "}}");
    return out->overflow ? PXR_TOO_LONG : PXR_OK;
}

pxr_status_t pxr_answer_render_breakout(const char *name, const char *service_tag, const char *uuid,
                                        pxr_buf_t *out)
{
    char label[32];
    pxr_buf_t room;

    /* Infinity demands a name and does not tell which one the host chose. */
    pxr_buf_init(&room, label, sizeof(label));
    pxr_buf_puts(&room, "Breakout ");
    pxr_buf_put(&room, uuid, strlen(uuid) < 8 ? strlen(uuid) : 8);

    pxr_buf_puts(out, "{\"status\":\"success\",\"action\":\"continue\",\"result\":{"
                      "\"service_type\":\"conference\"");
    put_text(out, "name", name);
    put_text(out, "service_tag", service_tag);
    put_bool(out, "breakout", true);
    put_bool(out, "breakout_rooms", false);
    put_text(out, "breakout_uuid", uuid);
    put_text(out, "breakout_name", label);
    put_text(out, "end_action", "transfer");
    pxr_buf_puts(out, ",\"end_time\":0}}");
    return out->overflow ? PXR_TOO_LONG : PXR_OK;
}

void pxr_answer_render_reject(const char *reason, pxr_buf_t *out)
{
    pxr_buf_puts(out, "{\"status\":\"success\",\"action\":\"reject\"");
    put_text(out, "reason", reason);
    pxr_buf_puts(out, "}");
}

pxr_status_t pxr_answer_render_location(const char *const *names, size_t count, pxr_buf_t *out)
{
    pxr_buf_puts(out, "{\"status\":\"success\",\"result\":{\"location\":");
    pxr_buf_put_json(out, names[0], strlen(names[0]));
    for (size_t i = 1; i < count; i++) {
        pxr_buf_puts(out, i == 1 ? ",\"overflow_locations\":[" : ",");
        pxr_buf_put_json(out, names[i], strlen(names[i]));
    }
    pxr_buf_puts(out, count > 1 ? "]}}" : "}}");
    return out->overflow ? PXR_TOO_LONG : PXR_OK;
}

static bool is_word(const pxr_query_field_t *field, const char *word)
{
    return pxr_equal_nocase(field->value, field->len, word, strlen(word));
}

static bool is_probe(const pxr_query_field_t *trigger)
{
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        if (is_word(trigger, probes[i])) {
            return true;
        }
    }
    return false;
}

static bool is_uuid_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!pxr_is_alnum(text[i]) && text[i] != '-') {
            return false;
        }
    }
    return len > 0;
}

/* For a dial-out local_alias is only the calling side, for a breakout room it may be the main
 * room's: what is meant is named by the service (reference 10.2), a breakout room as
 * `<main>_breakout_<uuid>`. */
static void use_service_name(const char *name, pxr_policy_request_t *out)
{
    const char *uuid;
    size_t len = pxr_event_meeting_name(name, &uuid);

    if (len == 0) {
        return;
    }
    memcpy(out->alias, name, len);
    out->alias[len] = '\0';
    out->alias_len = len;
    if (uuid != NULL && out->breakout[0] == '\0') {
        if (strlen(uuid) > PXR_UUID_MAX) {
            out->alias_len = 0;
            out->alias[0] = '\0';
            return;
        }
        memcpy(out->breakout, uuid, strlen(uuid) + 1);
    }
}

static void read_request(const char *query, size_t len, bool in_service, pxr_policy_request_t *out)
{
    enum { ALIAS, DIRECTION, TRIGGER, SERVICE, UNIQUE, BREAKOUT, FIELDS };
    char direction[16];
    char trigger[32];
    char service[PXR_CONFERENCE_MAX + 1];
    char unique[PXR_CONFERENCE_MAX + 1];
    bool foreign = false;
    pxr_query_field_t fields[FIELDS] = {
        [ALIAS] = {.name = "local_alias", .value = out->alias, .size = sizeof(out->alias)},
        [DIRECTION] = {.name = "call_direction", .value = direction, .size = sizeof(direction)},
        [TRIGGER] = {.name = "trigger", .value = trigger, .size = sizeof(trigger)},
        [SERVICE] = {.name = "service_name", .value = service, .size = sizeof(service)},
        [UNIQUE] = {.name = "unique_service_name", .value = unique, .size = sizeof(unique)},
        [BREAKOUT] = {.name = "breakout_uuid",
                      .value = out->breakout,
                      .size = sizeof(out->breakout)},
    };

    pxr_query_read(query, len, fields, FIELDS);
    out->alias_len = fields[ALIAS].len;
    out->joins = is_word(&fields[DIRECTION], "dial_in") && !is_probe(&fields[TRIGGER]);

    if (in_service || is_word(&fields[DIRECTION], "dial_out") || fields[BREAKOUT].len > 0) {
        use_service_name(fields[SERVICE].len > 0 ? service : unique, out);
        /* A name that is too long or cannot be read is another service's. */
        foreign = (fields[SERVICE].bad || fields[UNIQUE].bad) && fields[SERVICE].len == 0 &&
                  fields[UNIQUE].len == 0;
    }
    if (fields[BREAKOUT].bad || foreign ||
        (out->breakout[0] != '\0' && !is_uuid_text(out->breakout, strlen(out->breakout)))) {
        out->alias_len = 0;
        out->alias[0] = '\0';
    }
}

void pxr_policy_request_read(const char *query, size_t len, pxr_policy_request_t *out)
{
    read_request(query, len, false, out);
}

void pxr_participant_request_read(const char *query, size_t len, pxr_policy_request_t *out)
{
    read_request(query, len, true, out);
}
