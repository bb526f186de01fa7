/* proxy_conn_test.c: connections that begin with a PROXY header: who is believed, in any pieces,
 * late, in another worker, at the end. Peers are UNIX sockets. */
#include "rig.h"

#define LINE "PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"

/* A head's time: enough for what comes in pieces, also where many tests run at once. */
#define HEAD_MS 300

struct proxied {
    struct rig r;
    struct bq_networks proxies;
    struct client client;
};

static void open_as(struct proxied *p, enum bq_proxy_protocol whose, bool trusted)
{
    struct bq_serve_config config = rig_config(&p->r);
    config.proxy_protocol = whose;
    config.trust.proxies = trusted ? &p->proxies : NULL;
    config.limits.head_ms_max = HEAD_MS;
    p->proxies.unix_sockets = true;
    rig_open_with(&p->r, &config);
}

static int setup(void **state)
{
    struct proxied *p = calloc(1, sizeof *p);
    p->client.fd = -1;
    open_as(p, BQ_PROXY_PROTOCOL_TRUSTED, true);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct proxied *p = *state;
    client_close(&p->client);
    rig_close(&p->r);
    free(p);
    return 0;
}

static void client_is(const struct rig *r, const char *ip)
{
    char text[64];
    assert_int_equal(r->pending_count, 1);
    assert_int_equal(r->pending[0]->sink->peer(r->pending[0], text), strlen(ip));
    assert_memory_equal(text, ip, strlen(ip));
}

static void a_header_names_the_client_of_all_requests(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, LINE GET("/later") GET("/later"));
    for (int i = 0; i < 2; i++) {
        exchange_bytes(&p->r, &p->client);
        client_is(&p->r, "203.0.113.9");
        answer_later(&p->r, BQ_STR("late"));
        assert_int_equal(p->r.record.ip.bytes[0], 203);
    }
    exchange_bytes(&p->r, &p->client);
    assert_int_equal(answers(&p->client), 2);
}

static void it_may_come_in_any_pieces(void **state)
{
    static const char text[] = LINE GET("/now");
    struct proxied *p = *state;
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        client_open(&p->r, &p->client);
        client_send_bytes(&p->client, text, cut);
        turns(&p->r, 2);
        client_send_bytes(&p->client, text + cut, sizeof text - 1 - cut);
        exchange_bytes(&p->r, &p->client);
        assert_int_equal(answers(&p->client), 1);
        client_close(&p->client);
        turns(&p->r, 2);
    }
}

static void one_that_names_nobody_leaves_the_peer(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, "PROXY UNKNOWN\r\n" GET("/later"));
    exchange_bytes(&p->r, &p->client);
    client_is(&p->r, "");
    answer_later(&p->r, BQ_STR("late"));
}

/* Closed, without an answer. */
static void is_refused(struct proxied *p, const char *text)
{
    client_open(&p->r, &p->client);
    client_send(&p->client, text);
    exchange_bytes(&p->r, &p->client);
    assert_true(p->client.ended);
    assert_int_equal(p->client.received, 0);
    assert_int_equal(p->r.heads, 0);
    assert_int_equal(bq_serve_counts(p->r.serve).open, 0);
    client_close(&p->client);
}

static void a_connection_without_one_is_closed(void **state)
{
    struct proxied *p = *state;
    is_refused(p, GET("/now"));
    is_refused(p, "PROXY nonsense\r\n" GET("/now"));
    assert_int_equal(p->r.serve->proxy_unsaid, 1); /* in the log there is a line for the first */
}

static void reopen_as(struct proxied *p, enum bq_proxy_protocol whose, bool trusted)
{
    rig_close(&p->r);
    memset(&p->r, 0, sizeof p->r);
    open_as(p, whose, trusted);
}

static void who_is_not_trusted_may_name_nobody(void **state)
{
    struct proxied *p = *state;
    reopen_as(p, BQ_PROXY_PROTOCOL_TRUSTED, false);
    is_refused(p, LINE GET("/now"));
    client_open(&p->r, &p->client);
    client_send_bytes(&p->client, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
    client_send(&p->client, GET("/now"));
    exchange_bytes(&p->r, &p->client);
    assert_int_equal(answers(&p->client), 1);
}

static void any_means_any(void **state)
{
    struct proxied *p = *state;
    reopen_as(p, BQ_PROXY_PROTOCOL_ANY, false);
    client_open(&p->r, &p->client);
    client_send(&p->client, LINE GET("/later"));
    exchange_bytes(&p->r, &p->client);
    client_is(&p->r, "203.0.113.9");
    answer_later(&p->r, BQ_STR("late"));
}

static void a_client_that_is_named_cannot_name_others(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, LINE HEAD("GET", "/later") "X-Forwarded-For: 6.6.6.6\r\n\r\n");
    exchange_bytes(&p->r, &p->client);
    client_is(&p->r, "203.0.113.9");
    answer_later(&p->r, BQ_STR("late"));
}

static void a_header_has_as_long_as_a_head(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, "PROXY ");
    pass(&p->r, HEAD_MS / 2);
    client_receive(&p->client);
    assert_false(p->client.ended);
    client_send(&p->client, "TCP4 "); /* extends nothing */
    wait_for_end(&p->r, &p->client, 5000);
    assert_int_equal(p->client.received, 0);
}

static void behind_it_a_client_may_be_idle(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, "PROXY ");
    turns(&p->r, 2);
    client_send(&p->client, "UNKNOWN\r\n");
    pass(&p->r, 2 * HEAD_MS);
    client_send(&p->client, GET("/now"));
    exchange_bytes(&p->r, &p->client);
    assert_int_equal(answers(&p->client), 1);
}

static void who_leaves_in_the_middle_is_forgotten(void **state)
{
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, "PROXY TCP4");
    turns(&p->r, 2);
    client_close(&p->client);
    turns(&p->r, 4);
    assert_int_equal(bq_serve_counts(p->r.serve).open, 0);
}

static void another_worker_takes_it_over_at_every_byte(void **state)
{
    static const char text[] = LINE GET("/now");
    struct proxied *p = *state, *to = calloc(1, sizeof *to);
    open_as(to, BQ_PROXY_PROTOCOL_TRUSTED, true);
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        client_open(&p->r, &p->client);
        client_send_bytes(&p->client, text, cut);
        turns(&p->r, 3);
        client_send_bytes(&p->client, text + cut, sizeof text - 1 - cut);
        assert_int_equal(bq_serve_take_ready(to->r.serve, p->r.serve), 1);
        exchange_bytes(&to->r, &p->client);
        assert_int_equal(answers(&p->client), 1);
        assert_int_equal(to->r.record.ip.bytes[0], 203);
        client_close(&p->client);
        turns(&to->r, 3);
    }
    assert_int_equal(bq_serve_counts(p->r.serve).open, 0);
    assert_int_equal(bq_serve_counts(to->r.serve).open, 0);
    rig_close(&to->r);
    free(to);
}

static void on_drained(void *arg)
{
    ((struct rig *)arg)->drains++;
}

static void draining_waits_for_it_a_moment_only(void **state)
{
    struct proxied *p = *state;
    struct client late;
    client_open(&p->r, &p->client);
    client_open(&p->r, &late);
    client_send(&p->client, "PROXY TCP4 ");
    client_send(&late, "PROXY ");
    turns(&p->r, 2);
    bq_serve_drain(p->r.serve, on_drained, &p->r);
    turns(&p->r, 2);
    client_send(&p->client, "203.0.113.9 10.0.0.1 4711 80\r\n" GET("/now"));
    exchange_bytes(&p->r, &p->client);
    assert_int_equal(answers(&p->client), 1);
    client_send(&late, "UNKNOWN\r\n");
    wait_for_end(&p->r, &late, 5000);
    wait_for_end(&p->r, &p->client, 5000);
    client_close(&p->client);
    client_close(&late);
    turns(&p->r, 3);
    assert_int_equal(p->r.drains, 1);
}

static void without_memory_for_a_part_it_is_closed(void **state)
{
#ifdef BQ_FAULTS
    struct proxied *p = *state;
    client_open(&p->r, &p->client);
    client_send(&p->client, "PROXY ");
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    exchange_bytes(&p->r, &p->client);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_true(p->client.ended);
    assert_int_equal(bq_serve_counts(p->r.serve).open, 0);
#else
    skip();
#endif
    (void)state;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_header_names_the_client_of_all_requests),
        TEST(it_may_come_in_any_pieces),
        TEST(one_that_names_nobody_leaves_the_peer),
        TEST(a_connection_without_one_is_closed),
        TEST(who_is_not_trusted_may_name_nobody),
        TEST(any_means_any),
        TEST(a_client_that_is_named_cannot_name_others),
        TEST(a_header_has_as_long_as_a_head),
        TEST(behind_it_a_client_may_be_idle),
        TEST(who_leaves_in_the_middle_is_forgotten),
        TEST(another_worker_takes_it_over_at_every_byte),
        TEST(draining_waits_for_it_a_moment_only),
        TEST(without_memory_for_a_part_it_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
