/*
 * load_histogram.c: durations in buckets whose width grows with them, so that a second and a
 * microsecond are told apart as finely as two microseconds, in 20 KiB.
 */
#include "load.h"

#define FINE_BITS 6

/* Below 2 * HISTOGRAM_FINE a bucket is one ns wide; it doubles at each power of two above. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < 2 * HISTOGRAM_FINE)
        return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - FINE_BITS;
    unsigned bucket = shift * HISTOGRAM_FINE + (unsigned)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t end_of(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_FINE)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_FINE - 1;
    return (((uint64_t)(bucket % HISTOGRAM_FINE) + HISTOGRAM_FINE + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    h->count++;
    h->buckets[bucket_of(ns)]++;
    if (ns > h->max)
        h->max = ns;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
    h->count += other->count;
    if (other->max > h->max)
        h->max = other->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->buckets[i] += other->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > wanted)
            return end_of(i) < h->max ? end_of(i) : h->max;
    }
    return h->max;
}
