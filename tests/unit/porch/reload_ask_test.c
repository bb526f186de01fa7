/* reload_ask_test.c: who is not asked; that a server is, and answers, is tested end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rc.h"
#include "reload_ask.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void refuses_number(const char *number)
{
    struct bq_config_error error;
    pid_t pid = 0;
    assert_int_equal(bq_reload_find(number, &pid, &error), BQ_INVALID);
    assert_non_null(strstr(error.text, "is not the number of a process"));
    assert_int_equal(pid, 0);
}

static void what_is_no_number_of_a_process_is_refused(void **state)
{
    static const char *const numbers[] = {"", "0", "-1", "12x", "2147483648", "shop"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        refuses_number(numbers[i]);
    (void)state;
}

static void a_number_is_the_process(void **state)
{
    struct bq_config_error error;
    pid_t pid;
    assert_int_equal(bq_reload_find("2147483647", &pid, &error), BQ_OK);
    assert_int_equal(pid, 2147483647);
    (void)state;
}

static void what_is_not_there_is_not_asked(void **state)
{
    struct bq_config_error error;
    assert_int_equal(bq_reload_ask(2147483647, 1000, &error), BQ_INVALID);
    assert_string_equal(error.text, "there is no process 2147483647");
    (void)state;
}

/* The signal would end it. */
static void another_program_is_not_asked(void **state)
{
    struct bq_config_error error;
    assert_int_equal(bq_reload_ask(getpid(), 1000, &error), BQ_INVALID);
    assert_non_null(strstr(error.text, "no barq-server"));
    (void)state;
}

static void every_outcome_but_success_has_words(void **state)
{
    assert_null(bq_reload_outcome_text(BQ_RELOAD_DONE));
    for (int outcome = 0; outcome <= BQ_RELOAD_BUSY + 1; outcome++)
        if (outcome != BQ_RELOAD_DONE)
            assert_non_null(bq_reload_outcome_text(outcome));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_number_of_a_process_is_refused),
        cmocka_unit_test(a_number_is_the_process),
        cmocka_unit_test(what_is_not_there_is_not_asked),
        cmocka_unit_test(another_program_is_not_asked),
        cmocka_unit_test(every_outcome_but_success_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
