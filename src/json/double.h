/*
 * double.h: the shortest decimal that reads back as a double.
 */
#ifndef BQ_JSON_DOUBLE_H
#define BQ_JSON_DOUBLE_H

#include <stdint.h>

/* digits * 10^exponent; digits does not end in a zero and has 1 to 17 of them. */
struct bq_decimal {
    uint64_t digits;
    int exponent;
};

/* Takes: v > 0, finite. Gives: of all decimals that round to v (half to even) one with the fewest
 * digits, and of these the one nearest to v. (R. Giulietti, "The Schubfach way to render
 * doubles", 2021.) */
struct bq_decimal bq_double_shortest(double v);

#endif
