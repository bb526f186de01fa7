/* opening.c: who opens a worker-scoped provider, and who waits for that. */
#include "app/opening.h"

#include "app/instance.h"
#include "base/mem.h"
#include "vm/outward.h"
#include "vm/task.h"

/* A task in the provider's list. */
struct opening_wait {
    struct bq_node node;
    struct bq_task *task;
    struct bq_provider *provider;
};

static void leave(void *arg)
{
    struct opening_wait *w = arg;
    bq_list_remove(&w->node);
    bq_free(w);
}

static void release(struct bq_provider *provider)
{
    struct bq_node *node;
    provider->opener = NULL;
    while ((node = bq_list_take(&provider->waiting))) {
        struct opening_wait *w = BQ_CONTAINER(node, struct opening_wait, node);
        bq_task_wake_later(w->task);
        bq_free(w);
    }
}

static void opener_ended(struct bq_task_guard *guard)
{
    release(BQ_CONTAINER(guard, struct bq_provider, guard));
}

void bq_opening_begin(struct bq_provider *provider, struct bq_task *task)
{
    provider->opener = task;
    provider->guard.fn = opener_ended;
    bq_list_push(&task->guards, &provider->guard.node);
}

void bq_opening_end(struct bq_provider *provider)
{
    bq_list_remove(&provider->guard.node);
    release(provider);
}

/* The provider whose opening it waits for, or NULL. */
static const struct bq_provider *awaited_by(const struct bq_task *task)
{
    const struct opening_wait *w = task->cancel_arg;
    return task->waiting && task->cancel == leave ? w->provider : NULL;
}

/* Whether the opener waits for the task, for another opener that does, and so on. Since nobody
 * waits in a circle, this ends. */
static bool would_circle(const struct bq_provider *provider, const struct bq_task *task)
{
    for (; provider && provider->opener; provider = awaited_by(provider->opener))
        if (provider->opener == task || bq_task_holds_up(task, provider->opener->L))
            return true;
    return false;
}

static int await(lua_State *L, struct bq_provider *provider, struct bq_task *task)
{
    if (would_circle(provider, task))
        return luaL_error(L, "a dependency would wait for itself to be opened");
    struct opening_wait *w = bq_alloc(sizeof *w);
    if (!w)
        return luaL_error(L, "not enough memory");
    *w = (struct opening_wait){.task = task, .provider = provider};
    bq_list_push(&provider->waiting, &w->node);
    return bq_task_wait(L, task, leave, w);
}

static int l_await(lua_State *L)
{
    return await(L, lua_touserdata(L, 1), bq_task_running(L, "a dependency"));
}

void bq_opening_push_await(lua_State *L)
{
    lua_pushcfunction(L, l_await);
    bq_task_wrap(L);
}

/* begin_open(provider) -> true: the caller opens it, and says when that has ended; or nothing, once
 * another has. */
int bq_opening_l_begin(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    struct bq_task *task = bq_task_running(L, "barq.with");
    luaL_checktype(L, 1, LUA_TTABLE);
    struct bq_provider *provider = bq_provider_get(L, app, 1);
    if (provider->opener)
        return await(L, provider, task);
    bq_opening_begin(provider, task);
    lua_pushboolean(L, 1);
    return 1;
}

/* end_open(provider) */
int bq_opening_l_end(lua_State *L)
{
    struct bq_app *app = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TTABLE);
    struct bq_provider *provider = bq_provider_get(L, app, 1);
    if (provider->opener == bq_vm_of(L)->running)
        bq_opening_end(provider);
    return 0;
}
