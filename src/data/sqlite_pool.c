/* sqlite_pool.c: seats and queues. */
#include "data/sqlite_pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>

enum { WRITER = 0, QUICK = 1, FIRST_READER = 2 };

struct bq_sqlite_seat {
    struct bq_sqlite *db;
    struct bq_runner runner;
    struct bq_sqlite_op *op;     /* runs on the helper */
    struct bq_sqlite_hold *hold; /* whose it is */
    struct bq_list *queue;       /* whom it serves */
};

struct bq_sqlite_pool {
    size_t refs;
    struct bq_loop *loop;
    uint64_t wait_ms;
    struct bq_sqlite_tally *tally; /* NULL: nobody counts */
    bool closed;
    struct bq_list writers, readers; /* operations that wait for a seat */
    size_t seat_count;
    struct bq_sqlite_seat seats[];
};

/* --- pools --- */

static void init_seat(struct bq_sqlite_pool *pool, size_t i)
{
    struct bq_sqlite_seat *seat = &pool->seats[i];
    bq_runner_init(&seat->runner);
    seat->queue = i == WRITER ? &pool->writers : &pool->readers;
}

static void free_pool(struct bq_sqlite_pool *pool)
{
    for (size_t i = 0; i < pool->seat_count; i++) {
        bq_runner_release(&pool->seats[i].runner);
        bq_sqlite_free(pool->seats[i].db);
    }
    bq_free(pool);
}

struct bq_sqlite_pool *bq_sqlite_pool_new(const char *path, const struct bq_sqlite_options *options,
                                          size_t readers, uint64_t wait_ms, struct bq_loop *loop)
{
    assert(readers <= BQ_SQLITE_READERS_MAX);
    size_t count = readers ? FIRST_READER + readers : 1;
    struct bq_sqlite_pool *pool = bq_alloc_zero(sizeof *pool + count * sizeof *pool->seats);
    if (!pool)
        return NULL;
    pool->refs = 1;
    pool->loop = loop;
    pool->wait_ms = wait_ms;
    bq_list_init(&pool->writers);
    bq_list_init(&pool->readers);
    for (; pool->seat_count < count; pool->seat_count++) {
        size_t i = pool->seat_count;
        init_seat(pool, i);
        pool->seats[i].db = bq_sqlite_new(path, options, i != WRITER);
        if (!pool->seats[i].db) {
            pool->seat_count++;
            free_pool(pool);
            return NULL;
        }
    }
    return pool;
}

void bq_sqlite_pool_set_tally(struct bq_sqlite_pool *pool, struct bq_sqlite_tally *tally)
{
    pool->tally = tally;
}

void bq_sqlite_pool_ref(struct bq_sqlite_pool *pool)
{
    pool->refs++;
}

void bq_sqlite_pool_unref(struct bq_sqlite_pool *pool)
{
    if (--pool->refs == 0)
        free_pool(pool);
}

bool bq_sqlite_pool_closed(const struct bq_sqlite_pool *pool)
{
    return pool->closed;
}

/* --- operations --- */

/* It is DONE, with op->rc. */
static void count(const struct bq_sqlite_op *op)
{
    struct bq_sqlite_tally *tally = op->pool->tally;
    if (!tally)
        return;
    bq_counter_add(&tally->statements, 1);
    if (op->rc != BQ_OK)
        bq_counter_add(&tally->failed, 1);
    if (!op->went_us)
        return;
    bq_counter_add(&tally->waited, 1);
    bq_counter_add(&tally->waited_us, bq_clock_us() - op->went_us);
}

static int fail_closed(struct bq_sqlite_op *op)
{
    return bq_sqlite_fail(&op->call, BQ_SQLITE_MISUSE, "the database is closed");
}

static int fail_over(struct bq_sqlite_op *op)
{
    return bq_sqlite_fail(&op->call, BQ_SQLITE_MISUSE,
                          op->hold->broken ? "the transaction was rolled back, because it was "
                                             "cancelled"
                                           : "the transaction is over");
}

void bq_sqlite_op_init(struct bq_sqlite_op *op, struct bq_sqlite_pool *pool,
                       struct bq_sqlite_hold *hold, enum bq_sqlite_part part)
{
    bq_sqlite_call_reset(&op->call);
    op->pool = pool;
    op->hold = hold;
    op->seat = NULL;
    op->went_us = 0;
    op->state = BQ_SQLITE_NEW;
    op->part = part;
    op->writes = true;
    op->rc = BQ_OK;
}

/* What goes for a statement in the seat's hold, and outside of one. On a helper's thread, too. */
static int run_statement(struct bq_sqlite *db, struct bq_sqlite_op *op, enum bq_sqlite_how how)
{
    if (op->hold && !bq_sqlite_in_transaction(db))
        return bq_sqlite_fail(&op->call, BQ_SQLITE_MISUSE,
                              "the transaction is over: an earlier error has rolled it back");
    int rc = bq_sqlite_run(db, &op->call, how);
    if (op->hold || !bq_sqlite_in_transaction(db))
        return rc;
    bq_sqlite_roll_back(db);
    return bq_sqlite_fail(&op->call, BQ_SQLITE_MISUSE,
                          "a transaction cannot be left open: begin it with db:tx or db:begin");
}

static int run_part(struct bq_sqlite *db, struct bq_sqlite_op *op)
{
    int rc = BQ_OK;
    switch (op->part) {
    case BQ_SQLITE_OPEN:
        return bq_sqlite_open(db, &op->call);
    case BQ_SQLITE_STATEMENT:
        return run_statement(db, op, BQ_SQLITE_BLOCK);
    case BQ_SQLITE_BEGIN:
        op->call.sql = BQ_STR("begin immediate");
        return bq_sqlite_run(db, &op->call, BQ_SQLITE_BLOCK);
    case BQ_SQLITE_COMMIT:
        op->call.sql = BQ_STR("commit");
        rc = run_statement(db, op, BQ_SQLITE_BLOCK);
        bq_sqlite_roll_back(db); /* if it failed, the transaction is still open */
        break;
    }
    return rc;
}

static void run_on_runner(struct bq_work *work)
{
    struct bq_sqlite_op *op = BQ_CONTAINER(work, struct bq_sqlite_op, work);
    op->rc = run_part(op->seat->db, op);
}

static void finish_run(struct bq_job *job);

/* Where the machine has no thread left, the worker does it itself. */
static void start(struct bq_sqlite_seat *seat, struct bq_sqlite_op *op)
{
    bq_timer_clear(bq_loop_wheel(op->pool->loop), &op->timer);
    op->state = BQ_SQLITE_RUNNING;
    op->seat = seat;
    op->work.run = run_on_runner;
    op->work.job.fn = finish_run;
    op->work.loop = op->pool->loop;
    seat->op = op;
    if (bq_runner_start(&seat->runner, &op->work) == BQ_OK)
        return;
    run_on_runner(&op->work);
    bq_loop_post(op->pool->loop, &op->work.job);
}

static void start_next(struct bq_sqlite_seat *seat)
{
    struct bq_list *queue = seat->hold ? &seat->hold->queue : seat->queue;
    struct bq_node *node = bq_list_take(queue);
    seat->op = NULL;
    if (node)
        start(seat, BQ_CONTAINER(node, struct bq_sqlite_op, node));
}

static void run_timer(struct bq_timer *timer)
{
    struct bq_sqlite_op *op = BQ_CONTAINER(timer, struct bq_sqlite_op, timer);
    if (op->state == BQ_SQLITE_QUEUED) {
        bq_list_remove(&op->node);
        op->state = BQ_SQLITE_DONE;
        op->rc = bq_sqlite_fail(&op->call, BQ_SQLITE_BUSY,
                                "waited %.3g s for other statements of this worker (option wait)",
                                (double)op->pool->wait_ms / 1000);
    }
    if (op->state == BQ_SQLITE_DONE)
        count(op);
    op->told(op);
}

static void enqueue(struct bq_sqlite_op *op, struct bq_list *queue)
{
    op->state = BQ_SQLITE_QUEUED;
    bq_list_push(queue, &op->node);
    op->timer.fn = run_timer;
    bq_timer_set(bq_loop_wheel(op->pool->loop), &op->timer,
                 bq_loop_now_ms(op->pool->loop) + op->pool->wait_ms + 1);
}

/* Tells from the loop, later: whoever calls may be within a task. */
static void fail_soon(struct bq_sqlite_op *op, int rc)
{
    bq_list_remove(&op->node);
    op->state = BQ_SQLITE_DONE;
    op->rc = rc;
    op->timer.fn = run_timer;
    bq_timer_set(bq_loop_wheel(op->pool->loop), &op->timer, 0);
}

/* --- transactions --- */

void bq_sqlite_hold_init(struct bq_sqlite_hold *hold, struct bq_sqlite_pool *pool)
{
    hold->pool = pool;
    hold->seat = NULL;
    hold->broken = false;
    bq_list_init(&hold->queue);
}

/* The seat is the next one's. */
static void end_hold(struct bq_sqlite_hold *hold)
{
    struct bq_sqlite_seat *seat = hold->seat;
    struct bq_node *node;
    hold->seat = NULL;
    seat->hold = NULL;
    while ((node = bq_list_peek(&hold->queue))) {
        struct bq_sqlite_op *op = BQ_CONTAINER(node, struct bq_sqlite_op, node);
        fail_soon(op, fail_over(op));
    }
}

void bq_sqlite_hold_abandon(struct bq_sqlite_hold *hold)
{
    struct bq_sqlite_seat *seat = hold->seat;
    if (!seat)
        return;
    hold->broken = true;
    if (seat->op) { /* another task's: it ends soon, and the transaction with it */
        atomic_store(&seat->op->call.stop, true);
        return;
    }
    bq_sqlite_roll_back(seat->db);
    end_hold(hold);
    start_next(seat);
}

/* Of a pool that is closed; nothing runs on the seat. */
static void shut(struct bq_sqlite_seat *seat)
{
    if (seat->hold) {
        bq_sqlite_roll_back(seat->db);
        end_hold(seat->hold);
    }
    bq_sqlite_close(seat->db);
}

/* After op has run on its seat: whose is the seat now? */
static void pass_on(struct bq_sqlite_op *op)
{
    struct bq_sqlite_seat *seat = op->seat;
    op->seat = NULL;
    seat->op = NULL;
    if (op->part == BQ_SQLITE_BEGIN && op->rc == BQ_OK) {
        seat->hold = op->hold;
        op->hold->seat = seat;
    } else if (op->part == BQ_SQLITE_COMMIT) {
        end_hold(op->hold);
    } else if (seat->hold && seat->hold->broken) {
        bq_sqlite_roll_back(seat->db);
        end_hold(seat->hold);
    }
    if (op->pool->closed)
        shut(seat);
    else
        start_next(seat);
}

/* --- the ways of an operation --- */

static struct bq_sqlite_seat *seat_to_wait_for(struct bq_sqlite_op *op, struct bq_list **queue)
{
    struct bq_sqlite_pool *pool = op->pool;
    if (op->hold && op->part != BQ_SQLITE_BEGIN) {
        *queue = &op->hold->queue;
        return op->hold->seat->op ? NULL : op->hold->seat;
    }
    bool reader = !op->writes && pool->seat_count > 1;
    size_t last = reader ? pool->seat_count : 1;
    *queue = reader ? &pool->readers : &pool->writers;
    for (size_t i = reader ? FIRST_READER : WRITER; i < last; i++) {
        if (!pool->seats[i].op && !pool->seats[i].hold)
            return &pool->seats[i];
    }
    return NULL;
}

/* Whether it can begin at all; it is DONE otherwise. */
static bool can_run(struct bq_sqlite_op *op)
{
    if (op->pool->closed)
        op->rc = fail_closed(op);
    else if (op->hold && op->part != BQ_SQLITE_BEGIN && (!op->hold->seat || op->hold->broken))
        op->rc = fail_over(op);
    else
        return true;
    op->state = BQ_SQLITE_DONE;
    return false;
}

/* The seat for a statement on this thread, if it is free. */
static struct bq_sqlite_seat *seat_for_now(const struct bq_sqlite_op *op)
{
    struct bq_sqlite_pool *pool = op->pool;
    struct bq_sqlite_seat *seat = &pool->seats[WRITER];
    if (op->hold && op->part != BQ_SQLITE_BEGIN)
        seat = op->hold->seat;
    else if (!op->writes && pool->seat_count > 1)
        seat = &pool->seats[QUICK];
    else if (seat->hold)
        return NULL;
    return seat->op ? NULL : seat;
}

bool bq_sqlite_op_try(struct bq_sqlite_op *op)
{
    if (!can_run(op))
        return true;
    op->writes = op->part != BQ_SQLITE_STATEMENT || !bq_sqlite_seems_to_read(op->call.sql);
    if (op->writes)
        return false;
    struct bq_sqlite_seat *seat = seat_for_now(op);
    if (!seat)
        return false;
    int rc = run_statement(seat->db, op, BQ_SQLITE_QUICK);
    op->writes = rc == BQ_CONFLICT;
    if (rc == BQ_AGAIN || rc == BQ_CONFLICT)
        return false;
    op->rc = rc;
    op->state = BQ_SQLITE_DONE;
    count(op);
    return true;
}

struct bq_sqlite_hold *bq_sqlite_op_obstacle(struct bq_sqlite_op *op)
{
    struct bq_list *queue;
    if (seat_to_wait_for(op, &queue) || queue != &op->pool->writers)
        return NULL;
    return op->pool->seats[WRITER].hold;
}

void bq_sqlite_op_go(struct bq_sqlite_op *op)
{
    struct bq_list *queue;
    struct bq_sqlite_seat *seat = seat_to_wait_for(op, &queue);
    if (op->pool->tally && !op->went_us)
        op->went_us = bq_clock_us();
    if (seat)
        start(seat, op);
    else
        enqueue(op, queue);
}

static void finish_run(struct bq_job *job)
{
    struct bq_sqlite_op *op = BQ_CONTAINER(job, struct bq_sqlite_op, work.job);
    if (op->state == BQ_SQLITE_LEFT) {
        op->told(op);
        return;
    }
    bool moves = op->rc == BQ_CONFLICT && !op->pool->closed;
    pass_on(op);
    if (moves) { /* "with … insert" had looked like a read */
        op->writes = true;
        bq_sqlite_op_go(op);
        return;
    }
    if (op->rc != BQ_OK && op->pool->closed)
        op->rc = fail_closed(op);
    op->state = BQ_SQLITE_DONE;
    count(op);
    op->told(op);
}

void bq_sqlite_op_block(struct bq_sqlite_op *op)
{
    struct bq_sqlite_seat *seat = seat_for_now(op);
    op->state = BQ_SQLITE_DONE;
    if (!seat) {
        op->rc = bq_sqlite_fail(&op->call, BQ_SQLITE_BUSY,
                                "another statement or transaction of this worker is not over, and "
                                "this code cannot wait for it");
        return;
    }
    op->seat = seat;
    op->rc = run_part(seat->db, op);
    if (op->rc == BQ_CONFLICT) {
        op->seat = NULL;
        op->writes = true;
        bq_sqlite_op_block(op);
        return;
    }
    count(op);
    if (seat == &op->pool->seats[QUICK])
        op->seat = NULL; /* nobody waits for this one */
    else
        pass_on(op);
}

/* The transaction ends with the statement of it that is not wanted any more; before anybody else
 * gets the seat. */
static void break_transaction(struct bq_sqlite_op *op)
{
    if (!op->hold)
        return;
    bq_sqlite_roll_back(op->seat->db);
    if (op->hold->seat) {
        op->hold->broken = true;
        end_hold(op->hold);
    }
    op->part = BQ_SQLITE_STATEMENT; /* there is nothing left to begin or end */
}

bool bq_sqlite_op_leave(struct bq_sqlite_op *op)
{
    bool gone = true;
    bq_timer_clear(bq_loop_wheel(op->pool->loop), &op->timer);
    bq_list_remove(&op->node);
    if (op->state == BQ_SQLITE_RUNNING) {
        atomic_store(&op->call.stop, true);
        gone = bq_runner_cancel(&op->seat->runner, &op->work);
        break_transaction(op);
        pass_on(op);
    }
    op->rc = bq_sqlite_fail(&op->call, BQ_SQLITE_INTERRUPT, "the statement was cancelled");
    op->state = gone ? BQ_SQLITE_DONE : BQ_SQLITE_LEFT;
    return gone;
}

static void fail_queue(struct bq_list *queue)
{
    struct bq_node *node;
    while ((node = bq_list_peek(queue))) {
        struct bq_sqlite_op *op = BQ_CONTAINER(node, struct bq_sqlite_op, node);
        fail_soon(op, fail_closed(op));
    }
}

static void close_seat(struct bq_sqlite_seat *seat)
{
    if (seat->hold)
        fail_queue(&seat->hold->queue);
    if (seat->op)
        atomic_store(&seat->op->call.stop, true);
    else
        shut(seat);
}

void bq_sqlite_pool_close(struct bq_sqlite_pool *pool)
{
    if (pool->closed)
        return;
    pool->closed = true;
    fail_queue(&pool->writers);
    fail_queue(&pool->readers);
    for (size_t i = 0; i < pool->seat_count; i++)
        close_seat(&pool->seats[i]);
}
