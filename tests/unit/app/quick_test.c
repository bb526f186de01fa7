/* quick_test.c: what handlers usually return is written the quick way, and odder things are left
 * to the other writers: never is the text another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quick_fixture.h"
#include "schema_fixture.h"

static int setup(void **state)
{
    open_fixture(state);
    struct fixture *f = *state;
    lua_settop(f->L, 0);
    bq_encode_open(f->L);
    lua_setglobal(f->L, "object");
    lua_setglobal(f->L, "array");
    return 0;
}

/* Pushes what the expression gives as the only value. */
static void push(struct fixture *f, const char *expression)
{
    lua_settop(f->L, 0);
    lua_pushfstring(f->L, "return %s", expression);
    push_lua(f, lua_tostring(f->L, 1));
    lua_remove(f->L, 1);
}

/* The value at 1, both ways. Gives whether it was quick. */
static bool compare(struct fixture *f, const struct bq_schema *s)
{
    struct bq_buf out = BQ_BUF_INIT;
    struct bq_encode_error error;
    int rc = s ? bq_schema_write(f->L, s, 1, &out, &error) : bq_encode(f->L, 1, &out, &error);
    bool quick = quick_agrees(f->L, s, 1, rc, bq_buf_str(&out));
    bq_buf_release(&out);
    return quick;
}

static void is_quick(struct fixture *f, const char *node, const char *expression)
{
    const struct bq_schema *s = node ? schema(f, node) : NULL;
    push(f, expression);
    if (!compare(f, s))
        fail_msg("%s is left to the others", expression);
}

static void is_left(struct fixture *f, const char *node, const char *expression)
{
    const struct bq_schema *s = node ? schema(f, node) : NULL;
    push(f, expression);
    if (compare(f, s))
        fail_msg("%s is not left to the others", expression);
}

static void what_handlers_return_is_quick(void **state)
{
    is_quick(*state, NULL, "{ message = 'Hello, World!' }");
    is_quick(*state, NULL, "{}");
    is_quick(*state, NULL, "{ 1, -2.5, 1e100, 0/-1, 'text', true, false, null, {}, { a = {} } }");
    is_quick(*state, NULL, "{ object{}, array{}, array{ 1 }, object{ a = array{ object{} } } }");
    is_quick(*state, NULL, "{ ['a \\n \"b\"'] = 'c \\t \\195\\164', [''] = '' }");
    is_quick(*state, NULL, "setmetatable({ a = 1 }, { __index = error, __pairs = error })");
    is_quick(*state, NULL, "(function() local t = { a = 1, b = 2 } t.a = nil return t end)()");
    is_quick(*state, NULL,
             "(function() local t = {} for i = 1, 1000 do t[i] = i end "
             "for i = 900, 1000 do t[i] = nil end return t end)()");
    is_quick(*state, NULL,
             "(function() local t = {} for i = 1, 500 do t['key' .. i] = i end "
             "return t end)()");
    is_quick(*state, NULL,
             "(function() local t = {} for i = 2, 128 do t = { t } end "
             "return t end)()");
}

static void odd_tables_and_mistakes_are_left_to_the_others(void **state)
{
    is_left(*state, NULL, "'text'");
    is_left(*state, NULL, "{ [0] = 1 }");
    is_left(*state, NULL, "{ [0] = 1, 2 }");
    is_left(*state, NULL, "{ 1, nil, 3 }");
    is_left(*state, NULL, "{ 1, x = 2 }");
    is_left(*state, NULL, "{ x = 2, [true] = 1 }");
    is_left(*state, NULL, "{ [1.5] = 2 }");
    is_left(*state, NULL, "array{ a = 1 }");
    is_left(*state, NULL, "object{ 1 }");
    is_left(*state, NULL, "{ { { 0/0 } } }");
    is_left(*state, NULL, "{ 1/0 }");
    is_left(*state, NULL, "{ 'a\\255' }");
    is_left(*state, NULL, "{ ['a\\255'] = 1 }");
    is_left(*state, NULL, "{ print }");
    is_left(*state, NULL, "{ io.stdout }");
    is_left(*state, NULL, "{ 1LL }");
    is_left(*state, NULL, "{ coroutine.create(print) }");
    is_left(*state, NULL, "(function() local t = {} t.t = t return t end)()");
    is_left(*state, NULL,
            "(function() local t = {} for i = 2, 129 do t = { t } end "
            "return t end)()");
}

/* Names of 12 to 15 bytes are where copying sixteen bytes at once ends. */
static void names_that_come_again_are_the_same(void **state)
{
    is_quick(*state, NULL,
             "(function() local list = {} for i = 1, 50 do list[i] = {} for n = 0, 20 do "
             "list[i][('x'):rep(n)] = n list[i][('\\n'):rep(n)] = i end end return list end)()");
    is_quick(*state, NULL,
             "(function() local list = {} for i = 1, 2000 do "
             "list[i] = { ['k' .. i % 300] = i, id = i, ['k' .. i % 7] = { id = 'id' } } end "
             "return list end)()");
}

/* --- by a schema --- */

#define ITEM                                                                                      \
    "{ kind = 'object', fields = { { 'id', { kind = 'integer' } }, { 'name', { kind = 'string' }" \
    " }, { 'price', { kind = 'number' } }, { 'note', { kind = 'string', optional = true } }, "    \
    "{ 'none', { kind = 'boolean', nullable = true } }, { 'tags', { kind = 'array', optional = "  \
    "true, of = { kind = 'enum', values = { 'a', 'b', 1 } } } }, { 'more', { kind = 'map', "      \
    "optional = true, of = { kind = 'any' } } }, { 'count', { kind = 'integer', default = 1, "    \
    "optional = true } } } }"

static void declared_answers_are_quick(void **state)
{
    is_quick(*state, ITEM, "{ id = 1, name = 'x', price = 2.5, count = 3 }");
    is_quick(*state, ITEM, "{ id = -0.0, name = '', price = 0, none = null, count = 1, x = {} }");
    is_quick(*state, ITEM,
             "{ id = 2^53 - 1, name = 'x', price = 1e300, none = true, tags = { 'a', "
             "'b' }, more = { a = { 1 }, b = {} }, count = 2, note = 'n' }");
    is_quick(*state, ITEM, "{ id = 1, name = 'x', price = 1, tags = {}, more = {}, count = 1 }");
    is_quick(*state, "{ kind = 'array', of = { kind = 'string', format = 'bytes' } }",
             "{ '\\255', '', 'abc' }");
    is_quick(*state, "{ kind = 'map', of = { kind = 'boolean' } }", "{ a = true, b = false }");
}

static void what_does_not_fit_is_left_to_the_others(void **state)
{
    is_left(*state, ITEM, "{ id = 1.5, name = 'x', price = 1, count = 1 }");
    is_left(*state, ITEM, "{ id = 2^53, name = 'x', price = 1, count = 1 }");
    is_left(*state, ITEM, "{ id = 1, name = 5, price = 1, count = 1 }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = '1', count = 1 }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 0/0, count = 1 }");
    is_left(*state, ITEM, "{ id = 1, name = null, price = 1, count = 1 }");
    is_left(*state, ITEM, "{ name = 'x', price = 1, count = 1 }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 1 }"); /* the default */
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 1, count = 1, tags = { 'c' } }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 1, count = 1, tags = { 1 } }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 1, count = 1, none = 0 }");
    is_left(*state, ITEM, "{ id = 1, name = 'x', price = 1, count = 1, more = { 1 } }");
    is_left(*state, "{ kind = 'object', extra = 'keep', fields = {} }", "{ a = 1 }");
    is_left(*state, "{ kind = 'object', fields = {} }", "{}");
    is_left(*state, "{ kind = 'array', of = { kind = 'any' } }", "{ a = 1 }");
    is_left(*state, "{ kind = 'array', of = { kind = 'int64' } }", "{ 1 }");
    is_left(*state, "{ kind = 'string' }", "'text'");
}

/* The fields are where they were in the table before only sometimes. */
static void fields_are_found_wherever_they_lie(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = schema(f, ITEM);
    int quick = 0;
    for (int round = 0; round < 400; round++) {
        lua_settop(f->L, 0);
        lua_pushinteger(f->L, round);
        lua_setglobal(f->L, "round");
        push(f,
             "(function() local t = {} math.randomseed(round)\n"
             "for i = 1, math.random(0, 90) * (round % 2) do t['x' .. math.random(200)] = i end\n"
             "for _, field in ipairs{ 'price', 'id', 'name', 'count' } do\n"
             "  t[field] = field == 'name' and 'n' .. round or round end\n"
             "if round % 3 == 0 then t.note = 'note' t.id, t.note = nil, nil t.id = 7 end\n"
             "if round % 7 == 0 then t.name = nil end\n"
             "return t end)()");
        quick += compare(f, s);
    }
    assert_in_range(quick, 200, 342);
}

/* --- anything at all --- */

static const char random_chunk[] =
    "math.randomseed(5)\n"
    "local r = math.random\n"
    "local scalars = { 0, -0.0, 1, -1, 0.5, 1e300, 2^53, 9.99, 123456, '', 'id', 'x\\0y', "
    "'\\195',\n"
    "  ('long'):rep(40), true, false, null, print, 1LL, 0/0 }\n"
    "local keys = { 'id', 'name', 'a', 'a name of 16 byte', 'b', '', 1, 2, 3, 4, 0, -1, 1.5, true "
    "}\n"
    "local usual = #scalars - 3\n"
    "local function scalar() return scalars[r(20) == 1 and r(#scalars) or r(usual)] end\n"
    "local function fill(t, depth)\n"
    "  local kind = r(8)\n"
    "  for i = 1, r(0, 6) do\n"
    "    local key = kind < 4 and i or kind < 7 and keys[r(6)] or keys[r(#keys)]\n"
    "    t[key] = depth < 4 and r(3) == 1 and random_table(depth + 1) or scalar()\n"
    "  end\n"
    "  if r(6) == 1 then t[keys[r(#keys)]] = nil end\n"
    "  return t\n"
    "end\n"
    "function random_table(depth)\n"
    "  local t = fill({}, depth)\n"
    "  local mark = r(20)\n"
    "  return mark == 1 and object(t) or mark == 2 and array(t) or\n"
    "    mark == 3 and setmetatable(t, { 1, __index = t }) or t\n"
    "end\n"
    "return random_table\n";

static void whatever_the_value_is_the_writers_agree(void **state)
{
    struct fixture *f = *state;
    lua_settop(f->L, 0);
    push_lua(f, random_chunk);
    lua_settop(f->L, 0);
    int quick = 0;
    for (int round = 0; round < 5000; round++) {
        push(f, "random_table(1)");
        quick += compare(f, NULL);
    }
    assert_in_range(quick, 1000, 4500);
}

static void whatever_the_schema_is_the_writers_agree(void **state)
{
    static const char *const nodes[] = {
        "{ kind = 'object', fields = { { 'id', { kind = 'any', nullable = true } }, { 'name', { "
        "kind = 'string', optional = true } } } }",
        "{ kind = 'object', fields = { { 'a', { kind = 'array', optional = true, of = { kind = "
        "'any' } } }, { 'b', { kind = 'number', optional = true } } } }",
        "{ kind = 'array', of = { kind = 'number' } }",
        "{ kind = 'map', of = { kind = 'any' } }",
        "{ kind = 'map', of = { kind = 'map', of = { kind = 'any' } } }",
        "{ kind = 'object', extra = 'keep', fields = { { 'id', { kind = 'any', nullable = true, "
        "optional = true } } } }",
    };
    struct fixture *f = *state;
    const struct bq_schema *schemas[sizeof nodes / sizeof nodes[0]];
    int quick = 0;
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        schemas[i] = schema(f, nodes[i]);
    push_lua(f, random_chunk);
    for (int round = 0; round < 12000; round++) {
        push(f, "random_table(2)");
        quick += compare(f, schemas[(size_t)round % (sizeof nodes / sizeof nodes[0])]);
    }
    assert_in_range(quick, 1000, 11000);
}

/* --- memory, and the choice --- */

#ifdef BQ_FAULTS
static void a_failed_allocation_leaves_the_buffer_as_it_was(void **state)
{
    struct fixture *f = *state;
    push(f, "{ { name = ('x'):rep(3000) }, { name = ('\\n'):rep(5000) }, { name = 1 } }");
    bq_raw null = bq_raw_probe(f->L);
    bool done = false;
    for (long nth = 1; !done; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        assert_int_equal(bq_buf_append(&out, BQ_STR("kept")), BQ_OK);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        done = bq_quick_encode(f->L, null, 1, &out);
        assert_true(done == (bq_fault_hits(BQ_FAULT_alloc) == 0));
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_true(done || bq_str_eq(bq_buf_str(&out), BQ_STR("kept")));
        bq_buf_release(&out);
    }
}
#endif

static void without_knowing_how_values_lie_all_is_written_too(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = schema(f, ITEM);
    struct bq_vm vm = {.raw_null = 0};
    for (int i = 0; i < 2; i++, vm.raw_null = bq_raw_probe(f->L)) {
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_encode_error error;
        push(f, "{ id = 1, name = 'x', price = 2.5, count = 3, more = { a = { null } } }");
        assert_int_equal(bq_write_value(&vm, f->L, s, 1, &out, &error), BQ_OK);
        assert_true(bq_str_eq(bq_buf_str(&out),
                              BQ_STR("{\"id\":1,\"name\":\"x\",\"price\":2.5,\"none\":null,"
                                     "\"more\":{\"a\":[null]},\"count\":3}")));
        bq_buf_reset(&out);
        push(f, "{ { a = null }, object{ [5] = 1 } }");
        assert_int_equal(bq_write_value(&vm, f->L, NULL, 1, &out, &error), BQ_OK);
        assert_true(bq_str_eq(bq_buf_str(&out), BQ_STR("[{\"a\":null},{\"5\":1}]")));
        bq_buf_reset(&out);
        push(f, "{ a = { print } }");
        assert_int_equal(bq_write_value(&vm, f->L, NULL, 1, &out, &error), BQ_INVALID);
        assert_non_null(strstr(error.text, "field \"a[1]\": a function"));
        bq_buf_release(&out);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_handlers_return_is_quick),
        TEST(odd_tables_and_mistakes_are_left_to_the_others),
        TEST(names_that_come_again_are_the_same),
        TEST(declared_answers_are_quick),
        TEST(what_does_not_fit_is_left_to_the_others),
        TEST(fields_are_found_wherever_they_lie),
        TEST(whatever_the_value_is_the_writers_agree),
        TEST(whatever_the_schema_is_the_writers_agree),
#ifdef BQ_FAULTS
        TEST(a_failed_allocation_leaves_the_buffer_as_it_was),
#endif
        TEST(without_knowing_how_values_lie_all_is_written_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
