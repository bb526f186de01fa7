/*
 * shared.h: barq.shared, named stores of bytes in memory that all workers share.
 *
 * A store is a hash table in stripes, each with its lock, its share of the
 * byte budget and its own least-recently-used list; what does not fit evicts what
 * was used longest ago. Values are bytes here; lua_shared.c gives them their Lua
 * form. Entries carry a version, which makes an update outside the lock safe
 * (compare and set), and an optional expiry.
 *
 * Single flight (get_or): the first who misses a key becomes its leader and computes;
 * who comes meanwhile waits and is told on its own thread's loop.
 */
#ifndef BQ_DATA_SHARED_H
#define BQ_DATA_SHARED_H

#include "base/buf.h"
#include "net/loop.h"

#include <stdint.h>

struct bq_stores; /* all stores of the process, by name; outlives the workers */
struct bq_store;

#define BQ_STORE_BYTES_DEFAULT ((size_t)64 << 20)
#define BQ_STORE_STRIPES       16
#define BQ_STORE_KEY_BYTES_MAX 1024

/* Fails: NULL without memory. */
struct bq_stores *bq_stores_new(void);
void bq_stores_free(struct bq_stores *s);

/* The store of that name, made at first use with that byte budget (0: the default).
 * A later opening with another budget keeps the first. Thread: any.
 * Fails: BQ_MEMORY, BQ_CONFLICT (opened before with another, non-zero budget). */
int bq_stores_open(struct bq_stores *s, bq_str name, size_t bytes_max, struct bq_store **out);

/* Expiry: milliseconds from now, 0 for none. now_ms is monotonic (bq_store_now_ms). */
uint64_t bq_store_now_ms(void);

/* Appends the value and gives its version. Fails: BQ_NOT_FOUND, BQ_MEMORY. Thread: any
 * (all below). */
int bq_store_get(struct bq_store *s, bq_str key, struct bq_buf *out, uint64_t *version);

/* Fails: BQ_LIMIT (the key is too long, or the entry is larger than a stripe's
 * budget), BQ_MEMORY. */
int bq_store_set(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms);

/* Fails like set, and BQ_CONFLICT (the key is there). */
int bq_store_add(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms);

/* Sets only if the key's version is still that (0: the key is absent). ttl_ms
 * UINT64_MAX keeps the entry's expiry. An n = 0, p = NULL value deletes.
 * Fails like set, and BQ_CONFLICT (changed meanwhile). */
int bq_store_replace(struct bq_store *s, bq_str key, uint64_t version, bq_str value,
                     uint64_t ttl_ms);

/* Atomically adds to a number (8 bytes behind the tag that lua_shared.c writes for
 * numbers); an absent key starts from init and gets ttl_ms. The sum comes back.
 * Fails: BQ_INVALID (not a number), like set. */
int bq_store_incr(struct bq_store *s, bq_str key, double delta, double init, uint64_t ttl_ms,
                  double *sum);

/* Whether it was there. */
bool bq_store_delete(struct bq_store *s, bq_str key);

/* Milliseconds left: -1 without expiry. Fails: BQ_NOT_FOUND. */
int bq_store_ttl(struct bq_store *s, bq_str key, int64_t *left_ms);

/* Calls fn for each live key with that prefix, with its stripe locked: fn must be
 * brief and not call the store. Stops when fn returns false. */
void bq_store_each(struct bq_store *s, bq_str prefix, bool (*fn)(void *arg, bq_str key), void *arg);

void bq_store_clear(struct bq_store *s);

struct bq_store_counts {
    uint64_t entries, bytes, bytes_max, hits, misses, evictions, expired;
};
struct bq_store_counts bq_store_counts(struct bq_store *s);

#endif
