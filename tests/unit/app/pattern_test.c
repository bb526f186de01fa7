/* pattern_test.c: what matches, what is told of a bad pattern, and what a match may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/pattern.h"
#include "base/fault.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* As the only match of a request. */
static bool matches_alone(const struct bq_pattern_re *re, bq_str subject)
{
    uint32_t steps_left = BQ_PATTERN_STEPS_MAX;
    return bq_pattern_matches(re, subject, &steps_left);
}

static bool matches(const char *pattern, bq_str subject)
{
    char error[256];
    struct bq_pattern_re *re = bq_pattern_compile(bq_str_cstr(pattern), error);
    if (!re)
        fail_msg("%s: %s", pattern, error);
    assert_true(bq_str_eq(bq_pattern_text(re), bq_str_cstr(pattern)));
    bool yes = matches_alone(re, subject);
    assert_int_equal(matches_alone(re, subject), yes);
    bq_pattern_free(re);
    return yes;
}

static void expressions_are_found_anywhere_unless_anchored(void **state)
{
    (void)state;
    assert_true(matches("b+", BQ_STR("abbc")));
    assert_true(matches("^a.c$", BQ_STR("abc")));
    assert_false(matches("^b", BQ_STR("abc")));
    assert_true(matches("", BQ_STR("")));
    assert_true(matches("^$", bq_str_of(NULL, 0)));
    assert_true(matches("(a)(b)(c)(d)\\4", BQ_STR("abcdd")));
}

static void the_dollar_is_the_very_end(void **state)
{
    (void)state;
    assert_false(matches("^a$", BQ_STR("a\n")));
    assert_true(matches("(?m)^a$", BQ_STR("b\na")));
}

static void characters_are_those_of_unicode_and_shorthands_are_ascii(void **state)
{
    (void)state;
    assert_true(matches("^.$", BQ_STR("\xe2\x82\xac")));
    assert_true(matches("^\\p{Lu}$", BQ_STR("\xc3\x84")));
    assert_true(matches("^(?i)\xc3\xa4$", BQ_STR("\xc3\x84")));
    assert_false(matches("^\\d$", BQ_STR("\xd9\xa5")));
    assert_false(matches("^\\w$", BQ_STR("\xc3\xa4")));
    assert_true(matches("^a.b$", BQ_STR("a\0b")));
}

static void refuses(bq_str pattern, const char *expected)
{
    char error[256] = "";
    assert_null(bq_pattern_compile(pattern, error));
    assert_string_equal(error, expected);
}

static void a_bad_pattern_is_told_with_its_offset(void **state)
{
    (void)state;
    refuses(BQ_STR("a(b"), "missing closing parenthesis at offset 3");
    refuses(BQ_STR("[z-a]"), "range out of order in character class at offset 3");
    refuses(BQ_STR("*"), "quantifier does not follow a repeatable item at offset 0");
    char error[256] = "";
    assert_null(bq_pattern_compile(BQ_STR("a\xff"), error));
    assert_non_null(strstr(error, "UTF-8 error"));
    assert_null(bq_pattern_compile(BQ_STR("\\C"), error));
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What standard error gets while re meets the subject twice. */
static size_t warned_bytes(struct bq_pattern_re *re, bq_str subject, bool expected)
{
    FILE *catcher = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(catcher);
    dup2(fileno(catcher), STDERR_FILENO);
    bool first = matches_alone(re, subject);
    off_t bytes = lseek(STDERR_FILENO, 0, SEEK_END);
    bool second = matches_alone(re, subject);
    off_t again = lseek(STDERR_FILENO, 0, SEEK_END);
    dup2(kept, STDERR_FILENO);
    close(kept);
    fclose(catcher);
    assert_int_equal(first, expected);
    assert_int_equal(second, expected);
    assert_int_equal(bytes, again);
    return (size_t)bytes;
}

static void a_catastrophe_ends_early_is_no_match_and_is_warned_of_once(void **state)
{
    (void)state;
    char error[256];
    struct bq_pattern_re *re = bq_pattern_compile(BQ_STR("^(a+)+$"), error);
    char subject[64];
    memset(subject, 'a', sizeof subject);
    subject[sizeof subject - 1] = 'b';
    double start = seconds();
    assert_int_not_equal(warned_bytes(re, bq_str_of(subject, sizeof subject), false), 0);
    assert_true(seconds() - start < 2);
    assert_true(matches_alone(re, BQ_STR("aaaa")));
    bq_pattern_free(re);
}

static void all_matches_of_a_request_are_bounded_together(void **state)
{
    (void)state;
    char error[256];
    struct bq_pattern_re *re = bq_pattern_compile(BQ_STR("^(a+)+$"), error);
    bq_str costly = BQ_STR("aaaaaaaaaaaaaaaaaaaaaaaaaab");
    uint32_t steps_left = BQ_PATTERN_STEPS_MAX;
    double start = seconds();
    for (int i = 0; i < 20000; i++)
        assert_false(bq_pattern_matches(re, costly, &steps_left));
    assert_true(seconds() - start < 1);
    assert_true(bq_pattern_matches(re, BQ_STR("aaaa"), &steps_left));
    bq_pattern_free(re);
}

static void a_long_subject_is_within_the_limits(void **state)
{
    (void)state;
    char error[256];
    size_t n = 1 << 20;
    char *subject = malloc(n);
    assert_non_null(subject);
    memset(subject, 'x', n);
    struct bq_pattern_re *re = bq_pattern_compile(BQ_STR("^[a-z]+$"), error);
    assert_int_equal(warned_bytes(re, bq_str_of(subject, n), true), 0);
    bq_pattern_free(re);
    /* More frames than the JIT's stack holds. */
    re = bq_pattern_compile(BQ_STR("^(?:x|y(?=z))+$"), error);
    assert_int_equal(warned_bytes(re, bq_str_of(subject, 5000), true), 0);
    bq_pattern_free(re);
    free(subject);
}

#ifdef BQ_FAULTS
static void every_allocation_may_fail(void **state)
{
    (void)state;
    char error[256] = "";
    long before = bq_mem_live();
    bool failed = true;
    for (long nth = 1; failed && nth < 50; nth++) {
        bq_fault_arm(BQ_FAULT_alloc, nth, false);
        struct bq_pattern_re *re = bq_pattern_compile(BQ_STR("^(a|b)+$"), error);
        failed = bq_fault_hits(BQ_FAULT_alloc) > 0;
        bq_fault_arm(BQ_FAULT_alloc, 0, false);
        assert_true(re || failed);
        if (re) /* it does without what the JIT did not get */
            assert_true(matches_alone(re, BQ_STR("ab")));
        bq_pattern_free(re);
        assert_int_equal(bq_mem_live(), before);
    }
    assert_false(failed);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_are_found_anywhere_unless_anchored),
        cmocka_unit_test(the_dollar_is_the_very_end),
        cmocka_unit_test(characters_are_those_of_unicode_and_shorthands_are_ascii),
        cmocka_unit_test(a_bad_pattern_is_told_with_its_offset),
        cmocka_unit_test(a_catastrophe_ends_early_is_no_match_and_is_warned_of_once),
        cmocka_unit_test(all_matches_of_a_request_are_bounded_together),
        cmocka_unit_test(a_long_subject_is_within_the_limits),
#ifdef BQ_FAULTS
        cmocka_unit_test(every_allocation_may_fail),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
