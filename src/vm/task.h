/*
 * task.h: a coroutine that runs a Lua function for the server, and may wait.
 *
 *   take ─> (push function, arguments) ─> start ─┬──────────────> done(DONE or ERROR) ─> pool
 *                                                └─> waiting ─ wake ─┬─> …
 *                                                        ^───────────┘
 *
 * A C function that waits asks bq_task_running for its task, arranges for somebody
 * to call bq_task_wake, and returns bq_task_wait. Lua gets it by way of bq_task_wrap
 * (outward.h), because an error can only be raised at the wait by Lua code around it. It
 * may wait in coroutines of the application's own, too: the yield passes through them.
 * A finished coroutine is used again (on LuaJIT a dead coroutine without error can be
 * resumed with a new function); one that ended in an error is thrown away.
 *
 * What ends a task before its time is in cancel.h.
 */
#ifndef BQ_VM_TASK_H
#define BQ_VM_TASK_H

#include "vm/rows.h"
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

/* Runs when a waiting task is dropped or woken by an error, to cancel what it waits for: after it
 * nobody else wakes the task. */
typedef void (*bq_task_cancel_fn)(void *arg);

/* What has to be undone when a task ends before it has undone it itself. Embedded by its owner, who
 * removes the node before its memory goes. */
struct bq_task_guard {
    struct bq_node node;
    void (*fn)(struct bq_task_guard *guard);
};

/* Runs instead when a task waits for another that is to end first: passes the error (a reference)
 * on to that one, whose end wakes this one as always. */
typedef void (*bq_task_interrupt_fn)(void *arg, int error);

struct bq_task {
    lua_State *L;
    struct bq_vm *vm;
    struct bq_node node; /* in vm->idle or vm->waiting */
    int ref;             /* the registry's, keeps L alive */
    const void *globals; /* those that L was made with */
    bool waiting;
    bool raising; /* an error that wakes it is on its way */
    bool marked;  /* something of what follows is to be undone at its end (cancel.c) */
    bool error_owned;
    unsigned shielded;     /* above 0: no error is raised at its waits */
    int error;             /* it is cancelled: what every wait raises; or LUA_NOREF */
    double handle;         /* what Lua knows it by, or BQ_HANDLE_NONE */
    double joiner;         /* the handle of who goes on only once it has ended, or BQ_HANDLE_NONE */
    struct bq_list scopes; /* its timeouts, the outermost first */
    bq_task_fn done;
    void *arg;         /* the caller's */
    const void *cause; /* likewise: what the thread is away for while it runs (absence.h) */
    bq_task_cancel_fn cancel;
    bq_task_interrupt_fn interrupt; /* NULL: cancel, and the error is raised at the wait */
    void *cancel_arg;
    struct bq_timer timer; /* for whatever it waits for */
    bool takes_rows;       /* who started it takes its result as rows, if it is some (rows.h) */
    struct bq_rows *rows;  /* the result, which its first value keeps alive; or NULL */
    struct bq_list guards; /* their fn run when it ends, however it does */
};

/* A task with an empty stack. Fails: NULL without memory. */
struct bq_task *bq_task_take(struct bq_vm *vm);

/* For a task that will not be started. */
void bq_task_give(struct bq_task *task);

/* Runs the function and its nargs arguments that lie on task->L; done(task) runs
 * before this returns, or later if the function waits. A task may start another. */
void bq_task_start(struct bq_task *task, int nargs, bq_task_fn done, void *arg);

/* The same in one of the loop's next turns; until then it waits. A task may be the caller. */
void bq_task_start_later(struct bq_task *task, bq_task_fn done, void *arg);

/* The running task, for a C function that is about to wait. Raises: a clear error with
 * what ("barq.sleep") where it may not wait: outside a task, or under a C function
 * (table.sort, string.gsub, require); what the task is cancelled with, if it is. */
struct bq_task *bq_task_running(lua_State *L, const char *what);

/* The name of the innermost C function that keeps the coroutine from yielding, as its caller calls
 * it, for messages. Valid: while info is. */
const char *bq_task_blocker(lua_State *L, lua_Debug *info);

/* The return value of a C function that waits. cancel(arg) runs if the task is
 * dropped or cancelled while it waits. */
int bq_task_wait(lua_State *L, struct bq_task *task, bq_task_cancel_fn cancel, void *arg);

/* The same for a task that is not to go on before another has ended: see bq_task_interrupt_fn.
 * Nothing runs if it is dropped. */
int bq_task_wait_for(lua_State *L, struct bq_task *task, bq_task_interrupt_fn interrupt, void *arg);

/* Ends a wait that will not come to its yield, or was left by an error on the way to it. */
void bq_task_unwait(struct bq_task *task);

/* Wakes it without results in one of the loop's next turns. A task may be the caller. The task's
 * timer must be free. */
void bq_task_wake_later(struct bq_task *task);

/* Goes on; the nresults values that were pushed on task->L are what the waiting
 * function returns. Only from the loop, not from within a task. */
void bq_task_wake(struct bq_task *task, int nresults);

/* Whether the task of that coroutine can go on only once this one has ended: so this one would wait
 * forever for what the other is to do. */
bool bq_task_holds_up(const struct bq_task *task, const void *coroutine);

/* Drops a task that waits, if its owner ends before it; its coroutine never goes on. Only
 * from the loop, not from within a task. */
void bq_task_drop(struct bq_task *task);

/* Drops every task; their coroutines never go on. */
void bq_tasks_drop(struct bq_vm *vm);

#define BQ_TASK_SECONDS_MAX (366.0 * 86400)

/* The time of the loop's timers at which so many seconds, counted from now, have passed. */
uint64_t bq_task_due_ms(double seconds);

/* barq.sleep(seconds): suspends the running task; other requests go on.
 * Raises: on a negative, infinite or non-numeric argument, and where bq_task_running does. */
int bq_task_sleep(lua_State *L);

#endif
