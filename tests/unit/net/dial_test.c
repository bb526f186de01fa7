/* dial_test.c: connections to real sockets on the loopback, datagrams to a real reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "net/dial.h"
#include "net/listener.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct bq_endpoint loopback(void)
{
    struct bq_endpoint e;
    char error[256];
    assert_int_equal(bq_endpoint_parse(&e, BQ_STR("127.0.0.1:0"), error), BQ_OK);
    return e;
}

static void a_listening_socket_is_reached(void **state)
{
    struct bq_endpoint e = loopback();
    struct bq_peer peer;
    int listener, client, server;
    char byte = 0;
    assert_int_equal(bq_listen(&e, false, 1, &listener), BQ_OK);
    assert_int_equal(bq_dial(&e, 5000, &client), BQ_OK);
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(bq_accept(listener, &server, &peer), BQ_OK);
    assert_int_equal(write(server, "x", 1), 1);
    assert_int_equal(read(client, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(server);
    close(client);
    close(listener);
    (void)state;
}

static void a_peer_that_says_nothing_is_left_after_the_time(void **state)
{
    struct bq_endpoint e = loopback();
    int listener, client;
    char byte;
    assert_int_equal(bq_listen(&e, false, 1, &listener), BQ_OK);
    assert_int_equal(bq_dial(&e, 20, &client), BQ_OK);
    assert_int_equal(read(client, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    close(client);
    close(listener);
    (void)state;
}

/* A full accept queue lets nobody in; how full that is, the kernel decides. */
static void a_queue_that_nobody_empties_is_left_after_the_time(void **state)
{
    struct bq_endpoint e = loopback();
    int listener, clients[16], count = 0, rc = BQ_OK;
    assert_int_equal(bq_listen(&e, false, 0, &listener), BQ_OK);
    while (count < 16 && (rc = bq_dial(&e, 50, &clients[count])) == BQ_OK)
        count++;
    assert_int_equal(rc, BQ_SYSTEM);
    assert_int_equal(errno, EAGAIN);
    while (count > 0)
        close(clients[--count]);
    close(listener);
    (void)state;
}

static void a_port_that_nobody_has_is_refused(void **state)
{
    struct bq_endpoint e = loopback();
    int listener, client;
    assert_int_equal(bq_listen(&e, false, 1, &listener), BQ_OK);
    close(listener);
    assert_int_equal(bq_dial(&e, 1000, &client), BQ_SYSTEM);
    assert_int_equal(errno, ECONNREFUSED);
    (void)state;
}

/* Reads what was sent to a name, which is a file's path or begins with "@". */
static void expect_datagram(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    char text[16] = "";
    memcpy(address.sun_path, name, n);
    if (*name == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(bq_datagram_send(bq_str_cstr(name), BQ_STR("READY=1")), BQ_OK);
    assert_int_equal(read(fd, text, sizeof text), 7);
    assert_string_equal(text, "READY=1");
    close(fd);
    /* The same path again: nobody reads there. */
    assert_int_equal(bq_datagram_send(bq_str_cstr(name), BQ_STR("READY=1")), BQ_SYSTEM);
    assert_int_equal(errno, ECONNREFUSED);
}

static void a_datagram_reaches_a_file_and_a_name_without_one(void **state)
{
    char folder[] = "/tmp/barq-test-XXXXXX", name[64];
    assert_non_null(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/s", folder);
    expect_datagram(name);
    unlink(name);
    rmdir(folder);
    snprintf(name, sizeof name, "@barq-test-%d", (int)getpid());
    expect_datagram(name);
    (void)state;
}

static void a_path_that_cannot_be_is_invalid(void **state)
{
    char long_path[200];
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    assert_int_equal(bq_datagram_send(BQ_STR(""), BQ_STR("x")), BQ_INVALID);
    assert_int_equal(bq_datagram_send(BQ_STR("/"), BQ_STR("x")), BQ_INVALID);
    assert_int_equal(bq_datagram_send(BQ_STR("vsock:2:1"), BQ_STR("x")), BQ_INVALID);
    assert_int_equal(bq_datagram_send(bq_str_of(long_path, sizeof long_path), BQ_STR("x")),
                     BQ_INVALID);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listening_socket_is_reached),
        cmocka_unit_test(a_peer_that_says_nothing_is_left_after_the_time),
        cmocka_unit_test(a_queue_that_nobody_empties_is_left_after_the_time),
        cmocka_unit_test(a_port_that_nobody_has_is_refused),
        cmocka_unit_test(a_datagram_reaches_a_file_and_a_name_without_one),
        cmocka_unit_test(a_path_that_cannot_be_is_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
