/*
 * ip.h: addresses of the Internet, and sets of networks.
 *
 * An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is the IPv4 address everywhere: the same client
 * has one address, whichever socket it came in by.
 */
#ifndef BQ_BASE_IP_H
#define BQ_BASE_IP_H

#include "base/str.h"

struct bq_ip {
    uint8_t bits;      /* 32: IPv4, 128: IPv6, 0: none (a UNIX socket, or nobody knows) */
    uint8_t bytes[16]; /* in network byte order; those beyond bits are 0 */
};

#define BQ_IP_TEXT_MAX 46

/* bits: 32 or 128, of what bytes holds. */
void bq_ip_set(struct bq_ip *ip, unsigned bits, const void *bytes);

/* "192.0.2.1" without leading zeros, or "2001:db8::1" without brackets and zone. Fails:
 * BQ_INVALID. */
int bq_ip_parse(struct bq_ip *ip, bq_str text);

/* Not NUL-terminated; its length, 0 for none. */
size_t bq_ip_text(const struct bq_ip *ip, char out[static BQ_IP_TEXT_MAX]);

#define BQ_NETWORKS_MAX 64

struct bq_networks {
    struct {
        struct bq_ip ip;
        uint8_t prefix;
    } items[BQ_NETWORKS_MAX];
    size_t count;
    bool unix_sockets; /* peers without an address belong to it */
};

/* One more: "10.0.0.0/8", "fd00::/8", an address alone, "loopback", "private" (RFC 1918 and
 * RFC 4193) or "unix". Fails: BQ_INVALID (none of these; bits behind the prefix, since
 * 10.0.0.1/8 can mean two things), BQ_LIMIT (full). */
int bq_networks_add(struct bq_networks *set, bq_str text);

bool bq_networks_have(const struct bq_networks *set, const struct bq_ip *ip);

#endif
