/* lua_task_test.c: tasks by their numbers: parking, waking, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task_fixture.h"

static void a_parked_task_goes_on_when_another_unparks_it(void **state)
{
    struct outcome parked, other;
    start(*state, "me = task() park('x') return 'on'", &parked);
    start(*state, "unpark(me) unpark(me) return 'told'", &other);
    assert_int_equal(parked.ends, 0); /* in the next turn */
    ends_with(*state, &parked, BQ_TASK_DONE, "on");
}

static void unparking_wakes_no_other_wait(void **state)
{
    struct outcome o, other;
    struct fixture *f = *state;
    struct bq_task *task = start(f, "me = task() sleep(1000)", &o);
    start(f, "unpark(me) unpark(12345)", &other);
    bq_loop_run_once(f->loop, 1);
    assert_int_equal(o.ends, 0);
    bq_task_drop(task);
}

static void the_number_of_a_task_that_has_ended_is_nobodys(void **state)
{
    struct outcome o;
    start(*state, "old = task() return 'x'", &o);
    start(*state,
          "cancel(old, 'ended') unpark(old) local new = task()\n"
          "sleep(0.001) return tostring(new == old)",
          &o);
    ends_with(*state, &o, BQ_TASK_DONE, "false");
}

static void a_task_cancels_another_and_itself(void **state)
{
    struct outcome o, other;
    start(*state, "me = task() park('x')", &o);
    start(*state, "cancel(me, 'by another') cancel(me, 'twice')", &other);
    ends_with(*state, &o, BQ_TASK_ERROR, "by another");
    start(*state, "cancel(task(), 'by itself') local x = 1 sleep(0)", &o);
    ends_with(*state, &o, BQ_TASK_ERROR, "by itself");
}

static void the_error_of_an_unparked_task_is_not_lost(void **state)
{
    struct outcome o, other;
    start(*state, "me = task() park('x') error('woken')", &o);
    start(*state, "unpark(me) cancel(me, 'ended')", &other);
    ends_with(*state, &o, BQ_TASK_ERROR, "ended");
}

static void outside_of_tasks_there_is_nothing_to_park(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(luaL_dostring(f->vm->L, "shield(true) return task()"), 0);
    assert_true(lua_isnil(f->vm->L, -1));
    assert_int_not_equal(luaL_dostring(f->vm->L, "park('the thing')"), 0);
    assert_non_null(strstr(lua_tostring(f->vm->L, -1), "the thing: only a handler"));
    assert_int_not_equal(luaL_dostring(f->vm->L, "begin_timeout(1, 'x')"), 0);
    lua_settop(f->vm->L, 0);
}

static void wrong_arguments_are_refused(void **state)
{
    static const char *const codes[] = {
        "begin_timeout(-1, 'x')", "begin_timeout(0/0, 'x')", "begin_timeout(1)", "end_timeout(0)",
        "cancel('x', 1)",         "cancel(task())",          "unpark()",         "park()",
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct outcome o;
        start(*state, codes[i], &o);
        ends_with(*state, &o, BQ_TASK_ERROR, "bad argument");
    }
}

static void a_task_holds_up_who_joins_it_and_whom_that_one_holds_up(void **state)
{
    struct fixture *f = *state;
    struct outcome o[3];
    struct bq_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = start(f, "task() park('x')", &o[i]);
        tasks[i]->joiner = i ? tasks[i - 1]->handle : BQ_HANDLE_NONE;
    }
    assert_true(bq_task_holds_up(tasks[2], tasks[1]->L));
    assert_true(bq_task_holds_up(tasks[2], tasks[0]->L));
    assert_false(bq_task_holds_up(tasks[2], tasks[2]->L));
    assert_false(bq_task_holds_up(tasks[0], tasks[1]->L));
    assert_false(bq_task_holds_up(tasks[2], NULL));
    bq_task_drop(tasks[0]);
    assert_true(bq_task_holds_up(tasks[2], tasks[1]->L));
    assert_false(bq_task_holds_up(tasks[1], tasks[2]->L));
}

static void a_task_that_is_used_again_has_no_joiner(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct bq_task *first = load(f, "return 1", &o);
    first->joiner = 1;
    bq_task_start(first, 0, note, &o);
    struct bq_task *again = load(f, "return 1", &o);
    assert_ptr_equal(again, first);
    assert_true(again->joiner == BQ_HANDLE_NONE);
    bq_task_give(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_parked_task_goes_on_when_another_unparks_it),
        TEST(unparking_wakes_no_other_wait),
        TEST(the_number_of_a_task_that_has_ended_is_nobodys),
        TEST(a_task_cancels_another_and_itself),
        TEST(the_error_of_an_unparked_task_is_not_lost),
        TEST(outside_of_tasks_there_is_nothing_to_park),
        TEST(wrong_arguments_are_refused),
        TEST(a_task_holds_up_who_joins_it_and_whom_that_one_holds_up),
        TEST(a_task_that_is_used_again_has_no_joiner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
