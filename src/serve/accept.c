/*
 * accept.c: from listening sockets to connections.
 *
 * A listener that nobody accepts from has to leave the loop: it stays readable,
 * and a level-triggered loop would spin on it.
 */
#include "serve/accept.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "net/listener.h"
#include "serve/conn.h"
#include "serve/worker.h"

#include <unistd.h>

#define BATCH_MAX        64   /* of one listener in one turn */
#define LAST_BATCH_MAX   4096 /* the longest accept queue that Linux keeps by default */
#define RETRY_MS         100
#define WARN_INTERVAL_MS 10000

struct bq_listener {
    struct bq_watch watch;
    struct bq_listener *next;
    struct bq_serve *serve;
    uint32_t want;
};

/* One warning for a streak: until the accept queue was empty once. */
static void warn_of_pause(struct bq_serve *s, const char *why)
{
    uint64_t now_ms = bq_serve_now_ms(s);
    if (s->warned || (s->warned_ms && now_ms - s->warned_ms < WARN_INTERVAL_MS))
        return;
    s->warned = true;
    s->warned_ms = now_ms;
    bq_warn("accepting pauses with %u connections open: %s", s->counts.open, why);
}

static void pause_accepting(struct bq_serve *s, const char *why)
{
    for (struct bq_listener *l = s->listeners; l; l = l->next)
        bq_loop_remove(s->loop, &l->watch);
    s->paused = true;
    s->freed = false;
    s->counts.accept_pauses++;
    warn_of_pause(s, why);
}

static void retry_later(struct bq_serve *s)
{
    bq_timer_set(bq_loop_watch_wheel(s->loop), &s->retry, bq_serve_now_ms(s) + RETRY_MS);
}

static bool full(const struct bq_serve *s)
{
    return s->counts.open >= s->config.limits.connections_max;
}

int bq_serve_adopt(struct bq_serve *s, int fd, const struct bq_peer *peer)
{
    int rc = bq_conn_open(s, fd, peer);
    if (rc == BQ_OK)
        s->counts.accepted++;
    return rc;
}

static int accept_one(struct bq_serve *s, int listener_fd)
{
    struct bq_peer peer;
    int fd;
    int rc = bq_accept(listener_fd, &fd, &peer);
    if (rc != BQ_OK)
        return rc;
    return bq_serve_adopt(s, fd, &peer) == BQ_OK ? BQ_OK : BQ_LIMIT;
}

static void on_readable(struct bq_watch *w, uint32_t events)
{
    struct bq_listener *l = BQ_CONTAINER(w, struct bq_listener, watch);
    struct bq_serve *s = l->serve;
    (void)events;
    for (int i = 0; i < BATCH_MAX; i++) {
        if (full(s)) {
            pause_accepting(s, "connections_max is reached");
            return;
        }
        int rc = accept_one(s, w->fd);
        if (rc == BQ_LIMIT) {
            pause_accepting(s, "out of descriptors or memory");
            retry_later(s);
            return;
        }
        if (rc == BQ_AGAIN) {
            s->warned = false;
            return;
        }
    }
}

unsigned bq_accept_for(struct bq_serve *s, const struct bq_watch *w)
{
    unsigned count = 0;
    if (w->fn != on_readable)
        return 0;
    while (count < BATCH_MAX && !full(s) && accept_one(s, w->fd) == BQ_OK)
        count++;
    return count;
}

/* Fails: what bq_loop_add does; none of them is in the loop then. */
static int watch_all(struct bq_serve *s)
{
    for (struct bq_listener *l = s->listeners; l; l = l->next) {
        int rc = bq_loop_add(s->loop, &l->watch, l->want);
        if (rc == BQ_OK)
            continue;
        for (struct bq_listener *added = s->listeners; added != l; added = added->next)
            bq_loop_remove(s->loop, &added->watch);
        return rc;
    }
    return BQ_OK;
}

static void resume(struct bq_serve *s)
{
    s->paused = watch_all(s) != BQ_OK;
    s->freed = false;
    if (s->paused)
        retry_later(s);
    else
        bq_timer_clear(bq_loop_watch_wheel(s->loop), &s->retry);
}

void bq_accept_resume(struct bq_serve *s)
{
    if (s->paused && s->freed && !full(s))
        resume(s);
}

void bq_accept_on_retry(struct bq_timer *t)
{
    struct bq_serve *s = BQ_CONTAINER(t, struct bq_serve, retry);
    if (s->paused && !full(s))
        resume(s);
}

int bq_serve_listen(struct bq_serve *s, int fd, bool shared)
{
    assert(!s->draining);
    struct bq_listener *l = bq_alloc_zero(sizeof *l);
    if (!l)
        return BQ_MEMORY;
    l->watch.fd = fd;
    l->watch.fn = on_readable;
    l->serve = s;
    l->want = BQ_READ | (shared ? BQ_EXCLUSIVE : 0);
    int rc = s->paused ? BQ_OK : bq_loop_add(s->loop, &l->watch, l->want);
    if (rc != BQ_OK) {
        bq_free(l);
        return rc;
    }
    l->next = s->listeners;
    s->listeners = l;
    return BQ_OK;
}

void bq_accept_last(struct bq_serve *s)
{
    for (struct bq_listener *l = s->listeners; l; l = l->next)
        for (int i = 0; i < LAST_BATCH_MAX; i++) {
            int rc = accept_one(s, l->watch.fd);
            if (rc == BQ_AGAIN || rc == BQ_LIMIT)
                break;
        }
}

void bq_accept_stop(struct bq_serve *s)
{
    bq_timer_clear(bq_loop_watch_wheel(s->loop), &s->retry);
    s->paused = false;
    while (s->listeners) {
        struct bq_listener *l = s->listeners;
        s->listeners = l->next;
        bq_loop_remove(s->loop, &l->watch);
        close(l->watch.fd);
        bq_free(l);
    }
}
