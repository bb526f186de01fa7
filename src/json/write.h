/*
 * write.h: scalars and strings as JSON text (RFC 8259), without Lua.
 */
#ifndef BQ_JSON_WRITE_H
#define BQ_JSON_WRITE_H

#include "base/buf.h"

/* Appends s quoted. Escaped are the quote, the backslash and control characters
 * (RFC 8259, section 7), nothing else; s must be valid UTF-8.
 * Fails: BQ_INVALID (not UTF-8; out is as before), BQ_MEMORY. */
int bq_json_write_string(struct bq_buf *out, bq_str s);

/* Appends `before`, the name as a string, and a colon. Fails: like it. */
int bq_json_write_name(struct bq_buf *out, char before, bq_str name);

/* Like bq_json_write_string, but bytes that are not UTF-8 become U+FFFD: for logs. */
int bq_json_write_lossy(struct bq_buf *out, bq_str s);

/* Appends any bytes as a string in base64 with padding (RFC 4648, section 4).
 * Fails: BQ_MEMORY. */
int bq_json_write_base64(struct bq_buf *out, bq_str bytes);

/* Appends a number by the fewest significant digits that read back as the same double, in the
 * form that RFC 8785 gives it (no exponent from 1e-6 up to 1e21), except for -0, which stays.
 * Fails: BQ_INVALID (NaN or infinite), BQ_MEMORY. */
int bq_json_write_number(struct bq_buf *out, double v);

#endif
