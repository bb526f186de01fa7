/*
 * page.c: from top to bottom: tiles, the last two minutes, routes, requests in flight, workers.
 *
 * Everything that comes from a client or an application passes put_text. Without script the page
 * loads itself anew; with it only the part that changes is fetched, and the reader's place stays.
 */
#include "admin/page.h"

#define REFRESH_S 2

/* --- text --- */

static void put(struct bq_buf *out, const char *html)
{
    bq_buf_append(out, bq_str_cstr(html));
}

/* Escaped for elements and for quoted attributes. Control characters become spaces: they have no
 * place in HTML. */
static void put_text(struct bq_buf *out, bq_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&')
            put(out, "&amp;");
        else if (c == '<')
            put(out, "&lt;");
        else if (c == '>')
            put(out, "&gt;");
        else if (c == '"')
            put(out, "&quot;");
        else if (c == '\'')
            put(out, "&#39;");
        else
            bq_buf_push(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
}

static void put_duration(struct bq_buf *out, double us)
{
    if (us < 0)
        put(out, "–");
    else if (us < 1000)
        bq_buf_printf(out, "%.0f µs", us);
    else if (us < 10e3)
        bq_buf_printf(out, "%.1f ms", us / 1e3);
    else if (us < 1e6)
        bq_buf_printf(out, "%.0f ms", us / 1e3);
    else if (us < 120e6)
        bq_buf_printf(out, "%.1f s", us / 1e6);
    else if (us < 7200e6)
        bq_buf_printf(out, "%.0f min", us / 60e6);
    else if (us < 48 * 3600e6)
        bq_buf_printf(out, "%.1f h", us / 3600e6);
    else
        bq_buf_printf(out, "%.1f days", us / 86400e6);
}

static void put_bytes(struct bq_buf *out, uint64_t n)
{
    if (n < 1024 * 1024)
        bq_buf_printf(out, "%.0f KiB", (double)n / 1024);
    else if (n < (uint64_t)1024 * 1024 * 1024)
        bq_buf_printf(out, "%.1f MiB", (double)n / (1024 * 1024));
    else
        bq_buf_printf(out, "%.2f GiB", (double)n / (1024 * 1024 * 1024));
}

static void put_rate(struct bq_buf *out, double per_s)
{
    if (per_s < 0.005)
        put(out, "0");
    else if (per_s < 10)
        bq_buf_printf(out, "%.2f", per_s);
    else if (per_s < 100)
        bq_buf_printf(out, "%.1f", per_s);
    else
        bq_buf_printf(out, "%.0f", per_s);
}

/* With spaces between the thousands (thin, and not to be broken at). */
static void put_count(struct bq_buf *out, uint64_t n)
{
    if (n >= 1000) {
        put_count(out, n / 1000);
        bq_buf_printf(out, "\u202f%03u", (unsigned)(n % 1000));
    } else {
        bq_buf_printf(out, "%u", (unsigned)n);
    }
}

/* --- tiles --- */

static void begin_tile(struct bq_buf *out, bool bad)
{
    bq_buf_printf(out, "<div class=\"tile%s\"><b>", bad ? " bad" : "");
}

static void end_tile(struct bq_buf *out, const char *name)
{
    bq_buf_printf(out, "</b><span>%s</span></div>\n", name);
}

static void put_tiles(struct bq_buf *out, const struct bq_page_facts *facts)
{
    const struct bq_recent_second *last = bq_recent_second(facts->recent, 0);
    const struct bq_recent_second none = {.p50_us = -1, .p99_us = -1};
    uint64_t open = 0, busy = 0;
    for (unsigned i = 0; i < facts->now->worker_count; i++) {
        open += facts->now->workers[i].report.serve.open;
        busy += facts->now->workers[i].report.serve.busy;
    }
    last = last ? last : &none;
    put(out, "<section class=\"tiles\">\n");
    begin_tile(out, false);
    put_rate(out, last->rate);
    end_tile(out, "requests a second");
    begin_tile(out, last->error_rate > 0);
    put_rate(out, last->error_rate);
    end_tile(out, "errors a second");
    begin_tile(out, false);
    put_duration(out, last->p50_us);
    end_tile(out, "median");
    begin_tile(out, false);
    put_duration(out, last->p99_us);
    end_tile(out, "99 % within");
    begin_tile(out, false);
    put_count(out, busy);
    end_tile(out, "in flight");
    begin_tile(out, false);
    put_count(out, open);
    end_tile(out, "connections");
    begin_tile(out, false);
    put_bytes(out, facts->now->process.resident_bytes);
    end_tile(out, "memory");
    begin_tile(out, false);
    bq_buf_printf(out, "%.2f", facts->cpu_share);
    end_tile(out, "processors in use");
    put(out, "</section>\n");
}

/* --- the last two minutes --- */

#define CHART_W 960
#define CHART_H 120

static double highest_rate(const struct bq_recent *recent)
{
    double highest = 1;
    const struct bq_recent_second *s;
    for (size_t ago = 0; (s = bq_recent_second(recent, ago)); ago++)
        highest = s->rate > highest ? s->rate : highest;
    return highest;
}

/* A bar for each second, the newest at the right, errors in front of it. */
static void put_chart(struct bq_buf *out, const struct bq_recent *recent)
{
    const double highest = highest_rate(recent), step = (double)CHART_W / BQ_RECENT_SECONDS;
    const struct bq_recent_second *s;
    bq_buf_printf(out,
                  "<figure><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
                  "aria-label=\"Requests a second in the last two minutes\">\n",
                  CHART_W, CHART_H);
    for (size_t ago = 0; (s = bq_recent_second(recent, ago)); ago++) {
        double x = CHART_W - (double)(ago + 1) * step;
        double h = s->rate / highest * CHART_H, e = s->error_rate / highest * CHART_H;
        if (h > 0)
            bq_buf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x,
                          CHART_H - h, step - 1, h);
        if (e > 0)
            bq_buf_printf(out,
                          "<rect class=\"bad\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.1f\"/>",
                          x, CHART_H - e, step - 1, e);
    }
    put(out, "</svg><figcaption><span>two minutes ago</span><span>highest: ");
    put_rate(out, highest);
    put(out, " requests a second</span><span>now</span></figcaption></figure>\n");
}

/* --- routes --- */

static void put_route(struct bq_buf *out, const struct bq_route_shown *r,
                      const struct bq_recent_route *recent)
{
    const struct bq_recent_route none = {0};
    recent = recent ? recent : &none;
    put(out, "<tr><td class=\"name\"><i>");
    put_text(out, r->kind);
    put(out, "</i> ");
    put_text(out, r->name);
    put(out, "</td><td>");
    put_rate(out, recent->rate);
    put(out, "</td><td>");
    put_duration(out, bq_histogram_quantile(recent->window, 0.5));
    put(out, "</td><td>");
    put_duration(out, bq_histogram_quantile(recent->window, 0.99));
    put(out, recent->error_rate >= 0.005 ? "</td><td class=\"bad\">" : "</td><td>");
    put_rate(out, recent->error_rate);
    put(out, "</td><td class=\"wide\">");
    put_count(out, r->answers);
    put(out, "</td><td class=\"wide\">");
    put_count(out, r->errors);
    put(out, "</td><td class=\"wide\">");
    if (r->holds) {
        put_count(out, r->holds);
        put(out, " × ");
        put_duration(out, (double)r->holds_ms * 1e3 / (double)r->holds);
    }
    put(out, "</td></tr>\n");
}

static void put_routes(struct bq_buf *out, const struct bq_page_facts *facts)
{
    size_t silent = 0;
    put(out, "<h2>Routes</h2>\n<table><thead><tr><th class=\"name\">Route</th><th>a second</th>"
             "<th>median</th><th>99 %</th><th>errors</th><th class=\"wide\">answers</th>"
             "<th class=\"wide\">errors in all</th><th class=\"wide\">held its worker</th></tr>"
             "</thead><tbody>\n");
    for (size_t i = 0; i < facts->routes->count; i++) {
        const struct bq_route_shown *r = &facts->routes->items[i];
        if (r->answers || r->holds)
            put_route(out, r, bq_recent_find(facts->recent, r->kind, r->name));
        else
            silent += r->kind.n > 0;
    }
    put(out, "</tbody></table>\n");
    if (silent)
        bq_buf_printf(out, "<p>%zu more route%s that nobody has asked for yet.</p>\n", silent,
                      silent == 1 ? "" : "s");
}

/* What a worker is inside Lua for. */
static void put_cause(struct bq_buf *out, const struct bq_worker_shown *w)
{
    if (!w->cause) {
        put(out, "a function outside of requests");
        return;
    }
    put(out, "<i>");
    put_text(out, w->cause->kind);
    put(out, "</i> ");
    put_text(out, w->cause->name);
}

/* --- requests in flight --- */

static void put_flight(struct bq_buf *out, const struct bq_flight_shown *f)
{
    put(out, "<tr><td>");
    put_duration(out, (double)f->age_us);
    put(out, "</td><td class=\"name\"><i>");
    put_text(out, bq_str_cstr(f->method));
    put(out, "</i> ");
    put_text(out, bq_str_cstr(f->target));
    put(out, "</td><td class=\"name\">");
    put_text(out, bq_str_cstr(f->where));
    put(out,
        f->gone ? " (its client has gone)</td><td class=\"wide\">" : "</td><td class=\"wide\">");
    put_text(out, bq_str_cstr(f->client));
    bq_buf_printf(out, "</td><td class=\"wide\">%u</td></tr>\n", f->worker);
}

/* What a worker is inside of belongs to it until it comes back: of that the name is known. */
static void put_running(struct bq_buf *out, const struct bq_worker_shown *w)
{
    put(out, "<tr><td>");
    put_duration(out, (double)w->in_lua_ms * 1e3);
    put(out, "</td><td class=\"name\">");
    put_cause(out, w);
    bq_buf_printf(out,
                  "</td><td class=\"name bad\">nothing: it computes or blocks</td>"
                  "<td class=\"wide\"></td><td class=\"wide\">%u</td></tr>\n",
                  w->number);
}

static unsigned count_held(const struct bq_snapshot *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->worker_count; i++)
        n += s->workers[i].in_lua_ms > 0;
    return n;
}

static void put_flights(struct bq_buf *out, const struct bq_snapshot *s)
{
    put(out, "<h2>In flight, the oldest first</h2>\n");
    if (!s->flight_count && !count_held(s)) {
        put(out, "<p>No request waits for its answer.</p>\n");
        return;
    }
    put(out, "<table><thead><tr><th>age</th><th class=\"name\">Request</th>"
             "<th class=\"name\">waits for</th><th class=\"wide\">client</th>"
             "<th class=\"wide\">worker</th></tr></thead><tbody>\n");
    for (unsigned i = 0; i < s->worker_count; i++)
        if (s->workers[i].in_lua_ms)
            put_running(out, &s->workers[i]);
    for (unsigned i = 0; i < s->flight_count; i++)
        put_flight(out, &s->flights[i]);
    put(out, "</tbody></table>\n");
}

/* --- workers --- */

static void put_holder(struct bq_buf *out, const struct bq_worker_shown *w)
{
    if (!w->in_lua_ms) {
        put(out, w->serving ? "" : "loads or ends");
        return;
    }
    put(out, "inside ");
    put_cause(out, w);
    put(out, " for ");
    put_duration(out, (double)w->in_lua_ms * 1e3);
}

static void put_worker(struct bq_buf *out, const struct bq_worker_shown *w, uint64_t now_us)
{
    const struct bq_worker_report *r = &w->report;
    bq_buf_printf(out, "<tr><td>%u%s</td><td>", w->number, w->standby ? " standby" : "");
    put_count(out, r->serve.busy);
    put(out, "</td><td>");
    put_count(out, r->serve.open);
    put(out, "</td><td class=\"wide\">");
    put_count(out, r->tasks_waiting);
    put(out, "</td><td>");
    put_bytes(out, r->lua_bytes);
    put(out, "</td><td class=\"wide\">");
    put_duration(out, r->pauses ? (double)r->pause_ns_max / 1e3 : -1);
    put(out, "</td><td class=\"wide\">");
    put_duration(out, r->at_us ? (double)r->lag_us : -1);
    put(out, "</td><td class=\"wide\">");
    put_duration(out, r->at_us && now_us > r->at_us ? (double)(now_us - r->at_us) : -1);
    put(out, w->in_lua_ms ? "</td><td class=\"name bad\">" : "</td><td class=\"name\">");
    put_holder(out, w);
    put(out, "</td></tr>\n");
}

static void put_workers(struct bq_buf *out, const struct bq_snapshot *s)
{
    put(out, "<h2>Workers</h2>\n<table><thead><tr><th>worker</th><th>in flight</th>"
             "<th>connections</th><th class=\"wide\">coroutines that wait</th><th>Lua memory</th>"
             "<th class=\"wide\">longest pause</th><th class=\"wide\">loop lag</th><th "
             "class=\"wide\">last seen</th>"
             "<th class=\"name\">held by</th></tr></thead><tbody>\n");
    for (unsigned i = 0; i < s->worker_count; i++)
        put_worker(out, &s->workers[i], s->now_us);
    put(out, "</tbody></table>\n");
}

/* --- the page --- */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6878;--line:#dfe4ea;--card:#f6f8fa;"
    "--bar:#2f7de1;--bad:#c62828;--page:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#93a0b2;--line:#2c3542;"
    "--card:#1a212b;--bar:#5b9ff0;--bad:#ff7b72;--page:#11161d}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1100px;padding:20px 16px 48px;background:var(--page);"
    "color:var(--ink);font:15px/1.45 system-ui,sans-serif}\n"
    "header{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline}\n"
    "h1{font-size:22px;margin:0}h2{font-size:16px;margin:28px 0 8px}\n"
    "header span,p,figcaption{color:var(--dim)}\n"
    "header span{overflow-wrap:anywhere}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(118px,1fr));gap:8px;"
    "margin:16px 0}\n"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px "
    "12px}\n"
    ".tile b{display:block;font-size:20px;font-weight:600;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}\n"
    ".tile span{color:var(--dim);font-size:13px}\n"
    "figure{margin:0}svg{display:block;width:100%;height:120px;background:var(--card);"
    "border:1px solid var(--line);border-radius:8px}\n"
    "a{color:inherit}rect{fill:var(--bar)}rect.bad{fill:var(--bad)}.bad{color:var(--bad)}\n"
    "figcaption{display:flex;justify-content:space-between;font-size:13px;gap:12px}\n"
    "table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:5px 0 5px 12px;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n"
    "th{color:var(--dim);font-weight:500;font-size:13px}\n"
    "td{white-space:nowrap}td.name{white-space:normal;overflow-wrap:anywhere}\n"
    ".name{text-align:left}th:first-child,td:first-child{padding-left:0}\n"
    "i{font-style:normal;color:var(--dim);font-size:13px}\n"
    "@media(max-width:640px){.wide{display:none}body{padding:14px 12px 32px;font-size:14px}"
    ".tiles{grid-template-columns:repeat(4,1fr);gap:6px}.tile{padding:7px 8px}"
    ".tile b{font-size:15px}.tile span{font-size:11px;line-height:1.2;display:block}"
    "svg{height:80px}th,td{padding-left:8px}}\n";

/* Fetched one after the other; a server that does not answer is said to be gone. */
static const char script[] =
    "const live=document.getElementById('live'),note=document.getElementById('note');\n"
    "async function look(){\n"
    "  try{\n"
    "    const r=await fetch('live',{cache:'no-store'});\n"
    "    if(!r.ok)throw new Error();\n"
    "    live.innerHTML=await r.text();note.textContent='';\n"
    "  }catch(e){note.textContent='The server does not answer.'}\n"
    "  setTimeout(look,document.hidden?5000:1000);\n"
    "}\n"
    "setTimeout(look,1000);\n";

static const char *phase_text(enum bq_admin_phase phase)
{
    switch (phase) {
    case BQ_ADMIN_STARTING:
        return "starting";
    case BQ_ADMIN_DRAINING:
        return "draining: it finishes what is in flight";
    default:
        return "serving";
    }
}

void bq_page_write_live(struct bq_buf *out, const struct bq_page_facts *facts)
{
    const struct bq_snapshot *s = facts->now;
    double up_s = (double)s->now_s - s->process.started_s;
    put(out, "<header><h1>barq</h1><span>");
    put_text(out, bq_str_cstr(s->app_path));
    bq_buf_printf(out, "</span><span>%s</span><span>up ", phase_text(s->phase));
    put_duration(out, up_s > 1 ? up_s * 1e6 : 1e6); /* now_s is whole seconds */
    bq_buf_printf(out, "</span><span>version %s</span></header>\n", s->version);
    put_tiles(out, facts);
    put_chart(out, facts->recent);
    put_routes(out, facts);
    put_flights(out, s);
    put_workers(out, s);
}

void bq_page_write(struct bq_buf *out, const struct bq_page_facts *facts)
{
    put(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    bq_buf_printf(out,
                  "<noscript><meta http-equiv=\"refresh\" content=\"%d\"></noscript>\n"
                  "<title>barq</title><link rel=\"icon\" href=\"data:,\">\n<style>\n",
                  REFRESH_S);
    put(out, style);
    put(out, "</style></head><body><main id=\"live\">\n");
    bq_page_write_live(out, facts);
    put(out, "</main><p id=\"note\" class=\"bad\"></p>\n"
             "<p>Also here: <a href=\"metrics\">metrics</a> for Prometheus, "
             "<a href=\"healthz\">healthz</a>, <a href=\"readyz\">readyz</a>.</p>\n<script>\n");
    put(out, script);
    put(out, "</script></body></html>\n");
}
