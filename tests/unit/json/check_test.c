/* check_test.c: what bq_json_check accepts, and where it says that a text goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "check_cases.h"
#include "json/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH 8

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
