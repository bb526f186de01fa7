/* dispatch.c: the loop over a call's steps, and the four entry points that serve calls. */
#include "app/dispatch.h"

#include "app/failure.h"
#include "app/reply.h"
#include "app/request.h"
#include "base/log.h"
#include "base/rc.h"

static void run(struct bq_call *call);

static void begin_call(struct bq_call *call, struct bq_app *app, struct bq_exchange *ex)
{
    call->app = app;
    call->ex = ex;
    call->route = NULL;
    call->task = NULL;
    call->handle = BQ_HANDLE_NONE;
    call->after = LUA_NOREF;
    call->step = BQ_STEP_ROUTE;
    call->failing = false;
    call->status = 0;
    call->allow = call->location = BQ_STR("");
    app->pending++;
}

struct bq_verdict bq_dispatch_head(void *self, struct bq_exchange *ex)
{
    struct bq_app *app = self;
    struct bq_verdict verdict = {app->options.body_bytes_max, false};
    struct bq_call *call = bq_arena_alloc(&ex->arena, sizeof *call);
    ex->app = call;
    if (!call)
        return verdict;
    begin_call(call, app, ex);
    call->outcome = bq_router_match(app->router, ex->request.method, ex->request.path, &ex->arena,
                                    &call->match);
    if (call->outcome == BQ_MATCH_FOUND) {
        call->route = &app->routes[call->match.route];
        verdict.body_bytes_max = call->route->body_bytes_max;
        verdict.wants_body = true;
    }
    return verdict;
}

void bq_dispatch_abandon(void *self, struct bq_exchange *ex)
{
    struct bq_app *app = self;
    struct bq_call *call = ex->app;
    if (!call)
        return;
    /* The call goes with the exchange's arena: neither a waiting task nor a req may find it. */
    if (call->task)
        bq_task_drop(call->task);
    bq_handle_revoke(&app->handles, call->handle);
    luaL_unref(app->vm->L, LUA_REGISTRYINDEX, call->after);
    app->pending--;
    ex->app = NULL;
}

void bq_dispatch_gone(void *self, struct bq_exchange *ex)
{
    /* The handler goes on to its end: what it began (a write, a payment) is not left half done. */
    (void)self;
    (void)ex;
}

void bq_dispatch_request(void *self, struct bq_exchange *ex)
{
    static const struct bq_response no_memory = {.status = 503};
    (void)self;
    if (ex->app)
        run(ex->app);
    else
        ex->sink->respond(ex, &no_memory);
}

/* --- ROUTE ------------------------------------------------------------------------------- */

static bq_str allow_text(struct bq_call *call, uint32_t allow)
{
    struct bq_buf text = BQ_BUF_INIT;
    bq_str copy = BQ_STR("");
    if (bq_allow_write(&text, allow) == BQ_OK)
        copy = bq_arena_dup(&call->ex->arena, bq_buf_str(&text));
    bq_buf_release(&text);
    return copy;
}

/* The path with its trailing slash added or taken away, if a route has that. */
static bool find_slash_variant(struct bq_call *call)
{
    struct bq_request *r = &call->ex->request;
    bool slashed = r->path.n > 1 && r->path.p[r->path.n - 1] == '/';
    size_t path_bytes = slashed ? r->path.n - 1 : r->path.n + 1;
    char *text = bq_arena_alloc(&call->ex->arena, path_bytes + r->query.n + 1);
    if (!text || r->path.n < 2)
        return false;
    memcpy(text, r->path.p, slashed ? path_bytes : r->path.n);
    if (!slashed)
        text[path_bytes - 1] = '/';
    if (bq_router_match(call->app->router, r->method, bq_str_of(text, path_bytes), &call->ex->arena,
                        &call->match) != BQ_MATCH_FOUND)
        return false;
    size_t n = path_bytes;
    if (r->query.p) {
        text[n++] = '?';
        memcpy(text + n, r->query.p, r->query.n);
        n += r->query.n;
    }
    call->location = bq_str_of(text, n);
    return true;
}

static int status_without_route(struct bq_call *call)
{
    const struct bq_request *r = &call->ex->request;
    switch (call->outcome) {
    case BQ_MATCH_METHOD:
        call->allow = allow_text(call, call->match.allow);
        return r->method == BQ_OPTIONS ? 204 : 405;
    case BQ_MATCH_INVALID:
        return 400;
    case BQ_MATCH_MEMORY:
        return 503;
    default:
        break;
    }
    if (r->method == BQ_OPTIONS && bq_str_eq(r->path, BQ_STR("*")))
        return 204;
    /* "//host" must not become a Location that leads elsewhere. */
    if (call->app->options.redirect_slashes && !bq_str_starts(r->path, BQ_STR("//")) &&
        find_slash_variant(call))
        return 308;
    return 404;
}

static void step_route(struct bq_call *call)
{
    if (call->outcome == BQ_MATCH_FOUND) {
        call->step = BQ_STEP_HANDLER;
        run(call);
        return;
    }
    call->status = status_without_route(call);
    if (call->app->refs.fallback == LUA_NOREF || call->status == 503 || call->status == 308) {
        bq_reply_status(call, call->status);
        return;
    }
    call->step = BQ_STEP_FALLBACK;
    run(call);
}

/* --- HANDLER and FALLBACK ---------------------------------------------------------------- */

static void task_done(struct bq_task *task, enum bq_task_end end)
{
    struct bq_call *call = task->arg;
    if (end == BQ_TASK_DROPPED)
        return; /* bq_dispatch_abandon has its reasons, or the vm is going */
    call->step = end == BQ_TASK_DONE ? BQ_STEP_REPLY : BQ_STEP_ERROR;
    run(call);
}

/* Runs on the task's own coroutine, protected: the handler and its arguments, which need
 * memory. The call is in app->entering, since pushing it as an argument would need memory, too. */
static int prepare(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    struct bq_call *call = app->entering;
    if (call->step == BQ_STEP_HANDLER) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, call->route->handler);
        bq_request_push(L, call);
        return 2;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, app->refs.fallback);
    bq_request_push(L, call);
    lua_pushinteger(L, call->status);
    if (call->allow.n)
        lua_pushlstring(L, call->allow.p, call->allow.n);
    else
        lua_pushnil(L);
    return 4;
}

void bq_dispatch_open(lua_State *L, struct bq_app *app)
{
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, prepare, 1);
    app->refs.prepare = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void step_enter(struct bq_call *call)
{
    struct bq_app *app = call->app;
    struct bq_task *task = bq_task_take(app->vm);
    if (!task) {
        bq_failure_memory(call);
        return;
    }
    call->task = task;
    if (call->step == BQ_STEP_HANDLER && !call->route->takes_request) {
        lua_rawgeti(task->L, LUA_REGISTRYINDEX, call->route->handler);
        bq_task_start(task, 0, task_done, call);
        return;
    }
    app->entering = call;
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, app->refs.prepare);
    if (lua_pcall(task->L, 0, LUA_MULTRET, 0) != 0) {
        /* A lack of memory, or what the application's hooks and finalisers raise. */
        call->step = BQ_STEP_ERROR;
        run(call);
        bq_task_give(task);
        return;
    }
    bq_task_start(task, lua_gettop(task->L) - 1, task_done, call);
}

/* --- ERROR and REPLY --------------------------------------------------------------------- */

static void step_error(struct bq_call *call)
{
    struct bq_task *next = bq_failure_prepare(call);
    if (!next)
        return;
    call->task = next;
    bq_task_start(next, lua_gettop(next->L) - 1, task_done, call);
}

static void step_reply(struct bq_call *call)
{
    struct bq_response response;
    char error[512];
    int rc = bq_reply_read(call, &response, error);
    if (rc == BQ_OK) {
        bq_reply_send(call, &response);
        return;
    }
    if (rc == BQ_MEMORY) {
        bq_failure_memory(call);
        return;
    }
    bq_failure_log(call, error);
    bq_reply_status(call, 500);
}

/* One step; it takes care that the next one runs, now or when its task ends. */
static void run(struct bq_call *call)
{
    switch (call->step) {
    case BQ_STEP_ROUTE:
        step_route(call);
        break;
    case BQ_STEP_HANDLER:
    case BQ_STEP_FALLBACK:
        step_enter(call);
        break;
    case BQ_STEP_ERROR:
        step_error(call);
        break;
    case BQ_STEP_REPLY:
        step_reply(call);
        break;
    }
}
