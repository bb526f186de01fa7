/* buf.c: growth, formatting and consumption of byte buffers. */
#include "base/buf.h"

#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

void bq_buf_release(struct bq_buf *b)
{
    bq_free(b->data);
    *b = BQ_BUF_INIT;
}

int bq_buf_grow(struct bq_buf *b, size_t n)
{
    if (b->pos && b->cap - bq_buf_size(b) >= n) {
        memmove(b->data, b->data + b->pos, bq_buf_size(b));
        b->len -= b->pos;
        b->pos = 0;
        return BQ_OK;
    }
    if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
        b->failed = true;
        return BQ_MEMORY;
    }
    size_t cap = b->cap ? b->cap : 256;
    while (cap - b->len < n)
        cap *= 2;
    char *data = bq_realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return BQ_MEMORY;
    }
    b->data = data;
    b->cap = cap;
    return BQ_OK;
}

int bq_buf_printf(struct bq_buf *b, const char *format, ...)
{
    va_list ap, again;
    va_start(ap, format);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    assert(n >= 0);
    int rc = bq_buf_reserve(b, (size_t)n + 1);
    if (rc == BQ_OK) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return rc;
}

void bq_buf_consume(struct bq_buf *b, size_t n)
{
    assert(n <= bq_buf_size(b));
    b->pos += n;
    if (b->pos == b->len)
        b->pos = b->len = 0;
}
