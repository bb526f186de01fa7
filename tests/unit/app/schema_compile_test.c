/* schema_compile_test.c: nodes become schemas, names are found, mistakes are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema_fixture.h"

#include <stdio.h>

static void a_kind_brings_its_options(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "{ kind = 'string', min = 1, max = 5, trim = true, pattern = '^a', "
                  "format = 'email', optional = true }");
    assert_int_equal(s->kind, BQ_SCHEMA_STRING);
    assert_true(s->optional && !s->nullable && !s->has_default && s->string.trim);
    assert_false(s->string.lower);
    assert_int_equal(s->check_ref, LUA_NOREF);
    assert_int_equal(s->string.has, BQ_HAS_MIN | BQ_HAS_MAX);
    assert_int_equal(s->string.min, 1);
    assert_int_equal(s->string.max, 5);
    assert_non_null(s->string.pattern);
    assert_non_null(s->string.format);
    s = schema(f, "{ kind = 'number', above = 0.5, multiple_of = 0.25, default = false }");
    assert_int_equal(s->number.has, BQ_HAS_ABOVE | BQ_HAS_MULTIPLE);
    assert_true(s->number.above == 0.5 && s->number.multiple == 0.25 && s->has_default);
    s = schema(f, "{ kind = 'int64', min = '-9223372036854775808', max = 5, nullable = true }");
    assert_true(s->number.min64 == INT64_MIN && s->number.max64 == 5 && s->nullable);
    s = schema(f, "{ kind = 'array', of = { kind = 'boolean' }, max = 3, unique = true }");
    assert_int_equal(s->list.of->kind, BQ_SCHEMA_BOOLEAN);
    assert_true(s->list.unique && s->list.has == BQ_HAS_MAX && s->list.max == 3);
    s = schema(f, "{ kind = 'map', of = { kind = 'any' }, min = 2 }");
    assert_true(s->kind == BQ_SCHEMA_MAP && s->list.min == 2 && !s->list.unique);
}

static void values_are_kept_with_pydantics_text(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "{ kind = 'enum', values = { 'a', 1, null, true, 2.5 } }");
    assert_int_equal(s->values.count, 5);
    assert_true(bq_str_eq(s->values.expected, BQ_STR("'a', 1, None, True or 2.5")));
    assert_true(bq_str_eq(s->values.texts[0], BQ_STR("a")));
    assert_null(s->values.texts[1].p);
    assert_int_equal(s->values.types[2], LUA_TNIL);
    s = schema(f, "{ kind = 'const', value = 'x' }");
    assert_true(s->values.count == 1 && bq_str_eq(s->values.expected, BQ_STR("'x'")));
}

static void fields_keep_their_order_and_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "{ kind = 'object', name = 'Item', extra = 'forbid', fields = {"
                  "{ 'id', { kind = 'integer' } }, { 'say \"x\"', { kind = 'string' } },"
                  "{ '', { kind = 'any' } } } }");
    assert_string_equal(s->name, "Item");
    assert_int_equal(s->object.extra, BQ_EXTRA_FORBID);
    assert_int_equal(s->object.count, 3);
    assert_true(bq_str_eq(s->object.fields[1].json_key, BQ_STR("\"say \\\"x\\\"\":")));
    assert_ptr_equal(bq_schema_find(s, BQ_STR("id")), &s->object.fields[0]);
    assert_ptr_equal(bq_schema_find(s, BQ_STR("say \"x\"")), &s->object.fields[1]);
    assert_ptr_equal(bq_schema_find(s, BQ_STR("")), &s->object.fields[2]);
    assert_null(bq_schema_find(s, BQ_STR("i")));
    assert_null(bq_schema_find(s, BQ_STR("idd")));
    assert_null(bq_schema_find(s, BQ_STR("ID")));
    lua_rawgeti(f->L, LUA_REGISTRYINDEX, s->object.fields[0].name_ref);
    gives(f, "v == 'id'");
    assert_null(bq_schema_find(schema(f, "{ kind = 'object', fields = {} }"), BQ_STR("id")));
}

static void names_are_found_among_many_also_where_their_hashes_are_equal(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "local fields, any = {}, { kind = 'any' } for i = 1, 3000 do "
                  "fields[i] = { 'field_' .. i, any } end for i = 1, 40 do "
                  "fields[3000 + i] = { '12345678' .. ('%02d'):format(i) .. '12345678', any } end "
                  "return { kind = 'object', fields = fields }");
    for (size_t i = 0; i < s->object.count; i++) {
        const struct bq_schema_field *field = &s->object.fields[i];
        assert_ptr_equal(bq_schema_find(s, field->name), field);
        assert_ptr_equal(field->schema, s->object.fields[0].schema);
    }
    char name[32];
    for (int i = 3001; i < 9000; i++) {
        int n = snprintf(name, sizeof name, "field_%d", i);
        assert_null(bq_schema_find(s, bq_str_of(name, (size_t)n)));
    }
    assert_null(bq_schema_find(s, BQ_STR("123456789912345678")));
}

static void the_same_node_is_compiled_once(void **state)
{
    struct fixture *f = *state;
    push_lua(f, "item = { kind = 'object', name = 'Item', fields = {} } return 1");
    const struct bq_schema *a = schema(f, "item");
    assert_ptr_equal(schema(f, "item"), a);
    assert_ptr_equal(schema(f, "{ kind = 'array', of = item }")->list.of, a);
}

static void recursion_ends_in_the_same_fields(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *tree =
        schema(f, "local tree = { kind = 'object', name = 'Tree', fields = {} } tree.fields[1] = "
                  "{ 'left', { kind = 'ref', target = tree, optional = true, default = null } } "
                  "tree.fields[2] = { 'more', { kind = 'array', of = { kind = 'ref', "
                  "target = tree, nullable = true } } } return tree");
    const struct bq_schema *left = tree->object.fields[0].schema;
    const struct bq_schema *more = tree->object.fields[1].schema->list.of;
    assert_ptr_equal(left->object.fields, tree->object.fields);
    assert_ptr_equal(more->object.fields, tree->object.fields);
    assert_true(left->optional && left->has_default && !left->nullable);
    assert_true(more->nullable && !more->optional && !tree->optional && !tree->nullable);
    assert_string_equal(left->name, "Tree");
    assert_ptr_equal(bq_schema_find(left, BQ_STR("more")), &tree->object.fields[1]);
}

static void tags_lead_to_their_variants(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "local cat = { kind = 'object', name = 'Cat', fields = {} } "
                  "cat.fields[1] = { 'kind', { kind = 'const', value = 'cat' } } "
                  "local dog = { kind = 'object', fields = { { 'kind', { kind = 'enum', "
                  "values = { 'dog', 'wolf' } } } } } "
                  "local pet = { kind = 'union', tag = 'kind', variants = { { kind = 'ref', "
                  "target = cat }, dog } } cat.fields[2] = { 'friend', pet } return pet");
    assert_true(bq_str_eq(s->of.expected, BQ_STR("'cat', 'dog', 'wolf'")));
    assert_ptr_equal(bq_schema_variant(s, BQ_STR("cat")), s->of.variants[0]);
    assert_ptr_equal(bq_schema_variant(s, BQ_STR("dog")), s->of.variants[1]);
    assert_ptr_equal(bq_schema_variant(s, BQ_STR("wolf")), s->of.variants[1]);
    assert_null(bq_schema_variant(s, BQ_STR("cow")));
    assert_null(bq_schema_variant(s, BQ_STR("")));
    assert_ptr_equal(s->of.variants[0]->object.fields[1].schema, s);
}

static void refuses(struct fixture *f, const char *node, const char *expected)
{
    if (try_schema(f, node))
        fail_msg("%s compiles", node);
    assert_string_equal(f->error, expected);
}

static void mistakes_are_told(void **state)
{
    struct fixture *f = *state;
    refuses(f, "{ kind = 'strin' }", "there is no kind of node 'strin'");
    refuses(f, "{}", "there is no kind of node ''");
    refuses(f, "1", "a node should be a table");
    refuses(f, "{ kind = 'string', min = -1 }", "min should be an integer from 0");
    refuses(f, "{ kind = 'string', max = 1.5 }", "max should be an integer from 0");
    refuses(f, "{ kind = 'string', format = 'emial' }", "there is no format 'emial'");
    refuses(f, "{ kind = 'string', pattern = 'a(b' }",
            "the pattern 'a(b' is not a regular expression: missing closing parenthesis at "
            "offset 3");
    refuses(f, "{ kind = 'string', pattern = '[', place = 'app.lua:12' }",
            "app.lua:12: the pattern '[' is not a regular expression: missing terminating ] for "
            "character class at offset 1");
    refuses(f, "{ kind = 'string', pattern = 'a', format = 'bytes' }", "bytes take no pattern");
    refuses(f, "{ kind = 'number', min = 1/0 }", "min should be a finite number");
    refuses(f, "{ kind = 'number', max = '1' }", "max should be a finite number");
    refuses(f, "{ kind = 'integer', multiple_of = 0 }", "multiple_of should be above 0");
    refuses(f, "{ kind = 'int64', min = 1.5 }", "min should be a 64-bit integer");
    refuses(f, "{ kind = 'int64', max = '9223372036854775808' }", "max should be a 64-bit integer");
    refuses(f, "{ kind = 'int64', max = '-9223372036854775809' }",
            "max should be a 64-bit integer");
    refuses(f, "{ kind = 'int64', max = '' }", "max should be a 64-bit integer");
    refuses(f, "{ kind = 'enum', values = {} }", "an enum should have a value");
    refuses(f, "{ kind = 'enum' }", "values should be a list");
    refuses(f, "{ kind = 'enum', values = { {} } }",
            "a value should be a string, a number, a boolean or barq.null");
    refuses(f, "{ kind = 'const' }",
            "a value should be a string, a number, a boolean or barq.null");
    refuses(f, "{ kind = 'object' }", "fields should be a list");
    refuses(f, "{ kind = 'object', fields = { 1 } }", "a field should be { name, node }");
    refuses(f, "{ kind = 'object', fields = { { 1, {} } } }",
            "the name of a field should be a string");
    refuses(f, "{ kind = 'object', fields = { { '\\255', { kind = 'any' } } } }",
            "the name of a field should be UTF-8");
    refuses(f, "{ kind = 'object', fields = {}, extra = 'keeps' }",
            "extra should be \"ignore\", \"forbid\" or \"keep\"");
    refuses(f, "{ kind = 'array' }", "a node should be a table");
    refuses(f, "{ kind = 'union', variants = {} }", "a union should have a variant");
    refuses(f, "{ kind = 'union', tag = 'k', variants = { { kind = 'string' } } }",
            "variant 1 should be an object with a field 'k' that is a const or an enum");
    refuses(f,
            "{ kind = 'union', tag = 'k', variants = { { kind = 'object', fields = "
            "{ { 'k', { kind = 'const', value = 1 } } } } } }",
            "the values of a tag should be strings");
    refuses(f, "{ kind = 'ref' }", "a reference should have a target");
    refuses(f, "{ kind = 'ref', target = { kind = 'string' } }",
            "a reference should be to an object");
    refuses(f,
            "local n = { kind = 'any' } for i = 1, 300 do n = { kind = 'array', of = n } end "
            "return n",
            "schemas are nested too deeply");
}

static void a_failure_is_forgotten_and_the_next_schema_compiles(void **state)
{
    struct fixture *f = *state;
    push_lua(f, "inner = { kind = 'object', fields = {} } bad = { kind = 'string', min = -1 } "
                "outer = { kind = 'object', fields = { { 'inner', inner }, { 'bad', bad } } } "
                "return 1");
    assert_null(try_schema(f, "outer"));
    assert_null(try_schema(f, "outer")); /* and not half of it */
    push_lua(f, "bad.min = 1 return 1");
    const struct bq_schema *s = schema(f, "outer");
    assert_int_equal(s->object.count, 2);
    assert_int_equal(s->object.fields[1].schema->string.min, 1);
}

static void checks_of_a_reference_and_of_its_schema_exclude_each_other(void **state)
{
    struct fixture *f = *state;
    refuses(f,
            "{ kind = 'ref', check = print, target = { kind = 'object', fields = {}, "
            "check = print } }",
            "a reference cannot have a check beside the one of its schema");
    const struct bq_schema *s =
        schema(f, "{ kind = 'ref', target = { kind = 'object', fields = {}, check = print } }");
    assert_int_not_equal(s->check_ref, LUA_NOREF);
    s = schema(f, "{ kind = 'ref', check = print, target = { kind = 'object', fields = {} } }");
    assert_int_not_equal(s->check_ref, LUA_NOREF);
}

static int compile_large(lua_State *L)
{
    struct fixture *f = lua_touserdata(L, 1);
    lua_getglobal(L, "large");
    const struct bq_schema *s = bq_schema_compile(L, &f->schemas, -1, f->error);
    assert_non_null(s);
    assert_int_equal(s->of.variants[0]->object.count, 3);
    assert_ptr_equal(bq_schema_variant(s, BQ_STR("o")), s->of.variants[0]);
    return 0;
}

static void want_of_lua_memory_is_raised_and_what_is_torn_is_not_used(void **state)
{
    struct fixture *f = *state;
    push_lua(f, "local o = { kind = 'object', name = 'O', fields = { { 'k', { kind = 'enum', "
                "values = { 'o', 'p', 'q', 'r' } } }, { 's', { kind = 'string', pattern = 'a', "
                "default = {} } } } } o.fields[3] = { 'o', { kind = 'ref', target = o, optional = "
                "true } } large = { kind = 'union', tag = 'k', variants = { { kind = 'ref', "
                "target = o } } } return 1");
    fail_lua_memory_in_turn(f, compile_large);
}

#ifdef BQ_FAULTS
static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    static const char *const node =
        "local o = { kind = 'object', name = 'O', fields = { { 'k', { kind = 'const', "
        "value = 'o' } }, { 's', { kind = 'string', pattern = 'a' } } } } "
        "return { kind = 'union', tag = 'k', variants = { { kind = 'ref', target = o } } }";
    bool failed = true;
    int nth = 1;
    for (; failed && nth < 200; nth++) {
        struct bq_schemas own;
        bq_schemas_init(f->L, &own);
        push_lua(f, node);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        const struct bq_schema *s = bq_schema_compile(f->L, &own, -1, f->error);
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_true(s || failed);
        lua_pop(f->L, 1);
        bq_schemas_release(&own);
    }
    assert_false(failed);
    assert_true(nth > 4);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(a_kind_brings_its_options),
        SCHEMA_TEST(values_are_kept_with_pydantics_text),
        SCHEMA_TEST(fields_keep_their_order_and_are_found_by_name),
        SCHEMA_TEST(names_are_found_among_many_also_where_their_hashes_are_equal),
        SCHEMA_TEST(the_same_node_is_compiled_once),
        SCHEMA_TEST(recursion_ends_in_the_same_fields),
        SCHEMA_TEST(tags_lead_to_their_variants),
        SCHEMA_TEST(mistakes_are_told),
        SCHEMA_TEST(a_failure_is_forgotten_and_the_next_schema_compiles),
        SCHEMA_TEST(checks_of_a_reference_and_of_its_schema_exclude_each_other),
        SCHEMA_TEST(want_of_lua_memory_is_raised_and_what_is_torn_is_not_used),
#ifdef BQ_FAULTS
        SCHEMA_TEST(every_allocation_may_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
