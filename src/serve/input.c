/*
 * input.c: what a connection reads: into its protocol, or kept until that can take it.
 *
 * On the path of a request there is one read, into the worker's buffer, or a share of one for
 * several connections (arrived.c); nothing is copied but what is not parsed yet.
 */
#include "base/rc.h"
#include "serve/conn.h"
#include "serve/worker.h"

bool bq_conn_wants_read(const struct bq_conn *c)
{
    if (c->peer_ended || bq_conn_is_backed_up(c))
        return false;
    if (bq_conn_takes_requests(c))
        return bq_buf_size(&c->rest) == 0;
    if (c->state == BQ_CONN_HANDLING) /* to learn that the peer has left */
        return bq_buf_size(&c->rest) < BQ_INPUT_BYTES && !(c->last && c->unread);
    return c->state == BQ_CONN_LINGERING;
}

/* Without memory for what a client sent ahead, the answer in progress is the
 * last one; where none is in progress, it is told. */
static void lose_input(struct bq_conn *c)
{
    if (c->state == BQ_CONN_HANDLING)
        c->last = c->unread = true;
    else
        c->proto->refuse(c, 503, "Service Unavailable");
}

static void keep_input(struct bq_conn *c, bq_str in)
{
    if (c->state >= BQ_CONN_CLOSING || c->last) {
        c->unread = true;
        return;
    }
    bq_buf_pool_lend(&c->serve->bufs, &c->rest);
    if (bq_buf_append(&c->rest, in) != BQ_OK)
        lose_input(c);
}

static void take_input(struct bq_conn *c, bq_str in)
{
    if (c->state == BQ_CONN_LINGERING) {
        c->lingered_bytes += (uint32_t)in.n;
        if (c->lingered_bytes > BQ_LINGER_BYTES_MAX)
            bq_conn_set_state(c, BQ_CONN_CLOSED);
        return;
    }
    if (bq_buf_size(&c->rest) == 0 && bq_conn_may_parse(c))
        c->proto->input(c, &in);
    if (in.n)
        keep_input(c, in);
}

static void input_ended(struct bq_conn *c)
{
    c->peer_ended = true;
    if (c->state == BQ_CONN_HANDLING)
        c->proto->gone(c);
    else if (c->state == BQ_CONN_LINGERING)
        bq_conn_set_state(c, BQ_CONN_CLOSED);
}

/* One read. False: that was all there is, for now or for good. A read that fills less than the room
 * has emptied the socket: no second one. */
static bool read_once(struct bq_conn *c)
{
    struct bq_serve *s = c->serve;
    size_t room = BQ_INPUT_BYTES - bq_buf_size(&c->rest);
    ssize_t n = c->transport.ops->read(&c->transport, s->input, room);
    if (n == BQ_EOF)
        input_ended(c);
    else if (n < 0 && n != BQ_AGAIN)
        bq_conn_lose(c);
    if (n <= 0)
        return false;
    c->bulky = (size_t)n >= BQ_PIECE_BYTES;
    take_input(c, bq_str_of(s->input, (size_t)n));
    return (size_t)n == room;
}

static bool take_arrived(struct bq_conn *c)
{
    bq_str in = bq_serve_take_arrived(c);
    take_input(c, in);
    return in.n == BQ_PIECE_BYTES;
}

void bq_conn_read(struct bq_conn *c)
{
    for (int i = 0; i < BQ_READS_MAX && bq_conn_wants_read(c); i++)
        if (!(c->arrived ? take_arrived(c) : read_once(c)))
            return;
    c->unread = c->unread || c->state == BQ_CONN_CLOSING;
}

void bq_conn_parse_rest(struct bq_conn *c)
{
    if (bq_buf_size(&c->rest) == 0 || !bq_conn_may_parse(c))
        return;
    bq_str in = bq_buf_str(&c->rest);
    size_t before = in.n;
    c->proto->input(c, &in);
    if (bq_buf_size(&c->rest) == before) /* else dropped: the connection closes */
        bq_buf_consume(&c->rest, before - in.n);
    if (bq_buf_size(&c->rest) == 0)
        bq_buf_pool_give(&c->serve->bufs, &c->rest);
}
