/*
 * takeover.c: a worker takes over what another one, which is inside Lua, would let wait.
 *
 * The caller has borrowed the other's loop (net/absence.h), and so everything in this room that
 * belongs to it but for what the other's thread is in the middle of: a connection that runs or
 * whose answer is awaited stays.
 */
#include "base/rc.h"
#include "serve/accept.h"
#include "serve/conn.h"
#include "serve/worker.h"

#define PEEK_MAX   64
#define ROUNDS_MAX 16

/* Times connections_max. Whoever gives some away can accept others for them: without an end to it
 * the limit would be none. */
#define CROWD_MAX 2

/* One connection */

static bool may_move(const struct bq_conn *c)
{
    return !c->running && c->state != BQ_CONN_HANDLING && c->state < BQ_CONN_GONE;
}

/* What was received for it lies in the memory of the worker that it leaves, and no event will tell
 * of it again. */
static bool keep_arrived(struct bq_conn *c)
{
    if (!c->arrived)
        return true;
    if (bq_buf_append(&c->rest, bq_serve_arrived(c)) != BQ_OK)
        return false;
    bq_serve_take_arrived(c);
    bq_conn_defer(c);
    return true;
}

static void leave_worker(struct bq_conn *c)
{
    struct bq_serve *from = c->serve;
    bq_timer_clear(bq_loop_watch_wheel(from->loop), &c->timer);
    bq_list_remove(&c->all);
    bq_list_remove(&c->dirty);
    from->counts.open--;
    from->freed = true;
}

static void join_worker(struct bq_conn *c, struct bq_serve *to)
{
    uint64_t deadline_ms = bq_conn_next_deadline(c);
    c->serve = to;
    to->counts.open++;
    bq_list_push(&to->conns, &c->all);
    if (deadline_ms)
        bq_timer_set(bq_loop_watch_wheel(to->loop), &c->timer, deadline_ms);
}

/* False: c stays, since it runs, or its answer is awaited, or there is no memory. */
static bool move(struct bq_conn *c, struct bq_serve *to)
{
    struct bq_serve *from = c->serve;
    if (!may_move(c) || !keep_arrived(c) ||
        bq_loop_move(from->loop, to->loop, &c->transport.watch) != BQ_OK)
        return false;
    bool put_off = c->dirty.next != NULL;
    leave_worker(c);
    join_worker(c, to);
    c->proto->moved(c, from);
    if (put_off)
        bq_conn_defer(c);
    return true;
}

/* Many */

struct takeover {
    struct bq_serve *to;
    unsigned moved;
};

static bool has_room(const struct bq_serve *s)
{
    return s->counts.open / CROWD_MAX < s->config.limits.connections_max;
}

static unsigned take_conn(struct takeover *t, struct bq_conn *c)
{
    return has_room(t->to) && move(c, t->to);
}

static void take_ready(void *arg, struct bq_watch *w)
{
    struct takeover *t = arg;
    struct bq_conn *c = bq_conn_of(w);
    if (c)
        t->moved += take_conn(t, c);
    else
        t->moved += bq_accept_for(t->to, w);
}

/* Those that have input already, put off to the end of the other's turn. */
static void take_dirty(struct takeover *t, struct bq_serve *from)
{
    struct bq_node *next;
    for (struct bq_node *n = from->dirty.head.next; n != &from->dirty.head; n = next) {
        next = n->next;
        t->moved += take_conn(t, BQ_CONTAINER(n, struct bq_conn, dirty));
    }
}

/* Those whose sockets show no input, since it was received already. */
static void take_arrived(struct takeover *t, struct bq_serve *from)
{
    for (unsigned i = 0; i < BQ_RING_MAX && from->arrived; i++)
        if (from->pieces[i].conn)
            t->moved += take_conn(t, from->pieces[i].conn);
}

unsigned bq_serve_take_ready(struct bq_serve *to, struct bq_serve *from)
{
    struct takeover t = {to, 0};
    if (to->draining || from->draining)
        return 0;
    take_dirty(&t, from);
    take_arrived(&t, from);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        unsigned before = t.moved;
        if (bq_loop_peek(from->loop, PEEK_MAX, take_ready, &t) < PEEK_MAX || t.moved == before)
            break;
    }
    bq_serve_tell_put_off(from);
    return t.moved;
}

unsigned bq_serve_take_all(struct bq_serve *to, struct bq_serve *from)
{
    struct takeover t = {to, 0};
    struct bq_node *next;
    if (to->draining || from->draining)
        return 0;
    for (struct bq_node *n = from->conns.head.next; n != &from->conns.head; n = next) {
        next = n->next;
        t.moved += take_conn(&t, BQ_CONTAINER(n, struct bq_conn, all));
    }
    bq_serve_tell_put_off(from);
    return t.moved;
}
