#ifndef PXR_METRICS_TEXT_H
#define PXR_METRICS_TEXT_H

#include "pxr_httpd.h"

/* Prometheus' text format 0.0.4, while an answer is written. */
typedef struct {
    apr_pool_t *pool;
    apr_bucket_brigade *text;
    const char *family;    /* name of the one that is written */
    const char *workspace; /* value of a label of every sample, escaped; NULL: none */
} pxr_metrics_t;

typedef enum { PXR_COUNTER, PXR_GAUGE, PXR_HISTOGRAM } pxr_metric_kind_t;

/* Begins a family. `name` is without our prefix and, like `help`, plain text without a backslash.
 */
void pxr_metrics_family(pxr_metrics_t *m, pxr_metric_kind_t kind, const char *name,
                        const char *help);

/* One sample. `label` is NULL for none; its value may be anything. */
void pxr_metrics_put(const pxr_metrics_t *m, const char *label, const char *value, uint64_t number);
/* The same with two labels. */
void pxr_metrics_put2(const pxr_metrics_t *m, const char *label, const char *value,
                      const char *label2, const char *value2, uint64_t number);
/* Microseconds, written as seconds. */
void pxr_metrics_put_time(const pxr_metrics_t *m, const char *label, const char *value,
                          int64_t time);
/* A whole histogram of seconds. */
void pxr_metrics_put_latency(const pxr_metrics_t *m, const pxr_latency_t *latency);

/* A family of one sample. */
void pxr_metrics_one(pxr_metrics_t *m, pxr_metric_kind_t kind, const char *name, const char *help,
                     uint64_t number);
void pxr_metrics_one_time(pxr_metrics_t *m, const char *name, const char *help, int64_t time);

/* The value of a label as it stands between quotation marks. */
const char *pxr_metrics_escape(apr_pool_t *p, const char *value);

#endif
