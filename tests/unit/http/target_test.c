/* target_test.c: targets in their four forms, and hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "http/target.h"

static void expect_parts(enum bq_method method, const char *target, const char *path,
                         const char *query, const char *host)
{
    struct bq_request r = {.method = method, .target = bq_str_cstr(target), .host = BQ_STR("old")};
    assert_int_equal(bq_target_parse(&r), BQ_OK);
    assert_true(bq_str_eq(r.path, bq_str_cstr(path)));
    assert_int_equal(r.query.p != NULL, query != NULL);
    assert_true(bq_str_eq(r.query, bq_str_cstr(query ? query : "")));
    assert_true(bq_str_eq(r.host, bq_str_cstr(host)));
}

static void the_origin_form_splits_at_the_first_question_mark(void **state)
{
    (void)state;
    expect_parts(BQ_GET, "/", "/", NULL, "old");
    expect_parts(BQ_GET, "/a/b", "/a/b", NULL, "old");
    expect_parts(BQ_GET, "/a?", "/a", "", "old");
    expect_parts(BQ_GET, "/a?b?c", "/a", "b?c", "old");
    expect_parts(BQ_GET, "//a/../b", "//a/../b", NULL, "old");
    expect_parts(BQ_GET, "/%2F%zz", "/%2F%zz", NULL, "old");
}

static void characters_beyond_the_grammar_that_browsers_send_pass(void **state)
{
    (void)state;
    expect_parts(BQ_GET, "/|^{}`\"<>[]\\\xc3\xbc", "/|^{}`\"<>[]\\\xc3\xbc", NULL, "old");
}

static void the_absolute_form_brings_its_host(void **state)
{
    (void)state;
    expect_parts(BQ_GET, "http://h:80/a?b", "/a", "b", "h:80");
    expect_parts(BQ_GET, "HTTPS://h", "/", NULL, "h");
    expect_parts(BQ_GET, "http://h?q", "/", "q", "h");
    expect_parts(BQ_GET, "http://[::1]:8/", "/", NULL, "[::1]:8");
    expect_parts(BQ_OPTIONS, "http://h", "*", NULL, "h");
    expect_parts(BQ_OPTIONS, "http://h?q", "/", "q", "h");
}

static void the_asterisk_form_is_for_options(void **state)
{
    (void)state;
    expect_parts(BQ_OPTIONS, "*", "*", NULL, "old");
    struct bq_request r = {.method = BQ_GET, .target = BQ_STR("*")};
    assert_int_equal(bq_target_parse(&r), BQ_INVALID);
}

static void other_targets_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "a",        "h:80",        "?q",           "**",           "*/",
        "/a b",       "/a\t",     "/\x01",       "/\x7f",        "/a#b",         "#",
        "http:",      "http:/",   "http://",     "http:///a",    "http://:80",   "http://u@h/",
        "http://h:x", "ftp://h/", "file:///a",   "//h\n",        "http://[::1/", "http://a b",
        "httpx://a",  "http//a",  "http://h\\a", "http://u:p@h", "mailto:a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bq_request r = {.method = BQ_OPTIONS, .target = bq_str_cstr(bad[i])};
        assert_int_equal(bq_target_parse(&r), BQ_INVALID);
    }
    struct bq_request nul = {.method = BQ_GET, .target = BQ_STR("/a\0b")};
    assert_int_equal(bq_target_parse(&nul), BQ_INVALID);
}

static void hosts_are_names_or_addresses_with_a_port(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "a",
        "a.b",
        "a:",
        "a:0",
        "a:65535",
        "127.0.0.1:8",
        "999.1",
        "a_b-c~",
        "a%20b",
        "a!$&'()*+,;=",
        "[::]",
        "[::1]",
        "[1::]",
        "[1:2:3:4:5:6:7:8]:80",
        "[1:2:3:4:5:6:7::]",
        "[::2:3:4:5:6:7:8]",
        "[::ffff:127.0.0.1]",
        "[1:2:3:4:5:6:1.2.3.4]",
        "[fe80::ABCD:1]",
        "xn--bcher-kva.example",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!bq_host_valid(bq_str_cstr(good[i])))
            fail_msg("refused \"%s\"", good[i]);
}

static void nothing_else_is_a_host(void **state)
{
    (void)state;
    static const char *const bad[] = {
        " ",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "a@b",
        "u:p@h",
        "a:b",
        "a:-1",
        "a:+1",
        "a:65536",
        "a:000001",
        "a:1:2",
        "a%",
        "a%2",
        "a%g0",
        "a\\b",
        "\"a\"",
        "a<b>",
        "[",
        "[]",
        "[:]",
        "[:::]",
        "[1]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]80",
        "[::1]:x",
        "[1::2::3]",
        "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]",
        "[1:2:3:4:5:6:7:8::]",
        "[12345::]",
        "[g::]",
        "[::1.2.3]",
        "[::1.2.3.256]",
        "[::01.2.3.4]",
        "[1.2.3.4::]",
        "[::1.2.3.4:5]",
        "[fe80::1%25eth0]",
        "[v1.a]",
        "[1:]",
        "[:1]",
        "\xc3\xa9",
        "a\x01",
        "a\x7f",
        "[::1.2.3.4.5]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (bq_host_valid(bq_str_cstr(bad[i])))
            fail_msg("accepted \"%s\"", bad[i]);
    assert_false(bq_host_valid(BQ_STR("a\0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_origin_form_splits_at_the_first_question_mark),
        cmocka_unit_test(characters_beyond_the_grammar_that_browsers_send_pass),
        cmocka_unit_test(the_absolute_form_brings_its_host),
        cmocka_unit_test(the_asterisk_form_is_for_options),
        cmocka_unit_test(other_targets_are_refused),
        cmocka_unit_test(hosts_are_names_or_addresses_with_a_port),
        cmocka_unit_test(nothing_else_is_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
