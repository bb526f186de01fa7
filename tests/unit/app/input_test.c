/* input_test.c: what a route declares of its request arrives validated and converted, or is
 * refused. */
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
    char whole[4096];
    snprintf(whole, sizeof whole, "local t = barq.t\n%s", source);
    assert_int_equal(fixture_load(f, whole), BQ_OK);
    assert_int_equal(bq_app_freeze(f->app, &f->options), BQ_OK);
}

static const struct bq_field json_type = {{"Content-Type", 12}, {"application/json", 16}};
static const struct bq_field form_type = {{"Content-Type", 12},
                                          {"application/x-www-form-urlencoded", 33}};

static struct answer post(struct fixture *f, const struct bq_field *type, const char *body)
{
    return fixture_ask(f, &(struct question){.method = "POST",
                                             .target = "/x",
                                             .body = body,
                                             .fields = type,
                                             .field_count = type ? 1 : 0});
}

static void every_part_is_converted(void **state)
{
    static const struct bq_field fields[] = {
        {{"X-Tenant", 8}, {"7", 1}},
        {{"Cookie", 6}, {"session-id=abc; page_size=10; page_size=11", 41}},
        {{"User-Agent", 10}, {"test", 4}},
    };
    struct fixture *f = *state;
    serve(f, "barq.get('/u/{id}', {\n"
             "  params = { id = t.integer },\n"
             "  query = { q = t.string, n = t.integer{ default = 5 }, tag = t.array(t.string),\n"
             "    on = t.boolean, none = t.optional(t.string) },\n"
             "  headers = { x_tenant = t.integer },\n"
             "  cookies = { session_id = t.string, page_size = t.integer },\n"
             "}, function(req)\n"
             "  return { req.params.id, req.query.q, req.query.n, req.query.tag, req.query.on,\n"
             "    tostring(req.query.none), tostring(req.query.undeclared), req.headers.x_tenant,\n"
             "    req.headers['user-agent'], req.cookies.session_id, req.cookies.page_size } end)");
    struct answer a = fixture_ask(
        f, &(struct question){.method = "GET",
                              .target = "/u/42?q=a%20b&tag=x&tag=y&on=true&undeclared=1",
                              .fields = fields,
                              .field_count = 3});
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body,
                        "[42,\"a b\",5,[\"x\",\"y\"],true,\"nil\",\"nil\",7,\"test\",\"abc\",10]");
}

static void a_check_may_ask_another_schema(void **state)
{
    struct fixture *f = *state;
    serve(f, "local Other = barq.schema('Other', { a = t.integer })\n"
             "local asks = t.any{ check = function(v) return Other:check(v) or true end }\n"
             "barq.post('/x', { body = t.object{ n = t.integer, y = asks } }, function() end)");
    struct answer a = post(f, &json_type, "{\"n\":\"x\",\"y\":{\"a\":\"y\"}}");
    assert_int_equal(a.status, 422);
    assert_string_equal(a.body, "{\"detail\":[{\"type\":\"int_type\",\"loc\":[\"body\",\"n\"],"
                                "\"msg\":\"Input should be a valid integer\"}]}");
    assert_int_equal(post(f, &json_type, "{\"n\":1,\"y\":{}}").status, 204);
}

static void all_that_is_wrong_is_said_at_once(void **state)
{
    static const struct bq_field fields[] = {
        {{"X-Tenant", 8}, {"x", 1}},
        {{"Content-Type", 12}, {"application/json", 16}},
    };
    struct fixture *f = *state;
    serve(f, "barq.post('/u/{id}', {\n"
             "  params = { id = t.integer{ min = 1 } },\n"
             "  query = { q = t.string{ min = 3 } },\n"
             "  headers = { x_tenant = t.integer, x_key = t.string },\n"
             "  cookies = { sid = t.string },\n"
             "  body = t.object{ name = t.string, tags = t.array(t.integer) },\n"
             "}, function() return 'never' end)");
    struct answer a = fixture_ask(f, &(struct question){.method = "POST",
                                                        .target = "/u/0?q=ab",
                                                        .body = "{\"tags\":[1,\"x\"]}",
                                                        .fields = fields,
                                                        .field_count = 2});
    static const char *const parts[] = {
        "{\"type\":\"greater_than_equal\",\"loc\":[\"path\",\"id\"]",
        "{\"type\":\"string_too_short\",\"loc\":[\"query\",\"q\"]",
        "{\"type\":\"int_parsing\",\"loc\":[\"header\",\"x-tenant\"]",
        "{\"type\":\"missing\",\"loc\":[\"header\",\"x-key\"],\"msg\":\"Field required\"}",
        "{\"type\":\"missing\",\"loc\":[\"cookie\",\"sid\"]",
        "{\"type\":\"missing\",\"loc\":[\"body\",\"name\"]",
        "{\"type\":\"int_type\",\"loc\":[\"body\",\"tags\",1]",
    };
    assert_int_equal(a.status, 422);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(a.body, parts[i]))
            fail_msg("%s not in %s", parts[i], a.body);
}

static void a_body_is_strict_json(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.post('/x', { body = t.object{ n = t.integer } }, function(req)\n"
             "  return { got = req.body.n } end)");
    assert_string_equal(post(f, &json_type, "{\"n\":5}").body, "{\"got\":5}");
    assert_string_equal(post(f, NULL, "{\"n\":5}").body, "{\"got\":5}");
    assert_int_equal(post(f, &json_type, "{\"n\":\"5\"}").status, 422);
    assert_int_equal(post(f, &json_type, "{\"n\":5").status, 400);
    assert_string_equal(post(f, &json_type, "{\"n\":5} x").body,
                        "{\"detail\":\"malformed JSON at byte 8: unexpected character\"}");
    assert_int_equal(post(f, &form_type, "n=5").status, 415);
    struct answer a = post(f, &json_type, "");
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "{\"type\":\"missing\",\"loc\":[\"body\"]"));
}

static void a_form_is_converted_from_strings(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.post('/x', { form = { n = t.integer, tags = t.array(t.string) } },\n"
             "  function(req) return { req.body.n, req.body.tags } end)");
    assert_string_equal(post(f, &form_type, "n=5&tags=a+b&tags=c").body, "[5,[\"a b\",\"c\"]]");
    assert_int_equal(post(f, &form_type, "n=%zz").status, 400);
    assert_int_equal(post(f, &json_type, "{}").status, 415);
    assert_non_null(strstr(post(f, &form_type, "n=x").body, "[\"body\",\"n\"]"));
}

static void undeclared_query_parameters_may_be_forbidden(void **state)
{
    struct fixture *f = *state;
    serve(f, "local Q = barq.schema('Q', { a = t.string }, { extra = 'forbid' })\n"
             "barq.get('/x', { query = Q }, function(req) return req.query.a end)");
    assert_string_equal(fixture_get(f, "/x?a=1").body, "1");
    struct answer a = fixture_get(f, "/x?a=1&b=2");
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "{\"type\":\"extra_forbidden\",\"loc\":[\"query\",\"b\"]"));
}

static void undeclared_cookies_may_be_forbidden_too(void **state)
{
    static const struct bq_field cookies[] = {{{"Cookie", 6}, {"a=1; b=2", 8}}};
    struct question q = {.method = "GET", .target = "/x", .fields = cookies, .field_count = 1};
    struct fixture *f = *state;
    serve(f, "local C = t.object({ a = t.string }, { extra = 'forbid' })\n"
             "barq.get('/x', { cookies = C }, function(req) return req.cookies.a end)");
    struct answer a = fixture_ask(f, &q);
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "{\"type\":\"extra_forbidden\",\"loc\":[\"cookie\",\"b\"]"));
}

static void undeclared_strings_may_be_kept(void **state)
{
    static const struct bq_field cookies[] = {{{"Cookie", 6}, {"a=1; b=2; b=3", 13}}};
    struct question q = {.method = "GET", .target = "/c", .fields = cookies, .field_count = 1};
    struct fixture *f = *state;
    serve(f, "local K = t.object({ a = t.optional(t.integer) }, { extra = 'keep' })\n"
             "local function ab(v) return { v.a, v.b } end\n"
             "barq.get('/x', { query = K }, function(req) return ab(req.query) end)\n"
             "barq.post('/x', { form = K }, function(req) return ab(req.body) end)\n"
             "barq.get('/c', { cookies = K }, function(req) return ab(req.cookies) end)");
    assert_string_equal(fixture_get(f, "/x?a=1&b=2&b=3").body, "[1,\"3\"]");
    assert_string_equal(post(f, &form_type, "a=1&b=2&b=3").body, "[1,\"3\"]");
    assert_string_equal(fixture_ask(f, &q).body, "[1,\"2\"]");
    assert_non_null(strstr(fixture_get(f, "/x?a=1&b=%ff").body, "string_unicode"));
    assert_non_null(strstr(fixture_get(f, "/x?a=1&%ff=b").body, "string_unicode"));
}

static void a_part_is_checked_as_a_whole(void **state)
{
    struct fixture *f = *state;
    serve(f, "local Range = t.object({ from = t.integer, to = t.integer }, { check = function(v)\n"
             "  return v.from < v.to, 'from is not before to' end })\n"
             "barq.get('/x', { query = Range }, function(req) return req.query.to end)\n"
             "barq.post('/x', { form = Range }, function(req) return req.body.to end)");
    assert_string_equal(fixture_get(f, "/x?from=1&to=2").body, "2");
    struct answer a = fixture_get(f, "/x?from=2&to=1");
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "\"loc\":[\"query\"],\"msg\":\"Value error, from is not"));
    assert_null(strstr(fixture_get(f, "/x?from=2&to=x").body, "value_error"));
    assert_int_equal(post(f, &form_type, "from=2&to=1").status, 422);
}

static void an_absent_body_that_is_optional_is_nil(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.use(function(req, next) local _ = req.body return next(req) end)\n"
             "local Body = t.optional(t.object{ a = t.integer })\n"
             "barq.post('/x', { body = Body }, function(req) return type(req.body) end)");
    assert_string_equal(post(f, &json_type, "").body, "nil");
    assert_string_equal(post(f, &json_type, "{\"a\":1}").body, "table");
}

static void the_answer_is_filtered_by_what_is_declared(void **state)
{
    struct fixture *f = *state;
    serve(f, "local Out = barq.schema('Out', { id = t.integer, note = t.optional(t.string) })\n"
             "barq.get('/ok', { returns = Out, status = 203 }, function()\n"
             "  return { note = 'n', id = 1, secret = 'x' } end)\n"
             "barq.get('/bad', { returns = Out }, function() return { id = 'x' } end)\n"
             "barq.get('/nil', { returns = Out }, function() end)\n"
             "barq.get('/list', { returns = t.array(Out) }, function() return {} end)\n"
             "barq.get('/text', { returns = t.string }, function() return 'x' end)\n"
             "barq.get('/other', { returns = Out }, function() return { why = 1 }, 404 end)\n"
             "barq.get('/html', { returns = Out }, function() return barq.html('h') end)\n"
             "barq.get('/mw', { returns = Out, middleware = function(r, n) return n(r) end },\n"
             "  function() return { id = 2, secret = 'x' } end)");
    assert_string_equal(fixture_get(f, "/ok").body, "{\"id\":1,\"note\":\"n\"}");
    assert_int_equal(fixture_get(f, "/ok").status, 203);
    assert_int_equal(fixture_get(f, "/bad").status, 500);
    assert_int_equal(fixture_get(f, "/nil").status, 500);
    assert_string_equal(fixture_get(f, "/list").body, "[]");
    assert_string_equal(fixture_get(f, "/text").body, "\"x\"");
    assert_string_equal(fixture_get(f, "/other").body, "{\"why\":1}");
    assert_string_equal(fixture_get(f, "/html").body, "h");
    assert_string_equal(fixture_get(f, "/mw").body, "{\"id\":2}");
}

static void refusals_reach_error_handlers_and_middleware(void **state)
{
    struct fixture *f = *state;
    serve(f, "barq.on_error(422, function(req, err)\n"
             "  return { n = #err.detail, first = err.detail[1].type } end)\n"
             "barq.use(function(req, next) local res = next(req)\n"
             "  res.headers['x-status'] = tostring(res.status) return res end)\n"
             "barq.get('/x', { query = { a = t.string, b = t.string } }, function() end)");
    struct answer a = fixture_get(f, "/x");
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "\"n\":2"));
    assert_non_null(strstr(a.body, "\"first\":\"missing\""));
    assert_string_equal(a.fields, "x-status: 422\n");
}

static void an_error_handler_finds_the_params_as_they_came(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "barq.on_error(422, function(req) return { id = req.params.id, q = req.query.n } end)\n"
          "barq.get('/p/{id}', { params = { id = t.integer },\n"
          "  query = { n = t.optional(t.integer) } }, function(req) return req.params.id end)");
    struct answer a = fixture_get(f, "/p/one");
    assert_int_equal(a.status, 422);
    assert_string_equal(a.body, "{\"id\":\"one\"}");
    a = fixture_get(f, "/p/1?n=x");
    assert_int_equal(a.status, 422);
    assert_non_null(strstr(a.body, "\"id\":\"1\""));
    assert_non_null(strstr(a.body, "\"q\":\"x\""));
}

static void a_client_may_ask_for_problem_json(void **state)
{
    static const struct bq_field accept[] = {{{"Accept", 6}, {"application/problem+json", 24}}};
    struct fixture *f = *state;
    serve(f, "barq.get('/x', { query = { a = t.string } }, function() end)\n"
             "barq.get('/y', function() barq.abort(409, 'taken') end)");
    struct question q = {.method = "GET", .target = "/x", .fields = accept, .field_count = 1};
    struct answer a = fixture_ask(f, &q);
    assert_int_equal(a.status, 422);
    assert_string_equal(a.type, "application/problem+json");
    assert_non_null(strstr(a.body, "\"errors\":[{"));
    q.target = "/y";
    a = fixture_ask(f, &q);
    assert_string_equal(a.type, "application/problem+json");
    assert_non_null(strstr(a.body, "\"detail\":\"taken\""));
}

static void a_providers_input_joins_the_routes(void **state)
{
    struct fixture *f = *state;
    serve(f, "local page = barq.depends{ query = { page = t.integer{ min = 1, default = 1 } },\n"
             "  open = function(req) return req.query.page * 10 end }\n"
             "barq.get('/x', { query = { q = t.string }, depends = { offset = page } },\n"
             "  function(req, deps) return { req.query.q, deps.offset } end)");
    assert_string_equal(fixture_get(f, "/x?q=a&page=3").body, "[\"a\",30]");
    assert_string_equal(fixture_get(f, "/x?q=a").body, "[\"a\",10]");
    assert_non_null(strstr(fixture_get(f, "/x?page=0").body, "[\"query\",\"page\"]"));
}

static void a_check_may_refuse_and_may_fail(void **state)
{
    struct fixture *f = *state;
    serve(f, "local even = t.integer{ check = function(v)\n"
             "  if v == 13 then error('unlucky') end\n"
             "  return v % 2 == 0, 'must be even' end }\n"
             "barq.get('/x', { query = { n = even } }, function(req) return req.query.n end)");
    assert_string_equal(fixture_get(f, "/x?n=4").body, "4");
    assert_non_null(strstr(fixture_get(f, "/x?n=5").body, "must be even"));
    assert_int_equal(fixture_get(f, "/x?n=13").status, 500);
    assert_string_equal(fixture_get(f, "/x?n=6").body, "6");
}

static void schemas_work_alone(void **state)
{
    struct fixture *f = *state;
    serve(f,
          "local S = barq.schema('S', { n = t.integer{ min = 1 }, d = t.integer{ default = 7 } })\n"
          "barq.get('/x', function()\n"
          "  local ok = S:check{ n = 5 }\n"
          "  local none, errors = S:check{ n = 0 }\n"
          "  return { ok.d, none == nil, errors[1].type, errors[1].loc[1],\n"
          "    S:encode{ n = 1, d = 2, x = 3 } } end)");
    assert_string_equal(fixture_get(f, "/x").body,
                        "[7,true,\"greater_than_equal\",\"n\",\"{\\\"n\\\":1,\\\"d\\\":2}\"]");
}

static void the_document_describes_the_routes(void **state)
{
    struct fixture *f = *state;
    f->options.docs = true;
    serve(f, "barq.info{ title = 'T' }\n"
             "barq.get('/x/{id}', { params = { id = t.integer }, hidden = false }, print)\n"
             "barq.get('/hidden', { hidden = true }, print)");
    struct answer a = fixture_get(f, "/openapi.json");
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"title\":\"T\""));
    assert_non_null(strstr(a.body, "\"/x/{id}\""));
    assert_null(strstr(a.body, "hidden"));
    assert_null(strstr(a.body, "openapi.json"));
}

#ifdef BQ_FAULTS
static void every_allocation_of_a_validated_request_may_fail(void **state)
{
    static const enum bq_fault_site sites[] = {BQ_FAULT_alloc, BQ_FAULT_lua_alloc};
    static const char *const bodies[] = {
        "{\"name\":\"a\\u00e4\",\"tags\":[\"x\",\"y\"],\"d\":{\"w\":1.5}}", "{\"tags\":[1]}"};
    struct fixture *f = *state;
    serve(f, "local S = barq.schema('S', { name = t.string{ max = 9 }, tags = t.array(t.string),\n"
             "  d = t.optional(t.object{ w = t.number }) })\n"
             "barq.get('/plain', function() return 'p' end)\n"
             "barq.post('/x', { body = S, returns = S, query = { q = t.optional(t.string) } },\n"
             "  function(req) return req.body end)");
    fixture_interpret(f);
    for (size_t b = 0; b < 2; b++) {
        for (size_t s = 0; s < 2; s++) {
            bool hit = true;
            for (long nth = 1; nth < 400 && hit; nth++) {
                bq_fault_arm(sites[s], nth, false);
                struct answer a = post(f, &json_type, bodies[b]);
                hit = bq_fault_hits(sites[s]) > 0;
                bq_fault_arm(sites[s], 0, false);
                assert_int_equal(a.count, 1);
                assert_string_equal(fixture_get(f, "/plain").body, "p");
            }
        }
    }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_part_is_converted),
        TEST(a_check_may_ask_another_schema),
        TEST(all_that_is_wrong_is_said_at_once),
        TEST(a_body_is_strict_json),
        TEST(a_form_is_converted_from_strings),
        TEST(undeclared_query_parameters_may_be_forbidden),
        TEST(undeclared_cookies_may_be_forbidden_too),
        TEST(undeclared_strings_may_be_kept),
        TEST(a_part_is_checked_as_a_whole),
        TEST(an_absent_body_that_is_optional_is_nil),
        TEST(the_answer_is_filtered_by_what_is_declared),
        TEST(refusals_reach_error_handlers_and_middleware),
        TEST(an_error_handler_finds_the_params_as_they_came),
        TEST(a_client_may_ask_for_problem_json),
        TEST(a_providers_input_joins_the_routes),
        TEST(a_check_may_refuse_and_may_fail),
        TEST(schemas_work_alone),
        TEST(the_document_describes_the_routes),
#ifdef BQ_FAULTS
        TEST(every_allocation_of_a_validated_request_may_fail),
#endif
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
