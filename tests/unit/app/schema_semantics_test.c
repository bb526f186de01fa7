/*
 * schema_semantics_test.c: what becomes of a value by a schema, as a table: pydantic v2's verdicts,
 * strict for JSON and lax for strings of the wire.
 *
 * A row is the value and what it comes to: "= 1" is the value written again as JSON by the same
 * schema, anything else the problems, as "place type" with commas between. Rows of JSON are sent as
 * a body, and decoded without a schema and given to Schema:check, which must agree; rows of strings
 * are sent as a query. The value is the field v of an object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app_fixture.h"

struct row {
    const char *given, *expected;
};

/* Rows end with one of NULL. */
struct table {
    const char *schema;
    struct row rows[48];
};

/* Problems as one line: ".a[0] int_type, .b missing", without the way to v. */
static const char application[] =
    "local t = barq.t\n"
    "%s\n"
    "local S = barq.schema('S', { v = %s })\n"
    "local function line(problems, from)\n"
    "  local list = {}\n"
    "  for i, problem in ipairs(problems) do\n"
    "    local place = ''\n"
    "    for j = from, #problem.loc do\n"
    "      local step = problem.loc[j]\n"
    "      place = place .. (type(step) == 'number' and '[' .. step .. ']' or '.' .. step)\n"
    "    end\n"
    "    list[i] = (place ~= '' and place .. ' ' or '') .. problem.type\n"
    "  end\n"
    "  return table.concat(list, ', ')\n"
    "end\n"
    "local function shown(value) return (S:encode(value):gsub('^{\"v\":(.*)}$', '= %%1')) end\n"
    "barq.on_error(422, function(req, err) return line(err.detail, 3), 200 end)\n"
    "barq.post('/json', { body = S }, function(req) return shown(req.body) end)\n"
    "barq.post('/check', function(req)\n"
    "  local value, problems = S:check(req:json())\n"
    "  return value and shown(value) or line(problems, 2)\n"
    "end)\n";

static const char query_application[] =
    "barq.get('/query', { query = { v = S.node.fields[1][2] } },\n"
    "  function(req) return shown(req.query) end)\n";

static void open_application(struct fixture *f, const char *schema, const char *more)
{
    static char source[8192];
    static const char named[] =
        "local Item = barq.schema('Item', { name = t.string{ min = 1, max = 3 },\n"
        "  n = t.integer{ min = 0, default = 1 }, tags = t.array(t.string, { default = {} }) })\n"
        "local Cat = barq.schema('Cat', { kind = t.const('cat'), lives = t.integer })\n"
        "local Dog = barq.schema('Dog', { kind = t.enum{ 'dog', 'wolf' }, name = t.string })\n"
        "barq.schema('Tree', { n = t.integer, kids = t.optional(t.array(t.ref('Tree'))) })\n";
    fixture_open(f, 64 << 20);
    int n = snprintf(source, sizeof source, application, named, schema);
    snprintf(source + n, sizeof source - (size_t)n, "%s", more);
    if (fixture_load(f, source) != BQ_OK || bq_app_freeze(f->app, &f->options) != BQ_OK)
        fail_msg("%s does not load", schema);
}

/* The number of rows that came to something else. */
static int compare(const char *schema, const struct row *row, const char *way,
                   const struct answer *a)
{
    if (strcmp(a->body, row->expected) == 0)
        return 0;
    print_error("%s: %s by %s: not \"%s\" but \"%s\"\n", schema, row->given, way, row->expected,
                a->body);
    return 1;
}

static struct answer post(struct fixture *f, const char *target, const struct row *row)
{
    static const struct bq_field type = {{"Content-Type", 12}, {"application/json", 16}};
    char body[512];
    snprintf(body, sizeof body, "{\"v\":%s}", row->given);
    struct question q = {"POST", target, row->given[0] ? body : "{}", &type, 1};
    return fixture_ask(f, &q);
}

static int ask_json(struct fixture *f, const char *schema, const struct row *row)
{
    struct answer body = post(f, "/json", row), check = post(f, "/check", row);
    return compare(schema, row, "body", &body) + compare(schema, row, "check", &check);
}

static int ask_body(struct fixture *f, const char *schema, const struct row *row)
{
    struct answer a = post(f, "/json", row);
    return compare(schema, row, "body", &a);
}

static int ask_query(struct fixture *f, const char *schema, const struct row *row)
{
    char target[512];
    snprintf(target, sizeof target, "/query?%s%s", row->given[0] ? "v=" : "", row->given);
    struct answer a = fixture_get(f, target);
    return compare(schema, row, "query", &a);
}

static void hold(const struct table *tables, size_t count, const char *more,
                 int (*ask)(struct fixture *, const char *, const struct row *))
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct fixture f;
        open_application(&f, tables[i].schema, more);
        for (const struct row *row = tables[i].rows; row->given; row++)
            wrong += ask(&f, tables[i].schema, row);
        fixture_close(&f);
    }
    assert_int_equal(wrong, 0);
}

static const struct table json_tables[] = {
    {"t.string",
     {{"\"a\"", "= \"a\""},
      {"\"\"", "= \"\""},
      {"\"\\u0000\"", "= \"\\u0000\""},
      {"\"\\ud83d\\ude00\"", "= \"😀\""},
      {"\"é\"", "= \"é\""},
      {"1", "string_type"},
      {"1.5", "string_type"},
      {"true", "string_type"},
      {"null", "string_type"},
      {"[]", "string_type"},
      {"{}", "string_type"},
      {"[\"a\"]", "string_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.string{ min = 2, max = 3 }",
     {{"\"ab\"", "= \"ab\""},
      {"\"abc\"", "= \"abc\""},
      {"\"a\"", "string_too_short"},
      {"\"\"", "string_too_short"},
      {"\"abcd\"", "string_too_long"},
      {"\"éé\"", "= \"éé\""},
      {"\"é\"", "string_too_short"},
      {"\"😀😀😀\"", "= \"😀😀😀\""},
      {"\"😀😀😀😀\"", "string_too_long"},
      {"\"e\\u0301\"", "= \"e\u0301\""},
      {NULL, NULL}}},
    {"t.string{ pattern = \"^[a-z]+$\" }",
     {{"\"abc\"", "= \"abc\""},
      {"\"ABC\"", "string_pattern_mismatch"},
      {"\"\"", "string_pattern_mismatch"},
      {"\"abc\\n\"", "string_pattern_mismatch"},
      {"\"ab c\"", "string_pattern_mismatch"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.string{ pattern = \"b\" }",
     {{"\"abc\"", "= \"abc\""}, {"\"ac\"", "string_pattern_mismatch"}, {NULL, NULL}}},
    {"t.string{ trim = true, min = 1 }",
     {{"\"  a \"", "= \"a\""},
      {"\"   \"", "string_too_short"},
      {"\"\\ta\\n\"", "= \"a\""},
      {"\"\\u00a0a\\u3000\"", "= \"a\""},
      {"\"a b\"", "= \"a b\""},
      {NULL, NULL}}},
    {"t.string{ lower = true, pattern = \"^[a-z]+$\" }",
     {{"\"ABC\"", "= \"abc\""},
      {"\"aBc\"", "= \"abc\""},
      {"\"A1\"", "string_pattern_mismatch"},
      {NULL, NULL}}},
    {"t.string{ default = \"x\" }",
     {{"\"a\"", "= \"a\""}, {"", "= \"x\""}, {"null", "string_type"}, {NULL, NULL}}},
    {"t.optional(t.string)",
     {{"\"a\"", "= \"a\""}, {"", "{}"}, {"null", "string_type"}, {NULL, NULL}}},
    {"t.nullable(t.string)",
     {{"\"a\"", "= \"a\""},
      {"", "missing"},
      {"null", "= null"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.optional(t.nullable(t.string))",
     {{"\"a\"", "= \"a\""}, {"", "{}"}, {"null", "= null"}, {NULL, NULL}}},
    {"t.nullable(t.integer, { default = 5 })",
     {{"1", "= 1"}, {"", "= 5"}, {"null", "= null"}, {NULL, NULL}}},
    {"t.integer",
     {{"0", "= 0"},
      {"-0", "= 0"},
      {"1", "= 1"},
      {"-1", "= -1"},
      {"1.0", "= 1"},
      {"1e3", "= 1000"},
      {"1E+2", "= 100"},
      {"10e-1", "= 1"},
      {"1.5", "int_from_float"},
      {"-0.5", "int_from_float"},
      {"1e-3", "int_from_float"},
      {"9007199254740991", "= 9007199254740991"},
      {"-9007199254740991", "= -9007199254740991"},
      {"9007199254740992", "less_than_equal"},
      {"-9007199254740992", "greater_than_equal"},
      {"1e300", "less_than_equal"},
      {"\"1\"", "int_type"},
      {"true", "int_type"},
      {"false", "int_type"},
      {"null", "int_type"},
      {"[1]", "int_type"},
      {"{}", "int_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.integer{ min = 1, max = 3 }",
     {{"1", "= 1"},
      {"3", "= 3"},
      {"0", "greater_than_equal"},
      {"4", "less_than_equal"},
      {"2.5", "int_from_float"},
      {NULL, NULL}}},
    {"t.integer{ above = 1, below = 4 }",
     {{"2", "= 2"}, {"3", "= 3"}, {"1", "greater_than"}, {"4", "less_than"}, {NULL, NULL}}},
    {"t.integer{ multiple_of = 5 }",
     {{"0", "= 0"}, {"10", "= 10"}, {"-15", "= -15"}, {"7", "multiple_of"}, {NULL, NULL}}},
    {"t.integer{ min = 0, default = 7 }",
     {{"", "= 7"}, {"0", "= 0"}, {"-1", "greater_than_equal"}, {"null", "int_type"}, {NULL, NULL}}},
    {"t.number",
     {{"0", "= 0"},
      {"-0", "= -0"},
      {"1", "= 1"},
      {"1.5", "= 1.5"},
      {"-2.25", "= -2.25"},
      {"1e3", "= 1000"},
      {"1e308", "= 1e+308"},
      {"5e-324", "= 5e-324"},
      {"0.1", "= 0.1"},
      {"0.30000000000000004", "= 0.30000000000000004"},
      {"123456789012345680000", "= 123456789012345680000"},
      {"\"1\"", "float_type"},
      {"\"NaN\"", "float_type"},
      {"true", "float_type"},
      {"null", "float_type"},
      {"[]", "float_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.number{ min = 0.5, max = 1.5 }",
     {{"0.5", "= 0.5"},
      {"1.5", "= 1.5"},
      {"0.49", "greater_than_equal"},
      {"1.51", "less_than_equal"},
      {NULL, NULL}}},
    {"t.number{ above = 0, below = 1 }",
     {{"0.5", "= 0.5"},
      {"0", "greater_than"},
      {"1", "less_than"},
      {"-0.0", "greater_than"},
      {"5e-324", "= 5e-324"},
      {NULL, NULL}}},
    {"t.number{ multiple_of = 0.1 }",
     {{"0.3", "= 0.3"}, {"0.7", "= 0.7"}, {"0.25", "multiple_of"}, {"0", "= 0"}, {NULL, NULL}}},
    {"t.boolean",
     {{"true", "= true"},
      {"false", "= false"},
      {"1", "bool_type"},
      {"0", "bool_type"},
      {"\"true\"", "bool_type"},
      {"null", "bool_type"},
      {"[]", "bool_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.boolean{ default = false }", {{"", "= false"}, {"true", "= true"}, {NULL, NULL}}},
    {"t.int64",
     {{"\"5\"", "= 5"},
      {"5", "= 5"},
      {"-5", "= -5"},
      {"\"9223372036854775807\"", "= 9223372036854775807"},
      {"\"-9223372036854775808\"", "= -9223372036854775808"},
      {"\"9223372036854775808\"", "int_parsing_size"},
      {"\"-9223372036854775809\"", "int_parsing_size"},
      {"\"abc\"", "int_parsing"},
      {"\"\"", "int_parsing"},
      {"\"1.5\"", "int_parsing"},
      {"\"+5\"", "int_parsing"},
      {"\"007\"", "int_parsing"},
      {"1.5", "int_from_float"},
      {"true", "int_type"},
      {"null", "int_type"},
      {NULL, NULL}}},
    {"t.int64{ min = 10, max = \"9223372036854775806\" }",
     {{"\"10\"", "= 10"},
      {"\"9\"", "greater_than_equal"},
      {"\"9223372036854775807\"", "less_than_equal"},
      {"9", "greater_than_equal"},
      {NULL, NULL}}},
    {"t.enum{ \"a\", \"b\", 3, true }",
     {{"\"a\"", "= \"a\""},
      {"\"b\"", "= \"b\""},
      {"3", "= 3"},
      {"3.0", "= 3"},
      {"true", "= true"},
      {"\"c\"", "enum"},
      {"\"3\"", "enum"},
      {"1", "enum"},
      {"false", "enum"},
      {"null", "enum"},
      {"[]", "enum"},
      {"{}", "enum"},
      {"\"A\"", "enum"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.enum{ \"a\", barq.null, default = \"a\" }",
     {{"null", "= null"}, {"", "= \"a\""}, {"\"b\"", "enum"}, {NULL, NULL}}},
    {"t.const(\"x\")",
     {{"\"x\"", "= \"x\""},
      {"\"y\"", "literal_error"},
      {"null", "literal_error"},
      {"1", "literal_error"},
      {"[\"x\"]", "literal_error"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.const(1)",
     {{"1", "= 1"},
      {"1.0", "= 1"},
      {"true", "literal_error"},
      {"\"1\"", "literal_error"},
      {"2", "literal_error"},
      {NULL, NULL}}},
    {"t.const(true)",
     {{"true", "= true"}, {"1", "literal_error"}, {"false", "literal_error"}, {NULL, NULL}}},
    {"t.any",
     {{"1", "= 1"},
      {"\"a\"", "= \"a\""},
      {"null", "= null"},
      {"[]", "= []"},
      {"[1,[2,{\"a\":null}]]", "= [1,[2,{\"a\":null}]]"},
      {"true", "= true"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.email",
     {{"\"a@b.c\"", "= \"a@b.c\""},
      {"\"a.b+c@ex-ample.org\"", "= \"a.b+c@ex-ample.org\""},
      {"\"a\"", "value_error"},
      {"\"@b.c\"", "value_error"},
      {"\"a@\"", "value_error"},
      {"\"a b@c.d\"", "value_error"},
      {"\"a@b..c\"", "value_error"},
      {"\"a@-b.c\"", "value_error"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.uuid",
     {{"\"c0de0000-0000-4000-8000-00000000ffff\"", "= \"c0de0000-0000-4000-8000-00000000ffff\""},
      {"\"C0DE0000-0000-4000-8000-00000000FFFF\"", "= \"C0DE0000-0000-4000-8000-00000000FFFF\""},
      {"\"c0de0000-0000-4000-8000-00000000fff\"", "uuid_parsing"},
      {"\"c0de0000-0000-4000-8000-00000000fffg\"", "uuid_parsing"},
      {"\"\"", "uuid_parsing"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.date",
     {{"\"2024-02-29\"", "= \"2024-02-29\""},
      {"\"2023-02-29\"", "date_parsing"},
      {"\"2024-13-01\"", "date_parsing"},
      {"\"2024-00-10\"", "date_parsing"},
      {"\"2024-1-1\"", "date_parsing"},
      {"\"2024-01-01T00:00:00Z\"", "date_parsing"},
      {"\"\"", "date_parsing"},
      {"20240101", "string_type"},
      {NULL, NULL}}},
    {"t.datetime",
     {{"\"2024-02-29T23:59:59Z\"", "= \"2024-02-29T23:59:59Z\""},
      {"\"2024-02-29T23:59:59.123456+02:00\"", "= \"2024-02-29T23:59:59.123456+02:00\""},
      {"\"2024-02-29t23:59:59z\"", "= \"2024-02-29t23:59:59z\""},
      {"\"2024-02-29T24:00:00Z\"", "datetime_parsing"},
      {"\"2024-02-29T23:60:00Z\"", "datetime_parsing"},
      {"\"2024-02-29\"", "datetime_parsing"},
      {"\"2024-02-29T23:59:59\"", "datetime_parsing"},
      {"\"2023-02-29T00:00:00Z\"", "datetime_parsing"},
      {"\"2024-02-29T00:00:00+25:00\"", "datetime_parsing"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.ipv4",
     {{"\"127.0.0.1\"", "= \"127.0.0.1\""},
      {"\"255.255.255.255\"", "= \"255.255.255.255\""},
      {"\"256.0.0.1\"", "ip_v4_address"},
      {"\"1.2.3\"", "ip_v4_address"},
      {"\"01.2.3.4\"", "ip_v4_address"},
      {"\"::1\"", "ip_v4_address"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.ipv6",
     {{"\"::1\"", "= \"::1\""},
      {"\"2001:db8::ff00:42:8329\"", "= \"2001:db8::ff00:42:8329\""},
      {"\"::ffff:1.2.3.4\"", "= \"::ffff:1.2.3.4\""},
      {"\"1::2::3\"", "ip_v6_address"},
      {"\":1\"", "ip_v6_address"},
      {"\"12345::\"", "ip_v6_address"},
      {"\"127.0.0.1\"", "ip_v6_address"},
      {NULL, NULL}}},
    {"t.array(t.integer)",
     {{"[]", "= []"},
      {"[1]", "= [1]"},
      {"[1,2,3]", "= [1,2,3]"},
      {"[\"a\"]", "[0] int_type"},
      {"[1,\"a\",true,4]", "[1] int_type, [2] int_type"},
      {"[1,null]", "[1] int_type"},
      {"{\"a\":1}", "list_type"},
      {"\"a\"", "list_type"},
      {"1", "list_type"},
      {"null", "list_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.array(t.string, { min = 1, max = 2 })",
     {{"[\"a\"]", "= [\"a\"]"},
      {"[]", "too_short"},
      {"[\"a\",\"b\",\"c\"]", "too_long"},
      {"[1]", "[0] string_type"},
      {"[\"a\",\"b\",1]", "[2] string_type"},
      {NULL, NULL}}},
    {"t.array(t.any, { unique = true })",
     {{"[1,2]", "= [1,2]"},
      {"[1,1]", "unique_items"},
      {"[1,1.0]", "unique_items"},
      {"[\"1\",1]", "= [\"1\",1]"},
      {"[[1],[1]]", "unique_items"},
      {"[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "unique_items"},
      {"[null,null]", "unique_items"},
      {"[0,-0.0]", "unique_items"},
      {"[true,1]", "= [true,1]"},
      {NULL, NULL}}},
    {"t.array(t.array(t.integer))",
     {{"[[1],[2]]", "= [[1],[2]]"},
      {"[[1],2]", "[1] list_type"},
      {"[[1],[\"a\"]]", "[1][0] int_type"},
      {"[[],[]]", "= [[],[]]"},
      {NULL, NULL}}},
    {"t.array(t.nullable(t.integer))",
     {{"[null,1]", "= [null,1]"}, {"[null,\"a\"]", "[1] int_type"}, {NULL, NULL}}},
    {"t.map(t.integer)",
     {{"{}", "= {}"},
      {"{\"a\":1}", "= {\"a\":1}"},
      {"{\"a\":\"b\"}", ".a int_type"},
      {"{\"\":1}", "= {\"\":1}"},
      {"[1]", "dict_type"},
      {"\"a\"", "dict_type"},
      {"null", "dict_type"},
      {"1", "dict_type"},
      {NULL, NULL}}},
    {"t.map(t.map(t.boolean), { min = 1, max = 1 })",
     {{"{\"a\":{}}", "= {\"a\":{}}"},
      {"{}", "too_short"},
      {"{\"a\":{},\"b\":{}}", "too_long"},
      {"{\"a\":{\"b\":1}}", ".a.b bool_type"},
      {NULL, NULL}}},
    {"Item()",
     {{"{\"name\":\"a\"}", "= {\"name\":\"a\",\"n\":1,\"tags\":[]}"},
      {"{\"name\":\"a\",\"n\":5,\"tags\":[\"x\"]}", "= {\"name\":\"a\",\"n\":5,\"tags\":[\"x\"]}"},
      {"{\"tags\":[\"x\"],\"n\":5,\"name\":\"a\"}", "= {\"name\":\"a\",\"n\":5,\"tags\":[\"x\"]}"},
      {"{}", ".name missing"},
      {"{\"name\":\"\"}", ".name string_too_short"},
      {"{\"name\":\"abcd\",\"n\":-1}", ".name string_too_long, .n greater_than_equal"},
      {"{\"name\":1,\"n\":\"x\",\"tags\":[1,\"a\",2]}",
       ".name string_type, .n int_type, .tags[0] string_type, .tags[2] string_type"},
      {"{\"name\":\"a\",\"extra\":1}", "= {\"name\":\"a\",\"n\":1,\"tags\":[]}"},
      {"{\"name\":null}", ".name string_type"},
      {"{\"name\":\"a\",\"n\":null}", ".n int_type"},
      {"[1]", "model_type"},
      {"\"a\"", "model_type"},
      {"1", "model_type"},
      {"null", "model_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.object({ a = t.integer }, { extra = \"forbid\" })",
     {{"{\"a\":1}", "= {\"a\":1}"},
      {"{\"a\":1,\"b\":2}", ".b extra_forbidden"},
      {"{\"a\":\"x\",\"A\":1}", ".a int_type, .A extra_forbidden"},
      {NULL, NULL}}},
    {"t.object({ a = t.optional(t.integer) }, { extra = \"keep\" })",
     {{"{\"b\":[1]}", "= {\"b\":[1]}"},
      {"{\"a\":1,\"b\":null}", "= {\"a\":1,\"b\":null}"},
      {"{\"a\":\"x\",\"b\":1}", ".a int_type"},
      {NULL, NULL}}},
    {"t.object{ a = t.object{ b = t.object{ c = t.boolean } } }",
     {{"{\"a\":{\"b\":{\"c\":true}}}", "= {\"a\":{\"b\":{\"c\":true}}}"},
      {"{\"a\":{\"b\":{\"c\":1}}}", ".a.b.c bool_type"},
      {"{\"a\":{\"b\":{}}}", ".a.b.c missing"},
      {"{\"a\":{\"b\":[1]}}", ".a.b model_type"},
      {"{\"a\":null}", ".a model_type"},
      {NULL, NULL}}},
    {"t.ref(\"Tree\")",
     {{"{\"n\":1}", "= {\"n\":1}"},
      {"{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[]}]}",
       "= {\"n\":1,\"kids\":[{\"n\":2,\"kids\":[]}]}"},
      {"{\"n\":1,\"kids\":[{\"n\":2,\"kids\":[{}]}]}", ".kids[0].kids[0].n missing"},
      {"{\"n\":1,\"kids\":[1,{\"n\":\"x\"}]}", ".kids[0] model_type, .kids[1].n int_type"},
      {NULL, NULL}}},
    {"t.union{ t.integer, t.string }",
     {{"1", "= 1"},
      {"\"a\"", "= \"a\""},
      {"1.5", ".int int_from_float, .str string_type"},
      {"true", ".int int_type, .str string_type"},
      {"null", ".int int_type, .str string_type"},
      {"[]", ".int int_type, .str string_type"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.nullable(t.union{ t.integer, t.boolean })",
     {{"null", "= null"},
      {"true", "= true"},
      {"\"a\"", ".int int_type, .bool bool_type"},
      {NULL, NULL}}},
    {"t.union{ Cat, Dog }",
     {{"{\"kind\":\"cat\",\"lives\":9}", "= {\"kind\":\"cat\",\"lives\":9}"},
      {"{\"kind\":\"dog\",\"name\":\"x\"}", "= {\"kind\":\"dog\",\"name\":\"x\"}"},
      {"{\"kind\":\"cat\"}", ".Cat.lives missing, .Dog.kind enum, .Dog.name missing"},
      {"1", ".Cat model_type, .Dog model_type"},
      {NULL, NULL}}},
    {"t.union{ Cat, Dog, tag = \"kind\" }",
     {{"{\"kind\":\"cat\",\"lives\":9}", "= {\"kind\":\"cat\",\"lives\":9}"},
      {"{\"lives\":9,\"kind\":\"cat\"}", "= {\"kind\":\"cat\",\"lives\":9}"},
      {"{\"kind\":\"wolf\",\"name\":\"x\"}", "= {\"kind\":\"wolf\",\"name\":\"x\"}"},
      {"{\"kind\":\"cat\",\"lives\":\"x\"}", ".cat.lives int_type"},
      {"{\"kind\":\"cat\"}", ".cat.lives missing"},
      {"{\"kind\":\"cow\"}", "union_tag_invalid"},
      {"{\"kind\":1}", "union_tag_not_found"},
      {"{\"lives\":9}", "union_tag_not_found"},
      {"{}", "union_tag_not_found"},
      {"1", "dict_type"},
      {"null", "dict_type"},
      {"[1]", "dict_type"},
      {NULL, NULL}}},
    {"t.array(t.union{ Cat, Dog, tag = \"kind\" })",
     {{"[{\"kind\":\"cat\",\"lives\":1},{\"kind\":\"dog\"}]", "[1].dog.name missing"},
      {NULL, NULL}}},
    {"t.integer{ check = function(v) return v % 2 == 0, \"odd\" end }",
     {{"2", "= 2"}, {"3", "value_error"}, {"\"a\"", "int_type"}, {"", "missing"}, {NULL, NULL}}},
    {"t.optional(t.integer, { check = function(v) return v ~= 13 end })",
     {{"", "{}"}, {"1", "= 1"}, {"13", "value_error"}, {NULL, NULL}}},
    {"t.object({ a = t.integer, b = t.integer }, { check = function(v) return v.a < v.b, \"a < b\" "
     "end })",
     {{"{\"a\":1,\"b\":2}", "= {\"a\":1,\"b\":2}"},
      {"{\"a\":2,\"b\":1}", "value_error"},
      {"{\"a\":2}", ".b missing"},
      {NULL, NULL}}},
    {"t.uri",
     {{"\"https://example.org/a?b#c\"", "= \"https://example.org/a?b#c\""},
      {"\"urn:isbn:1\"", "= \"urn:isbn:1\""},
      {"\"not a uri\"", "url_parsing"},
      {"\"/relative\"", "url_parsing"},
      {"\"\"", "url_parsing"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.time",
     {{"\"23:59:59Z\"", "= \"23:59:59Z\""},
      {"\"24:00:00Z\"", "time_parsing"},
      {"\"12:00\"", "time_parsing"},
      {"1", "string_type"},
      {NULL, NULL}}},
};

/* What Lua cannot tell from another: an empty object from an empty array, bytes from base64. */
static const struct table body_tables[] = {
    {"t.any", {{"{}", "= {}"}, {"[]", "= []"}, {"{\"a\":{}}", "= {\"a\":{}}"}, {NULL, NULL}}},
    {"t.array(t.integer)", {{"{}", "list_type"}, {NULL, NULL}}},
    {"Item()", {{"[]", "model_type"}, {NULL, NULL}}},
    {"t.int64",
     {{"9007199254740993", "= 9007199254740993"},
      {"9223372036854775808", "int_parsing_size"},
      {NULL, NULL}}},
    {"t.union{ Cat, Dog, tag = 'kind' }", {{"[]", "dict_type"}, {NULL, NULL}}},
    {"t.bytes{ min = 1, max = 3 }",
     {{"\"QUJD\"", "= \"QUJD\""},
      {"\"QQ==\"", "= \"QQ==\""},
      {"\"\"", "bytes_too_short"},
      {"\"QUJDRA==\"", "bytes_too_long"},
      {"\"QQ\"", "base64_decode"},
      {"\"Q*==\"", "base64_decode"},
      {"1", "string_type"},
      {NULL, NULL}}},
    {"t.object({ a = t.optional(t.integer) }, { extra = 'forbid' })",
     {{"{\"b\":1,\"a\":2,\"b\":3}", ".b extra_forbidden, .b extra_forbidden"},
      {"{\"a\":\"x\",\"a\":1}", "= {\"a\":1}"},
      {"{\"a\":1,\"a\":\"x\"}", ".a int_type"},
      {NULL, NULL}}},
    {"t.map(t.integer)",
     {{"{\"a\":\"x\",\"a\":1}", "= {\"a\":1}"},
      {"{\"a\":1,\"a\":\"x\"}", ".a int_type"},
      {NULL, NULL}}},
};

static const struct table query_tables[] = {
    {"t.integer",
     {{"5", "= 5"},
      {"-5", "= -5"},
      {"%2B5", "= 5"},
      {"007", "= 7"},
      {"5.0", "= 5"},
      {"5.", "int_parsing"},
      {"5.5", "int_parsing"},
      {"%205%20", "= 5"},
      {"", "missing"},
      {"0x10", "int_parsing"},
      {"1e3", "int_parsing"},
      {"abc", "int_parsing"},
      {"true", "int_parsing"},
      {"9007199254740991", "= 9007199254740991"},
      {"9007199254740992", "less_than_equal"},
      {"99999999999999999999999", "less_than_equal"},
      {"5%00", "int_parsing"},
      {"1_000", "int_parsing"},
      {"-0", "= 0"},
      {"-", "int_parsing"},
      {"1&v=2", "= 2"},
      {NULL, NULL}}},
    {"t.integer{ min = 1, max = 5 }",
     {{"0", "greater_than_equal"}, {"6", "less_than_equal"}, {"5", "= 5"}, {NULL, NULL}}},
    {"t.number",
     {{"1.5", "= 1.5"},
      {".5", "= 0.5"},
      {"5.", "= 5"},
      {"-1e3", "= -1000"},
      {"1E-2", "= 0.01"},
      {"nan", "finite_number"},
      {"inf", "finite_number"},
      {"-Infinity", "finite_number"},
      {"1e999", "finite_number"},
      {"abc", "float_parsing"},
      {"0x10", "float_parsing"},
      {"1e", "float_parsing"},
      {".", "float_parsing"},
      {"%201%20", "= 1"},
      {"1,5", "float_parsing"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.boolean",
     {{"true", "= true"},
      {"True", "= true"},
      {"TRUE", "= true"},
      {"1", "= true"},
      {"on", "= true"},
      {"yes", "= true"},
      {"t", "= true"},
      {"y", "= true"},
      {"false", "= false"},
      {"0", "= false"},
      {"off", "= false"},
      {"no", "= false"},
      {"f", "= false"},
      {"n", "= false"},
      {"2", "bool_parsing"},
      {"maybe", "bool_parsing"},
      {"%20true", "bool_parsing"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.string{ min = 1 }",
     {{"a%20b", "= \"a b\""},
      {"a+b", "= \"a b\""},
      {"%C3%A9", "= \"é\""},
      {"%FF", "string_unicode"},
      {"%ED%A0%80", "string_unicode"},
      {"%00", "= \"\\u0000\""},
      {"1", "= \"1\""},
      {"null", "= \"null\""},
      {NULL, NULL}}},
    {"t.enum{ \"a\", 2, true }",
     {{"a", "= \"a\""},
      {"2", "= 2"},
      {"2.0", "= 2"},
      {"true", "= true"},
      {"b", "enum"},
      {"3", "enum"},
      {NULL, NULL}}},
    {"t.array(t.integer)",
     {{"1", "= [1]"},
      {"1&v=2", "= [1,2]"},
      {"1&v=x&v=3&v=y", "[1] int_parsing, [3] int_parsing"},
      {"", "missing"},
      {NULL, NULL}}},
    {"t.array(t.string, { max = 2, default = {} })",
     {{"", "= []"}, {"a&v=b", "= [\"a\",\"b\"]"}, {"a&v=b&v=c", "too_long"}, {NULL, NULL}}},
    {"t.int64",
     {{"9223372036854775807", "= 9223372036854775807"},
      {"-9223372036854775808", "= -9223372036854775808"},
      {"9223372036854775808", "int_parsing_size"},
      {"007", "= 7"},
      {"x", "int_parsing"},
      {NULL, NULL}}},
    {"t.union{ t.integer, t.boolean, t.string }",
     {{"1", "= 1"}, {"true", "= true"}, {"x", "= \"x\""}, {NULL, NULL}}},
    {"t.union{ t.integer, t.boolean }",
     {{"x", ".int int_parsing, .bool bool_parsing"}, {NULL, NULL}}},
    {"t.date", {{"2024-02-29", "= \"2024-02-29\""}, {"2024-02-30", "date_parsing"}, {NULL, NULL}}},
    {"t.const(1)", {{"1", "= 1"}, {"2", "literal_error"}, {NULL, NULL}}},
    {"t.any", {{"1", "= \"1\""}, {"%FF", "string_unicode"}, {NULL, NULL}}},
};

static void json_comes_to_what_the_table_says(void **state)
{
    (void)state;
    hold(json_tables, sizeof json_tables / sizeof json_tables[0], "", ask_json);
}

static void what_lua_cannot_tell_apart_comes_to_what_the_table_says(void **state)
{
    (void)state;
    hold(body_tables, sizeof body_tables / sizeof body_tables[0], "", ask_body);
}

static void strings_of_the_wire_come_to_what_the_table_says(void **state)
{
    (void)state;
    hold(query_tables, sizeof query_tables / sizeof query_tables[0], query_application, ask_query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_comes_to_what_the_table_says),
        cmocka_unit_test(what_lua_cannot_tell_apart_comes_to_what_the_table_says),
        cmocka_unit_test(strings_of_the_wire_come_to_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
