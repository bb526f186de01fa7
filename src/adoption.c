/* adoption.c: watches the workers, and moves connections away from those inside Lua. */
#include "adoption.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/thread.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

/* Between two looks; the same while somebody is stuck; and the looks at nothing after which the
 * thread sleeps, or comes back only for standby workers that are to end. */
#define TICK_MS         2
#define STUCK_TICK_MS   1
#define QUIET_TICKS     25
#define STANDBY_TICK_MS 500

/* A worker that is not blocked, but computes or waits for a processor: another thread would only
 * take the processors' time from it. So many times adoption_after later one starts nevertheless. */
#define COMPUTING_PATIENCE 10

/* How long a standby worker stays parked for one that takes its connections; and how long after one
 * that failed no other starts. */
#define PARK_MS_MAX 1000
#define RETRY_MS    10000

/* --- in the workers' threads ---------------------------------------------------------------- */

static void unpark(struct bq_adoption *a, struct bq_worker *w)
{
    pthread_mutex_lock(&a->lock);
    atomic_store(&w->adoption.parked, false);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static void take_from(struct bq_adoption *a, struct bq_worker *to, struct bq_worker *from)
{
    struct bq_absence *absence = bq_loop_absence(from->loop);
    if (!bq_absence_borrow(absence))
        return;
    bool all = atomic_load(&from->adoption.parked);
    unsigned moved = (all ? bq_serve_take_all : bq_serve_take_ready)(to->serve, from->serve);
    absence->moved += moved;
    bq_absence_restore(absence);
    if (all)
        unpark(a, from);
    if (moved) {
        atomic_fetch_add(&a->moved, moved);
        atomic_store(&to->adoption.useful, true);
    }
}

static void on_ask(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, adoption.ask_job);
    struct bq_server *s = w->server;
    for (unsigned i = 0; i < s->slot_count; i++)
        if (&s->workers[i] != w && atomic_load(&s->workers[i].adoption.stuck))
            take_from(&s->adoption, w, &s->workers[i]);
    atomic_store(&w->adoption.asked, false);
}

static void wait_parked(struct bq_adoption *a, struct bq_worker *w)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + PARK_MS_MAX);
    int rc = 0;
    pthread_mutex_lock(&a->lock);
    while (atomic_load(&w->adoption.parked) && !a->stopping && rc == 0)
        rc = pthread_cond_timedwait(&a->changed, &a->lock, &until);
    atomic_store(&w->adoption.parked, false);
    pthread_mutex_unlock(&a->lock);
}

static bool may_retire(struct bq_adoption *a, struct bq_worker *w)
{
    pthread_mutex_lock(&a->lock);
    bool may = !a->held && bq_serve_counts(w->serve).open == 0;
    atomic_store(&w->adoption.retiring, may);
    pthread_mutex_unlock(&a->lock);
    return may;
}

/* Absent on purpose, it is noticed like one inside Lua, but all its connections are taken. One
 * whose answer is awaited stays, and the worker with it, until it is asked again. */
static void on_park(struct bq_job *job)
{
    struct bq_worker *w = BQ_CONTAINER(job, struct bq_worker, adoption.park_job);
    struct bq_absence *absence = bq_loop_absence(w->loop);
    atomic_store(&w->adoption.parked, true);
    bq_absence_begin(absence);
    wait_parked(&w->server->adoption, w);
    bq_absence_end(absence);
    if (may_retire(&w->server->adoption, w))
        bq_worker_retire(w);
    atomic_store(&w->adoption.asked, false);
}

static void wake(struct bq_watcher *watcher)
{
    struct bq_adoption *a = BQ_CONTAINER(watcher, struct bq_adoption, watcher);
    if (!atomic_exchange(&watcher->asleep, false))
        return;
    pthread_mutex_lock(&a->lock);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* --- looking ---------------------------------------------------------------------------------- */

static bool is_standby(const struct bq_adoption *a, const struct bq_worker *w)
{
    return w->number >= a->server->worker_count;
}

static void note_states(struct bq_adoption *a)
{
    struct bq_server *s = a->server;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        w->adoption.live = w->started && bq_worker_turns(w);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Whether anything has happened since the last look. */
static bool look(struct bq_adoption *a, struct bq_worker *w, uint64_t now_ms)
{
    struct bq_adoption_part *p = &w->adoption;
    struct bq_absence *absence = bq_loop_absence(w->loop);
    uint32_t word = bq_absence_look(absence);
    bool away = (word & BQ_ABSENCE_STATE) != BQ_ABSENCE_HERE;
    bool same = (word & ~BQ_ABSENCE_STATE) == p->absence;
    bool stuck = away && same && now_ms - p->absence_ms >= a->server->config->adoption_ms;
    if (!same) {
        p->absence = word & ~BQ_ABSENCE_STATE;
        p->absence_ms = now_ms;
    }
    if (stuck)
        bq_absence_notice(absence, word, p->absence_ms);
    p->unseen = stuck && (p->unseen || !atomic_load(&p->stuck));
    atomic_store(&p->stuck, stuck);
    return away || !same;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* One that was asked and has not come to it is as busy as one inside Lua. */
static bool is_able(const struct bq_adoption *a, const struct bq_worker *w, uint64_t now_ms)
{
    const struct bq_adoption_part *p = &w->adoption;
    return p->live && !atomic_load(&p->stuck) && !atomic_load(&p->retiring) &&
           !(atomic_load(&p->asked) && now_ms - p->asked_ms > a->server->config->adoption_ms);
}

/* The better the higher; 0: not at all. Who sleeps has nothing better to do. */
static int fitness(const struct bq_adoption *a, const struct bq_worker *w, uint64_t now_ms)
{
    if (!is_able(a, w, now_ms))
        return 0;
    return is_standby(a, w) ? 1 : bq_loop_is_asleep(w->loop) ? 3 : 2;
}

static struct bq_worker *choose(struct bq_adoption *a, uint64_t now_ms)
{
    struct bq_server *s = a->server;
    struct bq_worker *best = NULL;
    int most = 0;
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[(a->rotor + i) % s->slot_count];
        int fit = fitness(a, w, now_ms);
        if (fit > most) {
            most = fit;
            best = w;
        }
    }
    if (best)
        a->rotor = best->number + 1;
    return best;
}

/* False: the last job has not come to its end. */
static bool post(struct bq_worker *w, struct bq_job *job, void (*fn)(struct bq_job *job),
                 uint64_t now_ms)
{
    if (atomic_exchange(&w->adoption.asked, true))
        return false;
    w->adoption.asked_ms = now_ms;
    job->fn = fn;
    bq_loop_post(w->loop, job);
    return true;
}

static bool is_regular_able(const struct bq_adoption *a, uint64_t now_ms)
{
    for (unsigned i = 0; i < a->server->worker_count; i++)
        if (is_able(a, &a->server->workers[i], now_ms))
            return true;
    return false;
}

static bool is_stuck(const struct bq_worker *w)
{
    return w->adoption.live && atomic_load(&w->adoption.stuck);
}

/* Whether somebody's connection waits behind one that is stuck. */
static bool is_anybody_waiting(const struct bq_adoption *a)
{
    for (unsigned i = 0; i < a->server->slot_count; i++)
        if (is_stuck(&a->server->workers[i]) && bq_loop_is_ready(a->server->workers[i].loop))
            return true;
    return false;
}

/* Whether the kernel says that the thread runs, or would if there was a processor for it. */
static bool is_computing(const struct bq_worker *w)
{
    char path[48], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)w->tid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f)
        fclose(f);
    line[n] = 0;
    const char *name_end = strrchr(line, ')');
    return name_end && strncmp(name_end, ") R", 3) == 0;
}

/* Whether another thread would be of use to those who wait. */
static bool is_standby_wanted(const struct bq_adoption *a, uint64_t now_ms)
{
    uint64_t patience_ms = COMPUTING_PATIENCE * a->server->config->adoption_ms;
    for (unsigned i = 0; i < a->server->slot_count; i++) {
        const struct bq_worker *w = &a->server->workers[i];
        if (is_stuck(w) && bq_loop_is_ready(w->loop) &&
            (now_ms - w->adoption.absence_ms >= patience_ms || !is_computing(w)))
            return true;
    }
    return false;
}

/* Whether there is one to be looked at whatever its loop says: one that has just got stuck, and one
 * that is parked, which gives everything it has. */
static bool is_any_unseen(const struct bq_adoption *a)
{
    for (unsigned i = 0; i < a->server->slot_count; i++) {
        const struct bq_worker *w = &a->server->workers[i];
        if (is_stuck(w) && (w->adoption.unseen || atomic_load(&w->adoption.parked)))
            return true;
    }
    return false;
}

/* A job that is under way already may have passed one by that is stuck only now. */
static void ask(struct bq_adoption *a, struct bq_worker *able, uint64_t now_ms)
{
    if (!post(able, &able->adoption.ask_job, on_ask, now_ms))
        return;
    for (unsigned i = 0; i < a->server->slot_count; i++)
        a->server->workers[i].adoption.unseen = false;
}

/* --- standby workers -------------------------------------------------------------------------- */

/* What was posted to one that had stopped its loop is no matter: its thread has ended. */
static bool is_any_asked(const struct bq_adoption *a)
{
    for (unsigned i = 0; i < a->server->slot_count; i++) {
        const struct bq_adoption_part *p = &a->server->workers[i].adoption;
        if (p->live && atomic_load(&p->asked))
            return true;
    }
    return false;
}

static enum bq_worker_state state_of(struct bq_adoption *a, const struct bq_worker *w)
{
    pthread_mutex_lock(&a->server->lock);
    enum bq_worker_state state = w->state;
    pthread_mutex_unlock(&a->server->lock);
    return state;
}

/* Who is asked may be looking at any worker: nothing is freed meanwhile. */
static void bury(struct bq_adoption *a, struct bq_worker *w, uint64_t now_ms)
{
    enum bq_worker_state state = state_of(a, w);
    if ((state != BQ_WORKER_ENDED && state != BQ_WORKER_FAILED) || is_any_asked(a))
        return;
    if (state == BQ_WORKER_FAILED) {
        bq_error("worker %u, a standby one, did not start; the next attempt is made in %d s at the "
                 "earliest",
                 w->number, RETRY_MS / 1000);
        a->retry_ms = now_ms + RETRY_MS;
    }
    pthread_join(w->thread, NULL);
    w->started = false;
    bq_worker_release(w);
    bq_worker_init(w, a->server, w->number);
    a->standbys--;
    bq_heap_trim(); /* its own and what a burst of them left behind */
}

static bool is_starting(struct bq_adoption *a)
{
    struct bq_server *s = a->server;
    for (unsigned i = s->worker_count; i < s->slot_count; i++)
        if (s->workers[i].started && state_of(a, &s->workers[i]) == BQ_WORKER_LOADING)
            return true;
    return false;
}

static void start_standby(struct bq_adoption *a, uint64_t now_ms)
{
    struct bq_server *s = a->server;
    if (now_ms < a->retry_ms || is_starting(a))
        return;
    for (unsigned i = s->worker_count; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        if (w->started)
            continue;
        bq_info("all workers are inside Lua: worker %u starts, a standby one", i);
        w->adoption.needed_ms = now_ms;
        if (bq_worker_start(w) == BQ_OK)
            a->standbys++;
        else
            a->retry_ms = now_ms + RETRY_MS;
        return;
    }
}

/* Ends those that nobody needed for long. */
static void retire_standbys(struct bq_adoption *a, uint64_t now_ms)
{
    struct bq_server *s = a->server;
    for (unsigned i = s->worker_count; a->standbys && i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        struct bq_adoption_part *p = &w->adoption;
        if (!w->started)
            continue;
        if (atomic_exchange(&p->useful, false) || atomic_load(&p->stuck))
            p->needed_ms = now_ms;
        if (!p->live) {
            bury(a, w, now_ms);
        } else if (now_ms - p->needed_ms >= s->config->standby_ms_max &&
                   !atomic_load(&p->retiring) && is_regular_able(a, now_ms)) {
            p->needed_ms = now_ms;
            post(w, &p->park_job, on_park, now_ms);
        }
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

/* Not while main holds them: there will be another tick. */
static void change_standbys(struct bq_adoption *a,
                            void (*change)(struct bq_adoption *a, uint64_t now_ms), uint64_t now_ms)
{
    if (pthread_mutex_trylock(&a->standby_lock) != 0)
        return;
    change(a, now_ms);
    pthread_mutex_unlock(&a->standby_lock);
}

/* Somebody is stuck. */
static void help(struct bq_adoption *a, uint64_t now_ms)
{
    bool waiting = is_anybody_waiting(a);
    struct bq_worker *able = choose(a, now_ms);
    if (able && (waiting || is_any_unseen(a)))
        ask(a, able, now_ms);
    else if (!able && waiting && is_standby_wanted(a, now_ms))
        change_standbys(a, start_standby, now_ms);
}

/* Whether there was anything to see, and whether somebody is stuck. */
static bool tick(struct bq_adoption *a, bool *stuck)
{
    struct bq_server *s = a->server;
    uint64_t now_ms = bq_clock_ms();
    bool active = false;
    *stuck = false;
    note_states(a);
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        if (!w->adoption.live)
            continue;
        active |= look(a, w, now_ms);
        *stuck |= atomic_load(&w->adoption.stuck);
    }
    if (*stuck)
        help(a, now_ms);
    change_standbys(a, retire_standbys, now_ms);
    return active;
}

/* Takes: the lock. */
static void wait_ms(struct bq_adoption *a, unsigned ms)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + ms);
    pthread_cond_timedwait(&a->changed, &a->lock, &until);
}

/* Takes: the lock. Before it sleeps it says so and looks once more: it will have seen a worker that
 * left without having seen that. */
static void rest(struct bq_adoption *a, unsigned quiet, bool stuck)
{
    if (quiet == QUIET_TICKS)
        atomic_store(&a->watcher.asleep, true);
    if (quiet <= QUIET_TICKS)
        wait_ms(a, stuck ? STUCK_TICK_MS : TICK_MS);
    else if (a->standbys)
        wait_ms(a, STANDBY_TICK_MS);
    else
        pthread_cond_wait(&a->changed, &a->lock);
}

static void *run(void *arg)
{
    struct bq_adoption *a = arg;
    unsigned quiet = 0;
    bool stuck = false;
    pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        pthread_mutex_unlock(&a->lock);
        bool active = tick(a, &stuck);
        bool woken = quiet >= QUIET_TICKS && !atomic_load(&a->watcher.asleep);
        if (active)
            atomic_store(&a->watcher.asleep, false);
        quiet = active || woken ? 0 : quiet + 1;
        pthread_mutex_lock(&a->lock);
        if (!a->stopping)
            rest(a, quiet, stuck);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

void bq_adoption_init(struct bq_adoption *a, struct bq_server *server)
{
    *a = (struct bq_adoption){.server = server, .watcher.wake = wake};
    pthread_mutex_init(&a->standby_lock, NULL);
    pthread_mutex_init(&a->lock, NULL);
    bq_clock_cond_init(&a->changed);
}

int bq_adoption_start(struct bq_adoption *a)
{
    const struct bq_server *s = a->server;
    if (!s->config->adoption || s->slot_count < 2)
        return BQ_OK;
    int error = bq_thread_start(&a->thread, "barq-adoption", 0, run, a);
    if (error) {
        bq_error("adoption cannot start: %s", strerror(error));
        return BQ_SYSTEM;
    }
    a->started = true;
    return BQ_OK;
}

void bq_adoption_stop(struct bq_adoption *a)
{
    if (!a->started)
        return;
    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    a->started = false;
}

void bq_adoption_hold(struct bq_adoption *a, bool held)
{
    if (held)
        pthread_mutex_lock(&a->standby_lock);
    pthread_mutex_lock(&a->lock);
    a->held = held;
    pthread_mutex_unlock(&a->lock);
    if (!held)
        pthread_mutex_unlock(&a->standby_lock);
}

void bq_adoption_release(struct bq_adoption *a)
{
    pthread_mutex_destroy(&a->standby_lock);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}
