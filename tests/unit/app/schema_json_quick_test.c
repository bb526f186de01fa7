/* schema_json_quick_test.c: bodies are the same, and as wrong, whoever fills their tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/schema.h"
#include "base/mem.h"
#include "base/rc.h"
#include "random_schema.h"

#include <stdio.h>
#include <stdlib.h>

#define SCHEMAS          300
#define TEXTS_PER_SCHEMA 20

/* tightened(node) demands something, shuffled(node) has the fields in another order, and
 * spoiled(text) may be another text, or none. */
static const char demands[] =
    "local r = math.random\n"
    "local function even(v)\n"
    "  local n = v == true and 1 or v == false and 0 or v == null and 2 or v\n"
    "  if type(n) ~= 'number' then n = #n end\n"
    "  return n % 2 == 0, 'it is odd'\n"
    "end\n"
    "local tighten = {}\n"
    "function tighten.string(node)\n"
    "  if node.format then return end\n"
    "  node.min, node.max = r(0, 3), r(3, 12)\n"
    "  if r(6) == 1 then node.trim = true end\n"
    "  if r(6) == 1 then node.lower = true end\n"
    "  if r(6) == 1 then node.pattern = '^[^b]*$' end\n"
    "end\n"
    "function tighten.number(node)\n"
    "  local kind = r(5)\n"
    "  if kind == 1 then node.min = r(-50, 0) elseif kind == 2 then node.max = r(0, 50) end\n"
    "  if kind == 3 then node.above, node.below = -1000.5, 1000 end\n"
    "  if kind == 4 then node.multiple_of = 0.5 end\n"
    "end\n"
    "tighten.integer = tighten.number\n"
    "function tighten.array(node)\n"
    "  node.min, node.max = r(0, 1), r(1, 4)\n"
    "  node.unique = r(3) == 1\n"
    "end\n"
    "function tighten.map(node) node.min, node.max = r(0, 1), r(1, 4) end\n"
    "function tighten.object(node)\n"
    "  if r(3) == 1 then node.extra = 'forbid' end\n"
    "  if r(8) > 1 then return end\n"
    "  for i = #node.fields + 1, r(30, 34) do\n"
    "    node.fields[i] = {'wide' .. i, {kind = 'boolean', optional = true,\n"
    "      default = i % 2 == 0 or nil}}\n"
    "  end\n"
    "end\n"
    "local function each(node, fn)\n"
    "  local copy = {}\n"
    "  for k, v in pairs(node) do copy[k] = v end\n"
    "  if node.of then copy.of = fn(node.of) end\n"
    "  if node.fields then\n"
    "    copy.fields = {}\n"
    "    for i, field in ipairs(node.fields) do copy.fields[i] = {field[1], fn(field[2])} end\n"
    "  end\n"
    "  if node.variants then\n"
    "    copy.variants = {}\n"
    "    for i, variant in ipairs(node.variants) do copy.variants[i] = fn(variant) end\n"
    "  end\n"
    "  return copy\n"
    "end\n"
    "function tightened(node)\n"
    "  local copy = each(node, tightened)\n"
    "  if r(3) == 1 and tighten[node.kind] then tighten[node.kind](copy) end\n"
    "  if r(12) == 1 then copy.check = even end\n"
    "  return copy\n"
    "end\n"
    "function shuffled(node)\n"
    "  local copy = each(node, shuffled)\n"
    "  local fields = copy.fields or {}\n"
    "  for i = #fields, 2, -1 do\n"
    "    local j = r(4) == 1 and r(i) or i\n"
    "    fields[i], fields[j] = fields[j], fields[i]\n"
    "  end\n"
    "  return copy\n"
    "end\n"
    "local others = {'-0', '0', '1.5', '-0.0', '1e2', '9007199254740993', '1e400', '0.1', 'null',\n"
    "  'true', '\"x\"', '[]', '{}'}\n"
    "local function other() return r(4) == 1 and others[r(#others)] or nil end\n"
    "local bytes = '{}[]\",:\\\\ 01.9eE-tfnau\\128\\195\\164\\0'\n"
    "local function slice(text)\n"
    "  local from = r(#text)\n"
    "  return from, math.min(#text, from + r(0, 12))\n"
    "end\n"
    "function spoiled(text)\n"
    "  local kind, from, to = r(12), slice(text)\n"
    "  local before, part, behind = text:sub(1, from - 1), text:sub(from, to), text:sub(to + 1)\n"
    "  if kind == 1 then return before .. behind end\n"
    "  if kind == 2 then return before .. part .. part .. behind end\n"
    "  if kind == 3 then return before end\n"
    "  if kind == 4 then return (text:gsub('([,:])', '%1 ')) end\n"
    "  if kind == 5 then return (text:gsub('\\\"([%w ]+\\\":)', '\\\"%1null,\\\"%1', 1)) end\n"
    "  if kind < 8 then return (text:gsub('[%d.]+', other)) end\n"
    "  if kind < 12 then return text end\n"
    "  local at = r(#bytes)\n"
    "  return before .. bytes:sub(at, at) .. text:sub(from + 1)\n"
    "end\n"
    "function alike(a, b)\n"
    "  if a == 0 and b == 0 then return 1 / a == 1 / b end\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  if getmetatable(a) ~= getmetatable(b) or #a ~= #b then return false end\n"
    "  for k, v in pairs(a) do if not alike(v, b[k]) then return false end end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n";

enum { IN_PLACE, BY_API, WAYS };

struct fixture {
    lua_State *L;
    struct bq_schemas schemas[WAYS];
    size_t accepted, refused, malformed;
};

static int open_lua(void **state)
{
    static struct fixture f;
    f = (struct fixture){.L = luaL_newstate()};
    assert_non_null(f.L);
    luaL_openlibs(f.L);
    bq_encode_open(f.L);
    lua_settop(f.L, 0);
    lua_pushlightuserdata(f.L, NULL);
    lua_setglobal(f.L, "null");
    if (luaL_dostring(f.L, random_chunk) != 0 || luaL_dostring(f.L, demands) != 0)
        fail_msg("%s", lua_tostring(f.L, -1));
    bq_schemas_init(f.L, &f.schemas[IN_PLACE]);
    bq_schemas_init(f.L, &f.schemas[BY_API]);
    assert_true(f.schemas[IN_PLACE].in_place);
    f.schemas[BY_API].in_place = false;
    *state = &f;
    return 0;
}

static int close_lua(void **state)
{
    struct fixture *f = *state;
    lua_close(f->L);
    bq_schemas_release(&f->schemas[IN_PLACE]);
    bq_schemas_release(&f->schemas[BY_API]);
    return bq_mem_live() == 0 ? 0 : -1;
}

/* Calls a function of the chunks. */
static void call(lua_State *L, const char *name, int arguments, int results)
{
    lua_getglobal(L, name);
    lua_insert(L, -1 - arguments);
    if (lua_pcall(L, arguments, results, 0) != 0)
        fail_msg("%s: %s", name, lua_tostring(L, -1));
}

static const struct bq_schema *compile(struct fixture *f, int way, int index)
{
    char error[512];
    const struct bq_schema *s = bq_schema_compile(f->L, &f->schemas[way], index, error);
    if (!s)
        fail_msg("%s", error);
    return s;
}

struct outcome {
    int rc;
    struct bq_json_error error;
    struct bq_invalid invalid;
};

/* Pushes the value if there is one. The text ends where its block does. */
static void read_text(lua_State *L, const struct bq_schema *s, bq_str text, struct outcome *o)
{
    char *exact = malloc(text.n ? text.n : 1);
    assert_non_null(exact);
    memcpy(exact, text.p, text.n);
    int top = lua_gettop(L);
    o->error = (struct bq_json_error){0, ""};
    bq_invalid_init(&o->invalid);
    o->rc = bq_schema_read_json(L, s, bq_str_of(exact, text.n), &o->invalid, &o->error);
    assert_int_equal(lua_gettop(L), top + (o->rc == BQ_OK));
    assert_int_equal(o->invalid.depth, 0);
    free(exact);
}

/* Gives the outcome of both ways: BQ_OK, or BQ_CONFLICT for a text that does not fit. */
static int agree(struct fixture *f, const struct bq_schema *const schemas[WAYS], bq_str text)
{
    struct outcome in_place, by_api;
    int top = lua_gettop(f->L);
    read_text(f->L, schemas[IN_PLACE], text, &in_place);
    read_text(f->L, schemas[BY_API], text, &by_api);
    bq_str problems = bq_buf_str(&in_place.invalid.json), other = bq_buf_str(&by_api.invalid.json);
    if (in_place.rc != by_api.rc || in_place.error.offset != by_api.error.offset ||
        strcmp(in_place.error.reason, by_api.error.reason) != 0)
        fail_msg("%.*s: %s at %zu, but by the API %s at %zu", BQ_STR_ARG(text),
                 in_place.error.reason, in_place.error.offset, by_api.error.reason,
                 by_api.error.offset);
    if (in_place.invalid.count != by_api.invalid.count || !bq_str_eq(problems, other))
        fail_msg("%.*s: %.*s, but by the API %.*s", BQ_STR_ARG(text), BQ_STR_ARG(problems),
                 BQ_STR_ARG(other));
    f->malformed += in_place.rc != BQ_OK;
    f->refused += in_place.rc == BQ_OK && in_place.invalid.count > 0;
    if (in_place.rc == BQ_OK && in_place.invalid.count == 0) {
        f->accepted++;
        call(f->L, "alike", 2, 1);
        if (!lua_toboolean(f->L, -1))
            fail_msg("%.*s gives another value", BQ_STR_ARG(text));
    }
    bool fits = in_place.invalid.count == 0;
    bq_invalid_release(&in_place.invalid);
    bq_invalid_release(&by_api.invalid);
    lua_settop(f->L, top);
    return in_place.rc == BQ_OK && !fits ? BQ_CONFLICT : in_place.rc;
}

/* The node that values are drawn for is at 1. */
static void texts_agree(struct fixture *f, const struct bq_schema *writer,
                        const struct bq_schema *const schemas[WAYS], struct bq_buf *out)
{
    struct bq_encode_error error;
    lua_pushvalue(f->L, 1);
    call(f->L, "random_value", 1, 1);
    bq_buf_reset(out);
    assert_int_equal(bq_schema_write(f->L, writer, -1, out, &error), BQ_OK);
    lua_pushlstring(f->L, out->data, out->len);
    call(f->L, "spoiled", 1, 1);
    bq_str text;
    text.p = lua_tolstring(f->L, -1, &text.n);
    agree(f, schemas, text);
    lua_settop(f->L, 1);
}

static void random_texts_are_read_the_same_both_ways(void **state)
{
    struct fixture *f = *state;
    struct bq_buf out = BQ_BUF_INIT;
    lua_gc(f->L, LUA_GCSETPAUSE, 0);
    for (int i = 0; i < SCHEMAS; i++) {
        lua_settop(f->L, 0);
        lua_gc(f->L, LUA_GCSETSTEPMUL, 50 + i);
        lua_pushinteger(f->L, 0);
        call(f->L, "random_schema", 1, 1);
        lua_pushvalue(f->L, 1);
        call(f->L, "shuffled", 1, 1);
        const struct bq_schema *writer = compile(f, BY_API, -1);
        lua_pushvalue(f->L, 1);
        call(f->L, "tightened", 1, 1);
        const struct bq_schema *const schemas[WAYS] = {compile(f, IN_PLACE, -1),
                                                       compile(f, BY_API, -1)};
        lua_settop(f->L, 1);
        for (int n = 0; n < TEXTS_PER_SCHEMA; n++)
            texts_agree(f, writer, schemas, &out);
    }
    bq_buf_release(&out);
    assert_true(f->accepted > 1000 && f->refused > 500 && f->malformed > 500);
}

/* In front of the node, and of the text; what is behind them follows. */
static const struct {
    const char *node, *node_end, *text, *text_end;
} around[] = {
    {"return { kind = 'object', extra = 'forbid', fields = { { 'f', ", " } } }", "{\"f\":", "}"},
    {"return { kind = 'array', of = ", " }", "[", "]"},
};

/* The outcome of the text for the node, inside an object and inside a list. */
static int agree_inside(struct fixture *f, const char *node, const char *text)
{
    char whole[256];
    int rc[2];
    for (int i = 0; i < 2; i++) {
        lua_settop(f->L, 0);
        snprintf(whole, sizeof whole, "%s%s%s", around[i].node, node, around[i].node_end);
        assert_int_equal(luaL_dostring(f->L, whole), 0);
        const struct bq_schema *const schemas[WAYS] = {compile(f, IN_PLACE, 1),
                                                       compile(f, BY_API, 1)};
        snprintf(whole, sizeof whole, "%s%s%s", around[i].text, text, around[i].text_end);
        rc[i] = agree(f, schemas, bq_str_cstr(whole));
    }
    assert_int_equal(rc[0], rc[1]);
    return rc[0];
}

static void what_is_at_the_bounds_is_judged_as_ever(void **state)
{
    struct fixture *f = *state;
    static const char integer[] = "{ kind = 'integer' }", number[] = "{ kind = 'number' }";
    static const char few[] = "{ kind = 'integer', min = -2, max = 3 }";
    static const char text[] = "{ kind = 'string', min = 2, max = 3 }";
    static const struct {
        const char *node, *text;
        bool fits;
    } cases[] = {
        {integer, "1.5", false},
        {integer, "1.0", true},
        {integer, "1e2", true},
        {integer, "-0", true},
        {integer, "true", false},
        {integer, "9007199254740991", true},
        {integer, "9007199254740992", false},
        {integer, "-9007199254740991", true},
        {integer, "-9007199254740992", false},
        {few, "-3", false},
        {few, "-2", true},
        {few, "3", true},
        {few, "4", false},
        {few, "2.5", false},
        {number, "1.7976931348623157e308", true},
        {number, "-1e308", true},
        {number, "\"1\"", false},
        {"{ kind = 'number', min = 0.1 }", "0.1", true},
        {"{ kind = 'number', above = 0.1 }", "0.1", false},
        {"{ kind = 'number', multiple_of = 2 }", "3", false},
        {text, "\"a\"", false},
        {text, "\"\303\244\"", false},
        {text, "\"ab\"", true},
        {text, "\"\303\244\303\244\"", true},
        {text, "\"\303\244\303\244\303\244\"", true},
        {text, "\"abcd\"", false},
        {text, "\"\\u0061b\"", true},
        {"{ kind = 'string', max = 0 }", "\"\"", true},
        {"{ kind = 'string', max = 0 }", "\"a\"", false},
        {"{ kind = 'boolean' }", "false", true},
        {"{ kind = 'boolean' }", "0", false},
        {"{ kind = 'boolean', nullable = true }", "null", true},
        {"{ kind = 'any' }", "[1,[],{\"a\":[]}]", true},
        {"{ kind = 'array', of = { kind = 'string' }, max = 1 }", "[\"a\"]", true},
        {"{ kind = 'array', of = { kind = 'string' }, max = 1 }", "[\"a\",\"b\"]", false},
        {"{ kind = 'array', of = { kind = 'string' }, unique = true }", "[\"a\",\"a\"]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (agree_inside(f, cases[i].node, cases[i].text) != (cases[i].fits ? BQ_OK : BQ_CONFLICT))
            fail_msg("%s for %s", cases[i].text, cases[i].node);
}

/* Around the number that is gathered before the table is made, with one that is wrong at the end.
 */
static void lists_of_every_length_are_the_same_both_ways(void **state)
{
    struct fixture *f = *state;
    struct bq_buf text = BQ_BUF_INIT;
    assert_int_equal(luaL_dostring(f->L, "return { kind = 'array', of = { kind = 'array',"
                                         " of = { kind = 'string' } }, max = 35 }"),
                     0);
    const struct bq_schema *const schemas[WAYS] = {compile(f, IN_PLACE, 1), compile(f, BY_API, 1)};
    for (int n = 0; n < 40; n++) {
        bq_buf_reset(&text);
        for (int i = 0; i < n; i++)
            assert_int_equal(bq_buf_printf(&text, "%c[\"%d\"]", i ? ',' : '[', i), BQ_OK);
        if (n == 0)
            bq_buf_push(&text, '[');
        size_t length = text.len;
        bq_buf_push(&text, ']');
        assert_int_equal(agree(f, schemas, bq_buf_str(&text)), n > 35 ? BQ_CONFLICT : BQ_OK);
        text.len = length;
        bq_buf_append(&text, n ? BQ_STR(",[1]]") : BQ_STR("[1]]"));
        assert_int_equal(agree(f, schemas, bq_buf_str(&text)), BQ_CONFLICT);
    }
    bq_buf_release(&text);
}

int main(void)
{
#define QUICK_TEST(name) cmocka_unit_test_setup_teardown(name, open_lua, close_lua)
    const struct CMUnitTest tests[] = {
        QUICK_TEST(what_is_at_the_bounds_is_judged_as_ever),
        QUICK_TEST(lists_of_every_length_are_the_same_both_ways),
        QUICK_TEST(random_texts_are_read_the_same_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
