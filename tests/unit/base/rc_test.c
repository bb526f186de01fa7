/* rc_test.c: every code has its own phrase. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"

static void every_code_has_a_phrase_of_its_own(void **state)
{
    (void)state;
    for (int a = BQ_CONFLICT; a <= BQ_OK; a++) {
        assert_string_not_equal(bq_rc_text(a), "unknown error");
        for (int b = a + 1; b <= BQ_OK; b++)
            assert_string_not_equal(bq_rc_text(a), bq_rc_text(b));
    }
}

static void a_foreign_code_has_a_phrase_too(void **state)
{
    (void)state;
    assert_string_equal(bq_rc_text(1), "unknown error");
    assert_string_equal(bq_rc_text(-1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_phrase_of_its_own),
        cmocka_unit_test(a_foreign_code_has_a_phrase_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
