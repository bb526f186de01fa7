/* inside.c: asks the workers, and waits for them a little. */
#include "inside.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "server.h"

#include <errno.h>

/* How long a look waits for reports. */
#define REPORT_MS_MAX 100

/* A worker that has stood still, or was inside Lua with clients waiting, for so long is beyond
 * help. */
#define LOST_US 30000000

#define BACKLOG 64

_Static_assert(BQ_FLIGHT_WHERE_MAX == BQ_APP_WHERE_MAX, "a flight has room for where it stands");

/* --- in the workers' threads ---------------------------------------------------------------- */

static void add_figures(struct bq_worker_report *r, struct bq_collector_view *collector,
                        const struct bq_app *app)
{
    struct bq_app_figures f = bq_app_figures(app);
    r->lua_bytes += f.lua_bytes;
    r->lua_bytes_max = f.lua_bytes_max;
    r->tasks += f.tasks;
    r->tasks_idle += f.tasks_idle;
    r->tasks_waiting += f.tasks_waiting;
    bq_collector_view_add(collector, bq_app_collector(app));
}

/* The states of before a reload count as long as they are there, and what was collected in them
 * stays counted. */
static void report(const struct bq_worker *w, struct bq_worker_report *r)
{
    const struct bq_worker_tally *tally = atomic_load(&w->server->tallies[w->number]);
    struct bq_collector_view collector = {0};
    r->serve = bq_serve_counts(w->serve);
    for (const struct bq_retiring *old = w->reload.retiring; old; old = old->next)
        add_figures(r, &collector, old->app);
    add_figures(r, &collector, w->app);
    if (tally)
        bq_collector_view_add(&collector, tally->past);
    r->collections = collector.cycles;
    r->pauses = collector.pauses;
    r->pause_ns = collector.pause_ns;
    r->pause_ns_max = collector.pause_ns_max;
}

static void copy_text(char *out, size_t n, bq_str s)
{
    size_t used = s.n < n ? s.n : n - 1;
    memcpy(out, s.p, used);
    out[used] = 0;
    if (used < s.n && n > 4)
        memcpy(out + n - 4, "...", 3);
}

struct flight_walk {
    struct bq_inside_part *part;
    unsigned worker;
    uint64_t now_us;
};

/* The place of one that is so old among those that are kept, the oldest of them all; NULL: it is
 * too young. */
static struct bq_flight_shown *place_for(struct bq_inside_part *p, uint64_t age_us)
{
    unsigned at = p->flight_count;
    while (at > 0 && p->flights[at - 1].age_us < age_us)
        at--;
    if (at == BQ_FLIGHTS_MAX)
        return NULL;
    if (p->flight_count < BQ_FLIGHTS_MAX)
        p->flight_count++;
    memmove(&p->flights[at + 1], &p->flights[at], (p->flight_count - at - 1) * sizeof *p->flights);
    return &p->flights[at];
}

static void keep_flight(void *arg, const struct bq_serve_flight *flight)
{
    const struct flight_walk *walk = arg;
    const struct bq_request *r = &flight->exchange->request;
    uint64_t age_us = walk->now_us > flight->began_us ? walk->now_us - flight->began_us : 0;
    struct bq_flight_shown *f = place_for(walk->part, age_us);
    if (!f)
        return;
    *f = (struct bq_flight_shown){
        .worker = walk->worker, .age_us = age_us, .gone = flight->exchange->gone};
    copy_text(f->method, sizeof f->method, r->method_name);
    copy_text(f->target, sizeof f->target, r->target);
    f->client[flight->exchange->sink->peer(flight->exchange, f->client)] = 0;
    bq_app_progress(flight->exchange, f->where);
}

static void on_ask(struct bq_job *job)
{
    struct bq_inside_part *p = BQ_CONTAINER(job, struct bq_inside_part, job);
    struct bq_inside *i = p->inside;
    const struct bq_worker *w = &i->server->workers[p - i->parts];
    uint64_t now_us = bq_clock_us();
    pthread_mutex_lock(&i->lock);
    p->report = (struct bq_worker_report){.at_us = now_us, .lag_us = now_us - p->asked_us};
    report(w, &p->report);
    bq_histogram_add(&p->lags, p->report.lag_us);
    p->flight_count = 0;
    if (p->wants_flights)
        bq_serve_each_flight(w->serve, keep_flight, &(struct flight_walk){p, w->number, now_us});
    p->asked = 0;
    pthread_cond_signal(&i->reported);
    pthread_mutex_unlock(&i->lock);
}

/* --- in the admin thread ---------------------------------------------------------------------- */

/* Of one that turns its loop: for how long it has been inside Lua, as far as that was seen. */
static uint64_t in_lua_ms(struct bq_inside_part *p, const struct bq_worker *w, uint64_t now_us)
{
    uint32_t word = bq_absence_look(bq_loop_absence(w->loop));
    uint64_t since_ms = atomic_load(&w->adoption.absence_ms), now_ms = bq_clock_ms();
    bool same = (word & ~BQ_ABSENCE_STATE) == p->absence;
    if (!same) {
        p->absence = word & ~BQ_ABSENCE_STATE;
        p->absence_us = now_us;
    }
    if ((word & BQ_ABSENCE_STATE) == BQ_ABSENCE_HERE || atomic_load(&w->adoption.parked))
        return 0;
    if (atomic_load(&w->adoption.stuck)) /* adoption looks more often */
        return now_ms > since_ms ? now_ms - since_ms : 0;
    return same ? (now_us - p->absence_us) / 1000 : 0;
}

static void ask(struct bq_inside *i, struct bq_worker *w, bool flights)
{
    struct bq_inside_part *p = &i->parts[w->number];
    pthread_mutex_lock(&i->lock);
    bool due = p->asked != w->tid;
    p->wants_flights = flights;
    if (due) {
        p->asked = w->tid;
        p->asked_us = bq_clock_us();
    }
    pthread_mutex_unlock(&i->lock);
    if (due)
        bq_loop_post(w->loop, &p->job);
}

static void forget_asked(struct bq_inside *i, unsigned number)
{
    pthread_mutex_lock(&i->lock);
    i->parts[number].asked = 0;
    i->parts[number].flight_count = 0;
    pthread_mutex_unlock(&i->lock);
}

/* Asks it, and looks at what is seen from outside. False: it is not there. */
static bool visit(struct bq_inside *i, struct bq_worker *w, struct bq_worker_shown *out,
                  bool flights)
{
    struct bq_server *s = i->server;
    struct bq_inside_part *p = &i->parts[w->number];
    pthread_mutex_lock(&s->lock);
    bool turns = bq_worker_turns(w), serving = w->state == BQ_WORKER_SERVING;
    pthread_mutex_unlock(&s->lock);
    *out = (struct bq_worker_shown){
        .number = w->number, .standby = w->number >= s->worker_count, .lags = &p->lags};
    if (!turns) {
        forget_asked(i, w->number);
        return !out->standby;
    }
    out->serving = serving || out->standby;
    out->in_lua_ms = in_lua_ms(p, w, bq_clock_us());
    if (out->in_lua_ms)
        out->cause = atomic_load(&bq_loop_absence(w->loop)->cause);
    ask(i, w, flights);
    return true;
}

/* Standby workers come and go under the lock that is tried here; while a reload holds it, they are
 * not shown. */
static unsigned visit_all(struct bq_inside *i, bool flights)
{
    struct bq_server *s = i->server;
    unsigned n = 0;
    for (unsigned k = 0; k < s->worker_count; k++)
        n += visit(i, &s->workers[k], &i->workers[n], flights);
    if (s->slot_count == s->worker_count || pthread_mutex_trylock(&s->adoption.standby_lock) != 0)
        return n;
    for (unsigned k = s->worker_count; k < s->slot_count; k++)
        n += visit(i, &s->workers[k], &i->workers[n], flights);
    pthread_mutex_unlock(&s->adoption.standby_lock);
    return n;
}

/* Takes: the lock. Whether somebody who can is still to report. */
static bool is_any_due(const struct bq_inside *i, unsigned count)
{
    for (unsigned k = 0; k < count; k++)
        if (i->parts[i->workers[k].number].asked && !i->workers[k].in_lua_ms)
            return true;
    return false;
}

/* Takes: the lock. The oldest of all workers' flights. */
static unsigned merge_flights(struct bq_inside *i, unsigned count)
{
    unsigned taken[BQ_WORKERS_MAX + BQ_STANDBY_MAX] = {0}, n = 0;
    for (; n < BQ_FLIGHTS_MAX; n++) {
        struct bq_inside_part *oldest = NULL;
        for (unsigned k = 0; k < count; k++) {
            struct bq_inside_part *p = &i->parts[i->workers[k].number];
            unsigned at = taken[p - i->parts];
            if (at < p->flight_count &&
                (!oldest ||
                 p->flights[at].age_us > oldest->flights[taken[oldest - i->parts]].age_us))
                oldest = p;
        }
        if (!oldest)
            break;
        i->flights[n] = oldest->flights[taken[oldest - i->parts]++];
    }
    return n;
}

static void gather(struct bq_inside *i, struct bq_snapshot *out, bool flights)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + REPORT_MS_MAX);
    int rc = 0;
    out->workers = i->workers;
    out->worker_count = visit_all(i, flights);
    pthread_mutex_lock(&i->lock);
    while (is_any_due(i, out->worker_count) && rc == 0)
        rc = pthread_cond_timedwait(&i->reported, &i->lock, &until);
    for (unsigned k = 0; k < out->worker_count; k++)
        i->workers[k].report = i->parts[i->workers[k].number].report;
    if (flights) {
        out->flights = i->flights;
        out->flight_count = merge_flights(i, out->worker_count);
    }
    pthread_mutex_unlock(&i->lock);
}

static void read_tallies(struct bq_inside *i, struct bq_snapshot *out)
{
    const struct bq_server *s = i->server;
    out->tallies = i->tallies;
    out->tallies_count = 0;
    for (unsigned k = 0; k < s->slot_count; k++) {
        const struct bq_worker_tally *tally = atomic_load(&s->tallies[k]);
        if (!tally)
            continue;
        i->tallies[out->tallies_count++] = &tally->answers;
        out->sqlite.statements += bq_counter_read(&tally->sqlite.statements);
        out->sqlite.failed += bq_counter_read(&tally->sqlite.failed);
        out->sqlite.waited += bq_counter_read(&tally->sqlite.waited);
        out->sqlite.waited_us += bq_counter_read(&tally->sqlite.waited_us);
    }
}

static enum bq_admin_phase phase(void *self)
{
    const struct bq_inside *i = self;
    return (enum bq_admin_phase)atomic_load(&i->phase);
}

static unsigned count_standbys(const struct bq_snapshot *s)
{
    unsigned n = 0;
    for (unsigned k = 0; k < s->worker_count; k++)
        n += s->workers[k].standby;
    return n;
}

static void look(void *self, struct bq_snapshot *out, bool flights)
{
    struct bq_inside *i = self;
    const struct bq_server *s = i->server;
    struct bq_offload_figures offload = bq_offload_figures(s->offload);
    *out = (struct bq_snapshot){
        .version = bq_version,
        .app_path = s->app_path,
        .phase = phase(i),
        .connections_moved = atomic_load(&s->adoption.moved),
        .reloads = atomic_load(&s->reloads),
        .reloads_failed = atomic_load(&s->reloads_failed),
        .log_warnings = bq_log_count(BQ_LOG_WARN),
        .log_errors = bq_log_count(BQ_LOG_ERROR),
        .offload_threads = offload.threads,
        .offload_idle = offload.idle,
        .offload_queued = offload.queued,
    };
    /* Main opens it before that, and closes it after this thread has ended. */
    if (out->phase != BQ_ADMIN_STARTING && s->access_log)
        out->access_log_dropped = bq_line_writer_dropped(s->access_log);
    gather(i, out, flights);
    read_tallies(i, out);
    out->standbys = count_standbys(out);
    out->now_us = bq_clock_us();
    out->now_s = time(NULL);
}

/* Whether connections wait behind the workers, all of which are inside Lua for too long. */
static bool is_nobody_serving(const struct bq_server *s, const struct bq_worker_shown *shown,
                              unsigned count)
{
    bool waiting = false;
    for (unsigned k = 0; k < count; k++) {
        if (shown[k].in_lua_ms * 1000 < LOST_US)
            return false;
        waiting |= !shown[k].standby && bq_loop_is_ready(s->workers[shown[k].number].loop);
    }
    return waiting;
}

static bool is_alive(void *self, char why[static BQ_ADMIN_WHY_MAX])
{
    struct bq_inside *i = self;
    struct bq_snapshot s = {0};
    bool alive = true;
    gather(i, &s, false);
    pthread_mutex_lock(&i->lock);
    for (unsigned k = 0; k < s.worker_count && alive; k++) {
        const struct bq_inside_part *p = &i->parts[i->workers[k].number];
        alive = !p->asked || i->workers[k].in_lua_ms || bq_clock_us() - p->asked_us < LOST_US;
        if (!alive)
            snprintf(why, BQ_ADMIN_WHY_MAX, "worker %u stands still outside of Lua",
                     i->workers[k].number);
    }
    pthread_mutex_unlock(&i->lock);
    if (alive && s.worker_count && is_nobody_serving(i->server, i->workers, s.worker_count)) {
        snprintf(why, BQ_ADMIN_WHY_MAX,
                 "every worker is inside Lua, and nobody serves those who wait");
        return false;
    }
    return alive;
}

/* --- in main's -------------------------------------------------------------------------------- */

static bool allocate(struct bq_inside *i)
{
    const unsigned slots = i->server->slot_count;
    i->parts = bq_alloc_zero(slots * sizeof *i->parts);
    i->workers = bq_alloc_zero(slots * sizeof *i->workers);
    i->tallies = bq_alloc_zero(slots * sizeof *i->tallies);
    i->flights = bq_alloc_zero(BQ_FLIGHTS_MAX * sizeof *i->flights);
    if (!i->parts || !i->workers || !i->tallies || !i->flights)
        return false;
    for (unsigned k = 0; k < slots; k++) {
        i->parts[k].inside = i;
        i->parts[k].job.fn = on_ask;
    }
    return true;
}

int bq_inside_start(struct bq_inside *i, struct bq_server *server)
{
    const struct bq_admin_source source = {i, phase, is_alive, look};
    struct bq_config_error error;
    *i = (struct bq_inside){.server = server};
    if (!server->config->admin.n)
        return BQ_OK;
    pthread_mutex_init(&i->lock, NULL);
    bq_clock_cond_init(&i->reported);
    i->opened = true;
    if (!allocate(i)) {
        bq_server_complain("out of memory");
        return BQ_MEMORY;
    }
    int rc =
        bq_listeners_open_one(&i->listeners, "--admin", server->config->admin, BACKLOG, &error);
    if (rc != BQ_OK) {
        bq_server_complain("%s", error.text);
        return rc;
    }
    i->admin = bq_admin_start(bq_listeners_take(&i->listeners, 0, 0), &source);
    if (i->admin)
        return BQ_OK;
    bq_server_complain("the admin port cannot start: %s", strerror(errno));
    return BQ_SYSTEM;
}

void bq_inside_set_phase(struct bq_inside *i, enum bq_admin_phase to)
{
    atomic_store(&i->phase, (int)to);
}

bool bq_inside_text(const struct bq_inside *i, char out[static BQ_LISTENERS_TEXT_MAX])
{
    if (i->admin)
        bq_listeners_text(&i->listeners, out);
    return i->admin;
}

void bq_inside_stop(struct bq_inside *i)
{
    bq_admin_stop(i->admin);
    i->admin = NULL;
    bq_listeners_close(&i->listeners);
}

void bq_inside_release(struct bq_inside *i)
{
    if (!i->opened)
        return;
    bq_free(i->parts);
    bq_free(i->workers);
    bq_free(i->tallies);
    bq_free(i->flights);
    pthread_cond_destroy(&i->reported);
    pthread_mutex_destroy(&i->lock);
}
