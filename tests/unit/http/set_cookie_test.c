/* set_cookie_test.c: what a Set-Cookie field says, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "base/rc.h"
#include "http/decode.h"

/* Stands for 0 where 0 stands for "left out". */
#define ZERO        INT64_MAX
#define COOKIE(...) (&(struct bq_set_cookie){__VA_ARGS__})

/* The cookie "n" unless named, and without the times that are 0. */
static struct bq_set_cookie completed(const struct bq_set_cookie *c)
{
    struct bq_set_cookie full = *c;
    if (!full.name.p)
        full.name = BQ_STR("n");
    full.max_age_s = c->max_age_s == ZERO ? 0 : c->max_age_s ? c->max_age_s : INT64_MIN;
    full.expires_s = c->expires_s == ZERO ? 0 : c->expires_s ? c->expires_s : INT64_MIN;
    return full;
}

static int write_cookie(struct bq_buf *b, const struct bq_set_cookie *c, const char **why)
{
    struct bq_set_cookie full = completed(c);
    return bq_set_cookie_write(b, &full, why);
}

static void expect_text(const struct bq_set_cookie *c, const char *text)
{
    struct bq_buf b = BQ_BUF_INIT;
    const char *why = NULL;
    assert_int_equal(write_cookie(&b, c, &why), BQ_OK);
    assert_true(bq_str_eq(bq_buf_str(&b), bq_str_cstr(text)));
    assert_null(why);
    bq_buf_release(&b);
}

static void expect_fault(const struct bq_set_cookie *c, const char *word)
{
    struct bq_buf b = BQ_BUF_INIT;
    const char *why = NULL;
    assert_int_equal(write_cookie(&b, c, &why), BQ_INVALID);
    assert_non_null(why);
    assert_non_null(strstr(why, word));
    assert_int_equal(bq_buf_size(&b), 0);
    bq_buf_release(&b);
}

static void attributes_are_written_only_if_given(void **state)
{
    (void)state;
    expect_text(COOKIE(.value = BQ_STR("v")), "n=v");
    expect_text(COOKIE(.value = BQ_STR("")), "n=");
    expect_text(COOKIE(.max_age_s = ZERO), "n=; Max-Age=0");
    expect_text(COOKIE(.max_age_s = -INT64_MAX), "n=; Max-Age=-9223372036854775807");
    expect_text(COOKIE(.expires_s = 784111777), "n=; Expires=Sun, 06 Nov 1994 08:49:37 GMT");
    expect_text(COOKIE(.same_site = BQ_SAME_SITE_LAX), "n=; SameSite=Lax");
    expect_text(COOKIE(.same_site = BQ_SAME_SITE_STRICT), "n=; SameSite=Strict");
    expect_text(COOKIE(.http_only = true), "n=; HttpOnly");
}

static void all_attributes_fit_together(void **state)
{
    (void)state;
    expect_text(COOKIE(.value = BQ_STR("v"), .path = BQ_STR("/a b"), .domain = BQ_STR("x.org"),
                       .max_age_s = 60, .expires_s = ZERO, .secure = true, .http_only = true,
                       .partitioned = true, .same_site = BQ_SAME_SITE_NONE),
                "n=v; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=x.org; Path=/a b; "
                "SameSite=None; Secure; HttpOnly; Partitioned");
}

static void names_and_values_keep_to_their_grammar(void **state)
{
    (void)state;
    expect_fault(COOKIE(.name = BQ_STR("")), "name");
    expect_fault(COOKIE(.name = BQ_STR("a b")), "name");
    expect_fault(COOKIE(.name = BQ_STR("a=b")), "name");
    expect_fault(COOKIE(.value = BQ_STR("a;b")), "value");
    expect_fault(COOKIE(.value = BQ_STR("a b")), "value");
    expect_fault(COOKIE(.value = BQ_STR("a,b")), "value");
    expect_fault(COOKIE(.value = BQ_STR("\"a\"")), "value");
    expect_fault(COOKIE(.value = BQ_STR("a\\b")), "value");
    expect_fault(COOKIE(.value = BQ_STR("a\r\nb")), "value");
    expect_fault(COOKIE(.value = BQ_STR("\xc3\xa9")), "value");
}

static void paths_and_domains_cannot_add_attributes(void **state)
{
    (void)state;
    expect_fault(COOKIE(.path = BQ_STR("/; Domain=evil")), "path");
    expect_fault(COOKIE(.path = BQ_STR("/\r\nX: y")), "path");
    expect_fault(COOKIE(.domain = BQ_STR("a;b")), "domain");
    expect_fault(COOKIE(.domain = BQ_STR("a\0b")), "domain");
}

static void sizes_that_browsers_drop_are_refused(void **state)
{
    (void)state;
    static char long_text[4097];
    memset(long_text, 'x', sizeof long_text);
    struct bq_buf b = BQ_BUF_INIT;
    const char *why;
    assert_int_equal(write_cookie(&b, COOKIE(.value = bq_str_of(long_text, 4095)), &why), BQ_OK);
    bq_buf_release(&b);
    expect_fault(COOKIE(.value = bq_str_of(long_text, 4096)), "4096");
    expect_fault(COOKIE(.path = bq_str_of(long_text, 1025)), "path");
    expect_fault(COOKIE(.domain = bq_str_of(long_text, 1025)), "domain");
}

static void promises_need_what_they_promise(void **state)
{
    (void)state;
    bq_str host = BQ_STR("__Host-a"), root = BQ_STR("/");
    expect_fault(COOKIE(.same_site = BQ_SAME_SITE_NONE), "SameSite");
    expect_fault(COOKIE(.partitioned = true), "Partitioned");
    expect_fault(COOKIE(.name = BQ_STR("__Secure-a")), "__Secure-");
    expect_fault(COOKIE(.name = BQ_STR("__SECURE-a")), "__Secure-");
    expect_text(COOKIE(.name = BQ_STR("__Secure-a"), .secure = true), "__Secure-a=; Secure");
    expect_fault(COOKIE(.name = host, .path = root), "__Host-");
    expect_fault(COOKIE(.name = host, .secure = true), "__Host-");
    expect_fault(COOKIE(.name = host, .secure = true, .path = BQ_STR("/a")), "__Host-");
    expect_fault(COOKIE(.name = host, .secure = true, .path = root, .domain = BQ_STR("a")),
                 "__Host-");
    expect_text(COOKIE(.name = host, .secure = true, .path = root), "__Host-a=; Path=/; Secure");
}

static void expiries_have_four_digit_years(void **state)
{
    (void)state;
    expect_text(COOKIE(.expires_s = INT64_C(253402300799)),
                "n=; Expires=Fri, 31 Dec 9999 23:59:59 GMT");
    expect_fault(COOKIE(.expires_s = INT64_C(253402300800)), "9999");
    expect_fault(COOKIE(.expires_s = INT64_C(-11644473601)), "1601");
}

#ifdef BQ_FAULTS
static void a_failing_allocation_is_told(void **state)
{
    (void)state;
    struct bq_buf b = BQ_BUF_INIT;
    const char *why;
    bq_fault_arm(BQ_FAULT_alloc, 1, false);
    assert_int_equal(write_cookie(&b, COOKIE(.value = BQ_STR("v")), &why), BQ_MEMORY);
    bq_fault_arm(BQ_FAULT_alloc, 0, false);
    assert_int_equal(bq_buf_size(&b), 0);
    bq_buf_release(&b);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_are_written_only_if_given),
        cmocka_unit_test(all_attributes_fit_together),
        cmocka_unit_test(names_and_values_keep_to_their_grammar),
        cmocka_unit_test(paths_and_domains_cannot_add_attributes),
        cmocka_unit_test(sizes_that_browsers_drop_are_refused),
        cmocka_unit_test(promises_need_what_they_promise),
        cmocka_unit_test(expiries_have_four_digit_years),
#ifdef BQ_FAULTS
        cmocka_unit_test(a_failing_allocation_is_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
