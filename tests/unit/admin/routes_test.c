/* routes_test.c: what workers have counted, added up. */
#include "snapshot_fixture.h"

#include "admin/routes.h"

static void counts_of_all_workers_are_added_up(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_routes_shown routes;
    set_up(&f);
    answer(tally(&f, 0, "GET", "/items/{id}"), BQ_GET, 200, 50);
    answer(tally(&f, 1, "GET", "/items/{id}"), BQ_GET, 200, 70);
    answer(tally(&f, 1, "GET", "/items/{id}"), BQ_HEAD, 404, 1);
    answer(tally(&f, 1, "GET", "/items/{id}"), BQ_GET, 503, 1);
    assert_true(bq_routes_shown_init(&routes, &f.snapshot));
    assert_int_equal(routes.count, 2);
    const struct bq_route_shown *r = &routes.items[0];
    assert_true(bq_str_eq(r->name, BQ_STR("/items/{id}")));
    assert_int_equal(r->answers, 4);
    assert_int_equal(r->errors, 1);
    assert_int_equal(r->bytes, 400);
    assert_int_equal(r->us, 122);
    assert_int_equal(bq_route_shown_timed(r), 4);
    assert_int_equal(r->key_count, 3);
    assert_int_equal(r->keys[0].key, BQ_TALLY_KEY(BQ_GET, 200));
    assert_int_equal(r->keys[0].count, 2);
    bq_routes_shown_release(&routes);
    tear_down(&f);
}

static void a_route_that_one_worker_alone_has_is_shown(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_routes_shown routes;
    set_up(&f);
    tally(&f, 1, "GET", "/new");
    tally(&f, 0, "GET", "/old");
    answer(tally(&f, 1, "GET", "/new"), BQ_GET, 200, 1);
    assert_true(bq_routes_shown_init(&routes, &f.snapshot));
    assert_int_equal(routes.count, 4);
    assert_true(bq_str_eq(routes.items[2].name, BQ_STR("/old")));
    assert_true(bq_str_eq(routes.items[3].name, BQ_STR("/new")));
    assert_int_equal(routes.items[3].answers, 1);
    bq_routes_shown_release(&routes);
    tear_down(&f);
}

static void holds_are_added_up(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_routes_shown routes;
    set_up(&f);
    for (unsigned i = 0; i < 2; i++) {
        bq_counter_add(&tally(&f, i, "POST", "/items")->holds, 1);
        bq_counter_add(&tally(&f, i, "POST", "/items")->holds_ms, 30);
        bq_counter_add(&tally(&f, i, "POST", "/items")->moved, 4);
    }
    assert_true(bq_routes_shown_init(&routes, &f.snapshot));
    assert_int_equal(routes.items[1].holds, 2);
    assert_int_equal(routes.items[1].holds_ms, 60);
    assert_int_equal(routes.items[1].moved, 8);
    bq_routes_shown_release(&routes);
    tear_down(&f);
}

#ifdef BQ_FAULTS
static void fails_without_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_routes_shown routes;
    set_up(&f);
    answer(tally(&f, 0, "GET", "/items/{id}"), BQ_GET, 200, 50);
    for (long nth = 1; nth <= 2; nth++) {
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        assert_false(bq_routes_shown_init(&routes, &f.snapshot));
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
    }
    tear_down(&f);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_all_workers_are_added_up),
        cmocka_unit_test(a_route_that_one_worker_alone_has_is_shown),
        cmocka_unit_test(holds_are_added_up),
#ifdef BQ_FAULTS
        cmocka_unit_test(fails_without_memory),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
