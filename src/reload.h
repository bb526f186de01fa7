/*
 * reload.h: new code in place of the old, without a lost request.
 *
 *   main:     build an application for each worker, beside the request path
 *               └─ one fails: all are freed, the old code goes on
 *   workers:  try: run its "worker" hooks ─ ready ──> commit: it gets what comes from now on
 *               └─ one fails: all of them discard theirs
 *   workers:  the old one finishes what it has begun, its "drain" hooks and the closing of its
 *             dependencies run, it is freed
 *
 * Building takes place in a thread of its own. Code that does not come to its end there is left
 * alone, the old code goes on. A signal that asks for the end ends every wait of main's.
 *
 * Connections stay; a request whose head has been read and whose body has not goes to the new code.
 */
#ifndef BQ_RELOAD_H
#define BQ_RELOAD_H

#include "net/loop.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bq_app;
struct bq_server;
struct bq_worker;

/* Numbers that other processes are told (signals.h). */
enum bq_reload_outcome {
    BQ_RELOAD_ENDING = 0, /* BQ_SIGNALS_TOO_EARLY, or too late */
    BQ_RELOAD_DONE = 1,
    BQ_RELOAD_NOT_LOADED,
    BQ_RELOAD_NOT_READY, /* a hook failed, or a worker takes too long */
    BQ_RELOAD_BUSY,      /* with the last one */
};

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

/* An application that is being built in a thread of its own. */
struct bq_reload_load {
    pthread_t thread;
    struct bq_worker *worker;
    struct bq_app *app; /* NULL: failed. This and done are under the server's lock */
    bool done;
};

/* Reloads, and says in the log what came of it. Thread: main, while it serves. */
enum bq_reload_outcome bq_reload(struct bq_server *s);

/* Waits for what is being built still, since a signal has ended the wait for it. False: it did not
 * come to its end by then, or was given up long ago: its thread, which can be neither stopped nor
 * joined, uses what the server has. Thread: main, when the workers have ended. */
bool bq_reload_end_load(struct bq_server *s, uint64_t deadline_ms);

/* Ends what is retiring at once: the worker's connections have ended. Thread: the worker's, behind
 * its loop. */
void bq_reload_end(struct bq_worker *w);

#endif
