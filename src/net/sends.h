/*
 * sends.h: writes to several sockets in one system call, by io_uring where the kernel lets us.
 *
 * Sockets do not block, so the kernel does each write while it takes it in: when the call returns,
 * all are done, nothing refers to their bytes any more, and nothing has to be cancelled ever. What
 * the ring did not do, a write of its own does.
 */
#ifndef BQ_NET_SENDS_H
#define BQ_NET_SENDS_H

#include "net/transport.h"

#define BQ_SENDS_MAX 32 /* at once: more would gain nothing */

struct bq_send {
    struct bq_transport *transport;
    const void *bytes;
    size_t n;     /* above 0 */
    ssize_t done; /* what the transport's write would give; without errno */
};

struct bq_sends;

/* Fails: NULL, errno says why (ENOSYS, EPERM: there is no io_uring here, or it is forbidden). */
struct bq_sends *bq_sends_new(void);

/* NULL is harmless. */
void bq_sends_free(struct bq_sends *s);

/* Does count (up to BQ_SENDS_MAX) writes, in no order. */
void bq_sends_run(struct bq_sends *s, struct bq_send *sends, unsigned count);

#endif
