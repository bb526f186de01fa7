/* recent_test.c: rates and quantiles of what happens now. */
#include "snapshot_fixture.h"

#include "admin/recent.h"

#define SECOND UINT64_C(1000000)

static void look(struct fixture *f, struct bq_recent *r, unsigned second)
{
    struct bq_routes_shown routes;
    assert_true(bq_routes_shown_init(&routes, &f->snapshot));
    bq_recent_look(r, &routes, (second + 1) * SECOND);
    bq_routes_shown_release(&routes);
}

static void a_steady_rate_is_told_as_it_is(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    set_up(&f);
    struct bq_tally *t = tally(&f, 1, "GET", "/items/{id}");
    for (unsigned second = 0; second < 60; second++) {
        look(&f, &r, second);
        for (int i = 0; i < 100; i++)
            answer(t, BQ_GET, i % 10 ? 200 : 500, 1000);
    }
    const struct bq_recent_route *route = bq_recent_find(&r, t->kind, t->name);
    assert_non_null(route);
    assert_true(route->rate > 99 && route->rate <= 100);
    assert_true(route->error_rate > 9.9 && route->error_rate <= 10);
    double median = bq_histogram_quantile(route->window, 0.5);
    assert_true(median > 750 && median <= 1000);
    const struct bq_recent_second *last = bq_recent_second(&r, 0);
    assert_true(last->rate == 100 && last->error_rate == 10);
    assert_true(last->p99_us > 750 && last->p99_us <= 1000);
    bq_recent_release(&r);
    tear_down(&f);
}

static void what_was_before_fades_by_half_in_five_seconds(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    set_up(&f);
    struct bq_tally *t = tally(&f, 0, "GET", "/items/{id}");
    look(&f, &r, 0);
    for (int i = 0; i < 1000; i++)
        answer(t, BQ_GET, 200, 10);
    look(&f, &r, 1);
    double rate = bq_recent_find(&r, t->kind, t->name)->rate;
    for (unsigned second = 2; second <= 6; second++)
        look(&f, &r, second);
    const struct bq_recent_route *route = bq_recent_find(&r, t->kind, t->name);
    assert_true(route->rate > rate * 0.49 && route->rate < rate * 0.51);
    assert_true(bq_histogram_quantile(route->window, 0.5) > 0);
    for (unsigned second = 7; second < 120; second++)
        look(&f, &r, second);
    assert_true(bq_histogram_quantile(route->window, 0.5) < 0);
    assert_true(bq_recent_second(&r, 0)->p50_us < 0);
    bq_recent_release(&r);
    tear_down(&f);
}

static void what_was_counted_before_the_first_look_is_no_rate(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    set_up(&f);
    struct bq_tally *t = tally(&f, 0, "GET", "/items/{id}");
    answer(t, BQ_GET, 200, 10);
    look(&f, &r, 0);
    assert_true(bq_recent_find(&r, t->kind, t->name)->rate == 0);
    assert_null(bq_recent_second(&r, 0));
    bq_recent_release(&r);
    tear_down(&f);
}

static void two_minutes_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    set_up(&f);
    struct bq_tally *t = tally(&f, 0, "GET", "/items/{id}");
    for (unsigned second = 0; second <= BQ_RECENT_SECONDS + 5; second++) {
        look(&f, &r, second);
        for (unsigned i = 0; i < second; i++)
            answer(t, BQ_GET, 200, 10);
    }
    assert_true(bq_recent_second(&r, 0)->rate == BQ_RECENT_SECONDS + 4);
    assert_true(bq_recent_second(&r, BQ_RECENT_SECONDS - 1)->rate == 5);
    assert_null(bq_recent_second(&r, BQ_RECENT_SECONDS));
    bq_recent_release(&r);
    tear_down(&f);
}

#ifdef BQ_FAULTS
static void a_new_route_that_there_is_no_memory_for_comes_later(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    struct bq_routes_shown routes;
    set_up(&f);
    assert_true(bq_routes_shown_init(&routes, &f.snapshot));
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    bq_recent_look(&r, &routes, SECOND);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_null(bq_recent_find(&r, BQ_STR("POST"), BQ_STR("/items")));
    bq_recent_look(&r, &routes, 2 * SECOND);
    assert_non_null(bq_recent_find(&r, BQ_STR("POST"), BQ_STR("/items")));
    bq_routes_shown_release(&routes);
    bq_recent_release(&r);
    tear_down(&f);
}
#endif

static void a_clock_that_stands_still_is_no_division_by_zero(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_recent r = {0};
    set_up(&f);
    look(&f, &r, 0);
    look(&f, &r, 0);
    assert_null(bq_recent_second(&r, 0));
    bq_recent_release(&r);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_steady_rate_is_told_as_it_is),
        cmocka_unit_test(what_was_before_fades_by_half_in_five_seconds),
        cmocka_unit_test(what_was_counted_before_the_first_look_is_no_rate),
        cmocka_unit_test(two_minutes_are_kept),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_new_route_that_there_is_no_memory_for_comes_later),
#endif
        cmocka_unit_test(a_clock_that_stands_still_is_no_division_by_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
