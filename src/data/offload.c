/* offload.c: the queue, the threads, and what they do in their states. */
#include "data/offload.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rc.h"
#include "data/lua_pack.h"
#include "vm/vm.h"

#include <assert.h>
#include <pthread.h>

#define IDLE_MS_MAX      30000
#define RESULT_BYTES_MAX ((size_t)256 << 20)

/* As for a worker (src/worker.c): LuaJIT bounds recursion by its own stack, string.gsub by this. */
#define STACK_BYTES ((size_t)64 << 20)

enum thread_state { FREE, RUNNING, ENDED };

struct thread {
    struct bq_offload *pool;
    pthread_t handle;
    enum thread_state state; /* under the pool's lock */
};

struct bq_offload {
    struct bq_offload_options options;
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t work, ended;
    struct bq_list queue;
    unsigned queued, idle, running;
    unsigned generation; /* of the states */
    unsigned users;      /* ports that are open, and who has made it */
    bool stopping;
    struct thread threads[BQ_OFFLOAD_THREADS_MAX];
};

/* --- jobs ------------------------------------------------------------------------------------- */

struct bq_offload_job *bq_offload_job_new(bq_str module, bq_str function)
{
    struct bq_offload_job *job = bq_alloc_zero(sizeof *job + module.n + function.n + 2);
    if (!job)
        return NULL;
    job->values = BQ_BUF_INIT;
    memcpy(job->names, module.p, module.n);
    memcpy(job->names + module.n + 1, function.p, function.n);
    job->module = job->names;
    job->function = job->names + module.n + 1;
    return job;
}

void bq_offload_job_free(struct bq_offload_job *job)
{
    bq_buf_release(&job->values);
    bq_free(job);
}

static struct bq_offload_job *job_of(struct bq_node *n)
{
    return BQ_CONTAINER(n, struct bq_offload_job, node);
}

/* --- running one ------------------------------------------------------------------------------ */

static void load_function(lua_State *L, const struct bq_offload_job *job)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, job->module);
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1))
        luaL_error(L, "the module \"%s\" is no table, but a %s", job->module, luaL_typename(L, -1));
    lua_getfield(L, -1, job->function);
    if (!lua_isfunction(L, -1))
        luaL_error(L, "the module \"%s\" has no function \"%s\"", job->module, job->function);
    lua_remove(L, -2);
}

static int push_arguments(lua_State *L, const struct bq_offload_job *job)
{
    int n = (int)job->count;
    luaL_checkstack(L, n + 2, "too many arguments");
    bq_unpack(L, bq_buf_str(&job->values));
    int table = lua_gettop(L);
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return n;
}

/* The values from first on, as one packed table. Raises: what cannot be packed. */
static void keep_values(lua_State *L, struct bq_offload_job *job, int first)
{
    struct bq_pack_error error;
    int n = lua_gettop(L) - first + 1;
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
    bq_buf_reset(&job->values);
    int rc = bq_pack(L, lua_gettop(L), RESULT_BYTES_MAX, &job->values, &error);
    if (rc == BQ_INVALID)
        luaL_error(L, "%s.%s returns what cannot be passed on: %s", job->module, job->function,
                   error.text);
    if (rc != BQ_OK)
        luaL_error(L, "%s.%s returns more than there is memory for", job->module, job->function);
    job->count = (unsigned)n;
}

static int call_function(lua_State *L)
{
    struct bq_offload_job *job = lua_touserdata(L, 1);
    lua_settop(L, 0);
    load_function(L, job);
    lua_call(L, push_arguments(L, job), LUA_MULTRET);
    keep_values(L, job, 1);
    return 0;
}

/* The error on top: as it is if it can be passed on, else what it says of itself. */
static int keep_error(lua_State *L)
{
    struct bq_offload_job *job = lua_touserdata(L, 1);
    if (lua_type(L, 2) != LUA_TTABLE && lua_type(L, 2) != LUA_TSTRING) {
        lua_getglobal(L, "tostring");
        lua_pushvalue(L, 2);
        lua_call(L, 1, 1);
        lua_replace(L, 2);
    }
    lua_settop(L, 2);
    keep_values(L, job, 2);
    return 0;
}

/* In the log at the level debug: whoever called gets the error itself. */
static int trace(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING || !bq_log_enabled(BQ_LOG_DEBUG))
        return 1;
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    bq_debug("barq.offload: %s", lua_tostring(L, -1));
    lua_settop(L, 1);
    return 1;
}

static void run_job(lua_State *L, void *arg)
{
    lua_pushcfunction(L, trace);
    lua_pushcfunction(L, call_function);
    lua_pushlightuserdata(L, arg);
    int rc = lua_pcall(L, 1, 0, 1);
    if (rc == 0)
        return;
    struct bq_offload_job *job = arg;
    job->failed = true;
    job->count = 0; /* until there is something better: not enough memory */
    lua_pushcfunction(L, keep_error);
    lua_pushlightuserdata(L, arg);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) == 0)
        return;
    lua_pushcfunction(L, keep_error); /* an error object that holds a function, say */
    lua_pushlightuserdata(L, arg);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) != 0)
        job->count = 0;
}

static void execute(struct bq_vm *vm, struct bq_offload_job *job)
{
    if (!vm || bq_vm_protect(vm, run_job, job) != BQ_OK) {
        job->failed = true;
        job->count = 0;
    }
    if (vm)
        bq_vm_relieve(vm);
}

static void open_modules(lua_State *L, void *arg)
{
    const struct bq_offload_options *options = arg;
    options->open(L, options->open_arg);
}

/* NULL without memory. */
static struct bq_vm *open_state(struct bq_offload *o)
{
    struct bq_vm *vm = bq_vm_new(NULL, o->options.lua_bytes_max);
    if (vm && bq_vm_protect(vm, open_modules, &o->options) != BQ_OK) {
        bq_vm_free(vm);
        vm = NULL;
    }
    return vm;
}

/* --- threads ---------------------------------------------------------------------------------- */

/* Takes: the lock. The job is posted under it: a port that was closed under it gets none. */
static void give_back(struct bq_offload_job *job)
{
    struct bq_offload_port *port = job->port;
    if (!port) {
        bq_offload_job_free(job);
        return;
    }
    job->state = BQ_OFFLOAD_DONE;
    bq_list_push(&port->done, &job->node);
    if (!port->posted)
        bq_loop_post(port->loop, &port->job);
    port->posted = true;
}

/* Takes: the lock. NULL: the thread ends. */
static struct bq_offload_job *next_job(struct bq_offload *o)
{
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + IDLE_MS_MAX);
    int rc = 0;
    o->idle++;
    while (bq_list_empty(&o->queue) && !o->stopping && rc == 0)
        rc = pthread_cond_timedwait(&o->work, &o->lock, &until);
    o->idle--;
    struct bq_node *n = bq_list_take(&o->queue);
    if (!n)
        return NULL;
    o->queued--;
    job_of(n)->state = BQ_OFFLOAD_RUNNING;
    return job_of(n);
}

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    struct bq_offload *o = t->pool;
    struct bq_offload_job *job;
    struct bq_vm *vm = NULL;
    pthread_mutex_lock(&o->lock);
    unsigned generation = o->generation - 1;
    while ((job = next_job(o))) {
        bool renewed = generation != o->generation;
        generation = o->generation;
        pthread_mutex_unlock(&o->lock);
        if (renewed && vm)
            bq_vm_free(vm);
        if (renewed || !vm)
            vm = open_state(o);
        execute(vm, job);
        pthread_mutex_lock(&o->lock);
        give_back(job);
    }
    /* From here on a job needs another thread. */
    o->running--;
    pthread_mutex_unlock(&o->lock);
    if (vm)
        bq_vm_free(vm);
    pthread_mutex_lock(&o->lock);
    t->state = ENDED;
    pthread_cond_broadcast(&o->ended);
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* Takes: the lock. NULL: as many as may be are running or about to end. */
static struct thread *free_slot(struct bq_offload *o)
{
    for (unsigned i = 0; i < o->options.threads_max; i++) {
        struct thread *t = &o->threads[i];
        if (t->state == ENDED) {
            pthread_join(t->handle, NULL);
            t->state = FREE;
        }
        if (t->state == FREE)
            return t;
    }
    return NULL;
}

/* Takes: the lock. */
static bool start_thread(struct bq_offload *o)
{
    pthread_attr_t attributes;
    struct thread *t = free_slot(o);
    if (!t)
        return false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    t->pool = o;
    bool started = !BQ_FAULT(thread) && pthread_create(&t->handle, &attributes, run_thread, t) == 0;
    pthread_attr_destroy(&attributes);
    if (!started)
        return false;
    pthread_setname_np(t->handle, "barq-offload");
    t->state = RUNNING;
    o->running++;
    return true;
}

/* --- the pool --------------------------------------------------------------------------------- */

struct bq_offload *bq_offload_new(void)
{
    pthread_condattr_t monotonic;
    struct bq_offload *o = bq_alloc_zero(sizeof *o);
    if (!o)
        return NULL;
    o->options.threads_max = o->users = 1;
    bq_list_init(&o->queue);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->work, &monotonic);
    pthread_cond_init(&o->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return o;
}

void bq_offload_configure(struct bq_offload *o, const struct bq_offload_options *options)
{
    assert(o->running == 0);
    assert(options->threads_max >= 1 && options->threads_max <= BQ_OFFLOAD_THREADS_MAX);
    o->options = *options;
}

void bq_offload_renew(struct bq_offload *o)
{
    pthread_mutex_lock(&o->lock);
    o->generation++;
    pthread_mutex_unlock(&o->lock);
}

/* Takes: the lock. */
static bool all_ended(struct bq_offload *o)
{
    for (unsigned i = 0; i < o->options.threads_max; i++)
        if (o->threads[i].state == RUNNING)
            return false;
    return true;
}

bool bq_offload_stop(struct bq_offload *o, uint64_t deadline_ms)
{
    const struct timespec until = bq_clock_timespec(deadline_ms);
    int rc = 0;
    pthread_mutex_lock(&o->lock);
    o->stopping = true;
    pthread_cond_broadcast(&o->work);
    while (!all_ended(o) && rc == 0)
        rc = pthread_cond_timedwait(&o->ended, &o->lock, &until);
    bool ended = all_ended(o);
    pthread_mutex_unlock(&o->lock);
    return ended;
}

static void destroy(struct bq_offload *o)
{
    for (unsigned i = 0; i < o->options.threads_max; i++)
        if (o->threads[i].state == ENDED)
            pthread_join(o->threads[i].handle, NULL);
    pthread_cond_destroy(&o->ended);
    pthread_cond_destroy(&o->work);
    pthread_mutex_destroy(&o->lock);
    bq_free(o);
}

static void leave(struct bq_offload *o)
{
    pthread_mutex_lock(&o->lock);
    bool last = --o->users == 0;
    pthread_mutex_unlock(&o->lock);
    if (last)
        destroy(o);
}

void bq_offload_free(struct bq_offload *o)
{
    if (o)
        leave(o);
}

/* --- ports ------------------------------------------------------------------------------------ */

static void on_done(struct bq_job *posted)
{
    struct bq_offload_port *port = BQ_CONTAINER(posted, struct bq_offload_port, job);
    struct bq_list done;
    struct bq_node *n;
    bq_list_init(&done);
    pthread_mutex_lock(&port->pool->lock);
    port->posted = false;
    while ((n = bq_list_take(&port->done)))
        bq_list_push(&done, n);
    pthread_mutex_unlock(&port->pool->lock);
    /* Who hears of one may abandon others of them. */
    while ((n = bq_list_take(&done))) {
        job_of(n)->state = BQ_OFFLOAD_ARRIVED;
        port->arrived(job_of(n));
    }
}

void bq_offload_port_open(struct bq_offload_port *port, struct bq_offload *o, struct bq_loop *loop,
                          void (*arrived)(struct bq_offload_job *job))
{
    *port =
        (struct bq_offload_port){.pool = o, .loop = loop, .arrived = arrived, .job.fn = on_done};
    bq_list_init(&port->done);
    pthread_mutex_lock(&o->lock);
    o->users++;
    pthread_mutex_unlock(&o->lock);
}

void bq_offload_port_close(struct bq_offload_port *port)
{
    struct bq_node *n;
    pthread_mutex_lock(&port->pool->lock);
    while ((n = bq_list_take(&port->done)))
        bq_offload_job_free(job_of(n));
    pthread_mutex_unlock(&port->pool->lock);
    leave(port->pool);
}

void bq_offload_abandon(struct bq_offload_job *job)
{
    struct bq_offload *o = job->port->pool;
    pthread_mutex_lock(&o->lock);
    job->port = NULL;
    bool running = job->state == BQ_OFFLOAD_RUNNING;
    if (!running) {
        o->queued -= job->state == BQ_OFFLOAD_QUEUED;
        bq_list_remove(&job->node);
    }
    pthread_mutex_unlock(&o->lock);
    if (!running)
        bq_offload_job_free(job);
}

int bq_offload_submit(struct bq_offload_port *port, struct bq_offload_job *job)
{
    struct bq_offload *o = port->pool;
    int rc = BQ_OK;
    pthread_mutex_lock(&o->lock);
    if (o->queued >= BQ_OFFLOAD_QUEUE_MAX)
        rc = BQ_LIMIT;
    else if (o->queued >= o->idle && !start_thread(o) && o->running == 0)
        rc = BQ_SYSTEM;
    if (rc == BQ_OK) {
        job->port = port;
        job->state = BQ_OFFLOAD_QUEUED;
        bq_list_push(&o->queue, &job->node);
        o->queued++;
        pthread_cond_signal(&o->work);
    }
    pthread_mutex_unlock(&o->lock);
    return rc;
}
