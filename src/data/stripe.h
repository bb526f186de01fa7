/*
 * stripe.h: one sixteenth of a store: a hash table with a byte budget.
 *
 * The table grows by linear hashing (Litwin 1980; Larson 1988): each insertion beyond
 * one entry a bucket splits one bucket, so that no write ever rehashes the table. The
 * buckets lie in small segments under a directory that is sized for the budget at
 * once: growing copies nothing. Whoever calls holds the lock.
 *
 *   directory ─> segment of 32 buckets ─> entry ─> entry (same bucket)
 *                                           └ used: least recently used first
 */
#ifndef BQ_DATA_STRIPE_H
#define BQ_DATA_STRIPE_H

#include "base/list.h"
#include "base/str.h"

#include <pthread.h>

#define BQ_STRIPE_FLIGHT_LISTS 8

struct bq_entry {
    struct bq_entry *next; /* in its bucket */
    struct bq_node used;
    uint64_t hash;
    uint64_t version;
    uint64_t expires_ms; /* 0: never */
    uint32_t key_n, value_n;
    char bytes[]; /* the key, then the value */
};

struct bq_stripe {
    pthread_mutex_t lock;
    uint64_t (*now_ms)(void);
    struct bq_entry ***directory;
    size_t segments;
    size_t buckets; /* in use; a bucket's number has log2(mask + 1) bits, or one less */
    size_t mask;
    size_t cursor;          /* the bucket that is swept next */
    size_t entries, mortal; /* mortal ones have an expiry */
    size_t bytes, bytes_max;
    struct bq_list used;
    uint64_t version; /* the last one given: no entry ever gets one twice */
    uint64_t hits, misses, evictions, expired;
    struct bq_list flights[BQ_STRIPE_FLIGHT_LISTS]; /* these two are flight.c's */
    struct bq_list left;
};

/* Fails: BQ_MEMORY. */
int bq_stripe_init(struct bq_stripe *s, size_t bytes_max, uint64_t (*now_ms)(void));
void bq_stripe_release(struct bq_stripe *s);

/* What a block of n bytes costs the budget: it, the heap's own header and rounding. */
size_t bq_stripe_cost(size_t n);

/* Key and value of one entry have this many bytes together at most. */
size_t bq_stripe_entry_bytes_max(const struct bq_stripe *s);

/* The live entry, or NULL; an expired one is dropped. */
struct bq_entry *bq_stripe_find(struct bq_stripe *s, bq_str key, uint64_t hash);

/* Makes the entry the last to be evicted. */
void bq_stripe_touch(struct bq_stripe *s, struct bq_entry *e);

/* Stores the value over old (what bq_stripe_find gave for the key), evicting others
 * as needed. expires_ms: 0 for never.
 * Fails: BQ_LIMIT (larger than bq_stripe_entry_bytes_max), BQ_MEMORY; then nothing is
 * changed. */
int bq_stripe_put(struct bq_stripe *s, struct bq_entry *old, bq_str key, uint64_t hash,
                  bq_str value, uint64_t expires_ms);

void bq_stripe_drop(struct bq_stripe *s, struct bq_entry *e);

/* Drops all that has expired. */
void bq_stripe_expire(struct bq_stripe *s);

void bq_stripe_clear(struct bq_stripe *s);

/* Calls fn for each live entry until it returns false; whether none did. fn must not
 * change the stripe. */
bool bq_stripe_each(struct bq_stripe *s, bool (*fn)(void *arg, const struct bq_entry *e),
                    void *arg);

static inline bq_str bq_entry_key(const struct bq_entry *e)
{
    return bq_str_of(e->bytes, e->key_n);
}

static inline bq_str bq_entry_value(const struct bq_entry *e)
{
    return bq_str_of(e->bytes + e->key_n, e->value_n);
}

#endif
