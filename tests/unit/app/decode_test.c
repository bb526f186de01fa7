/* decode_test.c: JSON text as Lua values; the check and lua-cjson agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/decode.h"
#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

#include <stdlib.h>

static int open_lua(void **state)
{
    lua_State *L = luaL_newstate();
    if (!L)
        return -1;
    luaL_openlibs(L);
    bq_decode_open(L);
    bq_null_push(L);
    lua_setglobal(L, "null");
    *state = L;
    return 0;
}

static int close_lua(void **state)
{
    lua_close(*state);
    return 0;
}

/* Decodes text into the global v and wants the Lua expression about it to be true. */
static void decodes(lua_State *L, bq_str text, const char *expression)
{
    struct bq_json_error error = {0, ""};
    lua_settop(L, 0);
    if (bq_decode(L, text, &error) != BQ_OK)
        fail_msg("%.*s: %s at %zu", BQ_STR_ARG(text), error.reason, error.offset);
    assert_int_equal(lua_gettop(L), 1);
    lua_setglobal(L, "v");
    lua_pushfstring(L, "return %s", expression);
    assert_int_equal(luaL_dostring(L, lua_tostring(L, -1)), 0);
    if (!lua_toboolean(L, -1))
        fail_msg("%.*s: not %s", BQ_STR_ARG(text), expression);
}

static void refuses(lua_State *L, bq_str text, int rc, size_t offset)
{
    struct bq_json_error error = {SIZE_MAX, NULL};
    lua_settop(L, 0);
    assert_int_equal(bq_decode(L, text, &error), rc);
    assert_int_equal(lua_gettop(L), 0);
    assert_int_equal(error.offset, offset);
    assert_non_null(error.reason);
}

static void scalars_become_lua_values(void **state)
{
    decodes(*state, BQ_STR("null"), "v == null and v ~= nil");
    decodes(*state, BQ_STR("true"), "v == true");
    decodes(*state, BQ_STR(" false "), "v == false");
    decodes(*state, BQ_STR("-12"), "v == -12");
    decodes(*state, BQ_STR("0"), "v == 0");
    decodes(*state, BQ_STR("-0"), "1 / v == -math.huge");
    decodes(*state, BQ_STR("1.5E+3"), "v == 1500");
    decodes(*state, BQ_STR("25e-1"), "v == 2.5");
    decodes(*state, BQ_STR("1e-9999"), "v == 0");
    decodes(*state, BQ_STR("\"\""), "v == ''");
}

static void strings_are_unescaped(void **state)
{
    decodes(*state, BQ_STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "v == '\"\\\\/\\b\\f\\n\\r\\t'");
    decodes(*state, BQ_STR("\"a\\u0000b\""), "v == 'a\\0b'");
    decodes(*state, BQ_STR("\"\\u00e4\\u20AC\""), "v == '\\195\\164\\226\\130\\172'");
    decodes(*state, BQ_STR("\"\\ud83d\\ude00\""), "v == '\\240\\159\\152\\128'");
    decodes(*state, BQ_STR("\"\xc3\xa4\""), "v == '\\195\\164'");
}

static void containers_become_tables(void **state)
{
    decodes(*state, BQ_STR("[]"), "type(v) == 'table' and next(v) == nil");
    decodes(*state, BQ_STR("{}"), "type(v) == 'table' and next(v) == nil");
    decodes(*state, BQ_STR("[1,[2,3],null]"), "v[1] == 1 and v[2][2] == 3 and v[3] == null");
    decodes(*state, BQ_STR("{\"a\":{\"b\":[true]},\"\":0}"), "v.a.b[1] == true and v[''] == 0");
    decodes(*state, BQ_STR("{\"1\":2}"), "v['1'] == 2 and v[1] == nil");
    decodes(*state, BQ_STR("{\"a\":1,\"a\":2}"), "v.a == 2");
}

static void what_the_check_refuses_pushes_nothing(void **state)
{
    refuses(*state, BQ_STR(""), BQ_INVALID, 0);
    refuses(*state, BQ_STR("[1,]"), BQ_INVALID, 3);
    refuses(*state, BQ_STR("[0x10]"), BQ_INVALID, 2);
    refuses(*state, BQ_STR("[NaN]"), BQ_INVALID, 1);
    refuses(*state, BQ_STR("1e999"), BQ_INVALID, 0);
    refuses(*state, BQ_STR("\"\xff\""), BQ_INVALID, 1);
    refuses(*state, BQ_STR("\"\\ud800\""), BQ_INVALID, 1);
    refuses(*state, BQ_STR("{}\0"), BQ_INVALID, 2);
}

static void nesting_reaches_the_limit_and_no_further(void **state)
{
    lua_State *L = *state;
    char text[2 * (BQ_DECODE_DEPTH_MAX + 1)];
    for (int levels = BQ_DECODE_DEPTH_MAX; levels <= BQ_DECODE_DEPTH_MAX + 1; levels++) {
        memset(text, '[', (size_t)levels);
        memset(text + levels, ']', (size_t)levels);
        bq_str view = bq_str_of(text, 2 * (size_t)levels);
        if (levels == BQ_DECODE_DEPTH_MAX)
            decodes(L, view, "#v == 1");
        else
            refuses(L, view, BQ_LIMIT, BQ_DECODE_DEPTH_MAX);
    }
}

static void the_settings_of_other_users_of_cjson_do_not_matter(void **state)
{
    lua_State *L = *state;
    assert_int_equal(luaL_dostring(L, "local ok, cjson = pcall(require, 'cjson')\n"
                                      "if ok then cjson.decode_max_depth(1) end"),
                     0);
    decodes(L, BQ_STR("[[[1]]]"), "v[1][1][1] == 1");
}

/* --- random texts --- */

static unsigned pick(unsigned *seed, unsigned n)
{
    return (unsigned)rand_r(seed) % n;
}

/* Appends a random valid text in the notations that the writer never uses. */
static void append_random(struct bq_buf *out, unsigned *seed, int depth)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-0",
                                          "1E5",
                                          "-1.50e+2",
                                          "1e-400",
                                          "0.10",
                                          "12345678901234567890",
                                          "0e99",
                                          "1.7976931348623158e308",
                                          "\"\"",
                                          "\"\\u0041\\/\"",
                                          "\"\\ud83d\\ude00\"",
                                          "\"\xc3\xa4\"",
                                          "\"\\u0000\"",
                                          "\"\x7f\"",
                                          "4.9e-324",
                                          "\"nan\"",
                                          "\"\\\\u00zz\""};
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t\r "};
    unsigned kind = pick(seed, depth > 5 ? 1 : 3);
    const char *space = spaces[pick(seed, 6)];
    assert_int_equal(bq_buf_printf(out, "%s", space), BQ_OK);
    if (kind == 0) {
        assert_int_equal(bq_buf_printf(out, "%s%s", scalars[pick(seed, 21)], space), BQ_OK);
        return;
    }
    assert_int_equal(bq_buf_printf(out, "%s%s", kind == 1 ? "[" : "{", space), BQ_OK);
    for (unsigned i = pick(seed, 5), n = i; i > 0; i--) {
        assert_int_equal(bq_buf_printf(out, "%s", i == n ? "" : ","), BQ_OK);
        if (kind == 2)
            assert_int_equal(bq_buf_printf(out, "%s\"k\\u%04x\"%s:", space, pick(seed, 99), space),
                             BQ_OK);
        append_random(out, seed, depth + 1);
    }
    assert_int_equal(bq_buf_printf(out, "%s%s", kind == 1 ? "]" : "}", space), BQ_OK);
}

/* bq_decode raises where lua-cjson does: outside a protected call that ends the test. */
static void cjson_reads_all_that_the_check_accepts(void **state)
{
    lua_State *L = *state;
    unsigned seed = 3;
    struct bq_buf text = BQ_BUF_INIT;
    for (int round = 0; round < 3000; round++) {
        struct bq_json_error error;
        bq_buf_reset(&text);
        append_random(&text, &seed, 0);
        lua_settop(L, 0);
        assert_int_equal(bq_decode(L, bq_buf_str(&text), &error), BQ_OK);
        assert_int_equal(lua_gettop(L), 1);
    }
    bq_buf_release(&text);
}

/* A changed byte: refused, or read; never raised. */
static void cjson_reads_what_is_accepted_of_damaged_texts(void **state)
{
    lua_State *L = *state;
    unsigned seed = 5;
    struct bq_buf text = BQ_BUF_INIT;
    int accepted = 0, refused = 0;
    for (int round = 0; round < 10000; round++) {
        struct bq_json_error error;
        bq_buf_reset(&text);
        append_random(&text, &seed, 3);
        text.data[pick(&seed, (unsigned)text.len)] =
            "0123456789+-.eE\"\\{}[],: xn\xc3"[pick(&seed, 28)];
        lua_settop(L, 0);
        int rc = bq_decode(L, bq_buf_str(&text), &error);
        accepted += rc == BQ_OK;
        refused += rc == BQ_INVALID;
        assert_int_equal(lua_gettop(L), rc == BQ_OK);
    }
    assert_int_equal(accepted + refused, 10000);
    assert_true(accepted > 500 && refused > 500);
    bq_buf_release(&text);
}

#ifdef BQ_FAULTS
static int l_decode(lua_State *L)
{
    struct bq_json_error error;
    lua_pushinteger(L, bq_decode(L, BQ_STR("[1]"), &error));
    return 1;
}

static void exhausted_memory_is_raised(void **state)
{
    lua_State *L = *state;
    lua_settop(L, 0);
    lua_pushcfunction(L, l_decode);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    int status = lua_pcall(L, 0, 1, 0);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_not_equal(status, 0);
    assert_string_equal(lua_tostring(L, -1), "not enough memory");
    assert_int_equal(bq_mem_live(), 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_become_lua_values),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(containers_become_tables),
        cmocka_unit_test(what_the_check_refuses_pushes_nothing),
        cmocka_unit_test(nesting_reaches_the_limit_and_no_further),
        cmocka_unit_test(the_settings_of_other_users_of_cjson_do_not_matter),
        cmocka_unit_test(cjson_reads_all_that_the_check_accepts),
        cmocka_unit_test(cjson_reads_what_is_accepted_of_damaged_texts),
#ifdef BQ_FAULTS
        cmocka_unit_test(exhausted_memory_is_raised),
#endif
    };
    return cmocka_run_group_tests(tests, open_lua, close_lua);
}
