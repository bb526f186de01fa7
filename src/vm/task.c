/* task.c: the pool of coroutines, resuming and waiting. */
#include "vm/task.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "vm/cancel.h"
#include "vm/outward.h"
#include "vm/raw.h"

#include <assert.h>
#include <string.h>

/* Coroutines kept for later; what a burst leaves beyond it goes to the collector. */
#define IDLE_MAX    256
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
    bq_outward_open(L, vm);
}

static void make_thread(lua_State *L, void *arg)
{
    struct bq_task *task = arg;
    task->L = lua_newthread(L);
    task->globals = lua_topointer(task->L, LUA_GLOBALSINDEX);
    luaL_checkstack(task->L, STACK_SLOTS, "task");
    bq_outward_own(L, task->L);
    task->ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static struct bq_task *new_task(struct bq_vm *vm)
{
    struct bq_task *task = bq_alloc_zero(sizeof *task);
    if (!task)
        return NULL;
    task->vm = vm;
    task->ref = task->error = LUA_NOREF;
    task->handle = task->joiner = BQ_HANDLE_NONE;
    bq_list_init(&task->scopes);
    bq_list_init(&task->guards);
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
    if (task->marked)
        bq_task_unmark(task);
    luaL_unref(task->vm->L, LUA_REGISTRYINDEX, task->ref);
    task->vm->task_count--;
    bq_free(task);
}

/* setfenv(0, t) gave the coroutine other globals, which its next user shall not find. */
static bool has_own_globals(const struct bq_task *task)
{
    const void *own = task->vm->raw_null ? ((const struct bq_raw_stack *)task->L)->globals
                                         : lua_topointer(task->L, LUA_GLOBALSINDEX);
    return own != task->globals;
}

void bq_task_give(struct bq_task *task)
{
    struct bq_vm *vm = task->vm;
    if (task->marked)
        bq_task_unmark(task);
    if (vm->idle_count >= IDLE_MAX || has_own_globals(task)) {
        free_task(task);
        return;
    }
    lua_settop(task->L, 0);
    task->done = NULL;
    task->arg = NULL;
    task->cause = NULL;
    task->joiner = BQ_HANDLE_NONE;
    task->takes_rows = false;
    task->rows = NULL;
    bq_list_push_front(&vm->idle, &task->node); /* whose memory is warm is used again first */
    vm->idle_count++;
}

static void run_guards(struct bq_task *task)
{
    struct bq_node *node;
    while ((node = bq_list_take(&task->guards))) {
        struct bq_task_guard *guard = BQ_CONTAINER(node, struct bq_task_guard, node);
        guard->fn(guard);
    }
}

static void end_task(struct bq_task *task, enum bq_task_end end)
{
    run_guards(task);
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
    bq_absence_explain(vm->absence, task->cause);
    bq_absence_begin(vm->absence);
    int rc = lua_resume(task->L, nargs);
    struct bq_absence_report report = bq_absence_end(vm->absence);
    vm->running = outer;
    if (outer)
        bq_absence_explain(vm->absence, outer->cause);
    if (report.ms && vm->held)
        vm->held(vm->held_arg, task, &report);
    if (vm->bytes - vm->collector.from >= vm->collector.span)
        bq_collector_wake(vm);
    if (rc == LUA_YIELD && task->waiting) {
        lua_settop(task->L, 0);
        return;
    }
    if (task->waiting)
        bq_task_unwait(task);
    if (rc == LUA_YIELD)
        end_with_text(task, BQ_VM_TEXT_YIELDED); /* nobody would ever resume it */
    else
        end_task(task, rc == 0 ? BQ_TASK_DONE : BQ_TASK_ERROR);
}

void bq_task_start(struct bq_task *task, int nargs, bq_task_fn done, void *arg)
{
    assert(!task->waiting);
    task->done = done;
    task->arg = arg;
    resume(task, nargs);
}

/* Raises, blamed on the caller of the function that Lua code wraps around a C function that waits.
 */
static void fail(lua_State *L, const char *format, const char *what)
{
    luaL_where(L, 2);
    lua_pushfstring(L, format, what);
    lua_concat(L, 2);
    lua_error(L);
}

/* A yield crosses them, though they are C functions. */
static bool lets_wait(const char *name)
{
    return strcmp(name, "pcall") == 0 || strcmp(name, "xpcall") == 0;
}

const char *bq_task_blocker(lua_State *L, lua_Debug *info)
{
    for (int level = 1; lua_getstack(L, level, info); level++)
        if (lua_getinfo(L, "Sn", info) && *info->what == 'C' && info->name &&
            !lets_wait(info->name))
            return info->name;
    return "a C function";
}

static void fail_blocked(lua_State *L, const char *what)
{
    lua_Debug info;
    const char *blocker = bq_task_blocker(L, &info);
    luaL_where(L, 2);
    lua_pushfstring(L,
                    "%s: cannot wait inside a function that C code calls, here \"%s\" (table.sort, "
                    "string.gsub, require, … cannot be suspended): call it before or after",
                    what, blocker);
    lua_concat(L, 2);
    lua_error(L);
}

struct bq_task *bq_task_running(lua_State *L, const char *what)
{
    struct bq_task *task = bq_vm_of(L)->running;
    if (!task)
        fail(L,
             "%s: only a handler, a hook or a function they call can wait, "
             "not code that runs while the application loads",
             what);
    if (!lua_isyieldable(L))
        fail_blocked(L, what);
    if (task->waiting)
        bq_task_unwait(task);
    if (task->marked)
        bq_task_check(L, task);
    return task;
}

static int wait(lua_State *L, struct bq_task *task)
{
    task->waiting = true;
    bq_list_push(&task->vm->waiting, &task->node);
    return bq_outward_yield(L);
}

int bq_task_wait(lua_State *L, struct bq_task *task, bq_task_cancel_fn cancel, void *arg)
{
    task->cancel = cancel;
    task->interrupt = NULL;
    task->cancel_arg = arg;
    return wait(L, task);
}

int bq_task_wait_for(lua_State *L, struct bq_task *task, bq_task_interrupt_fn interrupt, void *arg)
{
    task->cancel = NULL;
    task->interrupt = interrupt;
    task->cancel_arg = arg;
    return wait(L, task);
}

/* A joiner is older than what it joins, so this ends. */
bool bq_task_holds_up(const struct bq_task *task, const void *coroutine)
{
    while ((task = bq_handle_find(&task->vm->handles, task->joiner)))
        if (task->L == coroutine)
            return true;
    return false;
}

void bq_task_unwait(struct bq_task *task)
{
    bq_list_remove(&task->node);
    task->waiting = task->raising = false;
    if (task->cancel)
        task->cancel(task->cancel_arg);
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
    bq_task_unwait(task);
    run_guards(task);
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

static void clear_timer(void *arg)
{
    struct bq_task *task = arg;
    bq_timer_clear(bq_loop_wheel(task->vm->loop), &task->timer);
}

static void wake_on_time(struct bq_timer *timer)
{
    bq_task_wake(BQ_CONTAINER(timer, struct bq_task, timer), 0);
}

void bq_task_wake_later(struct bq_task *task)
{
    task->cancel = clear_timer;
    task->interrupt = NULL;
    task->cancel_arg = task;
    task->timer.fn = wake_on_time;
    bq_timer_set(bq_loop_wheel(task->vm->loop), &task->timer, bq_loop_now_ms(task->vm->loop));
}

static void start_on_time(struct bq_timer *timer)
{
    struct bq_task *task = BQ_CONTAINER(timer, struct bq_task, timer);
    bq_list_remove(&task->node);
    task->waiting = false;
    resume(task, lua_gettop(task->L) - 1);
}

/* An error that meets it before it has begun is raised at its first wait: interrupt is no case
 * for a coroutine that has none yet. */
static void ignore_interrupt(void *arg, int error)
{
    (void)arg;
    (void)error;
}

void bq_task_start_later(struct bq_task *task, bq_task_fn done, void *arg)
{
    assert(!task->waiting);
    task->done = done;
    task->arg = arg;
    bq_task_wake_later(task);
    task->interrupt = ignore_interrupt;
    task->timer.fn = start_on_time;
    task->waiting = true;
    bq_list_push(&task->vm->waiting, &task->node);
}

/* The loop's own clock stands still while Lua runs: a handler that computes for a
 * while and then sleeps shall sleep its full time. */
uint64_t bq_task_due_ms(double seconds)
{
    /* One more millisecond, since the one that has begun is not whole. */
    return bq_clock_ms() + (uint64_t)(seconds * 1000 + 0.999) + 1;
}

int bq_task_sleep(lua_State *L)
{
    double seconds = lua_tonumber(L, 1);
    if (!lua_isnumber(L, 1) || !(seconds >= 0 && seconds <= BQ_TASK_SECONDS_MAX))
        fail(L, "%s: a number of seconds from 0 to a year expected", "barq.sleep");
    struct bq_task *task = bq_task_running(L, "barq.sleep");
    task->timer.fn = wake_on_time;
    bq_timer_set(bq_loop_wheel(task->vm->loop), &task->timer, bq_task_due_ms(seconds));
    return bq_task_wait(L, task, clear_timer, task);
}
