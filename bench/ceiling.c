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
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <llhttp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX 65536
#define COPIES_BYTES_MAX (1024 * 1024) /* at most this much in one write */
#define CONNS_MAX        4096          /* by descriptor */
#define EVENTS_MAX       256
#define READ_BYTES_MAX   16384
#define HEAD_END         "\r\n\r\n"
#define TAIL_BYTES       3 /* of HEAD_END that may have come with the read before */
#define WORKERS_MAX      64

struct conn {
    llhttp_t parser;
    char tail[TAIL_BYTES];
    unsigned tail_bytes;
    uint64_t owed_bytes; /* of answers that the peer has not taken yet */
};

struct ceiling {
    int epoll, listener;
    size_t answer_bytes;
    size_t copies;
    bool parses;
    llhttp_settings_t settings;
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
    setsockopt(c->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
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
        llhttp_init(&c->conns[fd].parser, HTTP_REQUEST, &c->settings);
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
    size_t tail_bytes = conn->tail_bytes, requests;
    memcpy(buf, conn->tail, tail_bytes);
    ssize_t n = read(fd, buf + tail_bytes, READ_BYTES_MAX);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (!c->parses)
        requests = count_heads(conn, buf, tail_bytes + (size_t)n);
    else if (!parse(conn, buf, (size_t)n, &requests))
        return false;
    conn->owed_bytes += requests * c->answer_bytes;
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

/* Further processes on the same port, which end with this one. */
static void fork_others(unsigned long workers)
{
    for (unsigned long i = 1; i < workers; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    static struct ceiling c;
    unsigned long port = argc >= 4 ? strtoul(argv[1], NULL, 10) : ULONG_MAX;
    unsigned long workers = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;
    c.parses = argc == 5 && strcmp(argv[4], "llhttp") == 0;
    if (port > UINT16_MAX || workers < 1 || workers > WORKERS_MAX || argc > 5 ||
        (argc == 5 && !c.parses)) {
        fprintf(stderr, "usage: bench-ceiling PORT FILE WORKERS [llhttp]\n");
        return 2;
    }
    llhttp_settings_init(&c.settings);
    c.settings.on_message_complete = count_message;
    load_answer(&c, argv[2]);
    fork_others(workers);
    start_listening(&c, (uint16_t)port);
    run(&c);
}
