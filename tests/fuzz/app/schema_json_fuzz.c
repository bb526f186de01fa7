/*
 * schema_json_fuzz.c: bodies for a fixed set of schemas; the first byte of the input chooses one.
 * Text is refused as not JSON exactly when bq_json_check refuses it, at the same place (what is too
 * ambiguous to read aside). What is accepted is what the same schema makes of the values that
 * lua-cjson finds in the text, and what is refused is refused there. Tables filled in place are no
 * other than those that Lua's API fills.
 */
#include "app/decode.h"
#include "app/schema.h"
#include "base/rc.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* lua-cjson keeps its buffer in Lua's memory, where the leak sanitizer does not look. By its
 * library, since a machine without a symbolizer knows no function names. */
const char *__lsan_default_suppressions(void)
{
    return "leak:liblua5.1-cjson";
}

static const char nodes[] =
    "local function of(kind, more) more = more or {} more.kind = kind return more end\n"
    "local function object(extra, ...) return { kind = 'object', extra = extra, fields = { ... } } "
    "end\n"
    "local str, int, num = of'string', of'integer', of'number'\n"
    "local item = object('ignore', { 'name', of('string', { min = 1, max = 9 }) },\n"
    "  { 'price', of('number', { min = 0 }) },\n"
    "  { 'quantity', of('integer', { min = 0, optional = true, default = 1 }) },\n"
    "  { 'tags', of('array', { of = str, max = 3 }) },\n"
    "  { 'dimensions', object('forbid', { 'w', num }, { 'h', num }) })\n"
    "local cat = object('forbid', { 'kind', of('const', { value = 'cat' }) }, { 'lives', int })\n"
    "local dog = object('keep', { 'kind', of('const', { value = 'dog' }) })\n"
    "local tree = object('ignore', { 'n', int }) tree.name = 'Tree'\n"
    "local ref = of('ref', { target = tree })\n"
    "tree.fields[2] = { 'kids', of('array', { of = ref, optional = true }) }\n"
    "tree.fields[3] = { 'u', of('union', { variants = { ref, of('array', { of = ref }), int },\n"
    "  optional = true }) }\n"
    "return { of'any', item, of('array', { of = of('union', { variants = { cat, dog }, tag = "
    "'kind' }) }),\n"
    "  of('map', { of = of('map', { of = int, max = 2 }) }), tree,\n"
    "  of('array', { of = of'any', unique = true }),\n"
    "  of('union', { variants = { of('map', { of = int }), of('array', { of = of'boolean' }), "
    "str,\n"
    "    of('enum', { values = { 'a', 2, true } }) }, nullable = true }),\n"
    "  object('forbid', { 'a', of('string', { nullable = true, trim = true }) },\n"
    "    { 'b', of('union', { variants = { item, cat, dog } }) }) }\n";

static const char same[] =
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n"
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "return same\n";

#define SCHEMAS 8

struct fixture {
    lua_State *L;
    struct bq_schemas all, all_by_api;
    const struct bq_schema *schemas[SCHEMAS], *by_api[SCHEMAS];
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct fixture f;

/* The list of nodes is at the top. */
static void compile(struct bq_schemas *all, const struct bq_schema *out[SCHEMAS])
{
    char error[512];
    for (int i = 0; i < SCHEMAS; i++) {
        lua_rawgeti(f.L, -1, i + 1);
        out[i] = bq_schema_compile(f.L, all, -1, error);
        if (!out[i])
            fprintf(stderr, "schema %d: %s\n", i + 1, error);
        require(out[i]);
        lua_pop(f.L, 1);
    }
}

/* The only value on the stack that stays is the function that compares. */
static void open_fixture(void)
{
    if (f.L)
        return;
    f.L = luaL_newstate();
    require(f.L);
    luaL_openlibs(f.L);
    bq_decode_open(f.L);
    bq_encode_open(f.L);
    bq_schemas_init(f.L, &f.all);
    bq_schemas_init(f.L, &f.all_by_api);
    require(f.all.in_place);
    f.all_by_api.in_place = false;
    lua_settop(f.L, 0);
    require(luaL_dostring(f.L, same) == 0);
    require(luaL_dostring(f.L, nodes) == 0);
    compile(&f.all, f.schemas);
    compile(&f.all_by_api, f.by_api);
    lua_settop(f.L, 1);
}

/* What the decoder makes a table of without elements, for which [] and {} are the same. */
static bool has_empty_table(bq_str text)
{
    static const char space[] = " \t\r\n";
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '[' && text.p[i] != '{')
            continue;
        size_t next = i + 1;
        while (next < text.n && memchr(space, text.p[next], sizeof space - 1))
            next++;
        if (next < text.n && (text.p[next] == ']' || text.p[next] == '}'))
            return true;
    }
    return false;
}

/* Whether the values at these indexes are the same. */
static void require_same(lua_State *L, int a, int b)
{
    lua_pushvalue(L, 1);
    lua_pushvalue(L, a);
    lua_pushvalue(L, b);
    require(lua_pcall(L, 2, 1, 0) == 0 && lua_toboolean(L, -1));
    lua_pop(L, 1);
}

/* The value at 2, if there is one, is what was read. */
static void compare_by_api(lua_State *L, const struct bq_schema *s, bq_str text, int rc,
                           const struct bq_json_error *error, const struct bq_invalid *invalid)
{
    struct bq_json_error other_error = {0, NULL};
    struct bq_invalid other;
    bq_invalid_init(&other);
    require(bq_schema_read_json(L, s, text, &other, &other_error) == rc);
    require(other_error.offset == error->offset && other_error.reason == error->reason);
    require(other.count == invalid->count);
    require(bq_str_eq(bq_buf_str(&other.json), bq_buf_str(&invalid->json)));
    if (rc == BQ_OK && invalid->count == 0)
        require_same(L, 2, 3);
    bq_invalid_release(&other);
    lua_settop(L, rc == BQ_OK ? 2 : 1);
}

/* The value that was read is at the top of the stack, if there were no problems. */
static void compare(lua_State *L, const struct bq_schema *s, bq_str text, bool accepted)
{
    struct bq_json_error error;
    struct bq_invalid invalid;
    require(bq_decode(L, text, &error) == BQ_OK);
    bq_invalid_init(&invalid);
    bq_schema_read_value(L, s, -1, &invalid);
    if (!has_empty_table(text))
        require(accepted == (invalid.count == 0));
    if (accepted) {
        require(invalid.count == 0);
        require_same(L, 2, lua_gettop(L));
    }
    bq_invalid_release(&invalid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    open_fixture();
    const struct bq_schema *s = f.schemas[data[0] % SCHEMAS];
    size_t n = size - 1;
    char *exact = malloc(n ? n : 1); /* no NUL behind it: a read too far is seen */
    require(exact);
    memcpy(exact, data + 1, n);
    bq_str text = bq_str_of(exact, n);
    struct bq_json_error error = {0, NULL}, want = {0, NULL};
    struct bq_invalid invalid;
    bq_invalid_init(&invalid);
    int checked = bq_json_check(text, BQ_DECODE_DEPTH_MAX, &want);
    int rc = bq_schema_read_json(f.L, s, text, &invalid, &error);
    require(lua_gettop(f.L) == (rc == BQ_OK ? 2 : 1) && invalid.depth == 0);
    compare_by_api(f.L, f.by_api[data[0] % SCHEMAS], text, rc, &error, &invalid);
    bool ambiguous = rc == BQ_OK && error.reason;
    require(!ambiguous || invalid.count == 1);
    if (!ambiguous) {
        require(rc == checked && error.offset == want.offset && error.reason == want.reason);
        if (rc == BQ_OK)
            compare(f.L, s, text, invalid.count == 0);
    }
    lua_settop(f.L, 1);
    bq_invalid_release(&invalid);
    free(exact);
    return 0;
}
