/* dial.c: client sockets: a connection that waits, and a datagram that does not. */
#include "net/dial.h"

#include "base/rc.h"

#include <errno.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

static void close_keeping_errno(int fd)
{
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
}

int bq_dial(const struct bq_endpoint *e, uint32_t ms_max, int *out)
{
    const struct timeval limit = {.tv_sec = ms_max / 1000, .tv_usec = ms_max % 1000 * 1000};
    int fd = socket(e->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return BQ_SYSTEM;
    /* Linux: the limit for sending is connect(2)'s too, which fails with EINPROGRESS then. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, &e->sa, e->len) == 0) {
        *out = fd;
        return BQ_OK;
    }
    if (errno == EINPROGRESS)
        errno = EAGAIN;
    close_keeping_errno(fd);
    return BQ_SYSTEM;
}

int bq_datagram_send(bq_str path, bq_str bytes)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path.n < 2 || path.n >= sizeof to.sun_path || (path.p[0] != '/' && path.p[0] != '@'))
        return BQ_INVALID;
    memcpy(to.sun_path, path.p, path.n);
    if (path.p[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return BQ_SYSTEM;
    /* unix(7): the length tells where a name without a file ends. */
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n);
    ssize_t sent =
        sendto(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to, n);
    close_keeping_errno(fd);
    return sent == (ssize_t)bytes.n ? BQ_OK : BQ_SYSTEM;
}
