/* addr.c: endpoints and peers from text and into text. */
#include "net/addr.h"

#include "base/rc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <unistd.h>

#define UNIX_PREFIX     "unix:"
#define HOST_BYTES_MAX  255
#define ERROR_BYTES_MAX 256

/* What can be quoted of a wrong text in an error of ERROR_BYTES_MAX. */
#define QUOTE_BYTES_MAX 120

static bq_str quotable(bq_str s)
{
    return bq_str_of(s.p, s.n < QUOTE_BYTES_MAX ? s.n : QUOTE_BYTES_MAX);
}

static int fail(char *error, const char *what, bq_str text, const char *why)
{
    bq_str quote = quotable(text);
    snprintf(error, ERROR_BYTES_MAX, "%s \"%.*s\"%s %s", what, BQ_STR_ARG(quote),
             quote.n < text.n ? "…" : "", why);
    return BQ_INVALID;
}

/* Peers. */

static void set_ipv6(struct bq_peer *p, const struct sockaddr_in6 *sa)
{
    p->port = ntohs(sa->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&sa->sin6_addr)) {
        p->family = AF_INET;
        memcpy(p->ip, sa->sin6_addr.s6_addr + 12, 4);
    } else {
        memcpy(p->ip, sa->sin6_addr.s6_addr, 16);
    }
}

void bq_peer_set(struct bq_peer *p, const struct sockaddr *sa)
{
    *p = (struct bq_peer){.family = (uint8_t)sa->sa_family};
    if (sa->sa_family == AF_INET6) {
        set_ipv6(p, (const struct sockaddr_in6 *)(const void *)sa);
    } else if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
        p->port = ntohs(v4->sin_port);
        memcpy(p->ip, &v4->sin_addr, 4);
    }
}

struct bq_ip bq_peer_ip(const struct bq_peer *p)
{
    struct bq_ip ip = {.bits = p->family == AF_INET ? 32 : p->family == AF_INET6 ? 128 : 0};
    memcpy(ip.bytes, p->ip, sizeof ip.bytes);
    return ip;
}

void bq_peer_set_ip(struct bq_peer *p, const struct bq_ip *ip, uint16_t port)
{
    assert(ip->bits);
    *p = (struct bq_peer){.family = ip->bits == 32 ? AF_INET : AF_INET6, .port = port};
    memcpy(p->ip, ip->bytes, sizeof p->ip);
}

/* Endpoints. */

static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void set_port(struct bq_endpoint *e, uint16_t port)
{
    if (e->sa.sa_family == AF_INET6)
        e->v6.sin6_port = htons(port);
    else
        e->v4.sin_port = htons(port);
}

static void set_any(struct bq_endpoint *e)
{
    if (has_ipv6()) {
        e->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
        e->len = sizeof e->v6;
        e->dual = true;
    } else {
        e->v4 = (struct sockaddr_in){.sin_family = AF_INET};
        e->len = sizeof e->v4;
    }
}

static int resolve(struct bq_endpoint *e, bq_str host, char *error)
{
    char name[HOST_BYTES_MAX + 1];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (host.n > HOST_BYTES_MAX || bq_str_find(host, '\0', 0) < host.n)
        return fail(error, "host", host, "is neither a name nor an address");
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    int rc = getaddrinfo(name, NULL, &hints, &found);
    if (rc != 0)
        return fail(error, "host", host, gai_strerror(rc));
    assert(found->ai_addrlen <= sizeof e->v6);
    memcpy(&e->sa, found->ai_addr, found->ai_addrlen);
    e->len = found->ai_addrlen;
    freeaddrinfo(found);
    return BQ_OK;
}

int bq_endpoint_set(struct bq_endpoint *e, bq_str host, uint16_t port, char error[static 256])
{
    *e = (struct bq_endpoint){0};
    if (host.n == 0 || bq_str_eq(host, BQ_STR("*"))) {
        set_any(e);
    } else {
        int rc = resolve(e, host, error);
        if (rc != BQ_OK)
            return rc;
    }
    set_port(e, port);
    return BQ_OK;
}

static int set_unix(struct bq_endpoint *e, bq_str path, char *error)
{
    *e = (struct bq_endpoint){.un = {.sun_family = AF_UNIX}};
    if (path.n == 0 || bq_str_find(path, '\0', 0) < path.n)
        return fail(error, "UNIX socket path", path, "is no file name");
    if (path.n >= sizeof e->un.sun_path)
        return fail(error, "UNIX socket path", path, "is too long (at most 107 bytes)");
    memcpy(e->un.sun_path, path.p, path.n);
    e->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    return BQ_OK;
}

/* Splits "host:port" and "[v6]:port". */
static bool split(bq_str text, bq_str *host, bq_str *port)
{
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *host = bq_str_of(text.p, colon - 1);
    *port = bq_str_of(text.p + colon, text.n - colon);
    if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        *host = bq_str_of(host->p + 1, host->n - 2);
    else if (bq_str_find(*host, ':', 0) < host->n || bq_str_find(*host, '[', 0) < host->n)
        return false;
    return true;
}

int bq_endpoint_parse(struct bq_endpoint *e, bq_str text, char error[static 256])
{
    bq_str host, port;
    uint64_t number;
    bq_str prefix = BQ_STR(UNIX_PREFIX);
    if (bq_str_starts(text, prefix))
        return set_unix(e, bq_str_of(text.p + prefix.n, text.n - prefix.n), error);
    if (!split(text, &host, &port))
        return fail(error, "endpoint", text, "must be host:port, [ipv6]:port or unix:/path");
    if (bq_str_u64(port, &number) != BQ_OK || number > UINT16_MAX)
        return fail(error, "port", port, "must be a number from 0 to 65535");
    return bq_endpoint_set(e, host, (uint16_t)number, error);
}

void bq_endpoint_text(const struct bq_endpoint *e, char out[static BQ_ENDPOINT_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    if (e->sa.sa_family == AF_UNIX) {
        snprintf(out, BQ_ENDPOINT_TEXT_MAX, UNIX_PREFIX "%s", e->un.sun_path);
    } else if (e->dual) {
        /* Nobody can open http://[::] from a browser on a machine without IPv6. */
        snprintf(out, BQ_ENDPOINT_TEXT_MAX, "http://0.0.0.0:%u", ntohs(e->v6.sin6_port));
    } else if (e->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &e->v6.sin6_addr, ip, sizeof ip);
        snprintf(out, BQ_ENDPOINT_TEXT_MAX, "http://[%s]:%u", ip, ntohs(e->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &e->v4.sin_addr, ip, sizeof ip);
        snprintf(out, BQ_ENDPOINT_TEXT_MAX, "http://%s:%u", ip, ntohs(e->v4.sin_port));
    }
}
