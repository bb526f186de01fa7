/*
 * double.c: doubles to their shortest decimals, exactly, in three multiplications.
 *
 * A double v = c * 2^q owns the numbers nearer to it than to its neighbours. Scaled by a power of
 * ten to where that interval is one to ten units wide, it holds a whole number, and at most one
 * multiple of ten, which is the shorter answer if it is there. So two candidates at each of two
 * scales are all that there is to try: the pigeonholes of Giulietti's name for it, Schubfach.
 *
 * Scaling takes 128 bits of the power of ten. What the product loses is kept in its last bit
 * ("rounded to odd"), which the paper shows to be enough for every comparison.
 */
#include "json/double.h"

#include "json/double_powers.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1075 /* of an integer significand */

typedef unsigned __int128 uint128;

/* The interval of v in quarters of a unit at scale 10^k. */
struct interval {
    uint64_t low, value, high; /* the least and the greatest quarters that are inside */
    int k;
};

/* The next three are exact for the exponents of doubles; >> rounds down. */
static int log2_of_power_of_ten(int e)
{
    return (e * 1741647) >> 19;
}

static int log10_of_power_of_two(int e)
{
    return (e * 1262611) >> 22;
}

static int log10_of_three_quarters(int e)
{
    return (e * 1262611 - 524031) >> 22; /* of 3/4 * 2^e */
}

/* power * n / 2^128, its last bit set if there is a remainder. The powers are rounded up, by
 * less than one: a remainder of one is none. */
static uint64_t scale(const struct power *power, uint64_t n)
{
    uint64_t carry = (uint64_t)((uint128)power->low * n >> 64);
    uint128 product = (uint128)power->high * n + carry;
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/* Of c * 2^q. A power of two has its lower neighbour at half the distance (near). */
static struct interval interval_of(uint64_t c, int q, bool near)
{
    struct interval i = {.k = near ? log10_of_three_quarters(q) : log10_of_power_of_two(q)};
    int shift = q + log2_of_power_of_ten(-i.k) + 1;
    assert(-i.k >= POWER_MIN && -i.k <= POWER_MAX && shift > 0 && shift < 8);
    const struct power *power = &powers[-i.k - POWER_MIN];
    uint64_t odd = c & 1; /* the ends round to an even neighbour */
    i.low = scale(power, (4 * c - 2 + near) << shift) + odd;
    i.value = scale(power, 4 * c << shift);
    i.high = scale(power, (4 * c + 2) << shift) - odd;
    return i;
}

static struct bq_decimal shortest_in(struct interval i)
{
    uint64_t units = i.value / 4;
    uint64_t tens = units / 10;
    bool below = i.low <= 40 * tens;
    bool above = 40 * tens + 40 <= i.high;
    if (tens && below != above)
        return (struct bq_decimal){tens + above, i.k + 1};
    below = i.low <= 4 * units;
    above = 4 * units + 4 <= i.high;
    if (below == above) { /* the nearer one, the even one halfway */
        uint64_t middle = 4 * units + 2;
        above = i.value > middle || (i.value == middle && units % 2);
    }
    return (struct bq_decimal){units + above, i.k};
}

static struct bq_decimal without_zeros(struct bq_decimal d)
{
    while (d.digits % 100000000 == 0) {
        d.digits /= 100000000;
        d.exponent += 8;
    }
    static const unsigned powers_of_ten[] = {10000, 100, 10};
    for (int i = 0, n = 4; i < 3; i++, n /= 2)
        if (d.digits % powers_of_ten[i] == 0) {
            d.digits /= powers_of_ten[i];
            d.exponent += n;
        }
    return d;
}

struct bq_decimal bq_double_shortest(double v)
{
    assert(v > 0 && isfinite(v));
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1);
    int exponent = (int)(bits >> FRACTION_BITS);
    if (exponent == 0)
        return without_zeros(shortest_in(interval_of(fraction, 1 - EXPONENT_BIAS, false)));
    uint64_t c = fraction | (uint64_t)1 << FRACTION_BITS;
    bool near = fraction == 0 && exponent > 1;
    return without_zeros(shortest_in(interval_of(c, exponent - EXPONENT_BIAS, near)));
}
