/* spawn_test.c: tasks that the application starts: what counts as pending, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app_fixture.h"
#include "base/fault.h"

#include <string.h>

static int setup(void **state)
{
    static struct fixture f;
    fixture_open(&f, 64 << 20);
    *state = &f;
    return f.app ? 0 : -1;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return bq_mem_live() == 0 ? 0 : -1;
}

static void serve(struct fixture *f, const char *source)
{
    assert_int_equal(fixture_load(f, source), BQ_OK);
    assert_int_equal(bq_app_freeze(f->app, &f->options), BQ_OK);
    assert_int_equal(bq_app_run_hooks(f->app, "worker"), BQ_OK);
}

static void turn_until_idle(struct fixture *f)
{
    for (int i = 0; i < 500 && bq_app_pending(f->app); i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(bq_app_pending(f->app), 0);
}

static void a_task_counts_as_pending_until_it_has_ended(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.get('/', function() barq.spawn(function() barq.sleep(0.01) done = 'done' end)\n"
             "  return 'x' end)\n"
             "barq.get('/done', function() return done end)");
    assert_string_equal(fixture_get(f, "/").body, "x");
    assert_int_equal(bq_app_pending(f->app), 1);
    turn_until_idle(f);
    assert_string_equal(fixture_get(f, "/done").body, "done");
}

static void a_timer_counts_while_it_runs_only(void **state)
{
    struct fixture *f = *state;
    serve(f, "local runs = 0\n"
             "barq.after(0.01, function() barq.sleep(0.02) runs = runs + 1 end)\n"
             "barq.every(3600, print)\n"
             "barq.get('/runs', function() return tostring(runs) end)");
    turn_until_idle(f);
    assert_string_equal(fixture_get(f, "/runs").body, "0");
    for (int i = 0; i < 500 && !bq_app_pending(f->app); i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(bq_app_pending(f->app), 1);
    turn_until_idle(f);
    assert_string_equal(fixture_get(f, "/runs").body, "1");
}

static void the_drain_ends_timers_and_lets_runs_go_on(void **state)
{
    struct fixture *f = *state;
    serve(f, "local log = ''\n"
             "barq.after(0.01, function() barq.sleep(0.2) log = log .. 'ended' end)\n"
             "barq.after(0.1, function() log = log .. 'too late' end)\n"
             "barq.get('/begin', function() barq.after(0, function() log = log .. 'new' end) end)\n"
             "barq.get('/log', function() return log end)");
    turn_until_idle(f);
    for (int i = 0; i < 500 && !bq_app_pending(f->app); i++)
        bq_loop_run_once(f->loop, 1);
    assert_int_equal(bq_app_run_hooks(f->app, "drain"), BQ_OK);
    fixture_get(f, "/begin");
    turn_until_idle(f);
    for (int i = 0; i < 5; i++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(fixture_get(f, "/log").body, "ended");
}

static void only_one_worker_has_what_is_once(void **state)
{
    struct fixture *f = *state; /* the worker's number is 3 */
    serve(f, "local log = ''\n"
             "barq.after(0, function() log = log .. 'each' end)\n"
             "barq.after(0, function() log = log .. 'once' end, { once = true })\n"
             "barq.get('/log', function() return log end)");
    for (int i = 0; i < 5; i++)
        bq_loop_run_once(f->loop, 5);
    turn_until_idle(f);
    assert_string_equal(fixture_get(f, "/log").body, "each");
}

static void what_has_not_ended_is_dropped_with_the_application(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.every(3600, print)\n"
             "barq.get('/', function()\n"
             "  barq.spawn(print)\n"
             "  local task = barq.spawn(function() barq.with_timeout(60, barq.sleep, 60) end)\n"
             "  barq.spawn(function() task:wait() end)\n"
             "  barq.spawn(barq.all, function() barq.sleep(60) end, function()\n"
             "    coroutine.wrap(barq.sleep)(60) end)\n"
             "  barq.spawn(function() barq.sleep(60) end):cancel() return 'x' end)");
    assert_string_equal(fixture_get(f, "/").body, "x");
    bq_loop_run_once(f->loop, 1);
    fixture_get(f, "/");
    assert_true(bq_app_pending(f->app) > 0);
}

#ifdef BQ_FAULTS
static void every_allocation_of_a_task_may_fail(void **state)
{
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    struct fixture *f = *state;
    serve(f, "barq.get('/', function()\n"
             "  local task = barq.spawn(function(a) barq.sleep(0) return { a } end, 'x')\n"
             "  barq.after(0, function() error('logged') end)\n"
             "  return task:wait()[1] end)\n"
             "barq.get('/plain', function() return 'x' end)");
    fixture_interpret(f);
    for (size_t s = 0; s < 2; s++) {
        bool hit = true;
        for (long nth = 1; nth < 500 && hit; nth++) {
            bq_fault_arm(sites[s], nth, false);
            assert_int_equal(fixture_get(f, "/").count, 1);
            turn_until_idle(f);
            for (int i = 0; i < 3; i++)
                bq_loop_run_once(f->loop, 1);
            hit = bq_fault_hits(sites[s]) > 0;
            bq_fault_arm(sites[s], 0, false);
            turn_until_idle(f);
            assert_int_equal(fixture_get(f, "/plain").status, 200);
        }
        assert_false(hit);
    }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_counts_as_pending_until_it_has_ended),
        TEST(a_timer_counts_while_it_runs_only),
        TEST(the_drain_ends_timers_and_lets_runs_go_on),
        TEST(only_one_worker_has_what_is_once),
        TEST(what_has_not_ended_is_dropped_with_the_application),
#ifdef BQ_FAULTS
        TEST(every_allocation_of_a_task_may_fail),
#endif
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
