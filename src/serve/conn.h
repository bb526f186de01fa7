/*
 * conn.h: a connection's life: bytes in, bytes out, deadlines, closing.
 *
 *          first byte       head complete     request complete
 *   ┌> IDLE ─────────> HEAD ────────────> BODY ──────────────> HANDLING ─┐
 *   │   │               │ refused, 408     │ refused, 408       │ │  │    │
 *   └───┼───────────────┼──────────────────┼── respond, keep ───┘ │  │    │ peer lost,
 *       │ end of input  v                  v                      │  │    │ write timeout
 *       └───────────> CLOSING <────────────┴─── respond, close ───┘  │    v
 *                       │ all written                                │   GONE
 *                       v                                            │    │ respond
 *                   LINGERING ── peer ends, 2 s, 1 MiB ──> CLOSED <──┴────┘
 *
 * A request without a body goes to HANDLING as soon as its head is complete: from HEAD, or from
 * IDLE if it came in one piece.
 *
 * From every state but HANDLING, a lost peer leads to CLOSED; from IDLE its
 * timeout does, too; from CLOSING the last written byte does, where nothing can
 * be waiting unread (closing over unread input makes the kernel send a reset, which can
 * overtake the answer: hence LINGERING).
 *
 *   first byte, head, request complete    h1_conn.c input
 *   respond                               h1_conn.c respond
 *   refused, 408                          h1_conn.c refuse; conn.c expire
 *   end of input, all written             conn.c move_on
 *   peer lost, write timeout              conn.c bq_conn_lose
 *
 * A run is what one event, timer or late answer causes: take input, parse,
 * handle, write once, then settle (interest, deadline, what to give back). Only
 * the end of a run frees a connection, so that nothing within has to ask
 * whether it is still there. An idle connection holds this struct and no more.
 */
#ifndef BQ_SERVE_CONN_H
#define BQ_SERVE_CONN_H

#include "net/addr.h"
#include "net/transport.h"
#include "serve/pool.h"
#include "serve/proto.h"

#include <assert.h>

struct bq_serve;
struct bq_h1_work;
struct bq_proxy_header;

enum bq_conn_state {
    BQ_CONN_IDLE,
    BQ_CONN_HEAD,
    BQ_CONN_BODY,
    BQ_CONN_HANDLING,
    BQ_CONN_CLOSING,
    BQ_CONN_LINGERING,
    BQ_CONN_GONE,
    BQ_CONN_CLOSED, /* the end of the run frees it */
};

#define BQ_OUT_BYTES_MAX    ((size_t)256 * 1024) /* above: neither read nor parsed */
#define BQ_LINGER_BYTES_MAX ((uint32_t)1024 * 1024)
#define BQ_LINGER_MS_MAX    2000
#define BQ_UNSENT_BYTES_MAX ((size_t)16 * 1024) /* a larger answer leaves at once */
#define BQ_BATCH_MAX        128 /* requests in one run; then others get their turn */
#define BQ_READS_MAX        8   /* reads in one run, likewise */
#define BQ_GRACE_MS         100 /* for a first request that is on its way when draining begins */

struct bq_conn {
    struct bq_spare spare;
    struct bq_serve *serve; /* the worker: the one reference to it */
    const struct bq_proto *proto;
    struct bq_h1_work *work;              /* lent while a request is in progress */
    struct bq_proxy_header *proxy_header; /* the part that has come; NULL: none, or all */
    struct bq_transport transport;
    struct bq_timer timer;
    struct bq_node all, dirty;
    struct bq_buf out;          /* not yet written; memory lent while there is some */
    struct bq_buf rest;         /* read but not yet parsed, at most BQ_INPUT_BYTES; likewise */
    uint64_t deadline_ms;       /* of the state; 0: none */
    uint64_t write_deadline_ms; /* while out is not empty; 0: not tried yet */
    struct bq_peer peer;
    uint32_t requests;
    uint32_t lingered_bytes;
    uint8_t state;   /* enum bq_conn_state */
    uint8_t batch;   /* requests that this run may still begin */
    uint8_t arrived; /* 1 + the number of its piece of input, which came with others'; 0: none */
    bool running;
    bool undated;    /* deadline_ms is still that of an earlier state of this run */
    bool peer_ended; /* no more input will come */
    bool last;       /* the answer to come ends the connection */
    bool unread;     /* input may be waiting that will not be parsed */
    bool unsent;     /* the answer leaves with others of this turn */
    bool bulky;      /* its last read filled a piece, or more: it reads alone */
};
static_assert(sizeof(struct bq_conn) <= 320, "an idle connection is small");

/* Begins a connection's life. Takes the descriptor, also when it fails.
 * Fails: BQ_MEMORY, BQ_SYSTEM. */
int bq_conn_open(struct bq_serve *s, int fd, const struct bq_peer *peer);

/* Draining has begun: an idle connection ends, once it turned out that no
 * request is waiting in it. May free c. */
void bq_conn_drain(struct bq_conn *c);

/* Ends it now, whatever it does, with a reset. Frees c. */
void bq_conn_abort(struct bq_conn *c);

/* A run without an event: a late answer, or input that was put off. May free c. */
void bq_conn_continue(struct bq_conn *c);

/* The connection of that watch; NULL: it watches something else. */
struct bq_conn *bq_conn_of(struct bq_watch *w);

/* Whether it waits for nothing but to be sent, so that others may go along. */
bool bq_conn_is_unsent(const struct bq_conn *c);

/* What its transport's write would have given for all of its output. May free c. */
void bq_conn_sent(struct bq_conn *c, ssize_t n);

/* What follows is for the files between which a connection is divided. */

static inline bool bq_conn_takes_requests(const struct bq_conn *c)
{
    return c->state <= BQ_CONN_BODY;
}

static inline bool bq_conn_is_backed_up(const struct bq_conn *c)
{
    return bq_buf_size(&c->out) > BQ_OUT_BYTES_MAX;
}

bool bq_conn_wants_read(const struct bq_conn *c);

/* Takes what has arrived. Within a run, like the next. */
void bq_conn_read(struct bq_conn *c);

/* Parses what was kept, as far as it may be. */
void bq_conn_parse_rest(struct bq_conn *c);

/* The first of the deadlines that hold now, 0 if none does. A peer that receives an answer is not
 * idle. */
uint64_t bq_conn_next_deadline(struct bq_conn *c);

/* What follows is for protocols. */

/* Asserts that the edge exists; starts the state's deadline, or has the run's end do so. */
void bq_conn_set_state(struct bq_conn *c, enum bq_conn_state to);

/* Whether another piece of input may be parsed now. */
bool bq_conn_may_parse(const struct bq_conn *c);

/* The output to append to, with memory from the pool if there is some. What was
 * appended is written at the end of the run. */
struct bq_buf *bq_conn_out(struct bq_conn *c);

/* To CLOSING. unread: the peer may be sending still, so linger. */
void bq_conn_finish(struct bq_conn *c, bool unread);

/* The peer is lost: the transport ends; to GONE or CLOSED. */
void bq_conn_lose(struct bq_conn *c);

/* Sees to it that c runs at the end of this turn, if it is not running. */
void bq_conn_defer(struct bq_conn *c);

#endif
