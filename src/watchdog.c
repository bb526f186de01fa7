/* watchdog.c: a look at every worker, and a ping. */
#include "watchdog.h"

#include "base/log.h"
#include "base/mem.h"
#include "server.h"

#define LOOKS 4 /* in the time that the service manager allows */

/* Of a worker since the last look. */
enum pace { MOVED, IN_LUA, STANDING };

static void on_pulse(struct bq_job *job)
{
    atomic_store(&BQ_CONTAINER(job, struct bq_pulse, job)->due, false);
}

void bq_watchdog_start(struct bq_watchdog *w, struct bq_server *server)
{
    *w = (struct bq_watchdog){.server = server};
    if (!server->notify.watchdog_ms)
        return;
    w->pulses = bq_alloc_zero(server->worker_count * sizeof *w->pulses);
    if (!w->pulses)
        bq_warn("the watchdog cannot look at the workers: out of memory");
}

void bq_watchdog_release(struct bq_watchdog *w)
{
    bq_free(w->pulses);
}

uint64_t bq_watchdog_interval_ms(const struct bq_watchdog *w)
{
    uint64_t ms = w->server->notify.watchdog_ms;
    return ms > 0 && ms < LOOKS ? 1 : ms / LOOKS;
}

static bool is_away(uint32_t word)
{
    return (word & BQ_ABSENCE_STATE) != BQ_ABSENCE_HERE;
}

static enum pace pace_of(struct bq_watchdog *w, unsigned i)
{
    struct bq_pulse *p = &w->pulses[i];
    struct bq_loop *loop = w->server->workers[i].loop;
    uint32_t before = p->absence, now = bq_absence_look(bq_loop_absence(loop));
    p->absence = now;
    if (!atomic_exchange(&p->due, true)) {
        p->job.fn = on_pulse;
        bq_loop_post(loop, &p->job);
        return MOVED;
    }
    /* One that is just back from a long call has not come to its jobs yet. */
    if ((now ^ before) >= BQ_ABSENCE_ONE || is_away(now) != is_away(before))
        return MOVED;
    return is_away(now) ? IN_LUA : STANDING;
}

/* Whether connections wait behind the workers, and none of them was taken over since the last
 * look. */
static bool is_nobody_serving(struct bq_watchdog *w)
{
    unsigned long long moved = atomic_load(&w->server->adoption.moved);
    bool same = moved == w->moved;
    w->moved = moved;
    for (unsigned i = 0; same && i < w->server->worker_count; i++)
        if (bq_loop_is_ready(w->server->workers[i].loop))
            return true;
    return false;
}

static bool complain(struct bq_watchdog *w, const char *what)
{
    if (!w->complained)
        bq_error("watchdog: %s: the service manager will restart the server", what);
    w->complained = true;
    return false;
}

static bool is_well(struct bq_watchdog *w)
{
    unsigned counts[] = {[MOVED] = 0, [IN_LUA] = 0, [STANDING] = 0};
    for (unsigned i = 0; w->pulses && i < w->server->worker_count; i++)
        counts[pace_of(w, i)]++;
    bool nobody = is_nobody_serving(w);
    if (counts[STANDING])
        return complain(w, "a worker stands still outside of Lua");
    if (counts[IN_LUA] && !counts[MOVED] && nobody)
        return complain(w, "every worker is inside Lua, and nobody serves those who wait");
    w->complained = false;
    return true;
}

bool bq_watchdog_look(struct bq_watchdog *w)
{
    bool well = is_well(w);
    if (well)
        bq_notify_say(&w->server->notify, "WATCHDOG=1");
    return well;
}
