/* vm_test.c: a state's memory is bounded, and running out of it is an error, no crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/memory.h"

static void the_vm_is_found_from_any_coroutine(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    assert_ptr_equal(bq_vm_of(vm->L), vm);
    assert_ptr_equal(bq_vm_of(lua_newthread(vm->L)), vm);
    bq_vm_free(vm);
}

static void the_memory_limit_is_an_error_that_the_state_survives(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 8 << 20);
    for (int i = 0; i < 3; i++) {
        int rc = luaL_dostring(vm->L, "local t = {} for i = 1, 1e9 do t[i] = {} end");
        assert_int_not_equal(rc, 0);
        assert_string_equal(lua_tostring(vm->L, -1), "not enough memory");
        assert_true(vm->bytes <= vm->bytes_max * 2);
        lua_settop(vm->L, 0);
        lua_gc(vm->L, LUA_GCCOLLECT, 0);
        assert_int_equal(luaL_dostring(vm->L, "x = ('y'):rep(1000)"), 0);
    }
    assert_int_not_equal(luaL_dostring(vm->L, "return ('x'):rep(2^30)"), 0);
    bq_vm_free(vm);
    assert_int_equal(bq_mem_live(), 0);
}

static void after_running_out_of_memory_a_state_is_relieved_of_its_garbage(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 8 << 20);
    assert_int_not_equal(luaL_dostring(vm->L, "local t = {} for i = 1, 1e9 do t[i] = {} end"), 0);
    lua_settop(vm->L, 0);
    /* Nothing at all fits any more, not even a protected call. */
    size_t bytes_max = vm->bytes;
    bq_vm_limit(vm, bytes_max);
    assert_true(vm->exhausted);
    bq_vm_relieve(vm);
    assert_false(vm->exhausted);
    assert_true(vm->bytes < 1 << 20);
    assert_int_equal(vm->bytes_max, bytes_max);
    bq_vm_free(vm);
    assert_int_equal(bq_mem_live(), 0);
}

static void near_the_limit_a_state_is_relieved_before_anything_fails(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 16 << 20);
    /* Ten of sixteen are kept: LuaJIT would let the heap grow to twenty before it collects. */
    assert_int_equal(luaL_dostring(vm->L, "kept = {} n = 0\n"
                                          "for i = 1, 10 do kept[i] = ('x'):rep(2^20 - i) end\n"
                                          "collectgarbage()"),
                     0);
    for (int i = 0; i < 200; i++) {
        bq_vm_relieve(vm);
        assert_int_equal(luaL_dostring(vm->L, "for i = 1, 4 do\n"
                                              "  n = n + 1 local s = ('y'):rep(2^17) .. n\n"
                                              "end"),
                         0);
        assert_false(vm->exhausted);
    }
    bq_vm_free(vm);
}

static void the_count_of_bytes_follows_the_collector(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    size_t before = vm->bytes;
    assert_int_equal(luaL_dostring(vm->L, "kept = ('x'):rep(1000000)"), 0);
    assert_true(vm->bytes >= before + 1000000);
    assert_int_equal(luaL_dostring(vm->L, "kept = nil collectgarbage() collectgarbage()"), 0);
    assert_true(vm->bytes < before + 1000000);
    bq_vm_free(vm);
}

static void the_locale_of_the_process_cannot_be_changed(void **state)
{
    (void)state;
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    assert_int_equal(luaL_dostring(vm->L, "assert(os.setlocale() == 'C')\n"
                                          "assert(os.setlocale('C') == 'C')\n"
                                          "assert(os.setlocale('de_DE.UTF-8') == nil)\n"
                                          "assert(os.setlocale('') == nil)"),
                     0);
    bq_vm_free(vm);
}

static void raise_text(lua_State *L, void *arg)
{
    luaL_error(L, "%s", (const char *)arg);
}

static void count_up(lua_State *L, void *arg)
{
    lua_pushinteger(L, 1);
    ++*(int *)arg;
}

static void protect_reports_errors_and_keeps_the_stack(void **state)
{
    (void)state;
    int n = 0;
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    int top = lua_gettop(vm->L);
    assert_int_equal(bq_vm_protect(vm, count_up, &n), BQ_OK);
    assert_int_equal(n, 1);
    assert_int_equal(bq_vm_protect(vm, raise_text, (void *)"x"), BQ_INVALID);
    assert_int_equal(lua_gettop(vm->L), top);
    bq_vm_free(vm);
}

#ifdef BQ_FAULTS
static void every_failed_allocation_while_opening_is_survived(void **state)
{
    (void)state;
    int opened = 0;
    for (long nth = 1; !opened && nth < 5000; nth += nth < 200 ? 1 : 7) {
        bq_fault_arm(BQ_FAULT_lua_alloc, nth, false);
        struct bq_vm *vm = bq_vm_new(NULL, 0);
        opened = bq_fault_hits(BQ_FAULT_lua_alloc) == 0;
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
        if (vm)
            bq_vm_free(vm);
        assert_int_equal(bq_mem_live(), 0);
    }
    assert_true(opened);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vm_is_found_from_any_coroutine),
        cmocka_unit_test(the_memory_limit_is_an_error_that_the_state_survives),
        cmocka_unit_test(after_running_out_of_memory_a_state_is_relieved_of_its_garbage),
        cmocka_unit_test(near_the_limit_a_state_is_relieved_before_anything_fails),
        cmocka_unit_test(the_count_of_bytes_follows_the_collector),
        cmocka_unit_test(the_locale_of_the_process_cannot_be_changed),
        cmocka_unit_test(protect_reports_errors_and_keeps_the_stack),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_failed_allocation_while_opening_is_survived),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
