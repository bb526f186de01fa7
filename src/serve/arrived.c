/*
 * arrived.c: what clients have sent whose connections are ready in the same turn, received in one
 * system call.
 *
 * The first of them that is told so has the others' received with its own, into pieces of the
 * worker's memory, where each finds its own when its turn comes. Whoever takes over from this
 * worker meanwhile, since one of their handlers is inside Lua, takes the pieces along (takeover.c).
 */
#include "base/rc.h"
#include "serve/conn.h"
#include "serve/worker.h"

/* For two the ring takes as much as two reads do. */
#define TOGETHER_MIN 3

/* Between two requests, so that nothing but its event makes it run before its turn comes. */
static bool may_go_along(const struct bq_conn *c)
{
    return c->state == BQ_CONN_IDLE && !c->peer_ended && !c->bulky && c->transport.ops->plain &&
           bq_buf_size(&c->out) == 0 && bq_buf_size(&c->rest) == 0 && !c->dirty.next;
}

/* Gives: how many connections there are to receive for, c the first. */
static unsigned gather(struct bq_conn *c, struct bq_conn *conns[static BQ_RING_MAX])
{
    struct bq_watch *upcoming[BQ_RING_MAX - 1];
    unsigned n = bq_loop_upcoming(c->serve->loop, upcoming, BQ_RING_MAX - 1);
    unsigned count = 0;
    conns[count++] = c;
    for (unsigned i = 0; i < n; i++) {
        struct bq_conn *other = bq_conn_of(upcoming[i]);
        if (other && may_go_along(other))
            conns[count++] = other;
    }
    return count;
}

static void note_arrived(struct bq_conn *c, unsigned number, size_t n)
{
    struct bq_serve *s = c->serve;
    s->pieces[number] = (struct bq_piece){c, n};
    s->arrived++;
    c->arrived = (uint8_t)(number + 1);
    c->bulky = n == BQ_PIECE_BYTES;
}

void bq_serve_receive(struct bq_serve *s, struct bq_conn *c)
{
    struct bq_receive receives[BQ_RING_MAX];
    struct bq_conn *conns[BQ_RING_MAX];
    if (!s->ring || s->arrived || !bq_loop_has_more(s->loop) || !may_go_along(c))
        return;
    unsigned count = gather(c, conns);
    if (count < TOGETHER_MIN)
        return;
    for (unsigned i = 0; i < count; i++)
        receives[i] = (struct bq_receive){&conns[i]->transport, s->memory[i], BQ_PIECE_BYTES, 0};
    bq_ring_receive(s->ring, receives, count);
    for (unsigned i = 0; i < count; i++)
        if (receives[i].done > 0) /* else its own read finds out why */
            note_arrived(conns[i], i, (size_t)receives[i].done);
    bq_serve_tell_put_off(s);
}

bq_str bq_serve_arrived(const struct bq_conn *c)
{
    const struct bq_serve *s = c->serve;
    unsigned number = c->arrived - 1u;
    assert(c->arrived && s->pieces[number].conn == c);
    return bq_str_of(s->memory[number], s->pieces[number].n);
}

bq_str bq_serve_take_arrived(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    bq_str in = bq_serve_arrived(c);
    s->pieces[c->arrived - 1].conn = NULL;
    c->arrived = 0;
    if (--s->arrived == 0)
        bq_serve_tell_put_off(s);
    return in;
}
