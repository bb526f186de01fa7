/* histogram.c: the bounds, and how to find one's place among them. */
#include "base/histogram.h"

#define DECADE(e) 10 * e, 15 * e, 20 * e, 25 * e, 30 * e, 40 * e, 50 * e, 60 * e, 80 * e

const uint32_t bq_histogram_bounds[BQ_HISTOGRAM_BOUNDS] = {
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    DECADE(1),
    DECADE(10),
    DECADE(100),
    DECADE(1000),
    DECADE(10000),
    DECADE(100000),
    DECADE(1000000),
    100000000,
};

/* By a number's count of binary digits: the first bucket that such a number can be in. */
static const unsigned char first_bucket[] = {
    0,  0,  1,  3,  6,  9,  12, 15, 17, 20, 23, 26, 28, 31,
    34, 36, 39, 42, 44, 47, 50, 53, 55, 58, 61, 63, 66, 69,
};

size_t bq_histogram_bucket(uint64_t us)
{
    if (us > bq_histogram_bounds[BQ_HISTOGRAM_BOUNDS - 1])
        return BQ_HISTOGRAM_BOUNDS;
    size_t i = first_bucket[us ? 64 - __builtin_clzll(us) : 0];
    while (us > bq_histogram_bounds[i])
        i++;
    return i;
}

double bq_histogram_quantile(const float counts[static BQ_HISTOGRAM_BUCKETS], double q)
{
    double all = 0, below = 0;
    for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
        all += (double)counts[i];
    if (all <= 0)
        return -1;
    for (size_t i = 0; i < BQ_HISTOGRAM_BOUNDS; i++) {
        double n = (double)counts[i];
        if (n > 0 && below + n >= q * all) {
            double low = i ? bq_histogram_bounds[i - 1] : 0, high = bq_histogram_bounds[i];
            return low + (high - low) * (q * all - below) / n;
        }
        below += n;
    }
    return bq_histogram_bounds[BQ_HISTOGRAM_BOUNDS - 1];
}
