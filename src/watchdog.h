/*
 * watchdog.h: whether the server is alive, told to a service manager that restarts it otherwise.
 *
 * A ping that a timer sends would prove that the timer works. Here main looks at every regular
 * worker four times in the time that the service manager allows, and pings if
 *
 *   - each has moved on since the last look: it ran the job that was posted to its loop, or entered
 *     or left Lua;
 *   - or those that have not are inside one Lua call all the while, and somebody else serves
 * whoever waits behind them (adoption.h), or nobody waits.
 *
 * So code that computes for long, or a C library that blocks, is no reason for a restart, while a
 * loop that stands still outside of Lua is one, and so is a server all of whose workers are stuck
 * in Lua before clients that wait.
 */
#ifndef BQ_WATCHDOG_H
#define BQ_WATCHDOG_H

#include "net/loop.h"

struct bq_server;

/* What is known of one worker. */
struct bq_pulse {
    struct bq_job job;
    atomic_bool due;  /* the job is posted and has not run */
    uint32_t absence; /* the worker's word (net/absence.h) at the last look; main's own */
};

struct bq_watchdog {
    struct bq_server *server;
    struct bq_pulse *pulses;  /* of the regular workers; NULL: nobody wants to know */
    unsigned long long moved; /* connections that were taken over until the last look */
    bool complained;
};

/* Once the workers serve. Without memory it is a warning in the log, and every look pings.
 * Thread: main, as for all. */
void bq_watchdog_start(struct bq_watchdog *w, struct bq_server *server);

/* After the workers' loops have been freed, which forget the jobs. */
void bq_watchdog_release(struct bq_watchdog *w);

/* How often to look; 0: never. */
uint64_t bq_watchdog_interval_ms(const struct bq_watchdog *w);

/* Looks, and pings if all is well. What is not is an error in the log, once. Gives: whether it is.
 */
bool bq_watchdog_look(struct bq_watchdog *w);

#endif
