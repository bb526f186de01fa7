/*
 * inside.h: what the admin port shows: gathered from the workers, and from what they leave to see.
 *
 *   a look: post a job to each worker that turns its loop ─> it reports (between two calls into
 *   Lua) ─> all have, or some are stuck, or it has taken long enough ─> the snapshot
 *
 * Who does not report in time is shown with what it said last.
 */
#ifndef BQ_INSIDE_H
#define BQ_INSIDE_H

#include "admin/admin.h"
#include "listeners.h"

#include <pthread.h>

struct bq_server;

/* What is kept of one worker; it outlives the worker. */
struct bq_inside_part {
    struct bq_inside *inside;
    struct bq_job job;
    struct bq_histogram lags; /* the worker counts */
    /* Under the lock: */
    pid_t asked; /* the thread that the job is on its way to; 0: none */
    uint64_t asked_us;
    bool wants_flights;
    struct bq_worker_report report;
    struct bq_flight_shown flights[BQ_FLIGHTS_MAX]; /* the oldest, in that order */
    unsigned flight_count;
    /* The admin thread's own: */
    uint32_t absence;    /* the worker's last absence … */
    uint64_t absence_us; /* … and when it was first seen */
};

struct bq_inside {
    struct bq_server *server;
    struct bq_admin *admin;        /* NULL: there is no admin port */
    bool opened;                   /* there is something to release */
    atomic_int phase;              /* enum bq_admin_phase */
    struct bq_listeners listeners; /* the port's */
    pthread_mutex_t lock;
    pthread_cond_t reported;
    struct bq_inside_part *parts; /* by the worker's number */
    /* The admin thread's own: what a snapshot points to. */
    struct bq_worker_shown *workers;
    struct bq_flight_shown *flights;
    const struct bq_tallies **tallies;
};

/* Opens the admin port if the configuration names one. Once the workers are counted, and before
 * their threads. Fails: BQ_INVALID, BQ_SYSTEM, BQ_MEMORY, and why is said. Thread: main. */
int bq_inside_start(struct bq_inside *i, struct bq_server *server);

void bq_inside_set_phase(struct bq_inside *i, enum bq_admin_phase to);

/* Where it is, for people. False: nowhere. */
bool bq_inside_text(const struct bq_inside *i, char out[static BQ_LISTENERS_TEXT_MAX]);

/* Ends it, after which no worker is looked at. Harmless when it was not started. Thread: main. */
void bq_inside_stop(struct bq_inside *i);

/* After the workers' loops have been freed, which forget the jobs. */
void bq_inside_release(struct bq_inside *i);

#endif
