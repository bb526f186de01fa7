/* guest_test.c: VMs inside another one's Lua state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "vm/guest.h"
#include "vm/task.h"

struct fixture {
    struct bq_loop *loop, *loops[2];
    struct bq_vm *host, *guests[2];
};

static struct fixture fixture;

static int setup(void **state)
{
    struct fixture *f = &fixture;
    f->loop = bq_loop_new();
    f->host = bq_vm_new(f->loop, 0);
    for (int i = 0; i < 2; i++) {
        f->loops[i] = bq_loop_new();
        f->guests[i] = bq_guest_new(f->host, f->loops[i]);
        assert_non_null(f->guests[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        if (f->guests[i])
            bq_vm_free(f->guests[i]);
        bq_loop_free(f->loops[i]);
    }
    bq_vm_free(f->host);
    bq_loop_free(f->loop);
    return 0;
}

static void run(struct bq_vm *vm, const char *code)
{
    if (vm->host)
        bq_guest_enter(vm);
    if (luaL_dostring(vm->L, code) != 0)
        fail_msg("%s", lua_tostring(vm->L, -1));
    lua_settop(vm->L, 0);
    if (vm->host)
        bq_guest_leave(vm);
}

static void each_has_globals_of_its_own(void **state)
{
    struct fixture *f = *state;
    run(f->guests[0], "color = 'red' assert(_G.color == 'red')");
    run(f->guests[1], "assert(color == nil) color = 'blue'");
    run(f->host, "assert(color == nil)");
    run(f->guests[0], "assert(color == 'red') assert(loadstring('return color')() == 'red')");
}

static void each_loads_modules_of_its_own(void **state)
{
    struct fixture *f = *state;
    run(f->host, "package.preload.counter = function() return { n = 0 } end\n"
                 "require('counter').n = 10");
    run(f->guests[0], "package.preload.counter = function() return { n = 1 } end\n"
                      "assert(require('counter').n == 1)\n"
                      "assert(package.loaded.counter == require 'counter')");
    run(f->guests[1], "assert(not pcall(require, 'counter'))");
    run(f->host, "assert(require('counter').n == 10)");
}

static void a_guest_searches_where_its_host_does(void **state)
{
    struct fixture *f = *state;
    run(f->host, "package.path = '/somewhere/?.lua'");
    struct bq_vm *late = bq_guest_new(f->host, f->loop);
    run(late, "assert(package.path == '/somewhere/?.lua') package.path = '/elsewhere/?.lua'");
    run(f->host, "assert(package.path == '/somewhere/?.lua')");
    bq_vm_free(late);
}

static void libraries_are_one_for_all(void **state)
{
    struct fixture *f = *state;
    run(f->host, "ffi = require 'ffi' ffi.cdef 'struct only_once { int x; };'\n"
                 "value = ffi.new('struct only_once') methods = string");
    run(f->guests[0], "local ffi = require 'ffi'\n"
                      "assert(ffi.sizeof('struct only_once') == 4)\n"
                      "assert(getmetatable('').__index == string)");
    run(f->host, "value.x = 3 assert(value.x == 3 and getmetatable('').__index == methods)");
}

static void c_finds_the_vm_that_is_in(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(bq_vm_of(f->host->L), f->host);
    for (int i = 0; i < 2; i++) {
        bq_guest_enter(f->guests[i]);
        assert_ptr_equal(bq_vm_of(f->host->L), f->guests[i]);
        bq_guest_leave(f->guests[i]);
    }
    assert_ptr_equal(bq_vm_of(f->host->L), f->host);
}

static void note_done(struct bq_task *task, enum bq_task_end end)
{
    *(int *)task->arg = end == BQ_TASK_DONE ? (int)lua_tointeger(task->L, 1) : -1;
}

static void a_task_waits_on_the_guest_s_own_loop(void **state)
{
    struct fixture *f = *state;
    struct bq_vm *guest = f->guests[0];
    int result = 0;
    bq_guest_enter(guest);
    struct bq_task *task = bq_task_take(guest);
    lua_pushcfunction(task->L, bq_task_sleep);
    lua_setglobal(task->L, "sleep");
    assert_int_equal(luaL_loadstring(task->L, "sleep(0.002) return 7"), 0);
    bq_task_start(task, 0, note_done, &result);
    assert_int_equal(result, 0);
    bq_guest_leave(guest);

    run(f->guests[1], "assert(sleep == nil)");

    bq_guest_enter(guest);
    for (int i = 0; i < 100 && !result; i++)
        bq_loop_run_once(f->loops[0], 10);
    bq_guest_leave(guest);
    assert_int_equal(result, 7);
}

static int registry_references(lua_State *L)
{
    int n = 0;
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1))
        n += lua_type(L, -2) == LUA_TNUMBER && lua_type(L, -1) != LUA_TNUMBER;
    return n;
}

static void its_end_gives_back_its_references_and_no_others(void **state)
{
    struct fixture *f = *state;
    lua_State *L = f->host->L;
    int before = registry_references(L);
    struct bq_vm *guest = bq_guest_new(f->host, f->loop);
    bq_guest_enter(guest);
    int given_back = 0;
    for (int i = 0; i < 20; i++) {
        lua_newtable(guest->L);
        given_back = luaL_ref(guest->L, LUA_REGISTRYINDEX);
    }
    bq_guest_leave(guest);
    assert_true(registry_references(L) > before + 20);

    luaL_unref(L, LUA_REGISTRYINDEX, given_back);
    lua_pushliteral(L, "the host's");
    int reused = luaL_ref(L, LUA_REGISTRYINDEX);
    assert_int_equal(reused, given_back);
    bq_vm_free(guest);
    lua_rawgeti(L, LUA_REGISTRYINDEX, reused);
    assert_string_equal(lua_tostring(L, -1), "the host's");
    lua_pop(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, reused);
    assert_int_equal(registry_references(L), before);
}

static void one_that_is_in_can_be_freed(void **state)
{
    struct fixture *f = *state;
    bq_guest_enter(f->guests[0]);
    bq_vm_free(f->guests[0]);
    f->guests[0] = NULL;
    assert_ptr_equal(bq_vm_of(f->host->L), f->host);
    run(f->guests[1], "assert(require and package.loaded._G == _G)");
}

static void what_a_guest_made_outlives_it(void **state)
{
    struct fixture *f = *state;
    run(f->host, "box = {}");
    lua_getglobal(f->host->L, "box");
    lua_xmove(f->host->L, f->guests[0]->L, 1);
    lua_setglobal(f->guests[0]->L, "box");
    run(f->guests[0], "local secret = 41 box.ask = function() return secret + 1 end");
    bq_vm_free(f->guests[0]);
    f->guests[0] = NULL;
    run(f->host, "collectgarbage() collectgarbage() assert(box.ask() == 42)");
}

#ifdef BQ_FAULTS
static void without_memory_there_is_no_guest(void **state)
{
    struct fixture *f = *state;
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    struct bq_vm *guest = bq_guest_new(f->host, f->loop);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_null(guest);
    run(f->host, "assert(package.loaded._G == _G)");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_has_globals_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(each_loads_modules_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_guest_searches_where_its_host_does, setup, teardown),
        cmocka_unit_test_setup_teardown(libraries_are_one_for_all, setup, teardown),
        cmocka_unit_test_setup_teardown(c_finds_the_vm_that_is_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_waits_on_the_guest_s_own_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(its_end_gives_back_its_references_and_no_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_is_in_can_be_freed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_guest_made_outlives_it, setup, teardown),
#ifdef BQ_FAULTS
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_guest, setup, teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
