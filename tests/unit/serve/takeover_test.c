/*
 * takeover_test.c: connections that change their worker, at every point of their life. Two workers
 * in one thread: b takes over while a's loop does not turn, as if a were inside Lua.
 */
#include "rig.h"

#include <netinet/in.h>

struct two {
    struct rig a, b;
    struct client client;
};

static int open_two(void **state)
{
    struct two *t = calloc(1, sizeof *t);
    rig_open(&t->a);
    rig_open(&t->b);
    t->client.fd = -1;
    *state = t;
    return 0;
}

static int close_two(void **state)
{
    struct two *t = *state;
    client_close(&t->client);
    rig_close(&t->a);
    rig_close(&t->b);
    free(t);
    return 0;
}

static unsigned take(struct two *t)
{
    return bq_serve_take_ready(t->b.serve, t->a.serve);
}

static void owned_by(const struct two *t, uint32_t a, uint32_t b)
{
    assert_int_equal(bq_serve_counts(t->a.serve).open, a);
    assert_int_equal(bq_serve_counts(t->b.serve).open, b);
}

static void nobody_is_busy(const struct two *t)
{
    assert_int_equal(bq_serve_counts(t->a.serve).busy, 0);
    assert_int_equal(bq_serve_counts(t->b.serve).busy, 0);
}

static void a_request_that_waits_is_answered_by_the_other(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client, GET("/now"));
    assert_int_equal(take(t), 1);
    owned_by(t, 0, 1);
    exchange_bytes(&t->b, &t->client);
    assert_int_equal(answers(&t->client), 1);
    assert_int_equal(t->a.requests, 0);
    assert_int_equal(t->b.requests, 1);
    assert_int_equal(t->b.records, 1);
    nobody_is_busy(t);
    turns(&t->a, 3);
}

static void it_can_go_back_again(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    for (int i = 0; i < 3; i++) {
        client_send(&t->client, GET("/now"));
        assert_int_equal(take(t), 1);
        exchange_bytes(&t->b, &t->client);
        client_send(&t->client, GET("/now"));
        assert_int_equal(bq_serve_take_ready(t->a.serve, t->b.serve), 1);
        exchange_bytes(&t->a, &t->client);
    }
    assert_int_equal(answers(&t->client), 6);
    owned_by(t, 1, 0);
}

static void one_with_nothing_to_do_stays(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    assert_int_equal(take(t), 0);
    owned_by(t, 1, 0);
}

static void all_means_also_those_with_nothing_to_do(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    assert_int_equal(bq_serve_take_all(t->b.serve, t->a.serve), 1);
    owned_by(t, 0, 1);
    client_send(&t->client, GET("/now"));
    exchange_bytes(&t->b, &t->client);
    assert_int_equal(answers(&t->client), 1);
}

/* Sends text in two parts, the second one when the connection has moved, for every place to cut. */
static void moves_at_every_byte(struct two *t, const char *text, const char *expected_body)
{
    size_t n = strlen(text);
    for (size_t cut = 1; cut < n; cut++) {
        client_open(&t->a, &t->client);
        client_send_bytes(&t->client, text, cut);
        turns(&t->a, 3);
        client_send_bytes(&t->client, text + cut, n - cut);
        assert_int_equal(take(t), 1);
        exchange_bytes(&t->b, &t->client);
        assert_int_equal(answers(&t->client), 1);
        assert_string_equal(t->b.last_body, expected_body);
        assert_int_equal(t->b.requests, (int)cut);
        client_close(&t->client);
        turns(&t->b, 3);
        owned_by(t, 0, 0);
        nobody_is_busy(t);
    }
    assert_int_equal(t->a.requests, 0);
    assert_int_equal(t->a.abandons, 0);
    assert_int_equal(t->b.heads, t->b.requests);
}

static void a_half_read_request_moves_at_every_byte(void **state)
{
    moves_at_every_byte(*state, HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nhello", "hello");
}

static void a_half_read_chunked_request_moves_at_every_byte(void **state)
{
    moves_at_every_byte(*state,
                        HEAD("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n"
                                              "3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\nt: v\r\n\r\n",
                        "hello");
}

static void a_client_that_was_told_to_continue_moves(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client,
                HEAD("POST", "/echo") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    exchange_bytes(&t->a, &t->client);
    assert_int_equal(count_of(&t->client, "100 Continue"), 1);
    client_send(&t->client, "hello");
    assert_int_equal(take(t), 1);
    exchange_bytes(&t->b, &t->client);
    assert_int_equal(answers(&t->client), 1);
    assert_int_equal(count_of(&t->client, "100 Continue"), 1);
    assert_string_equal(t->b.last_body, "hello");
}

static void a_pipeline_that_was_put_off_moves_and_stays_in_order(void **state)
{
    struct two *t = *state;
    char *text = calloc(3 * BQ_BATCH_MAX, sizeof GET("/now"));
    for (int i = 0; i < 3 * BQ_BATCH_MAX; i++)
        memcpy(text + strlen(text), GET("/now"), sizeof GET("/now"));
    client_open(&t->a, &t->client);
    client_send(&t->client, text);
    free(text);
    bq_loop_run_once(t->a.loop, 0); /* a batch, and the hook's */
    assert_false(bq_list_empty(&t->a.serve->dirty));
    assert_int_equal(take(t), 1);
    assert_true(bq_list_empty(&t->a.serve->dirty));
    for (int i = 0; i < 10; i++)
        exchange_bytes(&t->b, &t->client);
    assert_int_equal(t->a.requests + t->b.requests, 3 * BQ_BATCH_MAX);
    assert_true(t->a.requests > 0);
    assert_true(t->b.requests > 0);
    assert_int_equal(answers(&t->client), 3 * BQ_BATCH_MAX);
}

static void one_whose_answer_is_awaited_stays(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client, GET("/later"));
    turns(&t->a, 3);
    client_send(&t->client, GET("/now"));
    assert_int_equal(take(t), 0);
    owned_by(t, 1, 0);
    answer_later(&t->a, BQ_STR("late"));
    exchange_bytes(&t->a, &t->client);
    assert_int_equal(answers(&t->client), 2);
    assert_int_equal(t->a.requests, 2);
}

static void one_that_runs_stays(void **state)
{
    struct two *t = *state;
    struct bq_conn *c = client_open(&t->a, &t->client);
    client_send(&t->client, GET("/now"));
    c->running = true;
    assert_int_equal(take(t), 0);
    c->running = false;
    assert_int_equal(take(t), 1);
}

static void output_that_the_client_has_not_taken_moves(void **state)
{
    struct two *t = *state;
    t->a.big_bytes = 4 << 20;
    client_open(&t->a, &t->client);
    client_send(&t->client, GET("/big"));
    turns(&t->a, 3);
    client_receive(&t->client); /* room for more */
    assert_int_equal(take(t), 1);
    for (int i = 0; i < 2000 && t->client.received < t->a.big_bytes; i++)
        exchange_bytes(&t->b, &t->client);
    assert_true(t->client.received > t->a.big_bytes);
    client_send(&t->client, GET("/now"));
    size_t before = t->client.received;
    exchange_bytes(&t->b, &t->client);
    assert_true(t->client.received > before);
    owned_by(t, 0, 1);
}

static void one_that_lingers_moves_and_ends(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client, "NONSENSE\r\n\r\n");
    exchange_bytes(&t->a, &t->client);
    assert_int_equal(count_of(&t->client, "HTTP/1.1 400 "), 1);
    client_send(&t->client, "more");
    assert_int_equal(take(t), 1);
    shutdown(t->client.fd, SHUT_WR);
    turns(&t->b, 5);
    owned_by(t, 0, 0);
}

static void a_client_that_has_left_moves_and_ends(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_close(&t->client);
    assert_int_equal(take(t), 1);
    turns(&t->b, 3);
    owned_by(t, 0, 0);
    assert_int_equal(t->a.abandons + t->b.abandons, 0);
}

static void a_body_that_is_cut_after_the_move_is_abandoned_by_the_new_worker_only(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client, HEAD("POST", "/echo") "Content-Length: 5\r\n\r\nhe");
    turns(&t->a, 3);
    client_close(&t->client);
    assert_int_equal(take(t), 1);
    turns(&t->b, 3);
    assert_int_equal(t->a.abandons, 0);
    assert_int_equal(t->b.abandons, 1);
    nobody_is_busy(t);
}

static void deadlines_go_on(void **state)
{
    struct two *t = *state;
    t->a.serve->config.limits.head_ms_max = 100;
    client_open(&t->a, &t->client);
    client_send(&t->client, "GET /now HT");
    turns(&t->a, 3);
    client_send(&t->client, "T");
    assert_int_equal(take(t), 1);
    wait_for_end(&t->b, &t->client, 5000); /* the old worker's 100 ms, not the new one's 10 s */
    assert_int_equal(count_of(&t->client, "HTTP/1.1 408 "), 1);
}

static void a_moved_connection_has_an_idle_deadline(void **state)
{
    struct two *t = *state;
    t->a.serve->config.limits.idle_ms_max = t->b.serve->config.limits.idle_ms_max = 100;
    client_open(&t->a, &t->client);
    assert_int_equal(bq_serve_take_all(t->b.serve, t->a.serve), 1);
    wait_for_end(&t->b, &t->client, 5000);
}

static void new_connections_are_accepted_for_the_other(void **state)
{
    struct two *t = *state;
    struct sockaddr_in sa;
    struct client clients[3];
    assert_int_equal(bq_serve_listen(t->a.serve, listen_tcp(&sa), false), BQ_OK);
    for (int i = 0; i < 3; i++)
        client_connect(&clients[i], &sa);
    assert_int_equal(take(t), 3);
    owned_by(t, 0, 3);
    client_send(&clients[2], GET("/now"));
    exchange_bytes(&t->b, &clients[2]);
    assert_int_equal(answers(&clients[2]), 1);
    for (int i = 0; i < 3; i++)
        client_close(&clients[i]);
}

static void no_more_than_connections_max_are_accepted(void **state)
{
    struct two *t = *state;
    struct sockaddr_in sa;
    struct client clients[3];
    t->b.serve->config.limits.connections_max = 2;
    assert_int_equal(bq_serve_listen(t->a.serve, listen_tcp(&sa), false), BQ_OK);
    for (int i = 0; i < 3; i++)
        client_connect(&clients[i], &sa);
    assert_int_equal(take(t), 2);
    turns(&t->a, 3);
    owned_by(t, 1, 2);
    for (int i = 0; i < 3; i++)
        client_close(&clients[i]);
}

static void no_more_than_twice_connections_max_move(void **state)
{
    struct two *t = *state;
    struct client clients[5];
    t->b.serve->config.limits.connections_max = 2;
    for (int i = 0; i < 5; i++) {
        client_open(&t->a, &clients[i]);
        client_send(&clients[i], GET("/now"));
    }
    assert_int_equal(take(t), 4);
    assert_int_equal(bq_serve_take_all(t->b.serve, t->a.serve), 0);
    turns(&t->a, 3);
    assert_int_equal(t->a.requests, 1);
    owned_by(t, 1, 4);
    for (int i = 0; i < 5; i++)
        client_close(&clients[i]);
}

/* Whom the kernel has woken for a shared one may have gone into Lua instead. */
static void a_shared_listener_is_no_exception(void **state)
{
    struct two *t = *state;
    struct sockaddr_in sa;
    int fd = listen_tcp(&sa);
    assert_int_equal(bq_serve_listen(t->b.serve, dup(fd), true), BQ_OK);
    assert_int_equal(bq_serve_listen(t->a.serve, fd, true), BQ_OK);
    client_connect(&t->client, &sa);
    assert_int_equal(take(t), 1);
    turns(&t->a, 3);
    turns(&t->b, 3);
    owned_by(t, 0, 1);
}

/* One that says otherwise of a body than the other: a standby worker has loaded a newer file. */
static void half_a_body_meets_another_verdict(struct two *t, bool at_first, bool then,
                                              const char *first_half)
{
    t->a.refuses_bodies = !at_first;
    t->b.refuses_bodies = !then;
    client_open(&t->a, &t->client);
    client_send(&t->client, HEAD("POST", "/echo") "Content-Length: 6\r\n\r\n");
    turns(&t->a, 3);
    client_send(&t->client, first_half);
    if (*first_half)
        turns(&t->a, 3);
    else
        client_send(&t->client, "a");
    assert_int_equal(*first_half ? bq_serve_take_all(t->b.serve, t->a.serve) : take(t), 1);
    client_send(&t->client, *first_half ? "def" : "bcdef");
    exchange_bytes(&t->b, &t->client);
}

static void a_body_of_which_nothing_was_read_goes_by_the_new_verdict(void **state)
{
    struct two *t = *state;
    half_a_body_meets_another_verdict(t, false, true, "");
    assert_int_equal(answers(&t->client), 1);
    assert_string_equal(t->b.last_body, "abcdef");
}

static void a_body_that_was_dropped_in_part_is_not_handled_as_none(void **state)
{
    struct two *t = *state;
    half_a_body_meets_another_verdict(t, false, true, "abc");
    assert_int_equal(count_of(&t->client, "HTTP/1.1 503 "), 1);
    assert_int_equal(t->b.requests, 0);
    assert_int_equal(t->b.abandons, 1);
    nobody_is_busy(t);
}

static void a_body_that_was_kept_in_part_is_kept_whole(void **state)
{
    struct two *t = *state;
    half_a_body_meets_another_verdict(t, true, false, "abc");
    assert_int_equal(answers(&t->client), 1);
    assert_string_equal(t->b.last_body, "abcdef");
}

static void note_drained(void *arg)
{
    (*(int *)arg)++;
}

static void while_either_drains_nothing_moves(void **state)
{
    struct two *t = *state;
    struct client other;
    int drained = 0;
    client_open(&t->a, &t->client);
    client_open(&t->b, &other);
    client_send(&t->client, GET("/now"));
    client_send(&other, GET("/now"));
    bq_serve_drain(t->b.serve, note_drained, &drained);
    assert_int_equal(take(t), 0);
    assert_int_equal(bq_serve_take_all(t->b.serve, t->a.serve), 0);
    assert_int_equal(bq_serve_take_ready(t->a.serve, t->b.serve), 0);
    exchange_bytes(&t->b, &other);
    assert_int_equal(answers(&other), 1);
    client_close(&other);
    turns(&t->b, 3);
    assert_int_equal(drained, 1);
}

static void what_pauses_for_connections_accepts_again_when_one_has_moved(void **state)
{
    struct two *t = *state;
    struct sockaddr_in sa;
    struct client second;
    t->a.serve->config.limits.connections_max = 1;
    assert_int_equal(bq_serve_listen(t->a.serve, listen_tcp(&sa), false), BQ_OK);
    client_connect(&t->client, &sa);
    turns(&t->a, 3);
    client_connect(&second, &sa);
    turns(&t->a, 3);
    owned_by(t, 1, 0);
    client_send(&t->client, GET("/now"));
    assert_int_equal(take(t), 1);
    turns(&t->a, 3);
    owned_by(t, 1, 1);
    client_close(&second);
}

#ifdef BQ_FAULTS
static void one_that_cannot_move_stays_and_is_served(void **state)
{
    struct two *t = *state;
    client_open(&t->a, &t->client);
    client_send(&t->client, GET("/now"));
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    assert_int_equal(take(t), 0);
    assert_true(bq_fault_hits(BQ_FAULT_epoll_add) > 0);
    exchange_bytes(&t->a, &t->client);
    assert_int_equal(answers(&t->client), 1);
}
#endif

#define TWO_TEST(name) cmocka_unit_test_setup_teardown(name, open_two, close_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO_TEST(a_request_that_waits_is_answered_by_the_other),
        TWO_TEST(it_can_go_back_again),
        TWO_TEST(one_with_nothing_to_do_stays),
        TWO_TEST(all_means_also_those_with_nothing_to_do),
        TWO_TEST(a_half_read_request_moves_at_every_byte),
        TWO_TEST(a_half_read_chunked_request_moves_at_every_byte),
        TWO_TEST(a_client_that_was_told_to_continue_moves),
        TWO_TEST(a_pipeline_that_was_put_off_moves_and_stays_in_order),
        TWO_TEST(one_whose_answer_is_awaited_stays),
        TWO_TEST(one_that_runs_stays),
        TWO_TEST(output_that_the_client_has_not_taken_moves),
        TWO_TEST(one_that_lingers_moves_and_ends),
        TWO_TEST(a_client_that_has_left_moves_and_ends),
        TWO_TEST(a_body_that_is_cut_after_the_move_is_abandoned_by_the_new_worker_only),
        TWO_TEST(deadlines_go_on),
        TWO_TEST(a_moved_connection_has_an_idle_deadline),
        TWO_TEST(new_connections_are_accepted_for_the_other),
        TWO_TEST(no_more_than_connections_max_are_accepted),
        TWO_TEST(no_more_than_twice_connections_max_move),
        TWO_TEST(a_shared_listener_is_no_exception),
        TWO_TEST(a_body_of_which_nothing_was_read_goes_by_the_new_verdict),
        TWO_TEST(a_body_that_was_dropped_in_part_is_not_handled_as_none),
        TWO_TEST(a_body_that_was_kept_in_part_is_kept_whole),
        TWO_TEST(while_either_drains_nothing_moves),
        TWO_TEST(what_pauses_for_connections_accepts_again_when_one_has_moved),
#ifdef BQ_FAULTS
        TWO_TEST(one_that_cannot_move_stays_and_is_served),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
