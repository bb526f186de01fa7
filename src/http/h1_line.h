/*
 * h1_line.h: the request line, "method SP request-target SP HTTP-version"
 * (RFC 9112, section 3), read without any of the leniency that section allows.
 */
#ifndef BQ_HTTP_H1_LINE_H
#define BQ_HTTP_H1_LINE_H

#include "http/exchange.h"
#include "http/refusal.h"

/* Lengths, not views: the line may be read before its bytes have come to rest. */
struct bq_h1_line {
    uint32_t method_n; /* the method is at 0 */
    uint32_t target_n; /* the target at method_n + 1 */
    enum bq_method method;
    uint8_t version_minor; /* 0 or 1 */
    bool foreign;          /* right, but more than llhttp understands */
};

/* Takes: the line without its CRLF. Refuses: 400 for what is no request line (HTTP/0.9
 * included), 505 for another major version and for a minor one above 1 (none
 * exists), 501 for an unregistered method and for CONNECT. */
struct bq_refusal bq_h1_line_read(bq_str line, struct bq_h1_line *out);

/* Finds a registered method (RFC 9110, section 16.1.1; letter case counts).
 * Fails: BQ_NOT_FOUND. */
int bq_method_find(bq_str name, enum bq_method *out);

#endif
