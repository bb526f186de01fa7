/* nearest_test.c: which names are near enough to be suggested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nearest.h"

static const char *nearest(const char *wanted)
{
    static const char *const names[] = {"host", "port", "head_max", "body_max", "backlog"};
    struct bq_nearest n;
    bq_nearest_init(&n, bq_str_cstr(wanted));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        bq_nearest_offer(&n, names[i]);
    return n.best;
}

static void a_letter_too_many_or_too_few_is_near(void **state)
{
    assert_string_equal(nearest("por"), "port");
    assert_string_equal(nearest("portt"), "port");
    assert_string_equal(nearest("bodymax"), "body_max");
    (void)state;
}

static void two_letters_exchanged_are_one_mistake(void **state)
{
    assert_string_equal(nearest("prot"), "port");
    assert_string_equal(nearest("hsot"), "host");
    (void)state;
}

static void letter_case_does_not_count(void **state)
{
    assert_string_equal(nearest("PORT"), "port");
    (void)state;
}

static void the_nearest_of_several_wins(void **state)
{
    assert_string_equal(nearest("bead_max"), "head_max");
    assert_string_equal(nearest("bodi_max"), "body_max");
    (void)state;
}

static void what_is_far_from_all_has_no_nearest(void **state)
{
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_null(nearest("colour"));
    assert_null(nearest(""));
    assert_null(nearest("xy"));
    assert_null(nearest(longest));
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_too_many_or_too_few_is_near),
        cmocka_unit_test(two_letters_exchanged_are_one_mistake),
        cmocka_unit_test(letter_case_does_not_count),
        cmocka_unit_test(the_nearest_of_several_wins),
        cmocka_unit_test(what_is_far_from_all_has_no_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
