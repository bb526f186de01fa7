/*
 * load.c: a client that asks as fast as it is answered, with as little work of its own as it can.
 *
 *   bench-load PORT CONNECTIONS DEPTH THREADS MILLISECONDS BODIES < request
 *
 * Each connection sends the same request, DEPTH times in one write, and sends again when as many
 * answers have come. Every answer must be a 2xx whose body is a line of the file BODIES, else the
 * run fails. Prints one line: answers, ns that it took, latency in ns (50 %, 99 %, max), and the ns
 * of processor time that the client took itself, which tells when it was the limit.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef BENCH_URING
#include <liburing.h>
#endif

#define NS_PER_S          UINT64_C(1000000000)
#define NS_PER_MS         UINT64_C(1000000)
#define THREADS_MAX       16
#define CONNECTIONS_MAX   4096
#define DEPTH_MAX         64
#define REQUEST_BYTES_MAX 8192
#define EVENTS_MAX        64
#define SILENCE_MS_MAX    10000

struct plan {
    uint16_t port;
    unsigned connections, depth, threads, ms;
    struct bodies bodies;
    size_t batch_bytes;
    char batch[REQUEST_BYTES_MAX * DEPTH_MAX]; /* the request, depth times */
};

struct connection {
    int fd;
    unsigned awaited; /* answers */
    uint64_t sent_at;
    size_t n;
    char in[ANSWER_BYTES_MAX * 2];
};

/* One thread's share: its connections and what it found. */
struct share {
    const struct plan *plan;
    pthread_t thread;
    unsigned count;
    int epoll;
#ifdef BENCH_URING
    struct io_uring ring; /* for sends that leave in one system call */
    bool has_ring;
#endif
    struct connection *due[EVENTS_MAX]; /* to send, once the turn's answers are taken */
    unsigned due_count;
    uint64_t end_at;
    struct connection *connections;
    struct known_head known;
    struct histogram latency;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench-load: %s: %s\n", what, why);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die("connecting", strerror(errno));
    return fd;
}

/* A batch is small beside a socket's buffer, which is empty when all its answers have come. */
static void check_sent(const struct share *s, ssize_t sent, int error)
{
    if (sent != (ssize_t)s->plan->batch_bytes)
        die("sending", sent < 0 ? strerror(error) : "the request was not taken");
}

#ifdef BENCH_URING
static void open_ring(struct share *s)
{
    s->has_ring = io_uring_queue_init(EVENTS_MAX, &s->ring, 0) == 0;
}

/* Sends that do not wait are over when the call returns. False: one at a time, then. */
static bool send_together(struct share *s)
{
    struct io_uring_cqe *done;
    if (!s->has_ring || s->due_count < 2)
        return false;
    for (unsigned i = 0; i < s->due_count; i++)
        io_uring_prep_send(io_uring_get_sqe(&s->ring), s->due[i]->fd, s->plan->batch,
                           s->plan->batch_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (io_uring_submit_and_wait(&s->ring, s->due_count) < 0)
        die("sending", "io_uring takes no requests");
    for (unsigned i = 0; i < s->due_count; i++) {
        if (io_uring_wait_cqe(&s->ring, &done) < 0)
            die("sending", "io_uring gives no results");
        check_sent(s, done->res, -done->res);
        io_uring_cqe_seen(&s->ring, done);
    }
    return true;
}
#else
static void open_ring(struct share *s)
{
    (void)s;
}

static bool send_together(struct share *s)
{
    (void)s;
    return false;
}
#endif

/* Several requests of a turn leave in one system call, so that the client is not the limit before
 * servers that do the same with their answers. */
static void send_due(struct share *s)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < s->due_count; i++) {
        s->due[i]->awaited = s->plan->depth;
        s->due[i]->sent_at = now;
    }
    if (!send_together(s))
        for (unsigned i = 0; i < s->due_count; i++)
            check_sent(s, send(s->due[i]->fd, s->plan->batch, s->plan->batch_bytes, MSG_NOSIGNAL),
                       errno);
    s->due_count = 0;
}

static void send_soon(struct share *s, struct connection *c)
{
    s->due[s->due_count++] = c;
    if (s->due_count == EVENTS_MAX)
        send_due(s);
}

static void refuse(const struct connection *c)
{
    fprintf(stderr, "%.*s\n", (int)c->n, c->in);
    die("receiving", "not the answer that was expected");
}

/* Takes the answers that are complete, and moves what is left to the front. */
static void take_answers(struct share *s, struct connection *c, uint64_t now)
{
    const struct plan *plan = s->plan;
    size_t at = 0;
    long size;
    while ((size = answer_check(&plan->bodies, &s->known, c->in + at, c->n - at)) > 0) {
        if (c->awaited-- == 0)
            refuse(c);
        histogram_add(&s->latency, now - c->sent_at);
        at += (size_t)size;
    }
    if (size < 0)
        refuse(c);
    c->n -= at;
    if (at > 0 && c->n > 0)
        memmove(c->in, c->in + at, c->n);
}

static void receive(struct share *s, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->n, sizeof c->in - c->n, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("receiving", n < 0 ? strerror(errno) : "the server closed the connection");
    c->n += (size_t)n;
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    take_answers(s, c, now);
    if (c->awaited == 0 && now < s->end_at)
        send_soon(s, c);
}

static void open_all(struct share *s)
{
    open_ring(s);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->connections = calloc(s->count, sizeof *s->connections);
    if (s->epoll < 0 || !s->connections)
        die("starting", strerror(errno));
    for (unsigned i = 0; i < s->count; i++) {
        struct connection *c = &s->connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = connect_to(s->plan->port);
        if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
            die("epoll_ctl", strerror(errno));
    }
}

static bool is_answered(const struct share *s)
{
    for (unsigned i = 0; i < s->count; i++)
        if (s->connections[i].awaited > 0)
            return false;
    return true;
}

/* Until the time is over and every request that was sent is answered: those that took longest are
 * the ones that a benchmark must not forget. */
static void *run_share(void *arg)
{
    struct share *s = arg;
    for (unsigned i = 0; i < s->count; i++)
        send_soon(s, &s->connections[i]);
    send_due(s);
    while (clock_ns(CLOCK_MONOTONIC) < s->end_at || !is_answered(s)) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(s->epoll, events, EVENTS_MAX, SILENCE_MS_MAX);
        if (n == 0)
            die("receiving", "no answer within ten seconds");
        for (int i = 0; i < n; i++)
            receive(s, events[i].data.ptr);
        send_due(s);
    }
    return NULL;
}

static void report(const struct share *shares, unsigned count, uint64_t started_at)
{
    static struct histogram all;
    uint64_t ns = clock_ns(CLOCK_MONOTONIC) - started_at;
    for (unsigned i = 0; i < count; i++)
        histogram_merge(&all, &shares[i].latency);
    printf("answers=%llu ns=%llu p50=%llu p99=%llu max=%llu client=%llu\n",
           (unsigned long long)all.count, (unsigned long long)ns,
           (unsigned long long)histogram_percentile(&all, 0.5),
           (unsigned long long)histogram_percentile(&all, 0.99), (unsigned long long)all.max,
           (unsigned long long)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
}

static void run(const struct plan *plan)
{
    static struct share shares[THREADS_MAX];
    for (unsigned i = 0; i < plan->threads; i++) {
        shares[i].plan = plan;
        shares[i].count = plan->connections / plan->threads;
        open_all(&shares[i]);
    }
    uint64_t started_at = clock_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < plan->threads; i++) {
        shares[i].end_at = started_at + plan->ms * NS_PER_MS;
        if (pthread_create(&shares[i].thread, NULL, run_share, &shares[i]) != 0)
            die("starting", "no thread");
    }
    for (unsigned i = 0; i < plan->threads; i++)
        pthread_join(shares[i].thread, NULL);
    report(shares, plan->threads, started_at);
}

/* A number from 1 to max, or usage. */
static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value < 1 || value > max)
        die(text, "not a number that this argument can have");
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    static struct plan plan;
    if (argc != 7) {
        fprintf(stderr, "usage: bench-load PORT CONNECTIONS DEPTH THREADS MILLISECONDS BODIES"
                        " < request\n");
        return 2;
    }
    plan.port = (uint16_t)number(argv[1], UINT16_MAX);
    plan.connections = number(argv[2], CONNECTIONS_MAX);
    plan.depth = number(argv[3], DEPTH_MAX);
    plan.threads = number(argv[4], THREADS_MAX);
    plan.ms = number(argv[5], 3600 * 1000);
    if (plan.connections % plan.threads != 0)
        die(argv[2], "the threads cannot share that many connections evenly");
    if (!bodies_load(&plan.bodies, argv[6]))
        die(argv[6], strerror(errno));
    size_t n = fread(plan.batch, 1, REQUEST_BYTES_MAX, stdin);
    for (unsigned i = 1; i < plan.depth; i++)
        memcpy(plan.batch + i * n, plan.batch, n);
    plan.batch_bytes = n * plan.depth;
    run(&plan);
    return 0;
}
