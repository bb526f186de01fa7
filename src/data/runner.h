/*
 * runner.h: a thread that does one thing at a time for a loop, which goes on meanwhile.
 *
 *   idle ─ start ─> running ─┬─ run has returned ──> posted ─ job ─> idle
 *                            └─ cancel ── (waits) ─> idle
 *
 * One thread, the loop's, uses a runner. The thread is made at the first start.
 */
#ifndef BQ_DATA_RUNNER_H
#define BQ_DATA_RUNNER_H

#include "net/loop.h"

#include <pthread.h>

/* Embedded by its owner, who keeps it until its job has run or it is cancelled. */
struct bq_work {
    struct bq_job job;                 /* run on the loop's thread, afterwards */
    void (*run)(struct bq_work *work); /* run on the runner's thread */
    struct bq_loop *loop;
};

struct bq_runner {
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    struct bq_work *work; /* to be run, or running */
    bool cancelled;       /* its job shall not be posted */
    bool stop;
    bool started; /* this and thread: the loop's thread only */
    pthread_t thread;
};

void bq_runner_init(struct bq_runner *h);

/* Nothing runs. Ends the thread. */
void bq_runner_release(struct bq_runner *h);

/* Takes: a runner that runs nothing. Fails: BQ_SYSTEM (there is no thread to be had). */
int bq_runner_start(struct bq_runner *h, struct bq_work *work);

/* Waits until run has returned. True if the job will not be run; false if it was posted before,
 * and work must stay until then. */
bool bq_runner_cancel(struct bq_runner *h, const struct bq_work *work);

#endif
