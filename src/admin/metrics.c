/*
 * metrics.c: families of metrics, one after the other.
 *
 * Names follow Prometheus' conventions: base units, _total for what only grows, labels for what is
 * summed over. Tallies of one name, which each worker has, are added up: a series for each route
 * and worker would be many.
 */
#include "admin/metrics.h"

#include "admin/routes.h"

/* --- families and samples --- */

static void family(struct bq_buf *out, const char *name, const char *type, const char *help)
{
    bq_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* What stands between the quotes of a label: backslash, quote and newline are escaped. */
static void put_label(struct bq_buf *out, const char *name, bq_str value)
{
    bq_buf_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            bq_buf_append(out, BQ_STR("\\n"));
            continue;
        }
        if (value.p[i] == '\\' || value.p[i] == '"')
            bq_buf_push(out, '\\');
        bq_buf_push(out, value.p[i]);
    }
    bq_buf_push(out, '"');
}

static void put_number(struct bq_buf *out, uint64_t n)
{
    bq_buf_printf(out, " %llu\n", (unsigned long long)n);
}

static void put_seconds(struct bq_buf *out, double s)
{
    bq_buf_printf(out, " %.9g\n", s);
}

static void single(struct bq_buf *out, const char *name, const char *type, const char *help,
                   uint64_t n)
{
    family(out, name, type, help);
    bq_buf_append(out, bq_str_cstr(name));
    put_number(out, n);
}

static void single_seconds(struct bq_buf *out, const char *name, const char *type, const char *help,
                           double s)
{
    family(out, name, type, help);
    bq_buf_append(out, bq_str_cstr(name));
    put_seconds(out, s);
}

/* --- requests --- */

static void put_route(struct bq_buf *out, const char *family_name, const struct bq_route_shown *r)
{
    bq_buf_printf(out, "%s{", family_name);
    put_label(out, "route", r->name);
    bq_buf_push(out, ',');
    put_label(out, "method", r->kind);
}

static void put_requests(struct bq_buf *out, const struct bq_routes_shown *routes)
{
    static const char name[] = "barq_http_requests_total";
    family(out, name, "counter", "Answers, by route (\"unmatched\": none), method and status.");
    for (size_t i = 0; i < routes->count; i++) {
        const struct bq_route_shown *r = &routes->items[i];
        for (size_t k = 0; k < r->key_count; k++) {
            uint32_t method = r->keys[k].key / 1000, status = r->keys[k].key % 1000;
            bq_buf_printf(out, "%s{", name);
            put_label(out, "route", r->name);
            bq_buf_printf(out, ",method=\"%s\",status=\"%u\"}",
                          bq_method_name((enum bq_method)method), status);
            put_number(out, r->keys[k].count);
        }
    }
}

#define SHOWN_US_MAX 10000000

/* Of the bounds that the server keeps these are shown: a series for each. */
static bool is_shown(uint32_t bound_us)
{
    if (bound_us > SHOWN_US_MAX)
        return false;
    while (bound_us >= 100 && bound_us % 10 == 0)
        bound_us /= 10;
    return bound_us == 10 || bound_us == 25 || bound_us == 50;
}

static void put_buckets(struct bq_buf *out, const char *name, const char *labels, bq_str route,
                        bq_str method, const uint64_t counts[static BQ_HISTOGRAM_BUCKETS])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BQ_HISTOGRAM_BUCKETS; i++) {
        bool last = i == BQ_HISTOGRAM_BOUNDS;
        sum += counts[i];
        if (!last && !is_shown(bq_histogram_bounds[i]))
            continue;
        bq_buf_printf(out, "%s_bucket{%s", name, labels);
        if (route.n) {
            put_label(out, "route", route);
            bq_buf_push(out, ',');
            put_label(out, "method", method);
        }
        if (last)
            bq_buf_append(out, BQ_STR(",le=\"+Inf\"}"));
        else
            bq_buf_printf(out, ",le=\"%g\"}", bq_histogram_bounds[i] / 1e6);
        put_number(out, sum);
    }
}

static void put_durations(struct bq_buf *out, const struct bq_routes_shown *routes)
{
    static const char name[] = "barq_http_request_duration_seconds";
    family(out, name, "histogram",
           "From the end of a request's head to its answer, by route and its declared method.");
    for (size_t i = 0; i < routes->count; i++) {
        const struct bq_route_shown *r = &routes->items[i];
        if (!r->answers)
            continue;
        put_buckets(out, name, "", r->name, r->kind, r->buckets);
        put_route(out, "barq_http_request_duration_seconds_sum", r);
        bq_buf_push(out, '}');
        put_seconds(out, (double)r->us / 1e6);
        put_route(out, "barq_http_request_duration_seconds_count", r);
        bq_buf_push(out, '}');
        put_number(out, bq_route_shown_timed(r));
    }
}

static void put_by_route(struct bq_buf *out, const struct bq_routes_shown *routes, const char *name,
                         const char *help, size_t field, double unit)
{
    family(out, name, "counter", help);
    for (size_t i = 0; i < routes->count; i++) {
        const struct bq_route_shown *r = &routes->items[i];
        uint64_t n = *(const uint64_t *)((const char *)r + field);
        if (!n)
            continue;
        put_route(out, name, r);
        bq_buf_push(out, '}');
        put_seconds(out, (double)n * unit);
    }
}

static void put_routes(struct bq_buf *out, const struct bq_routes_shown *routes)
{
    put_requests(out, routes);
    put_durations(out, routes);
    put_by_route(out, routes, "barq_http_response_bytes_total",
                 "Bytes of the answers' bodies, by route.", offsetof(struct bq_route_shown, bytes),
                 1);
    put_by_route(out, routes, "barq_route_holds_total",
                 "Calls into Lua that kept their worker for so long that others took over.",
                 offsetof(struct bq_route_shown, holds), 1);
    put_by_route(out, routes, "barq_route_holds_seconds_total", "How long these were, in all.",
                 offsetof(struct bq_route_shown, holds_ms), 1e-3);
    put_by_route(out, routes, "barq_route_connections_moved_total",
                 "Connections that others took over meanwhile.",
                 offsetof(struct bq_route_shown, moved), 1);
}

/* --- workers --- */

struct worker_metric {
    const char *name, *type, *help;
    double (*value)(const struct bq_worker_shown *w);
};

#define VALUE(fn, expression)                         \
    static double fn(const struct bq_worker_shown *w) \
    {                                                 \
        return (double)(expression);                  \
    }
VALUE(serving, w->serving)
VALUE(connections, w->report.serve.open)
VALUE(accepted, w->report.serve.accepted)
VALUE(refused, w->report.serve.refused)
VALUE(in_flight, w->report.serve.busy)
VALUE(accept_pauses, w->report.serve.accept_pauses)
VALUE(lua_bytes, w->report.lua_bytes)
VALUE(lua_bytes_max, w->report.lua_bytes_max)
VALUE(collections, w->report.collections)
VALUE(pauses, w->report.pauses)
VALUE(pause_s, (double)w->report.pause_ns / 1e9)
VALUE(pause_max_s, (double)w->report.pause_ns_max / 1e9)
VALUE(in_lua, (double)w->in_lua_ms / 1e3)
VALUE(coroutines, w->report.tasks)
VALUE(coroutines_idle, w->report.tasks_idle)
VALUE(coroutines_waiting, w->report.tasks_waiting)

static const struct worker_metric worker_metrics[] = {
    {"barq_worker_serving", "gauge", "1 if it serves, 0 while it loads or ends.", serving},
    {"barq_connections", "gauge", "Open connections.", connections},
    {"barq_connections_accepted_total", "counter", "Connections accepted.", accepted},
    {"barq_http_requests_refused_total", "counter",
     "Requests that the server itself refused: malformed, too large, too slow.", refused},
    {"barq_http_requests_in_flight", "gauge", "Requests being read or answered.", in_flight},
    {"barq_accept_pauses_total", "counter",
     "How often accepting paused, at a limit of connections or descriptors.", accept_pauses},
    {"barq_lua_memory_bytes", "gauge", "What Lua holds.", lua_bytes},
    {"barq_lua_memory_limit_bytes", "gauge", "What Lua may hold; 0: no limit.", lua_bytes_max},
    {"barq_lua_collections_total", "counter", "Complete cycles of Lua's garbage collector.",
     collections},
    {"barq_lua_collector_pauses_total", "counter", "Its steps between requests.", pauses},
    {"barq_lua_collector_pause_seconds_total", "counter", "How long these were, in all.", pause_s},
    {"barq_lua_collector_pause_seconds_max", "gauge", "The longest of them since the start.",
     pause_max_s},
    {"barq_worker_in_lua_seconds", "gauge",
     "How long the call into Lua that it is inside of has lasted; 0: it is in none, or for a "
     "moment.",
     in_lua},
    {"barq_coroutines", "gauge", "Coroutines of the server's.", coroutines},
    {"barq_coroutines_idle", "gauge", "Those among them that are free for a request.",
     coroutines_idle},
    {"barq_coroutines_waiting", "gauge", "Those that wait inside a handler, hook or timer.",
     coroutines_waiting},
};

static void put_lags(struct bq_buf *out, const struct bq_snapshot *s)
{
    static const char name[] = "barq_event_loop_lag_seconds";
    family(out, name, "histogram",
           "How long a worker took to come to a job that it was given, once a second.");
    for (unsigned i = 0; i < s->worker_count; i++) {
        const struct bq_worker_shown *w = &s->workers[i];
        uint64_t counts[BQ_HISTOGRAM_BUCKETS], sum = 0;
        char label[32];
        for (size_t k = 0; k < BQ_HISTOGRAM_BUCKETS; k++)
            sum += counts[k] = bq_counter_read(&w->lags->buckets[k]);
        snprintf(label, sizeof label, "worker=\"%u\"", w->number);
        put_buckets(out, name, label, BQ_STR(""), BQ_STR(""), counts);
        bq_buf_printf(out, "%s_sum{%s}", name, label);
        put_seconds(out, (double)bq_counter_read(&w->lags->us) / 1e6);
        bq_buf_printf(out, "%s_count{%s}", name, label);
        put_number(out, sum);
    }
}

static void put_workers(struct bq_buf *out, const struct bq_snapshot *s)
{
    for (size_t m = 0; m < sizeof worker_metrics / sizeof *worker_metrics; m++) {
        const struct worker_metric *metric = &worker_metrics[m];
        family(out, metric->name, metric->type, metric->help);
        for (unsigned i = 0; i < s->worker_count; i++) {
            bq_buf_printf(out, "%s{worker=\"%u\"}", metric->name, s->workers[i].number);
            bq_buf_printf(out, " %.15g\n", metric->value(&s->workers[i]));
        }
    }
    put_lags(out, s);
}

/* --- the rest --- */

static void put_process(struct bq_buf *out, const struct bq_process_shown *p)
{
    single_seconds(out, "process_cpu_seconds_total", "counter", "Processor time, in all.",
                   p->cpu_user_s + p->cpu_system_s);
    single_seconds(out, "process_start_time_seconds", "gauge", "When it started, since the epoch.",
                   p->started_s);
    single(out, "process_resident_memory_bytes", "gauge", "Memory in use.", p->resident_bytes);
    single(out, "process_virtual_memory_bytes", "gauge", "Address space in use.", p->virtual_bytes);
    single(out, "process_threads", "gauge", "Threads.", p->threads);
    single(out, "process_open_fds", "gauge", "Open file descriptors.", p->descriptors);
    single(out, "process_max_fds", "gauge", "How many there may be.", p->descriptors_max);
}

static void put_server(struct bq_buf *out, const struct bq_snapshot *s)
{
    family(out, "barq_build_info", "gauge", "1, with the version.");
    bq_buf_printf(out, "barq_build_info{version=\"%s\"} 1\n", s->version);
    single(out, "barq_ready", "gauge", "1 if it serves, 0 while it starts or drains.",
           s->phase == BQ_ADMIN_SERVING);
    single(out, "barq_connections_moved_total", "counter",
           "Connections that were taken over from workers inside Lua.", s->connections_moved);
    single(out, "barq_standby_workers", "gauge", "Workers that were started for that.",
           s->standbys);
    single(out, "barq_reloads_total", "counter", "Reloads that took the new code.", s->reloads);
    single(out, "barq_reloads_failed_total", "counter", "Reloads that kept the old code.",
           s->reloads_failed);
    single(out, "barq_log_warnings_total", "counter", "Warnings in the log.", s->log_warnings);
    single(out, "barq_log_errors_total", "counter", "Errors in the log.", s->log_errors);
    single(out, "barq_access_log_dropped_total", "counter",
           "Lines of the access log that its reader was too slow for.", s->access_log_dropped);
    single(out, "barq_offload_threads", "gauge", "Threads of barq.offload.", s->offload_threads);
    single(out, "barq_offload_threads_idle", "gauge", "Those that have nothing to do.",
           s->offload_idle);
    single(out, "barq_offload_queued", "gauge", "Its functions that wait for a thread.",
           s->offload_queued);
    single(out, "barq_sqlite_statements_total", "counter", "Statements that came to their end.",
           s->sqlite.statements);
    single(out, "barq_sqlite_statements_failed_total", "counter", "Those that failed.",
           s->sqlite.failed);
    single(out, "barq_sqlite_statements_waited_total", "counter",
           "Those that were not done at once: for their turn, or on a helper thread.",
           s->sqlite.waited);
    single_seconds(out, "barq_sqlite_statements_waited_seconds_total", "counter",
                   "How long these took, in all.", (double)s->sqlite.waited_us / 1e6);
}

void bq_metrics_write(struct bq_buf *out, const struct bq_snapshot *s)
{
    struct bq_routes_shown routes;
    if (!bq_routes_shown_init(&routes, s)) {
        out->failed = true;
        return;
    }
    put_routes(out, &routes);
    put_workers(out, s);
    put_server(out, s);
    put_process(out, &s->process);
    bq_routes_shown_release(&routes);
}
