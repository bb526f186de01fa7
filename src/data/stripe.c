/* stripe.c: linear hashing, eviction and expiry under one byte budget. */
#include "data/stripe.h"

#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>

#define SEGMENT_BUCKETS ((size_t)32)
#define SEGMENT_BYTES   (SEGMENT_BUCKETS * sizeof(struct bq_entry *))
#define PAGE_BYTES      ((size_t)4096)
#define MAPPED_BYTES    ((size_t)128 << 10) /* from here on malloc asks the kernel, in pages */
#define SWEEP_BUCKETS   2                   /* looked through for expired entries by each write */

static size_t header_bytes(size_t n)
{
    return n < MAPPED_BYTES ? 8 : 16;
}

size_t bq_stripe_cost(size_t n)
{
    size_t unit = n < MAPPED_BYTES ? 16 : PAGE_BYTES;
    return (n + header_bytes(n) + unit - 1) & ~(unit - 1);
}

static size_t entry_cost(size_t key_n, size_t value_n)
{
    return bq_stripe_cost(sizeof(struct bq_entry) + key_n + value_n);
}

static size_t cost_of(const struct bq_entry *e)
{
    return entry_cost(e->key_n, e->value_n);
}

/* One bucket for each entry that could ever fit. */
static size_t directory_size(size_t bytes_max)
{
    return bytes_max / entry_cost(0, 0) / SEGMENT_BUCKETS + 1;
}

/* Directory and segments take 14 % of the budget if all entries are empty; three
 * quarters are always there for one entry. */
size_t bq_stripe_entry_bytes_max(const struct bq_stripe *s)
{
    size_t max = s->bytes_max / 4 * 3 - sizeof(struct bq_entry);
    max -= max < MAPPED_BYTES ? 24 : 2 * PAGE_BYTES; /* no less than bq_stripe_cost adds */
    return max < UINT32_MAX ? max : UINT32_MAX;
}

static bool add_segment(struct bq_stripe *s)
{
    assert(s->segments < directory_size(s->bytes_max));
    struct bq_entry **segment = bq_alloc_zero(SEGMENT_BYTES);
    if (!segment)
        return false;
    s->directory[s->segments++] = segment;
    s->bytes += bq_stripe_cost(SEGMENT_BYTES);
    return true;
}

int bq_stripe_init(struct bq_stripe *s, size_t bytes_max, uint64_t (*now_ms)(void))
{
    size_t directory_bytes = directory_size(bytes_max) * sizeof *s->directory;
    *s = (struct bq_stripe){.now_ms = now_ms, .bytes_max = bytes_max};
    assert(bq_stripe_cost(directory_bytes) +
               directory_size(bytes_max) * bq_stripe_cost(SEGMENT_BYTES) <=
           bytes_max / 4);
    s->directory = bq_alloc_zero(directory_bytes);
    if (!s->directory)
        return BQ_MEMORY;
    s->bytes = bq_stripe_cost(directory_bytes);
    if (!add_segment(s)) {
        bq_free(s->directory);
        return BQ_MEMORY;
    }
    s->buckets = 1;
    bq_list_init(&s->used);
    for (size_t i = 0; i < BQ_STRIPE_FLIGHT_LISTS; i++)
        bq_list_init(&s->flights[i]);
    bq_list_init(&s->left);
    pthread_mutex_init(&s->lock, NULL);
    return BQ_OK;
}

void bq_stripe_release(struct bq_stripe *s)
{
    bq_stripe_clear(s);
    bq_free(s->directory[0]);
    bq_free(s->directory);
    pthread_mutex_destroy(&s->lock);
}

static struct bq_entry **bucket_at(const struct bq_stripe *s, size_t i)
{
    return &s->directory[i / SEGMENT_BUCKETS][i % SEGMENT_BUCKETS];
}

/* A bucket that is not split off yet is part of the one without the top bit. */
static struct bq_entry **bucket_of(const struct bq_stripe *s, uint64_t hash)
{
    size_t i = hash & s->mask;
    return bucket_at(s, i < s->buckets ? i : i & (s->mask >> 1));
}

static bool has_expired(const struct bq_entry *e, uint64_t now_ms)
{
    return e->expires_ms && e->expires_ms <= now_ms;
}

static void unlink_entry(struct bq_stripe *s, struct bq_entry *e)
{
    struct bq_entry **at = bucket_of(s, e->hash);
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    bq_list_remove(&e->used);
    s->entries--;
    s->mortal -= e->expires_ms != 0;
    s->bytes -= cost_of(e);
}

void bq_stripe_drop(struct bq_stripe *s, struct bq_entry *e)
{
    unlink_entry(s, e);
    bq_free(e);
}

static void drop_expired(struct bq_stripe *s, struct bq_entry *e)
{
    bq_stripe_drop(s, e);
    s->expired++;
}

struct bq_entry *bq_stripe_find(struct bq_stripe *s, bq_str key, uint64_t hash)
{
    struct bq_entry *e = *bucket_of(s, hash);
    while (e && !(e->hash == hash && bq_str_eq(bq_entry_key(e), key)))
        e = e->next;
    if (e && e->expires_ms && has_expired(e, s->now_ms())) {
        drop_expired(s, e);
        return NULL;
    }
    return e;
}

void bq_stripe_touch(struct bq_stripe *s, struct bq_entry *e)
{
    bq_list_remove(&e->used);
    bq_list_push(&s->used, &e->used);
}

static struct bq_entry *oldest(struct bq_stripe *s)
{
    struct bq_node *node = bq_list_peek(&s->used);
    return node ? BQ_CONTAINER(node, struct bq_entry, used) : NULL;
}

static void make_room(struct bq_stripe *s, size_t bytes)
{
    while (s->bytes + bytes > s->bytes_max) {
        struct bq_entry *e = oldest(s);
        assert(e); /* bq_stripe_entry_bytes_max sees to it */
        bq_stripe_drop(s, e);
        s->evictions++;
    }
}

static void split(struct bq_stripe *s, size_t from, size_t to)
{
    struct bq_entry **keep = bucket_at(s, from), **move = bucket_at(s, to);
    struct bq_entry *e = *keep;
    while (e) {
        struct bq_entry ***end = (e->hash & s->mask) == to ? &move : &keep;
        **end = e;
        *end = &e->next;
        e = e->next;
    }
    *keep = *move = NULL;
}

/* One more bucket when there is less than one for each entry. Without memory the
 * buckets only get longer. */
static void grow(struct bq_stripe *s)
{
    if (s->entries < s->buckets)
        return;
    if (s->buckets == s->segments * SEGMENT_BUCKETS) {
        make_room(s, bq_stripe_cost(SEGMENT_BYTES));
        if (s->entries < s->buckets || !add_segment(s))
            return;
    }
    size_t to = s->buckets++;
    if (to > s->mask)
        s->mask = s->mask * 2 + 1;
    split(s, to & (s->mask >> 1), to);
}

/* Expired entries that nobody asks for again would otherwise stay until evicted. */
static void sweep(struct bq_stripe *s)
{
    if (s->mortal == 0)
        return;
    uint64_t now = s->now_ms();
    for (int i = 0; i < SWEEP_BUCKETS; i++) {
        s->cursor = s->cursor + 1 < s->buckets ? s->cursor + 1 : 0;
        for (struct bq_entry *e = *bucket_at(s, s->cursor), *next; e; e = next) {
            next = e->next;
            if (has_expired(e, now))
                drop_expired(s, e);
        }
    }
}

static void write_value(struct bq_stripe *s, struct bq_entry *e, bq_str value, uint64_t expires_ms)
{
    s->mortal += (expires_ms != 0) - (e->expires_ms != 0);
    e->expires_ms = expires_ms;
    e->version = ++s->version;
    e->value_n = (uint32_t)value.n;
    if (value.n)
        memcpy(e->bytes + e->key_n, value.p, value.n);
}

static void insert(struct bq_stripe *s, struct bq_entry *e, bq_str value, uint64_t expires_ms)
{
    size_t cost = entry_cost(e->key_n, value.n);
    grow(s);
    make_room(s, cost);
    struct bq_entry **bucket = bucket_of(s, e->hash);
    e->next = *bucket;
    *bucket = e;
    bq_list_push(&s->used, &e->used);
    s->entries++;
    s->bytes += cost;
    write_value(s, e, value, expires_ms);
}

/* An entry takes all that it costs: a later value of the same cost is written in place. */
static struct bq_entry *new_entry(bq_str key, uint64_t hash, size_t value_n)
{
    size_t n = sizeof(struct bq_entry) + key.n + value_n;
    struct bq_entry *e = bq_alloc(bq_stripe_cost(n) - header_bytes(n));
    if (!e)
        return NULL;
    *e = (struct bq_entry){.hash = hash, .key_n = (uint32_t)key.n};
    if (key.n)
        memcpy(e->bytes, key.p, key.n);
    return e;
}

int bq_stripe_put(struct bq_stripe *s, struct bq_entry *old, bq_str key, uint64_t hash,
                  bq_str value, uint64_t expires_ms)
{
    size_t max = bq_stripe_entry_bytes_max(s);
    if (key.n > max || value.n > max - key.n)
        return BQ_LIMIT;
    if (old && cost_of(old) == entry_cost(key.n, value.n)) {
        write_value(s, old, value, expires_ms);
        bq_stripe_touch(s, old);
    } else {
        struct bq_entry *e = new_entry(key, hash, value.n);
        if (!e)
            return BQ_MEMORY;
        if (old)
            bq_stripe_drop(s, old);
        insert(s, e, value, expires_ms);
    }
    sweep(s);
    return BQ_OK;
}

void bq_stripe_expire(struct bq_stripe *s)
{
    if (s->mortal == 0)
        return;
    uint64_t now = s->now_ms();
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct bq_entry *e = *bucket_at(s, i), *next; e; e = next) {
            next = e->next;
            if (has_expired(e, now))
                drop_expired(s, e);
        }
    }
}

void bq_stripe_clear(struct bq_stripe *s)
{
    struct bq_entry *e;
    while ((e = oldest(s)))
        bq_stripe_drop(s, e);
    while (s->segments > 1) {
        bq_free(s->directory[--s->segments]);
        s->bytes -= bq_stripe_cost(SEGMENT_BYTES);
    }
    s->buckets = 1;
    s->mask = s->cursor = 0;
}

bool bq_stripe_each(struct bq_stripe *s, bool (*fn)(void *arg, const struct bq_entry *e), void *arg)
{
    bq_stripe_expire(s);
    for (size_t i = 0; i < s->buckets; i++)
        for (struct bq_entry *e = *bucket_at(s, i); e; e = e->next)
            if (!fn(arg, e))
                return false;
    return true;
}
