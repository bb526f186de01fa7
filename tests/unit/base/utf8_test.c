/* utf8_test.c: every boundary of RFC 3629, at every place in a string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

/* An independent judge: decodes, then checks the code point. */
static size_t judge(const unsigned char *s, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80       ? 1
                 : s[0] >> 5 == 6  ? 2
                 : s[0] >> 4 == 14 ? 3
                 : s[0] >> 3 == 30 ? 4
                                   : 0;
    if (len == 0 || len > n)
        return 0;
    uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

static void every_sequence_of_interesting_bytes_is_judged_right(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                          0xbf, 0xc0, 0xc2, 0xdf, 0xed, 0xf0, 0xf4, 0xff};
    for (int first = 0; first < 256; first++) {
        for (int rest = 0; rest < 4096; rest++) {
            unsigned char s[] = {(unsigned char)first, edges[rest >> 8], edges[rest >> 4 & 15],
                                 edges[rest & 15]};
            for (size_t n = 1; n <= 4; n++)
                assert_int_equal(bq_utf8_length(bq_str_of((char *)s, n)), judge(s, n));
        }
    }
}

static void the_first_wrong_byte_is_found_at_every_offset(void **state)
{
    (void)state;
    char text[40];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = (char)0xff;
        assert_int_equal(bq_utf8_check(bq_str_of(text, sizeof text)), at);
        assert_int_equal(bq_utf8_check(bq_str_of(text, at)), at);
        assert_false(bq_utf8_valid(bq_str_of(text, sizeof text)));
    }
}

static void a_character_cut_off_at_the_end_is_invalid(void **state)
{
    (void)state;
    bq_str s = BQ_STR("abcdefgh\xf0\x9f\x98\x80");
    assert_true(bq_utf8_valid(s));
    for (size_t n = 9; n < s.n; n++)
        assert_int_equal(bq_utf8_check(bq_str_of(s.p, n)), 8);
}

static void long_texts_of_all_lengths_of_characters_are_valid(void **state)
{
    (void)state;
    char text[1000];
    size_t n = 0;
    while (n + 10 <= sizeof text) {
        memcpy(text + n, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10);
        n += 10;
    }
    for (size_t from = 0; from < n; from += 10)
        assert_true(bq_utf8_valid(bq_str_of(text + from, n - from)));
    assert_true(bq_utf8_valid(BQ_STR("")));
    assert_true(bq_utf8_valid(bq_str_of(NULL, 0)));
    assert_int_equal(bq_utf8_length(bq_str_of(NULL, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_interesting_bytes_is_judged_right),
        cmocka_unit_test(the_first_wrong_byte_is_found_at_every_offset),
        cmocka_unit_test(a_character_cut_off_at_the_end_is_invalid),
        cmocka_unit_test(long_texts_of_all_lengths_of_characters_are_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
