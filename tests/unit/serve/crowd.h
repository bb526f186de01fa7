/*
 * crowd.h: many clients of one worker that ask in the same turn, and a second worker that may take
 * them over.
 */
#ifndef BQ_TESTS_SERVE_CROWD_H
#define BQ_TESTS_SERVE_CROWD_H

#include "rig.h"

#define CLIENTS ((int)BQ_RING_MAX + 8)

struct crowd {
    struct rig a, b;
    struct client clients[CLIENTS];
};

RIG_UNUSED static void open_together(struct rig *r)
{
    memset(r, 0, sizeof *r);
    struct bq_serve_config config = rig_config(r);
    config.together = true;
    rig_open_with(r, &config);
    r->serve->carry = bq_tcp_init; /* a plain transport: no spy */
    if (!r->serve->ring) {
        rig_close(r);
        skip();
    }
}

static int open_crowd(void **state)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    for (int i = 0; i < CLIENTS; i++)
        crowd->clients[i].fd = -1;
    *state = crowd;
    return 0;
}

static int close_crowd(void **state)
{
    free(*state);
    return 0;
}

/* So many clients of a, each of which has asked. */
RIG_UNUSED static struct crowd *ask(void **state, int count, const char *request)
{
    struct crowd *crowd = *state;
    open_together(&crowd->a);
    open_together(&crowd->b);
    for (int i = 0; i < count; i++) {
        client_open(&crowd->a, &crowd->clients[i]);
        client_send(&crowd->clients[i], request);
    }
    return crowd;
}

RIG_UNUSED static void end(struct crowd *crowd)
{
    for (int i = 0; i < CLIENTS; i++)
        client_close(&crowd->clients[i]);
    rig_close(&crowd->a);
    rig_close(&crowd->b);
}

RIG_UNUSED static void each_has_answers(struct crowd *crowd, int count, int expected)
{
    for (int i = 0; i < count; i++) {
        client_receive(&crowd->clients[i]);
        assert_int_equal(answers(&crowd->clients[i]), expected);
    }
}

/* All of them ask once more, whichever worker they are with now. */
RIG_UNUSED static void ask_both_again(struct crowd *crowd)
{
    for (int i = 0; i < CLIENTS; i++)
        client_send(&crowd->clients[i], GET("/now"));
    turns(&crowd->a, 2);
    turns(&crowd->b, 2);
    each_has_answers(crowd, CLIENTS, 2);
}

RIG_UNUSED static int answered(struct crowd *crowd, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        client_receive(&crowd->clients[i]);
        n += answers(&crowd->clients[i]);
    }
    return n;
}

/* The one whose handlers look at it. */
RIG_UNUSED static struct crowd *watched;

#define CROWD_TEST(name) cmocka_unit_test_setup_teardown(name, open_crowd, close_crowd)

#endif
