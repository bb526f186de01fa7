/*
 * request_id.h: the names by which a request is found again in logs: its id, and the trace that it
 * is part of.
 */
#ifndef BQ_HTTP_REQUEST_ID_H
#define BQ_HTTP_REQUEST_ID_H

#include "http/exchange.h"

#define BQ_REQUEST_ID_BYTES     32
#define BQ_REQUEST_ID_BYTES_MAX 128 /* of one that comes from outside */

/* Makes ids: 16 hexadecimal digits that are its own, and 16 that count. They differ; they are no
 * secret. */
struct bq_ids {
    char own[BQ_REQUEST_ID_BYTES / 2];
    uint64_t count;
};

/* own: random, so that no two have the same. */
void bq_ids_init(struct bq_ids *ids, uint64_t own);

/* Sees to it that ex->id is there: X-Request-Id, if a trusted proxy has sent a good one, else a new
 * one. Fails: BQ_MEMORY. */
int bq_request_id_set(struct bq_exchange *ex, struct bq_ids *ids);

/* Letters, digits and "-._~+/=:", at most BQ_REQUEST_ID_BYTES_MAX of them. */
bool bq_request_id_valid(bq_str id);

/* The traceparent field (W3C Trace Context) that a trusted proxy has sent; n = 0 if there is no
 * good one. */
bq_str bq_traceparent_of(const struct bq_exchange *ex);

/* version "-" trace-id "-" parent-id "-" flags; of a version above 0 there may be more behind. */
bool bq_traceparent_valid(bq_str s);

/* The 32 digits of one that is valid. */
bq_str bq_trace_id(bq_str traceparent);

#endif
