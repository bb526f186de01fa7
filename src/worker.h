/*
 * worker.h: one thread that serves, with a loop, an application and connections of its own.
 *
 *   loading ── app loaded, hooks run ─> loaded ── listen ─> serving ── drain ─> ended
 *      └──────────────> failed <──────────┘                    └────── stop ─────┘
 *
 * A standby worker is told to end, not to listen; it ends from loaded (adoption.h).
 * At failed and ended the thread has nothing more to do and may be joined. It walks
 * these states alone, and the main thread asks for the steps with jobs
 * that it posts to the worker's loop. Before the thread runs and after it has been
 * joined, the main thread may use everything of the worker: it loads the first worker's
 * application, and runs the "start" and "stop" hooks in it.
 */
#ifndef BQ_WORKER_H
#define BQ_WORKER_H

#include "access_log.h"
#include "adoption.h"
#include "app/app.h"
#include "net/loop.h"
#include "reload.h"
#include "serve/serve.h"

#include <pthread.h>

/* LuaJIT bounds recursion by its own stack, and string.gsub takes 8 KiB of the thread's for each
 * level (measured: it needs more than 32 MiB). Only what is touched becomes memory. Threads that
 * run the application's code have so much. */
#define BQ_WORKER_STACK_BYTES ((size_t)64 << 20)

enum bq_worker_state {
    BQ_WORKER_LOADING,
    BQ_WORKER_LOADED,
    BQ_WORKER_SERVING,
    BQ_WORKER_FAILED,
    BQ_WORKER_ENDED,
};

struct bq_server;

struct bq_worker {
    struct bq_server *server; /* shared, by the rules in server.h */
    unsigned number;
    enum bq_worker_state state; /* under server->lock */
    bool started;               /* there is a thread to join. Whose it is: server.h */
    pthread_t thread;
    pid_t tid; /* the kernel's number of it, once it is loaded */
    struct bq_adoption_part adoption;
    struct bq_reload_part reload;

    /* The worker's own: */
    struct bq_loop *loop;
    struct bq_app *app;
    struct bq_serve *serve;
    struct bq_access_log *access; /* NULL: off */
    atomic_bool dropping; /* its loop has ended: it frees and closes what it has. Read by main */
    struct bq_job listen_job, drain_job, stop_job;
    struct bq_timer end_timer; /* looks again whether the application is done */
    bool draining, drained, hooks_ended;
    bool failed;           /* to listen */
    bool forced;           /* it ended by stop, not by draining */
    uint32_t requests_cut; /* that were in flight then */
};

void bq_worker_init(struct bq_worker *w, struct bq_server *server, unsigned number);

/* Whether it turns its loop, so that it runs jobs. Takes: the server's lock. Thread: any. */
bool bq_worker_turns(const struct bq_worker *w);

/* Makes loop and application and runs the file's declarations; again: with another application in
 * place of the first. Fails: BQ_INVALID, logged.
 * Thread: the worker's, or main's before it. */
int bq_worker_load(struct bq_worker *w);

/* Another application from the file, compiled with the configuration that there is; for a worker
 * that serves. Fails: NULL, logged. Thread: any. */
struct bq_app *bq_worker_build_app(struct bq_worker *w);

/* Frees an application that was the worker's; what its collector has done is kept. NULL is
 * harmless. Thread: the worker's, or any when it has none. */
void bq_worker_free_app(struct bq_worker *w, struct bq_app *app);

/* Starts the thread; what main has not done for it, it does. Fails: BQ_SYSTEM, logged. */
int bq_worker_start(struct bq_worker *w);

/* Steps of the diagram, for a worker that is loaded or serving; each at most once. Thread:
 * main. */
void bq_worker_listen(struct bq_worker *w);
void bq_worker_drain(struct bq_worker *w);
void bq_worker_stop(struct bq_worker *w);

/* It ends as when it is told to drain. Thread: the worker's. */
void bq_worker_retire(struct bq_worker *w);

/* Frees what the worker has. Takes: the thread has been joined, or never started. */
void bq_worker_release(struct bq_worker *w);

#endif
