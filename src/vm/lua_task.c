/* lua_task.c: thin bindings: tasks by number, parking, cancelling, timeouts. */
#include "vm/lua_task.h"

#include "base/rc.h"
#include "vm/cancel.h"
#include "vm/outward.h"

static struct bq_task *check_running(lua_State *L)
{
    struct bq_task *task = bq_vm_of(L)->running;
    if (!task)
        luaL_error(L, "no task runs while the application loads");
    return task;
}

static struct bq_task *find(lua_State *L, int index)
{
    return bq_handle_find(&bq_vm_of(L)->handles, luaL_checknumber(L, index));
}

void bq_task_push_handle(lua_State *L, struct bq_task *task)
{
    if (task->handle == BQ_HANDLE_NONE)
        task->handle = bq_handle_give(&task->vm->handles, task);
    if (task->handle == BQ_HANDLE_NONE)
        luaL_error(L, "not enough memory");
    task->marked = true;
    lua_pushnumber(L, task->handle);
}

/* task() -> number, or nil where nothing can wait */
static int l_task(lua_State *L)
{
    struct bq_task *task = bq_vm_of(L)->running;
    if (task)
        bq_task_push_handle(L, task);
    else
        lua_pushnil(L);
    return 1;
}

/* Nothing to cancel; its address says that a task is parked. */
static void leave_park(void *arg)
{
    (void)arg;
}

/* park(what): waits until somebody unparks the task */
static int l_park(lua_State *L)
{
    const char *what = luaL_checkstring(L, 1);
    return bq_task_wait(L, bq_task_running(L, what), leave_park, NULL);
}

/* unpark(number) */
static int l_unpark(lua_State *L)
{
    struct bq_task *task = find(L, 1);
    if (task && task->waiting && task->cancel == leave_park)
        bq_task_wake_later(task);
    return 0;
}

/* cancel(number, error) */
static int l_cancel(lua_State *L)
{
    struct bq_task *task = find(L, 1);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    if (task && task->error == LUA_NOREF)
        bq_task_cancel(task, luaL_ref(L, LUA_REGISTRYINDEX), true);
    return 0;
}

int bq_task_shield(lua_State *L)
{
    const struct bq_vm *vm = bq_vm_of(L);
    struct bq_task *task = vm ? vm->running : NULL;
    if (!task)
        return 0;
    if (lua_toboolean(L, 1)) {
        task->shielded++;
        task->marked = true;
    } else if (task->shielded) {
        task->shielded--;
    }
    return 0;
}

/* begin_timeout(seconds, error) -> depth, for end_timeout */
static int l_begin_timeout(lua_State *L)
{
    struct bq_task *task = check_running(L);
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= BQ_TASK_SECONDS_MAX, 1, "seconds expected");
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    int error = luaL_ref(L, LUA_REGISTRYINDEX);
    int depth = bq_task_scope_begin(task, seconds, error);
    if (depth == BQ_MEMORY) {
        luaL_unref(L, LUA_REGISTRYINDEX, error);
        luaL_error(L, "not enough memory");
    }
    lua_pushinteger(L, depth);
    return 1;
}

/* end_timeout(depth): this one, and what was left open within it */
static int l_end_timeout(lua_State *L)
{
    int depth = (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, depth > 0, 1, "a depth expected");
    bq_task_scope_end(check_running(L), depth - 1);
    return 0;
}

static const luaL_Reg task_functions[] = {
    {"begin_timeout", l_begin_timeout},
    {"cancel", l_cancel},
    {"end_timeout", l_end_timeout},
    {"shield", bq_task_shield},
    {"task", l_task},
    {"unpark", l_unpark},
    {NULL, NULL},
};

static const luaL_Reg waiting_functions[] = {
    {"park", l_park},
    {"sleep", bq_task_sleep},
    {NULL, NULL},
};

void bq_task_open_functions(lua_State *L)
{
    luaL_register(L, NULL, task_functions);
    for (const luaL_Reg *f = waiting_functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        bq_task_wrap(L);
        lua_setfield(L, -2, f->name);
    }
}
