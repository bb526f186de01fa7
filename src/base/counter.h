/* counter.h: a number that one thread raises and any thread may read. */
#ifndef BQ_BASE_COUNTER_H
#define BQ_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct bq_counter {
    _Atomic uint64_t value;
};

/* Thread: one, always the same: no bus is locked for it. */
static inline void bq_counter_add(struct bq_counter *c, uint64_t n)
{
    uint64_t value = atomic_load_explicit(&c->value, memory_order_relaxed);
    atomic_store_explicit(&c->value, value + n, memory_order_relaxed);
}

/* Thread: any. */
static inline uint64_t bq_counter_read(const struct bq_counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed);
}

#endif
