/* cancel_test.c: errors that end waits: cancellation, timeouts, shields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task_fixture.h"

static void a_waiting_task_is_woken_by_its_error(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state, "sleep(1000)", &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    assert_int_equal(o.ends, 0); /* in the next turn */
    ends_with(*state, &o, BQ_TASK_ERROR, "ended");
}

static void whoever_catches_it_gets_it_again_at_the_next_wait(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state,
                                 "local ok, first = pcall(sleep, 1000)\n"
                                 "local ok2, second = pcall(function() sleep(0) end)\n"
                                 "sleep(0) error('swallowed')",
                                 &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    ends_with(*state, &o, BQ_TASK_ERROR, "ended");
}

static void the_error_is_raised_inside_of_pcall(void **state)
{
    struct outcome o;
    struct bq_task *task =
        start(*state, "local ok, err = pcall(sleep, 1000) return tostring(ok) .. ' ' .. err", &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    ends_with(*state, &o, BQ_TASK_DONE, "false ended");
}

static void the_first_error_stays(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state, "sleep(1000)", &o);
    bq_task_cancel(task, error_ref(*state, "first"), true);
    bq_task_cancel(task, error_ref(*state, "second"), true);
    ends_with(*state, &o, BQ_TASK_ERROR, "first");
}

static void a_task_that_has_not_begun_is_told_at_its_first_wait(void **state)
{
    struct outcome o;
    struct bq_task *task = load(*state, "local x = 1 sleep(0) error('waited')", &o);
    bq_task_start_later(task, note, &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    assert_int_equal(o.ends, 0);
    ends_with(*state, &o, BQ_TASK_ERROR, "ended");
}

static void a_coroutine_used_again_is_not_cancelled(void **state)
{
    struct outcome o;
    struct bq_task *first = start(*state, "pcall(sleep, 1000)", &o);
    bq_task_cancel(first, error_ref(*state, "ended"), true);
    turn_until_ended(*state, &o);
    assert_ptr_equal(start(*state, "sleep(0.001) return 'fine'", &o), first);
    ends_with(*state, &o, BQ_TASK_DONE, "fine");
}

static void a_dropped_task_whose_error_is_on_its_way_stays_away(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct bq_task *task = start(f, "sleep(1000)", &o);
    bq_task_cancel(task, error_ref(f, "ended"), true);
    bq_task_drop(task);
    for (int i = 0; i < 3; i++)
        bq_loop_run_once(f->loop, 5);
    assert_int_equal(o.ends, 1);
    assert_int_equal(o.end, BQ_TASK_DROPPED);
}

static void a_shielded_task_is_told_afterwards(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state,
                                 "shield(true) shield(true) sleep(0.005) shield(false)\n"
                                 "sleep(0.001) shield(false) closed = true\n"
                                 "local ok, err = pcall(sleep, 0) return tostring(closed) .. err",
                                 &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    ends_with(*state, &o, BQ_TASK_DONE, "trueended");
}

static void a_timeout_counts_within_its_scope(void **state)
{
    struct outcome o;
    start(*state,
          "local depth = begin_timeout(0.005, 'late')\n"
          "local ok, first = pcall(sleep, 1000)\n"
          "local ok2, second = pcall(sleep, 1000)\n"
          "end_timeout(depth) sleep(0.001) return first .. second",
          &o);
    ends_with(*state, &o, BQ_TASK_DONE, "latelate");
}

static void the_outermost_of_the_expired_timeouts_counts(void **state)
{
    struct outcome o;
    start(*state,
          "local outer = begin_timeout(0.5, 'outer')\n"
          "local inner = begin_timeout(0.005, 'inner')\n"
          "local _, a = pcall(sleep, 1000)\n"
          "shield(true) sleep(0.6) shield(false)\n"
          "local _, b = pcall(sleep, 1000)\n"
          "end_timeout(inner)\n"
          "local _, c = pcall(sleep, 1000)\n"
          "end_timeout(outer)\n"
          "return a .. ' ' .. b .. ' ' .. c",
          &o);
    ends_with(*state, &o, BQ_TASK_DONE, "inner outer outer");
}

static void cancellation_counts_above_timeouts(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state,
                                 "begin_timeout(1000, 'late')\n"
                                 "local _, a = pcall(sleep, 1000) return a",
                                 &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    ends_with(*state, &o, BQ_TASK_DONE, "ended");
}

static void leaving_a_scope_leaves_what_was_left_open_in_it(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct bq_task *task = start(f,
                                 "local outer = begin_timeout(1000, 'a') begin_timeout(0, 'b')\n"
                                 "end_timeout(outer) sleep(0.005) park('x')",
                                 &o);
    for (int i = 0; i < 20 && task->waiting && bq_timer_is_set(&task->timer); i++)
        bq_loop_run_once(f->loop, 5);
    assert_int_equal(bq_task_error(task), LUA_NOREF);
    assert_true(bq_list_empty(&task->scopes));
    bq_task_drop(task);
}

static void a_task_that_ends_leaves_its_scopes(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    start(f, "begin_timeout(0.001, 'a') begin_timeout(0.001, 'b') return 'x'", &o);
    assert_int_equal(o.ends, 1);
    bq_loop_run_once(f->loop, 5);                         /* nothing expires in freed memory */
    start(f, "begin_timeout(1000, 'a') sleep(1000)", &o); /* nor is it kept at the end */
}

#ifdef BQ_FAULTS
static void a_timeout_without_memory_is_an_error(void **state)
{
    struct outcome o;
    struct bq_task *task = load(*state, "begin_timeout(1, 'late')", &o);
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    bq_task_start(task, 0, note, &o);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    ends_with(*state, &o, BQ_TASK_ERROR, "not enough memory");
}
#endif

static int waits_for_other(lua_State *L)
{
    struct bq_task *task = bq_task_running(L, "other");
    return bq_task_wait_for(L, task, lua_touserdata(L, lua_upvalueindex(1)), task);
}

static int passed_on;

static void pass_on(void *arg, int error)
{
    const struct bq_task *task = arg;
    assert_true(task->waiting);
    passed_on = error;
}

static void a_task_that_waits_for_another_passes_its_error_on(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    lua_pushlightuserdata(f->vm->L, (void *)(uintptr_t)pass_on);
    lua_pushcclosure(f->vm->L, waits_for_other, 1);
    bq_task_wrap(f->vm->L);
    lua_setglobal(f->vm->L, "other");
    struct bq_task *task =
        start(f, "local v = other() local ok, e = pcall(sleep, 0) return v .. e", &o);
    int error = error_ref(f, "ended");
    passed_on = 0;
    bq_task_cancel(task, error, true);
    assert_int_equal(passed_on, error);
    bq_loop_run_once(f->loop, 1);
    assert_int_equal(o.ends, 0);
    lua_pushliteral(task->L, "value ");
    bq_task_wake(task, 1);
    ends_with(f, &o, BQ_TASK_DONE, "value ended");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_waiting_task_is_woken_by_its_error),
        TEST(whoever_catches_it_gets_it_again_at_the_next_wait),
        TEST(the_error_is_raised_inside_of_pcall),
        TEST(the_first_error_stays),
        TEST(a_task_that_has_not_begun_is_told_at_its_first_wait),
        TEST(a_coroutine_used_again_is_not_cancelled),
        TEST(a_dropped_task_whose_error_is_on_its_way_stays_away),
        TEST(a_shielded_task_is_told_afterwards),
        TEST(a_timeout_counts_within_its_scope),
        TEST(the_outermost_of_the_expired_timeouts_counts),
        TEST(cancellation_counts_above_timeouts),
        TEST(leaving_a_scope_leaves_what_was_left_open_in_it),
        TEST(a_task_that_ends_leaves_its_scopes),
#ifdef BQ_FAULTS
        TEST(a_timeout_without_memory_is_an_error),
#endif
        TEST(a_task_that_waits_for_another_passes_its_error_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
