/*
 * histogram.h: how often durations of which length came.
 *
 * The lengths lie in buckets of seven to nine a decade, from a microsecond to 100 seconds: a
 * quantile that is read out of them is off by less than a quarter. One thread adds, any may read.
 */
#ifndef BQ_BASE_HISTOGRAM_H
#define BQ_BASE_HISTOGRAM_H

#include "base/counter.h"

#include <stddef.h>

#define BQ_HISTOGRAM_BOUNDS  71
#define BQ_HISTOGRAM_BUCKETS (BQ_HISTOGRAM_BOUNDS + 1) /* the last is for what is longer */

/* Bucket i has durations up to bounds[i], which belongs to it. Microseconds. */
extern const uint32_t bq_histogram_bounds[BQ_HISTOGRAM_BOUNDS];

struct bq_histogram {
    struct bq_counter buckets[BQ_HISTOGRAM_BUCKETS];
    struct bq_counter us; /* of all together */
};

/* The bucket that a duration belongs to. */
size_t bq_histogram_bucket(uint64_t us);

static inline void bq_histogram_add(struct bq_histogram *h, uint64_t us)
{
    bq_counter_add(&h->buckets[bq_histogram_bucket(us)], 1);
    bq_counter_add(&h->us, us);
}

/* The duration in microseconds that a share q (0 to 1) of those counted does not exceed, as far as
 * buckets tell, or a negative number if there are none. What is longer than the last bound counts
 * as that. */
double bq_histogram_quantile(const float counts[static BQ_HISTOGRAM_BUCKETS], double q);

#endif
