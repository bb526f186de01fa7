/*
 * serve.c: a worker's connections as a whole: beginning, the end of each turn, draining.
 *
 * Answers that come late, and input that was put off, are dealt with once at
 * the end of a turn, by the after hook: no handler is entered from within a respond.
 */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/accept.h"
#include "serve/conn.h"
#include "serve/h1_conn.h"
#include "serve/worker.h"

#include <sys/random.h>

#define SPARE_CONNS 256
#define SPARE_WORKS 256

static struct bq_conn *conn_in_all(struct bq_node *n)
{
    return BQ_CONTAINER(n, struct bq_conn, all);
}

/* Each that is dirty now runs once; those that become so meanwhile have the next turn. */
static void run_dirty(struct bq_serve *s)
{
    struct bq_node *last = s->dirty.head.prev;
    struct bq_node *n = NULL;
    while (n != last && (n = bq_list_take(&s->dirty)))
        bq_conn_continue(BQ_CONTAINER(n, struct bq_conn, dirty));
    if (!bq_list_empty(&s->dirty))
        bq_loop_again(s->loop);
}

/* The last thing that a turn does with s: drained may free it. */
static void tell_drained(struct bq_serve *s)
{
    void (*drained)(void *arg) = s->drained;
    if (!drained || s->counts.open)
        return;
    s->drained = NULL;
    drained(s->drained_arg);
}

static void after_turn(void *arg)
{
    struct bq_serve *s = arg;
    assert(s->arrived == 0);
    if (s->ring && (s->unsent || !bq_list_empty(&s->dirty)))
        bq_serve_send_unsent(s);
    if (!bq_list_empty(&s->dirty))
        run_dirty(s);
    bq_serve_tell_put_off(s);
    bq_accept_resume(s);
    tell_drained(s);
}

static void on_sweep(struct bq_timer *t)
{
    struct bq_serve *s = BQ_CONTAINER(t, struct bq_serve, sweep);
    struct bq_node *next;
    for (struct bq_node *n = s->conns.head.next; n != &s->conns.head; n = next) {
        next = n->next;
        bq_conn_drain(conn_in_all(n));
    }
}

static void seed_ids(struct bq_serve *s)
{
    uint64_t own;
    if (getrandom(&own, sizeof own, GRND_NONBLOCK) != sizeof own)
        own = (uint64_t)(uintptr_t)s ^ bq_clock_us();
    bq_ids_init(&s->ids, own);
}

struct bq_serve *bq_serve_new(struct bq_loop *loop, const struct bq_serve_config *config,
                              const struct bq_handler *handler)
{
    struct bq_serve *s = bq_alloc(sizeof *s);
    if (!s)
        return NULL;
    memset(s, 0, offsetof(struct bq_serve, input));
    s->loop = loop;
    s->config = *config;
    s->identifies = config->trust.proxies || config->request_id;
    s->handler = *handler;
    s->carry = bq_tcp_init;
    seed_ids(s);
    s->ring = config->together ? bq_ring_new() : NULL;
    s->retry.fn = bq_accept_on_retry;
    s->sweep.fn = on_sweep;
    s->spare_conns.count_max = SPARE_CONNS;
    s->spare_works.count_max = SPARE_WORKS;
    bq_list_init(&s->conns);
    bq_list_init(&s->dirty);
    bq_loop_set_after(loop, after_turn, s);
    return s;
}

static void free_spares(struct bq_serve *s)
{
    struct bq_spare *spare;
    while ((spare = bq_pool_take(&s->spare_conns)))
        bq_free(spare);
    while ((spare = bq_pool_take(&s->spare_works)))
        bq_h1_work_free((struct bq_h1_work *)spare);
    bq_buf_pool_release(&s->bufs);
}

void bq_serve_free(struct bq_serve *s)
{
    struct bq_node *n;
    bq_accept_stop(s);
    while ((n = bq_list_peek(&s->conns)))
        bq_conn_abort(conn_in_all(n));
    bq_timer_clear(bq_loop_watch_wheel(s->loop), &s->sweep);
    bq_loop_set_after(s->loop, NULL, NULL);
    free_spares(s);
    bq_ring_free(s->ring);
    bq_free(s);
}

void bq_serve_drain(struct bq_serve *s, void (*drained)(void *arg), void *arg)
{
    assert(!s->draining);
    bq_accept_last(s);
    bq_accept_stop(s);
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    if (s->counts.open == 0)
        tell_drained(s);
    else /* not now: a handler may have called, whose connection is being read */
        bq_timer_set(bq_loop_watch_wheel(s->loop), &s->sweep, bq_serve_now_ms(s));
}

void bq_serve_set_handler(struct bq_serve *s, const struct bq_handler *handler)
{
    s->handler = *handler;
    for (struct bq_node *n = s->conns.head.next; n != &s->conns.head; n = n->next) {
        struct bq_conn *c = conn_in_all(n);
        if (c->state < BQ_CONN_HANDLING) /* a head that was read, and a body that was not */
            c->proto->moved(c, s);
    }
}

struct bq_serve_counts bq_serve_counts(const struct bq_serve *s)
{
    return s->counts;
}

void bq_serve_each_flight(const struct bq_serve *s,
                          void (*fn)(void *arg, const struct bq_serve_flight *flight), void *arg)
{
    for (const struct bq_node *n = s->conns.head.next; n != &s->conns.head; n = n->next) {
        const struct bq_conn *c = conn_in_all((struct bq_node *)n);
        struct bq_serve_flight flight = {.began_us = 0};
        if (c->state != BQ_CONN_HANDLING && c->state != BQ_CONN_GONE)
            continue;
        flight.exchange = c->proto->exchange(c, &flight.began_us);
        fn(arg, &flight);
    }
}

const char *bq_serve_date(struct bq_serve *s)
{
    time_t now_s = bq_loop_time(s->loop);
    if (now_s != s->date_s) {
        s->date_s = now_s;
        bq_date_format(now_s, s->date);
    }
    return s->date;
}
