/* metrics.h: a snapshot in Prometheus' text format, version 0.0.4. */
#ifndef BQ_ADMIN_METRICS_H
#define BQ_ADMIN_METRICS_H

#include "admin/snapshot.h"
#include "base/buf.h"

#define BQ_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends it. Where memory is short out->failed is set. */
void bq_metrics_write(struct bq_buf *out, const struct bq_snapshot *s);

#endif
