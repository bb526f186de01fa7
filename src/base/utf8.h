/* utf8.h: validity of UTF-8 (RFC 3629: no overlong forms, no surrogates). */
#ifndef BQ_BASE_UTF8_H
#define BQ_BASE_UTF8_H

#include "base/str.h"

/* The length of the character at the start of s, 0 if there is no valid one. */
size_t bq_utf8_length(bq_str s);

/* The offset of the first byte that is not part of valid UTF-8, or s.n. */
size_t bq_utf8_check(bq_str s);

static inline bool bq_utf8_valid(bq_str s)
{
    return bq_utf8_check(s) == s.n;
}

#endif
