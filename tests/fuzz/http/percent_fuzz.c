/* percent_fuzz.c: any bytes survive encoding and decoding, and what decodes never
 * grows. */
#include "http/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str in = bq_str_of((const char *)data, n), out;
    struct bq_buf encoded = BQ_BUF_INIT;
    struct bq_arena a;
    bq_arena_init(&a, NULL, 0);
    if (bq_percent_decode(&a, in, true, &out) == 0 && out.n > n)
        abort();
    if (bq_percent_encode(&encoded, in) != 0 ||
        bq_percent_decode(&a, bq_buf_str(&encoded), true, &out) != 0 || !bq_str_eq(in, out))
        abort();
    bq_arena_release(&a);
    bq_buf_release(&encoded);
    return 0;
}
