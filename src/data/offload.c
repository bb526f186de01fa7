/* offload.c: the queues and the threads; what these do in their states is in offload_vm.c. */
#include "data/offload.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rc.h"
#include "base/thread.h"
#include "data/offload_vm.h"

#include <assert.h>
#include <pthread.h>

#define IDLE_MS_MAX 30000

/* As for a worker (src/worker.c): LuaJIT bounds recursion by its own stack, string.gsub by this. */
#define STACK_BYTES ((size_t)64 << 20)

enum thread_state { FREE, RUNNING, ENDED };

struct thread {
    struct bq_offload *pool;
    pthread_t handle;
    enum thread_state state; /* under the pool's lock */
    struct bq_offload_vm vm;
};

struct bq_offload {
    struct bq_offload_options options;
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t work, ended;
    struct bq_list turns; /* ports with jobs that wait: each gives one when it is its turn */
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

/* --- queues ----------------------------------------------------------------------------------- */

/* All of these take the lock. */

static void enqueue(struct bq_offload_port *port, struct bq_offload_job *job)
{
    job->port = port;
    job->state = BQ_OFFLOAD_QUEUED;
    if (bq_list_empty(&port->waiting))
        bq_list_push(&port->pool->turns, &port->turn);
    bq_list_push(&port->waiting, &job->node);
    port->waiting_bytes += bq_buf_size(&job->values);
    port->waiting_count++;
    port->pool->queued++;
}

static void dequeue(struct bq_offload_job *job)
{
    struct bq_offload_port *port = job->port;
    bq_list_remove(&job->node);
    if (bq_list_empty(&port->waiting))
        bq_list_remove(&port->turn);
    port->waiting_bytes -= bq_buf_size(&job->values);
    port->waiting_count--;
    port->pool->queued--;
}

static bool is_full(const struct bq_offload_port *port)
{
    return port->waiting_count >= BQ_OFFLOAD_WAITING_MAX ||
           port->waiting_bytes >= BQ_OFFLOAD_BYTES_MAX;
}

/* NULL: none waits. */
static struct bq_offload_job *take_job(struct bq_offload *o)
{
    struct bq_node *turn = bq_list_peek(&o->turns);
    if (!turn)
        return NULL;
    struct bq_offload_port *port = BQ_CONTAINER(turn, struct bq_offload_port, turn);
    struct bq_offload_job *job = job_of(bq_list_peek(&port->waiting));
    dequeue(job);
    if (!bq_list_empty(&port->waiting)) {
        bq_list_remove(&port->turn);
        bq_list_push(&o->turns, &port->turn);
    }
    return job;
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

/* Takes: the lock. NULL: there has been none for long, or there will be none. */
static struct bq_offload_job *next_job(struct thread *t)
{
    struct bq_offload *o = t->pool;
    const struct timespec until = bq_clock_timespec(bq_clock_ms() + IDLE_MS_MAX);
    int rc = 0;
    o->idle++;
    while (o->queued == 0 && !o->stopping && rc == 0)
        rc = pthread_cond_timedwait(&o->work, &o->lock, &until);
    o->idle--;
    struct bq_offload_job *job = take_job(o);
    if (!job)
        return NULL;
    job->state = BQ_OFFLOAD_RUNNING;
    job->vm = &t->vm; /* for whoever abandons it */
    bq_offload_vm_want(&t->vm, !o->stopping);
    return job;
}

/* Takes: the lock, which is open meanwhile. */
static void run_jobs(struct thread *t)
{
    struct bq_offload *o = t->pool;
    struct bq_offload_job *job;
    unsigned generation = o->generation;
    while ((job = next_job(t))) {
        bool renewed = generation != o->generation;
        generation = o->generation;
        pthread_mutex_unlock(&o->lock);
        if (renewed)
            bq_offload_vm_close(&t->vm);
        bq_offload_vm_run(&t->vm, job);
        pthread_mutex_lock(&o->lock);
        give_back(job);
    }
}

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    struct bq_offload *o = t->pool;
    pthread_mutex_lock(&o->lock);
    do {
        run_jobs(t);
        pthread_mutex_unlock(&o->lock);
        bq_offload_vm_close(&t->vm);
        pthread_mutex_lock(&o->lock);
        /* What was submitted meanwhile counts on this thread. */
    } while (o->queued > 0);
    o->running--;
    t->state = ENDED;
    pthread_cond_broadcast(&o->ended);
    pthread_mutex_unlock(&o->lock);
    return NULL;
}

/* Takes: the lock. NULL: as many as may be are running. */
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
    struct thread *t = free_slot(o);
    if (!t)
        return false;
    t->pool = o;
    bq_offload_vm_init(&t->vm, &o->options);
    if (bq_thread_start(&t->handle, "barq-offload", STACK_BYTES, run_thread, t) != 0)
        return false;
    t->state = RUNNING;
    o->running++;
    return true;
}

/* --- the pool --------------------------------------------------------------------------------- */

struct bq_offload *bq_offload_new(void)
{
    struct bq_offload *o = bq_alloc_zero(sizeof *o);
    if (!o)
        return NULL;
    o->options.threads_max = o->users = 1;
    bq_list_init(&o->turns);
    pthread_mutex_init(&o->lock, NULL);
    bq_clock_cond_init(&o->work);
    bq_clock_cond_init(&o->ended);
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
    for (unsigned i = 0; i < o->options.threads_max; i++)
        if (o->threads[i].state == RUNNING)
            bq_offload_vm_want(&o->threads[i].vm, false);
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
    bq_list_init(&port->waiting);
    bq_list_init(&port->done);
    pthread_mutex_lock(&o->lock);
    o->users++;
    pthread_mutex_unlock(&o->lock);
}

void bq_offload_port_close(struct bq_offload_port *port)
{
    struct bq_node *n;
    pthread_mutex_lock(&port->pool->lock);
    assert(bq_list_empty(&port->waiting));
    while ((n = bq_list_take(&port->done)))
        bq_offload_job_free(job_of(n));
    pthread_mutex_unlock(&port->pool->lock);
    leave(port->pool);
}

void bq_offload_abandon(struct bq_offload_job *job)
{
    struct bq_offload *o = job->port->pool;
    pthread_mutex_lock(&o->lock);
    bool running = job->state == BQ_OFFLOAD_RUNNING;
    if (running)
        bq_offload_vm_want(job->vm, false);
    else if (job->state == BQ_OFFLOAD_QUEUED)
        dequeue(job);
    else
        bq_list_remove(&job->node);
    job->port = NULL;
    pthread_mutex_unlock(&o->lock);
    if (!running)
        bq_offload_job_free(job);
}

int bq_offload_submit(struct bq_offload_port *port, struct bq_offload_job *job)
{
    struct bq_offload *o = port->pool;
    int rc = BQ_OK;
    pthread_mutex_lock(&o->lock);
    if (is_full(port))
        rc = BQ_LIMIT;
    else if (o->queued >= o->idle && !start_thread(o) && o->running == 0)
        rc = BQ_SYSTEM;
    if (rc == BQ_OK) {
        enqueue(port, job);
        pthread_cond_signal(&o->work);
    }
    pthread_mutex_unlock(&o->lock);
    return rc;
}

struct bq_offload_figures bq_offload_figures(struct bq_offload *o)
{
    pthread_mutex_lock(&o->lock);
    const struct bq_offload_figures figures = {o->running, o->idle, o->queued};
    pthread_mutex_unlock(&o->lock);
    return figures;
}
