/* prepare.c: the function and the arguments of each step that enters Lua. */
#include "app/prepare.h"

#include "app/held.h"
#include "app/input.h"
#include "app/request.h"

/* Reads the declared input into the req at index. False: it is refused. */
static bool read_input(lua_State *L, struct bq_call *call, int index)
{
    if (call->input_read || !call->route->input)
        return true;
    call->status = bq_input_check(L, call, index);
    call->input_read = call->status == 0;
    return call->input_read;
}

static int prepare_handler(lua_State *L, struct bq_call *call)
{
    const struct bq_plan *plan = call->route->plan;
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->route->handler);
    bq_request_push_unread(L, call);
    if (!read_input(L, call, lua_gettop(L)))
        return 0;
    if (!plan)
        return 2;
    bq_deps_push(L, call, &plan->deps);
    return 3;
}

static int prepare_provider(lua_State *L, struct bq_call *call)
{
    const struct bq_plan *plan = call->route->plan;
    struct bq_provider *provider = plan->providers[call->opened];
    if (call->queues) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.await_open);
        lua_pushlightuserdata(L, provider);
        return 2;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, provider->open);
    bq_request_push_own(L, call);
    bq_deps_push(L, call, &plan->needs[call->opened]);
    return 3;
}

/* Makes the table of values, and reads the input: whatever comes before the first provider. */
static int prepare_values(lua_State *L, struct bq_call *call)
{
    if (call->values == LUA_NOREF) {
        bq_request_push(L, call);
        bq_values_make(L, call, lua_gettop(L));
    }
    bq_request_push_own(L, call);
    read_input(L, call, lua_gettop(L));
    return 0;
}

static int prepare_fallback(lua_State *L, struct bq_call *call)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->app->refs.fallback);
    bq_request_push(L, call);
    lua_pushinteger(L, call->status);
    if (call->allow.n)
        lua_pushlstring(L, call->allow.p, call->allow.n);
    else
        lua_pushnil(L);
    return 4;
}

/* Runs on the task's own coroutine, protected: the function and its arguments, which need
 * memory. The call is in app->entering, since pushing it as an argument would need memory, too. */
static int prepare(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    struct bq_call *call = app->entering;
    switch (call->step) {
    case BQ_STEP_CHAIN:
        lua_rawgeti(L, LUA_REGISTRYINDEX, call->route->chain);
        bq_request_push(L, call);
        return 2;
    case BQ_STEP_DEPENDS:
        if (call->values == LUA_NOREF || (call->route->input && !call->input_read))
            return prepare_values(L, call);
        return prepare_provider(L, call);
    case BQ_STEP_FALLBACK:
        return prepare_fallback(L, call);
    default:
        return prepare_handler(L, call);
    }
}

void bq_prepare_open(lua_State *L, struct bq_app *app)
{
    lua_pushlightuserdata(L, app);
    lua_pushcclosure(L, prepare, 1);
    app->refs.prepare = luaL_ref(L, LUA_REGISTRYINDEX);
}

int bq_prepare(struct bq_call *call, struct bq_task *task)
{
    struct bq_absence *absence = call->app->vm->absence;
    call->app->entering = call;
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, call->app->refs.prepare);
    bq_absence_explain(absence, call->ex->tally);
    bq_absence_begin(absence); /* a schema's check is the application's code */
    int rc = lua_pcall(task->L, 0, LUA_MULTRET, 0);
    struct bq_absence_report report = bq_absence_end(absence);
    if (report.ms)
        bq_held_note(call, &report);
    return rc;
}
