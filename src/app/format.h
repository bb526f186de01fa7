/*
 * format.h: the named formats of strings, by their RFCs.
 *
 *   email     the HTML standard's valid e-mail address
 *   uuid      RFC 9562, the 36 characters of its text form, hexadecimal digits of either case
 *   uri       RFC 3986: a URI, which has a scheme; no relative reference
 *   date      RFC 3339, full-date: a day that there is
 *   time      RFC 3339, partial-time or full-time: the offset may be missing
 *   datetime  RFC 3339, date-time: with its offset
 *   ipv4      four decimal numbers without leading zeros
 *   ipv6      RFC 4291, section 2.2, all three forms, without zone
 *   bytes     on the wire RFC 4648, section 4, padded; in Lua the bytes that it stands for
 *
 * A second 60 is a leap second: 23:59:60 in UTC, and with a date at the end of a month.
 */
#ifndef BQ_APP_FORMAT_H
#define BQ_APP_FORMAT_H

#include "base/str.h"

struct bq_format {
    const char *name;
    const char *type;                  /* pydantic's */
    const char *message;               /* the reason comes behind it if there is a reason_key */
    const char *reason_key;            /* the reason's name in ctx, or NULL */
    const char *(*fault)(bq_str text); /* NULL: it is one; else the reason */
};

/* Or NULL. */
const struct bq_format *bq_format_find(bq_str name);

/* The format "bytes", which is decoded. */
bool bq_format_is_bytes(const struct bq_format *format);

/* What base64 text, which the format has found right, stands for: at most text.n bytes at to. Gives
 * their number. */
size_t bq_format_decode(bq_str text, char *to);

#endif
