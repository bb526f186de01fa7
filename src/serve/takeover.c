/*
 * takeover.c: a worker takes over what another one, which is inside Lua, would let wait.
 *
 * The caller has borrowed the other's loop (net/absence.h), and so everything in this room that
 * belongs to it but for what the other's thread is in the middle of: a connection that runs or
 * whose answer is awaited stays (conn.h).
 */
#include "serve/accept.h"
#include "serve/conn.h"
#include "serve/worker.h"

#define PEEK_MAX   64
#define ROUNDS_MAX 16

/* Times connections_max. Whoever gives some away can accept others for them: without an end to it
 * the limit would be none. */
#define CROWD_MAX 2

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
    return has_room(t->to) && bq_conn_move(c, t->to);
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

unsigned bq_serve_take_ready(struct bq_serve *to, struct bq_serve *from)
{
    struct takeover t = {to, 0};
    if (to->draining || from->draining)
        return 0;
    take_dirty(&t, from);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        unsigned before = t.moved;
        if (bq_loop_peek(from->loop, PEEK_MAX, take_ready, &t) < PEEK_MAX || t.moved == before)
            break;
    }
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
    return t.moved;
}
