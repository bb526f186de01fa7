/*
 * ceiling.c: the least that a server can do per request, to compare barq with.
 *
 *   bench-ceiling PORT FILE WORKERS [llhttp]    (0: any free port; prints its URL)
 *
 * Processes of one thread, each a level-triggered epoll loop without timers: reads,
 * counts requests, and answers with the bytes of FILE, as often as requests came, in
 * one write. A request is what ends in an empty line, which no body here holds, or,
 * with llhttp, a message that this parser has found complete.
 */
#include "ceiling.h"

#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX      4096 /* by descriptor */
#define EVENTS_MAX     256
#define READ_BYTES_MAX 16384

struct conn {
    llhttp_t parser;
    struct tail tail;
    uint64_t owed_bytes; /* of answers that the peer has not taken yet */
};

struct ceiling {
    int epoll, listener;
    bool parses;
    llhttp_settings_t settings;
    struct answers answers;
    struct conn conns[CONNS_MAX];
};

static void watch(struct ceiling *c, int fd, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(c->epoll, op, fd, &event) < 0)
        die("epoll_ctl");
}

static void start_listening(struct ceiling *c, uint16_t port)
{
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0)
        die("epoll");
    c->listener = listen_on(port, SOCK_NONBLOCK);
    watch(c, c->listener, EPOLL_CTL_ADD, EPOLLIN);
}

static void accept_all(struct ceiling *c)
{
    int fd;
    while ((fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= CONNS_MAX) {
            close(fd);
            continue;
        }
        memset(&c->conns[fd], 0, sizeof c->conns[fd]);
        llhttp_init(&c->conns[fd].parser, HTTP_REQUEST, &c->settings);
        watch(c, fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int count_message(llhttp_t *parser)
{
    ++*(size_t *)parser->data;
    return 0;
}

/* How many messages end in these bytes; what is no HTTP ends the connection. */
static bool parse(struct conn *conn, const char *p, size_t n, size_t *messages)
{
    *messages = 0;
    conn->parser.data = messages;
    return llhttp_execute(&conn->parser, p, n) == HPE_OK;
}

/* False if the connection has ended. */
static bool read_requests(struct ceiling *c, int fd)
{
    struct conn *conn = &c->conns[fd];
    char buf[TAIL_BYTES + READ_BYTES_MAX];
    size_t requests;
    ssize_t n = read(fd, buf + TAIL_BYTES, READ_BYTES_MAX);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (!c->parses)
        requests = count_heads(&conn->tail, buf + TAIL_BYTES, (size_t)n);
    else if (!parse(conn, buf + TAIL_BYTES, (size_t)n, &requests))
        return false;
    conn->owed_bytes += requests * c->answers.n;
    return true;
}

/* False if the connection has ended. */
static bool write_answers(struct ceiling *c, int fd)
{
    struct conn *conn = &c->conns[fd];
    while (conn->owed_bytes > 0) {
        size_t n;
        const char *piece = answers_piece(&c->answers, conn->owed_bytes, &n);
        ssize_t sent = write(fd, piece, n);
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
    if ((!waited && !read_requests(c, fd)) || !write_answers(c, fd)) {
        close(fd);
        return;
    }
    bool waits = c->conns[fd].owed_bytes > 0;
    if (waits != waited)
        watch(c, fd, EPOLL_CTL_MOD, waits ? EPOLLOUT : EPOLLIN);
}

static void run(struct ceiling *c)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(c->epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == c->listener)
                accept_all(c);
            else
                serve(c, events[i].data.fd);
        }
    }
}

int main(int argc, char **argv)
{
    static struct ceiling c;
    unsigned long port, workers;
    c.parses = argc == 5 && strcmp(argv[4], "llhttp") == 0;
    if (argc < 4 || argc > 5 || (argc == 5 && !c.parses) || !read_numbers(argv, &port, &workers)) {
        fprintf(stderr, "usage: bench-ceiling PORT FILE WORKERS [llhttp]\n");
        return 2;
    }
    llhttp_settings_init(&c.settings);
    c.settings.on_message_complete = count_message;
    answers_load(&c.answers, argv[2]);
    fork_others(workers);
    start_listening(&c, (uint16_t)port);
    run(&c);
}
