/*
 * soak.c: a client that treats a server as badly as a thousand bad networks do.
 *
 *   soak-client PORT CONNECTIONS REQUESTS SEED
 *
 * Keeps CONNECTIONS connections to 127.0.0.1 open until REQUESTS requests have been sent, in
 * pipelined batches of mixed kinds. A third of the connections is cut, at a random byte of what is
 * sent or received, half of them by a reset. On all others every answer must come, whole, in
 * order and right. Prints one line of counts; exits 1 if an answer was lost or wrong. The
 * application that it talks to is in tests/e2e/soak_spec.lua.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX    4
#define OUT_BYTES    16384
#define IN_BYTES     (256 * 1024)
#define BODY_MAX     3000
#define BIG_BYTES    50000
#define NO_CUT       SIZE_MAX
#define STALL_MS_MAX 60000

enum kind { ECHO, LENGTH, CHUNKED, SLEEP, BIG, ABORT, MISSING, KINDS };

struct request {
    enum kind kind;
    unsigned id, body_bytes;
};

struct slot {
    int fd;
    struct request batch[BATCH_MAX];
    unsigned batch_count, answered;
    unsigned batches_left;
    size_t out_len, out_pos, in_len;
    size_t sent_total, received_total;
    size_t cut_sent, cut_received; /* the connection is cut behind that many bytes */
    char out[OUT_BYTES];
    char *in;
};

struct soak {
    int epoll;
    uint16_t port;
    unsigned target, requests, next_id;
    unsigned answers, cut, lost, wrong;
    unsigned slot_count, open;
    struct slot *slots;
    uint64_t random;
};

static uint32_t draw(struct soak *s, uint32_t below)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((s->random >> 33) % below);
}

static void put(struct slot *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct slot *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(c->out + c->out_len, sizeof c->out - c->out_len, format, ap);
    va_end(ap);
    c->out_len += (size_t)n;
}

static void put_bytes(struct slot *c, size_t n)
{
    memset(c->out + c->out_len, 'b', n);
    c->out_len += n;
}

/* The body in chunks of random sizes. */
static void put_chunks(struct soak *s, struct slot *c, unsigned n)
{
    while (n) {
        unsigned chunk = 1 + draw(s, n < 700 ? n : 700);
        put(c, "%x\r\n", chunk);
        put_bytes(c, chunk);
        put(c, "\r\n");
        n -= chunk;
    }
    put(c, "0\r\nX-Trailer: t\r\n\r\n");
}

static void put_request(struct soak *s, struct slot *c, struct request *r)
{
    static const char *const paths[KINDS] = {"echo", "len", "len", "sleep", "big", "abort", "gone"};
    bool body = r->kind == LENGTH || r->kind == CHUNKED;
    put(c, "%s /%s/%u HTTP/1.1\r\nHost: localhost\r\n", body ? "POST" : "GET", paths[r->kind],
        r->id);
    if (r->kind == LENGTH)
        put(c, "Content-Length: %u\r\n", r->body_bytes);
    if (r->kind == CHUNKED)
        put(c, "Transfer-Encoding: chunked\r\n");
    put(c, "\r\n");
    if (r->kind == LENGTH)
        put_bytes(c, r->body_bytes);
    if (r->kind == CHUNKED)
        put_chunks(s, c, r->body_bytes);
}

static void new_batch(struct soak *s, struct slot *c)
{
    c->out_len = c->out_pos = 0;
    c->answered = 0;
    c->batch_count = 1 + draw(s, BATCH_MAX);
    c->batches_left--;
    for (unsigned i = 0; i < c->batch_count; i++) {
        c->batch[i] = (struct request){(enum kind)draw(s, KINDS), s->next_id++, draw(s, BODY_MAX)};
        put_request(s, c, &c->batch[i]);
        s->requests++;
    }
}

static void watch(struct soak *s, struct slot *c, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (c->out_pos < c->out_len ? EPOLLOUT : 0u),
                                .data.ptr = c};
    if (epoll_ctl(s->epoll, operation, c->fd, &event) != 0)
        abort();
}

static void connect_slot(struct soak *s, struct slot *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 ||
        (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) {
        perror("soak-client: connect");
        exit(2);
    }
    c->batches_left = 1 + draw(s, 8);
    c->in_len = c->sent_total = c->received_total = 0;
    c->cut_sent = c->cut_received = NO_CUT;
    if (draw(s, 3) == 0)
        *(draw(s, 2) ? &c->cut_sent : &c->cut_received) = draw(s, 4000);
    s->open++;
    new_batch(s, c);
    watch(s, c, EPOLL_CTL_ADD);
}

static void disconnect(struct soak *s, struct slot *c, bool reset)
{
    struct linger linger = {1, 0};
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c->fd);
    c->fd = -1;
    s->open--;
}

static void replace(struct soak *s, struct slot *c, bool reset)
{
    disconnect(s, c, reset);
    if (s->requests < s->target)
        connect_slot(s, c);
}

static void cut(struct soak *s, struct slot *c)
{
    s->cut++;
    replace(s, c, draw(s, 2));
}

/* Nobody may end a connection but us. */
static void lose(struct soak *s, struct slot *c, const char *how)
{
    fprintf(stderr, "soak-client: %s with %u of %u answers (request %u)\n", how, c->answered,
            c->batch_count, c->batch[c->answered].id);
    s->lost += c->batch_count - c->answered;
    replace(s, c, true);
}

static bool answer_is_right(const struct request *r, int status, const char *body, size_t n)
{
    char expected[64];
    int len = snprintf(expected, sizeof expected, "%u", r->id);
    switch (r->kind) {
    case ABORT:
        return status == 409;
    case MISSING:
        return status == 404;
    case BIG:
        return status == 200 && n == BIG_BYTES + (size_t)len &&
               memcmp(body, expected, (size_t)len) == 0;
    case LENGTH:
    case CHUNKED:
        len = snprintf(expected, sizeof expected, "%u %u", r->id, r->body_bytes);
        break;
    default:
        break;
    }
    return status == 200 && n == (size_t)len && memcmp(body, expected, n) == 0;
}

/* The size of the answer at the front of the input, 0 if it is not complete. */
static size_t take_answer(struct soak *s, struct slot *c, const char *in, size_t n)
{
    const char *end = memmem(in, n, "\r\n\r\n", 4);
    const char *length = end ? memmem(in, (size_t)(end - in), "Content-Length: ", 16) : NULL;
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - in), body = length ? strtoul(length + 16, NULL, 10) : 0;
    if (n < head + body)
        return 0;
    int status = n > 12 ? (int)strtol(in + 9, NULL, 10) : 0;
    if (!length || c->answered == c->batch_count ||
        !answer_is_right(&c->batch[c->answered], status, in + head, body)) {
        fprintf(stderr, "soak-client: wrong answer %d to request %u\n", status,
                c->batch[c->answered % BATCH_MAX].id);
        s->wrong++;
    }
    c->answered++;
    s->answers++;
    return head + body;
}

static void take_answers(struct soak *s, struct slot *c)
{
    size_t used = 0, size;
    while ((size = take_answer(s, c, c->in + used, c->in_len - used)))
        used += size;
    memmove(c->in, c->in + used, c->in_len - used);
    c->in_len -= used;
}

static void after_answers(struct soak *s, struct slot *c)
{
    if (c->answered < c->batch_count)
        return;
    if (!c->batches_left || s->requests >= s->target) {
        replace(s, c, false);
        return;
    }
    new_batch(s, c);
    watch(s, c, EPOLL_CTL_MOD);
}

static void on_readable(struct soak *s, struct slot *c)
{
    size_t room = IN_BYTES - c->in_len;
    ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lose(s, c, n == 0 ? "the server closed" : "the server reset");
        return;
    }
    c->in_len += (size_t)n;
    c->received_total += (size_t)n;
    if (c->received_total >= c->cut_received) {
        cut(s, c);
        return;
    }
    take_answers(s, c);
    after_answers(s, c);
}

/* False when the connection is another one now. */
static bool on_writable(struct soak *s, struct slot *c)
{
    size_t n = c->out_len - c->out_pos;
    size_t allowed = c->cut_sent - c->sent_total;
    if (n > allowed)
        n = allowed;
    if (n > 1 && draw(s, 4) == 0)
        n = 1 + draw(s, (uint32_t)n);
    ssize_t done = n ? send(c->fd, c->out + c->out_pos, n, MSG_NOSIGNAL) : 0;
    if (done < 0 && errno != EAGAIN && errno != EINTR) {
        lose(s, c, "sending failed");
        return false;
    }
    if (done > 0) {
        c->out_pos += (size_t)done;
        c->sent_total += (size_t)done;
    }
    if (c->sent_total >= c->cut_sent) {
        cut(s, c);
        return false;
    }
    if (c->out_pos == c->out_len)
        watch(s, c, EPOLL_CTL_MOD);
    return true;
}

static void turn(struct soak *s)
{
    struct epoll_event events[256];
    int n = epoll_wait(s->epoll, events, 256, STALL_MS_MAX);
    if (n == 0) {
        for (unsigned i = 0; i < s->slot_count; i++)
            if (s->slots[i].fd >= 0)
                lose(s, &s->slots[i], "nothing came for a minute");
        s->target = 0;
    }
    for (int i = 0; i < n; i++) {
        struct slot *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT && !on_writable(s, c))
            continue;
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            on_readable(s, c);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: soak-client PORT CONNECTIONS REQUESTS SEED\n");
        return 2;
    }
    struct soak s = {.port = (uint16_t)strtoul(argv[1], NULL, 10),
                     .slot_count = (unsigned)strtoul(argv[2], NULL, 10),
                     .target = (unsigned)strtoul(argv[3], NULL, 10),
                     .random = strtoull(argv[4], NULL, 10) * 2 + 1,
                     .next_id = 1};
    struct rlimit files = {s.slot_count + 64, s.slot_count + 64};
    setrlimit(RLIMIT_NOFILE, &files);
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    s.slots = calloc(s.slot_count, sizeof *s.slots);
    for (unsigned i = 0; s.slots && i < s.slot_count; i++) {
        s.slots[i].in = malloc(IN_BYTES);
        if (!s.slots[i].in)
            return 2;
        connect_slot(&s, &s.slots[i]);
    }
    while (s.open)
        turn(&s);
    printf("soak: %u requests, %u answers, %u cut, %u lost, %u wrong\n", s.requests, s.answers,
           s.cut, s.lost, s.wrong);
    for (unsigned i = 0; i < s.slot_count; i++)
        free(s.slots[i].in);
    free(s.slots);
    return s.lost || s.wrong ? 1 : 0;
}
