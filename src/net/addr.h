/*
 * addr.h: where to listen and where a peer came from.
 *
 * Endpoints are written "127.0.0.1:8000", "[::1]:8000", "localhost:8000" or
 * "unix:/run/barq.sock".
 */
#ifndef BQ_NET_ADDR_H
#define BQ_NET_ADDR_H

#include "base/ip.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A peer, in the 20 bytes that a connection keeps of it. */
struct bq_peer {
    uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX */
    uint16_t port;  /* host byte order */
    uint8_t ip[16]; /* the first four for IPv4; an IPv4-mapped address is kept as IPv4 */
};

void bq_peer_set(struct bq_peer *p, const struct sockaddr *sa);

/* The address without the port; none for UNIX. */
struct bq_ip bq_peer_ip(const struct bq_peer *p);

/* Takes: an ip that is one. */
void bq_peer_set_ip(struct bq_peer *p, const struct bq_ip *ip, uint16_t port);

struct bq_endpoint {
    union {
        struct sockaddr sa;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    };
    socklen_t len;
    bool dual; /* every address: the IPv6 socket takes IPv4 too */
};

/* host may be an address or a name (resolved now, the first answer taken; waits),
 * "" or "*" for every address (IPv6 and IPv4 both, where IPv6 exists).
 * Fails: BQ_INVALID and a sentence in error. */
int bq_endpoint_set(struct bq_endpoint *e, bq_str host, uint16_t port, char error[static 256]);

/* "host:port", "[v6]:port" or "unix:path", as above. Fails: BQ_INVALID and a sentence in error. */
int bq_endpoint_parse(struct bq_endpoint *e, bq_str text, char error[static 256]);

#define BQ_ENDPOINT_TEXT_MAX 160

/* For people: "http://127.0.0.1:8000", "http://[::1]:8000" or "unix:/path"; every address, IPv4
 * and IPv6, is "http://0.0.0.0:8000". */
void bq_endpoint_text(const struct bq_endpoint *e, char out[static BQ_ENDPOINT_TEXT_MAX]);

#endif
