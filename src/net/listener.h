/* listener.h: sockets that wait for connections. */
#ifndef BQ_NET_LISTENER_H
#define BQ_NET_LISTENER_H

#include "net/addr.h"

#include <stdbool.h>

/* A listening, non-blocking socket. With reuse_port several may be opened on one
 * TCP endpoint, one a worker; the first opening must be without and closed again
 * (a probe), so that a port that another program holds is found. Port 0 is
 * replaced in e by the real one. An explicit IPv6 address takes no IPv4.
 *
 * A UNIX socket cannot be opened twice: the workers share one descriptor (see
 * BQ_EXCLUSIVE). A stale file (a socket on which nobody listens) is removed
 * first, anything else never; the new file is open to others only as the umask
 * says, and whoever opened it unlinks it.
 *
 * Fails: BQ_SYSTEM (errno: EADDRINUSE, EACCES, …). */
int bq_listen(struct bq_endpoint *e, bool reuse_port, int backlog, int *fd);

/* Makes a listening socket that another program has opened ready for this one: non-blocking,
 * close-on-exec, TCP_NODELAY. Gives e, where it listens. Fails: BQ_INVALID (fd is no stream socket
 * that listens, or of another family than IPv4, IPv6 and UNIX), BQ_SYSTEM (errno). */
int bq_listener_inherit(int fd, struct bq_endpoint *e);

/* The next waiting connection, non-blocking, close-on-exec, TCP_NODELAY set.
 * Fails: BQ_AGAIN (none), BQ_LIMIT (no descriptors or memory: pause), BQ_SYSTEM
 * (this one failed, the next may not). */
int bq_accept(int listen_fd, int *fd, struct bq_peer *peer);

#endif
