/* held.c: counts and logs calls into Lua that kept their worker for long. */
#include "app/held.h"

#include "base/clock.h"
#include "base/log.h"

#define LOG_INTERVAL_MS 10000

static void count(struct bq_route_holds *holds, const struct bq_absence_report *report)
{
    bq_counter_add(&holds->count, 1);
    bq_counter_add(&holds->ms, report->ms);
    bq_counter_add(&holds->moved, report->moved);
}

static bool is_due(struct bq_route_holds *holds)
{
    uint64_t now_ms = bq_clock_ms();
    if (holds->logged_ms && now_ms - holds->logged_ms < LOG_INTERVAL_MS)
        return false;
    holds->logged_ms = now_ms;
    return true;
}

static void note(const struct bq_app *app, struct bq_route_holds *holds, const char *method,
                 const char *path, const char *place, const struct bq_absence_report *report)
{
    count(holds, report);
    if (!is_due(holds))
        return;
    bq_warn("%s%s (%s) held worker %u for %llu ms without yielding; connections that others took "
            "over: %u (since the start: %llu times, %llu ms)",
            method, path, place, app->env.worker, (unsigned long long)report->ms, report->moved,
            (unsigned long long)bq_counter_read(&holds->count),
            (unsigned long long)bq_counter_read(&holds->ms));
}

void bq_held_note(struct bq_call *call, const struct bq_absence_report *report)
{
    struct bq_app *app = call->app;
    if (!call->route) {
        note(app, &app->other_holds, "", "a request without a route", "middleware", report);
        return;
    }
    struct bq_route *route = &app->routes[call->route - app->routes];
    char method[16];
    snprintf(method, sizeof method, "%.*s ", BQ_STR_ARG(call->ex->request.method_name));
    note(app, &route->holds, method, route->path, route->place, report);
}

void bq_held(void *arg, const struct bq_task *task, const struct bq_absence_report *report)
{
    struct bq_app *app = arg;
    struct bq_call *call = bq_dispatch_call_of(task);
    if (call)
        bq_held_note(call, report);
    else
        note(app, &app->other_holds, "", "a function outside of requests",
             "a hook, timer, spawned or after", report);
}
