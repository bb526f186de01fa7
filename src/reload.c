/* reload.c: builds new applications, swaps them in, and sees the old ones to their end. */
#include "reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "server.h"

#include <pthread.h>

/* How long main waits for workers' hooks, for a worker inside Lua to come back, and for a standby
 * worker that is just starting. */
#define HOOKS_MS_MAX   30000
#define LOADING_MS_MAX 10000
#define LAST_MS_MAX    10000

/* Between two looks at an application that still has something to do. */
#define POLL_MS 5

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

/* Until a standby worker that loads the old file, perhaps, has done so. */
static void wait_for_loading(struct bq_server *s)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + LOADING_MS_MAX);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (is_any_loading(s) && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

/* Whether none is TRYING any more. */
static bool wait_for_hooks(struct bq_server *s)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + HOOKS_MS_MAX);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (count_in(s, BQ_RELOAD_TRYING) && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool all = count_in(s, BQ_RELOAD_TRYING) == 0;
    pthread_mutex_unlock(&s->lock);
    return all;
}

/* Until the last reload has come to its end everywhere, or not: a worker is inside Lua for long. */
static bool wait_for_last(struct bq_server *s)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + LAST_MS_MAX);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (count_in(s, BQ_RELOAD_NONE) < s->slot_count && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool idle = count_in(s, BQ_RELOAD_NONE) == s->slot_count;
    pthread_mutex_unlock(&s->lock);
    return idle;
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
        if (wanted && !(w->reload.next = bq_worker_build_app(w))) {
            free_built(s);
            return false;
        }
    }
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
    bool all = wait_for_hooks(s);
    if (!all)
        bq_error("reload: the \"worker\" hooks, or a worker inside Lua, take longer than %d s",
                 HOOKS_MS_MAX / 1000);
    pthread_mutex_lock(&s->lock);
    bool ready = all && count_in(s, BQ_RELOAD_FAILED) == 0;
    pthread_mutex_unlock(&s->lock);
    return ready;
}

/* No standby worker starts or ends meanwhile. */
static bool reload(struct bq_server *s, uint64_t began_ms)
{
    wait_for_loading(s);
    if (!build_all(s)) {
        bq_error("reload: the new code does not load, the old goes on");
        return false;
    }
    if (!try_all(s)) {
        each_in_hand(s, post_discard);
        bq_error("reload: a \"worker\" hook of the new code failed, the old goes on");
        return false;
    }
    bq_offload_renew(s->offload);
    unsigned n = each_in_hand(s, post_commit);
    bq_info("reloaded: %u worker%s got the new code after %llu ms", n, n == 1 ? "" : "s",
            (unsigned long long)(bq_clock_ms() - began_ms));
    return true;
}

void bq_reload(struct bq_server *s)
{
    bq_info("SIGHUP: reloading %s", s->app_path);
    bq_adoption_hold(&s->adoption, true);
    bool done = wait_for_last(s);
    if (done)
        done = reload(s, bq_clock_ms());
    else
        bq_warn("reload: the last one has not come to its end in every worker; try again later");
    atomic_fetch_add(done ? &s->reloads : &s->reloads_failed, 1);
    bq_adoption_hold(&s->adoption, false);
}
