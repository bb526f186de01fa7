/* depends_test.c: providers are opened once, in order, closed in reverse, whatever happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app_fixture.h"
#include "base/fault.h"

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

/* What every application here begins with: a trace of what happened, and a way to read it. */
static const char prelude[] =
    "local trace = {}\n"
    "local function note(text) trace[#trace + 1] = text end\n"
    "barq.get('/trace', function()\n"
    "  local text = table.concat(trace, ' ') trace = {} return text end)\n"
    "local function provider(name, o)\n"
    "  o = o or {}\n"
    "  o.open = o.open or function() note('+' .. name) return name end\n"
    "  o.close = o.close or function(v, err)\n"
    "    note('-' .. tostring(v) .. (err and '!' or '')) end\n"
    "  return barq.depends(o)\n"
    "end\n";

static void serve(struct fixture *f, const char *source)
{
    char *whole = malloc(sizeof prelude + strlen(source));
    memcpy(whole, prelude, sizeof prelude - 1);
    memcpy(whole + sizeof prelude - 1, source, strlen(source) + 1);
    assert_int_equal(fixture_load(f, whole), BQ_OK);
    free(whole);
    assert_int_equal(bq_app_freeze(f->app, &f->options), BQ_OK);
}

/* Asks, then compares the status, the body (NULL: any) and the trace. */
static void expect(struct fixture *f, const char *target, int status, const char *body,
                   const char *trace)
{
    struct answer a = fixture_get(f, target);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.status, status);
    if (body)
        assert_string_equal(a.body, body);
    assert_string_equal(fixture_get(f, "/trace").body, trace);
    assert_int_equal(bq_app_pending(f->app), 0);
}

static void a_provider_is_opened_once_and_closed_in_reverse(void **state)
{
    struct fixture *f = *state;
    serve(f, "local a = provider 'a'\n"
             "local b = provider('b', { depends = { a = a } })\n"
             "local c = provider('c', { depends = { a = a, b = b } })\n"
             "barq.get('/x', { depends = { a = a, c = c } }, function(req, deps)\n"
             "  note('x') return deps.a .. deps.c .. tostring(deps.b) end)");
    expect(f, "/x", 200, "acnil", "+a +b +c x -c -b -a");
    expect(f, "/x", 200, "acnil", "+a +b +c x -c -b -a");
}

static void providers_see_their_dependencies_and_the_request(void **state)
{
    struct fixture *f = *state;
    serve(f, "local a = barq.depends{ open = function(req) return req.params.id end }\n"
             "local function b(req, deps) return 'plain ' .. req.path end\n"
             "local c = barq.depends{ depends = { a = a }, open = function(req, deps)\n"
             "  req.seen = deps.a return deps.a .. '!' end }\n"
             "barq.get('/x/{id}', { depends = { c = c, b = b } }, function(req, deps)\n"
             "  return deps.c .. ' ' .. deps.b .. ' ' .. req.seen end)");
    assert_string_equal(fixture_get(f, "/x/5").body, "5! plain /x/5 5");
}

static void without_a_cache_each_use_has_its_own(void **state)
{
    struct fixture *f = *state;
    serve(f, "local n = 0\n"
             "local a = barq.depends{ cache = false, open = function() n = n + 1 return n end,\n"
             "  close = function(v) note('-' .. v) end }\n"
             "local b = barq.depends{ depends = { a = a }, open = function(_, d) return d.a end }\n"
             "barq.get('/x', { depends = { a = a, b = b } }, function(_, deps)\n"
             "  return deps.a ~= deps.b end)");
    expect(f, "/x", 200, "true", "-2 -1");
}

static void an_error_closes_what_is_open_and_tells_it(void **state)
{
    struct fixture *f = *state;
    serve(f, "local a = provider 'a'\n"
             "local bad = provider('bad', { depends = { a = a },\n"
             "  open = function() note('bad') barq.abort(401, 'who?') end })\n"
             "barq.get('/handler', { depends = { a = a } }, function() error('x') end)\n"
             "barq.get('/abort', { depends = { a = a } }, function() barq.abort(404) end)\n"
             "barq.get('/provider', { depends = { bad = bad } }, function() note('never') end)\n"
             "barq.get('/encode', { depends = { a = a } }, function() return print end)\n"
             "local returns = barq.t.object{ n = barq.t.integer }\n"
             "local function pass(req, next) return next(req) end\n"
             "barq.get('/declared', { depends = { a = a }, returns = returns },\n"
             "  function() return { n = 'x' } end)\n"
             "barq.get('/around', { depends = { a = a }, returns = returns, middleware = pass },\n"
             "  function() return { n = 'x' } end)\n"
             "barq.get('/nil', { depends = { a = a } }, function() error() end)\n"
             "barq.get('/false', { depends = { a = a } }, function() error(false) end)\n"
             "barq.get('/memory', { depends = { a = a } }, function()\n"
             "  return ('x'):rep(100000000) end)\n");
    expect(f, "/handler", 500, NULL, "+a -a!");
    expect(f, "/abort", 404, NULL, "+a -a!");
    expect(f, "/provider", 401, "{\"detail\":\"who?\"}", "+a bad -a!");
    expect(f, "/encode", 500, NULL, "+a -a!");
    expect(f, "/declared", 500, NULL, "+a -a!");
    expect(f, "/around", 500, NULL, "+a -a!");
    expect(f, "/nil", 500, NULL, "+a -a!");
    expect(f, "/false", 500, NULL, "+a -a!");
    expect(f, "/memory", 500, NULL, "+a -a!");
}

static void a_failing_close_is_a_500_of_which_the_others_are_told(void **state)
{
    struct fixture *f = *state;
    serve(f, "local a = provider 'a'\n"
             "local b = provider('b', { depends = { a = a },\n"
             "  close = function() note('-b') error('commit failed') end })\n"
             "barq.get('/x', { depends = { b = b } }, function() return 'done' end)");
    expect(f, "/x", 500, "{\"detail\":\"Internal Server Error\"}", "+a +b -b -a!");
}

static void providers_handlers_and_closes_may_wait(void **state)
{
    struct fixture *f = *state;
    serve(f, "local a = provider('a', {\n"
             "  open = function() barq.sleep(0.002) note('+a') return 'a' end,\n"
             "  close = function() barq.sleep(0.002) note('-a') end })\n"
             "local b = provider('b', { depends = { a = a } })\n"
             "barq.get('/x', { depends = { b = b } }, function() barq.sleep(0.002) note('x')\n"
             "  return { big = ('y'):rep(3000) } end)");
    struct answer slow, quick;
    struct question q = {.method = "GET", .target = "/x"};
    struct bq_exchange *ex = fixture_begin(f, &q, &slow);
    assert_int_equal(slow.count, 0);
    quick = fixture_get(f, "/trace");
    assert_int_equal(quick.count, 1);
    for (int i = 0; i < 100 && !slow.count; i++) {
        bq_loop_run_once(f->loop, 10);
        fixture_get(f, "/nowhere"); /* uses the scratch buffers in between */
    }
    assert_int_equal(slow.status, 200);
    assert_int_equal(strlen(slow.body), 3000 + strlen("{\"big\":\"\"}"));
    assert_string_equal(fixture_get(f, "/trace").body, "+a +b x -b -a");
    fixture_end(ex);
}

static void a_workers_provider_is_opened_once_and_closed_at_the_end(void **state)
{
    struct fixture *f = *state;
    serve(f, "local db = provider('db', { scope = 'worker' })\n"
             "local r = provider('r', { depends = { db = db } })\n"
             "barq.get('/x', { depends = { r = r, db = db } }, function(_, d) return d.db end)\n"
             "barq.get('/y', { depends = { db = db } }, function(_, d) return d.db end)");
    expect(f, "/x", 200, "db", "+db +r -r");
    expect(f, "/x", 200, "db", "+r -r");
    expect(f, "/y", 200, "db", "");
    assert_int_equal(bq_app_run_hooks(f->app, "close"), BQ_OK);
    expect(f, "/trace", 200, "-db", "");
}

static void a_workers_provider_gets_what_it_needs_whichever_route_opens_it(void **state)
{
    struct fixture *f = *state;
    serve(f, "local r = provider('r')\n"
             "local one = provider('one', { scope = 'worker' })\n"
             "local two = provider('two', { scope = 'worker', depends = { one = one },\n"
             "  open = function(_, d) return 'two of ' .. d.one end })\n"
             "barq.get('/x', { depends = { two = two } }, function(_, d) return d.two end)\n"
             "barq.get('/y', { depends = { r = r, two = two } }, function(_, d)\n"
             "  return d.r .. ', ' .. d.two end)");
    expect(f, "/y", 200, "r, two of one", "+r +one -r");
    expect(f, "/x", 200, "two of one", "");
}

static void requests_wait_for_a_workers_provider_that_is_being_opened(void **state)
{
    enum { COUNT = 5 };
    struct fixture *f = *state;
    struct answer a[COUNT];
    struct bq_exchange *ex[COUNT];
    serve(f, "local n = 0\n"
             "local db = barq.depends{ scope = 'worker', open = function()\n"
             "  n = n + 1 barq.sleep(0.005) return 'db' .. n end }\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)");
    for (int i = 0; i < COUNT; i++)
        ex[i] = fixture_begin(f, &(struct question){.method = "GET", .target = "/x"}, &a[i]);
    for (int i = 0; i < 200 && !a[COUNT - 1].count; i++)
        bq_loop_run_once(f->loop, 10);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(a[i].body, "db1");
        fixture_end(ex[i]);
    }
}

static void a_workers_provider_that_failed_is_tried_again(void **state)
{
    struct fixture *f = *state;
    struct answer first, second;
    struct question q = {.method = "GET", .target = "/x"};
    serve(f, "local n = 0\n"
             "local db = barq.depends{ scope = 'worker', open = function()\n"
             "  n = n + 1 barq.sleep(0.003) if n == 1 then error('down') end return n end }\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)");
    struct bq_exchange *one = fixture_begin(f, &q, &first), *two = fixture_begin(f, &q, &second);
    for (int i = 0; i < 200 && !second.count; i++)
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(first.status, 500);
    assert_string_equal(second.body, "2");
    fixture_end(one);
    fixture_end(two);
}

static void middleware_is_around_dependencies_and_sees_what_they_come_to(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.use(function(req, next)\n"
             "  if req.path == '/trace' then return next(req) end\n"
             "  note('(') local res = next(req) note(')' .. res.status)\n"
             "  res.headers['x-m'] = '1' return res end)\n"
             "local a = provider('a', { open = function() barq.sleep(0.001) note('+a') return 'a' "
             "end })\n"
             "local c = provider('c', { close = function() error('no') end })\n"
             "barq.get('/ok', { depends = { a = a } }, function(_, d) note('x') return d.a end)\n"
             "barq.get('/abort', { depends = { a = a } }, function() barq.abort(409) end)\n"
             "barq.get('/error', { depends = { a = a } }, function() error('x') end)\n"
             "barq.get('/close', { depends = { c = c } }, function() return 'y' end)\n"
             "barq.get('/plain', function() return 'p' end)\n");
    expect(f, "/ok", 200, "a", "( +a x -a )200");
    expect(f, "/abort", 409, NULL, "( +a -a! )409");
    expect(f, "/error", 500, NULL, "( +a -a! )500");
    expect(f, "/close", 500, NULL, "( +c )500");
    expect(f, "/plain", 200, "p", "( )200");
    assert_string_equal(fixture_get(f, "/ok").fields, "x-m: 1\n");
}

static void middleware_may_try_again(void **state)
{
    struct fixture *f = *state;
    serve(
        f,
        "local n = 0\n"
        "local a = provider 'a'\n"
        "barq.get('/x', { depends = { a = a }, middleware = function(req, next)\n"
        "  local res = next(req) if res.status == 503 then res = next(req) end return res end },\n"
        "  function() n = n + 1 if n == 1 then barq.abort(503) end return 'n' .. n end)");
    expect(f, "/x", 200, "n2", "+a -a! +a -a");
}

static void groups_and_the_application_have_dependencies(void **state)
{
    struct fixture *f = *state;
    serve(f, "local app, grp, own = provider 'app', provider 'grp', provider 'own'\n"
             "local g = barq.group('/g', { depends = { grp = grp } })\n"
             "g.get('/x', { depends = { own = own } }, function(_, d)\n"
             "  return d.app .. d.grp .. d.own end)\n"
             "barq.all_routes{ depends = { app = app } }\n");
    assert_string_equal(fixture_get(f, "/g/x").body, "appgrpown");
}

static void with_has_them_outside_of_requests(void **state)
{
    struct fixture *f = *state;
    serve(f, "local db = provider('db', { scope = 'worker' })\n"
             "local tx = provider('tx', { depends = { db = db } })\n"
             "barq.on('worker', function()\n"
             "  note(barq.with({ tx = tx, db = db }, function(d) return d.tx .. d.db end))\n"
             "  local ok = pcall(barq.with, { tx = tx }, function() error('x') end)\n"
             "  note(tostring(ok))\n"
             "  pcall(barq.with, { tx = tx }, function() error() end) end)\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)");
    assert_int_equal(bq_app_run_hooks(f->app, "worker"), BQ_OK);
    expect(f, "/x", 200, "db", "+db +tx -tx txdb +tx -tx! false +tx -tx!");
}

static void with_and_requests_open_a_workers_provider_together(void **state)
{
    struct fixture *f = *state;
    struct answer a[3];
    struct bq_exchange *ex[3];
    const char *const orders[] = {"/with /with /x", "/x /with /x", "/with /x /with"};
    serve(f, "local n, first = 0, true\n"
             "local function slow(name) return provider(name, { scope = 'worker',\n"
             "  open = function() n = n + 1 local mine = n barq.sleep(0.003)\n"
             "    if first then first = false error('down') end\n"
             "    note('+' .. mine) return 'db' .. mine end }) end\n"
             "local db = slow('db')\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)\n"
             "barq.get('/with', function()\n"
             "  return barq.with({ db = db }, function(d) return d.db end) end)\n"
             "barq.get('/forget', function()\n"
             "  require('barq.state').worker_values[db] = nil first = true return '' end)");
    for (int i = 0; i < 3; i++) {
        char order[32], *rest = order;
        snprintf(order, sizeof order, "%s", orders[i]);
        for (int k = 0; k < 3; k++)
            ex[k] = fixture_begin(
                f, &(struct question){.method = "GET", .target = strsep(&rest, " ")}, &a[k]);
        for (int k = 0; k < 400 && !(a[0].count && a[1].count && a[2].count); k++)
            bq_loop_run_once(f->loop, 10);
        assert_int_equal(a[0].status, 500);
        assert_int_equal(a[1].status, 200);
        assert_string_equal(a[1].body, a[2].body);
        for (int k = 0; k < 3; k++)
            fixture_end(ex[k]);
        assert_int_equal(strlen(fixture_get(f, "/trace").body), 2); /* opened once */
        fixture_get(f, "/forget");
    }
}

static void what_waits_for_a_provider_ends_with_its_deadline(void **state)
{
    struct fixture *f = *state;
    struct answer slow, late, with;
    serve(f, "local db = barq.depends{ scope = 'worker', open = function()\n"
             "  barq.sleep(0.05) return 'db' end }\n"
             "barq.get('/slow', { depends = { db = db } }, function(_, d) return d.db end)\n"
             "barq.get('/late', { timeout = 0.003, depends = { db = db } },\n"
             "  function(_, d) return d.db end)\n"
             "barq.get('/with', function()\n"
             "  return select(2, pcall(barq.with_timeout, 0.003, barq.with, { db = db },\n"
             "    function(d) return d.db end)).status end)");
    struct bq_exchange *one =
        fixture_begin(f, &(struct question){.method = "GET", .target = "/slow"}, &slow);
    struct bq_exchange *two =
        fixture_begin(f, &(struct question){.method = "GET", .target = "/late"}, &late);
    struct bq_exchange *three =
        fixture_begin(f, &(struct question){.method = "GET", .target = "/with"}, &with);
    for (int k = 0; k < 400 && !slow.count; k++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(slow.body, "db");
    assert_int_equal(late.status, 503);
    assert_string_equal(with.body, "504");
    fixture_end(one);
    fixture_end(two);
    fixture_end(three);
}

static void a_provider_that_waits_for_itself_is_told_so(void **state)
{
    struct fixture *f = *state;
    serve(f, "local db\n"
             "db = barq.depends{ scope = 'worker', open = function()\n"
             "  return select(2, pcall(barq.with, { db = db }, print)) end }\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)");
    struct answer a = fixture_get(f, "/x");
    assert_non_null(strstr(a.body, "would wait for itself to be opened"));
}

/* Each is opened by its own request already when it asks for the other. */
static void providers_that_wait_for_each_other_are_told_so(void **state)
{
    struct fixture *f = *state;
    struct answer a[3];
    struct bq_exchange *ex[3];
    const char *const targets[] = {"/1", "/2", "/3"};
    serve(f, "local p = {}\n"
             "for i = 1, 3 do\n"
             "  p[i] = barq.depends{ scope = 'worker', open = function()\n"
             "    barq.sleep(0.002)\n"
             "    return barq.with({ d = p[i % 3 + 1] }, function(d) return d.d end) end }\n"
             "  barq.get('/' .. i, { depends = { d = p[i] } }, function(_, d) return d.d end)\n"
             "end");
    for (int k = 0; k < 3; k++)
        ex[k] = fixture_begin(f, &(struct question){.method = "GET", .target = targets[k]}, &a[k]);
    for (int k = 0; k < 400 && !(a[0].count && a[1].count && a[2].count); k++)
        bq_loop_run_once(f->loop, 10);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(a[k].status, 500);
        fixture_end(ex[k]);
    }
}

static void who_is_dropped_while_it_opens_lets_others(void **state)
{
    struct fixture *f = *state;
    struct answer one, two;
    struct question q = {.method = "GET", .target = "/x"};
    serve(f, "local n = 0\n"
             "local db = barq.depends{ scope = 'worker', open = function()\n"
             "  n = n + 1 barq.sleep(n == 1 and 60 or 0) return 'db' .. n end }\n"
             "barq.get('/x', { depends = { db = db } }, function(_, d) return d.db end)");
    struct bq_exchange *gone = fixture_begin(f, &q, &one), *ex = fixture_begin(f, &q, &two);
    bq_app_handler(f->app).abandon(f->app, gone);
    fixture_end(gone);
    for (int k = 0; k < 400 && !two.count; k++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(two.body, "db2");
    fixture_end(ex);
}

static void what_an_abandoned_request_has_opened_is_closed(void **state)
{
    static const char *const targets[] = {"/x", "/in", "/opening", "/closing"};
    static const char *const traces[] = {"+a -a!", "+a -a!", "+a opening -a!", "+a closing -a!"};
    struct fixture *f = *state;
    struct answer a;
    struct bq_handler handler = bq_app_handler(f->app);
    serve(f, "local a = provider 'a'\n"
             "local function sleep(text) return function() note(text) barq.sleep(100) end end\n"
             "local b = barq.depends{ depends = { a = a }, open = sleep 'opening' }\n"
             "local c = barq.depends{ depends = { a = a }, open = function() end,\n"
             "  close = sleep 'closing' }\n"
             "local function pass(req, next) return next(req) end\n"
             "local function wait() barq.sleep(100) end\n"
             "barq.get('/x', { depends = { a = a } }, wait)\n"
             "barq.get('/in', { depends = { a = a }, middleware = pass }, wait)\n"
             "barq.get('/opening', { depends = { b = b } }, wait)\n"
             "barq.get('/closing', { depends = { c = c } }, function() end)");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct question q = {.method = "GET", .target = targets[i]};
        struct bq_exchange *ex = fixture_begin(f, &q, &a);
        handler.abandon(handler.self, ex);
        assert_int_equal(bq_app_pending(f->app), 0);
        assert_int_equal(a.count, 0);
        fixture_end(ex);
        assert_string_equal(fixture_get(f, "/trace").body, traces[i]);
    }
}

static void a_close_that_waits_is_cut_off_with_an_abandoned_request(void **state)
{
    struct fixture *f = *state;
    struct answer a;
    struct bq_handler handler = bq_app_handler(f->app);
    serve(f, "local a = provider 'a'\n"
             "local b = provider('b', { depends = { a = a }, close = function()\n"
             "  note('b') barq.sleep(0.001) note('never') end })\n"
             "barq.get('/x', { depends = { b = b } }, function() barq.sleep(100) end)");
    struct question q = {.method = "GET", .target = "/x"};
    struct bq_exchange *ex = fixture_begin(f, &q, &a);
    handler.abandon(handler.self, ex);
    fixture_end(ex);
    for (int i = 0; i < 5; i++)
        bq_loop_run_once(f->loop, 2);
    assert_string_equal(fixture_get(f, "/trace").body, "+a +b b -a!");
}

#ifdef BQ_FAULTS
static void every_allocation_of_a_request_with_dependencies_may_fail(void **state)
{
    static const char *const targets[] = {"/x", "/m", "/fail"};
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    struct fixture *f = *state;
    serve(
        f,
        "local opened = 0\n"
        "local a = barq.depends{ open = function() local v = {} opened = opened + 1 return v end,\n"
        "  close = function() opened = opened - 1 end }\n"
        "local w = barq.depends{ scope = 'worker', open = function() return {} end }\n"
        "local pass = function(req, next) return next(req) end\n"
        "barq.get('/open', function() return opened end)\n"
        "barq.get('/x', { depends = { a = a, w = w } }, function() return { 1 } end)\n"
        "barq.get('/m', { depends = { a = a }, middleware = pass }, function() return {} end)\n"
        "barq.get('/fail', { depends = { a = a } }, function() error('x') end)\n");
    fixture_interpret(f);
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        for (size_t s = 0; s < 2; s++) {
            bool hit = true;
            for (long nth = 1; nth < 400 && hit; nth++) {
                bq_fault_arm(sites[s], nth, false);
                struct answer a = fixture_get(f, targets[t]);
                hit = bq_fault_hits(sites[s]) > 0;
                bq_fault_arm(sites[s], 0, false);
                assert_int_equal(a.count, 1);
                assert_string_equal(fixture_get(f, "/open").body, "0");
                assert_int_equal(bq_app_pending(f->app), 0);
            }
        }
    }
}

/* Also those that could not be kept for the requests to come. */
static void what_a_workers_provider_opened_is_closed_whatever_allocation_failed(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    long nth = 0;
    serve(f, "local opened, most = 0, 0\n"
             "local w = barq.depends{ scope = 'worker',\n"
             "  open = function() opened = opened + 1 most = most + 1 return opened end,\n"
             "  close = function() opened = opened - 1 end }\n"
             "barq.get('/open', function() return opened .. ' ' .. most end)\n"
             "barq.get('/x', { depends = { w = w } }, function() return 'x' end)\n");
    while (status != 200 && nth < 400) {
        bq_fault_arm(BQ_FAULT_lua_alloc, ++nth, false);
        status = fixture_get(f, "/x").status;
        bq_fault_arm(BQ_FAULT_lua_alloc, 0, false);
    }
    assert_int_equal(status, 200);
    assert_true(nth > 1);
    assert_int_equal(bq_app_run_hooks(f->app, "close"), BQ_OK);
    assert_int_equal(strtol(fixture_get(f, "/open").body, NULL, 10), 0);
    assert_string_not_equal(fixture_get(f, "/open").body, "0 0");
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_provider_is_opened_once_and_closed_in_reverse),
        TEST(providers_see_their_dependencies_and_the_request),
        TEST(without_a_cache_each_use_has_its_own),
        TEST(an_error_closes_what_is_open_and_tells_it),
        TEST(a_failing_close_is_a_500_of_which_the_others_are_told),
        TEST(providers_handlers_and_closes_may_wait),
        TEST(a_workers_provider_is_opened_once_and_closed_at_the_end),
        TEST(a_workers_provider_gets_what_it_needs_whichever_route_opens_it),
        TEST(requests_wait_for_a_workers_provider_that_is_being_opened),
        TEST(a_workers_provider_that_failed_is_tried_again),
        TEST(middleware_is_around_dependencies_and_sees_what_they_come_to),
        TEST(middleware_may_try_again),
        TEST(groups_and_the_application_have_dependencies),
        TEST(with_has_them_outside_of_requests),
        TEST(with_and_requests_open_a_workers_provider_together),
        TEST(what_waits_for_a_provider_ends_with_its_deadline),
        TEST(a_provider_that_waits_for_itself_is_told_so),
        TEST(providers_that_wait_for_each_other_are_told_so),
        TEST(who_is_dropped_while_it_opens_lets_others),
        TEST(what_an_abandoned_request_has_opened_is_closed),
        TEST(a_close_that_waits_is_cut_off_with_an_abandoned_request),
#ifdef BQ_FAULTS
        TEST(what_a_workers_provider_opened_is_closed_whatever_allocation_failed),
        TEST(every_allocation_of_a_request_with_dependencies_may_fail),
#endif
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
