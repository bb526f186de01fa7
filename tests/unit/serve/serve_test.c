/* Draining and freeing in every state; and everything that can fail, failed in turn. */
#include "rig.h"

static void on_drained(void *arg)
{
    struct rig *r = arg;
    r->drains++;
}

static void start_drain(struct rig *r)
{
    bq_serve_drain(r->serve, on_drained, r);
}

/* Draining */

static void drain_without_connections_is_done_at_once(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r);
    start_drain(&r);
    assert_int_equal(r.drains, 1);
    turns(&r, 3);
    assert_int_equal(r.drains, 1);
    rig_close(&r);
}

static void drain_closes_idle_connections(void **state)
{
    (void)state;
    struct rig r;
    struct client a, b;
    rig_open(&r);
    client_open(&r, &a);
    client_open(&r, &b);
    client_send(&a, GET("/now"));
    client_send(&b, GET("/now"));
    exchange_bytes(&r, &a);
    start_drain(&r);
    assert_int_equal(r.drains, 0);
    turns(&r, 1);
    assert_int_equal(r.drains, 1);
    exchange_bytes(&r, &a);
    exchange_bytes(&r, &b);
    assert_true(a.ended && b.ended);
    assert_int_equal(answers(&a) + answers(&b), 2);
    client_close(&a);
    client_close(&b);
    rig_close(&r);
}

static void request_that_waits_in_an_idle_connection_is_answered(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    client_send(&c, GET("/now"));
    start_drain(&r);
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_true(c.ended);
    client_close(&c);
    turns(&r, 2);
    assert_int_equal(r.drains, 1);
    rig_close(&r);
}

static void first_request_on_its_way_has_a_moment_of_grace(void **state)
{
    (void)state;
    struct rig r;
    struct client quick, silent;
    rig_open(&r);
    client_open(&r, &quick);
    client_open(&r, &silent);
    start_drain(&r);
    turns(&r, 2);
    client_send(&quick, GET("/now"));
    exchange_bytes(&r, &quick);
    assert_int_equal(answers(&quick), 1);
    assert_true(quick.ended);
    client_close(&quick);
    assert_int_equal(r.drains, 0);
    wait_for_end(&r, &silent, 2000);
    assert_int_equal(silent.received, 0);
    assert_int_equal(r.drains, 1);
    client_close(&silent);
    rig_close(&r);
}

static void drain_waits_for_what_is_in_flight(void **state)
{
    (void)state;
    struct rig r;
    struct client head, body, handling;
    rig_open(&r);
    client_open(&r, &head);
    client_open(&r, &body);
    client_open(&r, &handling);
    client_send(&head, "GET /now HTTP");
    client_send(&body, HEAD("POST", "/echo") "Content-Length: 4\r\n\r\nbo");
    client_send(&handling, GET("/later") GET("/now"));
    turns(&r, 2);
    start_drain(&r);
    turns(&r, 3);
    assert_int_equal(r.drains, 0);
    client_send(&head, "/1.1\r\nHost: a\r\n\r\n");
    client_send(&body, "dy");
    answer_later(&r, BQ_STR("late"));
    struct client *all[] = {&head, &body, &handling};
    for (int i = 0; i < 3; i++) {
        exchange_bytes(&r, all[i]);
        assert_int_equal(answers(all[i]), 1);
        assert_int_equal(count_of(all[i], "onnection: close"), 1);
        assert_true(all[i]->ended);
        client_close(all[i]);
    }
    turns(&r, 2);
    assert_int_equal(r.drains, 1);
    rig_close(&r);
}

static void drain_lets_an_answer_be_written_to_its_end(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.big_bytes = 4 << 20;
    client_open(&r, &c);
    client_send(&c, GET("/big"));
    turns(&r, 2);
    start_drain(&r);
    turns(&r, 2);
    for (int i = 0; i < 200 && !c.ended; i++)
        exchange_bytes(&r, &c);
    assert_true(c.received > r.big_bytes);
    assert_true(c.ended);
    client_close(&c);
    turns(&r, 2);
    assert_int_equal(r.drains, 1);
    rig_close(&r);
}

static void drain_waits_for_a_handler_whose_peer_left(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    turns(&r, 2);
    client_close(&c);
    turns(&r, 3);
    start_drain(&r);
    turns(&r, 3);
    assert_int_equal(r.drains, 0);
    answer_later(&r, BQ_STR("late"));
    turns(&r, 1);
    assert_int_equal(r.drains, 1);
    rig_close(&r);
}

static void drain_takes_in_the_accept_queue(void **state)
{
    (void)state;
    enum { CLIENTS = 5 };
    static struct client c[CLIENTS];
    struct rig r = {0};
    struct sockaddr_in sa;
    struct bq_serve_config config = rig_config(&r);
    config.limits.connections_max = 2;
    rig_open_with(&r, &config);
    assert_int_equal(bq_serve_listen(r.serve, listen_tcp(&sa), false), BQ_OK);
    for (int i = 0; i < CLIENTS; i++) {
        client_connect(&c[i], &sa);
        client_send(&c[i], GET("/now"));
    }
    start_drain(&r);
    for (int i = 0; i < CLIENTS; i++) {
        wait_for_end(&r, &c[i], 2000);
        assert_int_equal(answers(&c[i]), 1);
        assert_false(c[i].was_reset);
        client_close(&c[i]);
    }
    pass(&r, 5);
    assert_int_equal(r.drains, 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), -1);
    close(fd);
    rig_close(&r);
}

static void free_in_drained(void *arg)
{
    struct rig *r = arg;
    r->drains++;
    bq_serve_free(r->serve);
    r->serve = NULL;
}

static void drained_may_free_serve(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    turns(&r, 2);
    bq_serve_drain(r.serve, free_in_drained, &r);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    client_close(&c);
    turns(&r, 3);
    assert_int_equal(r.drains, 1);
    assert_null(r.serve);
    rig_close(&r);
}

/* Freeing */

static void free_resets_connections_in_every_state(void **state)
{
    (void)state;
    struct rig r;
    struct client c[8];
    rig_open(&r);
    for (int i = 0; i < 8; i++)
        client_open(&r, &c[i]);
    r.big_bytes = 4 << 20;
    client_send(&c[1], "GET /");
    client_send(&c[2], HEAD("POST", "/echo") "Content-Length: 4\r\n\r\nbo");
    client_send(&c[3], GET("/later") GET("/now"));
    client_send(&c[4], GET("/onend"));
    client_send(&c[5], "nonsense\r\n\r\n");
    client_send(&c[6], GET("/big"));
    client_send(&c[7], GET("/later"));
    turns(&r, 3);
    client_close(&c[7]);
    turns(&r, 2);
    answer_later(&r, BQ_STR("late")); /* one is dirty */
    bq_serve_free(r.serve);
    r.serve = NULL;
    assert_int_equal(r.pending_count, 0);
    assert_int_equal(r.gones, 2);    /* /onend, and /later on the one whose peer left */
    assert_int_equal(r.abandons, 2); /* the body, and the handler that did not answer */
    assert_int_equal(r.heads, r.requests + 1);
    for (int i = 0; i < 7; i++) {
        client_receive(&c[i]);
        assert_true(c[i].ended);
        client_close(&c[i]);
    }
    rig_close(&r);
}

/* Failures */

#ifdef BQ_FAULTS

static const char life[] = GET("/now")
    HEAD("POST", "/echo") "Content-Length: 300\r\nExpect: 100-continue\r\nUser-Agent: u\r\n\r\n";
static const char later[] =
    HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nT: t\r\n\r\n" GET(
        "/big") GET("/later") GET("/now") GET("/now");

/* A connection's life with everything in it, over TCP. */
static void live(struct rig *r, const struct sockaddr_in *sa)
{
    struct client c;
    char padding[300];
    memset(padding, 'p', sizeof padding);
    client_connect(&c, sa);
    (void)!send(c.fd, life, sizeof life - 1, MSG_NOSIGNAL);
    exchange_bytes(r, &c);
    (void)!send(c.fd, padding, sizeof padding, MSG_NOSIGNAL);
    (void)!send(c.fd, later, sizeof later - 1, MSG_NOSIGNAL);
    exchange_bytes(r, &c);
    while (r->pending_count) {
        answer_later(r, BQ_STR("late"));
        exchange_bytes(r, &c);
    }
    client_close(&c);
}

/* Runs it with the nth call of a site failing. False when that call was never made. */
static bool sweep_once(enum bq_fault_site site, long nth)
{
    struct rig r;
    struct client bystander;
    struct sockaddr_in sa;
    bool hit;
    rig_open(&r);
    client_open(&r, &bystander);
    client_send(&bystander, GET("/now"));
    exchange_bytes(&r, &bystander);
    client_send(&bystander, "GET /no");
    assert_int_equal(bq_serve_listen(r.serve, listen_tcp(&sa), false), BQ_OK);
    turns(&r, 2);
    /* Nothing in the pools: every allocation of a life is made. */
    bq_buf_pool_release(&r.serve->bufs);
    bq_fault_arm(site, nth, false);
    live(&r, &sa);
    hit = bq_fault_hits(site) > 0;
    bq_fault_arm(site, 0, false);
    for (int i = 0; i < 400 && r.serve->counts.open > 1; i++) {
        bq_loop_run_once(r.loop, 1);
        while (r.pending_count)
            answer_later(&r, BQ_STR("late"));
    }
    assert_int_equal(r.serve->counts.open, 1);
    client_send(&bystander, "w HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_bytes(&r, &bystander);
    assert_int_equal(answers(&bystander), 2);
    assert_int_equal(r.heads, r.requests + r.abandons);
    client_close(&bystander);
    rig_close(&r);
    return hit;
}

static void sweep(enum bq_fault_site site, int at_least)
{
    long before = bq_mem_live();
    long n = 1;
    while (n < 200 && sweep_once(site, n)) {
        assert_int_equal(bq_mem_live(), before);
        n++;
    }
    assert_in_range(n - 1, at_least, 199);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    sweep(BQ_FAULT_alloc, 5);
}

static void every_read_may_fail(void **state)
{
    (void)state;
    sweep(BQ_FAULT_read, 2);
}

static void every_write_may_fail(void **state)
{
    (void)state;
    sweep(BQ_FAULT_write, 3);
}

static void every_accept_may_fail(void **state)
{
    (void)state;
    sweep(BQ_FAULT_accept, 1);
}

static void every_watch_may_fail(void **state)
{
    (void)state;
    sweep(BQ_FAULT_epoll_add, 1);
}

static void every_read_may_be_short(void **state)
{
    (void)state;
    sweep(BQ_FAULT_short_read, 2);
}

static void every_write_may_be_short(void **state)
{
    (void)state;
    sweep(BQ_FAULT_short_write, 3);
}

static void want_of_memory_is_answered_with_503(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 503 "), 1);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void answer_without_memory_becomes_503(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now") GET("/later"));
    exchange_bytes(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    answer_later(&r, bq_str_of(r.big, 100000));
    exchange_bytes(&r, &c);
    assert_int_equal(bq_fault_hits(BQ_FAULT_alloc), 1);
    assert_int_equal(count_of(&c, "HTTP/1.1 503 "), 1);
    assert_int_equal(r.record.status, 503);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void connection_ends_where_no_memory_is_left_at_all(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(c.received, 0);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void input_sent_ahead_without_memory_ends_with_the_answer(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    exchange_bytes(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(bq_fault_hits(BQ_FAULT_alloc), 1);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drain_without_connections_is_done_at_once),
        cmocka_unit_test(drain_closes_idle_connections),
        cmocka_unit_test(request_that_waits_in_an_idle_connection_is_answered),
        cmocka_unit_test(first_request_on_its_way_has_a_moment_of_grace),
        cmocka_unit_test(drain_waits_for_what_is_in_flight),
        cmocka_unit_test(drain_lets_an_answer_be_written_to_its_end),
        cmocka_unit_test(drain_waits_for_a_handler_whose_peer_left),
        cmocka_unit_test(drain_takes_in_the_accept_queue),
        cmocka_unit_test(drained_may_free_serve),
        cmocka_unit_test(free_resets_connections_in_every_state),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_read_may_fail),
        cmocka_unit_test(every_write_may_fail),
        cmocka_unit_test(every_accept_may_fail),
        cmocka_unit_test(every_watch_may_fail),
        cmocka_unit_test(every_read_may_be_short),
        cmocka_unit_test(every_write_may_be_short),
        cmocka_unit_test(want_of_memory_is_answered_with_503),
        cmocka_unit_test(answer_without_memory_becomes_503),
        cmocka_unit_test(connection_ends_where_no_memory_is_left_at_all),
        cmocka_unit_test(input_sent_ahead_without_memory_ends_with_the_answer),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
