/* h1_parse_fuzz.c: whole, byte by byte and at random cuts, any bytes must come to the
 * same requests and the same refusal. */
#include "../../unit/http/h1_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct bq_h1_limits limits = {64, 512, 8};

static void expect_same(bq_str bytes, const struct play *whole, play_piece_fn piece, void *arg)
{
    struct play p;
    play_bytes(&p, &limits, bytes, piece, arg);
    if (p.wrong || !bq_str_eq(bq_buf_str(&p.log), bq_buf_str(&whole->log)))
        abort();
    play_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bq_str bytes = bq_str_of((const char *)data, n);
    struct play whole;
    play_bytes(&whole, &limits, bytes, piece_whole, NULL);
    if (whole.wrong)
        abort();
    expect_same(bytes, &whole, piece_byte, NULL);
    expect_same(bytes, &whole, piece_random, &(uint32_t){(uint32_t)n + 1});
    play_release(&whole);
    return 0;
}
