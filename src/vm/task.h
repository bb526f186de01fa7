/*
 * task.h: a coroutine that runs a Lua function for the server, and may wait.
 *
 *   take ─> (push function and arguments) ─> start ─┬─> done(WAS_DONE or WAS_ERROR) ─> pool
 *                                                   └─> WAITING ─ wake ─> … ─> done
 *
 * A C function that waits stores bq_task_running() somewhere, arranges for
 * bq_task_wake, and returns bq_task_wait(L). A finished coroutine is used again; one
 * that ended in an error is thrown away.
 */
#ifndef BQ_VM_TASK_H
#define BQ_VM_TASK_H

#include "vm/vm.h"

enum bq_task_end { BQ_TASK_DONE, BQ_TASK_ERROR };

/* Runs when the task's function has returned (its results are all that is on
 * task->L) or raised (the error value is on top, the stack is still there for
 * luaL_traceback). The task goes back to the pool after it. Must not raise. */
typedef void (*bq_task_fn)(struct bq_task *task, enum bq_task_end end);

/* Runs when a waiting task is dropped (bq_vm_free) so that what it waits for is
 * cancelled. */
typedef void (*bq_task_cancel_fn)(void *arg);

struct bq_task {
    lua_State *L;
    struct bq_vm *vm;
    struct bq_node node;
    int ref; /* keeps L alive */
    bool waiting;
    bq_task_fn done;
    void *arg; /* the caller's */
    bq_task_cancel_fn cancel;
    void *cancel_arg;
    struct bq_timer timer; /* for sleeping */
};

/* A task with an empty stack. Fails: NULL without memory. */
struct bq_task *bq_task_take(struct bq_vm *vm);

/* Runs the function and its nargs arguments that lie on task->L; done(task) runs
 * before this returns, or later if the function waits. */
void bq_task_start(struct bq_task *task, int nargs, bq_task_fn done, void *arg);

/* A task that will not be started. */
void bq_task_give(struct bq_task *task);

/* The running task. Raises: a clear error with what ("barq.sleep") if L is not a
 * place where it may wait: outside a task, in a coroutine of the application's own,
 * or under a C function (table.sort, string.gsub, require). */
struct bq_task *bq_task_running(lua_State *L, const char *what);

/* The return value of a C function that waits: return bq_task_wait(L, task, …). cancel(arg)
 * runs if the task is dropped while it waits. */
int bq_task_wait(lua_State *L, struct bq_task *task, bq_task_cancel_fn cancel, void *arg);

/* Goes on with the nresults values that were pushed on task->L as what the waiting
 * function returns. Only from the loop (not from within another task). */
void bq_task_wake(struct bq_task *task, int nresults);

/* barq.sleep(seconds): pushes the function. */
int bq_task_sleep(lua_State *L);

#endif
