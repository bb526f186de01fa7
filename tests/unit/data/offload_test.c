/* offload_test.c: the pool of threads, with a loop and jobs but without tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/lua_pack.h"
#include "data/offload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fixture {
    struct bq_loop *loop;
    struct bq_offload *pool;
    struct bq_offload_port port;
    long live;
};

static int arrivals;
static struct bq_offload_job *last;

static void keep(struct bq_offload_job *job)
{
    if (last)
        bq_offload_job_free(last);
    last = job;
    arrivals++;
}

/* package.preload.work: what the jobs call. */
static void open_work(lua_State *L, void *arg)
{
    static const char code[] =
        "package.preload.work = function()\n"
        "  local work = {}\n"
        "  function work.add(a, b) return a + b end\n"
        "  function work.echo(...) return ... end\n"
        "  function work.fail() error('broken', 0) end\n"
        "  function work.fail_with_table() error({ code = 7 }) end\n"
        "  function work.count() calls = (calls or 0) + 1 return calls end\n"
        "  function work.spin() local till = os.clock() + 0.05 repeat until os.clock() > till end\n"
        "  function work.allocate() while true do pcall(function() t = { t and 1 } end) end end\n"
        "  function work.format() local i = 0 while true do i = i + 1 s = 'x' .. i end end\n"
        "  function work.eat() local t = {} while true do t[#t + 1] = ('x'):rep(9999) .. #t end "
        "end\n"
        "  work.number = 1\n"
        "  return work\n"
        "end\n"
        "package.preload.number = function() return 5 end\n"
        "package.preload.moody = function()\n"
        "  loads = (loads or 0) + 1\n"
        "  error('moody ' .. loads, 0)\n"
        "end\n"
        "package.preload.endless = function() while true do t = {} end end\n";
    (void)arg;
    if (luaL_dostring(L, code))
        lua_error(L);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct bq_offload_options options = {
        .threads_max = 2, .lua_bytes_max = 32 << 20, .open = open_work};
    bq_log_set_level(BQ_LOG_OFF);
    f->live = bq_mem_live();
    f->loop = bq_loop_new();
    f->pool = bq_offload_new();
    bq_offload_configure(f->pool, &options);
    bq_offload_port_open(&f->port, f->pool, f->loop, keep);
    arrivals = 0;
    last = NULL;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (last)
        bq_offload_job_free(last);
    bq_offload_port_close(&f->port);
    bool stopped = bq_offload_stop(f->pool, bq_clock_ms() + 20000);
    bq_offload_free(f->pool);
    bq_loop_free(f->loop);
    long live = bq_mem_live();
    bool clean = stopped && live == f->live;
    free(f);
    return clean ? 0 : -1;
}

/* A job whose arguments are the numbers 2 and 3. */
static struct bq_offload_job *new_job_of(const char *module, const char *function)
{
    static const char two_and_three[] = "return { 2, 3 }";
    struct bq_offload_job *job = bq_offload_job_new(bq_str_cstr(module), bq_str_cstr(function));
    struct bq_pack_error error;
    lua_State *L = luaL_newstate();
    assert_int_equal(luaL_dostring(L, two_and_three), 0);
    assert_int_equal(bq_pack(L, 1, 1 << 20, &job->values, &error), BQ_OK);
    lua_close(L);
    job->count = 2;
    return job;
}

static struct bq_offload_job *new_job(const char *function)
{
    return new_job_of("work", function);
}

static void submit(struct fixture *f, const char *function)
{
    assert_int_equal(bq_offload_submit(&f->port, new_job(function)), BQ_OK);
}

static void turn_until(struct fixture *f, int n)
{
    uint64_t deadline_ms = bq_clock_ms() + 20000;
    while (arrivals < n && bq_clock_ms() < deadline_ms)
        bq_loop_run_once(f->loop, 100);
    assert_int_equal(arrivals, n);
}

/* The first value of the last job: its number, or text. */
static const char *first_value(char text[64])
{
    lua_State *L = luaL_newstate();
    bq_unpack(L, bq_buf_str(&last->values));
    lua_rawgeti(L, -1, 1);
    snprintf(text, 64, "%s", lua_tostring(L, -1));
    lua_close(L);
    return text;
}

static void a_function_runs_and_its_results_arrive(void **state)
{
    char text[64];
    submit(*state, "add");
    turn_until(*state, 1);
    assert_false(last->failed);
    assert_int_equal(last->count, 1);
    assert_string_equal(first_value(text), "5");
}

static void all_arguments_come_back(void **state)
{
    submit(*state, "echo");
    turn_until(*state, 1);
    assert_int_equal(last->count, 2);
}

static void an_error_arrives_as_one(void **state)
{
    char text[64];
    submit(*state, "fail");
    turn_until(*state, 1);
    assert_true(last->failed);
    assert_string_equal(first_value(text), "broken");
    submit(*state, "fail_with_table");
    turn_until(*state, 2);
    assert_true(last->failed);
    assert_int_equal(last->count, 1);
}

static void what_is_no_function_is_named(void **state)
{
    char text[64];
    submit(*state, "number");
    turn_until(*state, 1);
    assert_true(last->failed);
    assert_string_equal(first_value(text), "the module \"work\" has no function \"number\"");
}

static void a_thread_keeps_its_state(void **state)
{
    char text[64];
    for (int i = 1; i <= 3; i++) {
        submit(*state, "count");
        turn_until(*state, i);
    }
    assert_true(strtol(first_value(text), NULL, 10) >= 2); /* of two threads at most */
}

static void too_much_memory_is_an_error_and_the_thread_goes_on(void **state)
{
    char text[64];
    submit(*state, "eat");
    turn_until(*state, 1);
    assert_true(last->failed);
    assert_string_equal(first_value(text), "not enough memory");
    submit(*state, "add");
    turn_until(*state, 2);
    assert_false(last->failed);
}

static void many_jobs_all_arrive(void **state)
{
    for (int i = 0; i < 500; i++)
        submit(*state, "add");
    turn_until(*state, 500);
}

static void an_abandoned_job_does_not_arrive(void **state)
{
    struct fixture *f = *state;
    struct bq_offload_job *jobs[20];
    for (int i = 0; i < 20; i++) {
        jobs[i] = new_job(i < 2 ? "spin" : "add");
        assert_int_equal(bq_offload_submit(&f->port, jobs[i]), BQ_OK);
    }
    for (int i = 0; i < 20; i++)
        bq_offload_abandon(jobs[i]); /* running, queued, or done */
    submit(f, "add");
    turn_until(f, 1);
    bq_loop_run_once(f->loop, 100);
    assert_int_equal(arrivals, 1);
}

/* The pool of the fixture has two threads, which these keep busy for ever unless they are ended. */
static void expect_end_of(struct fixture *f, const char *module, const char *function)
{
    struct bq_offload_job *jobs[2];
    for (int i = 0; i < 2; i++) {
        jobs[i] = new_job_of(module, function);
        assert_int_equal(bq_offload_submit(&f->port, jobs[i]), BQ_OK);
    }
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    int before = arrivals;
    for (int i = 0; i < 2; i++)
        bq_offload_abandon(jobs[i]);
    submit(f, "add");
    turn_until(f, before + 1);
    assert_false(last->failed);
}

static void an_abandoned_function_that_allocates_is_ended(void **state)
{
    expect_end_of(*state, "work", "format");
}

static void a_pcall_does_not_keep_an_abandoned_function(void **state)
{
    expect_end_of(*state, "work", "allocate");
}

static void an_abandoned_module_that_loads_is_ended(void **state)
{
    expect_end_of(*state, "endless", "add");
    expect_end_of(*state, "endless", "add"); /* in a state that knows nothing of the first */
}

static void a_function_that_runs_is_ended_at_the_stop(void **state)
{
    struct fixture *f = *state;
    submit(f, "format");
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    assert_true(bq_offload_stop(f->pool, bq_clock_ms() + 20000));
    turn_until(f, 1);
    assert_true(last->failed);
}

static void a_module_that_failed_to_load_is_loaded_again(void **state)
{
    struct fixture *f = *state;
    char text[64];
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(bq_offload_submit(&f->port, new_job_of("moody", "add")), BQ_OK);
        turn_until(f, i);
        assert_true(last->failed);
        assert_string_equal(first_value(text), "moody 1");
    }
}

static void a_renewed_pool_runs_in_new_states(void **state)
{
    struct fixture *f = *state;
    char text[64];
    for (int i = 1; i <= 3; i++) {
        submit(f, "count");
        turn_until(f, i);
    }
    bq_offload_renew(f->pool);
    submit(f, "count");
    turn_until(f, 4);
    assert_string_equal(first_value(text), "1");
}

/* Which port's jobs arrived, in order. */
static char order[8];

static void note_port(struct bq_offload_job *job)
{
    order[arrivals++] = *(const char *)job->owner;
    bq_offload_job_free(job);
}

static void submit_for(struct bq_offload_port *port, const char *function, char *owner)
{
    struct bq_offload_job *job = new_job(function);
    job->owner = owner;
    assert_int_equal(bq_offload_submit(port, job), BQ_OK);
}

static void ports_take_turns(void **state)
{
    struct fixture *f = *state;
    struct bq_offload_port other;
    struct bq_offload_options one_thread = {.threads_max = 1, .open = open_work};
    bq_offload_configure(f->pool, &one_thread);
    bq_offload_port_open(&other, f->pool, f->loop, note_port);
    f->port.arrived = note_port;
    submit_for(&f->port, "spin", "a");
    for (int i = 0; i < 3; i++)
        submit_for(&f->port, "spin", "a");
    for (int i = 0; i < 2; i++)
        submit_for(&other, "spin", "b");
    turn_until(f, 6);
    assert_non_null(memmem(order, 6, "bab", 3)); /* the first may have begun before b came */
    bq_offload_port_close(&other);
}

static void one_port_that_is_full_does_not_close_the_others(void **state)
{
    struct fixture *f = *state;
    static struct bq_offload_job *jobs[BQ_OFFLOAD_WAITING_MAX + 3]; /* two of them run */
    struct bq_offload_job *model = new_job("format");
    struct bq_offload_port other;
    int n = 0, rc = BQ_OK;
    bq_offload_port_open(&other, f->pool, f->loop, keep);
    while (rc == BQ_OK && n < BQ_OFFLOAD_WAITING_MAX + 3) {
        jobs[n] = bq_offload_job_new(BQ_STR("work"), BQ_STR("format"));
        jobs[n]->count = model->count;
        assert_int_equal(bq_buf_append(&jobs[n]->values, bq_buf_str(&model->values)), BQ_OK);
        rc = bq_offload_submit(&f->port, jobs[n++]);
    }
    bq_offload_job_free(model);
    if (rc == BQ_LIMIT) {
        struct bq_offload_job *job = new_job("add");
        assert_int_equal(bq_offload_submit(&other, job), BQ_OK);
        bq_offload_abandon(job);
        bq_offload_job_free(jobs[--n]);
    }
    for (int i = 0; i < n; i++)
        bq_offload_abandon(jobs[i]);
    assert_int_equal(rc, BQ_LIMIT);
    bq_offload_port_close(&other);
}

static void too_many_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    struct bq_offload_job *jobs[2] = {new_job("spin"), new_job("add")};
    f->port.waiting_bytes = BQ_OFFLOAD_BYTES_MAX;
    assert_int_equal(bq_offload_submit(&f->port, jobs[0]), BQ_LIMIT);
    f->port.waiting_bytes = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(bq_offload_submit(&f->port, jobs[i]), BQ_OK);
    turn_until(f, 2);
    assert_int_equal(f->port.waiting_bytes, 0);
}

/* Whichever arrives first abandons the other, which may have been done at the same time. */
static struct bq_offload_job *pair[2];

static void abandon_other(struct bq_offload_job *job)
{
    arrivals++;
    bq_offload_abandon(pair[job == pair[0]]);
    bq_offload_job_free(job);
}

static void who_hears_of_one_may_abandon_the_other(void **state)
{
    struct fixture *f = *state;
    f->port.arrived = abandon_other;
    for (int i = 1; i <= 50; i++) {
        for (int k = 0; k < 2; k++) {
            pair[k] = new_job("add");
            assert_int_equal(bq_offload_submit(&f->port, pair[k]), BQ_OK);
        }
        if (i % 2)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        turn_until(f, i);
    }
}

static void a_port_may_close_while_its_jobs_run(void **state)
{
    struct fixture *f = *state;
    struct bq_offload_port other;
    bq_offload_port_open(&other, f->pool, f->loop, keep);
    struct bq_offload_job *running = new_job("spin");
    assert_int_equal(bq_offload_submit(&other, running), BQ_OK);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    bq_offload_abandon(running);
    bq_offload_port_close(&other);
    submit(f, "add");
    turn_until(f, 1);
}

#ifdef BQ_FAULTS
static void without_a_thread_a_job_is_refused(void **state)
{
    struct fixture *f = *state;
    struct bq_offload_job *job = new_job("add");
    bq_fault_arm(BQ_FAULT_thread, 1, false);
    assert_int_equal(bq_offload_submit(&f->port, job), BQ_SYSTEM);
    assert_int_equal(bq_offload_submit(&f->port, job), BQ_OK);
    turn_until(f, 1);
}
#endif

#define POOL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(a_function_runs_and_its_results_arrive),
        POOL_TEST(all_arguments_come_back),
        POOL_TEST(an_error_arrives_as_one),
        POOL_TEST(what_is_no_function_is_named),
        POOL_TEST(a_thread_keeps_its_state),
        POOL_TEST(too_much_memory_is_an_error_and_the_thread_goes_on),
        POOL_TEST(many_jobs_all_arrive),
        POOL_TEST(an_abandoned_job_does_not_arrive),
        POOL_TEST(an_abandoned_function_that_allocates_is_ended),
        POOL_TEST(a_pcall_does_not_keep_an_abandoned_function),
        POOL_TEST(an_abandoned_module_that_loads_is_ended),
        POOL_TEST(a_function_that_runs_is_ended_at_the_stop),
        POOL_TEST(a_module_that_failed_to_load_is_loaded_again),
        POOL_TEST(a_renewed_pool_runs_in_new_states),
        POOL_TEST(ports_take_turns),
        POOL_TEST(one_port_that_is_full_does_not_close_the_others),
        POOL_TEST(too_many_bytes_are_refused),
        POOL_TEST(who_hears_of_one_may_abandon_the_other),
        POOL_TEST(a_port_may_close_while_its_jobs_run),
#ifdef BQ_FAULTS
        POOL_TEST(without_a_thread_a_job_is_refused),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
