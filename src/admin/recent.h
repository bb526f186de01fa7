/*
 * recent.h: how fast, and how often, lately.
 *
 * Counters only grow; what people want to see is what happens now. Once a second what was added to
 * each route's counts goes into its window, whose older contents fade: half of the weight is that
 * of the last five seconds. For the whole server the last minutes are kept second by second.
 */
#ifndef BQ_ADMIN_RECENT_H
#define BQ_ADMIN_RECENT_H

#include "admin/routes.h"

struct bq_recent_route {
    bq_str kind, name;
    bool seen;                /* the counts below were taken once */
    uint64_t answers, errors; /* at the last look */
    uint64_t buckets[BQ_HISTOGRAM_BUCKETS];
    double rate, error_rate; /* a second */
    float window[BQ_HISTOGRAM_BUCKETS];
};

#define BQ_RECENT_SECONDS 120

struct bq_recent_second {
    double rate, error_rate;
    double p50_us, p99_us; /* negative: there was nothing */
};

struct bq_recent {
    struct bq_recent_route *routes;
    size_t count;
    uint64_t looked_us;                                 /* 0: never */
    struct bq_recent_second seconds[BQ_RECENT_SECONDS]; /* a ring */
    size_t next, seconds_count;
};

/* A zeroed struct is empty. */
void bq_recent_release(struct bq_recent *r);

/* Takes in what was counted since the last time. Without memory routes that are new are left out.
 * Valid: names, as long as the tallies. */
void bq_recent_look(struct bq_recent *r, const struct bq_routes_shown *routes, uint64_t now_us);

/* NULL: not known yet. */
const struct bq_recent_route *bq_recent_find(const struct bq_recent *r, bq_str kind, bq_str name);

/* The second that many before the last (0: the last); NULL: there is none. */
const struct bq_recent_second *bq_recent_second(const struct bq_recent *r, size_t ago);

#endif
