/* worker.c: a worker's thread, and the jobs by which main moves it on. */
#include "worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/thread.h"
#include "lua_sources.h"
#include "modules.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Between two looks at an application that still has something to do. */
#define END_POLL_MS 5

void bq_worker_init(struct bq_worker *w, struct bq_server *server, unsigned number)
{
    memset(w, 0, sizeof *w);
    w->server = server;
    w->number = number;
}

bool bq_worker_turns(const struct bq_worker *w)
{
    return w->state == BQ_WORKER_LOADED || w->state == BQ_WORKER_SERVING;
}

static void open_modules(lua_State *L, void *arg)
{
    const struct bq_worker *w = arg;
    struct bq_worker_tally *tally = bq_server_tally(w->server, w->number);
    const struct bq_modules_env env = {w->server->stores, w->server->offload,
                                       tally ? &tally->sqlite : NULL};
    bq_modules_preload(L, &env);
    if (w->server->config->dev)
        bq_sources_open(L, &w->server->sources);
}

/* NULL: logged. */
static struct bq_app *new_app(struct bq_worker *w)
{
    struct bq_worker_tally *tally = bq_server_tally(w->server, w->number);
    const struct bq_app_env env = {.open_modules = open_modules,
                                   .open_modules_arg = w,
                                   .version = BARQ_VERSION,
                                   .worker = w->number,
                                   .tallies = tally ? &tally->answers : NULL};
    struct bq_app *app = bq_app_new(w->loop, &env, w->server->config->lua_bytes_max);
    if (!app)
        bq_error("worker %u: no Lua state (option lua_memory_max)", w->number);
    return app;
}

struct bq_app *bq_worker_build_app(struct bq_worker *w)
{
    const struct bq_app_options options = bq_config_app_options(w->server->config);
    struct bq_app *app = new_app(w);
    if (app && bq_app_load(app, w->server->app_path) == BQ_OK &&
        bq_app_freeze(app, &options) == BQ_OK && bq_app_settle(app) == BQ_OK)
        return app;
    if (app)
        bq_app_free(app);
    return NULL;
}

void bq_worker_free_app(struct bq_worker *w, struct bq_app *app)
{
    struct bq_worker_tally *tally = bq_server_tally(w->server, w->number);
    if (!app)
        return;
    if (tally)
        bq_collector_view_add(&tally->past, bq_app_collector(app));
    bq_app_free(app);
}

int bq_worker_load(struct bq_worker *w)
{
    errno = ENOMEM; /* where no system call says otherwise */
    if (!w->loop)
        w->loop = bq_loop_new();
    if (!w->loop) {
        bq_error("worker %u cannot start: %s", w->number, strerror(errno));
        return BQ_INVALID;
    }
    bq_worker_free_app(w, w->app);
    w->app = new_app(w);
    if (!w->app)
        return BQ_INVALID;
    return bq_app_load(w->app, w->server->app_path);
}

static int load_and_freeze(struct bq_worker *w)
{
    const struct bq_app_options options = bq_config_app_options(w->server->config);
    if (bq_worker_load(w) != BQ_OK)
        return BQ_INVALID;
    return bq_app_freeze(w->app, &options);
}

static int open_access_log(struct bq_worker *w)
{
    const struct bq_server *s = w->server;
    if (!s->access_log)
        return BQ_OK;
    w->access = bq_alloc(sizeof *w->access);
    if (!w->access)
        return BQ_MEMORY;
    bq_access_log_init(w->access, bq_config_access_format(s->config), s->access_log, w->number,
                       w->loop);
    w->access->coloured = bq_access_log_may_colour(STDOUT_FILENO);
    return BQ_OK;
}

/* What its answers that belong to no route are counted in. NULL: nobody looks, or no memory. */
static struct bq_tally *unmatched(const struct bq_worker *w)
{
    struct bq_server *s = w->server;
    struct bq_worker_tally *tally = s->inside.admin ? bq_server_tally(s, w->number) : NULL;
    return tally ? bq_tally_get(&tally->answers, BQ_STR(""), BQ_STR("unmatched")) : NULL;
}

static int open_serve(struct bq_worker *w)
{
    struct bq_handler handler = bq_app_handler(w->app);
    if (open_access_log(w) == BQ_OK) {
        struct bq_serve_config config = {
            .limits = bq_config_serve_limits(w->server->config),
            .proxy_protocol = (enum bq_proxy_protocol)w->server->config->proxy_protocol,
            .request_id = w->server->config->request_id,
            .trust = bq_config_trust(w->server->config),
            .access = w->access ? bq_access_log_write : NULL,
            .access_arg = w->access,
            .tally = unmatched(w),
            .together = bq_config_sends_together(w->server->config),
        };
        w->serve = bq_serve_new(w->loop, &config, &handler);
    }
    if (w->serve)
        return BQ_OK;
    bq_error("worker %u cannot start: out of memory", w->number);
    return BQ_MEMORY;
}

static int prepare(struct bq_worker *w)
{
    int rc = w->app ? BQ_OK : load_and_freeze(w);
    if (rc == BQ_OK)
        rc = bq_app_settle(w->app);
    if (rc == BQ_OK)
        rc = bq_app_run_hooks(w->app, "worker");
    return rc == BQ_OK ? open_serve(w) : rc;
}

/* Whatever serves, others may take over while this thread is inside Lua; the watchdog wants to know
 * when it is. */
static void turn_loop(struct bq_worker *w)
{
    struct bq_absence *absence = bq_loop_absence(w->loop);
    if (w->server->config->adoption || w->server->notify.watchdog_ms)
        bq_absence_allow(absence, &w->server->adoption.watcher);
    if (bq_server_set_state(w->server, w, BQ_WORKER_LOADED))
        bq_loop_run(w->loop);
    bq_absence_forbid(absence);
}

static void *run(void *arg)
{
    struct bq_worker *w = arg;
    w->tid = gettid();
    if (prepare(w) != BQ_OK) {
        bq_server_set_state(w->server, w, BQ_WORKER_FAILED);
        return NULL;
    }
    turn_loop(w);
    atomic_store(&w->dropping, true);
    w->requests_cut = w->forced ? bq_serve_counts(w->serve).busy : 0;
    bq_timer_clear(bq_loop_wheel(w->loop), &w->end_timer);
    bq_serve_free(w->serve);
    w->serve = NULL;
    bq_reload_end(w);
    if (w->number) /* the first worker's are closed after the stop hook, which may need them */
        bq_app_run_hooks(w->app, "close");
    bq_server_set_state(w->server, w, w->failed ? BQ_WORKER_FAILED : BQ_WORKER_ENDED);
    return NULL;
}

static void on_listen(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, listen_job);
    struct bq_listeners *l = &w->server->listeners;
    for (size_t i = 0; i < l->count; i++) {
        int fd = bq_listeners_take(l, i, w->number);
        if (bq_serve_listen(w->serve, fd, bq_listeners_is_shared(l, i)) == BQ_OK)
            continue;
        bq_error("worker %u cannot listen: %s", w->number, strerror(errno));
        close(fd);
        w->failed = true;
        bq_loop_stop(w->loop);
        return;
    }
    bq_server_set_state(w->server, w, BQ_WORKER_SERVING);
}

/* Ends the loop once connections, hooks and what the application does after answers are done. */
static void end_if_done(struct bq_worker *w)
{
    if (!w->drained || !w->hooks_ended)
        return;
    if (bq_app_pending(w->app) == 0 && !w->reload.retiring)
        bq_loop_stop(w->loop);
    else
        bq_timer_set(bq_loop_wheel(w->loop), &w->end_timer, bq_loop_now_ms(w->loop) + END_POLL_MS);
}

static void on_end_timer(struct bq_timer *t)
{
    end_if_done(BQ_CONTAINER(t, struct bq_worker, end_timer));
}

static void on_drained(void *arg)
{
    struct bq_worker *w = arg;
    w->drained = true;
    end_if_done(w);
}

static void on_hooks_ended(void *arg, int rc)
{
    struct bq_worker *w = arg;
    (void)rc; /* what a hook raised is logged, and does not keep the server from ending */
    w->hooks_ended = true;
    end_if_done(w);
}

static void on_drain(struct bq_job *job)
{
    bq_worker_retire(BQ_CONTAINER(job, struct bq_worker, drain_job));
}

void bq_worker_retire(struct bq_worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    bq_app_start_hooks(w->app, "drain", on_hooks_ended, w);
    bq_serve_drain(w->serve, on_drained, w);
}

static void on_stop(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, stop_job);
    w->forced = true;
    bq_loop_stop(w->loop);
}

int bq_worker_start(struct bq_worker *w)
{
    char name[16];
    w->listen_job.fn = on_listen;
    w->drain_job.fn = on_drain;
    w->stop_job.fn = on_stop;
    w->end_timer.fn = on_end_timer;
    snprintf(name, sizeof name, "barq-%u", w->number);
    int error = bq_thread_start(&w->thread, name, BQ_WORKER_STACK_BYTES, run, w);
    if (error) {
        bq_error("worker %u cannot start: %s", w->number, strerror(error));
        return BQ_SYSTEM;
    }
    w->started = true;
    return BQ_OK;
}

void bq_worker_listen(struct bq_worker *w)
{
    bq_loop_post(w->loop, &w->listen_job);
}

void bq_worker_drain(struct bq_worker *w)
{
    bq_loop_post(w->loop, &w->drain_job);
}

void bq_worker_stop(struct bq_worker *w)
{
    bq_loop_post(w->loop, &w->stop_job);
}

void bq_worker_release(struct bq_worker *w)
{
    if (w->serve)
        bq_serve_free(w->serve);
    bq_worker_free_app(w, w->app);
    bq_loop_free(w->loop);
    bq_free(w->access);
}
