/*
 * swap_test.c: workers that take over from each other at random, on threads, for a while: no answer
 * is lost, doubled or out of order. Meant for the thread sanitizer.
 *
 * Each worker's handler is absent (net/absence.h) for a moment or two whenever the application
 * would be entered; a watcher notices that at once, and asks another worker to take over. The
 * clients send pipelines cut at random, read now and then, and leave when they like.
 *
 *   BARQ_SWAP_SECONDS  how long (3)        BARQ_SWAP_SEED  another course of events (1)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX  3
#define CLIENTS      2  /* threads */
#define CONNECTIONS  16 /* of each */
#define PIPELINE_MAX 12
#define BODY_MAX     3000
#define BIG_BYTES    300000
#define IN_BYTES     (BIG_BYTES + 65536)
#define STALL_MS     30000 /* a client that hears nothing for so long has lost an answer */

struct random {
    uint64_t state;
};

static uint32_t below(struct random *r, uint32_t n)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)(r->state >> 32) % n;
}

static bool one_in(struct random *r, uint32_t n)
{
    return below(r, n) == 0;
}

static void nap(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* --- workers ---------------------------------------------------------------------------------- */

struct swap;

struct worker {
    struct swap *swap;
    unsigned number;
    pthread_t thread;
    struct bq_loop *loop;
    struct bq_serve *serve;
    struct sockaddr_in address;
    struct random random;
    struct bq_job ask_job, stop_job;
    atomic_bool asked;
    unsigned long moved, absences;
};

struct swap {
    struct worker workers[WORKERS_MAX];
    unsigned worker_count;
    struct bq_watcher watcher;
    atomic_bool over; /* clients come to their end */
    atomic_bool done; /* the watcher does */
    uint64_t seed;

    pthread_mutex_t lock;
    unsigned long answers, cuts; /* under lock, as failure is */
    char failure[256];           /* the first */
};

static void report(struct swap *s, const char *what, const char *detail)
{
    pthread_mutex_lock(&s->lock);
    if (!*s->failure)
        snprintf(s->failure, sizeof s->failure, "%s: %.160s", what, detail);
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->over, true);
}

/* Where the application would be entered. */
static void dawdle(struct worker *w)
{
    struct bq_absence *absence = bq_loop_absence(w->loop);
    bq_absence_begin(absence);
    if (one_in(&w->random, 6))
        nap((long)below(&w->random, 1500000));
    bq_absence_end(absence);
    w->absences++;
}

/* An answer that comes later. */
struct late {
    struct bq_timer timer;
    struct worker *worker;
    struct bq_exchange *ex;
};

static void answer(struct bq_exchange *ex)
{
    bool big = ex->request.path.n > 5 && memcmp(ex->request.path.p, "/big/", 5) == 0;
    size_t n = (big ? BIG_BYTES : 0) + ex->request.path.n + ex->body.n;
    char *text = malloc(n);
    memset(text, '.', n);
    memcpy(text, ex->request.path.p, ex->request.path.n);
    if (ex->body.n)
        memcpy(text + n - ex->body.n, ex->body.p, ex->body.n);
    struct bq_response r = {.status = 200, .body = bq_str_of(text, n)};
    ex->sink->respond(ex, &r);
    free(text);
}

static void on_late(struct bq_timer *t)
{
    struct late *late = BQ_CONTAINER(t, struct late, timer);
    dawdle(late->worker);
    if (late->ex->app != late)
        report(late->worker->swap, "a request moved though its answer is awaited", "");
    answer(late->ex);
    free(late);
}

static struct bq_verdict on_head(void *self, struct bq_exchange *ex)
{
    ex->app = self;
    return (struct bq_verdict){.body_bytes_max = BODY_MAX, .wants_body = true};
}

static void on_request(void *self, struct bq_exchange *ex)
{
    struct worker *w = self;
    if (ex->app != w)
        report(w->swap, "a worker was given a request whose head it was not told", "");
    dawdle(w);
    if (!one_in(&w->random, 5)) {
        answer(ex);
        return;
    }
    struct late *late = calloc(1, sizeof *late);
    *late = (struct late){.timer.fn = on_late, .worker = w, .ex = ex};
    ex->app = late;
    bq_timer_set(bq_loop_wheel(w->loop), &late->timer,
                 bq_loop_now_ms(w->loop) + below(&w->random, 4));
}

static struct late *cancel_late(struct worker *w, struct bq_exchange *ex)
{
    struct late *late = ex->app;
    if (late->worker != w || late->ex != ex)
        report(w->swap, "a worker was told of another's request", "");
    bq_timer_clear(bq_loop_wheel(w->loop), &late->timer);
    return late;
}

static void on_gone(void *self, struct bq_exchange *ex)
{
    struct worker *w = self;
    if (ex->app == w)
        return; /* it is answered before on_request returns */
    free(cancel_late(w, ex));
    dawdle(w);
    answer(ex);
}

static void on_abandon(void *self, struct bq_exchange *ex)
{
    struct worker *w = self;
    dawdle(w);
    if (ex->app != w)
        free(cancel_late(w, ex));
}

static void on_ask(struct bq_job *job)
{
    struct worker *w = BQ_CONTAINER(job, struct worker, ask_job);
    struct swap *s = w->swap;
    bool all = one_in(&w->random, 8);
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct worker *from = &s->workers[i];
        struct bq_absence *absence = bq_loop_absence(from->loop);
        if (from == w || !bq_absence_borrow(absence))
            continue;
        unsigned moved = (all ? bq_serve_take_all : bq_serve_take_ready)(w->serve, from->serve);
        absence->moved += moved;
        w->moved += moved;
        bq_absence_restore(absence);
    }
    atomic_store(&w->asked, false);
}

static void on_stop(struct bq_job *job)
{
    bq_loop_stop(BQ_CONTAINER(job, struct worker, stop_job)->loop);
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    struct bq_absence *absence = bq_loop_absence(w->loop);
    bq_absence_allow(absence, &w->swap->watcher);
    bq_loop_run(w->loop);
    bq_absence_forbid(absence);
    return NULL;
}

static void *run_watcher(void *arg)
{
    struct swap *s = arg;
    struct random random = {s->seed + 99};
    while (!atomic_load(&s->done)) {
        for (unsigned i = 0; i < s->worker_count; i++) {
            struct bq_absence *absence = bq_loop_absence(s->workers[i].loop);
            struct worker *other = &s->workers[below(&random, s->worker_count)];
            if (bq_absence_notice(absence, bq_absence_look(absence), bq_clock_ms()) &&
                !atomic_exchange(&other->asked, true))
                bq_loop_post(other->loop, &other->ask_job);
        }
        if (one_in(&random, 4))
            nap(20000);
    }
    return NULL;
}

static void open_worker(struct swap *s, unsigned number)
{
    struct worker *w = &s->workers[number];
    const struct bq_handler handler = {w, on_head, on_request, on_gone, on_abandon};
    const struct bq_serve_config config = {
        .limits = {.h1 = {.line_bytes_max = 1000, .head_bytes_max = 4000, .fields_max = 20},
                   .head_ms_max = 60000,
                   .body_ms_max = 60000,
                   .idle_ms_max = 60000,
                   .write_ms_max = 60000,
                   .connections_max = 1000},
        .together = w->number > 0};
    socklen_t len = sizeof w->address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *w = (struct worker){.swap = s, .number = number, .random = {s->seed * 7 + number + 1}};
    w->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)&w->address, len), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&w->address, &len), 0);
    w->ask_job.fn = on_ask;
    w->stop_job.fn = on_stop;
    w->loop = bq_loop_new();
    assert_non_null(w->loop);
    w->serve = bq_serve_new(w->loop, &config, &handler);
    assert_non_null(w->serve);
    assert_int_equal(bq_serve_listen(w->serve, fd, false), BQ_OK);
}

/* --- clients ---------------------------------------------------------------------------------- */

struct expected {
    char path[64];
    char body[BODY_MAX];
    size_t body_n;
    bool big;
};

struct connection {
    int fd; /* -1: not connected */
    unsigned long number, begun;
    uint32_t left;  /* requests to begin */
    uint32_t steps; /* until it is cut off, 0: it is not */
    bool lazy;      /* reads seldom */
    struct expected queue[PIPELINE_MAX];
    unsigned first, count;
    uint64_t heard_ms;
    size_t out_n, out_sent, in_n;
    char out[2 * BODY_MAX + 4096];
    char in[IN_BYTES];
};

struct client {
    struct swap *swap;
    unsigned number;
    pthread_t thread;
    struct random random;
    unsigned long answers, cuts, connections;
    struct connection *all;
};

static void begin_connection(struct client *k, struct connection *c)
{
    const struct worker *w = &k->swap->workers[below(&k->random, k->swap->worker_count)];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(c->fd, (const struct sockaddr *)&w->address, sizeof w->address) != 0)
        report(k->swap, "connect", strerror(errno));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->number = ++k->connections;
    c->begun = c->first = c->count = 0;
    c->out_n = c->out_sent = c->in_n = 0;
    c->left = 1 + below(&k->random, 60);
    c->steps = one_in(&k->random, 4) ? 1 + below(&k->random, 200) : 0;
    c->lazy = one_in(&k->random, 4);
    c->heard_ms = bq_clock_ms();
}

static void end_connection(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
}

static size_t append(struct connection *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static size_t append(struct connection *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(c->out + c->out_n, sizeof c->out - c->out_n, format, ap);
    va_end(ap);
    c->out_n += (size_t)n;
    return (size_t)n;
}

static void append_chunked(struct client *k, struct connection *c, const struct expected *e)
{
    append(c, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < e->body_n;) {
        size_t n = 1 + below(&k->random, 700);
        if (n > e->body_n - at)
            n = e->body_n - at;
        append(c, "%zx\r\n%.*s\r\n", n, (int)n, e->body + at);
        at += n;
    }
    append(c, "0\r\n\r\n");
}

static void begin_request(struct client *k, struct connection *c)
{
    struct expected *e = &c->queue[(c->first + c->count++) % PIPELINE_MAX];
    e->big = one_in(&k->random, 40);
    e->body_n = one_in(&k->random, 2) ? 0 : 1 + below(&k->random, BODY_MAX - 1);
    snprintf(e->path, sizeof e->path, "/%s/%u/%lu/%lu", e->big ? "big" : "small", k->number,
             c->number, ++c->begun);
    for (size_t i = 0; i < e->body_n; i++)
        e->body[i] = (char)('a' + (c->begun + i) % 26);
    c->left--;
    append(c, "%s %s HTTP/1.1\r\nHost: a\r\n", e->body_n ? "POST" : "GET", e->path);
    if (c->left == 0)
        append(c, "Connection: close\r\n");
    if (e->body_n == 0)
        append(c, "\r\n");
    else if (one_in(&k->random, 2))
        append_chunked(k, c, e);
    else
        append(c, "Content-Length: %zu\r\n\r\n%.*s", e->body_n, (int)e->body_n, e->body);
}

static void send_some(struct client *k, struct connection *c)
{
    while (c->left && c->count < PIPELINE_MAX && c->out_n < 3000 && !one_in(&k->random, 4))
        begin_request(k, c);
    size_t n = c->out_n - c->out_sent;
    if (n == 0 || one_in(&k->random, 4))
        return;
    if (one_in(&k->random, 2))
        n = 1 + below(&k->random, (uint32_t)n);
    ssize_t sent = send(c->fd, c->out + c->out_sent, n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        report(k->swap, "send", strerror(errno));
    if (sent > 0)
        c->out_sent += (size_t)sent;
    if (c->out_sent == c->out_n)
        c->out_sent = c->out_n = 0;
}

static bool is_expected(const struct expected *e, const char *body, size_t n)
{
    size_t path_n = strlen(e->path);
    size_t filler = e->big ? BIG_BYTES : 0;
    if (n != path_n + filler + e->body_n || memcmp(body, e->path, path_n) != 0 ||
        memcmp(body + path_n + filler, e->body, e->body_n) != 0)
        return false;
    for (size_t i = 0; i < filler; i++)
        if (body[path_n + i] != '.')
            return false;
    return true;
}

/* Takes an answer that has come whole. False: there is none. */
static bool take_answer(struct client *k, struct connection *c)
{
    const char *head_end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    const char *length = memmem(c->in, c->in_n, "Content-Length: ", 16);
    if (!head_end || !length)
        return false;
    size_t head_n = (size_t)(head_end + 4 - c->in);
    size_t body_n = strtoul(length + 16, NULL, 10);
    if (c->in_n < head_n + body_n)
        return false;
    const struct expected *e = &c->queue[c->first % PIPELINE_MAX];
    if (c->count == 0 || memcmp(c->in, "HTTP/1.1 200 ", 13) != 0 ||
        !is_expected(e, c->in + head_n, body_n))
        report(k->swap, c->count ? e->path : "an answer to nothing", c->in);
    c->in_n -= head_n + body_n;
    memmove(c->in, c->in + head_n + body_n, c->in_n);
    c->first++;
    c->count -= c->count > 0;
    k->answers++;
    return true;
}

static void receive_some(struct client *k, struct connection *c)
{
    if (c->lazy && !one_in(&k->random, 8))
        return;
    ssize_t n = recv(c->fd, c->in + c->in_n, sizeof c->in - 1 - c->in_n, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        if (n < 0 || c->count || c->left)
            report(k->swap, "an end before the last answer", n < 0 ? strerror(errno) : c->in);
        end_connection(c);
        return;
    }
    c->heard_ms = bq_clock_ms();
    c->in_n += (size_t)n;
    c->in[c->in_n] = 0;
    while (c->in_n && take_answer(k, c))
        ;
}

static void step_connection(struct client *k, struct connection *c, bool over)
{
    if (c->fd < 0 && !over)
        begin_connection(k, c);
    if (c->fd < 0)
        return;
    if (c->steps && --c->steps == 0) {
        end_connection(c);
        k->cuts++;
        return;
    }
    send_some(k, c);
    receive_some(k, c);
    if (c->fd >= 0 && c->count && c->out_n == 0 && bq_clock_ms() - c->heard_ms > STALL_MS)
        report(k->swap, "no answer to", c->queue[c->first % PIPELINE_MAX].path);
}

static void wait_for_any(struct client *k)
{
    struct pollfd fds[CONNECTIONS];
    for (unsigned i = 0; i < CONNECTIONS; i++)
        fds[i] = (struct pollfd){.fd = k->all[i].fd, .events = POLLIN};
    poll(fds, CONNECTIONS, 1);
}

static bool has_failed(struct swap *s)
{
    pthread_mutex_lock(&s->lock);
    bool failed = *s->failure;
    pthread_mutex_unlock(&s->lock);
    return failed;
}

/* Whoever has begun comes to its end when it is over. */
static void *run_client(void *arg)
{
    struct client *k = arg;
    struct swap *s = k->swap;
    unsigned open;
    do {
        bool over = atomic_load(&s->over);
        open = !over;
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            step_connection(k, &k->all[i], over);
            open += k->all[i].fd >= 0;
        }
        wait_for_any(k);
    } while (open && !has_failed(s));
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (k->all[i].fd >= 0)
            end_connection(&k->all[i]);
    pthread_mutex_lock(&s->lock);
    s->answers += k->answers;
    s->cuts += k->cuts;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- all of them ------------------------------------------------------------------------------ */

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void run_clients(struct swap *s)
{
    struct client clients[CLIENTS];
    uint64_t until_ms = bq_clock_ms() + 1000 * setting("BARQ_SWAP_SECONDS", 3) / 2;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] =
            (struct client){.swap = s, .number = i, .random = {s->seed * 1000003 + i + 17}};
        clients[i].all = calloc(CONNECTIONS, sizeof *clients[i].all);
        for (unsigned j = 0; j < CONNECTIONS; j++)
            clients[i].all[j].fd = -1;
        pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
    }
    while (bq_clock_ms() < until_ms && !atomic_load(&s->over))
        nap(10000000);
    atomic_store(&s->over, true);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        free(clients[i].all);
    }
}

/* What is still open then, the clients have left. */
static unsigned end_workers(struct swap *s)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < s->worker_count; i++) {
        bq_loop_post(s->workers[i].loop, &s->workers[i].stop_job);
        pthread_join(s->workers[i].thread, NULL);
    }
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct worker *w = &s->workers[i];
        int64_t end = (int64_t)bq_clock_ms() + 5000;
        while (bq_serve_counts(w->serve).open && (int64_t)bq_clock_ms() < end)
            bq_loop_run_once(w->loop, 1);
        busy += bq_serve_counts(w->serve).open + bq_serve_counts(w->serve).busy;
        bq_serve_free(w->serve);
        bq_loop_free(w->loop);
    }
    return busy;
}

static void swap(unsigned workers)
{
    static struct swap s;
    pthread_t watcher;
    unsigned long moved = 0, absences = 0;
    memset(&s, 0, sizeof s);
    s.worker_count = workers;
    s.seed = setting("BARQ_SWAP_SEED", 1);
    pthread_mutex_init(&s.lock, NULL);
    for (unsigned i = 0; i < workers; i++)
        open_worker(&s, i);
    for (unsigned i = 0; i < workers; i++)
        pthread_create(&s.workers[i].thread, NULL, run_worker, &s.workers[i]);
    pthread_create(&watcher, NULL, run_watcher, &s);
    run_clients(&s);
    atomic_store(&s.done, true);
    pthread_join(watcher, NULL);
    unsigned left = end_workers(&s);
    for (unsigned i = 0; i < workers; i++) {
        moved += s.workers[i].moved;
        absences += s.workers[i].absences;
    }
    print_message("# %u workers: %lu answers, %lu connections cut, %lu absences, %lu moves\n",
                  workers, s.answers, s.cuts, absences, moved);
    assert_string_equal(s.failure, "");
    assert_int_equal(left, 0);
    assert_true(s.answers > 100);
    assert_true(moved > 10);
    pthread_mutex_destroy(&s.lock);
}

static void two_workers_swap_connections_and_lose_no_answer(void **state)
{
    (void)state;
    swap(2);
}

static void three_workers_swap_connections_and_lose_no_answer(void **state)
{
    (void)state;
    swap(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_workers_swap_connections_and_lose_no_answer),
        cmocka_unit_test(three_workers_swap_connections_and_lose_no_answer),
    };
    bq_log_set_level(BQ_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
