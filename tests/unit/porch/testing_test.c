/* testing_test.c: an application served inside the process of its tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/rc.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct bq_loop *loop;
    struct bq_vm *host;
    struct bq_testing *t;
    struct bq_buf answer;
    char path[64];
};

static int setup(void **state)
{
    static struct fixture f;
    bq_log_set_level(BQ_LOG_OFF);
    f = (struct fixture){.loop = bq_loop_new()};
    snprintf(f.path, sizeof f.path, "/tmp/barq-testing-test-%d.lua", (int)getpid());
    f.host = bq_vm_new(f.loop, 0);
    f.t = bq_testing_new();
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    bq_testing_free(f->t);
    bq_vm_free(f->host);
    bq_loop_free(f->loop);
    bq_buf_release(&f->answer);
    unlink(f->path);
    return 0;
}

static int start(struct fixture *f, const char *source)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fprintf(file, "local barq = require 'barq'\n%s", source);
    fclose(file);
    return bq_testing_start(f->t, f->host, f->path);
}

static int get(struct fixture *f, const char *target, uint32_t ms_max)
{
    char request[256];
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", target);
    bq_buf_reset(&f->answer);
    int rc = bq_testing_exchange(f->t, bq_str_cstr(request), ms_max, &f->answer);
    bq_buf_push(&f->answer, '\0');
    return rc;
}

static void expect(struct fixture *f, const char *target, const char *part)
{
    assert_int_equal(get(f, target, 2000), BQ_OK);
    if (!strstr(f->answer.data, part))
        fail_msg("no \"%s\" in: %s", part, f->answer.data);
}

static void a_request_goes_all_the_way(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start(f, "barq.get('/{name}', function(req)\n"
                              "  barq.sleep(0.001)\n"
                              "  return { hello = req.params.name, ip = req.ip } end)"),
                     BQ_OK);
    expect(f, "/you", "HTTP/1.1 200");
    expect(f, "/you", "\"hello\":\"you\"");
    expect(f, "/you", "\"ip\":\"127.0.0.1\"");
    expect(f, "/a/b", "HTTP/1.1 404");
    expect(f, "/\x01", "HTTP/1.1 400");
}

static void an_answer_larger_than_any_buffer_arrives_whole(void **state)
{
    struct fixture *f = *state;
    start(f, "barq.get('/', function() return ('x'):rep(3000000) .. '!' end)");
    expect(f, "/", "xxx!");
    assert_true(bq_buf_size(&f->answer) > 3000000);
}

static void what_req_after_left_is_done_when_the_exchange_ends(void **state)
{
    struct fixture *f = *state;
    start(f, "local n = 0\n"
             "barq.get('/', function(req)\n"
             "  req:after(function() barq.sleep(0.005) n = n + 1 end)\n"
             "  return tostring(n) end)");
    expect(f, "/", "\r\n\r\n0");
    expect(f, "/", "\r\n\r\n1");
}

static void an_answer_that_takes_too_long_is_given_up(void **state)
{
    struct fixture *f = *state;
    start(f, "barq.get('/', function() barq.sleep(30) end)\n"
             "barq.get('/next', function() return 'still there' end)");
    assert_int_equal(get(f, "/", 20), BQ_LIMIT);
    assert_int_equal(bq_testing_refreeze(f->t), BQ_LIMIT);
    assert_int_equal(get(f, "/next", 50), BQ_OK);
    assert_non_null(strstr(f->answer.data, "still there"));
}

static void what_raised_is_reported(void **state)
{
    struct fixture *f = *state;
    start(f, "barq.get('/', function() error('broken here') end)\n"
             "barq.get('/fine', function() return '' end)");
    expect(f, "/", "HTTP/1.1 500");
    bq_buf_push(&f->t->report, '\0');
    assert_non_null(strstr(f->t->report.data, "broken here"));
    expect(f, "/fine", "HTTP/1.1 200");
    assert_int_equal(bq_buf_size(&f->t->report), 0);
}

static void one_that_does_not_load_says_why(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start(f, "error('not today')"), BQ_INVALID);
    bq_buf_push(&f->t->report, '\0');
    assert_non_null(strstr(f->t->report.data, "not today"));
}

static void options_win_over_the_application_s(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_testing_set(f->t, "docs", BQ_STR("false")), BQ_OK);
    assert_int_equal(start(f, "barq.config{ docs = true }"), BQ_OK);
    expect(f, "/openapi.json", "HTTP/1.1 404");
}

static void a_wrong_option_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_testing_set(f->t, "dosc", BQ_STR("false")), BQ_INVALID);
    assert_non_null(strstr(f->t->error.text, "did you mean \"--docs\""));
    assert_int_equal(start(f, "barq.config{ body_max = 'much' }"), BQ_INVALID);
    assert_non_null(strstr(f->t->error.text, "body_max"));
}

static void a_failing_start_hook_keeps_it_from_starting(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(start(f, "barq.on('start', function() error 'no' end)"), BQ_INVALID);
    assert_null(f->t->serve);
}

static void two_are_served_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct bq_testing *other = bq_testing_new();
    const char *source = "local n = 0\n"
                         "local shared = barq.shared 'n'\n"
                         "barq.get('/', function() n = n + 1\n"
                         "  return n .. '-' .. shared:incr 'n' end)";
    start(f, source);
    assert_int_equal(bq_testing_start(other, f->host, f->path), BQ_OK);
    expect(f, "/", "\r\n\r\n1-1");
    expect(f, "/", "\r\n\r\n2-2");
    struct bq_testing *first = f->t;
    f->t = other;
    expect(f, "/", "\r\n\r\n1-1");
    bq_testing_free(other);
    f->t = first;
    expect(f, "/", "\r\n\r\n3-3");
}

static void its_end_runs_hooks_and_closes_what_is_open(void **state)
{
    struct fixture *f = *state;
    lua_State *L = f->host->L;
    lua_newtable(L);
    lua_setglobal(L, "trace"); /* which guests made from now on see, too */
    start(f, "local db = barq.depends{ scope = 'worker', open = function() return 1 end,\n"
             "  close = function() table.insert(trace, 'close') end }\n"
             "for _, event in ipairs{ 'start', 'worker', 'drain', 'stop' } do\n"
             "  barq.on(event, function() barq.sleep(0) table.insert(trace, event) end)\n"
             "end\n"
             "barq.get('/', { depends = { db = db } }, function(_, deps) return '' end)");
    expect(f, "/", "HTTP/1.1 200");
    bq_testing_stop(f->t);
    bq_testing_stop(f->t);
    if (luaL_dostring(L, "assert(table.concat(trace, ' ') == 'start worker drain stop close')"))
        fail_msg("%s", lua_tostring(L, -1));
}

static void many_can_follow_each_other(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        start(f, "barq.get('/', function() return { n = ('x'):rep(10) } end)");
        expect(f, "/", "HTTP/1.1 200");
        bq_testing_free(f->t);
        f->t = bq_testing_new();
        lua_gc(f->host->L, LUA_GCSTEP, 200);
    }
    lua_gc(f->host->L, LUA_GCCOLLECT, 0);
    lua_gc(f->host->L, LUA_GCCOLLECT, 0);
    /* One of them takes more than half a mebibyte. */
    assert_in_range(lua_gc(f->host->L, LUA_GCCOUNT, 0), 1, 4096);
}

#ifdef BQ_FAULTS
static void any_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    const char *source = "barq.get('/', function() return { a = 1 } end)";
    bool failed = true;
    for (int nth = 1; failed && nth < 1000; nth++) {
        bq_testing_free(f->t);
        f->t = NULL;
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        struct bq_testing *t = bq_testing_new();
        if (t) {
            f->t = t;
            if (start(f, source) == BQ_OK)
                get(f, "/", 1000);
        }
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        if (!f->t)
            f->t = bq_testing_new();
    }
    assert_false(failed);
    assert_non_null(strstr(f->answer.data, "{\"a\":1}"));
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_goes_all_the_way),
        TEST(an_answer_larger_than_any_buffer_arrives_whole),
        TEST(what_req_after_left_is_done_when_the_exchange_ends),
        TEST(an_answer_that_takes_too_long_is_given_up),
        TEST(what_raised_is_reported),
        TEST(one_that_does_not_load_says_why),
        TEST(options_win_over_the_application_s),
        TEST(a_wrong_option_is_refused),
        TEST(a_failing_start_hook_keeps_it_from_starting),
        TEST(two_are_served_side_by_side),
        TEST(its_end_runs_hooks_and_closes_what_is_open),
        TEST(many_can_follow_each_other),
#ifdef BQ_FAULTS
        TEST(any_allocation_may_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
