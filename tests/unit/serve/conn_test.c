/* A connection's life: what it holds, deadlines, backpressure, ends of either side. */
#include "rig.h"

/* Limits short enough to wait for. */
static void rig_open_with_limit(struct rig *r, size_t offset, uint32_t ms)
{
    memset(r, 0, sizeof *r);
    struct bq_serve_config config = rig_config(r);
    *(uint32_t *)((char *)&config.limits + offset) = ms;
    rig_open_with(r, &config);
}

#define SHORT(r, limit) rig_open_with_limit(r, offsetof(struct bq_serve_limits, limit), 40)

/* Memory */

static void idle_connection_holds_nothing_but_itself(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\n\r\nbody" GET("/big"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_int_equal(conn->state, BQ_CONN_IDLE);
    assert_null(conn->work);
    assert_null(conn->out.data);
    assert_null(conn->rest.data);
    client_close(&c);
    rig_close(&r);
}

/* The deadline has passed, as the timer sees it before the loop comes to the socket. */
static void pass_deadline(struct bq_conn *c)
{
    c->deadline_ms = bq_serve_now_ms(c->serve);
    c->timer.fn(&c->timer);
}

static void what_arrived_in_time_is_not_late_because_it_was_not_read(void **state)
{
    struct rig r;
    struct client c;
    (void)state;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, "GET /now HT");
    turns(&r, 2);
    client_send(&c, "TP/1.1\r\nHost: a\r\n\r\n");
    pass_deadline(conn);
    client_send(&c, GET("/now")); /* nor is a request on an idle connection */
    pass_deadline(conn);
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_int_equal(count_of(&c, " 408 "), 0);

    client_send(&c, "GET /now");
    turns(&r, 2);
    client_send(&c, " HT");
    pass_deadline(conn);
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, " 408 "), 1);
    client_close(&c);
    rig_close(&r);
}

#ifdef BQ_FAULTS
static void idle_connections_cost_one_block_each(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    static struct client c[CLIENTS];
    struct rig r;
    rig_open(&r);
    client_open(&r, &c[0]);
    client_send(&c[0], GET("/now"));
    exchange_bytes(&r, &c[0]);
    long before = bq_mem_live();
    for (int i = 1; i < CLIENTS; i++) {
        client_open(&r, &c[i]);
        client_send(&c[i], GET("/now"));
        exchange_bytes(&r, &c[i]);
        assert_int_equal(answers(&c[i]), 1);
    }
    assert_int_equal(bq_mem_live(), before + CLIENTS - 1);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&c[i]);
    rig_close(&r);
}
#endif

/* Deadlines */

static void idle_connection_is_closed_silently(void **state)
{
    (void)state;
    struct rig r;
    struct client fresh, kept;
    SHORT(&r, idle_ms_max);
    client_open(&r, &fresh);
    client_open(&r, &kept);
    client_send(&kept, GET("/now"));
    exchange_bytes(&r, &kept);
    size_t received = kept.received;
    wait_for_end(&r, &fresh, 2000);
    wait_for_end(&r, &kept, 2000);
    assert_int_equal(fresh.received, 0);
    assert_int_equal(kept.received, received);
    client_close(&fresh);
    client_close(&kept);
    rig_close(&r);
}

static void every_answer_starts_the_idle_time_anew(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, idle_ms_max), 400);
    client_open(&r, &c);
    for (int i = 0; i < 4; i++) {
        pass(&r, 120);
        client_send(&c, GET("/now"));
        exchange_bytes(&r, &c);
    }
    assert_int_equal(answers(&c), 4);
    assert_false(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void empty_lines_do_not_keep_a_connection(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    SHORT(&r, idle_ms_max);
    client_open(&r, &c);
    client_send(&c, "\r\n");
    wait_for_end(&r, &c, 2000);
    assert_int_equal(c.received, 0);
    client_close(&c);
    rig_close(&r);
}

static void half_a_head_is_answered_with_408(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    SHORT(&r, head_ms_max);
    client_open(&r, &c);
    client_send(&c, "GET / HT");
    wait_for_end(&r, &c, 2000);
    assert_int_equal(count_of(&c, "HTTP/1.1 408 "), 1);
    assert_int_equal(r.record.status, 408);
    assert_int_equal(r.heads, 0);
    client_close(&c);
    rig_close(&r);
}

static void dripping_bytes_do_not_extend_the_head_deadline(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, head_ms_max), 100);
    client_open(&r, &c);
    int64_t begin = clock_ms();
    for (int i = 0; i < 500 && !c.ended; i++) {
        (void)!send(c.fd, "a", 1, MSG_NOSIGNAL);
        pass(&r, 5);
        client_receive(&c);
    }
    assert_true(c.ended);
    assert_int_equal(count_of(&c, "HTTP/1.1 408 "), 1);
    assert_in_range(clock_ms() - begin, 90, 2400);
    client_close(&c);
    rig_close(&r);
}

static void body_that_stops_is_answered_with_408(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    SHORT(&r, body_ms_max);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 9\r\n\r\nbody");
    wait_for_end(&r, &c, 2000);
    assert_int_equal(count_of(&c, "HTTP/1.1 408 "), 1);
    assert_int_equal(r.abandons, 1);
    client_close(&c);
    rig_close(&r);
}

static void body_that_moves_is_waited_for(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, body_ms_max), 400);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        pass(&r, 120);
        client_send(&c, "x");
    }
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    client_close(&c);
    rig_close(&r);
}

static void dripping_body_ends_some_day(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, body_ms_max), 30);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 100000\r\n\r\n");
    for (int i = 0; i < 2000 && !c.ended; i++) {
        (void)!send(c.fd, "x", 1, MSG_NOSIGNAL);
        pass(&r, 2);
        client_receive(&c);
    }
    assert_true(c.ended);
    assert_int_equal(count_of(&c, "HTTP/1.1 408 "), 1);
    client_close(&c);
    rig_close(&r);
}

static void handler_may_take_longer_than_any_deadline(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    struct bq_serve_config config = rig_config(&r);
    config.limits.idle_ms_max = config.limits.head_ms_max = 20;
    config.limits.body_ms_max = config.limits.write_ms_max = 20;
    rig_open_with(&r, &config);
    client_open(&r, &c);
    client_send(&c, GET("/later"));
    pass(&r, 80);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    client_close(&c);
    rig_close(&r);
}

static void peer_that_takes_no_byte_is_reset(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    SHORT(&r, write_ms_max);
    r.big_bytes = 4 << 20;
    client_open(&r, &c);
    client_send(&c, GET("/big"));
    pass(&r, 150);
    assert_int_equal(spy.resets, 1);
    assert_int_equal(r.serve->counts.open, 0);
    client_close(&c);
    rig_close(&r);
}

static void write_timeout_under_a_handler_waits_for_its_answer(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    SHORT(&r, write_ms_max);
    r.big_bytes = 250 << 10;
    int small = 4096;
    struct bq_conn *conn = client_open(&r, &c);
    setsockopt(conn->transport.watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client_send(&c, GET("/big") GET("/later"));
    pass(&r, 150);
    assert_int_equal(conn->state, BQ_CONN_GONE);
    assert_int_equal(r.gones, 1);
    assert_null(conn->out.data);
    pass(&r, 20);
    answer_later(&r, BQ_STR("late"));
    turns(&r, 2);
    assert_int_equal(r.serve->counts.open, 0);
    client_close(&c);
    rig_close(&r);
}

static void slow_reader_is_not_idle(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, idle_ms_max), 200);
    r.big_bytes = 4 << 20;
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/big"));
    pass(&r, 300);
    uint64_t begin_ms = bq_loop_now_ms(r.loop);
    for (int i = 0; i < 100 && c.received < r.big_bytes; i++)
        exchange_bytes(&r, &c);
    assert_true(c.received > r.big_bytes);
    assert_true(conn->deadline_ms >= begin_ms + 200);
    wait_for_end(&r, &c, 2000);
    client_close(&c);
    rig_close(&r);
}

/* Backpressure */

static void client_that_does_not_read_is_not_read(void **state)
{
    (void)state;
    enum { REQUESTS = 600 };
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    int sent = 0;
    for (; sent < REQUESTS; sent++) {
        if (send(c.fd, GET("/big"), strlen(GET("/big")), MSG_NOSIGNAL) < 0)
            break;
        turns(&r, 1);
        assert_true(bq_buf_size(&conn->out) <= BQ_OUT_BYTES_MAX + r.big_bytes + 4096);
        assert_true(bq_buf_size(&conn->rest) <= BQ_INPUT_BYTES);
    }
    int handled = r.requests;
    assert_true(handled < sent);
    assert_int_equal(conn->transport.watch.want, BQ_WRITE);
    int reads = spy.reads;
    turns(&r, 10); /* nothing to do, and it is not done over and over */
    assert_int_equal(spy.reads, reads);
    for (int i = 0; i < 2000 && r.requests < sent; i++)
        exchange_bytes(&r, &c);
    for (int i = 0; i < 20; i++)
        exchange_bytes(&r, &c);
    assert_int_equal(r.requests, sent);
    assert_true(c.received > (size_t)sent * r.big_bytes);
    assert_int_equal(conn->transport.watch.want, BQ_READ);
    client_close(&c);
    rig_close(&r);
}

static void input_behind_a_handler_is_bounded(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    size_t sent = 0;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/later"));
    for (int i = 0; i < 200; i++) {
        ssize_t n = send(c.fd, GET("/now") GET("/now"), 2 * strlen(GET("/now")), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    }
    for (int i = 0; i < 20000; i++)
        if (send(c.fd, GET("/now"), strlen(GET("/now")), MSG_NOSIGNAL) ==
            (ssize_t)strlen(GET("/now")))
            sent += strlen(GET("/now"));
        else
            turns(&r, 1);
    assert_true(bq_buf_size(&conn->rest) <= BQ_INPUT_BYTES);
    assert_true(sent > BQ_INPUT_BYTES);
    assert_int_equal(conn->transport.watch.want, 0);
    answer_later(&r, BQ_STR("late"));
    for (int i = 0; i < 200; i++)
        exchange_bytes(&r, &c);
    assert_int_equal(r.requests, 1 + (int)(sent / strlen(GET("/now"))));
    assert_int_equal(conn->state, BQ_CONN_IDLE);
    client_close(&c);
    rig_close(&r);
}

/* The peer's end */

static void half_closed_client_gets_its_answers(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now") GET("/later") GET("/now"));
    shutdown(c.fd, SHUT_WR);
    exchange_bytes(&r, &c);
    assert_int_equal(r.gones, 1);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 3);
    assert_true(c.ended);
    assert_int_equal(r.gones, 1);
    client_close(&c);
    rig_close(&r);
}

static void half_closed_client_with_half_a_request_is_closed(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later") "GET /no");
    shutdown(c.fd, SHUT_WR);
    exchange_bytes(&r, &c);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_true(c.ended);
    assert_int_equal(r.serve->counts.open, 0);
    client_close(&c);
    rig_close(&r);
}

static void waiting_for_a_handler_after_the_end_of_input_does_not_spin(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/later"));
    shutdown(c.fd, SHUT_WR);
    exchange_bytes(&r, &c);
    int reads = spy.reads;
    turns(&r, 20);
    assert_int_equal(spy.reads, reads);
    assert_int_equal(conn->transport.watch.want, 0);
    answer_later(&r, BQ_STR("late"));
    client_close(&c);
    rig_close(&r);
}

static void handler_whose_peer_left_answers_nobody(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/later") GET("/now"));
    exchange_bytes(&r, &c);
    client_close(&c);
    turns(&r, 4);
    assert_int_equal(r.gones, 1);
    assert_int_equal(conn->state, BQ_CONN_GONE);
    assert_int_equal(spy.closes, 1); /* the descriptor is not held for the handler's sake */
    turns(&r, 4);
    answer_later(&r, BQ_STR("late"));
    turns(&r, 1);
    assert_int_equal(r.serve->counts.open, 0);
    assert_int_equal(r.serve->counts.busy, 0);
    assert_int_equal(r.requests, 1);
    assert_int_equal(spy.writes, 0);
    rig_close(&r);
}

static void handler_may_answer_when_it_hears_gone(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/onend"));
    exchange_bytes(&r, &c);
    shutdown(c.fd, SHUT_WR);
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_true(c.ended);
    client_close(&c);

    client_open(&r, &c);
    spy.write_max = 1; /* the peer leaves while an answer is being written */
    client_send(&c, GET("/now") GET("/onend"));
    turns(&r, 3);
    client_close(&c);
    turns(&r, 4);
    assert_int_equal(r.gones, 2);
    assert_int_equal(r.serve->counts.open, 0);
    rig_close(&r);
}

static void client_may_leave_at_every_byte_of_a_request(void **state)
{
    (void)state;
    static const char text[] = GET("/now")
        HEAD("POST", "/echo") "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nbody" HEAD(
            "POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nT: "
                             "t\r\n\r\n" GET("/later");
    struct rig r;
    struct client c;
    rig_open(&r);
    for (int how = 0; how < 2; how++)
        for (size_t n = 0; n <= sizeof text - 1; n++) {
            client_open(&r, &c);
            client_send_bytes(&c, text, n);
            if (how)
                turns(&r, 1);
            client_close(&c);
            turns(&r, 4);
            while (r.pending_count)
                answer_later(&r, BQ_STR("late"));
            turns(&r, 1);
            assert_int_equal(r.serve->counts.open, 0);
            assert_int_equal(r.serve->counts.busy, 0);
        }
    assert_int_equal(r.heads, r.requests + r.abandons);
    rig_close(&r);
}

/* Lingering, where TCP makes the difference */

static void client_still_sending_sees_the_refusal(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    struct sockaddr_in sa;
    rig_open(&r);
    r.body_bytes_max = 10;
    assert_int_equal(bq_serve_listen(r.serve, listen_tcp(&sa), false), BQ_OK);
    client_connect(&c, &sa);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 500000\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        client_send_bytes(&c, r.big, 10000);
        pass(&r, 1);
    }
    exchange_bytes(&r, &c);
    wait_for_end(&r, &c, 1000);
    assert_int_equal(count_of(&c, "HTTP/1.1 413 "), 1);
    assert_false(c.was_reset);
    assert_int_equal(r.serve->counts.open, 1);
    client_close(&c);
    pass(&r, 20);
    assert_int_equal(r.serve->counts.open, 0);
    rig_close(&r);
}

static void lingering_discards_a_bounded_number_of_bytes(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    size_t sent = 0;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, "nonsense\r\n\r\n");
    for (int i = 0; i < 4000 && r.serve->counts.open; i++) {
        ssize_t n = send(c.fd, r.big, 10000, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        turns(&r, 1);
    }
    assert_int_equal(r.serve->counts.open, 0);
    assert_in_range(sent, BQ_LINGER_BYTES_MAX - 65536, 3 * BQ_LINGER_BYTES_MAX);
    client_close(&c);
    rig_close(&r);
}

static void lingering_ends_in_time(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, "nonsense\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(conn->state, BQ_CONN_LINGERING);
    uint64_t now_ms = bq_loop_now_ms(r.loop);
    assert_in_range(conn->deadline_ms, now_ms + BQ_LINGER_MS_MAX - 500, now_ms + BQ_LINGER_MS_MAX);
    conn->deadline_ms = now_ms + 1;
    bq_timer_set(bq_loop_watch_wheel(r.loop), &conn->timer, now_ms + 1);
    pass(&r, 20);
    assert_int_equal(r.serve->counts.open, 0);
    client_close(&c);
    rig_close(&r);
}

static void answer_to_a_client_that_closes_needs_no_lingering(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("GET", "/now") "Connection: close\r\n\r\n");
    turns(&r, 2);
    assert_int_equal(r.serve->counts.open, 0);
    assert_int_equal(spy.resets, 0);
    client_close(&c);
    rig_close(&r);
}

static void peer_that_only_sends_is_reset_all_the_same(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    int small = 4096;
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, write_ms_max), 100);
    r.big_bytes = 250 << 10;
    struct bq_conn *conn = client_open(&r, &c);
    setsockopt(conn->transport.watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client_send(&c, GET("/big") GET("/later"));
    for (int i = 0; i < 400 && conn->state != BQ_CONN_GONE; i++) {
        client_send(&c, "G"); /* each causes a run, which tries to write */
        pass(&r, 5);
    }
    assert_int_equal(conn->state, BQ_CONN_GONE);
    answer_later(&r, BQ_STR("late"));
    client_close(&c);
    rig_close(&r);
}

static void peer_that_takes_little_but_often_is_not_reset(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    char buf[16384];
    rig_open_with_limit(&r, offsetof(struct bq_serve_limits, write_ms_max), 300);
    r.big_bytes = 4 << 20;
    client_open(&r, &c);
    client_send(&c, GET("/big"));
    for (int i = 0; i < 30; i++) {
        pass(&r, 20);
        for (int k = 0; k < 4; k++)
            assert_true(recv(c.fd, buf, sizeof buf, 0) > 0);
    }
    assert_int_equal(r.serve->counts.open, 1);
    client_close(&c);
    rig_close(&r);
}

static void input_is_left_in_the_socket_while_output_is_backed_up(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.big_bytes = 4 << 20;
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/big"));
    turns(&r, 2);
    client_send(&c, GET("/now"));
    turns(&r, 4);
    assert_int_equal(spy.reads, 1);
    assert_int_equal(conn->transport.watch.want, BQ_WRITE);
    for (int i = 0; i < 100 && r.requests < 2; i++)
        exchange_bytes(&r, &c);
    assert_int_equal(r.requests, 2);
    client_close(&c);
    rig_close(&r);
}

static void input_behind_the_last_request_is_neither_kept_nor_read(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, HEAD("GET", "/later") "Connection: close\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(conn->transport.watch.want, BQ_READ); /* the peer may leave */
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(conn->transport.watch.want, 0);
    assert_null(conn->rest.data);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(conn->state, BQ_CONN_LINGERING);
    client_close(&c);
    rig_close(&r);
}

static void last_request_of_a_pipeline_with_more_behind_it_lingers(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/later") HEAD("GET", "/now") "Connection: close\r\n\r\n" GET("/now"));
    exchange_bytes(&r, &c);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_int_equal(conn->state, BQ_CONN_LINGERING);
    assert_null(conn->rest.data);
    client_close(&c);
    rig_close(&r);
}

static void last_request_that_fills_the_buffer_lingers(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    char head[256];
    rig_open(&r);
    int n = snprintf(head, sizeof head,
                     HEAD("POST", "/now") "Connection: close\r\nContent-Length: %05d\r\n\r\n", 0);
    int body = (int)BQ_INPUT_BYTES - n;
    snprintf(head, sizeof head,
             HEAD("POST", "/now") "Connection: close\r\nContent-Length: %05d\r\n\r\n", body);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, head);
    client_send_bytes(&c, r.big, (size_t)body);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(conn->state, BQ_CONN_LINGERING);
    client_close(&c);
    rig_close(&r);
}

static void nobody_lingers_for_a_peer_that_has_ended(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later") "nonsense\r\n\r\n");
    shutdown(c.fd, SHUT_WR);
    exchange_bytes(&r, &c);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 400 "), 1);
    assert_int_equal(r.serve->counts.open, 0);
    client_close(&c);
    rig_close(&r);
}

static void draining_looks_once_more_for_a_request(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    client_send(&c, GET("/now"));
    bq_conn_drain(conn); /* before the loop has seen it */
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_arrived_in_time_is_not_late_because_it_was_not_read),
        cmocka_unit_test(idle_connection_holds_nothing_but_itself),
#ifdef BQ_FAULTS
        cmocka_unit_test(idle_connections_cost_one_block_each),
#endif
        cmocka_unit_test(idle_connection_is_closed_silently),
        cmocka_unit_test(every_answer_starts_the_idle_time_anew),
        cmocka_unit_test(empty_lines_do_not_keep_a_connection),
        cmocka_unit_test(half_a_head_is_answered_with_408),
        cmocka_unit_test(dripping_bytes_do_not_extend_the_head_deadline),
        cmocka_unit_test(body_that_stops_is_answered_with_408),
        cmocka_unit_test(body_that_moves_is_waited_for),
        cmocka_unit_test(dripping_body_ends_some_day),
        cmocka_unit_test(handler_may_take_longer_than_any_deadline),
        cmocka_unit_test(peer_that_takes_no_byte_is_reset),
        cmocka_unit_test(write_timeout_under_a_handler_waits_for_its_answer),
        cmocka_unit_test(slow_reader_is_not_idle),
        cmocka_unit_test(client_that_does_not_read_is_not_read),
        cmocka_unit_test(input_behind_a_handler_is_bounded),
        cmocka_unit_test(half_closed_client_gets_its_answers),
        cmocka_unit_test(half_closed_client_with_half_a_request_is_closed),
        cmocka_unit_test(waiting_for_a_handler_after_the_end_of_input_does_not_spin),
        cmocka_unit_test(handler_whose_peer_left_answers_nobody),
        cmocka_unit_test(handler_may_answer_when_it_hears_gone),
        cmocka_unit_test(client_may_leave_at_every_byte_of_a_request),
        cmocka_unit_test(client_still_sending_sees_the_refusal),
        cmocka_unit_test(lingering_discards_a_bounded_number_of_bytes),
        cmocka_unit_test(lingering_ends_in_time),
        cmocka_unit_test(answer_to_a_client_that_closes_needs_no_lingering),
        cmocka_unit_test(peer_that_only_sends_is_reset_all_the_same),
        cmocka_unit_test(peer_that_takes_little_but_often_is_not_reset),
        cmocka_unit_test(input_is_left_in_the_socket_while_output_is_backed_up),
        cmocka_unit_test(input_behind_the_last_request_is_neither_kept_nor_read),
        cmocka_unit_test(last_request_of_a_pipeline_with_more_behind_it_lingers),
        cmocka_unit_test(last_request_that_fills_the_buffer_lingers),
        cmocka_unit_test(nobody_lingers_for_a_peer_that_has_ended),
        cmocka_unit_test(draining_looks_once_more_for_a_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
