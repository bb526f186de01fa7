/* read_test.c: tokens and their values, errors that stay, copies, and passing over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "check_cases.h"
#include "json/read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 8

static struct bq_buf scratch;

static int release_scratch(void **state)
{
    (void)state;
    bq_buf_release(&scratch);
    return bq_mem_live() == 0 ? 0 : -1;
}

static struct bq_json_reader reader_of(bq_str text)
{
    struct bq_json_reader r;
    bq_json_reader_init(&r, text, DEPTH, &scratch);
    return r;
}

static void walk(struct bq_json_reader *r, enum bq_json_token token)
{
    if (token == BQ_JSON_OBJECT)
        while (bq_json_key(r))
            walk(r, bq_json_value(r));
    else if (token == BQ_JSON_ARRAY)
        while ((token = bq_json_element(r)) != BQ_JSON_END && token != BQ_JSON_ERROR)
            walk(r, token);
}

/* The text walked token by token, in a copy of just its size. */
static int walk_copy(bq_str text, unsigned depth_max, struct bq_json_error *error)
{
    char *copy = malloc(text.n ? text.n : 1);
    assert_non_null(copy);
    memcpy(copy, text.p, text.n);
    struct bq_json_reader r;
    bq_json_reader_init(&r, bq_str_of(copy, text.n), depth_max, &scratch);
    walk(&r, bq_json_value(&r));
    int rc = bq_json_finish(&r);
    *error = r.error;
    free(copy);
    return rc;
}

static void a_walk_accepts_what_the_check_accepts(void **state)
{
    (void)state;
    struct bq_json_error error;
    for (size_t i = 0; i < COUNT(accepted); i++)
        if (walk_copy(bq_str_cstr(accepted[i]), DEPTH, &error) != BQ_OK)
            fail_msg("refused: %s (%s at %zu)", accepted[i], error.reason, error.offset);
}

static void a_walk_fails_where_the_check_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        const struct refused *r = &refused[i];
        struct bq_json_error error = {SIZE_MAX, NULL};
        if (walk_copy(r->text, DEPTH, &error) != BQ_INVALID)
            fail_msg("accepted: case %zu, %.*s", i, BQ_STR_ARG(r->text));
        if (error.offset != r->offset)
            fail_msg("case %zu, %.*s: at %zu", i, BQ_STR_ARG(r->text), error.offset);
        assert_string_equal(error.reason, r->reason);
    }
}

static void nesting_beyond_the_limit_is_refused_at_its_bracket(void **state)
{
    (void)state;
    struct bq_json_error error;
    assert_int_equal(walk_copy(BQ_STR("[{\"a\":[]},[[]]]"), 3, &error), BQ_OK);
    assert_int_equal(walk_copy(BQ_STR("[{\"a\":[]}]"), 2, &error), BQ_LIMIT);
    assert_int_equal(error.offset, 6);
    assert_string_equal(error.reason, "nested too deeply");
}

static void an_error_stays(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("{\"a\":tru3,\"b\":[1]}"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    assert_true(bq_json_key(&r));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ERROR);
    assert_false(bq_json_key(&r));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ERROR);
    assert_int_equal(bq_json_element(&r), BQ_JSON_ERROR);
    assert_int_equal(bq_json_pass(&r), BQ_INVALID);
    assert_int_equal(bq_json_skip(&r, BQ_JSON_ERROR), BQ_INVALID);
    assert_int_equal(bq_json_finish(&r), BQ_INVALID);
    assert_int_equal(r.error.offset, 8);
    assert_string_equal(r.error.reason, CHARACTER);
}

static void every_kind_of_token_is_told(void **state)
{
    (void)state;
    struct bq_json_reader r =
        reader_of(BQ_STR(" [ null , false,true , 1,\"s\", { \"k\" : {} } , [ ] ] "));
    static const enum bq_json_token before[] = {BQ_JSON_NULL,   BQ_JSON_FALSE,  BQ_JSON_TRUE,
                                                BQ_JSON_NUMBER, BQ_JSON_STRING, BQ_JSON_OBJECT};
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    for (size_t i = 0; i < COUNT(before); i++)
        assert_int_equal(bq_json_element(&r), before[i]);
    assert_true(bq_json_key(&r));
    assert_true(bq_str_eq(r.string, BQ_STR("k")));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    assert_false(bq_json_key(&r));
    assert_false(bq_json_key(&r));
    assert_int_equal(bq_json_element(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_element(&r), BQ_JSON_END);
    assert_int_equal(bq_json_element(&r), BQ_JSON_END);
    assert_int_equal(bq_json_finish(&r), BQ_OK);
}

/* --- strings --- */

static void reads_string(bq_str text, bq_str want)
{
    struct bq_json_reader r = reader_of(text);
    assert_int_equal(bq_json_value(&r), BQ_JSON_STRING);
    if (!bq_str_eq(r.string, want))
        fail_msg("%.*s: %.*s", BQ_STR_ARG(text), BQ_STR_ARG(r.string));
    assert_int_equal(bq_json_finish(&r), BQ_OK);
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    reads_string(BQ_STR("\"\""), BQ_STR(""));
    reads_string(BQ_STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), BQ_STR("\"\\/\b\f\n\r\t"));
    reads_string(BQ_STR("\"ab\\ncd\\\"\""), BQ_STR("ab\ncd\""));
    reads_string(BQ_STR("\"a\\u0000b\""), BQ_STR("a\0b"));
    reads_string(BQ_STR("\"\\u007f\\u0080\\u07ff\""), BQ_STR("\x7f\xc2\x80\xdf\xbf"));
    reads_string(BQ_STR("\"\\u0800\\uFFFF\\uabCD\""),
                 BQ_STR("\xe0\xa0\x80\xef\xbf\xbf\xea\xaf\x8d"));
    reads_string(BQ_STR("\"0123456789\\\\u0041\xc3\xa4\""), BQ_STR("0123456789\\u0041\xc3\xa4"));
}

static void surrogates_become_one_character(void **state)
{
    (void)state;
    reads_string(BQ_STR("\"\\ud83d\\ude00!\""), BQ_STR("\xf0\x9f\x98\x80!"));
    reads_string(BQ_STR("\"\\ud800\\udc00\""), BQ_STR("\xf0\x90\x80\x80"));
    reads_string(BQ_STR("\"\\uDBFF\\uDFFF\""), BQ_STR("\xf4\x8f\xbf\xbf"));
    reads_string(BQ_STR("\"\\ud7ff\\ue000\""), BQ_STR("\xed\x9f\xbf\xee\x80\x80"));
}

static void a_string_without_escapes_is_a_view_of_the_text(void **state)
{
    (void)state;
    bq_str text = BQ_STR("\"plain \xe2\x82\xac\"");
    struct bq_json_reader r = reader_of(text);
    assert_int_equal(bq_json_value(&r), BQ_JSON_STRING);
    assert_ptr_equal(r.string.p, text.p + 1);
}

static void keys_are_decoded_too(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("{\"\\u0061\\n\":0,\"a\":1}"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    assert_true(bq_json_key(&r));
    assert_true(bq_str_eq(r.string, BQ_STR("a\n")));
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_true(bq_json_key(&r));
    assert_true(bq_str_eq(r.string, BQ_STR("a")));
}

static void a_key_that_is_expected_is_taken_at_once(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("{\"a\":1,\"b\":2, \"c\":3,  \"d\":4}"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    assert_false(bq_json_key_as(&r, BQ_STR("\"b\":")));
    assert_true(bq_json_key_as(&r, BQ_STR("\"a\":")));
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_true(bq_json_key_as(&r, BQ_STR("\"b\":")));
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_true(bq_json_key_as(&r, BQ_STR("\"c\":"))); /* a space before it */
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_false(bq_json_key_as(&r, BQ_STR("\"d\":"))); /* two */
    assert_true(bq_json_key(&r));
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_false(bq_json_key_as(&r, BQ_STR("\"d\":")));
    assert_false(bq_json_key(&r));
    assert_false(bq_json_key_as(&r, BQ_STR("\"c\":"))); /* the text ends */
    assert_int_equal(bq_json_finish(&r), BQ_OK);
}

/* The reader of an object whose only key has these bytes, in a block that ends with them. */
static bool takes_key(const char *bytes, size_t n, bq_str expected)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    text[0] = '{';
    memcpy(text + 1, bytes, n);
    struct bq_json_reader r = reader_of(bq_str_of(text, n + 1));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    bool taken = bq_json_key_as(&r, expected);
    assert_ptr_equal(r.p, text + 1 + (taken ? n : 0));
    free(text);
    return taken;
}

static void an_expected_key_is_another_one_if_any_of_its_bytes_is(void **state)
{
    (void)state;
    char key[64];
    for (size_t n = 3; n <= 40; n++) {
        memset(key, 'k', sizeof key);
        key[0] = key[n - 2] = '"';
        key[n - 1] = ':';
        char *text = malloc(n);
        assert_non_null(text);
        memcpy(text, key, n);
        bq_str expected = bq_str_of(text, n);
        assert_true(takes_key(key, n, expected));
        assert_false(takes_key(key, n - 1, expected));
        for (size_t i = 0; i < n; i++) {
            key[i] ^= 1;
            assert_false(takes_key(key, n, expected));
            key[i] ^= 1;
        }
        free(text);
    }
}

static void a_lack_of_memory_is_an_error_of_the_reader(void **state)
{
    (void)state;
#ifdef BQ_FAULTS
    bq_buf_release(&scratch);
    struct bq_json_reader r = reader_of(BQ_STR("[\"\\n\"]"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(bq_json_element(&r), BQ_JSON_ERROR);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(bq_json_finish(&r), BQ_MEMORY);
    assert_string_equal(r.error.reason, "not enough memory");
#else
    skip();
#endif
}

/* --- numbers --- */

static struct bq_json_number number_of(const char *text)
{
    struct bq_json_reader r = reader_of(bq_str_cstr(text));
    assert_int_equal(bq_json_value(&r), BQ_JSON_NUMBER);
    assert_int_equal(bq_json_finish(&r), BQ_OK);
    return r.number;
}

static void reads_whole(const char *text, int64_t want)
{
    struct bq_json_number number = number_of(text);
    assert_true(number.is_whole);
    assert_int_equal(number.whole, want);
    assert_true(number.value == (double)want);
    assert_true(bq_str_eq(number.text, bq_str_cstr(text)));
}

static void integers_are_exact_to_the_last_of_64_bits(void **state)
{
    (void)state;
    reads_whole("0", 0);
    reads_whole("7", 7);
    reads_whole("-12", -12);
    reads_whole("9007199254740993", 9007199254740993);
    reads_whole("9223372036854775807", INT64_MAX);
    reads_whole("-9223372036854775808", INT64_MIN);
    assert_false(number_of("9223372036854775808").is_whole);
    assert_false(number_of("-9223372036854775809").is_whole);
    assert_false(number_of("18446744073709551617").is_whole);
    assert_false(number_of("1.0").is_whole);
    assert_false(number_of("1e2").is_whole);
    assert_true(number_of("-0").is_whole);
    assert_true(signbit(number_of("-0").value));
}

static void reads_double(const char *text)
{
    double got = number_of(text).value, want = strtod(text, NULL);
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s: %a, not %a", text, got, want);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Up to 20 digits, with a point or without, around where the short way ends. */
static void numbers_of_any_length_are_what_strtod_makes_of_them(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    for (int i = 0; i < 20000; i++) {
        char text[32];
        int digits = 1 + (int)(next_random(&seed) % 20);
        int point = (int)(next_random(&seed) % 20), n = 0;
        for (int d = 0; d < digits; d++) {
            if (d == point && d > 0)
                text[n++] = '.';
            int first = d == 0 && digits > 1 && point != 1; /* no zero begins a longer one */
            text[n++] = (char)('0' + first + (int)(next_random(&seed) % (unsigned)(10 - first)));
        }
        text[n] = '\0';
        struct bq_json_number number = number_of(text);
        double want = strtod(text, NULL);
        if (number.value != want)
            fail_msg("%s: %a, not %a", text, number.value, want);
        assert_true(bq_str_eq(number.text, bq_str_cstr(text)));
        assert_int_equal(number.is_whole, !strchr(text, '.') && want < 9223372036854775807.0);
        if (number.is_whole)
            assert_int_equal(number.whole, strtoll(text, NULL, 10));
    }
}

static void numbers_end_where_the_grammar_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } wrong[] = {{"01", 1},   {"00.5", 1}, {"1.", 2}, {"1.e5", 2},  {"1..2", 2}, {"12x", 2},
                 {"1.5x", 3}, {"0x1", 1},  {"5e", 2}, {"5.5E+", 5}, {".5", 0},   {"+1", 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bq_json_reader r = reader_of(bq_str_cstr(wrong[i].text));
        bq_json_value(&r);
        assert_int_equal(bq_json_finish(&r), BQ_INVALID);
        assert_int_equal(r.error.offset, wrong[i].offset);
    }
}

static void doubles_are_rounded_as_strtod_rounds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0.0",
        "-0.0",
        "-0e5",
        "0.1",
        "0.3",
        "9.99",
        "1.5",
        "-2.5",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "123456789012345e22",
        "9007199254740992e22",
        "9007199254740993e22",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.5",
        "9007199254740993.5",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999",
        "99999999999999999999",
        "0.00000000000000000000001",
        "1.7976931348623157e308",
        "5e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "1e-400",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "179769313486231570e291",
        "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000e-80",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000123e60",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        reads_double(texts[i]);
}

static void random_doubles_read_back(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    char text[64];
    for (int i = 0; i < 100000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double v;
        memcpy(&v, &seed, sizeof v);
        if (!isfinite(v))
            continue;
        snprintf(text, sizeof text, "%.*g", 1 + i % 20, v);
        if (isfinite(strtod(text, NULL)))
            reads_double(text);
        snprintf(text, sizeof text, "%.*f", i % 8, (double)(int32_t)seed / 1000);
        reads_double(text);
    }
}

/* Halfway between two doubles, or above by a digit that may be far behind. */
static void digits_far_behind_decide_a_tie(void **state)
{
    (void)state;
    static char text[2000];
    for (int zeros = 1; zeros < 1000; zeros++) {
        snprintf(text, sizeof text, "9007199254740993.%0*d", zeros, 0);
        assert_true(number_of(text).value == 9007199254740992.0);
        snprintf(text, sizeof text, "9007199254740993.%0*d", zeros, 1);
        assert_true(number_of(text).value == 9007199254740994.0);
    }
}

/* The longest expansion there is: 767 digits are halfway between two of the smallest. */
static void the_longest_tie_is_seen_to_its_last_digit(void **state)
{
    (void)state;
    static char text[1200];
    /* (2^53 - 1) + 1/2 steps of 2^-1074, exact in a longer mantissa. */
    int n = snprintf(text, sizeof text, "%.1075Lf", (0x1p53L - 1) * 0x1p-1074L + 0x1p-1075L);
    reads_double(text);
    text[n - 1]--;
    reads_double(text);
    text[n - 1] += 2;
    reads_double(text);
}

/* --- copies, skipping, passing --- */

static void a_copy_reads_the_value_again(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("[{\"a\":[1,{}]},2]"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    struct bq_json_reader copy = r;
    assert_int_equal(bq_json_element(&copy), BQ_JSON_OBJECT);
    assert_int_equal(bq_json_skip(&copy, BQ_JSON_OBJECT), BQ_OK);
    assert_int_equal(bq_json_element(&r), BQ_JSON_OBJECT);
    assert_true(bq_json_key(&r));
    assert_int_equal(bq_json_pass(&r), BQ_OK);
    assert_false(bq_json_key(&r));
    assert_ptr_equal(r.p, copy.p);
    assert_int_equal(bq_json_element(&r), BQ_JSON_NUMBER);
    assert_int_equal(bq_json_element(&r), BQ_JSON_END);
    assert_int_equal(bq_json_finish(&r), BQ_OK);
}

/* One value of an array passed over, and what comes behind it read. */
static void skips(bq_str text, enum bq_json_token token)
{
    struct bq_json_reader r = reader_of(text);
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_element(&r), token);
    assert_int_equal(bq_json_skip(&r, token), BQ_OK);
    assert_int_equal(bq_json_element(&r), BQ_JSON_TRUE);
    assert_int_equal(bq_json_element(&r), BQ_JSON_END);
    assert_int_equal(bq_json_finish(&r), BQ_OK);
}

static void every_kind_of_value_can_be_skipped(void **state)
{
    (void)state;
    skips(BQ_STR("[null,true]"), BQ_JSON_NULL);
    skips(BQ_STR("[1e3 ,true]"), BQ_JSON_NUMBER);
    skips(BQ_STR("[\"\\n\", true]"), BQ_JSON_STRING);
    skips(BQ_STR("[{}, true]"), BQ_JSON_OBJECT);
    skips(BQ_STR("[[] , true]"), BQ_JSON_ARRAY);
    skips(BQ_STR("[{\"a\":{\"b\":[{}, []]},\"c\":\"\\u0000\"},true]"), BQ_JSON_OBJECT);
    skips(BQ_STR("[[[],{\"x\":[[1,2],{\"y\":null}]}],true]"), BQ_JSON_ARRAY);
}

static void what_is_skipped_is_checked(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("[[{\"a\":1e999}],true]"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_element(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_skip(&r, BQ_JSON_ARRAY), BQ_INVALID);
    assert_string_equal(r.error.reason, RANGE);
    assert_int_equal(r.error.offset, 7);
    r = reader_of(BQ_STR("[[[[[[[[[]]]]]]]]]"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_pass(&r), BQ_LIMIT);
    assert_int_equal(r.error.offset, DEPTH);
}

static void a_skip_from_inside_leaves_the_rest_of_the_container(void **state)
{
    (void)state;
    struct bq_json_reader r = reader_of(BQ_STR("{\"a\":[1,[2],3],\"b\":4}"));
    assert_int_equal(bq_json_value(&r), BQ_JSON_OBJECT);
    assert_true(bq_json_key(&r));
    assert_int_equal(bq_json_value(&r), BQ_JSON_ARRAY);
    assert_int_equal(bq_json_element(&r), BQ_JSON_NUMBER);
    assert_int_equal(bq_json_skip(&r, BQ_JSON_ARRAY), BQ_OK);
    assert_true(bq_json_key(&r));
    assert_true(bq_str_eq(r.string, BQ_STR("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_accepts_what_the_check_accepts),
        cmocka_unit_test(a_walk_fails_where_the_check_fails),
        cmocka_unit_test(nesting_beyond_the_limit_is_refused_at_its_bracket),
        cmocka_unit_test(an_error_stays),
        cmocka_unit_test(every_kind_of_token_is_told),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(surrogates_become_one_character),
        cmocka_unit_test(a_string_without_escapes_is_a_view_of_the_text),
        cmocka_unit_test(keys_are_decoded_too),
        cmocka_unit_test(a_key_that_is_expected_is_taken_at_once),
        cmocka_unit_test(an_expected_key_is_another_one_if_any_of_its_bytes_is),
        cmocka_unit_test(a_lack_of_memory_is_an_error_of_the_reader),
        cmocka_unit_test(integers_are_exact_to_the_last_of_64_bits),
        cmocka_unit_test(doubles_are_rounded_as_strtod_rounds),
        cmocka_unit_test(numbers_of_any_length_are_what_strtod_makes_of_them),
        cmocka_unit_test(numbers_end_where_the_grammar_says),
        cmocka_unit_test(random_doubles_read_back),
        cmocka_unit_test(digits_far_behind_decide_a_tie),
        cmocka_unit_test(the_longest_tie_is_seen_to_its_last_digit),
        cmocka_unit_test(a_copy_reads_the_value_again),
        cmocka_unit_test(every_kind_of_value_can_be_skipped),
        cmocka_unit_test(what_is_skipped_is_checked),
        cmocka_unit_test(a_skip_from_inside_leaves_the_rest_of_the_container),
    };
    return cmocka_run_group_tests(tests, NULL, release_scratch);
}
