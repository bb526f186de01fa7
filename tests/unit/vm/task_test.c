/* task_test.c: tasks run, wait, fail, are used again and dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/outward.h"
#include "vm/task.h"

#include <string.h>

struct outcome {
    int ends;
    enum bq_task_end end;
    char text[512];
};

static void note(struct bq_task *task, enum bq_task_end end)
{
    struct outcome *o = task->arg;
    o->ends++;
    o->end = end;
    o->text[0] = '\0';
    if (end != BQ_TASK_DROPPED && lua_isstring(task->L, -1))
        strncat(o->text, lua_tostring(task->L, -1), sizeof o->text - 1);
}

/* As a C module could: past what replaces coroutine.resume. */
static int l_raw_resume(lua_State *L)
{
    lua_pushinteger(L, lua_resume(lua_tothread(L, 1), 0));
    return 1;
}

struct fixture {
    struct bq_loop *loop;
    struct bq_vm *vm;
};

static int setup(void **state)
{
    static struct fixture f;
    f.loop = bq_loop_new();
    f.vm = bq_vm_new(f.loop, 64 << 20);
    lua_pushcfunction(f.vm->L, bq_task_sleep);
    bq_task_wrap(f.vm->L);
    lua_setglobal(f.vm->L, "sleep");
    lua_pushcfunction(f.vm->L, l_raw_resume);
    lua_setglobal(f.vm->L, "raw_resume");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_vm_free(f->vm);
    bq_loop_free(f->loop);
    return bq_mem_live() == 0 ? 0 : -1;
}

static struct outcome start(struct fixture *f, const char *code, struct outcome *o)
{
    struct bq_task *task = bq_task_take(f->vm);
    assert_non_null(task);
    assert_int_equal(luaL_loadstring(task->L, code), 0);
    *o = (struct outcome){0};
    bq_task_start(task, 0, note, o);
    return *o;
}

static void turn_until_ended(struct fixture *f, const struct outcome *o)
{
    for (int i = 0; i < 1000 && !o->ends; i++)
        bq_loop_run_once(f->loop, 100);
    assert_int_equal(o->ends, 1);
}

static void a_task_that_does_not_wait_ends_at_once(void **state)
{
    struct outcome o;
    start(*state, "return 'fine'", &o);
    assert_int_equal(o.ends, 1);
    assert_int_equal(o.end, BQ_TASK_DONE);
    assert_string_equal(o.text, "fine");
}

static void a_finished_coroutine_is_used_again(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    for (int i = 0; i < 100; i++)
        start(f, "return 1", &o);
    assert_int_equal(f->vm->task_count, 1);
}

static void a_failed_coroutine_is_thrown_away(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    start(f, "error('broken', 0)", &o);
    assert_int_equal(o.end, BQ_TASK_ERROR);
    assert_string_equal(o.text, "broken");
    assert_int_equal(f->vm->task_count, 0);
    start(f, "return 'next'", &o);
    assert_string_equal(o.text, "next");
}

static void a_sleeping_task_lets_others_run(void **state)
{
    struct fixture *f = *state;
    struct outcome slow, quick;
    start(f, "sleep(0.02) return 'slept'", &slow);
    assert_int_equal(slow.ends, 0);
    start(f, "return 'quick'", &quick);
    assert_string_equal(quick.text, "quick");
    turn_until_ended(f, &slow);
    assert_string_equal(slow.text, "slept");
}

static void sleep_is_never_shorter_than_asked(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    uint64_t before = bq_loop_now_ms(f->loop);
    start(f, "sleep(0.015) sleep(0.015) return 'x'", &o);
    turn_until_ended(f, &o);
    assert_true(bq_loop_now_ms(f->loop) - before >= 30);
}

static void many_tasks_sleep_at_once(void **state)
{
    enum { COUNT = 500 };
    static struct outcome o[COUNT];
    struct fixture *f = *state;
    for (int i = 0; i < COUNT; i++)
        start(f, "sleep(0.01) return 'x'", &o[i]);
    assert_int_equal(f->vm->task_count, COUNT);
    for (int i = 0; i < COUNT; i++)
        turn_until_ended(f, &o[i]);
    assert_true(f->vm->task_count <= 256);
}

static void waiting_crosses_pcall(void **state)
{
    struct outcome o;
    start(*state, "local ok, v = pcall(function() sleep(0.001) return 'in' end) return v", &o);
    turn_until_ended(*state, &o);
    assert_string_equal(o.text, "in");
}

static void waiting_where_it_cannot_work_is_a_clear_error(void **state)
{
    static const struct {
        const char *code, *part;
    } cases[] = {
        {"table.sort({3, 1, 2}, function(a, b) sleep(0) return a < b end)", "here \"sort\""},
        {"('x'):gsub('x', function() sleep(0) end)", "here \"gsub\""},
        {"pcall(string.gsub, 'x', 'x', function() sleep(0) end) sleep(-1)", "seconds"},
        {"('x'):gsub('x', function() local ok, e = pcall(sleep, 0) error(e) end)", "here \"gsub\""},
        {"table.sort({3, 1, 2}, coroutine.wrap(function(a, b) sleep(0) return a < b end))",
         "cannot wait inside a coroutine that runs inside a function that C code calls, here "
         "\"sort\""},
        {"sleep(-1)", "seconds"},
        {"sleep(0/0)", "seconds"},
        {"sleep('x')", "a number of seconds"},
        {"coroutine.yield(1)", "coroutine.yield outside"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o;
        start(*state, cases[i].code, &o);
        assert_int_equal(o.end, BQ_TASK_ERROR);
        if (!strstr(o.text, cases[i].part))
            fail_msg("%s: %s", cases[i].code, o.text);
    }
}

static void sleeping_outside_a_task_is_a_clear_error(void **state)
{
    struct fixture *f = *state;
    assert_int_not_equal(luaL_dostring(f->vm->L, "sleep(0)"), 0);
    assert_non_null(strstr(lua_tostring(f->vm->L, -1), "while the application loads"));
}

static void a_dropped_task_tells_its_owner(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    start(f, "sleep(1000)", &o);
    bq_tasks_drop(f->vm);
    assert_int_equal(o.ends, 1);
    assert_int_equal(o.end, BQ_TASK_DROPPED);
    assert_int_equal(f->vm->task_count, 0);
}

struct guarded {
    struct bq_task_guard guard;
    int runs;
};

static void count_run(struct bq_task_guard *guard)
{
    BQ_CONTAINER(guard, struct guarded, guard)->runs++;
}

static int l_guard(lua_State *L)
{
    struct guarded *g = lua_touserdata(L, lua_upvalueindex(1));
    bq_list_push(&bq_vm_of(L)->running->guards, &g->guard.node);
    return 0;
}

static void guards_run_once_however_the_task_ends(void **state)
{
    static const char *const ends[] = {"guard()", "guard() error('x')", "guard() sleep(1000)"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct guarded g = {.guard.fn = count_run};
        struct outcome o;
        lua_pushlightuserdata(f->vm->L, &g);
        lua_pushcclosure(f->vm->L, l_guard, 1);
        lua_setglobal(f->vm->L, "guard");
        start(f, ends[i], &o);
        bq_tasks_drop(f->vm);
        assert_int_equal(o.ends, 1);
        assert_int_equal(g.runs, 1);
    }
}

static void one_waiting_task_is_dropped_and_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct outcome dropped, other;
    struct bq_task *task = bq_task_take(f->vm);
    assert_int_equal(luaL_loadstring(task->L, "sleep(0.001) return 'never'"), 0);
    dropped = (struct outcome){0};
    bq_task_start(task, 0, note, &dropped);
    start(f, "sleep(0.01) return 'other'", &other);
    bq_task_drop(task);
    assert_int_equal(dropped.end, BQ_TASK_DROPPED);
    turn_until_ended(f, &other);
    assert_string_equal(other.text, "other");
    assert_int_equal(dropped.ends, 1);
}

/* A sleeper's coroutine, known by coroutine.running, is resumed by somebody else. */
static void check_stolen(struct fixture *f, const char *sleeper, const char *thief)
{
    struct outcome slept, stole;
    start(f, sleeper, &slept);
    assert_int_equal(slept.ends, 0);
    start(f, thief, &stole);
    assert_int_equal(stole.end, BQ_TASK_DONE);
    turn_until_ended(f, &slept);
    assert_int_equal(slept.end, BQ_TASK_ERROR);
    if (!strstr(slept.text, "coroutine.resume of a coroutine that waits"))
        fail_msg("%s: %s", sleeper, slept.text);
}

static void a_waiting_coroutine_that_the_application_resumed_ends_in_an_error(void **state)
{
    static const char thief[] = "raw_resume(co) return 'x'";
    check_stolen(*state, "co = coroutine.running() sleep(0.005) return 'x'", thief);
    check_stolen(*state, "co = coroutine.running() sleep(0.005) error('x')", thief);
}

static void globals_set_for_one_coroutine_are_not_the_next_users(void **state)
{
    struct outcome o;
    struct fixture *f = *state;
    for (int api = 0; api < 2; api++) {
        if (api) /* as where values lie in no way that is known */
            f->vm->raw_null = 0;
        start(f, "setfenv(0, {}) return 'set'", &o);
        assert_string_equal(o.text, "set");
        start(f, "return tostring(getfenv(0) == _G)", &o);
        assert_string_equal(o.text, "true");
    }
}

#ifdef BQ_FAULTS
static void a_stray_yield_without_memory_is_an_error_of_the_task(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct bq_task *task = bq_task_take(f->vm);
    assert_int_equal(luaL_loadstring(task->L, "coroutine.yield()"), 0);
    o = (struct outcome){0};
    lua_gc(f->vm->L, LUA_GCCOLLECT, 0);
    bq_fault_arm(BQ_FAULT_lua_alloc, 1, true);
    bq_task_start(task, 0, note, &o);
    bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
    assert_int_equal(o.end, BQ_TASK_ERROR);
    assert_non_null(strstr(o.text, "coroutine.yield outside"));
}
#endif

static void a_stack_overflow_is_an_error_of_the_task(void **state)
{
    struct outcome o;
    start(*state, "local function f() return 1 + f() end return f()", &o);
    assert_int_equal(o.end, BQ_TASK_ERROR);
    assert_non_null(strstr(o.text, "stack overflow"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_that_does_not_wait_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_coroutine_is_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_coroutine_is_thrown_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sleeping_task_lets_others_run, setup, teardown),
        cmocka_unit_test_setup_teardown(sleep_is_never_shorter_than_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(many_tasks_sleep_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_crosses_pcall, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_where_it_cannot_work_is_a_clear_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sleeping_outside_a_task_is_a_clear_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_task_tells_its_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(guards_run_once_however_the_task_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(one_waiting_task_is_dropped_and_others_go_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_waiting_coroutine_that_the_application_resumed_ends_in_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(globals_set_for_one_coroutine_are_not_the_next_users, setup,
                                        teardown),
#ifdef BQ_FAULTS
        cmocka_unit_test_setup_teardown(a_stray_yield_without_memory_is_an_error_of_the_task, setup,
                                        teardown),
#endif
        cmocka_unit_test_setup_teardown(a_stack_overflow_is_an_error_of_the_task, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
