/* HTTP/1 on a connection: pipelines, bodies, expectations, refusals, the access log. */
#include "rig.h"

static void keep_alive_request_costs_one_read_and_one_write(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    for (int i = 1; i <= 3; i++) {
        client_send(&c, GET("/now"));
        exchange_bytes(&r, &c);
        assert_int_equal(answers(&c), i);
        assert_int_equal(spy.reads, i);
        assert_int_equal(spy.writes, i);
    }
    client_close(&c);
    rig_close(&r);
}

#ifdef BQ_FAULTS
static void keep_alive_request_allocates_nothing(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\n\r\n1234");
    exchange_bytes(&r, &c);
    bq_fault_arm(BQ_FAULT_alloc, 1, true);
    for (int i = 2; i < 10; i++) {
        client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\n\r\n1234");
        exchange_bytes(&r, &c);
        assert_int_equal(answers(&c), i);
    }
    assert_int_equal(bq_fault_hits(BQ_FAULT_alloc), 0);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    client_close(&c);
    rig_close(&r);
}
#endif

static void pipeline_is_answered_in_order_with_one_write(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nfirst" GET("/now")
                        HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nthird");
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 3);
    assert_int_equal(spy.reads, 1);
    assert_int_equal(spy.writes, 1);
    const char *first = strstr(c.in, "\r\n\r\nfirst");
    const char *second = strstr(c.in, "\r\n\r\nok");
    const char *third = strstr(c.in, "\r\n\r\nthird");
    assert_true(first && first < second && second < third);
    client_close(&c);
    rig_close(&r);
}

static void pipeline_waits_for_a_late_answer(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now") GET("/later") GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(r.requests, 2);
    answer_later(&r, BQ_STR("late"));
    assert_int_equal(r.requests, 2); /* respond enters no handler */
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 3);
    assert_true(strstr(c.in, "late") < strstr(strstr(c.in, "late"), "ok"));
    assert_int_equal(spy.writes, 2);
    client_close(&c);
    rig_close(&r);
}

static void pipeline_of_late_answers_advances_one_by_one(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/later") GET("/later") GET("/later"));
    for (int i = 1; i <= 3; i++) {
        exchange_bytes(&r, &c);
        assert_int_equal(r.pending_count, 1);
        answer_later(&r, BQ_STR("late"));
        exchange_bytes(&r, &c);
        assert_int_equal(answers(&c), i);
    }
    client_close(&c);
    rig_close(&r);
}

static void long_pipeline_lets_others_have_their_turn(void **state)
{
    (void)state;
    struct rig r;
    struct client c, other;
    rig_open(&r);
    client_open(&r, &c);
    client_open(&r, &other);
    for (int i = 0; i < BQ_BATCH_MAX * 2 + 10; i++)
        client_send(&c, GET("/now"));
    client_send(&other, GET("/now"));
    turns(&r, 1); /* the after hook does not go on within the turn for ever */
    assert_in_range(r.requests, BQ_BATCH_MAX + 1, 2 * BQ_BATCH_MAX + 1);
    client_receive(&other);
    assert_int_equal(answers(&other), 1);
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), BQ_BATCH_MAX * 2 + 10);
    client_close(&c);
    client_close(&other);
    rig_close(&r);
}

static void same_answers_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] = HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nfirst" GET("/now")
        HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n"
                              "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-T: t1\r\n\r\n" GET("/big");
    struct rig r;
    struct client c;
    char whole[sizeof c.in];
    rig_open(&r);
    r.big_bytes = 500;
    client_open(&r, &c);
    client_send(&c, text);
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 4);
    assert_string_equal(r.last_trailer, "t1");
    memcpy(whole, c.in, sizeof whole);
    client_close(&c);

    client_open(&r, &c);
    for (const char *p = text; *p; p++) {
        client_send_bytes(&c, p, 1);
        turns(&r, 1);
    }
    exchange_bytes(&r, &c);
    assert_int_equal(c.received, strlen(whole));
    client_close(&c);

    client_open(&r, &c);
    spy.read_max = spy.write_max = 1;
    client_send(&c, text);
    for (int i = 0; i < 1000 && c.received < strlen(whole); i++)
        exchange_bytes(&r, &c);
    assert_int_equal(c.received, strlen(whole));
    assert_int_equal(answers(&c), 4);
    client_close(&c);
    rig_close(&r);
}

static void empty_lines_before_a_request_are_skipped_between_events(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, "\r");
    exchange_bytes(&r, &c);
    client_send(&c, "\n" GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    client_close(&c);
    rig_close(&r);
}

static void announced_length_above_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = 10;
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 11\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 413 "), 1);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_int_equal(r.requests, 0);
    assert_int_equal(r.abandons, 1);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void length_at_the_limit_is_taken(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = 5;
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nabcde");
    client_send(&c,
                HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    client_close(&c);
    rig_close(&r);
}

static void chunked_body_is_refused_when_it_passes_the_limit(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = 10;
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(c.received, 0);
    client_send(&c, "3\r\nabc\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 413 "), 1);
    assert_int_equal(r.abandons, 1);
    assert_int_equal(r.requests, 0);
    client_close(&c);
    rig_close(&r);
}

static void announced_gigabyte_costs_nothing(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = UINT64_C(1) << 31;
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 1073741824\r\n\r\nsome");
    exchange_bytes(&r, &c);
    assert_int_equal(conn->state, BQ_CONN_BODY);
    assert_true(conn->work->body.cap <= 65536);
    client_close(&c);
    exchange_bytes(&r, &c);
    assert_int_equal(r.abandons, 1);
    rig_close(&r);
}

static void large_body_arrives_whole(void **state)
{
    (void)state;
    enum { BYTES = 1000000 };
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 1000000\r\n\r\n");
    for (size_t sent = 0; sent < BYTES;) {
        ssize_t n = send(c.fd, r.big, BYTES - sent, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        turns(&r, 1);
    }
    for (int i = 0; i < 50 && c.received < BYTES; i++)
        exchange_bytes(&r, &c);
    assert_true(c.received > BYTES);
    assert_int_equal(answers(&c), 1);
    assert_non_null(r.serve->spare_works.first);
    assert_null(((struct bq_h1_work *)r.serve->spare_works.first)->body.data);
    client_close(&c);
    rig_close(&r);
}

static void continue_is_sent_when_the_body_is_awaited(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_string_equal(c.in, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "body");
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_string_equal(r.last_body, "body");
    client_close(&c);
    rig_close(&r);
}

static void continue_is_not_sent_when_the_body_has_begun(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nb");
    exchange_bytes(&r, &c);
    assert_int_equal(c.received, 0);
    client_send(&c, "ody");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 100"), 0);
    assert_int_equal(answers(&c), 1);
    client_close(&c);
    rig_close(&r);
}

static void continue_is_not_sent_to_http_1_0(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, "POST /echo HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(c.received, 0);
    client_send(&c, "body");
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_true(c.ended);
    client_close(&c);
    rig_close(&r);
}

static void continue_is_not_sent_for_a_body_above_the_limit(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = 3;
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/echo") "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 100"), 0);
    assert_int_equal(count_of(&c, "HTTP/1.1 413"), 1);
    client_close(&c);
    rig_close(&r);
}

static void unwanted_body_that_is_held_back_is_answered_at_once_and_last(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, HEAD("POST", "/refused") "Content-Length: 4\r\nConnection: close\r\n"
                                             "Expect: 100-continue\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 100"), 0);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_int_equal(conn->state, BQ_CONN_LINGERING);
    client_send(&c, "body" GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(r.requests, 1);
    client_close(&c);
    exchange_bytes(&r, &c);
    assert_int_equal(r.serve->counts.open, 0);
    rig_close(&r);
}

static void unwanted_body_that_comes_along_is_discarded(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("POST", "/refused") "Content-Length: 4\r\n\r\nbody" GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 2);
    assert_string_equal(r.last_body, "");
    client_close(&c);
    rig_close(&r);
}

static void connection_close_ends_it_after_the_answer(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("GET", "/now") "Connection: close\r\n\r\n" GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_true(c.ended);
    assert_int_equal(r.requests, 1);
    client_close(&c);
    rig_close(&r);
}

static void http_1_0_ends_unless_it_asks_to_be_kept(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_false(c.ended);
    client_send(&c, "GET /now HTTP/1.0\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_true(c.ended);
    assert_int_equal(answers(&c), 2);
    client_close(&c);
    rig_close(&r);
}

static void last_request_of_a_connection_says_close(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    struct bq_serve_config config = rig_config(&r);
    config.limits.requests_max = 3;
    rig_open_with(&r, &config);
    client_open(&r, &c);
    client_send(&c, GET("/now") GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "onnection: close"), 0);
    client_send(&c, GET("/now") GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 3);
    assert_int_equal(count_of(&c, "onnection: close"), 1);
    assert_true(c.ended);
    assert_int_equal(r.requests, 3);
    client_close(&c);
    rig_close(&r);
}

static void malformed_request_is_answered_after_the_good_ones_before_it(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now") "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(answers(&c), 1);
    assert_int_equal(count_of(&c, "HTTP/1.1 400 "), 1);
    assert_true(strstr(c.in, " 200 ") < strstr(c.in, " 400 "));
    assert_true(c.ended);
    assert_int_equal(r.serve->counts.refused, 1);
    client_close(&c);
    rig_close(&r);
}

static void refused_head_request_gets_no_body(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    r.body_bytes_max = 3;
    client_open(&r, &c);
    client_send(&c, HEAD("HEAD", "/now") "Content-Length: 4\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "HTTP/1.1 413 "), 1);
    assert_string_equal(c.in + c.received - 4, "\r\n\r\n");
    assert_int_equal(r.record.body_bytes, 0);
    client_close(&c);
    rig_close(&r);
}

static void access_record_describes_request_and_answer(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, HEAD("GET", "/now?a=b") "Referer: r\r\nUser-Agent: u\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(r.records, 1);
    assert_string_equal(r.record_text, "GET|/now?a=b|r|u");
    assert_int_equal(r.record.status, 200);
    assert_int_equal(r.record.body_bytes, 2);
    assert_int_equal(r.record.version_minor, 1);
    client_send(&c, HEAD("HEAD", "/now") "\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(r.records, 2);
    assert_int_equal(r.record.body_bytes, 0);
    client_close(&c);
    rig_close(&r);
}

static void access_record_of_an_unreadable_request_is_empty(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, "nonsense\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(r.records, 1);
    assert_string_equal(r.record_text, "|||");
    assert_int_equal(r.record.status, 400);
    assert_int_equal(r.record.duration_us, 0);
    size_t body = strlen(strstr(c.in, "\r\n\r\n") + 4);
    assert_int_equal(r.record.body_bytes, body);
    client_close(&c);
    rig_close(&r);
}

static void counters_follow_requests(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/now") GET("/later"));
    exchange_bytes(&r, &c);
    struct bq_serve_counts counts = bq_serve_counts(r.serve);
    assert_int_equal(counts.requests, 2);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.busy, 1);
    answer_later(&r, BQ_STR("late"));
    exchange_bytes(&r, &c);
    assert_int_equal(bq_serve_counts(r.serve).busy, 0);
    client_close(&c);
    exchange_bytes(&r, &c);
    assert_int_equal(bq_serve_counts(r.serve).open, 0);
    rig_close(&r);
}

static void peer_is_told_to_the_handler(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    char text[64];
    rig_open(&r);
    struct bq_conn *conn = client_open(&r, &c);
    conn->peer = (struct bq_peer){.family = AF_INET, .ip = {127, 0, 0, 9}};
    client_send(&c, GET("/later"));
    exchange_bytes(&r, &c);
    size_t n = r.pending[0]->sink->peer(r.pending[0], text);
    assert_int_equal(n, 9);
    assert_memory_equal(text, "127.0.0.9", 9);
    answer_later(&r, BQ_STR("late"));
    client_close(&c);
    rig_close(&r);
}

#define FROM(peers_client) \
    HEAD("GET", "/later") "X-Forwarded-For: " peers_client "\r\nX-Forwarded-Host: shop\r\n\r\n"

static void assert_client(const struct rig *r, const char *ip, const char *host)
{
    char text[64];
    const struct bq_exchange *ex = r->pending[0];
    assert_int_equal(ex->sink->peer(ex, text), strlen(ip));
    assert_memory_equal(text, ip, strlen(ip));
    assert_true(bq_str_eq(ex->request.host, bq_str_cstr(host)));
}

static void word_of_a_trusted_peer_counts(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    char text[BQ_IP_TEXT_MAX];
    struct bq_networks proxies = {.unix_sockets = true};
    struct bq_serve_config config = rig_config(&r);
    config.trust.proxies = &proxies;
    rig_open_with(&r, &config);
    client_open(&r, &c);
    client_send(&c, FROM("203.0.113.9") FROM("203.0.113.10"));
    exchange_bytes(&r, &c);
    assert_client(&r, "203.0.113.9", "shop");
    answer_later(&r, BQ_STR("late"));
    assert_int_equal(bq_ip_text(&r.record.ip, text), 11);
    assert_memory_equal(text, "203.0.113.9", 11);
    exchange_bytes(&r, &c);
    assert_client(&r, "203.0.113.10", "shop");
    answer_later(&r, BQ_STR("late"));
    client_close(&c);
    rig_close(&r);
}

static void word_of_another_peer_does_not_count(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    struct bq_networks proxies = {.unix_sockets = true};
    struct bq_serve_config config = rig_config(&r);
    config.trust.proxies = &proxies;
    rig_open_with(&r, &config);
    struct bq_conn *conn = client_open(&r, &c);
    conn->peer = (struct bq_peer){.family = AF_INET, .ip = {127, 0, 0, 9}};
    client_send(&c, FROM("203.0.113.9"));
    exchange_bytes(&r, &c);
    assert_client(&r, "127.0.0.9", "a");
    answer_later(&r, BQ_STR("late"));
    assert_int_equal(r.record.ip.bytes[3], 9);
    client_close(&c);
    rig_close(&r);
}

static void each_request_has_an_id_that_its_answer_says(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    struct bq_serve_config config = rig_config(&r);
    config.request_id = true;
    rig_open_with(&r, &config);
    bq_ids_init(&r.serve->ids, UINT64_C(0x0123456789abcdef));
    client_open(&r, &c);
    client_send(&c, GET("/now") HEAD("POST", "/later") "X-Request-Id: theirs\r\n"
                                                       "Content-Length: 9999999\r\n\r\n");
    exchange_bytes(&r, &c);
    assert_int_equal(count_of(&c, "X-Request-Id: 0123456789abcdef0000000000000000\r\n"), 1);
    assert_int_equal(count_of(&c, "X-Request-Id: 0123456789abcdef0000000000000001\r\n"), 1);
    assert_int_equal(count_of(&c, "HTTP/1.1 413 "), 1);
    client_close(&c);
    rig_close(&r);
}

/* Heads of so many bytes that, for some, what is not the head's own is the first that the arena has
 * no room for. */
static void without_memory_for_client_or_id_a_request_is_refused(void **state)
{
    (void)state;
#ifdef BQ_FAULTS
    struct rig r = {0};
    struct bq_networks proxies = {.unix_sockets = true};
    struct bq_serve_config config = rig_config(&r);
    config.request_id = true;
    config.trust.proxies = &proxies;
    int refused = 0;
    rig_open_with(&r, &config);
    for (int pad = 0; pad < BQ_EXCHANGE_ARENA_BYTES; pad += 16) {
        struct client c;
        char request[BQ_EXCHANGE_ARENA_BYTES + 256];
        snprintf(request, sizeof request, HEAD("GET", "/now") "A: %0*d\r\n\r\n", pad + 1, 1);
        client_open(&r, &c);
        client_send(&c, GET("/now")); /* so that there is all that is kept */
        exchange_bytes(&r, &c);
        bq_fault_arm(BQ_FAULT_alloc, 1, false);
        client_send(&c, request);
        exchange_bytes(&r, &c);
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        int unavailable = count_of(&c, "HTTP/1.1 503 ");
        assert_int_equal(answers(&c), 2 - unavailable);
        refused += unavailable;
        client_close(&c);
        exchange_bytes(&r, &c);
    }
    assert_in_range(refused, 2, 100);
    rig_close(&r);
#else
    skip();
#endif
}

static void connection_that_ends_by_surprise_lingers(void **state)
{
    (void)state;
    struct rig r = {0};
    struct client c;
    struct bq_serve_config config = rig_config(&r);
    config.limits.requests_max = 1;
    rig_open_with(&r, &config);
    struct bq_conn *conn = client_open(&r, &c);
    client_send(&c, GET("/now"));
    exchange_bytes(&r, &c);
    assert_int_equal(conn->state, BQ_CONN_LINGERING); /* its next request may be under way */
    client_close(&c);
    rig_close(&r);
}

static void half_an_empty_line_does_not_reach_another_connection(void **state)
{
    (void)state;
    struct rig r;
    struct client a, b;
    rig_open(&r);
    client_open(&r, &a);
    client_open(&r, &b);
    client_send(&a, "\r");
    exchange_bytes(&r, &a);
    client_send(&b, GET("/now"));
    exchange_bytes(&r, &b);
    assert_int_equal(answers(&b), 1);
    client_close(&a);
    client_close(&b);
    rig_close(&r);
}

static void access_record_of_a_bodiless_status_counts_no_body(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    client_open(&r, &c);
    client_send(&c, GET("/empty"));
    exchange_bytes(&r, &c);
    assert_int_equal(r.record.status, 204);
    assert_int_equal(r.record.body_bytes, 0);
    client_close(&c);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_alive_request_costs_one_read_and_one_write),
#ifdef BQ_FAULTS
        cmocka_unit_test(keep_alive_request_allocates_nothing),
#endif
        cmocka_unit_test(pipeline_is_answered_in_order_with_one_write),
        cmocka_unit_test(pipeline_waits_for_a_late_answer),
        cmocka_unit_test(pipeline_of_late_answers_advances_one_by_one),
        cmocka_unit_test(long_pipeline_lets_others_have_their_turn),
        cmocka_unit_test(same_answers_byte_by_byte),
        cmocka_unit_test(empty_lines_before_a_request_are_skipped_between_events),
        cmocka_unit_test(announced_length_above_the_limit_is_refused_unread),
        cmocka_unit_test(length_at_the_limit_is_taken),
        cmocka_unit_test(chunked_body_is_refused_when_it_passes_the_limit),
        cmocka_unit_test(announced_gigabyte_costs_nothing),
        cmocka_unit_test(large_body_arrives_whole),
        cmocka_unit_test(continue_is_sent_when_the_body_is_awaited),
        cmocka_unit_test(continue_is_not_sent_when_the_body_has_begun),
        cmocka_unit_test(continue_is_not_sent_to_http_1_0),
        cmocka_unit_test(continue_is_not_sent_for_a_body_above_the_limit),
        cmocka_unit_test(unwanted_body_that_is_held_back_is_answered_at_once_and_last),
        cmocka_unit_test(unwanted_body_that_comes_along_is_discarded),
        cmocka_unit_test(connection_close_ends_it_after_the_answer),
        cmocka_unit_test(http_1_0_ends_unless_it_asks_to_be_kept),
        cmocka_unit_test(last_request_of_a_connection_says_close),
        cmocka_unit_test(malformed_request_is_answered_after_the_good_ones_before_it),
        cmocka_unit_test(refused_head_request_gets_no_body),
        cmocka_unit_test(access_record_describes_request_and_answer),
        cmocka_unit_test(access_record_of_an_unreadable_request_is_empty),
        cmocka_unit_test(counters_follow_requests),
        cmocka_unit_test(peer_is_told_to_the_handler),
        cmocka_unit_test(each_request_has_an_id_that_its_answer_says),
        cmocka_unit_test(without_memory_for_client_or_id_a_request_is_refused),
        cmocka_unit_test(word_of_a_trusted_peer_counts),
        cmocka_unit_test(word_of_another_peer_does_not_count),
        cmocka_unit_test(connection_that_ends_by_surprise_lingers),
        cmocka_unit_test(half_an_empty_line_does_not_reach_another_connection),
        cmocka_unit_test(access_record_of_a_bodiless_status_counts_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
