/*
 * serve.h: a worker's connections: from listening sockets to exchanges and back.
 *
 * One bq_serve belongs to one worker. It accepts, reads, drives the codec that
 * proto.c chose for the connection, hands complete requests to the handler,
 * writes what the handler responds, and keeps every limit and deadline.
 *
 *   listening ── bq_serve_drain ──> draining ── last connection ended ──> drained
 */
#ifndef BQ_SERVE_SERVE_H
#define BQ_SERVE_SERVE_H

#include "http/exchange.h"
#include "http/forwarded.h"
#include "http/h1_parse.h"
#include "net/addr.h"
#include "net/loop.h"

/* A time of 0 is no limit. */
struct bq_serve_limits {
    struct bq_h1_limits h1;
    uint32_t head_ms_max;     /* from a request's first byte to the end of its head: 408 */
    uint32_t body_ms_max;     /* between two pieces of a body: 408; for all of it ten times as long
                                 and a millisecond for each byte */
    uint32_t idle_ms_max;     /* keep-alive, and before the first byte: closed */
    uint32_t write_ms_max;    /* a peer that takes no byte for so long: reset */
    uint32_t requests_max;    /* per connection; the last answer says close. 0: no limit */
    uint32_t connections_max; /* per worker: accepting pauses */
};

/* What the access log is told of each answer, when it is complete. */
struct bq_access_record {
    struct bq_ip ip;            /* the client's; none: a UNIX socket */
    bq_str method, target;      /* "" where the request could not be read */
    bq_str referer, user_agent; /* n = 0: none */
    bq_str id, trace_id;        /* likewise; valid ones (request_id.h), which need no escapes */
    uint8_t version_minor;
    int status;
    uint64_t body_bytes;  /* of the answer */
    uint64_t duration_us; /* from the head's end to the answer */
};
typedef void (*bq_access_fn)(void *arg, const struct bq_access_record *record);

struct bq_tally;

/* Whether each connection begins with a PROXY header; in the order of the words of the option
 * proxy_protocol. One that names a client is believed of a peer that is trusted, or of any. */
enum bq_proxy_protocol { BQ_PROXY_PROTOCOL_OFF, BQ_PROXY_PROTOCOL_TRUSTED, BQ_PROXY_PROTOCOL_ANY };

struct bq_serve_config {
    struct bq_serve_limits limits;
    bool request_id;       /* each request has one, and its answer says it */
    struct bq_trust trust; /* whose word about their clients counts; it outlives the serve */
    enum bq_proxy_protocol proxy_protocol;
    bq_access_fn access; /* NULL: no access log */
    void *access_arg;
    /* Where an answer is counted whose exchange has no tally of its own, by BQ_TALLY_KEY of its
     * enum bq_method and status. NULL: none is counted. */
    struct bq_tally *tally;
    /* The requests of one turn are received in one system call, and its answers leave in one, where
     * the kernel can do it. */
    bool together;
};

struct bq_serve_counts {
    uint64_t accepted, requests, refused; /* refused: answered by serve itself */
    uint32_t open, busy;                  /* connections; those with an exchange */
    uint32_t accept_pauses;
};

struct bq_serve;

/* Takes copies of config and handler. Sets the loop's after hook. Fails: NULL. */
struct bq_serve *bq_serve_new(struct bq_loop *loop, const struct bq_serve_config *config,
                              const struct bq_handler *handler);

/* Resets every connection that is left and closes the listening sockets. A handler
 * whose answer is awaited hears gone; if it does not respond within that, it hears
 * abandon too, and must not respond after it. Not from within a handler. */
void bq_serve_free(struct bq_serve *s);

/* Accepts from fd from now on. Takes the descriptor. shared: other workers watch
 * the same one (UNIX sockets). Fails: BQ_SYSTEM, BQ_MEMORY; the descriptor stays
 * the caller's. */
int bq_serve_listen(struct bq_serve *s, int fd, bool shared);

/* A connection that came otherwise, which has a peer already. Takes the descriptor, also when it
 * fails. Fails: BQ_MEMORY, BQ_SYSTEM. */
int bq_serve_adopt(struct bq_serve *s, int fd, const struct bq_peer *peer);

/* Takes in what waits in the accept queues, stops listening, closes idle
 * connections; the others end with their answers. drained(arg) runs once, on the
 * loop, when none is left (perhaps before this returns). */
void bq_serve_drain(struct bq_serve *s, void (*drained)(void *arg), void *arg);

/* From now on requests go to that one. Those that the old one has been given stay its own: gone and
 * abandon are asked of the new one, which tells them by their exchange. Not from within a handler.
 */
void bq_serve_set_handler(struct bq_serve *s, const struct bq_handler *handler);

/* For the thread of to, which has borrowed the loop of from (net/absence.h): moves the connections
 * of from that are ready for something to be done with them, and accepts from its listening
 * sockets; or moves all its connections. One whose answer is awaited stays. While either is
 * draining nothing moves, nor to one that has twice its connections_max. Gives: how many
 * connections came. */
unsigned bq_serve_take_ready(struct bq_serve *to, struct bq_serve *from);
unsigned bq_serve_take_all(struct bq_serve *to, struct bq_serve *from);

struct bq_serve_counts bq_serve_counts(const struct bq_serve *s);

/* A request whose answer is awaited. Valid: while its connection does not run. */
struct bq_serve_flight {
    const struct bq_exchange *exchange;
    uint64_t began_us; /* bq_clock_us at its head's end; 0: neither logged nor counted */
};

/* Calls fn for each, those whose client has gone too. Not from within a handler. */
void bq_serve_each_flight(const struct bq_serve *s,
                          void (*fn)(void *arg, const struct bq_serve_flight *flight), void *arg);

#endif
