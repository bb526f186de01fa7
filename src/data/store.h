/*
 * store.h: what a store is made of; for shared.c and flight.c only.
 *
 * A key belongs to one stripe for ever, so its stripe's lock covers its entry, its
 * versions and its flight. The top bits of the hash choose the stripe, the bits below
 * them the list of flights, the lowest the bucket.
 */
#ifndef BQ_DATA_STORE_H
#define BQ_DATA_STORE_H

#include "base/hash.h"
#include "data/shared.h"
#include "data/stripe.h"

struct bq_store {
    struct bq_store *next; /* in bq_stores */
    struct bq_hash_key hash_key;
    size_t bytes_max;
    struct bq_stripe stripes[BQ_STORE_STRIPES];
    size_t name_n;
    char name[];
};

/* The key's stripe, locked, and the key's hash. */
static inline struct bq_stripe *bq_store_lock(struct bq_store *s, bq_str key, uint64_t *hash)
{
    _Static_assert(BQ_STORE_STRIPES == 16, "four bits choose the stripe");
    *hash = bq_hash(&s->hash_key, key);
    struct bq_stripe *stripe = &s->stripes[*hash >> 60];
    pthread_mutex_lock(&stripe->lock);
    return stripe;
}

#endif
