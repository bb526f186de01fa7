/* raw_test.c: what is read of values in place is what Lua's API says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "vm/vm.h"

static int setup(void **state)
{
    *state = bq_vm_new(NULL, 0);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    bq_vm_free(*state);
    return bq_mem_live() == 0 ? 0 : -1;
}

static const struct bq_raw_table *table_of(lua_State *L, const char *expression)
{
    lua_settop(L, 0);
    lua_pushfstring(L, "return %s", expression);
    if (luaL_loadstring(L, lua_tostring(L, 1)) != 0 || lua_pcall(L, 0, 1, 0) != 0)
        fail_msg("%s", lua_tostring(L, -1));
    assert_true(lua_istable(L, 2));
    return lua_topointer(L, 2);
}

static void values_lie_as_they_should_in_this_library(void **state)
{
    struct bq_vm *vm = *state;
    int top = lua_gettop(vm->L);
    assert_true(vm->raw_null != 0);
    assert_true(bq_raw_probe(vm->L) == vm->raw_null);
    assert_int_equal(lua_gettop(vm->L), top);
}

static void null_is_found_in_each_state(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        lua_State *L = luaL_newstate();
        for (int n = 0; n < i; n++) /* each of another segment, which are numbered as they come */
            lua_pushlightuserdata(L, (void *)(((uintptr_t)n + 1) << 40));
        bq_raw null = bq_raw_probe(L);
        assert_true(null != 0);
        lua_createtable(L, 1, 0);
        lua_pushlightuserdata(L, NULL);
        lua_rawseti(L, -2, 1);
        assert_true(((const struct bq_raw_table *)lua_topointer(L, -1))->array[1] == null);
        lua_close(L);
    }
}

/* The value as lua_next gives it: the same as the one in place. */
static void check_value(lua_State *L, bq_raw v, int index)
{
    double number = 0;
    bool is_number = bq_raw_number(v, &number);
    assert_int_equal(is_number, lua_type(L, index) == LUA_TNUMBER);
    if (is_number)
        assert_true(number == lua_tonumber(L, index));
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t n;
        const char *p = lua_tolstring(L, index, &n);
        assert_int_equal(bq_raw_tag(v), BQ_RAW_STRING);
        assert_true(v == bq_raw_of_string(p));
        assert_true(bq_raw_str(v).p == p && bq_raw_str(v).n == n);
    }
    if (lua_type(L, index) == LUA_TTABLE) {
        assert_int_equal(bq_raw_tag(v), BQ_RAW_TABLE);
        assert_ptr_equal(bq_raw_address(v), lua_topointer(L, index));
    }
    if (lua_type(L, index) == LUA_TBOOLEAN)
        assert_int_equal(bq_raw_tag(v), lua_toboolean(L, index) ? BQ_RAW_TRUE : BQ_RAW_FALSE);
}

/* Goes through the table at 2 by lua_next, which must meet the same things in the same order. */
static void check_order(lua_State *L, const struct bq_raw_table *t)
{
    uint32_t position = 0, pair = 0;
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        while (position < t->array_size && bq_raw_tag(t->array[position]) == BQ_RAW_NIL)
            position++;
        if (position < t->array_size) {
            assert_true(lua_tonumber(L, -2) == position);
            check_value(L, t->array[position++], -1);
            continue;
        }
        while (bq_raw_tag(t->pairs[pair].value) == BQ_RAW_NIL)
            assert_true(++pair <= t->pairs_mask);
        check_value(L, t->pairs[pair].key, -2);
        check_value(L, t->pairs[pair++].value, -1);
    }
}

static void tables_are_met_in_the_order_of_next(void **state)
{
    static const char *const expressions[] = {
        "{}",
        "{1, 2, 3}",
        "{a = 1, b = 'two', c = true, d = false, e = {}, f = 1.5}",
        "{1, nil, 3, x = 1, [0] = 0, [-1] = 2, [1.5] = 3, [{}] = 4, [true] = 5, [1e300] = 6}",
        "(function() local t = {} for i = 1, 1000 do t['k' .. i] = i end return t end)()",
        "(function() local t = {} for i = 1000, 1, -1 do t[i] = -i end return t end)()",
        "(function() local t = {a = 1, b = 2, c = 3} t.b = nil t.z = 0/1 t.a = nil return t end)()",
        "(function() local t = {} for i = 1, 64 do t[i] = i < 4 or nil end return t end)()",
        "(function() local t = {1, 2, 3, 4, 5} t[5], t[4], t[3] = nil return t end)()",
        "setmetatable({'\\0', ('x'):rep(1000), ''}, {})",
        "_G",
        "package.loaded",
    };
    struct bq_vm *vm = *state;
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++)
        check_order(vm->L, table_of(vm->L, expressions[i]));
}

static void metatables_are_found(void **state)
{
    struct bq_vm *vm = *state;
    assert_null(table_of(vm->L, "{}")->metatable);
    const struct bq_raw_table *t = table_of(vm->L, "setmetatable({}, {})");
    assert_true(lua_getmetatable(vm->L, 2));
    assert_ptr_equal(t->metatable, lua_topointer(vm->L, -1));
}

static void tables_that_compiled_code_made_are_no_others(void **state)
{
    struct bq_vm *vm = *state;
    check_order(vm->L, table_of(vm->L, "(function() local t for i = 1, 1000 do "
                                       "t = { id = i, list = { i, -i, i / 3 }, s = 'x' .. i } end "
                                       "return t end)()"));
}

static void the_top_of_every_coroutine_is_found(void **state)
{
    struct bq_vm *vm = *state;
    lua_settop(vm->L, 0);
    lua_State *L = lua_newthread(vm->L);
    for (int i = 0; i < 200; i++) { /* its stack moves as it grows */
        lua_checkstack(L, 2);
        lua_pushfstring(L, "number %d", i);
        check_value(L, bq_raw_top(L), -1);
        assert_int_equal(bq_raw_count(L), lua_gettop(L));
        lua_pushnumber(L, i);
        assert_true(bq_raw_double(bq_raw_top(L), &(double){0}));
        check_value(L, bq_raw_top(L), -1);
    }
    lua_pop(L, 399);
    assert_true(bq_raw_str(bq_raw_top(L)).p == lua_tostring(L, 1));
    assert_ptr_equal(bq_raw_address(bq_raw_top(vm->L)), L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_lie_as_they_should_in_this_library, setup, teardown),
        cmocka_unit_test(null_is_found_in_each_state),
        cmocka_unit_test_setup_teardown(tables_are_met_in_the_order_of_next, setup, teardown),
        cmocka_unit_test_setup_teardown(metatables_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(the_top_of_every_coroutine_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_that_compiled_code_made_are_no_others, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
