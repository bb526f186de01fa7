/*
 * check.c: the grammar of RFC 8259 over bytes, in one pass and without recursion.
 *
 * Stands between a request's body and lua-cjson, which reads hexadecimal numbers,
 * passes bytes that are not UTF-8 and turns 1e400 into infinity. Open arrays and
 * objects are one bit each. Whether a number is beyond a double's range is decided on
 * its digits: neither a copy nor strtod is needed, however long it is.
 *
 *   value ── scalar, [], {} ──► after ── ',' ──► value (in an object: a name first)
 *     ▲                           │
 *     └──── '[' or '{' name ':' ──┘ ']' or '}': after again, until nothing is open
 */
#include "json/check.h"

#include "base/rc.h"
#include "base/utf8.h"
#include "json/word.h"

#include <assert.h>

struct scan {
    const char *start;
    const char *p;
    const char *end;
    const char *reason;
    unsigned depth;
    unsigned depth_max;
    uint64_t objects[BQ_JSON_DEPTH_MAX / 64]; /* bit d: what is open at depth d is an object */
};

static int fail_at(struct scan *s, const char *p, const char *reason)
{
    s->p = p;
    s->reason = reason;
    return BQ_INVALID;
}

/* The byte at p does not belong there, or there is none. */
static int fail(struct scan *s)
{
    return fail_at(s, s->p, s->p == s->end ? "unexpected end" : "unexpected character");
}

/* The next byte, or 0 at the end. A NUL in the text belongs nowhere either. */
static char peek(const struct scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static bool skip(struct scan *s, char c)
{
    if (peek(s) != c)
        return false;
    s->p++;
    return true;
}

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
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
static int check_hex4(struct scan *s, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, s->p++) {
        int digit = s->p < s->end ? hex_value(*s->p) : -1;
        if (digit < 0)
            return fail(s);
        *unit = *unit << 4 | (unsigned)digit;
    }
    return BQ_OK;
}

/* Behind "\u": one unit of UTF-16, or a surrogate and its other half. */
static int check_unicode(struct scan *s)
{
    const char *backslash = s->p - 2;
    unsigned unit;
    int rc = check_hex4(s, &unit);
    if (rc != BQ_OK || unit < 0xd800 || unit > 0xdfff)
        return rc;
    if (unit > 0xdbff)
        return fail_at(s, backslash, "lone surrogate");
    if (s->p < s->end && *s->p != '\\')
        return fail_at(s, backslash, "lone surrogate");
    if (!skip(s, '\\'))
        return fail(s);
    if (s->p < s->end && *s->p != 'u')
        return fail_at(s, backslash, "lone surrogate");
    if (!skip(s, 'u'))
        return fail(s);
    rc = check_hex4(s, &unit);
    if (rc == BQ_OK && (unit < 0xdc00 || unit > 0xdfff))
        return fail_at(s, backslash, "lone surrogate");
    return rc;
}

/* Behind a backslash. */
static int check_escape(struct scan *s)
{
    char c = peek(s);
    if (!c || !strchr("\"\\/bfnrtu", c))
        return fail(s);
    s->p++;
    return c == 'u' ? check_unicode(s) : BQ_OK;
}

static void skip_plain(struct scan *s)
{
    uint64_t marks = 0;
    while (!marks && s->end - s->p >= BQ_WORD_BYTES) {
        marks = bq_json_word_marks(bq_json_word_load(s->p));
        s->p += bq_json_word_plain_bytes(marks);
    }
}

/* Behind the opening quote. */
static int check_string(struct scan *s)
{
    for (;;) {
        skip_plain(s);
        if (s->p == s->end)
            return fail(s);
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            s->p++;
            return BQ_OK;
        }
        if (c < 0x20)
            return fail_at(s, s->p, "control character in a string");
        if (c == '\\') {
            s->p++;
            int rc = check_escape(s);
            if (rc != BQ_OK)
                return rc;
            continue;
        }
        size_t n = bq_utf8_length(bq_str_of(s->p, (size_t)(s->end - s->p)));
        if (!n)
            return fail_at(s, s->p, "invalid UTF-8");
        s->p += n;
    }
}

/* --- numbers --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit at least. */
static int check_digits(struct scan *s)
{
    if (!is_digit(peek(s)))
        return fail(s);
    while (is_digit(peek(s)))
        s->p++;
    return BQ_OK;
}

/* Behind "e": its value, cut off where no count of digits can make up for it. */
static int check_exponent(struct scan *s, int64_t *exponent)
{
    bool negative = skip(s, '-');
    if (!negative)
        skip(s, '+');
    const char *digits = s->p;
    int rc = check_digits(s);
    if (rc != BQ_OK)
        return rc;
    for (; digits < s->p; digits++)
        if (*exponent < INT64_MAX / 100)
            *exponent = *exponent * 10 + (*digits - '0');
    if (negative)
        *exponent = -*exponent;
    return BQ_OK;
}

/* Half a step above the largest double, 2^1024 - 2^970, has 309 digits: from here on
 * rounding gives infinity (to nearest, and the tie to even). */
static const char overflow_digits[] =
    "1797693134862315807937289714053034150799341327100378269361737789804449682927647509466490"
    "1797758720709633028641669288791094655554785194040263065748867150582068190890200070838367"
    "6273854845817711531764475730270069855571366959622842914819860834936475292719074168444365"
    "510704342711559699508093042880177904174497792";
#define OVERFLOW_DIGITS (sizeof overflow_digits - 1)

/* Whether the digits in [p, end), a point among them, the first not 0, are at least the
 * overflow's when both are read as d.ddd… */
static bool digits_overflow(const char *p, const char *end)
{
    size_t i = 0;
    for (; p < end && i < OVERFLOW_DIGITS; p++) {
        if (*p == '.')
            continue;
        if (*p != overflow_digits[i])
            return *p > overflow_digits[i];
        i++;
    }
    return i == OVERFLOW_DIGITS; /* a shorter one, equal so far, lacks the rest */
}

/* Whether the mantissa's digits in [p, end), with the point there (or at end), times
 * 10^exponent are beyond a double's range. */
static bool out_of_range(const char *p, const char *end, const char *point, int64_t exponent)
{
    while (p < end && (*p == '0' || *p == '.'))
        p++;
    if (p == end)
        return false;
    /* The first digit that counts stands for 10^magnitude. */
    int64_t magnitude = exponent + (p < point ? point - p - 1 : point - p);
    int64_t limit = (int64_t)OVERFLOW_DIGITS - 1;
    return magnitude > limit || (magnitude == limit && digits_overflow(p, end));
}

static int check_number(struct scan *s)
{
    const char *first = s->p;
    int64_t exponent = 0;
    int rc = BQ_OK;
    skip(s, '-');
    const char *digits = s->p;
    if (!skip(s, '0'))
        rc = check_digits(s);
    const char *point = s->p;
    if (rc == BQ_OK && skip(s, '.'))
        rc = check_digits(s);
    const char *end = s->p;
    if (rc == BQ_OK && (skip(s, 'e') || skip(s, 'E')))
        rc = check_exponent(s, &exponent);
    if (rc == BQ_OK && out_of_range(digits, end, point, exponent))
        return fail_at(s, first, "number out of range");
    return rc;
}

/* --- the structure --- */

static int check_literal(struct scan *s, const char *word)
{
    for (; *word; word++)
        if (!skip(s, *word))
            return fail(s);
    return BQ_OK;
}

static bool in_object(const struct scan *s)
{
    unsigned bit = s->depth - 1;
    return s->objects[bit / 64] >> (bit % 64) & 1;
}

static int check_name(struct scan *s)
{
    skip_space(s);
    if (!skip(s, '"'))
        return fail(s);
    int rc = check_string(s);
    if (rc != BQ_OK)
        return rc;
    skip_space(s);
    return skip(s, ':') ? BQ_OK : fail(s);
}

/* At '[' or '{'; *opened when a value must follow, not when it is empty. */
static int check_open(struct scan *s, bool *opened)
{
    bool object = *s->p == '{';
    if (s->depth == s->depth_max) {
        fail_at(s, s->p, "nested too deeply");
        return BQ_LIMIT;
    }
    s->p++;
    skip_space(s);
    if (skip(s, object ? '}' : ']'))
        return BQ_OK;
    uint64_t bit = 1ull << (s->depth % 64);
    uint64_t *word = &s->objects[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    *opened = true;
    return object ? check_name(s) : BQ_OK;
}

static int check_value(struct scan *s, bool *opened)
{
    *opened = false;
    skip_space(s);
    switch (peek(s)) {
    case '[':
    case '{':
        return check_open(s, opened);
    case '"':
        s->p++;
        return check_string(s);
    case 't':
        return check_literal(s, "true");
    case 'f':
        return check_literal(s, "false");
    case 'n':
        return check_literal(s, "null");
    case '-':
        return check_number(s);
    default:
        return is_digit(peek(s)) ? check_number(s) : fail(s);
    }
}

/* Behind a value: closes what ends here; *more when a comma asks for another. */
static int check_after(struct scan *s, bool *more)
{
    *more = false;
    while (s->depth) {
        skip_space(s);
        bool object = in_object(s);
        if (skip(s, ',')) {
            *more = true;
            return object ? check_name(s) : BQ_OK;
        }
        if (!skip(s, object ? '}' : ']'))
            return fail(s);
        s->depth--;
    }
    return BQ_OK;
}

static int check_text(struct scan *s)
{
    bool more = true;
    while (more) {
        int rc = check_value(s, &more);
        if (rc == BQ_OK && !more)
            rc = check_after(s, &more);
        if (rc != BQ_OK)
            return rc;
    }
    skip_space(s);
    return s->p == s->end ? BQ_OK : fail(s);
}

int bq_json_check(bq_str text, unsigned depth_max, struct bq_json_error *error)
{
    assert(depth_max <= BQ_JSON_DEPTH_MAX);
    struct scan s = {.start = text.p, .p = text.p, .end = text.p + text.n, .depth_max = depth_max};
    int rc = check_text(&s);
    if (rc != BQ_OK)
        *error = (struct bq_json_error){(size_t)(s.p - s.start), s.reason};
    return rc;
}
