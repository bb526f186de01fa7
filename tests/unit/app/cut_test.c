/* cut_test.c: requests that end before their time: deadlines, and clients that have gone. */
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
}

static void turn(struct fixture *f, const struct answer *a)
{
    for (int i = 0; i < 1000 && !a->count; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(a->count, 1);
}

static struct bq_exchange *begin(struct fixture *f, const char *target, struct answer *a)
{
    return fixture_begin(f, &(struct question){.method = "GET", .target = target}, a);
}

static void leave(struct fixture *f, struct bq_exchange *ex)
{
    struct bq_handler handler = bq_app_handler(f->app);
    ex->gone = true;
    handler.gone(handler.self, ex);
}

/* Of a client that leaves after some turns. */
static struct answer left_after(struct fixture *f, const char *target, int turns)
{
    struct answer a;
    struct bq_exchange *ex = begin(f, target, &a);
    for (int i = 0; i < turns; i++)
        bq_loop_run_once(f->loop, 1);
    assert_int_equal(a.count, 0);
    leave(f, ex);
    turn(f, &a);
    fixture_end(ex);
    return a;
}

static const char source[] =
    "local seen = {}\n"
    "local function note(text) seen[#seen + 1] = text end\n"
    "local resource = barq.depends{ open = function() return 'r' end,\n"
    "  close = function(_, err) barq.sleep(0.002) note('close ' .. tostring(err)) end }\n"
    "local worker = barq.depends{ scope = 'worker',\n"
    "  open = function() if not first then first = true barq.sleep(0.05) end return 'w' end }\n"
    "local pass = function(req, next) local res = next(req) note('next ' .. res.status) return res "
    "end\n"
    "barq.get('/waits', { depends = { r = resource } }, function()\n"
    "  pcall(barq.sleep, 60) barq.sleep(60) note('never') end)\n"
    "barq.get('/opens', { depends = { r = resource, s = barq.depends{ open = function()\n"
    "  pcall(barq.sleep, 60) return 's' end } } }, function() barq.sleep(0) note('never') end)\n"
    "barq.get('/below', { middleware = pass, depends = { r = resource } },\n"
    "  function() barq.sleep(60) end)\n"
    "barq.get('/before', { middleware = function(req, next)\n"
    "  pcall(barq.sleep, 60) return next(req) end }, function() note('never') end)\n"
    "barq.get('/worker', { depends = { r = resource, w = worker } }, function() return 'w' end)\n"
    "barq.get('/late', { timeout = 0.005, depends = { r = resource } },\n"
    "  function() barq.sleep(60) end)\n"
    "barq.get('/around', { depends = { r = resource }, middleware = function(req, next)\n"
    "  return barq.with_timeout(0.005, next, req) end }, function() barq.sleep(60) end)\n"
    "barq.get('/handles', function() barq.abort(418) end)\n"
    "barq.on_error(418, function() barq.sleep(0.01) return 'tea', 418 end)\n"
    "barq.get('/with', function()\n"
    "  barq.with({ r = resource }, function() barq.sleep(60) end) end)\n"
    "barq.get('/plain', function() return 'x' end)\n"
    "barq.get('/all', function() return (barq.all(function() barq.sleep(0.001) return 'a' end,\n"
    "  function() return barq.spawn(function() return 'b' end):wait() end)) end)\n"
    "barq.get('/seen', function() local s = table.concat(seen, ', ') seen = {} return s end)\n"
    "barq.on_error(barq.Closed, function(req, err) return 'gone', err.status end)\n";

static void is_seen(struct fixture *f, const char *wanted)
{
    assert_string_equal(fixture_get(f, "/seen").body, wanted);
    assert_int_equal(bq_app_pending(f->app), 0);
}

#define GONE "the client has closed the connection"
#define LATE "timeout: not done after 0.005 s"

static void a_handler_whose_client_has_gone_ends_and_closes(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    assert_int_equal(left_after(f, "/waits", 0).status, 499);
    is_seen(f, "close " GONE);
    assert_int_equal(left_after(f, "/waits", 3).status, 499);
    is_seen(f, "close " GONE);
}

static void a_provider_that_catches_it_does_not_save_the_handler(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    assert_int_equal(left_after(f, "/opens", 1).status, 499);
    is_seen(f, "close " GONE);
}

static void what_a_handler_opened_itself_is_closed_in_peace(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    assert_int_equal(left_after(f, "/with", 1).status, 499);
    is_seen(f, "close " GONE);
}

static void below_middleware_the_error_is_a_response(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    assert_int_equal(left_after(f, "/below", 1).status, 499);
    is_seen(f, "close " GONE ", next 499");
    assert_int_equal(left_after(f, "/before", 1).status, 499);
    is_seen(f, "");
}

static void who_waits_for_anothers_provider_ends_at_once(void **state)
{
    struct fixture *f = *state;
    struct answer first;
    serve(f, source);
    struct bq_exchange *ex = begin(f, "/worker", &first);
    assert_int_equal(left_after(f, "/worker", 1).status, 499);
    turn(f, &first);
    assert_int_equal(first.status, 200);
    fixture_end(ex);
    is_seen(f, "close " GONE ", close nil");
}

/* Whoever opens it leaves; the one who waits opens it then. */
static void who_waits_takes_the_opening_up(void **state)
{
    struct fixture *f = *state;
    struct answer first, second;
    serve(f, source);
    struct bq_exchange *ex = begin(f, "/worker", &first), *other = begin(f, "/worker", &second);
    leave(f, ex);
    turn(f, &first);
    turn(f, &second);
    assert_int_equal(first.status, 499);
    assert_int_equal(second.status, 200);
    fixture_end(ex);
    fixture_end(other);
}

static void an_error_handler_that_answers_is_not_disturbed(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    struct answer a = left_after(f, "/handles", 1);
    assert_int_equal(a.status, 418);
    assert_string_equal(a.body, "tea");
}

static void a_deadline_ends_the_request(void **state)
{
    struct fixture *f = *state;
    serve(f, source);
    assert_int_equal(fixture_get(f, "/late").status, 503);
    is_seen(f, "close " LATE);
    assert_int_equal(fixture_get(f, "/around").status, 504);
    is_seen(f, "close " LATE);
}

/* In the same turn, and while the providers are closed. */
static void a_client_that_leaves_after_the_deadline_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct answer a;
    serve(f, source);
    struct bq_exchange *ex = begin(f, "/late", &a);
    while (!a.count) {
        bq_loop_run_once(f->loop, 5);
        if (!a.count && !ex->gone && bq_loop_now_ms(f->loop) > 0)
            leave(f, ex);
    }
    assert_int_equal(a.count, 1);
    fixture_end(ex);
    fixture_get(f, "/seen");
    assert_int_equal(bq_app_pending(f->app), 0);
}

static void what_waits_at_the_end_is_dropped(void **state)
{
    static const char *const targets[] = {"/waits",  "/below", "/late",   "/around", "/worker",
                                          "/worker", "/all",   "/before", "/opens"};
    enum { COUNT = sizeof targets / sizeof targets[0] };
    struct fixture *f = *state;
    struct bq_handler handler = bq_app_handler(f->app);
    struct answer answers[COUNT];
    struct bq_exchange *all[COUNT];
    serve(f, source);
    for (size_t i = 0; i < COUNT; i++)
        all[i] = begin(f, targets[i], &answers[i]);
    for (size_t i = 0; i < COUNT; i += 2)
        leave(f, all[i]);
    for (size_t i = 0; i < COUNT; i++) {
        if (answers[i].count == 0)
            handler.abandon(handler.self, all[i]);
        fixture_end(all[i]);
    }
}

#ifdef BQ_FAULTS
/* Fails the nth call of a site in one request's life; whether it was reached. */
static bool fail_one(struct fixture *f, enum bq_fault_site site, long nth, const char *target)
{
    struct answer a;
    bq_fault_arm(site, nth, false);
    struct bq_exchange *ex = begin(f, target, &a);
    for (int i = 0; i < 2 && !a.count; i++)
        bq_loop_run_once(f->loop, 5);
    if (!a.count)
        leave(f, ex);
    for (int i = 0; i < 300 && !a.count; i++)
        bq_loop_run_once(f->loop, 10);
    if (!a.count)
        fail_msg("%s: no answer when call %ld of site %d fails", target, nth, (int)site);
    bool hit = bq_fault_hits(site) > 0;
    bq_fault_arm(site, 0, false);
    fixture_end(ex);
    assert_int_equal(fixture_get(f, "/plain").status, 200);
    for (int i = 0; i < 200 && bq_app_pending(f->app); i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(bq_app_pending(f->app), 0);
    return hit;
}

static void every_allocation_may_fail(void **state)
{
    static const char *const targets[] = {"/waits",  "/below",  "/late", "/around",
                                          "/before", "/worker", "/all",  "/opens"};
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    struct fixture *f = *state;
    serve(f, source);
    fixture_interpret(f);
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++)
        for (size_t s = 0; s < 2; s++)
            for (long nth = 1; nth < 500 && fail_one(f, sites[s], nth, targets[t]); nth++)
                ;
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handler_whose_client_has_gone_ends_and_closes),
        TEST(a_provider_that_catches_it_does_not_save_the_handler),
        TEST(what_a_handler_opened_itself_is_closed_in_peace),
        TEST(below_middleware_the_error_is_a_response),
        TEST(who_waits_for_anothers_provider_ends_at_once),
        TEST(who_waits_takes_the_opening_up),
        TEST(an_error_handler_that_answers_is_not_disturbed),
        TEST(a_deadline_ends_the_request),
        TEST(a_client_that_leaves_after_the_deadline_changes_nothing),
        TEST(what_waits_at_the_end_is_dropped),
#ifdef BQ_FAULTS
        TEST(every_allocation_may_fail),
#endif
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
