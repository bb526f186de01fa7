/* listener_test.c: real sockets on the loopback and in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/barq-listener-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/socket", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static struct bq_endpoint endpoint_of(const char *host)
{
    struct bq_endpoint e;
    char error[256];
    if (bq_endpoint_set(&e, bq_str_cstr(host), 0, error) != BQ_OK)
        fail_msg("%s", error);
    return e;
}

static struct bq_endpoint unix_endpoint(void)
{
    struct bq_endpoint e;
    char text[80], error[256];
    snprintf(text, sizeof text, "unix:%s", path);
    assert_int_equal(bq_endpoint_parse(&e, bq_str_cstr(text), error), BQ_OK);
    return e;
}

static int must_listen(struct bq_endpoint *e)
{
    int fd = -1;
    assert_int_equal(bq_listen(e, false, 16, &fd), BQ_OK);
    return fd;
}

static int try_connect(const struct bq_endpoint *e)
{
    int fd = socket(e->sa.sa_family, SOCK_STREAM, 0);
    if (connect(fd, &e->sa, e->len) == 0)
        return fd;
    close(fd);
    return -1;
}

static int must_accept(int listen_fd, struct bq_peer *peer)
{
    int fd = -1;
    struct pollfd p = {.fd = listen_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(bq_accept(listen_fd, &fd, peer), BQ_OK);
    return fd;
}

static void port_zero_becomes_the_real_port(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    int listening = must_listen(&e);
    assert_true(ntohs(e.v4.sin_port) > 0);
    int client = try_connect(&e);
    assert_true(client >= 0);
    close(client);
    close(listening);
}

static void an_accepted_socket_is_set_up_and_its_peer_known(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    struct sockaddr_in own;
    socklen_t len = sizeof own, flag_len = sizeof(int);
    struct bq_peer peer;
    char text[BQ_IP_TEXT_MAX];
    int flag = 0, listening = must_listen(&e), client = try_connect(&e);
    int fd = must_accept(listening, &peer);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &flag, &flag_len), 0);
    assert_true(flag);
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &len), 0);
    assert_int_equal(peer.port, ntohs(own.sin_port));
    struct bq_ip ip = bq_peer_ip(&peer);
    assert_int_equal(bq_ip_text(&ip, text), 9);
    assert_memory_equal(text, "127.0.0.1", 9);
    int none;
    assert_int_equal(bq_accept(listening, &none, &peer), BQ_AGAIN);
    close(fd);
    close(client);
    close(listening);
}

static void a_port_that_is_held_is_found(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    int fd = -1, listening = must_listen(&e);
    assert_int_equal(bq_listen(&e, false, 16, &fd), BQ_SYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(fd, -1);
    close(listening);
}

static void workers_share_a_port(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    int first, second;
    assert_int_equal(bq_listen(&e, true, 16, &first), BQ_OK);
    assert_int_equal(bq_listen(&e, true, 16, &second), BQ_OK);
    close(first);
    close(second);
}

static void every_address_takes_ipv4_and_an_explicit_ipv6_address_does_not(void **state)
{
    (void)state;
    struct bq_endpoint any = endpoint_of("*"), six = endpoint_of("::"), four;
    struct bq_peer peer;
    int listening = must_listen(&any);
    four = endpoint_of("127.0.0.1");
    four.v4.sin_port = any.v4.sin_port; /* at the same place in both families */
    int client = try_connect(&four);
    assert_true(client >= 0);
    int fd = must_accept(listening, &peer);
    assert_int_equal(peer.family, AF_INET);
    close(fd);
    close(client);
    close(listening);
    if (!any.dual)
        return; /* a machine without IPv6 */
    listening = must_listen(&six);
    four.v4.sin_port = six.v6.sin6_port;
    assert_int_equal(try_connect(&four), -1);
    close(listening);
}

static void a_unix_socket_accepts(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint();
    struct bq_peer peer;
    int listening = must_listen(&e), client = try_connect(&e);
    int fd = must_accept(listening, &peer);
    assert_int_equal(peer.family, AF_UNIX);
    close(fd);
    close(client);
    close(listening);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint();
    close(must_listen(&e)); /* its file stays */
    int listening = must_listen(&e);
    int client = try_connect(&e);
    assert_true(client >= 0);
    close(client);
    close(listening);
}

static void a_live_unix_socket_is_left_alone(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint();
    int fd, listening = must_listen(&e);
    assert_int_equal(bq_listen(&e, false, 16, &fd), BQ_SYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    int client = try_connect(&e);
    assert_true(client >= 0);
    close(client);
    close(listening);
}

static void a_file_that_is_no_socket_is_never_removed(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint();
    struct stat st;
    int fd, file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(bq_listen(&e, false, 16, &fd), BQ_SYSTEM);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    close(file);
}

static void a_link_to_a_stale_socket_is_never_removed(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint();
    char target[80];
    struct stat st;
    int fd;
    close(must_listen(&e));
    snprintf(target, sizeof target, "%s.old", path);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(bq_listen(&e, false, 16, &fd), BQ_SYSTEM);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(target), 0);
}

static void a_missing_directory_is_an_error_of_the_system(void **state)
{
    (void)state;
    struct bq_endpoint e;
    char error[256];
    int fd;
    assert_int_equal(bq_endpoint_parse(&e, BQ_STR("unix:/no/such/place/s"), error), BQ_OK);
    assert_int_equal(bq_listen(&e, false, 16, &fd), BQ_SYSTEM);
    assert_int_equal(errno, ENOENT);
}

/* As a service manager does it. */
static int open_foreign(struct bq_endpoint *e)
{
    int fd = socket(e->sa.sa_family, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, &e->sa, e->len), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void a_socket_that_another_program_opened_is_made_ready(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1"), found;
    struct bq_peer peer;
    int listening = open_foreign(&e), fd;
    assert_int_equal(bq_listener_inherit(listening, &found), BQ_OK);
    assert_int_equal(found.sa.sa_family, AF_INET);
    assert_int_not_equal(found.v4.sin_port, 0);
    assert_int_equal(fcntl(listening, F_GETFD), FD_CLOEXEC);
    assert_int_equal(bq_accept(listening, &fd, &peer), BQ_AGAIN);
    int client = try_connect(&found);
    fd = must_accept(listening, &peer);
    int no_delay = 0;
    socklen_t n = sizeof no_delay;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &n), 0);
    assert_int_equal(no_delay, 1);
    close(fd);
    close(client);
    close(listening);
}

static void a_unix_socket_of_another_program_is_known_by_its_path(void **state)
{
    (void)state;
    struct bq_endpoint e = unix_endpoint(), found;
    int listening = open_foreign(&e);
    char text[BQ_ENDPOINT_TEXT_MAX], expected[80];
    assert_int_equal(bq_listener_inherit(listening, &found), BQ_OK);
    bq_endpoint_text(&found, text);
    snprintf(expected, sizeof expected, "unix:%s", path);
    assert_string_equal(text, expected);
    close(listening);
}

static void what_does_not_listen_is_not_inherited(void **state)
{
    (void)state;
    struct bq_endpoint found;
    int ends[2], stream = socket(AF_INET, SOCK_STREAM, 0),
                 datagram = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(bq_listener_inherit(ends[0], &found), BQ_INVALID);
    assert_int_equal(bq_listener_inherit(stream, &found), BQ_INVALID);
    assert_int_equal(bq_listener_inherit(datagram, &found), BQ_INVALID);
    assert_int_equal(bq_listener_inherit(-1, &found), BQ_INVALID);
    close(ends[0]);
    close(ends[1]);
    close(stream);
    close(datagram);
}

#ifdef BQ_FAULTS
static void running_out_of_descriptors_is_a_limit_and_loses_nothing(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    struct bq_peer peer;
    int fd, listening = must_listen(&e), client = try_connect(&e);
    bq_fault_arm(BQ_FAULT_accept, 1, false);
    assert_int_equal(bq_accept(listening, &fd, &peer), BQ_LIMIT);
    assert_int_equal(errno, EMFILE);
    fd = must_accept(listening, &peer);
    close(fd);
    close(client);
    close(listening);
}

static void a_connection_that_died_in_the_queue_is_passed_over(void **state)
{
    (void)state;
    struct bq_endpoint e = endpoint_of("127.0.0.1");
    struct bq_peer peer;
    int listening = must_listen(&e), client = try_connect(&e);
    bq_fault_arm(BQ_FAULT_accept_abort, 1, false);
    int fd = must_accept(listening, &peer);
    assert_int_equal(bq_fault_hits(BQ_FAULT_accept_abort), 1);
    close(fd);
    bq_fault_arm(BQ_FAULT_accept_abort, 1, true); /* a flood of them ends the turn's accepting */
    assert_int_equal(bq_accept(listening, &fd, &peer), BQ_SYSTEM);
    bq_fault_arm(BQ_FAULT_accept_abort, 0, false);
    close(client);
    close(listening);
}
#endif

#define UNIX_TEST(name) cmocka_unit_test_teardown(name, remove_path)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_zero_becomes_the_real_port),
        cmocka_unit_test(an_accepted_socket_is_set_up_and_its_peer_known),
        cmocka_unit_test(a_port_that_is_held_is_found),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(every_address_takes_ipv4_and_an_explicit_ipv6_address_does_not),
        UNIX_TEST(a_unix_socket_accepts),
        UNIX_TEST(a_stale_unix_socket_is_replaced),
        UNIX_TEST(a_live_unix_socket_is_left_alone),
        UNIX_TEST(a_file_that_is_no_socket_is_never_removed),
        UNIX_TEST(a_link_to_a_stale_socket_is_never_removed),
        cmocka_unit_test(a_missing_directory_is_an_error_of_the_system),
        cmocka_unit_test(a_socket_that_another_program_opened_is_made_ready),
        UNIX_TEST(a_unix_socket_of_another_program_is_known_by_its_path),
        cmocka_unit_test(what_does_not_listen_is_not_inherited),
#ifdef BQ_FAULTS
        cmocka_unit_test(running_out_of_descriptors_is_a_limit_and_loses_nothing),
        cmocka_unit_test(a_connection_that_died_in_the_queue_is_passed_over),
#endif
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
