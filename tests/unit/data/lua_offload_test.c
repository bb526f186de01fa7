/* lua_offload_test.c: barq.offload as the application sees it, in tasks, and without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/lua_offload.h"
#include "vm/cancel.h"
#include "vm/task.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct bq_loop *loop;
    struct bq_offload *pool;
    struct bq_vm *vm;
    lua_State *L;
    long live;
};

static void run(lua_State *L, const char *code)
{
    if (luaL_loadbuffer(L, code, strlen(code), "=app.lua") || lua_pcall(L, 0, 0, 0))
        fail_msg("%s\n%s", code, lua_tostring(L, -1));
}

static void open_work(lua_State *L, void *arg)
{
    static const char code[] = "package.preload.work = function()\n"
                               "  local work = {}\n"
                               "  function work.echo(...) return ... end\n"
                               "  function work.fail(err) error(err, 0) end\n"
                               "  function work.bad() return 1, { f = print } end\n"
                               "  function work.cycle() local t = {} t.t = t return t end\n"
                               "  function work.endless() while true do t = {} end end\n"
                               "  return work\n"
                               "end\n"
                               "package.preload.text = function() return 'text' end\n";
    (void)arg;
    if (luaL_dostring(L, code))
        lua_error(L);
}

/* check(text, fn, …) wants that text in the error that is raised. */
static const char prelude[] =
    "package.preload['barq.place'] = function() return dofile(ROOT .. '/lua/barq/place.lua') end\n"
    "offload = dofile(ROOT .. '/lua/barq/offload.lua')\n"
    "function check(text, fn, ...)\n"
    "  local ok, err = pcall(fn, ...)\n"
    "  assert(not ok, 'did not raise')\n"
    "  if not tostring(err):find(text, 1, true) then error('raised ' .. tostring(err), 2) end\n"
    "  return err\n"
    "end\n";

static void open_offload(struct fixture *f)
{
    lua_State *L = f->L;
    int top = lua_gettop(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    bq_offload_open_module(L, f->pool);
    assert_int_equal(lua_gettop(L), top + 3);
    lua_setfield(L, -2, "barq.offload.core");
    lua_settop(L, top);
    lua_pushliteral(L, BARQ_SOURCE_DIR);
    lua_setglobal(L, "ROOT");
    lua_pushlightuserdata(L, NULL);
    lua_setglobal(L, "null");
    run(L, prelude);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct bq_offload_options options = {
        .threads_max = 2, .lua_bytes_max = 64 << 20, .open = open_work};
    bq_log_set_level(BQ_LOG_OFF);
    f->live = bq_mem_live();
    f->loop = bq_loop_new();
    f->pool = bq_offload_new();
    bq_offload_configure(f->pool, &options);
    f->vm = bq_vm_new(f->loop, 0);
    f->L = f->vm->L;
    open_offload(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_vm_free(f->vm);
    bool stopped = bq_offload_stop(f->pool, bq_clock_ms() + 20000);
    bq_loop_free(f->loop);
    bq_offload_free(f->pool);
    bool clean = stopped && bq_mem_live() == f->live;
    free(f);
    return clean ? 0 : -1;
}

struct ended {
    int done, errors, dropped;
    char text[512];
};

static void count_end(struct bq_task *task, enum bq_task_end end)
{
    struct ended *ended = task->arg;
    ended->done++;
    ended->dropped += end == BQ_TASK_DROPPED;
    if (end != BQ_TASK_ERROR)
        return;
    const char *text = lua_tostring(task->L, -1);
    ended->errors++;
    snprintf(ended->text, sizeof ended->text, "%s", text ? text : luaL_typename(task->L, -1));
}

static struct bq_task *start(struct fixture *f, const char *code, struct ended *ended)
{
    struct bq_task *task = bq_task_take(f->vm);
    assert_non_null(task);
    assert_int_equal(luaL_loadbuffer(task->L, code, strlen(code), "=app.lua"), 0);
    bq_task_start(task, 0, count_end, ended);
    return task;
}

static void turn_until(struct fixture *f, const struct ended *ended, int done)
{
    uint64_t deadline_ms = bq_clock_ms() + 20000;
    while (ended->done < done && bq_clock_ms() < deadline_ms)
        bq_loop_run_once(f->loop, 100);
    assert_int_equal(ended->done, done);
}

static void expect(struct fixture *f, const char *code)
{
    struct ended ended = {0};
    start(f, code, &ended);
    turn_until(f, &ended, 1);
    if (ended.errors)
        fail_msg("%s", ended.text);
}

static void values_go_there_and_back(void **state)
{
    expect(*state, "assert(select('#', offload('work', 'echo')) == 0)\n"
                   "assert(select('#', offload('work', 'echo', nil, nil)) == 2)\n"
                   "local a, b, c = offload('work', 'echo', nil, { x = { '\\0\\255' } }, null)\n"
                   "assert(a == nil and b.x[1] == '\\0\\255' and c == null)\n"
                   "assert(select('#', offload('work', 'echo', unpack({}, 1, 200))) == 200)\n"
                   "assert(offload('work', 'echo', ('x'):rep(1000000)) == ('x'):rep(1000000))\n");
}

static void errors_are_raised_here(void **state)
{
    expect(*state, "check('broken', offload, 'work', 'fail', 'broken')\n"
                   "local ok, err = pcall(offload, 'work', 'fail', { code = 7, list = { 1 } })\n"
                   "assert(not ok and err.code == 7 and err.list[1] == 1)\n"
                   "ok, err = pcall(offload, 'work', 'fail', nil)\n"
                   "assert(not ok and err == 'nil')\n"
                   "ok, err = pcall(offload, 'work', 'fail', false)\n"
                   "assert(not ok and err == 'false')\n"
                   "assert(offload('work', 'echo', 1) == 1)\n");
}

static void what_is_refused_is_named(void **state)
{
    expect(
        *state,
        "check('arguments[2].f: a function cannot be stored; pass booleans, numbers, strings, '\n"
        "  .. 'barq.null and tables of these', offload, 'work', 'echo', 1, { f = print })\n"
        "local loop = {} loop.loop = loop\n"
        "check('arguments[1].loop: the table contains itself', offload, 'work', 'echo', loop)\n"
        "check('arguments[3]: a thread cannot', offload, 'work', 'echo', 1, nil,\n"
        "  coroutine.create(print))\n"
        "check('work.bad returns what cannot be passed on: [2].f: a function cannot', offload,\n"
        "  'work', 'bad')\n"
        "check('[1].t: the table contains itself', offload, 'work', 'cycle')\n"
        "check('the module \"work\" has no function \"nope\"', offload, 'work', 'nope')\n"
        "check('the module \"text\" is no table, but a string', offload, 'text', 'nope')\n"
        "check(\"module 'nope' not found\", offload, 'nope', 'nope')\n"
        "check('the module is a name, got nil', offload)\n"
        "check('the function is a name, got an empty one', offload, 'work', '')\n");
}

static void it_is_refused_where_nothing_can_wait(void **state)
{
    struct fixture *f = *state;
    run(f->L, "check('barq.offload', offload, 'work', 'echo')");
    expect(f, "check('table.sort', table.sort, { 2, 1 }, function() offload('work', 'echo') end)");
}

static void several_run_beside_each_other(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    for (int i = 0; i < 50; i++)
        start(f,
              "for i = 1, 5 do assert(offload('work', 'echo', i) == i) end\n"
              "coroutine.wrap(function() assert(offload('work', 'echo', 1) == 1) end)()",
              &ended);
    turn_until(f, &ended, 50);
    assert_int_equal(ended.errors, 0);
}

static void a_dropped_task_ends_what_runs_for_it(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    for (int i = 0; i < 3; i++) { /* two run, one waits */
        struct bq_task *task = start(f, "offload('work', 'endless')", &ended);
        bq_loop_run_once(f->loop, 20);
        bq_task_drop(task);
    }
    assert_int_equal(ended.dropped, 3);
    expect(f, "assert(offload('work', 'echo', 1) == 1)");
}

static void a_cancelled_task_is_freed_at_once(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    struct bq_task *task = start(f, "offload('work', 'endless')", &ended);
    bq_loop_run_once(f->loop, 20);
    lua_pushliteral(f->L, "cancelled");
    bq_task_cancel(task, luaL_ref(f->L, LUA_REGISTRYINDEX), true);
    turn_until(f, &ended, 1);
    assert_non_null(strstr(ended.text, "cancelled"));
    expect(f, "assert(offload('work', 'echo', 1) == 1)");
}

static void a_state_may_close_while_functions_run_for_it(void **state)
{
    struct fixture *f = *state;
    struct ended ended = {0};
    for (int i = 0; i < 5; i++)
        start(f, "offload('work', 'endless')", &ended);
    bq_loop_run_once(f->loop, 20);
    bq_vm_free(f->vm); /* as for a worker's end; teardown sees that nothing is left */
    assert_int_equal(ended.dropped, 5);
    f->vm = bq_vm_new(f->loop, 0);
}

#ifdef BQ_FAULTS
/* Each allocation of either side fails in turn: an error, or the result; never a lost task. */
static void sweep(struct fixture *f, enum bq_fault_site site)
{
    static const char code[] = "local n, t = offload('work', 'echo', 5, { 'a', b = { 'c' } })\n"
                               "assert(n == 5 and t.b[1] == 'c', 'wrong results')";
    bool failed = true;
    long nth;
    expect(f, code); /* modules are loaded, threads run */
    for (nth = 1; failed && nth < 3000; nth++) {
        struct ended ended = {0};
        bq_offload_renew(f->pool);
        struct bq_task *task = bq_task_take(f->vm);
        assert_int_equal(luaL_loadbuffer(task->L, code, strlen(code), "=app.lua"), 0);
        bq_fault_arm(site, nth, false);
        bq_task_start(task, 0, count_end, &ended);
        turn_until(f, &ended, 1);
        failed = bq_fault_hits(site) > 0;
        bq_fault_arm(site, 0, false);
        assert_null(strstr(ended.text, "wrong results"));
        bq_vm_relieve(f->vm);
    }
    assert_true(nth > 2 && !failed);
    expect(f, code);
}

static void every_allocation_fails_in_turn(void **state)
{
    sweep(*state, BQ_FAULT_alloc);
}

static void every_allocation_of_lua_fails_in_turn(void **state)
{
    sweep(*state, BQ_FAULT_lua_alloc);
}

static void without_a_thread_it_is_an_error(void **state)
{
    bq_fault_arm(BQ_FAULT_thread, 1, true);
    expect(*state, "check('there is no thread to be had', offload, 'work', 'echo')");
    bq_fault_arm(BQ_FAULT_thread, 0, false);
    expect(*state, "assert(offload('work', 'echo', 1) == 1)");
}
#endif

#define OFFLOAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OFFLOAD_TEST(values_go_there_and_back),
        OFFLOAD_TEST(errors_are_raised_here),
        OFFLOAD_TEST(what_is_refused_is_named),
        OFFLOAD_TEST(it_is_refused_where_nothing_can_wait),
        OFFLOAD_TEST(several_run_beside_each_other),
        OFFLOAD_TEST(a_dropped_task_ends_what_runs_for_it),
        OFFLOAD_TEST(a_cancelled_task_is_freed_at_once),
        OFFLOAD_TEST(a_state_may_close_while_functions_run_for_it),
#ifdef BQ_FAULTS
        OFFLOAD_TEST(every_allocation_fails_in_turn),
        OFFLOAD_TEST(every_allocation_of_lua_fails_in_turn),
        OFFLOAD_TEST(without_a_thread_it_is_an_error),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
