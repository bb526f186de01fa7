/* collector_test.c: garbage goes between tasks, in pieces that are timed; or where it is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "task_fixture.h"

#include <stdio.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

/* About 5 KB each. */
static const char garbage[] = "local t = {} for i = 1, 40 do t[i] = { id = i } end return 'made'";

static void run(struct fixture *f, const char *code, int times)
{
    struct outcome o;
    for (int i = 0; i < times; i++) {
        start(f, code, &o);
        bq_loop_run_once(f->loop, 0);
        ends_with(f, &o, BQ_TASK_DONE, "");
    }
}

/* The most that was held after a task. */
static size_t peak(struct fixture *f, const char *code, int times)
{
    size_t most = 0;
    for (int i = 0; i < times; i++) {
        run(f, code, 1);
        most = f->vm->bytes > most ? f->vm->bytes : most;
    }
    return most;
}

static void garbage_is_collected_between_tasks_and_the_pauses_are_timed(void **state)
{
    struct fixture *f = *state;
    size_t before = f->vm->bytes;
    assert_true(peak(f, garbage, 3000) < before + 3 * MIB);
    struct bq_collector_view v = bq_vm_collector(f->vm);
    assert_true(v.cycles >= 3);
    assert_true(v.pauses > v.cycles);
    assert_true(v.pause_ns_max > 0 && v.pause_ns_max < v.pause_ns);
    assert_true(v.pause_ns_max >= v.pause_ns / v.pauses);
}

static void what_is_kept_survives_many_cycles(void **state)
{
    struct fixture *f = *state;
    run(f, "kept = {} for i = 1, 1000 do kept[i] = { n = i } end", 1);
    run(f, garbage, 2000);
    struct outcome o;
    start(f, "for i = 1, 1000 do assert(kept[i].n == i) end return 'all there'", &o);
    ends_with(f, &o, BQ_TASK_DONE, "all there");
    assert_true(bq_vm_collector(f->vm).cycles >= 1);
}

static void the_more_is_kept_the_more_garbage_is_waited_for(void **state)
{
    struct fixture *f = *state;
    run(f, "kept = {} for i = 1, 60000 do kept[i] = { n = i } end", 1);
    lua_gc(f->vm->L, LUA_GCCOLLECT, 0);
    size_t kept = f->vm->bytes;
    assert_true(kept > 4 * MIB);
    run(f, garbage, 4000);
    assert_true(bq_vm_collector(f->vm).cycles >= 1);
    size_t most = peak(f, garbage, 3000);
    assert_true(most > kept + kept / 2);
    run(f, "collectgarbage('setpause', 120)", 1);
    run(f, garbage, 4000);
    assert_true(peak(f, garbage, 3000) < most - kept / 4);
}

static void a_task_that_allocates_much_is_collected_while_it_runs(void **state)
{
    struct fixture *f = *state;
    run(f, "for i = 1, 2000000 do local t = { i } end", 1);
    assert_true(f->vm->bytes < 8 * MIB);
    assert_true(peak(f, garbage, 1000) < 4 * MIB);
    assert_true(bq_vm_collector(f->vm).cycles >= 1);
}

static void a_collector_that_the_application_has_stopped_stands_still(void **state)
{
    struct fixture *f = *state;
    run(f, "collectgarbage('stop')", 1);
    size_t before = f->vm->bytes;
    run(f, garbage, 1000);
    assert_true(f->vm->bytes > before + 3 * MIB);
    assert_int_equal(bq_vm_collector(f->vm).pauses, 0);
    run(f, "collectgarbage('restart')", 1);
    run(f, garbage, 3000);
    assert_true(bq_vm_collector(f->vm).cycles >= 1);
}

static void collecting_everything_near_the_limit_is_a_pause(void **state)
{
    struct fixture *f = *state;
    struct outcome o;
    start(f, "local t = {} for i = 1, 1e9 do t[i] = { i } end", &o);
    ends_with(f, &o, BQ_TASK_ERROR, "not enough memory");
    bq_vm_relieve(f->vm);
    struct bq_collector_view v = bq_vm_collector(f->vm);
    assert_true(v.cycles >= 1 && v.pauses >= v.cycles && v.pause_ns_max > 0);
    assert_true(f->vm->bytes < 8 * MIB);
    run(f, garbage, 1000);
    assert_true(bq_vm_collector(f->vm).pauses > v.pauses);
}

/* What a step logs. */
static void catch_log(struct fixture *f, const char *code, int times, char *text, size_t bytes)
{
    FILE *catcher = tmpfile();
    int kept = dup(STDERR_FILENO);
    bq_log_set_level(BQ_LOG_WARN);
    dup2(fileno(catcher), STDERR_FILENO);
    struct outcome o = {.end = BQ_TASK_DONE};
    for (int i = 0; i < times && o.end == BQ_TASK_DONE; i++) {
        start(f, code, &o);
        bq_loop_run_once(f->loop, 0);
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    ends_with(f, &o, BQ_TASK_DONE, "");
    rewind(catcher);
    text[fread(text, 1, bytes - 1, catcher)] = '\0';
    fclose(catcher);
}

static void a_finaliser_that_fails_is_told_of_and_harms_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    run(f,
        "for i = 1, 2 do local p = newproxy(true)\n"
        "  getmetatable(p).__gc = function() error('cannot close', 0) end end",
        1);
    catch_log(f, garbage, 2000, text, sizeof text);
    assert_non_null(strstr(text, "finaliser failed: cannot close"));
    assert_true(bq_vm_collector(f->vm).cycles >= 1);
    run(f, "local p = newproxy(true) getmetatable(p).__gc = function() error({}) end", 1);
    catch_log(f, garbage, 2000, text, sizeof text);
    assert_non_null(strstr(text, "(no message)"));
}

static void everything_is_collected_before_what_depends_on_it(void **state)
{
    struct fixture *f = *state;
    run(f,
        "kept = setmetatable({ {} }, { __mode = 'v' })\n"
        "for i = 1, 2 do local p = newproxy(true)\n"
        "  getmetatable(p).__gc = function() error('cannot close', 0) end end",
        1);
    struct bq_collector_view before = bq_vm_collector(f->vm);
    int top = lua_gettop(f->vm->L);
    bq_log_set_level(BQ_LOG_OFF);
    bq_collector_settle(f->vm);
    assert_int_equal(lua_gettop(f->vm->L), top);
    assert_int_equal(bq_vm_collector(f->vm).cycles, before.cycles + 1);
    struct outcome o;
    start(f, "return tostring(kept[1])", &o);
    ends_with(f, &o, BQ_TASK_DONE, "nil");
    run(f, garbage, 2000); /* and goes on afterwards */
    assert_true(bq_vm_collector(f->vm).cycles > before.cycles + 1);
}

static void a_finaliser_cannot_wait(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    run(f,
        "local p = newproxy(true)\n"
        "getmetatable(p).__gc = function() said = select(2, pcall(sleep, 1)) end",
        1);
    catch_log(f, garbage, 1000, text, sizeof text);
    assert_string_equal(text, "");
    struct outcome o;
    start(f, "return said", &o);
    ends_with(f, &o, BQ_TASK_DONE, "can wait");
}

static void a_step_that_is_due_is_forgotten_with_its_state(void **state)
{
    struct fixture *f = *state;
    struct bq_vm *other = bq_vm_new(f->loop, 0);
    bq_collector_wake(other);
    bq_vm_free(other);
    bq_loop_run_once(f->loop, 0);
}

static void a_state_without_a_loop_is_left_to_luajit(void **state)
{
    struct bq_vm *vm = bq_vm_new(NULL, 0);
    (void)state;
    assert_int_equal(luaL_dostring(vm->L, "for i = 1, 1000000 do local t = { i } end"), 0);
    assert_true(vm->bytes < 2 * MIB);
    assert_int_equal(bq_vm_collector(vm).pauses, 0);
    bq_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(garbage_is_collected_between_tasks_and_the_pauses_are_timed),
        TEST(what_is_kept_survives_many_cycles),
        TEST(the_more_is_kept_the_more_garbage_is_waited_for),
        TEST(a_task_that_allocates_much_is_collected_while_it_runs),
        TEST(a_collector_that_the_application_has_stopped_stands_still),
        TEST(collecting_everything_near_the_limit_is_a_pause),
        TEST(a_finaliser_that_fails_is_told_of_and_harms_nothing),
        TEST(everything_is_collected_before_what_depends_on_it),
        TEST(a_finaliser_cannot_wait),
        TEST(a_step_that_is_due_is_forgotten_with_its_state),
        cmocka_unit_test(a_state_without_a_loop_is_left_to_luajit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
