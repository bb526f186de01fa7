/*
 * rig.h: a worker's serve on a real loop, clients on real sockets, and a handler
 * whose behaviour the request's path chooses:
 *
 *   /now      answers "ok" at once       /later    answers when the test says so
 *   /echo     answers the body           /big      answers rig.big_bytes bytes
 *   /empty    answers 204
 *   /refused  does not want a body       /onend    answers when it hears gone
 */
#ifndef BQ_TESTS_SERVE_RIG_H
#define BQ_TESTS_SERVE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "serve/conn.h"
#include "serve/h1_conn.h"
#include "serve/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RIG_UNUSED  __attribute__((unused))
#define PENDING_MAX 512

struct rig {
    struct bq_loop *loop;
    struct bq_serve *serve;
    struct bq_exchange *pending[PENDING_MAX];
    size_t pending_count;
    int heads, requests, gones, abandons, drains;
    uint64_t body_bytes_max;
    bool refuses_bodies; /* every path is as /refused */
    size_t big_bytes;
    char *big;
    char last_body[256];
    char last_trailer[64];
    int records;
    struct bq_access_record record; /* the last; its strings are copied below */
    char record_text[256];
};

/* What passes through the transports, and how much a call may carry. */
static struct {
    int reads, writes, closes, resets;
    size_t read_max, write_max;
} spy;

static const struct bq_transport_ops *real_ops;

static ssize_t spy_read(struct bq_transport *t, void *bytes, size_t n)
{
    spy.reads++;
    return real_ops->read(t, bytes, n < spy.read_max ? n : spy.read_max);
}

static ssize_t spy_write(struct bq_transport *t, const void *bytes, size_t n)
{
    spy.writes++;
    return real_ops->write(t, bytes, n < spy.write_max ? n : spy.write_max);
}

static void spy_shutdown(struct bq_transport *t)
{
    real_ops->shutdown(t);
}

static void spy_close(struct bq_transport *t, bool reset)
{
    spy.closes++;
    spy.resets += reset;
    real_ops->close(t, reset);
}

static const struct bq_transport_ops spy_ops = {
    .read = spy_read,
    .write = spy_write,
    .shutdown = spy_shutdown,
    .close = spy_close,
};

static void spy_init(struct bq_transport *t, int fd)
{
    bq_tcp_init(t, fd);
    real_ops = t->ops;
    t->ops = &spy_ops;
}

/* The handler. */

static void answer(struct bq_exchange *ex, bq_str body)
{
    struct bq_response r = {.status = 200, .content_type = BQ_STR("text/plain"), .body = body};
    ex->sink->respond(ex, &r);
}

static struct bq_verdict on_head(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    r->heads++;
    return (struct bq_verdict){
        .body_bytes_max = r->body_bytes_max,
        .wants_body = !r->refuses_bodies && !bq_str_eq(ex->request.path, BQ_STR("/refused")),
    };
}

static void note_body(struct rig *r, const struct bq_exchange *ex)
{
    snprintf(r->last_body, sizeof r->last_body, "%.*s", BQ_STR_ARG(ex->body));
    if (ex->request.trailer_count)
        snprintf(r->last_trailer, sizeof r->last_trailer, "%.*s",
                 BQ_STR_ARG(ex->request.trailers[0].value));
}

static void on_request(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    bq_str path = ex->request.path;
    r->requests++;
    note_body(r, ex);
    if (bq_str_eq(path, BQ_STR("/later")) || bq_str_eq(path, BQ_STR("/onend"))) {
        assert_true(r->pending_count < PENDING_MAX);
        r->pending[r->pending_count++] = ex;
    } else if (bq_str_eq(path, BQ_STR("/big"))) {
        answer(ex, bq_str_of(r->big, r->big_bytes));
    } else if (bq_str_eq(path, BQ_STR("/empty"))) {
        struct bq_response none = {.status = 204, .body = BQ_STR("never sent")};
        ex->sink->respond(ex, &none);
    } else if (bq_str_eq(path, BQ_STR("/echo"))) {
        answer(ex, ex->body);
    } else {
        answer(ex, BQ_STR("ok"));
    }
}

static void forget(struct rig *r, const struct bq_exchange *ex)
{
    for (size_t i = 0; i < r->pending_count; i++)
        if (r->pending[i] == ex)
            r->pending[i] = r->pending[--r->pending_count];
}

static void on_gone(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    assert_true(ex->gone);
    r->gones++;
    if (bq_str_eq(ex->request.path, BQ_STR("/onend"))) {
        forget(r, ex);
        answer(ex, BQ_STR("too late"));
    }
}

static void on_abandon(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    r->abandons++;
    forget(r, ex);
}

static void on_record(void *arg, const struct bq_access_record *record)
{
    struct rig *r = arg;
    r->records++;
    r->record = *record;
    snprintf(r->record_text, sizeof r->record_text, "%.*s|%.*s|%.*s|%.*s",
             BQ_STR_ARG(record->method), BQ_STR_ARG(record->target), BQ_STR_ARG(record->referer),
             BQ_STR_ARG(record->user_agent));
}

/* Answers the oldest request that waits. */
RIG_UNUSED static void answer_later(struct rig *r, bq_str body)
{
    assert_true(r->pending_count > 0);
    struct bq_exchange *ex = r->pending[0];
    r->pending_count--;
    memmove(r->pending, r->pending + 1, r->pending_count * sizeof *r->pending);
    answer(ex, body);
}

/* Life. */

static struct bq_serve_config rig_config(struct rig *r)
{
    return (struct bq_serve_config){
        .limits = {.h1 = {.line_bytes_max = 8192, .head_bytes_max = 16384, .fields_max = 100},
                   .head_ms_max = 10000,
                   .body_ms_max = 10000,
                   .idle_ms_max = 30000,
                   .write_ms_max = 10000,
                   .connections_max = 1000},
        .access = on_record,
        .access_arg = r,
    };
}

static void rig_open_with(struct rig *r, const struct bq_serve_config *config)
{
    struct bq_handler handler = {
        .self = r, .head = on_head, .request = on_request, .gone = on_gone, .abandon = on_abandon};
    bq_log_set_level(BQ_LOG_ERROR); /* pauses are expected */
    r->loop = bq_loop_new();
    assert_non_null(r->loop);
    r->serve = bq_serve_new(r->loop, config, &handler);
    assert_non_null(r->serve);
    r->serve->carry = spy_init;
    memset(&spy, 0, sizeof spy);
    spy.read_max = spy.write_max = SIZE_MAX;
    r->body_bytes_max = 1 << 20;
    r->big_bytes = 100000;
    r->big = calloc(1, 8 << 20);
    memset(r->big, 'b', 8 << 20);
}

RIG_UNUSED static void rig_open(struct rig *r)
{
    memset(r, 0, sizeof *r);
    struct bq_serve_config config = rig_config(r);
    rig_open_with(r, &config);
}

static void rig_close(struct rig *r)
{
    if (r->serve)
        bq_serve_free(r->serve);
    bq_loop_free(r->loop);
    free(r->big);
}

static void turns(struct rig *r, int n)
{
    for (int i = 0; i < n; i++)
        bq_loop_run_once(r->loop, 0);
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Turns the loop for ms. */
RIG_UNUSED static void pass(struct rig *r, int ms)
{
    int64_t end = clock_ms() + ms;
    do
        bq_loop_run_once(r->loop, 1);
    while (clock_ms() < end);
}

/* Clients. */

struct client {
    int fd;
    bool ended;     /* the server's end has come */
    bool was_reset; /* … as a reset */
    size_t received;
    char in[65536]; /* the first bytes, NUL-terminated */
};

static void client_init(struct client *c, int fd)
{
    memset(c, 0, sizeof *c);
    c->fd = fd;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* One end of a socket pair is the client, the other a connection of serve's. */
static int client_try_open(struct rig *r, struct client *c)
{
    int fds[2];
    struct bq_peer peer = {.family = AF_UNIX};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    client_init(c, fds[0]);
    return bq_conn_open(r->serve, fds[1], &peer);
}

RIG_UNUSED static struct bq_conn *client_open(struct rig *r, struct client *c)
{
    assert_int_equal(client_try_open(r, c), BQ_OK);
    return BQ_CONTAINER(r->serve->conns.head.prev, struct bq_conn, all);
}

/* A listening socket on a free port of 127.0.0.1. */
RIG_UNUSED static int listen_tcp(struct sockaddr_in *sa)
{
    socklen_t len = sizeof *sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)sa, sizeof *sa), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &len), 0);
    return fd;
}

/* A client over TCP; its connection is in the accept queue afterwards. */
RIG_UNUSED static void client_connect(struct client *c, const struct sockaddr_in *sa)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)sa, sizeof *sa), 0);
    client_init(c, fd);
}

static void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static void client_send_bytes(struct client *c, const char *bytes, size_t n)
{
    assert_int_equal(send(c->fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

static void client_receive(struct client *c)
{
    char buf[65536];
    ssize_t n;
    while ((n = recv(c->fd, buf, sizeof buf, 0)) > 0) {
        size_t room =
            sizeof c->in - 1 - (c->received < sizeof c->in ? c->received : sizeof c->in - 1);
        memcpy(c->in + sizeof c->in - 1 - room, buf, (size_t)n < room ? (size_t)n : room);
        c->received += (size_t)n;
    }
    if (n == 0 || errno != EAGAIN)
        c->ended = true;
    if (n < 0 && errno == ECONNRESET)
        c->was_reset = true;
}

/* A few turns; the client takes what comes. */
RIG_UNUSED static void exchange_bytes(struct rig *r, struct client *c)
{
    for (int i = 0; i < 12; i++) {
        turns(r, 1);
        client_receive(c);
    }
}

/* Turns until the server has ended the connection; fails after ms. */
RIG_UNUSED static void wait_for_end(struct rig *r, struct client *c, int ms)
{
    int64_t end = clock_ms() + ms;
    while (!c->ended) {
        assert_true(clock_ms() < end);
        bq_loop_run_once(r->loop, 1);
        client_receive(c);
    }
}

static int count_of(const struct client *c, const char *text)
{
    int n = 0;
    for (const char *p = c->in; (p = strstr(p, text)); p += strlen(text))
        n++;
    return n;
}

RIG_UNUSED static int answers(const struct client *c)
{
    return count_of(c, "HTTP/1.1 200 ");
}

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: a\r\n"
#define GET(path)          HEAD("GET", path) "\r\n"

#endif
