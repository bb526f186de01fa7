/*
 * accept.h: listening sockets, and when not to accept from them.
 *
 *   accepting ── connections_max reached ──────> paused until one of ours ends
 *             ── no descriptors or memory ─────> paused until then, or 100 ms
 */
#ifndef BQ_SERVE_ACCEPT_H
#define BQ_SERVE_ACCEPT_H

#include "serve/serve.h"

/* Accepts again if a pause may end: a connection has ended since it began. */
void bq_accept_resume(struct bq_serve *s);

/* Takes in what waits in the accept queues, whatever connections_max says: whoever
 * got in before the end shall have an answer. */
void bq_accept_last(struct bq_serve *s);

/* If w is a listening socket of another worker, which is absent: accepts from it into s, not beyond
 * connections_max. One that s watches, too, is no exception: the kernel may have woken the other
 * for what waits there. Gives: how many. */
unsigned bq_accept_for(struct bq_serve *s, const struct bq_watch *w);

/* Closes the listening sockets. */
void bq_accept_stop(struct bq_serve *s);

void bq_accept_on_retry(struct bq_timer *t);

#endif
