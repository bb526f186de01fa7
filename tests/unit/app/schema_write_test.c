/* schema_write_test.c: Lua values as JSON text by a schema: what leaves, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/schema.h"
#include "base/fault.h"
#include "base/rc.h"
#include "quick_fixture.h"
#include "json/check.h"

#include <stdio.h>
#include <stdlib.h>

/* Nodes as lua/barq/schema.lua hands them to C: one function for each kind, with options. */
static const char nodes_chunk[] =
    "local function scalar(kind)\n"
    "  _G[kind] = function(o) o = o or {} o.kind = kind return o end\n"
    "end\n"
    "for _, kind in ipairs{'integer', 'int64', 'number', 'boolean', 'any'} do scalar(kind) end\n"
    "function text(o) o = o or {} o.kind = 'string' return o end\n"
    "function enum(values, o) o = o or {} o.kind, o.values = 'enum', values return o end\n"
    "function const(value, o) o = o or {} o.kind, o.value = 'const', value return o end\n"
    "function list(of, o) o = o or {} o.kind, o.of = 'array', of return o end\n"
    "function map(of, o) o = o or {} o.kind, o.of = 'map', of return o end\n"
    "function union(variants, o) o = o or {} o.kind, o.variants = 'union', variants return o end\n"
    "function object(fields, o)\n"
    "  o = o or {} o.kind, o.fields, o.extra = 'object', fields, o.extra or 'ignore' return o\n"
    "end\n"
    "function optional(o) o.optional = true return o end\n"
    "function nullable(o) o.nullable = true return o end\n"
    "function default(value, o) o.default, o.optional = value, true return o end\n"
    "Item = object({{'name', text()}, {'price', number()}, {'quantity', default(1, integer())},\n"
    "  {'tags', default({}, list(text()))}}, {name = 'Item'})\n"
    "Tree = object{{'value', integer()}}\n"
    "Tree.fields[2] = {'children', optional(list({kind = 'ref', target = Tree}))}\n"
    "Shape = union({object{{'kind', const('circle')}, {'r', number()}},\n"
    "  object{{'kind', enum{'square', 'cube'}}, {'side', number()}}}, {tag = 'kind'})\n";

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
    lua_setglobal(f->L, "marked_object");
    lua_setglobal(f->L, "marked_array");
    lua_pushlightuserdata(f->L, NULL);
    lua_setglobal(f->L, "null");
    assert_int_equal(luaL_dostring(f->L, nodes_chunk), 0);
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

static void push(lua_State *L, const char *expression)
{
    char chunk[1024];
    int n = snprintf(chunk, sizeof chunk, "return %s", expression);
    assert_true(n > 0 && (size_t)n < sizeof chunk);
    if (luaL_loadstring(L, chunk) != 0 || lua_pcall(L, 0, 1, 0) != 0)
        fail_msg("%s: %s", expression, lua_tostring(L, -1));
}

static const struct bq_schema *compile(struct fixture *f, const char *expression)
{
    char error[512];
    lua_settop(f->L, 0);
    push(f->L, expression);
    const struct bq_schema *s = bq_schema_compile(f->L, &f->schemas, 1, error);
    if (!s)
        fail_msg("%s: %s", expression, error);
    lua_settop(f->L, 0);
    return s;
}

static void writes(void **state, const char *schema, const char *value, const char *expected)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(f, schema);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error = {"no text"};
    push(f->L, value);
    if (bq_schema_write(f->L, s, -1, &out, &error) != BQ_OK)
        fail_msg("%s: %s: %s", schema, value, error.text);
    assert_int_equal(lua_gettop(f->L), 1);
    quick_agrees(f->L, s, 1, BQ_OK, bq_buf_str(&out));
    assert_int_equal(bq_buf_push(&out, '\0'), BQ_OK);
    assert_string_equal(out.data, expected);
    bq_buf_release(&out);
}

/* What it says must begin with `expected`; the buffer keeps what was in it. */
static void refuses(void **state, const char *schema, const char *value, const char *expected)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(f, schema);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error = {"no text"};
    push(f->L, value);
    assert_int_equal(bq_buf_append(&out, BQ_STR("kept")), BQ_OK);
    int rc = bq_schema_write(f->L, s, 1, &out, &error);
    if (rc != BQ_INVALID)
        fail_msg("%s: %s is %s", schema, value, bq_rc_text(rc));
    assert_false(quick_agrees(f->L, s, 1, rc, BQ_STR("")));
    assert_int_equal(lua_gettop(f->L), 1);
    assert_true(bq_str_eq(bq_buf_str(&out), BQ_STR("kept")));
    if (strncmp(error.text, expected, strlen(expected)) != 0)
        fail_msg("%s: %s: %s", schema, value, error.text);
    bq_buf_release(&out);
}

static void declared_fields_leave_in_declared_order_and_no_others(void **state)
{
    writes(state, "Item", "{tags = {'a', 'b'}, secret = 1, price = 9.99, quantity = 3, name = 'W'}",
           "{\"name\":\"W\",\"price\":9.99,\"quantity\":3,\"tags\":[\"a\",\"b\"]}");
    writes(state, "object({{'a', any()}}, {extra = 'forbid'})", "{a = 1, b = 2}", "{\"a\":1}");
    writes(state, "object{{'with \"quotes\"', any()}}", "{['with \"quotes\"'] = 1}",
           "{\"with \\\"quotes\\\"\":1}");
}

static void absent_fields_are_left_out_or_get_their_default(void **state)
{
    writes(state, "Item", "{name = 'W', price = 1}",
           "{\"name\":\"W\",\"price\":1,\"quantity\":1,\"tags\":[]}");
    writes(state, "object{{'a', optional(text())}, {'b', optional(nullable(text()))}}", "{}", "{}");
    writes(state, "object{{'a', default(null, nullable(text()))}}", "{}", "{\"a\":null}");
    writes(state, "object{{'a', default(false, boolean())}}", "{}", "{\"a\":false}");
    writes(state, "object{{'o', default({x = 1}, object{{'x', integer()}})}}", "{}",
           "{\"o\":{\"x\":1}}");
}

static void nil_and_null_are_null_where_that_is_declared(void **state)
{
    writes(state, "object{{'a', nullable(text())}}", "{}", "{\"a\":null}");
    writes(state, "object{{'a', nullable(text())}}", "{a = null}", "{\"a\":null}");
    writes(state, "object{{'a', optional(nullable(text()))}}", "{a = null}", "{\"a\":null}");
    writes(state, "object{{'a', any()}}", "{a = null}", "{\"a\":null}");
    writes(state, "object{{'a', nullable(union{text(), integer()})}}", "{}", "{\"a\":null}");
    writes(state, "object{{'a', nullable(union(Shape.variants, {tag = 'kind'}))}}", "{a = null}",
           "{\"a\":null}");
    writes(state, "nullable(object{})", "nil", "null");
    writes(state, "list(nullable(integer()))", "{1, null, 3}", "[1,null,3]");
    refuses(state, "object{{'a', optional(text())}}", "{a = null}",
            "field \"a\": barq.null, where a string is declared");
    refuses(state, "text()", "null", "barq.null, where a string is declared");
    refuses(state, "text()", "nil", "nil, where a string is declared");
    refuses(state, "list(integer())", "{1, null}",
            "field \"[2]\": barq.null, where an integer is declared");
}

static void a_missing_field_is_named(void **state)
{
    refuses(state, "Item", "{name = 'W'}", "field \"price\": it is missing, and not declared");
    refuses(state, "object{{'items', list(Item)}}", "{items = {{name = 'W', price = 1}, {}}}",
            "field \"items[2].name\": it is missing");
    refuses(state, "object{{'a', any()}}", "{}", "field \"a\": it is missing");
}

static void a_value_of_another_type_is_refused_by_path_and_expectation(void **state)
{
    refuses(state, "object{{'items', list(Item)}}",
            "{items = {{name = 'W', price = 1}, {name = 'V', price = '1'}}}",
            "field \"items[2].price\": a string, where a number is declared");
    refuses(state, "text()", "1", "a number, where a string is declared");
    refuses(state, "integer()", "'1'", "a string, where an integer is declared");
    refuses(state, "boolean()", "0", "a number, where a boolean is declared");
    refuses(state, "list(any())", "'x'", "a string, where an array is declared");
    refuses(state, "map(any())", "true", "a boolean, where a map is declared");
    refuses(state, "object{}", "print", "a function, where an object is declared");
    refuses(state, "Item", "io.stdout", "a userdata, where an object (Item) is declared");
    refuses(state, "int64()", "1LL", "a cdata, where an int64 is declared");
    refuses(state, "number()", "{}", "a table, where a number is declared");
    refuses(state, "Shape", "7", "a number, where a variant of a union is declared");
    refuses(state, "any()", "print", "a function has no JSON form");
    refuses(state, "object{{'a', any()}}", "{a = {{f = print}}}", "field \"a[1].f\": a function");
}

static void numbers_keep_to_their_kind(void **state)
{
    writes(state, "number()", "0.1 + 0.2", "0.30000000000000004");
    writes(state, "integer()", "2^53 - 1", "9007199254740991");
    writes(state, "integer()", "-(2^53 - 1)", "-9007199254740991");
    writes(state, "integer()", "-1 / math.huge", "0");
    refuses(state, "integer()", "2^53", "a number with a fraction or beyond 2^53 - 1");
    refuses(state, "integer()", "1.5", "a number with a fraction");
    refuses(state, "integer()", "0/0", "a number with a fraction");
    refuses(state, "integer()", "-math.huge", "a number with a fraction");
    refuses(state, "number()", "0/0", "NaN and infinity have no JSON form");
    refuses(state, "object{{'n', number()}}", "{n = math.huge}", "field \"n\": NaN and infinity");
}

static void an_int64_is_a_number_on_the_wire(void **state)
{
    writes(state, "int64()", "'9223372036854775807'", "9223372036854775807");
    writes(state, "int64()", "'-9223372036854775808'", "-9223372036854775808");
    writes(state, "int64()", "'0'", "0");
    writes(state, "int64()", "12", "12");
    static const char *const wrong[] = {"'9223372036854775808'",
                                        "'-9223372036854775809'",
                                        "'99999999999999999999'",
                                        "'01'",
                                        "'-0'",
                                        "'-'",
                                        "''",
                                        "'+1'",
                                        "' 1'",
                                        "'1 '",
                                        "'1.0'",
                                        "'1e3'",
                                        "'0x1'",
                                        "'1\\0'"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refuses(state, "int64()", wrong[i], "a string that is not a decimal number");
    refuses(state, "int64()", "2^53", "a number with a fraction or beyond");
}

static void strings_are_checked_for_utf8_and_escaped(void **state)
{
    writes(state, "text()", "'a\\n\\195\\164'", "\"a\\n\xc3\xa4\"");
    writes(state, "text{min = 5, max = 6, lower = true}", "'A'", "\"A\"");
    refuses(state, "text()", "'\\255'", "the string is not valid UTF-8");
    refuses(state, "list(text{format = 'uuid'})", "{'\\255'}", "field \"[1]\": the string is not");
}

static void bytes_become_base64(void **state)
{
    writes(state, "text{format = 'bytes'}", "'\\255\\0\\1'", "\"/wAB\"");
    writes(state, "text{format = 'bytes'}", "''", "\"\"");
    writes(state, "text{format = 'date'}", "'2026-01-31'", "\"2026-01-31\"");
}

static void members_of_enums_leave_and_others_do_not(void **state)
{
    writes(state, "list(enum{'eur', 'usd', 5, true})", "{'usd', true, 5, 'eur'}",
           "[\"usd\",true,5,\"eur\"]");
    writes(state, "const('v1')", "'v1'", "\"v1\"");
    writes(state, "const(false)", "false", "false");
    writes(state, "nullable(enum{'a'})", "null", "null");
    writes(state, "list(enum{'a', null})", "{null}", "[null]");
    refuses(state, "object{{'c', enum{'eur', 'usd'}}}", "{c = 'gbp'}",
            "field \"c\": a string, where one of 'eur' or 'usd' is declared");
    refuses(state, "enum{'5'}", "5", "a number, where ");
    refuses(state, "enum{true}", "false", "a boolean, where ");
    refuses(state, "const('v1')", "{}", "a table, where 'v1' is declared");
    refuses(state, "const(1)", "null", "barq.null, where 1 is declared");
}

static void extra_fields_are_kept_where_that_is_declared(void **state)
{
    writes(state, "object({{'a', integer()}}, {extra = 'keep'})", "{a = 1, x = {2, {y = null}}}",
           "{\"a\":1,\"x\":[2,{\"y\":null}]}");
    writes(state, "object({{'a', optional(integer())}}, {extra = 'keep'})", "{x = 1}", "{\"x\":1}");
    writes(state, "object({}, {extra = 'keep'})", "{}", "{}");
    refuses(state, "object({}, {extra = 'keep'})", "{x = print}", "field \"x\": a function");
    refuses(state, "object({}, {extra = 'keep'})", "{[print] = 1}", "a key that is a function");
}

static void empty_tables_are_what_is_declared(void **state)
{
    writes(state, "list(any())", "{}", "[]");
    writes(state, "list(any())", "marked_object{}", "[]");
    writes(state, "map(any())", "{}", "{}");
    writes(state, "object{}", "marked_array{}", "{}");
    writes(state, "object{{'any', any()}}", "{any = marked_object{}}", "{\"any\":{}}");
}

static void arrays_have_positions_only(void **state)
{
    writes(state, "list(integer())", "{[3] = 3, [2] = 2, [1] = 1}", "[1,2,3]");
    writes(state, "list(list(text()))", "{{'a'}, {}, {'b', 'c'}}", "[[\"a\"],[],[\"b\",\"c\"]]");
    refuses(state, "object{{'l', list(integer())}}", "{l = {1, x = 2}}",
            "field \"l.x\": a name among the positions of an array; declare an object or a map");
    refuses(state, "object{{'l', list(integer())}}", "{l = {[2] = 1}}",
            "field \"l\": position 1 of the array is empty; put barq.null there, or declare");
    refuses(state, "list(any())", "{{1, x = 2}}",
            "field \"[1].x\": a name among the positions of an array; use barq.object(t)");
    refuses(state, "list(any())", "{[1] = {}, [3] = 1}",
            "position 2 of the array is empty; put "
            "barq.null there, or declare");
    refuses(state, "object{{'a', optional(any())}}", "{'x', 'y'}",
            "an array, where an object is declared");
    refuses(state, "list(object({{'a', optional(any())}}, {name = 'N'}))", "{{1}}",
            "field \"[1]\": an array, where an object (N) is declared");
}

static void maps_have_strings_as_keys(void **state)
{
    writes(state, "map(integer())", "{a = 1}", "{\"a\":1}");
    writes(state, "map(integer())", "{10}", "{\"1\":10}");
    writes(state, "map(integer())", "{[1.5] = 1}", "{\"1.5\":1}");
    writes(state, "map(map(text()))", "{a = {b = 'c'}}", "{\"a\":{\"b\":\"c\"}}");
    refuses(state, "map(integer())", "{a = 'x'}", "field \"a\": a string, where an integer");
    refuses(state, "map(integer())", "{[true] = 1}", "a key that is a boolean has no JSON form");
    refuses(state, "map(integer())", "{['\\255'] = 1}", "field \"\xff\": the name is not valid");
}

static void a_tag_chooses_the_variant(void **state)
{
    writes(state, "Shape", "{kind = 'circle', r = 1}", "{\"kind\":\"circle\",\"r\":1}");
    writes(state, "Shape", "{kind = 'cube', side = 2, r = 1}", "{\"kind\":\"cube\",\"side\":2}");
    refuses(state, "list(Shape)", "{{kind = 'line'}}",
            "field \"[1]\": the tag \"kind\" is none of 'circle', 'square', 'cube'");
    refuses(state, "Shape", "{r = 1}", "the tag \"kind\" is none of 'circle', 'square', 'cube'");
    refuses(state, "Shape", "{kind = 'circle'}", "field \"r\": it is missing");
}

static void the_first_variant_that_fits_is_written(void **state)
{
    static const char *const scalars = "list(union{integer(), text(), boolean()})";
    writes(state, scalars, "{1, 'a', true}", "[1,\"a\",true]");
    writes(state, "union{integer(), number()}", "1.5", "1.5");
    writes(state, "union{object{{'a', list(integer())}}, object{{'a', list(text())}}}",
           "{a = {'x', 'y'}}", "{\"a\":[\"x\",\"y\"]}");
    writes(state, "union{object{{'o', object{{'x', integer()}}}}, map(any())}", "{o = {x = 'y'}}",
           "{\"o\":{\"x\":\"y\"}}");
    /* Names that were written in vain are written again. */
    writes(state, "list(union{map(map(integer())), map(map(text()))})",
           "{{a = {b = 'x'}}, {a = {b = 1}}}", "[{\"a\":{\"b\":\"x\"}},{\"a\":{\"b\":1}}]");
    writes(state, "union{list(integer()), list(text())}", "{[2] = 'b', [1] = 'a'}",
           "[\"a\",\"b\"]");
    writes(state, "union{text(), nullable(integer())}", "null", "null");
    refuses(state, scalars, "{1, 1.5}",
            "field \"[2]\": a number that fits none of the union's 3 variants");
    refuses(state, "union{text(), integer()}", "null", "barq.null, where a variant of a union");
    refuses(state, "object{{'u', union{object{{'a', text()}}, list(text())}}}", "{u = {1}}",
            "field \"u\": a table that fits none of the union's 2 variants");
}

static void recursive_schemas_follow_the_value(void **state)
{
    writes(state, "Tree", "{value = 1, children = {{value = 2}, {value = 3, children = {}}}}",
           "{\"value\":1,\"children\":[{\"value\":2},{\"value\":3,\"children\":[]}]}");
    refuses(state, "Tree", "{value = 1, children = {{value = 2, children = {{}}}}}",
            "field \"children[1].children[1].value\": it is missing");
}

static void a_cycle_is_refused_as_too_deep(void **state)
{
    refuses(state, "Tree", "(function() local t = {value = 1} t.children = {t} return t end)()",
            "field \"children[1].children[1].");
    refuses(state, "any()", "(function() local t = {} t[1] = t return t end)()", "field \"[1][1]");
}

static void the_deepest_value_is_written_and_one_deeper_refused(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(
        f,
        "(function() local o = object{} o.fields[1] = {'o', optional({kind = 'ref', target = o})} "
        "return o end)()");
    for (int levels = BQ_ENCODE_DEPTH_MAX; levels <= BQ_ENCODE_DEPTH_MAX + 1; levels++) {
        lua_settop(f->L, 0);
        lua_pushinteger(f->L, levels);
        lua_setglobal(f->L, "levels");
        push(f->L, "(function() local t = {} for i = 2, levels do t = {o = t} end return t end)()");
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        int rc = bq_schema_write(f->L, s, 1, &out, &error);
        bool fits = levels == BQ_ENCODE_DEPTH_MAX;
        assert_int_equal(rc, fits ? BQ_OK : BQ_INVALID);
        assert_int_equal(bq_buf_size(&out), fits ? 6 * (BQ_ENCODE_DEPTH_MAX - 1) + 2 : 0);
        bq_buf_release(&out);
    }
}

/* Each level fits its first variant until the missing field behind what is below: without a
 * bound, 120 levels would take 2^120 steps. */
static void unions_that_fit_twice_at_every_level_end_in_an_error(void **state)
{
    refuses(state,
            "(function()\n"
            "  local A, B = object{}, object{}\n"
            "  local u = optional(union{{kind = 'ref', target = A}, {kind = 'ref', target = B}})\n"
            "  A.fields = {{'pad', text()}, {'next', u}, {'missing', text()}}\n"
            "  B.fields = {{'pad', text()}, {'next', u}}\n"
            "  return union{A, B}\n"
            "end)()",
            "(function() local t for i = 1, 120 do t = {next = t, pad = ('x'):rep(1000)} end\n"
            "return t end)()",
            "too much of it fits two variants of a union; give the union a tag");
}

static void metamethods_are_not_run(void **state)
{
    writes(state, "object{{'a', optional(any())}, {'l', list(any())}}",
           "setmetatable({l = setmetatable({1}, {__index = error, __len = error})},"
           " {__index = error, __pairs = error})",
           "{\"l\":[1]}");
}

/* --- memory --- */

struct limited {
    lua_Alloc alloc;
    void *ud;
};

static void *refuse_memory(void *ud, void *p, size_t before, size_t after)
{
    struct limited *limited = ud;
    return after > before ? NULL : limited->alloc(limited->ud, p, before, after);
}

static int write_without_memory(lua_State *L, const struct bq_schema *s, struct bq_buf *out)
{
    struct limited limited;
    struct bq_encode_error error;
    limited.alloc = lua_getallocf(L, &limited.ud);
    lua_setallocf(L, refuse_memory, &limited);
    int rc = bq_schema_write(L, s, 1, out, &error);
    lua_setallocf(L, limited.alloc, limited.ud);
    return rc;
}

static void a_shallow_value_needs_no_memory_of_lua(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(f, "object{{'items', list(Item)}, {'s', Shape}}");
    push(f->L, "{items = {{name = 'a', price = 1, tags = {'x'}}, {name = 'b', price = 2}},"
               " s = {kind = 'circle', r = 1}}");
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(write_without_memory(f->L, s, &out), BQ_OK);
    bq_buf_release(&out);
}

static void an_exhausted_lua_is_a_return_code(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(f, "Tree");
    push(f->L, "(function() local t = {value = 1} for i = 1, 60 do "
               "t = {value = i, children = {t}} end return t end)()");
    lua_State *co = lua_newthread(f->L);
    lua_pushvalue(f->L, 1);
    lua_xmove(f->L, co, 1);
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    assert_int_equal(write_without_memory(co, s, &out), BQ_MEMORY);
    assert_int_equal(lua_gettop(co), 1);
    assert_int_equal(bq_buf_size(&out), 0);
    assert_int_equal(bq_schema_write(co, s, 1, &out, &error), BQ_OK);
    bq_buf_release(&out);
}

#ifdef BQ_FAULTS
static void every_failed_allocation_of_the_buffer_is_a_return_code(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = compile(
        f, "list(object({{'n', text()}, {'i', int64()}, {'m', map(number())}, {'e', enum{'a'}},"
           " {'b', text{format = 'bytes'}}, {'u', union{list(text()), map(text())}}},"
           " {extra = 'keep'}))");
    push(f->L, "(function() local t = {} for i = 1, 100 do t[i] = {n = ('\\1'):rep(i), i = '12',"
               " m = {[i] = i}, e = 'a', b = ('x'):rep(i), u = {k = 'v'}, extra = {i}} end"
               " return t end)()");
    int failures = 0;
    for (long nth = 1;; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        int rc = bq_schema_write(f->L, s, 1, &out, &error);
        bool hit = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, hit ? BQ_MEMORY : BQ_OK);
        assert_int_equal(lua_gettop(f->L), 1);
        if (hit)
            assert_int_equal(bq_buf_size(&out), 0);
        bq_buf_release(&out);
        if (!hit)
            break;
        failures++;
    }
    assert_true(failures >= 5);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_fields_leave_in_declared_order_and_no_others),
        cmocka_unit_test(absent_fields_are_left_out_or_get_their_default),
        cmocka_unit_test(nil_and_null_are_null_where_that_is_declared),
        cmocka_unit_test(a_missing_field_is_named),
        cmocka_unit_test(a_value_of_another_type_is_refused_by_path_and_expectation),
        cmocka_unit_test(numbers_keep_to_their_kind),
        cmocka_unit_test(an_int64_is_a_number_on_the_wire),
        cmocka_unit_test(strings_are_checked_for_utf8_and_escaped),
        cmocka_unit_test(bytes_become_base64),
        cmocka_unit_test(members_of_enums_leave_and_others_do_not),
        cmocka_unit_test(extra_fields_are_kept_where_that_is_declared),
        cmocka_unit_test(empty_tables_are_what_is_declared),
        cmocka_unit_test(arrays_have_positions_only),
        cmocka_unit_test(maps_have_strings_as_keys),
        cmocka_unit_test(a_tag_chooses_the_variant),
        cmocka_unit_test(the_first_variant_that_fits_is_written),
        cmocka_unit_test(recursive_schemas_follow_the_value),
        cmocka_unit_test(a_cycle_is_refused_as_too_deep),
        cmocka_unit_test(the_deepest_value_is_written_and_one_deeper_refused),
        cmocka_unit_test(unions_that_fit_twice_at_every_level_end_in_an_error),
        cmocka_unit_test(metamethods_are_not_run),
        cmocka_unit_test(a_shallow_value_needs_no_memory_of_lua),
        cmocka_unit_test(an_exhausted_lua_is_a_return_code),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_failed_allocation_of_the_buffer_is_a_return_code),
#endif
    };
    return cmocka_run_group_tests(tests, open_lua, close_lua);
}
