/*
 * shared.h: barq.shared, named stores of bytes in memory that all workers share.
 *
 * A store is a hash table in stripes, each with its lock, its share of the
 * byte budget and its own least-recently-used list; what does not fit evicts what
 * was used longest ago. Values are bytes here; lua_pack.c gives them their Lua
 * form. Entries carry a version, which makes an update outside the lock safe
 * (compare and set), and an optional expiry. flight.h adds single flight.
 */
#ifndef BQ_DATA_SHARED_H
#define BQ_DATA_SHARED_H

#include "base/buf.h"

#include <stdint.h>

struct bq_stores; /* all stores of the process, by name; outlives the workers */
struct bq_store;

#define BQ_STORES_MAX           1024
#define BQ_STORE_NAME_BYTES_MAX 255
#define BQ_STORE_BYTES_DEFAULT  ((size_t)64 << 20)
#define BQ_STORE_BYTES_MIN      ((size_t)64 << 10)
#define BQ_STORE_STRIPES        16
#define BQ_STORE_KEY_BYTES_MAX  1024

/* The first byte of a value that is a number; a double in the machine's byte order
 * follows, and nothing else. */
#define BQ_STORE_NUMBER 'n'

/* For bq_store_replace: the entry's expiry stays as it is. */
#define BQ_STORE_TTL_KEEP UINT64_MAX

/* Fails: NULL without memory or random numbers. */
struct bq_stores *bq_stores_new(void);

/* Every loop and Lua state that used them is gone. */
void bq_stores_free(struct bq_stores *s);

/* The store of that name, made at first use with that byte budget (0: whatever it was
 * opened with, BQ_STORE_BYTES_DEFAULT at first use). The budget covers keys, values,
 * the tables and the heap's overhead. Valid: until bq_stores_free. Thread: any.
 * Fails: BQ_MEMORY, BQ_CONFLICT (opened before with another budget), BQ_LIMIT (a budget
 * below BQ_STORE_BYTES_MIN, a name too long, more than BQ_STORES_MAX stores). */
int bq_stores_open(struct bq_stores *s, bq_str name, size_t bytes_max, struct bq_store **out);

/* Stores opened from now on measure expiry with this clock, for tests. */
void bq_stores_set_clock(struct bq_stores *s, uint64_t (*now_ms)(void));

/* A NUL follows it. */
bq_str bq_store_name(const struct bq_store *s);

/* Key and value of one entry have this many bytes together at most. */
size_t bq_store_entry_bytes_max(const struct bq_store *s);

/* Below, ttl_ms is milliseconds from now, 0 for no expiry. Thread: any. A key longer than
 * BQ_STORE_KEY_BYTES_MAX is never there. */

/* Appends the value and gives its version (which may be NULL; never 0, and no key ever
 * has the same one twice). Fails: BQ_NOT_FOUND, BQ_MEMORY. */
int bq_store_get(struct bq_store *s, bq_str key, struct bq_buf *out, uint64_t *version);

/* Fails: BQ_LIMIT (the key is too long, or the entry larger than
 * bq_store_entry_bytes_max), BQ_MEMORY; the old value is still there then. */
int bq_store_set(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms);

/* Fails like set, and BQ_CONFLICT (the key is there). */
int bq_store_add(struct bq_store *s, bq_str key, bq_str value, uint64_t ttl_ms);

/* Sets only if the key's version is still that (0: the key is absent). An n = 0,
 * p = NULL value deletes. ttl_ms may be BQ_STORE_TTL_KEEP.
 * Fails like set, and BQ_CONFLICT (changed meanwhile). */
int bq_store_replace(struct bq_store *s, bq_str key, uint64_t version, bq_str value,
                     uint64_t ttl_ms);

/* Atomically adds to a number; an absent key starts from init and gets ttl_ms, one
 * that is there keeps its expiry. The sum comes back.
 * Fails: BQ_INVALID (not a number, or the sum is not finite), like set. */
int bq_store_incr(struct bq_store *s, bq_str key, double delta, double init, uint64_t ttl_ms,
                  double *sum);

/* Whether it was there. */
bool bq_store_delete(struct bq_store *s, bq_str key);

/* Milliseconds left: -1 without expiry. Fails: BQ_NOT_FOUND. */
int bq_store_ttl(struct bq_store *s, bq_str key, int64_t *left_ms);

/* Calls fn for each live key with that prefix, in no order, with its stripe locked: fn
 * must be brief and not call the store. Stops when fn returns false. */
void bq_store_each(struct bq_store *s, bq_str prefix, bool (*fn)(void *arg, bq_str key), void *arg);

void bq_store_clear(struct bq_store *s);

struct bq_store_counts {
    uint64_t entries, bytes, bytes_max, hits, misses, evictions, expired;
};

/* Entries are the live ones: where some have an expiry, this walks through all. */
struct bq_store_counts bq_store_counts(struct bq_store *s);

#endif
