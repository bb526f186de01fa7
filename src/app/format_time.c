/*
 * format_time.c: date, time and datetime by RFC 3339, over a calendar that knows its months.
 *
 * Text is taken from the front of a view piece by piece. Stricter than the RFC's syntax where its
 * prose is (section 5.7: days by month and leap year, leap seconds only where they can be).
 */
#include "app/format_rules.h"

#define DAY_MINUTES (24 * 60)

static const char *const no_such_day = "there is no such day";
static const char *const no_such_time = "hours go to 23, minutes and seconds to 59";
static const char *const no_leap_second =
    "a second 60 is only at 23:59 UTC on the last day of a month";

struct clock_time {
    int hour, minute, second;
    int offset; /* minutes east of UTC */
    bool has_offset;
};

struct calendar_day {
    int year, month, day;
};

static void drop(bq_str *rest, size_t n)
{
    rest->p += n;
    rest->n -= n;
}

/* Letters of the RFC's grammar stand for either case. */
static bool take(bq_str *rest, char c)
{
    if (!rest->n || bq_lower(*rest->p) != c)
        return false;
    drop(rest, 1);
    return true;
}

/* Exactly n digits. */
static bool take_number(bq_str *rest, size_t n, int *value)
{
    if (rest->n < n)
        return false;
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!bq_format_digit(rest->p[i]))
            return false;
        *value = *value * 10 + (rest->p[i] - '0');
    }
    drop(rest, n);
    return true;
}

static int month_days(const struct calendar_day *d)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    return d->month == 2 && leap ? 29 : days[d->month - 1];
}

static const char *take_date(bq_str *rest, struct calendar_day *d)
{
    if (!take_number(rest, 4, &d->year) || !take(rest, '-') || !take_number(rest, 2, &d->month) ||
        !take(rest, '-') || !take_number(rest, 2, &d->day))
        return "it should start with YYYY-MM-DD";
    if (d->month < 1 || d->month > 12 || d->day < 1 || d->day > month_days(d))
        return no_such_day;
    return NULL;
}

/* "." and at least one digit, or nothing. */
static bool take_fraction(bq_str *rest)
{
    if (!take(rest, '.'))
        return true;
    size_t n = 0;
    while (n < rest->n && bq_format_digit(rest->p[n]))
        n++;
    drop(rest, n);
    return n > 0;
}

/* "Z" or ±HH:MM, or nothing. */
static const char *take_offset(bq_str *rest, struct clock_time *t)
{
    int hours, minutes, sign = 1;
    t->has_offset = rest->n > 0;
    if (!rest->n || take(rest, 'z'))
        return NULL;
    if (take(rest, '-'))
        sign = -1;
    else if (!take(rest, '+'))
        return "the offset should be Z or like +01:00";
    if (!take_number(rest, 2, &hours) || !take(rest, ':') || !take_number(rest, 2, &minutes))
        return "the offset should be Z or like +01:00";
    if (hours > 23 || minutes > 59)
        return "the offset goes to 23:59";
    t->offset = sign * (hours * 60 + minutes);
    return NULL;
}

static const char *take_time(bq_str *rest, struct clock_time *t)
{
    *t = (struct clock_time){0};
    if (!take_number(rest, 2, &t->hour) || !take(rest, ':') || !take_number(rest, 2, &t->minute) ||
        !take(rest, ':') || !take_number(rest, 2, &t->second))
        return "the time should be like HH:MM:SS";
    if (t->hour > 23 || t->minute > 59 || t->second > 60)
        return no_such_time;
    if (!take_fraction(rest))
        return "there should be digits after the point";
    return take_offset(rest, t);
}

/* Since the start of the local day; negative or above a day where UTC has another date. */
static int utc_minutes(const struct clock_time *t)
{
    return t->hour * 60 + t->minute - t->offset;
}

static bool may_leap(const struct clock_time *t)
{
    return (utc_minutes(t) + 2 * DAY_MINUTES) % DAY_MINUTES == DAY_MINUTES - 1;
}

static bool may_leap_on(const struct clock_time *t, const struct calendar_day *d)
{
    int minutes = utc_minutes(t);
    int day = d->day + (minutes < 0 ? -1 : minutes >= DAY_MINUTES ? 1 : 0);
    return may_leap(t) && (day == 0 || day == month_days(d)); /* 0: the last one before */
}

const char *bq_format_date(bq_str text)
{
    struct calendar_day d;
    const char *fault = take_date(&text, &d);
    if (fault)
        return fault;
    return text.n ? "there is something behind the day" : NULL;
}

const char *bq_format_time(bq_str text)
{
    struct clock_time t;
    const char *fault = take_time(&text, &t);
    if (fault)
        return fault;
    if (text.n)
        return "there is something behind the time";
    return t.second == 60 && !may_leap(&t) ? no_leap_second : NULL;
}

const char *bq_format_datetime(bq_str text)
{
    struct calendar_day d;
    struct clock_time t;
    const char *fault = take_date(&text, &d);
    if (fault)
        return fault;
    if (!take(&text, 't'))
        return "there should be a T between date and time";
    fault = take_time(&text, &t);
    if (fault)
        return fault;
    if (text.n)
        return "there is something behind the time";
    if (!t.has_offset)
        return "there should be an offset, Z or like +01:00, at the end";
    return t.second == 60 && !may_leap_on(&t, &d) ? no_leap_second : NULL;
}
