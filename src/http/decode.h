/*
 * decode.h: percent-encoding (RFC 3986, section 2.1), query strings and forms
 * (WHATWG URL, application/x-www-form-urlencoded), cookies (RFC 6265).
 */
#ifndef BQ_HTTP_DECODE_H
#define BQ_HTTP_DECODE_H

#include "base/arena.h"
#include "base/buf.h"

/* Decodes "%XX", and "+" to a space if plus. *out is in itself when nothing was
 * encoded, else in the arena. Fails: BQ_INVALID ("%" without two hexadecimal
 * digits), BQ_MEMORY. */
int bq_percent_decode(struct bq_arena *a, bq_str in, bool plus, bq_str *out);

/* Appends s with every byte but the unreserved ones (RFC 3986, section 2.3) encoded.
 * Fails: BQ_MEMORY. */
int bq_percent_encode(struct bq_buf *out, bq_str s);

/* The next "name=value" of a query string or form, still encoded; empty pieces
 * ("&&") are skipped; a piece without "=" has an empty value. *rest moves on.
 * False at the end. */
bool bq_query_next(bq_str *rest, bq_str *name, bq_str *value);

/* The next cookie of a Cookie field's value: pairs split at ";", trimmed,
 * surrounding quotes of a value dropped; a piece without "=" or without a name is
 * skipped. */
bool bq_cookie_next(bq_str *rest, bq_str *name, bq_str *value);

enum bq_same_site { BQ_SAME_SITE_UNSET, BQ_SAME_SITE_LAX, BQ_SAME_SITE_STRICT, BQ_SAME_SITE_NONE };

/* What a Set-Cookie field says (RFC 6265bis). */
struct bq_set_cookie {
    bq_str name, value;
    bq_str path, domain; /* n = 0: attribute left out */
    int64_t max_age_s;   /* INT64_MIN: left out */
    int64_t expires_s;   /* since 1970; INT64_MIN: left out */
    bool secure, http_only, partitioned;
    enum bq_same_site same_site;
};

/* Appends the field's value. Fails: BQ_INVALID and *why names what is wrong: a
 * name that is no token, a value with a byte outside cookie-octet, a path or
 * domain with ";" or a control character, SameSite=None or Partitioned without
 * Secure, a "__Host-" or "__Secure-" name (letters folded) without what it promises,
 * what browsers drop (name and value above 4096 bytes together, an attribute above
 * 1024), an expiry outside the years 1601 … 9999; BQ_MEMORY. out is as before. */
int bq_set_cookie_write(struct bq_buf *out, const struct bq_set_cookie *c, const char **why);

#endif
