/* memory_test.c: the limit holds for compiled code, and spares what is garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "vm/memory.h"

#define LIMIT ((size_t)8 << 20)

static int setup(void **state)
{
    *state = bq_vm_new(NULL, LIMIT);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    bq_vm_free(*state);
    return bq_mem_live() == 0 ? 0 : -1;
}

static void expect(struct bq_vm *vm, const char *code, const char *result)
{
    if (luaL_dostring(vm->L, code) != 0)
        fail_msg("%s: %s", code, lua_tostring(vm->L, -1));
    assert_string_equal(lua_tostring(vm->L, -1), result);
    lua_settop(vm->L, 0);
}

static void compiled_code_that_keeps_too_much_is_ended(void **state)
{
    static const char *const greedy[] = {
        "local t = {} for i = 1, 1e9 do t[i] = { i } end",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100) .. i end",
        "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
        "local s = '' for i = 1, 1e9 do s = s .. ('y'):rep(20000) end",
        "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
    };
    struct bq_vm *vm = *state;
    for (size_t i = 0; i < 2 * sizeof greedy / sizeof greedy[0]; i++) {
        const char *code = greedy[i % (sizeof greedy / sizeof greedy[0])];
        assert_int_not_equal(luaL_dostring(vm->L, code), 0);
        assert_string_equal(lua_tostring(vm->L, -1), "not enough memory");
        lua_settop(vm->L, 0);
        /* What memory.c refuses on the spot. */
        assert_true(vm->bytes <= LIMIT + LIMIT / 2 + ((size_t)32 << 20));
        bq_vm_relieve(vm);
        expect(vm, "return 'well'", "well");
    }
}

static void what_is_held_at_most_is_known_until_it_is_given_back(void **state)
{
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    (void)state;
    assert_non_null(vm);
    size_t before = vm->bytes;
    expect(vm, "kept = {} for i = 1, 300000 do kept[i] = { i } end return 'kept'", "kept");
    assert_true(vm->bytes > before + ((size_t)20 << 20));
    bq_vm_relieve(vm);
    assert_true(vm->bytes_most > before + ((size_t)12 << 20)); /* nothing is free yet */
    expect(vm, "kept = nil return 'gone'", "gone");
    lua_gc(vm->L, LUA_GCCOLLECT, 0);
    bq_vm_relieve(vm);
    assert_int_equal(vm->bytes_most, vm->bytes);
    assert_true(vm->bytes < before + ((size_t)1 << 20));
    bq_vm_free(vm);
}

static void a_limit_below_the_next_look_is_looked_at(void **state)
{
    struct bq_vm *vm = *state;
    assert_int_equal(vm->bytes_far, LIMIT);
    bq_vm_limit(vm, 0);
    assert_true(vm->bytes_far > LIMIT);
    bq_vm_limit(vm, (size_t)2 << 20);
    assert_int_equal(vm->bytes_far, (size_t)2 << 20);
    assert_int_not_equal(luaL_dostring(vm->L, "kept = {} for i = 1, 1e9 do kept[i] = { i } end"),
                         0);
    lua_settop(vm->L, 0);
    lua_pushnil(vm->L);
    lua_setglobal(vm->L, "kept");
    bq_vm_relieve(vm);
    expect(vm, "return 'well'", "well");
}

static void arrays_grow_and_shrink(void **state)
{
    expect(*state,
           "for size = 1, 200 do\n"
           "  local arrays = {}\n"
           "  for k = 1, 20 do local t = {} for i = 1, size do t[i] = i * k end arrays[k] = t end\n"
           "  for k = 1, 20 do for i = 1, size do assert(arrays[k][i] == i * k) end end\n"
           "  for k = 1, 20 do for i = size, 3, -1 do arrays[k][i] = nil end\n"
           "    arrays[k].name = k assert(arrays[k][1] == k and arrays[k].name == k) end\n"
           "end return 'whole'",
           "whole");
}

static void garbage_is_no_reason_to_fail(void **state)
{
    expect(*state,
           "for i = 1, 300000 do local t = { i, tostring(i) } end\n"
           "for i = 1, 2000 do local s = ('x'):rep(50000) .. i end return 'done'",
           "done");
}

static void the_error_can_be_caught_and_comes_again(void **state)
{
    expect(*state,
           "local errors = 0\n"
           "for _ = 1, 3 do\n"
           "  local ok, err = pcall(function()\n"
           "    local kept = {} for i = 1, 1e9 do kept[i] = { i } end end)\n"
           "  if not ok and err == 'not enough memory' then errors = errors + 1 end\n"
           "end\n"
           "return errors .. ' times'",
           "3 times");
}

static void what_is_far_beyond_is_refused_at_once(void **state)
{
    struct bq_vm *vm = *state;
    assert_int_not_equal(luaL_dostring(vm->L, "return ('x'):rep(2^30)"), 0);
    assert_string_equal(lua_tostring(vm->L, -1), "not enough memory");
    assert_true(vm->bytes < LIMIT);
    expect(vm, "return 'well'", "well");
}

/* Its allocations but the first so many ask for the end. */
struct ending {
    struct bq_vm *vm;
    long left;
};

static void *alloc_until(void *arg, void *old, size_t old_bytes, size_t bytes)
{
    struct ending *ending = arg;
    if (bytes > old_bytes && --ending->left < 0)
        bq_vm_end_soon(ending->vm, "that is enough");
    return bq_vm_alloc(ending->vm, old, old_bytes, bytes);
}

static void what_is_to_end_catches_nothing(void **state)
{
    static const char *const endless[] = {
        "while true do x = {} end",
        "local i = 0 while true do i = i + 1 x = 'x' .. i end",
        "while true do x = function() return x end end",
        "while true do pcall(function() x = {} end) end",
        "while true do xpcall(error, function() x = {} return x end) end",
        "while true do coroutine.wrap(function() x = {} end)() end",
        "while true do x = setmetatable({}, { __index = function() return {} end }).y end",
        "while true do x = ('a'):gsub('a', function() return { } and 'b' end) .. #tostring(x) end",
    };
    struct bq_vm *vm = *state;
    for (size_t i = 0; i < 2 * sizeof endless / sizeof endless[0]; i++) {
        struct ending ending = {vm, i % 3 ? 10000 : 0};
        lua_setallocf(vm->L, alloc_until, &ending);
        int rc = luaL_dostring(vm->L, endless[i % (sizeof endless / sizeof endless[0])]);
        lua_setallocf(vm->L, bq_vm_alloc, vm);
        assert_int_not_equal(rc, 0);
        lua_settop(vm->L, 0);
        bq_vm_relieve(vm);
        expect(vm, "local n = 0 for i = 1, 1000 do n = n + #{ i } end return n .. ''", "1000");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compiled_code_that_keeps_too_much_is_ended, setup,
                                        teardown),
        cmocka_unit_test(what_is_held_at_most_is_known_until_it_is_given_back),
        cmocka_unit_test_setup_teardown(a_limit_below_the_next_look_is_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays_grow_and_shrink, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_no_reason_to_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(the_error_can_be_caught_and_comes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_to_end_catches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_far_beyond_is_refused_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
