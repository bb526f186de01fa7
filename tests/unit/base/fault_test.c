/* fault_test.c: arming, counting, and many threads at one site. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef BQ_FAULTS
static int disarm_all(void **state)
{
    (void)state;
    for (int site = 0; site < BQ_FAULT_COUNT; site++)
        bq_fault_arm((enum bq_fault_site)site, 0, false);
    unsetenv("BARQ_FAULT");
    return 0;
}

static void a_site_that_is_not_armed_never_fails(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_false(BQ_FAULT(read));
    assert_int_equal(bq_fault_hits(BQ_FAULT_read), 0);
}

static void the_nth_call_fails_once(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_read, 3, false);
    for (int call = 1; call <= 10; call++)
        assert_int_equal(BQ_FAULT(read), call == 3);
    assert_int_equal(bq_fault_hits(BQ_FAULT_read), 1);
}

static void with_again_every_call_from_the_nth_on_fails(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_read, 3, true);
    for (int call = 1; call <= 10; call++)
        assert_int_equal(BQ_FAULT(read), call >= 3);
    assert_int_equal(bq_fault_hits(BQ_FAULT_read), 8);
    bq_fault_arm(BQ_FAULT_read, 0, false);
    assert_false(BQ_FAULT(read));
}

static void sites_are_counted_apart(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_read, 1, false);
    assert_false(BQ_FAULT(write));
    assert_true(BQ_FAULT(read));
}

static void the_environment_arms_sites(void **state)
{
    (void)state;
    setenv("BARQ_FAULT", "read:2,short_write:1+", 1);
    assert_int_equal(bq_fault_arm_env(), BQ_OK);
    assert_false(BQ_FAULT(read));
    assert_true(BQ_FAULT(read));
    assert_true(BQ_FAULT(short_write));
    assert_true(BQ_FAULT(short_write));
    assert_false(BQ_FAULT(write));
    unsetenv("BARQ_FAULT");
    assert_int_equal(bq_fault_arm_env(), BQ_OK);
}

static void a_wrong_environment_is_refused(void **state)
{
    (void)state;
    const char *wrong[] = {
        "read",   "read:",   "read:0",  "read:-1",        "read:+",   "read:3x",
        "read:x", "read: 3", "nope:1",  "read:1;write:1", "read:1,,", "read:99999999999999999999",
        "rea:1",  ":1",      "read:1++"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("BARQ_FAULT", wrong[i], 1);
        if (bq_fault_arm_env() != BQ_INVALID)
            fail_msg("\"%s\" was taken", wrong[i]);
    }
}

static void the_list_of_sites_is_sorted(void **state)
{
    (void)state;
    const char *sites[] = {
#define X(name) #name,
        BQ_FAULT_SITES(X)
#undef X
    };
    for (int i = 1; i < BQ_FAULT_COUNT; i++)
        assert_true(strcmp(sites[i - 1], sites[i]) < 0);
}

#define THREADS 4
#define CALLS   20000

static void *count_failures(void *arg)
{
    long *failures = arg;
    for (int i = 0; i < CALLS; i++)
        *failures += BQ_FAULT(write);
    return NULL;
}

static long failures_of_threads(void)
{
    pthread_t threads[THREADS];
    long failures[THREADS] = {0}, sum = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_failures, &failures[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += failures[i];
    }
    return sum;
}

static void threads_count_at_one_site_exactly(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_write, 1000, false);
    assert_int_equal(failures_of_threads(), 1);
    bq_fault_arm(BQ_FAULT_write, 1000, true);
    assert_int_equal(failures_of_threads(), THREADS * CALLS - 999);
    assert_int_equal(bq_fault_hits(BQ_FAULT_write), THREADS * CALLS - 999);
}

#define FAULT_TEST(name) cmocka_unit_test_teardown(name, disarm_all)
#else
static void sites_cost_nothing_in_other_builds(void **state)
{
    (void)state;
    _Static_assert(!BQ_FAULT(read), "a constant");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef BQ_FAULTS
        FAULT_TEST(a_site_that_is_not_armed_never_fails),
        FAULT_TEST(the_nth_call_fails_once),
        FAULT_TEST(with_again_every_call_from_the_nth_on_fails),
        FAULT_TEST(sites_are_counted_apart),
        FAULT_TEST(the_environment_arms_sites),
        FAULT_TEST(a_wrong_environment_is_refused),
        FAULT_TEST(the_list_of_sites_is_sorted),
        FAULT_TEST(threads_count_at_one_site_exactly),
#else
        cmocka_unit_test(sites_cost_nothing_in_other_builds),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
