/* outward_test.c: waits in coroutines of the application's own, and what coroutine.resume and
 * coroutine.wrap still are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task_fixture.h"

struct rule {
    const char *code, *result;
};

static void check(struct fixture *f, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct outcome o;
        start(f, rules[i].code, &o);
        ends_with(f, &o, BQ_TASK_DONE, rules[i].result);
    }
}

static void waits_pass_through_coroutines(void **state)
{
    static const struct rule rules[] = {
        {"return coroutine.wrap(function(a) sleep(0.001) return a .. 'b' end)('a')", "ab"},
        {"local s = '' for c in coroutine.wrap(function()\n"
         "  for i = 1, 3 do sleep(0.001) coroutine.yield(i) end end) do s = s .. c end return s",
         "123"},
        {"local f = coroutine.wrap(function() return coroutine.wrap(function()\n"
         "  sleep(0.001) return 'deep' end)() end) return f()",
         "deep"},
        {"local co = coroutine.create(function() sleep(0.001) coroutine.yield('one') return 'two' "
         "end)\n"
         "local _, a = coroutine.resume(co) local _, b = coroutine.resume(co)\n"
         "return a .. b .. coroutine.status(co)",
         "onetwodead"},
        {"local ok, err = coroutine.resume(coroutine.create(function() sleep(0.001) error('x', 0) "
         "end))\n"
         "return tostring(ok) .. err",
         "falsex"},
        {"local n = 0 local f = coroutine.wrap(function() for i = 1, 300 do sleep(0) n = i end "
         "end)\n"
         "shield(true) f() return n",
         "300"},
    };
    check(*state, rules, sizeof rules / sizeof rules[0]);
}

static void what_does_not_wait_is_as_ever(void **state)
{
    static const struct rule rules[] = {
        {"return select('#', coroutine.resume(coroutine.create(function() end)))", "1"},
        {"return select('#', coroutine.wrap(function() return nil, nil end)())", "2"},
        {"local f = coroutine.wrap(function(...) return select('#', coroutine.yield(...)) end)\n"
         "f(1) return f(nil, nil, nil)",
         "3"},
        {"local ok, e = pcall(coroutine.wrap(function() error({ 'in' }) end)) return e[1]", "in"},
        {"local f = coroutine.wrap(function() end) f() local ok, e = pcall(f) return e", "dead"},
        {"return (select(2, pcall(coroutine.resume)))", "coroutine expected"},
        {"return (select(2, pcall(coroutine.wrap, 1)))", "function expected"},
        {"local co co = coroutine.create(function() return coroutine.resume(co) end)\n"
         "return (select(3, coroutine.resume(co)))",
         "running"},
    };
    check(*state, rules, sizeof rules / sizeof rules[0]);
}

static void a_waiting_coroutine_is_nobody_elses_to_resume(void **state)
{
    static const char thief[] = "local ok, err = coroutine.resume(co)\n"
                                "local ok2, err2 = pcall(wrapped or print)\n"
                                "return tostring(ok) .. err .. (err2 or '')";
    struct outcome slept, stole;
    start(*state, "co = coroutine.running() sleep(0.01) return 'undisturbed'", &slept);
    start(*state, thief, &stole);
    ends_with(*state, &stole, BQ_TASK_DONE, "falsecoroutine.resume of a coroutine that waits");
    ends_with(*state, &slept, BQ_TASK_DONE, "undisturbed");
    start(*state,
          "co = coroutine.create(function() sleep(0.01) return 'in peace' end)\n"
          "return (select(2, coroutine.resume(co)))",
          &slept);
    start(*state, thief, &stole);
    ends_with(*state, &stole, BQ_TASK_DONE, "falsecoroutine.resume of a coroutine that waits");
    ends_with(*state, &slept, BQ_TASK_DONE, "in peace");
    start(*state,
          "wrapped = coroutine.wrap(function() sleep(0.01) return 'wrapped' end)\n"
          "return wrapped()",
          &slept);
    start(*state, thief, &stole);
    ends_with(*state, &stole, BQ_TASK_DONE, "resume only what coroutine.create made");
    ends_with(*state, &slept, BQ_TASK_DONE, "wrapped");
}

static void an_error_goes_inwards_to_the_wait(void **state)
{
    struct outcome o;
    struct bq_task *task = start(*state,
                                 "return coroutine.wrap(function()\n"
                                 "  local ok, err = pcall(sleep, 1000) return 'in ' .. err end)()",
                                 &o);
    bq_task_cancel(task, error_ref(*state, "ended"), true);
    ends_with(*state, &o, BQ_TASK_DONE, "in ended");
}

/* The coroutine could yield, but not the one outside of it. */
static void a_wait_that_c_code_is_around_is_an_error_at_the_wait(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    start(f,
          "local told\n"
          "table.sort({ 2, 1 }, coroutine.wrap(function()\n"
          "  local ok, err = pcall(function() sleep(1000) end) told = err return true end))\n"
          "sleep(0.001) return told",
          &o);
    ends_with(f, &o, BQ_TASK_DONE, "cannot wait inside a coroutine that runs inside a function");
    assert_true(bq_list_empty(&f->vm->waiting));
}

static void a_task_that_is_dropped_leaves_its_coroutines_behind(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    struct bq_task *task = start(
        f, "coroutine.wrap(function() coroutine.wrap(function() sleep(1000) end)() end)()", &o);
    bq_task_drop(task);
    assert_int_equal(o.end, BQ_TASK_DROPPED);
    lua_gc(f->vm->L, LUA_GCCOLLECT, 0);
}

static void a_state_without_tasks_waits_for_nothing(void **state)
{
    lua_State *L = luaL_newstate();
    (void)state;
    bq_awaited_push(L);
    lua_pushinteger(L, 7);
    lua_call(L, 1, 1);
    assert_int_equal(lua_tointeger(L, -1), 7);
    lua_close(L);
}

#ifdef BQ_FAULTS
static void every_allocation_on_the_way_may_fail(void **state)
{
    struct fixture *f = *state;
    bool hit = true;
    for (long nth = 1; nth < 200 && hit; nth++) {
        struct outcome o;
        struct bq_task *task = load(f,
                                    "local f = coroutine.wrap(function() sleep(0) end) f()\n"
                                    "sleep(0)",
                                    &o);
        bq_fault_arm(BQ_FAULT_lua_alloc, nth, false);
        bq_task_start(task, 0, note, &o);
        turn_until_ended(f, &o);
        hit = bq_fault_hits(BQ_FAULT_lua_alloc) > 0;
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
        assert_true(bq_list_empty(&f->vm->waiting));
    }
    assert_false(hit);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_pass_through_coroutines),
        TEST(what_does_not_wait_is_as_ever),
        TEST(a_waiting_coroutine_is_nobody_elses_to_resume),
        TEST(an_error_goes_inwards_to_the_wait),
        TEST(a_wait_that_c_code_is_around_is_an_error_at_the_wait),
        TEST(a_task_that_is_dropped_leaves_its_coroutines_behind),
        TEST(a_state_without_tasks_waits_for_nothing),
#ifdef BQ_FAULTS
        TEST(every_allocation_on_the_way_may_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
