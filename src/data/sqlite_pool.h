/*
 * sqlite_pool.h: the connections of one worker to one database, and whose turn it is.
 *
 *   seat 0: the writer      transactions and whatever changes something, one after the other
 *   seat 1: the quick one   reads, on the worker's own thread, for a millisecond
 *   seat 2 …: readers       reads that took longer, each on its helper thread
 *
 * Without readers (and for a database in memory, which belongs to its connection) seat 0 is all
 * three. An operation first tries to be quick; otherwise it goes to a seat's helper thread, or into
 * the seat's queue:
 *
 *   NEW ─ try ─┬───────────────────────────────────────────────> DONE
 *              └─ go ─┬─> QUEUED ─┬─ a seat is free ─> RUNNING ─ job ─> DONE, told
 *                     │           └─ timer ──────────────────────────> DONE, told
 *                     └─> RUNNING
 *   QUEUED, RUNNING ─ leave ─> LEFT (a job is still to come, told then) or DONE
 *
 * A hold is an open transaction: the writer's seat belongs to it from its first operation, which
 * begins it, to the one that ends it. All of this is the loop's thread's.
 */
#ifndef BQ_DATA_SQLITE_POOL_H
#define BQ_DATA_SQLITE_POOL_H

#include "base/list.h"
#include "data/runner.h"
#include "data/sqlite.h"
#include "data/sqlite_tally.h"

struct bq_sqlite_pool;
struct bq_sqlite_seat;

#define BQ_SQLITE_READERS_MAX 16

/* An open transaction. */
struct bq_sqlite_hold {
    struct bq_sqlite_pool *pool;
    struct bq_sqlite_seat *seat; /* NULL before it begins and after it ends */
    struct bq_list queue;        /* operations that wait for an earlier one in it */
    bool broken;                 /* it is rolled back, or will be, for whoever left it */
};

enum bq_sqlite_state {
    BQ_SQLITE_NEW,
    BQ_SQLITE_QUEUED,
    BQ_SQLITE_RUNNING,
    BQ_SQLITE_LEFT,
    BQ_SQLITE_DONE,
};

enum bq_sqlite_part { BQ_SQLITE_STATEMENT, BQ_SQLITE_BEGIN, BQ_SQLITE_COMMIT, BQ_SQLITE_OPEN };

struct bq_sqlite_op {
    struct bq_sqlite_call call;
    struct bq_sqlite_pool *pool;
    struct bq_sqlite_hold *hold; /* the transaction it is in, or NULL */
    struct bq_sqlite_seat *seat; /* while RUNNING */
    struct bq_work work;
    struct bq_node node; /* in a queue */
    struct bq_timer timer;
    enum bq_sqlite_state state;
    enum bq_sqlite_part part;
    bool writes;      /* for all that is known */
    uint64_t went_us; /* when it was not DONE at once; 0: nobody counts */
    int rc;           /* once DONE: BQ_OK, or BQ_INVALID and what call says */
    /* Called from the loop, once, after bq_sqlite_op_go: it is DONE, or was LEFT and may be freed
     * now. */
    void (*told)(struct bq_sqlite_op *op);
};

/* Nothing is opened yet. wait_ms: how long an operation may be queued. Fails: NULL without memory.
 */
struct bq_sqlite_pool *bq_sqlite_pool_new(const char *path, const struct bq_sqlite_options *options,
                                          size_t readers, uint64_t wait_ms, struct bq_loop *loop);

/* From now on statements are counted there, too; it outlives the pool. */
void bq_sqlite_pool_set_tally(struct bq_sqlite_pool *pool, struct bq_sqlite_tally *tally);

/* Whoever points to a pool, or has an op or hold in it, has a reference. */
void bq_sqlite_pool_ref(struct bq_sqlite_pool *pool);
void bq_sqlite_pool_unref(struct bq_sqlite_pool *pool);

/* What runs is ended with an error, what waits gets one, soon; open transactions are rolled back.
 */
void bq_sqlite_pool_close(struct bq_sqlite_pool *pool);
bool bq_sqlite_pool_closed(const struct bq_sqlite_pool *pool);

/* A part of a transaction, or a statement. call.sql and told are the caller's to set. */
void bq_sqlite_op_init(struct bq_sqlite_op *op, struct bq_sqlite_pool *pool,
                       struct bq_sqlite_hold *hold, enum bq_sqlite_part part);

/* True if it is DONE, on this thread and at once. */
bool bq_sqlite_op_try(struct bq_sqlite_op *op);

/* For one that is not: the open transaction of others whose end it will wait for, or NULL. */
struct bq_sqlite_hold *bq_sqlite_op_obstacle(struct bq_sqlite_op *op);

/* For one that is not: op->told will be called. */
void bq_sqlite_op_go(struct bq_sqlite_op *op);

/* Instead of go: runs it here, however long it takes. It fails where it would have to wait for
 * another operation of this pool, which could only end on this thread. */
void bq_sqlite_op_block(struct bq_sqlite_op *op);

/* After go, before told: nobody wants the result. Waits for the statement to end, which
 * it soon does. A transaction that it was in is rolled back. True if told will not be called. */
bool bq_sqlite_op_leave(struct bq_sqlite_op *op);

/* A hold that begins with the op of that part. */
void bq_sqlite_hold_init(struct bq_sqlite_hold *hold, struct bq_sqlite_pool *pool);

/* Rolls back, if it is still open; what runs in it is ended. */
void bq_sqlite_hold_abandon(struct bq_sqlite_hold *hold);

#endif
