/*
 * schema_compile_fuzz.c: the input chooses a schema, node by node, with whatever options and
 * patterns, and then a text. The compiler takes it or says why not; what it takes reads the text,
 * and what was read without problems is written and read again.
 */
#include "app/decode.h"
#include "app/schema.h"
#include "base/rc.h"

#include <stdlib.h>

#define DEPTH_MAX    6
#define CHILDREN_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p, *end;
};

static unsigned take(struct input *in, unsigned below)
{
    return in->p < in->end ? *in->p++ % below : 0;
}

static void set_number(lua_State *L, struct input *in, const char *name)
{
    static const double numbers[] = {0, 1, -1, 2.5, 100, 9007199254740991.0, -0.0, 1e9, 1.7e308, 3};
    if (take(in, 3))
        return;
    lua_pushnumber(L, numbers[take(in, sizeof numbers / sizeof numbers[0])]);
    lua_setfield(L, -2, name);
}

static void set_length(lua_State *L, struct input *in, const char *name)
{
    if (take(in, 3))
        return;
    lua_pushinteger(L, (lua_Integer)take(in, 20));
    lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, struct input *in, const char *name)
{
    if (take(in, 4))
        return;
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, name);
}

static void add_string(lua_State *L, struct input *in)
{
    static const char *const formats[] = {"email", "uuid", "uri",  "date", "datetime",
                                          "time",  "ipv4", "ipv6", "bytes"};
    set_length(L, in, "min");
    set_length(L, in, "max");
    set_flag(L, in, "trim");
    set_flag(L, in, "lower");
    if (take(in, 4) == 0) {
        lua_pushstring(L, formats[take(in, sizeof formats / sizeof formats[0])]);
        lua_setfield(L, -2, "format");
    } else if (take(in, 3) == 0) {
        size_t n = take(in, 24), left = (size_t)(in->end - in->p);
        n = n < left ? n : left;
        lua_pushlstring(L, (const char *)in->p, n);
        lua_setfield(L, -2, "pattern");
        in->p += n;
    }
}

static void add_bounds(lua_State *L, struct input *in)
{
    static const char *const names[] = {"min", "max", "above", "below", "multiple_of"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        set_number(L, in, names[i]);
    lua_getfield(L, -1, "multiple_of"); /* a positive number, says schema.lua */
    bool positive = lua_tonumber(L, -1) > 0;
    lua_pop(L, 1);
    if (!positive) {
        lua_pushnil(L);
        lua_setfield(L, -2, "multiple_of");
    }
}

static void add_values(lua_State *L, struct input *in)
{
    unsigned n = 1 + take(in, CHILDREN_MAX);
    lua_createtable(L, (int)n, 0);
    for (unsigned i = 1; i <= n; i++) {
        if (take(in, 2))
            lua_pushfstring(L, "v%d", (int)i);
        else
            lua_pushinteger(L, (lua_Integer)i);
        lua_rawseti(L, -2, (int)i);
    }
    lua_setfield(L, -2, "values");
}

static void push_node(lua_State *L, struct input *in, int root, unsigned depth);

static void add_fields(lua_State *L, struct input *in, int root, unsigned depth)
{
    static const char *const names[] = {"a", "b", "kind", "\xc3\xa4\"", "", "longer_than_eight"};
    static const char *const extras[] = {"ignore", "forbid", "keep"};
    unsigned first = take(in, sizeof names / sizeof names[0]), n = take(in, CHILDREN_MAX);
    lua_newtable(L);
    for (unsigned i = 1; i <= n; i++) { /* names are distinct, says schema.lua */
        lua_createtable(L, 2, 0);
        lua_pushstring(L, names[(first + i) % (sizeof names / sizeof names[0])]);
        lua_rawseti(L, -2, 1);
        push_node(L, in, root, depth + 1);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i);
    }
    lua_setfield(L, -2, "fields");
    lua_pushstring(L, extras[take(in, 3)]);
    lua_setfield(L, -2, "extra");
}

static void add_variants(lua_State *L, struct input *in, int root, unsigned depth)
{
    unsigned n = 1 + take(in, CHILDREN_MAX);
    lua_newtable(L);
    for (unsigned i = 1; i <= n; i++) {
        push_node(L, in, root, depth + 1);
        lua_rawseti(L, -2, (int)i);
    }
    lua_setfield(L, -2, "variants");
}

static void add_of(lua_State *L, struct input *in, int root, unsigned depth)
{
    push_node(L, in, root, depth + 1);
    lua_setfield(L, -2, "of");
    set_length(L, in, "min");
    set_length(L, in, "max");
    set_flag(L, in, "unique");
}

/* Scalars only at the bottom. root is the object that references lead back to. */
static void push_node(lua_State *L, struct input *in, int root, unsigned depth)
{
    static const char *const kinds[] = {"string", "integer", "int64", "number", "boolean", "enum",
                                        "any",    "object",  "array", "map",    "union",   "ref"};
    unsigned kind = take(in, depth < DEPTH_MAX ? 12 : 7);
    luaL_checkstack(L, 12, "nodes");
    lua_newtable(L);
    lua_pushstring(L, kinds[kind]);
    lua_setfield(L, -2, "kind");
    set_flag(L, in, "nullable");
    set_flag(L, in, "optional");
    if (kind == 0)
        add_string(L, in);
    else if (kind <= 3)
        add_bounds(L, in);
    else if (kind == 5)
        add_values(L, in);
    else if (kind == 7)
        add_fields(L, in, root, depth);
    else if (kind == 8 || kind == 9)
        add_of(L, in, root, depth);
    else if (kind == 10)
        add_variants(L, in, root, depth);
    if (kind == 11) {
        lua_pushvalue(L, root);
        lua_setfield(L, -2, "target");
    }
}

static void push_root(lua_State *L, struct input *in)
{
    lua_newtable(L);
    lua_pushliteral(L, "object");
    lua_setfield(L, -2, "kind");
    if (take(in, 2)) {
        lua_pushliteral(L, "Root");
        lua_setfield(L, -2, "name");
    }
    add_fields(L, in, lua_gettop(L), 1);
}

static void write_out(lua_State *L, const struct bq_schema *s)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error why;
    struct bq_json_error error;
    if (bq_schema_write(L, s, -1, &out, &why) == BQ_OK &&
        bq_json_check(bq_buf_str(&out), BQ_DECODE_DEPTH_MAX, &error) != BQ_OK)
        abort();
    bq_buf_release(&out);
}

static int run(lua_State *L)
{
    struct input *in = lua_touserdata(L, 1);
    struct bq_schemas all;
    struct bq_invalid invalid;
    struct bq_json_error error;
    char why[512] = "";
    bq_schemas_init(L, &all);
    push_root(L, in);
    const struct bq_schema *s = bq_schema_compile(L, &all, lua_gettop(L), why);
    if (!s && !why[0])
        abort();
    if (s) {
        bq_invalid_init(&invalid);
        bq_str text = bq_str_of((const char *)in->p, (size_t)(in->end - in->p));
        if (bq_schema_read_json(L, s, text, &invalid, &error) == BQ_OK && invalid.count == 0)
            write_out(L, s);
        bq_invalid_release(&invalid);
    }
    bq_schemas_release(&all);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    lua_State *L = luaL_newstate();
    if (!L)
        return 0;
    bq_encode_open(L);
    lua_settop(L, 0);
    if (lua_cpcall(L, run, &in) != 0)
        abort();
    lua_close(L);
    return 0;
}
