/* processors_test.c: what a quota amounts to, and that the process's own number is possible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "processors.h"

#include <sched.h>

static void a_quota_is_rounded_up(void **state)
{
    assert_int_equal(bq_processors_of_quota(BQ_STR("200000 100000"), 64), 2);
    assert_int_equal(bq_processors_of_quota(BQ_STR("200001 100000"), 64), 3);
    assert_int_equal(bq_processors_of_quota(BQ_STR("10000 100000"), 64), 1);
    assert_int_equal(bq_processors_of_quota(BQ_STR("6400000 100000"), 8), 8);
    assert_int_equal(bq_processors_of_quota(BQ_STR("18446744073709551615 1"), 8), 8);
    (void)state;
}

static void no_quota_is_no_limit(void **state)
{
    static const char *const texts[] = {"max 100000", "",         "x",   "1",    "1 ",
                                        " 1",         "0 100000", "1 0", "1 2 3"};
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(bq_processors_of_quota(bq_str_cstr(texts[i]), 7), 7);
    (void)state;
}

static void the_mask_counts(void **state)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    unsigned n = bq_processors_count(1000);
    assert_in_range(n, 1, CPU_COUNT(&all));
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(bq_processors_count(1000), 1);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_is_rounded_up),
        cmocka_unit_test(no_quota_is_no_limit),
        cmocka_unit_test(the_mask_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
