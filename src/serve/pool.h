/*
 * pool.h: a worker's spare parts: what connections borrow for a request and
 * give back, so that the path of a request meets no malloc.
 *
 * Free lists are bounded; what comes back to a full list is freed. The last
 * given is the first taken, since it is warm in the cache.
 */
#ifndef BQ_SERVE_POOL_H
#define BQ_SERVE_POOL_H

#include "base/buf.h"

/* First member of what lies in a pool. */
struct bq_spare {
    struct bq_spare *next;
};

struct bq_pool {
    struct bq_spare *first;
    uint32_t count, count_max;
};

/* NULL when none is left. */
struct bq_spare *bq_pool_take(struct bq_pool *p);

/* False: the pool is full, the caller keeps it. */
bool bq_pool_give(struct bq_pool *p, struct bq_spare *spare);

#define BQ_SPARE_BUFS      64
#define BQ_SPARE_BUF_BYTES ((size_t)64 * 1024) /* a larger one is freed, not kept */

/* Empty buffers that have memory already. */
struct bq_buf_pool {
    struct bq_buf bufs[BQ_SPARE_BUFS];
    uint32_t count;
};

/* Lends memory to a buffer that has none, if there is some. */
void bq_buf_pool_lend(struct bq_buf_pool *p, struct bq_buf *b);

/* Takes b's memory back; b is empty. */
void bq_buf_pool_give(struct bq_buf_pool *p, struct bq_buf *b);

void bq_buf_pool_release(struct bq_buf_pool *p);

#endif
