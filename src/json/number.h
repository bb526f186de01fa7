/*
 * number.h: a JSON number's digits and the double that they stand for; private to the room.
 */
#ifndef BQ_JSON_NUMBER_H
#define BQ_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The mantissa's digits as they stand in the text, well formed. */
struct bq_json_digits {
    const char *first; /* behind the sign */
    const char *point; /* or end */
    const char *end;
    uint64_t mantissa; /* all digits, the point left out, modulo 2^64 */
    int64_t exponent;  /* as written */
    bool negative;
    bool whole; /* written without fraction and exponent */
};

/* Up to as many digits the mantissa is exact. */
#define BQ_JSON_MANTISSA_DIGITS_MAX 19

/* Up to as many digits it is a double as well, and each power is one that could be needed. */
#define BQ_JSON_SHORT_DIGITS_MAX 15
#define BQ_JSON_POWER_MAX        22

/* 1 to 10^22, exactly. */
extern const double bq_json_powers[BQ_JSON_POWER_MAX + 1];

/* The nearest double, ties to even; infinity beyond the range. Linear in the digits,
 * allocates nothing, does not depend on the locale. */
double bq_json_digits_value(const struct bq_json_digits *d);

/* Whether the value might be infinite; false is certain. */
static inline bool bq_json_digits_large(const struct bq_json_digits *d)
{
    return (d->point - d->first) + d->exponent > 308;
}

#endif
