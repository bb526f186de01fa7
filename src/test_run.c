/*
 * test_run.c: the Lua state that specs run in.
 *
 * It is no application: each one under test is a guest in it (vm/guest.h), with modules of its
 * own.
 */
#include "test_run.h"

#include "base/rc.h"
#include "lua_testing.h"
#include "modules.h"
#include "server.h"
#include "vm/vm.h"

struct run {
    const char *specs;
    struct bq_stores *stores;
    bool well;
};

static int run_specs(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);
    bq_modules_preload(L, &(struct bq_modules_env){.stores = run->stores});
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, bq_lua_testing_open);
    lua_setfield(L, -2, "barq.testing.core");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "barq.testing.run");
    lua_call(L, 1, 1);
    lua_pushstring(L, run->specs);
    lua_call(L, 1, 2);
    run->well = lua_toboolean(L, -2);
    if (lua_isstring(L, -1))
        bq_server_complain("%s", lua_tostring(L, -1));
    return 0;
}

static void run_protected(lua_State *L, void *arg)
{
    lua_pushcfunction(L, bq_vm_traceback);
    lua_pushcfunction(L, run_specs);
    lua_pushlightuserdata(L, arg);
    if (lua_pcall(L, 1, 0, 1) != 0)
        bq_server_complain("%s", lua_tostring(L, -1));
}

bool bq_test_run(const char *specs)
{
    struct run run = {specs, bq_stores_new(), false};
    struct bq_loop *loop = bq_loop_new();
    struct bq_vm *vm = loop && run.stores ? bq_vm_new(loop, 0) : NULL;
    if (!vm || bq_vm_protect(vm, run_protected, &run) != BQ_OK)
        bq_server_complain("out of memory");
    if (vm)
        bq_vm_free(vm);
    bq_loop_free(loop);
    if (run.stores)
        bq_stores_free(run.stores);
    return run.well;
}
