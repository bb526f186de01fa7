/* routes.h: the tallies of all workers, added up by name. */
#ifndef BQ_ADMIN_ROUTES_H
#define BQ_ADMIN_ROUTES_H

#include "admin/snapshot.h"

struct bq_key_shown {
    uint32_t key; /* BQ_TALLY_KEY of an enum bq_method and a status */
    uint64_t count;
};

struct bq_route_shown {
    bq_str kind, name; /* "GET", "/items/{id}" */
    struct bq_key_shown *keys;
    size_t key_count;
    uint64_t answers, errors; /* errors: with status 500 and above */
    uint64_t bytes, us;
    uint64_t holds, holds_ms, moved;
    uint64_t buckets[BQ_HISTOGRAM_BUCKETS];
};

struct bq_routes_shown {
    struct bq_route_shown *items; /* in the order of their declaration */
    size_t count;
};

/* False: no memory, and nothing is to be released. Valid: names, as long as the tallies. */
bool bq_routes_shown_init(struct bq_routes_shown *routes, const struct bq_snapshot *s);
void bq_routes_shown_release(struct bq_routes_shown *routes);

/* How many answers are in its buckets: those that are counted a moment later are missing. */
uint64_t bq_route_shown_timed(const struct bq_route_shown *r);

#endif
