/* listeners_test.c: sockets for every worker, sentences for what is in the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "listeners.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
    struct bq_config config;
    struct bq_config_error error;
    struct bq_listeners listeners;
    char folder[32];
    char path[64]; /* of a UNIX socket in it */
};

static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    bq_config_init(&f->config);
    snprintf(f->folder, sizeof f->folder, "/tmp/barq-test-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/socket", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_listeners_close(&f->listeners);
    bq_config_release(&f->config);
    unlink(f->path);
    int rc = rmdir(f->folder);
    bq_free(f);
    return rc;
}

static void configure(struct fixture *f, const char *name, const char *value)
{
    assert_int_equal(bq_config_set(&f->config, BQ_ORIGIN_APP, bq_str_cstr(name), bq_str_cstr(value),
                                   "here", &f->error),
                     BQ_OK);
}

static void configure_unix(struct fixture *f)
{
    char text[80];
    snprintf(text, sizeof text, "unix:%s", f->path);
    configure(f, "listen", text);
}

static int open_all(struct fixture *f, unsigned workers)
{
    return bq_listeners_open(&f->listeners, &f->config, workers, &f->error);
}

static bool is_listening(int fd)
{
    int value = 0;
    socklen_t n = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &n) == 0 && value;
}

static uint16_t port_of(const struct bq_listeners *l, size_t i)
{
    return ntohs(l->items[i].endpoint.v4.sin_port);
}

static void every_worker_gets_a_socket_of_its_own(void **state)
{
    struct fixture *f = *state;
    configure(f, "port", "0");
    assert_int_equal(open_all(f, 2), BQ_OK);
    assert_int_equal(f->listeners.count, 1);
    int a = bq_listeners_take(&f->listeners, 0, 0), b = bq_listeners_take(&f->listeners, 0, 1);
    assert_true(is_listening(a) && is_listening(b));
    assert_int_not_equal(a, b);
    assert_false(bq_listeners_is_shared(&f->listeners, 0));
    bq_listeners_close(&f->listeners);
    assert_true(is_listening(a)); /* the worker's now */
    close(a);
    close(b);
}

static void port_0_is_replaced_by_the_real_one(void **state)
{
    struct fixture *f = *state;
    char text[BQ_LISTENERS_TEXT_MAX], expected[64];
    configure(f, "port", "0");
    assert_int_equal(open_all(f, 3), BQ_OK);
    assert_int_not_equal(port_of(&f->listeners, 0), 0);
    bq_listeners_text(&f->listeners, text);
    snprintf(expected, sizeof expected, "http://127.0.0.1:%u", port_of(&f->listeners, 0));
    assert_string_equal(text, expected);
}

static void a_port_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    struct bq_listeners first;
    char port[8], expected[160];
    configure(f, "port", "0");
    assert_int_equal(bq_listeners_open(&first, &f->config, 2, &f->error), BQ_OK);
    snprintf(port, sizeof port, "%u", port_of(&first, 0));
    configure(f, "port", port);
    assert_int_equal(open_all(f, 1), BQ_SYSTEM);
    snprintf(expected, sizeof expected,
             "port %s on 127.0.0.1 is in use: stop the other program or choose another port with "
             "--port",
             port);
    assert_string_equal(f->error.text, expected);
    bq_listeners_close(&first);
}

static void a_foreign_address_is_named(void **state)
{
    struct fixture *f = *state;
    configure(f, "host", "192.0.2.1");
    configure(f, "port", "4711");
    assert_int_equal(open_all(f, 1), BQ_SYSTEM);
    assert_string_equal(f->error.text, "port 4711 on 192.0.2.1: this machine does not have the "
                                       "address: choose another with --host");
}

static void a_unix_socket_is_shared_and_its_file_removed(void **state)
{
    struct fixture *f = *state;
    configure_unix(f);
    assert_int_equal(open_all(f, 3), BQ_OK);
    assert_true(bq_listeners_is_shared(&f->listeners, 0));
    struct stat a, b;
    assert_int_equal(fstat(f->listeners.items[0].fds[0], &a), 0);
    assert_int_equal(fstat(f->listeners.items[0].fds[2], &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(access(f->path, F_OK), 0);
    bq_listeners_close(&f->listeners);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void a_file_that_another_program_put_there_stays(void **state)
{
    struct fixture *f = *state;
    configure_unix(f);
    assert_int_equal(open_all(f, 1), BQ_OK);
    char aside[80];
    snprintf(aside, sizeof aside, "%s2", f->path); /* keeps the inode from being used again */
    assert_int_equal(rename(f->path, aside), 0);
    FILE *other = fopen(f->path, "w");
    assert_non_null(other);
    fclose(other);
    bq_listeners_close(&f->listeners);
    assert_int_equal(access(f->path, F_OK), 0);
    unlink(aside);
}

static void a_unix_socket_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    struct bq_listeners first;
    char expected[200];
    configure_unix(f);
    assert_int_equal(bq_listeners_open(&first, &f->config, 1, &f->error), BQ_OK);
    assert_int_equal(open_all(f, 1), BQ_SYSTEM);
    snprintf(expected, sizeof expected,
             "socket %s is in use: stop the other program or choose another path with --listen",
             f->path);
    assert_string_equal(f->error.text, expected);
    bq_listeners_close(&first);
}

static void one_bad_endpoint_closes_the_others(void **state)
{
    struct fixture *f = *state;
    configure_unix(f);
    configure(f, "listen", "127.0.0.1:0");
    configure(f, "listen", "nonsense");
    assert_int_equal(open_all(f, 2), BQ_INVALID);
    assert_int_equal(strncmp(f->error.text, "cannot listen: ", 15), 0);
    assert_int_equal(f->listeners.count, 0);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static int open_foreign(const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", file);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void sockets_of_a_service_manager_are_shared_and_their_files_stay(void **state)
{
    struct fixture *f = *state;
    char text[BQ_LISTENERS_TEXT_MAX], expected[80];
    int fd = open_foreign(f->path);
    assert_int_equal(bq_listeners_inherit(&f->listeners, fd, 1, 3, &f->error), BQ_OK);
    assert_true(bq_listeners_is_shared(&f->listeners, 0));
    bq_listeners_text(&f->listeners, text);
    snprintf(expected, sizeof expected, "unix:%s", f->path);
    assert_string_equal(text, expected);
    for (unsigned w = 0; w < 3; w++)
        assert_true(is_listening(f->listeners.items[0].fds[w]));
    bq_listeners_close(&f->listeners);
    assert_false(is_listening(fd));
    assert_int_equal(access(f->path, F_OK), 0);
}

static void a_foreign_descriptor_that_does_not_listen_is_named(void **state)
{
    struct fixture *f = *state;
    char expected[32];
    int fd = open_foreign(f->path), next = dup2(STDERR_FILENO, fd + 1), last = dup2(fd, fd + 2);
    assert_int_equal(bq_listeners_inherit(&f->listeners, fd, 3, 2, &f->error), BQ_INVALID);
    snprintf(expected, sizeof expected, "descriptor %d of the service", next);
    assert_non_null(strstr(f->error.text, expected));
    assert_int_equal(f->listeners.count, 0);
    assert_true(fcntl(fd, F_GETFD) == -1 && fcntl(next, F_GETFD) == -1);
    assert_int_equal(fcntl(last, F_GETFD), -1);
}

static void several_endpoints_are_listed(void **state)
{
    struct fixture *f = *state;
    char text[BQ_LISTENERS_TEXT_MAX];
    configure_unix(f);
    configure(f, "listen", "127.0.0.1:0");
    assert_int_equal(open_all(f, 1), BQ_OK);
    bq_listeners_text(&f->listeners, text);
    assert_non_null(strstr(text, f->path));
    assert_non_null(strstr(text, ", http://127.0.0.1:"));
}

static void without_memory_nothing_stays_open(void **state)
{
#ifdef BQ_FAULTS
    struct fixture *f = *state;
    configure(f, "port", "0");
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(open_all(f, 1), BQ_MEMORY);
    assert_string_equal(f->error.text, "out of memory");
    assert_int_equal(f->listeners.count, 0);
#else
    (void)state;
    skip();
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_worker_gets_a_socket_of_its_own),
        TEST(port_0_is_replaced_by_the_real_one),
        TEST(a_port_in_use_is_named),
        TEST(a_foreign_address_is_named),
        TEST(a_unix_socket_is_shared_and_its_file_removed),
        TEST(a_file_that_another_program_put_there_stays),
        TEST(a_unix_socket_in_use_is_named),
        TEST(one_bad_endpoint_closes_the_others),
        TEST(several_endpoints_are_listed),
        TEST(sockets_of_a_service_manager_are_shared_and_their_files_stay),
        TEST(a_foreign_descriptor_that_does_not_listen_is_named),
        TEST(without_memory_nothing_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
