/* page_test.c: the live page: what it says, and that nobody can write into it. */
#include "snapshot_fixture.h"

#include "admin/page.h"

#include <stdio.h>

static void write_page(struct fixture *f, struct bq_buf *out)
{
    struct bq_routes_shown routes;
    struct bq_recent recent = {0};
    assert_true(bq_routes_shown_init(&routes, &f->snapshot));
    bq_recent_look(&recent, &routes, 1000000);
    bq_recent_look(&recent, &routes, 2000000);
    const struct bq_page_facts facts = {&f->snapshot, &routes, &recent, 0.5};
    bq_page_write(out, &facts);
    bq_routes_shown_release(&routes);
    bq_recent_release(&recent);
}

static void routes_that_were_asked_for_are_listed(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    for (int i = 0; i < 12345; i++)
        answer(tally(&f, 0, "GET", "/items/{id}"), BQ_GET, 200, 50);
    write_page(&f, &out);
    assert_says(&out, "<!doctype html>");
    assert_says(&out, "<i>GET</i> /items/{id}</td>");
    assert_says(&out, "12\u202f345");
    assert_says(&out, "1 more route that nobody has asked for yet.");
    assert_says(&out, "No request waits for its answer.");
    bq_buf_release(&out);
    tear_down(&f);
}

static void requests_in_flight_are_listed_with_what_they_wait_for(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.flight = (struct bq_flight_shown){.worker = 1, .age_us = 2500000, .gone = true};
    snprintf(f.flight.method, sizeof f.flight.method, "GET");
    snprintf(f.flight.target, sizeof f.flight.target, "/a?<script>alert('&\"')</script>");
    snprintf(f.flight.where, sizeof f.flight.where, "sleep at app.lua:12");
    f.snapshot.flights = &f.flight;
    f.snapshot.flight_count = 1;
    write_page(&f, &out);
    assert_says(&out, "2.5 s");
    assert_says(&out, "/a?&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;");
    assert_silent(&out, "<script>alert");
    assert_says(&out, "sleep at app.lua:12 (its client has gone)");
    bq_buf_release(&out);
    tear_down(&f);
}

static void a_worker_inside_lua_is_shown_with_what_holds_it(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.workers[0].in_lua_ms = 1234;
    f.workers[0].cause = tally(&f, 0, "POST", "/items");
    f.workers[1].in_lua_ms = 5;
    write_page(&f, &out);
    assert_says(&out, "inside <i>POST</i> /items for 1.2 s");
    assert_says(&out, "inside a function outside of requests for 5.0 ms");
    assert_says(&out, "it computes or blocks");
    bq_buf_release(&out);
    tear_down(&f);
}

static void numbers_are_for_people(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.snapshot.process.resident_bytes = (uint64_t)3 << 30;
    f.workers[0].report.lua_bytes = 300 * 1024;
    f.workers[1].report.lua_bytes = 5 * 1024 * 1024;
    f.snapshot.process.started_s = 1000;
    f.snapshot.now_s = 1000 + 3 * 86400;
    write_page(&f, &out);
    assert_says(&out, "3.00 GiB");
    assert_says(&out, "300 KiB");
    assert_says(&out, "5.0 MiB");
    assert_says(&out, "up 3.0 days");
    bq_buf_release(&out);
    tear_down(&f);
}

static void it_says_when_the_server_drains(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.snapshot.phase = BQ_ADMIN_DRAINING;
    write_page(&f, &out);
    assert_says(&out, "draining");
    bq_buf_release(&out);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_that_were_asked_for_are_listed),
        cmocka_unit_test(requests_in_flight_are_listed_with_what_they_wait_for),
        cmocka_unit_test(a_worker_inside_lua_is_shown_with_what_holds_it),
        cmocka_unit_test(numbers_are_for_people),
        cmocka_unit_test(it_says_when_the_server_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
