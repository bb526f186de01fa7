/*
 * tally.h: what was answered under one name: how often with which status, how fast.
 *
 * A thread that answers has a set of tallies; it alone counts in them, any thread may read them
 * meanwhile. A name that was asked for once keeps its tally until the set goes, so that what is
 * counted never falls, and readers need no lock.
 */
#ifndef BQ_BASE_TALLY_H
#define BQ_BASE_TALLY_H

#include "base/histogram.h"
#include "base/str.h"

#include <pthread.h>

#define BQ_TALLY_PAIRS 6

/* What the counts of answers go by: the request's method (a small number of the caller's) and the
 * answer's status. */
#define BQ_TALLY_KEY(method, status) ((uint32_t)(method)*1000u + (uint32_t)(status))

struct bq_tally_pair {
    _Atomic uint32_t key; /* 0: free */
    struct bq_counter count;
};

struct bq_tally_block {
    struct bq_tally_pair pairs[BQ_TALLY_PAIRS]; /* in use from the front */
    struct bq_tally_block *_Atomic next;
};

struct bq_tally {
    struct bq_tally *_Atomic next;          /* of the set */
    struct bq_tally *same;                  /* the next in a place of its index; under its lock */
    struct bq_histogram *_Atomic durations; /* NULL: nothing was counted yet */
    struct bq_counter bytes;                /* of the answers' bodies */
    struct bq_counter holds;                /* calls into Lua that kept the thread for long */
    struct bq_counter holds_ms;             /* … in all */
    struct bq_counter moved;                /* connections that others took over meanwhile */
    struct bq_tally_block block;
    bq_str kind, name; /* "GET", "/items/{id}" */
};

#define BQ_TALLY_PLACES 256

struct bq_tallies {
    struct bq_tally *_Atomic first;
    pthread_mutex_t lock; /* for looking one up, and for what follows */
    struct bq_tally *_Atomic *end;
    struct bq_tally *index[BQ_TALLY_PLACES]; /* by the name's hash */
};

void bq_tallies_init(struct bq_tallies *set);

/* Nobody counts or reads any more. */
void bq_tallies_release(struct bq_tallies *set);

/* The tally of that name, a new one if there is none. Fails: NULL without memory. Thread: any. */
struct bq_tally *bq_tally_get(struct bq_tallies *set, bq_str kind, bq_str name);

/* Counts an answer. Without memory for it its duration is left out. Thread: the set's. */
void bq_tally_add(struct bq_tally *t, uint32_t key, uint64_t us, uint64_t bytes);

/* How often it was that key. Thread: any. */
uint64_t bq_tally_count(const struct bq_tally *t, uint32_t key);

/* Calls fn for each key that was counted, with its count until now. Thread: any. */
void bq_tally_each(const struct bq_tally *t, void (*fn)(void *arg, uint32_t key, uint64_t count),
                   void *arg);

/* The first of a set, and the one after. Thread: any. */
const struct bq_tally *bq_tally_first(const struct bq_tallies *set);
const struct bq_tally *bq_tally_next(const struct bq_tally *t);

#endif
