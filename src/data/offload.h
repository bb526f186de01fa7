/*
 * offload.h: functions that run on threads of their own, each with a Lua state, while the worker
 * that asked goes on.
 *
 *   new ─> configure ─> submit … ─> stop ─> free
 *
 *   a job:  submit ─> queued ─ a thread takes it ─> running ─> done ─ the port's loop ─> arrived
 *              └ abandon ─> gone ┘            └ abandon: is ended if it can be (offload_vm.h)
 *
 * The pool belongs to the process. Threads start when there is more to do than there are idle ones,
 * up to the limit, and end when idle for half a minute. A port is one worker's door to it: its jobs
 * wait there, ports give one each in turn, and what is done comes back through it, on its loop.
 */
#ifndef BQ_DATA_OFFLOAD_H
#define BQ_DATA_OFFLOAD_H

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"
#include "vm/lua.h"

struct bq_offload;
struct bq_offload_job;
struct bq_offload_vm;

struct bq_offload_options {
    unsigned threads_max;                  /* 1 to BQ_OFFLOAD_THREADS_MAX */
    uint64_t lua_bytes_max;                /* of each thread's state; 0: no limit */
    void (*open)(lua_State *L, void *arg); /* makes modules loadable in a new state; may raise */
    void *open_arg;
};

#define BQ_OFFLOAD_THREADS_MAX 256

/* Of the jobs that wait at one port: how many, and their arguments together. The last one may go
 * beyond it. */
#define BQ_OFFLOAD_WAITING_MAX 10000
#define BQ_OFFLOAD_BYTES_MAX   ((size_t)256 << 20)

struct bq_offload_port {
    struct bq_offload *pool;
    struct bq_loop *loop;
    void (*arrived)(struct bq_offload_job *job); /* on the loop: the job is the callee's now */
    struct bq_job job;                           /* posted while something is in done */
    /* Under the pool's lock: */
    struct bq_node turn; /* among those of the pool, while something waits */
    struct bq_list waiting, done;
    unsigned waiting_count;
    size_t waiting_bytes;
    bool posted;
};

enum bq_offload_state {
    BQ_OFFLOAD_QUEUED,
    BQ_OFFLOAD_RUNNING,
    BQ_OFFLOAD_DONE,
    BQ_OFFLOAD_ARRIVED,
};

struct bq_offload_job {
    struct bq_node node;          /* among those that wait or are done */
    struct bq_offload_port *port; /* NULL: nobody wants it any more */
    void *owner;                  /* the port's business */
    enum bq_offload_state state;  /* under the pool's lock, but ARRIVED, which is the port's */
    struct bq_offload_vm *vm;     /* where it runs */
    bool failed;                  /* results is the error */
    unsigned count;               /* of arguments, then of results */
    struct bq_buf values;         /* packed: a table of the arguments, then of the results */
    const char *module, *function;
    char names[]; /* both, each with its NUL */
};

/* Fails: NULL without memory. */
struct bq_offload *bq_offload_new(void);

/* Before the first submit. */
void bq_offload_configure(struct bq_offload *o, const struct bq_offload_options *options);

/* From the next job on each thread has a new Lua state: modules have changed. Thread: any. */
void bq_offload_renew(struct bq_offload *o);

/* Ends the threads, once no port submits any more, and the functions that they run, if it can.
 * False: one was still running its function then. */
bool bq_offload_stop(struct bq_offload *o, uint64_t deadline_ms);

/* Thread: any. */
struct bq_offload_figures {
    unsigned threads, idle; /* that there are; those of them with nothing to do */
    unsigned queued;        /* functions that wait for one */
};
struct bq_offload_figures bq_offload_figures(struct bq_offload *o);

/* Takes: stopped, or never used; ports may close later. NULL is harmless. */
void bq_offload_free(struct bq_offload *o);

void bq_offload_port_open(struct bq_offload_port *port, struct bq_offload *o, struct bq_loop *loop,
                          void (*arrived)(struct bq_offload_job *job));

/* Takes: no job of it waits or runs. The loop will not turn again, or has turned since the last one
 * did. */
void bq_offload_port_close(struct bq_offload_port *port);

/* Fails: NULL without memory. */
struct bq_offload_job *bq_offload_job_new(bq_str module, bq_str function);
void bq_offload_job_free(struct bq_offload_job *job);

/* The job is the pool's until it arrives. Fails: BQ_LIMIT (too much waits at the port),
 * BQ_SYSTEM (no thread is to be had), and the job stays the caller's. */
int bq_offload_submit(struct bq_offload_port *port, struct bq_offload_job *job);

/* Of a job that was submitted and has not arrived: it is freed, at once or when its function has
 * ended. */
void bq_offload_abandon(struct bq_offload_job *job);

#endif
