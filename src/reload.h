/*
 * reload.h: new code in place of the old, without a lost request.
 *
 *   main:     build an application for each worker, beside the request path
 *               └─ one fails: all are freed, the old code goes on
 *   workers:  try: run its "worker" hooks ─ ready ──────────> commit: it gets what comes from now
 * on └ failed: all of them discard theirs workers:  the old one finishes what it has begun, its
 * "drain" hooks and the closing of its dependencies run, it is freed
 *
 * Connections stay; a request whose head has been read and whose body has not goes to the new code.
 */
#ifndef BQ_RELOAD_H
#define BQ_RELOAD_H

#include "net/loop.h"

struct bq_app;
struct bq_server;
struct bq_worker;

enum bq_reload_state { BQ_RELOAD_NONE, BQ_RELOAD_TRYING, BQ_RELOAD_READY, BQ_RELOAD_FAILED };

/* An application that has been replaced, until it has ended. */
struct bq_retiring {
    struct bq_retiring *next;
    struct bq_worker *worker;
    struct bq_app *app;
    struct bq_timer timer; /* looks again whether it is done */
    struct bq_job forget;  /* frees it behind the jobs that other threads have posted for it */
    bool closing;          /* its dependencies */
    bool hooks_ended;
};

/* Stands in struct bq_worker. */
struct bq_reload_part {
    enum bq_reload_state state; /* under the server's lock */
    struct bq_app *next;        /* main's while NONE, the worker's otherwise */
    struct bq_job try_job, commit_job, discard_job;
    struct bq_retiring *retiring; /* the worker's own */
};

/* Reloads, and says in the log what came of it. Thread: main, while it serves. */
void bq_reload(struct bq_server *s);

/* Ends what is retiring at once: the worker's connections have ended. Thread: the worker's, behind
 * its loop. */
void bq_reload_end(struct bq_worker *w);

#endif
