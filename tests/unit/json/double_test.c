/* double_test.c: shortest decimals, against the C library's exact conversions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/double.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_ROUNDS 1000000

static double read_decimal(uint64_t digits, int exponent)
{
    char text[40];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)digits, exponent);
    return strtod(text, NULL);
}

static int count_digits(uint64_t digits)
{
    int n = 1;
    for (; digits >= 10; digits /= 10)
        n++;
    return n;
}

/* v's nearest decimal of n digits, from printf, which rounds exactly. */
static struct bq_decimal nearest(double v, int n)
{
    char text[40], digits[20];
    snprintf(text, sizeof text, "%.*e", n - 1, v);
    const char *e = strchr(text, 'e');
    int count = 0;
    for (const char *p = text; p < e; p++)
        if (*p != '.')
            digits[count++] = *p;
    digits[count] = '\0';
    return (struct bq_decimal){strtoull(digits, NULL, 10), (int)strtol(e + 1, NULL, 10) - (n - 1)};
}

/* Whether any decimal of n digits does: the nearest, or one beside it, where the interval of v is
 * not symmetric. */
static bool reads_back_with(double v, int n)
{
    struct bq_decimal d = nearest(v, n);
    return read_decimal(d.digits, d.exponent) == v || read_decimal(d.digits + 1, d.exponent) == v ||
           read_decimal(d.digits - 1, d.exponent) == v;
}

static void is_shortest(double v)
{
    struct bq_decimal d = bq_double_shortest(v);
    int n = count_digits(d.digits);
    if (read_decimal(d.digits, d.exponent) != v)
        fail_msg("%a became %llue%d", v, (unsigned long long)d.digits, d.exponent);
    if (d.digits % 10 == 0 || n > 17 || (n > 1 && reads_back_with(v, n - 1)))
        fail_msg("%a: %llue%d is not the shortest", v, (unsigned long long)d.digits, d.exponent);
    struct bq_decimal best = nearest(v, n);
    if (read_decimal(best.digits, best.exponent) == v && best.digits != d.digits)
        fail_msg("%a: %llue%d is not the nearest", v, (unsigned long long)d.digits, d.exponent);
}

static void is(double v, uint64_t digits, int exponent)
{
    struct bq_decimal d = bq_double_shortest(v);
    assert_int_equal(d.digits, digits);
    assert_int_equal(d.exponent, exponent);
}

static void decimals_come_back_as_they_were_typed(void **state)
{
    (void)state;
    is(1, 1, 0);
    is(0.1, 1, -1);
    is(9.99, 999, -2);
    is(1e22, 1, 22);
    is(1e23, 1, 23);
    is(123456789012345678.0, 12345678901234568, 1);
    is(0.1 + 0.2, 30000000000000004, -17);
}

static void the_ends_of_the_range_are_short(void **state)
{
    (void)state;
    is(5e-324, 5, -324);
    is(1e-323, 1, -323);
    is(DBL_MIN, 22250738585072014, -324);
    is(DBL_MAX, 17976931348623157, 292);
}

/* The double that is n steps above v, or below. */
static double steps_from(double v, int64_t n)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits += (uint64_t)n;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* The interval below a power of two is half as wide as that above it. */
static void every_power_of_two_and_its_neighbours_are_shortest(void **state)
{
    (void)state;
    is(0x1p-44, 5684341886080802, -29); /* which is not the nearest of 16 digits */
    for (double v = 0x1p-1074; isfinite(v); v *= 2) {
        is_shortest(v);
        is_shortest(steps_from(v, 1));
        if (v > 0x1p-1074)
            is_shortest(steps_from(v, -1));
    }
}

static void every_power_of_ten_and_its_neighbours_are_shortest(void **state)
{
    (void)state;
    for (int e = -323; e <= 308; e++) {
        double v = read_decimal(1, e);
        is(v, 1, e);
        is_shortest(steps_from(v, 1));
        is_shortest(steps_from(v, -1));
    }
}

/* Here rounding to even decides whether the ends of the interval belong to it. */
static void integers_around_2_to_the_53_and_beyond_are_shortest(void **state)
{
    (void)state;
    for (double v = 0x1p53; v < 0x1p70; v *= 2)
        for (int i = -300; i <= 300; i++)
            is_shortest(steps_from(v, i));
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_bits_are_shortest(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        uint64_t bits = next_random(&seed) >> 1;
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v) && v > 0)
            is_shortest(v);
    }
}

static void random_decimals_come_back_as_they_were_typed(void **state)
{
    (void)state;
    uint64_t seed = 362436069;
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        uint64_t digits = next_random(&seed) % 1000000000000000; /* 15: each its own double */
        int exponent = (int)(next_random(&seed) % 580) - 300;
        if (digits % 10)
            is(read_decimal(digits, exponent), digits, exponent);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_come_back_as_they_were_typed),
        cmocka_unit_test(the_ends_of_the_range_are_short),
        cmocka_unit_test(every_power_of_two_and_its_neighbours_are_shortest),
        cmocka_unit_test(every_power_of_ten_and_its_neighbours_are_shortest),
        cmocka_unit_test(integers_around_2_to_the_53_and_beyond_are_shortest),
        cmocka_unit_test(random_bits_are_shortest),
        cmocka_unit_test(random_decimals_come_back_as_they_were_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
