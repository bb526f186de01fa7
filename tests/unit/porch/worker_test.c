/* worker_test.c: one worker walks its states, with the test as its main thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct bq_config config;
    struct bq_server server;
    struct bq_worker *worker;
    char app_path[32];
};

static int setup(void **state)
{
    struct fixture *f = bq_alloc_must(sizeof *f);
    bq_config_init(&f->config);
    f->config.port = 0;
    snprintf(f->app_path, sizeof f->app_path, "/tmp/barq-test-XXXXXX");
    int fd = mkstemp(f->app_path);
    if (fd < 0)
        return -1;
    close(fd);
    bq_server_init(&f->server, &f->config, f->app_path);
    f->server.stores = bq_stores_new();
    f->server.offload = bq_offload_new();
    f->worker = &f->server.workers[0];
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->worker->started)
        pthread_join(f->worker->thread, NULL);
    bq_listeners_close(&f->server.listeners);
    bq_server_release(&f->server);
    bq_config_release(&f->config);
    unlink(f->app_path);
    bq_free(f);
    return 0;
}

static void write_app(const struct fixture *f, const char *code)
{
    FILE *file = fopen(f->app_path, "w");
    assert_non_null(file);
    fputs(code, file);
    fclose(file);
}

/* Within ten seconds, or the test fails. */
static void comes_to(struct fixture *f, enum bq_worker_state wanted)
{
    enum bq_worker_state state = BQ_WORKER_LOADING;
    for (int i = 0; i < 2000 && state != wanted; i++) {
        pthread_mutex_lock(&f->server.lock);
        state = f->worker->state;
        pthread_mutex_unlock(&f->server.lock);
        if (state != wanted)
            nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_int_equal(state, wanted);
}

static void start(struct fixture *f)
{
    assert_int_equal(bq_worker_start(f->worker), BQ_OK);
    comes_to(f, BQ_WORKER_LOADED);
}

static void listen_now(struct fixture *f)
{
    struct bq_config_error error;
    assert_int_equal(bq_listeners_open(&f->server.listeners, &f->config, 1, &error), BQ_OK);
    bq_worker_listen(f->worker);
    comes_to(f, BQ_WORKER_SERVING);
}

static void it_loads_listens_drains_and_ends(void **state)
{
    struct fixture *f = *state;
    write_app(f, "require('barq').get('/', function() return 'hi' end)");
    start(f);
    listen_now(f);
    assert_int_equal(f->server.listeners.items[0].fds[0], -1);
    bq_worker_drain(f->worker);
    comes_to(f, BQ_WORKER_ENDED);
    assert_int_equal(f->worker->requests_cut, 0);
}

static void stop_ends_it_before_it_listens(void **state)
{
    struct fixture *f = *state;
    start(f);
    bq_worker_stop(f->worker);
    comes_to(f, BQ_WORKER_ENDED);
}

static void draining_waits_for_the_hooks(void **state)
{
    struct fixture *f = *state;
    write_app(f, "local barq = require 'barq'\n"
                 "barq.on('drain', function() barq.sleep(0.05) barq.shared('x'):set('k', 1) end)");
    start(f);
    listen_now(f);
    bq_worker_drain(f->worker);
    comes_to(f, BQ_WORKER_ENDED);
    struct bq_store *store;
    assert_int_equal(bq_stores_open(f->server.stores, BQ_STR("x"), 0, &store), BQ_OK);
    assert_int_equal(bq_store_counts(store).entries, 1);
}

static void stop_cuts_draining_short(void **state)
{
    struct fixture *f = *state;
    write_app(f, "local barq = require 'barq'\n"
                 "barq.on('drain', function() barq.sleep(1000) end)");
    start(f);
    listen_now(f);
    bq_worker_drain(f->worker);
    bq_worker_stop(f->worker);
    comes_to(f, BQ_WORKER_ENDED);
}

static void a_broken_application_fails_it(void **state)
{
    struct fixture *f = *state;
    write_app(f, "error('broken')");
    assert_int_equal(bq_worker_start(f->worker), BQ_OK);
    comes_to(f, BQ_WORKER_FAILED);
}

static void a_broken_hook_fails_it(void **state)
{
    struct fixture *f = *state;
    write_app(f, "require('barq').on('worker', function() error('broken') end)");
    assert_int_equal(bq_worker_start(f->worker), BQ_OK);
    comes_to(f, BQ_WORKER_FAILED);
}

static void a_socket_that_cannot_be_watched_fails_it(void **state)
{
    struct fixture *f = *state;
    struct bq_config_error error;
    start(f);
    assert_int_equal(bq_listeners_open(&f->server.listeners, &f->config, 1, &error), BQ_OK);
    /* A regular file: epoll refuses it. */
    close(f->server.listeners.items[0].fds[0]);
    FILE *file = fopen(f->app_path, "r");
    assert_non_null(file);
    f->server.listeners.items[0].fds[0] = dup(fileno(file));
    fclose(file);
    bq_worker_listen(f->worker);
    comes_to(f, BQ_WORKER_FAILED);
}

static void too_little_memory_for_lua_fails_it(void **state)
{
    struct fixture *f = *state;
    f->config.lua_bytes_max = 1 << 16;
    assert_int_equal(bq_worker_load(f->worker), BQ_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_loads_listens_drains_and_ends),
        TEST(stop_ends_it_before_it_listens),
        TEST(draining_waits_for_the_hooks),
        TEST(stop_cuts_draining_short),
        TEST(a_broken_application_fails_it),
        TEST(a_broken_hook_fails_it),
        TEST(a_socket_that_cannot_be_watched_fails_it),
        TEST(too_little_memory_for_lua_fails_it),
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
