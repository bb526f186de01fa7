/* tcp_test.c: the plain transport over a socket pair and over TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "net/listener.h"
#include "net/transport.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* A transport and the descriptor of its peer. */
struct pair {
    struct bq_transport t;
    int peer_fd;
};

static struct pair pair_open(void)
{
    int fds[2];
    struct pair p;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    bq_tcp_init(&p.t, fds[0]);
    p.peer_fd = fds[1];
    return p;
}

static struct pair pair_open_tcp(void)
{
    struct bq_endpoint e;
    struct bq_peer peer;
    char error[256];
    int listening, fd;
    assert_int_equal(bq_endpoint_set(&e, BQ_STR("127.0.0.1"), 0, error), BQ_OK);
    assert_int_equal(bq_listen(&e, false, 1, &listening), BQ_OK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, &e.sa, e.len), 0);
    struct pollfd wait = {.fd = listening, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(bq_accept(listening, &fd, &peer), BQ_OK);
    close(listening);
    struct pair p = {.peer_fd = client};
    bq_tcp_init(&p.t, fd);
    return p;
}

static void pair_close(struct pair *p)
{
    p->t.ops->close(&p->t, false);
    close(p->peer_fd);
}

static ssize_t read_from(struct pair *p, void *bytes, size_t n)
{
    return p->t.ops->read(&p->t, bytes, n);
}

static ssize_t write_to(struct pair *p, const void *bytes, size_t n)
{
    return p->t.ops->write(&p->t, bytes, n);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    struct pair p = pair_open();
    char bytes[8];
    assert_int_equal(read_from(&p, bytes, sizeof bytes), BQ_AGAIN);
    assert_int_equal(write(p.peer_fd, "hello", 5), 5);
    assert_int_equal(read_from(&p, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(write_to(&p, "bye", 3), 3);
    assert_int_equal(read(p.peer_fd, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "bye", 3);
    pair_close(&p);
}

static void the_peers_end_is_an_end_of_input_only(void **state)
{
    (void)state;
    struct pair p = pair_open();
    char byte;
    shutdown(p.peer_fd, SHUT_WR);
    assert_int_equal(read_from(&p, &byte, 1), BQ_EOF);
    assert_int_equal(write_to(&p, "x", 1), 1);
    pair_close(&p);
}

static void a_full_socket_says_again(void **state)
{
    (void)state;
    struct pair p = pair_open();
    static const char bytes[65536];
    ssize_t n = 1;
    for (int i = 0; n > 0 && i < 1000; i++)
        n = write_to(&p, bytes, sizeof bytes);
    assert_int_equal(n, BQ_AGAIN);
    pair_close(&p);
}

static void writing_to_a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct pair p = pair_open();
    close(p.peer_fd);
    assert_int_equal(write_to(&p, "x", 1), BQ_SYSTEM);
    assert_int_equal(errno, EPIPE);
    p.t.ops->close(&p.t, false);
}

static void shutdown_ends_our_direction_after_what_was_written(void **state)
{
    (void)state;
    struct pair p = pair_open();
    char bytes[8];
    assert_int_equal(write_to(&p, "last", 4), 4);
    p.t.ops->shutdown(&p.t);
    assert_int_equal(read(p.peer_fd, bytes, sizeof bytes), 4);
    assert_int_equal(read(p.peer_fd, bytes, sizeof bytes), 0);
    assert_int_equal(write(p.peer_fd, "x", 1), 1);
    assert_int_equal(read_from(&p, bytes, sizeof bytes), 1);
    pair_close(&p);
}

static void closing_twice_is_harmless(void **state)
{
    (void)state;
    struct pair p = pair_open();
    p.t.ops->close(&p.t, false);
    assert_int_equal(p.t.watch.fd, -1);
    p.t.ops->close(&p.t, true);
    close(p.peer_fd);
}

static void a_reset_is_seen_by_the_peer_and_an_orderly_close_is_an_end(void **state)
{
    (void)state;
    for (int reset = 0; reset <= 1; reset++) {
        struct pair p = pair_open_tcp();
        char byte;
        p.t.ops->close(&p.t, reset);
        struct pollfd wait = {.fd = p.peer_fd, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1);
        assert_int_equal(recv(p.peer_fd, &byte, 1, 0), reset ? -1 : 0);
        if (reset)
            assert_int_equal(errno, ECONNRESET);
        close(p.peer_fd);
    }
}

static void a_reset_by_the_peer_is_an_error(void **state)
{
    (void)state;
    struct pair p = pair_open_tcp();
    struct linger now = {.l_onoff = 1};
    char byte;
    setsockopt(p.peer_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(p.peer_fd);
    struct pollfd wait = {.fd = p.t.watch.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(read_from(&p, &byte, 1), BQ_SYSTEM);
    assert_int_equal(errno, ECONNRESET);
    p.t.ops->close(&p.t, false);
}

#ifdef BQ_FAULTS
static void reads_and_writes_fail_where_a_test_says_so(void **state)
{
    (void)state;
    struct pair p = pair_open();
    char byte;
    assert_int_equal(write(p.peer_fd, "x", 1), 1);
    bq_fault_arm(BQ_FAULT_read, 1, false);
    bq_fault_arm(BQ_FAULT_write, 1, false);
    assert_int_equal(read_from(&p, &byte, 1), BQ_SYSTEM);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(write_to(&p, "x", 1), BQ_SYSTEM);
    assert_int_equal(read_from(&p, &byte, 1), 1);
    assert_int_equal(write_to(&p, "x", 1), 1);
    pair_close(&p);
}

static void short_reads_and_writes_move_one_byte(void **state)
{
    (void)state;
    struct pair p = pair_open();
    char bytes[8];
    bq_fault_arm(BQ_FAULT_short_read, 1, true);
    bq_fault_arm(BQ_FAULT_short_write, 1, true);
    assert_int_equal(write(p.peer_fd, "abc", 3), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_from(&p, bytes, sizeof bytes), 1);
        assert_int_equal(bytes[0], "abc"[i]);
        assert_int_equal(write_to(&p, "xyz", 3), 1);
    }
    assert_int_equal(bq_fault_hits(BQ_FAULT_short_read), 3);
    bq_fault_arm(BQ_FAULT_short_read, 0, false);
    bq_fault_arm(BQ_FAULT_short_write, 0, false);
    assert_int_equal(write_to(&p, "xyz", 3), 3);
    pair_close(&p);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_both_ways),
        cmocka_unit_test(the_peers_end_is_an_end_of_input_only),
        cmocka_unit_test(a_full_socket_says_again),
        cmocka_unit_test(writing_to_a_peer_that_is_gone_is_an_error_and_no_signal),
        cmocka_unit_test(shutdown_ends_our_direction_after_what_was_written),
        cmocka_unit_test(closing_twice_is_harmless),
        cmocka_unit_test(a_reset_is_seen_by_the_peer_and_an_orderly_close_is_an_end),
        cmocka_unit_test(a_reset_by_the_peer_is_an_error),
#ifdef BQ_FAULTS
        cmocka_unit_test(reads_and_writes_fail_where_a_test_says_so),
        cmocka_unit_test(short_reads_and_writes_move_one_byte),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
