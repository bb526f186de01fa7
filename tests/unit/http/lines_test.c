/* lines_test.c: line ends against a walk by bytes, over bytes that come in any pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/lines.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX 300

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static bool is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 0x20 || u == 0x7f;
}

/* A control character that is neither a line feed nor followed by one. text ends with a feed. */
static bool has_lonely(bq_str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (is_control(text.p[i]) && text.p[i] != '\n' && text.p[i + 1] != '\n')
            return true;
    return false;
}

/* Each piece is a block of its own that ends where the text so far does, so that a look beyond it
 * is a sanitizer's report. */
static void expect_lines(bq_str text, uint32_t *cuts)
{
    struct bq_lines lines = {0};
    size_t fed = 0, given = 0;
    while (fed < text.n) {
        size_t piece = cuts ? next_random(cuts) % 100 + 1 : text.n;
        fed = text.n - fed < piece ? text.n : fed + piece;
        char *copy = malloc(fed);
        assert_non_null(copy);
        memcpy(copy, text.p, fed);
        size_t feed;
        while ((feed = bq_lines_next(&lines, copy, fed)) < fed) {
            assert_int_equal(feed, bq_str_find(text, '\n', given));
            given = feed + 1;
        }
        assert_int_equal(bq_str_find(bq_str_of(text.p, fed), '\n', given), fed);
        free(copy);
    }
    assert_int_equal(given, text.n);
    assert_int_equal(lines.odd, has_lonely(text));
}

static void every_line_end_is_found_wherever_the_bytes_are_cut(void **state)
{
    (void)state;
    uint32_t random = 7;
    char text[TEXT_BYTES_MAX];
    for (int round = 0; round < 3000; round++) {
        size_t n = next_random(&random) % (TEXT_BYTES_MAX - 2) + 2;
        unsigned rare = next_random(&random) % 60 + 2;
        for (size_t i = 0; i < n; i++)
            text[i] = next_random(&random) % rare ? 'x' : "\r\n\t\x7f\x80\x1f\0 "[random >> 8 & 7];
        text[n - 1] = '\n';
        expect_lines(bq_str_of(text, n), NULL);
        expect_lines(bq_str_of(text, n), &random);
    }
}

static void a_text_whose_only_control_characters_end_its_lines_is_not_odd(void **state)
{
    (void)state;
    char text[TEXT_BYTES_MAX];
    for (size_t n = 2; n < TEXT_BYTES_MAX; n++)
        for (size_t at = 0; at + 4 <= n; at += 7) {
            uint32_t cuts = (uint32_t)(n * at + 1);
            memset(text, 0xff, n);
            memcpy(text + at, "\r\n", 2);
            memcpy(text + n - 2, "\r\n", 2);
            assert_false(has_lonely(bq_str_of(text, n)));
            expect_lines(bq_str_of(text, n), NULL);
            expect_lines(bq_str_of(text, n), &cuts);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_end_is_found_wherever_the_bytes_are_cut),
        cmocka_unit_test(a_text_whose_only_control_characters_end_its_lines_is_not_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
