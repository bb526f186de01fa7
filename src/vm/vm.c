/* vm.c: opening and closing a Lua state, and bounding its memory. */
#include "vm/vm.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/guest.h"
#include "vm/memory.h"
#include "vm/raw.h"
#include "vm/task.h"

#include <stdlib.h>
#include <string.h>

/* The registry's key for the vm; only its address counts. */
static const char registry_key;

/* Reached only by an error outside every protected call, which is a bug in barq. */
static int panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    bq_error("unprotected Lua error, which is a bug in barq: %s", text ? text : "(no message)");
    abort();
}

/* The locale belongs to the process: changed by one handler, it would change for every thread how
 * numbers are read and written. As Lua's manual says of a locale that cannot be set: nil. */
static int l_setlocale(lua_State *L)
{
    const char *wanted = luaL_optstring(L, 1, NULL);
    if (!wanted || strcmp(wanted, "C") == 0 || strcmp(wanted, "POSIX") == 0)
        lua_pushliteral(L, "C");
    else
        lua_pushnil(L);
    return 1;
}

static void open_state(lua_State *L, void *arg)
{
    struct bq_vm *vm = arg;
    vm->raw_null = bq_raw_probe(L);
    luaL_openlibs(L);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, l_setlocale);
    lua_setfield(L, -2, "setlocale");
    bq_vm_register(L, vm);
    bq_tasks_open(L, vm);
}

struct bq_vm *bq_vm_new(struct bq_loop *loop, size_t bytes_max)
{
    struct bq_vm *vm = bq_alloc_zero(sizeof *vm);
    if (!vm)
        return NULL;
    vm->loop = loop;
    vm->absence = loop ? bq_loop_absence(loop) : NULL;
    bq_list_init(&vm->idle);
    bq_list_init(&vm->waiting);
    bq_handles_init(&vm->handles);
    vm->L = lua_newstate(bq_vm_alloc, vm);
    if (!vm->L) {
        bq_free(vm);
        return NULL;
    }
    bq_vm_limit(vm, bytes_max);
    lua_atpanic(vm->L, panic);
    if (bq_vm_protect(vm, open_state, vm) != BQ_OK) {
        bq_vm_free(vm);
        return NULL;
    }
    bq_collector_init(vm);
    return vm;
}

void bq_vm_free(struct bq_vm *vm)
{
    bq_tasks_drop(vm);
    bq_collector_release(vm);
    if (vm->host)
        bq_guest_release(vm);
    else
        lua_close(vm->L);
    bq_handles_release(&vm->handles);
    if (!vm->host)
        bq_heap_trim();
    bq_free(vm);
}

void bq_vm_register(lua_State *L, struct bq_vm *vm)
{
    lua_pushlightuserdata(L, (void *)&registry_key);
    lua_pushlightuserdata(L, vm);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

struct bq_vm *bq_vm_of(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    struct bq_vm *vm = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return vm;
}

int bq_vm_ref_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1))
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

struct protected_call {
    void (*fn)(lua_State *L, void *arg);
    void *arg;
};

static int call_protected(lua_State *L)
{
    struct protected_call *call = lua_touserdata(L, 1);
    lua_settop(L, 0);
    call->fn(L, call->arg);
    return 0;
}

int bq_vm_protect(struct bq_vm *vm, void (*fn)(lua_State *L, void *arg), void *arg)
{
    struct protected_call call = {fn, arg};
    int top = lua_gettop(vm->L);
    int rc = lua_cpcall(vm->L, call_protected, &call);
    lua_settop(vm->L, top);
    return rc == 0 ? BQ_OK : rc == LUA_ERRMEM ? BQ_MEMORY : BQ_INVALID;
}

int bq_vm_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

size_t bq_vm_waiting_count(const struct bq_vm *vm)
{
    size_t n = 0;
    for (const struct bq_node *node = vm->waiting.head.next; node != &vm->waiting.head;
         node = node->next)
        n++;
    return n;
}
