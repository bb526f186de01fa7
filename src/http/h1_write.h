/*
 * h1_write.h: a response to HTTP/1 bytes (RFC 9112), without I/O.
 *
 * The writer owns framing: Content-Length, Transfer-Encoding, Connection and
 * Date are its own, whatever fields the response brings. Heads are copied from
 * prebuilt pieces; the date is formatted once a second by the caller.
 */
#ifndef BQ_HTTP_H1_WRITE_H
#define BQ_HTTP_H1_WRITE_H

#include "http/exchange.h"

#include <time.h>

#define BQ_DATE_BYTES 29 /* "Sun, 06 Nov 1994 08:49:37 GMT", RFC 9110, section 5.6.7 */

struct bq_h1_reply {
    bool head_only;        /* the request was HEAD: length of the body, not the body */
    bool close;            /* say "Connection: close" */
    uint8_t version_minor; /* of the request: 0 gets "Connection: keep-alive" when kept */
    const char *date;      /* BQ_DATE_BYTES of text */
    bq_str id; /* to say as X-Request-Id, instead of a field of that name; n = 0: none */
};

/* Appends the whole response. No body and no Content-Length for 204 and 304, no body
 * and a length of 0 for 205; 1xx and status outside 200 … 599 are the caller's
 * mistake (assertion). Fields that frame (see above; Keep-Alive and Proxy-Connection
 * too), or whose name or value could break the framing (CR, LF, NUL, an empty or
 * non-token name), are left out: bq_field_check tells first. content_type, if valid,
 * wins over fields of that name. Names leave in the letter case given.
 * Fails: BQ_MEMORY, and out is as before. */
int bq_h1_write_response(struct bq_buf *out, const struct bq_response *r,
                         const struct bq_h1_reply *how);

/* Appends a JSON error that the connection itself answers:
 * {"detail":"<reason>"}, with Connection: close. Takes: a reason of ours, at most
 * BQ_REASON_BYTES_MAX printable ASCII bytes without quotes and backslashes
 * (assertion). Fails: BQ_MEMORY. */
#define BQ_REASON_BYTES_MAX 200

int bq_h1_write_error(struct bq_buf *out, int status, const char *reason,
                      const struct bq_h1_reply *how);

/* Appends "HTTP/1.1 100 Continue" and the empty line. Fails: BQ_MEMORY. */
int bq_h1_write_continue(struct bq_buf *out);

/* Whether a field may leave: name is a token (RFC 9110, section 5.6.2), value holds no
 * CR, LF, NUL or other control character but tab. Fails: BQ_INVALID. */
int bq_field_check(bq_str name, bq_str value);

/* The reason phrase of a status, "" if unregistered. */
const char *bq_status_reason(int status);

/* Formats t as an IMF-fixdate without a terminating NUL; a time outside the years
 * 0 … 9999, which the format cannot say, as the nearest that it can. */
void bq_date_format(time_t t, char out[static BQ_DATE_BYTES]);

#endif
