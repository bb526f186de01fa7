/* check_test.c: what bq_json_check accepts, and where it says that a text goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "json/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 8

struct refused {
    bq_str text;
    size_t offset;
    const char *reason;
};

#define NO(text, offset, reason)                 \
    {                                            \
        {text, sizeof(text) - 1}, offset, reason \
    }

#define CHARACTER "unexpected character"
#define END       "unexpected end"
#define SURROGATE "lone surrogate"
#define UTF8      "invalid UTF-8"
#define CONTROL   "control character in a string"
#define RANGE     "number out of range"

static const char *const accepted[] = {
    /* scalars at the top */
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "42",
    "\"\"",
    "\"a\"",
    " null ",
    "\t1\r\n",
    /* numbers */
    "10",
    "1234567890123456789012345678901234567890",
    "0.0",
    "-0.0",
    "0.1",
    "1.5",
    "123.456",
    "1e5",
    "1E5",
    "1e+5",
    "1E-5",
    "0e0",
    "0e+99999999999999999999",
    "-0e-1",
    "1e-400",
    "0.00000000000000000000000000001e30",
    "1.7976931348623157e308",
    "1e308",
    "5e-324",
    "1e00",
    "1e-99999999999999999999",
    "0.000e400",
    "17976931348623157e292",
    /* arrays */
    "[]",
    "[ ]",
    "[\n]",
    "[1]",
    "[1,2]",
    "[ 1 , 2 ]",
    "[null,true,false]",
    "[[]]",
    "[[],[]]",
    "[[[[[[[[]]]]]]]]",
    "[[1,[2]],3]",
    "[\"\"]",
    "[-1]",
    "[1e1]",
    "[{}]",
    "[{},[]]",
    /* objects */
    "{}",
    "{ }",
    "{\"\":0}",
    "{\"a\":1}",
    "{ \"a\" : 1 }",
    "{\"a\":1,\"b\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":{\"b\":{}}}",
    "{\"a\":[]}",
    "{\"a\":[{\"b\":[1]},2],\"c\":{}}",
    "{\"\\u0000\":1}",
    "\r\n\t {\"a\"\n:\r1\t}  ",
    /* strings */
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0041\"",
    "\"\\uABCD\\uabcd\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud800\\udc00\"",
    "\"\\udbff\\udfff\"",
    "\"\\ud7ff\\ue000\"",
    "\"\x7f\"",
    "\"\xc3\xa4\"",
    "\"\xe2\x82\xac\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"\xef\xbf\xbf\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "\"\xc2\x80\"",
    "\"\xe0\xa0\x80\"",
    "\"\xed\x9f\xbf\"",
    "\"\xee\x80\x80\"",
    "\"\xe2\x80\xa8\"",
    "\"12345678\"",
    "\"1234567\\n9abcdefg\\\"\"",
    "\"/\"",
    "\"01234567890123456789\xc3\xa4 0123456789\"",
    "\"\\\\u0041\"",
    "\"\xef\xbb\xbf\"",
};

static const struct refused refused[] = {
    /* nothing, and too little */
    NO("", 0, END),
    NO(" ", 1, END),
    NO("\n\t\r ", 4, END),
    NO("[", 1, END),
    NO("[ ", 2, END),
    NO("[1", 2, END),
    NO("[1,", 3, END),
    NO("[1, ", 4, END),
    NO("[[]", 3, END),
    NO("{", 1, END),
    NO("{\"a", 3, END),
    NO("{\"a\"", 4, END),
    NO("{\"a\":", 5, END),
    NO("{\"a\":1", 6, END),
    NO("{\"a\":1,", 7, END),
    NO("\"", 1, END),
    NO("\"abcdefgh", 9, END),
    NO("\"\\", 2, END),
    NO("\"\\u", 3, END),
    NO("\"\\u00", 5, END),
    NO("\"\\u0041", 7, END),
    NO("\"\\ud800", 7, END),
    NO("\"\\ud800\\", 8, END),
    NO("\"\\ud800\\u", 9, END),
    NO("\"\\ud800\\udc0", 12, END),
    NO("-", 1, END),
    NO("1.", 2, END),
    NO("1e", 2, END),
    NO("1e+", 3, END),
    NO("n", 1, END),
    NO("tru", 3, END),
    NO("fals", 4, END),
    /* too much */
    NO("1 2", 2, CHARACTER),
    NO("null null", 5, CHARACTER),
    NO("{}}", 2, CHARACTER),
    NO("[]]", 2, CHARACTER),
    NO("[],", 2, CHARACTER),
    NO("\"a\"x", 3, CHARACTER),
    NO("\"\"\"\"", 2, CHARACTER),
    NO("1]", 1, CHARACTER),
    NO("{}#", 2, CHARACTER),
    NO("[1] // one", 4, CHARACTER),
    NO("[1]\0", 3, CHARACTER),
    NO("1\0", 1, CHARACTER),
    NO("truex", 4, CHARACTER),
    NO("nullnull", 4, CHARACTER),
    /* numbers */
    NO("+1", 0, CHARACTER),
    NO(".5", 0, CHARACTER),
    NO("-.5", 1, CHARACTER),
    NO("01", 1, CHARACTER),
    NO("-01", 2, CHARACTER),
    NO("00", 1, CHARACTER),
    NO("1.e1", 2, CHARACTER),
    NO("1.a", 2, CHARACTER),
    NO("1..2", 2, CHARACTER),
    NO("1.2.3", 3, CHARACTER),
    NO("1e1.5", 3, CHARACTER),
    NO("1ee2", 2, CHARACTER),
    NO("1e+-2", 3, CHARACTER),
    NO("1e1e1", 3, CHARACTER),
    NO("0x10", 1, CHARACTER),
    NO("0e", 2, END),
    NO("1_000", 1, CHARACTER),
    NO("1,5", 1, CHARACTER),
    NO("--1", 1, CHARACTER),
    NO("-a", 1, CHARACTER),
    NO("- 1", 1, CHARACTER),
    NO("1 e5", 2, CHARACTER),
    NO("NaN", 0, CHARACTER),
    NO("nan", 1, CHARACTER),
    NO("Infinity", 0, CHARACTER),
    NO("-Infinity", 1, CHARACTER),
    NO("inf", 0, CHARACTER),
    NO("[1e400]", 1, RANGE),
    NO("-1e309", 0, RANGE),
    NO("1.7976931348623159e308", 0, RANGE),
    NO("[0, 2e308]", 4, RANGE),
    NO("1e99999999999999999999999", 0, RANGE),
    NO("0.0001e313", 0, RANGE),
    NO("\xef\xbc\x91", 0, CHARACTER), /* a full-width one */
    /* literals */
    NO("True", 0, CHARACTER),
    NO("NULL", 0, CHARACTER),
    NO("nulL", 3, CHARACTER),
    NO("t rue", 1, CHARACTER),
    NO("undefined", 0, CHARACTER),
    NO("a", 0, CHARACTER),
    NO("'a'", 0, CHARACTER),
    NO("`", 0, CHARACTER),
    NO("\\", 0, CHARACTER),
    NO("*", 0, CHARACTER),
    /* arrays */
    NO("]", 0, CHARACTER),
    NO("[,]", 1, CHARACTER),
    NO("[,1]", 1, CHARACTER),
    NO("[1,]", 3, CHARACTER),
    NO("[1,,2]", 3, CHARACTER),
    NO("[1 2]", 3, CHARACTER),
    NO("[1}", 2, CHARACTER),
    NO("[}", 1, CHARACTER),
    NO("[1:2]", 2, CHARACTER),
    NO("[\"a\":1]", 4, CHARACTER),
    NO("[[1]}", 4, CHARACTER),
    NO("[1;2]", 2, CHARACTER),
    NO("[(1)]", 1, CHARACTER),
    NO("[1/**/]", 2, CHARACTER),
    NO("[...]", 1, CHARACTER),
    NO("[\v]", 1, CHARACTER),
    NO("[\f]", 1, CHARACTER),
    NO("[\0]", 1, CHARACTER),
    NO("[\xc2\xa0]", 1, CHARACTER), /* a no-break space */
    NO("[a\xff", 1, CHARACTER),
    /* objects */
    NO("}", 0, CHARACTER),
    NO("{,}", 1, CHARACTER),
    NO("{a:1}", 1, CHARACTER),
    NO("{1:1}", 1, CHARACTER),
    NO("{'a':1}", 1, CHARACTER),
    NO("{null:1}", 1, CHARACTER),
    NO("{[]:1}", 1, CHARACTER),
    NO("{\"a\"}", 4, CHARACTER),
    NO("{\"a\" 1}", 5, CHARACTER),
    NO("{\"a\",1}", 4, CHARACTER),
    NO("{\"a\"::1}", 5, CHARACTER),
    NO("{\"a\"=1}", 4, CHARACTER),
    NO("{\"a\":}", 5, CHARACTER),
    NO("{\"a\":,}", 5, CHARACTER),
    NO("{\"a\":1,}", 7, CHARACTER),
    NO("{\"a\":1,,}", 7, CHARACTER),
    NO("{\"a\":1 \"b\":2}", 7, CHARACTER),
    NO("{\"a\":1]", 6, CHARACTER),
    NO("{]", 1, CHARACTER),
    NO("{\"a\":[1}", 7, CHARACTER),
    NO("{:1}", 1, CHARACTER),
    NO("{\"a\":1:2}", 6, CHARACTER),
    NO("{{}}", 1, CHARACTER),
    NO("{\"a\":1,2}", 7, CHARACTER),
    /* strings */
    NO("\"\\x41\"", 2, CHARACTER),
    NO("\"\\a\"", 2, CHARACTER),
    NO("\"\\0\"", 2, CHARACTER),
    NO("\"\\'\"", 2, CHARACTER),
    NO("\"\\U0041\"", 2, CHARACTER),
    NO("\"\\\0\"", 2, CHARACTER),
    NO("\"\\\xc3\xa4\"", 2, CHARACTER),
    NO("\"\\u004g\"", 6, CHARACTER),
    NO("\"\\u 041\"", 3, CHARACTER),
    NO("\"\\u-041\"", 3, CHARACTER),
    NO("\"\\u00\"", 5, CHARACTER),
    NO("\"\n\"", 1, CONTROL),
    NO("\"\t\"", 1, CONTROL),
    NO("\"a\0b\"", 2, CONTROL),
    NO("\"abcdefghij\x1f\"", 11, CONTROL),
    NO("[\"a\nb\"]", 3, CONTROL),
    NO("{\"a\x01\":1}", 3, CONTROL),
    NO("\"\\ud800\"", 1, SURROGATE),
    NO("\"\\udc00\"", 1, SURROGATE),
    NO("\"ab\\udfff\"", 3, SURROGATE),
    NO("\"\\ud800x\"", 1, SURROGATE),
    NO("\"\\ud800\\n\"", 1, SURROGATE),
    NO("\"\\ud800\\u0041\"", 1, SURROGATE),
    NO("\"\\ud800\\ud800\"", 1, SURROGATE),
    NO("\"\\udc00\\ud800\"", 1, SURROGATE),
    NO("{\"\\udead\":1}", 2, SURROGATE),
    /* UTF-8 */
    NO("\"\x80\"", 1, UTF8),
    NO("\"\xff\"", 1, UTF8),
    NO("\"a\xc3\"", 2, UTF8),
    NO("\"\xc3(\"", 1, UTF8),
    NO("\"\xc0\x80\"", 1, UTF8),
    NO("\"\xc1\xbf\"", 1, UTF8),
    NO("\"\xe0\x80\xaf\"", 1, UTF8),
    NO("\"\xed\xa0\x80\"", 1, UTF8), /* a surrogate as bytes */
    NO("\"\xf0\x80\x80\xaf\"", 1, UTF8),
    NO("\"\xf4\x90\x80\x80\"", 1, UTF8),
    NO("\"\xf5\x80\x80\x80\"", 1, UTF8),
    NO("\"\xe2\x82\"", 1, UTF8),
    NO("\"\xe2\x82", 1, UTF8),
    NO("\"0123456789\xfe\"", 11, UTF8),
    NO("{\"\xff\":1}", 2, UTF8),
    /* byte order marks and other encodings */
    NO("\xef\xbb\xbf{}", 0, CHARACTER),
    NO("\xff\xfe{\0}\0", 0, CHARACTER),
    NO("\0", 0, CHARACTER),
    NO("\0[\0]", 0, CHARACTER),
    NO("[\0]\0", 1, CHARACTER),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A copy of just its size, so that the address sanitizer sees a read behind it. */
static int check_copy(bq_str text, unsigned depth_max, struct bq_json_error *error)
{
    char *copy = malloc(text.n ? text.n : 1);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    int rc = bq_json_check(bq_str_of(copy, text.n), depth_max, error);
    free(copy);
    return rc;
}

static void valid_texts_are_accepted(void **state)
{
    (void)state;
    struct bq_json_error error = {0};
    for (size_t i = 0; i < COUNT(accepted); i++)
        if (check_copy(bq_str_cstr(accepted[i]), DEPTH, &error) != BQ_OK)
            fail_msg("refused: %s (%s at %zu)", accepted[i], error.reason, error.offset);
}

static void others_are_refused_at_their_first_wrong_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct refused *r = &refused[i];
        struct bq_json_error error = {SIZE_MAX, NULL};
        if (check_copy(r->text, DEPTH, &error) != BQ_INVALID)
            fail_msg("accepted: case %zu, %.*s", i, BQ_STR_ARG(r->text));
        if (error.offset != r->offset)
            fail_msg("case %zu, %.*s: at %zu", i, BQ_STR_ARG(r->text), error.offset);
        assert_string_equal(error.reason, r->reason);
    }
}

static void a_view_of_nothing_is_an_early_end(void **state)
{
    (void)state;
    struct bq_json_error error;
    assert_int_equal(bq_json_check(bq_str_of(NULL, 0), DEPTH, &error), BQ_INVALID);
    assert_int_equal(error.offset, 0);
    assert_string_equal(error.reason, END);
}

static void every_prefix_of_a_container_ends_early(void **state)
{
    (void)state;
    bq_str text =
        BQ_STR("{\"a\" : [1.5e+3, true, \"x\\n\\ud83d\\ude00\", {\"b\":null}] , \"c\":{}}");
    struct bq_json_error error;
    for (size_t n = 0; n < text.n; n++) {
        assert_int_equal(check_copy(bq_str_of(text.p, n), DEPTH, &error), BQ_INVALID);
        assert_int_equal(error.offset, n);
        assert_string_equal(error.reason, END);
    }
    assert_int_equal(check_copy(text, DEPTH, &error), BQ_OK);
}

static void nesting_beyond_the_limit_is_refused_at_its_bracket(void **state)
{
    (void)state;
    struct bq_json_error error;
    assert_int_equal(check_copy(BQ_STR("[{\"a\":[]}]"), 3, &error), BQ_OK);
    assert_int_equal(check_copy(BQ_STR("[{\"a\":[]}]"), 2, &error), BQ_LIMIT);
    assert_int_equal(error.offset, 6);
    assert_string_equal(error.reason, "nested too deeply");
    assert_int_equal(check_copy(BQ_STR("{}"), 0, &error), BQ_LIMIT);
    assert_int_equal(error.offset, 0);
    assert_int_equal(check_copy(BQ_STR("1"), 0, &error), BQ_OK);
}

static void depth_counts_what_is_open_not_what_was(void **state)
{
    (void)state;
    struct bq_json_error error;
    assert_int_equal(check_copy(BQ_STR("[[],[],{},[{}],[[]]]"), 3, &error), BQ_OK);
}

/* "[{"":[{"": … and its end: kinds alternate across the words of the bit set. */
static void the_deepest_nesting_remembers_every_kind(void **state)
{
    (void)state;
    static char text[BQ_JSON_DEPTH_MAX * 5];
    size_t n = 0;
    for (unsigned i = 0; i < BQ_JSON_DEPTH_MAX; i++) {
        const char *open = i % 3 == 1 ? "{\"\":" : "[";
        memcpy(text + n, open, strlen(open));
        n += strlen(open);
    }
    text[n++] = '1';
    for (unsigned i = BQ_JSON_DEPTH_MAX; i-- > 0;)
        text[n++] = i % 3 == 1 ? '}' : ']';
    struct bq_json_error error;
    assert_int_equal(check_copy(bq_str_of(text, n), BQ_JSON_DEPTH_MAX, &error), BQ_OK);
    assert_int_equal(check_copy(bq_str_of(text, n), BQ_JSON_DEPTH_MAX - 1, &error), BQ_LIMIT);
    text[n - 2] = ']';
    assert_int_equal(check_copy(bq_str_of(text, n), BQ_JSON_DEPTH_MAX, &error), BQ_INVALID);
    assert_int_equal(error.offset, n - 2);
}

/* Around 2^1024 - 2^970, where rounding begins to give infinity. */
static void the_range_ends_where_strtod_begins_to_overflow(void **state)
{
    (void)state;
    static const char digits[] =
        "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490"
        "1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367"
        "6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365"
        "510704342711559699508093042880177904174497792";
    char text[400];
    struct bq_json_error error;
    for (size_t keep = 1; keep < sizeof digits; keep++)
        for (int last = '0'; last <= '9'; last++) {
            snprintf(text, sizeof text, "%c.%.*s%ce308", digits[0], (int)(keep - 1), digits + 1,
                     last);
            bool finite = isfinite(strtod(text, NULL));
            assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error),
                             finite ? BQ_OK : BQ_INVALID);
        }
    assert_int_equal(check_copy(bq_str_cstr(digits), DEPTH, &error), BQ_INVALID);
    snprintf(text, sizeof text, "%.*s1", (int)sizeof digits - 2, digits);
    assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error), BQ_OK);
}

/* A mantissa as long as a body may be, and an exponent that makes up for it. */
static void long_numbers_are_judged_by_their_value(void **state)
{
    (void)state;
    static char text[100100];
    struct bq_json_error error;
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    memcpy(text + 100000, "1e100300", 9);
    assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error), BQ_OK);
    memcpy(text + 100000, "1e100308", 9);
    assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error), BQ_INVALID);
    memset(text, '9', 100000);
    memcpy(text + 100000, "e-99692", 8);
    assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error), BQ_OK);
    memcpy(text + 100000, "e-99691", 8);
    assert_int_equal(check_copy(bq_str_cstr(text), DEPTH, &error), BQ_INVALID);
}

/* A byte at each place of a word, and in the bytes behind the last whole one. */
static void every_place_in_a_string_is_looked_at(void **state)
{
    (void)state;
    struct bq_json_error error;
    for (size_t n = 1; n < 40; n++)
        for (size_t at = 1; at <= n; at++)
            for (unsigned c = 0; c < 256; c++) {
                char text[64];
                memset(text, 'a', n + 2);
                text[0] = text[n + 1] = '"';
                text[at] = (char)c;
                bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                int rc = bq_json_check(bq_str_of(text, n + 2), DEPTH, &error);
                assert_int_equal(rc, plain ? BQ_OK : BQ_INVALID);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_accepted),
        cmocka_unit_test(others_are_refused_at_their_first_wrong_byte),
        cmocka_unit_test(a_view_of_nothing_is_an_early_end),
        cmocka_unit_test(every_prefix_of_a_container_ends_early),
        cmocka_unit_test(nesting_beyond_the_limit_is_refused_at_its_bracket),
        cmocka_unit_test(depth_counts_what_is_open_not_what_was),
        cmocka_unit_test(the_deepest_nesting_remembers_every_kind),
        cmocka_unit_test(the_range_ends_where_strtod_begins_to_overflow),
        cmocka_unit_test(long_numbers_are_judged_by_their_value),
        cmocka_unit_test(every_place_in_a_string_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
