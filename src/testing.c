/* testing.c: the life of an application under test, and its one-request connections. */
#include "testing.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "modules.h"
#include "net/pair.h"
#include "net/transport.h"

#include <errno.h>
#include <stdio.h>

#define PIECE_BYTES     16384
#define OFFLOAD_STOP_MS 10000

struct bq_testing *bq_testing_new(void)
{
    struct bq_testing *t = bq_alloc_zero(sizeof *t);
    if (!t)
        return NULL;
    bq_config_init(&t->config);
    t->loop = bq_loop_new();
    t->stores = bq_stores_new();
    t->offload = bq_offload_new();
    if (t->loop && t->stores && t->offload)
        return t;
    bq_testing_free(t);
    return NULL;
}

int bq_testing_set(struct bq_testing *t, const char *name, bq_str value)
{
    return bq_config_set(&t->config, BQ_ORIGIN_COMMAND_LINE, bq_str_cstr(name), value, name,
                         &t->error);
}

/* --- start -------------------------------------------------------------------------------- */

static void open_modules(lua_State *L, void *arg)
{
    const struct bq_testing *t = arg;
    bq_modules_preload(L, &(struct bq_modules_env){.stores = t->stores, .offload = t->offload});
}

static void keep_report(void *arg, const char *text)
{
    struct bq_testing *t = arg;
    if (bq_buf_size(&t->report))
        bq_buf_push(&t->report, '\n');
    bq_buf_append(&t->report, bq_str_cstr(text));
}

static int freeze(struct bq_testing *t)
{
    const struct bq_app_options options = bq_config_app_options(&t->config);
    return bq_app_freeze(t->app, &options);
}

static int configure_offload(struct bq_testing *t, const char *path)
{
    /* With its NUL. */
    bq_str copy = bq_arena_dup(&t->config.arena, bq_str_of(path, strlen(path) + 1));
    if (!copy.p)
        return BQ_MEMORY;
    t->aside = (struct bq_aside){t->stores, copy.p, NULL};
    const struct bq_offload_options options = bq_aside_options(&t->aside, &t->config);
    bq_offload_configure(t->offload, &options);
    return BQ_OK;
}

static int load(struct bq_testing *t, const char *path)
{
    int rc = bq_app_load(t->app, path);
    if (rc == BQ_OK)
        rc = bq_config_read_app(&t->config, t->app, &t->error);
    if (rc == BQ_OK)
        rc = configure_offload(t, path);
    if (rc == BQ_OK)
        rc = freeze(t);
    if (rc == BQ_OK)
        rc = bq_app_run_hooks(t->app, "start");
    return rc == BQ_OK ? bq_app_run_hooks(t->app, "worker") : rc;
}

static int serve(struct bq_testing *t)
{
    const struct bq_serve_config config = {.limits = bq_config_serve_limits(&t->config),
                                           .request_id = t->config.request_id,
                                           .trust = bq_config_trust(&t->config)};
    const struct bq_handler handler = bq_app_handler(t->app);
    t->serve = bq_serve_new(t->loop, &config, &handler);
    return t->serve ? BQ_OK : BQ_MEMORY;
}

int bq_testing_start(struct bq_testing *t, struct bq_vm *host, const char *path)
{
    const struct bq_app_env env = {
        .open_modules = open_modules, .open_modules_arg = t, .version = BARQ_VERSION};
    int rc = BQ_MEMORY;
    t->vm = bq_guest_new(host, t->loop);
    if (!t->vm)
        return rc;
    bq_guest_enter(t->vm);
    t->app = bq_app_new_in(t->vm, &env);
    if (t->app) {
        bq_app_set_report(t->app, keep_report, t);
        rc = load(t, path);
    }
    if (rc == BQ_OK)
        rc = serve(t);
    if (t->app)
        bq_guest_leave(t->vm);
    else
        t->vm = NULL;
    return rc;
}

/* --- requests ----------------------------------------------------------------------------- */

/* As much as goes; the request shrinks. */
static int send_some(struct bq_transport *end, bq_str *request)
{
    while (request->n) {
        ssize_t n = end->ops->write(end, request->p, request->n);
        /* Who answers before it has read everything may have closed: the answer counts. */
        if (n == BQ_SYSTEM && errno == EPIPE)
            request->n = 0;
        if (n < 0)
            return n == BQ_AGAIN || request->n == 0 ? BQ_OK : (int)n;
        *request = bq_str_of(request->p + n, request->n - (size_t)n);
    }
    return BQ_OK;
}

/* Fails: BQ_AGAIN until the end of the answer is there. */
static int receive_some(struct bq_transport *end, struct bq_buf *answer)
{
    for (;;) {
        if (bq_buf_reserve(answer, PIECE_BYTES) != BQ_OK)
            return BQ_MEMORY;
        ssize_t n = end->ops->read(end, answer->data + answer->len, PIECE_BYTES);
        if (n == BQ_EOF || (n == BQ_SYSTEM && errno == ECONNRESET))
            return BQ_OK;
        if (n < 0)
            return (int)n;
        answer->len += (size_t)n;
    }
}

/* One turn, which waits no longer than until the deadline. Fails: BQ_LIMIT behind it. */
static int turn(struct bq_testing *t, uint64_t deadline_ms)
{
    uint64_t now = bq_clock_ms();
    if (now >= deadline_ms)
        return BQ_LIMIT;
    bq_loop_run_once(t->loop, (int)(deadline_ms - now));
    return BQ_OK;
}

static int converse(struct bq_testing *t, struct bq_transport *end, bq_str request,
                    struct bq_buf *answer, uint64_t deadline_ms)
{
    int rc = BQ_AGAIN;
    while (rc == BQ_AGAIN) {
        rc = send_some(end, &request);
        if (rc == BQ_OK)
            rc = turn(t, deadline_ms);
        if (rc == BQ_OK || rc == BQ_LIMIT) {
            int received = receive_some(end, answer);
            rc = received == BQ_AGAIN && rc == BQ_LIMIT ? BQ_LIMIT : received;
        }
    }
    return rc;
}

int bq_testing_exchange(struct bq_testing *t, bq_str request, uint32_t ms_max,
                        struct bq_buf *answer)
{
    const uint64_t deadline_ms = bq_clock_ms() + ms_max;
    struct bq_transport end;
    struct bq_peer peer;
    int fds[2];
    bq_buf_reset(&t->report);
    if (bq_pair_open(fds, &peer) != BQ_OK)
        return BQ_SYSTEM;
    bq_tcp_init(&end, fds[0]);
    bq_guest_enter(t->vm);
    int rc = bq_serve_adopt(t->serve, fds[1], &peer);
    if (rc == BQ_OK)
        rc = converse(t, &end, request, answer, deadline_ms);
    end.ops->close(&end, false);
    while (rc == BQ_OK && bq_app_pending(t->app) > 0 && turn(t, deadline_ms) == BQ_OK)
        ;
    bq_guest_leave(t->vm);
    return rc;
}

int bq_testing_turn(struct bq_testing *t, const bool *done, uint32_t ms_max)
{
    const uint64_t deadline_ms = bq_clock_ms() + ms_max;
    int rc = BQ_OK;
    while (!*done && rc == BQ_OK)
        rc = turn(t, deadline_ms);
    return rc;
}

int bq_testing_refreeze(struct bq_testing *t)
{
    if (bq_app_pending(t->app) > 0)
        return BQ_LIMIT;
    bq_buf_reset(&t->report);
    bq_guest_enter(t->vm);
    int rc = freeze(t);
    bq_guest_leave(t->vm);
    return rc;
}

/* --- the end ------------------------------------------------------------------------------ */

void bq_testing_stop(struct bq_testing *t)
{
    if (!t->app)
        return;
    bq_guest_enter(t->vm);
    if (t->serve) {
        bq_app_run_hooks(t->app, "drain");
        bq_serve_free(t->serve);
        t->serve = NULL;
        bq_app_run_hooks(t->app, "stop");
        bq_app_run_hooks(t->app, "close");
    }
    bq_guest_leave(t->vm);
    bq_app_free(t->app);
    t->app = NULL;
    t->vm = NULL;
}

void bq_testing_free(struct bq_testing *t)
{
    bq_testing_stop(t);
    if (t->offload && !bq_offload_stop(t->offload, bq_clock_ms() + OFFLOAD_STOP_MS)) {
        /* It may look at anything of this at any time. */
        bq_error("a function of barq.offload does not come to its end");
        return;
    }
    bq_loop_free(t->loop);
    bq_offload_free(t->offload);
    if (t->stores)
        bq_stores_free(t->stores);
    bq_buf_release(&t->report);
    bq_config_release(&t->config);
    bq_free(t);
}
