/* write_test.c: strings and numbers as JSON text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "json/check.h"
#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void buffer_is(struct bq_buf *out, const char *expected)
{
    assert_int_equal(bq_buf_size(out), strlen(expected));
    assert_memory_equal(out->data + out->pos, expected, strlen(expected));
}

static void written_is(bq_str s, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_string(&out, s), BQ_OK);
    buffer_is(&out, expected);
    bq_buf_release(&out);
}

static void lossy_is(bq_str s, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_lossy(&out, s), BQ_OK);
    buffer_is(&out, expected);
    bq_buf_release(&out);
}

static void number_is(double v, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_number(&out, v), BQ_OK);
    buffer_is(&out, expected);
    bq_buf_release(&out);
}

static void strings_are_quoted(void **state)
{
    (void)state;
    written_is(BQ_STR(""), "\"\"");
    written_is(bq_str_of(NULL, 0), "\"\"");
    written_is(BQ_STR("a"), "\"a\"");
    written_is(BQ_STR("Hello, World!"), "\"Hello, World!\"");
    written_is(BQ_STR("0123456789abcdef0123456789"), "\"0123456789abcdef0123456789\"");
}

static void what_the_rfc_demands_is_escaped_and_nothing_else(void **state)
{
    (void)state;
    written_is(BQ_STR("\"\\/\b\t\n\f\r"), "\"\\\"\\\\/\\b\\t\\n\\f\\r\"");
    written_is(BQ_STR("\0\1\x1f\x7f <>&'"), "\"\\u0000\\u0001\\u001f\x7f <>&'\"");
    written_is(BQ_STR("a\vb"), "\"a\\u000bb\"");
    written_is(BQ_STR("\xc3\xa4 \xe2\x80\xa8 \xf0\x9f\x98\x80"),
               "\"\xc3\xa4 \xe2\x80\xa8 \xf0\x9f\x98\x80\"");
}

/* One special character at each place of strings of each length: words and tails. */
static void every_place_in_a_string_is_escaped(void **state)
{
    (void)state;
    static const struct {
        bq_str from, to;
    } cases[] = {
        {BQ_STR("\""), BQ_STR("\\\"")},           {BQ_STR("\\"), BQ_STR("\\\\")},
        {BQ_STR("\x1f"), BQ_STR("\\u001f")},      {BQ_STR("\n"), BQ_STR("\\n")},
        {BQ_STR("\xc3\xa4"), BQ_STR("\xc3\xa4")}, {BQ_STR("\xe2\x82\xac"), BQ_STR("\xe2\x82\xac")},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t before = 0; before < 20; before++)
            for (size_t after = 0; after < 20; after++) {
                char from[64], to[64];
                int n = snprintf(from, sizeof from, "%.*s%.*s%.*s", (int)before,
                                 "abcdefghijklmnopqrstuvwxyz", BQ_STR_ARG(cases[c].from),
                                 (int)after, "zyxwvutsrqponmlkjihgfedcba");
                snprintf(to, sizeof to, "\"%.*s%.*s%.*s\"", (int)before,
                         "abcdefghijklmnopqrstuvwxyz", BQ_STR_ARG(cases[c].to), (int)after,
                         "zyxwvutsrqponmlkjihgfedcba");
                written_is(bq_str_of(from, (size_t)n), to);
            }
}

/* The first byte read behind the string would be one that the address sanitizer guards. */
static void nothing_behind_a_string_is_read(void **state)
{
    (void)state;
    for (size_t n = 1; n < 20; n++) {
        char *s = malloc(n);
        assert_non_null(s);
        memset(s, 'x', n);
        struct bq_buf out = BQ_BUF_INIT;
        assert_int_equal(bq_json_write_string(&out, bq_str_of(s, n)), BQ_OK);
        assert_int_equal(bq_buf_size(&out), n + 2);
        bq_buf_release(&out);
        free(s);
    }
}

static void invalid_utf8_is_refused_and_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\x80",         "abc\xff",  "\xc3",
                                        "\xed\xa0\x80", "\xc0\xaf", "0123456789abcdef\n\xf5",
                                        "\xf0\x9f\x98"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bq_buf out = BQ_BUF_INIT;
        assert_int_equal(bq_buf_append(&out, BQ_STR("gone,kept")), BQ_OK);
        bq_buf_consume(&out, 5);
        assert_int_equal(bq_json_write_string(&out, bq_str_cstr(wrong[i])), BQ_INVALID);
        buffer_is(&out, "kept");
        bq_buf_release(&out);
    }
}

/* Growing moves what is unread to the front of the buffer: the way back must know. */
static void a_refused_string_that_moved_the_buffer_leaves_it_as_it_was(void **state)
{
    (void)state;
    struct bq_buf out = BQ_BUF_INIT;
    char fill[256];
    memset(fill, 'f', sizeof fill);
    assert_int_equal(bq_buf_append(&out, bq_str_of(fill, 240)), BQ_OK);
    bq_buf_consume(&out, 236);
    assert_int_equal(bq_json_write_string(&out, BQ_STR("a\n0123456789\xff")), BQ_INVALID);
    assert_int_equal(out.pos, 0);
    buffer_is(&out, "ffff");
    bq_buf_release(&out);
}

static void lossy_replaces_what_is_not_utf8(void **state)
{
    (void)state;
    lossy_is(BQ_STR("plain \xc3\xa4"), "\"plain \xc3\xa4\"");
    lossy_is(BQ_STR("a\xff\nb"), "\"a\xef\xbf\xbd\\nb\"");
    lossy_is(BQ_STR("\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    lossy_is(BQ_STR("12345678\xe2\x82"), "\"12345678\xef\xbf\xbd\xef\xbf\xbd\"");
    lossy_is(BQ_STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void lossy_makes_json_of_any_bytes(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        char bytes[48];
        size_t n = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(rand_r(&seed) % (round % 2 ? 256 : 64) + (round % 2 ? 0 : 0xa0));
        struct bq_buf out = BQ_BUF_INIT;
        struct bq_json_error error;
        assert_int_equal(bq_json_write_lossy(&out, bq_str_of(bytes, n)), BQ_OK);
        assert_int_equal(bq_json_check(bq_buf_str(&out), 1, &error), BQ_OK);
        bq_buf_release(&out);
    }
}

static void base64_is(bq_str bytes, const char *expected)
{
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_base64(&out, bytes), BQ_OK);
    buffer_is(&out, expected);
    bq_buf_release(&out);
}

/* RFC 4648, section 10. */
static void bytes_are_written_in_base64(void **state)
{
    (void)state;
    base64_is(BQ_STR(""), "\"\"");
    base64_is(BQ_STR("f"), "\"Zg==\"");
    base64_is(BQ_STR("fo"), "\"Zm8=\"");
    base64_is(BQ_STR("foo"), "\"Zm9v\"");
    base64_is(BQ_STR("foob"), "\"Zm9vYg==\"");
    base64_is(BQ_STR("fooba"), "\"Zm9vYmE=\"");
    base64_is(BQ_STR("foobar"), "\"Zm9vYmFy\"");
    base64_is(BQ_STR("\xff\xef\xbe\x00"), "\"/+++AA==\"");
}

static void a_megabyte_of_escapes_grows_the_buffer(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *s = malloc(n);
    assert_non_null(s);
    memset(s, 1, n);
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_string(&out, bq_str_of(s, n)), BQ_OK);
    assert_int_equal(bq_buf_size(&out), 6 * n + 2);
    assert_memory_equal(out.data + 6 * n - 5, "\\u0001\"", 7);
    bq_buf_release(&out);
    free(s);
}

static void integers_are_written_in_digits(void **state)
{
    (void)state;
    number_is(0, "0");
    number_is(-0.0, "-0");
    number_is(7, "7");
    number_is(-10, "-10");
    number_is(99, "99");
    number_is(100, "100");
    number_is(12345, "12345");
    number_is(-2147483648.0, "-2147483648");
    number_is(9007199254740991.0, "9007199254740991");
    number_is(9007199254740992.0, "9007199254740992");
    number_is(-9007199254740992.0, "-9007199254740992");
}

static void every_length_of_integer_is_right(void **state)
{
    (void)state;
    char text[32];
    for (uint64_t power = 1; power <= 1000000000000000ull; power *= 10)
        for (uint64_t u = power - 1; u <= power + 1; u++) {
            snprintf(text, sizeof text, "%llu", (unsigned long long)u);
            number_is((double)u, text);
        }
}

static void decimals_are_written_as_short_as_they_were_typed(void **state)
{
    (void)state;
    number_is(0.5, "0.5");
    number_is(0.1, "0.1");
    number_is(-1.25, "-1.25");
    number_is(9.99, "9.99");
    number_is(0.3, "0.3");
    number_is(1e-6, "0.000001");
    number_is(52.520008, "52.520008");
    number_is(1234567.891, "1234567.891");
    number_is(99999999999999.9, "99999999999999.9");
    number_is(0.000001001, "0.000001001");
}

/* Without zeros at either end, point, sign and exponent. */
static int significant_digits(const char *text)
{
    int digits = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0' && digits)
            zeros++;
        if (*text < '1' || *text > '9')
            continue;
        digits += zeros + 1;
        zeros = 0;
    }
    return digits;
}

/* As long as the shortest that reads back, and as that one reads. */
static void is_shortest(double v)
{
    char shortest[40], text[40];
    struct bq_buf out = BQ_BUF_INIT;
    int digits = 1;
    do
        snprintf(shortest, sizeof shortest, "%.*g", digits, v);
    while (strtod(shortest, NULL) != v && digits++ < 17);
    assert_int_equal(bq_json_write_number(&out, v), BQ_OK);
    snprintf(text, sizeof text, "%.*s", BQ_STR_ARG(bq_buf_str(&out)));
    bq_buf_release(&out);
    if (significant_digits(text) != significant_digits(shortest) || strtod(text, NULL) != v)
        fail_msg("%.17g: %s, not %s", v, text, shortest);
}

static double neighbour(double v, int64_t steps)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits += steps;
    memcpy(&v, &bits, sizeof v);
    return isfinite(v) ? v : 0;
}

static void thousandths_and_their_neighbours_are_not_taken_for_each_other(void **state)
{
    (void)state;
    static const double bases[] = {0,   1,   9.99, 12,   999,  9999,          10000,
                                   1e6, 1e9, 1e11, 1e12, 1e13, 999999999999.0};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
        for (int thousandth = -1100; thousandth <= 1100; thousandth += 7) {
            double v = bases[i] + thousandth / 1000.0;
            is_shortest(v);
            is_shortest(neighbour(v, -1));
            is_shortest(neighbour(v, 1));
            is_shortest(v + 0.0001);
        }
    number_is(0.001, "0.001");
    number_is(0.01, "0.01");
    number_is(-10.1, "-10.1");
    number_is(9999.5, "9999.5");
    number_is(10000, "10000");
    number_is(999999999999.999, "999999999999.999");
}

static void names_are_strings_between_a_character_and_a_colon(void **state)
{
    (void)state;
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_name(&out, '{', BQ_STR("id")), BQ_OK);
    assert_int_equal(bq_json_write_name(&out, ',', BQ_STR("")), BQ_OK);
    assert_int_equal(bq_json_write_name(&out, ',', BQ_STR("a\"b\xff")), BQ_INVALID);
    assert_int_equal(bq_json_write_name(&out, ',', BQ_STR("quote\"quote")), BQ_OK);
    buffer_is(&out, "{\"id\":,\"\":,\"quote\\\"quote\":");
    bq_buf_release(&out);
}

static void other_numbers_get_the_fewest_digits_that_read_back(void **state)
{
    (void)state;
    number_is(0.1 + 0.2, "0.30000000000000004");
    number_is(1.0 / 3, "0.3333333333333333");
    number_is(2.0 / 3, "0.6666666666666666");
    number_is(5e-324, "5e-324");
    number_is(1.5e-323, "1.5e-323");
    number_is(2.2250738585072014e-308, "2.2250738585072014e-308");
    number_is(1.7976931348623157e308, "1.7976931348623157e+308");
    number_is(1e100, "1e+100");
    number_is(9007199254740994.0, "9007199254740994");
    number_is(1e17, "100000000000000000");
    number_is(1.2345e20, "123450000000000000000");
    number_is(999999999999999868928.0, "999999999999999900000");
    number_is(1e21, "1e+21");
    number_is(1.5e21, "1.5e+21");
    number_is(0.0000012345, "0.0000012345");
    number_is(0.00000012345, "1.2345e-7");
    number_is(-1.2345678901234567e-6, "-0.0000012345678901234567");
    number_is(-1e-20, "-1e-20");
}

/* Bits of any kind, and quotients as programs compute them. */
static double random_number(unsigned *seed, int round)
{
    static const double scales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e9, 1e11, 1e14};
    uint64_t bits =
        (uint64_t)rand_r(seed) << 42 ^ (uint64_t)rand_r(seed) << 21 ^ (uint64_t)rand_r(seed);
    double v;
    memcpy(&v, &bits, sizeof v);
    if (round % 2 == 0 || !isfinite(v))
        v = (double)(bits >> (round % 45 + 11)) / scales[round / 2 % 11];
    return v;
}

static void every_number_reads_back_as_itself(void **state)
{
    (void)state;
    unsigned seed = 7;
    struct bq_buf out = BQ_BUF_INIT;
    for (int round = 0; round < 40000; round++) {
        double v = random_number(&seed, round);
        struct bq_json_error error;
        bq_buf_reset(&out);
        assert_int_equal(bq_json_write_number(&out, v), BQ_OK);
        assert_int_equal(bq_json_check(bq_buf_str(&out), 0, &error), BQ_OK);
        assert_int_equal(bq_buf_push(&out, '\0'), BQ_OK);
        double back = strtod(out.data, NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
    bq_buf_release(&out);
}

static void no_number_is_written_with_more_digits_than_it_needs(void **state)
{
    (void)state;
    unsigned seed = 9;
    for (int round = 0; round < 10000; round++)
        is_shortest(random_number(&seed, round));
}

static void nan_and_infinity_are_refused(void **state)
{
    (void)state;
    struct bq_buf out = BQ_BUF_INIT;
    assert_int_equal(bq_json_write_number(&out, NAN), BQ_INVALID);
    assert_int_equal(bq_json_write_number(&out, INFINITY), BQ_INVALID);
    assert_int_equal(bq_json_write_number(&out, -INFINITY), BQ_INVALID);
    assert_int_equal(bq_buf_size(&out), 0);
    bq_buf_release(&out);
}

#ifdef BQ_FAULTS
static int write_all(struct bq_buf *out)
{
    char long_string[300];
    memset(long_string, 2, sizeof long_string);
    int rc = bq_json_write_number(out, 1.5);
    if (rc == BQ_OK)
        rc = bq_json_write_string(out, bq_str_of(long_string, sizeof long_string));
    return rc == BQ_OK ? bq_json_write_lossy(out, bq_str_of(long_string, sizeof long_string)) : rc;
}

static void a_failed_allocation_leaves_whole_texts(void **state)
{
    (void)state;
    int failures = 0;
    for (long nth = 1;; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        int rc = write_all(&out);
        bool hit = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_int_equal(rc, hit ? BQ_MEMORY : BQ_OK);
        size_t n = bq_buf_size(&out);
        assert_true(n == 0 || n == 3 || n == 3 + 1802 || n == 3 + 2 * 1802);
        bq_buf_release(&out);
        if (!hit)
            break;
        failures++;
    }
    assert_true(failures >= 3);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_quoted),
        cmocka_unit_test(what_the_rfc_demands_is_escaped_and_nothing_else),
        cmocka_unit_test(every_place_in_a_string_is_escaped),
        cmocka_unit_test(nothing_behind_a_string_is_read),
        cmocka_unit_test(invalid_utf8_is_refused_and_leaves_the_buffer_as_it_was),
        cmocka_unit_test(a_refused_string_that_moved_the_buffer_leaves_it_as_it_was),
        cmocka_unit_test(lossy_replaces_what_is_not_utf8),
        cmocka_unit_test(lossy_makes_json_of_any_bytes),
        cmocka_unit_test(bytes_are_written_in_base64),
        cmocka_unit_test(a_megabyte_of_escapes_grows_the_buffer),
        cmocka_unit_test(integers_are_written_in_digits),
        cmocka_unit_test(every_length_of_integer_is_right),
        cmocka_unit_test(decimals_are_written_as_short_as_they_were_typed),
        cmocka_unit_test(thousandths_and_their_neighbours_are_not_taken_for_each_other),
        cmocka_unit_test(names_are_strings_between_a_character_and_a_colon),
        cmocka_unit_test(other_numbers_get_the_fewest_digits_that_read_back),
        cmocka_unit_test(every_number_reads_back_as_itself),
        cmocka_unit_test(no_number_is_written_with_more_digits_than_it_needs),
        cmocka_unit_test(nan_and_infinity_are_refused),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_failed_allocation_leaves_whole_texts),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
