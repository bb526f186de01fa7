/*
 * watchdog_test.c: looks at workers whose loops turn, are inside Lua, or stand still. The workers
 * are loops alone; the threads' moves are made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
    struct bq_server server;
    struct bq_worker workers[2];
    struct bq_watcher watcher;
    int reader, waiting[2];
    struct bq_watch watch; /* somebody waits: it is ready and nobody reads */
};

static void ignore(struct bq_watch *w, uint32_t events)
{
    (void)w, (void)events;
}

static int setup(void **state)
{
    struct fixture *f = bq_alloc_zero(sizeof *f);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct bq_server *s = &f->server;
    s->workers = f->workers;
    s->worker_count = s->slot_count = 2;
    s->notify.watchdog_ms = 1000;
    snprintf(s->notify.path, sizeof s->notify.path, "@barq-watchdog-%d", (int)getpid());
    size_t n = strlen(s->notify.path);
    memcpy(address.sun_path, s->notify.path, n);
    address.sun_path[0] = 0;
    f->reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bind(f->reader, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, f->waiting) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        f->workers[i].loop = bq_loop_new();
        bq_absence_allow(bq_loop_absence(f->workers[i].loop), &f->watcher);
    }
    bq_log_set_level(BQ_LOG_OFF);
    bq_watchdog_start(&s->watchdog, s);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++)
        bq_loop_free(f->workers[i].loop);
    bq_watchdog_release(&f->server.watchdog);
    close(f->reader);
    close(f->waiting[0]);
    close(f->waiting[1]);
    bq_free(f);
    return 0;
}

static void turn(struct fixture *f, int worker)
{
    bq_loop_run_once(f->workers[worker].loop, 0);
}

static struct bq_absence *absence(struct fixture *f, int worker)
{
    return bq_loop_absence(f->workers[worker].loop);
}

/* Whether it is well, which the service manager hears then and only then. */
static bool look(struct fixture *f)
{
    char text[64];
    bool well = bq_watchdog_look(&f->server.watchdog);
    ssize_t n = read(f->reader, text, sizeof text);
    assert_int_equal(n, well ? 10 : -1);
    if (well)
        assert_memory_equal(text, "WATCHDOG=1", 10);
    return well;
}

static void let_somebody_wait(struct fixture *f, int worker)
{
    f->watch.fd = f->waiting[0];
    f->watch.fn = ignore;
    assert_int_equal(write(f->waiting[1], "x", 1), 1);
    assert_int_equal(bq_loop_add(f->workers[worker].loop, &f->watch, BQ_READ), 0);
}

static void loops_that_turn_are_well(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_true(look(f));
        turn(f, 0);
        turn(f, 1);
    }
}

static void a_loop_that_stands_still_is_not(void **state)
{
    struct fixture *f = *state;
    assert_true(look(f));
    turn(f, 0);
    assert_false(look(f));
    turn(f, 0);
    assert_false(look(f));
    turn(f, 0);
    turn(f, 1);
    assert_true(look(f));
}

static void one_that_is_inside_lua_for_long_is_well(void **state)
{
    struct fixture *f = *state;
    bq_absence_begin(absence(f, 1));
    let_somebody_wait(f, 1);
    for (int i = 0; i < 4; i++) {
        assert_true(look(f));
        turn(f, 0);
    }
    bq_absence_end(absence(f, 1));
    bq_loop_remove(f->workers[1].loop, &f->watch);
}

static void one_that_is_just_back_is_well(void **state)
{
    struct fixture *f = *state;
    bq_absence_begin(absence(f, 1));
    assert_true(look(f));
    turn(f, 0);
    assert_true(look(f));
    turn(f, 0);
    bq_absence_end(absence(f, 1));
    assert_true(look(f));
    turn(f, 0);
    assert_false(look(f));
}

static void one_that_comes_and_goes_is_well(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 4; i++) {
        bq_absence_begin(absence(f, 1));
        assert_true(look(f));
        turn(f, 0);
        bq_absence_end(absence(f, 1));
    }
}

static void all_inside_lua_are_well_while_nobody_waits(void **state)
{
    struct fixture *f = *state;
    bq_absence_begin(absence(f, 0));
    bq_absence_begin(absence(f, 1));
    for (int i = 0; i < 4; i++)
        assert_true(look(f));
    bq_absence_end(absence(f, 0));
    bq_absence_end(absence(f, 1));
}

static void all_inside_lua_before_who_waits_are_not_unless_somebody_takes_over(void **state)
{
    struct fixture *f = *state;
    bq_absence_begin(absence(f, 0));
    bq_absence_begin(absence(f, 1));
    let_somebody_wait(f, 0);
    assert_true(look(f));
    assert_false(look(f));
    assert_false(look(f));
    atomic_fetch_add(&f->server.adoption.moved, 1);
    assert_true(look(f));
    assert_false(look(f));
    bq_absence_end(absence(f, 0));
    assert_true(look(f));
    bq_absence_end(absence(f, 1));
    bq_loop_remove(f->workers[0].loop, &f->watch);
}

static void it_looks_four_times_in_the_time(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_watchdog_interval_ms(&f->server.watchdog), 250);
    f->server.notify.watchdog_ms = 2;
    assert_int_equal(bq_watchdog_interval_ms(&f->server.watchdog), 1);
    f->server.notify.watchdog_ms = 0;
    assert_int_equal(bq_watchdog_interval_ms(&f->server.watchdog), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loops_that_turn_are_well),
        TEST(a_loop_that_stands_still_is_not),
        TEST(one_that_is_inside_lua_for_long_is_well),
        TEST(one_that_is_just_back_is_well),
        TEST(one_that_comes_and_goes_is_well),
        TEST(all_inside_lua_are_well_while_nobody_waits),
        TEST(all_inside_lua_before_who_waits_are_not_unless_somebody_takes_over),
        TEST(it_looks_four_times_in_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
