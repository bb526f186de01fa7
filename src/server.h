/*
 * server.h: the process: what its threads share, and its life from start to end.
 *
 *   load ─> start hook ─> workers load, all at once ─> listen ─> serve ── signal ─> drain
 *     ─> stop hook ─> end
 *
 * The struct lists everything that threads share, with the rule that protects it. There
 * are these threads: main (which loads, then waits for signals), the workers, those of adoption.h,
 * source_watch.h and admin/admin.h, the access log's writer, and those that barq.offload and
 * barq.sqlite use.
 */
#ifndef BQ_SERVER_H
#define BQ_SERVER_H

#include "adoption.h"
#include "aside.h"
#include "base/line_writer.h"
#include "config.h"
#include "data/shared.h"
#include "data/sqlite_tally.h"
#include "inside.h"
#include "listeners.h"
#include "notify.h"
#include "source_watch.h"
#include "watchdog.h"
#include "worker.h"

#include <pthread.h>

/* A worker's counts: it alone counts, any thread may read. */
struct bq_worker_tally {
    struct bq_tallies answers;
    struct bq_sqlite_tally sqlite;
    struct bq_collector_view past; /* of applications that are gone; for bq_worker_free_app */
};

struct bq_server {
    /* Written before the workers' threads start, only read from then on. */
    struct bq_config *config; /* main's */
    const char *app_path;
    unsigned worker_count;
    unsigned slot_count; /* with the standby workers that there may be */

    unsigned activated;      /* sockets of a service manager, which replace the configured ones */
    struct bq_notify notify; /* only main talks to it */
    struct bq_watchdog watchdog; /* main's; its jobs run in the workers */

    struct bq_stores *stores;          /* locks itself (data/shared.h) */
    struct bq_offload *offload;        /* likewise (data/offload.h) */
    struct bq_aside aside;             /* what its threads are told; written before them */
    struct bq_line_writer *access_log; /* a lane for each worker (base/line_writer.h); or NULL */
    struct bq_listeners listeners;     /* written before bq_worker_listen; then each worker takes
                                          the sockets with its number */

    /* The lock protects the state of every worker, and stopping; changed is signalled
     * when one changes. Which of them are started is known to main, and while adoption runs to its
     * thread alone. The rest of a worker is its thread's. */
    struct bq_worker *workers; /* regular ones, then room for standby ones: slot_count in use */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping; /* who has not come to turn its loop, shall not */

    /* What each worker counts, by its number, from its first application on; it outlives the
     * worker. */
    struct bq_worker_tally *_Atomic *tallies;
    atomic_ullong reloads, reloads_failed;

    struct bq_reload_load *loading; /* main's */
    bool load_left;                 /* main's: a thread goes on with one that was given up */

    struct bq_inside inside; /* the admin port's */
    struct bq_adoption adoption;
    struct bq_source_watch sources; /* in development */
};

/* "0.1.0" */
extern const char bq_version[];

/* Takes: config and app_path stay the caller's and outlive the server. */
void bq_server_init(struct bq_server *s, struct bq_config *config, const char *app_path);
void bq_server_release(struct bq_server *s);

/* Takes from the environment what a service manager has left there, before anything of the
 * application runs. Fails: BQ_INVALID, and why is said. */
int bq_server_meet_manager(struct bq_server *s);

/* Loads the application into the first worker, takes its barq.config into the
 * configuration, and compiles its declarations. Fails: BQ_INVALID, and why is said. */
int bq_server_load(struct bq_server *s);

/* After load: serves until a signal ends it. Gives: the exit code. */
int bq_server_run(struct bq_server *s);

/* For workers: tells main, and waits for nothing. False: too late, the server stops; end. Thread:
 * any. */
bool bq_server_set_state(struct bq_server *s, struct bq_worker *w, enum bq_worker_state state);

/* What the worker of that number counts in. Fails: NULL without memory. Thread: that which builds
 * an application for it. */
struct bq_worker_tally *bq_server_tally(struct bq_server *s, unsigned number);

/* "barq-server: " and the sentence on standard error: for what keeps it from starting. */
void bq_server_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
