/*
 * server_test.c: whole servers, each in a child process that listens on a UNIX socket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "server.h"
#include "signals.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct bq_config config;
    char folder[32], app_path[64], socket_path[64], output_path[64];
    pid_t child;
};

static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    struct bq_config_error error;
    char endpoint[80];
    snprintf(f->folder, sizeof f->folder, "/tmp/barq-test-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->app_path, sizeof f->app_path, "%s/app.lua", f->folder);
    snprintf(f->socket_path, sizeof f->socket_path, "%s/socket", f->folder);
    snprintf(f->output_path, sizeof f->output_path, "%s/output", f->folder);
    snprintf(endpoint, sizeof endpoint, "unix:%s", f->socket_path);
    bq_config_init(&f->config);
    bq_config_set(&f->config, BQ_ORIGIN_COMMAND_LINE, BQ_STR("listen"), bq_str_cstr(endpoint), "",
                  &error);
    f->config.workers = 2;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->child > 0) { /* the test failed */
        kill(f->child, SIGKILL);
        waitpid(f->child, NULL, 0);
    }
    bq_config_release(&f->config);
    unlink(f->app_path);
    unlink(f->output_path);
    unlink(f->socket_path); /* left by a server that a second signal ended */
    int rc = rmdir(f->folder);
    bq_free(f);
    return rc;
}

static void write_app(const struct fixture *f, const char *code)
{
    FILE *file = fopen(f->app_path, "w");
    assert_non_null(file);
    fputs("local barq = require 'barq'\n", file);
    fputs(code, file);
    fclose(file);
}

/* In the child: its output goes to a file, and it frees everything. */
static int serve(struct fixture *f)
{
    struct bq_server server;
    int code = 99;
    long held = bq_mem_live();
    int fd = open(f->output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    bq_signals_init();
    bq_server_init(&server, &f->config, f->app_path);
    if (bq_server_load(&server) == BQ_OK)
        code = bq_server_run(&server);
    bq_server_release(&server);
    close(fd);
    return bq_mem_live() == held ? code : 98;
}

static void spawn(struct fixture *f)
{
    f->child = fork();
    assert_true(f->child >= 0);
    if (f->child == 0)
        _exit(serve(f));
}

/* The exit code, within 30 seconds. */
static int wait_for_end(struct fixture *f)
{
    int status;
    for (int i = 0; i < 3000; i++) {
        if (waitpid(f->child, &status, WNOHANG) == f->child) {
            f->child = 0;
            assert_true(WIFEXITED(status));
            return WEXITSTATUS(status);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("the server does not end");
    return -1;
}

static int run_to_end(struct fixture *f)
{
    spawn(f);
    return wait_for_end(f);
}

static int try_connect(const struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A connection, as soon as there is a server. */
static int reach(const struct fixture *f)
{
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        fd = try_connect(f);
        if (fd < 0)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 20},
               sizeof(struct timeval));
    return fd;
}

static void ask(int fd, const char *path)
{
    char text[128];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
    assert_int_equal(write(fd, text, (size_t)n), n);
}

static void gets_answer(int fd, const char *start)
{
    char text[1024] = "";
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_memory_equal(text, start, strlen(start));
}

/* What the child has written. */
static bool has_said(const struct fixture *f, const char *words)
{
    char text[16384];
    FILE *file = fopen(f->output_path, "r");
    if (!file)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    fclose(file);
    return strstr(text, words);
}

static void says(const struct fixture *f, const char *words)
{
    for (int i = 0; i < 1000 && !has_said(f, words); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    if (!has_said(f, words))
        fail_msg("it does not say \"%s\"", words);
}

#define APP                                                                                   \
    "barq.get('/', function() return 'hi' end)\n"                                             \
    "barq.get('/slow', function() io.stderr:write('asked\\n') barq.sleep(0.3) return 'slow' " \
    "end)\n"                                                                                  \
    "barq.get('/long', function() io.stderr:write('asked\\n') barq.sleep(100) end)\n"         \
    "barq.on('start', function() io.stderr:write('start hook\\n') end)\n"                     \
    "barq.on('stop', function() io.stderr:write('stop hook\\n') end)\n"

static void it_serves_until_a_signal_and_frees_everything(void **state)
{
    struct fixture *f = *state;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/");
    gets_answer(fd, "HTTP/1.1 200 OK");
    says(f, "serving ");
    says(f, "(2 workers)");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    says(f, "start hook");
    says(f, "stop hook");
    assert_int_not_equal(access(f->socket_path, F_OK), 0);
    close(fd);
}

static void a_request_in_flight_is_finished(void **state)
{
    struct fixture *f = *state;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/slow");
    says(f, "asked");
    kill(f->child, SIGINT);
    gets_answer(fd, "HTTP/1.1 200 OK");
    assert_int_equal(wait_for_end(f), 0);
    close(fd);
}

static void the_drain_timeout_cuts_requests_and_counts_them(void **state)
{
    struct fixture *f = *state;
    f->config.drain_ms_max = 100;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/long");
    says(f, "asked");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    says(f, "drain_timeout has passed: 1 request was cut");
    says(f, "stop hook");
    close(fd);
}

static void a_second_signal_ends_at_once(void **state)
{
    struct fixture *f = *state;
    f->config.workers = 1;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/long");
    says(f, "asked");
    kill(f->child, SIGTERM);
    says(f, "SIGTERM: stopping");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 128 + SIGTERM);
    close(fd);
}

static void a_worker_stuck_in_lua_is_left_behind(void **state)
{
    struct fixture *f = *state;
    f->config.drain_ms_max = 100;
    write_app(f, "barq.get('/spin', function() io.stderr:write('asked\\n') while true do end end)");
    spawn(f);
    int fd = reach(f);
    ask(fd, "/spin");
    says(f, "asked");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    says(f, "1 of 2 workers did not come back from Lua");
    assert_int_not_equal(access(f->socket_path, F_OK), 0);
    close(fd);
}

static void the_access_log_is_written_to_its_end(void **state)
{
    struct fixture *f = *state;
    f->config.access_log = BQ_ACCESS_TEXT;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/?a=1");
    gets_answer(fd, "HTTP/1.1 200 OK");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    says(f, "\"GET /?a=1 HTTP/1.1\" 200 2");
    close(fd);
}

static void a_broken_application_does_not_start(void **state)
{
    struct fixture *f = *state;
    write_app(f, "error('broken')");
    assert_int_equal(run_to_end(f), 99);
    says(f, "app.lua:2: broken");
}

static void a_bad_value_in_the_application_does_not_start(void **state)
{
    struct fixture *f = *state;
    write_app(f, "barq.config{ head_max = 'lots' }");
    assert_int_equal(run_to_end(f), 99);
    says(f, "app.lua:2: option \"head_max\" cannot be \"lots\"");
}

static void a_failing_start_hook_keeps_it_from_listening(void **state)
{
    struct fixture *f = *state;
    write_app(f, "barq.on('start', function() error('no database') end)");
    assert_int_equal(run_to_end(f), 1);
    says(f, "no database");
    assert_int_not_equal(access(f->socket_path, F_OK), 0);
}

static void one_failing_worker_ends_the_others(void **state)
{
    struct fixture *f = *state;
    f->config.workers = 4;
    write_app(f, "barq.on('worker', function()\n"
                 "  if barq.shared('n'):incr('n') == 2 then error('the second') end\n"
                 "end)");
    assert_int_equal(run_to_end(f), 1);
    says(f, "the second");
}

static void an_endpoint_in_use_keeps_it_from_starting(void **state)
{
    struct fixture *f = *state;
    write_app(f, APP);
    spawn(f);
    int fd = reach(f);
    pid_t first = f->child;
    int code = run_to_end(f);
    f->child = first;
    assert_int_equal(code, 1);
    says(f, "is in use: stop the other program");
    kill(first, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    close(fd);
}

static void values_of_the_application_are_taken(void **state)
{
    struct fixture *f = *state;
    write_app(f, "barq.config{ workers = 1, access_log = 'json' }\n" APP);
    spawn(f);
    int fd = reach(f);
    ask(fd, "/");
    gets_answer(fd, "HTTP/1.1 200 OK");
    says(f, "(1 worker)");
    says(f, "\"target\":\"/\"");
    kill(f->child, SIGTERM);
    assert_int_equal(wait_for_end(f), 0);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_serves_until_a_signal_and_frees_everything),
        TEST(a_request_in_flight_is_finished),
        TEST(the_drain_timeout_cuts_requests_and_counts_them),
        TEST(a_second_signal_ends_at_once),
        TEST(a_worker_stuck_in_lua_is_left_behind),
        TEST(the_access_log_is_written_to_its_end),
        TEST(a_broken_application_does_not_start),
        TEST(a_bad_value_in_the_application_does_not_start),
        TEST(a_failing_start_hook_keeps_it_from_listening),
        TEST(one_failing_worker_ends_the_others),
        TEST(an_endpoint_in_use_keeps_it_from_starting),
        TEST(values_of_the_application_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
