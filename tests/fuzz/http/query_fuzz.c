/* query_fuzz.c: the pairs of a query, joined again, are the query without its empty
 * pieces. */
#include "http/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Drops a byte that equals its forerunner '&', and '&' at both ends. */
static void squeeze(struct bq_buf *out, bq_str s)
{
    bool gap = true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '&' || !gap)
            bq_buf_push(out, s.p[i]);
        gap = s.p[i] == '&';
    }
    if (out->len && out->data[out->len - 1] == '&')
        out->len--;
}

static bool had_equals(bq_str name, const char *end)
{
    return name.p + name.n < end && name.p[name.n] == '=';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str in = bq_str_of((const char *)data, n), rest = in, name, value;
    struct bq_buf joined = BQ_BUF_INIT, squeezed = BQ_BUF_INIT;
    while (bq_query_next(&rest, &name, &value)) {
        if (joined.len)
            bq_buf_push(&joined, '&');
        bq_buf_append(&joined, name);
        if (had_equals(name, in.p + in.n))
            bq_buf_push(&joined, '=');
        bq_buf_append(&joined, value);
    }
    squeeze(&squeezed, in);
    if (rest.n || !bq_str_eq(bq_buf_str(&joined), bq_buf_str(&squeezed)))
        abort();
    bq_buf_release(&joined);
    bq_buf_release(&squeezed);
    return 0;
}
