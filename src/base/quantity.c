/* quantity.c: decimal numbers with units, in whole numbers only: no rounding surprises. */
#include "base/quantity.h"

#include "base/rc.h"

#include <stdio.h>

struct unit {
    const char *name; /* as printed; letters fold when read */
    uint64_t factor;
};

/* Largest first, each list ends with NULL. "" is what a bare number means. */
static const struct unit duration_units[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"", 1000}, {"ms", 1}, {NULL, 0},
};

static const struct unit size_units[] = {
    {"GiB", 1 << 30}, {"G", 1 << 30},  {"GB", 1 << 30}, {"MiB", 1 << 20},
    {"M", 1 << 20},   {"MB", 1 << 20}, {"KiB", 1024},   {"K", 1024},
    {"KB", 1024},     {"B", 1},        {"", 1},         {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(bq_str s, size_t from)
{
    size_t n = 0;
    while (from + n < s.n && is_digit(s.p[from + n]))
        n++;
    return n;
}

/* factor times 0.digits; beyond nine digits nothing changes. */
static uint64_t fraction_of(bq_str digits, uint64_t factor)
{
    uint64_t value = 0, scale = 1;
    for (size_t i = 0; i < digits.n && i < 9; i++) {
        value = value * 10 + (uint64_t)(digits.p[i] - '0');
        scale *= 10;
    }
    return factor * value / scale;
}

static const struct unit *find_unit(const struct unit *units, bq_str name)
{
    for (; units->name; units++)
        if (bq_str_eq_nocase(name, bq_str_cstr(units->name)))
            return units;
    return NULL;
}

static int read_quantity(bq_str s, const struct unit *units, uint64_t *out)
{
    size_t whole = digits_at(s, 0), part = 0, end = whole;
    if (whole && end < s.n && s.p[end] == '.') {
        part = digits_at(s, end + 1);
        end += 1 + part;
        if (!part)
            return BQ_INVALID;
    }
    const struct unit *unit = find_unit(units, bq_str_of(s.p + end, s.n - end));
    uint64_t n, sum;
    if (!whole || !unit)
        return BQ_INVALID;
    if (bq_str_u64(bq_str_of(s.p, whole), &n) != BQ_OK ||
        __builtin_mul_overflow(n, unit->factor, &sum) ||
        __builtin_add_overflow(sum, fraction_of(bq_str_of(s.p + end - part, part), unit->factor),
                               &sum))
        return BQ_LIMIT;
    *out = sum;
    return BQ_OK;
}

static void print_quantity(uint64_t v, const struct unit *units, char out[BQ_QUANTITY_TEXT_MAX])
{
    while (units->factor > 1 && (v == 0 || v % units->factor != 0))
        units++;
    snprintf(out, BQ_QUANTITY_TEXT_MAX, "%llu%s", (unsigned long long)(v / units->factor),
             units->name);
}

int bq_quantity_ms(bq_str text, uint64_t *ms)
{
    return read_quantity(text, duration_units, ms);
}

int bq_quantity_bytes(bq_str text, uint64_t *bytes)
{
    return read_quantity(text, size_units, bytes);
}

void bq_quantity_ms_text(uint64_t ms, char out[static BQ_QUANTITY_TEXT_MAX])
{
    print_quantity(ms, duration_units, out);
}

void bq_quantity_bytes_text(uint64_t bytes, char out[static BQ_QUANTITY_TEXT_MAX])
{
    print_quantity(bytes, size_units, out);
}
