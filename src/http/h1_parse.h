/*
 * h1_parse.h: bytes of HTTP/1 requests to heads and bodies (RFC 9112), without I/O.
 *
 * llhttp in strict mode does the grammar; this file adds what it lets pass: a
 * head whose spans do not tile it exactly (request line, then "name: value"
 * CRLF, then CRLF, nothing else) is refused, and so is every ambiguity of
 * framing from which requests are smuggled. What llhttp refuses although it is
 * right (methods it does not list, targets with raw bytes above 0x7f) is accepted:
 * it is then shown a stand-in for the request line.
 *
 *   feed ──> MORE ──> feed …                 the input is used up
 *        ──> HEAD ──> feed (the rest) …      ex->request is filled in
 *        ──> BODY ──> feed (the rest) …      p->chunk is a piece of the body
 *        ──> DONE ──> reset for the next     trailers are filled in
 *        ──> REFUSED                         status and reason; then close
 *
 * Bytes may arrive in any pieces; the results are the same. The head's bytes
 * are copied into ex->arena as they come, every string of the request lies there.
 */
#ifndef BQ_HTTP_H1_PARSE_H
#define BQ_HTTP_H1_PARSE_H

#include "http/exchange.h"

struct bq_h1_limits {
    uint32_t line_bytes_max; /* request line: longer is 414 */
    uint32_t head_bytes_max; /* request line, fields and trailers: longer is 431 */
    uint32_t fields_max;     /* more is 431 */
};

enum bq_h1_event { BQ_H1_MORE, BQ_H1_HEAD, BQ_H1_BODY, BQ_H1_DONE, BQ_H1_REFUSED };

struct bq_h1_parser;

/* Heap-allocated, pooled by the worker: about 200 bytes; an idle connection
 * holds none. Fails: NULL without memory. */
struct bq_h1_parser *bq_h1_parser_new(const struct bq_h1_limits *limits);
void bq_h1_parser_free(struct bq_h1_parser *p);

/* Ready for a new request, whose strings will go into ex. */
void bq_h1_parser_reset(struct bq_h1_parser *p, struct bq_exchange *ex);

/* Reads from the front of *in and moves it behind what was used; see the
 * diagram. After HEAD, the caller decides and feeds on; a request without body
 * gives DONE next, with no further input needed (in->n may be 0). DONE and REFUSED
 * are given again, and nothing is read, until reset. After REFUSED how far *in moved
 * means nothing. */
enum bq_h1_event bq_h1_parser_feed(struct bq_h1_parser *p, bq_str *in);

/* Of the request whose HEAD was seen. */
struct bq_h1_framing {
    bool has_body; /* content-length above 0, or chunked */
    bool chunked;
    uint64_t content_length; /* when not chunked */
};
struct bq_h1_framing bq_h1_parser_framing(const struct bq_h1_parser *p);

/* Valid: after BODY until the next feed; points into the fed bytes. */
bq_str bq_h1_parser_chunk(const struct bq_h1_parser *p);

/* Whether any byte of a request has been seen since reset (leading CRLFs, which
 * RFC 9112 section 2.2 lets a server skip, do not count). */
bool bq_h1_parser_started(const struct bq_h1_parser *p);

/* After REFUSED: 400, 414, 417, 431, 501 or 505, or 503 without memory; and a phrase
 * for the body, a constant. */
int bq_h1_parser_status(const struct bq_h1_parser *p);
const char *bq_h1_parser_reason(const struct bq_h1_parser *p);

#endif
