/* hooks.c: runs what barq.on registered, as a task, so that hooks may wait. */
#include "app/failure.h"
#include "app/instance.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/task.h"

struct hook_run {
    struct bq_app *app;
    const char *event;
    void (*done)(void *arg, int rc);
    void *arg;
};

static void log_error(lua_State *L, void *arg)
{
    struct bq_task *task = arg;
    const struct hook_run *run = task->arg;
    lua_xmove(task->L, L, 1);
    bq_describe(L, 1);
    luaL_traceback(L, task->L, lua_tostring(L, -1), 0);
    bq_error("hook \"%s\" failed: %s", run->event, lua_tostring(L, -1));
}

static void finish(struct hook_run *run, int rc)
{
    run->app->pending--;
    run->done(run->arg, rc);
    bq_free(run);
}

static void hooks_done(struct bq_task *task, enum bq_task_end end)
{
    struct hook_run *run = task->arg;
    int rc = BQ_OK;
    if (end == BQ_TASK_ERROR) {
        /* hooks.run catches what hooks raise; this is a lack of memory or a stray yield. */
        if (bq_vm_protect(task->vm, log_error, task) != BQ_OK)
            bq_error("hook \"%s\" failed: not enough memory: see lua_memory_max", run->event);
        rc = BQ_INVALID;
    } else if (end == BQ_TASK_DROPPED || !lua_toboolean(task->L, 1)) {
        rc = BQ_INVALID;
    }
    finish(run, rc);
}

static void push_call(lua_State *L, void *arg)
{
    struct bq_task *task = arg;
    const struct hook_run *run = task->arg;
    lua_rawgeti(L, LUA_REGISTRYINDEX, run->app->refs.run_hooks);
    lua_pushstring(L, run->event);
    lua_xmove(L, task->L, 2);
}

void bq_app_start_hooks(struct bq_app *app, const char *event, void (*done)(void *arg, int rc),
                        void *arg)
{
    struct bq_task *task = bq_task_take(app->vm);
    struct hook_run *run = bq_alloc(sizeof *run);
    if (task && run) {
        *run = (struct hook_run){app, event, done, arg};
        task->arg = run;
        if (bq_vm_protect(app->vm, push_call, task) == BQ_OK) {
            app->pending++;
            bq_task_start(task, 1, hooks_done, run);
            return;
        }
    }
    bq_error("hook \"%s\" was not run: out of memory", event);
    bq_free(run);
    if (task)
        bq_task_give(task);
    done(arg, BQ_MEMORY);
}

struct hook_wait {
    bool ended;
    int rc;
};

static void note_end(void *arg, int rc)
{
    struct hook_wait *wait = arg;
    wait->ended = true;
    wait->rc = rc;
}

int bq_app_run_hooks(struct bq_app *app, const char *event)
{
    struct hook_wait wait = {false, BQ_OK};
    bq_app_start_hooks(app, event, note_end, &wait);
    while (!wait.ended)
        bq_loop_run_once(app->loop, -1);
    return wait.rc;
}
