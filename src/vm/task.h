/*
 * task.h: a coroutine that runs a Lua function for the server, and may wait.
 *
 *   take ─> (push function, arguments) ─> start ─┬──────────────> done(DONE or ERROR) ─> pool
 *                                                └─> waiting ─ wake ─┬─> …
 *                                                        ^───────────┘
 *
 * A C function that waits asks bq_task_running for its task, arranges for somebody
 * to call bq_task_wake, and returns bq_task_wait. A finished coroutine is used again
 * (on LuaJIT a dead coroutine without error can be resumed with a new function); one
 * that ended in an error is thrown away.
 */
#ifndef BQ_VM_TASK_H
#define BQ_VM_TASK_H

#include "vm/vm.h"

/* Makes now what tasks need later, where nothing catches an error; once a state. Raises: on
 * memory exhaustion. */
void bq_tasks_open(lua_State *L, struct bq_vm *vm);

enum bq_task_end { BQ_TASK_DONE, BQ_TASK_ERROR, BQ_TASK_DROPPED };

/* Runs when the task's function has returned (its results are all that lies on
 * task->L), raised (the error value is on top, the stack is still there for
 * luaL_traceback), or will never end because it was dropped (DROPPED: only arg may be
 * looked at). The task goes back to the pool after it. Must not raise. */
typedef void (*bq_task_fn)(struct bq_task *task, enum bq_task_end end);

/* Runs when a waiting task is dropped, to cancel what it waits for. */
typedef void (*bq_task_cancel_fn)(void *arg);

struct bq_task {
    lua_State *L;
    struct bq_vm *vm;
    struct bq_node node; /* in vm->idle or vm->waiting */
    int ref;             /* the registry's, keeps L alive */
    bool waiting;
    bq_task_fn done;
    void *arg; /* the caller's */
    bq_task_cancel_fn cancel;
    void *cancel_arg;
    struct bq_timer timer; /* for whatever it waits for */
};

/* A task with an empty stack. Fails: NULL without memory. */
struct bq_task *bq_task_take(struct bq_vm *vm);

/* For a task that will not be started. */
void bq_task_give(struct bq_task *task);

/* Runs the function and its nargs arguments that lie on task->L; done(task) runs
 * before this returns, or later if the function waits. A task may start another. */
void bq_task_start(struct bq_task *task, int nargs, bq_task_fn done, void *arg);

/* The running task, for a C function that is about to wait. Raises: a clear error with
 * what ("barq.sleep") where it may not wait: outside a task, in a coroutine of the
 * application's own, or under a C function (table.sort, string.gsub, require). */
struct bq_task *bq_task_running(lua_State *L, const char *what);

/* The return value of a C function that waits. cancel(arg) runs if the task is
 * dropped while it waits. */
int bq_task_wait(lua_State *L, struct bq_task *task, bq_task_cancel_fn cancel, void *arg);

/* Goes on; the nresults values that were pushed on task->L are what the waiting
 * function returns. Only from the loop, not from within a task. */
void bq_task_wake(struct bq_task *task, int nresults);

/* Drops a task that waits, if its owner ends before it; its coroutine never goes on. Only
 * from the loop, not from within a task. */
void bq_task_drop(struct bq_task *task);

/* Drops every task; their coroutines never go on. */
void bq_tasks_drop(struct bq_vm *vm);

/* barq.sleep(seconds): suspends the running task; other requests go on.
 * Raises: on a negative, infinite or non-numeric argument, and where bq_task_running does. */
int bq_task_sleep(lua_State *L);

#endif
