/* app_test.c: loading, configuration, freezing and hooks of an application. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app_fixture.h"

static int setup(void **state)
{
    static struct fixture f;
    fixture_open(&f, 0);
    *state = &f;
    return f.app ? 0 : -1;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return bq_mem_live() == 0 ? 0 : -1;
}

#define LOADS(f, source)   assert_int_equal(fixture_load((f), (source)), BQ_OK)
#define FREEZES(f)         assert_int_equal(bq_app_freeze((f)->app, &(f)->options), BQ_OK)
#define REFUSES(f, source) assert_int_equal(fixture_load((f), (source)), BQ_INVALID)

static void mistakes_in_declarations_stop_the_load(void **state)
{
    static const char *const wrong[] = {
        "barq.get('/', 5)",
        "barq.get(5, function() end)",
        "barq.get('/', { nmae = 'x' }, function() end)",
        "barq.get('/', { status = 404 }, function() end)",
        "barq.get('/', { status = 'x' }, function() end)",
        "barq.get('/', { body_max = '12 apples' }, function() end)",
        "barq.get('/', { body_max = -1 }, function() end)",
        "barq.get('/', { middleware = 'x' }, function() end)",
        "barq.get('/', { middleware = { 1 } }, function() end)",
        "barq.get('/', { tags = { 1 } }, function() end)",
        "barq.use('x')",
        "barq.on('satrt', function() end)",
        "barq.on('start', 5)",
        "barq.on_error('x', function() end)",
        "barq.on_error(99, function() end)",
        "barq.on_error(404, 5)",
        "barq.group('users')",
        "barq.group('/users/')",
        "barq.group('/x', { status = 201 })",
        "barq.mount('/x', {})",
        "local g = barq.group('/g') g:mount('/x', g)",
        "barq.config(5)",
        "barq.config{ 8080 }",
        "barq.config{ port = function() end }",
        "barq.gte('/', function() end)",
        "barq.sleep(1)",
        "error({})",
        "x = = 1",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (fixture_load(f, wrong[i]) != BQ_INVALID)
            fail_msg("was accepted: %s", wrong[i]);
}

static void a_missing_file_does_not_load(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bq_app_load(f->app, "/nonexistent/app.lua"), BQ_INVALID);
}

static void mistakes_in_routes_stop_the_freeze(void **state)
{
    static const char *const wrong[] = {
        "barq.get('/a/{id}', function() end) barq.get('/a/{name}', function() end)",
        "barq.get('no-slash', function() end)",
        "barq.get('/{a}{b}', function() end)",
        "barq.get('/{a:itn}', function() end)",
        "barq.get('/x', { name = 'n' }, print) barq.get('/y', { name = 'n' }, print)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct fixture f;
        fixture_open(&f, 0);
        LOADS(&f, wrong[i]);
        if (bq_app_freeze(f.app, &f.options) != BQ_INVALID)
            fail_msg("was accepted: %s", wrong[i]);
        fixture_close(&f);
    }
}

static void nothing_can_be_declared_once_frozen(void **state)
{
    struct fixture *f = *state;
    LOADS(f, "barq.get('/', function() barq.get('/late', print) end)");
    FREEZES(f);
    assert_int_equal(fixture_get(f, "/").status, 500);
}

struct seen_config {
    char text[512];
};

static int see(void *arg, bq_str name, bq_str value, const char *place)
{
    struct seen_config *seen = arg;
    size_t used = strlen(seen->text);
    assert_non_null(strstr(place, ".lua:"));
    snprintf(seen->text + used, sizeof seen->text - used, "%.*s=%.*s;", BQ_STR_ARG(name),
             BQ_STR_ARG(value));
    return BQ_OK;
}

static void configuration_is_given_out_as_text(void **state)
{
    struct fixture *f = *state;
    struct seen_config seen = {""};
    LOADS(f, "barq.config{ port = 8080 }\n"
             "barq.config{ dev = true }\n"
             "barq.config{ listen = { 'a:1', 'b:2' } }\n"
             "barq.config{ drain_timeout = 0.5 }");
    assert_int_equal(bq_app_each_config(f->app, see, &seen), BQ_OK);
    assert_string_equal(seen.text, "port=8080;dev=true;listen=a:1;listen=b:2;drain_timeout=0.5;");
}

static int refuse(void *arg, bq_str name, bq_str value, const char *place)
{
    (void)name;
    (void)value;
    (void)place;
    ++*(int *)arg;
    return BQ_LIMIT;
}

static void the_first_refused_setting_ends_the_walk(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    LOADS(f, "barq.config{ port = 1 } barq.config{ port = 2 }");
    assert_int_equal(bq_app_each_config(f->app, refuse, &calls), BQ_LIMIT);
    assert_int_equal(calls, 1);
}

static void hooks_run_in_order_and_may_wait(void **state)
{
    struct fixture *f = *state;
    LOADS(f, "local order = {}\n"
             "barq.on('start', function() barq.sleep(0.002) order[#order + 1] = 'a' end)\n"
             "barq.on('start', function() order[#order + 1] = 'b' end)\n"
             "barq.get('/', function() return table.concat(order) end)");
    FREEZES(f);
    assert_int_equal(bq_app_run_hooks(f->app, "start"), BQ_OK);
    assert_string_equal(fixture_get(f, "/").body, "ab");
    assert_int_equal(bq_app_pending(f->app), 0);
}

static void a_failing_start_hook_stops_the_others(void **state)
{
    struct fixture *f = *state;
    LOADS(f, "local ran = 'none'\n"
             "barq.on('start', function() error('broken') end)\n"
             "barq.on('start', function() ran = 'second' end)\n"
             "barq.get('/', function() return ran end)");
    FREEZES(f);
    assert_int_equal(bq_app_run_hooks(f->app, "start"), BQ_INVALID);
    assert_string_equal(fixture_get(f, "/").body, "none");
}

static void a_failing_stop_hook_does_not_stop_the_others(void **state)
{
    struct fixture *f = *state;
    LOADS(f, "local ran = 'none'\n"
             "barq.on('stop', function() error('broken') end)\n"
             "barq.on('stop', function() ran = 'second' end)\n"
             "barq.get('/', function() return ran end)");
    FREEZES(f);
    assert_int_equal(bq_app_run_hooks(f->app, "stop"), BQ_INVALID);
    assert_string_equal(fixture_get(f, "/").body, "second");
}

static void a_handler_that_waits_when_the_app_goes_is_dropped(void **state)
{
    struct fixture *f = *state;
    LOADS(f, "barq.get('/', function() barq.sleep(1000) end)");
    FREEZES(f);
    struct answer a;
    struct bq_exchange *ex =
        fixture_begin(f, &(struct question){.method = "GET", .target = "/"}, &a);
    assert_int_equal(a.count, 0);
    assert_int_equal(bq_app_pending(f->app), 1);
    fixture_end(ex);
}

static void turn_for_ms(struct fixture *f, uint64_t ms)
{
    uint64_t end = bq_loop_now_ms(f->loop) + ms;
    while (bq_loop_now_ms(f->loop) < end)
        bq_loop_run_once(f->loop, 5);
}

/* The server ends while a handler waits: hooks still turn the loop after that. */
static void a_handler_that_waits_when_its_exchange_is_abandoned_never_goes_on(void **state)
{
    struct fixture *f = *state;
    LOADS(
        f,
        "local kept\n"
        "barq.get('/', function(req)\n"
        "  kept = req req:after(function() end) barq.sleep(0.01) went_on = true\n"
        "end)\n"
        "barq.get('/fails', function() error('x') end)\n"
        "barq.on_error(500, function() barq.sleep(0.01) went_on = true end)\n"
        "barq.get('/late', function()\n"
        "  return tostring(went_on) .. ' ' .. tostring((pcall(function() return kept.path end)))\n"
        "end)");
    FREEZES(f);
    struct bq_handler handler = bq_app_handler(f->app);
    static const char *const targets[] = {"/", "/fails"};
    for (int i = 0; i < 2; i++) {
        struct answer a;
        struct bq_exchange *ex =
            fixture_begin(f, &(struct question){.method = "GET", .target = targets[i]}, &a);
        assert_int_equal(a.count, 0);
        handler.abandon(handler.self, ex);
        fixture_end(ex);
        assert_int_equal(bq_app_pending(f->app), 0);
    }
    turn_for_ms(f, 30);
    assert_string_equal(fixture_get(f, "/late").body, "nil false");
}

static void routes_are_listed_with_their_places(void **state)
{
    struct fixture *f = *state;
    char *text = NULL;
    size_t n = 0;
    LOADS(f, "barq.get('/items/{id:int}', { name = 'get_item' }, function() end)\n"
             "local g = barq.group('/api')\n"
             "g.post('/x', function() end)\n");
    FREEZES(f);
    FILE *out = open_memstream(&text, &n);
    assert_int_equal(bq_app_print_routes(f->app, false, out), BQ_OK);
    fclose(out);
    assert_non_null(strstr(text, "GET     /items/{id:int}  get_item  -        "));
    assert_non_null(strstr(text, "POST    /api/x           -         -        "));
    assert_non_null(strstr(text, ".lua:4"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(mistakes_in_declarations_stop_the_load, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_does_not_load, setup, teardown),
        cmocka_unit_test(mistakes_in_routes_stop_the_freeze),
        cmocka_unit_test_setup_teardown(nothing_can_be_declared_once_frozen, setup, teardown),
        cmocka_unit_test_setup_teardown(configuration_is_given_out_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_refused_setting_ends_the_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(hooks_run_in_order_and_may_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_start_hook_stops_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_stop_hook_does_not_stop_the_others, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_handler_that_waits_when_its_exchange_is_abandoned_never_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_handler_that_waits_when_the_app_goes_is_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(routes_are_listed_with_their_places, setup, teardown),
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
