/*
 * prepare.h: what lies on a task's stack before a step starts it.
 *
 * Handlers, providers and middleware are entered with values that need memory (req, deps, the
 * validated input), so all of it is made in one protected call on the task's own coroutine. The
 * declared input is read here, before the first provider or the handler, once.
 */
#ifndef BQ_APP_PREPARE_H
#define BQ_APP_PREPARE_H

#include "app/dispatch.h"

/* Makes the C function that does it; once a state. Raises: on memory exhaustion. */
void bq_prepare_open(lua_State *L, struct bq_app *app);

/* Leaves the function of call->step and its arguments on task->L; nothing when there is nothing to
 * call: the values are made, or the input is refused (call->status). Fails: lua_pcall's code, with
 * the error on top (memory, or what a schema's check raised). */
int bq_prepare(struct bq_call *call, struct bq_task *task);

#endif
