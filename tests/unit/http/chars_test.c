/* chars_test.c: the classes against the RFCs' own words, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"

#include <stdlib.h>

#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void expect_class(enum bq_char_class class, const char *members)
{
    for (int c = 0; c < 256; c++) {
        bool member = c && strchr(members, c);
        assert_int_equal(bq_char_is((char)c, class), member);
    }
}

static void token_unreserved_and_reg_name_are_as_in_the_grammar(void **state)
{
    (void)state;
    expect_class(BQ_CHAR_TOKEN, "!#$%&'*+-.^_`|~" LETTERS_DIGITS);
    expect_class(BQ_CHAR_UNRESERVED, "-._~" LETTERS_DIGITS);
    expect_class(BQ_CHAR_REG_NAME, "-._~!$&'()*+,;=" LETTERS_DIGITS);
}

static void value_target_and_cookie_are_as_in_the_grammar(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool visible = c > 0x20 && c < 0x7f;
        char byte = (char)c;
        assert_int_equal(bq_char_is(byte, BQ_CHAR_VALUE),
                         visible || c == ' ' || c == '\t' || c >= 0x80);
        assert_int_equal(bq_char_is(byte, BQ_CHAR_TARGET), (visible && c != '#') || c >= 0x80);
        assert_int_equal(bq_char_is(byte, BQ_CHAR_COOKIE), visible && !strchr("\",;\\", c));
        assert_int_equal(bq_char_is(byte, BQ_CHAR_ATTRIBUTE), (visible && c != ';') || c == ' ');
    }
}

/* That byte there, in a string of n "x": a block that ends where it does. */
static void expect_scans(size_t n, size_t at, int c)
{
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'x', n);
    text[at] = (char)c;
    bq_str s = bq_str_of(text, n);
    bool marked;
    assert_int_equal(bq_chars_value(s), bq_char_is((char)c, BQ_CHAR_VALUE));
    assert_int_equal(bq_chars_token(s), bq_char_is((char)c, BQ_CHAR_TOKEN));
    assert_int_equal(bq_chars_target(s, &marked), bq_char_is((char)c, BQ_CHAR_TARGET));
    assert_true(marked || c != '?');
    assert_int_equal(bq_chars_host(s), bq_char_is((char)c, BQ_CHAR_REG_NAME) ? n : at);
    assert_int_equal(bq_chars_ascii(s), c < 0x80);
    free(text);
}

/* Every byte at every place of strings of every length up to two blocks and a half. */
static void scans_by_blocks_agree_with_scans_by_bytes(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++)
                expect_scans(n, at, c);
}

static void a_question_mark_in_a_target_is_told_and_a_long_target_without_has_none(void **state)
{
    (void)state;
    bool marked;
    assert_true(bq_chars_target(BQ_STR("/abcdefghijklmnopqrstuvwxyz"), &marked));
    assert_false(marked);
    assert_true(bq_chars_target(BQ_STR("/abcdefghijklmnopqrstuvwxyz?"), &marked));
    assert_true(marked);
}

static void a_name_is_known_in_any_letter_case_and_by_every_byte(void **state)
{
    (void)state;
    static const char lower[] = "content-length";
    assert_true(BQ_NAME_IS(BQ_STR("content-length"), "content-length"));
    assert_true(BQ_NAME_IS(BQ_STR("CONTENT-Length"), "content-length"));
    assert_true(BQ_NAME_IS(BQ_STR("hOST"), "host"));
    assert_false(BQ_NAME_IS(BQ_STR("hosts"), "host"));
    for (size_t at = 0; at < sizeof lower - 1; at++)
        for (int c = 0; c < 256; c++) {
            char name[sizeof lower];
            memcpy(name, lower, sizeof lower);
            name[at] = (char)c;
            if (bq_char_is((char)c, BQ_CHAR_TOKEN))
                assert_int_equal(BQ_NAME_IS(bq_str_of(name, sizeof name - 1), "content-length"),
                                 bq_lower((char)c) == lower[at]);
        }
}

static void an_empty_string_is_of_every_class(void **state)
{
    (void)state;
    assert_true(bq_chars_all(BQ_STR(""), BQ_CHAR_TOKEN));
    assert_true(bq_chars_value(bq_str_of(NULL, 0)));
    assert_true(bq_chars_ascii(bq_str_of(NULL, 0)));
    assert_true(bq_chars_token(bq_str_of(NULL, 0)));
    assert_int_equal(bq_chars_host(bq_str_of(NULL, 0)), 0);
}

static void hexadecimal_digits_have_values(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *hit = c ? strchr(digits, c) : NULL;
        assert_int_equal(bq_hex_value((char)c), hit ? (hit - digits) % 16 : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_unreserved_and_reg_name_are_as_in_the_grammar),
        cmocka_unit_test(value_target_and_cookie_are_as_in_the_grammar),
        cmocka_unit_test(scans_by_blocks_agree_with_scans_by_bytes),
        cmocka_unit_test(a_question_mark_in_a_target_is_told_and_a_long_target_without_has_none),
        cmocka_unit_test(a_name_is_known_in_any_letter_case_and_by_every_byte),
        cmocka_unit_test(an_empty_string_is_of_every_class),
        cmocka_unit_test(hexadecimal_digits_have_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
