/*
 * buf.h: a growing byte buffer with a read position.
 *
 * Bytes are appended at the end and consumed at the front. A failed append
 * leaves the contents as they were and sets `failed`, so that a run of appends
 * can be checked once.
 */
#ifndef BQ_BASE_BUF_H
#define BQ_BASE_BUF_H

#include "base/str.h"

struct bq_buf {
    char *data;
    size_t pos; /* first unconsumed byte */
    size_t len; /* behind the last byte */
    size_t cap;
    bool failed; /* an append did not get its memory */
};

#define BQ_BUF_INIT ((struct bq_buf){0})

/* Frees the memory; the buffer is empty and usable. */
void bq_buf_release(struct bq_buf *b);

/* Empties the buffer and keeps its memory. */
static inline void bq_buf_reset(struct bq_buf *b)
{
    b->pos = b->len = 0;
    b->failed = false;
}

static inline size_t bq_buf_size(const struct bq_buf *b)
{
    return b->len - b->pos;
}

static inline bq_str bq_buf_str(const struct bq_buf *b)
{
    return bq_str_of(b->data ? b->data + b->pos : "", b->len - b->pos);
}

/* Makes room for n more bytes at data + len; data may move. Fails: BQ_MEMORY. */
int bq_buf_grow(struct bq_buf *b, size_t n);

static inline int bq_buf_reserve(struct bq_buf *b, size_t n)
{
    return b->cap - b->len >= n ? 0 : bq_buf_grow(b, n);
}

/* s must not point into b. Fails: BQ_MEMORY. */
static inline int bq_buf_append(struct bq_buf *b, bq_str s)
{
    int rc = bq_buf_reserve(b, s.n);
    if (rc == 0 && s.n) {
        memcpy(b->data + b->len, s.p, s.n);
        b->len += s.n;
    }
    return rc;
}

static inline int bq_buf_push(struct bq_buf *b, char c)
{
    return bq_buf_append(b, bq_str_of(&c, 1));
}

/* Appends formatted text. Fails: BQ_MEMORY. */
int bq_buf_printf(struct bq_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops n bytes at the front; the position goes back to 0 when none is left. */
void bq_buf_consume(struct bq_buf *b, size_t n);

#endif
