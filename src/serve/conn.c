/*
 * conn.c: a connection's states, its runs, its output and its deadlines.
 *
 * On the path of a keep-alive request there is one read (input.c) and one
 * write, or a share of one; interest in the descriptor does not change, and the
 * timer's deadline only moves away. One timer serves every deadline: what it
 * means follows from the state and from whether output is waiting.
 */
#include "serve/conn.h"

#include "base/mem.h"
#include "base/rc.h"
#include "serve/proxy_conn.h"
#include "serve/worker.h"

static void on_event(struct bq_watch *w, uint32_t events);
static void on_timer(struct bq_timer *t);

/* States */

#define TO(state) (1u << BQ_CONN_##state)

static bool edge_exists(enum bq_conn_state from, enum bq_conn_state to)
{
    static const unsigned edges[] = {
        [BQ_CONN_IDLE] = TO(HEAD) | TO(HANDLING) | TO(CLOSING) | TO(CLOSED),
        [BQ_CONN_HEAD] = TO(BODY) | TO(HANDLING) | TO(CLOSING) | TO(CLOSED),
        [BQ_CONN_BODY] = TO(HANDLING) | TO(CLOSING) | TO(CLOSED),
        [BQ_CONN_HANDLING] = TO(IDLE) | TO(CLOSING) | TO(GONE) | TO(CLOSED),
        [BQ_CONN_CLOSING] = TO(LINGERING) | TO(CLOSED),
        [BQ_CONN_LINGERING] = TO(CLOSED),
        [BQ_CONN_GONE] = TO(CLOSED),
        [BQ_CONN_CLOSED] = 0,
    };
    return edges[from] & (1u << to);
}

static uint64_t state_ms_max(const struct bq_conn *c, enum bq_conn_state state)
{
    const struct bq_serve_limits *limits = &c->serve->config.limits;
    switch (state) {
    case BQ_CONN_IDLE:
        return limits->idle_ms_max;
    case BQ_CONN_HEAD:
        return limits->head_ms_max;
    case BQ_CONN_BODY:
        return limits->body_ms_max;
    case BQ_CONN_LINGERING:
        return BQ_LINGER_MS_MAX;
    default:
        return 0;
    }
}

static void start_deadline(struct bq_conn *c)
{
    uint64_t ms = state_ms_max(c, c->state);
    uint64_t now_ms = bq_serve_now_ms(c->serve);
    if (c->state == BQ_CONN_IDLE) { /* after a handler that may have computed for long */
        uint64_t fresh_ms = bq_loop_fresh_ms();
        now_ms = fresh_ms > now_ms ? fresh_ms : now_ms;
    }
    c->deadline_ms = ms ? now_ms + ms : 0;
    c->undated = false;
}

/* Within a run states come and go, with each request of a pipeline, and only the last one's
 * deadline counts. A body's is moved by what arrives of it. */
void bq_conn_set_state(struct bq_conn *c, enum bq_conn_state to)
{
    bool exists = edge_exists(c->state, to);
    assert(exists);
    (void)exists;
    c->state = (uint8_t)to;
    c->undated = c->running && to != BQ_CONN_BODY;
    if (!c->undated)
        start_deadline(c);
}

bool bq_conn_may_parse(const struct bq_conn *c)
{
    return bq_conn_takes_requests(c) && !bq_conn_is_backed_up(c) && c->batch > 0;
}

/* Opening and closing */

static struct bq_conn *take_conn(struct bq_serve *s)
{
    struct bq_conn *c = (struct bq_conn *)bq_pool_take(&s->spare_conns);
    if (!c)
        return bq_alloc_zero(sizeof *c);
    *c = (struct bq_conn){0};
    return c;
}

static void give_conn(struct bq_serve *s, struct bq_conn *c)
{
    if (!bq_pool_give(&s->spare_conns, &c->spare))
        bq_free(c);
}

int bq_conn_open(struct bq_serve *s, int fd, const struct bq_peer *peer)
{
    struct bq_transport transport;
    s->carry(&transport, fd);
    struct bq_conn *c = take_conn(s);
    if (!c) {
        transport.ops->close(&transport, false);
        return BQ_MEMORY;
    }
    c->serve = s;
    c->transport = transport;
    c->transport.watch.fn = on_event;
    c->timer.fn = on_timer;
    c->peer = *peer;
    c->state = BQ_CONN_IDLE;
    c->proto = s->config.proxy_protocol ? &bq_proxy_proto : bq_proto_choose(c);
    int rc = bq_loop_add(s->loop, &c->transport.watch, BQ_READ);
    if (rc != BQ_OK) {
        c->transport.ops->close(&c->transport, false);
        give_conn(s, c);
        return rc;
    }
    bq_list_push(&s->conns, &c->all);
    s->counts.open++;
    start_deadline(c);
    bq_timer_set(bq_loop_watch_wheel(s->loop), &c->timer, c->deadline_ms);
    return BQ_OK;
}

/* GONE has no transport any more; the descriptor shows it. */
static void close_transport(struct bq_conn *c, bool reset)
{
    if (c->transport.watch.fd < 0)
        return;
    bq_loop_remove(c->serve->loop, &c->transport.watch);
    c->transport.ops->close(&c->transport, reset);
    c->transport.watch.fd = -1;
}

static void give_buffers(struct bq_conn *c)
{
    bq_buf_pool_give(&c->serve->bufs, &c->out);
    bq_buf_pool_give(&c->serve->bufs, &c->rest);
}

static void destroy(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    assert(!c->arrived); /* it was taken before anything else could happen */
    c->proto->drop(c);
    close_transport(c, false);
    bq_timer_clear(bq_loop_watch_wheel(s->loop), &c->timer);
    bq_list_remove(&c->all);
    bq_list_remove(&c->dirty);
    give_buffers(c);
    s->counts.open--;
    s->freed = true;
    give_conn(s, c);
}

void bq_conn_finish(struct bq_conn *c, bool unread)
{
    c->unread = c->unread || unread || bq_buf_size(&c->rest) > 0;
    bq_buf_pool_give(&c->serve->bufs, &c->rest);
    bq_conn_set_state(c, BQ_CONN_CLOSING);
}

void bq_conn_lose(struct bq_conn *c)
{
    close_transport(c, true);
    give_buffers(c);
    if (c->state == BQ_CONN_HANDLING) {
        bq_conn_set_state(c, BQ_CONN_GONE);
        c->proto->gone(c); /* may answer, and so go on to CLOSED */
    } else if (c->state != BQ_CONN_GONE && c->state != BQ_CONN_CLOSED) {
        bq_conn_set_state(c, BQ_CONN_CLOSED);
    }
}

/* Output */

struct bq_buf *bq_conn_out(struct bq_conn *c)
{
    bq_buf_pool_lend(&c->serve->bufs, &c->out);
    return &c->out;
}

static void all_written(struct bq_conn *c)
{
    bq_buf_pool_give(&c->serve->bufs, &c->out);
    if (c->write_deadline_ms && c->state == BQ_CONN_IDLE)
        start_deadline(c); /* it was not idle while it received */
    c->write_deadline_ms = 0;
}

static void start_write_deadline(struct bq_conn *c)
{
    uint32_t ms = c->serve->config.limits.write_ms_max;
    c->write_deadline_ms = bq_serve_now_ms(c->serve) + (ms ? ms : UINT32_MAX);
}

/* What it did not take waits for the next event: asking the kernel again at once would tell nothing
 * but that it is full. */
static void wrote(struct bq_conn *c, ssize_t n)
{
    if (n < 0 && n != BQ_AGAIN) {
        bq_conn_lose(c);
        return;
    }
    if (n > 0)
        bq_buf_consume(&c->out, (size_t)n);
    if (bq_buf_size(&c->out) == 0)
        all_written(c);
    else if (n > 0 || c->write_deadline_ms == 0)
        start_write_deadline(c);
}

/* One write. */
static void flush(struct bq_conn *c)
{
    bq_str out = bq_buf_str(&c->out);
    if (out.n == 0 || c->transport.watch.fd < 0)
        return;
    wrote(c, c->transport.ops->write(&c->transport, out.p, out.n));
}

/* Runs */

static void begin_run(struct bq_conn *c)
{
    c->running = true;
    c->unsent = false;
    c->batch = BQ_BATCH_MAX;
}

/* Takes the edges that follow from bytes alone. */
static void move_on(struct bq_conn *c)
{
    if (bq_conn_takes_requests(c) && c->peer_ended && bq_buf_size(&c->rest) == 0) {
        c->proto->drop(c);
        bq_conn_finish(c, false);
    }
    if (c->state == BQ_CONN_CLOSING && bq_buf_size(&c->out) == 0) {
        bool linger = c->unread && !c->peer_ended;
        bq_conn_set_state(c, linger ? BQ_CONN_LINGERING : BQ_CONN_CLOSED);
        if (linger)
            c->transport.ops->shutdown(&c->transport);
    }
}

uint64_t bq_conn_next_deadline(struct bq_conn *c)
{
    if (c->undated)
        start_deadline(c);
    uint64_t write = bq_buf_size(&c->out) ? c->write_deadline_ms : 0;
    if (write == 0)
        return c->deadline_ms;
    if (c->deadline_ms == 0 || c->state == BQ_CONN_IDLE || write < c->deadline_ms)
        return write;
    return c->deadline_ms;
}

static int update_interest(struct bq_conn *c)
{
    uint32_t want = bq_conn_wants_read(c) ? BQ_READ : 0;
    if (bq_buf_size(&c->out) && !c->unsent)
        want |= BQ_WRITE;
    return bq_loop_change(c->serve->loop, &c->transport.watch, want);
}

/* Prepares for the wait until the next run. A timer that is set too early is
 * left alone: when it fires, on_timer sees what deadline there is. */
static void settle(struct bq_conn *c)
{
    if (c->state < BQ_CONN_GONE && update_interest(c) != BQ_OK)
        bq_conn_lose(c);
    c->running = false;
    if (c->state == BQ_CONN_CLOSED) {
        destroy(c);
        return;
    }
    if (c->state == BQ_CONN_IDLE)
        c->proto->rest(c);
    uint64_t deadline_ms = bq_conn_next_deadline(c);
    if (deadline_ms)
        bq_timer_set(bq_loop_watch_wheel(c->serve->loop), &c->timer, deadline_ms);
    if (c->unsent ||
        (bq_buf_size(&c->rest) && bq_conn_takes_requests(c) && !bq_conn_is_backed_up(c)))
        bq_conn_defer(c); /* where the batch was too long, for its rest */
}

static void end_run(struct bq_conn *c)
{
    do {
        bq_conn_parse_rest(c);
        flush(c);
    } while (bq_buf_size(&c->rest) && bq_conn_may_parse(c));
    move_on(c);
    settle(c);
}

/* A small answer that is complete, to a peer that took the one before. */
static bool may_put_off(const struct bq_conn *c)
{
    size_t n = bq_buf_size(&c->out);
    return n > 0 && n <= BQ_UNSENT_BYTES_MAX && c->state == BQ_CONN_IDLE && !c->peer_ended &&
           c->write_deadline_ms == 0 && bq_buf_size(&c->rest) == 0 && c->transport.ops->plain;
}

bool bq_conn_is_unsent(const struct bq_conn *c)
{
    return !c->running && may_put_off(c);
}

void bq_conn_sent(struct bq_conn *c, ssize_t n)
{
    begin_run(c);
    wrote(c, n);
    move_on(c);
    settle(c);
}

/* As end_run; but where more events follow, an answer is put off, to leave with theirs in one
 * system call. Until then the connection is between two requests, and others may take it over. */
static void end_event(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    if (!s->ring || !may_put_off(c) || !bq_serve_may_put_off(s)) {
        end_run(c);
        return;
    }
    c->unsent = true;
    settle(c);
    bq_serve_note_unsent(s);
}

static void read_input(struct bq_conn *c)
{
    if (!c->arrived)
        bq_serve_receive(c->serve, c);
    bq_conn_read(c);
}

static void on_event(struct bq_watch *w, uint32_t events)
{
    struct bq_conn *c = BQ_CONTAINER(w, struct bq_conn, transport.watch);
    begin_run(c);
    if (events & BQ_WRITE)
        flush(c);
    if ((events & (BQ_READ | BQ_HANGUP)) && bq_conn_wants_read(c))
        read_input(c); /* a peer that hung up may have sent something before */
    else if (events & BQ_HANGUP)
        bq_conn_lose(c);
    end_event(c);
}

static bool has_expired(struct bq_conn *c)
{
    uint64_t deadline_ms = bq_conn_next_deadline(c);
    return deadline_ms && deadline_ms <= bq_serve_now_ms(c->serve);
}

/* What has arrived in time counts, though this worker had no time to read it. */
static void expire(struct bq_conn *c)
{
    if (bq_conn_takes_requests(c) && bq_conn_wants_read(c))
        bq_conn_read(c);
    if (!has_expired(c))
        return;
    if (c->state == BQ_CONN_HEAD || c->state == BQ_CONN_BODY)
        c->proto->refuse(c, 408, "Request Timeout");
    else
        bq_conn_set_state(c, BQ_CONN_CLOSED);
}

static void on_timer(struct bq_timer *t)
{
    struct bq_conn *c = BQ_CONTAINER(t, struct bq_conn, timer);
    begin_run(c);
    if (has_expired(c)) {
        if (bq_buf_size(&c->out) && bq_conn_next_deadline(c) == c->write_deadline_ms)
            bq_conn_lose(c);
        else
            expire(c);
    }
    end_run(c);
}

void bq_conn_continue(struct bq_conn *c)
{
    begin_run(c);
    end_run(c);
}

void bq_conn_defer(struct bq_conn *c)
{
    if (c->running || c->dirty.next)
        return;
    bq_list_push(&c->serve->dirty, &c->dirty);
    bq_loop_put_off(c->serve->loop, true);
}

struct bq_conn *bq_conn_of(struct bq_watch *w)
{
    return w->fn == on_event ? BQ_CONTAINER(w, struct bq_conn, transport.watch) : NULL;
}

/* Ends of all */

void bq_conn_drain(struct bq_conn *c)
{
    if (c->state != BQ_CONN_IDLE)
        return;
    begin_run(c);
    flush(c); /* an answer of this turn */
    if (bq_conn_wants_read(c))
        bq_conn_read(c);
    if (c->state == BQ_CONN_IDLE && bq_buf_size(&c->rest) == 0) {
        uint64_t grace_ms = bq_serve_now_ms(c->serve) + BQ_GRACE_MS;
        if (c->undated)
            start_deadline(c);
        if (c->requests)
            bq_conn_finish(c, bq_buf_size(&c->out) > 0);
        else if (c->deadline_ms == 0 || grace_ms < c->deadline_ms)
            c->deadline_ms = grace_ms;
    }
    end_run(c);
}

void bq_conn_abort(struct bq_conn *c)
{
    c->running = true;
    bq_conn_lose(c);
    destroy(c);
}
