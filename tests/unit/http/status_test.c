/* status_test.c: status lines and their reasons agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h1_write.h"
#include "http/status.h"

#include <stdio.h>

static void lines_are_made_of_code_and_reason(void **state)
{
    (void)state;
    int registered = 0;
    for (int status = -1; status < 1000; status++) {
        const char *reason = bq_status_reason(status);
        bq_str line = bq_status_line(status);
        char expected[80];
        assert_int_equal(line.n != 0, *reason != '\0');
        if (line.n == 0)
            continue;
        registered++;
        snprintf(expected, sizeof expected, "HTTP/1.1 %d %s\r\n", status, reason);
        assert_true(bq_str_eq(line, bq_str_cstr(expected)));
    }
    assert_int_equal(registered, 62);
}

static void reasons_are_the_registered_ones(void **state)
{
    (void)state;
    assert_string_equal(bq_status_reason(200), "OK");
    assert_string_equal(bq_status_reason(404), "Not Found");
    assert_string_equal(bq_status_reason(413), "Content Too Large");
    assert_string_equal(bq_status_reason(422), "Unprocessable Content");
    assert_string_equal(bq_status_reason(511), "Network Authentication Required");
    assert_string_equal(bq_status_reason(418), "");
    assert_string_equal(bq_status_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_made_of_code_and_reason),
        cmocka_unit_test(reasons_are_the_registered_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
