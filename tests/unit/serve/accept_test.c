/* Listening, and pausing where accepting cannot go on. */
#include "rig.h"

#include <sys/un.h>

static void rig_open_with_connections_max(struct rig *r, uint32_t max)
{
    memset(r, 0, sizeof *r);
    struct bq_serve_config config = rig_config(r);
    config.limits.connections_max = max;
    rig_open_with(r, &config);
}

static struct sockaddr_in listening(struct rig *r)
{
    struct sockaddr_in sa;
    assert_int_equal(bq_serve_listen(r->serve, listen_tcp(&sa), false), BQ_OK);
    return sa;
}

/* Turns until the client has n answers; fails after two seconds. */
static void wait_for_answers(struct rig *r, struct client *c, int n)
{
    int64_t end = clock_ms() + 2000;
    while (answers(c) < n) {
        assert_true(clock_ms() < end);
        bq_loop_run_once(r->loop, 1);
        client_receive(c);
    }
}

static void accepted_connection_is_served(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    char text[64];
    rig_open(&r);
    struct sockaddr_in sa = listening(&r);
    client_connect(&c, &sa);
    client_send(&c, GET("/later"));
    for (int i = 0; i < 200 && !r.pending_count; i++)
        pass(&r, 1);
    assert_int_equal(r.pending_count, 1);
    assert_int_equal(r.pending[0]->sink->peer(r.pending[0], text), 9);
    assert_memory_equal(text, "127.0.0.1", 9);
    answer_later(&r, BQ_STR("late"));
    wait_for_answers(&r, &c, 1);
    assert_int_equal(r.serve->counts.accepted, 1);
    client_close(&c);
    rig_close(&r);
}

static void adopted_connection_is_served_beside_them(void **state)
{
    const struct bq_peer peer = {.family = AF_UNIX};
    struct rig r;
    int fds[2];
    (void)state;
    rig_open(&r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(bq_serve_adopt(r.serve, fds[1], &peer), BQ_OK);
    assert_int_equal(bq_serve_counts(r.serve).accepted, 1);
    assert_int_equal(bq_serve_counts(r.serve).open, 1);
    const char request[] = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    assert_int_equal(send(fds[0], request, sizeof request - 1, 0), sizeof request - 1);
    char answer[16] = "";
    for (int i = 0; i < 100 && recv(fds[0], answer, 12, 0) != 12; i++)
        bq_loop_run_once(r.loop, 10);
    assert_memory_equal(answer, "HTTP/1.1 200", 12);
    close(fds[0]);
    rig_close(&r);
}

static void shared_unix_socket_is_served(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    rig_open(&r);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    /* The empty name makes Linux choose one. */
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa.sun_family), 0);
    assert_int_equal(listen(fd, 8), 0);
    socklen_t len = sizeof sa;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(bq_serve_listen(r.serve, fd, true), BQ_OK);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
    client_init(&c, client);
    client_send(&c, GET("/now"));
    wait_for_answers(&r, &c, 1);
    client_close(&c);
    rig_close(&r);
}

static void full_worker_pauses_until_a_connection_ends(void **state)
{
    (void)state;
    struct rig r;
    struct client c[4];
    rig_open_with_connections_max(&r, 2);
    struct sockaddr_in sa = listening(&r);
    for (int i = 0; i < 4; i++) {
        client_connect(&c[i], &sa);
        client_send(&c[i], GET("/now"));
    }
    wait_for_answers(&r, &c[0], 1);
    wait_for_answers(&r, &c[1], 1);
    pass(&r, 5);
    assert_int_equal(r.serve->counts.open, 2);
    assert_true(r.serve->paused);
    assert_int_equal(r.serve->counts.accept_pauses, 1);
    pass(&r, 10); /* it is not tried again and again */
    assert_int_equal(r.serve->counts.accept_pauses, 1);
    client_close(&c[0]);
    wait_for_answers(&r, &c[2], 1);
    client_close(&c[1]);
    wait_for_answers(&r, &c[3], 1);
    assert_int_equal(r.serve->counts.open, 2);
    client_close(&c[2]);
    client_close(&c[3]);
    pass(&r, 5);
    assert_false(r.serve->paused);
    rig_close(&r);
}

#ifdef BQ_FAULTS
static void want_of_descriptors_pauses_and_recovers_in_time(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct sockaddr_in sa = listening(&r);
    bq_fault_arm(BQ_FAULT_accept, 1, false);
    client_connect(&c, &sa);
    client_send(&c, GET("/now"));
    pass(&r, 10);
    assert_true(r.serve->paused);
    assert_int_equal(r.serve->counts.accept_pauses, 1);
    wait_for_answers(&r, &c, 1);
    assert_false(r.serve->paused);
    client_close(&c);
    rig_close(&r);
}

static void want_of_descriptors_ends_with_a_connection(void **state)
{
    (void)state;
    struct rig r;
    struct client old, c;
    rig_open(&r);
    client_open(&r, &old);
    struct sockaddr_in sa = listening(&r);
    bq_fault_arm(BQ_FAULT_accept, 1, false);
    client_connect(&c, &sa);
    client_send(&c, GET("/now"));
    for (int i = 0; i < 100 && !r.serve->paused; i++)
        bq_loop_run_once(r.loop, 1);
    assert_true(r.serve->paused);
    client_close(&old);
    turns(&r, 1);
    assert_false(r.serve->paused);
    wait_for_answers(&r, &c, 1);
    client_close(&c);
    rig_close(&r);
}

/* What is logged while the loop turns for ms. */
static int warnings_while(struct rig *r, int ms)
{
    char text[4096] = "";
    int fds[2], n = 0, saved = dup(2);
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    bq_log_set_level(BQ_LOG_WARN);
    dup2(fds[1], 2);
    pass(r, ms);
    dup2(saved, 2);
    (void)!read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    close(fds[1]);
    close(saved);
    for (char *p = text; (p = strstr(p, "accepting pauses")); p++)
        n++;
    return n;
}

static void pauses_of_one_streak_are_one_warning(void **state)
{
    (void)state;
    struct rig r;
    struct client c;
    rig_open(&r);
    struct sockaddr_in sa = listening(&r);
    bq_fault_arm(BQ_FAULT_accept, 1, true);
    client_connect(&c, &sa);
    client_send(&c, GET("/now"));
    assert_int_equal(warnings_while(&r, 250), 1);
    uint32_t pauses = r.serve->counts.accept_pauses;
    assert_true(pauses >= 2);
    r.serve->warned_ms -= 60000; /* a long streak is still one */
    assert_int_equal(warnings_while(&r, 250), 0);
    assert_true(r.serve->counts.accept_pauses > pauses);
    bq_fault_arm(BQ_FAULT_accept, 0, false);
    wait_for_answers(&r, &c, 1);
    bq_fault_arm(BQ_FAULT_accept, 1, false);
    client_close(&c);
    client_connect(&c, &sa);
    assert_int_equal(warnings_while(&r, 50), 1); /* the next one */
    client_close(&c);
    rig_close(&r);
}

static void connection_that_cannot_be_watched_is_closed_and_others_live(void **state)
{
    (void)state;
    struct rig r;
    struct client c, next;
    rig_open(&r);
    struct sockaddr_in sa = listening(&r);
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    client_connect(&c, &sa);
    wait_for_end(&r, &c, 2000);
    assert_int_equal(r.serve->counts.open, 0);
    assert_int_equal(r.serve->counts.accept_pauses, 1);
    client_connect(&next, &sa);
    client_send(&next, GET("/now"));
    wait_for_answers(&r, &next, 1);
    client_close(&c);
    client_close(&next);
    rig_close(&r);
}

static void listener_that_cannot_be_watched_again_is_retried(void **state)
{
    (void)state;
    struct rig r;
    struct client old, c;
    rig_open_with_connections_max(&r, 1);
    client_open(&r, &old);
    struct sockaddr_in sa = listening(&r);
    client_connect(&c, &sa);
    client_send(&c, GET("/now"));
    for (int i = 0; i < 100 && !r.serve->paused; i++)
        bq_loop_run_once(r.loop, 1);
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    client_close(&old);
    turns(&r, 2);
    assert_int_equal(bq_fault_hits(BQ_FAULT_epoll_add), 1);
    assert_true(r.serve->paused);
    wait_for_answers(&r, &c, 1);
    client_close(&c);
    rig_close(&r);
}

static void failed_listen_leaves_the_descriptor_to_its_owner(void **state)
{
    (void)state;
    struct rig r;
    struct sockaddr_in sa;
    rig_open(&r);
    int fd = listen_tcp(&sa);
    bq_fault_arm(BQ_FAULT_epoll_add, 1, false);
    assert_int_equal(bq_serve_listen(r.serve, fd, false), BQ_SYSTEM);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(bq_serve_listen(r.serve, fd, false), BQ_MEMORY);
    assert_int_equal(close(fd), 0);
    rig_close(&r);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_connection_is_served),
        cmocka_unit_test(adopted_connection_is_served_beside_them),
        cmocka_unit_test(shared_unix_socket_is_served),
        cmocka_unit_test(full_worker_pauses_until_a_connection_ends),
#ifdef BQ_FAULTS
        cmocka_unit_test(want_of_descriptors_pauses_and_recovers_in_time),
        cmocka_unit_test(want_of_descriptors_ends_with_a_connection),
        cmocka_unit_test(pauses_of_one_streak_are_one_warning),
        cmocka_unit_test(connection_that_cannot_be_watched_is_closed_and_others_live),
        cmocka_unit_test(listener_that_cannot_be_watched_again_is_retried),
        cmocka_unit_test(failed_listen_leaves_the_descriptor_to_its_owner),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
