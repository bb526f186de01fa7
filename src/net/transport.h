/*
 * transport.h: a stream of bytes to and from a peer, whatever carries it.
 *
 * TCP and UNIX sockets are one implementation (tcp.c); TLS will be a second
 * behind the same table.
 */
#ifndef BQ_NET_TRANSPORT_H
#define BQ_NET_TRANSPORT_H

#include "net/loop.h"

#include <sys/types.h>

struct bq_transport;

struct bq_transport_ops {
    /* Up to n (above 0) bytes: how many (above 0), or BQ_AGAIN, BQ_EOF, BQ_SYSTEM (errno). */
    ssize_t (*read)(struct bq_transport *t, void *bytes, size_t n);
    /* As read; no signal where the peer is gone. */
    ssize_t (*write)(struct bq_transport *t, const void *bytes, size_t n);
    /* Ends our direction; the peer sees the end after all that was written. */
    void (*shutdown)(struct bq_transport *t);
    /* Ends both; the watch must be removed first. Twice is harmless. reset: drop what is unsent and
     * tell the peer so (TCP RST). */
    void (*close)(struct bq_transport *t, bool reset);
    /* Reads and writes are no more than a recv and a send on the watch's descriptor, which others
     * may do instead (ring.h). */
    bool plain;
};

struct bq_transport {
    const struct bq_transport_ops *ops;
    struct bq_watch watch; /* the descriptor; whoever owns the transport sets fn */
};

/* Takes the descriptor. */
void bq_tcp_init(struct bq_transport *t, int fd);

#endif
