/* spawn.c: a function of the application as a task of its own. */
#include "app/spawn.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/lua_task.h"

struct spawned {
    struct bq_app *app;
    int failed, argument; /* references */
    bool resting;
};

static void free_spawned(struct spawned *spawned)
{
    lua_State *L = spawned->app->vm->L;
    luaL_unref(L, LUA_REGISTRYINDEX, spawned->failed);
    luaL_unref(L, LUA_REGISTRYINDEX, spawned->argument);
    bq_free(spawned);
}

static void call_failed(lua_State *L, void *arg)
{
    const struct spawned *spawned = arg;
    lua_rawgeti(L, LUA_REGISTRYINDEX, spawned->failed);
    lua_rawgeti(L, LUA_REGISTRYINDEX, spawned->argument);
    lua_call(L, 1, 0);
}

static void spawned_done(struct bq_task *task, enum bq_task_end end)
{
    struct spawned *spawned = task->arg;
    struct bq_app *app = spawned->app;
    if (end == BQ_TASK_ERROR) {
        bq_vm_relieve(app->vm);
        if (bq_vm_protect(app->vm, call_failed, spawned) != BQ_OK)
            bq_error("a task failed: not enough memory: see lua_memory_max");
    }
    if (!spawned->resting)
        app->pending--;
    free_spawned(spawned);
}

static struct spawned *new_spawned(lua_State *L, struct bq_app *app)
{
    struct spawned *spawned = bq_alloc(sizeof *spawned);
    if (!spawned)
        luaL_error(L, "not enough memory");
    *spawned = (struct spawned){app, LUA_NOREF, LUA_NOREF, false};
    return spawned;
}

/* (spawned, argument, failed): under lua_pcall, so that what fails can be undone. */
static int take_references(lua_State *L)
{
    struct spawned *spawned = lua_touserdata(L, 1);
    spawned->failed = luaL_ref(L, LUA_REGISTRYINDEX);
    spawned->argument = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int bq_spawn(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    double joiner = luaL_optnumber(L, 4, BQ_HANDLE_NONE);
    lua_settop(L, 3);
    lua_pushcfunction(L, take_references);
    struct spawned *spawned = new_spawned(L, app);
    struct bq_task *task = bq_task_take(app->vm);
    lua_pushlightuserdata(L, spawned);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 3);
    if (!task || lua_pcall(L, 3, 0, 0) != 0) {
        free_spawned(spawned);
        if (task)
            bq_task_give(task);
        return luaL_error(L, "not enough memory");
    }
    lua_settop(L, 2);
    lua_xmove(L, task->L, 2);
    task->joiner = joiner;
    app->pending++;
    bq_task_start_later(task, spawned_done, spawned);
    /* Should this raise, the task runs, and nobody knows its number. */
    bq_task_push_handle(L, task);
    return 1;
}

int bq_spawn_rest(lua_State *L)
{
    const struct bq_task *task = bq_vm_of(L)->running;
    bool resting = lua_toboolean(L, 1);
    if (!task || task->done != spawned_done)
        return luaL_error(L, "only a spawned task can rest");
    struct spawned *spawned = task->arg;
    if (spawned->resting == resting)
        return 0;
    spawned->resting = resting;
    if (resting)
        spawned->app->pending--;
    else
        spawned->app->pending++;
    return 0;
}
