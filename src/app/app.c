/* app.c: an application's life: new, load, freeze, free. */
#include "app/app.h"

#include "app/after.h"
#include "app/dispatch.h"
#include "app/failure.h"
#include "app/held.h"
#include "app/lua_core.h"
#include "app/opening.h"
#include "app/prepare.h"
#include "app/reply.h"
#include "app/request.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int require_module(lua_State *L, const char *name)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    return 1;
}

static const void *field_address(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    const void *p = lua_topointer(L, -1);
    lua_pop(L, 1);
    return p;
}

/* Loads barq's own modules and keeps what C needs of them. */
static int open_modules(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, 1);
    bq_schemas_init(L, &app->schemas);
    bq_core_open(L, app);
    bq_request_open(L, app);
    bq_prepare_open(L, app);
    bq_reply_open(L, app);
    bq_opening_push_await(L);
    app->refs.await_open = luaL_ref(L, LUA_REGISTRYINDEX);
    app->env.open_modules(L, app->env.open_modules_arg);
    require_module(L, "barq.response");
    app->response_class = field_address(L, "Response");
    require_module(L, "barq.errors");
    app->abort_class = field_address(L, "Abort");
    lua_getfield(L, -1, "abort");
    app->refs.abort = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_getfield(L, -1, "new_abort");
    lua_pushvalue(L, -1);
    app->refs.new_abort = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushinteger(L, 500);
    lua_call(L, 1, 1);
    app->refs.plain_error = luaL_ref(L, LUA_REGISTRYINDEX);
    require_module(L, "barq");
    return 0;
}

struct logged_call {
    lua_CFunction fn;
    void *arg;
    const char *what;
    const struct bq_app *app;
    bool logged;
};

static void run_logged(lua_State *L, void *arg)
{
    struct logged_call *call = arg;
    /* A problem is one line; where it was called from is for who debugs it. */
    if (call->app->problem)
        lua_pushnil(L);
    else
        lua_pushcfunction(L, bq_vm_traceback);
    lua_pushcfunction(L, call->fn);
    lua_pushlightuserdata(L, call->arg);
    if (lua_pcall(L, 1, 0, call->app->problem ? 0 : 1) == 0)
        return;
    bq_describe(L, -1);
    if (call->app->problem) {
        call->app->problem(call->app->problem_arg, lua_tostring(L, -1));
    } else {
        bq_error("%s: %s", call->what, lua_tostring(L, -1));
        if (call->app->report)
            call->app->report(call->app->report_arg, lua_tostring(L, -1));
    }
    call->logged = true;
}

/* Calls fn with arg on the main coroutine. Fails: BQ_INVALID, logged with what was being done. */
static int call_logged(struct bq_app *app, lua_CFunction fn, void *arg, const char *what)
{
    struct logged_call call = {fn, arg, what, app, false};
    if (bq_vm_protect(app->vm, run_logged, &call) != BQ_OK && !call.logged) {
        bq_error("%s: not enough memory: see lua_memory_max", what);
        return BQ_INVALID;
    }
    return call.logged ? BQ_INVALID : BQ_OK;
}

static void seed_ids(struct bq_app *app)
{
    uint64_t own;
    if (getrandom(&own, sizeof own, 0) != sizeof own)
        own = (uint64_t)(uintptr_t)app;
    bq_ids_init(&app->ids, own);
}

struct bq_app *bq_app_new_in(struct bq_vm *vm, const struct bq_app_env *env)
{
    struct bq_app *app = bq_alloc_zero(sizeof *app);
    if (!app) {
        bq_vm_free(vm);
        return NULL;
    }
    app->loop = vm->loop;
    app->vm = vm;
    app->env = *env;
    app->refs.fallback = LUA_NOREF;
    bq_tallies_init(&app->own_tallies);
    app->tallies = env->tallies ? env->tallies : &app->own_tallies;
    app->outside = bq_tally_get(app->tallies, BQ_STR(""), BQ_STR("outside"));
    bq_handles_init(&app->handles);
    bq_list_init(&app->afters);
    bq_invalid_init(&app->invalid);
    vm->held = bq_held;
    vm->held_arg = app;

    seed_ids(app);
    if (call_logged(app, open_modules, app, "barq's own modules") != BQ_OK) {
        bq_app_free(app);
        return NULL;
    }
    return app;
}

struct bq_app *bq_app_new(struct bq_loop *loop, const struct bq_app_env *env,
                          uint64_t lua_bytes_max)
{
    struct bq_vm *vm = bq_vm_new(loop, lua_bytes_max);
    return vm ? bq_app_new_in(vm, env) : NULL;
}

void bq_app_set_report(struct bq_app *app, void (*report)(void *arg, const char *text), void *arg)
{
    app->report = report;
    app->report_arg = arg;
}

/* --- problems, all of them ---------------------------------------------------------------- */

static int l_report(lua_State *L)
{
    const struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    app->problem(app->problem_arg, luaL_checkstring(L, 1));
    return 0;
}

static int begin_check(lua_State *L)
{
    require_module(L, "barq.check");
    lua_getfield(L, -1, "begin");
    lua_pushlightuserdata(L, lua_touserdata(L, 1));
    lua_pushcclosure(L, l_report, 1);
    lua_call(L, 1, 0);
    return 0;
}

int bq_app_begin_check(struct bq_app *app, void (*problem)(void *arg, const char *text), void *arg)
{
    app->problem = problem;
    app->problem_arg = arg;
    return call_logged(app, begin_check, app, "check");
}

static int finish_check(lua_State *L)
{
    const char *path = lua_touserdata(L, 1);
    require_module(L, "barq.check");
    lua_getfield(L, -1, "finish");
    lua_pushstring(L, path);
    lua_call(L, 1, 0);
    return 0;
}

int bq_app_finish_check(struct bq_app *app, const char *path)
{
    return call_logged(app, finish_check, (void *)path, "check");
}

struct bq_collector_view bq_app_collector(const struct bq_app *app)
{
    return bq_vm_collector(app->vm);
}

void bq_app_free(struct bq_app *app)
{
    bq_after_drop(app);
    bq_vm_free(app->vm);
    bq_routes_free(app);
    bq_handles_release(&app->handles);
    bq_buf_release(&app->body);
    bq_invalid_release(&app->invalid);
    bq_schemas_release(&app->schemas);
    bq_tallies_release(&app->own_tallies);
    bq_free(app);
}

/* --- load --------------------------------------------------------------------------------- */

void bq_app_extend_path(lua_State *L, const char *app_path)
{
    const char *slash = strrchr(app_path, '/');
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    const char *old = lua_tostring(L, -1);
    if (slash)
        lua_pushlstring(L, app_path, (size_t)(slash - app_path));
    else
        lua_pushliteral(L, ".");
    const char *dir = lua_tostring(L, -1);
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, old ? old : "");
    lua_setfield(L, -4, "path");
    lua_pop(L, 3);
}

static int load_file(lua_State *L)
{
    const char *path = lua_touserdata(L, 1);
    bq_app_extend_path(L, path);
    if (luaL_loadfile(L, path) != 0)
        lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

int bq_app_load(struct bq_app *app, const char *path)
{
    return call_logged(app, load_file, (void *)path, "the application does not load");
}

/* --- configuration ------------------------------------------------------------------------ */

struct config_walk {
    int (*fn)(void *arg, bq_str name, bq_str value, const char *place);
    void *arg;
    int rc;
};

/* The setting's value on top, as text on top. */
static bq_str value_text(lua_State *L)
{
    bq_str s;
    if (lua_type(L, -1) == LUA_TBOOLEAN) {
        lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        char digits[32];
        snprintf(digits, sizeof digits, "%.15g", lua_tonumber(L, -1));
        lua_pushstring(L, digits);
    } else {
        lua_pushvalue(L, -1);
    }
    s.p = lua_tolstring(L, -1, &s.n);
    return s;
}

static int walk_config(lua_State *L)
{
    struct config_walk *walk = lua_touserdata(L, 1);
    require_module(L, "barq.state");
    lua_getfield(L, -1, "config");
    int list = lua_gettop(L);
    int n = (int)lua_objlen(L, list);
    for (int i = 1; i <= n && walk->rc == BQ_OK; i++) {
        bq_str name;
        lua_rawgeti(L, list, i);
        lua_rawgeti(L, -1, 1);
        name.p = lua_tolstring(L, -1, &name.n);
        lua_rawgeti(L, -2, 3);
        const char *place = lua_tostring(L, -1);
        lua_rawgeti(L, -3, 2);
        walk->rc = walk->fn(walk->arg, name, value_text(L), place);
        lua_settop(L, list);
    }
    return 0;
}

int bq_app_each_config(struct bq_app *app,
                       int (*fn)(void *arg, bq_str name, bq_str value, const char *place),
                       void *arg)
{
    struct config_walk walk = {fn, arg, BQ_OK};
    int rc = call_logged(app, walk_config, &walk, "barq.config");
    return rc == BQ_OK ? walk.rc : rc;
}

/* --- freeze ------------------------------------------------------------------------------- */

struct freezing {
    struct bq_app *app;
    int rc;
};

static int freeze(lua_State *L)
{
    struct freezing *f = lua_touserdata(L, 1);
    struct bq_app_refs *refs = &f->app->refs;
    require_module(L, "barq.freeze");
    lua_pushboolean(L, f->app->options.dev);
    lua_pushboolean(L, f->app->options.docs);
    lua_call(L, 2, 1);
    refs->openapi = bq_vm_ref_field(L, -1, "openapi");
    refs->listing = bq_vm_ref_field(L, -1, "listing");
    refs->respond = bq_vm_ref_field(L, -1, "respond");
    refs->fallback = bq_vm_ref_field(L, -1, "fallback");
    refs->run_hooks = bq_vm_ref_field(L, -1, "run_hooks");
    refs->run_after = bq_vm_ref_field(L, -1, "run_after");
    refs->closed = bq_vm_ref_field(L, -1, "closed");
    refs->worker_values = bq_vm_ref_field(L, -1, "worker_values");
    lua_getfield(L, -1, "has_error_handlers");
    f->app->has_error_handlers = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_getfield(L, -1, "routes");
    f->rc = bq_routes_compile(f->app, L, lua_gettop(L));
    return 0;
}

int bq_app_freeze(struct bq_app *app, const struct bq_app_options *options)
{
    struct freezing f = {app, BQ_OK};
    assert(app->pending == 0);
    bq_routes_free(app);
    app->options = *options;
    bq_vm_limit(app->vm, options->lua_bytes_max);
    int rc = call_logged(app, freeze, &f, "the application");
    if (f.rc == BQ_MEMORY)
        bq_error("the application: out of memory");
    return rc == BQ_OK && f.rc != BQ_OK ? BQ_INVALID : rc;
}

/* --- before it serves --------------------------------------------------------------------- */

/* Of declarations: they would keep all of them alive. */
static void forget_descriptions(struct bq_app *app, lua_State *L)
{
    luaL_unref(L, LUA_REGISTRYINDEX, app->refs.openapi);
    luaL_unref(L, LUA_REGISTRYINDEX, app->refs.listing);
    app->refs.openapi = app->refs.listing = LUA_NOREF;
}

/* The table on top, with what is left of it, into package.loaded. */
static void put_back(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
    int loaded = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, loaded - 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, loaded);
    }
}

/* See lua/barq/settle.lua. */
static int settle(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, 1);
    require_module(L, "barq.settle");
    forget_descriptions(app, L);
    lua_call(L, 0, 1);
    bq_collector_settle(app->vm);
    put_back(L);
    return 0;
}

int bq_app_settle(struct bq_app *app)
{
    return call_logged(app, settle, app, "the application");
}

/* --- serving ------------------------------------------------------------------------------ */

struct bq_handler bq_app_handler(struct bq_app *app)
{
    return (struct bq_handler){app, bq_dispatch_head, bq_dispatch_request, bq_dispatch_gone,
                               bq_dispatch_abandon};
}

struct bq_app_figures bq_app_figures(const struct bq_app *app)
{
    const struct bq_vm *vm = app->vm;
    return (struct bq_app_figures){
        .lua_bytes = vm->bytes,
        .lua_bytes_max = vm->bytes_max,
        .tasks = vm->task_count,
        .tasks_idle = vm->idle_count,
        .tasks_waiting = bq_vm_waiting_count(vm),
    };
}

size_t bq_app_pending(const struct bq_app *app)
{
    return app->pending;
}

struct printing {
    int function; /* (json) -> text */
    bool json;
    FILE *out;
};

static int print_text(lua_State *L)
{
    const struct printing *p = lua_touserdata(L, 1);
    size_t n;
    lua_rawgeti(L, LUA_REGISTRYINDEX, p->function);
    lua_pushboolean(L, p->json);
    lua_call(L, 1, 1);
    const char *text = lua_tolstring(L, -1, &n);
    fwrite(text, 1, n, p->out);
    return 0;
}

static int print(struct bq_app *app, struct printing *p, const char *what)
{
    int rc = call_logged(app, print_text, p, what);
    return rc == BQ_OK && ferror(p->out) ? BQ_SYSTEM : rc;
}

int bq_app_print_routes(struct bq_app *app, bool json, FILE *out)
{
    struct printing p = {app->refs.listing, json, out};
    return print(app, &p, "the table of routes");
}

int bq_app_print_openapi(struct bq_app *app, FILE *out)
{
    struct printing p = {app->refs.openapi, true, out};
    int rc = print(app, &p, "the OpenAPI document");
    fputc('\n', out);
    return rc == BQ_OK && ferror(out) ? BQ_SYSTEM : rc;
}
