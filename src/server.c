/* server.c: the main thread's part: start, wait for a signal, stop. */
#include "server.h"

#include "activation.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "net/ring.h"
#include "reload.h"
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define ACCESS_LANE_BYTES ((size_t)256 << 10)

/* How long the end waits for: workers told to stop at once; those that drop what they had then; the
 * reader of the access log; the "stop" hook at least. */
#define STOP_MS      250
#define DROP_MS      2000
#define LOG_FLUSH_MS 1000
#define STOP_HOOK_MS 250

/* What the service manager may wait for beyond drain_timeout. */
#define STOP_NOTICE_MS 5000

/* How long the start, when one worker has failed, waits for those that still load. */
#define FAILED_START_MS 10000

/* Descriptors that are not connections: of each worker, and of the process. */
#define WORKER_DESCRIPTORS 32
#define OTHER_DESCRIPTORS  256

#define SLOTS_MAX (BQ_WORKERS_MAX + BQ_STANDBY_MAX)

const char bq_version[] = BARQ_VERSION;

/* Sets of states, as bits. */
#define IN(state) (1u << BQ_WORKER_##state)
#define RUNNING   (IN(LOADED) | IN(SERVING))
#define OVER      (IN(FAILED) | IN(ENDED))

void bq_server_complain(const char *format, ...)
{
    va_list ap;
    fputs("barq-server: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* --- deadlines and states --------------------------------------------------------------- */

bool bq_server_set_state(struct bq_server *s, struct bq_worker *w, enum bq_worker_state state)
{
    pthread_mutex_lock(&s->lock);
    bool goes_on = !s->stopping;
    w->state = state;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return goes_on;
}

/* Takes: the lock. */
static unsigned count_in(const struct bq_server *s, unsigned states)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->slot_count; i++)
        n += s->workers[i].started && (states >> s->workers[i].state & 1);
    return n;
}

static unsigned count_started(const struct bq_server *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->slot_count; i++)
        n += s->workers[i].started;
    return n;
}

/* Waits until all are in one of the states, or until then. */
static void wait_all(struct bq_server *s, unsigned states, uint64_t deadline_ms)
{
    const struct timespec until = bq_clock_timespec(deadline_ms);
    unsigned all = count_started(s);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    while (count_in(s, states) < all && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

/* Whether all come into the state, before one fails. */
static bool wait_start(struct bq_server *s, enum bq_worker_state state)
{
    pthread_mutex_lock(&s->lock);
    while (count_in(s, 1u << state) < s->worker_count && count_in(s, IN(FAILED)) == 0)
        pthread_cond_wait(&s->changed, &s->lock);
    bool reached = count_in(s, 1u << state) == s->worker_count;
    pthread_mutex_unlock(&s->lock);
    return reached;
}

/* Those that turn their loops; the others cannot be told. */
static void tell(struct bq_server *s, void (*step)(struct bq_worker *w))
{
    for (unsigned i = 0; i < s->slot_count; i++) {
        struct bq_worker *w = &s->workers[i];
        pthread_mutex_lock(&s->lock);
        bool turns = w->started && bq_worker_turns(w);
        pthread_mutex_unlock(&s->lock);
        if (turns)
            step(w);
    }
}

/* Takes: the lock. */
static struct bq_worker *find_over(const struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++)
        if (s->workers[i].started && (OVER >> s->workers[i].state & 1))
            return &s->workers[i];
    return NULL;
}

/* Joins each worker as it ends. Whether all have by then. */
static bool join_all(struct bq_server *s, uint64_t deadline_ms)
{
    const struct timespec until = bq_clock_timespec(deadline_ms);
    struct bq_worker *w;
    while (count_started(s) > 0) {
        int rc = 0;
        pthread_mutex_lock(&s->lock);
        while (!(w = find_over(s)) && rc == 0)
            rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
        pthread_mutex_unlock(&s->lock);
        if (!w)
            break;
        pthread_join(w->thread, NULL);
        w->started = false;
    }
    return count_started(s) == 0;
}

/* --- init, load, release ---------------------------------------------------------------- */

void bq_server_init(struct bq_server *s, struct bq_config *config, const char *app_path)
{
    *s = (struct bq_server){
        .config = config, .app_path = app_path, .worker_count = 1, .slot_count = 1};
    pthread_mutex_init(&s->lock, NULL);
    bq_clock_cond_init(&s->changed);
    s->workers = bq_alloc_must(SLOTS_MAX * sizeof *s->workers);
    for (unsigned i = 0; i < SLOTS_MAX; i++)
        bq_worker_init(&s->workers[i], s, i);
    s->tallies = bq_alloc_must(SLOTS_MAX * sizeof *s->tallies);
    bq_adoption_init(&s->adoption, s);
    bq_source_watch_init(&s->sources);
}

static void free_tally(struct bq_worker_tally *tally)
{
    if (tally)
        bq_tallies_release(&tally->answers);
    bq_free(tally);
}

struct bq_worker_tally *bq_server_tally(struct bq_server *s, unsigned number)
{
    struct bq_worker_tally *tally = atomic_load(&s->tallies[number]);
    if (!tally && (tally = bq_alloc_zero(sizeof *tally))) {
        bq_tallies_init(&tally->answers);
        atomic_store(&s->tallies[number], tally);
    }
    return tally;
}

void bq_server_release(struct bq_server *s)
{
    for (unsigned i = 0; i < s->slot_count; i++)
        bq_worker_release(&s->workers[i]);
    bq_free(s->workers);
    for (unsigned i = 0; i < s->slot_count; i++)
        free_tally(s->tallies[i]);
    bq_free(s->tallies);
    bq_inside_release(&s->inside);
    bq_watchdog_release(&s->watchdog);
    bq_adoption_release(&s->adoption);
    bq_offload_free(s->offload);
    bq_source_watch_release(&s->sources);
    if (s->stores)
        bq_stores_free(s->stores);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
}

int bq_server_meet_manager(struct bq_server *s)
{
    struct bq_config_error error;
    bq_notify_init(&s->notify);
    int rc = bq_activation_take(&s->activated, &error);
    if (rc != BQ_OK)
        bq_server_complain("%s", error.text);
    return rc;
}

static int read_app_config(struct bq_server *s)
{
    struct bq_config_error error;
    int rc = bq_config_read_app(s->config, s->workers[0].app, &error);
    if (rc == BQ_OK)
        rc = bq_config_check(s->config, &error);
    if (rc != BQ_OK)
        bq_server_complain("%s", error.text);
    return rc;
}

/* Which files it loads is noted in development, and it may be the application that says it is: then
 * it is loaded once more. */
static int load_first(struct bq_server *s)
{
    struct bq_worker *w = &s->workers[0];
    bool dev = s->config->dev;
    int rc = bq_worker_load(w);
    if (rc == BQ_OK)
        rc = read_app_config(s);
    return rc == BQ_OK && s->config->dev && !dev ? bq_worker_load(w) : rc;
}

static void configure_offload(struct bq_server *s)
{
    s->aside = (struct bq_aside){s->stores, s->app_path, s->config->dev ? &s->sources : NULL};
    const struct bq_offload_options options = bq_aside_options(&s->aside, s->config);
    bq_offload_configure(s->offload, &options);
}

int bq_server_load(struct bq_server *s)
{
    s->stores = bq_stores_new();
    s->offload = bq_offload_new();
    if (!s->stores || !s->offload) {
        bq_server_complain("out of memory");
        return BQ_MEMORY;
    }
    if (load_first(s) != BQ_OK)
        return BQ_INVALID;
    bq_log_set_level((enum bq_log_level)s->config->log_level);
    configure_offload(s);
    const struct bq_app_options options = bq_config_app_options(s->config);
    return bq_app_freeze(s->workers[0].app, &options);
}

/* --- start ------------------------------------------------------------------------------ */

/* Each connection is a file descriptor, and the usual soft limit of 1024 is for programs that use
 * select(2). */
static void raise_descriptors(const struct bq_server *s)
{
    struct rlimit limit;
    rlim_t needed = s->worker_count * s->config->connections_max +
                    s->slot_count * WORKER_DESCRIPTORS + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    setrlimit(RLIMIT_NOFILE, &limit);
    /* The default is meant to be more than enough: only who asked for more is told. */
    if (limit.rlim_cur < needed &&
        bq_config_origin(s->config, "connections_max") != BQ_ORIGIN_DEFAULT)
        bq_warn("connections_max needs %llu file descriptors in all, %llu is the limit: raise it "
                "(ulimit -Hn), or accepting pauses there",
                (unsigned long long)needed, (unsigned long long)limit.rlim_cur);
}

static bool open_access_log(struct bq_server *s)
{
    if (bq_config_access_format(s->config) == BQ_ACCESS_OFF)
        return true;
    s->access_log =
        bq_line_writer_open("access log", STDOUT_FILENO, s->slot_count, ACCESS_LANE_BYTES);
    if (!s->access_log)
        bq_server_complain("the access log cannot start: %s", strerror(errno));
    return s->access_log;
}

static bool start_threads(struct bq_server *s)
{
    bq_signals_block();
    bool ok = open_access_log(s);
    for (unsigned i = 0; ok && i < s->worker_count; i++)
        ok = bq_worker_start(&s->workers[i]) == BQ_OK;
    bq_signals_unblock();
    return ok && wait_start(s, BQ_WORKER_LOADED);
}

static int open_listeners(struct bq_server *s, struct bq_config_error *error)
{
    if (s->activated)
        return bq_listeners_inherit(&s->listeners, BQ_ACTIVATION_FIRST, s->activated,
                                    s->worker_count, error);
    return bq_listeners_open(&s->listeners, s->config, s->worker_count, error);
}

static bool start_listening(struct bq_server *s)
{
    struct bq_config_error error;
    if (open_listeners(s, &error) != BQ_OK) {
        bq_server_complain("%s", error.text);
        return false;
    }
    /* From the first connection on, the end is an orderly one. */
    bq_signals_block();
    tell(s, bq_worker_listen);
    return wait_start(s, BQ_WORKER_SERVING);
}

/* From now on it can be asked how the start goes. */
static int start_inside(struct bq_server *s)
{
    bq_signals_block();
    int rc = bq_inside_start(&s->inside, s);
    bq_signals_unblock();
    return rc;
}

/* Who insists on it is told that it cannot be had; who does not is served without. */
static bool check_loop(const struct bq_server *s)
{
    if (s->config->loop != BQ_LOOP_URING)
        return true;
    struct bq_ring *ring = bq_ring_new();
    if (ring) {
        bq_ring_free(ring);
        return true;
    }
    bq_server_complain("loop is \"uring\", and io_uring cannot be used here: %s; \"auto\" serves "
                       "without it",
                       strerror(errno));
    return false;
}

/* Without adoption the server serves as well, and the log has said why. */
static bool start(struct bq_server *s)
{
    s->worker_count = bq_config_worker_count(s->config);
    s->slot_count = s->worker_count + (s->config->adoption ? (unsigned)s->config->standby_max : 0);
    raise_descriptors(s);
    if (!check_loop(s) || start_inside(s) != BQ_OK)
        return false;
    return bq_app_run_hooks(s->workers[0].app, "start") == BQ_OK && start_threads(s) &&
           start_listening(s) && (bq_adoption_start(&s->adoption), true);
}

static void announce(struct bq_server *s)
{
    char text[BQ_LISTENERS_TEXT_MAX];
    bq_listeners_text(&s->listeners, text);
    bq_info("barq %s serving %s on %s (%u worker%s)", bq_version, s->app_path, text,
            s->worker_count, s->worker_count == 1 ? "" : "s");
    if (s->config->dev && s->config->docs)
        bq_info("the API's page is at /docs");
    if (bq_inside_text(&s->inside, text))
        bq_info("metrics and the live page are on %s", text);
    bq_inside_set_phase(&s->inside, BQ_ADMIN_SERVING);
    bq_notify_say(&s->notify, "READY=1\nSTATUS=serving on %s", text);
}

/* Nobody looks at the workers meanwhile: the time until the next ping begins anew. */
static void reload(struct bq_server *s, pid_t asker)
{
    bq_notify_say(&s->notify, "RELOADING=1\nWATCHDOG=1\nMONOTONIC_USEC=%llu",
                  (unsigned long long)bq_clock_us());
    enum bq_reload_outcome outcome = bq_reload(s);
    bq_signals_answer(asker, (int)outcome);
    bq_notify_say(&s->notify, "READY=1");
}

/* Gives: the signal that asks for the end. */
static int watch(struct bq_server *s)
{
    int number;
    pid_t asker;
    bq_watchdog_start(&s->watchdog, s);
    for (;;) {
        number = bq_signals_wait(bq_watchdog_interval_ms(&s->watchdog), &asker);
        if (number == SIGHUP)
            reload(s, asker);
        else if (number == 0)
            bq_watchdog_look(&s->watchdog);
        else
            return number;
    }
}

/* --- stop ------------------------------------------------------------------------------- */

/* What is left to do once no worker can add to it. */
static void close_outside(struct bq_server *s)
{
    bq_inside_stop(&s->inside);
    bq_listeners_close(&s->listeners);
    if (s->access_log && !bq_line_writer_close(s->access_log, LOG_FLUSH_MS))
        bq_warn("access log: its last lines are lost, nobody reads them");
    s->access_log = NULL;
}

/* Of those that have not ended: how many have left their loops, and drop what they had. */
static unsigned count_dropping(struct bq_server *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->slot_count; i++)
        n += s->workers[i].started && atomic_load(&s->workers[i].dropping);
    return n;
}

/* A thread that is inside Lua can be neither stopped nor joined. */
static _Noreturn void leave(struct bq_server *s, int code)
{
    unsigned all = s->worker_count + s->adoption.standbys, dropping = count_dropping(s);
    unsigned inside = count_started(s) - dropping;
    if (inside)
        bq_error("%u of %u workers did not come back from Lua and are cut off", inside, all);
    if (dropping)
        bq_error("%u of %u workers take too long to drop what they had and are cut off", dropping,
                 all);
    close_outside(s);
    _exit(code);
}

/* Tells them to stop at once. Whoever hears it may have much to drop, and dependencies to close. */
static bool stop_workers(struct bq_server *s)
{
    tell(s, bq_worker_stop);
    if (join_all(s, bq_clock_ms() + STOP_MS))
        return true;
    return count_dropping(s) > 0 && join_all(s, bq_clock_ms() + DROP_MS);
}

/* That time, but not before a moment has passed. */
static uint64_t grace(uint64_t deadline_ms)
{
    uint64_t soon_ms = bq_clock_ms() + STOP_MS;
    return deadline_ms > soon_ms ? deadline_ms : soon_ms;
}

/* Nobody waits for its functions any more; a thread inside one can be neither stopped nor joined.
 */
static void end_offload(struct bq_server *s, uint64_t deadline_ms, int code)
{
    if (bq_offload_stop(s->offload, grace(deadline_ms)))
        return;
    bq_error("a function of barq.offload did not come to its end and is cut off");
    _exit(code);
}

static int fail_start(struct bq_server *s)
{
    wait_all(s, RUNNING | OVER, bq_clock_ms() + FAILED_START_MS);
    if (!stop_workers(s))
        leave(s, 1);
    close_outside(s);
    end_offload(s, 0, 1);
    return 1;
}

static void end_load(struct bq_server *s, uint64_t deadline_ms)
{
    if (bq_reload_end_load(s, grace(deadline_ms)))
        return;
    bq_error("code that did not come to its end while it was reloaded is cut off");
    _exit(0);
}

static void report_cut(const struct bq_server *s)
{
    unsigned long requests = 0;
    for (unsigned i = 0; i < s->slot_count; i++)
        requests += s->workers[i].requests_cut;
    bq_warn("drain_timeout has passed: %lu request%s cut", requests,
            requests == 1 ? " was" : "s were");
}

static void set_stopping(struct bq_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
}

static int stop(struct bq_server *s, int number)
{
    uint64_t deadline = bq_clock_ms() + s->config->drain_ms_max;
    bq_inside_set_phase(&s->inside, BQ_ADMIN_DRAINING);
    bq_source_watch_stop(&s->sources);
    /* systemd kills after TimeoutStopSec, unless it is told to wait for longer. */
    bq_notify_say(&s->notify,
                  "STOPPING=1\nSTATUS=finishing what is in flight\nEXTEND_TIMEOUT_USEC=%llu",
                  (unsigned long long)(s->config->drain_ms_max + STOP_NOTICE_MS) * 1000);
    bq_adoption_stop(&s->adoption);
    bq_info("%s: stopping", number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM");
    set_stopping(s);
    tell(s, bq_worker_drain);
    if (!join_all(s, deadline)) {
        if (!stop_workers(s))
            leave(s, 0);
        report_cut(s);
    }
    close_outside(s);
    uint64_t now = bq_clock_ms();
    bq_signals_end_after(deadline > now + STOP_HOOK_MS ? deadline - now : STOP_HOOK_MS);
    bq_app_run_hooks(s->workers[0].app, "stop");
    bq_app_run_hooks(s->workers[0].app, "close");
    bq_signals_end_after(0); /* the hooks have ended */
    end_offload(s, deadline, 0);
    end_load(s, deadline);
    return 0;
}

int bq_server_run(struct bq_server *s)
{
    if (!start(s)) {
        bq_signals_unblock();
        return fail_start(s);
    }
    if (s->config->dev) /* before anybody knows that it serves, and changes something */
        bq_source_watch_start(&s->sources, s->app_path);
    announce(s);
    return stop(s, watch(s));
}
