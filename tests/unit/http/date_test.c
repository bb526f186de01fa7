/* date_test.c: IMF-fixdate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/h1_write.h"

#include <locale.h>

static void expect_date(int64_t t, const char *text)
{
    char date[BQ_DATE_BYTES + 1];
    date[BQ_DATE_BYTES] = '!';
    bq_date_format((time_t)t, date);
    assert_memory_equal(date, text, BQ_DATE_BYTES);
    assert_int_equal(date[BQ_DATE_BYTES], '!');
}

static void dates_are_as_in_the_rfc(void **state)
{
    (void)state;
    expect_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT");
    expect_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
    expect_date(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
    expect_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
    expect_date(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
}

static void every_month_and_weekday_has_its_name(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 366; day++) {
        char ours[BQ_DATE_BYTES], theirs[BQ_DATE_BYTES + 1];
        time_t t = (time_t)(1704067200 + day * 86400 + day);
        struct tm tm;
        bq_date_format(t, ours);
        strftime(theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
        assert_memory_equal(ours, theirs, BQ_DATE_BYTES);
    }
}

static void times_that_the_format_cannot_say_are_clamped(void **state)
{
    (void)state;
    expect_date(INT64_C(253402300800), "Fri, 31 Dec 9999 23:59:59 GMT");
    expect_date(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    expect_date(INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT");
}

int main(void)
{
    setlocale(LC_ALL, "C");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_as_in_the_rfc),
        cmocka_unit_test(every_month_and_weekday_has_its_name),
        cmocka_unit_test(times_that_the_format_cannot_say_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
