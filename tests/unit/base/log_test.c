/* log_test.c: what reaches standard error, seen through a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/rc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

/* Where the text starts: "2026-01-02T03:04:05.678Z info  ". */
#define PREFIX_BYTES 31

static int real_stderr = -1;
static int log_fd = -1;

static int catch_log(void **state)
{
    (void)state;
    int fds[2];
    if (pipe(fds) < 0)
        return -1;
    real_stderr = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    log_fd = fds[0];
    return fcntl(log_fd, F_SETFL, O_NONBLOCK);
}

static int let_log_go(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(log_fd);
    bq_log_set_level(BQ_LOG_INFO);
    return 0;
}

/* The record as a string, its length. */
static size_t read_record(char out[static PIPE_BUF * 2])
{
    ssize_t n = read(log_fd, out, PIPE_BUF * 2 - 1);
    if (n < 0)
        n = 0;
    out[n] = '\0';
    return (size_t)n;
}

#define assert_logged(expected, ...)                          \
    do {                                                      \
        char record[PIPE_BUF * 2];                            \
        bq_info(__VA_ARGS__);                                 \
        assert_true(read_record(record) > PREFIX_BYTES);      \
        assert_string_equal(record + PREFIX_BYTES, expected); \
    } while (0)

static void a_record_has_time_level_and_text(void **state)
{
    (void)state;
    char record[PIPE_BUF * 2];
    int year, month, day, hour, minute, second, ms, end = 0;
    bq_warn("disk %d%% full", 93);
    read_record(record);
    assert_int_equal(sscanf(record, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ warn  disk 93%% full\n%n", &year,
                            &month, &day, &hour, &minute, &second, &ms, &end),
                     7);
    assert_int_equal(end, strlen(record));
}

static void records_below_the_level_are_dropped(void **state)
{
    (void)state;
    char record[PIPE_BUF * 2];
    bq_debug("no");
    bq_log_set_level(BQ_LOG_ERROR);
    bq_warn("no");
    assert_int_equal(read_record(record), 0);
    bq_error("yes");
    assert_true(read_record(record) > 0);
    bq_log_set_level(BQ_LOG_OFF);
    bq_error("no");
    assert_int_equal(read_record(record), 0);
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    assert_logged("a\\x1b[31m\\x0d\\x7f\\x01\n", "a\x1b[31m\r\x7f\x01");
    assert_logged("tab\tstays\n", "tab\tstays");
    assert_logged("csi \\xc2\\x9b31m\n", "csi \xc2\x9b"
                                         "31m");
    assert_logged("\\xc2\\x80\xc2\xa0\n", "\xc2\x80\xc2\xa0");
}

static void invalid_utf8_is_escaped_and_valid_stays(void **state)
{
    (void)state;
    assert_logged("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\n", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
    assert_logged("\\x9b\\xff\\xc0\\xafz\n", "\x9b\xff\xc0\xafz");
    assert_logged("\\xe2\\x82\n", "\xe2\x82");
}

static void a_newline_cannot_begin_a_record(void **state)
{
    (void)state;
    assert_logged("first\n  second\n  \n  third\n", "first\nsecond\n\nthird");
    assert_logged("last\n", "last\n\n");
    assert_logged("\n", "%s", "");
}

static void a_long_record_is_cut_and_says_so(void **state)
{
    (void)state;
    char record[PIPE_BUF * 2], text[20000];
    const char *fills[] = {"xx", "\x01\x01", "x\n", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        for (size_t k = 0; k < sizeof text; k++)
            text[k] = fills[i][k % 2];
        bq_info("%.*s", (int)sizeof text, text);
        size_t n = read_record(record);
        assert_in_range(n, PIPE_BUF - 20, PIPE_BUF);
        assert_string_equal(record + n - 13, " [truncated]\n");
        assert_int_equal(read_record(record), 0);
    }
}

static void a_cut_behind_dropped_newlines_is_told_too(void **state)
{
    (void)state;
    char text[PIPE_BUF + 8];
    memset(text, '\n', sizeof text);
    text[0] = 'a';
    text[sizeof text - 1] = 'z';
    assert_logged("a [truncated]\n", "%.*s", (int)sizeof text, text);
}

static void the_longest_record_that_fits_is_not_cut(void **state)
{
    (void)state;
    char record[PIPE_BUF * 2], text[PIPE_BUF] = "";
    size_t longest = PIPE_BUF - PREFIX_BYTES - 13;
    memset(text, 'x', longest);
    bq_info("%s", text);
    assert_int_equal(read_record(record), PIPE_BUF - 12);
    assert_null(strstr(record, "truncated"));
    text[longest] = 'x';
    bq_info("%s", text);
    assert_int_equal(read_record(record), PIPE_BUF);
    assert_non_null(strstr(record, "truncated"));
}

static void errno_is_kept(void **state)
{
    (void)state;
    close(STDERR_FILENO);
    errno = ENOENT;
    bq_error("nobody reads this");
    assert_int_equal(errno, ENOENT);
}

static void *log_lines(void *arg)
{
    char text[300];
    memset(text, *(char *)arg, sizeof text);
    for (int i = 0; i < 50; i++)
        bq_info("%.*s", (int)sizeof text, text);
    return NULL;
}

static void lines_of_two_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[2];
    char names[] = {'a', 'b'}, line[400];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, &names[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    int fd = dup(log_fd);
    FILE *in = fdopen(fd, "r");
    for (int i = 0; i < 100; i++) {
        assert_non_null(fgets(line, sizeof line, in));
        assert_int_equal(strlen(line), PREFIX_BYTES + 301);
        assert_int_equal(strspn(line + PREFIX_BYTES, line[PREFIX_BYTES] == 'a' ? "a" : "b"), 300);
    }
    fclose(in);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum bq_log_level level;
    const char *names[] = {"debug", "info", "warn", "error", "off"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(bq_log_level_of(bq_str_cstr(names[i]), &level), BQ_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(bq_log_level_of(BQ_STR("INFO"), &level), BQ_INVALID);
    assert_int_equal(bq_log_level_of(BQ_STR(""), &level), BQ_INVALID);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, catch_log, let_log_go)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_record_has_time_level_and_text),
        LOG_TEST(records_below_the_level_are_dropped),
        LOG_TEST(control_characters_are_escaped),
        LOG_TEST(invalid_utf8_is_escaped_and_valid_stays),
        LOG_TEST(a_newline_cannot_begin_a_record),
        LOG_TEST(a_long_record_is_cut_and_says_so),
        LOG_TEST(a_cut_behind_dropped_newlines_is_told_too),
        LOG_TEST(the_longest_record_that_fits_is_not_cut),
        LOG_TEST(errno_is_kept),
        LOG_TEST(lines_of_two_threads_do_not_mix),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
