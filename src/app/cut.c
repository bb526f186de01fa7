/* cut.c: deadlines and clients that have gone, as errors for the tasks of a call. */
#include "app/cut.h"

#include "vm/cancel.h"

static bool may_be_cut(const struct bq_call *call)
{
    return call->step != BQ_STEP_CLOSE && call->step != BQ_STEP_RESULT &&
           !(call->step == BQ_STEP_ERROR && call->failing);
}

void bq_cut_below(void *arg, int error)
{
    struct bq_call *call = arg;
    call->cut = error;
    if (!may_be_cut(call))
        return;
    if (call->task)
        bq_task_cancel(call->task, error, false);
}

void bq_cut(struct bq_call *call, int error)
{
    if (call->outer)
        bq_task_cancel(call->outer, error, false);
    else if (call->cut == LUA_NOREF)
        bq_cut_below(call, error);
}

static void pass_deadline(struct bq_timer *timer)
{
    struct bq_call *call = BQ_CONTAINER(timer, struct bq_call, deadline);
    bq_cut(call, call->route->timeout_error);
}

void bq_cut_begin_deadline(struct bq_call *call)
{
    call->deadline.fn = pass_deadline;
    bq_timer_set(bq_loop_wheel(call->app->loop), &call->deadline,
                 bq_task_due_ms(call->route->timeout_s));
}
