/* ip.c: addresses and networks from text and into text. */
#include "base/ip.h"

#include "base/rc.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void bq_ip_set(struct bq_ip *ip, unsigned bits, const void *bytes)
{
    const uint8_t *from = bytes;
    if (bits == 128 && memcmp(from, mapped, sizeof mapped) == 0) {
        from += sizeof mapped;
        bits = 32;
    }
    *ip = (struct bq_ip){.bits = (uint8_t)bits};
    memcpy(ip->bytes, from, bits / 8);
}

int bq_ip_parse(struct bq_ip *ip, bq_str text)
{
    char z[BQ_IP_TEXT_MAX];
    uint8_t bytes[16];
    bool v6 = bq_str_find(text, ':', 0) < text.n;
    if (text.n >= sizeof z || bq_str_find(text, '\0', 0) < text.n)
        return BQ_INVALID;
    memcpy(z, text.n ? text.p : "", text.n);
    z[text.n] = '\0';
    if (inet_pton(v6 ? AF_INET6 : AF_INET, z, bytes) != 1)
        return BQ_INVALID;
    bq_ip_set(ip, v6 ? 128 : 32, bytes);
    return BQ_OK;
}

size_t bq_ip_text(const struct bq_ip *ip, char out[static BQ_IP_TEXT_MAX])
{
    char z[INET6_ADDRSTRLEN];
    if (!ip->bits || !inet_ntop(ip->bits == 32 ? AF_INET : AF_INET6, ip->bytes, z, sizeof z))
        return 0;
    size_t n = strlen(z);
    memcpy(out, z, n);
    return n;
}

/* Networks. */

/* The first bits of both are the same. */
static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool is_network(const struct bq_ip *ip, unsigned prefix)
{
    for (unsigned i = prefix; i < ip->bits; i++)
        if (ip->bytes[i / 8] & (0x80 >> i % 8))
            return false;
    return true;
}

/* What is written as IPv6 and is IPv4 has 96 bits less of prefix. */
static int parse_network(bq_str text, struct bq_ip *ip, unsigned *prefix)
{
    size_t slash = bq_str_find(text, '/', 0);
    bq_str address = bq_str_of(text.p, slash);
    uint64_t n;
    if (bq_ip_parse(ip, address) != BQ_OK)
        return BQ_INVALID;
    *prefix = ip->bits;
    if (slash == text.n)
        return BQ_OK;
    bool v6 = bq_str_find(address, ':', 0) < address.n;
    unsigned without = v6 && ip->bits == 32 ? 96 : 0;
    bq_str digits = bq_str_of(text.p + slash + 1, text.n - slash - 1);
    if (digits.n > 3 || bq_str_u64(digits, &n) != BQ_OK || n < without || n > ip->bits + without)
        return BQ_INVALID;
    *prefix = (unsigned)n - without;
    return is_network(ip, *prefix) ? BQ_OK : BQ_INVALID;
}

static int add_network(struct bq_networks *set, bq_str text)
{
    struct bq_ip ip;
    unsigned prefix;
    int rc = parse_network(text, &ip, &prefix);
    if (rc != BQ_OK)
        return rc;
    if (set->count == BQ_NETWORKS_MAX)
        return BQ_LIMIT;
    set->items[set->count].ip = ip;
    set->items[set->count++].prefix = (uint8_t)prefix;
    return BQ_OK;
}

static int add_all(struct bq_networks *set, const char *const *texts)
{
    int rc = BQ_OK;
    for (; *texts && rc == BQ_OK; texts++)
        rc = add_network(set, bq_str_cstr(*texts));
    return rc;
}

int bq_networks_add(struct bq_networks *set, bq_str text)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1", NULL};
    static const char *const private[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                          "fc00::/7", NULL};
    if (bq_str_eq(text, BQ_STR("loopback")))
        return add_all(set, loopback);
    if (bq_str_eq(text, BQ_STR("private")))
        return add_all(set, private);
    if (!bq_str_eq(text, BQ_STR("unix")))
        return add_network(set, text);
    set->unix_sockets = true;
    return BQ_OK;
}

bool bq_networks_have(const struct bq_networks *set, const struct bq_ip *ip)
{
    if (ip->bits == 0)
        return set->unix_sockets;
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].ip.bits == ip->bits &&
            agree(set->items[i].ip.bytes, ip->bytes, set->items[i].prefix))
            return true;
    return false;
}
