/* chars.c: the table behind chars.h, and scans over it. */
#include "http/chars.h"

#define T BQ_CHAR_TOKEN
#define V BQ_CHAR_VALUE
#define G BQ_CHAR_TARGET
#define U BQ_CHAR_UNRESERVED
#define R BQ_CHAR_REG_NAME
#define C BQ_CHAR_COOKIE
#define A BQ_CHAR_ATTRIBUTE

/* Letters, digits and the four marks are of every class. */
#define ALNUM (T | V | G | U | R | C | A)

/* clang-format off */
const uint8_t bq_char_classes[256] = {
    ['\t'] = V,
    [' '] = V | A,
    ['!'] = T | V | G | R | C | A,
    ['"'] = V | G | A,
    ['#'] = T | V | C | A,
    ['$'] = T | V | G | R | C | A,
    ['%'] = T | V | G | C | A,
    ['&'] = T | V | G | R | C | A,
    ['\''] = T | V | G | R | C | A,
    ['('] = V | G | R | C | A,
    [')'] = V | G | R | C | A,
    ['*'] = T | V | G | R | C | A,
    ['+'] = T | V | G | R | C | A,
    [','] = V | G | R | A,
    ['-'] = ALNUM,
    ['.'] = ALNUM,
    ['/'] = V | G | C | A,
    ['0' ... '9'] = ALNUM,
    [':'] = V | G | C | A,
    [';'] = V | G | R,
    ['<'] = V | G | C | A,
    ['='] = V | G | R | C | A,
    ['>'] = V | G | C | A,
    ['?'] = V | G | C | A,
    ['@'] = V | G | C | A,
    ['A' ... 'Z'] = ALNUM,
    ['['] = V | G | C | A,
    ['\\'] = V | G | A,
    [']'] = V | G | C | A,
    ['^'] = T | V | G | C | A,
    ['_'] = ALNUM,
    ['`'] = T | V | G | C | A,
    ['a' ... 'z'] = ALNUM,
    ['{'] = V | G | C | A,
    ['|'] = T | V | G | C | A,
    ['}'] = V | G | C | A,
    ['~'] = ALNUM,
    [0x80 ... 0xff] = V | G,
};
/* clang-format on */

bool bq_chars_all(bq_str s, enum bq_char_class class)
{
    unsigned common = class;
    for (size_t i = 0; i < s.n; i++)
        common &= bq_char_classes[(unsigned char)s.p[i]];
    return common != 0;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Of eight bytes: a high bit is set if one is below 0x20 or is 0x7f. A tab sets it
 * too, and a byte above 0x7f never does. */
static uint64_t suspicion(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    uint64_t low = w - EACH(0x20);
    uint64_t del = (w ^ EACH(0x7f)) - EACH(0x01);
    return (low | del) & ~w & EACH(0x80);
}

bool bq_chars_value(bq_str s)
{
    if (s.n < sizeof(uint64_t))
        return bq_chars_all(s, BQ_CHAR_VALUE);
    /* The last eight bytes overlap the ones before. */
    const char *last = s.p + s.n - sizeof(uint64_t);
    uint64_t suspicious = suspicion(last);
    for (const char *p = s.p; p < last; p += sizeof(uint64_t))
        suspicious |= suspicion(p);
    return !suspicious || bq_chars_all(s, BQ_CHAR_VALUE);
}

bool bq_chars_ascii(bq_str s)
{
    uint64_t all = 0, w;
    for (; s.n >= sizeof w; s = bq_str_of(s.p + sizeof w, s.n - sizeof w)) {
        memcpy(&w, s.p, sizeof w);
        all |= w;
    }
    for (size_t i = 0; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return !(all & EACH(0x80));
}

int bq_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = bq_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
