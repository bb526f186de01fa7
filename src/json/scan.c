/*
 * scan.c: strings and numbers, checked byte by byte where words do not help.
 *
 * Every refusal of the room that is not about structure is made here: escapes, lone
 * surrogates, control characters, bytes that are not UTF-8, malformed numbers.
 */
#include "json/scan.h"

#include "base/rc.h"
#include "base/utf8.h"

bool bq_json_fail_at(struct bq_json_reader *r, const char *p, int rc, const char *reason)
{
    if (r->rc == BQ_OK) {
        r->rc = rc;
        r->error = (struct bq_json_error){(size_t)(p - r->start), reason};
    }
    r->p = r->end;
    return false;
}

bool bq_json_fail(struct bq_json_reader *r)
{
    return bq_json_fail_at(r, r->p, BQ_INVALID,
                           r->p == r->end ? "unexpected end" : "unexpected character");
}

/* --- strings --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = bq_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind "\u". */
static bool scan_hex4(struct bq_json_reader *r, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        int digit = r->p < r->end ? hex_value(*r->p) : -1;
        if (digit < 0)
            return bq_json_fail(r);
        *unit = *unit << 4 | (unsigned)digit;
    }
    return true;
}

/* Behind "\u": one unit of UTF-16, or a surrogate and its other half. */
static bool scan_unicode(struct bq_json_reader *r)
{
    static const char lone[] = "lone surrogate";
    const char *backslash = r->p - 2;
    unsigned unit;
    if (!scan_hex4(r, &unit))
        return false;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit > 0xdbff)
        return bq_json_fail_at(r, backslash, BQ_INVALID, lone);
    for (const char *want = "\\u"; *want; want++)
        if (!bq_json_take(r, *want))
            return r->p < r->end ? bq_json_fail_at(r, backslash, BQ_INVALID, lone)
                                 : bq_json_fail(r);
    if (!scan_hex4(r, &unit))
        return false;
    return (unit >= 0xdc00 && unit <= 0xdfff) || bq_json_fail_at(r, backslash, BQ_INVALID, lone);
}

/* Behind a backslash. */
static bool scan_escape(struct bq_json_reader *r)
{
    char c = bq_json_peek(r);
    if (!c || !strchr("\"\\/bfnrtu", c))
        return bq_json_fail(r);
    r->p++;
    return c != 'u' || scan_unicode(r);
}

static void skip_plain(struct bq_json_reader *r)
{
    uint64_t marks = 0;
    while (!marks && r->end - r->p >= BQ_WORD_BYTES) {
        marks = bq_json_word_marks(bq_json_word_load(r->p));
        r->p += bq_json_word_plain_bytes(marks);
    }
}

/* One character that is not the closing quote. */
static bool scan_character(struct bq_json_reader *r, bool *escaped)
{
    if (r->p == r->end)
        return bq_json_fail(r);
    if ((unsigned char)*r->p < 0x20)
        return bq_json_fail_at(r, r->p, BQ_INVALID, "control character in a string");
    if (*r->p == '\\') {
        *escaped = true;
        r->p++;
        return scan_escape(r);
    }
    size_t n = bq_utf8_length(bq_str_of(r->p, (size_t)(r->end - r->p)));
    if (!n)
        return bq_json_fail_at(r, r->p, BQ_INVALID, "invalid UTF-8");
    r->p += n;
    return true;
}

bool bq_json_scan_special(struct bq_json_reader *r, bool *escaped)
{
    while (!bq_json_take(r, '"')) {
        if (!scan_character(r, escaped))
            return false;
        skip_plain(r);
    }
    return true;
}

/* --- numbers --- */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit at least; *value is taken on by them, modulo 2^64. */
static inline bool scan_digits(struct bq_json_reader *r, uint64_t *value)
{
    const char *p = r->p, *end = r->end;
    uint64_t v = *value;
    for (; p < end && is_digit(*p); p++)
        v = v * 10 + (uint64_t)(*p - '0');
    if (p == r->p)
        return bq_json_fail(r);
    r->p = p;
    *value = v;
    return true;
}

/* Behind "e": its value, cut off where no count of digits can make up for it. */
static bool scan_exponent(struct bq_json_reader *r, int64_t *exponent)
{
    bool negative = bq_json_take(r, '-');
    if (!negative)
        bq_json_take(r, '+');
    if (!is_digit(bq_json_peek(r)))
        return bq_json_fail(r);
    for (; is_digit(bq_json_peek(r)); r->p++)
        if (*exponent < INT64_MAX / 100)
            *exponent = *exponent * 10 + (*r->p - '0');
    if (negative)
        *exponent = -*exponent;
    return true;
}

bool bq_json_scan_number(struct bq_json_reader *r, struct bq_json_digits *d)
{
    d->negative = bq_json_take(r, '-');
    d->first = r->p;
    d->mantissa = 0;
    d->exponent = 0;
    if (!bq_json_take(r, '0') && !scan_digits(r, &d->mantissa))
        return false;
    d->point = r->p;
    if (bq_json_take(r, '.') && !scan_digits(r, &d->mantissa))
        return false;
    d->end = r->p;
    d->whole = d->point == d->end;
    if (bq_json_take(r, 'e') || bq_json_take(r, 'E')) {
        d->whole = false;
        return scan_exponent(r, &d->exponent);
    }
    return true;
}
