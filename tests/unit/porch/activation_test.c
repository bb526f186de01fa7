/* activation_test.c: LISTEN_FDS and LISTEN_PID, meant for us, for others, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "activation.h"
#include "base/rc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned count;
static struct bq_config_error error;

static int take(const char *fds, pid_t pid)
{
    char text[24];
    snprintf(text, sizeof text, "%d", (int)pid);
    setenv("LISTEN_FDS", fds, 1);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDNAMES", "http", 1);
    int rc = bq_activation_take(&count, &error);
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDNAMES"));
    return rc;
}

/* Descriptors of this process from 3 on, whatever cmocka has open. */
static int occupy(void **state)
{
    int fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd < BQ_ACTIVATION_FIRST + 1)
        fd = open("/dev/null", O_RDONLY);
    (void)state;
    return fd >= 0 ? 0 : -1;
}

static void without_the_variables_there_are_none(void **state)
{
    assert_int_equal(bq_activation_take(&count, &error), BQ_OK);
    assert_int_equal(count, 0);
    (void)state;
}

static void sockets_for_this_process_are_taken_and_not_inherited_further(void **state)
{
    assert_int_equal(take("2", getpid()), BQ_OK);
    assert_int_equal(count, 2);
    assert_int_equal(fcntl(BQ_ACTIVATION_FIRST, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(BQ_ACTIVATION_FIRST + 1, F_GETFD), FD_CLOEXEC);
    (void)state;
}

static void sockets_for_another_process_are_not_ours(void **state)
{
    assert_int_equal(take("2", getppid()), BQ_OK);
    assert_int_equal(count, 0);
    setenv("LISTEN_FDS", "2", 1);
    assert_int_equal(bq_activation_take(&count, &error), BQ_OK);
    assert_int_equal(count, 0);
    (void)state;
}

static void a_count_that_is_none_is_refused(void **state)
{
    const char *const counts[] = {"", "x", "-1", "17", "99999999999999999999"};
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        assert_int_equal(take(counts[i], getpid()), BQ_INVALID);
        assert_non_null(strstr(error.text, "is no number of sockets from 0 to 16"));
    }
    (void)state;
}

static void a_descriptor_that_is_not_open_is_named(void **state)
{
    int top = dup(0);
    for (int fd = top; fd < BQ_ACTIVATION_FIRST + 16; fd++)
        close(fd);
    assert_int_equal(take("16", getpid()), BQ_INVALID);
    assert_non_null(strstr(error.text, "LISTEN_FDS says 16, but descriptor "));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_variables_there_are_none),
        cmocka_unit_test(sockets_for_this_process_are_taken_and_not_inherited_further),
        cmocka_unit_test(sockets_for_another_process_are_not_ours),
        cmocka_unit_test(a_count_that_is_none_is_refused),
        cmocka_unit_test(a_descriptor_that_is_not_open_is_named),
    };
    return cmocka_run_group_tests(tests, occupy, NULL);
}
