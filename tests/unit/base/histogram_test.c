/* histogram_test.c: every duration in the bucket it belongs to, and quantiles near the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

static size_t bucket_by_looking(uint64_t us)
{
    size_t i = 0;
    while (i < BQ_HISTOGRAM_BOUNDS && us > bq_histogram_bounds[i])
        i++;
    return i;
}

static void bounds_ascend(void **state)
{
    (void)state;
    for (size_t i = 1; i < BQ_HISTOGRAM_BOUNDS; i++)
        assert_true(bq_histogram_bounds[i] > bq_histogram_bounds[i - 1]);
}

static void a_duration_is_counted_where_it_belongs(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 200000; us++)
        assert_int_equal(bq_histogram_bucket(us), bucket_by_looking(us));
    for (size_t i = 0; i < BQ_HISTOGRAM_BOUNDS; i++)
        for (uint64_t us = bq_histogram_bounds[i] - 1; us <= bq_histogram_bounds[i] + 1u; us++)
            assert_int_equal(bq_histogram_bucket(us), bucket_by_looking(us));
    for (int bit = 0; bit < 64; bit++)
        assert_int_equal(bq_histogram_bucket(UINT64_C(1) << bit),
                         bucket_by_looking(UINT64_C(1) << bit));
    assert_int_equal(bq_histogram_bucket(UINT64_MAX), BQ_HISTOGRAM_BOUNDS);
}

static void the_sum_is_that_of_all(void **state)
{
    (void)state;
    struct bq_histogram h = {0};
    bq_histogram_add(&h, 7);
    bq_histogram_add(&h, 500000000);
    assert_int_equal(bq_counter_read(&h.us), 500000007);
    assert_int_equal(bq_counter_read(&h.buckets[bq_histogram_bucket(7)]), 1);
    assert_int_equal(bq_counter_read(&h.buckets[BQ_HISTOGRAM_BOUNDS]), 1);
}

static void quantiles_are_near_the_truth(void **state)
{
    (void)state;
    float counts[BQ_HISTOGRAM_BUCKETS] = {0};
    for (uint64_t us = 1; us <= 10000; us++)
        counts[bq_histogram_bucket(us)]++;
    for (int percent = 1; percent < 100; percent++) {
        double truth = percent * 100.0, told = bq_histogram_quantile(counts, percent / 100.0);
        assert_true(told > truth * 0.75 && told < truth * 1.25);
    }
}

static void nothing_has_no_quantile(void **state)
{
    (void)state;
    const float counts[BQ_HISTOGRAM_BUCKETS] = {0};
    assert_true(bq_histogram_quantile(counts, 0.5) < 0);
}

static void what_is_longer_than_all_bounds_counts_as_the_last(void **state)
{
    (void)state;
    float counts[BQ_HISTOGRAM_BUCKETS] = {0};
    counts[BQ_HISTOGRAM_BOUNDS] = 3;
    assert_true(bq_histogram_quantile(counts, 0.5) == 100e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_ascend),
        cmocka_unit_test(a_duration_is_counted_where_it_belongs),
        cmocka_unit_test(the_sum_is_that_of_all),
        cmocka_unit_test(quantiles_are_near_the_truth),
        cmocka_unit_test(nothing_has_no_quantile),
        cmocka_unit_test(what_is_longer_than_all_bounds_counts_as_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
