/*
 * proxy_conn.h: the beginning of a connection that a proxy has made: its PROXY header, and then the
 * protocol that the client speaks.
 *
 *   IDLE ── header complete, and believed ──> IDLE, as a connection of whom it names
 *     └─── bad, or of a peer that is not trusted, or late ──> CLOSED
 */
#ifndef BQ_SERVE_PROXY_CONN_H
#define BQ_SERVE_PROXY_CONN_H

#include "serve/proto.h"

extern const struct bq_proto bq_proxy_proto;

#endif
