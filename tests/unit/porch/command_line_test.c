/* command_line_test.c: commands, files, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rc.h"
#include "command_line.h"

struct parsed {
    struct bq_config config;
    struct bq_command_line line;
    struct bq_config_error error;
    int rc;
};

static int setup(void **state)
{
    struct parsed *p = bq_alloc_must(sizeof *p);
    bq_config_init(&p->config);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct parsed *p = *state;
    bq_config_release(&p->config);
    bq_free(p);
    return 0;
}

#define PARSE(p, ...)                                                                           \
    ((p)->rc =                                                                                  \
         bq_command_line_parse(&(p)->line, &(p)->config,                                        \
                               sizeof((char *[]){"barq-server", __VA_ARGS__}) / sizeof(char *), \
                               (char *[]){"barq-server", __VA_ARGS__}, &(p)->error))

static void means(const struct parsed *p, enum bq_command command, const char *path)
{
    assert_int_equal(p->rc, BQ_OK);
    assert_int_equal(p->line.command, command);
    if (path)
        assert_string_equal(p->line.app_path, path);
    else
        assert_null(p->line.app_path);
}

static void refused(const struct parsed *p, const char *sentence)
{
    assert_int_equal(p->rc, BQ_INVALID);
    assert_string_equal(p->error.text, sentence);
}

static void a_file_alone_is_served(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "app.lua");
    means(p, BQ_COMMAND_SERVE, "app.lua");
    PARSE(p, "serve", "app.lua");
    means(p, BQ_COMMAND_SERVE, "app.lua");
}

static void commands_stand_before_the_file(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "routes", "app.lua");
    means(p, BQ_COMMAND_ROUTES, "app.lua");
    PARSE(p, "check", "--dev", "app.lua");
    means(p, BQ_COMMAND_CHECK, "app.lua");
    assert_true(p->config.dev);
}

static void specs_need_not_be_named(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "test");
    means(p, BQ_COMMAND_TEST, NULL);
    PARSE(p, "test", "apps/items");
    means(p, BQ_COMMAND_TEST, "apps/items");
    PARSE(p, "test", "one", "two");
    refused(p, "too many arguments: \"two\"");
}

static void a_health_check_needs_no_url(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "health", "--port=81");
    means(p, BQ_COMMAND_HEALTH, NULL);
    PARSE(p, "health", "/ready");
    means(p, BQ_COMMAND_HEALTH, "/ready");
}

static void a_new_project_has_a_folder(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "new", "myapp");
    means(p, BQ_COMMAND_NEW, "myapp");
    PARSE(p, "new");
    refused(p, "the project's folder is missing: barq-server new myapp");
}

static void annotations_have_a_folder_of_their_own(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "annotations");
    means(p, BQ_COMMAND_ANNOTATIONS, NULL);
    PARSE(p, "annotations", "editor");
    means(p, BQ_COMMAND_ANNOTATIONS, "editor");
}

static void only_routes_are_told_as_json(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "routes", "app.lua");
    assert_false(p->line.json);
    PARSE(p, "routes", "--json", "app.lua");
    means(p, BQ_COMMAND_ROUTES, "app.lua");
    assert_true(p->line.json);
    PARSE(p, "check", "app.lua", "--json");
    refused(p, "--json is an option of routes");
    PARSE(p, "app.lua", "--json");
    refused(p, "--json is an option of routes");
}

static void options_stand_anywhere(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "--port", "1", "serve", "--access-log", "app.lua", "--workers=2");
    means(p, BQ_COMMAND_SERVE, "app.lua");
    assert_int_equal(p->config.port, 1);
    assert_int_equal(p->config.workers, 2);
    assert_int_equal(p->config.access_log, BQ_ACCESS_TEXT);
}

static void two_dashes_end_the_options(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "--dev", "--", "--app.lua");
    means(p, BQ_COMMAND_SERVE, "--app.lua");
}

static void help_and_version_need_no_file(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "--help");
    means(p, BQ_COMMAND_HELP, NULL);
    PARSE(p, "app.lua", "-h");
    means(p, BQ_COMMAND_HELP, NULL);
    PARSE(p, "--version");
    means(p, BQ_COMMAND_VERSION, NULL);
}

static void a_missing_file_is_named_so(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "--dev");
    refused(p, "the application's file is missing");
    PARSE(p, "serve");
    refused(p, "the application's file is missing");
    PARSE(p, "check", "--");
    refused(p, "the application's file is missing");
}

static void an_unknown_command_is_refused(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "route", "app.lua");
    refused(p, "unknown command \"route\": did you mean \"routes\"?");
    PARSE(p, "bundle", "app.lua");
    refused(p, "unknown command \"bundle\": the commands are serve, routes, check, openapi, test, "
               "health, reload, new and annotations");
    PARSE(p, "serve", "app.lua", "other.lua");
    refused(p, "too many arguments: \"other.lua\"");
}

static void a_bad_option_is_refused(void **state)
{
    struct parsed *p = *state;
    PARSE(p, "app.lua", "-p", "80");
    refused(p, "unknown option \"-p\": options start with two dashes");
    PARSE(p, "app.lua", "--prot", "80");
    refused(p, "unknown option \"--prot\": did you mean \"--port\"?");
}

static void help_names_the_commands(void **state)
{
    char text[16384] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    bq_command_line_print_help(f);
    fclose(f);
    assert_non_null(strstr(text, "usage: barq-server"));
    assert_non_null(strstr(text, "routes"));
    assert_non_null(strstr(text, "--drain-timeout SECONDS"));
    (void)state;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_alone_is_served),        TEST(commands_stand_before_the_file),
        TEST(specs_need_not_be_named),       TEST(two_dashes_end_the_options),
        TEST(a_new_project_has_a_folder),    TEST(annotations_have_a_folder_of_their_own),
        TEST(only_routes_are_told_as_json),  TEST(options_stand_anywhere),
        TEST(help_and_version_need_no_file), TEST(a_missing_file_is_named_so),
        TEST(an_unknown_command_is_refused), TEST(a_bad_option_is_refused),
        TEST(help_names_the_commands),       TEST(a_health_check_needs_no_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
