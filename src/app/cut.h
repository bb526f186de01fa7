/*
 * cut.h: a call that ends before its time: its deadline has passed, or its client has gone.
 *
 * Whatever task works for the call is cancelled, those that begin later included, except its
 * providers' close and the error handler that answers. A middleware that waits for next()
 * passes the error on to what runs below it, and is woken by that one's end.
 */
#ifndef BQ_APP_CUT_H
#define BQ_APP_CUT_H

#include "app/dispatch.h"

/* The request is complete: its route's deadline begins. */
void bq_cut_begin_deadline(struct bq_call *call);

/* Ends the call with the error, a reference that lasts. In one of the loop's next turns. */
void bq_cut(struct bq_call *call, int error);

/* The interrupt of a middleware that waits in next(): arg is the call. */
void bq_cut_below(void *arg, int error);

#endif
