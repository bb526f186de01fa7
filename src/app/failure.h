/*
 * failure.h: what happens when Lua raised: errors.respond in a task of its own, or,
 * when even that fails, a plain 500.
 */
#ifndef BQ_APP_FAILURE_H
#define BQ_APP_FAILURE_H

#include "app/dispatch.h"

/* Takes the error on top of call->task->L and prepares a task on whose stack lie errors.respond
 * and its arguments (req, err, trace). NULL: the call has been answered already, since the
 * error came from an error handler, or memory is exhausted. */
struct bq_task *bq_failure_prepare(struct bq_call *call);

/* Whether an answer of the server's own must go through Lua: the application has error handlers,
 * or the client wants application/problem+json. */
bool bq_failure_has_voice(const struct bq_call *call);

/* Below middleware: keeps the error on top of call->task->L (or the refusal of the input) and its
 * traceback as what next() learns. */
void bq_failure_keep(struct bq_call *call);

/* The same with nothing but a 500: the reason is in the log. Needs no memory. */
void bq_failure_set_plain(struct bq_call *call);

/* Sees to it that close(value, err) is given an error: nothing is committed that is answered with
 * an error. One that was raised stays, unless it is nil or a boolean. Needs no memory. */
void bq_failure_tell_close(struct bq_call *call);

/* Logs the error on top of call->task->L with its traceback, behind a sentence. */
void bq_failure_log_raised(struct bq_call *call, const char *what);

/* Lua's memory limit is reached: logs, answers 500. The call is gone. */
void bq_failure_memory(struct bq_call *call);

/* An error line in the log: method, route and text. */
void bq_failure_log(const struct bq_call *call, const char *text);

/* Pushes a sentence for an error value of any type. Raises: on memory exhaustion. */
void bq_describe(lua_State *L, int index);

#endif
