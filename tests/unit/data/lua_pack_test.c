/* lua_pack_test.c: values go round unchanged, and what cannot is refused with its path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "data/lua_pack.h"

#include <stdlib.h>

struct fixture {
    lua_State *L;
    struct bq_buf buf;
    struct bq_pack_error error;
};

/* Equal in type and contents, metatables too. */
static const char prelude[] =
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return rawequal(a, b) end\n"
    "  if getmetatable(a) ~= getmetatable(b) then return false end\n"
    "  for k, v in next, a do if not same(v, rawget(b, k)) then return false end end\n"
    "  for k in next, b do if rawget(a, k) == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "array = function(t) return setmetatable(t, debug.getregistry()['barq.array']) end\n"
    "object = function(t) return setmetatable(t, debug.getregistry()['barq.object']) end\n";

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0)
        fail_msg("%s: %s", code, lua_tostring(L, -1));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->L = luaL_newstate();
    luaL_openlibs(f->L);
    luaL_newmetatable(f->L, "barq.array");
    luaL_newmetatable(f->L, "barq.object");
    lua_pushlightuserdata(f->L, NULL);
    lua_setglobal(f->L, "null");
    run(f->L, prelude);
    lua_settop(f->L, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    bq_buf_release(&f->buf);
    free(f);
    return 0;
}

/* Packs the global v. */
static int pack(struct fixture *f, size_t bytes_max)
{
    bq_buf_reset(&f->buf);
    lua_settop(f->L, 0);
    lua_getglobal(f->L, "v");
    int rc = bq_pack(f->L, 1, bytes_max, &f->buf, &f->error);
    assert_int_equal(lua_gettop(f->L), 1);
    return rc;
}

static void check_round_trip(struct fixture *f)
{
    assert_int_equal(pack(f, SIZE_MAX / 2), BQ_OK);
    bq_unpack(f->L, bq_buf_str(&f->buf));
    assert_int_equal(lua_gettop(f->L), 2);
    lua_setglobal(f->L, "w");
    run(f->L, "assert(same(v, w), 'differs')");
}

static void every_kind_of_value_goes_round(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {
        "true",
        "false",
        "0",
        "-0.5",
        "2^53",
        "1/0",
        "''",
        "'text'",
        "('x'):rep(255)",
        "('x'):rep(256)",
        "('\\0\\255'):rep(100000)",
        "null",
        "{}",
        "{ 1, 2, 3 }",
        "{ 'a', { 'b', {} }, null, false }",
        "{ a = 1, ['b c'] = { d = { e = true } } }",
        "{ 1, 2, x = 3, [true] = 4, [false] = 5, [1.5] = 6, [-1] = 7, [0] = 8, [2^40] = 9 }",
        "{ 1, nil, 3 }",
        "{ [3] = 'c', [2] = 'b', [1] = 'a' }",
        "array{}",
        "object{}",
        "{ list = array{ object{}, array{ 1 } } }",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        lua_pushfstring(f->L, "v = %s", values[i]);
        run(f->L, lua_tostring(f->L, -1));
        check_round_trip(f);
    }
}

static void the_form_is_compact(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = { 'ab', true, k = false }");
    assert_int_equal(pack(f, 100), BQ_OK);
    const char want[] = "T\2\0\0\0\1\0\0\0s\2abts\1kf";
    assert_int_equal(bq_buf_size(&f->buf), sizeof want - 1);
    assert_memory_equal(f->buf.data, want, sizeof want - 1);
}

static void other_metatables_are_dropped_and_not_run(void **state)
{
    struct fixture *f = *state;
    run(f->L, "local boom = function() error('ran') end\n"
              "v = setmetatable({ 1, a = 2 }, { __index = boom, __len = boom, __pairs = boom })");
    assert_int_equal(pack(f, 1000), BQ_OK);
    bq_unpack(f->L, bq_buf_str(&f->buf));
    lua_setglobal(f->L, "w");
    run(f->L, "assert(getmetatable(w) == nil and same(setmetatable(v, nil), w))");
}

static void marks_are_dropped_where_nobody_made_them(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = array{ 1 }");
    assert_int_equal(pack(f, 1000), BQ_OK);
    run(f->L, "debug.getregistry()['barq.array'] = nil");
    bq_unpack(f->L, bq_buf_str(&f->buf));
    lua_setglobal(f->L, "w");
    run(f->L, "assert(getmetatable(w) == nil and w[1] == 1)");
}

static void a_table_met_twice_is_copied_twice(void **state)
{
    struct fixture *f = *state;
    run(f->L, "local t = { 1 }; v = { t, t, { t } }");
    check_round_trip(f);
    run(f->L, "assert(w[1] ~= w[2])");
}

static void check_refused(struct fixture *f, const char *value, const char *text)
{
    lua_settop(f->L, 0);
    run(f->L, value);
    assert_int_equal(pack(f, SIZE_MAX / 2), BQ_INVALID);
    assert_string_equal(f->error.text, text);
}

static void what_cannot_be_stored_is_named_with_its_path(void **state)
{
    struct fixture *f = *state;
    check_refused(f, "v = print", "a function cannot be stored");
    check_refused(f, "v = { a = { b = { 1, 2, print } } }", "a.b[3]: a function cannot be stored");
    check_refused(f, "v = { { x = io.stdout } }", "[1].x: a userdata cannot be stored");
    check_refused(f, "v = { ['a b'] = { [1.5] = { [true] = coroutine.create(print) } } }",
                  "[\"a b\"][1.5][true]: a thread cannot be stored");
    check_refused(f, "v = { k = { [{}] = 1 } }",
                  "k: a table as a key cannot be stored: use a string, number or boolean");
    check_refused(f, "v = { ['\\1\\n'] = print }", "[\"??\"]: a function cannot be stored");
    check_refused(f, "v = { require('ffi').new('int') }", "[1]: a cdata cannot be stored");
}

static void a_cycle_is_named(void **state)
{
    struct fixture *f = *state;
    check_refused(f, "v = {}; v.self = v", "self: the table contains itself");
    check_refused(f, "v = { a = { b = {} } }; v.a.b.c = v.a", "a.b.c: the table contains itself");
}

static void nesting_is_bounded(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = 1; for i = 1, 64 do v = { v } end");
    check_round_trip(f);
    run(f->L, "v = { v }");
    assert_int_equal(pack(f, SIZE_MAX / 2), BQ_INVALID);
    assert_non_null(strstr(f->error.text, "[1][1][1]"));
    assert_non_null(strstr(f->error.text, "nested too deep"));
}

static void a_long_path_is_cut(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = print; for i = 1, 30 do v = { [('long_key'):rep(10)] = v } end");
    assert_int_equal(pack(f, SIZE_MAX / 2), BQ_INVALID);
    assert_int_equal(strlen(f->error.text), sizeof f->error.text - 1);
}

static void size_is_bounded_to_the_byte(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {"v = ('x'):rep(300)", "v = { 1, { a = 'b' }, true }",
                                         "v = 12"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        run(f->L, values[i]);
        assert_int_equal(pack(f, SIZE_MAX / 2), BQ_OK);
        size_t n = bq_buf_size(&f->buf);
        for (size_t max = 0; max < n; max++)
            assert_int_equal(pack(f, max), BQ_LIMIT);
        assert_int_equal(pack(f, n), BQ_OK);
    }
}

/* 2^60 tables when walked: the bound on bytes ends it. */
static void a_maze_of_shared_tables_ends_at_the_size_limit(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = {}; for i = 1, 60 do v = { v, v } end");
    assert_int_equal(pack(f, 1 << 16), BQ_LIMIT);
}

static const char random_value[] =
    "local random = math.random\n"
    "local function text()\n"
    "  local t = {}\n"
    "  for i = 1, random(0, 3) == 0 and random(200, 300) or random(0, 9) do\n"
    "    t[i] = string.char(random(0, 255))\n"
    "  end\n"
    "  return table.concat(t)\n"
    "end\n"
    "local function scalar()\n"
    "  local kind = random(5)\n"
    "  return kind == 1 and text() or kind == 2 and random(-10, 10) or kind == 3 and null\n"
    "    or kind == 4 and random() * 2 ^ random(-300, 300) or random(2) == 1\n"
    "end\n"
    "local function key() local k = scalar() return k == null and 0 or k end\n"
    "function value(depth)\n"
    "  if depth == 0 or random(3) == 1 then return scalar() end\n"
    "  local t, mark = {}, random(6)\n"
    "  for i = 1, random(0, 5) do t[random(4) == 1 and random(9) or i] = value(depth - 1) end\n"
    "  for _ = 1, random(0, 5) do t[key()] = value(depth - 1) end\n"
    "  return mark == 1 and array(t) or mark == 2 and object(t) or t\n"
    "end\n";

static void random_values_go_round(void **state)
{
    struct fixture *f = *state;
    run(f->L, random_value);
    run(f->L, "math.randomseed(7)");
    for (int i = 0; i < 3000; i++) {
        run(f->L, "v = value(4)");
        check_round_trip(f);
    }
}

#ifdef BQ_FAULTS
static void memory_failing_at_any_growth_is_reported(void **state)
{
    struct fixture *f = *state;
    run(f->L, "v = {}; for i = 1, 300 do v[i] = { name = ('x'):rep(i) } end");
    long nth = 1;
    for (;; nth++) {
        bq_buf_release(&f->buf);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        int rc = pack(f, SIZE_MAX / 2);
        bool failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, failed ? BQ_MEMORY : BQ_OK);
        if (!failed)
            break;
    }
    assert_true(nth > 5);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_value_goes_round),
        TEST(the_form_is_compact),
        TEST(other_metatables_are_dropped_and_not_run),
        TEST(marks_are_dropped_where_nobody_made_them),
        TEST(a_table_met_twice_is_copied_twice),
        TEST(what_cannot_be_stored_is_named_with_its_path),
        TEST(a_cycle_is_named),
        TEST(nesting_is_bounded),
        TEST(a_long_path_is_cut),
        TEST(size_is_bounded_to_the_byte),
        TEST(a_maze_of_shared_tables_ends_at_the_size_limit),
        TEST(random_values_go_round),
#ifdef BQ_FAULTS
        TEST(memory_failing_at_any_growth_is_reported),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
