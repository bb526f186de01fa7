/*
 * lua_offload.c: the binding of offload.h: arguments there, a task that waits, results back.
 *
 *   start(module, function, n, arguments) → call │ nil, message
 *   wait(call)                                      until it is done
 *   result(call) → true, n, results │ false, n, {error}
 */
#include "data/lua_offload.h"

#include "base/rc.h"
#include "data/lua_pack.h"
#include "data/offload_vm.h"
#include "vm/outward.h"
#include "vm/task.h"

#define CALL_TYPE "barq.offload.call"
#define PORT_TYPE "barq.offload.port"

#define ARGUMENT_BYTES_MAX ((size_t)256 << 20)

struct call {
    struct bq_offload_job *job; /* NULL: abandoned */
    bool submitted, arrived;
    struct bq_task *task; /* that waits, or NULL */
    int ref;              /* the registry's, from start to result: keeps the call alive */
    lua_State *L;         /* the main one, to drop that */
};

/* The upvalues: the port, and a table that keeps it. */
#define PORT(L) ((struct bq_offload_port *)lua_touserdata(L, lua_upvalueindex(1)))

static struct call *check_call(lua_State *L)
{
    return luaL_checkudata(L, 1, CALL_TYPE);
}

/* Nobody waits for it any more. */
static void abandon(struct call *call)
{
    struct bq_offload_job *job = call->job;
    call->job = NULL;
    if (!job)
        return;
    if (call->submitted && !call->arrived)
        bq_offload_abandon(job);
    else
        bq_offload_job_free(job);
}

static void drop_ref(struct call *call)
{
    luaL_unref(call->L, LUA_REGISTRYINDEX, call->ref);
    call->ref = LUA_NOREF;
}

/* The task is cancelled or dropped. */
static void leave(void *arg)
{
    struct call *call = arg;
    abandon(call);
    call->task = NULL;
    drop_ref(call);
}

static void on_arrived(struct bq_offload_job *job)
{
    struct call *call = job->owner;
    struct bq_task *task = call->task;
    call->arrived = true;
    if (!task)
        return;
    /* Its stack, and the Lua code that goes on, have the call still. */
    call->task = NULL;
    bq_task_wake(task, 0);
}

/* Finalisers, which look nothing up: the collector runs them at any moment, in any guest. */
static int free_call(lua_State *L)
{
    abandon(lua_touserdata(L, 1));
    return 0;
}

static struct call *new_call(lua_State *L)
{
    struct call *call = lua_newuserdata(L, sizeof *call);
    *call = (struct call){.ref = LUA_NOREF, .L = bq_vm_of(L)->L};
    luaL_getmetatable(L, CALL_TYPE);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, lua_upvalueindex(2)); /* its finaliser needs the port */
    lua_setfenv(L, -2);
    return call;
}

static int fail(lua_State *L, const char *message)
{
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

static int fail_pack(lua_State *L, int rc, const struct bq_pack_error *error)
{
    if (rc == BQ_LIMIT)
        return fail(L, "the arguments are more than 256 MiB");
    if (rc == BQ_MEMORY)
        return fail(L, "no memory for the arguments");
    lua_pushnil(L);
    lua_pushfstring(L, "arguments%s; " BQ_OFFLOAD_COPIES, error->text);
    return 2;
}

static int l_start(lua_State *L)
{
    struct bq_pack_error error;
    bq_str module, function;
    module.p = luaL_checklstring(L, 1, &module.n);
    function.p = luaL_checklstring(L, 2, &function.n);
    bq_task_running(L, "barq.offload");
    struct call *call = new_call(L);
    struct bq_offload_job *job = call->job = bq_offload_job_new(module, function);
    if (!job)
        return fail(L, "no memory for the call");
    job->owner = call;
    job->count = (unsigned)lua_tointeger(L, 3);
    int rc = bq_pack(L, 4, ARGUMENT_BYTES_MAX, &job->values, &error);
    if (rc != BQ_OK)
        return fail_pack(L, rc, &error);
    lua_pushvalue(L, -1);
    call->ref = luaL_ref(L, LUA_REGISTRYINDEX); /* before: it may raise */
    rc = bq_offload_submit(PORT(L), job);
    if (rc != BQ_OK)
        drop_ref(call);
    if (rc == BQ_LIMIT)
        return fail(L, "too much waits already: 10000 calls, or 256 MiB of arguments");
    if (rc != BQ_OK)
        return fail(L, "there is no thread to be had");
    call->submitted = true;
    return 1;
}

static int l_wait(lua_State *L)
{
    struct call *call = check_call(L);
    if (call->arrived || !call->job)
        return 0;
    struct bq_task *task = bq_task_running(L, "barq.offload");
    call->task = task;
    return bq_task_wait(L, task, leave, call);
}

static int l_result(lua_State *L)
{
    struct call *call = check_call(L);
    struct bq_offload_job *job = call->job;
    drop_ref(call);
    lua_pushboolean(L, !job->failed);
    lua_pushinteger(L, (lua_Integer)job->count);
    if (bq_buf_size(&job->values) && (job->count || !job->failed))
        bq_unpack(L, bq_buf_str(&job->values));
    else
        lua_newtable(L);
    abandon(call); /* Lua does not know how much it holds */
    return 3;
}

static int close_port(lua_State *L)
{
    bq_offload_port_close(lua_touserdata(L, 1));
    return 0;
}

static void make_type(lua_State *L, const char *type, lua_CFunction gc)
{
    luaL_newmetatable(L, type);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "barq.offload");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* Pushes it, and a table that keeps it. */
static void new_port(lua_State *L, struct bq_offload *pool)
{
    struct bq_offload_port *port = lua_newuserdata(L, sizeof *port);
    bq_offload_port_open(port, pool, bq_vm_of(L)->loop, on_arrived);
    luaL_getmetatable(L, PORT_TYPE);
    lua_setmetatable(L, -2);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
}

void bq_offload_open_module(lua_State *L, struct bq_offload *pool)
{
    static const luaL_Reg functions[] = {
        {"start", l_start}, {"wait", l_wait}, {"result", l_result}};
    make_type(L, CALL_TYPE, free_call);
    make_type(L, PORT_TYPE, close_port);
    lua_newtable(L);
    new_port(L, pool);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_pushcclosure(L, functions[i].func, 2);
        lua_setfield(L, -4, functions[i].name);
    }
    lua_pop(L, 2);
    lua_getfield(L, -1, "wait");
    bq_task_wrap(L);
    lua_setfield(L, -2, "wait");
}
