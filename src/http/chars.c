/* chars.c: the table behind chars.h, and scans over it. */
#include "http/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

#ifdef __SSE2__

/* For each of a block's bytes 0xff where it is between first and last, else 0. */
static inline __m128i between(__m128i x, unsigned char first, unsigned char last)
{
    __m128i place = _mm_sub_epi8(x, _mm_set1_epi8((char)first));
    return _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8((char)(last - first))), place);
}

static inline __m128i equal(__m128i x, char c)
{
    return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

static inline __m128i letter(__m128i x)
{
    return between(_mm_or_si128(x, _mm_set1_epi8(0x20)), 'a', 'z');
}

/* Each says of 16 bytes which are of some class. */
typedef __m128i (*block_fn)(__m128i x);

static inline __m128i in_name(__m128i x)
{
    return _mm_or_si128(letter(x), equal(x, '-'));
}

static inline __m128i in_host(__m128i x)
{
    return _mm_or_si128(in_name(x), _mm_or_si128(between(x, '0', '9'), equal(x, '.')));
}

static inline __m128i in_value(__m128i x)
{
    return _mm_andnot_si128(equal(x, 0x7f), between(x, ' ', 0xff));
}

static inline __m128i in_path(__m128i x)
{
    __m128i unlike = _mm_or_si128(equal(x, '#'), _mm_or_si128(equal(x, '?'), equal(x, 0x7f)));
    return _mm_andnot_si128(unlike, between(x, '!', 0xff));
}

static inline __m128i in_ascii(__m128i x)
{
    return _mm_cmpgt_epi8(x, _mm_set1_epi8(-1));
}

/* Whether fn says so of all. Shorter strings than four bytes are not worth it: false. The last
 * block overlaps the one before, or is made of two halves that do. */
static inline __attribute__((always_inline)) bool all_blocks(bq_str s, block_fn fn)
{
    __m128i x;
    if (s.n >= sizeof x) {
        const char *last = s.p + s.n - sizeof x;
        x = fn(_mm_loadu_si128((const __m128i *)(const void *)last));
        for (const char *p = s.p; p < last; p += sizeof x)
            x = _mm_and_si128(x, fn(_mm_loadu_si128((const __m128i *)(const void *)p)));
    } else if (s.n >= 8) {
        int64_t head, tail;
        memcpy(&head, s.p, sizeof head);
        memcpy(&tail, s.p + s.n - sizeof tail, sizeof tail);
        x = fn(_mm_set_epi64x(head, tail));
    } else if (s.n >= 4) {
        int32_t head, tail;
        memcpy(&head, s.p, sizeof head);
        memcpy(&tail, s.p + s.n - sizeof tail, sizeof tail);
        x = fn(_mm_set_epi32(head, tail, head, tail));
    } else {
        return false;
    }
    return _mm_movemask_epi8(x) == 0xffff;
}

#else /* the table says it all */

enum { in_name, in_host, in_value, in_path, in_ascii };

static bool all_blocks(bq_str s, int fn)
{
    (void)s;
    (void)fn;
    return false;
}

#endif

bool bq_chars_token(bq_str s)
{
    return all_blocks(s, in_name) || bq_chars_all(s, BQ_CHAR_TOKEN);
}

bool bq_chars_value(bq_str s)
{
    return all_blocks(s, in_value) || bq_chars_all(s, BQ_CHAR_VALUE);
}

bool bq_chars_target(bq_str s, bool *marked)
{
    *marked = !all_blocks(s, in_path);
    return !*marked || bq_chars_all(s, BQ_CHAR_TARGET);
}

size_t bq_chars_host(bq_str s)
{
    size_t n = 0;
    if (all_blocks(s, in_host))
        return s.n;
    while (n < s.n && bq_char_is(s.p[n], BQ_CHAR_REG_NAME))
        n++;
    return n;
}

bool bq_chars_ascii(bq_str s)
{
    unsigned char all = 0;
    if (all_blocks(s, in_ascii))
        return true;
    for (size_t i = 0; i < s.n; i++)
        all |= (unsigned char)s.p[i];
    return all < 0x80;
}

int bq_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = bq_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
