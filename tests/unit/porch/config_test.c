/* config_test.c: values from four origins, and sentences for what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "config.h"
#include "option.h"

#include <ctype.h>
#include <sched.h>
#include <stdio.h>

static int setup(void **state)
{
    struct bq_config *c = bq_alloc_must(sizeof *c);
    bq_config_init(c);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    bq_config_release(*state);
    bq_free(*state);
    return 0;
}

static int set(struct bq_config *c, enum bq_origin origin, const char *name, const char *value,
               struct bq_config_error *error)
{
    return bq_config_set(c, origin, bq_str_cstr(name), bq_str_cstr(value), "app.lua:12", error);
}

static void accepts(struct bq_config *c, const char *name, const char *value)
{
    struct bq_config_error error = {""};
    int rc = set(c, BQ_ORIGIN_APP, name, value, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(rc, BQ_OK);
}

static void refuses(struct bq_config *c, const char *name, const char *value, const char *sentence)
{
    struct bq_config_error error;
    assert_int_equal(set(c, BQ_ORIGIN_APP, name, value, &error), BQ_INVALID);
    assert_string_equal(error.text, sentence);
}

static int read_arguments(struct bq_config *c, struct bq_config_error *error, int argc,
                          char *const *argv)
{
    int rc = BQ_OK, at = 0;
    while (rc == BQ_OK && at < argc)
        rc = bq_config_read_argument(c, argc, argv, &at, error);
    return rc;
}

#define ARGUMENTS(c, error, ...)                                               \
    read_arguments(c, error, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *), \
                   (char *[]){__VA_ARGS__})

#define ENVIRONMENT(c, error, ...) \
    bq_config_read_environment(c, (char *[]){__VA_ARGS__, NULL}, error)

static void equals(bq_str s, const char *expected)
{
    assert_int_equal(s.n, strlen(expected));
    assert_memory_equal(s.p, expected, s.n);
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct bq_config *c = *state;
    equals(c->host, "127.0.0.1");
    assert_int_equal(c->port, 8000);
    assert_int_equal(c->listen.count, 0);
    assert_int_equal(c->workers, 0);
    assert_false(c->dev);
    assert_int_equal(c->access_log, BQ_ACCESS_OFF);
    assert_int_equal(c->log_level, BQ_LOG_INFO);
    assert_int_equal(c->drain_ms_max, 10000);
    struct bq_serve_limits s = bq_config_serve_limits(c);
    assert_int_equal(s.h1.line_bytes_max, 8192);
    assert_int_equal(s.h1.head_bytes_max, 16384);
    assert_int_equal(s.h1.fields_max, 100);
    assert_int_equal(s.head_ms_max, 10000);
    assert_int_equal(s.body_ms_max, 30000);
    assert_int_equal(s.idle_ms_max, 30000);
    assert_int_equal(s.write_ms_max, 30000);
    assert_int_equal(s.connections_max, 10000);
    struct bq_app_options a = bq_config_app_options(c);
    assert_int_equal(a.body_bytes_max, 1 << 20);
    assert_int_equal(a.lua_bytes_max, 1 << 30);
    assert_false(a.redirect_slashes);
}

static void later_origins_win_in_any_order(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(c, &error, "--port", "3"), BQ_OK);
    assert_int_equal(ENVIRONMENT(c, &error, "BARQ_PORT=2", "BARQ_BACKLOG=2"), BQ_OK);
    accepts(c, "port", "1");
    accepts(c, "backlog", "1");
    accepts(c, "fields_max", "1");
    assert_int_equal(c->port, 3);
    assert_int_equal(c->backlog, 2);
    assert_int_equal(c->fields_max, 1);
    assert_int_equal(bq_config_origin(c, "port"), BQ_ORIGIN_COMMAND_LINE);
    assert_int_equal(bq_config_origin(c, "backlog"), BQ_ORIGIN_ENVIRONMENT);
    assert_int_equal(bq_config_origin(c, "head_max"), BQ_ORIGIN_DEFAULT);
}

static void a_losing_value_is_checked_all_the_same(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(c, &error, "--port", "3"), BQ_OK);
    refuses(c, "port", "x",
            "app.lua:12: option \"port\" cannot be \"x\": give a whole number from 0 to 65535");
    assert_int_equal(c->port, 3);
}

static void durations_have_units(void **state)
{
    struct bq_config *c = *state;
    const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"30", 30000},   {"0.5", 500},   {"500ms", 500}, {"2m", 120000},
                 {"1h", 3600000}, {"1.5s", 1500}, {"0", 0},       {"0.0019", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        accepts(c, "drain_timeout", cases[i].text);
        assert_int_equal(c->drain_ms_max, cases[i].ms);
    }
    refuses(c, "head_timeout", "soon",
            "app.lua:12: option \"head_timeout\" cannot be \"soon\": give a duration (30, 0.5, "
            "500ms, 2m) from 1ms to 24h");
}

static void sizes_have_units(void **state)
{
    struct bq_config *c = *state;
    const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"4096", 4096},    {"16k", 16384},   {"64K", 65536},
                 {"1MiB", 1 << 20}, {"2mb", 2 << 20}, {"1.5KiB", 1536},
                 {"1g", 1 << 30},   {"512B", 512},    {"0", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        accepts(c, "body_max", cases[i].text);
        assert_int_equal(c->body_bytes_max, cases[i].bytes);
    }
    refuses(c, "head_max", "1",
            "app.lua:12: option \"head_max\" cannot be \"1\": give a size (4096, 16k, 1MiB) from "
            "256B to 16MiB");
}

static void odd_quantities_are_refused(void **state)
{
    struct bq_config_error error;
    static const char *const odd[] = {"",
                                      " 1",
                                      "1 ",
                                      "-1",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "1..2",
                                      "0x10",
                                      "1e3",
                                      "1kk",
                                      "nan",
                                      "1 MiB",
                                      "1,5",
                                      "k",
                                      "٣",
                                      "inf",
                                      "1.5.5k",
                                      "1s",
                                      "99999999999999999999",
                                      "99999999999999999k"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_int_equal(set(*state, BQ_ORIGIN_APP, "body_max", odd[i], &error), BQ_INVALID);
    assert_int_equal(set(*state, BQ_ORIGIN_APP, "body_timeout", "9999999999999999999h", &error),
                     BQ_INVALID);
}

static void bounds_are_inclusive(void **state)
{
    accepts(*state, "port", "0");
    accepts(*state, "port", "65535");
    refuses(*state, "port", "65536",
            "app.lua:12: option \"port\" cannot be \"65536\": give a whole number from 0 to 65535");
    accepts(*state, "workers", "1024");
    refuses(*state, "workers", "0",
            "app.lua:12: option \"workers\" cannot be \"0\": give auto or a whole number from 1 to "
            "1024");
}

static void words_are_listed_when_one_is_wrong(void **state)
{
    struct bq_config *c = *state;
    accepts(c, "log_level", "warn");
    assert_int_equal(c->log_level, BQ_LOG_WARN);
    refuses(c, "log_level", "loud",
            "app.lua:12: option \"log_level\" cannot be \"loud\": give one of debug, info, warn, "
            "error, off");
}

static void words_of_log_level_are_those_of_the_log(void **state)
{
    enum bq_log_level level;
    const struct bq_option *o = bq_option_find(BQ_STR("log_level"));
    for (unsigned i = 0; o->words[i]; i++) {
        assert_int_equal(bq_log_level_of(bq_str_cstr(o->words[i]), &level), BQ_OK);
        assert_int_equal(level, i);
    }
    (void)state;
}

static void access_log_takes_true_and_false(void **state)
{
    struct bq_config *c = *state;
    accepts(c, "access_log", "true");
    assert_int_equal(c->access_log, BQ_ACCESS_TEXT);
    accepts(c, "access_log", "json");
    assert_int_equal(c->access_log, BQ_ACCESS_JSON);
    accepts(c, "access_log", "false");
    assert_int_equal(c->access_log, BQ_ACCESS_OFF);
}

static void booleans_have_the_usual_words(void **state)
{
    struct bq_config *c = *state;
    static const char *const yes[] = {"true", "1", "yes", "on", "TRUE"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < 5; i++) {
        accepts(c, "dev", yes[i]);
        assert_true(c->dev);
        accepts(c, "dev", no[i % 4]);
        assert_false(c->dev);
    }
    refuses(c, "dev", "maybe",
            "app.lua:12: option \"dev\" cannot be \"maybe\": give true or false");
}

static void texts_have_no_control_characters(void **state)
{
    struct bq_config_error error;
    assert_int_equal(set(*state, BQ_ORIGIN_APP, "host", "a\nb", &error), BQ_INVALID);
    assert_int_equal(set(*state, BQ_ORIGIN_APP, "host", "", &error), BQ_INVALID);
    assert_int_equal(
        bq_config_set(*state, BQ_ORIGIN_APP, BQ_STR("host"), BQ_STR("a\0b"), "here", &error),
        BQ_INVALID);
}

static void an_unknown_option_suggests_the_nearest(void **state)
{
    refuses(*state, "prot", "1", "app.lua:12: unknown option \"prot\": did you mean \"port\"?");
    refuses(*state, "bodymax", "1",
            "app.lua:12: unknown option \"bodymax\": did you mean \"body_max\"?");
    refuses(*state, "colour", "1",
            "app.lua:12: unknown option \"colour\": barq-server --help lists the options");
}

static void an_unknown_argument_suggests_the_nearest(void **state)
{
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(*state, &error, "--acces-log"), BQ_INVALID);
    assert_string_equal(error.text,
                        "unknown option \"--acces-log\": did you mean \"--access-log\"?");
    assert_int_equal(ARGUMENTS(*state, &error, "--head_max=1k"), BQ_INVALID);
    assert_string_equal(error.text, "unknown option \"--head_max\": did you mean \"--head-max\"?");
}

static void overlong_names_and_values_are_cut_in_sentences(void **state)
{
    char name[2000], argument[2003] = "--";
    char *arguments[] = {argument};
    struct bq_config_error error;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    memcpy(argument + 2, name, sizeof name);
    assert_int_equal(set(*state, BQ_ORIGIN_APP, name, "1", &error), BQ_INVALID);
    assert_in_range(strlen(error.text), 80, 200);
    assert_int_equal(set(*state, BQ_ORIGIN_APP, "port", name, &error), BQ_INVALID);
    assert_in_range(strlen(error.text), 80, 200);
    assert_int_equal(read_arguments(*state, &error, 1, arguments), BQ_INVALID);
    assert_in_range(strlen(error.text), 60, 200);
}

static void arguments_take_their_value_behind_a_space_or_an_equals_sign(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(c, &error, "--port", "1", "--head-max=2k", "--host=::1"), BQ_OK);
    assert_int_equal(c->port, 1);
    assert_int_equal(c->head_bytes_max, 2048);
    equals(c->host, "::1");
}

static void arguments_that_stand_alone_leave_the_next_word(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    char *words[] = {"--access-log", "app.lua"};
    int at = 0;
    assert_int_equal(bq_config_read_argument(c, 2, words, &at, &error), BQ_OK);
    assert_int_equal(at, 1);
    assert_int_equal(c->access_log, BQ_ACCESS_TEXT);
    char *more[] = {"--access-log", "json", "--dev", "--dev", "off"};
    assert_int_equal(read_arguments(c, &error, 5, more), BQ_OK);
    assert_int_equal(c->access_log, BQ_ACCESS_JSON);
    assert_false(c->dev);
}

static void no_before_a_name_says_false(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(c, &error, "--no-adoption", "--dev", "--no-dev", "--no-docs"),
                     BQ_OK);
    assert_false(c->adoption);
    assert_false(c->dev);
    assert_false(c->docs);
    assert_int_equal(ARGUMENTS(c, &error, "--no-port"), BQ_INVALID);
    assert_int_equal(ARGUMENTS(c, &error, "--no-docs=true"), BQ_INVALID);
    assert_int_equal(ARGUMENTS(c, &error, "--no-"), BQ_INVALID);
}

static void a_missing_value_says_what_to_give(void **state)
{
    struct bq_config_error error;
    assert_int_equal(ARGUMENTS(*state, &error, "--port"), BQ_INVALID);
    assert_string_equal(error.text,
                        "--port: the value is missing: give a whole number from 0 to 65535");
    assert_int_equal(ARGUMENTS(*state, &error, "--port=x"), BQ_INVALID);
    assert_string_equal(
        error.text, "--port: option \"port\" cannot be \"x\": give a whole number from 0 to 65535");
}

static void variables_name_themselves_in_errors(void **state)
{
    struct bq_config_error error;
    assert_int_equal(ENVIRONMENT(*state, &error, "HOME=/", "BARQ_PORT=abc"), BQ_INVALID);
    assert_string_equal(
        error.text,
        "BARQ_PORT: option \"port\" cannot be \"abc\": give a whole number from 0 to 65535");
}

static void foreign_and_empty_variables_are_left_alone(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(ENVIRONMENT(c, &error, "PORT=1", "BARQ_PORT=", "BARQ_PORT", "BARQ_=2", "=x",
                                 "BARQ_FAULT=alloc:1", "BARQ_PROT=3"),
                     BQ_OK);
    assert_int_equal(c->port, 8000);
}

static void a_list_grows_within_an_origin_and_is_replaced_by_a_later_one(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    accepts(c, "listen", "127.0.0.1:1");
    accepts(c, "listen", "127.0.0.1:2");
    assert_int_equal(c->listen.count, 2);
    assert_int_equal(ENVIRONMENT(c, &error, "BARQ_LISTEN=unix:/a, unix:/b,unix:/c"), BQ_OK);
    assert_int_equal(c->listen.count, 3);
    equals(c->listen.items[1], "unix:/b");
    assert_int_equal(ARGUMENTS(c, &error, "--listen", "[::1]:1", "--listen=[::1]:2"), BQ_OK);
    assert_int_equal(c->listen.count, 2);
    equals(c->listen.items[1], "[::1]:2");
    accepts(c, "listen", "127.0.0.1:1");
    assert_int_equal(c->listen.count, 2);
}

static void a_list_is_bounded(void **state)
{
    for (int i = 0; i < BQ_LISTEN_MAX; i++)
        accepts(*state, "listen", "unix:/a");
    refuses(*state, "listen", "unix:/a", "app.lua:12: option \"listen\" takes 16 values at most");
}

static void development_has_an_access_log_of_its_own(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(bq_config_access_format(c), BQ_ACCESS_OFF);
    accepts(c, "dev", "true");
    assert_int_equal(bq_config_access_format(c), BQ_ACCESS_DEV);
    accepts(c, "access_log", "json");
    assert_int_equal(bq_config_access_format(c), BQ_ACCESS_JSON);
    assert_int_equal(ARGUMENTS(c, &error, "--access-log", "off"), BQ_OK);
    assert_int_equal(bq_config_access_format(c), BQ_ACCESS_OFF);
}

static void networks_are_divided_by_commas_wherever_they_come_from(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_null(bq_config_trust(c).proxies);
    accepts(c, "trust_proxy", "10.0.0.0/8, loopback");
    accepts(c, "trust_proxy", "fd00::/8");
    assert_ptr_equal(bq_config_trust(c).proxies, &c->trust_proxy);
    assert_int_equal(c->trust_proxy.count, 4);
    assert_int_equal(ENVIRONMENT(c, &error, "BARQ_TRUST_PROXY=10.0.0.1,unix"), BQ_OK);
    assert_int_equal(c->trust_proxy.count, 1);
    assert_true(c->trust_proxy.unix_sockets);
    assert_int_equal(ARGUMENTS(c, &error, "--trust-proxy", "unix"), BQ_OK);
    assert_int_equal(c->trust_proxy.count, 0);
    assert_non_null(bq_config_trust(c).proxies);
    accepts(c, "trust_proxy_fields", "forwarded");
    assert_int_equal(bq_config_trust(c).by, BQ_FORWARDED_STANDARD);
}

static void a_wrong_network_is_named_with_the_way_out(void **state)
{
    static const char right[] = "give an address, a network (10.0.0.0/8, fd00::/8: no bits behind "
                                "the prefix), loopback, private or unix";
    static const char *const wrong[][2] = {
        {"loopback,10.0.0.1/8", "10.0.0.1/8"}, {"localhost", "localhost"}, {",", ","}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char expected[512];
        snprintf(expected, sizeof expected,
                 "app.lua:12: option \"trust_proxy\" cannot be \"%s\": %s", wrong[i][1], right);
        refuses(*state, "trust_proxy", wrong[i][0], expected);
    }
}

static void a_proxy_protocol_wants_to_know_whom_to_believe(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_int_equal(bq_config_check(c, &error), BQ_OK);
    accepts(c, "proxy_protocol", "true");
    assert_int_equal(c->proxy_protocol, BQ_PROXY_PROTOCOL_TRUSTED);
    assert_int_equal(bq_config_check(c, &error), BQ_INVALID);
    assert_non_null(strstr(error.text, "\"trust_proxy\""));
    accepts(c, "trust_proxy", "unix");
    assert_int_equal(bq_config_check(c, &error), BQ_OK);
}

static void networks_are_bounded(void **state)
{
    for (int i = 0; i < BQ_NETWORKS_MAX; i++)
        accepts(*state, "trust_proxy", "::/0");
    refuses(*state, "trust_proxy", "::/0",
            "app.lua:12: option \"trust_proxy\" takes 64 networks at most");
}

static void listen_gives_way_to_a_later_host_or_port(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    assert_false(bq_config_uses_listen(c));
    accepts(c, "port", "1");
    accepts(c, "listen", "unix:/a");
    assert_true(bq_config_uses_listen(c));
    assert_int_equal(ARGUMENTS(c, &error, "--port=1"), BQ_OK);
    assert_false(bq_config_uses_listen(c));
}

static void auto_is_a_worker_for_each_processor(void **state)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(bq_config_worker_count(*state), CPU_COUNT(&set));
    accepts(*state, "workers", "7");
    assert_int_equal(bq_config_worker_count(*state), 7);
    accepts(*state, "workers", "auto");
    assert_int_equal(bq_config_worker_count(*state), CPU_COUNT(&set));
}

static void every_option_is_reachable_from_every_origin(void **state)
{
    struct bq_config *c = *state;
    struct bq_config_error error;
    for (size_t i = 0; i < bq_option_count; i++) {
        const struct bq_option *o = &bq_options[i];
        char variable[BQ_OPTION_TEXT_MAX + 64], argument[BQ_OPTION_TEXT_MAX + 64];
        char text[BQ_OPTION_TEXT_MAX];
        const char *value = o->preset ? o->preset : o->type == BQ_OPTION_LIST ? "unix:/a" : "unix";
        accepts(c, o->name, value);
        bq_option_spell(BQ_ORIGIN_ENVIRONMENT, bq_str_cstr(o->name), text);
        snprintf(variable, sizeof variable, "%s=%s", text, value);
        assert_int_equal(ENVIRONMENT(c, &error, variable), BQ_OK);
        assert_int_equal(bq_config_origin(c, o->name), BQ_ORIGIN_ENVIRONMENT);
        bq_option_spell(BQ_ORIGIN_COMMAND_LINE, bq_str_cstr(o->name), text);
        snprintf(argument, sizeof argument, "%s=%s", text, value);
        assert_int_equal(ARGUMENTS(c, &error, argument), BQ_OK);
        assert_int_equal(bq_config_origin(c, o->name), BQ_ORIGIN_COMMAND_LINE);
    }
}

static void changes(const struct bq_config *c, const struct bq_config *anew, const char *wanted)
{
    char names[256];
    size_t count = *wanted ? 1 : 0;
    for (const char *p = wanted; *p; p++)
        count += *p == ',';
    assert_int_equal(bq_config_changes(c, anew, names, sizeof names), count);
    assert_string_equal(names, wanted);
}

static void changes_of_the_applications_settings_are_named(void **state)
{
    struct bq_config *c = *state, anew;
    struct bq_config_error error;
    bq_config_init(&anew);
    changes(c, &anew, "");
    assert_int_equal(set(c, BQ_ORIGIN_APP, "workers", "2", &error), BQ_OK);
    assert_int_equal(set(c, BQ_ORIGIN_APP, "listen", "unix:/a", &error), BQ_OK);
    assert_int_equal(set(c, BQ_ORIGIN_ENVIRONMENT, "host", "::1", &error), BQ_OK);
    changes(c, &anew, "listen, workers");
    accepts(&anew, "workers", "2");
    accepts(&anew, "listen", "unix:/a");
    changes(c, &anew, "");
    accepts(&anew, "listen", "unix:/b");
    accepts(&anew, "host", "127.0.0.2"); /* the environment wins */
    accepts(&anew, "body_max", "2MiB");
    changes(c, &anew, "listen, body_max");
    bq_config_release(&anew);
}

static void changes_of_networks_are_named(void **state)
{
    struct bq_config *c = *state, anew;
    bq_config_init(&anew);
    accepts(c, "trust_proxy", "10.0.0.0/8");
    changes(c, &anew, "trust_proxy");
    accepts(&anew, "trust_proxy", "10.0.0.0/8");
    changes(c, &anew, "");
    accepts(c, "trust_proxy", "192.168.0.0/16");
    accepts(&anew, "trust_proxy", "192.168.0.0/24");
    changes(c, &anew, "trust_proxy");
    bq_config_release(&anew);
}

static void names_of_changes_are_cut_where_there_is_no_room(void **state)
{
    struct bq_config *c = *state, anew;
    char names[10];
    bq_config_init(&anew);
    accepts(c, "port", "1");
    accepts(c, "workers", "2");
    accepts(c, "body_max", "2MiB");
    assert_int_equal(bq_config_changes(c, &anew, names, sizeof names), 3);
    assert_string_equal(names, "port, wor");
    bq_config_release(&anew);
}

static void without_memory_a_text_is_refused(void **state)
{
#ifdef BQ_FAULTS
    struct bq_config_error error;
    char big[9000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = 0;
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(set(*state, BQ_ORIGIN_APP, "host", big, &error), BQ_MEMORY);
    assert_string_equal(error.text, "out of memory");
    equals(((struct bq_config *)*state)->host, "127.0.0.1");
#else
    skip();
#endif
    (void)state;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_manual),
        TEST(later_origins_win_in_any_order),
        TEST(a_losing_value_is_checked_all_the_same),
        TEST(durations_have_units),
        TEST(sizes_have_units),
        TEST(odd_quantities_are_refused),
        TEST(bounds_are_inclusive),
        TEST(words_are_listed_when_one_is_wrong),
        TEST(words_of_log_level_are_those_of_the_log),
        TEST(access_log_takes_true_and_false),
        TEST(booleans_have_the_usual_words),
        TEST(texts_have_no_control_characters),
        TEST(an_unknown_option_suggests_the_nearest),
        TEST(an_unknown_argument_suggests_the_nearest),
        TEST(overlong_names_and_values_are_cut_in_sentences),
        TEST(arguments_take_their_value_behind_a_space_or_an_equals_sign),
        TEST(arguments_that_stand_alone_leave_the_next_word),
        TEST(no_before_a_name_says_false),
        TEST(a_missing_value_says_what_to_give),
        TEST(variables_name_themselves_in_errors),
        TEST(foreign_and_empty_variables_are_left_alone),
        TEST(a_list_grows_within_an_origin_and_is_replaced_by_a_later_one),
        TEST(a_list_is_bounded),
        TEST(development_has_an_access_log_of_its_own),
        TEST(networks_are_divided_by_commas_wherever_they_come_from),
        TEST(a_wrong_network_is_named_with_the_way_out),
        TEST(networks_are_bounded),
        TEST(a_proxy_protocol_wants_to_know_whom_to_believe),
        TEST(listen_gives_way_to_a_later_host_or_port),
        TEST(auto_is_a_worker_for_each_processor),
        TEST(every_option_is_reachable_from_every_origin),
        TEST(changes_of_the_applications_settings_are_named),
        TEST(changes_of_networks_are_named),
        TEST(names_of_changes_are_cut_where_there_is_no_room),
        TEST(without_memory_a_text_is_refused),
    };
    bq_log_set_level(BQ_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
