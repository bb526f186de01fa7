/*
 * Plays a script on two workers' serves: clients come, send pieces of requests, read
 * or do not, end one side or both; handlers answer at once, later or when they hear
 * gone; while one is inside, the other worker takes over; reads and writes are cut short
 * or fail; at last both drain or are freed.
 *
 * The first byte of the input says whether requests and answers go together by the ring, and
 * whether a PROXY header comes first; each of the others is an operation (low four bits) and its
 * argument. What must hold: no assertion of the state machine, bounded buffers, each head that a
 * handler saw ended exactly once, nothing left open or held.
 */
#include "base/log.h"
#include "base/rc.h"
#include "serve/conn.h"
#include "serve/h1_conn.h"
#include "serve/worker.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define WORKERS     2
#define CLIENTS     6
#define PENDING_MAX 4096
#define BIG_BYTES   (200 * 1024)

struct worker {
    struct bq_loop *loop;
    struct bq_serve *serve;
    int drains;
};

static struct play {
    struct worker workers[WORKERS];
    bool together, proxied;
    unsigned until_takeover; /* so many requests; 0: there will be none */
    bool moving;
    int clients[CLIENTS];
    int sender; /* who sends the next pieces */
    struct bq_exchange *pending[PENDING_MAX];
    size_t pending_count;
    int heads, requests, answers, abandons;
    size_t read_max, write_max;
    bool fail_read, fail_write;
} play;

static const struct bq_transport_ops *real_ops;
static char big[BIG_BYTES];

static ssize_t cut_read(struct bq_transport *t, void *bytes, size_t n)
{
    if (play.fail_read) {
        play.fail_read = false;
        return BQ_SYSTEM;
    }
    return real_ops->read(t, bytes, n < play.read_max ? n : play.read_max);
}

static ssize_t cut_write(struct bq_transport *t, const void *bytes, size_t n)
{
    if (play.fail_write) {
        play.fail_write = false;
        return BQ_SYSTEM;
    }
    return real_ops->write(t, bytes, n < play.write_max ? n : play.write_max);
}

static void cut_shutdown(struct bq_transport *t)
{
    real_ops->shutdown(t);
}

static void cut_close(struct bq_transport *t, bool reset)
{
    real_ops->close(t, reset);
}

static const struct bq_transport_ops cut_ops = {cut_read, cut_write, cut_shutdown, cut_close,
                                                false};
static const struct bq_transport_ops plain_cut_ops = {cut_read, cut_write, cut_shutdown, cut_close,
                                                      true};

static void cut_init(struct bq_transport *t, int fd)
{
    bq_tcp_init(t, fd);
    real_ops = t->ops;
    t->ops = play.together ? &plain_cut_ops : &cut_ops;
}

/* The handler. */

static void answer(struct bq_exchange *ex, size_t n)
{
    struct bq_response r = {.status = 200, .body = {big, n}};
    play.answers++;
    ex->sink->respond(ex, &r);
}

static struct bq_verdict on_head(void *self, struct bq_exchange *ex)
{
    (void)self;
    if (!play.moving) /* else it was seen before */
        play.heads++;
    return (struct bq_verdict){1000, ex->request.path.n != 2};
}

/* As if the handler of from was inside Lua. */
static void take_over(const struct worker *from)
{
    const struct worker *to = from == play.workers ? from + 1 : from - 1;
    play.moving = true;
    bq_serve_take_ready(to->serve, from->serve);
    play.moving = false;
}

static void on_request(void *self, struct bq_exchange *ex)
{
    play.requests++;
    if (play.until_takeover && --play.until_takeover == 0)
        take_over(self);
    char kind = ex->request.path.n > 1 ? ex->request.path.p[1] : 'n';
    if ((kind == 'l' || kind == 'g') && play.pending_count < PENDING_MAX)
        play.pending[play.pending_count++] = ex;
    else
        answer(ex, kind == 'b' ? BIG_BYTES : 2);
}

static void forget(const struct bq_exchange *ex)
{
    for (size_t i = 0; i < play.pending_count; i++)
        if (play.pending[i] == ex)
            play.pending[i] = play.pending[--play.pending_count];
}

static void on_gone(void *self, struct bq_exchange *ex)
{
    (void)self;
    assert(ex->gone);
    if (ex->request.path.p[1] != 'g')
        return;
    forget(ex);
    answer(ex, 2);
}

static void on_abandon(void *self, struct bq_exchange *ex)
{
    (void)self;
    play.abandons++;
    forget(ex);
}

static void on_drained(void *arg)
{
    struct worker *w = arg;
    w->drains++;
}

/* The script. */

static const char *const pieces[16] = {
    "GET /n HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /l HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /g HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /nn HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n",
    "body",
    "POST /ll HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "POST /nn HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    "POST /l HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    "GET /l HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /n HTTP/1.0\r\n\r\n",
    "HEAD /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n",
    "GET ",
    "\r\n",
};

static void send_text(int i, const char *text, size_t n)
{
    (void)!send(play.clients[i], text, n, MSG_NOSIGNAL);
}

#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const bq_str proxy_headers[] = {
    BQ_STR("PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"),
    BQ_STR(V2_SIGNATURE "\x20\0\0\0"),
    BQ_STR("PROXY TCP4 192.0.2."),
};

static void come(int i, unsigned how)
{
    int fds[2];
    struct bq_peer peer = {.family = AF_UNIX};
    bq_str header = proxy_headers[how % 3];
    if (play.clients[i] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
        return;
    play.clients[i] = fds[0];
    if (bq_conn_open(play.workers[0].serve, fds[1], &peer) < 0)
        abort();
    if (play.proxied)
        send_text(i, header.p, header.n);
}

static void leave(int i)
{
    if (play.clients[i] >= 0)
        close(play.clients[i]);
    play.clients[i] = -1;
}

static void receive(int i)
{
    char buf[65536];
    for (int n = 0; n < 16; n++)
        if (recv(play.clients[i], buf, sizeof buf, 0) <= 0)
            return;
}

static void turn_one(const struct worker *w)
{
    bq_loop_run_once(w->loop, 0);
    struct bq_list *conns = &w->serve->conns;
    for (struct bq_node *n = conns->head.next; n != &conns->head; n = n->next) {
        struct bq_conn *c = BQ_CONTAINER(n, struct bq_conn, all);
        assert(bq_buf_size(&c->rest) <= BQ_INPUT_BYTES);
        assert(bq_buf_size(&c->out) <= BQ_OUT_BYTES_MAX + BIG_BYTES + 1024);
        assert(c->state != BQ_CONN_CLOSED && !c->running);
        assert((c->state == BQ_CONN_HANDLING || c->state == BQ_CONN_GONE) <= (c->work != NULL));
        assert(!c->arrived && (!c->unsent || c->dirty.next));
    }
}

static void turn(void)
{
    for (int i = 0; i < WORKERS; i++)
        turn_one(&play.workers[i]);
}

static void answer_one(unsigned which)
{
    if (play.pending_count == 0)
        return;
    struct bq_exchange *ex = play.pending[which % play.pending_count];
    forget(ex);
    answer(ex, which == 15 ? BIG_BYTES : 2);
}

/* A deadline comes: earlier than it would, which the connection cannot tell. */
static void expire(unsigned which)
{
    const struct worker *w = &play.workers[which / 8];
    unsigned i = 0;
    struct bq_list *conns = &w->serve->conns;
    for (struct bq_node *n = conns->head.next; n != &conns->head; n = n->next) {
        struct bq_conn *c = BQ_CONTAINER(n, struct bq_conn, all);
        if (i++ != which % 8 || (!c->deadline_ms && !c->write_deadline_ms))
            continue;
        c->deadline_ms = c->deadline_ms ? 1 : 0;
        c->write_deadline_ms = c->write_deadline_ms ? 1 : 0;
        bq_timer_set(bq_loop_watch_wheel(w->loop), &c->timer, 1);
    }
}

static void act(unsigned op, unsigned arg)
{
    int i = (int)(arg % CLIENTS);
    switch (op) {
    case 0:
        play.sender = i;
        come(i, arg / CLIENTS);
        break;
    case 1:
    case 2:
        send_text(play.sender, pieces[arg], strlen(pieces[arg]));
        break;
    case 3:
        send_text(play.sender, pieces[arg], strlen(pieces[arg]) / 2);
        break;
    case 4:
        send_text(play.sender, pieces[arg] + strlen(pieces[arg]) / 2,
                  strlen(pieces[arg]) - strlen(pieces[arg]) / 2);
        break;
    case 5:
        turn();
        break;
    case 6:
        play.until_takeover = arg;
        turn();
        break;
    case 7:
        receive(i);
        break;
    case 8:
        shutdown(play.clients[i], SHUT_WR);
        break;
    case 9:
        leave(i);
        break;
    case 10:
        answer_one(arg);
        break;
    case 11:
        play.read_max = arg ? arg * arg : SIZE_MAX;
        break;
    case 12:
        play.write_max = arg ? arg * arg : SIZE_MAX;
        break;
    case 13:
        play.fail_read = arg & 1;
        play.fail_write = arg & 2;
        break;
    case 14:
        expire(arg);
        break;
    default:
        for (int k = 0; k < 50; k++)
            send_text(play.sender, pieces[arg], strlen(pieces[arg]));
    }
}

static void begin_worker(struct worker *w)
{
    struct bq_handler handler = {w, on_head, on_request, on_gone, on_abandon};
    struct bq_serve_config config = {
        .limits = {.h1 = {200, 1000, 10},
                   .head_ms_max = 100000,
                   .body_ms_max = 100000,
                   .idle_ms_max = 100000,
                   .write_ms_max = 100000,
                   .requests_max = 300,
                   .connections_max = CLIENTS},
        .together = play.together,
        .proxy_protocol = play.proxied ? BQ_PROXY_PROTOCOL_ANY : BQ_PROXY_PROTOCOL_OFF,
    };
    w->loop = bq_loop_new();
    w->serve = bq_serve_new(w->loop, &config, &handler);
    assert(w->loop && w->serve);
    w->serve->carry = cut_init;
}

static void begin(unsigned mode)
{
    play = (struct play){.read_max = SIZE_MAX, .write_max = SIZE_MAX};
    play.together = mode & 1;
    play.proxied = mode & 2;
    for (int i = 0; i < CLIENTS; i++)
        play.clients[i] = -1;
    for (int i = 0; i < WORKERS; i++)
        begin_worker(&play.workers[i]);
    bq_log_set_level(BQ_LOG_OFF);
}

static bool has_drained(void)
{
    return play.workers[0].drains && play.workers[1].drains;
}

/* All clients leave, all handlers answer: nothing may be left. */
static void end_by_draining(void)
{
    play.read_max = play.write_max = SIZE_MAX;
    for (int i = 0; i < WORKERS; i++)
        bq_serve_drain(play.workers[i].serve, on_drained, &play.workers[i]);
    turn();
    for (int i = 0; i < CLIENTS; i++)
        leave(i);
    for (int i = 0; i < 2000 && !has_drained(); i++) {
        turn();
        answer_one(0);
    }
    for (int i = 0; i < WORKERS; i++) {
        const struct worker *w = &play.workers[i];
        assert(w->drains == 1);
        assert(w->serve->counts.open == 0 && w->serve->counts.busy == 0);
    }
    assert(play.pending_count == 0);
    assert(play.requests == play.answers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    begin(n ? data[0] : 0);
    for (size_t i = 1; i < n && i < 400; i++)
        act(data[i] & 15, data[i] >> 4);
    if (n % 2)
        end_by_draining();
    for (int i = 0; i < WORKERS; i++)
        bq_serve_free(play.workers[i].serve);
    for (int i = 0; i < CLIENTS; i++)
        leave(i);
    for (int i = 0; i < WORKERS; i++)
        bq_loop_free(play.workers[i].loop);
    assert(play.pending_count == 0);
    assert(play.heads == play.answers + play.abandons);
    return 0;
}
