/* schema_check_test.c: scalars, lengths, unique elements, checks and defaults, in pydantic's words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema_fixture.h"

#include <math.h>
#include <time.h>

static void check(struct fixture *f, const char *node, struct bq_scalar given)
{
    int top = lua_gettop(f->L);
    const struct bq_schema *s = schema(f, node);
    bq_check_scalar(f->L, s, &given, &f->invalid);
    assert_int_equal(lua_gettop(f->L), top + 1);
}

#define TEXT(lit)      ((struct bq_scalar){.type = LUA_TSTRING, .text = BQ_STR(lit)})
#define RAW(lit)       ((struct bq_scalar){.type = LUA_TSTRING, .raw = true, .text = BQ_STR(lit)})
#define NUMBER(v)      ((struct bq_scalar){.type = LUA_TNUMBER, .number = (v)})
#define DIGITS(lit, v) ((struct bq_scalar){.type = LUA_TNUMBER, .number = (v), .text = BQ_STR(lit)})
#define BOOLEAN(v)     ((struct bq_scalar){.type = LUA_TBOOLEAN, .boolean = (v)})
#define NULL_SCALAR    ((struct bq_scalar){.type = LUA_TNIL})

static void fits(struct fixture *f, const char *node, struct bq_scalar given,
                 const char *expression)
{
    check(f, node, given);
    gives(f, expression);
}

static void misfits(struct fixture *f, const char *node, struct bq_scalar given,
                    const char *problem)
{
    check(f, node, given);
    assert_true(lua_isnil(f->L, -1));
    finds(f, problem);
}

#define PROBLEM(type, message) "{\"type\":\"" type "\",\"loc\":[],\"msg\":\"" message "\"}"
#define PROBLEM_CTX(type, message, ctx) \
    "{\"type\":\"" type "\",\"loc\":[],\"msg\":\"" message "\",\"ctx\":{" ctx "}}"

static void the_wrong_type_is_named_by_the_right_one(void **state)
{
    struct fixture *f = *state;
    misfits(f, "{ kind = 'string' }", NUMBER(1),
            PROBLEM("string_type", "Input should be a valid string"));
    misfits(f, "{ kind = 'integer' }", TEXT("1"),
            PROBLEM("int_type", "Input should be a valid integer"));
    misfits(f, "{ kind = 'integer' }", BOOLEAN(true),
            PROBLEM("int_type", "Input should be a valid integer"));
    misfits(f, "{ kind = 'int64' }", BOOLEAN(true),
            PROBLEM("int_type", "Input should be a valid integer"));
    misfits(f, "{ kind = 'number' }", TEXT("1"),
            PROBLEM("float_type", "Input should be a valid number"));
    misfits(f, "{ kind = 'boolean' }", NUMBER(1),
            PROBLEM("bool_type", "Input should be a valid boolean"));
    misfits(f, "{ kind = 'array', of = { kind = 'any' } }", TEXT(""),
            PROBLEM("list_type", "Input should be a valid array"));
    misfits(f, "{ kind = 'map', of = { kind = 'any' } }", TEXT(""),
            PROBLEM("dict_type", "Input should be an object"));
    misfits(f, "{ kind = 'object', fields = {} }", TEXT(""),
            PROBLEM("model_type", "Input should be an object"));
    misfits(f, "{ kind = 'object', name = 'Item', fields = {} }", TEXT(""),
            PROBLEM_CTX("model_type", "Input should be an object", "\"class_name\":\"Item\""));
}

static void null_is_a_value_of_its_own(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'string', nullable = true }", NULL_SCALAR, "v == null");
    fits(f, "{ kind = 'any' }", NULL_SCALAR, "v == null");
    fits(f, "{ kind = 'enum', values = { 'a', null } }", NULL_SCALAR, "v == null");
    misfits(f, "{ kind = 'integer', optional = true }", NULL_SCALAR,
            PROBLEM("int_type", "Input should be a valid integer"));
    misfits(f, "{ kind = 'enum', values = { 'a' } }", NULL_SCALAR,
            PROBLEM_CTX("enum", "Input should be 'a'", "\"expected\":\"'a'\""));
}

static void strings_are_measured_in_characters(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'string' }", TEXT("a\0b"), "v == 'a\\0b'");
    fits(f, "{ kind = 'string', min = 2, max = 2 }", TEXT("\xe2\x82\xac\xf0\x9f\x98\x80"),
         "#v == 7");
    misfits(f, "{ kind = 'string', min = 1 }", TEXT(""),
            PROBLEM_CTX("string_too_short", "String should have at least 1 character",
                        "\"min_length\":1"));
    misfits(f, "{ kind = 'string', min = 2 }", TEXT("\xc3\xa4"),
            PROBLEM_CTX("string_too_short", "String should have at least 2 characters",
                        "\"min_length\":2"));
    misfits(f, "{ kind = 'string', max = 1 }", TEXT("ab"),
            PROBLEM_CTX("string_too_long", "String should have at most 1 character",
                        "\"max_length\":1"));
    misfits(f, "{ kind = 'string', max = 0 }", TEXT("a"),
            PROBLEM_CTX("string_too_long", "String should have at most 0 characters",
                        "\"max_length\":0"));
    misfits(f, "{ kind = 'string' }", RAW("a\xff"),
            PROBLEM("string_unicode", "Input should be a valid string, unable to parse raw data as "
                                      "a unicode string"));
}

static void strings_are_trimmed_and_folded_before_they_are_judged(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'string', trim = true }",
         TEXT(" \t\r\n\xc2\xa0\xe3\x80\x80"
              "a b\xe2\x80\x89\xc2\x85 "),
         "v == 'a b'");
    fits(f, "{ kind = 'string', trim = true }", TEXT("\xe2\x80\x83 "), "v == ''");
    fits(f, "{ kind = 'string', trim = true }", TEXT("\xe2\x82\xac \xe2\x82\xac"), "#v == 7");
    fits(f, "{ kind = 'string', lower = true, pattern = '^[a-z]+$' }", TEXT("AbC"), "v == 'abc'");
    fits(f, "{ kind = 'string', lower = true }", TEXT("\xc3\x84Z"), "v == '\\195\\132z'");
    fits(f, "{ kind = 'string', trim = true, lower = true, max = 1 }", TEXT(" A "), "v == 'a'");
    misfits(f, "{ kind = 'string', trim = true, min = 2 }", TEXT(" a "),
            PROBLEM_CTX("string_too_short", "String should have at least 2 characters",
                        "\"min_length\":2"));
}

static void patterns_and_formats_are_named(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'string', pattern = 'b' }", TEXT("abc"), "v == 'abc'");
    misfits(f, "{ kind = 'string', pattern = '^\"a\\\\d$' }", TEXT("x"),
            PROBLEM_CTX("string_pattern_mismatch", "String should match pattern '^\\\"a\\\\d$'",
                        "\"pattern\":\"^\\\"a\\\\d$\""));
    misfits(f, "{ kind = 'string', format = 'ipv4' }", TEXT("x"),
            PROBLEM("ip_v4_address", "Input is not a valid IPv4 address"));
    misfits(f, "{ kind = 'string', format = 'date' }", TEXT("2024-02-30"),
            PROBLEM_CTX("date_parsing",
                        "Input should be a valid date in the format YYYY-MM-DD, there is no such "
                        "day",
                        "\"error\":\"there is no such day\""));
    misfits(f, "{ kind = 'string', format = 'email' }", TEXT("x"),
            PROBLEM_CTX("value_error",
                        "value is not a valid email address: an email address must have an @-sign",
                        "\"reason\":\"an email address must have an @-sign\""));
}

static void bytes_are_base64_on_the_wire_and_themselves_in_lua(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'string', format = 'bytes', max = 2 }", TEXT("/wA="), "v == '\\255\\0'");
    fits(f, "{ kind = 'string', format = 'bytes' }", TEXT(""), "v == ''");
    fits(f, "{ kind = 'string', format = 'bytes' }", RAW("\xff="), "v == '\\255='");
    misfits(f, "{ kind = 'string', format = 'bytes', max = 1 }", TEXT("/wA="),
            PROBLEM_CTX("bytes_too_long", "Data should have at most 1 byte", "\"max_length\":1"));
    misfits(
        f, "{ kind = 'string', format = 'bytes', min = 3 }", RAW("ab"),
        PROBLEM_CTX("bytes_too_short", "Data should have at least 3 bytes", "\"min_length\":3"));
    misfits(f, "{ kind = 'string', format = 'bytes' }", TEXT("/wA"),
            PROBLEM_CTX("base64_decode",
                        "Base64 decoding error: the number of characters should be a multiple of 4",
                        "\"error\":\"the number of characters should be a multiple of 4\""));
}

static void bounds_of_numbers_are_shown_without_a_needless_point(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'number', min = 0, max = 1 }", NUMBER(0), "v == 0");
    fits(f, "{ kind = 'number', min = 0, max = 1 }", NUMBER(1), "v == 1");
    fits(f, "{ kind = 'number', above = 0, below = 1 }", NUMBER(0.5), "v == 0.5");
    misfits(f, "{ kind = 'number', min = 0 }", NUMBER(-0.1),
            PROBLEM_CTX("greater_than_equal", "Input should be greater than or equal to 0",
                        "\"ge\":0"));
    misfits(f, "{ kind = 'number', above = 0.5 }", NUMBER(0.5),
            PROBLEM_CTX("greater_than", "Input should be greater than 0.5", "\"gt\":0.5"));
    misfits(
        f, "{ kind = 'number', max = -3 }", NUMBER(2),
        PROBLEM_CTX("less_than_equal", "Input should be less than or equal to -3", "\"le\":-3"));
    misfits(f, "{ kind = 'number', below = 1 }", NUMBER(1),
            PROBLEM_CTX("less_than", "Input should be less than 1", "\"lt\":1"));
    misfits(f, "{ kind = 'number', min = 5, max = 1, multiple_of = 2 }", NUMBER(3),
            PROBLEM_CTX("multiple_of", "Input should be a multiple of 2", "\"multiple_of\":2"));
    misfits(f, "{ kind = 'number' }", NUMBER(NAN),
            PROBLEM("finite_number", "Input should be a finite number"));
    misfits(f, "{ kind = 'number', max = 1 }", NUMBER(INFINITY),
            PROBLEM("finite_number", "Input should be a finite number"));
}

static void multiples_forgive_what_doubles_cannot_say(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'number', multiple_of = 0.1 }", NUMBER(0.3), "v == 0.3");
    fits(f, "{ kind = 'number', multiple_of = 0.01 }", NUMBER(19.99), "v == 19.99");
    fits(f, "{ kind = 'number', multiple_of = 0.5 }", NUMBER(-2.5), "v == -2.5");
    fits(f, "{ kind = 'integer', multiple_of = 3 }", NUMBER(0), "v == 0");
    misfits(f, "{ kind = 'number', multiple_of = 0.1 }", NUMBER(0.35),
            PROBLEM_CTX("multiple_of", "Input should be a multiple of 0.1", "\"multiple_of\":0.1"));
    misfits(f, "{ kind = 'integer', multiple_of = 3 }", NUMBER(-4),
            PROBLEM_CTX("multiple_of", "Input should be a multiple of 3", "\"multiple_of\":3"));
}

static void integers_are_safe(void **state)
{
    struct fixture *f = *state;
    fits(f, "{ kind = 'integer' }", DIGITS("1.0", 1), "v == 1");
    fits(f, "{ kind = 'integer' }", NUMBER(-0.0), "1 / v == math.huge");
    fits(f, "{ kind = 'integer' }", NUMBER(9007199254740991.0), "v == 2^53 - 1");
    fits(f, "{ kind = 'integer' }", NUMBER(-9007199254740991.0), "v == 1 - 2^53");
    misfits(f, "{ kind = 'integer' }", NUMBER(9007199254740992.0),
            PROBLEM_CTX("less_than_equal", "Input should be less than or equal to 9007199254740991",
                        "\"le\":9007199254740991"));
    misfits(f, "{ kind = 'integer' }", NUMBER(-1e300),
            PROBLEM_CTX("greater_than_equal",
                        "Input should be greater than or equal to -9007199254740991",
                        "\"ge\":-9007199254740991"));
    misfits(f, "{ kind = 'integer' }", NUMBER(1.5),
            PROBLEM("int_from_float",
                    "Input should be a valid integer, got a number with a fractional part"));
    misfits(f, "{ kind = 'integer', min = 1 }", NUMBER(0),
            PROBLEM_CTX("greater_than_equal", "Input should be greater than or equal to 1",
                        "\"ge\":1"));
    misfits(f, "{ kind = 'integer' }", NUMBER(NAN),
            PROBLEM("finite_number", "Input should be a finite number"));
}

static void int64_is_exact_to_its_last_digit(void **state)
{
    struct fixture *f = *state;
    static const char *const node = "{ kind = 'int64' }";
    fits(f, node, TEXT("9223372036854775807"), "v == '9223372036854775807'");
    fits(f, node, TEXT("-9223372036854775808"), "v == '-9223372036854775808'");
    fits(f, node, DIGITS("9007199254740993", 9007199254740992.0), "v == '9007199254740993'");
    fits(f, node, DIGITS("5.0", 5), "v == '5'");
    fits(f, node, DIGITS("5e3", 5000), "v == '5000'");
    fits(f, node, NUMBER(-7), "v == '-7'");
    fits(f, node, TEXT("-0"), "v == '0'");
    misfits(f, node, TEXT("9223372036854775808"),
            PROBLEM("int_parsing_size",
                    "Unable to parse input string as an integer, exceeded maximum size"));
    misfits(f, node, DIGITS("-9223372036854775809", -9223372036854775808.0),
            PROBLEM("int_parsing_size",
                    "Unable to parse input string as an integer, exceeded maximum size"));
    static const bq_str bad[] = {BQ_STR(""),   BQ_STR("-"),   BQ_STR("01"), BQ_STR("+1"),
                                 BQ_STR(" 1"), BQ_STR("1.0"), BQ_STR("x"),  BQ_STR("--1")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        misfits(f, node, (struct bq_scalar){.type = LUA_TSTRING, .text = bad[i]},
                PROBLEM("int_parsing", "Input should be a valid integer, unable to parse string as "
                                       "an integer"));
    misfits(f, node, DIGITS("1.5", 1.5),
            PROBLEM("int_from_float",
                    "Input should be a valid integer, got a number with a fractional part"));
    misfits(f, "{ kind = 'int64', max = '9007199254740993' }", TEXT("9007199254740994"),
            PROBLEM_CTX("less_than_equal", "Input should be less than or equal to 9007199254740993",
                        "\"le\":9007199254740993"));
    misfits(f, "{ kind = 'int64', above = 5 }", TEXT("5"),
            PROBLEM_CTX("greater_than", "Input should be greater than 5", "\"gt\":5"));
    misfits(f, "{ kind = 'int64', multiple_of = 10 }", TEXT("-5"),
            PROBLEM_CTX("multiple_of", "Input should be a multiple of 10", "\"multiple_of\":10"));
}

static void choices_are_compared_with_their_type(void **state)
{
    struct fixture *f = *state;
    static const char *const node = "{ kind = 'enum', values = { 'a', 1, true, '2' } }";
    fits(f, node, TEXT("a"), "v == 'a'");
    fits(f, node, TEXT("2"), "v == '2'");
    fits(f, node, NUMBER(1), "v == 1");
    fits(f, node, BOOLEAN(true), "v == true");
    static const char *const problem = PROBLEM_CTX("enum", "Input should be 'a', 1, True or '2'",
                                                   "\"expected\":\"'a', 1, True or '2'\"");
    misfits(f, node, TEXT("1"), problem);
    misfits(f, node, NUMBER(2), problem);
    misfits(f, node, BOOLEAN(false), problem);
    misfits(f, node, NULL_SCALAR, problem);
    misfits(f, "{ kind = 'const', value = 'x' }", TEXT("y"),
            PROBLEM_CTX("literal_error", "Input should be 'x'", "\"expected\":\"'x'\""));
}

static void what_is_absent_has_its_default_or_is_missing(void **state)
{
    struct fixture *f = *state;
    bq_check_absent(f->L, schema(f, "{ kind = 'integer', optional = true }"), &f->invalid);
    gives(f, "v == nil");
    bq_check_absent(f->L, schema(f, "{ kind = 'boolean', default = false }"), &f->invalid);
    gives(f, "v == false");
    bq_check_absent(f->L, schema(f, "{ kind = 'integer', nullable = true }"), &f->invalid);
    finds(f, PROBLEM("missing", "Field required"));
}

static void each_default_is_a_copy_of_its_own(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "mark = {} given = { a = { setmetatable({ 1, 2 }, mark) }, [1] = 'x' } "
                  "return { kind = 'any', default = given }");
    bq_push_default(f->L, s);
    gives(f, "v ~= given and v.a ~= given.a and v.a[1] ~= given.a[1] and v[1] == 'x' and "
             "v.a[1][2] == 2 and getmetatable(v.a[1]) == mark and getmetatable(v) == nil");
}

static void lengths_are_told_with_what_came(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "{ kind = 'array', of = { kind = 'any' }, min = 1, max = 2 }");
    bq_check_length(s, 1, &f->invalid);
    bq_check_length(s, 2, &f->invalid);
    assert_int_equal(f->invalid.count, 0);
    lua_pushnil(f->L);
    bq_check_length(s, 0, &f->invalid);
    finds(f, PROBLEM_CTX("too_short", "List should have at least 1 item after validation, not 0",
                         "\"field_type\":\"List\",\"min_length\":1,\"actual_length\":0"));
    s = schema(f, "{ kind = 'map', of = { kind = 'any' }, max = 2 }");
    lua_pushnil(f->L);
    bq_check_length(s, 3, &f->invalid);
    finds(f,
          PROBLEM_CTX("too_long", "Dictionary should have at most 2 items after validation, not 3",
                      "\"field_type\":\"Dictionary\",\"max_length\":2,\"actual_length\":3"));
}

/* The position, from 0, of the first element that was there before, or -1. */
static int repeated_at(struct fixture *f, const char *array)
{
    const struct bq_schema *s =
        schema(f, "{ kind = 'array', of = { kind = 'any' }, unique = true }");
    int top = lua_gettop(f->L), at = -1;
    lua_pushfstring(f->L, "return %s", array);
    push_lua(f, lua_tostring(f->L, -1));
    bq_check_unique(f->L, s, lua_objlen(f->L, -1), &f->invalid);
    assert_int_equal(lua_gettop(f->L), top + 2);
    assert_int_equal(bq_buf_push(&f->invalid.json, '\0'), BQ_OK);
    bq_str json = bq_buf_str(&f->invalid.json);
    const char *index = memmem(json.p, json.n, "\"index\":", 8);
    if (f->invalid.count) {
        assert_non_null(index);
        at = (int)strtol(index + 8, NULL, 10);
    }
    bq_invalid_rewind(&f->invalid, (struct bq_invalid_mark){0, 0, 0});
    lua_settop(f->L, top);
    return at;
}

static void elements_that_come_again_are_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(repeated_at(f, "{}"), -1);
    assert_int_equal(repeated_at(f, "{ 1, '1', true, null, false, 'a' }"), -1);
    assert_int_equal(repeated_at(f, "{ 1, 2, 1 }"), 2);
    assert_int_equal(repeated_at(f, "{ 0, -0 }"), 1);
    assert_int_equal(repeated_at(f, "{ 'a', 'b', 'b', 'a' }"), 2);
    assert_int_equal(repeated_at(f, "{ null, 1, null }"), 2);
    assert_int_equal(repeated_at(f, "{ false, 1, false }"), 2);
    assert_int_equal(repeated_at(f, "{ { 1, 2 }, { 2, 1 }, { 1 }, {}, { a = 1 }, { a = '1' } }"),
                     -1);
    assert_int_equal(repeated_at(f, "{ { a = 1, b = { x = 2 } }, 1, { b = { x = 2 }, a = 1 } }"),
                     2);
    assert_int_equal(repeated_at(f, "{ { 0 }, { -0 } }"), 1);
    assert_int_equal(repeated_at(f, "{ { a = { b = 1 } }, { a = { c = 1 } } }"), -1);
}

static void many_different_tables_take_linear_time(void **state)
{
    struct fixture *f = *state;
    clock_t start = clock();
    push_lua(f, "many = {} for i = 1, 50000 do many[i] = { id = i } end return 1");
    assert_int_equal(repeated_at(f, "many"), -1);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
    push_lua(f, "many[50001] = { id = 49999 } return 1");
    assert_int_equal(repeated_at(f, "many"), 50000);
}

static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* A number for each n that Lua's tables keep in one and the same place: LuaJIT's hash of the two
 * halves of a double (hashrot in lj_tab.c), undone. NaN for some n. */
static double colliding(uint32_t n)
{
    uint32_t b = rotate_right(rotate_right(n, 32 - 13) ^ n, 5);
    uint32_t high = rotate_right(b, 14), low = (n + b) ^ high;
    uint64_t bits = (uint64_t)high << 31 | low;
    double d;
    memcpy(&d, &bits, sizeof d);
    return high & 1 || !isfinite(d) ? NAN : d;
}

static void numbers_that_collide_in_lua_take_linear_time(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    clock_t start = clock();
    lua_newtable(f->L);
    for (uint32_t n = 1; count < 40000; n++) {
        if (isnan(colliding(n)))
            continue;
        lua_pushnumber(f->L, colliding(n));
        lua_rawseti(f->L, -2, ++count);
    }
    lua_setglobal(f->L, "many");
    assert_int_equal(repeated_at(f, "many"), -1);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 1);
}

static void custom(struct fixture *f, const char *function, double value, size_t found_before)
{
    lua_pushfstring(f->L, "{ kind = 'number', check = %s }", function);
    const struct bq_schema *s = schema(f, lua_tostring(f->L, -1));
    lua_pop(f->L, 1);
    lua_pushnumber(f->L, value);
    int top = lua_gettop(f->L);
    bq_check_custom(f->L, s, found_before, &f->invalid);
    assert_int_equal(lua_gettop(f->L), top);
}

static void a_check_says_what_a_table_cannot(void **state)
{
    struct fixture *f = *state;
    custom(f, "function(v) return v == 5 end", 5, 0);
    gives(f, "v == 5");
    custom(f, "function(v) return false, 'no \"' .. v .. '\"' end", 6, 0);
    finds(f, PROBLEM_CTX("value_error", "Value error, no \\\"6\\\"", "\"error\":\"no \\\"6\\\"\""));
    custom(f, "function() end", 6, 0);
    finds(f, PROBLEM_CTX("value_error", "Value error, it is not accepted",
                         "\"error\":\"it is not accepted\""));
    custom(f, "function() return nil, {} end", 6, 0);
    finds(f, PROBLEM_CTX("value_error", "Value error, it is not accepted",
                         "\"error\":\"it is not accepted\""));
}

static void a_check_is_not_asked_about_what_is_wrong_already(void **state)
{
    struct fixture *f = *state;
    bq_invalid_add(&f->invalid, "missing", NULL, "Field required");
    custom(f, "function() error('asked') end", 1, 0);
    finds(f, PROBLEM("missing", "Field required"));
}

static int call_check(lua_State *L)
{
    bq_check_call(L, lua_touserdata(L, 1), lua_touserdata(L, 2));
    return 0;
}

static void what_a_check_raises_comes_through(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s =
        schema(f, "{ kind = 'any', check = function() error('broken', 0) end }");
    lua_pushcfunction(f->L, call_check);
    lua_pushlightuserdata(f->L, (void *)s);
    lua_pushlightuserdata(f->L, &f->invalid);
    assert_int_equal(lua_pcall(f->L, 2, 0, 0), LUA_ERRRUN);
    assert_string_equal(lua_tostring(f->L, -1), "broken");
    lua_pop(f->L, 1);
}

static void tags_are_told_without_what_the_client_sent(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = schema(
        f, "{ kind = 'union', tag = 'kind', variants = { { kind = 'object', fields = { { 'kind', "
           "{ kind = 'enum', values = { 'cat', 'dog' } } } } } } }");
    lua_pushnil(f->L);
    bq_check_tag_missing(s, &f->invalid);
    finds(f, PROBLEM_CTX("union_tag_not_found", "Unable to extract tag using discriminator 'kind'",
                         "\"discriminator\":\"'kind'\""));
    lua_pushnil(f->L);
    bq_check_tag_unknown(s, &f->invalid);
    finds(f, PROBLEM_CTX("union_tag_invalid",
                         "Input tag found using 'kind' does not match any of the expected tags: "
                         "'cat', 'dog'",
                         "\"discriminator\":\"'kind'\",\"expected_tags\":\"'cat', 'dog'\""));
    lua_pushnil(f->L);
    bq_check_extra(&f->invalid);
    finds(f, PROBLEM("extra_forbidden", "Extra inputs are not permitted"));
    assert_true(bq_str_eq(bq_schema_label(s), BQ_STR("union")));
    assert_true(bq_str_eq(bq_schema_label(schema(f, "{ kind = 'string' }")), BQ_STR("str")));
    assert_true(bq_str_eq(
        bq_schema_label(schema(f, "{ kind = 'object', name = 'A', fields = {} }")), BQ_STR("A")));
}

#ifdef BQ_FAULTS
static void want_of_memory_for_a_problem_is_told(void **state)
{
    struct fixture *f = *state;
    const struct bq_schema *s = schema(f, "{ kind = 'enum', values = { 'a', 'b' } }");
    bool failed = true;
    for (long nth = 1; failed && nth < 20; nth++) {
        bq_invalid_release(&f->invalid);
        bq_invalid_init(&f->invalid);
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        bq_check_type(s, &f->invalid);
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(f->invalid.count, 1);
        /* Only the log can do without. */
        assert_true(failed == (f->invalid.json.failed || f->invalid.brief.failed));
    }
    assert_false(failed);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(the_wrong_type_is_named_by_the_right_one),
        SCHEMA_TEST(null_is_a_value_of_its_own),
        SCHEMA_TEST(strings_are_measured_in_characters),
        SCHEMA_TEST(strings_are_trimmed_and_folded_before_they_are_judged),
        SCHEMA_TEST(patterns_and_formats_are_named),
        SCHEMA_TEST(bytes_are_base64_on_the_wire_and_themselves_in_lua),
        SCHEMA_TEST(bounds_of_numbers_are_shown_without_a_needless_point),
        SCHEMA_TEST(multiples_forgive_what_doubles_cannot_say),
        SCHEMA_TEST(integers_are_safe),
        SCHEMA_TEST(int64_is_exact_to_its_last_digit),
        SCHEMA_TEST(choices_are_compared_with_their_type),
        SCHEMA_TEST(what_is_absent_has_its_default_or_is_missing),
        SCHEMA_TEST(each_default_is_a_copy_of_its_own),
        SCHEMA_TEST(lengths_are_told_with_what_came),
        SCHEMA_TEST(elements_that_come_again_are_found),
        SCHEMA_TEST(many_different_tables_take_linear_time),
        SCHEMA_TEST(numbers_that_collide_in_lua_take_linear_time),
        SCHEMA_TEST(a_check_says_what_a_table_cannot),
        SCHEMA_TEST(a_check_is_not_asked_about_what_is_wrong_already),
        SCHEMA_TEST(what_a_check_raises_comes_through),
        SCHEMA_TEST(tags_are_told_without_what_the_client_sent),
#ifdef BQ_FAULTS
        SCHEMA_TEST(want_of_memory_for_a_problem_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
