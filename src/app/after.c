/* after.c: lists of functions to call after an answer, each list a task. */
#include "app/after.h"

#include "app/failure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"

struct bq_after {
    struct bq_node node; /* in app->afters until it begins */
    struct bq_timer timer;
    struct bq_app *app;
    int list;
};

void bq_after_push(lua_State *L, struct bq_call *call)
{
    int args = lua_gettop(L) - 2;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (call->after == LUA_NOREF) {
        lua_newtable(L);
        call->after = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_createtable(L, args + 2, 0);
    lua_insert(L, 2);
    for (int i = args; i >= 1; i--)
        lua_rawseti(L, 2, i + 2);
    lua_rawseti(L, 2, 1);
    lua_pushinteger(L, args);
    lua_rawseti(L, 2, 2);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->after);
    lua_insert(L, 2);
    lua_rawseti(L, 2, (int)lua_objlen(L, 2) + 1);
}

static void end_after(struct bq_after *after)
{
    luaL_unref(after->app->vm->L, LUA_REGISTRYINDEX, after->list);
    after->app->pending--;
    bq_free(after);
}

static void after_done(struct bq_task *task, enum bq_task_end end)
{
    /* run_after catches what its functions raise; what is left is a lack of memory. */
    if (end == BQ_TASK_ERROR)
        bq_error("req:after failed: not enough memory: see lua_memory_max");
    end_after(task->arg);
}

static void begin(struct bq_timer *timer)
{
    struct bq_after *after = BQ_CONTAINER(timer, struct bq_after, timer);
    bq_list_remove(&after->node);
    struct bq_task *task = bq_task_take(after->app->vm);
    if (!task) {
        bq_error("req:after was not run: not enough memory: see lua_memory_max");
        end_after(after);
        return;
    }
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, after->app->refs.run_after);
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, after->list);
    bq_task_start(task, 1, after_done, after);
}

void bq_after_start(struct bq_app *app, int list)
{
    struct bq_after *after = bq_alloc_zero(sizeof *after);
    if (!after) {
        bq_error("req:after was not run: out of memory");
        luaL_unref(app->vm->L, LUA_REGISTRYINDEX, list);
        return;
    }
    after->app = app;
    after->list = list;
    after->timer.fn = begin;
    app->pending++;
    bq_list_push(&app->afters, &after->node);
    /* The answer leaves at the end of this turn: not before the next one. */
    bq_timer_set(bq_loop_wheel(app->loop), &after->timer, bq_loop_now_ms(app->loop) + 1);
}

void bq_after_drop(struct bq_app *app)
{
    struct bq_node *node;
    while ((node = bq_list_take(&app->afters))) {
        struct bq_after *after = BQ_CONTAINER(node, struct bq_after, node);
        bq_timer_clear(bq_loop_wheel(app->loop), &after->timer);
        end_after(after);
    }
}
