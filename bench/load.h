/*
 * load.h: what the two halves of the load client share: which answers are right, and a histogram.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAD_BYTES_MAX   2048
#define ANSWER_BYTES_MAX 16384

/* --- load_answer.c --- */

/* A text with one right body on each line; never changes while answers are checked. */
struct bodies {
    char *text;
    size_t count;
    const char **lines;
    size_t *lengths;
};

/* Fails: false, errno says why (EINVAL: no line). */
bool bodies_load(struct bodies *all, const char *path);

/* The head of the last answer, to know the next one by comparing: it differs once a second, by its
 * date. */
struct known_head {
    char bytes[HEAD_BYTES_MAX];
    size_t n;
    size_t body_bytes;
    size_t body; /* where the last right body was found */
};

/* The size of the first answer in these bytes, whose body is one of the right ones; 0 while it is
 * not complete. Fails: -1 (not a 2xx with Content-Length, or another body). */
long answer_check(const struct bodies *all, struct known_head *known, const char *p, size_t n);

/* --- load_histogram.c --- */

/* Durations in ns, each in a bucket that is at most 1/64 of it wide. */
#define HISTOGRAM_FINE    64
#define HISTOGRAM_BUCKETS (HISTOGRAM_FINE * 40)

struct histogram {
    uint64_t count, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *h, const struct histogram *other);

/* The upper end of the bucket that holds this share (0 … 1) of the durations. */
uint64_t histogram_percentile(const struct histogram *h, double share);

#endif
