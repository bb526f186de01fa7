/*
 * ceiling.c: the least that a server can do per request, to compare barq with.
 *
 *   bench-ceiling PORT FILE    (0: any free port; prints its URL)
 *
 * One thread, a level-triggered epoll loop without timers: reads, looks for the end
 * of each head, and answers with the bytes of FILE, as often as heads arrived, in
 * one write. It understands nothing else of HTTP: GET without a body only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 65536
#define COPIES_BYTES_MAX (1024 * 1024) /* at most this much in one write */
#define CONNS_MAX        4096          /* by descriptor */
#define EVENTS_MAX       256
#define READ_BYTES_MAX   16384
#define HEAD_END         "\r\n\r\n"
#define TAIL_BYTES       3 /* of HEAD_END that may have come with the read before */

struct conn {
    char tail[TAIL_BYTES];
    unsigned tail_bytes;
    uint64_t owed_bytes; /* of answers that the peer has not taken yet */
};

struct ceiling {
    int epoll, listener;
    size_t answer_bytes;
    size_t copies;
    char *answers; /* the answer, copies times: a pipeline is answered by one write */
    struct conn conns[CONNS_MAX];
};

static void die(const char *what)
{
    fprintf(stderr, "bench-ceiling: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void load_answer(struct ceiling *c, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    c->answers = malloc(COPIES_BYTES_MAX);
    if (!c->answers)
        die("memory");
    c->answer_bytes = fread(c->answers, 1, ANSWER_BYTES_MAX, file);
    fclose(file);
    if (c->answer_bytes == 0)
        die("the answer is empty");
    c->copies = COPIES_BYTES_MAX / c->answer_bytes;
    for (size_t i = 1; i < c->copies; i++)
        memcpy(c->answers + i * c->answer_bytes, c->answers, c->answer_bytes);
}

static void watch(struct ceiling *c, int fd, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(c->epoll, op, fd, &event) < 0)
        die("epoll_ctl");
}

static void start_listening(struct ceiling *c, uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->epoll < 0 || c->listener < 0)
        die("socket");
    setsockopt(c->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(c->listener, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
    if (listen(c->listener, SOMAXCONN) < 0)
        die("listen");
    socklen_t n = sizeof addr;
    if (getsockname(c->listener, (struct sockaddr *)&addr, &n) < 0)
        die("getsockname");
    watch(c, c->listener, EPOLL_CTL_ADD, EPOLLIN);
    printf("http://127.0.0.1:%d\n", ntohs(addr.sin_port));
    fflush(stdout);
}

static void accept_all(struct ceiling *c)
{
    const int on = 1;
    int fd;
    while ((fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= CONNS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        memset(&c->conns[fd], 0, sizeof c->conns[fd]);
        watch(c, fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* How many heads end in these bytes; what could begin a HEAD_END is kept as the tail. */
static size_t count_heads(struct conn *conn, const char *p, size_t n)
{
    const char *end = p + n, *found;
    size_t heads = 0;
    while ((found = memmem(p, (size_t)(end - p), HEAD_END, sizeof HEAD_END - 1))) {
        heads++;
        p = found + sizeof HEAD_END - 1;
    }
    n = (size_t)(end - p);
    conn->tail_bytes = n < TAIL_BYTES ? (unsigned)n : TAIL_BYTES;
    memcpy(conn->tail, end - conn->tail_bytes, conn->tail_bytes);
    return heads;
}

/* False if the connection has ended. */
static bool read_heads(struct ceiling *c, int fd)
{
    struct conn *conn = &c->conns[fd];
    char buf[TAIL_BYTES + READ_BYTES_MAX];
    memcpy(buf, conn->tail, conn->tail_bytes);
    ssize_t n = read(fd, buf + conn->tail_bytes, READ_BYTES_MAX);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    conn->owed_bytes += count_heads(conn, buf, conn->tail_bytes + (size_t)n) * c->answer_bytes;
    return true;
}

/* False if the connection has ended. */
static bool write_answers(struct ceiling *c, int fd)
{
    struct conn *conn = &c->conns[fd];
    while (conn->owed_bytes > 0) {
        size_t left = (size_t)(conn->owed_bytes % c->answer_bytes); /* of a half-sent answer */
        size_t from = left ? c->answer_bytes - left : 0;
        size_t n = c->copies * c->answer_bytes - from;
        ssize_t sent = write(fd, c->answers + from, n < conn->owed_bytes ? n : conn->owed_bytes);
        if (sent < 0)
            return errno == EAGAIN;
        conn->owed_bytes -= (uint64_t)sent;
    }
    return true;
}

/* A peer that does not take its answers is not read from until it does. */
static void serve(struct ceiling *c, int fd)
{
    bool waited = c->conns[fd].owed_bytes > 0;
    if ((!waited && !read_heads(c, fd)) || !write_answers(c, fd)) {
        close(fd);
        return;
    }
    bool waits = c->conns[fd].owed_bytes > 0;
    if (waits != waited)
        watch(c, fd, EPOLL_CTL_MOD, waits ? EPOLLOUT : EPOLLIN);
}

int main(int argc, char **argv)
{
    static struct ceiling c;
    unsigned long port = argc == 3 ? strtoul(argv[1], NULL, 10) : ULONG_MAX;
    if (port > UINT16_MAX) {
        fprintf(stderr, "usage: bench-ceiling PORT FILE\n");
        return 2;
    }
    load_answer(&c, argv[2]);
    start_listening(&c, (uint16_t)port);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(c.epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == c.listener)
                accept_all(&c);
            else
                serve(&c, events[i].data.fd);
        }
    }
}
