/*
 * number.c: digits to the nearest double.
 *
 * Most numbers are a mantissa below 2^53 and a power of ten up to 10^22: both are doubles,
 * so one division or multiplication, rounded once, is the answer (Clinger, "How to read
 * floating point numbers accurately", 1990). The others go to strtod in a canonical form
 * of bounded length, which has no decimal point and so no locale.
 */
#include "json/number.h"

#include "base/banned.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* A number halfway between two doubles has at most 767 digits that are not 0; what comes
 * behind these only counts as being there. */
#define DIGITS_MAX 770

/* Beyond any that 770 digits could bring back. */
#define EXPONENT_MAX 9999

const double bq_json_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The digits as an integer and the power of ten that goes with it, for strtod. */
static double slow_value(const struct bq_json_digits *d)
{
    char text[DIGITS_MAX + sizeof "1e-9999"];
    size_t n = 0;
    bool more = false;
    int64_t exponent = d->exponent;
    for (const char *p = d->first; p < d->end; p++) {
        if (*p == '.')
            continue;
        exponent -= p > d->point;
        if (n == 0 && *p == '0')
            continue;
        if (n < DIGITS_MAX) {
            text[n++] = *p;
            continue;
        }
        more |= *p != '0';
        exponent++;
    }
    if (n == 0)
        return 0;
    if (more) {
        text[n++] = '1';
        exponent--;
    }
    exponent = exponent > EXPONENT_MAX    ? EXPONENT_MAX
               : exponent < -EXPONENT_MAX ? -EXPONENT_MAX
                                          : exponent;
    snprintf(text + n, sizeof text - n, "e%d", (int)exponent);
    return strtod(text, NULL);
}

static double magnitude(const struct bq_json_digits *d)
{
    int64_t digits = d->end - d->first, exponent = d->exponent;
    if (d->point < d->end) {
        digits--;
        exponent -= d->end - d->point - 1;
    }
    if (digits > BQ_JSON_MANTISSA_DIGITS_MAX)
        return slow_value(d);
    double mantissa = (double)d->mantissa;
    if (exponent == 0 || d->mantissa == 0)
        return mantissa;
    if (d->mantissa > 1ull << 53 || exponent > BQ_JSON_POWER_MAX || exponent < -BQ_JSON_POWER_MAX)
        return slow_value(d);
    return exponent < 0 ? mantissa / bq_json_powers[-exponent]
                        : mantissa * bq_json_powers[exponent];
}

double bq_json_digits_value(const struct bq_json_digits *d)
{
    double v = magnitude(d);
    return d->negative ? -v : v;
}
