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

/* As bq_chars_all(s, BQ_CHAR_VALUE), eight bytes at a time. */
bool bq_chars_value(bq_str s);

/* Whether no byte of s is above 0x7f. */
bool bq_chars_ascii(bq_str s);

/* The value of a hexadecimal digit, or -1. */
int bq_hex_value(char c);

#endif
