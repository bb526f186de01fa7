/* proxy_header.c: PROXY headers, from bytes in any pieces. */
#include "net/proxy_header.h"

#include "base/rc.h"

#define V1_START    "PROXY "
#define V2_START    "\r\n\r\n\0\r\nQUIT\n"
#define START_BYTES (sizeof V2_START - 1)
#define HEAD_BYTES  16 /* of version 2: signature, version and command, family, length */

/* Addresses of version 2, with their ports. */
#define INET_BYTES  12
#define INET6_BYTES 36
#define UNIX_BYTES  216

void bq_proxy_header_init(struct bq_proxy_header *h)
{
    memset(h, 0, offsetof(struct bq_proxy_header, bytes));
}

static enum bq_proxy_result bad(struct bq_proxy_header *h, const char *why)
{
    h->why = why;
    return BQ_PROXY_BAD;
}

static bool starts_wrong(const struct bq_proxy_header *h, const char *start, size_t n)
{
    return memcmp(h->bytes, start, h->n < n ? h->n : n) != 0;
}

/* --- version 1 ------------------------------------------------------------------------------- */

/* The token up to the next space or the end. */
static bq_str take_token(bq_str *line)
{
    size_t space = bq_str_find(*line, ' ', 0);
    bq_str token = bq_str_of(line->p, space);
    size_t used = space < line->n ? space + 1 : space;
    *line = bq_str_of(line->p + used, line->n - used);
    return token;
}

static bool read_ip(bq_str s, bool v6, struct bq_ip *ip)
{
    bool colon = bq_str_find(s, ':', 0) < s.n;
    return colon == v6 && bq_ip_parse(ip, s) == BQ_OK;
}

static bool read_port(bq_str s, uint16_t *port)
{
    uint64_t v;
    if (s.n > 5 || (s.n > 1 && s.p[0] == '0') || bq_str_u64(s, &v) != BQ_OK || v > UINT16_MAX)
        return false;
    *port = (uint16_t)v;
    return true;
}

/* "TCP4 source destination port port". The destination is read since a wrong one is a wrong header.
 */
static bool read_line(struct bq_proxy_header *h, bq_str line)
{
    struct bq_ip ip, own_ip;
    uint16_t port, own_port;
    bq_str family = take_token(&line);
    if (bq_str_eq(family, BQ_STR("UNKNOWN")))
        return true;
    bool v6 = bq_str_eq(family, BQ_STR("TCP6"));
    if (!v6 && !bq_str_eq(family, BQ_STR("TCP4")))
        return false;
    if (!read_ip(take_token(&line), v6, &ip) || !read_ip(take_token(&line), v6, &own_ip) ||
        !read_port(take_token(&line), &port) || !read_port(line, &own_port))
        return false;
    h->named = true;
    bq_peer_set_ip(&h->client, &ip, port);
    return true;
}

static enum bq_proxy_result feed_line(struct bq_proxy_header *h, bq_str *in)
{
    const size_t start = sizeof V1_START - 1;
    while (in->n && h->n < BQ_PROXY_V1_BYTES_MAX) {
        h->bytes[h->n++] = (uint8_t)*in->p;
        *in = bq_str_of(in->p + 1, in->n - 1);
        if (starts_wrong(h, V1_START, start))
            return bad(h, "it does not begin with a PROXY header");
        if (h->bytes[h->n - 1] != '\n')
            continue;
        bq_str line = bq_str_of((const char *)h->bytes + start, h->n - start);
        bool whole = line.n >= 2 && line.p[line.n - 2] == '\r';
        if (whole && read_line(h, bq_str_of(line.p, line.n - 2)))
            return BQ_PROXY_DONE;
        return bad(h, "its PROXY line is malformed");
    }
    return h->n < BQ_PROXY_V1_BYTES_MAX ? BQ_PROXY_MORE : bad(h, "its PROXY line is too long");
}

/* --- version 2 ------------------------------------------------------------------------------- */

static void gather(struct bq_proxy_header *h, bq_str *in)
{
    size_t n = (size_t)(h->wanted - h->n);
    n = n < in->n ? n : in->n;
    memcpy(h->bytes + h->n, in->p, n);
    h->n = (uint8_t)(h->n + n);
    *in = bq_str_of(in->p + n, in->n - n);
}

static unsigned number_at(const struct bq_proxy_header *h, size_t at)
{
    return (unsigned)h->bytes[at] << 8 | h->bytes[at + 1];
}

/* The addresses of a family over a stream: -1 for what cannot be that of a connection to us. */
static int address_bytes(unsigned family)
{
    switch (family) {
    case 0x00: /* UNSPEC */
        return 0;
    case 0x11:
        return INET_BYTES;
    case 0x21:
        return INET6_BYTES;
    case 0x31:
        return UNIX_BYTES;
    default:
        return -1;
    }
}

/* The first 16 bytes are there: what of the rest is wanted. */
static enum bq_proxy_result read_head(struct bq_proxy_header *h)
{
    unsigned command = h->bytes[12], family = h->bytes[13], length = number_at(h, 14);
    if (command != 0x20 && command != 0x21)
        return bad(h, "its PROXY header is of a version or command that nobody knows");
    int addresses = command == 0x20 ? 0 : address_bytes(family);
    if (addresses < 0)
        return bad(h, "its PROXY header is of a family that is no stream");
    if (length > BQ_PROXY_V2_BYTES_MAX || length < (unsigned)addresses)
        return bad(h, "its PROXY header has an impossible length");
    h->named = addresses > 0;
    if (addresses == UNIX_BYTES) { /* the paths tell nothing that is wanted */
        h->client = (struct bq_peer){.family = AF_UNIX};
        addresses = 0;
    }
    h->wanted = (uint8_t)(HEAD_BYTES + addresses);
    h->rest = (uint16_t)(length - (unsigned)addresses);
    return BQ_PROXY_MORE;
}

static void read_addresses(struct bq_proxy_header *h)
{
    struct bq_ip ip;
    bool v6 = h->n == HEAD_BYTES + INET6_BYTES;
    if (!v6 && h->n != HEAD_BYTES + INET_BYTES)
        return;
    bq_ip_set(&ip, v6 ? 128 : 32, h->bytes + HEAD_BYTES);
    bq_peer_set_ip(&h->client, &ip, (uint16_t)number_at(h, h->n - 4u));
}

static enum bq_proxy_result feed_binary(struct bq_proxy_header *h, bq_str *in)
{
    if (h->n < HEAD_BYTES) {
        h->wanted = HEAD_BYTES;
        gather(h, in);
        if (starts_wrong(h, V2_START, START_BYTES))
            return bad(h, "it does not begin with a PROXY header");
        if (h->n < HEAD_BYTES)
            return BQ_PROXY_MORE;
        if (read_head(h) == BQ_PROXY_BAD)
            return BQ_PROXY_BAD;
    }
    gather(h, in);
    if (h->n < h->wanted)
        return BQ_PROXY_MORE;
    size_t n = h->rest < in->n ? h->rest : in->n;
    *in = bq_str_of(in->p + n, in->n - n);
    h->rest = (uint16_t)(h->rest - n);
    if (h->rest)
        return BQ_PROXY_MORE;
    read_addresses(h);
    return BQ_PROXY_DONE;
}

enum bq_proxy_result bq_proxy_header_feed(struct bq_proxy_header *h, bq_str *in)
{
    if (in->n == 0)
        return BQ_PROXY_MORE;
    if (h->version == 0)
        h->version = *in->p == V2_START[0] ? 2 : 1;
    return h->version == 1 ? feed_line(h, in) : feed_binary(h, in);
}
