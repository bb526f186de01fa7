/* admin.c: the thread, its clock of a second, and the handler. */
#include "admin/admin.h"

#include "admin/metrics.h"
#include "admin/page.h"
#include "admin/process.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MS 1000

#define CSP                                                                                   \
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src " \
    "'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

struct bq_admin {
    struct bq_admin_source source;
    struct bq_loop *loop;
    struct bq_serve *serve;
    struct bq_timer timer;
    struct bq_job stop_job;
    struct bq_recent recent;
    double cpu_s,
        cpu_share; /* at the last look; processors in use between that and the one before */
    uint64_t looked_us;
    pthread_t thread;
};

/* --- looking ---------------------------------------------------------------------------------- */

static void look(struct bq_admin *a, struct bq_snapshot *out, bool flights)
{
    a->source.look(a->source.self, out, flights);
    bq_process_look(&out->process);
}

static void note_cpu(struct bq_admin *a, const struct bq_snapshot *s)
{
    double cpu_s = s->process.cpu_user_s + s->process.cpu_system_s;
    if (a->looked_us && s->now_us > a->looked_us)
        a->cpu_share = (cpu_s - a->cpu_s) / ((double)(s->now_us - a->looked_us) / 1e6);
    a->cpu_s = cpu_s;
    a->looked_us = s->now_us;
}

static void on_timer(struct bq_timer *timer)
{
    struct bq_admin *a = BQ_CONTAINER(timer, struct bq_admin, timer);
    struct bq_routes_shown routes;
    struct bq_snapshot s;
    look(a, &s, false);
    note_cpu(a, &s);
    if (bq_routes_shown_init(&routes, &s)) {
        bq_recent_look(&a->recent, &routes, s.now_us);
        bq_routes_shown_release(&routes);
    }
    bq_timer_set(bq_loop_wheel(a->loop), timer, bq_loop_fresh_ms() + LOOK_MS);
}

/* --- answering -------------------------------------------------------------------------------- */

struct answer {
    int status;
    const char *type;
    struct bq_buf body;
};

typedef void (*answer_fn)(struct bq_admin *a, struct answer *out);

static void answer_metrics(struct bq_admin *a, struct answer *out)
{
    struct bq_snapshot s;
    look(a, &s, false);
    out->type = BQ_METRICS_TYPE;
    bq_metrics_write(&out->body, &s);
}

static void write_page(struct bq_admin *a, struct answer *out,
                       void (*write)(struct bq_buf *out, const struct bq_page_facts *facts))
{
    struct bq_routes_shown routes;
    struct bq_snapshot s;
    look(a, &s, true);
    out->type = "text/html; charset=utf-8";
    if (!bq_routes_shown_init(&routes, &s)) {
        out->body.failed = true;
        return;
    }
    const struct bq_page_facts facts = {&s, &routes, &a->recent, a->cpu_share};
    write(&out->body, &facts);
    bq_routes_shown_release(&routes);
}

static void answer_page(struct bq_admin *a, struct answer *out)
{
    write_page(a, out, bq_page_write);
}

static void answer_live(struct bq_admin *a, struct answer *out)
{
    write_page(a, out, bq_page_write_live);
}

static void answer_health(struct bq_admin *a, struct answer *out)
{
    char why[BQ_ADMIN_WHY_MAX] = "";
    bool alive = a->source.is_alive(a->source.self, why);
    out->status = alive ? 200 : 503;
    bq_buf_printf(&out->body, "%s\n", alive ? "ok" : why);
}

static void answer_readiness(struct bq_admin *a, struct answer *out)
{
    enum bq_admin_phase phase = a->source.phase(a->source.self);
    out->status = phase == BQ_ADMIN_SERVING ? 200 : 503;
    bq_buf_printf(&out->body, "%s\n",
                  phase == BQ_ADMIN_SERVING    ? "ready"
                  : phase == BQ_ADMIN_STARTING ? "starting"
                                               : "draining");
}

static const struct {
    const char *path;
    answer_fn fn;
} pages[] = {
    {"/", answer_page},          {"/live", answer_live},        {"/metrics", answer_metrics},
    {"/healthz", answer_health}, {"/readyz", answer_readiness},
};

static answer_fn find_page(bq_str path)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (bq_str_eq(path, bq_str_cstr(pages[i].path)))
            return pages[i].fn;
    return NULL;
}

static void respond(struct bq_exchange *ex, struct answer *out)
{
    static const struct bq_field fields[] = {
        {{"Cache-Control", 13}, {"no-store", 8}},
        {{"Content-Security-Policy", 23}, {CSP, sizeof CSP - 1}},
        {{"X-Content-Type-Options", 22}, {"nosniff", 7}},
        {{"Allow", 5}, {"GET, HEAD", 9}}, /* only for 405 */
    };
    struct bq_response r = {
        .status = out->status,
        .content_type = bq_str_cstr(out->type),
        .fields = fields,
        .field_count = out->status == 405 ? 4 : 3,
        .body = bq_buf_str(&out->body),
    };
    if (out->body.failed)
        r = (struct bq_response){.status = 503};
    ex->sink->respond(ex, &r);
    bq_buf_release(&out->body);
}

static struct bq_verdict on_head(void *self, struct bq_exchange *ex)
{
    (void)self;
    (void)ex;
    return (struct bq_verdict){0, false};
}

static void on_request(void *self, struct bq_exchange *ex)
{
    struct answer out = {200, "text/plain; charset=utf-8", BQ_BUF_INIT};
    answer_fn fn = find_page(ex->request.path);
    if (!fn) {
        out.status = 404;
        bq_buf_printf(&out.body, "There is /, /metrics, /healthz and /readyz.\n");
    } else if (ex->request.method != BQ_GET && ex->request.method != BQ_HEAD) {
        out.status = 405;
        bq_buf_printf(&out.body, "GET it.\n");
    } else {
        fn(self, &out);
    }
    respond(ex, &out);
}

/* Every answer is given at once. */
static void ignore(void *self, struct bq_exchange *ex)
{
    (void)self;
    (void)ex;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void on_stop(struct bq_job *job)
{
    bq_loop_stop(BQ_CONTAINER(job, struct bq_admin, stop_job)->loop);
}

static void *run(void *arg)
{
    struct bq_admin *a = arg;
    bq_timer_set(bq_loop_wheel(a->loop), &a->timer, bq_loop_fresh_ms());
    bq_loop_run(a->loop);
    bq_timer_clear(bq_loop_wheel(a->loop), &a->timer);
    return NULL;
}

static void release(struct bq_admin *a)
{
    if (a->serve)
        bq_serve_free(a->serve);
    bq_loop_free(a->loop);
    bq_recent_release(&a->recent);
    bq_free(a);
}

static bool open_serve(struct bq_admin *a)
{
    static const struct bq_serve_config config = {
        .limits = {.h1 = {.line_bytes_max = 2048, .head_bytes_max = 8192, .fields_max = 64},
                   .head_ms_max = 5000,
                   .body_ms_max = 5000,
                   .idle_ms_max = 120000, /* scrapers come every minute or so */
                   .write_ms_max = 10000,
                   .connections_max = 64},
    };
    const struct bq_handler handler = {a, on_head, on_request, ignore, ignore};
    a->loop = bq_loop_new();
    a->serve = a->loop ? bq_serve_new(a->loop, &config, &handler) : NULL;
    return a->serve != NULL;
}

struct bq_admin *bq_admin_start(int fd, const struct bq_admin_source *source)
{
    struct bq_admin *a = bq_alloc_zero(sizeof *a);
    int error = ENOMEM;
    if (a) {
        a->source = *source;
        a->timer.fn = on_timer;
        a->stop_job.fn = on_stop;
    }
    if (!a || !open_serve(a) || bq_serve_listen(a->serve, fd, false) != BQ_OK) {
        error = errno ? errno : error;
        close(fd);
    } else if ((error = bq_thread_start(&a->thread, "barq-admin", 0, run, a)) == 0) {
        return a;
    }
    if (a)
        release(a);
    errno = error;
    return NULL;
}

void bq_admin_stop(struct bq_admin *a)
{
    if (!a)
        return;
    bq_loop_post(a->loop, &a->stop_job);
    pthread_join(a->thread, NULL);
    release(a);
}
