/* encode_test.c: Lua values as JSON text, and what is said about those that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/decode.h"
#include "app/encode.h"
#include "base/fault.h"
#include "base/rc.h"
#include "lua_same.h"
#include "quick_fixture.h"
#include "json/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A state in which array, object and null are globals. */
static int open_lua(void **state)
{
    lua_State *L = luaL_newstate();
    if (!L)
        return -1;
    luaL_openlibs(L);
    bq_encode_open(L);
    lua_setglobal(L, "object");
    lua_setglobal(L, "array");
    bq_null_push(L);
    lua_setglobal(L, "null");
    bq_decode_open(L);
    *state = L;
    return 0;
}

static int close_lua(void **state)
{
    lua_close(*state);
    return 0;
}

static void push(lua_State *L, const char *expression)
{
    lua_settop(L, 0);
    char chunk[512];
    int n = snprintf(chunk, sizeof chunk, "return %s", expression);
    assert_true(n > 0 && (size_t)n < sizeof chunk);
    if (luaL_loadstring(L, chunk) != 0 || lua_pcall(L, 0, 1, 0) != 0)
        fail_msg("%s: %s", expression, lua_tostring(L, -1));
}

static void encodes(lua_State *L, const char *expression, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error = {"no text"};
    push(L, expression);
    if (bq_encode(L, -1, &out, &error) != BQ_OK)
        fail_msg("%s: %s", expression, error.text);
    assert_int_equal(lua_gettop(L), 1);
    quick_agrees(L, NULL, 1, BQ_OK, bq_buf_str(&out));
    assert_int_equal(bq_buf_push(&out, '\0'), BQ_OK);
    assert_string_equal(out.data, expected);
    bq_buf_release(&out);
}

/* What it says must begin with `expected`; the buffer keeps what was in it. */
static void refuses(lua_State *L, const char *expression, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error = {"no text"};
    push(L, expression);
    assert_int_equal(bq_buf_append(&out, BQ_STR("kept")), BQ_OK);
    assert_int_equal(bq_encode(L, 1, &out, &error), BQ_INVALID);
    assert_int_equal(lua_gettop(L), 1);
    assert_true(bq_str_eq(bq_buf_str(&out), BQ_STR("kept")));
    assert_false(quick_agrees(L, NULL, 1, BQ_INVALID, BQ_STR("")));
    if (strncmp(error.text, expected, strlen(expected)) != 0)
        fail_msg("%s: %s", expression, error.text);
    bq_buf_release(&out);
}

static void scalars_have_their_json_form(void **state)
{
    encodes(*state, "nil", "null");
    encodes(*state, "null", "null");
    encodes(*state, "true", "true");
    encodes(*state, "false", "false");
    encodes(*state, "42", "42");
    encodes(*state, "-1.5", "-1.5");
    encodes(*state, "2^53", "9007199254740992");
    encodes(*state, "-1/math.huge", "-0");
    encodes(*state, "'a\\n\"b\"'", "\"a\\n\\\"b\\\"\"");
    encodes(*state, "'\\0'", "\"\\u0000\"");
}

static void names_that_come_again_are_the_same(void **state)
{
    encodes(*state, "{{['a\"'] = 1}, {['a\"'] = {['a\"'] = 2}}, {b = 3}, {['a\"'] = 4}}",
            "[{\"a\\\"\":1},{\"a\\\"\":{\"a\\\"\":2}},{\"b\":3},{\"a\\\"\":4}]");
    /* More of them than are kept. */
    push(*state, "(function() local t = {} for i = 1, 300 do"
                 " t[i] = { ['name' .. i % 100] = i } end return t end)()");
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    assert_int_equal(bq_encode(*state, -1, &out, &error), BQ_OK);
    const char *p = out.data;
    for (int i = 1; i <= 300; i++) {
        char expected[48];
        int n = snprintf(expected, sizeof expected, "%c{\"name%d\":%d}", i == 1 ? '[' : ',',
                         i % 100, i);
        assert_memory_equal(p, expected, (size_t)n);
        p += n;
    }
    bq_buf_release(&out);
}

static void positions_make_an_array_and_names_an_object(void **state)
{
    encodes(*state, "{1, 2, 3}", "[1,2,3]");
    encodes(*state, "{{}, {{}}}", "[[],[[]]]");
    encodes(*state, "{a = 1}", "{\"a\":1}");
    encodes(*state, "{['1'] = 1}", "{\"1\":1}");
    encodes(*state, "{a = {b = {1, {c = null}}}}", "{\"a\":{\"b\":[1,{\"c\":null}]}}");
    encodes(*state, "{[''] = false}", "{\"\":false}");
    encodes(*state, "{null, null}", "[null,null]");
}

static void an_array_is_one_in_whatever_order_lua_holds_it(void **state)
{
    encodes(*state, "(function() local t = {} for i = 9, 1, -1 do t[i] = i end return t end)()",
            "[1,2,3,4,5,6,7,8,9]");
    encodes(*state, "{[3] = 'c', [2] = 'b', [1] = 'a'}", "[\"a\",\"b\",\"c\"]");
    encodes(*state,
            "(function() local t = {x = 1} t.x = nil for i = 1, 5 do t[i] = i end return t end)()",
            "[1,2,3,4,5]");
    encodes(*state, "{1, {[2] = 2, [3] = 3, [1] = 1}, [4] = 4, [3] = 3}", "[1,[1,2,3],3,4]");
}

static void marks_decide_where_the_guess_would_be_wrong(void **state)
{
    encodes(*state, "{}", "[]");
    encodes(*state, "array{}", "[]");
    encodes(*state, "object{}", "{}");
    encodes(*state, "object()", "{}");
    encodes(*state, "array()", "[]");
    encodes(*state, "array{1, 2}", "[1,2]");
    encodes(*state, "object{a = object{}}", "{\"a\":{}}");
    encodes(*state, "object{10}", "{\"1\":10}");
    encodes(*state, "object{[0] = true}", "{\"0\":true}");
    encodes(*state, "object{[-1.5] = true}", "{\"-1.5\":true}");
    encodes(*state, "object{[10000000000] = {}}", "{\"10000000000\":[]}");
    encodes(*state, "object(array{})", "{}");
    encodes(*state, "object(object{a = 1})", "{\"a\":1}");
}

static void a_mark_returns_the_table_that_it_got(void **state)
{
    encodes(*state, "(function() local t = {} return object(t) == t and array(t) == t end)()",
            "true");
}

static void a_mark_refuses_a_table_with_a_metatable_of_its_own(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    assert_int_equal(luaL_dostring(L, "return select(2, pcall(object, setmetatable({}, {})))"), 0);
    assert_non_null(strstr(lua_tostring(L, -1), "barq.object: the table has a metatable"));
    assert_int_equal(luaL_dostring(L, "return pcall(array, 'text')"), 0);
    assert_false(lua_toboolean(L, -2));
}

static void metamethods_are_not_run(void **state)
{
    encodes(*state,
            "setmetatable({1}, {__index = error, __len = error, __pairs = error, "
            "__tostring = error, __newindex = error})",
            "[1]");
    encodes(*state, "setmetatable({a = 1}, {object, __index = {b = 2}})", "{\"a\":1}");
    encodes(*state, "setmetatable({}, {io.stdout})", "[]");
}

static void values_without_json_form_are_refused_by_path(void **state)
{
    refuses(*state, "print", "a function has no JSON form; send ");
    refuses(*state, "{a = {b = {1, 2, print}}}", "field \"a.b[3]\": a function has no JSON form");
    refuses(*state, "{coroutine.create(print)}", "field \"[1]\": a thread has no JSON form");
    refuses(*state, "{f = io.stdout}", "field \"f\": a userdata has no JSON form");
    refuses(*state, "{n = 1LL}", "field \"n\": a cdata has no JSON form");
    refuses(*state, "{{{x = 0/0}}}", "field \"[1][1].x\": NaN and infinity have no JSON form");
    refuses(*state, "1/0", "NaN and infinity");
    refuses(*state, "{s = 'a\\255'}", "field \"s\": the string is not valid UTF-8");
    refuses(*state, "{{['a\\255'] = 1}}", "field \"[1].a\xff\": the name is not valid UTF-8");
    refuses(*state, "object{[5] = print}", "field \"[5]\": a function has no JSON form");
}

static void mixed_tables_are_refused_with_the_way_out(void **state)
{
    refuses(*state, "{list = {1, 2, x = 3}}",
            "field \"list.x\": a name among the positions of an array; use barq.object(t)");
    refuses(*state, "{x = 1, y = 2, z = 3, 10}", "field \"");
    refuses(*state, "array{a = 1}", "field \"a\": a name among the positions of an array");
    refuses(*state, "{list = {1, 2, [4] = 4}}",
            "field \"list\": position 3 of the array is empty; put barq.null there, or use "
            "barq.object(t)");
    refuses(*state, "{[2] = 1}", "position 1 of the array is empty");
    refuses(*state, "{[1e9] = 1}", "position 1 of the array is empty");
    refuses(*state, "{[0] = 1, 2}", "the key 0 makes it neither an array nor an object; use");
    refuses(*state, "{a = {[1.5] = 1}}", "field \"a\": the key 1.5 makes it neither");
    refuses(*state, "{[-1] = 1}", "the key -1 makes it neither");
    refuses(*state, "{[1e300] = 1}", "the key 1e+300 makes it neither");
    refuses(*state, "{[true] = 1}", "a key that is a boolean has no JSON form; use strings");
    refuses(*state, "{1, [{}] = 1}", "a key that is a table has no JSON form");
    refuses(*state, "object{[print] = 1}", "a key that is a function has no JSON form");
    refuses(*state, "object{[math.huge] = 1}", "the key inf makes it neither");
}

static void a_string_that_looks_like_a_position_is_a_name(void **state)
{
    refuses(*state, "{'a', ['2'] = 'b'}", "field \"2\": a name among the positions");
}

static void the_deepest_value_is_encoded_and_one_deeper_refused(void **state)
{
    lua_State *L = *state;
    for (int levels = BQ_ENCODE_DEPTH_MAX; levels <= BQ_ENCODE_DEPTH_MAX + 1; levels++) {
        lua_settop(L, 0);
        lua_pushinteger(L, levels);
        lua_setglobal(L, "levels");
        assert_int_equal(luaL_dostring(L, "local t = {} for i = 2, levels do t = {t} end return t"),
                         0);
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        int rc = bq_encode(L, 1, &out, &error);
        bool fits = levels == BQ_ENCODE_DEPTH_MAX;
        assert_int_equal(rc, fits ? BQ_OK : BQ_INVALID);
        assert_int_equal(bq_buf_size(&out), fits ? 2 * BQ_ENCODE_DEPTH_MAX : 0);
        bq_buf_release(&out);
    }
}

static void a_cycle_is_refused_as_too_deep(void **state)
{
    refuses(*state, "(function() local t = {} t.self = t return t end)()",
            "field \"self.self.self.");
    refuses(*state, "(function() local t = {} t[1] = t return t end)()", "field \"[1][1][1]");
}

static void a_long_path_is_cut(void **state)
{
    lua_State *L = *state;
    push(L, "{[('x'):rep(500)] = {y = print}}");
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    assert_int_equal(bq_encode(L, 1, &out, &error), BQ_INVALID);
    assert_non_null(strstr(error.text, "xxx...\": a function has no JSON form"));
    refuses(L, "{['a\\nb'] = print}", "field \"a?b\": ");
    refuses(L, "{[('x'):rep(99)] = {y = print}}", "field \"xxx");
    refuses(L, "{[('x'):rep(98)] = {print}}", "field \"xxx");
    bq_buf_release(&out);
}

/* What a table of 128 levels costs must not be a power of what one level costs. */
static void scattered_arrays_inside_each_other_are_walked_once(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    assert_int_equal(luaL_dostring(L, "local t = {} for i = 1, 100 do "
                                      "local outer = {[1] = t} outer[3] = 3 outer[2] = 2 "
                                      "t = outer end return t"),
                     0);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    assert_int_equal(bq_encode(L, 1, &out, &error), BQ_OK);
    assert_int_equal(bq_buf_size(&out), 100 * 6 + 2);
    bq_buf_release(&out);
}

static void an_index_from_either_end_names_the_value(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    lua_pushinteger(L, 1);
    lua_pushinteger(L, 2);
    lua_pushinteger(L, 3);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    assert_int_equal(bq_encode(L, 2, &out, &error), BQ_OK);
    assert_int_equal(bq_encode(L, -1, &out, &error), BQ_OK);
    assert_true(bq_str_eq(bq_buf_str(&out), BQ_STR("23")));
    assert_int_equal(lua_gettop(L), 3);
    bq_buf_release(&out);
}

/* --- memory --- */

struct limited {
    lua_Alloc alloc;
    void *ud;
    bool exhausted;
};

static void *limited_alloc(void *ud, void *p, size_t before, size_t after)
{
    struct limited *limited = ud;
    if (limited->exhausted && after > before)
        return NULL;
    return limited->alloc(limited->ud, p, before, after);
}

/* Every start height of the stack, so that some are just where it must grow. */
static void an_exhausted_lua_is_a_return_code(void **state)
{
    lua_State *L = *state;
    struct limited limited = {.exhausted = false};
    limited.alloc = lua_getallocf(L, &limited.ud);
    push(L, "(function() local t = {} for i = 2, 128 do t = {a = {i}, t}; t.a = nil end return t "
            "end)()");
    int refused = 0;
    for (int height = 1; height < 40; height++) {
        lua_State *co = lua_newthread(L);
        lua_pushvalue(L, 1);
        lua_xmove(L, co, 1);
        assert_true(lua_checkstack(co, height));
        for (int i = 1; i < height; i++)
            lua_pushboolean(co, true);
        lua_setallocf(L, limited_alloc, &limited);
        limited.exhausted = true;
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        int rc = bq_encode(co, 1, &out, &error);
        limited.exhausted = false;
        lua_setallocf(L, limited.alloc, limited.ud);
        assert_true(rc == BQ_MEMORY);
        assert_int_equal(lua_gettop(co), height);
        assert_int_equal(bq_buf_size(&out), 0);
        refused++;
        assert_int_equal(bq_encode(co, 1, &out, &error), BQ_OK);
        assert_int_equal(bq_buf_size(&out), 256);
        bq_buf_release(&out);
        lua_settop(L, 1);
    }
    assert_int_equal(refused, 39);
}

static void a_shallow_value_needs_no_memory_of_lua(void **state)
{
    lua_State *L = *state;
    push(L, "{message = 'hello', items = {{id = 1}, {id = 2.5}}, nested = {a = {b = object{}}}}");
    struct limited limited = {.exhausted = true};
    limited.alloc = lua_getallocf(L, &limited.ud);
    lua_setallocf(L, limited_alloc, &limited);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    int rc = bq_encode(L, 1, &out, &error);
    lua_setallocf(L, limited.alloc, limited.ud);
    assert_int_equal(rc, BQ_OK);
    bq_buf_release(&out);
}

#ifdef BQ_FAULTS
static void every_failed_allocation_of_the_buffer_is_a_return_code(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    assert_int_equal(luaL_dostring(L, "local t = {} for i = 1, 200 do "
                                      "t[i] = {name = ('\\1'):rep(i), object{[i] = true}, }"
                                      "t[i][1] = nil t[i].o = object{[i] = true} end return t"),
                     0);
    int failures = 0;
    for (long nth = 1;; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        int rc = bq_encode(L, 1, &out, &error);
        bool hit = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, hit ? BQ_MEMORY : BQ_OK);
        assert_int_equal(lua_gettop(L), 1);
        if (hit)
            assert_int_equal(bq_buf_size(&out), 0);
        bq_buf_release(&out);
        if (!hit)
            break;
        failures++;
    }
    assert_true(failures >= 5);
}
#endif

/* --- random values --- */

static const char random_chunk[] =
    "math.randomseed(11)\n"
    "local r = math.random\n"
    "local function text()\n"
    "  local parts = {}\n"
    "  for i = 1, r(0, 6) do\n"
    "    local pool = {'a', 'plain text', '\\0', '\\n\"\\\\', '\\127', '\\195\\164',\n"
    "                  '\\226\\130\\172', '\\240\\159\\152\\128', '/', '\\31'}\n"
    "    parts[i] = pool[r(#pool)]\n"
    "  end\n"
    "  return table.concat(parts)\n"
    "end\n"
    "local function number()\n"
    "  local kind = r(5)\n"
    "  if kind == 1 then return r(-100, 100) end\n"
    "  if kind == 2 then return (r() - 0.5) * 10 ^ r(-300, 300) end\n"
    "  if kind == 3 then return r(-1000000, 1000000) / 10 ^ r(0, 8) end\n"
    "  if kind == 4 then return r(0, 2 ^ 31) * 2 ^ 22 + r(0, 4194303) end\n"
    "  return r() / 3\n"
    "end\n"
    "function random_value(depth)\n"
    "  local kind = r(depth > 4 and 4 or 7)\n"
    "  if kind == 1 then return text() end\n"
    "  if kind == 2 then return number() end\n"
    "  if kind == 3 then return r(2) == 1 end\n"
    "  if kind == 4 then return null end\n"
    "  local t = {}\n"
    "  for i = 1, r(0, 5) do\n"
    "    if kind == 5 then t[text()] = random_value(depth + 1)\n"
    "    else t[i] = random_value(depth + 1) end\n"
    "  end\n"
    "  return t\n"
    "end\n" LUA_SAME;

static bool same_on_top(lua_State *L)
{
    lua_getglobal(L, "same");
    lua_insert(L, -3);
    lua_call(L, 2, 1);
    return lua_toboolean(L, -1);
}

static void what_is_encoded_decodes_to_the_same_value(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    assert_int_equal(luaL_dostring(L, random_chunk), 0);
    struct bq_buf out = BQ_BUF_INIT;
    for (int round = 0; round < 3000; round++) {
        lua_settop(L, 0);
        lua_getglobal(L, "random_value");
        lua_pushinteger(L, 0);
        lua_call(L, 1, 1);
        struct bq_encode_error wrong;
        struct bq_json_error error;
        bq_buf_reset(&out);
        if (bq_encode(L, 1, &out, &wrong) != BQ_OK)
            fail_msg("round %d: %s", round, wrong.text);
        if (lua_istable(L, 1)) /* made in order, so nothing about it is odd */
            assert_true(quick_agrees(L, NULL, 1, BQ_OK, bq_buf_str(&out)));
        assert_int_equal(bq_json_check(bq_buf_str(&out), BQ_ENCODE_DEPTH_MAX, &error), BQ_OK);
        assert_int_equal(bq_decode(L, bq_buf_str(&out), &error), BQ_OK);
        if (!same_on_top(L))
            fail_msg("round %d: %.*s", round, BQ_STR_ARG(bq_buf_str(&out)));
    }
    bq_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_have_their_json_form),
        cmocka_unit_test(names_that_come_again_are_the_same),
        cmocka_unit_test(positions_make_an_array_and_names_an_object),
        cmocka_unit_test(an_array_is_one_in_whatever_order_lua_holds_it),
        cmocka_unit_test(marks_decide_where_the_guess_would_be_wrong),
        cmocka_unit_test(a_mark_returns_the_table_that_it_got),
        cmocka_unit_test(a_mark_refuses_a_table_with_a_metatable_of_its_own),
        cmocka_unit_test(metamethods_are_not_run),
        cmocka_unit_test(values_without_json_form_are_refused_by_path),
        cmocka_unit_test(mixed_tables_are_refused_with_the_way_out),
        cmocka_unit_test(a_string_that_looks_like_a_position_is_a_name),
        cmocka_unit_test(the_deepest_value_is_encoded_and_one_deeper_refused),
        cmocka_unit_test(a_cycle_is_refused_as_too_deep),
        cmocka_unit_test(a_long_path_is_cut),
        cmocka_unit_test(scattered_arrays_inside_each_other_are_walked_once),
        cmocka_unit_test(an_index_from_either_end_names_the_value),
        cmocka_unit_test(an_exhausted_lua_is_a_return_code),
        cmocka_unit_test(a_shallow_value_needs_no_memory_of_lua),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_failed_allocation_of_the_buffer_is_a_return_code),
#endif
        cmocka_unit_test(what_is_encoded_decodes_to_the_same_value),
    };
    return cmocka_run_group_tests(tests, open_lua, close_lua);
}
