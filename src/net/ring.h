/*
 * ring.h: reads or writes on several sockets in one system call, by io_uring where the kernel lets
 * us.
 *
 * Sockets do not block, so the kernel does each of them while it takes it in: when the call
 * returns, all are done, nothing refers to their bytes any more, and nothing has to be cancelled
 * ever. So nothing is the ring's own that another thread would have to know of, to take a socket
 * over.
 */
#ifndef BQ_NET_RING_H
#define BQ_NET_RING_H

#include "net/transport.h"

#define BQ_RING_MAX 32 /* at once: more would gain nothing */

struct bq_send {
    struct bq_transport *transport;
    const void *bytes;
    size_t n;     /* above 0 */
    ssize_t done; /* what the transport's write would give; without errno */
};

struct bq_receive {
    struct bq_transport *transport;
    void *bytes;
    size_t n;     /* above 0: room */
    ssize_t done; /* bytes; 0: none, and only the transport's read tells why */
};

struct bq_ring;

/* Fails: NULL, errno says why (ENOSYS, EPERM: there is no io_uring here, or it is forbidden). */
struct bq_ring *bq_ring_new(void);

/* NULL is harmless. */
void bq_ring_free(struct bq_ring *r);

/* Does count (up to BQ_RING_MAX) writes, in no order. What the ring did not do, a write of its own
 * does. Takes: transports that are plain. */
void bq_ring_send(struct bq_ring *r, struct bq_send *sends, unsigned count);

/* Does count (up to BQ_RING_MAX) reads, in no order. Takes: transports that are plain. */
void bq_ring_receive(struct bq_ring *r, struct bq_receive *receives, unsigned count);

#endif
