/*
 * write.h: scalars and strings as JSON text (RFC 8259), without Lua.
 */
#ifndef BQ_JSON_WRITE_H
#define BQ_JSON_WRITE_H

#include "base/buf.h"
#include "base/rc.h"

#include <math.h>
#include <stdint.h>

/* Appends s quoted. Escaped are the quote, the backslash and control characters
 * (RFC 8259, section 7), nothing else; s must be valid UTF-8.
 * Fails: BQ_INVALID (not UTF-8; out is as before), BQ_MEMORY. */
int bq_json_write_string(struct bq_buf *out, bq_str s);

/* Appends `before`, the name as a string, and a colon. Fails: like it. */
int bq_json_write_name(struct bq_buf *out, char before, bq_str name);

/* Like bq_json_write_string, but bytes that are not UTF-8 become U+FFFD: for logs. */
int bq_json_write_lossy(struct bq_buf *out, bq_str s);

/* Appends any bytes as a string in base64 with padding (RFC 4648, section 4).
 * Fails: BQ_MEMORY. */
int bq_json_write_base64(struct bq_buf *out, bq_str bytes);

/* Appends a number by the fewest significant digits that read back as the same double, in the
 * form that RFC 8785 gives it (no exponent from 1e-6 up to 1e21), except for -0, which stays.
 * Fails: BQ_INVALID (NaN or infinite), BQ_MEMORY. */
static inline int bq_json_write_number(struct bq_buf *out, double v);

/* --- inline, since numbers are half of what is sent --- */

#define BQ_JSON_NUMBER_BYTES_MAX  26 /* "-0.00000" and 17 digits */
#define BQ_JSON_SMALL_INTEGER_END 10000

/* For bq_json_write_number: whatever is not small. */
int bq_json_write_other_number(struct bq_buf *out, double v);

/* Writes four bytes, of which the first count: gives how many. The digits are found two by two in
 * one word, which begins, as in memory, with the first of them (word.h). */
static inline size_t bq_json_put_small_integer(char *to, uint32_t u)
{
    uint32_t pairs = u / 100 | u % 100 << 16;
    uint32_t tens = pairs * 103 >> 10 & 0x000f000f; /* right below 100 */
    uint32_t digits = tens | (pairs - tens * 10) << 8;
    unsigned zeros = (unsigned)__builtin_ctz(digits | 1u << 24) / 8;
    digits = (digits | 0x30303030) >> (8 * zeros);
    memcpy(to, &digits, sizeof digits);
    return 4 - zeros;
}

/* Numbers below 10,000 are most of those that are sent: positions, counts, prices. */
static inline int bq_json_write_number(struct bq_buf *out, double v)
{
    if (!(v >= 0 && v < BQ_JSON_SMALL_INTEGER_END && (uint32_t)v == v && !signbit(v)))
        return bq_json_write_other_number(out, v);
    if (bq_buf_reserve(out, BQ_JSON_NUMBER_BYTES_MAX) != BQ_OK)
        return BQ_MEMORY;
    out->len += bq_json_put_small_integer(out->data + out->len, (uint32_t)v);
    return BQ_OK;
}

#endif
