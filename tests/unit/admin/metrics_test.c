/* metrics_test.c: Prometheus' text format, family by family. */
#include "snapshot_fixture.h"

#include "admin/metrics.h"

#include <stdio.h>
#include <stdlib.h>

static void requests_are_counted_by_route_method_and_status(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    answer(tally(&f, 0, "GET", "/items/{id}"), BQ_GET, 200, 50);
    answer(tally(&f, 1, "GET", "/items/{id}"), BQ_HEAD, 404, 70);
    bq_metrics_write(&out, &f.snapshot);
    assert_false(out.failed);
    assert_says(&out, "# TYPE barq_http_requests_total counter\n");
    assert_says(
        &out, "barq_http_requests_total{route=\"/items/{id}\",method=\"GET\",status=\"200\"} 1\n");
    assert_says(
        &out, "barq_http_requests_total{route=\"/items/{id}\",method=\"HEAD\",status=\"404\"} 1\n");
    assert_silent(&out, "route=\"/items\"");
    bq_buf_release(&out);
    tear_down(&f);
}

static void buckets_are_cumulative(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    struct bq_tally *t = tally(&f, 0, "GET", "/items/{id}");
    answer(t, BQ_GET, 200, 10); /* a bound belongs to its bucket */
    answer(t, BQ_GET, 200, 11);
    answer(t, BQ_GET, 200, 2500000);
    answer(t, BQ_GET, 200, 99000000);
    bq_metrics_write(&out, &f.snapshot);
#define BUCKET "barq_http_request_duration_seconds_bucket{route=\"/items/{id}\",method=\"GET\","
    assert_says(&out, BUCKET "le=\"1e-05\"} 1\n");
    assert_says(&out, BUCKET "le=\"2.5e-05\"} 2\n");
    assert_says(&out, BUCKET "le=\"1\"} 2\n");
    assert_says(&out, BUCKET "le=\"2.5\"} 3\n");
    assert_says(&out, BUCKET "le=\"10\"} 3\n");
    assert_says(&out, BUCKET "le=\"+Inf\"} 4\n");
    assert_silent(&out, "le=\"1.5e-05\"");
    assert_silent(&out, "le=\"25\"");
    assert_says(&out,
                "barq_http_request_duration_seconds_sum{route=\"/items/{id}\",method=\"GET\"} "
                "101.500021\n");
    assert_says(
        &out, "barq_http_request_duration_seconds_count{route=\"/items/{id}\",method=\"GET\"} 4\n");
    bq_buf_release(&out);
    tear_down(&f);
}

static void a_label_is_escaped(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    answer(tally(&f, 0, "GET", "/a\"b\\c\nd"), BQ_GET, 200, 1);
    bq_metrics_write(&out, &f.snapshot);
    assert_says(&out, "{route=\"/a\\\"b\\\\c\\nd\",method=\"GET\",status=\"200\"} 1\n");
    bq_buf_release(&out);
    tear_down(&f);
}

static void workers_have_series_of_their_own(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.workers[1].report.serve.open = 7;
    f.workers[1].report.lua_bytes = 123456789012;
    f.workers[0].in_lua_ms = 1500;
    bq_histogram_add(&f.lags, 40);
    bq_metrics_write(&out, &f.snapshot);
    assert_says(&out, "barq_connections{worker=\"0\"} 0\nbarq_connections{worker=\"1\"} 7\n");
    assert_says(&out, "barq_lua_memory_bytes{worker=\"1\"} 123456789012\n");
    assert_says(&out, "barq_worker_in_lua_seconds{worker=\"0\"} 1.5\n");
    assert_says(&out, "barq_event_loop_lag_seconds_bucket{worker=\"0\",le=\"5e-05\"} 1\n");
    assert_says(&out, "barq_event_loop_lag_seconds_count{worker=\"0\"} 1\n");
    bq_buf_release(&out);
    tear_down(&f);
}

static void the_server_says_what_it_is(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    f.snapshot.sqlite.statements = 12;
    f.snapshot.process.resident_bytes = 5000000;
    f.snapshot.phase = BQ_ADMIN_DRAINING;
    bq_metrics_write(&out, &f.snapshot);
    assert_says(&out, "barq_build_info{version=\"1.2.3\"} 1\n");
    assert_says(&out, "\nbarq_ready 0\n");
    assert_says(&out, "\nbarq_sqlite_statements_total 12\n");
    assert_says(&out, "\nprocess_resident_memory_bytes 5000000\n");
    bq_buf_release(&out);
    tear_down(&f);
}

/* A line is a comment, or a name, perhaps labels, and a number. */
static void assert_well_formed(bq_str line)
{
    size_t space = bq_str_find(line, ' ', 0);
    if (bq_str_starts(line, BQ_STR("# HELP ")) || bq_str_starts(line, BQ_STR("# TYPE ")))
        return;
    while (bq_str_find(line, ' ', space + 1) < line.n)
        space = bq_str_find(line, ' ', space + 1);
    char number[64], *end;
    snprintf(number, sizeof number, "%.*s", (int)(line.n - space - 1), line.p + space + 1);
    (void)strtod(number, &end);
    if (space >= line.n || *end || end == number)
        fail_msg("no sample: %.*s", BQ_STR_ARG(line));
}

static void every_line_is_well_formed(void **state)
{
    (void)state;
    struct fixture f;
    struct bq_buf out = BQ_BUF_INIT;
    set_up(&f);
    answer(tally(&f, 0, "GET", "/items/{id}"), BQ_GET, 200, 50);
    bq_counter_add(&tally(&f, 0, "GET", "/items/{id}")->holds, 1);
    bq_metrics_write(&out, &f.snapshot);
    bq_str all = bq_buf_str(&out);
    for (size_t at = 0; at < all.n;) {
        size_t end = bq_str_find(all, '\n', at);
        assert_true(end < all.n);
        assert_well_formed(bq_str_of(all.p + at, end - at));
        at = end + 1;
    }
    bq_buf_release(&out);
    tear_down(&f);
}

#ifdef BQ_FAULTS
static void without_memory_it_says_so(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    for (long nth = 1; nth <= 3; nth++) {
        struct bq_buf out = BQ_BUF_INIT;
        bq_fault_arm(BQ_FAULT_alloc, nth, true);
        bq_metrics_write(&out, &f.snapshot);
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_true(out.failed);
        bq_buf_release(&out);
    }
    tear_down(&f);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_route_method_and_status),
        cmocka_unit_test(buckets_are_cumulative),
        cmocka_unit_test(a_label_is_escaped),
        cmocka_unit_test(workers_have_series_of_their_own),
        cmocka_unit_test(the_server_says_what_it_is),
        cmocka_unit_test(every_line_is_well_formed),
#ifdef BQ_FAULTS
        cmocka_unit_test(without_memory_it_says_so),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
