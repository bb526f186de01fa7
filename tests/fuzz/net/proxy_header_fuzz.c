/* proxy_header_fuzz.c: whole, byte by byte and in pieces that the first byte chooses, a header is
 * the same; it is no longer than it may be, and what it leaves is what follows it. */
#include "net/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

struct outcome {
    enum bq_proxy_result result;
    size_t used;
    struct bq_proxy_header header;
};

static struct outcome play(bq_str bytes, size_t piece)
{
    struct outcome o = {.result = BQ_PROXY_MORE};
    bq_proxy_header_init(&o.header);
    while (o.result == BQ_PROXY_MORE && o.used < bytes.n) {
        size_t left = bytes.n - o.used, size = left < piece ? left : piece;
        char *copy = malloc(size);
        memcpy(copy, bytes.p + o.used, size);
        bq_str in = bq_str_of(copy, size);
        o.result = bq_proxy_header_feed(&o.header, &in);
        demand(in.p == copy + size - in.n);
        demand(o.result != BQ_PROXY_MORE || in.n == 0);
        o.used += size - in.n;
        free(copy);
    }
    return o;
}

static void check(const struct outcome *o, bq_str bytes)
{
    if (o->result == BQ_PROXY_BAD)
        demand(o->header.why != NULL);
    if (o->result != BQ_PROXY_DONE)
        return;
    bool binary = bytes.p[0] == '\r';
    demand(o->used <= (binary ? 16 + BQ_PROXY_V2_BYTES_MAX : BQ_PROXY_V1_BYTES_MAX));
    if (!binary)
        demand(bytes.p[o->used - 1] == '\n' && bytes.p[o->used - 2] == '\r');
    if (o->header.named && o->header.client.family != AF_UNIX)
        demand(bq_peer_ip(&o->header.client).bits != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    bq_str bytes = bq_str_of((const char *)data + 1, n - 1);
    const size_t pieces[] = {bytes.n, 1, data[0] + 1u};
    struct outcome first = play(bytes, pieces[0]);
    check(&first, bytes);
    for (size_t i = 1; i < 3; i++) {
        struct outcome other = play(bytes, pieces[i]);
        demand(other.result == first.result && other.header.named == first.header.named);
        if (first.result == BQ_PROXY_DONE)
            demand(other.used == first.used &&
                   memcmp(&other.header.client, &first.header.client, sizeof(struct bq_peer)) == 0);
    }
    return 0;
}
