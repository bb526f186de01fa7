/* shared.c: stores by name, and their operations, each under the lock of one stripe. */
#include "data/shared.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/flight.h"
#include "data/store.h"

#include <math.h>

#define NUMBER_BYTES (1 + sizeof(double))

struct bq_stores {
    pthread_mutex_t lock;   /* for the list */
    struct bq_store *first; /* only ever grows */
    size_t count;
    struct bq_hash_key hash_key;
    uint64_t (*now_ms)(void);
};

struct bq_stores *bq_stores_new(void)
{
    struct bq_stores *s = bq_alloc_zero(sizeof *s);
    if (!s)
        return NULL;
    if (bq_hash_key_init(&s->hash_key) != BQ_OK) {
        bq_free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->now_ms = bq_clock_ms;
    return s;
}

void bq_stores_set_clock(struct bq_stores *s, uint64_t (*now_ms)(void))
{
    s->now_ms = now_ms;
}

static void free_store(struct bq_store *s, size_t stripes)
{
    for (size_t i = 0; i < stripes; i++) {
        bq_flights_release(&s->stripes[i]);
        bq_stripe_release(&s->stripes[i]);
    }
    bq_free(s);
}

void bq_stores_free(struct bq_stores *s)
{
    if (!s)
        return;
    for (struct bq_store *store = s->first, *next; store; store = next) {
        next = store->next;
        free_store(store, BQ_STORE_STRIPES);
    }
    pthread_mutex_destroy(&s->lock);
    bq_free(s);
}

static struct bq_store *new_store(const struct bq_stores *all, bq_str name, size_t bytes_max)
{
    size_t own_bytes = sizeof(struct bq_store) + name.n + 1;
    struct bq_store *s = bq_alloc_zero(own_bytes);
    if (!s)
        return NULL;
    s->hash_key = all->hash_key;
    s->bytes_max = bytes_max;
    s->name_n = name.n;
    if (name.n)
        memcpy(s->name, name.p, name.n);
    size_t share = (bytes_max - bq_stripe_cost(own_bytes)) / BQ_STORE_STRIPES;
    for (size_t i = 0; i < BQ_STORE_STRIPES; i++) {
        if (bq_stripe_init(&s->stripes[i], share, all->now_ms) != BQ_OK) {
            free_store(s, i);
            return NULL;
        }
    }
    return s;
}

static struct bq_store *find_store(const struct bq_stores *s, bq_str name)
{
    struct bq_store *store = s->first;
    while (store && !bq_str_eq(bq_store_name(store), name))
        store = store->next;
    return store;
}

static int open_locked(struct bq_stores *s, bq_str name, size_t bytes_max, struct bq_store **out)
{
    *out = find_store(s, name);
    if (*out)
        return bytes_max == 0 || bytes_max == (*out)->bytes_max ? BQ_OK : BQ_CONFLICT;
    if (s->count == BQ_STORES_MAX)
        return BQ_LIMIT;
    *out = new_store(s, name, bytes_max ? bytes_max : BQ_STORE_BYTES_DEFAULT);
    if (!*out)
        return BQ_MEMORY;
    (*out)->next = s->first;
    s->first = *out;
    s->count++;
    return BQ_OK;
}

int bq_stores_open(struct bq_stores *s, bq_str name, size_t bytes_max, struct bq_store **out)
{
    if (name.n > BQ_STORE_NAME_BYTES_MAX || (bytes_max && bytes_max < BQ_STORE_BYTES_MIN))
        return BQ_LIMIT;
    pthread_mutex_lock(&s->lock);
    int rc = open_locked(s, name, bytes_max, out);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

bq_str bq_store_name(const struct bq_store *s)
{
    return bq_str_of(s->name, s->name_n);
}

size_t bq_store_entry_bytes_max(const struct bq_store *s)
{
    return bq_stripe_entry_bytes_max(&s->stripes[0]);
}

static uint64_t expiry(const struct bq_stripe *stripe, uint64_t ttl_ms)
{
    if (ttl_ms == 0)
        return 0;
    uint64_t now = stripe->now_ms();
    return ttl_ms < UINT64_MAX - now ? now + ttl_ms : 0;
}

int bq_store_get(struct bq_store *s, bq_str key, struct bq_buf *out, uint64_t *version)
{
    uint64_t hash;
    int rc = BQ_NOT_FOUND;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    if (e) {
        stripe->hits++;
        bq_stripe_touch(stripe, e);
        if (version)
            *version = e->version;
        rc = bq_buf_append(out, bq_entry_value(e));
    } else {
        stripe->misses++;
    }
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

int bq_store_set(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms)
{
    if (key.n > BQ_STORE_KEY_BYTES_MAX)
        return BQ_LIMIT;
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    int rc = bq_stripe_put(stripe, bq_stripe_find(stripe, key, hash), key, hash, value,
                           expiry(stripe, ttl_ms));
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

int bq_store_add(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms)
{
    if (key.n > BQ_STORE_KEY_BYTES_MAX)
        return BQ_LIMIT;
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    int rc = BQ_CONFLICT;
    if (!bq_stripe_find(stripe, key, hash))
        rc = bq_stripe_put(stripe, NULL, key, hash, value, expiry(stripe, ttl_ms));
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

static int replace_locked(struct bq_stripe *stripe, bq_str key, uint64_t hash, uint64_t version,
                          bq_str value, uint64_t ttl_ms)
{
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    if ((e ? e->version : 0) != version)
        return BQ_CONFLICT;
    if (!value.p) {
        if (e)
            bq_stripe_drop(stripe, e);
        return BQ_OK;
    }
    uint64_t expires_ms = e ? e->expires_ms : 0;
    if (ttl_ms != BQ_STORE_TTL_KEEP)
        expires_ms = expiry(stripe, ttl_ms);
    return bq_stripe_put(stripe, e, key, hash, value, expires_ms);
}

int bq_store_replace(struct bq_store *s, bq_str key, uint64_t version, bq_str value,
                     uint64_t ttl_ms)
{
    if (key.n > BQ_STORE_KEY_BYTES_MAX)
        return BQ_LIMIT;
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    int rc = replace_locked(stripe, key, hash, version, value, ttl_ms);
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

/* Fails: BQ_INVALID. */
static int number_of(const struct bq_entry *e, double *number)
{
    bq_str value = bq_entry_value(e);
    if (value.n != NUMBER_BYTES || value.p[0] != BQ_STORE_NUMBER)
        return BQ_INVALID;
    memcpy(number, value.p + 1, sizeof *number);
    return BQ_OK;
}

static int incr_locked(struct bq_stripe *stripe, bq_str key, uint64_t hash, double delta,
                       uint64_t ttl_ms, double *sum)
{
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    if (e && number_of(e, sum) != BQ_OK)
        return BQ_INVALID;
    *sum += delta;
    if (!isfinite(*sum))
        return BQ_INVALID;
    char value[NUMBER_BYTES] = {BQ_STORE_NUMBER};
    memcpy(value + 1, sum, sizeof *sum);
    return bq_stripe_put(stripe, e, key, hash, bq_str_of(value, sizeof value),
                         e ? e->expires_ms : expiry(stripe, ttl_ms));
}

int bq_store_incr(struct bq_store *s, bq_str key, double delta, double init, uint64_t ttl_ms,
                  double *sum)
{
    if (key.n > BQ_STORE_KEY_BYTES_MAX)
        return BQ_LIMIT;
    uint64_t hash;
    *sum = init;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    int rc = incr_locked(stripe, key, hash, delta, ttl_ms, sum);
    pthread_mutex_unlock(&stripe->lock);
    return rc;
}

bool bq_store_delete(struct bq_store *s, bq_str key)
{
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    if (e)
        bq_stripe_drop(stripe, e);
    pthread_mutex_unlock(&stripe->lock);
    return e != NULL;
}

int bq_store_ttl(struct bq_store *s, bq_str key, int64_t *left_ms)
{
    uint64_t hash;
    struct bq_stripe *stripe = bq_store_lock(s, key, &hash);
    struct bq_entry *e = bq_stripe_find(stripe, key, hash);
    uint64_t expires_ms = e ? e->expires_ms : 0;
    if (expires_ms) {
        uint64_t now = stripe->now_ms();
        *left_ms = expires_ms > now ? (int64_t)(expires_ms - now) : 0;
    } else {
        *left_ms = -1;
    }
    pthread_mutex_unlock(&stripe->lock);
    return e ? BQ_OK : BQ_NOT_FOUND;
}

struct each {
    bq_str prefix;
    bool (*fn)(void *arg, bq_str key);
    void *arg;
};

static bool each_entry(void *arg, const struct bq_entry *e)
{
    const struct each *each = arg;
    return !bq_str_starts(bq_entry_key(e), each->prefix) || each->fn(each->arg, bq_entry_key(e));
}

void bq_store_each(struct bq_store *s, bq_str prefix, bool (*fn)(void *arg, bq_str key), void *arg)
{
    struct each each = {prefix, fn, arg};
    bool more = true;
    for (size_t i = 0; i < BQ_STORE_STRIPES && more; i++) {
        pthread_mutex_lock(&s->stripes[i].lock);
        more = bq_stripe_each(&s->stripes[i], each_entry, &each);
        pthread_mutex_unlock(&s->stripes[i].lock);
    }
}

void bq_store_clear(struct bq_store *s)
{
    for (size_t i = 0; i < BQ_STORE_STRIPES; i++) {
        pthread_mutex_lock(&s->stripes[i].lock);
        bq_stripe_clear(&s->stripes[i]);
        pthread_mutex_unlock(&s->stripes[i].lock);
    }
}

static void count_stripe(struct bq_stripe *stripe, struct bq_store_counts *counts)
{
    bq_stripe_expire(stripe);
    counts->entries += stripe->entries;
    counts->bytes += stripe->bytes;
    counts->hits += stripe->hits;
    counts->misses += stripe->misses;
    counts->evictions += stripe->evictions;
    counts->expired += stripe->expired;
}

struct bq_store_counts bq_store_counts(struct bq_store *s)
{
    struct bq_store_counts counts = {.bytes_max = s->bytes_max};
    counts.bytes = bq_stripe_cost(sizeof *s + s->name_n + 1);
    for (size_t i = 0; i < BQ_STORE_STRIPES; i++) {
        pthread_mutex_lock(&s->stripes[i].lock);
        count_stripe(&s->stripes[i], &counts);
        pthread_mutex_unlock(&s->stripes[i].lock);
    }
    return counts;
}
