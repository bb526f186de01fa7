/*
 * schema_fixture.h: schemas from Lua snippets that write the nodes as tables, and a place for what
 * is wrong with a value.
 */
#ifndef BQ_TESTS_SCHEMA_FIXTURE_H
#define BQ_TESTS_SCHEMA_FIXTURE_H

#include "app/decode.h"
#include "app/schema_check.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"

#include <stdlib.h>

struct fixture {
    lua_State *L;
    struct bq_schemas schemas;
    struct bq_invalid invalid;
    char error[512];
};

static inline int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->L = luaL_newstate();
    luaL_openlibs(f->L);
    bq_null_push(f->L);
    lua_setglobal(f->L, "null");
    bq_schemas_init(f->L, &f->schemas);
    bq_invalid_init(&f->invalid);
    *state = f;
    return 0;
}

static inline int close_fixture(void **state)
{
    struct fixture *f = *state;
    bq_invalid_release(&f->invalid);
    bq_schemas_release(&f->schemas);
    lua_close(f->L);
    free(f);
    return 0;
}

/* Pushes what the chunk returns. */
static inline void push_lua(struct fixture *f, const char *chunk)
{
    if (luaL_loadstring(f->L, chunk) || lua_pcall(f->L, 0, 1, 0))
        fail_msg("%s: %s", chunk, lua_tostring(f->L, -1));
}

/* The schema of the node that an expression or chunk gives; NULL and f->error. */
static inline const struct bq_schema *try_schema(struct fixture *f, const char *node)
{
    int top = lua_gettop(f->L);
    bool chunk = node[0] != '{' && strstr(node, "return");
    lua_pushfstring(f->L, "%s%s", chunk ? "" : "return ", node);
    push_lua(f, lua_tostring(f->L, -1));
    f->error[0] = '\0';
    const struct bq_schema *s = bq_schema_compile(f->L, &f->schemas, -1, f->error);
    assert_int_equal(lua_gettop(f->L), top + 2);
    lua_settop(f->L, top);
    return s;
}

static inline const struct bq_schema *schema(struct fixture *f, const char *node)
{
    const struct bq_schema *s = try_schema(f, node);
    if (!s)
        fail_msg("%s: %s", node, f->error);
    return s;
}

/* The value at the top of the stack, which is popped, makes the Lua expression about v true, and
 * nothing is wrong with it. */
static inline void gives(struct fixture *f, const char *expression)
{
    if (f->invalid.count)
        fail_msg("not %s: %.*s", expression, BQ_STR_ARG(bq_buf_str(&f->invalid.json)));
    lua_setglobal(f->L, "v");
    lua_pushfstring(f->L, "return %s", expression);
    push_lua(f, lua_tostring(f->L, -1));
    if (!lua_toboolean(f->L, -1)) {
        lua_getglobal(f->L, "tostring");
        lua_getglobal(f->L, "v");
        lua_call(f->L, 1, 1);
        fail_msg("not %s: %s", expression, lua_tostring(f->L, -1));
    }
    lua_pop(f->L, 2);
}

/* Exactly these problems were found, as the inside of "detail"; they are forgotten, and the value
 * is popped. */
static inline void finds(struct fixture *f, const char *problems)
{
    bq_str json = bq_buf_str(&f->invalid.json);
    if (!bq_str_eq(json, bq_str_cstr(problems)))
        fail_msg("not %s but %.*s", problems, BQ_STR_ARG(json));
    assert_int_equal(f->invalid.depth, 0);
    bq_invalid_rewind(&f->invalid, (struct bq_invalid_mark){0, 0, 0});
    lua_pop(f->L, 1);
}

/* Lua's allocator behind a count: the nth request for more memory from now, and all after it, get
 * none. */
struct lua_memory {
    lua_Alloc alloc;
    void *arg;
    long left; /* -1: without end */
    long refused;
};

static inline void *alloc_counted(void *arg, void *p, size_t old, size_t n)
{
    struct lua_memory *m = arg;
    if (n > old && m->left == 0) {
        m->refused++;
        return NULL;
    }
    if (n > old && m->left > 0)
        m->left--;
    return m->alloc(m->arg, p, old, n);
}

/* Calls fn protected, with ever more memory until it has enough: want of it is raised, and in the
 * end fn does what it should. */
static inline void fail_lua_memory_in_turn(struct fixture *f, lua_CFunction fn)
{
    struct lua_memory m = {.left = -1};
    m.alloc = lua_getallocf(f->L, &m.arg);
    lua_setallocf(f->L, alloc_counted, &m);
    int rc = LUA_ERRMEM;
    long nth = 0;
    for (; rc && nth < 3000; nth++) {
        bq_invalid_release(&f->invalid);
        bq_invalid_init(&f->invalid);
        lua_settop(f->L, 0);
        lua_gc(f->L, LUA_GCCOLLECT, 0);
        lua_pushcfunction(f->L, fn);
        lua_pushlightuserdata(f->L, f);
        m.left = nth;
        rc = lua_pcall(f->L, 1, 0, 0);
        m.left = -1;
        assert_true(rc == 0 || rc == LUA_ERRMEM || m.refused > 0);
    }
    lua_setallocf(f->L, m.alloc, m.arg);
    assert_int_equal(rc, 0);
    assert_true(nth > 1 && m.refused > 0);
}

#define SCHEMA_TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

#endif
