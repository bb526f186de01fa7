/* str.c: comparisons and searches over byte views. */
#include "base/str.h"

#include <stdint.h>

#include "base/rc.h"

#define FILL(c) (0x0101010101010101ull * (c))

/* Eight bytes, their letters A to Z in lower case. Each sum sets a top bit from where on a byte is
 * at least 'A', or above 'Z'; a byte from 0x80 on is neither. */
static uint64_t lower_word(uint64_t w)
{
    uint64_t ascii = w & FILL(0x7f);
    uint64_t from_a = ascii + FILL(0x80 - 'A'), above_z = ascii + FILL(0x7f - 'Z');
    return w | (from_a & ~above_z & ~w & FILL(0x80)) >> 2;
}

bool bq_str_eq_nocase(bq_str a, bq_str b)
{
    size_t i = 0;
    if (a.n != b.n)
        return false;
    for (; a.n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t v, w;
        memcpy(&v, a.p + i, sizeof v);
        memcpy(&w, b.p + i, sizeof w);
        if (v != w && lower_word(v) != lower_word(w))
            return false;
    }
    for (; i < a.n; i++)
        if (bq_lower(a.p[i]) != bq_lower(b.p[i]))
            return false;
    return true;
}

bool bq_str_starts(bq_str s, bq_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

size_t bq_str_find(bq_str s, char c, size_t from)
{
    if (from >= s.n)
        return s.n;
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : s.n;
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

bq_str bq_str_trim(bq_str s)
{
    while (s.n && is_ows(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_ows(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool bq_str_next_token(bq_str *rest, bq_str *token)
{
    while (rest->n) {
        size_t comma = bq_str_find(*rest, ',', 0);
        *token = bq_str_trim(bq_str_of(rest->p, comma));
        size_t used = comma < rest->n ? comma + 1 : comma;
        rest->p += used;
        rest->n -= used;
        if (token->n)
            return true;
    }
    return false;
}

int bq_str_u64(bq_str s, uint64_t *out)
{
    uint64_t v = 0;
    bool over = false;
    if (s.n == 0)
        return BQ_INVALID;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return BQ_INVALID;
        unsigned digit = (unsigned)(s.p[i] - '0');
        over = over || v > (UINT64_MAX - digit) / 10;
        v = v * 10 + digit;
    }
    if (over)
        return BQ_LIMIT;
    *out = v;
    return BQ_OK;
}
