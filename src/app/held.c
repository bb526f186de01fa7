/* held.c: counts and logs calls into Lua that kept their worker for long. */
#include "app/held.h"

#include "base/clock.h"
#include "base/log.h"

#define LOG_INTERVAL_MS 10000

static void count(struct bq_tally *tally, const struct bq_absence_report *report)
{
    bq_counter_add(&tally->holds, 1);
    bq_counter_add(&tally->holds_ms, report->ms);
    bq_counter_add(&tally->moved, report->moved);
}

static bool is_due(uint64_t *logged_ms)
{
    uint64_t now_ms = bq_clock_ms();
    if (*logged_ms && now_ms - *logged_ms < LOG_INTERVAL_MS)
        return false;
    *logged_ms = now_ms;
    return true;
}

static void log_hold(const struct bq_app *app, const struct bq_tally *tally, const char *what,
                     const char *place, const struct bq_absence_report *report)
{
    bq_warn("%s (%s) held worker %u for %llu ms without yielding; connections that others took "
            "over: %u (since the start: %llu times, %llu ms)",
            what, place, app->env.worker, (unsigned long long)report->ms, report->moved,
            (unsigned long long)bq_counter_read(&tally->holds),
            (unsigned long long)bq_counter_read(&tally->holds_ms));
}

static void note_outside(struct bq_app *app, const char *what, const char *place,
                         const struct bq_absence_report *report)
{
    if (!app->outside)
        return;
    count(app->outside, report);
    if (is_due(&app->outside_held_logged_ms))
        log_hold(app, app->outside, what, place, report);
}

void bq_held_note(struct bq_call *call, const struct bq_absence_report *report)
{
    struct bq_app *app = call->app;
    char what[512];
    if (!call->route) {
        note_outside(app, "a request without a route", "middleware", report);
        return;
    }
    struct bq_route *route = &app->routes[call->route - app->routes];
    count(route->tally, report);
    if (!is_due(&route->held_logged_ms))
        return;
    snprintf(what, sizeof what, "%.*s %s", BQ_STR_ARG(call->ex->request.method_name), route->path);
    log_hold(app, route->tally, what, route->place, report);
}

void bq_held(void *arg, const struct bq_task *task, const struct bq_absence_report *report)
{
    struct bq_app *app = arg;
    struct bq_call *call = bq_dispatch_call_of(task);
    if (call)
        bq_held_note(call, report);
    else
        note_outside(app, "a function outside of requests", "a hook, timer, spawned or after",
                     report);
}
