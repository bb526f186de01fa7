/* access_log_test.c: the formats, and that no client can break out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "access_log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "http/request_id.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1795573913 /* 2026-11-25T02:31:53Z */

static struct bq_ip ip4(void)
{
    struct bq_ip ip;
    bq_ip_parse(&ip, BQ_STR("192.0.2.7"));
    return ip;
}

static struct bq_access_record record(void)
{
    return (struct bq_access_record){
        .ip = ip4(),
        .method = BQ_STR("GET"),
        .target = BQ_STR("/items/1?q=2"),
        .user_agent = BQ_STR("curl/8"),
        .version_minor = 1,
        .status = 200,
        .body_bytes = 31,
        .duration_us = 1000112,
    };
}

static int setup(void **state)
{
    struct bq_access_log *log = bq_alloc_must(sizeof *log);
    bq_access_log_init(log, BQ_ACCESS_TEXT, NULL, 0, NULL);
    *state = log;
    return 0;
}

static int teardown(void **state)
{
    bq_free(*state);
    return 0;
}

static void check(struct bq_access_log *log, enum bq_access_format format,
                  const struct bq_access_record *r, const char *expected)
{
    bq_access_log_init(log, format, NULL, 0, NULL);
    size_t n = bq_access_log_format(log, r, NOW);
    log->line[n] = 0;
    assert_string_equal(log->line, expected);
}

static void text_is_the_combined_format_with_a_duration(void **state)
{
    struct bq_access_record r = record();
    check(*state, BQ_ACCESS_TEXT, &r,
          "192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] \"GET /items/1?q=2 HTTP/1.1\" 200 31 "
          "\"-\" \"curl/8\" 1.000112\n");
}

static void json_is_one_object_a_line(void **state)
{
    struct bq_access_record r = record();
    r.referer = BQ_STR("http://a/");
    check(*state, BQ_ACCESS_JSON, &r,
          "{\"time\":\"2026-11-25T02:31:53Z\",\"ip\":\"192.0.2.7\",\"method\":\"GET\","
          "\"target\":\"/items/1?q=2\",\"version\":\"1.1\",\"status\":200,\"bytes\":31,"
          "\"duration\":1.000112,\"referer\":\"http://a/\",\"user_agent\":\"curl/8\"}\n");
}

static void combined_is_what_apache_writes(void **state)
{
    struct bq_access_record r = record();
    check(*state, BQ_ACCESS_COMBINED, &r,
          "192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] \"GET /items/1?q=2 HTTP/1.1\" 200 31 "
          "\"-\" \"curl/8\"\n");
    r.body_bytes = 0;
    r.ip = (struct bq_ip){.bits = 0};
    check(*state, BQ_ACCESS_COMBINED, &r,
          "- - - [25/Nov/2026:02:31:53 +0000] \"GET /items/1?q=2 HTTP/1.1\" 200 - "
          "\"-\" \"curl/8\"\n");
}

static void ids_are_where_there_are_some(void **state)
{
    struct bq_access_record r = record();
    r.id = BQ_STR("7f3c");
    check(*state, BQ_ACCESS_TEXT, &r,
          "192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] \"GET /items/1?q=2 HTTP/1.1\" 200 31 "
          "\"-\" \"curl/8\" 1.000112 7f3c\n");
    r.trace_id = BQ_STR("0af7651916cd43dd8448eb211c80319c");
    check(*state, BQ_ACCESS_JSON, &r,
          "{\"time\":\"2026-11-25T02:31:53Z\",\"ip\":\"192.0.2.7\",\"method\":\"GET\","
          "\"target\":\"/items/1?q=2\",\"version\":\"1.1\",\"status\":200,\"bytes\":31,"
          "\"duration\":1.000112,\"referer\":null,\"user_agent\":\"curl/8\","
          "\"request_id\":\"7f3c\",\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}\n");
}

static void check_dev(struct bq_access_log *log, bool coloured, const struct bq_access_record *r,
                      const char *expected)
{
    bq_access_log_init(log, BQ_ACCESS_DEV, NULL, 0, NULL);
    log->coloured = coloured;
    log->line[bq_access_log_format(log, r, NOW)] = 0;
    assert_string_equal(log->line, expected);
}

static void dev_is_a_line_in_columns(void **state)
{
    struct bq_access_record r = record();
    check_dev(*state, false, &r, "GET     200 1000.112 ms        31 B  /items/1?q=2\n");
    r.method = BQ_STR("BASELINE-CONTROL");
    r.duration_us = 1;
    r.body_bytes = UINT64_MAX;
    check_dev(*state, false, &r,
              "BASELINE-CONTROL 200    0.001 ms18446744073709551615 B  /items/1?q=2\n");
    r = (struct bq_access_record){.status = 400, .body_bytes = 12};
    check_dev(*state, false, &r, "-       400    0.000 ms        12 B  -\n");
}

static void dev_has_colours_by_the_class_of_the_status(void **state)
{
    static const struct {
        int status;
        const char *colour;
    } cases[] = {{204, "32"}, {301, "36"}, {422, "33"}, {500, "31"}, {599, "31"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[256];
        struct bq_access_record r = record();
        r.status = cases[i].status;
        snprintf(expected, sizeof expected,
                 "\x1b[1mGET    \x1b[0m \x1b[%sm%d\x1b[0m\x1b[2m 1000.112 ms        31 B\x1b[0m  "
                 "/items/1?q=2\n",
                 cases[i].colour, cases[i].status);
        check_dev(*state, true, &r, expected);
    }
}

static void dev_lets_no_client_drive_the_terminal(void **state)
{
    struct bq_access_record r = record();
    r.target = BQ_STR("/\x1b[31m\xc2\x9b");
    check_dev(*state, true, &r,
              "\x1b[1mGET    \x1b[0m \x1b[32m200\x1b[0m\x1b[2m 1000.112 ms        31 B\x1b[0m  "
              "/\\x1b[31m\\xc2\\x9b\n");
}

static void colours_are_for_terminals_that_want_them(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), file = open("/dev/null", O_WRONLY);
    (void)state;
    unsetenv("NO_COLOR");
    assert_true(terminal >= 0 && bq_access_log_may_colour(terminal));
    assert_false(bq_access_log_may_colour(file));
    setenv("NO_COLOR", "", 1);
    assert_true(bq_access_log_may_colour(terminal));
    setenv("NO_COLOR", "1", 1);
    assert_false(bq_access_log_may_colour(terminal));
    unsetenv("NO_COLOR");
    close(terminal);
    close(file);
}

static void an_unreadable_request_has_no_request_line(void **state)
{
    struct bq_access_record r = {.ip = ip4(), .status = 400, .body_bytes = 12};
    check(*state, BQ_ACCESS_TEXT, &r,
          "192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] \"-\" 400 12 \"-\" \"-\" 0.000000\n");
    check(*state, BQ_ACCESS_JSON, &r,
          "{\"time\":\"2026-11-25T02:31:53Z\",\"ip\":\"192.0.2.7\",\"method\":null,"
          "\"target\":null,\"version\":\"1.0\",\"status\":400,\"bytes\":12,"
          "\"duration\":0.000000,\"referer\":null,\"user_agent\":null}\n");
}

static void a_unix_peer_is_called_unix(void **state)
{
    struct bq_access_record r = record();
    r.ip = (struct bq_ip){.bits = 0};
    struct bq_access_log *log = *state;
    bq_access_log_format(log, &r, NOW);
    assert_memory_equal(log->line, "unix - - [", 10);
}

static void text_escapes_what_could_forge_a_line(void **state)
{
    struct bq_access_record r = record();
    r.user_agent = BQ_STR("a\"b\\c\r\n\x1b[0m\x7f\xff");
    check(*state, BQ_ACCESS_TEXT, &r,
          "192.0.2.7 - - [25/Nov/2026:02:31:53 +0000] \"GET /items/1?q=2 HTTP/1.1\" 200 31 "
          "\"-\" \"a\\x22b\\x5cc\\x0d\\x0a\\x1b[0m\\x7f\\xff\" 1.000112\n");
}

static void check_json_agent(struct bq_access_log *log, bq_str agent, const char *expected)
{
    char end[256];
    struct bq_access_record r = record();
    r.user_agent = agent;
    bq_access_log_init(log, BQ_ACCESS_JSON, NULL, 0, NULL);
    size_t n = bq_access_log_format(log, &r, NOW);
    int len = snprintf(end, sizeof end, "\"user_agent\":\"%s\"}\n", expected);
    assert_true(n > (size_t)len);
    assert_memory_equal(log->line + n - len, end, (size_t)len);
}

static void json_escapes_quotes_and_controls(void **state)
{
    check_json_agent(*state, BQ_STR("a\"b\\c\r\n\x1b\x7f"),
                     "a\\\"b\\\\c\\u000d\\u000a\\u001b\\u007f");
}

static void json_keeps_utf8_but_not_its_controls(void **state)
{
    check_json_agent(*state, BQ_STR("caf\xc3\xa9 \xc2\x9b \xc2\xa0"),
                     "caf\xc3\xa9 \\u009b \xc2\xa0");
}

static void json_replaces_invalid_utf8(void **state)
{
    check_json_agent(*state, BQ_STR("a\xff\xc3"), "a\\ufffd\\ufffd");
}

static void longest_texts_of_the_worst_bytes_fit(void **state)
{
    struct bq_ip ip = {.bits = 128};
    memset(ip.bytes, 0xab, sizeof ip.bytes);
    size_t n = 3 * BQ_ACCESS_FIELD_BYTES_MAX;
    char *bytes = bq_alloc_must(n);
    memset(bytes, 1, n);
    bq_str s = bq_str_of(bytes, n);
    char name[BQ_REQUEST_ID_BYTES_MAX];
    memset(name, 'a', sizeof name);
    struct bq_access_record r = {.ip = ip,
                                 .method = s,
                                 .target = s,
                                 .referer = s,
                                 .user_agent = s,
                                 .id = bq_str_of(name, sizeof name),
                                 .trace_id = bq_str_of(name, 32),
                                 .version_minor = 255,
                                 .status = -1,
                                 .body_bytes = UINT64_MAX,
                                 .duration_us = UINT64_MAX};
    struct bq_access_log *log = *state;
    assert_in_range(bq_access_log_format(log, &r, NOW), 4 * 4 * BQ_ACCESS_FIELD_BYTES_MAX,
                    sizeof log->line);
    bq_access_log_init(log, BQ_ACCESS_JSON, NULL, 0, NULL);
    assert_in_range(bq_access_log_format(log, &r, NOW), 4 * 6 * BQ_ACCESS_FIELD_BYTES_MAX,
                    sizeof log->line);
    bq_free(bytes);
}

static void a_long_text_is_cut_between_characters(void **state)
{
    struct bq_access_log *log = *state;
    struct bq_access_record r = record();
    char target[BQ_ACCESS_FIELD_BYTES_MAX + 8];
    memset(target, 'a', sizeof target);
    memcpy(target + BQ_ACCESS_FIELD_BYTES_MAX - 1, "\xc3\xa9", 2);
    r.target = bq_str_of(target, sizeof target);
    bq_access_log_init(log, BQ_ACCESS_JSON, NULL, 0, NULL);
    size_t n = bq_access_log_format(log, &r, NOW);
    log->line[n] = 0;
    assert_true(bq_utf8_valid(bq_str_of(log->line, n)));
    assert_non_null(strstr(log->line, "aaa...\",\"version\""));
}

static void the_date_moves_on_with_the_second(void **state)
{
    struct bq_access_log *log = *state;
    struct bq_access_record r = record();
    bq_access_log_format(log, &r, NOW);
    size_t n = bq_access_log_format(log, &r, NOW + 7);
    log->line[n] = 0;
    assert_non_null(strstr(log->line, "[25/Nov/2026:02:32:00 +0000]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_is_the_combined_format_with_a_duration, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(json_is_one_object_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(combined_is_what_apache_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_are_where_there_are_some, setup, teardown),
        cmocka_unit_test_setup_teardown(dev_is_a_line_in_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(dev_has_colours_by_the_class_of_the_status, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(dev_lets_no_client_drive_the_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(colours_are_for_terminals_that_want_them, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unreadable_request_has_no_request_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_unix_peer_is_called_unix, setup, teardown),
        cmocka_unit_test_setup_teardown(text_escapes_what_could_forge_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(json_escapes_quotes_and_controls, setup, teardown),
        cmocka_unit_test_setup_teardown(json_keeps_utf8_but_not_its_controls, setup, teardown),
        cmocka_unit_test_setup_teardown(json_replaces_invalid_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(longest_texts_of_the_worst_bytes_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_text_is_cut_between_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(the_date_moves_on_with_the_second, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
