/* schema_value_test.c: Lua values become checked copies, whatever they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema_fixture.h"

#include <time.h>

static void read_value(struct fixture *f, const char *node, const char *value)
{
    int top = lua_gettop(f->L);
    const struct bq_schema *s = schema(f, node);
    lua_pushfstring(f->L, "given = %s return given", value);
    push_lua(f, lua_tostring(f->L, -1));
    bq_schema_read_value(f->L, s, -1, &f->invalid);
    assert_int_equal(lua_gettop(f->L), top + 3);
    lua_replace(f->L, top + 1);
    lua_settop(f->L, top + 1);
}

static void reads(struct fixture *f, const char *node, const char *value, const char *expression)
{
    read_value(f, node, value);
    gives(f, expression);
}

static void refuses(struct fixture *f, const char *node, const char *value, const char *problem)
{
    read_value(f, node, value);
    finds(f, problem);
}

#define AT(loc, type, message) "{\"type\":\"" type "\",\"loc\":[" loc "],\"msg\":\"" message "\"}"
#define INT_TYPE(loc)          AT(loc, "int_type", "Input should be a valid integer")
#define MISSING(loc)           AT(loc, "missing", "Field required")
#define EXTRA(loc)             AT(loc, "extra_forbidden", "Extra inputs are not permitted")

#define ITEM                                                                                    \
    "{ kind = 'object', name = 'Item', extra = %s, fields = { { 'id', { kind = 'integer' } }, " \
    "{ 'tags', { kind = 'array', of = { kind = 'string' }, default = {} } }, "                  \
    "{ 'note', { kind = 'string', optional = true, nullable = true } } } }"

static const char *item(struct fixture *f, const char *extra)
{
    lua_pushfstring(f->L, ITEM, extra);
    lua_setglobal(f->L, "item_text"); /* which keeps it */
    lua_getglobal(f->L, "item_text");
    const char *text = lua_tostring(f->L, -1);
    lua_pop(f->L, 1);
    return text;
}

static void scalars_are_strict(void **state)
{
    struct fixture *f = *state;
    reads(f, "{ kind = 'integer' }", "5", "v == 5");
    reads(f, "{ kind = 'boolean' }", "false", "v == false");
    reads(f, "{ kind = 'string', format = 'bytes' }", "'\\255'", "v == '\\255'");
    reads(f, "{ kind = 'int64' }", "12", "v == '12'");
    reads(f, "{ kind = 'any' }", "'\\255'", "v == '\\255'");
    reads(f, "{ kind = 'integer', nullable = true }", "null", "v == null");
    reads(f, "{ kind = 'integer', optional = true }", "nil", "v == nil");
    refuses(f, "{ kind = 'integer' }", "nil", MISSING(""));
    refuses(f, "{ kind = 'integer' }", "'5'", INT_TYPE(""));
    refuses(f, "{ kind = 'integer' }", "{}", INT_TYPE(""));
    refuses(f, "{ kind = 'integer' }", "print", INT_TYPE(""));
    refuses(f, "{ kind = 'integer' }", "io.stdout", INT_TYPE(""));
    refuses(f, "{ kind = 'integer' }", "null", INT_TYPE(""));
    refuses(f, "{ kind = 'any' }", "0/0",
            AT("", "finite_number", "Input should be a finite number"));
    refuses(f, "{ kind = 'any' }", "print",
            AT("", "any_type", "Input should be a string, number, boolean, table or null"));
}

static void objects_have_their_declared_fields_and_defaults(void **state)
{
    struct fixture *f = *state;
    reads(f, item(f, "'ignore'"), "{ id = 1, more = 2, note = null }",
          "v ~= given and v.id == 1 and #v.tags == 0 and v.note == null and v.more == nil");
    reads(f, item(f, "'ignore'"), "{ id = 1, tags = { 'a', 'b' }, [true] = 1 }",
          "v.tags ~= given.tags and v.tags[2] == 'b' and v[true] == nil and v.note == nil");
    refuses(
        f, item(f, "'ignore'"), "{ tags = { 'a', 1 } }",
        MISSING("\"id\"") "," AT("\"tags\",1", "string_type", "Input should be a valid string"));
    static const char *const no_object =
        "{\"type\":\"model_type\",\"loc\":[],\"msg\":\"Input should be an object\","
        "\"ctx\":{\"class_name\":\"Item\"}}";
    refuses(f, item(f, "'ignore'"), "{ { id = 1 } }", no_object);
    refuses(f, item(f, "'ignore'"), "5", no_object);
    refuses(f, item(f, "'ignore'"), "null", no_object);
    refuses(f, item(f, "'keep'"), "{ id = 1, [true] = 1 }", no_object);
    refuses(f, item(f, "'ignore'"), "setmetatable({}, { __index = { id = 1 } })",
            MISSING("\"id\""));
}

static void further_fields_are_kept_or_forbidden_when_that_is_said(void **state)
{
    struct fixture *f = *state;
    reads(f, item(f, "'keep'"), "{ id = 1, more = { a = { 2 } } }",
          "v.more.a[1] == 2 and v.more ~= given.more and v.id == 1");
    reads(f, item(f, "'forbid'"), "{ id = 1 }", "v.id == 1");
    refuses(f, item(f, "'forbid'"), "{ more = 1 }", MISSING("\"id\"") "," EXTRA("\"more\""));
    refuses(f, item(f, "'keep'"), "{ id = 1, more = { a = { 2, print } } }",
            AT("\"more\",\"a\",1", "any_type",
               "Input should be a string, number, boolean, table or null"));
}

static void arrays_are_lists_without_holes(void **state)
{
    struct fixture *f = *state;
    static const char *const node = "{ kind = 'array', of = { kind = 'integer' }, min = 1 }";
    static const char *const problem = AT("", "list_type", "Input should be a valid array");
    reads(f, node, "{ 1, 2, 3 }", "#v == 3 and v ~= given");
    reads(f, node, "{ [2] = 2, [1] = 1 }", "#v == 2 and v[1] == 1");
    refuses(f, node, "{ 1, nil, 3 }", problem);
    refuses(f, node, "{ 1, x = 3 }", problem);
    refuses(f, node, "{ [2] = 1, x = 1 }", problem);
    refuses(f, node, "{ [0] = 1 }", problem);
    refuses(f, node, "{ 1, [1.5] = 3 }", problem);
    refuses(f, node, "{ 1, 'x' }", INT_TYPE("1"));
    refuses(f, node, "{}",
            "{\"type\":\"too_short\",\"loc\":[],\"msg\":\"List should have at least 1 item after "
            "validation, not 0\",\"ctx\":{\"field_type\":\"List\",\"min_length\":1,"
            "\"actual_length\":0}}");
}

static void maps_have_names(void **state)
{
    struct fixture *f = *state;
    static const char *const node = "{ kind = 'map', of = { kind = 'integer' }, max = 2 }";
    reads(f, node, "{ a = 1, b = 2 }", "v.a == 1 and v.b == 2 and v ~= given");
    refuses(f, node, "{ a = 'x' }", INT_TYPE("\"a\""));
    refuses(f, node, "{ 1 }", AT("", "dict_type", "Input should be an object"));
    refuses(f, node, "{ a = 1, b = 2, c = 3 }",
            "{\"type\":\"too_long\",\"loc\":[],\"msg\":\"Dictionary should have at most 2 items "
            "after validation, not 3\",\"ctx\":{\"field_type\":\"Dictionary\",\"max_length\":2,"
            "\"actual_length\":3}}");
}

static void anything_is_copied_with_its_marks(void **state)
{
    struct fixture *f = *state;
    push_lua(f, "mark = {} return mark");
    lua_pop(f->L, 1);
    reads(f, "{ kind = 'any' }", "{ 1, 'a', x = { y = setmetatable({}, mark) }, n = null }",
          "v ~= given and v[2] == 'a' and v.x.y ~= given.x.y and getmetatable(v.x.y) == mark and "
          "v.n == null");
    refuses(f, "{ kind = 'any' }", "{ a = { [true] = 1 } }",
            AT("\"a\"", "any_type", "Input should be a string, number, boolean, table or null"));
}

static void variants_are_tried_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const node =
        "{ kind = 'union', variants = { { kind = 'integer' }, { kind = 'array', of = { kind = "
        "'string' } }, { kind = 'object', name = 'A', fields = { { 'a', { kind = 'integer' } } } } "
        "} }";
    reads(f, node, "5", "v == 5");
    reads(f, node, "{ 'x' }", "v[1] == 'x'");
    reads(f, node, "{ a = 1 }", "v.a == 1");
    refuses(
        f, node, "{ a = 'x' }",
        INT_TYPE("\"int\"") "," AT("\"list\"", "list_type",
                                   "Input should be a valid array") "," INT_TYPE("\"A\",\"a\""));
}

static void the_tag_chooses_the_variant(void **state)
{
    struct fixture *f = *state;
    static const char *const node =
        "{ kind = 'union', tag = 'kind', variants = { { kind = 'object', fields = { { 'kind', "
        "{ kind = 'const', value = 'cat' } }, { 'lives', { kind = 'integer' } } } }, "
        "{ kind = 'object', fields = { { 'kind', { kind = 'const', value = 'dog' } } } } } }";
    reads(f, node, "{ kind = 'cat', lives = 9 }", "v.kind == 'cat' and v.lives == 9");
    reads(f, node, "{ kind = 'dog' }", "v.kind == 'dog'");
    refuses(f, node, "{ kind = 'cat' }", MISSING("\"cat\",\"lives\""));
    static const char *const missing =
        "{\"type\":\"union_tag_not_found\",\"loc\":[],\"msg\":\"Unable to extract tag using "
        "discriminator 'kind'\",\"ctx\":{\"discriminator\":\"'kind'\"}}";
    refuses(f, node, "{}", missing);
    refuses(f, node, "{ kind = 5 }", missing);
    refuses(
        f, node, "{ kind = 'cow' }",
        "{\"type\":\"union_tag_invalid\",\"loc\":[],\"msg\":\"Input tag found using 'kind' does "
        "not match any of the expected tags: 'cat', 'dog'\",\"ctx\":{\"discriminator\":"
        "\"'kind'\",\"expected_tags\":\"'cat', 'dog'\"}}");
    refuses(f, node, "5", AT("", "dict_type", "Input should be an object"));
}

static void checks_run_from_the_inside_out(void **state)
{
    struct fixture *f = *state;
    static const char *const node =
        "log = {} return { kind = 'object', fields = { { 'a', { kind = 'integer', check = "
        "function(v) log[#log + 1] = v return v > 0, 'low' end } } }, check = function(v) "
        "log[#log + 1] = v.a return v.a < 5, 'high' end }";
    reads(f, node, "{ a = 1 }", "v.a == 1 and #log == 2");
    refuses(f, node, "{ a = 7 }",
            "{\"type\":\"value_error\",\"loc\":[],\"msg\":\"Value error, high\","
            "\"ctx\":{\"error\":\"high\"}}");
    refuses(f, node, "{ a = 0 }",
            "{\"type\":\"value_error\",\"loc\":[\"a\"],\"msg\":\"Value error, low\","
            "\"ctx\":{\"error\":\"low\"}}");
}

static void a_cycle_ends(void **state)
{
    struct fixture *f = *state;
    push_lua(f, "cycle = {} cycle.next = cycle return 1");
    read_value(f,
               "local n = { kind = 'object', fields = {} } n.fields[1] = { 'next', { kind = 'ref', "
               "target = n, optional = true } } return n",
               "cycle");
    assert_int_equal(f->invalid.count, 1);
    assert_int_equal(f->invalid.depth, 0);
    bq_str json = bq_buf_str(&f->invalid.json);
    assert_non_null(memmem(json.p, json.n, "recursion_loop", 14));
    read_value(f, "{ kind = 'any' }", "cycle");
    assert_int_equal(f->invalid.count, 2);
    push_lua(f, "deep = {} local d = deep for i = 1, 127 do d.next = {} d = d.next end return 1");
    bq_invalid_rewind(&f->invalid, (struct bq_invalid_mark){0, 0, 0});
    reads(f, "{ kind = 'any' }", "deep", "v.next.next ~= nil");
}

static void unions_in_unions_do_not_take_for_ever(void **state)
{
    struct fixture *f = *state;
    clock_t start = clock();
    push_lua(f, "deep = { x = 1 } for i = 1, 100 do deep = { a = deep } end return 1");
    read_value(f,
               "local a = { kind = 'object', name = 'A', fields = {} } "
               "local b = { kind = 'object', name = 'B', fields = {} } "
               "local either = { kind = 'union', variants = { a, b } } "
               "a.fields[1] = { 'a', either } a.fields[2] = { 'y', { kind = 'integer' } } "
               "b.fields[1] = { 'a', either } b.fields[2] = { 'z', { kind = 'integer' } } "
               "return either",
               "deep");
    assert_true(f->invalid.count > 0);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20);
}

static int read_large(lua_State *L)
{
    struct fixture *f = lua_touserdata(L, 1);
    lua_getglobal(L, "compiled");
    const struct bq_schema *s = lua_touserdata(L, -1);
    lua_getglobal(L, "large");
    bq_schema_read_value(L, s, -1, &f->invalid);
    assert_int_equal(f->invalid.count, 1);
    return 0;
}

static void want_of_lua_memory_is_raised_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = schema(
        f, "{ kind = 'object', extra = 'keep', fields = { "
           "{ 'd', { kind = 'any', default = { { 1 }, { 2 } } } }, "
           "{ 'b', { kind = 'string', lower = true, min = 9 } }, "
           "{ 'u', { kind = 'array', unique = true, of = { kind = 'map', of = { kind = 'string', "
           "trim = true } } } } } }");
    lua_pushlightuserdata(f->L, (void *)s);
    lua_setglobal(f->L, "compiled");
    push_lua(f, "large = { b = 'ABC', u = { { a = ' x' }, { a = 'y ' } }, more = { { { 1 } } } } "
                "return 1");
    fail_lua_memory_in_turn(f, read_large);
    assert_true(
        bq_str_starts(bq_buf_str(&f->invalid.json), BQ_STR("{\"type\":\"string_too_short")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(scalars_are_strict),
        SCHEMA_TEST(objects_have_their_declared_fields_and_defaults),
        SCHEMA_TEST(further_fields_are_kept_or_forbidden_when_that_is_said),
        SCHEMA_TEST(arrays_are_lists_without_holes),
        SCHEMA_TEST(maps_have_names),
        SCHEMA_TEST(anything_is_copied_with_its_marks),
        SCHEMA_TEST(variants_are_tried_in_order),
        SCHEMA_TEST(the_tag_chooses_the_variant),
        SCHEMA_TEST(checks_run_from_the_inside_out),
        SCHEMA_TEST(a_cycle_ends),
        SCHEMA_TEST(unions_in_unions_do_not_take_for_ever),
        SCHEMA_TEST(want_of_lua_memory_is_raised_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
