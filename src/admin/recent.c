/* recent.c: windows that fade. */
#include "admin/recent.h"

#include "base/mem.h"

#include <math.h>

#define HALF_LIFE_S 5.0

/* A window that holds less than this part of an answer is empty. */
#define NOTHING 0.01f

void bq_recent_release(struct bq_recent *r)
{
    bq_free(r->routes);
    *r = (struct bq_recent){0};
}

const struct bq_recent_route *bq_recent_find(const struct bq_recent *r, bq_str kind, bq_str name)
{
    for (size_t i = 0; i < r->count; i++)
        if (bq_str_eq(r->routes[i].name, name) && bq_str_eq(r->routes[i].kind, kind))
            return &r->routes[i];
    return NULL;
}

const struct bq_recent_second *bq_recent_second(const struct bq_recent *r, size_t ago)
{
    if (ago >= r->seconds_count)
        return NULL;
    return &r->seconds[(r->next + BQ_RECENT_SECONDS - 1 - ago) % BQ_RECENT_SECONDS];
}

/* They keep their order, so the place hints. */
static struct bq_recent_route *entry(struct bq_recent *r, const struct bq_route_shown *shown,
                                     size_t hint)
{
    struct bq_recent_route *known = hint < r->count ? &r->routes[hint] : NULL;
    if (known && bq_str_eq(known->name, shown->name) && bq_str_eq(known->kind, shown->kind))
        return known;
    known = (struct bq_recent_route *)bq_recent_find(r, shown->kind, shown->name);
    if (known)
        return known;
    struct bq_recent_route *routes = bq_realloc(r->routes, (r->count + 1) * sizeof *routes);
    if (!routes)
        return NULL;
    r->routes = routes;
    routes[r->count] = (struct bq_recent_route){.kind = shown->kind, .name = shown->name};
    return &routes[r->count++];
}

/* A count may seem to fall by what another thread adds while it is read. */
static double added(uint64_t now, uint64_t before)
{
    return now > before ? (double)(now - before) : 0;
}

static void fade(struct bq_recent_route *e, double kept)
{
    float sum = 0;
    for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
        sum += e->window[i] *= (float)kept;
    if (sum < NOTHING)
        for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
            e->window[i] = 0;
    e->rate *= kept;
    e->error_rate *= kept;
}

static void take_in(struct bq_recent_route *e, const struct bq_route_shown *shown, double seconds,
                    struct bq_recent_second *all, float second[static BQ_HISTOGRAM_BUCKETS])
{
    double kept = exp2(-seconds / HALF_LIFE_S);
    fade(e, kept);
    if (e->seen) {
        double answers = added(shown->answers, e->answers) / seconds;
        double errors = added(shown->errors, e->errors) / seconds;
        e->rate += (1 - kept) * answers;
        e->error_rate += (1 - kept) * errors;
        all->rate += answers;
        all->error_rate += errors;
        for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++) {
            float n = (float)added(shown->buckets[i], e->buckets[i]);
            e->window[i] += n;
            second[i] += n;
        }
    }
    e->answers = shown->answers;
    e->errors = shown->errors;
    for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
        e->buckets[i] = shown->buckets[i];
    e->seen = true;
}

void bq_recent_look(struct bq_recent *r, const struct bq_routes_shown *routes, uint64_t now_us)
{
    float second[BQ_HISTOGRAM_BUCKETS] = {0};
    struct bq_recent_second all = {0};
    bool first = r->looked_us == 0;
    double seconds = first ? 1 : (double)(now_us - r->looked_us) / 1e6;
    if (seconds <= 0)
        return;
    r->looked_us = now_us;
    for (size_t i = 0; i < routes->count; i++) {
        struct bq_recent_route *e = entry(r, &routes->items[i], i);
        if (e)
            take_in(e, &routes->items[i], seconds, &all, second);
    }
    if (first)
        return;
    all.p50_us = bq_histogram_quantile(second, 0.5);
    all.p99_us = bq_histogram_quantile(second, 0.99);
    r->seconds[r->next] = all;
    r->next = (r->next + 1) % BQ_RECENT_SECONDS;
    if (r->seconds_count < BQ_RECENT_SECONDS)
        r->seconds_count++;
}
