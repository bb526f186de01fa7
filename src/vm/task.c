/* task.c: the pool of coroutines, resuming and waiting. */
#include "vm/task.h"

#include "base/mem.h"
#include "base/rc.h"

#include <assert.h>
#include <time.h>

/* Coroutines kept for later; what a burst leaves beyond it goes to the collector. */
#define IDLE_MAX    256
#define SLEEP_S_MAX (366.0 * 86400)
#define STACK_SLOTS 32 /* what the server itself pushes on a task's stack at most */

void bq_tasks_open(lua_State *L, struct bq_vm *vm)
{
    static const char *const texts[BQ_VM_TEXT_COUNT] = {
        [BQ_VM_TEXT_YIELDED] = "coroutine.yield outside of a coroutine of the application's own: "
                               "nobody could resume it",
        [BQ_VM_TEXT_RESUMED] = "coroutine.resume of a coroutine that waits for the server: "
                               "resume only what coroutine.create made",
    };
    for (int i = 0; i < BQ_VM_TEXT_COUNT; i++) {
        lua_pushstring(L, texts[i]);
        vm->texts[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    /* The first luaL_unref of a state makes the list of free references, which needs memory. */
    lua_pushboolean(L, true);
    luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
}

static void make_thread(lua_State *L, void *arg)
{
    struct bq_task *task = arg;
    task->L = lua_newthread(L);
    luaL_checkstack(task->L, STACK_SLOTS, "task");
    task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct bq_task *new_task(struct bq_vm *vm)
{
    struct bq_task *task = bq_alloc_zero(sizeof *task);
    if (!task)
        return NULL;
    task->vm = vm;
    task->ref = LUA_NOREF;
    if (bq_vm_protect(vm, make_thread, task) != BQ_OK) {
        bq_free(task);
        return NULL;
    }
    vm->task_count++;
    return task;
}

struct bq_task *bq_task_take(struct bq_vm *vm)
{
    /* What ran out of memory has ended, and has left its garbage. */
    bq_vm_relieve(vm);
    struct bq_node *node = bq_list_take(&vm->idle);
    if (!node)
        return new_task(vm);
    vm->idle_count--;
    return BQ_CONTAINER(node, struct bq_task, node);
}

static void free_task(struct bq_task *task)
{
    luaL_unref(task->vm->L, LUA_REGISTRYINDEX, task->ref);
    task->vm->task_count--;
    bq_free(task);
}

/* setfenv(0, t) gave the coroutine other globals, which its next user shall not find. */
static bool has_own_globals(const struct bq_task *task)
{
    return lua_topointer(task->L, LUA_GLOBALSINDEX) != lua_topointer(task->vm->L, LUA_GLOBALSINDEX);
}

void bq_task_give(struct bq_task *task)
{
    struct bq_vm *vm = task->vm;
    if (vm->idle_count >= IDLE_MAX || has_own_globals(task)) {
        free_task(task);
        return;
    }
    lua_settop(task->L, 0);
    task->done = NULL;
    task->arg = NULL;
    bq_list_push(&vm->idle, &task->node);
    vm->idle_count++;
}

static void end_task(struct bq_task *task, enum bq_task_end end)
{
    task->done(task, end);
    if (end == BQ_TASK_ERROR)
        free_task(task);
    else
        bq_task_give(task);
}

static void end_with_text(struct bq_task *task, enum bq_vm_text text)
{
    lua_settop(task->L, 0);
    lua_rawgeti(task->L, LUA_REGISTRYINDEX, task->vm->texts[text]);
    end_task(task, BQ_TASK_ERROR);
}

static void resume(struct bq_task *task, int nargs)
{
    struct bq_vm *vm = task->vm;
    struct bq_task *outer = vm->running;
    vm->running = task;
    int rc = lua_resume(task->L, nargs);
    vm->running = outer;
    if (rc == 0)
        end_task(task, BQ_TASK_DONE);
    else if (rc != LUA_YIELD)
        end_task(task, BQ_TASK_ERROR);
    else if (!task->waiting)
        end_with_text(task, BQ_VM_TEXT_YIELDED); /* nobody would ever resume it */
}

void bq_task_start(struct bq_task *task, int nargs, bq_task_fn done, void *arg)
{
    assert(!task->waiting);
    task->done = done;
    task->arg = arg;
    resume(task, nargs);
}

struct bq_task *bq_task_running(lua_State *L, const char *what)
{
    struct bq_task *task = bq_vm_of(L)->running;
    if (!task)
        luaL_error(L,
                   "%s: only a handler, a hook or a function they call can wait, "
                   "not code that runs while the application loads",
                   what);
    if (task->L != L)
        luaL_error(L,
                   "%s: cannot wait inside a coroutine of the application's own: "
                   "call it outside of coroutine.wrap or coroutine.create",
                   what);
    if (!lua_isyieldable(L))
        luaL_error(L,
                   "%s: cannot wait inside a function that C code calls "
                   "(table.sort, string.gsub, require, …): call it before or after",
                   what);
    return task;
}

int bq_task_wait(lua_State *L, struct bq_task *task, bq_task_cancel_fn cancel, void *arg)
{
    task->waiting = true;
    task->cancel = cancel;
    task->cancel_arg = arg;
    bq_list_push(&task->vm->waiting, &task->node);
    return lua_yield(L, 0);
}

void bq_task_wake(struct bq_task *task, int nresults)
{
    assert(task->waiting && !task->vm->running);
    bq_list_remove(&task->node);
    task->waiting = false;
    /* coroutine.running told others of it: it may have been resumed, and be dead by now. */
    if (lua_status(task->L) == LUA_YIELD)
        resume(task, nresults);
    else
        end_with_text(task, BQ_VM_TEXT_RESUMED);
}

void bq_task_drop(struct bq_task *task)
{
    assert(task->waiting && !task->vm->running);
    bq_list_remove(&task->node);
    if (task->cancel)
        task->cancel(task->cancel_arg);
    task->done(task, BQ_TASK_DROPPED);
    free_task(task);
}

void bq_tasks_drop(struct bq_vm *vm)
{
    struct bq_node *node;
    while ((node = bq_list_peek(&vm->waiting)))
        bq_task_drop(BQ_CONTAINER(node, struct bq_task, node));
    while ((node = bq_list_take(&vm->idle)))
        free_task(BQ_CONTAINER(node, struct bq_task, node));
    vm->idle_count = 0;
}

static void wake_sleeper(struct bq_timer *timer)
{
    bq_task_wake(BQ_CONTAINER(timer, struct bq_task, timer), 0);
}

static void cancel_sleep(void *arg)
{
    struct bq_task *task = arg;
    bq_timer_clear(bq_loop_wheel(task->vm->loop), &task->timer);
}

/* The loop's own clock stands still while Lua runs: a handler that computes for a
 * while and then sleeps shall sleep its full time. */
static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int bq_task_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= SLEEP_S_MAX, 1,
                  "seconds from 0 to a year expected");
    struct bq_task *task = bq_task_running(L, "barq.sleep");
    task->timer.fn = wake_sleeper;
    /* One more millisecond, since the one that has begun is not whole. */
    uint64_t wait_ms = (uint64_t)(seconds * 1000 + 0.999) + 1;
    bq_timer_set(bq_loop_wheel(task->vm->loop), &task->timer, now_ms() + wait_ms);
    return bq_task_wait(L, task, cancel_sleep, task);
}
