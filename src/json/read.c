/*
 * read.c: the tokens of a JSON text, for the caller who walks it.
 *
 * Stands between a request's body and what is built from it. The grammar of RFC 8259 is
 * here once: reading decodes strings and numbers, passing over (which bq_json_check is made
 * of) only checks them. The caller's own walk remembers what is open; where the reader
 * walks alone, in bq_json_skip, that takes one bit for each level.
 */
#include "json/read.h"

#include "base/rc.h"
#include "json/scan.h"

#include <assert.h>
#include <math.h>

/* READ decodes into reader->string and reader->number, PASS leaves them as they are. Each
 * function that takes one is compiled twice. */
enum purpose { READ, PASS };

#define FOR_BOTH static inline __attribute__((always_inline))

void bq_json_reader_init(struct bq_json_reader *r, bq_str text, unsigned depth_max,
                         struct bq_buf *scratch)
{
    assert(depth_max <= BQ_JSON_DEPTH_MAX);
    const char *start = text.p ? text.p : "";
    r->start = r->p = start;
    r->end = start + text.n;
    r->scratch = scratch;
    r->depth = 0;
    r->depth_max = depth_max;
    r->first = false;
    r->rc = BQ_OK;
    r->error = (struct bq_json_error){0, NULL};
}

/* --- strings --- */

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

static uint32_t hex4(const char *p)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        unit = unit << 4 | ((c & 0xfu) + (c > '9' ? 9 : 0));
    }
    return unit;
}

/* p is at the backslash; gives the place behind the escape. */
static const char *decode_escape(const char *p, char **to)
{
    static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
    if (p[1] != 'u') {
        const char *at = strchr(from, p[1]);
        *(*to)++ = at ? into[at - from] : p[1];
        return p + 2;
    }
    uint32_t c = hex4(p + 2);
    bool pair = c >= 0xd800 && c <= 0xdfff;
    if (pair)
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(p + 8) - 0xdc00);
    *to = put_utf8(*to, c);
    return p + (pair ? 12 : 6);
}

/* A string that the scan has accepted; no escape is shorter than what it stands for. */
static __attribute__((noinline)) bool decode_string(struct bq_json_reader *r, bq_str raw)
{
    bq_buf_reset(r->scratch);
    if (bq_buf_reserve(r->scratch, raw.n) != BQ_OK)
        return bq_json_fail_at(r, raw.p, BQ_MEMORY, "not enough memory");
    const char *p = raw.p, *end = raw.p + raw.n;
    char *to = r->scratch->data;
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((backslash ? backslash : end) - p);
        memcpy(to, p, n);
        to += n;
        p = backslash ? decode_escape(backslash, &to) : end;
    }
    r->scratch->len = (size_t)(to - r->scratch->data);
    r->string = bq_buf_str(r->scratch);
    return true;
}

/* Behind the opening quote. */
FOR_BOTH bool take_string(struct bq_json_reader *r, enum purpose purpose)
{
    bool escaped;
    const char *start = r->p;
    if (!bq_json_scan_string(r, &escaped))
        return false;
    if (purpose == PASS)
        return true;
    r->string = bq_str_of(start, (size_t)(r->p - 1 - start));
    return !escaped || decode_string(r, r->string);
}

/* --- scalars --- */

/* |INT64_MIN| is one above INT64_MAX. */
static void set_whole(struct bq_json_number *number, const struct bq_json_digits *d)
{
    uint64_t limit = (uint64_t)INT64_MAX + d->negative;
    number->is_whole =
        d->whole && d->end - d->first <= BQ_JSON_MANTISSA_DIGITS_MAX && d->mantissa <= limit;
    if (number->is_whole)
        number->whole = (int64_t)(d->negative ? 0 - d->mantissa : d->mantissa);
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What most numbers are: no sign, few digits, perhaps a point among them, no exponent. False: it is
 * another one, or none, and nothing was taken. */
static inline bool take_short_number(struct bq_json_reader *r)
{
    const char *start = r->p, *p = start, *end = r->end;
    uint64_t mantissa = 0;
    int decimals = 0;
    for (; p < end && is_digit(*p); p++)
        mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    if (p - start > 1 && *start == '0')
        return false;
    if (p < end && *p == '.') {
        const char *point = p;
        while (++p < end && is_digit(*p))
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
        decimals = (int)(p - point - 1);
        if (decimals == 0)
            return false;
    }
    if (p - start > BQ_JSON_SHORT_DIGITS_MAX || p == start || (p < end && (*p | 0x20) == 'e'))
        return false;
    r->p = p;
    r->number.text = bq_str_of(start, (size_t)(p - start));
    r->number.is_whole = decimals == 0;
    r->number.whole = (int64_t)mantissa;
    r->number.value = (double)mantissa;
    if (decimals)
        r->number.value /= bq_json_powers[decimals];
    return true;
}

FOR_BOTH enum bq_json_token take_any_number(struct bq_json_reader *r, enum purpose purpose)
{
    const char *start = r->p;
    struct bq_json_digits digits;
    if (!bq_json_scan_number(r, &digits))
        return BQ_JSON_ERROR;
    double value =
        purpose == READ || bq_json_digits_large(&digits) ? bq_json_digits_value(&digits) : 0;
    if (isinf(value)) {
        bq_json_fail_at(r, start, BQ_INVALID, "number out of range");
        return BQ_JSON_ERROR;
    }
    if (purpose == READ) {
        r->number.text = bq_str_of(start, (size_t)(r->p - start));
        r->number.value = value;
        set_whole(&r->number, &digits);
    }
    return BQ_JSON_NUMBER;
}

static __attribute__((noinline)) enum bq_json_token read_any_number(struct bq_json_reader *r)
{
    return take_any_number(r, READ);
}

FOR_BOTH enum bq_json_token take_number(struct bq_json_reader *r, enum purpose purpose)
{
    if (purpose == PASS)
        return take_any_number(r, PASS);
    return take_short_number(r) ? BQ_JSON_NUMBER : read_any_number(r);
}

static __attribute__((noinline)) enum bq_json_token
take_literal(struct bq_json_reader *r, bq_str word, enum bq_json_token token)
{
    if ((size_t)(r->end - r->p) >= word.n && memcmp(r->p, word.p, word.n) == 0) {
        r->p += word.n;
        return token;
    }
    while (bq_json_take(r, *word.p))
        word.p++;
    bq_json_fail(r);
    return BQ_JSON_ERROR;
}

/* --- the structure --- */

/* At the bracket. */
static enum bq_json_token enter(struct bq_json_reader *r, enum bq_json_token token)
{
    if (r->depth == r->depth_max) {
        bq_json_fail_at(r, r->p, BQ_LIMIT, "nested too deeply");
        return BQ_JSON_ERROR;
    }
    r->p++;
    r->depth++;
    r->first = true;
    return token;
}

/* At the closing bracket. */
static inline void leave(struct bq_json_reader *r)
{
    assert(r->depth > 0);
    r->p++;
    r->depth--;
    r->first = false;
}

FOR_BOTH enum bq_json_token take_value(struct bq_json_reader *r, enum purpose purpose)
{
    bq_json_skip_space(r);
    switch (bq_json_peek(r)) {
    case '"':
        r->p++;
        return take_string(r, purpose) ? BQ_JSON_STRING : BQ_JSON_ERROR;
    case '-':
    case '0' ... '9':
        return take_number(r, purpose);
    case '{':
        return enter(r, BQ_JSON_OBJECT);
    case '[':
        return enter(r, BQ_JSON_ARRAY);
    case 't':
        return take_literal(r, BQ_STR("true"), BQ_JSON_TRUE);
    case 'f':
        return take_literal(r, BQ_STR("false"), BQ_JSON_FALSE);
    case 'n':
        return take_literal(r, BQ_STR("null"), BQ_JSON_NULL);
    default:
        bq_json_fail(r);
        return BQ_JSON_ERROR;
    }
}

/* Whether a further member or element must come; otherwise the container is left, or there
 * was an error. */
FOR_BOTH bool take_comma(struct bq_json_reader *r, char close)
{
    bq_json_skip_space(r);
    if (bq_json_peek(r) == close) {
        leave(r);
        return false;
    }
    if (!r->first && !bq_json_take(r, ','))
        return bq_json_fail(r);
    r->first = false;
    return true;
}

FOR_BOTH bool take_key(struct bq_json_reader *r, enum purpose purpose)
{
    if (!take_comma(r, '}'))
        return false;
    bq_json_skip_space(r);
    if (!bq_json_take(r, '"'))
        return bq_json_fail(r);
    if (!take_string(r, purpose))
        return false;
    bq_json_skip_space(r);
    return bq_json_take(r, ':') || bq_json_fail(r);
}

FOR_BOTH enum bq_json_token end_token(const struct bq_json_reader *r)
{
    return r->rc == BQ_OK ? BQ_JSON_END : BQ_JSON_ERROR;
}

FOR_BOTH enum bq_json_token take_element(struct bq_json_reader *r, enum purpose purpose)
{
    return take_comma(r, ']') ? take_value(r, purpose) : end_token(r);
}

enum bq_json_token bq_json_value(struct bq_json_reader *r)
{
    return take_value(r, READ);
}

bool bq_json_key(struct bq_json_reader *r)
{
    return take_key(r, READ);
}

bool bq_json_key_as(struct bq_json_reader *r, bq_str text)
{
    const char *p = r->p;
    if (!r->first && (p == r->end || *p++ != ','))
        return false;
    p += p < r->end && *p == ' ';
    if ((size_t)(r->end - p) < text.n || !bq_json_word_same(p, text.p, text.n))
        return false;
    r->p = p + text.n;
    r->first = false;
    return true;
}

enum bq_json_token bq_json_element(struct bq_json_reader *r)
{
    return take_element(r, READ);
}

/* --- passing over --- */

static enum bq_json_token pass_value(struct bq_json_reader *r)
{
    return take_value(r, PASS);
}

static enum bq_json_token pass_member(struct bq_json_reader *r)
{
    return take_key(r, PASS) ? pass_value(r) : end_token(r);
}

static enum bq_json_token pass_element(struct bq_json_reader *r)
{
    return take_comma(r, ']') ? pass_value(r) : end_token(r);
}

int bq_json_skip(struct bq_json_reader *r, enum bq_json_token token)
{
    if (token != BQ_JSON_OBJECT && token != BQ_JSON_ARRAY)
        return r->rc;
    unsigned outside = r->depth - 1;
    uint64_t objects[BQ_JSON_DEPTH_MAX / 64] = {0}; /* bit d - 1: what is open at depth d */
    while (r->depth > outside) {
        unsigned bit = (r->depth - 1) % 64;
        uint64_t *word = &objects[(r->depth - 1) / 64];
        if (token == BQ_JSON_OBJECT)
            *word |= 1ull << bit;
        else if (token == BQ_JSON_ARRAY)
            *word &= ~(1ull << bit);
        token = *word >> bit & 1 ? pass_member(r) : pass_element(r);
        if (token == BQ_JSON_ERROR)
            break;
    }
    return r->rc;
}

int bq_json_pass(struct bq_json_reader *r)
{
    return bq_json_skip(r, pass_value(r));
}

int bq_json_finish(struct bq_json_reader *r)
{
    bq_json_skip_space(r);
    if (r->p < r->end)
        bq_json_fail(r);
    return r->rc;
}
