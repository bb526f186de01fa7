/*
 * h1_conn.h: HTTP/1 on a connection: parse → handler → sink → write.
 *
 * One exchange at a time: the next request of a pipeline is parsed when the
 * answer to the one before was appended, so answers leave in order.
 */
#ifndef BQ_SERVE_H1_CONN_H
#define BQ_SERVE_H1_CONN_H

#include "serve/conn.h"

#include "http/h1_parse.h"

/* What a request needs of the connection, lent by the worker. */
struct bq_h1_work {
    struct bq_spare spare;
    struct bq_h1_parser *parser;
    struct bq_buf body;
    uint64_t body_bytes, body_bytes_max;
    uint64_t body_began_ms;
    uint64_t judged_us; /* when the head was complete; 0: nobody asks */
    bool fed;           /* the parser has seen input of this request */
    bool known;         /* the handler has seen the head and not answered */
    bool wants_body;
    bool lost; /* the handler wants the body, and an earlier one did not: some was dropped */
    struct bq_exchange exchange;
};

extern const struct bq_proto bq_h1_proto;

/* Frees a work that is in no connection. */
void bq_h1_work_free(struct bq_h1_work *w);

#endif
