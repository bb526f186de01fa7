/*
 * tcp.c: the transport over a plain stream socket, TCP or UNIX.
 *
 * The sites short_read and short_write let one byte through at a time, which
 * makes every partial read and write that a peer could cause.
 */
#include "net/transport.h"

#include "base/fault.h"
#include "base/rc.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t rc_of_errno(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? BQ_AGAIN : BQ_SYSTEM;
}

static ssize_t tcp_read(struct bq_transport *t, void *bytes, size_t n)
{
    ssize_t done;
    assert(n > 0); /* a read of nothing looks like the end of input */
    if (BQ_FAULT(read)) {
        errno = ECONNRESET;
        return BQ_SYSTEM;
    }
    if (BQ_FAULT(short_read))
        n = 1;
    do
        done = recv(t->watch.fd, bytes, n, 0);
    while (done < 0 && errno == EINTR);
    if (done == 0)
        return BQ_EOF;
    return done > 0 ? done : rc_of_errno();
}

static ssize_t tcp_write(struct bq_transport *t, const void *bytes, size_t n)
{
    ssize_t done;
    assert(n > 0);
    if (BQ_FAULT(write)) {
        errno = ECONNRESET;
        return BQ_SYSTEM;
    }
    if (BQ_FAULT(short_write))
        n = 1;
    do
        done = send(t->watch.fd, bytes, n, MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    return done > 0 ? done : rc_of_errno();
}

/* It fails only where the peer is gone already. */
static void tcp_shutdown(struct bq_transport *t)
{
    shutdown(t->watch.fd, SHUT_WR);
}

static void tcp_close(struct bq_transport *t, bool reset)
{
    assert(!t->watch.added);
    if (t->watch.fd < 0)
        return;
    if (reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(t->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(t->watch.fd);
    t->watch.fd = -1;
}

static const struct bq_transport_ops tcp_ops = {tcp_read, tcp_write, tcp_shutdown, tcp_close, true};

void bq_tcp_init(struct bq_transport *t, int fd)
{
    *t = (struct bq_transport){.ops = &tcp_ops, .watch = {.fd = fd}};
}
