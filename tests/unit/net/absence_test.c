/* absence_test.c: leaving, being noticed, lending, coming back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/absence.h"

#include <pthread.h>
#include <time.h>

static atomic_int wakes;

static void count_wake(struct bq_watcher *w)
{
    atomic_store(&w->asleep, false);
    atomic_fetch_add(&wakes, 1);
}

static struct bq_watcher watcher = {.wake = count_wake};

static uint32_t state_of(struct bq_absence *a)
{
    return bq_absence_look(a) & BQ_ABSENCE_STATE;
}

static struct bq_absence allowed(void)
{
    struct bq_absence a;
    bq_absence_init(&a);
    bq_absence_allow(&a, &watcher);
    return a;
}

static void an_absence_begins_and_ends(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    assert_int_equal(state_of(&a), BQ_ABSENCE_HERE);
    bq_absence_begin(&a);
    assert_int_equal(state_of(&a), BQ_ABSENCE_AWAY);
    assert_int_equal(bq_absence_end(&a).ms, 0);
    assert_int_equal(state_of(&a), BQ_ABSENCE_HERE);
}

static void each_absence_has_a_number_of_its_own(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    bq_absence_begin(&a);
    uint32_t first = bq_absence_look(&a);
    bq_absence_end(&a);
    bq_absence_begin(&a);
    assert_int_not_equal(bq_absence_look(&a), first);
    bq_absence_end(&a);
}

static void an_absence_within_another_is_the_same(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    bq_absence_begin(&a);
    uint32_t word = bq_absence_look(&a);
    bq_absence_begin(&a);
    assert_int_equal(bq_absence_look(&a), word);
    assert_true(bq_absence_notice(&a, word, bq_clock_ms()));
    assert_int_equal(bq_absence_end(&a).ms, 0);
    assert_int_equal(state_of(&a), BQ_ABSENCE_NOTICED);
    assert_true(bq_absence_end(&a).ms > 0);
}

static void nobody_can_notice_what_is_not_allowed(void **state)
{
    struct bq_absence a;
    (void)state;
    bq_absence_init(&a);
    bq_absence_begin(&a);
    assert_int_equal(state_of(&a), BQ_ABSENCE_HERE);
    assert_false(bq_absence_notice(&a, bq_absence_look(&a), 1));
    bq_absence_end(&a);

    bq_absence_allow(&a, &watcher);
    bq_absence_forbid(&a);
    bq_absence_begin(&a);
    assert_int_equal(state_of(&a), BQ_ABSENCE_HERE);
    assert_false(bq_absence_borrow(&a));
    bq_absence_end(&a);
}

static void only_a_noticed_absence_can_be_borrowed_and_by_one(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    assert_false(bq_absence_borrow(&a));
    bq_absence_begin(&a);
    assert_false(bq_absence_borrow(&a));
    assert_true(bq_absence_notice(&a, bq_absence_look(&a), bq_clock_ms()));
    assert_true(bq_absence_borrow(&a));
    assert_false(bq_absence_borrow(&a));
    bq_absence_restore(&a);
    assert_true(bq_absence_borrow(&a));
    bq_absence_restore(&a);
    bq_absence_end(&a);
    assert_false(bq_absence_borrow(&a));
}

static void an_absence_that_is_over_cannot_be_noticed(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    bq_absence_begin(&a);
    uint32_t word = bq_absence_look(&a);
    bq_absence_end(&a);
    assert_false(bq_absence_notice(&a, word, 1));
    bq_absence_begin(&a);
    assert_false(bq_absence_notice(&a, word, 1));
    assert_int_equal(bq_absence_end(&a).ms, 0);
}

static void the_end_of_a_noticed_absence_tells_how_it_was(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    bq_absence_begin(&a);
    assert_true(bq_absence_notice(&a, bq_absence_look(&a), bq_clock_ms() - 50));
    assert_true(bq_absence_borrow(&a));
    a.moved += 3;
    bq_absence_restore(&a);
    struct bq_absence_report report = bq_absence_end(&a);
    assert_true(report.ms >= 50);
    assert_int_equal(report.moved, 3);

    bq_absence_begin(&a);
    assert_true(bq_absence_notice(&a, bq_absence_look(&a), bq_clock_ms()));
    report = bq_absence_end(&a);
    assert_true(report.ms >= 1);
    assert_int_equal(report.moved, 0);
}

static void a_sleeping_watcher_is_woken_once(void **state)
{
    struct bq_absence a = allowed();
    (void)state;
    atomic_store(&wakes, 0);
    atomic_store(&watcher.asleep, true);
    for (int i = 0; i < 3; i++) {
        bq_absence_begin(&a);
        bq_absence_end(&a);
    }
    assert_int_equal(atomic_load(&wakes), 1);
}

/* A borrower holds on for a while: what it wrote by then is seen by the thread that comes back. */
static int lent; /* not atomic: the absence orders it */

static void *borrow_for_a_while(void *arg)
{
    struct bq_absence *a = arg;
    assert_true(bq_absence_borrow(a));
    atomic_fetch_add(&wakes, 1);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    lent = 42;
    bq_absence_restore(a);
    return NULL;
}

static void coming_back_waits_for_a_borrower(void **state)
{
    struct bq_absence a = allowed();
    pthread_t thread;
    (void)state;
    lent = 1;
    atomic_store(&wakes, 0);
    bq_absence_begin(&a);
    assert_true(bq_absence_notice(&a, bq_absence_look(&a), bq_clock_ms()));
    assert_int_equal(pthread_create(&thread, NULL, borrow_for_a_while, &a), 0);
    while (atomic_load(&wakes) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    bq_absence_end(&a);
    assert_int_equal(lent, 42);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absence_begins_and_ends),
        cmocka_unit_test(each_absence_has_a_number_of_its_own),
        cmocka_unit_test(an_absence_within_another_is_the_same),
        cmocka_unit_test(nobody_can_notice_what_is_not_allowed),
        cmocka_unit_test(only_a_noticed_absence_can_be_borrowed_and_by_one),
        cmocka_unit_test(an_absence_that_is_over_cannot_be_noticed),
        cmocka_unit_test(the_end_of_a_noticed_absence_tells_how_it_was),
        cmocka_unit_test(a_sleeping_watcher_is_woken_once),
        cmocka_unit_test(coming_back_waits_for_a_borrower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
