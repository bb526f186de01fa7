/*
 * snapshot.h: what a server shows of itself at one moment.
 *
 * The porch fills it in (src/inside.c); metrics.c writes it for Prometheus, page.c for people.
 */
#ifndef BQ_ADMIN_SNAPSHOT_H
#define BQ_ADMIN_SNAPSHOT_H

#include "base/tally.h"
#include "serve/serve.h"

#include <time.h>

enum bq_admin_phase { BQ_ADMIN_STARTING, BQ_ADMIN_SERVING, BQ_ADMIN_DRAINING };

/* What a worker says of itself, which it does between two calls into Lua. */
struct bq_worker_report {
    uint64_t at_us;  /* when (bq_clock_us); 0: never yet */
    uint64_t lag_us; /* how long it took to come to it */
    struct bq_serve_counts serve;
    uint64_t lua_bytes, lua_bytes_max; /* 0: no limit */
    uint64_t tasks, tasks_idle, tasks_waiting;
    uint64_t collections;                    /* complete cycles of Lua's garbage collector */
    uint64_t pauses, pause_ns, pause_ns_max; /* its steps between requests: all, and the longest */
};

struct bq_worker_shown {
    unsigned number;
    bool standby;
    bool serving; /* else it loads, or ends */
    struct bq_worker_report report;
    /* What can be seen without asking it. */
    uint64_t in_lua_ms; /* how long it is inside Lua already; 0: it is not, or for a moment */
    const struct bq_tally *cause;    /* what for; NULL: nobody knows */
    const struct bq_histogram *lags; /* all that were measured */
};

#define BQ_FLIGHT_TARGET_MAX 160
#define BQ_FLIGHT_WHERE_MAX  200
#define BQ_FLIGHTS_MAX       50

/* A request that waits for its answer. */
struct bq_flight_shown {
    unsigned worker;
    uint64_t age_us;
    bool gone; /* its client has left */
    char method[24];
    char target[BQ_FLIGHT_TARGET_MAX]; /* as received, cut */
    char client[64 + 1];               /* its address; "" on a UNIX socket */
    char where[BQ_FLIGHT_WHERE_MAX];
};

struct bq_sqlite_counts_shown {
    uint64_t statements, failed;
    uint64_t waited,
        waited_us; /* those that were not done at once, and how long they took in all */
};

struct bq_process_shown {
    double cpu_user_s, cpu_system_s;
    uint64_t resident_bytes, virtual_bytes;
    uint64_t threads;
    uint64_t descriptors, descriptors_max;
    double started_s; /* since the epoch */
};

struct bq_snapshot {
    const char *version, *app_path;
    enum bq_admin_phase phase;
    uint64_t now_us; /* bq_clock_us */
    time_t now_s;

    struct bq_worker_shown *workers;
    unsigned worker_count;
    const struct bq_tallies *const *tallies; /* of each worker that there is or was */
    unsigned tallies_count;

    struct bq_flight_shown *flights; /* the oldest first, at most BQ_FLIGHTS_MAX; NULL: not asked */
    unsigned flight_count;

    uint64_t connections_moved; /* by adoption */
    unsigned standbys;          /* standby workers that there are */
    uint64_t reloads, reloads_failed;
    uint64_t access_log_dropped;
    uint64_t log_warnings, log_errors;
    unsigned offload_threads, offload_idle, offload_queued;
    struct bq_sqlite_counts_shown sqlite;
    struct bq_process_shown process;
};

#endif
