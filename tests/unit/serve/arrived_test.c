/*
 * arrived_test.c: requests that are received together, also where the worker is taken over from
 * before their turn has come.
 */
#include "crowd.h"

static struct bq_conn *conn_of(const struct crowd *crowd, int number)
{
    struct bq_node *n = crowd->a.serve->conns.head.next;
    while (number--)
        n = n->next;
    return BQ_CONTAINER(n, struct bq_conn, all);
}

static void on_first(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    if (r->requests++ == 0) {
        assert_int_equal(r->serve->arrived, BQ_RING_MAX - 1);
        assert_true(bq_loop_is_ready(r->loop));
    }
    answer(ex, BQ_STR("ok"));
}

static void a_turns_requests_are_received_together(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    crowd->a.serve->handler.request = on_first;
    turns(&crowd->a, 1);
    each_has_answers(crowd, CLIENTS, 1);
    assert_int_equal(crowd->a.serve->arrived, 0);
    assert_false(bq_loop_is_ready(crowd->a.loop));
    end(crowd);
}

static void on_pair(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    assert_int_equal(r->serve->arrived, 0);
    answer(ex, BQ_STR("ok"));
}

static void two_read_alone(void **state)
{
    struct crowd *crowd = ask(state, 2, GET("/now"));
    crowd->a.serve->handler.request = on_pair;
    turns(&crowd->a, 1);
    each_has_answers(crowd, 2, 1);
    end(crowd);
}

/* A request of so many bytes. */
static const char *padded(size_t bytes)
{
    static char text[16384];
    int n = snprintf(text, sizeof text, HEAD("GET", "/now") "Pad: ");
    memset(text + n, 'p', bytes - (size_t)n - 4);
    memcpy(text + bytes - 4, "\r\n\r\n", 5);
    return text;
}

static void requests_of_any_length_are_read_whole(void **state)
{
    struct crowd *crowd = ask(state, 4, GET("/now"));
    int expected = 1;
    for (size_t bytes = BQ_PIECE_BYTES - 2; bytes <= BQ_PIECE_BYTES + 2; bytes++) {
        turns(&crowd->a, 2);
        each_has_answers(crowd, 4, expected++);
        for (int i = 0; i < 4; i++)
            client_send(&crowd->clients[i], padded(bytes));
    }
    turns(&crowd->a, 2);
    each_has_answers(crowd, 4, expected);
    end(crowd);
}

static void one_with_more_than_a_piece_reads_alone_until_it_has_less(void **state)
{
    struct crowd *crowd = ask(state, 4, padded(5000));
    turns(&crowd->a, 1);
    assert_true(conn_of(crowd, 0)->bulky);
    for (int i = 0; i < 3; i++)
        client_send(&crowd->clients[i], GET("/now"));
    crowd->a.serve->handler.request = on_pair;
    turns(&crowd->a, 1);
    assert_false(conn_of(crowd, 0)->bulky);
    assert_true(conn_of(crowd, 3)->bulky);
    end(crowd);
}

static void pipelines_longer_than_a_piece_and_a_run_stay_whole(void **state)
{
    struct crowd *crowd = ask(state, 5, GET("/now"));
    int expected = 2 * BQ_BATCH_MAX + 1;
    for (int k = 1; k < expected; k++)
        for (int i = 0; i < 5; i++)
            client_send(&crowd->clients[i], GET("/now"));
    turns(&crowd->a, 4);
    each_has_answers(crowd, 5, expected);
    end(crowd);
}

static void bodies_larger_than_a_piece_arrive(void **state)
{
    static char body[9000];
    char head[128];
    memset(body, 'x', sizeof body);
    snprintf(head, sizeof head, HEAD("POST", "/echo") "Content-Length: %zu\r\n\r\n", sizeof body);
    struct crowd *crowd = ask(state, 5, head);
    for (int i = 0; i < 5; i++)
        client_send_bytes(&crowd->clients[i], body, sizeof body);
    turns(&crowd->a, 2);
    each_has_answers(crowd, 5, 1);
    for (int i = 0; i < 5; i++)
        assert_true(crowd->clients[i].received > sizeof body);
    end(crowd);
}

static void ends_and_resets_among_them_are_seen(void **state)
{
    struct crowd *crowd = ask(state, 6, GET("/now"));
    shutdown(crowd->clients[0].fd, SHUT_WR);
    turns(&crowd->a, 1);
    for (int i = 1; i < 6; i++)
        client_send(&crowd->clients[i], GET("/now"));
    client_close(&crowd->clients[2]); /* over its unread answer: a reset */
    shutdown(crowd->clients[3].fd, SHUT_WR);
    turns(&crowd->a, 3);
    for (int i = 3; i < 6; i++) {
        client_receive(&crowd->clients[i]);
        assert_int_equal(answers(&crowd->clients[i]), 2);
    }
    client_receive(&crowd->clients[0]);
    assert_int_equal(answers(&crowd->clients[0]), 1);
    assert_true(crowd->clients[0].ended && crowd->clients[3].ended);
    assert_int_equal(bq_serve_counts(crowd->a.serve).open, 3);
    end(crowd);
}

/* In the middle of the first request, as if its handler was inside Lua, another worker comes. */
static void on_takeover(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    if (r->requests++ == 0) {
        assert_true(bq_loop_is_ready(r->loop));
        unsigned moved = bq_serve_take_ready(watched->b.serve, r->serve);
        assert_int_equal(moved, CLIENTS - 1);
        assert_false(bq_loop_is_ready(r->loop));
        turns(&watched->b, 2);
        assert_int_equal(answered(watched, CLIENTS), CLIENTS - 1);
    }
    answer(ex, BQ_STR("ok"));
}

static void what_was_received_moves_to_who_takes_over(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    crowd->a.serve->handler.request = on_takeover;
    watched = crowd;
    turns(&crowd->a, 2);
    each_has_answers(crowd, CLIENTS, 1);
    ask_both_again(crowd);
    end(crowd);
}

/* The first request of either worker holds it. */
static void on_chain(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    struct rig *other = r == &watched->a ? &watched->b : &watched->a;
    if (r->requests++ == 0) {
        assert_true(bq_loop_is_ready(r->loop));
        unsigned moved = bq_serve_take_ready(other->serve, r->serve);
        assert_int_equal(moved, r == &watched->a ? CLIENTS - 1 : CLIENTS - 2);
        assert_false(bq_loop_is_ready(r->loop));
        assert_true(bq_loop_is_ready(other->loop));
        if (r == &watched->a)
            turns(other, 1);
    }
    answer(ex, BQ_STR("ok"));
}

static void what_waits_where_it_has_moved_to_moves_on(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    crowd->a.serve->handler.request = crowd->b.serve->handler.request = on_chain;
    watched = crowd;
    turns(&crowd->a, 2);
    each_has_answers(crowd, CLIENTS, 1);
    assert_int_equal(crowd->b.requests, 1);
    assert_false(bq_loop_is_ready(crowd->a.loop));
    assert_false(bq_loop_is_ready(crowd->b.loop));
    end(crowd);
}

static void on_taking_all(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    if (r->requests++ == 0)
        assert_int_equal(bq_serve_take_all(watched->b.serve, r->serve), 6);
    answer(ex, BQ_STR("ok"));
}

static void it_moves_with_those_that_have_sent_nothing_too(void **state)
{
    struct crowd *crowd = ask(state, 6, GET("/now"));
    crowd->a.serve->handler.request = on_taking_all;
    watched = crowd;
    client_open(&crowd->a, &crowd->clients[6]);
    turns(&crowd->a, 1);
    turns(&crowd->b, 1);
    each_has_answers(crowd, 6, 1);
    client_send(&crowd->clients[6], GET("/now"));
    turns(&crowd->b, 1);
    each_has_answers(crowd, 7, 1);
    end(crowd);
}

#ifdef BQ_FAULTS
static enum bq_fault_site failing_site;

static void on_failing_takeover(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    if (r->requests++ == 0) {
        bq_fault_arm(failing_site, 1, true);
        assert_int_equal(bq_serve_take_ready(watched->b.serve, r->serve), 0);
        assert_true(bq_fault_hits(failing_site) > 0);
        bq_fault_arm(failing_site, 0, false);
    }
    answer(ex, BQ_STR("ok"));
}

static void what_cannot_move_is_answered_where_it_is(void **state)
{
    const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_epoll_add};
    for (int k = 0; k < 2; k++) {
        struct crowd *crowd = ask(state, 20, GET("/now"));
        failing_site = sites[k];
        crowd->a.serve->handler.request = on_failing_takeover;
        watched = crowd;
        turns(&crowd->a, 2);
        each_has_answers(crowd, 20, 1);
        end(crowd);
        memset(crowd, 0, sizeof *crowd);
        for (int i = 0; i < CLIENTS; i++)
            crowd->clients[i].fd = -1;
    }
}

static void a_ring_that_fails_costs_no_request(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    bq_fault_arm(BQ_FAULT_uring_enter, 1, true);
    turns(&crowd->a, 1);
    bq_fault_arm(BQ_FAULT_uring_enter, 0, false);
    each_has_answers(crowd, CLIENTS, 1);
    end(crowd);
}

static void a_byte_at_a_time_makes_whole_requests(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    bq_fault_arm(BQ_FAULT_short_read, 1, true);
    turns(&crowd->a, 100);
    bq_fault_arm(BQ_FAULT_short_read, 0, false);
    each_has_answers(crowd, CLIENTS, 1);
    end(crowd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        CROWD_TEST(a_turns_requests_are_received_together),
        CROWD_TEST(two_read_alone),
        CROWD_TEST(requests_of_any_length_are_read_whole),
        CROWD_TEST(one_with_more_than_a_piece_reads_alone_until_it_has_less),
        CROWD_TEST(pipelines_longer_than_a_piece_and_a_run_stay_whole),
        CROWD_TEST(bodies_larger_than_a_piece_arrive),
        CROWD_TEST(ends_and_resets_among_them_are_seen),
        CROWD_TEST(what_was_received_moves_to_who_takes_over),
        CROWD_TEST(what_waits_where_it_has_moved_to_moves_on),
        CROWD_TEST(it_moves_with_those_that_have_sent_nothing_too),
#ifdef BQ_FAULTS
        CROWD_TEST(what_cannot_move_is_answered_where_it_is),
        CROWD_TEST(a_ring_that_fails_costs_no_request),
        CROWD_TEST(a_byte_at_a_time_makes_whole_requests),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
