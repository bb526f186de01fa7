/* pool.c: bounded free lists. */
#include "serve/pool.h"

struct bq_spare *bq_pool_take(struct bq_pool *p)
{
    struct bq_spare *spare = p->first;
    if (spare) {
        p->first = spare->next;
        p->count--;
    }
    return spare;
}

bool bq_pool_give(struct bq_pool *p, struct bq_spare *spare)
{
    if (p->count >= p->count_max)
        return false;
    spare->next = p->first;
    p->first = spare;
    p->count++;
    return true;
}

void bq_buf_pool_lend(struct bq_buf_pool *p, struct bq_buf *b)
{
    if (!b->data && p->count)
        *b = p->bufs[--p->count];
}

void bq_buf_pool_give(struct bq_buf_pool *p, struct bq_buf *b)
{
    if (!b->data)
        return;
    if (b->cap > BQ_SPARE_BUF_BYTES || p->count == BQ_SPARE_BUFS) {
        bq_buf_release(b);
        return;
    }
    bq_buf_reset(b);
    p->bufs[p->count++] = *b;
    *b = BQ_BUF_INIT;
}

void bq_buf_pool_release(struct bq_buf_pool *p)
{
    while (p->count)
        bq_buf_release(&p->bufs[--p->count]);
}
