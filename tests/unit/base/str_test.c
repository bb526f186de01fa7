/* str_test.c: comparisons, searches and numbers over byte views. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "base/str.h"

static void assert_same(bq_str a, bq_str b)
{
    assert_int_equal(a.n, b.n);
    assert_true(bq_str_eq(a, b));
}

static void equality_is_of_bytes(void **state)
{
    (void)state;
    assert_true(bq_str_eq(BQ_STR("a\0b"), BQ_STR("a\0b")));
    assert_false(bq_str_eq(BQ_STR("a\0b"), BQ_STR("a\0c")));
    assert_false(bq_str_eq(BQ_STR("ab"), BQ_STR("a")));
    assert_true(bq_str_eq(bq_str_of(NULL, 0), BQ_STR("")));
}

static void only_ascii_letters_are_folded(void **state)
{
    (void)state;
    assert_true(bq_str_eq_nocase(BQ_STR("Content-LENGTH"), BQ_STR("content-length")));
    assert_false(bq_str_eq_nocase(BQ_STR("@[`{"), BQ_STR("`{@[")));
    assert_false(bq_str_eq_nocase(BQ_STR("\xc4"), BQ_STR("\xe4")));
    assert_false(bq_str_eq_nocase(BQ_STR("a"), BQ_STR("ab")));
    for (int c = 0; c < 256; c++)
        assert_int_equal((unsigned char)bq_lower((char)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Any two bytes at any place of a word, and behind it. */
static void words_are_compared_like_single_bytes(void **state)
{
    (void)state;
    for (int at = 0; at < 18; at++)
        for (int x = 0; x < 256; x++)
            for (int y = 0; y < 256; y++) {
                char a[18], b[18];
                memset(a, 'Q', sizeof a);
                memset(b, 'q', sizeof b);
                a[at] = (char)x;
                b[at] = (char)y;
                bool same = bq_lower((char)x) == bq_lower((char)y);
                assert_true(bq_str_eq_nocase(bq_str_of(a, 18), bq_str_of(b, 18)) == same);
            }
}

static void a_prefix_may_be_empty_or_everything(void **state)
{
    (void)state;
    assert_true(bq_str_starts(BQ_STR("abc"), BQ_STR("")));
    assert_true(bq_str_starts(bq_str_of(NULL, 0), bq_str_of(NULL, 0)));
    assert_true(bq_str_starts(BQ_STR("abc"), BQ_STR("abc")));
    assert_false(bq_str_starts(BQ_STR("abc"), BQ_STR("abcd")));
    assert_false(bq_str_starts(BQ_STR("abc"), BQ_STR("b")));
}

static void find_gives_the_length_where_there_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(bq_str_find(BQ_STR("abca"), 'a', 0), 0);
    assert_int_equal(bq_str_find(BQ_STR("abca"), 'a', 1), 3);
    assert_int_equal(bq_str_find(BQ_STR("abca"), 'x', 0), 4);
    assert_int_equal(bq_str_find(BQ_STR("abca"), 'a', 4), 4);
    assert_int_equal(bq_str_find(BQ_STR("abca"), 'a', SIZE_MAX), 4);
    assert_int_equal(bq_str_find(bq_str_of(NULL, 0), 'a', 0), 0);
    assert_int_equal(bq_str_find(bq_str_of("aab", 2), 'b', 0), 2);
}

static void trim_takes_spaces_and_tabs_only(void **state)
{
    (void)state;
    assert_same(bq_str_trim(BQ_STR(" \t a b\t ")), BQ_STR("a b"));
    assert_same(bq_str_trim(BQ_STR(" \t ")), BQ_STR(""));
    assert_same(bq_str_trim(BQ_STR("\r\na\v")), BQ_STR("\r\na\v"));
    assert_same(bq_str_trim(bq_str_of(NULL, 0)), BQ_STR(""));
}

static void tokens_come_trimmed_and_without_empty_elements(void **state)
{
    (void)state;
    bq_str rest = BQ_STR(",, gzip ,\t,chunked,, x y ,"), token;
    const char *expected[] = {"gzip", "chunked", "x y"};
    for (int i = 0; i < 3; i++) {
        assert_true(bq_str_next_token(&rest, &token));
        assert_same(token, bq_str_cstr(expected[i]));
    }
    assert_false(bq_str_next_token(&rest, &token));
    assert_false(bq_str_next_token(&rest, &token));
    rest = BQ_STR(" ,, ");
    assert_false(bq_str_next_token(&rest, &token));
}

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    uint64_t n = 7;
    const char *wrong[] = {"", "+5", "-5", "0x5", "5,6", " 5", "5 ", "5a", "99999999999999999999x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(bq_str_u64(bq_str_cstr(wrong[i]), &n), BQ_INVALID);
    assert_int_equal(bq_str_u64(BQ_STR("5\0"), &n), BQ_INVALID);
    assert_int_equal(n, 7);
    assert_int_equal(bq_str_u64(BQ_STR("000123"), &n), BQ_OK);
    assert_int_equal(n, 123);
}

static void a_number_goes_up_to_the_last_uint64(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_int_equal(bq_str_u64(BQ_STR("18446744073709551615"), &n), BQ_OK);
    assert_true(n == UINT64_MAX);
    assert_int_equal(bq_str_u64(BQ_STR("18446744073709551616"), &n), BQ_LIMIT);
    assert_int_equal(bq_str_u64(BQ_STR("184467440737095516150"), &n), BQ_LIMIT);
    assert_int_equal(bq_str_u64(BQ_STR("99999999999999999999999999"), &n), BQ_LIMIT);
    assert_true(n == UINT64_MAX);
}

static int precision_of(int precision, const char *text)
{
    (void)text;
    return precision;
}

static void a_precision_never_turns_negative(void **state)
{
    (void)state;
    char out[8];
    assert_int_equal(precision_of(BQ_STR_ARG(bq_str_of("", (size_t)INT_MAX + 1))), INT_MAX);
    assert_int_equal(precision_of(BQ_STR_ARG(bq_str_of("", SIZE_MAX))), INT_MAX);
    snprintf(out, sizeof out, "%.*s", BQ_STR_ARG(bq_str_of("abc", 2)));
    assert_string_equal(out, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_of_bytes),
        cmocka_unit_test(only_ascii_letters_are_folded),
        cmocka_unit_test(words_are_compared_like_single_bytes),
        cmocka_unit_test(a_prefix_may_be_empty_or_everything),
        cmocka_unit_test(find_gives_the_length_where_there_is_nothing),
        cmocka_unit_test(trim_takes_spaces_and_tabs_only),
        cmocka_unit_test(tokens_come_trimmed_and_without_empty_elements),
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(a_number_goes_up_to_the_last_uint64),
        cmocka_unit_test(a_precision_never_turns_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
