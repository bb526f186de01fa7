/* notify_test.c: what a service manager is told, and which of its variables hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char name[64];
static int reader = -1;

/* A socket without a file, which needs no cleaning up. */
static int setup(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(name, sizeof name, "@barq-notify-%d", (int)getpid());
    size_t n = strlen(name);
    memcpy(address.sun_path, name, n);
    address.sun_path[0] = 0;
    reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    (void)state;
    return bind(reader, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

static int teardown(void **state)
{
    (void)state;
    return close(reader);
}

static struct bq_notify init(const char *path, const char *us, const char *pid)
{
    struct bq_notify n;
    if (path)
        setenv("NOTIFY_SOCKET", path, 1);
    if (us)
        setenv("WATCHDOG_USEC", us, 1);
    if (pid)
        setenv("WATCHDOG_PID", pid, 1);
    bq_log_set_level(BQ_LOG_OFF);
    bq_notify_init(&n);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    return n;
}

static void lines_reach_the_socket(void **state)
{
    struct bq_notify n = init(name, NULL, NULL);
    char text[64] = "";
    bq_notify_say(&n, "READY=1\nSTATUS=serving %d", 7);
    assert_int_equal(read(reader, text, sizeof text - 1), 24);
    assert_string_equal(text, "READY=1\nSTATUS=serving 7");
    assert_int_equal(n.watchdog_ms, 0);
    (void)state;
}

static void nobody_is_told_without_a_socket(void **state)
{
    struct bq_notify n = init(NULL, "30000000", NULL);
    assert_string_equal(n.path, "");
    assert_int_equal(n.watchdog_ms, 0);
    bq_notify_say(&n, "READY=1");
    n = init("vsock:2:1", NULL, NULL);
    assert_string_equal(n.path, "");
    (void)state;
}

static void a_socket_that_nobody_reads_harms_nothing(void **state)
{
    struct bq_notify n = init("/nowhere/at/all", NULL, NULL);
    assert_string_equal(n.path, "/nowhere/at/all");
    bq_notify_say(&n, "READY=1");
    assert_true(n.deaf); /* and its warning is said */
    bq_notify_say(&n, "WATCHDOG=1");
    (void)state;
}

static void a_socket_without_a_name_is_none(void **state)
{
    assert_string_equal(init("@", NULL, NULL).path, "");
    assert_string_equal(init("/", NULL, NULL).path, "");
    assert_string_equal(init("@a", NULL, NULL).path, "@a");
    (void)state;
}

static void a_long_path_is_no_path(void **state)
{
    char path[BQ_NOTIFY_PATH_MAX + 1];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    struct bq_notify n = init(path, "1000000", NULL);
    assert_string_equal(n.path, "");
    (void)state;
}

static void the_watchdog_of_this_process_holds(void **state)
{
    char pid[24];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_int_equal(init(name, "30000000", pid).watchdog_ms, 30000);
    assert_int_equal(init(name, "30000000", NULL).watchdog_ms, 30000);
    assert_int_equal(init(name, "1", NULL).watchdog_ms, 1);
    assert_int_equal(init(name, "0", NULL).watchdog_ms, 0);
    assert_int_equal(init(name, "30000000", "1").watchdog_ms, 0);
    assert_int_equal(init(name, "30000000", "x").watchdog_ms, 0);
    assert_int_equal(init(name, "soon", NULL).watchdog_ms, 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_reach_the_socket, setup, teardown),
        cmocka_unit_test(nobody_is_told_without_a_socket),
        cmocka_unit_test(a_socket_that_nobody_reads_harms_nothing),
        cmocka_unit_test(a_socket_without_a_name_is_none),
        cmocka_unit_test(a_long_path_is_no_path),
        cmocka_unit_test(the_watchdog_of_this_process_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
