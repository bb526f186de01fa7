/* schema_text_test.c: strings of the wire become values, or say why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schema_fixture.h"

#include <locale.h>

static void read_all(struct fixture *f, const char *node, const bq_str *values, size_t count)
{
    int top = lua_gettop(f->L);
    const struct bq_schema *s = schema(f, node);
    bq_schema_read_text(f->L, s, values, count, &f->invalid);
    assert_int_equal(lua_gettop(f->L), top + 1);
}

static void reads(struct fixture *f, const char *node, bq_str text, const char *expression)
{
    read_all(f, node, &text, 1);
    gives(f, expression);
}

static void refuses(struct fixture *f, const char *node, bq_str text, const char *problem)
{
    read_all(f, node, &text, 1);
    finds(f, problem);
}

#define PROBLEM(type, message) "{\"type\":\"" type "\",\"loc\":[],\"msg\":\"" message "\"}"
#define AT(loc, type, message) "{\"type\":\"" type "\",\"loc\":[" loc "],\"msg\":\"" message "\"}"
#define INT_PARSING                                                                         \
    PROBLEM("int_parsing", "Input should be a valid integer, unable to parse string as an " \
                           "integer")
#define FLOAT_PARSING \
    PROBLEM("float_parsing", "Input should be a valid number, unable to parse string as a number")

struct sample {
    bq_str text;
    const char *expression; /* NULL: it does not parse */
};

#define IS(text, expression)     \
    {                            \
        BQ_STR(text), expression \
    }
#define NOT(text)          \
    {                      \
        BQ_STR(text), NULL \
    }

static void holds(struct fixture *f, const char *node, const struct sample *samples, size_t count,
                  const char *problem)
{
    for (size_t i = 0; i < count; i++) {
        if (samples[i].expression)
            reads(f, node, samples[i].text, samples[i].expression);
        else
            refuses(f, node, samples[i].text, problem);
    }
}

#define HOLDS(f, node, samples, problem) \
    holds(f, node, samples, sizeof samples / sizeof samples[0], problem)

static void integers_are_what_pydantic_takes_but_underscores(void **state)
{
    static const struct sample samples[] = {
        IS("5", "v == 5"),
        IS("0", "v == 0"),
        IS("-5", "v == -5"),
        IS("+5", "v == 5"),
        IS(" 5", "v == 5"),
        IS("5\t\n", "v == 5"),
        IS("007", "v == 7"),
        IS("-00", "1/v > 0"),
        IS("5.0", "v == 5"),
        IS("5.000", "v == 5"),
        IS("-5.0", "v == -5"),
        IS("9007199254740991", "v == 2^53 - 1"),
        IS("0000000000000000000000000012", "v == 12"),
        NOT(""),
        NOT(" "),
        NOT("-"),
        NOT("+"),
        NOT("--5"),
        NOT("+-5"),
        NOT("5."),
        NOT(".5"),
        NOT("5.1"),
        NOT("5.0.0"),
        NOT("5e0"),
        NOT("0x10"),
        NOT("1_000"),
        NOT("5 5"),
        NOT("- 5"),
        NOT("five"),
        NOT("5\0"),
        NOT("nan"),
        NOT("inf"),
        NOT("\xd9\xa5"),
        NOT("1,000"),
        NOT("."),
        NOT(".0"),
        NOT("true"),
    };
    HOLDS(*state, "{ kind = 'integer' }", samples, INT_PARSING);
}

static void integers_beyond_the_safe_ones_are_out_of_bounds(void **state)
{
    static const char *const large =
        "{\"type\":\"less_than_equal\",\"loc\":[],\"msg\":\"Input should be less than or equal to "
        "9007199254740991\",\"ctx\":{\"le\":9007199254740991}}";
    struct fixture *f = *state;
    refuses(f, "{ kind = 'integer' }", BQ_STR("9007199254740992"), large);
    refuses(f, "{ kind = 'integer' }", BQ_STR("18446744073709551616"), large);
    refuses(f, "{ kind = 'integer' }", BQ_STR("99999999999999999999999999999999"), large);
    refuses(f, "{ kind = 'integer', min = 3 }", BQ_STR("2"),
            "{\"type\":\"greater_than_equal\",\"loc\":[],\"msg\":\"Input should be greater than or "
            "equal to 3\",\"ctx\":{\"ge\":3}}");
}

static void int64_stays_text(void **state)
{
    static const struct sample samples[] = {
        IS("9223372036854775807", "v == '9223372036854775807'"),
        IS("-9223372036854775808", "v == '-9223372036854775808'"),
        IS(" +0012 ", "v == '12'"),
        IS("12.0", "v == '12'"),
        IS("-0", "v == '0'"),
        NOT(""),
        NOT("12.5"),
        NOT("1e3"),
        NOT("x"),
    };
    struct fixture *f = *state;
    HOLDS(f, "{ kind = 'int64' }", samples, INT_PARSING);
    static const char *const large = PROBLEM(
        "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size");
    refuses(f, "{ kind = 'int64' }", BQ_STR("9223372036854775808"), large);
    refuses(f, "{ kind = 'int64' }", BQ_STR("-9223372036854775809"), large);
    refuses(f, "{ kind = 'int64' }", BQ_STR("-99999999999999999999999999999999"), large);
}

static const struct sample numbers[] = {
    IS("5", "v == 5"),
    IS("-2.5", "v == -2.5"),
    IS("+.5", "v == 0.5"),
    IS("5.", "v == 5"),
    IS(" 5e3 ", "v == 5000"),
    IS("5E-3", "v == 0.005"),
    IS("1e+2", "v == 100"),
    IS("007.50", "v == 7.5"),
    IS("0.1", "v == 0.1"),
    IS("1e-400", "v == 0"),
    IS("123456789012345678", "v == 123456789012345680"),
    IS("-0", "1/v < 0"),
    IS("1e308", "v == 1e308"),
    IS("1e0000", "v == 1"),
    NOT(""),
    NOT(" "),
    NOT("."),
    NOT("-"),
    NOT("e5"),
    NOT("5e"),
    NOT("5e+"),
    NOT("0x10"),
    NOT("1_0"),
    NOT("1,5"),
    NOT("5 5"),
    NOT("--5"),
    NOT("5..5"),
    NOT("5e5.5"),
    NOT("1f"),
    NOT("5\0"),
    NOT("infinit"),
    NOT("nanx"),
};

static void numbers_are_what_pydantic_takes_but_underscores(void **state)
{
    HOLDS(*state, "{ kind = 'number' }", numbers, FLOAT_PARSING);
}

static void numbers_do_not_depend_on_the_locale(void **state)
{
    const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_NUMERIC, names[i]))
            break;
    HOLDS(*state, "{ kind = 'number' }", numbers, FLOAT_PARSING);
    setlocale(LC_NUMERIC, "C");
}

static void numbers_are_finite(void **state)
{
    struct fixture *f = *state;
    static const bq_str texts[] = {BQ_STR("inf"),   BQ_STR("-Infinity"), BQ_STR("NaN"),
                                   BQ_STR(" nan "), BQ_STR("1e999"),     BQ_STR("-1e309")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuses(f, "{ kind = 'number' }", texts[i],
                PROBLEM("finite_number", "Input should be a finite number"));
    char many[600];
    memset(many, '1', sizeof many);
    refuses(f, "{ kind = 'number' }", bq_str_of(many, sizeof many), FLOAT_PARSING);
}

static void booleans_are_pydantics_words(void **state)
{
    static const struct sample samples[] = {
        IS("true", "v == true"),
        IS("True", "v == true"),
        IS("tRUE", "v == true"),
        IS("1", "v == true"),
        IS("yes", "v == true"),
        IS("on", "v == true"),
        IS("t", "v == true"),
        IS("Y", "v == true"),
        IS("false", "v == false"),
        IS("FALSE", "v == false"),
        IS("0", "v == false"),
        IS("no", "v == false"),
        IS("OFF", "v == false"),
        IS("f", "v == false"),
        IS("n", "v == false"),
        NOT(""),
        NOT(" true"),
        NOT("1.0"),
        NOT("2"),
        NOT("truee"),
        NOT("yess"),
        NOT("nil"),
        NOT("tr\0e"),
    };
    HOLDS(*state, "{ kind = 'boolean' }", samples,
          PROBLEM("bool_parsing", "Input should be a valid boolean, unable to interpret input"));
}

static void strings_and_anything_are_utf8(void **state)
{
    struct fixture *f = *state;
    static const char *const problem =
        PROBLEM("string_unicode", "Input should be a valid string, unable to parse raw data as a "
                                  "unicode string");
    reads(f, "{ kind = 'string' }", BQ_STR(""), "v == ''");
    reads(f, "{ kind = 'string', trim = true }", BQ_STR(" a "), "v == 'a'");
    reads(f, "{ kind = 'any' }", BQ_STR("5"), "v == '5'");
    refuses(f, "{ kind = 'string' }", BQ_STR("\xc3("), problem);
    refuses(f, "{ kind = 'any' }", BQ_STR("\xff"), problem);
    reads(f, "{ kind = 'string', format = 'bytes' }", BQ_STR("/w=="), "v == '\\255'");
}

static void choices_are_converted_to_their_type(void **state)
{
    struct fixture *f = *state;
    static const char *const node = "{ kind = 'enum', values = { 1, 'a', '2', 2, true, null } }";
    reads(f, node, BQ_STR("a"), "v == 'a'");
    reads(f, node, BQ_STR("2"), "v == '2'");
    reads(f, node, BQ_STR("2.0"), "v == 2");
    reads(f, node, BQ_STR("1"), "v == 1");
    reads(f, node, BQ_STR("yes"), "v == true");
    reads(f, "{ kind = 'const', value = 5 }", BQ_STR("5"), "v == 5");
    static const char *const problem =
        "{\"type\":\"enum\",\"loc\":[],\"msg\":\"Input should be 1, 'a', '2', 2, True or None\","
        "\"ctx\":{\"expected\":\"1, 'a', '2', 2, True or None\"}}";
    refuses(f, node, BQ_STR("A"), problem);
    refuses(f, node, BQ_STR("null"), problem);
    refuses(f, node, BQ_STR(""), problem);
    refuses(f, node, BQ_STR("nan"), problem);
}

static void arrays_take_every_value_and_others_the_last(void **state)
{
    struct fixture *f = *state;
    static const bq_str values[] = {BQ_STR("1"), BQ_STR("x"), BQ_STR("3"), BQ_STR("y")};
    read_all(f, "{ kind = 'array', of = { kind = 'string' } }", values, 4);
    gives(f, "#v == 4 and v[1] == '1' and v[4] == 'y'");
    read_all(f, "{ kind = 'integer' }", values, 3);
    gives(f, "v == 3");
    read_all(f, "{ kind = 'array', of = { kind = 'integer' } }", values, 4);
    finds(
        f,
        AT("1", "int_parsing",
           "Input should be a valid integer, unable to parse string as an integer") "," AT("3",
                                                                                           "int_"
                                                                                           "parsin"
                                                                                           "g",
                                                                                           "Input "
                                                                                           "should "
                                                                                           "be a "
                                                                                           "valid "
                                                                                           "integer"
                                                                                           ", "
                                                                                           "unable "
                                                                                           "to "
                                                                                           "parse "
                                                                                           "string "
                                                                                           "as an "
                                                                                           "intege"
                                                                                           "r"));
    read_all(f, "{ kind = 'array', of = { kind = 'string' }, max = 3 }", values, 4);
    finds(f, "{\"type\":\"too_long\",\"loc\":[],\"msg\":\"List should have at most 3 items after "
             "validation, not 4\",\"ctx\":{\"field_type\":\"List\",\"max_length\":3,"
             "\"actual_length\":4}}");
    static const bq_str same[] = {BQ_STR("1"), BQ_STR("1.0")};
    read_all(f, "{ kind = 'array', of = { kind = 'integer' }, unique = true }", same, 2);
    assert_int_equal(f->invalid.count, 1);
}

static void what_is_absent_is_missing_or_has_a_default(void **state)
{
    struct fixture *f = *state;
    read_all(f, "{ kind = 'integer' }", NULL, 0);
    finds(f, PROBLEM("missing", "Field required"));
    read_all(f, "{ kind = 'integer', nullable = true }", NULL, 0);
    finds(f, PROBLEM("missing", "Field required"));
    read_all(f, "{ kind = 'integer', optional = true }", NULL, 0);
    gives(f, "v == nil");
    read_all(f, "{ kind = 'array', of = { kind = 'any' }, default = { 1 } }", NULL, 0);
    gives(f, "v[1] == 1");
}

static void nothing_on_the_wire_is_null_or_an_object(void **state)
{
    struct fixture *f = *state;
    refuses(f, "{ kind = 'integer', nullable = true }", BQ_STR("null"), INT_PARSING);
    refuses(f, "{ kind = 'object', fields = {} }", BQ_STR("{}"),
            PROBLEM("model_type", "Input should be an object"));
    refuses(f, "{ kind = 'map', of = { kind = 'any' } }", BQ_STR("{}"),
            PROBLEM("dict_type", "Input should be an object"));
}

static void the_first_variant_that_fits_counts(void **state)
{
    struct fixture *f = *state;
    static const char *const node =
        "{ kind = 'union', variants = { { kind = 'integer' }, { kind = 'boolean' } } }";
    reads(f, node, BQ_STR("1"), "v == 1");
    reads(f, node, BQ_STR("yes"), "v == true");
    refuses(
        f, node, BQ_STR("x"),
        AT("\"int\"", "int_parsing",
           "Input should be a valid integer, unable to parse string as an integer") "," AT("\"bool"
                                                                                           "\"",
                                                                                           "bool_"
                                                                                           "parsin"
                                                                                           "g",
                                                                                           "Input "
                                                                                           "should "
                                                                                           "be a "
                                                                                           "valid "
                                                                                           "boolean"
                                                                                           ", "
                                                                                           "unable "
                                                                                           "to "
                                                                                           "interpr"
                                                                                           "et "
                                                                                           "inpu"
                                                                                           "t"));
    static const bq_str values[] = {BQ_STR("1"), BQ_STR("2")};
    read_all(f, "{ kind = 'union', variants = { { kind = 'array', of = { kind = 'integer' } } } }",
             values, 2);
    gives(f, "v[1] == 1 and v[2] == 2");
}

static void checks_see_the_converted_value(void **state)
{
    struct fixture *f = *state;
    reads(f, "{ kind = 'integer', check = function(v) return v == 5 end }", BQ_STR("5"), "v == 5");
    refuses(f, "{ kind = 'integer', check = function(v) return v == 5, 'no' end }", BQ_STR("6"),
            "{\"type\":\"value_error\",\"loc\":[],\"msg\":\"Value error, no\","
            "\"ctx\":{\"error\":\"no\"}}");
    refuses(f, "{ kind = 'integer', check = error }", BQ_STR("x"), INT_PARSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(integers_are_what_pydantic_takes_but_underscores),
        SCHEMA_TEST(integers_beyond_the_safe_ones_are_out_of_bounds),
        SCHEMA_TEST(int64_stays_text),
        SCHEMA_TEST(numbers_are_what_pydantic_takes_but_underscores),
        SCHEMA_TEST(numbers_do_not_depend_on_the_locale),
        SCHEMA_TEST(numbers_are_finite),
        SCHEMA_TEST(booleans_are_pydantics_words),
        SCHEMA_TEST(strings_and_anything_are_utf8),
        SCHEMA_TEST(choices_are_converted_to_their_type),
        SCHEMA_TEST(arrays_take_every_value_and_others_the_last),
        SCHEMA_TEST(what_is_absent_is_missing_or_has_a_default),
        SCHEMA_TEST(nothing_on_the_wire_is_null_or_an_object),
        SCHEMA_TEST(the_first_variant_that_fits_counts),
        SCHEMA_TEST(checks_see_the_converted_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
