/*
 * proto.h: what a connection asks of the protocol that it speaks.
 *
 * A protocol turns input into exchanges and answers into output; the
 * connection (conn.c) moves bytes, keeps time and closes. HTTP/1 (h1_conn.c) is
 * the first; what a proxy says before (proxy_conn.c) is one, too.
 */
#ifndef BQ_SERVE_PROTO_H
#define BQ_SERVE_PROTO_H

#include "base/str.h"

#include <stdint.h>

struct bq_conn;
struct bq_exchange;
struct bq_serve;

struct bq_proto {
    /* Takes input from the front of *in until it is used up or
     * bq_conn_may_parse says stop; may answer and change the state. */
    void (*input)(struct bq_conn *c, bq_str *in);
    /* Answers a request in progress (or none) with an error; the state is
     * CLOSING afterwards, CLOSED if there is no memory even for that. */
    void (*refuse)(struct bq_conn *c, int status, const char *reason);
    /* The peer sends nothing more, or has left: who works for it hears so, once. */
    void (*gone)(struct bq_conn *c);
    /* Lets go of the request in progress; a handler that knows it and has not
     * answered hears abandon. */
    void (*drop)(struct bq_conn *c);
    /* Between two requests: gives back what an idle connection need not hold. */
    void (*rest)(struct bq_conn *c);
    /* c has left that worker for another, perhaps in the middle of a request that the handler has
     * not been given yet. */
    void (*moved)(struct bq_conn *c, struct bq_serve *from);
    /* The request whose answer is awaited, and bq_clock_us when its head was complete, or 0. */
    const struct bq_exchange *(*exchange)(const struct bq_conn *c, uint64_t *began_us);
};

/* The protocol of a new connection's client. */
const struct bq_proto *bq_proto_choose(const struct bq_conn *c);

#endif
