/* chars_test.c: the classes against the RFCs' own words, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/chars.h"

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

/* Every byte at every place of strings of every length up to three words. */
static void scans_by_words_agree_with_scans_by_bytes(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 24; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 256; c++) {
                char text[24];
                memset(text, 'x', sizeof text);
                text[at] = (char)c;
                bq_str s = bq_str_of(text, n);
                assert_int_equal(bq_chars_value(s), bq_chars_all(s, BQ_CHAR_VALUE));
                assert_int_equal(bq_chars_value(s), bq_char_is((char)c, BQ_CHAR_VALUE));
                assert_int_equal(bq_chars_ascii(s), c < 0x80);
            }
}

static void an_empty_string_is_of_every_class(void **state)
{
    (void)state;
    assert_true(bq_chars_all(BQ_STR(""), BQ_CHAR_TOKEN));
    assert_true(bq_chars_value(bq_str_of(NULL, 0)));
    assert_true(bq_chars_ascii(bq_str_of(NULL, 0)));
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
        cmocka_unit_test(scans_by_words_agree_with_scans_by_bytes),
        cmocka_unit_test(an_empty_string_is_of_every_class),
        cmocka_unit_test(hexadecimal_digits_have_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
