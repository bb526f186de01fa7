/* offload_vm.c: finds the function, passes arguments, keeps results, ends what nobody wants. */
#include "data/offload_vm.h"

#include "base/log.h"
#include "base/rc.h"
#include "data/lua_pack.h"
#include "vm/memory.h"

#define RESULT_BYTES_MAX ((size_t)256 << 20)

static void load_function(lua_State *L, const struct bq_offload_job *job)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, job->module);
    job->vm->spoiled = true;
    lua_call(L, 1, 1);
    job->vm->spoiled = false;
    if (!lua_istable(L, -1))
        luaL_error(L, "the module \"%s\" is no table, but a %s", job->module, luaL_typename(L, -1));
    lua_getfield(L, -1, job->function);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "the module \"%s\" has no function \"%s\"", job->module, job->function);
    lua_remove(L, -2);
}

static int push_arguments(lua_State *L, const struct bq_offload_job *job)
{
    int n = (int)job->count;
    luaL_checkstack(L, n + 2, "too many arguments");
    bq_unpack(L, bq_buf_str(&job->values));
    int table = lua_gettop(L);
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return n;
}

/* The values from first on, as one packed table. Raises: what cannot be packed. */
static void keep_values(lua_State *L, struct bq_offload_job *job, int first)
{
    struct bq_pack_error error;
    int n = lua_gettop(L) - first + 1;
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
    bq_buf_reset(&job->values);
    int rc = bq_pack(L, lua_gettop(L), RESULT_BYTES_MAX, &job->values, &error);
    if (rc == BQ_INVALID)
        luaL_error(L, "%s.%s returns what cannot be passed on: %s; " BQ_OFFLOAD_COPIES, job->module,
                   job->function, error.text);
    if (rc != BQ_OK)
        luaL_error(L, "%s.%s returns more than %s", job->module, job->function,
                   rc == BQ_LIMIT ? "256 MiB" : "there is memory for");
    job->count = (unsigned)n;
}

static int call_function(lua_State *L)
{
    struct bq_offload_job *job = lua_touserdata(L, 1);
    lua_settop(L, 0);
    load_function(L, job);
    lua_call(L, push_arguments(L, job), LUA_MULTRET);
    keep_values(L, job, 1);
    return 0;
}

/* The error on top: as it is if it can be passed on, else what it says of itself. */
static int keep_error(lua_State *L)
{
    struct bq_offload_job *job = lua_touserdata(L, 1);
    if (lua_type(L, 2) != LUA_TTABLE && lua_type(L, 2) != LUA_TSTRING) {
        lua_getglobal(L, "tostring");
        lua_pushvalue(L, 2);
        lua_call(L, 1, 1);
        lua_replace(L, 2);
    }
    lua_settop(L, 2);
    keep_values(L, job, 2);
    return 0;
}

/* Whoever called gets the error alone, and may have gone: how it came about is in the log. */
static int trace(lua_State *L)
{
    const struct bq_offload_job *job = lua_touserdata(L, lua_upvalueindex(1));
    if (lua_type(L, 1) != LUA_TSTRING || bq_offload_vm_is_unwanted(job->vm) ||
        !bq_log_enabled(BQ_LOG_INFO))
        return 1;
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    bq_info("barq.offload: %s.%s raised: %s", job->module, job->function, lua_tostring(L, -1));
    lua_settop(L, 1);
    return 1;
}

static void run_job(lua_State *L, void *arg)
{
    lua_pushlightuserdata(L, arg);
    lua_pushcclosure(L, trace, 1);
    lua_pushcfunction(L, call_function);
    lua_pushlightuserdata(L, arg);
    int rc = lua_pcall(L, 1, 0, 1);
    if (rc == 0)
        return;
    struct bq_offload_job *job = arg;
    job->failed = true;
    job->count = 0; /* until there is something better: not enough memory */
    lua_pushcfunction(L, keep_error);
    lua_pushlightuserdata(L, arg);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) == 0)
        return;
    lua_pushcfunction(L, keep_error); /* an error object that holds a function, say */
    lua_pushlightuserdata(L, arg);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) != 0)
        job->count = 0;
}

static void open_modules(lua_State *L, void *arg)
{
    const struct bq_offload_options *options = arg;
    options->open(L, options->open_arg);
}

static void *alloc_watched(void *arg, void *old, size_t old_bytes, size_t bytes)
{
    struct bq_offload_vm *v = arg;
    if (bytes > old_bytes && bq_offload_vm_is_unwanted(v)) {
        v->spoiled = true;
        bq_vm_end_soon(v->vm, "nobody waits for this function of barq.offload any more");
    }
    return bq_vm_alloc(v->vm, old, old_bytes, bytes);
}

/* Leaves vm NULL without memory. */
static void open_state(struct bq_offload_vm *v)
{
    v->vm = bq_vm_new(NULL, v->options->lua_bytes_max);
    if (!v->vm)
        return;
    if (bq_vm_protect(v->vm, open_modules, (void *)v->options) != BQ_OK)
        bq_offload_vm_close(v);
    else
        lua_setallocf(v->vm->L, alloc_watched, v);
}

void bq_offload_vm_init(struct bq_offload_vm *v, const struct bq_offload_options *options)
{
    v->options = options;
    v->vm = NULL;
    v->spoiled = false;
    atomic_init(&v->unwanted, false);
}

void bq_offload_vm_close(struct bq_offload_vm *v)
{
    if (v->vm)
        bq_vm_free(v->vm);
    v->vm = NULL;
    v->spoiled = false;
}

void bq_offload_vm_run(struct bq_offload_vm *v, struct bq_offload_job *job)
{
    if (!v->vm)
        open_state(v);
    if (!v->vm || bq_vm_protect(v->vm, run_job, job) != BQ_OK) {
        job->failed = true;
        job->count = 0;
    }
    bq_offload_vm_want(v, true);
    if (v->spoiled)
        bq_offload_vm_close(v);
    else if (v->vm)
        bq_vm_relieve(v->vm);
}
