/* outward.c: a wait's way through the application's coroutines. */
#include "vm/outward.h"

#include "vm/task.h"

/* Its address is the mark; Lua code cannot make one like it. */
static const char mark;

/* All calls of pass and again are tail calls: a coroutine may wait as often as it likes. A
 * coroutine is in `owned` while the server alone may resume it. An error's position is that of the
 * function that called ours, where the application stands. */
static const char source[] =
    "local mark, outward, text = ...\n"
    "local coroutine, error, select, setmetatable = coroutine, error, select, setmetatable\n"
    "local create, resume = coroutine.create, coroutine.resume\n"
    "local owned = setmetatable({}, { __mode = 'k' })\n"
    "local pass\n"
    "local function again(co, ...)\n"
    "  owned[co] = nil\n"
    "  return pass(co, resume(co, ...))\n"
    "end\n"
    "function pass(co, ok, ...)\n"
    "  if not ok or (...) ~= mark then return ok, ... end\n"
    "  owned[co] = true\n"
    "  return again(co, outward())\n"
    "end\n"
    "local function unwrapped(ok, ...)\n"
    "  if ok then return ... end\n"
    "  error((...), 2)\n"
    "end\n"
    "function coroutine.resume(co, ...)\n"
    "  if co and owned[co] then return false, text end\n"
    "  return pass(co, resume(co, ...))\n"
    "end\n"
    "function coroutine.wrap(fn)\n"
    "  local co = create(fn)\n"
    "  return function(...)\n"
    "    if owned[co] then error(text, 2) end\n"
    "    return unwrapped(pass(co, resume(co, ...)))\n"
    "  end\n"
    "end\n"
    "local function awaited(...)\n"
    "  if (...) == mark then error((select(2, ...)), 2) end\n"
    "  return ...\n"
    "end\n"
    "local function wrap(wait)\n"
    "  return function(...) return awaited(wait(...)) end\n"
    "end\n"
    "return awaited, wrap, owned\n";

int bq_outward_yield(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&mark);
    return lua_yield(L, 1);
}

/* Passes a wait on. Where C code is in the way the wait ends at once, and its function raises. */
static int l_outward(lua_State *L)
{
    struct bq_task *task = bq_vm_of(L)->running;
    if (lua_isyieldable(L))
        return bq_outward_yield(L);
    if (task && task->waiting)
        bq_task_unwait(task);
    lua_Debug info;
    lua_pushlightuserdata(L, (void *)&mark);
    lua_pushfstring(
        L,
        "cannot wait inside a coroutine that runs inside a function that C code calls, "
        "here \"%s\" (table.sort, string.gsub, require, … cannot be suspended): call it "
        "before or after",
        bq_task_blocker(L, &info));
    return 2;
}

void bq_outward_open(lua_State *L, struct bq_vm *vm)
{
    if (vm->host) { /* which has the same libraries, replaced already */
        vm->owned = vm->host->owned;
        vm->wrap = vm->host->wrap;
        vm->awaited = vm->host->awaited;
        return;
    }
    if (luaL_loadbuffer(L, source, sizeof source - 1, "@barq:wait") != 0)
        lua_error(L);
    lua_pushlightuserdata(L, (void *)&mark);
    lua_pushcfunction(L, l_outward);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->texts[BQ_VM_TEXT_RESUMED]);
    lua_call(L, 3, 3);
    vm->owned = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->wrap = luaL_ref(L, LUA_REGISTRYINDEX);
    vm->awaited = luaL_ref(L, LUA_REGISTRYINDEX);
}

void bq_outward_own(lua_State *L, lua_State *thread)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, bq_vm_of(L)->owned);
    lua_pushthread(thread);
    lua_xmove(thread, L, 1);
    lua_pushboolean(L, true);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void bq_outward_push_error(lua_State *L, int error)
{
    lua_pushlightuserdata(L, (void *)&mark);
    lua_rawgeti(L, LUA_REGISTRYINDEX, error);
}

void bq_task_wrap(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, bq_vm_of(L)->wrap);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
}

static int l_results(lua_State *L)
{
    return lua_gettop(L);
}

void bq_awaited_push(lua_State *L)
{
    const struct bq_vm *vm = bq_vm_of(L);
    if (vm)
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->awaited);
    else /* a state without tasks, where nothing waits */
        lua_pushcfunction(L, l_results);
}
