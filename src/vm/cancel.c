/* cancel.c: cancelled tasks and timeouts: errors that are raised at waits. */
#include "vm/cancel.h"

#include "base/mem.h"
#include "base/rc.h"
#include "vm/outward.h"

struct bq_task_scope {
    struct bq_node node;
    struct bq_timer timer;
    struct bq_task *task;
    int error;
    bool expired;
};

static struct bq_wheel *wheel_of(const struct bq_task *task)
{
    return bq_loop_wheel(task->vm->loop);
}

int bq_task_error(const struct bq_task *task)
{
    if (task->error != LUA_NOREF)
        return task->error;
    const struct bq_node *end = &task->scopes.head;
    for (const struct bq_node *node = end->next; node != end; node = node->next) {
        const struct bq_task_scope *scope = BQ_CONTAINER(node, struct bq_task_scope, node);
        if (scope->expired)
            return scope->error;
    }
    return LUA_NOREF;
}

void bq_task_check(lua_State *L, const struct bq_task *task)
{
    int error = task->shielded ? LUA_NOREF : bq_task_error(task);
    if (error == LUA_NOREF)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, error);
    lua_error(L);
}

static void raise_on_time(struct bq_timer *timer)
{
    struct bq_task *task = BQ_CONTAINER(timer, struct bq_task, timer);
    task->raising = false;
    bq_outward_push_error(task->L, bq_task_error(task));
    bq_task_wake(task, 2);
}

/* Ends the task's wait, if it waits and may be told. In the next turn, because the caller may be
 * another task, or about to look at this one. */
static void interrupt(struct bq_task *task)
{
    if (!task->waiting || task->shielded || task->raising)
        return;
    if (task->interrupt) {
        task->interrupt(task->cancel_arg, bq_task_error(task));
        return;
    }
    if (task->cancel)
        task->cancel(task->cancel_arg);
    bq_task_wake_later(task);
    task->timer.fn = raise_on_time;
    task->raising = true;
}

void bq_task_cancel(struct bq_task *task, int error, bool owned)
{
    if (task->error != LUA_NOREF) {
        if (owned)
            luaL_unref(task->vm->L, LUA_REGISTRYINDEX, error);
        return;
    }
    task->error = error;
    task->error_owned = owned;
    task->marked = true;
    interrupt(task);
}

/* --- timeouts ----------------------------------------------------------------------------- */

static void expire(struct bq_timer *timer)
{
    struct bq_task_scope *scope = BQ_CONTAINER(timer, struct bq_task_scope, timer);
    scope->expired = true;
    interrupt(scope->task);
}

static int count_scopes(const struct bq_task *task)
{
    int count = 0;
    const struct bq_node *end = &task->scopes.head;
    for (const struct bq_node *node = end->next; node != end; node = node->next)
        count++;
    return count;
}

int bq_task_scope_begin(struct bq_task *task, double seconds, int error)
{
    struct bq_task_scope *scope = bq_alloc_zero(sizeof *scope);
    if (!scope)
        return BQ_MEMORY;
    scope->task = task;
    scope->error = error;
    scope->timer.fn = expire;
    bq_list_push(&task->scopes, &scope->node);
    bq_timer_set(wheel_of(task), &scope->timer, bq_task_due_ms(seconds));
    task->marked = true;
    return count_scopes(task);
}

static void end_last_scope(struct bq_task *task)
{
    struct bq_node *last = task->scopes.head.prev;
    struct bq_task_scope *scope = BQ_CONTAINER(last, struct bq_task_scope, node);
    bq_list_remove(&scope->node);
    bq_timer_clear(wheel_of(task), &scope->timer);
    luaL_unref(task->vm->L, LUA_REGISTRYINDEX, scope->error);
    bq_free(scope);
}

void bq_task_scope_end(struct bq_task *task, int count)
{
    for (int n = count_scopes(task); n > count; n--)
        end_last_scope(task);
}

void bq_task_unmark(struct bq_task *task)
{
    bq_task_scope_end(task, 0);
    if (task->error_owned)
        luaL_unref(task->vm->L, LUA_REGISTRYINDEX, task->error);
    bq_handle_revoke(&task->vm->handles, task->handle);
    task->handle = BQ_HANDLE_NONE;
    task->error = LUA_NOREF;
    task->error_owned = task->marked = false;
    task->shielded = 0;
}
