/*
 * listener.c: opening listening sockets and accepting from them.
 *
 * TCP_NODELAY is set on the listener: Linux hands it on to every accepted
 * socket, which saves a system call for each.
 */
#include "net/listener.h"

#include "base/fault.h"
#include "base/rc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

/* So that a flood of aborted connections does not hold up the turn. */
#define TRIES_MAX 64

static void close_keeping_errno(int fd)
{
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
}

static int set_flag(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

static int set_tcp_options(const struct bq_endpoint *e, bool reuse_port, int fd)
{
    if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
        return BQ_SYSTEM;
    if (reuse_port && set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return BQ_SYSTEM;
    if (e->sa.sa_family == AF_INET6 && set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !e->dual) < 0)
        return BQ_SYSTEM;
    return BQ_OK;
}

/* Whether the file of a UNIX socket is left over from a process that is gone. Only a refused
 * connection proves it. connect() to any other kind of file is refused too, hence lstat(). */
static bool is_stale(const struct bq_endpoint *e)
{
    struct stat st;
    if (lstat(e->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, &e->sa, e->len) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_to(const struct bq_endpoint *e, int fd)
{
    if (bind(fd, &e->sa, e->len) == 0)
        return BQ_OK;
    if (e->sa.sa_family != AF_UNIX || errno != EADDRINUSE)
        return BQ_SYSTEM;
    if (!is_stale(e) || unlink(e->un.sun_path) < 0) {
        errno = EADDRINUSE;
        return BQ_SYSTEM;
    }
    return bind(fd, &e->sa, e->len) == 0 ? BQ_OK : BQ_SYSTEM;
}

static int get_real_port(struct bq_endpoint *e, int fd)
{
    socklen_t len = e->len;
    return getsockname(fd, &e->sa, &len) == 0 ? BQ_OK : BQ_SYSTEM;
}

int bq_listen(struct bq_endpoint *e, bool reuse_port, int backlog, int *out)
{
    bool tcp = e->sa.sa_family != AF_UNIX;
    int fd = socket(e->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return BQ_SYSTEM;
    if (tcp && set_tcp_options(e, reuse_port, fd) != BQ_OK)
        goto fail;
    if (bind_to(e, fd) != BQ_OK || listen(fd, backlog) < 0)
        goto fail;
    if (tcp && get_real_port(e, fd) != BQ_OK)
        goto fail;
    *out = fd;
    return BQ_OK;

fail:
    close_keeping_errno(fd);
    return BQ_SYSTEM;
}

static int get_flag(int fd, int level, int option)
{
    int value = 0;
    socklen_t n = sizeof value;
    return getsockopt(fd, level, option, &value, &n) == 0 ? value : -1;
}

static bool is_known_family(const struct bq_endpoint *e)
{
    int family = e->sa.sa_family;
    return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

int bq_listener_inherit(int fd, struct bq_endpoint *e)
{
    *e = (struct bq_endpoint){.len = sizeof e->un};
    if (get_flag(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
        get_flag(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1 || getsockname(fd, &e->sa, &e->len) < 0 ||
        !is_known_family(e))
        return BQ_INVALID;
    e->dual = e->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&e->v6.sin6_addr) &&
              get_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
    if (e->sa.sa_family != AF_UNIX && set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
        return BQ_SYSTEM;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return BQ_SYSTEM;
    return BQ_OK;
}

static int accept_one(int listen_fd, struct sockaddr_storage *sa)
{
    socklen_t len = sizeof *sa;
    if (BQ_FAULT(accept)) {
        errno = EMFILE;
        return -1;
    }
    if (BQ_FAULT(accept_abort)) {
        errno = ECONNABORTED;
        return -1;
    }
    return accept4(listen_fd, (struct sockaddr *)sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Whether the connection died in the queue: accept(2) reports its pending network errors. */
static bool is_of_one_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

int bq_accept(int listen_fd, int *fd, struct bq_peer *peer)
{
    struct sockaddr_storage sa = {0};
    int tries = 0;
    do
        *fd = accept_one(listen_fd, &sa);
    while (*fd < 0 && is_of_one_connection(errno) && ++tries < TRIES_MAX);
    if (*fd >= 0) {
        bq_peer_set(peer, (const struct sockaddr *)&sa);
        return BQ_OK;
    }
    switch (errno) {
    case EAGAIN:
        return BQ_AGAIN;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return BQ_LIMIT;
    default:
        return BQ_SYSTEM;
    }
}
