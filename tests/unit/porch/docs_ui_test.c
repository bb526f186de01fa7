/* docs_ui_test.c: the docs page's files, as Lua gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs_ui.h"

static int setup(void **state)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_pushcfunction(L, bq_docs_ui_open);
    lua_call(L, 0, 1);
    lua_setglobal(L, "core");
    *state = L;
    return 0;
}

static int teardown(void **state)
{
    lua_close(*state);
    return 0;
}

static void run(lua_State *L, const char *code)
{
    if (luaL_dostring(L, code) != 0)
        fail_msg("%s", lua_tostring(L, -1));
}

static size_t count_files(void)
{
    size_t n = 0;
    while (bq_docs_files[n].name)
        n++;
    return n;
}

static void lua_sees_every_row_of_the_table(void **state)
{
    lua_State *L = *state;
    lua_pushinteger(L, (lua_Integer)count_files());
    lua_setglobal(L, "n");
    run(L, "assert(#core.files == n)\n"
           "for _, file in ipairs(core.files) do\n"
           "  assert(file.name and file.hashed ~= file.name and file.type:find('/', 1, true))\n"
           "end");
}

static void bytes_come_plain_or_compressed(void **state)
{
    lua_State *L = *state;
    for (size_t i = 0; i < count_files(); i++) {
        const struct bq_docs_file *file = &bq_docs_files[i];
        for (int gzip = 0; gzip <= 1; gzip++) {
            size_t n;
            lua_getglobal(L, "core");
            lua_getfield(L, -1, "read");
            lua_pushinteger(L, (lua_Integer)i + 1);
            lua_pushboolean(L, gzip);
            lua_call(L, 2, 1);
            const char *bytes = lua_tolstring(L, -1, &n);
            assert_int_equal(n, gzip ? file->gzip_n : file->n);
            assert_memory_equal(bytes, gzip ? file->gzip : file->bytes, n);
            lua_settop(L, 0);
        }
    }
}

/* RFC 1952: the magic number first, the length of what is compressed last. */
static void compressed_bytes_are_those_of_the_plain_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_files(); i++) {
        const struct bq_docs_file *file = &bq_docs_files[i];
        const unsigned char *last = file->gzip + file->gzip_n - 4;
        size_t n = last[0] | (size_t)last[1] << 8 | (size_t)last[2] << 16 | (size_t)last[3] << 24;
        assert_memory_equal(file->gzip, "\x1f\x8b\x08", 3);
        assert_int_equal(n, file->n);
    }
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
    run(*state, "for _, index in ipairs { 0, -1, #core.files + 1, 1e9 } do\n"
                "  local ok, message = pcall(core.read, index)\n"
                "  assert(not ok and message:find('no such file', 1, true))\n"
                "end\n"
                "assert(not pcall(core.read, 'x'))");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lua_sees_every_row_of_the_table),
        TEST(bytes_come_plain_or_compressed),
        TEST(compressed_bytes_are_those_of_the_plain_ones),
        TEST(a_file_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
