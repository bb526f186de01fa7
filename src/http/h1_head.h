/*
 * h1_head.h: what a head's fields say to the connection: framing, persistence,
 * expectations and the host. The one place that decides where a request ends.
 */
#ifndef BQ_HTTP_H1_HEAD_H
#define BQ_HTTP_H1_HEAD_H

#include "http/h1_parse.h"
#include "http/refusal.h"

/* Takes r with method, target, version and fields; fills path, query, host,
 * keep_alive, expect_continue, and framing. Refuses: 400 for every ambiguity of
 * framing and for a bad Host or target, 501 for a registered transfer coding
 * before chunked, 417 for an unknown expectation. */
struct bq_refusal bq_h1_head_read(struct bq_request *r, struct bq_h1_framing *framing);

/* Whether a field of that name may come in a trailer section (RFC 9110, section 6.5.1):
 * not if it frames, routes, authenticates, or says how the content is to be read. */
bool bq_h1_trailer_allowed(bq_str name);

#endif
