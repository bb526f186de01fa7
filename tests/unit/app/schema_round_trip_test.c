/* schema_round_trip_test.c: what is written by a schema is read by it as the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/invalid.h"
#include "app/schema.h"
#include "base/rc.h"
#include "random_schema.h"
#include "json/check.h"

#include <stdlib.h>

#define SCHEMAS           300
#define VALUES_PER_SCHEMA 20

struct fixture {
    lua_State *L;
    struct bq_schemas schemas;
};

static int open_lua(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->L = luaL_newstate();
    assert_non_null(f->L);
    luaL_openlibs(f->L);
    bq_encode_open(f->L);
    lua_settop(f->L, 0);
    lua_pushlightuserdata(f->L, NULL);
    lua_setglobal(f->L, "null");
    if (luaL_dostring(f->L, random_chunk) != 0)
        fail_msg("%s", lua_tostring(f->L, -1));
    bq_schemas_init(f->L, &f->schemas);
    *state = f;
    return 0;
}

static int close_lua(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    bq_schemas_release(&f->schemas);
    free(f);
    return 0;
}

/* Calls a function of the chunk. */
static void call(lua_State *L, const char *name, int arguments, int results)
{
    lua_getglobal(L, name);
    lua_insert(L, -1 - arguments);
    if (lua_pcall(L, arguments, results, 0) != 0)
        fail_msg("%s: %s", name, lua_tostring(L, -1));
}

static void write_value(struct fixture *f, const struct bq_schema *s, int index, struct bq_buf *out)
{
    struct bq_encode_error error = {"no text"};
    struct bq_json_error place;
    bq_buf_reset(out);
    if (bq_schema_write(f->L, s, index, out, &error) != BQ_OK)
        fail_msg("%s", error.text);
    if (bq_json_check(bq_buf_str(out), BQ_JSON_DEPTH_MAX, &place) != BQ_OK)
        fail_msg("%s at %zu: %.*s", place.reason, place.offset, BQ_STR_ARG(bq_buf_str(out)));
}

/* Pushes what the text is read as. */
static void read_back(struct fixture *f, const struct bq_schema *s, bq_str text)
{
    struct bq_invalid invalid;
    struct bq_json_error place;
    bq_invalid_init(&invalid);
    assert_int_equal(bq_schema_read_json(f->L, s, text, &invalid, &place), BQ_OK);
    if (invalid.count)
        fail_msg("%.*s of %.*s", BQ_STR_ARG(bq_buf_str(&invalid.json)), BQ_STR_ARG(text));
    bq_invalid_release(&invalid);
}

/* The node is at 1. What was read is written again as the same text, but for the order of what no
 * schema orders. */
static void value_survives(struct fixture *f, const struct bq_schema *s, struct bq_buf *out)
{
    lua_pushvalue(f->L, 1);
    call(f->L, "random_value", 1, 2);
    write_value(f, s, 2, out);
    read_back(f, s, bq_buf_str(out));
    size_t bytes = bq_buf_size(out);
    call(f->L, "same", 2, 1);
    if (!lua_toboolean(f->L, -1))
        fail_msg("it comes back as another value: %.*s", BQ_STR_ARG(bq_buf_str(out)));
    lua_settop(f->L, 1);
    assert_true(bytes > 0);
}

static void random_values_of_random_schemas_survive(void **state)
{
    struct fixture *f = *state;
    struct bq_buf out = BQ_BUF_INIT;
    char error[512];
    for (int i = 0; i < SCHEMAS; i++) {
        lua_settop(f->L, 0);
        lua_pushinteger(f->L, 0);
        call(f->L, "random_schema", 1, 1);
        const struct bq_schema *s = bq_schema_compile(f->L, &f->schemas, 1, error);
        if (!s)
            fail_msg("%s", error);
        for (int n = 0; n < VALUES_PER_SCHEMA; n++)
            value_survives(f, s, &out);
    }
    bq_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values_of_random_schemas_survive),
    };
    return cmocka_run_group_tests(tests, open_lua, close_lua);
}
