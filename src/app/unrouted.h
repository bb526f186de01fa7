/*
 * unrouted.h: requests that no route matched: the path is unknown, lacks or has a slash too many,
 * has no such method, or cannot be decoded.
 */
#ifndef BQ_APP_UNROUTED_H
#define BQ_APP_UNROUTED_H

#include "app/dispatch.h"

/* The status of the server's own answer; call->allow and call->location are set where it needs
 * them: 204 (OPTIONS), 308 (redirect_slashes), 400, 404, 405 or 503. */
int bq_unrouted_status(struct bq_call *call);

#endif
