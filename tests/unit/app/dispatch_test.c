/* dispatch_test.c: requests through an application: routes, results, errors, middleware, req. */
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

static void serve(struct fixture *f, const char *source)
{
    assert_int_equal(fixture_load(f, source), BQ_OK);
    assert_int_equal(bq_app_freeze(f->app, &f->options), BQ_OK);
}

/* A handler's code and what is answered. */
struct rule {
    const char *handler;
    int status;
    const char *type, *body, *field;
};

static void check_rule(const struct rule *rule)
{
    struct fixture f;
    char source[1024];
    fixture_open(&f, 64 << 20);
    snprintf(source, sizeof source, "barq.get('/', function(req) %s end)", rule->handler);
    serve(&f, source);
    for (int api = 0; api < 2; api++) {
        if (api) /* as where values lie in no way that is known */
            f.app->vm->raw_null = 0;
        struct answer a = fixture_get(&f, "/");
        if (a.count != 1 || a.status != rule->status || strcmp(a.type, rule->type) != 0 ||
            strcmp(a.body, rule->body) != 0 || (rule->field && !strstr(a.fields, rule->field)))
            fail_msg("%s: %d times, %d, \"%s\", \"%s\", \"%s\"", rule->handler, a.count, a.status,
                     a.type, a.body, a.fields);
        assert_int_equal(bq_app_pending(f.app), 0);
    }
    fixture_close(&f);
}

#define TEXT  "text/plain; charset=utf-8"
#define HTML  "text/html; charset=utf-8"
#define JSON  "application/json"
#define ERROR "{\"detail\":\"Internal Server Error\"}"

static void results_become_answers(void **state)
{
    static const struct rule rules[] = {
        {"return 'x'", 200, TEXT, "x", NULL},
        {"return ''", 200, TEXT, "", NULL},
        {"return 'x', 202", 202, TEXT, "x", NULL},
        {"return { a = 1 }", 200, JSON, "{\"a\":1}", NULL},
        {"return { a = 1 }, 201", 201, JSON, "{\"a\":1}", NULL},
        {"return {}", 200, JSON, "[]", NULL},
        {"return barq.object{}", 200, JSON, "{}", NULL},
        {"return true", 200, JSON, "true", NULL},
        {"return 42", 200, JSON, "42", NULL},
        {"return barq.null", 200, JSON, "null", NULL},
        {"return", 204, "", "", NULL},
        {"return nil", 204, "", "", NULL},
        {"return nil, 404", 404, "", "", NULL},
        {"return barq.html('<p>')", 200, HTML, "<p>", NULL},
        {"return barq.text('x', 203)", 203, TEXT, "x", NULL},
        {"return barq.json('x')", 200, JSON, "\"x\"", NULL},
        {"return barq.json(nil)", 200, JSON, "null", NULL},
        {"return barq.json({ 1 }, 201)", 201, JSON, "[1]", NULL},
        {"return barq.redirect('/y')", 302, "", "", "location: /y\n"},
        {"return barq.redirect('/a b\\195\\164', 303)", 303, "", "", "location: /a%20b%C3%A4\n"},
        {"return barq.response{ body = 'x' }", 200, TEXT, "x", NULL},
        {"return barq.response{ body = { 1 } }", 200, JSON, "[1]", NULL},
        {"return barq.response{ status = 299, headers = { ['x-a'] = 'b' } }", 299, "", "",
         "x-a: b\n"},
        {"return barq.response{ headers = { ['Content-Type'] = 'image/png' }, body = 'x' }", 200,
         "image/png", "x", NULL},
        {"return barq.response{ headers = { ['x-n'] = 5, ['x-f'] = 0.5 } }", 200, "", "",
         "x-n: 5\n"},
        {"return barq.response{ headers = { ['x-n'] = 2^53 } }", 200, "", "",
         "x-n: 9007199254740992\n"},
        {"return barq.response{ headers = { link = { 'a', 'b' } } }", 200, "", "",
         "link: a\nlink: b\n"},
        {"return barq.response{}:set_cookie('sid', 'v')", 200, "", "",
         "set-cookie: sid=v; Path=/; SameSite=Lax; HttpOnly\n"},
        {"return barq.text('x'), 203", 203, TEXT, "x", NULL},
        {"return barq.response{ status = 201 }, 202", 202, "", "", NULL},
        {"return barq.text('x'):header('X-A', '1'):header('x-a', '2')", 200, TEXT, "x", "x-a: 2\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        check_rule(&rules[i]);
}

static void results_that_cannot_be_sent_are_a_500(void **state)
{
    static const char *const handlers[] = {
        "return print",
        "return { f = print }",
        "return { 0/0 }",
        "return '', 99",
        "return '', 600",
        "return '', 200.5",
        "return '', 'x'",
        "return barq.text('x'), 99",
        "barq.abort{ status = 400, headers = 'x' }",
        "return barq.response{ headers = { ['x-a'] = 'b\\r\\nc: d' } }",
        "return barq.response{ headers = { ['x-a'] = 'b\\nc' } }",
        "return barq.response{ headers = { ['x-a'] = 'b\\0' } }",
        "return barq.response{ headers = { ['x a'] = 'b' } }",
        "return barq.response{ headers = { ['x:a'] = 'b' } }",
        "return barq.response{ headers = { [''] = 'b' } }",
        "return barq.response{ headers = { [1] = 'b' } }",
        "return barq.response{ headers = { a = true } }",
        "return barq.response{ headers = { a = { {} } } }",
        "return barq.response{ status = 700 }",
        "return barq.response{ status = 101 }",
        "return barq.response{ stauts = 200 }",
        "local r = barq.text('x') r.status = 'y' return r",
        "local r = barq.text('x') r.headers = nil return r",
        "return barq.redirect('/x\\r\\ny: z')",
        "return barq.redirect('/x', 200)",
        "return barq.text('x'):set_cookie('a b', 'c')",
        "return barq.text('x'):set_cookie('a', 'b; c')",
        "return barq.text('x'):set_cookie('a', 'b', { sesure = true })",
        "error('broken')",
        "error()",
        "error({})",
        "error(setmetatable({}, { __tostring = function() error('again') end }))",
        "local x = nil; return x.y",
        "barq.abort(200)",
        "barq.abort('x')",
        "coroutine.yield()",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "return ('x'):rep(2^30)",
        "local t = {} t.t = t return t",
    };
    (void)state;
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        check_rule(&(struct rule){handlers[i], 500, JSON, ERROR, NULL});
}

static void aborts_become_answers(void **state)
{
    static const struct rule rules[] = {
        {"barq.abort(404)", 404, JSON, "{\"detail\":\"Not Found\"}", NULL},
        {"barq.abort(404, 'no such item')", 404, JSON, "{\"detail\":\"no such item\"}", NULL},
        {"barq.abort(409, { id = 1 })", 409, JSON, "{\"detail\":{\"id\":1}}", NULL},
        {"barq.abort{ status = 401, detail = 'x', headers = { ['www-authenticate'] = 'Bearer' } }",
         401, JSON, "{\"detail\":\"x\"}", "www-authenticate: Bearer\n"},
        {"local ok, e = pcall(barq.abort, 404) return e.status", 200, JSON, "404", NULL},
        {"req:json()", 400, JSON, "{\"detail\":\"malformed JSON at byte 0: unexpected end\"}",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        check_rule(&rules[i]);
}

static void requests_without_a_route_are_answered(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.get('/x', function() return 'x' end) barq.post('/x', function() end)");
    assert_int_equal(fixture_get(f, "/y").status, 404);
    assert_string_equal(fixture_get(f, "/y").body, "{\"detail\":\"Not Found\"}");
    struct answer a = fixture_ask(f, &(struct question){.method = "PUT", .target = "/x"});
    assert_int_equal(a.status, 405);
    assert_string_equal(a.fields, "Allow: GET, HEAD, POST, OPTIONS\n");
    a = fixture_ask(f, &(struct question){.method = "OPTIONS", .target = "/x"});
    assert_int_equal(a.status, 204);
    assert_string_equal(a.fields, "Allow: GET, HEAD, POST, OPTIONS\n");
    a = fixture_ask(f, &(struct question){.method = "OPTIONS", .target = "*"});
    assert_int_equal(a.status, 204);
    assert_int_equal(fixture_get(f, "/%zz").status, 400);
    a = fixture_ask(f, &(struct question){.method = "HEAD", .target = "/x"});
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "x");
}

static void a_slash_is_redirected_only_when_asked_for(void **state)
{
    struct fixture *f = *state;
    f->options.redirect_slashes = true;
    serve(f, "barq.get('/x', print) barq.get('/y/', print)");
    struct answer a = fixture_get(f, "/x/?q=1");
    assert_int_equal(a.status, 308);
    assert_string_equal(a.fields, "Location: /x?q=1\n");
    a = fixture_get(f, "/y");
    assert_string_equal(a.fields, "Location: /y/\n");
    assert_int_equal(fixture_get(f, "//x/").status, 404);
    assert_int_equal(fixture_get(f, "/z/").status, 404);
}

static void groups_share_prefix_and_middleware_in_any_order(void **state)
{
    struct fixture *f = *state;
    serve(f, "local function mark(m) return function(req, next)\n"
             "  local res = next(req) if res.status == 200 then res.body = m .. res.body end\n"
             "  return res end end\n"
             "local api = barq.group('/api', { middleware = mark 'g' })\n"
             "api:get('/a', { middleware = { mark '1', mark '2' } }, function() return '.' end)\n"
             "local users = barq.group('/users')\n"
             "users.get('', function() return 'list' end)\n"
             "users.get('/{id}', { name = 'user' }, function(req)\n"
             "  return barq.url_for('user', { id = req.params.id }) end)\n"
             "api:mount('/v1', users)\n"
             "barq.use(mark 'A') barq.use(mark 'B')");
    assert_string_equal(fixture_get(f, "/api/a").body, "ABg12.");
    assert_string_equal(fixture_get(f, "/api/v1/users").body, "ABglist");
    assert_string_equal(fixture_get(f, "/api/v1/users/a%2Fb").body, "ABg/api/v1/users/a%2Fb");
    assert_int_equal(fixture_get(f, "/users").status, 404);
}

static void middleware_sees_every_outcome_as_a_response(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "barq.use(function(req, next)\n"
          "  local res = next(req) res.headers['x-seen'] = tostring(res.status) return res end)\n"
          "barq.get('/ok', function() barq.sleep(0.001) return { 1 } end)\n"
          "barq.get('/none', function() end)\n"
          "barq.get('/abort', function() barq.abort(418, 'tea') end)\n"
          "barq.get('/error', function() error('x') end)\n");
    assert_string_equal(fixture_get(f, "/ok").fields, "x-seen: 200\n");
    assert_string_equal(fixture_get(f, "/ok").body, "[1]");
    assert_string_equal(fixture_get(f, "/none").fields, "x-seen: 204\n");
    assert_string_equal(fixture_get(f, "/abort").fields, "x-seen: 418\n");
    assert_string_equal(fixture_get(f, "/error").fields, "x-seen: 500\n");
    assert_string_equal(fixture_get(f, "/nowhere").fields, "x-seen: 404\n");
    struct answer a = fixture_ask(f, &(struct question){.method = "PUT", .target = "/ok"});
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(a.fields, "x-seen: 405\n"));
    assert_non_null(strstr(a.fields, "allow: GET, HEAD, OPTIONS\n"));
}

/* A next that was kept, with the req of a request without a route; and a req that was kept, while
 * its own middleware waits. */
static void next_belongs_to_the_middleware_of_its_request(void **state)
{
    struct fixture *f = *state;
    serve(f, "local kept, waits\n"
             "barq.use(function(req, next)\n"
             "  if req.path == '/waits' then waits = req barq.sleep(0.01) return 'own' end\n"
             "  if req.path == '/steals' then return next(waits) end\n"
             "  if req.path == '/missing' then return kept(req) end\n"
             "  kept = next return next(req) end)\n"
             "for _, path in ipairs{ '/ok', '/waits', '/steals' } do\n"
             "  barq.get(path, function() return path end) end\n");
    struct answer waits;
    assert_string_equal(fixture_get(f, "/ok").body, "/ok");
    assert_int_equal(fixture_get(f, "/missing").status, 500);
    struct question q = {.method = "GET", .target = "/waits"};
    struct bq_exchange *ex = fixture_begin(f, &q, &waits);
    assert_int_equal(fixture_get(f, "/steals").status, 500);
    for (int i = 0; i < 100 && !waits.count; i++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(waits.body, "own");
    assert_int_equal(bq_app_pending(f->app), 0);
    fixture_end(ex);
}

static void middleware_may_answer_itself_or_fail(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.use(function(req, next)\n"
             "  if req.path == '/deny' then barq.abort(403) end\n"
             "  if req.path == '/own' then return { own = true }, 203 end\n"
             "  if req.path == '/broken' then error('x') end\n"
             "  req.user = 'me'\n"
             "  return next(req) end)\n"
             "barq.get('/{p}', function(req) return req.user end)");
    assert_int_equal(fixture_get(f, "/deny").status, 403);
    assert_int_equal(fixture_get(f, "/own").status, 203);
    assert_string_equal(fixture_get(f, "/own").body, "{\"own\":true}");
    assert_string_equal(fixture_get(f, "/broken").body, ERROR);
    assert_string_equal(fixture_get(f, "/x").body, "me");
}

static void error_handlers_answer_by_status_and_class(void **state)
{
    struct fixture *f = *state;
    serve(f, "local Base = {} Base.__index = Base\n"
             "local Sub = setmetatable({}, { __index = Base }) Sub.__index = Sub\n"
             "barq.on_error(404, function(req, err) return 'none: ' .. req.path end)\n"
             "barq.on_error(500, function(req, err) return { oops = true } end)\n"
             "barq.on_error(Base, function(req, err) return { kind = err.kind }, 409 end)\n"
             "barq.on_error(410, function() error('handler broken') end)\n"
             "barq.get('/class', function() error(setmetatable({ kind = 'k' }, Base)) end)\n"
             "barq.get('/sub', function() error(setmetatable({ kind = 's' }, Sub)) end)\n"
             "barq.get('/text', function() error('x') end)\n"
             "barq.get('/gone', function() barq.abort(410) end)\n"
             "barq.get('/missing', function() barq.abort(404) end)\n");
    struct answer a = fixture_get(f, "/nowhere");
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body, "none: /nowhere");
    assert_string_equal(fixture_get(f, "/missing").body, "none: /missing");
    a = fixture_get(f, "/class");
    assert_int_equal(a.status, 409);
    assert_string_equal(a.body, "{\"kind\":\"k\"}");
    assert_string_equal(fixture_get(f, "/sub").body, "{\"kind\":\"s\"}");
    a = fixture_get(f, "/text");
    assert_int_equal(a.status, 500);
    assert_string_equal(a.body, "{\"oops\":true}");
    a = fixture_get(f, "/gone");
    assert_int_equal(a.status, 500);
    assert_string_equal(a.body, ERROR);
}

static void what_an_error_handler_raises_is_answered_too(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "local calls = 0\n"
          "local Missing = {}\n"
          "barq.on_error(Missing, function(req, err) barq.sleep(0) barq.abort(404, err.what) end)\n"
          "barq.on_error(500, function() calls = calls + 1 error('handler broken') end)\n"
          "barq.on_error(405, function() return { custom = true } end)\n"
          "local function pass(req, next) return next(req) end\n"
          "barq.get('/missing', function() error(setmetatable({ what = 'it' }, Missing)) end)\n"
          "barq.get('/in', { middleware = { pass, pass, pass } }, function() error('x') end)\n"
          "barq.get('/calls', function() return tostring(calls) end)\n");
    struct answer a = fixture_get(f, "/missing");
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body, "{\"detail\":\"it\"}");
    assert_string_equal(fixture_get(f, "/in").body, ERROR);
    assert_string_equal(fixture_get(f, "/calls").body, "1");
    a = fixture_ask(f, &(struct question){.method = "PUT", .target = "/in"});
    assert_string_equal(a.body, "{\"custom\":true}");
    assert_string_equal(a.fields, "allow: GET, HEAD, OPTIONS\n");
}

/* A hook runs wherever it likes, also in what barq does before the handler begins. */
static void what_a_hook_raises_before_the_handler_is_an_error_of_the_request(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.on_error(500, function(req, err) return tostring(err) end)\n"
             "barq.get('/arm', function()\n"
             "  debug.sethook(function() debug.sethook() error('hooked', 0) end, 'c')\n"
             "  return 'armed' end)\n"
             "barq.get('/x', function(req) return req.path end)\n"
             "barq.get('/page', function() local page = barq.html('p')\n"
             "  debug.sethook(function() debug.sethook() error('hooked', 0) end, 'c')\n"
             "  return page end)\n");
    assert_string_equal(fixture_get(f, "/arm").body, "armed");
    assert_string_equal(fixture_get(f, "/x").body, "hooked");
    assert_string_equal(fixture_get(f, "/x").body, "/x");
    assert_string_equal(fixture_get(f, "/page").body, "500 Internal Server Error");
    assert_string_equal(fixture_get(f, "/x").body, "/x");
}

static void headers_are_the_answers_own(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "local constant = { ['x-a'] = 'b', ['set-cookie'] = { 'a=b' } }\n"
          "barq.use(function(req, next) local res = next(req)\n"
          "  if res.status == 200 then res:set_cookie('sid', 's'):header('X-A', 'c') end\n"
          "  return res end)\n"
          "barq.get('/', function() return barq.response{ headers = constant } end)\n"
          "local page = barq.html(''):set_cookie('a', 'b')\n"
          "barq.get('/page', function(req) return page, tonumber(req.query.status) end)\n"
          "barq.get('/n', function() return #constant['set-cookie'] .. constant['x-a'], 201 end)\n"
          "barq.get('/cookies', function() return #page.headers['set-cookie'] end)\n"
          "barq.get('/abort', function() barq.abort{ status = 400,\n"
          "  headers = { ['Content-Type'] = 'text/x', ['x-b'] = 'c' } } end)\n");
    for (int i = 0; i < 3; i++)
        fixture_get(f, "/");
    assert_string_equal(fixture_get(f, "/n").body, "1b");
    assert_int_equal(fixture_get(f, "/page?status=404").status, 404);
    assert_int_equal(fixture_get(f, "/page").status, 200);
    assert_string_equal(fixture_get(f, "/cookies").body, "1");
    struct answer a = fixture_get(f, "/abort");
    assert_string_equal(a.type, "text/x");
    assert_string_equal(a.fields, "x-b: c\n");
}

static void req_gives_what_was_sent(void **state)
{
    static const struct bq_field fields[] = {
        {{"User-Agent", 10}, {"test", 4}}, {{"X-Many", 6}, {"a", 1}},
        {{"x-many", 6}, {"b", 1}},         {{"Cookie", 6}, {"sid=1; t=\"2\"; sid=3", 20}},
        {{"Cookie", 6}, {"u=4", 3}},
    };
    static const struct {
        const char *code, *expected;
    } cases[] = {
        {"req.method", "POST"},
        {"req.path", "/a%20b/7"},
        {"req.target", "/a%20b/7?q=1&t=x&t=y+z&e=%C3%A4&n"},
        {"req.params.name", "a b"},
        {"req.params.id", "7"},
        {"type(req.params.id)", "number"},
        {"req.query.q", "1"},
        {"req.query.t", "y z"},
        {"req.query.e", "\xc3\xa4"},
        {"req.query.n", ""},
        {"req.query.none", "nil"},
        {"table.concat(req:query_all('t'), '|')", "x|y z"},
        {"#req:query_all('none')", "0"},
        {"req.headers['user-agent']", "test"},
        {"req.headers['USER-AGENT']", "test"},
        {"req.headers.user_agent", "test"},
        {"req.headers['x-many']", "a, b"},
        {"req.headers.absent", "nil"},
        {"req.headers[5]", "nil"},
        {"#req:header_list()", "5"},
        {"req:header_list()[1][1]", "user-agent"},
        {"req.cookies.sid", "1"},
        {"req.cookies.t", "2"},
        {"req.cookies.u", "4"},
        {"req.body", "a=1&b=x+y&a=2"},
        {"req:form().a", "2"},
        {"req:form().b", "x y"},
        {"table.concat(req:form_all('a'), ',')", "1,2"},
        {"req.ip", "192.0.2.7"},
        {"req.host", "example.org"},
        {"req.version", "1.1"},
        {"#req.id", "32"},
        {"req.id == req.id", "true"},
        {"req.scheme", "http"},
        {"req.traceparent", "nil"},
        {"req.route.path", "/{name}/{id:int}"},
        {"req.route.name", "r"},
        {"#req.trailers", "0"},
        {"req.unknown", "nil"},
        {"rawget(req, 'x')", "nil"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        char source[512];
        fixture_open(&f, 0);
        snprintf(source, sizeof source,
                 "barq.post('/{name}/{id:int}', { name = 'r' }, function(req)\n"
                 "  return tostring(%s) end)",
                 cases[i].code);
        serve(&f, source);
        struct answer a =
            fixture_ask(&f, &(struct question){.method = "POST",
                                               .target = "/a%20b/7?q=1&t=x&t=y+z&e=%C3%A4&n",
                                               .body = "a=1&b=x+y&a=2",
                                               .fields = fields,
                                               .field_count = sizeof fields / sizeof fields[0]});
        if (strcmp(a.body, cases[i].expected) != 0)
            fail_msg("%s: %s, not %s", cases[i].code, a.body, cases[i].expected);
        fixture_close(&f);
    }
}

static void broken_input_is_the_clients_mistake(void **state)
{
    static const struct bq_field multipart[] = {
        {{"Content-Type", 12}, {"multipart/form-data", 19}}};
    struct fixture *f = *state;
    serve(f, "barq.get('/q', function(req) return req.query.a end)\n"
             "barq.post('/j', function(req) return req:json() end)\n"
             "barq.post('/f', function(req) return req:form() end)\n");
    assert_int_equal(fixture_get(f, "/q?a=%zz").status, 400);
    struct question q = {.method = "POST", .target = "/j", .body = "{\"a\": 1e999}"};
    struct answer a = fixture_ask(f, &q);
    assert_int_equal(a.status, 400);
    assert_non_null(strstr(a.body, "at byte 6"));
    q.body = "{\"a\":[1,2.5,null,\"x\"]}";
    assert_string_equal(fixture_ask(f, &q).body, q.body);
    q = (struct question){
        .method = "POST", .target = "/f", .body = "a=1", .fields = multipart, .field_count = 1};
    assert_int_equal(fixture_ask(f, &q).status, 415);
}

static void a_request_that_has_ended_is_a_clear_error(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "local kept, list\n"
          "barq.get('/keep', function(req) kept, list = req, req.headers return req.method end)\n"
          "barq.get('/use', function()\n"
          "  local ok, e1 = pcall(function() return kept.body end)\n"
          "  local ok2, e2 = pcall(function() return list.x end)\n"
          "  local ok3, e3 = pcall(kept.json, kept)\n"
          "  local ok4, e4 = pcall(kept.json, 5)\n"
          "  return { kept.method, tostring(ok), e1, e2, e3, e4 } end)");
    fixture_get(f, "/keep");
    struct answer a = fixture_get(f, "/use");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "[\"GET\",\"false\",\""));
    assert_non_null(strstr(a.body, "has been answered"));
    assert_non_null(strstr(a.body, "a request expected"));
}

static void what_is_left_for_after_runs_after_the_answer(void **state)
{
    struct fixture *f = *state;
    serve(f, "local seen = {}\n"
             "barq.get('/x', function(req)\n"
             "  req:after(function(a, b) barq.sleep(0.001) seen[#seen + 1] = a .. tostring(b) end, "
             "'a')\n"
             "  req:after(function() error('broken') end)\n"
             "  req:after(function(...) seen[#seen + 1] = select('#', ...) end, nil, nil)\n"
             "  return #seen end)\n"
             "barq.get('/seen', function() return seen end)");
    assert_string_equal(fixture_get(f, "/x").body, "0");
    assert_int_equal(bq_app_pending(f->app), 1);
    for (int i = 0; i < 100 && bq_app_pending(f->app); i++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(fixture_get(f, "/seen").body, "[\"anil\",2]");
}

static void answers_wait_their_turn_and_others_pass(void **state)
{
    struct fixture *f = *state;
    struct answer slow;
    serve(f, "barq.get('/slow', function(req) barq.sleep(0.02) return req.path end)\n"
             "barq.get('/quick', function() return 'quick' end)");
    struct bq_exchange *ex =
        fixture_begin(f, &(struct question){.method = "GET", .target = "/slow"}, &slow);
    assert_int_equal(slow.count, 0);
    assert_string_equal(fixture_get(f, "/quick").body, "quick");
    for (int i = 0; i < 100 && !slow.count; i++)
        bq_loop_run_once(f->loop, 10);
    assert_string_equal(slow.body, "/slow");
    fixture_end(ex);
}

static void url_for_builds_and_refuses(void **state)
{
    static const struct {
        const char *call, *expected;
    } cases[] = {
        {"'item', { id = 5 }", "/items/5"},
        {"'item', { id = 5 }, { q = 'a b', t = { 1, 2 } }", "/items/5?q=a%20b&t=1&t=2"},
        {"'file', { path = 'a/b c' }", "/files/a/b%20c"},
        {"'item', { id = 2^53 - 1 }", "/items/9007199254740991"},
        {"'item', { id = 'x' }", "does not fit"},
        {"'item'", "no value for {id}"},
        {"'item', { id = 5, x = 1 }", "the path has no {x}"},
        {"'itme', { id = 5 }", "did you mean \\\"item\\\""},
        {"'file', { path = '../x' }", "does not fit"},
    };
    struct fixture *f = *state;
    char source[2048] = "barq.get('/items/{id:int}', { name = 'item' }, print)\n"
                        "barq.get('/files/{path*}', { name = 'file' }, print)\n";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256];
        snprintf(
            line, sizeof line,
            "barq.get('/case/%zu', function() return { select(2, pcall(barq.url_for, %s)) } end)\n",
            i, cases[i].call);
        strncat(source, line, sizeof source - strlen(source) - 1);
    }
    serve(f, source);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char target[32];
        snprintf(target, sizeof target, "/case/%zu", i);
        struct answer a = fixture_get(f, target);
        if (!strstr(a.body, cases[i].expected))
            fail_msg("url_for(%s): %s", cases[i].call, a.body);
    }
}

static void accidental_globals_are_an_error_in_development(void **state)
{
    struct fixture *f = *state;
    f->options.dev = true;
    serve(f, "ok_global = 1\n"
             "barq.get('/old', function() ok_global = 2 return 'ok' end)\n"
             "barq.get('/new', function() fresh_global = 2 return 'ok' end)");
    assert_int_equal(fixture_get(f, "/old").status, 200);
    assert_int_equal(fixture_get(f, "/new").status, 500);
}

static void a_protected_metatable_of_the_globals_is_no_hindrance(void **state)
{
    struct fixture *f = *state;
    f->options.dev = true;
    serve(f, "setmetatable(_G, { __metatable = 'hands off' })\n"
             "barq.get('/new', function() fresh_global = 2 return 'ok' end)");
    assert_int_equal(fixture_get(f, "/new").status, 500);
}

#ifdef BQ_FAULTS
static const char sweep_source[] =
    "barq.get('/x/{id}', function(req)\n"
    "  return barq.json{ id = req.params.id, q = req.query.q, h = req.headers.host } end)\n"
    "barq.get('/fail', function() error('x') end)\n"
    "barq.get('/yield', function() coroutine.yield() end)\n"
    "barq.get('/handled', function() barq.abort{ status = 409, headers = { a = 'b' } } end)\n"
    "barq.on_error(409, function(req, err) barq.sleep(0) error(err.status) end)\n"
    "barq.get('/in', { middleware = function(req, next)\n"
    "    local res = next(req) return res:set_cookie('a', tostring(req.query.q)) end },\n"
    "  function(req) req:after(tostring, req.id) return { { { { { { { { 1 } } } } } } } } end)\n"
    "barq.get('/json', function(req) return req:json() end)\n"
    "barq.get('/plain', function() return 'x' end)";

/* Fails the nth call of a site in one request's life; whether it was reached. */
static bool fail_one(struct fixture *f, enum bq_fault_site site, long nth, const char *target)
{
    bq_fault_arm(site, nth, false);
    struct answer a = fixture_get(f, target);
    bool hit = bq_fault_hits(site) > 0;
    bq_fault_arm(site, 0, false);
    assert_int_equal(a.count, 1);
    assert_int_equal(fixture_get(f, "/plain").status, 200);
    for (int i = 0; i < 100 && bq_app_pending(f->app); i++) /* req:after */
        bq_loop_run_once(f->loop, 10);
    assert_int_equal(bq_app_pending(f->app), 0);
    return hit;
}

static void every_allocation_of_a_request_may_fail(void **state)
{
    static const char *const targets[] = {"/plain", "/x/5?q=a%20b", "/fail",     "/nowhere",
                                          "/yield", "/handled",     "/in?q=%61", "/json"};
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    struct fixture *f = *state;
    serve(f, sweep_source);
    fixture_interpret(f);
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++)
        for (size_t s = 0; s < 2; s++)
            for (long nth = 1; nth < 500 && fail_one(f, sites[s], nth, targets[t]); nth++)
                ;
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_become_answers),
        cmocka_unit_test(results_that_cannot_be_sent_are_a_500),
        cmocka_unit_test(aborts_become_answers),
        cmocka_unit_test_setup_teardown(requests_without_a_route_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slash_is_redirected_only_when_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(groups_share_prefix_and_middleware_in_any_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(middleware_sees_every_outcome_as_a_response, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(next_belongs_to_the_middleware_of_its_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(middleware_may_answer_itself_or_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(error_handlers_answer_by_status_and_class, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_error_handler_raises_is_answered_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            what_a_hook_raises_before_the_handler_is_an_error_of_the_request, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_are_the_answers_own, setup, teardown),
        cmocka_unit_test(req_gives_what_was_sent),
        cmocka_unit_test_setup_teardown(broken_input_is_the_clients_mistake, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_that_has_ended_is_a_clear_error, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_for_after_runs_after_the_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_wait_their_turn_and_others_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(url_for_builds_and_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(accidental_globals_are_an_error_in_development, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_protected_metatable_of_the_globals_is_no_hindrance, setup,
                                        teardown),
#ifdef BQ_FAULTS
        cmocka_unit_test_setup_teardown(every_allocation_of_a_request_may_fail, setup, teardown),
#endif
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
