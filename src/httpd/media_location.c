#include "pxr_httpd.h"

#include <apr_strings.h>
#include <arpa/inet.h>

/* Where the media of a participant are handled: PexipRCMediaLocation, and the variables
 * %{pxr:...} of its conditions. */

#define FUNCTION "pxr"
#define EXPRESSION "expr="

/* A parameter that a media location request has (policy reference 9). */
typedef struct {
    const char *name;
    bool address; /* anything but an IP address would be looked up in the DNS by -ipmatch */
} parameter_t;

static const parameter_t parameters[] = {
    {"bandwidth", false},
    {"call_direction", false},
    {"call_tag", false},
    {"encryption", false},
    {"has_authenticated_display_name", false},
    {"idp_uuid", false},
    {"local_alias", false},
    {"location", false},
    {"ms-subnet", false},
    {"node_ip", true},
    {"p_Asserted-Identity", false},
    {"previous_service_name", false},
    {"protocol", false},
    {"proxy_node_address", true},
    {"proxy_node_location", false},
    {"pseudo_version_id", false},
    {"registered", false},
    {"remote_address", true},
    {"remote_alias", false},
    {"remote_display_name", false},
    {"remote_port", false},
    {"request_id", false},
    {"service_name", false},
    {"service_tag", false},
    {"supports_direct_media", false},
    {"teams_tenant_id", false},
    {"telehealth_request_id", false},
    {"trigger", false},
    {"unique_service_name", false},
    {"vendor", false},
    {"version_id", false},
};

#define PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static bool is_address(const char *text)
{
    unsigned char address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* "" for what the node did not send, or what is no plain text: it may go on into a header. */
static const char *value_of(ap_expr_eval_ctx_t *ctx, const void *data, const char *arg)
{
    const parameter_t *parameter = data;
    const char *query = ctx->r != NULL ? ctx->r->args : NULL;
    pxr_query_field_t field = {.name = parameter->name};

    (void)arg;
    if (query == NULL || !pxr_is_policy_request(ctx->r)) {
        return "";
    }
    field.size = strlen(query) + 1;
    field.value = apr_palloc(ctx->p, field.size);
    pxr_query_read(query, field.size - 1, &field, 1);
    return pxr_text_plain(field.value, field.size) &&
                   (!parameter->address || is_address(field.value))
               ? field.value
               : "";
}

static const char *explain(apr_pool_t *p, const char *name)
{
    const char *known = parameters[0].name;

    for (size_t i = 1; i < PARAMETERS; i++) {
        known = apr_pstrcat(p, known, ", ", parameters[i].name, NULL);
    }
    return apr_psprintf(p, "%%{" FUNCTION ":%s} is not known, only: %s", name, known);
}

int pxr_expr_lookup(ap_expr_lookup_parms *parms)
{
    if (parms->type != AP_EXPR_FUNC_STRING || strcasecmp(parms->name, FUNCTION) != 0) {
        return DECLINED;
    }
    for (size_t i = 0; parms->arg != NULL && i < PARAMETERS; i++) {
        if (strcmp(parameters[i].name, parms->arg) == 0) {
            *parms->func = (const void *)value_of;
            *parms->data = &parameters[i];
            return OK;
        }
    }
    *parms->err = explain(parms->pool, parms->arg != NULL ? parms->arg : "...");
    return !OK;
}

static const char *read_condition(apr_pool_t *p, const char *text, pxr_media_location_t *out)
{
    ap_expr_info_t *info = apr_pcalloc(p, sizeof(*info));
    apr_pool_t *temporary;
    const char *why;

    info->filename = PXR_D_MEDIA_LOCATION;
    info->flags = AP_EXPR_FLAG_DONT_VARY;
    info->module_index = APLOG_MODULE_INDEX;
    apr_pool_create(&temporary, p);
    why = ap_expr_parse(p, temporary, info, text, NULL);
    if (why != NULL) {
        why = apr_pstrcat(p, "has a condition that cannot be used: ", why, NULL);
    }
    apr_pool_destroy(temporary);
    out->condition = info;
    return why;
}

static const char *render(apr_pool_t *p, const char *const *names, size_t count,
                          pxr_media_location_t *out)
{
    char answer[PXR_ANSWER_MAX];
    pxr_buf_t buf;

    if (count == 0) {
        return "must begin with the name of a location";
    }
    pxr_buf_init(&buf, answer, sizeof(answer));
    if (pxr_answer_render_location(names, count, &buf) != PXR_OK) {
        return "has names that are too long together";
    }
    out->answer = apr_pstrmemdup(p, buf.data, buf.len);
    out->answer_len = buf.len;
    return NULL;
}

/* One line: names, and perhaps a condition as its last word. */
static const char *read_entry(apr_pool_t *p, const char *line, pxr_media_location_t *out)
{
    const char *names[1 + PXR_OVERFLOWS_MAX];
    size_t count = 0;
    const char *why = NULL;

    while (*line != '\0') {
        const char *word = ap_getword_conf(p, &line);
        bool last = strncmp(word, EXPRESSION, strlen(EXPRESSION)) == 0;
        if (last && *line != '\0') {
            return "has something behind its condition: put all of " EXPRESSION
                   "... into quotation marks";
        }
        if (last) {
            why = read_condition(p, word + strlen(EXPRESSION), out);
        } else if (!pxr_text_plain(word, PXR_PEXIP_TEXT_MAX)) {
            return "must name locations by 1 to 250 bytes of UTF-8 without control characters";
        } else if (count == sizeof(names) / sizeof(names[0])) {
            return apr_psprintf(p, "has more than %d overflow locations", PXR_OVERFLOWS_MAX);
        } else {
            names[count++] = word;
        }
    }
    return why != NULL ? why : render(p, names, count, out);
}

const char *pxr_media_locations_read(apr_pool_t *p, const char *text, pxr_workspace_t *out)
{
    pxr_media_location_t *all = apr_pcalloc(p, PXR_LOCATIONS_MAX * sizeof(*all));
    char *state;
    size_t count = 0;

    for (char *line = apr_strtok(apr_pstrdup(p, text), "\n", &state); line != NULL;
         line = apr_strtok(NULL, "\n", &state)) {
        const char *why;
        if (count == PXR_LOCATIONS_MAX) {
            return "is one entry too many";
        }
        why = read_entry(p, line, &all[count]);
        if (why != NULL) {
            return why;
        }
        count++;
    }
    out->locations = all;
    out->location_count = count;
    return NULL;
}

/* What cannot be evaluated is logged by httpd, and counts as false. */
static bool applies(request_rec *r, const pxr_media_location_t *entry)
{
    const char *error;

    return entry->condition == NULL || ap_expr_exec(r, entry->condition, &error) > 0;
}

const pxr_media_location_t *pxr_media_location_for(request_rec *r, const pxr_workspace_t *w)
{
    for (size_t i = 0; i < w->location_count; i++) {
        if (applies(r, &w->locations[i])) {
            return &w->locations[i];
        }
    }
    return NULL;
}
