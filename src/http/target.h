/*
 * target.h: the request target's four forms (RFC 9112, section 3.2).
 */
#ifndef BQ_HTTP_TARGET_H
#define BQ_HTTP_TARGET_H

#include "http/exchange.h"

/* Fills path, query and, for the absolute form ("http://host/path"), host in r
 * from r->target; method is set already. The asterisk form is for OPTIONS alone.
 * Characters outside RFC 3986's path and query grammar that browsers send all
 * the same ("|", "^", "{", …, and bytes above 0x7f) pass; control characters,
 * spaces, a fragment, user information in an authority do not. An authority form
 * (CONNECT) is refused. Fails: BQ_INVALID. */
int bq_target_parse(struct bq_request *r);

/* Whether a Host field's value is "uri-host [: port]" (RFC 9110, section 7.2): a
 * registered name, IPv4 or [IPv6] address, or empty. */
bool bq_host_valid(bq_str host);

#endif
