/*
 * unsent_test.c: answers that leave together at the end of a turn, also where the worker is taken
 * over from, or ends, before they have left.
 */
#include "crowd.h"

static void everybody_is_answered_within_the_turn(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    for (int round = 1; round <= 3; round++) {
        turns(&crowd->a, 1);
        each_has_answers(crowd, CLIENTS, round);
        for (int i = 0; i < CLIENTS; i++)
            client_send(&crowd->clients[i], GET("/now"));
    }
    assert_int_equal(bq_serve_counts(crowd->a.serve).busy, 0);
    end(crowd);
}

static void a_turn_ends_with_nothing_lent_to_idle_connections(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    turns(&crowd->a, 1);
    for (struct bq_node *n = crowd->a.serve->conns.head.next; n != &crowd->a.serve->conns.head;
         n = n->next) {
        const struct bq_conn *c = BQ_CONTAINER(n, struct bq_conn, all);
        assert_null(c->out.data);
        assert_null(c->work);
        assert_false(c->unsent);
        assert_int_equal(c->transport.watch.want, BQ_READ);
    }
    assert_true(bq_list_empty(&crowd->a.serve->dirty));
    assert_int_equal(crowd->a.serve->unsent, 0);
    assert_false(bq_loop_is_ready(crowd->a.loop));
    end(crowd);
}

static void late_answers_leave_together_too(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/later"));
    turns(&crowd->a, 1);
    for (int i = 0; i < CLIENTS; i++)
        answer_later(&crowd->a, BQ_STR("late"));
    turns(&crowd->a, 1);
    each_has_answers(crowd, CLIENTS, 1);
    end(crowd);
}

static void a_pipeline_stays_in_order(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now") GET("/empty") GET("/now"));
    turns(&crowd->a, 2);
    each_has_answers(crowd, CLIENTS, 2);
    const char *in = crowd->clients[3].in;
    const char *empty = strstr(in, "HTTP/1.1 204");
    assert_non_null(empty);
    assert_true(strstr(in, "HTTP/1.1 200") < empty);
    assert_non_null(strstr(empty, "HTTP/1.1 200"));
    end(crowd);
}

static void what_one_client_does_not_take_waits_for_it(void **state)
{
    struct crowd *crowd = ask(state, 3, GET("/now"));
    crowd->a.big_bytes = 8 << 20;
    client_send(&crowd->clients[1], GET("/big"));
    turns(&crowd->a, 3);
    client_receive(&crowd->clients[0]);
    assert_int_equal(answers(&crowd->clients[0]), 1);
    for (int i = 0; i < 2000 && crowd->clients[1].received < (8 << 20); i++) {
        turns(&crowd->a, 1);
        client_receive(&crowd->clients[1]);
    }
    assert_true(crowd->clients[1].received > (8 << 20));
    end(crowd);
}

static void clients_that_have_left_harm_nobody(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    for (int i = 0; i < CLIENTS; i += 2)
        client_close(&crowd->clients[i]);
    turns(&crowd->a, 3);
    for (int i = 1; i < CLIENTS; i += 2) {
        client_receive(&crowd->clients[i]);
        assert_int_equal(answers(&crowd->clients[i]), 1);
    }
    assert_int_equal(bq_serve_counts(crowd->a.serve).open, CLIENTS / 2);
    end(crowd);
}

/* In the middle of a turn's events, as if a handler was inside Lua, another worker comes. */
static void on_takeover(void *self, struct bq_exchange *ex)
{
    struct crowd *crowd = watched;
    if (crowd->a.requests++ == 2) {
        assert_int_equal(answered(crowd, CLIENTS), 0); /* they were put off */
        assert_true(bq_loop_is_ready(crowd->a.loop));
        assert_true(bq_serve_take_ready(crowd->b.serve, crowd->a.serve) >= 2);
        turns(&crowd->b, 3);
        assert_int_equal(answered(crowd, CLIENTS), CLIENTS - 1);
    }
    (void)self;
    answer(ex, BQ_STR("ok"));
}

static void those_put_off_move_to_who_takes_over(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    crowd->a.serve->handler.request = on_takeover;
    watched = crowd;
    turns(&crowd->a, 3);
    each_has_answers(crowd, CLIENTS, 1);
    assert_int_equal(bq_serve_counts(crowd->a.serve).open, 1);
    assert_int_equal(bq_serve_counts(crowd->b.serve).open, CLIENTS - 1);
    assert_false(bq_loop_is_ready(crowd->a.loop));
    ask_both_again(crowd);
    end(crowd);
}

static void slow_handler(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    usleep(2000);
    if (++r->requests == 4)
        assert_true(answered(watched, CLIENTS) >= 2);
    answer(ex, BQ_STR("ok"));
}

static void slow_handlers_hold_back_few_answers(void **state)
{
    struct crowd *crowd = ask(state, 6, GET("/now"));
    crowd->a.serve->handler.request = slow_handler;
    watched = crowd;
    turns(&crowd->a, 1);
    each_has_answers(crowd, 6, 1);
    end(crowd);
}

static void on_drained(void *arg)
{
    struct rig *r = arg;
    r->drains++;
}

static void on_drain(void *self, struct bq_exchange *ex)
{
    struct rig *r = self;
    if (++r->requests == 3)
        bq_serve_drain(r->serve, on_drained, r);
    answer(ex, BQ_STR("ok"));
}

static void draining_sends_what_was_put_off(void **state)
{
    struct crowd *crowd = ask(state, 5, GET("/now"));
    crowd->a.serve->handler.request = on_drain;
    turns(&crowd->a, 1);
    each_has_answers(crowd, 5, 1);
    assert_int_equal(count_of(&crowd->clients[0], "close"), 0);
    assert_true(crowd->clients[0].ended);
    /* The last three, which were told that they are the last, linger. */
    assert_int_equal(bq_serve_counts(crowd->a.serve).open, 3);
    for (int i = 0; i < 5; i++)
        client_close(&crowd->clients[i]);
    turns(&crowd->a, 3);
    assert_int_equal(crowd->a.drains, 1);
    end(crowd);
}

#ifdef BQ_FAULTS
static void a_ring_that_fails_costs_no_answer(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    bq_fault_arm(BQ_FAULT_uring_enter, 1, true);
    turns(&crowd->a, 1);
    each_has_answers(crowd, CLIENTS, 1);
    assert_true(bq_fault_hits(BQ_FAULT_uring_enter) > 0);
    bq_fault_arm(BQ_FAULT_uring_enter, 0, false);
    end(crowd);
}

static void a_byte_at_a_time_arrives_whole(void **state)
{
    struct crowd *crowd = ask(state, CLIENTS, GET("/now"));
    bq_fault_arm(BQ_FAULT_short_write, 1, true);
    for (int i = 0; i < 400; i++)
        turns(&crowd->a, 1);
    bq_fault_arm(BQ_FAULT_short_write, 0, false);
    each_has_answers(crowd, CLIENTS, 1);
    end(crowd);
}

static void where_it_is_forbidden_all_are_served(void **state)
{
    struct crowd *crowd = *state;
    struct bq_serve_config config = rig_config(&crowd->a);
    config.together = true;
    bq_fault_arm(BQ_FAULT_uring_setup, 1, false);
    rig_open_with(&crowd->a, &config);
    bq_fault_arm(BQ_FAULT_uring_setup, 0, false);
    assert_null(crowd->a.serve->ring);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&crowd->a, &crowd->clients[i]);
        client_send(&crowd->clients[i], GET("/now"));
    }
    turns(&crowd->a, 1);
    each_has_answers(crowd, CLIENTS, 1);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&crowd->clients[i]);
    rig_close(&crowd->a);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        CROWD_TEST(everybody_is_answered_within_the_turn),
        CROWD_TEST(a_turn_ends_with_nothing_lent_to_idle_connections),
        CROWD_TEST(late_answers_leave_together_too),
        CROWD_TEST(a_pipeline_stays_in_order),
        CROWD_TEST(what_one_client_does_not_take_waits_for_it),
        CROWD_TEST(clients_that_have_left_harm_nobody),
        CROWD_TEST(those_put_off_move_to_who_takes_over),
        CROWD_TEST(slow_handlers_hold_back_few_answers),
        CROWD_TEST(draining_sends_what_was_put_off),
#ifdef BQ_FAULTS
        CROWD_TEST(a_ring_that_fails_costs_no_answer),
        CROWD_TEST(a_byte_at_a_time_arrives_whole),
        CROWD_TEST(where_it_is_forbidden_all_are_served),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
