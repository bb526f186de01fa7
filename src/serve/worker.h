/*
 * worker.h: what one worker's bq_serve owns; seen by this room's files only.
 *
 * Everything here belongs to the worker's thread. A connection reaches it
 * through its one pointer bq_conn.serve, and nothing that a connection borrows
 * points here, so that a connection can change its worker.
 */
#ifndef BQ_SERVE_WORKER_H
#define BQ_SERVE_WORKER_H

#include "base/list.h"
#include "http/h1_write.h"
#include "http/request_id.h"
#include "net/ring.h"
#include "net/transport.h"
#include "serve/pool.h"
#include "serve/serve.h"

#define BQ_INPUT_BYTES ((size_t)64 * 1024)
#define BQ_PIECE_BYTES ((size_t)2 * 1024) /* more than nearly all requests take */

struct bq_listener;

/* Of input that was received for several connections together. */
struct bq_piece {
    struct bq_conn *conn; /* whose it is; NULL: taken */
    size_t n;
};

struct bq_serve {
    struct bq_loop *loop;
    struct bq_serve_config config;
    struct bq_handler handler;
    struct bq_serve_counts counts;
    struct bq_ids ids;
    bool identifies; /* a request's client, or id, is found out before its handler sees it */

    struct bq_list conns; /* all that are open */
    struct bq_list dirty; /* those that the after hook goes on with */

    struct bq_ring *ring;     /* NULL: each connection reads and writes alone, at once */
    unsigned unsent;          /* answers put off since some left together, about */
    uint64_t unsent_since_us; /* the first of them */
    unsigned arrived;         /* pieces not taken yet; 0 once a turn's events were told */
    struct bq_piece pieces[BQ_RING_MAX];

    struct bq_listener *listeners;
    void (*carry)(struct bq_transport *t, int fd); /* makes an accepted socket a transport */
    bool paused;                                   /* no listener is in the loop */
    bool freed;                                    /* a connection has ended since */
    bool warned;                                   /* of this streak of pauses */
    uint64_t warned_ms;
    struct bq_timer retry; /* ends a pause for want of descriptors */

    uint64_t proxy_warned_ms; /* when the log was told of a bad PROXY header, and of … */
    uint32_t proxy_unsaid;    /* … how many it was not told since */

    bool draining;
    void (*drained)(void *arg); /* NULL once called */
    void *drained_arg;
    struct bq_timer sweep; /* due at once when draining begins */

    struct bq_pool spare_conns;
    struct bq_pool spare_works; /* struct bq_h1_work */
    struct bq_buf_pool bufs;

    time_t date_s; /* what date says */
    char date[BQ_DATE_BYTES];

    char input[BQ_INPUT_BYTES];               /* one read's bytes, of whichever connection runs */
    char memory[BQ_RING_MAX][BQ_PIECE_BYTES]; /* the pieces' bytes */
};

static inline uint64_t bq_serve_now_ms(const struct bq_serve *s)
{
    return bq_loop_now_ms(s->loop);
}

/* Whether an answer may be put off: others will follow, or have been. */
static inline bool bq_serve_may_put_off(const struct bq_serve *s)
{
    return s->unsent || bq_loop_has_more(s->loop);
}

/* One more was; perhaps all leave now. */
void bq_serve_note_unsent(struct bq_serve *s);

/* They leave, and late answers with them, as many as go into one system call. */
void bq_serve_send_unsent(struct bq_serve *s);

/* c is about to read: receives for it and for those whose events follow, if there is any gain in
 * that. */
void bq_serve_receive(struct bq_serve *s, struct bq_conn *c);

/* What was received for c with others' (c->arrived). Valid: until another such call. take: it is
 * c's no longer. */
bq_str bq_serve_arrived(const struct bq_conn *c);
bq_str bq_serve_take_arrived(struct bq_conn *c);

/* Tells the loop whether there still is anything that was put off: its descriptors do not show it
 * to those who might take over. */
static inline void bq_serve_tell_put_off(struct bq_serve *s)
{
    bq_loop_put_off(s->loop, s->arrived || !bq_list_empty(&s->dirty));
}

/* The Date field's value, formatted once a second. */
const char *bq_serve_date(struct bq_serve *s);

#endif
