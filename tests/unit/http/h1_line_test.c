/* h1_line_test.c: request lines and the registry of methods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "http/h1_line.h"

static void a_line_is_taken_apart_by_lengths(void **state)
{
    (void)state;
    struct bq_h1_line line;
    bq_str text = BQ_STR("DELETE /a?b HTTP/1.0");
    assert_int_equal(bq_h1_line_read(text, &line).status, 0);
    assert_int_equal(line.method, BQ_DELETE);
    assert_int_equal(line.method_n, 6);
    assert_int_equal(line.target_n, 4);
    assert_int_equal(line.version_minor, 0);
    assert_false(line.foreign);
}

static void what_llhttp_cannot_read_is_foreign(void **state)
{
    (void)state;
    struct bq_h1_line line;
    assert_int_equal(bq_h1_line_read(BQ_STR("LOCK / HTTP/1.1"), &line).status, 0);
    assert_int_equal(line.method, BQ_METHOD_OTHER);
    assert_true(line.foreign);
    assert_int_equal(bq_h1_line_read(BQ_STR("GET /0123456\xe9 HTTP/1.1"), &line).status, 0);
    assert_true(line.foreign);
}

static void faults_have_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"", 400},
        {" ", 400},
        {"GET", 400},
        {"GET ", 400},
        {"GET /", 400},
        {"GET HTTP/1.1", 400},
        {"GET  HTTP/1.1", 400},
        {" / HTTP/1.1", 400},
        {"GET / HTTP/1.1 ", 400},
        {"GET / HTTP/1,1", 400},
        {"GET / HTTP/x.1", 400},
        {"GET / HTTP/1.x", 400},
        {"GET / Http/1.1", 400},
        {"GET /HTTP/1.1", 400},
        {"GET / HTTP/0.9", 400},
        {"GET / HTTP/1.2", 505},
        {"NEVER / HTTP/2.0", 505},
        {"NEVER / HTTP/1.1", 501},
        {"post / HTTP/1.1", 501},
        {"CONNECT a:1 HTTP/1.1", 501},
    };
    struct bq_h1_line line;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bq_refusal refusal = bq_h1_line_read(bq_str_cstr(cases[i].line), &line);
        assert_int_equal(refusal.status, cases[i].status);
        assert_non_null(refusal.reason);
    }
}

static void registered_methods_are_found_in_their_letter_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum bq_method method;
    } cases[] = {
        {"GET", BQ_GET},
        {"HEAD", BQ_HEAD},
        {"POST", BQ_POST},
        {"PUT", BQ_PUT},
        {"PATCH", BQ_PATCH},
        {"DELETE", BQ_DELETE},
        {"OPTIONS", BQ_OPTIONS},
        {"ACL", BQ_METHOD_OTHER},
        {"TRACE", BQ_METHOD_OTHER},
        {"VERSION-CONTROL", BQ_METHOD_OTHER},
        {"PROPFIND", BQ_METHOD_OTHER},
        {"CONNECT", BQ_METHOD_OTHER},
    };
    enum bq_method method;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(bq_method_find(bq_str_cstr(cases[i].name), &method), BQ_OK);
        assert_int_equal(method, cases[i].method);
    }
    static const char *const unknown[] = {"", "G", "GE", "GETS", "get", "PRI", "*", "Propfind"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(bq_method_find(bq_str_cstr(unknown[i]), &method), BQ_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_taken_apart_by_lengths),
        cmocka_unit_test(what_llhttp_cannot_read_is_foreign),
        cmocka_unit_test(faults_have_their_status),
        cmocka_unit_test(registered_methods_are_found_in_their_letter_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
