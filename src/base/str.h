/*
 * str.h: bq_str, a view of bytes that somebody else owns.
 *
 * Not NUL-terminated; may hold any byte. Passed by value. Case-insensitive
 * functions fold ASCII only, as RFC 9110 does for field names and tokens.
 */
#ifndef BQ_BASE_STR_H
#define BQ_BASE_STR_H

#include "base/banned.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const char *p;
    size_t n;
} bq_str;

/* A view of a string literal. */
#define BQ_STR(lit) ((bq_str){"" lit, sizeof(lit) - 1})

/* Arguments for printf's "%.*s". s is evaluated more than once. What is longer than an int can say
 * is cut, because a negative precision would print until the next NUL. */
#define BQ_STR_ARG(s) (int)((s).n < INT_MAX ? (s).n : INT_MAX), (s).p

static inline bq_str bq_str_of(const char *p, size_t n)
{
    return (bq_str){p, n};
}

static inline bq_str bq_str_cstr(const char *z)
{
    return (bq_str){z, strlen(z)};
}

static inline bool bq_str_eq(bq_str a, bq_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char bq_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether a and b are equal, ASCII letters folded. */
bool bq_str_eq_nocase(bq_str a, bq_str b);

bool bq_str_starts(bq_str s, bq_str prefix);

/* The offset of byte c at or after from, or s.n if it is not there. */
size_t bq_str_find(bq_str s, char c, size_t from);

/* s without spaces and horizontal tabs at both ends (RFC 9110, OWS). */
bq_str bq_str_trim(bq_str s);

/* The next element of a comma-separated list (RFC 9110, section 5.6.1), trimmed,
 * empty elements skipped; *rest moves behind it. False at the end. Quoted commas
 * are not understood: for lists of tokens only. */
bool bq_str_next_token(bq_str *rest, bq_str *token);

/* Parses all of s as decimal digits. Fails: BQ_INVALID (empty or another byte),
 * BQ_LIMIT (nothing but digits, but above UINT64_MAX). */
int bq_str_u64(bq_str s, uint64_t *out);

#endif
