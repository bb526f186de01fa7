/* dispatch.c: the loop over a call's steps, and the four entry points that serve calls. */
#include "app/dispatch.h"

#include "app/cut.h"
#include "app/failure.h"
#include "app/opening.h"
#include "app/prepare.h"
#include "app/reply.h"
#include "app/request.h"
#include "app/unrouted.h"
#include "base/rc.h"
#include "vm/cancel.h"

static void run(struct bq_call *call);
static void step_route(struct bq_call *call);
static void step_depends(struct bq_call *call);
static void step_result(struct bq_call *call);
static void close_abandoned(struct bq_call *call);

static void begin_call(struct bq_call *call, struct bq_app *app, struct bq_exchange *ex)
{
    call->app = app;
    call->ex = ex;
    call->route = NULL;
    call->task = call->outer = NULL;
    call->deadline.node = (struct bq_node){0};
    call->cut = LUA_NOREF;
    call->handle = BQ_HANDLE_NONE;
    call->after = call->values = LUA_NOREF;
    call->step = BQ_STEP_ROUTE;
    call->begun = call->inner = call->in_next = call->input_read = call->queues = call->failing =
        call->close_failed = false;
    call->opened = 0;
    call->status = 0;
    call->detail = BQ_STR(""); /* one from the other would be read while it is being written */
    call->allow = BQ_STR("");
    call->location = BQ_STR("");
    call->saved = NULL;
}

struct bq_verdict bq_dispatch_head(void *self, struct bq_exchange *ex)
{
    struct bq_app *app = self;
    struct bq_verdict verdict = {app->options.body_bytes_max, false};
    struct bq_call *call = bq_arena_alloc(&ex->arena, sizeof *call);
    ex->app = call;
    ex->tally = NULL;
    if (!call)
        return verdict;
    begin_call(call, app, ex);
    call->outcome = bq_router_match(app->router, ex->request.method, ex->request.path, &ex->arena,
                                    &call->match);
    if (call->outcome == BQ_MATCH_FOUND) {
        call->route = &app->routes[call->match.route];
        ex->tally = call->route->tally;
        verdict.body_bytes_max = call->route->body_bytes_max;
        verdict.wants_body = true;
    }
    return verdict;
}

void bq_dispatch_abandon(void *self, struct bq_exchange *ex)
{
    struct bq_call *call = ex->app;
    (void)self;
    if (!call)
        return;
    struct bq_app *app = call->app;
    /* The call goes with the exchange's arena: neither a waiting task nor a req may find it. */
    bq_timer_clear(bq_loop_wheel(app->loop), &call->deadline);
    if (call->task && call->task->waiting)
        bq_task_drop(call->task);
    close_abandoned(call);
    if (call->outer)
        bq_task_drop(call->outer);
    luaL_unref(app->vm->L, LUA_REGISTRYINDEX, call->values);
    bq_handle_revoke(&app->handles, call->handle);
    luaL_unref(app->vm->L, LUA_REGISTRYINDEX, call->after);
    app->pending -= call->begun;
    ex->app = NULL;
}

void bq_dispatch_gone(void *self, struct bq_exchange *ex)
{
    struct bq_call *call = ex->app;
    (void)self;
    if (call && !(call->route && call->route->ignores_disconnect))
        bq_cut(call, call->app->refs.closed);
}

void bq_dispatch_request(void *self, struct bq_exchange *ex)
{
    static const struct bq_response no_memory = {.status = 503};
    struct bq_call *call = ex->app;
    (void)self;
    if (!call) {
        ex->sink->respond(ex, &no_memory);
        return;
    }
    call->begun = true;
    call->app->pending++;
    if (call->route && call->route->timeout_s > 0)
        bq_cut_begin_deadline(call);
    step_route(call);
}

/* --- ROUTE ------------------------------------------------------------------------------- */

static void step_route(struct bq_call *call)
{
    if (call->outcome == BQ_MATCH_FOUND) {
        bool chained = call->route->chain != LUA_NOREF;
        call->step = chained ? BQ_STEP_CHAIN : BQ_STEP_DEPENDS;
        (chained ? run : step_depends)(call);
        return;
    }
    call->status = bq_unrouted_status(call);
    if (call->app->refs.fallback == LUA_NOREF || call->status == 503 || call->status == 308) {
        bq_reply_status(call, call->status);
        return;
    }
    call->step = BQ_STEP_FALLBACK;
    run(call);
}

/* --- entering Lua: CHAIN, DEPENDS, HANDLER, FALLBACK, CLOSE --------------------------------- */

static void task_done(struct bq_task *task, enum bq_task_end end);

/* A task with the step's function and arguments on its stack, which may be none (then nothing is
 * to be called). NULL: the call has failed, and has gone on. */
static struct bq_task *prepare_task(struct bq_call *call)
{
    struct bq_task *task = bq_task_take(call->app->vm);
    if (!task) {
        bq_failure_memory(call);
        return NULL;
    }
    call->task = task;
    if (bq_prepare(call, task) == 0)
        return task;
    /* A lack of memory, or what a schema's check or the application's hooks raise. */
    call->step = BQ_STEP_ERROR;
    run(call);
    bq_task_give(task);
    return NULL;
}

static void start_with(struct bq_call *call, struct bq_task *task, int nargs)
{
    if (call->cut != LUA_NOREF && call->step != BQ_STEP_ERROR && call->step != BQ_STEP_CLOSE)
        bq_task_cancel(task, call->cut, false);
    task->cause = call->ex->tally;
    bq_task_start(task, nargs, task_done, call);
}

static void start_task(struct bq_call *call, struct bq_task *task)
{
    start_with(call, task, lua_gettop(task->L) - 1);
}

static void enter(struct bq_call *call)
{
    struct bq_task *task = prepare_task(call);
    if (task)
        start_task(call, task);
}

/* The input is refused: 422, 400 or 415. */
static void refuse(struct bq_call *call)
{
    if (call->inner || bq_failure_has_voice(call)) {
        call->step = BQ_STEP_ERROR;
        run(call);
        return;
    }
    bq_reply_refusal(call);
}

/* What the handler returns goes straight into an answer, or to the schema that it must fit. */
static bool takes_rows(const struct bq_call *call)
{
    return !call->inner || call->route->returns;
}

static void step_handler(struct bq_call *call)
{
    const struct bq_route *route = call->route;
    struct bq_task *task;
    if (!route->takes_request && !route->input) {
        task = bq_task_take(call->app->vm);
        if (!task) {
            bq_failure_memory(call);
            return;
        }
        call->task = task;
        lua_rawgeti(task->L, LUA_REGISTRYINDEX, route->handler);
        task->takes_rows = takes_rows(call);
        start_with(call, task, 0);
        return;
    }
    task = prepare_task(call);
    if (task && call->status) {
        refuse(call);
        bq_task_give(task);
    } else if (task) {
        task->takes_rows = takes_rows(call);
        start_task(call, task);
    }
}

/* --- DEPENDS ------------------------------------------------------------------------------ */

/* Reads the input before the first provider. False: the call has gone on otherwise. */
static bool begin_depends(struct bq_call *call)
{
    if (call->values != LUA_NOREF && (call->input_read || !call->route->input))
        return true;
    struct bq_task *task = prepare_task(call);
    if (!task)
        return false;
    bool refused = call->status != 0;
    if (refused)
        refuse(call); /* the call is gone */
    bq_task_give(task);
    return !refused;
}

struct keeping {
    struct bq_call *call;
    struct bq_provider *provider;
};

static void reserve_worker_value(lua_State *L, void *arg)
{
    const struct keeping *k = arg;
    bq_worker_value_reserve(L, k->call->app, k->provider);
}

/* Opens the next provider, or waits while another is at it already. */
static void open_provider(struct bq_call *call, struct bq_provider *provider)
{
    struct keeping keeping = {call, provider};
    call->queues = provider->opener;
    if (provider->worker && !call->queues &&
        bq_vm_protect(call->app->vm, reserve_worker_value, &keeping) != BQ_OK) {
        bq_failure_memory(call);
        return;
    }
    struct bq_task *task = prepare_task(call);
    if (!task)
        return;
    if (provider->worker && !call->queues)
        bq_opening_begin(provider, task);
    start_task(call, task);
}

static void step_depends(struct bq_call *call)
{
    const struct bq_plan *plan = call->route->plan;
    if (plan && !begin_depends(call))
        return;
    while (plan && call->opened < plan->count) {
        struct bq_provider *provider = plan->providers[call->opened];
        int slot = (int)call->opened + 1;
        if (!provider->worker || !bq_worker_value_take(call->app->vm->L, call, provider, slot)) {
            open_provider(call, provider);
            return;
        }
        call->opened++;
    }
    call->step = BQ_STEP_HANDLER;
    step_handler(call);
}

static void keep_worker_value(lua_State *L, void *arg)
{
    struct keeping *k = arg;
    bq_value_push(L, k->call, (int)k->call->opened + 1);
    bq_worker_value_keep(L, k->call->app, k->provider);
}

static void provider_opened(struct bq_call *call)
{
    lua_State *L = call->task->L;
    struct bq_provider *provider = call->route->plan->providers[call->opened];
    struct keeping keeping = {call, provider};
    int rc = BQ_OK;
    lua_settop(L, 1);
    if (provider->worker && lua_isnil(L, 1)) { /* nil would be opened again by each request */
        lua_settop(L, 0);
        lua_pushboolean(L, 0);
    }
    bq_value_set(L, call, (int)call->opened + 1);
    if (provider->worker)
        rc = bq_vm_protect(call->app->vm, keep_worker_value, &keeping);
    if (rc == BQ_OK) {
        call->opened++;
        run(call);
    } else {
        bq_failure_memory(call);
    }
}

/* Opened, or waited for. */
static void provider_done(struct bq_call *call, bool failed)
{
    if (!failed && !call->queues) {
        provider_opened(call);
        return;
    }
    if (failed)
        call->step = BQ_STEP_ERROR;
    run(call);
}

/* --- RESULT and CLOSE --------------------------------------------------------------------- */

/* What a task's end leads to. */
static void task_done(struct bq_task *task, enum bq_task_end end)
{
    struct bq_call *call = task->arg;
    if (end == BQ_TASK_DROPPED)
        return; /* bq_dispatch_abandon has its reasons, or the vm is going */
    call->task = task;
    if (call->step == BQ_STEP_DEPENDS) {
        provider_done(call, end != BQ_TASK_DONE);
        return;
    }
    if (call->step == BQ_STEP_CLOSE) {
        if (end == BQ_TASK_ERROR) {
            call->close_failed = true;
            bq_failure_log_raised(call, "a dependency's close failed: ");
            bq_failure_tell_close(call);
        }
    } else if (end == BQ_TASK_DONE) {
        call->step = BQ_STEP_RESULT;
        step_result(call);
        return;
    } else {
        call->step = BQ_STEP_ERROR;
    }
    run(call);
}

struct bq_call *bq_dispatch_call_of(const struct bq_task *task)
{
    return task->done == task_done ? task->arg : NULL;
}

/* Whether the next to be closed has a close; the others are passed over. */
static struct bq_provider *next_to_close(struct bq_call *call)
{
    const struct bq_plan *plan = call->route ? call->route->plan : NULL;
    while (plan && call->opened) {
        struct bq_provider *provider = plan->providers[call->opened - 1];
        if (!provider->worker && provider->close != LUA_NOREF)
            return provider;
        call->opened--;
    }
    return NULL;
}

/* Leaves Lua's answer to next(): at once if it is on the C stack, else by waking it. */
static void leave(struct bq_call *call)
{
    struct bq_task *outer = call->outer;
    call->inner = false;
    call->outer = NULL;
    call->task = outer;
    call->step = BQ_STEP_CHAIN;
    call->cut = outer->error; /* what was cut may have been next() alone, by a timeout around it */
    if (call->close_failed)
        bq_failure_set_plain(call);
    if (call->in_next)
        return;
    for (int slot = BQ_VALUE_FIRST; slot >= BQ_VALUE_THIRD; slot--)
        bq_value_push(outer->L, call, slot);
    bq_task_wake(outer, 3);
}

static void conclude(struct bq_call *call)
{
    if (call->inner)
        leave(call);
    else if (call->close_failed)
        bq_reply_send_status(call, 500);
    else
        bq_reply_send(call, call->saved);
}

/* Calls close(value, error) of the provider that was opened last, which needs no memory: it must
 * happen whatever happened. False: it cannot. */
static bool start_close(struct bq_call *call, const struct bq_provider *provider, bq_task_fn done)
{
    int slot = (int)call->opened--;
    struct bq_task *task = bq_task_take(call->app->vm);
    if (!task) /* once more: taking collects the garbage of what has failed for want of memory */
        task = bq_task_take(call->app->vm);
    if (!task) {
        bq_failure_log(call, "a dependency was not closed: out of memory");
        bq_failure_tell_close(call);
        call->close_failed = true;
        return false;
    }
    call->task = task;
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, provider->close);
    bq_value_push(task->L, call, slot);
    bq_value_push(task->L, call, BQ_VALUE_ERROR);
    if (lua_isboolean(task->L, -1)) {
        lua_pop(task->L, 1);
        lua_pushnil(task->L);
    }
    task->cause = call->ex->tally;
    bq_task_start(task, 2, done, call);
    return true;
}

static void step_close(struct bq_call *call)
{
    struct bq_provider *provider = next_to_close(call);
    if (!provider)
        conclude(call);
    else if (!start_close(call, provider, task_done))
        run(call);
}

static void abandoned_closed(struct bq_task *task, enum bq_task_end end)
{
    struct bq_call *call = task->arg;
    if (end == BQ_TASK_ERROR)
        bq_failure_log_raised(call, "a dependency's close failed: ");
    call->task = NULL;
}

/* The server ends, and does not wait any longer: for a close neither. */
static void close_abandoned(struct bq_call *call)
{
    struct bq_provider *provider;
    bq_failure_tell_close(call);
    while ((provider = next_to_close(call))) {
        if (!start_close(call, provider, abandoned_closed) || !call->task)
            continue;
        bq_failure_log(call, "a dependency's close was cut off: it waits, and the server ends");
        bq_task_drop(call->task);
    }
}

static void begin_close(struct bq_call *call)
{
    call->step = BQ_STEP_CLOSE;
    run(call);
}

void bq_dispatch_finish(struct bq_call *call, const struct bq_response *response)
{
    if (call->inner) { /* a failure that Lua could not be told in detail */
        bq_failure_set_plain(call);
        begin_close(call);
    } else if (next_to_close(call)) {
        call->saved = bq_reply_save(call, response);
        if (!call->saved) {
            call->close_failed = true;
            bq_failure_tell_close(call);
        }
        begin_close(call);
    } else {
        bq_reply_send(call, response);
    }
}

/* Below middleware: what next() returns is kept, encoded if the route says how. */
static void keep_result(struct bq_call *call)
{
    char error[512];
    int rc = bq_reply_keep(call, error);
    if (rc == BQ_MEMORY) {
        bq_failure_memory(call);
        return;
    }
    if (rc != BQ_OK) {
        bq_failure_log(call, error);
        bq_failure_set_plain(call);
    }
    begin_close(call);
}

static void step_result(struct bq_call *call)
{
    struct bq_response response;
    char error[512];
    if (call->inner) {
        keep_result(call);
        return;
    }
    int rc = bq_reply_read(call, &response, error);
    if (rc == BQ_OK) {
        bq_dispatch_finish(call, &response);
        return;
    }
    if (rc == BQ_MEMORY) {
        bq_failure_memory(call);
        return;
    }
    bq_failure_log(call, error);
    bq_failure_tell_close(call);
    if (call->failing || !call->app->has_error_handlers) {
        bq_reply_status(call, 500);
        return;
    }
    call->status = 500;
    call->step = BQ_STEP_ERROR;
    run(call);
}

static void step_error(struct bq_call *call)
{
    if (call->inner) {
        bq_failure_keep(call);
        begin_close(call);
        return;
    }
    struct bq_task *next = bq_failure_prepare(call);
    if (!next)
        return;
    call->task = next;
    start_task(call, next);
}

/* One step; it takes care that the next one runs, now or when its task ends. */
static void run(struct bq_call *call)
{
    switch (call->step) {
    case BQ_STEP_ROUTE:
        step_route(call);
        break;
    case BQ_STEP_CHAIN:
    case BQ_STEP_FALLBACK:
        enter(call);
        break;
    case BQ_STEP_DEPENDS:
        step_depends(call);
        break;
    case BQ_STEP_HANDLER:
        step_handler(call);
        break;
    case BQ_STEP_ERROR:
        step_error(call);
        break;
    case BQ_STEP_RESULT:
        step_result(call);
        break;
    case BQ_STEP_CLOSE:
        step_close(call);
        break;
    }
}

/* --- next() ------------------------------------------------------------------------------- */

static void begin_inner(lua_State *L, struct bq_call *call, struct bq_task *outer)
{
    luaL_unref(L, LUA_REGISTRYINDEX, call->values);
    call->values = LUA_NOREF;
    bq_values_make(L, call, 1);
    call->outer = outer;
    call->inner = true;
    call->input_read = call->close_failed = false;
    call->opened = 0;
    call->status = 0;
    call->step = BQ_STEP_DEPENDS;
}

int bq_dispatch_enter(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    struct bq_call *call = bq_request_check(L, app, 1);
    struct bq_task *outer = bq_task_running(L, "next");
    if (outer->L != L)
        return luaL_error(L, "next: the middleware itself calls it, not a coroutine of its own");
    if (call->inner)
        return luaL_error(L, "next: the request is being handled already");
    if (call->step != BQ_STEP_CHAIN || call->task != outer)
        return luaL_error(L, "next: only the middleware of this request can go on with it, and "
                             "only until it returns");
    begin_inner(L, call, outer);
    call->in_next = true;
    run(call);
    call->in_next = false;
    if (call->inner)
        return bq_task_wait_for(L, outer, bq_cut_below, call);
    for (int slot = BQ_VALUE_FIRST; slot >= BQ_VALUE_THIRD; slot--)
        bq_value_push(L, call, slot);
    return 3;
}
