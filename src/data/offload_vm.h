/*
 * offload_vm.h: the Lua state of a thread that runs functions for others.
 *
 * A function whose result nobody wants any more is ended by an error that it cannot keep: at its
 * next allocation, since that is where a state notices what another thread says (a hook that looks
 * now and then would not run in compiled code, and makes the rest a fifth slower). What allocates
 * nothing, as a call of a C library or a compiled loop over numbers, runs to its end.
 */
#ifndef BQ_DATA_OFFLOAD_VM_H
#define BQ_DATA_OFFLOAD_VM_H

#include "data/offload.h"
#include "vm/vm.h"

#include <stdatomic.h>

/* The way out for who passes what is refused. */
#define BQ_OFFLOAD_COPIES "pass booleans, numbers, strings, barq.null and tables of these"

struct bq_offload_vm {
    const struct bq_offload_options *options;
    struct bq_vm *vm; /* NULL: opened when it is needed */
    atomic_bool unwanted;
    bool spoiled; /* a module was not loaded to its end, or a function was cut short */
};

void bq_offload_vm_init(struct bq_offload_vm *v, const struct bq_offload_options *options);

/* Runs the job's function; results, or the error, are in the job then. Afterwards a state that is
 * spoiled is closed: require would say nothing better of its module than "previous error". */
void bq_offload_vm_run(struct bq_offload_vm *v, struct bq_offload_job *job);

/* Closes the state; the next job opens another. */
void bq_offload_vm_close(struct bq_offload_vm *v);

/* Says whether somebody wants what it runs. Thread: any. */
static inline void bq_offload_vm_want(struct bq_offload_vm *v, bool wanted)
{
    atomic_store_explicit(&v->unwanted, !wanted, memory_order_relaxed);
}

static inline bool bq_offload_vm_is_unwanted(const struct bq_offload_vm *v)
{
    return atomic_load_explicit(&v->unwanted, memory_order_relaxed);
}

#endif
