#include "metrics.h"

#include <apr_strings.h>

#define PREFIX "pexip_rc_"

static const char *const kinds[] = {
    [PXR_COUNTER] = "counter",
    [PXR_GAUGE] = "gauge",
    [PXR_HISTOGRAM] = "histogram",
};

const char *pxr_metrics_escape(apr_pool_t *p, const char *value)
{
    char *out = apr_palloc(p, 2 * strlen(value) + 1);
    char *at = out;

    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n') {
            *at++ = '\\';
        }
        *at++ = *value == '\n' ? 'n' : *value;
    }
    *at = '\0';
    return out;
}

void pxr_metrics_family(pxr_metrics_t *m, pxr_metric_kind_t kind, const char *name,
                        const char *help)
{
    m->family = name;
    apr_brigade_printf(m->text, NULL, NULL, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
                       name, help, name, kinds[kind]);
}

/* Everything up to the value. */
static void put_name(const pxr_metrics_t *m, const char *suffix, const char *const pairs[4])
{
    const char *separator = "{";

    apr_brigade_printf(m->text, NULL, NULL, PREFIX "%s%s", m->family, suffix);
    if (m->workspace != NULL) {
        apr_brigade_printf(m->text, NULL, NULL, "{workspace=\"%s\"", m->workspace);
        separator = ",";
    }
    for (int i = 0; i < 4 && pairs[i] != NULL; i += 2) {
        apr_brigade_printf(m->text, NULL, NULL, "%s%s=\"%s\"", separator, pairs[i],
                           pxr_metrics_escape(m->pool, pairs[i + 1]));
        separator = ",";
    }
    apr_brigade_puts(m->text, NULL, NULL, separator[0] == ',' ? "} " : " ");
}

static void put_number(const pxr_metrics_t *m, uint64_t number)
{
    apr_brigade_printf(m->text, NULL, NULL, "%" APR_UINT64_T_FMT "\n", (apr_uint64_t)number);
}

static const char *seconds(const pxr_metrics_t *m, int64_t time)
{
    uint64_t size = time < 0 ? (uint64_t)-time : (uint64_t)time;
    char *text = apr_psprintf(m->pool, "%s%" APR_UINT64_T_FMT ".%06u", time < 0 ? "-" : "",
                              (apr_uint64_t)(size / PXR_SECOND), (unsigned)(size % PXR_SECOND));
    char *end = text + strlen(text);

    while (end[-1] == '0') {
        end--;
    }
    end[end[-1] == '.' ? -1 : 0] = '\0';
    return text;
}

void pxr_metrics_put2(const pxr_metrics_t *m, const char *label, const char *value,
                      const char *label2, const char *value2, uint64_t number)
{
    put_name(m, "", (const char *const[4]){label, value, label2, value2});
    put_number(m, number);
}

void pxr_metrics_put(const pxr_metrics_t *m, const char *label, const char *value, uint64_t number)
{
    pxr_metrics_put2(m, label, value, NULL, NULL, number);
}

void pxr_metrics_put_time(const pxr_metrics_t *m, const char *label, const char *value,
                          int64_t time)
{
    put_name(m, "", (const char *const[4]){label, value});
    apr_brigade_printf(m->text, NULL, NULL, "%s\n", seconds(m, time));
}

void pxr_metrics_put_latency(const pxr_metrics_t *m, const pxr_latency_t *latency)
{
    uint64_t count = 0;

    for (unsigned i = 0; i <= PXR_LATENCY_BOUNDS; i++) {
        const char *bound = i < PXR_LATENCY_BOUNDS ? seconds(m, pxr_latency_bound(i)) : "+Inf";
        count += latency->count[i];
        put_name(m, "_bucket", (const char *const[4]){"le", bound});
        put_number(m, count);
    }
    put_name(m, "_sum", (const char *const[4]){NULL});
    apr_brigade_printf(m->text, NULL, NULL, "%s\n", seconds(m, (int64_t)latency->sum));
    put_name(m, "_count", (const char *const[4]){NULL});
    put_number(m, count);
}

void pxr_metrics_one(pxr_metrics_t *m, pxr_metric_kind_t kind, const char *name, const char *help,
                     uint64_t number)
{
    pxr_metrics_family(m, kind, name, help);
    pxr_metrics_put(m, NULL, NULL, number);
}

void pxr_metrics_one_time(pxr_metrics_t *m, const char *name, const char *help, int64_t time)
{
    pxr_metrics_family(m, PXR_GAUGE, name, help);
    pxr_metrics_put_time(m, NULL, NULL, time);
}
