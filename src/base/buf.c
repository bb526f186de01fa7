/* buf.c: growth, formatting and consumption of byte buffers. */
#include "base/buf.h"

#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define CAP_MIN ((size_t)256)
/* So that no sum and no doubling overflows. */
#define BYTES_MAX (SIZE_MAX / 8)

void bq_buf_release(struct bq_buf *b)
{
    bq_free(b->data);
    *b = BQ_BUF_INIT;
}

static void move_to_front(struct bq_buf *b)
{
    size_t size = bq_buf_size(b);
    memmove(b->data, b->data + b->pos, size);
    b->pos = 0;
    b->len = size;
}

/* At least doubles the memory, to room for `need` bytes from the first unconsumed one. */
static int enlarge(struct bq_buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap * 2 : CAP_MIN;
    while (cap < need)
        cap *= 2;
    char *data = bq_realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return BQ_MEMORY;
    }
    b->data = data;
    b->cap = cap;
    if (b->pos)
        move_to_front(b);
    return BQ_OK;
}

int bq_buf_grow(struct bq_buf *b, size_t n)
{
    size_t size = bq_buf_size(b);
    /* A move of no more bytes than were consumed is paid for; a longer one each time a slow
     * reader takes a byte would make the whole quadratic, so there the buffer grows. */
    if (b->pos && b->pos >= size && b->cap - size >= n) {
        move_to_front(b);
        return BQ_OK;
    }
    if (n > BYTES_MAX || size > BYTES_MAX) {
        b->failed = true;
        return BQ_MEMORY;
    }
    return enlarge(b, size + n);
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
