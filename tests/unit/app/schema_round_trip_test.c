/* schema_round_trip_test.c: what is written by a schema is read by it as the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/invalid.h"
#include "app/schema.h"
#include "base/rc.h"
#include "json/check.h"

#include <stdlib.h>

#define SCHEMAS           300
#define VALUES_PER_SCHEMA 20

/* random_schema(depth) gives a node; random_value(node) a value for it and what reading what was
 * written must give (they differ by defaults, filtered fields, nil as null and int64). */
static const char random_chunk[] =
    "math.randomseed(23)\n"
    "local r = math.random\n"
    "local make, draw = {}, {}\n"
    "local scalars = {'string', 'bytes', 'integer', 'int64', 'number', 'boolean', 'enum', "
    "'const',\n"
    "  'any'}\n"
    "local nested = {'object', 'array', 'map', 'union', 'tagged'}\n"
    "local function pick(list) return list[r(#list)] end\n"
    "local function text()\n"
    "  local parts = {}\n"
    "  for i = 1, r(0, 5) do\n"
    "    parts[i] = pick{'a', 'plain text', '\\0', '\\n\"\\\\', '\\127', '\\195\\164',\n"
    "      '\\226\\130\\172', '\\240\\159\\152\\128', '/', '\\31'}\n"
    "  end\n"
    "  return table.concat(parts)\n"
    "end\n"
    "local function number()\n"
    "  return pick{r(-100, 100), (r() - 0.5) * 10 ^ r(-300, 300), r(-1000000, 1000000) / 10 ^ r(0, "
    "8),\n"
    "    r() / 3, 2 ^ r(-1000, 1000)}\n"
    "end\n"
    "local function anything(depth)\n"
    "  local kind = r(depth > 3 and 4 or 6)\n"
    "  if kind == 1 then return text() elseif kind == 2 then return number()\n"
    "  elseif kind == 3 then return r(2) == 1 elseif kind == 4 then return null end\n"
    "  local t = {}\n"
    "  for i = 1, r(0, 3) do t[kind == 5 and i or 'k' .. text()] = anything(depth + 1) end\n"
    "  return t\n"
    "end\n"
    "function make.bytes() return {kind = 'string', format = 'bytes'} end\n"
    "function make.enum() return {kind = 'enum', values = {'a', 'b\"', 7, true, -1.5}} end\n"
    "function make.const() return {kind = 'const', value = pick{'x', 3, false}} end\n"
    "function make.array(depth) return {kind = 'array', of = random_schema(depth + 1)} end\n"
    "function make.map(depth) return {kind = 'map', of = random_schema(depth + 1)} end\n"
    "function make.object(depth)\n"
    "  local fields = {}\n"
    "  for i = 1, r(0, 5) do\n"
    "    local node = random_schema(depth + 1)\n"
    "    local kind = r(5)\n"
    "    if kind == 1 then node.optional = true\n"
    "    elseif kind == 2 then node.nullable = true\n"
    "    elseif kind == 3 then node.optional, node.nullable = true, true\n"
    "    elseif kind == 4 then\n"
    "      local _, value = random_value(node)\n"
    "      node.default, node.optional = value, true\n"
    "    end\n"
    "    fields[i] = {i .. text(), node}\n"
    "  end\n"
    "  return {kind = 'object', fields = fields, extra = pick{'ignore', 'keep'}}\n"
    "end\n"
    "function make.union(depth)\n" /* of types that JSON tells apart */
    "  local all = {{kind = 'string'}, {kind = 'number'}, {kind = 'boolean'}, make.array(depth),\n"
    "    make.object(depth)}\n"
    "  table.insert(all[5].fields, {'must', {kind = 'boolean'}}) -- {} is an array\n"
    "  local variants = {}\n"
    "  while #all > 0 do variants[#variants + 1] = table.remove(all, r(#all)) end\n"
    "  return {kind = 'union', variants = variants}\n"
    "end\n"
    "function make.tagged(depth)\n"
    "  local variants = {}\n"
    "  for i = 1, 3 do\n"
    "    variants[i] = make.object(depth)\n"
    "    table.insert(variants[i].fields, {'kind', {kind = 'const', value = 'v' .. i}})\n"
    "  end\n"
    "  return {kind = 'union', tag = 'kind', variants = variants}\n"
    "end\n"
    "function random_schema(depth)\n"
    "  local kind = (depth > 3 or r(2) == 1) and pick(scalars) or pick(nested)\n"
    "  return make[kind] and make[kind](depth) or {kind = kind}\n"
    "end\n"
    "function draw.string(node)\n"
    "  if not node.format then return text() end\n"
    "  local bytes = {}\n"
    "  for i = 1, r(0, 9) do bytes[i] = string.char(r(0, 255)) end\n"
    "  return table.concat(bytes)\n"
    "end\n"
    "function draw.integer() return pick{0, r(-9, 9), r(-2 ^ 30, 2 ^ 30) * 2 ^ 20, 2 ^ 53 - 1} "
    "end\n"
    "function draw.int64()\n"
    "  local n = r(-2 ^ 30, 2 ^ 30)\n"
    "  local s = ('%d'):format(n)\n"
    "  if r(2) == 1 then return n, s end\n"
    "  return pick{s, '9223372036854775807', '-9223372036854775808', '0', '9007199254740993'}\n"
    "end\n"
    "function draw.number() return number() end\n"
    "function draw.boolean() return r(2) == 1 end\n"
    "function draw.enum(node) return pick(node.values) end\n"
    "function draw.const(node) return node.value end\n"
    "function draw.any() return anything(0) end\n"
    "function draw.array(node)\n"
    "  local t, expected = {}, {}\n"
    "  for i = 1, r(0, 4) do t[i], expected[i] = random_value(node.of) end\n"
    "  return t, expected\n"
    "end\n"
    "function draw.map(node)\n"
    "  local t, expected = {}, {}\n"
    "  for i = 1, r(0, 4) do\n"
    "    local name = 'm' .. text()\n"
    "    t[name], expected[name] = random_value(node.of)\n"
    "  end\n"
    "  return t, expected\n"
    "end\n"
    "function draw.object(node)\n"
    "  local t, expected = {}, {}\n"
    "  for _, field in ipairs(node.fields) do\n"
    "    local name, of = field[1], field[2]\n"
    "    if r(3) == 1 and (of.optional or of.nullable) then\n"
    "      if of.default ~= nil then expected[name] = of.default\n"
    "      elseif of.nullable then\n"
    "        expected[name] = null\n"
    "        if of.optional then t[name] = null end\n"
    "      end\n"
    "    else\n"
    "      t[name], expected[name] = random_value(of)\n"
    "    end\n"
    "  end\n"
    "  if r(3) == 1 and next(node.fields) then\n"
    "    t.undeclared = anything(0)\n"
    "    if node.extra == 'keep' then expected.undeclared = t.undeclared end\n"
    "  end\n"
    "  return t, expected\n"
    "end\n"
    "function draw.union(node) return random_value(pick(node.variants)) end\n"
    "function random_value(node)\n"
    "  local value, expected = draw[node.kind](node)\n"
    "  if expected == nil then expected = value end\n"
    "  return value, expected\n"
    "end\n"
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n";

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
