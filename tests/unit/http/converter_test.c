/* converter_test.c: which segments fit which converter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/tree.h"

static bool fits(enum bq_converter c, const char *segment)
{
    int64_t number;
    return bq_converter_fits(c, bq_str_cstr(segment), &number);
}

static int64_t number_of(const char *segment)
{
    int64_t number = INT64_MIN;
    assert_true(bq_converter_fits(BQ_CONV_INT, bq_str_cstr(segment), &number));
    return number;
}

static void int_takes_digits_with_an_optional_minus(void **state)
{
    (void)state;
    assert_int_equal(number_of("0"), 0);
    assert_int_equal(number_of("-0"), 0);
    assert_int_equal(number_of("42"), 42);
    assert_int_equal(number_of("-42"), -42);
    assert_int_equal(number_of("007"), 7);
    assert_int_equal(number_of("00000000000000000000000000000001"), 1);
}

static void int_refuses_everything_else(void **state)
{
    static const char *const refused[] = {"",    "-",  "+1", "--1",   "1-", "1.0", "1e3",
                                          "0x1", " 1", "1 ", "1_000", "x",  "1/2", "\xd9\xa1"};
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(fits(BQ_CONV_INT, refused[i]));
}

static void int_ends_where_a_double_stops_being_exact(void **state)
{
    (void)state;
    assert_int_equal(number_of("9007199254740991"), 9007199254740991);
    assert_int_equal(number_of("-9007199254740991"), -9007199254740991);
    assert_false(fits(BQ_CONV_INT, "9007199254740992"));
    assert_false(fits(BQ_CONV_INT, "-9007199254740992"));
    assert_false(fits(BQ_CONV_INT, "18446744073709551617"));
    assert_false(fits(BQ_CONV_INT, "99999999999999999999999999999999999999"));
}

static void other_converters_leave_the_number_alone(void **state)
{
    int64_t number = 77;
    (void)state;
    assert_true(bq_converter_fits(BQ_CONV_SLUG, BQ_STR("12"), &number));
    assert_true(bq_converter_fits(BQ_CONV_ANY, BQ_STR("12"), &number));
    assert_true(bq_converter_fits(BQ_CONV_REST, BQ_STR("12"), &number));
    assert_int_equal(number, 77);
}

static void uuid_takes_either_case_and_only_the_canonical_form(void **state)
{
    (void)state;
    assert_true(fits(BQ_CONV_UUID, "123e4567-e89b-12d3-a456-426614174000"));
    assert_true(fits(BQ_CONV_UUID, "123E4567-E89B-12D3-A456-42661417400F"));
    assert_false(fits(BQ_CONV_UUID, "123e4567e89b12d3a456426614174000"));
    assert_false(fits(BQ_CONV_UUID, "{23e4567-e89b-12d3-a456-426614174000"));
    assert_false(fits(BQ_CONV_UUID, "123e4567-e89b-12d3-a456-42661417400"));
    assert_false(fits(BQ_CONV_UUID, "123e4567-e89b-12d3-a456-4266141740000"));
    assert_false(fits(BQ_CONV_UUID, "123e4567-e89b-12d3-a456-42661417400g"));
    assert_false(fits(BQ_CONV_UUID, "123e45670e89b-12d3-a456-426614174000"));
    assert_false(fits(BQ_CONV_UUID, ""));
}

static void slug_takes_letters_digits_hyphen_and_underscore(void **state)
{
    (void)state;
    assert_true(fits(BQ_CONV_SLUG, "a"));
    assert_true(fits(BQ_CONV_SLUG, "Hello-World_2"));
    assert_false(fits(BQ_CONV_SLUG, ""));
    assert_false(fits(BQ_CONV_SLUG, "a.b"));
    assert_false(fits(BQ_CONV_SLUG, "a b"));
    assert_false(fits(BQ_CONV_SLUG, "a/b"));
    assert_false(fits(BQ_CONV_SLUG, "caf\xc3\xa9"));
    assert_false(fits(BQ_CONV_SLUG, "a@"));
    assert_false(fits(BQ_CONV_SLUG, "a["));
}

static void plain_parameter_takes_all_but_nothing_and_dots(void **state)
{
    (void)state;
    assert_true(fits(BQ_CONV_ANY, "x"));
    assert_true(fits(BQ_CONV_ANY, "..."));
    assert_true(fits(BQ_CONV_ANY, ".hidden"));
    assert_true(fits(BQ_CONV_ANY, "a/b"));
    assert_true(fits(BQ_CONV_ANY, "/a"));
    assert_false(fits(BQ_CONV_ANY, ""));
    assert_false(fits(BQ_CONV_ANY, "."));
    assert_false(fits(BQ_CONV_ANY, ".."));
    assert_false(fits(BQ_CONV_ANY, "../etc"));
    assert_false(fits(BQ_CONV_ANY, "a/./b"));
    assert_false(fits(BQ_CONV_ANY, "a/.."));
}

static void rest_takes_pieces_that_are_neither_empty_nor_dots(void **state)
{
    (void)state;
    assert_true(fits(BQ_CONV_REST, "a"));
    assert_true(fits(BQ_CONV_REST, "a/b.c/..d"));
    assert_false(fits(BQ_CONV_REST, ""));
    assert_false(fits(BQ_CONV_REST, "/a"));
    assert_false(fits(BQ_CONV_REST, "a/"));
    assert_false(fits(BQ_CONV_REST, "a//b"));
    assert_false(fits(BQ_CONV_REST, "a/../b"));
    assert_false(fits(BQ_CONV_REST, "./a"));
}

static void dots_are_found_between_plain_and_encoded_slashes(void **state)
{
    (void)state;
    assert_true(bq_path_has_dots(BQ_STR("/a/..")));
    assert_true(bq_path_has_dots(BQ_STR("/./a")));
    assert_true(bq_path_has_dots(BQ_STR("/a\0..\0b")));
    assert_true(bq_path_has_dots(BQ_STR("..")));
    assert_false(bq_path_has_dots(BQ_STR("")));
    assert_false(bq_path_has_dots(BQ_STR("/")));
    assert_false(bq_path_has_dots(BQ_STR("/a./.b/.c.")));
    assert_false(bq_path_has_dots(BQ_STR("/.../.a/a./..a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int_takes_digits_with_an_optional_minus),
        cmocka_unit_test(int_refuses_everything_else),
        cmocka_unit_test(int_ends_where_a_double_stops_being_exact),
        cmocka_unit_test(other_converters_leave_the_number_alone),
        cmocka_unit_test(uuid_takes_either_case_and_only_the_canonical_form),
        cmocka_unit_test(slug_takes_letters_digits_hyphen_and_underscore),
        cmocka_unit_test(plain_parameter_takes_all_but_nothing_and_dots),
        cmocka_unit_test(rest_takes_pieces_that_are_neither_empty_nor_dots),
        cmocka_unit_test(dots_are_found_between_plain_and_encoded_slashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
