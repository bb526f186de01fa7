/* routes.c: adds up what each worker has counted. */
#include "admin/routes.h"

#include "base/mem.h"

uint64_t bq_route_shown_timed(const struct bq_route_shown *r)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
        sum += r->buckets[i];
    return sum;
}

static size_t count_tallies(const struct bq_snapshot *s)
{
    size_t n = 0;
    for (unsigned i = 0; i < s->tallies_count; i++)
        for (const struct bq_tally *t = bq_tally_first(s->tallies[i]); t; t = bq_tally_next(t))
            n++;
    return n;
}

static bool is_named(const struct bq_route_shown *r, const struct bq_tally *t)
{
    return bq_str_eq(r->name, t->name) && bq_str_eq(r->kind, t->kind);
}

/* Workers have declared the same routes in the same order, so that the place of the last one hints
 * at the place of this one. */
static struct bq_route_shown *find(struct bq_routes_shown *routes, const struct bq_tally *t,
                                   size_t hint)
{
    if (hint < routes->count && is_named(&routes->items[hint], t))
        return &routes->items[hint];
    for (size_t i = 0; i < routes->count; i++)
        if (is_named(&routes->items[i], t))
            return &routes->items[i];
    struct bq_route_shown *r = &routes->items[routes->count++];
    *r = (struct bq_route_shown){.kind = t->kind, .name = t->name};
    return r;
}

struct adding {
    struct bq_route_shown *route;
    bool failed;
};

static void add_key(void *arg, uint32_t key, uint64_t count)
{
    struct adding *a = arg;
    struct bq_route_shown *r = a->route;
    r->answers += count;
    r->errors += key % 1000 >= 500 ? count : 0;
    for (size_t i = 0; i < r->key_count; i++) {
        if (r->keys[i].key == key) {
            r->keys[i].count += count;
            return;
        }
    }
    struct bq_key_shown *keys = bq_realloc(r->keys, (r->key_count + 1) * sizeof *keys);
    if (!keys) {
        a->failed = true;
        return;
    }
    r->keys = keys;
    keys[r->key_count++] = (struct bq_key_shown){key, count};
}

static bool add(struct bq_route_shown *r, const struct bq_tally *t)
{
    struct adding a = {r, false};
    bq_tally_each(t, add_key, &a);
    r->bytes += bq_counter_read(&t->bytes);
    r->holds += bq_counter_read(&t->holds);
    r->holds_ms += bq_counter_read(&t->holds_ms);
    r->moved += bq_counter_read(&t->moved);
    const struct bq_histogram *h = atomic_load_explicit(&t->durations, memory_order_acquire);
    if (h) {
        r->us += bq_counter_read(&h->us);
        for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++)
            r->buckets[i] += bq_counter_read(&h->buckets[i]);
    }
    return !a.failed;
}

bool bq_routes_shown_init(struct bq_routes_shown *routes, const struct bq_snapshot *s)
{
    size_t tallies = count_tallies(s);
    routes->count = 0;
    routes->items = bq_alloc((tallies ? tallies : 1) * sizeof *routes->items);
    if (!routes->items)
        return false;
    for (unsigned i = 0; i < s->tallies_count; i++) {
        size_t hint = 0;
        const struct bq_tally *t = bq_tally_first(s->tallies[i]);
        /* One that was made since they were counted has its turn the next time. */
        for (; t && tallies > 0; t = bq_tally_next(t), tallies--) {
            struct bq_route_shown *r = find(routes, t, hint);
            hint = (size_t)(r - routes->items) + 1;
            if (!add(r, t)) {
                bq_routes_shown_release(routes);
                return false;
            }
        }
    }
    return true;
}

void bq_routes_shown_release(struct bq_routes_shown *routes)
{
    for (size_t i = 0; i < routes->count; i++)
        bq_free(routes->items[i].keys);
    bq_free(routes->items);
}
