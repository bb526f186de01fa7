/* schema_json_test.c: bodies to Lua values, and what is wrong with others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/decode.h"
#include "app/schema.h"
#include "base/mem.h"
#include "base/rc.h"
#include "lua_same.h"

#include <stdlib.h>

/* Nodes as lua/barq/schema.lua makes them, and a comparison through and through. */
static const char prelude[] =
    "function object(fields, more)\n"
    "  local node = { kind = 'object', fields = fields, extra = 'ignore' }\n"
    "  for k, v in pairs(more or {}) do node[k] = v end\n"
    "  return node\n"
    "end\n"
    "function of(kind, more)\n"
    "  local node = { kind = kind }\n"
    "  for k, v in pairs(more or {}) do node[k] = v end\n"
    "  return node\n"
    "end\n"
    "function list(item, more) more = more or {} more.of = item return of('array', more) end\n"
    "function map(item, more) more = more or {} more.of = item return of('map', more) end\n"
    "function union(...) return { kind = 'union', variants = { ... } } end\n"
    "str, int, num, bool, any = of'string', of'integer', of'number', of'boolean', of'any'\n"
    "function optional(node, default)\n"
    "  local copy = { optional = true, default = default }\n"
    "  for k, v in pairs(node) do copy[k] = v end\n"
    "  return copy\n"
    "end\n"
    "function const(v) return of('const', { value = v }) end\n"
    "cat = object({ { 'kind', const'cat' }, { 'lives', int } }, { name = 'Cat' })\n"
    "dog = object({ { 'kind', const'dog' }, { 'name', str } }, { name = 'Dog' })\n"
    "pet = union(cat, dog) pet.tag = 'kind'\n"
    "tree = object({ { 'n', int } }, { name = 'Tree' })\n"
    "tree.fields[2] = { 'kids', optional(list{ kind = 'ref', target = tree }) }\n"
    "item = object{ { 'name', of('string', { min = 1, max = 100 }) },\n"
    "  { 'price', of('number', { min = 0 }) },\n"
    "  { 'quantity', optional(of('integer', { min = 0 }), 1) },\n"
    "  { 'tags', list(str, { max = 3 }) },\n"
    "  { 'dimensions', object{ { 'w', num }, { 'h', num } } } }\n" LUA_SAME;

struct world {
    lua_State *L;
    struct bq_schemas schemas;
};

static int open_world(void **state)
{
    static struct world w;
    w.L = luaL_newstate();
    if (!w.L)
        return -1;
    luaL_openlibs(w.L);
    bq_encode_open(w.L);
    lua_settop(w.L, 0);
    bq_null_push(w.L);
    lua_setglobal(w.L, "null");
    bq_schemas_init(w.L, &w.schemas);
    if (luaL_dostring(w.L, prelude) != 0)
        fail_msg("%s", lua_tostring(w.L, -1));
    *state = &w;
    return 0;
}

/* Where tables do not lie as vm/raw.h says. */
static int open_world_by_api(void **state)
{
    int rc = open_world(state);
    if (rc == 0)
        ((struct world *)*state)->schemas.in_place = false;
    return rc;
}

static int close_world(void **state)
{
    struct world *w = *state;
    lua_close(w->L);
    bq_schemas_release(&w->schemas);
    return bq_mem_live() == 0 ? 0 : -1;
}

static void push_expression(lua_State *L, const char *expression)
{
    lua_pushfstring(L, "return %s", expression);
    if (luaL_loadstring(L, lua_tostring(L, -1)) != 0 || lua_pcall(L, 0, 1, 0) != 0)
        fail_msg("%s: %s", expression, lua_tostring(L, -1));
    lua_remove(L, -2);
}

static const struct bq_schema *compile(struct world *w, const char *node)
{
    char error[512];
    push_expression(w->L, node);
    const struct bq_schema *s = bq_schema_compile(w->L, &w->schemas, -1, error);
    if (!s)
        fail_msg("%s: %s", node, error);
    lua_pop(w->L, 1);
    return s;
}

/* The text lies in a block of just its size; on success the value is the global v. */
static int read_body(struct world *w, const char *node, bq_str text, struct bq_invalid *v,
                     struct bq_json_error *error)
{
    lua_settop(w->L, 0);
    const struct bq_schema *s = compile(w, node);
    char *copy = malloc(text.n ? text.n : 1);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    lua_pushinteger(w->L, 42);
    bq_invalid_push_key(v, BQ_STR("body"));
    int rc = bq_schema_read_json(w->L, s, bq_str_of(copy, text.n), v, error);
    bq_invalid_pop(v);
    free(copy);
    assert_int_equal(v->depth, 0);
    assert_int_equal(lua_gettop(w->L), rc == BQ_OK ? 2 : 1);
    assert_int_equal(lua_tointeger(w->L, 1), 42);
    if (rc == BQ_OK)
        lua_setglobal(w->L, "v");
    return rc;
}

/* The schema of that node reads the text as a value that is the same as the expression's. */
static void reads_text(void **state, const char *node, bq_str text, const char *expression)
{
    struct world *w = *state;
    struct bq_invalid v;
    struct bq_json_error error = {0, ""};
    bq_invalid_init(&v);
    if (read_body(w, node, text, &v, &error) != BQ_OK)
        fail_msg("%.*s: %s at %zu", BQ_STR_ARG(text), error.reason, error.offset);
    if (v.count)
        fail_msg("%.*s: %.*s", BQ_STR_ARG(text), BQ_STR_ARG(bq_buf_str(&v.json)));
    bq_invalid_release(&v);
    lua_pushfstring(w->L, "same(v, %s)", expression);
    push_expression(w->L, lua_tostring(w->L, -1));
    if (!lua_toboolean(w->L, -1))
        fail_msg("%.*s: not %s", BQ_STR_ARG(text), expression);
}

static void reads(void **state, const char *node, const char *text, const char *expression)
{
    reads_text(state, node, bq_str_cstr(text), expression);
}

/* The text is JSON, but these are its problems: "body.a int_type, body.b missing". */
static void finds(void **state, const char *node, const char *text, const char *problems)
{
    struct bq_invalid v;
    struct bq_json_error error = {0, ""};
    bq_invalid_init(&v);
    if (read_body(*state, node, bq_str_cstr(text), &v, &error) != BQ_OK)
        fail_msg("%s: %s at %zu", text, error.reason, error.offset);
    if (!bq_str_eq(bq_buf_str(&v.brief), bq_str_cstr(problems)))
        fail_msg("%s: %.*s", text, BQ_STR_ARG(bq_buf_str(&v.brief)));
    bq_invalid_release(&v);
}

static void refuses(void **state, const char *node, bq_str text, int rc, size_t offset)
{
    struct bq_invalid v;
    struct bq_json_error error = {SIZE_MAX, NULL};
    bq_invalid_init(&v);
    assert_int_equal(read_body(*state, node, text, &v, &error), rc);
    assert_int_equal(error.offset, offset);
    assert_non_null(error.reason);
    assert_int_equal(v.count, 0);
    assert_int_equal(v.json.len, 0);
    bq_invalid_release(&v);
}

static void scalars_are_strict(void **state)
{
    reads(state, "str", "\"a\\u00e4\\n\"", "'a\\195\\164\\n'");
    finds(state, "str", "1", "body string_type");
    finds(state, "str", "null", "body string_type");
    finds(state, "str", "[\"a\"]", "body string_type");
    reads(state, "int", "-3", "-3");
    reads(state, "int", "5.0", "5");
    reads(state, "int", "5e2", "500");
    finds(state, "int", "5.5", "body int_from_float");
    finds(state, "int", "\"5\"", "body int_type");
    finds(state, "int", "true", "body int_type");
    reads(state, "int", "9007199254740991", "2^53 - 1");
    reads(state, "num", "9.99", "9.99");
    reads(state, "num", "1e-7", "1e-7");
    finds(state, "num", "\"1\"", "body float_type");
    finds(state, "num", "{\"a\":[1]}", "body float_type");
    reads(state, "bool", "true", "true");
    reads(state, "bool", "false", "false");
    finds(state, "bool", "0", "body bool_type");
    finds(state, "bool", "null", "body bool_type");
    reads(state, "of'int64'", "9223372036854775807", "'9223372036854775807'");
    reads(state, "of'int64'", "\"-5\"", "'-5'");
    finds(state, "of'int64'", "true", "body int_type");
}

static void bounds_are_checked_in_place(void **state)
{
    finds(state, "of('string', { min = 2 })", "\"\xc3\xa4\"", "body string_too_short");
    finds(state, "of('string', { max = 2 })", "\"abc\"", "body string_too_long");
    reads(state, "of('string', { trim = true, lower = true })", "\" AbC \"", "'abc'");
    finds(state, "of('integer', { min = 3 })", "2", "body greater_than_equal");
    finds(state, "of('number', { below = 3 })", "3", "body less_than");
    reads(state, "of('enum', { values = { 'a', 2, false } })", "2.0", "2");
    reads(state, "of('enum', { values = { 'a', 2, false } })", "false", "false");
    finds(state, "of('enum', { values = { 'a', 2 } })", "\"b\"", "body enum");
    finds(state, "of('enum', { values = { 'a', 2 } })", "[]", "body enum");
    finds(state, "const'x'", "\"y\"", "body literal_error");
}

static void null_is_for_those_who_take_it(void **state)
{
    reads(state, "of('string', { nullable = true })", "null", "null");
    reads(state, "of('array', { of = int, nullable = true })", "null", "null");
    reads(state, "union({ kind = 'integer', nullable = true }, str)", "null", "null");
    reads(state, "{ kind = 'union', variants = { int, str }, nullable = true }", "null", "null");
    reads(state, "object{ { 'a', { kind = 'integer', nullable = true } } }", "{\"a\":null}",
          "{ a = null }");
    reads(state, "any", "null", "null");
    finds(state, "object{ { 'a', optional(int, 3) } }", "{\"a\":null}", "body.a int_type");
}

static void objects_are_built_from_their_fields(void **state)
{
    const char *text = "{\"name\":\"Widget\",\"price\":9.99,\"quantity\":3,"
                       "\"tags\":[\"a\",\"b\",\"c\"],\"dimensions\":{\"w\":1.5,\"h\":2.5}}";
    reads(state, "item", text,
          "{ name = 'Widget', price = 9.99, quantity = 3, tags = { 'a', 'b', 'c' },"
          "  dimensions = { w = 1.5, h = 2.5 } }");
    reads(state, "item",
          " { \"dimensions\" : {\"h\":1,\"w\":2} , \"tags\" : [ ] , \"price\" : 0 , \"n\\u0061me\""
          " : \"x\" } ",
          "{ name = 'x', price = 0, quantity = 1, tags = {}, dimensions = { w = 2, h = 1 } }");
    reads(state, "object{}", "{\"a\":1}", "{}");
    reads(state, "object{ { 'a', optional(int) } }", "{}", "{}");
    finds(state, "item", "[]", "body model_type");
}

static void every_problem_is_found(void **state)
{
    finds(state, "item",
          "{\"name\":\"\",\"price\":-1,\"tags\":[\"a\",2,\"c\",null],\"dimensions\":{\"w\":\"\"}}",
          "body.name string_too_short, body.price greater_than_equal, "
          "body.tags[1] string_type, body.tags[3] string_type, "
          "body.dimensions.w float_type, body.dimensions.h missing");
    finds(state, "item", "{}",
          "body.name missing, body.price missing, body.tags missing, body.dimensions missing");
    finds(state, "list(object{ { 'a', int } })", "[{\"a\":1},{\"a\":\"x\"},3]",
          "body[1].a int_type, body[2] model_type");
}

static void defaults_are_copies(void **state)
{
    const char *node =
        "object{ { 'a', optional(list(int), { 1, 2 }) }, { 'b', optional(int, 7) } }";
    reads(state, node, "{}", "{ a = { 1, 2 }, b = 7 }");
    push_expression(((struct world *)*state)->L, "table.insert(v.a, 3)");
    reads(state, node, "{}", "{ a = { 1, 2 }, b = 7 }");
}

static void undeclared_names_are_ignored_forbidden_or_kept(void **state)
{
    const char *text = "{\"x\":[{\"y\":1}],\"a\":1,\"z\":null}";
    reads(state, "object({ { 'a', int } }, { extra = 'ignore' })", text, "{ a = 1 }");
    finds(state, "object({ { 'a', int } }, { extra = 'forbid' })", text,
          "body.x extra_forbidden, body.z extra_forbidden");
    reads(state, "object({ { 'a', int } }, { extra = 'keep' })", text,
          "{ a = 1, x = { { y = 1 } }, z = null }");
    finds(state, "object({ { 'a', int } }, { extra = 'forbid' })",
          "{\"a\":1,\"\\u0062\":1,\"b\":2}", "body.b extra_forbidden, body.b extra_forbidden");
}

static void arrays_of_every_length_come_out_in_order(void **state)
{
    struct world *w = *state;
    for (int n = 0; n < 70; n++) {
        struct bq_buf text = BQ_BUF_INIT;
        for (int i = 0; i < n; i++)
            assert_int_equal(bq_buf_printf(&text, "%c%d", i ? ',' : '[', i + 1), BQ_OK);
        assert_int_equal(bq_buf_append(&text, n ? BQ_STR("]") : BQ_STR("[]")), BQ_OK);
        lua_pushinteger(w->L, n);
        lua_setglobal(w->L, "n");
        reads_text(state, "list(int)", bq_buf_str(&text),
                   "(function() local t = {} for i = 1, n do t[i] = i end return t end)()");
        reads_text(state, "any", bq_buf_str(&text),
                   "(function() local t = {} for i = 1, n do t[i] = i end return t end)()");
        bq_buf_release(&text);
    }
}

static void maps_of_every_size_come_out_whole(void **state)
{
    struct world *w = *state;
    for (int n = 0; n < 40; n++) {
        struct bq_buf text = BQ_BUF_INIT;
        assert_int_equal(bq_buf_push(&text, '{'), BQ_OK);
        for (int i = 0; i < n; i++)
            assert_int_equal(bq_buf_printf(&text, "%s\"k%d\":%d", i ? "," : "", i, i), BQ_OK);
        assert_int_equal(bq_buf_push(&text, '}'), BQ_OK);
        lua_pushinteger(w->L, n);
        lua_setglobal(w->L, "n");
        const char *want = "(function() local t = {} for i = 0, n - 1 do t['k' .. i] = i end "
                           "return t end)()";
        reads_text(state, "map(int)", bq_buf_str(&text), want);
        reads_text(state, "any", bq_buf_str(&text), want);
        bq_buf_release(&text);
    }
}

static void lengths_are_checked_when_the_elements_are_right(void **state)
{
    finds(state, "list(int, { min = 2 })", "[1]", "body too_short");
    finds(state, "list(int, { max = 2 })", "[1,2,3]", "body too_long");
    finds(state, "list(int, { max = 2 })", "[1,2,true]", "body[2] int_type");
    finds(state, "list(int)", "{\"a\":1}", "body list_type");
    finds(state, "map(int, { min = 2 })", "{\"a\":1,\"a\":2}", "body too_short");
    finds(state, "map(int, { max = 1 })", "{\"a\":1,\"b\":2}", "body too_long");
    finds(state, "map(int)", "{\"a\":1,\"b\":\"x\"}", "body.b int_type");
    finds(state, "map(int)", "[]", "body dict_type");
    reads(state, "list(any, { unique = true })", "[1,\"1\",[1],[2],{\"a\":1}]",
          "{ 1, '1', { 1 }, { 2 }, { a = 1 } }");
    finds(state, "list(any, { unique = true })", "[[1,{\"a\":[]}],[1,{\"a\":[]}]]",
          "body unique_items");
}

static void the_last_of_repeated_names_wins(void **state)
{
    const char *node = "object{ { 'a', int }, { 'b', optional(int) } }";
    reads(state, node, "{\"a\":1,\"a\":2}", "{ a = 2 }");
    reads(state, node, "{\"a\":\"x\",\"b\":1,\"a\":2}", "{ a = 2, b = 1 }");
    finds(state, node, "{\"a\":1,\"a\":\"x\"}", "body.a int_type");
    finds(state, node, "{\"a\":[],\"b\":\"y\",\"\\u0061\":\"x\"}",
          "body.b int_type, body.a int_type");
    reads(state, "map(int)", "{\"a\":\"x\",\"b\":1,\"a\":2}", "{ a = 2, b = 1 }");
    finds(state, "map(int)", "{\"a\":1,\"b\":1,\"a\":\"x\"}", "body.a int_type");
    reads(state, "map(map(int))", "{\"a\":{\"b\":\"x\",\"b\":1},\"c\":7,\"c\":{}}",
          "{ a = { b = 1 }, c = {} }");
    reads(state, "any", "{\"a\":1,\"b\":2,\"a\":{\"c\":1,\"c\":2}}", "{ a = { c = 2 }, b = 2 }");
    reads(state, "object({}, { extra = 'keep' })", "{\"a\":1,\"a\":2}", "{ a = 2 }");
    reads(state, "list(object{ { 'a', int } })", "[{\"a\":1,\"a\":2},{\"a\":true,\"a\":3}]",
          "{ { a = 2 }, { a = 3 } }");
}

static void a_tag_leads_to_its_variant(void **state)
{
    reads(state, "pet", "{\"kind\":\"cat\",\"lives\":9}", "{ kind = 'cat', lives = 9 }");
    reads(state, "pet", "{\"name\":\"Rex\",\"kind\":\"d\\u006fg\"}",
          "{ kind = 'dog', name = 'Rex' }");
    finds(state, "pet", "{\"kind\":\"cat\",\"lives\":\"nine\"}", "body.cat.lives int_type");
    finds(state, "pet", "{\"kind\":\"cow\",\"lives\":9}", "body union_tag_invalid");
    finds(state, "pet", "{\"lives\":9}", "body union_tag_not_found");
    finds(state, "pet", "[]", "body dict_type");
    reads(state, "list(pet)", "[{\"kind\":\"cat\",\"lives\":9},{\"kind\":\"dog\",\"name\":\"\"}]",
          "{ { kind = 'cat', lives = 9 }, { kind = 'dog', name = '' } }");
}

static void the_last_of_repeated_tags_leads(void **state)
{
    const char *want = "{ kind = 'cat', lives = 9 }";
    reads(state, "pet", "{\"kind\":\"dog\",\"kind\":\"cat\",\"lives\":9}", want);
    reads(state, "pet", "{\"kind\":\"cow\",\"kind\":\"cat\",\"lives\":9}", want);
    reads(state, "pet", "{\"kind\":[1],\"lives\":9,\"kind\":\"cat\"}", want);
    finds(state, "pet", "{\"kind\":\"cat\",\"lives\":9,\"kind\":1}", "body union_tag_not_found");
    finds(state, "pet", "{\"kind\":\"cat\",\"lives\":9,\"kind\":\"cow\"}",
          "body union_tag_invalid");
}

static void the_first_variant_without_problems_is_taken(void **state)
{
    reads(state, "union(int, str)", "\"5\"", "'5'");
    reads(state, "union(num, int)", "5", "5");
    reads(state, "union(list(int), list(str))", "[\"a\",\"b\"]", "{ 'a', 'b' }");
    reads(state, "union(cat, dog)", "{\"kind\":\"dog\",\"name\":\"\\u0052ex\"}",
          "{ kind = 'dog', name = 'Rex' }");
    reads(state, "list(union(map(int), map(str)))", "[{\"a\":1},{\"a\":\"1\"}]",
          "{ { a = 1 }, { a = '1' } }");
    reads(state, "union(of('string', { max = 1 }), of('string', { max = 3 }))", "\"a\\nb\"",
          "'a\\nb'");
}

static void without_a_variant_the_problems_of_all_are_told(void **state)
{
    finds(state, "union(int, str)", "true", "body.int int_type, body.str string_type");
    finds(state, "union(cat, dog)", "{\"kind\":\"dog\",\"lives\":1}",
          "body.Cat.kind literal_error, body.Dog.name missing");
    finds(state, "list(union(int, bool))", "[1,true,\"x\"]",
          "body[2].int int_type, body[2].bool bool_type");
}

static void unions_within_unions_tell_only_what_is_wrong_in_the_end(void **state)
{
    const char *node = "union(list(union(int, bool)), list(str), int)";
    reads(state, node, "[\"a\"]", "{ 'a' }");
    reads(state, node, "[1,true]", "{ 1, true }");
    finds(state, node, "[\"a\",1]",
          "body.list[0].int int_type, body.list[0].bool bool_type, body.list[1] string_type, "
          "body.int int_type");
    finds(state, "union(list(union(int, bool)), int)", "[[{\"a\":1}]]",
          "body.list[0].int int_type, body.list[0].bool bool_type, body.int int_type");
}

static void anything_is_read_as_it_is(void **state)
{
    reads(state, "any",
          "{\"a\":[1,2.5,\"x\\t\",true,false,null,[],{}],\"b\":{\"c\":{\"d\":[[1]]}}}",
          "{ a = { 1, 2.5, 'x\\t', true, false, null, {}, {} }, b = { c = { d = { { 1 } } } } }");
    reads(state, "(function() metatable = getmetatable return any end)()", "{}",
          "metatable(v) and v");
    reads(state, "any", "[]", "not getmetatable(v) and v");
}

static void a_custom_check_sees_what_is_right_so_far(void **state)
{
    const char *even = "of('integer', { min = 0, check = function(v) seen = v "
                       "return v % 2 == 0, 'must be even' end })";
    reads(state, even, "4", "4");
    finds(state, even, "3", "body value_error");
    reads(state, "(function() seen = nil return int end)()", "1", "1");
    finds(state, even, "-3", "body greater_than_equal");
    push_expression(((struct world *)*state)->L, "assert(seen == nil)");
    finds(state,
          "object({ { 'a', int }, { 'b', int } }, { check = function(v) "
          "return v.a < v.b, 'a must be below b' end })",
          "{\"a\":2,\"b\":1}", "body value_error");
}

static void malformed_text_is_refused_where_it_goes_wrong(void **state)
{
    refuses(state, "item", BQ_STR(""), BQ_INVALID, 0);
    refuses(state, "item", BQ_STR("{\"name\":1,}"), BQ_INVALID, 10);
    refuses(state, "item", BQ_STR("{\"other\":[1,\"\xff\"]}"), BQ_INVALID, 13);
    refuses(state, "item", BQ_STR("{} x"), BQ_INVALID, 3);
    refuses(state, "int", BQ_STR("[1,]"), BQ_INVALID, 3);
    refuses(state, "pet", BQ_STR("{\"kind\":\"cat\",\"lives\":9"), BQ_INVALID, 23);
    refuses(state, "pet", BQ_STR("{\"lives\":9,\"kind\""), BQ_INVALID, 17);
    refuses(state, "union(int, list(int), list(str))", BQ_STR("[\"a\",tru]"), BQ_INVALID, 8);
    refuses(state, "map(int)", BQ_STR("{\"a\":\"x\",\"a\":1"), BQ_INVALID, 14);
    refuses(state, "object{ { 'a', int } }", BQ_STR("{\"a\":\"x\",\"a\":1"), BQ_INVALID, 14);
    refuses(state, "any", BQ_STR("\"\\ud800\""), BQ_INVALID, 1);
}

static void nesting_is_bounded(void **state)
{
    char text[2 * BQ_DECODE_DEPTH_MAX + 2];
    memset(text, '[', BQ_DECODE_DEPTH_MAX + 1);
    memset(text + BQ_DECODE_DEPTH_MAX + 1, ']', BQ_DECODE_DEPTH_MAX + 1);
    refuses(state, "any", bq_str_of(text, sizeof text), BQ_LIMIT, BQ_DECODE_DEPTH_MAX);
    reads_text(state, "any", bq_str_of(text + 1, sizeof text - 2), "v");
    refuses(state, "str", bq_str_of(text, sizeof text), BQ_LIMIT, BQ_DECODE_DEPTH_MAX);
}

static void schemas_may_hold_themselves(void **state)
{
    reads(state, "tree", "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[]},{\"n\":3}]}",
          "{ n = 1, kids = { { n = 2, kids = {} }, { n = 3 } } }");
    finds(state, "tree", "{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{\"n\":\"x\"}]}]}",
          "body.kids[0].kids[0].n int_type");
}

/* {"a":{"a":{"a": … true: two variants at each level would be tried 2^60 times. */
static void ambiguity_is_bounded(void **state)
{
    struct world *w = *state;
    assert_int_equal(luaL_dostring(w->L, "a = object{} b = object{}\n"
                                         "maze = union(a, b, int)\n"
                                         "a.fields[1] = { 'a', maze } b.fields[1] = { 'a', maze }"),
                     0);
    struct bq_buf text = BQ_BUF_INIT;
    for (int i = 0; i < 60; i++)
        assert_int_equal(bq_buf_append(&text, BQ_STR("{\"a\":")), BQ_OK);
    assert_int_equal(bq_buf_append(&text, BQ_STR("true")), BQ_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(bq_buf_push(&text, '}'), BQ_OK);
    struct bq_invalid v;
    struct bq_json_error error = {0, NULL};
    bq_invalid_init(&v);
    assert_int_equal(read_body(w, "maze", bq_buf_str(&text), &v, &error), BQ_OK);
    assert_int_equal(v.count, 1);
    assert_true(bq_str_eq(bq_buf_str(&v.brief), BQ_STR("body value_error")));
    assert_non_null(memmem(v.json.data, bq_buf_size(&v.json), "too ambiguous", 13));
    bq_invalid_release(&v);
    bq_buf_release(&text);
}

static void when_nothing_more_is_told_only_the_syntax_is_looked_at(void **state)
{
    struct world *w = *state;
    struct bq_buf text = BQ_BUF_INIT;
    assert_int_equal(bq_buf_push(&text, '['), BQ_OK);
    for (int i = 0; i < 2 * BQ_INVALID_PROBLEMS_MAX; i++)
        assert_int_equal(bq_buf_append(&text, BQ_STR("[[]],")), BQ_OK);
    assert_int_equal(bq_buf_append(&text, BQ_STR("1]")), BQ_OK);
    for (int broken = 0; broken < 2; broken++) {
        struct bq_invalid v;
        struct bq_json_error error = {0, NULL};
        bq_invalid_init(&v);
        if (broken)
            text.data[text.len - 3] = '1';
        int rc = read_body(w, "list(int)", bq_buf_str(&text), &v, &error);
        assert_int_equal(rc, broken ? BQ_INVALID : BQ_OK);
        assert_int_equal(v.count, broken ? 0 : BQ_INVALID_PROBLEMS_MAX);
        bq_invalid_release(&v);
    }
    bq_buf_release(&text);
}

/* Lua's own allocator, of which the call with that number fails. */
struct allocator {
    lua_Alloc inner;
    void *inner_arg;
    long fails_at; /* 0: none */
    long calls;
};

static void *allocate(void *arg, void *p, size_t before, size_t n)
{
    struct allocator *a = arg;
    if (n > before && ++a->calls == a->fails_at)
        return NULL;
    return a->inner(a->inner_arg, p, before, n);
}

struct attempt {
    const struct bq_schema *schema;
    bq_str text;
    struct bq_invalid *v;
};

static int l_attempt(lua_State *L)
{
    struct attempt *a = lua_touserdata(L, 1);
    struct bq_json_error error;
    assert_int_equal(bq_schema_read_json(L, a->schema, a->text, a->v, &error), BQ_OK);
    return 0;
}

/* One walk that meets all there is: scratch, tables, repeated names, tags, variants, problems. */
static void a_lack_of_memory_raises_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct attempt attempt = {
        .schema = compile(w, "object{ { 'p', pet }, { 'm', map(num) }, { 'u', union(cat, any) },"
                             "  { 'd', optional(list(int), { 1 }) }, { 's', str } }"),
        .text = BQ_STR("{\"s\":1,\"p\":{\"kind\":\"c\\u0061t\",\"lives\":\"\"},\"m\":{\"a\":true,"
                       "\"b\":1},\"u\":{\"x\":[[1],{\"long enough for a block\":2}]},\"s\":2}"),
    };
    struct allocator a = {.fails_at = 1};
    a.inner = lua_getallocf(w->L, &a.inner_arg);
    lua_setallocf(w->L, allocate, &a);
    int rc = LUA_ERRMEM;
    for (; rc != 0; a.fails_at++) {
        struct bq_invalid v;
        long live = bq_mem_live();
        bq_invalid_init(&v);
        attempt.v = &v;
        lua_settop(w->L, 0);
        lua_gc(w->L, LUA_GCCOLLECT, 0);
        a.calls = 0;
        rc = lua_cpcall(w->L, l_attempt, &attempt);
        assert_true(rc == 0 || rc == LUA_ERRMEM);
        assert_int_equal(v.count, rc == 0 ? 3 : v.count);
        bq_invalid_release(&v);
        assert_int_equal(bq_mem_live(), live);
    }
    assert_in_range(a.fails_at, 10, 1000);
    lua_setallocf(w->L, a.inner, a.inner_arg);
}

static void objects_may_have_many_fields(void **state)
{
    struct world *w = *state;
    assert_int_equal(luaL_dostring(w->L,
                                   "wide = object{}\n"
                                   "for i = 1, 300 do wide.fields[i] = { 'f' .. i, int } end"),
                     0);
    struct bq_buf text = BQ_BUF_INIT;
    for (int i = 300; i > 0; i--)
        assert_int_equal(bq_buf_printf(&text, "%c\"f%d\":%d", i == 300 ? '{' : ',', i, i), BQ_OK);
    assert_int_equal(bq_buf_push(&text, '}'), BQ_OK);
    reads_text(state, "wide", bq_buf_str(&text),
               "(function() local t = {} for i = 1, 300 do t['f' .. i] = i end return t end)()");
    bq_buf_release(&text);
    finds(state, "object{ { 'a', wide }, { 'b', int } }", "{\"a\":[],\"b\":[]}",
          "body.a model_type, body.b int_type");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_are_strict),
        cmocka_unit_test(bounds_are_checked_in_place),
        cmocka_unit_test(null_is_for_those_who_take_it),
        cmocka_unit_test(objects_are_built_from_their_fields),
        cmocka_unit_test(every_problem_is_found),
        cmocka_unit_test(defaults_are_copies),
        cmocka_unit_test(undeclared_names_are_ignored_forbidden_or_kept),
        cmocka_unit_test(arrays_of_every_length_come_out_in_order),
        cmocka_unit_test(maps_of_every_size_come_out_whole),
        cmocka_unit_test(lengths_are_checked_when_the_elements_are_right),
        cmocka_unit_test(the_last_of_repeated_names_wins),
        cmocka_unit_test(a_tag_leads_to_its_variant),
        cmocka_unit_test(the_last_of_repeated_tags_leads),
        cmocka_unit_test(the_first_variant_without_problems_is_taken),
        cmocka_unit_test(without_a_variant_the_problems_of_all_are_told),
        cmocka_unit_test(unions_within_unions_tell_only_what_is_wrong_in_the_end),
        cmocka_unit_test(anything_is_read_as_it_is),
        cmocka_unit_test(a_custom_check_sees_what_is_right_so_far),
        cmocka_unit_test(malformed_text_is_refused_where_it_goes_wrong),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(schemas_may_hold_themselves),
        cmocka_unit_test(ambiguity_is_bounded),
        cmocka_unit_test(when_nothing_more_is_told_only_the_syntax_is_looked_at),
        cmocka_unit_test(a_lack_of_memory_raises_and_loses_nothing),
        cmocka_unit_test(objects_may_have_many_fields),
    };
    int failed = cmocka_run_group_tests_name("in place", tests, open_world, close_world);
    return failed +
           cmocka_run_group_tests_name("by the API", tests, open_world_by_api, close_world);
}
