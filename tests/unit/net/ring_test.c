/* ring_test.c: several writes or reads in one system call, and what happens where the ring does not
 * do them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "net/ring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some streams, and what is written to each. */
struct several {
    struct bq_ring *ring;
    struct bq_transport transports[BQ_RING_MAX];
    int peers[BQ_RING_MAX];
    char texts[BQ_RING_MAX][16];
    struct bq_send list[BQ_RING_MAX];
    char in[BQ_RING_MAX][16];
    struct bq_receive receives[BQ_RING_MAX];
};

/* Where io_uring is forbidden, as in many containers, there is nothing to test. */
static void set_up(struct several *all)
{
    memset(all, 0, sizeof *all);
    all->ring = bq_ring_new();
    if (!all->ring)
        skip();
    for (int i = 0; i < BQ_RING_MAX; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        bq_tcp_init(&all->transports[i], fds[0]);
        all->peers[i] = fds[1];
        int n = snprintf(all->texts[i], sizeof all->texts[i], "to %d", i);
        all->list[i] = (struct bq_send){&all->transports[i], all->texts[i], (size_t)n, 0};
        all->receives[i] = (struct bq_receive){&all->transports[i], all->in[i], 8, 0};
    }
}

static void tear_down(struct several *all)
{
    for (int i = 0; i < BQ_RING_MAX; i++) {
        all->transports[i].ops->close(&all->transports[i], false);
        if (all->peers[i] >= 0)
            close(all->peers[i]);
    }
    bq_ring_free(all->ring);
}

static void has_arrived(const struct several *all, int i)
{
    char in[16] = "";
    assert_int_equal(recv(all->peers[i], in, sizeof in, 0), (ssize_t)all->list[i].n);
    assert_string_equal(in, all->texts[i]);
}

static void all_have_arrived(const struct several *all, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(all->list[i].done, (ssize_t)all->list[i].n);
        has_arrived(all, i);
    }
}

static void each_gets_its_own_bytes(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    for (int count = 0; count <= BQ_RING_MAX; count++) { /* and the ring goes round */
        bq_ring_send(all.ring, all.list, (unsigned)count);
        all_have_arrived(&all, count);
    }
    tear_down(&all);
}

static void fill_up(struct several *all, int i)
{
    static const char zeros[65536];
    while (send(all->transports[i].watch.fd, zeros, sizeof zeros, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
}

static void one_whose_peer_does_not_read_holds_up_nobody(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    fill_up(&all, 1);
    bq_ring_send(all.ring, all.list, 3);
    assert_int_equal(all.list[0].done, (ssize_t)all.list[0].n);
    assert_int_equal(all.list[1].done, BQ_AGAIN);
    assert_int_equal(all.list[2].done, (ssize_t)all.list[2].n);
    has_arrived(&all, 0);
    has_arrived(&all, 2);
    tear_down(&all);
}

static void one_whose_peer_is_gone_fails_alone(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    close(all.peers[1]);
    all.peers[1] = -1;
    bq_ring_send(all.ring, all.list, 3);
    assert_int_equal(all.list[0].done, (ssize_t)all.list[0].n);
    assert_int_equal(all.list[1].done, BQ_SYSTEM);
    assert_int_equal(all.list[2].done, (ssize_t)all.list[2].n);
    tear_down(&all);
}

static void more_than_a_socket_takes_is_taken_in_part(void **state)
{
    static char large[16 << 20];
    struct several all;
    (void)state;
    set_up(&all);
    all.list[0].bytes = large;
    all.list[0].n = sizeof large;
    bq_ring_send(all.ring, all.list, 2);
    assert_true(all.list[0].done > 0);
    assert_true(all.list[0].done < (ssize_t)sizeof large);
    has_arrived(&all, 1);
    tear_down(&all);
}

static void peers_send(struct several *all, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(send(all->peers[i], all->texts[i], all->list[i].n, 0),
                         (ssize_t)all->list[i].n);
}

static void each_is_read_into_its_own_place(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    for (int count = 0; count <= BQ_RING_MAX; count++) {
        peers_send(&all, count);
        memset(all.in, 0, sizeof all.in);
        bq_ring_receive(all.ring, all.receives, (unsigned)count);
        for (int i = 0; i < count; i++) {
            assert_int_equal(all.receives[i].done, (ssize_t)all.list[i].n);
            assert_string_equal(all.in[i], all.texts[i]);
        }
    }
    tear_down(&all);
}

static void reading_takes_no_more_than_there_is_room_for(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    peers_send(&all, 3);
    all.receives[1].n = 2;
    bq_ring_receive(all.ring, all.receives, 3);
    assert_int_equal(all.receives[1].done, 2);
    assert_string_equal(all.in[1], "to");
    bq_ring_receive(all.ring, &all.receives[1], 1);
    assert_int_equal(all.receives[1].done, 2);
    assert_string_equal(all.in[1], " 1");
    tear_down(&all);
}

static void where_nothing_has_come_or_will_nothing_is_read(void **state)
{
    char in[8];
    struct several all;
    (void)state;
    set_up(&all);
    peers_send(&all, 1);
    close(all.peers[2]);
    all.peers[2] = -1;
    bq_ring_receive(all.ring, all.receives, 3);
    assert_int_equal(all.receives[0].done, (ssize_t)all.list[0].n);
    assert_int_equal(all.receives[1].done, 0);
    assert_int_equal(all.receives[2].done, 0);
    struct bq_transport *t = all.transports;
    assert_int_equal(t[1].ops->read(&t[1], in, sizeof in), BQ_AGAIN);
    assert_int_equal(t[2].ops->read(&t[2], in, sizeof in), BQ_EOF);
    tear_down(&all);
}

#ifdef BQ_FAULTS
static void what_the_ring_does_not_take_is_left_unread(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    peers_send(&all, 3);
    bq_fault_arm(BQ_FAULT_uring_enter, 1, false);
    bq_ring_receive(all.ring, all.receives, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(all.receives[i].done, 0);
    bq_fault_arm(BQ_FAULT_uring_enter, 0, false);
    bq_ring_receive(all.ring, all.receives, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(all.in[i], all.texts[i]);
    tear_down(&all);
}

static void what_the_ring_does_not_take_is_written_nevertheless(void **state)
{
    struct several all;
    (void)state;
    set_up(&all);
    bq_fault_arm(BQ_FAULT_uring_enter, 1, false);
    for (int i = 0; i < 3; i++) {
        bq_ring_send(all.ring, all.list, BQ_RING_MAX);
        all_have_arrived(&all, BQ_RING_MAX);
    }
    assert_int_equal(bq_fault_hits(BQ_FAULT_uring_enter), 1);
    bq_fault_arm(BQ_FAULT_uring_enter, 0, false);
    tear_down(&all);
}

static void where_it_is_forbidden_there_is_none(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_uring_setup, 1, false);
    assert_null(bq_ring_new());
    assert_int_equal(errno, EPERM);
    bq_fault_arm(BQ_FAULT_uring_setup, 0, false);
    bq_ring_free(NULL);
}

static void without_memory_there_is_none(void **state)
{
    (void)state;
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_null(bq_ring_new());
    assert_int_equal(errno, ENOMEM);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_own_bytes),
        cmocka_unit_test(one_whose_peer_does_not_read_holds_up_nobody),
        cmocka_unit_test(one_whose_peer_is_gone_fails_alone),
        cmocka_unit_test(more_than_a_socket_takes_is_taken_in_part),
        cmocka_unit_test(each_is_read_into_its_own_place),
        cmocka_unit_test(reading_takes_no_more_than_there_is_room_for),
        cmocka_unit_test(where_nothing_has_come_or_will_nothing_is_read),
#ifdef BQ_FAULTS
        cmocka_unit_test(what_the_ring_does_not_take_is_left_unread),
        cmocka_unit_test(what_the_ring_does_not_take_is_written_nevertheless),
        cmocka_unit_test(where_it_is_forbidden_there_is_none),
        cmocka_unit_test(without_memory_there_is_none),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
