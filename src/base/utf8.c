/* utf8.c: UTF-8 validation, eight ASCII bytes at a time. */
#include "base/utf8.h"

/* n > 0 */
static size_t sequence_length(const unsigned char *s, size_t n)
{
    unsigned char c = s[0];
    unsigned char lo = 0x80, hi = 0xbf;
    size_t len;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    if (c == 0xe0)
        lo = 0xa0; /* overlong */
    else if (c == 0xed)
        hi = 0x9f; /* surrogates */
    else if (c == 0xf0)
        lo = 0x90; /* overlong */
    else if (c == 0xf4)
        hi = 0x8f; /* above U+10FFFF */
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

size_t bq_utf8_length(bq_str s)
{
    return s.n ? sequence_length((const unsigned char *)s.p, s.n) : 0;
}

size_t bq_utf8_check(bq_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        if (s.n - i >= sizeof word) {
            memcpy(&word, p + i, sizeof word);
            if (!(word & 0x8080808080808080ull)) {
                i += sizeof word;
                continue;
            }
        }
        size_t len = sequence_length(p + i, s.n - i);
        if (!len)
            return i;
        i += len;
    }
    return i;
}
