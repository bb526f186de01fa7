/* option_test.c: rows of the table read, describe and spell themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "option.h"

#include <stdio.h>

static const struct bq_option *option(const char *name)
{
    const struct bq_option *o = bq_option_find(bq_str_cstr(name));
    assert_non_null(o);
    return o;
}

static bool reads(const char *name, const char *text, uint64_t *number)
{
    struct bq_option_value value = {UINT64_MAX, {NULL, 0}};
    bool ok = bq_option_read(option(name), bq_str_cstr(text), &value);
    *number = value.number;
    return ok;
}

static void a_name_is_found_only_whole(void **state)
{
    assert_string_equal(option("port")->name, "port");
    assert_null(bq_option_find(BQ_STR("por")));
    assert_null(bq_option_find(BQ_STR("ports")));
    assert_null(bq_option_find(BQ_STR("")));
    assert_null(bq_option_find(BQ_STR("PORT")));
    (void)state;
}

static void names_differ_and_fit_their_spelling(void **state)
{
    for (size_t i = 0; i < bq_option_count; i++) {
        assert_ptr_equal(bq_option_find(bq_str_cstr(bq_options[i].name)), &bq_options[i]);
        assert_in_range(strlen(bq_options[i].name), 3, 24);
    }
    (void)state;
}

static void numbers_keep_to_their_bounds(void **state)
{
    uint64_t n;
    assert_true(reads("port", "65535", &n));
    assert_int_equal(n, 65535);
    assert_false(reads("port", "65536", &n));
    assert_false(reads("port", "-1", &n));
    assert_true(reads("head_timeout", "24h", &n));
    assert_false(reads("head_timeout", "25h", &n));
    assert_false(reads("head_timeout", "0", &n));
    (void)state;
}

static void a_word_stands_for_zero_where_zero_is_out_of_bounds(void **state)
{
    uint64_t n;
    assert_true(reads("workers", "auto", &n));
    assert_int_equal(n, 0);
    assert_false(reads("workers", "0", &n));
    assert_false(reads("port", "auto", &n));
    (void)state;
}

static void words_are_read_as_their_index(void **state)
{
    uint64_t n;
    assert_true(reads("access_log", "json", &n));
    assert_int_equal(n, BQ_ACCESS_JSON);
    assert_true(reads("access_log", "true", &n));
    assert_int_equal(n, BQ_ACCESS_TEXT);
    assert_false(reads("log_level", "true", &n));
    assert_false(reads("log_level", "INFO", &n));
    (void)state;
}

static void every_type_says_what_is_right(void **state)
{
    static const char *const cases[][2] = {
        {"port", "a whole number from 0 to 65535"},
        {"workers", "auto or a whole number from 1 to 1024"},
        {"head_timeout", "a duration (30, 0.5, 500ms, 2m) from 1ms to 24h"},
        {"head_max", "a size (4096, 16k, 1MiB) from 256B to 16MiB"},
        {"access_log", "one of off, text, combined, json, dev"},
        {"dev", "true or false"},
        {"host", "text without control characters"},
        {"listen", "text without control characters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[BQ_OPTION_TEXT_MAX];
        bq_option_describe(option(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
    }
    (void)state;
}

static void a_name_is_spelled_as_its_origin_does(void **state)
{
    char text[BQ_OPTION_TEXT_MAX];
    bq_option_spell(BQ_ORIGIN_APP, BQ_STR("body_max"), text);
    assert_string_equal(text, "body_max");
    bq_option_spell(BQ_ORIGIN_ENVIRONMENT, BQ_STR("body_max"), text);
    assert_string_equal(text, "BARQ_BODY_MAX");
    bq_option_spell(BQ_ORIGIN_COMMAND_LINE, BQ_STR("body_max"), text);
    assert_string_equal(text, "--body-max");
    (void)state;
}

static void a_suggestion_is_spelled_as_its_origin_does(void **state)
{
    char text[BQ_OPTION_TEXT_MAX];
    bq_option_suggest(BQ_ORIGIN_ENVIRONMENT, BQ_STR("body_mx"), text);
    assert_string_equal(text, "did you mean \"BARQ_BODY_MAX\"?");
    bq_option_suggest(BQ_ORIGIN_APP, BQ_STR("zebra"), text);
    assert_string_equal(text, "barq-server --help lists the options");
    (void)state;
}

static void help_shows_every_option_in_a_line(void **state)
{
    char text[8192], name[BQ_OPTION_TEXT_MAX];
    size_t lines = 0;
    FILE *f = fmemopen(text, sizeof text, "w");
    bq_options_print(f);
    fclose(f);
    for (size_t i = 0; i < bq_option_count; i++) {
        bq_option_spell(BQ_ORIGIN_COMMAND_LINE, bq_str_cstr(bq_options[i].name), name);
        assert_non_null(strstr(text, name));
    }
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
        assert_in_range(end - line, 20, 110);
    assert_int_equal(lines, bq_option_count);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_found_only_whole),
        cmocka_unit_test(names_differ_and_fit_their_spelling),
        cmocka_unit_test(numbers_keep_to_their_bounds),
        cmocka_unit_test(a_word_stands_for_zero_where_zero_is_out_of_bounds),
        cmocka_unit_test(words_are_read_as_their_index),
        cmocka_unit_test(every_type_says_what_is_right),
        cmocka_unit_test(a_name_is_spelled_as_its_origin_does),
        cmocka_unit_test(a_suggestion_is_spelled_as_its_origin_does),
        cmocka_unit_test(help_shows_every_option_in_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
