/*
 * cancel.h: what ends a task before its time, at its waits.
 *
 * A cancelled task goes on until it waits, or its wait is ended; there an error is raised, and
 * again at every further wait, so that code which catches it does not keep the task. A timeout
 * does the same within its scope only: of several that have expired the outermost counts, until
 * the scope is left. A shielded task is told nothing until the shield is taken away.
 *
 *   waiting ── cancel or expiry ──> what it waits for is cancelled ── next turn ──> raises
 */
#ifndef BQ_VM_CANCEL_H
#define BQ_VM_CANCEL_H

#include "vm/task.h"

/* Cancels the task with the error (a reference, which must stay valid while the task runs; owned:
 * it is the task's from now on). The first error stays. Anybody may call it, a task too. */
void bq_task_cancel(struct bq_task *task, int error, bool owned);

/* What its waits raise now, as a reference; LUA_NOREF: nothing. */
int bq_task_error(const struct bq_task *task);

/* Raises that, unless the task is shielded. */
void bq_task_check(lua_State *L, const struct bq_task *task);

/* Begins a timeout's scope: the error, which the scope owns, is raised after so many seconds.
 * Gives: how many scopes the task is in. Fails: BQ_MEMORY. */
int bq_task_scope_begin(struct bq_task *task, double seconds, int error);

/* Leaves scopes until count of them are left. */
void bq_task_scope_end(struct bq_task *task, int count);

/* Forgets the cancellation, the scopes, the shield and the handle: the task has ended. */
void bq_task_unmark(struct bq_task *task);

#endif
