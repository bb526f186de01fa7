/* modules_test.c: what require finds without a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "modules.h"

struct fixture {
    struct bq_stores *stores;
    lua_State *L;
};

static int preload(lua_State *L)
{
    bq_modules_preload(L, &(struct bq_modules_env){.stores = lua_touserdata(L, 1)});
    return 0;
}

static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    f->stores = bq_stores_new();
    f->L = luaL_newstate();
    luaL_openlibs(f->L);
    lua_pushcfunction(f->L, preload);
    lua_pushlightuserdata(f->L, f->stores);
    assert_int_equal(lua_pcall(f->L, 1, 0, 0), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    bq_stores_free(f->stores);
    bq_free(f);
    return 0;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0)
        fail_msg("%s", lua_tostring(L, -1));
}

static void the_stack_is_left_as_it_was(void **state)
{
    struct fixture *f = *state;
    int top = lua_gettop(f->L);
    bq_modules_preload(f->L, &(struct bq_modules_env){.stores = f->stores});
    assert_int_equal(lua_gettop(f->L), top);
}

static void every_source_compiles_under_its_name(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    for (const struct bq_lua_source *s = bq_lua_sources; s->name; s++, n++) {
        assert_int_equal(luaL_loadbuffer(f->L, (const char *)s->bytes, s->n, s->chunkname), 0);
        lua_getglobal(f->L, "package");
        lua_getfield(f->L, -1, "preload");
        lua_getfield(f->L, -1, s->name);
        assert_true(lua_isfunction(f->L, -1));
        lua_settop(f->L, 0);
    }
    assert_in_range(n, 5, 1000);
}

static void a_source_is_run_once_and_knows_its_name(void **state)
{
    struct fixture *f = *state;
    run(f->L, "local place = require 'barq.place'\n"
              "assert(type(place) == 'table')\n"
              "assert(require 'barq.place' == place)");
}

static void functions_of_a_source_come_from_the_built_in_chunk(void **state)
{
    struct fixture *f = *state;
    run(f->L, "for _, fn in pairs(require 'barq.place') do\n"
              "  if type(fn) == 'function' then\n"
              "    local source = debug.getinfo(fn, 'S').source\n"
              "    assert(source == '@barq:barq/place.lua', source)\n"
              "  end\n"
              "end");
}

static void c_modules_are_found_by_require(void **state)
{
    struct fixture *f = *state;
    run(f->L, "assert(type(require 'barq.shared.core') == 'table')");
    run(f->L, "assert(type(require 'barq.sqlite.core') == 'table')");
}

static void a_source_that_has_failed_is_tried_again(void **state)
{
    struct fixture *f = *state;
    run(f->L, "local ok, err = pcall(require, 'barq.log')\n"
              "assert(not ok and err:find('barq.core', 1, true), err)\n"
              "package.loaded['barq.core'] = { log_enabled = function() end }\n"
              "assert(type(require('barq.log')) == 'table')");
}

static void an_unknown_module_is_still_unknown(void **state)
{
    struct fixture *f = *state;
    run(f->L, "assert(not pcall(require, 'barq.no_such_module'))");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_stack_is_left_as_it_was),
        TEST(every_source_compiles_under_its_name),
        TEST(a_source_is_run_once_and_knows_its_name),
        TEST(functions_of_a_source_come_from_the_built_in_chunk),
        TEST(c_modules_are_found_by_require),
        TEST(a_source_that_has_failed_is_tried_again),
        TEST(an_unknown_module_is_still_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
