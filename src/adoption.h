/*
 * adoption.h: the thread that sees to it that nothing waits behind a worker inside Lua.
 *
 *   each tick: look at every worker's absence (net/absence.h)
 *     ─> one that lasts is noticed: its worker is stuck
 *     ─> an able worker is asked to take over what is ready there (serve.h)
 *     ─> none is able: a standby worker starts
 *     ─> a standby worker is not needed any more: it parks, a regular worker takes its connections,
 *        it ends
 *
 * A standby worker is one without listening sockets: its own thread, loop and Lua state. This
 * thread sleeps while no worker enters Lua; the first that does wakes it.
 */
#ifndef BQ_ADOPTION_H
#define BQ_ADOPTION_H

#include "net/loop.h"

#include <pthread.h>

struct bq_server;

struct bq_adoption {
    struct bq_watcher watcher; /* what the workers see of it */
    struct bq_server *server;
    pthread_t thread;
    bool started;

    pthread_mutex_t standby_lock; /* held while standby workers start, end and are freed */
    pthread_mutex_t lock;         /* for stopping, and for whoever waits for a change */
    pthread_cond_t changed;
    bool stopping;
    bool held; /* no standby worker may begin to end */

    atomic_ullong moved; /* connections, since the start */

    /* The thread's own: */
    unsigned rotor;    /* the worker that is asked first, if several are able */
    uint64_t retry_ms; /* no standby worker starts before: one has failed */
    unsigned standbys; /* that there are */
};

/* What concerns one worker. Stands in struct bq_worker. */
struct bq_adoption_part {
    struct bq_job ask_job, park_job;
    atomic_bool asked;        /* a job is on its way; it may never run in one that ends */
    atomic_bool stuck;        /* inside Lua for long: others may borrow */
    atomic_bool parked;       /* absent on purpose: to be taken over altogether */
    atomic_bool useful;       /* has taken something over since the last tick */
    atomic_bool retiring;     /* it ends: takes nothing over, and no new code */
    atomic_ullong absence_ms; /* when its last absence was first seen */

    /* adoption.c's thread's own: */
    bool live;        /* it turns its loop */
    bool unseen;      /* stuck, and nobody was asked to look since */
    uint32_t absence; /* the number of its last absence */
    uint64_t asked_ms, needed_ms;
};

void bq_adoption_init(struct bq_adoption *a, struct bq_server *server);

/* Once the workers serve; if the configuration wants it. Fails: BQ_SYSTEM, logged, and the server
 * works without. Thread: main. */
int bq_adoption_start(struct bq_adoption *a);

/* Afterwards no worker starts or is asked for anything, and those that are parked go on. Harmless
 * when it was not started. Thread: main. */
void bq_adoption_stop(struct bq_adoption *a);

/* Held, no standby worker starts, begins to end or is freed. Thread: main. */
void bq_adoption_hold(struct bq_adoption *a, bool held);

void bq_adoption_release(struct bq_adoption *a);

#endif
