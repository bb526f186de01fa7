/* raw_make_test.c: tables filled in place are no other than those that the API fills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "vm/raw_make.h"
#include "vm/vm.h"

#include <stdio.h>

struct world {
    struct bq_vm *vm;
    lua_State *L;
    struct bq_arena arena;
};

static int setup(void **state)
{
    static struct world w;
    w.vm = bq_vm_new(NULL, 0);
    if (!w.vm)
        return -1;
    w.L = w.vm->L;
    bq_arena_init(&w.arena, NULL, 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    bq_arena_release(&w->arena);
    bq_vm_free(w->vm);
    return bq_mem_live() == 0 ? 0 : -1;
}

/* Names of that series, on the stack from 1 on. */
static const struct bq_raw_shape *shape_of(struct world *w, int series, int count)
{
    lua_settop(w->L, 0);
    luaL_checkstack(w->L, count, "names");
    for (int i = 0; i < count; i++)
        lua_pushfstring(w->L, "%d of %d", i, series);
    const struct bq_raw_shape *shape = bq_raw_shape_make(w->L, &w->arena, 1, (size_t)count);
    assert_int_equal(lua_gettop(w->L), count);
    return shape;
}

/* The table at the top has these values under the names from 1 on, and nothing else. */
static void has_values(lua_State *L, const double *values, int count)
{
    int set = 0, met = 0;
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, i + 1);
        lua_rawget(L, -2);
        assert_int_equal(lua_isnil(L, -1), values[i] == 0);
        assert_true(lua_tonumber(L, -1) == values[i]);
        set += values[i] != 0;
        lua_pop(L, 1);
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        met++;
    assert_int_equal(met, set);
}

/* Every third value is nil, and is in the table as 0. */
static void fill(bq_raw *raw, double *values, int count, int from)
{
    for (int i = 0; i < count; i++) {
        values[i] = (i + from) % 3 ? i + 0.25 : 0;
        raw[i] = values[i] != 0 ? bq_raw_of_double(values[i]) : BQ_RAW_NIL_VALUE;
    }
}

static void records_have_their_values_and_no_others(void **state)
{
    struct world *w = *state;
    bq_raw raw[BQ_RAW_NAMES_MAX];
    double values[BQ_RAW_NAMES_MAX];
    for (int series = 0; series < 20; series++) {
        for (int count = 1; count <= BQ_RAW_NAMES_MAX; count++) {
            const struct bq_raw_shape *shape = shape_of(w, series, count);
            assert_non_null(shape);
            fill(raw, values, count, series);
            bq_raw record = bq_raw_push_record(w->L, shape, raw);
            assert_true(record == bq_raw_top(w->L));
            assert_ptr_equal(bq_raw_address(record), lua_topointer(w->L, -1));
            has_values(w->L, values, count);
        }
    }
}

/* What was nil, and names that the shape has not, so that the table grows. */
static void records_take_further_fields_as_other_tables_do(void **state)
{
    struct world *w = *state;
    bq_raw raw[BQ_RAW_NAMES_MAX];
    double values[BQ_RAW_NAMES_MAX];
    for (int count = 1; count <= BQ_RAW_NAMES_MAX; count++) {
        fill(raw, values, count, count);
        bq_raw_push_record(w->L, shape_of(w, 1, count), raw);
        int record = lua_gettop(w->L);
        for (int extra = 0; extra < 40; extra++) {
            int i = extra % count;
            values[i] = values[i] != 0 && extra % 5 ? 0 : extra + 1;
            lua_pushvalue(w->L, i + 1);
            if (values[i] != 0)
                lua_pushnumber(w->L, values[i]);
            else
                lua_pushnil(w->L);
            lua_rawset(w->L, record);
            lua_pushfstring(w->L, "extra %d", extra);
            lua_pushnumber(w->L, extra);
            lua_rawset(w->L, record);
        }
        for (int extra = 0; extra < 40; extra++) {
            lua_pushfstring(w->L, "extra %d", extra);
            lua_pushvalue(w->L, -1);
            lua_rawget(w->L, record);
            assert_true(lua_tonumber(w->L, -1) == extra && !lua_isnil(w->L, -1));
            lua_pop(w->L, 1);
            lua_pushnil(w->L);
            lua_rawset(w->L, record);
        }
        has_values(w->L, values, count);
    }
}

static void what_has_no_shape_gets_none(void **state)
{
    struct world *w = *state;
    assert_null(shape_of(w, 1, 0));
    assert_null(shape_of(w, 1, BQ_RAW_NAMES_MAX + 1));
    lua_settop(w->L, 0);
    lua_pushliteral(w->L, "a");
    lua_pushliteral(w->L, "b");
    lua_pushliteral(w->L, "a");
    assert_non_null(bq_raw_shape_make(w->L, &w->arena, 1, 2));
    assert_null(bq_raw_shape_make(w->L, &w->arena, 1, 3));
}

/* A record would not do as a metatable: what a new table has not is remembered in it. */
static void what_is_named_as_a_metamethod_gets_no_shape(void **state)
{
    struct world *w = *state;
    lua_State *L = w->L;
    lua_settop(L, 0);
    lua_pushliteral(L, "_index");
    lua_pushliteral(L, "__index");
    assert_non_null(bq_raw_shape_make(L, &w->arena, 1, 1));
    assert_null(bq_raw_shape_make(L, &w->arena, 1, 2));
    assert_null(bq_raw_shape_make(L, &w->arena, 2, 1));
}

static void without_memory_there_is_no_shape(void **state)
{
    struct world *w = *state;
#ifdef BQ_FAULTS
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_null(shape_of(w, 1, 3));
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
#endif
    assert_non_null(shape_of(w, 1, 3));
}

static void lists_have_their_values_and_room_for_more(void **state)
{
    struct world *w = *state;
    bq_raw raw[40];
    for (size_t room = 0; room <= 40; room++) {
        for (size_t count = 0; count <= room; count++) {
            lua_settop(w->L, 0);
            for (size_t i = 0; i < count; i++)
                raw[i] = bq_raw_of_double((double)i + 1.5);
            bq_raw list = bq_raw_push_list(w->L, raw, count, room);
            assert_true(list == bq_raw_top(w->L));
            assert_int_equal(lua_objlen(w->L, 1), count);
            lua_pushnumber(w->L, 7);
            lua_rawseti(w->L, 1, (int)count + 1);
            for (size_t i = 0; i <= count; i++) {
                lua_rawgeti(w->L, 1, (int)i + 1);
                assert_true(lua_tonumber(w->L, -1) == (i == count ? 7 : (double)i + 1.5));
            }
        }
    }
}

static void only_what_lua_must_hold_stays_on_the_stack(void **state)
{
    struct world *w = *state;
    lua_State *L = w->L;
    lua_settop(L, 0);
    lua_pushnumber(L, -2.5);
    assert_true(bq_raw_take(L) == bq_raw_of_double(-2.5));
    lua_pushnil(L);
    assert_true(bq_raw_take(L) == BQ_RAW_NIL_VALUE);
    for (int b = 0; b < 2; b++) {
        lua_pushboolean(L, b);
        assert_true(bq_raw_take(L) == bq_raw_of_boolean(b));
    }
    lua_pushlightuserdata(L, NULL);
    assert_true(bq_raw_take(L) == w->vm->raw_null);
    assert_int_equal(lua_gettop(L), 0);
    lua_pushliteral(L, "held");
    assert_true(bq_raw_take(L) == bq_raw_of_string(lua_tostring(L, 1)));
    lua_newtable(L);
    assert_ptr_equal(bq_raw_address(bq_raw_take(L)), lua_topointer(L, 2));
    lua_newuserdata(L, 1);
    bq_raw_take(L);
    lua_pushcfunction(L, luaopen_base);
    bq_raw_take(L);
    assert_int_equal(lua_gettop(L), 4);
}

static void values_of_every_type_come_out_as_they_went_in(void **state)
{
    struct world *w = *state;
    bq_raw raw[8];
    const struct bq_raw_shape *shape = shape_of(w, 3, 8);
    lua_State *L = w->L;
    lua_pushliteral(L, "text");
    lua_newtable(L);
    lua_newuserdata(L, 1);
    lua_pushcfunction(L, luaopen_base);
    lua_pushlightuserdata(L, NULL);
    lua_pushboolean(L, 0);
    lua_pushboolean(L, 1);
    lua_pushnumber(L, 1e300);
    for (int i = 0; i < 8; i++) {
        lua_pushvalue(L, 9 + i);
        raw[i] = bq_raw_take(L);
    }
    bq_raw_push_record(L, shape, raw);
    int record = lua_gettop(L);
    for (int i = 0; i < 8; i++) {
        lua_pushvalue(L, 1 + i);
        lua_rawget(L, record);
        assert_true(lua_rawequal(L, -1, 9 + i));
        lua_pop(L, 1);
    }
}

/* One tree of records, lists and strings that nobody else has, with its number everywhere. */
static bq_raw push_tree(lua_State *L, const struct bq_raw_shape *shape, int number, int depth)
{
    bq_raw values[3];
    int top = lua_gettop(L);
    lua_pushfstring(L, "%d at %d, and no other", number, depth);
    values[0] = bq_raw_take(L);
    values[1] = depth ? push_tree(L, shape, number, depth - 1) : bq_raw_of_double(number);
    lua_pushfstring(L, "%d in a list at %d", number, depth);
    bq_raw element = bq_raw_take(L);
    values[2] = bq_raw_push_list(L, &element, 1, 1 + (size_t)depth);
    bq_raw record = bq_raw_push_record(L, shape, values);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return record;
}

static const char check_tree[] =
    "local function check(a, b, c, t, number, depth)\n"
    "  assert(t[a] == number .. ' at ' .. depth .. ', and no other')\n"
    "  assert(t[c][1] == number .. ' in a list at ' .. depth and #t[c] == 1)\n"
    "  if depth == 0 then assert(t[b] == number) else check(a, b, c, t[b], number, depth - 1) end\n"
    "end\n"
    "return check\n";

/* On the stack, behind the three names. */
enum { CHECK = 4, KEPT };

#define TREES_KEPT 64
#define DEPTHS     5

/* The tree of that number is still what it was. */
static void check_kept(lua_State *L, int number)
{
    lua_pushvalue(L, CHECK);
    for (int i = 1; i <= 3; i++)
        lua_pushvalue(L, i);
    lua_rawgeti(L, KEPT, number % TREES_KEPT + 1);
    lua_pushinteger(L, number);
    lua_pushinteger(L, number % DEPTHS);
    if (lua_pcall(L, 6, 0, 0) != 0)
        fail_msg("%s", lua_tostring(L, -1));
}

/* Whatever the collector is at, and however far each allocation takes it. A tree is looked at when
 * the collector has been around since. */
static void the_collector_loses_nothing(void **state)
{
    struct world *w = *state;
    lua_State *L = w->L;
    const struct bq_raw_shape *shape = shape_of(w, 5, 3);
    assert_int_equal(luaL_loadstring(L, check_tree), 0);
    lua_call(L, 0, 1);
    lua_createtable(L, TREES_KEPT, 0);
    lua_gc(L, LUA_GCSETPAUSE, 0);
    for (int number = 0; number < 20000; number++) {
        if (number >= TREES_KEPT)
            check_kept(L, number - TREES_KEPT);
        lua_gc(L, LUA_GCSETSTEPMUL, number % 7 ? 20 + number % 400 : 100000);
        push_tree(L, shape, number, number % DEPTHS);
        lua_rawseti(L, KEPT, number % TREES_KEPT + 1);
    }
}

#ifdef BQ_FAULTS
static int l_push_tree(lua_State *L)
{
    const struct bq_raw_shape *shape = lua_touserdata(L, 1);
    push_tree(L, shape, 1, 3);
    return 0;
}
#endif

static void a_lack_of_memory_is_raised(void **state)
{
#ifdef BQ_FAULTS
    struct world *w = *state;
    lua_State *L = w->L;
    const struct bq_raw_shape *shape = shape_of(w, 5, 3);
    int rc = LUA_ERRMEM, nth = 0;
    while (rc != 0 && nth < 100) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        lua_pushcfunction(L, l_push_tree);
        lua_pushlightuserdata(L, (void *)shape);
        bq_fault_arm(BQ_FAULT_lua_alloc, ++nth, false);
        rc = lua_pcall(L, 1, 0, 0);
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
        assert_true(rc == 0 || rc == LUA_ERRMEM);
        lua_settop(L, 3);
    }
    assert_int_equal(rc, 0);
    assert_true(nth > 8);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
#define RAW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RAW_TEST(records_have_their_values_and_no_others),
        RAW_TEST(records_take_further_fields_as_other_tables_do),
        RAW_TEST(what_has_no_shape_gets_none),
        RAW_TEST(what_is_named_as_a_metamethod_gets_no_shape),
        RAW_TEST(without_memory_there_is_no_shape),
        RAW_TEST(lists_have_their_values_and_room_for_more),
        RAW_TEST(only_what_lua_must_hold_stays_on_the_stack),
        RAW_TEST(values_of_every_type_come_out_as_they_went_in),
        RAW_TEST(the_collector_loses_nothing),
        RAW_TEST(a_lack_of_memory_is_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
