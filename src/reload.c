/* reload.c: builds new applications, swaps them in, and sees the old ones to their end. */
#include "reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/thread.h"
#include "server.h"
#include "signals.h"

#include <pthread.h>
#include <string.h>

/* How long main waits for an application to be loaded, for workers' hooks, for a worker inside Lua
 * to come back, and for a standby worker that is just starting. */
#define LOAD_MS_MAX    30000
#define HOOKS_MS_MAX   30000
#define LOADING_MS_MAX 10000
#define LAST_MS_MAX    10000

/* Then it is said that the new code is there: a worker that has just run its hooks swaps at once,
 * unless it is inside Lua again. */
#define COMMIT_MS_MAX 250

/* Between two looks at an application that still has something to do; and of main, which waits, at
 * the signals that ask for the end. */
#define POLL_MS   5
#define SIGNAL_MS 20

/* --- in the workers' threads ---------------------------------------------------------------- */

static void set_state(struct bq_worker *w, enum bq_reload_state state)
{
    pthread_mutex_lock(&w->server->lock);
    w->reload.state = state;
    pthread_cond_broadcast(&w->server->changed);
    pthread_mutex_unlock(&w->server->lock);
}

static void note_hooks_ended(void *arg, int rc)
{
    struct bq_retiring *r = arg;
    (void)rc; /* what a hook raised is logged */
    r->hooks_ended = true;
}

static void forget(struct bq_retiring *r)
{
    struct bq_retiring **link = &r->worker->reload.retiring;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    bq_worker_free_app(r->worker, r->app);
    bq_free(r);
}

static void on_forget(struct bq_job *job)
{
    forget(BQ_CONTAINER(job, struct bq_retiring, forget));
}

/* drain hooks ─ its requests, tasks, … have ended ─ dependencies are closed ─ freed */
static void look_again(struct bq_timer *timer)
{
    struct bq_retiring *r = BQ_CONTAINER(timer, struct bq_retiring, timer);
    bool done = r->hooks_ended && bq_app_pending(r->app) == 0;
    if (done && r->closing) {
        bq_loop_post(r->worker->loop, &r->forget);
        return;
    }
    if (done) {
        r->closing = true;
        r->hooks_ended = false;
        bq_app_start_hooks(r->app, "close", note_hooks_ended, r);
    }
    struct bq_loop *loop = r->worker->loop;
    bq_timer_set(bq_loop_wheel(loop), timer, bq_loop_now_ms(loop) + POLL_MS);
}

static void retire(struct bq_worker *w, struct bq_app *app)
{
    struct bq_retiring *r = bq_alloc_must(sizeof *r);
    *r = (struct bq_retiring){.next = w->reload.retiring, .worker = w, .app = app};
    r->timer.fn = look_again;
    r->forget.fn = on_forget;
    w->reload.retiring = r;
    bq_app_start_hooks(app, "drain", note_hooks_ended, r);
    bq_timer_set(bq_loop_wheel(w->loop), &r->timer, bq_loop_now_ms(w->loop) + POLL_MS);
}

static void hooks_tried(void *arg, int rc)
{
    struct bq_worker *w = arg;
    set_state(w, rc == BQ_OK ? BQ_RELOAD_READY : BQ_RELOAD_FAILED);
}

static void on_try(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, reload.try_job);
    bq_app_start_hooks(w->reload.next, "worker", hooks_tried, w);
}

static void on_commit(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, reload.commit_job);
    struct bq_app *old = w->app;
    struct bq_handler handler = bq_app_handler(w->reload.next);
    w->app = w->reload.next;
    w->reload.next = NULL;
    bq_serve_set_handler(w->serve, &handler);
    retire(w, old);
    set_state(w, BQ_RELOAD_NONE);
}

static void on_discard(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, reload.discard_job);
    struct bq_app *app = w->reload.next;
    w->reload.next = NULL;
    retire(w, app);
    set_state(w, BQ_RELOAD_NONE);
}

void bq_reload_end(struct bq_worker *w)
{
    while (w->reload.retiring) {
        struct bq_retiring *r = w->reload.retiring;
        bq_timer_clear(bq_loop_wheel(w->loop), &r->timer);
        if (!r->closing)
            bq_app_run_hooks(r->app, "close");
        forget(r);
    }
    if (w->reload.next)
        bq_app_free(w->reload.next);
    w->reload.next = NULL;
}

/* --- in main's -------------------------------------------------------------------------------- */

typedef void (*step_fn)(struct bq_worker *w);

/* Workers that turn their loops now: the others end, or have not begun. Takes: the lock. */
static bool takes_part(const struct bq_worker *w)
{
    return w->started && bq_worker_turns(w) && !atomic_load(&w->adoption.retiring);
}

static bool is_any_loading(const struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++)
        if (s->workers[i].started && s->workers[i].state == BQ_WORKER_LOADING)
            return true;
    return false;
}

static unsigned count_in(const struct bq_server *s, enum bq_reload_state state)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->slot_count; i++)
        n += s->workers[i].reload.state == state;
    return n;
}

static bool has_loaded(const struct bq_server *s)
{
    return !is_any_loading(s);
}

static bool has_tried(const struct bq_server *s)
{
    return count_in(s, BQ_RELOAD_TRYING) == 0;
}

static bool is_idle(const struct bq_server *s)
{
    return count_in(s, BQ_RELOAD_NONE) == s->slot_count;
}

static bool has_built(const struct bq_server *s)
{
    return s->loading->done;
}

/* Until it is so, but not beyond that time, nor when the server is told to end. Whether it is so.
 */
static bool wait_until(struct bq_server *s, bool (*is_so)(const struct bq_server *s),
                       uint64_t deadline_ms)
{
    pthread_mutex_lock(&s->lock);
    while (!is_so(s) && bq_clock_ms() < deadline_ms && !bq_signals_is_end_due()) {
        const struct timespec until = bq_clock_timespec(bq_clock_ms() + SIGNAL_MS);
        pthread_cond_timedwait(&s->changed, &s->lock, &until);
    }
    bool so = is_so(s);
    pthread_mutex_unlock(&s->lock);
    return so;
}

/* --- building --------------------------------------------------------------------------------- */

static void *run_load(void *arg)
{
    struct bq_reload_load *load = arg;
    struct bq_server *s = load->worker->server;
    struct bq_app *app = bq_worker_build_app(load->worker);
    pthread_mutex_lock(&s->lock);
    load->app = app;
    load->done = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static struct bq_app *finish_load(struct bq_server *s)
{
    struct bq_reload_load *load = s->loading;
    pthread_join(load->thread, NULL);
    struct bq_app *app = load->app;
    s->loading = NULL;
    bq_free(load);
    return app;
}

/* It goes on for itself, with what it holds. */
static void leave_load(struct bq_server *s)
{
    pthread_detach(s->loading->thread);
    s->loading = NULL;
    s->load_left = true;
    bq_error("reload: the new code takes longer than %d s to load; what it does there goes on, and "
             "takes a processor's time perhaps, until the server is started again",
             LOAD_MS_MAX / 1000);
}

/* In a thread of its own: this one hears the signals meanwhile. NULL: logged, or the server is to
 * end. */
static struct bq_app *build(struct bq_worker *w)
{
    struct bq_server *s = w->server;
    struct bq_reload_load *load = bq_alloc_must(sizeof *load);
    *load = (struct bq_reload_load){.worker = w};
    int error =
        bq_thread_start(&load->thread, "barq-reload", BQ_WORKER_STACK_BYTES, run_load, load);
    if (error) {
        bq_error("reload: no thread to load the new code in: %s", strerror(error));
        bq_free(load);
        return NULL;
    }
    s->loading = load;
    if (wait_until(s, has_built, bq_clock_ms() + LOAD_MS_MAX))
        return finish_load(s);
    if (!bq_signals_is_end_due())
        leave_load(s);
    return NULL;
}

bool bq_reload_end_load(struct bq_server *s, uint64_t deadline_ms)
{
    if (s->loading && wait_until(s, has_built, deadline_ms)) {
        struct bq_app *app = finish_load(s);
        if (app)
            bq_app_free(app);
    }
    return !s->loading && !s->load_left;
}

static void free_built(struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        if (w->reload.next)
            bq_app_free(w->reload.next);
        w->reload.next = NULL;
    }
}

static bool build_all(struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        pthread_mutex_lock(&s->lock);
        bool wanted = takes_part(w);
        pthread_mutex_unlock(&s->lock);
        if (wanted && !(w->reload.next = build(w)))
            return false;
    }
    return true;
}

/* What the new code's barq.config says is for the next start. False: nothing could start with it.
 */
static bool check_config(struct bq_server *s, struct bq_app *app)
{
    char names[256];
    struct bq_config anew;
    struct bq_config_error error;
    bq_config_init(&anew);
    bool good = bq_config_read_app(&anew, app, &error) == BQ_OK;
    if (!good)
        bq_error("%s", error.text);
    else if (bq_config_changes(s->config, &anew, names, sizeof names) > 0)
        bq_warn("reload: barq.config has another %s now: that holds from the next start on", names);
    bq_config_release(&anew);
    return good;
}

static bool check_configs(struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++)
        if (s->workers[i].reload.next)
            return check_config(s, s->workers[i].reload.next);
    return true;
}

static void post_try(struct bq_worker *w)
{
    set_state(w, BQ_RELOAD_TRYING);
    w->reload.try_job.fn = on_try;
    bq_loop_post(w->loop, &w->reload.try_job);
}

static void post_commit(struct bq_worker *w)
{
    w->reload.commit_job.fn = on_commit;
    bq_loop_post(w->loop, &w->reload.commit_job);
}

static void post_discard(struct bq_worker *w)
{
    w->reload.discard_job.fn = on_discard;
    bq_loop_post(w->loop, &w->reload.discard_job);
}

/* For those that have an application to swap in: which are in some state of it. */
static unsigned each_in_hand(struct bq_server *s, step_fn step)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        pthread_mutex_lock(&s->lock);
        bool in_hand = w->reload.state != BQ_RELOAD_NONE;
        pthread_mutex_unlock(&s->lock);
        if (!in_hand)
            continue;
        step(w);
        n++;
    }
    return n;
}

static bool try_all(struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++)
        if (s->workers[i].reload.next)
            post_try(&s->workers[i]);
    bool all = wait_until(s, has_tried, bq_clock_ms() + HOOKS_MS_MAX);
    if (!all && !bq_signals_is_end_due())
        bq_error("reload: the \"worker\" hooks, or a worker inside Lua, take longer than %d s",
                 HOOKS_MS_MAX / 1000);
    pthread_mutex_lock(&s->lock);
    bool ready = all && count_in(s, BQ_RELOAD_FAILED) == 0;
    pthread_mutex_unlock(&s->lock);
    return ready;
}

/* The old code goes on. */
static enum bq_reload_outcome give_up(enum bq_reload_outcome outcome, const char *why)
{
    if (bq_signals_is_end_due()) {
        bq_info("reload: given up, the server is to end");
        return BQ_RELOAD_ENDING;
    }
    bq_error("reload: %s, the old goes on", why);
    return outcome;
}

/* No standby worker starts or ends meanwhile. */
static enum bq_reload_outcome reload(struct bq_server *s, uint64_t began_ms)
{
    wait_until(s, has_loaded, bq_clock_ms() + LOADING_MS_MAX);
    if (!build_all(s) || !check_configs(s)) {
        free_built(s);
        return give_up(BQ_RELOAD_NOT_LOADED, "the new code does not load");
    }
    if (!try_all(s)) {
        each_in_hand(s, post_discard);
        return give_up(BQ_RELOAD_NOT_READY, "a \"worker\" hook of the new code failed");
    }
    bq_offload_renew(s->offload);
    unsigned n = each_in_hand(s, post_commit);
    wait_until(s, is_idle, bq_clock_ms() + COMMIT_MS_MAX);
    bq_info("reloaded: %u worker%s got the new code after %llu ms", n, n == 1 ? "" : "s",
            (unsigned long long)(bq_clock_ms() - began_ms));
    return BQ_RELOAD_DONE;
}

enum bq_reload_outcome bq_reload(struct bq_server *s)
{
    enum bq_reload_outcome outcome = BQ_RELOAD_BUSY;
    if (bq_signals_is_end_due())
        return BQ_RELOAD_ENDING;
    bq_info("SIGHUP: reloading %s", s->app_path);
    bq_adoption_hold(&s->adoption, true);
    if (wait_until(s, is_idle, bq_clock_ms() + LAST_MS_MAX))
        outcome = reload(s, bq_clock_ms());
    else if (!bq_signals_is_end_due())
        bq_warn("reload: the last one has not come to its end in every worker; try again later");
    atomic_fetch_add(outcome == BQ_RELOAD_DONE ? &s->reloads : &s->reloads_failed, 1);
    bq_adoption_hold(&s->adoption, false);
    return outcome;
}
