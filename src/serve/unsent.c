/*
 * unsent.c: answers that are put off, to leave in one system call with others of the same turn.
 *
 * They lie in their connections' buffers, which are dirty meanwhile (conn.h), so that whoever takes
 * over from this worker finds and sends them.
 */
#include "base/clock.h"
#include "serve/conn.h"
#include "serve/worker.h"

/* Handlers that take long make no answer wait for many of them. */
#define UNSENT_US_MAX 250

void bq_serve_send_unsent(struct bq_serve *s)
{
    struct bq_send sends[BQ_RING_MAX];
    struct bq_conn *conns[BQ_RING_MAX];
    unsigned count = 0;
    for (struct bq_node *n = s->dirty.head.next; n != &s->dirty.head && count < BQ_RING_MAX;
         n = n->next) {
        struct bq_conn *c = BQ_CONTAINER(n, struct bq_conn, dirty);
        if (!bq_conn_is_unsent(c))
            continue;
        bq_str out = bq_buf_str(&c->out);
        sends[count] = (struct bq_send){&c->transport, out.p, out.n, 0};
        conns[count++] = c;
    }
    bq_ring_send(s->ring, sends, count);
    for (unsigned i = 0; i < count; i++) {
        bq_list_remove(&conns[i]->dirty);
        bq_conn_sent(conns[i], sends[i].done);
    }
    s->unsent = 0;
    bq_serve_tell_put_off(s);
}

void bq_serve_note_unsent(struct bq_serve *s)
{
    uint64_t now_us = bq_clock_us();
    if (s->unsent++ == 0)
        s->unsent_since_us = now_us;
    else if (s->unsent >= BQ_RING_MAX || now_us - s->unsent_since_us >= UNSENT_US_MAX)
        bq_serve_send_unsent(s);
}
