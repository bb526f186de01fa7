/* chars.h: the character classes of RFC 9110 and RFC 3986 as one table. */
#ifndef BQ_HTTP_CHARS_H
#define BQ_HTTP_CHARS_H

#include "base/str.h"

enum bq_char_class {
    BQ_CHAR_TOKEN = 1,      /* tchar (RFC 9110, section 5.6.2) */
    BQ_CHAR_VALUE = 2,      /* HTAB, SP, VCHAR, obs-text (section 5.5) */
    BQ_CHAR_TARGET = 4,     /* VCHAR and obs-text but "#": what a target may hold */
    BQ_CHAR_UNRESERVED = 8, /* RFC 3986, section 2.3 */
    BQ_CHAR_REG_NAME = 16,  /* unreserved and sub-delims: a host's name but for "%XX" */
    BQ_CHAR_COOKIE = 32,    /* cookie-octet (RFC 6265, section 4.1.1) */
    BQ_CHAR_ATTRIBUTE = 64, /* av-octet: no control character, no ";" */
};

extern const uint8_t bq_char_classes[256];

static inline bool bq_char_is(char c, enum bq_char_class class)
{
    return bq_char_classes[(unsigned char)c] & class;
}

/* Whether every byte of s is of that class; true for an empty s. */
bool bq_chars_all(bq_str s, enum bq_char_class class);

/* As bq_chars_all with that class, sixteen bytes at a time where they are the usual ones. */
bool bq_chars_token(bq_str s);
bool bq_chars_value(bq_str s);

/* Likewise for a target; *marked: there may be a "?". */
bool bq_chars_target(bq_str s, bool *marked);

/* How many bytes at its front are BQ_CHAR_REG_NAME. */
size_t bq_chars_host(bq_str s);

/* Whether no byte of s is above 0x7f. */
bool bq_chars_ascii(bq_str s);

/* See BQ_NAME_IS. */
static inline bool bq_name_is(const char *name, const char *lower, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8) {
        uint64_t a, b;
        memcpy(&a, name + i, sizeof a);
        memcpy(&b, lower + i, sizeof b);
        if ((a | 0x2020202020202020u) != b)
            return false;
    }
    for (size_t i = n & ~(size_t)7; i < n; i++)
        if ((name[i] | 0x20) != lower[i])
            return false;
    return true;
}

/* Whether name is that literal of small letters and "-", their case aside. name is a token: of its
 * bytes only letters become letters, and only "-" stays one, by the bit that is set. */
#define BQ_NAME_IS(name, literal) \
    ((name).n == sizeof(literal) - 1 && bq_name_is((name).p, "" literal, sizeof(literal) - 1))

/* The value of a hexadecimal digit, or -1. */
int bq_hex_value(char c);

#endif
